"""The line model: decoding, its file, and pages of many languages that no rule knows."""

from __future__ import annotations

import itertools
import json
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fit_lines import align
from tasks import boilerplate
from tasks.boilerplate import model
from tasks.boilerplate.lines import INNER_END, UNSPACED, Line, classes, look_at
from tasks.boilerplate.story import read_lines
from tasks.kernels import looks as kernel

ODDS = st.lists(st.floats(-5, 5), max_size=9)


# ---- how a line reads by itself ------------------------------------------------------------------------------------------

PARTS = [
    "Ships wait",
    " ",
    "  ",
    ".",
    "?",
    "...",
    "…",
    "”",
    '"',
    "')",
    "。",
    "」",
    ":",
    "：",
    "A",
    "ß",
    "İ",
    "ст",
    "Ж",
    "\u3000",
    "\xa0",
    "港口",
    "ไทย",
    "5",
    "٥",
    "年",
]
SENTENCES = st.lists(
    st.sampled_from([*PARTS, "the port of Riga is closed ", "Dock Workers In The Port "]) | st.text(max_size=4), max_size=30
).map("".join)


@settings(deadline=None)  # the first call compiles
@given(st.lists(SENTENCES, max_size=6).map("\n".join))
def test_the_kernel_sees_what_look_at_sees(text: str) -> None:
    lines, looks, _, blank, numbered = next(read_lines([text], boilerplate.built_in()))
    assert lines == text.split("\n")
    assert looks == look_at(text, lines)
    assert blank == [n for n, line in enumerate(lines) if not line or line.isspace()]
    assert numbered == [n for n, line in enumerate(lines) if any(sign.isdecimal() or sign in "年년" for sign in line)]


def test_the_table_says_of_every_sign_what_python_says() -> None:
    table = classes()
    for code in range(0x110000):
        sign, bits = chr(code), int(table[code])
        assert bool(bits & kernel.SPACE) == sign.isspace(), hex(code)
        assert bool(bits & kernel.UPPER) == sign.isupper(), hex(code)
        assert bool(bits & kernel.BEGINS) == bool(INNER_END.search(f". {sign}")), hex(code)
        assert bool(bits & kernel.UNSPACED) == bool(UNSPACED.match(sign)), hex(code)
        assert bool(bits & kernel.NUMERIC) == (sign.isdecimal() or sign in "年년"), hex(code)


# ---- the model -----------------------------------------------------------------------------------------------------------


@given(ODDS, st.floats(0, 3))
def test_decoding_finds_the_likeliest_sequence(odds: list[float], change: float) -> None:
    def worth(states: tuple[bool, ...]) -> float:
        changes = sum(a != b for a, b in itertools.pairwise(states))
        return sum(one for one, kept in zip(odds, states, strict=True) if kept) - change * changes

    best = max((worth(states) for states in itertools.product([False, True], repeat=len(odds))), default=0.0)
    assert worth(tuple(model.decode(odds, change))) == pytest.approx(best)


def test_without_a_cost_each_line_is_judged_alone() -> None:
    assert model.decode([1.0, -1.0, 2.0, -3.0], 0.0) == [True, False, True, False]
    assert model.decode([], 0.3) == []


def test_the_file_holds_templates_and_rounded_weights_only() -> None:
    written = json.loads(model.MODEL.read_text(encoding="utf-8"))
    assert set(written) == {"bias", "change", "weights"}
    assert set(written["weights"]) <= {name for name, _ in model.TEMPLATES}
    for values in written["weights"].values():
        assert all(weight == round(weight, 2) != 0 for weight in values.values())


def test_word_lists_are_lower_case_and_without_repeats() -> None:
    lists = tomllib.loads(model.WORDS.read_text(encoding="utf-8"))
    assert set(lists) == {"function", "furniture", "caption", "reader"}
    for by_language in lists.values():
        for language, words in by_language.items():
            assert words == words.lower(), language


