"""Train the choice of a page's blocks: `python -m bench.fit_page` writes tasks/ingest/page/weights.json with its training record.

Two logistic models with an L2 penalty. A block counts by its share of the page's story, so that every page counts alike; its target is the
share of its words that align with the page's gold text. The second model reads what the first, fitted without that page's outlet, thinks of
a block's neighbours. Cross-validated: all pages of an outlet are in one fold.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from bench.quality import ROOT
from tasks.boilerplate import strip_text
from tasks.ingest import html
from tasks.ingest.page.blocks import Blocks, read_blocks
from tasks.ingest.page.choose import AGREED, THRESHOLDS, is_agreed
from tasks.ingest.page.facts import declared_body, read_facts
from tasks.ingest.page.measures import Hints, Measures, measure, relate
from tasks.ingest.page.trees import parse_page

SETS = {"2019": "articles_2019", "2026": "news_2023_2026"}
FOLDS, INNER = 5, 4
PENALTY = 5.0
FEWEST_PAGES = 4
"""A measure seen on fewer pages is left out."""
DOUBTFUL = ("related", "promo", "newsletter", "figure", "comment", "share", "tags", "author", "navigation")

Floats = npt.NDArray[np.float64]


@dataclass
class Sample:
    """A page with its blocks, their measures, and what is known of them from the gold text."""

    year: str
    outlet: str
    gold: str
    title: str | None
    page: Blocks
    measures: list[Measures]
    headings: list[int]
    shares: list[float]
    weights: list[float]


def read_samples(folder: Path) -> list[Sample]:
    samples = []
    for year, name in SETS.items():
        with gzip.open(folder / f"data/boilerplate/{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            samples += [_sample(json.loads(line), year) for line in lines]
    many = Counter(sample.year for sample in samples)
    for sample in samples:
        sample.weights = [weight * max(many.values()) / many[sample.year] for weight in sample.weights]
    return samples


def _sample(row: Mapping[str, Any], year: str) -> Sample:
    tree = parse_page(row["html"])
    if tree is None:
        raise SystemExit(f"fit_page: {row['id']} is no page")
    page, body = read_blocks(tree), declared_body(tree)
    facts = read_facts(tree, thorough=True)
    hints = Hints(html._extract(tree), body, facts.title or "", facts.summary or "")  # noqa: SLF001  # the very text the flow will have
    measures, headings = measure(page, hints)
    shares = align(page, row["gold"])
    total = max(40, len(_words(row["gold"])))
    weights = [100 * min(1.0, len(_words(block.text)) / total) + 0.05 for block in page.blocks]
    if year == "2026":
        # the parsers behind these gold texts read paragraphs only: a plain list of the story is missing there, not judged
        weights = [0.0 if share < 0.5 and _is_plain_list(m) else weight for share, weight, m in zip(shares, weights, measures, strict=True)]
    host = [part for part in (urlsplit(row["url"]).hostname or "").split(".") if part not in ("www", "www1", "com", "co", "uk", "de")]
    return Sample(year, max(host, key=len, default=""), row["gold"], facts.title, page, measures, headings, shares, weights)


def _is_plain_list(m: Measures) -> bool:
    return bool(
        m.get("tag in li")
        and m.get("links 0")
        and m.get("place among")
        and not any(name.startswith("outside") for name in m)
        and not any(f"in {cue}" in m for cue in DOUBTFUL)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def align(page: Blocks, gold: str) -> list[float]:
    """Share of each block's words that stand in the gold text: first in order, then what is left of it in any order."""
    wanted = _words(gold.replace("\u00ad", ""))
    words = [(word, n) for n, block in enumerate(page.blocks) for word in _words(block.text)]
    sizes = Counter(n for _, n in words)
    threes = set(zip(wanted, wanted[1:], wanted[2:], strict=False))
    able = set()
    for n, block in enumerate(page.blocks):
        own = _words(block.text)
        runs = list(zip(own, own[1:], own[2:], strict=False))
        if own and (not runs or sum(run in threes for run in runs) > 0.15 * len(runs)):
            able.add(n)
    places = [place for place, (_, n) in enumerate(words) if n in able]
    done, used = [False] * len(words), [False] * len(wanted)
    for match in SequenceMatcher(None, [words[place][0] for place in places], wanted, autojunk=False).get_matching_blocks():
        if match.size >= 3 or (match.size and sizes[words[places[match.a]][1]] == match.size):
            for k in range(match.size):
                done[places[match.a + k]] = used[match.b + k] = True
    rest = [None if taken else word for word, taken in zip(wanted, used, strict=True)]
    left = Counter(tuple(rest[k : k + 4]) for k in range(len(rest) - 3) if None not in rest[k : k + 4])
    of_block: defaultdict[int, list[int]] = defaultdict(list)
    for place, (_, n) in enumerate(words):
        of_block[n].append(place)
    _find_rest([word for word, _ in words], of_block, left, done)
    return [sum(done[place] for place in of_block[n]) / sizes[n] if sizes[n] else 0.0 for n in range(len(page.blocks))]


