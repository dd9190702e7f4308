"""Whatever kills a run, nothing is lost: the published snapshot is whole, the next run makes the same, and nothing is left over.

A sample of the kills; `python -m bench crash` does them all.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import crashes
import pytest
from crashes import Kill, Scene
from inline import inline, run

from flows import curate as job
from flows import identity, processes
from tasks import files, ingest, snapshots
from tasks.ingest import store as store_room

STEPS_A_SCENE, RANDOM_A_SCENE = 3, 2


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    home = tmp_path_factory.mktemp("scenes")
    crashes.warm_up(home / "warm")
    return {name: crashes.build(name, home / name) for name in ("first", "adds", "changes")}


# ---- at library level ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["first", "adds", "changes"])
def test_a_killed_run_leaves_a_whole_snapshot_and_the_next_one_makes_the_same(scenes: dict[str, Scene], name: str, tmp_path: Path) -> None:
    scene, chance = scenes[name], random.Random(name)  # noqa: S311 - no secret
    kills = chance.sample(crashes.at_every_kind_of_step(scene), STEPS_A_SCENE)
    kills += [crashes.at_random(scene, chance) for _ in range(RANDOM_A_SCENE)]
    killed = [crashes.survive(scene, [kill], tmp_path / "curated") for kill in kills]
    assert sum(killed[:STEPS_A_SCENE]) == STEPS_A_SCENE


def test_between_the_move_and_the_pointing_of_latest(scenes: dict[str, Scene], tmp_path: Path) -> None:
    """The moments in which a snapshot is there and not published, or published and not yet tidied up after."""
    scene = scenes["adds"]
    begin = next(n for n, step in enumerate(scene.steps) if step.startswith("replace /snapshots/"))
    for step in (begin, begin + 1, len(scene.steps) - 1):
        for way in ("before", "power"):
            assert crashes.survive(scene, [Kill(step, way)], tmp_path / "curated") == 1


def test_a_run_its_next_run_and_the_one_after_are_killed(scenes: dict[str, Scene], tmp_path: Path) -> None:
    scene = scenes["adds"]
    ends = [n for n, step in enumerate(scene.steps) if step.startswith(("task work", "replace /snapshots/", "replace /latest"))]
    assert crashes.survive(scene, [Kill(step, "before") for step in ends], tmp_path / "curated") == len(ends) >= 3


def test_what_has_a_lasting_name_was_safely_on_the_disk_before(scenes: dict[str, Scene]) -> None:
    """By the order of the calls: at no moment does the store, the index or a snapshot name a file that a loss of power would empty."""
    named = 0
    for scene in scenes.values():
        dirty: set[str] = set()
        for line in scene.trace:
            what, _, told = line.partition(" ")
            inode, _, name = told.partition(" ")
            if what == "dirty":
                dirty.add(inode)
            elif what == "clean":
                dirty = dirty - {inode} if inode != "all" else set()
            elif what == "named" and re.fullmatch(r"/(store|index/.*|snapshots)/[^.][^/]*", name):
                assert inode not in dirty, f"{scene.name}: {name} was named before it was synced"
                named += 1
            elif line.startswith("step replace /latest"):
                assert not dirty, f"{scene.name}: {len(dirty)} files were not synced when latest was set"
    assert named > 20


def test_the_folder_of_a_snapshot_is_synced_before_latest_leads_there(scenes: dict[str, Scene]) -> None:
    for scene in scenes.values():
        steps = [step for step in scene.steps if step.startswith(("replace /snapshots/", "fsync /snapshots", "replace /latest", "fsync "))]
        wanted = ["replace /snapshots/#T#Z-#", "fsync /snapshots", "replace /latest", "fsync "]
        assert [step for step in steps if step in wanted] == wanted


# ---- what a run finds that another left -----------------------------------------------------------------------------------


def _story(raw: Path, name: str = "a.txt", words: str = "The ferry to Oskarsvik sails again from Monday.") -> Path:
    raw.mkdir(exist_ok=True)
    (raw / name).write_text(words + "\n\nIt had been laid up since the storm of last winter.\n", encoding="utf-8")
    return raw / name


def _decisions(curated: Path) -> list[dict[str, Any]]:
    snapshot = snapshots.latest(curated)
    assert snapshot
    assert snapshots.verify(snapshot) == []
    rows: list[dict[str, Any]] = files.read_table(snapshot / "decisions").to_pylist()
    return rows


def test_latest_that_leads_nowhere_is_no_first_run(tmp_path: Path) -> None:
    """A run that took it for one would forget the records of files that are gone."""
    _story(tmp_path / "raw")
    with inline():
        snapshot = run(tmp_path / "raw", tmp_path / "curated").snapshot
        snapshot.rename(tmp_path / "elsewhere")
        with pytest.raises(FileNotFoundError, match="which is not there"):
            run(tmp_path / "raw", tmp_path / "curated")


@pytest.mark.parametrize("name", ["pairs.parquet", "standing", "shards.json"])
def test_an_index_that_lost_something_costs_time_only(tmp_path: Path, name: str) -> None:
    _story(tmp_path / "raw")
    with inline():
        run(tmp_path / "raw", tmp_path / "curated")
        (lost,) = (tmp_path / "curated" / "index").glob(f"*/snapshot-*/{name}")
        shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
        _story(tmp_path / "raw", "b.txt", "The pilots of Varnhem have a new chief.")
        assert run(tmp_path / "raw", tmp_path / "curated").end == "published"
    assert len(_decisions(tmp_path / "curated")) == 2


# ---- raw files that do not hold still ---------------------------------------------------------------------------------------


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is done to raw files while they are read: one function for each reading of `a.txt`, called when it has been read to its end."""
    done: list[Any] = []
    real = store_room._read

    def read(file: ingest.RawFile, *rest: Any) -> Any:
        found = real(file, *rest)
        if file.uri == "a.txt" and done:
            done.pop(0)()
        return found

    monkeypatch.setattr(store_room, "_read", read)
    monkeypatch.setattr(store_room, "PAUSES", (0.0, 0.0, 0.0))
    yield done
    assert not done, "the file was not read so often"


