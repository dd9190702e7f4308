"""Dates: absolute ones in many languages, the same on every day; what is relative, yearless or ambiguous is unknown."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import dates

WRITTEN = json.loads((Path(__file__).parent / "cases" / "metadata" / "dates.json").read_text(encoding="utf-8"))


def shown(found: dates.Found) -> str:
    return found.when.strftime("%Y-%m-%d" if found.precision == "day" else "%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("written", "expected"),
    [pytest.param(*case, id=f"{language}: {case[0]}") for language, cases in WRITTEN.items() for case in cases],
)
def test_dates_of_many_languages(written: str, expected: str | None) -> None:
    found = dates.find(written)
    assert [shown(one) for one in found] == ([] if expected is None else [expected])


def test_every_month_of_every_language_is_one_month() -> None:
    months: dict[str, set[int]] = {}
    for number, names in enumerate(dates._MONTHS, start=1):
        for name in names.split():
            months.setdefault(dates._bare(name), set()).add(number)
    assert {name: numbers for name, numbers in months.items() if len(numbers) > 1} == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-01-09T12:48:14Z", ("2025-01-09T12:48:14+00:00", "second")),
        ("2025-05-14T17:42:00+03:00", ("2025-05-14T14:42:00+00:00", "second")),
        ("2025-01-09", ("2025-01-09T00:00:00+00:00", "day")),
        ("Thu, 09 Jan 2025 10:00:00 +0100", ("2025-01-09T09:00:00+00:00", "second")),
        ("1736400000", ("2025-01-09T05:20:00+00:00", "second")),
        ("Published January 09,2025", ("2025-01-09T00:00:00+00:00", "day")),
        ("Published 11:26 pm EST, Tuesday, November 19, 2019", ("2019-11-20T04:26:00+00:00", "second")),
        ("9 janvier 2025 à 10h30", ("2025-01-09T00:00:00+00:00", "day")),
        ("Ngày 9 tháng 1 năm 2025", ("2025-01-09T00:00:00+00:00", "day")),
        ("13/02/2025", ("2025-02-13T00:00:00+00:00", "day")),
        ("2/13/2025", ("2025-02-13T00:00:00+00:00", "day")),
        ("1.2.2025", ("2025-02-01T00:00:00+00:00", "day")),
        ("01/02/2025", None),
        ("2 hours ago", None),
        ("yesterday", None),
        ("12 May", None),
        ("May 2025", None),
        ("2025", None),
        ("2019-02-30", None),
        ("9 January 2025 or 10 January 2025", None),
        ("", None),
    ],
)
def test_dates_are_absolute_or_unknown(value: str, expected: tuple[str, str] | None) -> None:
    found = dates.parse(value)
    assert (None if found is None else (found[0].isoformat(), found[1])) == expected


def test_evidence_settles_an_ambiguous_date() -> None:
    first, second = dates.parse("01/02/2025", day_first=True), dates.parse("01/02/2025", day_first=False)
    assert first is not None
    assert second is not None
    assert (first[0].month, second[0].month) == (2, 1)
    assert dates.readings("01/02/2025") == [(date(2025, 2, 1), date(2025, 1, 2))]
    assert dates.readings("13/02/2025, 01.02.2025, 2/2/2025") == []
    assert (dates.orders("13/02/2025"), dates.orders("2/13/2025"), dates.orders("1/2/2025"), dates.orders("13.2.2025")) == (
        {True},
        {False},
        set(),
        set(),
    )


def test_two_digits_are_a_year_when_it_is_known() -> None:
    assert [shown(one) for one in dates.find("Stand: 9.1.25, 14.30 Uhr", short_years=[2024, 2025])] == ["2025-01-09"]
    assert dates.find("Stand: 9.1.25", short_years=[2024]) == []
    assert dates.find("Rule 9/1/25", short_years=[2025]) == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.example/2025/01/09/ferry-strike", date(2025, 1, 9)),
        ("https://news.example/2025/1/9", date(2025, 1, 9)),
        ("https://news.example/world/2025/jan/09/ferry", date(2025, 1, 9)),
        ("https://news.example/2025-01-09/ferry.html", date(2025, 1, 9)),
        ("https://news.example/2025-01/09/ferry.html", date(2025, 1, 9)),
        ("https://news.example/ferry-20250109", date(2025, 1, 9)),
        ("https://news.example/dmf20250109_123", date(2025, 1, 9)),
        ("https://news.example/2025/01/ferry", None),
        ("https://news.example/2025/13/09/ferry", None),
        ("https://news.example/2025/02/30/ferry", None),
        ("https://news.example/article-202501091", None),
        ("https://news.example/ferry?day=2025-01-09", None),
        ("", None),
    ],
)
def test_the_day_of_an_address(url: str, expected: date | None) -> None:
    assert dates.of_url(url) == expected


@given(st.text(max_size=60))
def test_no_text_breaks_the_date_reader(value: str) -> None:
    for found in dates.find(value, day_first=True, short_years=[2025]):
        assert 0 <= found.start < found.end <= len(value)
    dates.readings(value)
    dates.orders(value)
    dates.of_url(value)
