"""Measures of a block: what the model of weights.json knows of it. All are counts, shares and names of cues; no words of any language."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

from tasks.ingest.page.blocks import Block, Blocks, Node, ancestors, cue_bit, cues

Measures = dict[str, float]

_TOKEN = re.compile(r"\w+")
_ENDS = frozenset(".!?。！？।؟۔｡")
_CLOSERS = " \t\u00a0\u3000\"'”’»›“„)]）」』】"
_INNER_END = re.compile(r"[.!?؟।][\"”’»')\]]{0,2} +[^\W\d_a-zа-яё]|[。！？][^\s」』）]")
_DIGITS = re.compile(r"\d")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_CLOCK = re.compile(r"\d[:.h]\d\d")
_SIZES = (2, 4, 7, 12, 20, 40)
_SHARES = (0.001, 0.2, 0.5, 0.85)
_KNOWN = (0.01, 0.5, 0.9)
_STYLES = (0.0, 0.03, 0.1, 0.5)
_WRAPS = frozenset(["a", "strong", "b", "em", "i", "span"])
_NAMED = frozenset(
    [
        "aside",
        "figure",
        "figcaption",
        "table",
        "blockquote",
        "header",
        "footer",
        "nav",
        "form",
        "button",
        "details",
        "dl",
        "ul",
        "ol",
        "section",
        "li",
        "main",
        "article",
        "label",
        "center",
        "pre",
    ]
)
DISMISSED: Measures = {"dismissed": 1.0}
_HEADINGS = frozenset(["h2", "h3", "h4", "h5", "h6"])
EMBED = cue_bit("embed")
FURNITURE = sum(
    cue_bit(name)
    for name in (
        "related",
        "newsletter",
        "promo",
        "paywall",
        "consent",
        "share",
        "comment",
        "figure",
        "author",
        "date",
        "tags",
        "navigation",
        "hidden",
    )
)
_LEAF = frozenset(
    [
        "p",
        "div",
        "li",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "td",
        "th",
        "blockquote",
        "figcaption",
        "button",
        "section",
        "article",
        "header",
        "footer",
        "aside",
        "span",
        "dd",
        "dt",
        "pre",
    ]
)


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a page beside its blocks: trafilatura's text (a line a paragraph), the body, headline and summary the page declares."""

    extracted: str = ""
    declared: str = ""
    title: str = ""
    summary: str = ""


def shingles(text: str, most: int = 3) -> list[str]:
    """Runs of `most` words, or the whole when it is shorter; single characters where a script has no spaces."""
    words = _TOKEN.findall(text.lower())
    if len(words) <= most:
        return [" ".join(words)] if words else []
    return [" ".join(words[n : n + most]) for n in range(len(words) - most + 1)]


def ends_sentence(text: str) -> bool:
    """The last sign, closers aside, ends a sentence; an ellipsis does not."""
    bare = text.rstrip(_CLOSERS)
    return bare[-1:] in _ENDS and not bare.endswith("..")


class Known:
    """A text that blocks are looked up in."""

    def __init__(self, text: str) -> None:
        self.runs: set[str] = set()
        self.lines: set[str] = set()
        for line in text.split("\n"):
            runs = shingles(line)
            self.runs.update(runs)
            self.lines.add(" ".join(_TOKEN.findall(line.lower())))

    def share(self, runs: Sequence[str]) -> float:
        """Share of a block's runs that the text has."""
        return sum(run in self.runs for run in runs) / len(runs) if runs else 0.0


def _bin(value: float, edges: Sequence[float]) -> int:
    return sum(value > edge for edge in edges)


def measure(page: Blocks, hints: Hints) -> tuple[list[Measures], list[int]]:
    """The measures of each block by itself and by its place; and the number of the heading above it, -1 for none."""
    view = _Page(page, hints)
    return view.measure(), view.headings


