"""Train the verdict: `python -m bench.fit_verdict` writes tasks/verdict/model.json with its training record.

Both models are logistic with an L2 penalty on standardised measures; the measures are numbers about a pair, never words of a
text. Cross-validated: all pairs of a family, of an event, or of linked stories are in one fold. See bench/labelled.py for the pairs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from bench.labelled import Labelled, Pair, harder, load, sets
from bench.quality import ROOT
from tasks import settings, verdict
from tasks.verdict import measures
from tasks.verdict.stories import UNKNOWN

FOLDS, ROUNDS = 10, 4
"""Folds of a cross-validation, and how often the groups are dealt out anew."""
PENALTY = 2.0
COPY = 0.3
"""What a near copy counts: tier 1 has decided it already."""
SIGNS, LEANING_SIGNS = {"own_quotes": -1}, {"longer": 0}
"""The sign each weight of the two models keeps, 1 where not listed: what a measure can mean, which small sets cannot teach. 0: any."""
STATED = {"byline": 1.0}
"""Weights set by hand, because no set with labels tells bylines: a named author speaks for the source, weaker than anything else."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def fit(x: Floats, y: npt.NDArray[np.bool_], weight: Floats, signs: npt.NDArray[np.int64], free: bool) -> Floats:
    """Weights of a logistic model on raw measures, intercept first (0 unless `free`); each weight keeps to its sign (0: any).

    The penalty is on weights of measures divided by their standard deviation.
    """
    scale = x.std(0) if free else np.sqrt((x**2).mean(0))
    scale[scale == 0] = 1
    z = x / scale
    target = np.where(y, 1.0, -1.0)

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = target * (w[0] + z @ w[1:])
        value = (weight * np.logaddexp(0, -margin)).sum() + PENALTY * (w[1:] ** 2).sum() / 2
        slope = -weight * target / (1 + np.exp(np.minimum(margin, 500)))
        return value, np.concatenate([[slope.sum()], slope @ z + PENALTY * w[1:]])

    bounds = [(None, None) if free else (0, 0), *(((0, None) if s > 0 else (None, 0) if s < 0 else (None, None)) for s in signs)]
    best = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000})
    return np.concatenate([best.x[:1], best.x[1:] / scale])


def cross_validated(x: Floats, y: npt.NDArray[np.bool_], weight: Floats, pairs: list[Pair], signs: Any, free: bool) -> Floats:
    """Probability of each pair from models that have not seen its group: float64[rounds, pairs]."""
    names = sorted({pair.group for pair in pairs})
    out = np.zeros((ROUNDS, len(y)))
    for seed in range(ROUNDS):
        order = {name: i for i, name in enumerate(np.random.default_rng(seed).permutation(names))}
        fold = np.array([order[pair.group] % FOLDS for pair in pairs])
        for k in range(FOLDS):
            test = fold == k
            w = fit(x[~test], y[~test], weight[~test], signs, free)
            out[seed, test] = 1 / (1 + np.exp(-(w[0] + x[test] @ w[1:])))
    return out


def report(name: str, pairs: list[Pair], p: Floats) -> dict[str, Any]:
    """Mean figures over the rounds: F1 of a set, false merges per pair that is none, errors by kind."""
    y, hit = np.array([q.same for q in pairs]), p >= 0.5
    tp, fp, fn = (hit & y).sum(1), (hit & ~y).sum(1), (~hit & y).sum(1)
    wrong: dict[str, float] = {}
    for q, error in zip(pairs, (hit != y).mean(0), strict=True):
        if error:
            wrong[q.kind] = round(wrong.get(q.kind, 0.0) + float(error), 2)
    out: dict[str, Any] = {"set": name, "pairs": len(pairs), "one_story": int(y.sum())}
    if y.any():
        out["f1"] = round(float((2 * tp / np.maximum(1, 2 * tp + fp + fn)).mean()), 3)
    return out | {"false_merge_rate": round(float(fp.mean() / max(1, (~y).sum())), 4), "wrong": wrong}


def reliability(y: npt.NDArray[np.bool_], p: Floats) -> list[dict[str, float]]:
    """Does a probability mean what it says? In each range of it: pairs, their mean probability, and the share that is one story."""
    out = []
    for low, high in pairwise((0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0001)):
        inside = (p >= low) & (p < high)
        if inside.any():
            share = float(np.broadcast_to(y, p.shape)[inside].mean())
            out.append(
                {
                    "from": low,
                    "pairs": round(float(inside.sum()) / len(p), 1),
                    "mean_probability": round(float(p[inside].mean()), 3),
                    "one_story": round(share, 3),
                }
            )
    return out


