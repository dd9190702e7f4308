"""The line model: how each line of a web page's text reads, among its neighbours, and whether that is how lines of stories read.

A page's text is a sequence of lines, each of the story or not. What is seen of a line is cheap: its length, how it begins and ends, its
share of function words (Pomikálek 2011, jusText; Kohlschütter et al. 2010, "Boilerplate detection using shallow text features"), capitals,
what the rules say, words of a page about itself, whether its content words stand in the rest of the body, what stands beside it and where
it is. Each such *sign* is a name and one of a few values; its weight is how much more often story lines show it, in a logistic model
fitted by `python -m bench.fit_lines`. The sequence is then decoded as a whole (Viterbi): a change between story and furniture costs.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.boilerplate.lift import date_line, looks_like_names
from tasks.boilerplate.lines import GAP, INNER_END, UNSPACED, Line, ends_sentence, find_body, weigh
from tasks.boilerplate.rules import LONGEST, Rule, fold

# Which atoms make a sign, as the templates of CRF taggers (Lafferty et al. 2001): `atom` of this line, `atom@+1` of the next one. Tried and
# left out, for they gained nothing in cross-validation: kinds farther off, blocks by size and title, memory of the last heading.
_WRITTEN = """
kind; words end function; words end side; words end capitals; last side words; first end side; hit side prose2; rule;
copies end side; furniture reader side; caption end words; topic side kind; topic run; titled title; kind@-1 kind kind@+1;
kind@-2 kind; kind kind@+2; run side prose15; before after; gap next kind; from kind; past kind; short8 prose5 kind;
run pages5 side; cues3 kind; cues10 side; prose15 kind; dated; named; digits; upper; commas; quoted; colon; bar; handle; link;
rights; clock; dots; hit@-1; hit@+1; hit@-2; hit@+2; topic@-1; topic@+1; furniture@-1; furniture@+1; words@-1 end@-1;
words@+1 end@+1; words@-2 end@-2; words@+2 end@+2; first@+1; last@-1; caption@+1; caption@-1
"""
TEMPLATES = tuple(
    (template, tuple((atom.partition("@")[0], int(atom.partition("@")[2] or 0)) for atom in template.split()))
    for template in (written.strip() for written in _WRITTEN.split(";"))
)
"""A template's name, and its atoms with their offsets."""
REACH = max(abs(offset) for _, parts in TEMPLATES for _, offset in parts)
"""Lines above and below that a template may look at."""

STRETCH = 0.5
"""Log odds for a line inside the heaviest stretch of prose and against one outside: on the few pages that the model reads wrongly as a
whole the stretch is right. In cross-validation F1 .930 (2019) and .937 (2026), without it .910 and .934, with 1.0 .931 and .936."""
STANDFIRST = 2.0
"""Log odds for the first prose at most BELOW lines under the headline. Pages of 2026 count the standfirst to the story, those of 2019 do not
(F1 .003 more, .002 less in cross-validation); to lose it is the greater loss."""
BELOW = 15
SEA = 6
"""so many lines part an island from the story"""
ISLAND = 0.15
"""An island of less than this share of the story's weight goes; with SEA, F1 .001 more in cross-validation, .005 without STRETCH; .1 and .2 are alike."""
MISREAD = 0.3
"""Less than this share of the stretch's prose is no story: the model has misread the page (one of two short paragraphs, say), and the
stretch stands."""
LABELS = 3
"""a short line that stands so often on a page is no subhead"""

WORDS = Path(__file__).with_name("words.toml")
MODEL = Path(__file__).with_name("model.json")

_CLOCK = re.compile(r"\d[:.h]\d\d")
_TOKEN = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")
_WORD = re.compile(r"\w+")
_EDGES = ".,:;!?\"'“”„()[]«»"
_STEM = 7  # letters of a content word that are compared: inflections fall together
_LAST = {
    **dict.fromkeys(".!。！।", "stop"), **dict.fromkeys("?？؟", "question"), **dict.fromkeys(":：", "colon"), **dict.fromkeys(",;،", "comma"),
    **dict.fromkeys('"”“»’」', "quote"), **dict.fromkeys(")）", "bracket"), **dict.fromkeys("|/›>", "bar"), **dict.fromkeys("-–—", "dash"), "…": "dots",
}  # fmt: skip
_FIRST = {**dict.fromkeys("\"“„«'‘»「", "quote"), **dict.fromkeys("-–—•*·>|/+", "bullet")}