def prose_of(page: Blocks) -> list[int]:
    """Numbers of the blocks of prose in the element that holds most of it: what stands in for trafilatura's text where there is none."""
    view = _Page(page, Hints())
    return [n for n, (prose, inside) in enumerate(zip(view.prose, view.inside, strict=True)) if inside >= 0 and prose]


@dataclass(slots=True)
class _Sight:
    """A block under measurement. `size`, `links`: bins of its words and of the share within links; `within`: elements between it and the
    story's element (or what they share), innermost first; `near`, `far`: cues of the nearest two and of all of those."""

    n: int
    block: Block
    node: Node
    size: int
    links: int
    within: list[int]
    near: int
    far: int
    tag: str

    @property
    def length(self) -> str:
        return "long" if self.size >= 4 else "short"


class _Page:
    """A page as a whole; `measure` then looks at one block after another."""

    def __init__(self, page: Blocks, hints: Hints) -> None:
        self.page, self.hints = page, hints
        blocks = page.blocks
        self.runs = [shingles(block.text) if hints.extracted else [] for block in blocks]
        found = Known(hints.extracted)
        self.extracted = [found.share(runs) for runs in self.runs]
        declared = Known(hints.declared)
        self.declares = len(declared.runs) > 60
        self.declared = [declared.share(runs) for runs in self.runs]
        self.ends = [ends_sentence(block.text) for block in blocks]
        self.prose = [
            float(min(block.words, 60))
            if block.words >= 10 and 2 * block.linked < block.words and (end or _INNER_END.search(block.text))
            else 0.0
            for block, end in zip(blocks, self.ends, strict=True)
        ]
        self.votes = [prose * (0.1 + share) for prose, share in zip(self.prose, self.extracted, strict=True)]
        self.chains = [ancestors(page, block.node) for block in blocks]
        self.core, self.inside = self._find_core()
        self.headings = self._find_headings()

    def _find_core(self) -> tuple[int, list[int]]:
        """The innermost element that holds most of the prose; and for each block how many elements lie between (-1: outside)."""
        total = sum(self.votes)
        weights: defaultdict[int, float] = defaultdict(float)
        for chain, vote in zip(self.chains, self.votes, strict=True):
            if vote:
                for node in chain:
                    weights[node] += vote
        heavy = [node for node, weight in weights.items() if weight >= 0.8 * total]
        core = max(heavy, key=lambda node: self.page.nodes[node].depth, default=0)
        return core, [chain.index(core) if core in chain else -1 for chain in self.chains]

    def _find_headings(self) -> list[int]:
        """For each block the last heading (h2 to h6) before it whose element's parent also holds the block; -1 for none."""
        found: list[int] = []
        last: dict[int, int] = {}
        for n, (block, chain) in enumerate(zip(self.page.blocks, self.chains, strict=True)):
            found.append(max((last[node] for node in chain if node in last), default=-1))
            node = self.page.nodes[block.node]
            if node.tag in _HEADINGS:
                last[node.parent] = n
        return found

    def measure(self) -> list[Measures]:
        """The measures of each block."""
        self._survey()
        out = []
        for n in range(len(self.page.blocks)):
            if self._is_dismissed(n):
                out.append(DISMISSED)
                continue
            sight = self._sight(n)
            m: Measures = {"bias": 1.0}
            for look in (self._shape, self._names, self._box, self._style, self._witnesses, self._order, self._echoes, self._beside):
                look(sight, m)
            out.append(m)
        return out

    def _survey(self) -> None:
        """Sums over the page: of each element, of each style, and where the story seems to begin and end."""
        blocks, nodes = self.page.blocks, self.page.nodes
        self.styles = [style_of(self.page, block) for block in blocks]
        # words, linked words, votes and extracted words of an element
        self.held: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
        # votes, words and number of the blocks of a style
        self.groups: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        for n, block in enumerate(blocks):
            group = self.groups[self.styles[n]]
            group[0] += self.votes[n]
            group[1] += block.words
            group[2] += 1
            for node in self.chains[n]:
                sums = self.held[node]
                sums[0] += block.words
                sums[1] += block.linked
                sums[2] += self.votes[n]
                sums[3] += block.words * self.extracted[n]
        self.total = sum(self.votes) or 1.0
        self.best = max((group[0] for group in self.groups.values()), default=0.0) or 1.0
        self.longest = max((block.words for block in blocks), default=0) or 1
        taken = [n for n, share in enumerate(self.extracted) if share >= 0.9 and self.inside[n] >= 0 and blocks[n].words >= 3]
        self.top, self.bottom = (taken[0], taken[-1]) if taken else (0, len(blocks))
        voted = [n for n, vote in enumerate(self.votes) if vote >= 8]
        self.first, self.last = (voted[0], voted[-1]) if voted else (0, len(blocks))
        chain = ancestors(self.page, self.core) if nodes else []
        self.core_depth = {node: place for place, node in enumerate(chain)}
        self.articles = sum(nodes[node].tag == "article" for node in chain)
        self.texts = Counter(block.text for block in blocks)
        self.seen: set[str] = set()
        self.title = set(_TOKEN.findall(self.hints.title.lower()))
        self.title_at = self._title_at(self.title)
        self.summary = Known(self.hints.summary) if len(self.hints.summary) > 25 else None
        self.cues = [(cue.id, cue.bit) for cue in cues()]

    def _sight(self, n: int) -> _Sight:
        block, nodes, inside = self.page.blocks[n], self.page.nodes, self.inside[n]
        node = nodes[block.node]
        within = [one for one in self.chains[n] if one not in self.core_depth] if inside < 0 else list(self.chains[n][:inside])
        near = node.cues | (nodes[node.parent].cues if inside > 1 or (inside < 0 and node.parent >= 0) else 0)
        far = 0
        for one in within:
            far |= nodes[one].cues
        links = _bin(block.linked / block.words if block.words else 0.0, _SHARES)
        tag = node.tag if node.tag in _LEAF else "other"
        return _Sight(n, block, node, _bin(block.words, _SIZES), links, within, near, far, tag)

    def _shape(self, sight: _Sight, m: Measures) -> None:
        """Its length, links, tags and signs."""
        block, size = sight.block, sight.size
        m[f"size {size} {self._end(sight.n)}"] = 1.0
        m[f"links {sight.links}"] = 1.0
        m[f"links {sight.links} {sight.length}"] = 1.0
        m[f"tag {sight.tag}"] = 1.0
        if size <= 3:
            m[f"tag {sight.tag} short"] = 1.0
        for wrap in block.wrap & _WRAPS:
            m[f"wrap {wrap}"] = 1.0
        if block.broken:
            m[f"broken {_bin(self.extracted[sight.n], (0.0, 0.5))}"] = 1.0
        for sign in _signs(block.text, size):
            m[sign] = 1.0
        m["of longest"] = block.words / self.longest

    def _names(self, sight: _Sight, m: Measures) -> None:
        """What the elements around it are called, and the heading above it."""
        nodes = self.page.nodes
        for where, mask in (("in", sight.far), ("near", sight.near & sight.far), ("span", sight.block.inner)):
            m.update((f"{where} {name}", 1.0) for name, bit in self.cues if mask & bit)
        for name, mask in (("in", sight.far), ("near", sight.near), ("span", sight.block.inner)):
            count = (mask & FURNITURE).bit_count()
            if count:
                m[f"{name} furniture"] = 1.0
                m[f"{name} furniture many"] = float(count > 1)
        for tag in {nodes[one].tag for one in sight.within} & _NAMED:
            m[f"tag in {tag}"] = 1.0
        if sum(nodes[one].tag == "article" for one in self.chains[sight.n]) > self.articles:
            m["inner article"] = 1.0
        heading = self.headings[sight.n]
        if heading < 0:
            m["under nothing"] = 1.0
            return
        above = nodes[self.page.blocks[heading].node].cues
        m.update((f"under {name}", 1.0) for name, bit in self.cues if above & bit)
        if above & FURNITURE:
            m["under furniture"] = 1.0
        m[f"under extracted {_bin(self.extracted[heading], (0.0, 0.5))}"] = 1.0

    def _box(self, sight: _Sight, m: Measures) -> None:
        """How far from the story's element it stands, and in what: the outermost box within that, and its own parent."""
        inside = self.inside[sight.n]
        if inside < 0:
            steps = next((self.core_depth[one] for one in self.chains[sight.n] if one in self.core_depth), 9)
            m[f"outside {min(steps, 4)}"] = 1.0
        else:
            m[f"inside {min(inside, 4)}"] = 1.0
        if inside == 0 or (inside == 1 and self.prose[sight.n]):
            m["child of core"] = 1.0
        if not sight.within:
            return
        words, linked, votes, known = self.held[sight.within[-1]]
        m[f"box extracted {_bin(known / words if words else 0, _KNOWN)}"] = 1.0
        m[f"box links {_bin(linked / words if words else 0, _SHARES)}"] = 1.0
        m[f"box votes {_bin(votes / self.total, (0.0, 0.02, 0.1, 0.4))}"] = 1.0
        words, linked, _, known = self.held[sight.within[min(1, len(sight.within) - 1)]]
        density = linked / words if words else 0
        m[f"parent links {_bin(density, _SHARES)}"] = 1.0
        m[f"parent extracted {_bin(known / words if words else 0, _KNOWN)} links {_bin(density, (0.2, 0.6))}"] = 1.0
        m[f"parent size {_bin(words, (10, 30, 80, 200))}"] = 1.0

    def _style(self, sight: _Sight, m: Measures) -> None:
        """How much of the story is set like it."""
        votes, words, count = self.groups[self.styles[sight.n]]
        m[f"style votes {_bin(votes / self.best, _STYLES)}"] = 1.0
        if words:
            m[f"style purity {_bin(votes / words, (0.0, 0.1, 0.3, 0.6))}"] = 1.0
        m[f"style count {_bin(count, (1, 2, 4, 10))}"] = 1.0

    def _witnesses(self, sight: _Sight, m: Measures) -> None:
        """What trafilatura and the declared body say of it."""
        n, length = sight.n, sight.length
        shared = _bin(self.extracted[n], (0.0, 0.5, 0.95))
        linked = "linked" if sight.links > 2 else "plain"
        m[f"extracted {shared} {length}"] = 1.0
        m[f"extracted {shared} style {_bin(self.groups[self.styles[n]][0] / self.best, _STYLES)} {length} {linked}"] = 1.0
        m[f"extracted {shared} {sight.tag} {linked}"] = 1.0
        m[f"extracted {shared} {'outside' if self.inside[n] < 0 else 'inside'} {self._end(n)}"] = 1.0
        if sight.far & EMBED:
            m[f"extracted {shared} embed"] = 1.0
        ranged = "before" if n < self.top else "after" if n > self.bottom else "among"
        m[f"range {ranged}"] = 1.0
        m[f"range {ranged} extracted {shared} {length}"] = 1.0
        m["extracted around"] = sum(self.extracted[max(0, n - 3) : n]) / 3 + sum(self.extracted[n + 1 : n + 4]) / 3
        if self.declares:
            told = _bin(self.declared[n], (0.0, 0.5, 0.95))
            m[f"declared {told}"] = 1.0
            m[f"declared {told} {length}"] = 1.0

    def _order(self, sight: _Sight, m: Measures) -> None:
        """Before, among or after the prose that has votes, and above or below the headline."""
        n, end = sight.n, self._end(sight.n)
        place = self._place(n)
        m[f"place {place}"] = 1.0
        m[f"place {place} {'in' if self.inside[n] >= 0 else 'out'} {end}"] = 1.0
        if place != "among":
            m[f"distance {place} {_bin(self.first - n if place == 'before' else n - self.last, (1, 3, 8, 20))}"] = 1.0
        if self.title_at is not None:
            m["above title"] = float(n < self.title_at)
            if place == "before" and n > self.title_at:
                m["below title"] = 1.0
                m[f"below title {'long' if sight.size >= 3 else 'short'} {end}"] = 1.0

    def _echoes(self, sight: _Sight, m: Measures) -> None:
        """Where else the page has its words: in the headline, in the summary, in another block."""
        text = sight.block.text
        words = set(_TOKEN.findall(text.lower())) if sight.block.words < 60 else set()
        if self.title and words:
            common = len(words & self.title)
            if common >= 0.7 * max(len(words), len(self.title)) and len(words) > 1:
                m["like title"] = 1.0
            elif common >= 0.9 * len(words) and sight.size <= 3:
                m["of title"] = 1.0
        if self.summary and self.runs[sight.n] and self.summary.share(self.runs[sight.n]) >= 0.5:
            m["like summary"] = 1.0
            m[f"like summary {self._place(sight.n)}"] = 1.0
        if self.texts[text] > 1:
            m["repeated"] = 1.0
            m[f"repeated {'again' if text in self.seen else 'first'} {sight.length}"] = 1.0
            self.seen.add(text)

    def _beside(self, sight: _Sight, m: Measures) -> None:
        """The block before and the one after."""
        n, blocks = sight.n, self.page.blocks
        subhead = sight.node.tag in _HEADINGS or (sight.size <= 3 and bool(sight.block.wrap & {"strong", "b"}))
        for name, other in (("before", n - 1), ("after", n + 1)):
            if not 0 <= other < len(blocks):
                continue
            m[f"{name} extracted"] = self.extracted[other]
            m[f"{name} votes"] = float(self.votes[other] > 0)
            m[f"{name} styled alike"] = float(self.styles[other] == self.styles[n])
            m[f"{name} short"] = float(blocks[other].words < 6)
            if subhead:
                m[f"subhead {name} {_bin(self.extracted[other], (0.0, 0.5))} {int(self.inside[other] == self.inside[n])}"] = 1.0

    def _end(self, n: int) -> str:
        return "end" if self.ends[n] else "open"

    def _place(self, n: int) -> str:
        return "before" if n < self.first else "after" if n > self.last else "among"

    def _is_dismissed(self, n: int) -> bool:
        """Nobody takes it, it stands apart, and it is a link or a word or two: most of a page, which needs no measuring."""
        block = self.page.blocks[n]
        if self.inside[n] >= 0 or self.extracted[n] > 0.3 or (self.declares and self.declared[n] > 0.3):
            return False
        return block.words < 3 or (block.words < 12 and 10 * block.linked > 8 * block.words)

    def _title_at(self, words: set[str]) -> int | None:
        """Number of the block that shows the headline: an h1 like it, else any like it."""
        if not words:
            return None
        able = []
        for n, block in enumerate(self.page.blocks):
            if block.words <= 40:
                here = set(_TOKEN.findall(block.text.lower()))
                if len(here & words) >= 0.6 * max(1, min(len(here), len(words))) and len(here) >= 0.5 * len(words):
                    tag = self.page.nodes[block.node].tag
                    able.append((tag != "h1", -n if tag == "h1" else n, n))
        return min(able)[2] if able else None


