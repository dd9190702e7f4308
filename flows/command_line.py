"""The command `copydesk`. Each verb imports what it needs when it is called, so that help is instant."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

DONE, REFUSED, USAGE, FAILED, BUSY = range(5)
SLOW_END_SECONDS = 5.0  # of Prefect, when its server answers no more
STOPPED = "copydesk: stopped; nothing was published, and what was worked is not worked again"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; gives the exit code: 0 done, 1 refused, 2 wrong usage or settings, 3 failed, 4 folder held by another run."""
    chosen = _parser().parse_args(arguments)
    try:
        return int(chosen.verb(chosen))
    except KeyboardInterrupt:
        return _say("copydesk: stopped; nothing was published", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ModuleNotFoundError as error:
        return _say(f"copydesk: {error}", USAGE)
    except ConnectionError as error:
        return _say(f"copydesk: {error}", FAILED)
    except OSError as error:
        way_out = _way_out(error, chosen.curated) if error.__class__.__name__ == "DamagedError" else ""  # importing it takes a second
        return _say(f"copydesk: {error.filename or 'storage'}: {error.strerror or error}{way_out}", FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="copydesk", description="Raw news text to a curated Parquet dataset: repaired, stripped of boilerplate, each story once."
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    _run_verb(verbs)
    explain = _verb(verbs, "explain", _explain, "what became of a record, and why")
    explain.add_argument("raw_id", metavar="RAW_ID", help="raw_id or story_id of the record")
    _curated(explain)
    explain.add_argument("--json", action="store_true", help="for programs: one JSON object a record")

    clean = _verb(verbs, "clean", _clean, "show what would be repaired and removed in a file")
    clean.add_argument("file", metavar="FILE", help="a raw file of any known format")
    _settings(clean)
    clean.add_argument("--json", action="store_true", help="for programs: one JSON object a record")

    compare = _verb(verbs, "compare", _compare, "the verdict on two stories, with the evidence and the passages they share")
    compare.epilog = (
        "A and B are each a raw file (FILE, or FILE#3 or FILE#ID for one record of many, counted from 0) or a raw_id or story_id of the "
        "published snapshot. --json gives one object: a, b (the two stories, and what the snapshot decided), verdict, similarity, "
        "evidence (value x weight = contribution, for one story against two), source_evidence (for A as the source against B), barriers "
        "(why the pair is no near copy or no rewrite), passages (as A and as B has them, with their first character), caveat, notes."
    )
    compare.add_argument("a", metavar="A", help="FILE, FILE#RECORD, raw_id or story_id")
    compare.add_argument("b", metavar="B", help="the same")
    _curated(compare)
    _settings(compare)
    compare.add_argument("--json", action="store_true", help="for programs: one JSON object")

    rules = _verb(verbs, "rules", _rules, "the boilerplate rules, with the lines each took in the published snapshot")
    rules.epilog = (
        "--test shows what a file of rules would newly remove, by rule and by source, before strip.rules names it, and exits with 0; docs/rules.md "
        "tells how to write one. --json gives one object a rule (rule, kind, zone, languages, why, hits, example); with --test one object: "
        "examples (of the rules themselves that come out wrong), stories, changed, removed, returned, rules, sources, losers (stories that lose "
        "more than 2 % of their words), empty."
    )
    _curated(rules)
    _settings(rules)
    rules.add_argument("--test", metavar="FILE", help="try this file of rules on the published snapshot")
    rules.add_argument("--raw", metavar="DIR", help="with --test: try it on the raw stories of a folder instead")
    rules.add_argument("--json", action="store_true", help="for programs")

    _whole_snapshots(verbs)

    fit = _verb(
        verbs, "fit", _fit, "learn from your own stories how rare words are (`rarity`), or what repeats in each source (`furniture`)"
    )
    fit.epilog = (
        "rarity: worth it when the stories are of one topic, whose words are rare elsewhere and common here, or in a language that wordfreq "
        "lacks. It needs 500 stories or more, of many events: fit on months, not on a day. The model only makes words more common than they "
        "are in wordfreq. furniture: the lines that recur over many stories of one source, of which 20 are needed; those that are sure to be "
        "no part of a story are to be removed, the others are listed for you to judge. The file is text, one line of furniture a line: read "
        "it, and delete what must stay. Models are frozen, used when the settings name them, and another model is another recipe: all "
        "stories are worked again."
    )
    fit.add_argument("what", nargs="?", choices=["rarity", "furniture"], default="rarity", help="what to learn (default: rarity)")
    _curated(fit)
    fit.add_argument("--out", metavar="FILE", help="the model to write (default: rarity.parquet, furniture.jsonl)")

    serve = _verb(verbs, "serve", _serve, "run on a schedule until stopped")
    serve.add_argument("--cron", default="0 * * * *", help="when to run (default: every hour, '0 * * * *')")
    serve.add_argument("--raw", default="raw", metavar="DIR", help="folder with the raw stories (default: raw)")
    _curated(serve)
    _settings(serve)
    _runner(serve)
    _wait(serve)
    return parser


def _run_verb(verbs: Any) -> None:
    run = _verb(verbs, "run", _run, "curate the stories of a folder and publish a snapshot")
    run.add_argument(
        "--raw", default="raw", metavar="DIR", help="folder with the raw stories, or its URL, e.g. s3://news/raw (default: raw)"
    )
    _curated(run)
    _settings(run)
    run.add_argument("--workers", type=int, metavar="N", help="processes for the work (default: all cores)")
    _runner(run)
    run.add_argument("--full", action="store_true", help="read every raw file again")
    run.add_argument("--prune", action="store_true", help="forget the records of raw files that are gone")
    run.add_argument("--accept", action="append", default=[], metavar="RULE", help="publish although this run expectation fails")
    run.add_argument("--server", action="store_true", help="report to the Prefect server of the active profile")
    _wait(run)
    run.add_argument("--log-json", action="store_true", help="for programs: the log as one JSON object a line, on standard error")


def _whole_snapshots(verbs: Any) -> None:
    """The verbs for snapshots as wholes."""
    listed = _verb(verbs, "snapshots", _snapshots, "list the snapshots: published, earlier, held, refused")
    listed.epilog = (
        "--json gives one object a snapshot, the newest first: snapshot, state, started, stories, parent, why (of a hold, or what refused it), "
        "own_bytes (what no other snapshot has), path."
    )
    _curated(listed)
    listed.add_argument("--json", action="store_true", help="for programs: one JSON object a snapshot")

    verify = _verb(verbs, "verify", _verify, "check every file, schema and count of a snapshot")
    verify.epilog = (
        "Kinds of faults: latest (names nothing), manifest (cannot be read), missing, extra, hash (other bytes), schema (other columns), conservation "
        "(a record stands nowhere, twice, or not where its decision says). --json gives one object a snapshot: snapshot, path, whole, faults "
        "(each with kind, place, says). Exit code 3 if there is any."
    )
    verify.add_argument(
        "snapshot", nargs="?", metavar="SNAPSHOT", help="name or path of a snapshot, refused ones too (default: the published one)"
    )
    _curated(verify)
    verify.add_argument("--all", action="store_true", help="all snapshots, refused ones too")
    verify.add_argument("--json", action="store_true", help="for programs: one JSON object a snapshot")

    rollback = _verb(verbs, "rollback", _rollback, "publish an earlier snapshot again, and hold the one that was published")
    rollback.epilog = (
        "While a hold is set runs go on, but one whose snapshot has again what the bad one brought (its recipe, its raw files) ends with exit code 1, "
        "and what it made lies in curated/refused. docs/operations.md tells more."
    )
    rollback.add_argument(
        "snapshot", nargs="?", metavar="SNAPSHOT", help="name of the snapshot to publish (default: the parent of the published one)"
    )
    _curated(rollback)
    rollback.add_argument("--reason", metavar="TEXT", help="why, for those who find the hold")
    rollback.add_argument("--release", action="store_true", help="end the hold; with SNAPSHOT, publish that one, without a new hold")
    _wait(rollback)

    path = _verb(verbs, "path", _path, "print the folder of the published snapshot, for readers that must not change horses")
    path.add_argument("table", nargs="?", choices=["stories", "duplicates", "quarantine", "decisions", "inputs"], help="or of one table")
    _curated(path)


def _verb(verbs: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(verb=function)
    return parser


def _curated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--curated", default="curated", metavar="DIR", help="folder of the snapshots, or its URL (default: curated)")


def _runner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runner",
        default="local",
        metavar="local|dask[:ADDRESS]",
        help="where the work is done: in processes of this machine (default), or on a Dask cluster, e.g. dask:tcp://10.0.0.7:8786; "
        "plain `dask` starts one on this machine. A cluster needs --raw and --curated where all its workers reach them",
    )


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=3600.0,
        default=0.0,
        metavar="SECONDS",
        help="if another run holds the folder, wait for it, at most so long (default: an hour), instead of ending with exit code 4",
    )


def _seconds(written: str) -> float:
    try:
        seconds = float(written)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{written} is no number of seconds")
    return seconds


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", metavar="FILE", help="settings in TOML (default: copydesk.toml, if there is one)")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="one setting, e.g. near.jaccard=0.6"
    )


