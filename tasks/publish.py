"""Write the tables of a snapshot, and swap the snapshot in.

The layout of the files is a function of the rows: one partition a UTC month of published_at (`unknown` without), cut by
the leading bits of story_id into the fewest 2^k files within the limit, each sorted, each named by its content's hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.schema import DECISIONS, INPUTS, TABLES, conform

ROW_GROUP_ROWS = 5_000  # small enough that a predicate on source or time skips most of a file
SORTED_BY = {
    "stories": ["source", "published_at", "story_id"],
    "duplicates": ["source", "published_at", "story_id"],
    "quarantine": ["story_id"],
    "decisions": ["story_id"],
    "inputs": ["raw_uri"],
}
_TABLE_OF = {"kept": "stories", "duplicate": "duplicates", "quarantined": "quarantine"}


@dataclass(frozen=True)
class Piece:
    """One row group of a routed shard: rows that go to one file of the snapshot."""

    path: Path
    row_group: int


@dataclass(frozen=True)
class Placement:
    """Where the rows of every shard go."""

    routes: tuple[tuple[Path, Path, Path], ...]  # shard, its rows' destinations, the routed shard to write
    files: Mapping[str, tuple[Piece, ...]]  # file of the snapshot, without its hash: the pieces of it


_DECIDED = ("cluster_id", "same_story", "copies", "copy_sources")
"""Columns of the tables that no shard has."""


def place(decisions: Path, shards: Sequence[Path], work: Path, file_rows: int) -> Placement:
    """Decide the file of every row, from the small columns of all shards and the decisions."""
    small = pa.concat_tables([pq.read_table(shard, columns=["story_id", "source", "published_at"]) for shard in shards])
    decided = pq.read_table(decisions, columns=["story_id", "outcome", "cluster_id", "same_story"])
    decided = decided.take(pc.index_in(small["story_id"], value_set=decided["story_id"].combine_chunks()))
    outcomes = decided["outcome"].to_pylist()
    names = _file_names([_TABLE_OF[outcome] for outcome in outcomes], small, file_rows)
    copies, sources = _copies(decided["cluster_id"].to_pylist(), small["source"].to_pylist())
    kept = [outcome == "kept" for outcome in outcomes]
    destinations = pa.table(
        {
            "file": pa.array(names, pa.string()),
            "cluster_id": decided["cluster_id"],
            "same_story": decided["same_story"],
            "copies": pa.array([n if k else None for n, k in zip(copies, kept, strict=True)], pa.int32()),
            "copy_sources": pa.array([s if k else None for s, k in zip(sources, kept, strict=True)], pa.list_(pa.string())),
        }
    )
    routes, files, start = [], defaultdict(list), 0
    for shard in shards:
        rows = pq.read_metadata(shard).num_rows
        mine = destinations.slice(start, rows)
        start += rows
        route = (shard, work / f"destinations-{shard.name}", work / f"routed-{shard.name}")
        pq.write_table(mine, route[1])
        routes.append(route)
        for group, name in enumerate(sorted(pc.unique(mine["file"]).to_pylist())):
            files[name].append(Piece(route[2], group))
    for name in ("stories", "duplicates", "quarantine"):
        if not any(file.startswith(f"{name}/") for file in files):
            files[f"{name}/unknown.0-of-1"] = []
    return Placement(tuple(routes), {name: tuple(pieces) for name, pieces in sorted(files.items())})


def route(shard: Path, destinations: Path, out: Path) -> Path:
    """Rewrite a shard with one row group for each file that its rows go to, in the files' order."""
    columns = sorted({name for table in ("stories", "quarantine") for name in TABLES[table].names} - set(_DECIDED))
    table, where = pq.read_table(shard, columns=columns), pq.read_table(destinations)
    for name in _DECIDED:
        table = table.append_column(name, where[name])
    with pq.ParquetWriter(out, table.schema, compression="lz4") as writer:
        for name in sorted(pc.unique(where["file"]).to_pylist()):
            rows = table.filter(pc.equal(where["file"], name))
            writer.write_table(rows, row_group_size=len(rows))
    return out


