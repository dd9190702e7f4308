"""Strip: what goes, what stays, and that nothing is lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import boilerplate, furniture, schema
from tasks.boilerplate.lines import count_all_words, count_words, find_body
from tasks.furniture import Recurring
from tasks.settings import Strip

CASES = Path(__file__).parent / "cases" / "boilerplate"
PARAGRAPHS = (
    "Dock workers in the port voted on Monday to continue their strike.\nThe company said it was ready to talk, but only about the rota."
)


def knobs(**values: Any) -> Strip:
    return Strip.model_validate(values)


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["label"]) for case in json.loads((CASES / name).read_text(encoding="utf-8"))]


def check(case: dict[str, Any]) -> None:
    text = "\n".join(case["lines"])
    story = boilerplate.strip_text(text, title=case.get("title"))
    assert [[entry["line"], entry["rule"]] for entry in story.removed] == case.get("removed", [])
    for name, expected in case.get("fields", {}).items():
        found = getattr(story.fields, name)
        assert (found.isoformat() if isinstance(found, datetime) else found) == expected, name
    assert boilerplate.rebuild(story.text, story.removed) == text


@pytest.mark.parametrize("case", cases("strips.json"))
def test_strips(case: dict[str, Any]) -> None:
    check(case)


@pytest.mark.parametrize("case", cases("keeps.json"))
def test_keeps(case: dict[str, Any]) -> None:
    check(case)


@pytest.mark.parametrize("case", cases("known_failures.json"))
@pytest.mark.xfail(strict=True, raises=AssertionError, reason="known failure; when it passes, move the case to strips.json")
def test_known_failures(case: dict[str, Any]) -> None:
    check(case)


# ---- nothing is lost -------------------------------------------------------------------------------------------------

LINES = st.one_of(
    st.text(),
    st.sampled_from(["", " ", "Share", "Comments", "Related Stories", "By Ana Example", "Reuters", "A Headline of Five Words"]),
    st.sampled_from(["\u2028", "\x85", "\r", "\x0c", "Two\u2028in one", "4 March 2024"]),
    st.sampled_from(PARAGRAPHS.split("\n")),
)


@given(st.lists(LINES).map("\n".join), st.none() | st.text(), st.booleans())
@settings(deadline=None)  # the first call compiles
def test_rebuild_gives_the_text_again(text: str, title: str | None, lift: bool) -> None:
    story = boilerplate.strip_text(text, knobs(lift=lift), title=title)
    assert boilerplate.rebuild(story.text, story.removed) == text
    assert [entry["line"] for entry in story.removed] == sorted({entry["line"] for entry in story.removed})


def test_lifting_can_be_switched_off() -> None:
    text = f"Harbour strike enters its second week\nBy Ana Example\n{PARAGRAPHS}\nShare"
    story = boilerplate.strip_text(text, knobs(lift=False))
    assert [entry["rule"] for entry in story.removed] == ["share"]


# ---- the stage -------------------------------------------------------------------------------------------------------


def repaired(*rows: dict[str, Any]) -> pa.Table:
    blank = {"story_id": "0" * 32, "raw_id": "a", "raw_uri": "a.txt", "raw_state": "present", "place": "file", "kind": "record"}
    full = [dict.fromkeys(schema.REPAIRED.names) | blank | {"repairs": []} | row for row in rows]
    return schema.conform(pa.Table.from_pylist(full, schema.REPAIRED), schema.REPAIRED)


def test_stage_keeps_rows_and_order_and_conforms() -> None:
    table = repaired({"raw_id": "a", "text": f"Share\n{PARAGRAPHS}"}, {"raw_id": "b", "text": PARAGRAPHS, "title": "T"})
    out = boilerplate.strip(table, knobs())
    assert out.schema.equals(schema.STRIPPED, check_metadata=True)
    assert out["raw_id"].to_pylist() == ["a", "b"]
    assert out["text"].to_pylist() == [PARAGRAPHS.replace("\n", "\n\n")] * 2
    assert out["word_count"].to_pylist() == [25, 25]
    assert boilerplate.strip(repaired(), knobs()).num_rows == 0


def test_record_fields_are_never_replaced() -> None:
    when = datetime(2020, 1, 1, tzinfo=UTC)
    lines = f"Harbour strike enters its second week\nBy Ana Example\n4 March 2024\n{PARAGRAPHS}"
    given = {"text": lines, "title": "Own", "byline": "Own", "agency": "Own", "published_at": when, "published_precision": "second"}
    row = boilerplate.strip(repaired(given), knobs()).to_pylist()[0]
    assert {name: row[name] for name in given if name != "text"} == {name: value for name, value in given.items() if name != "text"}
    row = boilerplate.strip(repaired({"text": lines}), knobs()).to_pylist()[0]
    assert (row["title"], row["byline"], row["published_precision"]) == ("Harbour strike enters its second week", "Ana Example", "day")
    assert row["published_at"] == datetime(2024, 3, 4, tzinfo=UTC)


def test_faulty_rows_pass_through() -> None:
    fault = {"stage": "ingest", "reason": "no_text", "detail": "why", "text": "Share\nSubscribe"}
    row = boilerplate.strip(repaired(fault), knobs()).to_pylist()[0]
    assert (row["reason"], row["text"], row["removed"], row["word_count"]) == ("no_text", "Share\nSubscribe", [], 2)


@pytest.mark.parametrize("text", ["", "Share", "Share\nSubscribe to our newsletter", " \n "])
def test_nothing_left_is_no_story(text: str) -> None:
    row = boilerplate.strip(repaired({"text": text}), knobs()).to_pylist()[0]
    assert (row["stage"], row["reason"], row["text"], row["removed"]) == ("strip", "no_story", text, [])
    assert row["detail"]


# ---- the line model --------------------------------------------------------------------------------------------------


def test_body_is_the_heaviest_stretch() -> None:
    assert find_body([]) == (0, 0)
    assert find_body([-5, -5]) == (0, 0)
    assert find_body([20, -5, 30, -60, 10]) == (0, 3)


def test_words_of_scripts_without_spaces_are_characters() -> None:
    assert count_words("") == 0
    assert count_words("港の strike") == 3
    assert count_words("서울 시청") == 2


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.text() | st.text(" \t\x1c\xa0\u2003\u2028\u3000éย漢가か🚢x")))
def test_the_kernel_counts_words_as_python_does(texts: list[str]) -> None:
    assert count_all_words(pa.chunked_array([texts], pa.string())).tolist() == [count_words(text) for text in texts]


# ---- what recurs -----------------------------------------------------------------------------------------------------


def test_lines_that_a_model_knows_go_from_the_stories_of_their_source(tmp_path: Path) -> None:
    path = tmp_path / "furniture.jsonl"
    line = Recurring(
        "Harbour Post", take=True, place="any", why="talk", stories=30, of=40, days=20, line="The quay never sleeps, and nor do we"
    )
    furniture.write(furniture.Model((line,), 40, 1), path)
    text = f"{PARAGRAPHS}\nThe quay never sleeps, and nor do we"
    own = repaired({"raw_id": "a", "source": "Harbour Post", "text": text}, {"raw_id": "b", "source": "Estwick Mail", "text": text})
    out = boilerplate.strip(own, knobs(furniture=str(path))).to_pylist()
    assert [[(entry["rule"], entry["line"]) for entry in row["removed"]] for row in out] == [[("recurring", 2)], []]
    assert boilerplate.rebuild(out[0]["text"], out[0]["removed"]) == text
    story = boilerplate.strip_text(text, knobs(furniture=str(path)), source="Harbour Post")
    assert story.text == out[0]["text"]
