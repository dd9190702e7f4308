"""Fit the line model: `python -m bench.fit_lines [--check]`.

Pages and what is story in them come from the benchmark folder (2019, 2026 and the two sets for training). A line's label: is it in the
gold body? Whole lines are aligned with it in order, so that a menu entry that the story happens to say is none of it. A page weighs as
much as another, a line as much of its page as it has words. The weights are those of a logistic regression by L-BFGS with an L2 penalty;
signs seen on fewer than MIN_PAGES pages are left out, weights are rounded. `--check` cross-validates by host and writes nothing.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from bench.quality import BENCHMARKS
from tasks import boilerplate, repair, settings
from tasks.boilerplate import Rule, model
from tasks.boilerplate.lines import Line
from tasks.boilerplate.story import read_lines
from tasks.ingest.parse import paragraphs

SETS = {"articles_2019": 3.0, "news_2023_2026": 3.0, "train_web": 0.5, "train_news_2008": 0.2}
"""Weight of a page: the sets for training are of other kinds (blogs; 2008), and more of them do not help: train_web at .25, .5 and 1 has mean F1 .935, .937 and .932 in cross-validation."""
JUDGED = ("articles_2019", "news_2023_2026")
MIN_PAGES = 8
PENALTY = 1.0
"""of the squared weights; from .3 to 25 the mean F1 in cross-validation stays within .003"""
FOLDS = 4
"""of hosts"""
CHANGE = 0.3
"""what a change of state costs in decoding; 0 to .6 are alike in cross-validation, 1 is worse"""
_WORD = re.compile(r"\w+")


@dataclass
class Page:
    """A page's repaired text, its lines, their signs, which are of the story, how much each weighs, and where it is from."""

    set: str
    host: str
    gold: str
    text: str
    lines: list[str]
    signs: list[list[str]]
    story: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]


def align(lines: Sequence[str], gold: str) -> list[bool]:
    """Which lines are in the gold text: the heaviest chain of whole lines in its order, and long lines of which half the 4-grams are.

    >>> align(["Share", "Ships wait off the port.", "Share"], "Ships wait off the port. Share")
    [False, True, True]
    """
    words = _WORD.findall(gold)
    tokens = [_WORD.findall(line) for line in lines]
    chained = _chain(tokens, words)
    grams = {tuple(words[n : n + 4]) for n in range(len(words) - 3)}
    labels = []
    for number, line in enumerate(tokens):
        inside = sum(tuple(line[n : n + 4]) in grams for n in range(len(line) - 3))
        labels.append(number in chained or (len(line) >= 8 and inside >= 0.5 * (len(line) - 3)))
    return labels


def _chain(tokens: Sequence[Sequence[str]], words: Sequence[str]) -> set[int]:
    """Numbers of the lines of the heaviest chain: each stands whole in the gold words, after the one before it."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words):
        places.setdefault(word, []).append(place)
    ends, best = [0], [0]  # of the chains so far, each heavier than all that end before it
    links: list[tuple[int, int]] = [(-1, -1)]  # of each chain ever made its last line, and the chain that this one went on
    top = [0]
    for number, line in enumerate(tokens):
        found = []
        for place in places.get(line[0], [])[:30] if line else []:
            if words[place : place + len(line)] == line:
                at = bisect_right(ends, place) - 1
                found.append((place + len(line), best[at] + len(line), top[at]))
        for end, weight, before in found:
            at = bisect_right(ends, end)
            if best[at - 1] >= weight:
                continue
            start = bisect_left(ends, end)
            stop = bisect_right(best, weight)
            ends[start:stop], best[start:stop], top[start:stop] = [end], [weight], [len(links)]
            links.append((number, before))
    chain, at = set(), top[-1]
    while at > 0:
        number, at = links[at]
        chain.add(number)
    return chain


def read_pages() -> list[Page]:
    """Every page of the sets, through the real ingest and repair."""
    matcher = boilerplate.built_in()
    pages: list[Page] = []
    for name in SETS:
        with gzip.open(BENCHMARKS / "data" / "boilerplate" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as rows:
            pages += [_page(name, row, matcher) for row in map(json.loads, rows) if row["gold"].strip() and row["text"].strip()]
    return pages


def _page(name: str, row: dict[str, str], matcher: boilerplate.Matcher) -> Page:
    text = repair.repair_text(paragraphs(row["text"]), "text", settings.Repair())[0]
    lines, looks, hits = without_blanks(*next(read_lines([text], matcher))[:3])
    story = np.array(align(lines, row["gold"]), float)
    words = np.array([max(1, look.words) for look in looks], float)
    weight = np.minimum(words / max(30.0, float(words @ story)), 0.2) + 0.002
    host = urlsplit(row.get("url", "")).hostname or row["id"]
    return Page(name, host, row["gold"], text, lines, list(model.signs(lines, looks, hits)), story, weight * SETS[name])


def without_blanks(lines: list[str], looks: list[Line], hits: list[Rule | None]) -> tuple[list[str], list[Line], list[Rule | None]]:
    """The lines that the model is asked about."""
    live = [n for n, line in enumerate(lines) if line.strip()]
    return [lines[n] for n in live], [looks[n] for n in live], [hits[n] for n in live]


def fit(pages: Sequence[Page]) -> model.Model:
    """The model of these pages; the same for the same pages, in any order of weights' names."""
    seen = Counter(sign for page in pages for sign in {sign for found in page.signs for sign in found})
    column = {sign: number for number, sign in enumerate(sorted(sign for sign, count in seen.items() if count >= MIN_PAGES))}
    rows = [[column[sign] for sign in found if sign in column] for page in pages for found in page.signs]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    columns = np.concatenate([np.array(row, np.int32) for row in rows])
    seen_signs = csr_matrix((np.ones(len(columns), np.float32), columns, starts), shape=(len(rows), len(column)))
    story = np.concatenate([page.story for page in pages])
    weight = np.concatenate([page.weight for page in pages])
    turned = seen_signs.T.tocsr()

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        odds = seen_signs @ values[1:].astype(np.float32) + values[0]
        wrong = weight * (1 / (1 + np.exp(-odds)) - story)
        entropy = float(weight @ (np.logaddexp(0, odds) - story * odds)) + 0.5 * PENALTY * float(values[1:] @ values[1:])
        return entropy, np.concatenate([[wrong.sum()], turned @ wrong + PENALTY * values[1:]])

    found = minimize(loss, np.zeros(len(column) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 120}).x
    return model.Model({sign: round(float(found[1 + number]), 2) for sign, number in column.items()}, round(float(found[0]), 2), CHANGE)


