"""The race: the same stories through copydesk and through its rivals, one after the other, in one sitting.

Rivals: `peer_byhand.py`, what a user would write by hand with the same packages; `peer_datatrove.py`, the same job with
datatrove, in a virtual environment of its own. Ratios of one run are what to read: seconds depend on the machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from bench.machine import RESULTS, environment, machine, measured, versions
from bench.quality import BENCHMARKS, ROOT

DATATROVE = ("datatrove[io,processing]==0.10.1", "ftfy==6.3.1", "spacy==3.8.18")
WORKERS = 2
SOURCE = BENCHMARKS / "data" / "background" / "stories.parquet"
BACKGROUND = 6_000
"""Stories of the source."""


def main(arguments: list[str]) -> int:
    """Race over the background stories, repeated `N` times with mutations (default 1); the figures go to bench/results."""
    if not SOURCE.exists():
        print(f"race: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    stories = BACKGROUND * (int(arguments[0]) if arguments else 1)
    with TemporaryDirectory() as home:
        figures = race(Path(home), stories)
    report = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "stories": stories,
        "machine": machine(),
        "versions": versions("copydesk", "prefect", "pyarrow", "datasketch", "ftfy", "great-expectations"),
        "runs": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"race-{report['date']}-{stories}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    show(figures)
    print(f"written to {path}")
    return int(any(run["exit"] for run in figures))


def race(home: Path, stories: int) -> list[dict[str, Any]]:
    """The figures of each runner (bench.machine.measured), copydesk first, over so many stories written to an empty folder."""
    raw, plain = home / "raw", home / "plain"
    raw.mkdir()
    plain.mkdir()
    write_raw(SOURCE, raw / "stories.jsonl", plain / "stories.jsonl", stories)
    return [measured(name, command, str(home), {"PYTHONPATH": str(ROOT)}) for name, command in runners(home, raw, plain)]


def show(figures: Sequence[dict[str, Any]]) -> None:
    ours = figures[0]["seconds"]
    for run in figures:
        print(
            f"{run['name']:<22} {run['seconds']:8.1f} s  {run['cpu_seconds']:8.1f} s CPU  {run['peak_mb']:8.0f} MB  {run['seconds'] / ours:5.1f} x copydesk"
        )


def write_raw(source: Path, out: Path, plain: Path, stories: int) -> None:
    """So many stories as JSONL; a repetition of the source replaces every fifth word by its reverse, so that it is no copy.

    `plain` gets id and text alone, which is all that the rivals use (datatrove's writer stops at fields that are null at first).
    """
    rows = pq.read_table(source).to_pylist()
    with out.open("w", encoding="utf-8") as lines, plain.open("w", encoding="utf-8") as plain_lines:
        for place in range(stories):
            turn, row = place // len(rows), rows[place % len(rows)]
            text = changed(row["text"] or "", turn)
            record = row | {"id": f"{row['id']}-{turn}", "text": text}
            lines.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
            plain_lines.write(json.dumps({"id": record["id"], "text": text}, ensure_ascii=False) + "\n")


def changed(text: str, turn: int) -> str:
    """The text of a repetition: every fifth word of a line is reversed, another fifth in each turn; as it is in turn 0."""
    if not turn:
        return text
    lines = (line.split(" ") for line in text.split("\n"))
    return "\n".join(" ".join(word[::-1] if (n + turn) % 5 == 0 else word for n, word in enumerate(line)) for line in lines)


def runners(home: Path, raw: Path, plain: Path) -> list[tuple[str, Sequence[str]]]:
    """Name and command of each; copydesk twice: over an empty folder, and again when nothing is new."""
    tools = BENCHMARKS / "tools"
    copydesk = [
        sys.executable,
        "-m",
        "flows.command_line",
        "run",
        "--raw",
        str(raw),
        "--curated",
        str(home / "curated"),
        "--workers",
        str(WORKERS),
    ]
    byhand = [sys.executable, str(tools / "peer_byhand.py"), str(plain / "stories.jsonl"), str(home / "byhand.parquet")]
    datatrove = [environment("datatrove", DATATROVE), str(tools / "peer_datatrove.py"), str(plain), str(home / "datatrove"), str(WORKERS)]
    return [("copydesk", copydesk), ("copydesk, nothing new", copydesk), ("by hand", byhand), ("datatrove", datatrove)]