def _find_rest(words: Sequence[str], of_block: Mapping[int, list[int]], left: Counter[Any], done: list[bool]) -> None:
    """Mark the words of blocks that nothing aligned with, where runs of four are left in the gold text."""
    for members in of_block.values():
        if any(done[place] for place in members):
            continue
        for k in range(len(members) - 3):
            run = tuple(words[place] for place in members[k : k + 4])
            if left[run] > 0:
                left[run] -= 1
                for place in members[k : k + 4]:
                    done[place] = True


class Table:
    """Measures as a sparse matrix; names get their column when they are first seen."""

    def __init__(self) -> None:
        self.columns: dict[str, int] = {}

    def rows(self, measures: Sequence[Mapping[str, float]], grow: bool) -> Any:
        rows, columns, values = [], [], []
        for row, m in enumerate(measures):
            for name, value in m.items():
                column = self.columns.setdefault(name, len(self.columns)) if grow else self.columns.get(name)
                if value and column is not None:
                    rows.append(row)
                    columns.append(column)
                    values.append(value)
        return sparse.csr_matrix((values, (rows, columns)), shape=(len(measures), len(self.columns)))


def fit(x: Any, target: Floats, weight: Floats) -> Floats:
    transposed = x.T.tocsr()

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w
        value = (weight * (np.logaddexp(0, z) - target * z)).sum() + PENALTY * (w @ w) / 2
        return float(value), transposed @ (weight * (_sigmoid(z) - target)) + PENALTY * w

    best: Floats = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    return best


def _sigmoid(z: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(z, -30, 30)))
    return found


def deal(samples: Sequence[int], outlets: Sequence[str], count: int, seed: str) -> list[list[int]]:
    def fold(outlet: str) -> int:
        return int(hashlib.md5(f"{seed}{outlet}".encode()).hexdigest(), 16) % count  # noqa: S324  # to deal, not to guard

    return [[n for n in samples if fold(outlets[n]) == k] for k in range(count)]


