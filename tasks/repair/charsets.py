"""UTF-8 that was read in another charset: how such text looks, and how it is read again.

Every character beyond ASCII has become two to four characters: one whose byte in the wrong charset is a UTF-8 lead, then
some whose bytes are continuations. A run of such characters is a *sequence*. Only sequences of characters that people
write are looked for: the bytes of rare blocks (Samaritan, IPA, private use) would be found by chance in healthy text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

NAMES = (
    *("cp1252", "cp1251", "cp1250", "mac_roman", "iso8859-2", "cp437", "cp850", "koi8-r", "cp866", "cp1253", "cp1254", "cp1257"),
    *("cp852", "cp1256", "cp1255", "cp1258", "iso8859-15", "iso8859-5", "iso8859-7", "mac_cyrillic"),
)
"""Charsets in the order in which they are preferred when they explain a line equally well. cp1252 stands for Latin-1 too."""

# what the sequences of three bytes mostly stand for in news: dashes, quotation marks, ellipsis, euro and trade mark signs
_MARKS = re.compile("[\u2010-\u2026\u2030\u2039\u203a\u20ac\u2122]")
C1 = re.compile("[\x80-\x9f]")
_UTF8 = re.compile("[\xc2-\xf4][\x80-\x9f]")  # rather a broken sequence
_COMBINING = re.compile("[\u0300-\u036f]")  # decomposed text is rare; read so, other charsets' letters just get an accent
_BEYOND = re.compile("[^\0-\x7f\xa0]")
# UTF-8 by lead and first continuation byte, as ranges of bytes; the further ones are any continuation
_TWO = (
    *(("c2", "80-bf"), ("c3-c5", "80-bf"), ("c6", "8f92a0a1afb0"), ("c8", "98-9b"), ("c9", "99"), ("cc", "80-a8")),
    *(
        ("ce", "84-bf"),
        ("cf", "80-8e"),
        ("d0-d1", "80-bf"),
        ("d2-d3", "90-bf"),
        ("d4", "b1-bf"),
        ("d5", "80-bf"),
        ("d6", "80-8a"),
        ("d7", "90-b4"),
        ("d8", "8c9b9fa0-bf"),
    ),
    *(("d9", "80-b0"), ("da", "80-bf"), ("db", "80-b9")),
)
_THREE = (
    *(("e0", "a4-bf"), ("e1", "8283b8-bf"), ("e2", "80-8688898c93-9dac"), ("e3", "80-83"), ("e4", "b8-bf"), ("e5-e9", "80-bf")),
    *(("ea", "b0-bf"), ("eb-ec", "80-bf"), ("ed", "80-9e"), ("ef", "acadb8bbbcbdbf")),
)
_FOUR = (("f0", "9f"),)


@dataclass(frozen=True)
class Charset:
    """One charset that UTF-8 may have been read in.

    name: as in Python. bytes: each character (as code point) to the byte it stands for (as code point). sequences: matches
    runs of sequences. lost: matches a lead whose no-break space (byte A0) has become a plain space, and a further
    space; None where the charset has no no-break space there.
    """

    name: str
    bytes: Mapping[int, int]
    sequences: re.Pattern[str]
    lost: re.Pattern[str] | None

    @property
    def cost(self) -> float:
        """What a chain through a rare charset must gain more."""
        return 0.0 if NAMES.index(self.name) < NAMES.index("cp1253") else 1.0

    @property
    def step(self) -> str:
        """What reading again is, in words."""
        return f"read {self.name} as utf-8"

    def read_again(self, text: str) -> tuple[str, float]:
        """The text with every run of sequences decoded as UTF-8, and how little that looks like an accident.

        The longer the sequences, the more common what they stand for and the fewer the other characters beyond ASCII, the less.

        >>> charset("koi8-r").read_again("caf\u0446\u2558")
        ('caf\u00e9', 0.0)
        """
        parts, clues, end = [], 0.0, 0
        for found in self.sequences.finditer(text):
            parts += [text[end : found.start()], decoded := self._decoded(found)]
            end = found.end()
            clues += 1.5 * (len(_MARKS.findall(decoded)) + sum(character > "\u07ff" for character in decoded)) + 0.5 * (len(decoded) - 1)
            clues -= 1.5 * len(_COMBINING.findall(decoded))
        parts.append(text[end:])
        return "".join(parts), clues - 0.5 * sum(len(_BEYOND.findall(part)) for part in parts[::2])

    def _decoded(self, found: re.Match[str]) -> str:
        try:
            return found[0].translate(self.bytes).encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:  # an overlong form or a surrogate
            return found[0]


@dataclass(frozen=True)
class Controls:
    """C1 controls (bytes 80-9F read as Latin-1) that are letters or signs of another charset; bytes: control to character."""

    name: str
    bytes: Mapping[int, str]
    sequences: re.Pattern[str]
    lost: None = None
    cost = 0.0

    @property
    def step(self) -> str:
        return f"read C1 controls as {self.name}"

    def read_again(self, text: str) -> tuple[str, float]:
        """The text with the C1 controls beside its letters as the charset has them; in doubt they are Windows-1252, as on the web.

        >>> controls()[1].read_again("tur\x92stico")
        ('tur\u00edstico', 0.0)
        """
        if not self.sequences.search(text) or _UTF8.search(text):
            return text, 0.0
        return text.translate(self.bytes), 0.25 if self.name == "cp1252" else 0.0


@cache
def controls() -> tuple[Controls, ...]:
    high = bytes(range(0x80, 0xA0))
    found = []
    for name in ("cp1252", "mac_roman", "cp850"):
        written = {byte: bytes([byte]).decode(name, "ignore") or chr(byte) for byte in high}
        found.append(Controls(name, written, re.compile(r"(?<=[^\W\d_])[\x80-\x9f]|[\x80-\x9f](?=[^\W\d_])")))
    return tuple(found)


def charset(name: str) -> Charset:
    return charsets()[NAMES.index(name)]


@cache
def charsets() -> tuple[Charset, ...]:
    """All of NAMES; built once a process (10 ms)."""
    return tuple(_charset(name) for name in NAMES)


@cache
def suspect() -> re.Pattern[str]:
    """Matches wherever a sequence of any charset or a C1 control is: what it does not find in a text, no charset finds."""
    firsts: dict[str, set[str]] = {}
    for name in NAMES:
        written = _characters(name)
        for lead, second in _pairs():
            for a in written[lead]:
                firsts.setdefault(a, set()).update(b for byte in second for b in written[byte])
    # leads that are followed alike stand in one class
    groups: dict[str, str] = {}
    for first, seconds in sorted(firsts.items()):
        alike = "".join(sorted(seconds))
        groups[alike] = groups.get(alike, "") + first
    any_first = _class("".join(sorted(firsts)))
    pairs = "|".join(_class(a) + _class(b) for b, a in groups.items())
    return re.compile(f"(?={any_first}|[\x80-\x9f])(?:{pairs}|[\x80-\x9f])")


def _charset(name: str) -> Charset:
    written = _characters(name)
    back = {ord(character): byte for byte, characters in written.items() for character in characters}
    continuation = _class("".join("".join(written[byte]) for byte in range(0x80, 0xC0)))
    alternatives = []
    for ranges, more in ((_TWO, 0), (_THREE, 1), (_FOUR, 2)):
        for leads, seconds in ranges:
            a, b = ("".join("".join(written[byte]) for byte in _bytes(part)) for part in (leads, seconds))
            alternatives.append(_class(a) + _class(b) + continuation * more)
    lost = None
    if "\xa0" in written[0xA0]:
        lead = _class("".join("".join(written[byte]) for byte in ((0xC2,) * (name == "cp1252") + (0xC3, 0xC5, 0xCE, 0xD0, 0xD9))))
        lost = re.compile(f"({lead}) ( ?)")
    return Charset(name, back, re.compile("(?:" + "|".join(alternatives) + ")+"), lost)


def _characters(name: str) -> dict[int, list[str]]:
    """What each byte from 80 on may be written as: by the charset, and unassigned or C1 bytes as themselves."""
    written = {}
    for byte in range(0x80, 0x100):
        found = [bytes([byte]).decode(name, "ignore")] if bytes([byte]).decode(name, "ignore") else []
        if not found or (byte < 0xA0 and name == "cp1252"):
            found.append(chr(byte))
        written[byte] = list(dict.fromkeys(found))
    return written


def _pairs() -> list[tuple[int, list[int]]]:
    return [(lead, _bytes(second)) for first, second in (*_TWO, *_THREE, *_FOUR) for lead in _bytes(first)]


def _bytes(ranges: str) -> list[int]:
    """Bytes written in hexadecimal, one after the other or as ranges.

    >>> _bytes("80-8285")
    [128, 129, 130, 133]
    """
    return [
        byte
        for part in re.findall("[0-9a-f]{2}-[0-9a-f]{2}|[0-9a-f]{2}", ranges)
        for byte in range(int(part[:2], 16), int(part[-2:], 16) + 1)
    ]


def _class(characters: str) -> str:
    return "[" + re.escape("".join(sorted(set(characters)))) + "]" if characters else r"(?!)"
