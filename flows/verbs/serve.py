"""The main job on a schedule."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.verbs import options

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add(verbs: Any) -> None:
    serve = options.verb(
        verbs,
        "serve",
        _serve,
        "run on a schedule until stopped",
        """
        prefect server start                            in one terminal: keeps the schedule, shows the runs on http://127.0.0.1:4200
        export PREFECT_API_URL=http://127.0.0.1:4200/api
        copydesk serve                                  in another: a run every hour
        copydesk serve --cron "30 6 * * 1-5" --timezone Europe/Berlin
        copydesk serve --every 15m --name wire --raw s3://news/wire --curated s3://news/curated
        """,
        "One run at a time: one that is due while the last is at work is cancelled, and the next reads what came in. SIGTERM and Ctrl-C pause the "
        "schedule and end a run that is at work; nothing half done is ever published. A run that was refused, held or failed is Failed in Prefect "
        "and says why and what to do. docs/schedule.md has systemd, containers, a team's server and notifications.",
    )
    when = serve.add_mutually_exclusive_group()
    when.add_argument("--cron", default="0 * * * *", help="when to run (default: every hour, '0 * * * *')")
    when.add_argument("--every", type=_interval, metavar="TIME", help="run every so often instead, e.g. 90s, 15m, 2h, 1d")
    serve.add_argument("--timezone", metavar="ZONE", help="of --cron, e.g. Europe/Berlin (default: UTC)")
    serve.add_argument("--name", default="copydesk", help="name of the deployment: one for each folder that is served (default: copydesk)")
    serve.add_argument("--raw", default="raw", metavar="DIR", help="folder with the raw stories, or its URL (default: raw)")
    options.curated(serve)
    options.settings(serve)
    options.runner(serve)
    options.wait(serve)


def _interval(written: str) -> timedelta:
    """
    >>> _interval("15m")
    datetime.timedelta(seconds=900)
    """
    match = re.fullmatch(r"(\d+)\s*([smhd])", written.strip())
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{written} is no time between runs; write e.g. 90s, 15m, 2h or 1d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _serve(chosen: argparse.Namespace) -> int:
    from tasks.settings import SettingsError, load

    try:
        load(Path(file) if (file := options.settings_file(chosen)) else None, chosen.overrides)
    except SettingsError as error:
        return options.say(str(error), options.USAGE)
    from flows import deployment

    deployment.settle()
    from flows.runner import RunnerError, check

    try:
        check(chosen.runner)
        when = deployment.schedule(chosen.cron, chosen.every, chosen.timezone)
        server = deployment.reach()
    except (RunnerError, deployment.ScheduleError, deployment.UnreachableError) as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    try:
        deployment.watch_for_dead_runs()
    except Exception as error:  # noqa: BLE001 - a server that lets nobody make automations still keeps schedules
        options.say(f"copydesk: dead runs will not be marked, the server took no automation: {error}", options.DONE)
    parameters = {
        "raw": _whole(chosen.raw),
        "curated": _whole(chosen.curated),
        "settings_file": _whole(file) if file else None,
        "overrides": chosen.overrides,
        "runner": chosen.runner,
        "wait": chosen.wait,
    }
    often = f"every {chosen.every}" if chosen.every else f"at {chosen.cron!r} ({chosen.timezone or 'UTC'})"
    ui = server.removesuffix("/api")
    print(f"serving   {parameters['raw']} -> {parameters['curated']}, {often}", flush=True)
    print(f"runs      {ui}/runs\nnow       prefect deployment run curate/{chosen.name}", flush=True)
    deployment.serve(chosen.name, when, parameters)
    print("stopped   the schedule is paused; `copydesk serve` goes on with it", flush=True)
    return options.DONE


def _whole(folder: str) -> str:
    """The folder from the root, so that its runs find it wherever they are started; a URL as it is."""
    return folder if "://" in folder else str(Path(folder).absolute())
