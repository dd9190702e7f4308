"""Publish: the layout is a function of the rows; a snapshot is whole or not there; verify sees what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import cluster, files, index, publish, snapshots
from tasks.schema import COLUMNS, FINGERPRINTED, INPUTS, STANDING, TABLES, conform, schema


def rows_of(wanted: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows with the given values; what must not be null and is not given is empty."""
    empty: dict[pa.DataType, Any] = {pa.string(): "", pa.int32(): 0, pa.int64(): 0}
    blank = {field.name: None if field.nullable else empty.get(field.type, []) for field in wanted}
    return conform(pa.Table.from_pylist([blank | row for row in rows], schema=wanted), wanted)


IDS = [f"{number * 0x1357 % 0x10000:04x}{number:028x}" for number in range(40)]
STORIES: list[dict[str, Any]] = [
    {
        "story_id": story,
        "source": f"s{n % 3}",
        "text": f"Text {n}",
        "raw_uri": f"f{n % 4}.jsonl",
        "published_at": None if n % 5 == 0 else datetime(2025, 1 + n % 2, 1 + n % 28, tzinfo=UTC),
    }
    | ({"stage": "check", "reason": "too_short"} if n % 10 == 9 else {})
    for n, story in enumerate(IDS)
]
EVERY = list(range(40))


def month(n: int) -> int:
    at = STORIES[n]["published_at"]
    return 12 * at.year + at.month - 1 if at else index.UNKNOWN


def repeats(numbers: list[int]) -> list[dict[str, Any]]:
    """Every fourth story is a duplicate of the one before it."""
    return [
        {
            "story_id": IDS[n],
            "source": f"s{n % 3}",
            "reason": "tie",
            "cluster_id": IDS[n - 1],
            "duplicate_of": IDS[n - 1],
            "month": month(n),
        }
        for n in numbers
        if n % 4 == 3 and n % 10 != 9
    ]


def decided(
    home: Path,
    shards: list[list[int]],
    before: list[list[int]] | None = None,
    standing: list[int] | None = None,
    vanished: tuple[str, ...] = (),
) -> publish.Decided:
    """What the last stages found of some of the forty stories in some shards; `before`: those of the last run; `standing`: who has a standing."""
    folder = home / "index"
    folder.mkdir(parents=True)
    named = {str(part): part for part in [*shards, *(before or [])]}
    names = {
        told: index.write(rows_of(FINGERPRINTED, [STORIES[n] for n in part]), folder, f"shard{number}", {})
        for number, (told, part) in enumerate(named.items())
    }
    index.write_roster(folder, [names[str(part)] for part in shards], [names[str(part)] for part in before or []], home / "roster.arrow")
    rows = repeats(sorted(n for part in shards for n in part) if standing is None else standing)
    (home / "standing").mkdir()
    pq.write_table(rows_of(STANDING, rows), home / "standing" / "all.parquet")
    copies = cluster.copies(home / "standing", home / "roster.arrow", home / "copies.parquet")
    return publish.Decided(home / "roster.arrow", home / "standing", copies, vanished, "r")


def written(layout: publish.Layout, found: publish.Decided, draft: Path, parent: Path | None) -> list[dict[str, Any]]:
    """All tables of a snapshot in its draft folder."""
    entries = [entry for batch in publish.batches(layout.units, 7) for entry in publish.write(batch, found, draft, parent)]
    if parent:
        entries += publish.take_over(layout.unchanged, draft, parent)
    records = [{"raw_uri": "f.jsonl", "records": int(index.Roster.read(found.roster_file).now.sum())}]
    return [*entries, publish.write_inputs(rows_of(INPUTS, records), draft, parent)]


def snapshot(home: Path, shards: list[list[int]], file_rows: int, parent: Path | None = None) -> tuple[Path, list[dict[str, Any]]]:
    """Forty stories in some shards: every fourth a duplicate of the one before, every tenth quarantined."""
    found = decided(home, shards)
    entries = written(publish.plan(found, file_rows), found, home / "snapshot", parent)
    publish.finish(home / "snapshot", home / "snapshots" / "one", {"files": entries})
    return home / "snapshots" / "one", entries


