"""Bytes to text.

What a page says of its charset is often wrong, and what it holds is sometimes two charsets. So: a byte order mark decides;
then UTF-8, if the bytes are UTF-8 all or for the most part; then what is declared, if the text that comes of it is
convincing beside what detection finds (chardet, measured best); then detection.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from unicodedata import category

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a label means on the web is the larger Windows charset: https://encoding.spec.whatwg.org/#names-and-labels
WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "koi8-r": "koi8-u",
}
# Names that Python knows and that no page can mean: with them seven-bit text would turn into other text (UTF-7 hides markup),
# and UTF-16 is told by its bytes
NO_CHARSET = re.compile("utf-?(?:7|16|32)|.*escape|punycode|idna|undefined|palmos|mbcs|oem|charmap")
FEW = 16  # bytes beyond ASCII, below which detection knows little and a declaration is nearly believed
LENIENT = 0.3  # the same with few bytes
RARE = 0.9  # weight of a charset that the web hardly has (Mac, DOS, ISO 8859-3)
CONVINCING = (
    0.8  # of the best charset's weight: on texts in 22 languages true declarations reach it, false ones seldom (tests/test_decode.py)
)
DETECTION_BYTES = 200_000
MOST_MIXED = 6_000_000
"""Bytes of a record that is not UTF-8 throughout: it is read stretch by stretch, at some 4 MB a second."""
SAMPLE_BYTES = 20_000  # in which nonsense is counted, for each charset that may be

_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*+=\s*+["']?\s*+([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding\s*+=\s*+["']([\w.:-]{2,40})""", re.IGNORECASE
)
_WINDOWS = re.compile(r"(?:windows|win|cp|ms|dos)[-_ ]?(125\d|874|932|949)$")
_ODD = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_USUAL_CHARSET = re.compile("cp125\\d|cp874|cp932|cp949|gb18030|big5hkscs|euc_jp|koi8-u|iso8859-(?:[25678]|15)")
_MARKUP = re.compile(rb"<[^<>]{0,2000}>|\n")
_C1 = re.compile("[\x80-\x84\x86-\x9f]")  # U+0085 is a line end on mainframes
_MARKS = tuple(mark for mark, _ in BOMS)
NO_TEXT = "the bytes are no text in any charset"
_ASCII = bytes(range(128))
_NO_CONTROLS = bytes([*range(9, 14), *range(32, 256)])
_PLAIN = bytes([9, 10, 12, 13, *range(32, 127)])
_ESCAPED = re.compile("[\udc80-\udcff]+")
_BEYOND_ASCII = re.compile("[^\0-\x7f\udc80-\udcff]")
_STRETCH = re.compile('(?<=[\n>"])')  # none of the three can be the second byte of a character
_PART = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")  # of a UTF-8 character
_USUAL = re.compile("[ \n.,\u060c\u3001\u3002\uff0c]")
# What no text of any language has: C1 controls and characters for private use; a symbol or one letter of another script between
# small Latin letters; four accented Latin letters in a row
_NONSENSE = re.compile(
    "[\x80-\x84\x86-\x9f\xa4\ue000-\uf8ff\ufffd]|(?<=[a-z])[^\0-\xa0\xad\xb7\xc0-\u024f\u02b0-\u036f\u1e00-\u1eff\u2000-\u206f](?=[a-z])"
    "|[\u0370-\u0fff](?=[a-z])|(?<=[a-z])[\u0370-\u0fff]|[\xc0-\u024f]{4}"
)


