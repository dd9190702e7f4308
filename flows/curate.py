"""The main job as a Prefect flow: raw stories in, a curated snapshot out."""

from __future__ import annotations

import platform
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from flows import processes
from flows.folder import held, work_folder
from tasks import boilerplate, cluster, fingerprint, ingest, ledger, match, publish, recipe, repair, schema, settings, validate, workers
from tasks.stages import each, local, log

PARTITION_STORIES = 100_000  # stories to a range of keys: some 25 M keys, 600 MB while they are grouped
JUDGED_AT_LEAST = 500  # proposed pairs that are worth a second process


class UnusableError(ValueError):
    """The job cannot begin: wrong usage; the text says what to do."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended (`published`, `nothing new` or `refused`), the snapshot it speaks of, and its manifest."""

    end: str
    snapshot: Path
    manifest: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Before:
    """What the published snapshot says: nothing, on a first run."""

    snapshot: Path | None
    manifest: dict[str, Any]
    inputs: pa.Table


@flow(name="curate", flow_run_name="curate-{raw}", task_runner=ThreadPoolTaskRunner(max_workers=8))  # type: ignore[arg-type]
def curate(
    raw: str = "raw",
    curated: str = "curated",
    settings_file: str | None = None,
    overrides: tuple[str, ...] = (),
    full: bool = False,
    prune: bool = False,
    accept: tuple[str, ...] = (),
) -> Outcome:
    """Turn the stories below `raw` into a snapshot below `curated`.

    Args:
        raw: folder with the raw stories.
        curated: folder of the snapshots; made if it is missing.
        settings_file: settings in TOML.
        overrides: single settings, `section.key=value`.
        full: read every raw file again.
        prune: forget the records of files that are gone.
        accept: names of run expectations that may fail this time.

    Raises:
        SettingsError, SuiteError, UnusableError: before any work.
        BusyError: another run holds the curated folder.
    """
    processes.heed_interrupts()
    knobs = settings.load(Path(settings_file) if settings_file else None, overrides)
    spelled = recipe.recipe(knobs)
    target = Path(curated).absolute()
    target.mkdir(parents=True, exist_ok=True)
    with held(target), work_folder(target) as work, processes.pool(knobs.run.workers) as pool:
        started = datetime.now(UTC)
        suites = pool.submit(workers.load_suites, _folder(knobs.check))
        before = _before(target)
        found = _walk(Path(raw), before, prune)
        again = full or _recipe_changed(before, spelled)
        if unknown := sorted(set(accept) - set(rules := suites.result())):
            raise UnusableError(f"--accept {', '.join(unknown)}: there is no such rule; there are {', '.join(rules)}")
        changes = ledger.compare(((file.uri, file.size, file.modified_ns) for file in found.files), before.inputs, again)
        inputs = _read(found, changes, before, prune, knobs, target / "store", work, pool)
        if before.snapshot and not again and ledger.same_content(before.inputs, inputs):
            return Outcome("nothing new", before.snapshot, before.manifest)

        shards = _ingest(inputs, knobs, target / "store", work, pool)
        shards = local("repair", pool, repair.repair, shards, work, knobs.repair)
        shards = local("strip", pool, boilerplate.strip, shards, work, knobs.strip)
        shards, counts = _check(shards, knobs, work, pool)
        shards = local("fingerprint", pool, fingerprint.fingerprint, shards, work, knobs.near, knobs.derivative)
        decisions, matched = _match(shards, knobs, recipe.recipe_hash(spelled), work, pool)

        draft, files = _write(decisions, shards, inputs, before, knobs, work, pool)
        manifest = _manifest(files, before, counts, spelled, started)
        manifest |= {"settings": knobs.model_dump(mode="json"), "match": matched}
        manifest["run"] |= {
            "raw": str(Path(raw).absolute()),
            "skipped": found.skipped,
            "skipped_records": ledger.skipped(inputs),
            "read": len(changes.read),
            "vanished": changes.vanished,
        }
        judged = (draft, manifest, before.snapshot, before.manifest, _folder(knobs.check), knobs.gate, tuple(accept))
        manifest = pool.submit(workers.judge, *judged).result()
        return _publish(target, draft, manifest)


