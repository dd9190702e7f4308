"""Matching: which stories may be one, and the verdict on each pair. touched -> keys -> propose -> judge.

A story has keys of four kinds: its text's hash, the bands of its signature (one wording), runs of words chosen by
winnowing (a passage in common, however long the rest), and the bands of its sketch (the same rare terms, in whatever words).
The last are the weakest evidence, and stories of one topic share more of them the more there are. So fewer samples need
to collide where two stories were published within days of each other, or one has no date, than elsewhere; what is
copied is found at any distance. `keys` cuts the keys into ranges, `propose` groups one range and throws most chance meetings
out by the outlines of their sketches, `judge` more of them by comparing signatures and rare terms, and reads the texts of the rest. Every step takes and writes files;
results depend on the set of stories alone, not on shards, ranges or order.

A run that adds to a snapshot looks at the keys of stories that came or went alone (`touched`): what they propose now, and what they
proposed then. Pairs that only other keys propose are as they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files, index, settings, verdict
from tasks.index import Ranks, Roster
from tasks.verdict import measures, stories

KEYS = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("rank", pa.uint32(), nullable=False),
        pa.field("further", pa.uint32(), nullable=False),
    ],
    metadata={"description": "candidate keys, a batch a range; further: 0, or what must be equal too of stories that are days apart"},
)
PAIRS = pa.schema([pa.field("pair", pa.uint64(), nullable=False)], metadata={"description": "lower rank << 32 | higher rank, sorted"})
TOUCHED = pa.schema([pa.field("key", pa.uint64(), nullable=False)])
_EXACT, _NEAR, _DERIVATIVE = 1, 2, 3
_RUN = 0xD6E8FEB86659FD93  # odd: winnowing chooses small hashes, and ranges are cut by the upper bits
_FURTHER = 0x9E3779B97F4A7C15
OUTLINES = pa.field("outline", pa.binary(), nullable=False)
_OUTLINE_DEVIATIONS = 2.5
"""Standard deviations by which a sketch may underrate a pair's weighted Jaccard, so that it is not thrown out: .6 % at the least one do more."""
_READ_AT_ONCE = 8_000
"""Stories that are held at once with their texts and sets: some 200 MB."""
_SIFTED_AT_ONCE = 50_000
"""Pairs whose stories are held at once with their signatures and rare terms, 2 KB each: at most some 300 MB."""
_EQUAL_SIGNATURE = 0.05
"""Share of equal signature values from which a pair is judged; chance gives unrelated texts next to none, a cut of a tenth has it."""


@dataclass(frozen=True)
class Proposed:
    """Where the pairs of one range are (proposed now; then), how many now, over how many distinct keys; hot keys and the pairs they left out;
    whether the pairs were looked at in outline.

    A pair is counted for each key that left it out; another may have proposed it.
    """

    now_file: Path
    then_file: Path
    pairs: int
    keys: int
    hot_keys: int
    left_out: int
    outlined: bool


@dataclass(frozen=True)
class Judged:
    """Where the pairs found to be one story are; distinct pairs that are new, pairs left after `sift`, pairs of one story.

    dropped_file: pairs that the touched keys proposed then and do not propose now.
    """

    judged_file: Path
    dropped_file: Path
    proposed: int
    judged: int
    positive: int


def check(near: settings.Near, derivative: settings.Derivative) -> None:
    """Refuse settings that do not fit together.

    Raises:
        SettingsError: bands x rows exceed the permutations, or fewer far_rows than rows.
    """
    if near.bands * near.rows > near.permutations:
        raise settings.SettingsError(f"near: {near.bands} bands x {near.rows} rows exceed {near.permutations} permutations")
    if derivative.far_rows < derivative.rows:
        raise settings.SettingsError(f"derivative: far_rows {derivative.far_rows} must not be less than rows {derivative.rows}")


# ---- keys ---------------------------------------------------------------------------------------------------------------


