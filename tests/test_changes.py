"""Whoever follows the changes of each snapshot has its stories, whatever came before; and learns where the story of a row went that is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inline import CrashError, inline, run
from test_incremental import POOL, step, write

from flows import curate as job
from tasks import feed, publish, schema, snapshots
from tasks.schema import CHANGES, DUPLICATES, STORIES

Rows = dict[str, dict[str, Any]]


def table(snapshot: Path, name: str) -> Rows:
    return {row["story_id"]: row for row in pq.read_table(snapshot / name).to_pylist()}


def told(snapshot: Path) -> dict[str, Any]:
    changes: dict[str, Any] = snapshots.read_manifest(snapshot)["changes"]
    return changes


def follow(mirror: Rows, snapshot: Path) -> None:
    """As docs/consumers.md says: all that changed goes, and what there is of it now is read from its file."""
    changes = table(snapshot, "changes")
    for story in changes:
        mirror.pop(story, None)
    for path in {row["file"] for row in changes.values() if row["file"]}:
        for row in pq.read_table(snapshot / path).to_pylist():
            if row["story_id"] in changes:
                assert changes[row["story_id"]]["file"] == path
                mirror[row["story_id"]] = row


def consistent(snapshot: Path, parent: Path | None) -> None:
    """What each row says of the two snapshots is so."""
    now, changes = table(snapshot, "stories"), table(snapshot, "changes")
    then = table(parent, "stories") if parent else {}
    known = set(then) | set(table(parent, "duplicates")) if parent else set()
    kinds = dict.fromkeys(schema.CHANGE_KINDS, 0)
    for story, row in changes.items():
        kinds[row["change"]] += 1
        assert {"added": (False, True), "changed": (True, True)}.get(row["change"], (True, False)) == (story in then, story in now)
        assert (row["change"] == "rekeyed") == (row["replaced_by"] is not None)
        assert row["replaced_by"] is None or row["replaced_by"] in now
        assert row["was"] is None or (row["change"] == "added" and row["was"] in then)
        if row["change"] == "changed":
            other = [name for name in STORIES.names if then[story][name] != now[story][name]]
            assert row["changed_columns"] == other or (row["changed_columns"] is None and "published_at" in other)
        if row["change"] == "added" and story in known:
            assert row["was"]
    assert {story for story in then if story not in now} | {story for story in now if now[story] != then.get(story)} == set(changes)
    entries = told(snapshot)["files"]
    assert kinds == {kind: told(snapshot)[kind] for kind in schema.CHANGE_KINDS}
    assert sum(entry["rows"] for entry in entries) == len(changes)


@hypothesis_settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=3, max_size=9))
def test_a_copy_that_follows_is_the_dataset_after_any_history(history: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "TOO_MUCH_NEW", 100.0)
        raw, curated = Path(home, "raw"), Path(home, "curated")
        raw.mkdir()
        write(raw / "always.jsonl", [0, 1, 9])
        overrides: tuple[str, ...] = ()
        mirror: Rows = {}
        applied: str | None = None
        for what, *given_ in [*history, ("arrive", "always.jsonl", [0, 1])]:
            if what == "vanish":
                (raw / given_[0]).unlink(missing_ok=True)
            elif what == "settings":
                overrides = (given_[0],)
            if what == "arrive":
                write(raw / given_[0], given_[1])
            if what not in ("arrive", "prune", "crash"):
                continue
            try:
                with inline(given_[0] if what == "crash" else None):
                    outcome = run(raw, curated, *overrides, prune=what == "prune")
            except CrashError:
                continue
            if outcome.end != "published":
                continue
            parent = told(outcome.snapshot)["parent"]
            assert parent == snapshots.read_manifest(outcome.snapshot)["parent"]
            if parent != applied:  # made again in the same second
                event("made again")
                mirror = {}
                mirror |= table(outcome.snapshot, "stories")
            else:
                event(f"followed from {'nothing' if parent is None else 'a parent'}")
                consistent(outcome.snapshot, curated / "snapshots" / parent if parent else None)
                follow(mirror, outcome.snapshot)
            applied = outcome.snapshot.name
            assert mirror == table(outcome.snapshot, "stories")
            assert snapshots.verify(outcome.snapshot) == []


# ---- where the story of a row that is gone is told now ----------------------------------------------------------------


class Folder:
    """Raw files and the snapshots that runs made of them."""

    def __init__(self, home: Path) -> None:
        self.raw, self.curated = home / "raw", home / "curated"
        self.raw.mkdir()

    def write(self, name: str, *stories: Mapping[str, Any]) -> None:
        (self.raw / name).write_text("".join(json.dumps(story) + "\n" for story in stories), encoding="utf-8")

    def run(self, *overrides: str, **options: Any) -> tuple[Rows, dict[str, str]]:
        """A run: its changes, and the story_id of each kept story by its raw_id."""
        parent = snapshots.latest(self.curated)
        with inline():
            outcome = run(self.raw, self.curated, *overrides, **options)
        assert outcome.end == "published"
        consistent(outcome.snapshot, parent if told(outcome.snapshot)["parent"] else None)
        return table(outcome.snapshot, "changes"), {row["raw_id"]: story for story, row in table(outcome.snapshot, "stories").items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(job, "TOO_MUCH_NEW", 100.0)
    return Folder(tmp_path)


FIRST, OTHER = POOL[0] | {"id": "first", "published_at": "2025-03-01"}, POOL[9] | {"id": "other", "published_at": "2025-03-02"}
COPY = FIRST | {"id": "copy", "source": "outlet.example", "published_at": "2025-03-05"}


def kinds(changes: Rows) -> dict[str, str]:
    return {story: row["change"] for story, row in changes.items()}


def test_of_a_first_snapshot_all_is_added(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    changes, ids = folder.run()
    assert kinds(changes) == dict.fromkeys(ids.values(), "added")
    latest = snapshots.latest(folder.curated)
    assert latest
    assert told(latest)["parent"] is None


def test_a_corrected_story_is_followed_by_its_own_id(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    _, old = folder.run()
    folder.write("a.jsonl", FIRST | {"text": f"{FIRST['text']}\n\nA later paragraph tells how it ended."}, OTHER)
    changes, new = folder.run()
    assert kinds(changes) == {old["first"]: "rekeyed", new["first"]: "added"}
    assert (changes[old["first"]]["replaced_by"], changes[new["first"]]["was"]) == (new["first"], old["first"])


def test_a_place_in_a_file_is_no_id(folder: Folder) -> None:
    bare = [{name: value for name, value in story.items() if name != "id"} for story in (FIRST, OTHER)]
    folder.write("a.jsonl", bare[0])
    _, old = folder.run()
    folder.write("a.jsonl", bare[1])
    changes, new = folder.run()
    assert list(old) == list(new) == ["a#0"]
    assert kinds(changes) == {old["a#0"]: "removed", new["a#0"]: "added"}


def test_a_copy_takes_over_when_the_kept_record_goes(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST)
    folder.write("b.jsonl", COPY, OTHER)
    _, old = folder.run()
    assert set(old) == {"first", "other"}
    (folder.raw / "a.jsonl").unlink()
    changes, new = folder.run(prune=True)
    assert kinds(changes) == {old["first"]: "rekeyed", new["copy"]: "added"}
    assert (changes[old["first"]]["replaced_by"], changes[new["copy"]]["was"]) == (new["copy"], old["first"])


def test_an_earlier_copy_that_arrives_late_takes_over(folder: Folder) -> None:
    folder.write("b.jsonl", COPY, OTHER)
    _, old = folder.run()
    folder.write("a.jsonl", FIRST)
    changes, new = folder.run()
    assert kinds(changes) == {old["copy"]: "rekeyed", new["first"]: "added"}
    assert changes[old["copy"]]["replaced_by"] == new["first"]
    assert changes[new["first"]]["was"] == old["copy"]


def test_another_copy_changes_what_counts_copies(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    _, ids = folder.run()
    folder.write("b.jsonl", COPY)
    changes, _ = folder.run()
    assert [(story, row["change"], row["changed_columns"]) for story, row in changes.items()] == [
        (ids["first"], "changed", ["copies", "copy_sources"])
    ]


def test_a_record_that_moves_in_its_file_tells_its_new_raw_id(folder: Folder) -> None:
    bare = [{name: value for name, value in story.items() if name != "id"} for story in (FIRST, OTHER)]
    folder.write("a.jsonl", bare[0])
    folder.run()
    folder.write("a.jsonl", bare[1], bare[0])
    changes, _ = folder.run()
    assert sorted((row["change"], row["changed_columns"] or []) for row in changes.values()) == [("added", []), ("changed", ["raw_id"])]


def test_what_is_no_copy_any_more_says_whose_it_was(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, COPY, OTHER)
    _, old = folder.run()
    changes, new = folder.run("cluster.keep=one-per-source")
    assert changes[new["copy"]] == changes[new["copy"]] | {"change": "added", "was": old["first"]}
    assert changes[new["first"]]["change"] == "changed"


def test_a_run_on_all_again_changes_nothing(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    folder.run()
    time.sleep(1.01 - time.time() % 1)  # of one second and one content there is one snapshot
    with inline():
        outcome = run(folder.raw, folder.curated, full=True)
    (file,) = (outcome.snapshot / "changes").iterdir()
    assert (len(pq.read_table(file)), pq.read_schema(file).equals(CHANGES, check_metadata=True)) == (0, True)


def test_a_parent_that_cannot_be_read_is_no_parent(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    folder.run()
    damaged = next(path for path in (folder.curated / "latest" / "stories").iterdir() if pq.read_metadata(path).num_rows)
    damaged.chmod(0o644)
    damaged.write_bytes(b"PAR1 and no more")
    folder.write("a.jsonl", FIRST)
    with caplog.at_level("WARNING", "copydesk"):
        changes, ids = folder.run(full=True)
    assert kinds(changes) == {ids["first"]: "added"}
    assert "all stories count as added" in caplog.text
    latest = snapshots.latest(folder.curated)
    assert latest
    assert told(latest)["parent"] is None


# ---- files ------------------------------------------------------------------------------------------------------------

ID = st.integers(0, 15).map(lambda number: f"{number:x}{number * 7:031x}")
ROW = st.fixed_dictionaries(
    {
        "month": st.sampled_from(["2025-01", "2025-02", "unknown"]),
        "text": st.sampled_from(["one", "two"]),
        "title": st.sampled_from([None, "", "a"]),
        "copies": st.integers(1, 2),
        "byline": st.sampled_from([None, "b"]),
        "copy_sources": st.sampled_from([[], ["a"], ["b"], ["a", "b"]]),
        "removed": st.lists(st.fixed_dictionaries({"rule": st.sampled_from("ab"), "line": st.integers(0, 1)}), max_size=2),
    }
)
SIDE = st.tuples(st.dictionaries(ID, ROW, max_size=10), st.sampled_from([1, 2, 4]))


def snapshot(home: Path, rows: Mapping[str, Mapping[str, Any]], parts: int) -> list[dict[str, Any]]:
    """The stories of a snapshot, each month in so many files; gives their entries."""
    entries = []
    for month in sorted({row["month"] for row in rows.values()}):
        for part in range(parts):
            mine = {story: row for story, row in rows.items() if row["month"] == month and int(story[0], 16) * parts // 16 == part}
            full = [
                {
                    "story_id": story,
                    "raw_id": story,
                    "raw_uri": str(int(story[-1], 16) % 2),
                    "cluster_id": story,
                    "word_count": 1,
                    "repairs": [],
                }
                | {name: value for name, value in row.items() if name != "month"}
                | {"url": month, "removed": [line | {"zone": "head", "text": ""} for line in row["removed"]]}
                for story, row in mine.items()
            ]
            if full:
                entries.append(publish._write(pa.Table.from_pylist(full, STORIES), f"stories/{month}.{part}-of-{parts}", home, None))
    return entries


@hypothesis_settings(max_examples=150, deadline=None)
@given(SIDE, SIDE, st.integers(1, 8), st.booleans())
def test_whatever_the_files_the_rows_that_differ_are_found(one: Any, two: Any, rows: int, other_recipe: bool) -> None:
    if not other_recipe:  # what the odd files gave was not read again: of their stories only the cluster can be another
        for story in one[0].keys() & two[0].keys():
            if int(story[-1], 16) % 2:
                two[0][story] = one[0][story] | {name: two[0][story][name] for name in ("copies", "copy_sources")}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "ROW_GROUP_ROWS", 2)
        patch.setattr(feed, "COMPARED", 3)
        parent, draft = Path(folder, "parent"), Path(folder, "draft")
        then, now = snapshot(parent, *one), snapshot(draft, *two)
        compared = [
            feed.compare(batch, draft, parent, None if other_recipe else ("0",), Path(folder, f"{number}.arrow"))
            for number, batch in enumerate(publish.batches(feed.parts(now, then), rows) or [()])
        ]
        assert not any(part.unreadable for part in compared)
        found = feed.settle([part.found for part in compared], draft, now, parent, then)
        entries = publish.write_changes(found, 4, draft)
        read = pq.read_table(draft / "changes").sort_by("story_id")
        assert read.equals(found.sort_by("story_id"))
        assert all(entry["rows"] <= 4 or entry["path"].endswith("-of-65536") for entry in entries)
    before, after = one[0], two[0]
    expected = {story: "added" for story in after if story not in before} | {story: "removed" for story in before if story not in after}
    expected |= {story: "changed" for story in after if story in before and after[story] != before[story]}
    changes = {row["story_id"]: row for row in read.to_pylist()}
    assert {story: row["change"] for story, row in changes.items()} == expected
    for story, kind in expected.items():
        if kind == "changed":
            same_month = before[story]["month"] == after[story]["month"]
            differ = {name for name in after[story] if before[story][name] != after[story][name]}
            assert changes[story]["changed_columns"] == ([name for name in STORIES.names if name in differ] if same_month else None)


def test_what_a_raw_file_gave_that_was_not_read_again_is_compared_by_its_cluster_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row: dict[str, Any] = {"month": "2025-01", "text": "one", "title": None, "copies": 1, "copy_sources": [], "removed": []}
    then, now = snapshot(tmp_path / "then", {"0" * 32: row}, 1), snapshot(tmp_path / "now", {"0" * 32: row | {"copies": 2}}, 1)
    asked: list[str] = []
    values = feed._Opened.values

    def noted(opened: feed._Opened, name: str, rows: Any) -> Any:
        asked.append(name)
        return values(opened, name, rows)

    monkeypatch.setattr(feed._Opened, "values", noted)
    compared = feed.compare(feed.parts(now, then), tmp_path / "now", tmp_path / "then", ("b",), tmp_path / "found.arrow")
    assert compared.unreadable is None
    assert set(asked) == set(schema.OF_THE_CLUSTER)
    assert feed.settle([compared.found], tmp_path / "now", now, tmp_path / "then", then)["changed_columns"].to_pylist() == [["copies"]]


def test_rows_without_a_past_have_none() -> None:
    nothing = pa.Table.from_pylist([], feed._FOUND)
    replaced, was = feed._followed(nothing, nothing, *[DUPLICATES.empty_table().select(feed._TOLD.names)] * 2)
    assert (len(replaced), len(was)) == (0, 0)


def test_verify_looks_at_the_changes_too(folder: Folder) -> None:
    folder.write("a.jsonl", FIRST, OTHER)
    folder.run()
    latest = snapshots.latest(folder.curated)
    assert latest
    (file,) = (latest / "changes").iterdir()
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(whole[:-9] + b"x" + whole[-8:])
    assert [(fault.kind, fault.place) for fault in snapshots.verify(latest)] == [("hash", f"changes/{file.name}")]
    file.unlink()
    (latest / "changes" / "more.parquet").write_bytes(whole)
    assert {(fault.kind, fault.place) for fault in snapshots.verify(latest)} == {
        ("missing", f"changes/{file.name}"),
        ("extra", "changes/more.parquet"),
    }


def test_what_a_hold_compares_does_not_depend_on_the_parent(folder: Folder, tmp_path: Path) -> None:
    folder.write("a.jsonl", FIRST)
    folder.run()
    folder.write("b.jsonl", OTHER)
    folder.run()
    with inline():
        scratch = run(folder.raw, tmp_path / "scratch")
    latest = snapshots.latest(folder.curated)
    assert latest
    one, two = (snapshots.read_manifest(path) for path in (latest, scratch.snapshot))
    assert one["changes"]["added"] < two["changes"]["added"]
    assert snapshots.content(one["files"]) == snapshots.content(two["files"])


def test_a_column_that_the_parent_had_not_is_another_where_it_says_something(tmp_path: Path) -> None:
    row: dict[str, Any] = {"month": "2025-01", "text": "one", "title": None, "byline": None, "copies": 1, "copy_sources": [], "removed": []}
    rows = {"0" * 32: row, "1" * 32: row | {"byline": "b"}}
    now = snapshot(tmp_path / "now", rows, 1)
    (entry,) = now
    old = pq.read_table(tmp_path / "now" / entry["path"]).drop_columns(["byline", "same_story"])
    (tmp_path / "then" / "stories").mkdir(parents=True)
    then = [entry | {"path": "stories/2025-01.0-of-1.0.parquet"}]
    pq.write_table(old, tmp_path / "then" / then[0]["path"])
    compared = feed.compare(feed.parts(now, then), tmp_path / "now", tmp_path / "then", None, tmp_path / "found.arrow")
    changes = feed.settle([compared.found], tmp_path / "now", now, tmp_path / "then", then).to_pylist()
    assert [(change["story_id"], change["changed_columns"]) for change in changes] == [("1" * 32, ["byline"])]
