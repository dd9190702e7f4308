"""MinHash: signatures of shingle sets, samples of weighted term sets, and their LSH keys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix32, fmix64
from tasks.kernels.terms import BASE, BUCKET_BITS, Hashes, Starts, longest_row, roll, sort_distinct

Signatures = npt.NDArray[np.uint32]

LANES = 64
"""Values of 32 bits in the four widest registers that the compiler's inner loop of `signatures` fills at a time."""
_LOW_OF_4, _LOW_OF_8 = np.uint64(0x1111111111111111), np.uint64(0x0101010101010101)
_ONE, _HALF, _THIRD, _FOURTH, _FIFTH = (np.float32(1 / n) for n in range(1, 6))


@compiled
def signatures(shingles: Hashes, starts: Starts, a: Signatures, b: Signatures) -> Signatures:
    """MinHash signatures (Broder 1997) in datasketch's scheme "affine32".

    The upper 32 bits h of each shingle hash pass MurmurHash3's 32-bit finalizer once; permutation k maps the result to
    a[k] * h + b[k] modulo 2^32 (a odd, so each is a bijection), and the smallest value stands. An empty set gives
    2^32 - 1 throughout, as in datasketch.

    Args:
        shingles, starts: as `terms.shingle` gives them.
        a, b: uint32[permutations], `datasketch.MinHash(permutations, seed, scheme="affine32").permutations`.

    Returns:
        uint32[n, permutations].
    """
    texts, count = len(starts) - 1, len(a)
    out = np.empty((texts, count), np.uint32)
    mixed = np.empty(longest_row(starts) + LANES, np.uint32)
    for text in range(texts):
        size = starts[text + 1] - starts[text]
        for i in range(size):
            mixed[i] = fmix32(np.uint32(shingles[starts[text] + i] >> np.uint64(32)))
        while size % LANES:  # the first one again, which changes no minimum: nothing is left over when taken LANES at a time
            mixed[size] = mixed[0]
            size += 1
        for k in range(count):
            factor, summand = a[k], b[k]
            smallest = np.uint32(0xFFFFFFFF)
            for i in range(size):
                smallest = min(smallest, np.uint32(factor * mixed[i] + summand))
            out[text, k] = smallest
    return out


@compiled
def samples(terms: Hashes, weights: npt.NDArray[np.float32], starts: Starts, a: Signatures, b: Signatures) -> Signatures:
    """Weighted MinHash: each sample is equal in two texts with the probability of their weighted Jaccard.

    Sample k of a text is the smallest E_k(x) / w(x) over its terms x, where E_k(x) is an exponential variable that depends
    on term and sample alone (Manasse et al. 2010 and Ioffe 2010 give the general case; here a term has one weight in
    every text). The value itself stands for the term that has it. E = -ln(1 - u) by its series up to u^5: the
    smallest of many terms lies where that is exact; in texts of less than ten terms the shares are off by a per cent or so.
    Only products and sums of float32, so the same bits on every machine; no branches, so some 7 terms x samples a ns.

    Args:
        terms, weights, starts: as `terms.rare` gives them.
        a, b: uint32[count], odd factors and summands that make the upper 32 bits of a term's hash its u in each sample.

    Returns:
        uint32[n, count], the bits of the float32; zeros for a text without terms.
    """
    texts, count = len(starts) - 1, len(a)
    out = np.zeros((texts, count), np.uint32)
    smallest = np.empty(count, np.float32)
    for text in range(texts):
        if starts[text] == starts[text + 1]:
            continue
        smallest[:] = np.inf
        for i in range(starts[text], starts[text + 1]):
            h = np.uint32(terms[i] >> np.uint64(32))
            mean = np.float32(1.0) / weights[i]
            for k in range(count):
                value = np.uint32(a[k] * h + b[k])
                value = np.uint32(value ^ (value >> np.uint32(15)))
                value = np.uint32(value * np.uint32(0x2C1B3C6D))
                u = (np.float32(value) + np.float32(0.5)) * np.float32(2.0**-32)
                e = u * (_HALF + u * (_THIRD + u * (_FOURTH + u * _FIFTH)))
                smallest[k] = min(smallest[k], u * (_ONE + e) * mean)
        out[text] = smallest.view(np.uint32)
    return out


@compiled
def winnow(hashes: Hashes, rows: Starts, size: int, window: int) -> tuple[Hashes, Starts]:
    """Winnowing (Schleimer, Wilkerson, Aiken 2003): of every `window` runs in a row the one with the smallest hash.

    Two texts that have `size + window - 1` terms in a row in common have one of these hashes in common; some 2 / (window + 1) of
    all runs are chosen. Unlike a sketch it finds what is shared however long the rest of either text is.

    Args:
        hashes, rows: as `terms.tokenise` gives them.
        size: terms in a run; a text of fewer is one run of all of them.

    Returns:
        sorted distinct hashes of runs as `terms.roll` has them, uint64[m]; starts int64[n + 1].
    """
    texts = len(rows) - 1
    out = np.empty(len(hashes), np.uint64)
    starts = np.zeros(texts + 1, np.int64)
    runs = np.empty(longest_row(rows), np.uint64)
    heads = np.empty(1 << BUCKET_BITS, np.int32)
    count = np.int64(0)
    for text in range(texts):
        if rows[text + 1] > rows[text]:
            found = roll(hashes[rows[text] : rows[text + 1]], size, runs)
            chosen = _minima(runs[:found], window)
            count += sort_distinct(runs[:chosen], heads, out[count:])
        starts[text + 1] = count
    return out[:count].copy(), starts


