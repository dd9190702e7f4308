"""Prefect for one run of the command line: no profile, no noise, and an API server that lives as long as the run.

Left to itself, Prefect starts a server (python, uvicorn, its own app) when the first run asks for it, and asks ten times a second
whether it answers. This is the same app, begun earlier and cheaper: the process is forked as soon as this one has imported Prefect,
so that both need import it only once, and it answers on a socket that listens already, so that nobody has to ask.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from flows import processes

# What each saves of the server's processor time in a run on raw/, 1.6 s with all of them (median of 3, that one left out).
SETTINGS = {
    "DO_NOT_TRACK": "1",  # 0.2 s with the next, and no network
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",  # ours is shown, see terminal.progress
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",  # 0.1 s
    "PREFECT_API_REQUEST_TIMEOUT": "120",  # a first run makes the database before it answers: 5 s, on a slow disk 15
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # 0.1 s: no page of a browser knows the port
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",  # 0.4 s with the next: imports every integration, e.g. prefect-dask
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",  # 0.15 s: there are no automations
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",  # 0.2 s: runs and task runs are kept without the log of events
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",  # 0.2 s: not a transaction each; the last are written at the end
}


def start(home: Path) -> BaseProcess:
    """Settle Prefect in `home`, with a server of this process's own, which is given; both are gone when this process is. Imports Prefect.

    A home that cannot be written is replaced by one of this run alone. Settings of the environment win.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError:
        home = Path(tempfile.mkdtemp(prefix="copydesk-"))
    listening = socket.create_server(("127.0.0.1", 0))
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(home))
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
    import fastapi.encoders  # noqa: F401 - the flow engine imports it, when all wait for the first answer
    import prefect  # noqa: F401 - for both processes

    # forked, not started anew: that saves a second of imports. There are no threads yet
    server = multiprocessing.get_context("fork").Process(target=_serve, args=(listening,), name="prefect", daemon=True)
    with processes.undisturbed():
        server.start()
    listening.close()  # so that clients notice when the server is gone
    return server


def _serve(listening: socket.socket) -> None:
    """Answer until SIGTERM, which comes when the run ends, or until the run is no more."""
    processes.end_with_the_run()
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True)
    app.router.lifespan_context = _one_at_a_time(app.router.lifespan_context, Path(os.environ["PREFECT_HOME"]))
    processes.sweep_again()
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listening])


def _one_at_a_time(lifespan: Callable[[Any], Any], home: Path) -> Callable[[Any], Any]:
    """A server's lifespan that begins when no other of the same home is beginning: they would all set up one database at once, and fail."""

    @asynccontextmanager
    async def alone(app: Any) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            with ExitStack() as held:
                with suppress(OSError):  # a home that cannot be written has no database to set up either
                    fcntl.flock(held.enter_context((home / ".starting").open("w")), fcntl.LOCK_EX)  # nothing else is done here meanwhile
                state = await stack.enter_async_context(lifespan(app))
            yield state

    return alone
