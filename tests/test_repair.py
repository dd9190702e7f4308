"""Repair: what ftfy does, and beyond it what the language check accepts; every edit can be made again."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import ftfy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import settings as budget
from hypothesis import strategies as st

from tasks import settings
from tasks.repair import _MOST_ROUNDS, Effort, _config, _may_be_bad, _round, _unchanged, apply, repair, repair_text
from tasks.repair.charsets import C1, charsets, suspect
from tasks.schema import INGESTED, REPAIRED, conform

KNOBS = settings.Repair()
AS_FTFY = settings.Repair(chains=False, invisible="keep")
CASES = json.loads((Path(__file__).parent / "cases" / "repair.json").read_text(encoding="utf-8"))
# text as it breaks: characters of many scripts, and the same read in a wrong charset
BROKEN = st.builds(
    lambda text, charset: text.encode("utf-8", "replace").decode(charset, "replace"),
    st.text(max_size=60),
    st.sampled_from(["cp1252", "cp1251", "cp1250", "mac_roman", "cp437", "koi8-r", "iso8859-2"]),
)
ODD = st.text(alphabet="aé’“”ﬁ\u0085\u00a0\u2028&;<#39amp\x1b[0m\ufeff\r\tÃ©â€™ “ßИв中ｆГј├│√§\u200b\u200d\u202a", max_size=40)


def settled(line: str, knobs: settings.Repair, tags: bool) -> str:
    """The slow way: every step on the line until it comes to rest, and the line itself where it does not."""
    now = line
    for _ in range(_MOST_ROUNDS):
        mended, _ = _round(now, 0, _config(knobs, tags), knobs, Effort())
        if mended == now:
            return now
        now = mended
    return line


def slowly(text: str, knobs: settings.Repair = KNOBS) -> str:
    return "\n".join(settled(line, knobs, "<" in text) for line in text.split("\n"))


def as_ftfy(line: str, knobs: settings.Repair, tags: bool) -> str:
    """ftfy's own result, lines kept lines, until it comes to rest."""
    now = line
    for _ in range(_MOST_ROUNDS):
        mended = " ".join(ftfy.fix_and_explain(now, _config(knobs, tags)).text.split("\n"))
        if mended == now:
            return now
        now = mended
    return line


@pytest.mark.parametrize("case", CASES["fixed"], ids=lambda case: str(case["label"]))
def test_broken_text_is_mended(case: dict[str, Any]) -> None:
    mended, edits = repair_text(case["original"], "text", KNOBS)
    assert mended == case["fixed"]
    assert edits
    assert apply(case["original"], edits) == mended


@pytest.mark.parametrize("case", CASES["left alone"], ids=lambda case: str(case["label"]))
def test_healthy_text_is_left_alone(case: dict[str, Any]) -> None:
    assert repair_text(case["original"], "text", KNOBS) == (case["original"], [])


@given(st.text(max_size=80) | BROKEN | ODD, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["keep", "stray", "all"]))
@example("It’s “fine”\nCafÃ© &amp; bar", False, False, False, "stray")
def test_the_fast_way_gives_what_the_slow_way_gives_and_edits_apply(
    text: str, ligatures: bool, width: bool, quotes: bool, invisible: str
) -> None:
    knobs = settings.Repair.model_validate(
        {"fix_latin_ligatures": ligatures, "fix_character_width": width, "uncurl_quotes": quotes, "invisible": invisible}
    )
    mended, edits = repair_text(text, "text", knobs)
    assert mended == slowly(text, knobs)
    assert apply(text, edits) == mended
    assert mended.count("\n") == text.count("\n")


@given(st.text("abz .,é", max_size=20), st.text(max_size=8) | BROKEN | ODD, st.text("abz .,é", max_size=20))
def test_what_is_bad_is_so_by_what_is_around_unusual_signs(before: str, middle: str, after: str) -> None:
    line = before + middle + after
    assert _may_be_bad(line) or not ftfy.badness.is_bad(line)


@given(st.text(max_size=80) | BROKEN | ODD, st.booleans())
def test_without_chains_it_is_ftfy(text: str, ligatures: bool) -> None:
    knobs = AS_FTFY.model_copy(update={"fix_latin_ligatures": ligatures})
    assert repair_text(text, "text", knobs)[0] == "\n".join(as_ftfy(line, knobs, "<" in text) for line in text.split("\n"))


@given(st.text(max_size=80) | BROKEN | ODD)
def test_repair_is_idempotent(text: str) -> None:
    mended = repair_text(text, "text", KNOBS)[0]
    if ("<" in mended) == ("<" in text):  # entities are meant in a text that has tags
        assert repair_text(mended, "text", KNOBS) == (mended, [])


@given(
    st.text(max_size=40)
    | BROKEN
    | ODD
    | st.text(st.sampled_from(sorted({chr(code) for each in charsets() for code in each.bytes})), max_size=12)
)
def test_what_no_charset_has_sequences_of_is_no_suspect(text: str) -> None:
    if not suspect().search(text):
        assert not C1.search(text)
        assert not any(charset.sequences.search(text) for charset in charsets())


