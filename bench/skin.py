"""Re-skinning: the text of a family told again about something else, so that no two events of a generated corpus are alike.

A *skeleton* is a paragraph cut into what stays (function words, punctuation) and *slots*. A slot belongs to a *group*: all
words of one base, one name, one figure, over all families and roles. An event has a key; key and group decide what stands in
the slot, so that an event's rewrites, copies and follow-ups say the same of the same, and another event says something else.

Words are replaced by words of like frequency and inflection (wordfreq, read at run time and never copied), some of
them drawn from the few that the event's *topic* prefers: stories of a topic resemble each other as real ones do. No more than three
words in a row stay, or the phrases of 24 families would be in thousands of stories.

Nothing is drawn from a random number generator: every choice is a hash (splitmix64; Steele, Lea, Flood 2014) of key and place.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.quality import ROOT

FAMILIES = ROOT / "tests" / "data" / "families.jsonl"
PARTS = Path(__file__).with_name("data") / "corpus.toml"

KEPT_FROM = 5.0
"""Zipf frequency from which a word stays, but where a run of kept words must be broken."""
RUN = 3
"""Most words in a row that stay, where there are alternatives to them."""
WINDOW, LEAST = 8, 7.0
"""Of so many words in a row so much is replaced that e^7 = 1,100 other wordings are as likely: as a passage in common, eight words are a
candidate key, and with fewer each of the families' passages would be in hundreds of a million stories."""
RAREST = 2.2
"""Zipf frequency of the rarest words used: below it wordfreq's list is names and misspellings."""
COMMON = 3.0
"""Zipf frequency below which the prior of tasks.rarity knows no word: a common word's other forms must be at least as common."""
BANDS = (2.2, 2.6, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 4.75, 5.0, 5.5)
NAMES, ACRONYMS, NUMBERS = 24_000, 2_000, 512
"""How many invented names and acronyms there are, and figures of one shape at most."""

TOPICS, PREFERRED, STEEP = 300, 48, 3
"""Topics, of each class of words how many a topic prefers, and how much it prefers the first of them."""
DESKS = 25
"""Topics of one desk (politics, sport) share half of what they prefer."""
TOPICAL_WORDS, TOPICAL_NAMES = 0.75, 0.55
"""Share of an event's words and names that are those of its topic."""

LOWER, CAPITAL, UPPER = range(3)
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
OUTLET = "OUTLET"
"""Stands for the name of the outlet of the event's source."""
TOKEN = re.compile(r"OUTLET|<[^>]+>|[^\W\d_]+(?:['’](?:t|re|ve|ll|d|m)\b)?|\d+(?:[.,]\d+)*")
SENTENCE_END = re.compile(r"[.!?:\n]|^\s*[\"“]")
KNOWN_NAMES = ("plain", 5), ("plain", 6), ("plain", 7)
"""Names that everybody knows: what a third of the names become, so that names are as rare as in real stories."""

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


def mixed(values: Keys) -> Keys:
    """The finaliser of splitmix64, value by value: uint64[n]."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def keys(base: Keys | int, *more: npt.NDArray[Any] | int) -> Keys:
    """A key of a key and numbers: uint64[n]."""
    out = np.atleast_1d(np.asarray(base, np.uint64))
    for number in more:
        out = mixed(out + (np.atleast_1d(np.asarray(number)).astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return out


def share(values: Keys) -> npt.NDArray[np.float64]:
    """Keys as numbers from 0 to 1."""
    return (values >> np.uint64(11)).astype(np.float64) * 2.0**-53


@cache
def parts() -> dict[str, Any]:
    return tomllib.loads(PARTS.read_text(encoding="utf-8"))


# ---- the words that replace -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Words:
    """All that can stand in a slot: table object[rows, 12] (form x case); a class is the rows [starts[c], starts[c] + sizes[c])."""

    table: npt.NDArray[np.object_]
    classes: dict[tuple[Any, ...], int]
    starts: Places
    sizes: Places
    lexemes: dict[str, tuple[int, int]]
    """Word -> number of its base's group among the bases, form."""
    bases: list[tuple[str, tuple[Any, ...]]]
    """Base -> (written, class)."""


