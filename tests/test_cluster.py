"""Clusters and keepers: the policy on made-up verdicts, and whole runs that must not depend on order or shards."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from matching import POLICY, decide, families, story

from tasks import cluster, settings
from tasks.cluster import Member
from tasks.verdict import Judgement
from tasks.verdict.stories import UNKNOWN

HOUR = 3_600_000_000
ROWS = families("dC00", "dC01", "dD01")
SAME = ("light", "heavy", "mixed", "syndicated")


def verdict(one: str, other: str, relation: str | None, source: str | None = None) -> Judgement:
    a, b = sorted((one, other))
    return Judgement(a, b, relation, 0.9, 0.5, 0.6, 0.7, 0.4, 0.5, 0.6, 0.5 if source is None else 0.9 if source == a else 0.1)


def member(name: str, source: str = "", published: int = UNKNOWN, words: int = 500) -> Member:
    return Member(name, source, published, words, name.encode())


def nothing_else(pairs: list[cluster.Pair]) -> list[Judgement]:
    """All pairs that were not judged before are two stories."""
    return [verdict(a, b, None) for a, b in pairs]


def kept(
    members: Iterable[Member], judged: list[Judgement], judge: Callable[[list[cluster.Pair]], list[Judgement]] = nothing_else
) -> dict[str, str]:
    """What stands for each story."""
    everyone = {one.story_id: one for one in members}
    standing = cluster.anchored(everyone, judged, judge, POLICY.complete)
    return {name: standing[name].kept if name in standing else name for name in everyone}


def reasons(members: list[Member], judged: list[Judgement]) -> dict[str, str]:
    return {
        name: found.reason
        for name, found in cluster.anchored({m.story_id: m for m in members}, judged, nothing_else, POLICY.complete).items()
    }


# ---- which is kept ---------------------------------------------------------------------------------------------------------


def test_a_rewrite_never_wins_over_its_source_even_when_it_claims_to_be_older() -> None:
    pair = [member("rewrite", published=1 * HOUR, words=900), member("source", published=9 * HOUR, words=300)]
    judged = [verdict("rewrite", "source", "derivative", source="source")]
    assert kept(pair, judged)["rewrite"] == "source"
    assert reasons(pair, judged) == {"rewrite": "source_of_derivative"}


def test_a_copy_of_a_rewrite_does_not_win_either() -> None:
    three = [member("copy", published=1 * HOUR), member("rewrite", published=2 * HOUR), member("source", published=9 * HOUR)]
    judged = [verdict("rewrite", "source", "derivative", source="source"), verdict("copy", "rewrite", "near")]
    # a chain does not merge; a rewrite whose copy is another story than the source stays with its copy, which is surer
    assert kept(three, judged) == {"copy": "copy", "rewrite": "copy", "source": "source"}
    assert set(kept(three, [*judged, verdict("copy", "source", "derivative", source="source")]).values()) == {"source"}


def test_a_copy_of_the_source_is_not_taken_by_another_story_it_resembles() -> None:
    three = [member("sametopic", published=1 * HOUR), member("source", published=2 * HOUR), member("syndicated", published=3 * HOUR)]
    judged = [verdict("syndicated", "source", "near"), verdict("sametopic", "syndicated", "derivative", source="sametopic")]
    assert kept(three, judged) == {"sametopic": "sametopic", "source": "source", "syndicated": "source"}


def test_one_story_of_each_source_can_be_kept() -> None:
    members = [member("a1", "A", 1 * HOUR), member("a2", "A", 2 * HOUR), member("b1", "B", 3 * HOUR), member("b2", "B", 4 * HOUR)]
    members += [member("none", "", 5 * HOUR)]
    names = [one.story_id for one in members]
    judged = [verdict(a, b, "near") for i, a in enumerate(names) for b in names[i + 1 :]]
    known = {one.story_id: one for one in members}
    standing = cluster.anchored(known, judged, nothing_else, 0.9)
    assert {name: found.kept for name, found in standing.items()} == {"a1": "a2", "b1": "a2", "b2": "a2", "none": "a2"}
    left, beside = cluster.per_source(known, standing, lambda pairs: [verdict(a, b, "near") for a, b in pairs], 0.9)
    assert {name: (found.kept, found.reason) for name, found in left.items()} == {
        "a1": ("a2", "latest_version"),
        "b1": ("b2", "latest_version"),
        "none": ("a2", "earlier"),
    }
    assert beside == {"b2": "a2"}
    left, beside = cluster.per_source(known, standing, nothing_else, 0.9)  # two of one source that are no versions of each other
    assert (left["b2"].kept, beside) == ("a2", {"b1": "a2"})


def test_stories_kept_beside_another_one_name_it(tmp_path: Path) -> None:
    rows = families("dC00")
    found = decide(rows, tmp_path / "many", policy=settings.Cluster(keep="one-per-source"))
    for role in SAME:
        assert (found[f"dC00-{role}"]["outcome"], found[f"dC00-{role}"]["same_story"]) == ("kept", "dC00-source")
        assert found[f"dC00-{role}"]["cluster_id"] == f"dC00-{role}"
    assert {found[row["raw_id"]]["same_story"] for row in rows} == {"dC00-source", None}
    assert all(row["same_story"] is None for row in decide(rows, tmp_path / "one").values())


def test_among_sources_the_earliest_wins() -> None:
    pair = [member("late", "A", 9 * HOUR), member("soon", "B", 2 * HOUR)]
    assert kept(pair, [verdict("late", "soon", "near")])["late"] == "soon"
    assert reasons(pair, [verdict("late", "soon", "near")]) == {"late": "earlier"}


def test_unknown_dates_come_last() -> None:
    assert kept([member("dated", "A", 9 * HOUR), member("undated", "B")], [verdict("dated", "undated", "near")])["undated"] == "dated"


def test_of_one_source_the_latest_version_stands() -> None:
    pair = [member("draft", "A", 1 * HOUR), member("final", "A", 5 * HOUR)]
    assert kept(pair, [verdict("draft", "final", "near")])["draft"] == "final"
    assert reasons(pair, [verdict("draft", "final", "near")]) == {"draft": "latest_version"}


def test_a_source_is_as_early_as_its_first_version() -> None:
    three = [member("draft", "A", 1 * HOUR), member("final", "A", 5 * HOUR), member("reprint", "B", 3 * HOUR)]
    judged = [verdict(a, b, "near") for a, b in combinations(("draft", "final", "reprint"), 2)]
    assert set(kept(three, judged).values()) == {"final"}
    assert reasons(three, judged) == {"draft": "latest_version", "reprint": "earlier"}


def test_an_incomplete_version_does_not_stand() -> None:
    pair = [member("cut", "A", 5 * HOUR, words=400), member("whole", "A", 1 * HOUR, words=500)]
    assert kept(pair, [verdict("cut", "whole", "near")])["cut"] == "whole"
    assert reasons(pair, [verdict("cut", "whole", "near")]) == {"cut": "more_complete"}
    nearly = [member("cut", "A", 5 * HOUR, words=450), member("whole", "A", 1 * HOUR, words=500)]
    assert kept(nearly, [verdict("cut", "whole", "near")])["whole"] == "cut"


def test_ties_go_by_hash_of_the_text() -> None:
    assert kept([member("b"), member("a")], [verdict("a", "b", "exact")]) == {"a": "a", "b": "a"}
    assert reasons([member("b"), member("a")], [verdict("a", "b", "exact")]) == {"b": "tie"}


# ---- anchored clusters --------------------------------------------------------------------------------------------------------


def test_a_chain_of_resemblances_never_merges() -> None:
    chain = [member(name, name, i * HOUR) for i, name in enumerate("abcdef")]
    judged = [verdict(one, other, "near") for one, other in zip("abcde", "bcdef", strict=True)]
    assert kept(chain, judged) == {"a": "a", "b": "a", "c": "c", "d": "c", "e": "e", "f": "e"}


def test_a_component_without_end_is_cut_and_a_story_with_many_copies_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that nobody judged are asked for in pieces only: else a chain made by somebody would have each story compared with all."""
    names = [f"s{i:02d}" for i in range(40)]
    many = [member(name, name, i * HOUR) for i, name in enumerate(names)]
    asked: list[cluster.Pair] = []

    def judge(pairs: list[cluster.Pair]) -> list[Judgement]:
        asked.extend(pairs)
        return [verdict(a, b, None) for a, b in pairs]

    chain = [verdict(one, other, "near") for one, other in pairwise(names)]
    star = [verdict(names[0], other, "near") for other in names[1:]]
    whole = kept(many, chain, judge)
    uncut, asked[:] = len(asked), []
    monkeypatch.setattr(cluster, "LONGEST_CHAIN", 10)
    assert kept(many, chain, judge) == whole
    assert len(asked) < uncut / 10
    assert set(kept(many, star).values()) == {names[0]}


