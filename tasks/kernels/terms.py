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

# scripts whose letters look like those of another: their first and last code points; of Latin the letters of ASCII count
LATIN, GREEK, CYRILLIC = 0, 1, 2
GREEK_FIRST, CYRILLIC_FIRST, CYRILLIC_LAST = 0x370, 0x400, 0x52F
MASKED = 3
"""So many words of letters of two scripts show that a text is written so on purpose; then words all of lookalikes are read as well."""

FNV_OFFSET = 0xCBF29CE484222325
FNV_PRIME = 0x100000001B3
BASE = 0x9E3779B97F4A7C15

SEEN_BITS = 11
"""The memory for terms seen before has 2^11 places, 16 KB: most stories have fewer distinct terms, and it fits the L1 cache."""

BUCKET_BITS = 16
CROWDED = 64
"""Bucket sort: at most 2^16 buckets; when one of them holds more values than CROWDED, insertion sort would be slow."""


@compiled
def tokenise(
    data: Bytes, offsets: Starts, kind: Bytes, fold: npt.NDArray[np.uint32], alike: npt.NDArray[np.uint32]
) -> tuple[Hashes, Bytes, Starts, Starts, Starts, npt.NDArray[np.bool_]]:
    """The terms of every text.

    Args:
        data: uint8[bytes], valid UTF-8 of all texts.
        offsets: int64[n + 1], text i is data[offsets[i]:offsets[i + 1]].
        kind: uint8[0x110000], class of each code point (BREAK, LETTER, DIGIT, CHARACTER, SKIPPED); ASCII has only the first three.
        fold: uint32[0x110000], the code point each one is compared as.
        alike: uint32[3, CYRILLIC_LAST + 1], for each script (LATIN, GREEK, CYRILLIC) the letter of it that a letter of another
            looks like, 0 where none is.

    Returns:
        hashes uint64[m], kinds uint8[m] (WORD; NUMBER has three digits or more and is no year; NUMERAL is another
        number; SINGLE is one character of a script without spaces), the byte each term begins and ends at within
        its text (int64[m] each), int64[n + 1]: the terms of text i are [rows[i], rows[i + 1]), and bool[n]: the text is disguised, in
        letters of another script or in characters without width.
    """
    texts = len(offsets) - 1
    room = (offsets[texts] - offsets[0]) // 2 + texts + 1
    hashes = np.empty(room, np.uint64)
    kinds = np.empty(room, np.uint8)
    edges = np.empty(2 * room, np.int64)
    rows = np.empty(texts + 1, np.int64)
    rows[0] = 0
    disguised = np.zeros(texts, np.bool_)
    count = np.int64(0)
    for text in range(texts):
        story = data[offsets[text] : offsets[text + 1]]
        found, mixed, skipped = _cut(story, kind, fold, hashes[count:], kinds[count:], edges[2 * count :])
        disguised[text] = skipped > 2 * found
        if mixed:
            masked = _unmask(story, edges[2 * count : 2 * (count + found)], kind, fold, alike, hashes[count:])
            disguised[text] |= masked >= MASKED
        for i in range(count, count + found):
            hashes[i] = fmix64(hashes[i])
        for i in range(count, count + found):
            if kinds[i] == NUMBER:
                kinds[i] = _number_or_numeral(story, edges[2 * i], edges[2 * i + 1], kind, fold)
        count += found
        rows[text + 1] = count
    return hashes[:count].copy(), kinds[:count].copy(), edges[: 2 * count : 2].copy(), edges[1 : 2 * count : 2].copy(), rows, disguised


