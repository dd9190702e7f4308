"""Train the verdict: `python -m bench.fit_verdict` writes tasks/verdict/model.json with its training record.

Reads tests/data/families.jsonl (CC0, in the repository) and, if it is there, the benchmark folder ($COPYDESK_BENCHMARKS, by
default ../shared). Both models are logistic with an L2 penalty on standardised measures; the measures are numbers about
a pair, never words of a text. Cross-validated: all pairs of a family, of an event, or of linked articles are in one fold.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import minimize

from tasks import fingerprint, schema, settings
from tasks.verdict import Judge, measures, stories

ROOT = Path(__file__).resolve().parent.parent
POSITIVE = {"light", "heavy", "mixed", "syndicated", "syndicated_copy", "wire_edited", "derived_rewrite"}
FOLDS = 10
PENALTY = 3.0
SIGNS: dict[str, int] = {}
LEANING_SIGNS = {"longer": 0}
"""The sign each weight keeps, 1 where not listed: what a measure can mean, which small sets cannot teach. 0: any."""
STATED = {"byline": 1.0}
"""Weights set by hand, because no set with labels tells bylines: a named author speaks for the source, weaker than anything else."""


@dataclass(frozen=True)
class Pair:
    """A labelled pair of record ids; group: what must not be split between folds; source: which of the two is the source, if known."""

    a: str
    b: str
    same: bool
    group: str
    kind: str
    weight: float = 1.0
    source: str | None = None


def read(path: Path) -> list[dict[str, Any]]:
    path = path if path.exists() else path.with_name(path.name + ".gz")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def families(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    """Every variant against its source; the stories that are others also against the rewrites, as a component of pairs would."""
    for row in rows:
        source = f"{row['family']}-source"
        if row["role"] == "source":
            continue
        same = row["role"] in POSITIVE
        yield Pair(row["id"], source, same, row["family"], row["role"], source=source if same else None)
        if not same:
            for other in rows:
                if other["family"] == row["family"] and other["role"] in POSITIVE:
                    yield Pair(row["id"], other["id"], False, row["family"], row["role"], weight=0.25)


def wild(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    """Scored labels only; articles linked by any pair are one group."""
    group: dict[str, str] = {}
    for row in rows:
        a, b = (group.get(row[side], row[side]) for side in ("id_a", "id_b"))
        for name in [row["id_a"], row["id_b"], *(k for k, v in group.items() if v in (a, b))]:
            group[name] = min(a, b)
    for row in rows:
        if row["label"] != "arguable":
            derived = row.get("derived_side")
            source = row["id_b"] if derived == "a" else row["id_a"] if derived == "b" else None
            yield Pair(row["id_a"], row["id_b"], row["label"] in POSITIVE, group[row["id_a"]], row["label"], source=source)


def independent(rows: list[dict[str, Any]]) -> Iterator[Pair]:
    for a, b in combinations(rows, 2):
        if a["event"] == b["event"]:
            yield Pair(a["id"], b["id"], False, a["event"], "independent event")


def checked(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows of a benchmark set as a CHECKED table."""
    out = []
    for row in rows:
        at = datetime.fromisoformat(row["published_at"]) if row.get("published_at") else None
        at = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at
        fixed = {"raw_id": row["id"], "raw_uri": "benchmark", "raw_state": "present", "place": "line 1", "kind": "record"}
        precision = None if at is None else "day" if len(row["published_at"]) == 10 else "second"
        story = {"source": row.get("source"), "title": row.get("title"), "text": row["text"], "word_count": len(row["text"].split())}
        story |= {"published_at": at, "published_precision": precision, "repairs": [], "removed": []}
        digest = fingerprint.text_hash(row["id"]).hex()
        out.append(dict.fromkeys(schema.CHECKED.names) | fixed | story | {"story_id": digest})
    return pa.Table.from_pylist(out, schema=schema.CHECKED)


def sets(benchmarks: Path) -> tuple[list[dict[str, Any]], list[Pair]]:
    """All records, and all labelled pairs of the sets that are there."""
    rows = read(ROOT / "tests/data/families.jsonl")
    pairs = list(families(rows))
    folder = benchmarks / "data/rewrites"
    if folder.is_dir():
        found = read(folder / "wild_pairs.jsonl")
        pairs += wild(found)
        sides = {pair[f"id_{s}"]: {n: pair[f"{f}_{s}"] for n, f in _SIDE.items()} for pair in found for s in "ab"}
        events = read(folder / "independent_triples.jsonl")
        pairs += independent(events)
        rows = [*rows, *sides.values(), *events]
    return rows, pairs