def test_stories_of_each_component_are_counted() -> None:
    component, sizes = cluster._components(np.array([[7, 3], [1, 2], [3, 9]]))
    assert sorted(sizes[sizes > 1]) == [2, 3]
    assert sizes[component].tolist() == [3, 2, 3]


def test_pairs_that_were_not_proposed_are_judged_too() -> None:
    asked: list[cluster.Pair] = []

    def judge(pairs: list[cluster.Pair]) -> list[Judgement]:
        asked.extend(pairs)
        return [verdict(a, b, "near") for a, b in pairs]

    chain = [member(name, name, i * HOUR) for i, name in enumerate("abc")]
    assert set(kept(chain, [verdict("a", "b", "near"), verdict("b", "c", "near")], judge).values()) == {"a"}
    assert asked == [("a", "c")]


def test_a_late_verdict_can_show_another_anchor() -> None:
    def judge(pairs: list[cluster.Pair]) -> list[Judgement]:
        return [verdict(a, b, "derivative", source="c") for a, b in pairs]

    chain = [member(name, name, i * HOUR) for i, name in enumerate("abc")]
    assert set(kept(chain, [verdict("a", "b", "near"), verdict("b", "c", "near")], judge).values()) <= {"c", "b", "a"}
    found = kept(chain, [verdict("a", "b", "near"), verdict("b", "c", "near")], judge)
    assert found["a"] == "c"  # not the source, though the earliest