@settings(deadline=None)  # the word lists and the model are read in the first example
@given(st.lists(st.text(max_size=60).filter(str.strip), max_size=12), st.none() | st.text(max_size=20))
def test_every_line_has_every_sign(lines: list[str], title: str | None) -> None:
    matcher = boilerplate.built_in()
    lines = [line.replace("\n", " ") for line in lines]
    ((_, looks, hits, *_),) = read_lines(["\n".join(lines)], matcher)
    found = list(model.signs(lines, looks if lines else [], hits if lines else [], title))
    assert [len(signs) for signs in found] == [len(model.TEMPLATES)] * len(lines)
    assert len(model.judge(lines, looks if lines else [], hits if lines else [], title)) == len(lines)


def test_labels_follow_the_order_of_the_gold_text() -> None:
    gold = "Ships wait off the port.\n\nShare\n\nThe harbour opens again on Monday."
    lines = ["Share", "Ships wait off the port.", "Share", "Print", "The harbour opens again on Monday.", "Share"]
    assert align(lines, gold) == [False, True, True, False, True, False]
    assert align([], gold) == []
    assert align(["Share"], "") == [False]


PROSE = Line(20, True, 20.0)
LABEL = Line(2, False, -5.0)


def chosen(
    monkeypatch: pytest.MonkeyPatch, odds: list[float], looks: list[Line], lines: list[str] | None = None, **known: Any
) -> list[int]:
    """Numbers of the lines that are chosen when the model says these odds, all of them inside the stretch."""
    monkeypatch.setattr(model, "judge", lambda *_: odds)
    lines = lines or [f"line {number}" for number in range(len(odds))]
    kept = model.choose(lines, looks, [None] * len(odds), known.pop("inside", [True] * len(odds)), **known)
    return [number for number, one in enumerate(kept) if one]


def test_a_light_island_far_from_the_story_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [PROSE] * 10 + [LABEL] * model.SEA + [PROSE]
    odds = [3.0] * 10 + [-3.0] * model.SEA
    assert chosen(monkeypatch, [*odds, 1.0], looks) == list(range(10))
    assert chosen(monkeypatch, [*odds, 30.0], looks) == [*range(10), 10 + model.SEA]  # as heavy as the story
    near = [*odds[:-1], 1.0]
    assert chosen(monkeypatch, near, [*looks[:-2], PROSE]) == [*range(10), 9 + model.SEA]


def test_prose_that_stands_again_and_frequent_labels_go(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["a", "more here", "b", "more here", "a", "more here", "c"]
    looks = [PROSE, LABEL, PROSE, LABEL, PROSE, LABEL, PROSE]
    assert chosen(monkeypatch, [3.0] * 7, looks, lines) == [0, 2, 6]


def test_the_first_prose_below_the_headline_has_a_bonus(monkeypatch: pytest.MonkeyPatch) -> None:
    odds, looks, inside = [-3.0, -0.5, -3.0, 3.0, 3.0], [LABEL, PROSE, LABEL, PROSE, PROSE], [False, False, False, True, True]
    assert chosen(monkeypatch, odds, looks, inside=inside) == [3, 4]
    assert chosen(monkeypatch, odds, looks, inside=inside, heading=0) == [1, 3, 4]


def test_a_page_that_the_model_misreads_keeps_its_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, [-5.0] * 3, [PROSE, PROSE, LABEL], inside=[True, True, False]) == [0, 1]


@settings(deadline=None)  # the word lists and the model are read in the first example
@given(
    st.lists(
        st.sampled_from(
            ["Share", "By Ana Example", "4 March 2024", "The harbour opens again on Monday.", "写真 提供", "Sign-up for e-mail"]
        ),
        max_size=9,
    )
)
def test_the_kernel_adds_the_weights_of_the_signs(lines: list[str]) -> None:
    _, looks, hits, *_ = next(read_lines(["\n".join(lines)], boilerplate.built_in()))
    fitted = model.load()
    found = model.signs(lines, looks[: len(lines)], hits[: len(lines)])
    wanted = [fitted.bias + sum(fitted.weights.get(sign, 0.0) for sign in signs) for signs in found]
    assert model.judge(lines, looks[: len(lines)], hits[: len(lines)]) == wanted
