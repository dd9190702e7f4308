"""Pages to element trees, however broken, and never from the network."""

from __future__ import annotations

import re
from typing import Any

MOST_CHARACTERS = 6_000_000
"""A page is read up to here, its scripts and styles aside: so the worst page, all empty elements, takes some 4 s."""

_CODE = re.compile(r"<(script|style|svg)\b(?![^>]*\bjson\b)[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_FEED = re.compile(r"\s*(?:<\?xml[^>]{0,200}>\s*|<!--.{0,500}?-->\s*)*<(?:rss|feed|rdf:RDF|urlset|sitemapindex|opml)\b", re.DOTALL)
_NESTING = re.compile(r"</?(?!(?:p|h[1-6]|li|br|a|head|title|meta|link|script|style)\b)[a-zA-Z][^<>]{0,2000}>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z!?/]")
_EMPTY = re.compile(r"<(script|style|iframe|textarea|title|noscript)\b([^>]*)/>", re.IGNORECASE)
_XML = re.compile(r"^\s*<\?xml[^>]*>")
# what an HTML parser cannot hold; lxml would stop at it
_UNFIT = re.compile("[\0\x01-\x08\x0b\x0e-\x1f\ud800-\udfff]")


def is_feed(html: str) -> bool:
    """A feed or a map of a site, which list stories and tell none.

    >>> is_feed('<?xml version="1.0"?><rss version="2.0">'), is_feed("<html><body>The rss feed")
    (True, False)
    """
    return _FEED.match(html) is not None


def flatten(html: str) -> str:
    """The page without the elements that only hold others: what is nested deeper than lxml goes (2,048 elements) is read so."""
    return _NESTING.sub("<br>", html)


def parse_page(html: str) -> Any | None:
    """The page as a tree of lxml, comments and processing instructions left out; None when there is no element in it."""
    from lxml import etree
    from lxml.html import HTMLParser

    if not _TAG.search(html):
        return None
    if len(html) > MOST_CHARACTERS:
        html = _CODE.sub(" ", html)[:MOST_CHARACTERS]
    html = _XML.sub("", _UNFIT.sub("", html))
    if html.lstrip()[:300].count("xhtml"):
        html = _EMPTY.sub(r"<\1\2></\1>", html)  # as XML an element may end so, as HTML it swallows the page
    parser = HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, default_doctype=False, collect_ids=False)
    try:
        return etree.fromstring(html.encode("utf-8"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
