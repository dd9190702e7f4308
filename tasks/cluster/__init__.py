"""Clustering: which story is kept, and which rows it stands for.

Clusters are anchored. In every component of pairs judged to be one story, the best member by the keeping policy is the
anchor; members judged a duplicate of the anchor itself join it (pairs that matching did not propose are judged here);
the rest starts again. So a chain of resemblances alone never merges two stories. `policy` says which is best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import schema, settings, verdict
from tasks.cluster.policy import Links, Member, best, copies_of, reason
from tasks.verdict import Judgement, stories

__all__ = ["Clustered", "Member", "Pair", "Standing", "anchored", "cluster", "per_source"]

_SMALL = (
    *("raw_id", "raw_uri", "raw_sha256", "raw_state", "story_id", "stage", "reason"),
    *("source", "published_at", "published_precision", "word_count", "text_hash"),
)


@dataclass(frozen=True)
class Clustered:
    """Where the decisions are; rows by outcome, records of the largest cluster, and pairs that were judged here."""

    decisions_file: Path
    kept: int
    duplicates: int
    quarantined: int
    largest: int
    judged_late: int


@dataclass(frozen=True)
class Standing:
    """One duplicate: the story that stands for it, the verdict on the two, and the step of the policy that decided."""

    kept: str
    judgement: Judgement
    reason: str


Pair = tuple[str, str]


def cluster(
    judged: Sequence[Path],
    shards: Sequence[Path],
    out: Path,
    recipe: str,
    near: settings.Near,
    derivative: settings.Derivative,
    policy: settings.Cluster,
) -> Clustered:
    """Write DECISIONS: one row for every row of the shards, sorted by story_id.

    Args:
        judged: the files of `match.judge`.
        shards: all FINGERPRINTED shards.
        out: the Parquet file to write.
        recipe: written into every row.

    Raises:
        ValueError: two rows have one story_id or one story number; a judged pair names a story that is in no shard.
    """
    table = pa.concat_tables([pq.read_table(shard, columns=list(_SMALL)) for shard in shards]).sort_by("story_id")
    _unambiguous(table)
    pairs = read_judged(judged)
    members = _members(table, {story for pair in pairs for story in (pair.a, pair.b)})
    late = 0

    def judge(wanted: list[Pair]) -> list[Judgement]:
        nonlocal late
        late += len(wanted)
        numbers = [(stories.number(a), stories.number(b)) for a, b in wanted]
        return verdict.judgements(verdict.judge_pairs(numbers, shards, near, derivative))

    standing = anchored(members, pairs, judge, policy.complete)
    beside: dict[str, str] = {}
    if policy.keep == "one-per-source":
        standing, beside = per_source(members, standing, judge, policy.complete)
    couples = [(stories.number(story_id), stories.number(found.kept)) for story_id, found in standing.items()]
    passages = dict(zip(standing, verdict.evidence(couples, shards), strict=True))
    decisions = _decisions(table, standing, passages, beside, recipe)
    out.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(decisions, out, compression="zstd")
    outcomes = {row["values"]: row["counts"] for row in pc.value_counts(decisions["outcome"]).to_pylist()}
    sizes = pc.value_counts(decisions["cluster_id"].drop_null()).field("counts") if len(decisions) else pa.array([], pa.int64())
    return Clustered(
        out,
        outcomes.get("kept", 0),
        outcomes.get("duplicate", 0),
        outcomes.get("quarantined", 0),
        int(pc.max(sizes).as_py() or 0),
        late,
    )


def read_judged(files: Iterable[Path]) -> list[Judgement]:
    """The judgements of some files of `match.judge` that found one story."""
    return [judgement for file in files for judgement in verdict.judgements(pq.read_table(file, filters=[("relation", "!=", "")]))]


def anchored(
    members: dict[str, Member], judged: Iterable[Judgement], judge: Callable[[list[Pair]], list[Judgement]], complete: float
) -> dict[str, Standing]:
    """The anchored clusters over some stories: for each duplicate, what stands for it. Stories without a standing are kept.

    Args:
        members: every story that a judgement names.
        judged: the judgements there are; those that are missing are asked for when they decide something.
        judge: gives the judgements of a list of pairs (a, b), a < b; called once a round for all components.
        complete: share of the longest copy's words that a copy needs to count as complete.
    """
    known: Links = defaultdict(dict)
    _learn(known, judged)
    standing: dict[str, Standing] = {}
    groups = components(members, known)
    while groups:
        anchors = [best(group, members, known, complete) for group in groups]
        missing = [
            _pair(anchor, other) for group, anchor in zip(groups, anchors, strict=True) for other in group if other not in known[anchor]
        ]
        missing = [(a, b) for a, b in missing if a != b]
        if missing:  # what is learnt may show another anchor: choose again
            _learn(known, judge(missing))
            continue
        rest: list[str] = []
        for group, anchor in zip(groups, anchors, strict=True):
            copies = copies_of(group, known)
            for other in group:
                if other == anchor:
                    continue
                found = known[anchor][other]
                if found.relation is None or (
                    found.relation == "derivative" and any(known[anchor][c].relation is None for c in copies[other])
                ):
                    rest.append(other)  # copies go together: no rewrite of the anchor is a copy of what is another story
                else:
                    standing[other] = Standing(anchor, found, reason(members[other], members[anchor], found, copies, members, complete))
        groups = components(rest, known)
    return standing


def per_source(
    members: dict[str, Member], standing: dict[str, Standing], judge: Callable[[list[Pair]], list[Judgement]], complete: float
) -> tuple[dict[str, Standing], dict[str, str]]:
    """One kept story for every source in a cluster: what then stands for the duplicates, and for the stories kept beside an anchor that anchor.

    The anchor stands for its own source and for stories without one. Of each other source the best by the policy is kept, and
    stands for those of its source that are judged one story with it; the anchor keeps the rest.
    """
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, found in standing.items():
        source = members[name].source
        if source and source != members[found.kept].source:
            groups[found.kept, source].append(name)
    known: Links = defaultdict(dict)
    _learn(known, judge([_pair(one, other) for group in groups.values() for one, other in combinations(sorted(group), 2)]))
    left, beside = dict(standing), {}
    for (anchor, _), group in groups.items():
        kept = best(group, members, known, complete)
        beside[kept] = anchor
        del left[kept]
        copies = copies_of(group, known)
        for other in group:
            if other != kept and known[kept][other].relation is not None:
                judgement = known[kept][other]
                left[other] = Standing(kept, judgement, reason(members[other], members[kept], judgement, copies, members, complete))
    return left, beside


def _learn(known: Links, judgements: Iterable[Judgement]) -> None:
    for judgement in judgements:
        known[judgement.a][judgement.b] = known[judgement.b][judgement.a] = judgement


def components(ids: Iterable[str], known: Links) -> list[list[str]]:
    """Connected components of two stories or more among `ids`, by pairs judged one story; sorted, each sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = sorted(ids)
    place = {name: i for i, name in enumerate(names)}
    edges = [
        (i, place[other]) for name, i in place.items() for other, j in known[name].items() if j.relation is not None and other in place
    ]
    if not edges:
        return []
    left, right = np.array(edges).T
    graph = coo_array((np.ones(len(edges), np.int8), (left, right)), shape=(len(names), len(names)))
    labels = connected_components(graph, directed=False)[1]
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for name, label in zip(names, labels.tolist(), strict=True):
        groups[label].append(name)
    return sorted(group for group in groups.values() if len(group) > 1)


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def _members(table: pa.Table, wanted: set[str]) -> dict[str, Member]:
    chosen = table.filter(pc.is_in(table["story_id"], pa.array(sorted(wanted), pa.string())))
    rows = chosen.select(["story_id", "source", "word_count", "text_hash"]).to_pylist()
    out = {
        row["story_id"]: Member(row["story_id"], row["source"] or "", int(at), row["word_count"], row["text_hash"])
        for row, at in zip(rows, stories.times(chosen), strict=True)
    }
    if missing := sorted(wanted - set(out)):
        raise ValueError(f"cluster: judged pairs name {len(missing)} stories that are in no shard, e.g. {missing[0]}; give all shards")
    return out


