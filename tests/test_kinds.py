"""Kinds of story that break duplicate detectors, invented for this project (CC0), each with what must become of it.

A case is a line of kinds.jsonl: stories; the pairs that are one story (with their relation, "any" where it is arguable), the pairs
that are two, and the stories that must be kept, where it matters. A case that fails has the reason as its `known_failure`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from matching import decide, story

from tasks.boilerplate.lines import count_words

Case = dict[str, Any]
Decisions = dict[str, dict[str, Any]]
CASES: list[Case] = [json.loads(line) for line in (Path(__file__).parent / "data/kinds.jsonl").read_text(encoding="utf-8").splitlines()]


def rows(case: Case) -> list[dict[str, Any]]:
    """The stories of a case as rows; a raw_id names the case too, so that all of them can stand in one run."""
    columns = ("source", "title", "published_at", "language")
    return [
        story(f"{case['case']}/{one['id']}", one["text"], word_count=count_words(one["text"]), **{name: one.get(name) for name in columns})
        for one in case["stories"]
    ]


def faults(case: Case, decisions: Decisions) -> list[str]:
    """What a run made of a case otherwise than it should."""
    mine = {one["id"]: decisions[f"{case['case']}/{one['id']}"] for one in case["stories"]}
    out = []
    for one, other, relation in case["one_story"]:
        a, b = mine[one], mine[other]
        if a["cluster_id"] != b["cluster_id"]:
            out.append(f"{one} and {other} are two, not one ({relation})")
            continue
        found = next((row["relation"] for row, kept in ((a, b), (b, a)) if row["duplicate_of"] == kept["raw_id"]), None)
        if relation not in ("any", found):
            out.append(f"{one} and {other} are {found}, not {relation}")
    for one, other in case["two_stories"]:
        if mine[one]["cluster_id"] == mine[other]["cluster_id"]:
            shown = [row for row in (mine[one], mine[other]) if row["relation"]]
            scores = [f"{row['raw_id']} {row['relation']} of {row['duplicate_of']} ({row['probability']:.2f})" for row in shown]
            out.append(f"{one} and {other} are one, not two: {', '.join(scores)}")
    return out + [f"{one} is not kept" for one in case["kept"] if mine[one]["outcome"] != "kept"]


def parameter(case: Case) -> Any:
    reason = case["known_failure"]
    marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"known failure: {reason}")] if reason else []
    return pytest.param(case, id=case["case"], marks=marks)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Decisions:
    """All cases in one run."""
    return decide([row for case in CASES for row in rows(case)], tmp_path_factory.mktemp("kinds"))


def test_cases_are_well_formed() -> None:
    names = [case["case"] for case in CASES]
    assert len(set(names)) == len(names)
    for case in CASES:
        ids = [one["id"] for one in case["stories"]]
        assert 2 <= len(set(ids)) == len(ids) <= 5, case["case"]
        named = {name for pair in (*case["one_story"], *case["two_stories"]) for name in pair[:2]}
        assert named == set(ids), f"{case['case']}: every story must be in a pair"
        assert set(case["kept"]) <= set(ids), case["case"]
        assert {pair[2] for pair in case["one_story"]} <= {"exact", "near", "derivative", "any"}, case["case"]


@pytest.mark.parametrize("case", [parameter(case) for case in CASES])
def test_a_kind_of_story(case: Case, tmp_path: Path) -> None:
    assert faults(case, decide(rows(case), tmp_path)) == []


def test_no_case_merges_with_another(together: Decisions) -> None:
    for name, row in together.items():
        assert row["cluster_id"].split("/")[0] == name.split("/")[0], name


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["case"]))
def test_company_changes_no_decision(case: Case, together: Decisions, tmp_path: Path) -> None:
    """A story is judged on its pairs alone, so what else is in the run can change nothing."""
    assert {name: together[name] for name in (row["raw_id"] for row in rows(case))} == decide(rows(case), tmp_path)
