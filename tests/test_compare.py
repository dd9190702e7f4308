"""`compare`: it gives the verdict that the run gives, whatever way the two are named, and says why."""

from __future__ import annotations

import io
import itertools
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, copydesk
from matching import DERIVATIVE, NEAR, families
from rich.cells import cell_len
from rich.console import Console

from flows import terminal
from flows.compare import UnknownError, compare
from tasks import fingerprint, schema, settings, verdict
from tasks.verdict import measures, stories, words
from tasks.verdict.case import Case

KNOBS = settings.load()
AUDIT = ROOT / "raw/ardmoor-chronicle/estwick-flood-gates-audit.txt"
REWRITE = ROOT / "raw/calder-daily/flood-barrier-leaked-report.txt"
FEED = ROOT / "raw/feeds/newsferry-2025-10-29.jsonl.gz"
SCORES = ("probability", "jaccard", "weighted_jaccard")


def decisions(curated: Path) -> dict[str, dict[str, Any]]:
    return {row["story_id"]: row for row in pq.read_table(curated / "latest" / "decisions").to_pylist()}


def as_file(row: dict[str, Any]) -> str:
    """How a record of the sample is named as a file: with its id when the file has several."""
    path = ROOT / "raw" / row["raw_uri"]
    return f"{path}#{row['raw_id']}" if path.parent.name == "feeds" else str(path)


# ---- the verdict is the run's ------------------------------------------------------------------------------------------


@pytest.mark.prefect
def test_every_duplicate_of_the_sample_is_judged_as_the_run_judged_it(prefect_server: None, sample_run: Path) -> None:
    del prefect_server
    rows = decisions(sample_run)
    duplicates = [row for row in rows.values() if row["outcome"] == "duplicate"]
    assert {row["relation"] for row in duplicates} == {"exact", "near", "derivative"}
    for row in duplicates:
        kept = rows[row["duplicate_of"]]
        by_id = compare(row["story_id"], kept["story_id"], sample_run, KNOBS)
        by_file = compare(as_file(row), as_file(kept), Path("nowhere"), KNOBS)
        for found in (by_id, by_file):
            mine = found["verdict"] | found["similarity"]
            assert mine["relation"] == row["relation"]
            # a file's story_id is another, so the judge may take the two the other way round
            for name in SCORES:
                assert mine[name] == (row[name] if found is by_id else pytest.approx(row[name], abs=1e-3))
            assert (mine["containment_a"], mine["coverage_a"]) == (row["containment"], row["coverage"])
            assert (mine["kept"], mine["kept_reason"], mine["proposed"]) == ("b", row["reason"], True)
            assert [len(one["text"].split()) for one in found["passages"][:5]] == [len(one["text"].split()) for one in row["evidence"]]
        assert [{name: one[name] for name in ("text", "other_text")} for one in by_id["passages"][:5]] == row["evidence"]
        assert (by_id["a"]["outcome"], by_id["b"]["outcome"], by_file["a"]["outcome"]) == ("duplicate", "kept", None)
        for name in ("source", "title", "byline", "published_at", "word_count", "text"):
            assert [by_id[side][name] for side in "ab"] == [by_file[side][name] for side in "ab"]


@pytest.mark.prefect
def test_kept_stories_are_two_stories(prefect_server: None, sample_run: Path) -> None:
    del prefect_server
    kept = sorted(name for name, row in decisions(sample_run).items() if row["outcome"] == "kept")
    for a, b in list(itertools.combinations(kept, 2))[::9]:
        found = compare(a, b, sample_run, KNOBS)
        assert found["verdict"]["relation"] is None
        assert {one["tier"] for one in found["barriers"]} == {"near", "derivative"}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """Pairs of four invented families, every relation and kind of other story among them."""
    table = fingerprint.fingerprint(pa.Table.from_pylist(families()[:32], schema=schema.CHECKED), NEAR, DERIVATIVE)
    return [Case(stories.of(table.take(pa.array(pair))), NEAR, DERIVATIVE) for pair in itertools.combinations(range(len(table)), 2)]