# ---- before the work --------------------------------------------------------------------------------------------------


def _folder(check: settings.Check) -> Path | None:
    return Path(check.expectations) if check.expectations else None


def _before(target: Path) -> Before:
    snapshot = publish.latest(target)
    return Before(snapshot, publish.read_manifest(snapshot) if snapshot else {}, publish.read_ledger(snapshot))


def _walk(raw: Path, before: Before, prune: bool) -> ingest.Found:
    """The raw files.

    Raises:
        UnusableError: there are none, or none any more.
    """
    formats = ".txt .html .jsonl .json .csv .parquet .warc, each also .gz or .zst"
    try:
        found = ingest.walk(raw)
    except OSError as error:
        raise UnusableError(f"raw folder {raw}: {error.strerror}; name another with --raw") from error
    for why, number in found.skipped.items():
        log.info("skipped %d: %s", number, why)
    if not found.files and not before.snapshot:
        raise UnusableError(f"raw folder {raw} holds no file that can be read ({formats})")
    if not found.files and not prune:
        raise UnusableError(
            f"raw folder {raw} is empty, but {len(before.inputs)} files were read from it before; is it mounted? --prune forgets them"
        )
    return found


def _recipe_changed(before: Before, spelled: Mapping[str, Any]) -> bool:
    if not before.snapshot or before.manifest["recipe"]["hash"] == recipe.recipe_hash(dict(spelled)):
        return False
    changed = recipe.difference(before.manifest["recipe"]["spelled"], spelled)
    log.info("the recipe changed, all stories are worked again:\n  %s", "\n  ".join(changed[:10]))
    return True


# ---- the stages -------------------------------------------------------------------------------------------------------


def _read(
    found: ingest.Found,
    changes: ledger.Changes,
    before: Before,
    prune: bool,
    knobs: settings.Settings,
    store: Path,
    work: Path,
    pool: Executor,
) -> pa.Table:
    """Copy the records of new and changed files into the store; gives the ledger as it will be."""
    wanted = set(changes.read)
    files = [file for file in found.files if file.uri in wanted]
    log.info("%d raw files, %d to read, %d vanished", len(found.files), len(files), len(changes.vanished))
    run = knobs.run
    folder = work / "read"
    folder.mkdir()
    calls = [
        (batch, store, folder / f"{number:06d}.parquet", knobs.ingest.max_record_bytes, run.shard_rows, run.shard_bytes)
        for number, batch in enumerate(ingest.batches(files, run.shard_rows, run.shard_bytes))
    ]
    parts = each("read", pool, ingest.read_batch, calls, storage=True)
    return ledger.merge(before.inputs, parts, changes, prune)


def _ingest(inputs: pa.Table, knobs: settings.Settings, store: Path, work: Path, pool: Executor) -> list[Path]:
    """The seen set as shards: the records of the store that the ledger names, parsed."""
    members, folder = work / "members", work / "ingest"
    members.mkdir()
    folder.mkdir()
    calls = [(store / shard, listed, folder / shard, knobs.ingest) for shard, listed in ledger.write_members(inputs, members)]
    if not calls:  # all was pruned: an empty dataset is one too
        pq.write_table(schema.INGESTED.empty_table(), folder / "none.parquet")
        return [folder / "none.parquet"]
    return each("ingest", pool, workers.parse, calls)


def _check(shards: Sequence[Path], knobs: settings.Settings, work: Path, pool: Executor) -> tuple[list[Path], dict[str, validate.Counts]]:
    """Row expectations; gives the shards and, by shard name, what was counted."""
    folder = work / "check"
    folder.mkdir()
    results = each("check", pool, workers.check, [(shard, folder / shard.name, _folder(knobs.check)) for shard in shards])
    return [path for path, _ in results], {path.name: counts for path, counts in results}


