"""Candidates, measured by themselves: are the pairs that are one story proposed, and how many others with them?

1. Recall on the labelled sets, cleaned as a run cleans them: alone over many seeds, and in the crowd of the background.
2. Proposals over growing parts of the background, the pairs among them that rare terms show to be related, and how both grow.
   Pairs of a random part of a fixed set grow with its square, real duplicates too: their ratio is what to read.
3. Tier 1 on planted edits of the background, by tenths of the true shingle similarity: found, and found wrongly.

All through the functions of a run: fingerprint, keys, propose, sift, judge. Every choice is seeded.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.labelled import harder, sets
from bench.quality import BENCHMARKS
from flows.explain import cleaned
from tasks import files, fingerprint, index, match, schema, settings, terms
from tasks.verdict import stories

RESULTS = Path(__file__).with_name("results")
SEEDS, LESS_SEEDS = 20, 5
PARTS = (1_500, 3_000, 6_000)
SHARD = 2_000
TENTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PLANTED = 500
"""Planted pairs in each tenth."""
RELATED = 0.2
"""Weighted Jaccard from which nearly all pairs of the background have one origin."""
NEAR, DERIVATIVE, HOT = settings.Near(), settings.Derivative(), settings.Cluster().hot_key
Pair = tuple[int, int]


@dataclass(frozen=True)
class Sets:
    """The cleaned records of all sets as a CHECKED table, and the pairs of story numbers that are one story, by set."""

    table: pa.Table
    positive: dict[str, set[Pair]]


def main(arguments: list[str]) -> int:
    """All three parts; the figures go to bench/results. `--quick` leaves the planted edits out."""
    if not (BENCHMARKS / "data/background/stories.parquet").exists():
        print(f"candidates: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    with TemporaryDirectory() as folder:
        work = Path(folder)
        background = clean(background_rows(), work)
        report: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "settings": _settings()}
        report["recall"] = recall(labelled(work, False), labelled(work, True), background, work)
        report["growth"] = growth(background, work)
        if "--quick" not in arguments:
            report["planted"] = planted(background, work)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"candidates-{report['date']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    show(report)
    print(f"written to {path}")
    return 0


def show(report: dict[str, Any]) -> None:
    print(
        f"{'candidate recall':<16} {'pairs':>6} {f'{SEEDS} seeds':>9} {'lowest':>7} {'far apart':>10} {'parts only':>11} {'in a crowd':>11}"
    )
    for name, row in report["recall"].items():
        parts = "-" if row["parts_left_out"] is None else f"{row['parts_left_out']:.4f}"
        print(
            f"{name:<16} {row['pairs']:>6} {row['recall']:>9.4f} {row['lowest_pair']:>7.2f} {row['dated_far_apart']:>10.4f} {parts:>11}"
            f" {row['in_the_crowd']:>11.4f}"
        )
    print(f"\n{'stories':>8} {'keys a story':>13} {'proposed':>9} {'a story':>8} {'to judge':>9} {'related':>8} {'proposed/related':>17}")
    for row in report["growth"]["parts"]:
        print(
            f"{row['stories']:>8} {row['keys_a_story']:>13.0f} {row['proposed']:>9} {row['proposed'] / row['stories']:>8.2f}"
            f" {row['to_judge']:>9} {row['related']:>8} {row['proposed'] / max(1, row['related']):>17.1f}"
        )
    print("exponents: " + ", ".join(f"{name} {value:.2f}" for name, value in report["growth"]["exponents"].items()))
    if "planted" in report:
        found = report["planted"]
        print(f"\n{'true Jaccard':<12} {'pairs':>6} {'proposed':>9} {'to judge':>9} {'copies':>7} {'rewrites':>9}")
        for row in found["tenths"]:
            print(
                f"{row['from']:.1f} - {row['to']:.1f}    {row['pairs']:>6} {row['proposed']:>9.4f} {row['to_judge']:>9.4f}"
                f" {row['copies']:>7.4f} {row['derivative']:>9.4f}"
            )
        print(
            f"recall from .7 on {found['recall_from_07']:.4f}; precision {found['precision']:.4f}: {found['wrong']} of {found['judged_copies']}"
            f" pairs judged exact or near are not planted ({found['natural']} more are natural duplicates of the background)"
        )


# ---- the sets -------------------------------------------------------------------------------------------------------------


def background_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(BENCHMARKS / "data/background/stories.parquet").to_pylist()
    return rows


def clean(rows: Iterable[dict[str, Any]], work: Path) -> pa.Table:
    """The records as they come out of ingest, repair and strip: CHECKED, sound ones only, in the order given."""
    file = work / "records.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
    return checked(cleaned(file, settings.Settings()))


def checked(rows: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(rows, schema=schema.CHECKED)
    return table.filter(schema.healthy(table))


def labelled(work: Path, less: bool) -> Sets:
    """The records of the labelled sets, and what is one story in them; `less`: with parts of the texts left out (labelled.harder)."""
    rows, pairs = sets()
    if less:
        more, pairs = harder(rows, pairs)
        rows = [*rows, *more]
    named = {name for pair in pairs if pair.same for name in (pair.a, pair.b)}
    keep = ("id", "source", "title", "published_at", "text")
    table = clean([{name: row.get(name) for name in keep if row.get(name)} for row in rows if row["id"] in named], work)
    number = dict(zip(table["raw_id"].to_pylist(), stories.halves(table["story_id"])[:, 0].tolist(), strict=True))
    positive: dict[str, set[Pair]] = {}
    for pair in pairs:
        if pair.same and pair.a in number and pair.b in number:
            found = min(number[pair.a], number[pair.b]), max(number[pair.a], number[pair.b])
            positive.setdefault(pair.set, set()).add(found)
            if pair.kind.split("/")[0] == "heavy":
                positive.setdefault("of them heavy", set()).add(found)
    return Sets(table, positive)


# ---- the stage ------------------------------------------------------------------------------------------------------------


def shards(table: pa.Table, folder: Path, near: settings.Near = NEAR) -> Path:
    """The table, fingerprinted, in worked shards of SHARD stories; gives their roster."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for first in range(0, len(table), SHARD):
        shard = fingerprint.fingerprint(table.slice(first, SHARD), near, DERIVATIVE)
        names.append(index.write(shard, folder, f"shard-{first:06d}", None))
    index.write_roster(folder, names, (), folder / "roster.arrow")
    return folder / "roster.arrow"


