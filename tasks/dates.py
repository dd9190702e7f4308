"""Dates as news writes them: absolute ones only, the same answer on every day.

A date counts when day, month and year are written. What is relative ("2 hours ago"), yearless ("12 May") or ambiguous ("01/02/2025")
is unknown, never guessed: date parsers complete what is missing from today, and the same text would give another row tomorrow.
Common forms of some twenty languages are read here; the rest go to `dateparser`, held to the same rules.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Literal

Precision = Literal["second", "day"]

# Names and abbreviations of the months without accents, January first: en de fr es it pt nl sv/da/no fi pl tr ru uk el ar and neighbours.
_MONTHS = (
    """
    january jan januar jaenner janner janvier janv enero ene gennaio gen janeiro januari tammikuu tammikuuta tammi stycznia
    styczen ocak января январь янв січня січень ιανουαριου ιαν يناير جانفي ledna sijecnja ianuarie sausio
    """,
    """
    february feb februar fevrier fevr fev febrero febbraio fevereiro februari helmikuu helmikuuta helmi lutego luty subat февраля
    февраль фев лютого лютии φεβρουαριου φεβ فبراير فيفري unora veljace februarie vasario
    """,
    """
    march mar marz maerz mars marzo março marco maart mrt maaliskuu maaliskuuta maalis marca marzec mart марта март мар березня
    березень μαρτιου μαρ مارس brezna ozujka martie kovo
    """,
    """
    april apr avril avr abril abr aprile huhtikuu huhtikuuta huhti kwietnia kwiecien nisan апреля апрель апр квітня квітень
    απριλιου απρ أبريل ابريل افريل dubna travnja aprilie balandzio
    """,
    """
    may mai mayo maggio mag maio mei maj toukokuu toukokuuta touko maja mayis мая маи травня травень μαιου μαι مايو kvetna
    svibnja geguzes
    """,
    """
    june jun juni juin junio giugno giu junho kesakuu kesakuuta kesa czerwca czerwiec haziran haz июня июнь июн червня червень
    ιουνιου ιουν يونيو يونيه جوان cervna lipnja iunie birzelio
    """,
    """
    july jul juli juillet juil julio luglio lug julho heinakuu heinakuuta heina lipca lipiec temmuz tem июля июль июл липня
    липень ιουλιου ιουλ يوليو يوليه جويلية cervence srpnja iulie liepos
    """,
    """
    august aug aout agosto ago augusti augustus elokuu elokuuta elo sierpnia sierpien agustos agu августа август авг серпня
    серпень αυγουστου αυγ أغسطس اغسطس اوت srpna kolovoza rugpjucio
    """,
    """
    september sep sept septembre septiembre set settembre sett setembro syyskuu syyskuuta syys wrzesnia wrzesien eylul eyl
    сентября сентябрь сен сент вересня вересень σεπτεμβριου σεπ σεπτ سبتمبر zari rujna septembrie rugsejo
    """,
    """
    october oct oktober okt octobre octubre ottobre ott outubro out lokakuu lokakuuta loka pazdziernika pazdziernik ekim eki
    октября октябрь окт жовтня жовтень οκτωβριου οκτ أكتوبر اكتوبر rijna octombrie spalio
    """,
    """
    november nov novembre noviembre novembro marraskuu marraskuuta marras listopada listopad kasim kas ноября ноябрь ноя нояб
    листопада листопад νοεμβριου νοε نوفمبر studenoga noiembrie lapkricio
    """,
    """
    december dec dezember dez decembre diciembre dic dicembre dezembro desember des joulukuu joulukuuta joulu grudnia grudzien
    aralik ara декабря декабрь дек грудня грудень δεκεμβριου δεκ ديسمبر prosince prosinca decembrie gruodzio
    """,
)
# Minutes east of UTC. Left out: abbreviations that mean several zones in print (CST: Chicago, China; IST: India, Ireland, Israel).
_ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "eest": 180,
    "msk": 180, "trt": 180, "jst": 540, "kst": 540,
    "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
}  # fmt: skip

_WORD = r"[^\W\d_]{3,14}"
_FORMS = re.compile(
    r"(?<![\d.])(?:"
    r"(?P<y1>\d{4})-(?P<m1>\d{2})-(?P<d1>\d{2})"  # 2025-01-09
    r"|(?P<y2>\d{4})\s?[年년]\s?(?P<m2>\d{1,2})\s?[月월]\s?(?P<d2>\d{1,2})\s?[日일]"  # 2025年1月9日
    r"|(?P<y3>\d{4})(?P<s3>[./])\s?(?P<m3>\d{1,2})(?P=s3)\s?(?P<d3>\d{1,2})(?!\d)"  # 2025/01/09, 2025. 1. 9.
    r"|(?P<a4>\d{1,2})(?P<s4>[./-])\s?(?P<b4>\d{1,2})(?P=s4)\s?(?P<y4>\d{4})"  # 9.1.2025, 1/9/2025
    rf"|(?P<d5>\d{{1,2}})(?:st|nd|rd|th|er|re|o|a|\.)?[ -]?(?:(?:de|of|di|d')\s?)?(?P<n5>{_WORD})"  # 9th of January 2025
    r"\.?,?[ -]{0,2}(?:(?:de|del)\s)?(?P<y5>\d{4})"
    rf"|(?<![^\W\d_])(?P<n6>{_WORD})\.?\s?(?P<d6>\d{{1,2}})(?:st|nd|rd|th)?(?:,\s?|\s)(?P<y6>\d{{4}})"  # January 09,2025
    r")(?!\d)"
)
_CLOCK = re.compile(
    r"(?<![\d:.])(?P<hour>\d{1,2})(?:[:.h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?\s?(?P<half>am|pm|a\.m\.|p\.m\.)?|\s?(?P<only>am|pm|a\.m\.|p\.m\.))"
    r"(?:\s?\(?(?P<zone>z|[a-z]{3,4})\b|\s?(?P<offset>(?:gmt|utc)?\s?[+-]\d{1,2}(?::?\d{2})?)(?!\d))?"
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?")
_MACHINE = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:[T ]\d{2}.*)?")
_YEARS = range(1900, 2101)


@dataclass(frozen=True, slots=True)
class Found:
    """A date inside a line: when (UTC), how precise, and the code points `start` to `end` that say so."""

    when: datetime
    precision: Precision
    start: int
    end: int


def parse(value: str, *, day_first: bool | None = None) -> tuple[datetime, Precision] | None:
    """The moment that a record's date says, in UTC, or None when it does not say one.

    Machine formats (ISO 8601, RFC 5322, seconds or milliseconds since 1970) without a zone are taken as UTC. Prose with a time but no
    known zone gives the day. A bare date is that day's 00:00.

    Args:
        value: the date as written, e.g. '2025-01-09T12:48:14Z', 'Published January 09,2025', '9 janvier 2025 à 10h30'.
        day_first: how to read 01/02/2025, when the reader knows; None leaves it unknown.

    >>> parse("Published January 09,2025")
    (datetime.datetime(2025, 1, 9, 0, 0, tzinfo=datetime.timezone.utc), 'day')
    >>> parse("01/02/2025"), parse("2 hours ago"), parse("12 May")
    (None, None, None)
    """
    value = value.strip()
    if not any(character.isdecimal() for character in value) or len(value) > 200:
        return None
    machine = _machine(value)
    if machine is not None:
        return machine
    found = find(value, day_first=day_first)
    days = {one.when.date() for one in found}
    if len(days) == 1:
        best = next((one for one in found if one.precision == "second"), found[0])
        return best.when, best.precision
    return None if days or _only_numbers(value) else _parse_rare(value)


def find(line: str, *, day_first: bool | None = None) -> list[Found]:
    """Every absolute date that a line of prose writes in a common form, in order; never today's parts for missing ones."""
    folded = _fold(line)
    found = []
    for match in _FORMS.finditer(folded):
        day = _day(match, day_first)
        if day is not None:
            clock, end = _clock(folded, match)
            found.append(Found(day + (clock or timedelta()), "day" if clock is None else "second", match.start(), end))
    return found


