"""Write the tables of a snapshot, and swap the snapshot in.

The layout of the files is a function of the rows: one partition a UTC month of published_at (`unknown` without), cut by
the leading bits of story_id into the fewest 2^k files within the limit, each sorted, each named by its content's hash. So files
whose rows the last run left as they are need not be written again: `plan` finds them, `write` makes the others.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import files, index
from tasks.index import Roster
from tasks.schema import DECISIONS, INPUTS, STANDING, TABLES, conform
from tasks.verdict.stories import halves

ROW_GROUP_ROWS = 1_000  # sorted by source: small enough that a predicate on it skips most of a month of some thousand stories
SORTED_BY = {
    "stories": ["source", "published_at", "story_id"],
    "duplicates": ["source", "published_at", "story_id"],
    "quarantine": ["story_id"],
    "decisions": ["story_id"],
    "inputs": ["raw_uri"],
    "changes": ["story_id"],
}
_TABLE_OF = {"kept": "stories", "duplicate": "duplicates", "quarantined": "quarantine"}
_PARTITIONED = ("stories", "duplicates", "quarantine", "decisions")
_DECIDED = ("cluster_id", "same_story", "copies", "copy_sources")
"""Columns of the tables that no worked shard has."""


@dataclass(frozen=True)
class Unit:
    """Files of one or more tables that hold the same part of the same months: written together, since they are read together."""

    tables: tuple[str, ...]
    months: tuple[int, ...]
    partition: str
    part: int
    parts: int
    rows: int

    def name(self, table: str) -> str:
        """Of a table's file, without the hash: `stories/2025-03.0-of-1`."""
        return f"{table}/{'all' if table == 'quarantine' else self.partition}.{self.part}-of-{self.parts}"


@dataclass(frozen=True)
class Decided:
    """What the last stages found, in files: the roster, every duplicate's standing (a folder), copies a kept story stands for; vanished raw_uris; the recipe."""

    roster_file: Path
    standing: Path
    copies_file: Path
    vanished: tuple[str, ...]
    recipe: str


@dataclass(frozen=True)
class Layout:
    """The units to write, and the entries of the parent's manifest for files that stay as they are."""

    units: tuple[Unit, ...]
    unchanged: tuple[dict[str, Any], ...]


def plan(
    decided: Decided,
    file_rows: int,
    parent_files: Iterable[dict[str, Any]] = (),
    stirred_file: Path | None = None,
    shards_of_other_state: Collection[str] = frozenset(),
) -> Layout:
    """Decide the file of every record, and which files the parent has already.

    Args:
        parent_files: entries of the parent's manifest, if it was made by the same recipe.
        stirred_file: ranks of the stories whose cluster may have changed.
        shards_of_other_state: worked shards with records whose raw_state changed.
    """
    roster = Roster.read(decided.roster_file)
    month = roster["month"]
    standing = files.read_table(decided.standing, columns=["story_id", "duplicate_of"], schema=STANDING)
    leading = (roster["story"] >> np.uint64(48)).astype(np.int64)
    changed = _changed(roster, stirred_file)
    restated = changed | np.isin(roster["shard"], [i for i, shard in enumerate(roster.shards) if shard in shards_of_other_state])
    there = {entry["path"].rsplit(".", 2)[0]: entry for entry in parent_files}
    wanted: defaultdict[tuple[tuple[int, ...], str, int, int], dict[str, int]] = defaultdict(dict)
    unchanged = []
    for table, rows in _rows_of(roster, standing).items():
        moved = restated if table == "decisions" else changed
        grouping = np.maximum(month, index.UNKNOWN) if table == "decisions" else month
        order = np.flatnonzero(rows)
        order = order[np.argsort(grouping[order], kind="stable")]
        found = False
        for some in np.split(order, np.flatnonzero(np.diff(grouping[order])) + 1) if len(order) else ():
            group = int(grouping[some[0]])
            months = (index.FAULTY, index.UNKNOWN) if table == "decisions" and group == index.UNKNOWN else (group,)
            part, parts = _cut(leading[some], file_rows)
            dirty = np.bincount(_part(leading[moved & np.isin(month, months)], parts), minlength=parts) > 0
            for number, size in enumerate(np.bincount(part, minlength=parts).tolist()):
                key = (months, index.month_name(group), number, parts)
                name = Unit((table,), *key, size).name(table)
                found = True
                if not dirty[number] and name in there:
                    unchanged.append(there[name])
                elif size:
                    wanted[key][table] = size
        if not found:
            wanted[(index.UNKNOWN - 2,), "unknown", 0, 1][table] = 0
    units = tuple(Unit(tuple(sizes), *key, sum(sizes.values())) for key, sizes in sorted(wanted.items()))
    return Layout(units, tuple(unchanged))


