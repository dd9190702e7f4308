"""Two stories side by side: the verdict a run would give on them, in words, with all it rests on. Nothing is written.

A story is given as a raw file, which goes through ingest, repair and strip as in a run, or by its id in the published
snapshot, which has its cleaned text. What is compared is fingerprinted and judged by the stages' own code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from flows import explain
from tasks import cluster, fingerprint, index, match, overrides, recipe, schema, settings, snapshots, verdict
from tasks.verdict import stories as reading
from tasks.verdict import words
from tasks.verdict.case import Case

PASSAGES = 20
"""Shared passages that are shown at most; `decisions` keeps 5."""
VERDICTS = {
    "exact": "exact copy: the two have the same cleaned text",
    "near": "near copy: the two are the same copy, edited",
    None: "two stories: neither a copy nor a rewrite of the other",
}
_SHOWN = ("source", "url", "title", "byline", "agency", "published_at", "published_precision", "word_count")
_IDS = ("raw_id", "story_id", "raw_uri")
_DECIDED = ("outcome", "relation", "duplicate_of", "stage", "reason", "detail")


class UnknownError(ValueError):
    """There is no such story, or more than one; the text says what to give instead."""


@dataclass(frozen=True)
class Side:
    """One of the two: as it was given, where it was found (file, snapshot), a CHECKED row, what the snapshot decided on it."""

    given: str
    found_in: str
    row: dict[str, Any]
    decided: dict[str, Any]

    @property
    def fault(self) -> str | None:
        """Why a run never compares this story."""
        reason: str | None = self.decided["reason"] or self.row["reason"]
        return reason


def compare(a: str, b: str, curated: Path, knobs: settings.Settings) -> dict[str, Any]:
    """All that `copydesk compare` prints: plain values under stable keys.

    Args:
        a, b: a raw file (`FILE`, or `FILE#RECORD` with its number from 0 or its id), else a raw_id or story_id of the snapshot.

    Raises:
        UnknownError: there is no such story, it has no text, or the name fits several.
        SettingsError, ValueError: settings, rules or a file that cannot be used.
    """
    snapshot = snapshots.latest(curated)
    sides = [find(given, snapshot, curated, knobs) for given in (a, b)]
    table = _fingerprinted(sides, knobs)
    case = Case(reading.of(table), knobs.near, knobs.derivative)
    judgement = case.judgement
    straight = sides[0].row["story_id"] == judgement.a  # the judge orders the two by story_id
    evidence, leanings = case.evidence(), case.source_evidence(("A", "B"))
    source_a = judgement.source_a if straight else 1 - judgement.source_a
    coverages = case.coverages
    containments = (judgement.containment_a, judgement.containment_b)
    containment_a, containment_b = containments if straight else containments[::-1]
    return {
        "a": _shown(sides[0]),
        "b": _shown(sides[1]),
        "verdict": {
            "relation": judgement.relation,
            "words": _words(judgement.relation, source_a),
            "probability": judgement.probability,
            "rewrite_probability": case.probability,
            "source": None if judgement.relation is None else "a" if source_a >= 0.5 else "b",
            "source_probability": None if judgement.relation is None else max(source_a, 1 - source_a),
            **_kept(sides, table, judgement, knobs.cluster),
            "proposed": _proposed(sides, table, knobs),
        },
        "similarity": {
            "jaccard": judgement.jaccard,
            "containment_a": containment_a,
            "containment_b": containment_b,
            "weighted_jaccard": judgement.weighted_jaccard,
            "coverage_a": coverages[0],
            "coverage_b": coverages[1],
        },
        "evidence": [_plain(one) for one in evidence],
        "source_evidence": [_plain(one) for one in leanings],
        "barriers": [vars(one) for one in case.barriers()],
        "passages": list(_placed(case.passages(PASSAGES), sides)),
        "caveat": words.CAVEAT,
        "notes": list(_notes(sides, snapshot, knobs)),
    }


# ---- finding the two ---------------------------------------------------------------------------------------------------


def find(given: str, snapshot: Path | None, curated: Path, knobs: settings.Settings) -> Side:
    """The story that `given` names: a file if there is one, else a record of the snapshot.

    Raises:
        UnknownError: there is none, it has no text, or the name fits several.
    """
    for name, record in _splits(given):
        if Path(name).is_file():
            return _of_file(given, Path(name), record, knobs)
    if Path(given).is_dir():
        raise UnknownError(f"{given} is a folder; name one file of it")
    if snapshot is None:
        raise UnknownError(f"no file {given}, and no snapshot under {curated} to look it up in; `copydesk run` makes one")
    return _of_snapshot(given, snapshot)


def _splits(given: str) -> list[tuple[str, str | None]]:
    """The ways to read `given` as FILE or FILE#RECORD; names of files may have a # themselves."""
    at = [i for i, character in enumerate(given) if character == "#"]
    return [(given, None), *((given[:i], given[i + 1 :]) for i in reversed(at))]


