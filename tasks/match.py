"""Matching: which stories may be one, and the verdict on each pair. keys -> propose -> judge.

A story has keys of four kinds: its text's hash, the bands of its signature (one wording), runs of words chosen by
winnowing (a passage in common, however long the rest), and the bands of its sketch (the same rare terms, in whatever words).
The last are the weakest evidence, and stories of one topic share more of them the more there are. So fewer samples need
to collide where two stories were published within days of each other, or one has no date, than elsewhere; what is
copied is found at any distance. `keys` cuts the keys by range into partitions, `propose` groups one partition,
`judge` merges the proposals, throws chance meetings out by comparing signatures and rare terms, and reads the texts of
the rest. Every step takes and writes files; results depend on the set of stories alone, not on shards, partitions or
order.
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
from pyarrow import feather

from tasks import schema, settings, verdict
from tasks.verdict import measures, stories

KEYS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("further", pa.uint32(), nullable=False),
    ],
    metadata={
        "description": "candidate keys; row: of the shard's STORIES; further: 0, or what must be equal too if published before the story's since"
    },
)
STORIES = pa.schema(
    [
        pa.field("story", pa.uint64(), nullable=False),
        pa.field("published", pa.int64(), nullable=False),
        pa.field("since", pa.int64(), nullable=False),
    ],
    metadata={
        "description": "the stories of a shard that have keys; story: first 16 hex digits of story_id; published: UTC us, a bare date its end, "
        "unknown the largest; since: some days before, if unknown the smallest"
    },
)
PAIRS = pa.schema([pa.field("a", pa.uint64(), nullable=False), pa.field("b", pa.uint64(), nullable=False)])
_EXACT, _NEAR, _DERIVATIVE, _RUN = 1, 2, 3, 4
_EVER = np.iinfo(np.int64).min
_FURTHER = 0x9E3779B97F4A7C15
_AT_ONCE = 16_000
"""Stories that are held at once, with their texts and sets: some 250 MB."""
_EQUAL_SIGNATURE = 0.05
"""Share of equal signature values from which a pair is judged; chance gives unrelated texts next to none, a cut of a tenth has it."""


@dataclass(frozen=True)
class Proposed:
    """Where the pairs of one partition are, how many, over how many distinct keys; hot keys and the pairs they left out.

    A pair is counted for each key that left it out; another may have proposed it.
    """

    pairs_file: Path
    pairs: int
    keys: int
    hot_keys: int
    left_out: int


@dataclass(frozen=True)
class Judged:
    """Where the judged pairs are; distinct pairs proposed, pairs left after `sift`, pairs found to be one story."""

    judged_file: Path
    proposed: int
    judged: int
    positive: int


def keys(shard: Path, out: Path, partitions: int, near: settings.Near, derivative: settings.Derivative) -> list[Path]:
    """Write the candidate keys of one shard, one file a partition of the key range.

    Args:
        shard: a FINGERPRINTED Parquet file. Faulty rows have no keys.
        out: folder; partition p of shard s.parquet goes to out/p/s.arrow (KEYS), its stories to out/stories/s.arrow (STORIES).
        partitions: how many ranges the 64-bit keys are cut into.

    Returns:
        the files, in the order of the partitions.

    Raises:
        ValueError: bands x rows exceed the permutations, fewer far_rows than rows, or the shard was fingerprinted otherwise.
    """
    if near.bands * near.rows > near.permutations:
        raise ValueError(f"near: {near.bands} bands x {near.rows} rows exceed {near.permutations} permutations")
    if derivative.far_rows < derivative.rows:
        raise ValueError(f"derivative: far_rows {derivative.far_rows} must not be less than rows {derivative.rows}")
    table = pq.read_table(
        shard, columns=["story_id", "published_at", "published_precision", "reason", "text_hash", "signature", "sketch", "winnowed"]
    )
    table = table.filter(schema.healthy(table))
    story, published = stories.numbers(table["story_id"]), stories.times(table)
    since = np.where(published == np.iinfo(np.int64).max, _EVER, published - derivative.days * stories.DAY_US)
    _write_arrow(pa.table([story, published, since], schema=STORIES), out / "stories" / f"{shard.stem}.arrow")
    found = [(*keys, np.zeros(len(keys[0]), np.uint32)) for keys in _strong_keys(table, near)]
    rows, key, further = (np.concatenate(column) for column in zip(*found, _sketch_keys(table, derivative), strict=True))
    part = _partition(key, partitions)
    files = []
    for p in range(partitions):
        chosen = part == p
        files.append(out / f"{p:04d}" / f"{shard.stem}.arrow")
        _write_arrow(pa.table([key[chosen], rows[chosen].astype(np.uint32), further[chosen]], schema=KEYS), files[-1])
    return files


def _strong_keys(table: pa.Table, near: settings.Near) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]:
    """Row and key of every text that has a word, band of its signature and run of words: texts without a word are no copies."""
    from tasks.kernels import sketches

    rows, signature = _matrix(table["signature"], near.permutations)
    first = np.frombuffer(b"".join(table["text_hash"].to_pylist()), "<u8")[::2]
    bands = sketches.band_keys(signature, near.bands, near.rows, _NEAR)
    runs = np.asarray(pc.list_flatten(table["winnowed"]).to_numpy())
    run_rows = np.asarray(pc.list_parent_indices(table["winnowed"]).to_numpy())
    return [
        (rows, first[rows] ^ np.uint64(_EXACT)),
        (np.repeat(rows, near.bands), bands.reshape(-1)),
        (run_rows, runs ^ np.uint64(_RUN)),
    ]


def _sketch_keys(
    table: pa.Table, derivative: settings.Derivative
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.uint32]]:
    """Row, key and further samples (never 0) of every band of a sketch; texts without rare terms have none."""
    from tasks.kernels import sketches

    if not derivative.enabled:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.uint32)
    rows, matrix = _matrix(table["sketch"], derivative.samples)
    keys, further = sketches.ruler_keys(matrix, derivative.rows, derivative.far_rows - derivative.rows, _DERIVATIVE)
    return np.repeat(rows, derivative.samples), keys.reshape(-1), further.reshape(-1) | np.uint32(1)


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

    A story is proposed with those of its key that come before it in keep order (time of publication, unknown last, then
    story number): with the first `hot_key` of all, or of those published at its `since` or later and of those that have its
    `further` samples too.

    Args:
        files: the files of one partition, of all shards.
        out: the Parquet file to write.
    """
    from tasks.kernels import pairs

    key, story, published, since, further, alone = _shared_keys(files)
    lower, upper, hot_keys, left_out = pairs.propose(key, story, published, np.where(further > 0, since, _EVER), hot_key)
    far = np.flatnonzero((further > 0) & (since > _EVER))
    longer = key[far] ^ (further[far] * np.uint64(_FURTHER))
    order = far[np.lexsort((story[far], published[far], longer))]
    more = pairs.propose(np.sort(longer), story[order], published[order], np.full(len(order), _EVER), hot_key)
    lower, upper = _distinct(np.concatenate([lower, more[0]]), np.concatenate([upper, more[1]]))
    _write(pa.table([lower, upper], schema=PAIRS), out)
    distinct = alone + int((key[1:] != key[:-1]).sum()) + min(1, len(key))
    return Proposed(out, len(lower), distinct, int(hot_keys + more[2]), int(left_out + more[3]))


