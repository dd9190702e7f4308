"""The whole job without processes and orchestrator, for the tests of many runs one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows import curate as job
from flows import processes
from tasks import snapshots, stages


class CrashError(Exception):
    """What ends a run in its middle."""


class Inline(Executor):
    """Does the work at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **named))
        return done


@contextmanager
def inline(crash_at: int | None = None, step: Callable[[str], None] | None = None) -> Iterator[None]:
    """Runs without processes and orchestrator; the task of number `crash_at` fails, after the work of those before it.

    `step` is called before each task.
    """
    begun = 0

    def each(
        stage: str, tasks: Any, pool: Executor, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]], storage: bool = False
    ) -> list[Any]:
        nonlocal begun
        del tasks, pool, storage
        results = []
        for call in list(calls):
            if begun == crash_at:
                raise CrashError
            begun += 1
            if step:
                step(f"task {stage}")
            results.append(function(*call))
        return results

    @contextmanager
    def pool(_workers: int) -> Iterator[Executor]:
        yield Inline()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "each", each)
        patch.setattr(processes, "pool", pool)
        yield


def run(raw: Path, curated: Path, *overrides: str, **options: Any) -> Any:
    """A run in which keys are hot at once, so that what is proposed depends on what came before."""
    return job.curate.fn(str(raw), str(curated), overrides=("cluster.hot_key=2", "run.workers=2", *overrides), **options)


def files(curated: Path) -> dict[str, str]:
    """The data files of the published snapshot with their hashes."""
    snapshot = snapshots.latest(curated)
    assert snapshot is not None
    assert snapshots.verify(snapshot) == []
    return {
        entry["path"]: entry["sha256"] for entry in snapshots.read_manifest(snapshot)["files"] if not entry["path"].startswith("inputs/")
    }
