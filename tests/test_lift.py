"""Lift: headline, byline, agency and date that the lines around a story give, and what they must not give."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import boilerplate
from tasks.boilerplate.lift import Credits, Page, read_credits
from tasks.boilerplate.lines import Line, count_words, ends_sentence
from tasks.boilerplate.names import looks_like_names, names_in, read_byline
from tasks.boilerplate.rules import compile_rules, fold

CASES = json.loads((Path(__file__).parent / "cases" / "metadata" / "credits.json").read_text(encoding="utf-8"))
MATCHER = compile_rules(boilerplate.load_rules())


def read(lines: list[str], body: tuple[int, int], **known: str | None) -> Credits:
    looks = [Line(words := count_words(line), words >= 8 and ends_sentence(line), float(words)) for line in lines]
    page = Page(lines, looks, [MATCHER.match(fold(line)) for line in lines], *body, numbered=range(len(lines)))
    return read_credits(page, known.get("title"), known.get("url"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["label"]) for case in CASES])
def test_credits(case: dict[str, Any]) -> None:
    found = read(case["lines"], case["body"], title=case.get("title"), url=case.get("url"))
    for name, expected in case["fields"].items():
        value = getattr(found.fields, name)
        assert (value.isoformat() if isinstance(value, datetime) else value) == expected, name
    if "removed" in case:
        assert [[line, rule] for line, rule in sorted(found.lines.items())] == case["removed"]


def test_what_is_lifted_is_not_left_in_the_text() -> None:
    for case in CASES:
        text = "\n".join(case["lines"])
        story = boilerplate.strip_text(text, title=case.get("title"))
        assert boilerplate.rebuild(story.text, story.removed) == text
        if story.fields.title:
            assert story.fields.title not in story.text.split("\n\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("By Ana Example", ("Ana Example", None)),
        ("BY ANA EXAMPLE AND JAN MUSTER", ("ANA EXAMPLE AND JAN MUSTER", None)),
        ("by Ana María O’Example-Muster", ("Ana María O’Example-Muster", None)),
        ("Von Jan Muster, Korrespondent in Riga", ("Jan Muster", None)),
        ("Par Anne Exemple avec AFP", ("Anne Exemple", "AFP")),
        ("Por Ana Ejemplo / Lima", ("Ana Ejemplo", None)),
        ("Di Mario Esempio", ("Mario Esempio", None)),
        ("Af Jens Eksempel", ("Jens Eksempel", None)),
        ("Автор: Анна Пример", ("Анна Пример", None)),
        ("Yazan: Ayşe Örnek", ("Ayşe Örnek", None)),
        ("بقلم: أحمد محمد", ("أحمد محمد", None)),
        ("文／王小明", ("王小明", None)),
        ("本报记者 李明、王小", ("李明、王小", None)),
        ("김철수 기자", ("김철수", None)),
        ("By Ana Example for the Harbour Post", ("Ana Example", None)),
        ("By Dr. Ana Example", ("Dr. Ana Example", None)),
        ("By Harbour Post Staff", (None, None)),
        ("By Staff", (None, None)),
        ("By Reuters", (None, "Reuters")),
        ("By Tuesday the river had crested", None),
        ("By the sea", None),
        ("Von der Brücke blieb nichts", None),
        ("De Bilt", None),
        ("Bystanders saw it all", None),
    ],
)
def test_bylines(line: str, expected: tuple[str | None, str | None] | None) -> None:
    assert read_byline(line) == expected


def test_names_end_where_the_role_begins() -> None:
    assert names_in("Ana Example Travel News Reporter") == ("Ana Example", None)
    assert names_in("Chus del Ejemplo, Jan Muster (Enviado especial)") == ("Chus del Ejemplo, Jan Muster", None)
    assert names_in("Ana Example and AP") == ("Ana Example", "AP")
    assert names_in("the harbour") is None


def test_names_look_like_names() -> None:
    assert [line for line in ("Ana Example", "Jan van der Muster", "山田 花子") if not looks_like_names(line)] == []
    assert [
        line for line in ("Read on", "NEWS DESK", "Travel News", "Associated Press", "Ana", "Room 12 B") if looks_like_names(line)
    ] == []


LINES = st.one_of(st.text(), st.sampled_from([line for case in CASES for line in case["lines"]]))


@given(
    st.lists(LINES, min_size=1, max_size=30), st.data(), st.none() | st.text(), st.none() | st.text().map("https://{}/2024/03/04".format)
)
def test_no_page_breaks_the_reader(lines: list[str], data: st.DataObject, title: str | None, url: str | None) -> None:
    lines = [line.replace("\n", " ") for line in lines]
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, len(lines)))
    found = read(lines, (start, end), title=title, url=url)
    assert set(found.lines) <= set(range(len(lines)))
    assert all(lines[n].strip() for n in found.lines)
