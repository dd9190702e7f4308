"""Terms and shingles: from the UTF-8 bytes of many texts to 64-bit hashes.

A *term* is a run of letters, marks and digits, case-folded, or one single character of a script that writes no spaces.
Its hash is FNV-1a (64 bits, Fowler, Noll, Vo) over the folded code points, finished by fmix64. A *shingle* is k
consecutive terms; its hash is the polynomial sum of their hashes in the base BASE modulo 2^64, finished by fmix64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64

Hashes = npt.NDArray[np.uint64]
Starts = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# what a code point is: classes of the `kind` table
BREAK, LETTER, DIGIT, CHARACTER, SKIPPED = 0, 1, 2, 3, 4
# what a term is
WORD, NUMBER, NUMERAL, SINGLE = 0, 1, 2, 3

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
BASE = 0x9E3779B97F4A7C15


@compiled
def tokenise(  # noqa: C901, PLR0912, PLR0915 -- one pass over the bytes; numba inlines no branches out of it
    data: Bytes, offsets: Starts, kind: Bytes, fold: npt.NDArray[np.uint32]
) -> tuple[Hashes, Bytes, Starts, Starts, Starts]:
    """The terms of every text.

    Args:
        data: uint8[bytes], valid UTF-8 of all texts.
        offsets: int64[n + 1], text i is data[offsets[i]:offsets[i + 1]].
        kind: uint8[0x110000], class of each code point (BREAK, LETTER, DIGIT, CHARACTER, SKIPPED).
        fold: uint32[0x110000], the code point each one is compared as.

    Returns:
        hashes uint64[m], kinds uint8[m] (WORD; NUMBER has three digits or more and is no year; NUMERAL is another
        number; SINGLE is one character of a script without spaces), the byte each term begins and ends at within
        its text (int64[m] each), and int64[n + 1]: the terms of text i are [rows[i], rows[i + 1]).
    """
    texts = len(offsets) - 1
    room = (offsets[texts] - offsets[0]) // 2 + texts + 1
    hashes = np.empty(room, np.uint64)
    kinds = np.empty(room, np.uint8)
    begins = np.empty(room, np.int64)
    ends = np.empty(room, np.int64)
    rows = np.empty(texts + 1, np.int64)
    rows[0] = 0
    count = 0
    prime = np.uint64(FNV_PRIME)
    for text in range(texts):
        first, stop = offsets[text], offsets[text + 1]
        at = first
        running = False
        value = np.uint64(FNV_OFFSET)
        begin = at
        letters = digits = 0
        number = np.int64(0)
        while at <= stop:
            here = at
            if at < stop:
                byte = np.uint32(data[at])
                if byte < 0x80:
                    point = byte
                    at += 1
                elif byte < 0xE0:
                    point = ((byte & np.uint32(0x1F)) << np.uint32(6)) | (np.uint32(data[at + 1]) & np.uint32(0x3F))
                    at += 2
                elif byte < 0xF0:
                    point = (
                        ((byte & np.uint32(0x0F)) << np.uint32(12))
                        | ((np.uint32(data[at + 1]) & np.uint32(0x3F)) << np.uint32(6))
                        | (np.uint32(data[at + 2]) & np.uint32(0x3F))
                    )
                    at += 3
                else:
                    point = (
                        ((byte & np.uint32(0x07)) << np.uint32(18))
                        | ((np.uint32(data[at + 1]) & np.uint32(0x3F)) << np.uint32(12))
                        | ((np.uint32(data[at + 2]) & np.uint32(0x3F)) << np.uint32(6))
                        | (np.uint32(data[at + 3]) & np.uint32(0x3F))
                    )
                    at += 4
                what = kind[point]
            else:
                point = np.uint32(0)
                what = np.uint8(BREAK)
                at += 1
            if what == SKIPPED:
                continue
            if what in (LETTER, DIGIT):
                if not running:
                    running = True
                    value = np.uint64(FNV_OFFSET)
                    begin = here
                    letters = digits = 0
                    number = np.int64(0)
                folded = fold[point]
                value = (value ^ np.uint64(folded)) * prime
                if what == DIGIT:
                    digits += 1
                    if digits < 9:
                        number = number * 10 + np.int64(folded) - 48
                else:
                    letters += 1
                continue
            if running:
                running = False
                hashes[count] = fmix64(value)
                begins[count] = begin - first
                ends[count] = here - first
                if digits == 0:
                    kinds[count] = WORD
                elif digits < 3 or (letters == 0 and digits == 4 and 1900 <= number < 2100):
                    kinds[count] = NUMERAL
                else:
                    kinds[count] = NUMBER
                count += 1
            if what == CHARACTER:
                hashes[count] = fmix64((np.uint64(FNV_OFFSET) ^ np.uint64(fold[point])) * prime)
                kinds[count] = SINGLE
                begins[count] = here - first
                ends[count] = at - first
                count += 1
        rows[text + 1] = count
    return hashes[:count].copy(), kinds[:count].copy(), begins[:count].copy(), ends[:count].copy(), rows


@compiled
def polynomial(hashes: Hashes, begin: int, stop: int) -> np.uint64:
    """Hash of the sequence hashes[begin:stop]."""
    value = np.uint64(0)
    for i in range(begin, stop):
        value = value * np.uint64(BASE) + hashes[i]
    return fmix64(value)


@compiled
def runs(hashes: Hashes, size: int) -> Hashes:
    """Hashes of all runs of `size` consecutive terms of one text, in order: uint64[max(0, len - size + 1)]."""
    count = max(0, len(hashes) - size + 1)
    out = np.empty(count, np.uint64)
    for i in range(count):
        out[i] = polynomial(hashes, i, i + size)
    return out


@compiled
def shingle(hashes: Hashes, rows: Starts, size: int) -> tuple[Hashes, Starts]:
    """Sorted distinct shingle hashes of every text; a text of fewer terms than `size` is one shingle of all of them.

    Returns:
        uint64[m], and int64[n + 1] where those of text i are [starts[i], starts[i + 1]).
    """
    texts = len(rows) - 1
    out = np.empty(len(hashes) + 1, np.uint64)
    starts = np.empty(texts + 1, np.int64)
    starts[0] = 0
    count = 0
    for text in range(texts):
        begin, stop = rows[text], rows[text + 1]
        if stop > begin:
            here = max(1, stop - begin - size + 1)
            found = np.empty(here, np.uint64)
            for i in range(here):
                found[i] = polynomial(hashes, begin + i, min(begin + i + size, stop))
            count = _append_distinct(found, out, count)
        starts[text + 1] = count
    return out[:count].copy(), starts


@compiled
def _append_distinct(found: Hashes, out: Hashes, count: int) -> int:
    found.sort()
    for i in range(len(found)):
        if i == 0 or found[i] != found[i - 1]:
            out[count] = found[i]
            count += 1
    return count


@compiled
def rare(
    hashes: Hashes, kinds: Bytes, rows: Starts, table: Hashes, cut: float, unseen: float, number: float
) -> tuple[Hashes, npt.NDArray[np.float32], Starts]:
    """Sorted distinct rare terms of every text with their weights.

    A word weighs max(0, cut - its Zipf frequency), an unseen one `unseen`; a NUMBER weighs `number`, a NUMERAL nothing;
    of scripts without spaces, three characters in a row are a term that weighs `number`.

    Args:
        table: Zipf frequencies as `slots` makes it.

    Returns:
        terms uint64[m], weights float32[m], starts int64[n + 1].
    """
    texts = len(rows) - 1
    terms = np.empty(len(hashes) + 1, np.uint64)
    weights = np.empty(len(hashes) + 1, np.float32)
    starts = np.empty(texts + 1, np.int64)
    starts[0] = 0
    count = 0
    for text in range(texts):
        begin, stop = rows[text], rows[text + 1]
        found = np.empty(stop - begin, np.uint64)
        size = 0
        for i in range(begin, stop):  # the lowest bit tells the terms of fixed weight from the words
            if kinds[i] == WORD:
                found[size] = hashes[i] & ~np.uint64(1)
                size += 1
            elif kinds[i] == NUMBER:
                found[size] = hashes[i] | np.uint64(1)
                size += 1
            elif kinds[i] == SINGLE and i + 2 < stop and kinds[i + 1] == SINGLE and kinds[i + 2] == SINGLE:
                found[size] = polynomial(hashes, i, i + 3) | np.uint64(1)
                size += 1
        found[:size].sort()
        for i in range(size):
            if i and found[i] == found[i - 1]:
                continue
            weight = number
            if not found[i] & np.uint64(1):
                frequency = lookup(found[i], table)
                weight = unseen if frequency < 0 else cut - frequency
            if weight > 0:
                terms[count] = found[i]
                weights[count] = weight
                count += 1
        starts[text + 1] = count
    return terms[:count].copy(), weights[:count].copy(), starts


@compiled
def lookup(term: np.uint64, table: Hashes) -> float:
    """Zipf frequency of one term in a table of `slots`, -1 when the table has not seen it."""
    mask = np.uint64(len(table) - 1)
    wanted = term >> np.uint64(8)
    at = wanted & mask
    while table[at] != 0:
        if table[at] >> np.uint64(8) == wanted:
            return float(table[at] & np.uint64(255)) / 25.0
        at = (at + np.uint64(1)) & mask
    return -1.0


@compiled
def frequencies(terms: Hashes, table: Hashes) -> npt.NDArray[np.float64]:
    """Zipf frequency of each term, -1 where unseen: float64[len(terms)]."""
    out = np.empty(len(terms), np.float64)
    for i in range(len(terms)):
        out[i] = lookup(terms[i], table)
    return out


@compiled
def slots(terms: Hashes, zipf: npt.NDArray[np.float64], size: int) -> Hashes:
    """Table for `lookup`: open addressing, linear probing, one word a slot; of equal terms the largest frequency stays.

    A slot holds the upper 56 bits of the term's hash above its Zipf frequency in steps of 1/25 (0 to 10.2); 0 is free.

    Args:
        terms: uint64[n]; zipf: float64[n]; size: slots, a power of two larger than n.

    Returns:
        uint64[size]
    """
    table = np.zeros(size, np.uint64)
    mask = np.uint64(size - 1)
    for i in range(len(terms)):
        wanted = terms[i] >> np.uint64(8)
        step = np.uint64(min(255, max(1, int(zipf[i] * 25.0 + 0.5))))
        at = wanted & mask
        while table[at] != 0 and table[at] >> np.uint64(8) != wanted:
            at = (at + np.uint64(1)) & mask
        if table[at] == 0 or (table[at] & np.uint64(255)) < step:
            table[at] = (wanted << np.uint64(8)) | step
    return table
