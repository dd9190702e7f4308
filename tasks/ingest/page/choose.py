"""Which blocks of a page are its story: two logistic models, the second of which knows what the first thinks of the neighbours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from math import exp
from pathlib import Path

from tasks.ingest.page.blocks import Blocks
from tasks.ingest.page.measures import Hints, measure, prose_of, relate

WEIGHTS = Path(__file__).parent / "weights.json"
THRESHOLDS = {"recall": 0.25, "balanced": 0.45, "precision": 0.65}
MOST_BLOCKS = 6_000
"""Of a page with more, and nothing from trafilatura, the prose of the heaviest element is taken as it is."""
AGREED = 0.2
"""Plain text of the story's own element that trafilatura takes too stays down to this probability: a list, a verse, an odd paragraph."""


def choose(page: Blocks, hints: Hints, focus: str) -> list[int]:
    """Numbers of the blocks that are the story.

    Args:
        page: the blocks.
        hints: what else is known of the page; without trafilatura's text the prose of the heaviest element stands in for it.
        focus: precision, balanced or recall: how probable a block must be.
    """
    if not page.blocks:
        return []
    if not hints.extracted:
        prose = prose_of(page)
        if len(page.blocks) > MOST_BLOCKS:
            return prose
        hints = Hints("\n".join(page.blocks[n].text for n in prose), hints.declared, hints.title, hints.summary)
    measures, headings = measure(page, hints)
    probable = judge(page, measures, headings)
    threshold = THRESHOLDS[focus]
    return [n for n, p in enumerate(probable) if p >= (min(AGREED, threshold) if is_agreed(measures[n]) else threshold)]


def judge(page: Blocks, measures: Sequence[Mapping[str, float]], headings: Sequence[int]) -> list[float]:
    """Probability of each block that it belongs to the story."""
    both, neighbours = _weights()
    known, scores = [], []
    for m in measures:
        first = second = 0.0
        for name, value in m.items():
            pair = both.get(name)
            if pair is not None:
                first += pair[0] * value
                second += pair[1] * value
        known.append(second)
        scores.append(_probability(first))
    found = []
    for second, m in zip(known, relate(page, headings, scores), strict=True):
        found.append(_probability(second + sum(neighbours.get(name, 0.0) * value for name, value in m.items())))
    return found


def is_agreed(m: Mapping[str, float]) -> bool:
    """trafilatura has the block, it stands within the story's element, and nothing around it is named like furniture."""
    if not ("extracted 3 long" in m or "extracted 3 short" in m):
        return False
    return not any(m.get(name) for name in _DOUBTS)


_DOUBTS = (
    *("links 3", "links 4", "in furniture", "span furniture", "under furniture", "inner article"),
    *("outside 0", "outside 1", "outside 2", "outside 3", "outside 4"),
)


@cache
def _weights() -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Weights of each measure in the first and the second model, and of the neighbours' measures in the second."""
    model = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    first, second = model["first"], model["second"]
    return {name: (first.get(name, 0.0), second.get(name, 0.0)) for name in {**first, **second}}, model["neighbours"]


def _probability(score: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, score))))
