"""The targets of scale, in one sitting: `python -m bench scale [--sizes N ...] [PART ...]`, or `make bench`.

startup   `copydesk --help`; a run over raw/ with an empty cache folder, and again
rivals    31,000 real stories through copydesk, the script written by hand and datatrove (bench.race)
growth    corpora of bench.corpus from 1,000 to 1,000,000 stories: seconds, memory, recall, wrong merges
parquet   the size of the largest one's dataset, and what a reader can skip
added     nothing new, then 1,000 new stories, on the largest
dask      two Dask workers against two local processes

Each part is written to bench/results/scale-DATE.json when it is done and keeps what the others found that day, so that parts can be
run one by one; the table and the plot beside it (SVG) are of all parts in that file. Corpora and snapshots lie in bench/work/scale (`--home`),
some 15 GB for a million stories; but for the largest size they are removed when they are measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import corpus, corpus_score
from bench.machine import RESULTS, RIVAL_HOME, machine, measured, versions
from bench.quality import BENCHMARKS, ROOT

SIZES = (1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000)
EXPONENT_FROM = 10_000
"""Below it starting up is most of the time."""
RACED, ADDED, DAYS, DASK_STORIES, WORKERS = 31_000, 1_000, 2, 100_000, 2
Report = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A line of the table: what, its figure in a report (None while it is not measured), and what it must reach."""

    what: str
    figure: Callable[[Report], float | None]
    sign: str
    wanted: float
    unit: str = ""

    def met(self, figure: float) -> bool:
        return figure <= self.wanted if self.sign == "≤" else figure >= self.wanted


def _of(part: str, *path: str, largest: int | None = None) -> Callable[[Report], float | None]:
    """A figure of a part; `largest`: only where the part was measured at so many stories or more."""

    def figure(report: Report) -> float | None:
        found = report["parts"].get(part, {})
        if largest and found.get("stories", 0) < largest:
            return None
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return None if found is None else float(found)

    return figure


MILLION = 1_000_000
TARGETS = (
    Target("31,000 stories: times as fast as datatrove", _of("rivals", "times", "datatrove", largest=RACED), "≥", 10),
    Target("31,000 stories: times as fast as by hand", _of("rivals", "times", "by hand", largest=RACED), "≥", 4),
    Target("copydesk --help", _of("startup", "help_seconds"), "≤", 0.3, "s"),
    Target("first run over raw/", _of("startup", "first_seconds"), "≤", 20, "s"),
    Target("second run over raw/", _of("startup", "second_seconds"), "≤", 8, "s"),
    Target("1M stories", _of("growth", "last", "seconds", largest=MILLION), "≤", 720, "s"),
    Target("1M stories: peak of all processes", _of("growth", "last", "peak_mb", largest=MILLION), "≤", 3_000, "MB"),
    Target("1M stories: recall of near duplicates", _of("growth", "last", "recall_near", largest=MILLION), "≥", 0.99),
    Target("1M stories: recall of derivatives", _of("growth", "last", "recall_derivative", largest=MILLION), "≥", 0.95),
    Target("1M stories: wrong merges in 100,000", _of("growth", "last", "wrong_merges_per_100k", largest=MILLION), "≤", 1),
    Target("growth from 10k to 1M: exponent of time", _of("growth", "exponent", largest=MILLION), "≤", 1.1),
    Target("1,000 new stories onto 1M", _of("added", "seconds", largest=MILLION), "≤", 30, "s"),
    Target("nothing new at 1M", _of("added", "nothing_new_seconds", largest=MILLION), "≤", 6, "s"),
    Target("two Dask workers against two processes", _of("dask", "times", largest=DASK_STORIES), "≤", 1.3),
    Target("stories/*.parquet of the raw bytes", _of("parquet", "share_of_raw"), "≤", 0.45),
    Target("a day's stories: share of the files read", _of("parquet", "published_at", "files_read"), "≤", 0.5),
    Target("a source's stories: share of the row groups read", _of("parquet", "source", "row_groups_read", largest=100_000), "≤", 0.5),
)