def _texts(curated: Path) -> set[str]:
    snapshot = snapshots.latest(curated)
    assert snapshot
    return {text.partition(" ")[2].split(".")[0] for text in files.read_table(snapshot / "stories")["text"].to_pylist()}


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, reading: list[Any]) -> None:
    path = _story(tmp_path / "raw")
    _story(tmp_path / "raw", "b.txt", "The pilots of Varnhem have a new chief.")

    def grow() -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("\nThe company says that the hull is sound.\n")

    def shrink() -> None:
        os.truncate(path, 60)

    def replaced() -> None:
        beside = _story(tmp_path / "raw", "new", "A second ferry was bought in Tallby.")
        beside.replace(path)

    for change, words in (
        (grow, "ferry to Oskarsvik sails again from Monday"),
        (shrink, "ferry to Oskarsvik sails again from Monday"),
        (replaced, "second ferry was bought in Tallby"),
    ):
        reading.append(change)
        with inline():
            outcome = run(tmp_path / "raw", tmp_path / "curated", full=True)
        assert outcome.end == "published"
        assert outcome.manifest["run"]["unsettled"] == ()
        assert words in _texts(tmp_path / "curated"), change
        text = path.read_text(encoding="utf-8")
        published = files.read_table(outcome.snapshot / "stories", columns=["raw_uri", "text"]).to_pylist()
        assert next(row["text"] for row in published if row["raw_uri"] == "a.txt").split() == text.split(), change


def test_a_file_that_keeps_changing_is_left_to_the_next_run_and_what_is_known_of_it_stays(tmp_path: Path, reading: list[Any]) -> None:
    path, curated = _story(tmp_path / "raw"), tmp_path / "curated"
    with inline():
        run(tmp_path / "raw", curated)
    _story(tmp_path / "raw", "b.txt", "The pilots of Varnhem have a new chief.")
    _story(tmp_path / "raw", "a.txt", "A second ferry was")

    def grow() -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("and")

    reading += [grow, grow, grow]
    with inline():
        outcome = run(tmp_path / "raw", curated)
        assert outcome.manifest["run"]["unsettled"] == ("a.txt",)
        assert _texts(curated) == {"ferry to Oskarsvik sails again from Monday", "pilots of Varnhem have a new chief"}
        _decisions(curated)
        assert run(tmp_path / "raw", curated).end == "published"
    assert any(text.startswith("second ferry was") for text in _texts(curated))
    assert len(_decisions(curated)) == 2


