"""The main job as a Prefect flow: raw stories in, a curated snapshot out."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect import flow
from prefect.runtime import flow_run

from flows import draft, matching, processes, watch
from flows import runner as runners
from flows.folder import clear, held, work_folder
from flows.job import Before, Job
from flows.watch import Outcome
from tasks import files, index, ingest, lakehouse, ledger, match, publish, recipe, settings, snapshots, validate, workers
from tasks import overrides as editors
from tasks.stages import log

TOO_MUCH_NEW = 0.3  # share of the worked shards that are new, from which all stories are matched anew: the faster way


class UnusableError(ValueError):
    """The job cannot begin: wrong usage; the text says what to do."""


@flow(name="curate", flow_run_name=watch.run_name)
def curate(
    raw: str = "raw",
    curated: str = "curated",
    settings_file: str | None = None,
    overrides: tuple[str, ...] = (),
    full: bool = False,
    prune: bool = False,
    accept: tuple[str, ...] = (),
    runner: str = "local",
    wait: float = 0,
) -> Outcome:
    """Turn the stories below `raw` into a snapshot below `curated`.

    Args:
        raw: folder with the raw stories, or its URL.
        curated: folder of the snapshots, or its URL; made if it is missing.
        settings_file: settings in TOML.
        overrides: single settings, `section.key=value`.
        full: read every raw file again, and work every story again.
        prune: forget the records of files that are gone.
        accept: names of run expectations that may fail this time.
        runner: `local`, `dask`, or `dask:` and the address of a scheduler.
        wait: seconds to wait for another run that holds the curated folder.

    Raises:
        SettingsError, SuiteError, UnusableError, RunnerError: before any work.
        BusyError: another run holds the curated folder, or has taken it from this one.
        MovedError: another run has published since this one began.
        NotPublishedError: refused or held, in a run that Prefect records (without it, that is an outcome): there it is a failure.
    """
    ended: Outcome = watch.ended(raw, curated, lambda: _curate(raw, curated, settings_file, overrides, full, prune, accept, runner, wait))
    return ended


def _curate(
    raw: str,
    curated: str,
    settings_file: str | None,
    overrides: tuple[str, ...],
    full: bool,
    prune: bool,
    accept: tuple[str, ...],
    runner: str,
    wait: float,
) -> Outcome:
    processes.heed_interrupts()
    knobs = settings.load(Path(settings_file) if settings_file else None, overrides)
    match.check(knobs.near, knobs.derivative)
    _refuse_unknown(accept, _folder(knobs.check))
    runners.check(runner)
    lakehouse.check(knobs.publish.delta)
    word = editors.load(knobs.overrides)
    spelled = recipe.recipe(knobs, word.lines.name)
    source, target = files.located(raw), files.located(curated)
    files.reachable(target)
    files.folder(target)
    with held(target, wait, flow_run.id) as lock:
        started, run_id = datetime.now(UTC), str(flow_run.id or uuid.uuid4())
        log.info("run %s, process %d on %s", run_id, os.getpid(), socket.gethostname(), extra={"run": run_id})
        before = _before(target)
        found = _walk(source, raw, before, prune)
        again = full or _recipe_changed(before, spelled)
        changes = ledger.compare(((file.uri, file.size, file.modified_ns) for file in found.files), before.inputs, again)
        same_word = word.name == before.manifest.get("recipe", {}).get("overrides", "none")
        if before.snapshot and not again and not same_word:
            log.info("the overrides changed: the clusters that they are about are chosen again, no story is worked again")
        nothing_new = Outcome("nothing new", before.snapshot, before.manifest) if before.snapshot and not again and same_word else None
        if nothing_new and not changes.any and not (prune and len(ledger.vanished(before.inputs))):
            clear(target)
            _tidy(target, before)
            return _followed(nothing_new, knobs.publish, target)
        with work_folder(target) as work, runners.runner(runner, knobs.run.workers) as used:
            runners.same_recipe(used, knobs, spelled)
            job = Job(knobs, target, work, spelled, used, lock, word, run_id, started)
            _refuse_islands(used, source, work)
            used.pool.submit(workers.load_suites, _folder(knobs.check)).result()
            inputs, unsettled = _read(found, changes, before, prune, job)
            if nothing_new and ledger.same_content(before.inputs, inputs):
                _tidy(target, before)
                return _followed(nothing_new, knobs.publish, target)
            read = {
                "raw": str(source),
                "skipped": found.skipped,
                "skipped_records": ledger.skipped(inputs),
                "read": len(changes.read) - len(unsettled),
                "unsettled": unsettled,
                "vanished": changes.vanished,
            }
            return _followed(_make(inputs, read, None if again else changes.read, before, full, accept, job), knobs.publish, target)


def _make(
    inputs: pa.Table, told: Mapping[str, Any], read: Sequence[str] | None, before: Before, full: bool, accept: tuple[str, ...], job: Job
) -> Outcome:
    """From the ledger to a snapshot in its place.

    Args:
        told: what the manifest says of the reading.
        read: the raw files that were read; None where all is made again.
    """
    last = index.last(job.index, before.snapshot.name) if before.snapshot and read is not None else None
    counts = _work(inputs, last, full, job)
    last = _comparable(last, counts)
    matched, chosen = matching.choose(list(counts), last, job.word.changed(_overrides(before)), job)
    decided = publish.Decided(job.roster, chosen.standing, chosen.copies, tuple(ledger.vanished(inputs).to_pylist()), job.recipe)
    folder, entries = draft.write(decided, chosen, counts, inputs, before, last, job)
    changes = draft.changes(folder, entries, before, read, job)
    manifest = draft.manifest(entries, before, counts, job) | {"match": matched, "changes": changes}
    manifest["overrides"] = draft.obeyed(chosen, counts, job)
    manifest["run"] |= told
    judged = (folder, manifest, before.snapshot, before.manifest, _folder(job.knobs.check), job.knobs.gate, accept)
    manifest = job.one("gate", workers.judge, *judged)
    manifest["run"] |= {"seconds": round((datetime.now(UTC) - job.started).total_seconds(), 1), "stages": job.seconds}
    return _publish(job, folder, manifest, inputs, counts, chosen)


# ---- before the work --------------------------------------------------------------------------------------------------


def _folder(check: settings.Check) -> Path | None:
    return Path(check.expectations) if check.expectations else None


def _refuse_unknown(accept: Sequence[str], expectations: Path | None) -> None:
    if unknown := sorted(set(accept) - set(rules := validate.rule_names("run", expectations))):
        raise UnusableError(f"--accept {', '.join(unknown)}: there is no such rule; there are {', '.join(rules)}")


def _refuse_islands(used: runners.Runner, *folders: Path) -> None:
    """Refuse workers of other machines that do not see the folders.

    Raises:
        RunnerError
    """
    for folder in filter(files.is_local, folders):
        sees = used.everywhere(os.path.isdir, str(folder))
        if blind := sorted(set(sees) - {name for name, there in sees.items() if there} - {"scheduler"}):
            raise runners.RunnerError(
                f"{folder} is not there for Dask's {blind[0]}: --raw and --curated must be where all workers reach them"
            )


def _before(target: Path) -> Before:
    snapshot = snapshots.latest(target)
    return Before(snapshot, snapshots.read_manifest(snapshot) if snapshot else {}, snapshots.read_ledger(snapshot))


def _walk(source: Path, raw: str, before: Before, prune: bool) -> ingest.Found:
    """The raw files; `raw` is the folder as the person named it.

    Raises:
        UnusableError: there are none, or none any more.
    """
    formats = ".txt .html .jsonl .json .csv .parquet .warc, each also .gz or .zst"
    try:
        found = ingest.walk(source)
    except OSError as error:
        raise UnusableError(f"raw folder {raw}: {error.strerror or error}; name another with --raw") from error
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


def _read(found: ingest.Found, changes: ledger.Changes, before: Before, prune: bool, job: Job) -> tuple[pa.Table, tuple[str, ...]]:
    """Copy the records of new and changed files into the store; gives the ledger as it will be, and the files left to the next run."""
    wanted = set(changes.read)
    files = [file for file in found.files if file.uri in wanted]
    log.info("%d raw files, %d to read, %d vanished", len(found.files), len(files), len(changes.vanished))
    run, folder, store = job.knobs.run, job.folder("read"), job.curated / "store"
    calls = [
        (batch, store, folder / f"{number:06d}.parquet", job.knobs.ingest.max_record_bytes, run.shard_rows, run.shard_bytes)
        for number, batch in enumerate(ingest.batches(files, run.shard_rows, run.shard_bytes))
    ]
    parts = job.each("read", ingest.read_batch, calls, storage=True)
    if unsettled := ledger.unsettled(parts, changes):
        log.info(
            "%d raw files changed or went away while they were read, the next run reads them: %s", len(unsettled), ", ".join(unsettled[:5])
        )
    return ledger.merge(before.inputs, parts, changes, prune), unsettled


def _work(inputs: pa.Table, last: index.Last | None, full: bool, job: Job) -> dict[str, Any]:
    """The seen set as worked shards: those that the index lacks are made. Gives what check counted, by shard."""
    folder, store = job.index, job.curated / "store"
    files.folder(folder)
    there = set() if full else index.worked(folder)
    known = last.counts if last else {}
    suites = _folder(job.knobs.check)
    counts: dict[str, Any] = {}
    calls = []
    for shard, members in ledger.members(inputs).items():
        uris = members.to_pylist()
        name = index.name(shard, uris)
        counts[name] = known.get(name)
        if name not in there:
            calls.append((store / shard, uris, folder, name, job.knobs, suites, job.word.lines))
        elif counts[name] is None:  # of a run that did not come to its end
            counts[name] = index.told(folder, name)
    counts |= dict(job.each("work", workers.work, calls))
    return dict(sorted(counts.items()))


def _comparable(last: index.Last | None, counts: Mapping[str, Any]) -> index.Last | None:
    """The last run, if what it left in the index is whole and little is new."""
    if last is None or not last.whole:
        return None
    return last if len(set(last.counts) ^ set(counts)) <= max(2, TOO_MUCH_NEW * len(counts)) else None


def _overrides(before: Before) -> Sequence[Mapping[str, Any]]:
    """The entries that the last run obeyed, as its manifest has them."""
    entries: Sequence[Mapping[str, Any]] = before.manifest.get("overrides", {}).get("entries", ())
    return entries


# ---- the snapshot -----------------------------------------------------------------------------------------------------


def _publish(
    job: Job, folder: Path, manifest: dict[str, Any], inputs: pa.Table, counts: Mapping[str, Any], chosen: matching.Chosen
) -> Outcome:
    """Move the draft to its place: among the snapshots and behind `latest`, or among the refused. Then remove old ones."""
    hold, knobs = snapshots.read_hold(job.curated), job.knobs.publish
    repeats = snapshots.repeated(job.curated, hold, manifest, inputs) if hold else []
    end = "refused" if not manifest["gate"]["passed"] else "held" if repeats else "published"
    removal = snapshots.plan(job.curated, manifest["snapshot"], inputs, knobs.keep, knobs.keep_days, published=end == "published")
    manifest["run"]["removed"] = removal.to_json()
    if hold:
        manifest["held"] = {"snapshots": list(hold.names), "repeats": repeats}
    with processes.uninterrupted():  # once it has begun, the run is as good as done
        job.lock.check()
        if end == "published":
            snapshots.announce(job.curated, manifest["snapshot"])
        place = publish.finish(folder, job.curated / ("snapshots" if end == "published" else "refused") / manifest["snapshot"], manifest)
        if end == "published":
            index.keep(job.index, place.name, counts, chosen.pairs, chosen.standing)
            job.lock.confirm()
            snapshots.point_latest(job.curated, place, manifest["parent"])
            snapshots.clear(job.curated)
            index.tidy(job.index, place.name)
    snapshots.remove(job.curated, removal, job.folder("removed"))
    return Outcome(end, place, manifest)


def _followed(outcome: Outcome, publishing: settings.Publish, target: Path) -> Outcome:
    """The outcome, when the Delta table has what is published: after a rollback too, and what an earlier run could not do.

    Raises:
        OSError: it has not; nothing but that is amiss.
    """
    published = snapshots.latest(target) if publishing.delta else None
    if publishing.delta and published:
        try:
            version = lakehouse.follow(published, snapshots.read_manifest(published), publishing.delta)
        except OSError as error:
            if outcome.end not in {"refused", "held"}:
                raise
            log.warning("%s: %s", error.filename, error.strerror)
        else:
            log.info("Delta table %s: %s", publishing.delta, "up to date" if version is None else f"version {version}")
    return outcome


def _tidy(target: Path, before: Before) -> None:
    """What a run that published and was killed at its very end has left in the index."""
    home = target / "index" / before.manifest["recipe"]["hash"]
    if before.snapshot and index.last(home, before.snapshot.name):
        index.tidy(home, before.snapshot.name)
