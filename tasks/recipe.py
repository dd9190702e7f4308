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
# sections that change no row, and paths: of the files there the content counts
NOT_IN_RECIPE: dict[str, Any] = {
    "run": True,
    "publish": True,
    "gate": True,
    "check": {"expectations"},
    "strip": {"rules", "furniture"},
    "derivative": {"rarity"},
}
NO_ROW_CHANGES = frozenset({"files.py", "manifest.py", "report.py", "stages.py"})  # storage, words, pages and scheduling


def recipe(settings: Settings) -> dict[str, Any]:
    """The recipe as nested plain values: settings, hashes of code, rules and models, versions.

    Raises:
        SettingsError: a file that the settings name cannot be read.
    """
    suites: Traversable = Path(settings.check.expectations) if settings.check.expectations else files("expectations")
    return {
        "settings": settings.model_dump(mode="json", exclude=NOT_IN_RECIPE),
        "code": dict(sorted(_hashes(files("tasks"), ""))),
        "expectations": _content(suites / "stories.json", "check.expectations"),
        "rules": _content(Path(settings.strip.rules), "strip.rules") if settings.strip.rules else "built in",
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
        if item.is_dir() and not item.name.startswith(("_", ".")):
            found += _hashes(item, f"{prefix}{item.name}/")
        elif item.name.endswith((".py", ".toml", ".json")) and item.name not in NO_ROW_CHANGES:
            found.append((prefix + item.name, _hash(item.read_bytes())))
    return found


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
