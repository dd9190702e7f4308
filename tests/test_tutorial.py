"""The tutorial, typed from top to bottom in an empty folder: every command runs, and says what the page shows.

Blocks marked `{.server}` need a Prefect server and come last; `.background` runs on until the end, `.eventually` is typed again until it says
what is shown.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from snippets import Snippet, commands, console, fits, snippets

PAGE = snippets(ROOT / "docs" / "tutorial.md")
PATIENCE = 90  # seconds for what comes eventually
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
}

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


class Terminal:
    """A person's shells: folder and variables stay from block to block, background jobs run until the end."""

    def __init__(self, home: Path) -> None:
        self.home, self.place, self.jobs = home, home, list[subprocess.Popen[bytes]]()
        (home / "bin").mkdir()
        (home / "variables").touch()
        for name, module in (("copydesk", "flows.command_line"), ("prefect", "prefect"), ("python", "")):
            script = home / "bin" / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {f"-m {module}" if module else ""} "$@"\n')
            script.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.environment = {
            **os.environ,
            "COLUMNS": "140",
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def typed(self, written: str) -> str:
        """What is typed (or shown) here: a port that is free, and no waiting for minutes."""
        return written.replace("4200", str(self.port)).replace("--every 1m", "--every 5s")

    def type(self, command: str) -> tuple[int, str]:
        """The exit code, and what was said."""
        place, variables = self.home / "place", self.home / "variables"
        done = subprocess.run(
            ["bash", "-c", f'. "{variables}"\n{self.typed(command)}\ncode=$?; pwd > "{place}"; export -p > "{variables}"; exit $code'],
            cwd=self.place,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.place = Path(place.read_text(encoding="utf-8").strip())
        return done.returncode, done.stdout

    def begin(self, block: str) -> None:
        """In a terminal of its own, whose session can be ended as a whole."""
        with (self.home / f"job-{len(self.jobs)}.log").open("wb") as log:
            command = ["bash", "-c", self.typed(block)]
            self.jobs.append(
                subprocess.Popen(command, cwd=self.place, env=self.environment, stdout=log, stderr=log, start_new_session=True)
            )

    def close(self) -> None:
        for job in reversed(self.jobs):
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGTERM)
                try:
                    job.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(job.pid, signal.SIGKILL)
                    job.wait()


def follow(snippet: Snippet, terminal: Terminal) -> None:
    """Do what a block says."""
    if snippet.language == "python":
        code, said = terminal.type(f"python - <<'PYTHON'\n{snippet.body}\nPYTHON")
        assert code == 0, f"{snippet}\n{said}"
    elif ".background" in snippet.marks:
        terminal.begin(snippet.body)
    elif snippet.language == "sh":
        code, said = terminal.type(snippet.body)
        assert code == 0, f"{snippet}\n{said}"
    else:
        assert snippet.language == "console", snippet
        for command, shown in console(snippet.body):
            wanted = terminal.typed(shown) or "…"
            end = time.monotonic() + (PATIENCE if ".eventually" in snippet.marks else 0)
            code, said = terminal.type(command)
            while not (code == 0 and fits(wanted, said)) and time.monotonic() < end:
                time.sleep(1)
                code, said = terminal.type(command)
            assert code == 0, f"{snippet}: {command}\n{said}{logs(terminal)}"
            assert fits(wanted, said), f"{snippet}: {command} says\n{said}{logs(terminal)}"


def logs(terminal: Terminal) -> str:
    return "".join(f"\n{log.name}:\n{log.read_text(errors='replace')[-3000:]}" for log in sorted(terminal.home.glob("*.log")))


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """The runs of the first part share the session's server, which saves each some seconds; a person needs none."""
    made = Terminal(tmp_path_factory.mktemp("tutorial"))
    try:
        yield made
    finally:
        made.close()


def test_the_way_from_an_empty_folder_to_the_changes(terminal: Terminal) -> None:
    for snippet in PAGE:
        if ".server" not in snippet.marks:
            follow(snippet, terminal)


@pytest.mark.server
def test_the_way_to_a_scheduled_run(terminal: Terminal) -> None:
    """Goes on where the test above ended."""
    if not (terminal.place / "curated").is_dir():
        pytest.skip("the first part of the tutorial did not come to its end")
    terminal.environment = {name: value for name, value in terminal.environment.items() if not name.startswith("PREFECT_")}
    (terminal.home / "variables").write_text("", encoding="utf-8")
    terminal.environment |= QUIET | {"PREFECT_HOME": str(terminal.home / "prefect"), "PREFECT_SERVER_API_PORT": str(terminal.port)}
    for snippet in PAGE:
        if ".server" in snippet.marks:
            follow(snippet, terminal)


def test_what_needs_a_server_comes_last() -> None:
    marked = [".server" in snippet.marks for snippet in PAGE]
    assert marked == sorted(marked)
    assert {mark for snippet in PAGE for mark in snippet.marks} <= {".server", ".background", ".eventually"}
    assert all(commands(snippet.body) for snippet in PAGE)
