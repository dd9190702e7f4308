"""The main job as a Prefect flow: raw stories in, a curated snapshot out."""

from __future__ import annotations

import os
import platform
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from prefect import flow
from prefect.runtime import flow_run

from flows import processes, watch
from flows import runner as runners
from flows.folder import Lock, clear, held, work_folder
from flows.watch import Outcome
from tasks import (
    cluster,
    feed,
    files,
    index,
    ingest,
    lakehouse,
    ledger,
    match,
    publish,
    recipe,
    settings,
    snapshots,
    stages,
    validate,
    workers,
)
from tasks import overrides as editors
from tasks.stages import log

Result = TypeVar("Result")
RUNS_A_STORY = 120  # runs of words that are keys, of a story of 5 KB
KEY_BYTES = 80  # a key, with what it takes to group it
STORIES_A_TASK = 8_000  # whose keys are made together: some 70 MB of them
SCANNED_A_TASK = 64_000  # of whose keys few are kept
PROPOSED_AT_LEAST = 4_000  # stories whose keys are worth a range of their own
JUDGED_AT_LEAST, JUDGED_AT_MOST = 500, 250_000  # proposed pairs that are worth a task, and that a task can hold
COMPARED_AT_MOST = 8_000_000  # the same where most were proposed by the last run too
WRITTEN_AT_ONCE = 40_000  # records that a task holds with their texts: some 300 MB
COMPARED_AT_LEAST = 20_000  # rows of stories that are worth a task when they are compared with the parent's
TOO_MUCH_NEW = 0.3  # share of the worked shards that are new, from which all stories are matched anew: the faster way


class UnusableError(ValueError):
    """The job cannot begin: wrong usage; the text says what to do."""


@dataclass(frozen=True)
class Before:
    """What the published snapshot says: nothing, on a first run."""

    snapshot: Path | None
    manifest: dict[str, Any]
    inputs: pa.Table


