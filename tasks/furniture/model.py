"""The model's file: JSON lines that an editor can read, search and change with any editor of text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, get_args

from tasks.furniture.learn import FurnitureError, Model
from tasks.furniture.lines import Place, Recurring
from tasks.furniture.lookup import Furniture, look_up

FORMAT = "copydesk-furniture-1"
"""Name of the file's format and of how lines are folded; another way to fold lines must have another name."""
_NOTE = (
    "lines that recur in the stories of a source; those with take = true are removed where strip.furniture names this file. To keep "
    "one in the stories delete its line or write false; to have one removed write true."
)
_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("source", "line", "place", "why"), (str, "a text")),
    **dict.fromkeys(("stories", "of", "days"), (int, "a whole number")),
    "take": (bool, "true or false"),
}
_BY_HAND: dict[str, Any] = {"place": "any", "why": "by hand", "stories": 0, "of": 0, "days": 0}  # what an editor may leave out


def write(model: Model, out: Path) -> None:
    """Write a model: a line that says what it is, then one recurring line a line. Same model, same bytes.

    It holds sentences of the corpus. The file is put in place whole.
    """
    head = {"format": FORMAT, "stories": model.stories, "sources": model.sources, "note": _NOTE}
    text = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in (head, *map(asdict, model.lines)))
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.name}.part")
    part.write_bytes(text.encode("utf-8", "surrogatepass"))
    part.replace(out)


def read(path: Path) -> tuple[Recurring, ...]:
    """The lines of a model, as `write` or an editor left them.

    Raises:
        FurnitureError: no such file, no model of this version, or a line that is none of a model; the text says which and what to do.
    """
    where = f"settings: strip.furniture: {path}"
    try:
        head, *written = path.read_bytes().decode("utf-8-sig", "surrogatepass").split("\n")
    except OSError as error:
        raise FurnitureError(f"{where} cannot be read: {error.strerror}; make one with `copydesk fit furniture --out {path}`") from error
    except UnicodeDecodeError as error:
        raise FurnitureError(f"{where} is no model of `copydesk fit furniture`: it is not UTF-8 text; fit it again") from error
    made = _object(head)
    if made.get("format") != FORMAT:
        said = f"its format is {made['format']!r}, not {FORMAT!r}" if "format" in made else "its first line names no format"
        raise FurnitureError(f"{where} is no model of this version of `copydesk fit furniture`: {said}; fit it again")
    return tuple(_line(one, f"{where}: line {number}") for number, one in enumerate(written, 2) if one.strip())


def _line(written: str, where: str) -> Recurring:
    values = _object(written)
    if not values:
        raise FurnitureError(f"{where} is not a JSON object: {written[:60]!r}; delete it or put it right")
    if unknown := sorted(values.keys() - _KINDS.keys()):
        raise FurnitureError(f"{where}: {unknown[0]} is unknown; known are {', '.join(_KINDS)}")
    values = _BY_HAND | values
    for key, (kind, said) in _KINDS.items():
        if type(values.get(key)) is not kind:
            raise FurnitureError(f"{where}: {key} must be {said}, and is {json.dumps(values.get(key), ensure_ascii=False)}")
    if values["place"] not in get_args(Place):
        raise FurnitureError(f"{where}: place is {values['place']!r}; allowed are {', '.join(get_args(Place))}")
    if not values["line"].strip():
        raise FurnitureError(f"{where}: line is blank, and blank lines are nobody's furniture; delete it")
    return Recurring(**values)


def _object(written: str) -> dict[str, Any]:
    """A JSON object, empty if it is none."""
    try:
        found = json.loads(written)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def ready(lines: Iterable[Recurring]) -> Furniture:
    """The lines that are to be taken, in the form that is fast to ask."""
    return look_up(lines, FORMAT)


def name(path: str) -> str:
    """Which lines of which sources a model takes, as a hash; part of the recipe. The file is read and checked anew at each call.

    Raises:
        FurnitureError: the model file cannot be used.
    """
    return ready(read(Path(path))).name


@cache
def load(path: str) -> Furniture:
    """A model ready to be asked. Read once a process.

    Raises:
        FurnitureError: the model file cannot be used.
    """
    return ready(read(Path(path)))