def measured(data: Labelled) -> tuple[Floats, Mask, Floats, npt.NDArray[np.int64], Mask, list[str]]:
    """Measures float64[pairs, measures], labels, weights, the sign each weight keeps, which pairs are near copies, and the measures' names."""
    sides = data.left, data.right
    pair = verdict.shared_by(data.stories, *sides)
    found = measures.measures(pair)
    over = measures.overlaps(data.stories, *sides)
    copies = verdict.is_alike(data.stories, *sides, over, settings.Near()) & verdict.has_details(
        data.stories, pair, *sides, settings.Near()
    )
    weight = np.array([q.weight for q in data.pairs]) * np.where(copies, COPY, 1.0)
    signs = np.array([SIGNS.get(name, 1) for name in found])
    return np.stack(list(found.values()), 1), np.array([q.same for q in data.pairs]), weight, signs, copies, list(found)


def rewrites(data: Labelled, real: int) -> tuple[dict[str, Any], list[tuple[float, Pair]]]:
    """The model of one story or two with its record; and the pairs it errs on, by mean probability. Pairs from `real` on are made harder."""
    x, y, weight, signs, copies, found = measured(data)
    p = cross_validated(x, y, weight, data.pairs, signs, True)[:, :real]
    final = fit(x, y, weight, signs, True)
    pairs, kinds = data.pairs[:real], sorted({q.set for q in data.pairs})
    told = np.where(copies[:real], 1.0, p)
    of_set = {name: [i for i, q in enumerate(pairs) if q.set == name and " and " not in q.kind] for name in kinds}
    record = {
        "weights": {name: round(float(w), 4) for name, w in zip(["intercept", *found], final, strict=True)},
        "trained_on": {"pairs": real, "one_story": int(y[:real].sum()), "made_harder": len(data.pairs) - real, "penalty": PENALTY},
        "cross_validated": {
            "folds": FOLDS,
            "rounds": ROUNDS,
            "sets": [report(name, [pairs[i] for i in chosen], told[:, chosen]) for name, chosen in of_set.items()],
            "reliability": reliability(y[:real], p),
        },
    }
    mean = told.mean(0)
    wrong = [(float(mean[i]), pairs[i]) for i in np.argsort(-np.abs(mean - y[:real])) if (mean[i] >= 0.5) != y[i]]
    return record, wrong


def directions(data: Labelled, real: int) -> dict[str, Any]:
    """The model of which of the two is the source, with its record; every pair once with its dates and once without."""
    known = [i for i, q in enumerate(data.pairs[:real]) if q.source]
    pairs = [data.pairs[i] for i in known]
    left, right = data.left[known], data.right[known]
    swapped = np.array([q.source == q.b for q in pairs])
    left, right = np.where(swapped, right, left), np.where(swapped, left, right)
    shared = verdict.shared_by(data.stories, left, right)
    undated = replace(data.stories, published=np.full(len(data.stories.published), UNKNOWN))
    found = [measures.leanings(stories, shared, left, right) for stories in (data.stories, undated)]
    x = np.concatenate([np.stack(list(leaning.values()), 1) for leaning in found])
    y, ones = np.ones(len(x), np.bool_), np.ones(len(x))
    signs = np.array([LEANING_SIGNS.get(name, 1) for name in found[0]])
    right_ones = (cross_validated(x, y, ones, pairs * 2, signs, False) > 0.5).mean(0)
    final = fit(x, y, ones, signs, False)
    return {
        "weights": {name: STATED.get(name, round(float(w), 4)) for name, w in zip(found[0], final[1:], strict=True)},
        "trained_on": {"pairs": len(pairs), "penalty": PENALTY, "set_by_hand": sorted(STATED)},
        "cross_validated": {
            "right_with_dates": round(float(right_ones[: len(pairs)].mean()), 3),
            "right_without_dates": round(float(right_ones[len(pairs) :].mean()), 3),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="do not write the model; list the errors")
    args = parser.parse_args()
    rows, real = sets()
    texts, more = harder(rows, real)
    data = load(rows + texts, real + more)
    rewrite, wrong = rewrites(data, len(real))
    model = {
        "about": "logistic models of tasks/verdict, written by bench/fit_verdict.py: 1 / (1 + exp(-(intercept + weights . measures)))",
        "rewrite": rewrite,
        "source": directions(data, len(real)),
    }
    text = json.dumps(model, indent=1, ensure_ascii=False) + "\n"
    print(text)
    if not args.dry:
        (ROOT / "tasks/verdict/model.json").write_text(text, encoding="utf-8")
        return
    for probability, pair in wrong:
        print(f"{probability:.3f} {pair}")


if __name__ == "__main__":
    main()
