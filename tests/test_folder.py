"""The curated folder is held by one run at a time, on a file system and in an object store, among real processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT

from flows import folder, lease
from flows.folder import BusyError, LostError, held, work_folder
from tasks import files

RIVAL = """
import sys, time
from flows import folder, lease
from tasks import files
target, seconds, machine, begin = sys.argv[1:]
lease.LEASE_SECONDS, lease.SETTLE_SECONDS, folder.LOOK_FAR_SECONDS = float(seconds), 0.3, 0.2
if machine:
    lease.machine = lambda: machine
while time.time() < float(begin):
    pass
try:
    with folder.held(files.located(target)) as lock:
        print("held", flush=True)
        for _ in sys.stdin:
            lock.confirm()
            print("still", flush=True)
except folder.LostError as error:
    print("lost:", error, flush=True)
except folder.BusyError as error:
    print("busy:", error, flush=True)
"""


class Rival:
    """Another process that wants the folder; `machine`: where it says it is; `begin`: the time from which it tries."""

    def __init__(self, target: Path, lease: float = 120, machine: str = "", begin: float = 0) -> None:
        command = [sys.executable, "-c", RIVAL, str(target), str(lease), machine, str(begin)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def confirms(self) -> str:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.says()

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@contextmanager
def rival(target: Path, lease: float = 120, machine: str = "") -> Iterator[Rival]:
    """A rival that holds the folder."""
    other = Rival(target, lease, machine)
    try:
        assert other.says() == "held"
        yield other
    finally:
        other.process.kill()
        other.end()


@pytest.fixture(params=["local", "s3"])
def curated(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "s3":
        return there(request, tmp_path)
    return tmp_path


@pytest.fixture
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return there(request, tmp_path)


def there(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    request.getfixturevalue("s3_server")
    return files.located(f"s3://news/{tmp_path.parent.name}-{tmp_path.name}")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(folder, "LOOK_FAR_SECONDS", 0.2)


def record(host: str = "desk", lease: float = 1, **more: object) -> bytes:
    """Of a run on another host."""
    told = {"host": host, "pid": 7, "process_started": "1", "machine": "another", "started": "2026-02-01T05:00:00+00:00", "run": None}
    return json.dumps(told | {"token": "t", "lease_seconds": lease} | more).encode()


def test_one_run_at_a_time_and_the_other_is_told_who(curated: Path) -> None:
    with rival(curated) as other:
        who = rf"held by another run \(process {other.process.pid} on {socket.gethostname()} since 20\d\d-.* UTC"
        with pytest.raises(BusyError, match=who) as told, held(curated):
            pass
        assert "--wait" in str(told.value)
        assert f"To take the folder from it, remove {curated}/.lock" in str(told.value)
        other.end()
    with held(curated):
        pass


def test_the_run_is_told_by_the_name_that_prefect_knows(curated: Path) -> None:
    with held(curated, run="keen-heron"), pytest.raises(BusyError, match="UTC, run keen-heron"), held(curated):
        pass


def test_a_run_that_fails_lets_go(curated: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(curated):
        raise ZeroDivisionError
    with held(curated):
        pass


def test_what_a_killed_process_of_this_machine_held_is_free_at_once(curated: Path) -> None:
    with rival(curated) as other:
        other.process.kill()
        other.end()
        with held(curated) as lock:
            lock.confirm()


def test_a_run_waits_and_says_once_for_whom(curated: Path, caplog: pytest.LogCaptureFixture) -> None:
    with rival(curated) as other, caplog.at_level("INFO", "copydesk"):
        threading.Timer(1.2, other.end).start()
        with held(curated, wait=30):
            pass
    said = [told.getMessage() for told in caplog.records if "waiting" in told.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("waiting, 30 s at most: ")
    assert f"process {other.process.pid} on" in said[0]


def test_the_wait_has_an_end(curated: Path) -> None:
    with rival(curated):
        began = time.monotonic()
        with pytest.raises(BusyError, match="held by another run"), held(curated, wait=1):
            pass
        assert 1 <= time.monotonic() - began < 10


def test_of_many_at_the_same_time_one_has_it(curated: Path) -> None:
    begin = time.time() + 3
    rivals = [Rival(curated, begin=begin) for _ in range(4)]
    said = [other.says() for other in rivals]
    for other in rivals:
        other.end()
    assert sorted(word.partition(":")[0] for word in said) == ["busy", "busy", "busy", "held"]


def test_to_remove_the_lock_takes_the_folder_from_a_run(curated: Path) -> None:
    with rival(curated) as other:
        assert other.confirms() == "still"
        (curated / ".lock").unlink()
        with held(curated) as lock:
            assert "lost:" in other.confirms()
            other.end()
            lock.confirm()  # the loser has not let go of what is no more its own


# ---- a lease ------------------------------------------------------------------------------------------------------------


def test_another_host_s_lock_is_stale_by_its_lease_only(remote: Path) -> None:
    """Its clock plays no part: what it wrote of the time may be of any year."""
    for year in ("1970", "2199"):
        (remote / ".lock").write_bytes(record(lease=2, started=f"{year}-02-01T05:00:00+00:00", renewals=year))
        with pytest.raises(BusyError, match=rf"process 7 on desk since {year}.*free 2 s after its last sign"), held(remote):
            pass
        time.sleep(3.1)  # S3 tells times in whole seconds
        with held(remote) as lock:
            lock.confirm()


def test_a_stale_lease_that_one_waits_for_is_taken_over(remote: Path) -> None:
    (remote / ".lock").write_bytes(record(lease=2))
    began = time.monotonic()
    with held(remote, wait=20):
        assert 1 < time.monotonic() - began < 8


def test_of_two_takers_of_a_stale_lease_one_has_it(remote: Path) -> None:
    for turn in range(2):
        (remote / ".lock").write_bytes(record(lease=0.5, renewals=turn))
        begin = time.time() + 3
        rivals = [Rival(remote, begin=begin) for _ in range(2)]
        said = sorted(other.says().partition(":")[0] for other in rivals)
        for other in rivals:
            other.end()
        assert said == ["busy", "held"]


def test_a_lease_is_renewed_and_a_run_that_stood_still_too_long_has_lost_it(remote: Path) -> None:
    with rival(remote, lease=2, machine="another") as other:
        time.sleep(4)
        with pytest.raises(BusyError), held(remote):
            pass
        assert other.confirms() == "still"
        other.process.send_signal(signal.SIGSTOP)  # as a machine does that is put to sleep
        with held(remote, wait=20) as lock:
            other.process.send_signal(signal.SIGCONT)
            assert other.confirms().startswith("lost: this run has lost its hold on")
            other.end()
            lock.confirm()


def test_a_lease_that_cannot_be_renewed_is_lost_when_its_time_is_over(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.2)
    with held(remote) as lock:
        lock.check()

        def fail(*_: object) -> str:
            raise OSError("no way to the store")

        monkeypatch.setattr(files, "swap", fail)
        with pytest.raises(OSError, match="no way"):
            lock.confirm()
        time.sleep(1.3)
        with pytest.raises(LostError, match="could not be renewed for 1 s"):
            lock.check()
        monkeypatch.undo()
        with pytest.raises(LostError, match="could not be renewed"):
            lock.confirm()
    assert (remote / ".lock").exists()  # not surely its own


def test_what_an_older_version_left_in_an_object_store_is_named(remote: Path) -> None:
    (remote / ".lock").write_text("process 7 on desk since 2026-02-01 05:00:00 UTC", encoding="utf-8")
    with pytest.raises(BusyError, match=r"process 7 on desk .* if it was killed, remove that object"), held(remote):
        pass


def test_a_store_that_tells_no_time_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 2)
    curated = files.located("memory://clockless")
    files.folder(curated)
    files.swap(curated / ".lock", record(lease=1.5), None)
    began = time.monotonic()
    with held(curated) as lock:
        assert time.monotonic() - began >= 1.5
        lock.confirm()
        with pytest.raises(BusyError, match="process"), held(curated):
            pass
    assert not (curated / ".lock").exists()


@pytest.mark.parametrize("kind", ["s3", "memory"])
def test_an_object_is_written_on_condition(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    path = (there(request, tmp_path) if kind == "s3" else files.located(f"memory://{tmp_path.name}")) / "it.json"
    path.with_name("other.json").write_bytes(b"")
    assert files.look(path) is None
    first = files.swap(path, b"1", None)
    with pytest.raises(FileExistsError):
        files.swap(path, b"2", None)
    second = files.swap(path, b"3", first)
    with pytest.raises(FileExistsError):
        files.swap(path, b"4", first)
    seen = files.look(path)
    assert seen
    assert (seen.data, seen.version) == (b"3", second)
    assert seen.age is None if kind == "memory" else seen.age is not None and 0 <= seen.age < 60
    assert files.swap(path, b"3", first) == second  # as a second try of a request whose answer was lost
    path.unlink()
    with pytest.raises(FileExistsError):
        files.swap(path, b"5", second)


# ---- file systems that other hosts see ----------------------------------------------------------------------------------


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a file system that other hosts see, where flock may say nothing of them."""
    monkeypatch.setattr(folder, "_shared", lambda _: True)
    return tmp_path


