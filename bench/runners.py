"""What a task costs on a Dask cluster: Prefect's DaskTaskRunner against a thread that waits for a Dask future (docs/cluster.md).

`python -m bench.runners` needs the extra dask and, for the first, `pip install prefect-dask`. CPU by process, so that a busy machine does
not count; two workers over TCP, tasks that do nothing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TASKS = 100


def nothing(path: str) -> str:
    return path


@contextmanager
def prefect_dask(address: str) -> Iterator[Any]:
    """Gives `submit(coat, function, path)`; workers are told the address of this run's Prefect server."""
    from prefect.context import FlowRunContext
    from prefect.settings import PREFECT_API_URL, temporary_settings
    from prefect_dask.task_runners import DaskTaskRunner

    context = FlowRunContext.get()
    url = str(context.client.api_url) if context else None
    with temporary_settings({PREFECT_API_URL: url}), DaskTaskRunner(address=address) as tasks:
        yield lambda coat, path: tasks.submit(coat, {"pool": None, "function": nothing, "path": path})


@contextmanager
def threads(address: str) -> Iterator[Any]:
    from flows.runner import runner

    with runner(f"dask:{address}", 2) as opened:
        yield lambda coat, path: opened.tasks.submit(coat, {"pool": opened.pool, "function": nothing, "path": path})


def measure(which: Any, address: str) -> dict[str, int]:
    """Milliseconds of CPU a task, by process."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    @task(cache_policy=NO_CACHE)
    def coat(pool: Any, function: Any, path: str) -> Any:
        return pool.submit(function, path).result() if pool else function(path)

    @flow
    def run(number: int, address: str) -> None:
        with which(address) as submit:
            for future in [submit(coat, f"s3://news/{task}") for task in range(number)]:
                future.result()

    run(4, address)  # servers, imports, connections
    before, begun = _cpu(), time.perf_counter()
    run(TASKS, address)
    spent = {name: round(1000 * (seconds - before.get(name, 0)) / TASKS) for name, seconds in _cpu().items()}
    return spent | {"all": sum(spent.values()), "wall": round(1000 * (time.perf_counter() - begun) / TASKS)}


def _cpu() -> dict[str, float]:
    """Seconds of CPU of this process and its children, by what they are."""
    spent = {"client": time.process_time()}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_text(encoding="utf-8")
        except OSError:  # gone
            continue
        if int(fields[1]) == os.getpid():
            kinds = {"dask_scheduler": "scheduler", "dask_worker": "workers", "uvicorn": "Prefect's server"}
            kind = next((name for word, name in kinds.items() if word in command), "other")
            spent[kind] = spent.get(kind, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def main(_: Sequence[str] = ()) -> int:
    home = tempfile.mkdtemp()
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL"}
    offline = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120"}
    os.environ.update(quiet | offline)
    root = Path(__file__).parent.parent
    sys.path.append(str(root / "tests"))
    from cluster import dask
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    for which in (prefect_dask, threads):
        with dask(Path(tempfile.mkdtemp())) as cluster, temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            figures = measure(which, cluster.address)
        print(f"{which.__name__}: ms a task:", ", ".join(f"{name} {figure}" for name, figure in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