class NotTextError(ValueError):
    """Bytes that are no text; `reason` is the term for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode(data: bytes, *declared: str | None) -> str:
    """The text of some bytes. `declared`: charsets that are said to be theirs, the most trusted first.

    Valid UTF-8 beyond ASCII goes before any declaration: text in another charset is practically never valid UTF-8.

    Raises:
        NotTextError: the bytes are binary, hold NUL, or are many and in no certain charset.
    """
    if data.startswith(_MARKS):
        return data.decode(next(charset for mark, charset in BOMS if data.startswith(mark)), "replace")
    if b"\0" in data:
        text = _wide(data)
        if text is None:
            raise NotTextError(*(("nul_bytes", "the text holds NUL bytes") if _strictly(data, "utf-8") else ("binary", NO_TEXT)))
        return text
    text = _strictly(data, "utf-8")
    if text is not None and "\ufffd" not in text and not data.translate(None, _NO_CONTROLS):
        # one sign is looked for 20 times as fast as two
        return _escaped(data, declared) or text if b"~" in data and b"~{" in data else text
    if text is None and len(data) > MOST_MIXED:
        raise NotTextError("too_large", f"{len(data):,} bytes that are not UTF-8 throughout; at most {MOST_MIXED:,} of such are read")
    if text is None or b"\x1b$" in data or b"~{" in data:
        text = _escaped(data, declared) or text or _mostly_utf8(data) or _in_charset(data, declared)
    if _is_binary(text) and (text := _wide(data) or "") == "":
        raise NotTextError("binary", NO_TEXT)
    return text


def decode_as(data: bytes, charset: str | None) -> str:
    """The text of a piece too short to tell its charset, from a file in that charset: in it or in UTF-8, else as `decode`."""
    text = None if b"\0" in data or _strictly(data, "utf-8") is not None else _strictly(data, charset)
    return decode(data, charset) if text is None or _is_binary(text) else text


def declared_charset(page: bytes) -> str | None:
    """The charset that an HTML page declares in its first 4 KB, or None."""
    found = _DECLARED.search(page[:4096])
    return (found[1] or found[2]).decode("ascii") if found else None


def detected(head: bytes) -> str | None:
    """The charset of the head of a file, or None when it is UTF-8 as far as it goes, or for the most part."""
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(head)
    if not _broken(text) or b"\0" in head or _mostly_utf8(head) is not None:
        return None
    return _best(_weights(head))


def _wide(data: bytes) -> str | None:
    """The text of UTF-16 or UTF-32 without a byte order mark, or None when the bytes are neither.

    Told by NULs in many places, or by bytes beside them that plain text has not; and the right order of bytes by the spaces and
    stops, which no text has in the wrong one.
    """
    if not data.translate(None, b"\0" + _PLAIN) and data.count(0) < 0.3 * len(data):
        return None
    best, usual = None, 0.005
    for charset in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        sample = data[:SAMPLE_BYTES].decode(charset, "replace")
        odd = sum(sign == "\ufffd" or (category(sign) in ("Cc", "Cn", "Co") and sign not in "\t\n\r\f") for sign in sample)
        share = len(_USUAL.findall(sample)) / max(1, len(sample))
        if odd <= max(1, 0.01 * len(sample)) and share > usual:
            best, usual = charset, share
    return data.decode(best, "replace") if best else None


def _escaped(data: bytes, declared: Iterable[str | None]) -> str | None:
    """Text in ISO-2022, told by its escapes, or in HZ where that is declared."""
    names = [name for label in declared if (name := _python_name(label)) and name.startswith(("iso2022", "hz"))]
    if b"\x1b$" in data:
        names.append("iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp_ext")
    return next((text for name in names if (text := _strictly(data, name))), None)


def _mostly_utf8(data: bytes) -> str | None:
    """The text of bytes that are UTF-8 for the most part, or None when they are not.

    A stretch (of a line, between tags) in which UTF-8 is the exception is in another charset, all such stretches in the same;
    elsewhere single bytes that break UTF-8 are Windows-1252, unless they are what is left of a character.
    """
    try:  # characters beyond U+FFFF as two surrogates of three bytes each, as Java and MySQL write them
        return data.decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    stretches = [(stretch, _broken(stretch), len(_BEYOND_ASCII.findall(stretch))) for stretch in _STRETCH.split(text)]
    broken = sum(broken for _, broken, _ in stretches)
    good = sum(good for _, _, good in stretches)
    sound = sum(good for _, broken, good in stretches if not broken)
    if good < broken and sound < max(FEW, broken / 4):
        return None
    foreign = b"".join(stretch.encode("utf-8", "surrogateescape") for stretch, broken, good in stretches if broken > good)
    charset = _best(_weights(foreign)) if _high(foreign) >= FEW else "cp1252"
    return "".join(_mended(stretch, charset if broken > good else None) if broken else stretch for stretch, broken, good in stretches)


def _broken(text: str) -> int:
    return sum(map(len, _ESCAPED.findall(text)))


def _mended(stretch: str, charset: str | None) -> str:
    legacy = _strictly(stretch.encode("utf-8", "surrogateescape"), charset)
    return _ESCAPED.sub(_as_windows, stretch) if legacy is None else legacy


def _as_windows(match: re.Match[str]) -> str:
    data = match[0].encode("utf-8", "surrogateescape")
    text = data.decode("cp1252", "replace")
    cut = len(data) == 1 and text.isupper() and match.string[max(0, match.start() - 1)].islower()
    return "\ufffd" if cut or _PART.fullmatch(data) else text


def _in_charset(data: bytes, declared: Iterable[str | None]) -> str:
    """The text of bytes in a legacy charset: a declared one, if it convinces, else the one detected."""
    named = [name for label in declared if (name := _python_name(label)) and name != "utf-8"]
    high = _high(data)
    read = {name: data.decode(name, "replace") for name in named or (["cp1252"] if high < FEW else [])}
    read = {name: text for name, text in read.items() if text.count("\ufffd") <= high / 100 + (high >= FEW)}
    # a byte that a charset has not rules it out for chardet, so those that the first declared one has not are left out
    weights = _weights(data.decode(named[0], "ignore").encode(named[0], "ignore") if named and named[0] in read else data, named)
    best = _best(weights)
    found = data.decode(best, "replace")
    for name, text in read.items():
        convincing = weights[name] >= (LENIENT if named and high < FEW else CONVINCING) * weights[best]
        if convincing and (not _C1.search(text) or _C1.search(found)):
            return text
    return found


def _weights(data: bytes, named: Iterable[str] = ()) -> dict[str, float]:
    """How well charsets explain the bytes: chardet's score, less for charsets that are rare on the web and for nonsense.

    chardet sees the lines beyond ASCII only, and no tags: the markup of a page drowns its text.
    """
    import chardet

    telling = b"\n".join(stretch for stretch in _MARKUP.split(data) if not stretch.isascii())
    scores: dict[str, float] = dict.fromkeys([*named, "cp1252"], 0.01)
    for found in chardet.detect_all(telling[:DETECTION_BYTES], ignore_threshold=True):
        name = _python_name(found["encoding"])
        if name and name != "utf-8":
            scores[name] = max(scores.get(name, 0), found["confidence"])
    sample = telling[:SAMPLE_BYTES]
    weights: dict[str, float] = {}
    for name in sorted(scores, key=lambda name: (-scores[name], name != "cp1252", name)):
        most = scores[name] * (1 if _USUAL_CHARSET.fullmatch(name) else RARE)
        if name in named or name == "cp1252" or most > max(weights.values(), default=0):
            weights[name] = most * _sense(sample, name)
    return weights


def _sense(sample: bytes, charset: str) -> float:
    nonsense = len(_NONSENSE.findall(sample.decode(charset, "replace")))
    return max(0.1, 1 - 3 * nonsense / (_high(sample) or 1))


def _best(weights: Mapping[str, float]) -> str:
    return max(weights, key=lambda name: (weights[name], name == "cp1252", name))


def _high(data: bytes) -> int:
    return len(data.translate(None, _ASCII))


def _python_name(label: str | None) -> str | None:
    """Python's name of a charset, the wider one on the web; None for what Python does not know or no text is in."""
    if label is None:
        return None
    label = label.strip().lower().removeprefix("x-")
    if found := _WINDOWS.match(label):
        label = f"cp{found[1]}"
    try:
        name = codecs.lookup("cp932" if label == "sjis" else label).name
        b"a".decode(name)  # not all that Python calls a codec is a charset
    except (LookupError, ValueError):
        return None
    return None if NO_CHARSET.fullmatch(name) else WIDER.get(name, name)


def _strictly(data: bytes, charset: str | None) -> str | None:
    if charset is None:
        return None
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return None


def _is_binary(text: str) -> bool:
    """More than one character, and more than 1 in 100, is a C0 control or could not be decoded. (C1 controls are common in mojibake.)"""
    sample = text[:20_000]
    return len(_ODD.findall(sample)) > max(1, 0.01 * len(sample))