def test_on_a_network_file_system_another_host_s_record_is_heeded_for_its_lease(shared: Path) -> None:
    (shared / ".lock").write_bytes(record(lease=1))
    with pytest.raises(BusyError, match="process 7 on desk"), held(shared):
        pass
    time.sleep(1.1)
    with held(shared) as lock:
        lock.confirm()
        assert lease.read_record((shared / ".lock").read_bytes())["pid"] == os.getpid()
    assert (shared / ".lock").read_bytes() == b""


def test_on_a_network_file_system_a_run_sees_that_another_host_took_over(shared: Path) -> None:
    with held(shared) as lock:
        (shared / ".lock").write_bytes(record(renewals=1))
        with pytest.raises(LostError, match="taken over by process 7 on desk"):
            lock.confirm()
    assert b"desk" in (shared / ".lock").read_bytes()


def test_on_a_network_file_system_the_lease_is_renewed(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1)
    with held(shared) as lock:
        time.sleep(2.5)
        lock.check()


def test_on_a_file_system_without_locks_the_lease_holds_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with held(tmp_path), pytest.raises(BusyError, match="held by another run"), held(tmp_path):
        pass
    assert not folder._shared(tmp_path)


def test_on_a_local_disk_another_host_s_record_is_no_obstacle(tmp_path: Path) -> None:
    assert not folder._shared(tmp_path)
    (tmp_path / ".lock").write_bytes(record(lease=1000))
    with held(tmp_path):
        pass


