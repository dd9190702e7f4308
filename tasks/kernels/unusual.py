"""Which lines of many texts have signs other than the usual ones: one pass over the UTF-8 bytes."""

from __future__ import annotations

import numpy as np

from tasks.kernels.compiled import compiled
from tasks.kernels.terms import Bytes, Starts, decode


@compiled
def find(data: Bytes, offsets: Starts, usual: Bytes) -> Starts:
    """The lines with an unusual sign, in order; lines end at line feeds.

    Args:
        data: uint8[bytes], valid UTF-8 of all texts.
        offsets: int64[n + 1], text i is data[offsets[i]:offsets[i + 1]].
        usual: uint8[0x110000], 1 for code points that are usual; the line feed must be.

    Returns:
        int64[m, 4]: the text's number; first byte and one past the last of the line, in `data`; code points before it in the text.
    """
    count = 16
    while True:  # a table that is too small is filled again, larger
        found = np.empty((count, 4), np.int64)
        lines = _fill(data, offsets, usual, found)
        if lines <= count:
            return found[:lines]
        count = lines


@compiled
def _fill(data: Bytes, offsets: Starts, usual: Bytes, found: Starts) -> int:
    """Writes as many of the lines as there is room for, and counts all."""
    lines = 0
    for text in range(len(offsets) - 1):
        at, stop = np.uint64(offsets[text]), np.uint64(offsets[text + 1])
        begin, points, before, odd = at, 0, 0, False
        while at < stop:
            byte = data[at]
            points += 1
            if byte == 0x0A:
                if odd:
                    _write(found, lines, text, begin, at, before)
                    lines += 1
                at += np.uint64(1)
                begin, before, odd = at, points, False
            elif byte < 0x80:
                odd |= usual[byte] == 0
                at += np.uint64(1)
            else:
                point, at = decode(data, at)
                odd |= usual[point] == 0
        if odd:
            _write(found, lines, text, begin, stop, before)
            lines += 1
    return lines


@compiled
def _write(found: Starts, line: int, text: int, begin: np.uint64, end: np.uint64, before: int) -> None:
    if line < len(found):
        found[line, 0], found[line, 1], found[line, 2], found[line, 3] = text, np.int64(begin), np.int64(end), before
