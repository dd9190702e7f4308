"""What is read of a text beyond its terms: sentences, quotations, capitals, stems, names; and the orders to look them up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64
from tasks.kernels.terms import (
    BASE,
    BUCKET_BITS,
    DIGIT,
    FNV_OFFSET,
    FNV_PRIME,
    LETTER,
    NUMBER,
    NUMERAL,
    SINGLE,
    SKIPPED,
    Bytes,
    Hashes,
    Starts,
    decode,
    longest_row,
    roll,
    sort_distinct,
)

Places = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]

# what is known of a term: bits of its flags
CAPITAL, QUOTED, OPENING, COMMON = 1, 2, 4, 8
# what case a code point has: classes of the `case` table
NO_CASE, UPPER, LOWER = 0, 1, 2

_LINE = 10
_MARKS = (0x201C, 0x201D, 0x22, 0x22, 0xAB, 0xBB, 0x201E, 0x201C, 0x300C, 0x300D, 0x300E, 0x300F, 0x2018, 0x2019)
"""Quotation marks, opening and closing: “” "" «» „“ 「」 『』 ‘’."""
_ENDS = (0x2E, 0x21, 0x3F, 0x2026, 0x61F, 0x964)
"""Marks that end a sentence before white space: . ! ? … ؟ ।"""
_FULL_ENDS = (0x3002, 0xFF01, 0xFF1F)
"""Marks that always do: 。 ！ ？"""
_ABBREVIATION = 3
"""Letters of a capitalised word up to which a full stop after it ends no sentence: Mr., Sen., Nov."""
_HANDLE_BEFORE, _HANDLE_AFTER = 80, 60
"""Bytes between the dash of "— Name (@handle) May 3" and its "(@", and after it to the end of the line."""


@compiled
def point_at(data: Bytes, at: int) -> tuple[Any, Any]:
    """The code point that begins at byte `at`, and the byte after it: int64 each."""
    point, after = decode(data, np.uint64(at))
    return np.int64(point), np.int64(after)


@compiled
def is_space(point: int) -> bool:
    return point in (32, 9, 0xA0, 0x3000, 0x2009, 0x202F)


@compiled
def _closer(opening: int) -> int:
    """The mark that closes a quotation which `opening` opens, 0 for other characters."""
    for i in range(0, len(_MARKS), 2):
        if _MARKS[i] == opening:
            return _MARKS[i + 1]
    return 0


@compiled
def _closes(data: Bytes, at: int, stop: int, kind: Bytes, opening: int) -> int:
    """The byte at which a quotation ends that was opened just before `at`; -1 when the line ends first.

    A typographic one that the line does not close runs to its end, as papers do when a quotation goes on; and a closing
    ’ before a letter is an apostrophe.
    """
    wanted = _closer(opening)
    while at < stop:
        point, after = point_at(data, at)
        if point == _LINE:
            break
        closes = point == wanted or (opening == 0x201E and point == 0x201D)
        if closes and (opening != 0x2018 or after >= stop or kind[point_at(data, after)[0]] != LETTER):
            return at
        at = after
    return at if opening == 0x201C else -1


@compiled
def _signed(data: Bytes, begin: int, end: int) -> bool:
    """Does a line end like an embedded post: dash, name, (@handle), little more?"""
    for at in range(begin, end - 1):
        if data[at] == 0x28 and data[at + 1] == 0x40:  # (@
            close = at
            while close < end and data[close] != 0x29:
                close += 1
            if end - close > _HANDLE_AFTER:
                continue
            for back in range(at - 1, max(begin, at - _HANDLE_BEFORE) - 1, -1):
                if data[back] == 0x2D or (data[back] == 0xE2 and data[back + 1] == 0x80 and data[back + 2] in (0x93, 0x94)):
                    return True
    return False


@compiled
def _quote(data: Bytes, begin: int, end: int, kind: Bytes, quoted: npt.NDArray[np.bool_]) -> None:
    """Mark the quoted bytes of one line, data[begin:end]: the whole of it when it embeds a post."""
    if _signed(data, begin, end):
        quoted[: end - begin] = True
        return
    unclosed = np.zeros(2, np.bool_)  # a single mark, another one, whose end was not found: do not look again on this line
    previous = np.int64(32)
    at = begin
    while at < end:
        point, after = point_at(data, at)
        single = point == 0x2018
        if _closer(point) and not unclosed[int(single)] and not (single and kind[previous] == LETTER):
            to = _closes(data, after, end, kind, point)
            unclosed[int(single)] = to < 0
            if to >= 0:
                quoted[at - begin : to - begin] = True
                after = to if to == end else point_at(data, to)[1]
        previous, at = point, after


@compiled
def _breaks(data: Bytes, begin: int, end: int, short: bool) -> tuple[bool, bool]:
    """What stands between two terms: does it end a sentence for sure, and does it if the second term is no small letter or digit?

    Args:
        short: the first one is a short capitalised word, whose full stop ends no sentence.
    """
    marked = spaced = False
    at = begin
    while at < end:
        point, at = point_at(data, at)
        if point == _LINE or point in _FULL_ENDS:
            return True, True
        if point in _ENDS:
            marked |= not (point == 0x2E and short)
            spaced = False
        spaced |= marked and is_space(point)
        marked &= point != 0x28  # what is in brackets goes on
    return False, marked and spaced


@compiled
def marks(data: Bytes, offsets: Starts, rows: Starts, begins: Starts, ends: Starts, kind: Bytes, case: Bytes) -> tuple[Places, Bytes]:
    """Sentence and flags of every term.

    A sentence ends at a full stop, question or exclamation mark with what closes it, before white space and no small letter
    or digit, or with the line; not after a short capitalised word. A term is QUOTED between quotation marks
    of one line, and in lines that embed a post with its author's handle. OPENING: the first of its sentence.

    Args:
        data, offsets: UTF-8 of all texts as `terms.tokenise` has it; rows, begins, ends: as it gives them.
        kind: class of each code point; case: uint8[0x110000], NO_CASE, UPPER or LOWER.

    Returns:
        sentence int32[m], from 0 in every text; flags uint8[m].
    """
    sentence = np.zeros(rows[len(rows) - 1], np.int32)
    flags = np.zeros(rows[len(rows) - 1], np.uint8)
    for text in range(len(rows) - 1):
        first, stop = offsets[text], offsets[text + 1]
        quoted = np.zeros(stop - first, np.bool_)
        line = first
        for at in range(first, stop + 1):
            if at == stop or data[at] == _LINE:
                _quote(data, line, at, kind, quoted[line - first :])
                line = at + 1
        for i in range(rows[text], rows[text + 1]):
            point, _ = point_at(data, first + begins[i])
            flags[i] = (CAPITAL if case[point] == UPPER else 0) | (QUOTED if quoted[begins[i]] else 0)
            if i == rows[text]:
                flags[i] |= OPENING
                continue
            short = ends[i - 1] - begins[i - 1] <= _ABBREVIATION and (flags[i - 1] & CAPITAL) != 0
            surely, maybe = _breaks(data, first + ends[i - 1], first + begins[i], short)
            sentence[i] = sentence[i - 1]
            if surely or (maybe and case[point] != LOWER and kind[point] != DIGIT):
                sentence[i] += 1
                flags[i] |= OPENING
    return sentence, flags


@compiled
def stems(
    data: Bytes,
    offsets: Starts,
    rows: Starts,
    begins: Starts,
    ends: Starts,
    hashes: Hashes,
    kinds: Bytes,
    kind: Bytes,
    fold: npt.NDArray[np.uint32],
    size: int,
) -> npt.NDArray[np.uint32]:
    """Hash of the first `size` folded characters of each term, of two neighbours in scripts without spaces: uint32[m]."""
    out = np.empty(len(hashes), np.uint32)
    for text in range(len(rows) - 1):
        first = offsets[text]
        for i in range(rows[text], rows[text + 1]):
            if kinds[i] == SINGLE:
                value = hashes[i]
                if i + 1 < rows[text + 1] and kinds[i + 1] == SINGLE and begins[i + 1] == ends[i]:
                    value = fmix64(value * np.uint64(BASE) + hashes[i + 1])
                out[i] = np.uint32(value >> np.uint64(32))
                continue
            value = np.uint64(FNV_OFFSET)
            at, stop, seen = first + begins[i], first + ends[i], 0
            while at < stop and seen < size:
                point, at = point_at(data, at)
                if kind[point] != SKIPPED:
                    value = (value ^ np.uint64(fold[point])) * np.uint64(FNV_PRIME)
                    seen += 1
            out[i] = np.uint32(fmix64(value) >> np.uint64(32))
    return out


@compiled
def telling(kinds: Bytes, zipf: npt.NDArray[np.float64], flags: Bytes, rare_from: float, unseen: float, common: float) -> Weights:
    """How telling each term is: `rare_from` less its Zipf frequency, at least 0; numbers and single characters have fixed weights.

    Args:
        zipf: float64[m], negative where unknown, for which `unseen` stands; flags: get COMMON for words of Zipf `common` or more.
    """
    out = np.empty(len(kinds), np.float32)
    for i in range(len(kinds)):
        if kinds[i] == NUMERAL:
            out[i] = 0.5
        elif kinds[i] == NUMBER:
            out[i] = 2.0
        elif kinds[i] == SINGLE:
            out[i] = 1.0
        else:
            out[i] = max(0.0, rare_from - (unseen if zipf[i] < 0 else zipf[i]))
            if zipf[i] >= common:
                flags[i] |= COMMON
    return out


@compiled
def run_hashes(hashes: Hashes, rows: Starts, size: int) -> npt.NDArray[np.uint32]:
    """Hash of the `size` terms that begin at each term, 0 where the text ends before: uint32[m]."""
    out = np.zeros(len(hashes), np.uint32)
    found = np.empty(longest_row(rows), np.uint64)
    for text in range(len(rows) - 1):
        begin, stop = rows[text], rows[text + 1]
        if stop - begin >= size:
            for i in range(roll(hashes[begin:stop], size, found)):
                out[begin + i] = np.uint32(found[i] >> np.uint64(32)) | np.uint32(1)
    return out


@compiled
def order(values: npt.NDArray[np.uint32], rows: Starts) -> Places:
    """Places of each text's values in ascending order of value, then place: int32[m], from 0 in every text."""
    out = np.empty(len(values), np.int32)
    for text in range(len(rows) - 1):
        begin, stop = rows[text], rows[text + 1]
        packed = np.empty(stop - begin, np.uint64)
        for i in range(stop - begin):
            packed[i] = (np.uint64(values[begin + i]) << np.uint64(32)) | np.uint64(i)
        packed.sort()
        for i in range(stop - begin):
            out[begin + i] = np.int32(packed[i] & np.uint64(0xFFFFFFFF))
    return out