def touched(roster_file: Path, out: Path, near: settings.Near, derivative: settings.Derivative) -> int:
    """Write the keys of the stories that came or went since the last run, distinct and sorted (TOUCHED); gives how many."""
    from tasks.kernels import digests

    roster = Roster.read(roster_file)
    moved = (roster.now != roster.then) & (roster["month"] != index.FAULTY)
    found = [_keys(roster, int(shard), moved, near, derivative)[0] for shard in np.unique(roster["shard"][moved])]
    keys = digests.distinct(np.concatenate([np.zeros(0, np.uint64), *found]))[0]
    files.write_arrow([pa.record_batch([pa.array(keys)], schema=TOUCHED)], TOUCHED, out)
    return len(keys)


def keys(
    roster_file: Path,
    shards: Sequence[int],
    out: Path,
    ranges: int,
    near: settings.Near,
    derivative: settings.Derivative,
    only: Path | None = None,
) -> Path:
    """Write the candidate keys of some shards: KEYS, one batch a range of the key's upper bits. Faulty records have none.

    Args:
        shards: their numbers in the roster.
        only: a TOUCHED file, beside whose keys no others are written.
    """
    from tasks.kernels import pairs

    roster = Roster.read(roster_file)
    known = (roster.now | roster.then) & (roster["month"] != index.FAULTY)
    bitmap = _bitmap(_touched(only)) if only else None
    found = [_keys(roster, shard, known, near, derivative, bitmap) for shard in shards]
    key, rank, further = (np.concatenate(column) for column in zip(*found, strict=True))
    key, rank, further, starts = pairs.by_range(key, rank, further, ranges)
    batches = (
        pa.record_batch([pa.array(column[begin:stop]) for column in (key, rank, further)], schema=KEYS)
        for begin, stop in pairwise(starts.tolist())
    )
    files.write_arrow(batches, KEYS, out)
    return out


def _touched(only: Path) -> npt.NDArray[np.uint64]:
    with files.arrow(only) as file:
        return np.asarray(file.read_all()["key"].to_numpy())