def harder(rows: list[dict[str, Any]], pairs: list[Pair]) -> tuple[list[dict[str, Any]], list[Pair]]:
    """The same pairs once more with one text cut to its first 6 tenths, and with the quotations of one text left out.

    Crawled stories stop at a paywall, and many rewrites outside the sets quote less than those inside. Both kinds of pair
    keep their label and fold, alike for rewrites and other stories.
    """
    texts, more = [], []
    for row in rows:
        paragraphs = row["text"].split("\n\n")
        texts.append({**row, "id": row["id"] + "/cut", "text": "\n\n".join(paragraphs[: max(1, round(0.6 * len(paragraphs)))])})
        texts.append({**row, "id": row["id"] + "/unquoted", "text": stories.QUOTED.sub(" ", row["text"])})
    for pair in pairs:
        if pair.weight == 1:
            for kind in ("/cut", "/unquoted"):
                more.append(replace(pair, a=pair.a + kind, kind=pair.kind + kind, source=None))
                more.append(replace(pair, b=pair.b + kind, kind=pair.kind + kind, source=None))
    return texts, more


_SIDE = {"id": "id", "source": "source", "title": "title", "published_at": "date", "text": "text"}


def fit(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.bool_],
    weight: npt.NDArray[np.float64],
    penalty: float,
    signs: npt.NDArray[np.int64],
    free: bool,
) -> npt.NDArray[np.float64]:
    """Weights of a logistic model on raw measures, intercept first (0 unless `free`); each weight keeps to its sign (0: any).

    The penalty is on weights of measures divided by their standard deviation. Signs say what a measure can mean, which
    small sets cannot teach.
    """
    scale = np.sqrt((x**2).mean(0)) if not free else x.std(0)
    scale[scale == 0] = 1
    z = x / scale
    target = np.where(y, 1.0, -1.0)

    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = target * (w[0] + z @ w[1:])
        value = (weight * np.logaddexp(0, -margin)).sum() + penalty * (w[1:] ** 2).sum() / 2
        slope = -weight * target / (1 + np.exp(np.minimum(margin, 500)))
        return value, np.concatenate([[slope.sum()], slope @ z + penalty * w[1:]])

    bounds = [(None, None) if free else (0, 0), *(((0, None) if s > 0 else (None, 0) if s < 0 else (None, None)) for s in signs)]
    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
    return np.concatenate([best.x[:1], best.x[1:] / scale])


def cross_validated(x: Any, y: Any, weight: Any, groups: list[str], penalty: float, signs: Any, free: bool) -> npt.NDArray[np.float64]:
    """Probability of each pair from a model that has not seen its group."""
    names = sorted(set(groups))
    order = {name: i for i, name in enumerate(np.random.default_rng(0).permutation(names))}
    fold = np.array([order[g] % FOLDS for g in groups])
    out = np.zeros(len(y))
    for k in range(FOLDS):
        test = fold == k
        w = fit(x[~test], y[~test], weight[~test], penalty, signs, free)
        out[test] = 1 / (1 + np.exp(-(w[0] + x[test] @ w[1:])))
    return out


def report(name: str, pairs: list[Pair], p: npt.NDArray[np.float64]) -> dict[str, Any]:
    """F1 over a set, errors by kind, and a reliability table: pairs, mean probability, share that are one story."""
    y, hit = np.array([q.same for q in pairs]), p >= 0.5
    tp, fp, fn = (hit & y).sum(), (hit & ~y).sum(), (~hit & y).sum()
    wrong: dict[str, int] = {}
    for q, h in zip(pairs, hit, strict=True):
        if h != q.same:
            wrong[q.kind] = wrong.get(q.kind, 0) + 1
    f1 = round(float(2 * tp / max(1, 2 * tp + fp + fn)), 3)
    return {
        "set": name,
        "pairs": len(pairs),
        "positive": int(y.sum()),
        "f1": f1,
        "false_merge_rate": round(float(fp / max(1, (~y).sum())), 4),
        "wrong": wrong,
    }


