"""Is this machine fit for it?"""

from __future__ import annotations

import argparse
import json
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    doctor = options.verb(
        verbs,
        "doctor",
        _doctor,
        "check this machine and these folders: versions, settings, disk, lock, Prefect",
        """
        copydesk doctor
        copydesk doctor --raw /srv/news/raw --curated /srv/news/curated
        copydesk doctor --json | jq -r 'select(.state != "ok") | .do'
        """,
        "Each check is a line: ok, warn or fail, what was found, and what to do. Nothing is changed. --json gives one object a check: name, state, "
        "says, do. Exit code 3 if one fails.",
    )
    doctor.add_argument("--raw", default="raw", metavar="DIR", help="folder with the raw stories, or its URL (default: raw)")
    options.curated(doctor)
    options.settings(doctor)
    options.as_json(doctor, "one JSON object a check")


def _doctor(chosen: argparse.Namespace) -> int:
    from flows import doctor, terminal

    failed = False
    for check in doctor.examine(chosen.raw, chosen.curated, options.settings_file(chosen), tuple(chosen.overrides)):
        failed = failed or check.state == "fail"
        if chosen.json:
            print(json.dumps(check._asdict(), ensure_ascii=False), flush=True)
        else:
            terminal.check(*check)
    return options.FAILED if failed else options.DONE
