"""Publish an earlier snapshot again, and keep what was published from coming back by itself."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.folder import held
from tasks import snapshots


class UnfitError(ValueError):
    """There is no such snapshot to publish; the text says what there is."""


@dataclass(frozen=True)
class Rolled:
    """What was done: the snapshot that is published now, the hold that stands, and the faults for which nothing was done."""

    to: Path
    hold: snapshots.Hold | None
    faults: Sequence[snapshots.Fault] = ()


def roll_back(curated: Path, name: str | None, why: str | None, release: bool, wait: float) -> Rolled:
    """Make `latest` name an earlier snapshot that is whole, and hold the one that it named until then.

    Args:
        name: of the snapshot to publish; None: the parent of the published one.
        why: for those who find the hold.
        release: end the hold instead of setting one.
        wait: seconds to wait for a run that holds the folder.

    Raises:
        UnfitError
        BusyError: a run holds the folder.
    """
    with held(curated, wait, "rollback") as lock:
        published = snapshots.named(curated)
        now = snapshots.find(curated, published) if published else None
        to = _wanted(curated, name, now)
        hold = snapshots.read_hold(curated) if not release else None
        if to.name == published:
            raise UnfitError(f"{to.name} is the published snapshot already")
        if hold and to.name in hold.names:
            raise UnfitError(f"{to.name} is held ({hold}); `copydesk rollback --release {to.name}` publishes it nevertheless")
        if faults := snapshots.verify(to):
            return Rolled(to, hold, faults)
        lock.confirm()
        if release:
            snapshots.release(curated)
        elif now:  # first: a run that comes between finds the hold
            hold = snapshots.set_hold(curated, now, to, _who(), datetime.now(UTC).isoformat(timespec="seconds"), why)
        snapshots.point_latest(curated, to, published)
        return Rolled(to, hold)


def release(curated: Path, wait: float) -> bool:
    """End the hold; tells whether there was one.

    Raises:
        BusyError: a run holds the folder.
    """
    with held(curated, wait, "rollback"):
        return snapshots.release(curated)


def _wanted(curated: Path, name: str | None, now: Path | None) -> Path:
    if name is None:
        name = snapshots.read_manifest(now)["parent"] if now else None
        if name is None:
            raise UnfitError(f"{now.name if now else curated} has no parent to roll back to; `copydesk snapshots` lists what there is")
    found = snapshots.find(curated, name)
    if found is None or found.parent.name != "snapshots":
        raise UnfitError(f"{name} is no snapshot that was ever published; `copydesk snapshots` lists what there is")
    return found


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name, as in containers
        return f"{os.getuid()}@{socket.gethostname()}"
