"""index/: what the local stages made of every store shard, kept so that the next run works only on what is new.

A *worked shard* is two files with the same rows in the same order (by month of publication, then story_id): what only publishing needs, in
Parquet, in small row groups; and the texts with all that matching needs, their features, in Arrow, uncompressed, so that any row can be
read by itself: the stories of a pair lie anywhere. The *roster* of a run is one row for every record, in keep order: time of publication, unknown last, then story_id. A
story's place in it is its *rank*, the number under which matching knows it. All of it is derived: deleting it costs time only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import files, schema, terms
from tasks.verdict import stories as reading

Ranks = npt.NDArray[np.int64]

UNKNOWN, FAULTY = 0, -1
"""Months of stories without a date, and of faulty records, which have no place among the stories."""
ROW_GROUP = 256
"""Rows that are read and unpacked together; a shard may have few of each month."""
STORIES = schema.schema(*(name for name in schema.CHECKED.names if name not in ("raw_state", "text")))
"""Columns of a worked shard's stories: raw_state is the ledger's, the text lies with the features."""
FEATURES = pa.schema(
    [
        pa.field("story", pa.uint64(), nullable=False),
        pa.field("rest", pa.uint64(), nullable=False),
        pa.field("month", pa.int32(), nullable=False),
        pa.field("published", pa.int64(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("word_count", pa.int32(), nullable=False),
        *(schema.COLUMNS[name].field() for name in ("byline", "agency", "published_at", "published_precision", "text")),
        *(schema.COLUMNS[name].field() for name in ("text_hash", "terms", "weights", "signature", "sketch", "winnowed")),
    ],
    metadata={
        "description": "features of a worked shard; story, rest: the two halves of story_id; month: 12 x year + month - 1, 0 unknown, -1 faulty;"
        " published: UTC us, a bare date its end, unknown the largest"
    },
)
ROSTER = pa.schema(
    [
        pa.field("story", pa.uint64(), nullable=False),
        pa.field("rest", pa.uint64(), nullable=False),
        pa.field("month", pa.int32(), nullable=False),
        pa.field("published", pa.int64(), nullable=False),
        pa.field("shard", pa.uint32(), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("rank", pa.uint32(), nullable=False),
        pa.field("then", pa.uint8(), nullable=False),
        pa.field("now", pa.uint8(), nullable=False),
    ],
    metadata={
        "description": "one row a record, by rank; rank: of the records one shard after the other; then, now: in the last seen set, in this one"
    },
)


def name(store_shard: str, uris: Iterable[str]) -> str:
    """Name of the worked shard of a store shard of which the seen set has the records of these raw files."""
    listed = "\n".join(sorted(uris))
    return hashlib.blake2b(f"{store_shard}\n{listed}".encode(), digest_size=16).hexdigest()


def stories_file(folder: Path, shard: str) -> Path:
    return folder / f"{shard}.parquet"


def features_file(folder: Path, shard: str) -> Path:
    return folder / f"{shard}.arrow"


def write(table: pa.Table, folder: Path, shard: str, told: Any) -> str:
    """Write a FINGERPRINTED table as a worked shard, whole or not at all; `told` (JSON) travels with it. Gives the shard's name."""
    month = months(table)
    halves = reading.halves(table["story_id"])
    order = pa.array(np.lexsort((halves[:, 1], halves[:, 0], month)))
    table = table.take(order).combine_chunks()
    month, halves = month[order], halves[order]
    made = [pa.array(column) for column in (halves[:, 0], halves[:, 1], month, reading.times(table))]
    taken = [table[name].combine_chunks() for name in FEATURES.names[len(made) :]]
    files.write_arrow([pa.record_batch([*made, *taken], schema=FEATURES)], FEATURES, features_file(folder, shard), sync=True)
    path = stories_file(folder, shard)
    draft = files.draft(path)
    stories = schema.conform(table, STORIES)
    described = stories.schema.with_metadata({"told": json.dumps(told)})
    files.write_table(stories.cast(described), draft, row_group_size=ROW_GROUP, **files.encoding(STORIES))
    files.replace(draft, path)
    return shard


def told(folder: Path, shard: str) -> Any:
    """What was written with a worked shard."""
    with files.parquet(stories_file(folder, shard)) as file:
        return json.loads(file.schema_arrow.metadata[b"told"])


