"""Dates as news writes them: absolute ones only, the same answer on every day.

A date counts when day, month and year are written. What is relative ("2 hours ago"), yearless ("12 May") or ambiguous ("01/02/2025")
is unknown, never guessed: date parsers complete what is missing from today, and the same text would give another row tomorrow.
Common forms of some twenty languages are read here; the rest go to `dateparser`, held to the same rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Literal

Precision = Literal["second", "day"]

# Names and abbreviations of the months, January first, as they stand in dates; a word stands once, whatever the languages that share it.
_MONTHS = (
    """
    january jan januar jänner jaenner jän janvier janv enero ene gennaio gen genn janeiro januari januarie gener xaneiro
    leden ledna januára január janúar jaanuar janvāris janvāra janvārī janar januarja jan styczeń stycznia sty siječanj siječnja
    ianuarie ian sausio sausis tammikuu tammikuuta tammikuun tammi ocak oca yanvar yan января январь янв січня січень січ януари яну
    јануар јануара јануари јан студзеня ιανουαρίου ιανουάριος ιαν يناير جانفي كانون_الثاني ژانویه جنوری ינואר בינואר ינו
    जनवरी जन জানুয়ারি জানুয়ারী ஜனவரி ஜன มกราคม ม.ค
    """,
    """
    february feb febr februar feber februari februarie février févr fév febrero febbraio febbr fevereiro fev febrer febreiro
    únor února februára február febrúar veebruar veebr februāris februāra februārī shkurt februarja luty lutego lut veljača veljače
    vasario vasaris helmikuu helmikuuta helmikuun helmi şubat şub fevral февраля февраль фев февр лютого лютий лют февруари
    фебруар фебруара фебруари феб лютага φεβρουαρίου φεβρουάριος φεβ فبراير فيفري شباط فوریه فروری פברואר בפברואר פבר
    फरवरी फर ফেব্রুয়ারি ফেব্রুয়ারী பிப்ரவரி பிப் กุมภาพันธ์ ก.พ
    """,
    """
    march mar märz maerz mär mrz mars marzo março marco maart mrt març marts march maart
    březen března marca marec märts ožujak ožujka marzec martie mart kovo kovas maaliskuu maaliskuuta maaliskuun maalis mac maret machi
    марта март мар березня березень бер марта сакавіка μαρτίου μάρτιος μαρ مارس آذار مارچ מרץ במרץ
    मार्च মার্চ மார்ச் มีนาคม มี.ค
    """,
    """
    april apr avril avr abril abr aprile aprila apríla apríl aprill aprīlis aprīļa aprīlī prill aprilie aprili
    duben dubna kwiecień kwietnia kwi travanj travnja balandžio balandis huhtikuu huhtikuuta huhtikuun huhti nisan nis aprel április ápr
    апреля апрель апр април априла квітня квітень квіт красавіка απριλίου απρίλιος απρ أبريل افريل نيسان آوریل اپریل אפריל באפריל
    अप्रैल এপ্রিল ஏப்ரல் ஏப் เมษายน เม.ย
    """,
    """
    may mai mayo maggio mag magg maio mei maj maja maja mája máj maí maijs maija maijā maig mayıs may květen května svibanj svibnja
    gegužės gegužė toukokuu toukokuuta toukokuun touko május máj мая май травня травень трав мај маја траўня μαΐου μάιος μαϊ
    مايو ماي أيار می مئی מאי במאי मई মে மே พฤษภาคม พ.ค
    """,
    """
    june jun juni juin junio jun giugno giu junho juny junija júna jún júní juuni jūnijs jūnija jūnijā qershor junie xuño június jún
    červen června czerwiec czerwca cze lipanj lipnja birželio birželis kesäkuu kesäkuuta kesäkuun kesä haziran haz iyun
    июня июнь июн червня червень черв юни јун јуна јуни чэрвеня ιουνίου ιούνιος ιουν يونيو يونيه جوان حزيران ژوئن جون יוני ביוני
    जून জুন ஜூன் มิถุนายน มิ.ย iunie iun
    """,
    """
    july jul juli juillet juil julio luglio lug julho juliol julija júla júl júlí juuli jūlijs jūlija jūlijā korrik julie xullo július
    červenec července lipiec lipca srpanj srpnja lip liepos liepa heinäkuu heinäkuuta heinäkuun heinä temmuz tem iyul julai
    июля июль июл липня липень лип юли јул јула јули ліпеня ιουλίου ιούλιος ιουλ يوليو يوليه يوليوز جويلية تموز ژوئیه جولای جولائی
    יולי ביולי जुलाई জুলাই ஜூலை กรกฎาคม ก.ค iulie iul
    """,
    """
    august aug août agosto ago augusti augustus augusta agost gusht avgusta avgust avg ágúst augusts augustā ogos agustus agu ags agt agosti augusztus
    srpen srpna sierpień sierpnia sie kolovoz kolovoza rugpjūčio rugpjūtis elokuu elokuuta elokuun elo ağustos ağu avqust
    августа август авг серпня серпень серп август жніўня αυγούστου αύγουστος αυγ أغسطس أوت غشت آب اوت آگوست اگست אוגוסט באוגוסט אוג
    अगस्त আগস্ট ஆகஸ்ட் ஆகஸ்டு ஆக สิงหาคม ส.ค
    """,
    """
    september sep sept septembre septiembre setiembre set settembre sett setembro setembre septembra septembris septembrī septembar septembrie septemba
    szeptember szept september shtator září wrzesień września wrz rujan rujna rugsėjo rugsėjis syyskuu syyskuuta syyskuun syys eylül eyl
    sentyabr сентября сентябрь сен сент вересня вересень вер септември септембар септембра септ сеп верасня σεπτεμβρίου σεπτέμβριος σεπ σεπτ
    سبتمبر شتنبر أيلول سپتامبر ستمبر ספטמבר בספטמבר ספט सितंबर सितम्बर সেপ্টেম্বর செப்டம்பர் செப் กันยายน ก.ย
    """,
    """
    october oct oktober okt octobre octubre ottobre ott outubro out octubre oktobra október októbra október oktoober oktobris oktobrī oktobar oktoba
    octombrie outubro tetor říjen října październik października paź spalio spalis lokakuu lokakuuta lokakuun loka ekim eki oktyabr
    октября октябрь окт жовтня жовтень жовт октомври октобар октобра кастрычніка οκτωβρίου οκτώβριος οκτ أكتوبر تشرين_الأول اکتبر اکتوبر
    אוקטובר באוקטובר אוק अक्टूबर अक्तूबर অক্টোবর அக்டோபர் அக் ตุลาคม ต.ค
    """,
    """
    november nov novembre noviembre novembro novembra novembris novembrī novembar noiembrie noi novemba nóvember nëntor nentor
    listopad listopadu listopada lis studeni studenoga studenog lapkričio lapkritis marraskuu marraskuuta marraskuun marras kasım kas noyabr
    ноября ноябрь ноя нояб листопада листопад лист ноември новембар новембра ное лістапада νοεμβρίου νοέμβριος νοε
    نوفمبر نونبر تشرين_الثاني نوامبر نومبر נובמבר בנובמבר נוב नवंबर नवम्बर নভেম্বর நவம்பர் நவ พฤศจิกายน พ.ย
    """,
    """
    december dec dezember dez décembre déc diciembre dic dicembre dezembro desembre decembra decembris decembrī decembar decembrie desemba
    desember des disember dis detsember dets dhjetor prosinec prosince grudzień grudnia gru prosinac prosinca gruodžio gruodis
    joulukuu joulukuuta joulukuun joulu aralık ara dekabr декабря декабрь дек грудня грудень груд декември децембар децембра деце снежня
    δεκεμβρίου δεκέμβριος δεκ ديسمبر دجنبر كانون_الأول دسامبر دسمبر דצמבר בדצמבר דצמ दिसंबर दिसम्बर ডিসেম্বর டிசம்பர் டிச ธันวาคม ธ.ค
    """,
)
# Minutes east of UTC. Left out: abbreviations that mean several zones in print (CST: Chicago, China; IST: India, Ireland, Israel).
_ZONES = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "eest": 180,
    "msk": 180, "мск": 180, "trt": 180, "tsi": 180, "jst": 540, "kst": 540, "hkt": 480, "sgt": 480, "myt": 480, "wib": 420, "wita": 480,
    "wit": 540, "pkt": 300, "npt": 345, "sast": 120, "wat": 60, "eat": 180, "brt": -180, "awst": 480, "acst": 570, "aest": 600, "aedt": 660,
    "nzst": 720, "nzdt": 780, "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
}  # fmt: skip
_AMERICAN = {"et": -300, "ct": -360, "mt": -420, "pt": -480}  # in winter; an hour more in summer

# Letters with the vowel signs of Indic and Thai writing, which are no word characters to `re`
_LETTER = r"(?:[^\W\d_]|[\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0981-\u09e3\u0b82-\u0bd7\u0e31-\u0e4e])"
_WORD = rf"(?:{_LETTER}{{2,14}}_{_LETTER}{{4,6}}|{_LETTER}{{2,14}}|[ก-ฮ]\u0e35?\u0e34?\.[ก-ฮ]|เม\.ย)"
_FORMS = re.compile(
    r"(?<![\d.])(?:"
    r"(?P<y1>\d{4})-(?P<m1>\d{1,2})-(?P<d1>\d{1,2})"  # 2025-01-09
    r"|(?P<era>令和|民國|民国)?\s?(?P<y2>\d{1,4})\s?[年년]\s?(?P<m2>\d{1,2})\s?[月월]\s?(?P<d2>\d{1,2})\s?[日일號号]"  # 2025年1月9日, 令和7年
    r"|(?P<y3>\d{4})(?P<s3>[./])\s?(?P<m3>\d{1,2})(?P=s3)\s?(?P<d3>\d{1,2})(?!\d)"  # 2025/01/09, 2025. 1. 9.
    r"|(?P<a4>\d{1,2})\s?(?P<s4>[./-])\s?(?P<b4>\d{1,2})\s?(?P=s4)\s?(?P<y4>\d{4}|(?<=[./-])\d{2}(?![\d.:/-]))"  # 9.1.2025, 1/9/2025, 9.1.25
    r"|(?P<d9>\d{1,2})\s?(?:tháng|thg)\s?(?P<m9>\d{1,2})(?:\s?,|\s?năm)?\s?(?P<y9>\d{4})"  # 9 tháng 1 năm 2025
    r"|(?P<y8>\d{4})\. gada (?P<d8>\d{1,2})\.\s?(?P<n8>{_WORD})"  # 2025. gada 9. janvāris
    r"|(?P<y7>\d{4})\.?\s?(?:m\.\s?)?(?P<n7>{_WORD})\.?\s(?P<d7>\d{1,2})(?!\d|:\d\d)"  # 2025. január 9., 2025 m. sausio 9 d.
    r"|(?P<d5>\d{1,2})(?P<o5>st|nd|rd|th|er|re|o|a|º|ª|°|\.)?[ ./-]{0,2}(?:(?:de|of|di|den)\s|d['’]\s?)?(?P<n5>{_WORD})"  # 9th of January 2025
    r"(?:/{_LETTER}{3,14}(?:[ _]{_LETTER}{4,6})?)?\.?,?[ ./-]{0,2}(?:(?:de|del|of|พ\.ศ\.|ค\.ศ\.)\s?)?(?P<y5>\d{4})"
    r"|(?<![^\W\d_])(?P<n6>{_WORD})\.?[ -]?(?P<d6>\d{1,2})(?:st|nd|rd|th)?(?:,\s?|\s|-)(?:de\s)?(?P<y6>\d{4})"  # January 09,2025
    r")(?!\d)".replace("{_WORD}", _WORD).replace("{_LETTER}", _LETTER)
)
_ARABIC_TWO = re.compile("(كانون|تشرين) (?=ال)")  # the two names of months that are two words
_ERAS = {"令和": 2018, "民國": 1911, "民国": 1911}
_BUDDHIST = 543  # years of Thai dates, 2568 for 2025
_CLOCK = re.compile(
    r"(?<![\d:.])(?P<early>午前|午後|上午|下午|오전|오후)?\s?(?P<hour>\d{1,2})"
    r"(?:(?:[:.h時点시]|\sh\s)\s?(?P<minute>\d{2})(?:[分분]|:(?P<second>\d{2})(?:\.\d+)?)?\s?(?P<half>am|pm|a\.m\.|p\.m\.)?|\s?(?P<only>am|pm|a\.m\.|p\.m\.))"
    r"(?:\s?(?:uhr|hrs?|hours|h)\b)?"
    r"(?:,?\s?\(?(?P<offset>(?:(?:gmt|utc)\s?)?[+-]\d{1,2}(?::?\d{2})?)(?!\d)|,?\s?\(?(?:по )?(?P<zone>[a-zмск]{1,4})\b)?"
)
_ODD = re.compile(r"[^\S ]|(?![0-9])\d")  # spaces and digits that are not ASCII's
_AFTERNOON = ("午後", "下午", "오후")
_IN_URL = re.compile(
    r"(?<!\d)((?:19|20)\d\d)(?:/(\d{1,2}|[a-z]{3})/(\d{1,2})(?![^/])|-(\d\d)[/-](\d\d)(?!\d)|(?<=20\d\d)([01]\d)([0-3]\d)(?![a-z\d]))"
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


def find(line: str, *, day_first: bool | None = None, short_years: Collection[int] = ()) -> list[Found]:
    """Every absolute date that a line of prose writes in a common form, in order; never today's parts for missing ones.

    Args:
        line: the line.
        day_first: how to read 01/02/2025; None leaves it out.
        short_years: the years that two digits may stand for (2025 in '9.1.25'), when the reader knows; else such dates are left out.
    """
    folded = _fold(line)
    found = []
    for match in _FORMS.finditer(folded):
        day = _day(match, day_first, short_years)
        if day is not None:
            clock, end = _clock(line, folded, match, day)
            found.append(Found(day + (clock or timedelta()), "day" if clock is None else "second", match.start(), end))
    return found


def orders(line: str) -> set[bool]:
    """What the numeric dates of a line say about the order of others: True for 13/2/2025 (day first), False for 2/13/2025.

    >>> orders("13/02/2025 and 01/02/2025"), orders("2/13/2025"), orders("1/2/2025")
    ({True}, {False}, set())
    """
    found = set()
    for match in _FORMS.finditer(_fold(line)):
        if match["s4"] in ("/", "-"):
            first, second = int(match["a4"]), int(match["b4"])
            found |= {first > 12} if (first > 12) != (second > 12) else set()
    return found


def readings(line: str) -> list[tuple[date, date]]:
    """The numeric dates of a line that can be read in two ways, as (read with the day first, read with the month first).

    >>> readings("1/2/2025 or 13/2/2025")
    [(datetime.date(2025, 2, 1), datetime.date(2025, 1, 2))]
    """
    found = []
    for match in _FORMS.finditer(_fold(line)):
        day, month = _day(match, True, ()), _day(match, False, ())
        if day and month and day != month:
            found.append((day.date(), month.date()))
    return found


def of_url(url: str) -> date | None:
    """The day in an address, as many outlets file their stories: /2025/01/09/, /2025/jan/9/, /2025-01-09-ferry, /ferry-20250109.html.

    It was the day of publication in all of 3,780 addresses of a crawl of news, and in 19 of 20 of another (one was local, its record UTC).

    >>> of_url("https://news.example/2025/jan/9/ferry"), of_url("https://news.example/ferry-20250109.html")
    (datetime.date(2025, 1, 9), datetime.date(2025, 1, 9))
    >>> of_url("https://news.example/2025/01/ferry"), of_url("https://news.example/article-202501099")
    (None, None)
    """
    for match in _IN_URL.finditer(url.partition("?")[0].partition("#")[0].lower()):
        year, month, day = (part for part in match.groups() if part)
        try:
            return date(int(year), int(month) if month.isdecimal() else _months().get(month, 0), int(day))
        except ValueError:
            continue
    return None


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


def _day(match: re.Match[str], day_first: bool | None, short_years: Collection[int]) -> datetime | None:
    part = match.groupdict()
    kind = match.lastgroup[-1] if match.lastgroup else ""
    year = _year(part, kind, short_years)
    if name := part.get("n" + kind):
        month, day = _months().get(_bare(name), 0), int(part["d" + kind])
        if part["o5"] == "." and part["n5"] == "listopada":
            month = 10  # Croatian, with a dot after the day; Polish without one means November
    elif kind == "4":
        first, second = int(part["a4"]), int(part["b4"])
        thai = part["y4"] != str(year)
        if first <= 12 and second <= 12 and first != second and part["s4"] != "." and day_first is None and not thai:
            return None  # 01/02/2025 is January in the US and February elsewhere; with dots the day is always first
        day_leads = first > 12 or (second <= 12 and (part["s4"] == "." or thai or day_first is not False))
        day, month = (first, second) if day_leads else (second, first)
    else:
        month, day = int(part["m" + kind]), int(part["d" + kind])
    if year not in _YEARS or not month:
        return None
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def _year(part: Mapping[str, str | None], kind: str, short_years: Collection[int]) -> int:
    """The year, from eras and the Buddhist count too; 0 when its two digits are not known to be of a year."""
    written = part["y" + kind] or "0"
    year = int(written)
    if part["era"] and kind == "2":
        return year + _ERAS[part["era"]]
    if len(written) == 2 and kind == "4":
        return next((full for full in short_years if full % 100 == year and part["s4"] == "."), 0)
    # 2443 is 1900, 2643 is 2100; no other count of years is there
    return year - _BUDDHIST if year - _BUDDHIST in _YEARS and kind in "45" else year


def _clock(line: str, folded: str, written: re.Match[str], day: datetime) -> tuple[timedelta | None, int]:
    """Time of day with a known zone beside a date, as what must be added to the day's 00:00 UTC; and where date and time end."""
    after = _CLOCK.search(folded, written.end(), written.end() + 40)
    before = None if after else _CLOCK.search(folded, max(0, written.start() - 40), written.start())
    clock = after or before
    end = (
        max(written.end(), after.end() if after["zone"] is None or _is_zone(line, after) else after.start("zone"))
        if after
        else written.end()
    )
    if clock is None:
        return None, end
    hour, minute, second = int(clock["hour"]), int(clock["minute"] or 0), int(clock["second"] or 0)
    half = "p" if clock["early"] in _AFTERNOON else (clock["half"] or clock["only"] or "")[:1]
    offset = _offset(clock["zone"] if _is_zone(line, clock) else None, clock["offset"], day, half)
    if hour > 23 or minute > 59 or second > 59 or offset is None or (half and not 1 <= hour <= 12):
        return None, end
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return timedelta(hours=hour, minutes=minute - offset, seconds=second), end