@compiled
def _cut(
    text: Bytes, kind: Bytes, fold: npt.NDArray[np.uint32], hashes: Hashes, kinds: Bytes, edges: Starts
) -> tuple[np.int64, np.bool_, np.int64]:
    """Writes the terms of one text to the arrays and gives their count; hashes lack fmix64, terms with a digit are NUMBER.

    And how many characters without width there are. True: words may have letters of two scripts, as a Greek or Cyrillic one stands beside one of ASCII, or characters without width do.

    Where words end cannot be predicted, and a branch guessed wrong costs more than hashing a word. So every character writes
    what would be true if a term began or ended at it, and what is written counts only when `edge` moves on.

    Args:
        edges: int64[2 * count], where each term begins and ends, by turns.
    """
    offset, prime, one = np.uint64(FNV_OFFSET), np.uint64(FNV_PRIME), np.uint64(1)
    kinds[: len(text) // 2 + 1] = WORD
    # places are unsigned: signed ones are asked at each use whether they are negative
    at, stop = np.uint64(0), np.uint64(len(text))
    edge = np.uint64(0)  # even outside words, odd in them
    value = offset  # of the word so far
    foreign = beside = False
    skipped = 0
    while at < stop:
        here = at
        if text[at] < 0x80:
            point = np.uint32(text[at])
            at += one
            what = kind[point]
        else:
            point, at = decode(text, at)
            what = kind[point]
            if GREEK_FIRST <= point <= CYRILLIC_LAST:
                foreign = True
                if (here > 0 and _is_ascii_letter(text[here - one])) or (at < stop and _is_ascii_letter(text[at])):
                    beside = True
            if what == SKIPPED:
                skipped += 1
                continue
            if what == CHARACTER:
                hashes[edge >> one] = value
                edges[edge] = here
                edge += edge & one
                hashes[edge >> one] = (offset ^ np.uint64(fold[point])) * prime
                kinds[edge >> one] = SINGLE
                edges[edge] = here
                edges[edge + one] = at
                edge += np.uint64(2)
                value = offset
                continue
        if what == DIGIT:
            kinds[edge >> one] = NUMBER
        hashes[edge >> one] = value
        edges[edge] = here
        word = np.uint64(what != BREAK)
        edge += word ^ (edge & one)
        value = (value ^ np.uint64(fold[point])) * (prime & (np.uint64(0) - word)) + (offset & (word - one))  # a break: the offset
    hashes[edge >> one] = value
    edges[edge] = stop
    return np.int64((edge + one) >> one), np.bool_(beside or (foreign and skipped > 0)), np.int64(skipped)


@compiled
def _is_ascii_letter(byte: np.uint8) -> np.bool_:
    return np.bool_(np.uint8((byte | np.uint8(0x20)) - np.uint8(97)) < 26)


@compiled
def script_of(point: np.int64) -> int:
    """LATIN, GREEK or CYRILLIC for the letters that may look like those of another script, else -1."""
    if point < 0x80:
        return LATIN if 97 <= (point | 0x20) <= 122 else -1
    if point < GREEK_FIRST or point > CYRILLIC_LAST:
        return -1
    return GREEK if point < CYRILLIC_FIRST else CYRILLIC


@compiled
def _unmask(text: Bytes, edges: Starts, kind: Bytes, fold: npt.NDArray[np.uint32], alike: npt.NDArray[np.uint32], hashes: Hashes) -> int:
    """Hashes words of two scripts as if all their letters were of the script that most of the text is in, where they look so.

    How many words are of two scripts. A copy whose letters are replaced by such that look the same (Unicode Technical Standard 39, confusables) has the terms of the original.
    """
    counts = np.zeros(3, np.int64)
    for term in range(len(edges) // 2):
        at, stop = np.uint64(edges[2 * term]), np.uint64(edges[2 * term + 1])
        while at < stop:
            point, at = decode(text, at)
            script = script_of(np.int64(point))
            if script >= 0:
                counts[script] += 1
    main = np.argmax(counts)
    masked = 0
    for mixed in (True, False):
        if not mixed and masked < MASKED:
            break
        for term in range(len(edges) // 2):
            value, own = _seen_as(text, edges[2 * term], edges[2 * term + 1], main, kind, fold, alike)
            if value and own == mixed:
                hashes[term] = value
                masked += mixed
    return masked


@compiled
def _seen_as(
    text: Bytes, begin: int, end: int, main: np.signedinteger, kind: Bytes, fold: npt.NDArray[np.uint32], alike: npt.NDArray[np.uint32]
) -> tuple[np.uint64, bool]:
    """The hash of a word as if it were of the script `main`, 0 where it is or cannot be; and whether some of its letters are."""
    own = other = False
    at, stop = np.uint64(begin), np.uint64(end)
    value = np.uint64(FNV_OFFSET)
    while at < stop:
        point, at = decode(text, at)
        if kind[point] == SKIPPED:
            continue
        script = script_of(np.int64(point))
        letter = fold[point]
        if script == main:
            own = True
        elif script >= 0:
            other = True
            letter = alike[main, point]
            if letter == 0:
                return np.uint64(0), own
        value = (value ^ np.uint64(letter)) * np.uint64(FNV_PRIME)
    return value if other else np.uint64(0), own


@compiled
def decode(text: Bytes, at: np.uint64) -> tuple[np.uint32, np.uint64]:
    """The code point at a byte of valid UTF-8, and where the next one begins."""
    six, low = np.uint32(6), np.uint32(0x3F)
    byte = np.uint32(text[at])
    if byte < 0x80:
        return byte, at + np.uint64(1)
    second = np.uint32(text[at + np.uint64(1)]) & low
    if byte < 0xE0:
        return np.uint32((byte & np.uint32(0x1F)) << six | second), at + np.uint64(2)
    third = np.uint32(text[at + np.uint64(2)]) & low
    if byte < 0xF0:
        return np.uint32(((byte & np.uint32(0x0F)) << six | second) << six | third), at + np.uint64(3)
    fourth = np.uint32(text[at + np.uint64(3)]) & low
    return np.uint32((((byte & np.uint32(0x07)) << six | second) << six | third) << six | fourth), at + np.uint64(4)


@compiled
def _number_or_numeral(text: Bytes, begin: int, end: int, kind: Bytes, fold: npt.NDArray[np.uint32]) -> int:
    """NUMBER or NUMERAL: which of them the term with a digit at text[begin:end] is."""
    if end - begin < 3:
        return NUMERAL
    letters = digits = 0
    number = np.int64(0)
    at, stop = np.uint64(begin), np.uint64(end)
    while at < stop:
        point, at = decode(text, at)
        if kind[point] == LETTER:
            letters += 1
        elif kind[point] == DIGIT:
            digits += 1
            if digits <= 4:
                number = number * 10 + np.int64(fold[point]) - 48
    if digits < 3 or (letters == 0 and digits == 4 and 1900 <= number < 2100):
        return NUMERAL
    return NUMBER


@compiled
def roll(hashes: Hashes, size: int, out: Hashes) -> int:
    """Writes the hashes of all runs of `size` terms of one text to `out`; fewer terms are one run. The count of runs."""
    base = np.uint64(BASE)
    size = min(size, len(hashes))
    count = len(hashes) - size + 1
    value, power = np.uint64(0), np.uint64(1)
    for i in range(size):
        value = value * base + hashes[i]
        power *= base
    out[0] = value
    for i in range(1, count):  # Karp and Rabin 1987: one term comes in, one goes out
        value = value * base + hashes[i + size - 1] - hashes[i - 1] * power
        out[i] = value
    for i in range(count):
        out[i] = fmix64(out[i])
    return count


@compiled
def shingle(hashes: Hashes, rows: Starts, size: int) -> tuple[Hashes, Starts]:
    """Sorted distinct shingle hashes of every text; a text of fewer terms than `size` is one shingle of all of them.

    Returns:
        uint64[m], and int64[n + 1] where those of text i are [starts[i], starts[i + 1]).
    """
    texts = len(rows) - 1
    out = np.empty(len(hashes), np.uint64)
    starts = np.empty(texts + 1, np.int64)
    starts[0] = 0
    found = np.empty(longest_row(rows), np.uint64)
    heads = np.empty(1 << BUCKET_BITS, np.int32)
    count = np.int64(0)
    for text in range(texts):
        if rows[text + 1] > rows[text]:
            here = roll(hashes[rows[text] : rows[text + 1]], size, found)
            count += sort_distinct(found[:here], heads, out[count:])
        starts[text + 1] = count
    return out[:count], starts


@compiled
def longest_row(rows: Starts) -> int:
    """The most values any text has, where those of text i are [rows[i], rows[i + 1])."""
    most = 0
    for i in range(len(rows) - 1):
        most = max(most, rows[i + 1] - rows[i])
    return most


@compiled
def sort_distinct(values: Hashes, heads: npt.NDArray[np.int32], out: Hashes) -> np.int64:
    """Writes the distinct values, sorted, to `out`, which must have room for all; their count.

    Hashes are spread evenly: by their upper bits they go to about as many buckets as there are values, and insertion
    sort finishes (Isaac and Singleton 1956). A text that repeats itself fills few buckets: then sort does it.

    Args:
        heads: int32[2^BUCKET_BITS], scratch.
    """
    size = len(values)
    if size == 0:
        return np.int64(0)
    bits = 1
    while bits < BUCKET_BITS and 1 << bits < size:
        bits += 1
    shift = np.uint64(64 - bits)
    heads[: 1 << bits] = 0
    for i in range(size):
        heads[values[i] >> shift] += 1
    head = most = 0
    for bucket in range(1 << bits):
        held = heads[bucket]
        heads[bucket] = head
        head += held
        most = max(most, held)
    for i in range(size):
        bucket = values[i] >> shift
        out[heads[bucket]] = values[i]
        heads[bucket] += 1
    if most > CROWDED:
        out[:size].sort()
    else:
        _insertion_sort(out, size)
    count = np.uint64(0)
    for i in range(1, size):
        count += np.uint64(out[i] != out[count])
        out[count] = out[i]
    return np.int64(count + np.uint64(1))


@compiled
def _insertion_sort(values: Hashes, size: int) -> None:
    for i in range(1, size):
        value = values[i]
        j = i
        while j > 0 and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


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
    terms = np.empty(len(hashes), np.uint64)
    weights = np.empty(len(hashes), np.float32)
    starts = np.empty(texts + 1, np.int64)
    starts[0] = 0
    found = np.empty(longest_row(rows), np.uint64)
    slot = np.empty(longest_row(rows), np.uint64)
    seen = np.empty(1 << SEEN_BITS, np.uint64)
    heads = np.empty(1 << BUCKET_BITS, np.int32)
    count = np.int64(0)
    for text in range(texts):
        begin, stop = rows[text], rows[text + 1]
        here = _weighable(hashes[begin:stop], kinds[begin:stop], seen, found)
        for i in range(here):  # all of them before any is looked at: the table is too large for the caches, so waits overlap
            slot[i] = table[_home(found[i], table)]
        heavy = np.uint64(0)
        for i in range(here):
            found[heavy] = found[i]
            heavy += np.uint64(_weight(found[i], slot[i], table, cut, unseen, number) > 0)
        kept = count + sort_distinct(found[:heavy], heads, terms[count:])
        for i in range(count, kept):
            weights[i] = _weight(terms[i], table[_home(terms[i], table)], table, cut, unseen, number)
        count = kept
        starts[text + 1] = count
    return terms[:count].copy(), weights[:count].copy(), starts


@compiled
def _weighable(hashes: Hashes, kinds: Bytes, seen: Hashes, out: Hashes) -> np.int64:
    """Writes the terms of one text that can weigh something to `out`, most of their repetitions left out; their count.

    Their lowest bit tells the terms of fixed weight (1) from the words (0).

    Args:
        seen: uint64[2^SEEN_BITS], scratch: each place remembers the last term that belongs there.
    """
    one = np.uint64(1)
    seen[:] = 0
    seen[0] = ~np.uint64(0)  # no place begins with a term that belongs there
    count = np.uint64(0)
    for i in range(len(hashes)):
        if kinds[i] == WORD:
            term = hashes[i] & ~one
        elif kinds[i] == NUMBER:
            term = hashes[i] | one
        elif kinds[i] == SINGLE and i + 2 < len(hashes) and kinds[i + 1] == SINGLE and kinds[i + 2] == SINGLE:
            base = np.uint64(BASE)
            term = fmix64((hashes[i] * base + hashes[i + 1]) * base + hashes[i + 2]) | one
        else:
            continue
        place = term >> np.uint64(64 - SEEN_BITS)
        out[count] = term
        count += np.uint64(seen[place] != term)
        seen[place] = term
    return np.int64(count)


@compiled
def _weight(term: np.uint64, slot: np.uint64, table: Hashes, cut: float, unseen: float, number: float) -> float:
    """Weight of a term of `_weighable`; slot as in `_search`."""
    if term & np.uint64(1):
        return number
    frequency = _search(term, slot, table)
    return unseen if frequency < 0 else cut - frequency


@compiled
def lookup(term: np.uint64, table: Hashes) -> float:
    """Zipf frequency of one term in a table of `slots`, -1 when the table has not seen it."""
    return _search(term, table[_home(term, table)], table)


@compiled
def _home(term: np.uint64, table: Hashes) -> np.uint64:
    """The place in the table where a term is looked for first."""
    return (term >> np.uint64(8)) & np.uint64(len(table) - 1)


@compiled
def _search(term: np.uint64, slot: np.uint64, table: Hashes) -> float:
    """`lookup`, when the slot at the term's home is known."""
    wanted = term >> np.uint64(8)
    at = _home(term, table)
    while slot != 0:
        if slot >> np.uint64(8) == wanted:
            return float(slot & np.uint64(255)) / 25.0
        at = (at + np.uint64(1)) & np.uint64(len(table) - 1)
        slot = table[at]
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
