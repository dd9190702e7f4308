"""Pairs of stories: proposing them from sorted keys, comparing sorted sets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.terms import Hashes, Starts

_SHIFT = 52
_SLOTS = 1 << (64 - _SHIFT)


@compiled
def may_repeat(keys: Hashes) -> npt.NDArray[np.bool_]:
    """Which keys may occur more than once: true of all that do and of about one other in eight; bool[n]. Saves sorting the rest."""
    bits = 64
    while bits < 8 * len(keys):
        bits *= 2
    seen = np.zeros(bits // 64, np.uint64)
    again = np.zeros(bits // 64, np.uint64)
    for key in keys:
        place = key & np.uint64(bits - 1)
        word, bit = place >> np.uint64(6), np.uint64(1) << (place & np.uint64(63))
        again[word] |= seen[word] & bit
        seen[word] |= bit
    out = np.empty(len(keys), np.bool_)
    for i in range(len(keys)):
        place = keys[i] & np.uint64(bits - 1)
        out[i] = (again[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1)
    return out


@compiled
def propose(keys: Hashes, stories: Hashes, published: Starts, since: Starts, hot: int) -> tuple[Hashes, Hashes, int, int]:
    """Pairs of stories that have a key in common.

    Each story is paired with those before it under the key that were published at its `since` or later, and of these with
    the first `hot` only.

    Args:
        keys: uint64[n], ascending.
        stories, published: uint64[n] and int64[n]; in keep order where keys are equal, so published ascends; stories are distinct there.
        since: int64[n]; under one key it does not descend, but for values that nothing was published before.

    Returns:
        the smaller and the larger story of each pair (uint64[m] each, repeated when several keys propose it),
        the number of hot keys, those that left pairs out, and of these pairs.
    """
    first = np.empty(len(keys), np.int64)
    count = hot_keys = left_out = 0
    begin = near = 0
    hot_begin = -1
    for j in range(len(keys)):
        if j == 0 or keys[j] != keys[j - 1]:
            begin = near = j
        first[j] = begin
        if since[j] > published[begin]:
            while published[near] < since[j]:
                near += 1
            first[j] = near
        count += min(hot, j - first[j])
        if j - first[j] > hot:
            left_out += j - first[j] - hot
            hot_keys += hot_begin != begin
            hot_begin = begin
    lower = np.empty(count, np.uint64)
    upper = np.empty(count, np.uint64)
    at = 0
    for j in range(len(keys)):
        for i in range(first[j], min(first[j] + hot, j)):
            lower[at] = min(stories[i], stories[j])
            upper[at] = max(stories[i], stories[j])
            at += 1
    return lower, upper, hot_keys, left_out


@compiled
def intersections(values: Hashes, starts: Starts, left: Starts, right: Starts) -> Starts:
    """Sizes of the intersections of sets left[i] and right[i]: int64[pairs].

    Args:
        values, starts: sets as ascending, distinct values; set s is values[starts[s]:starts[s + 1]].
    """
    out = np.zeros(len(left), np.int64)
    for pair in range(len(left)):
        i, j = starts[left[pair]], starts[right[pair]]
        stop, last = starts[left[pair] + 1], starts[right[pair] + 1]
        while i < stop and j < last:
            x, y = values[i], values[j]
            out[pair] += x == y
            i += x <= y
            j += y <= x
    return out


@compiled
def weighted_jaccards(
    terms: Hashes, weights: npt.NDArray[np.float32], starts: Starts, left: Starts, right: Starts
) -> npt.NDArray[np.float64]:
    """Weighted Jaccard similarity of the term sets left[i] and right[i], 0 where neither has a term: float64[pairs].

    Fastest when `left` is sorted.

    Args:
        terms, weights, starts: as `terms.rare` gives them; set i is [starts[i], starts[i + 1]).
    """
    out = np.zeros(len(left), np.float64)
    known = np.zeros(_SLOTS, np.bool_)
    for pair in range(len(left)):
        a, b = left[pair], right[pair]
        one = slice(starts[a], starts[a + 1])
        if pair == 0 or a != left[pair - 1]:
            known[:] = False
            total = 0.0
            for i in range(starts[a], starts[a + 1]):
                known[np.int64(terms[i] >> np.uint64(_SHIFT))] = True
                total += weights[i]
        shared, other = _shared_weight(terms[one], terms, weights, starts[b], starts[b + 1], known)
        if total + other > 0.0:
            out[pair] = shared / (total + other - shared)
    return out


@compiled
def _shared_weight(
    one: Hashes, terms: Hashes, weights: npt.NDArray[np.float32], begin: int, stop: int, known: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    """Weight of the terms [begin, stop) that `one` has too, and of all of them; `known` by their upper bits tells most others apart."""
    shared = every = 0.0
    i = 0
    for j in range(begin, stop):
        every += weights[j]
        if known[np.int64(terms[j] >> np.uint64(_SHIFT))]:
            while i < len(one) and one[i] < terms[j]:
                i += 1
            if i < len(one) and one[i] == terms[j]:
                shared += weights[j]
    return shared, every
