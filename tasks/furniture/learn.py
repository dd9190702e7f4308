"""Learning the furniture of a source: which lines recur in its stories, what is seen of them there, and the verdict on each."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tasks.furniture.evidence import BLOCK_LINES, FEWEST, NOTHING, OUTSIDE, SHARE, SHORT, Case, Seen, find_cue, judge, own_words
from tasks.furniture.lines import Recurring, ends_sentence, fold, is_prose, prose_before, runs
from tasks.settings import SettingsError

FEWEST_OF_SOURCE = 20
"""Stories of a source from which anything is learnt of it."""
MOST_OF_SOURCE = 2_000
"""Stories of a source that are worth reading: a hundredth of them is twenty already."""
LONGEST = 1_000
"""Code points of a line above which it is not looked at."""

log = logging.getLogger("copydesk")


class FurnitureError(SettingsError):
    """A model of furniture that cannot be used, or a corpus that has nothing to learn from; the text says what to do."""


class Story(NamedTuple):
    """A story to learn from: its source, its cluster (copies of one story count once), its day (ISO, None if unknown) and repaired text."""

    source: str
    cluster: str
    day: str | None
    text: str


@dataclass(frozen=True)
class Model:
    """What was learnt: the recurring lines by source, those to be taken first; and from how many stories of how many sources."""

    lines: tuple[Recurring, ...]
    stories: int
    sources: int


def fit(corpus: Iterable[Sequence[Story]], of: int | None = None) -> Model:
    """Learn the furniture of each source. The stories of a source and the sources may come in any order.

    Args:
        corpus: the stories of one source after the other.
        of: how many sources there are, to show how far the work is.

    Raises:
        FurnitureError: no source has stories enough.
    """
    lines: list[Recurring] = []
    stories = sources = most = 0
    for number, of_source in enumerate(corpus, 1):
        chosen = one_a_cluster(of_source)
        most = max(most, len(chosen))
        if len(chosen) >= FEWEST_OF_SOURCE:
            lines += learn(chosen)
            stories += len(chosen)
            sources += 1
        log.info("fit %d sources", number, extra={"stage": "fit", "done": number, "total": of})
    if not sources:
        raise FurnitureError(
            f"no source has {FEWEST_OF_SOURCE} different stories (the largest has {most}), and in fewer a line that recurs may be "
            "one event's; go on without a model (strip.furniture unset)"
        )
    return Model(tuple(sorted(lines, key=lambda one: (one.source, not one.take, -one.stories, one.line))), stories, sources)


def one_a_cluster(stories: Iterable[Story]) -> list[Story]:
    """Of the copies of a story one, whatever their order: sorted by cluster."""
    chosen: dict[str, Story] = {}
    for story in stories:
        if story.cluster not in chosen or story.text < chosen[story.cluster].text:
            chosen[story.cluster] = story
    return [chosen[cluster] for cluster in sorted(chosen)]


def learn(stories: Sequence[Story]) -> Iterator[Recurring]:
    """The recurring lines of one source, each with the verdict on it; sorted by their folded form.

    Args:
        stories: of one source, one a cluster.
    """
    written = [[line for line in story.text.split("\n") if line.strip()] for story in stories]
    folded = [[fold(line) if len(line) <= LONGEST else "" for line in lines] for lines in written]
    least = max(FEWEST, math.ceil(SHARE * len(stories)))
    counts = Counter(one for lines in folded for one in set(lines))
    seen = {one: Seen() for one, count in sorted(counts.items()) if count >= least and any(map(str.isalpha, one))}
    for number, (story, lines, folds) in enumerate(zip(stories, written, folded, strict=True)):
        _look(number, story.day, lines, folds, seen)
    told = {one for one, its in seen.items() if its.place == "any" and is_prose(its.example) and find_cue(one) is None}
    furnished = seen.keys() - told  # what recurs inside the stories and reads like them is the template or the background of some
    words = [frozenset(own_words("\n".join(one for one in folds if one not in furnished))) for folds in folded]
    judged = {one: judge(Case(one, its, stories[0].source, words)) for one, its in seen.items()}
    for one, line in judged.items():
        yield _heading(line, seen[one], judged) if line.why in (SHORT, NOTHING) else line


def _look(number: int, day: str | None, lines: Sequence[str], folded: Sequence[str], seen: Mapping[str, Seen]) -> None:
    """Add what one story shows of the recurring lines."""
    places: dict[str, list[int]] = {}
    for place, one in enumerate(folded):
        if one in seen:
            places.setdefault(one, []).append(place)
    if not places:
        return
    own = [one not in seen and is_prose(line) for line, one in zip(lines, folded, strict=True)]
    before = prose_before(lines, {place for found in places.values() for place in found})
    block = runs([one in seen and "#" not in one for one in folded])
    last = len(lines) - 1
    for one, found in places.items():
        its, line = seen[one], " ".join(lines[found[0]].split())
        its.rows.append(number)
        its.written.add(line.casefold())
        its.example = min(its.example or line, line)
        if day is not None:
            its.days.add(day)
            its.dated += 1
        its.placed += any(own)
        its.head += any(own) and all(before[place] <= 1 - OUTSIDE for place in found)
        its.tail += any(own) and all(before[place] >= OUTSIDE for place in found)
        its.prose_after += any(place < last and own[place + 1] for place in found)
        its.prose_before += any(place > 0 and own[place - 1] for place in found)
        its.block += all(block[place] >= BLOCK_LINES for place in found)
        its.next[folded[found[-1] + 1] if found[-1] < last else ""] += 1


def _heading(line: Recurring, its: Seen, judged: Mapping[str, Recurring]) -> Recurring:
    """A label after the story that always stands over one line of furniture, and this under no other, is its heading and no subhead."""
    if line.place != "tail" or ends_sentence(line.line):
        return line
    for one, count in its.next.items():
        under = judged.get(one)
        if under is not None and under.take and count >= OUTSIDE * max(line.stories, under.stories):
            return replace(line, take=True, why="heads a line of furniture")
    return line
