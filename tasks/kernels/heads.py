"""Which of many lines may be one of thousands of phrases, or begin with one: told by their signs, folded one by one.

The phrases are kept as a Bloom filter of two hashes (Bloom 1970): a phrase is never missed, and one line in a thousand is asked in vain.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64
from tasks.kernels.terms import FNV_OFFSET, FNV_PRIME, Bytes, Starts, decode

Signs = npt.NDArray[np.uint32]

# bits of a line, and of a place of the filter: a phrase with which lines begin, a phrase that is the whole of a line;
# and, of a place alone, the first REACH signs of a longer phrase
BEGINS, WHOLE, GOES_ON = 1, 2, 4
REACH = 12
"""Signs of a line that are looked at, and all of it if some phrase begins so."""
# bits of the `edges` table: signs that are taken off both ends first, and then again from the rest
OUTER, INNER = 1, 2
ODD = 0
"""In the `fold` table: a sign that does not fold to one sign; a line with one among those looked at is always asked."""
SPACE, NUMBER = 0x20, 0x23
"""Runs of spaces fold to one, and numbers to "#"."""
PLACES = 1 << 20


@compiled
def mark(data: Bytes, offsets: Starts, bit: int, filtered: Bytes) -> None:
    """Put phrases, folded, into the filter, uint8[PLACES]."""
    for phrase in range(len(offsets) - 1):
        at, stop = np.uint64(offsets[phrase]), np.uint64(offsets[phrase + 1])
        value, seen = np.uint64(FNV_OFFSET), 0
        while at < stop:
            point, at = decode(data, at)
            value = (value ^ np.uint64(point)) * np.uint64(FNV_PRIME)
            seen += 1
            if seen == REACH and at < stop:
                _put(filtered, value, np.uint8(GOES_ON))
        _put(filtered, value, np.uint8(bit))


@compiled
def ask(data: Bytes, begins: Starts, ends: Starts, fold: Signs, edges: Bytes, filtered: Bytes) -> Bytes:
    """For every line, BEGINS if it may begin with a phrase that is in the filter as such, WHOLE if it may be one.

    Args:
        data: uint8[bytes], valid UTF-8 of all lines.
        begins, ends: int64[n], line i is data[begins[i]:ends[i]]. The ends are written: what folding takes off a line's end is left out.
        fold: uint32[0x110000], what each code point folds to: a code point, NUMBER for digits, or ODD.
        edges: uint8[0x110000], OUTER, INNER, both or 0.
        filtered: uint8[PLACES], as `mark` wrote it.

    Returns:
        uint8[n].
    """
    found = np.zeros(len(begins), np.uint8)
    for line in range(len(found)):
        first, last = np.uint64(begins[line]), np.uint64(ends[line])
        for side in (OUTER, INNER):
            first = _after(data, first, last, edges, side)
        last = _before(data, first, last, edges, OUTER)
        ends[line] = last
        whole = _before(data, first, last, edges, INNER)  # where the line ends as a whole phrase
        value, seen, at = np.uint64(FNV_OFFSET), 0, first
        bits = np.uint8(0)
        while at < last:
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
            here = _get(filtered, value)
            bits |= here & np.uint8(BEGINS)
            if at == whole:
                bits |= here & np.uint8(WHOLE)
            if seen == REACH and not here & np.uint8(GOES_ON):
                break
        found[line] = bits
    return found


@compiled
def _put(filtered: Bytes, value: np.uint64, bit: np.uint8) -> None:
    spread = fmix64(value)
    filtered[spread % np.uint64(PLACES)] |= bit
    filtered[(spread >> np.uint64(32)) % np.uint64(PLACES)] |= bit


@compiled
def _get(filtered: Bytes, value: np.uint64) -> np.uint8:
    spread = fmix64(value)
    return np.uint8(filtered[spread % np.uint64(PLACES)] & filtered[(spread >> np.uint64(32)) % np.uint64(PLACES)])


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
