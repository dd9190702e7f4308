"""The published stories as a corpus to learn furniture from: their repaired text, before anything was stripped, by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.dataset as ds

from tasks import boilerplate, files, furniture

AT_ONCE = 40_000
"""Stories that are held in memory: some 300 MB."""
_READ = ["story_id", "source", "cluster_id", "published_at", "text", "removed"]


class Published(NamedTuple):
    """A story to learn from, and the numbers of its lines that the published snapshot has removed."""

    story: furniture.Story
    removed: frozenset[int]


def sources(snapshot: Path) -> dict[str, list[str]]:
    """The stories worth reading, as story_ids by source: of each cluster that a source has the first one by id.

    Of a large source the clusters with the smallest ids, which are hashes: a sample that is the same each time. Quarantined records are
    left out, as the snapshot does not say of which source they are; so are stories without a source.
    """
    ids = _dataset(snapshot).to_table(["source", "cluster_id", "story_id"], filter=pc.field("source").is_valid())
    first = ids.group_by(["source", "cluster_id"]).aggregate([("story_id", "min")])
    chosen: dict[str, list[str]] = {}
    for row in first.sort_by([("source", "ascending"), ("cluster_id", "ascending")]).to_pylist():
        of_source = chosen.setdefault(row["source"], [])
        if len(of_source) < furniture.MOST_OF_SOURCE:
            of_source.append(row["story_id_min"])
    return chosen


def stories(snapshot: Path, chosen: Mapping[str, Sequence[str]]) -> Iterator[list[Published]]:
    """The chosen stories of one source after the other."""
    batch: dict[str, Sequence[str]] = {}
    held = 0
    for source, ids in chosen.items():
        if held + len(ids) > AT_ONCE and batch:
            yield from _stories(snapshot, batch)
            batch, held = {}, 0
        batch[source] = ids
        held += len(ids)
    if batch:
        yield from _stories(snapshot, batch)


def newly(taken: furniture.Furniture, corpus: Iterable[Sequence[Published]]) -> Counter[tuple[str, str]]:
    """What a model would newly remove: by source and line (as the stories have it, without case) in how many stories it is kept now."""
    found: Counter[tuple[str, str]] = Counter()
    for story, removed in (published for of_source in corpus for published in of_source):
        lines = story.text.split("\n")
        found.update({(story.source, furniture.fold(lines[n])) for n in taken.known(story.source, lines) if n not in removed})
    return found


def _stories(snapshot: Path, batch: Mapping[str, Sequence[str]]) -> Iterator[list[Published]]:
    ids = [story_id for listed in batch.values() for story_id in listed]
    found: dict[str, list[Published]] = {source: [] for source in batch}
    for rows in _dataset(snapshot).to_batches(_READ, filter=pc.field("story_id").isin(ids)):
        for row in rows.to_pylist():
            day = row["published_at"].astimezone(UTC).date().isoformat() if row["published_at"] else None
            text = boilerplate.rebuild(row["text"], row["removed"])
            story = furniture.Story(row["source"], row["cluster_id"], day, text)
            found[row["source"]].append(Published(story, frozenset(line["line"] for line in row["removed"])))
    yield from found.values()


def _dataset(snapshot: Path) -> ds.Dataset:
    paths = [path for table in ("stories", "duplicates") for path in files.inside(snapshot / table, ".parquet")]
    return files.dataset(paths)
