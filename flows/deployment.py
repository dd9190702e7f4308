"""The main job as a deployment: what a Prefect server is told, so that it begins runs, one at a time, and notices those that died."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

HEARTBEAT_SECONDS = 180  # Prefect's own default, so that no deployment has to set it
MISSED = 3  # heartbeats in a row, after which a run counts as dead
ENVIRONMENT = {"DO_NOT_TRACK": "1"}
"""What every scheduled run has in its environment, unless somebody said otherwise."""
DEAD_RUNS = "copydesk: a run without heartbeats is Crashed"
FINAL = ("Completed", "Failed", "Cancelled", "Crashed", "TimedOut")


class UnreachableError(ConnectionError):
    """No Prefect server answers; the text says which one was asked, and what to do."""


class ScheduleError(ValueError):
    """No schedule; the text says why."""


def settle() -> None:
    """Put what a scheduled run needs into the environment; Prefect reads it when it is imported, and hands it on to its runs."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def reach() -> str:
    """The address of the Prefect server that is set, which answers.

    Raises:
        UnreachableError: none is set, or it does not answer.
    """
    from prefect import get_client
    from prefect.settings import PREFECT_API_URL

    url: str | None = PREFECT_API_URL.value()
    start = "start one with `prefect server start` and set PREFECT_API_URL, e.g. to http://127.0.0.1:4200/api"
    if not url:
        raise UnreachableError(f"serve needs a Prefect server, which keeps the schedule; {start}")
    with get_client(sync_client=True) as client:
        if (fault := client.api_healthcheck()) is not None:
            raise UnreachableError(f"no Prefect server answers at {url} ({fault.__class__.__name__}); {start}")
    return url


def schedule(cron: str | None, every: timedelta | None, timezone: str | None) -> Any:
    """Prefect's schedule: by cron in a time zone (UTC), or every so often.

    Raises:
        ScheduleError
    """
    from prefect.schedules import Cron, Interval

    if every is not None:
        return Interval(every)
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=cron or "", timezone=timezone or "UTC")
    except ValueError as error:
        raise ScheduleError(f"--cron {cron!r} or --timezone {timezone!r} is not allowed: {_first(error)}") from error
    return Cron(cron or "", timezone=timezone or "UTC")


def _first(error: ValueError) -> str:
    """What pydantic says first of all."""
    told = getattr(error, "errors", None)
    return str(told()[0]["msg"]).removeprefix("Value error, ") if told else str(error)


def dead_runs() -> Any:
    """The automation that marks runs as Crashed which have sent heartbeats and send them no more."""
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture

    return Automation(
        name=DEAD_RUNS,
        description="A run that was killed with its host, or with the process that watched it, is Running for ever otherwise.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.heartbeat", *(f"prefect.flow-run.{state}" for state in FINAL)},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            match_related={"prefect.resource.role": "flow", "prefect.resource.name": "curate"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=MISSED * HEARTBEAT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="No sign of life: its process or its host is gone. What is published is whole; the next run takes up what is left",
            )
        ],
    )


def watch_for_dead_runs() -> None:
    """Make that automation, unless the server has one of its name.

    Raises:
        Exception: what Prefect raises when the server does not do it.
    """
    from prefect.automations import Automation

    try:
        _ = Automation.read(name=DEAD_RUNS)  # outside of a loop it waits for it
    except ValueError:  # there is none
        dead_runs().create()


def serve(name: str, when: Any, parameters: Mapping[str, Any]) -> None:
    """Begin a run whenever the server says so, until SIGTERM or Ctrl-C: then the schedule is paused, and a run that is at work is ended in order."""
    import asyncio
    import signal

    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner
    from prefect.types.entrypoint import EntrypointType

    from flows.curate import curate

    class Service(Runner):
        """Ends on SIGTERM and Ctrl-C in order; Prefect 3.8 leaves in the middle, with a trace, a schedule that goes on and a run that is Running."""

        ending: asyncio.Task[None] | None = None

        def handle_sigterm(self, *_: Any, **__: Any) -> None:
            if self.ending is None:
                self.ending = asyncio.get_running_loop().create_task(self.astop())

    # a run that is due while the last one works is not begun: the next one reads what came in, whenever that is. For the server to
    # cancel it it must be offered, so the process takes two
    one = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
    service = Service(name=name, pause_on_shutdown=True, limit=2)
    deployment = cast(
        "RunnerDeployment",  # outside of a loop it waits for it
        curate.to_deployment(
            name=name,
            schedule=when,
            parameters=dict(parameters),
            concurrency_limit=one,
            tags=["copydesk"],
            description="Raw news text to a curated Parquet dataset: what is new in `raw` becomes a new snapshot in `curated`, or nothing does.",
            entrypoint_type=EntrypointType.MODULE_PATH,  # the same however copydesk was installed, and wherever it is started
        ),
    )
    service.add_deployment(deployment)
    signal.signal(signal.SIGINT, service.handle_sigterm)
    asyncio.run(service.start())
