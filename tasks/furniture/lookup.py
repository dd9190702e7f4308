"""Which lines of a story are known to be furniture of its source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tasks.furniture.lines import Place, Recurring, fold, prose_before, runs

OUTSIDE = 0.75
"""Share of a story's own prose that must stand before a known line for it to be at the tail, or after it for the head. What the line is,
is known, so it may be less than in learning: a list of other stories may stand beyond it."""
BLOCK_LINES = 4
"""Known lines one after the other that make a block."""


@dataclass(frozen=True, slots=True)
class Known:
    """The lines of one source by their folded form; most other lines are told from them by their first signs or their length.

    Attributes:
        places: folded lines and where they are taken.
        heads: the first four code points of the lines, without case.
        odd: first code points of lines that must be folded to be told: white space, and of lines with a number near their beginning.
        longest: code points of the longest line that may be one of them.
    """

    places: Mapping[str, Place]
    heads: frozenset[str]
    odd: frozenset[str]
    longest: int


@dataclass(frozen=True)
class Furniture:
    """The lines that a model takes, by source, ready to be asked for; `name` says what they are."""

    name: str
    sources: Mapping[str, Known]

    def known(self, source: str | None, lines: Sequence[str]) -> tuple[int, ...]:
        """Numbers of the lines of one story that are furniture of its source, ascending. It costs some 10 µs a story, 0.1 of unknown sources.

        A line that was learnt outside the stories is taken only where it stands outside this one, one that was learnt in a block only in a
        block.

        Args:
            source: the story's outlet; nothing is known of None.
            lines: the story, one paragraph a line, blank ones included.
        """
        ours = self.sources.get(source) if source is not None else None
        if ours is None:
            return ()
        heads, odd, longest, places = ours.heads, ours.odd, ours.longest, ours.places
        found: dict[int, Place] = {}
        for number, line in enumerate(lines):
            if (line[:4].casefold() in heads or line[:1] in odd) and len(line) <= longest and (place := places.get(fold(line))):
                found[number] = place
        if all(place == "any" for place in found.values()):
            return tuple(found)
        before = prose_before(lines, found)
        live = [number for number, line in enumerate(lines) if line.strip()]
        block = dict(zip(live, runs([number in found for number in live]), strict=True))
        return tuple(number for number, place in found.items() if _fits(place, before[number], block[number]))


def _fits(place: Place, before: float, block: int) -> bool:
    """A known line stands where such a line is taken; in a story without prose head and tail are everywhere."""
    if place == "block":
        return block >= BLOCK_LINES
    return place == "any" or not (before > 1 - OUTSIDE if place == "head" else before < OUTSIDE)


def look_up(lines: Iterable[Recurring], format_name: str) -> Furniture:
    """The lines that are to be taken, in the form that is fast to ask, named by what they say in that format."""
    taken = sorted((line for line in lines if line.take), key=lambda line: line.source)
    sources = {source: _known(tuple(found)) for source, found in groupby(taken, key=lambda line: line.source)}
    spelled = [format_name, sorted((source, sorted(known.places.items())) for source, known in sources.items())]
    return Furniture(f"furniture-{hashlib.sha256(json.dumps(spelled).encode()).hexdigest()[:16]}", sources)


def _known(lines: Sequence[Recurring]) -> Known:
    places = {line.folded: line.place for line in lines}
    heads = {line.line.strip()[:4].casefold() for line in lines}
    near = [folded[0] for folded in places if "#" in folded[:4]]
    odd = {" ", "\t", "\u00a0", "\u3000", *near, *(one.upper() for one in near), *("0123456789" if "#" in near else "")}
    return Known(places, frozenset(heads), frozenset(odd), 2 * max(map(len, places)) + 40)  # a number is longer than its sign
