"""Matching: which stories may be one, and the verdict on each pair. keys -> propose -> judge.

A story has LSH keys of three kinds: its text's hash, the bands of its signature, the bands of its sketch. `keys` cuts
them by key range into partitions, `propose` groups one partition, `judge` merges the proposals, throws chance meetings
out by comparing whole sketches, and reads the texts of the rest. Every step takes and writes Parquet files; results
depend on the set of stories alone, not on shards, partitions or order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import schema, settings, verdict
from tasks.verdict import stories

KEYS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("story", pa.uint64(), nullable=False),
        pa.field("published", pa.int64(), nullable=False),
    ],
    metadata={
        "description": "LSH keys; story: first 16 hex digits of story_id; published: UTC us, a bare date its end, unknown the largest"
    },
)
PAIRS = pa.schema([pa.field("a", pa.uint64(), nullable=False), pa.field("b", pa.uint64(), nullable=False)])
_PASSAGES = pa.list_(pa.field("item", schema.PASSAGE, nullable=False))
_FLOATS = ("probability", "jaccard", "containment_a", "containment_b", "weighted_jaccard", "coverage_a", "coverage_b", "source_a")
JUDGED = pa.schema(
    [
        pa.field("a", pa.string(), nullable=False),
        pa.field("b", pa.string(), nullable=False),
        pa.field("relation", pa.string()),
        *(pa.field(name, pa.float64()) for name in _FLOATS),
        pa.field("passages", _PASSAGES, nullable=False),
    ],
    metadata={
        "description": "pairs a < b; relation null: two stories; coverage null: texts not read; _a: share of a found in b; source_a: probability that a is b's source"
    },
)
_EXACT, _NEAR, _DERIVATIVE = 1, 2, 3
_EQUAL_SIGNATURE = 0.1
"""Share of equal signature values from which a pair is judged; chance gives unrelated texts next to none."""


@dataclass(frozen=True)
class Proposed:
    """Where the pairs of one partition are, how many, over how many distinct keys; hot keys and the pairs they left out."""

    pairs_file: Path
    pairs: int
    keys: int
    hot_keys: int
    left_out: int


@dataclass(frozen=True)
class Judged:
    """Where the judged pairs are; distinct pairs proposed, pairs left after comparing sketches, pairs found to be one story."""

    judged_file: Path
    proposed: int
    judged: int
    positive: int


def keys(shard: Path, out: Path, partitions: int, near: settings.Near, derivative: settings.Derivative) -> list[Path]:
    """Write the LSH keys of one shard, one file a partition of the key range.

    Args:
        shard: a FINGERPRINTED Parquet file. Faulty rows have no keys.
        out: folder; partition p of shard s.parquet goes to out/p/s.parquet.
        partitions: how many ranges the 64-bit keys are cut into.

    Returns:
        the files, in the order of the partitions.

    Raises:
        ValueError: bands x rows exceed the permutations, or the shard was fingerprinted otherwise.
    """
    table = pq.read_table(shard, columns=["story_id", "published_at", "published_precision", "reason", "text_hash", "signature", "sketch"])
    table = table.filter(schema.healthy(table))
    story, published = stories.numbers(table["story_id"]), stories.times(table)
    found = _band_keys(table, near, derivative)
    found.append(_exact_keys(table["text_hash"], found[0][0][:: near.bands]))
    key = np.concatenate([keys for _, keys in found])
    rows = np.concatenate([rows for rows, _ in found])
    part = _partition(key, partitions)
    files = []
    for p in range(partitions):
        chosen = np.flatnonzero(part == p)
        here = rows[chosen]
        order = np.lexsort((key[chosen], story[here]))
        path = out / f"{p:04d}" / shard.name
        _write(pa.table([key[chosen][order], story[here][order], published[here][order]], schema=KEYS), path)
        files.append(path)
    return files


def _exact_keys(text_hash: pa.ChunkedArray[Any], rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """The given rows, those that have a signature, and a key of their text: texts without a word are no copies of each other."""
    first = np.frombuffer(b"".join(text_hash.to_pylist()), "<u8")[::2]
    return rows, first[rows] ^ np.uint64(_EXACT)


def _band_keys(
    table: pa.Table, near: settings.Near, derivative: settings.Derivative
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
    """Row and key of every band of signature and sketch; texts without shingles or rare terms have none."""
    from tasks.kernels import sketches

    if near.bands * near.rows > near.permutations:
        raise ValueError(f"near: {near.bands} bands x {near.rows} rows exceed {near.permutations} permutations")
    out = []
    plan = [("signature", near.permutations, near.bands, near.rows, _NEAR)]
    if derivative.enabled:
        plan.append(("sketch", derivative.samples, derivative.samples // derivative.rows, derivative.rows, _DERIVATIVE))
    for name, width, bands, size, tag in plan:
        rows, matrix = _matrix(table[name], width)
        out.append((np.repeat(rows, bands), sketches.band_keys(matrix, bands, size, tag).reshape(-1)))
    return out


def _matrix(column: pa.ChunkedArray[Any], width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """The rows whose lists are not empty, and their values: int64[m], uint32[m, width].

    Raises:
        ValueError: a list has another length.
    """
    lengths = np.asarray(pc.list_value_length(column).to_numpy())
    rows = np.flatnonzero(lengths)
    values = np.asarray(pc.list_flatten(column).to_numpy())
    if (lengths[rows] != width).any():
        raise ValueError(f"match: sketches of {lengths[rows].max()} values where the settings say {width}; fingerprint the shards again")
    return rows, values.reshape(-1, width)


def _partition(key: npt.NDArray[np.uint64], partitions: int) -> npt.NDArray[np.int64]:
    """The range each key falls in, by its upper 32 bits."""
    return ((key >> np.uint64(32)) * np.uint64(partitions) >> np.uint64(32)).astype(np.int64)


def propose(files: Sequence[Path], out: Path, hot_key: int) -> Proposed:
    """Write the distinct pairs of stories that share a key of one partition: PAIRS, a < b, sorted.

    A key of more than `hot_key` stories proposes for each of them only the first `hot_key` by time of publication
    (unknown last, then story number).

    Args:
        files: the files of one partition, of all shards.
        out: the Parquet file to write.
    """
    from tasks.kernels import pairs

    table = pa.concat_tables([pq.read_table(file) for file in files]) if files else KEYS.empty_table()
    key, story, published = (np.asarray(table[name].to_numpy()) for name in KEYS.names)
    order = np.argsort(key, kind="stable")
    shared = _repeated(key[order])
    order = order[shared]  # most keys have one story
    order = order[np.lexsort((story[order], published[order], key[order]))]
    lower, upper, hot_keys, left_out = pairs.propose(key[order], story[order], hot_key)
    lower, upper = _distinct(lower, upper)
    _write(pa.table([lower, upper], schema=PAIRS), out)
    return Proposed(out, len(lower), int(len(key) - shared.sum() + len(np.unique(key[order]))), int(hot_keys), int(left_out))


def _repeated(ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    same = ascending[1:] == ascending[:-1]
    return np.concatenate([[False], same]) | np.concatenate([same, [False]]) if len(ascending) else np.zeros(0, np.bool_)


def _distinct(lower: npt.NDArray[np.uint64], upper: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    order = np.lexsort((upper, lower))
    lower, upper = lower[order], upper[order]
    new = np.ones(len(lower), np.bool_)
    new[1:] = (lower[1:] != lower[:-1]) | (upper[1:] != upper[:-1])
    new &= lower != upper
    return lower[new], upper[new]


def judge(
    pairs: Sequence[Path],
    shards: Sequence[Path],
    out: Path,
    near: settings.Near,
    derivative: settings.Derivative,
    part: int = 0,
    parts: int = 1,
) -> Judged:
    """Write the verdicts on the proposed pairs: JUDGED, sorted by a, b; verdicts "two stories" included.

    Args:
        pairs: the files of `propose`, of all partitions.
        shards: all FINGERPRINTED shards; only the stories of proposed pairs are read.
        out: the Parquet file to write.
        part, parts: judge only the pairs whose `a` lies in this one of `parts` equal ranges.
    """
    table = pa.concat_tables([pq.read_table(file) for file in pairs]) if pairs else PAIRS.empty_table()
    lower, upper = (np.asarray(table[name].to_numpy()) for name in PAIRS.names)
    mine = _partition(lower, parts) == part
    lower, upper = _distinct(lower[mine], upper[mine])
    near_enough = sift(lower, upper, shards, near, derivative)
    asked = zip(lower[near_enough].tolist(), upper[near_enough].tolist(), strict=True)
    judged = verdict.judge_pairs(asked, shards, near, derivative)
    result = pa.Table.from_pylist(verdict.as_rows(judged), schema=JUDGED).sort_by([("a", "ascending"), ("b", "ascending")])
    _write(result, out)
    return Judged(out, len(lower), len(judged), sum(j.relation is not None for j in judged))


def sift(
    lower: npt.NDArray[np.uint64],
    upper: npt.NDArray[np.uint64],
    shards: Sequence[Path],
    near: settings.Near,
    derivative: settings.Derivative,
) -> npt.NDArray[np.bool_]:
    """Which pairs are worth reading: equal texts, or enough equal values in the whole signature or sketch; bool[pairs].

    Raises:
        ValueError: a story of a pair is in none of the shards.
    """
    from tasks.kernels import sketches

    wanted = np.unique(np.concatenate([lower, upper]))
    signature = np.zeros((len(wanted), near.permutations), np.uint32)
    sketch = np.zeros((len(wanted), derivative.samples), np.uint32)
    told = np.zeros((len(wanted), 2), np.bool_)
    text = np.zeros(len(wanted), "V16")
    found = np.zeros(len(wanted), np.bool_)
    for shard in shards:
        ids = stories.numbers(pq.read_table(shard, columns=["story_id"])["story_id"])
        rows = np.flatnonzero(np.isin(ids, wanted))
        if not len(rows):
            continue
        table = pq.read_table(shard, columns=["text_hash", "signature", "sketch"]).take(pa.array(rows))
        places = np.searchsorted(wanted, ids[rows])
        found[places] = True
        text[places] = np.array(table["text_hash"].to_pylist(), "V16")
        for column, (name, matrix) in enumerate((("signature", signature), ("sketch", sketch))):
            full, values = _matrix(table[name], matrix.shape[1])
            matrix[places[full]] = values
            told[places[full], column] = True
    if not found.all():
        missing = wanted[~found]
        raise ValueError(f"match: {len(missing)} proposed stories are in no shard, e.g. {missing[0]:016x}; give all shards")
    left, right = np.searchsorted(wanted, lower), np.searchsorted(wanted, upper)
    both = told[left] & told[right]
    alike = sketches.equal_samples(signature, left, right) >= _EQUAL_SIGNATURE * near.permutations
    related = sketches.equal_samples(sketch, left, right) >= derivative.equal_samples * derivative.samples
    return np.asarray((((text[left] == text[right]) | alike) & both[:, 0]) | (related & both[:, 1]))


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")