_LAST = (
    ((":", "："), "ends with colon"),
    (("?", "？"), "ends with question"),
    (("...", "…"), "ends with ellipsis"),
    ((">", "→", "»", "›", "▸", "►"), "ends with arrow"),
)
_FIRST = (("\"'“‘„«»「『", "starts with quote"), ("-–—•·*►▶→>+", "starts with sign"), ("([（【", "starts with bracket"))
_ANYWHERE = (
    ("©", "copyright sign"),
    ("(c)", "copyright sign"),
    ("(C)", "copyright sign"),
    ("http", "address"),
    ("www.", "address"),
    ("@", "at sign"),
    ("|", "bar"),
)


def _signs(text: str, size: int) -> Iterator[str]:
    """What the characters of a block say, whatever its language."""
    bare = text.rstrip(_CLOSERS)
    yield from [name for ends, name in _LAST if bare.endswith(ends)][:1]
    first = text[:1]
    if first.islower():
        yield "starts small"
    elif first.isdigit():
        yield "starts with digit"
    else:
        yield from (name for signs, name in _FIRST if first in signs)
    yield from (name for sign, name in _ANYWHERE if sign in text)
    start = text[:60]
    if start.upper() == start and start.lower() != start and len(start) > 8:
        yield "capitals"
    if 4 * len(_DIGITS.findall(start)) > len(start):
        yield "digits"
    head, colon, _ = text[:40].partition(":")
    if colon and len(head.split()) <= 4:
        yield "label and colon"
    if size <= 3:
        yield from _signs_of_short(text)


