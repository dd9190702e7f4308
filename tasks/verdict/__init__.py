"""The verdict on pairs of stories: exact, near, derivative or neither, with the figures it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import schema, settings
from tasks.verdict import measures as measuring
from tasks.verdict import stories as reading
from tasks.verdict.measures import Floats, Mask, Overlaps, Places, Shared
from tasks.verdict.passages import passages
from tasks.verdict.stories import Stories

__all__ = ["EVIDENCE", "JUDGED", "Judgement", "Model", "evidence", "judge", "judgements", "load_model", "passages"]

NEAR = 0.99
"""Least probability of a near copy, which exact sets of shingles have shown."""

_SCORES = ("probability", "jaccard", "containment_a", "containment_b", "weighted_jaccard", "coverage_a", "coverage_b", "source_a")
JUDGED = pa.schema(
    [
        pa.field("a", pa.string(), nullable=False),
        pa.field("b", pa.string(), nullable=False),
        pa.field("relation", pa.string()),
        *(pa.field(name, pa.float64()) for name in _SCORES),
    ],
    metadata={
        "description": "pairs a < b; relation null: two stories; coverage null: texts not read, their sets being too unlike (probability 0);"
        " _a: share of a found in b; source_a: probability that a is b's source rather than b a's"
    },
)
EVIDENCE = schema.COLUMNS["evidence"].type
_AT_ONCE = 2_000
"""Pairs whose texts are read at once: some 200 MB at most."""


@dataclass(frozen=True)
class Model:
    """Two logistic models: `rewrite` over measuring.measures (with "intercept"), `source` over measuring.leanings."""

    rewrite: dict[str, float]
    source: dict[str, float]


@dataclass(frozen=True)
class Judgement:
    """One row of JUDGED."""

    a: str
    b: str
    relation: str | None
    probability: float
    jaccard: float
    containment_a: float
    containment_b: float
    weighted_jaccard: float
    coverage_a: float | None
    coverage_b: float | None
    source_a: float


@cache
def load_model() -> Model:
    """The model beside this module, with its training record in the same file."""
    read = json.loads((files(__package__) / "model.json").read_text(encoding="utf-8"))
    return Model(read["rewrite"]["weights"], read["source"]["weights"])


def logistic(weights: Mapping[str, float], values: Mapping[str, Floats]) -> Floats:
    """1 / (1 + exp(-(intercept + weights . values))), to 9 decimals; a weight without a value is an error, never a silent zero."""
    total: Any = weights.get("intercept", 0.0)
    for name, weight in weights.items():
        if name != "intercept":
            total = total + weight * values[name]
    return np.asarray(np.round(1.0 / (1.0 + np.exp(-np.clip(total, -500.0, 500.0))), 9))


def judge(
    found: Stories, left: Places, right: Places, near: settings.Near, derivative: settings.Derivative, *, read_all: bool = False
) -> pa.Table:
    """The verdicts on pairs of stories: JUDGED, in their order. Only the texts of pairs that can be one story are read.

    Args:
        found: the stories; left, right: int64[pairs], their places.
        read_all: read the others too, so that probability and coverage are measured; their verdict is the same.
    """
    ids = np.array(found.table["story_id"].to_pylist(), object)
    swapped = ids[left] > ids[right]
    left, right = np.where(swapped, right, left), np.where(swapped, left, right)
    over = measuring.overlaps(found, left, right)
    same = is_same(found, left, right)
    alike = is_alike(found, left, right, over, near)
    related = can_derive(found, left, right, over.weighted_jaccard, derivative)
    read = np.arange(len(left)) if read_all else np.flatnonzero(same | alike | related)
    columns = {name: np.zeros(len(left)) for name in _SCORES} | {"source_a": np.full(len(left), 0.5)}
    columns |= {name: getattr(over, name) for name in ("jaccard", "containment_a", "containment_b", "weighted_jaccard")}
    relation = np.full(len(left), None, object)
    for some in np.split(read, range(_AT_ONCE, len(read), _AT_ONCE)) if len(read) else ():
        one, other = left[some], right[some]
        pair = shared_by(found, one, other)
        probability = logistic(load_model().rewrite, measuring.measures(pair))
        copy = alike[some] & has_details(found, pair, one, other, near)
        rewrite = related[some] & ~alike[some] & is_rewrite(found, pair, one, other, probability, derivative)
        relation[some[rewrite]] = "derivative"
        relation[some[copy]] = "near"
        relation[some[same[some]]] = "exact"
        columns["probability"][some] = np.where(same[some], 1.0, np.where(copy, np.maximum(probability, NEAR), probability))
        covered = measuring.coverage(pair)
        columns["coverage_a"][some], columns["coverage_b"][some] = covered[:, 0], covered[:, 1]
        columns["source_a"][some] = logistic(load_model().source, measuring.leanings(found, pair, one, other))
    unread = np.ones(len(left), np.bool_)
    unread[read] = False
    arrays = [pa.array(columns[name], mask=unread if name.startswith("coverage") else None) for name in _SCORES]
    return pa.table([pa.array(ids[left], pa.string()), pa.array(ids[right], pa.string()), pa.array(relation, pa.string()), *arrays], JUDGED)


def shared_by(found: Stories, left: Places, right: Places) -> Shared:
    """What the texts of some pairs share; reads the texts concerned."""
    concerned = np.unique(np.concatenate([left, right]))
    place = np.full(len(found.table), -1, np.int64)
    place[concerned] = np.arange(len(concerned))
    some = reading.take(found, concerned)
    return measuring.shared(some, reading.peruse(some.table["text"]), place[left], place[right])


def is_same(found: Stories, left: Places, right: Places) -> Mask:
    """The same cleaned text, with a word in it."""
    hashes = np.array([text_hash or b"" for text_hash in found.table["text_hash"].to_pylist()], object)
    return np.asarray((hashes[left] == hashes[right]) & (np.diff(found.shingle_starts)[left] > 0))


def is_alike(found: Stories, left: Places, right: Places, over: Overlaps, near: settings.Near) -> Mask:
    """One wording: enough shingles of both in common, or nearly all of one that is long enough to be a cut of the other."""
    sizes = np.diff(found.shingle_starts)
    long_enough = np.minimum(sizes[left], sizes[right]) >= near.cut_shingles
    cut = long_enough & (np.maximum(over.containment_a, over.containment_b) >= near.containment)
    return np.asarray(cut | (over.jaccard >= near.jaccard))


def has_details(found: Stories, pair: Shared, left: Places, right: Places, near: settings.Near) -> Mask:
    """Do two texts of one wording agree in figures and names too?  A template filled in anew does not.

    Most of a template's figures and names may be fixed; so texts that were published more than a day apart must agree in more of them.
    """
    later = measuring.days_apart(found.published, left, right) > 1
    return np.asarray(measuring.details_shared(pair) >= np.where(later, near.later_details, near.details))


def is_rewrite(found: Stories, pair: Shared, left: Places, right: Places, probability: Floats, derivative: settings.Derivative) -> Mask:
    """Does the evidence make two texts source and rewrite?

    In two languages it never does: names and figures alone prove no rewrite. Nor does it where figures and names are others and days lie
    between: that is a template.
    """
    template = (measuring.days_apart(found.published, left, right) > 1) & (measuring.details_shared(pair) < derivative.later_details)
    return np.asarray((probability >= derivative.probability) & measuring.same_language(pair) & ~template)


def can_derive(found: Stories, left: Places, right: Places, weighted_jaccard: Floats, derivative: settings.Derivative) -> Mask:
    """May a pair be judged source and rewrite at all?

    A rewrite is another outlet's. Headlines and briefs have too few rare terms to tell one from another story of the
    topic. Below the least weighted Jaccard a pair is proposed by chance only, so a verdict there would depend on chance.
    """
    of_story = measuring.outlets(found.table["source"].to_pylist())
    able = could_derive(of_story, np.diff(found.term_starts), left, right, derivative)
    return np.asarray(able & (weighted_jaccard >= least_resemblance(measuring.days_apart(found.published, left, right), derivative)))


def least_resemblance(days_apart: Floats | float, derivative: settings.Derivative) -> Floats:
    """The weighted Jaccard below which two stories published so many days apart are no rewrite: the farther, the more strangers meet."""
    far = max(derivative.far_weighted_jaccard, derivative.weighted_jaccard)
    return np.where(np.asarray(days_apart) > derivative.days, far, derivative.weighted_jaccard)


def could_derive(of_story: npt.NDArray[np.object_], sizes: Places, left: Places, right: Places, derivative: settings.Derivative) -> Mask:
    """What `can_derive` asks before the rare terms are compared: long enough, and of two outlets.

    Args:
        of_story: outlets, as measures.outlets gives them; sizes: int64, rare terms of each story; left, right: int64[pairs], places in both.
    """
    able = np.minimum(sizes[left], sizes[right]) >= derivative.min_terms
    if not derivative.same_source:
        able &= ~measuring.one_outlet(of_story, left, right)
    return np.asarray(able & derivative.enabled)


def judgements(judged: pa.Table) -> list[Judgement]:
    """The rows of a JUDGED table."""
    return [Judgement(*row) for row in zip(*(judged[name].to_pylist() for name in JUDGED.names), strict=True)]


def evidence(texts: pa.ChunkedArray[Any], left: Places, right: Places) -> pa.Array[Any]:
    """The longest passages that the texts of each pair share, longest first: EVIDENCE[pairs], `text` of the left one.

    Args:
        texts: some texts; left, right: int64[pairs], their places.
    """
    found, written = reading.words(texts), texts.to_pylist()
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    shared = (passages((written[one], written[other]), found, one, other) for one, other in pairs)
    return pa.array([[{"text": text, "other_text": other} for text, other in some] for some in shared], EVIDENCE)
