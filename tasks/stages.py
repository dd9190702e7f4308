"""Prefect's coat on the stages: the one module of tasks that knows the orchestrator.

A task is one stage on one shard (or one partition). It takes and gives paths; the work itself is done by a process of
the pool, here or on another machine, which knows nothing of Prefect: the task is a thread of this process that waits for it. Only
tasks that touch raw files or publish are retried.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import PurePath
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.task_runners import ThreadPoolTaskRunner

Result = TypeVar("Result")
log = logging.getLogger("copydesk")


@task(cache_policy=NO_CACHE)
def _in_pool(pool: Executor, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, float]:
    """What the call gave, and its seconds, waiting for a free process included."""
    began = time.perf_counter()
    return pool.submit(function, *arguments).result(), time.perf_counter() - began


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
    futures: dict[PrefectFuture[Any], int] = {}
    for number, call in enumerate(calls, 1):
        named = coat.with_options(task_run_name=f"{stage} {number} of {len(calls)}")
        futures[tasks.submit(named, {"pool": pool, "function": function, "arguments": call})] = number
    for done, future in enumerate(as_completed(list(futures)), 1):
        told: dict[str, Any] = {"stage": stage, "done": done, "number": futures[future], "total": len(calls)}
        if isinstance(answer := future.result(raise_on_failure=False), tuple):  # what failed is raised below
            told["seconds"] = round(answer[1], 3)
        if isinstance(about := calls[futures[future] - 1][0], PurePath):
            told["shard"] = about.name
        log.info("%s %d of %d", stage, done, len(calls), extra=told)
    return [future.result()[0] for future in futures]
