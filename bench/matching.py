"""Match and cluster of a larger corpus, stage by stage: the background stories repeated with every fifth word changed.

The stages run as in the flow, in two processes, over shards that are fingerprinted already: seconds from the first key to the last
decision. Compiled kernels are loaded before. Nothing but the stories' words is changed, so that every story has kin of its
own outlet and day; what is proposed, judged and decided is printed too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.machine import RESULTS, machine, versions
from bench.quality import BENCHMARKS
from bench.race import changed
from tasks import cluster, dates, fingerprint, match, schema, settings

STORIES = 31_000
SHARD = 2_000
WORKERS = 2


def main(arguments: list[str]) -> int:
    """Match and cluster `N` stories (default 31,000); the figures go to bench/results."""
    source = BENCHMARKS / "data" / "background" / "stories.parquet"
    if not source.exists():
        print(f"matching: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    stories = int(arguments[0]) if arguments else STORIES
    with TemporaryDirectory() as folder, ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as pool:
        batches = [
            (source, range(first, min(first + SHARD, stories)), Path(folder, f"{first:07d}.parquet")) for first in range(0, stories, SHARD)
        ]
        shards = list(pool.map(write_shard, *zip(*batches, strict=True)))
        timed(pool, shards[:1], Path(folder, "warm"))
        figures = timed(pool, shards, Path(folder, "work"))
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


def write_shard(source: Path, places: range, out: Path) -> Path:
    """A FINGERPRINTED shard of the stories at some places of the endless, changing repetition of the background."""
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
    pq.write_table(fingerprint.fingerprint(table, settings.Near(), settings.Derivative()), out, compression="lz4", use_dictionary=False)
    return out


def timed(pool: ProcessPoolExecutor, shards: list[Path], folder: Path) -> dict[str, Any]:
    """Seconds of each stage and of all, and what they counted."""
    near, derivative, policy = settings.Near(), settings.Derivative(), settings.Cluster()
    clock = [time.perf_counter()]
    keys = list(pool.map(match.keys, shards, *([each] * len(shards) for each in (folder / "keys", WORKERS, near, derivative))))
    clock.append(time.perf_counter())
    parts = range(WORKERS)
    by_part = [[files[part] for files in keys] for part in parts]
    proposed = list(pool.map(match.propose, by_part, [folder / f"pairs-{part}.parquet" for part in parts], [policy.hot_key] * WORKERS))
    clock.append(time.perf_counter())
    pairs = [part.pairs_file for part in proposed]
    share = [(pairs, shards, folder / f"judged-{part}.parquet", near, derivative, part, WORKERS) for part in parts]
    judged = list(pool.map(match.judge, *zip(*share, strict=True)))
    clock.append(time.perf_counter())
    files = [part.judged_file for part in judged]
    done = pool.submit(cluster.cluster, files, shards, folder / "decisions.parquet", "bench", near, derivative, policy).result()
    clock.append(time.perf_counter())
    seconds = {
        f"{name}_s": round(after - before, 2)
        for name, before, after in zip(("keys", "propose", "judge", "cluster"), clock, clock[1:], strict=False)
    }
    counted = {"proposed": judged[0].proposed + judged[1].proposed, "judged": sum(part.judged for part in judged)}
    return {"seconds": round(clock[-1] - clock[0], 2), **seconds, **counted, "duplicates": done.duplicates, "judged_late": done.judged_late}
