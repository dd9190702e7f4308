"""Matching: candidates, verdicts, evidence; and that nothing depends on shards, partitions or order."""

from __future__ import annotations

import random
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matching import DERIVATIVE, NEAR, decide, families, propose, shards, story

from tasks import fingerprint, match, schema, settings, terms, verdict
from tasks.verdict import stories

SAME = ("light", "heavy", "mixed", "syndicated")
ROWS = families()
BY_ID = {row["raw_id"]: row for row in ROWS}
SOURCE = BY_ID["dC00-source"]


def judge(*rows: dict[str, Any], near: settings.Near = NEAR, derivative: settings.Derivative = DERIVATIVE) -> verdict.Judgement:
    table = fingerprint.fingerprint(pa.Table.from_pylist(list(rows), schema=schema.CHECKED), near, derivative)
    return verdict.Judge(dict(enumerate(stories.of(table))), near, derivative).judge(0, 1)


def is_source(row: dict[str, Any], judged: verdict.Judgement) -> float:
    """Estimated probability that the row is the source of the two."""
    return judged.source_a if row["story_id"] == judged.a else 1 - judged.source_a


def test_candidates_find_every_rewrite_of_the_families(tmp_path: Path) -> None:
    (found,) = propose(shards(ROWS, tmp_path), tmp_path)
    pairs = {tuple(row.values()) for row in pq.read_table(found.pairs_file).to_pylist()}
    for row in ROWS:
        family, role = row["raw_id"].split("-")
        if role in SAME:
            pair = sorted(stories.number(BY_ID[name]["story_id"]) for name in (row["raw_id"], f"{family}-source"))
            assert tuple(pair) in pairs, row["raw_id"]


def test_pairs_are_distinct_and_ordered(tmp_path: Path) -> None:
    (found,) = propose(shards(ROWS, tmp_path), tmp_path)
    rows = [(row["a"], row["b"]) for row in pq.read_table(found.pairs_file).to_pylist()]
    assert rows == sorted(set(rows))
    assert all(a < b for a, b in rows)
    assert found.pairs == len(rows)


@pytest.mark.parametrize(("partitions", "size"), [(1, 50), (5, 1000), (16, 37)])
def test_proposals_depend_on_the_set_alone(tmp_path: Path, partitions: int, size: int) -> None:
    def union(found: list[match.Proposed]) -> set[tuple[int, int]]:
        return {(row["a"], row["b"]) for part in found for row in pq.read_table(part.pairs_file).to_pylist()}

    shuffled = random.Random(partitions).sample(ROWS, len(ROWS))  # noqa: S311 -- no secret
    one = propose(shards(ROWS, tmp_path / "one"), tmp_path / "one", hot_key=3)
    other = propose(shards(shuffled, tmp_path / "other", size), tmp_path / "other", partitions, hot_key=3)
    assert union(one) == union(other)
    for count in ("keys", "hot_keys", "left_out"):
        assert sum(getattr(part, count) for part in one) == sum(getattr(part, count) for part in other)


def test_a_hot_key_proposes_only_the_first_in_keep_order(tmp_path: Path) -> None:
    days = ["2025-05-03", "2025-05-01", None, "2025-05-02T10:00:00", "2025-05-02"]
    rows = [story(f"copy {i}", SOURCE["text"], published_at=day) for i, day in enumerate(days)]
    (found,) = propose(shards(rows, tmp_path), tmp_path, hot_key=2)
    assert found.hot_keys == found.keys > 1
    assert found.left_out == found.keys * 3
    number = {stories.number(row["story_id"]): i for i, row in enumerate(rows)}
    pairs = {frozenset((number[row["a"]], number[row["b"]])) for row in pq.read_table(found.pairs_file).to_pylist()}
    first = {1, 3}  # the bare second of May is over later than its tenth hour
    assert pairs == {frozenset(pair) for pair in combinations(range(5), 2) if first & set(pair)}