def keys(roster: Path, folder: Path, near: settings.Near = NEAR) -> list[Path]:
    return [match.keys(roster, some, folder / f"keys-{some[0]}.arrow", 1, near, DERIVATIVE) for some in index.batches(roster, SHARD)]


def proposed(roster: Path, folder: Path, near: settings.Near = NEAR) -> match.Proposed:
    return match.propose(keys(roster, folder, near), roster, [0], folder, near, DERIVATIVE, HOT)[0]


def ranks(found: match.Proposed) -> tuple[index.Ranks, index.Ranks]:
    with files.arrow(found.now_file) as file:
        return match.unpacked(file.read_all()["pair"].to_numpy())


def numbered(roster: index.Roster, lower: index.Ranks, upper: index.Ranks) -> list[Pair]:
    """The pairs as story numbers, the smaller first."""
    sides = np.sort(np.stack([roster["story"][lower], roster["story"][upper]], 1), axis=1)
    return [(a, b) for a, b in sides.tolist()]


def to_judge(roster_file: Path, folder: Path, near: settings.Near = NEAR) -> tuple[set[Pair], set[Pair], match.Proposed]:
    """The proposed pairs, those of them that are worth reading, and where the former are."""
    found, roster = proposed(roster_file, folder, near), index.Roster.read(roster_file)
    lower, upper = ranks(found)
    kept = match.sift(lower, upper, roster, near, DERIVATIVE)
    every = numbered(roster, lower, upper)
    return set(every), {pair for pair, stays in zip(every, kept.tolist(), strict=True) if stays}, found


# ---- 1: recall on the sets ------------------------------------------------------------------------------------------------


