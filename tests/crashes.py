"""Runs that are killed: what tests/test_crash.py and `python -m bench crash` share.

A *scene* is a raw and a curated folder as they are before a run, and what the curated folder holds after a run that was never killed.
A *kill* ends a run on a copy of the scene: before one of its steps (a task, or one call that changes the disk), in the middle of a
file, at any moment, or as a loss of power does, after which what was not yet synced is gone although its name is there. Then it runs
again, and the curated folder has to hold the same: every file by its name and hash, and none besides.
"""

from __future__ import annotations

import builtins
import hashlib
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from inline import inline, run

from flows import curate as job
from tasks import snapshots

ROOT = Path(__file__).parent.parent
STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()][:24]
COPIES = [STORIES[0] | {"id": f"copy {n}", "source": f"outlet{n}.example"} for n in range(3)]
KILLED = -signal.SIGKILL
WAYS = ("before", "within", "power")
_PAGES = re.compile(r"data_docs/.*")
_TIME = re.compile(r"\d{8}T\d{6}\.\d+Z")
_NUMBER = re.compile(r"(?<![a-z])[0-9a-f]{8,}(?![a-z])|\d+")


class CrashError(AssertionError):
    """A kill that a run did not survive; the text says where it was killed and what is wrong."""


@dataclass(frozen=True)
class Kill:
    """Where a run is killed: at a step (`way` one of WAYS), or after so many seconds."""

    step: int = -1
    way: str = "before"
    seconds: float = -1.0

    def __str__(self) -> str:
        return f"after {self.seconds:.3f} s" if self.step < 0 else f"{self.way} step {self.step}"


@dataclass
class Scene:
    """Folders before a run (`raw`, `curated` in `home`), how it is run, and what a run that was never killed makes of them."""

    name: str
    home: Path
    overrides: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0  # that a run takes
    steps: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    expected: dict[str, str] = field(default_factory=dict)

    def attempt(self, curated: Path, kill: Kill | None = None, told: Path | None = None) -> int:
        """One run in a process of its own; gives its exit code, negative for a signal."""
        return forked(lambda: self._run(curated, kill, told), kill.seconds if kill else -1)

    def _run(self, curated: Path, kill: Kill | None, told: Path | None) -> None:
        job.TOO_MUCH_NEW = 100.0  # with so few files every run would be from scratch
        import vl_convert

        # the engine that draws has threads, and no thread is there after a fork
        for name in ("vega_to_svg", "vegalite_to_svg"):
            setattr(vl_convert, name, lambda *_, **__: "<svg></svg>")
        with stepping(curated, kill or Kill(), told) as step, inline(step=step):
            run(self.home / "raw", curated, *self.overrides, **self.options)


