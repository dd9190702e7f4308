"""The file: TOML, a table an entry, since people write and review it. What the verb writes leaves the rest, comments too, as it is."""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks import files, settings
from tasks.overrides.entries import Entry, OverridesError, of_json
from tasks.overrides.word import Word

_HEAD = "# The editors' word on single stories and lines. `copydesk override` writes it, runs obey it; review it like code.\n"
_TABLE = "override"


def load(knobs: settings.Overrides) -> Word:
    """What the file that the settings name says; an empty word without one.

    Raises:
        OverridesError: it cannot be read, an entry is none, or two contradict each other.
    """
    if not knobs.file:
        return Word()
    path = Path(knobs.file)
    entries = read(path)
    try:
        return Word.of(entries)
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: {error}") from error


def read(path: Path) -> list[Entry]:
    """The entries of a file, in its order.

    Raises:
        OverridesError: it cannot be read, or an entry is none.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OverridesError(f"overrides: {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OverridesError(f"overrides: {path} is not TOML: {error}") from error
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: {error}") from error


def _parse(text: str) -> list[Entry]:
    told = tomllib.loads(text)
    if unknown := sorted(set(told) - {_TABLE}):
        raise OverridesError(f"{unknown[0]} is unknown; entries are tables [[{_TABLE}]]")
    entries = told.get(_TABLE, [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise OverridesError(f"entries are tables [[{_TABLE}]]")
    found = []
    for number, one in enumerate(entries, 1):
        try:
            found.append(of_json(one))
        except OverridesError as error:
            raise OverridesError(f"entry {number}: {error}") from error
    return found


def add(path: Path, entry: Entry) -> None:
    """Write an entry at the end of a file, which is made if it is missing.

    Raises:
        OverridesError: the entry is there already, or contradicts another; nothing is written.
    """
    with _alone(path):
        before = read(path) if path.exists() else []
        if any(other.meaning == entry.meaning for other in before):
            raise OverridesError(f"overrides: {path} says so already: {entry.id}")
        _refuse(path, [*before, entry])
        text = _text(path) if path.exists() else _HEAD
        _write(path, _with(text, entry), [*before, entry])


def find(path: Path, wanted: str) -> Entry:
    """The entry of a file with this id, or this number from 1.

    Raises:
        OverridesError: there is none.
    """
    entries = read(path)
    return entries[_places(path, entries, wanted)[0]]


def remove(path: Path, wanted: str) -> Entry:
    """Take an entry out of a file, by its id or its number from 1; all else stays as it is, comments too. Gives the entry.

    Raises:
        OverridesError: there is no such entry, or the file is written in a way that only a person can edit.
    """
    with _alone(path):
        before = read(path)
        places = _places(path, before, wanted)
        text = _without(_text(path), len(before), places)
        _write(path, text, [entry for i, entry in enumerate(before) if i not in places])
    return before[places[0]]


def replace(path: Path, wanted: str, entry: Entry) -> None:
    """Take an entry out of a file, and write another at its end.

    Raises:
        OverridesError: as `remove` and `add`; nothing is written.
    """
    with _alone(path):
        before = read(path)
        places = _places(path, before, wanted)
        after = [*(other for i, other in enumerate(before) if i not in places), entry]
        _refuse(path, after)
        _write(path, _with(_without(_text(path), len(before), places), entry), after)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the folder of the file, so that of two people who write at once none loses the word of the other.

    Raises:
        OverridesError: there is no such folder, and none can be made.
    """
    try:
        folder = os.open(files.folder(path.resolve().parent), os.O_RDONLY)
    except OSError as error:
        raise OverridesError(f"overrides: {path} cannot be written: {error.strerror}") from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _text(path: Path) -> str:
    """With its line ends as they are."""
    return path.read_bytes().decode()


def _refuse(path: Path, entries: Sequence[Entry]) -> None:
    try:
        Word.of(entries)
    except OverridesError as error:
        raise OverridesError(f"overrides: {path}: with this entry {error} (`copydesk override remove ID`)") from error


def _places(path: Path, entries: Sequence[Entry], wanted: str) -> list[int]:
    places = [i for i, entry in enumerate(entries) if wanted in (entry.id, str(i + 1))]
    if not places:
        listed = f"it has {len(entries)}; `copydesk override list` shows them" if entries else "it has none"
        raise OverridesError(f"overrides: {path} has no entry {wanted}: {listed}")
    return places


def _with(text: str, entry: Entry) -> str:
    return text + "\n" * (not text.endswith("\n")) + "\n" + _block(entry)


def _without(text: str, entries: int, places: Sequence[int]) -> str:
    """The file without the tables at some places; what stands above the next entry is about that, and stays."""
    lines = text.splitlines(keepends=True)
    heads = [n for n, line in enumerate(lines) if line.strip().replace(" ", "") == f"[[{_TABLE}]]"]
    for place in reversed(places) if len(heads) == entries else ():
        begin, stop = heads[place], heads[place + 1] if place + 1 < len(heads) else len(lines)
        while stop > begin + 1 and (not lines[stop - 1].strip() or lines[stop - 1].lstrip().startswith("#")):
            stop -= 1
        if begin and not lines[begin - 1].strip():
            begin -= 1
        del lines[begin:stop]
    return "".join(lines)


def _write(path: Path, text: str, meant: Sequence[Entry]) -> None:
    """Write the file, whole or not at all, if it says what is meant.

    Raises:
        OverridesError
    """
    try:
        said = _parse(text)
    except (tomllib.TOMLDecodeError, OverridesError):
        said = None
    if said != list(meant):
        raise OverridesError(f"overrides: {path} is written in a way that only a person can edit (inline tables, or long strings): edit it")
    with files.written(path.resolve()) as stream:  # a link stays one
        stream.write(text.encode())


def _block(entry: Entry) -> str:
    lines = [f"[[{_TABLE}]]\n"]
    for name, value in entry.to_json().items():
        written = value if name == "when" else "true" if value is True else "false" if value is False else _quoted(value)
        lines.append(f"{name} = {written}\n")
    return "".join(lines)


def _quoted(value: str | list[str]) -> str:
    """A text or a list of texts in TOML, whose basic strings escape as JSON's do but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
