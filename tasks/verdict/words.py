"""The verdict in words: a sentence for every measure, and why a pair was set aside. A measure without a sentence fails a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """One measure of a pair.

    value: the measure, 0-1 (-1 to 1 where it speaks for one of two sides; `longer` has no bound); weight: what the model
    makes of it; value x weight, the contribution, is added to the logarithm of the odds; words: the value as a sentence.
    """

    name: str
    value: float
    weight: float
    words: str

    @property
    def contribution(self) -> float:
        return self.value * self.weight


@dataclass(frozen=True)
class Barrier:
    """Why a pair is not of one tier (near, derivative): a short term, and a sentence with the figures and the knob."""

    tier: str
    name: str
    words: str


def percent(share: float) -> str:
    """A share in per cent, rounded down: what misses a threshold never reads as if it met it.

    >>> percent(0.856), percent(0.0046), percent(0.0004), percent(0.0), percent(0.9999), percent(0.29)
    ('85 %', '0.4 %', 'under 0.1 %', '0 %', '99 %', '29 %')
    """
    thousandths = int(1000 * share + 1e-6)
    if share > 0 and not thousandths:
        return "under 0.1 %"
    return f"{thousandths / 10:.1f} %" if 0 < thousandths < 10 else f"{thousandths // 10} %"


def _attribution(value: float) -> str:
    if 0 < value < 1:
        return "which outlets the two are from is not known"
    return "one text names the other's outlet" if value else "neither text names the other's outlet"


MEASURES: dict[str, Callable[[float], str]] = {
    "intercept": lambda _: "every pair begins as two stories",
    "copied": lambda share: f"{percent(share)} of the narration stands word for word in the other, on the side with less of it",
    "retold": lambda share: f"{percent(share)}: the points told in one order, times the names they share, each on the side with less of it",
    "quotes": lambda share: f"{percent(share)} of what one text quotes stands in the other",
    "own_quotes": lambda share: f"quotations of their own: both have {percent(share)} of what would speak for two stories",
    "figures": lambda share: f"{percent(share)} of the figures one text tells stand in the other",
    "names": lambda share: f"{percent(share)} of the names one text tells stand in the other",
    "attribution": _attribution,
}
"""Sentences for measures.measures."""

CAVEAT = "a share of few figures, names or quoted words is drawn to 30 %, of few sentences to 0: few say little"
"""What a reader of the sentences must know: measures.share."""

SCORES: dict[str, Callable[[float, int], str]] = {
    "jaccard": lambda share, shingle: f"{percent(share)} of the runs of {shingle} words that the two have stand in both",
    "containment": lambda share, shingle: f"{percent(share)} of this one's runs of {shingle} words stand in the kept story",
    "weighted_jaccard": lambda share, _: f"{percent(share)} of their rare words, the rarer the heavier, are in both",
    "coverage": lambda share, _: f"{percent(share)} of this one's sentences have most of their rare words from the kept story",
}
"""Sentences for the scores of decisions; the number is that of a shingle's words."""

LEANINGS: dict[str, tuple[str, str, str]] = {
    "earlier": ("{a} was published earlier", "{b} was published earlier", "the times do not tell them apart"),
    "named_by_other": ("{b} names the outlet of {a}", "{a} names the outlet of {b}", "naming the other's outlet does not tell them apart"),
    "byline": ("only {a} has a byline", "only {b} has a byline", "bylines do not tell them apart"),
    "own_quotes": ("{a} has more quotations of its own", "{b} has more quotations of its own", "neither has more quotations of its own"),
    "own_figures": ("{a} has more figures of its own", "{b} has more figures of its own", "neither has more figures of its own"),
    "longer": ("{a} is longer", "{b} is longer", "they are equally long"),
}
"""Sentences for measures.leanings: for a value above 0, below 0, and 0."""


def evidence(weights: Mapping[str, float], values: Mapping[str, float]) -> list[Evidence]:
    """The measures of a pair with their weights and sentences; what counted most comes first, the intercept before all."""
    full = {"intercept": 1.0, **values}
    found = [Evidence(name, full[name], weight, MEASURES[name](full[name])) for name, weight in weights.items()]
    return sorted(found, key=lambda one: (one.name != "intercept", -abs(one.contribution), one.name))


def leanings(weights: Mapping[str, float], values: Mapping[str, float], a: str, b: str) -> list[Evidence]:
    """The measures that tell the source, positive ones for a, with sentences that call the two stories `a` and `b`."""
    found = [Evidence(name, values[name], weight, _leaning(name, values[name]).format(a=a, b=b)) for name, weight in weights.items()]
    return sorted(found, key=lambda one: (-abs(one.contribution), one.name))


def _leaning(name: str, value: float) -> str:
    for_a, for_b, neither = LEANINGS[name]
    return for_a if value > 0 else for_b if value < 0 else neither