@cache
def vocabulary() -> dict[str, float]:
    """English words of three letters or more with their Zipf frequency."""
    import wordfreq

    listed = wordfreq.get_frequency_list("en", "large")
    found = ((word, 9 - place / 100) for place, words in enumerate(listed) if 9 - place / 100 >= RAREST for word in words)
    return {word: zipf for word, zipf in found if word.isascii() and word.isalpha() and len(word) > 2}


def analysed(word: str) -> tuple[str, int]:
    """Base and form (0 as it is, 1 -s, 2 -ed, 3 -ing) of a word in lower case; the base is a word, and not much rarer.

    >>> analysed("hoped"), analysed("studies"), analysed("glass")
    (('hope', 2), ('study', 1), ('glass', 0))
    """
    zipf = vocabulary()
    for ending, form, ends in ENDINGS:
        stem = word.removesuffix(ending)
        if len(stem) < 3 or stem == word or (ending == "s" and stem[-1] == "s"):
            continue
        bases = [stem + end for end in ends]
        if form > 1 and len(stem) > 3 and stem[-1] == stem[-2]:
            bases.append(stem[:-1])
        best = max(bases, key=lambda base: zipf.get(base, 0.0))
        if zipf.get(best, 0.0) >= max(RAREST, zipf.get(word, 0.0) - 0.7):
            return best, form
    return word, 0


ENDINGS = (("ies", 1, ("y",)), ("es", 1, ("", "e")), ("s", 1, ("",)), ("ied", 2, ("y",)), ("ed", 2, ("", "e")), ("ing", 3, ("", "e")))


def band(zipf: float) -> int:
    return int(np.searchsorted(BANDS, zipf, side="right"))


@cache
def words() -> Words:
    zipf, spoken = vocabulary(), parts()["words"]
    forms: dict[str, dict[int, str]] = defaultdict(dict)
    for word in zipf:
        base, form = analysed(word)
        found = forms[base]
        if zipf[word] >= min(COMMON, zipf[base]):
            found.setdefault(form, word)
    by_class: dict[tuple[Any, ...], list[dict[int, str]]] = defaultdict(list)
    bases, of_base = list[tuple[str, tuple[Any, ...]]](), dict[str, int]()
    closed = {word for group in spoken["functions"] for word in group} | set(spoken["kept"])
    for base, found in forms.items():
        found.setdefault(0, base)
        kind = "verb" if {1, 2, 3} <= found.keys() else "noun" if 1 in found else "adverb" if base.endswith("ly") else "plain"
        name = (kind, band(zipf[base]))
        of_base[base] = len(bases)
        bases.append((base, name))
        if base not in closed and zipf[base] < BANDS[-1]:
            by_class[name].append(found)
    for number, group in enumerate(spoken["functions"]):
        by_class["function", number] = [{0: word} for word in group]
    by_class["name",] = [{0: name} for name in invented(NAMES)]
    by_class["acronym",] = [{0: name} for name in _acronyms()]
    by_class["weekday",] = [{0: day} for day in DAYS]
    by_class["month",] = [{0: month} for month in MONTHS]
    by_class["day",] = [{0: str(day)} for day in range(1, 29)]
    by_class["year",] = [{0: str(year)} for year in range(1800, 2100)]
    by_class["outlet",] = [{0: name} for name in outlets()]
    by_class["end",] = [{0: "\n\n"}]
    rows, classes, starts = list[list[str]](), dict[tuple[Any, ...], int](), list[int]()
    for name, members in by_class.items():
        classes[name] = len(classes)
        starts.append(len(rows))
        rows += [_cased(member, name[0] in {"outlet", "weekday", "month", "end"}) for member in members]
    table = np.empty((len(rows), 12), object)
    table[:] = rows
    lexemes = {word: (of_base[base], form) for word in zipf for base, form in [analysed(word)]}
    return Words(table, classes, np.array(starts), np.diff([*starts, len(rows)]), lexemes, bases)


def _cased(found: dict[int, str], fixed: bool) -> list[str]:
    out = []
    for form in range(4):
        word = found.get(form, found[0])
        out += [word] * 3 if fixed else [word, word[:1].upper() + word[1:], word.upper()]
    return out


