"""Pairs of stories with labels, from which the verdict is trained and by which its probabilities are held.

tests/data/families.jsonl and coverage.jsonl are invented, CC0 and in the repository. The rest is read from the benchmark folder
($COPYDESK_BENCHMARKS, by default ../shared) if it is there: its labelled pairs, its five seeds (bench/data/seed_pairs.jsonl), and pairs of its
background stories with labels of our own (bench/data/background_pairs.jsonl; both texts read, one story only if an editor would keep only
one of the two).
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench.quality import BENCHMARKS, ROOT
from flows import explain
from tasks import fingerprint, schema, settings
from tasks.verdict import stories

Rows = list[dict[str, Any]]
DATA = Path(__file__).with_name("data")
POSITIVE = {"light", "heavy", "mixed", "syndicated", "rewrite", "aggregated", "unnamed", "agency_edit"}
POSITIVE |= {"syndicated_copy", "wire_edited", "derived_rewrite"}
_QUOTATION = re.compile(r"“[^”\n]+”|\"[^\"\n]+\"|«[^»\n]+»")


@dataclass(frozen=True)
class Pair:
    """A labelled pair of record ids.

    set: where it is from; group: what must not be split between folds; kind: its role or label; weight: how much it counts in training;
    source: which of the two is the source, if known.
    """

    a: str
    b: str
    same: bool
    set: str
    group: str
    kind: str
    weight: float
    source: str | None = None


@dataclass(frozen=True, eq=False)
class Labelled:
    """Pairs, and their stories as the flow cleans and fingerprints them; left, right: int64[pairs], places in the stories."""

    pairs: list[Pair]
    stories: stories.Stories
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]


WEIGHTS = {"families": 0.5, "coverage": 0.5, "wild": 2.0, "independent": 1.0, "background": 1.5, "seeds": 6.0}
"""How much a pair of each set counts: real ones more than invented ones, the one pair of the seeds most."""
BESIDE, HARDER = 0.25, 0.125
"""What a pair counts, as a part of its set's weight, of two stories of one family of which neither is the source; and one made harder."""


def read(path: Path) -> Rows:
    path = path if path.exists() else path.with_name(path.name + ".gz")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def of_families(name: str, rows: Rows) -> Iterator[Pair]:
    """Every variant against its source; the stories that are others also against the rewrites, as a component of pairs would."""
    for row in rows:
        source = f"{row['family']}-source"
        if row["role"] == "source":
            continue
        same = row["role"] in POSITIVE
        yield Pair(row["id"], source, same, name, row["family"], row["role"], WEIGHTS[name], source if same else None)
        for other in rows:
            if not same and other["family"] == row["family"] and other["role"] in POSITIVE:
                yield Pair(row["id"], other["id"], False, name, row["family"], f"{row['role']} and {other['role']}", WEIGHTS[name] * BESIDE)


def of_labels(name: str, rows: Rows) -> Iterator[Pair]:
    """Labelled pairs but the arguable ones; stories linked by any pair are one group, whose pairs of one label tell little more than one."""
    group: dict[str, str] = {}
    for row in rows:
        merged = {group.setdefault(row[side], row[side]) for side in ("a", "b")}
        group |= {story: min(merged) for story, its in group.items() if its in merged}
    alike = Counter((group[row["a"]], row["label"]) for row in rows)
    for row in rows:
        if row["label"] != "arguable":
            same, derived = row["label"] in POSITIVE, row.get("derived_side")
            source = row["b"] if derived == "a" else row["a"] if derived == "b" else None
            weight = WEIGHTS[name] / alike[group[row["a"]], row["label"]] ** 0.5
            yield Pair(row["a"], row["b"], same, name, group[row["a"]], row["label"], weight, source if same else None)


def of_events(rows: Rows) -> Iterator[Pair]:
    for a, b in combinations(rows, 2):
        if a["event"] == b["event"]:
            yield Pair(a["id"], b["id"], False, "independent", a["event"], "independent event", WEIGHTS["independent"])


