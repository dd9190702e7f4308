"""check, gate and their suites: every rule seen failing, strict loading, raised told from failed."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from ftfy.badness import is_bad
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tasks import schema, settings, validate
from tasks.validate import engine
from tasks.validate.measures import HARMLESS, MARKUP, markup_share, mojibake_places, replacement_share
from tasks.validate.rows import _columns as rows_of_the_suite
from tasks.validate.run import observations

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("COPYDESK_BENCHMARKS", ROOT.parent / "shared"))
DECLARED: dict[str, list[dict[str, Any]]] = {
    name: json.loads((ROOT / "expectations" / f"{name}.json").read_text(encoding="utf-8"))["expectations"] for name in ("stories", "run")
}
NAMES = {name: [entry["meta"]["name"] for entry in entries] for name, entries in DECLARED.items()}
SEVERITY = {entry["meta"]["name"]: entry["severity"] for entries in DECLARED.values() for entry in entries}

STORY: dict[str, Any] = {
    "story_id": "0" * 32,
    "raw_id": "a",
    "raw_uri": "a.txt",
    "raw_sha256": "f" * 64,
    "raw_state": "present",
    "place": "file",
    "kind": "record",
    "source": "The Ledger",
    "url": "https://ledger.example/harbour/1",
    "title": "Harbour wall to be rebuilt",
    "byline": "Ann Porter",
    "agency": None,
    "published_at": dt.datetime(2024, 5, 3, tzinfo=dt.UTC),
    "published_precision": "day",
    "language": "en",
    "text": "The harbour wall will be rebuilt next year, the council said on Friday.\n\nWork starts in March and costs 4 million. " * 2,
    "word_count": 42,
    "repairs": [],
    "removed": [],
    "stage": None,
    "reason": None,
    "detail": None,
}

# For each expectation of the row suite, a story that fails it, and no critical one before it.
FAILS: dict[str, dict[str, Any]] = {
    "text_is_not_blank": {"text": " \n\n\xa0— ", "word_count": 0},
    "text_has_words": {"text": "Read more", "word_count": 2},
    "text_has_no_control_characters": {"text": "The harbour wall will be \x00 rebuilt next year."},
    "text_is_readable": {"text": "Der Hafen wird n\ufffdchstes Jahr f\ufffdr Schiffe gr\ufffd\ufffder."},
    "text_is_not_markup": {"text": '<div class="story"><a href="/x">Harbour</a></div><script src="/a.js"></script>'},
    "text_is_not_a_block_page": {"text": "Just a moment...\n\nPlease enable JavaScript and cookies to continue."},
    "text_has_no_boilerplate_lines": {"text": STORY["text"] + "\n\nSubscribe\n\n" + STORY["text"]},
    "text_has_no_mojibake": {"text": "Le président a été reÃ§u Ã\xa0 Paris, dit l’Élysée."},
    "text_lost_no_characters": {"text": STORY["text"] + "\ufffd"},
    "text_is_not_overlong": {"word_count": 50_001},
    "text_is_not_a_stub": {"word_count": 24},
    "title_is_present": {"title": None},
    "title_is_short": {"title": "x" * 301},
    "byline_is_short": {"byline": "x" * 201},
    "source_is_present": {"source": None},
    "url_is_web": {"url": "javascript:void(0)"},
    "published_at_is_plausible": {"published_at": dt.datetime(1899, 12, 31, tzinfo=dt.UTC)},
    "language_is_bcp47": {"language": "en_US"},
}
# Stories that must pass the expectation.
LEAVES: dict[str, dict[str, Any]] = {
    "text_is_not_blank": {"text": "港の壁は来年再建される。", "word_count": 11},
    "text_has_words": {"text": "Minister resigns today", "word_count": 3},
    "text_has_no_control_characters": {"text": "One column\tanother\nnext\fpage\r\nthe end\x85."},
    "text_is_readable": {"text": "The wall\ufffds new shape was shown to the harbour council on Friday."},
    "text_is_not_markup": {
        "text": "Women 20 to 30 are sold for 75,000 dinar;\n\nwomen over 40 for 50,000 dinar;\n\n[Photo: AP] if a < b and b > c."
    },
    "text_is_not_a_block_page": {"text": "Please enable JavaScript to watch this video.\n\n" + STORY["text"]},
    "text_has_no_boilerplate_lines": {"text": "Subscribe to this view, he said, and you lose.\n\nRead more books: that is the advice."},
    "text_has_no_mojibake": {"text": "“Ça va,” dit-elle à l’Élysée — où 3 × 4 m² coûtent 5 €."},
    "text_lost_no_characters": {"text": "The wall?s new shape."},
    "text_is_not_overlong": {"word_count": 50_000},
    "text_is_not_a_stub": {"word_count": 25},
    "title_is_present": {"title": "A"},
    "title_is_short": {"title": "é" * 300},
    "byline_is_short": {"byline": None},
    "source_is_present": {"source": "x"},
    "url_is_web": {"url": "HTTP://ledger.example/straße?a=1#b"},
    "published_at_is_plausible": {"published_at": None},
    "language_is_bcp47": {"language": "zh-Hant-TW"},
}

SOUND = validate.Aggregates(
    seen=10_000,
    decisions=10_000,
    kept=8_000,
    duplicates=1_900,
    quarantined=100,
    conservation_gap=0,
    duplicate_ids=0,
    dangling_duplicates=0,
    stray_clusters=0,
    copies_gap=0,
    largest_cluster=40,
    checked=9_950,
    characters=9_000_000,
    characters_removed=1_000_000,
    boilerplate_checked=9_950,
    boilerplate_left=200,
    mojibake_checked=9_950,
    mojibake_left=20,
    new_stories=2_000,
    new_duplicates=380,
    new_quarantined=20,
    new_characters=1_800_000,
    new_characters_removed=200_000,
    new_boilerplate_checked=1_990,
    new_boilerplate_left=40,
    new_mojibake_checked=1_990,
    new_mojibake_left=4,
)
PARENT = SOUND
GATE = settings.load().gate
# For each rule of the run suite, numbers that break it.
BREAKS: dict[str, dict[str, int]] = {
    "conservation": {"conservation_gap": 1},
    "unique_ids": {"duplicate_ids": 1},
    "no_dangling_duplicates": {"dangling_duplicates": 1},
    "clusters_are_closed": {"stray_clusters": 1},
    "copies_add_up": {"copies_gap": 1},
    "kept_change": {"kept": 6_399},
    "quarantine_rate_change": {"new_quarantined": 121},
    "duplicate_rate_change": {"new_duplicates": 1_000},
    "largest_cluster_share_change": {"largest_cluster": 540},
    "removal_rate_change": {"new_characters_removed": 600_001},
    "boilerplate_residue_change": {"new_boilerplate_left": 240},
    "mojibake_residue_change": {"new_mojibake_left": 104},
    "some_story_is_kept": {"kept": 0},
    "largest_cluster": {"largest_cluster": 201},
    "quarantine_rate": {"quarantined": 1_001},
    "duplicate_rate": {"duplicates": 8_001},
    "removal_rate": {"characters_removed": 9_000_001},
    "boilerplate_residue": {"boilerplate_left": 996},
    "mojibake_residue": {"mojibake_left": 498},
}


@pytest.fixture(scope="session")
def stories() -> validate.Suite:
    return validate.load_suite("stories")


@pytest.fixture(scope="session")
def run() -> validate.Suite:
    return validate.load_suite("run")


def stripped(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([STORY | row for row in rows], schema.STRIPPED)


def changed(aggregates: validate.Aggregates, **numbers: int) -> validate.Aggregates:
    return validate.Aggregates(**(aggregates.to_json() | numbers))


def failed(verdict: validate.Verdict, *statuses: str) -> list[str]:
    return [result.name for result in verdict.results if result.status in (statuses or ("failed",))]


# ---- suites ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stories", "run"])
def test_what_is_declared_is_loaded(name: Any) -> None:
    suite = validate.load_suite(name)
    assert list(suite.names) == NAMES[name]
    assert [rule.severity for rule in suite.rules] == [entry["severity"] for entry in DECLARED[name]]
    assert [type(expectation).__name__ for expectation in suite.opaque]
    assert all(rule.notes and rule.description.endswith(".") for rule in suite.rules)


def test_residues_are_measured_by_rules_that_exist() -> None:
    assert {validate.run.BOILERPLATE, validate.run.MOJIBAKE} <= set(NAMES["stories"])


GOOD_ENTRY: dict[str, Any] = {
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "title"},
    "meta": {"name": "title_there"},
    "severity": "critical",
    "description": "There is a title.",
    "notes": "Why not.",
}
BAD_ENTRIES: dict[str, tuple[dict[str, Any], str]] = {
    "mistyped type": ({"type": "expect_column_values_to_not_be_nul"}, "title_there.*expect_column_values_to_not_be_nul"),
    "mistyped severity": ({"severity": "critcal"}, "title_there.*'critcal'.*critical, warning, info"),
    "no severity": ({"severity": None}, "title_there.*severity"),
    "no notes": ({"notes": " "}, "title_there: notes"),
    "no description": ({"description": None}, "title_there: description"),
    "no name": ({"meta": {}}, "expectation 2 .*name"),
    "name with a space": ({"meta": {"name": "title there"}}, "expectation 2 .*name"),
    "unknown key": ({"serverity": "critical"}, "title_there.*serverity.*allowed"),
    "unknown column": ({"kwargs": {"column": "titel"}}, "title_there.*'titel'.*title"),
    "no arguments": ({"kwargs": None}, "title_there.*column"),
    "mistyped argument": (
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "word_count", "max_valu": 3, "min_value": 1}},
        "title_there.*max_valu",
    ),
    "not of single values": (
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "word_count", "max_value": 3}},
        "single values",
    ),
    "mostly": ({"kwargs": {"column": "title", "mostly": 0.9}}, "mostly is not allowed"),
    "bad regex": ({"type": "expect_column_values_to_match_regex", "kwargs": {"column": "title", "regex": "("}}, "not a regular expression"),
    "groups": ({"type": "expect_column_values_to_match_regex", "kwargs": {"column": "title", "regex": "(a)"}}, "capturing groups"),
    "name twice": ({"meta": {"name": "first"}}, "first is declared more than once"),
}


def suite_in(folder: Path, *entries: dict[str, Any], name: str = "stories") -> Path:
    (folder / f"{name}.json").write_text(json.dumps({"name": name, "expectations": entries}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("case", BAD_ENTRIES)
def test_an_expectation_that_would_be_dropped_or_misread_is_refused(tmp_path: Path, case: str) -> None:
    change, message = BAD_ENTRIES[case]
    suite_in(tmp_path, GOOD_ENTRY | {"meta": {"name": "first"}}, GOOD_ENTRY | change)
    with pytest.raises(validate.SuiteError, match=message):
        validate.load_suite("stories", tmp_path)


def test_great_expectations_itself_drops_it_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    """Why load_suite is strict; the day this fails it may be simpler."""
    import great_expectations as gx

    good = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "title"}}
    caplog.set_level("CRITICAL", "great_expectations")
    for change in ({"type": "expect_column_values_to_not_be_nul"}, {"severity": "critcal"}):
        assert len(gx.ExpectationSuite("loose", expectations=[good, good | change]).expectations) == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"expectations": []}', '{"expectations": [1]}', "\udcff"])
def test_a_file_that_is_no_suite_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "stories.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(validate.SuiteError, match=r"stories\.json"):
        validate.load_suite("stories", tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(validate.SuiteError, match=r"run\.json cannot be read: No such file"):
        validate.load_suite("run", tmp_path)


def test_a_rule_of_the_run_says_what_to_do(tmp_path: Path) -> None:
    suite_in(tmp_path, GOOD_ENTRY | {"kwargs": {"column": "kept"}}, name="run")
    with pytest.raises(validate.SuiteError, match=r"title_there: meta\.do is missing"):
        validate.load_suite("run", tmp_path)


# ---- check -------------------------------------------------------------------------------------------------------------------------------


def test_every_expectation_has_its_cases() -> None:
    assert list(FAILS) == NAMES["stories"]
    assert list(LEAVES) == NAMES["stories"]


def test_a_sound_story_fails_nothing(stories: validate.Suite) -> None:
    table, counts = validate.check(stripped({}), stories)
    assert [count.name for count in counts.expectations if count.failed] == []
    assert table.equals(stripped({}))


@pytest.mark.parametrize("name", NAMES["stories"])
def test_every_expectation_is_seen_failing(stories: validate.Suite, name: str) -> None:
    table, counts = validate.check(stripped({}, FAILS[name], {}), stories)
    count = counts.of(name)
    assert count is not None
    assert count.failed == 1
    critical = SEVERITY[name] == "critical"
    assert table["reason"].to_pylist() == [None, name if critical else None, None]
    assert table["stage"].to_pylist() == [None, "check" if critical else None, None]
    assert counts.quarantined == critical
    if critical:
        rule = next(rule for rule in stories.rules if rule.name == name)
        detail = table["detail"][1].as_py()
        assert detail.startswith(f"{rule.description.rstrip('.')}: {rule.column} is ")
        assert len(detail) <= len(rule.description) + len(rule.column) + 5 + 80
        assert detail.isprintable()


@pytest.mark.parametrize("name", NAMES["stories"])
def test_every_expectation_leaves_sound_stories_alone(stories: validate.Suite, name: str) -> None:
    table, counts = validate.check(stripped(LEAVES[name]), stories)
    count = counts.of(name)
    assert count is not None
    assert count.failed == 0
    assert table["reason"].to_pylist() == [None]


def test_the_first_failing_expectation_in_suite_order_is_the_reason(stories: validate.Suite) -> None:
    both = {"text": "\x00 \ufffd", "word_count": 1}
    table, counts = validate.check(stripped(both), stories)
    assert table["reason"].to_pylist() == ["text_is_not_blank"]
    assert [count.name for count in counts.expectations if count.failed and count.severity == "critical"] == [
        "text_is_not_blank",
        "text_has_words",
        "text_has_no_control_characters",
        "text_is_readable",
    ]


def test_rows_at_fault_are_not_looked_at(stories: validate.Suite) -> None:
    fault = {"text": "", "word_count": 0, "stage": "ingest", "reason": "empty", "detail": "no bytes"}
    rows = stripped(fault, FAILS["text_has_words"], fault, {})
    table, counts = validate.check(rows, stories)
    assert table["reason"].to_pylist() == ["empty", "text_has_words", "empty", None]
    assert table["detail"].to_pylist()[::2] == ["no bytes", "no bytes"]
    assert (counts.rows, counts.quarantined) == (2, 1)


@pytest.mark.parametrize("rows", [[], [{"stage": "ingest", "reason": "empty"}]])
def test_a_shard_without_healthy_rows_passes_through(stories: validate.Suite, rows: list[dict[str, Any]]) -> None:
    table, counts = validate.check(stripped(*rows), stories)
    assert table.equals(stripped(*rows))
    assert [count.name for count in counts.expectations] == NAMES["stories"]
    assert counts.rows == 0


def test_an_expectation_that_raised_is_not_one_that_failed(tmp_path: Path) -> None:
    words_below_three = GOOD_ENTRY | {"type": "expect_column_values_to_be_between", "kwargs": {"column": "text", "max_value": 3}}
    suite = validate.load_suite("stories", suite_in(tmp_path, words_below_three, GOOD_ENTRY | {"meta": {"name": "other"}}))
    with pytest.raises(validate.ExpectationRaisedError, match="title_there could not be evaluated on column text: "):
        validate.check(stripped({}), suite)


def test_conditions_say_what_great_expectations_validates(stories: validate.Suite) -> None:
    """check evaluates the metric under each expectation; the library's own validation, five times as slow, must find the same rows."""
    import great_expectations as gx

    rows = [*FAILS.values(), *LEAVES.values(), {}, dict.fromkeys(("title", "byline", "source", "url", "language", "published_at"))]
    frame = rows_of_the_suite(stripped(*rows), stories).to_pandas()
    context = engine.new_context()
    batches = context.data_sources.add_pandas("copydesk").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")
    asked = {"result_format": "COMPLETE", "exclude_unexpected_values": True, "partial_unexpected_count": 0}
    batch = batches.get_batch(batch_parameters={"dataframe": frame})
    results = batch.validate(gx.ExpectationSuite("stories", expectations=list(stories.opaque)), result_format=asked).results
    theirs = {
        result.expectation_config.meta["name"]: engine.Outcome(
            result.result["element_count"] - (result.result.get("missing_count") or 0),
            result.result["unexpected_count"],
            tuple(result.result["unexpected_index_list"]),
        )
        for result in results
    }
    assert engine.evaluated(frame, stories, stories.names) == theirs
    assert all(outcome.failed for outcome in theirs.values())


