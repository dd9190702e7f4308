"""Figures of a text as plain decimal numbers, however they are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64
from tasks.kernels.reading import Places, Weights, is_space, point_at
from tasks.kernels.terms import DIGIT, FNV_OFFSET, FNV_PRIME, Bytes, Hashes, Starts

_FIGURE_DIGITS = 40
_CURRENCIES = (0x24, 0xA3, 0xA5, 0x20AC, 0x20B9)
_NINETEEN, _TWENTY = 0x31 * 100 + 0x39, 0x32 * 100 + 0x30


@compiled
def _figure(data: Bytes, at: int, stop: int, kind: Bytes, fold: npt.NDArray[np.uint32], written: Bytes) -> tuple[Any, Any, Any, Any]:
    """The figure that begins with the digit at byte `at`.

    Args:
        written: gets its digits and points, without the points that part thousands and the zeros that end a fraction.

    Returns:
        the byte after it, characters written, digits, separators.
    """
    length = digits = separators = group = 0
    thousands = True  # so far every group after the first has three digits
    while at < stop:
        point, after = point_at(data, at)
        if kind[point] == DIGIT:
            digits += 1
            group += 1
        elif point in (0x2E, 0x2C) and after < stop and kind[point_at(data, after)[0]] == DIGIT:
            thousands &= group == 3 or (separators == 0 and group < 3)
            separators += 1
            group = 0
        else:
            break
        if length < len(written):
            written[length] = fold[point] if kind[point] == DIGIT else 0x2E
            length += 1
        at = after
    if separators and thousands and group == 3:
        kept = 0
        for i in range(length):
            if written[i] != 0x2E:
                written[kept] = written[i]
                kept += 1
        length = kept
    elif separators == 1:
        while length and written[length - 1] == 0x30:
            length -= 1
        length -= length > 0 and written[length - 1] == 0x2E
    return at, length, digits, separators


@compiled
def _percent(data: Bytes, at: int, stop: int) -> bool:
    """Does a per cent sign stand at byte `at`, or after one space there?"""
    if at < stop:
        point, after = point_at(data, at)
        if is_space(point) and after < stop:
            point, _ = point_at(data, after)
        return bool(point == 0x25)
    return False


@compiled
def figures(
    data: Bytes, offsets: Starts, rows: Starts, begins: Starts, kind: Bytes, fold: npt.NDArray[np.uint32]
) -> tuple[Hashes, Weights, Places, Starts]:
    """The figures of every text as plain decimal numbers: 1,200 and 1.200 and 1200 are one, and 3.50 is 3.5.

    A weight says how telling one is: .25 for years and single digits, .5 for two digits, else 1; at least .75 with a
    currency sign before it or a per cent sign after it.

    Returns:
        key uint64[f], weight float32[f], place int32[f] (the term it begins in, from 0 in every text), starts int64[n + 1].
    """
    room = 0
    for i in range(offsets[0], offsets[len(offsets) - 1]):
        room += 0x30 <= data[i] <= 0x39 or data[i] >= 0xC0  # a digit of any script begins there at most
    key, weight, place = np.empty(room, np.uint64), np.empty(room, np.float32), np.empty(room, np.int32)
    starts = np.zeros(len(offsets), np.int64)
    written = np.empty(_FIGURE_DIGITS, np.uint8)
    count = 0
    for text in range(len(offsets) - 1):
        at, stop = offsets[text], offsets[text + 1]
        term, last = rows[text], rows[text + 1]
        sign = False
        while at < stop:
            point, after = point_at(data, at)
            if kind[point] != DIGIT:
                sign = point in _CURRENCIES or (sign and is_space(point))
                at = after
                continue
            while term + 1 < last and offsets[text] + begins[term + 1] <= at:
                term += 1
            at, length, digits, separators = _figure(data, at, stop, kind, fold, written)
            year = separators == 0 and digits == 4 and written[0] * 100 + written[1] in (_NINETEEN, _TWENTY)
            worth = 0.25 if digits < 2 or year else 0.5 if digits < 3 else 1.0
            percent = _percent(data, at, stop)
            value = np.uint64(FNV_OFFSET)
            for i in range(length):
                value = (value ^ np.uint64(written[i])) * np.uint64(FNV_PRIME)
            key[count], weight[count], place[count] = fmix64(value), max(worth, 0.75 * (sign or percent)), term - rows[text]
            count += 1
            sign = False
        starts[text + 1] = count
    return key[:count].copy(), weight[:count].copy(), place[:count].copy(), starts
