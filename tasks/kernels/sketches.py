"""MinHash: signatures of shingle sets, samples of weighted term sets, and their LSH keys."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled, fmix64
from tasks.kernels.terms import BASE, Hashes, Starts

Signatures = npt.NDArray[np.uint32]


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
    out = np.full((texts, count), 0xFFFFFFFF, np.uint32)
    for text in range(texts):
        row = out[text]
        for i in range(starts[text], starts[text + 1]):
            h = np.uint32(shingles[i] >> np.uint64(32))
            h = np.uint32(h ^ (h >> np.uint32(16)))  # numba widens, so each step is cut to 32 bits again
            h = np.uint32(h * np.uint32(0x85EBCA6B))
            h = np.uint32(h ^ (h >> np.uint32(13)))
            h = np.uint32(h * np.uint32(0xC2B2AE35))
            h = np.uint32(h ^ (h >> np.uint32(16)))
            for k in range(count):
                value = np.uint32(a[k] * h + b[k])
                row[k] = min(row[k], value)
    return out


@compiled
def samples(terms: Hashes, weights: npt.NDArray[np.float32], starts: Starts, count: int, seed: int) -> Signatures:
    """Weighted MinHash: each of `count` samples is one term, equal in two texts with the probability of their weighted Jaccard.

    Sample i is the term x of the smallest E_i(x) / w(x), where the E_i(x) are independent exponential variables that
    depend on term, sample and seed alone: the minimum of -ln(u)/w (Ioffe 2010 and Manasse et al. 2010 give the general
    case; here a term has one weight in every text). The variables of a term are drawn in ascending order as a Poisson
    process whose points fall on random samples (Ertl 2020, ProbMinHash, arXiv:1911.00675): same distribution. The
    processes of all terms advance together in windows of time; when every sample has a point, no later one can win.
    That takes count x ln(count) logarithms a text or so instead of count x terms.

    Args:
        terms, weights, starts: as `terms.rare` gives them.

    Returns:
        uint32[n, count], upper 32 bits of the sampled terms' hashes; zeros for a text without terms.
    """
    texts = len(starts) - 1
    out = np.zeros((texts, count), np.uint32)
    smallest = np.empty(count, np.float64)
    stream = fmix64(np.uint64(seed) + np.uint64(BASE))
    for text in range(texts):
        begin, size = starts[text], starts[text + 1] - starts[text]
        if size == 0:
            continue
        smallest[:] = np.inf
        states = np.empty(size, np.uint64)
        points = np.zeros(size, np.float64)
        draws = np.zeros(size, np.uint64)
        total = 0.0
        for i in range(size):
            states[i] = fmix64(terms[begin + i] ^ stream)
            total += weights[begin + i]
        window = count / total
        limit = 0.0
        empty = count
        while empty:
            limit += window
            for i in range(size):
                mean = 1.0 / float(weights[begin + i])
                state, point, draw = states[i], points[i], draws[i]
                while point < limit:
                    if point > 0.0:  # a point drawn before, now within the window
                        place = np.int64(((draw & np.uint64(0xFFFFFFFF)) * np.uint64(count)) >> np.uint64(32))
                        if point < smallest[place]:
                            empty -= smallest[place] == np.inf
                            smallest[place] = point
                            out[text, place] = np.uint32(terms[begin + i] >> np.uint64(32))
                    state += np.uint64(BASE)  # SplitMix64 (Steele, Lea, Flood 2014)
                    draw = fmix64(state)
                    point -= math.log((float(draw >> np.uint64(32)) + 0.5) * (1.0 / 4294967296.0)) * mean
                states[i], points[i], draws[i] = state, point, draw
    return out


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