def test_a_long_value_is_shortened_and_made_printable(stories: validate.Suite) -> None:
    table, _ = validate.check(stripped({"text": "\x07 secret \u202e" + "é" * 500}), stories)
    detail = table["detail"][0].as_py()
    assert detail.isprintable()
    assert 50 < detail.count("é") < 80
    assert detail.endswith("…")


def test_counts_add_up_and_survive_the_manifest(stories: validate.Suite) -> None:
    removed = [{"rule": "share", "zone": "tail", "line": 3, "text": "Share é"}]
    rows = [{"removed": removed}, *FAILS.values(), {"stage": "ingest", "reason": "empty"}]
    whole = validate.check(stripped(*rows), stories)[1]
    parts = [validate.check(stripped(*part), stories)[1] for part in (rows[:3], rows[3:4], rows[4:])]
    assert validate.add_counts(parts) == whole
    assert validate.Counts.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert (whole.rows, whole.removed) == (len(FAILS) + 1, 7)
    assert whole.characters == sum(len((STORY | row)["text"]) for row in rows[:-1])


TEXTS = st.one_of(
    st.text(max_size=40), st.sampled_from([row["text"] for row in (*FAILS.values(), *LEAVES.values()) if "text" in row] + [STORY["text"]])
)
ROWS = st.lists(
    st.builds(
        lambda text, words, title, when, reason: {
            "text": text,
            "word_count": words,
            "title": title,
            "published_at": when,
            "stage": reason and "strip",
            "reason": reason,
        },
        TEXTS,
        st.integers(0, 60_000),
        st.none() | st.text(max_size=10),
        st.none() | st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2300, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001 -- hypothesis wants bounds without
        st.none() | st.none() | st.just("empty"),
    ),
    max_size=12,
)


