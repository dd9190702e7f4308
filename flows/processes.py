"""The worker processes of one machine: they do the stages' work and know nothing of Prefect.

Workers are forked from a clean server process (never from this one, which has threads) that has imported the heavy
libraries once: they start at once and share that memory. Ctrl-C reaches every process of a terminal; only this one
shall act on it, so the others are started with that signal blocked.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker


class _Deferral:
    """A signal handler that only takes note."""

    def __init__(self) -> None:
        self.noted = False

    def __call__(self, *_: object) -> None:
        self.noted = True


@contextmanager
def undisturbed() -> Iterator[None]:
    """Processes started in here never see Ctrl-C; this one heeds it at the end, or when it calls `heed_interrupts`.

    The mask is what the processes inherit. It does not keep the signal from our other threads, so the handler waits too.
    """
    deferral = _Deferral()
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, deferral) if in_main_thread else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
    if deferral.noted:
        raise KeyboardInterrupt


def heed_interrupts() -> None:
    """From here on Ctrl-C ends this process again, also inside `undisturbed`.

    Raises:
        KeyboardInterrupt: it was pressed in the meantime.
    """
    deferral = signal.getsignal(signal.SIGINT)
    if isinstance(deferral, _Deferral):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if deferral.noted:
            deferral.noted = False
            raise KeyboardInterrupt


def stop_sweeping() -> None:
    """Leave the garbage collector out of the imports that follow: they make many objects, no garbage (Prefect and its server 2.4 s -> 1.7 s)."""
    gc.disable()


def sweep_again() -> None:
    """Collect garbage again, but never look at what was imported; processes forked from this one share its memory."""
    gc.freeze()
    gc.enable()


def warm_up() -> None:
    """Start the server process, which imports while this process goes on."""
    multiprocessing.set_forkserver_preload(["flows.preload"])
    resource_tracker.ensure_running()  # else the fork server starts it, and it unblocks the signal again
    with undisturbed():
        forkserver.ensure_running()


def end_with_the_run() -> None:
    """End this process when the one that started it is no more: killed, a run leaves nothing behind that waits for work."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def pool(workers: int) -> Iterator[Executor]:
    """A pool of worker processes; work that is not yet begun is dropped when the caller fails."""
    warm_up()
    executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("forkserver"), initializer=end_with_the_run)
    try:
        with undisturbed():  # the fork server prints a stack trace when we leave before it has answered
            executor.submit(int).result()
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
