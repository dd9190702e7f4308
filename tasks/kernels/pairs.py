"""Pairs of stories: proposing them from sorted keys, comparing sorted sets, finding shared passages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.terms import Hashes


@compiled
def propose(keys: Hashes, stories: Hashes, hot: int) -> tuple[Hashes, Hashes, int, int]:
    """Pairs of stories that have a key in common.

    A key of more than `hot` stories pairs each of them only with the first `hot`.

    Args:
        keys: uint64[n], ascending.
        stories: uint64[n], the story of each key; in keep order where keys are equal, and distinct there.

    Returns:
        the smaller and the larger story of each pair (uint64[m] each, repeated when several keys propose it),
        the number of hot keys and of the pairs they did not propose.
    """
    count = 0
    hot_keys = left_out = 0
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            size = end - begin
            every = size * (size - 1) // 2
            if size > hot:
                hot_keys += 1
                left_out += (size - hot) * (size - hot - 1) // 2
                every -= (size - hot) * (size - hot - 1) // 2
            count += every
            begin = end
    lower = np.empty(count, np.uint64)
    upper = np.empty(count, np.uint64)
    at = 0
    begin = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[begin]:
            for i in range(begin, min(begin + hot, end)):
                for j in range(i + 1, end):
                    lower[at] = min(stories[i], stories[j])
                    upper[at] = max(stories[i], stories[j])
                    at += 1
            begin = end
    return lower, upper, hot_keys, left_out


@compiled
def intersection(left: Hashes, right: Hashes) -> int:
    """Size of the intersection of two ascending, distinct arrays."""
    i = j = same = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            same += 1
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return same


@compiled
def weighted_intersection(left: Hashes, right: Hashes, weights: npt.NDArray[np.float32]) -> float:
    """Weight of the terms of `left` (ascending, distinct, with weights) that stand in `right` (ascending, distinct)."""
    i = j = 0
    total = 0.0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            total += weights[i]
            i += 1
            j += 1
        elif left[i] < right[j]:
            i += 1
        else:
            j += 1
    return total


@compiled
def longest_run(left: Hashes, right: Hashes, free_left: npt.NDArray[np.bool_], free_right: npt.NDArray[np.bool_]) -> tuple[int, int, int]:
    """The longest run of equal values in two sequences, over free places only; of equally long ones the first in `left`.

    Dynamic programming over the suffix lengths of common runs, O(len(left) x len(right)) time, O(len(right)) memory.

    Returns:
        begin in left, begin in right, length (0 when nothing is shared).
    """
    lengths = np.zeros(len(right) + 1, np.int64)
    best = begin = other = 0
    for i in range(len(left)):
        for j in range(len(right) - 1, -1, -1):
            if free_left[i] and free_right[j] and left[i] == right[j]:
                lengths[j + 1] = lengths[j] + 1
                if lengths[j + 1] > best:
                    best = lengths[j + 1]
                    begin, other = i - best + 1, j - best + 1
            else:
                lengths[j + 1] = 0
    return begin, other, best
