"""The worker processes of one machine: they do the stages' work and know nothing of Prefect.

Workers are forked from a clean server process (never from this one, which has threads) that has imported the heavy
libraries once: they start at once and share that memory.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver

HEAVY = ("pyarrow.parquet", "great_expectations", "trafilatura", "ftfy", "numba", "tasks.validate")


def warm_up() -> None:
    """Start the server process, which imports while this process goes on."""
    multiprocessing.set_forkserver_preload(list(HEAVY))
    forkserver.ensure_running()


@contextmanager
def pool(workers: int) -> Iterator[Executor]:
    """A pool of worker processes; work that is not yet begun is dropped when the caller fails."""
    warm_up()
    executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver"))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
