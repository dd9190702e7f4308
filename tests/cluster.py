"""A cluster on this machine, for tests: an S3 server, a Dask scheduler and its workers, each a process of its own on a free port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

_SERVE_S3 = """
import logging, sys, threading
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
put, one = S3Response.put_object, threading.Lock()
def put_object(self):  # S3 looks at the condition of a request and writes in one step; moto's threads may come between
    with one:
        return put(self)
S3Response.put_object = put_object
logging.getLogger("werkzeug").setLevel("ERROR")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()  # until the test closes it, or is gone
server.stop()
"""


@contextmanager
def s3(bucket: str = "news") -> Iterator[dict[str, str]]:
    """An S3 server with an empty bucket; gives the environment in which boto, and so s3fs, finds it."""
    server = subprocess.Popen([sys.executable, "-c", _SERVE_S3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        address = server.stdout.readline().strip()
        assert address, "the S3 server did not start"
        environment = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",  # the server takes any
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        urllib.request.urlopen(urllib.request.Request(f"{address}/{bucket}", method="PUT")).close()  # noqa: S310 - our own server
        yield environment
    finally:
        server.communicate(timeout=20)


@dataclass
class Dask:
    """A running cluster: the scheduler's address and the processes of its workers, one thread each and no nanny."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def kill(self, number: int) -> None:
        """A worker is gone as if its machine were: nothing is said to anyone."""
        self.workers[number].kill()
        self.workers[number].wait()


@contextmanager
def dask(folder: Path, workers: int = 2, environment: Mapping[str, str] | None = None) -> Iterator[Dask]:
    """A Dask scheduler and workers that speak TCP; they import our packages and tests from this checkout. Logs go to `folder`."""
    where = folder / "scheduler.json"
    ours = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"} | dict(environment or {})
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (folder / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-m", f"distributed.cli.dask_{name.partition('-')[0]}", *arguments]
            started.append(subprocess.Popen(command, cwd=folder, env=ours, stdout=log, stderr=subprocess.STDOUT))
        return started[-1]

    try:
        scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(where))
        address = str(_wait(lambda: json.loads(where.read_text(encoding="utf-8"))["address"], folder))
        options = (
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
            "--memory-limit",
            "0",
            "--local-directory",
            str(folder),
        )
        cluster = Dask(address, scheduler, [start(f"worker-{number}", address, *options) for number in range(workers)])
        if workers:
            from distributed import Client

            with Client(address, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=60)
        yield cluster
    finally:
        for process in started:  # a worker that is told to end, and sees its scheduler go, may hang
            process.kill()
            process.wait()


def _wait(look: Callable[[], object], folder: Path, seconds: float = 30) -> object:
    """What `look` gives, once it is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return look()
        except (OSError, ValueError, KeyError):
            time.sleep(0.05)
    logs = "\n".join(log.read_text(encoding="utf-8", errors="replace") for log in folder.glob("*.log"))
    raise TimeoutError(f"the cluster did not start:\n{logs}")