def test_barriers_and_evidence_agree_with_every_verdict(cases: list[Case]) -> None:
    seen = set()
    for case in cases:
        judged, tiers = case.judgement, [one.tier for one in case.barriers()]
        seen.add(judged.relation)
        expected = {"exact": set(), "near": set(), "derivative": {"near"}, None: {"near", "derivative"}}
        assert set(tiers) == expected[judged.relation], (judged.a, judged.b)
        total = sum(one.contribution for one in case.evidence())
        if judged.coverage_a is not None and judged.relation in (None, "derivative"):
            assert 1 / (1 + math.exp(-total)) == pytest.approx(judged.probability)
        leaning = sum(one.contribution for one in case.source_evidence(("A", "B")))
        if judged.coverage_a is not None:
            straight = case.found.table["story_id"][0].as_py() == judged.a
            assert 1 / (1 + math.exp(-leaning)) == pytest.approx(judged.source_a if straight else 1 - judged.source_a)
    assert seen >= {"near", "derivative", None}


def test_every_measure_has_a_sentence() -> None:
    model = verdict.load_model()
    assert set(words.MEASURES) == set(model.rewrite)
    assert set(words.LEANINGS) == set(model.source)
    for name, sentence in words.MEASURES.items():
        assert sentence(0.0) != sentence(1.0) or name == "intercept"
    for for_a, for_b, neither in words.LEANINGS.values():
        assert len({for_a.format(a="A", b="B"), for_b.format(a="A", b="B"), neither}) == 3


def test_a_measure_without_a_sentence_is_an_error(cases: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(words.MEASURES, "figures")
    with pytest.raises(KeyError, match="figures"):
        cases[0].evidence()


def test_the_order_of_the_two_changes_sides_and_nothing_else() -> None:
    one, other = (compare(str(a), str(b), Path("nowhere"), KNOBS) for a, b in ((AUDIT, REWRITE), (REWRITE, AUDIT)))
    assert (one["verdict"]["source"], other["verdict"]["source"]) == ("a", "b")
    assert (one["verdict"]["words"], other["verdict"]["words"]) == (
        "rewrite: B tells A in other words",
        "rewrite: A tells B in other words",
    )
    for name in ("probability", "source_probability", "rewrite_probability", "proposed", "kept_reason"):
        assert one["verdict"][name] == other["verdict"][name]
    assert one["similarity"]["coverage_a"] == other["similarity"]["coverage_b"]
    assert one["similarity"]["containment_a"] == other["similarity"]["containment_b"]
    assert {e["name"]: e["value"] for e in one["source_evidence"]} == pytest.approx(
        {e["name"]: -e["value"] for e in other["source_evidence"]}
    )


def test_passages_stand_where_they_say() -> None:
    found = compare(str(AUDIT), str(REWRITE), Path("nowhere"), KNOBS)
    assert len(found["passages"]) > 5
    for one in found["passages"]:
        assert found["a"]["text"][one["start"] :].startswith(one["text"])
        assert found["b"]["text"][one["other_start"] :].startswith(one["other_text"])
    lengths = [len(one["text"].split()) for one in found["passages"]]
    assert lengths[0] == max(lengths)


# ---- why a pair was set aside ------------------------------------------------------------------------------------------


def barriers(a: str, b: str, *overrides: str) -> set[str]:
    return {one["name"] for one in compare(a, b, Path("nowhere"), settings.load(None, overrides))["barriers"]}


def test_why_two_are_two_stories() -> None:
    results = (f"{FEED}#sj-20251028-aldm", f"{FEED}#sj-20251029-pnnk")
    assert barriers(*results) == {"other_wording", "same_source"}
    assert barriers(*results, "near.jaccard=0.1") == {"template", "same_source"}
    assert barriers(*results, "near.jaccard=0.1", "near.details=0", "near.later_details=0") == set()
    assert barriers(*results, "derivative.same_source=true") == {"other_wording", "improbable"}
    assert barriers(*results, "derivative.same_source=true", "derivative.min_terms=9999") == {"other_wording", "too_short"}
    assert barriers(*results, "derivative.enabled=false") >= {"switched_off"}
    assert barriers(str(AUDIT), results[0]) == {"other_wording", "no_resemblance"}
    assert barriers(str(AUDIT), str(REWRITE)) == {"other_wording"}


def test_measures_are_shown_of_a_pair_that_was_not_read() -> None:
    found = compare(str(AUDIT), f"{FEED}#0", Path("nowhere"), KNOBS)
    assert found["verdict"]["probability"] == 0
    assert found["evidence"][0]["name"] == "intercept"
    assert {one["name"] for one in found["evidence"]} == set(words.MEASURES)
    assert found["verdict"]["source"] is None


# ---- naming the two ----------------------------------------------------------------------------------------------------


@pytest.fixture
def file_of_three(tmp_path: Path) -> Path:
    text = "The ferry to the islands was late again on Monday, and nobody at the pier of {} said why to the {} passengers."
    rows = [{"id": name, "text": text.format(name, 100 + i)} for i, name in enumerate(["anse", "borg", "borg"])]
    path = tmp_path / "three # ferries.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_record_is_named_by_number_or_id(file_of_three: Path) -> None:
    for name in ("#0", "#anse"):
        assert compare(f"{file_of_three}{name}", f"{file_of_three}#1", Path("nowhere"), KNOBS)["a"]["raw_id"] == "anse"
    assert "102 passengers" in compare(f"{file_of_three}#0", f"{file_of_three}#2", Path("nowhere"), KNOBS)["b"]["text"]
    assert compare(str(AUDIT), f"{AUDIT}#0", Path("nowhere"), KNOBS)["verdict"]["relation"] == "exact"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "has 3 records; name one by its number or its id"),
        ("#borg", "has 2 records with the id 'borg'; name one by its number or its id:\n  {}#1  borg  The ferry"),
        ("#7", "has no record '7' among its 3"),
        ("#carl", "has no record 'carl' among its 3"),
    ],
)
def test_what_names_no_record_or_several_says_what_there_is(file_of_three: Path, name: str, message: str) -> None:
    with pytest.raises(UnknownError, match=re.escape(message.format(file_of_three))):
        compare(f"{file_of_three}{name}", str(AUDIT), Path("nowhere"), KNOBS)


