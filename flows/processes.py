"""The processes of a run on one machine: how the others are started, and how all of them end.

Workers are forked from a clean server process (never from this one, which has threads) that has imported the heavy
libraries once: they start at once and share that memory. What a terminal sends to all its processes (Ctrl-C, and SIGHUP when it is
closed) only this one shall act on, so the others are started with these signals blocked. They end when the run does, however it
ends; each is put down by process id and start time, so that the next run can end one that was too busy to notice.

To end a run at once is always safe, since whatever is half done the next one finds and removes: so nothing here waits for long.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import connection, forkserver, resource_tracker
from multiprocessing.context import ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flows.identity import machine, started

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OF_A_TERMINAL = {signal.SIGINT, signal.SIGHUP}
GRACE_SECONDS = 5.0  # to end in order: to tell Prefect, to remove the work
AGAIN_SECONDS = 1.0  # some programs send a signal to the process and to its group: only a later one is meant as a second


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end: `signum`."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Stop:
    """What SIGINT, SIGTERM and SIGHUP do to this process: they raise Stopped in its main thread, once.

    If it does not end soon after, or is asked again, `end` is called with the exit code; it must not return. While `held`, and for
    good when `done` (the run is published), a signal is only noted.
    """

    def __init__(self, end: Callable[[int], object]) -> None:
        self.end, self.held, self.done = end, 0, False
        self.signum, self.raised, self._at = 0, False, 0.0

    def __call__(self, signum: int, _frame: FrameType | None = None) -> None:
        again = self.signum and time.monotonic() - self._at > AGAIN_SECONDS
        if not self.signum:
            self.signum, self._at = signum, time.monotonic()
        if again or self.done:
            self.end_soon(0.0 if again else GRACE_SECONDS)
        self.heed()

    def heed(self) -> None:
        """Act on what was noted.

        Raises:
            Stopped
        """
        if self.signum and not self.held and not self.raised and not self.done:
            self.raised = True
            self.end_soon(GRACE_SECONDS)
            raise Stopped(self.signum)

    def end_soon(self, seconds: float) -> None:
        """End this process if it is still there then."""
        threading.Thread(target=self._end_after, args=(seconds,), daemon=True).start()

    def _end_after(self, seconds: float) -> None:
        time.sleep(seconds)
        self.end(0 if self.done else 128 + self.signum)


def stoppable(end: Callable[[int], object]) -> Stop:
    """From here on the signals that end a process do so in order, see Stop. Those that are ignored (nohup) stay ignored."""
    stop = Stop(end)
    for signum in STOPPING:
        if signal.getsignal(signum) != signal.SIG_IGN:
            signal.signal(signum, stop)
    return stop


def _installed() -> Stop | None:
    """What handles signals here, in the main thread of a process that is `stoppable`; Prefect may have put a handler of its own over some."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return next((handler for handler in map(signal.getsignal, STOPPING) if isinstance(handler, Stop)), None)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Processes started in here never see the signals of a terminal; this one heeds them at the end, or when it calls `heed_interrupts`.

    The mask is what the processes inherit. It does not keep a signal from our other threads, so the handler waits too.
    """
    stop = _installed()
    if stop:
        stop.held += 1
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, OF_A_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if stop:
            stop.held = max(0, stop.held - 1)
    if stop:
        stop.heed()


def heed_interrupts() -> None:
    """From here on signals end this process again, also inside `undisturbed` and instead of what Prefect does on SIGTERM.

    Nothing happens in a process that is not `stoppable`, as those in which Prefect runs a deployment.

    Raises:
        Stopped: a signal came in the meantime.
    """
    if stop := _installed():
        for signum in STOPPING:
            if signal.getsignal(signum) not in (signal.SIG_IGN, stop):
                signal.signal(signum, stop)
        stop.held = 0
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_A_TERMINAL)
        stop.heed()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What is done in here is the end of the run: a signal comes too late to stop it, unless it fails."""
    stop = _installed()
    if stop:
        stop.held += 1
    try:
        yield
        if stop:
            stop.done = True
    finally:
        if stop:
            stop.held -= 1


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
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    sys.warnoptions.append("ignore:resource_tracker")  # it inherits that: what it cleans up after a run that was killed is no news
    try:
        resource_tracker.ensure_running()  # else the fork server starts it, and it unblocks Ctrl-C again
    finally:
        sys.warnoptions.pop()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    with undisturbed():
        forkserver.ensure_running()