def test_faulty_rows_are_never_proposed(tmp_path: Path) -> None:
    rows = [story("a", SOURCE["text"]), story("b", SOURCE["text"], stage="check", reason="too_short"), story("c", "…"), story("d", "…")]
    (found,) = propose(shards(rows, tmp_path), tmp_path)
    assert found.pairs == 0


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    (shard,) = shards([SOURCE], tmp_path)
    with pytest.raises(ValueError, match="exceed"):
        match.keys(shard, tmp_path, 1, settings.Near(bands=64, rows=4), DERIVATIVE)
    with pytest.raises(ValueError, match="fingerprint the shards again"):
        match.keys(shard, tmp_path, 1, NEAR, settings.Derivative(samples=64))


def test_judged_parts_are_the_whole(tmp_path: Path) -> None:
    paths = shards(families("dC00", "dC01", "dC02"), tmp_path, 7)
    pairs = [found.pairs_file for found in propose(paths, tmp_path, 3)]
    whole = match.judge(pairs, paths, tmp_path / "whole.parquet", NEAR, DERIVATIVE)
    parts = [match.judge(pairs, paths, tmp_path / f"{p}.parquet", NEAR, DERIVATIVE, p, 4) for p in range(4)]
    together = pa.concat_tables([pq.read_table(part.judged_file) for part in parts])
    assert together.sort_by([("a", "ascending"), ("b", "ascending")]).equals(pq.read_table(whole.judged_file))
    assert sum(part.proposed for part in parts) == whole.proposed
    assert whole.positive >= 12


def test_a_story_that_is_in_no_shard_is_an_error(tmp_path: Path) -> None:
    paths = shards(families("dC00"), tmp_path, 4)
    pairs = [found.pairs_file for found in propose(paths, tmp_path)]
    with pytest.raises(ValueError, match="give all shards"):
        match.judge(pairs, [], tmp_path / "judged.parquet", NEAR, DERIVATIVE)


# ---- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in ROWS if not row["raw_id"].endswith("-source")], ids=lambda row: row["raw_id"])
def test_families_are_told_apart(row: dict[str, Any]) -> None:
    family, role = row["raw_id"].split("-")
    source = BY_ID[f"{family}-source"]
    judged = judge(row, source)
    assert (judged.relation is not None) == (role in SAME)
    if judged.relation == "derivative":
        assert is_source(source, judged) > 0.5


PARAGRAPHS = SOURCE["text"].split("\n\n")
TEMPLATE = (
    "Shares of {0} rose {1}% in early trading on {2} after the company reported quarterly revenue of {3} million euros, ahead of the "
    "average forecast of analysts, and raised its outlook for the full year.\n\nNet profit came to {4} million euros, the company said in "
    "a statement. Chief executive {5} said demand in all regions had been strong and that order books were well filled.\n\nThe dividend "
    "is to be raised to {6} euros a share. Analysts had expected a smaller increase, according to a survey by the financial data service."
)
COPIES: list[tuple[str, str, str, str | None]] = [
    ("the same text", SOURCE["text"], SOURCE["text"], "exact"),
    ("other white space and quotation marks only", SOURCE["text"], SOURCE["text"].replace('"', "”"), "near"),
    ("one word changed", SOURCE["text"], SOURCE["text"].replace("ratify", "approve"), "near"),
    ("a corrected figure", SOURCE["text"], SOURCE["text"].replace("420", "425"), "near"),
    ("cut to its first half", SOURCE["text"], "\n\n".join(PARAGRAPHS[:6]), "near"),
    ("cut to its second paragraph on", SOURCE["text"], "\n\n".join(PARAGRAPHS[1:]), "near"),
    ("paragraphs in another order", SOURCE["text"], "\n\n".join(reversed(PARAGRAPHS)), "near"),
    ("a template with other figures and names", TEMPLATE.format("Altor", 4.1, "Monday", 312, 41.5, "Ina Kolb", 1.25),
     TEMPLATE.format("Veridan", 2.7, "Friday", 958, 120.2, "Jo Marsh", 0.45), None),
    ("the template, filled in with the same", TEMPLATE.format("Altor", 4.1, "Monday", 312, 41.5, "Ina Kolb", 1.25),
     TEMPLATE.format("Altor", 4.1, "Tuesday", 312, 41.5, "Ina Kolb", 1.25), "near"),
    ("two paragraphs of background in another story", SOURCE["text"],
     "\n\n".join([*BY_ID["dD01-source"]["text"].split("\n\n"), *PARAGRAPHS[1:3]]), None),
    ("two headlines of one event", "Ministers agree joint air-defence fund", "Ministers in Riga agree on fund for air defence", None),
    ("the same headline", "Ministers agree joint air-defence fund", "MINISTERS AGREE JOINT AIR-DEFENCE FUND", "near"),
    ("a headline that another story quotes", "Fund for air defence agreed by eight ministers in Riga",
     SOURCE["text"] + "\n\nFund for air defence agreed by eight ministers in Riga", None),
    ("texts without a word", "…", "…", None),
    ("nothing in common", SOURCE["text"], BY_ID["dD01-source"]["text"], None),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "relation"), [case[1:] for case in COPIES], ids=[case[0] for case in COPIES])
