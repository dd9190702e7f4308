"""What two texts share: raw sums over a pair of readings, from which the measures of the verdict are made."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.reading import CAPITAL, COMMON, OPENING, QUOTED, Weights
from tasks.kernels.terms import Starts

Sums = npt.NDArray[np.float64]
Runs = npt.NDArray[np.uint32]

SUMS = (
    *("terms", "quoted", "quoted_shared", "narration", "narration_copied"),
    *("names", "names_shared", "told_names", "told_names_shared", "common", "common_shared"),
    *("figures", "figures_shared", "told_figures", "told_figures_shared"),
    *("sentences", "sentences_covered", "sentences_told", "sentences_ordered"),
)
"""What `compare` sums up for each side of a pair, _shared with the other text.

Terms: terms, quoted, quoted_shared (in runs), narration (neither quoted nor public), narration_copied (in stretches of COPIED terms). Rarity of
distinct stems: names, and told_names, those in the narration; number of distinct stems of COMMON words. Weight of distinct figures, and of
those in the narration. Sentences: those of four terms, those covered; those told in the narration that can be compared, and of these
the longest chain that keeps its order in the other text."""
_QUOTED, _NARRATION, _NAMES, _TOLD_NAMES, _COMMON, _FIGURES, _TOLD_FIGURES, _SENTENCES, _TOLD = 1, 3, 5, 7, 9, 11, 13, 15, 17

Texts = namedtuple(  # noqa: PYI024 -- numba takes namedtuples, not typing's
    "Texts", "rows rarity stems by_stem runs by_run sentence flags figure_rows figure figure_weight figure_place"
)
"""The flat arrays of n readings, as kernels.reading makes them; figures of a text ascending by key."""

RUN = 4
"""Terms in a row that must agree for a stretch to count as shared."""
COPIED = 5
"""Terms in a row from which narration counts as copied: fewer are shared by chance."""
SENTENCES = 500
"""Sentences of a text that are compared one by one: more than any story has, a bound for books and logs."""
STEMS = 3
"""Distinct stems that a sentence must have to be compared."""
COVERED = 0.65
"""Share of a sentence's rarity that must stand in the other text for the sentence to be covered."""
ALIKE = 0.3
"""Likeness from which two sentences may tell the same thing: the rarity of the stems they share over the geometric mean of theirs."""


@compiled
def _meet_runs(t: Texts, a: int, b: int, hit: npt.NDArray[np.bool_], spoken: npt.NDArray[np.bool_]) -> None:
    """Mark the terms of text `a` in runs that `b` has too (hit), and in runs that are quoted in b (spoken)."""
    first, stop, other, last = t.rows[a], t.rows[a + 1], t.rows[b], t.rows[b + 1]
    hit[: stop - first] = False
    spoken[: stop - first] = False
    i, j = first, other
    while i < stop and j < last:
        x, y = t.runs[first + t.by_run[i]], t.runs[other + t.by_run[j]]
        if x == 0 or x < y:
            i += 1
        elif y == 0 or y < x:
            j += 1
        else:
            quoted = False
            while j < last and t.runs[other + t.by_run[j]] == x:
                at = other + t.by_run[j]
                all_quoted = True
                for k in range(RUN):
                    all_quoted &= (t.flags[at + k] & QUOTED) != 0
                quoted |= all_quoted
                j += 1
            while i < stop and t.runs[first + t.by_run[i]] == x:
                place = t.by_run[i]
                for k in range(RUN):
                    hit[place + k] = True
                    spoken[place + k] |= quoted
                i += 1


@compiled
def _copied(size: int, hit: npt.NDArray[np.bool_], public: npt.NDArray[np.bool_]) -> int:
    """Terms of the narration in stretches of at least COPIED shared terms."""
    total = begin = 0
    for i in range(size + 1):
        if i == size or not hit[i]:
            if i - begin >= COPIED:
                for k in range(begin, i):
                    total += not public[k]
            begin = i + 1
    return total


@compiled
def _commonest(rarity: np.float32, flag: np.uint8, public: np.bool_, least: Weights) -> None:
    """Lower the least rarities of a stem by one of its terms: as a name, as a name in the narration; and is it common."""
    if (flag & (CAPITAL | OPENING)) == CAPITAL:
        least[0] = min(least[0], rarity)
        if not public:
            least[1] = min(least[1], rarity)
    if flag & COMMON:
        least[2] = 1


