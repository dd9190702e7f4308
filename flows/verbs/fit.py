"""Models of one's own corpus."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flows.verbs import options


def add(verbs: Any) -> None:
    fit = options.verb(
        verbs,
        "fit",
        _fit,
        "learn from your own stories how rare words are (`rarity`), or what repeats in each source (`furniture`)",
        """
        copydesk fit                                writes rarity.parquet from the published stories
        copydesk fit furniture                      writes furniture.jsonl: read it, delete what must stay
        copydesk run --set strip.furniture="furniture.jsonl"
        """,
        "rarity: worth it when the stories are of one topic, whose words are rare elsewhere and common here, or in a language that wordfreq "
        "lacks. It needs 500 stories or more, of many events: fit on months, not on a day. The model only makes words more common than they "
        "are in wordfreq. furniture: the lines that recur over many stories of one source, of which 20 are needed; those that are sure to be "
        "no part of a story are to be removed, the others are listed for you to judge. The file is text, one line of furniture a line: read "
        "it, and delete what must stay. Models are frozen, used when the settings name them, and another model is another recipe: all "
        "stories are worked again. --json gives one object: model (the file), name, stories, and for rarity terms and words, for furniture sources, "
        "lines (those that are to be taken) and to_judge.",
    )
    fit.add_argument("what", nargs="?", choices=["rarity", "furniture"], default="rarity", help="what to learn (default: rarity)")
    options.curated(fit)
    fit.add_argument("--out", metavar="FILE", help="the model to write (default: rarity.parquet, furniture.jsonl)")
    options.as_json(fit, "one JSON object")


def _fit(chosen: argparse.Namespace) -> int:
    snapshot = options.snapshot(chosen)
    if snapshot is None:
        return options.USAGE
    from tasks.settings import SettingsError

    if chosen.out and Path(chosen.out).is_dir():
        return options.say(f"copydesk: --out {chosen.out} is a folder; name a file to write", options.USAGE)
    try:
        return (_fit_rarity if chosen.what == "rarity" else _fit_furniture)(snapshot, chosen.out, chosen.json)
    except SettingsError as error:
        return options.say(f"copydesk: {error}", options.USAGE)


def _fit_rarity(snapshot: Path, written: str | None, as_json: bool) -> int:
    from flows import terminal
    from tasks import rarity
    from tasks.files import inside

    files, out = inside(snapshot / "stories", ".parquet"), Path(written or "rarity.parquet")
    with terminal.progress():
        model = rarity.fit(files)
    rarity.write(model, out)
    if as_json:
        told = {"model": str(out), "name": model.name, "terms": len(model.hashes), "words": int(model.words), "stories": int(model.stories)}
        print(json.dumps(told))
        return options.DONE
    terminal.raised(rarity.raised(model, files))
    print(f"model     {out}  ({model.name}: {len(model.hashes):,} terms of {model.words:,} words in {model.stories:,} stories)")
    print(f'to use    copydesk run --set derivative.rarity="{out}", or the same in copydesk.toml; all stories are then worked again')
    return options.DONE


def _fit_furniture(snapshot: Path, written: str | None, as_json: bool) -> int:
    from flows import corpus, terminal
    from tasks import furniture

    out, chosen = Path(written or "furniture.jsonl"), corpus.sources(snapshot)
    with terminal.progress():
        model = furniture.fit(([one.story for one in stories] for stories in corpus.stories(snapshot, chosen)), len(chosen))
    furniture.write(model, out)
    ready, taken = furniture.ready(model.lines), [line for line in model.lines if line.take]
    if as_json:
        told = {"model": str(out), "name": ready.name, "lines": len(taken), "to_judge": len(model.lines) - len(taken)}
        print(json.dumps(told | {"sources": int(model.sources), "stories": int(model.stories)}))
        return options.DONE
    terminal.furniture(taken, corpus.newly(ready, corpus.stories(snapshot, {line.source: chosen[line.source] for line in taken})))
    learnt = f"{len(taken):,} lines of {len(ready.sources):,} sources, learnt from {model.stories:,} stories of {model.sources:,} sources"
    print(f"model     {out}  ({ready.name}: {learnt})")
    if len(taken) < len(model.lines):
        print(f"to judge  {len(model.lines) - len(taken):,} more lines recur and stay; the file has them with take = false and the reason")
    print(f'to use    read {out}, delete what must stay, then: copydesk run --set strip.furniture="{out}"; all stories are worked again')
    return options.DONE
