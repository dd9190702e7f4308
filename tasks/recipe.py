"""The recipe: everything that can change a row, and its hash."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from tasks import furniture, rarity
from tasks.settings import Settings, SettingsError

LIBRARIES = (
    "brotli",
    "chardet",
    "datasketch",
    "dateparser",
    "fastwarc",
    "ftfy",
    "great_expectations",
    "htmldate",
    "lxml",
    "pyarrow",
    "pycld2",
    "trafilatura",
    "wordfreq",
    "zstandard",
)
# sections that change no row, and paths: of the files there the content counts. Of overrides lines are part of the recipe, by their own name;
# what is said of stories only clusters anew, and has its name beside the recipe's hash in the manifest (recipe.overrides).
NOT_IN_RECIPE: dict[str, Any] = {
    "overrides": True,
    "run": True,
    "publish": True,
    "gate": True,
    "check": {"expectations"},
    "strip": {"rules", "furniture"},
    "derivative": {"rarity"},
}
# storage, pages, scheduling, what follows from rows
NO_ROW_CHANGES = frozenset({"card.py", "feed.py", "files.py", "lakehouse.py", "manifest.py", "report", "stages.py"})


def recipe(settings: Settings, lines: str = "none") -> dict[str, Any]:
    """The recipe as nested plain values: settings, hashes of code, rules and models, versions.

    Args:
        lines: name of what editors say of lines (overrides.Lines).

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    suites: Traversable = Path(settings.check.expectations) if settings.check.expectations else files("expectations")
    return {
        "settings": settings.model_dump(mode="json", exclude=NOT_IN_RECIPE),
        "code": dict(sorted(_hashes(files("tasks"), ""))),
        "expectations": _content(suites / "stories.json", "check.expectations"),
        "rules": _content(Path(settings.strip.rules), "strip.rules") if settings.strip.rules else "built in",
        "lines": lines,
        "furniture": furniture.name(settings.strip.furniture) if settings.strip.furniture else "none",
        "rarity": rarity.name(settings.derivative.rarity) if settings.derivative.rarity else "built in",
        "libraries": {name: version(name) for name in LIBRARIES},
        "unicode": unicodedata.unidata_version,
    }


def recipe_hash(spelled: dict[str, Any]) -> str:
    """16 hex digits of SHA-256 over the recipe's canonical JSON."""
    return _hash(json.dumps(spelled, sort_keys=True).encode())


def difference(before: Any, after: Any, name: str = "") -> list[str]:
    """What differs between two recipes, one line each: `settings.near.jaccard: 0.5 -> 0.6`."""
    if isinstance(before, dict) and isinstance(after, dict):
        lines = []
        for key in sorted(before.keys() | after.keys()):
            lines += difference(before.get(key), after.get(key), f"{name}.{key}" if name else key)
        return lines
    return [] if before == after else [f"{name}: {before} -> {after}"]


def _content(path: Traversable, knob: str) -> str:
    try:
        return _hash(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"settings: {knob}: {path} cannot be read: {error.strerror}") from error


def _hashes(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    """Hash of each code, rule and model file, so that no change of them can be forgotten."""
    found = []
    for item in folder.iterdir():
        if item.name in NO_ROW_CHANGES:
            continue
        if item.is_dir() and not item.name.startswith(("_", ".")):
            found += _hashes(item, f"{prefix}{item.name}/")
        elif item.name.endswith((".py", ".toml", ".json")):
            found.append((prefix + item.name, _hash(item.read_bytes())))
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
