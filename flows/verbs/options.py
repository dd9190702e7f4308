"""What verbs share: exit codes, options, and where they look."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path
from typing import Any

DONE, REFUSED, USAGE, FAILED, BUSY = range(5)
EXIT_CODES = {
    DONE: "done; also: there was nothing new",
    REFUSED: "the data was refused by the gate, or held after a rollback: nothing is published, the rejected snapshot lies in `curated/refused/`",
    USAGE: "wrong usage or settings",
    FAILED: "failed: storage, a bug, a snapshot that is not whole",
    BUSY: "another run holds the folder",
}
CODES = "\n".join(
    ["exit codes:", *(textwrap.fill(f"  {code}  {words}", 78, subsequent_indent=" " * 5) for code, words in EXIT_CODES.items())]
)
"""The same for the foot of a help text."""


class Layout(argparse.HelpFormatter):
    """Help whose examples keep their lines; all other text is filled as argparse does it."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split(PARAGRAPH)
        return PARAGRAPH.join(one if "\n  " in one else super(Layout, self)._fill_text(one, width, indent) for one in paragraphs)

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if action.nargs == argparse.PARSER:  # argparse of Python 3.11 forgets that the verbs are indented
            self._action_max_length += 2


PARAGRAPH = "\n\n"


def verb(verbs: Any, name: str, function: Any, text: str, examples: str = "", more: str = "") -> argparse.ArgumentParser:
    """Declare a verb.

    Args:
        text: what it does, for the list of verbs; a whole sentence but for its capital and full stop.
        examples: commands to try, one a line, what a newcomer looks for first.
        more: what else there is to know, in sentences.
    """
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", epilog=epilog(examples, more), formatter_class=Layout
    )
    parser.set_defaults(verb=function, curated="curated")
    return parser


def epilog(examples: str, more: str = "", title: str = "examples:") -> str | None:
    """Examples, and what else there is to know, as the foot of a help text."""
    lines = [f"  {line.strip()}" for line in examples.strip().splitlines()]
    shown = ["\n".join([title, *lines])] if lines else []
    return PARAGRAPH.join([*shown, *([more] if more else [])]) or None


def curated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--curated", default="curated", metavar="DIR", help="folder of the snapshots, or its URL (default: curated)")


def runner(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runner",
        default="local",
        metavar="local|dask[:ADDRESS]",
        help="where the work is done: in processes of this machine (default), or on a Dask cluster, e.g. dask:tcp://10.0.0.7:8786; "
        "plain `dask` starts one on this machine. A cluster needs --raw and --curated where all its workers reach them",
    )


def wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=3600.0,
        default=0.0,
        metavar="SECONDS",
        help="if another run holds the folder, wait for it, at most so long (default: an hour), instead of ending with exit code 4",
    )


def _seconds(written: str) -> float:
    try:
        seconds = float(written)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{written} is no number of seconds")
    return seconds


def settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", metavar="FILE", help="settings in TOML (default: copydesk.toml, if there is one)")
    parser.add_argument(
        "--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE", help="one setting, e.g. near.jaccard=0.6"
    )


def as_json(parser: argparse.ArgumentParser, gives: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"for programs: {gives}")


def settings_file(chosen: argparse.Namespace) -> str | None:
    return chosen.settings or ("copydesk.toml" if Path("copydesk.toml").is_file() else None)


def say(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code


def folder(written: str) -> Path:
    """A folder as the person wrote it, or behind its URL."""
    from tasks import files

    located = files.located(written)
    return located if "://" in written else Path(written)


def snapshot(chosen: argparse.Namespace) -> Path | None:
    from tasks import files
    from tasks.snapshots import latest

    curated = folder(chosen.curated)
    files.reachable(curated)
    found = latest(curated)
    if found is None:
        say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", USAGE)
    return found