def _runs(values: npt.NDArray[Any]) -> list[tuple[int, int]]:
    """Begin and end of each run of equal values."""
    cuts = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [(begin, stop) for begin, stop in pairwise(cuts) if begin < stop]


def months(table: pa.Table) -> npt.NDArray[np.int32]:
    """The month of every record: int32[n]."""
    at = table["published_at"]
    known = np.asarray(at.is_valid().to_numpy())
    since_1970 = np.asarray(at.cast(pa.int64()).fill_null(0).to_numpy()).astype("M8[us]").astype("M8[M]").astype(np.int64)
    found = np.where(known, since_1970 + 1970 * 12, UNKNOWN)
    return np.where(np.asarray(schema.healthy(table).to_numpy()), found, FAULTY).astype(np.int32)


def month_name(month: int) -> str:
    """'2025-03'; 'unknown' where there is none."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}" if month > UNKNOWN else "unknown"


# ---- the roster ---------------------------------------------------------------------------------------------------------


def write_roster(folder: Path, now: Sequence[str], then: Sequence[str], out: Path) -> int:
    """Write the roster of the worked shards `now` and of those of the last run, `then`; gives how many records there are now.

    Healthy records come first, in keep order. A record that both have is one row, found in the shard of now.

    Raises:
        ValueError: two records have one story_id, or ids that agree in their first 16 digits.
    """
    of_now, of_then = set(now), set(then)
    shards = [*now, *(shard for shard in then if shard not in of_now)]
    tables = []
    for number, shard in enumerate(shards):
        with files.arrow(features_file(folder, shard)) as file:
            table = pa.Table.from_batches([file.get_batch(0)]).select(["story", "rest", "month", "published"])
            row_numbers = np.arange(len(table), dtype=np.uint32)
        tables.append([*(np.array(column.to_numpy()) for column in table.columns), np.full(len(table), number, np.uint32), row_numbers])
    empty = [np.zeros(0, field.type.to_pandas_dtype()) for field in list(ROSTER)[:6]]
    story, rest, month, published, place, row = (np.concatenate(column) for column in zip(empty, *tables, strict=True))
    in_now, old = place < len(now), np.isin(place, [i for i, one in enumerate(shards) if one in of_then])
    order = np.lexsort((place, rest, story, published, month == FAULTY))
    rank = np.empty(len(order), np.uint32)
    rank[order] = np.arange(len(order))
    story, rest, month, published, place, row = (column[order] for column in (story, rest, month, published, place, row))
    in_now, old = in_now[order], old[order]
    again = np.flatnonzero((story[1:] == story[:-1]) & (rest[1:] == rest[:-1])) + 1  # a reworked shard: the old row stands for none
    both = again[in_now[again - 1] & ~in_now[again]]
    old[both - 1] |= old[both]
    old[both] = False
    for which in (in_now, old):
        numbers_there = np.sort(story[which])
        if (numbers_there[1:] == numbers_there[:-1]).any():
            raise ValueError("index: two records have one story_id, or ids that agree in their first 16 digits; story_id must be a hash")
    columns = [story, rest, month, published, place, row, rank, old.astype(np.uint8), in_now.astype(np.uint8)]
    fresh = [number for number, shard in enumerate(now) if shard not in of_then]
    told = ROSTER.with_metadata(
        {**(ROSTER.metadata or {}), "folder": str(folder), "shards": json.dumps(shards), "fresh": json.dumps(fresh)}
    )
    files.write_arrow(pa.table([pa.array(column) for column in columns], schema=told).to_batches(), told, out)
    return int(in_now.sum())


@dataclass(frozen=True, eq=False)
class Roster:
    """The roster in a file, its columns as arrays by rank; `shards` are the names, `folder` the place of the worked shards.

    fresh: numbers of the shards that the last run did not have.
    """

    table: pa.Table
    folder: Path
    shards: tuple[str, ...]
    fresh: tuple[int, ...]

    @classmethod
    def read(cls, path: Path) -> Roster:
        with files.arrow(path) as file:
            told = file.schema.metadata
            batches = [file.get_batch(i) for i in range(file.num_record_batches)]
            table = pa.Table.from_batches(batches, file.schema).combine_chunks()
        return cls(table, files.located(told[b"folder"].decode()), tuple(json.loads(told[b"shards"])), tuple(json.loads(told[b"fresh"])))

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        return np.asarray(self.table[column].to_numpy())

    @cached_property
    def now(self) -> npt.NDArray[np.bool_]:
        return self["now"].astype(np.bool_)

    @cached_property
    def then(self) -> npt.NDArray[np.bool_]:
        return self["then"].astype(np.bool_)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where the records of each shard begin in the column `rank`: int64[shards + 1]."""
        sizes = np.bincount(self["shard"], minlength=len(self.shards))
        return np.concatenate([[0], np.cumsum(sizes)])

    @cached_property
    def by_story(self) -> npt.NDArray[np.int64]:
        """The ranks by story number; of a record that two shards have the living one first."""
        return np.lexsort((~self.now, self["story"]))

    def ranks(self, shard: int) -> npt.NDArray[np.uint32]:
        """The rank of every row of a shard."""
        return self["rank"][self.starts[shard] : self.starts[shard + 1]]

    def ids(self, ranks: Ranks) -> list[str]:
        """story_id of some records."""
        return [f"{story:016x}{rest:016x}" for story, rest in zip(self["story"][ranks].tolist(), self["rest"][ranks].tolist(), strict=True)]

    def find(self, ids: Sequence[str] | pa.ChunkedArray[Any]) -> Ranks:
        """The ranks of some story_ids, -1 where there is none; a record that is no more is found last."""
        story, order = self["story"], self.by_story
        wanted = reading.halves(ids if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string()))
        at = np.minimum(np.searchsorted(story, wanted[:, 0], sorter=order), max(0, len(order) - 1))
        if not len(order):
            return np.full(len(ids), -1)
        found = order[at]
        return np.where((story[found] == wanted[:, 0]) & (self["rest"][found] == wanted[:, 1]), found, -1)