def recall(whole: Sets, less: Sets, background: pa.Table, work: Path) -> dict[str, Any]:
    """By set, the share of the pairs that are worth judging.

    Mean over SEEDS seeds; that of the pair found least often; with all dates far apart; with parts of the texts left out; in the crowd.
    """
    hits = found_by_seed(whole.table, whole.positive, work / "as-dated", SEEDS)
    at = datetime(1900, 1, 1, tzinfo=UTC)
    dates = pa.array([at + timedelta(days=30 * i) for i in range(len(whole.table))], whole.table["published_at"].type)
    place = whole.table.column_names.index("published_at")
    apart = whole.table.set_column(place, whole.table.schema.field(place), dates)
    far = found_by_seed(apart, whole.positive, work / "far-apart", SEEDS)
    parts = found_by_seed(less.table, less.positive, work / "less", LESS_SEEDS)
    others = background.filter(pc.invert(pc.is_in(background["raw_id"], whole.table["raw_id"].combine_chunks())))
    _, crowd, _ = to_judge(shards(pa.concat_tables([others, whole.table]), work / "crowd"), work / "crowd")
    return {
        name: {
            "pairs": len(counts),
            "recall": round(sum(counts.values()) / SEEDS / len(counts), 4),
            "lowest_pair": min(counts.values()) / SEEDS,
            "dated_far_apart": round(sum(far[name].values()) / SEEDS / len(counts), 4),
            "parts_left_out": round(sum(parts[name].values()) / LESS_SEEDS / len(parts[name]), 4) if name in parts else None,
            "in_the_crowd": round(sum(pair in crowd for pair in counts) / len(counts), 4),
        }
        for name, counts in hits.items()
    }


def found_by_seed(table: pa.Table, positive: dict[str, set[Pair]], folder: Path, seeds: int) -> dict[str, dict[Pair, int]]:
    """With how many of the seeds each pair is worth judging."""
    hits = {name: dict.fromkeys(sorted(pairs), 0) for name, pairs in positive.items()}
    for seed in range(1, seeds + 1):
        near = settings.Near(seed=seed)
        _, found, _ = to_judge(shards(table, folder / f"{seed}", near), folder / f"{seed}", near)
        for counts in hits.values():
            for pair in counts:
                counts[pair] += pair in found
    return hits


# ---- 2: growth ------------------------------------------------------------------------------------------------------------


def growth(background: pa.Table, work: Path) -> dict[str, Any]:
    """Proposals over random parts of the background, and over all of it repeated with every fifth word turned round."""
    order = np.random.default_rng(0).permutation(len(background))
    rows = [part_figures(background.take(pa.array(order[:size])), work / f"part-{size}") for size in PARTS]
    first, last = rows[0], rows[-1]
    wider = math.log(last["stories"] / first["stories"])
    names = ("proposed", "to_judge", "related")
    exponents = {name: round(math.log(max(1, last[name]) / max(1, first[name])) / wider, 2) for name in names}
    large = pa.concat_tables([turned(background, turn) for turn in range(5)])
    return {"parts": [*rows, part_figures(large, work / "large")], "exponents": exponents}


def part_figures(table: pa.Table, folder: Path) -> dict[str, Any]:
    from tasks.kernels import pairs

    roster_file = shards(table, folder)
    found, roster = proposed(roster_file, folder), index.Roster.read(roster_file)
    lower, upper = ranks(found)
    kept = match.sift(lower, upper, roster, NEAR, DERIVATIVE)
    terms_of = index.features(roster, np.arange(len(table)), ["terms", "weights"])
    flat, weights = (np.asarray(pc.list_flatten(terms_of[name]).to_numpy()) for name in ("terms", "weights"))
    starts = np.concatenate([[0], np.cumsum(np.asarray(pc.list_value_length(terms_of["terms"]).to_numpy()))]).astype(np.int64)
    similar = pairs.weighted_jaccards(flat, weights, starts, lower, upper)
    entries = 0
    for path in folder.glob("keys-*.arrow"):
        with files.arrow(path) as file:
            entries += sum(file.get_batch(part).num_rows for part in range(file.num_record_batches))
    return {
        "stories": len(table),
        "keys_a_story": round(entries / len(table), 1),
        "proposed": found.pairs,
        "to_judge": int(kept.sum()),
        "related": int((similar >= RELATED).sum()),
        "hot_keys": found.hot_keys,
        "left_out": found.left_out,
    }