def _bitmap(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    from tasks.kernels import pairs

    return pairs.filled(keys, min(30, max(10, len(keys).bit_length() + 6)))


def _keys(
    roster: Roster,
    shard: int,
    wanted: npt.NDArray[np.bool_],
    near: settings.Near,
    derivative: settings.Derivative,
    bitmap: npt.NDArray[np.uint64] | None = None,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Key, rank and further samples (0 where none are asked for) of every wanted story of a shard; texts without a word have none.

    Args:
        wanted: of every rank.
        bitmap: only keys that it may hold.

    Raises:
        ValueError: the shard was fingerprinted by other settings.
    """
    from tasks.kernels import pairs, sketches

    every = roster.ranks(shard)
    ranks = every[wanted[every]].astype(np.int64)
    table = index.features(roster, ranks, ["text_hash", "signature", "sketch", "winnowed"])
    rows, signature = _matrix(table["signature"], near.permutations)
    bands = sketches.band_keys(signature, near.bands, near.rows, _NEAR)
    texts, bands = text_hashes(table)[rows, 0] ^ np.uint64(_EXACT), bands.reshape(-1)
    runs = _values(table["winnowed"]) * np.uint64(_RUN)
    at_text, at_band, at_run = (np.arange(len(key)) if bitmap is None else pairs.may_hold(bitmap, key) for key in (texts, bands, runs))
    key = [texts[at_text], bands[at_band], runs[at_run]]
    row = [rows[at_text], rows[at_band // near.bands], _lists(table["winnowed"], at_run)]
    further = [np.zeros(sum(map(len, key)), np.uint32)]
    if derivative.enabled:
        rows, matrix = _matrix(table["sketch"], derivative.samples)
        triples = sketches.ruler_keys(matrix, derivative.rows, _DERIVATIVE).reshape(-1)
        at = np.arange(len(triples)) if bitmap is None else pairs.may_hold(bitmap, triples)
        key.append(triples[at])
        row.append(rows[at // derivative.samples])
        further.append(sketches.further_samples(matrix, at, derivative.rows, derivative.far_rows - derivative.rows) | np.uint32(1))
    return np.concatenate(key), ranks[np.concatenate(row)].astype(np.uint32), np.concatenate(further)


def text_hashes(table: pa.Table) -> npt.NDArray[np.uint64]:
    """The column text_hash as numbers, zeros where it is null: uint64[n, 2]."""
    column = table["text_hash"].fill_null(bytes(16)).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
    if not len(column):
        return np.zeros((0, 2), np.uint64)
    return np.frombuffer(column.buffers()[1], "<u8")[2 * column.offset : 2 * (column.offset + len(column))].reshape(-1, 2)


def _values(column: pa.ChunkedArray[Any]) -> npt.NDArray[Any]:
    """What stands in the lists of a column of one chunk, one list after the other, where it lies."""
    return np.asarray(column.chunk(0).flatten()) if column.num_chunks == 1 else np.asarray(column.combine_chunks().flatten())


def _lists(column: pa.ChunkedArray[Any], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of the list in which some of the `_values` stand."""
    lengths = pc.list_value_length(column).fill_null(0).to_numpy()
    if len(places) == lengths.sum():  # all of them
        return np.repeat(np.arange(len(lengths)), lengths)
    return np.searchsorted(np.cumsum(lengths), places, side="right")


def _matrix(column: pa.ChunkedArray[Any], width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """The rows whose lists are not empty, and their values: int64[m], uint32[m, width].

    Raises:
        ValueError: a list has another length.
    """
    lengths = np.asarray(pc.list_value_length(column).to_numpy())
    rows = np.flatnonzero(lengths)
    values = _values(column)
    if (lengths[rows] != width).any():
        raise ValueError(f"match: sketches of {lengths[rows].max()} values where the settings say {width}; fingerprint the shards again")
    return rows, values.reshape(-1, width)


# ---- proposals ----------------------------------------------------------------------------------------------------------


def propose(
    key_files: Sequence[Path],
    roster_file: Path,
    parts: Sequence[int],
    out: Path,
    near: settings.Near,
    derivative: settings.Derivative,
    hot_key: int,
    outlines_file: Path | None = None,
    only: Path | None = None,
) -> list[Proposed]:
    """Write the distinct pairs of stories that share a key of some ranges: PAIRS, for the seen set now and for that of the last run.

    A story is proposed with those of its key that come before it in keep order: with the first `hot_key` of all, or, by the
    bands of its sketch, of those published some days before it at most (all, if it has no date) and of those that have its
    further samples too. Chance meetings are thrown out by the outlines of signatures and sketches.

    Args:
        key_files: of all shards; parts: the ranges, of which one is held at a time.
        out: folder; `now-PART.arrow` and `then-PART.arrow` are written.
        outlines_file: what `outlines` wrote; without it `judge` looks at the outlines of the pairs that are new, and of no others.
        only: the TOUCHED file that the keys were chosen by: the pairs of all other keys are as they were.
    """
    roster, touched = Roster.read(roster_file), _touched(only) if only else None
    since, dated = _since(roster, derivative.days)
    every = []
    for part in parts:
        key, rank, further, alone = _shared_keys(key_files, part, touched)
        now = _proposed(key, rank, further, since, dated, hot_key, None if roster.now.all() else roster.now)
        then = _proposed(key, rank, further, since, dated, hot_key, roster.then) if roster.then.any() else (np.zeros(0, np.uint64), 0, 0)
        found, numbers = [], []
        for name, (pairs, _, _) in (("now", now), ("then", then)):
            kept = pairs[_resembling(pairs, roster, since, outlines_file, near, derivative)] if outlines_file else pairs
            found.append(out / f"{name}-{part:05d}.arrow")
            numbers.append(len(kept))
            files.write_arrow([pa.record_batch([pa.array(kept)], schema=PAIRS)], PAIRS, found[-1])
        distinct = alone + int((key[1:] != key[:-1]).sum()) + min(1, len(key))
        every.append(Proposed(found[0], found[1], numbers[0], distinct, *now[1:], outlines_file is not None))
    return every


def _since(roster: Roster, days: int) -> tuple[npt.NDArray[np.uint32], int]:
    """By rank the lowest rank published `days` before at the earliest, 0 for stories without a date; how many, the first, have one."""
    healthy = roster["month"] != index.FAULTY
    published = roster["published"][healthy]
    known = published != stories.UNKNOWN
    out = np.zeros(len(roster.table), np.uint32)
    out[: len(published)][known] = np.searchsorted(published, published[known] - days * stories.DAY_US)
    return out, int(known.sum())


def _proposed(
    key: Any,
    rank: Any,
    further: Any,
    since: npt.NDArray[np.uint32],
    dated: int,
    hot_key: int,
    members: npt.NDArray[np.bool_] | None,
) -> tuple[npt.NDArray[np.uint64], int, int]:
    """Distinct pairs that sorted keys propose among the members; hot keys and the pairs they left out."""
    from tasks.kernels import digests, pairs

    if members is not None:
        chosen = members[rank]
        key, rank, further = key[chosen], rank[chosen], further[chosen]
    close = pairs.propose(key, rank, np.where(further > 0, since[rank], np.uint32(0)), hot_key)
    far = np.flatnonzero((further > 0) & (rank < dated))
    longer = key[far] ^ (further[far] * np.uint64(_FURTHER))
    longer, far_rank, _, _ = _grouped(longer, rank[far], further[far])
    apart = pairs.propose(longer, far_rank, np.zeros(len(longer), np.uint32), hot_key)
    return digests.distinct(np.concatenate([close[0], apart[0]]))[0], int(close[1] + apart[1]), int(close[2] + apart[2])


def outlines(roster_file: Path, out: Path, near: settings.Near, derivative: settings.Derivative) -> Path:
    """Write the outline of every story, by rank, in one batch of OUTLINES: 320 bytes a story with 384 samples and 128 permutations."""
    roster = Roster.read(roster_file)
    matrix = np.zeros((len(roster.table), sum(_outline_widths(near, derivative))), np.uint64)
    for shard in range(len(roster.shards)):
        ranks = roster.ranks(shard).astype(np.int64)
        matrix[ranks] = _outlines(roster, ranks, near, derivative)
    width = 8 * matrix.shape[1]
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(matrix), [None, pa.py_buffer(matrix)])
    told = pa.schema([OUTLINES.with_type(pa.binary(width))])
    files.write_arrow([pa.record_batch([column], schema=told)], told, out)
    return out


def _outline_widths(near: settings.Near, derivative: settings.Derivative) -> tuple[int, int]:
    """Numbers of 64 bits for the sketch (4 bits a sample) and for the signature (8 bits a permutation)."""
    return -(-derivative.samples // 16), -(-near.permutations // 8)


def _outlines(roster: Roster, ranks: Ranks, near: settings.Near, derivative: settings.Derivative) -> npt.NDArray[np.uint64]:
    """uint64[n, sum of _outline_widths]."""
    from tasks.kernels import sketches

    table = index.features(roster, ranks, ["sketch", "signature"])
    split, rest = _outline_widths(near, derivative)
    out = np.zeros((len(ranks), split + rest), np.uint64)
    for columns, name, count, bits in (
        (slice(split), "sketch", derivative.samples, 4),
        (slice(split, None), "signature", near.permutations, 8),
    ):
        rows, matrix = _matrix(table[name], count)
        out[rows, columns] = sketches.outlines(matrix, bits)
    return out


def _resembling(
    proposed: npt.NDArray[np.uint64],
    roster: Roster,
    since: npt.NDArray[np.uint32],
    outlines_file: Path | None,
    near: settings.Near,
    derivative: settings.Derivative,
) -> npt.NDArray[np.bool_]:
    """Which pairs `sift` may keep, as far as outlines tell: none of those with equal signature values, few of the others, are missed."""
    from tasks.kernels import sketches

    lower, upper = unpacked(proposed)
    split = _outline_widths(near, derivative)[0]
    close, far = (_least_samples(float(verdict.least_resemblance(days, derivative)), derivative.samples) for days in (0.0, np.inf))
    least = np.where(since[upper] > lower, far, close) if derivative.enabled else np.full(len(lower), 16 * split + 1)
    values = -near.permutations % 8 + int(np.ceil(_EQUAL_SIGNATURE * near.permutations))
    if outlines_file:
        with files.arrow(outlines_file) as file:
            column = file.get_batch(0).column(0)
            matrix = np.frombuffer(column.buffers()[1], np.uint64).reshape(len(column), -1)
            return sketches.resembling(matrix, split, lower, upper, least, values)
    ranks, left, right = index.together(roster, lower, upper)
    return sketches.resembling(_outlines(roster, ranks, near, derivative), split, left, right, least, values)


def _least_samples(weighted_jaccard: float, samples: int) -> int:
    """Fields of a sketch's outline in which a pair of this weighted Jaccard is equal at least; one in sixteen is by chance."""
    share = weighted_jaccard - _OUTLINE_DEVIATIONS * (weighted_jaccard * (1 - weighted_jaccard) / samples) ** 0.5
    return -samples % 16 + int(samples * (share + (1 - share) / 16))


def _shared_keys(key_files: Sequence[Path], part: int, touched: npt.NDArray[np.uint64] | None) -> tuple[Any, ...]:
    """key, rank, further of every key that two stories have, by key and rank; and how many have one story."""
    key, rank, further = _range(key_files, part)
    if touched is not None and len(touched):  # the bitmap lets a few others through
        at = np.minimum(np.searchsorted(touched, key), len(touched) - 1)
        chosen = touched[at] == key
        key, rank, further = key[chosen], rank[chosen], further[chosen]
    return _grouped(key, rank, further)


def _range(key_files: Sequence[Path], part: int) -> list[Any]:
    """The columns of KEYS in one range, of all files; no more of them is held than that."""
    sizes = []
    for path in key_files:
        with files.arrow(path) as file:
            sizes.append(file.get_batch(part).num_rows)
    columns = [np.empty(sum(sizes), field.type.to_pandas_dtype()) for field in KEYS]
    begin = 0
    for path, size in zip(key_files, sizes, strict=True):
        with files.arrow(path) as file:
            for column, values in zip(columns, file.get_batch(part).columns, strict=True):
                column[begin : begin + size] = values.to_numpy()
        begin += size
    return columns


def _grouped(key: Any, rank: Any, further: Any) -> tuple[Any, ...]:
    """The entries whose key two have or more, by key and rank; and how many keys have one."""
    from tasks.kernels import pairs

    every = len(key)
    chosen = pairs.may_repeat(key)
    key, rank, further = key[chosen], rank[chosen], further[chosen]
    order = np.argsort(key)
    order = order[_repeated(key[order])]
    key, rank, further = key[order], rank[order], further[order]
    pairs.sort_within(key, rank, further)
    return key, rank, further, every - len(key)


def _repeated(ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    same = ascending[1:] == ascending[:-1]
    return np.concatenate([[False], same]) | np.concatenate([same, [False]]) if len(ascending) else np.zeros(0, np.bool_)


# ---- verdicts -----------------------------------------------------------------------------------------------------------


def judge(
    proposed: Sequence[Proposed],
    roster_file: Path,
    out: Path,
    near: settings.Near,
    derivative: settings.Derivative,
    part: int = 0,
    parts: int = 1,
) -> Judged:
    """Judge the pairs that are proposed now and were not then, and write those found to be one story: JUDGED, sorted by a, b.

    Args:
        proposed: of all ranges of keys.
        out: folder; `judged-PART.parquet` and `dropped-PART.arrow` are written.
        part, parts: only the pairs whose lower rank lies in this one of so many ranges.
    """
    from tasks.kernels import digests

    roster = Roster.read(roster_file)
    cuts = np.linspace(0, len(roster.table), parts + 1).astype(np.uint64)
    now, then = (_pairs([getattr(one, f"{when}_file") for one in proposed], cuts[part], cuts[part + 1]) for when in ("now", "then"))
    fresh, dropped = now[~digests.within(now, then)], then[~digests.within(then, now)]
    if not all(one.outlined for one in proposed):
        fresh = fresh[_resembling(fresh, roster, _since(roster, derivative.days)[0], None, near, derivative)]
    lower, upper = unpacked(fresh)
    near_enough = sift(lower, upper, roster, near, derivative)
    lower, upper = lower[near_enough], upper[near_enough]
    batches = _batches(lower, upper, _READ_AT_ONCE)
    tables = [judge_pairs(roster, lower[some], upper[some], near, derivative) for some in batches]
    result = pa.concat_tables([verdict.JUDGED.empty_table(), *tables]).sort_by([("a", "ascending"), ("b", "ascending")])
    judged_file, dropped_file = out / f"judged-{part:05d}.parquet", out / f"dropped-{part:05d}.arrow"
    files.write_table(result, judged_file, compression="zstd")
    files.write_arrow([pa.record_batch([pa.array(dropped)], schema=PAIRS)], PAIRS, dropped_file)
    return Judged(judged_file, dropped_file, len(fresh), int(near_enough.sum()), len(result))


def _pairs(pair_files: Sequence[Path], begin: np.uint64, stop: np.uint64) -> npt.NDArray[np.uint64]:
    """The distinct pairs of some files whose lower rank lies in [begin, stop)."""
    from tasks.kernels import digests

    found = [np.zeros(0, np.uint64)]
    for path in pair_files:
        with files.arrow(path) as file:
            pairs = file.get_batch(0).column(0).to_numpy()
            cut = np.searchsorted(pairs, np.array([begin, stop]) << np.uint64(32))
            found.append(np.array(pairs[cut[0] : cut[1]]))
    return digests.distinct(np.concatenate(found))[0]


def unpacked(pairs: npt.NDArray[np.uint64]) -> tuple[Ranks, Ranks]:
    """Lower and higher rank of packed pairs."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def judge_pairs(roster: Roster, lower: Ranks, upper: Ranks, near: settings.Near, derivative: settings.Derivative) -> pa.Table:
    """The verdicts on some pairs that found one story: JUDGED."""
    ranks, left, right = index.together(roster, lower, upper)
    found = index.stories(roster, ranks, near.shingle_words)
    judged = verdict.judge(found, left, right, near, derivative)
    return judged.filter(judged["relation"].is_valid())


def _batches(lower: Ranks, upper: Ranks, stories_at_once: int) -> list[npt.NDArray[np.int64]]:
    """The pairs in batches of some stories each, in an order in which stories of one pair stand near each other (Cuthill and McKee
    1969), so that most texts are read once; places of the pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if not len(lower):
        return []
    known, places = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    left, right = places[: len(lower)], places[len(lower) :]
    both = np.concatenate([left, right]), np.concatenate([right, left])
    graph = coo_array((np.ones(len(both[0]), np.int8), both), shape=(len(known), len(known))).tocsr()
    near = np.empty(len(known), np.int64)
    near[reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(len(known))
    order = np.lexsort((np.maximum(near[left], near[right]), np.minimum(near[left], near[right])))
    fresh = np.zeros(len(order), np.int64)  # at each pair, in order: stories not seen before
    _, first = np.unique(np.stack([left[order], right[order]], 1).reshape(-1), return_index=True)
    np.add.at(fresh, first // 2, 1)
    batch = np.cumsum(fresh) // stories_at_once
    return np.split(order, np.flatnonzero(np.diff(batch)) + 1)


def sift(lower: Ranks, upper: Ranks, roster: Roster, near: settings.Near, derivative: settings.Derivative) -> npt.NDArray[np.bool_]:
    """Which pairs are worth reading: equal texts, enough equal signature values, or enough rare terms in common; bool[pairs].

    Rare terms count only where a rewrite could be: not in texts with few of them, nor within one outlet. More are asked for days apart.
    """
    out = np.zeros(len(lower), np.bool_)
    for begin in range(0, len(lower), _SIFTED_AT_ONCE):
        some = slice(begin, begin + _SIFTED_AT_ONCE)
        out[some] = _sifted(lower[some], upper[some], roster, near, derivative)
    return out


def _sifted(lower: Ranks, upper: Ranks, roster: Roster, near: settings.Near, derivative: settings.Derivative) -> npt.NDArray[np.bool_]:
    from tasks.kernels import pairs, sketches

    ranks, left, right = index.together(roster, lower, upper)
    table = index.features(roster, ranks, ["source", "text_hash", "signature", "terms", "weights"])
    words, values = _matrix(table["signature"], near.permutations)
    signature, has_words = np.zeros((len(ranks), near.permutations), np.uint32), np.zeros(len(ranks), np.bool_)
    signature[words], has_words[words] = values, True
    alike = sketches.equal_samples(signature, left, right) >= _EQUAL_SIGNATURE * near.permutations
    sizes = np.asarray(pc.list_value_length(table["terms"]).to_numpy()).astype(np.int64)
    able = verdict.could_derive(measures.outlets(table["source"].to_pylist()), sizes, left, right, derivative)
    related = np.flatnonzero(able)
    terms, weights = (_values(table[name]) for name in ("terms", "weights"))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    least = verdict.least_resemblance(measures.days_apart(roster["published"], lower[related], upper[related]), derivative)
    able[related] = pairs.weighted_jaccards(terms, weights, starts, left[related], right[related]) >= least
    text = text_hashes(table)
    same = (text[left] == text[right]).all(1)
    return np.asarray((same | alike) & has_words[left] & has_words[right] | able)


# ---- pairs that touched keys let go -------------------------------------------------------------------------------------


def doubtful(
    judged: Sequence[Judged],
    pairs_file: Path,
    roster_file: Path,
    only: Path,
    out: Path,
    let_go: Path,
    near: settings.Near,
    derivative: settings.Derivative,
) -> int:
    """Write the pairs which the touched keys let go (PAIRS), and the keys that may still propose them (TOUCHED); gives how many keys.

    Only pairs found to be one story matter: those in `pairs_file`, JUDGED of the last run.
    """
    from tasks.kernels import digests

    roster = Roster.read(roster_file)
    before = files.read_table(pairs_file, columns=["a", "b"])
    ranks = np.sort(np.stack([roster.find(before[name]) for name in ("a", "b")], 1), axis=1).astype(np.uint64)
    known = (ranks[:, 0] << np.uint64(32)) | ranks[:, 1]
    gone = _pairs([one.dropped_file for one in judged], np.uint64(0), np.uint64(2**32 - 1))
    gone = gone[digests.within(gone, np.sort(known))]
    files.write_arrow([pa.record_batch([pa.array(gone)], schema=PAIRS)], PAIRS, let_go)
    lower, upper = unpacked(gone)
    both = roster.now[lower] & roster.now[upper]
    lower, upper = lower[both], upper[both]
    shared = [np.zeros(0, np.uint64)]
    of_story = _keys_of(roster, np.unique(np.concatenate([lower, upper])), near, derivative)
    for one, other in zip(lower.tolist(), upper.tolist(), strict=True):
        shared.append(of_story[one][digests.within(of_story[one], of_story[other])])
    keys = digests.distinct(np.concatenate(shared))[0]
    keys = keys[~digests.within(keys, _touched(only))]
    files.write_arrow([pa.record_batch([pa.array(keys)], schema=TOUCHED)], TOUCHED, out)
    return len(keys)


def keep(let_go: Path, proposed: Sequence[Proposed]) -> None:
    """Take the pairs that are proposed after all out of those that were let go."""
    from tasks.kernels import digests

    gone = _pairs([let_go], np.uint64(0), np.uint64(2**32 - 1))
    still = _pairs([part.now_file for part in proposed], np.uint64(0), np.uint64(2**32 - 1))
    files.write_arrow([pa.record_batch([pa.array(gone[~digests.within(gone, still)])], schema=PAIRS)], PAIRS, let_go)


def _keys_of(roster: Roster, ranks: Ranks, near: settings.Near, derivative: settings.Derivative) -> dict[int, npt.NDArray[np.uint64]]:
    out: dict[int, npt.NDArray[np.uint64]] = {}
    wanted = np.zeros(len(roster.table), np.bool_)
    wanted[ranks] = True
    for shard in np.unique(roster["shard"][ranks]):
        key, rank, _ = _keys(roster, int(shard), wanted, near, derivative)
        order = np.argsort(rank, kind="stable")
        cuts = np.searchsorted(rank[order], ranks)
        stops = np.searchsorted(rank[order], ranks, side="right")
        out |= {int(one): np.unique(key[order[a:b]]) for one, a, b in zip(ranks, cuts, stops, strict=True) if a < b}
    return out
