"""The Delta table holds what is published, whatever came before; what goes wrong there touches no snapshot and is made good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline import inline, run
from test_incremental import write

from flows import curate as job
from tasks import lakehouse, snapshots
from tasks.schema import STORIES

deltalake = pytest.importorskip("deltalake")


class News:
    def __init__(self, home: Path) -> None:
        self.home, self.raw, self.curated, self.delta = home, home / "raw", home / "curated", home / "delta"
        self.raw.mkdir()

    def run(self, *stories: int, **options: Any) -> str:
        """A run, with these stories as its one file, if there are any."""
        if stories:
            write(self.raw / "a.jsonl", stories)
        with inline():
            return str(run(self.raw, self.curated, f"publish.delta={self.delta}", **options).end)

    @property
    def latest(self) -> Path:
        latest = snapshots.latest(self.curated)
        assert latest
        return latest

    def agrees(self) -> bool:
        """The table has the published rows, for two readers."""
        wanted = pq.read_table(self.latest / "stories").sort_by("story_id").to_pylist()
        read = pl.read_delta(str(self.delta)).sort("story_id")
        return self.table().to_pyarrow_table().sort_by("story_id").to_pylist() == wanted and read["text"].to_list() == [
            row["text"] for row in wanted
        ]

    def table(self) -> Any:
        return deltalake.DeltaTable(str(self.delta))

    def follow(self) -> int | None:
        return lakehouse.follow(self.latest, snapshots.read_manifest(self.latest), str(self.delta))


@pytest.fixture
def news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> News:
    monkeypatch.setattr(job, "TOO_MUCH_NEW", 100.0)
    return News(tmp_path)


def test_the_table_follows_and_its_history_names_the_snapshots(news: News) -> None:
    names, kept = [], []
    for stories in ([0, 9], [0, 9, 24, 25], [9]):
        assert news.run(*stories) == "published"
        assert news.agrees()
        names.append(news.latest.name)
        kept.append(len(pq.read_table(news.latest / "stories")))
    history = news.table().history()
    assert [commit.get(lakehouse.SNAPSHOT) for commit in reversed(history)] == [None, *names]
    assert [pl.read_delta(str(news.delta), version=number).height for number in (1, 2, 3)] == kept
    comment = news.table().schema().fields[0].metadata["comment"]
    assert comment == STORIES.field(0).metadata[b"description"].decode()


def test_files_are_linked(news: News) -> None:
    news.run(0, 9)
    for path in news.delta.glob("*.parquet"):
        assert path.samefile(news.latest / "stories" / path.name)


def test_a_failure_touches_no_snapshot_and_the_next_run_makes_it_good(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    news.run(0, 9)
    first, version = news.latest.name, news.table().version()
    with monkeypatch.context() as patch:
        patch.setattr(deltalake.DeltaTable, "create_write_transaction", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match=r"published and whole, and the next run tries again") as caught:
            news.run(0, 9, 24, 12)
    assert caught.value.filename == str(news.delta)
    assert news.latest.name != first
    assert snapshots.verify(news.latest) == []
    assert (news.table().version(), news.agrees()) == (version, False)
    assert news.run() == "nothing new"
    assert (news.table().version(), news.agrees()) == (version + 1, True)
    assert news.run() == "nothing new"
    assert news.table().version() == version + 1


def test_it_goes_back_with_a_rollback(news: News) -> None:
    news.run(0, 9)
    first = news.latest
    news.run(0, 9, 12, 15)
    snapshots.point_latest(news.curated, first, news.latest.name)
    news.follow()
    assert news.agrees()


def test_what_others_did_to_the_table_is_undone_and_compaction_is_no_harm(news: News) -> None:
    news.run(0, 9, 12)
    news.table().optimize.compact()
    news.table().delete("story_id > '8'")
    assert news.follow() is not None
    assert news.agrees()
    assert news.follow() is None


def test_a_copy_that_was_cut_short_is_made_again(news: News) -> None:
    news.run(0, 9)
    manifest = snapshots.read_manifest(news.latest)
    name = next(entry["path"] for entry in manifest["files"] if entry["path"].startswith("stories/") and entry["rows"]).rpartition("/")[2]
    for path in (news.home / "other" / name, news.home / "other" / "stray.parquet"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"PAR1")
    news.delta = news.home / "other"
    assert news.follow() == 1
    assert news.agrees()


def test_a_table_of_somebody_else_is_left_alone(news: News) -> None:
    deltalake.write_deltalake(str(news.delta), pa.table({"x": [1, 2]}))
    with pytest.raises(OSError, match="a table that copydesk did not make"):
        news.run(0)
    assert news.table().count() == 2
    assert news.latest.is_dir()


def test_columns_of_a_later_version_are_added(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(lakehouse, "STORIES", pa.schema([field for field in STORIES if field.name not in {"same_story", "copies"}]))
        news.run(0, 9)
        assert news.table().schema().to_arrow() is not None
    news.run(0, 9, 24)
    assert news.agrees()
    assert "same_story" in [field.name for field in news.table().schema().fields]


def test_a_held_run_says_so_even_if_the_table_cannot_follow(
    news: News, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    news.run(0, 9)
    good = news.latest
    news.run(0, 9, 12, 15)
    snapshots.set_hold(news.curated, news.latest, good, "mo", "now", None)
    snapshots.point_latest(news.curated, good, news.latest.name)
    monkeypatch.setattr(deltalake.DeltaTable, "create_write_transaction", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    assert news.run() == "held"
    assert "disk full" in caplog.text


def test_without_the_library_nothing_begins(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lakehouse, "find_spec", lambda _name: None)
    with pytest.raises(ModuleNotFoundError, match=r"copydesk\[lakehouse\]"):
        news.run(0)
    assert not news.curated.exists()


def test_the_log_is_json_that_any_reader_of_delta_understands(news: News) -> None:
    news.run(0, 9)
    actions = [json.loads(line) for path in sorted((news.delta / "_delta_log").glob("*.json")) for line in path.read_text().splitlines()]
    added = [action["add"] for action in actions if "add" in action]
    assert sum(json.loads(add["stats"])["numRecords"] for add in added) == len(pq.read_table(news.latest / "stories"))
    protocol = next(action["protocol"] for action in actions if "protocol" in action)
    assert protocol["minReaderVersion"] == 1


def test_a_table_in_an_object_store(news: News, s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    place = f"s3://news/{news.home.name}/delta"
    for number, stories in enumerate(([0, 9], [9]), 1):
        news.run(*stories)
        assert lakehouse.follow(news.latest, snapshots.read_manifest(news.latest), place) == number
    assert deltalake.DeltaTable(place).to_pyarrow_table().num_rows == len(pq.read_table(news.latest / "stories"))
