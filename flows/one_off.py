"""Prefect for one run of the command line: no profile, no noise, and an API server that lives as long as the run.

Left to itself, Prefect starts a server (python, uvicorn, its own app) when the first run asks for it, and asks ten times a second
whether it answers. This is the same app, begun earlier and cheaper: the process is forked as soon as this one has imported Prefect,
so that both need import it only once, and it answers on a socket that listens already, so that nobody has to ask.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

from flows import processes

SETTINGS = {  # what a setting saves is processor time of one run, and was measured with it left out
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    # a first run makes the database before it answers: 5 s, on a slow disk 15
    "PREFECT_API_REQUEST_TIMEOUT": "120",
    # only this run and this user know the port
    "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
    # block types are for the pages of a server that stays; both are needed
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
    # automations, and the log of events that they and the pages read. Runs and task runs are kept without it
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    # states of task runs to one transaction; the rest is written when the server ends
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
}


def start(home: Path) -> None:
    """Settle Prefect in `home`, with a server of this process's own; both are gone when this process is. Imports Prefect.

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


def _serve(listening: socket.socket) -> None:
    """Answer until SIGTERM, which comes when the run ends, or until the run is no more."""
    import uvicorn
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True)
    processes.sweep_again()
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    config = uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listening])


def _end_with_the_run() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
    os.kill(os.getpid(), signal.SIGTERM)