def rows(roster: Roster, ranks: Ranks, columns: Sequence[str], in_order: bool = True) -> pa.Table:
    """Some columns of STORIES and the text (as large_string: more than 2 GB of it are no error) of some distinct records, in their order or as they lie.

    Memory follows the wanted, not the dataset.
    """
    order, parts = by_place(roster, ranks), []
    plain = [name for name in columns if name != "text"]
    for shard, some in _runs_of(roster["shard"][ranks[order]], order):
        row = roster["row"][ranks[some]].astype(np.int64)
        with files.parquet(stories_file(roster.folder, roster.shards[shard])) as file:
            sizes = np.array([file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)])
            starts = np.concatenate([[0], np.cumsum(sizes)])
            group = np.searchsorted(starts, row, side="right") - 1
            wanted, first = np.unique(group), np.zeros(len(sizes), np.int64)
            first[wanted] = np.concatenate([[0], np.cumsum(sizes[wanted])[:-1]])
            read = file.read_row_groups(wanted.tolist(), columns=plain, use_threads=False)
        place = row - starts[group] + first[group]
        part = read if len(place) == len(read) else read.take(pa.array(place))
        if "text" in columns:
            with files.arrow(features_file(roster.folder, roster.shards[shard])) as file:
                text = file.get_batch(0).column("text").take(pa.array(row))
                part = part.append_column("text", text.cast(pa.large_string()))
        parts.append(part.select(list(columns)))
    table = pa.concat_tables(parts) if parts else schema.schema(*columns).empty_table()
    return table.take(_back(order)) if in_order and not _straight(order, len(order)) else table


def features(roster: Roster, ranks: Ranks, columns: Sequence[str]) -> pa.Table:
    """Some columns of FEATURES of some records, in their order."""
    order, parts = by_place(roster, ranks), []
    for shard, some in _runs_of(roster["shard"][ranks[order]], order):
        with files.arrow(features_file(roster.folder, roster.shards[shard])) as file:
            batch, row = file.get_batch(0).select(list(columns)), roster["row"][ranks[some]]
            parts.append(pa.Table.from_batches([batch if _straight(row, len(batch)) else batch.take(pa.array(row))]))
    table = pa.concat_tables(parts) if parts else pa.schema([FEATURES.field(name) for name in columns]).empty_table()
    return (table if _straight(order, len(order)) else table.take(_back(order))).combine_chunks()