def turned(table: pa.Table, turn: int) -> pa.Table:
    """The stories once more, as bench/race.py repeats them: every fifth word reversed, other words in each turn."""
    rows = table.to_pylist()
    for row in rows:
        row["story_id"] = fingerprint.text_hash(f"{row['story_id']} {turn}").hex()
        if turn:
            lines = row["text"].split("\n")
            row["text"] = "\n".join(
                " ".join(w[::-1] if (n + turn) % 5 == 0 else w for n, w in enumerate(line.split(" "))) for line in lines
            )
    return pa.Table.from_pylist(rows, schema=schema.CHECKED)


# ---- 3: planted edits -----------------------------------------------------------------------------------------------------

Edit = Callable[[list[str], float, random.Random, list[str]], list[str]]


def cut(paragraphs: list[str], share: float, _: random.Random, __: list[str]) -> list[str]:
    """Its last sentences left out, as when a paper is short of space."""
    words = sum(len(paragraph.split()) for paragraph in paragraphs) * (1 - share)
    out: list[str] = []
    for paragraph in paragraphs:
        kept = paragraph.split()[: max(0, round(words))]
        words -= len(kept)
        out += [" ".join(kept)] if kept else []
    return out


def reorder(paragraphs: list[str], share: float, chance: random.Random, _: list[str]) -> list[str]:
    """Sentences of a share of the text in another order."""
    sentences = [s for paragraph in paragraphs for s in paragraph.replace(". ", ".\0").split("\0")]
    moved = sorted(chance.sample(range(len(sentences)), round(share * len(sentences))))
    order = moved.copy()
    chance.shuffle(order)
    out = sentences.copy()
    for place, other in zip(moved, order, strict=True):
        out[place] = sentences[other]
    return out


def replace_words(paragraphs: list[str], share: float, chance: random.Random, other: list[str]) -> list[str]:
    """A share of the words replaced by words of another story: a fifth of it, for one word more than one shingle changes."""
    words = " ".join(other).split()
    return [" ".join(chance.choice(words) if chance.random() < share / 5 else w for w in p.split(" ")) for p in paragraphs]


def head(paragraphs: list[str], share: float, chance: random.Random, other: list[str]) -> list[str]:
    """Another headline and opening: words of another story, in no order, lest its text be copied too."""
    words = " ".join(other).split()
    size = max(6, round(share * sum(len(paragraph.split()) for paragraph in paragraphs)))
    return [" ".join(chance.choice(words) for _ in range(size)), *paragraphs]


EDITS: tuple[Edit, ...] = (cut, reorder, replace_words, head)


def jaccard(one: str, other: str) -> float:
    """Exact, over the shingles of tier 1."""
    from tasks.kernels import terms as kernel

    found = terms.tokenise([one, other])
    hashes, starts = kernel.shingle(found.hashes, found.rows, NEAR.shingle_words)
    a, b = (hashes[starts[i] : starts[i + 1]] for i in range(2))
    same = len(np.intersect1d(a, b, assume_unique=True))
    return same / max(1, len(a) + len(b) - same)


def edited(text: str, other: str, low: float, high: float, kinds: Sequence[Edit], seed: int) -> tuple[str, float] | None:
    """The text with these edits, as strong as makes its similarity lie in [low, high), and that; None where it jumps past."""
    weakest, strongest = 0.0, 0.8
    for _ in range(12):
        chance = random.Random(seed)  # noqa: S311 -- no secret
        paragraphs = [p for p in text.split("\n") if p.strip()]
        for kind in kinds:
            paragraphs = kind(paragraphs, (weakest + strongest) / 2, chance, other.split("\n"))
        copy = "\n\n".join(paragraphs)
        found = jaccard(text, copy)
        if low <= found < high and copy != text:
            return copy, found
        weakest, strongest = (weakest, (weakest + strongest) / 2) if found < low else ((weakest + strongest) / 2, strongest)
    return None


