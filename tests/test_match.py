"""Matching: candidates and the judging of them; and that nothing depends on shards, partitions or order."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matching import DERIVATIVE, NEAR, POLICY, decide, families, named, propose, ranked, roster, shards, story, work

from tasks import files, index, match, settings

SAME = ("light", "heavy", "mixed", "syndicated")
ROWS = families()
BY_ID = {row["raw_id"]: row for row in ROWS}
SOURCE = BY_ID["dC00-source"]


def test_candidates_find_every_rewrite_of_the_families(tmp_path: Path) -> None:
    found = shards(ROWS, tmp_path)
    pairs = named(found, propose(found, tmp_path))
    for row in ROWS:
        family, role = row["raw_id"].split("-")
        if role in SAME:
            assert {row["story_id"], BY_ID[f"{family}-source"]["story_id"]} in pairs, row["raw_id"]


def test_pairs_are_distinct_and_ordered(tmp_path: Path) -> None:
    (found,) = propose(shards(ROWS, tmp_path), tmp_path)
    rows = ranked([found])
    assert rows == sorted(set(rows))
    assert all(a < b for a, b in rows)
    assert found.pairs == len(rows)


@pytest.mark.parametrize(("partitions", "size"), [(1, 50), (5, 1000), (16, 37)])
def test_proposals_depend_on_the_set_alone(tmp_path: Path, partitions: int, size: int) -> None:
    shuffled = random.Random(partitions).sample(ROWS, len(ROWS))  # noqa: S311 -- no secret
    one_roster, other_roster = shards(ROWS, tmp_path / "one"), shards(shuffled, tmp_path / "other", size)
    one = propose(one_roster, tmp_path / "one", hot_key=3)
    other = propose(other_roster, tmp_path / "other", partitions, hot_key=3)
    assert named(one_roster, one) == named(other_roster, other)
    assert set(ranked(one)) == set(ranked(other))
    for count in ("keys", "hot_keys", "left_out"):
        assert sum(getattr(part, count) for part in one) == sum(getattr(part, count) for part in other)


def test_far_stories_need_more_in_common(tmp_path: Path) -> None:
    """The heavy rewrites keep their distance: closer in time fewer samples need to collide; no date is close to any."""

    def found(name: str, moved: Callable[[str], str | None]) -> set[frozenset[str]]:
        rows = [row for row in ROWS if row["raw_id"].split("-")[1] in ("source", "heavy", "sametopic")]
        dates = {"source": None, "heavy": None, "sametopic": None} | {role: moved(role) for role in ("source", "heavy", "sametopic")}
        rows = [story(row["raw_id"], row["text"], published_at=dates[row["raw_id"].split("-")[1]]) for row in rows]
        names = {row["story_id"]: row["raw_id"] for row in rows}
        roster = shards(rows, tmp_path / name)
        return {frozenset(names[one] for one in pair) for pair in named(roster, propose(roster, tmp_path / name))}

    undated = found("undated", lambda _: None)
    close = found("close", lambda role: {"source": "2025-05-01", "heavy": "2025-05-08", "sametopic": "2025-05-04"}[role])
    far = found("far", lambda role: {"source": "2025-05-01", "heavy": "2025-05-09", "sametopic": "2025-06-08"}[role])
    assert undated == close
    assert far < close
    rewrites = {frozenset((f"{family}-source", f"{family}-heavy")) for family in {row["raw_id"].split("-")[0] for row in ROWS}}
    assert rewrites <= close
    assert len(rewrites & far) >= 0.9 * len(rewrites)


def test_a_hot_key_proposes_only_the_first_in_keep_order(tmp_path: Path) -> None:
    days = ["2025-05-03", "2025-05-01", None, "2025-05-02T10:00:00", "2025-05-02"]
    rows = [story(f"copy {i}", SOURCE["text"], published_at=day) for i, day in enumerate(days)]
    roster = shards(rows, tmp_path)
    (found,) = propose(roster, tmp_path, hot_key=2)
    assert found.hot_keys == found.keys + DERIVATIVE.samples  # the longer keys of stories far apart are hot as well
    assert found.left_out == found.keys * 3 + DERIVATIVE.samples * 1  # of which the undated one has none
    number = {row["story_id"]: i for i, row in enumerate(rows)}
    pairs = {frozenset(number[one] for one in pair) for pair in named(roster, [found])}
    first = {1, 3}  # the bare second of May is over later than its tenth hour
    assert pairs == {frozenset(pair) for pair in combinations(range(5), 2) if first & set(pair)}


def test_faulty_rows_are_never_proposed(tmp_path: Path) -> None:
    rows = [story("a", SOURCE["text"]), story("b", SOURCE["text"], stage="check", reason="too_short"), story("c", "…"), story("d", "…")]
    (found,) = propose(shards(rows, tmp_path), tmp_path)
    assert found.pairs == 0


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    roster = shards([SOURCE], tmp_path)
    with pytest.raises(ValueError, match="exceed"):
        match.check(settings.Near(bands=64, rows=4), DERIVATIVE)
    with pytest.raises(ValueError, match="must not be less"):
        match.check(NEAR, settings.Derivative(rows=4, far_rows=3))
    match.check(NEAR, DERIVATIVE)
    with pytest.raises(ValueError, match="fingerprint the shards again"):
        match.keys(roster, [0], tmp_path / "keys", 1, NEAR, settings.Derivative(samples=64))


def test_outlines_leave_out_next_to_none_of_what_sift_keeps(tmp_path: Path) -> None:
    """Nor does it matter whether they are read from the file of all stories, by propose, or made for those concerned, by judge."""
    found = shards(ROWS, tmp_path, 24)
    made = propose(found, tmp_path / "made", 3)
    read = index.Roster.read(found)
    keys = [tmp_path / "made" / f"keys-{n}.arrow" for n in range(len(read.shards))]
    outlines = match.outlines(found, tmp_path / "outlines.arrow", NEAR, DERIVATIVE)
    outlined = match.propose(keys, found, range(3), tmp_path, NEAR, DERIVATIVE, POLICY.hot_key, outlines)
    assert set(ranked(outlined)) < set(ranked(made))
    one, other = (match.judge(proposed, found, tmp_path / "judged", NEAR, DERIVATIVE) for proposed in (made, outlined))
    assert (one.proposed, one.judged, one.positive) == (other.proposed, other.judged, other.positive)
    every = np.array(list(combinations(range(len(read.table)), 2)))
    kept = match.sift(every[:, 0], every[:, 1], read, NEAR, DERIVATIVE)
    packed = every[:, 0].astype(np.uint64) << np.uint64(32) | every[:, 1].astype(np.uint64)
    since = np.zeros(len(read.table), np.uint32)  # none has a date
    resembling = match._resembling(packed, read, since, outlines, NEAR, DERIVATIVE)
    assert (kept & ~resembling).sum() <= 0.01 * kept.sum()
    assert (resembling & ~kept).sum() <= 0.1 * len(every)


def test_judged_parts_are_the_whole(tmp_path: Path) -> None:
    roster = shards(families("dC00", "dC01", "dC02"), tmp_path, 7)
    proposed = propose(roster, tmp_path, 3)
    whole = match.judge(proposed, roster, tmp_path / "whole", NEAR, DERIVATIVE)
    parts = [match.judge(proposed, roster, tmp_path / "parts", NEAR, DERIVATIVE, part, 4) for part in range(4)]
    together = pa.concat_tables([pq.read_table(part.judged_file) for part in parts])
    assert together.sort_by([("a", "ascending"), ("b", "ascending")]).equals(pq.read_table(whole.judged_file))
    assert sum(part.proposed for part in parts) == whole.proposed
    assert sum(part.positive for part in parts) == whole.positive
    assert whole.positive >= 12


# ---- runs that add to a snapshot ---------------------------------------------------------------------------------------------

TEXT = SOURCE["text"]
HALF = "\n\n".join(TEXT.split("\n\n")[: len(TEXT.split("\n\n")) // 2])
COPIES = [story(f"copy {n}", TEXT, source=f"outlet{n}.example", published_at=f"2025-05-0{n + 1}") for n in range(4)]
BEFORE = story("before them all", TEXT, source="first.example", published_at="2025-04-29")
CUT = story("cut, before them all", HALF, source="first.example", published_at="2025-04-29")
UNDATED = [story(f"copy {n}", TEXT, source=f"outlet{n}.example", story_id=f"{n + 1:016x}" * 2) for n in range(4)]
"""Stories with a date have longer keys too, which a cut seldom shares."""


def changed(folder: Path) -> tuple[Path, Path]:
    """A roster of four shards of which one went and one came, and the keys of their stories."""
    for number in range(4):
        work(ROWS[number * 24 : number * 24 + 24], folder, f"s{number}")
    found = roster(["s1", "s2", "s3"], folder, ["s0", "s1", "s2"])
    match.touched(found, folder / "touched.arrow", NEAR, DERIVATIVE)
    return found, folder / "touched.arrow"


def entries(path: Path) -> set[tuple[int, ...]]:
    with files.arrow(path) as file:
        return set(zip(*(column.to_pylist() for column in file.read_all().columns), strict=True))


def test_touched_keys_are_those_of_the_stories_that_came_or_went(tmp_path: Path) -> None:
    found, touched = changed(tmp_path)
    every = entries(match.keys(found, range(4), tmp_path / "every", 3, NEAR, DERIVATIVE))
    told = index.Roster.read(found)
    moved = set(np.flatnonzero(told.now != told.then).tolist())
    assert len(moved) == 48
    keys = {key for (key,) in entries(touched)}
    assert keys == {key for key, rank, _ in every if rank in moved}
    some = entries(match.keys(found, range(4), tmp_path / "some", 3, NEAR, DERIVATIVE, touched))
    assert some <= every  # the bitmap lets a few others through, propose does not
    assert {entry for entry in some if entry[0] in keys} == {entry for entry in every if entry[0] in keys}
    assert len(some) < len(every)


def test_what_is_proposed_now_and_then_is_what_either_seen_set_alone_proposes(tmp_path: Path) -> None:
    found, touched = changed(tmp_path)
    both = propose(found, tmp_path / "both", 2, hot_key=2)
    whole = {when: named(found, both, when) for when in ("now", "then")}
    for when, names in (("now", ["s1", "s2", "s3"]), ("then", ["s0", "s1", "s2"])):
        alone = roster(names, tmp_path)
        assert whole[when] == named(alone, propose(alone, tmp_path / when, hot_key=2))
    found, touched = changed(tmp_path)
    some = propose(found, tmp_path / "some", 2, hot_key=2, only=touched)
    now, then = (named(found, some, when) for when in ("now", "then"))
    assert now <= whole["now"]
    assert then <= whole["then"]
    assert whole["now"] - whole["then"] <= now - then  # nothing new is missed
    assert whole["then"] - whole["now"] <= then - now  # nor what is gone


def again(first: list[dict[str, Any]], more: list[dict[str, Any]], folder: Path) -> tuple[int, set[frozenset[str]], set[frozenset[str]]]:
    """Match the first stories, then with the others: how many keys are in doubt; pairs let go before these are asked, and after."""
    work(first, folder, "first")
    alone = roster(["first"], folder)
    judged = match.judge(propose(alone, folder / "1", hot_key=2), alone, folder / "1", NEAR, DERIVATIVE)
    work(more, folder, "more")
    found, touched, let_go, doubtful = (
        roster(["first", "more"], folder, ["first"]),
        *(folder / name for name in ("touched", "gone", "doubt")),
    )
    match.touched(found, touched, NEAR, DERIVATIVE)
    proposed = propose(found, folder / "2", hot_key=2, only=touched)
    now = match.judge(proposed, found, folder / "2", NEAR, DERIVATIVE)
    keys = match.doubtful([now], judged.judged_file, found, touched, doubtful, let_go, NEAR, DERIVATIVE)

    def gone() -> set[frozenset[str]]:
        raw_id = {row["story_id"]: row["raw_id"] for row in first + more}
        ids = index.Roster.read(found).ids
        with files.arrow(let_go) as file:
            lower, upper = match.unpacked(file.read_all()["pair"].to_numpy())
        return {frozenset(raw_id[one] for one in ids(np.array(pair))) for pair in zip(lower.tolist(), upper.tolist(), strict=True)}

    before = gone()
    match.keep(let_go, propose(found, folder / "3", hot_key=2, only=doubtful) if keys else [])
    return keys, before, gone()


def test_pairs_that_a_copy_pushes_out_of_every_key_are_let_go(tmp_path: Path) -> None:
    keys, before, after = again(COPIES, [BEFORE], tmp_path)
    pushed = {frozenset(("copy 1", f"copy {n}")) for n in (2, 3)}
    assert (keys, before, after) == (0, pushed, pushed)


def test_pairs_that_a_copy_pushes_out_of_some_keys_stay_where_others_propose_them(tmp_path: Path) -> None:
    keys, before, after = again(UNDATED, [CUT], tmp_path)
    assert keys > 0
    assert before == {frozenset(("copy 1", f"copy {n}")) for n in (2, 3)}
    assert after == set()


# ---- the benchmarks -------------------------------------------------------------------------------------------------------


@pytest.mark.benchmark
def test_background_has_few_duplicates_and_families_stay_apart(tmp_path: Path, benchmarks: Path) -> None:
    background = pq.read_table(benchmarks / "data/background/stories.parquet").slice(0, 1500).to_pylist()
    rows = [story(row["id"], row["text"], source=row["source"], title=row["title"]) for row in background] + ROWS
    decisions = decide(rows, tmp_path)
    assert sum(decisions[row["id"]]["outcome"] != "kept" for row in background) <= 15
    for row in ROWS:
        family, role = row["raw_id"].split("-")
        assert decisions[row["raw_id"]]["cluster_id"] == (f"{family}-source" if role in (*SAME, "source") else row["raw_id"])