def _machine(value: str) -> tuple[datetime, Precision] | None:
    if _EPOCH.fullmatch(value):
        return datetime.fromtimestamp(int(value[:10]), UTC), "second"
    try:
        when = datetime.fromisoformat(value) if _MACHINE.fullmatch(value) else parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    if when.year not in _YEARS:
        return None
    if len(value) <= 10:
        return when.replace(tzinfo=UTC), "day"
    if not _MACHINE.fullmatch(value) and (when.tzinfo is None or not re.search(r"\d:\d\d", value)):
        return None  # RFC 5322 with parts missing: read as prose
    return (when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)), "second"


def _day(match: re.Match[str], day_first: bool | None) -> datetime | None:
    part = match.groupdict()
    kind = match.lastgroup[-1] if match.lastgroup else ""
    year = int(part["y" + kind])
    if kind in "56":
        month, day = _months().get(_bare(part["n" + kind]), 0), int(part["d" + kind])
    elif kind == "4":
        first, second = int(part["a4"]), int(part["b4"])
        if first <= 12 and second <= 12 and first != second and part["s4"] != "." and day_first is None:
            return None  # 01/02/2025 is January in the US and February elsewhere; with dots the day is always first
        day_leads = first > 12 or (second <= 12 and (part["s4"] == "." or day_first is not False))
        day, month = (first, second) if day_leads else (second, first)
    else:
        month, day = int(part["m" + kind]), int(part["d" + kind])
    if year not in _YEARS:
        return None
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _clock(folded: str, date: re.Match[str]) -> tuple[timedelta | None, int]:
    """Time of day with a known zone beside a date, as what must be added to the day's 00:00 UTC; and where date and time end."""
    after = _CLOCK.search(folded, date.end(), date.end() + 40)
    before = None if after else _CLOCK.search(folded, max(0, date.start() - 40), date.start())
    clock = after or before
    end = max(date.end(), after.end()) if after else date.end()
    if clock is None:
        return None, end
    hour, minute, second = int(clock["hour"]), int(clock["minute"] or 0), int(clock["second"] or 0)
    half = (clock["half"] or clock["only"] or "")[:1]
    offset = _offset(clock["zone"], clock["offset"])
    if hour > 23 or minute > 59 or second > 59 or offset is None or (half and not 1 <= hour <= 12):
        return None, end
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return timedelta(hours=hour, minutes=minute - offset, seconds=second), end