def test_a_new_file_that_keeps_changing_is_no_record_yet(tmp_path: Path, reading: list[Any]) -> None:
    path = _story(tmp_path / "raw")
    _story(tmp_path / "raw", "b.txt", "The pilots of Varnhem have a new chief.")
    reading += [lambda: path.write_text(path.read_text() + "and")] * 3
    with inline():
        run(tmp_path / "raw", tmp_path / "curated")
        assert [row["raw_id"] for row in _decisions(tmp_path / "curated")] == ["b"]
        run(tmp_path / "raw", tmp_path / "curated")
    assert sorted(row["raw_id"] for row in _decisions(tmp_path / "curated")) == ["a", "b"]


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_vanishes_while_it_is_read_is_one_that_vanished_before(tmp_path: Path, reading: list[Any], known: bool) -> None:
    path, curated = _story(tmp_path / "raw"), tmp_path / "curated"
    _story(tmp_path / "raw", "b.txt", "The pilots of Varnhem have a new chief.")
    with inline():
        if known:
            run(tmp_path / "raw", curated)
            _story(tmp_path / "raw", "a.txt", "A second ferry was bought in Tallby.")
            _story(tmp_path / "raw", "c.txt", "A fair opens in Tallby at noon.")
        reading.append(path.unlink)
        outcome = run(tmp_path / "raw", curated)
        assert outcome.manifest["run"]["unsettled"] == ("a.txt",)
        run(tmp_path / "raw", curated)
    states = {row["raw_id"]: (row["raw_state"], row["outcome"]) for row in _decisions(curated)}
    assert states == (
        {"a": ("vanished", "kept"), "b": ("present", "kept"), "c": ("present", "kept")} if known else {"b": ("present", "kept")}
    )


# ---- the clock --------------------------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 1, 5, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, _zone: Any = None) -> datetime:  # type: ignore[override]
            return now

    monkeypatch.setattr(job, "datetime", Clock)
    raw, curated, made = tmp_path / "raw", tmp_path / "curated", []
    jumps = [timedelta(0), timedelta(0), timedelta(days=-400), timedelta(days=9000), timedelta(days=-1)]  # the first two in one second
    for number, jump in enumerate(jumps):
        path = _story(raw, f"{number}.txt", f"Ferry number {number} sails again.")
        os.utime(path, ns=(0, int((now + timedelta(days=30_000 * (number % 2))).timestamp()) * 10**9))  # each other from the future
        now += jump
        with inline():
            made.append(run(raw, curated).snapshot)
            assert run(raw, curated).end == "nothing new"
        assert snapshots.latest(curated) == made[-1]
        assert len(_decisions(curated)) == number + 1
    assert len({path.name for path in made}) == len(jumps)
    assert [snapshots.read_manifest(path)["parent"] for path in made[1:]] == [path.name for path in made[:-1]]
    with inline():
        run(raw, tmp_path / "scratch")
    first, second = ({row["raw_id"]: row["outcome"] for row in _decisions(where)} for where in (curated, tmp_path / "scratch"))
    assert first == second


# ---- a disk that is full, or read-only ----------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)], check=False, capture_output=True).returncode
    ):
        pytest.skip("a file system can only be mounted here by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _fill(disk: Path, spare: int) -> Path:
    """Fill a file system up to some bytes."""
    filler = disk / "filler"
    with filler.open("wb") as stream:
        room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        stream.write(bytes(max(0, room - spare)))
    return filler


def test_a_full_disk_fails_the_run_and_nothing_else(scenes: dict[str, Scene], mounted: Path) -> None:
    scene, curated = scenes["adds"], mounted / "curated"
    before = snapshots.latest(scene.home / "curated")
    assert before
    ended = []
    for spare in (0, 40_000, 120_000, 250_000, 600_000):
        crashes.restore(scene, curated)
        filler = _fill(mounted, spare)
        ended.append(scene.attempt(curated))
        latest = snapshots.latest(curated)
        assert latest
        assert crashes.whole(scene, curated) == []
        assert (latest.name == before.name) is (ended[-1] != 0)
        filler.unlink()
        assert scene.attempt(curated) == 0
        assert crashes.differences(crashes.state(curated), scene.expected) == []
        shutil.rmtree(curated)
    assert ended.count(0) < len(ended), "the disk was never full"


# ---- processes and signals ----------------------------------------------------------------------------------------------------


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "cache"))
    folder = processes._records()
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as process:
        yield process
        process.kill()


def _ended() -> str:
    """The name of a process that is no more."""
    with subprocess.Popen(["sleep", "60"]) as process:
        start = identity.started(process.pid)
        process.kill()
    return f"{process.pid}-{start}"


def test_what_a_killed_run_left_running_is_ended(records: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (records / f"{_ended()}.{sleeper.pid}-{identity.started(sleeper.pid)}").touch()
    processes.end_orphans()
    assert sleeper.wait(10) == -signal.SIGKILL
    processes.end_orphans()
    assert list(records.iterdir()) == []


def test_a_stranger_with_the_id_of_an_orphan_is_left_alone(records: Path, sleeper: subprocess.Popen[bytes]) -> None:
    start = identity.started(sleeper.pid)
    assert start
    (records / f"{_ended()}.{sleeper.pid}-{start - 1}").touch()
    processes.end_orphans()
    assert list(records.iterdir()) == []
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.5)