def _of_file(given: str, file: Path, record: str | None, knobs: settings.Settings) -> Side:
    number = int(record) if record is not None and record.isascii() and record.isdigit() else None
    table = explain.read(file, Path(file.absolute().anchor), knobs, number)
    ids = table["raw_id"].to_pylist()
    if len(ids) == 1 and (record is None or number is not None):
        chosen = [0]
    elif record is None:
        chosen = list(range(len(ids)))
    else:
        chosen = [i for i, raw_id in enumerate(ids) if raw_id == record]
    if len(chosen) != 1:
        said = f"{file} has {len(chosen) or 'no'} records{f' with the id {record!r}' if record is not None else ''}"
        if record is not None and not chosen:
            said = f"{file} has no record {record!r} among its {len(ids)}"
        raise UnknownError(f"{said}; name one by its number or its id:{_listed(file, chosen or list(range(len(ids))), table)}")
    row = explain.clean(table.take(pa.array(chosen)), knobs).to_pylist()[0]
    if not row["text"].strip():
        raise UnknownError(f"{given} has no text to compare: {row['detail'] or row['reason'] or 'the text is empty'}")
    return Side(given, "file", row, dict.fromkeys(_DECIDED))


def _listed(file: Path, chosen: Sequence[int], table: pa.Table, most: int = 10) -> str:
    lines = []
    for i in chosen[:most]:
        row = table.slice(i, 1).to_pylist()[0]
        said = "".join(character for character in row["title"] or row["reason"] or row["text"][:60] if character.isprintable())
        lines.append(f"\n  {file}#{i}  {row['raw_id']}  {said}")
    return "".join(lines) + (f"\n  and {len(chosen) - most} more" if len(chosen) > most else "")


def _of_snapshot(given: str, snapshot: Path) -> Side:
    found = explain.explanations(snapshot, given)
    if not found:
        missing = "no such file, and " if "/" in given or "." in given else ""
        raise UnknownError(f"{given}: {missing}no record of that raw_id or story_id in {snapshot.name}")
    if len(found) > 1:
        lines = (f"\n  {row['story_id']}  {row['outcome']}  {row['raw_uri']}  {row.get('title') or ''}".rstrip() for row in found)
        raise UnknownError(f"{given!r} is the raw_id of {len(found)} records; name one by its story_id:{''.join(lines)}")
    row = found[0]
    if not (row.get("text") or "").strip():
        raise UnknownError(f"{given} was put in quarantine by {row['stage']} ({row['reason']}) and has no text to compare")
    decided = {name: row.get(name) for name in _DECIDED}
    if row["outcome"] == "duplicate":
        decided |= {"stage": None, "reason": None}  # of the policy; what keeps a story from being compared is meant
    filled = {name: row.get(name) for name in schema.CHECKED.names} | {
        "repairs": row.get("repairs") or [],
        "removed": row.get("removed") or [],
    }
    filled |= {"place": row.get("place") or "record", "kind": row.get("kind") or "record"}
    filled |= {"stage": decided["stage"], "reason": decided["reason"]}
    if filled["word_count"] is None:  # the quarantine does not count
        filled["word_count"] = len(row["text"].split())
    return Side(given, "snapshot", filled, decided)


# ---- judging them ------------------------------------------------------------------------------------------------------


def _fingerprinted(sides: Sequence[Side], knobs: settings.Settings) -> pa.Table:
    """Both as a shard has them, in order; a faulty one as if it were healthy, so that its text is compared all the same."""
    rows = [side.row | {"stage": None, "reason": None, "detail": None} for side in sides]
    return fingerprint.fingerprint(pa.Table.from_pylist(rows, schema=schema.CHECKED), knobs.near, knobs.derivative)


def _words(relation: str | None, source_a: float) -> str:
    if relation == "derivative":
        source, rewrite = ("A", "B") if source_a >= 0.5 else ("B", "A")
        return f"rewrite: {rewrite} tells {source} in other words"
    return VERDICTS[relation]


def _kept(sides: Sequence[Side], table: pa.Table, judgement: verdict.Judgement, policy: settings.Cluster) -> dict[str, Any]:
    """Which of the two a run keeps that has only these two, and the step of the policy that decides."""
    ids = [side.row["story_id"] for side in sides]
    if judgement.relation is None or ids[0] == ids[1] or any(side.fault for side in sides):
        return {"kept": None, "kept_reason": None}
    members = {
        row["story_id"]: cluster.Member(row["story_id"], row["source"] or "", int(at), row["word_count"], row["text_hash"])
        for row, at in zip(table.to_pylist(), reading.times(table), strict=True)
    }
    ((gone, standing),) = cluster.anchored(members, [judgement], lambda _: [], policy.complete).items()
    return {"kept": "b" if gone == ids[0] else "a", "kept_reason": standing.reason}


