"""The lists of the report: removed lines, repairs, sources, quarantine, what was passed over, earlier snapshots. Plain values, for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files
from tasks.overrides import of_json
from tasks.report.scan import PER_SOURCE, Frequent, Keys, Scan, items

SHOWN = 200
"""Rows of a list; the tables have the rest."""
OF_A_REASON = 40
"""Records that are listed of one reason of quarantine."""
EXAMPLES = 3
"""Stories that are named for a removed line or a repair."""
LONGEST = 300
"""Code points of a passage."""

UNREAD = (
    ("vanished", "gone; their records stay until --prune"),
    ("unsettled", "changed while they were read; the next run reads them"),
)


def short(text: str | None) -> str | None:
    """A passage, cut if it is long."""
    return text if text is None or len(text) <= LONGEST else f"{text[:LONGEST]}\u2026"


def removed(found: Scan, why: Mapping[str, str]) -> dict[str, Any]:
    """The removed lines, most frequent first: times, rule, text, examples; and the rules: lines they took and what they are for."""
    rows, distinct = frequent("removed", found.removed)
    rules = [{"rule": rule, "lines": times, "why": why.get(rule, "")} for rule, times in found.rules.most_common() if rule != "blank"]
    lines = [
        {"times": n, "rule": rule, "text": short(text), "cut": len(text) > LONGEST or "\n" in text, "examples": ids}
        for n, (rule, text), ids in rows
        if rule != "blank"
    ]
    return {"lines": lines, "distinct": distinct, "rules": rules}


def repairs(found: Scan) -> dict[str, Any]:
    """The repairs, most frequent first: times, before, after, fix, examples."""
    rows, distinct = frequent("repairs", found.repaired)
    listed = [{"times": n, "before": short(b), "after": short(a), "fix": fix, "examples": ids} for n, (b, a, fix), ids in rows]
    return {"edits": listed, "distinct": distinct}


def frequent(column: str, counted: Frequent) -> tuple[list[tuple[int, tuple[str, ...], list[dict[str, Any]]]], int]:
    """The SHOWN most frequent items of a list column of stories and duplicates, each with some stories that have it, and how many distinct items there are.

    Texts are read once more, of as few files as have all that is shown between them.
    """
    keys, times = counted.summed()
    shown = np.lexsort((keys, -times))[:SHOWN]
    wanted = np.sort(keys[shown])
    texts: dict[int, tuple[tuple[str, ...], list[dict[str, Any]]]] = {}
    for path in counted.holders(wanted):
        texts = {**_first(path, *items(path, column), wanted), **texts}
    rows = [(int(n), *texts[int(key)]) for key, n in zip(keys[shown], times[shown], strict=True)]
    return sorted(rows, key=lambda row: (-row[0], row[1])), len(keys)


def _first(
    path: Path, offsets: Any, found: Keys, fields: list[Any], wanted: Keys
) -> dict[int, tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """The wanted items of one file, and the first stories there that have each."""
    from tasks.kernels.digests import within

    at = np.flatnonzero(within(found, wanted))
    if not len(at):
        return {}
    at = at[np.argsort(found[at], kind="stable")]
    keys, begins = np.unique(found[at], return_index=True)
    told: dict[int, tuple[tuple[str, ...], list[dict[str, Any]]]] = {}
    row_of = np.searchsorted(offsets, at, side="right") - 1
    chosen = [np.unique(row_of[begin:end])[:EXAMPLES] for begin, end in zip(begins, [*begins[1:], len(at)], strict=True)]
    named = _named(path, np.unique(np.concatenate(chosen)))
    for key, begin, some in zip(keys.tolist(), begins.tolist(), chosen, strict=True):
        told[key] = tuple(field[at[begin]].as_py() for field in fields), [named[int(row)] for row in some]
    return told


def _named(path: Path, rows: Any) -> dict[int, dict[str, Any]]:
    """Id, name and source of some rows of a file, of which only the row groups that they lie in are read."""
    with files.parquet(path) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = np.searchsorted(ends, rows, side="right")
        wanted, place = np.unique(groups, return_inverse=True)
        begins = np.concatenate([[0], np.cumsum(np.array(sizes)[wanted])])[place] + rows - (ends - sizes)[groups]
        names = file.read_row_groups(wanted.tolist(), columns=["story_id", "raw_id", "source", "title"]).take(pa.array(begins)).to_pylist()
    return {
        int(row): {"id": name["story_id"], "name": name["title"] or name["raw_id"], "source": name["source"]}
        for row, name in zip(rows, names, strict=True)
    }


def sources(found: Scan) -> dict[str, Any]:
    """The sources, those of most records first: PER_SOURCE, and the share of their words that was removed."""
    numbers = found.per_source
    records = numbers[:, 0] + numbers[:, 1] + numbers[:, PER_SOURCE.index("quarantined")]
    order = [int(place) for place in np.lexsort((np.arange(len(records)), -records)) if records[place]]
    rows = []
    for place in order[:SHOWN]:
        row: dict[str, Any] = dict(zip(PER_SOURCE, numbers[place].astype(np.int64).tolist(), strict=True))
        gone = row.pop("removed")
        words = row.pop("words") + gone
        rows.append({"source": found.sources[place], **row, "share": round(gone / words, 4) if words else 0.0})
    return {"rows": rows, "all": len(order)}


def quarantine(snapshot: Path) -> dict[str, Any]:
    """The first records of each reason, and how many there are in all."""
    order = [(name, "ascending") for name in ("stage", "reason", "raw_uri", "place")]
    columns = ["stage", "reason", "raw_uri", "place", "raw_id", "detail"]
    parts, number = [], 0
    for path in files.inside(snapshot / "quarantine", ".parquet"):
        with files.parquet(path) as file:
            rows = file.read(columns=columns)
        number += len(rows)
        parts.append(_of_each(rows.sort_by(order)))
    found = _of_each(pa.concat_tables(parts).sort_by(order)) if parts else None
    listed = [{**row, "detail": short(row["detail"])} for row in found.to_pylist()] if found else []
    return {"rows": listed, "all": number}


def _of_each(rows: pa.Table) -> pa.Table:
    """The first rows of each reason, of rows sorted by it."""
    labels = pc.binary_join_element_wise(rows["stage"].fill_null(""), rows["reason"].fill_null(""), "\t")
    codes = labels.combine_chunks().dictionary_encode().indices.to_numpy() if len(rows) else np.zeros(0, np.int64)
    begins = np.flatnonzero(np.append(np.ones(min(1, len(codes)), np.bool_), codes[1:] != codes[:-1]))
    first = np.repeat(begins, np.diff(np.append(begins, len(codes))))
    return rows.filter(pa.array(np.arange(len(codes)) - first < OF_A_REASON))


def passed_over(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the run did not look at, with how often and why: none of it is a record of the seen set."""
    run, match = manifest["run"], manifest.get("match", {})
    for name, what in (("skipped", "files of raw/"), ("skipped_records", "records of web archives")):
        for why, number in sorted(run.get(name, {}).items()):
            yield {"number": number, "of": what, "why": why}
    for name, why in UNREAD:
        if run.get(name):
            yield {"number": len(run[name]), "of": "raw files", "why": why}
    if left_out := match.get("pairs_left_out_at_hot_keys"):
        why = f"share a key that {match['hot_keys']:,} times very many have (cluster.hot_key)"
        yield {"number": left_out, "of": "pairs of stories", "why": why}
    if cut := match.get("components_cut"):
        why = "too long a chain of resemblances to be looked at as a whole; its members are compared by pieces"
        yield {"number": cut, "of": "groups of stories", "why": why}


def word(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The editors' word, as the run obeyed it: id, what it says, by whom, when and why, whether it matched, the rows it decided."""
    return [
        {"id": one["id"], "says": str(of_json(one)), **{name: one.get(name) for name in ("who", "when", "why", "matched", "rows")}}
        for one in manifest.get("overrides", {}).get("entries", ())
    ]


def trend(manifests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each snapshot counted, in the order of the manifests; one without counts is left out."""
    return [
        {
            "snapshot": one["snapshot"],
            "started": one["run"].get("started"),
            "records": one["counts"]["records"],
            "kept": one["counts"]["kept"],
            "duplicates": sum(one["counts"]["duplicates"].values()),
            "quarantined": sum(sum(reasons.values()) for reasons in one["counts"]["quarantined"].values()),
        }
        for one in manifests
        if "counts" in one
    ]
