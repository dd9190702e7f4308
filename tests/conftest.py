"""What tests share: the benchmark folder, small tables, a run of the real job."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.load_profile("ci")  # the same examples in every run; others: pytest --hypothesis-profile=default
ROOT = Path(__file__).parent.parent
BENCHMARKS = Path(os.environ.get("COPYDESK_BENCHMARKS") or ROOT.parent / "shared")


# whichever of two processes ends last is sooner done when these come first
LONG = (
    "quality",
    "crash",
    "schedule",
    "tutorial",
    "cluster_runs",
    "incremental",
    "consumers",
    "report_page",
    "overrides",
    "command_line",
    "hostile",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take long come first; tests marked `benchmark` skip, saying so, where the benchmark folder is missing."""
    places = {f"test_{name}": place for place, name in enumerate(LONG)}
    assert all((Path(__file__).parent / f"{name}.py").is_file() for name in places), "LONG names a file that is no more"
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    if (BENCHMARKS / "data").is_dir():
        return
    skip = pytest.mark.skip(reason=f"no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
    for item in items:
        if "benchmark" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    return BENCHMARKS


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One quiet server for all flows of the session, those of the command line too: each run saves ten seconds."""
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    quiet |= {"PREFECT_LOGGING_TO_API_ENABLED": "false"}  # and nobody watches: no artifacts, see stages.watched
    os.environ.update(quiet)
    from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        os.environ["PREFECT_API_URL"] = str(PREFECT_API_URL.value())
        yield
        del os.environ["PREFECT_API_URL"]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """An S3 server with the bucket `news`, which this process knows from now on; gives the environment in which others do."""
    from cluster import s3

    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    with s3("news") as environment, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment


@pytest.fixture(scope="session")
def sample_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The curated folder after `copydesk run` on the sample stories, as a user runs it: without a server."""
    curated = tmp_path_factory.mktemp("sample") / "curated"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PREFECT_API_URL", raising=False)
        patch.setenv("COPYDESK_CACHE", str(curated.parent / "a new machine has" / "no cache"))
        done = copydesk("run", "--curated", curated)
    assert done.returncode == 0, done.stderr
    return curated


def copydesk(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own."""
    command = [sys.executable, "-m", "flows.command_line", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False
    )
