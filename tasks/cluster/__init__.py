"""Clustering: which story is kept, and which rows it stands for. plan -> carry, cluster -> copies.

Clusters are anchored. In every component of pairs judged to be one story, the best member by the keeping policy is the
anchor; members judged a duplicate of the anchor itself join it (pairs that matching did not propose are judged here);
the rest starts again. So a chain of resemblances alone never merges two stories. `policy` says which is best.

What is decided in a component depends on nothing outside it. So `carry` takes over what the last run decided, save in components that
gained or lost a pair or a story, or of which editors say something else, which `plan` finds, and `cluster` works these alone.
The pairs that are kept from run to run are the verdict's; what editors say of them (tasks/overrides.py, `joins`) is laid over them each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import files, index, schema, settings, verdict
from tasks.cluster.joins import join, mark, nearest, ruled
from tasks.cluster.policy import Links, Member, best, copies_of, reason
from tasks.index import Roster
from tasks.overrides import Obeyed, Word
from tasks.verdict import Judgement

__all__ = ["Clustered", "Member", "Pair", "Plan", "Standing", "anchored", "carry", "cluster", "copies", "obeyed", "per_source", "plan"]

COPIES = pa.schema([schema.COLUMNS[name].field() for name in ("cluster_id", "copies", "copy_sources")])
_QUICK = {**files.encoding(schema.STANDING), "compression": "lz4"}
"""Standings with their evidence are read and written again by each run, and so are pairs."""
_PAIRS = {"compression": "lz4", "use_dictionary": False}
STIRRED = pa.schema([pa.field("rank", pa.uint32(), nullable=False)], metadata={"description": "stories whose cluster may have changed"})


@dataclass(frozen=True)
class Plan:
    """Where all pairs of one story are, the ranks for which what the last run decided may not hold, and their pairs in parts; how many
    components have so many stories that they are cut (LONGEST_CHAIN)."""

    pairs_file: Path
    stirred_file: Path
    part_files: tuple[Path, ...]
    chains: int


@dataclass(frozen=True)
class Clustered:
    """Where the standings of a part are (schema.STANDING), and how many pairs were judged for them."""

    standing_file: Path
    judged_late: int


@dataclass(frozen=True)
class Standing:
    """One duplicate: the story that stands for it, the verdict on the two, the step of the policy that decided, and an editor's entry that
    did."""

    kept: str
    judgement: Judgement
    reason: str
    override: str | None = None


Pair = tuple[str, str]
NO_WORD = Word()


def plan(
    judged: Sequence[Path],
    roster_file: Path,
    out: Path,
    parts: int,
    last: Path | None = None,
    let_go: Path | None = None,
    word: Word = NO_WORD,
    changed: Sequence[str] = (),
) -> Plan:
    """Gather all pairs of one story, and choose the components that are to be clustered again: all of them without a last run.

    Args:
        judged: the files of `match.judge`.
        out: folder for what is written; `standing/` in it is made.
        parts: into how many files the pairs to work on are cut, by component.
        last: pairs of the last run.
        let_go: pairs of the last run that are proposed no more.
        word: what editors say; changed: stories of which they said something else in the last run.
    """
    from tasks.kernels import digests

    roster = Roster.read(roster_file)
    fresh = pa.concat_tables([verdict.JUDGED.empty_table(), *(files.read_table(path) for path in judged)])
    before = files.read_table(last) if last else verdict.JUDGED.empty_table()
    old, old_packed = _ranked(roster, before)
    new, new_packed = _ranked(roster, fresh)
    stands = (old >= 0).all(1) & roster.now[old].all(1) & ~digests.within(old_packed, _packed(let_go))
    again = digests.within(new_packed, np.sort(old_packed[stands]))
    pairs = pa.concat_tables([before.filter(pa.array(stands)), fresh.filter(pa.array(~again))])
    ranks = np.concatenate([old[stands], new[~again]])

    gone = old[~stands].reshape(-1)
    moved = np.flatnonzero((roster.now != roster.then) & (roster["month"] != index.FAULTY)) if last else np.arange(len(roster.table))
    stirred = np.zeros(len(roster.table), np.bool_)
    joined, joined_ranks, shaken = _bundles(word, roster)
    said = roster.find(changed)
    for some in (gone[gone >= 0], new[~again].reshape(-1), moved, said[(said >= 0) & roster.now[said]], shaken):
        stirred[some] = True
    kept, (pairs, ranks) = pairs, (pa.concat_tables([pairs, joined]), np.concatenate([ranks, joined_ranks]))
    component, sizes = _components(ranks)
    concerned = np.unique(component[stirred[ranks].any(1)])
    work = np.isin(component, concerned)
    stirred[ranks[work].reshape(-1)] = True

    files.folder(out / "standing")
    files.write_table(kept.sort_by([("a", "ascending"), ("b", "ascending")]), out / "pairs.parquet", **_PAIRS)
    found = pa.array(np.flatnonzero(stirred).astype(np.uint32))
    files.write_arrow([pa.record_batch([found], schema=STIRRED)], STIRRED, out / "stirred.arrow")
    order = np.flatnonzero(work)[np.argsort(component[work], kind="stable")]
    part_files = []
    for number, some in enumerate(_cut(component[order], parts)):
        part_files.append(out / f"component-pairs-{number:05d}.parquet")
        files.write_table(pairs.take(pa.array(order[some])), part_files[-1], **_PAIRS)
    return Plan(out / "pairs.parquet", out / "stirred.arrow", tuple(part_files), int((sizes > LONGEST_CHAIN).sum()))


def _bundles(word: Word, roster: Roster) -> tuple[pa.Table, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pairs that join the bundles of editors: JUDGED, as yet without a verdict, and their ranks, int64[n, 2]; and the ranks of bundles
    that a story came to or went from."""
    pairs: list[Pair] = []
    shaken: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
    moved = roster.now != roster.then
    for bundle in word.bundles():
        ranks = _healthy(roster, bundle)
        there = [story for story, rank in zip(bundle, ranks.tolist(), strict=True) if rank >= 0]
        pairs += [(there[0], other) for other in there[1:]]
        every = roster.find(bundle)
        if moved[every[every >= 0]].any():
            shaken.append(ranks[ranks >= 0])
    blank = {"relation": None, "probability": 0.0, "jaccard": 0.0, "containment_a": 0.0, "containment_b": 0.0, "weighted_jaccard": 0.0}
    rows = [{"a": a, "b": b, **blank, "coverage_a": None, "coverage_b": None, "source_a": 0.5} for a, b in pairs]
    ids = [story for pair in pairs for story in pair]
    return pa.Table.from_pylist(rows, schema=verdict.JUDGED), roster.find(ids).reshape(-1, 2), np.concatenate(shaken)


