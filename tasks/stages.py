"""Prefect's coat on the stages: the one module of tasks that knows the orchestrator.

A task is one stage on one shard (or one partition). It takes and gives paths; the work itself is done by a process of
the pool, here or on another machine, which knows nothing of Prefect: the task is a thread of this process that waits for it. Only
tasks that touch raw files or publish are retried.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

Result = TypeVar("Result")
log = logging.getLogger("copydesk")


@task(cache_policy=NO_CACHE)
def _in_pool(pool: Executor, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return pool.submit(function, *arguments).result()


def each(
    stage: str,
    tasks: ThreadPoolTaskRunner[Any],
    pool: Executor,
    function: Callable[..., Result],
    calls: Iterable[tuple[Any, ...]],
    storage: bool = False,
) -> list[Result]:
    """One task, named after the stage, for each call of the function; results in the order of the calls.

    `tasks` has the threads, `pool` does the calls.
    `storage`: the calls read raw files or write the snapshot, so that trying again may help.
    """
    coat = _in_pool.with_options(name=stage, retries=2 if storage else 0, retry_delay_seconds=[1, 5])
    calls = list(calls)
    futures: list[PrefectFuture[Any]] = [
        tasks.submit(
            coat.with_options(task_run_name=f"{stage} {number} of {len(calls)}"), {"pool": pool, "function": function, "arguments": call}
        )
        for number, call in enumerate(calls, 1)
    ]
    for done, _ in enumerate(as_completed(futures), 1):
        log.info("%s %d of %d", stage, done, len(calls), extra={"stage": stage, "done": done, "total": len(calls)})
    return [future.result() for future in futures]
