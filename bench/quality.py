"""The quality gate: every benchmark set through the real command, its figures against the pinned floors.

Floors are what the last accepted state reached. They rise when we improve (`--pin`) and are never lowered in silence: a
change that lowers one must say so in its commit.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
BENCHMARKS = Path(os.environ.get("COPYDESK_BENCHMARKS") or ROOT.parent / "shared")
FLOORS = Path(__file__).with_name("floors.json")
LOWER_IS_BETTER = {"dates_wrong", "missing", "merged_wrongly", "background_not_kept", "quarantined", "falsely_merged", "false_merge_rate"}
NOT_JUDGED = {"set", "pages", "pairs", "texts", "stories", "dates_asked", "wrong", "by_group"}
EVALUATE = ("tools", "evaluate.py")


def floors() -> dict[str, dict[str, Any]]:
    """Set (with its arguments) -> figure -> floor (a ceiling for figures of which less is better)."""
    pinned: dict[str, dict[str, Any]] = json.loads(FLOORS.read_text(encoding="utf-8"))
    return pinned


def score(name: str, folder: Path, curate: Callable[[Path, Path], object] | None = None) -> dict[str, Any]:
    """Figures of a set, e.g. `rewrites-families --background 6000`, run in an empty folder by `curate(raw, curated)` or the command."""
    evaluate = [sys.executable, str(BENCHMARKS.joinpath(*EVALUATE))]
    chosen, *options = name.split()
    raw, curated = folder / "raw", folder / "curated"
    subprocess.run([*evaluate, "raw", chosen, str(raw), *options], check=True)
    (curate or run_command)(raw, curated)
    scored = subprocess.run([*evaluate, "score", chosen, str(curated)], check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(scored.stdout)
    return figures


def run_command(raw: Path, curated: Path) -> None:
    """`copydesk run`, as a user has it.

    Raises:
        RuntimeError: it did not end with 0; with the end of what it said.
    """
    command = [sys.executable, "-m", "flows.command_line", "run", "--raw", str(raw), "--curated", str(curated)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f"copydesk run --raw {raw} ended with {run.returncode}\n{run.stderr[-3000:]}")


def shortfalls(figures: dict[str, Any], pinned: dict[str, Any]) -> list[str]:
    """The figures that are worse than their floors, in words."""
    out = []
    for figure, floor in pinned.items():
        found = figures[figure]
        worse = found > floor if figure in LOWER_IS_BETTER else found != floor if not isinstance(floor, float | int) else found < floor
        if worse:
            out.append(f"{figure}: {found}, pinned at {floor}")
    return out


def main(arguments: list[str]) -> int:
    """Score all sets (or those named that begin with an argument); `--pin` writes what was reached as the floors."""
    pin = "--pin" in arguments
    wanted = [argument for argument in arguments if argument != "--pin"]
    pinned, failed = floors(), False
    for name in pinned:
        if wanted and not any(name.startswith(prefix) for prefix in wanted):
            continue
        with TemporaryDirectory() as folder:
            figures = score(name, Path(folder))
        worse = shortfalls(figures, pinned[name])
        failed |= bool(worse)
        print(f"{name}: {json.dumps({key: value for key, value in figures.items() if key != 'set'}, ensure_ascii=False)}", flush=True)
        for line in worse:
            print(f"  WORSE {line}", flush=True)
        if pin:
            pinned[name] = {figure: value for figure, value in figures.items() if figure not in NOT_JUDGED}
    if pin:
        FLOORS.write_text(json.dumps(pinned, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(failed and not pin)
