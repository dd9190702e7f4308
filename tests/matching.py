"""Small stories and a whole matching run, for the tests of match and cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks import cluster, files, fingerprint, index, match, publish, schema, settings

DATA = Path(__file__).parent / "data"
NEAR, DERIVATIVE, POLICY = settings.Near(), settings.Derivative(), settings.Cluster()


def story(name: str, text: str, **columns: Any) -> dict[str, Any]:
    """A CHECKED row; published_at as text, a bare date has day precision."""
    at = columns.pop("published_at", None)
    moment = datetime.fromisoformat(at) if at else None
    fixed = {"raw_id": name, "raw_uri": "a.jsonl", "raw_sha256": "0", "raw_state": "present", "place": "line 1", "kind": "record"}
    times = {
        "published_at": (moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)) if moment else None,
        "published_precision": None if at is None else "day" if len(at) == 10 else "second",
    }
    counted = {"word_count": len(text.split()), "repairs": [], "removed": [], "text": text}
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return dict.fromkeys(schema.CHECKED.names) | fixed | times | counted | {"story_id": digest} | columns


def families(*names: str, file: str = "families.jsonl") -> list[dict[str, Any]]:
    """The invented stories of some families, all of them by default."""
    rows = [json.loads(line) for line in (DATA / file).read_text(encoding="utf-8").splitlines()]
    return [
        story(row["id"], row["text"], source=row["source"], title=row["title"], published_at=row["published_at"])
        for row in rows
        if not names or row["family"] in names
    ]


def work(rows: Sequence[dict[str, Any]], folder: Path, name: str) -> str:
    """CHECKED rows as a worked shard in `folder`; gives its name."""
    table = pa.Table.from_pylist(list(rows), schema=schema.CHECKED)
    return index.write(fingerprint.fingerprint(table, NEAR, DERIVATIVE), folder, name, {})


def roster(now: Sequence[str], folder: Path, then: Sequence[str] = ()) -> Path:
    """The roster of some shards in `folder`."""
    index.write_roster(folder, now, then, folder / "roster.arrow")
    return folder / "roster.arrow"


def shards(rows: Sequence[dict[str, Any]], folder: Path, size: int = 1000) -> Path:
    """The rows in shards of a size; gives their roster."""
    return roster([work(rows[i : i + size], folder, f"shard-{i:05d}") for i in range(0, max(1, len(rows)), size)], folder)


def propose(
    roster_file: Path, folder: Path, partitions: int = 1, hot_key: int = POLICY.hot_key, only: Path | None = None
) -> list[match.Proposed]:
    """What the keys of all shards propose, one shard a time, in some ranges."""
    folder.mkdir(exist_ok=True)
    numbers = [number for batch in index.batches(roster_file, 1) for number in batch]
    keys = [match.keys(roster_file, [n], folder / f"keys-{n}.arrow", partitions, NEAR, DERIVATIVE, only) for n in numbers]
    return match.propose(keys, roster_file, range(partitions), folder, NEAR, DERIVATIVE, hot_key, None, only)


def ranked(found: Sequence[match.Proposed], when: str = "now") -> list[tuple[int, int]]:
    """The pairs of ranks in the files of all ranges."""
    pairs: list[tuple[int, int]] = []
    for part in found:
        with files.arrow(getattr(part, f"{when}_file")) as file:
            lower, upper = match.unpacked(file.read_all()["pair"].to_numpy())
            pairs += zip(lower.tolist(), upper.tolist(), strict=True)
    return pairs


def named(roster_file: Path, found: Sequence[match.Proposed], when: str = "now") -> set[frozenset[str]]:
    """The pairs of story_ids in the files of all ranges."""
    ids = index.Roster.read(roster_file).ids
    return {frozenset(ids(np.array(pair))) for pair in ranked(found, when)}


def decide(
    rows: Sequence[dict[str, Any]], folder: Path, size: int = 1000, partitions: int = 1, parts: int = 1, policy: settings.Cluster = POLICY
) -> dict[str, dict[str, Any]]:
    """Decisions by raw_id, `duplicate_of`, `cluster_id` and `same_story` as raw_ids too, after a run in shards, partitions and parts."""
    roster_file = shards(rows, folder, size)
    proposed = propose(roster_file, folder, partitions)
    judged = [match.judge(proposed, roster_file, folder, NEAR, DERIVATIVE, part, parts).judged_file for part in range(parts)]
    plan = cluster.plan(judged, roster_file, folder, parts)
    for n, file in enumerate(plan.part_files):
        cluster.cluster(file, roster_file, folder / "standing" / f"{n}.parquet", NEAR, DERIVATIVE, policy)
    copies = cluster.copies(folder / "standing", roster_file, folder / "copies.parquet")
    decided = publish.Decided(roster_file, folder / "standing", copies, (), "0123456789abcdef")
    publish.write(publish.plan(decided, 1000).units, decided, folder / "snapshot", None)
    names = {row["story_id"]: row["raw_id"] for row in rows}
    table = pq.read_table(folder / "snapshot" / "decisions")
    assert table.schema.equals(schema.DECISIONS)
    out = {}
    for row in table.to_pylist():
        out[row["raw_id"]] = row | {name: names.get(row[name]) for name in ("duplicate_of", "cluster_id", "same_story")}
    return out
