"""The clusters on show: which, so that little need be read, and each with its kept story, its members and the passages they share.

A million stories have some hundred thousand clusters: a page cannot hold them, and to read one story takes its whole row group. So a number of row groups
is set. The clusters that a person should see first (by turns the most doubtful of those that are new since the parent, the most doubtful of all, the largest, the
newest) may ask for them until they are spent; then come, the most doubtful first, clusters that lie in what is read anyway.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks import files
from tasks.report.scan import RELATIONS, UNDATED, Floats, Ints, Keys, Mask, Scan, places
from tasks.report.words import reason, said

SHOWN = 600
"""Clusters on show at most."""
GROUPS = 200
"""Row groups that are read for them at most: of a thousand rows each, some 4 ms."""
MEMBERS = 6
"""Members of a cluster that are shown with their texts, the most doubtful ones."""
LONGEST = 12_000
"""Code points of a text."""
BYTES = 8_000_000
"""Of all clusters as JSON; what does not fit is not shown, and counted so."""
DOUBTFUL = 0.7
"""Probability under which a cluster's most doubtful verdict is one to look at."""
BINS = 20
"""Of the histogram of probabilities."""

_STORY = ["story_id", "raw_id", "raw_uri", "source", "url", "title", "byline", "published_at", "published_precision", "word_count", "text"]
_DECISION = [
    "story_id",
    "reason",
    "relation",
    "probability",
    "jaccard",
    "containment",
    "weighted_jaccard",
    "coverage",
    "evidence",
    "override",
]


@dataclass(frozen=True)
class Clusters:
    """For each cluster, in the order of Scan.kept. size: records; lowest: probability of its most doubtful member; newest: publication of its newest, UTC us; anew: it is
    new since the parent, or has other members."""

    size: Ints
    lowest: Floats
    newest: Ints
    anew: Mask
    of: Ints
    """For each duplicate the number of its cluster, -1 without one."""


@dataclass(frozen=True)
class Chosen:
    """Clusters on show, the first to be seen first, and their duplicates on show: numbers in Scan.kept and Scan.repeats."""

    clusters: Ints
    members: Ints


def measure(found: Scan, anew: Keys | None = None) -> Clusters:
    """Size, doubt and age of every cluster.

    Args:
        anew: sorted keys of kept stories whose cluster is new or another.
    """
    of = places(found.repeats.of, found.kept.key)
    known = of >= 0
    size = np.ones(len(found.kept.key), np.int64)
    np.add.at(size, of[known], 1)
    lowest, newest = np.ones(len(size)), found.kept.published.copy()
    np.minimum.at(lowest, of[known], found.verdicts.probability[known])
    np.maximum.at(newest, of[known], found.repeats.published[known])
    known_anew = np.zeros(len(size), np.bool_) if anew is None else places(found.kept.key, anew) >= 0
    return Clusters(size, lowest, newest, known_anew, of)


def certainty(found: Scan) -> dict[str, list[int]]:
    """How many duplicates of each relation but exact have a probability in each of BINS steps from 0 to 1."""
    steps = np.minimum((found.verdicts.probability * BINS).astype(np.int64), BINS - 1)
    return {
        name: np.bincount(steps[found.verdicts.relation == number], minlength=BINS).tolist()
        for number, name in enumerate(RELATIONS)
        if name != "exact"
    }