@dataclass(frozen=True)
class Job:
    """What the stages of one run share."""

    knobs: settings.Settings
    curated: Path
    work: Path
    recipe: str
    runner: runners.Runner
    lock: Lock
    word: editors.Word
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def index(self) -> Path:
        return self.curated / "index" / self.recipe

    @property
    def roster(self) -> Path:
        return self.work / "roster.arrow"

    def folder(self, name: str) -> Path:
        """A folder for the files of one stage."""
        return files.folder(self.work / name)

    def each(self, stage: str, function: Callable[..., Result], calls: Iterable[tuple[Any, ...]], storage: bool = False) -> list[Result]:
        """One task for each call, see stages.each; notes how long the stage took. A run that has lost the folder begins no other."""
        self.lock.check()
        began = time.perf_counter()
        try:
            return stages.each(stage, self.runner.tasks, self.runner.pool, function, calls, storage)
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - began, 2)

    def one(self, stage: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """A stage that is one task."""
        return self.each(stage, function, [arguments])[0]


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
        started = datetime.now(UTC)
        run_id = str(flow_run.id or uuid.uuid4())
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
            job = Job(knobs, target, work, recipe.recipe_hash(spelled), used, lock, word)
            _refuse_islands(used, source, work)
            used.pool.submit(workers.load_suites, _folder(knobs.check)).result()
            inputs, unsettled = _read(found, changes, before, prune, job)
            if nothing_new and ledger.same_content(before.inputs, inputs):
                _tidy(target, before)
                return _followed(nothing_new, knobs.publish, target)
            last = index.last(job.index, before.snapshot.name) if before.snapshot and not again else None
            counts = _work(inputs, last, full, job)
            last = _comparable(last, counts)
            matched, chosen = _match(list(counts), last, word.changed(_overrides(before)), job)
            decided = publish.Decided(job.roster, chosen.standing, chosen.copies, tuple(ledger.vanished(inputs).to_pylist()), job.recipe)
            draft, entries = _write(decided, chosen, counts, inputs, before, last, job)

            told = _changes(draft, entries, before, None if again else changes.read, job)
            manifest = _manifest(entries, before, counts, spelled, started, job)
            manifest |= {"settings": knobs.model_dump(mode="json"), "match": matched, "changes": told}
            manifest["overrides"] = _obeyed(chosen, counts, job)
            manifest["run"] |= {
                "id": run_id,
                "raw": str(source),
                "skipped": found.skipped,
                "skipped_records": ledger.skipped(inputs),
                "read": len(changes.read) - len(unsettled),
                "unsettled": unsettled,
                "vanished": changes.vanished,
            }
            judged = (draft, manifest, before.snapshot, before.manifest, _folder(knobs.check), knobs.gate, tuple(accept))
            manifest = job.one("gate", workers.judge, *judged)
            manifest["run"] |= {"seconds": round((datetime.now(UTC) - started).total_seconds(), 1), "stages": job.seconds}
            return _followed(_publish(job, draft, manifest, inputs, counts, chosen), knobs.publish, target)


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


@dataclass(frozen=True)
class Chosen:
    """What match and cluster found, in files: pairs of one story, standings (a folder), copies; and the ranks whose cluster may have changed.
    What of the editors' word was found."""

    pairs: Path
    standing: Path
    copies: Path
    stirred: Path
    obeyed: editors.Obeyed


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


def _match(shards: Sequence[str], last: index.Last | None, changed: Sequence[str], job: Job) -> tuple[dict[str, int], Chosen]:
    """Global: keys by range, pairs by range, verdicts by part, clusters by component. Counts what was proposed and capped.

    Args:
        changed: stories of which editors said something else in the last run.
    """
    near, derivative, policy = job.knobs.near, job.knobs.derivative, job.knobs.cluster
    folder, roster = job.folder("match"), job.roster
    stories = job.one("roster", index.write_roster, job.index, shards, tuple(last.counts) if last else (), roster)
    only = folder / "touched.arrow" if last else None
    if only:
        job.one("touched", match.touched, roster, only, near, derivative)
    proposed = _propose(stories, only, "pairs", job)
    pairs = sum(part.pairs for part in proposed)
    parts = max(1, min(job.runner.slots, pairs // JUDGED_AT_LEAST), -(-pairs // (COMPARED_AT_MOST if only else JUDGED_AT_MOST)))
    judged = job.each("judge", match.judge, [(proposed, roster, folder, near, derivative, part, parts) for part in range(parts)])
    let_go = None
    if last and only:
        let_go, doubtful = folder / "let-go.arrow", folder / "doubtful.arrow"
        if job.one("dropped", match.doubtful, judged, last.pairs, roster, only, doubtful, let_go, near, derivative):
            job.one("dropped", match.keep, let_go, _propose(stories, doubtful, "doubtful", job))
    parts = max(1, min(4 * job.runner.slots, sum(part.positive for part in judged) // JUDGED_AT_LEAST))
    before = last.pairs if last else None
    plan = job.one(
        "components", cluster.plan, [part.judged_file for part in judged], roster, folder, parts, before, let_go, job.word, changed
    )
    standing = folder / "standing"
    slots = job.runner.slots
    if last:
        taken = [(last.standing, roster, plan.stirred_file, standing / f"carried-{n:05d}.parquet", n, slots) for n in range(slots)]
        job.each("carry", cluster.carry, taken)
    calls = [
        (file, roster, standing / f"{number:05d}.parquet", near, derivative, policy, job.word)
        for number, file in enumerate(plan.part_files)
    ]
    clustered = job.each("cluster", cluster.cluster, calls)
    copies = job.one("copies", cluster.copies, standing, roster, folder / "copies.parquet")
    obeyed = job.one("overrides", cluster.obeyed, standing, roster, job.word) if job.word.of_stories else editors.Obeyed()
    return {
        "stories": stories,
        "pairs_proposed": sum(part.proposed for part in judged),
        "pairs_judged": sum(part.judged for part in judged) + sum(part.judged_late for part in clustered),
        "pairs_of_one_story": sum(part.positive for part in judged),
        "hot_keys": sum(part.hot_keys for part in proposed),
        "components_cut": plan.chains,
        "pairs_left_out_at_hot_keys": sum(part.left_out for part in proposed),
    }, Chosen(plan.pairs_file, standing, copies, plan.stirred_file, obeyed)


def _overrides(before: Before) -> Sequence[Mapping[str, Any]]:
    """The entries that the last run obeyed, as its manifest has them."""
    entries: Sequence[Mapping[str, Any]] = before.manifest.get("overrides", {}).get("entries", ())
    return entries


def _obeyed(chosen: Chosen, counts: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """What the manifest says of the editors' word; warns of entries that match nothing."""
    told = editors.told(job.word, job.knobs.overrides.file, chosen.obeyed, (found.get("lines", {}) for found in counts.values()))
    if unmatched := told["unmatched"]:
        more = f" and {len(unmatched) - 5:,} more" if len(unmatched) > 5 else ""
        log.warning("overrides that match nothing: %s%s; `copydesk override list` tells of what they were", ", ".join(unmatched[:5]), more)
    return told


def _propose(stories: int, only: Path | None, name: str, job: Job) -> list[match.Proposed]:
    """What the keys of all stories propose, or what those in the file `only` do."""
    near, derivative, run = job.knobs.near, job.knobs.derivative, job.knobs.run
    folder, roster = job.folder(name), job.roster
    keys_a_story = near.bands + derivative.samples + RUNS_A_STORY
    together = run.memory_mb * 1_000_000 // run.workers // KEY_BYTES
    ranges = max(1, min(job.runner.slots, stories // PROPOSED_AT_LEAST), -(-stories * keys_a_story // together))
    tasks = min(ranges, job.runner.slots) if only else ranges  # few keys are in a range then
    batches = index.batches(roster, SCANNED_A_TASK if only else min(STORIES_A_TASK, together // keys_a_story))
    calls = [(roster, batch, folder / f"keys-{number:06d}.arrow", ranges, near, derivative, only) for number, batch in enumerate(batches)]
    keys = job.each("keys", match.keys, calls)
    hot = job.knobs.cluster.hot_key
    outlines = job.one("outlines", match.outlines, roster, folder / "outlines.arrow", near, derivative) if not only else None
    parts = [range(ranges)[number::tasks] for number in range(tasks)]
    found = job.each("propose", match.propose, [(keys, roster, some, folder, near, derivative, hot, outlines, only) for some in parts])
    return [part for some in found for part in some]


# ---- the snapshot -----------------------------------------------------------------------------------------------------


def _write(
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


def _changes(draft: Path, entries: Sequence[dict[str, Any]], before: Before, read: Sequence[str] | None, job: Job) -> dict[str, Any]:
    """What is new since the parent, as the manifest tells it; `read`: the raw files that were read, None where that does not tell what is as it was."""
    then = before.manifest.get("files", [])
    parts = feed.parts(entries, then)
    share = max(COMPARED_AT_LEAST, -(-sum(part.rows for part in parts) // job.runner.slots))
    folder = job.folder("changes")
    groups = publish.batches(parts, share) or [()]  # nothing new is told too
    calls = [(batch, draft, before.snapshot, read, folder / f"{number:05d}.arrow") for number, batch in enumerate(groups)]
    compared = job.each("changes", feed.compare, calls, storage=True)
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


def _manifest(
    files: Sequence[Mapping[str, Any]],
    before: Before,
    counts: Mapping[str, Any],
    spelled: dict[str, Any],
    started: datetime,
    job: Job,
) -> dict[str, Any]:
    """All that is known of the run before it is judged."""
    known = {index.name(shard, uris.to_pylist()) for shard, uris in ledger.members(before.inputs).items()}
    checks = {shard: validate.Counts.from_json(told) for shard, told in counts.items()}
    return {
        "copydesk": version("copydesk"),
        "format": snapshots.FORMAT,
        "snapshot": publish.snapshot_name(started, files),
        "parent": before.snapshot.name if before.snapshot else None,
        "files": sorted(files, key=lambda entry: entry["path"]),
        "recipe": {"hash": job.recipe, "spelled": spelled, "overrides": job.word.name},
        "checks": validate.add_counts(checks.values()).to_json(),
        "new_checks": validate.add_counts(found for shard, found in checks.items() if shard not in known).to_json(),
        "run": {
            "started": started.isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
    }


def _publish(job: Job, draft: Path, manifest: dict[str, Any], inputs: pa.Table, counts: Mapping[str, Any], chosen: Chosen) -> Outcome:
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
        place = publish.finish(draft, job.curated / ("snapshots" if end == "published" else "refused") / manifest["snapshot"], manifest)
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
