"""What readers of the Parquet get: the same rows in pandas, Polars and DuckDB, types and descriptions intact."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.schema import COLUMNS, TABLES

pytestmark = pytest.mark.prefect


@pytest.mark.parametrize("name", TABLES)
def test_types_descriptions_and_null_rules_travel_with_the_files(sample_run: Path, name: str) -> None:
    files = sorted((sample_run / "latest" / name).glob("*.parquet"))
    assert files
    for file in files:
        found = pq.read_schema(file)
        assert found.equals(TABLES[name], check_metadata=True)
        for field in found:
            assert field.metadata[b"description"].decode() == COLUMNS[field.name].description
            assert field.metadata[b"null"].decode() == COLUMNS[field.name].null


def test_pandas_polars_and_duckdb_read_the_same(sample_run: Path) -> None:
    import duckdb
    import pandas as pd
    import polars as pl

    stories = sample_run / "latest" / "stories"
    arrow = pq.read_table(stories).sort_by("story_id")
    expected = arrow["text"].to_pylist()
    frame = pd.read_parquet(stories).sort_values("story_id")
    assert frame["text"].tolist() == expected
    assert str(frame["published_at"].dtype) == "datetime64[us, UTC]"
    polars = pl.read_parquet(stories / "*.parquet").sort("story_id")
    assert polars["text"].to_list() == expected
    assert polars.schema["published_at"] == pl.Datetime("us", "UTC")
    assert polars.schema["removed"] == pl.List(pl.Struct({"rule": pl.String, "zone": pl.String, "line": pl.Int32, "text": pl.String}))
    duck = duckdb.connect()
    rows = duck.sql(f"select text, published_at from '{stories}/*.parquet' order by story_id")
    assert [row[0] for row in rows.fetchall()] == expected
    assert str(rows.types[1]) == "TIMESTAMP WITH TIME ZONE"
    removed = duck.sql(f"select count(*) from (select unnest(removed) from '{stories}/*.parquet')").fetchall()
    assert removed == [(sum(len(row) for row in arrow["removed"].to_pylist()),)]


def test_removed_and_repairs_rebuild_what_ingest_wrote(sample_run: Path) -> None:
    """stories + store -> the repaired text, two ways."""
    from tasks import boilerplate, ingest, settings
    from tasks.repair import apply

    snapshot = sample_run / "latest"
    written: dict[str, str] = {}
    inputs = pq.read_table(snapshot / "inputs")
    for shard in sorted({name for names in inputs["shards"].to_pylist() for name in names}):
        table = ingest.parse(
            pq.read_table(sample_run / "store" / shard), settings.Ingest(), dict.fromkeys(inputs["raw_uri"].to_pylist(), "present")
        )
        written |= dict(zip(table["story_id"].to_pylist(), table["text"].to_pylist(), strict=True))
    compared = 0
    for name in ("stories", "duplicates"):
        for row in pq.read_table(snapshot / name).to_pylist():
            assert boilerplate.rebuild(row["text"], row["removed"]) == apply(written[row["story_id"]], row["repairs"])
            compared += 1
    assert compared > 20


def test_conservation(sample_run: Path) -> None:
    snapshot = sample_run / "latest"
    decisions = pq.read_table(snapshot / "decisions", columns=["story_id", "outcome"])
    assert len(decisions) == sum(pq.read_table(snapshot / "inputs")["records"].to_pylist())
    ids = [story for name in ("stories", "duplicates", "quarantine") for story in pq.read_table(snapshot / name)["story_id"].to_pylist()]
    assert sorted(ids) == sorted(decisions["story_id"].to_pylist())
    assert len(set(ids)) == len(ids)


def test_the_report_tells_what_was_done(sample_run: Path) -> None:
    from test_report import data

    told, *parts = data(sample_run / "latest" / "report" / "index.html")
    assert told["counts"]["kept"] == pq.read_table(sample_run / "latest" / "stories").num_rows
    for words in ("Estwick", "derivative", "damaged_archive", "LEAVE A REPLY"):
        assert words in str([told, *parts])
    assert (sample_run / "latest" / "data_docs" / "index.html").is_file()
