"""A flow as ours is built, small enough to be watched: shards in, one task each, then partitions; paths travel, tables do not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed

from flows.runner import Runner, runner
from tasks import files


@task(cache_policy=NO_CACHE)
def in_pool(pool: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return pool.submit(function, *arguments).result()


@flow
def count_words(raw: str, curated: str, use: str = "local", seconds: float = 0.0, told: Callable[[int], None] | None = None) -> list[str]:
    """How often each word stands in the shards below raw, in two files below curated; gives their hashes."""
    source, target = files.located(raw), files.located(curated)
    with runner(use, 2) as opened:
        shards = sorted(source.glob("*.parquet"), key=str)
        work = target / ".work"
        counted = each(opened, count, [(shard, work / shard.name, seconds) for shard in shards], told)
        merged = each(opened, merge, [(counted, target / f"part-{part}.parquet", part, 2) for part in range(2)])
    files.remove_tree(work)
    return [files.digest(path) for path in merged]


def each(
    opened: Runner, function: Callable[..., Path], calls: list[tuple[Any, ...]], told: Callable[[int], None] | None = None
) -> list[Path]:
    futures: list[PrefectFuture[Any]] = [
        opened.tasks.submit(in_pool, {"pool": opened.pool, "function": function, "arguments": call}) for call in calls
    ]
    for done, future in enumerate(as_completed(futures), 1):
        future.result()  # the first failure ends the run
        if told:
            told(done)
    return [future.result() for future in futures]


def count(shard: Path, out: Path, seconds: float) -> Path:
    time.sleep(seconds)
    words = pc.list_flatten(pc.split_pattern(files.read_table(shard)["text"], " "))
    files.write_table(pa.table({"word": words}).group_by("word").aggregate([([], "count_all")]).sort_by("word"), out)
    return out


def merge(counted: list[Path], out: Path, part: int, parts: int) -> Path:
    tables = pa.concat_tables(files.read_table(path) for path in counted)
    mine = tables.filter(pc.equal(pc.bit_wise_and(pc.binary_length(tables["word"]), parts - 1), part))
    files.write_table(mine.group_by("word").aggregate([("count_all", "sum")]).sort_by("word"), out)
    return out


def process() -> int:
    return os.getpid()
