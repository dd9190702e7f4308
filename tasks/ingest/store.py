"""Copy raw records into the store: Parquet shards named by their content."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.ingest.read import file_sha256, records
from tasks.ingest.record import Record
from tasks.ingest.walk import RawFile
from tasks.schema import INPUTS, STORE, conform


def read_batch(files: Sequence[RawFile], store: Path, ledger: Path, max_record_bytes: int, shard_rows: int, shard_bytes: int) -> Path:
    """Read some raw files into shards of the store and write their rows of the ledger (schema INPUTS) to `ledger`.

    Every file gives at least one record: what cannot be read is a record with a reason. What is no story by its nature is
    not kept but counted in the ledger, by reason.
    """
    shards = _Shards(store, shard_rows, shard_bytes)
    rows: list[dict[str, Any]] = []
    for file in files:
        digest = None if file.fault else file_sha256(file.path)
        equal: Counter[str | None] = Counter()
        held: set[int] = set()
        skipped: Counter[str] = Counter()
        for record in records(file, max_record_bytes):
            if record.kind == "skipped":
                skipped[record.reason or ""] += 1
                continue
            number = equal.total()
            sha256 = record.sha256 or (digest if record.kind == "file" else None)
            held.add(
                shards.add(_row(file, record, sha256, equal[sha256], None if record.place == "file" or record.kind == "file" else number))
            )
            equal[sha256] += 1
            if record.reason == "unreadable":
                digest = None  # the ledger shall not know the file, so that the next run tries again
        rows.append(
            {
                "raw_uri": file.uri,
                "size": file.size,
                "modified_ns": file.modified_ns,
                "file_sha256": digest,
                "raw_state": "present",
                "records": equal.total(),
                "skipped": [{"why": why, "records": count} for why, count in sorted(skipped.items())] or None,
                "shards": held,
            }
        )
    names = shards.close()
    for row in rows:
        row["shards"] = sorted(names[number] for number in row["shards"])
    pq.write_table(conform(pa.Table.from_pylist(rows, schema=INPUTS), INPUTS), ledger)
    return ledger


def story_id(raw_uri: str, sha256: str | None, count: int) -> str:
    """32 hex digits: BLAKE2b-128 of the record's place of origin, its bytes (by their hash) and its count among equals."""
    return hashlib.blake2b(f"{raw_uri}\0{sha256}\0{count}".encode(), digest_size=16).hexdigest()


def _row(file: RawFile, record: Record, sha256: str | None, count: int, number: int | None) -> dict[str, Any]:
    return {
        "story_id": story_id(file.uri, sha256 if record.kind == "record" else f"file {sha256}", count),
        "raw_uri": file.uri,
        "raw_sha256": sha256,
        "place": record.place,
        "kind": record.kind,
        "form": record.form,
        "stem": file.stem if number is None else f"{file.stem}#{number}",
        "record": record.data,
        "url": record.url,
        "charset": record.charset,
        "stage": "ingest" if record.reason else None,
        "reason": record.reason,
        "detail": record.detail,
    }


class _Shards:
    """Rows on their way into store files; `add` gives the number of the file a row goes to, `close` the files' names."""

    def __init__(self, store: Path, rows: int, size: int) -> None:
        self._store, self._most_rows, self._most_bytes = store, rows, size
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._names: list[str] = []

    def add(self, row: dict[str, Any]) -> int:
        if self._rows and (len(self._rows) >= self._most_rows or self._bytes + len(row["record"]) > self._most_bytes):
            self._write()
        self._rows.append(row)
        self._bytes += len(row["record"])
        return len(self._names)

    def close(self) -> list[str]:
        if self._rows:
            self._write()
        return self._names

    def _write(self) -> None:
        table = conform(pa.Table.from_pylist(self._rows, schema=STORE), STORE)
        draft = self._store / f".draft-{os.getpid()}-{self._rows[0]['story_id']}"
        pq.write_table(table, draft, compression="zstd")
        with draft.open("rb") as stream:
            name = hashlib.file_digest(stream, "sha256").hexdigest()[:32] + ".parquet"
        draft.replace(self._store / name)
        self._names.append(name)
        self._rows, self._bytes = [], 0
