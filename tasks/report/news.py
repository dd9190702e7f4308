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
        if len(some):
            there = kind in {"added", "changed"}
            paths = some["file"].unique().to_pylist() if there else _gone(snapshot, parent)
            rows += islice(_listed(some, snapshot if there else parent, paths), SHOWN)
    return News(rows, np.sort(story_keys(changes.filter(_clusters_anew(changes))["story_id"])))


def _clusters_anew(changes: pa.Table) -> Any:
    """Mask of the rows whose cluster is new, or has other members (as far as its columns tell)."""
    columns = changes["changed_columns"].combine_chunks()
    told = np.zeros(len(changes), np.bool_)
    of_cluster = pc.is_in(pc.list_flatten(columns), value_set=pa.array(OF_THE_CLUSTER)).to_numpy(zero_copy_only=False)
    told[pc.list_parent_indices(columns).to_numpy()[of_cluster]] = True
    added, changed = (pc.equal(changes["change"], kind).to_numpy() for kind in ("added", "changed"))
    return pa.array(added | changed & (told | columns.is_null().to_numpy(zero_copy_only=False)))


def _gone(snapshot: Path, parent: Path) -> list[str]:
    """Files of the parent's stories that are no more: only in these are rows that are gone."""
    now, then = ({path.name for path in files.inside(folder / "stories", ".parquet")} for folder in (snapshot, parent))
    return [f"stories/{name}" for name in then - now]


def _listed(changes: pa.Table, home: Path, paths: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows of changes that stand in some files of the newest months, with what a list shows of a story."""
    told = {row["story_id"]: row for row in changes.select(["story_id", "change", "replaced_by", "changed_columns"]).to_pylist()}
    ids = changes["story_id"].combine_chunks()
    for path in _newest(paths)[:FILES]:
        with files.parquet(home / path) as file:
            stories = file.read(columns=_COLUMNS)
        stories = stories.filter(pc.is_in(stories["story_id"], value_set=ids))
        for story in stories.sort_by([("published_at", "descending"), ("story_id", "ascending")]).to_pylist():
            change = told[story["story_id"]]
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
    """Files are named by month, YYYY-MM first; those without a date come last."""
    return sorted(paths, key=lambda path: (path.rpartition("/")[2][:1].isdigit(), path), reverse=True)