def test_verdicts_that_contradict_each_other_still_end() -> None:
    ring = [
        verdict("a", "b", "derivative", source="a"),
        verdict("b", "c", "derivative", source="b"),
        verdict("a", "c", "derivative", source="c"),
    ]
    assert set(kept([member(name) for name in "abc"], ring).values()) == {"a"}


relations = st.sampled_from(["exact", "near", "derivative", None, "not judged"])


@hypothesis_settings(deadline=None)  # the first example imports scipy
@given(st.integers(2, 7).flatmap(lambda n: st.tuples(st.just(n), st.lists(relations, min_size=21, max_size=21), st.randoms())))
def test_clusters_do_not_depend_on_order_and_every_member_is_judged_with_its_anchor(
    case: tuple[int, list[str | None], random.Random],
) -> None:
    count, drawn, chance = case
    members = [
        member(f"s{i}", f"o{chance.randrange(3)}", chance.choice([UNKNOWN, HOUR, 2 * HOUR]), chance.choice([300, 500]))
        for i in range(count)
    ]
    table = {
        pair: verdict(*pair, None if relation == "not judged" else relation, source=chance.choice(pair))
        for pair, relation in zip(combinations([m.story_id for m in members], 2), drawn, strict=False)
    }
    first = [table[pair] for pair, relation in zip(table, drawn, strict=False) if relation != "not judged"]

    def judge(pairs: list[cluster.Pair]) -> list[Judgement]:
        return [table[pair] for pair in pairs]

    one = kept(members, first, judge)
    assert one == kept(members[::-1], first[::-1], judge)
    for name, anchor in one.items():
        assert one[anchor] == anchor
        if name != anchor:
            a, b = sorted((name, anchor))
            assert table[a, b].relation is not None


# ---- decisions -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "partitions", "parts", "seed"), [(5, 1, 1, 1), (100, 4, 3, 2), (1, 2, 2, 3)])
def test_decisions_do_not_depend_on_shards_partitions_or_order(tmp_path: Path, size: int, partitions: int, parts: int, seed: int) -> None:
    rows = [*ROWS, story("bad", "x", stage="check", reason="too_short", detail="1 word")]
    shuffled = random.Random(seed).sample(rows, len(rows))  # noqa: S311 -- no secret
    one = decide(rows, tmp_path / "one")
    assert decide(shuffled, tmp_path / "other", size, partitions, parts) == one
    written = [
        {path.relative_to(home) for path in home.rglob("*.parquet")} for home in (tmp_path / "one/snapshot", tmp_path / "other/snapshot")
    ]
    assert written[0] == written[1]  # the names end in the hash of the content
    assert len(written[0]) >= 4


