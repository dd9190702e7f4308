"""Completion of verbs, options and files in a shell."""

from __future__ import annotations

import argparse
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    completion = options.verb(
        verbs,
        "completion",
        _completion,
        "print what makes a shell complete verbs and options",
        """
        copydesk completion bash > ~/.local/share/bash-completion/completions/copydesk
        copydesk completion zsh > ~/.zfunc/_copydesk        with `fpath+=~/.zfunc` before compinit in ~/.zshrc
        copydesk completion fish > ~/.config/fish/completions/copydesk.fish
        """,
        "The script is whole: completing starts no Python. Print it anew after an update. shtab writes it.",
    )
    completion.add_argument("shell", choices=["bash", "zsh", "fish"], help="which shell")


def _completion(chosen: argparse.Namespace) -> int:
    import shtab

    _name_files(chosen.whole)
    print(shtab.complete(chosen.whole, shell=chosen.shell))
    return options.DONE


def _name_files(parser: argparse.ArgumentParser) -> None:
    """Have files and folders completed where the help speaks of FILE and DIR."""
    import shtab

    for action in parser._actions:  # noqa: SLF001 - argparse has no public list of them
        if action.nargs == argparse.PARSER:
            for verb in {id(one): one for one in action.choices.values()}.values():  # type: ignore[union-attr]  # of verbs there are some
                _name_files(verb)
        elif action.metavar in ("FILE", "DIR"):
            action.complete = shtab.FILE if action.metavar == "FILE" else shtab.DIRECTORY  # type: ignore[attr-defined]  # what shtab looks for
