"""The report of a snapshot: where it is, or open in a browser."""

from __future__ import annotations

import argparse
import json
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    report = options.verb(
        verbs,
        "report",
        _report,
        "print the path of a snapshot's report, or open it in a browser",
        """
        copydesk report --open
        copydesk report 20260131T050000Z-1f2e3d4c    of an earlier snapshot, or of one that was refused
        """,
        "The report is a page in each snapshot, for an editor; it needs no server and no network. Add #cluster=STORY_ID, #removed, #sources or another "
        "section to its address to send somebody there. --json gives one object: snapshot, path.",
    )
    report.add_argument(
        "snapshot", nargs="?", metavar="SNAPSHOT", help="name or path of a snapshot, refused ones too (default: the published one)"
    )
    report.add_argument("--open", action="store_true", help="open it in the browser")
    options.curated(report)
    options.as_json(report, "one JSON object")


def _report(chosen: argparse.Namespace) -> int:
    from tasks import files, snapshots

    curated = options.folder(chosen.curated)
    files.reachable(curated)
    snapshot = snapshots.find(curated, chosen.snapshot) if chosen.snapshot else options.snapshot(chosen)
    if snapshot is None:
        if not chosen.snapshot:
            return options.USAGE  # said already
        return options.say(
            f"copydesk: no snapshot {chosen.snapshot} under {chosen.curated}; `copydesk snapshots` lists them", options.USAGE
        )
    page = snapshot / "report" / "index.html"
    if not page.exists():
        return options.say(f"copydesk: {snapshot.name} has no report; `copydesk run --full` makes a snapshot that has one", options.USAGE)
    if chosen.open:
        import webbrowser

        address = page.absolute().as_uri() if files.is_local(page) else str(page)
        if not files.is_local(page):
            return options.say(
                f"copydesk: a browser cannot open {address}; copy the folder report/ of the snapshot to this machine first", options.USAGE
            )
        if not webbrowser.open(address):
            return options.say(f"copydesk: there is no browser here; open {address} in one", options.FAILED)
    print(json.dumps({"snapshot": snapshot.name, "path": str(page)}, ensure_ascii=False) if chosen.json else page)
    return options.DONE