@dataclass(frozen=True, slots=True)
class Stems:
    """Stems as one expression, longer ones first, and what words must begin with for it to match where there are spaces."""

    pattern: re.Pattern[str]
    heads: frozenset[str]

    def count(self, line: str, begun: Collection[str] | None) -> int:
        """How many stand in a line in small letters; begun: the first two and three letters of its words, None if they have no spaces."""
        return 0 if begun is not None and self.heads.isdisjoint(begun) else len(self.pattern.findall(line))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The closed lists of words.toml, ready to count: whole words, signs of scripts without spaces, and stems as one expression."""

    function: frozenset[str]
    function_signs: frozenset[str]
    furniture: Stems
    caption: Stems
    reader: frozenset[str]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of signs (`template=values`), the bias, and what a change between story and furniture costs (natural logarithms of odds)."""

    weights: Mapping[str, float]
    bias: float
    change: float


@cache
def vocabulary() -> Vocabulary:
    """The word lists."""
    lists = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    every = {name: [word for words in by_language.values() for word in words.split()] for name, by_language in lists.items()}
    return Vocabulary(
        function=frozenset(every["function"]),
        function_signs=frozenset(word for word in every["function"] if len(word) == 1 and UNSPACED.match(word)),
        furniture=_stems(every["furniture"]),
        caption=_stems(every["caption"]),
        reader=frozenset(every["reader"]),
    )


def _stems(words: Sequence[str]) -> Stems:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    spaced = "|".join(re.escape(word) for word in longest_first if not UNSPACED.match(word))
    unspaced = "|".join(re.escape(word) for word in longest_first if UNSPACED.match(word))
    return Stems(re.compile(rf"(?<!\w)(?:{spaced})|{unspaced}"), frozenset(word[:3] for word in longest_first))


@cache
def load() -> Model:
    """The fitted model, as `bench.fit_lines` wrote it."""
    written = json.loads(MODEL.read_text(encoding="utf-8"))
    weights = {f"{template}={value}": weight for template, values in written["weights"].items() for value, weight in values.items()}
    return Model(weights, written["bias"], written["change"])


def choose(
    lines: Sequence[str],
    looks: Sequence[Line],
    hits: Sequence[Rule | None],
    inside: Sequence[bool],
    heading: int | None = None,
    title: str | None = None,
) -> list[bool]:
    """Which lines of a page are of its story.

    Args:
        lines: the lines of a page that are not blank.
        looks, hits: what the prose test and the rules say of each.
        inside: whether each stands in the heaviest stretch of prose; STRETCH for it or against it is added to what the model says.
        heading: number of the headline among the lines, if it is one of them; STANDFIRST is added for the first prose below it.
        title: the record's own headline; else the first line counts, which is a page's title more often than not.
    """
    odds = [one + (STRETCH if within else -STRETCH) for one, within in zip(judge(lines, looks, hits, title), inside, strict=True)]
    below = range(heading + 1, min(heading + BELOW, len(lines))) if heading is not None else range(0)
    standfirst = next((n for n in below if looks[n].prose and not _is_cue(hits[n])), None)
    if standfirst is not None:
        odds[standfirst] += STANDFIRST
    kept = _without_repeats(lines, looks, _without_islands(looks, odds, decode(odds)))
    stretch = [within and not _is_cue(hit) for within, hit in zip(inside, hits, strict=True)]
    prose = sum(look.words for look, one in zip(looks, stretch, strict=True) if one and look.prose)
    return kept if sum(look.words for look, one in zip(looks, kept, strict=True) if one) >= MISREAD * prose else stretch


def judge(lines: Sequence[str], looks: Sequence[Line], hits: Sequence[Rule | None], title: str | None = None) -> list[float]:
    """For each line the log odds that it is of the story, by itself and its neighbours; undecoded. Arguments as of `choose`."""
    from tasks.kernels import patterns

    table = _table()
    edge = [numbers.get("-", 0) for numbers in table.numbers.values()]
    rows = [[numbers.get(atom[name], 0) for name, numbers in table.numbers.items()] for atom in _atoms(lines, looks, hits, title)]
    values = np.array([*[edge] * REACH, *rows, *[edge] * REACH], np.int64)
    bias = load().bias
    return [bias + one for one in patterns.total(values, REACH, *table.patterns).tolist()]


class _Table(NamedTuple):
    """The model for `kernels.patterns`: a number from 1 for each value of each atom that has a weight, and what the kernel asks for."""

    numbers: dict[str, dict[str, int]]
    patterns: tuple[npt.NDArray[Any], ...]


