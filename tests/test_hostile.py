"""Hostile input: no regex, text, page or file takes long, crashes or is lost; nothing that a story holds is executed or believed."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

import tasks
from bench.pumped import growth, is_linear
from tasks import boilerplate
from tasks.repair.charsets import charsets, controls, suspect

# ---- regexes ----------------------------------------------------------------------------------------------------------

BOUNDED = {
    "tasks.boilerplate.lift._CLOSED": 60,
    "tasks.boilerplate.names._CHINESE": 400,
    "tasks.boilerplate.names._CUT": 400,
    "tasks.boilerplate.names._KOREAN": 400,
    "tasks.boilerplate.rules._NEEDS": 400,
    "tasks.dates._FORMS": 400,
    "tasks.files._URL": 400,
    "tasks.furniture.evidence._SIGNS": 400,
    "tasks.ingest.decode.NO_CHARSET": 40,
    "tasks.ingest.warc._CHUNK": 400,
}
"""Regexes that take time that grows faster than the text, and the most characters of a text that they see: lines of rules.LONGEST, names of
charsets; of those that are matched at one place, what they may match."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every regex of tasks, by module and name; those in tuples and mappings too, and those made of data."""
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        if ".kernels" in module.name:
            continue
        for name, value in sorted(vars(importlib.import_module(module.name)).items()):
            held = value if isinstance(value, tuple | list) else value.values() if isinstance(value, dict) else [value]
            yield from ((f"{module.name}.{name}", one) for one in held if isinstance(one, re.Pattern))
    for charset in charsets():
        yield f"charset {charset.name}", charset.sequences
        if charset.lost:
            yield f"charset {charset.name} lost", charset.lost
    for control in controls():
        yield f"controls {control.name}", control.sequences
    yield "suspect", suspect()


def texts_of(pattern: re.Pattern[Any]) -> re.Pattern[str]:
    """The same of text."""
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags & ~re.UNICODE) if isinstance(pattern.pattern, bytes) else pattern


PATTERNS = {f"{name} {pattern.pattern[:40]!r}": (name, texts_of(pattern)) for name, pattern in patterns()}


@pytest.mark.parametrize("shown", PATTERNS)
def test_no_regex_takes_longer_than_its_text_warrants(shown: str) -> None:
    name, pattern = PATTERNS[shown]
    if name in BOUNDED:
        spent, attack = growth(pattern, BOUNDED[name])
        assert spent < 0.05, attack[:60]
    else:
        linear, attack = is_linear(pattern)
        assert linear, attack


def test_no_rule_takes_long() -> None:
    """Rules see lines of LONGEST code points at most; each rule of a language file too."""
    for needle in boilerplate.built_in().regexes:
        spent, attack = growth(needle.regex, 400)
        assert spent < 0.05, (needle.regex.pattern, attack[:60])
