"""How each of many lines reads by itself: its words, and whether it is written like prose; from the UTF-8 bytes to one code a line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.terms import Bytes, Starts, decode

Classes = npt.NDArray[np.uint16]
Codes = npt.NDArray[np.int64]

# bits of the `classes` table
SPACE, UPPER, BEGINS, NUMERIC, UNSPACED, ENDS, CLOSES, INNER_CLOSES, INNER_ENDS, WIDE_ENDS, WIDE_CLOSES = (1 << bit for bit in range(11))
# how a line reads: the lower three bits of its code
LABEL, BUTTON, REMARK, LEAD, SENTENCE, PARAGRAPH, WRITTEN = range(7)
KINDS = 8
# what else is seen of a line: bits of its flags
BLANK, NUMBERED = 1, 2


@compiled
def split(data: Bytes, offsets: Starts) -> tuple[Starts, Starts, Starts]:
    """The lines of every text, which end at line feeds only: rows int64[n + 1], begins and ends int64[m]; of text i those of rows[i] to rows[i + 1]."""
    rows = np.empty(len(offsets), np.int64)
    rows[0] = 0
    for text in range(len(offsets) - 1):
        found = 1
        for at in range(offsets[text], offsets[text + 1]):
            found += data[at] == 0x0A
        rows[text + 1] = rows[text] + found
    begins, ends = np.empty(rows[-1], np.int64), np.empty(rows[-1], np.int64)
    line = 0
    for text in range(len(offsets) - 1):
        begins[line] = offsets[text]
        for at in range(offsets[text], offsets[text + 1]):
            if data[at] == 0x0A:
                ends[line] = at
                line += 1
                begins[line] = at + 1
        ends[line] = offsets[text + 1]
        line += 1
    return rows, begins, ends


@compiled
def look(
    data: Bytes, begins: Starts, ends: Starts, classes: Classes, sentence: int, paragraph: int
) -> tuple[Codes, npt.NDArray[np.int32], Bytes]:
    """What `boilerplate.lines.look_at` says of every line, which is the definition.

    Args:
        data: uint8[bytes], valid UTF-8.
        begins, ends: int64[m], line i is data[begins[i]:ends[i]].
        classes: uint16[0x110000], what each code point is.
        sentence, paragraph: words that a sentence, a paragraph of prose has at least.

    Returns:
        codes int64[m], KINDS x words + kind; code points int32[m]; flags uint8[m], BLANK and, for lines with a digit of any
        script (or a sign that stands beside one in dates), NUMBERED.
    """
    count = len(begins)
    codes, points, flags = np.empty(count, np.int64), np.empty(count, np.int32), np.zeros(count, np.uint8)
    for line in range(count):
        first, last = np.uint64(begins[line]), np.uint64(ends[line])
        spaces, inner, digits, rare = 0, 0, 0, 0
        for at in range(begins[line], ends[line]):
            byte = data[at]
            spaces += byte == 0x20
            inner += byte & 0xC0 == 0x80
            digits += (byte >= 0x30) & (byte <= 0x39)
            rare += (byte >= 0xD9) & (byte != 0xE2)  # no other code points beyond ASCII are digits or of a script without spaces
        words = spaces + 1 if last > first else 0
        if rare:
            unspaced = 0
            following = first
            while following < last:
                point, following = decode(data, following)
                unspaced += classes[point] & UNSPACED != 0
                digits += (point >= 0x80) & (classes[point] & NUMERIC != 0)
            words += unspaced // 2
        if digits:
            flags[line] |= NUMBERED
        if _is_blank(data, first, last, classes):
            flags[line] |= BLANK
        kind = _kind(data, first, last, classes, words, sentence, paragraph)
        codes[line] = words * KINDS + kind
        points[line] = ends[line] - begins[line] - inner
    return codes, points, flags


@compiled
def _kind(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes, words: int, sentence: int, paragraph: int) -> int:
    if _ends_sentence(data, first, last, classes):
        return SENTENCE if words >= sentence else REMARK if words >= 3 else BUTTON
    if words >= paragraph and _ends_inside(data, first, last, classes):
        return PARAGRAPH
    if words >= sentence and _leads_over(data, first, last, classes):
        return LEAD
    return WRITTEN if words >= 2 * paragraph and _looks_written(data, first, last, classes) else LABEL


@compiled
def _is_blank(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes) -> bool:
    at = first
    while at < last:
        point, at = decode(data, at)
        if not classes[point] & SPACE:
            return False
    return True


@compiled
def _without(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes, what: int) -> np.uint64:
    """Where the line ends without the signs of this class at its end."""
    while last > first:
        at = last - np.uint64(1)
        while at > first and data[at] & 0xC0 == 0x80:
            at -= np.uint64(1)
        if not classes[decode(data, at)[0]] & what:
            break
        last = at
    return last


@compiled
def _last(data: Bytes, first: np.uint64, last: np.uint64) -> np.uint32:
    """The last code point."""
    at = last - np.uint64(1)
    while at > first and data[at] & 0xC0 == 0x80:
        at -= np.uint64(1)
    return decode(data, at)[0]


@compiled
def _ends_sentence(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes) -> bool:
    last = _without(data, first, last, classes, CLOSES)
    if last == first or not classes[_last(data, first, last)] & ENDS:
        return False
    return not (last - first > np.uint64(1) and data[last - np.uint64(1)] == 0x2E and data[last - np.uint64(2)] == 0x2E)


@compiled
def _leads_over(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes) -> bool:
    last = _without(data, first, last, classes, SPACE)
    return bool(last > first) and _last(data, first, last) in (0x3A, 0xFF1A)


@compiled
def _ends_inside(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes) -> bool:
    """A sentence ends in the line, and another begins: INNER_END as a machine of five states and one for scripts without spaces."""
    state, wide = 0, False  # 1: behind an end; 2, 3: behind one or two closing signs; 4: behind spaces
    at = first
    while at < last:
        point, at = decode(data, at)
        what = classes[point]
        if (wide and not what & (SPACE | WIDE_CLOSES)) or (state == 4 and what & BEGINS):
            return True
        wide = what & WIDE_ENDS != 0
        if what & INNER_ENDS:
            state = 1
        elif state and point == 0x20:
            state = 4
        elif 0 < state < 3 and what & INNER_CLOSES:
            state += 1
        else:
            state = 0
    return False


@compiled
def _looks_written(data: Bytes, first: np.uint64, last: np.uint64, classes: Classes) -> bool:
    words, upper, inside = 0, 0, False
    at = first
    while at < last:
        point, at = decode(data, at)
        space = classes[point] & SPACE != 0
        if not inside and not space:
            words += 1
            upper += classes[point] & UPPER != 0
        inside = not space
    return bool(2 * upper < words)