def forked(work: Callable[[], None], seconds: float = -1) -> int:
    """Do something in a process group of its own, killed after so many seconds; gives the exit code, 70 after an exception."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.setsid()
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the parent goes on; it must not run twice
            traceback.print_exc()
        finally:
            os._exit(code)
    if seconds >= 0:
        time.sleep(seconds)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # the group is there as soon as the child has begun to work
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---- the scenes -------------------------------------------------------------------------------------------------------


def write(raw: Path, name: str, stories: Sequence[dict[str, Any]]) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    (raw / name).write_text("".join(json.dumps(story) + "\n" for story in stories) or "broken\n", encoding="utf-8")


def _first(home: Path) -> Scene:
    raw = home / "raw"
    write(raw, "a.jsonl", [*STORIES[:5], COPIES[0]])
    write(raw, "b.jsonl", STORIES[8:11])
    (raw / "c.txt").write_text("Harbour pilots of Varnhem went back to work on Tuesday.\n\nNobody had asked them why they left.\n")
    (raw / "d.jsonl.gz").write_bytes(b"no gzip")
    return Scene("first", home)


def _after_first(name: str, home: Path, *overrides: str, **options: Any) -> Scene:
    scene = _first(home)
    _ran(scene)
    return Scene(name, home, overrides, options)


def _adds(home: Path) -> Scene:
    scene = _after_first("adds", home)
    write(home / "raw", "e.jsonl", [STORIES[3], *COPIES[1:], STORIES[16]])
    return scene


def _changes(home: Path) -> Scene:
    """Files that changed and went away, with --prune."""
    scene = _after_first("changes", home, prune=True)
    write(home / "raw", "a.jsonl", [STORIES[1], STORIES[6]])
    (home / "raw" / "b.jsonl").unlink()
    return scene


def _recipe(home: Path) -> Scene:
    return _after_first("recipe", home, "near.jaccard=0.9")


def _nothing(home: Path) -> Scene:
    return _after_first("nothing", home)


def _touched(home: Path) -> Scene:
    """Other times, the same bytes: read, and nothing new."""
    scene = _after_first("touched", home)
    for path in (home / "raw").iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return scene


SCENES: dict[str, Callable[[Path], Scene]] = {
    "first": _first,
    "adds": _adds,
    "changes": _changes,
    "recipe": _recipe,
    "nothing": _nothing,
    "touched": _touched,
}


def _ran(scene: Scene) -> None:
    if scene.attempt(scene.home / "curated"):
        raise CrashError(f"{scene.name}: a run that nobody killed failed")


def warm_up(home: Path) -> None:
    """Do a run here, so that what it imports, loads and compiles the forked ones have from the beginning: they take a second, not ten."""
    import_module("flows.preload")
    with inline():
        for begin in (0, 2):
            write(home / "raw", f"{begin}.jsonl", STORIES[begin : begin + 2])
            run(home / "raw", home / "curated")


def build(name: str, home: Path) -> Scene:
    """A scene in an empty folder, and what a run that is never killed does with it."""
    scene = SCENES[name](home)
    for path in (home / "raw").iterdir():
        path.chmod(0o444)
    curated, told = home / "never killed", home / "steps"
    restore(scene, curated)
    began = time.perf_counter()
    if code := scene.attempt(curated, told=told):
        raise CrashError(f"{name}: a run that nobody killed ended with {code}")
    scene.seconds = time.perf_counter() - began
    scene.trace = tuple(told.read_text(encoding="utf-8").splitlines())
    scene.steps = tuple(line.partition(" ")[2] for line in scene.trace if line.startswith("step "))
    scene.expected = state(curated)
    shutil.rmtree(curated)
    return scene


def restore(scene: Scene, curated: Path) -> None:
    """The curated folder as it was before the run; files that snapshots share stay shared."""
    if (scene.home / "curated").exists():
        subprocess.run(["cp", "-a", str(scene.home / "curated"), str(curated)], check=True)


# ---- steps ------------------------------------------------------------------------------------------------------------


@contextmanager
def stepping(  # noqa: C901, PLR0915 - one wrapper for each call that changes the disk, all over one count
    curated: Path, kill: Kill, told: Path | None
) -> Iterator[Callable[[str], None]]:
    """Counts what changes the disk below a folder and kills this process at a step; gives what counts a step of another kind.

    `told` gets a line for each: `step NAME`; which files (by inode) are `dirty`, `clean` or `clean all`; which are `named` what.
    """
    here = os.fspath(curated)
    number = -1
    stream = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if told else -1

    def tell(line: str) -> None:
        if stream >= 0:
            os.write(stream, f"{line}\n".encode())

    def step(name: str, half: int | None = None) -> None:
        nonlocal number
        number += 1
        tell(f"step {_NUMBER.sub('#', _PAGES.sub('data_docs/...', name.replace(here, '')))}")
        if number == kill.step and kill.seconds < 0:
            if kill.way == "within" and half is not None:
                os.ftruncate(half, os.fstat(half).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def ours(path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(here)

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            paths = [path for path in arguments[:2] if ours(path)]
            if paths or named.get("dir_fd") is not None:
                step(f"{name} {' '.join(map(os.fspath, paths[-1:])) or 'in a folder'}")
            if name in ("replace", "rename", "link") and paths:
                tell(f"named {os.lstat(arguments[0]).st_ino} {os.fspath(paths[-1]).replace(here, '')}")
            return function(*arguments, **named)

        return call

    class Written(io.FileIO):
        def close(self) -> None:
            if not self.closed:
                step(f"write {self.name}", self.fileno())
            super().close()

    real_open, real_sync, real_fsync = builtins.open, os.sync, os.fsync

    def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        if not ours(file) or mode.startswith("r") or os.fspath(file).endswith(".lock"):
            return real_open(file, mode, buffering, *rest, **named)
        step(f"open {file}")
        raw = Written(os.fspath(file), mode.replace("b", "").replace("t", ""))
        tell(f"dirty {os.fstat(raw.fileno()).st_ino}")
        buffered = io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **named)

    def fsync(handle: int) -> None:
        path = os.fspath(Path(f"/proc/self/fd/{handle}").readlink())
        if ours(path):
            step(f"fsync {path}")
            tell(f"clean {os.fstat(handle).st_ino}")

    def sync() -> None:
        step("sync")
        tell("clean all")

    names = ("replace", "rename", "link", "symlink", "unlink", "remove", "rmdir", "mkdir", "chmod")
    real = {name: getattr(os, name) for name in names}
    try:
        for name in names:
            setattr(os, name, counted(name, real[name]))
        builtins.open = io.open = opened
        os.sync, os.fsync = sync, fsync  # type: ignore[assignment]
        yield step
    finally:
        for name in names:
            setattr(os, name, real[name])
        builtins.open = io.open = real_open
        os.sync, os.fsync = real_sync, real_fsync
        if stream >= 0:
            os.close(stream)


def lose_power(curated: Path, told: Path) -> int:
    """Empty the files that were not synced when the run was killed: their names survived, their bytes did not. Gives how many."""
    dirty: set[int] = set()
    for line in told.read_text(encoding="utf-8").splitlines():
        what, _, inode = line.partition(" ")
        if what == "dirty":
            dirty.add(int(inode))
        elif line == "clean all":
            dirty.clear()
        elif what == "clean":
            dirty.discard(int(inode))
    lost = [path for path in curated.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_ino in dirty]
    for path in lost:
        path.chmod(0o644)
        os.truncate(path, 0)
    return len(lost)


# ---- what is left -----------------------------------------------------------------------------------------------------


def state(curated: Path) -> dict[str, str]:
    """All that is in a curated folder, by path, with its hash; names of snapshots by their age, and without what is of one run alone."""
    names = _ages(curated)
    found = {}
    for path in sorted(curated.rglob("*")):
        name = path.relative_to(curated).as_posix()
        for snapshot, age in names.items():
            name = _TIME.sub("time", name.replace(snapshot, age))
        if path.is_symlink():
            found[name] = f"-> {names.get(path.readlink().name, path.readlink().name)}"
        elif path.is_file():
            found[name] = _content(path)
        elif name != ".work":
            found[name] = "folder"
    return found


def _ages(curated: Path) -> dict[str, str]:
    """Snapshots by the line from `latest` to the first."""
    names: dict[str, str] = {}
    snapshot = snapshots.latest(curated)
    while snapshot and snapshot.is_dir() and snapshot.name not in names:
        names[snapshot.name] = f"snapshot #{len(names)}"
        parent = snapshots.read_manifest(snapshot)["parent"]
        snapshot = snapshot.parent / parent if parent else None
    return names


def _content(path: Path) -> str:
    if path.name == "manifest.json":
        manifest = json.loads(path.read_text(encoding="utf-8"))
        of_one_run = ("snapshot", "parent", "run", "gate", "copydesk")
        manifest.get("changes", {}).pop("parent", None)
        data: bytes = json.dumps({key: value for key, value in manifest.items() if key not in of_one_run}, sort_keys=True).encode()
    elif {"report", "data_docs"} & {parent.name for parent in path.parents} or path.name in {".lock", "README.md"}:
        return "there"  # they tell the time
    else:
        data = path.read_bytes()
    return hashlib.sha256(data).hexdigest()


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """What two states differ in, in words."""
    return [
        f"{name}: {'missing' if name not in found else 'left over' if name not in expected else 'differs'}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def whole(scene: Scene, curated: Path) -> list[str]:
    """What is wrong with the published snapshot right after a kill: it is the one before or the new one, and whole."""
    if not curated.exists():
        return []
    before = snapshots.latest(scene.home / "curated") if (scene.home / "curated").exists() else None
    now = snapshots.latest(curated)
    if now is None:
        return ["no published snapshot any more"] if before else []
    faults = [str(fault) for fault in snapshots.verify(now)]
    if before and now.name != before.name and snapshots.read_manifest(now)["parent"] != before.name:
        faults.append(f"latest leads to {now.name}, neither the snapshot before nor the one after it")
    return faults


def survive(scene: Scene, kills: Sequence[Kill], curated: Path) -> int:
    """Kill a run on the scene, its next run, and so on; then let one run to its end. Gives how many were killed in time.

    Raises:
        CrashError: after a kill the published snapshot is not whole, or what comes out in the end is not what it would have been.
    """
    where = f"{scene.name}, killed {' and '.join(f'{kill} ({_named(scene, kill)})' for kill in kills)}"
    told, killed = curated.with_name(f"{curated.name} steps"), 0
    shutil.rmtree(curated, ignore_errors=True)
    restore(scene, curated)
    for kill in kills:
        told.unlink(missing_ok=True)
        code = scene.attempt(curated, kill, told)
        if code not in (0, KILLED):
            raise CrashError(f"{where}: the run failed by itself ({code})")
        killed += code == KILLED
        if kill.way == "power" and told.exists():
            lose_power(curated, told)
        if faults := whole(scene, curated):
            raise CrashError(f"{where}: after the kill {faults[:3]}")
    if code := scene.attempt(curated):
        raise CrashError(f"{where}: the next run ended with {code}")
    for turn in ("the next run", "a run with nothing new"):
        if faults := [*whole(scene, curated), *differences(state(curated), scene.expected)]:
            raise CrashError(f"{where}: after {turn} {faults[:5]}")
        if turn == "the next run" and scene.attempt(curated):
            raise CrashError(f"{where}: a run with nothing new failed")
    shutil.rmtree(curated)
    told.unlink(missing_ok=True)
    return killed


def _named(scene: Scene, kill: Kill) -> str:
    return scene.steps[kill.step] if 0 <= kill.step < len(scene.steps) else "any moment"


def at_every_kind_of_step(scene: Scene) -> list[Kill]:
    """The first and the last step of every name; in every way that means something there."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, name in enumerate(scene.steps):
        first.setdefault(name, number)
        last[name] = number
    chosen = sorted({*first.values(), *last.values()})
    return [Kill(step, way) for step in chosen for way in WAYS if way != "within" or scene.steps[step].startswith("write ")]