@pytest.mark.parametrize("text", ["Ã" * 10_000, "ÃƒÂ" * 3_000, "Ã " * 5_000, "Гј " * 3_000, "├┬ " * 3_000, "a\x92" * 5_000, "Ã¼" * 5_000])
def test_no_line_takes_long(text: str) -> None:
    repair_text("CafÃ©", "text", KNOBS)  # loads what is loaded once
    began = time.process_time()
    repair_text(text, "text", KNOBS)
    assert time.process_time() - began < 2  # .01-.15 s for 10 KB; quadratic, it would be minutes


def test_a_long_broken_line_is_mended_in_windows() -> None:
    text = "Die Brücke über die Mühle gehört den Fußgängern. " * 60
    assert repair_text(text.encode().decode("cp1251"), "text", KNOBS)[0] == text


WELL_SET = "\xa0\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026"


@given(st.text(max_size=20).filter(lambda text: "\n" not in text) | st.text(WELL_SET + "aZé0 .,?$", max_size=12))
def test_lines_that_are_skipped_would_not_change(line: str) -> None:
    config = _config(KNOBS, tags=False)
    if _unchanged(line, config, KNOBS):
        assert ftfy.fix_and_explain(line, config).text == line


def test_punctuation_of_well_set_text_is_never_mojibake() -> None:
    """Every run of four such characters and a few of ASCII's kinds, for the fast way stands on it."""
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


def every_text(benchmarks: Path) -> Iterator[str]:
    """Every text of the benchmark, broken and healthy."""
    data = benchmarks / "data"
    for path in sorted(data.glob("*/*.jsonl*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                yield from (row[name] for name in ("text", "text_a", "text_b", "gold") if isinstance(row.get(name), str))
    yield from pq.read_table(data / "background" / "stories.parquet")["text"].to_pylist()


@pytest.mark.benchmark
def test_every_benchmark_text_comes_out_as_by_the_slow_way(benchmarks: Path) -> None:
    for text in itertools.islice(every_text(benchmarks), 0, None, 3):  # all of them take 40 s
        mended, edits = repair_text(text, "text", KNOBS)
        assert mended == slowly(text)
        assert apply(text, edits) == mended
        if edits and ("<" in mended) == ("<" in text):
            assert repair_text(mended, "text", KNOBS) == (mended, [])


@pytest.mark.benchmark
def test_mojibake_is_restored_and_healthy_text_left_alone(benchmarks: Path) -> None:
    with gzip.open(benchmarks / "data" / "encoding" / "mojibake.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    restored = [repair_text(row["text"], "text", KNOBS)[0] == row["gold"] for row in rows if row["how"] != "clean"]
    assert sum(restored) >= 0.985 * len(restored)
    assert all(repair_text(row["text"], "text", KNOBS)[1] == [] for row in rows if row["how"] == "clean")


@pytest.mark.benchmark
@pytest.mark.parametrize(
    ("name", "least"), [("in-the-wild", 1.0), ("synthetic", 1.0), ("language-names", 1.0), ("negative", 1.0), ("known-failures", 0.5)]
)
def test_what_ftfy_passes_passes_and_half_of_what_it_fails(benchmarks: Path, name: str, least: float) -> None:
    """With ftfy's own settings: quotation marks and full-width forms made plain, invisible characters kept."""
    knobs = settings.Repair(uncurl_quotes=True, fix_character_width=True, invisible="keep")
    cases = json.loads((benchmarks / "data" / "encoding" / "ftfy_cases" / f"{name}.json").read_text(encoding="utf-8"))
    failed = [case["label"] for case in cases if repair_text(case["original"], "text", knobs)[0] != case["fixed"]]
    assert len(cases) - len(failed) >= least * len(cases), failed


@given(
    st.lists(st.none() | st.text(st.sampled_from("ab <&\n\t\xa0\xe9\xc3\xa9\u2019\u200b\ufb01\u0416"), max_size=12), max_size=6),
    st.booleans(),
)
@budget(deadline=None)  # the first call compiles
def test_a_table_is_mended_as_its_texts_are_one_by_one(titles: list[str | None], uncurl: bool) -> None:
    knobs = settings.Repair(uncurl_quotes=uncurl)
    blank = dict.fromkeys(INGESTED.names) | dict.fromkeys(("story_id", "raw_id", "raw_uri", "raw_state", "place", "kind"), "x")
    faults = [None, "undecodable"]
    rows: list[dict[str, Any]] = [
        blank | {"title": one, "text": f"{one}\n{one}", "reason": faults[n % 3 == 2]} for n, one in enumerate(titles)
    ]
    found = repair(conform(pa.Table.from_pylist(rows, INGESTED), INGESTED), knobs).to_pylist()
    for row, after in zip(rows, found, strict=True):
        edits: list[Any] = []
        for field in ("title", "text"):
            mended, made = repair_text(row[field], field, knobs) if row[field] and not row["reason"] else (row[field], [])
            assert after[field] == mended
            edits += made
        assert after["repairs"] == edits