def _rows_of(roster: Roster, standing: pa.Table) -> dict[str, npt.NDArray[np.bool_]]:
    """Which records each table has, by rank."""
    from tasks.kernels import digests

    known = np.sort(halves(standing.filter(standing["duplicate_of"].is_valid())["story_id"])[:, 0])
    faulty, repeats = roster["month"] == index.FAULTY, digests.within(roster["story"], known)
    return {
        "stories": roster.now & ~faulty & ~repeats,
        "duplicates": roster.now & ~faulty & repeats,
        "quarantine": roster.now & faulty,
        "decisions": roster.now,
    }


def _changed(roster: Roster, stirred_file: Path | None) -> npt.NDArray[np.bool_]:
    """Which records are not as the last run left them, or may not be: all, without one."""
    if stirred_file is None:
        return np.ones(len(roster.table), np.bool_)
    changed: npt.NDArray[np.bool_] = roster.now != roster.then
    changed |= np.isin(roster["shard"], roster.fresh)  # a record that was there may stand at another place of its file
    with files.arrow(stirred_file) as file:
        changed[file.get_batch(0).column(0).to_numpy()] = True
    return changed


def _cut(leading: npt.NDArray[np.int64], most: int) -> tuple[npt.NDArray[np.int64], int]:
    """For each record the number of its part (the leading k of 16 bits), and 2^k: the least k for which no part has more than `most`."""
    bits = 0
    while bits < 16 and len(leading) and np.bincount(leading >> (16 - bits)).max() > most:
        bits += 1
    return leading >> (16 - bits), 1 << bits


def _part(leading: npt.NDArray[np.int64], parts: int) -> npt.NDArray[np.int64]:
    return leading * parts >> 16


class _Sized(Protocol):
    @property
    def rows(self) -> int: ...


Some = TypeVar("Some", bound=_Sized)


def batches(units: Sequence[Some], rows: int) -> list[tuple[Some, ...]]:
    """The units, or what else has `rows`, in groups of some rows, one task each: most months of an archive are small."""
    found: list[list[Some]] = [[]]
    filled = 0
    for unit in units:
        if found[-1] and filled + unit.rows > rows:
            found.append([])
            filled = 0
        found[-1].append(unit)
        filled += unit.rows
    return [tuple(batch) for batch in found if batch]


def write(batch: Sequence[Unit], decided: Decided, snapshot: Path, parent: Path | None) -> list[dict[str, Any]]:
    """Write the files of some units; gives their entries for the manifest. What they need of a worked shard is read once."""
    roster = Roster.read(decided.roster_file)
    months = sorted({month for unit in batch for month in unit.months})
    evident = any("decisions" in unit.tables for unit in batch)  # by far the largest columns, and of decisions alone
    columns = STANDING.names if evident else ["story_id", "duplicate_of", "cluster_id", "same_story", "source", "month"]
    standing = files.read_table(decided.standing, columns, pc.field("month").isin(months), STANDING)
    table_rows = _rows_of(roster, standing)
    copies = files.read_table(decided.copies_file)
    entries = []
    for tables in dict.fromkeys(unit.tables == ("decisions",) for unit in batch):
        units = [unit for unit in batch if (unit.tables == ("decisions",)) is tables]
        wanted, of_unit = _rows_of_units(units, roster, table_rows)
        names = {name for unit in units for table in unit.tables for name in TABLES[table].names}
        rows = index.rows(roster, wanted, [name for name in (*index.STORIES.names, "text") if name in names | {"reason"}], in_order=False)
        of_unit = of_unit[index.by_place(roster, wanted)]
        for number, unit in enumerate(units):
            mine = rows.filter(pa.array(of_unit == number)) if len(units) > 1 else rows
            for name, table in _tables(unit, mine, standing, copies, decided):
                entries.append(_write(table, unit.name(name), snapshot, parent))
    return entries


