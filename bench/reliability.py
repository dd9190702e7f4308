"""How far the probability of the verdict can be believed: does it mean what it says?

Labelled pairs by ranges of their cross-validated probability: the model that judged a pair has seen no pair of its group. Of the
pairs in a range the share that is one story should be their mean probability. Invented and real sets apart, because a
corpus is not made up like them: among stories that a run reads, far fewer are one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.fit_verdict import FOLDS, ROUNDS, cross_validated, measured, reliability
from bench.labelled import harder, load, sets

INVENTED = {"families", "coverage"}


def main(arguments: list[str]) -> int:  # noqa: ARG001 -- every part of the bench takes them
    """Print the tables."""
    rows, real = sets()
    texts, more = harder(rows, real)
    data = load(rows + texts, real + more)
    x, y, weight, signs, _, _ = measured(data)
    p = cross_validated(x, y, weight, data.pairs, signs, True)[:, : len(real)]
    y = y[: len(real)]
    invented = np.array([pair.set in INVENTED for pair in real])
    print(f"cross-validated, {FOLDS} folds by group, mean of {ROUNDS} rounds")
    for name, chosen in (("all labelled pairs", np.ones(len(real), np.bool_)), ("invented", invented), ("real", ~invented)):
        if chosen.any():
            show(name, y[chosen], p[:, chosen])
    return 0


def show(name: str, y: npt.NDArray[np.bool_], p: npt.NDArray[np.float64]) -> None:
    brier = float(((p - y) ** 2).mean())
    print(
        f"\n{name}: {len(y)} pairs, {int(y.sum())} one story; Brier score {brier:.4f}, of saying {y.mean():.2f} each time {y.mean() * (1 - y.mean()):.4f}"
    )
    print(f"{'probability':>14} {'pairs':>8} {'mean':>8} {'one story':>10}")
    for row in reliability(y, p):
        print(f"{'from':>9} {row['from']:4.2f} {row['pairs']:8.1f} {row['mean_probability']:8.3f} {row['one_story']:10.3f}")
