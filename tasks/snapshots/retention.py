"""Old snapshots go, and with them the shards of the store that no other one names.

What goes is settled, and told in the new snapshot's manifest, before it is published, and done after it: a run that is killed in
between leaves too much, which the next one removes.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.snapshots.hold import read_hold
from tasks.snapshots.published import named

log = logging.getLogger("copydesk")
REFUSED = 3  # of the last runs that were refused or held: they are there to be looked at
_NAME = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{8}")
"""Names that runs give; what is called otherwise somebody put there, and it is left alone."""


@dataclass(frozen=True)
class Removal:
    """What goes: names of snapshots, of refused ones, of files of the store with their bytes."""

    snapshots: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    store: tuple[str, ...] = ()
    store_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "snapshots": list(self.snapshots),
            "refused": list(self.refused),
            "store_files": len(self.store),
            "store_bytes": self.store_bytes,
        }


def plan(curated: Path, new: str, ledger: pa.Table, keep: int | Literal["all"], keep_days: float | None, published: bool = True) -> Removal:
    """What goes when a new snapshot is there.

    A snapshot stays that is one of the `keep` newest, or was made within `keep_days` before the new one; and, whatever these say, the new one,
    the one that is published until then (its parent), and those that a hold names. Of the refused the newest few stay.

    Args:
        new: name of the new snapshot.
        ledger: its table inputs.
        published: or refused.
    """
    all_there, all_refused = _names(curated / "snapshots"), _names(curated / "refused")
    hold = read_hold(curated)
    safe = {new, named(curated), *((hold.to, *hold.names) if hold else ())}
    gone: list[str] = []
    if published and keep != "all":
        newest = [new, *sorted({*all_there} - {new}, reverse=True)]  # by a clock that was set back it would not be the newest
        since = _time(new) - timedelta(days=keep_days) if keep_days is not None else None
        gone = [name for name in newest[keep:] if name not in safe and (since is None or _time(name) < since)]
    refused = sorted({*all_refused, *(() if published else (new,))} - {new}, reverse=True)[REFUSED - (not published) :]
    if not gone and not refused:
        return Removal()
    kept = [curated / "snapshots" / name for name in all_there if name not in gone]
    kept += [curated / "refused" / name for name in all_refused if name not in refused]
    store = _unnamed(curated / "store", ledger, [path for path in kept if path.name != new])
    return Removal(tuple(sorted(gone)), tuple(sorted(refused)), tuple(store), sum(store.values()))


def _names(place: Path) -> list[str]:
    return [path.name for path in files.inside(place) if _NAME.fullmatch(path.name)]


def _time(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _unnamed(store: Path, ledger: pa.Table, snapshots: Iterable[Path]) -> dict[str, int]:
    """Files of the store that neither this ledger nor those of the snapshots name, with their bytes; none, if a ledger cannot be read."""
    sizes = files.sizes(store, ".parquet")
    left = set(sizes) - _shards(ledger)
    for snapshot in snapshots:
        if not left:
            break
        try:
            left -= _shards(files.read_table(snapshot / "inputs", columns=["shards"]))
        except (OSError, pa.ArrowException) as error:
            log.warning("nothing is removed from %s, since the ledger of %s cannot be read: %s", store, snapshot, error)
            return {}
    return {name: sizes[name] for name in sorted(left)}


def _shards(ledger: pa.Table) -> set[str]:
    return set(pc.unique(pc.list_flatten(ledger["shards"])).to_pylist())


def remove(curated: Path, removal: Removal, aside: Path) -> None:
    """Do it: a snapshot is out of sight before its first file goes (in an object store, where it is its manifest, that goes first).

    What cannot be removed is said in the log, and left to the next run.

    Args:
        aside: a folder beside the snapshots for what goes, which the next run removes if this one is killed.
    """
    if removal == Removal():
        return
    try:
        for place, names in (("snapshots", removal.snapshots), ("refused", removal.refused)):
            for name in names:
                _remove(curated / place / name, aside / f"{place}-{name}")
        for name in removal.store:
            (curated / "store" / name).unlink(missing_ok=True)
    except OSError as error:
        log.warning("old snapshots could not be removed, the next run will try again: %s", error)
        return
    log.info(
        "removed %d snapshots, %d refused ones, %d files (%.1f MB) of the store: %s",
        len(removal.snapshots),
        len(removal.refused),
        len(removal.store),
        removal.store_bytes / 1e6,
        ", ".join((*removal.snapshots, *removal.refused)) or "-",
    )


def _remove(snapshot: Path, aside: Path) -> None:
    if files.is_local(snapshot):
        with suppress(FileNotFoundError):
            snapshot.replace(aside)
        files.remove_tree(aside)
    else:
        (snapshot / "manifest.json").unlink(missing_ok=True)
        files.remove_tree(snapshot)