def reliability(y: npt.NDArray[np.bool_], p: npt.NDArray[np.float64]) -> list[dict[str, float]]:
    edges = [0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0001]
    out = []
    for low, high in pairwise(edges):
        inside = (p >= low) & (p < high)
        if inside.any():
            out.append(
                {
                    "from": low,
                    "pairs": int(inside.sum()),
                    "mean_probability": round(float(p[inside].mean()), 3),
                    "one_story": round(float(y[inside].mean()), 3),
                }
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="do not write the model; list the errors")
    args = parser.parse_args()
    rows, real = sets(Path(os.environ.get("COPYDESK_BENCHMARKS") or ROOT.parent / "shared"))
    texts, more = harder(rows, real)
    pairs = real + more
    near, derivative = settings.Near(), settings.Derivative()
    table = fingerprint.fingerprint(checked(rows + texts), near, derivative)
    story = dict(zip(table["raw_id"].to_pylist(), stories.of(table), strict=True))
    reading = {name: stories.peruse(s) for name, s in story.items()}

    judge = Judge(dict(enumerate(story.values())), near, derivative)
    number = {name: i for i, name in enumerate(story)}
    copies = np.array([judge.judge(number[q.a], number[q.b]).relation in ("exact", "near") for q in real])
    found = [measures.measures(story[q.a], story[q.b], reading[q.a], reading[q.b]) for q in pairs]
    names = list(found[0])
    x = np.array([[f[n] for n in names] for f in found])
    y = np.array([q.same for q in pairs])
    weight = np.array([q.weight for q in pairs])
    signs = np.array([SIGNS.get(n, 1) for n in names])
    p = cross_validated(x, y, weight, [q.group for q in pairs], PENALTY, signs, True)
    judged = np.where(copies, 1.0, p[: len(real)])
    final = fit(x, y, weight, PENALTY, signs, True)
    kinds: dict[str, list[int]] = {"families": [], "wild": [], "independent": []}
    for i, q in enumerate(real):
        if q.weight == 1:
            kinds["families" if q.b.endswith("-source") else "independent" if q.kind == "independent event" else "wild"].append(i)
    results = [report(name, [real[i] for i in chosen], judged[chosen]) for name, chosen in kinds.items() if chosen]

    lean, groups = [], []
    for q in (q for q in real if q.source):
        first, second = (q.a, q.b) if q.source == q.a else (q.b, q.a)
        for hidden in (False, True):  # half of the time no dates are known
            a, b = (replace(story[name], published=None) if hidden else story[name] for name in (first, second))
            lean.append(measures.leanings(a, b, reading[first], reading[second]))
            groups.append(q.group)
    leanings = list(lean[0])
    d = np.array([[f[n] for n in leanings] for f in lean])
    lean_signs = np.array([LEANING_SIGNS.get(n, 1) for n in leanings])
    right = cross_validated(d, np.ones(len(d), bool), np.ones(len(d)), groups, PENALTY, lean_signs, False) > 0.5
    source = fit(d, np.ones(len(d), bool), np.ones(len(d)), PENALTY, lean_signs, False)

    model = {
        "about": "logistic models of tasks/verdict, written by bench/fit_verdict.py: 1 / (1 + exp(-(intercept + weights . measures)))",
        "rewrite": {
            "weights": {n: round(float(w), 4) for n, w in zip(["intercept", *names], final, strict=True)},
            "trained_on": {"pairs": len(real), "one_story": int(y[: len(real)].sum()), "made_harder": len(more), "penalty": PENALTY},
            "cross_validated": {"folds": FOLDS, "sets": results, "reliability": reliability(y[: len(real)], p[: len(real)])},
        },
        "source": {
            "weights": {n: STATED.get(n, round(float(w), 4)) for n, w in zip(leanings, source[1:], strict=True)},
            "trained_on": {"pairs": len(lean) // 2, "penalty": PENALTY, "set_by_hand": sorted(STATED)},
            "cross_validated": {
                "right_with_dates": round(float(right[::2].mean()), 3),
                "right_without_dates": round(float(right[1::2].mean()), 3),
            },
        },
    }
    text = json.dumps(model, indent=1, ensure_ascii=False) + "\n"
    print(text)
    if not args.dry:
        (ROOT / "tasks/verdict/model.json").write_text(text, encoding="utf-8")
        return
    for i in np.argsort(-np.abs(judged - y[: len(real)])):
        if (judged[i] >= 0.5) != y[i]:
            print(round(float(judged[i]), 3), real[i], {n: round(v, 2) for n, v in found[i].items()})


if __name__ == "__main__":
    main()