@given(ROWS)
@hypothesis_settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_check_keeps_rows_order_and_columns_and_judges_each_row_by_itself(stories: validate.Suite, rows: list[dict[str, Any]]) -> None:
    rows = [row | {"raw_id": str(number)} for number, row in enumerate(rows)]
    table, counts = validate.check(stripped(*rows), stories)
    faults = ["stage", "reason", "detail"]
    assert table.drop_columns(faults).equals(stripped(*rows).drop_columns(faults))
    assert table.schema.equals(schema.CHECKED, check_metadata=True)
    assert counts.rows == sum(row["reason"] is None for row in rows)
    backwards, again = validate.check(stripped(*rows[::-1]), stories)
    assert backwards.to_pylist()[::-1] == table.to_pylist()
    assert again == counts


# ---- measures ----------------------------------------------------------------------------------------------------------------------------

SPECIMENS = "ÂÃâ€™œŸž¬¦§²±°éÉõÕ×àаВГРСўЂ™†│▒ãØÙßñ\x80\x9d港ا" + HARMLESS + " \n.aZb1,"


@given(st.text(SPECIMENS, max_size=30), st.integers(0, 20))
@hypothesis_settings(max_examples=1500, deadline=None)
def test_mojibake_places_agree_with_ftfy(text: str, padding: int) -> None:
    for padded in (text, "a" * padding + text + "b" * padding, text + " " * padding + text):
        assert (mojibake_places(pa.chunked_array([[padded]])).to_pylist()[0] > 0) == is_bad(padded)