def test_copies(one: str, other: str, relation: str | None) -> None:
    judged = judge(story("a", one), story("b", other))
    assert judged.relation == relation


def test_a_verdict_does_not_depend_on_which_story_comes_first() -> None:
    rows = families("dC03")
    for one, other in combinations(rows, 2):
        assert judge(one, other) == judge(other, one)


def test_scores_are_what_brute_force_says() -> None:
    one, other = SOURCE, BY_ID["dC00-syndicated"]
    judged = judge(one, other)
    a, b = (set(terms.shingles(row["text"], NEAR.shingle_words)) for row in sorted((one, other), key=lambda row: str(row["story_id"])))
    assert judged.jaccard == len(a & b) / len(a | b)
    assert judged.containment_a == len(a & b) / len(a)
    assert judged.containment_b == len(a & b) / len(b)
    assert 0 < judged.weighted_jaccard < 1


def test_within_one_outlet_there_are_no_rewrites_unless_asked_for() -> None:
    source, rewrite = SOURCE, BY_ID["dC00-heavy"] | {"source": SOURCE["source"]}
    assert judge(rewrite, source).relation is None
    assert judge(rewrite, source, derivative=settings.Derivative(same_source=True)).relation == "derivative"
    assert judge(rewrite | {"source": None}, source | {"source": None}).relation == "derivative"


def test_tier_2_can_be_switched_off() -> None:
    assert judge(BY_ID["dC00-heavy"], SOURCE, derivative=settings.Derivative(enabled=False)).relation is None


def test_the_source_is_known_without_dates() -> None:
    undated = [row | {"published_at": None, "published_precision": None} for row in ROWS]
    by_id = {row["raw_id"]: row for row in undated}
    right = 0
    for row in undated:
        if row["raw_id"].endswith("-source"):
            right += sum(is_source(row, judge(by_id[row["raw_id"].replace("source", role)], row)) > 0.5 for role in SAME)
    assert right / 96 >= 0.88


# ---- evidence ---------------------------------------------------------------------------------------------------------


def _longest_common(one: list[str], other: list[str]) -> int:
    return max((k for i in range(len(one)) for j in range(len(other)) for k in [_run(one, other, i, j)]), default=0)


def _run(one: list[str], other: list[str], i: int, j: int) -> int:
    size = 0
    while i + size < len(one) and j + size < len(other) and one[i + size] == other[j + size]:
        size += 1
    return size


@pytest.mark.parametrize("role", SAME)
@pytest.mark.parametrize("family", ["dC00", "dD01"])
def test_evidence_is_verbatim_longest_first_and_complete(family: str, role: str) -> None:
    rows = sorted((BY_ID[f"{family}-{role}"], BY_ID[f"{family}-source"]), key=lambda row: str(row["story_id"]))
    judged = judge(*rows)
    lengths = [len(terms.words(text)) for text, _ in judged.passages]
    assert 1 <= len(lengths) <= 5
    assert lengths == sorted(lengths, reverse=True)
    for text, other in judged.passages:
        assert text in rows[0]["text"]
        assert other in rows[1]["text"]
        assert terms.words(text) == terms.words(other)
    assert lengths[0] == _longest_common(*(terms.words(row["text"]) for row in rows))


