"""A cluster for real: a scheduler and two workers over TCP, raw and curated behind an S3 server, a worker killed in mid-run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from cluster import Dask, dask, s3
from cluster_toy import count_words, process

from flows.runner import RunnerError, runner, same_recipe
from tasks import files, recipe
from tasks.settings import Settings

pytest.importorskip("distributed")
pytest.importorskip("moto")
pytestmark = [pytest.mark.prefect, pytest.mark.cluster, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """An S3 server with the bucket `news`, known to this process; gives the environment for others."""
    with s3("news") as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment


@pytest.fixture
def cluster(store: dict[str, str], tmp_path: Path) -> Iterator[Dask]:
    with dask(tmp_path, environment=store) as running:
        yield running


@pytest.fixture(scope="module")
def raw(store: dict[str, str]) -> str:  # noqa: ARG001 - the bucket must be there
    for number in range(12):
        text = [" ".join(f"word{(number * 7 + row * row) % 53}" for row in range(start, start + 40)) for start in range(20)]
        files.write_table(pa.table({"text": text}), files.located(f"s3://news/raw/{number:02d}.parquet"))
    return "s3://news/raw"


def test_the_same_bytes_here_and_on_a_cluster(raw: str, cluster: Dask, tmp_path: Path) -> None:
    here = count_words(raw, str(tmp_path / "curated"))
    there = count_words(raw, "s3://news/curated", f"dask:{cluster.address}")
    assert there == here
    assert sorted(path.name for path in files.located("s3://news/curated").iterdir()) == ["part-0.parquet", "part-1.parquet"]


def test_the_same_bytes_when_a_worker_is_killed_in_mid_run(raw: str, cluster: Dask, tmp_path: Path) -> None:
    killed = threading.Event()

    def kill(done: int) -> None:
        if done == 3:
            cluster.kill(0)
            killed.set()

    there = count_words(raw, "s3://news/killed", f"dask:{cluster.address}", seconds=0.3, told=kill)
    assert killed.is_set()
    assert there == count_words(raw, str(tmp_path / "curated"))


def test_workers_are_used_and_agree_with_us(cluster: Dask) -> None:
    with runner(f"dask:{cluster.address}", 2) as opened:
        assert opened.slots == 2
        used = {opened.pool.submit(process).result() for _ in range(2)}
        assert used <= {worker.pid for worker in cluster.workers}
        spelled = recipe.recipe(Settings())
        same_recipe(opened, Settings(), spelled)
        with pytest.raises(RunnerError, match="unicode"):
            same_recipe(opened, Settings(), spelled | {"unicode": "3.0"})


def test_a_scheduler_without_workers_is_refused(tmp_path: Path) -> None:
    with dask(tmp_path, workers=0) as empty, pytest.raises(RunnerError, match="has no workers"), runner(f"dask:{empty.address}", 2):
        pass


def test_a_failure_on_a_worker_ends_the_run_with_its_error(cluster: Dask) -> None:
    with pytest.raises(ZeroDivisionError), runner(f"dask:{cluster.address}", 2) as opened:
        opened.pool.submit(divmod, 1, 0).result()


def test_a_cluster_of_our_own_on_this_machine(raw: str, tmp_path: Path) -> None:
    assert count_words(raw, str(tmp_path / "a"), "dask") == count_words(raw, str(tmp_path / "b"))
