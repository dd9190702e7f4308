"""Publish: the layout is a function of the rows; a snapshot is whole or not there; verify sees what is wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import publish
from tasks.schema import COLUMNS, DECISIONS, FINGERPRINTED, INPUTS, TABLES, conform, schema


def rows_of(wanted: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows with the given values; what must not be null and is not given is empty."""
    empty: dict[pa.DataType, Any] = {pa.string(): "", pa.int32(): 0, pa.int64(): 0}
    blank = {field.name: None if field.nullable else empty.get(field.type, []) for field in wanted}
    return conform(pa.Table.from_pylist([blank | row for row in rows], schema=wanted), wanted)


def shard(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(rows_of(FINGERPRINTED, rows), path)
    return path


def decided(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(rows_of(DECISIONS, rows), path)
    return path


IDS = [f"{number * 0x1357 % 0x10000:04x}{number:028x}" for number in range(40)]


def snapshot(home: Path, shards: list[list[int]], file_rows: int, parent: Path | None = None) -> tuple[Path, list[dict[str, Any]]]:
    """Forty stories in some shards: every fourth a duplicate of the one before, every tenth quarantined."""
    home.mkdir()
    stories = [
        {
            "story_id": story,
            "source": f"s{n % 3}",
            "text": f"Text {n}",
            "raw_uri": "f.jsonl",
            "published_at": None if n % 5 == 0 else datetime(2025, 1 + n % 2, 1 + n % 28, tzinfo=UTC),
        }
        for n, story in enumerate(IDS)
    ]
    decisions = [
        {"story_id": story, "raw_uri": "f.jsonl", "outcome": "quarantined"}
        if n % 10 == 9
        else {"story_id": story, "raw_uri": "f.jsonl", "outcome": "duplicate", "cluster_id": IDS[n - 1], "duplicate_of": IDS[n - 1]}
        if n % 4 == 3
        else {"story_id": story, "raw_uri": "f.jsonl", "outcome": "kept", "cluster_id": story}
        for n, story in enumerate(IDS)
    ]
    paths = [shard(home / f"{number}.parquet", [stories[n] for n in part]) for number, part in enumerate(shards)]
    listed = decided(home / "decisions.parquet", decisions)
    draft = home / "snapshot"
    draft.mkdir()
    placement = publish.place(listed, paths, home, file_rows)
    for route in placement.routes:
        publish.route(*route)
    entries = [entry for batch in publish.batches(placement, 7) for entry in publish.write_files(batch, draft, parent)]
    entries += publish.write_decisions(listed, draft, parent, file_rows)
    entries.append(publish.write_inputs(rows_of(INPUTS, [{"raw_uri": "f.jsonl", "records": len(IDS)}]), draft, parent))
    publish.finish(draft, home / "snapshots" / "one", {"files": entries})
    return home / "snapshots" / "one", entries


def test_every_row_lands_once_in_the_table_its_decision_names(tmp_path: Path) -> None:
    whole, _ = snapshot(tmp_path / "a", [list(range(40))], 1000)
    assert publish.verify(whole) == []
    kept = pq.read_table(whole / "stories").to_pylist()
    assert {row["story_id"] for row in kept} == {IDS[n] for n in range(40) if n % 10 != 9 and n % 4 != 3}
    with_copy = next(row for row in kept if row["story_id"] == IDS[2])
    assert (with_copy["copies"], with_copy["copy_sources"]) == (2, ["s0", "s2"])
    assert all(row["copies"] is None for row in pq.read_table(whole / "duplicates").to_pylist())


def test_files_are_a_function_of_the_rows(tmp_path: Path) -> None:
    _, one = snapshot(tmp_path / "a", [list(range(40))], 4)
    _, two = snapshot(tmp_path / "b", [list(range(39, 20, -1)), list(range(0, 21, 2)), list(range(1, 21, 2))], 4)
    assert sorted(map(str, one)) == sorted(map(str, two))


def test_layout_months_cuts_and_order(tmp_path: Path) -> None:
    whole, entries = snapshot(tmp_path / "a", [list(range(40))], 4)
    names = sorted(entry["path"] for entry in entries if entry["path"].startswith("stories/"))
    assert {name.split("/")[1].split(".")[0] for name in names} == {"2025-01", "2025-02", "unknown"}
    for name in names:
        table = pq.read_table(whole / name)
        assert 0 < len(table) <= 4 or "-of-1." not in name
        month, cut = name.split("/")[1].split(".")[:2]
        part, count = (int(number) for number in cut.split("-of-"))
        for row in table.to_pylist():
            assert (f"{row['published_at']:%Y-%m}" if row["published_at"] else "unknown") == month
            assert int(row["story_id"][:4], 16) * count >> 16 == part
        assert (whole / name).stat().st_mode & 0o222 == 0
        keys = [(row["source"], row["published_at"], row["story_id"]) for row in table.to_pylist()]
        assert keys == sorted(keys, key=lambda key: (key[0], key[1] or datetime.max.replace(tzinfo=UTC), key[2]))


def test_unchanged_files_are_linked_from_the_parent(tmp_path: Path) -> None:
    first, _ = snapshot(tmp_path / "a", [list(range(40))], 4)
    second, _ = snapshot(tmp_path / "b", [list(range(40))], 4, parent=first)
    for path in (second / "stories").iterdir():
        assert path.samefile(first / "stories" / path.name)


def test_an_empty_table_has_a_file_with_the_schema(tmp_path: Path) -> None:
    listed = decided(tmp_path / "d.parquet", [{"story_id": IDS[0], "outcome": "quarantined"}])
    placement = publish.place(listed, [shard(tmp_path / "0.parquet", [{"story_id": IDS[0]}])], tmp_path, 10)
    publish.route(*placement.routes[0])
    publish.write_files(list(placement.files.items()), tmp_path / "out", None)
    for name in ("stories", "duplicates"):
        assert len(pq.read_table(tmp_path / "out" / name)) == 0
        assert pq.read_table(tmp_path / "out" / name).schema.equals(TABLES[name], check_metadata=True)


@given(st.lists(st.integers(0, 2**16 - 1), max_size=60, unique=True), st.integers(1, 20))
def test_the_cut_is_the_fewest_parts_within_the_limit(numbers: list[int], most: int) -> None:
    ids = [f"{number:04x}" for number in numbers]
    parts, count = publish._cut(ids, most)

    def sizes(power: int) -> list[int]:
        return [sum(number * power >> 16 == part for number in numbers) for part in range(power)]

    assert max(sizes(count), default=0) <= most
    assert count == 1 or max(sizes(count // 2)) > most
    assert [number * count >> 16 for number in numbers] == parts.tolist()


def test_latest_is_swapped_and_always_names_a_snapshot(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "snapshots" / name).mkdir(parents=True)
        publish.point_latest(tmp_path, tmp_path / "snapshots" / name)
        assert publish.latest(tmp_path) == (tmp_path / "snapshots" / name).resolve()
    assert (tmp_path / "latest").readlink() == Path("snapshots/two")


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda whole: flip(next((whole / "stories").iterdir())), "SHA-256 differs"),
        (lambda whole: next((whole / "duplicates").iterdir()).unlink(), "missing"),
        (lambda whole: shutil.copy(next((whole / "stories").iterdir()), whole / "stories" / "more.parquet"), "not in the manifest"),
        (lambda whole: (whole / "manifest.json").unlink(), "manifest.json cannot be read"),
    ],
)
def test_verify_sees_harm(tmp_path: Path, harm: Any, words: str) -> None:
    whole, _ = snapshot(tmp_path / "a", [list(range(40))], 1000)
    harm(whole)
    assert words in " ".join(publish.verify(whole))


def test_verify_sees_a_lost_story(tmp_path: Path) -> None:
    whole, entries = snapshot(tmp_path / "a", [list(range(40))], 1000)
    entry = next(entry for entry in entries if entry["path"].startswith("quarantine"))
    path = whole / entry["path"]
    path.unlink()
    pq.write_table(TABLES["quarantine"].empty_table(), path)
    listed = publish._entry(path, entry["path"], 0)
    manifest = {"files": [listed if one is entry else one for one in entries]}
    (whole / "manifest.json").chmod(0o644)
    (whole / "manifest.json").write_text(json.dumps(manifest))
    assert "4 decisions say quarantined" in " ".join(publish.verify(whole))


def test_every_column_is_described_and_public_tables_have_the_contract_s_columns() -> None:
    assert all(column.description and column.null for column in COLUMNS.values())
    assert schema("story_id").field("story_id").metadata[b"description"]
    assert not schema("story_id").field("story_id").nullable
    with pytest.raises(ValueError, match="columns missing: raw_id"):
        conform(pa.table({"story_id": ["x"]}), schema("story_id", "raw_id"))
    with pytest.raises(ValueError, match="does not fit"):
        conform(pa.table({"story_id": pa.array([None], pa.string())}), schema("story_id"))
