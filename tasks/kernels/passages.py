"""Passages that two texts have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.evidence import RUN, Runs
from tasks.kernels.terms import Hashes

EFFORT = 100
"""An ordinary story takes 1 to 3."""


@compiled
def _length(left: Hashes, right: Hashes) -> int:
    """How many terms both begin with."""
    length = 0
    while length < len(left) and length < len(right) and left[length] == right[length]:
        length += 1
    return length


@compiled
def shared(  # noqa: C901 - one walk through two sorted lists, and what ends it
    left: Hashes, right: Hashes, runs_left: Runs, runs_right: Runs
) -> npt.NDArray[np.int64]:
    """All stretches of at least RUN equal terms: int64[passages, 3] of begin in left, begin in right, length; none within another.

    Args:
        left, right: terms of the two texts, of which each is compared EFFORT times at most (a text that repeats itself all through
            would take the square of its length); runs_left, runs_right: `reading.run_hashes` of them, RUN terms each.
    """
    order_left, order_right = np.argsort(runs_left, kind="mergesort"), np.argsort(runs_right, kind="mergesort")
    found = np.empty((len(left) + len(right), 3), np.int64)
    count = spent = 0
    most = EFFORT * (len(left) + len(right))
    i = j = 0
    while i < len(left) and j < len(right) and spent < most:
        x, y = runs_left[order_left[i]], runs_right[order_right[j]]
        if x == 0 or x < y:
            i += 1
        elif y == 0 or y < x:
            j += 1
        else:
            to = j
            while to < len(right) and runs_right[order_right[to]] == x:
                to += 1
            while i < len(left) and runs_left[order_left[i]] == x:
                for k in range(j, min(to, j + 16)):  # a run repeated more often is no passage but a refrain
                    p, q = order_left[i], order_right[k]
                    if (p > 0 and q > 0 and left[p - 1] == right[q - 1]) or left[p] != right[q]:
                        continue  # within a longer one
                    length = _length(left[p:], right[q:])
                    spent += length
                    if spent >= most:
                        break
                    if length >= RUN and count < len(found):
                        found[count, 0], found[count, 1], found[count, 2] = p, q, length
                        count += 1
                i += 1
                if spent >= most:
                    break
            j = to
    return found[:count].copy()


@compiled
def left_free(passages: npt.NDArray[np.int64], taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """What is left of some passages beside a taken one, as `shared` gives them: stretches of RUN terms or more that overlap it in neither text."""
    out = np.empty((2 * len(passages), 3), np.int64)
    count = 0
    for i in range(len(passages)):
        begin, start, length = passages[i]
        before = length  # terms before the first that is taken in either text
        after = 0  # place after the last one
        for at, first in ((begin, taken[0]), (start, taken[1])):
            low, high = max(at, first), min(at + length, first + taken[2])
            if low < high:
                before = min(before, low - at)
                after = max(after, high - at)
        if before >= RUN:
            out[count, 0], out[count, 1], out[count, 2] = begin, start, before
            count += 1
        if after and length - after >= RUN:
            out[count, 0], out[count, 1], out[count, 2] = begin + after, start + after, length - after
            count += 1
    return out[:count].copy()
