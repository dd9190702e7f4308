"""Small stories and a whole matching run, for the tests of match and cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks import cluster, fingerprint, match, schema, settings

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


def shards(rows: Sequence[dict[str, Any]], folder: Path, size: int = 1000) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(0, max(1, len(rows)), size):
        path = folder / f"shard-{i:05d}.parquet"
        table = pa.Table.from_pylist(list(rows[i : i + size]), schema=schema.CHECKED)
        pq.write_table(fingerprint.fingerprint(table, NEAR, DERIVATIVE), path)
        paths.append(path)
    return paths


def propose(paths: Sequence[Path], folder: Path, partitions: int = 1, hot_key: int = POLICY.hot_key) -> list[match.Proposed]:
    keys = [match.keys(path, folder / "keys", partitions, NEAR, DERIVATIVE) for path in paths]
    return [match.propose([files[p] for files in keys], folder / f"pairs-{p}.parquet", hot_key) for p in range(partitions)]


def decide(
    rows: Sequence[dict[str, Any]], folder: Path, size: int = 1000, partitions: int = 1, parts: int = 1, policy: settings.Cluster = POLICY
) -> dict[str, dict[str, Any]]:
    """Decisions by raw_id, `duplicate_of`, `cluster_id` and `same_story` as raw_ids too, after a run in shards, partitions and parts."""
    paths = shards(rows, folder, size)
    pairs = [found.pairs_file for found in propose(paths, folder, partitions)]
    judged = [match.judge(pairs, paths, folder / f"judged-{p}.parquet", NEAR, DERIVATIVE, p, parts).judged_file for p in range(parts)]
    done = cluster.cluster(judged, paths, folder / "decisions.parquet", "0123456789abcdef", NEAR, DERIVATIVE, policy)
    names = {row["story_id"]: row["raw_id"] for row in rows}
    table = pq.read_table(done.decisions_file)
    assert table.schema.equals(schema.DECISIONS)
    out = {}
    for row in table.to_pylist():
        out[row["raw_id"]] = row | {name: names.get(row[name]) for name in ("duplicate_of", "cluster_id", "same_story")}
    return out
