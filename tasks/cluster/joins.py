"""Who joins an anchor, where editors have a word in it: tasks/overrides.py says what their entries mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.cluster.policy import Links, Member
from tasks.overrides import Word
from tasks.verdict import Judgement

_CLOSEST = {"exact": 0, "near": 1, "derivative": 2}


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


def join(
    group: Sequence[str],
    anchor: str,
    members: Mapping[str, Member],
    known: Links,
    copies: Mapping[str, set[str]],
    word: Word,
    marks: dict[str, str],
) -> dict[str, str | None]:
    """The members of a group that join its anchor, each with the entry that makes it, if it is not the verdict.

    A bundle of stories that editors make one joins as a whole, if one of them would.

    Args:
        group: all of them judged with the anchor.
        copies: of `policy.copies_of`.
        marks: takes the entries that held a story apart from one it would have joined.
    """
    judged = known[anchor]
    like: dict[str, str | None] = {  # copies go together: no rewrite of the anchor is a copy of what is another story
        name: None
        for name in group
        if name != anchor
        and (relation := judged[name].relation)
        and not (
            relation == "derivative" and any(judged[copy].relation is None for copy in copies[name] if word.group(copy) != word.group(name))
        )
    }
    if word.stories.isdisjoint(group):
        return like
    bundles: dict[str, list[str]] = {}
    for name in group:
        bundles.setdefault(word.group(name), []).append(name)
    inside = [word.group(anchor)]
    wishes = [
        (min(_likeness(known[anchor][name], members[name]) for name in names if name in like), bundle)
        for bundle, names in bundles.items()
        if bundle not in inside and not like.keys().isdisjoint(names)
    ]
    for _, bundle in sorted(wishes):
        clashes = [(entry, other) for other in inside if (entry := word.apart(bundle, other))]
        for entry, other in clashes:
            mark(marks, entry, [*bundles[bundle], *bundles[other]])
        if not clashes:
            inside.append(bundle)
    return {name: _entry(name, anchor, name in like, word) for bundle in inside for name in bundles[bundle] if name != anchor}


def _entry(name: str, anchor: str, repeats: bool, word: Word) -> str | None:
    entry = word.joins(name, anchor) or (None if repeats else word.joined(name))
    return entry.id if entry else None


def nearest(bundle: Sequence[str], anchors: Sequence[str], members: Mapping[str, Member], known: Links) -> str:
    """The anchor that a bundle of stories is with: its own, if it has one, else the one that one of them is most like, or the first.

    Args:
        anchors: one or more; all of the bundle are judged with each.
    """
    if own := [anchor for anchor in anchors if anchor in bundle]:
        return own[0]
    wishes = [
        (*_likeness(known[anchor][name], members[name])[:4], _order(members[anchor]), anchor)
        for anchor in anchors
        for name in bundle
        if known[anchor][name].relation
    ]
    return str(min(wishes)[-1]) if wishes else min(anchors, key=lambda anchor: _order(members[anchor]))


def _likeness(found: Judgement, member: Member) -> tuple[object, ...]:
    """Sorts the likest first; of equals the first in keep order."""
    return (_CLOSEST[found.relation or "near"], -found.probability, -found.jaccard, -found.weighted_jaccard, *_order(member))


def _order(member: Member) -> tuple[int, bytes, str]:
    return (member.published, member.text_hash, member.story_id)
