"""The whole job on the real Prefect engine: same rows whatever the order, workers and history; refusals; nothing lost."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from tasks import snapshots

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]
TABLES = ("stories", "duplicates", "quarantine", "decisions")
STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()]


def run(raw: Path, curated: Path, *overrides: str, **options: Any) -> Any:
    from flows.curate import curate
    from flows.watch import NotPublishedError

    try:
        return curate(str(raw), str(curated), overrides=("run.workers=2", *overrides), **options)
    except NotPublishedError as stopped:
        return stopped.outcome


def files(curated: Path) -> dict[str, str]:
    """The data files of the published snapshot with their hashes."""
    snapshot = snapshots.latest(curated)
    assert snapshot is not None
    assert snapshots.verify(snapshot) == []
    return {
        entry["path"]: entry["sha256"] for entry in snapshots.read_manifest(snapshot)["files"] if not entry["path"].startswith("inputs/")
    }


def write(raw: Path, name: str, stories: list[dict[str, Any]]) -> None:
    raw.mkdir(exist_ok=True)
    (raw / name).write_text("".join(json.dumps(story) + "\n" for story in stories), encoding="utf-8")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Twelve families in three files, and what a run from scratch makes of them."""
    home = tmp_path_factory.mktemp("scratch")
    for number in range(3):
        write(home / "raw", f"part-{number}.jsonl", STORIES[number * 32 : number * 32 + 32])
    (home / "raw" / "broken.jsonl.gz").write_bytes(b"no gzip")
    assert run(home / "raw", home / "curated").end == "published"
    return home / "raw", files(home / "curated")


