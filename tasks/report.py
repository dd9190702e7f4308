"""The report of a snapshot: what came in, what was left out and why, on one page that opens from disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import files, terms

SHOWN = 200  # rows of a list; the tables have the rest
LONGEST = 300  # code points of a passage

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); --faint: color-mix(in srgb, currentColor 65%, transparent) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line) }
td:first-child { white-space: nowrap } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } th { font-weight: 600 }
small, .faint { color: var(--faint) } details { margin: .4rem 0; border-bottom: 1px solid var(--line); padding-bottom: .4rem } summary { cursor: pointer }
td { overflow-wrap: break-word } .failed { font-weight: 700 } del { color: var(--faint) }
nav a { margin-right: 1rem } @media (max-width: 40rem) { body { padding: 1rem } }
"""


def counts(snapshot: Path, files: int, records: int) -> dict[str, Any]:
    """How many records went which way: the funnel, from the decisions of a snapshot."""
    decided: Counter[tuple[str | None, ...]] = Counter()
    columns = ["outcome", "stage", "reason", "relation"]
    for rows in _read(snapshot, ("decisions",), columns):
        for group in rows.group_by(columns).aggregate([([], "count_all")]).to_pylist():
            decided[tuple(group[name] for name in columns)] += group["count_all"]
    quarantined: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (stage, reason), number in _most(decided, "quarantined", 1, 2):
        quarantined[stage][reason] = number
    order = ("ingest", "repair", "strip", "check", "match")
    return {
        "files": files,
        "records": records,
        "quarantined": dict(sorted(quarantined.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))),
        "duplicates": {relation: number for (relation,), number in _most(decided, "duplicate", 3)},
        "kept": sum(number for (outcome, *_), number in decided.items() if outcome == "kept"),
    }


def write(snapshot: Path, manifest: Mapping[str, Any]) -> Path:
    """Write report/index.html into a snapshot. Story text is escaped, the page holds no script and loads nothing."""
    body = [
        f"<h1>copydesk</h1><p class=faint>{_text(manifest['snapshot'])}, from {_text(manifest['run']['raw'])}</p>",
        "<nav><a href=#gates>Gates</a><a href=#duplicates>Duplicates</a><a href=#removed>Removed lines</a><a href=#repairs>Repairs</a>"
        "<a href=#quarantine>Quarantine</a><a href=#passed>Passed over</a><a href=../data_docs/index.html>Expectations</a></nav>",
        _funnel(manifest["counts"]),
        _section("gates", "Gates", _gates(manifest["gate"]["results"])),
        _section("duplicates", "Duplicates and the stories they repeat", _duplicates(snapshot, manifest["counts"]["duplicates"])),
        _section("removed", "Removed lines, most frequent first", _removed(snapshot)),
        _section("repairs", "Encoding repairs, most frequent first", _repairs(snapshot)),
        _section("quarantine", "Quarantine", _quarantine(snapshot)),
        _section("passed", "Passed over", _passed_over(manifest)),
    ]
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>copydesk {_text(manifest['snapshot'])}</title><style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )
    path = snapshot / "report" / "index.html"
    files.folder(path.parent)
    path.write_text(page, encoding="utf-8")
    return path


def _passed_over(manifest: Mapping[str, Any]) -> str:
    """What the run did not look at, with how often and why: none of it is a record of the seen set."""
    run, match = manifest["run"], manifest.get("match", {})
    rows = [(f"{number:,}", "files of raw/", why) for why, number in sorted(run.get("skipped", {}).items())]
    rows += [(f"{number:,}", "records of web archives", why) for why, number in sorted(run.get("skipped_records", {}).items())]
    rows += [(f"{len(run[name]):,}", "raw files", why) for name, why in _UNREAD if run.get(name)]
    if left_out := match.get("pairs_left_out_at_hot_keys"):
        rows.append((f"{left_out:,}", "pairs of stories", f"share a key that {match['hot_keys']:,} times very many have (cluster.hot_key)"))
    if cut := match.get("components_cut"):
        rows.append(
            (
                f"{cut:,}",
                "groups of stories",
                "too long a chain of resemblances to be looked at as a whole; its members are compared by pieces",
            )
        )
    return _table(("", "Of", "Why"), rows)


_UNREAD = (
    ("vanished", "gone; their records stay until --prune"),
    ("unsettled", "changed while they were read; the next run reads them"),
)


