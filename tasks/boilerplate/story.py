"""One story: which lines stay, which go and why."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import terms
from tasks.boilerplate.dated import DATE_WORDS
from tasks.boilerplate.lift import Fields, Page, date_line, read_credits
from tasks.boilerplate.lines import GAP, PARAGRAPH_WORDS, SENTENCE_WORDS, Line, classes, find_body, line_of, weigh
from tasks.boilerplate.model import choose
from tasks.boilerplate.rules import LONGEST, OVERRIDE, RECURRING, Matcher, Rule

ENOUGH = 80  # words of prose before a comment section; with fewer, "Comments" is a button above the story
END_SHARE = 0.3  # and they must be so many times what follows, lest a story be lost to a button
REST_SHARE = 0.25  # what follows "Related stories" may hold so much of the prose before it, and ENOUGH at most, and still be furniture
PAGE_CUES = 4  # so many known lines of furniture outside the body show that the text is a page, not a story
PAGE_MENU = 12  # so do so many lines before the body that are no prose: a menu in a language without rules
STAMPS = 3  # so many lines of date and time after the story are over comments

_CLOCK = re.compile(r"\d[:.h]\d\d")


class RemovedLine(TypedDict):
    """A line of the repaired text that is not in the cleaned one."""

    rule: str
    zone: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Stripped:
    """A story's text without furniture, what was taken from it, and what the taken lines say about it.

    Attributes:
        text: the kept lines, split by a blank line.
        removed: the other lines, by line number; `rebuild(text, removed)` is the text that was given.
        fields: headline, byline, agency and date as the lines say; None where they do not.
    """

    text: str
    removed: tuple[RemovedLine, ...]
    fields: Fields


class Read(NamedTuple):
    """A story's lines, how each reads by itself, and the rule that knows it; numbers of those that are blank, and of those with a numeral."""

    lines: list[str]
    looks: list[Line]
    hits: list[Rule | None]
    blank: list[int]
    numbered: list[int]


def read_lines(texts: pa.ChunkedArray[Any] | Sequence[str], matcher: Matcher) -> Iterator[Read]:
    """Read stories, one paragraph a line; all at once, as that is faster. Lines end at "\n" only, other separators are part of a line."""
    from tasks.kernels import looks as kernel

    data, offsets = terms.buffers(texts)
    rows, begins, ends = kernel.split(data, offsets)
    codes, points, flags = kernel.look(data, begins, ends, classes(), SENTENCE_WORDS, PARAGRAPH_WORDS)
    asked = np.flatnonzero((points > 0) & (points <= LONGEST))
    hits: list[Rule | None] = [None] * len(codes)
    for place, rule in matcher.match_lines(data, begins[asked], ends[asked]).items():
        hits[asked[place]] = rule
    looks = list(map(line_of, codes.tolist()))
    blank, numbered = (_by_text(rows, flags & flag != 0) for flag in (kernel.BLANK, kernel.NUMBERED))
    bounds = rows.tolist()
    for text, first, last, *of_text in zip(_strings(texts), bounds, bounds[1:], blank, numbered, strict=False):
        yield Read(text.split("\n"), looks[first:last], hits[first:last], *of_text)


def _by_text(rows: npt.NDArray[np.int64], flags: npt.NDArray[np.bool_]) -> Iterator[list[int]]:
    """Numbers of the lines with a flag, of each text from 0."""
    numbers = np.flatnonzero(flags)
    bounds = np.searchsorted(numbers, rows)
    inside = (numbers - np.repeat(rows[:-1], np.diff(bounds))).tolist()
    for first, last in pairwise(bounds.tolist()):
        yield inside[first:last]


def _strings(texts: pa.ChunkedArray[Any] | Sequence[str]) -> Iterator[str]:
    return chain.from_iterable(chunk.to_pylist() for chunk in texts.chunks) if isinstance(texts, pa.ChunkedArray) else iter(texts)