def at_every_step(scene: Scene) -> list[Kill]:
    return [Kill(step, way) for step, name in enumerate(scene.steps) for way in WAYS if way != "within" or name.startswith("write ")]


def at_random(scene: Scene, chance: random.Random) -> Kill:
    """At any moment of a run."""
    return Kill(seconds=chance.uniform(0, scene.seconds))


# ---- through Prefect ----------------------------------------------------------------------------------------------------


def command(raw: Path, curated: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "flows.command_line", "run", "--raw", str(raw), "--curated", str(curated), "--workers", "2", *arguments]


def environment(cache: Path, **more: str) -> dict[str, str]:
    """In which a run has a Prefect of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "PREFECT_HOME")}
    return kept | {"PYTHONPATH": str(ROOT), "COPYDESK_CACHE": str(cache), **more}


def session(leader: int) -> list[int]:
    """The processes of a session, but for those that ended and were not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state_, _, _, its = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # gone in the meantime
            continue
        if int(its) == leader and state_ != "Z":
            found.append(int(stat.parent.name))
    return found


def until(true: Callable[[], Any], seconds: float = 60) -> bool:
    """Whether it comes true within that time."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(found)


def flow_scene(name: str, home: Path, cache: Path) -> Scene:
    """A scene whose runs are the real command, Prefect and all; the first also sets up Prefect's home in the cache."""
    scene = _first(home)
    if name == "adds":
        _commanded(scene, home / "curated", cache)
        write(home / "raw", "e.jsonl", [STORIES[3], *COPIES[1:], STORIES[16]])
    scene.name = f"{name}, through Prefect"
    for path in (home / "raw").iterdir():
        path.chmod(0o444)
    curated = home / "never killed"
    if name == "first":
        _commanded(scene, curated, cache)  # sets up Prefect's home
        shutil.rmtree(curated)
    restore(scene, curated)
    began = time.perf_counter()
    _commanded(scene, curated, cache)
    scene.seconds = time.perf_counter() - began
    scene.expected = state(curated)
    shutil.rmtree(curated)
    return scene


