"""Write docs/reference/: what the code declares, as pages. `make docs` does; tests/test_docs.py compares."""

from __future__ import annotations

import argparse
import json
import re
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import annotated_types
import pyarrow as pa
from pydantic.fields import FieldInfo

from flows.command_line import parser
from flows.verbs import options
from tasks import boilerplate, recipe, settings, validate
from tasks.schema import COLUMNS, TABLES
from tasks.snapshots import MANIFEST

HERE = Path(__file__).parent
WRITTEN = "<!-- Written by docs/reference.py from the code; `make docs` writes it anew. -->\n\n"
TABLES_SAY = {
    "stories": "The dataset: one row a story worth keeping.",
    "duplicates": "The cleaned text of every story that a kept one stands for.",
    "quarantine": "Records that could not be curated, with what text there is.",
    "decisions": "One row for every record of the seen set: what became of it, and why. Scores and evidence are of the pair (row, kept story).",
    "changes": "What is new in stories since the parent snapshot, for readers that follow along.",
    "inputs": "The ledger: one row for every raw file.",
}


def pages() -> dict[str, str]:
    """Name of each page -> its text."""
    made = {
        "columns": columns(),
        "commands": commands(),
        "expectations": expectations(),
        "manifest": manifest(),
        "rules": rules(),
        "settings": knobs(),
    }
    return {name: page.replace("\n", "\n\n" + WRITTEN.rstrip("\n") + "\n", 1) for name, page in made.items()}


def write(folder: Path) -> None:
    """Write the pages into a folder, only those that differ."""
    for name, page in pages().items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; bars and angle brackets in its cells stay what they are."""
    safe = [[cell.replace("\n", " ").replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *safe]) + "\n"


def prose(text: str) -> str:
    """Plain words as Markdown."""
    return re.sub(r"<(?=[a-z/!])", "&lt;", text)


def code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


# ---- columns and manifest ------------------------------------------------------------------------------------------


def columns() -> str:
    parts = [
        "# Tables and columns\n\n"
        "A snapshot's tables are folders of Parquet files. Names are public: columns are added, never renamed. Description, unit and null rule "
        'travel in the field metadata of each file: `pyarrow.parquet.read_schema(file).field("text").metadata`.\n'
    ]
    described: dict[str, list[str]] = {}
    for name, schema in TABLES.items():
        parts.append(f"## {name}\n\n{TABLES_SAY.get(name, '')}\n".replace("\n\n\n", "\n"))
        same = next((other for other, names in described.items() if names == schema.names), None)
        described[name] = schema.names
        parts.append(f"The same columns as [{same}](#{same}).\n" if same else table(_COLUMN_HEAD, map(_column, schema.names)))
    return "\n".join(parts)


_COLUMN_HEAD = ("column", "type", "meaning", "null")


def _column(name: str) -> tuple[str, ...]:
    column = COLUMNS[name]
    unit = f" ({column.unit})" if column.unit else ""
    return code(name), kind(column.type), prose(column.description + unit), prose(column.null)


def kind(of: pa.DataType) -> str:
    """An Arrow type in a few words: `list of {text: string, other_text: string}`."""
    if pa.types.is_list(of):
        return f"list of {kind(of.value_type)}"
    if pa.types.is_struct(of):
        return "{" + ", ".join(f"{field.name}: {kind(field.type)}" for field in of) + "}"
    return str(of).replace("timestamp[us, tz=UTC]", "timestamp (µs, UTC)")


def manifest() -> str:
    return (
        "# manifest.json\n\n"
        "What is known of a snapshot and of the run that made it. A snapshot without a manifest is none: it is written last. `run` holds what is "
        "true of the run and not of the data: times, hosts, places; nothing in a table depends on it.\n\n"
        + table(("key", "what it says"), ((code(key), prose(says)) for key, says in MANIFEST.items()))
    )


# ---- settings ------------------------------------------------------------------------------------------------------


def knobs() -> str:
    parts = [
        "# Settings\n\n"
        "`copydesk.toml` in the working folder, or `--settings FILE`; `--set section.key=value` for one. Unknown keys are refused. What is part of "
        "the [recipe](../why.md#what-the-recipe-is) can change a row: after a change all stories are worked again.\n"
    ]
    for section, field in settings.Settings.model_fields.items():
        parts += _section(section, field.annotation, "##", recipe.NOT_IN_RECIPE.get(section, ()))
    return "\n".join(parts)


def _section(name: str, model: Any, depth: str, outside: Any) -> Iterator[str]:
    """A section's heading and table, then those of its inner sections."""
    about = [" ".join((model.__doc__ or "").split())]
    if outside is True:
        about.append("Not part of the recipe.")
    elif outside:
        about.append(f"Of {', '.join(code(knob) for knob in sorted(outside))} the content counts, not the path.")
    yield f"{depth} {name}\n\n{prose(' '.join(about))}\n"
    inner = {knob: field for knob, field in model.model_fields.items() if hasattr(field.annotation, "model_fields")}
    rows = [
        (code(f"{name}.{knob}"), _default(knob, field), _allowed(field), prose(field.description or ""))
        for knob, field in model.model_fields.items()
        if knob not in inner
    ]
    yield table(("setting", "default", "allowed", "meaning"), rows)
    for knob, field in inner.items():
        yield from _section(f"{name}.{knob}", field.annotation, depth + "#", ())