@cache
def invented(count: int) -> list[str]:
    """Invented names, each once."""
    syllables, made = parts()["names"], dict[str, None]()
    draws = share(keys(7, np.arange(4 * count)[:, None], np.arange(4)[None, :])).tolist()
    for begin, middle, end, full in draws:
        halves = (syllables["begin"], begin), (syllables["middle"] if full < 0.75 else [""], middle), (syllables["end"], end)
        made["".join(choice[int(draw * len(choice))] for choice, draw in halves)] = None
    return list(made)[:count]


def _acronyms() -> list[str]:
    draws = (keys(11, np.arange(ACRONYMS)[:, None], np.arange(4)[None, :]) % np.uint64(26)).astype(int)
    return ["".join(chr(65 + letter) for letter in draw[: 3 + place % 2]) for place, draw in enumerate(draws.tolist())]


@cache
def outlets(count: int = 400) -> list[str]:
    """Names of the invented outlets; the first twelve are agencies."""
    names = invented(NAMES)[-count:]
    told = parts()["outlets"]
    out = []
    for place, name in enumerate(names):
        draw = share(keys(13, place, np.arange(2)))
        kinds = told["agencies"] if place < 12 else told["kinds"]
        the = "The " if place >= 12 and draw[0] < told["the"] else ""
        out.append(f"{the}{name} {kinds[int(draw[1] * len(kinds))]}")
    return out


# ---- skeletons ----------------------------------------------------------------------------------------------------------------


@dataclass
class Skeletons:
    """All paragraphs, flat: the slots of paragraph p are [starts[p], starts[p + 1]); the last one of each is its end.

    before object[slots] is the text before each slot; group and column (of Words.table) int64[slots]; sizes int64[paragraphs], bytes.
    `roles[family, role]` are the paragraphs of a text, the headline first; `series[n]` those of a template; lines by name.
    """

    before: npt.NDArray[np.object_]
    group: Places
    column: Places
    starts: Places
    sizes: Places
    group_class: Places
    group_argument: Places
    roles: dict[tuple[str, str], list[int]]
    series: list[list[int]]
    lines: dict[str, list[int]]
    preferred: npt.NDArray[np.int64] = field(repr=False)


class Slot(NamedTuple):
    """What may stand here (a class of Words), what makes its group (sort, base, argument of a date), and the column of the table."""

    name: tuple[Any, ...]
    group: tuple[str, str, int]
    column: int


