"""What a recurring line is, and how lines are compared and placed: the same for learning them and for looking them up."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Place = Literal["any", "head", "tail", "block"]

UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
"""A character of a script that writes no spaces between words."""

_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_DIGIT = re.compile(r"\d")
# the names of months and days by their first letters, in a dozen languages: only beside a number do they count
_MONTH = (
    "jan|feb|fév|mar|mär|maa|mrt|apr|avr|abr|may|mai|mei|maj|mag|jun|jui|jul|giu|lug|aug|aoû|ago|sep|set|oct|okt|ott|out|nov|dec|dez|dic|déc"
    "|ene|gen|lut|kwi|cze|lip|sie|wrz|paź|lis|gru|oca|şub|nis|haz|tem|ağu|eyl|eki|kas|ara|янв|фев|мар|апр|мая|июн|июл|авг|сен|окт|ноя|дек"
)
_DAY = (
    "mon|tue|wed|thu|fri|sat|sun|mit|die|don|fre|sam|son|lun|mer|jeu|ven|dim|mié|jue|vie|sáb|dom|mar|gio|seg|ter|qua|qui|sex|maa|din|woe|vri|zat|zon"
    "|pon|wto|śro|czw|pią|sob|nie|pzt|sal|çar|per|cum|пон|вто|сре|чет|пят|суб|вос"
)
_DATE = re.compile(
    rf"(?:\b(?:{_DAY})[^\W\d_]{{0,9}}\.?,? )?(?:#(?:st|nd|rd|th|er|º|\.)? (?:of |de )?(?:{_MONTH})[^\W\d_]{{0,9}}\b\.?(?:,? (?:de )?#)?"
    rf"|\b(?:{_MONTH})[^\W\d_]{{0,9}}\.? #(?:st|nd|rd|th)?(?:, #)?)"
)
_ENDS = frozenset(".!?…。！？।؟۔｡")
_CLOSERS = " \t\u00a0\"'”’»›“„)]）」』】*"


@dataclass(frozen=True, slots=True)
class Recurring:
    """A line that recurs in a source, as the model's file has it.

    Attributes:
        source: the outlet, as in the column `source`.
        take: it is furniture; else it is listed for an editor to judge.
        place: where it is taken: any; head, tail: outside the story only; block: among other known lines only.
        why: the evidence, for people.
        stories, of: stories of the source that have it, of so many that were read.
        days: days on which these were published, as far as known.
        line: the line as one story has it.
    """

    source: str
    take: bool
    place: Place
    why: str
    stories: int
    of: int
    days: int
    line: str

    @property
    def folded(self) -> str:
        """The line as lines are compared."""
        return fold(self.line)


def fold(line: str) -> str:
    """The line as lines are compared: without case, with single spaces and one sign for each number and date.

    >>> fold("Monday, 4 March 2024  |  1,204 Comments")
    '# | # comments'
    """
    folded = " ".join(line.casefold().split())
    if _DIGIT.search(folded):
        folded = _DATE.sub("#", _NUMBER.sub("#", folded))
    return folded


def is_prose(line: str) -> bool:
    """True for a line that may well be a sentence or more: long, and ended like one, or very long.

    >>> is_prose("The ferry was late again on Monday, and nobody said why."), is_prose("Share on Facebook")
    (True, False)
    """
    if len(line) < 15 or len(line) >= 120:
        return len(line) >= 120
    return ends_sentence(line) and (len(line) >= 40 or line.rstrip(_CLOSERS)[-1] in "。！？")


def ends_sentence(line: str) -> bool:
    """True when the line's last sign, closing quotes and brackets aside, ends a sentence in any script.

    >>> ends_sentence('He said: "No."'), ends_sentence("The ferry is late")
    (True, False)
    """
    return line.rstrip(_CLOSERS)[-1:] in _ENDS


def prose_before(lines: Sequence[str], furniture: Container[int]) -> list[float]:
    """Share of the story's own prose that stands before each line, in code points; nan in a story that has none.

    Args:
        lines: the story.
        furniture: numbers of the lines that are none of its own.
    """
    own = [len(line) if is_prose(line) and number not in furniture else 0 for number, line in enumerate(lines)]
    whole = sum(own)
    before, shares = 0, []
    for length in own:
        shares.append(before / whole if whole else float("nan"))
        before += length
    return shares


def runs(marked: Sequence[bool]) -> list[int]:
    """For each place the length of the run of marked places that it is in, 0 where it is not marked.

    >>> runs([True, True, False, True])
    [2, 2, 0, 1]
    """
    lengths: list[int] = []
    for mark, group in groupby(marked):
        length = sum(1 for _ in group)
        lengths += [length if mark else 0] * length
    return lengths