def batches(placement: Placement, rows: int) -> list[tuple[tuple[str, tuple[Piece, ...]], ...]]:
    """The files of a placement in groups of some `rows` rows, one task each: most months of an archive are small."""
    found: list[list[tuple[str, tuple[Piece, ...]]]] = [[]]
    filled = 0
    for name, pieces in placement.files.items():
        size = sum(pq.read_metadata(piece.path).row_group(piece.row_group).num_rows for piece in pieces)
        if found[-1] and filled + size > rows:
            found.append([])
            filled = 0
        found[-1].append((name, pieces))
        filled += size
    return [tuple(batch) for batch in found]


def write_files(batch: Sequence[tuple[str, Sequence[Piece]]], snapshot: Path, parent: Path | None) -> list[dict[str, Any]]:
    """Write files of stories, duplicates or quarantine, named without their hash; gives their entries for the manifest."""
    entries = []
    for name, pieces in batch:
        columns = TABLES[name.partition("/")[0]].names
        parts = [pq.ParquetFile(piece.path).read_row_group(piece.row_group, columns=columns) for piece in pieces]
        entries.append(_write(pa.concat_tables(parts) if parts else TABLES[name.partition("/")[0]].empty_table(), name, snapshot, parent))
    return entries


def write_decisions(decisions: Path, snapshot: Path, parent: Path | None, file_rows: int) -> list[dict[str, Any]]:
    """Write the table decisions, cut by story_id alone."""
    table = conform(pq.read_table(decisions), DECISIONS)
    parts, count = _cut(table["story_id"].to_pylist(), file_rows)
    return [_write(table.filter(pa.array(parts == part)), f"decisions/all.{part}-of-{count}", snapshot, parent) for part in range(count)]


def write_inputs(ledger: pa.Table, snapshot: Path, parent: Path | None) -> dict[str, Any]:
    """Write the ledger."""
    return _write(conform(ledger, INPUTS), "inputs/all.0-of-1", snapshot, parent)


def _write(rows: pa.Table, name: str, snapshot: Path, parent: Path | None) -> dict[str, Any]:
    table = name.partition("/")[0]
    rows = conform(rows, TABLES[table])
    rows = rows.take(pc.sort_indices(rows, sort_keys=[(column, "ascending") for column in SORTED_BY[table]]))
    (snapshot / table).mkdir(parents=True, exist_ok=True)
    draft = snapshot / f"{name}.draft"
    pq.write_table(rows, draft, compression="zstd", row_group_size=ROW_GROUP_ROWS)
    entry = _entry(draft, f"{name}.{{}}.parquet", len(rows))
    path = snapshot / entry["path"]
    before = parent / entry["path"] if parent else None
    if before and before.is_file() and before.stat().st_size == entry["bytes"]:
        draft.unlink()
        path.unlink(missing_ok=True)  # of a first try
        os.link(before, path)
    else:
        draft.chmod(0o444)
        draft.replace(path)
    return entry


def _entry(path: Path, name: str, rows: int) -> dict[str, Any]:
    """What the manifest says of a file; `name` has a place for the content's hash."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
    return {"path": name.format(digest[:16]), "rows": rows, "bytes": path.stat().st_size, "sha256": digest}


def _file_names(tables: list[str], small: pa.Table, file_rows: int) -> list[str]:
    """For each row its file, without the hash: `stories/2025-03.0-of-1`."""
    months = pc.fill_null(pc.strftime(small["published_at"], "%Y-%m"), "unknown").to_pylist()
    ids = small["story_id"].to_pylist()
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, (table, month) in enumerate(zip(tables, months, strict=True)):
        groups[f"{table}/{'all' if table == 'quarantine' else month}"].append(row)
    names = [""] * len(tables)
    for group, rows in groups.items():
        parts, count = _cut([ids[row] for row in rows], file_rows)
        for row, part in zip(rows, parts.tolist(), strict=True):
            names[row] = f"{group}.{part}-of-{count}"
    return names


def _cut(ids: Sequence[str], most: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    """For each id the number of its part (its leading k bits), and 2^k: the least k for which no part has more than `most` ids."""
    leading = np.array([int(story[:4], 16) for story in ids], dtype=np.int64)
    bits = 0
    while bits < 16 and len(ids) and np.bincount(leading >> (16 - bits)).max() > most:
        bits += 1
    return leading >> (16 - bits), 1 << bits


def _copies(clusters: list[str | None], sources: list[str | None]) -> tuple[list[int], list[list[str]]]:
    """For each row the size of its cluster and the cluster's distinct sources, sorted."""
    sizes: defaultdict[str | None, int] = defaultdict(int)
    outlets: defaultdict[str | None, set[str]] = defaultdict(set)
    for cluster, source in zip(clusters, sources, strict=True):
        sizes[cluster] += 1
        if source is not None:
            outlets[cluster].add(source)
    return [sizes[cluster] for cluster in clusters], [sorted(outlets[cluster]) for cluster in clusters]