def _match(shards: Sequence[Path], knobs: settings.Settings, hashed: str, work: Path, pool: Executor) -> tuple[Path, dict[str, int]]:
    """Global: keys by range, pairs by range, verdicts by part, then one decision for every record. Counts what was capped."""
    folder = work / "match"
    run, near, derivative = knobs.run, knobs.near, knobs.derivative
    partitions = max(1, len(shards) * run.shard_rows // PARTITION_STORIES)
    by_shard = each("keys", pool, match.keys, [(shard, folder / "keys", partitions, near, derivative) for shard in shards])
    hot = knobs.cluster.hot_key
    ranges = [(files, folder / f"pairs-{number:05d}.parquet", hot) for number, files in enumerate(zip(*by_shard, strict=True))]
    proposed = each("propose", pool, match.propose, ranges)
    pairs = [part.pairs_file for part in proposed]
    parts = max(1, min(run.workers, sum(part.pairs for part in proposed) // JUDGED_AT_LEAST))
    shares = [(pairs, shards, folder / f"judged-{part:05d}.parquet", near, derivative, part, parts) for part in range(parts)]
    judged = each("judge", pool, match.judge, shares)
    files = [part.judged_file for part in judged]
    clustered = each(
        "cluster", pool, cluster.cluster, [(files, shards, folder / "decisions.parquet", hashed, near, derivative, knobs.cluster)]
    )
    return clustered[0].decisions_file, {
        "pairs_proposed": judged[0].proposed,
        "pairs_judged": sum(part.judged for part in judged) + clustered[0].judged_late,
        "pairs_of_one_story": sum(part.positive for part in judged),
        "hot_keys": sum(part.hot_keys for part in proposed),
        "pairs_left_out_at_hot_keys": sum(part.left_out for part in proposed),
    }


# ---- the snapshot -----------------------------------------------------------------------------------------------------


def _write(
    decisions: Path, shards: Sequence[Path], inputs: pa.Table, before: Before, knobs: settings.Settings, work: Path, pool: Executor
) -> tuple[Path, list[dict[str, Any]]]:
    """The tables of the snapshot in a draft folder, and their entries for the manifest."""
    draft, routed = work / "snapshot", work / "route"
    draft.mkdir()
    routed.mkdir()
    rows = knobs.publish.file_rows
    placement = pool.submit(publish.place, decisions, shards, routed, rows).result()
    each("route", pool, publish.route, placement.routes)
    share = max(1, min(rows, -(-sum(pq.read_metadata(shard).num_rows for shard in shards) // knobs.run.workers)))
    calls = [(batch, draft, before.snapshot) for batch in publish.batches(placement, share)]
    files = [entry for batch in each("write", pool, publish.write_files, calls, storage=True) for entry in batch]
    files += pool.submit(publish.write_decisions, decisions, draft, before.snapshot, rows).result()
    return draft, [*files, publish.write_inputs(inputs, draft, before.snapshot)]


def _manifest(
    files: Sequence[Mapping[str, Any]],
    before: Before,
    checks: Mapping[str, validate.Counts],
    spelled: dict[str, Any],
    started: datetime,
) -> dict[str, Any]:
    """All that is known of the run before it is judged."""
    parent = set(before.inputs["shards"].combine_chunks().flatten().to_pylist()) if before.snapshot else set()
    return {
        "copydesk": version("copydesk"),
        "snapshot": publish.snapshot_name(started, files),
        "parent": before.snapshot.name if before.snapshot else None,
        "files": sorted(files, key=lambda entry: entry["path"]),
        "recipe": {"hash": recipe.recipe_hash(spelled), "spelled": spelled},
        "checks": validate.add_counts(checks.values()).to_json(),
        "new_checks": validate.add_counts(counts for shard, counts in checks.items() if shard not in parent).to_json(),
        "run": {
            "started": started.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
            "host": socket.gethostname(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
    }


def _publish(target: Path, draft: Path, manifest: dict[str, Any]) -> Outcome:
    """Move the draft to its place: among the snapshots and behind `latest`, or among the refused."""
    passed = manifest["gate"]["passed"]
    place = publish.finish(draft, target / ("snapshots" if passed else "refused") / manifest["snapshot"], manifest)
    if passed:
        publish.point_latest(target, place)
    return Outcome("published" if passed else "refused", place, manifest)
