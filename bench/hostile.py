"""Hostile input, measured: `python -m bench hostile [texts|pages|files|dates|collisions ...] [--only WORDS] [--stories N]`.

Each text, page and file of bench.hostile_input goes through ingest, repair, strip and fingerprint in a process of its own; texts also through
a verdict on the text and a changed copy of it. Measured are the CPU seconds of the slowest stage and of all, the memory beyond what a
process has after an ordinary story, and whether every record became a row. `collisions` makes stories that share runs, bands and
rare terms, and compares the real command on them and on as many ordinary ones.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.hostile_input import FILES, PAGES, SENTENCE, TEXTS, repeated
from bench.machine import RESULTS, machine
from tasks import boilerplate, dates, fingerprint, ingest, repair, settings, verdict
from tasks.ingest.page.trees import lean, why_huge
from tasks.ingest.read import MOST_UNPACKED
from tasks.verdict import stories as reading

KNOBS = settings.load()
LIMIT = 240.0
"""Seconds after which a case counts as one that hangs."""
SLOW = 2.0
"""Target: seconds for one story."""
FEW = 1_000_000
"""More records than these are only read: that they are is what is asked."""
LARGE_PAGE = 2_400_000
DATES = (
    *(
        "1" * 200,
        "1 " * 100,
        "a1" * 100,
        "1:" * 100,
        "1/" * 100,
        "1-" * 100,
        "Monday " * 28 + "1",
        "1 May 2024 " * 18,
        "12 " + "m" * 190,
        "٣" * 200,
    ),
    *(
        "1 år " * 40,
        "jan1" * 50,
        "2024-" * 40,
        "T1" * 100,
        "1 (" * 66,
        "1, 2 May 24 " * 16,
        "早上1 " * 50,
        "1 giờ trước " * 16,
        "+1 " * 66,
        "<1>" * 66,
    ),
)
"""Dates of records as nobody writes them; the parser of rare forms sees those that nothing else can read."""


def main(arguments: list[str]) -> int:
    """Measure the parts named (default all but collisions); figures go to bench/results. Exit code 1 when a target is missed."""
    options = argparse.ArgumentParser(prog="bench hostile")
    options.add_argument("parts", nargs="*", default=["texts", "pages", "files", "dates"])
    options.add_argument("--only", default="")
    options.add_argument("--stories", type=int, default=100_000)
    options.add_argument("--size", type=int, default=0)
    chosen = options.parse_args(arguments)
    found: list[dict[str, Any]] = []
    for part in chosen.parts:
        if part == "collisions":
            from bench.collisions import measured

            found += measured(chosen.stories)
            continue
        for name, write in PARTS[part](chosen.size):
            if chosen.only in name:
                found.append({"part": part, "name": name} | alone(write))
                show(found[-1])
    missed = [row["name"] for row in found if row.get("fault") or row.get("lost") or row.get("seconds", 0) > SLOW * worth(row)]
    path = RESULTS / f"hostile-{datetime.now(UTC):%Y-%m-%d}.json"
    if not chosen.only:
        path.write_text(
            json.dumps({"machine": machine(), "missed": missed, "rows": found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        print(f"written to {path}")
    print(f"missed: {', '.join(missed) or 'none'}")
    return int(bool(missed))


def worth(row: dict[str, Any]) -> float:
    """How many stories' time a case may take: one for each record, and for a file of many or of none one for each 10 MB that pass."""
    return float(max(1.0, row.get("stories", 1), row.get("passed_mb", 0) / 10))


def show(row: dict[str, Any]) -> None:
    slowest = max(row.get("stages", {"": 0.0}).items(), key=lambda stage: stage[1])
    print(
        f"{row['part']:<6} {row['name']:<44} {row.get('seconds', 0):7.2f} s {slowest[0]:<11} {row.get('mb', 0):6.0f} MB  {row.get('rows', '')} "
        f"{'FAULT ' + row['fault'] if row.get('fault') else ''}{'LOST' if row.get('lost') else ''}",
        flush=True,
    )


# ---- what is measured -------------------------------------------------------------------------------------------------------------