def strip_lines(
    read: Read,
    *,
    title: str | None = None,
    url: str | None = None,
    lift: bool = True,
    recurring: Collection[int] = (),
    decided: Mapping[int, bool] | None = None,
) -> Stripped:
    """Take the furniture off one story.

    Args:
        read: the story's lines, as `read_lines` gives them.
        title: the record's own title, if it has one.
        url: where the story stood; its address may hold the day.
        lift: move headline, byline, agency and date lines out of the text; else they stay in it.
        recurring: numbers of the lines that are known to recur in the stories of this one's source.
        decided: by number what an editor says of a line: true, it goes, false, it stays, whatever a rule or a model says of it. The lines
            around it are seen beside a known line of furniture, or beside a sentence.
    """
    lines, looks, hits, _, _ = read
    for n in recurring:
        hits[n] = hits[n] or RECURRING
    if not decided:
        return _stripped(lines, *_choose(read, title, url, lift))
    for n, goes in decided.items():
        hits[n] = OVERRIDE if goes else None
        if not goes:
            looks[n] = _SENTENCE._replace(words=looks[n].words)
    taken, fields = _choose(read, title, url, lift)
    taken = {n: rule for n, rule in taken.items() if n not in decided} | {n: OVERRIDE.id for n, goes in decided.items() if goes}
    return _stripped(lines, taken, fields)


_SENTENCE = Line(SENTENCE_WORDS, True, float(SENTENCE_WORDS))
"""How a line is seen that an editor says is part of the story."""


def _choose(read: Read, title: str | None, url: str | None, lift: bool) -> tuple[dict[int, str], Fields]:
    """The lines to take, each with the rule that takes it, and what they say."""
    lines, looks, hits, blank, numbered = read
    live = sorted({*range(len(lines))}.difference(blank)) if blank else list(range(len(lines)))
    taken = dict.fromkeys(blank, "blank") if lines != [""] else {}
    if len(live) <= 1:
        taken |= {n: rule.id for n in live if (rule := hits[n]) is not None and rule.kind not in ("byline", "agency")}
        return taken, Fields()
    known = [_is_cue(hits[n]) for n in live] if any(hits) else ()
    weights = weigh([looks[n] for n in live] if blank else looks, known)
    page = Page(lines, looks, hits, 0, len(lines), numbered)
    cut, opener = _find_end(page, live, weights)
    taken |= {n: rule.id if (rule := hits[n]) else opener for n in live[cut:]}
    page, whole = _find_page(page, live[:cut], weights[:cut], live[cut:])
    found = read_credits(page, title, url)
    if not whole and not known and not found.lines:
        return taken, found.fields
    story = _find_story(page, live, found.heading, title) if whole else range(page.start, page.end)
    for n in live[:cut]:
        rule = hits[n]
        if n in found.lines:
            if lift:
                taken[n] = found.lines[n]
        elif rule is not None and _is_cue(rule) and not (n in story and rule.zone == "margin"):
            taken[n] = rule.id
        elif whole and n not in story:
            taken[n] = "furniture"
    if not whole:
        _take_lists(page, live[:cut], taken)
    return taken, found.fields


def _find_story(page: Page, live: Sequence[int], heading: int | None, title: str | None) -> set[int]:
    """Numbers of a page's lines that are of its story, by the line model."""
    inside = [page.start <= n < page.end for n in live]
    seen = ([page.lines[n] for n in live], [page.looks[n] for n in live], [page.hits[n] for n in live], inside)
    kept = choose(*seen, live.index(heading) if heading in live else None, title)
    return {n for n, one in zip(live, kept, strict=True) if one}


def rebuild(text: str, removed: Sequence[Mapping[str, Any]]) -> str:
    """The repaired text again, exactly: the removed lines at their numbers, the paragraphs of the text in the other places.

    >>> rebuild("Ships wait.", [{"rule": "share", "zone": "tail", "line": 1, "text": "Share"}])
    'Ships wait.\\nShare'
    """
    gone = {entry["line"]: entry["text"] for entry in removed}
    kept = iter(text.split("\n\n") if text or not gone else ())
    lines: list[str] = []
    while True:
        line = gone[len(lines)] if len(lines) in gone else next(kept, None)
        if line is None:
            return "\n".join(lines)
        lines.append(line)


def _find_page(page: Page, live: Sequence[int], weights: Sequence[float], cut: Sequence[int]) -> tuple[Page, bool]:
    """The body, and whether the lines are a whole page; if not, all from the first prose to the last sentence is body.

    Args:
        page: the lines, as yet without a body.
        live, weights: numbers and weights of the lines that are not blank, before the cut.
        cut: numbers of the lines after it.
    """
    first, last = find_body(weights)
    outside: Sequence[int] = ()
    if first < last:
        page = page._replace(start=live[first], end=live[last - 1] + 1)
        outside = (*live[:first], *live[last:])
    cues = sum([_is_cue(page.hits[n]) for n in (*outside, *cut)])
    menu = sum([page.looks[n].weight <= GAP for n in live[:first]])
    if cues >= PAGE_CUES or menu >= PAGE_MENU:
        return page, True
    prose = next((n for n in live if page.looks[n].prose and not _is_cue(page.hits[n])), None)
    if prose is None:
        return page, False
    sentence = next(n for n in reversed(live) if page.looks[n].weight > GAP and not _is_cue(page.hits[n]))
    return page._replace(start=prose, end=sentence + 1), False


