"""Pages to element trees, however broken, and never from the network."""

from __future__ import annotations

import re
from typing import Any

MOST_CHARACTERS = 2_500_000
"""A longer page, its scripts, styles and embedded pictures aside, is refused: the worst of this length, all empty elements, takes some 2 s."""

MOST_TAGS = 40_000
"""Six times those of the largest of 196 pages of news; 20 to 36 us each."""
MOST_ATTRIBUTES = 2_000
"""Of one element: libxml2 compares each with all before it."""

_CODE = re.compile(r"<(script|style|svg)\b", re.IGNORECASE)
_CLOSED = {name: re.compile(rf"</{name}\s{{0,100}}>", re.IGNORECASE) for name in ("script", "style", "svg")}
_EMBEDDED = re.compile(r"data:[\w/+.-]{1,60};base64,[\w+/=%-]{100,}+", re.ASCII)
_ANY_TAG = re.compile(r"""</?[a-zA-Z](?:[^>"']++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+""")
_QUOTED = re.compile(r""""[^"]*+"|'[^']*+'""")
_FEED = re.compile(r"\A\s*+(?:<\?xml[^>]{0,200}>\s*+|<!--.{0,500}?-->\s*+)*+<(?:rss|feed|rdf:RDF|urlset|sitemapindex|opml)\b", re.DOTALL)
_NESTING = re.compile(r"</?(?!(?:p|h[1-6]|li|br|a|head|title|meta|link|script|style)\b)[a-zA-Z][^<>]{0,2000}>", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z!?/]")
_EMPTY = re.compile(r"<(script|style|iframe|textarea|title|noscript)\b([^<>]{0,2000})/>", re.IGNORECASE)
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


def lean(html: str) -> str:
    """The page; of one that is too long what is left without its scripts (but JSON), styles, drawings and embedded pictures."""
    return html if len(html) <= MOST_CHARACTERS else _EMBEDDED.sub("data:,", _without_code(html))


def _without_code(html: str) -> str:
    parts, at, unclosed = list[str](), 0, set[str]()
    while found := _CODE.search(html, at):
        name, end = found[1].lower(), html.find(">", found.end()) + 1
        if not end:
            break
        closed = None
        if name not in unclosed and "json" not in html[found.end() : min(end, found.end() + 500)]:
            closed = _CLOSED[name].search(html, end)
            unclosed |= set() if closed else {name}  # never looked for again: it would take time that grows with the square
        parts.append(html[at : found.start() if closed else end])
        at = closed.end() if closed else end
    return " ".join([*parts, html[at:]])


def why_huge(html: str) -> str | None:
    """Why a page, `lean` by now, is more than can be read in bounded time; None when it is not."""
    if len(html) > MOST_CHARACTERS:
        return f"{len(html):,} characters without scripts and pictures; at most {MOST_CHARACTERS:,} are read"
    if (tags := html.count("<")) > MOST_TAGS:
        return f"{tags:,} tags; at most {MOST_TAGS:,} are read"
    if len(html) > 50 * MOST_ATTRIBUTES:
        for tag in _ANY_TAG.finditer(_without_code(html)):
            if tag.end() - tag.start() > 2 * MOST_ATTRIBUTES and len(_QUOTED.sub("", tag[0]).split()) > MOST_ATTRIBUTES:
                return f"an element of more than {MOST_ATTRIBUTES:,} attributes"
    return None


def parse_page(html: str) -> Any | None:
    """The page as a tree of lxml, comments and processing instructions left out; None when there is no element in it."""
    from lxml import etree
    from lxml.html import HTMLParser

    if not _TAG.search(html):
        return None
    html = _XML.sub("", _UNFIT.sub("", html))
    if html.lstrip()[:300].count("xhtml"):
        html = _EMPTY.sub(r"<\1\2></\1>", html)  # as XML an element may end so, as HTML it swallows the page
    parser = HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, default_doctype=False, collect_ids=False)
    try:
        return etree.fromstring(html.encode("utf-8"), parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None
