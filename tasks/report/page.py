"""The page: its files, and what it is told. Story text is only ever data: JSON in scripts of our own, which set it as text."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks import files
from tasks.report import charts, clusters, lists
from tasks.report.news import news
from tasks.report.scan import scan
from tasks.schema import CHANGE_KINDS

PART = 250_000
"""Characters of clusters in a file of the data, which the page loads when one of them is opened."""
_STAGES = ("ingest", "repair", "strip", "check", "match")
_NOT_IN_SCRIPTS = {"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def counts(snapshot: Path, files: int, records: int) -> dict[str, Any]:
    """How many records went which way: the funnel, from the decisions of a snapshot."""
    decided: Counter[tuple[str | None, ...]] = Counter()
    columns = ["outcome", "stage", "reason", "relation"]
    for rows in _decisions(snapshot, columns):
        for group in rows.group_by(columns).aggregate([([], "count_all")]).to_pylist():
            decided[tuple(group[name] for name in columns)] += group["count_all"]
    quarantined: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (stage, reason), number in _most(decided, "quarantined", 1, 2):
        quarantined[stage][reason] = number
    order = {stage: place for place, stage in enumerate(_STAGES)}
    return {
        "files": files,
        "records": records,
        "quarantined": dict(sorted(quarantined.items(), key=lambda item: order.get(item[0], len(order)))),
        "duplicates": {relation: number for (relation,), number in _most(decided, "duplicate", 3)},
        "kept": sum(number for (outcome, *_), number in decided.items() if outcome == "kept"),
    }


def write(
    snapshot: Path,
    manifest: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]] = (),
    why: Mapping[str, str] | None = None,
    parent: Path | None = None,
) -> Path:
    """Write report/ into a snapshot: index.html, its style and script, and the data; gives the page.

    Args:
        manifest: with the counts and the gate's results.
        earlier: manifests of snapshots before it, the oldest first.
        why: what each rule is for that removed lines name.
        parent: the snapshot that `changes` compares with.
    """
    out = snapshot / "report"
    told, parts, pictures = _told(snapshot, manifest, earlier, why or {}, parent)
    if files.is_local(snapshot):
        _write(out, manifest["snapshot"], told, parts, pictures)
    else:
        with TemporaryDirectory(prefix="copydesk-") as folder:
            _write(Path(folder), manifest["snapshot"], told, parts, pictures)
            files.put(Path(folder), out)
    return out / "index.html"


def _told(
    snapshot: Path, manifest: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], why: Mapping[str, str], parent: Path | None
) -> tuple[dict[str, Any], list[list[Mapping[str, Any]]], dict[str, str]]:
    """What the page is told at once, the clusters in parts, and its pictures by name."""
    found, changes = scan(snapshot), manifest.get("changes", {})
    fresh = news(snapshot, parent if parent and parent.name == changes.get("parent") else None)
    measured = clusters.measure(found, fresh.clusters)
    shingle = manifest.get("settings", {}).get("near", {}).get("shingle_words", 5)
    heads, parts = _parts(clusters.read(found, measured, clusters.choose(found, measured), shingle))
    trend, certain = lists.trend([*earlier, manifest]), clusters.certainty(found)
    told = {
        "snapshot": manifest["snapshot"],
        "started": manifest["run"].get("started"),
        "raw": manifest["run"]["raw"],
        "counts": manifest["counts"],
        "gates": [{name: result.get(name) for name in ("name", "status", "severity", "message")} for result in manifest["gate"]["results"]],
        "changes": {name: changes.get(name) for name in ("parent", *CHANGE_KINDS)},
        "news": fresh.rows,
        "clusters": heads,
        "clusters_in_all": len(measured.size),
        "doubtful": int((measured.lowest < clusters.DOUBTFUL).sum()),
        "doubtful_anew": int((measured.lowest[measured.anew] < clusters.DOUBTFUL).sum()),
        "judged": sum(map(sum, certain.values())),
        "doubted": sum(sum(steps[:-1]) for steps in certain.values()),
        "sources": lists.sources(found),
        "removed": lists.removed(found, why),
        "repairs": lists.repairs(found),
        "quarantine": lists.quarantine(snapshot),
        "passed_over": list(lists.passed_over(manifest)),
        "word": lists.word(manifest),
        "trend": trend,
    }
    return told, parts, {"funnel": charts.funnel(manifest["counts"]), "doubt": charts.doubt(certain), "trend": charts.trend(trend)}


def _write(out: Path, name: str, told: Mapping[str, Any], parts: Sequence[Any], pictures: Mapping[str, str]) -> None:
    files.remove_tree(out)  # of a first try
    files.folder(out / "data")
    for number, data in enumerate([told, *parts]):
        (out / "data" / f"{number:03d}.js").write_text(f"copydesk.push({number}, {_json(data)})\n", encoding="utf-8")
    here = resources.files("tasks.report")
    for file in ("report.css", "report.js"):
        (out / file).write_bytes((here / file).read_bytes())
    page = (here / "page.html").read_text(encoding="utf-8").replace("<!-- snapshot -->", escape(name))
    for place, picture in pictures.items():
        page = page.replace(f"<!-- {place} -->", picture)
    (out / "index.html").write_text(page, encoding="utf-8")


def _parts(shown: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[list[Mapping[str, Any]]]]:
    """The list of clusters, and these in parts, as many as fit into what the report may hold."""
    heads: list[dict[str, Any]] = []
    parts: list[list[Mapping[str, Any]]] = []
    filled, held = PART, 0
    for cluster in shown:
        size = len(_json(cluster).encode())
        if held + size > clusters.BYTES:
            break
        if filled >= PART:
            parts.append([])
            filled = 0
        parts[-1].append(cluster)
        heads.append(clusters.head(cluster, len(parts)))
        filled, held = filled + size, held + size
    return heads, parts


def _json(data: Any) -> str:
    """JSON that can stand in a script, and in a page, whatever the texts in it are."""
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign, escaped in _NOT_IN_SCRIPTS.items():
        written = written.replace(sign, escaped)
    return written


def _decisions(snapshot: Path, columns: list[str]) -> Iterator[Any]:
    for path in files.inside(snapshot / "decisions", ".parquet"):
        with files.parquet(path) as file:
            yield file.read(columns=columns)


def _most(decided: Mapping[tuple[str | None, ...], int], outcome: str, *places: int) -> list[tuple[tuple[Any, ...], int]]:
    """Counts of the decisions of an outcome by some of their columns, most first."""
    counted: Counter[tuple[Any, ...]] = Counter()
    for decision, number in decided.items():
        if decision[0] == outcome:
            counted[tuple(decision[place] for place in places)] += number
    return sorted(counted.items(), key=lambda item: (-item[1], *map(str, item[0])))
