"""The report: its lists against plain Python, and its numbers."""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks import report, schema

ORDER = ("stage", "reason", "raw_uri", "place")
MONTHS = ("2031-01.0-of-1.aa", "2031-02.0-of-1.bb", "unknown.0-of-1.cc")
LINES = ("Subscribe", "Read more", "Photo: Ada Quill", "Share this", "More from Lowmoor")


def write(snapshot: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """The rows over three files, as months are; columns not given are empty."""
    nullable = pa.schema([field.with_nullable(nullable=True) for field in schema.TABLES[table]])
    (snapshot / table).mkdir(parents=True)
    for number, name in enumerate(MONTHS):
        pq.write_table(pa.Table.from_pylist(rows[number :: len(MONTHS)], nullable), snapshot / table / f"{name}.parquet", row_group_size=50)


def removed(number: int) -> list[dict[str, Any]]:
    lines = [*LINES[: number % (len(LINES) + 1)], f"Line {number // 3} of its own"]
    return [{"rule": "share" if n % 2 else "tags", "zone": "tail", "line": n, "text": line} for n, line in enumerate(lines)]


def repairs(number: int) -> list[dict[str, Any]]:
    edit = {"step": 0, "field": "text", "start": number, "end": number + 3, "before": "Ã©" * (number % 4 + 1), "after": "é", "fix": "f"}
    return [edit] * (number % 3)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    """900 records: a third are duplicates of the one before, some are in quarantine."""
    folder = tmp_path_factory.mktemp("snapshot")
    tables: dict[str, list[dict[str, Any]]] = {"decisions": [], "stories": [], "duplicates": [], "quarantine": []}
    for number in range(900):
        story, before = f"{number:032x}", f"{number - 1:032x}"
        row: dict[str, Any] = {"story_id": story, "raw_id": f"r{number}", "raw_uri": f"{number % 7}.jsonl", "title": f"Title {number}"}
        texts = {"source": "Lowmoor Post", "removed": removed(number), "repairs": repairs(number)}
        if number % 3 == 2:
            scores = dict.fromkeys(("probability", "jaccard", "weighted_jaccard", "coverage"), 0.5)
            found: dict[str, Any] = {
                "relation": "near" if number % 2 else "derivative",
                "duplicate_of": before,
                "reason": "published later",
            } | scores
            found["evidence"] = [{"text": f"as {number} has it", "other_text": f"as {number - 1} has it"}]
            tables["decisions"].append(row | {"outcome": "duplicate"} | found)
            tables["duplicates"].append(row | texts)
        elif number % 75 == 0:
            fault = {"stage": "ingest" if number == 0 else "check", "reason": "no_text" if number < 300 else "text_has_words"}
            tables["decisions"].append(row | {"outcome": "quarantined"} | fault)
            tables["quarantine"].append(row | fault | {"place": f"line {number}"})
        else:
            tables["decisions"].append(row | {"outcome": "kept"})
            tables["stories"].append(row | texts)
    for name, rows in tables.items():
        write(folder, name, rows)
    return folder, tables


@pytest.mark.parametrize(("column", "names"), [("removed", ("rule", "text")), ("repairs", ("before", "after", "fix"))])
def test_the_most_frequent_are_those_that_plain_python_counts(
    snapshot: tuple[Path, dict[str, list[dict[str, Any]]]], column: str, names: tuple[str, ...]
) -> None:
    folder, tables = snapshot
    rows = [*tables["stories"], *tables["duplicates"]]
    counted = Counter(tuple(item[name] for name in names) for row in rows for item in row[column])
    found, number = report._frequent(folder, column, names)
    assert number == len(counted)
    assert len(found) == min(number, report.SHOWN)
    assert all(counted[item] == times for times, item in found)
    assert [times for times, _ in found] == sorted(counted.values(), reverse=True)[: len(found)]
    assert found == sorted(found, key=lambda row: (-row[0], row[1]))


def test_a_snapshot_without_stories_has_an_empty_report(tmp_path: Path) -> None:
    for name in ("decisions", "stories", "duplicates", "quarantine"):
        write(tmp_path, name, [])
    counts = report.counts(tmp_path, files=0, records=0)
    assert counts == {"files": 0, "records": 0, "quarantined": {}, "duplicates": {}, "kept": 0}
    manifest = {"snapshot": "s", "run": {"raw": "raw"}, "counts": counts, "gate": {"results": []}}
    assert report.write(tmp_path, manifest).read_text(encoding="utf-8").count("<p>None.</p>") == 6


def test_the_funnel_adds_up(snapshot: tuple[Path, dict[str, list[dict[str, Any]]]]) -> None:
    folder, tables = snapshot
    counts = report.counts(folder, files=7, records=900)
    assert counts == {
        "files": 7,
        "records": 900,
        "quarantined": {"ingest": {"no_text": 1}, "check": {"text_has_words": 8, "no_text": 3}},
        "duplicates": {"derivative": 150, "near": 150},
        "kept": len(tables["stories"]),
    }
    assert list(counts["quarantined"]) == ["ingest", "check"], "in the order of the stages"
    assert list(counts["quarantined"]["check"]) == ["text_has_words", "no_text"], "most first"
    assert counts["kept"] + 300 + len(tables["quarantine"]) == 900


def test_the_page_shows_what_the_tables_hold(snapshot: tuple[Path, dict[str, list[dict[str, Any]]]]) -> None:
    folder, tables = snapshot
    counts = report.counts(folder, files=7, records=900)
    manifest = {"snapshot": "s", "run": {"raw": "raw"}, "counts": counts, "gate": {"results": []}}
    page = report.write(folder, manifest).read_text(encoding="utf-8")
    shown = re.findall(r"<details>.*?</details>", page)
    assert len(shown) == report.SHOWN
    assert "100 more in the tables" in page
    for part in shown:
        number = int(re.findall(r"as (\d+) has it", part)[0])
        for words in (
            f"Title {number} \u00b7 Lowmoor Post",
            f"Title {number - 1} \u00b7 Lowmoor Post",
            "kept the other because: published later",
        ):
            assert words in part
    places = [
        escape(f"{row['raw_uri']}, {row['place']}") for row in sorted(tables["quarantine"], key=lambda row: [row[name] for name in ORDER])
    ]
    assert [place for place in re.findall(r"\d\.jsonl, line \d+", page) if place in places] == places


def test_what_was_passed_over_is_told_with_its_number() -> None:
    run = {"skipped": {"a link": 2}, "skipped_records": {"an image": 30}, "vanished": ["a.txt"], "unsettled": ()}
    page = report._passed_over({"run": run, "match": {"hot_keys": 7, "pairs_left_out_at_hot_keys": 12_345, "components_cut": 9}})
    for said in (
        "<td class=number>2</td><td>files of raw/</td><td>a link",
        "30",
        "--prune",
        "12,345",
        "7 times",
        "<td class=number>9</td><td>groups of stories",
    ):
        assert said in page
    assert "changed while" not in page
    assert report._passed_over({"run": {}}) == "<p>None.</p>"