def _rows_of_units(
    units: Sequence[Unit], roster: Roster, rows: Mapping[str, npt.NDArray[np.bool_]]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The ranks of the records of some units, and for each the number of its unit; `rows` as `_rows_of` gives them."""
    leading, month, found = (roster["story"] >> np.uint64(48)).astype(np.int64), roster["month"], []
    for unit in units:
        there = np.isin(month, unit.months) & (_part(leading, unit.parts) == unit.part)
        found.append(np.flatnonzero(there & np.logical_or.reduce([rows[table] for table in unit.tables])))
    return np.concatenate(found), np.repeat(np.arange(len(units)), [len(some) for some in found])


def _tables(unit: Unit, rows: pa.Table, standing: pa.Table, copies: pa.Table, decided: Decided) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each of a unit's tables."""
    verdicts = standing.drop_columns(["source", "month"]).take(
        pc.index_in(rows["story_id"], value_set=standing["story_id"].combine_chunks())
    )
    repeats = verdicts["duplicate_of"].is_valid()
    outcome = pc.if_else(rows["reason"].is_valid(), "quarantined", pc.if_else(repeats, "duplicate", "kept"))
    for table in unit.tables:
        if table == "decisions":
            yield table, _decisions(rows, verdicts, outcome, decided)
            continue
        chosen = pc.equal(outcome, next(one for one, name in _TABLE_OF.items() if name == table))
        mine = rows.filter(chosen)
        if table != "quarantine":
            mine = _with_cluster(mine, verdicts.filter(chosen), copies)
        yield table, mine.select(TABLES[table].names)


def _with_cluster(rows: pa.Table, verdicts: pa.Table, copies: pa.Table) -> pa.Table:
    """The rows with the columns _DECIDED."""
    repeats = verdicts["duplicate_of"].is_valid()
    counted = copies.take(pc.index_in(rows["story_id"], value_set=copies["cluster_id"].combine_chunks()))
    sources = rows["source"].combine_chunks()
    own = pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(np.asarray(sources.is_valid()))]).astype(np.int32)),
        sources.drop_null(),
        TABLES["stories"].field("copy_sources").type,
    )
    columns = (
        pc.coalesce(verdicts["cluster_id"], rows["story_id"]),
        verdicts["same_story"],
        pc.if_else(repeats, pa.scalar(None, pa.int32()), pc.fill_null(counted["copies"], 1)),
        pc.if_else(repeats, pa.scalar(None, own.type), pc.coalesce(counted["copy_sources"], pa.chunked_array([own]))),
    )
    for name, column in zip(_DECIDED, columns, strict=True):
        rows = rows.append_column(name, column)
    return rows


def _decisions(rows: pa.Table, verdicts: pa.Table, outcome: Any, decided: Decided) -> pa.Table:
    """DECISIONS on some records."""
    repeats = pc.equal(outcome, "duplicate")
    vanished = pc.is_in(rows["raw_uri"], value_set=pa.array(decided.vanished, pa.string()))
    told = {
        "raw_state": pc.if_else(vanished, "vanished", "present"),
        "outcome": outcome,
        "stage": pc.if_else(repeats, "cluster", rows["stage"]),
        "reason": pc.if_else(repeats, verdicts["reason"], rows["reason"]),
        "cluster_id": pc.if_else(pc.equal(outcome, "kept"), rows["story_id"], verdicts["cluster_id"]),
        "recipe": pa.chunked_array([pa.repeat(decided.recipe, len(rows))]),
    }
    columns = [
        told[name] if name in told else verdicts[name] if name in verdicts.column_names and name != "story_id" else rows[name]
        for name in DECISIONS.names
    ]
    return pa.table(columns, names=DECISIONS.names)