def _funnel(counted: Mapping[str, Any]) -> str:
    rows = [("Raw records", counted["records"], f"in {counted['files']:,} files")]
    for stage, reasons in counted["quarantined"].items():
        rows.append((f"quarantined by {stage}", -sum(reasons.values()), ", ".join(f"{n:,} {reason}" for reason, n in reasons.items())))
    relations = counted["duplicates"]
    rows.append(("duplicates", -sum(relations.values()), ", ".join(f"{n:,} {relation}" for relation, n in relations.items())))
    rows.append(("Stories kept", counted["kept"], ""))
    return _table((), [(name, f"{number:,}".replace("-", "\u2212"), note) for name, number, note in rows])


def _gates(results: Sequence[Mapping[str, Any]]) -> str:
    return _table(("", "Found"), [(result["status"], result["message"]) for result in results])


def _duplicates(snapshot: Path, relations: Mapping[str, int]) -> str:
    columns = [
        "story_id",
        "raw_id",
        "relation",
        "duplicate_of",
        "probability",
        "jaccard",
        "weighted_jaccard",
        "coverage",
        "evidence",
        "reason",
    ]
    if not relations:
        return "<p>None.</p>"
    shown: list[dict[str, Any]] = []
    for path in _files(snapshot, ("decisions",)):
        shown += _rows(path, "outcome", ["duplicate"], columns, SHOWN - len(shown))
        if len(shown) == SHOWN:
            break
    names = _names(snapshot, {row["story_id"] for row in shown} | {row["duplicate_of"] for row in shown})
    parts = []
    for row in shown:
        scores = f"probability {row['probability']:.2f}, shingles {row['jaccard']:.2f}, rare words {row['weighted_jaccard']:.2f}, coverage {row['coverage']:.2f}"
        passages = [(_short(passage["text"]), _short(passage["other_text"])) for passage in row["evidence"] or []]
        parts.append(
            f"<details><summary><b>{_text(row['relation'])}</b> {_text(names.get(row['story_id'], row['raw_id']))}<br>"
            f"<small>of</small> {_text(names.get(row['duplicate_of'], row['duplicate_of']))}</summary>"
            f"<p class=faint>{_text(scores)}; kept the other because: {_text(row['reason'])}</p>{_table(('This one', 'The kept story'), passages)}</details>"
        )
    return "".join(parts) + _more(sum(relations.values()))


def _names(snapshot: Path, ids: set[str]) -> dict[str, str]:
    """Headline and outlet of stories, by id."""
    names: dict[str, str] = {}
    for path in _files(snapshot, ("stories", "duplicates")):
        for row in _rows(path, "story_id", sorted(ids), ["story_id", "raw_id", "source", "title"], len(ids)):
            names[row["story_id"]] = " \u00b7 ".join(part for part in (row["title"] or row["raw_id"], row["source"]) if part)
        if len(names) == len(ids):
            break
    return names


def _removed(snapshot: Path) -> str:
    rows, number = _frequent(snapshot, "removed", ("rule", "text"))
    return _table(("Times", "Rule", "Line"), [(f"{n:,}", rule, _short(text)) for n, (rule, text) in rows]) + _more(number)


def _repairs(snapshot: Path) -> str:
    rows, number = _frequent(snapshot, "repairs", ("before", "after", "fix"))
    listed = [(f"{n:,}", _short(before), _short(after), fix) for n, (before, after, fix) in rows]
    return _table(("Times", "Before", "After", "How"), listed) + _more(number)


def _quarantine(snapshot: Path) -> str:
    order = ["stage", "reason", "raw_uri", "place"]
    number = 0
    first: list[dict[str, Any]] = []
    for rows in _read(snapshot, ("quarantine",), [*order, "detail"]):
        number += len(rows)
        shown = pc.sort_indices(rows, [(name, "ascending") for name in order])[:SHOWN]
        first = sorted([*first, *rows.take(shown).to_pylist()], key=lambda row: [row[name] for name in order])[:SHOWN]
    listed = [(f"{row['raw_uri']}, {row['place']}", row["stage"], row["reason"], row["detail"] or "") for row in first]
    return _table(("Where", "Stage", "Reason", "Detail"), listed) + _more(number)


# ---- reading, a file at a time ----------------------------------------------------------------------------------------


