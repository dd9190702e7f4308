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
        return _say(f"copydesk: {error.filename or 'storage'}: {error.strerror or error}", FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="copydesk", description="Raw news text to a curated Parquet dataset: repaired, stripped of boilerplate, each story once."
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    run = _verb(verbs, "run", _run, "curate the stories of a folder and publish a snapshot")
    run.add_argument(
        "--raw", default="raw", metavar="DIR", help="folder with the raw stories, or its URL, e.g. s3://news/raw (default: raw)"
    )
    _curated(run)
    _settings(run)
    run.add_argument("--workers", type=int, metavar="N", help="processes for the work (default: all cores)")
    run.add_argument(
        "--runner",
        default="local",
        metavar="local|dask[:ADDRESS]",
        help="where the work is done: in processes of this machine (default), or on a Dask cluster, e.g. dask:tcp://10.0.0.7:8786; "
        "plain `dask` starts one on this machine. A cluster needs --raw and --curated where all its workers reach them",
    )
    run.add_argument("--full", action="store_true", help="read every raw file again")
    run.add_argument("--prune", action="store_true", help="forget the records of raw files that are gone")
    run.add_argument("--accept", action="append", default=[], metavar="RULE", help="publish although this run expectation fails")
    run.add_argument("--server", action="store_true", help="report to the Prefect server of the active profile")

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

    verify = _verb(verbs, "verify", _verify, "check every file, schema and count of a snapshot")
    verify.add_argument("snapshot", nargs="?", metavar="SNAPSHOT", help="name of a snapshot (default: the published one)")
    _curated(verify)

    path = _verb(verbs, "path", _path, "print the folder of the published snapshot, for readers that must not change horses")
    path.add_argument("table", nargs="?", choices=["stories", "duplicates", "quarantine", "decisions", "inputs"], help="or of one table")
    _curated(path)

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
    return parser


def _verb(verbs: Any, name: str, function: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(verb=function)
    return parser


def _curated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--curated", default="curated", metavar="DIR", help="folder of the snapshots, or its URL (default: curated)")


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
    from tasks.validate import SuiteError

    processes.sweep_again()
    try:
        with terminal.progress(), _no_heartbeat(), processes.undisturbed():
            outcome = curate(
                raw=chosen.raw,
                curated=chosen.curated,
                settings_file=file,
                overrides=tuple(overrides),
                full=chosen.full,
                prune=chosen.prune,
                accept=tuple(chosen.accept),
                runner=chosen.runner,
            )
    except (UnusableError, RunnerError, SuiteError, SettingsError) as error:
        return _say(f"copydesk: {error}", USAGE)
    except BusyError as error:
        return _say(f"copydesk: {error}", BUSY)
    except (OSError, ModuleNotFoundError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator gets one line and the log the rest
        return _say(f"copydesk: failed, nothing was published: {error.__class__.__name__}: {error}", FAILED)
    return _report(outcome, chosen.curated)


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
    print(f"stories   {latest / 'stories'}\nreport    {latest / 'report' / 'index.html'}\nsnapshot  {outcome.snapshot}")
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
    from flows.curate import curate

    parameters = {"raw": chosen.raw, "curated": chosen.curated, "settings_file": _settings_file(chosen), "overrides": chosen.overrides}
    curate.serve(name="copydesk", cron=chosen.cron, parameters=parameters, limit=1)
    return DONE


# ---- looking at a snapshot -------------------------------------------------------------------------------------------


def _folder(written: str) -> Path:
    """A folder as the person wrote it, or behind its URL."""
    from tasks import files

    located = files.located(written)
    return located if "://" in written else Path(written)


def _snapshot(chosen: argparse.Namespace) -> Path | None:
    from tasks import files
    from tasks.publish import latest

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


def _verify(chosen: argparse.Namespace) -> int:
    from tasks.publish import verify

    snapshot = _folder(chosen.curated) / "snapshots" / chosen.snapshot if chosen.snapshot else _snapshot(chosen)
    if snapshot is None or not snapshot.is_dir():
        return USAGE if snapshot is None else _say(f"copydesk: no snapshot {snapshot}", USAGE)
    faults = verify(snapshot)
    for fault in faults:
        print(fault)
    print(f"{snapshot.name}: {f'{len(faults)} faults' if faults else 'whole: every file, schema and count is as published'}")
    return FAILED if faults else DONE


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
    from tasks.publish import latest
    from tasks.settings import SettingsError, load

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