@pytest.mark.parametrize("overrides", [("run.workers=1",), ("run.workers=4", "run.shard_rows=7"), ("run.shard_bytes=20000",)])
def test_same_files_whatever_the_workers_and_shards(
    scratch: tuple[Path, dict[str, str]], tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    raw, expected = scratch
    run(raw, tmp_path / "curated", *overrides)
    assert files(tmp_path / "curated") == expected


def test_same_files_whatever_the_order_of_arrival(scratch: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    raw, expected = scratch
    here = tmp_path / "raw"
    here.mkdir()
    for arrival in (["part-2.jsonl"], ["broken.jsonl.gz", "part-0.jsonl"], ["part-1.jsonl"]):
        for name in arrival:
            os.link(raw / name, here / name)
        assert run(here, tmp_path / "curated").end == "published"
    assert files(tmp_path / "curated") == expected
    assert len(list((tmp_path / "curated" / "snapshots").iterdir())) == 3


def test_a_run_that_finds_nothing_new_publishes_nothing(scratch: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    raw, _ = scratch
    first = run(raw, tmp_path / "curated")
    (raw / "part-0.jsonl").touch()  # another time, the same bytes
    second = run(raw, tmp_path / "curated")
    assert (second.end, second.snapshot) == ("nothing new", first.snapshot)
    assert [path.name for path in (tmp_path / "curated" / "snapshots").iterdir()] == [first.snapshot.name]


def test_a_changed_file_supersedes_its_records_and_a_vanished_one_keeps_them(tmp_path: Path) -> None:
    raw, curated = tmp_path / "raw", tmp_path / "curated"
    write(raw, "a.jsonl", STORIES[:2])
    write(raw, "b.jsonl", STORIES[10:12])
    run(raw, curated)
    write(raw, "a.jsonl", STORIES[5:6])
    (raw / "b.jsonl").unlink()
    run(raw, curated)
    decisions = pq.read_table(curated / "latest" / "decisions").to_pylist()
    assert {(row["raw_id"], row["raw_state"]) for row in decisions} == {
        (STORIES[5]["id"], "present"),
        (STORIES[10]["id"], "vanished"),
        (STORIES[11]["id"], "vanished"),
    }
    run(raw, curated, prune=True)
    assert [row["raw_id"] for row in pq.read_table(curated / "latest" / "decisions").to_pylist()] == [STORIES[5]["id"]]
    (raw / "a.jsonl").unlink()
    assert run(raw, curated, prune=True, accept=("some_story_is_kept", "conservation")).manifest["counts"]["records"] == 0
    assert files(curated)


def test_another_recipe_works_all_stories_again_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw, curated = tmp_path / "raw", tmp_path / "curated"
    write(raw, "a.jsonl", STORIES[:3])
    before = run(raw, curated).manifest["recipe"]["hash"]
    with caplog.at_level("INFO", "copydesk"):
        after = run(raw, curated, "repair.uncurl_quotes=true").manifest["recipe"]["hash"]
    assert before != after
    assert "the recipe changed" in caplog.text
    assert "settings.repair.uncurl_quotes: False -> True" in caplog.text
    assert set(pq.read_table(curated / "latest" / "decisions")["recipe"].to_pylist()) == {after}


def test_a_refusal_leaves_the_published_snapshot_and_accept_publishes_it(tmp_path: Path) -> None:
    raw, curated = tmp_path / "raw", tmp_path / "curated"
    suites = tmp_path / "expectations"
    suites.mkdir()
    for name in ("stories", "run"):
        suite = json.loads((ROOT / "expectations" / f"{name}.json").read_text(encoding="utf-8"))
        if name == "run":  # a limit that the second run must break
            rule = next(entry for entry in suite["expectations"] if entry["meta"]["name"] == "quarantine_rate")
            rule["severity"] = "critical"
        (suites / f"{name}.json").write_text(json.dumps(suite), encoding="utf-8")
    override = f"check.expectations={suites}"
    write(raw, "a.jsonl", STORIES[:3])
    good = run(raw, curated, override).snapshot
    (raw / "bad.jsonl").write_text("{not json\n" * 5)
    refused = run(raw, curated, override)
    assert refused.end == "refused"
    assert refused.snapshot.parent.name == "refused"
    assert snapshots.latest(curated) == good
    message = next(result["message"] for result in refused.manifest["gate"]["results"] if result["status"] == "failed")
    assert "quarantine_rate" in message
    assert "--accept quarantine_rate" in message
    accepted = run(raw, curated, override, accept=("quarantine_rate",))
    assert accepted.end == "published"
    assert snapshots.latest(curated) == accepted.snapshot
    assert "accepted" in {result["status"] for result in accepted.manifest["gate"]["results"]}


def _empty(raw: Path) -> None:
    raw.mkdir()


def _only_notes(raw: Path) -> None:
    raw.mkdir()
    (raw / "notes.md").write_text("Nothing to read.")


@pytest.mark.parametrize("prepare", [lambda _: None, _empty, _only_notes])
def test_a_folder_without_stories_is_refused_before_any_work(tmp_path: Path, prepare: Callable[[Path], None]) -> None:
    from flows.curate import UnusableError

    prepare(tmp_path / "raw")
    with pytest.raises(UnusableError, match="raw folder"):
        run(tmp_path / "raw", tmp_path / "curated")
    assert not (tmp_path / "curated" / "latest").exists()


def test_an_empty_folder_does_not_forget_what_was_read(tmp_path: Path) -> None:
    from flows.curate import UnusableError

    write(tmp_path / "raw", "a.jsonl", STORIES[:1])
    run(tmp_path / "raw", tmp_path / "curated")
    (tmp_path / "raw" / "a.jsonl").unlink()
    with pytest.raises(UnusableError, match="is it mounted"):
        run(tmp_path / "raw", tmp_path / "curated")


def test_one_run_at_a_time(tmp_path: Path) -> None:
    from flows.folder import BusyError, held

    write(tmp_path / "raw", "a.jsonl", STORIES[:1])
    (tmp_path / "curated").mkdir()
    with held(tmp_path / "curated"), pytest.raises(BusyError, match=f"process {os.getpid()}"):
        run(tmp_path / "raw", tmp_path / "curated")


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    raw, curated = tmp_path / "raw", tmp_path / "curated"
    write(raw, "a.jsonl", STORIES[:1])
    (curated / ".work" / "repair").mkdir(parents=True)
    (curated / ".work" / "repair" / "half.parquet").write_bytes(b"PAR1")
    (curated / "store").mkdir()
    (curated / "store" / ".draft-1-x").write_bytes(b"PAR1")
    run(raw, curated)
    assert not (curated / ".work").exists()
    assert not list((curated / "store").glob(".draft-*"))


def test_only_quarantine_is_a_snapshot_too(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_bytes(b"")
    outcome = run(tmp_path / "raw", tmp_path / "curated")
    assert outcome.manifest["counts"]["kept"] == 0
    for name in TABLES:
        assert len(pq.read_table(tmp_path / "curated" / "latest" / name)) == (1 if name in ("quarantine", "decisions") else 0)
    assert files(tmp_path / "curated")


def test_the_flow_can_be_served() -> None:
    """A scheduled run loads the flow from its file and validates the parameters of the deployment; so must its annotations allow."""
    from prefect.flows import load_flow_from_entrypoint

    loaded: Any = load_flow_from_entrypoint(f"{ROOT / 'flows' / 'curate.py'}:curate")
    found = loaded.validate_parameters({"raw": "raw", "settings_file": None, "overrides": ["near.jaccard=0.6"]})
    assert list(found["overrides"]) == ["near.jaccard=0.6"]