def _proposed(sides: Sequence[Side], table: pa.Table, knobs: settings.Settings) -> bool:
    """Would a run of the two propose them as a pair?  What shares no key is never judged, unless a cluster brings it together."""
    if sides[0].row["story_id"] == sides[1].row["story_id"]:
        return True
    with TemporaryDirectory() as folder:
        work, roster = Path(folder), Path(folder) / "roster.arrow"
        index.write_roster(work, [index.write(table, work, "both", None)], (), roster)
        keys = match.keys(roster, [0], work / "keys.arrow", 1, knobs.near, knobs.derivative)
        pairs = match.propose([keys], roster, [0], work, knobs.near, knobs.derivative, 2)
        judged = match.judge(pairs, roster, work, knobs.near, knobs.derivative)
        return judged.judged > 0


# ---- telling -----------------------------------------------------------------------------------------------------------


def _plain(one: words.Evidence) -> dict[str, Any]:
    return {"name": one.name, "value": one.value, "weight": one.weight, "contribution": one.contribution, "words": one.words}


def _shown(side: Side) -> dict[str, Any]:
    row = {name: side.row[name] for name in (*_IDS, *_SHOWN)}
    if row["published_at"] is not None:
        day_only = row["published_precision"] == "day"
        row["published_at"] = row["published_at"].date().isoformat() if day_only else row["published_at"].isoformat()
    fault = {name: side.decided[name] or side.row[name] for name in ("stage", "reason", "detail")}
    return {"given": side.given, "found_in": side.found_in, **row, **side.decided, **fault, "text": side.row["text"]}


def _placed(passages: Sequence[tuple[str, str]], sides: Sequence[Side]) -> Any:
    """The passages with the code point at which each begins in its text, and their length in characters of A."""
    texts = [side.row["text"] for side in sides]
    taken: list[set[int]] = [set(), set()]
    for passage in passages:
        begins = []
        for text, part, used in zip(texts, passage, taken, strict=True):
            at = text.find(part)
            while at in used and text.find(part, at + 1) >= 0:  # said twice
                at = text.find(part, at + 1)
            used.add(at)
            begins.append(at)
        yield {"text": passage[0], "other_text": passage[1], "start": begins[0], "other_start": begins[1]}


def _said(word: overrides.Word, sides: Sequence[Side]) -> Iterator[str]:
    """What editors say of the two: a run obeys it, whatever the verdict above."""
    a, b = (side.row["story_id"] for side in sides)
    known = {entry.id: entry for entry in word.entries}
    if entry := word.joins(a, b):
        yield f"an editor has decided: A and B are one story ({_reference(entry)}); runs obey that, whatever the verdict"
    if separate := word.apart(a, b):
        yield f"an editor has decided: A and B are two stories ({_reference(known[separate])}); runs obey that, whatever the verdict"
    for letter, story in (("A", a), ("B", b)):
        if kept := word.kept(story):
            yield f"an editor has decided: {letter} is kept ({_reference(known[kept])}); runs obey that, whatever the policy"


def _reference(entry: overrides.Entry) -> str:
    return ", ".join(part for part in (entry.id, entry.who, entry.when, entry.why) if part)


def _notes(sides: Sequence[Side], snapshot: Path | None, knobs: settings.Settings) -> Any:
    """What a reader must know before believing the verdict to be that of a run."""
    for letter, side in zip("AB", sides, strict=True):
        if side.fault:
            was = "was" if side.found_in == "snapshot" else "would be"
            stage = side.decided["stage"] or side.row["stage"]
            detail = side.decided["detail"] or side.row["detail"]
            yield f"{letter} {was} put in quarantine by {stage} ({side.fault}{f': {detail}' if detail else ''}) and is never compared by a run; compared here with the text it has"
    if sides[0].row["story_id"] == sides[1].row["story_id"]:
        yield "A and B are the same record"
    word = overrides.load(knobs.overrides)
    yield from _said(word, sides)
    if snapshot and any(side.found_in == "snapshot" for side in sides):
        made = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))["recipe"]["spelled"]
        changed = [
            line.split(": ")[0] if line.startswith("code.") else line
            for line in recipe.difference(made, recipe.recipe(knobs, word.lines.name))
        ]
        if changed:
            more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
            yield f"the snapshot was made by another recipe than today's, its own verdict may differ ({'; '.join(changed[:3])}{more})"
