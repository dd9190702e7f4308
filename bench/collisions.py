"""Stories made to collide, beside ordinary ones: what an adversary can make the matching cost.

Four kinds in equal shares, all of one week and of many outlets: one paragraph in all of them (hot keys); windows that slide over one long text,
so that each resembles its neighbours; mosaics of passages, each of which twenty others have, the most that a key proposes; and the same rare
words in other sentences.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from bench.machine import measured as run_measured
from bench.quality import ROOT

PASSAGE = 26
"""Words of a passage: so many are sure to hold a key (near.run_words + near.run_window - 1, and some)."""
MOSAIC = 24
SHARED = 20
"""Stories that have a passage in common: what cluster.hot_key lets each key propose."""
START = datetime(2031, 5, 5, tzinfo=UTC)
COMMON = ["the", "a", "of", "to", "and", "in", "that", "was", "for", "on", "with", "as", "it", "at", "by", "from", "had", "which", "were", "this", "have", "said", "not", "but", "they", "his", "her", "one", "all", "would", "there", "been", "when", "who", "more", "out", "about", "after", "also", "two", "first", "last", "week", "city", "people"]  # fmt: skip


def stories(count: int, seed: int = 1) -> Iterator[dict[str, str]]:
    """Records of `count` stories."""
    chance = random.Random(seed)  # noqa: S311  # must be repeatable, not secret
    quarter = count // 4
    shared = _passage(chance, 60)
    sliding = [_passage(chance) for _ in range(quarter + 12)]
    passages = [_passage(chance) for _ in range(max(MOSAIC, quarter * MOSAIC // SHARED))]
    rare = [_name(chance) for _ in range(4_000)]
    for number in range(count):
        kind, place = number % 4, number // 4
        if kind == 0:
            parts = [_passage(chance) for _ in range(MOSAIC)] + [shared]
        elif kind == 1:
            parts = sliding[place : place + 12]
        elif kind == 2:
            parts = chance.sample(passages, MOSAIC)
        else:
            group = place // 40
            own = random.Random(group).sample(rare, 70)  # noqa: S311  # as above
            parts = [
                " ".join(chance.choice(own) if chance.random() < 0.3 else chance.choice(COMMON) for _ in range(PASSAGE)) + "."
                for _ in range(MOSAIC)
            ]
        chance.shuffle(parts) if kind != 1 else None
        at = START + timedelta(seconds=5 * number)
        yield {"id": f"c{number}", "source": f"Outlet {number % 997}", "published_at": at.isoformat(), "text": "\n".join(parts)}


def _passage(chance: random.Random, words: int = PASSAGE) -> str:
    return " ".join(_name(chance) if chance.random() < 0.25 else chance.choice(COMMON) for _ in range(words)).capitalize() + "."


def _name(chance: random.Random) -> str:
    return "".join(
        chance.choice(("ka", "lo", "mi", "ter", "vas", "hol", "en", "dor", "pir", "su", "wen", "gla")) for _ in range(chance.randint(3, 5))
    )


def measured(count: int) -> list[dict[str, Any]]:
    """Seconds of the real command on so many ordinary stories and on as many made to collide; `ratio`, and whether any was lost."""
    with TemporaryDirectory(prefix="copydesk-collisions-") as home:
        ordinary, hostile = Path(home, "ordinary"), Path(home, "hostile", "raw")
        hostile.mkdir(parents=True)
        with (hostile / "collisions.jsonl").open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps(story) + "\n" for story in stories(count))
        from bench import corpus

        corpus.main([str(count), str(ordinary)])
        rows = []
        for name, raw in (("ordinary", ordinary / "raw"), ("collisions", hostile)):
            curated = Path(home, f"curated-{name}")
            command = [sys.executable, "-m", "flows.command_line", "run", "--raw", str(raw), "--curated", str(curated)]
            ran = run_measured(name, command, home, {"PYTHONPATH": str(ROOT)})
            found = curated / "latest" / "decisions"
            outcomes = pq.read_table(found, columns=["outcome"])["outcome"].to_pylist() if found.exists() else []
            row: dict[str, Any] = {"part": "collisions", "name": f"{name}, {count:,} stories", "run": ran}
            row |= {"decided": dict(Counter(outcomes)), "lost": len(outcomes) != count}
            rows.append(row)
            print(json.dumps(row), flush=True)
        ratio = rows[1]["run"]["seconds"] / rows[0]["run"]["seconds"]
        rows.append(
            {"part": "collisions", "name": "ratio", "ratio": round(ratio, 2), "fault": "" if ratio <= 3 else "more than 3 times as long"}
        )
        print(f"collisions take {ratio:.2f} times as long")
        return rows