def test_every_record_has_one_decision_and_the_columns_keep_their_rules(tmp_path: Path) -> None:
    rows = [*ROWS, story("bad", ROWS[0]["text"], stage="check", reason="too_short"), story("again", ROWS[0]["text"], source="X")]
    decisions = decide(rows, tmp_path)
    assert set(decisions) == {row["raw_id"] for row in rows}
    scores = ("relation", "duplicate_of", "probability", "jaccard", "containment", "weighted_jaccard", "coverage", "evidence")
    for name, row in decisions.items():
        assert row["recipe"] == "0123456789abcdef"
        if row["outcome"] == "duplicate":
            assert decisions[row["duplicate_of"]]["outcome"] == "kept"
            assert row["cluster_id"] == row["duplicate_of"]
            assert row["stage"] == "cluster"
            assert row["reason"] in {"source_of_derivative", "more_complete", "latest_version", "earlier", "tie"}
            assert all(row[score] is not None for score in scores)
            assert all(0 <= row[score] <= 1 for score in scores[2:7])
        else:
            assert all(row[score] is None for score in scores)
            assert (row["stage"], row["reason"], row["cluster_id"]) == (
                ("check", "too_short", None) if name == "bad" else (None, None, name)
            )
    assert decisions["again"]["relation"] == "exact"
    assert decisions["again"]["duplicate_of"] == "dC00-source"


def test_families_are_clustered_around_their_source(tmp_path: Path) -> None:
    decisions = decide(ROWS, tmp_path)
    for row in ROWS:
        family, role = row["raw_id"].split("-")
        assert decisions[row["raw_id"]]["cluster_id"] == (f"{family}-source" if role in (*SAME, "source") else row["raw_id"])


def test_evidence_and_shares_are_seen_from_the_row(tmp_path: Path) -> None:
    whole = ROWS[0]["text"]
    cut = "\n\n".join(whole.split("\n\n")[:5])
    rows = [story("whole", whole, published_at="2025-05-01"), story("cut", "In short: " + cut, published_at="2025-05-02")]
    for names in (("whole", "cut"), ("cut", "whole")):  # whichever story_id is the smaller
        renamed = [row | {"story_id": f"{names.index(row['raw_id']):032x}".replace("0", "a", 1)} for row in rows]
        renamed = [row | {"story_id": f"{names.index(row['raw_id']) + 1:016x}{'0' * 16}"} for row in renamed]
        row = decide(renamed, tmp_path / names[0])["cut"]
        assert row["duplicate_of"] == "whole"
        assert row["reason"] == "more_complete"
        assert row["containment"] > 0.9
        assert row["jaccard"] < 0.6
        for passage in row["evidence"]:
            assert passage["text"] in rows[1]["text"]
            assert passage["other_text"] in rows[0]["text"]


def test_a_bare_date_is_over_at_the_end_of_its_day(tmp_path: Path) -> None:
    text = ROWS[0]["text"]
    rows = [story("day", text, source="A", published_at="2025-05-01"), story("hour", text, source="B", published_at="2025-05-01T23:00:00")]
    assert decide(rows, tmp_path)["day"]["duplicate_of"] == "hour"


def test_nothing_at_all_is_no_special_case(tmp_path: Path) -> None:
    assert decide([], tmp_path) == {}


def test_ids_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    rows = [story("a", "one text"), story("b", "another") | {"story_id": story("a", "")["story_id"]}]
    with pytest.raises(ValueError, match="story_id"):
        decide(rows, tmp_path)


@pytest.mark.benchmark
def test_the_seeds(tmp_path: Path, benchmarks: Path) -> None:
    stretches = {  # first and last words of what is body in each file, roughly as boilerplate removal leaves it
        "000": ("NATO Secretary General Mark Rutte said on Thursday", "if spending does not increase."),
        "001": ("For decades, the U.S. has played", "Everybody understands that."),
        "002": ("Mark Rutte, the NATO Secretary General and former", "changing global security dynamics."),
        "003": ("NATO Secretary General Mark Rutte will have to", "need to spend up to 5% on defence."),
        "004": ("The United States has announced an initiative", "an assertive China."),
    }
    rows = []
    for name, (first, last) in stretches.items():
        raw = next((benchmarks / "seeds").glob(f"{name}*")).read_text(encoding="utf-8")
        begin = raw.index(first)
        body = raw[begin : raw.index(last, begin) + len(last)]
        lines = "\n\n".join(line.strip() for line in body.splitlines() if line.strip())
        lifted: dict[str, Any] = {"byline": "Shona Murray", "source": "Euronews"} if name == "003" else {}
        rows.append(story(name, lines, **lifted))
    decisions = decide(rows, tmp_path)
    assert decisions["002"]["relation"] == "derivative"
    assert decisions["002"]["duplicate_of"] == "003"
    assert decisions["002"]["probability"] > 0.55
    assert {name for name, row in decisions.items() if row["outcome"] == "kept"} == {"000", "001", "003", "004"}
