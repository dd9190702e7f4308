"""The index: worked shards give back what was written, and the roster has every record at its place in keep order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from matching import DERIVATIVE, NEAR, families, roster, shards, story, work

from tasks import files, fingerprint, index, schema
from tasks.index import Roster
from tasks.verdict import stories

DATES = [None, "1955-08-31T23:59:59", "1969-12-31", "1970-01-01T00:00:00", "2025-02-28", "2025-02-28T12:00:00", "2025-03-01", None]
TEXTS = [row["text"] for row in families("dC00", "dC01")]
ROWS = [
    story(f"r{n}", TEXTS[n % 4], source=None if n % 3 == 0 else f"outlet{n % 3}.example", published_at=at, raw_uri=f"{n % 2}.jsonl")
    for n, at in enumerate(DATES * 2)
]
ROWS[3] |= {"stage": "check", "reason": "too_short", "detail": "1 word"}
ROWS[8] |= {"stage": "ingest", "reason": "no_text", "text": "", "word_count": 0}


def in_keep_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sound ones first, by time of publication (a bare date is over at its end), unknown last, then by id."""

    def key(row: dict[str, Any]) -> Any:
        day = timedelta(days=1, microseconds=-1) if row["published_precision"] == "day" else timedelta()
        at = row["published_at"]
        return row["reason"] is not None, at is None, at + day if at else datetime.max.replace(tzinfo=UTC), row["story_id"]

    return sorted(rows, key=key)


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["story_id"] for row in rows]


# ---- worked shards ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_is_written_is_read_in_any_order(tmp_path: Path, size: int) -> None:
    shuffled = random.Random(size).sample(ROWS, len(ROWS))  # noqa: S311 -- no secret
    found = Roster.read(shards(shuffled, tmp_path, size))
    ordered = in_keep_order(ROWS)
    assert found.ids(np.arange(len(ROWS))) == ids(ordered)
    ranks = np.random.default_rng(size).permutation(len(ROWS))
    table = index.rows(found, ranks, index.STORIES.names)
    assert table.schema.equals(index.STORIES)
    assert table.to_pylist() == [{name: ordered[rank][name] for name in index.STORIES.names} for rank in ranks.tolist()]
    some = ranks[:5]
    assert index.rows(found, some, ["raw_id"])["raw_id"].to_pylist() == [ordered[rank]["raw_id"] for rank in some.tolist()]
    lying = index.rows(found, some, ["raw_id"], in_order=False)["raw_id"].to_pylist()
    assert lying == [ordered[rank]["raw_id"] for rank in some[index.by_place(found, some)].tolist()]
    assert index.rows(found, np.zeros(0, np.int64), ["raw_id", "text"]).to_pylist() == []


def test_features_are_those_of_the_fingerprint(tmp_path: Path) -> None:
    found = Roster.read(shards(ROWS, tmp_path, 6))
    plain = fingerprint.fingerprint(pa.Table.from_pylist(in_keep_order(ROWS), schema=schema.CHECKED), NEAR, DERIVATIVE)
    ranks = np.random.default_rng(0).permutation(len(ROWS))
    names = ["source", "word_count", "text_hash", "terms", "weights", "signature", "sketch", "winnowed"]
    assert index.features(found, ranks, names).to_pylist() == plain.select(names).take(pa.array(ranks)).to_pylist()
    assert index.features(found, np.zeros(0, np.int64), names).to_pylist() == []


def test_stories_are_what_the_verdict_reads_of_a_fingerprinted_table(tmp_path: Path) -> None:
    found = Roster.read(shards(ROWS, tmp_path, 6))
    ranks = np.array([9, 2, 0, 5])
    rows = [in_keep_order(ROWS)[rank] for rank in ranks.tolist()]
    plain = stories.of(fingerprint.fingerprint(pa.Table.from_pylist(rows, schema=schema.CHECKED), NEAR, DERIVATIVE))
    mine = index.stories(found, ranks, NEAR.shingle_words)
    assert mine.table.to_pylist() == plain.table.to_pylist()
    for name in ("numbers", "published", "shingles", "shingle_starts", "terms", "weights", "term_starts"):
        assert (getattr(mine, name) == getattr(plain, name)).all()


