"""Copy raw records into the store: Parquet shards named by their content."""

from __future__ import annotations

import hashlib
import os
import time
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks import files as storage
from tasks.ingest.read import Source, records
from tasks.ingest.walk import RawFile
from tasks.schema import INPUTS, STORE, conform

PAUSES = (0.0, 0.2, 1.0)
"""Seconds before each reading of a file, the second and third if it changed under the one before."""
_RECORD = STORE.names.index("record")


def read_batch(files: Sequence[RawFile], store: Path, ledger: Path, max_record_bytes: int, shard_rows: int, shard_bytes: int) -> Path:
    """Read some raw files into shards of the store and write their rows of the ledger (schema INPUTS) to `ledger`.

    Every file gives at least one record: what cannot be read is a record with a reason. What is no story by its nature is
    not kept but counted in the ledger, by reason. A file that changed while it was read is read again; one that keeps changing, or
    that went away, gets no row, so that nothing half is taken for whole, what the ledger has of it stays, and the next run reads it.
    """
    rows: list[dict[str, Any]] = []
    waiting = list(files)
    for pause in PAUSES:
        time.sleep(pause)
        read, waiting = _read_all(waiting, max_record_bytes, _Shards(store, shard_rows, shard_bytes))
        rows += read
        if not waiting:
            break
    storage.write_table(conform(pa.Table.from_pylist(rows, schema=INPUTS), INPUTS), ledger)
    return ledger


def _read_all(files: Sequence[RawFile], max_record_bytes: int, shards: _Shards) -> tuple[list[dict[str, Any]], list[RawFile]]:
    """The rows of the ledger of files that stayed as they were while they were read, and those that changed, as they are now."""
    held: list[set[int]] = []
    rows: list[dict[str, Any]] = []
    changed: list[RawFile] = []
    with storage.fetched([storage.located(file.path) for file in files]) as here:
        for file, path in zip(files, here, strict=True):
            row, numbers = _read(replace(file, path=str(path)), max_record_bytes, shards)
            now = _as_it_is(file, path)
            if now == file:
                rows.append(row)
                held.append(numbers)
            elif now:
                changed.append(now)
    names = shards.close()
    for row, numbers in zip(rows, held, strict=True):
        row["shards"] = sorted(names[number] for number in numbers)
    return rows, changed


def _as_it_is(file: RawFile, here: Path) -> RawFile | None:
    """The file with its present size and time, None when it is gone; `here` is what was read: of an object, a copy of one version."""
    if file.fault:
        return file
    where = storage.located(file.path)
    if not storage.is_local(where):
        return file if here.exists() or where.exists() else None
    try:
        stat = os.stat(file.path)  # noqa: PTH116 - a Path for each of a million files takes longer than the call
    except FileNotFoundError:
        return None
    except OSError:  # what it is, its record says
        return file
    return replace(file, size=stat.st_size, modified_ns=stat.st_mtime_ns)


def _read(file: RawFile, max_record_bytes: int, shards: _Shards) -> tuple[dict[str, Any], set[int]]:
    """The file's records into the shards; its row of the ledger, and the numbers of the shards that hold it."""
    source = Source(file)
    equal = _Equals()
    held: set[int] = set()
    skipped: dict[str, int] = {}
    number = 0
    known = True
    for record in records(source, max_record_bytes):
        if record.kind == "skipped":
            skipped[record.reason or ""] = skipped.get(record.reason or "", 0) + 1
            continue
        is_file = record.kind == "file"
        sha256 = record.sha256 or (source.sha256 if is_file else None)
        count = equal.before(sha256 or "0")
        row = (
            story_id(file.uri, f"file {sha256}" if is_file else sha256, count),
            file.uri,
            sha256,
            record.place,
            record.kind,
            record.form,
            file.stem if is_file or record.place == "file" else f"{file.stem}#{number}",
            record.data,
            record.url,
            record.charset,
            "ingest" if record.reason else None,
            record.reason,
            record.detail,
        )
        held.add(shards.add(row))
        number += 1
        known = known and record.reason != "unreadable"  # the ledger shall not know the file, so that the next run tries again
    inputs = {
        "raw_uri": file.uri,
        "size": file.size,
        "modified_ns": file.modified_ns,
        "file_sha256": source.sha256 if known else None,
        "raw_state": "present",
        "records": number,
        "skipped": [{"why": why, "records": count} for why, count in sorted(skipped.items())] or None,
    }
    return inputs, held


def story_id(raw_uri: str, sha256: str | None, count: int) -> str:
    """32 hex digits: BLAKE2b-128 of the record's place of origin, its bytes (by their hash) and its count among equals."""
    return hashlib.blake2b(f"{raw_uri}\0{sha256}\0{count}".encode(), digest_size=16).hexdigest()


class _Equals:
    """How often each hash came before, in 8 bytes for each that came once: a file may hold ten million records.

    Hashes are told apart by their first 60 bits; where two agree in these the second counts as equal, which changes its id and no more.
    """

    def __init__(self) -> None:
        self._table = array("Q", bytes(8 << 10))
        self._held = 0
        self._again: dict[int, int] = {}

    def before(self, sha256: str) -> int:
        """The count of equal ones so far; this one is then one of them."""
        key = int(sha256[:15], 16) or 1  # 0 is a free place
        if self._put(key):
            return 0
        count = self._again.get(key, 0) + 1
        self._again[key] = count
        return count

    def _put(self, key: int) -> bool:
        """False when the key is there."""
        if 4 * self._held >= 3 * len(self._table):
            held, self._held = self._table, 0
            self._table = array("Q", bytes(16 * len(held)))
            for one in held:
                if one:
                    self._put(one)
        table, mask = self._table, len(self._table) - 1
        at = key & mask
        while table[at]:
            if table[at] == key:
                return False
            at = (at + 1) & mask
        table[at] = key
        self._held += 1
        return True


class _Shards:
    """Rows of STORE on their way into its files; `add` gives the number of the file a row goes to, `close` the files' names."""

    def __init__(self, store: Path, rows: int, size: int) -> None:
        self._store, self._most_rows, self._most_bytes = store, rows, size
        self._rows: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._names: list[str] = []

    def add(self, row: tuple[Any, ...]) -> int:
        size = len(row[_RECORD])
        if self._rows and (len(self._rows) >= self._most_rows or self._bytes + size > self._most_bytes):
            self._write()
        self._rows.append(row)
        self._bytes += size
        return len(self._names)

    def close(self) -> list[str]:
        if self._rows:
            self._write()
        return self._names

    def _write(self) -> None:
        columns = [pa.array(values, field.type) for values, field in zip(zip(*self._rows, strict=True), STORE, strict=True)]
        self._rows, self._bytes = [], 0
        table = conform(pa.Table.from_arrays(columns, names=STORE.names), STORE)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue()
        name = hashlib.sha256(data).hexdigest()[:32] + ".parquet"
        with storage.written(self._store / name, sync=True) as stream:
            stream.write(data)
        self._names.append(name)
