"""The main job on a schedule."""

from __future__ import annotations

import argparse
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    serve = options.verb(verbs, "serve", _serve, "run on a schedule until stopped")
    serve.add_argument("--cron", default="0 * * * *", help="when to run (default: every hour, '0 * * * *')")
    serve.add_argument("--raw", default="raw", metavar="DIR", help="folder with the raw stories (default: raw)")
    options.curated(serve)
    options.settings(serve)
    options.runner(serve)
    options.wait(serve)


def _serve(chosen: argparse.Namespace) -> int:
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        start = "start one with `prefect server start` and set PREFECT_API_URL, e.g. to http://127.0.0.1:4200/api"
        return options.say(f"copydesk: serve needs a Prefect server, which keeps the schedule; {start}", options.USAGE)
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

    from flows.curate import curate
    from flows.runner import RunnerError, check

    try:
        check(chosen.runner)
    except RunnerError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    parameters = {
        "raw": chosen.raw,
        "curated": chosen.curated,
        "settings_file": options.settings_file(chosen),
        "overrides": chosen.overrides,
        "runner": chosen.runner,
        "wait": chosen.wait,
    }
    # a run that is due while the last one works is not begun: the next one reads what came in, whenever that is
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    curate.serve(name="copydesk", cron=chosen.cron, parameters=parameters, limit=1, global_limit=one)
    return options.DONE
