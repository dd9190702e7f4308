"""The story in a page, and what the page says about it.

trafilatura proposes; the page's own blocks are then judged one by one (`choose`), with trafilatura's choice, the body that JSON-LD
declares, links, names of classes and the place in the page as evidence. A page without blocks may still carry its story as data (`state`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from tasks.ingest.page.blocks import Blocks, count_words, read_blocks
from tasks.ingest.page.choose import MOST_BLOCKS, choose
from tasks.ingest.page.facts import Facts, declared_body, read_facts
from tasks.ingest.page.measures import Hints
from tasks.ingest.page.state import carried_story
from tasks.ingest.page.trees import MOST_CHARACTERS, flatten, is_feed, lean, parse_page, why_huge

__all__ = ["MOST_CHARACTERS", "HugeError", "Page", "lean", "page_text", "read_page"]

MOST_ELEMENTS = 20_000
"""Six times the largest of 196 pages of news; trafilatura takes seconds over more, so that such a page is read without it."""
NESTED = 500
"""A page nested deeper is broken on purpose or by a program: trafilatura takes minutes over it, and lxml does not see its end."""
LITTLE = 25
"""With fewer words a page shows no story, if it carries a longer one as data."""
FEWEST = 5
"""Fewer words are no story, whatever the page takes them for."""
SHOWN = 200_000
"""Code points of a page without a story that go to the quarantine."""


class HugeError(ValueError):
    """A page larger than any page of news, and than what is read in bounded time."""


@dataclass(frozen=True)
class Page:
    """What a page gives; text has one paragraph a line and is empty when there is no story."""

    text: str
    title: str | None
    byline: str | None
    agency: str | None
    source: str | None
    url: str | None
    published_at: str | None
    language: str | None


def read_page(html: str, focus: str) -> Page:
    """Body and metadata of an HTML page.

    Args:
        html: the page; broken, cut and empty ones too.
        focus: balanced, precision or recall: what to favour when it is unclear whether a part of the page belongs to its story.

    Raises:
        HugeError: without scripts, styles and embedded pictures it is still larger than what is read in bounded time.
    """
    html = lean(html)
    if why := why_huge(html):
        raise HugeError(why)
    tree = None if is_feed(html) else parse_page(html)
    if tree is None:
        return Page("", None, None, None, None, None, None, None)
    page = read_blocks(tree)
    if page.depth > NESTED or not page.blocks:
        tree = _flat(html, tree)
        page = read_blocks(tree)
    body = declared_body(tree)
    carried = "" if _words(page) >= 20 * LITTLE else carried_story(tree)
    small = len(page.blocks) <= MOST_BLOCKS and sum(1 for _ in tree.iter()) <= MOST_ELEMENTS
    facts = read_facts(tree, small)
    extracted = _extract(tree) if small else ""  # last: it takes the tree apart
    chosen = choose(page, Hints(extracted, body, facts.title or "", facts.summary or ""), focus)
    text = "\n".join(page.blocks[n].text for n in chosen)
    for other in (body, carried):
        if count_words(text) < LITTLE <= count_words(other) and count_words(other) > 3 * count_words(text):
            text = other
    if count_words(text) < FEWEST:
        text = ""
    return _page(text, facts)


def page_text(html: str) -> str:
    """All text of a page, for the quarantine of pages without a story."""
    tree = parse_page(html)
    if tree is None:
        return ""
    page = read_blocks(tree, bare=True)
    if page.depth > NESTED or not page.blocks:
        page = read_blocks(_flat(html, tree), bare=True)
    return "\n".join(block.text for block in page.blocks)[:SHOWN]


def _page(text: str, facts: Facts) -> Page:
    return Page(text, facts.title, facts.byline, facts.agency, facts.source, facts.url, facts.published_at, facts.language)


def _flat(html: str, tree: Any) -> Any:
    flat = parse_page(flatten(html))
    return tree if flat is None else flat


def _words(page: Blocks) -> int:
    return sum(block.words for block in page.blocks)


def _extract(tree: Any) -> str:
    """trafilatura's text, a line a paragraph; empty when it finds none or fails."""
    import trafilatura

    # "discarding data": no story was found, which is what we say of such a page ourselves
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    try:
        # deduplicate is a cache of the process: the result would depend on the pages before this one
        found: Any = trafilatura.bare_extraction(tree, include_comments=False, deduplicate=False, with_metadata=False)
    except Exception:  # noqa: BLE001  # one of several witnesses: a page that breaks it is read without it
        return ""
    return (found.text or "") if found is not None else ""