def _files(snapshot: Path, tables: Sequence[str]) -> Iterator[Path]:
    return (path for table in tables for path in files.inside(snapshot / table, ".parquet"))


def _read(snapshot: Path, tables: Sequence[str], columns: list[str]) -> Iterator[pa.Table]:
    for path in _files(snapshot, tables):
        with files.parquet(path) as file:
            yield file.read(columns=columns)


def _rows(path: Path, column: str, values: Sequence[str], columns: list[str], most: int) -> list[dict[str, Any]]:
    """The first rows of a file in which a column has one of the values; other columns are read only if there are any."""
    with files.parquet(path) as file:
        found = pc.indices_nonzero(pc.is_in(file.read(columns=[column])[column], value_set=pa.array(values, pa.string())))[:most]
        rows: list[dict[str, Any]] = file.read(columns=columns).take(found).to_pylist() if len(found) else []
    return rows


def _frequent(snapshot: Path, column: str, names: tuple[str, ...]) -> tuple[list[tuple[int, tuple[str, ...]]], int]:
    """The SHOWN most frequent items of a list column of stories and duplicates, and how many distinct ones there are.

    Items are told apart by the named fields and counted by digest, 16 bytes for each distinct one of a file; texts are read
    once more, of as few files as have all that is shown.
    """
    from tasks.kernels.digests import distinct, summed, within

    counted = [distinct(keys) for keys, _ in _items(snapshot, column, names)]
    keys, times = summed(*(np.concatenate(arrays) for arrays in zip(*counted, strict=True)))
    shown = np.lexsort((keys, -times))[:SHOWN]
    wanted = np.sort(keys[shown])
    texts: dict[int, tuple[str, ...]] = {}
    for found, items in _items(snapshot, column, names):
        if len(texts) == len(wanted):
            break
        places = np.flatnonzero(within(found, wanted))
        _, first = np.unique(found[places], return_index=True)
        for place in places[first].tolist():
            texts[int(found[place])] = tuple(field[place].as_py() for field in items)
    rows = [(int(n), texts[int(key)]) for key, n in zip(keys[shown], times[shown], strict=True)]
    return sorted(rows, key=lambda row: (-row[0], row[1])), len(keys)


def _items(snapshot: Path, column: str, names: tuple[str, ...]) -> Iterator[tuple[npt.NDArray[np.uint64], list[pa.ChunkedArray[Any]]]]:
    """For each file the items of a list column: a digest of their named fields, and these."""
    from tasks.kernels.digests import digest

    for rows in _read(snapshot, ("stories", "duplicates"), [f"{column}.list.element.{name}" for name in names]):
        items = pc.list_flatten(rows[column])
        fields = [pc.struct_field(items, name) for name in names]
        keys = np.zeros(len(items), np.uint64)
        for field in fields:
            keys = keys * np.uint64(0x9E3779B97F4A7C15) + digest(*terms.buffers(field))
        yield keys, fields


def _most(decided: Mapping[tuple[str | None, ...], int], outcome: str, *places: int) -> list[tuple[tuple[Any, ...], int]]:
    """Counts of the decisions of an outcome by some of their columns, most first."""
    counted: Counter[tuple[Any, ...]] = Counter()
    for decision, number in decided.items():
        if decision[0] == outcome:
            counted[tuple(decision[place] for place in places)] += number
    return sorted(counted.items(), key=lambda item: (-item[1], *map(str, item[0])))


# ---- the page ---------------------------------------------------------------------------------------------------------


def _section(anchor: str, title: str, content: str) -> str:
    return f"<h2 id={anchor}>{_text(title)}</h2>{content}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    listed = "".join(
        "<tr>" + "".join(f"<td{' class=number' if _is_number(cell) else ''}>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    if not listed:
        return "<p>None.</p>"
    names = "<tr>" + "".join(f"<th scope=col>{_text(name)}</th>" for name in head) + "</tr>" if head else ""
    return f"<table>{names}{listed}</table>"


def _is_number(cell: str) -> bool:
    return cell.lstrip("\u2212").replace(",", "").isdigit()


def _more(number: int) -> str:
    return f"<p class=faint>{number - SHOWN:,} more in the tables.</p>" if number > SHOWN else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "\u2026"


def _text(value: object) -> str:
    return escape(str(value))
