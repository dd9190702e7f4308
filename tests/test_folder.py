"""The curated folder is held by one run at a time, on a file system and in an object store."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from flows.folder import BusyError, held, work_folder
from tasks import files


@pytest.fixture(params=["local", "s3"])
def curated(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "s3":
        request.getfixturevalue("s3_server")
        return files.located(f"s3://news/{tmp_path.name}")
    return tmp_path


def test_one_run_at_a_time_and_the_other_is_told_who(curated: Path) -> None:
    with held(curated), pytest.raises(BusyError, match=r"held by another run \(process \d+ on .* since 20.* UTC\)"), held(curated):
        pass
    with held(curated):
        pass


def test_a_run_that_fails_lets_go(curated: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(curated):
        raise ZeroDivisionError
    with held(curated):
        pass


def test_what_a_killed_run_left_in_an_object_store_is_named(s3_server: dict[str, str], tmp_path: Path) -> None:  # noqa: ARG001
    curated = files.located(f"s3://news/{tmp_path.name}")
    (curated / ".lock").write_text("process 7 on desk since 2026-02-01 05:00:00 UTC", encoding="utf-8")
    with pytest.raises(BusyError, match=rf"process 7 on desk .* If it was killed, remove s3://news/{tmp_path.name}/.lock"), held(curated):
        pass


def test_the_work_of_a_killed_run_is_removed_and_the_store_kept(curated: Path) -> None:
    for name in (".work/match/a.parquet", "store/b.parquet"):
        (curated / name).parent.mkdir(parents=True, exist_ok=True)
        (curated / name).write_bytes(b"x")
    if files.is_local(curated):
        (curated / "store" / ".draft-1").write_bytes(b"x")
    with work_folder(curated) as work:
        assert not (curated / ".work" / "match").exists()
        assert work.parent == curated / ".work"
        (work / "c.parquet").write_bytes(b"x")
    assert [path.name for path in (curated / "store").iterdir()] == ["b.parquet"]
    assert not (curated / ".work").exists()


def test_a_worker_that_outlived_its_run_writes_nowhere_that_the_next_one_reads(curated: Path) -> None:
    with work_folder(curated) as first:
        pass
    with work_folder(curated) as second:
        files.write_table(pa.table({"a": [1]}), first / "late.parquet")
        assert not (second / "late.parquet").exists()
