"""Kills survived: runs killed at every kind of step, in the middle of files, at any moment and by a loss of power, and run again.

`python -m bench crash [--kills 200] [--flow 20] [--seed N]`: so many at library level, over all scenes of tests/crashes.py, and so many
through Prefect. A kill is survived when the published snapshot is whole after it, and after the next run the curated folder
holds, byte for byte, what it holds after a run that nobody killed, and nothing besides.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import RESULTS, machine, versions
from bench.quality import ROOT

SHARE_RANDOM = 0.3  # of the kills at library level, at any moment
SHARE_SEVERAL = 0.1  # of them, with the next run killed too, and the one after


def main(arguments: list[str]) -> int:
    """Kill, and write the result JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench crash")
    parser.add_argument("--kills", type=int, default=200, help="at library level")
    parser.add_argument("--flow", type=int, default=20, help="through Prefect")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT / "tests"))
    chance = random.Random(chosen.seed)  # noqa: S311 - no secret
    began = time.perf_counter()
    with TemporaryDirectory(prefix="copydesk-crash-") as home:
        library = at_library_level(Path(home), chosen.kills, chance) if chosen.kills else {}
        flow = through_prefect(Path(home), chosen.flow, chance) if chosen.flow else {}
    path = RESULTS / f"crash-{datetime.now(UTC):%Y-%m-%d}.json"
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # of the other part, if only one was asked for
    result = {
        "seed": chosen.seed,
        "library": library or earlier.get("library", {}),
        "flow": flow or earlier.get("flow", {}),
        "seconds": round(time.perf_counter() - began, 1),
        "machine": machine(),
        "versions": versions("prefect", "pyarrow"),
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"-> {path}")
    return int(any(part["survived"] < part["kills"] for part in (library, flow) if part))


def at_library_level(home: Path, number: int, chance: random.Random) -> dict[str, Any]:
    import crashes

    crashes.warm_up(home / "warm")
    scenes = {name: crashes.build(name, home / name) for name in crashes.SCENES}
    at_steps = [(scene, kill) for scene in scenes.values() for kill in crashes.at_every_kind_of_step(scene)]
    chance.shuffle(at_steps)
    found = _Found()
    while found.kills < number:
        at_any_moment = chance.random() < SHARE_RANDOM or not at_steps
        scene, kill = (chance.choice(list(scenes.values())), None) if at_any_moment else at_steps.pop()
        kills = [kill or crashes.at_random(scene, chance)]
        while chance.random() < (SHARE_SEVERAL if len(kills) == 1 else 0.5):
            kills.append(crashes.at_random(scene, chance))
        name = kills[0].way if kills[0].step >= 0 else "any moment"
        found.tried(scene.name, name, crashes.survive, scene, kills, home / "killed")
    kinds = {step for scene in scenes.values() for step in scene.steps}
    return found.told("at library level") | {
        "kinds_of_steps": len(kinds),
        "steps": {name: len(scene.steps) for name, scene in scenes.items()},
    }


def through_prefect(home: Path, number: int, chance: random.Random) -> dict[str, Any]:
    import crashes

    cache = home / "cache"
    scenes = [crashes.flow_scene(name, home / f"flow {name}", cache) for name in ("first", "adds")]
    found = _Found()
    while found.kills < number:
        scene, alone = scenes[found.kills % 2], found.kills % 4 > 1
        seconds = chance.uniform(0.3, 0.95 * scene.seconds)
        before = found.kills
        found.tried(scene.name, "alone" if alone else "group", crashes.survive_command, scene, seconds, home / "killed", cache, alone)
        if found.kills == before:  # it had ended: the machine was busier when the time was taken
            scene.seconds = max(2.0, 0.8 * seconds)
    return found.told("through Prefect")


class _Found:
    """Kills so far. One that came after the end of the run is no kill."""

    def __init__(self) -> None:
        self.kills = self.survived = 0
        self.where: Counter[str] = Counter()
        self.faults: list[str] = []

    def tried(self, scene: str, way: str, survive: Any, *arguments: Any) -> None:
        try:
            killed = int(survive(*arguments))
        except AssertionError as error:
            self.faults.append(str(error))
            self.kills += 1
            print(f"FAULT {error}", flush=True)
            return
        self.kills += killed
        self.survived += killed
        self.where[f"{scene}: {way}"] += killed
        if killed and self.kills % 10 == 0:
            print(f"{self.survived} of {self.kills} kills survived", flush=True)

    def told(self, where: str) -> dict[str, Any]:
        print(f"{where}: {self.survived} of {self.kills} kills survived")
        return {"kills": self.kills, "survived": self.survived, "where": dict(sorted(self.where.items())), "faults": self.faults}