@compiled
def _spell(data: Bytes, begin: int, end: int, kind: Bytes, fold: npt.NDArray[np.uint32], value: np.uint64) -> np.uint64:
    """The FNV hash `value` of what was written before, gone on with data[begin:end], folded."""
    at = begin
    while at < end:
        point, at = point_at(data, at)
        if kind[point] != SKIPPED:
            value = (value ^ np.uint64(fold[point])) * np.uint64(FNV_PRIME)
    return value


@compiled
def capitalised(
    data: Bytes,
    offsets: Starts,
    rows: Starts,
    begins: Starts,
    ends: Starts,
    hashes: Hashes,
    flags: Bytes,
    kind: Bytes,
    fold: npt.NDArray[np.uint32],
    longest: int,
    article: np.uint64,
) -> tuple[Hashes, Starts]:
    """What could be names in every text: one to `longest` terms from a capitalised one on, written together and hashed as one term.

    The lowest bit tells a single term that stands by itself, within its sentence and with no other capitalised one beside
    it but the `article` (a hash): there even a common word is a name.

    Returns:
        uint64[m], ascending and distinct in every text, and int64[n + 1].
    """
    starts = np.zeros(len(rows), np.int64)
    out = np.empty((flags & CAPITAL).sum() * longest, np.uint64)
    heads = np.empty(1 << BUCKET_BITS, np.int32)
    count = 0
    for text in range(len(rows) - 1):
        begin, first, last = count, rows[text], rows[text + 1]
        for i in range(first, last):
            if not flags[i] & CAPITAL:
                continue
            lonely = i == first or not flags[i - 1] & CAPITAL or hashes[i - 1] == article
            follows = i + 1 < last and (flags[i + 1] & (CAPITAL | OPENING)) == CAPITAL
            alone = lonely and not follows and not flags[i] & OPENING
            out[count] = (hashes[i] & ~np.uint64(1)) | np.uint64(alone)
            count += 1
            value = np.uint64(FNV_OFFSET)
            for k in range(i, min(i + longest, last)):
                value = _spell(data, offsets[text] + begins[k], offsets[text] + ends[k], kind, fold, value)
                if k > i:
                    out[count] = fmix64(value) & ~np.uint64(1)
                    count += 1
        count = begin + int(sort_distinct(out[begin:count].copy(), heads, out[begin:]))
        starts[text + 1] = count
    return out[:count].copy(), starts


@compiled
def mentioned(
    mentions: Hashes, starts: Starts, texts: Starts, outlets: Starts, forms: Hashes, form_starts: Starts
) -> npt.NDArray[np.bool_]:
    """Which texts have one of the forms of an outlet's name among their mentions.

    Args:
        mentions, starts: as `capitalised` gives them.
        texts, outlets: int64[n], what to look in and for; outlet o has the forms[form_starts[o]:form_starts[o + 1]], -1 is none.
    """
    out = np.zeros(len(texts), np.bool_)
    for i in range(len(texts)):
        if outlets[i] >= 0:
            inside = mentions[starts[texts[i]] : starts[texts[i] + 1]]
            for k in range(form_starts[outlets[i]], form_starts[outlets[i] + 1]):
                at = np.searchsorted(inside, forms[k])
                out[i] |= at < len(inside) and inside[at] == forms[k]
    return out
