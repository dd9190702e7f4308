"""What an operator does, on the real job: rivals for a folder, readers that take their time, rollback and release, retention."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import inline
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from flows.command_line import main
from flows.folder import BusyError, LostError
from tasks import files, snapshots, stages

STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()]
READER = """
import sys, pyarrow.dataset as ds
stories = ds.dataset(sys.argv[1] + "/stories", format="parquet")
batches = stories.to_batches(columns=["story_id", "text"], batch_size=1, batch_readahead=0, fragment_readahead=0, use_threads=False)
found = [next(batches)["story_id"][0].as_py()]
print("reading", flush=True)
sys.stdin.readline()
found += [story for batch in batches for story in batch["story_id"].to_pylist()]
print(len(found), len(set(found)), flush=True)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder with raw/ and curated/, where runs need no processes."""
    (tmp_path / "raw").mkdir()
    with inline.inline():
        yield tmp_path


def write(home: Path, name: str, part: int) -> None:
    """One of the twelve parts of the families as a raw file."""
    lines = (json.dumps(story) + "\n" for story in STORIES[part * 8 : part * 8 + 8])
    (home / "raw" / name).write_text("".join(lines), encoding="utf-8")


def run(home: Path, *overrides: str, **options: Any) -> Any:
    return inline.run(home / "raw", home / "curated", *overrides, **options)


def next_second() -> None:
    """Names of snapshots tell seconds: which of two is the older one is known only of different ones."""
    time.sleep(1.01 - time.time() % 1)


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def published(home: Path) -> str | None:
    return snapshots.named(home / "curated")


# ---- rivals ---------------------------------------------------------------------------------------------------------


@pytest.mark.prefect
@pytest.mark.usefixtures("prefect_server")
def test_of_two_runs_one_works_and_the_other_says_who_or_waits(tmp_path: Path) -> None:
    """Two commands at the same time, of which one would wait: it does, or the other ends at once."""
    (tmp_path / "raw").mkdir()
    for part in range(12):
        write(tmp_path, f"{part}.jsonl", part)
    command = [sys.executable, "-m", "flows.command_line", "run", "--raw", str(tmp_path / "raw"), "--curated", str(tmp_path / "curated")]

    def start(*more: str) -> subprocess.Popen[str]:
        pipe, environment = subprocess.PIPE, os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen([*command, *more], cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    hasty, patient = start(), start("--wait", "200")
    (_, hasty_err), (patient_out, patient_err) = hasty.communicate(timeout=250), patient.communicate(timeout=250)
    assert patient.returncode == 0, patient_err
    assert "Traceback" not in hasty_err + patient_err
    if hasty.returncode == 4:
        assert f"is held by another run (process {patient.pid} on" in hasty_err
    else:
        assert hasty.returncode == 0, hasty_err
        assert patient_err.count("waiting, 200 s at most") == 1
        assert f"is held by another run (process {hasty.pid} on" in patient_err
        assert "nothing new" in patient_out
    assert len(names(tmp_path / "curated" / "snapshots")) == 1


def at(stage: str, act: Callable[[], object]) -> Callable[..., list[Any]]:
    """The stages, with something that happens in the middle of one."""
    each = stages.each

    def with_it(
        name: str, tasks: Any, pool: Executor, function: Callable[..., Any], calls: Iterable[tuple[Any, ...]], storage: bool = False
    ) -> list[Any]:
        found = each(name, tasks, pool, function, calls, storage)
        if name == stage:
            act()
        return found

    return with_it


@pytest.mark.parametrize("stage", ["work", "gate"])
def test_a_run_from_which_the_folder_was_taken_stops_before_it_publishes(home: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    write(home, "a.jsonl", 0)
    first = run(home).snapshot.name
    write(home, "b.jsonl", 1)
    with monkeypatch.context() as patch:
        patch.setattr(stages, "each", at(stage, (home / "curated" / ".lock").unlink))
        with pytest.raises(LostError, match="taken from this run"):
            run(home)
    assert published(home) == first
    assert run(home).end == "published"
    assert inline.files(home / "curated")


def test_a_run_whose_lease_another_host_took_stops_before_it_publishes(
    s3_server: dict[str, str],  # noqa: ARG001 - must be there
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curated = files.located(f"s3://news/{home.parent.name}-{home.name}")
    write(home, "a.jsonl", 0)
    first = inline.run(home / "raw", curated).snapshot
    write(home, "b.jsonl", 1)
    taken = json.dumps({"host": "desk", "pid": 7, "started": "2026-02-01T05:00:00+00:00", "token": "t", "lease_seconds": 120})
    with monkeypatch.context() as patch:
        patch.setattr(stages, "each", at("gate", lambda: (curated / ".lock").write_text(taken, encoding="utf-8")))
        with pytest.raises(LostError, match="taken over by process 7 on desk"):
            inline.run(home / "raw", curated)
    assert snapshots.named(curated) == first.name
    with pytest.raises(BusyError, match="process 7 on desk"):
        inline.run(home / "raw", curated)
    (curated / ".lock").unlink()
    assert inline.run(home / "raw", curated).end == "published"


def test_a_run_that_another_has_overtaken_nevertheless_does_not_publish(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "a.jsonl", 0)
    first = run(home).snapshot
    write(home, "b.jsonl", 1)
    second = run(home).snapshot
    write(home, "c.jsonl", 2)
    with monkeypatch.context() as patch:
        patch.setattr(stages, "each", at("gate", lambda: snapshots.point_latest(home / "curated", first, second.name)))
        with pytest.raises(snapshots.MovedError, match="was published since this run began"):
            run(home)
    assert published(home) == first.name


# ---- readers and retention --------------------------------------------------------------------------------------------


def test_a_reader_reads_on_while_others_are_published_and_old_ones_go(home: Path) -> None:
    write(home, "0.jsonl", 0)
    oldest = run(home).snapshot
    next_second()
    for part in range(1, 5):
        write(home, f"{part}.jsonl", part)
    opened = run(home).snapshot
    reader = subprocess.Popen([sys.executable, "-c", READER, str(opened)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout
    assert reader.stdout.readline() == "reading\n"
    removed = []
    for part in range(5, 8):
        next_second()
        write(home, "0.jsonl", part)  # so that no file stays as it is
        write(home, f"{part}.jsonl", part + 3)
        done = run(home, "publish.keep=4")
        assert done.end == "published"
        removed += done.manifest["run"]["removed"]["snapshots"]
    assert removed == [oldest.name]
    assert not oldest.exists()
    kept = pq.read_table(opened / "stories").num_rows
    told, _ = reader.communicate("\n", timeout=20)
    assert told == f"{kept} {kept}\n"
    assert reader.returncode == 0
    assert snapshots.verify(opened) == []


def test_a_file_that_a_reader_has_open_outlives_its_snapshot(home: Path) -> None:
    write(home, "0.jsonl", 0)
    first = run(home).snapshot
    path = next((first / "stories").iterdir())
    expected = pq.read_table(path)
    with pq.ParquetFile(path) as file:
        for part in (1, 2):
            next_second()
            write(home, "0.jsonl", part)
            run(home, "publish.keep=1")
        assert not first.exists()
        assert file.read().equals(expected)


def test_what_is_removed_leaves_all_that_is_needed(home: Path) -> None:
    """Changed files leave shards behind that only old snapshots name; the next runs, and one from scratch, want for nothing."""
    for part in range(4):
        next_second()
        write(home, "a.jsonl", part)
        done = run(home, "publish.keep=2")
    gone = done.manifest["run"]["removed"]
    assert (len(gone["snapshots"]), gone["store_files"]) == (1, 1)
    assert gone["store_bytes"] > 1000
    assert len(names(home / "curated" / "snapshots")) == len(names(home / "curated" / "store")) == 2
    assert not (home / "curated" / ".work").exists()
    write(home, "b.jsonl", 5)
    run(home, "publish.keep=2")
    found = inline.files(home / "curated")
    inline.run(home / "raw", home / "scratch")
    assert found == inline.files(home / "scratch")
    for snapshot in (home / "curated" / "snapshots").iterdir():
        assert snapshots.verify(snapshot) == []


def test_what_a_run_that_was_killed_did_not_remove_the_next_one_does(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise inline.CrashError

    for part in range(3):
        next_second()
        write(home, "a.jsonl", part)
        run(home)
    for part in (3, 4):
        next_second()
        write(home, "a.jsonl", part)
        with monkeypatch.context() as patch:
            patch.setattr(snapshots, "remove", killed)
            with pytest.raises(inline.CrashError):
                run(home, "publish.keep=1")
        assert inline.files(home / "curated")
    assert len(names(home / "curated" / "snapshots")) == 5
    next_second()
    write(home, "a.jsonl", 5)
    gone = run(home, "publish.keep=1").manifest["run"]["removed"]
    assert (len(gone["snapshots"]), gone["store_files"]) == (4, 4)
    assert len(names(home / "curated" / "snapshots")) == len(names(home / "curated" / "store")) == 2


def test_of_refused_snapshots_the_last_few_stay(home: Path) -> None:
    suites = home / "expectations"
    suites.mkdir()
    for name in ("stories", "run"):
        suite = json.loads((ROOT / "expectations" / f"{name}.json").read_text(encoding="utf-8"))
        for rule in suite["expectations"] if name == "run" else ():
            if rule["meta"]["name"] == "quarantine_rate":
                rule["severity"] = "critical"
        (suites / f"{name}.json").write_text(json.dumps(suite), encoding="utf-8")
    write(home, "a.jsonl", 0)
    assert run(home, f"check.expectations={suites}").end == "published"
    for turn in range(5):
        (home / "raw" / "bad.jsonl").write_text("{not json\n" * (10 + turn), encoding="utf-8")
        assert run(home, f"check.expectations={suites}").end == "refused"
    assert len(names(home / "curated" / "refused")) == 3


# ---- rollback and release -----------------------------------------------------------------------------------------------


def test_rollback_holds_what_was_bad_until_its_release(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curated = ["--curated", str(home / "curated")]
    write(home, "a.jsonl", 0)
    good = run(home).snapshot
    write(home, "bad.jsonl", 1)
    bad = run(home).snapshot

    assert main(["rollback", *curated, "--reason", "harbour news came out empty"]) == 0
    said = capsys.readouterr().out
    assert f"published  {good.name}" in said
    assert f"hold       {bad.name}, rolled back by " in said
    assert published(home) == good.name

    again = run(home)  # the same files: the same snapshot
    assert (again.end, again.snapshot.parent.name) == ("held", "refused")
    assert again.manifest["held"] == {"snapshots": [bad.name], "repeats": ["all of it: the same stories by the same recipe"]}
    assert again.manifest["gate"]["passed"]
    assert snapshots.verify(again.snapshot) == []
    write(home, "c.jsonl", 2)
    next_second()
    more = run(home)  # some more stories, and the bad ones
    assert (more.end, more.manifest["held"]["repeats"]) == ("held", ["raw files it brought: bad.jsonl"])
    assert published(home) == good.name

    (home / "raw" / "bad.jsonl").unlink()
    without = run(home)  # what was bad is gone: published, by a run that begins where the good one ended
    assert (without.end, without.manifest["parent"]) == ("published", good.name)
    found = inline.files(home / "curated")
    inline.run(home / "raw", home / "scratch")
    assert found == inline.files(home / "scratch")
    write(home, "bad.jsonl", 1)
    next_second()
    assert run(home, "publish.keep=1").end == "held"
    write(home, "d.jsonl", 3)
    next_second()
    assert run(home, "publish.keep=1").end == "held"

    capsys.readouterr()
    assert main(["snapshots", *curated, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    states = {row["snapshot"]: row["state"] for row in rows if row["state"] != "refused"}
    assert (states[bad.name], states[without.snapshot.name], states[good.name]) == ("held", "published", "earlier")
    assert [row["why"] for row in rows if row["state"] == "held"] == ["harbour news came out empty"]
    assert {row["why"] for row in rows if row["state"] == "refused"} == {"raw files it brought: bad.jsonl"}

    assert main(["rollback", *curated, "--release"]) == 0
    assert run(home).end == "published"
    assert inline.files(home / "curated") != found


def test_rollback_to_an_older_one_and_forward_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curated = ["--curated", str(home / "curated")]
    made = []
    for part in range(3):
        write(home, f"{part}.jsonl", part)
        made.append(run(home).snapshot.name)
    assert main(["rollback", made[0], *curated]) == 0
    assert published(home) == made[0]
    assert main(["rollback", made[2], *curated]) == 2
    assert f"{made[2]} is held ({made[2]}, rolled back by" in capsys.readouterr().err
    assert main(["rollback", made[0], *curated]) == 2
    assert main(["rollback", *curated]) == 2
    assert f"{made[0]} has no parent to roll back to" in capsys.readouterr().err
    assert main(["rollback", "20260101T000000Z-00000000", *curated]) == 2
    assert main(["rollback", made[2], *curated, "--release"]) == 0
    assert published(home) == made[2]
    assert run(home).end == "nothing new"
    write(home, "3.jsonl", 3)
    after = run(home)
    assert (after.end, after.manifest["parent"]) == ("published", made[2])


def test_only_a_whole_snapshot_is_published_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, "0.jsonl", 0)
    first = run(home).snapshot
    write(home, "1.jsonl", 1)
    second = run(home).snapshot
    next((first / "inputs").iterdir()).unlink()
    assert main(["rollback", "--curated", str(home / "curated")]) == 3
    said = capsys.readouterr()
    assert "missing" in said.out
    assert f"{first.name} is not whole; nothing was changed" in said.err
    assert published(home) == second.name
    assert snapshots.read_hold(home / "curated") is None


def test_a_dangling_latest_is_mended_by_rollback(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curated = ["--curated", str(home / "curated")]
    write(home, "0.jsonl", 0)
    first = run(home).snapshot
    write(home, "1.jsonl", 1)
    second = run(home).snapshot
    second.rename(home / "elsewhere")
    assert main(["verify", *curated]) == 3
    assert f"latest: names {second.name}, which is not there" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError):
        run(home)  # not taken for a first run
    assert main(["path", *curated]) == 3
    assert main(["rollback", first.name, *curated]) == 0
    assert published(home) == first.name
    assert run(home).end == "published"


def test_verify_all_tells_each(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    curated = ["--curated", str(home / "curated")]
    write(home, "0.jsonl", 0)
    first = run(home).snapshot
    write(home, "1.jsonl", 1)
    second = run(home).snapshot
    assert main(["verify", *curated, "--all"]) == 0
    assert capsys.readouterr().out.count("whole: every file") == 2
    next((first / "stories").iterdir()).unlink()
    assert main(["verify", *curated, "--all", "--json"]) == 3
    told = {row["snapshot"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told[second.name] == {"snapshot": second.name, "path": str(second), "whole": True, "faults": []}
    assert [fault["kind"] for fault in told[first.name]["faults"]] == ["missing"]
    assert main(["verify", first.name, *curated]) == 3
    assert main(["verify", str(second), *curated]) == 0
    assert main(["verify", "none", *curated]) == 2


def test_the_same_in_an_object_store(s3_server: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001
    url = f"s3://news/{tmp_path.parent.name}-{tmp_path.name}"
    (tmp_path / "raw").mkdir()
    made = []
    with inline.inline():
        for part in range(3):
            next_second()
            write(tmp_path, f"{part}.jsonl", part)
            done = inline.run(tmp_path / "raw", files.located(url), "publish.keep=2")
            assert done.end == "published"
            made.append(done.snapshot.name)
        assert done.manifest["run"]["removed"]["snapshots"] == made[:1]
        assert main(["verify", "--curated", url, "--all"]) == 0
        assert capsys.readouterr().out.count("whole: every file") == 2
        assert main(["rollback", "--curated", url]) == 0
        assert inline.run(tmp_path / "raw", files.located(url)).end == "held"
        capsys.readouterr()
        assert main(["snapshots", "--curated", url, "--json"]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["state"] for row in rows] == ["refused", "held", "published"]
        assert main(["rollback", "--curated", url, "--release"]) == 0
        assert inline.run(tmp_path / "raw", files.located(url)).end == "published"
