"""Bytes to text."""

from __future__ import annotations

import codecs
import re

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
}
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""", re.IGNORECASE
)
_DETECTION_BYTES = 200_000
_ODD = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\ufffd]")


class NotTextError(ValueError):
    """Bytes that are no text; `reason` is the term for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of some bytes: by byte order mark, as UTF-8, as declared, then by detection (chardet).

    Valid UTF-8 beyond ASCII goes before the declaration: text in another charset is practically never valid UTF-8, while
    declarations are often wrong. For pure ASCII the declaration decides (ISO-2022 and HZ hide in seven bits).

    Raises:
        NotTextError: the bytes are binary, or hold NUL.
    """
    for mark, charset in BOMS:
        if data.startswith(mark):
            return data.decode(charset, "replace")
    named = _python_name(declared)
    if data.isascii() and named in (None, "cp1252", "utf-8"):
        text: str | None = data.decode("ascii")
    elif data.isascii():
        text = _strictly(data, named)
    else:
        text = _strictly(data, "utf-8") or _strictly(data, named)
    if b"\0" in data and not (text is None and (named := _detected(data)) and named.startswith("utf-")):
        raise NotTextError(
            *(("binary", "the bytes are no text in any charset") if text is None else ("nul_bytes", "the text holds NUL bytes"))
        )
    if text is None:
        text = data.decode(_detected(data) or "cp1252", "replace")
    if _is_binary(text):
        raise NotTextError("binary", "the bytes are no text in any charset")
    return text


def declared_charset(page: bytes) -> str | None:
    """The charset that an HTML page declares in its first 4 KB, or None."""
    found = _DECLARED.search(page[:4096])
    return (found[1] or found[2]).decode("ascii") if found else None


def _python_name(label: str | None) -> str | None:
    if label is None:
        return None
    try:
        name = codecs.lookup(label.strip()).name
    except (LookupError, ValueError):
        return None
    return WIDER.get(name, name)


def _strictly(data: bytes, charset: str | None) -> str | None:
    if charset is None:
        return None
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return None


def _detected(data: bytes) -> str | None:
    import chardet

    return _python_name(chardet.detect(data[:_DETECTION_BYTES])["encoding"])


def _is_binary(text: str) -> bool:
    """More than 1 in 100 characters is a C0 control or could not be decoded. (C1 controls are common in mojibake.)"""
    sample = text[:20_000]
    return len(_ODD.findall(sample)) > 0.01 * len(sample)
