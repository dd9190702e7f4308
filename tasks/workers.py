"""What worker processes are given to do: a stage on a shard in a file. Nothing here knows the orchestrator."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import (
    boilerplate,
    card,
    feed,
    files,
    fingerprint,
    index,
    ingest,
    overrides,
    publish,
    repair,
    report,
    settings,
    snapshots,
    validate,
)
from tasks.schema import CHANGES

TREND = 24
"""Earlier snapshots that the report compares with."""


def work(
    store_shard: Path,
    uris: Sequence[str],
    folder: Path,
    shard: str,
    knobs: settings.Settings,
    expectations: Path | None,
    lines: overrides.Lines,
) -> tuple[str, dict[str, Any]]:
    """All local stages on one shard of the store: from raw bytes to a worked shard of the index.

    Args:
        uris: the raw files whose records are of the seen set.
        folder, shard: where the worked shard goes, and its name.
        lines: what editors say of lines; as the run read it, since the file may be another by now.

    Returns:
        the name, and what check counted (validate.Counts as JSON), and under `lines` what `lines` found, if there are any.
    """
    records = files.read_table(store_shard)
    records = records.filter(pc.is_in(records["raw_uri"], value_set=pa.array(uris, pa.string())))
    states = dict.fromkeys(records["raw_uri"].unique().to_pylist(), "present")
    table = ingest.parse(records, knobs.ingest, states)
    del records
    table = repair.repair(table, knobs.repair)
    found = {"lines": lines.count(table)} if lines.entries else {}
    table = boilerplate.strip(table, knobs.strip, lines)
    table, counts = validate.check(table, validate.load_suite("stories", expectations))
    table = fingerprint.fingerprint(table, knobs.near, knobs.derivative)
    told = counts.to_json() | found
    return index.write(table, folder, shard, told), told


def load_suites(expectations: Path | None) -> None:
    """Refuse suites that cannot be used before any work is done.

    Raises:
        SuiteError
    """
    validate.load_suite("stories", expectations)
    validate.load_suite("run", expectations)


def told_changes(
    compared: Sequence[feed.Compared],
    draft: Path,
    now: Sequence[Mapping[str, Any]],
    parent: Path | None,
    then: Sequence[Mapping[str, Any]],
    file_rows: int,
) -> dict[str, Any]:
    """Write the changes since the parent into a draft; gives what the manifest tells of them: `parent`, a number for each kind, `files`; `unreadable`: what
    is wrong with the parent, where it cannot be compared with. Then all stories are added."""
    unreadable = next((part.unreadable for part in compared if part.unreadable), None)
    found = CHANGES.empty_table()
    try:
        if not unreadable:
            found = feed.settle([part.found for part in compared], draft, now, parent, then)
    except OSError as error:
        unreadable = str(error)
    if unreadable:
        every = feed.compare(feed.parts(now, ()), draft, None, None, compared[0].found)
        if every.unreadable:  # what this run has just written
            raise OSError(errno.EIO, every.unreadable, str(draft))
        found = feed.settle([every.found], draft, now, None, ())
    told = {"parent": parent.name if parent and not unreadable else None, **feed.counts(found)}
    return told | {"files": publish.write_changes(found, file_rows, draft)} | ({"unreadable": unreadable} if unreadable else {})


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
    inputs = files.read_table(draft / "inputs", columns=["records"])
    seen = pc.sum(inputs["records"]).as_py() or 0
    checks = validate.Counts.from_json(manifest["checks"])
    same_recipe = bool(parent) and parent_manifest["recipe"]["hash"] == manifest["recipe"]["hash"]
    numbers = validate.aggregates(
        {name: files.inside(draft / name, ".parquet") for name in ("stories", "duplicates", "quarantine", "decisions")},
        seen=seen,
        checks=checks,
        new_checks=validate.Counts.from_json(manifest["new_checks"]) if same_recipe else None,
        parent_decisions=files.inside(parent / "decisions", ".parquet") if parent and same_recipe else (),
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
    with ThreadPoolExecutor(1) as aside:
        aside.submit(report.warm_up)  # meanwhile
        validate.data_docs(stories, checks, run, verdict, draft / "data_docs", name=manifest["snapshot"], at=at)
    earlier = snapshots.recent(parent.parent.parent, TREND) if parent else []
    report.write(draft, manifest, earlier, boilerplate.reasons(manifest["settings"]["strip"]["rules"]), parent)
    card.write(draft, manifest)
    return manifest