def choose(found: Scan, clusters: Clusters, shown: int = SHOWN, groups: int = GROUPS) -> Chosen:
    """The clusters to show: by turns the most doubtful of what is new and of all, the largest and the newest, as long as their row groups are within the number."""
    members = _members(clusters, found)
    wanted = _wanted(found, clusters, members)
    doubtful, largest, newest = (np.lexsort((found.kept.key, by)) for by in (clusters.lowest, -clusters.size, -clusters.newest))
    turns = zip_longest(doubtful[clusters.anew[doubtful]].tolist(), *(order.tolist() for order in (doubtful, largest, newest)))
    read: set[int] = set()
    taken: dict[int, None] = {}
    misses = 0
    for number in chain.from_iterable(turns):
        if len(taken) == shown or misses > shown:
            break
        if number is None or number in taken:
            continue
        more = set(wanted(number)) - read
        if len(read) + len(more) > groups:
            misses += 1
            continue
        read |= more
        taken[number] = None
    if len(taken) < min(shown, len(clusters.size)):
        for number in _within(found, clusters, members, read, doubtful):
            if len(taken) == shown:
                break
            taken.setdefault(number)
    order = np.array(list(taken), np.int64)
    return Chosen(order, members[np.isin(clusters.of[members], order)])


def _members(clusters: Clusters, found: Scan) -> Ints:
    """The duplicates that may be shown: of each cluster the MEMBERS most doubtful ones; sorted by cluster."""
    known = np.flatnonzero(clusters.of >= 0)
    order = known[np.lexsort((found.repeats.key[known], found.verdicts.probability[known], clusters.of[known]))]
    cluster = clusters.of[order]
    begins = np.searchsorted(cluster, cluster)  # of each one's cluster
    return order[np.arange(len(order)) - begins < MEMBERS]


def _wanted(found: Scan, clusters: Clusters, members: Ints) -> Any:
    """The row groups that must be read for a cluster, by its number."""
    begins = np.searchsorted(clusters.of[members], np.arange(len(clusters.size) + 1))

    def groups(number: int) -> list[int]:
        mine = members[begins[number] : begins[number + 1]]
        return [int(found.kept.group[number]), *found.repeats.group[mine].tolist(), *found.verdicts.group[mine].tolist()]

    return groups


def _within(found: Scan, clusters: Clusters, members: Ints, read: set[int], order: Ints) -> Iterator[int]:
    """The clusters for which no more need be read, in that order."""
    there = np.zeros(len(found.groups), np.bool_)
    there[list(read)] = True
    lacks = ~there[found.kept.group]
    lacks[clusters.of[members[~(there[found.repeats.group[members]] & there[found.verdicts.group[members]])]]] = True
    yield from order[~lacks[order]].tolist()


def read(found: Scan, clusters: Clusters, chosen: Chosen, shingle: int) -> Iterator[dict[str, Any]]:
    """The clusters on show in full, in their order, as far as BYTES allow no more than that; a mapping each, for JSON.

    Args:
        shingle: words of a shingle, for the sentences.
    """
    keys = [found.kept.key[chosen.clusters], found.repeats.key[chosen.members]]
    stories = _rows(
        found, np.concatenate([found.kept.group[chosen.clusters], found.repeats.group[chosen.members]]), np.concatenate(keys), _STORY
    )
    decisions = _rows(found, found.verdicts.group[chosen.members], keys[1], _DECISION)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for number in chosen.members.tolist():
        members[int(clusters.of[number])].append(number)
    for number in chosen.clusters.tolist():
        kept = stories.get(int(found.kept.key[number]))
        if kept is None:
            continue
        listed = []
        for member in members[number]:
            key = int(found.repeats.key[member])
            if key in stories and key in decisions:
                listed.append(_member(stories[key], decisions[key], kept["text"], shingle))
        listed.sort(key=lambda one: (one["at"] or "9", one["id"]))
        yield {
            "id": kept["story_id"],
            "size": int(clusters.size[number]),
            "lowest": round(float(clusters.lowest[number]), 4),
            "newest": _day(int(clusters.newest[number])),
            "anew": bool(clusters.anew[number]),
            "kept": _story(kept) | {"text": kept["text"][:LONGEST], "cut": max(0, len(kept["text"]) - LONGEST)},
            "members": listed,
        }