def texts(size: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Two records each: a text as long as ingest lets it through, and the same with another end."""
    size = size or KNOBS.ingest.max_text_characters
    for name, make in TEXTS.items():

        def write(raw: Path, make: Callable[[int], str] = make) -> None:
            text = make(size)
            lines = [{"text": text, "source": "Lowmoor Post"}, {"text": f"{text[: size * 9 // 10]} {SENTENCE}", "source": "Baltic Wire"}]
            (raw / "a.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")

        yield name, write


def pages(size: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    for name, make in PAGES.items():

        def write(raw: Path, make: Callable[[int], str] = make) -> None:
            most = size or LARGE_PAGE
            while not size and why_huge(lean(make(most))) and most > 50_000:
                most = most * 4 // 5  # the largest that is read
            (raw / "a.html").write_text(make(most), encoding="utf-8")

        yield name, write


def files(size: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    for name, (file, make) in FILES.items():

        def write(raw: Path, file: str = file, make: Callable[[Path, int], None] = make) -> None:
            make(raw / file, size or KNOBS.ingest.max_record_bytes)

        yield name, write


def written_dates(_: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    for date in DATES:

        def write(raw: Path, date: str = date) -> None:
            (raw / "a.jsonl").write_text(json.dumps({"text": SENTENCE, "published_at": date}), encoding="utf-8")

        yield date[:40], write


PARTS = {"texts": texts, "pages": pages, "files": files, "dates": written_dates}


def alone(write: Callable[[Path], None]) -> dict[str, Any]:
    """What `through` gives for a raw folder, from a forked process; `fault` says what ended it, `mb` its memory beyond the ordinary."""
    _warm_up()
    with TemporaryDirectory(prefix="copydesk-hostile-") as home:
        raw = Path(home, "raw")
        raw.mkdir()
        write(raw)
        passed = max(sum(path.stat().st_size for path in raw.iterdir()) / 1e6, 0.0)
        ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=_child, args=(raw, Path(home), theirs))
        child.start()
        theirs.close()
        row: dict[str, Any] = {}
        if ours.poll(LIMIT):
            try:
                row = ours.recv()
            except EOFError:
                row = {"fault": "ended"}
        else:
            row = {"fault": f"hangs: {LIMIT:.0f} s"}
            child.kill()
        child.join()
        if child.exitcode and "fault" not in row:
            row["fault"] = f"exit {child.exitcode}"
        packed = any(path.suffix in (".gz", ".zst") for path in raw.iterdir())
        return row | {"passed_mb": round(max(passed, MOST_UNPACKED / 1e6 if packed else 0))}


def _child(raw: Path, home: Path, out: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        row = through(raw, home)
    except Exception as error:  # noqa: BLE001 - a crash is a finding
        row = {"fault": f"{error.__class__.__name__}: {error}"[:300]}
    row["mb"] = round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
    out.send(row)
    out.close()


def through(raw: Path, home: Path) -> dict[str, Any]:
    """Every raw file through the stages of a shard: CPU seconds by stage, rows by reason, and whether a record was lost."""
    store = home / "store"
    store.mkdir()
    stages: dict[str, float] = {}
    began = time.process_time()

    def clock(stage: str) -> None:
        nonlocal began
        stages[stage] = stages.get(stage, 0) + round(time.process_time() - began, 3)
        began = time.process_time()

    found = ingest.walk(raw)
    run = KNOBS.run
    ledger = pq.read_table(
        ingest.read_batch(found.files, store, home / "ledger", KNOBS.ingest.max_record_bytes, run.shard_rows, run.shard_bytes)
    )
    clock("read")
    states = dict.fromkeys(ledger["raw_uri"].to_pylist(), "present")
    rows: dict[str, int] = {}
    stories = 0
    records = sum(ledger["records"].to_pylist())
    if records > FEW:
        held = sum(pq.read_metadata(path).num_rows for path in store.glob("*.parquet"))
        return {"seconds": sum(stages.values()), "stages": stages, "stories": held, "rows": {"read": held}, "lost": held != records}
    for shard in sorted({name for names in ledger["shards"].to_pylist() for name in names}):
        table = pq.read_table(store / shard)
        clock("store")
        table = ingest.parse(table, KNOBS.ingest, states)
        clock("parse")
        table = repair.repair(table, KNOBS.repair)
        clock("repair")
        table = boilerplate.strip(table, KNOBS.strip)
        clock("strip")
        table = fingerprint.fingerprint(table, KNOBS.near, KNOBS.derivative)
        clock("fingerprint")
        for reason in table["reason"].to_pylist():
            rows[reason or "story"] = rows.get(reason or "story", 0) + 1
        stories += len(table)
        if table["reason"].to_pylist() == [None, None]:
            _judge(table)
            clock("judge")
    files = len(found.files)
    return {
        "seconds": round(sum(stages.values()), 2),
        "stages": stages,
        "stories": max(1, stories),
        "rows": rows,
        "lost": records != stories or records < files,
    }


def _judge(table: pa.Table) -> None:
    import numpy as np

    pair = np.zeros(1, np.int64), np.ones(1, np.int64)
    verdict.judge(reading.of(table), *pair, KNOBS.near, KNOBS.derivative)
    verdict.evidence(table["text"], *pair)


_WARM: list[bool] = []


def _warm_up() -> None:
    """An ordinary pair and a page through everything once, so that what is loaded once counts for no case."""
    if _WARM:
        return
    _WARM.append(True)
    boilerplate.warm_up(KNOBS.strip)
    repair.warm_up(KNOBS.repair)
    dates.parse("am 3. Wonnemond 2024 um 3")
    with TemporaryDirectory(prefix="copydesk-hostile-") as home:
        raw = Path(home, "raw")
        raw.mkdir()
        lines = [{"text": repeated(SENTENCE)(3_000), "source": "a"}, {"text": repeated(SENTENCE)(2_900) + " And on.", "source": "b"}]
        (raw / "a.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        through(raw, Path(home))
        (raw / "a.html").write_text(PAGES["paragraphs"](3_000), encoding="utf-8")
        Path(home, "again").mkdir()
        through(raw, Path(home, "again"))
        (raw / "a.html").unlink()
        (raw / "a.jsonl").write_text("{", encoding="utf-8")
        Path(home, "faulty").mkdir()
        through(raw, Path(home, "faulty"))
