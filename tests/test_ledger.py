"""The ledger: what is read again, what is kept, what a file that cannot be read is worth."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

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
    assert (changes.unchanged, changes.vanished, changes.returned) == (1, ("gone",), ("back",))
    assert ledger.compare(found, before, again=True).read == tuple(uri for uri, _, _ in found)


def test_merge_replaces_marks_and_prunes(tmp_path: Path) -> None:
    before = table(row("a"), row("gone"), row("back", raw_state="vanished"))
    pq.write_table(table(row("a", file_sha256="bb", shards=["t.parquet"]), row("new")), tmp_path / "part")
    changes = ledger.Changes(("a", "new"), 0, ("gone",), ("back",))
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


def test_members_are_listed_by_shard() -> None:
    seen = table(row("a", shards=["t.parquet"]), row("b", shards=["s.parquet", "t.parquet"], raw_state="vanished"), row("c", shards=[]))
    listed = ledger.members(seen)
    assert {name: uris.to_pylist() for name, uris in listed.items()} == {"s.parquet": ["b"], "t.parquet": ["a", "b"]}
    assert list(listed) == ["s.parquet", "t.parquet"]
    assert ledger.vanished(seen).to_pylist() == ["b"]
    assert ledger.members(INPUTS.empty_table()) == {}
    assert len(ledger.vanished(INPUTS.empty_table())) == 0


def test_the_members_of_a_shard_travel_alone() -> None:
    many = table(*(row(f"{number:05d}", shards=[f"{number // 10}.parquet"]) for number in range(5_000)))
    assert max(len(pickle.dumps(uris)) for uris in ledger.members(many).values()) < 1_000


def test_what_was_skipped_is_added_up() -> None:
    picture, request = {"why": "picture", "records": 2}, {"why": "request", "records": 1}
    assert ledger.skipped(table(row("a", skipped=[request, picture]), row("b"), row("c", skipped=[picture]))) == {
        "picture": 4,
        "request": 1,
    }
    assert ledger.skipped(INPUTS.empty_table()) == {}


uris = st.sampled_from("abcdefgh")
rows = st.builds(
    row,
    uris,
    size=st.integers(1, 2),
    file_sha256=st.sampled_from(["aa", "bb", None]),
    raw_state=st.sampled_from(["present", "vanished"]),
    shards=st.lists(st.sampled_from(["s", "t"]), unique=True),
)
several = st.lists(rows, unique_by=lambda one: str(one["raw_uri"])).map(lambda found: sorted(found, key=lambda one: str(one["raw_uri"])))


@settings(deadline=None)  # files are written
@given(several, several, st.booleans(), st.booleans())
def test_a_run_of_the_ledger_is_what_plain_python_makes_of_it(
    before: list[dict[str, Any]], now: list[dict[str, Any]], again: bool, prune: bool
) -> None:
    changes = ledger.compare(((one["raw_uri"], one["size"], 1) for one in now), table(*before), again)
    known, there = {one["raw_uri"]: one for one in before}, {one["raw_uri"] for one in now}
    same = [
        one["raw_uri"]
        for one in now
        if not again and (old := known.get(one["raw_uri"])) and old["file_sha256"] is not None and old["size"] == one["size"]
    ]
    returned = [uri for uri in same if known[uri]["raw_state"] == "vanished"]
    gone = [uri for uri, one in known.items() if uri not in there and one["raw_state"] == "present"]
    read = [one["raw_uri"] for one in now if one["raw_uri"] not in same]
    assert changes == ledger.Changes(tuple(read), len(same) - len(returned), tuple(gone), tuple(returned))

    fresh = [one | {"raw_state": "present"} for one in now if one["raw_uri"] in read]
    wanted = {uri: dict(one) for uri, one in known.items()} | {one["raw_uri"]: one for one in fresh}
    wanted |= {uri: wanted[uri] | {"raw_state": "vanished"} for uri in gone} | {
        uri: wanted[uri] | {"raw_state": "present"} for uri in returned
    }
    kept = [one for _, one in sorted(wanted.items()) if not (prune and one["raw_state"] == "vanished")]
    with tempfile.TemporaryDirectory() as folder:
        parts = [Path(folder) / str(part) for part in range(2)]
        for part, path in enumerate(parts):
            pq.write_table(table(*fresh[part::2]), path)
        assert ledger.merge(table(*before), parts, changes, prune).equals(table(*kept))
