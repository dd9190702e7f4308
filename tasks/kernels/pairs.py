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
def by_range(
    keys: Hashes, ranks: npt.NDArray[np.uint32], further: npt.NDArray[np.uint32], ranges: int
) -> tuple[Hashes, npt.NDArray[np.uint32], npt.NDArray[np.uint32], Starts]:
    """The entries sorted by the range that the upper 32 bits of their key fall in, and where each range begins: int64[ranges + 1]."""
    starts = np.zeros(ranges + 1, np.int64)
    for key in keys:
        starts[((key >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32)) + np.uint64(1)] += 1
    for i in range(ranges):
        starts[i + 1] += starts[i]
    at = starts[:-1].copy()
    out, out_ranks, out_further = np.empty_like(keys), np.empty_like(ranks), np.empty_like(further)
    for i in range(len(keys)):
        part = np.int64((keys[i] >> np.uint64(32)) * np.uint64(ranges) >> np.uint64(32))
        out[at[part]], out_ranks[at[part]], out_further[at[part]] = keys[i], ranks[i], further[i]
        at[part] += 1
    return out, out_ranks, out_further, starts


@compiled
def filled(keys: Hashes, bits: int) -> Hashes:
    """A bitmap of 2^bits bits in which the lower bits of each key are set: uint64[2^bits / 64]."""
    out = np.zeros(1 << (bits - 6), np.uint64)
    for key in keys:
        place = key & np.uint64((1 << bits) - 1)
        out[place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))
    return out


@compiled
def may_hold(bitmap: Hashes, keys: Hashes) -> npt.NDArray[np.int64]:
    """The places of the keys that may be among those the bitmap was filled with: int64[m]."""
    mask = np.uint64(64 * len(bitmap) - 1)
    out = np.empty(len(keys), np.int64)
    count = np.int64(0)
    for i in range(len(keys)):
        place = keys[i] & mask
        out[count] = i
        count += np.int64((bitmap[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1))
    return out[:count].copy()


@compiled
def propose(keys: Hashes, ranks: npt.NDArray[np.uint32], since: npt.NDArray[np.uint32], hot: int) -> tuple[Hashes, int, int]:
    """Pairs of stories that have a key in common.

    Each story is paired with those before it under the key whose rank is its `since` or more, and of these with the first
    `hot` only.

    Args:
        keys: uint64[n], ascending.
        ranks: places in keep order, ascending and distinct where keys are equal.
        since: the lowest rank that the story of each entry may be paired with; under one key it does not descend, but for zeros.

    Returns:
        the pairs, uint64[m], lower rank << 32 | higher rank, repeated when several keys propose one;
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
        if since[j] > ranks[begin]:
            while ranks[near] < since[j]:
                near += 1
            first[j] = near
        count += min(hot, j - first[j])
        if j - first[j] > hot:
            left_out += j - first[j] - hot
            hot_keys += hot_begin != begin
            hot_begin = begin
    out = np.empty(count, np.uint64)
    at = 0
    for j in range(len(keys)):
        for i in range(first[j], min(first[j] + hot, j)):
            out[at] = np.uint64(ranks[i]) << np.uint64(32) | np.uint64(ranks[j])
            at += 1
    return out, hot_keys, left_out


@compiled
def sort_within(keys: Hashes, ranks: npt.NDArray[np.uint32], further: npt.NDArray[np.uint32]) -> None:
    """Sort the entries of each key, in place, by rank."""
    begin = 0
    for stop in range(1, len(keys) + 1):
        if stop == len(keys) or keys[stop] != keys[begin]:
            if stop - begin > 1:
                order = np.argsort(ranks[begin:stop])
                ranks[begin:stop] = ranks[begin:stop][order]
                further[begin:stop] = further[begin:stop][order]
            begin = stop


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
