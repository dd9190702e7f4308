"""The language of a story, or None when the text does not tell."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.language import choose, detect

WRITTEN: dict[str, str] = json.loads((Path(__file__).parent / "cases" / "metadata" / "languages.json").read_text(encoding="utf-8"))
# What the pages of the benchmark's countries are in; two are left out: a page of Norway may be in either written form
SPOKEN = {"at": "de", "au": "en", "be": "nl", "ca": "en", "ch": "de", "de": "de", "dk": "da", "es": "es", "fr": "fr", "ind": "hi", "jp": "ja",
          "kr": "ko", "lt": "lt", "my": "en", "na": "en", "pl": "pl", "ru": "ru", "se": "sv", "tr": "tr", "uk": "en", "us": "en"}  # fmt: skip


@pytest.mark.parametrize("language", WRITTEN)
def test_languages_are_told(language: str) -> None:
    assert detect(WRITTEN[language]) == language
    assert detect("\n\n".join([WRITTEN[language]] * 20)) == language


@pytest.mark.parametrize("text", ["", "   ", "Berlin 3:2 Riga", "12 34 56 " * 90, "\x92" * 300, "\ud800" * 300, "qzx vfgh jklp " * 40])
def test_no_language_is_none(text: str) -> None:
    assert detect(text) is None


def test_short_and_mixed_texts_are_none() -> None:
    assert detect(WRITTEN["de"][:60]) is None
    assert detect(f"{WRITTEN['de'] * 4}\n\n{WRITTEN['fr'] * 4}") is None
    assert detect(f"{WRITTEN['ru'] * 4}\n\n{WRITTEN['en'] * 4}") is None


def test_a_quote_in_another_language_is_no_mixture() -> None:
    assert detect(f"{WRITTEN['en'] * 8}\n\n“{WRITTEN['de'][:75]}”\n\n{WRITTEN['en'] * 8}") == "en"


def test_controls_and_surrogates_hide_no_language() -> None:
    assert detect(f"\x92{WRITTEN['fr']}\ud800") == "fr"


@pytest.mark.parametrize(
    ("declared", "detected", "expected"),
    [
        ("en", "de", "de"),  # a template's
        ("en-US", "en", "en-US"),
        ("pt-BR", "pt", "pt-BR"),
        ("nb-NO", "no", "nb-NO"),
        ("nb", "da", "nb"),
        ("sr-Latn", "sh", "sr-Latn"),
        ("hr", "sh", "hr"),
        ("ms", "id", "ms"),
        ("zh-TW", "zh-Hant", "zh-TW"),
        ("he", "he", "he"),
        ("gsw", "de", "gsw"),  # the detector does not know it
        ("fr", None, "fr"),
        (None, "fr", "fr"),
        (None, None, None),
    ],
)
def test_declarations_stand_unless_the_text_is_surely_another(declared: str | None, detected: str | None, expected: str | None) -> None:
    assert choose(declared, detected) == expected


@given(st.text())
def test_no_text_breaks_the_detector(text: str) -> None:
    assert detect(text * 20) == detect(text * 20)


@pytest.mark.benchmark
def test_real_news_is_told_and_never_wrongly(benchmarks: Path) -> None:
    with gzip.open(benchmarks / "data" / "boilerplate" / "news_2023_2026.jsonl.gz", "rt", encoding="utf-8") as lines:
        pages: list[dict[str, Any]] = [json.loads(line) for line in lines]
    pages = [page for page in pages if page["region"] in SPOKEN]
    for words, least in ((None, 0.99), (200, 0.98), (50, 0.95)):
        found = [(detect(" ".join(page["gold"].split()[:words])), SPOKEN[page["region"]]) for page in pages]
        assert [pair for pair in found if pair[0] not in (None, pair[1])] == []
        assert sum(told == spoken for told, spoken in found) >= least * len(found)
