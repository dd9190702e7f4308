"""The curated folder while a run works on it: held by that run alone, with a place for its work.

On a file system the lock is flock on curated/.lock, which the kernel lets go of however the process ends. Where other hosts may reach the
folder without seeing that (network file systems, object stores) it is a lease besides: the record in .lock, which its owner writes again and
again, and which another may replace once it has not been written for as long as it says. Its age is told by one clock, the
storage's, and the owner goes by its own: hosts whose clocks differ agree. docs/operations.md says what holds where.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from flows.lease import (
    BusyError,
    InFile,
    InStore,
    Lock,
    LostError,
    Record,
    Watch,
    leased,
    overwrite,
    owner_record,
    same_file,
    told,
)
from tasks import files, snapshots

__all__ = ["BusyError", "Lock", "LostError", "held", "work_folder"]

log = logging.getLogger("copydesk")
LOOK_SECONDS, LOOK_FAR_SECONDS = 0.5, 5.0  # while waiting: on a file system, elsewhere
_SHARED = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
        "virtiofs",
    )
)
"""Kinds of file systems, as Linux names them, that other hosts may see too; and `fuse.` anything."""


@contextmanager
def held(target: Path, wait: float = 0, run: str | None = None) -> Iterator[Lock]:
    """Hold the curated folder: one run at a time.

    Args:
        wait: seconds to wait for another run to let go; that it waits, and for whom, is said once in the log.
        run: name under which Prefect knows the run, for others to find it.

    Raises:
        BusyError: another run holds it, and did to the end of the wait.
    """
    owner, watch = owner_record(run), Watch()
    here = files.is_local(target)
    until, said = time.monotonic() + wait, False
    with ExitStack() as stack:
        while True:
            try:
                lock = stack.enter_context(_flocked(target, owner, watch) if here else leased(InStore(target / ".lock"), owner, watch))
                break
            except BusyError as error:
                left = max(until - time.monotonic(), watch.patience)
                if left <= 0:
                    raise
                if not said:
                    log.info("waiting, %.0f s at most: %s", left, error)
                said = True
                time.sleep(min(left, LOOK_SECONDS if here else LOOK_FAR_SECONDS))
        yield lock


# ---- a file system ------------------------------------------------------------------------------------------------------


@contextmanager
def _flocked(target: Path, owner: Record, watch: Watch) -> Iterator[Lock]:
    """Held by flock, and by a lease besides where flock may not reach all who come here. The record of an owner that died is no obstacle."""
    path = target / ".lock"
    alone = not _shared(target)
    while True:
        stream = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            who = told(stream.read())
            stream.close()
            raise BusyError(
                f"{target} is held by another run ({who}); wait for it (--wait) or end it. "
                f"To take the folder from it, remove {path}: that run then stops before it publishes"
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                stream.close()
                raise
            alone = False  # a file system without locks
        if same_file(stream, path):  # not removed in the meantime
            break
        stream.close()
    with stream:
        if not alone:
            with leased(InFile(path, stream), owner, watch) as lock:
                yield lock
            return
        overwrite(stream, json.dumps(owner).encode())
        try:
            yield _Flock(path, stream)
        finally:
            overwrite(stream, b"")


class _Flock:
    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream

    def check(self) -> None:
        if not same_file(self._stream, self._path):
            raise LostError(f"{self._path} was removed: the folder was taken from this run, which has published nothing")

    confirm = check


def _shared(folder: Path) -> bool:
    """Whether other hosts may see the folder, by the kind of its file system. Where the system does not tell (no Linux): no."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    device, kind = folder.stat().st_dev, ""
    for line in lines:
        mount, _, system = line.partition(" - ")
        major, _, minor = mount.split()[2].partition(":")
        if os.makedev(int(major), int(minor)) == device:
            kind = system.split()[0]
    return kind in _SHARED or kind.startswith("fuse.")


# ---- a place for its work --------------------------------------------------------------------------------------------


def clear(target: Path) -> None:
    """Remove what a run that was killed left: its work, what it had begun to publish, drafts in the store and the index."""
    snapshots.clear(target)
    files.remove_tree(target / ".work")
    if files.is_local(target):  # elsewhere nothing is seen before it is whole
        for draft in (*target.glob("store/.*"), *target.glob("index/*/.*"), *target.glob("index/*/snapshot-*/.*")):
            draft.unlink()


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside the snapshots; what a killed run left there is removed first.

    Its name is new each time: a worker that has outlived its run, or a run that has lost the folder, may still write into its own.
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
            files.remove_tree(work)
            if files.is_local(target):
                all_work.rmdir()  # unless another run has taken the folder, and works there
