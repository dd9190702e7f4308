"""What is new in `stories` since the parent snapshot, so that a reader who has that one need not read all of this one.

Every story_id that stands in one of the two snapshots alone, or in both with another row, has one row (schema CHANGES). `added` and `changed`
rows are there to be read, `removed` and `rekeyed` ones are gone; so a copy of the parent's stories from which all these story_ids are deleted, and to which
the rows of `stories` with these story_ids are added, is this snapshot's stories.

Files are named by what they hold, so those of one name need not be opened. `compare` looks at one part of a month after the other, `settle` at what
left one month for another and at where the story of a row that is gone is told now. Same two snapshots, same rows; but they depend on the parent,
so this table is no part of what a snapshot is named after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import files
from tasks.schema import CHANGE_KINDS, CHANGES, OF_THE_CLUSTER, STORIES, conform

Mask = npt.NDArray[np.bool_]
COMPARED = 4_096  # rows compared at a time
_IDENTITY = ("story_id", "raw_id", "raw_uri")
_FOUND = pa.schema(
    [
        *(CHANGES.field(name) for name in ("story_id", "change", "changed_columns", "file")),
        *(STORIES.field(name).with_nullable(nullable=True) for name in _IDENTITY[1:]),
    ]
)
_TOLD = pa.schema([STORIES.field(name) for name in (*_IDENTITY, "cluster_id")])
_BY_PLACE = r"#\d+$"
"""How a raw_id ends that a record was given by its place in its file: another record may have it next time."""


class Part(NamedTuple):
    """Files of stories, new and old, by their paths in their snapshots, that can have rows in common, and the rows of the new ones."""

    now: tuple[str, ...]
    then: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Compared:
    """Where the rows found are, or what is wrong with the parent's files."""

    found: Path
    unreadable: str | None = None


