"""The main job."""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from flows import faults
from flows.verbs import options

SLOW_END_SECONDS = 5.0  # of Prefect, when its server answers no more
STOPPED = "copydesk: stopped; nothing was published, and what was worked is not worked again"


def add(verbs: Any) -> None:
    run = options.verb(
        verbs,
        "run",
        _run,
        "curate the stories of a folder and publish a snapshot",
        """
        copydesk run                                   raw/ into curated/, whatever is new there
        copydesk run --raw ~/news --curated ~/clean    other folders
        copydesk run --set near.jaccard=0.6            with another setting; copydesk.toml has those that stay
        copydesk run --accept quarantine_rate          publish although that expectation fails, on record
        copydesk run --json | jq .counts               for programs
        """,
        f"{options.CODES}\n\nIt reads what is new or changed and publishes a whole snapshot, or nothing. "
        "--json gives one object: end (published, nothing new, refused, held), snapshot, path, report, counts, gates, says (the end in one "
        "sentence), parent, recipe, run (Prefect's id), seconds; of a run that failed there is none, and standard error has the reason.",
    )
    run.add_argument(
        "--raw", default="raw", metavar="DIR", help="folder with the raw stories, or its URL, e.g. s3://news/raw (default: raw)"
    )
    options.curated(run)
    options.settings(run)
    run.add_argument("--workers", type=int, metavar="N", help="processes for the work (default: all cores)")
    options.runner(run)
    run.add_argument("--full", action="store_true", help="read every raw file again")
    run.add_argument("--prune", action="store_true", help="forget the records of raw files that are gone")
    run.add_argument("--accept", action="append", default=[], metavar="RULE", help="publish although this run expectation fails")
    run.add_argument("--server", action="store_true", help="report to the Prefect server of the active profile")
    options.wait(run)
    options.as_json(run, "one JSON object at the end: how it ended, snapshot, counts, gates")
    run.add_argument("--log-json", action="store_true", help="for programs: the log as one JSON object a line, on standard error")


def _run(chosen: argparse.Namespace) -> int:
    from flows import processes

    stop = processes.stoppable(lambda code: _end(STOPPED if code else "", code))
    try:
        code = _curate(chosen, stop)
    except processes.Stopped as stopped:
        with suppress(OSError):  # the terminal may be closed
            options.say(STOPPED, 128 + stopped.signum)
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
        load(Path(file) if (file := options.settings_file(chosen)) else None, overrides)
    except SettingsError as error:
        return options.say(str(error), options.USAGE)
    from flows import one_off, terminal
    from flows.runner import RunnerError, check

    try:
        check(chosen.runner)
    except RunnerError as error:
        return options.say(f"copydesk: {error}", options.USAGE)

    processes.warm_up()
    if not chosen.server and "PREFECT_API_URL" not in os.environ:
        server = one_off.start(cache_folder() / "prefect")
        gone = (
            f"copydesk: failed: this run's own Prefect server (process {server.pid}) was ended. The published snapshot is whole; run again"
        )
        processes.not_without(server, stop, lambda: _end(gone, options.FAILED))
    from flows.curate import UnusableError, curate
    from flows.folder import BusyError
    from flows.watch import NotPublishedError
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
        return options.say(f"copydesk: {error}", options.USAGE)
    except (BusyError, MovedError) as error:
        return options.say(f"copydesk: {error}", options.BUSY)
    except NotPublishedError as stopped:
        outcome = stopped.outcome
    except (OSError, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator gets one line and the log the rest
        trace = _write_trace(cache_folder(), error)
        return options.say(f"copydesk: {faults.unforeseen(error)}{trace}", options.FAILED)
    return _report_json(outcome) if chosen.json else _report(outcome, chosen.curated)


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
    latest = options.folder(curated) / "latest" if here else outcome.snapshot  # an object store has no link to read through
    if outcome.end == "nothing new":
        print(f"nothing new: {latest if here else curated} is up to date ({outcome.snapshot.name})")
        return options.DONE
    terminal.funnel(outcome.manifest["counts"])
    terminal.obeyed(outcome.manifest["overrides"])
    terminal.gates(outcome.manifest["gate"]["results"])
    if outcome.end != "published":
        return options.say(f"copydesk: {outcome.words}", options.REFUSED)
    print(f"stories   {latest / 'stories'}\nreport    {latest / 'report' / 'index.html'}\nsnapshot  {outcome.snapshot}")
    if gone := outcome.manifest["run"]["removed"]["snapshots"]:
        print(f"removed   {len(gone)} old: {', '.join(gone)}")
    return options.DONE


def _report_json(outcome: Any) -> int:
    manifest = outcome.manifest
    told = {
        "end": outcome.end,
        "snapshot": outcome.snapshot.name,
        "path": str(outcome.snapshot),
        "report": str(outcome.snapshot / "report" / "index.html"),
        "counts": manifest["counts"],
        "gates": manifest["gate"]["results"],
        "says": outcome.words,
        "parent": manifest["parent"],
        "recipe": manifest["recipe"]["hash"],
        "run": manifest["run"]["id"],
        "seconds": manifest["run"]["seconds"],
    }
    print(json.dumps(told, ensure_ascii=False))
    return options.DONE if outcome.end in ("published", "nothing new") else options.REFUSED


def _no_heartbeat() -> Any:
    """A one-off run needs no heartbeat, and ending it takes a second."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
