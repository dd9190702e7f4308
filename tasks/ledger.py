"""The ledger: which raw files were read, what is new, and which records are the seen set.

The ledger is the table `inputs` of a snapshot (schema INPUTS); it only moves when a snapshot is published.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.schema import INPUTS, conform

MEMBERS = pa.schema([INPUTS.field("raw_uri"), INPUTS.field("raw_state")])


@dataclass(frozen=True)
class Changes:
    """What a walk found against the ledger, by raw_uri."""

    read: tuple[str, ...]  # new, changed, or to be read again
    unchanged: tuple[str, ...]
    vanished: tuple[str, ...]  # gone since the last run
    returned: tuple[str, ...]  # unchanged, but counted as vanished so far

    @property
    def any(self) -> bool:
        return bool(self.read or self.vanished or self.returned)


def compare(found: Iterable[tuple[str, int, int]], ledger: pa.Table, again: bool) -> Changes:
    """Sort the files found (raw_uri, size, modified_ns) against the ledger; `again` reads all of them once more.

    A file of another size or time is read, and so is one that could not be read the last time; whether its bytes are new,
    `same_content` tells afterwards.
    """
    before = {row["raw_uri"]: row for row in ledger.select(["raw_uri", "size", "modified_ns", "raw_state", "file_sha256"]).to_pylist()}
    read: list[str] = []
    unchanged: list[str] = []
    returned: list[str] = []
    seen: set[str] = set()
    for uri, size, modified in found:
        seen.add(uri)
        row = before.get(uri)
        if again or row is None or row["file_sha256"] is None or (row["size"], row["modified_ns"]) != (size, modified):
            read.append(uri)
        else:
            (unchanged if row["raw_state"] == "present" else returned).append(uri)
    vanished = [uri for uri, row in before.items() if uri not in seen and row["raw_state"] == "present"]
    return Changes(tuple(read), tuple(unchanged), tuple(sorted(vanished)), tuple(returned))


def merge(ledger: pa.Table, parts: Sequence[Path], changes: Changes, prune: bool) -> pa.Table:
    """The ledger after a run: rows read anew replace old ones, vanished ones stay (marked) or, with `prune`, go."""
    rows = {row["raw_uri"]: row for row in ledger.to_pylist()}
    for part in parts:
        rows |= {row["raw_uri"]: row for row in pq.read_table(part).to_pylist()}
    for uri in changes.vanished:
        rows[uri]["raw_state"] = "vanished"
    for uri in changes.returned:
        rows[uri]["raw_state"] = "present"
    kept = (row for _, row in sorted(rows.items()) if not (prune and row["raw_state"] == "vanished"))
    return conform(pa.Table.from_pylist(list(kept), schema=INPUTS), INPUTS)


def skipped(inputs: pa.Table) -> dict[str, int]:
    """Records of archives that are no stories by their nature (pictures, redirects), by reason."""
    counts: Counter[str] = Counter()
    for found in inputs["skipped"].to_pylist():
        for one in found or []:
            counts[one["why"]] += one["records"]
    return dict(sorted(counts.items()))


def same_content(before: pa.Table, after: pa.Table) -> bool:
    """Both ledgers name the same records: the files' bytes and states are equal, whatever their times."""
    names = ["raw_uri", "raw_state", "file_sha256", "records"]
    return bool(before.select(names).equals(after.select(names)))


def members(ledger: pa.Table) -> dict[str, pa.Array[Any] | None]:
    """Interim."""
    by_shard: defaultdict[str, list[str]] = defaultdict(list)
    for row in ledger.select(["raw_uri", "shards"]).to_pylist():
        for shard in row["shards"]:
            by_shard[shard].append(row["raw_uri"])
    return {shard: pa.array(uris) for shard, uris in sorted(by_shard.items())}


def vanished(ledger: pa.Table) -> pa.Array[Any]:
    """Interim."""
    import pyarrow.compute as pc

    return ledger.filter(pc.equal(ledger["raw_state"], "vanished"))["raw_uri"].combine_chunks()