@compiled
def _minima(runs: Hashes, window: int) -> np.int64:
    """Put the smallest of every window in the place of the runs, each once while it stays the same; how many."""
    count, width = len(runs), 1
    window = min(window, count)
    while width < window:  # runs[i] is the smallest of `width` runs from i on
        step = min(width, window - width)
        count -= step
        for i in range(count):
            runs[i] = min(runs[i], runs[i + step])
        width += step
    chosen = np.uint64(0)
    for i in range(1, count):
        chosen += np.uint64(runs[i] != runs[chosen])
        runs[chosen] = runs[i]
    return np.int64(chosen + np.uint64(1))


@compiled
def band_keys(sketches: Signatures, bands: int, rows: int, tag: int) -> Hashes:
    """LSH keys: band j is the values [j * rows, (j + 1) * rows), hashed with the tag and j; uint64[n, bands]."""
    texts = len(sketches)
    out = np.empty((texts, bands), np.uint64)
    for text in range(texts):
        for band in range(bands):
            value = np.uint64(tag) * np.uint64(BASE) + np.uint64(band)
            for row in range(rows):
                value = value * np.uint64(BASE) + np.uint64(sketches[text, band * rows + row])
            out[text, band] = fmix64(value)
    return out


RULER = np.array([0, 1, 4, 9, 15, 22, 32, 34])
"""A Golomb ruler: no two of its marks are as far apart as two others, so two bands laid by it share one sample at most."""


@compiled
def ruler_keys(sketches: Signatures, rows: int, tag: int) -> Hashes:
    """LSH keys of bands that share samples: band j is sample j and those the next marks of RULER further on, round the end.

    Nearly as good as bands that share none: 256 of 3 laid over 256 samples propose as many and miss as few as over 768.

    Args:
        sketches: uint32[n, count], count > RULER[-1].
        rows: samples in a band, at most len(RULER).

    Returns:
        uint64[n, count], hashed with the tag and j.
    """
    texts, count = sketches.shape
    keys = np.empty((texts, count), np.uint64)
    for text in range(texts):
        for band in range(count):
            value = np.uint64(tag) * np.uint64(BASE) + np.uint64(band)
            for row in range(rows):
                at = band + RULER[row]
                value = value * np.uint64(BASE) + np.uint64(sketches[text, at if at < count else at - count])
            keys[text, band] = fmix64(value)
    return keys


@compiled
def further_samples(sketches: Signatures, places: npt.NDArray[np.int64], rows: int, further: int) -> npt.NDArray[np.uint32]:
    """A hash of the `further` samples that follow a band of `ruler_keys` on the next marks, for bands at some places of the keys, row by row."""
    count = sketches.shape[1]
    out = np.empty(len(places), np.uint32)
    for i, place in enumerate(places):
        text, band = place // count, place % count
        value = np.uint64(0)
        for row in range(rows, rows + further):
            at = band + RULER[row]
            value = value * np.uint64(BASE) + np.uint64(sketches[text, at if at < count else at - count])
        out[i] = np.uint32(fmix64(value) >> np.uint64(32))
    return out


@compiled
def outlines(sketches: Signatures, bits: int) -> Hashes:
    """The lowest 4 or 8 bits of each value (b-bit minwise hashing, Li and Koenig 2010), zeros to fill up: uint64[n, ceil(count * bits / 64)]."""
    texts, count = sketches.shape
    fields = 64 // bits
    out = np.zeros((texts, (count + fields - 1) // fields), np.uint64)
    for text in range(texts):
        for k in range(count):
            out[text, k // fields] |= np.uint64(sketches[text, k] & np.uint32((1 << bits) - 1)) << np.uint64(k % fields * bits)
    return out


@compiled
def resembling(
    outlines: Hashes, split: int, left: Starts, right: Starts, least_fields: npt.NDArray[np.int64], least_bytes: int
) -> npt.NDArray[np.bool_]:
    """Which outlines left[i] and right[i] have so many fields of 4 bits in common before column `split`, or so many bytes from there on."""
    out = np.empty(len(left), np.bool_)
    for i in range(len(left)):
        one, other = outlines[left[i]], outlines[right[i]]
        unequal = np.uint64(0)
        for k in range(split, len(one)):
            bits = one[k] ^ other[k]
            bits |= bits >> np.uint64(4)
            bits |= bits >> np.uint64(2)
            bits |= bits >> np.uint64(1)
            unequal += ((bits & _LOW_OF_8) * _LOW_OF_8) >> np.uint64(56)
        out[i] = 8 * (len(one) - split) - np.int64(unequal) >= least_bytes
        if not out[i]:
            unequal = np.uint64(0)
            for k in range(split):
                bits = one[k] ^ other[k]
                bits |= bits >> np.uint64(2)
                bits |= bits >> np.uint64(1)
                bits &= _LOW_OF_4
                unequal += ((bits & _LOW_OF_8) * _LOW_OF_8) >> np.uint64(56)
                unequal += ((bits >> np.uint64(4) & _LOW_OF_8) * _LOW_OF_8) >> np.uint64(56)
            out[i] = 16 * split - np.int64(unequal) >= least_fields[i]
    return out


@compiled
def equal_samples(sketches: Signatures, left: Starts, right: Starts) -> npt.NDArray[np.int64]:
    """How many values the sketches left[i] and right[i] have in common: int64[pairs]."""
    out = np.zeros(len(left), np.int64)
    for i in range(len(left)):
        one, other = sketches[left[i]], sketches[right[i]]
        same = 0
        for k in range(sketches.shape[1]):
            same += one[k] == other[k]
        out[i] = same
    return out