def write_inputs(ledger: pa.Table, snapshot: Path, parent: Path | None) -> dict[str, Any]:
    """Write the ledger."""
    return _write(conform(ledger, INPUTS), "inputs/all.0-of-1", snapshot, parent)


def write_changes(changes: pa.Table, file_rows: int, snapshot: Path) -> list[dict[str, Any]]:
    """Write the changes since the parent, cut by leading bits of story_id as the stories are; one file at least."""
    leading = pc.binary_slice(changes["story_id"].cast(pa.binary()), 0, 4)
    numbers = np.array([int(digits, 16) for digits in leading.to_pylist()], np.int64)
    part, parts = _cut(numbers, file_rows)
    entries = []
    for number in range(parts):
        rows = changes.filter(pa.array(part == number))
        if len(rows) or parts == 1:
            entries.append(_write(rows, f"changes/all.{number}-of-{parts}", snapshot, None, file_rows))
    return entries


def take_over(entries: Iterable[dict[str, Any]], snapshot: Path, parent: Path) -> list[dict[str, Any]]:
    """Give the snapshot the files of the parent that stay as they are; gives their entries."""
    taken = []
    for entry in entries:
        files.folder((snapshot / entry["path"]).parent)
        files.link(parent / entry["path"], snapshot / entry["path"])
        taken.append(entry)
    return taken


def _write(rows: pa.Table, name: str, snapshot: Path, parent: Path | None, group_rows: int = 0) -> dict[str, Any]:
    group_rows = group_rows or ROW_GROUP_ROWS
    table = name.partition("/")[0]
    wanted = TABLES[table]
    rows = rows.combine_chunks()
    order = pc.sort_indices(rows, sort_keys=[(column, "ascending") for column in SORTED_BY[table]])
    files.folder(snapshot / table)
    draft = files.draft(snapshot / f"{name}.parquet")
    try:
        with draft.open("wb") as sink, pq.ParquetWriter(sink, wanted, **files.encoding(wanted)) as writer:
            for begin in range(0, max(1, len(rows)), group_rows):
                writer.write_table(conform(rows.take(order[begin : begin + group_rows]).combine_chunks(), wanted))
        digest = files.digest(draft)
        entry: dict[str, Any] = {"path": f"{name}.{digest[:16]}.parquet", "rows": len(rows), "bytes": files.size(draft), "sha256": digest}
        path = snapshot / entry["path"]
        before = parent / entry["path"] if parent else None
        if before and before.is_file() and files.size(before) == entry["bytes"]:
            path.unlink(missing_ok=True)  # of a first try
            files.link(before, path)
        else:
            files.replace(draft, path, sync=False)
            files.protect(path)
    finally:
        draft.unlink(missing_ok=True)
    return entry


# ---- the snapshot as a whole --------------------------------------------------------------------------------------


def snapshot_name(started: datetime, files: Sequence[Mapping[str, Any]]) -> str:
    """Time and content: `20260131T050000Z-1f2e3d4c`."""
    content = hashlib.sha256("\n".join(sorted(f"{file['path']} {file['sha256']}" for file in files)).encode()).hexdigest()
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{content[:8]}"


def finish(draft: Path, target: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the manifest into a draft and move the draft to its place, whole.

    In an object store nothing can be moved at once: the manifest comes last there, and what has none is no snapshot.
    """
    written = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
    listed = {entry["path"] for entry in (*manifest["files"], *manifest.get("changes", {}).get("files", ()))}
    for name in TABLES:  # a worker that was lost left what it had begun
        for path in files.inside(draft / name):
            if f"{name}/{path.name}" not in listed:
                path.unlink()
    if not files.is_local(draft):
        if not (target / "manifest.json").exists():
            files.move(draft, target)
            (target / "manifest.json").write_text(written, encoding="utf-8")
        return target
    path = draft / "manifest.json"
    path.write_text(written, encoding="utf-8")
    files.protect(path)
    files.sync(draft)
    files.folder(target.parent)
    if target.exists():  # its name says that it holds the same
        files.remove_tree(draft)
    else:
        files.move(draft, target)
    files.sync_one(target.parent)
    return target