def _unambiguous(table: pa.Table) -> None:
    numbers = stories.numbers(table["story_id"])
    if len(np.unique(numbers)) < len(numbers):
        raise ValueError("cluster: two rows have one story_id, or ids that agree in their first 16 digits; story_id must be a hash")


def _decisions(
    table: pa.Table, standing: dict[str, Standing], passages: dict[str, list[tuple[str, str]]], beside: dict[str, str], recipe: str
) -> pa.Table:
    names = ("outcome", *schema.DECISIONS.names[8:])
    ids = table["story_id"].to_pylist()
    columns: dict[str, list[Any]] = {name: [None] * len(ids) for name in names}
    columns |= {"stage": table["stage"].to_pylist(), "reason": table["reason"].to_pylist(), "recipe": [recipe] * len(ids)}
    for i, story_id in enumerate(ids):
        if columns["reason"][i] is not None:
            columns["outcome"][i] = "quarantined"
        elif story_id not in standing:
            columns["outcome"][i], columns["cluster_id"][i], columns["stage"][i] = "kept", story_id, None
            columns["same_story"][i] = beside.get(story_id)
        else:
            for name, value in _verdict(story_id, standing[story_id], passages[story_id]).items():
                columns[name][i] = value
    for name, values in columns.items():
        table = table.drop_columns([name]) if name in table.column_names else table
        table = table.append_column(name, pa.array(values, schema.DECISIONS.field(name).type))
    return schema.conform(table, schema.DECISIONS)


def _verdict(story_id: str, standing: Standing, passages: list[tuple[str, str]]) -> dict[str, Any]:
    """The columns of a duplicate, seen from the row: `_a` is its own side when its id is the smaller."""
    j = standing.judgement
    first = story_id == j.a
    return {
        "outcome": "duplicate",
        "stage": "cluster",
        "reason": standing.reason,
        "relation": j.relation,
        "duplicate_of": standing.kept,
        "cluster_id": standing.kept,
        "probability": j.probability,
        "jaccard": j.jaccard,
        "containment": j.containment_a if first else j.containment_b,
        "weighted_jaccard": j.weighted_jaccard,
        "coverage": j.coverage_a if first else j.coverage_b,
        "evidence": [{"text": text, "other_text": other} for text, other in passages],
    }
