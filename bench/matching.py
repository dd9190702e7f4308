"""Match and cluster of a larger corpus, stage by stage: the background stories repeated with every fifth word changed.

The stages run as in the flow, in two processes, over worked shards: seconds from the roster to the last standing. Compiled kernels are loaded before. Nothing but the stories' words is changed, so that every story has kin of its
own outlet and day; what is proposed, judged and decided is printed too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from bench.machine import RESULTS, machine, versions
from bench.quality import BENCHMARKS
from bench.race import changed
from tasks import cluster, dates, fingerprint, index, match, schema, settings

Result = TypeVar("Result")

STORIES = 31_000
SHARD = 2_000
WORKERS = 2
STORIES_A_TASK = 8_000


def main(arguments: list[str]) -> int:
    """Match and cluster `N` stories (default 31,000); the figures go to bench/results."""
    source = BENCHMARKS / "data" / "background" / "stories.parquet"
    if not source.exists():
        print(f"matching: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    stories = int(arguments[0]) if arguments else STORIES
    with TemporaryDirectory() as folder, ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        batches = [(source, range(first, min(first + SHARD, stories)), Path(folder), f"{first:07d}") for first in range(0, stories, SHARD)]
        shards = list(pool.map(write_shard, *zip(*batches, strict=True)))
        timed(pool, shards[:1], Path(folder), Path(folder, "warm"))
        figures = timed(pool, shards, Path(folder), Path(folder, "work"))
    print("  ".join(f"{name} {value:,}" for name, value in figures.items()))
    report = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "stories": stories,
        "machine": machine() | {"load": os.getloadavg()[0]},
        "versions": versions("copydesk", "numba", "numpy", "pyarrow"),
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"matching-{report['date']}-{stories}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}")
    return 0


def write_shard(source: Path, places: range, folder: Path, shard: str) -> str:
    """A worked shard of the stories at some places of the endless, changing repetition of the background."""
    rows = pq.read_table(source).to_pylist()
    empty = dict.fromkeys(schema.CHECKED.names) | {"raw_uri": "bench", "raw_state": "present", "place": "line 1", "kind": "record"}
    records = []
    for place in places:
        turn, row = place // len(rows), rows[place % len(rows)]
        text = changed(row["text"] or "", turn)
        at, precision = dates.parse(row["published_at"] or "") or (None, None)
        told = {"raw_id": f"{row['id']}-{turn}", "source": row["source"], "title": row["title"], "text": text, "published_at": at}
        told |= {"published_precision": precision, "word_count": len(text.split()), "repairs": [], "removed": []}
        records.append(empty | told | {"story_id": fingerprint.text_hash(told["raw_id"]).hex()})
    table = pa.Table.from_pylist(records, schema=schema.CHECKED)
    return index.write(fingerprint.fingerprint(table, settings.Near(), settings.Derivative()), folder, shard, None)


def timed(pool: ProcessPoolExecutor, shards: list[str], folder: Path, work: Path) -> dict[str, Any]:
    """Seconds of each stage and of all, and what they counted."""
    near, derivative, policy = settings.Near(), settings.Derivative(), settings.Cluster()
    work.mkdir()
    roster, standing, parts = work / "roster.arrow", work / "standing", range(WORKERS)
    seconds: dict[str, float] = {}

    def each(stage: str, function: Callable[..., Result], calls: Iterable[tuple[Any, ...]]) -> list[Result]:
        began = time.perf_counter()
        done = [future.result() for future in [pool.submit(function, *call) for call in calls]]
        seconds[f"{stage}_s"] = round(time.perf_counter() - began, 2)
        return done

    began = time.perf_counter()
    each("roster", index.write_roster, [(folder, shards, (), roster)])
    batches = index.batches(roster, STORIES_A_TASK)
    keys = each("keys", match.keys, [(roster, some, work / f"keys-{some[0]}.arrow", WORKERS, near, derivative) for some in batches])
    found = each("propose", match.propose, [(keys, roster, [part], work, near, derivative, policy.hot_key) for part in parts])
    proposed = [part for some in found for part in some]
    judged = each("judge", match.judge, [(proposed, roster, work, near, derivative, part, WORKERS) for part in parts])
    (plan,) = each("components", cluster.plan, [([part.judged_file for part in judged], roster, work, 4 * WORKERS)])
    calls = [(file, roster, standing / f"{number}.parquet", near, derivative, policy) for number, file in enumerate(plan.part_files)]
    clustered = each("cluster", cluster.cluster, calls)
    each("copies", cluster.copies, [(standing, roster, work / "copies.parquet")])
    return {
        "seconds": round(time.perf_counter() - began, 2),
        **seconds,
        "proposed": sum(part.proposed for part in judged),
        "judged": sum(part.judged for part in judged),
        "duplicates": sum(pq.read_metadata(part.standing_file).num_rows for part in clustered),
        "judged_late": sum(part.judged_late for part in clustered),
    }
