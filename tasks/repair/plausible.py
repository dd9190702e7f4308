"""The language check: how plausible a stretch of text is, by its words and the shape of what are none.

A stretch between two spaces is cut into pieces at the punctuation that stands in words. A piece is worth what its word is
worth (Zipf frequency of tasks.rarity, in any of 42 languages), nothing if it is a well-formed word nobody knows (a name),
and less than nothing if it is no word: two scripts in one, a capital after a small letter, signs between letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LATIN = "A-Za-zÀ-ÖØ-öø-ňŊ-žƏƠơƯưǍ-ǜȘ-țə\u1e00-\u1eff\u02bb\u02bc\u0300-\u030c\u031b\u0323\u0327\u0328"
_SCRIPTS = (
    _LATIN,
    "Ά-ώ\u1f00-\u1ffe\u0300-\u0345",
    "Ѐ-џҐ-ӿ\u0301",
    "\u0591-\u05f4",
    "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdfb\ufe70-\ufefc\u200c\u200d",
    *(f"{chr(first)}-{chr(first + 0x7F)}\u0964\u0965\u200c\u200d" for first in range(0x900, 0xE00, 0x80)),
    "\u0e01-\u0e5b",
    "\u0e81-\u0edf",
    "\u1000-\u109f",
    "\u1780-\u17ff",
    "\u10a0-\u10ff",
    "\u0531-\u058f",
    "\uac00-\ud7a3\u3131-\u318eA-Z",
    "\u3001-\u3011\u3041-\u30ff\u3400-\u4db5\u4e00-\u9fff\uff01-\uffe5A-Z",
)
_ONE_SCRIPT = re.compile("|".join(f"[{script}0-9]+" for script in _SCRIPTS))
# what may stand between the words of a stretch: of the quotation marks and dots only those that are not within a word with
# letters beyond ASCII, where they are no punctuation; and what may stand before or after a word
_BETWEEN = re.compile(
    "(?:[-'\u2019/.,:;&+_@=()\\[\\]{}<>\"|!?*#%~^`\\\\$\\s\u2010-\u2015\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\u200b\ufe0f\U0001f000-\U0001faff]"
    "|[\u201c\u201d\u201e\u201a\u2018\xab\xbb\u2039\u203a\u2026\u2022\xb7](?!(?<=[A-Za-z\xc0-\u04ff].)[\xc0-\u04ff])(?!(?<=[\xc0-\u04ff].)[A-Za-z\xc0-\u04ff]))+"
)
_AROUND = "¿¡€£¥§©®™°²³¹ªº†‡¶¢½¼¾×±µ\u200b\u200c\u200d\u200e\u200f\u202a-\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
_FORMULA = re.compile("[√∑∏∫∂∆∇∞≈≠≤≥±÷×¬0-9]+[A-Za-zα-ω]{0,2}")
_MIXED = re.compile("[a-zß-öø-ž][^ ]{0,3}[\u3040-\u9fff\uac00-\ud7a3]|[\u3040-\u9fff\uac00-\ud7a3][^ ]{0,3}[à-öø-ž]")
_LETTER = re.compile(r"[^\W\d_]")
_SMALL = "a-zß-öø-ÿ" + "".join(map(chr, range(0x101, 0x180, 2))) + "ıłńňźżžа-яё-џ"
_RISE = re.compile(f"(?<=[{_SMALL}])[^{_SMALL}\0-\x7f]")
_BEYOND = re.compile("[^\0-\x7f]")
_FOREIGN = re.compile(
    "[\u0370-\u04ff\u2500-\u259f\u221a\u2202\u2248]"
)  # Greek, Cyrillic, boxes and the signs that begin letters in Mac Roman
_ASCII_LETTER = re.compile("[A-Za-z]")
_CONTROL = re.compile("[\x80-\x9f\ufffd]")


def pieces(stretch: str) -> list[str]:
    """The words of a stretch without spaces, and what stands where a word should.

    >>> pieces("(l\u2019\u00e9t\u00e9),"), pieces("f\u0413\u0458r")
    (['l', '\u00e9t\u00e9'], ['f\u0413\u0458r'])
    """
    found = (piece.strip(_AROUND).replace("\xad", "") for piece in _BETWEEN.split(stretch))
    return [piece for piece in found if piece]


def is_written(piece: str) -> bool:
    """Letters of one script."""
    return piece.isascii() or _ONE_SCRIPT.fullmatch(piece) is not None


def is_word(piece: str) -> bool:
    """Letters of one script, as words are written: small, capital, or capital first."""
    if piece.isascii():
        return piece.isalnum()
    rest = piece[1:]
    return _ONE_SCRIPT.fullmatch(piece) is not None and (rest == rest.lower() or piece == piece.upper())


def oddness(piece: str) -> float:
    """How little a piece that is no word looks like one: grows with the characters beyond ASCII."""
    if _FORMULA.fullmatch(piece):
        return 0.0
    if not _LETTER.search(piece):  # signs alone
        return 2.0 * len(_CONTROL.findall(piece))
    if is_written(piece) and not _RISE.search(piece):
        return 1.0
    return 1.0 + len(_BEYOND.findall(piece)) + (1.5 if _FOREIGN.search(piece) and _ASCII_LETTER.search(piece) else 0.0)


def worth(stretches: Sequence[str]) -> list[float]:
    """The plausibility of each stretch."""
    cut = [pieces(stretch) for stretch in stretches]
    known = _known(sorted({piece for found in cut for piece in found if is_word(piece)}))
    return [
        sum(known[piece] if piece in known else -oddness(piece) for piece in found) - (3.0 if _MIXED.search(stretch) else 0.0)
        for stretch, found in zip(stretches, cut, strict=True)
    ]


def plausibility(text: str) -> float:
    """The plausibility of a whole line."""
    return sum(worth(text.split(" ")))


def _known(words: list[str]) -> dict[str, float]:
    """Worth of each word: Zipf frequency above 2, at most 4, and at most half its letters up to three: chance makes short words."""
    from tasks import rarity, terms

    if not words:
        return {}
    found = terms.tokenise(words)
    zipf = rarity.load().frequencies(found.hashes)
    first = found.rows[:-1].tolist()
    one = (found.rows[1:] - found.rows[:-1] == 1).tolist()
    return {
        word: min(max(float(zipf[first[n]]) - rarity.UNSEEN, 0.0), 4.0 if len(word) > 3 else len(word) / 2)
        if one[n] and not word.isdigit()
        else 0.0
        for n, word in enumerate(words)
    }