def head(cluster: Mapping[str, Any], part: int) -> dict[str, Any]:
    """What the list of clusters tells of one, and which part of the data has the rest."""
    kept, members = cluster["kept"], cluster["members"]
    relations = Counter(member["relation"] for member in members)
    return {
        "id": cluster["id"],
        "part": part,
        "title": kept["title"] or kept["text"][:90],
        "sources": list(dict.fromkeys(one["source"] for one in (kept, *members) if one["source"])),
        "relations": {name: relations[name] for name in RELATIONS if relations[name]},
        **{name: cluster[name] for name in ("size", "lowest", "newest", "anew")},
    }


# ---- reading ---------------------------------------------------------------------------------------------------------


def _rows(found: Scan, groups: Ints, keys: Any, columns: list[str]) -> dict[int, dict[str, Any]]:
    """The rows of some keys, by key; `groups` are the row groups they lie in. Many groups are read at a time: one waits for the disk, or the store."""
    wanted: defaultdict[Path, set[int]] = defaultdict(set)
    for group in np.unique(groups).tolist():
        path, number = found.groups[group]
        wanted[path].add(number)
    at_once = files.FETCHES if wanted and not files.is_local(next(iter(wanted))) else 2
    known = np.sort(keys)
    with ThreadPoolExecutor(at_once) as pool:
        parts = list(pool.map(lambda one: _of_file(one[0], sorted(one[1]), known, columns), wanted.items()))
    return dict(chain.from_iterable(parts))


def _of_file(path: Path, numbers: list[int], known: Any, columns: list[str]) -> list[tuple[int, dict[str, Any]]]:
    from tasks.report.scan import story_keys

    rows: list[tuple[int, dict[str, Any]]] = []
    with files.parquet(path) as file:
        for number in numbers:
            table = file.read_row_group(number, columns=columns)
            keys = story_keys(table["story_id"])
            at = np.flatnonzero(places(keys, known) >= 0)
            rows += zip(keys[at].tolist(), table.take(pa.array(at)).to_pylist(), strict=True)
    return rows


def _story(row: Mapping[str, Any]) -> dict[str, Any]:
    at = row["published_at"]
    told = {"id": row["story_id"], "raw": row["raw_id"], "uri": row["raw_uri"], "title": row["title"], "source": row["source"]}
    day_only = row["published_precision"] == "day"
    return told | {
        "by": row["byline"],
        "url": row["url"],
        "at": at and (f"{at:%Y-%m-%d}" if day_only else f"{at:%Y-%m-%d %H:%M}"),
        "words": row["word_count"],
    }


def _member(row: Mapping[str, Any], decision: Mapping[str, Any], kept: str, shingle: int) -> dict[str, Any]:
    """A duplicate; of one with the kept story's own text the text is not told again."""
    same, text = decision["relation"] == "exact", row["text"]
    return _story(row) | {
        "relation": decision["relation"],
        "probability": round(decision["probability"] or 0.0, 4),
        "said": said(decision, shingle),
        "why": reason(decision["reason"]),
        "word": decision["override"],
        "text": None if same else text[:LONGEST],
        "cut": 0 if same else max(0, len(text) - LONGEST),
        "marks": [] if same else list(_marks(text[:LONGEST], kept[:LONGEST], decision["evidence"] or ())),
    }


def _marks(text: str, kept: str, evidence: Iterable[Mapping[str, str]]) -> Iterator[list[int]]:
    """Where the shared passages stand, as scripts count characters (UTF-16): begin and end in the member, begin and end in the kept story."""
    for passage in evidence:
        here, there = text.find(passage["text"]), kept.find(passage["other_text"])
        if here >= 0 and there >= 0:
            yield [*_units(text, here, passage["text"]), *_units(kept, there, passage["other_text"])]


def _units(text: str, begin: int, passage: str) -> tuple[int, int]:
    first = len(text[:begin].encode("utf-16-le")) // 2
    return first, first + len(passage.encode("utf-16-le")) // 2


def _day(at: int) -> str | None:
    return None if at == UNDATED else str(np.datetime64(at, "us"))[:10]
