"""A run that adds to a snapshot publishes, byte for byte, what a run from scratch over the same seen set does, whatever came before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flows import curate as job
from flows import processes
from tasks import publish, stages

STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()][:24]
COPIES = [  # of one wording, so that keys are hot; some without a date, some earlier than what they repeat
    STORIES[0] | {"id": f"copy {n}", "source": f"outlet{n}.example", "published_at": at}
    for n, at in enumerate(["2025-01-01", None, "2025-06-01T10:00:00Z", "2024-12-31", "2025-06-02", None])
]
POOL = STORIES + COPIES
TABLES = ("stories", "duplicates", "quarantine", "decisions")


class CrashError(Exception):
    """What ends a run in its middle."""


class Inline(Executor):
    """Does the work at once, in this process."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **named))
        return done


@contextmanager
def inline(crash_at: int | None = None) -> Iterator[None]:
    """Runs without processes and orchestrator; the task of number `crash_at` fails, after the work of those before it."""
    begun = 0

    def each(
        _stage: str,
        _tasks: Any,
        _pool: Executor,
        function: Callable[..., Any],
        calls: Iterable[tuple[Any, ...]],
        storage: bool = False,  # noqa: ARG001 - by its name
    ) -> list[Any]:
        nonlocal begun
        results = []
        for call in list(calls):
            if begun == crash_at:
                raise CrashError
            begun += 1
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
    return job.curate.fn(str(raw), str(curated), overrides=("cluster.hot_key=2", "run.workers=2", *overrides), **options)


def files(curated: Path) -> dict[str, str]:
    snapshot = publish.latest(curated)
    assert snapshot is not None
    assert publish.verify(snapshot) == []
    return {entry["path"]: entry["sha256"] for entry in publish.read_manifest(snapshot)["files"] if not entry["path"].startswith("inputs/")}


def write(path: Path, stories: Iterable[int]) -> None:
    path.write_text("".join(json.dumps(POOL[number]) + "\n" for number in stories) or "broken\n", encoding="utf-8")


name = st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"])
step = st.one_of(
    st.tuples(st.just("write"), name, st.lists(st.integers(0, len(POOL) - 1), max_size=5)),
    st.tuples(st.just("vanish"), name),
    st.tuples(st.just("run")),
    st.tuples(st.just("run")),
    st.tuples(st.just("prune")),
    st.tuples(st.just("crash"), st.integers(0, 20)),
    st.tuples(st.just("settings"), st.sampled_from(["near.jaccard=0.9", "cluster.keep=one-per-source"])),
)


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=4, max_size=12))
def test_any_history_ends_in_what_a_run_from_scratch_publishes(history: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as home:
        raw, curated, scratch = Path(home, "raw"), Path(home, "curated"), Path(home, "scratch")
        raw.mkdir()
        write(raw / "always.jsonl", [0, 1, 9])
        overrides: tuple[str, ...] = ()
        for what, *told in [*history, ("run",)]:
            if what == "write":
                write(raw / told[0], told[1])
            elif what == "vanish":
                (raw / told[0]).unlink(missing_ok=True)
            elif what == "settings":
                overrides = (told[0],)
            elif what == "crash":
                with inline(told[0]):
                    try:
                        run(raw, curated, *overrides)
                    except CrashError:
                        event("crashed")
            else:
                with inline():
                    run(raw, curated, *overrides, prune=what == "prune")
        with inline():
            shutil.copytree(curated, scratch, symlinks=True)
            shutil.rmtree(scratch / "index")
            run(raw, scratch, *overrides, full=True)
        assert files(curated) == files(scratch)
