"""One reading of a snapshot's tables, of narrow columns and a file at a time: what each source gave, and where the members of each cluster lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import files, terms

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RELATIONS = ("exact", "near", "derivative")
TABLES = ("stories", "duplicates")
PER_SOURCE = ("stories", "duplicates", "words", "removed", "given", "taken", "versions", "quarantined")
UNDATED = np.iinfo(np.int64).min
_REMOVED = ("rule", "text")
_REPAIRED = ("before", "after", "fix")


@dataclass(frozen=True)
class Rows:
    """Some rows of one table. key: of story_id; of: key of the kept story; source: number of its name, group: of its row group; published: UTC us or UNDATED."""

    key: Keys
    of: Keys
    source: Ints
    published: Ints
    group: Ints


@dataclass(frozen=True)
class Verdicts:
    """What was decided on each duplicate, by key. relation: its place in RELATIONS; group: of the row group of decisions."""

    key: Keys
    relation: Ints
    probability: Floats
    group: Ints


@dataclass
class Frequent:
    """How often each item of a list column occurs, by digest of its fields, file by file (the digests of a file are sorted)."""

    paths: list[Path] = field(default_factory=list)
    keys: list[Keys] = field(default_factory=list)
    times: list[Ints] = field(default_factory=list)

    def add(self, path: Path, keys: Keys) -> None:
        from tasks.kernels.digests import distinct

        found, times = distinct(keys)
        self.paths.append(path)
        self.keys.append(found)
        self.times.append(times)

    def holders(self, wanted: Keys) -> Iterator[Path]:
        """As few files as have all the wanted items between them, by taking the one with most of those that are left."""
        held = np.array([places(wanted, keys) >= 0 for keys in self.keys]).reshape(len(self.keys), len(wanted))
        while held.any():
            best = int(held.sum(1).argmax())
            yield self.paths[best]
            held &= ~held[best]

    def summed(self) -> tuple[Keys, Ints]:
        """The distinct digests, and how often each occurs."""
        from tasks.kernels.digests import summed

        if not self.keys:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return summed(np.concatenate(self.keys), np.concatenate(self.times))


@dataclass(frozen=True)
class Scan:
    """What the reading found.

    sources: names, the first is None; per_source: float64[sources, PER_SOURCE]; groups: file and number of each row group;
    kept: stories that stand for others; repeats, verdicts: the duplicates, rows of one order (by key).
    """

    sources: list[str | None]
    per_source: Floats
    groups: list[tuple[Path, int]]
    kept: Rows
    repeats: Rows
    verdicts: Verdicts
    removed: Frequent
    repaired: Frequent
    rules: Counter[str]


def scan(snapshot: Path) -> Scan:
    """Read the narrow columns of all tables once."""
    sources: dict[str | None, int] = {None: 0}
    groups: list[tuple[Path, int]] = []
    removed, repaired, rules = Frequent(), Frequent(), Counter[str]()
    found: dict[str, list[Rows]] = {name: [] for name in TABLES}
    tallies: list[tuple[Ints, Floats]] = []
    faulty = _faulty(snapshot)
    origins: dict[str, set[int]] = {}
    columns = ["story_id", "cluster_id", "source", "published_at", "word_count", "copies", *(["raw_uri"] if faulty else [])]
    columns += [f"removed.list.element.{name}" for name in _REMOVED] + [f"repairs.list.element.{name}" for name in _REPAIRED]
    for table in TABLES:
        for path in files.inside(snapshot / table, ".parquet"):
            with files.parquet(path) as file:
                rows = file.read(columns=columns)
                group = _groups(file, path, groups)
            source = _coded(rows["source"], sources)
            offsets, texts = _flat(rows["removed"], _REMOVED)
            removed.add(path, digests(texts))
            rules.update({one["values"]: one["counts"] for one in pc.value_counts(texts[0]).to_pylist()})
            repaired.add(path, digests(_flat(rows["repairs"], _REPAIRED)[1]))
            went = np.add.reduceat(np.append(_words(texts[1]), 0), offsets[:-1]) * (np.diff(offsets) > 0)
            tallies.append(_tally(table, source, pc.fill_null(rows["word_count"], 0).to_numpy(), went))
            if faulty:
                _origins(rows["raw_uri"], source, faulty, origins)
            chosen = np.flatnonzero(pc.fill_null(pc.greater(rows["copies"], 1), False).to_numpy()) if table == "stories" else None
            some = rows.select(["story_id", "cluster_id", "published_at"])
            some = some if chosen is None else some.take(pa.array(chosen))
            place = slice(None) if chosen is None else chosen
            at = pc.fill_null(some["published_at"].cast(pa.int64()), int(UNDATED)).to_numpy()
            found[table].append(Rows(story_keys(some["story_id"]), story_keys(some["cluster_id"]), source[place], at, group[place]))
    kept, repeats = (_joined(found[name]) for name in TABLES)
    repeats, verdicts = _matched(repeats, _verdicts(snapshot, groups))
    per_source = np.zeros((len(sources), len(PER_SOURCE)))
    for codes, numbers in tallies:
        np.add.at(per_source, codes, numbers)
    _given_and_taken(per_source, kept, repeats)
    for uri, number in faulty.items():
        one = origins.get(uri, set())
        per_source[next(iter(one)) if len(one) == 1 else 0, PER_SOURCE.index("quarantined")] += number
    return Scan(list(sources), per_source, groups, kept, repeats, verdicts, removed, repaired, rules)


def items(path: Path, column: str) -> tuple[Ints, Keys, list[Any]]:
    """The items of a list column of a file: where those of each row begin, a digest of the fields of each, and the fields."""
    names = _REMOVED if column == "removed" else _REPAIRED
    with files.parquet(path) as file:
        rows = file.read(columns=[f"{column}.list.element.{name}" for name in names])
    offsets, fields = _flat(rows[column], names)
    return offsets, digests(fields), fields


def digests(fields: Sequence[Any]) -> Keys:
    """A digest of each row of some columns of text."""
    from tasks.kernels.digests import digest

    keys = np.zeros(len(fields[0]), np.uint64)
    for one in fields:
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + digest(*terms.buffers(one))
    return keys


# ---- parts -----------------------------------------------------------------------------------------------------------


def _groups(file: pq.ParquetFile, path: Path, groups: list[tuple[Path, int]]) -> Ints:
    """The row group of each row, numbered over all files; the groups are added to the list."""
    first = len(groups)
    groups += [(path, number) for number in range(file.num_row_groups)]
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return np.repeat(np.arange(first, len(groups)), sizes)


def _coded(names: pa.ChunkedArray[Any], known: dict[str | None, int]) -> Ints:
    """The number of each name; new names are added."""
    encoded = names.combine_chunks().dictionary_encode()
    codes: Ints = np.array([known.setdefault(name, len(known)) for name in encoded.dictionary.to_pylist()] + [0], np.int64)
    found: Ints = codes[pc.fill_null(encoded.indices, len(codes) - 1).to_numpy(zero_copy_only=False)]
    return found


def _flat(lists: pa.ChunkedArray[Any], names: Sequence[str]) -> tuple[Ints, list[Any]]:
    """Where the items of each row begin, int64[n + 1], and some fields of all items."""
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    flat = pc.list_flatten(lists)
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]), [pc.struct_field(flat, name) for name in names]


def _words(lines: Any) -> Ints:
    """The words of each line; a character of a script without spaces is one."""
    from tasks.kernels import words as kernel

    counted: Ints = kernel.count(*terms.buffers(lines), _kinds())
    return counted


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """What each code point is to the kernel, uint8[0x110000]."""
    from tasks.kernels import words as kernel

    kinds = np.where(terms.tables()[0] == terms.point("北")[0], kernel.CHARACTER, kernel.SIGN).astype(np.uint8)
    kinds[[code for code in range(0x3001) if chr(code).isspace()]] = kernel.SPACE
    return kinds


def _tally(table: str, source: Ints, words: Ints, went: Ints) -> tuple[Ints, Floats]:
    """The first columns of PER_SOURCE, of the sources of one file."""
    codes, place = np.unique(source, return_inverse=True)
    numbers = np.zeros((len(codes), len(PER_SOURCE)))
    numbers[:, TABLES.index(table)] = np.bincount(place, minlength=len(codes))
    numbers[:, 2] = np.bincount(place, words, len(codes))
    numbers[:, 3] = np.bincount(place, went, len(codes))
    return codes, numbers


def _faulty(snapshot: Path) -> Counter[str]:
    """How many records of each raw file are in quarantine."""
    uris = Counter[str]()
    for path in files.inside(snapshot / "quarantine", ".parquet"):
        with files.parquet(path) as file:
            uris.update(file.read(columns=["raw_uri"])["raw_uri"].to_pylist())
    return uris


def _origins(uris: pa.ChunkedArray[Any], source: Ints, faulty: Counter[str], origins: dict[str, set[int]]) -> None:
    """Note the sources of the sound records of files that have faulty ones."""
    at = pc.indices_nonzero(pc.is_in(uris, value_set=pa.array(list(faulty), pa.string()))).to_numpy()
    pairs = pa.table({"uri": uris.take(pa.array(at)), "source": source[at]}).group_by(["uri", "source"]).aggregate([])
    for uri, code in zip(pairs["uri"].to_pylist(), pairs["source"].to_pylist(), strict=True):
        origins.setdefault(uri, set()).add(code)


def story_keys(ids: Any) -> Keys:
    from tasks.kernels.digests import digest

    return digest(*terms.buffers(ids))


def _joined(parts: Sequence[Rows]) -> Rows:
    """All rows, sorted by key."""
    if not parts:
        none, keys = np.zeros(0, np.int64), np.zeros(0, np.uint64)
        return Rows(keys, keys, none, none, none)
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__dataclass_fields__]
    order = np.argsort(columns[0])
    return Rows(*(column[order] for column in columns))


def places(keys: Keys, known: Keys) -> Ints:
    """Where each key stands among the known ones, which are sorted; -1 where it does not."""
    if not len(known):
        return np.full(len(keys), -1)
    at = np.searchsorted(known, keys).clip(max=len(known) - 1)
    return np.where(known[at] == keys, at, -1)


def _matched(repeats: Rows, verdicts: Verdicts) -> tuple[Rows, Verdicts]:
    """Both for the same records in the same order; a snapshot that the gate will refuse may lack some on one side."""
    at = places(verdicts.key, repeats.key)
    there = at >= 0
    rows = Rows(*(getattr(repeats, name)[at[there]] for name in Rows.__dataclass_fields__))
    return rows, Verdicts(*(getattr(verdicts, name)[there] for name in Verdicts.__dataclass_fields__))


def _verdicts(snapshot: Path, groups: list[tuple[Path, int]]) -> Verdicts:
    """The duplicates' lines of decisions, sorted by key."""
    parts: list[tuple[Any, ...]] = []
    for path in files.inside(snapshot / "decisions", ".parquet"):
        with files.parquet(path) as file:
            rows = file.read(columns=["story_id", "relation", "probability"])
            group = _groups(file, path, groups)
        at = pc.indices_nonzero(rows["relation"].is_valid())
        rows = rows.take(at)
        relation = pc.index_in(rows["relation"], value_set=pa.array(RELATIONS)).to_numpy().astype(np.int64)
        parts.append((story_keys(rows["story_id"]), relation, pc.fill_null(rows["probability"], 0.0).to_numpy(), group[at.to_numpy()]))
    empty = (np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    columns = [np.concatenate(column) for column in zip(empty, *parts, strict=True)]
    order = np.argsort(columns[0])
    return Verdicts(*(column[order] for column in columns))


def _given_and_taken(per_source: Floats, kept: Rows, repeats: Rows) -> None:
    """Count, for each pair of duplicate and kept story, who has it from whom."""
    at = places(repeats.of, kept.key)
    giver = np.where(at >= 0, np.append(kept.source, 0)[at], 0)
    taker = repeats.source
    own = (giver == taker) & (taker > 0)
    for name, who in (("given", giver[~own]), ("taken", taker[~own]), ("versions", taker[own])):
        per_source[:, PER_SOURCE.index(name)] += np.bincount(who, minlength=len(per_source))
