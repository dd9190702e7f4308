"""A cluster on this machine, for tests: an S3 server, a Dask scheduler and its workers, each a process of its own on a free port."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

_SERVE_S3 = """
import signal, sys
from moto.server import ThreadedMotoServer
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
    assert server.stdin
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
        server.stdin.close()
        server.wait(20)
