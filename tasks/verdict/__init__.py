"""The verdict on a pair of stories: exact, near, derivative or neither, with the figures it rests on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tasks import settings
from tasks.verdict import measures as measuring
from tasks.verdict import stories as reading
from tasks.verdict.passages import passages
from tasks.verdict.stories import Reading, Story

__all__ = ["Judge", "Judgement", "Model", "load_model"]


NEAR = 0.99
"""Least probability of a near copy, which exact sets of shingles have shown."""


@dataclass(frozen=True)
class Model:
    """Two logistic models: `rewrite` over measuring.measures (with "intercept"), `source` over measuring.leanings."""

    rewrite: dict[str, float]
    source: dict[str, float]


@dataclass(frozen=True)
class Judgement:
    """The verdict on stories a and b (a < b).

    relation: exact, near, derivative, or None for two stories; probability that they are one, 0-1; `_a` is a share of a found
    in b; source_a: estimated probability that a is the source of b rather than b of a; passages (text of a, of b). Pairs
    whose sets of shingles and terms are too unlike are not read: probability 0, coverage None.
    """

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
    passages: tuple[tuple[str, str], ...]


@cache
def load_model() -> Model:
    """The model beside this module, with its training record in the same file."""
    read = json.loads((files(__package__) / "model.json").read_text(encoding="utf-8"))
    return Model(read["rewrite"]["weights"], read["source"]["weights"])


def logistic(weights: dict[str, float], values: dict[str, float]) -> float:
    """1 / (1 + exp(-(intercept + weights . values))); a weight without a value is an error, never a silent zero."""
    total = weights.get("intercept", 0.0) + sum(weight * values[name] for name, weight in weights.items() if name != "intercept")
    return 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, total))))


class Judge:
    """Judges pairs of stories read from shards, reading each text once.

    It lives as long as one batch of pairs: the readings it keeps depend on the texts alone.
    """

    def __init__(self, stories: dict[int, Story], near: settings.Near, derivative: settings.Derivative) -> None:
        self.stories = stories
        self.near = near
        self.derivative = derivative
        self.model = load_model()
        self.readings: dict[int, Reading] = {}

    def reading(self, number: int) -> Reading:
        if number not in self.readings:
            self.readings[number] = reading.peruse(self.stories[number])
        return self.readings[number]

    def judge(self, left: int, right: int) -> Judgement:
        """The verdict on two stories, whatever their order."""
        left, right = sorted((left, right), key=lambda number: self.stories[number].story_id)
        a, b = self.stories[left], self.stories[right]
        over = measuring.overlap(a, b)
        same = a.text_hash == b.text_hash and len(a.shingles) > 0
        alike = is_alike(a, b, over, self.near)
        related = can_derive(a, b, over.weighted_jaccard, self.derivative)
        if not (same or alike or related):
            return Judgement(a.story_id, b.story_id, None, 0.0, **vars(over), coverage_a=None, coverage_b=None, source_a=0.5, passages=())
        one, other = self.reading(left), self.reading(right)
        probability = logistic(self.model.rewrite, measuring.measures(a, b, one, other))
        relation = None
        if same:
            relation, probability = "exact", 1.0
        elif alike and has_details(one, other, self.near):
            relation, probability = "near", max(probability, NEAR)
        elif related and probability >= self.derivative.probability:
            relation = "derivative"
        return Judgement(
            a.story_id,
            b.story_id,
            relation,
            probability,
            **vars(over),
            coverage_a=measuring.coverage(one, other),
            coverage_b=measuring.coverage(other, one),
            source_a=logistic(self.model.source, measuring.leanings(a, b, one, other)),
            passages=tuple(passages(one, other)) if relation else (),
        )


def is_alike(a: Story, b: Story, over: measuring.Overlap, near: settings.Near) -> bool:
    """One wording: enough shingles of both in common, or nearly all of one that is long enough to be a cut of the other."""
    cut = min(len(a.shingles), len(b.shingles)) >= near.cut_shingles and max(over.containment_a, over.containment_b) >= near.containment
    return cut or over.jaccard >= near.jaccard


def has_details(one: Reading, other: Reading, near: settings.Near) -> bool:
    """Do two texts of one wording agree in figures and names too?  A template filled in anew does not."""
    short, long = (one, other) if len(one.hashes) <= len(other.hashes) else (other, one)
    return measuring.details_shared(short, long) >= near.details


def can_derive(a: Story, b: Story, weighted_jaccard: float, derivative: settings.Derivative) -> bool:
    """May the pair be judged source and rewrite at all?

    A rewrite is another outlet's. Headlines and briefs have too few rare terms to tell one from another story of the
    topic. Below the least weighted Jaccard a pair is proposed by chance only, so a verdict there would depend on chance.
    """
    return (
        derivative.enabled
        and weighted_jaccard >= derivative.weighted_jaccard
        and min(len(a.terms), len(b.terms)) >= derivative.min_terms
        and (derivative.same_source or not a.source or reading.outlet(a.source) != reading.outlet(b.source))
    )


def judge_pairs(
    pairs: Iterable[tuple[int, int]], shards: Sequence[Path], near: settings.Near, derivative: settings.Derivative
) -> list[Judgement]:
    """The verdicts on pairs of story numbers, in their order, reading from the shards only the stories concerned."""
    asked = list(pairs)
    judge = Judge(reading.read(shards, {number for pair in asked for number in pair}), near, derivative)
    return [judge.judge(left, right) for left, right in asked]


def as_rows(judged: Iterable[Judgement]) -> list[dict[str, Any]]:
    """Judgements as rows of a pairs file (match.JUDGED)."""
    return [{**vars(j), "passages": [{"text": t, "other_text": o} for t, o in j.passages]} for j in judged]
