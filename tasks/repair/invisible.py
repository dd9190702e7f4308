"""Characters without a shape: zero-width spaces and joiners, marks of direction, soft hyphens.

What cannot have an effect is dropped: a zero-width space or joiner beside a space or at the edge of a line, save a joiner after a
letter of a script that joins, or a sign (emoji); marks of direction in a line without a right-to-left letter. What has one is kept:
joiners of Arabic, Indic scripts and emoji, break opportunities within words and addresses, marks in right-to-left lines,
and soft hyphens, which the publisher set.
"""

from __future__ import annotations

import re
from typing import Literal

Invisible = Literal["keep", "stray", "all"]

_ANY = "\xad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069"
# scripts that join (Arabic, Syriac, N'Ko, Indic, Tibetan, Myanmar, Khmer, Mongolian) and emoji: a joiner after or before them has a meaning
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ua840-\ua8ff\uaa00-\uabff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer: zero-width spaces part their words
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_STRAY = re.compile(
    rf"(?:^|(?<=\s))[\u200b\u2061-\u2064]+(?![{_UNSPACED}])|(?<![{_UNSPACED}\u200b])[\u200b\u2061-\u2064]+(?=\s|$)|(?:^|(?<=\s))[\u200c\u200d]+(?![{_JOINING}])|(?<![{_JOINING}\u200c\u200d])[\u200c\u200d]+(?=\s|$)"
)
_ALL = re.compile(rf"[\xad\u034f\u2060-\u2064]+|(?<![{_UNSPACED}])\u200b+|(?<![{_JOINING}])[\u200c\u200d]+(?![{_JOINING}])")
PRESENT = re.compile(f"[{_ANY}]")


def drop(line: str, which: Invisible) -> str:
    """The line without the invisible characters that `which` names.

    >>> drop("\\u200bThe end\\u200e.", "stray"), drop("Stra\\xdfen\\xadbahn", "stray"), drop("Stra\\xdfen\\xadbahn", "all")
    ('The end.', 'Stra\\xdfen\\xadbahn', 'Stra\\xdfenbahn')
    """
    if which == "keep" or not PRESENT.search(line):
        return line
    if not _RIGHT_TO_LEFT.search(line):
        line = _MARKS.sub("", line)
    return (_STRAY if which == "stray" else _ALL).sub("", line)
