"""Pages to element trees, however broken, and never from the network."""

from __future__ import annotations

import re
from typing import Any

MOST_CHARACTERS = 10_000_000
"""A page is read up to here, its scripts and styles aside: parsing takes some 50 ms a million."""

_CODE = re.compile(r"<(script|style|svg)\b(?![^>]*\bjson\b)[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[a-zA-Z!?/]")
_EMPTY = re.compile(r"<(script|style|iframe|textarea|title|noscript)\b([^>]*)/>", re.IGNORECASE)
_XML = re.compile(r"^\s*<\?xml[^>]*>")
# what an HTML parser cannot hold; lxml would stop at it
_UNFIT = re.compile("[\0\x01-\x08\x0b\x0e-\x1f\ud800-\udfff]")


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
