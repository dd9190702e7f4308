"""What a run made of a corpus: `python -m bench corpus-score FOLDER CURATED`.

FOLDER as bench.corpus left it, CURATED after a run over FOLDER/raw. Recall: of the planted copies and rewrites, how many are in
one cluster with their source. Wrong merges: of each cluster, all stories but those of the story it has most of. One SQL query over
the files, under a memory limit.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

MISSES = 10
"""Of each kind that are listed."""

TABLES = """
CREATE VIEW planted AS SELECT *, coalesce("of", id) AS story, list_contains({counted}, filename) AS counted
    FROM read_parquet({planted}, filename = true);
CREATE VIEW decided AS SELECT raw_id, outcome, cluster_id, relation FROM read_parquet({decisions});
CREATE TABLE told AS SELECT p.id, p.event, p.role, p.relation, p."of", p.story, p.counted, d.outcome, d.cluster_id, d.relation AS judged
    FROM planted p LEFT JOIN decided d ON d.raw_id = p.id;
CREATE TABLE found AS SELECT t.id, t.role, t.relation, t."of", t.outcome, t.judged,
    coalesce(t.cluster_id IS NOT NULL AND t.cluster_id = s.cluster_id, false) AS hit
    FROM told t JOIN told s ON s.id = t."of" WHERE t.counted;
CREATE TABLE main_story AS SELECT cluster_id, arg_max(story, (members, story)) AS story FROM
    (SELECT cluster_id, story, count(*) AS members FROM told WHERE cluster_id IS NOT NULL GROUP BY ALL) GROUP BY cluster_id;
CREATE TABLE merged AS SELECT t.id, t.role, t.cluster_id, m.story AS into_story
    FROM told t JOIN main_story m USING (cluster_id) WHERE t.story <> m.story AND t.counted;
"""


def score(folder: Path, curated: Path, memory: str = "1GB", truth: str = "truth*.parquet") -> dict[str, Any]:
    """Figures of a run: recall by relation and role, wrong merges by role, what was quarantined or not seen, and the first misses.

    `truth`: of which files the stories are counted; what they are copies of may stand in the others.

    Raises:
        FileNotFoundError: there is no truth in the folder or no snapshot in `curated`.
    """
    import duckdb

    planted, counted = (sorted(map(str, folder.glob(name))) for name in ("truth*.parquet", truth))
    decisions = sorted(map(str, (curated / "latest" / "decisions").glob("**/*.parquet")))
    if not planted or not decisions:
        raise FileNotFoundError(f"no truth*.parquet in {folder}" if not planted else f"no decisions in {curated}/latest")
    with duckdb.connect(config={"memory_limit": memory, "threads": 2}) as base:
        base.execute(TABLES.format(planted=planted, counted=counted, decisions=decisions))

        def rows(query: str) -> list[dict[str, Any]]:
            answer = base.execute(query)
            names = [column[0] for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

        def figures(query: str) -> dict[str, Any]:
            return {row["name"]: row for row in rows(query)}

        by = "count(*) AS planted, sum(hit::INT) AS found, round(avg(hit::INT), 4) AS recall FROM found"
        stories, unseen, quarantined = base.execute(
            "SELECT count(*), count(*) FILTER (outcome IS NULL), count(*) FILTER (outcome = 'quarantined') FROM told WHERE counted"
        ).fetchall()[0]
        wrong = base.execute("SELECT count(*) FROM merged").fetchall()[0][0]
        kind = "CASE relation WHEN 'derivative' THEN 'derivative' ELSE 'near' END"
        return {
            "stories": stories,
            "unseen": unseen,
            "quarantined": quarantined,
            "recall": figures(f"SELECT {kind} AS name, {by} GROUP BY ALL ORDER BY name"),
            "recall_by_role": figures(f"SELECT role AS name, {by} GROUP BY ALL ORDER BY name"),
            "wrong_merges": wrong,
            "wrong_merges_per_100k": round(100_000 * wrong / max(1, stories), 2),
            "wrong_merges_by_role": figures("SELECT role AS name, count(*) AS stories FROM merged GROUP BY ALL ORDER BY name"),
            "first_missed": rows(
                f"""SELECT id, role, "of", outcome FROM (SELECT *, row_number() OVER (PARTITION BY role ORDER BY id) AS n
                FROM found WHERE NOT hit) WHERE n <= {MISSES} ORDER BY role, id"""  # noqa: S608  # the same
            ),
            "first_merged": rows(
                f"""SELECT id, role, into_story FROM (SELECT *, row_number() OVER (PARTITION BY role ORDER BY id) AS n
                FROM merged) WHERE n <= {MISSES} ORDER BY role, id"""  # noqa: S608  # the same
            ),
        }


def show(found: dict[str, Any]) -> None:
    print(f"{found['stories']:,} stories, {found['unseen']:,} not seen, {found['quarantined']:,} quarantined")
    for name, row in (*found["recall"].items(), *found["recall_by_role"].items()):
        print(f"{name:<12} {row['found']:>8,.0f} of {row['planted']:>8,} {row['recall']:.4f}")
    roles = ", ".join(f"{name} {row['stories']:,}" for name, row in found["wrong_merges_by_role"].items())
    print(f"merged wrongly {found['wrong_merges']:,}, {found['wrong_merges_per_100k']} in 100,000 stories{': ' if roles else ''}{roles}")
    for title, key in (("missed", "first_missed"), ("merged wrongly", "first_merged")):
        for row in found[key]:
            print(f"  {title}: {row['role']} {row['id']} {'of' if 'of' in row else 'into'} {row.get('of', row.get('into_story'))}")


def main(arguments: list[str]) -> int:
    wanted = argparse.ArgumentParser(prog="python -m bench corpus-score", description=__doc__)
    wanted.add_argument("folder", type=Path)
    wanted.add_argument("curated", type=Path)
    wanted.add_argument("--json", action="store_true", help="print the figures as JSON")
    wanted.add_argument("--memory", default="1GB", help="limit of DuckDB")
    given = wanted.parse_args(arguments)
    found = score(given.folder, given.curated, given.memory)
    if given.json:
        print(json.dumps(found, indent=1, default=str))
    else:
        show(found)
    return 0
