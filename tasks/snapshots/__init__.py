"""The snapshots of a curated folder as wholes: which one is published, whether one is whole, what is held back, which go.

`published` reads and moves the pointer `latest`, `verify` checks a snapshot against its manifest, `hold` keeps what was rolled back from being
published again, `retention` removes old ones. Whoever writes here holds the folder (flows/folder.py); readers need not.
"""

from tasks.snapshots.hold import Hold, read_hold, release, repeated, set_hold
from tasks.snapshots.listing import listed, recent
from tasks.snapshots.manifest import MANIFEST
from tasks.snapshots.published import (
    FORMAT,
    MovedError,
    announce,
    clear,
    content,
    find,
    latest,
    named,
    point_latest,
    read_ledger,
    read_manifest,
)
from tasks.snapshots.retention import Removal, plan, remove
from tasks.snapshots.verify import Fault, verify, verify_latest

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Fault",
    "Hold",
    "MovedError",
    "Removal",
    "announce",
    "clear",
    "content",
    "find",
    "latest",
    "listed",
    "named",
    "plan",
    "point_latest",
    "read_hold",
    "read_ledger",
    "read_manifest",
    "recent",
    "release",
    "remove",
    "repeated",
    "set_hold",
    "verify",
    "verify_latest",
]