def test_every_row_lands_once_in_the_table_its_decision_names(tmp_path: Path) -> None:
    whole, _ = snapshot(tmp_path / "a", [list(range(40))], 1000)
    assert snapshots.verify(whole) == []
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
    quarantine = [entry["path"].split("/")[1].split(".")[0] for entry in entries if entry["path"].startswith("quarantine/")]
    assert set(quarantine) == {"all"}  # in whatever month
    ids = [pq.read_table(whole / entry["path"])["story_id"].to_pylist() for entry in entries if entry["path"].startswith("decisions/")]
    assert all(part == sorted(part) for part in ids)
    assert sorted(story for part in ids for story in part) == sorted(IDS)


def test_row_groups_are_small_and_in_the_order_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "ROW_GROUP_ROWS", 3)
    small, _ = snapshot(tmp_path / "small", [EVERY[::2], EVERY[1::2]], 1000)
    monkeypatch.undo()
    large, _ = snapshot(tmp_path / "large", [EVERY], 1000)
    for path in sorted((small / "stories").iterdir()):
        groups = pq.ParquetFile(path).metadata
        sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
        assert set(sizes[:-1]) <= {3}
        assert 0 < sizes[-1] <= 3
        whole = next((large / "stories").glob(path.name.split(".")[0] + ".*"))
        assert pq.read_table(path).equals(pq.read_table(whole))