def test_a_worked_shard_lies_by_month_and_id_in_small_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "ROW_GROUP", 3)
    work(ROWS, tmp_path, "one")
    with files.arrow(index.features_file(tmp_path, "one")) as file:
        features = file.read_all()
    file = pq.ParquetFile(index.stories_file(tmp_path, "one"))
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(sizes) == len(ROWS)
    assert max(sizes) <= 3
    table = file.read()
    lying = list(zip(features["month"].to_pylist(), table["story_id"].to_pylist(), strict=True))
    assert lying == sorted(lying)
    halves = [f"{a:016x}{b:016x}" for a, b in zip(features["story"].to_pylist(), features["rest"].to_pylist(), strict=True)]
    assert halves == table["story_id"].to_pylist()
    found = Roster.read(roster(["one"], tmp_path))
    assert index.rows(found, np.arange(len(ROWS)), ["story_id"])["story_id"].to_pylist() == ids(in_keep_order(ROWS))


def test_months(tmp_path: Path) -> None:
    found = Roster.read(shards(ROWS, tmp_path))
    for row, month in zip(in_keep_order(ROWS), found["month"].tolist(), strict=True):
        if row["reason"]:
            assert month == index.FAULTY
        else:
            assert index.month_name(month) == (f"{row['published_at']:%Y-%m}" if row["published_at"] else "unknown")
    assert {"1955-08", "1969-12", "1970-01", "2025-02", "unknown"} <= {index.month_name(month) for month in found["month"].tolist()}


@hypothesis_settings(deadline=None)
@given(st.lists(st.datetimes(datetime(1600, 1, 1), datetime(9999, 12, 31)), max_size=20))  # noqa: DTZ001 -- UTC is set below
def test_a_month_is_that_of_the_calendar(moments: list[datetime]) -> None:
    table = pa.table({"published_at": pa.array(moments, schema.TIMESTAMP), "reason": pa.nulls(len(moments), pa.string())})
    assert [index.month_name(month) for month in index.months(table).tolist()] == [f"{at.year:04d}-{at.month:02d}" for at in moments]


def test_what_is_told_travels_with_the_shard(tmp_path: Path) -> None:
    told = {"rows": 3, "failed": {"too_short": 1}}
    table = fingerprint.fingerprint(pa.Table.from_pylist(ROWS[:3], schema=schema.CHECKED), NEAR, DERIVATIVE)
    assert index.write(table, tmp_path, "one", told) == "one"
    assert index.told(tmp_path, "one") == told


def test_a_shard_is_there_when_both_its_files_are(tmp_path: Path) -> None:
    assert index.worked(tmp_path / "nowhere") == set()
    for name in ("one", "two"):
        work(ROWS[:2], tmp_path, name)
    assert index.worked(tmp_path) == {"one", "two"}
    index.features_file(tmp_path, "two").unlink()
    assert index.worked(tmp_path) == {"one"}


def test_a_shard_is_named_for_what_the_seen_set_has_of_it() -> None:
    assert index.name("s", ["a", "b"]) == index.name("s", ["b", "a"])
    assert len({index.name("s", ["a", "b"]), index.name("s", ["a"]), index.name("s", []), index.name("t", ["a"])}) == 4


