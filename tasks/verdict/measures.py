"""The named measures of a pair, from which the verdict and its direction are judged. None of them knows a word of a text.

They are made of the raw sums of kernels.evidence. Shares over few items are drawn towards a prior by pretending a few more
items: a share of one quotation says little. Quotations are kept apart from the *narration* throughout: independent
stories share what was said and written in public, word for word and at length, but seldom how it is told.

Tried and left out, because the labelled pairs gave them no weight beside these: likeness of sentences, aligned in order or not (`retold`
counts them), likeness of the lead, similarity of all words, overlap of rare terms (it decides which pairs are read), sentence coverage,
figures and names of its own, days apart, lengths, an agency credited by both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.verdict.stories import DAY_US, UNKNOWN, Readings, Stories, names, outlet

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """What the sets of each pair share, float64[pairs], 0-1; containment_a is the share of the left one's shingles found in the right."""

    jaccard: Floats
    containment_a: Floats
    containment_b: Floats
    weighted_jaccard: Floats


@dataclass(frozen=True, eq=False)
class Shared:
    """The sums of each pair: float64[pairs, 2] by name (kernels.evidence.SUMS), left and right; named bool[pairs, 2]: does each name
    the other's outlet; known bool[pairs]: are both outlets known."""

    sums: dict[str, Floats]
    named: Mask
    known: Mask


def share(part: Floats, whole: Floats, pretended: float, prior: float = 0.3) -> Floats:
    """part / whole, drawn towards `prior` as if `pretended` more items had been seen."""
    return (part + prior * pretended) / (whole + pretended)


def overlaps(found: Stories, left: Places, right: Places) -> Overlaps:
    """Similarity of the sets of shingles and of rare terms, without reading the texts."""
    from tasks.kernels import pairs

    same = pairs.intersections(found.shingles, found.shingle_starts, left, right).astype(np.float64)
    weighted = pairs.weighted_jaccards(found.terms, found.weights, found.term_starts, left, right)
    sizes = np.diff(found.shingle_starts)
    return Overlaps(
        jaccard=_ratio(same, sizes[left] + sizes[right] - same),
        containment_a=_ratio(same, sizes[left]),
        containment_b=_ratio(same, sizes[right]),
        weighted_jaccard=np.clip(weighted, 0.0, 1.0),
    )


def _ratio(part: Floats, whole: npt.NDArray[Any]) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=np.asarray(whole) > 0))


def shared(found: Stories, readings: Readings, left: Places, right: Places) -> Shared:
    """What the texts of each pair share: see kernels.evidence."""
    from tasks.kernels import evidence

    named = name_outlets(found, readings, left, right)
    sums = evidence.compare(readings.texts, left, right, named)
    sourced = np.array([bool(source) for source in found.table["source"].to_pylist()])
    return Shared({name: sums[:, :, i] for i, name in enumerate(evidence.SUMS)}, named, sourced[left] & sourced[right])


def name_outlets(found: Stories, readings: Readings, left: Places, right: Places) -> Mask:
    """Does the text of each story of a pair name the outlet of the other, not its own, or credit it as agency? bool[pairs, 2]."""
    from tasks.kernels import reading

    sources, agencies = (column.to_pylist() for column in (found.table["source"], found.table["agency"]))
    known = {source: number for number, source in enumerate(sorted({source for source in sources if source}))}
    forms = [names(source) for source in known]
    form_starts = np.concatenate([[0], np.cumsum([len(form) for form in forms], dtype=np.int64)])
    flat = np.array([hashed for form in forms for hashed in form], np.uint64)
    of_story = np.array([known.get(source, -1) for source in sources], np.int64)
    own = {source: outlet(source) for source in known}
    alike = {name: number for number, name in enumerate(sorted(set(own.values())))}
    of_outlet = np.array([alike[own[source]] if source else -1 for source in sources], np.int64)
    credited = np.array([alike.get(outlet(agency), -2) if agency else -2 for agency in agencies], np.int64)
    out = np.zeros((len(left), 2), np.bool_)
    for side, (text, other) in enumerate(((left, right), (right, left))):
        said = reading.mentioned(readings.mentions, readings.mention_starts, text, of_story[other], flat, form_starts)
        out[:, side] = (said | (credited[text] == of_outlet[other])) & (of_outlet[text] != of_outlet[other])
    return out


def outlets(sources: Sequence[str | None]) -> npt.NDArray[np.object_]:
    """The outlet of each source, "" where it is unknown."""
    return np.array([outlet(source) if source else "" for source in sources], object)