def _default(name: str, field: FieldInfo) -> str:
    if name == "workers":
        return "all cores"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return code(json.dumps(value, ensure_ascii=False) if not isinstance(value, int | float) or isinstance(value, bool) else f"{value}")


def _allowed(field: FieldInfo) -> str:
    """What a setting may be, in words: `0 to 1`, `16 or more`, `one, one-per-source`."""
    bounds, choices = list(field.metadata), []
    for part in _parts(field.annotation):
        if typing.get_origin(part) is Literal:
            choices += [code(str(one)) for one in typing.get_args(part)]
        elif typing.get_origin(part) is typing.Annotated:
            bounds += part.__metadata__
    bounds = [one for bound in bounds for one in (bound.metadata if isinstance(bound, FieldInfo) else [bound])]
    low = next((bound.ge for bound in bounds if isinstance(bound, annotated_types.Ge)), None)
    high = next((bound.le for bound in bounds if isinstance(bound, annotated_types.Le)), None)
    span = f"{low} to {high}" if low is not None and high is not None else f"{low} or more" if low is not None else ""
    if typing.get_origin(field.annotation) is tuple:
        return "names"
    words = [*([span] if span else []), *choices]
    return ", ".join(words) or {bool: "`true`, `false`", float: "a number", int: "a whole number"}.get(_parts(field.annotation)[0], "text")


