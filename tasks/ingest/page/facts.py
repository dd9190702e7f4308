"""What a page says about its story: headline, authors, agency, outlet, address, time of publication, language.

Sources in the order of trust: JSON-LD (schema.org), Open Graph and its like, other meta elements, what trafilatura reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlsplit

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
AUTHORED = (
    "author",
    "article:author",
    "og:article:author",
    "parsely-author",
    "sailthru.author",
    "dc.creator",
    "dcterms.creator",
    "cxenseparse:author",
)
STORIES = re.compile(r"(?:article|posting|report|review|recipe|webpage|creativework|newsitem)$", re.IGNORECASE)
AGENCIES = frozenset(
    """ap|the associated press|associated press|reuters|thomson reuters|afp|agence france-presse|agence france presse|dpa|dpa-afx|deutsche presse-agentur|
    efe|agencia efe|agencias|ansa|apa|sid|kna|epd|upi|united press international|pa|pa media|press association|pa news agency|bloomberg|bloomberg news|
    xinhua|tass|interfax|kyodo|kyodo news|jiji press|yonhap|pti|press trust of india|ani|ians|anadolu agency|anadolu ajansı|aa|dha|iha|lusa|belga|anp|
    ritzau|ntb|tt|stt|pap|ctk|čtk|mti|keystone-sda|sda|europa press|aap|australian associated press|canadian press|the canadian press|ukrinform|
    时事|新华社|中新社|共同通信|時事通信|연합뉴스|reuters staff|afp news agency""".replace("\n", "")
    .replace("    ", "")
    .split("|")
)
OTHERS = frozenset(["liveBlogUpdate", "itemListElement", "comment", "mentions", "citation", "review", "relatedLink"])
"""What lies under these names is about other texts, or about a part of this one."""
_BY = re.compile(r"^\s*(?:by|von|par|por|di|da|door|av|af|texto?|text|autor(?:in)?|author)\b[\s:]+", re.IGNORECASE)
_AND = re.compile(r"(?<!\s)\s*(?:,|;|\||/|•|\band\b|\bund\b|\bet\b|\by\b|\be\b(?=\s\w{2})|\boch\b|\bog\b|\ben\b|&)\s*", re.IGNORECASE)
_DATED = re.compile(r'"datePublished"\s*:\s*"([^"]{8,40})"')
# no part of these gives back what it took, so that broken data costs no more time than its length
_STRING = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_NOISE = re.compile(
    rf"({_STRING})|/\*.*?(?:\*/|\Z)|//[^\n]*+|,(?=\s*+[\]}}}}])|<!--|<!\[CDATA\[|-->|\]\]>",
    re.DOTALL,
)
_MARKUP = re.compile(r"<[^>]{1,200}>")
_TITLE_PARTS = re.compile(r" [-–—|•·»:/]+ | ?\| ?")  # of a title whose white space is one space each
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Facts:
    """What the page says; None where it does not. `summary`: its own short description; published_at as written."""

    title: str | None
    byline: str | None
    agency: str | None
    source: str | None
    url: str | None
    published_at: str | None
    language: str | None
    summary: str | None


def read_facts(tree: Any, thorough: bool) -> Facts:
    """The facts of a page.

    Args:
        tree: the page.
        thorough: ask trafilatura for what the page does not declare; its search for dates reads all of a page.
    """
    nodes = list(_nodes(tree))
    story = _story(nodes)
    by_id = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and len(node) > 1}
    meta = _meta(tree)
    source = _plain(_name(story.get("publisher"), by_id)) or _plain(meta.get("og:site_name")) or _plain(meta.get("application-name"))
    url = _address(tree, meta, story)
    title = _title(tree, meta, story, source, url)
    names = [name for one in _listed(story.get("author") or story.get("creator")) for name in _authors(one, by_id)]
    if not names:
        names = [name for key in AUTHORED for name in _split(meta.get(key))]
    published = next(_dates(tree, story, nodes), None)
    asked = None
    if thorough and not (title and names and published and source and url):
        asked = _ask(tree, published is None)
    if asked is not None:
        title = title or _plain(asked.title)
        names = names or [name for name in _split(asked.author) if " " in name or not name.isascii()]
        source = source or _plain(asked.sitename)
        url = url or asked.url
        published = published or asked.date
    outlet = {_fold(name) for name in (source, _host(url), (_host(url) or "").partition(".")[0], meta.get("og:site_name")) if name}
    persons = list(
        dict.fromkeys(name for name in names if _fold(name) not in outlet and _fold(name) not in AGENCIES and not _is_desk(name, outlet))
    )
    agency = next((name for name in names if _fold(name) in AGENCIES and _fold(name) not in outlet), None)
    summary = _plain(max((meta.get(key) or "" for key in ("description", "og:description", "twitter:description")), key=len))
    return Facts(title, ", ".join(persons) or None, agency, source, url, published, _language(tree, meta, story), summary)


def declared_body(tree: Any) -> str:
    """The longest articleBody of JSON-LD, a line a paragraph; empty without one."""
    bodies = (node.get("articleBody") for node in _nodes(tree))
    body = max((body for body in bodies if isinstance(body, str)), key=len, default="")
    if "<" in body or "&" in body:
        body = _MARKUP.sub("\n", unescape(body))
    return "\n".join(line for line in (" ".join(line.split()) for line in body.split("\n")) if line)


def load_leniently(text: str) -> Any:
    """JSON as pages write it: line ends in texts, comments, commas before a bracket, wrapped in an HTML comment.

    Raises:
        ValueError: it is none all the same.

    >>> load_leniently('{"a": [1, 2,], /* why */ "b": "two\\nlines"}')
    {'a': [1, 2], 'b': 'two\\nlines'}
    """
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return json.loads(_NOISE.sub(lambda match: match[1] or "", text.strip()).strip(" ;\n\t"), strict=False)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the page's JSON-LD, outermost first, without recursion."""
    for script in tree.iter("script"):
        text = script.text
        if not text or "ld+json" not in (script.get("type") or "").lower() or len(text) > 5_000_000:
            continue
        try:
            stack = [load_leniently(text)]
        except (ValueError, RecursionError):
            stack = [{"@type": "Article", "datePublished": date} for date in _DATED.findall(text)[:1]]
            script.text = None  # trafilatura has patterns for such data that may take minutes
        while stack:
            one = stack.pop()
            if isinstance(one, dict):
                yield one
                stack += [value for key, value in reversed(one.items()) if isinstance(value, dict | list) and key not in OTHERS]
            elif isinstance(one, list):
                stack += reversed(one)