def test_one_thing_twice_is_no_error(file_of_three: Path) -> None:
    found = compare(f"{file_of_three}#1", f"{file_of_three}#1", Path("nowhere"), KNOBS)
    assert (found["verdict"]["relation"], found["verdict"]["kept"]) == ("exact", None)
    assert "A and B are the same record" in found["notes"]


def test_equal_files_in_two_folders_are_two_records(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_bytes(AUDIT.read_bytes())
    found = compare(str(tmp_path / "one" / "a.txt"), str(tmp_path / "two" / "a.txt"), Path("nowhere"), KNOBS)
    assert found["verdict"]["relation"] == "exact"
    assert found["verdict"]["kept_reason"] == "tie"


def test_a_file_of_many_shards_keeps_its_order(tmp_path: Path) -> None:
    rows = [{"text": f"The ferry to the islands was late again on Monday, said {number} passengers."} for number in range(12)]
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    knobs = settings.load(None, ["run.shard_rows=2"])
    assert "said 7 passengers" in compare(f"{path}#7", f"{path}#0", Path("nowhere"), knobs)["a"]["text"]
    from flows.explain import cleaned

    assert [row["raw_id"] for row in cleaned(path, knobs)] == [f"many#{number}" for number in range(12)]


@pytest.mark.prefect
def test_ids_of_the_snapshot(prefect_server: None, sample_run: Path) -> None:
    del prefect_server
    with pytest.raises(UnknownError, match=r"'qo-9913' is the raw_id of 2 records; name one by its story_id:\n  [0-9a-f]{32}  "):
        compare("qo-9913", "gondola-night", sample_run, KNOBS)
    with pytest.raises(UnknownError, match="no record of that raw_id or story_id in "):
        compare("nobody", "gondola-night", sample_run, KNOBS)
    with pytest.raises(UnknownError, match="no file nobody, and no snapshot under nowhere"):
        compare("nobody", "gondola-night", Path("nowhere"), KNOBS)
    with pytest.raises(UnknownError, match=r"IMG_0412 was put in quarantine by ingest \(binary\) and has no text to compare"):
        compare("IMG_0412", "gondola-night", sample_run, KNOBS)
    mixed = compare("estwick-flood-gates-audit", str(REWRITE), sample_run, KNOBS)
    assert mixed["verdict"]["relation"] == "derivative"
    assert mixed["notes"] == []


@pytest.mark.prefect
def test_a_quarantined_record_is_compared_and_said_to_be_one(prefect_server: None, sample_run: Path) -> None:
    del prefect_server
    found = compare("qo-9915", f"{FEED}#qo-9915", sample_run, KNOBS)
    assert found["notes"][0].startswith("A was put in quarantine by strip (no_story")
    assert found["notes"][1].startswith("B would be put in quarantine by strip (no_story")
    assert found["verdict"]["relation"] == "exact"
    assert found["verdict"]["kept"] is None


@pytest.mark.prefect
def test_another_recipe_than_the_snapshot_s_is_said(prefect_server: None, sample_run: Path) -> None:
    del prefect_server
    found = compare("gondola-night", "rope-by-rope", sample_run, settings.load(None, ["near.jaccard=0.7"]))
    assert "settings.near.jaccard: 0.5 -> 0.7" in found["notes"][0]


# ---- what people and programs see --------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 160, 400])
@pytest.mark.parametrize(("a", "b"), [(AUDIT, REWRITE), (ROOT / "raw/shiomi-shimpo/haiko-moba-kyoten.txt", AUDIT), (AUDIT, AUDIT)])
def test_it_fits_the_terminal(a: Path, b: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "out", Console(file=io.StringIO(), width=width, highlight=False, soft_wrap=True))
    terminal.comparison(compare(str(a), str(b), Path("nowhere"), KNOBS))
    shown = terminal.out.file.getvalue()  # type: ignore[attr-defined]
    assert max(cell_len(line) for line in shown.splitlines()) <= min(width, terminal.WIDEST)
    side_by_side = re.search(r"^A +B", shown, re.MULTILINE) is not None
    assert side_by_side == (width >= 80 and (a, b) == (AUDIT, REWRITE))
    assert "\x1b" not in shown


def test_colour_on_a_terminal_and_nothing_that_commands_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), width=100, highlight=False, force_terminal=True, color_system="standard")
    monkeypatch.setattr(terminal, "out", console)
    evil = tmp_path / "evil.jsonl"
    evil.write_text(json.dumps({"title": "Ring \x1b]0;owned\x07 the [bold]bell[/bold]", "text": AUDIT.read_text(encoding="utf-8")}))
    terminal.comparison(compare(str(evil), str(AUDIT), Path("nowhere"), KNOBS))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1" in shown
    assert "\x1b]" not in shown
    assert "[bold]bell[/bold]" in shown


