"""The story in a page, by trafilatura, and what the page says about it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

# trafilatura takes no date after this one for a publication date; its default is the current time, which would make the
# same page give other dates on other days
LATEST_DATE = "2099-12-31"
DATED = (
    "article:published_time",
    "og:published_time",
    "datepublished",
    "date",
    "dc.date",
    "dc.date.issued",
    "parsely-pub-date",
    "pubdate",
    "sailthru.date",
)


@dataclass(frozen=True)
class Page:
    """What a page gives; text has one paragraph a line and is empty when there is no story."""

    text: str
    title: str | None
    byline: str | None
    source: str | None
    url: str | None
    published_at: str | None
    language: str | None


def read_page(html: str, focus: str) -> Page:
    """Body and metadata of an HTML page. `focus`: balanced, precision or recall (trafilatura's favour_*)."""
    import trafilatura

    # "discarding data": no story was found, which is what we say of such a page ourselves
    logging.getLogger("trafilatura.core").setLevel(logging.ERROR)
    tree = trafilatura.load_html(html)
    if tree is None:
        return Page("", None, None, None, None, None, None)
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    exact_date = next(_dates(tree), None)
    extract = partial(
        trafilatura.bare_extraction,
        with_metadata=True,
        include_comments=False,
        deduplicate=False,  # a cache of the process: the result would depend on the pages before this one
        favor_precision=focus == "precision",
        favor_recall=focus == "recall",
        date_extraction_params={"extensive_search": True, "max_date": LATEST_DATE, "original_date": True},
    )
    found = extract(tree)
    if found is None:
        found = extract(html, with_metadata=False, fast=False)
    if found is None:
        return Page("", None, None, None, None, exact_date, language)
    # trafilatura joins the names of several authors with "; "
    found = cast(Any, found)
    byline = found.author.replace("; ", ", ") if found.author else None
    return Page(found.text or "", found.title, byline, found.sitename, found.url, exact_date or found.date, language)


def page_text(html: str) -> str:
    """All text of a page, for the quarantine of pages without a story."""
    import trafilatura

    return trafilatura.html2txt(html) or ""


def _dates(tree: Any) -> Iterator[str]:
    """Times of publication with their zone: schema.org JSON-LD first, then meta elements and time elements marked so."""
    for script in tree.iterfind(".//script[@type='application/ld+json']"):
        try:
            yield from _published(json.loads(script.text or ""))
        except (ValueError, RecursionError):
            yield from re.findall(r'"datePublished"\s*:\s*"([^"]{8,40})"', script.text or "")
    for meta in tree.iterfind(".//meta[@content]"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower()
        if name in DATED and re.match(r"\d{4}-\d\d-\d\d", meta.get("content")):
            yield meta.get("content")
    for time in tree.iterfind(".//time[@itemprop='datePublished']"):
        if time.get("datetime"):
            yield time.get("datetime")


def _published(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _published(item)
    elif isinstance(node, dict):
        if isinstance(node.get("datePublished"), str):
            yield node["datePublished"]
        for value in node.values():
            if isinstance(value, list | dict):
                yield from _published(value)