def parts(now: Iterable[Mapping[str, Any]], then: Iterable[Mapping[str, Any]]) -> list[Part]:
    """The files of stories that one snapshot alone has, by month and leading bits of story_id, from the entries of the manifests."""
    sides: list[dict[str, int]] = [
        {entry["path"]: entry["rows"] for entry in entries if entry["path"].startswith("stories/")} for entries in (now, then)
    ]
    cut: defaultdict[str, list[int]] = defaultdict(list)
    alone = [{path: rows for path, rows in side.items() if path not in other} for side, other in (sides, sides[::-1])]
    for side in alone:
        for path in side:
            month, _, of = _place(path)
            cut[month].append(of)
    grouped: defaultdict[tuple[str, int], list[list[str]]] = defaultdict(lambda: [[], []])
    for number, side in enumerate(alone):
        for path in side:
            month, part, of = _place(path)
            grouped[month, part * min(cut[month]) // of][number].append(path)
    return [Part(tuple(new), tuple(old), sum(sides[0][path] for path in new)) for _, (new, old) in sorted(grouped.items())]


def _place(path: str) -> tuple[str, int, int]:
    """Month, part and number of parts of a file: `stories/2025-03.0-of-2.0123456789abcdef.parquet`."""
    month, cut, *_ = path.partition("/")[2].split(".")
    part, _, of = cut.partition("-of-")
    return month, int(part), int(of)


def compare(batch: Sequence[Part], snapshot: Path, parent: Path | None, read: Collection[str] | None, out: Path) -> Compared:
    """Write down which rows of some files are new, gone or others.

    Args:
        read: raw_uris of the files that were read anew by the recipe of the parent; None: by another one. What a raw file gave that was not read again is
            as it was but for its cluster.
    """
    anew = None if read is None else pa.array(sorted(read), pa.string())
    tables = [_FOUND.empty_table()]
    for part in batch:
        with _opened(snapshot, part.now) as now:
            try:
                with _opened(parent, part.then) if parent else nullcontext() as then:
                    tables += _compared(now, then, anew) if then else [_rows(now.read(_IDENTITY[:1]), "added", now.of_rows())]
            except OSError as error:
                return Compared(out, str(error))
    files.write_arrow(pa.concat_tables(tables).combine_chunks().to_batches(), _FOUND, out)
    return Compared(out)


@dataclass(frozen=True)
class _Opened:
    """Some files of stories, open."""

    paths: tuple[str, ...]
    files: tuple[pq.ParquetFile, ...]

    def read(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all rows; null where an older version had no such column."""
        wanted = pa.schema([STORIES.field(name).with_nullable(nullable=True) for name in names])
        tables = [wanted.empty_table()]
        for file in self.files:
            there = [name for name in names if name in file.schema_arrow.names]
            table = file.read(there, use_threads=False)
            tables.append(
                pa.table([table[name] if name in there else pa.nulls(len(table), wanted.field(name).type) for name in names], wanted)
            )
        return pa.concat_tables(tables)

    def values(self, name: str, rows: npt.NDArray[np.int64]) -> tuple[pa.Array[Any], npt.NDArray[np.int64]]:
        """A column of the row groups that hold some rows, in one piece, and where these stand in it.

        Rows are sorted by source, so those of one raw file mostly lie together.
        """
        groups = [(file, number) for file in self.files for number in range(file.num_row_groups)]
        sizes = np.array([file.metadata.row_group(number).num_rows for file, number in groups])
        starts = np.concatenate([[0], np.cumsum(sizes)])
        group = np.searchsorted(starts, rows, side="right") - 1
        wanted = np.unique(group)
        first = np.zeros(len(sizes), np.int64)
        first[wanted] = np.concatenate([[0], np.cumsum(sizes[wanted])[:-1]])
        kind = STORIES.field(name).type
        chunks = [pa.chunked_array([], kind)]
        for file in self.files:
            mine = [groups[number][1] for number in wanted.tolist() if groups[number][0] is file]
            if name in file.schema_arrow.names:
                chunks.append(file.read_row_groups(mine, [name], use_threads=False)[name])
            else:
                chunks.append(pa.chunked_array([pa.nulls(sum(file.metadata.row_group(number).num_rows for number in mine), kind)]))
        # more than 2 GB of text are no error
        whole = pa.chunked_array([chunk for column in chunks for chunk in column.chunks], kind)
        return (whole.cast(pa.large_string()) if kind == pa.string() else whole).combine_chunks(), rows - starts[group] + first[group]

    def of_rows(self) -> pa.Array[Any]:
        """For each row its file."""
        counts = [file.metadata.num_rows for file in self.files]
        return pa.array(self.paths, pa.string()).take(pa.array(np.repeat(np.arange(len(counts)), counts)))


@contextmanager
def _opened(snapshot: Path, paths: Sequence[str]) -> Iterator[_Opened]:
    with ExitStack() as stack:
        yield _Opened(tuple(paths), tuple(stack.enter_context(files.parquet(snapshot / path)) for path in paths))


def _compared(new_files: _Opened, old_files: _Opened, anew: Any) -> Iterator[pa.Table]:
    now, then, place = new_files.read(_IDENTITY), old_files.read(_IDENTITY), new_files.of_rows()
    at = pc.index_in(now["story_id"], value_set=then["story_id"].combine_chunks())
    stays = np.asarray(at.is_valid().to_numpy())
    gone = np.ones(len(then), np.bool_)
    old, new = at.drop_null().to_numpy(), np.flatnonzero(stays)
    gone[old] = False
    yield _rows(now.filter(pa.array(~stays)), "added", place.filter(pa.array(~stays)))
    yield _rows(then.filter(pa.array(gone)), "removed", None)
    everything = np.ones(len(new), np.bool_)
    if anew is not None:
        everything = np.asarray(pc.is_in(now["raw_uri"].take(pa.array(new)), value_set=anew).to_numpy())
    differs = {}
    for name in STORIES.names[1:]:
        some = np.flatnonzero(everything if name not in OF_THE_CLUSTER else np.ones(len(new), np.bool_))
        found = np.zeros(len(new), np.bool_)
        if len(some):
            (before, was), (after, now_is) = (side.values(name, rows[some]) for side, rows in ((old_files, old), (new_files, new)))
            for mine in np.split(np.arange(len(some)), range(COMPARED, len(some), COMPARED)):
                found[some[mine]] = _differ(before.take(pa.array(was[mine])), after.take(pa.array(now_is[mine])))
        differs[name] = found
    matrix = np.stack(list(differs.values()), axis=1) if len(new) else np.zeros((0, len(differs)), np.bool_)
    other = matrix.any(axis=1)
    names = pa.array(list(differs), pa.string())
    lists = pa.ListArray.from_arrays(
        pa.array(np.concatenate([[0], np.cumsum(matrix[other].sum(axis=1))]).astype(np.int32)),
        names.take(pa.array(np.nonzero(matrix[other])[1])),
        CHANGES.field("changed_columns").type,
    )
    rows = pa.array(new[other])
    yield _rows(now.take(rows), "changed", place.take(rows), lists)


def _rows(identity: pa.Table, change: str, place: Any, lists: Any = None) -> pa.Table:
    """Some rows of _FOUND."""
    count = len(identity)
    columns = {
        "change": pa.repeat(change, count),
        "file": pa.nulls(count, pa.string()) if place is None else place,
        "changed_columns": pa.nulls(count, CHANGES.field("changed_columns").type) if lists is None else lists,
    }
    columns |= {name: identity[name] if name in identity.column_names else pa.nulls(count, pa.string()) for name in _IDENTITY}
    return pa.table([columns[name] for name in _FOUND.names], schema=_FOUND)


def _differ(one: Any, other: Any) -> Mask:
    """Where two arrays of one type and length differ, value by value, null being a value."""
    if pa.types.is_list(one.type):
        lengths = [pc.fill_null(pc.list_value_length(side), -1).to_numpy() for side in (one, other)]
        found = np.asarray(lengths[0] != lengths[1])
        same = np.flatnonzero(~found)
        if len(same) and lengths[0][same].max() > 0:
            sides = [side.take(pa.array(same)) for side in (one, other)]
            row = pc.list_parent_indices(sides[0]).to_numpy()
            found[same[row[_differ(*(pc.list_flatten(side) for side in sides))]]] = True
        return found
    if pa.types.is_struct(one.type):
        fields = [_differ(*(pc.struct_field(side, number) for side in (one, other))) for number in range(one.type.num_fields)]
        return np.asarray(np.logical_or.reduce([one.is_valid().to_numpy(False) != other.is_valid().to_numpy(False), *fields]))
    null = one.is_null().to_numpy(False) != other.is_null().to_numpy(False)
    return np.asarray(null | pc.fill_null(pc.not_equal(one, other), False).to_numpy(False))


# ---- all together ---------------------------------------------------------------------------------------------------------


def settle(
    compared: Sequence[Path], snapshot: Path, now: Sequence[Mapping[str, Any]], parent: Path | None, then: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """CHANGES, in no order, from what `compare` found: some 150 bytes a row.

    A story that is gone is kept, in this order, under the story_id that its record is a duplicate of now; that the record is that came in its place (of the same
    raw file and the same raw_id, if that is the record's own), or is a duplicate of; or under which most of its copies are told now (of several, the first).

    Args:
        now, then: entries of the manifests.
    """
    found = pa.concat_tables([_arrow(path) for path in compared])
    added, removed = (found.filter(pc.equal(found["change"], change)) for change in ("added", "removed"))
    moved = _in(added, "story_id", removed)
    rest = found.filter(pc.equal(found["change"], "changed"))
    again = added.filter(moved)
    again = again.set_column(again.column_names.index("change"), "change", pa.repeat("changed", len(again)))
    removed = removed.filter(pc.invert(_in(removed, "story_id", added)))
    added = added.filter(pc.invert(moved))
    replaced, was = pa.nulls(len(removed), pa.string()), pa.nulls(len(added), pa.string())
    if parent and (len(removed) or len(added)):
        replaced, was = _followed(removed, added, *_duplicates(snapshot, now, parent, then, removed, added))
    gone = removed.set_column(
        removed.column_names.index("change"), "change", pc.if_else(pc.is_valid(replaced), "rekeyed", "removed").cast(pa.string())
    )
    tables = []
    for rows, by, before in ((rest, None, None), (again, None, None), (gone, replaced, None), (added, None, was)):
        for name, column in (("replaced_by", by), ("was", before)):
            rows = rows.append_column(name, pa.nulls(len(rows), pa.string()) if column is None else column)  # noqa: PLW2901 - two columns more
        tables.append(conform(rows, CHANGES))
    return pa.concat_tables(tables)


def counts(changes: pa.Table) -> dict[str, int]:
    """How many rows of each kind, for the manifest."""
    kinds = pc.value_counts(changes["change"])
    told = dict(zip(kinds.field("values").to_pylist(), kinds.field("counts").to_pylist(), strict=True))
    return {kind: told.get(kind, 0) for kind in CHANGE_KINDS}


def _arrow(path: Path) -> pa.Table:
    with files.arrow(path) as file:
        return file.read_all()


def _in(rows: pa.Table, column: str, others: pa.Table, named: str = "story_id") -> Any:
    return pc.is_in(rows[column], value_set=others[named].combine_chunks())


def _duplicates(
    snapshot: Path,
    now: Sequence[Mapping[str, Any]],
    parent: Path,
    then: Sequence[Mapping[str, Any]],
    removed: pa.Table,
    added: pa.Table,
) -> tuple[pa.Table, pa.Table]:
    """The duplicates that tell where a story went: those of the parent that were copies of what is gone or are stories now; those of now that these are, or
    that came in the place of what is gone."""
    paths = [{entry["path"] for entry in entries if entry["path"].startswith("duplicates/")} for entries in (now, then)]
    before = [_TOLD.empty_table()]
    for path in sorted(paths[1] - paths[0]):
        rows = files.read_table(parent / path, _TOLD.names).cast(_TOLD)
        before.append(rows.filter(pc.or_(_in(rows, "cluster_id", removed), _in(rows, "story_id", added))))
    of_old = pa.concat_tables(before)
    wanted = pa.concat_tables([removed.select(["story_id"]), of_old.select(["story_id"])])
    keys = pa.table({"story_id": _own_key(removed)})
    after = [_TOLD.empty_table()]
    for path in sorted(paths[0] - paths[1]):
        rows = files.read_table(snapshot / path, _TOLD.names).cast(_TOLD)
        keyed = pc.fill_null(pc.is_in(_own_key(rows), value_set=keys["story_id"].drop_null().combine_chunks()), False)
        after.append(rows.filter(pc.or_(_in(rows, "story_id", wanted), keyed)))
    return of_old, pa.concat_tables(after)


def _own_key(rows: pa.Table) -> pa.ChunkedArray[Any]:
    """What a record has in common with its next version: raw file and raw_id; null where raw_id tells its place alone."""
    key = pc.binary_join_element_wise(rows["raw_uri"], rows["raw_id"], "\n")
    return pc.if_else(pc.match_substring_regex(rows["raw_id"], _BY_PLACE), pa.scalar(None, pa.string()), key)


def _followed(removed: pa.Table, added: pa.Table, of_old: pa.Table, of_new: pa.Table) -> tuple[pa.ChunkedArray[Any], pa.ChunkedArray[Any]]:
    """replaced_by of what is gone, and was of what is new, null where the story has neither past nor future."""
    as_duplicate = _found(removed["story_id"], of_new["story_id"], of_new["cluster_id"])
    came = pa.table(
        {
            "key": pa.chunked_array([*_own_key(added).chunks, *_own_key(of_new).chunks], pa.string()),
            "now": pa.chunked_array([*added["story_id"].chunks, *of_new["cluster_id"].chunks], pa.string()),
        }
    )
    mine = _own_key(removed)
    once = pa.table({"key": mine}).group_by("key").aggregate([([], "count_all")]).filter(pc.field("count_all") == 1)
    came = came.group_by("key").aggregate([("now", "min"), ([], "count_all")]).filter(pc.field("count_all") == 1)
    came = came.filter(pc.is_in(came["key"], value_set=once["key"].drop_null().combine_chunks()))
    as_next_version = _found(mine, came["key"], came["now_min"])
    members = of_old.filter(_in(of_old, "cluster_id", removed))
    alone = _found(members["story_id"], added["story_id"], added["story_id"])
    members = pa.table(
        {"then": members["cluster_id"], "now": pc.coalesce(_found(members["story_id"], of_new["story_id"], of_new["cluster_id"]), alone)}
    )
    most = members.filter(members["now"].is_valid()).group_by(["then", "now"]).aggregate([([], "count_all")])
    most = most.sort_by([("then", "ascending"), ("count_all", "descending"), ("now", "ascending")])
    as_copy = _found(removed["story_id"], most["then"], most["now"])
    replaced = pc.coalesce(as_duplicate, as_next_version, as_copy)
    heirs = pa.table({"now": replaced, "then": removed["story_id"]}).group_by("now").aggregate([("then", "min")])
    was = pc.coalesce(
        _found(added["story_id"], of_old["story_id"], of_old["cluster_id"]), _found(added["story_id"], heirs["now"], heirs["then_min"])
    )
    return replaced, was


def _found(wanted: pa.ChunkedArray[Any], keys: pa.ChunkedArray[Any], values: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """For each wanted key the value beside the first such key, null where there is none; null finds nothing."""
    return values.take(pc.index_in(wanted, value_set=keys.combine_chunks(), skip_nulls=True))
