"""The keeping policy: which of some records of a story is kept.

A rewrite never wins over its source. Among copies of one text, of one source the latest complete version stands; among
sources the one that published first wins. Ties: hash of the text, then story_id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.verdict import Judgement
from tasks.verdict.stories import UNKNOWN

Links = defaultdict[str, dict[str, Judgement]]
"""Judgements by story and other story, both ways."""
_COPY = ("exact", "near")


@dataclass(frozen=True)
class Member:
    """What the policy knows of a story. published: UTC us, the largest int64 when unknown."""

    story_id: str
    source: str
    published: int
    words: int
    text_hash: bytes


def best(group: Sequence[str], members: dict[str, Member], known: Links, complete: float) -> str:
    """The story of a group that the policy keeps."""
    original = underived(group, known)
    copies = copies_of(original, known)
    standing = {name for name in original if _is_complete(name, copies, members, complete)}
    latest = [
        name
        for name in standing
        if not any(
            _same_source(members[other], members[name]) and _newer(members[other], members[name]) for other in copies[name] & standing
        )
    ]
    return min(latest or standing, key=lambda name: (_first(name, copies, members), members[name].text_hash, name))


def underived(group: Sequence[str], known: Links) -> list[str]:
    """The members that are no rewrite of another one, nor a copy of such a rewrite; all of them if that leaves none."""
    inside = set(group)
    rewrites: set[str] = set()
    sources: set[str] = set()
    for name in group:
        for other, judgement in known[name].items():
            if judgement.relation == "derivative" and other in inside:
                (sources if is_source(name, judgement) else rewrites).add(name)
    copies = copies_of(group, known)
    also = {other for name in rewrites for other in copies[name] if other not in sources}
    return [name for name in group if name not in rewrites | also] or [name for name in group if name not in rewrites] or list(group)


def is_source(name: str, judgement: Judgement) -> bool:
    """Is the named story the source in a judged pair of source and rewrite?"""
    return (judgement.source_a >= 0.5) == (name == judgement.a)


def copies_of(group: Sequence[str], known: Links) -> dict[str, set[str]]:
    """For each member the members judged to be the same copy."""
    inside = set(group)
    return {name: {other for other, j in known[name].items() if j.relation in _COPY and other in inside} for name in group}


def _is_complete(name: str, copies: dict[str, set[str]], members: dict[str, Member], complete: float) -> bool:
    return members[name].words >= complete * max((members[other].words for other in copies[name]), default=0)


def _same_source(one: Member, other: Member) -> bool:
    return one.source != "" and one.source == other.source


def _newer(one: Member, other: Member) -> bool:
    """Is `one` a later version?  Unknown times count as oldest; equal times are no versions of each other."""
    return one.published != UNKNOWN and (other.published == UNKNOWN or one.published > other.published)


def _first(name: str, copies: dict[str, set[str]], members: dict[str, Member]) -> int:
    """When the story's source first published it, in any version."""
    versions = [members[other].published for other in copies[name] if _same_source(members[other], members[name])]
    return min([members[name].published, *versions])


def reason(
    row: Member, kept: Member, judgement: Judgement, copies: dict[str, set[str]], members: dict[str, Member], complete: float
) -> str:
    """The first step of the policy that tells the two apart."""
    if judgement.relation == "derivative":
        return "source_of_derivative"
    if row.words < complete * kept.words:
        return "more_complete"
    if _same_source(row, kept) and _newer(kept, row):
        return "latest_version"
    if _first(kept.story_id, copies, members) < _first(row.story_id, copies, members):
        return "earlier"
    return "tie"
