"""The day a story was published, from its address and the lines around it; a wrong day is far worse than none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tasks import dates, language
from tasks.boilerplate.lines import Line, count_words
from tasks.boilerplate.rules import LONGEST

if TYPE_CHECKING:
    from tasks.boilerplate.lift import Page

DATE_WORDS = 25  # a longer line that holds a date is not a date line
DATE_REST = 6  # so many words beside the date, and it is still about nothing else
NAMED_REST = 16  # beside a byline's date stand names and roles
DATE_LINES = 40  # lines above the body in which its date may stand
UNDER = 20  # lines below the headline
ABOVE = 10  # lines above it, or above the body
OPENING = 25  # lines of the body, and of these up to OPENING_PROSE prose: standfirst and captions go before some dates
OPENING_PROSE = 4
AFTER = 8  # lines below the body
PAIR = 2  # as many days may stand beside a headline without a label: published and updated; more are a list of other stories

_PUBLISHED_WORDS = (
    "published|posted|issued|created|first published|veröffentlicht|publiziert|erstellt|erschienen|stand|vom|publié|publiée|posté|mis en ligne|"
    "publicado|publicada|creado|pubblicato|pubblicata|creato|gepubliceerd|geplaatst|opublikowano|dodano|data publikacji|publikacja|"
    "publicerad|publicerat|publicerades|publisert|publiceret|offentliggjort|udgivet|julkaistu|yayınlanma|yayınlandı|yayın tarihi|giriş|oluşturulma|"
    "опубликовано|опубліковано|дата публикации|публикувано|публикация|објављено|objavljeno|objavljeno|publikováno|vydáno|zveřejněno|"
    "publikované|zverejnené|közzétéve|megjelent|publicat|publicată|δημοσίευση|δημοσιεύτηκε|δημοσιεύθηκε|ημερομηνία|paskelbta|publicēts|avaldatud|"
    "diterbitkan|dipublikasikan|tayang|diposting|đăng|ngày đăng|เผยแพร่|公開|掲載|発表日|入力|입력|등록|게시|作成|発信|配信|发布|發布|发表|發表|发稿|時間|"
    "نشر|تاريخ النشر|نُشر|نشرت|منتشر|انتشار|تاریخ انتشار|פורסם|תאריך|प्रकाशित|प्रकाशन|প্রকাশ|প্রকাশিত|வெளியிடப்பட்ட|பதிவு|شائع"
)
_UPDATED_WORDS = (
    "updated?|modified|reviewed|edited|last update|aktualisiert|geändert|mis à jour|mise à jour|màj|maj|modifié|modifiée|actualizado|actualizada|"
    "última actualización|modificado|aggiornato|aggiornata|ultimo aggiornamento|modificato|atualizado|atualizada|bijgewerkt|laatste update|gewijzigd|"
    "aktualizacja|zaktualizowano|uppdaterad|uppdaterat|oppdatert|opdateret|päivitetty|muokattu|güncelleme|güncellenme|güncellendi|son güncelleme|"
    "обновлено|обновлена|изменено|оновлено|актуализирано|ажурирано|ažurirano|aktualizováno|aktualizované|posodobljeno|frissítve|módosítva|actualizat|"
    "ενημέρωση|ενημερώθηκε|atnaujinta|atjaunots|uuendatud|diperbarui|diupdate|cập nhật|อัปเดต|更新|修正|改訂|최종|수정|업데이트|"
    "تحديث|آخر تحديث|تم التحديث|به\u200cروزرسانی|به‌روز|עודכן|עדכון|अपडेट|আপডেট|புதுப்பிக்கப்பட்ட"
)
_BEFORE, _BEHIND = r"(?<![^\W_])", r"(?![^\W\d_])"
_UPDATED = re.compile(f"{_BEFORE}(?:{_UPDATED_WORDS}){_BEHIND}")
_PUBLISHED = re.compile(f"{_BEFORE}(?:{_PUBLISHED_WORDS}){_BEHIND}")
_DATED = re.compile(r"\d{4}|\d[./]\d\d(?!\d)|[年년]")
_OTHER = re.compile(
    r"\b(?:born|founded|established|since|expires?|deadline|copyright|event date|isbn|geboren|seit|né le|nata? il|nacido)\b|©|\d\s?min\b"
)
_ENDS_IN_TIME = re.compile(r"\d\s?[ap]\.m\.\s*$")
_NUMERIC = re.compile(r"\d\s?[/-]\s?\d\d?\s?[/-]")
_SHORT = re.compile(r"\d\.\d\d?\.\d\d(?!\d)")
_LETTERS = re.compile(r"[^\W\d_]")
_FULL_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# Where the day goes first in numbers, and where the month does; hosts of .com and the like say nothing
_DAY_FIRST = frozenset(
    """
    uk ie au nz in pk bd lk za ng ke gh tz ug zm zw na bw mt sg my id vn th de at ch fr be lu nl es pt it gr cy pl cz sk si hr rs ba mk bg ro
    md ru ua by tr il br ar mx cl pe uy py bo ec ve cr do gt hn sv ni pa cu dk no fi is ee lv eg ma dz tn sa ae iq jo lb qa kw az
    """.split()  # noqa: SIM905  # a list of words reads best as words
)
_MONTH_FIRST = frozenset(["us", "gov", "mil"])
_DAY_ZONES = re.compile(
    r"\b(?:MEZ|MESZ|CET|CEST|WEST|EET|EEST|MSK|TRT|WIB|AEST|AEDT|SAST)\b|\b(?:GMT|UTC) ?\+|\bUhr\b|\bhoras\b|\bà \d|\bkl\.? \d"
)
_MONTH_ZONES = re.compile(r"\b(?:EST|EDT|CDT|MST|MDT|PST|PDT|ET|PT)\b")
# Languages that write the year first or count other years: numbers that could be either are left alone
_NEITHER = frozenset(["en", "zh-Hans", "zh-Hant", "ja", "ko", "hu", "lt", "fa", "mn", "sv", "tl"])


@dataclass(frozen=True, slots=True)
class _Dated:
    """A date line: its number, the date, whether it says published (True), updated (False) or neither, and all its days."""

    line: int
    found: dates.Found
    label: bool | None
    days: frozenset[date]


def read_date(page: Page, heading: int | None, url: str | None, taken: dict[int, str]) -> dates.Found | None:
    """When the story was published, in UTC, or None; the lines that say so go into `taken`.

    A day in the address is the day, and a line that agrees gives the time. Without one, a line by the headline or the body that says
    "published" does; then one without a label, if no more than two days stand there (published and updated: the earlier one). What says
    "updated" only says no more than that the story is not younger. In a chronicle the dates are the story's own.

    Args:
        page: the lines, and what is known of each.
        heading: line number of the headline.
        url: the story's address.
        taken: line number -> rule of the lines that are lifted.
    """
    hint = dates.of_url(url) if url else None
    if heading is not None and heading < page.start - DATE_LINES // 2:
        heading = None  # the page's title at its top, far from the story
    dated = _dated_lines(page, heading, url, hint)
    for one in dated:
        if one.line < page.start:
            taken[one.line] = "date"
    chosen = _choose(page, heading, hint, dated)
    if chosen is not None:
        beside = (one.line for one in dated if one.label is not None or abs(one.line - chosen.line) <= 1)
        taken |= dict.fromkeys((chosen.line, *(n for n in beside if n < page.start + OPENING)), "date")
    if hint is not None and (chosen is None or chosen.label is False or (chosen.label is None and not _near(chosen.found, hint))):
        return dates.Found(datetime(hint.year, hint.month, hint.day, tzinfo=UTC), "day", 0, 0)
    return chosen.found if chosen else None


def line_dates(
    line: str, look: Line, *, day_first: bool | None = None, short_years: Sequence[int] = (), rest: int = DATE_REST
) -> list[dates.Found]:
    """The dates of a line that is about nothing else: a short line, no sentence, that writes day, month and year."""
    if look.words > DATE_WORDS or (look.prose and not _ENDS_IN_TIME.search(line)) or len(line) > LONGEST or not _DATED.search(line):
        return []
    found = dates.find(line, day_first=day_first, short_years=short_years)
    if not found:
        return []
    outside = line[: found[0].start] + " " + line[found[-1].end :]
    if count_words(outside) > rest and is_label(outside.lower()) is None:
        return []
    return found


def _dated_lines(page: Page, heading: int | None, url: str | None, hint: date | None) -> list[_Dated]:
    lines, looks = page.lines, page.looks
    able = {n for n in page.numbered if looks[n].words <= DATE_WORDS and 6 <= len(lines[n]) <= LONGEST and _DATED.search(lines[n])}
    zone = [n for n in _zone(page, heading) if n in able] if able else ()
    if not zone:
        return []
    written = [lines[n] for n in zone]
    day_first = _settle(page, written, url, hint) if any(_NUMERIC.search(line) and dates.readings(line) for line in written) else None
    short_years = _years(page) if any(_SHORT.search(line) for line in written) else ()
    dated = []
    for n in zone:
        hit = page.hits[n]
        credit = hit is not None and hit.kind == "byline"
        found = line_dates(
            page.lines[n], page.looks[n], day_first=day_first, short_years=short_years, rest=NAMED_REST if credit else DATE_REST
        )
        if found:
            one = _label(page, n, found)
            bare = hit is None or credit or not _LETTERS.search(page.lines[n][: found[0].start] + page.lines[n][found[-1].end :])
            if one.label is not None or (bare and not _OTHER.search(page.lines[n].casefold())):
                dated.append(one)
    return dated


def _zone(page: Page, heading: int | None) -> list[int]:
    """Numbers of the lines in which the date may stand, in order: above the body, by the headline, in the opening, below the body."""
    first, last = max(0, page.start - DATE_LINES), page.start
    beside = range(max(0, heading - ABOVE), min(heading + UNDER, page.end)) if heading is not None else range(0)
    prose = 0
    for n in range(page.start, min(page.start + OPENING, page.end)):
        prose += page.looks[n].prose
        if prose > OPENING_PROSE:
            break
        last = n + 1
    after = [n for n in range(page.end, min(page.end + 3 * AFTER, len(page.lines))) if page.lines[n]][:AFTER]
    if not beside or (beside.start >= first and beside.stop <= last):
        return [*range(first, last), *after]
    return sorted({*range(first, last), *beside, *after})


def _label(page: Page, n: int, found: Sequence[dates.Found]) -> _Dated:
    """The date of a line that is not one of an update, the earliest of several, and what the line or the one above it says of it."""
    folded = page.lines[n].casefold()
    if len(folded) != len(page.lines[n]):
        folded = page.lines[n].lower()
    labelled: list[tuple[bool | None, dates.Found]] = []
    at = 0
    for one in found:
        labelled.append((is_label(folded[at : one.start]), one))
        at = one.end
    if labelled[0][0] is None and not folded[: found[0].start].strip(" \t-–—|•·*:("):
        above = _above(page, n)
        behind = is_label(folded[found[-1].end :]) if len(found) == 1 else None
        labelled[0] = (is_label(above) if above else behind, found[0])
    days = frozenset(one.when.date() for one in found)
    for wanted in (True, None):
        if able := [one for label, one in labelled if label is wanted]:
            return _Dated(n, min(able, key=lambda one: (one.when.date(), one.precision == "day", one.start)), wanted, days)
    return _Dated(n, labelled[0][1], False, days)


def is_label(words: str) -> bool | None:
    """Does it say published (True), updated (False) or neither? In small letters."""
    if _UPDATED.search(words):
        return False
    return True if _PUBLISHED.search(words) else None


def _above(page: Page, n: int) -> str:
    """The short line right above, which may be the label of the date; a line with a date of its own is none."""
    above = next((m for m in range(n - 1, max(-1, n - 3), -1) if page.lines[m].strip()), None)
    if above is None or page.looks[above].words > 3 or any(sign.isdecimal() for sign in page.lines[above]):
        return ""
    return page.lines[above].lower()


def _choose(page: Page, heading: int | None, hint: date | None, dated: Sequence[_Dated]) -> _Dated | None:
    anchor = page.start if heading is None else heading

    def rank(one: _Dated) -> tuple[int, bool, int]:
        return ({True: 0, None: 1, False: 2}[one.label], one.found.precision == "day", abs(one.line - anchor))

    if hint is not None and (agreeing := [one for one in dated if _near(one.found, hint)]):
        same = [one for one in agreeing if one.found.when.date() == hint]  # a banner shows the day of the crawl, often the next
        return min(same or agreeing, key=rank)
    if published := [one for one in dated if one.label]:
        return min(published, key=lambda one: abs(one.line - anchor))
    plain = [one for one in dated if one.label is None]
    beside = [one for one in plain if one.line < page.end and _is_beside(page, heading, one.line)]
    if beside:
        inside = [one for one in beside if one.line >= page.start and one.found.precision == "day"]
        if len({one.found.when.date() for one in inside}) > 1:
            beside = [one for one in beside if one.line < page.start]
    days = {day for one in beside for day in one.days}
    if beside and len(days) <= PAIR:
        return min(beside, key=lambda one: (one.found.when.date(), one.found.precision == "day", abs(one.line - anchor)))
    if not beside and len(plain) == 1 and plain[0].line >= page.end and re.search(r"\d[:.h]\d\d", page.lines[plain[0].line]):
        return plain[0]
    return None


def _is_beside(page: Page, heading: int | None, n: int) -> bool:
    if heading is None:
        return n >= page.start - DATE_LINES
    return heading - ABOVE <= n <= heading + UNDER or page.start - ABOVE <= n <= page.start + OPENING


def _near(found: dates.Found, day: date) -> bool:
    """The same day, or the next or the last: the address may be in the outlet's day, the line in the reader's or in UTC."""
    return abs(found.when.date() - day) <= timedelta(days=1)


def _settle(page: Page, lines: Iterable[str], url: str | None, hint: date | None) -> bool | None:
    """How to read 01/02/2025 on this page, by what else is on it; None when nothing tells, or two things tell otherwise.

    In this order: the day in the address, or another date of the page, which only one of the readings equals; numbers with a day over 12;
    the country of the address; zones and words of time; the language, if it is one that writes the day first.
    """
    lines = list(lines)
    known = {one.when.date() for line in lines for one in dates.find(line)} | ({hint} if hint else set())
    equal = {first in known for line in lines for first, second in dates.readings(line) if (first in known) != (second in known)}
    if len(equal) == 1:
        return equal.pop()
    orders = {order for line in page.lines if len(line) <= LONGEST and "/" in line for order in dates.orders(line)}
    if orders:
        return orders.pop() if len(orders) == 1 else None
    country = _country(url) if url else ""
    if country in _DAY_FIRST or country in _MONTH_FIRST:
        return country in _DAY_FIRST
    told = {bool(day) for line in lines for day in (_DAY_ZONES.search(line), None) if day}
    told |= {False for line in lines if _MONTH_ZONES.search(line)}
    if told:
        return told.pop() if len(told) == 1 else None
    tongue = language.detect("\n".join(page.lines[page.start : page.end]))
    return None if tongue is None or tongue in _NEITHER else True


def _country(url: str) -> str:
    """The last part of the host's name."""
    try:
        return (urlsplit(url).hostname or "").rpartition(".")[2]
    except ValueError:
        return ""


def _years(page: Page) -> list[int]:
    """The years that the page writes in full, which two digits may stand for."""
    return sorted({int(year) for line in page.lines if len(line) <= LONGEST for year in _FULL_YEAR.findall(line)})