# ---- the roster ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [[], ROWS])
def test_records_are_found_by_their_ids(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    found = Roster.read(shards(rows, tmp_path, 5))
    assert found.find(ids(in_keep_order(rows))).tolist() == list(range(len(rows)))
    strange = ["0" * 32, "f" * 32, story("nobody", "")["story_id"]]
    almost = [story_id[:16] + "0" * 16 for story_id in ids(rows)]
    assert set(found.find(strange + almost).tolist()) == {-1}
    assert len(found.find([])) == 0


def test_ranks_of_a_shard_are_those_of_its_rows(tmp_path: Path) -> None:
    found = Roster.read(shards(ROWS, tmp_path, 5))
    for number, name in enumerate(found.shards):
        with files.arrow(index.features_file(tmp_path, name)) as file:
            halves = file.read_all().select(["story", "rest"]).to_pylist()
        assert found.ids(found.ranks(number).astype(np.int64)) == [f"{row['story']:016x}{row['rest']:016x}" for row in halves]


def test_a_roster_of_no_shards_and_of_shards_without_records(tmp_path: Path) -> None:
    assert index.write_roster(tmp_path, [], [], tmp_path / "roster.arrow") == 0
    assert (len(Roster.read(tmp_path / "roster.arrow").table), index.batches(tmp_path / "roster.arrow", 5)) == (0, [])
    work([], tmp_path, "empty")
    work(ROWS[:2], tmp_path, "one")
    assert index.write_roster(tmp_path, ["empty", "one"], ["empty"], tmp_path / "roster.arrow") == 2
    found = Roster.read(tmp_path / "roster.arrow")
    assert [len(found.ranks(shard)) for shard in range(2)] == [0, 2]
    assert index.rows(found, np.arange(2), ["text"])["text"].to_pylist() == [row["text"] for row in in_keep_order(ROWS[:2])]


def test_now_and_then(tmp_path: Path) -> None:
    for name, rows in (("stays", ROWS[:4]), ("went", ROWS[4:6]), ("came", ROWS[6:9])):
        work(rows, tmp_path, name)
    found = Roster.read(roster(["stays", "came"], tmp_path, ["stays", "went"]))
    assert set(found.ids(np.flatnonzero(found.now))) == set(ids(ROWS[:4] + ROWS[6:9]))
    assert set(found.ids(np.flatnonzero(found.then))) == set(ids(ROWS[:6]))
    assert found.ids(np.arange(9)) == ids(in_keep_order(ROWS[:9]))


def test_of_a_reworked_shard_the_new_rows_stand_for_both(tmp_path: Path) -> None:
    """A file of its store shard changed, so that the shard is worked again without that file's records."""
    work(ROWS[:6], tmp_path, "before")
    work(ROWS[:4], tmp_path, "after")
    found = Roster.read(roster(["after"], tmp_path, ["before"]))
    for which, rows in ((found.now, ROWS[:4]), (found.then, ROWS[:6])):
        assert which.sum() == len(rows)
        assert set(found.ids(np.flatnonzero(which))) == set(ids(rows))
    moved = np.flatnonzero(found.now != found.then)
    assert set(found.ids(moved)) == set(ids(ROWS[4:6]))
    again = found.find(ids(ROWS[:6]))
    assert (again >= 0).all()
    assert found.now[again].tolist() == [True] * 4 + [False] * 2
    assert {found.shards[shard] for shard in found["shard"][again[:4]].tolist()} == {"after"}


def test_ids_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    one, other = ROWS[0], ROWS[5] | {"story_id": ROWS[0]["story_id"]}
    alike = ROWS[5] | {"story_id": ROWS[0]["story_id"][:16] + "0" * 16}
    for number, pair in enumerate(([one, other], [one, alike])):
        work(pair, tmp_path, f"together {number}")
        with pytest.raises(ValueError, match="story_id"):
            roster([f"together {number}"], tmp_path)
        for place, row in enumerate(pair):
            work([row], tmp_path, f"{number} {place}")
        with pytest.raises(ValueError, match="story_id"):
            roster([f"{number} 0", f"{number} 1"], tmp_path)
        with pytest.raises(ValueError, match="story_id"):
            roster([f"{number} 0"], tmp_path, [f"{number} 0", f"{number} 1"])


@pytest.mark.parametrize("stories_at_once", [0, 1, 5, 7, 1000])
def test_batches_hold_every_shard_once(tmp_path: Path, stories_at_once: int) -> None:
    found = index.batches(shards(ROWS, tmp_path, 3), stories_at_once)
    assert [number for batch in found for number in batch] == list(range(6))
    assert all(len(batch) == 1 or 3 * (len(batch) - 1) < stories_at_once for batch in found)


# ---- from one run to the next ------------------------------------------------------------------------------------------------


def test_what_a_run_leaves_is_found_by_its_snapshot_alone_and_the_rest_is_tidied(tmp_path: Path) -> None:
    home = tmp_path / "index" / "recipe"
    for name in ("one", "two"):
        work(ROWS[:2], home, name)
    work(ROWS[:2], tmp_path / "index" / "old recipe", "one")
    for snapshot, counts in (("first", {"one": None}), ("second", {"two": {"rows": 2}})):
        (tmp_path / "pairs").write_text(snapshot)
        (tmp_path / "standing").mkdir(exist_ok=True)
        (tmp_path / "standing" / "0.parquet").write_text(snapshot)
        index.keep(home, snapshot, counts, tmp_path / "pairs", tmp_path / "standing")
    assert index.last(home, "third") is None
    index.tidy(home, "second")
    found = index.last(home, "second")
    assert found is not None
    assert (found.counts, found.whole, found.pairs.read_text()) == ({"two": {"rows": 2}}, True, "second")
    assert [path.read_text() for path in found.standing.iterdir()] == ["second"]
    assert index.last(home, "first") is None
    assert index.worked(home) == {"two"}
    assert not (tmp_path / "index" / "old recipe").exists()
    index.stories_file(home, "two").unlink()
    lost = index.last(home, "second")
    assert lost is not None
    assert not lost.whole