def _parts(annotation: Any) -> list[Any]:
    """The types of a union, None left out; else the one type."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return [part for part in typing.get_args(annotation) if part is not type(None)]
    return [annotation]


# ---- rules and expectations ----------------------------------------------------------------------------------------


def rules() -> str:
    found = boilerplate.load_rules()
    languages = {language for rule in found for language in rule.languages}
    parts = [
        "# Built-in rules\n\n"
        f"{len(found)} rules, phrases in {len(languages)} languages: `tasks/boilerplate.toml` and `tasks/boilerplate/languages/`. The id is what "
        "`removed` says; [how to write a rule](../rules.md) explains kind and zone. `copydesk rules` shows how many lines each took. Lines may "
        f"also have the rule {', '.join(code(name) for name in OTHER_RULES)}: [how a page becomes a story](../cleaning.md).\n",
        table(
            ("rule", "kind", "zone", "languages", "what such lines are"),
            ((f"[`{rule.id}`](#{rule.id})", rule.kind, rule.zone, str(len(rule.languages)), prose(rule.why)) for rule in found),
        ),
    ]
    for rule in found:
        parts.append(f"## {rule.id}\n\n{prose(rule.why[0].upper() + rule.why[1:])}. {_spoken(rule.languages)}\n")
        examples = [(code(line) if line else "", "goes") for line in rule.strips[:4]] + [(code(line), "stays") for line in rule.keeps[:2]]
        parts.append(table(("line", ""), examples) if examples else "")
    return "\n".join(parts)


OTHER_RULES = ("furniture", "recurring", "override")
"""Of the line model, of what a source repeats, and of editors."""


def _spoken(languages: Sequence[str]) -> str:
    return f"Phrases in: {', '.join(sorted(languages))}." if languages else "For all languages."


def expectations() -> str:
    parts = [
        "# Expectations\n\n"
        "Two suites of Great Expectations, `expectations/stories.json` and `expectations/run.json`; "
        "[how to add one](../how-to/expectation.md). A name stands in `quarantine.reason`, in `--accept` and in the Data Docs.\n"
    ]
    for suite, head, words in (
        (
            "stories",
            "Of a story",
            "Judged shard by shard, before matching. A row that fails a **critical** one goes to quarantine, with the name of the first one it "
            "fails as its reason; **warning** and **info** are counted only. Order is by how much a reason explains.",
        ),
        (
            "run",
            "Of a run",
            "Judged on one row of numbers about the snapshot that is ready to be published. A failed **critical** one refuses it (exit code 1), the "
            "published snapshot stays, and `--accept NAME` publishes it on record; a **warning** is printed. Those on a `_change` compare the records "
            "that are new with the parent snapshot, when more than `gate.rates_from` are new.",
        ),
    ):
        declared = json.loads((HERE.parent / "expectations" / f"{suite}.json").read_text(encoding="utf-8"))["expectations"]
        rows = [
            (
                code(one["meta"]["name"]),
                one["severity"],
                prose(one["description"]),
                prose(_said(one["notes"])),
                prose(one["meta"].get("do", "")),
            )
            for one in declared
        ]
        heads = ("name", "severity", "what holds", "why", "what to do") if suite == "run" else ("name", "severity", "what holds", "why")
        parts.append(f"## {head}\n\n{words}\n\n{table(heads, [row[: len(heads)] for row in rows])}")
    measures = [(code(name), prose(measure.description), measure.unit) for name, measure in validate.MEASURES.items()]
    parts.append(
        "## Columns they may name\n\nOf a story: its [columns](columns.md#stories) that hold one value, and what is measured on its text.\n\n"
        + table(("column", "what it is", "unit"), measures)
    )
    aggregates = [(code(name), prose(words)) for name, words in validate.AGGREGATE_COLUMNS.items()]
    parts.append("Of a run:\n\n" + table(("column", "what it is"), aggregates))
    return "\n".join(parts)


def _said(notes: str | list[str]) -> str:
    return notes if isinstance(notes, str) else " ".join(notes)


# ---- commands ------------------------------------------------------------------------------------------------------


def commands() -> str:
    made = parser()
    verbs = dict(_verbs(made))
    parts = [
        f"# Commands\n\n{made.description}\n\n`copydesk VERB --help` says the same in the terminal.\n",
        table(("command", "what it does"), ((f"[`{verb.prog}`](#{_anchor(verb.prog)})", prose(says)) for verb, says in verbs.items())),
        "## Exit codes\n",
        table(("code", "meaning"), ((str(number), prose(says)) for number, says in options.EXIT_CODES.items())),
    ]
    parts += [_verb(verb, says) for verb, says in verbs.items()]
    return "\n".join(parts)


def _verbs(made: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Every verb with its line in the help, verbs of verbs after their own."""
    for action in made._actions:  # noqa: SLF001 - argparse has no public way to its own declarations
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            says = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for name, verb in action.choices.items():
                if name in says:
                    yield verb, says[name]
                    yield from _verbs(verb)


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _verb(verb: argparse.ArgumentParser, says: str) -> str:
    formatter = verb._get_formatter()  # noqa: SLF001
    rows, places, choices = [], [], []
    for action in verb._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction) or action.help == argparse.SUPPRESS:  # noqa: SLF001
            continue
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            places.append(f"{action.metavar} ...")
            continue
        value = "" if action.nargs == 0 else formatter._format_args(action, _value(action))  # noqa: SLF001
        name = ", ".join(f"{option} {value}".strip() for option in action.option_strings) or value
        rows.append((code(name), prose(formatter._expand_help(action) if action.help else "")))  # noqa: SLF001
        last = name.split(", ")[-1]
        if action.option_strings:
            choices.append(last if action.required else f"[{last}]")
        else:
            places.append(value)
    told = [f"## {verb.prog}\n\n{prose(verb.description or says)}\n", f"```text\n{' '.join([verb.prog, *places, *choices])}\n```\n"]
    told += _paragraphs(verb.epilog or "")
    if rows:
        told.append(table(("argument", "meaning"), rows))
    return "\n".join(told)


def _paragraphs(epilog: str) -> Iterator[str]:
    """What stands at the foot of the help: prose, and examples, whose lines are indented. The exit codes have their table."""
    for paragraph in epilog.split("\n\n"):
        if not paragraph.strip() or paragraph.startswith("exit codes:"):
            continue
        lines = paragraph.strip("\n").splitlines()
        shown = [re.sub(r"( {3,})(?=[^#\s])", r"\1# ", line.strip(), count=1) for line in lines if line.startswith("  ")]
        said = " ".join(line.strip() for line in lines if not line.startswith("  "))
        if said:
            yield prose(said[0].upper() + said[1:]) + "\n"
        if shown:
            yield "```sh\n" + "\n".join(shown) + "\n```\n"


def _value(action: argparse.Action) -> str:
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


if __name__ == "__main__":
    write(HERE / "reference")
