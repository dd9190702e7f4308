"""What worker processes are given to do: a stage on a shard in a file. Nothing here knows the orchestrator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import ingest, report, settings, validate


def annotate(function: Callable[..., pa.Table], shard: Path, out: Path, *arguments: Any) -> Path:
    """Apply a local stage, Table -> Table, to the shard in a file."""
    return _write(function(pq.read_table(shard), *arguments), out)


def parse(shard: Path, listed: Path, out: Path, knobs: settings.Ingest) -> Path:
    """Parse the records of a store shard that belong to the seen set (`listed`: raw_uri and raw_state of its files)."""
    seen = pq.read_table(listed)
    states = dict(zip(seen["raw_uri"].to_pylist(), seen["raw_state"].to_pylist(), strict=True))
    records = pq.read_table(shard)
    records = records.filter(pc.is_in(records["raw_uri"], value_set=seen["raw_uri"].combine_chunks()))
    return _write(ingest.parse(records, knobs, states), out)


def check(shard: Path, out: Path, expectations: Path | None) -> tuple[Path, validate.Counts]:
    """Hold a shard against the row expectations."""
    table, counts = validate.check(pq.read_table(shard), validate.load_suite("stories", expectations))
    return _write(table, out), counts


def load_suites(expectations: Path | None) -> tuple[str, ...]:
    """Refuse suites that cannot be used before any work is done; gives the names of the run expectations.

    Raises:
        SuiteError
    """
    validate.load_suite("stories", expectations)
    return validate.load_suite("run", expectations).names


def judge(
    draft: Path,
    manifest: dict[str, Any],
    parent: Path | None,
    parent_manifest: Mapping[str, Any],
    expectations: Path | None,
    gate: settings.Gate,
    accepted: Collection[str],
) -> dict[str, Any]:
    """The manifest of a draft with its counts and the gate's verdict; writes the pages for people into the draft."""
    inputs = pq.read_table(draft / "inputs", columns=["records"])
    seen = pc.sum(inputs["records"]).as_py() or 0
    checks = validate.Counts.from_json(manifest["checks"])
    same_recipe = bool(parent) and parent_manifest["recipe"]["hash"] == manifest["recipe"]["hash"]
    numbers = validate.aggregates(
        {name: sorted((draft / name).glob("*.parquet")) for name in ("stories", "duplicates", "quarantine", "decisions")},
        seen=seen,
        checks=checks,
        new_checks=validate.Counts.from_json(manifest["new_checks"]) if same_recipe else None,
        parent_decisions=sorted((parent / "decisions").glob("*.parquet")) if parent and same_recipe else (),
    )
    before = validate.Aggregates.from_json(parent_manifest["aggregates"]) if parent else None
    stories, run = validate.load_suite("stories", expectations), validate.load_suite("run", expectations)
    verdict = validate.gate(numbers, before, run, gate, accepted)
    manifest = manifest | {
        "aggregates": numbers.to_json(),
        "gate": verdict.to_json(),
        "counts": report.counts(draft, files=len(inputs), records=seen),
    }
    at = datetime.fromisoformat(manifest["run"]["started"])
    validate.data_docs(stories, checks, run, verdict, draft / "data_docs", name=manifest["snapshot"], at=at)
    report.write(draft, manifest)
    return manifest


def _write(table: pa.Table, out: Path) -> Path:
    pq.write_table(table, out, compression="lz4", use_dictionary=False)  # hashes have none: half the time
    return out
