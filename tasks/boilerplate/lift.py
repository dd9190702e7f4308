"""What the lines around a story say about it: headline, byline, agency, date."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks import dates
from tasks.boilerplate.lines import Line, count_words, ends_sentence
from tasks.boilerplate.rules import LONGEST, Rule, fold

DATE_WORDS = 25  # a longer line that holds a date is not a date line
DATE_REST = 6  # so many words beside the date, and it is still about nothing else
HEADLINE_WORDS = range(3, 31)
SMALL_HEAD = 10  # a text with at most so many lines before its body is a story with its credits, not a dump of a page
CREDIT_LINES = 12  # bylines and agencies farther above the body are of other stories
DATE_LINES = 40  # dates too
OPENING = 6  # credits may also stand among the first lines of the body

_BY = frozenset(["by", "von", "par", "por", "di", "da", "de", "door", "av", "af", "przez"])
_WORDS = re.compile(r"\w+")
_UPDATES = (
    "updated|modified|aktualisiert|mis à jour|actualizado|aggiornato|atualizado|aktualizacja|uppdaterad|oppdatert|opdateret|güncelleme|"
    "обновлено|оновлено|更新|修正|수정"
)
_UPDATED = re.compile(rf"\b(?:{_UPDATES})")
_LABEL = re.compile(
    rf"\b(?:{_UPDATES}|published|posted|issued|created|veröffentlicht|stand|erstellt|publié|publicado|pubblicato|gepubliceerd|opublikowano|"
    r"publicerad|publisert|publiceret|julkaistu|yayınlanma|giriş|опубликовано|опубліковано|公開|入力|입력|등록|発信|配信)"
)
_NAME_PARTS = frozenset(
    ["and", "und", "et", "y", "e", "och", "og", "ja", "de", "da", "di", "del", "della", "van", "von", "der", "den", "la", "le", "el", "al"]
)
_NAME_WORD = re.compile(r"[^\W\d_]+(?:[.'’-][^\W\d_]+)*\.?")
_NAME_END = re.compile(r"\s*(?:[|•·,/(]|\s[-–—]\s|\d|\b(?:published|updated|posted)\b).*$", re.IGNORECASE)
_DATELINE = re.compile(r"^[^\W\d_a-z][^()\n]{2,60}\((?P<agency>[^\W\d_][\w ./&-]{1,28})\)\s*[-–—:]")
_DESK = re.compile(r"\s+(?:world|news|europe|staff|service|wire)\b.*$|\s*[/|,+].*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A story's lines, how each reads, the rule that knows it, and the body: its first line and one past its last."""

    lines: Sequence[str]
    looks: Sequence[Line]
    hits: Sequence[Rule | None]
    start: int
    end: int


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


def read_credits(page: Page, title: str | None) -> Credits:
    """Read the lines before the body, and the first short ones in it, for headline, byline, agency and date.

    Args:
        page: the lines, and what is known of each.
        title: the record's own title; lines that repeat it are headlines, and none is looked for.
    """
    head = [n for n in range(page.start) if page.lines[n].strip()]
    near = [*head, *_opening(page)]
    taken: dict[int, str] = {}
    date = _read_date(page, near, taken)
    byline, agency = _read_marked(page, near, taken)
    heading = _find_headline(page, [n for n in head if n not in taken and page.hits[n] is None], head, title)
    if heading is not None or title:
        known = title or page.lines[heading or 0]
        taken |= {n: "headline" for n in near if n not in taken and (n == heading or alike(page.lines[n], known))}
    if byline is None and heading is not None and len(head) <= SMALL_HEAD:
        byline, credited = _read_unmarked(page, head, heading, taken)
        agency = agency or credited
    agency = agency or next((found for line in page.lines[page.start : page.start + 3] if (found := agency_of_dateline(line))), None)
    lifted = page.lines[heading].strip() if heading is not None and not title else None
    return Credits(Fields(lifted, byline, agency, date.when if date else None, date.precision if date else None), taken, heading)


def alike(line: str, title: str) -> bool:
    """True when the line is the title, give or take case, signs and what a page adds (its name, a breadcrumb), or most of it.

    >>> alike("Ferry strike ends - Harbour Post", "Ferry strike ends"), alike("Ferry strike ends in talks", "Ferry strike goes on")
    (True, False)
    """
    if len(line) > LONGEST:
        return False
    ours, theirs = _WORDS.findall(fold(line)), _WORDS.findall(fold(title))
    if not ours or not theirs:
        return False
    short, long = sorted((" ".join(ours), " ".join(theirs)), key=len)
    if short == long:
        return True
    if (long.startswith(short) or long.endswith(short)) and 2 * len(short) >= len(long) and len(short) >= 12:
        return True
    return len(set(ours)) >= 4 and len(set(ours) & set(theirs)) >= 0.8 * max(len(set(ours)), len(set(theirs)))


def looks_like_names(line: str) -> bool:
    """True for two to four capitalised words without digits, as people's names are written in cased scripts.

    >>> looks_like_names("Ana Example"), looks_like_names("Read the story"), looks_like_names("NEWS DESK")
    (True, False, False)
    """
    words = line.split()
    return 2 <= len(words) <= 4 and len(line) <= 40 and all(_NAME_WORD.fullmatch(word) and _is_name_word(word) for word in words)


