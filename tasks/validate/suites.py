"""Suites as data: loaded strictly, because Great Expectations drops what it does not understand.

A suite file is a Great Expectations suite as that library writes it. Beyond what it asks for, each expectation has a unique
`meta.name`, a `description` (what holds, in one sentence), `notes` (why) and a `severity`; those of the run suite have a
`meta.do` (what the operator should look at).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

from tasks import schema
from tasks.validate.measures import AGGREGATE_COLUMNS, MEASURES

SEVERITIES = ("critical", "warning", "info")
KEYS = frozenset({"type", "kwargs", "meta", "notes", "description", "severity"})


class SuiteError(ValueError):
    """A suite that cannot be used; the text names the file, the expectation and what to do."""


@dataclass(frozen=True)
class Rule:
    """One expectation in plain values. `bounds` are its arguments without the column, e.g. {"max_value": 0.5}."""

    name: str
    type: str
    column: str
    severity: str
    description: str
    notes: str
    do: str
    bounds: Mapping[str, Any]


@dataclass(frozen=True)
class Suite:
    """Rules in the order of the file, and the objects of Great Expectations they stand for, which stay in this room."""

    name: str
    rules: tuple[Rule, ...]
    opaque: tuple[Any, ...] = field(repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(rule.name for rule in self.rules)


def load_suite(name: Literal["stories", "run"], folder: Path | None = None) -> Suite:
    """The row suite (`stories`) or the run suite (`run`) of `folder`, or the built-in one.

    Each expectation is built by itself, so that one that Great Expectations would drop in silence (a mistyped type or
    severity; it logs and goes on) is refused; at the end the names declared and the names loaded are compared.
    The import of the library takes 2.5 s, once a process.

    Raises:
        SuiteError: the file cannot be read, or an expectation cannot be used.
    """
    source: Traversable = files("expectations") if folder is None else folder
    where = f"{'expectations' if folder is None else folder}/{name}.json"
    declared = _declared(source / f"{name}.json", where)
    columns = known_columns(name)
    rules = tuple(_rule(entry, number, where, name, columns) for number, entry in enumerate(declared, 1))
    twice = sorted({rule.name for rule in rules if [other.name for other in rules].count(rule.name) > 1})
    if twice:
        raise SuiteError(f"{where}: {', '.join(twice)} is declared more than once; names stand in quarantine rows, give each its own")
    opaque = tuple(_built(entry, rule, where) for entry, rule in zip(declared, rules, strict=True))
    loaded = tuple(expectation.meta["name"] for expectation in opaque)
    if loaded != tuple(rule.name for rule in rules):
        raise SuiteError(f"{where}: {len(declared)} expectations are declared, {len(loaded)} were loaded: {', '.join(loaded)}")
    return Suite(name, rules, opaque)


def rule_names(name: Literal["stories", "run"], folder: Path | None = None) -> tuple[str, ...]:
    """The names that a suite declares, without Great Expectations, which may still refuse some of them.

    Raises:
        SuiteError: the file cannot be read.
    """
    source: Traversable = files("expectations") if folder is None else folder
    declared = _declared(source / f"{name}.json", f"{'expectations' if folder is None else folder}/{name}.json")
    return tuple(str(entry["meta"]["name"]) for entry in declared if isinstance(entry.get("meta"), dict) and "name" in entry["meta"])


def known_columns(name: Literal["stories", "run"]) -> tuple[str, ...]:
    """Columns an expectation of the suite may name: of the table and the measures, or of the run's aggregates."""
    if name == "stories":
        flat = [column for column in schema.STRIPPED.names if column not in ("repairs", "removed", "stage", "reason", "detail")]
        return (*flat, *MEASURES)
    return tuple(AGGREGATE_COLUMNS)


def _declared(path: Traversable, where: str) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SuiteError(f"{where} cannot be read: {error.strerror}; the folder must hold stories.json and run.json") from error
    except ValueError as error:
        raise SuiteError(f"{where} is not JSON in UTF-8: {error}") from error
    entries = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise SuiteError(f'{where} is not a suite: it needs "expectations", a list of at least one object')
    return entries


def _rule(entry: dict[str, Any], number: int, where: str, suite: str, columns: tuple[str, ...]) -> Rule:
    """The expectation in plain values; everything that can be told without Great Expectations is refused here."""
    meta, kwargs = entry.get("meta"), entry.get("kwargs")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SuiteError(f'{where}: expectation {number} ({entry.get("type")}) needs "meta": {{"name": "small_letters_and_digits"}}')
    this = f"{where}: {name}"
    if unknown := sorted(entry.keys() - KEYS):
        raise SuiteError(f"{this}: {', '.join(unknown)} is unknown; allowed are {', '.join(sorted(KEYS))}")
    if entry.get("severity") not in SEVERITIES:
        raise SuiteError(f"{this}: severity {entry.get('severity')!r} is not allowed; it must be one of {', '.join(SEVERITIES)}")
    for key, want in (("notes", "why the rule is there"), ("description", "what holds, in a sentence"), ("type", "an expectation type")):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise SuiteError(f"{this}: {key} is missing; say {want}")
    if suite == "run" and not meta.get("do"):
        raise SuiteError(f"{this}: meta.do is missing; say what the operator should look at when it fails")
    if not isinstance(kwargs, dict) or kwargs.get("column") not in columns:
        column = kwargs.get("column") if isinstance(kwargs, dict) else None
        raise SuiteError(f"{this}: column {column!r} is unknown; a rule of {suite}.json may name {', '.join(columns)}")
    if "mostly" in kwargs:
        raise SuiteError(f"{this}: mostly is not allowed; each row passes or fails by itself, shares are for run.json")
    _refuse_bad_regex(kwargs, this)
    bounds = {key: value for key, value in kwargs.items() if key != "column"}
    return Rule(
        name=name,
        type=entry["type"],
        column=kwargs["column"],
        severity=entry["severity"],
        description=entry["description"],
        notes=entry["notes"],
        do=str(meta.get("do", "")),
        bounds=bounds,
    )


def _refuse_bad_regex(kwargs: dict[str, Any], this: str) -> None:
    for regex in [kwargs.get("regex"), *kwargs.get("regex_list", ())]:
        if regex is None:
            continue
        try:
            groups = re.compile(regex).groups
        except (re.error, TypeError) as error:
            raise SuiteError(f"{this}: {regex!r} is not a regular expression: {error}") from error
        if groups:  # pandas warns on stderr about each
            raise SuiteError(f"{this}: {regex!r} has capturing groups; write (?:...)")


def _built(entry: dict[str, Any], rule: Rule, where: str) -> Any:
    from great_expectations.expectations.expectation import ColumnMapExpectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    this = f"{where}: {rule.name}"
    try:
        expectation = ExpectationConfiguration(**entry).to_domain_obj()
    except Exception as error:  # of many kinds; each means that the library would have dropped it
        raise SuiteError(f"{this}: Great Expectations does not take {rule.type} with {json.dumps(entry['kwargs'])}: {error}") from error
    if not isinstance(expectation, ColumnMapExpectation):
        raise SuiteError(f"{this}: {rule.type} does not judge single values; use one of expect_column_values_...")
    return expectation
