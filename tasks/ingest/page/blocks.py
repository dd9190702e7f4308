"""A page's tree to blocks: stretches of text that a browser would set as paragraphs of their own, with what stands around them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

CUES = Path(__file__).parent / "cues.toml"

INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "b",
        "bdi",
        "bdo",
        "big",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "label",
        "mark",
        "math",
        "nobr",
        "output",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
SKIPPED = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "canvas",
        "head",
        "iframe",
        "object",
        "embed",
        "applet",
        "audio",
        "video",
        "map",
        "select",
        "option",
        "textarea",
        "input",
        "datalist",
        "noframes",
        "source",
        "track",
        "param",
        "progress",
        "meter",
        "colgroup",
    ]
)
_NAMES = (
    "class",
    "id",
    "role",
    "itemprop",
    "data-testid",
    "data-test",
    "data-component",
    "data-type",
    "data-module",
    "data-qa",
    "aria-label",
    "property",
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SPACE = re.compile(r"[\s\u200b\ufeff]+")
UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
DEEPEST = 150  # elements within each other that are told apart; real pages have some 30
HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")


@dataclass(frozen=True, slots=True)
class Cue:
    """A kind of name: its bit, and what is looked for."""

    id: str
    bit: int
    stems: re.Pattern[str]
    words: frozenset[str]


@dataclass(slots=True)
class Node:
    """An element that parts blocks. `cues`: bits of its own names; `parent`: number of the next such element around it, -1 for none."""

    parent: int
    tag: str
    cues: int
    style: str
    depth: int


@dataclass(slots=True)
class Block:
    """A paragraph as set. `node`: number of the element that holds it; `words`, `linked`: words in all and within links;
    `inner`: bits of the names of inline elements that cover nearly all of it; `wrap`: their tags; `broken`: a line break (br) parts it from the
    block before."""

    text: str
    node: int
    words: int
    linked: int
    inner: int = 0
    wrap: frozenset[str] = frozenset()
    broken: bool = False


@dataclass(slots=True)
class Blocks:
    """The blocks of a page in order, the elements around them, and how deep those are nested."""

    nodes: list[Node] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    depth: int = 0


@cache
def cues() -> tuple[Cue, ...]:
    """The cues of cues.toml, in order."""
    tables = tomllib.loads(CUES.read_text(encoding="utf-8"))["cue"]
    return tuple(
        Cue(table["id"], 1 << number, re.compile("|".join(map(re.escape, table["stems"]))), frozenset(table["words"]))
        for number, table in enumerate(tables)
    )


@lru_cache(20_000)
def read_cues(name: str) -> int:
    """Bits of the cues that a name holds.

    >>> read_cues("RelatedArticles") == cue_bit("related") | cue_bit("article")
    True
    """
    lower = name.lower()
    any_stem, of_word = _index()
    bits = 0
    for word in _WORDS.findall(name):
        bits |= of_word.get(word.lower(), 0)
    if any_stem.search(lower):
        for cue in cues():
            if cue.stems.search(lower):
                bits |= cue.bit
    return bits


@cache
def _index() -> tuple[re.Pattern[str], dict[str, int]]:
    """All stems in one pattern, for most names have none; and the bits of each word."""
    of_word: dict[str, int] = {}
    for cue in cues():
        for word in cue.words:
            of_word[word] = of_word.get(word, 0) | cue.bit
    return re.compile("|".join(cue.stems.pattern for cue in cues())), of_word


def cue_bit(id: str) -> int:  # noqa: A002  # the term of the file
    """The bit of a cue."""
    return next(cue.bit for cue in cues() if cue.id == id)


def count_words(text: str) -> int:
    """Words; two characters of a script without spaces count as one."""
    if text.isascii() or not UNSPACED.search(text):
        return text.count(" ") + 1 if text else 0
    return len(UNSPACED.findall(text)) // 2 + len(UNSPACED.sub(" ", text).split())


def read_blocks(tree: Any, *, bare: bool = False) -> Blocks:
    """The blocks of an element tree of lxml; nothing is changed in it.

    Args:
        tree: the root element.
        bare: the text alone is wanted, of `noscript` too; no names are read.
    """
    return _Walk(tree, bare).run()


class _Walk:
    """One pass over the tree; a class because the text of a block is gathered across elements."""

    def __init__(self, tree: Any, bare: bool) -> None:
        self.tree = tree
        self.bare = bare
        self.skipped = SKIPPED - {"noscript"} if bare else SKIPPED
        self.page = Blocks()
        self.known: dict[str, int] = {}
        self.pieces: list[str] = []
        self.length = 0  # of the pieces
        self.linked = 0  # length of pieces within links
        self.spans: list[tuple[int, str, int]] = []  # inline elements that have ended: length, tag, bits
        self.broken = False
        self.pending = False  # a br came, and no text since
        self.node = -1
        self.links = 0  # links that are open
        self.around: list[int] = []  # of elements that part blocks: the number of the one around
        self.opened: list[tuple[str, int, int, int]] = []  # of inline elements: tag, bits, length and number of blocks at their start

    def run(self) -> Blocks:
        from lxml.etree import iterwalk

        walk = iterwalk(self.tree, events=("start", "end"))
        for event, element in walk:
            tag = element.tag.rpartition(":")[2]
            if event == "end":
                self._leave(element, tag)
            elif tag in self.skipped:
                walk.skip_subtree()
            else:
                self._enter(element, tag)
        self._flush()
        return self.page

    def _enter(self, element: Any, tag: str) -> None:
        if tag == "br":
            if self.pending:
                self._flush()
                self.broken = True
            self.pending = self.length > 0
            return
        if tag in INLINE:
            self.links += tag == "a"
            self.opened.append((tag, self._cues(element), self.length, len(self.page.blocks)))
        else:
            self._flush()
            self.around.append(self.node)
            self.page.depth = max(self.page.depth, len(self.around))
            if len(self.around) < DEEPEST:
                self.node = self._number(element, tag)
        if element.text:
            self._add(element.text)

    def _leave(self, element: Any, tag: str) -> None:
        if tag in INLINE:
            self.links -= tag == "a"
            name, bits, length, blocks = self.opened.pop()
            start = length if blocks == len(self.page.blocks) else 0
            if self.length > start:
                self.spans.append((self.length - start, name, bits))
        elif tag not in self.skipped and tag != "br":
            self._flush()
            self.node = self.around.pop()
        if element.tail and element is not self.tree:
            self._add(element.tail)

    def _cues(self, element: Any) -> int:
        attributes = element.attrib
        if not attributes or self.bare:
            return 0
        bits = 0
        for name in _NAMES:
            value = attributes.get(name)
            if value:
                found = self.known.get(value)
                if found is None:
                    found = self.known[value] = read_cues(value[:300])
                bits |= found
        if "hidden" in attributes or attributes.get("aria-hidden") == "true" or HIDING.search(attributes.get("style", "")):
            bits |= cue_bit("hidden")
        return bits

    def _number(self, element: Any, tag: str) -> int:
        node = self.node
        bits = 0 if tag in ("html", "body") else self._cues(element)
        style = f"{tag}.{element.get('class') or ''}"
        depth = self.page.nodes[node].depth + 1 if node >= 0 else 0
        self.page.nodes.append(Node(node, tag, bits, style, depth))
        return len(self.page.nodes) - 1

    def _add(self, text: str) -> None:
        if text.isspace():
            self.pieces.append(" ")
            return
        if self.pending:
            self.pending = False
            if _wraps("".join(self.pieces[-3:]), text):
                self.pieces.append(" ")
            else:
                self._flush()
                self.broken = True
        self.pieces.append(text)
        self.length += len(text)
        if self.links:
            self.linked += len(text)

    def _flush(self) -> None:
        if self.length:
            text = _SPACE.sub(" ", "".join(self.pieces)).replace("\u00ad", "").strip()
            if text:
                words = count_words(text)
                most = 0.8 * self.length
                wrap = [(tag, bits) for length, tag, bits in self.spans if length >= most]
                inner = 0
                for _, bits in wrap:
                    inner |= bits
                linked = round(words * min(1.0, self.linked / self.length))
                self.page.blocks.append(Block(text, self.node, words, linked, inner, frozenset(tag for tag, _ in wrap), self.broken))
                self.broken = False
        self.pending = False
        self.pieces, self.spans = [], []
        self.length = self.linked = 0


def _wraps(before: str, after: str) -> bool:
    """A line break stands within a sentence: no sign before it, a small letter after it."""
    before, after = before.rstrip(), after.lstrip()
    return after[:1].islower() and (before[-1:].isalpha() or before[-1:] in ",-")


def ancestors(page: Blocks, node: int) -> Sequence[int]:
    """Numbers of the elements around, innermost first, the element itself included."""
    found = []
    while node >= 0:
        found.append(node)
        node = page.nodes[node].parent
    return found
