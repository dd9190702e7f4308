"""Strip: take what web pages put around a story off its text, and keep a list of all that went.

Three layers decide: what a line says (rules, as data in boilerplate.toml and languages/), how it reads among its neighbours (the line
model), and what recurs in the stories of its source (a furniture model, if there is one). Nothing is lost: the
removed lines are listed with their numbers, so that `rebuild` gives the repaired text again; headline, byline, agency and date are lifted
into their columns where the record has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks import furniture, language, overrides, schema
from tasks import settings as knobs
from tasks.boilerplate.lift import Fields
from tasks.boilerplate.lines import count_all_words
from tasks.boilerplate.rules import Matcher, Rule, RulesError, compile_rules, load_rules, reasons
from tasks.boilerplate.story import RemovedLine, Stripped, read_lines, rebuild, strip_lines

__all__ = [
    "Matcher",
    "RemovedLine",
    "Rule",
    "RulesError",
    "Stripped",
    "built_in",
    "load_rules",
    "reasons",
    "rebuild",
    "strip",
    "strip_text",
    "warm_up",
]

_LIFTED = ("title", "byline", "agency", "published_at", "published_precision")


# a story and a page, invented: between them they use all that strip reads and loads
_SAMPLES = (
    "RIGA, May 14 (Baltic Wire) - Dock workers in the port voted on Monday to go on with their strike, and nobody said for how long.\n"
    "The company said that it was ready to talk on Tuesday, but only about the rota, and that the ferries would go on sailing.",
    "\n".join(["Home", "News", "Sport", "Weather"] * 4)
    + "\nFerry strike ends\nBy Ana Example\n4 March 2024, 14:30\nDock workers in the port voted on Monday to end their strike after ten days.\n"
    + "The company said that it was glad of it, and that all the ferries would sail again from Tuesday morning.\nShare this article",
)


def strip(table: pa.Table, settings: knobs.Strip, lines: overrides.Lines | None = None) -> pa.Table:
    """Clean every healthy story of a REPAIRED table; a STRIPPED table, same rows, same order.

    A story of which nothing is left is found at fault (`no_story`) and keeps its text for the quarantine. Rows that an earlier stage found
    at fault pass through.

    Args:
        lines: what editors say of lines.

    Raises:
        RulesError, FurnitureError: the rules file or the furniture model cannot be used.
    """
    matcher = _matcher(settings.rules)
    known = furniture.load(settings.furniture) if settings.furniture else None
    columns = {name: table[name] for name in schema.REPAIRED.names}
    texts, tongues, reasons = (table[name].to_pylist() for name in ("text", "language", "reason"))
    sound = [number for number, reason in enumerate(reasons) if reason is None]
    removed: list[Sequence[RemovedLine]] = [()] * len(texts)
    lifted: dict[int, Fields] = {}
    faults: dict[int, str] = {}
    stories = read_lines(table["text"].filter(table["reason"].is_null()), matcher)
    given = zip(*(table[name].filter(table["reason"].is_null()).to_pylist() for name in ("source", "title", "url")), strict=True)
    for number, read, (source, title, url) in zip(sound, stories, given, strict=True):
        recurring = known.known(source, read.lines) if known else ()
        said = {n: bool(entry.boilerplate) for n, entry in lines.decided(source, read.lines).items()} if lines and lines.entries else None
        story = strip_lines(read, title=title, url=url, lift=settings.lift, recurring=recurring, decided=said)
        if not story.text:
            faults[number] = _explain_nothing(texts[number], story)
            continue
        texts[number], removed[number] = story.text, story.removed
        tongues[number] = tongues[number] or language.detect(story.text)
        if settings.lift and story.fields != Fields():
            lifted[number] = story.fields
    columns |= {"text": pa.chunked_array([texts], pa.string()), "language": pa.chunked_array([tongues], pa.string())}
    columns |= _lift(table, lifted) | _find_fault(table, faults)
    columns["word_count"] = pa.chunked_array([count_all_words(columns["text"])])
    columns["removed"] = pa.chunked_array([_list(removed)])
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


def warm_up(settings: knobs.Strip) -> None:
    """Read rules, word lists and models and load the kernels, so that processes forked from this one need not (1 s).

    Raises:
        RulesError, FurnitureError: the rules file or the furniture model cannot be used.
    """
    for text in _SAMPLES:
        strip_text(text, settings, title="Ferry strike ends")
        language.detect(text)
    count_all_words(pa.chunked_array([_SAMPLES]))


def _matcher(path: str | None) -> Matcher:
    if path is None:
        return built_in()
    try:
        content = Path(path).read_bytes()
    except OSError:
        content = b""  # load_rules says what is wrong
    return _own(path, content)


@lru_cache(maxsize=4)
def _own(path: str, content: bytes) -> Matcher:  # noqa: ARG001  # another content is another matcher
    return compile_rules(load_rules(Path(path)))


@cache
def built_in() -> Matcher:
    """The built-in rules, ready to match."""
    return compile_rules(load_rules())


def _lift(table: pa.Table, lifted: Mapping[int, Fields]) -> dict[str, pa.ChunkedArray[Any]]:
    """The columns for what the lines say, where the record has nothing."""
    if not lifted:
        return {}
    dated = table["published_at"].is_valid()
    columns = {}
    for name in _LIFTED:
        found: list[Any] = [None] * len(table)
        for number, fields in lifted.items():
            found[number] = getattr(fields, name)
        given = table[name]
        new = pa.chunked_array([found], given.type)
        columns[name] = pc.if_else(dated, given, new) if name.startswith("published") else pc.coalesce(given, new)
    return columns


def _find_fault(table: pa.Table, faults: Mapping[int, str]) -> dict[str, pa.ChunkedArray[Any]]:
    """The columns that say what is wrong with stories of which nothing is left."""
    columns = {}
    for name, value in (("stage", "strip"), ("reason", "no_story"), ("detail", None)) if faults else ():
        found: list[Any] = [None] * len(table)
        for number, detail in faults.items():
            found[number] = value or detail
        columns[name] = pc.coalesce(table[name], pa.chunked_array([found], table[name].type))
    return columns


def _list(removed: Sequence[Sequence[RemovedLine]]) -> pa.ListArray[Any]:
    """The column `removed`; five times as fast as by its rows."""
    kind = schema.STRIPPED.field("removed").type
    lines: list[Mapping[str, Any]] = list(chain.from_iterable(removed))
    values = [pa.array([line[field.name] for line in lines], field.type) for field in kind.value_type]
    offsets = pa.array(accumulate(map(len, removed), initial=0), pa.int32(), size=len(removed) + 1)
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(values, fields=list(kind.value_type)), type=kind)


def _explain_nothing(text: str, story: Stripped) -> str:
    if not text.strip():
        return "the text is empty"
    rules = sorted({entry["rule"] for entry in story.removed} - {"blank"})
    return f"nothing but boilerplate: all {len(story.removed)} lines were taken by {', '.join(rules)}"