def plant(background: pa.Table) -> list[tuple[dict[str, Any], dict[str, Any], float]]:
    """PLANTED pairs for each tenth: a story, its edited copy, their similarity; every story is copied once at most."""
    chance = random.Random(0)  # noqa: S311 -- no secret
    rows = background.to_pylist()
    chance.shuffle(rows)
    out: list[tuple[dict[str, Any], dict[str, Any], float]] = []
    left = iter(enumerate(rows))
    for low, high in pairwise(TENTHS):
        count = 0
        for i, row in left:
            aim = low + (high - low) * (count + 0.5) / PLANTED
            kinds = chance.sample(EDITS, chance.choice((1, 1, 2, 3)))
            copy = edited(row["text"], rows[i - 1]["text"], max(low, aim - 0.02), min(high, aim + 0.02), kinds, i)
            if copy is None:
                continue
            new = row | {"story_id": fingerprint.text_hash(f"copy of {row['story_id']}").hex(), "raw_id": f"{row['raw_id']} copy"}
            new |= {"text": copy[0], "word_count": len(copy[0].split()), "source": "another"}
            out.append((row, new, copy[1]))
            count += 1
            if count == PLANTED:
                break
    return out


def planted(background: pa.Table, work: Path) -> dict[str, Any]:
    """By tenth of the true similarity, which planted pairs are proposed, judged and found; and what else is judged a copy."""
    pairs = plant(background)
    copies = pa.Table.from_pylist([copy for _, copy, _ in pairs], schema=schema.CHECKED)
    folder = work / "planted"
    roster_file = shards(pa.concat_tables([background, copies]), folder)
    every, worth, found = to_judge(roster_file, folder)
    judged = match.judge([found], roster_file, folder, NEAR, DERIVATIVE)
    relation = {
        (stories.number(row["a"]), stories.number(row["b"])): row["relation"]
        for row in pq.read_table(judged.judged_file, columns=["a", "b", "relation"]).to_pylist()
    }
    origin = {stories.number(copy["story_id"]): stories.number(row["story_id"]) for row, copy, _ in pairs}
    rows = []
    truth = [(_pair(row, copy), similarity) for row, copy, similarity in pairs]
    for low, high in pairwise(TENTHS):
        here = [pair for pair, similarity in truth if low <= similarity < high]
        share = {
            "proposed": [pair in every for pair in here],
            "to_judge": [pair in worth for pair in here],
            "copies": [relation.get(pair) in ("near", "exact") for pair in here],
            "derivative": [relation.get(pair) == "derivative" for pair in here],
        }
        rows.append(
            {"from": low, "to": high, "pairs": len(here)} | {name: round(sum(hit) / max(1, len(hit)), 4) for name, hit in share.items()}
        )
    alike = {pair for pair, name in relation.items() if name in ("near", "exact")}
    natural = {pair for pair in alike if not set(pair) & set(origin)}
    wrong = [pair for pair in alike - natural if (back := _origins(pair, origin)) not in natural and len(set(back)) > 1]
    sure = [pair for pair, similarity in truth if similarity >= 0.7]
    return {
        "tenths": rows,
        "recall_from_07": round(sum(pair in alike for pair in sure) / len(sure), 4),
        "judged_copies": len(alike - natural),
        "wrong": len(wrong),
        "precision": round(1 - len(wrong) / max(1, len(alike - natural)), 4),
        "natural": len(natural),
    }


def _pair(row: dict[str, Any], copy: dict[str, Any]) -> Pair:
    a, b = sorted((stories.number(row["story_id"]), stories.number(copy["story_id"])))
    return a, b


def _origins(pair: Pair, origin: dict[int, int]) -> Pair:
    a, b = sorted(origin.get(number, number) for number in pair)
    return a, b


def _settings() -> dict[str, Any]:
    near = {"permutations", "bands", "rows", "run_words", "run_window"}
    weak = {"zipf_cut", "samples", "rows", "far_rows", "days"}
    return {"near": NEAR.model_dump(include=near), "derivative": DERIVATIVE.model_dump(include=weak), "hot_key": HOT}
