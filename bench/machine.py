"""What the benches share: this machine in words, a rival's own virtual environment, and the cost of a command."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.quality import ROOT

RESULTS = Path(__file__).with_name("results")
RIVAL_HOME = ROOT / "bench" / "work"
STEPS = (0.2, 2.0)
"""Seconds between two looks at the processes of a run, in its first seconds and later: each look takes some 30 ms of one core."""


def machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}


def versions(*packages: str) -> dict[str, str]:
    return {name: version(name) for name in packages}


def environment(name: str, packages: Sequence[str]) -> str:
    """Python of the rival's own virtual environment under bench/work, made on first use and again when its pins change.

    Raises:
        RuntimeError: the packages could not be installed; with pip's reasons.
    """
    folder = RIVAL_HOME / name
    python, stamp = folder / "bin" / "python", folder / "pins"
    if stamp.exists() and stamp.read_text(encoding="utf-8").split() == list(packages):
        return str(python)
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", *packages]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode:
        why = "; ".join(line.removeprefix("ERROR: ") for line in installed.stderr.splitlines() if line.startswith("ERROR:"))
        raise RuntimeError(f"{name}: cannot be installed with Python {platform.python_version()}: {why}")
    stamp.write_text("\n".join(packages) + "\n", encoding="utf-8")
    return str(python)


def measured(name: str, command: Sequence[str], home: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Wall seconds, CPU seconds and peak memory (MB) of all processes of the run together, and its exit code.

    Memory is the sum of proportional set sizes, looked at every 0.2 s, in long runs every 2 s. CPU seconds are what a busy machine distorts
    least (`load` is how busy it was before); processes that nobody waits for are counted up to the last look.
    """
    load = os.getloadavg()[0]
    started, before = time.perf_counter(), _waited_for()
    peak, cpu = [0.0], dict[str, float]()
    with Path(home, "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, env=os.environ | variables, stdout=log, stderr=log, start_new_session=True)
        watch = threading.Thread(target=_watch, args=(process, peak, cpu))
        watch.start()
        process.wait()
        seconds = time.perf_counter() - started
        watch.join()
    if process.returncode:
        print(Path(home, "log").read_text(errors="replace")[-2000:])
    return {
        "name": name,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(max(sum(cpu.values()), _waited_for() - before), 1),
        "peak_mb": round(peak[0]),
        "load": round(load, 1),
        "exit": process.returncode,
    }


def _waited_for() -> float:
    """CPU seconds of the processes that this one, or a child of it, has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _watch(process: subprocess.Popen[bytes], peak: list[float], cpu: dict[str, float]) -> None:
    """Linux only: elsewhere the peak stays 0."""
    tick, began = os.sysconf("SC_CLK_TCK"), time.perf_counter()
    while process.poll() is None:
        total = 0.0
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(folder.name)) == process.pid:
                    used = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
                    cpu[folder.name] = sum(map(int, used)) / tick
                    lines = (folder / "smaps_rollup").read_text().splitlines()
                    total += next(float(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
            except (OSError, StopIteration):
                continue
        peak[0] = max(peak[0], total)
        time.sleep(STEPS[time.perf_counter() - began > 20])