def test_the_workers_of_a_run_that_lives_are_left_alone(records: Path, sleeper: subprocess.Popen[bytes]) -> None:
    me = os.getpid()
    (records / f"{me}-{identity.started(me)}.{sleeper.pid}-{identity.started(sleeper.pid)}").touch()
    processes.end_orphans()
    assert len(list(records.iterdir())) == 1
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.5)


def test_a_process_that_nobody_waited_for_has_ended() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert crashes.until(lambda: identity.started(pid) is None, 10)
    os.waitpid(pid, 0)


def test_a_pool_puts_its_workers_down(records: Path) -> None:
    with processes.pool(1) as pool:
        worker = pool.submit(os.getpid).result()
        assert f"{os.getpid()}-{identity.started(os.getpid())}.{worker}-{identity.started(worker)}" in {
            path.name for path in records.iterdir()
        }


def test_servers_of_one_home_begin_one_after_the_other(tmp_path: Path) -> None:
    """They set up its database when they begin: two at once fail."""
    import asyncio
    from contextlib import asynccontextmanager

    from flows.one_off import _one_at_a_time

    beginning: list[int] = []

    @asynccontextmanager
    async def lifespan(_app: Any) -> Any:
        beginning.append(1)
        time.sleep(0.2)  # noqa: ASYNC251 - as a migration does
        assert len(beginning) == 1
        beginning.pop()
        yield "state"

    async def serve() -> None:
        async with _one_at_a_time(lifespan, tmp_path)(None) as state:
            assert state == "state"

    threads = [threading.Thread(target=lambda: done.append(asyncio.run(serve()))) for _ in range(3)]
    done: list[Any] = []
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 3


SIGNALS = """
import os, signal, sys, time
from flows import processes
def end(code):
    print("ended", code, flush=True)
    os._exit(code)
processes.GRACE_SECONDS = 1.0
stop = processes.stoppable(end)
try:
    exec(sys.argv[1])
except processes.Stopped as stopped:
    print("stopped", stopped.signum, flush=True)
    sys.exit(128 + stopped.signum)
"""
NAP = "print('ready', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("code", "signals", "expected"),
    [
        (NAP, [signal.SIGTERM], ["stopped 15", 143]),
        (NAP, [signal.SIGINT], ["stopped 2", 130]),
        (NAP, [signal.SIGHUP], ["stopped 1", 129]),
        # what ignores them, as nohup does, goes on ignoring them
        ("signal.signal(1, signal.SIG_IGN); processes.stoppable(end); " + NAP, [signal.SIGHUP, signal.SIGTERM], ["stopped 15", 143]),
        # who does not end in time is ended
        (f"try:\n  {NAP}\nfinally:\n  time.sleep(60)", [signal.SIGTERM], ["ended 143", 143]),
        # in the middle of a start the signal waits, and a flow heeds it also where Prefect has a handler of its own
        (
            "with processes.undisturbed():\n  print('ready', flush=True); time.sleep(0.5); print('after', flush=True)",
            [signal.SIGTERM],
            ["after", "stopped 15", 143],
        ),
        (
            f"with processes.undisturbed():\n  signal.signal(15, lambda *_: None); processes.heed_interrupts(); {NAP}",
            [signal.SIGTERM],
            ["stopped 15", 143],
        ),
        # too late
        (
            "with processes.uninterrupted():\n  print('ready', flush=True); time.sleep(0.5)\nprint('published', flush=True)",
            [signal.SIGTERM],
            ["published", 0],
        ),
        (f"with processes.uninterrupted():\n  pass\n{NAP}", [signal.SIGTERM], ["ended 0", 0]),
        ("with processes.uninterrupted():\n  print('ready', flush=True); time.sleep(0.5); raise OSError", [signal.SIGTERM], [1]),
    ],
)
def test_what_signals_do(code: str, signals: list[signal.Signals], expected: list[Any]) -> None:
    _skip_if_ignored(*signals)
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALS, code], cwd=crashes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for signum in signals:
            process.send_signal(signum)
            time.sleep(0.1)
        said = process.stdout.read().split("\n")[:-1]
    assert [*said, process.returncode] == expected


def test_outside_of_the_command_signals_are_prefects() -> None:
    """A deployment's run: Prefect cancels it by SIGTERM."""
    before = [signal.getsignal(signum) for signum in processes.STOPPING]
    processes.heed_interrupts()
    with processes.undisturbed(), processes.uninterrupted():
        assert [signal.getsignal(signum) for signum in processes.STOPPING] == before
    assert [signal.getsignal(signum) for signum in processes.STOPPING] == before