@cache
def _table() -> _Table:
    numbers: dict[str, dict[str, int]] = {atom: {} for _, parts in TEMPLATES for atom, _ in parts}
    written: dict[str, list[tuple[list[str], float]]] = {}
    for sign, weight in load().weights.items():
        template, _, value = sign.partition("=")
        written.setdefault(template, []).append((value.split("/"), weight))
    for template, parts in TEMPLATES:
        for values, _ in written.get(template, ()):
            for (atom, _), value in zip(parts, values, strict=True):
                numbers[atom].setdefault(value, len(numbers[atom]) + 1)
    columns, offsets, strides, firsts, bases, weights = list[int](), list[int](), list[int](), [0], list[int](), list[float]()
    for template, parts in TEMPLATES:
        bases.append(len(weights))
        places = 1
        for atom, offset in parts:
            columns.append(list(numbers).index(atom))
            offsets.append(offset)
            strides.append(places)
            places *= len(numbers[atom]) + 1  # 0 is for values without a weight
        weights += [0.0] * places
        for values, weight in written.get(template, ()):
            at = sum(numbers[atom][value] * size for (atom, _), value, size in zip(parts, values, strides[firsts[-1] :], strict=True))
            weights[bases[-1] + at] = weight
        firsts.append(len(columns))
    return _Table(numbers, (*(np.array(one, np.int64) for one in (firsts, columns, offsets, strides, bases)), np.array(weights)))


def _without_islands(looks: Sequence[Line], odds: Sequence[float], kept: Sequence[bool]) -> list[bool]:
    """Kept lines far from the others go when they weigh little beside the story: teasers, consent texts, a comment."""
    runs: list[list[int]] = []
    for n in (n for n, one in enumerate(kept) if one):
        if runs and n - runs[-1][-1] <= SEA:
            runs[-1].append(n)
        else:
            runs.append([n])
    weights = [sum(looks[n].words * max(odds[n], 0.1) for n in run) for run in runs]
    least = ISLAND * max(weights, default=0.0)
    stays = {n for run, weight in zip(runs, weights, strict=True) if weight >= least for n in run}
    return [n in stays for n in range(len(kept))]


def _without_repeats(lines: Sequence[str], looks: Sequence[Line], kept: Sequence[bool]) -> list[bool]:
    """Prose that stands again goes (captions do), and labels that stand LABELS times on the page."""
    counts = Counter(line.strip() for line in lines)
    seen: set[str] = set()
    out = []
    for line, look, one in zip(lines, looks, kept, strict=True):
        bare = line.strip()
        again = bare in seen if look.prose else look.weight <= GAP and look.words > 1 and counts[bare] >= LABELS
        out.append(one and not again)
        if one:
            seen.add(bare)
    return out


def decode(odds: Sequence[float], change: float | None = None) -> list[bool]:
    """Which lines are of the story: the likeliest sequence when each change costs (Viterbi 1967; Forney 1973).

    >>> decode([3.0, -0.2, 3.0, -3.0], change=0.5)
    [True, True, True, False]
    """
    cost = load().change if change is None else change
    out, kept = 0.0, 0.0
    back: list[tuple[bool, bool]] = []
    for one in odds:
        stays_out, stays_kept = out >= kept - cost, kept >= out - cost
        back.append((not stays_out, stays_kept))
        out, kept = (out if stays_out else kept - cost), (kept if stays_kept else out - cost) + one
    states = [kept > out]
    for from_kept_when_out, from_kept_when_kept in reversed(back[1:]):
        states.append(from_kept_when_kept if states[-1] else from_kept_when_out)
    return states[::-1] if odds else []


def signs(lines: Sequence[str], looks: Sequence[Line], hits: Sequence[Rule | None], title: str | None = None) -> Iterator[list[str]]:
    """The signs of each line, as `template=value/value`."""
    atoms = _atoms(lines, looks, hits, title)
    edge = dict.fromkeys(atoms[0], "-") if atoms else {}
    padded = [edge] * REACH + atoms + [edge] * REACH
    for n in range(REACH, REACH + len(atoms)):
        yield [f"{name}={'/'.join([padded[n + offset][atom] for atom, offset in parts])}" for name, parts in TEMPLATES]


