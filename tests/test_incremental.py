"""A run that adds to a snapshot publishes, byte for byte, what a run from scratch over the same seen set does, whatever came before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from inline import CrashError, files, inline, run

from flows import curate as job
from tasks import snapshots
from tasks.files import read_table
from tasks.overrides import OverridesError, Word, add, of_json

STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()][:24]
COPIES = [  # of one wording, so that keys are hot; some without a date, some earlier than what they repeat
    STORIES[0] | {"id": f"copy {n}", "source": f"outlet{n}.example", "published_at": at}
    for n, at in enumerate(["2025-01-01", None, "2025-06-01T10:00:00Z", "2024-12-31", "2025-06-02", None])
]
POOL = STORIES + COPIES


def write(path: Path, stories: Iterable[int]) -> None:
    path.write_text("".join(json.dumps(POOL[number]) + "\n" for number in stories) or "broken\n", encoding="utf-8")


Said = tuple[str, int, int]


def say(path: Path, curated: Path, seen: list[str], said: Iterable[Said]) -> None:
    """Write overrides on stories that are, or once were, in the seen set, every other pair of one cluster; none that contradicts others."""
    mates: dict[str, list[str]] = {}
    if snapshot := snapshots.latest(curated):
        rows = read_table(snapshot / "decisions", columns=["story_id", "cluster_id"]).sort_by("story_id").to_pylist()
        seen += [row["story_id"] for row in rows if row["story_id"] not in seen]
        for row in rows:
            mates.setdefault(row["cluster_id"], []).append(row["story_id"])
    alike = [names for cluster_id, names in sorted(mates.items(), key=str) if cluster_id and len(names) > 1]
    path.unlink(missing_ok=True)
    path.touch()
    for kind, one, other in said:
        if kind == "line":
            lines = POOL[one]["text"].split("\n\n")
            entry = of_json({"kind": kind, "text": lines[other % len(lines)], "boilerplate": one % 3 > 0})
        else:
            among = alike[one // 2 % len(alike)] if alike and one % 2 else seen
            stories = {among[one // 2 % len(among)], among[other % len(among)]}
            if len(stories) == 1 and kind != "keep":
                continue
            entry = of_json({"kind": kind, "stories": sorted(stories)[: 1 if kind == "keep" else 2]})
        with suppress(OverridesError):
            add(path, entry)


name = st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"])
arrive = st.tuples(st.just("arrive"), name, st.lists(st.integers(0, len(POOL) - 1), max_size=5))  # added or changed, and a run
repeat = st.tuples(st.just("arrive"), name, st.lists(st.integers(len(STORIES), len(POOL) - 1), min_size=1, max_size=3))
number = st.integers(0, len(POOL) - 1)
pair = st.tuples(st.sampled_from(["same", "different", "different", "keep"]), number, number)
word = st.tuples(st.just("word"), st.lists(st.one_of(pair, pair, pair, st.tuples(st.just("line"), number, number)), max_size=6))
step = st.one_of(
    word,
    word,
    arrive,
    arrive,
    repeat,
    repeat,
    st.tuples(st.just("vanish"), name),
    st.tuples(st.just("prune")),
    st.tuples(st.just("crash"), st.integers(0, 20)),
    st.tuples(st.just("settings"), st.sampled_from(["near.jaccard=0.9", "cluster.keep=one-per-source"])),
)


@hypothesis_settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=3, max_size=9))
def test_any_history_ends_in_what_a_run_from_scratch_publishes(history: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "TOO_MUCH_NEW", 100.0)  # with so few files every run would be from scratch
        raw, curated, scratch = Path(home, "raw"), Path(home, "curated"), Path(home, "scratch")
        raw.mkdir()
        write(raw / "always.jsonl", [0, 1, 9])
        said, seen = Path(home, "overrides.toml"), ["f" * 32, "e" * 32]
        say(said, curated, seen, ())
        overrides: tuple[str, ...] = (f"overrides.file={said}",)
        for what, *told in [("arrive", "a.jsonl", [2, 4, 24, 25, 26]), *history, ("arrive", "always.jsonl", [0, 1, 9])]:
            if what == "vanish":
                (raw / told[0]).unlink(missing_ok=True)
            elif what == "settings":
                overrides = (overrides[0], told[0])
            elif what == "crash":
                with inline(told[0]):
                    try:
                        run(raw, curated, *overrides)
                    except CrashError:
                        event("crashed")
            else:
                if what == "word":
                    say(said, curated, seen, told[0])
                if what == "arrive":
                    write(raw / told[0], told[1])
                with inline():
                    event(f"{what}: {run(raw, curated, *overrides, prune=what == 'prune').end}")
        with inline():
            shutil.copytree(curated, scratch, symlinks=True)
            shutil.rmtree(scratch / "index")
            run(raw, scratch, *overrides, full=True)
        assert files(curated) == files(scratch)
        assert obeyed(curated) == obeyed(scratch)


def obeyed(curated: Path) -> Any:
    """What the published snapshot says of the editors' word, and that it holds."""
    snapshot = snapshots.latest(curated)
    assert snapshot is not None
    told = snapshots.read_manifest(snapshot)["overrides"]
    rows = {row["story_id"]: row for row in read_table(snapshot / "decisions").to_pylist() if row["outcome"] != "quarantined"}
    word = Word.of(of_json(entry) for entry in told["entries"])
    cluster_of = {name: row["cluster_id"] for name, row in rows.items()}
    for entry in word.of_stories:
        clusters = [cluster_of.get(name) for name in entry.stories]
        assert (None not in clusters) == (entry.id not in told["unmatched"])
        if entry.kind == "different" and None not in clusters:
            event("two stories")
            assert clusters[0] != clusters[1]
        if entry.kind == "keep" and None not in clusters:
            assert rows[entry.stories[0]]["outcome"] == "kept"
    for bundle in word.bundles():
        event("one story")
        assert (
            len({cluster_of[name] if rows[name]["same_story"] is None else rows[name]["same_story"] for name in bundle if name in rows})
            <= 1
        )
    return told


def test_a_record_without_an_id_that_moves_within_its_file(tmp_path: Path) -> None:
    """Its raw_id names its place; its month has no other story that came or went."""
    march, june = ({name: POOL[n][name] for name in ("text", "source")} for n in (0, 9))
    raw, curated, scratch = (tmp_path / name for name in ("raw", "curated", "scratch"))
    raw.mkdir()
    for lines in ([march | {"published_at": "2025-03-01"}, june | {"published_at": "2025-06-01"}], [june | {"published_at": "2025-06-01"}]):
        broken = "{broken\n"  # in quarantine by its line
        (raw / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + broken, encoding="utf-8")
        write(raw / "b.jsonl", [0])
        with inline():
            run(raw, curated)
    with inline():
        run(raw, scratch)
    assert files(curated) == files(scratch)