def _offset(zone: str | None, offset: str | None) -> int | None:
    """Minutes east of UTC, None when no zone is given or its abbreviation is not known."""
    if offset:
        digits = re.sub(r"[^\d+-]", "", offset)
        sign, digits = (-1 if digits[0] == "-" else 1), digits[1:]
        hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
        return sign * (60 * hours + minutes) if hours <= 14 and minutes <= 59 else None
    return _ZONES.get(zone) if zone else None


def _fold(line: str) -> str:
    """Lower case with ASCII digits, code point for code point, so that positions stay those of the line."""
    if line.isascii():
        return line.lower()
    return "".join(_fold_one(character) for character in line)


def _fold_one(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character.isspace():
        return " "
    lower = character.lower()
    return lower if len(lower) == 1 else lower[0]


def _bare(word: str) -> str:
    """The word without accents, as the month names are listed."""
    decomposed = unicodedata.normalize("NFD", word.lower().replace("ı", "i"))
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@cache
def _months() -> dict[str, int]:
    return {_bare(name): number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}


def _only_numbers(value: str) -> bool:
    return not any(character.isalpha() for character in value)


def _parse_rare(value: str) -> tuple[datetime, Precision] | None:
    """dateparser on languages not listed here, only what is written out: a year, a day and the name of a month.

    dateparser 1.5 completes missing parts from today; REQUIRE_PARTS forbids that, and the base is fixed all the same.
    """
    folded = _fold(value)
    if len(value) > 60 or not re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", folded) or not re.search(r"(?<!\d)\d{1,2}(?!\d)", folded):
        return None
    import dateparser

    when = dateparser.parse(
        value,
        settings={
            "REQUIRE_PARTS": ["day", "month", "year"],
            "PARSERS": ["absolute-time"],
            "STRICT_PARSING": True,
            "RELATIVE_BASE": datetime(2000, 1, 1),  # noqa: DTZ001  # dateparser wants a naive one
            "TIMEZONE": "UTC",
            "RETURN_AS_TIMEZONE_AWARE": True,
        },
    )
    if when is None or when.year not in _YEARS or str(when.year) not in folded:
        return None
    return datetime(when.year, when.month, when.day, tzinfo=UTC), "day"
