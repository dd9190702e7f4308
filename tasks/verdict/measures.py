"""The named measures of a pair, from which the verdict and its direction are judged. None of them knows a word of a text.

Shares over few items are drawn towards a prior by pretending a few more items: a share of one quotation says little.
Where a share has two directions the larger one is taken: a rewrite may cut much or add much, seldom both.

Tried and left out, because the labelled sets gave them no weight beside these: overlap of rare terms (it decides which pairs are
read), sentence coverage, terms copied outside quotations, longest passage, order of points, days apart, lengths.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tasks.verdict.stories import RUN, Reading, Story, outlet

Key = TypeVar("Key", str, int)
SENTENCE_SHARE = 0.65
"""Share of a sentence's rarity that must stand in the other text for the sentence to be covered."""
ALIKE = 0.4
"""Likeness from which two sentences count as telling the same thing."""


@dataclass(frozen=True)
class Overlap:
    """What two stories' sets share, 0-1; containment_a is the share of a's shingles found in b."""

    jaccard: float
    containment_a: float
    containment_b: float
    weighted_jaccard: float


def share(part: float, whole: float, pretended: float, prior: float = 0.3) -> float:
    """part / whole, drawn towards `prior` as if `pretended` more items had been seen."""
    return (part + prior * pretended) / (whole + pretended)


def overlap(a: Story, b: Story) -> Overlap:
    """Similarity of the sets of shingles and of rare terms, without reading the texts."""
    from tasks.kernels import pairs

    same = pairs.intersection(a.shingles, b.shingles)
    every = len(a.shingles) + len(b.shingles) - same
    shared = pairs.weighted_intersection(a.terms, b.terms, a.weights)
    weight = float(a.weights.sum(dtype=np.float64) + b.weights.sum(dtype=np.float64)) - shared
    return Overlap(
        jaccard=same / every if every else 0.0,
        containment_a=same / len(a.shingles) if len(a.shingles) else 0.0,
        containment_b=same / len(b.shingles) if len(b.shingles) else 0.0,
        weighted_jaccard=min(1.0, max(0.0, shared / weight)) if weight > 0 else 0.0,
    )


def coverage(one: Reading, other: Reading) -> float:
    """Share of the sentences of `one` whose rarity stands mostly (SENTENCE_SHARE) in `other`, by stems; short ones do not count."""
    if not len(one.sentence):
        return 0.0
    size = int(one.sentence[-1]) + 1
    weight = np.bincount(one.sentence, one.rarity, size)
    found = np.bincount(one.sentence, one.rarity * np.isin(one.stems, other.stems), size)
    telling = (weight > 0) & (np.bincount(one.sentence, minlength=size) >= 4)
    return float((found >= SENTENCE_SHARE * weight)[telling].mean()) if telling.any() else 0.0


def shared_terms(one: Reading, other: Reading) -> npt.NDArray[np.bool_]:
    """Which terms of `one` stand in a run of RUN terms that `other` has too: bool[n]."""
    hit = np.isin(one.runs, other.runs)
    out = np.zeros(len(one.hashes), np.bool_)
    for shift in range(RUN):
        out[shift : shift + len(hit)] |= hit
    return out


def wording(one: Reading, other: Reading) -> float:
    """Jaccard similarity of the sets of stems, weighted by rarity: all but the commonest words, in any of their forms."""
    shared = sum(weight for stem, weight in one.words.items() if stem in other.words)
    every = sum(one.words.values()) + sum(other.words.values()) - shared
    return shared / every if every > 0 else 0.0


