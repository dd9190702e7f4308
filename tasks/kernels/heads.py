"""Which of many lines may be one of thousands of phrases, or begin with one: told by their first signs, folded one by one.

The phrases are kept as a Bloom filter of one hash (Bloom 1970): a phrase is never missed, and a few lines in a hundred are asked in vain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64
from tasks.kernels.terms import FNV_OFFSET, FNV_PRIME, Bytes, Starts, decode

Signs = npt.NDArray[np.uint32]

# bits of a line, and of a place of the filter: a phrase with which lines begin, a phrase that is the whole of a line
BEGINS, WHOLE = 1, 2
# bits of the `edges` table: signs that are taken off both ends first, and then again from the rest
OUTER, INNER = 1, 2
ODD = 0
"""In the `fold` table: a sign that does not fold to one sign; a line with one among its first is always asked."""
SPACE, NUMBER = 0x20, 0x23
"""Runs of spaces fold to one, and numbers to "#"."""
PLACES = 1 << 20


@compiled
def mark(data: Bytes, offsets: Starts, bit: int, filtered: Bytes) -> None:
    """Put phrases, folded and no longer than what is looked at, into the filter, uint8[PLACES]."""
    for phrase in range(len(offsets) - 1):
        at, stop = np.uint64(offsets[phrase]), np.uint64(offsets[phrase + 1])
        value = np.uint64(FNV_OFFSET)
        while at < stop:
            point, at = decode(data, at)
            value = (value ^ np.uint64(point)) * np.uint64(FNV_PRIME)
        filtered[_place(value)] |= np.uint8(bit)


@compiled
def ask(data: Bytes, offsets: Starts, fold: Signs, edges: Bytes, filtered: Bytes, sizes: npt.NDArray[np.bool_]) -> Bytes:
    """For every line, BEGINS if it may begin with a phrase that is in the filter as such, WHOLE if it may be one.

    Args:
        data: uint8[bytes], valid UTF-8 of all lines.
        offsets: int64[n + 1], line i is data[offsets[i]:offsets[i + 1]].
        fold: uint32[0x110000], what each code point folds to: a code point, NUMBER for digits, or ODD.
        edges: uint8[0x110000], OUTER, INNER, both or 0.
        filtered: uint8[PLACES], as `mark` wrote it.
        sizes: bool[most + 1], the numbers of folded signs that phrases have; of those with `most` any more may follow.

    Returns:
        uint8[n].
    """
    found = np.zeros(len(offsets) - 1, np.uint8)
    most = len(sizes) - 1
    for line in range(len(found)):
        first, last = np.uint64(offsets[line]), np.uint64(offsets[line + 1])
        for side in (OUTER, INNER):
            first = _after(data, first, last, edges, side)
        last = _before(data, first, last, edges, OUTER)
        whole = _before(data, first, last, edges, INNER)  # where the line ends as a whole phrase
        value, seen, at = np.uint64(FNV_OFFSET), 0, first
        bits = np.uint8(0)
        while at < last and seen < most:
            point, at = decode(data, at)
            sign = fold[point]
            if sign == ODD:
                bits = np.uint8(BEGINS | WHOLE)
                break
            if sign == NUMBER and point != NUMBER:
                at = after_number(data, at, last, fold)
            elif sign == SPACE:
                while at < last and fold[decode(data, at)[0]] == SPACE:
                    at = decode(data, at)[1]
            value = (value ^ np.uint64(sign)) * np.uint64(FNV_PRIME)
            seen += 1
            if sizes[seen]:
                bits |= filtered[_place(value)] & np.uint8(BEGINS)
            if at == whole or seen == most:
                bits |= filtered[_place(value)] & np.uint8(WHOLE)
        found[line] = bits
    return found


@compiled
def _place(value: np.uint64) -> np.uint64:
    return fmix64(value) & np.uint64(PLACES - 1)


@compiled
def _after(data: Bytes, at: np.uint64, last: np.uint64, edges: Bytes, side: int) -> np.uint64:
    """Behind the signs of this kind at the beginning of the line."""
    while at < last:
        point, following = decode(data, at)
        if not edges[point] & side:
            break
        at = following
    return at


@compiled
def _before(data: Bytes, first: np.uint64, last: np.uint64, edges: Bytes, side: int) -> np.uint64:
    """Before the signs of this kind at the end of the line."""
    while last > first:
        at = last - np.uint64(1)
        while at > first and data[at] & 0xC0 == 0x80:
            at -= np.uint64(1)
        if not edges[decode(data, at)[0]] & side:
            break
        last = at
    return last


@compiled
def after_number(data: Bytes, at: np.uint64, last: np.uint64, fold: Signs) -> np.uint64:
    """Behind the rest of a number: digits, and one of the signs . , : ' wherever digits follow it."""
    while at < last:
        point, following = decode(data, at)
        sign = fold[point]
        if sign in (0x2E, 0x2C, 0x3A, 0x27):
            if following == last:
                break
            point, following = decode(data, following)
            sign = fold[point]
        if sign != NUMBER or point == NUMBER:
            break
        at = following
    return at
