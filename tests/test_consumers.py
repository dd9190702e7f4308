"""Every block of docs/consumers.md is run on a folder of three snapshots; what follows the changes ends in the published stories."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from inline import inline, run
from test_incremental import POOL, write

from flows import curate as job
from tasks import snapshots

PAGE = (ROOT / "docs" / "consumers.md").read_text(encoding="utf-8")
PARTS = [(part.partition("\n")[0], part) for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]]
BLOCKS = [
    (title, language, block)
    for title, part in PARTS
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
]
PYTHON = [block for _, language, block in BLOCKS if language == "python"]
SPARK = Path(os.environ.get("COPYDESK_SPARK") or ROOT / ".spark")
FOLLOWING = [block for title, language, block in BLOCKS if title == "Following the changes" and language == "python"]


def library(block: str) -> str | None:
    found = re.search(r"\b(pyspark|datasets|deltalake)\b", block)
    return found[1] if found else None


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with curated/ of three snapshots, each with changes of several kinds, and the Delta table."""
    home = tmp_path_factory.mktemp("news")
    (home / "raw").mkdir()
    with pytest.MonkeyPatch.context() as patch, inline():
        patch.setattr(job, "TOO_MUCH_NEW", 100.0)
        delta = (f"publish.delta={home / 'delta' / 'stories'}",) if importlib.util.find_spec("deltalake") else ()
        for number in range(3):
            arrive(home, number, *delta)
    return home


def arrive(home: Path, number: int, *overrides: str) -> Path:
    """One of four steps, and a run."""
    if number == 0:
        write(home / "raw" / "a.jsonl", range(8, 24))
        write(home / "raw" / "b.jsonl", [0, 24, 25])
        page = {"id": "page", "text": f"{POOL[9]['text']}\n\nLEAVE A REPLY\nPlease enter your comment!\n", "published_at": "2024-02-03"}
        (home / "raw" / "e.jsonl").write_text(json.dumps(page) + "\n", encoding="utf-8")
    elif number == 1:
        write(home / "raw" / "b.jsonl", [24, 25, 27])
        write(home / "raw" / "c.jsonl", [1, 2, 3])
    elif number == 2:
        (home / "raw" / "b.jsonl").unlink()
    else:
        write(home / "raw" / "d.jsonl", [4, 5, 29])
    outcome = run(home / "raw", home / "curated", *overrides, prune=number == 2)
    assert outcome.end == "published"
    return Path(outcome.snapshot)