def sets() -> tuple[Rows, list[Pair]]:
    """All records, and all labelled pairs of the sets that are there."""
    rows: Rows = []
    pairs: list[Pair] = []
    for name in ("families", "coverage"):
        found = read(ROOT / f"tests/data/{name}.jsonl")
        rows += found
        pairs += of_families(name, found)
    folder = BENCHMARKS / "data"
    if folder.is_dir():
        wild = [row | {"a": row["id_a"], "b": row["id_b"]} for row in read(folder / "rewrites/wild_pairs.jsonl")]
        sides = {row[f"id_{s}"]: {name: row[f"{field}_{s}"] for name, field in _SIDE.items()} for row in wild for s in "ab"}
        events = read(folder / "rewrites/independent_triples.jsonl")
        labels = read(DATA / "background_pairs.jsonl")
        wanted = {row[side] for row in labels for side in ("a", "b")}
        background = [row for row in pq.read_table(folder / "background/stories.parquet").to_pylist() if row["id"] in wanted]
        seeds = [{"id": path.stem, "text": path.read_text(encoding="utf-8")} for path in sorted((BENCHMARKS / "seeds").glob("*.txt"))]
        rows += [*sides.values(), *events, *background, *seeds]
        pairs += [*of_labels("wild", wild), *of_events(events), *of_labels("background", labels)]
        pairs += of_labels("seeds", read(DATA / "seed_pairs.jsonl"))
    return rows, pairs


_SIDE = {"id": "id", "source": "source", "title": "title", "published_at": "date", "text": "text"}


def harder(rows: Rows, pairs: list[Pair]) -> tuple[Rows, list[Pair]]:
    """The pairs once more with parts of one text or of both left out: its last four tenths, its first three, all of its quotations.

    Crawled stories stop at a paywall or were updated since, and many rewrites outside the sets quote less than those inside, or
    quote what our copy of the source has lost. Every kind of pair keeps its label and fold, alike for rewrites and other stories.
    """
    texts, more = [], []
    for row in rows:
        paragraphs = row["text"].split("\n\n")
        head, rest = max(1, round(0.6 * len(paragraphs))), min(len(paragraphs) - 1, round(0.3 * len(paragraphs)))
        variants = {
            "/head": "\n\n".join(paragraphs[:head]),
            "/rest": "\n\n".join(paragraphs[rest:]),
            "/unquoted": _QUOTATION.sub(" ", row["text"]),
        }
        texts += [{**row, "id": row["id"] + kind, "text": text} for kind, text in variants.items()]
    for pair in pairs:
        if " and " not in pair.kind and pair.set != "seeds":
            for one, other in (("/head", ""), ("", "/head"), ("/unquoted", ""), ("", "/unquoted"), ("/head", "/rest"), ("/rest", "/head")):
                less = pair.weight * HARDER
                more.append(replace(pair, a=pair.a + one, b=pair.b + other, kind=pair.kind + one + other, weight=less, source=None))
    return texts, more


def load(rows: Rows, pairs: list[Pair]) -> Labelled:
    """The records through ingest, repair, strip and fingerprint."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "rows.jsonl")
        fields = ("id", "source", "title", "published_at", "text")
        file.write_text(
            "".join(json.dumps({k: row[k] for k in fields if row.get(k)}, default=str) + "\n" for row in rows), encoding="utf-8"
        )
        cleaned = explain.cleaned(file, settings.Settings())
    records = [dict.fromkeys(schema.CHECKED.names) | {k: v for k, v in row.items() if k in schema.CHECKED.names} for row in cleaned]
    for record in records:
        record["word_count"] = len((record["text"] or "").split())
    table = fingerprint.fingerprint(pa.Table.from_pylist(records, schema=schema.CHECKED), settings.Near(), settings.Derivative())
    place = {raw_id: i for i, raw_id in enumerate(table["raw_id"].to_pylist())}
    left, right = (np.array([place[getattr(pair, side)] for pair in pairs], np.int64) for side in ("a", "b"))
    return Labelled(pairs, stories.of(table), left, right)