# ---- the snapshot as a whole --------------------------------------------------------------------------------------


def latest(curated: Path) -> Path | None:
    """The published snapshot, or None before the first one."""
    link = curated / "latest"
    return link.resolve(strict=True) if link.is_symlink() and link.exists() else None


def read_manifest(snapshot: Path) -> dict[str, Any]:
    """manifest.json of a snapshot."""
    manifest: dict[str, Any] = json.loads((snapshot / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def read_ledger(snapshot: Path | None) -> pa.Table:
    """The table inputs of a snapshot; empty without one."""
    return pq.read_table(snapshot / "inputs", schema=INPUTS) if snapshot else INPUTS.empty_table()


def snapshot_name(started: datetime, files: Sequence[Mapping[str, Any]]) -> str:
    """Time and content: `20260131T050000Z-1f2e3d4c`."""
    content = hashlib.sha256("\n".join(sorted(f"{file['path']} {file['sha256']}" for file in files)).encode()).hexdigest()
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{content[:8]}"


def finish(draft: Path, target: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the manifest into a draft and move the draft to its place, whole."""
    path = draft / "manifest.json"
    with path.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, ensure_ascii=False, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    path.chmod(0o444)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():  # its name says that it holds the same
        shutil.rmtree(draft)
    else:
        draft.replace(target)
    _sync_folder(target.parent)
    return target


def point_latest(curated: Path, snapshot: Path) -> None:
    """Make `latest` name the snapshot, in one step that no reader can see half done."""
    link = curated / ".latest-draft"
    link.unlink(missing_ok=True)
    link.symlink_to(snapshot.relative_to(curated), target_is_directory=True)
    link.replace(curated / "latest")
    _sync_folder(curated)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verify(snapshot: Path) -> list[str]:
    """What is wrong with a snapshot, in words; empty when every file, schema and count is as the manifest says."""
    try:
        manifest = read_manifest(snapshot)
    except (OSError, ValueError) as error:
        return [f"manifest.json cannot be read: {error}"]
    listed = {entry["path"]: entry for entry in manifest["files"]}
    found = [f"{name}/{path.name}" for name in TABLES for path in sorted((snapshot / name).glob("*"))]
    faults = [f"{name}: not in the manifest" for name in found if name not in listed]
    for name, entry in listed.items():
        faults += _file_faults(snapshot, name, entry)
    return faults or _conservation_faults(snapshot)


def _file_faults(snapshot: Path, name: str, entry: Mapping[str, Any]) -> list[str]:
    path = snapshot / name
    if not path.is_file():
        return [f"{name}: missing"]
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != entry["sha256"]:
            return [f"{name}: its bytes are not those that were published (SHA-256 differs)"]
    try:
        wanted = TABLES[name.partition("/")[0]]
        if not pq.read_schema(path).equals(wanted, check_metadata=False):
            return [f"{name}: its columns are not those of this version"]
    except (pa.ArrowException, OSError) as error:
        return [f"{name}: not readable as Parquet: {error}"]
    return []


def _conservation_faults(snapshot: Path) -> list[str]:
    """Every record has one decision and stands in exactly the table that the decision names."""
    decisions = pq.read_table(snapshot / "decisions", columns=["story_id", "outcome"])
    faults = []
    if pc.count_distinct(decisions["story_id"]).as_py() != len(decisions):
        faults.append("decisions: a story_id stands twice")
    for outcome, name in _TABLE_OF.items():
        decided = decisions.filter(pc.equal(decisions["outcome"], outcome))["story_id"]
        there = pq.read_table(snapshot / name, columns=["story_id"])["story_id"]
        if sorted(decided.to_pylist()) != sorted(there.to_pylist()):
            faults.append(f"{name}: {len(there)} rows, but {len(decided)} decisions say {outcome}, or other stories")
    records = pc.sum(read_ledger(snapshot)["records"]).as_py() or 0
    if records != len(decisions):
        faults.append(f"inputs: {records} records were read, {len(decisions)} decisions were made")
    return faults
