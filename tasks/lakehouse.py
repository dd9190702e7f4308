"""A Delta Lake table that follows the published stories.

Delta keeps a log of which Parquet files are the table, and the files of a snapshot never change and are named by what they hold. So nothing is
written twice: the files that the table lacks are linked into its folder (copied, where there are no links), and one transaction adds
them and takes those out that the snapshot has no more. What the table holds is told by its log alone: whatever was cut short is made good the next time, and
nothing is to be remembered.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks import files
from tasks.schema import STORIES

NAME = "copydesk stories"
"""Of the table: another one is not touched."""
SNAPSHOT = "copydesk.snapshot"
"""Where a commit names the snapshot, in what `DeltaTable.history()` gives."""


def check(table: str | None) -> None:
    """Refuse to begin without the library, if there is a table.

    Raises:
        ModuleNotFoundError
    """
    if table and find_spec("deltalake") is None:
        raise ModuleNotFoundError("publish.delta needs pip install 'copydesk[lakehouse]' on this machine", name="deltalake")


def follow(snapshot: Path, manifest: Mapping[str, Any], table: str) -> int | None:
    """Make the table hold the stories of a snapshot; gives its new version, None if it held them already.

    Args:
        table: folder or URL; made if it is missing. delta-rs reaches object stores by its own means: credentials and address from the environment.

    Raises:
        OSError: it cannot be done; the snapshot is not touched by that.
    """
    from deltalake.exceptions import DeltaError

    try:
        return _follow(snapshot, manifest, files.located(table))
    except (OSError, DeltaError, pa.ArrowException, ValueError) as error:
        why = f"the Delta table does not hold {snapshot.name} yet ({_first_line(error)}); that snapshot is published and whole, and the next run tries again"
        raise OSError(errno.EIO, why, table) from error


def _first_line(error: Exception) -> str:
    return (str(error) or error.__class__.__name__).splitlines()[0]


def _follow(snapshot: Path, manifest: Mapping[str, Any], place: Path) -> int | None:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, CommitProperties, RemoveAction

    wanted = {
        entry["path"].rpartition("/")[2]: entry for entry in manifest["files"] if entry["path"].startswith("stories/") and entry["rows"]
    }
    if DeltaTable.is_deltatable(str(place)):
        table = DeltaTable(str(place))
        if table.metadata().name != NAME:
            raise ValueError("it is a table that copydesk did not make; name another folder")
        _widen(table)
    else:
        table = DeltaTable.create(str(place), _schema(), name=NAME, description="One row for each story worth keeping")
    there = set(pa.table(table.get_add_actions())["path"].to_pylist())
    added, gone = sorted(wanted.keys() - there), sorted(there - wanted.keys())
    if not added and not gone:
        return None
    _bring(snapshot, place, {name: wanted[name]["bytes"] for name in added})
    now = time.time_ns() // 1_000_000
    actions: list[AddAction | RemoveAction] = [
        *(AddAction(name, wanted[name]["bytes"], {}, now, True, json.dumps({"numRecords": wanted[name]["rows"]})) for name in added),
        *(RemoveAction(name, True, now) for name in gone),
    ]
    named = CommitProperties(custom_metadata={SNAPSHOT: snapshot.name})
    table.create_write_transaction(actions, "append", table.schema(), commit_properties=named)
    table.update_incremental()
    return int(table.version())


def _schema() -> Any:
    """The columns of stories, with their descriptions where Delta keeps comments."""
    from deltalake import Schema

    return Schema.from_arrow(
        pa.schema([field.with_metadata({"comment": (field.metadata or {})[b"description"].decode()}) for field in STORIES])
    )


def _widen(table: Any) -> None:
    """Add the columns that this version has and the table's first one had not."""
    from deltalake import Field

    there = {field.name for field in table.schema().fields}
    if new := [
        Field(field.name, field.type, nullable=True, metadata=field.metadata) for field in _schema().fields if field.name not in there
    ]:
        table.alter.add_columns(new)


def _bring(snapshot: Path, place: Path, sizes: Mapping[str, int]) -> None:
    """Give the table's folder the files."""
    there = files.sizes(place, ".parquet")
    missing = [name for name, size in sizes.items() if there.get(name) != size]
    for name in missing:
        if name in there:  # of a copy that was cut short
            (place / name).unlink()
    with ThreadPoolExecutor(files.FETCHES) as links:
        list(links.map(files.link, [snapshot / "stories" / name for name in missing], [place / name for name in missing]))
