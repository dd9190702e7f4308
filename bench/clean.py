"""Cleaning, measured by itself: what is left of real pages, what is lost and by what, dates, and how fast.

1. The four sets of pages, through ingest, repair and strip as a run has them: precision, recall and F1 of the benchmark; the
   set of 2026 by language; dates.
2. Losses: pages of which more than 2 % of the body's 4-grams are gone, and the rules and zones of the lines that had them. What is in no
   line was never read from the page, or is told apart by a line that stayed.
3. Speed on one core: CPU seconds of the process, of each batch the best of some rounds; background stories as their records have them,
   all of them and those that cleaning leaves as they are, and the pages.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from runpy import run_path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.kernels import batches, fastest
from bench.machine import RESULTS, machine, versions
from bench.quality import BENCHMARKS, EVALUATE
from flows.explain import clean, read
from tasks import boilerplate, dates, repair, schema, settings
from tasks.ingest.parse import paragraphs

SETS = ("boilerplate-2019-text", "boilerplate-2026-text", "boilerplate-2019-html", "boilerplate-2026-html")
LANGUAGE = {"de": "de", "at": "de", "ch": "de", "na": "de", "uk": "en", "us": "en", "au": "en", "ca": "en", "za": "en", "ind": "en"}
"""Of a page's region, as most of its pages are; other regions have a few pages each."""
LOSS = 0.02
ROUNDS = 3
BATCH = 250
KNOBS = settings.Settings.model_validate({})


