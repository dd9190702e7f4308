"""Repair: what ftfy does, no more and no less; every edit can be made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ftfy
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks import settings
from tasks.repair import _unchanged, apply, repair, repair_text
from tasks.schema import INGESTED, REPAIRED, conform

KNOBS = settings.Repair()
CASES = json.loads((Path(__file__).parent / "cases" / "repair.json").read_text(encoding="utf-8"))
# text as it breaks: characters of many scripts, and the same read in a wrong charset
BROKEN = st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace").decode("cp1252", "replace"))
ODD = st.text(alphabet="aé’“”ﬁ\u0085\u00a0\u2028&;<#39amp\x1b[0m\ufeff\r\tÃ©â€™ “ßИв中ｆ", max_size=40)


def as_ftfy(text: str, knobs: settings.Repair = KNOBS) -> str:
    """ftfy's own result, line by line, lines kept lines."""
    config = ftfy.TextFixerConfig(
        unescape_html=knobs.unescape_html and "<" not in text,
        fix_latin_ligatures=knobs.fix_latin_ligatures,
        fix_character_width=knobs.fix_character_width,
        uncurl_quotes=knobs.uncurl_quotes,
    )
    return "\n".join(" ".join(ftfy.fix_and_explain(line, config).text.split("\n")) for line in text.split("\n"))


@pytest.mark.parametrize("case", CASES["fixed"], ids=lambda case: str(case["label"]))
def test_broken_text_is_mended(case: dict[str, Any]) -> None:
    mended, edits = repair_text(case["original"], "text", KNOBS)
    assert mended == case["fixed"]
    assert edits
    assert apply(case["original"], edits) == mended


@pytest.mark.parametrize("case", CASES["left alone"], ids=lambda case: str(case["label"]))
def test_healthy_text_is_left_alone(case: dict[str, Any]) -> None:
    assert repair_text(case["original"], "text", KNOBS) == (case["original"], [])


@given(st.text(max_size=80) | BROKEN | ODD, st.booleans(), st.booleans(), st.booleans())
@example("It’s “fine”\nCafÃ© &amp; bar", False, False, False)
def test_the_fast_way_gives_what_ftfy_gives_and_edits_apply(text: str, ligatures: bool, width: bool, quotes: bool) -> None:
    knobs = settings.Repair(fix_latin_ligatures=ligatures, fix_character_width=width, uncurl_quotes=quotes)
    mended, edits = repair_text(text, "text", knobs)
    assert mended == as_ftfy(text, knobs)
    assert apply(text, edits) == mended
    assert mended.count("\n") == text.count("\n")


@given(st.text(max_size=80) | BROKEN | ODD)
def test_repair_is_idempotent(text: str) -> None:
    mended = repair_text(text, "text", KNOBS)[0]
    again = repair_text(mended, "text", KNOBS)[0]
    assert again == as_ftfy(mended)


WELL_SET = "\xa0\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026"


@given(st.text(max_size=20).filter(lambda text: "\n" not in text) | st.text(WELL_SET + "aZé0 .,?$", max_size=12))
def test_lines_that_are_skipped_would_not_change(line: str) -> None:
    config = ftfy.TextFixerConfig(uncurl_quotes=False, fix_character_width=False, unescape_html=True)
    if _unchanged(line, config):
        assert ftfy.fix_and_explain(line, config).text == line


def test_punctuation_of_well_set_text_is_never_mojibake() -> None:
    """Every run of four such characters and a few of ASCII's kinds, for the fast way stands on it."""
    from itertools import product

    from ftfy.badness import is_bad

    assert not any(is_bad("".join(run)) for run in product(WELL_SET + "a 1$", repeat=4))


def test_apply_refuses_a_text_that_the_repairs_are_not_of() -> None:
    _, edits = repair_text("The cafÃ© opens", "text", KNOBS)
    with pytest.raises(ValueError, match="does not fit"):
        apply("Another text altogether", edits)


def test_the_stage_keeps_rows_and_leaves_faulty_ones_alone() -> None:
    row = dict.fromkeys(INGESTED.names) | {
        "story_id": "0",
        "raw_id": "a",
        "raw_uri": "a",
        "raw_state": "present",
        "place": "file",
        "kind": "record",
        "title": "CafÃ©",
        "text": "Der BÃ¼rger\nAlles gut.",
    }
    faulty = row | {"story_id": "1", "stage": "ingest", "reason": "binary"}
    table = conform(pa.Table.from_pylist([row, faulty], schema=INGESTED), INGESTED)
    mended = repair(table, KNOBS)
    assert mended.schema.equals(REPAIRED, check_metadata=True)
    first, second = mended.to_pylist()
    assert (first["title"], first["text"]) == ("Café", "Der Bürger\nAlles gut.")
    assert [(edit["field"], edit["before"], edit["after"]) for edit in first["repairs"]] == [
        ("title", "CafÃ©", "Café"),
        ("text", "BÃ¼rger", "Bürger"),
    ]
    assert apply("CafÃ©", first["repairs"], "title") == first["title"]
    assert (second["text"], second["repairs"]) == (faulty["text"], [])


@pytest.mark.benchmark
def test_every_benchmark_text_comes_out_as_from_ftfy(benchmarks: Path) -> None:
    import gzip

    with gzip.open(benchmarks / "data" / "encoding" / "mojibake.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            mended, edits = repair_text(text, "text", KNOBS)
            assert mended == as_ftfy(text)
            assert apply(text, edits) == mended
