"""The schedule against a real Prefect server: a run fires by itself and publishes, its end is told, and everything stops in order.

That scheduled runs come at all is not to be taken for granted: with another version of sqlalchemy none is ever created.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from conftest import ROOT

pytestmark = [pytest.mark.prefect, pytest.mark.server]
STORY = "The night ferry from Brinehaven stayed in port on Sunday after its crew found water in the engine room."
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "1",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
}


class Server:
    """A Prefect server of its own, on a free port."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | {
            **QUIET,
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_API_URL": self.url,
            "COPYDESK_CACHE": os.environ.get("COPYDESK_CACHE", str(home / "cache")),
            "PYTHONPATH": str(ROOT),
        }

    def ask(self, path: str, **body: Any) -> Any:
        """What the API answers to a POST; as Prefect's own client it asks again when the database is busy (503)."""
        request = Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310 - our own address
        for patience in range(20, -1, -1):
            try:
                with urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
                    return json.load(answer)
            except HTTPError as error:
                if error.code != 503 or not patience:
                    raise
                error.close()
            time.sleep(0.5)
        raise AssertionError

    def runs(self, *states: str) -> list[dict[str, Any]]:
        where = {"flow_runs": {"state": {"type": {"any_": list(states)}}}} if states else {}
        return list(self.ask("/flow_runs/filter", **where))

    def events(self, name: str) -> list[dict[str, Any]]:
        return list(self.ask("/events/filter", filter={"event": {"name": [name]}})["events"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("server")
    made = Server(home)
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(made.port)]
    with _running(command, home, made.environment, home / "server.log"):

        def answers() -> bool:
            with suppress(URLError, ConnectionError), urlopen(f"{made.url}/health", timeout=2) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
            return False

        until(answers, home / "server.log")
        yield made


@contextmanager
def _running(command: list[str], cwd: Path, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended, and waited for, in any case."""
    with log.open("wb") as out, subprocess.Popen([sys.executable, *command], cwd=cwd, env=environment, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(40)
                except subprocess.TimeoutExpired:
                    process.kill()


def until(true: Callable[[], Any], log: Path, seconds: float = 90) -> Any:
    """What `true` gives, once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited for {seconds:.0f} s:\n{log.read_text()[-4000:]}")


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """A working folder with one story, and settings that are quick."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text(STORY)
    (tmp_path / "copydesk.toml").write_text("[run]\nworkers = 1\n")
    return tmp_path


def test_a_scheduled_run_fires_publishes_and_is_told_and_sigterm_ends_the_service(server: Server, news: Path) -> None:
    log = news / "serve.log"
    command = ["-m", "flows.command_line", "serve", "--every", "5s", "--name", "wire"]
    with _running(command, news, server.environment, log) as serving:
        (done, *_) = until(lambda: server.runs("COMPLETED", "FAILED", "CRASHED"), log)
        assert done["state"]["type"] == "COMPLETED", done["state"]
        assert re.fullmatch(r"raw -> curated, \d{4}-\d\d-\d\d \d\d:\d\d UTC", done["name"])
        assert done["state"]["message"].startswith("Published 1 story of 1 record as ")
        assert (news / "curated" / "latest" / "stories").is_dir()
        until(lambda: [run for run in server.runs("COMPLETED") if run["state"]["message"].startswith("Nothing new")], log)

        # what people see of it
        artifacts = {one["key"]: one for one in server.ask("/artifacts/filter")}
        summary, table = (next(one for key, one in artifacts.items() if key.endswith(end)) for end in ("-summary", "-funnel"))
        assert "report/index.html" in summary["data"]
        assert "| conservation | passed | 0 | exactly 0 |" in summary["data"]
        assert json.loads(table["data"])[0] == {"step": "raw records", "records": 1, "of which": "in 1 file"}
        told = [line["message"] for line in server.ask("/logs/filter", logs={"flow_run_id": {"any_": [done["id"]]}})]
        assert "work 1 of 1" in told
        assert not any(STORY[:20] in line for line in told)

        # what other flows can be triggered by
        made = until(lambda: server.events("prefect.asset.materialization.succeeded"), log)
        stories = next(event for event in made if event["resource"]["prefect.resource.id"].endswith("/stories"))
        assert stories["resource"]["prefect.resource.id"] == f"file://{news}/curated/latest/stories"
        assert (stories["payload"]["rows"], stories["payload"]["files"]) == (1, 1)
        assert {"prefect.resource.id": f"file://{news}/raw", "prefect.resource.role": "asset"} in stories["related"]

        # who notices a run that died
        names = [one["name"] for one in server.ask("/automations/filter")]
        assert names.count("copydesk: a run without heartbeats is Crashed") == 1

        serving.send_signal(signal.SIGTERM)
        assert serving.wait(40) == 0, log.read_text()
    (deployment,) = server.ask("/deployments/filter")
    assert deployment["paused"]
    assert deployment["global_concurrency_limit"]["limit"] == 1
    assert server.runs("RUNNING", "PENDING") == []
    assert "Traceback" not in log.read_text()


def test_sigterm_ends_the_run_that_is_at_work_and_late_runs_do_not_pile_up(server: Server, news: Path) -> None:
    from flows.folder import held

    log, curated = news / "serve.log", news / "curated"
    curated.mkdir()
    command = ["-m", "flows.command_line", "serve", "--every", "3s", "--name", "waits", "--wait", "600"]
    with held(curated), _running(command, news, server.environment, log) as serving:
        (working,) = until(lambda: server.runs("RUNNING"), log)
        late = until(lambda: [run for run in server.runs("CANCELLED") if run["deployment_id"] == working["deployment_id"]], log)
        assert "concurrency limit" in late[0]["state"]["message"]
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(45) == 0, log.read_text()
    assert server.runs("RUNNING", "PENDING") == []
    (ended,) = [run for run in server.runs() if run["id"] == working["id"]]
    assert (ended["state"]["type"], ended["state"]["message"]) == ("CANCELLED", "Runner is shutting down.")
    assert "Traceback" not in log.read_text()
    assert not (curated / "latest").exists()


@contextmanager
def _listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Somebody to be notified: an address, and what was posted there."""
    posted: list[dict[str, Any]] = []

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not on the test's output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_port}/", posted
        listener.shutdown()


SENDER = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock
data = {"title": "{{subject}}", "words": "{{body}}"}
CustomWebhookNotificationBlock(name="desk", url=sys.argv[1], json_data=data, allow_private_urls=True).save("desk")
sys.argv = ["notify.py", "custom-webhook/desk"]
exec(open(sys.argv[0]).read())
"""


def test_a_worker_runs_the_deployment_of_a_new_folder_and_a_refusal_is_seen_and_told(server: Server, tmp_path: Path) -> None:
    from flows import workspace

    workspace.create(tmp_path)
    log = tmp_path / "worker.log"
    with (
        _listening() as (address, posted),
        _running(["-m", "prefect", "worker", "start", "--pool", "copydesk", "--type", "process"], tmp_path, server.environment, log),
    ):
        sender = [sys.executable, "-c", SENDER, address]
        subprocess.run(sender, cwd=ROOT / "examples", env=server.environment, timeout=90, check=True)
        until(lambda: [pool for pool in server.ask("/work_pools/filter") if pool["name"] == "copydesk"], log)
        deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        done = subprocess.run(deploy, cwd=tmp_path, env=server.environment, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (deployment,) = (one for one in server.ask("/deployments/filter") if one["name"] == "hourly")
        assert (deployment["schedules"][0]["schedule"]["cron"], deployment["schedules"][0]["active"]) == ("0 * * * *", True)

        def run() -> dict[str, Any]:
            begun = server.ask(f"/deployments/{deployment['id']}/create_flow_run", idempotency_key=os.urandom(8).hex())
            over = until(lambda: [one for one in server.runs("COMPLETED", "FAILED", "CRASHED") if one["id"] == begun["id"]], log)
            return dict(over[0])

        first = run()
        assert first["state"]["message"].startswith("Published 2 stories of 4 records as "), first["state"]["message"]

        suite = json.loads((tmp_path / "expectations" / "run.json").read_text())
        next(rule for rule in suite["expectations"] if rule["meta"]["name"] == "quarantine_rate")["severity"] = "critical"
        (tmp_path / "expectations" / "run.json").write_text(json.dumps(suite))
        (tmp_path / "raw" / "b.txt").write_text(STORY)
        second = run()
        told = until(lambda: [one for one in posted if "Refused: " in one["words"]], log)  # runs of other tests may be told of too
    assert (second["state"]["type"], second["state"]["name"]) == ("FAILED", "Failed")
    assert second["state"]["message"].startswith("Refused: quarantine_rate: ")
    assert f"what was refused lies in {tmp_path}/curated/refused/" in second["state"]["message"]
    assert "--accept quarantine_rate" in second["state"]["message"]
    assert set(second["tags"]) == {"copydesk", "refused"}
    assert told[0]["title"] == "copydesk: Failed"
    assert told[0]["words"].startswith(f"{second['name']}: Refused: quarantine_rate: "), posted
