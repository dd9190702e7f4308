"""Whoever follows the changes of each snapshot has its stories, whatever came before; and learns where the story of a row went that is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inline import CrashError, inline, run
from test_incremental import POOL, step, write

from flows import curate as job
from tasks import feed, files, publish, snapshots
from tasks.schema import CHANGES, DUPLICATES, STORIES

Rows = dict[str, dict[str, Any]]


def table(snapshot: Path, name: str) -> Rows:
    return {row["story_id"]: row for row in pq.read_table(snapshot / name).to_pylist()}


def told(snapshot: Path) -> dict[str, Any]:
    changes: dict[str, Any] = snapshots.read_manifest(snapshot)["changes"]
    return changes


def follow(mirror: Rows, snapshot: Path) -> None:
    """As docs/consumers.md says: all that changed goes, and what there is of it now is read from its file."""
    changes = table(snapshot, "changes")
    for story in changes:
        mirror.pop(story, None)
    for path in {row["file"] for row in changes.values() if row["file"]}:
        for row in pq.read_table(snapshot / path).to_pylist():
            if row["story_id"] in changes:
                assert changes[row["story_id"]]["file"] == path
                mirror[row["story_id"]] = row


def consistent(snapshot: Path, parent: Path | None) -> None:
    """What each row says of the two snapshots is so."""
    now, changes = table(snapshot, "stories"), table(snapshot, "changes")
    then = table(parent, "stories") if parent else {}
    known = set(then) | set(table(parent, "duplicates")) if parent else set()
    kinds = dict.fromkeys(feed.KINDS, 0)
    for story, row in changes.items():
        kinds[row["change"]] += 1
        assert {"added": (False, True), "changed": (True, True)}.get(row["change"], (True, False)) == (story in then, story in now)
        assert (row["change"] == "rekeyed") == (row["replaced_by"] is not None)
        assert row["replaced_by"] is None or row["replaced_by"] in now
        assert row["was"] is None or (row["change"] == "added" and row["was"] in then)
        if row["change"] == "changed":
            other = [name for name in STORIES.names if then[story][name] != now[story][name]]
            assert row["changed_columns"] == other or (row["changed_columns"] is None and "published_at" in other)
        if row["change"] == "added" and story in known:
            assert row["was"]
    assert {story for story in then if story not in now} | {story for story in now if now[story] != then.get(story)} == set(changes)
    entries = told(snapshot)["files"]
    assert kinds == {kind: told(snapshot)[kind] for kind in feed.KINDS}
    assert sum(entry["rows"] for entry in entries) == len(changes)


@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=3, max_size=9))
def test_a_copy_that_follows_is_the_dataset_after_any_history(history: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "TOO_MUCH_NEW", 100.0)
        raw, curated = Path(home, "raw"), Path(home, "curated")
        raw.mkdir()
        write(raw / "always.jsonl", [0, 1, 9])
        overrides: tuple[str, ...] = ()
        mirror: Rows = {}
        applied: str | None = None
        for what, *given_ in [*history, ("arrive", "always.jsonl", [0, 1])]:
            if what == "vanish":
                (raw / given_[0]).unlink(missing_ok=True)
            elif what == "settings":
                overrides = (given_[0],)
            if what == "arrive":
                write(raw / given_[0], given_[1])
            if what not in ("arrive", "prune", "crash"):
                continue
            try:
                with inline(given_[0] if what == "crash" else None):
                    outcome = run(raw, curated, *overrides, prune=what == "prune")
            except CrashError:
                continue
            if outcome.end != "published":
                continue
            parent = told(outcome.snapshot)["parent"]
            assert parent == snapshots.read_manifest(outcome.snapshot)["parent"]
            if parent != applied:  # made again in the same second
                event("made again")
                mirror = {}
                mirror |= table(outcome.snapshot, "stories")
            else:
                event(f"followed from {'nothing' if parent is None else 'a parent'}")
                consistent(outcome.snapshot, curated / "snapshots" / parent if parent else None)
                follow(mirror, outcome.snapshot)
            applied = outcome.snapshot.name
            assert mirror == table(outcome.snapshot, "stories")
            assert snapshots.verify(outcome.snapshot) == []