@given(st.text(HARMLESS + " aZ1.\n", max_size=12))
def test_typographic_text_alone_is_never_mojibake(text: str) -> None:
    """The ground of the shortcut: texts of ASCII and these characters need not be searched."""
    assert not is_bad(text)


MARKUP_PARTS = st.sampled_from(
    [*"<>/!-{}[]();:=\"'\n\t .,aZ_$1", "<!--", "-->", "};", ");", '"];', "function", "Function a", "=> ", "document.", "window.a", "VAR x "]
)


@given(st.lists(st.lists(MARKUP_PARTS, max_size=12).map("".join), max_size=20))
@hypothesis_settings(max_examples=300)
def test_no_markup_without_its_signs(texts: list[str]) -> None:
    """What is read fast leaves out no text that the slow expression would find something in."""
    column = pa.chunked_array([texts], pa.string())
    prose = pc.replace_substring_regex(column, MARKUP, "")
    whole = pc.max_element_wise(pc.utf8_length(column), 1)
    assert markup_share(column).to_pylist() == pytest.approx(
        [
            1 - len(left) / length if left != text else 0
            for text, left, length in zip(texts, prose.to_pylist(), whole.to_pylist(), strict=True)
        ]
    )


@given(st.lists(st.text("a\u00ef\u00bf\u00bd\uffbd\ufffd\U0001f600", max_size=8), max_size=10), st.integers(0, 3))
def test_replacement_share_counts_code_points(texts: list[str], before: int) -> None:
    """Also in a slice of a column, and over several parts of one."""
    whole = pa.array([*["\ufffd"] * before, *texts], pa.string())
    column = pa.chunked_array([whole[before:], whole[:before]], pa.string())
    expected = [text.count("\ufffd") / max(len(text), 1) for text in [*texts, *["\ufffd"] * before]]
    assert replacement_share(column).to_pylist() == expected


