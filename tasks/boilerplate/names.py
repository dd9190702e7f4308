"""Who wrote a story, as a byline says: people's names, without role, handle, place or time; and the agency they stand beside."""

from __future__ import annotations

import re

# News agencies, as bylines, datelines and last lines name them; all letters small
AGENCIES = frozenset(
    """
    dpa|dpa-afx|deutsche presse-agentur|afp|agence france-presse|agence france presse|reuters|thomson reuters|ap|associated press|the associated press|ansa|adnkronos|efe|europa press|tass|
    interfax|ria novosti|xinhua|kyodo|kyodo news|jiji press|jiji|pa|pa media|press association|bloomberg|bloomberg news|anadolu|anadolu agency|anadolu ajansı|aa|
    anka|dha|iha|apa|sda|keystone-sda|ats|sid|kna|epd|belga|anp|pap|čtk|ctk|tasr|sita|mti|tt|ntb|ritzau|stt|lusa|yonhap|pti|ians|ani|aap|
    canadian press|the canadian press|upi|united press international|bns|elta|leta|ukrinform|unian|interfax-ukraine|agerpres|mediafax|hina|
    tanjug|beta|sta|fena|mina|bta|antara|bernama|vna|wam|spa|mena|irna|isna|tasnim|petra|saba|sana|apn|anp/afp|gfk|agência brasil|agência lusa|
    тасс|риа новости|интерфакс|укрінформ|уніан|апа|белта|бта|танјуг|бета|新华社|新華社|中新社|中央社|共同通信|共同|時事通信|時事|연합뉴스|뉴시스|뉴스1|
    رويترز|فرانس برس|أ ف ب|وام|واس|ايسنا|ایسنا|ایرنا
    """.replace("\n", "").replace("    ", "").strip().split("|")
)  # fmt: skip
_MARKS = (
    "by|written by|reported by|reporting by|story by|words by|text by|posted by|article by|published by|analysis by|opinion by|author|authors|"
    "von|autor|autorin|autoren|text|ein gastbeitrag von|eine analyse von|ein kommentar von|eine kolumne von|ein interview von|"
    "par|propos recueillis par|por|texto|di|a cura di|de|door|tekst|przez|oprac\\.|opracował|opracowała|autorzy|autore|autora|av|text av|af|skrevet af|"
    "skrevet av|skriven av|kirjoittanut|yazan|yazar|haber|автор|текст|автори|ავტორი|napsal|napsala|autoři|piše|piše se|scris de|szerző|írta|"
    "του|της|oleh|penulis|bởi|tác giả|बाय|द्वारा|بقلم|كتب|كتبت|كتبه|مأت|מאת|نویسنده"
)
_MARKED = re.compile(rf"(?:{_MARKS})(?:\s*:\s*|\s+)(?P<names>\S.*)", re.IGNORECASE)
_MARK = re.compile(rf"(?:{_MARKS})\s*:?", re.IGNORECASE)
_HAN = r"[\u4e00-\u9fff々]"
_CHINESE = re.compile(
    rf"[（(【\[]?(?:本报|本報|实习|實習|特约|特約)?(?:记者|記者|作者|撰文|文)\s*[/／:：|｜]?\s*(?P<names>{_HAN}{{2,4}}(?:[、,，/／ ]\s?{_HAN}{{2,4}}){{0,3}}?)(?:[）)】\]]|[/／].{{0,12}}(?:报道|報導|報道|電|电))?"
)
_KOREAN = re.compile(
    r"(?:[가-힣]{2,6}[= ])?(?P<names>[가-힣]{2,4}(?:\s?[·,]\s?[가-힣]{2,4}){0,3})\s?(?:선임|전문|인턴|객원)?\s?기자(?:\s*[(=]?\s*\S+@\S+)?[)\s]*"
)
_JAPANESE = re.compile(rf"{_HAN}{{1,3}}[ \u3000]{_HAN}{{1,3}}")
_PARTICLES = frozenset(
    "de da di del della dello dos das do du des van von der den dem la le el al bin ibn ben abu ter ten te zu zur af av och y e st o' mac mc".split()  # noqa: SIM905  # a list of words reads best as words
)  # fmt: skip
_AND = re.compile(
    r"(?<!\s)\s*(?:,|;|&|\s/|\s(?:and|und|et|y|e|en|och|og|ja|i|a|ve|и|та|și|és|și|dan|và|with|mit|avec|con|com|med|met)\s)\s*",
    re.IGNORECASE,
)
_CUT = re.compile(
    r"(?<!\s)\s*(?:[(\[@#]|\S+@|\s[-–—|•·]\s|\d|https?:|\b(?:updated|published|posted|last|follow|for|in|at|on|im|aus|aktualisiert|publié|le|am)\b).*$",
    re.IGNORECASE,
)
_ROLES = frozenset(
    """
    staff writer writers reporter reporters correspondent correspondents editor editors journalist columnist contributor contributors producer news
    sport sports travel lifestyle political politics business senior deputy assistant associate chief executive managing digital content hub director
    head health science education crime court showbiz tv audience special freelance editorial foreign world national europe royal investigations features consumer
    affairs trending live breaking data economics finance technology environment climate security football team desk bureau agency newsroom admin guest
    redakteur redakteurin korrespondent korrespondentin reporterin redaktion chefredakteur chefredakteurin volontär volontärin autor autorin
    ressortleiter ressortleiterin journalistin kolumnist kolumnistin sportredakteur politikredakteur journaliste correspondant correspondante envoyé envoyée
    spécial spéciale rédaction rédacteur rédactrice redactor redactora redacción corresponsal enviado enviada especial periodista repórter redação
    correspondente jornalista inviato inviata corrispondente redazione redacteur redactie verslaggever verslaggeefster journalisten dziennikarz dziennikarka
    korespondent redakcja toimittaja toimitus muhabir muhabiri editör корреспондент корреспондентка обозреватель редактор редакция журналист wire services
    """.split()  # noqa: SIM905  # a list of words reads best as words
)
_OFFICES = frozenset(
    "staff editorial newsroom bureau desk agency news services wire redaktion redazione redacción rédaction redakcja редакция".split()  # noqa: SIM905  # a list of words reads best as words
)
_WORD = re.compile(r"[^\W\d_]+(?:[.'’‑-][^\W\d_]+)*\.?")