class Trainer:
    """The samples as matrices."""

    def __init__(self, samples: list[Sample]) -> None:
        self.samples = samples
        self.outlets = [sample.outlet for sample in samples]
        on_pages = Counter(name for sample in samples for name in {name for m in sample.measures for name, value in m.items() if value})
        kept = {name for name, count in on_pages.items() if count >= FEWEST_PAGES}
        self.first = Table()
        self.first.columns = {name: n for n, name in enumerate(sorted(kept))}
        self.x = [self.first.rows(sample.measures, grow=False) for sample in samples]
        self.beside = Table()
        self.beside.columns = {
            name: n
            for n, name in enumerate(sorted({name for s in samples for m in self._related(s, [0.5] * len(s.measures)) for name in m}))
        }

    @staticmethod
    def _related(sample: Sample, scores: Sequence[float]) -> list[Measures]:
        return relate(sample.page, sample.headings, scores)

    def _stack(self, members: Sequence[int]) -> tuple[Any, Floats, Floats]:
        x = sparse.vstack([self.x[n] for n in members]).tocsr()
        shares = np.concatenate([self.samples[n].shares for n in members])
        return x, shares, np.concatenate([self.samples[n].weights for n in members])

    def _neighbours(self, n: int, scores: Floats) -> Any:
        return self.beside.rows(self._related(self.samples[n], scores.tolist()), grow=False)

    def train(self, members: Sequence[int]) -> tuple[Floats, Floats]:
        x, target, weight = self._stack(members)
        first = fit(x, target, weight)
        scores: dict[int, Floats] = {}
        for fold in deal(members, self.outlets, INNER, "in"):
            out = set(fold)
            inner = fit(*self._stack([n for n in members if n not in out]))
            scores |= {n: _sigmoid(self.x[n] @ inner) for n in fold}
        beside = sparse.vstack([self._neighbours(n, scores[n]) for n in members])
        return first, fit(sparse.hstack([x, beside]).tocsr(), target, weight)

    def predict(self, model: tuple[Floats, Floats], n: int) -> Floats:
        beside = self._neighbours(n, _sigmoid(self.x[n] @ model[0]))
        return _sigmoid(sparse.hstack([self.x[n], beside]).tocsr() @ model[1])

    def cross_validate(self, seed: str) -> list[Floats]:
        everything = range(len(self.samples))
        found: dict[int, Floats] = {}
        for fold in deal(everything, self.outlets, FOLDS, seed):
            out = set(fold)
            model = self.train([n for n in everything if n not in out])
            found |= {n: self.predict(model, n) for n in fold}
        return [found[n] for n in everything]


def text_of(sample: Sample, probable: Floats, threshold: float = THRESHOLDS["balanced"]) -> str:
    chosen = (
        block.text
        for block, m, p in zip(sample.page.blocks, sample.measures, probable, strict=True)
        if p >= (AGREED if is_agreed(m) else threshold)
    )
    return strip_text("\n".join(chosen), title=sample.title).text


def figures(samples: Sequence[Sample], texts: Sequence[str], evaluate: Any) -> dict[str, dict[str, float]]:
    found = {}
    for year in SETS:
        scored = [evaluate.page_score(sample.gold, text) for sample, text in zip(samples, texts, strict=True) if sample.year == year]
        found[year] = evaluate.prf(*zip(*scored, strict=True))
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fit_page", description=__doc__)
    parser.add_argument("--benchmarks", type=Path, default=Path(os.environ.get("COPYDESK_BENCHMARKS", ROOT.parent / "shared")))
    parser.add_argument("--seeds", type=int, default=2, help="how often the outlets are dealt out anew")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(options.benchmarks / "tools"))
    import evaluate  # type: ignore[import-not-found]  # a script of the benchmark folder

    samples = read_samples(options.benchmarks)
    trainer = Trainer(samples)
    rounds = []
    for seed in range(options.seeds):
        predicted = trainer.cross_validate(str(seed))
        rounds.append(figures(samples, [text_of(s, p) for s, p in zip(samples, predicted, strict=True)], evaluate))
        print("cross-validated", rounds[-1])
    first, second = trainer.train(range(len(samples)))
    fitted = figures(samples, [text_of(s, trainer.predict((first, second), n)) for n, s in enumerate(samples)], evaluate)
    print("fitted", fitted)
    names = list(trainer.first.columns)
    record = {
        "about": "logistic models of tasks/ingest/page/choose.py, written by bench/fit_page.py",
        "trained_on": {year: sum(s.year == year for s in samples) for year in SETS},
        "penalty": PENALTY,
        "cross_validated": rounds,
        "fitted": fitted,
        "first": _rounded(names, first),
        "second": _rounded(names, second[: len(names)]),
        "neighbours": _rounded(list(trainer.beside.columns), second[len(names) :]),
    }
    (ROOT / "tasks/ingest/page/weights.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _rounded(names: Sequence[str], weights: Floats) -> dict[str, float]:
    return {name: round(float(w), 3) for name, w in zip(names, weights, strict=True) if abs(w) >= 0.0005}


if __name__ == "__main__":
    sys.exit(main())
