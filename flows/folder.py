"""The curated folder while a run works on it: held by that run alone, with a place for its work."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


class BusyError(RuntimeError):
    """Another run holds the curated folder; the text says which."""


@contextmanager
def held(target: Path) -> Iterator[None]:
    """Hold the curated folder: one run at a time."""
    with (target / ".lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise BusyError(f"{target} is held by another run ({lock.read().strip() or 'unknown'}); wait for it or end it") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")
        lock.flush()
        yield


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside the snapshots; what a killed run left there is removed first."""
    work = target / ".work"
    shutil.rmtree(work, ignore_errors=True)
    for folder in (work, target / "store"):
        folder.mkdir(parents=True, exist_ok=True)
    for draft in (target / "store").glob(".draft-*"):
        draft.unlink()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
