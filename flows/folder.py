"""The curated folder while a run works on it: held by that run alone, with a place for its work."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from tasks import files, publish


class BusyError(RuntimeError):
    """Another run holds the curated folder; the text says which."""


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Hold the curated folder: one run at a time.

    Here the system lets go of it however this process ends. In an object store it is held by an object that only one can make; a
    run that was killed leaves it there.

    Raises:
        BusyError: another run holds it.
    """
    lock = target / ".lock"
    owner = f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    with _locked(lock, owner) if files.is_local(target) else _made(lock, owner):
        yield


@contextmanager
def _locked(lock: Path, owner: str) -> Iterator[None]:
    with lock.open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise BusyError(f"{lock.parent} is held by another run ({stream.read().strip() or 'unknown'}); wait for it or end it") from None
        stream.truncate(0)
        stream.write(owner)
        stream.flush()
        yield


@contextmanager
def _made(lock: Path, owner: str) -> Iterator[None]:
    try:
        with lock.open("xb") as stream:
            stream.write(owner.encode())
    except FileExistsError:
        holder = lock.read_text(encoding="utf-8")
        raise BusyError(
            f"{lock.parent} is held by another run ({holder}); wait for it or end it. If it was killed, remove {lock}"
        ) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def clear(target: Path) -> None:
    """Remove what a run that was killed left: its work, what it had begun to publish, drafts in the store and the index."""
    publish.clear(target)
    files.remove_tree(target / ".work")
    if files.is_local(target):  # elsewhere nothing is seen before it is whole
        for draft in (*target.glob("store/.*"), *target.glob("index/*/.*"), *target.glob("index/*/snapshot-*/.*")):
            draft.unlink()


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside the snapshots; what a killed run left there is removed first.

    Its name is new each time: a worker that has outlived its run may still write into the folder of that run.
    """
    all_work = target / ".work"
    work = all_work / os.urandom(4).hex()
    clear(target)
    for folder in (work, target / "store"):
        files.folder(folder)
    try:
        yield work
    finally:
        with suppress(OSError):  # a call that could not be stopped is writing there: the next run removes it
            files.remove_tree(all_work)