def _settings_file(chosen: argparse.Namespace) -> str | None:
    return chosen.settings or ("copydesk.toml" if Path("copydesk.toml").is_file() else None)


def _say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


# ---- the main job ----------------------------------------------------------------------------------------------------


def _run(chosen: argparse.Namespace) -> int:
    from flows import processes

    stop = processes.stoppable(lambda code: _end(STOPPED if code else "", code))
    try:
        code = _curate(chosen, stop)
    except processes.Stopped as stopped:
        with suppress(OSError):  # the terminal may be closed
            _say(STOPPED, 128 + stopped.signum)
        code = 128 + stopped.signum
    processes.end_within(SLOW_END_SECONDS, code)
    return code


def _end(message: str, code: int) -> NoReturn:
    """End this process now, whatever Prefect or a worker would still wait for: what is left over the next run removes."""
    from flows import processes

    with suppress(OSError):
        sys.stdout.flush()
        print(message, end="\n" if message else "", file=sys.stderr, flush=True)
    processes.end_now(code)


def _curate(chosen: argparse.Namespace, stop: Any) -> int:
    from flows import processes

    processes.stop_sweeping()
    from tasks.settings import SettingsError, cache_folder, load

    overrides = list(chosen.overrides) + ([f"run.workers={chosen.workers}"] if chosen.workers is not None else [])
    try:
        load(Path(file) if (file := _settings_file(chosen)) else None, overrides)
    except SettingsError as error:
        return _say(str(error), USAGE)
    from flows import one_off, terminal
    from flows.runner import RunnerError, check

    try:
        check(chosen.runner)
    except RunnerError as error:
        return _say(f"copydesk: {error}", USAGE)

    processes.warm_up()
    if not chosen.server and "PREFECT_API_URL" not in os.environ:
        server = one_off.start(cache_folder() / "prefect")
        gone = (
            f"copydesk: failed: this run's own Prefect server (process {server.pid}) was ended. The published snapshot is whole; run again"
        )
        processes.not_without(server, stop, lambda: _end(gone, FAILED))
    from flows.curate import UnusableError, curate
    from flows.folder import BusyError
    from tasks.snapshots import MovedError
    from tasks.validate import SuiteError

    processes.sweep_again()
    try:
        with terminal.progress(chosen.log_json), _no_heartbeat(), processes.undisturbed():
            outcome = curate(
                raw=chosen.raw,
                curated=chosen.curated,
                settings_file=file,
                overrides=tuple(overrides),
                full=chosen.full,
                prune=chosen.prune,
                accept=tuple(chosen.accept),
                runner=chosen.runner,
                wait=chosen.wait,
            )
    except (UnusableError, RunnerError, SuiteError, SettingsError) as error:
        return _say(f"copydesk: {error}", USAGE)
    except (BusyError, MovedError) as error:
        return _say(f"copydesk: {error}", BUSY)
    except (OSError, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator gets one line and the log the rest
        trace = _write_trace(cache_folder(), error)
        return _say(f"copydesk: failed, nothing was published: {error.__class__.__name__}: {error}{trace}", FAILED)
    return _report(outcome, chosen.curated)


def _way_out(damaged: OSError, curated: str) -> str:
    """What to do about a damaged file of the curated folder."""
    folders = str(damaged.filename).rpartition(curated.rstrip("/").rpartition("/")[2])[2].split("/")
    if "index" in folders:
        return "; what lies in index/ is derived: delete that folder, and the next run makes it anew"
    return "; delete it and run with --full, which reads the raw files again" if "store" in folders else ""


def _write_trace(folder: Path, error: Exception) -> str:
    """Write down where a fault came from, for the report of it; gives the words that name the file."""
    import traceback

    path = folder / "last-failure.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return ""
    return f"\n  where: {path}"


def _report(outcome: Any, curated: str) -> int:
    from flows import terminal
    from tasks import files

    here = files.is_local(outcome.snapshot)
    latest = _folder(curated) / "latest" if here else outcome.snapshot  # an object store has no link to read through
    if outcome.end == "nothing new":
        print(f"nothing new: {latest if here else curated} is up to date ({outcome.snapshot.name})")
        return DONE
    terminal.funnel(outcome.manifest["counts"])
    terminal.gates(outcome.manifest["gate"]["results"])
    if outcome.end == "refused":
        return _say(f"copydesk: refused; the published snapshot stays. What was refused lies in {outcome.snapshot}", REFUSED)
    if outcome.end == "held":
        held = outcome.manifest["held"]
        return _say(
            f"copydesk: held: nothing published. {', '.join(held['snapshots'])} was rolled back, and this run repeats of it: "
            f"{'; '.join(held['repeats'])}. What it made lies in {outcome.snapshot}. `copydesk rollback --release` lets the next run publish it",
            REFUSED,
        )
    print(f"stories   {latest / 'stories'}\nreport    {latest / 'report' / 'index.html'}\nsnapshot  {outcome.snapshot}")
    if gone := outcome.manifest["run"]["removed"]["snapshots"]:
        print(f"removed   {len(gone)} old: {', '.join(gone)}")
    return DONE


def _no_heartbeat() -> Any:
    """A one-off run needs no heartbeat, and ending it takes a second."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def _serve(chosen: argparse.Namespace) -> int:
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        start = "start one with `prefect server start` and set PREFECT_API_URL, e.g. to http://127.0.0.1:4200/api"
        return _say(f"copydesk: serve needs a Prefect server, which keeps the schedule; {start}", USAGE)
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    from flows.curate import curate
    from flows.runner import RunnerError, check

    try:
        check(chosen.runner)
    except RunnerError as error:
        return _say(f"copydesk: {error}", USAGE)
    parameters = {
        "raw": chosen.raw,
        "curated": chosen.curated,
        "settings_file": _settings_file(chosen),
        "overrides": chosen.overrides,
        "runner": chosen.runner,
        "wait": chosen.wait,
    }
    # a run that is due while the last one works is not begun: the next one reads what came in, whenever that is
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    curate.serve(name="copydesk", cron=chosen.cron, parameters=parameters, limit=1, global_limit=one)
    return DONE


# ---- looking at a snapshot -------------------------------------------------------------------------------------------


def _folder(written: str) -> Path:
    """A folder as the person wrote it, or behind its URL."""
    from tasks import files

    located = files.located(written)
    return located if "://" in written else Path(written)


def _snapshot(chosen: argparse.Namespace) -> Path | None:
    from tasks import files
    from tasks.snapshots import latest

    curated = _folder(chosen.curated)
    files.reachable(curated)
    found = latest(curated)
    if found is None:
        _say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", USAGE)
    return found


def _path(chosen: argparse.Namespace) -> int:
    snapshot = _snapshot(chosen)
    if snapshot is None:
        return USAGE
    print(snapshot / chosen.table if chosen.table else snapshot)
    return DONE


def _snapshots(chosen: argparse.Namespace) -> int:
    from tasks import files, snapshots

    curated = _folder(chosen.curated)
    files.reachable(curated)
    listed, hold = snapshots.listed(curated), snapshots.read_hold(curated)
    if chosen.json:
        for row in listed:
            print(json.dumps(row, ensure_ascii=False))
        return DONE
    if not listed:
        return _say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", USAGE)
    from flows import terminal

    terminal.snapshots(listed)
    if hold:
        print(f"hold      {hold}")
    return DONE


def _verify(chosen: argparse.Namespace) -> int:
    from tasks import files, snapshots

    curated = _folder(chosen.curated)
    files.reachable(curated)
    pointer = snapshots.verify_latest(curated) if chosen.all or not chosen.snapshot else []
    if pointer and not chosen.all:
        return _faults("latest", curated / "latest", pointer, chosen.json)
    if chosen.all:
        found = [files.located(row["path"]) for row in snapshots.listed(curated)]
    else:
        one = snapshots.find(curated, chosen.snapshot) if chosen.snapshot else snapshots.latest(curated)
        found = [one] if one else []
    if not found:
        wanted = f"no snapshot {chosen.snapshot} under {chosen.curated}; `copydesk snapshots` lists them" if chosen.snapshot else ""
        return _say(f"copydesk: {wanted or f'no snapshot under {chosen.curated} yet; `copydesk run` makes one'}", USAGE)
    worst = _faults("latest", curated / "latest", pointer, chosen.json) if pointer else DONE
    for snapshot in found:
        faults = snapshots.verify(snapshot)
        if faults and not files.inside(snapshot):
            _say(f"copydesk: {snapshot.name} was removed by a run while it was looked at", DONE)
        else:
            worst = max(worst, _faults(snapshot.name, snapshot, faults, chosen.json))
    return worst


def _faults(name: str, path: Path, faults: Sequence[Any], as_json: bool) -> int:
    if as_json:
        told = {"snapshot": name, "path": str(path), "whole": not faults, "faults": [fault._asdict() for fault in faults]}
        print(json.dumps(told, ensure_ascii=False))
    else:
        for fault in faults:
            print(f"{fault.kind:<12}  {fault}")
        number = f"{len(faults)} fault{'s' * (len(faults) > 1)}"
        print(f"{name}: {number if faults else 'whole: every file, schema and count is as published'}")
    return FAILED if faults else DONE


def _rollback(chosen: argparse.Namespace) -> int:
    from flows import rollback, terminal
    from flows.folder import BusyError
    from tasks import files, snapshots

    curated = _folder(chosen.curated)
    files.reachable(curated)
    if not chosen.snapshot and snapshots.named(curated) is None:
        return _say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", USAGE)
    try:
        with terminal.progress():
            if chosen.release and not chosen.snapshot:
                print("released: the next run may publish again" if rollback.release(curated, chosen.wait) else "there is no hold")
                return DONE
            done = rollback.roll_back(curated, chosen.snapshot, chosen.reason, chosen.release, chosen.wait)
    except rollback.UnfitError as error:
        return _say(f"copydesk: {error}", USAGE)
    except (BusyError, snapshots.MovedError) as error:
        return _say(f"copydesk: {error}", BUSY)
    if done.faults:
        _faults(done.to.name, done.to, done.faults, as_json=False)
        return _say(f"copydesk: {done.to.name} is not whole; nothing was changed", FAILED)
    print(f"published  {done.to.name}\nhold       {done.hold or 'none: the next run may publish anything'}")
    return DONE


def _explain(chosen: argparse.Namespace) -> int:
    snapshot = _snapshot(chosen)
    if snapshot is None:
        return USAGE
    from flows.explain import explanations, reasons

    found = explanations(snapshot, chosen.raw_id)
    if not found:
        return _say(f"copydesk: no record {chosen.raw_id!r} in {snapshot.name}", USAGE)
    why = reasons()
    for record in found:
        _show(record, why, chosen.json)
    return DONE


def _clean(chosen: argparse.Namespace) -> int:
    from flows.explain import cleaned, reasons
    from tasks.settings import load

    if not Path(chosen.file).is_file():
        a_folder = Path(chosen.file).is_dir()
        return _say(
            f"copydesk: {chosen.file} is a folder; name one of its files" if a_folder else f"copydesk: no file {chosen.file}", USAGE
        )
    try:
        knobs = load(Path(file) if (file := _settings_file(chosen)) else None, chosen.overrides)
        records = cleaned(Path(chosen.file), knobs)
    except ValueError as error:
        return _say(f"copydesk: {error}", USAGE)
    why = reasons(knobs.strip.rules)
    for record in records:
        _show(record, why, chosen.json, ("story_id", "raw_uri", "raw_sha256", "raw_state", "kind"))
    return DONE


def _show(record: dict[str, Any], why: dict[str, str], as_json: bool, hidden: Sequence[str] = ()) -> None:
    from flows import terminal

    if as_json:
        print(json.dumps(record, ensure_ascii=False, default=str))
        return
    inner = ("text", "removed", "repairs", "evidence", "left_out", "published_precision", *hidden)
    shown = {name: value for name, value in record.items() if name not in inner and (name, value) != ("place", "file")}
    if record.get("published_at"):
        shown["published_at"] = f"{record['published_at']:%Y-%m-%d %H:%M:%S} UTC (precision: {record['published_precision']})"
    terminal.fields(shown)
    for passage in record.get("evidence") or []:
        terminal.fields({"here": passage["text"], "there": passage["other_text"]})
    terminal.story(record, why)
    print()


def _compare(chosen: argparse.Namespace) -> int:
    from flows.compare import UnknownError, compare
    from tasks.settings import load

    try:
        knobs = load(Path(file) if (file := _settings_file(chosen)) else None, chosen.overrides)
        found = compare(chosen.a, chosen.b, _folder(chosen.curated), knobs)
    except (UnknownError, ValueError) as error:
        return _say(f"copydesk: {error}", USAGE)
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False, default=str))
        return DONE
    from flows import terminal

    terminal.comparison(found)
    return DONE


def _fit(chosen: argparse.Namespace) -> int:
    snapshot = _snapshot(chosen)
    if snapshot is None:
        return USAGE
    from tasks.settings import SettingsError

    if chosen.out and Path(chosen.out).is_dir():
        return _say(f"copydesk: --out {chosen.out} is a folder; name a file to write", USAGE)
    try:
        return _fit_rarity(snapshot, chosen.out) if chosen.what == "rarity" else _fit_furniture(snapshot, chosen.out)
    except SettingsError as error:
        return _say(f"copydesk: {error}", USAGE)


def _fit_rarity(snapshot: Path, written: str | None) -> int:
    from flows import terminal
    from tasks import rarity
    from tasks.files import inside

    files, out = inside(snapshot / "stories", ".parquet"), Path(written or "rarity.parquet")
    with terminal.progress():
        model = rarity.fit(files)
    rarity.write(model, out)
    terminal.raised(rarity.raised(model, files))
    print(f"model     {out}  ({model.name}: {len(model.hashes):,} terms of {model.words:,} words in {model.stories:,} stories)")
    print(f'to use    copydesk run --set derivative.rarity="{out}", or the same in copydesk.toml; all stories are then worked again')
    return DONE


def _fit_furniture(snapshot: Path, written: str | None) -> int:
    from flows import corpus, terminal
    from tasks import furniture

    out, chosen = Path(written or "furniture.jsonl"), corpus.sources(snapshot)
    with terminal.progress():
        model = furniture.fit(([one.story for one in stories] for stories in corpus.stories(snapshot, chosen)), len(chosen))
    furniture.write(model, out)
    ready, taken = furniture.ready(model.lines), [line for line in model.lines if line.take]
    terminal.furniture(taken, corpus.newly(ready, corpus.stories(snapshot, {line.source: chosen[line.source] for line in taken})))
    learnt = f"{len(taken):,} lines of {len(ready.sources):,} sources, learnt from {model.stories:,} stories of {model.sources:,} sources"
    print(f"model     {out}  ({ready.name}: {learnt})")
    if len(taken) < len(model.lines):
        print(f"to judge  {len(model.lines) - len(taken):,} more lines recur and stay; the file has them with take = false and the reason")
    print(f'to use    read {out}, delete what must stay, then: copydesk run --set strip.furniture="{out}"; all stories are worked again')
    return DONE


def _rules(chosen: argparse.Namespace) -> int:
    from flows import terminal
    from flows.explain import rule_hits, rule_trial
    from tasks.settings import SettingsError, load
    from tasks.snapshots import latest

    try:
        knobs = load(Path(file) if (file := _settings_file(chosen)) else None, chosen.overrides)
        if chosen.test:
            tables = _trial_stories(chosen, knobs)
            found = None if tables is None else rule_trial(Path(chosen.test), knobs, tables)
        else:
            listed = rule_hits(knobs.strip.rules, latest(_folder(chosen.curated)))
    except (SettingsError, ValueError) as error:
        return _say(f"copydesk: {error}", USAGE)
    if not chosen.test:
        if chosen.json:
            print(*(json.dumps(rule, ensure_ascii=False) for rule in listed), sep="\n")
        else:
            terminal.rules(listed)
        return DONE
    if found is None:
        return USAGE
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        terminal.rule_trial(found)
    return DONE


def _trial_stories(chosen: argparse.Namespace, knobs: Any) -> Any:
    """The stories on which rules are tried; None when there are none, and the reason has been said."""
    from flows.explain import repaired_raw, repaired_snapshot

    if chosen.raw is None:
        snapshot = _snapshot(chosen)
        return None if snapshot is None else repaired_snapshot(snapshot)
    if not Path(chosen.raw).is_dir():
        raise ValueError(f"raw folder {chosen.raw}: there is no such folder")
    return repaired_raw(Path(chosen.raw), knobs)


if __name__ == "__main__":
    sys.exit(main())
