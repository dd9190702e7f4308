"""All snapshots of a curated folder, in a list for people."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from tasks import files
from tasks.snapshots.hold import read_hold
from tasks.snapshots.published import PLACES, named, read_manifest


def listed(curated: Path) -> list[dict[str, Any]]:
    """All snapshots, refused ones too, the newest first.

    Each has `snapshot` (its name), `state` (published, earlier, held, refused, unreadable), `started`, `stories`, `parent`, `why` (a hold's reason, or
    what refused it), `own_bytes` (what no other snapshot has: what removing it would free) and `path`.
    """
    published, hold = named(curated), read_hold(curated)
    rows = []
    for place in PLACES:
        for path in files.inside(curated / place):
            state = "refused" if place == "refused" else "published" if path.name == published else "earlier"
            why = None
            if hold and place == "snapshots" and path.name in hold.names:  # what is made again in the same second has the same name
                state, why = "published" if state == "published" else "held", hold.why
            try:
                manifest = read_manifest(path)
            except (OSError, ValueError):
                state, manifest = "unreadable", {}
            if state == "refused":
                failed = [result["name"] for result in manifest.get("gate", {}).get("results", []) if result["status"] == "failed"]
                why = ", ".join([*failed, *manifest.get("held", {}).get("repeats", [])]) or None
            rows.append(
                {
                    "snapshot": path.name,
                    "state": state,
                    "started": manifest.get("run", {}).get("started"),
                    "stories": manifest.get("counts", {}).get("kept"),
                    "own_bytes": _own_bytes(path),
                    "parent": manifest.get("parent"),
                    "why": why,
                    "path": str(path),
                }
            )
    return sorted(rows, key=lambda row: row["snapshot"], reverse=True)


def _own_bytes(snapshot: Path) -> int:
    if not files.is_local(snapshot):
        return sum(found.size for found in files.listing(snapshot))
    found = (path.lstat() for path in snapshot.rglob("*") if path.is_file())
    return sum(status.st_size for status in found if status.st_nlink == 1)


def recent(curated: Path, most: int) -> list[dict[str, Any]]:
    """The manifests of the newest snapshots that were published and are still there, at most so many, the oldest first; unreadable ones are left out."""
    found = []
    for path in files.inside(curated / "snapshots")[-most:]:
        with suppress(OSError, ValueError):
            found.append(read_manifest(path))
    return found
