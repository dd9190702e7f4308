"""check: the row suite on the healthy rows of one shard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import schema
from tasks.validate import engine
from tasks.validate.measures import MEASURES
from tasks.validate.suites import Rule, Suite

SHOWN = 80  # code points of a value in a detail: enough to recognise it, too few to republish a story


@dataclass(frozen=True)
class Count:
    """What one expectation found: values evaluated (nulls are not), and failed."""

    name: str
    severity: str
    evaluated: int
    failed: int


@dataclass(frozen=True)
class Counts:
    """What check found in a shard, or in all of them: numbers that add up.

    rows: healthy rows that came in. quarantined: of these, rows that failed a critical expectation. characters: code points
    of the texts of those rows; removed: code points that strip took from them (line breaks of removed lines not counted).
    """

    rows: int = 0
    quarantined: int = 0
    characters: int = 0
    removed: int = 0
    expectations: tuple[Count, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Counts:
        """From what is told of a shard, which may be more."""
        numbers = {name: written[name] for name in ("rows", "quarantined", "characters", "removed")}
        return cls(**numbers, expectations=tuple(Count(**count) for count in written["expectations"]))

    def of(self, name: str) -> Count | None:
        """The count of the expectation, None when the suite has none of that name."""
        return next((count for count in self.expectations if count.name == name), None)


def check(table: pa.Table, suite: Suite) -> tuple[pa.Table, Counts]:
    """STRIPPED -> CHECKED: a healthy row that fails a critical expectation gets stage, reason and detail.

    Rows, their order and all other columns stay. The reason is the name of the first failing critical expectation in suite
    order; the detail says what should hold and what was found, at most 80 characters of it. Other severities only count.
    Rows with a fault of an earlier stage are not looked at.

    Raises:
        ExpectationRaisedError: an expectation could not be evaluated.
    """
    healthy = schema.healthy(table)
    places = pc.indices_nonzero(healthy)
    if len(places) == 0:
        nothing = tuple(Count(rule.name, rule.severity, 0, 0) for rule in suite.rules)
        return schema.conform(table, schema.CHECKED), Counts(expectations=nothing)
    columns = dict.fromkeys(["text", "removed", *(rule.column for rule in suite.rules if rule.column not in MEASURES)])
    rows = table.select(list(columns))
    if len(places) < len(rows):
        rows = rows.filter(healthy)
    frame = _columns(rows, suite).to_pandas()
    critical = [rule for rule in suite.rules if rule.severity == "critical"]
    found = engine.evaluated(frame, suite, places_of=[rule.name for rule in critical])
    faults: dict[int, Rule] = {}
    for rule in critical:
        for row in found[rule.name].rows:
            faults.setdefault(row, rule)
    counts = Counts(
        rows=rows.num_rows,
        quarantined=len(faults),
        characters=_total(pc.utf8_length(rows["text"])),
        removed=_total(pc.utf8_length(pc.struct_field(pc.list_flatten(rows["removed"]), "text"))),
        expectations=tuple(Count(rule.name, rule.severity, found[rule.name].evaluated, found[rule.name].failed) for rule in suite.rules),
    )
    details = {places[row].as_py(): (rule.name, _detail(rule, frame[rule.column].iloc[row])) for row, rule in faults.items()}
    return schema.conform(_annotated(table, details), schema.CHECKED), counts


def add_counts(shards: Iterable[Counts]) -> Counts:
    """The sum of the counts of several shards; the expectations stay in the order in which they were first seen."""
    total = Counts()
    sums: dict[str, Count] = {}
    for shard in shards:
        total = Counts(
            total.rows + shard.rows,
            total.quarantined + shard.quarantined,
            total.characters + shard.characters,
            total.removed + shard.removed,
        )
        for count in shard.expectations:
            so_far = sums.get(count.name, Count(count.name, count.severity, 0, 0))
            sums[count.name] = Count(count.name, count.severity, so_far.evaluated + count.evaluated, so_far.failed + count.failed)
    return Counts(total.rows, total.quarantined, total.characters, total.removed, tuple(sums.values()))


def _columns(rows: pa.Table, suite: Suite) -> pa.Table:
    """The columns that the suite names, measured ones among them: pandas gets no others."""
    names = list(dict.fromkeys(rule.column for rule in suite.rules))
    columns = {name: MEASURES[name].measured(rows["text"]) if name in MEASURES else rows[name] for name in names}
    # Great Expectations compares int64 as a whole, and int32 value by value
    return pa.table({name: pc.cast(column, pa.int64()) if pa.types.is_int32(column.type) else column for name, column in columns.items()})


def _annotated(table: pa.Table, details: Mapping[int, tuple[str, str]]) -> pa.Table:
    if not details:
        return table
    columns: dict[str, list[str | None]] = {name: table[name].to_pylist() for name in ("stage", "reason", "detail")}
    for row, (reason, detail) in details.items():
        columns["stage"][row], columns["reason"][row], columns["detail"][row] = "check", reason, detail
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), schema.COLUMNS[name].field(), pa.array(values, pa.string()))
    return table


def _detail(rule: Rule, value: Any) -> str:
    """E.g. 'The text has at least 3 words: word_count is 1'."""
    shown = " ".join(value.split()) if isinstance(value, str) else f"{value:.4g}" if isinstance(value, float) else str(value)
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    shown = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in shown)
    return f"{rule.description.rstrip('.')}: {rule.column} is {shown or 'empty'}"


def _total(numbers: Any) -> int:
    return pc.sum(numbers).as_py() or 0