@compiled
def _meet_words(t: Texts, a: int, b: int, public: npt.NDArray[np.bool_], shared: npt.NDArray[np.bool_], out: Sums) -> None:
    """Sum up the distinct stems of text `a`, each by its commonest form; marks the terms whose stem stands in `b` (shared)."""
    first, stop, other, last = t.rows[a], t.rows[a + 1], t.rows[b], t.rows[b + 1]
    least = np.empty(3, np.float32)
    i, j = first, other
    while i < stop:
        stem = t.stems[first + t.by_stem[i]]
        while j < last and t.stems[other + t.by_stem[j]] < stem:
            j += 1
        found = j < last and t.stems[other + t.by_stem[j]] == stem
        least[:] = np.inf
        while i < stop and t.stems[first + t.by_stem[i]] == stem:
            place = t.by_stem[i]
            shared[place] = found
            _commonest(t.rarity[first + place], t.flags[first + place], public[place], least)
            i += 1
        for k, slot in enumerate((_NAMES, _TOLD_NAMES, _COMMON)):
            if least[k] < np.inf:
                out[slot] += least[k]
                if found:
                    out[slot + 1] += least[k]


@compiled
def _meet_figures(t: Texts, a: int, b: int, public: npt.NDArray[np.bool_], out: Sums) -> None:
    """Sum up the distinct figures of text `a`."""
    first, stop, j, last = t.figure_rows[a], t.figure_rows[a + 1], t.figure_rows[b], t.figure_rows[b + 1]
    i = first
    while i < stop:
        key = t.figure[i]
        while j < last and t.figure[j] < key:
            j += 1
        found = j < last and t.figure[j] == key
        weight = told = np.float32(0)
        while i < stop and t.figure[i] == key:
            weight = max(weight, t.figure_weight[i])
            if not public[t.figure_place[i]]:
                told = max(told, t.figure_weight[i])
            i += 1
        for slot, value in ((_FIGURES, weight), (_TOLD_FIGURES, told)):
            out[slot] += value
            if found:
                out[slot + 1] += value


@compiled
def _cover(t: Texts, a: int, shared: npt.NDArray[np.bool_], out: Sums) -> None:
    """Sentences of four terms and some rarity, and how many of them are covered."""
    first, stop = t.rows[a], t.rows[a + 1]
    i = first
    while i < stop:
        number, begin = t.sentence[i], i
        whole = part = 0.0
        while i < stop and t.sentence[i] == number:
            whole += t.rarity[i]
            if shared[i - first]:
                part += t.rarity[i]
            i += 1
        if i - begin >= 4 and whole > 0:
            out[_SENTENCES] += 1
            out[_SENTENCES + 1] += part >= COVERED * whole


@compiled
def _tell(t: Texts, a: int, public: npt.NDArray[np.bool_], used: npt.NDArray[np.bool_], weight: Sums) -> int:
    """Rarity of the sentences of the narration by distinct stems (used marks their terms), 0 for those too short; how many there are."""
    first, stop = t.rows[a], t.rows[a + 1]
    size = min(SENTENCES, t.sentence[stop - 1] + 1 if stop > first else 0)
    weight[:size] = 0
    number = np.zeros(size, np.int32)
    before = np.full(size, -1, np.int64)  # stem last seen in each sentence: equal stems are neighbours in by_stem
    used[: stop - first] = False
    for i in range(first, stop):
        place = t.by_stem[i]
        inside = t.sentence[first + place]
        if inside >= size or public[place] or t.rarity[first + place] <= 0:
            continue
        stem = np.int64(t.stems[first + place])
        if before[inside] != stem:
            before[inside] = stem
            used[place] = True
            weight[inside] += t.rarity[first + place]
            number[inside] += 1
    for s in range(size):
        if number[s] < STEMS:
            weight[s] = 0
    return size