def _healthy(roster: Roster, stories: Sequence[str]) -> npt.NDArray[np.int64]:
    """The ranks of some stories, -1 for those that are not in the seen set, or in quarantine."""
    ranks = roster.find(stories)
    if not len(roster.table):
        return ranks
    return np.where((ranks >= 0) & roster.now[ranks] & (roster["month"][ranks] != index.FAULTY), ranks, -1)


def carry(standing: Path, roster_file: Path, stirred_file: Path, out: Path, part: int, parts: int) -> Path:
    """Write those standings of the last run that still hold, by month, row group by row group: with their evidence they are large.

    Args:
        standing: folder of the last run's STANDING files.
        stirred_file: of `plan`; out: the Parquet file to write.
        part, parts: every so many-th row group only.
    """
    roster = Roster.read(roster_file)
    stirred = np.zeros(len(roster.table), np.bool_)
    with files.arrow(stirred_file) as file:
        stirred[file.get_batch(0).column(0).to_numpy()] = True
    with ExitStack() as stack:
        opened = [stack.enter_context(files.parquet(path)) for path in files.inside(standing, ".parquet")]
        groups = [(file, group) for file in opened for group in range(file.num_row_groups)]
        sink = stack.enter_context(files.written(out))
        writer = stack.enter_context(pq.ParquetWriter(sink, schema.STANDING, **_QUICK))
        for file, group in sorted(groups, key=lambda one: _first_month(*one))[part::parts]:
            table = file.read_row_group(group)
            at = roster.find(table["story_id"])
            if len(table := table.filter(pa.array((at >= 0) & roster.now[at] & ~stirred[at]))):
                writer.write_table(table)
    return out


