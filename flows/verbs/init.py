"""A new working folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    init = options.verb(
        verbs,
        "init",
        _init,
        "make a working folder: settings, expectations, a deployment, sample stories",
        """
        copydesk init news && cd news && copydesk run
        copydesk init .                                  here, if nothing is in the way
        """,
        "copydesk.toml has every setting, explained and commented out; expectations/ what a story and a run must meet; prefect.yaml the deployment; "
        "raw/ four invented stories; README.md the next steps. Nothing is overwritten. --json gives one object: folder, files.",
    )
    init.add_argument("folder", metavar="DIR", help="the folder; it is made")
    options.as_json(init, "one JSON object")


def _init(chosen: argparse.Namespace) -> int:
    from flows import workspace

    folder = Path(chosen.folder)
    try:
        made = workspace.create(folder)
    except workspace.ExistsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    if chosen.json:
        print(json.dumps({"folder": str(folder.absolute()), "files": [str(path) for path in made]}, ensure_ascii=False))
        return options.DONE
    print(*(f"  {folder / path}" for path in made), sep="\n")
    go = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    print(f"\nnext      {go}copydesk run\nthen      {folder / 'README.md'} has the other steps")
    return options.DONE