def _is_zone(line: str, clock: re.Match[str]) -> bool:
    """Zones are written in capitals; small letters are words: the French et, est."""
    zone = line[slice(*clock.span("zone"))] if clock["zone"] else ""
    return zone.isupper() or zone.lower() == "мск"


def _offset(zone: str | None, offset: str | None, day: datetime, half: str) -> int | None:
    """Minutes east of UTC, None when no zone is given or its abbreviation is not known."""
    if offset:
        digits = re.sub(r"[^\d+-]", "", offset)
        sign, digits = (-1 if digits[0] == "-" else 1), digits[1:]
        hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
        return sign * (60 * hours + minutes) if hours <= 14 and minutes <= 59 else None
    if zone in _AMERICAN and half:
        return _AMERICAN[zone] + 60 * _is_american_summer(day)
    return _ZONES.get(zone) if zone else None


def _is_american_summer(day: datetime) -> bool:
    """Between the second Sunday of March and the first of November, as in the US since 2007."""
    march, november = datetime(day.year, 3, 8, tzinfo=UTC), datetime(day.year, 11, 1, tzinfo=UTC)
    return march + timedelta(days=6 - march.weekday()) <= day < november + timedelta(days=6 - november.weekday())


def _fold(line: str) -> str:
    """Lower case with ASCII digits, code point for code point, so that positions stay those of the line."""
    lower = line.lower()
    if line.isascii() or (len(lower) == len(line) and not _ODD.search(line)):
        folded = lower
    else:
        folded = "".join(_fold_one(character) for character in line)
    return _ARABIC_TWO.sub(r"\1_", folded) if "ين " in folded or "ون " in folded else folded


def _fold_one(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character.isspace():
        return " "
    lower = character.lower()
    return lower if len(lower) == 1 else lower[0]


def _bare(word: str) -> str:
    """The word without accents, as the month names are looked up."""
    decomposed = unicodedata.normalize("NFD", word.lower().replace("ı", "i"))
    return "".join(character for character in decomposed if not unicodedata.combining(character)).rstrip(".")


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
