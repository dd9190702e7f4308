"""Stories that a page carries as data for its scripts: JSON of `__NEXT_DATA__` and its like, or what it keeps for readers without scripts."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.ingest.page.blocks import count_words, read_blocks
from tasks.ingest.page.trees import parse_page

LARGEST = 5_000_000
FEWEST_WORDS = 60
"""A story as data has so many words of prose; less may be a teaser or a legal note."""
PROSE_WORDS = 12

_ASSIGNED = re.compile(r"^\s*(?:window\.|self\.|var\s+|const\s+|let\s+)?[\w$.\[\]\"']+\s*=\s*(?=[{\[])")
_PROSE = re.compile(r"[.!?。！？।؟][\"”’»')\]」』]*(?:\s|$|<)")


def carried_story(tree: Any) -> str:
    """The story of a page that shows none, a line a paragraph, or an empty text.

    All strings of prose under one kind of key are taken together, in order; the kind with the most words is the story.
    """
    best = ""
    for script in tree.iter("script"):
        kind, text = (script.get("type") or "").lower(), script.text or ""
        if not 200 < len(text) <= LARGEST or "ld+json" in kind:
            continue
        if "json" not in kind:
            assigned = _ASSIGNED.match(text)
            if not assigned:
                continue
            text = text[assigned.end() :]
        try:
            value, _ = json.JSONDecoder(strict=False).raw_decode(text.strip())
        except (ValueError, RecursionError):
            continue
        best = max(best, _story(value), key=count_words)
    for element in tree.iter("noscript"):
        lines = [block.text for block in read_blocks(element, bare=True).blocks if block.words >= PROSE_WORDS and not block.linked]
        best = max(best, "\n".join(lines), key=count_words)
    return best if count_words(best) >= FEWEST_WORDS else ""


def _story(value: Any) -> str:
    gathered: defaultdict[str, dict[str, None]] = defaultdict(dict)  # in order, each once
    for key, text in _strings(value):
        gathered[key][text] = None
    return max(("\n".join(_lines(texts)) for texts in gathered.values()), key=count_words, default="")


def _strings(value: Any) -> Iterator[tuple[str, str]]:
    """(names of the keys that lead there, prose) in the order of the data, without recursion."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        key, one = stack.pop()
        if isinstance(one, dict):
            stack += [(f"{key}.{name}" if len(key) < 300 else key, inner) for name, inner in reversed(list(one.items()))]
        elif isinstance(one, list):
            stack += [(key, inner) for inner in reversed(one)]
        elif isinstance(one, str) and len(one) > 40 and _PROSE.search(one) and one.count(" ") + len(one) // 12 >= PROSE_WORDS:
            yield key, one


def _lines(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        tree = parse_page(f"<div>{text}</div>") if "<" in text else None
        if tree is not None:
            yield from (block.text for block in read_blocks(tree).blocks)
        else:
            yield from (" ".join(line.split()) for line in text.split("\n") if line.strip())