def _first_month(part: pq.ParquetFile, group: int) -> int:
    return int(part.read_row_group(group, columns=["month"])["month"][0].as_py())


def _ranked(roster: Roster, pairs: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """The ranks of each pair, int64[n, 2], and lower rank << 32 | higher rank; -1 and 2^64 - 1 where a story is not in the roster."""
    ranks = np.stack([roster.find(pairs[name]) for name in ("a", "b")], 1)
    lower, upper = (side.astype(np.uint64) for side in (ranks.min(1), ranks.max(1)))
    return ranks, np.where((ranks >= 0).all(1), lower << np.uint64(32) | upper, ~np.uint64(0))


def _packed(pairs_file: Path | None) -> npt.NDArray[np.uint64]:
    if pairs_file is None:
        return np.zeros(0, np.uint64)
    with files.arrow(pairs_file) as file:
        return np.array(file.get_batch(0).column(0).to_numpy())


def _components(ranks: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each pair the number of its connected component; for each component, those of one story too, how many stories it has."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(ranks):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    left, right = ranks.T
    stories = int(ranks.max()) + 1
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(stories, stories))
    of_story = np.asarray(connected_components(graph, directed=False)[1]).astype(np.int64)
    return of_story[left], np.bincount(of_story)


def _cut(component: npt.NDArray[np.int64], parts: int) -> list[npt.NDArray[np.int64]]:
    """Places of the pairs, sorted by component, in some parts of about one size that cut no component."""
    if not len(component):
        return []
    begins = np.concatenate([[0], np.flatnonzero(np.diff(component)) + 1])
    part = np.searchsorted(begins, np.arange(len(component)), side="right") - 1
    part = begins[part] * parts // len(component)
    return np.split(np.arange(len(component)), np.flatnonzero(np.diff(part)) + 1)


def cluster(
    pairs_file: Path,
    roster_file: Path,
    out: Path,
    near: settings.Near,
    derivative: settings.Derivative,
    policy: settings.Cluster,
    word: Word = NO_WORD,
) -> Clustered:
    """Cluster the components of some pairs and write the standing of every duplicate, and of every story kept beside an anchor or because
    an editor says so: STANDING.

    Args:
        pairs_file: of `plan`; out: the Parquet file to write, rows by month.
        word: what editors say.
    """
    roster = Roster.read(roster_file)
    pairs = verdict.judgements(files.read_table(pairs_file))
    members = _members(roster, sorted({story for pair in pairs for story in (pair.a, pair.b)}))
    late = 0

    def judge(wanted: list[Pair]) -> list[Judgement]:
        nonlocal late
        late += len(wanted)
        of_bundle = [pair for pair in wanted if any(word.joined(one) or word.kept(one) for one in pair)]  # they may join without a verdict
        return [
            found
            for some, read_all in ((of_bundle, True), (sorted({*wanted} - {*of_bundle}) if of_bundle else wanted, False))
            for begin in range(0, len(some), _AT_ONCE)
            for found in _judge(roster, some[begin : begin + _AT_ONCE], near, derivative, read_all)
        ]

    marks: dict[str, str] = {}
    pairs = [pair for pair in pairs if pair.relation] + judge([(pair.a, pair.b) for pair in pairs if not pair.relation])
    standing = anchored(members, pairs, judge, policy.complete, word, marks)
    beside: dict[str, str] = {}
    if policy.keep == "one-per-source":
        standing, beside = per_source(members, standing, judge, policy.complete, word, marks)
    ids = list(dict.fromkeys([*standing, *beside, *marks]))
    ranks = roster.find(ids)
    month = roster["month"][ranks]
    order = np.lexsort((ranks, month))
    with files.written(out) as sink, pq.ParquetWriter(sink, schema.STANDING, **_QUICK) as writer:
        for begin in range(0, len(order), _WRITTEN_AT_ONCE):
            some = order[begin : begin + _WRITTEN_AT_ONCE].tolist()
            rows = [_row(ids[i], standing.get(ids[i]), beside, members, marks) | {"month": int(month[i])} for i in some]
            table = pa.Table.from_pylist(rows, schema=schema.STANDING)
            at = table.column_names.index("evidence")
            table = table.set_column(at, schema.STANDING.field("evidence"), _evidence(roster, table))
            writer.write_table(schema.conform(table, schema.STANDING))
    return Clustered(out, late)


_AT_ONCE = 8_000
"""Pairs whose texts are held at once: at most some 250 MB."""
_WRITTEN_AT_ONCE = 1_000
"""Standings with their evidence, at most some 20 MB."""


def _judge(roster: Roster, pairs: Sequence[Pair], near: settings.Near, derivative: settings.Derivative, read_all: bool) -> list[Judgement]:
    ranks, left, right = index.together(roster, *roster.find([story for pair in pairs for story in pair]).reshape(-1, 2).T)
    found = index.stories(roster, ranks, near.shingle_words)
    return verdict.judgements(verdict.judge(found, left, right, near, derivative, read_all=read_all))


def _evidence(roster: Roster, standing: pa.Table) -> pa.Array[Any]:
    """The passages that each duplicate shares with what stands for it, null for stories that are kept."""
    repeats = np.flatnonzero(standing["duplicate_of"].is_valid().to_numpy())
    rows, kept = (roster.find(standing[name].take(pa.array(repeats))) for name in ("story_id", "duplicate_of"))
    ranks, left, right = index.together(roster, rows, kept)
    found = verdict.evidence(index.features(roster, ranks, ["text"])["text"], left, right)
    at = np.full(len(standing), -1)
    at[repeats] = np.arange(len(repeats))
    return found.take(pa.array(at, mask=at < 0))


def copies(standing: Path, roster_file: Path, out: Path) -> Path:
    """Write for every story that stands for others how many, and of which sources (COPIES).

    Args:
        standing: folder of the STANDING files; out: the Parquet file to write.
    """
    table = files.read_table(standing, columns=["story_id", "source", "duplicate_of"], schema=schema.STANDING)
    repeats = table.filter(pc.is_valid(table["duplicate_of"])).select(["duplicate_of", "source"]).rename_columns(["cluster_id", "source"])
    roster = Roster.read(roster_file)
    kept = pc.unique(repeats["cluster_id"])
    own = index.features(roster, roster.find(pa.chunked_array([kept])), ["source"])["source"]
    members = pa.concat_tables([repeats, pa.table([kept, own], schema=repeats.schema)])
    counted = members.group_by("cluster_id").aggregate([([], "count_all")]).sort_by("cluster_id")
    named = members.filter(pc.is_valid(members["source"])).group_by(["cluster_id", "source"]).aggregate([])
    named = named.sort_by([("cluster_id", "ascending"), ("source", "ascending")])
    ends = np.bincount(pc.index_in(named["cluster_id"], value_set=counted["cluster_id"].combine_chunks()), minlength=len(counted)).cumsum()
    sources = pa.ListArray.from_arrays(pa.array(np.append(0, ends).astype(np.int32)), named["source"].combine_chunks())
    found = pa.table([counted["cluster_id"], counted["count_all"], sources], COPIES.names)
    files.write_table(schema.conform(found, COPIES), out, **_PAIRS)
    return out


def obeyed(standing: Path, roster_file: Path, word: Word) -> Obeyed:
    """Which entries about stories find all of them in the seen set, and how many rows each decided.

    Args:
        standing: folder of the STANDING files.
    """
    roster = Roster.read(roster_file)
    table = files.read_table(standing, columns=["override"], schema=schema.STANDING)
    counted = pc.value_counts(table["override"].combine_chunks().drop_null()).to_pylist()
    matched = frozenset(entry.id for entry in word.of_stories if (_healthy(roster, entry.stories) >= 0).all())
    return Obeyed(matched, {one["values"]: one["counts"] for one in counted})


def anchored(
    members: dict[str, Member],
    judged: Iterable[Judgement],
    judge: Callable[[list[Pair]], list[Judgement]],
    complete: float,
    word: Word = NO_WORD,
    marks: dict[str, str] | None = None,
) -> dict[str, Standing]:
    """The anchored clusters over some stories: for each duplicate, what stands for it. Stories without a standing are kept.

    Args:
        members: every story that a judgement names.
        judged: the judgements there are; those that are missing are asked for when they decide something.
        judge: gives the judgements of a list of pairs (a, b), a < b; called once a round for all components.
        complete: share of the longest copy's words that a copy needs to count as complete.
        word: what editors say; marks: takes, by story, the entries by which stories are kept.
    """
    known: Links = defaultdict(dict)
    marks = {} if marks is None else marks
    _learn(known, judged, word, marks)
    standing: dict[str, Standing] = {}
    groups = _cut_chains(components(members, known), members, known, word)
    while groups:
        anchors = [best(group, members, known, complete) for group in groups]
        missing = [
            _pair(anchor, other)
            for group, anchor in zip(groups, anchors, strict=True)
            for other in group
            if other != anchor and other not in known[anchor]
        ]
        if missing:  # what is learnt may show another anchor: choose again
            _learn(known, judge(missing), word, marks)
            continue
        rest: list[str] = []
        for group, anchor in zip(groups, anchors, strict=True):
            copies = copies_of(group, known)
            joined = join(group, anchor, members, known, copies, word, marks)
            for name, entry in joined.items():
                found = known[anchor][name]
                found = found if found.relation else replace(found, relation="near")
                why = reason(members[name], members[anchor], found, copies, members, complete)
                standing[name] = Standing(anchor, found, why, entry)
            rest += [name for name in group if name not in joined and name != anchor]
        groups = _cut_chains(components(rest, known), members, known, word)
    return _kept_by_editors(members, standing, judge, word, marks)


def _kept_by_editors(
    members: dict[str, Member],
    standing: dict[str, Standing],
    judge: Callable[[list[Pair]], list[Judgement]],
    word: Word,
    marks: dict[str, str],
) -> dict[str, Standing]:
    """The clusters as they are, each with the story that an editor keeps as its anchor; of several each has those that are most like it.

    The relation of a member to it is the verdict's, and where that sees two stories what follows from their relations to the old anchor.
    """
    of_anchor: defaultdict[str, list[str]] = defaultdict(list)
    for name, found in standing.items() if any(map(word.kept, members)) else ():
        of_anchor[found.kept].append(name)
    clusters = {anchor: [anchor, *names] for anchor, names in of_anchor.items() if any(map(word.kept, (anchor, *names)))}
    keepers = {anchor: [name for name in names if word.kept(name)] for anchor, names in clusters.items()}
    for names in keepers.values():
        for name in names:
            marks[name] = word.kept(name) or ""
    moved = {anchor: names for anchor, names in clusters.items() if keepers[anchor] != [anchor]}
    known: Links = defaultdict(dict)
    pairs = sorted({_pair(kept, name) for anchor, names in moved.items() for kept in keepers[anchor] for name in names if name != kept})
    _learn(known, judge(pairs) if pairs else (), word, {})
    left = {name: found for name, found in standing.items() if found.kept not in moved}
    for anchor, names in moved.items():
        bundles: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            bundles[word.group(name)].append(name)
        for bundle in bundles.values():
            kept = nearest(bundle, keepers[anchor], members, known)
            for name in bundle:
                if name != kept:
                    judgement = known[kept][name]
                    steps = {standing[one].judgement.relation for one in (name, kept) if one != anchor}
                    if judgement.relation is None:
                        judgement = replace(judgement, relation="derivative" if "derivative" in steps else "near")
                    before = standing[name].override if name != anchor else None
                    left[name] = Standing(kept, judgement, "override", before or word.kept(kept))
    return left


LONGEST_CHAIN = 1_000
"""Stories of a component, beyond which it is no story with many copies but a chain that someone made: among 1M stories the largest has some 50."""


def _cut_chains(groups: Iterable[list[str]], members: dict[str, Member], known: Links, word: Word) -> list[list[str]]:
    """The components, those of more than LONGEST_CHAIN stories cut: each story, the earliest first, with those judged one story with it, and
    with those that editors make one with any of these.

    Else each of its clusters would take a look at all of it, and a judgement on all that are left.
    """
    found = []
    for group in groups:
        if len(group) <= LONGEST_CHAIN:
            found.append(group)
            continue
        free = dict.fromkeys(sorted(group, key=lambda name: (members[name].published, members[name].text_hash, name)))
        for name in list(free):
            if name in free:
                piece = [other for other in (name, *known[name]) if other in free and (other == name or known[name][other].relation)]
                piece = list(dict.fromkeys(other for one in piece for other in (one, *word.bundle(one)) if other in free))
                for other in piece:
                    del free[other]
                if len(piece) > 1:
                    found.append(sorted(piece))
    return found


def per_source(
    members: dict[str, Member],
    standing: dict[str, Standing],
    judge: Callable[[list[Pair]], list[Judgement]],
    complete: float,
    word: Word = NO_WORD,
    marks: dict[str, str] | None = None,
) -> tuple[dict[str, Standing], dict[str, str]]:
    """One kept story for every source in a cluster: what then stands for the duplicates, and for the stories kept beside an anchor that anchor.

    The anchor stands for its own source and for stories without one. Of each other source the best by the policy is kept, and
    stands for those of its source that are judged one story with it; the anchor keeps the rest. An editor's entry that brought a story into
    the cluster stays noted in `marks` where the story is kept.
    """
    marks = {} if marks is None else marks
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, found in standing.items():
        source = members[name].source
        if source and source != members[found.kept].source:
            groups[found.kept, source].append(name)
    known: Links = defaultdict(dict)
    inside = [_pair(one, other) for group in groups.values() for one, other in combinations(sorted(group), 2)]
    _learn(known, judge(inside), word, marks)
    left, beside = dict(standing), {}
    for (anchor, _), group in groups.items():
        kept = best(group, members, known, complete)
        beside[kept] = anchor
        if (entry := left.pop(kept).override) and entry != word.kept(anchor):
            mark(marks, entry, [kept])
        copies = copies_of(group, known)
        for other in group:
            if other != kept and known[kept][other].relation is not None:
                judgement, by = known[kept][other], word.joins(other, kept)
                why = reason(members[other], members[kept], judgement, copies, members, complete)
                left[other] = Standing(kept, judgement, why, by.id if by else None)
    return left, beside


def _learn(known: Links, judgements: Iterable[Judgement], word: Word, marks: dict[str, str]) -> None:
    for judgement in judgements if not word.of_stories else [ruled(judgement, word, marks) for judgement in judgements]:
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


def _members(roster: Roster, ids: Sequence[str]) -> dict[str, Member]:
    """What the policy asks of some stories.

    Raises:
        ValueError: a judged pair names a story that is not in the roster.
    """
    ranks = roster.find(ids)
    if (ranks < 0).any():
        missing = [name for name, rank in zip(ids, ranks, strict=True) if rank < 0]
        raise ValueError(f"cluster: judged pairs name {len(missing)} stories that are in no shard, e.g. {missing[0]}; delete index/")
    table = index.features(roster, ranks, ["source", "word_count", "text_hash"])
    columns = (
        table["source"].to_pylist(),
        roster["published"][ranks].tolist(),
        table["word_count"].to_pylist(),
        table["text_hash"].to_pylist(),
    )
    return {name: Member(name, source or "", *told) for name, source, *told in zip(ids, *columns, strict=True)}


def _row(
    story_id: str, standing: Standing | None, beside: dict[str, str], members: dict[str, Member], marks: dict[str, str]
) -> dict[str, Any]:
    """The standing of a duplicate, seen from it (`_a` is its own side when its id is the smaller), or of a story kept beside another or by
    an editor's entry."""
    row: dict[str, Any] = {"story_id": story_id, "source": members[story_id].source or None, "override": marks.get(story_id)}
    if standing is None:
        return row | {"cluster_id": story_id, "same_story": beside.get(story_id)}
    j = standing.judgement
    first = story_id == j.a
    return row | {
        "override": standing.override or marks.get(story_id),
        "reason": standing.reason,
        "relation": j.relation,
        "duplicate_of": standing.kept,
        "cluster_id": standing.kept,
        "probability": j.probability,
        "jaccard": j.jaccard,
        "containment": j.containment_a if first else j.containment_b,
        "weighted_jaccard": j.weighted_jaccard,
        "coverage": j.coverage_a if first else j.coverage_b,
    }