def agency_of_dateline(line: str) -> str | None:
    """The agency in the brackets of a dateline; the line stays as it is.

    >>> agency_of_dateline("RIGA, May 14 (Baltic Wire) - Defence ministers met on Wednesday.")
    'Baltic Wire'
    """
    match = _DATELINE.match(line)
    return match["agency"].strip() if match and not any(character.isdigit() for character in match["agency"]) else None


def date_line(line: str, look: Line) -> dates.Found | None:
    """The date of a line that is about nothing else: a short line, no sentence, that writes day, month and year."""
    if look.words > DATE_WORDS or look.prose or len(line) > LONGEST or not any(character.isdecimal() for character in line):
        return None
    found = dates.find(line)
    if not found:
        return None
    rest = line[: found[0].start] + line[found[-1].end :]
    if count_words(rest) > DATE_REST and not _LABEL.search(line.casefold()):
        return None
    return next((one for one in found if not _UPDATED.search(line[max(0, one.start - 30) : one.start].casefold())), found[0])


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


def _read_date(page: Page, near: Sequence[int], taken: dict[int, str]) -> dates.Found | None:
    """The date nearest to the body; one that says it is of publication comes first. In a chronicle the dates are the story's own."""
    ranked = []
    for n in near:
        found = date_line(page.lines[n], page.looks[n]) if n >= page.start - DATE_LINES else None
        if found is None:
            continue
        folded = page.lines[n].casefold()
        labelled = _LABEL.search(folded) is not None
        if n > page.start and not labelled and any(date_line(page.lines[m], page.looks[m]) for m in range(n + 1, page.end)):
            continue
        taken[n] = "date"
        ranked.append((not labelled or _UPDATED.search(folded) is not None, abs(page.start - n), n, found))
    return min(ranked)[3] if ranked else None


def _read_marked(page: Page, near: Sequence[int], taken: dict[int, str]) -> tuple[str | None, str | None]:
    """Byline and agency of the lines that a rule knows as such; a line may hold byline and date."""
    byline = agency = None
    for n in near:
        hit = page.hits[n]
        if hit is None or n < page.start - CREDIT_LINES:
            continue
        if hit.kind == "byline":
            byline = byline or _names(page.lines[n], hit)
            taken[n] = "byline"
        elif hit.kind == "agency" and n not in taken:
            agency = agency or _DESK.sub("", page.lines[n].strip(" \t.:;()[]-–—|"))
            taken[n] = "agency"
    return byline, agency


def _read_unmarked(page: Page, head: Sequence[int], heading: int, taken: dict[int, str]) -> tuple[str | None, str | None]:
    """Names that stand alone beside the headline, and the short lines above them, which credit the source."""
    free = [n for n in head if n not in taken and page.hits[n] is None]
    named = [n for n in free if abs(n - heading) <= 2 and looks_like_names(page.lines[n])]
    if not named:
        return None, None
    author = min(named, key=lambda n: abs(n - heading))
    credit = [n for n in free if n < author and len(page.lines[n].split()) <= 3 and fold(page.lines[n]) not in _BY]
    taken |= {author: "byline"} | dict.fromkeys(credit, "agency")
    return page.lines[author].strip(), page.lines[credit[0]].strip() if credit else None


def _find_headline(page: Page, free: Sequence[int], head: Sequence[int], title: str | None) -> int | None:
    """Line number of the headline: the title's if the record has one, else a line that another head line repeats, else the longest.

    A label that stands twice in a row (the outlet's name, for its logo and in words) and the credits around a caption are no
    headlines. In a small head nothing but credits may stand between headline and body, so that the first prose ends the search.
    """
    able = [n for n in free if _may_be_headline(page.lines[n], page.looks[n]) and not _is_label(page, n)]
    if title:
        return next((n for n in reversed(able) if alike(page.lines[n], title)), None)
    for n in reversed(able):
        if any(m != n and len(page.lines[m]) >= len(page.lines[n]) and alike(page.lines[m], page.lines[n]) for m in head):
            return n
    if len(head) > SMALL_HEAD:
        return next((n for n in reversed(able) if n in head[-SMALL_HEAD:] and alike(page.lines[able[0]], page.lines[n])), None)
    prose = next((n for n in head if page.looks[n].prose and page.hits[n] is None), page.start)
    return max((n for n in able if n < prose), key=lambda n: (page.looks[n].words, n), default=None)


def _is_label(page: Page, n: int) -> bool:
    beside = [m for m in (n - 1, n + 1) if 0 <= m < len(page.lines)]
    return any(page.lines[m] == page.lines[n] or ((rule := page.hits[m]) is not None and rule.id == "caption") for m in beside)


def _may_be_headline(line: str, look: Line) -> bool:
    return look.words in HEADLINE_WORDS and (not ends_sentence(line) or line.rstrip()[-1:] in "?!？！\"”’'»")


def _is_name_word(word: str) -> bool:
    return word.lower() in _NAME_PARTS or (word[0].isupper() and not (word.isupper() and len(word) > 2))


def _names(line: str, rule: Rule) -> str | None:
    """Who, from a byline: what the rule's first group holds, without date, role or place."""
    folded = fold(line)
    match = next((match for regex in rule.regexes if (match := re.match(regex, folded))), None)
    words = line.split()[-len(match[1].split()) :] if match else []
    return _NAME_END.sub("", " ".join(words)).strip(" .:;|-–—") or None
