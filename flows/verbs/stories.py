"""Single stories: what became of one, what would become of one, and two side by side."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    explain = options.verb(
        verbs,
        "explain",
        _explain,
        "what became of a record, and why",
        """
        copydesk explain flood-barrier-leaked-report
        copydesk explain qo-9913 --json
        """,
        "It tells the decision, the scores and shared passages, each line that was removed with its rule, and each repair. --json gives one object a "
        "record, with the columns of its tables.",
    )
    explain.add_argument("raw_id", metavar="RAW_ID", help="raw_id or story_id of the record")
    options.curated(explain)
    options.as_json(explain, "one JSON object a record")

    clean = options.verb(
        verbs,
        "clean",
        _clean,
        "show what would be repaired and removed in a file",
        """
        copydesk clean raw/calder-daily/flood-barrier-leaked-report.txt
        copydesk clean page.html --set strip.rules=my-rules.toml
        """,
        "Nothing is written. --json gives one object a record.",
    )
    clean.add_argument("file", metavar="FILE", help="a raw file of any known format")
    options.settings(clean)
    options.as_json(clean, "one JSON object a record")

    compare = options.verb(
        verbs,
        "compare",
        _compare,
        "the verdict on two stories, with the evidence and the passages they share",
        """
        copydesk compare one.txt other.html
        copydesk compare feed.jsonl#3 qo-9913 --set derivative.probability=0.3
        """,
        "A and B are each a raw file (FILE, or FILE#3 or FILE#ID for one record of many, counted from 0) or a raw_id or story_id of the "
        "published snapshot. --json gives one object: a, b (the two stories, and what the snapshot decided), verdict, similarity, "
        "evidence (value x weight = contribution, for one story against two), source_evidence (for A as the source against B), barriers "
        "(why the pair is no near copy or no rewrite), passages (as A and as B has them, with their first character), caveat, notes.",
    )
    compare.add_argument("a", metavar="A", help="FILE, FILE#RECORD, raw_id or story_id")
    compare.add_argument("b", metavar="B", help="the same")
    options.curated(compare)
    options.settings(compare)
    options.as_json(compare, "one JSON object")


def _explain(chosen: argparse.Namespace) -> int:
    snapshot = options.snapshot(chosen)
    if snapshot is None:
        return options.USAGE
    from flows.explain import explanations
    from tasks.boilerplate import reasons

    found = explanations(snapshot, chosen.raw_id)
    if not found:
        return options.say(f"copydesk: no record {chosen.raw_id!r} in {snapshot.name}", options.USAGE)
    why = reasons()
    for record in found:
        _show(record, why, chosen.json)
    return options.DONE


def _clean(chosen: argparse.Namespace) -> int:
    from flows.explain import cleaned
    from tasks.boilerplate import reasons
    from tasks.settings import load

    if not Path(chosen.file).is_file():
        a_folder = Path(chosen.file).is_dir()
        return options.say(
            f"copydesk: {chosen.file} is a folder; name one of its files" if a_folder else f"copydesk: no file {chosen.file}", options.USAGE
        )
    try:
        knobs = load(Path(file) if (file := options.settings_file(chosen)) else None, chosen.overrides)
        records = cleaned(Path(chosen.file), knobs)
    except ValueError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    why = reasons(knobs.strip.rules)
    for record in records:
        _show(record, why, chosen.json, ("story_id", "raw_uri", "raw_sha256", "raw_state", "kind"))
    return options.DONE


def _show(record: dict[str, Any], why: dict[str, str], as_json: bool, hidden: Sequence[str] = ()) -> None:
    from flows import terminal

    if as_json:
        print(json.dumps(record, ensure_ascii=False, default=str))
        return
    inner = ("text", "removed", "repairs", "evidence", "left_out", "published_precision", *hidden)
    shown = {name: value for name, value in record.items() if name not in inner and (name, value) != ("place", "file")}
    if record.get("published_at"):
        shown["published_at"] = f"{record['published_at']:%Y-%m-%d %H:%M:%S} UTC (precision: {record['published_precision']})"
    terminal.fields(shown)
    for passage in record.get("evidence") or []:
        terminal.fields({"here": passage["text"], "there": passage["other_text"]})
    terminal.story(record, why)
    print()


def _compare(chosen: argparse.Namespace) -> int:
    from flows.compare import UnknownError, compare
    from tasks.settings import load

    try:
        knobs = load(Path(file) if (file := options.settings_file(chosen)) else None, chosen.overrides)
        found = compare(chosen.a, chosen.b, options.folder(chosen.curated), knobs)
    except (UnknownError, ValueError) as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False, default=str))
        return options.DONE
    from flows import terminal

    terminal.comparison(found)
    return options.DONE
