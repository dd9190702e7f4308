"""Strip: take what web pages put around a story off its text, and keep a list of all that went.

Three layers decide: what a line says (rules, as data in boilerplate.toml and languages/), how it reads among its neighbours (the line
model), and what recurs in the stories of its source (a furniture model, if there is one). Nothing is lost: the
removed lines are listed with their numbers, so that `rebuild` gives the repaired text again; headline, byline, agency and date are lifted
into their columns where the record has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks import furniture, language, schema
from tasks import settings as knobs
from tasks.boilerplate.lines import count_all_words
from tasks.boilerplate.rules import Matcher, Rule, RulesError, compile_rules, load_rules
from tasks.boilerplate.story import RemovedLine, Stripped, read_lines, rebuild, strip_lines

__all__ = ["Matcher", "RemovedLine", "Rule", "RulesError", "Stripped", "built_in", "load_rules", "rebuild", "strip", "strip_text"]

_LIFTED = ("title", "byline", "agency", "published_at", "published_precision")
_WRITTEN = ("text", *_LIFTED, "language", "stage", "reason", "detail")
_READ = ("source", "url", *_WRITTEN)


def strip(table: pa.Table, settings: knobs.Strip) -> pa.Table:
    """Clean every healthy story of a REPAIRED table; a STRIPPED table, same rows, same order.

    A story of which nothing is left is found at fault (`no_story`) and keeps its text for the quarantine. Rows that an earlier stage found
    at fault pass through.

    Raises:
        RulesError, FurnitureError: the rules file or the furniture model cannot be used.
    """
    matcher = _matcher(settings.rules)
    known = furniture.load(settings.furniture) if settings.furniture else None
    rows = table.select(_READ).to_pylist()
    removed: list[Sequence[RemovedLine]] = [()] * len(rows)
    sound = [number for number, row in enumerate(rows) if row["reason"] is None]
    for number, read in zip(sound, read_lines([rows[number]["text"] for number in sound], matcher), strict=True):
        row = rows[number]
        recurring = known.known(row["source"], read.lines) if known else ()
        story = strip_lines(read, title=row["title"], url=row["url"], lift=settings.lift, recurring=recurring)
        if story.text:
            removed[number] = story.removed
            row.update(_learned(row, story, settings.lift))
        else:
            row.update(stage="strip", reason="no_story", detail=_explain_nothing(row["text"], story))
    columns = {name: table[name] for name in schema.REPAIRED.names}
    for name in _WRITTEN:
        columns[name] = pa.chunked_array([[row[name] for row in rows]], schema.STRIPPED.field(name).type)
    columns["word_count"] = pa.chunked_array([count_all_words(columns["text"])])
    columns["removed"] = pa.chunked_array([removed], schema.STRIPPED.field("removed").type)
    return schema.conform(pa.table(columns), schema.STRIPPED)


def strip_text(
    text: str, settings: knobs.Strip | None = None, *, title: str | None = None, url: str | None = None, source: str | None = None
) -> Stripped:
    """Clean one story: text, removed lines and lifted fields, for people who want to see what goes and why.

    >>> strip_text("The ferry was late again on Monday, and nobody said why.\\nShare on Facebook").removed[0]["rule"]
    'share'
    """
    settings = settings or knobs.Strip.model_validate({})
    known = furniture.load(settings.furniture) if settings.furniture else None
    (read,) = read_lines([text], _matcher(settings.rules))
    return strip_lines(read, title=title, url=url, lift=settings.lift, recurring=known.known(source, read.lines) if known else ())


def _matcher(path: str | None) -> Matcher:
    return built_in() if path is None else compile_rules(load_rules(Path(path)))


@cache
def built_in() -> Matcher:
    """The built-in rules, ready to match."""
    return compile_rules(load_rules())


def _learned(row: Mapping[str, Any], story: Stripped, lift: bool) -> dict[str, Any]:
    """The columns that a cleaned story changes: its text, its language, and what was lifted where the record has nothing."""
    new: dict[str, Any] = {"text": story.text, "language": row["language"] or language.detect(story.text)}
    if lift:
        fields = story.fields
        new |= {name: getattr(fields, name) for name in ("title", "byline", "agency") if row[name] is None}
        if row["published_at"] is None:
            new |= {"published_at": fields.published_at, "published_precision": fields.published_precision}
    return new


def _explain_nothing(text: str, story: Stripped) -> str:
    if not text.strip():
        return "the text is empty"
    rules = sorted({entry["rule"] for entry in story.removed} - {"blank"})
    return f"nothing but boilerplate: all {len(story.removed)} lines were taken by {', '.join(rules)}"