def odds(fitted: model.Model, page: Page) -> list[float]:
    """The page's lines by a fitted model."""
    return [fitted.bias + sum(fitted.weights.get(sign, 0.0) for sign in found) for found in page.signs]


def score(pages: Sequence[Page], odds_of: Mapping[tuple[str, ...], list[float]]) -> dict[str, tuple[float, float, float]]:
    """Precision, recall and F1 of a set's pages by 4-grams, as the benchmark measures them, stripped with these odds of the lines."""
    out = {}
    with patch.object(model, "judge", lambda lines, *_: odds_of[tuple(lines)]):
        for name in JUDGED:
            precision, recall = [], []
            for page in pages:
                if page.set == name:
                    gold, got = _grams(page.gold), _grams(boilerplate.strip_text(page.text).text)
                    common = sum((gold & got).values())
                    precision += [common / sum(got.values())] if got else []
                    recall += [common / sum(gold.values())]
            p, r = float(np.mean(precision)), float(np.mean(recall))
            out[name] = (round(p, 4), round(r, 4), round(2 * p * r / (p + r), 4))
    return out


def _grams(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(tuple(words[n : n + 4]) for n in range(max(1, len(words) - 3)) if words)


def check(pages: Sequence[Page]) -> None:
    """Cross-validate by host, the rest of strip included, and print the figures."""
    hosts = sorted({page.host for page in pages})
    random.Random(5).shuffle(hosts)  # noqa: S311 - folds, not secrets
    fold = {host: number % FOLDS for number, host in enumerate(hosts)}
    judged = [page for page in pages if page.set in JUDGED]
    found: dict[tuple[str, ...], list[float]] = {}
    for number in range(FOLDS):
        fitted = fit([page for page in pages if fold[page.host] != number])
        found |= {tuple(page.lines): odds(fitted, page) for page in judged if fold[page.host] == number}
    print(f"cross-validated by host (precision, recall, F1): {score(judged, found)}")


def main() -> None:
    """Fit and write the model, or `--check` it."""
    pages = read_pages()
    if "--check" in sys.argv:
        check(pages)
        return
    fitted = fit(pages)
    judged = [page for page in pages if page.set in JUDGED]
    print(f"on the pages it was fitted on: {score(judged, {tuple(page.lines): odds(fitted, page) for page in judged})}")
    by_template: dict[str, dict[str, float]] = {}
    for sign, weight in fitted.weights.items():
        if weight:
            template, _, value = sign.partition("=")
            by_template.setdefault(template, {})[value] = weight
    written = {"bias": fitted.bias, "change": fitted.change, "weights": by_template}
    model.MODEL.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{sum(map(len, by_template.values()))} weights written to {model.MODEL}")


if __name__ == "__main__":
    main()
