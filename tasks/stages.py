"""Prefect's coat on the stages: the one module of tasks that knows the orchestrator.

A task is one stage on one shard (or one partition). It takes and gives paths; the work itself is done by a process of
the pool, here or on another machine, which knows nothing of Prefect: the task is a thread of this process that waits for it. Only
tasks that touch raw files or publish are retried. A long stage tells the server how far it is, where somebody may look.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import PurePath
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture, as_completed
from prefect.settings import get_current_settings
from prefect.task_runners import ThreadPoolTaskRunner

Result = TypeVar("Result")
log = logging.getLogger("copydesk")
LONG_SECONDS = 10.0  # most stages are over sooner, and each call of the server takes 20 ms
EVERY_SECONDS = 5.0  # between two of them


def watched() -> bool:
    """Whether somebody may look at this run later: it is a flow's, on a server that keeps its log. A one-off run's own server does not."""
    known = get_current_settings()
    return FlowRunContext.get() is not None and known.api.url is not None and known.logging.to_api.enabled


class _Progress:
    """How far a stage is, as an artifact of the run. What the server does not take is no fault of the run's."""

    def __init__(self, stage: str, total: int) -> None:
        self._stage, self._total, self._id = stage, total, UUID(int=0)
        self._next = time.monotonic() + LONG_SECONDS if watched() else float("inf")

    def note(self, done: int) -> None:
        if time.monotonic() < self._next and not (done == self._total and self._id.int):
            return
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        self._next = time.monotonic() + EVERY_SECONDS
        share, words = 100 * done / self._total, f"{self._stage}: {done:,} of {self._total:,}"
        try:
            if self._id.int:
                update_progress_artifact(self._id, share, words)
            elif done < self._total:
                self._id = cast("UUID", create_progress_artifact(share, description=words))  # outside of a loop it waits for it
        except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
            self._next, self._id = float("inf"), UUID(int=0)
            log.warning("progress of %s is told no more: %s", self._stage, error)


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
    if calls:
        log.info("%s begins", stage, extra={"stage": stage, "done": 0, "total": len(calls)})
    futures: dict[PrefectFuture[Any], int] = {}
    for number, call in enumerate(calls, 1):
        named = coat.with_options(task_run_name=f"{stage} {number} of {len(calls)}")
        futures[tasks.submit(named, {"pool": pool, "function": function, "arguments": call})] = number
    progress = _Progress(stage, len(calls))
    for done, future in enumerate(as_completed(list(futures)), 1):
        progress.note(done)
        told: dict[str, Any] = {"stage": stage, "done": done, "number": futures[future], "total": len(calls)}
        if isinstance(answer := future.result(raise_on_failure=False), tuple):  # what failed is raised below
            told["seconds"] = round(answer[1], 3)
        if isinstance(about := calls[futures[future] - 1][0], PurePath):
            told["shard"] = about.name
        log.info("%s %d of %d", stage, done, len(calls), extra=told)
    return [future.result()[0] for future in futures]
