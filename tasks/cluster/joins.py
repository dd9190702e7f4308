"""Who joins an anchor, where editors have a word in it: tasks/overrides.py says what their entries mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.cluster.policy import Links, Member, best
from tasks.overrides import Word
from tasks.verdict import Judgement

_CLOSEST = {"exact": 0, "near": 1, "derivative": 2}


class Join(NamedTuple):
    """The anchor that a member joins, and the entry that makes it, if it is not the verdict."""

    anchor: str
    override: str | None = None


def ruled(judgement: Judgement, word: Word, marks: dict[str, str]) -> Judgement:
    """The judgement as editors leave it; an overruled verdict that two stories are one is noted in `marks`, for both.

    Of two stories that editors make one, equal texts stay `exact`; else the entry says the relation, or the verdict, or it is `near`.
    """
    if separate := word.apart(judgement.a, judgement.b):
        if judgement.relation is not None:
            mark(marks, separate, (judgement.a, judgement.b))
        return replace(judgement, relation=None)
    if (entry := word.joins(judgement.a, judgement.b)) and judgement.relation != "exact":
        return replace(judgement, relation=entry.relation or judgement.relation or "near")
    return judgement


def mark(marks: dict[str, str], entry: str, stories: Sequence[str]) -> None:
    """Note the entry for the stories; the first by its id stands, in whatever order they come."""
    for story in stories:
        marks[story] = min(marks.get(story, entry), entry)


def anchors(group: Sequence[str], members: dict[str, Member], known: Links, complete: float, word: Word) -> list[str]:
    """The stories of a group that others join: those that editors keep, else the best by the policy."""
    return [name for name in group if word.kept(name)] or [best(group, members, known, complete)]


def join(
    group: Sequence[str],
    chosen: Sequence[str],
    members: Mapping[str, Member],
    known: Links,
    copies: Mapping[str, set[str]],
    word: Word,
    marks: dict[str, str],
) -> dict[str, Join]:
    """For each member of a group that joins an anchor: which one.

    A bundle of stories that editors make one joins as a whole, and where its likest member would.

    Args:
        group: all of them judged with each of the anchors.
        chosen: the anchors.
        copies: of `policy.copies_of`.
        marks: takes the entries that held a story apart from one it would have joined.
    """
    like = {anchor: {name for name in group if name != anchor and _repeats(name, anchor, known, copies)} for anchor in chosen}
    if len(chosen) == 1 and not any(map(word.concerns, group)):
        return {name: Join(chosen[0]) for name in group if name in like[chosen[0]]}
    bundles: dict[str, list[str]] = {}
    for name in group:
        bundles.setdefault(word.group(name), []).append(name)
    of_bundle = {word.group(anchor): anchor for anchor in chosen}
    inside = {anchor: [word.group(anchor)] for anchor in chosen}
    wishes = [
        (
            min(_likeness(known[anchor][name], members[name]) for name in names if name in like[anchor]),
            _order(members[anchor]),
            bundle,
            anchor,
        )
        for anchor in chosen
        for bundle, names in bundles.items()
        if bundle not in of_bundle and not like[anchor].isdisjoint(names)
    ]
    for *_, bundle, anchor in sorted(wishes):
        clashes = [(entry, other) for other in inside[anchor] if (entry := word.apart(bundle, other))]
        for entry, other in clashes:
            mark(marks, entry, [*bundles[bundle], *bundles[other]])
        if not clashes and bundle not in of_bundle:
            of_bundle[bundle] = anchor
            inside[anchor].append(bundle)
    return {
        name: Join(anchor, _entry(name, anchor, name in like[anchor], word))
        for bundle, anchor in of_bundle.items()
        for name in bundles[bundle]
        if name != anchor
    }


def _repeats(name: str, anchor: str, known: Links, copies: Mapping[str, set[str]]) -> bool:
    """Copies go together: no rewrite of the anchor is a copy of what is another story."""
    found = known[anchor][name]
    return found.relation is not None and not (
        found.relation == "derivative" and any(known[anchor][copy].relation is None for copy in copies[name])
    )


def _entry(name: str, anchor: str, repeats: bool, word: Word) -> str | None:
    entry = word.joins(name, anchor) or (None if repeats else word.joined(name))
    return entry.id if entry else None


def _likeness(found: Judgement, member: Member) -> tuple[object, ...]:
    """Sorts the likest first."""
    return (_CLOSEST[found.relation or "near"], -found.probability, -found.jaccard, -found.weighted_jaccard, *_order(member))


def _order(member: Member) -> tuple[object, ...]:
    return (member.published, member.text_hash, member.story_id)
