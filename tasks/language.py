"""Which language a story is in, as a BCP 47 tag, or None when the text does not tell.

The detector is CLD2 (Chromium's Compact Language Detector 2: naive Bayes over letter quadgrams; Sites 2013), through pycld2: offline, no
model to fetch, the same answer for the same bytes. Of nine measured (1,500 to 6,300 texts of 42 news languages) it alone reads a story
in well under 60 µs, and what it is sure of is right: for texts of 800 letters in one language 97 % are told and none wrongly.
"""

from __future__ import annotations

import re
from typing import Any

STRETCH = 250  # code points of a stretch; beginning, middle and end of a longer text are read
SHORTEST = 150  # bytes of UTF-8; of texts of 120 letters .4 % are told wrongly, of 200 .2 %, of 40 2.6 %
MOSTLY = 80  # percent of the text in one language; half and half is null in 99 % of cases, 30 % of another language in 82 %

# CLD2's names of 2013; its plain zh is the simplified script. Bosnian, Croatian and Serbian in Latin letters are taken for each other in one
# text of seven, so they are Serbo-Croatian
_TAGS = {"zh": "zh-Hans", "iw": "he", "jw": "jv", "hr": "sh", "bs": "sh", "sr-ME": "sh"}
_CYRILLIC = re.compile("[а-я]")
# A declaration is believed against the detector within these: they share most of their words, or CLD2 knows one of two names of a language
_KIN = (
    frozenset(["no", "nb", "nn", "da"]),
    frozenset(["hr", "sr", "bs", "sh", "cnr"]),
    frozenset(["id", "ms", "jv", "su"]),
    frozenset(["tl", "fil"]),
    frozenset(["he", "iw", "yi"]),
    frozenset(["cs", "sk"]),
    frozenset(["pt", "gl"]),
    frozenset(["nl", "af"]),
    frozenset(["bg", "mk"]),
    frozenset(["ro", "mo"]),
    frozenset(["hi", "mr", "ne", "bh"]),
    frozenset(["fa", "ps"]),
    frozenset(["zu", "xh", "nr", "ss"]),
)


def detect(text: str) -> str | None:
    """The language of a text: 'de', 'pt', 'zh-Hant'; None when the text is short, mixed, or no language that the detector is sure of.

    Languages have no region (a Brazilian text is 'pt'); Norwegian is 'no' in Bokmål and 'nn' in Nynorsk; Chinese has its script; Bosnian,
    Croatian and Serbian in Latin letters are 'sh'.

    Args:
        text: the story without furniture. At most three stretches of 250 code points are read: beginning, middle and end.

    >>> detect("Die Fähre fuhr am Montag wieder zu spät, und niemand sagte, warum. Die Reederei will am Dienstag mit dem Hafen über die "
    ...     "neuen Zeiten sprechen, und auch der Bürgermeister soll dabei sein.")
    'de'
    >>> detect("Berlin 3:2")
    """
    import pycld2

    sample = _sample(text)
    if len(sample) < SHORTEST and len(sample.encode("utf-8", "replace")) < SHORTEST:
        return None
    try:
        sure, _, found = pycld2.detect(sample, isPlainText=True)
    except (pycld2.error, UnicodeEncodeError):  # controls and lone surrogates are no valid text to it
        sure, _, found = pycld2.detect("".join(sign if sign.isprintable() else " " for sign in sample), isPlainText=True)
    tag = _tag(found[0]) if sure else None
    return "sh" if tag == "sr" and not _CYRILLIC.search(sample) else tag


def choose(declared: str | None, detected: str | None) -> str | None:
    """The language of a page: what it declares, unless the text is surely in another language (templates say 'en' on any page).

    A declaration stands when nothing was detected, when it is of the same language or a near one (nb and da, hr and sr, id and ms), and
    when the detector does not know the language, as it then finds the likest that it knows.

    Args:
        declared: a BCP 47 tag, as `<html lang>` gives it.
        detected: what `detect` says of the page's story.

    >>> choose("en-US", "de"), choose("en-GB", "en"), choose("nb", "da"), choose("gsw", "de"), choose(None, "fr"), choose("fr", None)
    ('de', 'en-GB', 'nb', 'gsw', 'fr', 'fr')
    """
    if declared is None or detected is None:
        return declared or detected
    ours, theirs = declared.partition("-")[0].lower(), detected.partition("-")[0]
    if ours == theirs or any(ours in kin and theirs in kin for kin in _KIN) or not _is_known(ours):
        return declared
    return detected


def _sample(text: str) -> str:
    if len(text) <= 3 * STRETCH:
        return text
    middle = (len(text) - STRETCH) // 2
    return f"{text[:STRETCH]}\n{text[middle : middle + STRETCH]}\n{text[-STRETCH:]}"


def _tag(found: tuple[Any, ...]) -> str | None:
    """The BCP 47 tag of CLD2's (name, code, percent, score); 'un' is unknown, 'xx-...' a script alone, 'zz...' a joke."""
    code, percent = str(found[1]), found[2]
    if percent < MOSTLY or code in ("un", "tlh") or code.startswith(("xx", "zz")):
        return None
    return _TAGS.get(code, code)


def _is_known(language: str) -> bool:
    import pycld2

    known = {code for name, code in pycld2.LANGUAGES if name in pycld2.DETECTED_LANGUAGES}
    return language in known or language in {_TAGS.get(code, code).partition("-")[0] for code in known}
