"""The report of a snapshot: what came in, what was left out and why, on one page that opens from disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
    decided = pq.read_table(snapshot / "decisions", columns=["outcome", "stage", "reason", "relation"])
    quarantined: defaultdict[str, dict[str, int]] = defaultdict(dict)
    outcomes = dict(_tally(decided, "outcome"))
    for row in _grouped(decided, "quarantined", ["stage", "reason"]):
        quarantined[row["stage"]][row["reason"]] = row["count"]
    order = ("ingest", "repair", "strip", "check", "match")
    return {
        "files": files,
        "records": records,
        "quarantined": dict(sorted(quarantined.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))),
        "duplicates": {row["relation"]: row["count"] for row in _grouped(decided, "duplicate", ["relation"])},
        "kept": outcomes.get("kept", 0),
    }


def write(snapshot: Path, manifest: Mapping[str, Any]) -> Path:
    """Write report/index.html into a snapshot. Story text is escaped, the page holds no script and loads nothing."""
    body = [
        f"<h1>copydesk</h1><p class=faint>{_text(manifest['snapshot'])}, from {_text(manifest['run']['raw'])}</p>",
        "<nav><a href=#gates>Gates</a><a href=#duplicates>Duplicates</a><a href=#removed>Removed lines</a><a href=#repairs>Repairs</a>"
        "<a href=#quarantine>Quarantine</a><a href=../data_docs/index.html>Expectations</a></nav>",
        _funnel(manifest["counts"]),
        _section("gates", "Gates", _gates(manifest["gate"]["results"])),
        _section("duplicates", "Duplicates and the stories they repeat", _duplicates(snapshot)),
        _section("removed", "Removed lines, most frequent first", _removed(snapshot)),
        _section("repairs", "Encoding repairs, most frequent first", _repairs(snapshot)),
        _section("quarantine", "Quarantine", _quarantine(snapshot)),
    ]
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>copydesk {_text(manifest['snapshot'])}</title><style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )
    path = snapshot / "report" / "index.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


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


def _duplicates(snapshot: Path) -> str:
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
    found = pq.read_table(snapshot / "decisions", columns=columns, filters=pc.field("outcome") == "duplicate")
    if not len(found):
        return "<p>None.</p>"
    shown = found.slice(0, SHOWN).to_pylist()
    ids = {row["story_id"] for row in shown} | {row["duplicate_of"] for row in shown}
    names = {}
    for table in ("stories", "duplicates"):
        for row in pq.read_table(
            snapshot / table, columns=["story_id", "raw_id", "source", "title"], filters=pc.field("story_id").isin(list(ids))
        ).to_pylist():
            names[row["story_id"]] = " \u00b7 ".join(part for part in (row["title"] or row["raw_id"], row["source"]) if part)
    parts = []
    for row in shown:
        scores = f"probability {row['probability']:.2f}, shingles {row['jaccard']:.2f}, rare words {row['weighted_jaccard']:.2f}, coverage {row['coverage']:.2f}"
        passages = [(_short(passage["text"]), _short(passage["other_text"])) for passage in row["evidence"] or []]
        parts.append(
            f"<details><summary><b>{_text(row['relation'])}</b> {_text(names.get(row['story_id'], row['raw_id']))}<br>"
            f"<small>of</small> {_text(names.get(row['duplicate_of'], row['duplicate_of']))}</summary>"
            f"<p class=faint>{_text(scores)}; kept the other because: {_text(row['reason'])}</p>{_table(('This one', 'The kept story'), passages)}</details>"
        )
    return "".join(parts) + _more(len(found))


def _removed(snapshot: Path) -> str:
    lines: Counter[tuple[str, str]] = Counter()
    for table in ("stories", "duplicates"):
        flat = pc.list_flatten(pq.read_table(snapshot / table, columns=["removed"])["removed"])
        pairs = pa.table({"rule": pc.struct_field(flat, "rule"), "text": pc.struct_field(flat, "text")})
        for row in pairs.group_by(["rule", "text"]).aggregate([([], "count_all")]).to_pylist():
            lines[row["rule"], row["text"]] += row["count_all"]
    rows = sorted(lines.items(), key=lambda item: (-item[1], item[0]))
    return _table(("Times", "Rule", "Line"), [(f"{n:,}", rule, _short(text)) for (rule, text), n in rows[:SHOWN]]) + _more(len(rows))


def _repairs(snapshot: Path) -> str:
    edits: Counter[tuple[str, str, str]] = Counter()
    for table in ("stories", "duplicates"):
        for edit in pc.list_flatten(pq.read_table(snapshot / table, columns=["repairs"])["repairs"]).to_pylist():
            edits[edit["before"], edit["after"], edit["fix"]] += 1
    rows = sorted(edits.items(), key=lambda item: (-item[1], item[0]))
    listed = [(f"{n:,}", _short(before), _short(after), fix) for (before, after, fix), n in rows[:SHOWN]]
    return _table(("Times", "Before", "After", "How"), listed) + _more(len(rows))


def _quarantine(snapshot: Path) -> str:
    rows = pq.read_table(snapshot / "quarantine", columns=["raw_uri", "place", "stage", "reason", "detail"]).to_pylist()
    rows.sort(key=lambda row: (row["stage"], row["reason"], row["raw_uri"], row["place"]))
    listed = [(f"{row['raw_uri']}, {row['place']}", row["stage"], row["reason"], row["detail"] or "") for row in rows[:SHOWN]]
    return _table(("Where", "Stage", "Reason", "Detail"), listed) + _more(len(rows))


def _grouped(decided: pa.Table, outcome: str, names: list[str]) -> list[dict[str, Any]]:
    """Counts of the rows of an outcome by the named columns, most first."""
    rows = decided.filter(pc.equal(decided["outcome"], outcome)).group_by(names).aggregate([([], "count_all")]).to_pylist()
    rows.sort(key=lambda row: (-row["count_all"], *(str(row[name]) for name in names)))
    return [row | {"count": row["count_all"]} for row in rows]


def _tally(table: pa.Table, name: str) -> Iterable[tuple[str, int]]:
    return ((pair["values"], pair["counts"]) for pair in pc.value_counts(table[name]).to_pylist())


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
