"""What `copydesk override` asks of the published snapshot: which story is meant, what became of it, what an entry found. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tasks import files, overrides, snapshots
from tasks.overrides import Entry, OverridesError

SHORTEST = 6  # hex digits of a story_id that are taken for its beginning
_COLUMNS = ["story_id", "raw_id", "raw_uri", "outcome", "stage", "reason", "relation", "duplicate_of", "cluster_id", "probability"]


def resolve(snapshot: Path, given: str) -> dict[str, Any]:
    """The decision on the one story that `given` names: a raw_id, a story_id or its beginning, or raw_uri#raw_id.

    Raises:
        OverridesError: there is none, there are several, or it is in quarantine.
    """
    match = pc.field("raw_id") == given
    if len(given) >= SHORTEST and set(given) <= set("0123456789abcdef"):
        match |= pc.starts_with(pc.field("story_id"), given)
    if "#" in given:
        match |= _named(given)
    rows = files.read_table(snapshot / "decisions", columns=_COLUMNS, filters=match).sort_by("story_id").to_pylist()
    if not rows:
        raise OverridesError(f"no record of raw_id or story_id {given!r} in {snapshot.name}; the next run may have it, then say it again")
    if len(rows) > 1:
        listed = "".join(f"\n  {row['story_id']}  {row['outcome']:<11}  {row['raw_uri']}#{row['raw_id']}" for row in rows[:10])
        more = f"\n  and {len(rows) - 10:,} more" if len(rows) > 10 else ""
        raise OverridesError(f"{given!r} names {len(rows):,} records; name one by its story_id, or enough of its beginning:{listed}{more}")
    (row,) = rows
    if row["outcome"] == "quarantined":
        raise OverridesError(f"{given!r} was put in quarantine by {row['stage']} ({row['reason']}) and stands in no cluster")
    return dict(row)


def _named(raw: str) -> Any:
    uri, _, raw_id = raw.partition("#")  # a raw_uri has no # of its own
    return (pc.field("raw_uri") == uri) & (pc.field("raw_id") == raw_id)


def raw_name(row: Mapping[str, Any]) -> str:
    """raw_uri#raw_id of a decision."""
    return f"{row['raw_uri']}#{row['raw_id']}"


def consequence(entry: Entry, rows: Sequence[Mapping[str, Any]], snapshot: Path | None) -> str:
    """What the next run will do about an entry on these stories, beside what the published snapshot says of them."""
    if entry.kind == "line":
        return "another recipe: the next run works all stories again, and " + (
            "takes this line off them" if entry.boilerplate else "leaves it in, whatever rule or model would take it"
        )
    ids = {row["story_id"]: raw_name(row) for row in rows}
    if entry.kind == "keep":
        (row,) = rows
        if row["outcome"] == "kept":
            return f"{ids[row['story_id']]} is kept now; the next run keeps it whatever the policy says"
        stands = _name_of(row["duplicate_of"], snapshot)
        return f"now {stands} stands for it; the next run keeps it, and {stands} repeats it"
    one, other = rows
    together = one["cluster_id"] == other["cluster_id"]
    pair = next((row for row in rows if row["duplicate_of"] in ids), None)
    now = "they stand in one cluster now" if together else "they stand in two clusters now"
    if pair:
        now = f"{ids[pair['story_id']]} is a {pair['relation']} duplicate of {ids[pair['duplicate_of']]} now (probability {pair['probability']:.2f})"
    if entry.kind == "same":
        return f"{now}; the next run {'leaves' if together else 'puts'} them in one cluster, whatever the verdict"
    return f"{now}; the next run {'parts them, and keeps them apart' if together else 'keeps them apart'}, whatever the verdict"


def _name_of(story: str, snapshot: Path | None) -> str:
    rows = files.read_table(snapshot / "decisions", columns=_COLUMNS, filters=pc.field("story_id") == story).to_pylist() if snapshot else []
    return raw_name(rows[0]) if rows else story


def listed(entries: Sequence[Entry], curated: Path) -> list[dict[str, Any]]:
    """The entries with their states (overrides.states), and for those that match nothing `hint`: what became of what they were about."""
    snapshot = snapshots.latest(curated)
    found = overrides.states(entries, snapshots.read_manifest(snapshot) if snapshot else {})
    for row in found:
        lost = row["state"] == "matches nothing"
        row["hint"] = "; ".join(_hints(overrides.of_json(row), snapshot)) if lost and snapshot else None
    return found


def _hints(entry: Entry, snapshot: Path) -> list[str]:
    if entry.kind == "line":
        return [f"no story{f' of {entry.source}' if entry.source else ''} has this line"]
    said = []
    for story, raw in zip(entry.stories, entry.raw or entry.stories, strict=True):
        rows = files.read_table(snapshot / "decisions", columns=_COLUMNS, filters=(pc.field("story_id") == story) | _named(raw)).to_pylist()
        own = [row for row in rows if row["story_id"] == story]
        if own and own[0]["outcome"] == "quarantined":
            said.append(f"{raw} is in quarantine ({own[0]['reason']})")
        elif not own:
            now = (
                f"is another record now ({', '.join(sorted(row['story_id'] for row in rows))}): read it, then `renew`"
                if rows
                else "is gone"
            )
            said.append(f"{raw} {now}")
    return said


def renewed(entry: Entry, snapshot: Path, notes: Mapping[str, str | None]) -> tuple[Entry, list[dict[str, Any]]]:
    """The entry about the records that stand today where its own stood (raw_uri and raw_id), and the decisions on them.

    Raises:
        OverridesError: there is none, or more than one.
    """
    if entry.kind == "line":
        raise OverridesError(f"{entry.id} is about a line, which has no record to follow")
    if not entry.raw:
        raise OverridesError(f"{entry.id} does not say where its stories were read (raw = ...): remove it, and say it again")
    rows = []
    for story, raw in zip(entry.stories, entry.raw, strict=True):
        try:
            rows.append(resolve(snapshot, story))
        except OverridesError:
            rows.append(resolve(snapshot, raw))
    order = sorted(rows, key=lambda row: str(row["story_id"]))
    stories = tuple(str(row["story_id"]) for row in order)
    if stories == entry.stories:
        raise OverridesError(f"{entry.id} names the records of today already")
    said = {name: value for name, value in notes.items() if value}
    return overrides.of_json(entry.to_json() | {"stories": list(stories), "raw": list(map(raw_name, order))} | said), rows