def _shared_keys(files: Sequence[Path]) -> tuple[Any, ...]:
    """key, story, published, since, further of every key that two stories have, by key and keep order; and how many have one story."""
    from tasks.kernels import pairs

    tables = [feather.read_table(file, memory_map=True) for file in files]
    every = np.concatenate([np.zeros(0, np.uint64), *(table["key"].to_numpy() for table in tables)])
    chosen = pairs.may_repeat(every)
    parts = [tuple(np.zeros(0, field.type.to_pandas_dtype()) for field in (*STORIES, KEYS.field("further")))]
    first = 0
    for file, table in zip(files, tables, strict=True):
        here = chosen[first : first + len(table)]
        first += len(table)
        rows = table["row"].to_numpy()[here]
        told = feather.read_table(file.parent.parent / "stories" / file.name)
        parts.append((*(told[name].to_numpy()[rows] for name in STORIES.names), table["further"].to_numpy()[here]))
    columns = [every[chosen], *(np.concatenate(column) for column in zip(*parts, strict=True))]
    key, story, published, _, _ = columns
    order = np.lexsort((story, published, key))
    order = order[_repeated(key[order])]
    return (*(column[order] for column in columns), len(every) - len(order))


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
        part, parts: judge only the pairs whose `a` lies in this one of `parts` ranges, which have about as many pairs each.
    """
    table = pa.concat_tables([pq.read_table(file) for file in pairs]) if pairs else PAIRS.empty_table()
    lower, upper = (np.asarray(table[name].to_numpy()) for name in PAIRS.names)
    smaller = 1 - (1 - lower / 2**64) ** 2  # of two evenly spread numbers the smaller one falls evenly so
    mine = np.minimum((smaller * parts).astype(np.int64), parts - 1) == part
    lower, upper = _distinct(lower[mine], upper[mine])
    near_enough = sift(lower, upper, shards, near, derivative)
    lower, upper = lower[near_enough], upper[near_enough]
    judged = [
        verdict.judge_pairs(np.stack([lower[some], upper[some]], 1), shards, near, derivative) for some in _batches(lower, upper, _AT_ONCE)
    ]
    result = pa.concat_tables([verdict.JUDGED.empty_table(), *judged]).sort_by([("a", "ascending"), ("b", "ascending")])
    _write(result, out)
    return Judged(out, len(near_enough), len(result), len(result) - result["relation"].null_count)


def _batches(lower: npt.NDArray[np.uint64], upper: npt.NDArray[np.uint64], stories_at_once: int) -> list[npt.NDArray[np.int64]]:
    """The pairs in batches of some stories each: connected stories together, so that most texts are read once; places of the pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(lower):
        return []
    known, places = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    left, right = places[: len(lower)], places[len(lower) :]
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(len(known), len(known)))
    component = connected_components(graph, directed=False)[1][left]
    order = np.lexsort((left, component))
    fresh = np.zeros(len(order), np.int64)  # at each pair, in order: stories not seen before
    _, first = np.unique(np.stack([left[order], right[order]], 1).reshape(-1), return_index=True)
    np.add.at(fresh, first // 2, 1)
    batch = np.cumsum(fresh) // stories_at_once
    return np.split(order, np.flatnonzero(np.diff(batch)) + 1)


def sift(
    lower: npt.NDArray[np.uint64],
    upper: npt.NDArray[np.uint64],
    shards: Sequence[Path],
    near: settings.Near,
    derivative: settings.Derivative,
) -> npt.NDArray[np.bool_]:
    """Which pairs are worth reading: equal texts, enough equal signature values, or enough rare terms in common; bool[pairs].

    Rare terms count only where a rewrite could be: not in texts with few of them, nor within one outlet.

    Raises:
        ValueError: a story of a pair is in none of the shards.
    """
    from tasks.kernels import pairs, sketches

    wanted = np.unique(np.concatenate([lower, upper]))
    signature = np.zeros((len(wanted), near.permutations), np.uint32)
    words = np.zeros(len(wanted), np.bool_)
    outlets = np.full(len(wanted), "", object)
    text = np.zeros(len(wanted), "V16")
    found, terms, weights, counts = [], [], [], []
    for shard in shards:
        ids = stories.numbers(pq.read_table(shard, columns=["story_id"])["story_id"])
        rows = np.flatnonzero(np.isin(ids, wanted))
        if not len(rows):
            continue
        table = pq.read_table(shard, columns=["source", "text_hash", "signature", "terms", "weights"]).take(pa.array(rows))
        places = np.searchsorted(wanted, ids[rows])
        found.append(places)
        text[places] = np.array(table["text_hash"].to_pylist(), "V16")
        outlets[places] = measures.outlets(table["source"].to_pylist())
        full, values = _matrix(table["signature"], near.permutations)
        signature[places[full]] = values
        words[places[full]] = True
        counts.append(np.asarray(pc.list_value_length(table["terms"]).to_numpy()))
        terms.append(np.asarray(pc.list_flatten(table["terms"]).to_numpy()))
        weights.append(np.asarray(pc.list_flatten(table["weights"]).to_numpy()))
    at = np.full(len(wanted), -1)
    at[np.concatenate([np.zeros(0, np.int64), *found])] = np.arange(sum(len(places) for places in found))
    if (at < 0).any():
        missing = wanted[at < 0]
        raise ValueError(f"match: {len(missing)} proposed stories are in no shard, e.g. {missing[0]:016x}; give all shards")
    if not len(wanted):
        return np.zeros(0, np.bool_)
    left, right = np.searchsorted(wanted, lower), np.searchsorted(wanted, upper)
    alike = sketches.equal_samples(signature, left, right) >= _EQUAL_SIGNATURE * near.permutations
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    able = verdict.could_derive(outlets, np.diff(starts)[at], left, right, derivative)
    related = np.flatnonzero(able)
    shared = pairs.weighted_jaccards(np.concatenate(terms), np.concatenate(weights), starts, at[left[related]], at[right[related]])
    able[related] = shared >= derivative.weighted_jaccard
    return np.asarray(((text[left] == text[right]) | alike) & words[left] & words[right] | able)


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def _write_arrow(table: pa.Table, path: Path) -> None:
    """Uncompressed, to be mapped into memory: hashes do not compress, and of most keys no more is read than that they are alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(table, path, compression="uncompressed")
