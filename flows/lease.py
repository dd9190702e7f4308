"""A lease on the curated folder: a record that its owner writes again and again, and that another may replace when it has not for long enough.

How old a record is, the storage alone says, and its owner goes by its own steady clock: no two hosts' clocks are compared.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from flows.identity import machine, started
from tasks import files

log = logging.getLogger("copydesk")
LEASE_SECONDS = 120.0  # a network that is gone for a minute ends no run, and what a dead host held is free in two
RENEWALS = 6  # in that time
RECORD_BYTES = 1024  # in a file: spaces follow the record, so that a shorter one covers a longer one
SETTLE_SECONDS = 2.0  # after a lease was taken over: in a store that heeds no condition, the later of two takers has it

Record = dict[str, Any]


class BusyError(RuntimeError):
    """Another run holds the curated folder; the text says which, and how to take it."""


class LostError(BusyError):
    """This run held the folder and does so no more: it must not publish. The text says why."""


class Lock(Protocol):
    """A folder that is held."""

    def check(self) -> None:
        """Raise LostError if it is known to be lost; costs nothing."""

    def confirm(self) -> None:
        """Make sure that it is held, right before what cannot be taken back.

        Raises:
            LostError
            OSError: the storage does not answer.
        """


# ---- who holds it -----------------------------------------------------------------------------------------------------


def owner_record(run: str | None) -> Record:
    """Who this process is; `token` is known to it alone."""
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "process_started": started(os.getpid()),
        "machine": machine(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run,
        "token": os.urandom(16).hex(),
    }


def gone(record: Record) -> bool:
    """Whether the owner was a process of this machine that is no more."""
    same = record.get("machine") is not None and record["machine"] == machine()
    return same and started(int(record["pid"])) != record["process_started"]


def read_record(data: bytes) -> Record:
    """The record, empty when it is none of ours (of an older version, or half written)."""
    try:
        record = json.loads(data)
    except ValueError:
        return {}
    return record if isinstance(record, dict) and "token" in record else {}


def told(data: bytes) -> str:
    """Who that is, in words."""
    record = read_record(data)
    if not record:
        return data.decode(errors="replace").strip()[:200] or "unknown"
    since = record["started"].replace("T", " ").replace("+00:00", " UTC")
    run = f", run {record['run']}" if record.get("run") else ""
    return f"process {record['pid']} on {record['host']} since {since}{run}"


# ---- where it lies ------------------------------------------------------------------------------------------------------


class _Place(Protocol):
    """Where the record of a lease lies."""

    def __str__(self) -> str: ...

    def look(self) -> files.Seen | None:
        """The record, None if there is none."""

    def swap(self, data: bytes, version: str | None) -> str:
        """Write it if it is there in this version or, None, not there; gives the new one.

        Raises:
            FileExistsError: it is otherwise.
        """

    def clear(self) -> None:
        """There is none any more."""


class InStore:
    """In an object store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def look(self) -> files.Seen | None:
        return files.look(self._path)

    def swap(self, data: bytes, version: str | None) -> str:
        return files.swap(self._path, data, version)

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def same_file(stream: IO[bytes], path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def overwrite(stream: IO[bytes], data: bytes) -> None:
    """Put other bytes in the open file, at once: who reads meanwhile finds the old ones or the new ones."""
    if data:
        os.pwrite(stream.fileno(), data.ljust(RECORD_BYTES), 0)
    else:
        os.ftruncate(stream.fileno(), 0)


class InFile:
    """In a file that several hosts see. Nothing is conditional there but by looking first: leased looks again after taking it over."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream

    def __str__(self) -> str:
        return str(self._path)

    def look(self) -> files.Seen | None:
        """The age is that by the clock of the server, which sets the times of files."""
        try:
            with self._path.open("rb") as stream:  # opened anew, to see what other hosts wrote
                data, written = stream.read(), os.fstat(stream.fileno()).st_mtime
        except FileNotFoundError:
            return None
        if not read_record(data):  # let go of, or of an older version, for which flock alone decided
            return None
        now = files.draft(self._path)
        try:
            now.touch()
            return files.Seen(data, json.dumps(read_record(data)), now.stat().st_mtime - written)
        finally:
            now.unlink(missing_ok=True)

    def swap(self, data: bytes, version: str | None) -> str:
        seen = self.look()
        if (seen.version if seen else None) != version or not same_file(self._stream, self._path):
            raise FileExistsError
        overwrite(self._stream, data)
        os.fsync(self._stream.fileno())
        return json.dumps(read_record(data))

    def clear(self) -> None:
        overwrite(self._stream, b"")


# ---- the lease ------------------------------------------------------------------------------------------------------------


@dataclass
class Watch:
    """How long a record has stood as it is where the storage tells no time: seen from here. patience: seconds that it is worth to go on watching."""

    version: str | None = None
    since: float = 0.0
    alive: bool = False
    patience: float = 0.0

    def age(self, seen: files.Seen, lease: float) -> float:
        if seen.age is not None:
            return seen.age
        if seen.version != self.version:
            self.alive = self.version is not None  # it was written again
            self.version, self.since = seen.version, time.monotonic()
        age = time.monotonic() - self.since
        self.patience = 0.0 if self.alive else lease - age
        return age


@contextmanager
def leased(place: _Place, owner: Record, watch: Watch) -> Iterator[Lock]:
    """Held by a record in a place, which a thread writes again and again."""
    owner = owner | {"lease_seconds": LEASE_SECONDS}
    seen = place.look()
    if seen:
        _refuse_living(place, seen, watch)
    try:
        lease = _Lease(place, owner, seen.version if seen else None)
    except FileExistsError:  # somebody was faster
        faster = place.look()
        raise BusyError(_busy(place, faster.data if faster else b"", LEASE_SECONDS, 0)) from None
    if seen:
        log.info("%s: taken over from %s, which has given no sign for %.0f s", place, told(seen.data), watch.age(seen, 0))
        time.sleep(SETTLE_SECONDS)
        lease.confirm()
    try:
        with lease.renewed():
            yield lease
    finally:
        lease.give_up()


def _refuse_living(place: _Place, seen: files.Seen, watch: Watch) -> None:
    """Raise BusyError unless the lease has ended: another host's by its time alone, that of a process of this machine also with the process."""
    record = read_record(seen.data)
    if not record:
        raise BusyError(
            f"{place} says that another run ({told(seen.data)}) holds the folder, in no form that this version knows: "
            "an older one renews no lease. Wait for it, or if it was killed, remove that object"
        )
    lease = float(record["lease_seconds"])
    age = watch.age(seen, lease)
    if age < lease and not gone(record):
        raise BusyError(_busy(place, seen.data, lease, age))


def _busy(place: _Place, data: bytes, lease: float, age: float) -> str:
    return (
        f"{str(place).removesuffix('/.lock')} is held by another run ({told(data)}; last sign {max(0, age):.0f} s ago); wait for it (--wait) or end it. "
        f"If it is dead, the folder is free {lease:.0f} s after its last sign. "
        f"To take the folder from it, remove {place}: that run then stops before it publishes"
    )


class _Lease:
    """A record that is ours until somebody replaces it, or until it could not be written for as long as it says."""

    def __init__(self, place: _Place, owner: Record, over: str | None) -> None:
        self._place, self._owner = place, owner
        self._one = threading.Lock()
        self._renewals = 0
        self._lost: str | None = None
        self._seconds = float(owner["lease_seconds"])
        self._until = time.monotonic() + self._seconds
        self._version = place.swap(self._record(), over)

    def _record(self) -> bytes:
        return json.dumps(self._owner | {"renewals": self._renewals}).encode()  # other bytes each time, so another version

    def check(self) -> None:
        if self._lost is None and time.monotonic() >= self._until:
            self._lost = f"it could not be renewed for {self._seconds:.0f} s"
        if self._lost is not None:
            raise LostError(f"this run has lost its hold on {self._place}: {self._lost}. It has published nothing; run again")

    def confirm(self) -> None:
        with self._one:
            self.check()
            began = time.monotonic()
            self._renewals += 1
            try:
                self._version = self._place.swap(self._record(), self._version)
            except FileExistsError:
                seen = self._place.look()
                self._lost = f"it was taken over by {told(seen.data)}" if seen else "the record was removed"
            else:
                self._until = began + self._seconds
            self.check()

    @contextmanager
    def renewed(self) -> Iterator[None]:
        """While this is open a thread renews the lease, until it is lost."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew, args=(ended,), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(self._seconds)

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(self._seconds / RENEWALS):
            try:
                self.confirm()
            except LostError as error:
                log.error("%s", error)  # noqa: TRY400 - no fault of the program's: there is no trace to show
                return
            except Exception as error:  # noqa: BLE001 - whatever the store says, the next try may do; time alone decides
                log.warning("%s could not be renewed, will try again: %s", self._place, error)

    def give_up(self) -> None:
        """Remove the record, if it is surely ours."""
        with suppress(LostError, OSError):
            self.check()  # within its time nobody may replace it, but somebody may have removed it
            seen = self._place.look()
            if seen and read_record(seen.data).get("token") == self._owner["token"]:
                self._place.clear()
