"""What was decided, in words for an editor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.verdict.words import SCORES

REASONS = {
    "source_of_derivative": "the other story is the source, and this one its rewrite",
    "more_complete": "the other story has more of the text",
    "latest_version": "the other story is the outlet's latest version of it",
    "earlier": "the other story was published first",
    "tie": "nothing tells the two apart, so a fixed order decided",
    "override": "an editor keeps the other story",
}
"""Why the other story was kept: decisions.reason of a duplicate."""


def reason(term: str | None) -> str:
    """A reason in words; one without words as the term it is.

    >>> reason("earlier"), reason("by_hand")
    ('the other story was published first', 'by hand')
    """
    return REASONS.get(term or "", (term or "").replace("_", " "))


def said(decision: Mapping[str, Any], shingle: int) -> list[str]:
    """The scores of a duplicate, a sentence each."""
    if decision["relation"] == "exact":
        return ["the two have the same cleaned text, to the letter"]
    return [words(decision[name], shingle) for name, words in SCORES.items() if decision[name] is not None]