def _atoms(lines: Sequence[str], looks: Sequence[Line], hits: Sequence[Rule | None], title: str | None) -> list[dict[str, str]]:
    words = vocabulary()
    cues = [_is_cue(hit) for hit in hits]
    first, last = find_body(weigh(looks, cues))
    prose = [look.words if look.prose and not cue else 0 for look, cue in zip(looks, cues, strict=True)]
    content = [frozenset(_content(line, words)) for line in lines]
    in_body = Counter(word for n in range(first, last) if prose[n] for word in content[n])
    heading = frozenset(_content(title, words)) if title else content[0] if lines else frozenset()
    folded = [fold(line) if len(line) <= LONGEST else line for line in lines]
    copies = Counter(folded)
    atoms = []
    for n, line in enumerate(lines):
        known = 1 if first <= n < last and prose[n] else 0  # its own words do not count
        topic = sum(in_body[word] > known for word in content[n]) / len(content[n]) if content[n] else -1.0
        common = len(content[n] & heading)
        found = _look_closer(line, looks[n], hits[n], words)
        found |= {
            "copies": str(min(3, copies[folded[n]] - 1)),
            "topic": _grade(topic, -0.5, 0.001, 0.15, 0.3, 0.45, 0.6, 0.8),
            "titled": _grade(common / len(content[n]) if content[n] else -1.0, -0.5, 0.001, 0.2, 0.5, 0.8),
            "title": _grade(common / max(1, len(heading)), 0.001, 0.2, 0.5, 0.8),
            "side": "in" if first <= n < last else "above" if n < first else "below",
            "from": _grade(first - n, -200, -60, -20, -8, -3, -1, 0.5, 1.5, 3.5, 8.5, 20.5, 60.5),
            "past": _grade(n - last, -200, -60, -20, -8, -3, -1.5, -0.5, 0.5, 3.5, 8.5, 20.5, 60.5),
        }
        atoms.append(found)
    _look_around(atoms, [look.words for look in looks], prose, cues)
    return atoms


def _look_closer(line: str, look: Line, hit: Rule | None, words: Vocabulary) -> dict[str, str]:
    """What a line shows by itself; amounts are graded."""
    bare, lower, parts = line.strip(), line.lower(), line.split()
    tokens = [part.strip(_EDGES) for part in lower.split()]
    size = max(1, look.words)
    function = sum([token in words.function for token in tokens])
    begun: set[str] | None = None
    if not line.isascii() and UNSPACED.search(line):
        function += sum(sign in words.function_signs for sign in line) // 2
    else:
        found = _WORD.findall(lower)
        begun = {word[:3] for word in found} | {word[:2] for word in found}
    furniture, caption = words.furniture.count(lower, begun), words.caption.count(lower, begun)
    reader = sum([token in words.reader for token in tokens])
    upper = sum(map(str.isupper, line))
    capitals = sum(part[0].isupper() for part in parts) / max(1, len(parts))
    dated, named = date_line(line, look) is not None, looks_like_names(line)
    ended = ends_sentence(line)
    return {
        "kind": _kind(look, _is_cue(hit), dated, named, ended),
        "words": _grade(look.words, 0.5, 1.5, 2.5, 4.5, 7.5, 11.5, 19.5, 39.5),
        "end": "2" if ended else "1" if INNER_END.search(line) else "0",
        "function": _grade(function / size, 0.001, 0.15, 0.3, 0.45),
        "capitals": _grade(capitals, 0.05, 0.2, 0.4, 0.6, 0.85),
        "upper": _grade(upper / max(1, len(bare)), 0.02, 0.06, 0.15, 0.4, 0.8),
        "digits": _grade(sum(map(str.isdecimal, line)) / max(1, len(bare)), 0.001, 0.03, 0.1, 0.25),
        "last": _LAST.get(bare[-1:]) or ("digit" if bare[-1:].isdecimal() else "word"),
        "first": _FIRST.get(bare[:1])
        or ("small" if bare[:1].islower() else "capital" if bare[:1].isupper() else "digit" if bare[:1].isdecimal() else "other"),
        "hit": f"{hit.kind}-{hit.zone}" if hit else "none",
        "rule": hit.id if hit else "none",
        "dated": str(int(dated)),
        "named": str(int(named)),
        "furniture": _grade(furniture / size, 0.001, 0.05, 0.12, 0.25),
        "talk": _grade(furniture, 0.5, 1.5, 2.5, 4.5, 7.5),
        "caption": _grade(caption / size, 0.001, 0.06, 0.15),
        "reader": _grade(reader / size, 0.001, 0.06, 0.12),
        "commas": str(min(3, line.count(",") + line.count("、") + line.count("،"))),
        "quoted": str(int(any(sign in line for sign in '"“”„«»「'))),
        "colon": str(int(":" in line or "：" in line)),
        "bar": str(int("|" in line or "›" in line or "»" in line)),
        "handle": str(int("@" in line)),
        "link": str(int("http" in line or "www." in line or ".com" in line)),
        "rights": str(int("©" in line or "(c)" in lower)),
        "clock": str(int(len(line) < 60 and _CLOCK.search(line) is not None)),
        "dots": str(int(bare.endswith(("...", "…", "[…]")))),
    }


