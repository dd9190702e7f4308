"""Fingerprint kernels on one core, step by step, beside other MinHash libraries on the same texts in the same run.

Stories of 4.8 KB, cut from the background, in batches as the stage takes them: CPU seconds of the process, of each batch
the best of some rounds, because other programs on the machine can only make it slower. The rivals get what a user would
write: words split at white space, five joined to a shingle. rensa is raced when it is installed. Exit code 1 when a
signature is not what datasketch makes of the same shingles.
"""

from __future__ import annotations

import json
import math
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasketch import MinHash

from bench.machine import RESULTS, machine, versions
from bench.quality import BENCHMARKS
from tasks import fingerprint, rarity, schema, settings, terms
from tasks.kernels import sketches
from tasks.kernels import terms as kernel

BYTES = 4_800
STORIES = 2_000
FEWER = 200
"""Stories for the rivals: they take some ten to three hundred times as long."""
ROUNDS = 15


def main(arguments: list[str]) -> int:
    """Measure with `N` stories (default 2,000); the figures go to bench/results."""
    source = BENCHMARKS / "data" / "background" / "stories.parquet"
    if not source.exists():
        print(f"kernels: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    texts = cut(pq.read_table(source, columns=["text"])["text"].to_pylist(), int(arguments[0]) if arguments else STORIES)
    figures: dict[str, float] = {}
    for name, seconds in (*steps(texts), *stage(texts), *rivals(texts[:FEWER])):
        figures[name] = round(seconds * 1e6, 2)
        print(f"{name:<52} {figures[name]:9.1f} us a story {1 / seconds:9,.0f} stories/s", flush=True)
    same = equal(texts[:FEWER])
    report = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "stories": len(texts),
        "bytes": BYTES,
        "machine": machine(),
        "load": os.getloadavg()[0],
        "versions": versions("copydesk", "numba", "numpy", "datasketch", *(["rensa"] if find_spec("rensa") else [])),
        "microseconds": figures,
        "signatures_equal_datasketch": same,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"kernels-{report['date']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"signatures are datasketch's: {'yes' if same else 'NO'}; written to {path}")
    return int(not same)


def cut(stories: list[str], count: int) -> list[str]:
    """The stories one after the other, cut into texts of 4.8 KB at whole characters; from the start again when they end."""
    flat = "\n\n".join(stories).encode()
    places = [i * BYTES % (len(flat) - BYTES) for i in range(count)]
    return [flat[place : place + BYTES].decode("utf-8", "ignore") for place in places]


def steps(texts: list[str]) -> Iterator[tuple[str, float]]:
    """Seconds a story of each kernel, one after the other on each batch, and of their sums."""
    near, derivative = settings.Near(), settings.Derivative()
    table, rare_from = rarity.load().table, derivative.zipf_cut
    signing = fingerprint.permutations(near.permutations, near.seed)
    sampling = fingerprint.permutations(derivative.samples, near.seed)
    best = dict[str, dict[int, float]]()

    def timed(name: str, batch: int, function: Callable[..., Any], *arguments: Any) -> Any:
        started = time.process_time()
        found = function(*arguments)
        spent = time.process_time() - started
        best.setdefault(name, {})[batch] = min(spent, best.get(name, {}).get(batch, math.inf))
        return found

    for _ in range(ROUNDS):
        for i, batch in enumerate(batches(pa.array(texts, pa.large_string()), fingerprint.BATCH)):
            found = timed("tokenise", i, terms.tokenise, batch)
            shingled = timed("shingle", i, kernel.shingle, found.hashes, found.rows, near.shingle_words)
            timed("signatures", i, sketches.signatures, *shingled, *signing)
            weights = (rare_from, rare_from - rarity.UNSEEN, fingerprint.NUMBER_WEIGHT)
            rare = timed("rare", i, kernel.rare, found.hashes, found.kinds, found.rows, table, *weights)
            timed("samples", i, sketches.samples, *rare, *sampling)
            timed("winnow", i, sketches.winnow, found.hashes, found.rows, near.run_words, near.run_window)
    seconds = {name: sum(of.values()) / len(texts) for name, of in best.items()}
    yield from ((f"kernel {name}", spent) for name, spent in seconds.items())
    signature = seconds["tokenise"] + seconds["shingle"] + seconds["signatures"]
    yield "kernels: text to signature", signature
    yield "kernels: text to signature and sketch", signature + seconds["rare"] + seconds["samples"]
    yield "kernels: all", sum(seconds.values())


def stage(texts: list[str]) -> Iterator[tuple[str, float]]:
    """Seconds a story of the whole stage: the kernels, text_hash, and Arrow in and out."""
    empty: dict[Any, Any] = {pa.string(): "", pa.int32(): 0}
    values = {field.name: None if field.nullable else empty.get(field.type, []) for field in schema.CHECKED}
    rows = {field.name: pa.array([values[field.name]] * len(texts), field.type) for field in schema.CHECKED}
    table = schema.conform(pa.table(rows | {"text": pa.array(texts, pa.string())}), schema.CHECKED)
    whole = partial(fingerprint.fingerprint, near=settings.Near(), derivative=settings.Derivative())
    yield "stage fingerprint: all, text_hash, Arrow", fastest(whole, batches(table, 8 * fingerprint.BATCH)) / len(texts)


def rivals(texts: list[str]) -> Iterator[tuple[str, float]]:
    """Seconds a story of splitting alone, and from text to signature."""
    parts = batches(texts, 20)
    yield "rivals: words split at spaces, five joined", fastest(lambda part: [split(text) for text in part], parts) / len(texts)
    for name, hashfunc in (("sha1, its default", None), ("zlib.crc32", zlib.crc32), ("hash32, our signatures", fingerprint.hash32)):

        def sketch(part: list[str], hashfunc: Callable[[bytes], int] | None = hashfunc) -> object:
            shingled = [[shingle.encode() for shingle in split(text)] for text in part]
            return MinHash.bulk(shingled, num_perm=128, seed=1, scheme="affine32", hashfunc=hashfunc)

        yield f"datasketch: text to signature, {name}", fastest(sketch, parts, 3) / len(texts)
    if find_spec("rensa"):
        os.environ["RAYON_NUM_THREADS"] = "1"
        rensa = import_module("rensa").RMinHash
        spent = fastest(lambda part: rensa.digest_matrix_from_token_sets([split(text) for text in part], 128, 1), parts)
        yield "rensa: text to signature", spent / len(texts)


def split(text: str) -> list[str]:
    """Shingles as most pipelines make them: no folding of accents, no scripts without spaces."""
    words = text.lower().split()
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def batches(whole: Any, size: int) -> list[Any]:
    """A list, array or table in slices."""
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def fastest(function: Callable[[Any], object], parts: Sequence[Any], rounds: int = ROUNDS) -> float:
    """CPU seconds for all parts, of each the fastest of some rounds."""
    best = [math.inf] * len(parts)
    for _ in range(rounds):
        for i, part in enumerate(parts):
            started = time.process_time()
            function(part)
            best[i] = min(best[i], time.process_time() - started)
    return sum(best)


def equal(texts: list[str]) -> bool:
    """Whether our signatures are bit for bit those of datasketch over the same shingles."""
    found = terms.tokenise(texts)
    ours = sketches.signatures(*kernel.shingle(found.hashes, found.rows, 5), *fingerprint.permutations(128, 1))
    shingled = [fingerprint.shingles(text, 5) for text in texts]
    theirs = MinHash.bulk(shingled, num_perm=128, seed=1, scheme="affine32", hashfunc=fingerprint.hash32)
    return bool((ours == np.array([one.hashvalues for one in theirs])).all())
