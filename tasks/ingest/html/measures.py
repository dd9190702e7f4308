"""Measures of a block: what the model of weights.json knows of it. All are counts, shares and names of cues; no words of any language."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.ingest.html.blocks import Block, Blocks, ancestors, cue_bit, cues

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
_NAMED = frozenset("aside figure figcaption table blockquote header footer nav form button details dl ul ol section li main article label center pre".split())
DISMISSED: Measures = {"dismissed": 1.0}
_HEADINGS = frozenset(["h2", "h3", "h4", "h5", "h6"])
EMBED = cue_bit("embed")
FURNITURE = sum(
    cue_bit(name)
    for name in ("related", "newsletter", "promo", "paywall", "consent", "share", "comment", "figure", "author", "date", "tags", "navigation", "hidden")
)
_LEAF = frozenset("p div li h1 h2 h3 h4 h5 h6 td th blockquote figcaption button section article header footer aside span dd dt pre".split())


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


class _Page:
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
            float(min(block.words, 60)) if block.words >= 10 and 2 * block.linked < block.words and (end or _INNER_END.search(block.text)) else 0.0
            for block, end in zip(blocks, self.ends, strict=True)
        ]
        self.votes = [prose * (0.1 + share) for prose, share in zip(self.prose, self.extracted, strict=True)]
        self.chains = [ancestors(page, block.node) for block in blocks]
        self.core, self.inside = self._find_core()
        self.headings = self._find_headings()
        self.styles = [self._style(block) for block in blocks]

    def _style(self, block: Block) -> tuple[str, str]:
        node = self.page.nodes[block.node]
        return (node.style, self.page.nodes[node.parent].style if node.parent >= 0 else "")

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
        found, last = [], {}
        for n, (block, chain) in enumerate(zip(self.page.blocks, self.chains, strict=True)):
            found.append(max((last[node] for node in chain if node in last), default=-1))
            node = self.page.nodes[block.node]
            if node.tag in _HEADINGS:
                last[node.parent] = n
        return found

    def measure(self) -> list[Measures]:
        page, blocks = self.page, self.page.blocks
        groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        # words, linked words, votes and extracted words of an element
        held: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
        for n, block in enumerate(blocks):
            groups[self.styles[n]].append(n)
            for node in self.chains[n]:
                sums = held[node]
                sums[0] += block.words
                sums[1] += block.linked
                sums[2] += self.votes[n]
                sums[3] += block.words * self.extracted[n]
        total = sum(self.votes) or 1.0
        group_votes = {style: sum(self.votes[n] for n in members) for style, members in groups.items()}
        group_words = {style: sum(blocks[n].words for n in members) for style, members in groups.items()}
        best = max(group_votes.values(), default=0.0) or 1.0
        taken = [n for n, share in enumerate(self.extracted) if share >= 0.9 and self.inside[n] >= 0 and blocks[n].words >= 3]
        top, bottom = (taken[0], taken[-1]) if taken else (0, len(blocks))
        texts = Counter(block.text for block in blocks)
        voted = [n for n, vote in enumerate(self.votes) if vote >= 8]
        first, last = (voted[0], voted[-1]) if voted else (0, len(blocks))
        core_chain = ancestors(page, self.core) if page.nodes else []
        core_depth = {node: place for place, node in enumerate(core_chain)}
        core_cues = 0
        for node in core_chain:
            core_cues |= page.nodes[node].cues
        title_words = set(_TOKEN.findall(self.hints.title.lower()))
        title_at = self._title_at(title_words)
        summary = Known(self.hints.summary) if len(self.hints.summary) > 25 else None
        out: list[Measures] = []
        articles = sum(page.nodes[node].tag == "article" for node in core_chain)
        names = [(cue.id, cue.bit) for cue in cues()]
        seen: set[str] = set()
        longest = max((block.words for block in blocks), default=0)
        for n, block in enumerate(blocks):
            if self._is_dismissed(n):
                out.append(DISMISSED)
                continue
            m: Measures = {"bias": 1.0}
            node = page.nodes[block.node]
            size = _bin(block.words, _SIZES)
            end = self.ends[n]
            m[f"size {size} {'end' if end else 'open'}"] = 1.0
            density = block.linked / block.words if block.words else 0.0
            links = _bin(density, _SHARES)
            m[f"links {links}"] = 1.0
            m[f"links {links} {'long' if size >= 4 else 'short'}"] = 1.0
            # where it stands
            inside = self.inside[n]
            chain = self.chains[n]
            if inside < 0:
                steps = next((core_depth[one] for one in chain if one in core_depth), 9)
                m[f"outside {min(steps, 4)}"] = 1.0
                within = [one for one in chain if one not in core_depth]
            else:
                m[f"inside {min(inside, 4)}"] = 1.0
                within = list(chain[:inside])
            near = node.cues | (page.nodes[node.parent].cues if inside > 1 or (inside < 0 and node.parent >= 0) else 0)
            far = 0
            tags = set()
            for one in within:
                far |= page.nodes[one].cues
                tags.add(page.nodes[one].tag)
            for name, bit in names:
                if far & bit:
                    m[f"in {name}"] = 1.0
                    if near & bit:
                        m[f"near {name}"] = 1.0
                if block.inner & bit:
                    m[f"span {name}"] = 1.0
            for name, mask in (("in", far), ("near", near), ("span", block.inner)):
                count = (mask & FURNITURE).bit_count()
                if count:
                    m[f"{name} furniture"] = 1.0
                    m[f"{name} furniture many"] = float(count > 1)
            for tag in tags & _NAMED:
                m[f"tag in {tag}"] = 1.0
            if sum(page.nodes[one].tag == "article" for one in chain) > articles:
                m["inner article"] = 1.0
            heading = self.headings[n]
            if heading >= 0:
                above = page.nodes[blocks[heading].node].cues
                for name, bit in names:
                    if above & bit:
                        m[f"under {name}"] = 1.0
                if above & FURNITURE:
                    m["under furniture"] = 1.0
                m[f"under extracted {_bin(self.extracted[heading], (0.0, 0.5))}"] = 1.0
            else:
                m["under nothing"] = 1.0
            tag = node.tag if node.tag in _LEAF else "other"
            m[f"tag {tag}"] = 1.0
            if size <= 3:
                m[f"tag {tag} short"] = 1.0
            for wrap in block.wrap & {"a", "strong", "b", "em", "i", "span"}:
                m[f"wrap {wrap}"] = 1.0
            if block.broken:
                m[f"broken {_bin(self.extracted[n], (0.0, 0.5))}"] = 1.0
            # the box it is in: the outermost element within the core
            if within and inside != 0:
                words, linked, votes, known = held[within[-1]]
                m[f"box extracted {_bin(known / words if words else 0, (0.01, 0.5, 0.9))}"] = 1.0
                m[f"box links {_bin(linked / words if words else 0, _SHARES)}"] = 1.0
                m[f"box votes {_bin(votes / total, (0.0, 0.02, 0.1, 0.4))}"] = 1.0
                words, linked, votes, known = held[within[min(1, len(within) - 1)]]
                m[f"parent links {_bin(linked / words if words else 0, _SHARES)}"] = 1.0
                m[f"parent extracted {_bin(known / words if words else 0, (0.01, 0.5, 0.9))} links {_bin(linked / words if words else 0, (0.2, 0.6))}"] = 1.0
                m[f"parent size {_bin(words, (10, 30, 80, 200))}"] = 1.0
            # how it is set
            style = self.styles[n]
            m[f"style votes {_bin(group_votes[style] / best, (0.0, 0.03, 0.1, 0.5))}"] = 1.0
            if group_words[style]:
                m[f"style purity {_bin(group_votes[style] / group_words[style], (0.0, 0.1, 0.3, 0.6))}"] = 1.0
            m[f"style count {_bin(len(groups[style]), (1, 2, 4, 10))}"] = 1.0
            # what others say
            share = self.extracted[n]
            shared = _bin(share, (0.0, 0.5, 0.95))
            voted_style = _bin(group_votes[style] / best, (0.0, 0.03, 0.1, 0.5))
            length = "long" if size >= 4 else "short"
            m[f"extracted {shared} {length}"] = 1.0
            m[f"extracted {shared} style {voted_style} {length} {'linked' if links > 2 else 'plain'}"] = 1.0
            m[f"extracted {shared} {tag} {'linked' if links > 2 else 'plain'}"] = 1.0
            m[f"extracted {shared} {'outside' if inside < 0 else 'inside'} {'end' if end else 'open'}"] = 1.0
            if far & EMBED:
                m[f"extracted {shared} embed"] = 1.0
            if self.declares:
                told = _bin(self.declared[n], (0.0, 0.5, 0.95))
                m[f"declared {told}"] = 1.0
                m[f"declared {told} {'long' if size >= 4 else 'short'}"] = 1.0
            place = "before" if n < first else "after" if n > last else "among"
            m[f"place {place}"] = 1.0
            m[f"place {place} {'in' if inside >= 0 else 'out'} {'end' if end else 'open'}"] = 1.0
            m[f"distance {place} {_bin(first - n if n < first else n - last, (1, 3, 8, 20))}"] = 1.0 if place != "among" else 0.0
            ranged = "before" if n < top else "after" if n > bottom else "among"
            m[f"range {ranged}"] = 1.0
            m[f"range {ranged} extracted {shared} {length}"] = 1.0
            m["extracted around"] = sum(self.extracted[max(0, n - 3) : n]) / 3 + sum(self.extracted[n + 1 : n + 4]) / 3
            if title_at is not None:
                m["above title"] = float(n < title_at)
                if place == "before" and n > title_at:
                    m["below title"] = 1.0
                    m[f"below title {'long' if size >= 3 else 'short'} {'end' if end else 'open'}"] = 1.0
            words_here = set(_TOKEN.findall(block.text.lower())) if block.words < 60 else set()
            if title_words and words_here:
                common = len(words_here & title_words)
                if common >= 0.7 * max(len(words_here), len(title_words)) and len(words_here) > 1:
                    m["like title"] = 1.0
                elif common >= 0.9 * len(words_here) and size <= 3:
                    m["of title"] = 1.0
            if summary and self.runs[n]:
                alike = summary.share(self.runs[n])
                if alike >= 0.5:
                    m["like summary"] = 1.0
                    m[f"like summary {place}"] = 1.0
            if texts[block.text] > 1:
                m["repeated"] = 1.0
                m[f"repeated {'again' if block.text in seen else 'first'} {length}"] = 1.0
                seen.add(block.text)
            for sign in _signs(block.text, size):
                m[sign] = 1.0
            # what stands beside it
            for name, other in (("before", n - 1), ("after", n + 1)):
                if 0 <= other < len(blocks):
                    m[f"{name} extracted"] = self.extracted[other]
                    m[f"{name} votes"] = float(self.votes[other] > 0)
                    m[f"{name} styled alike"] = float(self.styles[other] == style)
                    m[f"{name} short"] = float(blocks[other].words < 6)
                    if node.tag in ("h2", "h3", "h4", "h5", "h6") or (size <= 3 and block.wrap & {"strong", "b"}):
                        m[f"subhead {name} {_bin(self.extracted[other], (0.0, 0.5))} {int(self.inside[other] == inside)}"] = 1.0
            if inside == 0 or (inside == 1 and self.prose[n]):
                m["child of core"] = 1.0
            if longest:
                m["of longest"] = block.words / longest
            out.append(m)
        return out

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


def _signs(text: str, size: int) -> list[str]:
    """What the characters of a block say, whatever its language."""
    found = []
    bare = text.rstrip(_CLOSERS)
    if bare.endswith((":", "：")):
        found.append("ends with colon")
    elif bare.endswith(("?", "？")):
        found.append("ends with question")
    elif bare.endswith(("...", "…")):
        found.append("ends with ellipsis")
    elif bare.endswith((">", "→", "»", "›", "▸", "►")):
        found.append("ends with arrow")
    first = text[:1]
    if first.islower():
        found.append("starts small")
    elif first.isdigit():
        found.append("starts with digit")
    elif first in "\"'“‘„«»「『":
        found.append("starts with quote")
    elif first in "-–—•·*►▶→>+":
        found.append("starts with sign")
    elif first in "([（【":
        found.append("starts with bracket")
    if "©" in text or "(c)" in text.lower():
        found.append("copyright sign")
    if "http" in text or "www." in text:
        found.append("address")
    if "@" in text:
        found.append("at sign")
    if "|" in text:
        found.append("bar")
    start = text[:60]
    if start.upper() == start and start.lower() != start and len(start) > 8:
        found.append("capitals")
    if 4 * len(_DIGITS.findall(start)) > len(start):
        found.append("digits")
    head, colon, _ = text[:40].partition(":")
    if colon and len(head.split()) <= 4:
        found.append("label and colon")
    if size <= 3:
        words = text.split()
        if len(words) >= 2 and sum(word[0].isupper() for word in words) >= 0.8 * len(words):
            found.append("title case")
        if _YEAR.search(text):
            found.append("year")
        if _CLOCK.search(text):
            found.append("clock")
    return found


def relate(page: Blocks, headings: Sequence[int], scores: Sequence[float]) -> list[Measures]:
    """Measures of the second step beside those of the first: what the first step thinks of the block's neighbours (scores are probabilities)."""
    blocks = page.blocks
    by_style: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    by_node: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    styles = []
    for block, score in zip(blocks, scores, strict=True):
        node = page.nodes[block.node]
        style = (node.style, page.nodes[node.parent].style if node.parent >= 0 else "")
        styles.append(style)
        for sums in (by_style[style], by_node[node.parent]):
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
    from math import log

    score = min(max(score, 0.002), 0.998)
    return log(score / (1 - score)) / 6
