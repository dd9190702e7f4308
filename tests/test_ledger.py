"""The ledger: what is read again, what is kept, what a file that cannot be read is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks import ledger
from tasks.schema import INPUTS


def row(uri: str, **values: Any) -> dict[str, Any]:
    known = {
        "raw_uri": uri,
        "size": 10,
        "modified_ns": 1,
        "file_sha256": "aa",
        "raw_state": "present",
        "records": 2,
        "shards": ["s.parquet"],
    }
    return known | values


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=INPUTS)


def test_what_is_read_is_new_or_changed_or_could_not_be_read() -> None:
    before = table(
        row("same"), row("bigger"), row("later"), row("failed", file_sha256=None), row("gone"), row("back", raw_state="vanished")
    )
    found = [("same", 10, 1), ("bigger", 11, 1), ("later", 10, 2), ("failed", 10, 1), ("back", 10, 1), ("new", 1, 1)]
    changes = ledger.compare(found, before, again=False)
    assert changes.read == ("bigger", "later", "failed", "new")
    assert (changes.unchanged, changes.vanished, changes.returned) == (("same",), ("gone",), ("back",))
    assert ledger.compare(found, before, again=True).read == tuple(uri for uri, _, _ in found)


def test_merge_replaces_marks_and_prunes(tmp_path: Path) -> None:
    before = table(row("a"), row("gone"), row("back", raw_state="vanished"))
    pq.write_table(table(row("a", file_sha256="bb", shards=["t.parquet"]), row("new")), tmp_path / "part")
    changes = ledger.Changes(("a", "new"), (), ("gone",), ("back",))
    merged = {one["raw_uri"]: one for one in ledger.merge(before, [tmp_path / "part"], changes, prune=False).to_pylist()}
    assert {uri: one["raw_state"] for uri, one in merged.items()} == {
        "a": "present",
        "back": "present",
        "gone": "vanished",
        "new": "present",
    }
    assert merged["a"]["shards"] == ["t.parquet"]
    assert "gone" not in ledger.merge(before, [], changes, prune=True)["raw_uri"].to_pylist()


def test_same_content_looks_at_bytes_not_times() -> None:
    assert ledger.same_content(table(row("a")), table(row("a", modified_ns=9, shards=["other.parquet"])))
    assert not ledger.same_content(table(row("a")), table(row("a", file_sha256="bb")))
    assert not ledger.same_content(table(row("a")), table(row("a", raw_state="vanished")))


def test_members_are_listed_by_shard(tmp_path: Path) -> None:
    listed = ledger.members(table(row("a"), row("b", shards=["s.parquet", "t.parquet"], raw_state="vanished")), tmp_path)
    found = {name: pq.read_table(path).to_pylist() for name, path in listed}
    assert found == {
        "s.parquet": [{"raw_uri": "a", "raw_state": "present"}, {"raw_uri": "b", "raw_state": "vanished"}],
        "t.parquet": [{"raw_uri": "b", "raw_state": "vanished"}],
    }
