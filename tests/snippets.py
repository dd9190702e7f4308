"""The fenced blocks of Markdown pages: language, marks (`console {.server}`), body."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w-]*)[ \t]*(?:\{(?P<marks>[^}\n]*)\})?[ \t]*\n(?P<body>.*?)^(?P=indent)(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_OPERATORS = frozenset({"|", "||", "&", "&&", ";", "("})
_REDIRECTIONS = frozenset({">", ">>", "<", ">&"})
_BEFORE = re.compile(r"[A-Za-z_]\w*=.*|sudo|env|exec|nohup|time|[\d*/,-]+")  # what may stand before a command: variables, a crontab's times


class Snippet(NamedTuple):
    """One block; `line` is that of its fence, from 1."""

    page: Path
    line: int
    language: str
    marks: tuple[str, ...]
    body: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}-{self.language or 'plain'}"


class Shown(NamedTuple):
    """A command of a console block, and what the block shows of its output (nothing: not compared)."""

    command: str
    output: str


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(
            page, text.count("\n", 0, found.start()) + 1, found["language"], tuple((found["marks"] or "").split()), dedent(found["body"])
        )
        for found in _FENCE.finditer(text)
    ]


def commands(body: str) -> list[str]:
    """The lines of a block of shell, those that a backslash goes on with as one."""
    return [line for line in body.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#")]


def console(body: str) -> list[Shown]:
    """What follows `$ ` is typed, the rest is shown."""
    found: list[Shown] = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Shown(line[2:].strip(), ""))
        elif found:
            found[-1] = Shown(found[-1].command, found[-1].output + line)
    return found


def calls(command: str, program: str = "copydesk") -> Iterator[list[str]]:
    """The arguments of each call of a program in a line of shell, also within `$(...)`."""
    for inner in re.findall(r"\$\(([^()]*)\)", command):
        yield from calls(inner, program)
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "OUTPUT", command), posix=True, punctuation_chars=True)
    lexer.wordchars += ":,[]{}#%@+=!^"
    lexer.commenters = ""
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _OPERATORS:
            words.append(word)
            continue
        while words and _BEFORE.fullmatch(words[0]):
            del words[0]
        if words and words[0].rpartition("/")[2] == program:
            yield list(takewhile(lambda one: not one.startswith("#") and one not in _REDIRECTIONS, words[1:]))
        if any(one.startswith("#") for one in words):
            return
        words = []


def fits(shown: str, output: str) -> bool:
    """Whether an output is as shown: `…` stands for anything; lines may be broken elsewhere (terminals differ), so spaces and line ends are one."""
    parts = [re.escape(" ".join(part.split())) for part in shown.split("…")]
    return re.fullmatch(r".*?".join(f" ?{part} ?" for part in parts), " ".join(output.split())) is not None
