"""A new working folder: settings with every knob explained, expectations to change, a deployment, a few sample stories."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from tasks.settings import Section, Settings

TEMPLATES = Path(__file__).parent / "new"
WIDTH = 110  # characters of a comment's line
SET = {"check.expectations": "expectations"}
"""What a new folder does not leave as it is built in."""


class ExistsError(ValueError):
    """Something is there already; the text says what."""


def create(folder: Path) -> list[Path]:
    """Fill a folder, which is made if it is missing; gives the files, below it.

    Raises:
        ExistsError: one of them is there: nothing is overwritten, and nothing was written.
    """
    contents = _contents()
    if there := sorted(str(path) for path in contents if (folder / path).exists()):
        raise ExistsError(f"{folder} has {', '.join(there)} already, and nothing is overwritten; name an empty folder")
    for path, data in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return list(contents)


def _contents() -> dict[Path, bytes]:
    found = {
        Path(".gitignore") if path.name == "gitignore" else path.relative_to(TEMPLATES): path.read_bytes()
        for path in sorted(TEMPLATES.rglob("*"))
        if path.is_file()
    }
    suites = files("expectations")
    found |= {Path("expectations") / name: (suites / name).read_bytes() for name in ("README.md", "run.json", "stories.json")}
    return found | {Path("copydesk.toml"): settings_toml().encode()}


def settings_toml() -> str:
    """Every setting as a comment with its meaning and its built-in value, generated from the settings themselves."""
    lines = [
        "# Settings of copydesk. What is commented out is built in: take the # off and change the value.",
        "# `copydesk doctor` says whether the file can be used, `copydesk run --set section.key=value` tries one setting.",
        "# All sections but [run] and [publish] are part of the recipe: a change there works all stories again.",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", *_section(name, field.annotation)]
    return "\n".join(lines) + "\n"


def _section(name: str, section: Any) -> list[str]:
    about = " ".join((section.__doc__ or "").split())
    lines = [*_comment(about), f"[{name}]"]
    inner: list[str] = []
    for key, knob in section.model_fields.items():
        if isinstance(knob.annotation, type) and issubclass(knob.annotation, Section):
            inner += ["", *_section(f"{name}.{key}", knob.annotation)]
            continue
        value = SET.get(f"{name}.{key}", knob.get_default(call_default_factory=True))
        lines += ["", *_comment(f"{knob.description}{_bounds(knob.metadata)}")]
        if f"{name}.{key}" in SET:
            lines.append(f"{key} = {_toml(value)}")
        elif key == "workers":
            lines.append("#workers = 4  # built in: all cores")
        elif value is None:
            lines.append(f'#{key} = "..."  # built in: none')
        else:
            lines.append(f"#{key} = {_toml(value)}")
    return lines + inner


def _bounds(limits: list[Any]) -> str:
    told = [
        f"{words} {value}"
        for limit in limits
        for name, words in (("ge", "at least"), ("le", "at most"))
        if (value := getattr(limit, name, None)) is not None
    ]
    return f" ({', '.join(told)})" if told else ""


def _comment(text: str) -> list[str]:
    lines, line = [], "#"
    for word in text.split():
        if len(line) + len(word) >= WIDTH:
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False)  # of texts, numbers, true and false JSON and TOML have one notation
