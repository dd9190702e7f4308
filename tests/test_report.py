"""The report: its data against plain Python, its bounds, and that no text can leave it as anything but text."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from flows.command_line import main
from tasks import files, report, schema, snapshots
from tasks.boilerplate.lines import count_words
from tasks.cluster import policy
from tasks.report import charts, clusters, lists
from tasks.report.scan import scan
from tasks.report.words import REASONS, reason, said
from tasks.verdict.words import SCORES

ORDER = ("stage", "reason", "raw_uri", "place")
MONTHS = ("2031-01.0-of-1.aa", "2031-02.0-of-1.bb", "unknown.0-of-1.cc")
LINES = ("Subscribe", "Read more", "Photo: Ada Quill", "Share this", "More from Lowmoor")
SOURCES = ("Lowmoor Post", "Estwick Echo", None)
GROUP = 50
Tables = dict[str, list[dict[str, Any]]]


def write(snapshot: Path, table: str, rows: list[dict[str, Any]]) -> None:
    """The rows over three files, as months are; columns not given are empty."""
    nullable = pa.schema([field.with_nullable(nullable=True) for field in schema.TABLES[table]])
    for number, name in enumerate(MONTHS):
        made = pa.Table.from_pylist(rows[number :: len(MONTHS)], nullable)
        files.write_table(made, snapshot / table / f"{name}.parquet", row_group_size=GROUP)


def data(page: Path) -> list[Any]:
    """What the scripts of a report push, in their order."""
    told = []
    for number, path in enumerate(files.inside(page.parent / "data", ".js")):
        script = path.read_text(encoding="utf-8")
        assert script.startswith(f"copydesk.push({number}, ")
        told.append(json.loads(script.removeprefix(f"copydesk.push({number}, ").removesuffix(")\n")))
    return told


def removed(number: int) -> list[dict[str, Any]]:
    lines = [*LINES[: number % (len(LINES) + 1)], f"Line {number // 3} of its own", "長い行です"]
    return [{"rule": "share" if n % 2 else "tags", "zone": "tail", "line": n, "text": line} for n, line in enumerate(lines)]


def repairs(number: int) -> list[dict[str, Any]]:
    edit = {"step": 0, "field": "text", "start": number, "end": number + 3, "before": "Ã©" * (number % 4 + 1), "after": "é", "fix": "f"}
    return [edit] * (number % 3)


def text(number: int) -> str:
    return f"\U0001f5de The harbour office of ward {number} said so.\n\nas {number} has it\n\nNobody else did."


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """900 records: every fourth to sixth is a duplicate of the third, some are in quarantine."""
    folder = tmp_path_factory.mktemp("snapshot")
    return folder, fill(folder)


def fill(folder: Path) -> Tables:
    tables: Tables = {"decisions": [], "stories": [], "duplicates": [], "quarantine": []}
    for number in range(900):
        story, kept = f"{number:032x}", f"{number - number % 6 + 2:032x}"
        row: dict[str, Any] = {"story_id": story, "raw_id": f"r{number}", "raw_uri": f"{number % 7}.jsonl", "title": f"Title {number}"}
        texts: dict[str, Any] = {
            "source": SOURCES[number % 3],
            "removed": removed(number),
            "repairs": repairs(number),
            "text": text(number),
        }
        texts |= {"word_count": 15, "cluster_id": kept if number % 6 > 2 else story}
        if number % 6 > 2:
            found: dict[str, Any] = {"jaccard": 0.5, "containment": 0.5, "weighted_jaccard": 0.25, "coverage": 1.0}
            found |= {"probability": 0.5 + number % 100 / 200, "relation": ("exact", "near", "derivative")[number % 3]}
            found |= {"duplicate_of": kept, "cluster_id": kept, "reason": "earlier"}
            shared = {"text": f"as {number} has it", "other_text": f"as {number - number % 6 + 2} has it"}
            tables["decisions"].append(row | {"outcome": "duplicate", "evidence": [shared]} | found)
            tables["duplicates"].append(row | texts)
        elif number % 75 == 0:
            fault = {"stage": "ingest" if number == 0 else "check", "reason": "no_text" if number < 300 else "text_has_words"}
            tables["decisions"].append(row | {"outcome": "quarantined"} | fault)
            tables["quarantine"].append(row | fault | {"place": f"line {number}"})
        else:
            tables["decisions"].append(row | {"outcome": "kept"})
            tables["stories"].append(row | texts | {"copies": 4 if number % 6 == 2 else 1})
    for name, rows in tables.items():
        write(folder, name, rows)
    return tables


def manifest(folder: Path, **more: Any) -> dict[str, Any]:
    counts = report.counts(folder, files=7, records=900)
    return {
        "snapshot": "s",
        "run": {"raw": "raw", "started": "2031-03-01T05:00:00+00:00"},
        "counts": counts,
        "gate": {"results": []},
    } | more


# ---- against plain Python ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "names"), [("removed", ("rule", "text")), ("repairs", ("before", "after", "fix"))])
def test_the_most_frequent_are_those_that_plain_python_counts(snapshot: tuple[Path, Tables], column: str, names: tuple[str, ...]) -> None:
    folder, tables = snapshot
    having: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in [*tables["stories"], *tables["duplicates"]]:
        for item in row[column]:
            having[tuple(item[name] for name in names)].append(row["story_id"])
    counted = Counter({item: len(ids) for item, ids in having.items()})
    scanned = scan(folder)
    found, number = lists.frequent(column, getattr(scanned, {"removed": "removed", "repairs": "repaired"}[column]))
    assert number == len(counted)
    assert len(found) == min(number, lists.SHOWN)
    assert all(counted[item] == times for times, item, _ in found)
    assert [times for times, *_ in found] == sorted(counted.values(), reverse=True)[: len(found)]
    assert found == sorted(found, key=lambda row: (-row[0], row[1]))
    titles = {row["story_id"]: (row["title"], row["source"]) for row in [*tables["stories"], *tables["duplicates"]]}
    for _, item, examples in found:
        ids = [one["id"] for one in examples]
        assert set(ids) <= set(having[item])
        assert 1 <= len(set(ids)) == len(ids) <= lists.EXAMPLES
        assert [(one["name"], one["source"]) for one in examples] == [titles[one] for one in ids]


def test_sources_are_counted_as_plain_python_counts_them(snapshot: tuple[Path, Tables]) -> None:
    folder, tables = snapshot
    source = {row["story_id"]: row["source"] for row in [*tables["stories"], *tables["duplicates"]]}
    wanted: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
    for name in ("stories", "duplicates"):
        for row in tables[name]:
            wanted[row["source"]][name] += 1
            wanted[row["source"]]["words"] += row["word_count"]
            wanted[row["source"]]["removed"] += sum(count_words(line["text"]) for line in row["removed"])
    for row in tables["decisions"]:
        if row["outcome"] == "duplicate":
            mine, kept = source[row["story_id"]], source[row["duplicate_of"]]
            if mine == kept and mine is not None:
                wanted[mine]["versions"] += 1
            else:
                wanted[kept]["given"] += 1
                wanted[mine]["taken"] += 1
    wanted[None]["quarantined"] = len(tables["quarantine"])  # each raw file has stories of several sources
    told = lists.sources(scan(folder))
    assert told["all"] == len(wanted) == 3
    for row in told["rows"]:
        counted = wanted[row["source"]]
        assert {name: row[name] for name in row if name not in ("source", "share")} == {
            name: counted[name] for name in ("stories", "duplicates", "given", "taken", "versions", "quarantined")
        }
        assert row["share"] == round(counted["removed"] / (counted["removed"] + counted["words"]), 4)


def test_quarantined_records_are_of_the_source_that_their_file_has_alone(tmp_path: Path) -> None:
    row = {"title": "T", "text": "x", "removed": [], "repairs": [], "word_count": 1, "copies": 1}
    stories = [
        row | {"story_id": f"{n:032x}", "raw_uri": uri, "source": source}
        for n, (uri, source) in enumerate([("a", "Post"), ("a", "Post"), ("b", "Post"), ("b", "Echo")])
    ]
    faults = [
        {"story_id": f"{n:032x}", "raw_uri": uri, "stage": "check", "reason": "r", "place": ""} for n, uri in enumerate("aabc", start=9)
    ]
    tables: Tables = {"stories": stories, "duplicates": [], "decisions": [], "quarantine": faults}
    for name, rows in tables.items():
        write(tmp_path, name, rows)
    told = {row["source"]: row["quarantined"] for row in lists.sources(scan(tmp_path))["rows"]}
    assert told == {"Post": 2, "Echo": 0, None: 2}


def test_the_funnel_adds_up(snapshot: tuple[Path, Tables]) -> None:
    folder, tables = snapshot
    counts = report.counts(folder, files=7, records=900)
    assert counts == {
        "files": 7,
        "records": 900,
        "quarantined": {"ingest": {"no_text": 1}, "check": {"text_has_words": 4, "no_text": 1}},
        "duplicates": {"derivative": 150, "exact": 150, "near": 150},
        "kept": len(tables["stories"]),
    }
    assert list(counts["quarantined"]) == ["ingest", "check"], "in the order of the stages"
    assert list(counts["quarantined"]["check"]) == ["text_has_words", "no_text"], "most first"
    assert counts["kept"] + 450 + len(tables["quarantine"]) == 900


def test_the_data_hold_what_the_tables_hold(snapshot: tuple[Path, Tables]) -> None:
    folder, tables = snapshot
    page = report.write(folder, manifest(folder), why={"share": "asks to share"})
    told, *parts = data(page)
    assert told["clusters_in_all"] == len(told["clusters"]) == 150
    assert [row["why"] for row in told["removed"]["rules"]] == ["", "asks to share"]
    whole = {cluster["id"]: cluster for part in parts for cluster in part}
    assert [one["id"] for one in told["clusters"]] == list(whole), "in one order"
    decided = {row["story_id"]: row for row in tables["decisions"]}
    kept = {row["story_id"]: row for row in tables["stories"] if row["copies"] > 1}
    assert set(whole) == set(kept)
    for head in told["clusters"]:
        cluster = whole[head["id"]]
        assert cluster in parts[head["part"] - 1]
        members = [row for row in tables["duplicates"] if row["cluster_id"] == head["id"]]
        assert {one["id"] for one in cluster["members"]} == {row["story_id"] for row in members}
        assert (head["size"], head["title"]) == (4, kept[head["id"]]["title"])
        assert head["lowest"] == round(min(decided[row["story_id"]]["probability"] for row in members), 4)
        assert cluster["kept"]["text"] == kept[head["id"]]["text"]
        for member in cluster["members"]:
            decision = decided[member["id"]]
            assert (member["relation"], member["why"]) == (decision["relation"], REASONS["earlier"])
            assert member["said"] == said(decision, 5)
            if member["relation"] == "exact":
                assert (member["text"], member["marks"]) == (None, [])
                continue
            (mark,) = member["marks"]
            units = [story["text"].encode("utf-16-le") for story in (member, cluster["kept"])]
            shared = [units[side][2 * mark[2 * side] : 2 * mark[2 * side + 1]].decode("utf-16-le") for side in (0, 1)]
            assert shared == list(decision["evidence"][0].values())
    listed = told["quarantine"]["rows"]
    assert [[row[name] for name in ORDER] for row in listed] == sorted([row[name] for name in ORDER] for row in tables["quarantine"])
    assert told["quarantine"]["all"] == len(listed)


# ---- since the parent -------------------------------------------------------------------------------------------------


def test_what_is_new_is_told_with_its_headline_and_marked(tmp_path: Path) -> None:
    """Two stories are added, one has another copy, one another text, one went, one is told by another now."""
    now, parent = tmp_path / "now", tmp_path / "before"
    stories = fill(now)["stories"]
    (parent / "stories").mkdir(parents=True)
    for path in files.inside(now / "stories"):
        (parent / "stories" / path.name).hardlink_to(path)
    days = {"e": datetime(2031, 1, 1, tzinfo=UTC), "f": datetime(2031, 1, 2, 23, tzinfo=UTC)}
    gone = [stories[0] | {"story_id": name * 32, "title": f"Gone {name}", "published_at": day} for name, day in days.items()]
    files.write_table(
        pa.Table.from_pylist(gone, pq.read_schema(files.inside(now / "stories")[0])), parent / "stories" / "2031-01.0-of-1.ee.parquet"
    )
    of_month = [stories[number::3] for number in range(3)]  # of MONTHS
    new, copied = [row for row in of_month[1] if row["copies"] > 1][:2]
    rewritten, single = (next(row for row in rows if row["copies"] == 1) for rows in (of_month[0], of_month[2]))
    paths = [f"stories/{name}.parquet" for name in MONTHS]
    rows = [
        {"story_id": single["story_id"], "change": "added", "file": paths[2]},
        {"story_id": new["story_id"], "change": "added", "file": paths[1]},
        {"story_id": rewritten["story_id"], "change": "changed", "changed_columns": ["title", "text"], "file": paths[0]},
        {"story_id": copied["story_id"], "change": "changed", "changed_columns": ["copies"], "file": paths[1]},
        {"story_id": "e" * 32, "change": "removed"},
        {"story_id": "f" * 32, "change": "rekeyed", "replaced_by": new["story_id"]},
    ]
    write(now, "changes", rows)
    counted = {"parent": "before", "added": 2, "changed": 2, "removed": 1, "rekeyed": 1}
    told, *_ = data(report.write(now, manifest(now, changes=counted), parent=parent))
    assert told["changes"] == counted
    assert [(row["kind"], row["title"], row["columns"], row["by"]) for row in told["news"]] == [
        ("added", new["title"], None, None),  # the newest month first, without one last
        ("added", single["title"], None, None),
        ("changed", copied["title"], ["copies"], None),
        ("changed", rewritten["title"], ["title", "text"], None),
        ("removed", "Gone e", None, None),
        ("rekeyed", "Gone f", None, new["story_id"]),
    ]
    assert told["news"][-1]["at"] == "2031-01-02"
    assert {one["id"] for one in told["clusters"] if one["anew"]} == {new["story_id"], copied["story_id"]}
    other, *_ = data(report.write(now, manifest(now, changes=counted | {"parent": "another"}), parent=parent))
    assert (other["news"], [one for one in other["clusters"] if one["anew"]]) == ([], [])


def test_new_clusters_are_the_first_to_see(snapshot: tuple[Path, Tables]) -> None:
    found = scan(snapshot[0])
    sure = np.sort(found.kept.key[np.argsort(clusters.measure(found).lowest)[-7:]])
    measured = clusters.measure(found, sure)
    chosen = clusters.choose(found, measured, shown=28).clusters
    assert measured.anew[chosen[0]]
    assert measured.anew.sum() == measured.anew[chosen].sum() == 7
    assert np.all(np.diff(measured.lowest[chosen[measured.anew[chosen]]]) >= 0)


def test_an_editors_word_is_told_with_what_it_did(tmp_path: Path) -> None:
    tables = fill(tmp_path)
    pair = sorted((tables["duplicates"][0]["story_id"], tables["duplicates"][0]["cluster_id"]))
    entries = [
        {"id": "same-1", "kind": "same", "stories": pair, "relation": "near", "who": "mira", "why": "one desk", "matched": True, "rows": 1},
        {"id": "line-2", "kind": "line", "text": "Join us", "boilerplate": True, "matched": False, "rows": 0},
    ]
    next(row for row in tables["decisions"] if row["story_id"] == tables["duplicates"][0]["story_id"])["override"] = "same-1"
    write(tmp_path, "decisions", tables["decisions"])
    told, *parts = data(report.write(tmp_path, manifest(tmp_path, overrides={"entries": entries})))
    assert [(one["id"], one["who"], one["why"], one["matched"], one["rows"]) for one in told["word"]] == [
        ("same-1", "mira", "one desk", True, 1),
        ("line-2", None, None, False, 0),
    ]
    assert "Join us" in told["word"][1]["says"]
    words = {member["id"]: member["word"] for part in parts for cluster in part for member in cluster["members"]}
    assert {story: word for story, word in words.items() if word} == {tables["duplicates"][0]["story_id"]: "same-1"}


def test_a_picture_that_cannot_be_drawn_holds_nothing_back(snapshot: tuple[Path, Tables], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> str:
        raise ValueError("no <font> here")

    monkeypatch.setattr(charts, "_svg", broken)
    page = report.write(snapshot[0], manifest(snapshot[0])).read_text(encoding="utf-8")
    assert "<svg" not in page
    assert "could not be drawn: no &lt;font&gt; here" in page


def test_a_snapshot_without_stories_has_an_empty_report(tmp_path: Path) -> None:
    for name in ("decisions", "stories", "duplicates", "quarantine"):
        write(tmp_path, name, [])
    counts = report.counts(tmp_path, files=0, records=0)
    assert counts == {"files": 0, "records": 0, "quarantined": {}, "duplicates": {}, "kept": 0}
    (told,) = data(report.write(tmp_path, manifest(tmp_path, counts=counts)))
    assert [told["clusters"], told["sources"]["rows"], told["removed"]["lines"], told["repairs"]["edits"]] == [[]] * 4
    assert [told["quarantine"]["rows"], told["passed_over"]] == [[]] * 2


def test_a_report_is_written_of_what_the_gate_will_refuse(tmp_path: Path) -> None:
    """Duplicates without decisions, decisions without duplicates, a kept story that is not there."""
    tables = fill(tmp_path / "whole")
    tables["duplicates"] = tables["duplicates"][7:]
    tables["decisions"] = [row for row in tables["decisions"] if row["story_id"] != tables["duplicates"][3]["story_id"]]
    tables["stories"] = tables["stories"][20:]
    for name, rows in tables.items():
        write(tmp_path / "broken", name, rows)
    told, *_ = data(report.write(tmp_path / "broken", manifest(tmp_path / "broken")))
    assert 100 < len(told["clusters"]) < 150


# ---- bounded ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [0, 6, 7, 12, 10_000])
def test_the_clusters_on_show_lie_in_few_row_groups(snapshot: tuple[Path, Tables], groups: int) -> None:
    found = scan(snapshot[0])
    measured = clusters.measure(found)
    chosen = clusters.choose(found, measured, groups=groups)
    needed = {*found.kept.group[chosen.clusters], *found.repeats.group[chosen.members], *found.verdicts.group[chosen.members]}
    assert len(needed) <= groups
    assert len(set(chosen.clusters.tolist())) == len(chosen.clusters)
    if groups > 9:
        assert measured.lowest[chosen.clusters[0]] == measured.lowest.min(), "the most doubtful one is the first to see"
    assert (len(chosen.clusters) == 150) == (groups == 10_000)
    assert (len(chosen.clusters) == 0) == (groups < 7)


def test_what_fits_into_the_row_groups_that_are_read_is_shown_too(snapshot: tuple[Path, Tables]) -> None:
    found = scan(snapshot[0])
    measured = clusters.measure(found)
    chosen = clusters.choose(found, measured, groups=12)
    read = {*found.kept.group[chosen.clusters], *found.repeats.group[chosen.members], *found.verdicts.group[chosen.members]}
    inside = [
        number
        for number in range(len(measured.size))
        for mine in [measured.of == number]
        if {found.kept.group[number], *found.repeats.group[mine], *found.verdicts.group[mine]} <= read
    ]
    assert set(chosen.clusters.tolist()) == set(inside)


def test_texts_are_read_of_the_chosen_row_groups_only(snapshot: tuple[Path, Tables], monkeypatch: pytest.MonkeyPatch) -> None:
    columns, groups = set(), []
    read, read_group = pq.ParquetFile.read, pq.ParquetFile.read_row_group

    def spy(file: Any, *arguments: Any, **named: Any) -> Any:
        columns.update(named["columns"])
        return read(file, *arguments, **named)

    def spy_group(file: Any, number: int, **named: Any) -> Any:
        groups.append(number)
        return read_group(file, number, **named)

    monkeypatch.setattr(pq.ParquetFile, "read", spy)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", spy_group)
    monkeypatch.setattr(clusters, "choose", partial(clusters.choose, groups=12))
    report.write(snapshot[0], manifest(snapshot[0]))
    assert not {"text", "evidence", "evidence.list.element.text", "title"} & columns
    assert 0 < len(groups) <= 12


def test_a_report_holds_no_more_than_it_may_and_says_what_is_not_shown(
    snapshot: tuple[Path, Tables], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "BYTES", 20_000)
    monkeypatch.setattr(clusters, "MEMBERS", 2)
    told, *parts = data(report.write(snapshot[0], manifest(snapshot[0])))
    shown = [cluster for part in parts for cluster in part]
    assert 3 < len(shown) == len(told["clusters"]) < 150
    assert told["clusters_in_all"] == 150
    assert all(len(cluster["members"]) == 2 and cluster["size"] == 4 for cluster in shown)
    assert sum(len(path.read_bytes()) for path in files.inside(snapshot[0] / "report" / "data", ".js")[1:]) < 20_500


def test_a_report_leaves_no_data_of_one_that_was_there_before(snapshot: tuple[Path, Tables], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = snapshot[0]
    monkeypatch.setattr("tasks.report.page.PART", 10_000)
    many = len(data(report.write(folder, manifest(folder))))
    monkeypatch.setattr("tasks.report.page.PART", 10_000_000)
    assert (many > 5, len(data(report.write(folder, manifest(folder))))) == (True, 2)


def test_long_texts_are_cut_and_the_rest_is_counted(tmp_path: Path) -> None:
    tables = fill(tmp_path)
    tables["stories"][1]["text"] += "x" * clusters.LONGEST
    write(tmp_path, "stories", tables["stories"])
    told, *parts = data(report.write(tmp_path, manifest(tmp_path)))
    one = next(cluster for part in parts for cluster in part if cluster["id"] == tables["stories"][1]["story_id"])
    assert (len(one["kept"]["text"]), one["kept"]["cut"]) == (clusters.LONGEST, len(text(2)))
    assert told["clusters_in_all"] == 150


# ---- texts stay texts, anywhere -----------------------------------------------------------------------------------------


def test_no_text_ends_a_script(tmp_path: Path) -> None:
    harm = "</script><script>ran()</script>\u2028\u2029<!--"
    row = {
        "story_id": "a" * 32,
        "cluster_id": "a" * 32,
        "raw_id": harm,
        "raw_uri": harm,
        "title": harm,
        "source": harm,
        "text": harm,
        "word_count": 1,
    }
    copy = row | {"story_id": "b" * 32}
    decision = {
        "story_id": "b" * 32,
        "outcome": "duplicate",
        "relation": "near",
        "duplicate_of": "a" * 32,
        "reason": harm,
        "probability": 0.5,
    }
    write(tmp_path, "stories", [row | {"copies": 2, "removed": [{"rule": harm, "zone": "tail", "line": 0, "text": harm}]}])
    write(tmp_path, "duplicates", [copy])
    write(tmp_path, "decisions", [decision])
    write(tmp_path, "quarantine", [])
    page = report.write(tmp_path, manifest(tmp_path, snapshot=harm, run={"raw": harm}))
    assert harm not in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count("<script") == 2
    for script in (page.parent / "data").iterdir():
        assert not re.search("[<\u2028\u2029]", script.read_text(encoding="utf-8"))
    told, part = data(page)
    assert (told["raw"], told["removed"]["lines"][0]["text"], part[0]["members"][0]["title"]) == (harm, harm, harm)


def test_the_report_of_an_object_store_is_written_there() -> None:
    pytest.importorskip("upath")
    folder = files.located("memory://report/snapshot")
    fill(folder)
    told, *parts = data(report.write(folder, manifest(folder)))
    assert len(told["clusters"]) == sum(map(len, parts)) == 150
    assert {path.name for path in files.inside(folder / "report")} >= {"index.html", "report.css", "report.js"}
    assert "<svg" in (folder / "report" / "index.html").read_text(encoding="utf-8")


# ---- words, pictures, trends ----------------------------------------------------------------------------------------------


def test_every_reason_and_score_has_words() -> None:
    assert set(REASONS) == {*re.findall(r'return "(\w+)"', inspect.getsource(policy.reason)), "override"}
    assert set(SCORES) <= set(schema.DECISIONS.names)
    assert reason("kept_by_hand") == "kept by hand"


def test_the_page_has_words_for_every_kind_of_change() -> None:
    (words,) = re.findall(r"const CHANGES = \{(.*)\};", (ROOT / "tasks/report/report.js").read_text(encoding="utf-8"))
    assert tuple(re.findall(r"(\w+):", words)) == schema.CHANGE_KINDS


def test_what_was_passed_over_is_told_with_its_number() -> None:
    run = {"skipped": {"a link": 2}, "skipped_records": {"an image": 30}, "vanished": ["a.txt"], "unsettled": ()}
    match = {"hot_keys": 7, "pairs_left_out_at_hot_keys": 12_345, "components_cut": 9}
    told = list(lists.passed_over({"run": run, "match": match}))
    assert [(row["number"], row["of"]) for row in told] == [
        (2, "files of raw/"),
        (30, "records of web archives"),
        (1, "raw files"),
        (12_345, "pairs of stories"),
        (9, "groups of stories"),
    ]
    assert "--prune" in told[2]["why"]
    assert "7 times" in told[3]["why"]
    assert list(lists.passed_over({"run": {}})) == []


def test_trends_are_of_the_snapshots_that_are_still_there(tmp_path: Path) -> None:
    for day in range(1, 31):
        told = manifest_of(f"203103{day:02d}T050000Z-0", f"2031-03-{day:02d}T05:00:00+00:00", kept=100 + day)
        folder = tmp_path / "snapshots" / told["snapshot"]
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(told))
    (folder / "manifest.json").write_text("{")
    found = snapshots.recent(tmp_path, 24)
    points = lists.trend(found)
    assert [point["kept"] for point in points] == list(range(107, 130))
    assert points[0] == {
        "snapshot": "20310307T050000Z-0",
        "started": "2031-03-07T05:00:00+00:00",
        "records": 200,
        "kept": 107,
        "duplicates": 5,
        "quarantined": 3,
    }
    assert charts.trend(points[:1]) == ""
    assert charts.trend(points).count('class="mark-line') == 3
    assert snapshots.recent(tmp_path / "nothing", 24) == []


def manifest_of(name: str, started: str, kept: int) -> dict[str, Any]:
    counts = {
        "files": 1,
        "records": 200,
        "kept": kept,
        "duplicates": {"near": 4, "exact": 1},
        "quarantined": {"ingest": {"a": 2}, "check": {"b": 1}},
    }
    return {"snapshot": name, "run": {"started": started}, "counts": counts}


def test_pictures_have_the_page_s_colours_and_numbers() -> None:
    counts = {"records": 2_000, "kept": 1_500, "duplicates": {"derivative": 100, "exact": 150}, "quarantined": {"ingest": {"a": 250}}}
    picture = charts.funnel(counts)
    assert re.findall(r">(\u2212?[\d,]+)<", picture) == ["2,000", "\u2212250", "\u2212150", "\u2212100", "1,500"]
    colours = re.findall(r'(?:fill|stroke)="([^"]+)"', "".join([picture, charts.doubt({"near": [0, 3, 0], "derivative": [1, 0, 9]})]))
    assert {colour for colour in colours if colour not in ("none", "transparent")} == {
        f"var(--{name})" for name in ("ink", "soft", "line", "paper", "read", "quarantined", "exact", "near", "derivative", "kept")
    }
    assert charts.doubt({"near": [0, 3], "derivative": [0, 0]}) == ""


# ---- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_where_the_report_is_and_opens_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def browse(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    folder = tmp_path / "curated"
    place = ["--curated", str(folder)]
    assert main(["report", *place]) == 2
    assert "no snapshot under" in capsys.readouterr().err
    for name in ("20310301T050000Z-0", "20310302T050000Z-0"):
        (folder / "snapshots" / name / "report").mkdir(parents=True)
        (folder / "snapshots" / name / "report" / "index.html").write_text("")
    (folder / "latest").symlink_to("snapshots/20310302T050000Z-0")
    page = folder / "snapshots/20310302T050000Z-0/report/index.html"
    assert main(["report", *place]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert main(["report", *place, "--json", "20310301T050000Z-0"]) == 0
    assert json.loads(capsys.readouterr().out) == {"snapshot": "20310301T050000Z-0", "path": str(page).replace("0302T", "0301T")}
    assert main(["report", *place, "--open"]) == 0
    assert opened == [page.as_uri()]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert main(["report", *place, "--open"]) == 3
    assert page.as_uri() in capsys.readouterr().err
    page.unlink()
    assert main(["report", *place]) == 2
    assert "has no report" in capsys.readouterr().err
    assert main(["report", *place, "20990101T000000Z-0"]) == 2
    assert "`copydesk snapshots` lists them" in capsys.readouterr().err


# ---- the style --------------------------------------------------------------------------------------------------------


def test_the_data_docs_have_the_colours_of_the_report() -> None:
    report_css, docs_css = (ROOT / "tasks" / name for name in ("report/report.css", "validate/docs.css"))
    ours, theirs = (re.findall(r"(--[a-z-]+): ([^;]+);", path.read_text(encoding="utf-8")) for path in (report_css, docs_css))
    assert len(theirs) > 15
    assert set(theirs) <= set(ours)