def test_markup_share_sees_pages_scripts_and_json() -> None:
    texts = {
        "prose": ('He said: "It costs 5;" and left { as it were } at noon (local time);\nthe rest is known.', 0.0),
        "json": ('{"id": 1, "title": "Harbour"}', 1.0),
        "pretty json": ('{\n  "id": 1,\n  "title": "Harbour"\n}', 0.9),
        "script": ("window.dataLayer = [];\nfunction gtag(){dataLayer.push(arguments);}\ngtag('js', new Date());", 0.9),
        "half": ("<p>" + "a" * 7 + "</p>", 0.5),
        "empty": ("", 0.0),
    }
    for name, share in zip(texts, markup_share(pa.chunked_array([[text for text, _ in texts.values()]])).to_pylist(), strict=True):
        assert share == pytest.approx(texts[name][1], abs=0.1), name


# ---- aggregates --------------------------------------------------------------------------------------------------------------------------


def write_snapshot(folder: Path, decisions: list[dict[str, Any]], **tables: list[dict[str, Any]]) -> dict[str, list[Path]]:
    """Parquet files of the four tables, named by their content, the rows cut into two files each; columns not given are empty."""
    files = {}
    for name, rows in {"decisions": decisions, **tables}.items():
        nullable = pa.schema([field.with_nullable(nullable=True) for field in schema.TABLES[name]])
        parts = [rows[part::2] for part in range(2)]
        files[name] = [folder / f"{name}-{number}.{zlib.crc32(repr(part).encode()):08x}.parquet" for number, part in enumerate(parts)]
        for part, path in zip(parts, files[name], strict=True):
            pq.write_table(pa.Table.from_pylist(part, nullable), path)
    return files


def snapshot() -> dict[str, list[dict[str, Any]]]:
    """a and b are kept, c and d are duplicates of a, e is in quarantine."""
    kept = [{"story_id": i, "outcome": "kept", "cluster_id": i, "recipe": "r1"} for i in "ab"]
    repeats = [{"story_id": i, "outcome": "duplicate", "cluster_id": "a", "duplicate_of": "a", "recipe": "r1"} for i in "cd"]
    return {
        "decisions": [*kept, *repeats, {"story_id": "e", "outcome": "quarantined", "recipe": "r1"}],
        "stories": [{"story_id": "a", "copies": 3}, {"story_id": "b", "copies": 1}],
        "duplicates": [{"story_id": "c"}, {"story_id": "d"}],
        "quarantine": [{"story_id": "e"}],
    }


COUNTS = validate.Counts(
    rows=4,
    quarantined=0,
    characters=900,
    removed=100,
    expectations=(
        validate.Count("text_has_no_boilerplate_lines", "warning", 4, 2),
        validate.Count("text_has_no_mojibake", "warning", 4, 1),
    ),
)
STRUCTURE = ("conservation_gap", "duplicate_ids", "dangling_duplicates", "stray_clusters", "copies_gap")


def test_a_sound_snapshot_in_numbers(tmp_path: Path) -> None:
    numbers = validate.aggregates(write_snapshot(tmp_path, **snapshot()), seen=5, checks=COUNTS).to_json()
    assert {name: numbers[name] for name in STRUCTURE} == dict.fromkeys(STRUCTURE, 0)
    expected = {"seen": 5, "decisions": 5, "kept": 2, "duplicates": 2, "quarantined": 1, "largest_cluster": 3, "new_stories": 5}
    expected |= {"boilerplate_checked": 4, "boilerplate_left": 2, "mojibake_left": 1, "characters_removed": 100, "new_boilerplate_left": 2}
    assert {name: numbers[name] for name in expected} == expected


