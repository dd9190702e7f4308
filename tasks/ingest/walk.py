"""Find the raw files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from tasks import files as storage

FORMATS = {
    ".txt": "text",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".warc": "warc",
}
PACKINGS = (".gz", ".zst")


@dataclass(frozen=True)
class RawFile:
    """A file to ingest, or a link that cannot be followed (`fault`: reason and detail). `path` is a local path or a URL."""

    path: str
    uri: str
    format: str
    packing: str
    stem: str
    size: int
    modified_ns: int
    fault: tuple[str, str] | None = None


@dataclass(frozen=True)
class Found:
    """What a walk saw: the files to ingest, sorted by uri, and what it left out, by reason."""

    files: tuple[RawFile, ...]
    skipped: dict[str, int]


def walk(root: Path) -> Found:
    """All files below root that ingest can read; hidden ones, other formats and links out of the root are counted as skipped.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: root itself cannot be listed.
    """
    if not storage.is_local(root):
        return _walk_remote(root)
    root = root.resolve(strict=True)
    files: list[RawFile] = []
    skipped: dict[str, int] = {}
    for path, uri, fault in _entries(str(root), "", (root,)):
        file = None if isinstance(fault, str) else _raw_file(path, uri, fault)
        if file:
            files.append(file)
        else:
            why = fault if isinstance(fault, str) else "other format"
            skipped[why] = skipped.get(why, 0) + 1
    return Found(tuple(sorted(files, key=attrgetter("uri"))), dict(sorted(skipped.items())))


def _walk_remote(root: Path) -> Found:
    """The same in an object store, where there are no links; what changes with an object, its ETag, stands for its time."""
    files: list[RawFile] = []
    skipped: dict[str, int] = {}
    hidden: set[str] = set()
    listed: list[storage.Listed] = []
    with suppress(FileNotFoundError):  # no object, no folder
        listed += storage.listing(root)
    for name, size, version in listed:
        parts = name.split("/")
        first = next((number for number, part in enumerate(parts, 1) if part.startswith(".")), None)
        if first:
            hidden.add("/".join(parts[:first]))  # a hidden folder counts once, as here
        elif known := _known_name(parts[-1]):
            changes = int.from_bytes(hashlib.blake2b(version.encode(), digest_size=8).digest()) >> 1
            files.append(RawFile(f"{root}/{name}", quote(name), known[1], known[2], known[0], size, changes))
        else:
            skipped["other format"] = skipped.get("other format", 0) + 1
    if hidden:
        skipped["hidden"] = len(hidden)
    return Found(tuple(sorted(files, key=attrgetter("uri"))), dict(sorted(skipped.items())))


def raw_file(path: Path, root: Path, fault: tuple[str, str] | None = None) -> RawFile | None:
    """What ingest needs to know of a file below root; None when its name says no format that can be read."""
    return _raw_file(str(path), quote(os.fsencode(PurePosixPath(path.relative_to(root)))), fault)


def _raw_file(path: str, uri: str, fault: tuple[str, str] | None) -> RawFile | None:
    base = path.rpartition("/")[2]
    name = _known_name(base)
    if name is None and fault is None:
        return None
    stem, form, packing = name or (base, "none", "")
    stat = os.stat(path, follow_symlinks=not fault)  # noqa: PTH116 - a Path for each of a million files takes longer than the call
    return RawFile(path, uri, form, packing, _readable(stem), stat.st_size, stat.st_mtime_ns, fault)


def batches(files: Iterable[RawFile], rows: int, size: int) -> Iterator[tuple[RawFile, ...]]:
    """Consecutive files in groups of at most `rows` files and, if more than one file, `size` bytes: one read task each."""
    batch: list[RawFile] = []
    filled = 0
    for file in files:
        if batch and (len(batch) >= rows or filled + file.size > size):
            yield tuple(batch)
            batch, filled = [], 0
        batch.append(file)
        filled += file.size
    if batch:
        yield tuple(batch)


def _entries(folder: str, uri: str, above: tuple[Path, ...]) -> Iterator[tuple[str, str, str | tuple[str, str] | None]]:
    """(path, uri, None) to ingest, (path, uri, why) to skip, (path, uri, (reason, detail)) for what cannot be read."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=attrgetter("name"))
    except OSError as error:
        if len(above) == 1:
            raise
        yield folder, uri.removesuffix("/"), ("unreadable_folder", str(error.strerror))
        return
    for entry in entries:
        name = uri + quote(os.fsencode(entry.name))
        if entry.name.startswith("."):
            yield entry.path, name, "hidden"
        elif entry.is_symlink() and (fault := _link_fault(Path(entry.path), above)):
            yield entry.path, name, fault
        elif entry.is_dir():
            yield from _entries(entry.path, f"{name}/", (*above, Path(entry.path).resolve()))
        else:
            yield entry.path, name, None if entry.is_file() else "not a file"


def _link_fault(link: Path, above: tuple[Path, ...]) -> str | tuple[str, str] | None:
    """Why a link is not followed: out of the root (to skip), to nothing, or round in a circle (a fault)."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return "broken_link", f"the link leads nowhere: {error.__class__.__name__}"
    if not target.is_relative_to(above[0]):
        return "link out of the root"
    return ("link_loop", "the link leads to a folder that holds it") if target in above else None


def _known_name(name: str) -> tuple[str, str, str] | None:
    """(stem, format, packing) of a file name that ingest knows."""
    base, packing = name, ""
    for suffix in PACKINGS:
        if name.lower().endswith(suffix):
            base, packing = name[: -len(suffix)], suffix
    stem, _, suffix = base.rpartition(".")
    form = FORMATS.get(f".{suffix.lower()}") if stem else None
    return (stem, form, packing) if form else None


def _readable(name: str) -> str:
    """The name as valid Unicode: bytes that no encoding explains become U+FFFD."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "replace")
