"""The generator of corpora: same knobs, same bytes; a story is itself whoever asks; scoring counts right. And the table of targets."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import corpus, corpus_score, scale, skin
from tasks import terms

KNOBS = corpus.Knobs(stories=600, seed=5, days=60, series=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    corpus.make(out, KNOBS, workers=1)
    corpus.add(out, 40, 2, workers=1)
    return out


def records(folder: Path) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for file in sorted((folder / "raw").iterdir()) for line in file.read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row for row in rows}


def truth(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [row for file in sorted(folder.glob("truth*.parquet")) for row in pq.read_table(file).to_pylist()]
    return rows


def test_every_story_is_told_once_and_has_its_truth(folder: Path) -> None:
    found, planted = records(folder), truth(folder)
    assert len(planted) == 640
    assert sorted(row["id"] for row in planted) == sorted(found)
    roles = Counter(row["role"] for row in planted)
    assert set(roles) == set(corpus.ROLES)
    assert all((row["of"] is None) == (row["relation"] == "none") for row in planted)
    assert all(row["of"] in found and row["of"] != row["id"] for row in planted if row["of"])


def test_files_are_in_time_order_and_what_is_added_is_of_the_last_days(folder: Path) -> None:
    times = [row["published_at"] for row in pq.read_table(folder / "truth.parquet").to_pylist()]
    assert all(a <= b for a, b in pairwise(times))
    assert f"{times[-1]:%Y-%m-%d}" <= KNOBS.end
    added = pq.read_table(folder / "truth-added.parquet").to_pylist()
    assert len(added) == 40
    assert all(f"{row['published_at']:%Y-%m-%d}" in {"2026-11-19", "2026-11-20"} for row in added)
    old = set(pq.read_table(folder / "truth.parquet")["id"].to_pylist())
    assert sum(row["of"] in old for row in added) >= 10, "copies and rewrites of stories that were there"


def test_same_knobs_give_the_same_bytes_with_any_number_of_workers(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "BATCH", 7)
    corpus.make(tmp_path, KNOBS, workers=1)
    first, again = (next(iter(sorted((place / "raw").iterdir()))) for place in (folder, tmp_path))
    assert again.name == first.name == "2026-09-22-000.jsonl"
    assert again.read_bytes() == first.read_bytes()


def test_an_event_needs_none_of_the_others(folder: Path) -> None:
    """A story alone, from the plan of a larger corpus, is the same: what is added later belongs to what is there."""
    rows = corpus.plan(KNOBS)
    place = np.flatnonzero(rows.role == corpus.ROLES.index("heavy"))[:1]
    [(_, text)] = corpus.Newsroom(KNOBS).told(rows.take(place))
    record = records(folder)[corpus.name_of(int(rows.event[place[0]]), int(rows.member[place[0]]))]
    assert record["title"] == text.split("\n\n")[0]


def test_a_corpus_has_its_figures(folder: Path) -> None:
    found = records(folder)
    sizes = [len(row["text"].encode()) for row in found.values()]
    assert 3_500 < np.mean(sizes) < 5_500
    assert 0 < sum("published_at" not in row for row in found.values()) < 0.06 * len(found)
    assert 20 < len({row["source"] for row in found.values()}) <= 400


def test_copies_share_the_words_and_other_events_do_not(folder: Path) -> None:
    shingles = {name: set(terms.shingles(row["text"], 5)) for name, row in records(folder).items()}

    def similarity(a: str, b: str) -> float:
        return len(shingles[a] & shingles[b]) / len(shingles[a] | shingles[b])

    planted = truth(folder)
    by_role = {role: [similarity(row["id"], row["of"]) for row in planted if row["role"] == role] for role in ("exact", "edited", "heavy")}
    assert np.median(by_role["exact"]) > 0.8
    assert np.median(by_role["edited"]) > 0.5
    assert np.median(by_role["heavy"]) < 0.1
    sources = [row["id"] for row in planted if row["role"] == "source"]
    strangers = [similarity(a, b) for a, b in zip(sources, sources[7:], strict=False)]
    assert np.mean(strangers) < 0.01


def test_no_phrase_of_a_family_is_in_many_events() -> None:
    """A run of eight words that thousands of stories share would be a candidate key of all of them."""
    knobs = corpus.Knobs(stories=900, seed=3)
    rows = corpus.plan(knobs)
    texts = [text for _, text in corpus.Newsroom(knobs).told(rows.take(rows.role == 0))]
    runs = Counter(run for text in texts for run in terms.shingles(text, 8))
    assert runs.most_common(1)[0][1] <= 12


def test_series_share_their_wording_but_not_their_figures(folder: Path) -> None:
    found = records(folder)
    issues = [found[row["id"]]["text"] for row in truth(folder) if row["event"] == -1]
    assert len(issues) >= 8
    words = [set(terms.words(text)) for text in issues[:2]]
    figures = [{word for word in some if word.isdigit()} for some in words]
    assert len(words[0] & words[1]) > 0.6 * len(words[0])
    assert len(figures[0] & figures[1]) < 0.6 * len(figures[0])


def test_base_and_form_of_words() -> None:
    assert [skin.analysed(word) for word in ("running", "studies", "hoped", "cars", "glass")] == [
        ("run", 3),
        ("study", 1),
        ("hope", 2),
        ("car", 1),
        ("glass", 0),
    ]


def test_scoring_counts_what_is_missed_and_what_is_merged(folder: Path, tmp_path: Path) -> None:
    planted = truth(folder)
    cluster = {row["id"]: row["of"] or row["id"] for row in planted}
    missed = next(row["id"] for row in planted if row["role"] == "cut")
    stray = next(row["id"] for row in planted if row["role"] == "followup")
    cluster[missed] = missed
    cluster[stray] = f"{stray.split('.')[0]}.0"
    out = tmp_path / "latest" / "decisions"
    out.mkdir(parents=True)
    table = pa.table(
        {"raw_id": list(cluster), "cluster_id": list(cluster.values()), "outcome": "kept", "relation": "near"}
        | {"outcome": ["kept"] * len(cluster), "relation": ["near"] * len(cluster)}
    )
    pq.write_table(table, out / "a.parquet")
    found = corpus_score.score(folder, tmp_path)
    near = found["recall"]["near"]
    assert near["planted"] - near["found"] == 1
    assert found["recall"]["derivative"]["recall"] == 1.0
    assert [(row["role"], row["id"]) for row in found["first_missed"]] == [("cut", missed)]
    assert found["wrong_merges"] == 1
    assert [row["id"] for row in found["first_merged"]] in ([stray], [f"{stray.split('.')[0]}.0"])


def test_scoring_says_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no truth"):
        corpus_score.score(tmp_path, tmp_path)


# ---- the table of bench.scale -----------------------------------------------------------------------------------------------


def test_exponent_is_the_slope_of_the_large_sizes() -> None:
    rows = [{"stories": count, "seconds": 0.001 * count**1.1} for count in (10_000, 31_623, 100_000)]
    assert scale.exponent([{"stories": 1_000, "seconds": 99.0}, *rows]) == 1.1
    assert scale.exponent(rows[:1]) is None


def test_a_target_is_measured_only_at_its_size() -> None:
    last = {"seconds": 800.0, "peak_mb": 2_000, "recall_near": 0.995}
    report: dict[str, Any] = {
        "parts": {
            "growth": {"stories": 1_000_000, "last": last, "exponent": 1.05},
            "startup": {"help_seconds": 0.2},
            "dask": {"skipped": "no"},
        }
    }
    met = {row["what"]: row["met"] for row in scale.table(report)}
    assert met["1M stories"] is False
    assert met["1M stories: peak of all processes"] is True
    assert met["1M stories: recall of near duplicates"] is True
    assert met["copydesk --help"] is True
    assert met["two Dask workers against two processes"] is None
    report["parts"]["growth"]["stories"] = 100_000
    assert {row["what"]: row["met"] for row in scale.table(report)}["1M stories"] is None


def test_the_plot_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib of the dev extra is not installed")
    rows = [{"stories": 1_000 * 10**i, "seconds": 5.0 * 5**i, "peak_mb": 700 + 400 * i} for i in range(4)]
    for name in ("a.svg", "b.svg"):
        scale.plot(rows, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "target at 1M: 12 min" in (tmp_path / "a.svg").read_text(encoding="utf-8")