# ---- runs -------------------------------------------------------------------------------------------------------------------


def copydesk(raw: Path, curated: Path, home: Path, *options: str, cache: Path | None = None) -> dict[str, Any]:
    """A run of the command as a user has it, measured.

    Raises:
        RuntimeError: it did not end with 0.
    """
    command = [sys.executable, "-m", "flows.command_line", "run", "--raw", str(raw), "--curated", str(curated), *options]
    variables = {"PYTHONPATH": str(ROOT)} | ({"COPYDESK_CACHE": str(cache)} if cache else {})
    found = measured("copydesk", command, str(home), variables)
    if found["exit"]:
        raise RuntimeError(f"{' '.join(command)} ended with {found['exit']}; see {home / 'log'}")
    return found


def made(home: Path, stories: int) -> Path:
    """The folder of a corpus, written if it is not there."""
    folder = home / f"{stories}"
    knobs = corpus.Knobs(stories)
    if (folder / "corpus.json").exists() and corpus.read_knobs(folder) == knobs:
        for left in ("truth-added.parquet", *(f"raw/{path.name}" for path in (folder / "raw").glob("*-added-*"))):
            (folder / left).unlink(missing_ok=True)
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    corpus.make(folder, knobs)
    return folder


def size_of(folder: Path, pattern: str = "**/*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


# ---- the parts ----------------------------------------------------------------------------------------------------------------


def startup(home: Path, sizes: Sequence[int]) -> Report:
    """`--help`, best of five; a run over raw/ with an empty cache (compiled kernels are there), and again, best of three."""
    del sizes
    told = [sys.executable, "-m", "flows.command_line", "--help"]
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(told, cwd=ROOT, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    cache, work = home / "cache", home / "startup"
    for folder in (cache, work):
        shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    first = copydesk(ROOT / "raw", work / "first", work, cache=cache)
    again = [copydesk(ROOT / "raw", work / f"again-{turn}", work, cache=cache) for turn in range(3)]
    nothing = copydesk(ROOT / "raw", work / "first", work, cache=cache)
    shutil.rmtree(work)
    shutil.rmtree(cache)
    return {
        "help_seconds": round(min(seconds), 3),
        "first_seconds": first["seconds"],
        "second_seconds": min(run["seconds"] for run in again),
        "nothing_new_seconds": nothing["seconds"],
        "runs": [first, *again, nothing],
    }


def rivals(home: Path, sizes: Sequence[int]) -> Report:
    """The race of 31,000 stories. With other sizes than the usual ones only the smallest of them, to try it out."""
    from bench import race

    if not race.SOURCE.exists():
        return {"skipped": f"no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)"}
    stories = RACED if max(sizes) >= RACED else min(sizes)
    work = home / "race"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    runs = race.race(work, stories)
    shutil.rmtree(work)
    race.show(runs)
    times = {run["name"]: round(run["seconds"] / runs[0]["seconds"], 2) for run in runs[1:] if not run["exit"]}
    return {"stories": stories, "times": times, "runs": runs}


def growth(home: Path, sizes: Sequence[int]) -> Report:
    """One run over a corpus of each size, from nothing."""
    rows = []
    for stories in sorted(sizes):
        folder = made(home, stories)
        curated = folder / "curated"
        shutil.rmtree(curated, ignore_errors=True)
        run = copydesk(folder / "raw", curated, folder, "--workers", str(WORKERS))
        manifest = json.loads((curated / "latest" / "manifest.json").read_text(encoding="utf-8"))
        found = corpus_score.score(folder, curated)
        row = {"stories": stories, "raw_bytes": size_of(folder / "raw")} | {key: run[key] for key in MEASURED}
        row |= {f"recall_{name}": found["recall"][name]["recall"] for name in found["recall"]}
        row |= {key: found[key] for key in ("wrong_merges", "wrong_merges_per_100k", "quarantined")}
        row |= {"match": manifest.get("match"), "by_role": {name: one["recall"] for name, one in found["recall_by_role"].items()}}
        rows.append(row)
        print(", ".join(f"{key} {value}" for key, value in row.items() if not isinstance(value, dict)), flush=True)
        corpus_score.show(found)
        if stories != max(sizes):
            shutil.rmtree(folder)
    return {"stories": max(sizes), "rows": rows, "last": rows[-1], "exponent": exponent(rows)}


MEASURED = ("seconds", "cpu_seconds", "peak_mb", "load")


def exponent(rows: Sequence[Report]) -> float | None:
    """Slope of log seconds over log stories (least squares) from EXPONENT_FROM stories on; None for fewer than two sizes."""
    points = [(math.log(row["stories"]), math.log(row["seconds"])) for row in rows if row["stories"] >= EXPONENT_FROM]
    if len(points) < 2:
        return None
    middle_x, middle_y = (sum(side) / len(points) for side in zip(*points, strict=True))
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / sum((x - middle_x) ** 2 for x, _ in points)
    return round(float(slope), 3)


def added(home: Path, sizes: Sequence[int]) -> Report:
    """Nothing new, 1,000 new stories of the last two days, and nothing new again, on the largest corpus."""
    stories = max(sizes)
    folder, curated = curated_corpus(home, stories)
    nothing = copydesk(folder / "raw", curated, folder, "--workers", str(WORKERS))
    corpus.add(folder, ADDED, DAYS)
    new = copydesk(folder / "raw", curated, folder, "--workers", str(WORKERS))
    again = copydesk(folder / "raw", curated, folder, "--workers", str(WORKERS))
    found = corpus_score.score(folder, curated)
    fresh = corpus_score.score(folder, curated, truth="truth-added.parquet")
    return {
        "stories": stories,
        "new": ADDED,
        "seconds": new["seconds"],
        "nothing_new_seconds": min(nothing["seconds"], again["seconds"]),
        "peak_mb": new["peak_mb"],
        "wrong_merges_per_100k": found["wrong_merges_per_100k"],
        "recall_of_the_new": {name: row["recall"] for name, row in fresh["recall"].items()},
        "runs": [nothing, new, again],
    }


def curated_corpus(home: Path, stories: int) -> tuple[Path, Path]:
    """The corpus of a size and its snapshots, as `growth` left them; made if they are not there."""
    folder = made(home, stories)
    curated = folder / "curated"
    if not (curated / "latest").exists() or _seen(curated) != stories:
        shutil.rmtree(curated, ignore_errors=True)
        copydesk(folder / "raw", curated, folder, "--workers", str(WORKERS))
    return folder, curated


def _seen(curated: Path) -> int:
    manifest = json.loads((curated / "latest" / "manifest.json").read_text(encoding="utf-8"))
    return int(manifest["counts"]["records"])


def parquet(home: Path, sizes: Sequence[int]) -> Report:
    """Bytes of the dataset against those of raw/; which files and row groups are left by a predicate, by their statistics."""
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    stories = max(sizes)
    folder, curated = curated_corpus(home, stories)
    table = ds.dataset(curated / "latest" / "stories")
    files = [fragment.path for fragment in table.get_fragments()]
    newest = max(path for path in files if "unknown" not in Path(path).name)
    sample = pq.read_table(newest, columns=["published_at", "source"])
    at, source = (sample[name][len(sample) // 2].as_py() for name in ("published_at", "source"))
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    told = {
        "published_at": (ds.field("published_at") >= day) & (ds.field("published_at") < day.replace(hour=23, minute=59)),
        "source": ds.field("source") == source,
    }
    groups = sum(fragment.num_row_groups for fragment in table.get_fragments())
    skipped = {}
    for name, predicate in told.items():
        left = [fragment.split_by_row_group(predicate) for fragment in table.get_fragments(predicate)]
        read = sum(bool(pieces) for pieces in left)
        skipped[name] = {
            "files_read": round(read / len(files), 4),
            "row_groups_read": round(sum(map(len, left)) / groups, 4),
            "rows_found": table.count_rows(filter=predicate),
        }
    kept, raw = size_of(curated / "latest" / "stories"), size_of(folder / "raw")
    return {
        "stories": stories,
        "files": len(files),
        "row_groups": groups,
        "bytes": kept,
        "raw_bytes": raw,
        "share_of_raw": round(kept / raw, 4),
        "with_duplicates_share_of_raw": round((kept + size_of(curated / "latest" / "duplicates")) / raw, 4),
        **skipped,
    }


def dask(home: Path, sizes: Sequence[int]) -> Report:
    """The same corpus with two local processes and on a Dask scheduler with two workers, each a process of its own."""
    usage = subprocess.run(
        [sys.executable, "-m", "flows.command_line", "run", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    if "dask" not in usage.stdout:
        return {"skipped": "this version has no --runner dask"}
    stories = min(DASK_STORIES, max(sizes))
    folder = made(home, stories)
    local, far = folder / "curated-local", folder / "curated-dask"
    for curated in (local, far):
        shutil.rmtree(curated, ignore_errors=True)
    by_processes = copydesk(folder / "raw", local, folder, "--workers", str(WORKERS))
    with cluster(home / "dask") as address:
        by_dask = copydesk(folder / "raw", far, folder, "--workers", str(WORKERS), "--runner", f"dask:{address}")
    tables = [json.loads((curated / "latest" / "manifest.json").read_text(encoding="utf-8"))["files"] for curated in (local, far)]
    for curated in (local, far):
        shutil.rmtree(curated)
    return {
        "stories": stories,
        "times": round(by_dask["seconds"] / by_processes["seconds"], 3),
        "same_files": tables[0] == tables[1],
        "runs": [by_processes | {"name": "two processes"}, by_dask | {"name": "client of two Dask workers"}],
    }


@contextmanager
def cluster(home: Path) -> Iterator[str]:
    """A Dask scheduler and two workers of one thread, over TCP on this machine; yields the scheduler's address.

    Raises:
        RuntimeError: it was not there after a minute.
    """
    import distributed

    connect: Any = distributed.Client  # its methods are not typed
    home.mkdir(parents=True, exist_ok=True)
    told = home / "scheduler.json"
    told.unlink(missing_ok=True)
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    worker = ["distributed.cli.dask_worker", "--scheduler-file", str(told), "--nworkers", "1", "--nthreads", "1", "--no-dashboard"]
    worker += ["--local-directory", str(home), "--preload", "flows.preload"]  # as docs/cluster.md starts them
    with (home / "log").open("wb") as log:

        def started(module: Sequence[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen([sys.executable, "-m", *module], cwd=ROOT, env=variables, stdout=log, stderr=log)

        running = [started(scheduler)]
        try:
            address = _address(told)
            running += [started(worker) for _ in range(WORKERS)]
            with connect(address) as client:
                client.wait_for_workers(WORKERS, timeout=60)
            yield address
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait()


def _address(told: Path) -> str:
    for _ in range(300):
        if told.exists() and (found := re.search(r'"address":\s*"([^"]+)"', told.read_text(encoding="utf-8"))):
            return found.group(1)
        time.sleep(0.2)
    raise RuntimeError(f"the Dask scheduler did not write {told}; see {told.with_name('log')}")


PARTS: dict[str, Callable[[Path, Sequence[int]], Report]] = {
    "startup": startup,
    "rivals": rivals,
    "growth": growth,
    "parquet": parquet,
    "added": added,
    "dask": dask,
}


# ---- the report -----------------------------------------------------------------------------------------------------------------


def earlier(path: Path) -> Report:
    """The report of the same day, or an empty one."""
    if path.exists():
        found: Report = json.loads(path.read_text(encoding="utf-8"))
        return found
    return {"date": path.stem.removeprefix("scale-"), "parts": {}}


def table(report: Report) -> list[dict[str, Any]]:
    """Each target with its figure and whether it is met; None where it was not measured."""
    rows = []
    for target in TARGETS:
        figure = target.figure(report)
        rows.append(
            {
                "what": target.what,
                "target": f"{target.sign} {target.wanted:,g} {target.unit}".rstrip(),
                "figure": figure,
                "met": None if figure is None else target.met(figure),
            }
        )
    return rows


def show(report: Report) -> None:
    print(f"\n{'what':<52} {'target':>12} {'figure':>10}")
    for row in report["targets"]:
        figure = "" if row["figure"] is None else f"{row['figure']:,.4g}" if row["figure"] < 10 else f"{row['figure']:,.1f}"
        met = {None: "not measured", True: "met", False: "NOT MET"}[row["met"]]
        print(f"{row['what']:<52} {row['target']:>12} {figure:>10}  {met}")
    for name, part in report["parts"].items():
        if "skipped" in part:
            print(f"{name}: skipped, {part['skipped']}")


def plot(rows: Sequence[Report], out: Path) -> None:
    """Stories against seconds and against memory, all axes logarithmic, as SVG (or what the name of `out` ends in)."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    stories = [row["stories"] for row in rows]
    with mpl.rc_context({"svg.hashsalt": "copydesk", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(9.6, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        seconds, peaks = ([row[key] for row in rows] for key in ("seconds", "peak_mb"))
        _panel(left, "Seconds of a whole run", stories, seconds, 720, "12 min", (1,))
        _panel(right, "Peak memory of all processes, MB", stories, peaks, 3_000, "3 GB", (1, 2, 5))
        straight = [seconds[-1] * count / stories[-1] for count in stories]
        left.plot(stories, straight, color="#8a99a6", linewidth=1, linestyle=":", zorder=1)
        left.annotate(
            "proportional", (stories[len(rows) // 2], straight[len(rows) // 2]), (8, -12), textcoords="offset points", color="#6b7a87"
        )
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def _panel(
    axes: Any, title: str, stories: Sequence[int], values: Sequence[float], bound: float, named: str, ticks: tuple[float, ...]
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.loglog(stories, values, marker="o", color="#1f6f8b", linewidth=1.8, markersize=5)
    axes.axhline(bound, color="#b3402a", linewidth=1, linestyle="--")
    axes.annotate(f"target at 1M: {named}", (stories[0], bound), (0, 4), textcoords="offset points", color="#b3402a")
    for count, value in zip(stories, values, strict=True):
        axes.annotate(f"{value:,.0f}", (count, value), (-3, 6), textcoords="offset points", ha="right", fontsize=8.5)
    axes.set(title=title, xlabel="Stories", ylim=(min(*values, bound) / 2, max(*values, bound) * 2.5))
    axes.set_xlim(stories[0] / 2.2, stories[-1] * 1.6)
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#dfe5ea", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def main(arguments: list[str]) -> int:
    """Run the parts named, or all; exit 1 when a figure that was measured misses its target."""
    wanted = argparse.ArgumentParser(
        prog="python -m bench scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all when none is named")
    wanted.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="stories of the corpora")
    wanted.add_argument("--home", type=Path, default=RIVAL_HOME / "scale", help="where corpora and snapshots lie")
    wanted.add_argument("--out", type=Path, default=RESULTS, help="where the report goes")
    given = wanted.parse_args(arguments)
    for name in set(given.parts) - PARTS.keys():
        wanted.error(f"no part {name}; there are {', '.join(PARTS)}")
    given.home.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"scale-{datetime.now(UTC):%Y-%m-%d}.json"
    for name in given.parts or PARTS:
        print(f"---- {name}", flush=True)
        begun = {"begun": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "load": round(os.getloadavg()[0], 1)}
        found: Report = {**begun, **PARTS[name](given.home.resolve(), given.sizes)}
        report = earlier(path)
        report |= {"machine": machine() | {"memory_mb": memory()}, "versions": versions(*VERSIONS)}
        report["parts"] |= {name: found}
        report["targets"] = table(report)
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        if name == "growth":
            plot(found["rows"], path.with_suffix(".svg"))
    report = earlier(path)
    show(report)
    print(f"written to {path}")
    return int(any(row["met"] is False for row in report["targets"]))


VERSIONS = ("copydesk", "prefect", "pyarrow", "numpy", "numba", "duckdb", "datasketch", "ftfy", "great-expectations")


def memory() -> int:
    """Main memory of this machine, MB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000
