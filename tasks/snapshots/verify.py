"""Whether a snapshot is whole: what its manifest names is there, unchanged, of the right form, and every record stands where its decision says.

Memory: some 200 bytes a record, for the ids of its decision and of its table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files, schema
from tasks.schema import TABLES
from tasks.snapshots.published import latest, read_manifest

TABLE_OF = {"kept": "stories", "duplicate": "duplicates", "quarantined": "quarantine"}
ROWS = 65_536  # read at a time
Ids = npt.NDArray[np.bytes_]


class Fault(NamedTuple):
    """One thing that is wrong: its kind, the file or table, and a sentence."""

    kind: Literal["latest", "manifest", "missing", "extra", "hash", "schema", "conservation"]
    place: str
    says: str

    def __str__(self) -> str:
        return f"{self.place}: {self.says}"


def verify_latest(curated: Path) -> list[Fault]:
    """What is wrong with the pointer to the published snapshot, if there is one; not with the snapshot."""
    try:
        latest(curated)
    except OSError as error:
        return [Fault("latest", Path(error.filename or "latest").name, error.strerror or str(error))]
    return []


def verify(snapshot: Path) -> list[Fault]:
    """What is wrong with a snapshot; empty when every file, schema and count is as its manifest says.

    Conservation is only looked at in a snapshot that is otherwise whole.
    """
    try:
        manifest = read_manifest(snapshot)
        entries = (*manifest["files"], *manifest.get("changes", {}).get("files", ()))  # none, of a version that told no changes
        listed = {str(entry["path"]): str(entry["sha256"]) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [Fault("manifest", "manifest.json", f"cannot be read: {error}")]
    there = {f"{name}/{path.name}" for name in TABLES for path in files.inside(snapshot / name)}
    faults = [Fault("extra", name, "not in the manifest") for name in sorted(there - set(listed))]
    ours = manifest.get("copydesk") in (None, version("copydesk")) and _schema_hash(manifest) in (None, _SCHEMA)
    for name, digest in listed.items():
        if name not in there:
            faults.append(Fault("missing", name, "missing"))
        elif files.digest(snapshot / name) != digest:
            faults.append(Fault("hash", name, "its bytes are not those that were published (SHA-256 differs)"))
        else:
            faults += _of_form(snapshot, name, ours)
    return faults or list(_unconserved(snapshot))


_SCHEMA = hashlib.sha256(Path(schema.__file__).read_bytes()).hexdigest()[:16]


def _schema_hash(manifest: Mapping[str, Any]) -> str | None:
    """Of the code that wrote the snapshot's columns, as the recipe has it: versions that are not released yet differ in no number."""
    code: Mapping[str, str] = manifest.get("recipe", {}).get("spelled", {}).get("code", {})
    return code.get("schema.py")


def _of_form(snapshot: Path, name: str, ours: bool) -> list[Fault]:
    """Of another version of copydesk, columns may be missing or too many, never of another type: they are added to, never renamed."""
    try:
        with files.parquet(snapshot / name) as file:
            found = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        return [Fault("schema", name, f"not readable as Parquet: {error}")]
    wanted = TABLES[name.partition("/")[0]]
    if found.equals(wanted, check_metadata=False):
        return []
    both = set(found.names) & set(wanted.names)
    if ours or any(found.field(column).type != wanted.field(column).type for column in both):
        return [Fault("schema", name, "its columns are not those of this version")]
    return []


def _unconserved(snapshot: Path) -> Iterator[Fault]:
    """Every record has one decision and stands in exactly the table that the decision names."""
    try:
        decided, outcomes = _decided(snapshot)
        for number, (outcome, name) in enumerate(TABLE_OF.items()):
            said, there = decided[outcomes == number], _ids(snapshot, name)
            said.sort()
            there.sort()
            if not np.array_equal(said, there):
                what = f"{len(there)} rows, but {len(said)} decisions say {outcome}"
                yield Fault("conservation", name, what if len(there) != len(said) else f"{what}, of other stories")
        if (outcomes == len(TABLE_OF)).any():
            yield Fault("conservation", "decisions", f"an outcome is none of {', '.join(TABLE_OF)}")
        decided.sort()
        if (decided[1:] == decided[:-1]).any():
            yield Fault("conservation", "decisions", "a story_id stands twice")
        records = pc.sum(files.read_table(snapshot / "inputs", columns=["records"])["records"]).as_py() or 0
        if records != len(decided):
            yield Fault("conservation", "inputs", f"{records} records were read, {len(decided)} decisions were made")
    except pa.ArrowInvalid as error:
        yield Fault("conservation", "decisions", f"story_ids are not all of 32 characters: {error}")


def _decided(snapshot: Path) -> tuple[Ids, npt.NDArray[np.uint8]]:
    """The ids of all decisions: bytes[n, 32]; and the number of each one's outcome in TABLE_OF: uint8[n]."""
    ids, outcomes = [np.zeros(0, "S32")], [np.zeros(0, np.uint8)]
    known = pa.array(list(TABLE_OF), pa.string())
    for batch in _batches(snapshot, "decisions", ["story_id", "outcome"]):
        ids.append(_bytes(batch["story_id"]))
        outcomes.append(pc.fill_null(pc.index_in(batch["outcome"], known), len(TABLE_OF)).cast(pa.uint8()).to_numpy())
    return np.concatenate(ids), np.concatenate(outcomes)


def _ids(snapshot: Path, table: str) -> Ids:
    return np.concatenate([np.zeros(0, "S32"), *(_bytes(batch["story_id"]) for batch in _batches(snapshot, table, ["story_id"]))])


def _batches(snapshot: Path, table: str, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for path in files.inside(snapshot / table, ".parquet"):
        with files.parquet(path) as file:
            for batch in file.iter_batches(ROWS, columns=list(columns), use_threads=False):
                yield {name: batch.column(name) for name in columns}


def _bytes(ids: pa.Array[Any]) -> Ids:
    """Strings of 32 bytes as an array of numpy, which sorts and compares them.

    Raises:
        pa.ArrowInvalid: one is shorter or longer, or null.
    """
    if ids.null_count:
        raise pa.ArrowInvalid("null")
    fixed = ids.cast(pa.binary()).cast(pa.binary(32))
    buffer = fixed.buffers()[1]
    return np.frombuffer(buffer, "S32", len(fixed), fixed.offset * 32) if buffer is not None and len(fixed) else np.zeros(0, "S32")