def _is_cue(rule: Rule | None) -> bool:
    return rule is not None and rule.kind not in ("byline", "agency")


def _find_end(page: Page, live: Sequence[int], weights: Sequence[float]) -> tuple[int, str]:
    """Where comments or lists of other stories end the page, as a position in `live` or its length, and the rule that says so."""
    clocks = [n for n in page.numbered if page.looks[n].words <= DATE_WORDS and _CLOCK.search(page.lines[n])]
    stamps = [n for n in clocks if _is_stamp(page, n)] if len(clocks) >= STAMPS else []
    stamped = frozenset(stamps)
    last = stamps[-STAMPS] if len(stamps) >= STAMPS else -1  # from here on there are too few
    ends = any(rule.kind in ("end", "rest") for rule in filter(None, page.hits))
    if not ends and len(stamps) < STAMPS:
        return len(live), ""
    heaviest = _heaviest(weights)
    total = sum(weight for weight in weights if weight > 0)
    before = 0.0
    for position, n in enumerate(live):
        rule = page.hits[n]
        if before >= ENOUGH and (rule is not None or n in stamped):
            enough = before >= END_SHARE * (total - before)
            if rule is not None and rule.kind == "end" and enough:
                return position, rule.id
            if rule is not None and rule.kind == "rest" and not _opens_prose(page, live, position):
                most = min(ENOUGH, REST_SHARE * before)
                if heaviest[position] <= most + 1e-6 and _best(weights[position:]) <= most:
                    return position, rule.id
            elif enough and n in stamped and n <= last:
                named = not page.looks[live[position - 1]].prose
                return position - named, "comments"
        if weights[position] > 0:
            before += weights[position]
    return len(live), ""


def _is_stamp(page: Page, n: int) -> bool:
    """A line with a time of day is nothing but date and time, as over a comment; a chronicle's dates have no time."""
    return len(page.lines[n]) <= LONGEST and date_line(page.lines[n], page.looks[n]) is not None


def _opens_prose(page: Page, live: Sequence[int], position: int) -> bool:
    """A sentence comes next, so that the line is a subhead of the story ("Up next") and no heading of a list of titles."""
    return position + 1 < len(live) and page.lines[live[position + 1]].rstrip()[-1:] in ".。"


def _heaviest(weights: Sequence[float]) -> list[float]:
    """`_best` of what begins at each position, give or take the rounding of sums: all of them in the time of one."""
    run = best = 0.0
    found = []
    for weight in reversed(weights):
        run = weight + max(run, 0.0)
        best = max(best, run)
        found.append(best)
    return found[::-1]


def _best(weights: Sequence[float]) -> float:
    first, last = find_body(weights)
    return sum(weights[first:last])


def _take_lists(page: Page, live: Sequence[int], taken: dict[int, str]) -> None:
    """The short lines under the heading of a list of other stories go with it."""
    heading: Rule | None = None
    for n in live:
        rule = page.hits[n]
        if rule is not None and rule.kind in ("rest", "block", "end") and n in taken:
            heading = rule
        elif page.looks[n].weight > GAP:
            heading = None
        elif heading is not None:
            taken.setdefault(n, heading.id)


def _stripped(lines: Sequence[str], taken: Mapping[int, str], fields: Fields) -> Stripped:
    if not taken:
        return Stripped("\n\n".join(lines), (), fields)
    kept = [n for n in range(len(lines)) if n not in taken]
    first, last = (kept[0], kept[-1]) if kept else (len(lines), len(lines))
    zones = {n: "head" if n < first else "tail" if n > last else "body" for n in sorted(taken)}
    removed = tuple([RemovedLine(rule=taken[n], zone=zone, line=n, text=lines[n]) for n, zone in zones.items()])
    return Stripped("\n\n".join([lines[n] for n in kept]), removed, fields)