@pytest.mark.parametrize("block", [block for block in PYTHON if library(block) != "pyspark"], ids=lambda block: block.split("\n")[0][:40])
def test_a_block_of_python_runs(
    block: str, news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if needed := library(block):
        pytest.importorskip(needed)
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    there(news, tmp_path, monkeypatch)
    exec(compile(FOLLOWING[0] + block if "# continues" in block else block, "docs/consumers.md", "exec"), {})  # noqa: S102 - what the page says
    assert capsys.readouterr().out.strip()


def statements(title: str) -> list[str]:
    """Those of a section, in their order."""
    blocks = (block for name, language, block in BLOCKS if (name, language) == (title, "sql"))
    return [one for block in blocks for one in block.split(";\n") if one.strip()]


def there(news: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of one's own that has curated/ and the Delta table."""
    for name in ("curated", "delta"):
        if (news / name).exists():
            (home / name).symlink_to(news / name)
    monkeypatch.chdir(home)


@pytest.mark.parametrize("title", sorted({title for title, language, _ in BLOCKS if language == "sql"}))
def test_the_blocks_of_sql_of_a_section_run(title: str, news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    there(news, tmp_path, monkeypatch)
    with duckdb.connect() as base:
        for statement in statements(title):
            rows = base.execute(statement).fetchall()
            assert rows or "create" in statement or statement.strip().startswith("set "), statement


def test_the_difference_in_sql_is_what_the_snapshots_differ_in(news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    there(news, tmp_path, monkeypatch)
    with duckdb.connect() as base:
        for statement in statements("DuckDB"):
            found = base.execute(statement).fetchall()
    first, *_, last = (
        {row["story_id"]: row for row in pq.read_table(path / "stories").to_pylist()}
        for path in sorted((news / "curated/snapshots").iterdir())
    )
    kinds = {story: "removed" if story not in last else "added" if story not in first else "changed" for story in {*first, *last}}
    assert dict(found) == {story: kind for story, kind in kinds.items() if first.get(story) != last.get(story)}


@pytest.mark.spark
def test_the_block_of_spark_runs(news: Path) -> None:
    if not (SPARK / "pyspark").is_dir():
        pytest.skip(
            f"no pyspark at {SPARK}: pip install --target it, and set COPYDESK_SPARK; beside the other packages it slows Great Expectations down"
        )
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    (block,) = (block for block in PYTHON if library(block) == "pyspark")
    environment = os.environ | {"PYTHONPATH": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}
    quiet = 'import os\nos.environ["PYSPARK_SUBMIT_ARGS"] = "--conf spark.ui.enabled=false pyspark-shell"\n'
    check = 'print("rows", stories.count(), stories.schema["published_at"].dataType.simpleString())\n'
    done = subprocess.run(
        [sys.executable, "-c", quiet + block + check], cwd=news, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    kept = len(pq.read_table(news / "curated/latest/stories"))
    assert f"rows {kept} timestamp" in done.stdout


Mirror = tuple[Callable[[], list[str]], Callable[[], list[Any]]]


def mirrors(home: Path) -> dict[str, Mirror]:
    """The two copies of the page: how to bring each up to date, and what it holds (story_id, copies)."""
    import sqlite3

    import duckdb

    code: dict[str, Any] = {}
    exec(compile(re.split(r"^(?:with|base =|print)", "\n".join(FOLLOWING), flags=re.MULTILINE)[0], "page", "exec"), code)  # noqa: S102
    for block in FOLLOWING[1:]:
        exec(compile(re.split(r"^(?:with |base = )", block, flags=re.MULTILINE)[0], "page", "exec"), code)  # noqa: S102
    duck, lite = duckdb.connect(), sqlite3.connect(":memory:")
    query = "select story_id, copies, text from stories order by story_id"
    return {
        "duckdb": (lambda: code["follow"](duck, home / "curated"), lambda: duck.execute(query).fetchall()),
        "sqlite": (lambda: code["follow_in_sqlite"](lite, home / "curated"), lambda: lite.execute(query).fetchall()),
    }


def test_copies_that_follow_are_the_published_stories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "TOO_MUCH_NEW", 100.0)
    (tmp_path / "raw").mkdir()
    always, late = mirrors(tmp_path), mirrors(tmp_path)
    made = []

    def agree(copies: dict[str, Mirror], applied: int) -> None:
        latest = (tmp_path / "curated/latest").resolve()
        rows = sorted((row["story_id"], row["copies"], row["text"]) for row in pq.read_table(latest / "stories").to_pylist())
        for bring, held in copies.values():
            assert len(bring()) == applied
            assert [tuple(row) for row in held()] == rows
            assert bring() == []

    with inline():
        for number in range(4):
            made.append(arrive(tmp_path, number))
            agree(always, 1)
            if number in (0, 2):
                agree(late, 1 if number == 0 else 2)
    snapshots.point_latest(tmp_path / "curated", made[1], made[3].name)  # rolled back
    agree(always, 1)
    snapshots.point_latest(tmp_path / "curated", made[3], made[1].name)
    agree(always, 2)
    shutil.rmtree(made[2])  # what `late` has is too old now
    snapshots.point_latest(tmp_path / "curated", made[0], made[3].name)
    agree(always, 1)
    snapshots.point_latest(tmp_path / "curated", made[3], made[0].name)
    agree(always, 1)
