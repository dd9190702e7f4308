"""The editors' word."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    """The verb, with what can be said as verbs of its own."""
    override = options.verb(
        verbs,
        "override",
        None,
        "an editor's word: two are (not) one story, keep this one, this line is (no) boilerplate",
        """
        copydesk override different flood-gates-audit flood-gates-report --why "each has its own source"
        copydesk override line "Read the tides with us" --boilerplate
        copydesk override list
        """,
        "The word is written to overrides.toml beside the settings (overrides.file), to be reviewed like code; runs obey it and mark it in the column "
        "`override` of decisions. docs/overrides.md tells what each entry means.",
    )
    said = override.add_subparsers(title="what to say", required=True, metavar="WHAT")
    story = "raw_id, story_id (or its first digits) or raw_uri#raw_id in the published snapshot"

    same = options.verb(said, "same", _pair, "two records are one story")
    same.add_argument(
        "--as",
        choices=["near", "derivative"],
        dest="relation",
        help="what they are to each other (default: what the verdict sees, else near)",
    )
    different = options.verb(said, "different", _pair, "two records are two stories")
    for verb, kind in ((same, "same"), (different, "different")):
        verb.add_argument("stories", nargs=1, metavar="A", help=story)
        verb.add_argument("other", metavar="B", help="the other")
        verb.set_defaults(kind=kind)
        _notes(verb)

    keep = options.verb(said, "keep", _pair, "this record stands for its cluster, whatever the policy says")
    keep.add_argument("stories", nargs=1, metavar="A", help=story)
    keep.set_defaults(kind="keep", other=None)
    _notes(keep)

    line = options.verb(said, "line", _line, "a line is boilerplate, or is not")
    line.add_argument("text", metavar="TEXT", help="the whole line, as `copydesk clean` or `explain` shows it")
    which = line.add_mutually_exclusive_group(required=True)
    which.add_argument("--boilerplate", action="store_true", help="it goes, wherever it stands")
    which.add_argument("--keep", action="store_true", help="it stays, whatever rule or model would take it")
    line.add_argument("--source", metavar="SOURCE", help="only in stories of this source")
    _notes(line)

    listed = options.verb(
        said,
        "list",
        _list,
        "the entries, and what the last run made of each",
        "copydesk override list --json",
        "--json gives one object an entry: number, id, state (obeyed, matches nothing, not yet run, taken back), rows (of decisions that it "
        "decided; of a line: stories that have it), says, hint, and the entry itself.",
    )
    _where(listed)
    options.as_json(listed, "one JSON object an entry")

    renew = options.verb(said, "renew", _renew, "an entry is true of the records that stand now where its own stood")
    remove = options.verb(said, "remove", _remove, "take an entry back")
    for verb in (renew, remove):
        verb.add_argument("entry", metavar="N|ID", help="its number or id, as `list` shows it")
    _notes(renew)
    _where(remove)
    options.as_json(remove, "the entry")


def _where(parser: argparse.ArgumentParser) -> None:
    options.curated(parser)
    options.settings(parser)


def _notes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--why", metavar="TEXT", help="the reason, for those who review it")
    parser.add_argument("--who", metavar="NAME", help="whose word it is (default: your user name)")
    _where(parser)
    options.as_json(parser, "one object: file, id, the entry, next (what the next run does)")


def _file(chosen: argparse.Namespace) -> Path:
    """The file, there or not.

    Raises:
        SettingsError
    """
    from tasks import settings

    given = options.settings_file(chosen)
    named = settings.load(Path(given) if given else None, chosen.overrides).overrides.file
    return Path(named) if named else settings.beside_settings(Path(given) if given else None)


def _said(chosen: argparse.Namespace) -> dict[str, str | None]:
    """Who, when and why."""
    import getpass
    from datetime import UTC, datetime

    try:
        who = chosen.who or getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        who = None
    return {"who": who, "when": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "why": chosen.why}


def _pair(chosen: argparse.Namespace) -> int:
    from flows import word
    from tasks import overrides, settings

    snapshot = options.snapshot(chosen)
    if snapshot is None:
        return options.USAGE
    try:
        path = _file(chosen)
        rows = [word.resolve(snapshot, given) for given in (*chosen.stories, chosen.other) if given is not None]
        if len({row["story_id"] for row in rows}) < len(rows):
            return options.say(f"copydesk: {chosen.stories[0]} and {chosen.other} are one record", options.USAGE)
        told = {"kind": chosen.kind, "stories": [row["story_id"] for row in rows], "raw": [word.raw_name(row) for row in rows]}
        told |= {"relation": chosen.relation} if chosen.kind == "same" else {}
        entry = overrides.of_json(told | _said(chosen))
        overrides.add(path, entry)
        return _answer(chosen, path, entry, word.consequence(entry, rows, snapshot))
    except settings.SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)


def _line(chosen: argparse.Namespace) -> int:
    from flows import word
    from tasks import overrides, settings

    try:
        path = _file(chosen)
        told = {"kind": "line", "text": chosen.text, "source": chosen.source, "boilerplate": chosen.boilerplate}
        entry = overrides.of_json(told | _said(chosen))
        overrides.add(path, entry)
        return _answer(chosen, path, entry, word.consequence(entry, (), None))
    except settings.SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)


def _renew(chosen: argparse.Namespace) -> int:
    from flows import word
    from tasks import overrides, settings

    snapshot = options.snapshot(chosen)
    if snapshot is None:
        return options.USAGE
    try:
        path = _file(chosen)
        entry, rows = word.renewed(overrides.find(path, chosen.entry), snapshot, _said(chosen))
        overrides.replace(path, chosen.entry, entry)
        return _answer(chosen, path, entry, word.consequence(entry, rows, snapshot))
    except settings.SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)


def _remove(chosen: argparse.Namespace) -> int:
    from tasks import overrides, settings

    try:
        path = _file(chosen)
        entry = overrides.remove(path, chosen.entry)
    except settings.SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    return _answer(
        chosen, path, entry, "the next run decides without it" + (", and works all stories again" if entry.kind == "line" else "")
    )


def _answer(chosen: argparse.Namespace, path: Path, entry: Any, after: str) -> int:
    if chosen.json:
        print(json.dumps({"file": str(path), "id": entry.id, "entry": entry.to_json(), "next": after}, ensure_ascii=False))
        return options.DONE
    from flows import terminal

    terminal.override(entry.id, str(entry), str(path), after)
    return options.DONE


def _list(chosen: argparse.Namespace) -> int:
    from flows import word
    from tasks import files, overrides, settings

    curated = options.folder(chosen.curated)
    files.reachable(curated)
    try:
        path = _file(chosen)
        entries = overrides.read(path) if path.exists() else []
        overrides.load(settings.Overrides(file=str(path) if entries else None))  # refuses what contradicts itself
        found = word.listed(entries, curated)
    except settings.SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    if chosen.json:
        for row in found:
            print(json.dumps(row, ensure_ascii=False))
        return options.DONE
    if not found:
        print(f"no overrides: {path} {'has no entry' if path.exists() else 'is not there'}")
        return options.DONE
    from flows import terminal

    terminal.overrides(found)
    return options.DONE