class _Cutter:
    """Cuts texts into paragraphs of slots; one for all of them, because groups are shared."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.words = words()
        self.lower = {word for text in texts for word in TOKEN.findall(text) if word.islower()}
        self.functions = {word.lower(): number for number, group in enumerate(parts()["words"]["functions"]) for word in group}
        self.kept = set(parts()["words"]["kept"])
        self.groups: dict[tuple[str, str, int], int] = {}
        self.names: list[tuple[Any, ...]] = []
        """The class of each group."""
        self.shapes: dict[str, None] = {}
        self.slots: list[tuple[str, int, int]] = []
        """Text before it, group, column."""
        self.ends: list[int] = []
        self.sizes: list[int] = []

    def cut(self, paragraph: str, at: datetime | None) -> int:
        """The number of the paragraph, cut. `at`: when its story was published, which its dates count from."""
        pieces = list[tuple[str, str, Slot | None]]()
        first, last, previous = True, 0, ""
        for match in TOKEN.finditer(paragraph):
            gap, word = paragraph[last : match.start()], match.group()
            first |= bool(SENTENCE_END.search(gap))
            pieces.append((gap, word, self._slot(word, first, previous, at)))
            first, last, previous = False, match.end(), word
        for size, least in ((RUN + 1, 1e-9), (WINDOW, LEAST)):
            self._break(pieces, size, least)
        before = ""
        for gap, word, slot in pieces:
            before += gap
            if slot is None:
                before += word
                continue
            self._add(before, slot)
            before = ""
        self._add(before + paragraph[last:], Slot(("end",), ("end", "", 0), 0))
        self.ends.append(len(self.slots))
        self.sizes.append(len(paragraph.encode()) + 2)
        return len(self.ends) - 1

    def _add(self, before: str, slot: Slot) -> None:
        if slot.group not in self.groups:
            self.groups[slot.group] = len(self.groups)
            self.names.append(slot.name)
        self.slots.append((before, self.groups[slot.group], slot.column))

    def _slot(self, word: str, first: bool, previous: str, at: datetime | None) -> Slot | None:
        """The slot of a word, None where it stays. `first`: it begins a sentence, so that its capital says nothing."""
        if word == OUTLET:
            return Slot(("outlet",), ("outlet", "", 0), 0)
        if word[0] == "<":
            return Slot(("name",), ("name", word[1:-1].lower(), 0), CAPITAL)
        if word[0].isdigit():
            return self._number(word, previous, at)
        if at and (word in DAYS or (word in MONTHS and not (first and word == MONTHS[4]))):
            name, written, now = ("weekday", DAYS, at.weekday()) if word in DAYS else ("month", MONTHS, at.month - 1)
            return Slot((name,), (name, "", written.index(word) - now), 0)
        low = word.lower()
        if len(word) < 3 or low in self.kept or not word.isalpha():
            return None
        return self._named(word, low) or (None if self._common(low) else self._word(low, _case(word)))

    def _named(self, word: str, low: str) -> Slot | None:
        """A name or an acronym: a word that is written with a capital, and no word of the language that is written without."""
        case, zipf = _case(word), vocabulary().get(low, 0.0)
        if case == UPPER and low not in vocabulary() and len(word) < 6:
            return Slot(("acronym",), ("acronym", word, 0), UPPER)
        if case == LOWER or low in self.lower or zipf >= (3.0 if low in vocabulary() else 9.0):
            return None
        known = int(keys(23, zlib.crc32(low.encode()))[0] % np.uint64(3 * len(KNOWN_NAMES)))
        return Slot(KNOWN_NAMES[known] if known < len(KNOWN_NAMES) else ("name",), ("name", low, 0), case)

    def _choice(self, slot: Slot | None) -> float:
        """Natural logarithm of how many things may stand in a slot; dates vary little from story to story."""
        if slot is None or slot.name == ("year",):
            return 0.0
        if slot.name in {("weekday",), ("month",), ("day",)}:
            return 1.5
        if slot.name[0] == "number":
            return math.log(min(NUMBERS, 9 ** slot.name[1].count("9")))
        return math.log(self.words.sizes[self.words.classes[slot.name]])

    def _common(self, low: str) -> bool:
        return vocabulary().get(low, 0.0) >= KEPT_FROM or low in self.functions

    def _word(self, low: str, case: int) -> Slot:
        base, form = analysed(low)
        name: tuple[Any, ...] = ("noun" if form else "plain", 1)
        if low in self.words.lexemes:
            number, form = self.words.lexemes[low]
            base, name = self.words.bases[number]
            name = name if name in self.words.classes else ("plain", min(name[1], len(BANDS) - 1))
        return Slot(name, ("word", base, 0), form * 3 + case)

    def _number(self, word: str, previous: str, at: datetime | None) -> Slot:
        if at and len(word) == 4 and word.isdigit() and 1800 <= int(word) < 2060:
            return Slot(("year",), ("year", "", int(word) - at.year), 0)
        if at and previous in MONTHS and word.isdigit() and int(word) < 32:
            return Slot(("day",), ("day", "", int(word) - at.day), 0)
        shape = re.sub(r"[1-9]", "9", word)
        self.shapes[shape] = None
        return Slot(("number", shape), ("number", word, 0), 0)

    def _break(self, pieces: list[tuple[str, str, Slot | None]], size: int, least: float) -> None:
        """Make slots of kept words, until of `size` words in a row the slots leave a choice of `least`, where there are alternatives.

        Which ones is decided by the words of each window alone (by hash, as in winnowing): what is quoted word for word in
        another role stays word for word the same, but for its ends.
        """
        slots = [slot for _, _, slot in pieces]
        others = [None if slot else self._alternatives(word) for _, word, slot in pieces]
        order = [zlib.crc32(word.lower().encode()) for _, word, _ in pieces]
        for begin in range(len(pieces) - size + 1):
            window = range(begin, begin + size)
            choice = sum(self._choice(slots[place]) for place in window)
            for place in sorted(window, key=order.__getitem__):
                if choice >= least:
                    break
                if (other := others[place]) is not None:
                    choice += self._choice(other)
                    pieces[place] = (*pieces[place][:2], other)

    def _alternatives(self, word: str) -> Slot | None:
        """The slot of a word that stays elsewhere; None if nothing can stand for it."""
        low = word.lower().replace("’", "'")
        if low in self.functions:
            case = LOWER if word.islower() or word[0] == "I" else CAPITAL
            return Slot(("function", self.functions[low]), ("word", low, 0), case)
        if low in self.words.lexemes and vocabulary()[low] < BANDS[-1]:
            return self._word(low, _case(word))
        return None


def _case(word: str) -> int:
    return LOWER if word.islower() else UPPER if word.isupper() else CAPITAL


def _figures(shape: str) -> list[str]:
    """Figures of one shape: 9 stands for a digit that is no zero (0 stays 0), so that round figures stay round."""
    digits = shape.count("9")
    count = min(NUMBERS, 9**digits)
    draws = keys(17, np.arange(4 * count)[:, None], np.arange(max(1, digits))[None, :]) % np.uint64(9)
    out = dict[str, None]()
    for draw in map(iter, draws.tolist()):
        out["".join(str(1 + next(draw)) if sign == "9" else sign for sign in shape)] = None
    return list(out)[:count]


@cache
def skeletons() -> tuple[Skeletons, Words]:
    """Skeletons of all families and templates, and the words with the figures that they ask for."""
    rows = [json.loads(line) for line in FAMILIES.read_text(encoding="utf-8").splitlines()]
    told = parts()
    cutter = _Cutter(row["text"] for row in rows)
    source_of = {row["family"]: row["source"].removeprefix("The ") for row in rows if row["role"] == "source"}
    roles = {}
    for row in rows:
        at = datetime.fromisoformat(row["published_at"])
        texts = [row["title"], *row["text"].split("\n\n")]
        texts = [text.replace(source_of[row["family"]], OUTLET) for text in texts if text.strip()]
        roles[row["family"], row["role"]] = [cutter.cut(text, at) for text in texts]
    series = [[cutter.cut(text, None) for text in [one["title"], *one["paragraphs"]]] for one in told["series"]]
    lines = {name: [cutter.cut(text, None) for text in told[name]["lines"]] for name in ("attribution", "correction")}
    found = _with_figures(cutter)
    before = np.array([slot[0] for slot in cutter.slots], object)
    group, column = (np.array([slot[side] for slot in cutter.slots]) for side in (1, 2))
    classes = np.array([found.classes[name] for name in cutter.names])
    arguments = np.array([argument for _, _, argument in cutter.groups])
    begins = np.array([0, *cutter.ends])
    sizes = np.array(cutter.sizes)
    return Skeletons(before, group, column, begins, sizes, classes, arguments, roles, series, lines, _preferred(found)), found


def _with_figures(cutter: _Cutter) -> Words:
    base = words()
    classes, starts, sizes, tables = dict(base.classes), base.starts.tolist(), base.sizes.tolist(), [base.table]
    for shape in cutter.shapes:
        figures = _figures(shape)
        classes["number", shape] = len(classes)
        starts.append(sum(len(table) for table in tables))
        sizes.append(len(figures))
        table = np.empty((len(figures), 12), object)
        table[:] = np.array(figures, object)[:, None]
        tables.append(table)
    return Words(np.concatenate(tables), classes, np.array(starts), np.array(sizes), base.lexemes, base.bases)


def _preferred(found: Words) -> npt.NDArray[np.int64]:
    """The rows that each topic prefers of each class: int64[topics, classes, PREFERRED]."""
    topics, ranks = np.arange(TOPICS)[:, None, None], np.arange(PREFERRED)[None, None, :]
    topics = np.where(ranks % 2 == 1, TOPICS + topics % DESKS, topics)
    classes = np.arange(len(found.starts))[None, :, None]
    draws = keys(keys(19, topics, classes), ranks) % found.sizes.astype(np.uint64)[None, :, None]
    return found.starts[None, :, None] + draws.astype(np.int64)


# ---- texts --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Orders:
    """Texts to be written, flat by paragraph; those of text t are [texts[t], texts[t + 1]).

    paragraph int64; key, detail uint64: what decides the words, and the figures and half of the names; edited float: share of the
    words that are others than in the event; salt uint64: which; and of each text topic, outlet (of the source), days, weekday, month, year,
    day of the event.
    """

    texts: Places
    paragraph: Places
    key: Keys
    detail: Keys
    salt: Keys
    edited: npt.NDArray[np.float64]
    topic: Places
    outlet: Places
    date: npt.NDArray[np.int64]
    """int64[texts, 4]: weekday (0 is Monday), month (1-12), day, year."""


def write(orders: Orders) -> list[str]:
    """The texts: paragraphs split and ended by a blank line."""
    skeleton, found = skeletons()
    rules = _rules()
    lengths = np.diff(skeleton.starts)[orders.paragraph]
    ends = np.cumsum(lengths)
    slots = np.repeat(skeleton.starts[orders.paragraph] - (ends - lengths), lengths) + np.arange(ends[-1])
    text = np.repeat(np.repeat(np.arange(len(orders.topic)), np.diff(orders.texts)), lengths)
    group = skeleton.group[slots]
    kind = skeleton.group_class[group]
    key = np.repeat(orders.key, lengths)
    if (orders.detail != orders.key).any():
        detail = np.repeat(orders.detail, lengths)
        stays = rules.named[kind] & (keys(key, group) & np.uint64(1) == 1)
        key = np.where(rules.detail[kind] & ~stays, detail, key)
    if orders.edited.any():
        salt = keys(np.repeat(orders.salt, lengths), slots)
        key = np.where((share(salt) < np.repeat(orders.edited, lengths)) & rules.word[kind], salt, key)
    draw = keys(key, group)
    low = (draw & np.uint64(0xFFFFFFFF)).astype(np.float64) * 2.0**-32
    high = (draw >> np.uint64(32)).astype(np.float64) * 2.0**-32
    row = found.starts[kind] + (low * found.sizes[kind]).astype(np.int64)
    preferred = skeleton.preferred[orders.topic[text], kind, (PREFERRED * low**STEEP).astype(np.int64)]
    row = np.where(high < rules.topical[kind], preferred, row)
    for name, size, column in (("weekday", 7, 0), ("month", 12, 1), ("day", 28, 2), ("year", 300, 3)):
        places = np.flatnonzero(kind == found.classes[name,])
        first = {"year": 1800, "weekday": 0}.get(name, 1)
        counted = skeleton.group_argument[group[places]] + orders.date[text[places], column] - first
        row[places] = found.starts[found.classes[name,]] + counted % size
    places = np.flatnonzero(kind == found.classes["outlet",])
    row[places] = found.starts[found.classes["outlet",]] + orders.outlet[text[places]]
    out = np.empty(2 * len(slots), object)
    out[0::2] = skeleton.before[slots]
    out[1::2] = found.table[row, skeleton.column[slots]]
    pieces = out.tolist()
    stops = (2 * ends[orders.texts[1:] - 1]).tolist()
    return ["".join(pieces[begin:stop]) for begin, stop in zip([0, *stops[:-1]], stops, strict=True)]


@dataclass(frozen=True, eq=False)
class _Rules:
    """By class: is it a name, does it tell one issue of a series from the next, is it a word, how often is it the topic's."""

    named: npt.NDArray[np.bool_]
    detail: npt.NDArray[np.bool_]
    word: npt.NDArray[np.bool_]
    topical: npt.NDArray[np.float64]


@cache
def _rules() -> _Rules:
    kinds = [name[0] for name in skeletons()[1].classes]
    named, number = (np.array([kind == wanted for kind in kinds]) for wanted in ("name", "number"))
    word = np.array([kind in {"verb", "noun", "adverb", "plain"} for kind in kinds])
    return _Rules(named, named | number, word, np.where(word, TOPICAL_WORDS, np.where(named, TOPICAL_NAMES, 0.0)))