# ---- a place for its work ----------------------------------------------------------------------------------------------


def test_the_work_of_a_killed_run_is_removed_and_the_store_kept(curated: Path) -> None:
    for name in (".work/match/a.parquet", "store/b.parquet"):
        (curated / name).parent.mkdir(parents=True, exist_ok=True)
        (curated / name).write_bytes(b"x")
    if files.is_local(curated):
        (curated / "store" / ".draft-1").write_bytes(b"x")
    with work_folder(curated) as work:
        assert not (curated / ".work" / "match").exists()
        assert work.parent == curated / ".work"
        (work / "c.parquet").write_bytes(b"x")
    assert [path.name for path in (curated / "store").iterdir()] == ["b.parquet"]
    assert not (curated / ".work").exists()


def test_a_worker_that_outlived_its_run_writes_nowhere_that_the_next_one_reads(curated: Path) -> None:
    with work_folder(curated) as first:
        pass
    with work_folder(curated) as second:
        files.write_table(pa.table({"a": [1]}), first / "late.parquet")
        assert not (second / "late.parquet").exists()


def test_a_run_that_has_lost_the_folder_leaves_the_work_of_the_next_one(curated: Path) -> None:
    with work_folder(curated) as first:
        (first / "a.parquet").write_bytes(b"x")
        with work_folder(curated) as second:
            (second / "b.parquet").write_bytes(b"x")
            first_gone = not (first / "a.parquet").exists()
            files.write_table(pa.table({"a": [1]}), first / "late.parquet")
            assert first_gone
            assert (second / "b.parquet").exists()
