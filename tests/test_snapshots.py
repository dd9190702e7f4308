"""Snapshots as wholes: the pointer, which are whole, which are held, which go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import test_publish as published

from tasks import files, snapshots
from tasks.schema import INPUTS, TABLES
from tasks.snapshots import Removal, plan, repeated


def ledger(rows: Mapping[str, str], shards: Iterable[str] = ()) -> pa.Table:
    """Of raw files with the hash of their bytes; all in some shards of the store."""
    told = [{"raw_uri": uri, "file_sha256": sha256, "records": 1, "shards": sorted(shards)} for uri, sha256 in rows.items()]
    return published.rows_of(INPUTS, [row | {"raw_state": "present"} for row in told])


def snapshot(
    curated: Path,
    name: str,
    rows: Mapping[str, str] | None = None,
    shards: Iterable[str] = (),
    place: str = "snapshots",
    content: str | None = None,
    recipe: str = "r1",
) -> Path:
    """A snapshot that is nothing but its ledger and its manifest."""
    path = curated / place / name
    files.write_table(ledger({"a.txt": "1"} if rows is None else rows, shards), path / "inputs" / "all.0-of-1.x.parquet")
    manifest = {
        "files": [{"path": "stories/x.parquet", "sha256": content or name}],
        "recipe": {"hash": recipe},
        "parent": None,
        "run": {"started": "2026-01-01T00:00:00+00:00"},
        "counts": {"kept": 7},
    }
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


def name(day: int, letter: str = "a") -> str:
    return f"202601{day:02d}T050000Z-{letter * 8}"


@pytest.fixture(params=["local", "s3"])
def curated(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "s3":
        request.getfixturevalue("s3_server")
        return files.located(f"s3://news/snapshots-{tmp_path.parent.name}-{tmp_path.name}")
    return tmp_path


def remove(curated: Path, removal: Removal) -> None:
    snapshots.remove(curated, removal, files.folder(curated / ".aside"))


def names(place: Path) -> list[str]:
    return [path.name for path in files.inside(place)]


# ---- the pointer ----------------------------------------------------------------------------------------------------


def test_latest_is_swapped_only_if_it_names_what_the_run_began_with(curated: Path) -> None:
    one, two, three = (snapshot(curated, name(day)) for day in (1, 2, 3))
    assert snapshots.latest(curated) is None
    snapshots.point_latest(curated, one, None)
    snapshots.point_latest(curated, two, one.name)
    with pytest.raises(snapshots.MovedError, match=f"{two.name} was published since this run began, on {one.name}"):
        snapshots.point_latest(curated, three, one.name)
    with pytest.raises(snapshots.MovedError):
        snapshots.point_latest(curated, three, None)
    found = snapshots.latest(curated)
    assert found
    assert found.name == snapshots.named(curated) == two.name


def test_a_latest_that_names_nothing_is_told_and_not_taken_for_a_first_run(curated: Path) -> None:
    one = snapshot(curated, name(1))
    snapshots.point_latest(curated, one, None)
    assert snapshots.verify_latest(curated) == []
    files.remove_tree(one)
    (fault,) = snapshots.verify_latest(curated)
    assert fault.kind == "latest"
    assert f"names {one.name}, which is not there" in fault.says
    with pytest.raises(FileNotFoundError, match=f"names {one.name}, which is not there"):
        snapshots.latest(curated)


def test_a_pointer_that_is_none_is_told(s3_server: dict[str, str], tmp_path: Path) -> None:  # noqa: ARG001
    curated = files.located(f"s3://news/{tmp_path.name}")
    (curated / "latest.json").write_text("{}", encoding="utf-8")
    (fault,) = snapshots.verify_latest(curated)
    assert (fault.kind, fault.place) == ("latest", "latest.json")
    assert "remove it, then" in fault.says


def test_a_snapshot_is_found_by_name_and_by_path(curated: Path) -> None:
    good, bad = snapshot(curated, name(1)), snapshot(curated, name(2), place="refused")
    assert snapshots.find(curated, good.name) == good
    assert snapshots.find(curated, bad.name) == bad
    assert snapshots.find(curated, str(bad)) == bad
    for unknown in (name(3), "", str(curated / "snapshots" / "x")):
        assert snapshots.find(curated, unknown) is None


def test_the_list_tells_what_each_is(curated: Path) -> None:
    one, two = snapshot(curated, name(1)), snapshot(curated, name(2))
    snapshot(curated, name(3), place="refused")
    snapshots.point_latest(curated, one, None)
    snapshots.set_hold(curated, two, one, "mo@desk", "2026-01-03", "too few")
    (curated / "snapshots" / name(4)).mkdir(parents=True, exist_ok=True)
    (curated / "snapshots" / name(4) / "half").write_bytes(b"x")
    rows = snapshots.listed(curated)
    assert [(row["snapshot"], row["state"], row["why"]) for row in rows] == [
        (name(4), "unreadable", None),
        (name(3), "refused", None),
        (name(2), "held", "too few"),
        (name(1), "published", None),
    ]
    assert rows[0]["own_bytes"] == 1
    assert rows[1]["stories"] == 7


def test_own_bytes_are_those_that_no_other_snapshot_has(tmp_path: Path) -> None:
    one, two = snapshot(tmp_path, name(1)), snapshot(tmp_path, name(2))
    before = snapshots.listed(tmp_path)[0]["own_bytes"]
    (two / "stories").mkdir()
    (one / "stories").mkdir()
    (one / "stories" / "x").write_bytes(b"x" * 1000)
    files.link(one / "stories" / "x", two / "stories" / "x")
    assert snapshots.listed(tmp_path)[0]["own_bytes"] == before


# ---- what goes ------------------------------------------------------------------------------------------------------


def test_the_newest_stay_and_the_others_go_whole(curated: Path) -> None:
    for day in range(1, 8):
        snapshot(curated, name(day))
    snapshots.point_latest(curated, curated / "snapshots" / name(7), None)
    gone = plan(curated, name(8), ledger({}), keep=3, keep_days=None)
    assert gone == Removal(snapshots=tuple(name(day) for day in range(1, 6)))  # with 8, 7, 6
    remove(curated, gone)
    assert names(curated / "snapshots") == [name(6), name(7)]
    assert names(curated / ".aside") == []
    remove(curated, gone)  # what is gone is gone
    assert names(curated / "snapshots") == [name(6), name(7)]


@pytest.mark.parametrize(
    ("keep", "keep_days", "stay"),
    [
        ("all", None, [1, 2, 3, 4, 5]),
        ("all", 0, [1, 2, 3, 4, 5]),
        (1, None, [5]),  # as the parent
        (3, None, [4, 5]),
        (1, 2, [4, 5]),  # made within two days before the 6th
        (1, 4.5, [2, 3, 4, 5]),
        (4, 1, [3, 4, 5]),
        (1, 0, [5]),
    ],
)
def test_a_snapshot_stays_while_number_or_age_wants_it(tmp_path: Path, keep: Any, keep_days: float | None, stay: list[int]) -> None:
    for day in range(1, 6):
        snapshot(tmp_path, name(day))
    snapshots.point_latest(tmp_path, tmp_path / "snapshots" / name(5), None)
    remove(tmp_path, plan(tmp_path, name(6), ledger({}), keep, keep_days))
    assert names(tmp_path / "snapshots") == [name(day) for day in stay]


def test_what_is_published_or_held_stays_and_what_others_put_there(tmp_path: Path) -> None:
    for day in range(1, 10):
        snapshot(tmp_path, name(day))
    (tmp_path / "snapshots" / "before the move").mkdir()
    snapshots.point_latest(tmp_path, tmp_path / "snapshots" / name(2), None)
    snapshots.set_hold(tmp_path, tmp_path / "snapshots" / name(5), tmp_path / "snapshots" / name(3), "mo", "now", None)
    remove(tmp_path, plan(tmp_path, name(10), ledger({}), 1, None))
    assert names(tmp_path / "snapshots") == [name(2), name(3), name(5), "before the move"]


def test_a_clock_that_was_set_back_takes_nothing_that_is_needed(tmp_path: Path) -> None:
    for day in (20, 21, 22):
        snapshot(tmp_path, name(day))
    snapshots.point_latest(tmp_path, tmp_path / "snapshots" / name(22), None)
    remove(tmp_path, plan(tmp_path, name(1), ledger({}), 2, None))
    snapshot(tmp_path, name(1))
    assert names(tmp_path / "snapshots") == [name(1), name(22)]


def test_of_the_refused_the_last_few_stay(curated: Path) -> None:
    for day in range(1, 6):
        snapshot(curated, name(day), place="refused")
    gone = plan(curated, name(6), ledger({}), 1, None, published=False)
    assert gone.refused == (name(1), name(2), name(3))
    remove(curated, gone)
    snapshot(curated, name(6), place="refused")
    assert names(curated / "refused") == [name(4), name(5), name(6)]
    assert plan(curated, name(7), ledger({}), 1, None).refused == ()


def test_shards_of_the_store_go_that_no_ledger_names_any_more(curated: Path) -> None:
    for shard in ("a", "b", "c", "d", "e", "f"):
        files.folder(curated / "store")
        (curated / "store" / f"{shard}.parquet").write_bytes(b"x" * 10)
    snapshot(curated, name(1), shards=["a.parquet", "b.parquet"])
    snapshot(curated, name(2), shards=["b.parquet", "c.parquet"])
    snapshot(curated, name(3), shards=["d.parquet"], place="refused")
    snapshots.point_latest(curated, curated / "snapshots" / name(2), None)
    assert plan(curated, name(4), ledger({}, []), 24, None) == Removal()  # without a snapshot that goes, nobody looks
    gone = plan(curated, name(4), ledger({"a.txt": "1"}, ["e.parquet"]), 1, None)
    assert gone == Removal((name(1),), (), ("a.parquet", "f.parquet"), 20)
    remove(curated, gone)
    assert names(curated / "store") == [f"{shard}.parquet" for shard in "bcde"]


def test_nothing_of_the_store_goes_while_a_ledger_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.parquet").write_bytes(b"x")
    for day in (1, 2):
        snapshot(tmp_path, name(day))
    snapshots.point_latest(tmp_path, tmp_path / "snapshots" / name(2), None)
    next((tmp_path / "snapshots" / name(2) / "inputs").iterdir()).write_bytes(b"no Parquet")
    assert plan(tmp_path, name(3), ledger({}), 1, None) == Removal((name(1),))
    assert "the ledger of" in caplog.text


def test_what_cannot_be_removed_is_said_and_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    snapshot(tmp_path, name(1))

    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "remove_tree", fail)
    remove(tmp_path, Removal((name(1),)))
    assert "the next run will try again" in caplog.text


# ---- what is held ---------------------------------------------------------------------------------------------------

GOOD = {"a.txt": "1", "b.txt": "1", "c.txt": "1"}
BAD = {"a.txt": "1", "b.txt": "2", "d.txt": "1"}  # b changed, c pruned, d new


@pytest.fixture
def held(tmp_path: Path) -> snapshots.Hold:
    """What BAD brought is held in favour of GOOD."""
    good, bad = snapshot(tmp_path, name(1), GOOD), snapshot(tmp_path, name(2), BAD)
    return snapshots.set_hold(tmp_path, bad, good, "mo@desk", "2026-01-02T06:00:00+00:00", "half of the harbour news is gone")


def again(home: Path, rows: Mapping[str, str], content: str = "new", recipe: str = "r1", hold: snapshots.Hold | None = None) -> list[str]:
    found = hold or snapshots.read_hold(home)
    assert found
    return repeated(home, found, {"files": [{"path": "stories/x", "sha256": content}], "recipe": {"hash": recipe}}, ledger(rows))


def test_a_hold_is_read_as_it_was_set(tmp_path: Path, held: snapshots.Hold) -> None:
    assert snapshots.read_hold(tmp_path) == held
    assert str(held) == f"{name(2)}, rolled back by mo@desk at 2026-01-02T06:00:00+00:00: half of the harbour news is gone"
    assert snapshots.release(tmp_path)
    assert not snapshots.release(tmp_path)
    assert snapshots.read_hold(tmp_path) is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (GOOD, []),
        (GOOD | {"e.txt": "1"}, []),  # something else came in
        (GOOD | {"b.txt": "3"}, []),  # b was corrected
        (BAD | {"e.txt": "1"}, ["brought: b.txt, d.txt", "left out: c.txt"]),
        (GOOD | {"d.txt": "1"}, ["brought: d.txt"]),
        (GOOD | {"d.txt": "2"}, []),  # d was corrected
        ({"a.txt": "1", "b.txt": "1"}, ["left out: c.txt"]),
    ],
)
@pytest.mark.usefixtures("held")
def test_what_the_bad_snapshot_brought_is_held_whatever_else_is_new(tmp_path: Path, rows: dict[str, str], words: list[str]) -> None:
    found = again(tmp_path, rows)
    assert len(found) == len(words)
    assert all(said.endswith(end) for said, end in zip(found, words, strict=True))


def test_the_same_content_is_held(tmp_path: Path, held: snapshots.Hold) -> None:
    bad = snapshots.read_manifest(tmp_path / "snapshots" / name(2))["files"]
    assert repeated(tmp_path, held, {"files": bad}, ledger({})) == ["all of it: the same stories by the same recipe"]


def test_a_recipe_that_came_with_the_bad_snapshot_is_held(tmp_path: Path) -> None:
    good, bad = snapshot(tmp_path, name(1)), snapshot(tmp_path, name(2), recipe="r2")
    snapshots.set_hold(tmp_path, bad, good, "mo", "now", None)
    rows = {"a.txt": "1"}
    assert again(tmp_path, rows, recipe="r2") == ["the recipe r2"]
    assert again(tmp_path, rows | {"b.txt": "1"}, recipe="r2") == ["the recipe r2"]
    assert again(tmp_path, rows) == []
    assert again(tmp_path, rows, recipe="r3") == []


def test_two_rolled_back_one_after_the_other_are_both_held(tmp_path: Path, held: snapshots.Hold) -> None:
    snapshot(tmp_path, name(3), GOOD | {"e.txt": "1"})
    both = snapshots.set_hold(tmp_path, tmp_path / "snapshots" / name(3), tmp_path / "snapshots" / name(1), "jo", "later", None)
    assert both.names == (*held.names, name(3))
    assert again(tmp_path, GOOD | {"e.txt": "1"}) == ["raw files it brought: e.txt"]
    assert again(tmp_path, GOOD | {"d.txt": "1"}) == ["raw files it brought: d.txt"]
    assert again(tmp_path, GOOD | {"f.txt": "1"}) == []


def test_what_cannot_be_told_is_held(tmp_path: Path, held: snapshots.Hold) -> None:
    shutil.rmtree(tmp_path / "snapshots" / name(2))
    (said,) = again(tmp_path, GOOD, hold=held)
    assert said.startswith("what cannot be told")


def test_many_files_are_told_by_a_few(tmp_path: Path) -> None:
    good, bad = snapshot(tmp_path, name(1)), snapshot(tmp_path, name(2), {f"{n:02}.txt": "1" for n in range(40)} | {"a.txt": "1"})
    hold = snapshots.set_hold(tmp_path, bad, good, "mo", "now", None)
    rows = {f"{n:02}.txt": "1" for n in range(40)} | {"a.txt": "1", "z.txt": "1"}
    assert again(tmp_path, rows, hold=hold) == ["raw files it brought: 00.txt, 01.txt, 02.txt and 37 more"]


def test_a_hold_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "hold.json").write_text("[]", encoding="utf-8")
    with pytest.raises(OSError, match="rollback --release"):
        snapshots.read_hold(tmp_path)
    assert snapshots.release(tmp_path)


# ---- what is whole --------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def put(whole: Path, table: str, rows: pa.Table) -> None:
    """Other rows in the one file of a table, with their hash in the manifest."""
    manifest = snapshots.read_manifest(whole)
    (entry,) = (entry for entry in manifest["files"] if entry["path"].startswith(table))
    (whole / entry["path"]).unlink()
    pq.write_table(rows, whole / entry["path"])
    entry["sha256"] = files.digest(whole / entry["path"])
    (whole / "manifest.json").chmod(0o644)
    (whole / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def one(whole: Path, table: str) -> Path:
    return next((whole / table).iterdir())


def _twice(whole: Path) -> None:
    (first,) = (entry for entry in snapshots.read_manifest(whole)["files"] if entry["path"].startswith("quarantine"))
    rows = pq.read_table(whole / first["path"])
    put(whole, "quarantine", pa.concat_tables([rows, rows.slice(0, 1)]))


def _renamed(whole: Path) -> None:
    rows = pq.read_table(one(whole, "quarantine"))
    ids = ["f" * 32, *rows["story_id"].to_pylist()[1:]]
    put(whole, "quarantine", rows.set_column(rows.column_names.index("story_id"), rows.schema.field("story_id"), pa.array(ids)))


def _shortened(whole: Path) -> None:
    rows = pq.read_table(one(whole, "quarantine"))
    ids = ["f", *rows["story_id"].to_pylist()[1:]]
    put(whole, "quarantine", rows.set_column(rows.column_names.index("story_id"), rows.schema.field("story_id"), pa.array(ids)))


def _manifest(whole: Path, text: str) -> None:
    (whole / "manifest.json").chmod(0o644)
    (whole / "manifest.json").write_text(text, encoding="utf-8")


HARMS: list[tuple[Any, str, str]] = [
    (lambda whole: flip(one(whole, "stories")), "hash", "SHA-256 differs"),
    (lambda whole: one(whole, "duplicates").unlink(), "missing", "missing"),
    (lambda whole: shutil.rmtree(whole / "inputs"), "missing", "missing"),
    (lambda whole: shutil.copy(one(whole, "stories"), whole / "stories" / "more.parquet"), "extra", "not in the manifest"),
    (lambda whole: (whole / "manifest.json").unlink(), "manifest", "cannot be read"),
    (lambda whole: _manifest(whole, "{"), "manifest", "cannot be read"),
    (lambda whole: _manifest(whole, "{}"), "manifest", "cannot be read"),
    (lambda whole: put(whole, "quarantine", pa.table({"story_id": ["x"]})), "schema", "not those of this version"),
    (lambda whole: put(whole, "quarantine", TABLES["quarantine"].empty_table()), "conservation", "0 rows, but 4 decisions say quarantined"),
    (lambda whole: put(whole, "inputs", INPUTS.empty_table()), "conservation", "0 records were read, 40 decisions were made"),
    (_twice, "conservation", "5 rows, but 4 decisions say quarantined"),
    (_renamed, "conservation", "4 rows, but 4 decisions say quarantined, of other stories"),
    (_shortened, "conservation", "not all of 32 characters"),
]


@pytest.mark.parametrize(("harm", "kind", "words"), HARMS, ids=[f"{kind}-{number}" for number, (_, kind, _) in enumerate(HARMS)])
def test_verify_tells_what_is_wrong(tmp_path: Path, harm: Any, kind: str, words: str) -> None:
    whole, _ = published.snapshot(tmp_path / "a", [list(range(40))], 1000)
    assert snapshots.verify(whole) == []
    harm(whole)
    faults = snapshots.verify(whole)
    assert {fault.kind for fault in faults} == {kind}
    assert words in " ".join(map(str, faults))


def test_columns_that_another_version_had_or_lacked_are_no_fault(tmp_path: Path) -> None:
    whole, _ = published.snapshot(tmp_path / "a", [list(range(40))], 1000)
    rows = pq.read_table(one(whole, "quarantine"))
    put(whole, "quarantine", rows.drop_columns(["detail"]).append_column("mood", pa.array(["grave"] * len(rows))))
    assert [fault.kind for fault in snapshots.verify(whole)] == ["schema"]
    _manifest(whole, json.dumps(snapshots.read_manifest(whole) | {"copydesk": "0.0.1"}))
    assert snapshots.verify(whole) == []
    put(whole, "quarantine", rows.set_column(rows.column_names.index("detail"), "detail", pa.array([1] * len(rows))))
    assert [fault.kind for fault in snapshots.verify(whole)] == ["schema"]


def test_a_snapshot_in_an_object_store_is_verified(s3_server: dict[str, str], tmp_path: Path) -> None:  # noqa: ARG001
    whole, _ = published.snapshot(tmp_path / "a", [list(range(40))], 4)
    place = files.located(f"s3://news/{tmp_path.name}/snapshots/one")
    files.put(whole, place)
    assert snapshots.verify(place) == []
    entry = snapshots.read_manifest(place)["files"][0]
    (place / entry["path"]).unlink()
    (fault,) = snapshots.verify(place)
    assert (fault.kind, fault.place) == ("missing", entry["path"])


def test_the_content_is_that_of_the_rows_and_not_of_the_ledger() -> None:
    entries = [{"path": "stories/a", "sha256": "1"}, {"path": "inputs/b", "sha256": "2"}]
    assert snapshots.content(entries) == snapshots.content([entries[1] | {"sha256": "3"}, entries[0]])
    assert snapshots.content(entries) != snapshots.content([entries[0] | {"sha256": "3"}])
