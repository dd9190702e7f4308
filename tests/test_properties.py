"""Laws of the whole job, on random input, without the orchestrator: nothing is lost, order and shards do not matter."""

from __future__ import annotations

import json
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from conftest import ROOT
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks import boilerplate, cluster, fingerprint, index, ingest, match, publish, repair, settings
from tasks.repair import apply

KNOBS = settings.load()
FAMILIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()][:16]
FURNITURE = ["Subscribe", "Related Stories", "LEAVE A REPLY", "Share", "© 2025 The Post", "By Ada Byrne", "Published May 3, 2025"]


@st.composite
def broken_lines(draw: st.DrawFn) -> bytes:
    """A line of a JSONL file: stories whole, cut, mixed with furniture or mojibake, and records that are none."""
    story = draw(st.sampled_from(FAMILIES))
    paragraphs = story["text"].split("\n\n")
    kind = draw(st.sampled_from(["whole", "cut", "furniture", "mojibake", "text", "junk", "value"]))
    if kind == "junk":
        return draw(st.binary(max_size=40)).replace(b"\n", b" ") or b"{"
    if kind == "value":
        value = draw(st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=3))
        return json.dumps({"text": value, "title": draw(st.none() | st.text(max_size=10) | st.integers())}).encode()
    text = {
        "whole": story["text"],
        "cut": "\n\n".join(paragraphs[: draw(st.integers(1, 4))]),
        "furniture": "\n".join(draw(st.permutations([*FURNITURE, *paragraphs[:3]]))),
        "mojibake": story["text"][:400].encode().decode("cp1252", "replace"),
        "text": draw(st.text(max_size=200)),
    }[kind]
    dated = draw(st.booleans())
    return json.dumps(
        {"id": story["id"], "source": story["source"], "text": text} | ({"published_at": story["published_at"]} if dated else {})
    ).encode()


def curated(
    lines: list[bytes], order: random.Random | None, shard_rows: int
) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Hashes of the files, the rows of each table, and what ingest wrote by story_id."""
    with TemporaryDirectory() as home:
        raw, store, work, out = (Path(home, name) for name in ("raw", "store", "work", "out"))
        for folder in (raw, store, work, out):
            folder.mkdir()
        for number in range(0, len(lines), 3):
            (raw / f"{number:03d}.jsonl").write_bytes(b"\n".join(lines[number : number + 3]))
        files = list(ingest.walk(raw).files)
        if order:
            order.shuffle(files)
        ledger = pq.read_table(ingest.read_batch(files, store, work / "ledger", KNOBS.ingest.max_record_bytes, shard_rows, 10_000_000))
        states = dict.fromkeys(ledger["raw_uri"].to_pylist(), "present")
        written: dict[str, str] = {}
        shards: list[str] = []
        for shard in sorted({name for names in ledger["shards"].to_pylist() for name in names}):
            table = ingest.parse(pq.read_table(store / shard), KNOBS.ingest, states)
            written |= dict(zip(table["story_id"].to_pylist(), table["text"].to_pylist(), strict=True))
            table = boilerplate.strip(repair.repair(table, KNOBS.repair), KNOBS.strip)
            table = fingerprint.fingerprint(table, KNOBS.near, KNOBS.derivative)
            shards.append(index.write(table, work, index.name(shard, states), {}))
        roster = work / "roster"
        index.write_roster(work, shards, (), roster)
        keys = [
            match.keys(roster, batch, work / f"keys-{n}", 2, KNOBS.near, KNOBS.derivative)
            for n, batch in enumerate(index.batches(roster, 5))
        ]
        proposed = match.propose(keys, roster, range(2), work, KNOBS.near, KNOBS.derivative, 50)
        judged = match.judge(proposed, roster, work, KNOBS.near, KNOBS.derivative).judged_file
        plan = cluster.plan([judged], roster, work, 2)
        for n, part in enumerate(plan.part_files):
            cluster.cluster(part, roster, work / "standing" / f"{n}.parquet", KNOBS.near, KNOBS.derivative, KNOBS.cluster)
        decided = publish.Decided(roster, work / "standing", cluster.copies(work / "standing", roster, work / "copies"), (), "r")
        units = publish.plan(decided, 5).units
        entries = [entry for batch in publish.batches(units, 7) for entry in publish.write(batch, decided, out, None)]
        assert sum(ledger["records"].to_pylist()) == len(pq.read_table(out / "decisions"))
        tables = {name: pq.read_table(out / name).to_pylist() for name in ("stories", "duplicates", "quarantine", "decisions")}
        return {entry["path"]: entry["sha256"] for entry in entries}, tables, written


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(broken_lines(), min_size=1, max_size=14), st.randoms(use_true_random=False))
def test_nothing_is_lost_and_order_does_not_matter(lines: list[bytes], order: random.Random) -> None:
    hashes, tables, written = curated(lines, None, 1000)
    outcome = {row["story_id"]: row["outcome"] for row in tables["decisions"]}
    assert len(outcome) == len(tables["decisions"])
    for table, name in (("stories", "kept"), ("duplicates", "duplicate"), ("quarantine", "quarantined")):
        assert sorted(row["story_id"] for row in tables[table]) == sorted(story for story, one in outcome.items() if one == name)
    for row in tables["stories"] + tables["duplicates"]:
        assert boilerplate.rebuild(row["text"], row["removed"]) == apply(written[row["story_id"]], row["repairs"])
        assert row["text"].strip()
    for row in tables["decisions"]:
        assert (row["duplicate_of"] is not None) == (row["outcome"] == "duplicate")
        assert row["duplicate_of"] is None or outcome[row["duplicate_of"]] == "kept"
        assert (row["reason"] is None) == (row["outcome"] == "kept")
    assert sum(row["copies"] for row in tables["stories"]) == len(tables["stories"]) + len(tables["duplicates"])
    assert curated(lines, order, 2)[0] == hashes