def told(one: Reading, other: Reading) -> float:
    """How much of each text is told in the other, sentence by sentence and in other words: 0-1, geometric mean of both ways.

    A sentence is told when some sentence of the other text is ALIKE: the rarity of the stems they share over the
    geometric mean of theirs. Quotations are left aside, which independent stories share too. Each share is of the
    sentences' rarity and drawn to 0.1.
    """
    left, right = one.sentences, other.sentences
    if not left or not right:
        return 0.1
    common = sorted({stem for sentence in left for stem in sentence} & {stem for sentence in right for stem in sentence})
    place = {stem: i for i, stem in enumerate(common)}
    matrices, weights = [], []
    for sentences in (left, right):
        matrix = np.zeros((len(sentences), len(common)))
        for row, sentence in enumerate(sentences):
            for stem, weight in sentence.items():
                if stem in place:
                    matrix[row, place[stem]] = math.sqrt(weight)
        matrices.append(matrix)
        weights.append(np.array([sum(sentence.values()) for sentence in sentences]))
    likeness = np.round(matrices[0] @ matrices[1].T / np.sqrt(np.outer(weights[0], weights[1])), 9)  # BLAS may differ in the last bits
    mine = share(float(weights[0][likeness.max(1) >= ALIKE].sum()), float(weights[0].sum()), 10.0, 0.1)
    theirs = share(float(weights[1][likeness.max(0) >= ALIKE].sum()), float(weights[1].sum()), 10.0, 0.1)
    return math.sqrt(mine * theirs)


def names_outlet(text: Reading, story: Story, other: Story) -> bool:
    """Does the text of `story` name the outlet of `other` (not its own)?"""
    name = outlet(other.source)
    if len(name) < 3 or name == outlet(story.source):
        return False
    return name in text.mentions or (bool(story.agency) and outlet(story.agency) == name)


def measures(a: Story, b: Story, one: Reading, other: Reading) -> dict[str, float]:
    """The evidence for "one of the two is a rewrite of the other": symmetric in a and b, each 0-1.

    wording: similarity of all words but the commonest, in any form. told: sentences with a counterpart, both ways, outside
    quotations. quotes, figures, names: share of those of one text that the other has. attribution: one names the other's outlet.
    """
    in_a, in_b = shared_terms(one, other), shared_terms(other, one)
    quotes = [share(float((m & r.quoted).sum()), float(r.quoted.sum()), 15.0) for m, r in ((in_a, one), (in_b, other))]
    return {
        "wording": wording(one, other),
        "told": told(one, other),
        "quotes": max(quotes),
        "figures": max(_shared(one.figures, other.figures, 1.0), _shared(other.figures, one.figures, 1.0)),
        "names": max(_shared(one.names, other.names, 6.0), _shared(other.names, one.names, 6.0)),
        "attribution": float(names_outlet(one, a, b) or names_outlet(other, b, a)),
    }


def _shared(one: Mapping[Key, float], other: Mapping[Key, float], pretended: float) -> float:
    return share(sum(weight for key, weight in one.items() if key in other), sum(one.values()), pretended)


def details_shared(short: Reading, long: Reading) -> float:
    """Share of the figures and names of the shorter text that the longer one has too, a name counting as much as its rarity."""
    shared = sum(weight for figure, weight in short.figures.items() if figure in long.figures)
    shared += sum(weight / 4 for name, weight in short.names.items() if name in long.names)
    return share(shared, sum(short.figures.values()) + sum(short.names.values()) / 4, 1.0, 0.9)


def leanings(a: Story, b: Story, one: Reading, other: Reading) -> dict[str, float]:
    """The evidence for "a is the source of b": each turns its sign when a and b change places, 0 says nothing."""
    in_a, in_b = shared_terms(one, other), shared_terms(other, one)
    own_a, own_b = float((one.quoted & ~in_a).sum()), float((other.quoted & ~in_b).sum())
    figures_a = sum(w for f, w in one.figures.items() if f not in other.figures)
    figures_b = sum(w for f, w in other.figures.items() if f not in one.figures)
    earlier = 0.0
    if a.published is not None and b.published is not None and abs(a.published - b.published) > 60_000_000:
        earlier = 1.0 if a.published < b.published else -1.0
    return {
        "earlier": earlier,
        "named_by_other": float(names_outlet(other, b, a)) - float(names_outlet(one, a, b)),
        "byline": float(bool(a.byline)) - float(bool(b.byline)),
        "own_quotes": (own_a - own_b) / (own_a + own_b + 30.0),
        "own_figures": (figures_a - figures_b) / (figures_a + figures_b + 2.0),
        "longer": math.log((len(one.hashes) + 20) / (len(other.hashes) + 20)),
    }