def end_with_the_run(records: Path | None = None) -> None:
    """End this process when the one that started it is no more: killed, a run leaves nothing behind that waits for work."""
    for signum in STOPPING:
        if isinstance(signal.getsignal(signum), Stop):  # forked from it
            signal.signal(signum, signal.SIG_DFL)
    _record(os.getpid(), records or _records())
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def not_without(needed: BaseProcess, stop: Stop, end: Callable[[], object]) -> None:
    """Call `end`, which must not return, when that process ends before this one; a run that is at its end itself gets a moment for it."""
    over = threading.Event()
    atexit.register(over.set)  # before multiprocessing, imported earlier, ends its processes

    def wait() -> None:
        connection.wait([needed.sentinel])
        if over.is_set():
            return
        if stop.signum or stop.done:
            stop.end_soon(GRACE_SECONDS / 2)
        else:
            end()

    threading.Thread(target=wait, daemon=True).start()


def end_now(code: int) -> NoReturn:
    """End this process and its workers without another word: one that was just being forked would print what it misses."""
    with suppress(Exception):
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined] # noqa: SLF001 - there is no public way to end it
        os.kill(server, signal.SIGSTOP)  # so that it starts no more
        workers = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii").split()
        for pid in (*map(int, workers), server):
            os.kill(pid, signal.SIGKILL)
    os._exit(code)


def end_within(seconds: float, code: int) -> None:
    """End this process with that exit code if it is still there then: Prefect may wait for a server that answers no more."""
    timer = threading.Timer(seconds, end_now, (code,))
    timer.daemon = True
    timer.start()


@contextmanager
def pool(workers: int) -> Iterator[Executor]:
    """A pool of worker processes; work that is not yet begun is dropped when the caller fails, all work when it is stopped."""
    end_orphans()
    warm_up()
    executor = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("forkserver"), initializer=end_with_the_run, initargs=(_records(),)
    )
    try:
        with undisturbed():  # the fork server prints a stack trace when we leave before it has answered
            executor.submit(int).result()
        yield executor
    except (Exception, GeneratorExit):
        raise
    except BaseException:  # a signal: Stopped, or what Prefect raises in a run that is cancelled
        for child in multiprocessing.active_children():
            if isinstance(child, ForkServerProcess):
                child.kill()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


# ---- what a run that was killed has left ------------------------------------------------------------------------------


def _records() -> Path:
    """A folder for empty files named OWNER-START.PROCESS-START: of this start of the system, and of this container, which has its own ids."""
    from tasks.settings import cache_folder

    return cache_folder() / "processes" / hashlib.sha256((machine() or "").encode()).hexdigest()[:16]


def _record(pid: int, folder: Path) -> None:
    """Put down that a process belongs to the run that started it; where the cache cannot be written it is not put down."""
    run = multiprocessing.parent_process()
    owner = run.pid if run and run.pid else os.getpid()
    began, owner_began = started(pid), started(owner)
    if began is None or owner_began is None:  # a system without /proc; a run that is no more
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{owner}-{owner_began}.{pid}-{began}").touch()


def end_orphans() -> None:
    """End what is left of runs that are no more, and forget what has ended. A process that only has the id of one of ours is left alone."""
    with suppress(OSError, ValueError):
        for path in list(_records().iterdir()):
            owner, process = (tuple(map(int, part.split("-"))) for part in path.name.split("."))
            if not _lives(*owner):
                _end(*process)
            if not _lives(*process):
                path.unlink(missing_ok=True)


def _lives(pid: int, start: int) -> bool:
    return started(pid) == start


def _end(pid: int, start: int) -> None:
    try:
        handle = os.pidfd_open(pid)  # stays with this process even if it ends now and another gets its id
    except OSError:
        return
    try:
        if _lives(pid, start):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    finally:
        os.close(handle)