def _commanded(scene: Scene, curated: Path, cache: Path) -> None:
    done = subprocess.run(
        command(scene.home / "raw", curated), env=environment(cache), cwd=scene.home, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CrashError(f"{scene.name}: the command ended with {done.returncode}: {done.stderr[-500:]}")


def survive_command(scene: Scene, seconds: float, curated: Path, cache: Path, alone: bool = False) -> bool:
    """Kill the command after so many seconds, its process group or its own process `alone`; then let it run to its end.

    Gives whether it was still running.

    Raises:
        CrashError: as `survive`, or a process is still there 20 s after the kill.
    """
    where = f"{scene.name}, {'alone' if alone else 'with all its processes'} killed after {seconds:.2f} s"
    shutil.rmtree(curated, ignore_errors=True)
    restore(scene, curated)
    with subprocess.Popen(
        command(scene.home / "raw", curated),
        env=environment(cache),
        cwd=scene.home,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(seconds)
        running = process.poll() is None
        with suppress(ProcessLookupError):
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
    if not until(lambda: not session(process.pid), 20):
        raise CrashError(f"{where}: processes {session(process.pid)} are still there")
    if faults := whole(scene, curated):
        raise CrashError(f"{where}: after the kill {faults[:3]}")
    _commanded(scene, curated, cache)
    if faults := [*whole(scene, curated), *differences(state(curated), scene.expected)]:
        raise CrashError(f"{where}: after the next run {faults[:5]}")
    shutil.rmtree(curated)
    return running
