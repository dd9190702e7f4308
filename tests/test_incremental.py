"""A run that adds to a snapshot publishes, byte for byte, what a run from scratch over the same seen set does, whatever came before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
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

STORIES = [json.loads(line) for line in (ROOT / "tests" / "data" / "families.jsonl").read_text(encoding="utf-8").splitlines()][:24]
COPIES = [  # of one wording, so that keys are hot; some without a date, some earlier than what they repeat
    STORIES[0] | {"id": f"copy {n}", "source": f"outlet{n}.example", "published_at": at}
    for n, at in enumerate(["2025-01-01", None, "2025-06-01T10:00:00Z", "2024-12-31", "2025-06-02", None])
]
POOL = STORIES + COPIES


def write(path: Path, stories: Iterable[int]) -> None:
    path.write_text("".join(json.dumps(POOL[number]) + "\n" for number in stories) or "broken\n", encoding="utf-8")


name = st.sampled_from(["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"])
arrive = st.tuples(st.just("arrive"), name, st.lists(st.integers(0, len(POOL) - 1), max_size=5))  # added or changed, and a run
repeat = st.tuples(st.just("arrive"), name, st.lists(st.integers(len(STORIES), len(POOL) - 1), min_size=1, max_size=3))
step = st.one_of(
    arrive,
    arrive,
    repeat,
    repeat,
    st.tuples(st.just("vanish"), name),
    st.tuples(st.just("prune")),
    st.tuples(st.just("crash"), st.integers(0, 20)),
    st.tuples(st.just("settings"), st.sampled_from(["near.jaccard=0.9", "cluster.keep=one-per-source"])),
)


@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=3, max_size=9))
def test_any_history_ends_in_what_a_run_from_scratch_publishes(history: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "TOO_MUCH_NEW", 100.0)  # with so few files every run would be from scratch
        raw, curated, scratch = Path(home, "raw"), Path(home, "curated"), Path(home, "scratch")
        raw.mkdir()
        write(raw / "always.jsonl", [0, 1, 9])
        overrides: tuple[str, ...] = ()
        for what, *told in [*history, ("arrive", "always.jsonl", [0, 1, 9])]:
            if what == "vanish":
                (raw / told[0]).unlink(missing_ok=True)
            elif what == "settings":
                overrides = (told[0],)
            elif what == "crash":
                with inline(told[0]):
                    try:
                        run(raw, curated, *overrides)
                    except CrashError:
                        event("crashed")
            else:
                if what == "arrive":
                    write(raw / told[0], told[1])
                with inline():
                    event(f"{what}: {run(raw, curated, *overrides, prune=what == 'prune').end}")
        with inline():
            shutil.copytree(curated, scratch, symlinks=True)
            shutil.rmtree(scratch / "index")
            run(raw, scratch, *overrides, full=True)
        assert files(curated) == files(scratch)


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