def _story(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """The object that describes the page's story: of a kind of article, and the fullest; the first of equals."""

    def rank(node: dict[str, Any]) -> tuple[int, int]:
        kinds = " ".join(str(kind) for kind in _listed(node.get("@type")))
        known = sum(bool(node.get(key)) for key in ("headline", "datePublished", "author", "articleBody", "publisher", "mainEntityOfPage"))
        return (2 if re.search(r"article|posting|report\b", kinds, re.IGNORECASE) else 1, known)

    able = [node for node in nodes if any(STORIES.search(str(kind)) for kind in _listed(node.get("@type")))]
    return max(able, key=rank, default={})


def _meta(tree: Any) -> dict[str, str]:
    """Contents of meta elements by lower-case name, the first of each."""
    found: dict[str, str] = {}
    for meta in tree.iter("meta"):
        content = meta.get("content")
        if content and content.strip():
            for key in ("property", "name", "itemprop", "http-equiv"):
                if meta.get(key):
                    found.setdefault(meta.get(key).strip().lower(), content.strip())
    return found


def _dates(tree: Any, story: dict[str, Any], nodes: list[dict[str, Any]]) -> Iterator[str]:
    """Times of publication as written: the story's own in JSON-LD first, then of other objects, meta elements and time elements."""
    for node in (story, *nodes):
        if isinstance(node.get("datePublished"), str) and any(sign.isdigit() for sign in node["datePublished"]):
            yield node["datePublished"]
    for meta in tree.iter("meta"):
        name = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower()
        if name in DATED and re.match(r"\d{4}-\d\d-\d\d", meta.get("content") or ""):
            yield meta.get("content")
    for time in tree.iter("time"):
        if time.get("datetime") and (time.get("itemprop") == "datePublished" or time.get("pubdate") is not None):
            yield time.get("datetime")


def _ask(tree: Any, date: bool) -> Any:
    """trafilatura's reading of the page; `date`: search all of it for a date. What tells of changes is taken out first, lest it be taken for
    a date of publication."""
    from trafilatura.metadata import extract_metadata

    for element in tree.iter("script", "meta", "time"):
        names = " ".join(element.get(key) or "" for key in ("property", "name", "itemprop", "class")).lower()
        if element.tag == "script" and "ld+json" in (element.get("type") or "").lower():
            element.text = None
        elif any(sign in names for sign in ("modif", "update", "lastmod", "revised")):
            for key in ("content", "datetime"):
                element.attrib.pop(key, None)
    try:
        return extract_metadata(
            tree, date_config={"extensive_search": date, "max_date": LATEST_DATE, "original_date": True}, extensive=date
        )
    except Exception:  # noqa: BLE001  # it gives no more than a hint: a page that breaks it is read without it
        return None


def _title(tree: Any, meta: dict[str, str], story: dict[str, Any], source: str | None, url: str | None) -> str | None:
    names = {_fold(name) for name in (source, meta.get("og:site_name"), _host(url)) if name}
    names |= {name.replace(" ", "") for name in names}
    headline = _plain(story.get("headline") if isinstance(story.get("headline"), str) else None)
    shared = _without_name(_plain(meta.get("og:title")), names)
    if headline and _fold(headline) not in names:
        # some systems cut headlines to 110 characters
        bare = headline.rstrip(".… ")
        if shared and len(headline) >= 80 and len(shared) > len(bare) and shared.startswith(bare[:70]):
            return shared
        return headline
    if shared:
        return shared
    twitter = _without_name(_plain(meta.get("twitter:title")), names)
    if twitter:
        return twitter
    heads = [head for head in (_plain("".join(one.itertext())) for one in tree.iter("h1")) if head]
    written = _without_name(_plain(next((one.text for one in tree.iter("title") if one.text), None)), names)
    if len(heads) == 1 and _fold(heads[0]) not in names:
        return heads[0]
    return next((head for head in heads if written and _fold(head) and _fold(head) in _fold(written)), written)


def _without_name(title: str | None, names: set[str]) -> str | None:
    """The title without the outlet's name before or behind it; None when nothing else is left.

    >>> _without_name("Ferry strike ends | Harbour Post", {"harbour post"})
    'Ferry strike ends'
    """
    if not title:
        return None
    if _fold(title) in names:
        return None
    cuts = list(_TITLE_PARTS.finditer(title))
    if cuts:
        last, first = cuts[-1], cuts[0]
        if _is_name(title[last.end() :], names):
            return title[: last.start()].strip() or None
        if _is_name(title[: first.start()], names):
            return title[first.end() :].strip() or None
    return title


def _is_name(part: str, names: set[str]) -> bool:
    folded = _fold(part)
    return bool(folded) and (
        folded in names or folded.replace(" ", "") in names or any(folded.replace(" ", "") == n.partition(".")[0] for n in names)
    )


def _authors(one: Any, by_id: dict[str, dict[str, Any]]) -> Iterator[str]:
    if isinstance(one, dict):
        full = by_id.get(one["@id"], one) if isinstance(one.get("@id"), str) and not one.get("name") else one
        for name in _listed(full.get("name")):
            kinds = " ".join(str(kind) for kind in _listed(full.get("@type")))
            if isinstance(name, str):
                if "Organization" not in kinds:
                    yield from _split(name)
                elif _fold(name) in AGENCIES:
                    yield name.strip()
    elif isinstance(one, str):
        yield from _split(one)


def _split(names: str | None) -> list[str]:
    """The persons of a credit; addresses of pages and mail are no names.

    >>> _split("By Ana Example and Bo Sample"), _split("https://example.org/ana")
    (['Ana Example', 'Bo Sample'], [])
    """
    plain = _plain(names)
    if not plain or len(plain) > 200:
        return []
    plain = re.sub(r"\S*@\S+|\S+://\S+|www\.\S+", " ", plain)
    parts = (part.strip(" .:-–—()") for part in _AND.split(_BY.sub("", plain)))
    return [part for part in parts if 1 < len(part) <= 60 and not any(sign.isdigit() for sign in part)]


def _is_desk(name: str, outlet: set[str]) -> bool:
    """The outlet under another form of its name: 'Redaktion Harbour Post', 'HarbourPost.example'."""
    folded = _fold(name)
    return any(len(one) > 3 and (one in folded or folded.replace(" ", "") == one.replace(" ", "")) for one in outlet) or any(
        word
        in (
            "redaktion",
            "redazione",
            "redacción",
            "redacao",
            "redação",
            "rédaction",
            "newsroom",
            "desk",
            "editors",
            "editor",
            "admin",
            "staff",
            "redakcja",
            "redactie",
            "webdesk",
        )
        for word in folded.split()
    )


def _name(one: Any, by_id: dict[str, dict[str, Any]]) -> str | None:
    for item in _listed(one):
        if isinstance(item, str) and "://" not in item:
            return item
        if isinstance(item, dict):
            full = by_id.get(item["@id"], item) if isinstance(item.get("@id"), str) and not item.get("name") else item
            name = full.get("name")
            if isinstance(name, str):
                return name
    return None


def _address(tree: Any, meta: dict[str, str], story: dict[str, Any]) -> str | None:
    """The page's own address: canonical link, og:url, JSON-LD; one with a path goes before a bare host."""
    links = [link.get("href") for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    entity = story.get("mainEntityOfPage")
    told = [entity.get("@id") if isinstance(entity, dict) else entity, story.get("url")]
    able = [
        url.strip()
        for url in (*links, meta.get("og:url"), *told)
        if isinstance(url, str) and url.strip().lower().startswith(("http://", "https://"))
    ]
    return next((url for url in able if _path(url)), able[0] if able else None)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.strip("/")
    except ValueError:
        return ""


def _language(tree: Any, meta: dict[str, str], story: dict[str, Any]) -> str | None:
    told = story.get("inLanguage")
    told = told.get("alternateName") if isinstance(told, dict) else told
    root = tree.get("lang") or tree.get("xml:lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    able = (root, meta.get("og:locale"), meta.get("content-language"), meta.get("language"), told)
    return next((one.strip() for one in able if isinstance(one, str) and one.strip()), None)


def _plain(text: Any) -> str | None:
    """A value as one line without markup; None when nothing is left."""
    if not isinstance(text, str):
        return None
    if "&" in text:
        text = unescape(text)
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    return " ".join(text.split()) or None


def _fold(name: str) -> str:
    return " ".join(name.casefold().split()).removeprefix("www.")


def _host(url: str | None) -> str | None:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.") or None if url else None
    except ValueError:
        return None


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