def together(roster: Roster, lower: Ranks, upper: Ranks) -> tuple[Ranks, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct records of some pairs in the order in which they lie, which can be read without sorting them, and the places of both sides."""
    ranks, places = np.unique(np.concatenate([lower, upper]), return_inverse=True)
    order = by_place(roster, ranks)
    places = np.asarray(_back(order))[places]
    return ranks[order], places[: len(lower)], places[len(lower) :]


def _straight(order: npt.NDArray[Any], count: int) -> bool:
    """Whether these are all numbers up to `count`, in their order."""
    return len(order) == count and bool((order == np.arange(count)).all())


def by_place(roster: Roster, ranks: Ranks) -> npt.NDArray[np.int64]:
    """The order of some records in which each shard is read once, from its beginning to its end."""
    return np.lexsort((roster["row"][ranks], roster["shard"][ranks]))


def _runs_of(shard: npt.NDArray[np.uint32], order: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    for begin, stop in _runs(shard):
        yield int(shard[begin]), order[begin:stop]


def _back(order: npt.NDArray[np.int64]) -> pa.Array[Any]:
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return pa.array(back)


def stories(roster: Roster, ranks: Ranks, shingle_words: int) -> reading.Stories:
    """Some stories as the verdict reads them, in the order of `ranks`."""
    from tasks.kernels import terms as kernel

    table = features(roster, ranks, [name for name in reading.COLUMNS if name not in ("story_id", "shingles")])
    table = table.append_column("story_id", pa.array(roster.ids(ranks), pa.string()))
    shingles = []
    for begin in range(0, len(table), ROW_GROUP):  # terms take ten times the memory of their shingles
        found = terms.tokenise(table["text"].slice(begin, ROW_GROUP))
        hashes, starts = kernel.shingle(found.hashes, found.rows, shingle_words)
        shingles.append(pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(hashes), schema.COLUMNS["shingles"].type))
    return reading.of(table.append_column("shingles", pa.chunked_array(shingles, schema.COLUMNS["shingles"].type)))


def batches(roster_file: Path, stories: int) -> list[tuple[int, ...]]:
    """The numbers of the shards in groups of some `stories` records."""
    sizes = np.diff(Roster.read(roster_file).starts)
    part = (np.cumsum(sizes) - 1) // max(1, stories)
    return [tuple(some.tolist()) for some in np.split(np.arange(len(sizes)), np.flatnonzero(np.diff(part)) + 1) if len(some)]


# ---- from one run to the next --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Last:
    """What the run that published a snapshot left here: by worked shard what check counted; its pairs of one story, and its standings."""

    counts: dict[str, Any]
    pairs: Path
    standing: Path
    whole: bool


def worked(folder: Path) -> set[str]:
    """The worked shards that are there."""
    names = {path.name for path in files.inside(folder)}
    return {name.removesuffix(".parquet") for name in names if name.endswith(".parquet") and name.replace(".parquet", ".arrow") in names}


def last(folder: Path, snapshot: str) -> Last | None:
    """What is kept of the run that published a snapshot, None when nothing is."""
    home = folder / f"snapshot-{snapshot}"
    if not {"pairs.parquet", "standing"} <= {path.name for path in files.inside(home)}:
        return None
    try:
        counts = json.loads((home / "shards.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Last(counts, home / "pairs.parquet", home / "standing", set(counts) <= worked(folder))


def keep(folder: Path, snapshot: str, counts: Mapping[str, Any], pairs: Path, standing: Path) -> None:
    """Keep what the next run asks of this one."""
    home = folder / f"snapshot-{snapshot}"
    files.folder(home / "standing")
    files.replace(pairs, home / "pairs.parquet")
    for path in files.inside(standing):
        files.replace(path, home / "standing" / path.name)
    with files.written(home / "shards.json", sync=True) as stream:  # the last: without it nothing is kept
        stream.write(json.dumps(dict(counts)).encode())


def tidy(folder: Path, snapshot: str) -> None:
    """Remove what neither this snapshot nor a next run needs: other recipes, earlier snapshots' pairs, shards that are no more."""
    for other in files.inside(folder.parent):
        if other != folder and other.is_dir():
            files.remove_tree(other)
    kept = last(folder, snapshot)
    for path in files.inside(folder):
        if path.name.startswith("snapshot-"):
            if path.name != f"snapshot-{snapshot}":
                files.remove_tree(path)
        elif kept is None or path.stem not in kept.counts:
            path.unlink()
