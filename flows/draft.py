"""The snapshot as a draft: its tables, what is new in them, and its manifest."""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.job import Before, Job
from flows.matching import Chosen
from tasks import feed, index, ledger, publish, snapshots, validate, workers
from tasks import overrides as editors
from tasks.stages import log

WRITTEN_AT_ONCE = 40_000  # records that a task holds with their texts: some 300 MB
COMPARED_AT_LEAST = 20_000  # rows of stories that are worth a task when they are compared with the parent's


def write(
    decided: publish.Decided,
    chosen: Chosen,
    counts: Mapping[str, Any],
    inputs: pa.Table,
    before: Before,
    last: index.Last | None,
    job: Job,
) -> tuple[Path, list[dict[str, Any]]]:
    """The tables of the snapshot in a draft folder, and their entries for the manifest."""
    draft, rows = job.folder("snapshot"), job.knobs.publish.file_rows
    if last and before.snapshot:
        states = _restated(before.inputs, inputs, counts)
        layout = job.one("layout", publish.plan, decided, rows, before.manifest["files"], chosen.stirred, states)
        files = publish.take_over(layout.unchanged, draft, before.snapshot)
    else:
        layout, files = job.one("layout", publish.plan, decided, rows), []
    share = max(1, min(WRITTEN_AT_ONCE, -(-sum(unit.rows for unit in layout.units) // job.runner.slots)))
    calls = [(batch, decided, draft, before.snapshot) for batch in publish.batches(layout.units, share)]
    files += [entry for batch in job.each("write", publish.write, calls, storage=True) for entry in batch]
    return draft, [*files, publish.write_inputs(inputs, draft, before.snapshot)]


def changes(draft: Path, entries: Sequence[dict[str, Any]], before: Before, read: Sequence[str] | None, job: Job) -> dict[str, Any]:
    """What is new since the parent, as the manifest tells it; `read`: the raw files that were read, None where that does not tell what is as it was."""
    then = before.manifest.get("files", [])
    parts = feed.parts(entries, then)
    share = max(COMPARED_AT_LEAST, -(-sum(part.rows for part in parts) // job.runner.slots))
    folder = job.folder("changes")
    groups = publish.batches(parts, share) or [()]  # nothing new is told too
    calls = [(batch, draft, before.snapshot, read, folder / f"{number:05d}.arrow") for number, batch in enumerate(groups)]
    compared = job.each("compare", feed.compare, calls, storage=True)
    all_of_them = (compared, draft, entries, before.snapshot, then, job.knobs.publish.file_rows)
    (told,) = job.each("changes", workers.told_changes, [all_of_them], storage=True)
    if unreadable := told.pop("unreadable", None):
        log.warning("the changes since %s cannot be told, so all stories count as added: %s", before.manifest["snapshot"], unreadable)
    return told


def _restated(before: pa.Table, after: pa.Table, counts: Mapping[str, Any]) -> frozenset[str]:
    """Worked shards with records of raw files that vanished since, or came back."""
    was, now = set(ledger.vanished(before).to_pylist()), set(ledger.vanished(after).to_pylist())
    if was == now:
        return frozenset()
    moved = pa.array(sorted(was ^ now), pa.string())
    concerned = set(after.filter(pc.is_in(after["raw_uri"], value_set=moved))["shards"].combine_chunks().flatten().to_pylist())
    members = ledger.members(after)
    names = (index.name(shard, members[shard].to_pylist()) for shard in concerned)
    return frozenset(name for name in names if name in counts)


def manifest(files: Sequence[Mapping[str, Any]], before: Before, counts: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """All that is known of the run before it is judged."""
    known = {index.name(shard, uris.to_pylist()) for shard, uris in ledger.members(before.inputs).items()}
    checks = {shard: validate.Counts.from_json(told) for shard, told in counts.items()}
    return {
        "copydesk": version("copydesk"),
        "format": snapshots.FORMAT,
        "snapshot": publish.snapshot_name(job.started, files),
        "parent": before.snapshot.name if before.snapshot else None,
        "files": sorted(files, key=lambda entry: entry["path"]),
        "recipe": {"hash": job.recipe, "spelled": job.spelled, "overrides": job.word.name},
        "settings": job.knobs.model_dump(mode="json"),
        "checks": validate.add_counts(checks.values()).to_json(),
        "new_checks": validate.add_counts(found for shard, found in checks.items() if shard not in known).to_json(),
        "run": {
            "id": job.run_id,
            "started": job.started.isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
    }


def obeyed(chosen: Chosen, counts: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """What the manifest says of the editors' word; warns of entries that match nothing."""
    told = editors.told(job.word, job.knobs.overrides.file, chosen.obeyed, (found.get("lines", {}) for found in counts.values()))
    if unmatched := told["unmatched"]:
        more = f" and {len(unmatched) - 5:,} more" if len(unmatched) > 5 else ""
        log.warning("overrides that match nothing: %s%s; `copydesk override list` tells of what they were", ", ".join(unmatched[:5]), more)
    return told
