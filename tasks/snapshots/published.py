"""Which snapshots there are, and which one is published."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks import files
from tasks.schema import INPUTS

BEGUN = ".publishing"
"""Names the snapshot that is about to be published."""
PLACES = ("snapshots", "refused")
FORMAT = 1
"""Of snapshot and store together: raised when an older version would misread what this one writes. What an older one wrote is read for ever
(tests/data/formats has one of each)."""


class MovedError(RuntimeError):
    """`latest` does not name the snapshot any more that a new one was to take the place of."""


def named(curated: Path) -> str | None:
    """Name of the snapshot that `latest` (in an object store latest.json) names, whether it is there or not; None before the first one.

    Raises:
        OSError: latest.json cannot be read, or names no snapshot.
    """
    if files.is_local(curated):
        link = curated / "latest"
        return link.readlink().name if link.is_symlink() else None
    path = curated / "latest.json"
    try:
        return _named_in(path.read_bytes(), path)
    except FileNotFoundError:
        return None


def _named_in(pointer: bytes, path: Path) -> str:
    try:
        return str(json.loads(pointer)["snapshot"]).rpartition("/")[2]
    except (ValueError, KeyError, TypeError) as error:
        raise OSError(
            errno.EINVAL,
            'is not of the form {"snapshot": "snapshots/NAME"}; remove it, then `copydesk rollback NAME` writes it anew',
            str(path),
        ) from error


def latest(curated: Path) -> Path | None:
    """The published snapshot, or None before the first one.

    Raises:
        FileNotFoundError: `latest` names a snapshot that is not there.
        OSError: latest.json cannot be read.
    """
    name = named(curated)
    if name is None:
        return None
    snapshot = curated / "snapshots" / name
    here = files.is_local(curated)
    if not (snapshot.is_dir() if here else (snapshot / "manifest.json").exists()):
        raise FileNotFoundError(
            errno.ENOENT,
            f"names {name}, which is not there; `copydesk snapshots` lists what is, `copydesk rollback NAME` publishes one of them",
            str(curated / ("latest" if here else "latest.json")),
        )
    return snapshot.resolve() if here else snapshot


def point_latest(curated: Path, snapshot: Path, instead_of: str | None) -> None:
    """Make `latest` (in an object store latest.json) name the snapshot, in one step that no reader can see half done.

    Args:
        instead_of: what it has to name until then.

    Raises:
        MovedError: it names another: somebody has published since, although the folder was held.
    """
    if not files.is_local(curated):
        path = curated / "latest.json"
        seen = files.look(path)
        now = _named_in(seen.data, path) if seen else None
        try:
            if now == instead_of:
                files.swap(path, json.dumps({"snapshot": f"snapshots/{snapshot.name}"}).encode(), seen.version if seen else None)
                return
        except FileExistsError:
            now = named(curated)
    elif (now := named(curated)) == instead_of:
        link = curated / ".latest-draft"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("snapshots") / snapshot.name, target_is_directory=True)
        link.replace(curated / "latest")
        files.sync_one(curated)
        return
    raise MovedError(f"{curated}: {now} was published since this run began, on {instead_of}; this run has published nothing, run again")


def announce(curated: Path, name: str) -> None:
    """Put down which snapshot is about to be moved to its place, so that `clear` finds it if `latest` never comes to name it."""
    with files.written(curated / BEGUN, sync=True) as stream:
        stream.write(name.encode())


def clear(curated: Path) -> None:
    """Remove what a run that was killed had begun to publish: a snapshot that `latest` never named. To be called after publishing too."""
    note = curated / BEGUN
    if files.is_local(curated):
        for draft in (curated / ".latest-draft", *curated.glob(f".{BEGUN}.*")):
            draft.unlink(missing_ok=True)
    try:
        name = note.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    published = latest(curated)
    if name and (published is None or published.name != name):
        files.remove_tree(curated / "snapshots" / name)
    note.unlink(missing_ok=True)


def read_manifest(snapshot: Path) -> dict[str, Any]:
    """manifest.json of a snapshot.

    Raises:
        DamagedError: it is damaged, or of a format that this version does not know.
    """
    path = snapshot / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        number = int(manifest.get("format", 1))
    except (ValueError, TypeError, AttributeError) as error:
        raise files.DamagedError(path, f"damaged ({error}); `copydesk rollback` publishes an older snapshot") from error
    if number > FORMAT:
        raise files.DamagedError(
            path,
            f"written in format {number} by copydesk {manifest.get('copydesk')}, and this one reads {FORMAT}: use that version or a later one",
        )
    return manifest


def read_ledger(snapshot: Path | None) -> pa.Table:
    """The table inputs of a snapshot; empty without one."""
    return files.read_table(snapshot / "inputs", schema=INPUTS) if snapshot else INPUTS.empty_table()


def content(entries: Iterable[Mapping[str, Any]]) -> str:
    """What the files of a manifest hold, as 32 hex digits: the same seen set and recipe give the same, whatever the times of raw files."""
    lines = sorted(f"{entry['path']} {entry['sha256']}" for entry in entries if not entry["path"].startswith("inputs/"))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def find(curated: Path, name: str) -> Path | None:
    """A snapshot by its name, published once or refused, or by its path; None if there is none."""
    if "/" in name:
        path = files.located(name)
        return path if files.inside(path) else None
    places = (curated / place / name for place in PLACES)
    return next((path for path in places if name and files.inside(path)), None)
