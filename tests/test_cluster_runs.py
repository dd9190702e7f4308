"""A cluster for real: a scheduler and two workers over TCP, raw and curated behind an S3 server, a worker killed in mid-run."""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cluster import Dask, dask
from conftest import ROOT, copydesk

from flows.runner import RunnerError, runner, same_recipe
from tasks import files, recipe
from tasks.settings import Settings

pytest.importorskip("distributed")
pytestmark = [pytest.mark.prefect, pytest.mark.cluster, pytest.mark.usefixtures("prefect_server")]


def count_words(*arguments: Any, **options: Any) -> Any:
    """The toy flow; Prefect is imported when its settings stand."""
    return importlib.import_module("cluster_toy").count_words(*arguments, **options)


@pytest.fixture(scope="module")
def cluster(s3_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with dask(tmp_path_factory.mktemp("cluster"), environment=s3_server) as running:
        yield running


@pytest.fixture
def doomed(s3_server: dict[str, str], tmp_path: Path) -> Iterator[Dask]:
    """A cluster for one test, which kills some of it."""
    with dask(tmp_path, environment=s3_server) as running:
        yield running


@pytest.fixture(scope="module")
def shards(s3_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 - the bucket must be there
    """The same shards in a folder and behind S3."""
    here = tmp_path_factory.mktemp("shards")
    for number in range(12):
        text = [" ".join(f"word{(number * 7 + row * row) % 53}" for row in range(start, start + 40)) for start in range(20)]
        for folder in (here, files.located("s3://news/raw")):
            files.write_table(pa.table({"text": text}), folder / f"{number:02d}.parquet")
    return here


@pytest.fixture(scope="module")
def raw(shards: Path) -> str:  # noqa: ARG001
    return "s3://news/raw"


@pytest.fixture(scope="module")
def expected(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What one machine makes of them. (Its processes may have been started before the S3 server was known.)"""
    return list(count_words(str(shards), str(tmp_path_factory.mktemp("here"))))


def test_the_same_bytes_on_a_cluster(raw: str, expected: list[str], cluster: Dask) -> None:
    assert count_words(raw, "s3://news/curated", f"dask:{cluster.address}") == expected
    assert sorted(path.name for path in files.located("s3://news/curated").iterdir()) == ["part-0.parquet", "part-1.parquet"]


def test_the_same_bytes_when_a_worker_is_killed_in_mid_run(raw: str, expected: list[str], doomed: Dask) -> None:
    killed = threading.Event()

    def kill(done: int) -> None:
        if done == 3:
            doomed.kill(0)
            killed.set()

    assert count_words(raw, "s3://news/killed", f"dask:{doomed.address}", seconds=0.3, told=kill) == expected
    assert killed.is_set()


def test_a_scheduler_that_goes_away_ends_the_run(raw: str, doomed: Dask) -> None:
    def kill(done: int) -> None:
        if done == 2:
            doomed.scheduler.kill()

    settings = importlib.import_module("dask.config")
    with settings.set({"distributed.comm.timeouts.connect": "2s"}), pytest.raises(ConnectionError, match="scheduler is gone"):
        count_words(raw, "s3://news/gone", f"dask:{doomed.address}", seconds=0.5, told=kill)


def test_workers_are_used_and_agree_with_us(cluster: Dask) -> None:
    with runner(f"dask:{cluster.address}", 2) as opened:
        assert opened.slots == 2
        assert {opened.pool.submit(os.getpid).result() for _ in range(4)} <= {worker.pid for worker in cluster.workers}
        spelled = recipe.recipe(Settings())
        same_recipe(opened, Settings(), spelled)
        with pytest.raises(RunnerError, match="unicode"):
            same_recipe(opened, Settings(), spelled | {"unicode": "3.0"})


def test_a_scheduler_without_workers_is_refused(tmp_path: Path) -> None:
    with dask(tmp_path, workers=0) as empty, pytest.raises(RunnerError, match="has no workers"), runner(f"dask:{empty.address}", 2):
        pass


def test_a_failure_on_a_worker_ends_the_run_with_its_error_and_drops_the_rest(raw: str, cluster: Dask) -> None:
    broken = files.located("s3://news/broken")
    for number in range(1, 12):
        files.link(files.located(raw) / "00.parquet", broken / f"{number:02d}.parquet")
    (broken / "00.parquet").write_bytes(b"no Parquet")
    with pytest.raises(files.DamagedError, match=r"00\.parquet"):
        count_words(str(broken), "s3://news/failed", f"dask:{cluster.address}", seconds=0.5)
    assert len(list(files.located("s3://news/failed/.work").glob("*"))) < 11


def test_a_cluster_of_our_own_on_this_machine(raw: str, expected: list[str], tmp_path: Path) -> None:
    assert count_words(raw, str(tmp_path), "dask") == expected


# ---- the real flow ----------------------------------------------------------------------------------------------------


class At(logging.Handler):
    """Does something once, when a stage of the flow reports its first finished task."""

    def __init__(self, stage: str, act: Callable[[], None]) -> None:
        super().__init__()
        self.stage, self.act, self.done = stage, act, False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.done and getattr(record, "stage", None) == self.stage:
            self.done = True
            self.act()


def curate(raw: str, curated: str, use: str = "local") -> Any:
    return importlib.import_module("flows.curate").curate(raw, curated, overrides=("run.workers=2", "run.shard_rows=10"), runner=use)


def data_files(outcome: Any) -> dict[str, str]:
    """The data files of a snapshot with their hashes, as they are there; the ledger tells where and when it was read."""
    manifest = json.loads((outcome.snapshot / "manifest.json").read_text(encoding="utf-8"))
    wanted = {entry["path"]: entry["sha256"] for entry in manifest["files"] if not entry["path"].startswith("inputs/")}
    assert {name: files.digest(outcome.snapshot / name) for name in wanted} == wanted
    return wanted


@pytest.fixture(scope="module")
def stories(s3_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:  # noqa: ARG001
    """Twelve families in files behind S3, and what one machine makes of the same files in a folder."""
    here = tmp_path_factory.mktemp("stories")
    lines = (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    for folder in (here / "raw", files.located("s3://news/stories")):
        (folder / "daily").mkdir(parents=True, exist_ok=True)
        for number in range(6):
            (folder / "daily" / f"part {number}.jsonl").write_text("".join(lines[number * 16 : number * 16 + 16]), encoding="utf-8")
        (folder / "broken.jsonl.gz").write_bytes(b"no gzip")
        (folder / ".hidden.txt").write_text("no story", encoding="utf-8")
    return "s3://news/stories", data_files(curate(str(here / "raw"), str(here / "curated")))


def test_the_same_snapshot_from_an_object_store_on_a_cluster(stories: tuple[str, dict[str, str]], cluster: Dask) -> None:
    source, here = stories
    first = curate(source, "s3://news/snapshots-1", f"dask:{cluster.address}")
    assert (first.end, data_files(first)) == ("published", here)
    second = curate(source, "s3://news/snapshots-1", f"dask:{cluster.address}")
    assert (second.end, str(second.snapshot)) == ("nothing new", str(first.snapshot))
    latest = json.loads(files.located("s3://news/snapshots-1/latest.json").read_text(encoding="utf-8"))
    assert latest["snapshot"] == f"snapshots/{first.snapshot.name}"


def test_the_same_snapshot_when_a_worker_is_killed(
    stories: tuple[str, dict[str, str]], doomed: Dask, caplog: pytest.LogCaptureFixture
) -> None:
    source, here = stories
    killer = At("write", lambda: doomed.kill(0))
    logging.getLogger("copydesk").addHandler(killer)
    try:
        with caplog.at_level("INFO", "copydesk"):
            assert data_files(curate(source, "s3://news/snapshots-write", f"dask:{doomed.address}")) == here
    finally:
        logging.getLogger("copydesk").removeHandler(killer)
    assert killer.done


def test_one_machine_and_an_object_store(stories: tuple[str, dict[str, str]]) -> None:
    source, here = stories
    done = copydesk("run", "--raw", source, "--curated", "s3://news/one-machine", "--workers", "2", "--set", "run.shard_rows=10")
    assert done.returncode == 0, done.stderr
    latest = json.loads(files.located("s3://news/one-machine/latest.json").read_text(encoding="utf-8"))
    manifest = json.loads(files.located(f"s3://news/one-machine/{latest['snapshot']}/manifest.json").read_text(encoding="utf-8"))
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"] if not entry["path"].startswith("inputs/")} == here


def test_the_next_run_works_only_what_changed_in_the_object_store(
    stories: tuple[str, dict[str, str]], cluster: Dask, tmp_path: Path
) -> None:
    source, _ = stories
    there, here = files.located("s3://news/growing"), tmp_path / "raw"
    here.mkdir()
    for number in range(2):
        for arrived in (number, number + 2):
            text = (files.located(source) / "daily" / f"part {arrived}.jsonl").read_text(encoding="utf-8")
            for folder in (there, here):
                (folder / f"{number}.jsonl").write_text(text, encoding="utf-8")  # the second replaces the first
        outcome = curate(str(there), "s3://news/snapshots-growing", f"dask:{cluster.address}")
        assert outcome.manifest["run"]["read"] == 1
    assert data_files(outcome) == data_files(curate(str(here), str(tmp_path / "curated")))