def read_byline(line: str) -> tuple[str | None, str | None] | None:
    """Names and agency of a line that says who wrote the story, or None when it does not say so.

    >>> read_byline("By ANA EXAMPLE and Jan Muster, Harbour Correspondent"), read_byline("Von Jan Muster, dpa"), read_byline("홍길동 기자")
    (('ANA EXAMPLE and Jan Muster', None), ('Jan Muster', 'dpa'), ('홍길동', None))
    >>> read_byline("By Tuesday the river had crested"), read_byline("By the sea")
    (None, None)
    """
    line = line.strip().lstrip("*•·-–—|✍️ ").strip()
    for asian in (_CHINESE, _KOREAN):
        if found := asian.fullmatch(line):
            return found["names"].strip(), None
    marked = _MARKED.fullmatch(line)
    return names_in(marked["names"]) if marked else None


def is_mark(line: str) -> bool:
    """A line that is nothing but "By": the names stand on the next."""
    return _MARK.fullmatch(line.strip()) is not None


def names_in(text: str) -> tuple[str | None, str | None] | None:
    """The people's names that a text is a list of, as written, and the agency after them; None when it is something else.

    >>> names_in("Ana Example Travel Reporter"), names_in("ANA EXAMPLE, JAN MUSTER and AP"), names_in("Staff")
    (('Ana Example', None), ('ANA EXAMPLE, JAN MUSTER', 'AP'), (None, None))
    """
    agency, first, last, at = None, -1, -1, 0
    known = True
    for stop in (*_AND.finditer(text), None):
        part, begin = text[at : stop.start() if stop else len(text)], at
        at = stop.end() if stop else len(text)
        bare = part.strip(" .:;|-–—()")
        if bare.casefold() in AGENCIES:
            agency = agency or bare
            continue
        name = _name(part)
        if name is None:
            if first >= 0:
                break
            known = known and _is_role(bare)
            continue
        first = begin + part.index(name) if first < 0 else first
        last = begin + part.index(name) + len(name)
        if _CUT.search(part):
            break
    if first < 0:
        return (None, agency) if agency or known else None
    return text[first:last].strip(" ,;|"), agency


def looks_like_names(line: str) -> bool:
    """True for two to four capitalised words without digits, as people's names are written in cased scripts, or a Japanese one.

    >>> looks_like_names("Ana Example"), looks_like_names("Read the story"), looks_like_names("NEWS DESK"), looks_like_names("山田 花子")
    (True, False, False, True)
    """
    if _JAPANESE.fullmatch(line.strip()):
        return True
    words = line.split()
    if (
        not 2 <= len(words) <= 4
        or len(line) > 40
        or line.strip().casefold() in AGENCIES
        or any(word.casefold().strip(".") in _ROLES for word in words)
    ):
        return False
    capital = [word for word in words if word.casefold() not in _PARTICLES]
    return len(capital) >= 2 and all(
        _WORD.fullmatch(word) and word[0].isupper() and not (word.isupper() and len(word) > 2) for word in capital
    )


def _name(part: str) -> str | None:
    """The name with which a part of a byline begins: capitalised words, up to a role, a place, a handle or a time."""
    part = _CUT.sub("", part).strip(" .:;|-–—")
    found: list[str] = []
    for word in part.split():
        small = word.casefold().strip(".,")
        capitals = word.isupper() and len(word) > 2 and any(letter.islower() for letter in "".join(found))
        if small in _ROLES or capitals or not _WORD.fullmatch(word) or (word[0].islower() and small not in _PARTICLES):
            break
        found.append(word)
    while found and found[-1].casefold() in _PARTICLES:
        found.pop()
    if len(found) > 5 or sum(word.casefold() not in _PARTICLES for word in found) < 2:
        return None
    behind = [word.casefold().strip(".,") for word in part.split()[len(found) :]]
    if behind and ((behind[0] not in _ROLES and not part.split()[len(found)].isupper()) or (behind[0] in _OFFICES and len(behind) == 1)):
        return None  # more words than a name, or a newsroom
    return " ".join(found) if " ".join(found) in part else None


def _is_role(text: str) -> bool:
    return any(word.casefold().strip(".,") in _ROLES for word in text.split())