@compiled
def _likeness(t: Texts, a: int, b: int, used_a: npt.NDArray[np.bool_], used_b: npt.NDArray[np.bool_], out: Sums) -> None:
    """Sum over the stems that two sentences share of the geometric mean of their rarities: added to out[sentence of a, of b]."""
    first, stop, other, last = t.rows[a], t.rows[a + 1], t.rows[b], t.rows[b + 1]
    i, j = first, other
    while i < stop and j < last:
        stem, there = t.stems[first + t.by_stem[i]], t.stems[other + t.by_stem[j]]
        if stem < there:
            i += 1
        elif there < stem:
            j += 1
        else:
            to = j
            while to < last and t.stems[other + t.by_stem[to]] == stem:
                to += 1
            while i < stop and t.stems[first + t.by_stem[i]] == stem:
                p = t.by_stem[i]
                if used_a[p]:
                    for k in range(j, to):
                        q = t.by_stem[k]
                        if used_b[q]:
                            out[t.sentence[first + p], t.sentence[other + q]] += np.sqrt(t.rarity[first + p] * t.rarity[other + q])
                i += 1
            j = to


@compiled
def _chain(like: Sums, weight: Sums, others: Sums, out: Sums) -> None:
    """Sentences told on one side, and the longest chain of them whose likest sentences on the other side ascend.

    Args:
        like: float64[sentences, others], summed likeness as `_likeness` leaves it; weight, others: rarity of the sentences, 0 for those
            left aside.
    """
    tails = np.empty(len(weight), np.int64)
    size = 0
    for s in range(len(weight)):
        if weight[s] <= 0:
            continue
        out[_TOLD] += 1
        alike, best = 0.0, -1
        for o in range(len(others)):
            if others[o] > 0:
                value = like[s, o] / np.sqrt(weight[s] * others[o])
                if value > alike:
                    alike, best = value, o
        if alike < ALIKE:
            continue
        low, high = 0, size
        while low < high:
            middle = (low + high) // 2
            if tails[middle] < best:
                low = middle + 1
            else:
                high = middle
        tails[low] = best
        size = max(size, low + 1)
    out[_TOLD + 1] = size


@compiled
def compare(t: Texts, left: Starts, right: Starts, named: npt.NDArray[np.bool_]) -> Sums:
    """The sums of SUMS for both sides of each pair.

    What is quoted in one text is public: where the other has the same words outside quotation marks (an embedded
    post, a letter set as a block) they are no narration of it. Unless the text that quotes them names the other's outlet: then
    it quotes that outlet's own words.

    Args:
        t: the readings.
        left, right: int64[pairs], the texts of each pair.
        named: bool[pairs, 2], does the left one name the right one's outlet, and the right one the left one's?

    Returns:
        float64[pairs, 2, len(SUMS)].
    """
    room = 1
    for text in range(len(t.rows) - 1):
        room = max(room, t.rows[text + 1] - t.rows[text])
    out = np.zeros((len(left), 2, len(SUMS)), np.float64)
    hits = np.zeros((2, room), np.bool_)
    publics = np.zeros((2, room), np.bool_)
    shared = np.zeros(room, np.bool_)
    used = np.zeros((2, room), np.bool_)
    weights = np.zeros((2, SENTENCES), np.float64)
    for pair in range(len(left)):
        sizes = np.zeros(2, np.int64)
        for side in range(2):
            a, b = (left[pair], right[pair]) if side == 0 else (right[pair], left[pair])
            hit, public, sums = hits[side], publics[side], out[pair, side]
            _meet_runs(t, a, b, hit, public)
            first, size = t.rows[a], t.rows[a + 1] - t.rows[a]
            for i in range(size):
                quoted = (t.flags[first + i] & QUOTED) != 0
                public[i] = quoted or (public[i] and not named[pair, 1 - side])
                sums[_QUOTED] += quoted
                sums[_QUOTED + 1] += quoted and hit[i]
                sums[_NARRATION] += not public[i]
            sums[0] = size
            sums[_NARRATION + 1] = _copied(size, hit, public)
            _meet_words(t, a, b, public, shared, sums)
            _meet_figures(t, a, b, public, sums)
            _cover(t, a, shared, sums)
            sizes[side] = _tell(t, a, public, used[side], weights[side])
        like = np.zeros((sizes[0], sizes[1]), np.float64)
        _likeness(t, left[pair], right[pair], used[0], used[1], like)
        _chain(like, weights[0, : sizes[0]], weights[1, : sizes[1]], out[pair, 0])
        _chain(like.T, weights[1, : sizes[1]], weights[0, : sizes[0]], out[pair, 1])
    return out