def _is_cue(hit: Rule | None) -> bool:
    """A rule takes the line; credits are only lifted."""
    return hit is not None and hit.kind not in ("byline", "agency")


def _kind(look: Line, cue: bool, dated: bool, named: bool, ended: bool) -> str:
    """The kind of a line in one word, for patterns of neighbours."""
    if cue:
        return "cue"
    if dated or named:
        return "date" if dated else "name"
    if look.words < 3:
        return "tiny"
    if look.prose:
        return "paragraph" if look.words >= 20 else "sentence"
    if ended:
        return "remark"
    return "label" if look.words < 8 else "heading" if look.words < 20 else "row"


def _look_around(atoms: list[dict[str, str]], words: Sequence[int], prose: Sequence[int], cues: Sequence[bool]) -> None:
    """What stands around each line: shares of prose, of rule hits, of short lines; how long the run of prose; how far the next prose."""
    count = len(atoms)
    short = [atom["kind"] in ("tiny", "label", "heading", "date", "name") for atom in atoms]
    pages = [int(atom["furniture"]) > 0 for atom in atoms]
    all_words, all_prose, all_cues, all_short, all_pages = ([0, *accumulate(one)] for one in (words, prose, cues, short, pages))
    total = max(1, all_prose[-1])
    runs, above, below = _runs(prose), _gaps(prose), _gaps(prose[::-1])[::-1]
    for n, atom in enumerate(atoms):
        for name, reach in (("prose2", 2), ("prose5", 5), ("prose15", 15)):
            start, end = max(0, n - reach), min(count, n + reach + 1)
            share = (all_prose[end] - all_prose[start]) / max(1, all_words[end] - all_words[start])
            atom[name] = _grade(share, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
        for name, sums, reach, grades in (
            ("short8", all_short, 8, (0.1, 0.3, 0.5, 0.7, 0.9)),
            ("cues3", all_cues, 3, (0.01, 0.2, 0.4)),
            ("cues10", all_cues, 10, (0.01, 0.1, 0.2, 0.4)),
            ("pages5", all_pages, 5, (0.01, 0.1, 0.3, 0.6)),
        ):
            start, end = max(0, n - reach), min(count, n + reach + 1)
            atom[name] = _grade((sums[end] - sums[start]) / (end - start), *grades)
        atom["run"] = _grade(runs[n], 0.5, 1.5, 2.5, 4.5, 8.5)
        atom["gap"] = _grade(above[n], 1.5, 2.5, 4.5, 8.5, 16.5, 32.5)
        atom["next"] = _grade(below[n], 1.5, 2.5, 4.5, 8.5, 16.5, 32.5)
        atom["before"] = _grade(all_prose[n] / total, 0.001, 0.1, 0.3, 0.7, 0.9, 0.999)
        atom["after"] = _grade(1 - all_prose[n + 1] / total, 0.001, 0.1, 0.3, 0.7, 0.9, 0.999)


def _runs(prose: Sequence[int]) -> list[int]:
    """For each line of prose, how many stand in a row with it; 0 for others."""
    out: list[int] = []
    for is_prose, run in groupby(prose, key=bool):
        length = sum(1 for _ in run)
        out += [length if is_prose else 0] * length
    return out


def _gaps(prose: Sequence[int]) -> list[int]:
    """For each line, how many lines above it the nearest prose is; 99 when there is none."""
    out, gap = [], 99
    for one in prose:
        out.append(min(99, gap))
        gap = 1 if one else gap + 1
    return out


def _content(line: str, words: Vocabulary) -> Iterator[str]:
    """Stems of the words that carry a line's topic; pairs of signs where a script has no spaces."""
    for word in _TOKEN.findall(line.lower()):
        if not word.isascii() and UNSPACED.search(word):
            yield from (word[n : n + 2] for n in range(len(word) - 1))
        elif (len(word) >= 4 and word not in words.function) or word.isdecimal():
            yield word[:_STEM]


def _grade(value: float, *grades: float) -> str:
    return str(bisect_right(grades, value))
