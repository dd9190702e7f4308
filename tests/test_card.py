"""The dataset card: its head loads the tables, and nothing that a story says can leave its cell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks import card
from tasks.schema import COLUMNS, STORIES, TABLES
from tasks.settings import SettingsError, load

EVIL = "`</code><script>alert(1)</script>` | [x](javascript:alert(1))\n\n# Heading\u202e \\"


def snapshot(home: Path, sources: list[str | None], languages: list[str | None]) -> Path:
    empty: dict[str, Any] = {"word_count": 1, "repairs": [], "removed": []}
    rows = [
        {field.name: None if field.nullable else empty.get(field.name, "x") for field in STORIES}
        | {"source": source, "language": language, "published_at": datetime(2025, 3, 1 + n % 28, tzinfo=UTC) if n else None}
        for n, (source, language) in enumerate(zip(sources, languages, strict=True))
    ]
    (home / "stories").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, STORIES), home / "stories" / "all.parquet")
    return home


def manifest(rows: int, **publish: Any) -> dict[str, Any]:
    return {
        "copydesk": "0.1.0",
        "snapshot": "20250301T000000Z-01234567",
        "files": [{"path": "stories/all.parquet", "rows": rows}],
        "recipe": {"hash": "0123456789abcdef", "spelled": {"libraries": {"ftfy": "6.3"}}},
        "changes": {
            "parent": None,
            "added": rows,
            "changed": 0,
            "removed": 0,
            "rekeyed": 0,
            "files": [{"path": "changes/all.parquet", "rows": rows}],
        },
        "counts": {"files": 1, "records": rows + 3, "quarantined": {"ingest": {"binary_file": 1}}, "duplicates": {"near": 2}, "kept": rows},
        "settings": {"publish": publish},
    }


def written(home: Path, sources: list[str | None], languages: list[str | None], **publish: Any) -> tuple[dict[str, Any], str]:
    """The head of the card, and the rest."""
    page = card.write(snapshot(home, sources, languages), manifest(len(sources), **publish)).read_text(encoding="utf-8")
    _, head, rest = page.split("---\n", 2)
    return yaml.safe_load(head), rest


def test_the_head_tells_tables_languages_and_size(tmp_path: Path) -> None:
    head, rest = written(tmp_path, ["a", "b", None], ["en-GB", "de", None], title="News: a test", license="cc-by-4.0")
    assert (head["pretty_name"], head["license"], head["language"], head["size_categories"]) == (
        "News: a test",
        "cc-by-4.0",
        ["de", "en"],
        ["n<1K"],
    )
    assert {config["config_name"]: config["data_files"] for config in head["configs"]} == {name: f"{name}/*.parquet" for name in TABLES}
    assert [config["config_name"] for config in head["configs"] if config.get("default")] == ["stories"]
    assert all("20250301T000000Z-01234567" in config["description"] for config in head["configs"])
    assert "\n# News: a test\n" in rest
    assert "3 news stories, published 2 March 2025 to 3 March 2025 (1 of unknown date)" in rest


def test_without_a_licence_the_card_says_so(tmp_path: Path) -> None:
    head, rest = written(tmp_path, ["a"], ["en"])
    assert "license" not in head
    assert "No licence is stated" in rest


def test_every_column_of_every_table_is_told(tmp_path: Path) -> None:
    _, rest = written(tmp_path, [], [])
    told = rest.split("## Columns")[1].split("## How it was made")[0]
    for name in {column for table in TABLES.values() for column in table.names}:
        assert f"| `{name}` | `" in told
        assert card._prose(COLUMNS[name].description) in told
    assert set(card.TOLD) == set(TABLES)


@given(st.text())
def test_what_stories_say_stays_in_its_cell(text: str) -> None:
    span = card._code(text)
    inner = span[1:-1]
    assert (span[0], span[-1]) == ("`", "`")
    assert inner
    assert inner.isprintable()
    assert not set(inner) & set("`|\\\n")
    assert inner == inner.strip()
    assert len(inner) <= card.LONGEST


def test_hostile_sources_and_languages(tmp_path: Path) -> None:
    head, rest = written(tmp_path, [EVIL, "a"], ["en\n- evil: yes", "<script>"])
    assert head["language"] == ["en"]
    assert rest.count("<script>") == 2  # both in code spans
    assert all("`" in line.split("<script>")[0] for line in rest.splitlines() if "<script>" in line)
    assert "# Heading" not in [line[:9] for line in rest.splitlines()]
    assert "\u202e" not in rest


@pytest.mark.parametrize("wrong", ["publish.license=CC BY", "publish.title=`x`", 'publish.title="a\\nb"'])
def test_settings_that_would_break_the_card_are_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"publish\.(license|title)"):
        load(None, [wrong])


def test_datasets_loads_what_latest_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cache knows a folder by its name: the card must tell it that the snapshot is another."""
    for name, value in {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    datasets = pytest.importorskip("datasets")
    found = []
    for number, sources in enumerate((["a"], ["a", "b"])):
        home = snapshot(tmp_path / str(number), list(sources), ["en"] * len(sources))
        told = manifest(len(sources)) | {"snapshot": f"20250301T00000{number}Z-01234567"}
        card.write(home, told)
        (tmp_path / "latest").unlink(missing_ok=True)
        (tmp_path / "latest").symlink_to(home)
        found.append(datasets.load_dataset(str(tmp_path / "latest"), split="train", cache_dir=str(tmp_path / "cache")).num_rows)
    assert found == [1, 2]