def test_passages_in_scripts_without_spaces() -> None:
    text = "北大西洋公約組織秘書長呂特星期四在布魯塞爾表示，盟國將增加國防開支。"
    judged = judge(story("a", text + "他說這很重要。"), story("b", "消息：" + text))
    assert judged.relation == "near"
    assert judged.passages[0][0] == text.rstrip("。")


# ---- what a verdict reads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("www.foxnews.com", "foxnews"),
        ("Fox News", "foxnews"),
        ("Fox News (Online)", "foxnews"),
        ("bbc.co.uk", "bbc"),
        ("The Guardian", "guardian"),
        ("New York Times - News", "newyorktimes"),
        ("朝日新聞", "朝日新聞"),
        ("", ""),
    ],
)
def test_outlets(source: str, name: str) -> None:
    assert stories.outlet(source) == name


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("1,234 and 1.234 people", {"1234": 1.0}),
        ("2.50 or 2,5", {"2.5": 0.5}),
        ("in 2024, 7 of 12", {"2024": 0.25, "7": 0.25, "12": 0.5}),
        ("5% or €7 or 12 %", {"5": 0.75, "7": 0.75, "12": 0.75}),
        ("none", {}),
    ],
)
def test_figures(text: str, figures: dict[str, float]) -> None:
    assert stories._figures(text) == figures


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('He said "we are ready" today.', ["we", "are", "ready"]),
        ("He said “we are ready”.", ["we", "are", "ready"]),
        ("«Nous sommes prêts», dit-il.", ["nous", "sommes", "prets"]),
        ("Er sagte: „Wir sind bereit“.", ["wir", "sind", "bereit"]),
        ("“It goes on\n\n“and ends.” So.", ["it", "goes", "on", "and", "ends"]),
        ("He isn't, they're not.", []),
    ],
)
def test_quotations(text: str, quoted: list[str]) -> None:
    (one,) = stories.of(fingerprint.fingerprint(pa.Table.from_pylist([story("a", text)], schema=schema.CHECKED), NEAR, DERIVATIVE))
    read = stories.peruse(one)
    words = terms.words(text)
    assert [word for word, inside in zip(words, read.quoted.tolist(), strict=True) if inside] == quoted


def test_sentences_do_not_end_at_abbreviations_before_small_letters() -> None:
    text = "The U.S. and the E.U. agreed. They did. «Enfin!» Et puis?"
    (one,) = stories.of(fingerprint.fingerprint(pa.Table.from_pylist([story("a", text)], schema=schema.CHECKED), NEAR, DERIVATIVE))
    read = stories.peruse(one)
    found = [
        " ".join(word for word, place in zip(terms.words(text), read.sentence.tolist(), strict=True) if place == number)
        for number in sorted(set(read.sentence.tolist()))
    ]
    assert found[-3:] == ["they did", "enfin", "et puis"]


def test_the_model_is_numbers_with_a_record() -> None:
    model = verdict.load_model()
    assert set(model.rewrite) == {"intercept", "wording", "told", "quotes", "figures", "names", "attribution"}
    assert all(weight >= 0 for name, weight in model.rewrite.items() if name != "intercept")
    assert set(model.source) == {"earlier", "named_by_other", "byline", "own_quotes", "own_figures", "longer"}
    assert not re.search(r"[A-Z]{2}", " ".join([*model.rewrite, *model.source]))


# ---- the benchmarks -------------------------------------------------------------------------------------------------------


@pytest.mark.benchmark
def test_background_has_few_duplicates_and_families_stay_apart(tmp_path: Path, benchmarks: Path) -> None:
    background = pq.read_table(benchmarks / "data/background/stories.parquet").slice(0, 1500).to_pylist()
    rows = [story(row["id"], row["text"], source=row["source"], title=row["title"]) for row in background] + ROWS
    decisions = decide(rows, tmp_path)
    assert sum(decisions[row["id"]]["outcome"] != "kept" for row in background) <= 15
    for row in ROWS:
        family, role = row["raw_id"].split("-")
        assert decisions[row["raw_id"]]["cluster_id"] == (f"{family}-source" if role in (*SAME, "source") else row["raw_id"])