def test_a_snapshot_of_nothing(tmp_path: Path, run: validate.Suite) -> None:
    numbers = validate.aggregates({"stories": [], "duplicates": [], "quarantine": [], "decisions": []}, seen=0, checks=validate.Counts())
    assert set(numbers.to_json().values()) == {0}
    files = write_snapshot(tmp_path, **{name: [] for name in snapshot()})
    assert validate.aggregates(files, seen=0, checks=validate.Counts()) == numbers
    verdict = validate.gate(numbers, None, run, GATE)
    assert verdict.passed
    assert failed(verdict, "warned") == ["some_story_is_kept"]


@pytest.mark.parametrize(
    ("table", "row", "change", "found"),
    [
        ("stories", 1, None, {"conservation_gap": 1, "copies_gap": 1}),  # a story got lost
        ("duplicates", 0, None, {"conservation_gap": 1}),
        ("quarantine", 0, None, {"conservation_gap": 1}),
        ("decisions", 4, None, {"conservation_gap": 2}),  # one record undecided: seen and quarantine both say so
        ("duplicates", 1, {"story_id": "c"}, {"conservation_gap": 2}),  # one twice, one lost: equal counts
        ("quarantine", 0, {"story_id": "x"}, {"conservation_gap": 2}),  # made up
        ("decisions", 3, {"story_id": "c"}, {"conservation_gap": 2, "duplicate_ids": 1}),
        ("decisions", 2, {"duplicate_of": "c", "cluster_id": "c"}, {"dangling_duplicates": 1}),  # a duplicate of a duplicate
        ("decisions", 2, {"duplicate_of": None}, {"dangling_duplicates": 1, "stray_clusters": 1}),
        ("decisions", 2, {"cluster_id": "b"}, {"stray_clusters": 1}),
        ("decisions", 1, {"cluster_id": "a"}, {"stray_clusters": 1}),
        ("decisions", 1, {"cluster_id": None}, {"stray_clusters": 1}),
        ("stories", 0, {"copies": 2}, {"copies_gap": 1}),
    ],
)
def test_each_damage_is_counted(tmp_path: Path, table: str, row: int, change: dict[str, Any] | None, found: dict[str, int]) -> None:
    tables = snapshot()
    if change is None:
        del tables[table][row]
    else:
        tables[table][row] = tables[table][row] | change
    numbers = validate.aggregates(write_snapshot(tmp_path, **tables), seen=5, checks=COUNTS).to_json()
    assert {name: numbers[name] for name in STRUCTURE if numbers[name]} == found


def test_a_seen_set_of_another_size_breaks_conservation(tmp_path: Path) -> None:
    assert validate.aggregates(write_snapshot(tmp_path, **snapshot()), seen=6, checks=COUNTS).conservation_gap == 1


@pytest.mark.parametrize(("recipe", "new"), [("r1", (2, 1, 1)), ("r0", (5, 2, 1))])
def test_new_is_what_the_parent_did_not_decide_by_this_recipe(tmp_path: Path, recipe: str, new: tuple[int, int, int]) -> None:
    (tmp_path / "parent").mkdir()
    before = [decision | {"recipe": recipe} for decision in snapshot()["decisions"] if decision["story_id"] in "abc"]
    parent = write_snapshot(tmp_path / "parent", before)["decisions"]
    files = write_snapshot(tmp_path, **snapshot())
    fresh = validate.Counts(rows=1, characters=10, removed=1)
    numbers = validate.aggregates(files, seen=5, checks=COUNTS, new_checks=fresh, parent_decisions=parent)
    assert (numbers.new_stories, numbers.new_duplicates, numbers.new_quarantined) == new
    assert (numbers.new_characters, numbers.characters, numbers.new_boilerplate_checked) == (10, 900, 0)


def test_a_file_that_both_snapshots_have_is_not_read_to_tell_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names end in the content's hash: what has the same name is the same, wherever it lies."""
    tables = snapshot()
    (tmp_path / "parent").mkdir()
    parent = write_snapshot(tmp_path / "parent", **tables)
    tables["decisions"][4] |= {"recipe": "r2"}  # in the first of the two files
    files = write_snapshot(tmp_path, **tables)
    read: list[Path] = []
    whole = pq.ParquetFile

    def noted(path: Path) -> Any:
        read.append(path)
        return whole(path)

    monkeypatch.setattr(pq, "ParquetFile", noted)
    numbers = validate.aggregates(files, seen=5, checks=COUNTS, parent_decisions=parent["decisions"])
    assert (numbers.new_stories, numbers.new_duplicates, numbers.new_quarantined) == (1, 0, 1)
    assert [path for path in read if path.parent.name == "parent"] == parent["decisions"][:1]