def one_outlet(of_story: npt.NDArray[np.object_], left: Places, right: Places) -> Mask:
    """Are both stories of one outlet, and known to be?

    Args:
        of_story: as `outlets` gives them; left, right: int64[pairs], places in it.
    """
    return np.asarray((of_story[left] == of_story[right]) & (of_story[left] != ""))


def days_apart(published: npt.NDArray[np.int64], left: Places, right: Places) -> Floats:
    """Days between the two stories' publication, 0 where a time is unknown."""
    known = (published[left] != UNKNOWN) & (published[right] != UNKNOWN)
    apart = np.abs(published[left].astype(np.float64) - published[right]) / DAY_US
    return np.where(known, apart, 0.0)


def measures(pair: Shared) -> dict[str, Floats]:
    """The evidence for "one of the two is a rewrite of the other", float64[pairs] by name: symmetric, each 0-1.

    Of two sides the larger share counts where a rewrite may add or cut much, and the smaller one where it may not.
    """
    s = pair.sums
    told_names = share(s["told_names_shared"], s["told_names"], 6.0)
    in_order = share(s["sentences_ordered"], s["sentences_told"], 3.0, 0.0)
    return {
        "copied": share(s["narration_copied"], s["narration"], 15.0, 0.05).min(1),
        "retold": in_order.min(1) * told_names.min(1),
        "quotes": share(s["quoted_shared"], s["quoted"], 15.0).max(1),
        "own_quotes": np.minimum(1.0, np.log1p((s["quoted"] - s["quoted_shared"]).min(1)) / np.log1p(OWN_QUOTES)),
        "figures": share(s["told_figures_shared"], s["told_figures"], 1.0).max(1),
        "names": told_names.max(1),
        "attribution": np.where(pair.known, pair.named.any(1), UNKNOWN_OUTLET),
    }


UNKNOWN_OUTLET = 0.35
"""What attribution counts where an outlet is not known: the share of those labelled pairs that the other measures leave open which have it."""
OWN_QUOTES = 400.0
"""Quoted words of its own with which both stories have all that can speak for two; the first ones say most."""


def details_shared(pair: Shared) -> Floats:
    """Share of the figures and names of the shorter text that the longer one has too, a name counting as much as its rarity."""
    s = pair.sums
    short = (s["terms"][:, 1] < s["terms"][:, 0]).astype(np.int64)
    rows = np.arange(len(short))
    part = s["figures_shared"] + s["names_shared"] / 4
    whole = s["figures"] + s["names"] / 4
    return share(part[rows, short], whole[rows, short], 1.0, 0.9)


def same_language(pair: Shared) -> Mask:
    """Do two texts share most of their commonest words?  Two in different languages do not, and names and figures alone prove no rewrite.

    Of 178 labelled copies and rewrites each shares at least .56 of them, Spanish and Portuguese .40, German and English .04. Texts with few such
    words, as in scripts without spaces, are taken to be of one language.
    """
    fewer = pair.sums["common"].min(1)
    return np.asarray((fewer < COMMON_WORDS) | (pair.sums["common_shared"].min(1) >= 0.5 * fewer))


COMMON_WORDS = 10
"""Common words a text must have to tell its language."""


def coverage(pair: Shared) -> Floats:
    """Share of the sentences of each side whose rarity stands mostly in the other text, by stems: float64[pairs, 2]."""
    return np.asarray(pair.sums["sentences_covered"] / np.maximum(pair.sums["sentences"], 1))


def leanings(found: Stories, pair: Shared, left: Places, right: Places) -> dict[str, Floats]:
    """The evidence for "the left one is the source": each turns its sign when the two change places, 0 says nothing."""
    s = pair.sums
    own_quotes = s["quoted"] - s["quoted_shared"]
    own_figures = s["told_figures"] - s["told_figures_shared"]
    byline = np.array([bool(byline) for byline in found.table["byline"].to_pylist()], np.float64)
    earlier = np.sign(found.published[right].astype(np.float64) - found.published[left])
    return {
        "earlier": np.where(days_apart(found.published, left, right) > SAME_TIME, earlier, 0.0),
        "named_by_other": pair.named[:, 1].astype(np.float64) - pair.named[:, 0],
        "byline": byline[left] - byline[right],
        "own_quotes": _difference(own_quotes, 30.0),
        "own_figures": _difference(own_figures, 2.0),
        "longer": np.log((s["terms"][:, 0] + 20) / (s["terms"][:, 1] + 20)),
    }


SAME_TIME = 1 / 1440
"""Days, one minute: times of publication that are no further apart tell nothing."""


def _difference(own: Floats, pretended: float) -> Floats:
    return np.asarray((own[:, 0] - own[:, 1]) / (own[:, 0] + own[:, 1] + pretended))
