"""The boilerplate rules."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    rules = options.verb(
        verbs,
        "rules",
        _rules,
        "the boilerplate rules, with the lines each took in the published snapshot",
        """
        copydesk rules                              what each rule took
        copydesk rules --test my-rules.toml         what a file of rules would newly take from what is published
        copydesk rules --test my-rules.toml --raw raw
        """,
        "--test shows what a file of rules would newly remove, by rule and by source, before strip.rules names it, and exits with 0; docs/rules.md "
        "tells how to write one. --json gives one object a rule (rule, kind, zone, languages, why, hits, example); with --test one object: "
        "examples (of the rules themselves that come out wrong), stories, changed, removed, returned, rules, sources, losers (stories that lose "
        "more than 2 % of their words), empty.",
    )
    options.curated(rules)
    options.settings(rules)
    rules.add_argument("--test", metavar="FILE", help="try this file of rules on the published snapshot")
    rules.add_argument("--raw", metavar="DIR", help="with --test: try it on the raw stories of a folder instead")
    options.as_json(rules, "one JSON object a rule; with --test one object")


def _rules(chosen: argparse.Namespace) -> int:
    from flows import terminal
    from flows.explain import rule_hits, rule_trial
    from tasks.settings import SettingsError, load
    from tasks.snapshots import latest

    try:
        knobs = load(Path(file) if (file := options.settings_file(chosen)) else None, chosen.overrides)
        if chosen.test:
            tables = _trial_stories(chosen, knobs)
            found = None if tables is None else rule_trial(Path(chosen.test), knobs, tables)
        else:
            listed = rule_hits(knobs.strip.rules, latest(options.folder(chosen.curated)))
    except (SettingsError, ValueError) as error:
        return options.say(f"copydesk: {error}", options.USAGE)
    if not chosen.test:
        if chosen.json:
            print(*(json.dumps(rule, ensure_ascii=False) for rule in listed), sep="\n")
        else:
            terminal.rules(listed)
        return options.DONE
    if found is None:
        return options.USAGE
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        terminal.rule_trial(found)
    return options.DONE


def _trial_stories(chosen: argparse.Namespace, knobs: Any) -> Any:
    """The stories on which rules are tried; None when there are none, and the reason has been said."""
    from flows.explain import repaired_raw, repaired_snapshot

    if chosen.raw is None:
        snapshot = options.snapshot(chosen)
        return None if snapshot is None else repaired_snapshot(snapshot)
    if not Path(chosen.raw).is_dir():
        raise ValueError(f"raw folder {chosen.raw}: there is no such folder")
    return repaired_raw(Path(chosen.raw), knobs)
