"""What an older copydesk wrote is read, or refused with the way out. tests/data/formats/ holds a curated folder of each format.

A folder there is made by `python tests/test_upgrades.py`, once for each number of snapshots.FORMAT, and never again.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from inline import inline, run

from flows import explain
from tasks import snapshots
from tasks.files import DamagedError, read_table

FORMATS = Path(__file__).parent / "data" / "formats"
RAW = FORMATS / "raw"
GONE = "gone.txt"  # was there when the folders were made, and is in their stores alone


@pytest.fixture(params=sorted(path.name for path in FORMATS.glob("[0-9]*")))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A writable copy of a curated folder of an older format."""
    return Path(shutil.copytree(FORMATS / request.param, tmp_path / "curated", symlinks=True))


def rows(curated: Path, table: str) -> list[dict[str, object]]:
    """A table's rows but for what may change from version to version: the recipe."""
    found = read_table(curated / "latest" / table).sort_by("story_id")
    return [{name: value for name, value in row.items() if name != "recipe"} for row in found.to_pylist()]


def test_a_format_of_each_number_is_pinned() -> None:
    assert [int(path.name) for path in sorted(FORMATS.glob("[0-9]*"))] == list(range(1, snapshots.FORMAT + 1))


def test_an_old_snapshot_is_read(old: Path) -> None:
    snapshot = snapshots.latest(old)
    assert snapshot is not None
    assert snapshots.verify(snapshot) == []
    (found,) = explain.explanations(snapshot, "gone")
    assert found["outcome"] == "kept"
    assert pq.read_table(old / "latest" / "stories").num_rows == 3


def test_a_run_goes_on_from_an_old_snapshot_and_store(old: Path, tmp_path: Path) -> None:
    """The vanished file's story comes out of the old store; the rest is as a run of today makes it from nothing."""
    raw = tmp_path / "raw"
    shutil.copytree(RAW, raw)
    with inline():
        run(raw, tmp_path / "new")
        (raw / GONE).unlink()
        run(raw, tmp_path / "new")
        outcome = run(raw, old)
    assert outcome.end == "published"
    assert outcome.manifest["run"]["vanished"] == (GONE,)
    for table in ("stories", "duplicates", "quarantine", "decisions"):
        assert rows(old, table) == rows(tmp_path / "new", table)


def test_a_newer_format_is_refused_by_runs_and_readers(old: Path) -> None:
    snapshot = snapshots.latest(old)
    assert snapshot is not None
    path = snapshot / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | {"format": snapshots.FORMAT + 1, "copydesk": "9.1"}
    path.chmod(0o600)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with inline(), pytest.raises(DamagedError, match=r"written in format \d+ by copydesk 9.1, and this one reads \d+: use that version"):
        run(RAW, old)
    with pytest.raises(DamagedError):
        snapshots.read_manifest(snapshot)
    assert snapshots.latest(old) == snapshot


def test_damaged_files_are_named_and_a_full_run_mends_what_raw_still_has(old: Path, tmp_path: Path) -> None:
    raw = Path(shutil.copytree(RAW, tmp_path / "raw"))
    (shard,) = (old / "store").glob("*.parquet")
    shard.chmod(0o600)
    os.truncate(shard, 100)
    with inline():
        assert run(raw, old, full=True).end == "published"
        os.truncate(shard, 100)
        (raw / GONE).unlink()
        with pytest.raises(DamagedError, match=shard.name):
            run(raw, old, full=True)
    (old / "latest" / "manifest.json").chmod(0o600)
    (old / "latest" / "manifest.json").write_text("{", encoding="utf-8")
    with inline(), pytest.raises(DamagedError, match=r"damaged .*manifest.json"):
        run(RAW, old)


def test_the_index_is_derived(tmp_path: Path) -> None:
    with inline():
        first = run(RAW, tmp_path)
        shutil.rmtree(tmp_path / "index")
        (tmp_path / "index").mkdir()
        assert run(RAW, tmp_path, full=True).snapshot.name.partition("-")[2] == first.snapshot.name.partition("-")[2]
    features = next((tmp_path / "index").glob("*/*.arrow"))
    features.write_bytes(b"ARROW1")
    raw = Path(shutil.copytree(RAW, tmp_path / "more"))
    (raw / "added.txt").write_text("A story more, so that the index is asked: the ferry to Hallsund was late by an hour on Monday.")
    with inline(), pytest.raises(DamagedError, match=features.name):
        run(raw, tmp_path)


def make() -> None:
    """Write the folder of today's format."""
    folder = FORMATS / str(snapshots.FORMAT)
    raw = Path(shutil.copytree(RAW, FORMATS / "with-gone"))
    with inline():
        run(raw, folder)
    shutil.rmtree(raw)
    for name in ("index", ".lock", "latest/report", "latest/data_docs"):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    stories = read_table(folder / "latest" / "stories")
    assert pc.sum(stories["word_count"]).as_py() > 0


if __name__ == "__main__":
    make()
