"""What is new in `stories` since the parent snapshot, from the table `changes`: the first rows of each kind, and which clusters are others now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.report.scan import Keys, story_keys
from tasks.schema import CHANGE_KINDS, OF_THE_CLUSTER

SHOWN = 200
"""Rows of a kind; the table has the rest."""
FILES = 20
"""Files that are read for the headlines of a kind at most, the newest months first: some 10,000 rows each, of narrow columns."""

_COLUMNS = ["story_id", "raw_id", "title", "source", "published_at"]


@dataclass(frozen=True)
class News:
    """rows: mappings for JSON, by kind in the order of CHANGE_KINDS, the newest first; clusters: sorted keys of the kept stories whose cluster is new or another."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    clusters: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))


def news(snapshot: Path, parent: Path | None) -> News:
    """What `changes` says against `parent`; nothing without one, since then all is new."""
    if parent is None:
        return News()
    changes = files.read_table(snapshot / "changes", columns=["story_id", "change", "replaced_by", "changed_columns", "file"])
    rows: list[dict[str, Any]] = []
    for kind in CHANGE_KINDS:
        some = changes.filter(pc.equal(changes["change"], kind))
        rows += islice(_of_now(some, snapshot) if kind in {"added", "changed"} else _of_then(some, snapshot, parent), SHOWN)
    return News(rows, np.sort(story_keys(changes.filter(_clusters_anew(changes))["story_id"])))


def _clusters_anew(changes: pa.Table) -> Any:
    """Mask of the rows whose cluster is new, or has other members (as far as its columns tell)."""
    columns = changes["changed_columns"].combine_chunks()
    told = np.zeros(len(changes), np.bool_)
    of_cluster = pc.is_in(pc.list_flatten(columns), value_set=pa.array(OF_THE_CLUSTER)).to_numpy(zero_copy_only=False)
    told[pc.list_parent_indices(columns).to_numpy()[of_cluster]] = True
    added, changed = (pc.equal(changes["change"], kind).to_numpy() for kind in ("added", "changed"))
    return pa.array(added | changed & (told | columns.is_null().to_numpy(zero_copy_only=False)))


def _of_now(changes: pa.Table, snapshot: Path) -> Iterator[dict[str, Any]]:
    for path in _newest(changes["file"].unique().to_pylist()):
        yield from _listed(changes.filter(pc.equal(changes["file"], path)), snapshot / path)


def _of_then(changes: pa.Table, snapshot: Path, parent: Path) -> Iterator[dict[str, Any]]:
    """Rows that are gone stand in files of the parent that are no more."""
    now, then = ({path.name for path in files.inside(folder / "stories", ".parquet")} for folder in (snapshot, parent))
    for name in _newest(then - now) if len(changes) else ():
        yield from _listed(changes, parent / "stories" / name)


def _listed(changes: pa.Table, path: Path) -> Iterator[dict[str, Any]]:
    """The rows of changes that stand in a file, with what a list shows of a story."""
    with files.parquet(path) as file:
        stories = file.read(columns=_COLUMNS)
    stories = stories.append_column("place", pc.index_in(stories["story_id"], value_set=changes["story_id"].combine_chunks()))
    stories = stories.filter(stories["place"].is_valid()).sort_by([("published_at", "descending"), ("story_id", "ascending")])
    for story in stories.slice(0, SHOWN).to_pylist():
        (change,) = changes.slice(story["place"], 1).to_pylist()
        yield {
            "kind": change["change"],
            "id": story["story_id"],
            "title": story["title"] or story["raw_id"],
            "source": story["source"],
            "at": story["published_at"] and f"{story['published_at']:%Y-%m-%d}",
            "columns": change["changed_columns"],
            "by": change["replaced_by"],
        }


def _newest(paths: Iterable[str]) -> Sequence[str]:
    """The first FILES of them. They are named by month, YYYY-MM first; those without a date come last."""
    return sorted(paths, key=lambda path: (path.rpartition("/")[2][:1].isdigit(), path), reverse=True)[:FILES]