def main(arguments: list[str]) -> int:
    """All of it, or with `speed` or `pages` one half; all of it goes to bench/results."""
    if not BENCHMARKS.joinpath(*EVALUATE).exists():
        print(f"clean: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    report: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine(), "load": os.getloadavg()[0]}
    report["versions"] = versions("copydesk", "ftfy", "trafilatura", "pycld2")
    if arguments != ["speed"]:
        report["sets"] = {name: measured(name) for name in SETS}
        for name, found in report["sets"].items():
            show(name, found)
    if arguments != ["pages"]:
        report["microseconds"] = {name: round(seconds * 1e6, 1) for name, seconds in speed()}
    if not arguments:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"clean-{report['date']}.json"
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {path}")
    return 0


# ---- quality -------------------------------------------------------------------------------------------------------------


def measured(name: str) -> dict[str, Any]:
    """The figures of a set of pages: all, by language, and what was lost where."""
    evaluate, data = _evaluate(), BENCHMARKS / "data"
    year = name.split("-")[1]
    pages = evaluate.read(data / f"boilerplate/{evaluate.BOILERPLATE[year]}.jsonl")
    with TemporaryDirectory() as folder:
        file, curated = Path(folder, f"{name}.jsonl"), Path(folder, "curated")
        file.write_text("".join(json.dumps(row) + "\n" for row in evaluate.raw_rows(name, data)), encoding="utf-8")
        table = clean(read(file, file.parent, KNOBS), KNOBS)
        for place, chosen in (("stories", table["reason"].is_null()), ("quarantine", table["reason"].is_valid())):
            (curated / "latest" / place).mkdir(parents=True)
            pq.write_table(table.filter(chosen), curated / "latest" / place / "all.parquet")
        figures: dict[str, Any] = evaluate.score_boilerplate(name, data, curated)
    rows = {row["raw_id"]: row for row in table.to_pylist()}
    scores = {page["id"]: evaluate.page_score(page["gold"], rows[page["id"]]["text"]) for page in pages}
    groups: dict[str, list[tuple[Any, Any]]] = {}
    for page in pages if year == "2026" else ():
        groups.setdefault(LANGUAGE.get(page["region"], "others"), []).append(scores[page["id"]])
    losing = [page for page in pages if (scores[page["id"]][1] or 0) < 1 - LOSS]
    where = [_lost(page["gold"], rows[page["id"]], evaluate) for page in losing]
    share: Counter[str] = Counter()
    for lost in where:
        share.update({place: grams / max(1, sum(lost.values())) for place, grams in lost.items()})
    return figures | {
        "languages": {group: {"pages": len(found)} | evaluate.prf(*zip(*found, strict=True)) for group, found in sorted(groups.items())},
        "losing": round(len(losing) / len(pages), 4),
        "lost_by": [
            {"rule_zone": place, "pages": round(pages_of_it, 2), "grams": sum(lost[place] for lost in where)}
            for place, pages_of_it in share.most_common()
        ],
    }


def _lost(gold: str, row: dict[str, Any], evaluate: Any) -> Counter[str]:
    """Lost 4-grams by the rule and zone of the first removed line that they touch."""
    gone = {line["line"]: f"{line['rule']}, {line['zone']}" for line in row["removed"]}
    lost = evaluate.shingles(gold) - evaluate.shingles(row["text"])
    lines = boilerplate.rebuild(row["text"], row["removed"]).split("\n")
    words = [(word, number) for number, line in enumerate(lines) for word in re.findall(r"\w+", line)]
    found: Counter[str] = Counter()
    for first in range(len(words) - 3):
        gram = tuple(word for word, _ in words[first : first + 4])
        place = next((gone[number] for _, number in words[first : first + 4] if number in gone), None)
        if place and lost[gram] > 0:
            lost[gram] -= 1
            found[place] += 1
    rest = sum(lost.values())
    return found + Counter({"in no line": rest})


def show(name: str, found: dict[str, Any]) -> None:
    dated = (
        f"  dates right {found['dates_right']:.3f} wrong {found['dates_wrong']:.3f} of {found['dates_asked']}"
        if "dates_asked" in found
        else ""
    )
    print(f"\n{name}: {_figures(found)}{dated}")
    for language, of_it in found["languages"].items():
        print(f"  {language:<8}{of_it['pages']:4}  {_figures(of_it)}")
    print(f"  {100 * found['losing']:.0f} % of the pages lose more than {100 * LOSS:.0f} % of their body, by (pages, 4-grams):")
    for one in found["lost_by"][:8]:
        print(f"    {one['rule_zone']:<28}{one['pages']:6.1f}{one['grams']:7}")


def _figures(found: dict[str, Any]) -> str:
    return f"F1 {found['f1']:.4f}  precision {found['precision']:.4f}  recall {found['recall']:.4f}"


def _evaluate() -> Any:
    """The benchmark's own measure, which is a program."""
    return SimpleNamespace(**run_path(str(BENCHMARKS.joinpath(*EVALUATE))))


# ---- speed ---------------------------------------------------------------------------------------------------------------


def speed() -> Iterator[tuple[str, float]]:
    """Seconds a story or page, printed as they are measured."""
    every = stories()
    whole = clean(every, KNOBS)
    healthy = [not row["removed"] and not row["repairs"] for row in whole.select(["removed", "repairs"]).to_pylist()]
    print(f"\none core, load {os.getloadavg()[0]:.1f}")
    for name, table in (("background", every), ("clean ones of it", every.filter(pa.array(healthy)))):
        size = round(sum(map(len, table["text"].to_pylist())) / len(table))
        ready = repair.repair(table, KNOBS.repair)
        steps = (
            ("repair", partial(repair.repair, knobs=KNOBS.repair), table),
            ("strip, with metadata and language", partial(boilerplate.strip, settings=KNOBS.strip), ready),
            ("both", partial(clean, knobs=KNOBS), table),
        )
        for step, function, given in steps:
            yield _timed(
                f"{name} ({len(table):,} of {size:,} characters): {step}", fastest(function, batches(given, BATCH), ROUNDS), len(table)
            )
    for name in SETS:
        yield from pages_read(name)


def stories() -> pa.Table:
    """The background stories, as ingest leaves them."""
    rows = pq.read_table(BENCHMARKS / "data/background/stories.parquet").to_pylist()
    blank = dict.fromkeys(schema.INGESTED.names) | {"raw_state": "present", "place": "file", "kind": "record", "raw_uri": "background"}
    given = []
    for number, row in enumerate(rows):
        found = dates.parse(row["published_at"]) if row["published_at"] else None
        dated = {"published_at": found[0], "published_precision": found[1]} if found else {}
        known = {name: row[name] for name in ("source", "url", "title")}
        given.append(blank | known | dated | {"story_id": f"{number:032x}", "raw_id": row["id"], "text": paragraphs(row["text"])})
    return schema.conform(pa.Table.from_pylist(given, schema.INGESTED), schema.INGESTED)


def pages_read(name: str) -> Iterator[tuple[str, float]]:
    """Seconds a page, from its bytes to the stripped story."""
    with TemporaryDirectory() as folder:
        file = Path(folder, f"{name}.jsonl")
        rows = list(_evaluate().raw_rows(name, BENCHMARKS / "data"))
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        spent = fastest(lambda given: clean(read(given, given.parent, KNOBS), KNOBS), [file], ROUNDS - 1)
    yield _timed(f"{name}: ingest, repair, strip", spent, len(rows))


def _timed(name: str, seconds: float, many: int) -> tuple[str, float]:
    each = seconds / many
    print(f"{name:<80} {each * 1e6:9.0f} us {1 / each:8,.0f} a second", flush=True)
    return name, each
