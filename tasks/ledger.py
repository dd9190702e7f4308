"""The ledger: which raw files were read, what is new, and which records are the seen set.

The ledger is the table `inputs` of a snapshot (schema INPUTS); it only moves when a snapshot is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.schema import INPUTS, conform


@dataclass(frozen=True)
class Changes:
    """What a walk found against the ledger, by raw_uri."""

    read: tuple[str, ...]  # new, changed, or to be read again
    unchanged: int  # how many
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
    columns = list(zip(*found, strict=True)) or [(), (), ()]
    uris = pa.array(columns[0], pa.string())
    size, modified = (np.fromiter(column, np.int64, len(uris)) for column in columns[1:])
    before = {name: ledger[name].combine_chunks() for name in ("raw_uri", "size", "modified_ns", "raw_state", "file_sha256")}
    present = pc.equal(before["raw_state"], "present").to_numpy(zero_copy_only=False)
    place = pc.index_in(uris, value_set=before["raw_uri"]).fill_null(-1).to_numpy()
    known, at = place >= 0, place[place >= 0]
    same = np.zeros(len(uris), bool)  # as the ledger has it
    same[known] = (
        (before["size"].to_numpy()[at] == size[known])
        & (before["modified_ns"].to_numpy()[at] == modified[known])
        & before["file_sha256"].is_valid().to_numpy(zero_copy_only=False)[at]
    )
    returned = np.zeros(len(uris), bool)
    returned[known] = ~present[at]
    gone = present.copy()
    gone[at] = False
    if again:
        same[:] = False
    return Changes(
        read=_taken(uris, ~same),
        unchanged=int((same & ~returned).sum()),
        vanished=tuple(sorted(_taken(before["raw_uri"], gone))),
        returned=_taken(uris, same & returned),
    )


def merge(ledger: pa.Table, parts: Sequence[Path], changes: Changes, prune: bool) -> pa.Table:
    """The ledger after a run, sorted by raw_uri: rows read anew replace old ones, vanished ones stay (marked) or, with `prune`, go."""
    read = pa.concat_tables([INPUTS.empty_table(), *(files.read_table(part, schema=INPUTS) for part in parts)])
    stay = ledger.filter(pc.invert(pc.is_in(ledger["raw_uri"], value_set=read["raw_uri"].combine_chunks()))) if len(read) else ledger
    rows = pa.concat_tables([stay.cast(INPUTS), read])
    for uris, state in ((changes.vanished, "vanished"), (changes.returned, "present")):
        if uris:
            meant = pc.is_in(rows["raw_uri"], value_set=pa.array(uris, pa.string()))
            rows = rows.set_column(INPUTS.get_field_index("raw_state"), "raw_state", pc.if_else(meant, state, rows["raw_state"]))
    if prune:
        rows = rows.filter(pc.not_equal(rows["raw_state"], "vanished"))
    return conform(rows.take(pc.sort_indices(rows["raw_uri"])), INPUTS)


def unsettled(parts: Sequence[Path], changes: Changes) -> tuple[str, ...]:
    """The raw_uris that were to be read and could not be for good: the files went away, or kept changing under the reading."""
    read = {uri for part in parts for uri in files.read_table(part, columns=["raw_uri"])["raw_uri"].to_pylist()}
    return tuple(uri for uri in changes.read if uri not in read)


def skipped(inputs: pa.Table) -> dict[str, int]:
    """Records of archives that are no stories by their nature (pictures, redirects), by reason."""
    found = pc.list_flatten(inputs["skipped"])
    rows = pa.table({name: pc.struct_field(found, name) for name in ("why", "records")})
    sums = rows.group_by("why").aggregate([("records", "sum")])
    return dict(sorted(zip(sums["why"].to_pylist(), sums["records_sum"].to_pylist(), strict=True)))


def same_content(before: pa.Table, after: pa.Table) -> bool:
    """Both ledgers name the same records: the files' bytes and states are equal, whatever their times."""
    names = ["raw_uri", "raw_state", "file_sha256", "records"]
    return bool(before.select(names).equals(after.select(names)))


def members(ledger: pa.Table) -> dict[str, pa.Array[Any]]:
    """For each store shard, by name, the raw_uris of the files of the seen set that have records in it.

    A shard may hold records of files that have changed or were pruned since: these are not named for it.
    """
    shards = ledger["shards"].combine_chunks()
    names = shards.flatten().dictionary_encode()
    codes = names.indices.to_numpy()
    ends = np.cumsum(np.bincount(codes, minlength=len(names.dictionary)))
    rows = np.split(shards.value_parent_indices().to_numpy()[np.argsort(codes, kind="stable")], ends)[:-1]
    uris = ledger["raw_uri"].combine_chunks()  # taken for each shard: a slice would be sent to another process with the whole array
    return dict(sorted((name, uris.take(pa.array(mine))) for name, mine in zip(names.dictionary.to_pylist(), rows, strict=True)))


def vanished(ledger: pa.Table) -> pa.Array[Any]:
    """The raw_uris of the files that are gone and whose records are kept."""
    return ledger["raw_uri"].filter(pc.equal(ledger["raw_state"], "vanished")).combine_chunks()


def _taken(uris: pa.Array[Any], mask: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(uris.filter(pa.array(mask)).to_pylist())