# ---- the command, Prefect and all -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class _Command:
    """The command at work on a scene, in a session of its own."""

    def __init__(self, scene: Scene, curated: Path, cache: Path, *arguments: str) -> None:
        self.curated = curated
        self.process = subprocess.Popen(
            crashes.command(scene.home / "raw", curated, *arguments),
            env=crashes.environment(cache),
            cwd=scene.home,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until_there_is(self, pattern: str) -> None:
        assert crashes.until(lambda: any(self.curated.glob(pattern)), 120), self.process.communicate()[1]

    def end(self) -> tuple[int, str]:
        """Exit code and the last line on standard error; no process is left."""
        _, stderr = self.process.communicate(timeout=60)
        assert crashes.until(lambda: not crashes.session(self.process.pid), 20), "processes are left"
        assert not re.search("Traceback|resource_tracker", stderr), stderr
        return self.process.returncode, stderr.splitlines()[-1] if stderr else ""


def _skip_if_ignored(*signals: signal.Signals) -> None:
    """Under nohup this process ignores hang-ups, and what it starts does too, as it should."""
    if signal.SIGHUP in signals and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        pytest.skip("hang-ups are ignored here (nohup)")


@pytest.mark.prefect
def test_the_command_killed(tmp_path: Path, cache: Path) -> None:
    scene = crashes.flow_scene("first", tmp_path / "scene", cache)
    crashes.survive_command(scene, 0.8 * scene.seconds, tmp_path / "curated", cache, alone=True)  # `bench crash` has the others


@pytest.mark.prefect
@pytest.mark.parametrize(("signum", "group"), [(signal.SIGTERM, False), (signal.SIGTERM, True), (signal.SIGHUP, True)])
def test_the_command_stopped_ends_cleanly_and_goes_on_where_it_was(
    scenes: dict[str, Scene], tmp_path: Path, cache: Path, signum: signal.Signals, group: bool
) -> None:
    _skip_if_ignored(signum)
    curated, small = tmp_path / "curated", ("--workers", "1", "--set", "run.shard_rows=4")
    stopped = _Command(scenes["first"], curated, cache, *small)
    stopped.until_there_is("index/*/[!.]*.parquet")
    (os.killpg if group else os.kill)(stopped.process.pid, signum)
    code, line = stopped.end()
    assert (code, line) == (128 + signum, "copydesk: stopped; nothing was published, and what was worked is not worked again")
    assert snapshots.latest(curated) is None
    assert not (curated / "snapshots").exists()
    worked = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in curated.glob("index/*/[!.]*.parquet")}
    assert worked
    if signum == signal.SIGTERM and not group:
        assert _Command(scenes["first"], curated, cache, *small).end()[0] == 0
        assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in worked} == worked
        assert crashes.whole(scenes["first"], curated) == []


@pytest.mark.prefect
def test_a_run_whose_own_prefect_server_is_killed_ends_at_once_and_says_so(scenes: dict[str, Scene], tmp_path: Path, cache: Path) -> None:
    command = _Command(scenes["first"], tmp_path / "curated", cache)
    command.until_there_is(".work/*")
    children = Path(f"/proc/{command.process.pid}/task/{command.process.pid}/children").read_text(encoding="ascii").split()
    (server,) = (pid for pid in map(int, children) if b"--curated" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(server, signal.SIGKILL)
    began = time.monotonic()
    code, line = command.end()
    assert time.monotonic() - began < 10
    assert code == 3
    assert f"Prefect server (process {server}) was ended" in line


@pytest.mark.prefect
def test_a_disk_that_is_full_or_read_only_is_one_line_and_exit_code_3(scenes: dict[str, Scene], mounted: Path, cache: Path) -> None:
    scene, curated = scenes["adds"], mounted / "curated"
    crashes.restore(scene, curated)
    filler = _fill(mounted, 100_000)
    code, line = _Command(scene, curated, cache).end()
    assert (code, line.count("\n")) == (3, 0)
    assert os.strerror(errno.ENOSPC) in line
    assert crashes.whole(scene, curated) == []
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    code, line = _Command(scene, curated, cache).end()
    assert code == 3
    assert os.strerror(errno.EROFS) in line
    assert crashes.whole(scene, curated) == []
    subprocess.run(["mount", "-o", "remount,rw", str(mounted)], check=True)
    assert _Command(scene, curated, cache).end()[0] == 0
    assert snapshots.verify(snapshots.latest(curated) or curated) == []