def test_the_command_prints_plain_text_and_json() -> None:
    done = copydesk("compare", AUDIT, REWRITE, "--curated", "nowhere")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rewrite: B tells A in other words\nprobability that they are one story: 99")
    assert "\x1b" not in done.stdout
    for said in ("of the figures one text tells stand in the other", "[Someone decided that", "near.containment", "Isla Penhallow"):
        assert said in done.stdout
    found = json.loads(copydesk("compare", AUDIT, REWRITE, "--curated", "nowhere", "--json").stdout)
    assert set(found) == {"a", "b", "verdict", "similarity", "evidence", "source_evidence", "barriers", "passages", "caveat", "notes"}
    assert found["a"]["published_at"] == "2025-03-10"
    again = copydesk("compare", AUDIT, AUDIT, "--curated", "nowhere")
    assert again.returncode == 0
    assert again.stdout.startswith("exact copy")


def test_a_reader_that_leaves_early_is_no_failure() -> None:
    command = [sys.executable, "-m", "flows.command_line", "compare", str(AUDIT), str(REWRITE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.txt", str(AUDIT)], "no file nothing.txt"),
        ([str(AUDIT), "raw/feeds"], "raw/feeds is a folder"),
        ([str(AUDIT), "raw/calder-daily/IMG_0412.txt"], "has no text to compare: the bytes are no text"),
        ([str(AUDIT), "Makefile"], "not a format that can be read"),
        ([str(AUDIT), str(FEED)], "has 6 records; name one"),
        ([str(AUDIT), str(REWRITE), "--set", "near.jaccard=7"], "near.jaccard = 7 is not allowed"),
        ([str(AUDIT), str(REWRITE), "--set", "derivative.rarity=none.parquet"], "none.parquet cannot be read"),
        ([str(AUDIT)], "required: B"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(arguments: list[str], message: str) -> None:
    done = copydesk("compare", *arguments, "--curated", "nowhere")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_measures_are_those_of_the_model() -> None:
    """The names that the sentences go by are those that are measured."""
    assert set(words.MEASURES) - {"intercept"} <= set(_measured(measures.measures))
    assert set(words.LEANINGS) <= set(_measured(measures.leanings))


def _measured(function: Any) -> list[str]:
    import inspect

    return re.findall(r'^\s+"(\w+)":', inspect.getsource(function), re.MULTILINE)
