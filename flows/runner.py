"""Where the work is done: the processes of this machine, or the workers of a Dask cluster.

Either is an Executor of concurrent.futures, to which a Prefect task in a thread of this process gives one call and waits. So
workers know nothing of Prefect, need no way to its server, and it records and retries the same tasks on one machine and on a
hundred (docs/cluster.md has what Prefect's own Dask runner costs beside it). Dask gives the work of a lost worker to another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flows import processes
from tasks.settings import Settings

if TYPE_CHECKING:
    from distributed import Client
    from prefect.task_runners import ThreadPoolTaskRunner

log = logging.getLogger("copydesk")
ANSWER_SECONDS = 30  # a scheduler that has just been started
NOTATIONS = "local, dask (a cluster on this machine) or dask:tcp://HOST:PORT (a scheduler that runs)"


class RunnerError(ValueError):
    """The runner cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Runner:
    """An open runner.

    tasks: Prefect's runner, to submit tasks to. pool: what a task gives its call to. slots: calls worked on at the same time.
    everywhere: applies a function once in each process of a cluster and gives the results by its address; none on this machine alone.
    """

    tasks: ThreadPoolTaskRunner[Any]
    pool: Executor
    slots: int
    everywhere: Callable[..., dict[str, Any]]


def check(spec: str) -> None:
    """Refuse a runner that is misspelt or whose packages are missing, before any work.

    Raises:
        RunnerError
    """
    kind, colon, address = spec.partition(":")
    if kind not in {"local", "dask"} or (colon and (kind == "local" or not address)):
        raise RunnerError(f"runner {spec}: there are {NOTATIONS}")
    if kind == "dask":
        try:
            import distributed  # noqa: F401 - asked for here, used below
        except ImportError as error:
            raise RunnerError(f"runner {spec} needs Dask: pip install 'copydesk[dask]', here and on every worker ({error})") from error


@contextmanager
def runner(spec: str, workers: int) -> Iterator[Runner]:
    """The runner that `spec` names, open: `local`, `dask` with `workers` processes, or `dask:` and a scheduler's address.

    Raises:
        RunnerError: misspelt, a package is missing, no scheduler answers, or it has no workers.
        ConnectionError: the scheduler went away in mid-run.
    """
    check(spec)
    if spec == "local":
        with processes.pool(workers) as pool, _threads(2 * workers) as tasks:
            yield Runner(tasks, pool, workers, lambda *_: {})
        return
    with _client(spec.partition(":")[2], workers) as client:
        slots = sum(client.nthreads().values())
        log.info("%d Dask workers, %d threads", len(client.nthreads()), slots)
        calls: Executor = client.get_executor(pure=False)  # Prefect's second try is another call, although it looks the same
        # the scheduler keeps a call waiting at each worker; workers may still join
        with _threads(max(32, 2 * slots)) as tasks:
            try:
                yield Runner(tasks, calls, slots, partial(_everywhere, client))
            except BaseException as error:
                calls.shutdown(wait=False)  # drops what is not done, so that our threads end
                if client.status != "running" and isinstance(error, CancelledError):
                    raise ConnectionError("the Dask scheduler is gone; the next run begins where this one was published last") from error
                raise


def _threads(most: int) -> ThreadPoolTaskRunner[Any]:
    from prefect.task_runners import ThreadPoolTaskRunner

    return ThreadPoolTaskRunner(max_workers=most)


def _everywhere(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """The scheduler too: it unpickles every call."""
    workers: dict[str, Any] = client.run(function, *arguments)
    return workers | {"scheduler": client.run_on_scheduler(function, *arguments)}


def same_recipe(used: Runner, knobs: Settings, spelled: Mapping[str, Any]) -> None:
    """Refuse workers that would make other rows of the same stories: other code, libraries or models.

    Raises:
        RunnerError
    """
    from tasks import recipe

    try:
        theirs = used.everywhere(recipe.recipe, knobs, spelled["lines"])
    except ImportError as error:
        raise RunnerError(
            f"the Dask scheduler and its workers need copydesk and its packages, in the versions of this machine ({error})"
        ) from error
    for process, there in theirs.items():
        if lines := recipe.difference(spelled, there):
            differences = "\n  ".join(lines[:10])
            raise RunnerError(f"Dask's {process} would make other rows (here -> there); install the same on both:\n  {differences}")


@contextmanager
def _client(address: str, workers: int) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    if not address:
        options = {"n_workers": workers, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": ":0"}
        with LocalCluster(**options) as cluster, Client(cluster, set_as_default=False) as client:
            yield client
        return
    try:
        client = Client(address, set_as_default=False, timeout=ANSWER_SECONDS)
    except (OSError, ValueError) as error:
        raise RunnerError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        if not client.nthreads():
            raise RunnerError(f"the Dask scheduler at {address} has no workers; start some with `dask worker {address} --nthreads 1`")
        yield client