def _signs_of_short(text: str) -> Iterator[str]:
    words = text.split()
    if len(words) >= 2 and sum(word[0].isupper() for word in words) >= 0.8 * len(words):
        yield "title case"
    if _YEAR.search(text):
        yield "year"
    if _CLOCK.search(text):
        yield "clock"


def style_of(page: Blocks, block: Block) -> tuple[str, str]:
    """How a block is set: tag and class of its element and of the one around."""
    node = page.nodes[block.node]
    return (node.style, page.nodes[node.parent].style if node.parent >= 0 else "")


def relate(page: Blocks, headings: Sequence[int], scores: Sequence[float]) -> list[Measures]:
    """Measures of the second step beside those of the first: what the first step thinks of the block's neighbours (scores are probabilities)."""
    blocks = page.blocks
    by_style: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_node: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    styles = []
    for block, score in zip(blocks, scores, strict=True):
        style = style_of(page, block)
        styles.append(style)
        for sums in (by_style[style], by_node[page.nodes[block.node].parent]):
            sums[0] += block.words * score
            sums[1] += block.words
    total = sum(block.words * score for block, score in zip(blocks, scores, strict=True)) or 1.0
    so_far = 0.0
    out: list[Measures] = []
    count = len(blocks)
    for n, block in enumerate(blocks):
        words, score = block.words, scores[n]
        m: Measures = {}
        before = [scores[k] for k in range(max(0, n - 3), n)]
        after = [scores[k] for k in range(n + 1, min(count, n + 4))]
        heading = headings[n]
        if heading >= 0:
            m["heading score"] = scores[heading] - 0.5
            m["heading"] = 1.0
        m["own score"] = score
        m["own logit"] = _logit(score)
        m["score before"] = before[-1] if before else 0.0
        m["score after"] = after[0] if after else 0.0
        m["score two before"] = before[-2] if len(before) > 1 else 0.0
        m["score two after"] = after[1] if len(after) > 1 else 0.0
        m["best before"] = max(before, default=0.0)
        m["best after"] = max(after, default=0.0)
        m["between"] = min(m["best before"], m["best after"])
        for name, (good, every) in (("style", by_style[styles[n]]), ("parent", by_node[page.nodes[block.node].parent])):
            rest = every - words
            m[f"{name} score"] = (good - words * score) / rest if rest > 0 else score
            m[f"{name} alone"] = float(rest <= 0)
        m["at start"] = float(so_far < 0.02 * total)
        m["at end"] = float(so_far + words * score > 0.98 * total)
        short = words < 12
        if short:
            m["short between"] = m["between"]
            m["short after"] = m["score after"]
            m["short parent"] = m["parent score"]
        so_far += words * score
        out.append(m)
    return out


def _logit(score: float) -> float:
    score = min(max(score, 0.002), 0.998)
    return log(score / (1 - score)) / 6  # about -1 to 1
