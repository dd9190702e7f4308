"""Snapshots as wholes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    """The verbs for snapshots as wholes."""
    listed = options.verb(verbs, "snapshots", _snapshots, "list the snapshots: published, earlier, held, refused")
    listed.epilog = (
        "--json gives one object a snapshot, the newest first: snapshot, state, started, stories, parent, why (of a hold, or what refused it), "
        "own_bytes (what no other snapshot has), path."
    )
    options.curated(listed)
    options.as_json(listed, "one JSON object a snapshot")

    verify = options.verb(verbs, "verify", _verify, "check every file, schema and count of a snapshot")
    verify.epilog = (
        "Kinds of faults: latest (names nothing), manifest (cannot be read), missing, extra, hash (other bytes), schema (other columns), conservation "
        "(a record stands nowhere, twice, or not where its decision says). --json gives one object a snapshot: snapshot, path, whole, faults "
        "(each with kind, place, says). Exit code 3 if there is any."
    )
    verify.add_argument(
        "snapshot", nargs="?", metavar="SNAPSHOT", help="name or path of a snapshot, refused ones too (default: the published one)"
    )
    options.curated(verify)
    verify.add_argument("--all", action="store_true", help="all snapshots, refused ones too")
    options.as_json(verify, "one JSON object a snapshot")

    rollback = options.verb(verbs, "rollback", _rollback, "publish an earlier snapshot again, and hold the one that was published")
    rollback.epilog = (
        "While a hold is set runs go on, but one whose snapshot has again what the bad one brought (its recipe, its raw files) ends with exit code 1, "
        "and what it made lies in curated/refused. docs/operations.md tells more."
    )
    rollback.add_argument(
        "snapshot", nargs="?", metavar="SNAPSHOT", help="name of the snapshot to publish (default: the parent of the published one)"
    )
    options.curated(rollback)
    rollback.add_argument("--reason", metavar="TEXT", help="why, for those who find the hold")
    rollback.add_argument("--release", action="store_true", help="end the hold; with SNAPSHOT, publish that one, without a new hold")
    options.wait(rollback)

    path = options.verb(verbs, "path", _path, "print the folder of the published snapshot, for readers that must not change horses")
    path.add_argument(
        "table", nargs="?", choices=["stories", "duplicates", "quarantine", "decisions", "inputs", "changes"], help="or of one table"
    )
    options.curated(path)


def _path(chosen: argparse.Namespace) -> int:
    snapshot = options.snapshot(chosen)
    if snapshot is None:
        return options.USAGE
    print(snapshot / chosen.table if chosen.table else snapshot)
    return options.DONE


def _snapshots(chosen: argparse.Namespace) -> int:
    from tasks import files, snapshots

    curated = options.folder(chosen.curated)
    files.reachable(curated)
    listed, hold = snapshots.listed(curated), snapshots.read_hold(curated)
    if chosen.json:
        for row in listed:
            print(json.dumps(row, ensure_ascii=False))
        return options.DONE
    if not listed:
        return options.say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", options.USAGE)
    from flows import terminal

    terminal.snapshots(listed)
    if hold:
        print(f"hold      {hold}")
    return options.DONE


def _verify(chosen: argparse.Namespace) -> int:
    from tasks import files, snapshots

    curated = options.folder(chosen.curated)
    files.reachable(curated)
    pointer = snapshots.verify_latest(curated) if chosen.all or not chosen.snapshot else []
    if pointer and not chosen.all:
        return _faults("latest", curated / "latest", pointer, chosen.json)
    if chosen.all:
        found = [files.located(row["path"]) for row in snapshots.listed(curated)]
    else:
        one = snapshots.find(curated, chosen.snapshot) if chosen.snapshot else snapshots.latest(curated)
        found = [one] if one else []
    if not found:
        wanted = f"no snapshot {chosen.snapshot} under {chosen.curated}; `copydesk snapshots` lists them" if chosen.snapshot else ""
        return options.say(f"copydesk: {wanted or f'no snapshot under {chosen.curated} yet; `copydesk run` makes one'}", options.USAGE)
    worst = _faults("latest", curated / "latest", pointer, chosen.json) if pointer else options.DONE
    for snapshot in found:
        faults = snapshots.verify(snapshot)
        if faults and not files.inside(snapshot):
            options.say(f"copydesk: {snapshot.name} was removed by a run while it was looked at", options.DONE)
        else:
            worst = max(worst, _faults(snapshot.name, snapshot, faults, chosen.json))
    return worst


def _faults(name: str, path: Path, faults: Sequence[Any], as_json: bool) -> int:
    if as_json:
        told = {"snapshot": name, "path": str(path), "whole": not faults, "faults": [fault._asdict() for fault in faults]}
        print(json.dumps(told, ensure_ascii=False))
    else:
        for fault in faults:
            print(f"{fault.kind:<12}  {fault}")
        number = f"{len(faults)} fault{'s' * (len(faults) > 1)}"
        print(f"{name}: {number if faults else 'whole: every file, schema and count is as published'}")
    return options.FAILED if faults else options.DONE


def _rollback(chosen: argparse.Namespace) -> int:
    from flows import rollback, terminal
    from flows.folder import BusyError
    from tasks import files, snapshots

    curated = options.folder(chosen.curated)
    files.reachable(curated)
    if not chosen.snapshot and snapshots.named(curated) is None:
        return options.say(f"copydesk: no snapshot under {chosen.curated} yet; `copydesk run` makes one", options.USAGE)
    try:
        with terminal.progress():
            if chosen.release and not chosen.snapshot:
                print("released: the next run may publish again" if rollback.release(curated, chosen.wait) else "there is no hold")
                return options.DONE
            done = rollback.roll_back(curated, chosen.snapshot, chosen.reason, chosen.release, chosen.wait)
    except rollback.UnfitError as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    except (BusyError, snapshots.MovedError) as error:
        return options.say(f"copydesk: {error}", options.BUSY)
    if done.faults:
        _faults(done.to.name, done.to, done.faults, as_json=False)
        return options.say(f"copydesk: {done.to.name} is not whole; nothing was changed", options.FAILED)
    print(f"published  {done.to.name}\nhold       {done.hold or 'none: the next run may publish anything'}")
    return options.DONE