ids = st.sampled_from("abcdef")
decisions = st.lists(
    st.fixed_dictionaries(
        {
            "story_id": ids,
            "outcome": st.sampled_from(["kept", "duplicate", "quarantined"]),
            "duplicate_of": st.none() | ids,
            "cluster_id": st.none() | ids,
            "recipe": st.sampled_from(["r1", "r2"]),
        }
    ),
    max_size=8,
)
placed = st.lists(st.fixed_dictionaries({"story_id": ids, "copies": st.none() | st.integers(1, 3)}), max_size=5)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # files are written
@given(decisions, st.tuples(placed, placed, placed), decisions)
def test_any_damage_is_counted_as_plain_python_counts_it(
    decided: list[dict[str, Any]], tables: tuple[list[dict[str, Any]], ...], before: list[dict[str, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (parent := Path(folder) / "parent").mkdir()
        stories, duplicates, quarantine = ([{"story_id": row["story_id"]} for row in rows] for rows in tables)
        written = {"stories": tables[0], "duplicates": duplicates, "quarantine": quarantine}
        numbers = validate.aggregates(
            write_snapshot(Path(folder), decided, **written),
            seen=4,
            checks=COUNTS,
            parent_decisions=write_snapshot(parent, before)["decisions"],
        )
    of = {name: [row for row in decided if row["outcome"] == name] for name in ("kept", "duplicate", "quarantined")}
    gap = abs(4 - len(decided))
    for rows, there in zip((stories, duplicates, quarantine), of.values(), strict=True):
        left, right = [row["story_id"] for row in rows], [row["story_id"] for row in there]
        gap += len(left) + len(right) - 2 * len(set(left) & set(right))
    kept = {row["story_id"] for row in of["kept"]}
    clusters = Counter(row["cluster_id"] for row in decided if row["cluster_id"])
    assert numbers.conservation_gap == gap
    assert numbers.duplicate_ids == len(decided) - len({row["story_id"] for row in decided})
    assert numbers.dangling_duplicates == sum(row["duplicate_of"] not in kept for row in of["duplicate"])
    assert numbers.stray_clusters == sum(row["cluster_id"] != row["story_id"] for row in of["kept"]) + sum(
        row["cluster_id"] is None or row["cluster_id"] != row["duplicate_of"] for row in of["duplicate"]
    )
    assert numbers.copies_gap == abs(sum(row["copies"] or 0 for row in tables[0]) - len(of["kept"]) - len(of["duplicate"]))
    assert numbers.largest_cluster == max(clusters.values(), default=0)
    assert (numbers.decisions, numbers.kept, numbers.duplicates, numbers.quarantined) == (len(decided), *map(len, of.values()))
    known = {(row["story_id"], row["recipe"]) for row in before}
    new = [row["outcome"] for row in decided if (row["story_id"], row["recipe"]) not in known]
    assert (numbers.new_stories, numbers.new_duplicates, numbers.new_quarantined) == (
        len(new),
        new.count("duplicate"),
        new.count("quarantined"),
    )


def test_aggregates_survive_the_manifest_and_older_and_newer_ones() -> None:
    written = json.loads(json.dumps(SOUND.to_json()))
    assert validate.Aggregates.from_json(written) == SOUND
    del written["kept"]
    assert validate.Aggregates.from_json(written | {"of_tomorrow": 1}).kept == 0


# ---- gate --------------------------------------------------------------------------------------------------------------------------------


def test_every_rule_has_its_case_and_every_column_is_observed() -> None:
    assert list(BREAKS) == NAMES["run"]
    assert list(observations(SOUND, PARENT, GATE)) == list(validate.AGGREGATE_COLUMNS)
    assert None not in observations(SOUND, PARENT, GATE).values()


def test_a_sound_run_passes(run: validate.Suite) -> None:
    verdict = validate.gate(SOUND, PARENT, run, GATE)
    assert verdict.passed
    assert {result.status for result in verdict.results} == {"passed"}
    assert verdict.messages() == ()
    assert json.loads(json.dumps(verdict.to_json()))["passed"] is True


@pytest.mark.parametrize("name", NAMES["run"])
def test_every_rule_is_seen_failing(run: validate.Suite, name: str) -> None:
    verdict = validate.gate(changed(SOUND, **BREAKS[name]), PARENT, run, GATE)
    critical = SEVERITY[name] == "critical"
    assert name in failed(verdict, "failed" if critical else "warned")
    result = next(result for result in verdict.results if result.name == name)
    assert f"{name}: " in result.message
    assert "the limit of" in result.message
    assert next(rule.do for rule in run.rules if rule.name == name) in result.message
    assert (f"--accept {name}" in result.message) == critical
    if critical:
        assert failed(verdict) == [name], "a rule's case should break that critical rule alone"
        assert not verdict.passed
        accepted = validate.gate(changed(SOUND, **BREAKS[name]), PARENT, run, GATE, frozenset({name}))
        assert accepted.passed
        assert failed(accepted, "accepted") == [name]
        assert result.observed == next(other.observed for other in accepted.results if other.name == name)


@pytest.mark.parametrize("name", [name for name in NAMES["run"] if SEVERITY[name] == "critical"])
def test_a_first_run_fails_on_structure_alone(run: validate.Suite, name: str) -> None:
    verdict = validate.gate(changed(SOUND, **BREAKS[name]), None, run, GATE)
    structural = next(rule.column for rule in run.rules if rule.name == name) in STRUCTURE
    assert failed(verdict) == ([name] if structural else [])
    if not structural:
        assert "no parent snapshot" in next(result.message for result in verdict.results if result.name == name)


def test_the_worst_rates_only_warn_on_a_first_run(run: validate.Suite) -> None:
    worst = {"kept": 0, "quarantined": 9_000, "duplicates": 8_999, "largest_cluster": 9_000, "characters_removed": 10**9}
    worst |= {"boilerplate_left": 9_950, "mojibake_left": 9_950}
    verdict = validate.gate(changed(SOUND, **worst), None, run, GATE)
    assert verdict.passed
    assert failed(verdict, "warned") == [name for name in NAMES["run"] if SEVERITY[name] == "warning"]
    assert all("--accept" not in message for message in verdict.messages())


@pytest.mark.parametrize(("rates_from", "refused"), [(1_999, True), (2_000, False)])
def test_rates_are_compared_above_rates_from_only(run: validate.Suite, rates_from: int, refused: bool) -> None:
    bad = changed(SOUND, new_boilerplate_left=1_990)
    verdict = validate.gate(bad, PARENT, run, settings.load(overrides=[f"gate.rates_from={rates_from}"]).gate)
    assert failed(verdict) == (["boilerplate_residue_change"] if refused else [])
    if not refused:
        assert "2,000 stories are new; rates are compared above 2,000" in " ".join(verdict.messages("not compared"))


def test_a_bad_hour_is_seen_in_a_large_dataset(run: validate.Suite) -> None:
    large = validate.Aggregates(**{name: number * 100 for name, number in SOUND.to_json().items()})
    hour = {"new_stories": 1_500, "new_quarantined": 15, "new_duplicates": 300, "new_mojibake_checked": 1_485, "new_mojibake_left": 1_200}
    now = changed(large, **hour, mojibake_left=large.mojibake_left + 1_200)
    assert failed(validate.gate(now, large, run, GATE)) == ["mojibake_residue_change"]


def test_accepting_an_unknown_rule_is_refused(run: validate.Suite) -> None:
    with pytest.raises(ValueError, match="--accept conservatoin: there is no such rule; rules are conservation"):
        validate.gate(SOUND, PARENT, run, GATE, frozenset({"conservatoin"}))


def test_accepting_one_rule_does_not_accept_another(run: validate.Suite) -> None:
    both = changed(SOUND, **BREAKS["conservation"], **BREAKS["kept_change"])
    verdict = validate.gate(both, PARENT, run, GATE, frozenset({"kept_change"}))
    assert not verdict.passed
    assert (failed(verdict), failed(verdict, "accepted")) == (["conservation"], ["kept_change"])


# ---- data docs, quiet --------------------------------------------------------------------------------------------------------------------


def test_data_docs_need_no_network_and_show_every_rule(
    tmp_path: Path, stories: validate.Suite, run: validate.Suite, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("data docs reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    counts = validate.check(stripped({}, *FAILS.values()), stories)[1]
    verdict = validate.gate(changed(SOUND, copies_gap=3), None, run, GATE)
    index = validate.data_docs(stories, counts, run, verdict, tmp_path / "docs", name="2026-11-22", at=dt.datetime.now(dt.UTC))
    assert index == tmp_path / "docs" / "index.html"
    assert index.is_file()
    pages = "".join(path.read_text(encoding="utf-8") for path in index.parent.rglob("*.html"))
    for name in (*NAMES["stories"], *NAMES["run"]):
        assert f"{name} ({SEVERITY[name]}): " in pages
    assert "copies_gap is 3, 3 above the limit of 0" in pages
    assert capfd.readouterr() == ("", "")
    assert validate.check(stripped(FAILS["text_has_words"]), stories)[0]["reason"].to_pylist() == ["text_has_words"]


def test_the_room_is_light_until_used_and_quiet_when_used() -> None:
    script = (
        "import sys; from tasks import validate; assert 'great_expectations' not in sys.modules; import test_validate as t; "
        "validate.check(t.stripped({}, *t.FAILS.values()), validate.load_suite('stories')); "
        "validate.gate(t.SOUND, None, validate.load_suite('run'), t.GATE)"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths}
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- real stories ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.benchmark
def test_no_real_story_is_quarantined(stories: validate.Suite) -> None:
    """Gold bodies of every benchmark set; broken encodings too, since they are repair's to judge and not a reason to throw away."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"no benchmark data at {SHARED}; set COPYDESK_BENCHMARKS")
    texts: list[str] = pq.read_table(SHARED / "data/background/stories.parquet", columns=["text"])["text"].to_pylist()[:1_500]
    for name, key in (
        ("boilerplate/articles_2019", "gold"),
        ("boilerplate/news_2023_2026", "gold"),
        ("encoding/mojibake", "text"),
        ("encoding/mojibake", "gold"),
    ):
        with gzip.open(SHARED / "data" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)[key] for line in lines]
    rows = [{"text": text, "word_count": max(len(text.split()), 3)} for text in texts]
    table, _ = validate.check(stripped(*rows), stories)
    assert [row for row in table.select(["reason", "detail"]).to_pylist() if row["reason"]] == []