def unhashed(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """Names of the files but the inputs', without hash."""
    return {entry["path"].rsplit(".", 2)[0] for entry in entries if not entry["path"].startswith("inputs/")}


def stir(found: publish.Decided, numbers: list[int]) -> Path:
    """A file that names stories whose cluster may have changed."""
    ranks = np.sort(index.Roster.read(found.roster_file).find([IDS[n] for n in numbers])).astype(np.uint32)
    path = found.roster_file.with_name("stirred.arrow")
    files.write_arrow([pa.record_batch([pa.array(ranks)], schema=cluster.STIRRED)], cluster.STIRRED, path)
    return path


def test_only_files_whose_rows_changed_are_written_again(tmp_path: Path) -> None:
    first, entries = snapshot(tmp_path / "a", [EVERY[:20]], 1000)
    late = [21, 33, 37]  # of February, kept
    found = decided(tmp_path / "b", [EVERY[:20], late], [EVERY[:20]])
    stirred = stir(found, late)
    layout = publish.plan(found, 1000, entries, stirred)
    assert {unit.partition for unit in layout.units} == {"2025-02"}
    assert unhashed(layout.unchanged) == {name for name in unhashed(entries) if "2025-02" not in name}
    again = written(layout, found, tmp_path / "b" / "draft", first)
    every = written(publish.plan(found, 1000), found, tmp_path / "b" / "scratch", None)
    assert sorted(map(str, again)) == sorted(map(str, every))
    for entry in layout.unchanged:
        assert (tmp_path / "b" / "draft" / entry["path"]).samefile(first / entry["path"])


def test_a_story_whose_cluster_changed_moves_between_the_tables_of_its_month(tmp_path: Path) -> None:
    first, entries = snapshot(tmp_path / "a", [EVERY], 1000)
    freed = 7  # no duplicate any more, and the story of the 6th stands for one less
    assert STORIES[freed]["published_at"].month == 2
    assert STORIES[freed - 1]["published_at"].month == 1
    found = decided(tmp_path / "b", [EVERY], [EVERY], [n for n in EVERY if n != freed])
    stirred = stir(found, [freed, freed - 1])
    layout = publish.plan(found, 1000, entries, stirred)
    assert {name for name in unhashed(layout.unchanged) if name.startswith(("stories", "duplicates"))} == {
        f"{table}/unknown.0-of-1" for table in ("stories", "duplicates")
    }
    assert any(name.startswith("quarantine") for name in unhashed(layout.unchanged))
    again = written(layout, found, tmp_path / "b" / "draft", first)
    every = written(publish.plan(found, 1000), found, tmp_path / "b" / "scratch", None)
    assert sorted(map(str, again)) == sorted(map(str, every))
    assert IDS[freed] in pq.read_table(tmp_path / "b" / "draft" / "stories")["story_id"].to_pylist()


def test_of_a_vanished_file_only_the_decisions_change(tmp_path: Path) -> None:
    shards = [EVERY[::2], EVERY[1::2]]  # f1.jsonl and f3.jsonl are in the second alone
    first, entries = snapshot(tmp_path / "a", shards, 1000)
    found = decided(tmp_path / "b", shards, shards, vanished=("f1.jsonl",))
    layout = publish.plan(found, 1000, entries, stir(found, []), ["shard1"])
    assert {unit.tables for unit in layout.units} == {("decisions",)}
    again = written(layout, found, tmp_path / "b" / "draft", first)
    every = written(publish.plan(found, 1000), found, tmp_path / "b" / "scratch", None)
    assert sorted(map(str, again)) == sorted(map(str, every))
    states = {row["story_id"]: row["raw_state"] for row in pq.read_table(tmp_path / "b" / "draft" / "decisions").to_pylist()}
    assert states == {IDS[n]: "vanished" if n % 4 == 1 else "present" for n in EVERY}


def test_units_are_written_in_batches_of_some_rows() -> None:
    units = [publish.Unit(("stories",), (n,), str(n), 0, 1, rows) for n, rows in enumerate([3, 3, 3, 9, 1, 0])]
    assert [[unit.rows for unit in batch] for batch in publish.batches(units, 6)] == [[3, 3], [3], [9], [1, 0]]
    assert publish.batches([], 6) == []


def test_unchanged_files_are_linked_from_the_parent(tmp_path: Path) -> None:
    first, _ = snapshot(tmp_path / "a", [list(range(40))], 4)
    second, _ = snapshot(tmp_path / "b", [list(range(40))], 4, parent=first)
    for path in (second / "stories").iterdir():
        assert path.samefile(first / "stories" / path.name)


def test_an_empty_table_has_a_file_with_the_schema(tmp_path: Path) -> None:
    found = decided(tmp_path, [[9]])  # quarantined
    publish.write(publish.plan(found, 10).units, found, tmp_path / "out", None)
    for name in ("stories", "duplicates"):
        assert len(pq.read_table(tmp_path / "out" / name)) == 0
        assert pq.read_table(tmp_path / "out" / name).schema.equals(TABLES[name], check_metadata=True)


@given(st.lists(st.integers(0, 2**16 - 1), max_size=60, unique=True), st.integers(1, 20))
def test_the_cut_is_the_fewest_parts_within_the_limit(numbers: list[int], most: int) -> None:
    parts, count = publish._cut(np.array(numbers, np.int64), most)

    def sizes(power: int) -> list[int]:
        return [sum(number * power >> 16 == part for number in numbers) for part in range(power)]

    assert max(sizes(count), default=0) <= most
    assert count == 1 or max(sizes(count // 2)) > most
    assert [number * count >> 16 for number in numbers] == parts.tolist()
    assert publish._part(np.array(numbers, np.int64), count).tolist() == parts.tolist()


def test_latest_is_swapped_and_always_names_a_snapshot(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "snapshots" / name).mkdir(parents=True)
        before = snapshots.named(tmp_path)
        snapshots.point_latest(tmp_path, tmp_path / "snapshots" / name, before)
        assert snapshots.latest(tmp_path) == (tmp_path / "snapshots" / name).resolve()
    assert (tmp_path / "latest").readlink() == Path("snapshots/two")


def test_every_column_is_described_and_public_tables_have_the_contract_s_columns() -> None:
    assert all(column.description and column.null for column in COLUMNS.values())
    assert schema("story_id").field("story_id").metadata[b"description"]
    assert not schema("story_id").field("story_id").nullable
    with pytest.raises(ValueError, match="columns missing: raw_id"):
        conform(pa.table({"story_id": ["x"]}), schema("story_id", "raw_id"))
    with pytest.raises(ValueError, match="does not fit"):
        conform(pa.table({"story_id": pa.array([None], pa.string())}), schema("story_id"))
