"""What the lines around a story say about it: headline, byline, agency, date."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tasks import dates
from tasks.boilerplate.dated import is_label, line_dates, read_date
from tasks.boilerplate.lines import UNSPACED, Line, count_words, ends_sentence
from tasks.boilerplate.names import AGENCIES, is_mark, looks_like_names, names_in, read_byline
from tasks.boilerplate.rules import LONGEST, Rule, fold

HEADLINE_WORDS = range(3, 36)
SMALL_HEAD = 10  # a text with at most so many lines before its body is a story with its credits, not a dump of a page
BYLINE_WORDS = 40  # a longer line is no byline
CREDIT_LINES = 12  # bylines and agencies farther above the body, or below the headline, are of other stories
OPENING = 6  # credits may also stand among the first lines of the body
CLOSING = 3  # and the agency below its last
HEADLINE_ABOVE, HEADLINE_BELOW = 60, 12  # lines above and below the body's first in which the headline stands
LEAD, LEAD_SIGNS = 18, 4000  # lines and code points of the body that a headline is compared with
NEARLY = 0.8  # the first line with so much of the best score is the headline: standfirst and captions come after it
SUFFIX = 40  # code points; what a page's title says after its headline is shorter
BESIDE = 4  # lines between a name that stands alone and the date or the mark that shows it to be the author's

_WORDS = re.compile(r"\w+")
_MARKS = re.compile("[\u0300-\u036f]+")
_SUFFIX = re.compile(r"(?<!\s)(?:\s+[|｜·•»–—:-]{1,2}\s+|\s*[|｜]\s*)")
_BULLET = re.compile(r"^(?:[*+•·▪►»>#-]|o|\d{1,2}\.)\s+\S")
_OTHER_BYLINE = re.compile(r"^(?:by|von|par|por|di|door|av|af|przez)$", re.IGNORECASE)
_DATELINE = re.compile(
    r"^(?P<place>[^\W\d_a-z][^()\n/]{1,60}?)\s*[(/](?P<agency>[^\W\d_][\w ./&-]{1,28})[)/]\s*(?:[-–—:.,]|(?=[A-ZÀ-ÞА-Я]))"
)
_CREDITED = re.compile(
    r"^\s*[(\[](?P<agency>[^\W\d_][\w ./&-]{1,28})[)\]]\s*[-–—:]|^[A-ZÀ-ÞА-Я][^.!?\n]{1,60}?\s[-–—]\s?(?P<dash>[A-Za-zА-я]{2,9})\s?[-–—]\s"
)
_CLOSED = re.compile(r"(?:^|[.!?”\"»。]\s*)[(\[–—-]\s*(?:©\s*)?(?P<agency>[\w/ .&,+-]{2,40}?)\s*[)\]]?$|^©\s*(?P<owner>[\w/ .&,+-]{2,30})$")
_MARKED_OFF = re.compile(r"[(/\[]|\s[-–—]")
_PARTY = re.compile(r"[A-Z]{1,4}-[A-Z]{2}")  # the (D-MI) of a senator
_DESK = re.compile(r"(?<!\s)(?:\s+(?:world|news|europe|staff|service|wire)\b|\s*[/|,+]).*$", re.IGNORECASE)

__all__ = ["Credits", "Fields", "Page", "agency_of_dateline", "alike", "date_line", "looks_like_names", "read_credits"]


class Page(NamedTuple):
    """A story's lines, how each reads, the rule that knows it, and the body: its first line and one past its last.

    numbered: numbers of the lines with a numeral, in order.
    """

    lines: Sequence[str]
    looks: Sequence[Line]
    hits: Sequence[Rule | None]
    start: int
    end: int
    numbered: Sequence[int]


@dataclass(frozen=True, slots=True)
class Fields:
    """What was lifted; None where the lines do not say."""

    title: str | None = None
    byline: str | None = None
    agency: str | None = None
    published_at: datetime | None = None
    published_precision: dates.Precision | None = None


@dataclass(frozen=True, slots=True)
class Credits:
    """Fields; which lines they came from (line number -> headline, byline, agency, date); and the line of the headline."""

    fields: Fields
    lines: dict[int, str]
    heading: int | None


def read_credits(page: Page, title: str | None, url: str | None = None) -> Credits:
    """Read the lines before the body, and the first short ones in it, for headline, byline, agency and date.

    Args:
        page: the lines, and what is known of each.
        title: the record's own title; lines that repeat it are headlines, and none is looked for.
        url: the record's address, in which many outlets write the day.
    """
    head = [n for n in range(page.start) if page.lines[n].strip()]
    near = [*head, *_opening(page)]
    taken: dict[int, str] = {}
    heading, found = _find_headline(page, head, title, url)
    date = read_date(page, heading, url, taken)
    if heading is not None or (title and near):
        known = _words(title or page.lines[heading or 0])
        least, most = len(known) // 3, 3 * len(known) + 1  # no line of fewer or more words is alike: do not look
        for n in near if heading is None else {*near, heading}:
            if n == heading or (least <= page.looks[n].words <= most and n not in taken and _are_alike(_words(page.lines[n]), known)):
                taken.setdefault(n, "headline")
    byline, agency = _read_marked(page, heading, near, taken)
    if byline is None and heading is not None:
        byline, credited = _read_unmarked(page, head, heading, taken)
        agency = agency or credited
    agency = agency or _agency_in_body(page, taken)
    return Credits(
        Fields(None if title else found, byline, agency, date.when if date else None, date.precision if date else None), taken, heading
    )


def alike(line: str, title: str) -> bool:
    """True when the line is the title, give or take case, signs and what a page adds (its name, a breadcrumb), or most of it.

    >>> alike("Ferry strike ends - Harbour Post", "Ferry strike ends"), alike("Ferry strike ends in talks", "Ferry strike goes on")
    (True, False)
    """
    return len(line) <= LONGEST and _are_alike(_words(line), _words(title))


def _words(line: str) -> list[str]:
    return _WORDS.findall(fold(line)) if len(line) <= LONGEST else []


def _are_alike(ours: Sequence[str], theirs: Sequence[str]) -> bool:
    if not ours or not theirs:
        return False
    short, long = sorted((" ".join(ours), " ".join(theirs)), key=len)
    if short == long:
        return True
    if (long.startswith(short) or long.endswith(short)) and 2 * len(short) >= len(long) and len(short) >= 12:
        return True
    return len(set(ours)) >= 4 and len(set(ours) & set(theirs)) >= 0.8 * max(len(set(ours)), len(set(theirs)))


def agency_of_dateline(line: str) -> str | None:
    """The agency in the brackets or strokes of a dateline, or between its dashes; the line stays as it is.

    >>> agency_of_dateline("RIGA, May 14 (Baltic Wire) - Defence ministers met on Wednesday.")
    'Baltic Wire'
    >>> agency_of_dateline("Riga – dpa – Defence ministers met."), agency_of_dateline("Riga (pop. 600,000) - a city on the Daugava.")
    ('dpa', None)
    """
    head = line[:100]
    if not (_has(head, "([/-–—") and _MARKED_OFF.search(head)):
        return None
    if match := _DATELINE.match(line):
        return _agency(
            match["agency"], sure=not any(sign.isdigit() or sign == "." for sign in match["agency"]) and _is_place(match["place"])
        )
    match = _CREDITED.match(line)
    return _agency(match["agency"] or match["dash"]) if match else None


def _has(line: str, signs: str) -> bool:
    for sign in signs:  # noqa: SIM110  # some 5 times as fast as any() and as a regex
        if sign in line:
            return True
    return False


def date_line(line: str, look: Line) -> dates.Found | None:
    """The first date of a line that is about nothing else: a short line, no sentence, that writes day, month and year."""
    found = line_dates(line, look)
    return found[0] if found else None


def _opening(page: Page) -> list[int]:
    """The short lines of the body before its second prose: credits may stand under a standfirst, but not deeper in a story."""
    found, prose = [], 0
    for n in range(page.start, min(page.start + OPENING, page.end)):
        prose += page.looks[n].prose
        if prose > 1:
            break
        if not page.looks[n].prose:
            found.append(n)
    return found


# ---- headline --------------------------------------------------------------------------------------------------------


def _find_headline(page: Page, head: Sequence[int], title: str | None, url: str | None) -> tuple[int | None, str | None]:
    """Line number and text of the headline.

    A line that the record's title is like. Without one, the line above the body or at its beginning whose words the story and the address
    share the most; in a story with its credits, if none does, the longest line above its first prose.
    """
    if title:
        able = [n for n in head if page.hits[n] is None and _may_be_headline(page.lines[n], page.looks[n]) and not _is_label(page, n)]
        return next((n for n in reversed(able) if alike(page.lines[n], title)), None), None
    if not head:
        return None, None
    span = [head[0], *range(max(head[0] + 1, page.start - HEADLINE_ABOVE), min(page.start + HEADLINE_BELOW, page.end))]
    able = [n for n in span if _is_able(page, n)]
    best = _likest(page, able, url)
    if best is None and len(head) <= SMALL_HEAD:
        prose = next((n for n in head if page.looks[n].prose and page.hits[n] is None), page.start)
        best = max((n for n in able if n < prose and _heads(page, n)), key=lambda n: (page.looks[n].words, n), default=None)
    return best, None if best is None else _text(_bare_title(page.lines[best]) if best == head[0] else page.lines[best])


def _is_able(page: Page, n: int) -> bool:
    line = page.lines[n]
    if len(line) > LONGEST or page.hits[n] is not None or not _may_be_headline(line, page.looks[n]) or _is_label(page, n):
        return False
    if line.lstrip()[:1] in "(©" or line.split()[-1].casefold().strip("().") in AGENCIES:
        return False  # a caption with its credit
    return (
        not _BULLET.match(line.strip())
        and date_line(line, page.looks[n]) is None
        and read_byline(line) is None
        and not looks_like_names(line)
    )


def _likest(page: Page, able: Sequence[int], url: str | None) -> int | None:
    """The line that says what the story is about: it shares most of its longer words with the body's beginning or with the address.

    A page's first line is its title; the line that says the same again nearer to the body is its headline.
    """
    if not able:
        return None
    told = {n: _terms(page.lines[n]) for n in able}
    body = _terms("\n".join(page.lines[n] for n in range(page.start, min(page.start + LEAD, page.end)) if n not in told)[:LEAD_SIGNS])
    slug = _slug(url) if url else frozenset()
    first = able[0]
    scores = {}
    for n, terms in told.items():
        if len(terms) < 2:
            continue
        shared = len(terms & body)
        filed = len(terms & slug) / min(len(terms), len(slug)) if len(slug) >= 3 and len(terms & slug) >= 2 else 0.0
        named = n != first and alike(page.lines[n], page.lines[first])
        if n > page.start and filed < 0.5 and not named:
            continue  # a subhead
        if filed >= 0.5 or named or (shared >= 3 and 5 * shared >= 2 * len(terms)) or (shared == len(terms) and page.looks[n].words >= 4):
            scores[n] = 2 * filed + shared / len(terms) + min(shared, 6) / 6
    if not scores:
        return None
    most = max(scores.values())
    best = min(n for n in scores if scores[n] >= NEARLY * most)
    again = [n for n in scores if n > best and alike(page.lines[n], page.lines[best])]
    above = [n for n in again if n <= page.start]
    return max(above, default=min(again, default=best)) if best < page.start else best


def _heads(page: Page, n: int) -> bool:
    """A line that may stand over this story though it shares little with it: one word, at least, and no label of time or list."""
    line = page.lines[n].strip()
    if line.endswith((":", "：")) or is_label(line.lower()) is not None or line[:1].islower():
        return False
    lead = _plain("\n".join(page.lines[page.start : page.end])[:LEAD_SIGNS])
    return any(term[:5] in lead for term in _terms(line))  # also as a part of a longer word


def _terms(text: str) -> frozenset[str]:
    """Longer words without accents, and pairs of signs in scripts without spaces."""
    folded = _plain(text)
    words = _WORDS.findall(folded)
    if folded.isascii():
        return frozenset([word for word in words if len(word) > 3])
    found = {word for word in words if len(word) > 3 or (len(word) > 1 and word[0] > "\u0900")}
    if UNSPACED.search(folded):
        runs = {word for word in found if UNSPACED.search(word)}
        found = (found - runs) | {run[at : at + 2] for run in runs for at in range(len(run) - 1)}
    return frozenset(found)


def _plain(text: str) -> str:
    folded = text.casefold()
    return folded if folded.isascii() else _MARKS.sub("", unicodedata.normalize("NFD", folded))


def _slug(url: str) -> frozenset[str]:
    """The words of the headline that an address holds, with German ae, oe, ue as they are without their dots."""
    path = url.partition("?")[0].partition("#")[0].casefold()
    words = {word for word in re.split(r"[^a-z]+", max(path.split("/"), key=lambda part: part.count("-"))) if len(word) > 3}
    return frozenset(words | {word.replace("ae", "a").replace("oe", "o").replace("ue", "u") for word in words})


def _bare_title(line: str) -> str:
    """A page's title without what stands after the last signs that set off the outlet's name.

    >>> _bare_title("Ferry strike ends after talks - Harbour | Harbour Post"), _bare_title("Ferry – strike")
    ('Ferry strike ends after talks', 'Ferry – strike')
    """
    bare = line.strip()
    while True:
        cuts = [cut for cut in _SUFFIX.finditer(bare) if ":" not in cut[0]]
        if not cuts:
            return bare
        before, after = bare[: cuts[-1].start()], bare[cuts[-1].end() :]
        if count_words(before) < 3 or len(after) > SUFFIX or len(after) >= len(before) or ends_sentence(after):
            return bare
        bare = before


def _text(line: str) -> str:
    return re.sub(r"^(?:[*+•·▪►»>#|-]\s+)+", "", line.strip()).strip()


def _is_label(page: Page, n: int) -> bool:
    """A line that stands twice in a row (the outlet's name, for its logo and in words), or the credits around a caption."""
    beside = [m for m in (n - 1, n + 1) if 0 <= m < len(page.lines)]
    return any(page.lines[m] == page.lines[n] or ((rule := page.hits[m]) is not None and rule.id == "caption") for m in beside)


def _may_be_headline(line: str, look: Line) -> bool:
    return look.words in HEADLINE_WORDS and (not ends_sentence(line) or line.rstrip()[-1:] in "?!？！\"”’'»")


# ---- byline and agency -----------------------------------------------------------------------------------------------


def _read_marked(page: Page, heading: int | None, near: Sequence[int], taken: dict[int, str]) -> tuple[str | None, str | None]:
    """Byline and agency of the lines that a rule or a word like "By" marks as such; a line may hold byline and date."""
    byline = agency = None
    window = {n for n in near if n >= page.start - CREDIT_LINES}
    if heading is not None:
        window |= {
            n for n in range(heading + 1, min(heading + 2 * CREDIT_LINES, page.end)) if page.lines[n].strip() and not page.looks[n].prose
        }
    for n in sorted(window):
        hit, line = page.hits[n], page.lines[n]
        if (
            taken.get(n) == "headline"
            or page.looks[n].words > BYLINE_WORDS
            or len(line) > LONGEST
            or (hit is not None and hit.kind not in ("byline", "agency"))
        ):
            continue
        if hit is not None and hit.kind == "agency":
            agency = agency or _DESK.sub("", line.strip(" \t.:;()[]-–—|"))
            taken.setdefault(n, "agency")
            continue
        credit = read_byline(line)
        if credit is not None or taken.get(n) == "date":
            credit = read_byline(_undated(line)) or _names_beside_date(line)
        if credit is None and is_mark(line):
            credit = _read_below(page, n, taken)
        if hit is not None:
            taken[n] = "byline"
        if credit is not None:
            taken[n] = "byline" if taken.get(n) != "date" else "date"
            byline, agency = byline or credit[0], agency or credit[1]
    return byline, agency


def _undated(line: str) -> str:
    """The line with its dates cut out, so that a month is no name."""
    for found in reversed(dates.find(line, day_first=True) if any(sign.isdecimal() for sign in line) else []):
        line = f"{line[: found.start].rstrip(' ,|·•-–—/(')} | {line[found.end :].lstrip(' ,|·•-–—/)')}"
    return line.strip(" |")


def _names_beside_date(line: str) -> tuple[str | None, str | None] | None:
    """Names alone beside the date, before or after it: 'Ana Example | 4 March 2024, 14:30', '4 March 2024 by Ana Example'."""
    for part in re.split(r"\s*[|/•·]\s*|,\s+(?=\S+ \S+$)", _undated(line)):
        marked = read_byline(part)
        if marked is not None and marked[0]:
            return marked
        if looks_like_names(part) and is_label(part.lower()) is None:
            return part.strip(), None
    return None


def _read_below(page: Page, mark: int, taken: dict[int, str]) -> tuple[str | None, str | None] | None:
    """Names on the line under "By"."""
    below = next((n for n in range(mark + 1, min(mark + 3, len(page.lines))) if page.lines[n].strip()), None)
    if below is None or len(page.lines[below]) > LONGEST:
        return None
    credit = names_in(_undated(page.lines[below]))
    if credit is not None and credit[0]:
        taken.setdefault(below, "byline")
        taken.setdefault(mark, "byline")
        return credit
    return None


def _read_unmarked(page: Page, head: Sequence[int], heading: int, taken: dict[int, str]) -> tuple[str | None, str | None]:
    """Names that stand alone: beside the headline of a story with its credits, or beside the date under the headline of a page."""
    if len(head) <= SMALL_HEAD:
        free = [n for n in head if n not in taken and page.hits[n] is None]
        named = [n for n in free if abs(n - heading) <= 2 and looks_like_names(page.lines[n])]
        if named:
            author = min(named, key=lambda n: abs(n - heading))
            above = [n for n in free if n < author and len(page.lines[n].split()) <= 3 and not _OTHER_BYLINE.match(page.lines[n].strip())]
            taken |= {author: "byline"} | dict.fromkeys(above, "agency")
            return page.lines[author].strip(), page.lines[above[0]].strip() if above else None
    dated = {n for n, rule in taken.items() if rule == "date" and n > heading}
    for n in range(heading + 1, min(heading + 2 * CREDIT_LINES, page.end)):
        line = page.lines[n]
        if n in taken or page.hits[n] is not None or page.looks[n].prose or not 3 < len(line.strip()) <= 80:
            continue
        between = (sum(bool(page.lines[m].strip()) for m in range(min(n, d) + 1, max(n, d))) for d in dated)
        if any(gap < BESIDE for gap in between) or _has_profile(page, line.strip()):
            credit = names_in(_text(line)) if _is_name_line(_text(line)) else None
            if credit is not None and credit[0] and not _is_told_of(page, credit[0]):
                taken[n] = "byline"
                return credit
    return None, None


def _is_name_line(line: str) -> bool:
    """Names and nothing else, or names with role and handle behind them."""
    if looks_like_names(line):
        return True
    credit = names_in(line)
    return (
        credit is not None
        and credit[0] is not None
        and line.startswith(credit[0])
        and looks_like_names(re.split(r",| and | und ", credit[0], maxsplit=1)[0].strip())
    )


def _is_told_of(page: Page, name: str) -> bool:
    """The story itself tells of them: their names stand beside the date as its tags."""
    last = name.rpartition(" ")[2]
    return any(last in page.lines[n] for n in range(page.start, page.end) if page.looks[n].prose)


def _has_profile(page: Page, name: str) -> bool:
    """The page says below the story who this is: "Ana Example is a reporter"."""
    if not looks_like_names(name):
        return False
    begins = tuple(f"{name} {verb} " for verb in ("is", "ist", "est", "es", "é", "è", "är", "er", "was", "has", "covers", "writes"))
    return any(line.strip().startswith(begins) for line in page.lines[page.start :])


def _agency_in_body(page: Page, taken: dict[int, str]) -> str | None:
    """The agency of the dateline, which stays, or of the last lines: '(dpa/abc)', '© AFP', '—Reuters' on a line of its own goes."""
    found = next((found for line in page.lines[page.start : page.start + 3] if (found := agency_of_dateline(line[:200]))), None)
    if found:
        return found
    last = [n for n in range(max(page.start, page.end - CLOSING), min(page.end + CLOSING, len(page.lines))) if page.lines[n].strip()]
    for n in last:
        tail = page.lines[n][-60:].strip()
        match = _CLOSED.search(tail) if tail[:1] == "-" or _has(tail, "([©–—") else None
        agency = _agency((match["agency"] or match["owner"]).partition(",")[0].strip(" -–—©")) if match else None
        if agency:
            if match is not None and match.start() == 0 and len(page.lines[n].strip()) <= SUFFIX and page.hits[n] is None:
                taken.setdefault(n, "agency")
            return agency
    return None


def _agency(name: str | None, *, sure: bool = False) -> str | None:
    """The name if it is an agency's: a known one, also before a desk's sign ('dpa/abc'), or any that a dateline's brackets hold."""
    name = name.strip() if name else ""
    if name.casefold() in AGENCIES:
        return name
    first, _, desk = name.partition("/")
    if desk and len(desk) <= 5 and first.strip().casefold() in AGENCIES:
        return first.strip()
    return name if sure and name and not _PARTY.match(name) else None


def _is_place(words: str) -> bool:
    """The dateline's place is written in capitals, or with its day."""
    letters = [sign for sign in words.partition(",")[0] if sign.isalpha()]
    return bool(letters) and (all(sign.isupper() for sign in letters) or any(sign.isdigit() for sign in words))
