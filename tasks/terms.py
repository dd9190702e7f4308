"""What a term is, in every script: the tables behind the tokenising kernel, and the same thing once more in plain Python.

Words are runs of letters, marks and digits. They are compared case-folded and without the diacritics of Latin, Greek
and Cyrillic, so that composed and decomposed spellings, full-width letters and stripped accents agree. Han, Kana,
Thai, Lao, Khmer and Myanmar write no spaces: each of their characters is a term of its own, and shingles are runs of
characters. The written form of a shingle is its terms joined by one space; `hash32` hashes that.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

HASH = "copydesk-terms-2"
"""Name of the hash of terms and shingles; another way to cut or fold terms must have another name."""

_FNV_OFFSET, _FNV_PRIME, _BASE = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
_FOREIGN = re.compile("[\u0370-\u052f]")
_BESIDE = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
_MASKED = 3  # words of two scripts that show that a text is written so on purpose (kernels.terms.MASKED)
_BREAK, _LETTER, _DIGIT, _CHARACTER, _SKIPPED = range(5)

# scripts that write no spaces, by block (Unicode, Blocks.txt)
_UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3031, 0x3035), (0x3038, 0x30FF), (0x31F0, 0x31FF)),
    *((0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F)),
)
# blocks of one class whose characters fold to themselves, assigned or not: no need to ask unicodedata about each
_WHOLE = (
    *((0x3400, 0x4DBF, _CHARACTER), (0x4E00, 0x9FFF, _CHARACTER), (0xAC00, 0xD7A3, _LETTER), (0xD800, 0xDFFF, _BREAK)),
    *((0x17000, 0x18CFF, _LETTER), (0x20000, 0x3FFFF, _CHARACTER), (0x40000, 0xDFFFF, _BREAK), (0xE0000, 0xE01EF, _SKIPPED)),
    (0xE01F0, 0x10FFFF, _BREAK),
)
# inside words, and no part of them: diacritics, and what has no width: soft hyphen, spaces and joiners, marks of direction, fillers,
# invisible signs, variation selectors, tags
_SKIP = frozenset("\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\ufeff\uffa0") | {
    chr(code)
    for first, last in (
        *((0x300, 0x36F), (0x180B, 0x180D), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x200B, 0x200F), (0x202A, 0x202E)),
        *((0x2060, 0x206F), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A)),
    )
    for code in range(first, last + 1)
}
# Letters of other scripts as the letters they look like, by script (after Unicode Technical Standard 39, confusables; small letters after
# capitals where both look so). Left out are those that science writes beside Latin letters: mu, beta, gamma, omega.
_ALIKE = {
    script: dict(zip(others, letters, strict=True))
    for script, others, letters in (
        (
            0,
            "АаВвСсЕеНнІіЈјКкМмОоРрЅѕТтУуХхҮүҺһӀӏԁԛԜԝѴѵΑαΒΕεΖΗΙιΚκΜΝνΟοϲϹΡρΤτΥυΧχϳ",
            "aabbcceehhiijjkkmmooppssttyyxxyyhhlldqwwvvaabeezhiikkmnvooccppttyuxxj",
        ),
        (1, "AaBEeHIiKkMNOoPpTtuvXxYyZz", "ααβεεηιικκμνοορρττυνχχυυζζ"),
        (2, "AaBbCcEeHhIiJjKkMmOoPpSsTtXxYy", "ааввссееннііјјккммооррѕѕттххуу"),
    )
}


@dataclass(frozen=True)
class Terms:
    """The terms of n texts, flat; those of text i are [rows[i], rows[i + 1]).

    hashes uint64[m]; kinds uint8[m] (kernels.terms: WORD, NUMBER, NUMERAL, SINGLE); begins and ends int64[m], bytes of
    the text; rows int64[n + 1]; disguised bool[n]: in letters of another script or in characters without width.
    """

    hashes: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    disguised: npt.NDArray[np.bool_]


def tokenise(texts: pa.Array[Any] | pa.ChunkedArray[Any] | Sequence[str]) -> Terms:
    """The terms of every text; nulls are empty texts. Reads the Arrow buffers in place."""
    from tasks.kernels import terms as kernel

    return Terms(*kernel.tokenise(*buffers(texts), *tables(), alike()))


def buffers(texts: pa.Array[Any] | pa.ChunkedArray[Any] | Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """UTF-8 of all texts, uint8[bytes], and int64[n + 1], text i is data[offsets[i]:offsets[i + 1]]; nulls are empty texts."""
    array = texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())
    array = array.cast(pa.large_string()).fill_null("")
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    held = array.buffers()
    offsets = np.frombuffer(held[1], np.int64)[array.offset : array.offset + len(array) + 1] if len(array) else np.zeros(1, np.int64)
    return np.frombuffer(held[2] or b"", np.uint8), offsets


def point(character: str) -> tuple[int, str]:
    """Class and folded form of one character: what `tables` holds for it.

    >>> point("É"), point("й"), point("Ａ")
    ((1, 'e'), (1, 'и'), (1, 'a'))
    """
    code = ord(character)
    for first, last, what in _WHOLE:
        if first <= code <= last:
            return what, character
    if character in _SKIP:
        return _SKIPPED, character
    category = unicodedata.category(character)
    if category[0] not in "LMN":
        return _BREAK, character
    folded = "".join(c for c in unicodedata.normalize("NFKD", character).casefold() if not 0x300 <= ord(c) <= 0x36F)
    if len(folded) != 1:
        folded = character.lower() if len(character.lower()) == 1 else character
    if any(first <= code <= last for first, last in _UNSPACED):
        return _CHARACTER, folded
    if category == "Nd":
        return _DIGIT, str(unicodedata.decimal(character))
    return _LETTER, folded


@cache
def tables() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    """`kind` uint8[0x110000] and `fold` uint32[0x110000] for the kernel: `point` of every code point, built once a process (0.1 s)."""
    kind = np.zeros(0x110000, np.uint8)
    fold = np.arange(0x110000, dtype=np.uint32)
    start = 0
    for first, last, what in _WHOLE:
        for code in range(start, first):
            kind[code], folded = point(chr(code))
            fold[code] = ord(folded)
        kind[first : last + 1] = what
        start = last + 1
    return kind, fold


@cache
def alike() -> npt.NDArray[np.uint32]:
    """For the kernel, the letters of one script that look like those of another: uint32[3, 0x530]."""
    table = np.zeros((3, 0x530), np.uint32)
    for script, letters in _ALIKE.items():
        for other, letter in letters.items():
            table[script, ord(other)] = ord(letter)
    return table


def words(text: str) -> list[str]:
    """The folded terms of one text, in plain Python: the definition the kernel is tested against.

    >>> words("NATO’s 2% goal: “L'été” — 北約")
    ['nato', 's', '2', 'goal', 'l', 'ete', '北', '約']
    >>> words("The f\u0435r\u200bry"), words("\u0444ерри COVID")
    (['the', 'ferry'], ['ферри', 'covid'])
    """
    out: list[str] = []
    running, skipped = "", False
    for character in text:
        what, _ = point(character)
        if what == _SKIPPED:
            skipped = True
            continue
        if what in (_LETTER, _DIGIT):
            running += character
            continue
        if running:
            out.append(running)
            running = ""
        if what == _CHARACTER:
            out.append(character)
    if running:
        out.append(running)
    if _BESIDE.search(text) or (skipped and _FOREIGN.search(text)):
        out = _unmasked(out)
    return ["".join(point(sign)[1] for sign in word) for word in out]


def undisguised(text: str) -> str:
    """The text as it looks: without characters that have no width, words of two scripts in the letters of one. For reading, not for keeping.

    >>> undisguised("The f\u0435r\u200bry, \u0410nd the \u0435nd, \u043ef \u0455hips")
    'The ferry, And the end, of ships'
    """
    kind, _ = tables()
    words, between = [""], [""]  # by turns, a word first
    for sign in text:
        what = kind[ord(sign)]
        if what in (_LETTER, _DIGIT):
            if between[-1]:
                words.append("")
                between.append("")
            words[-1] += sign
        elif what != _SKIPPED:
            between[-1] += sign
    return "".join(part for pair in zip(_unmasked(words), between, strict=True) for part in pair)


def _unmasked(written: Sequence[str]) -> list[str]:
    """The words, those with letters of two scripts that look alike as if all were of the script of most letters."""
    scripts = [[_script(sign) for sign in word] for word in written]
    counts = [sum(found.count(script) for found in scripts) for script in range(3)]
    main = counts.index(max(counts))
    read = {
        n: "".join(sign if script in (main, -1) else _look(sign, main) for sign, script in zip(word, found, strict=True))
        for n, (word, found) in enumerate(zip(written, scripts, strict=True))
        if {*found} - {main, -1}
    }
    read = {n: word for n, word in read.items() if "\0" not in word}
    mixed = {n for n in read if main in scripts[n]}
    chosen = read if len(mixed) >= _MASKED else mixed
    return [read[n] if n in chosen else word for n, word in enumerate(written)]


def _look(sign: str, script: int) -> str:
    """The letter of a script that one of another looks like; NUL when none does."""
    letter = _ALIKE[script].get(sign, "\0")
    return letter.upper() if sign.isupper() else letter


def _script(sign: str) -> int:
    """0 Latin (of ASCII), 1 Greek, 2 Cyrillic, -1 any other."""
    if sign.isascii():
        return 0 if sign.isalpha() else -1
    return -1 if not "\u0370" <= sign <= "\u052f" else 1 if sign < "\u0400" else 2


def shingles(text: str, size: int) -> list[str]:
    """The written shingles of one text, distinct, sorted; a text of fewer words than `size` is one shingle.

    >>> shingles("To be, or not to be", 5)
    ['be or not to be', 'to be or not to']
    """
    found = words(text)
    return sorted({" ".join(found[i : i + size]) for i in range(max(1, len(found) - size + 1))}) if found else []


def hash64(shingle: str | bytes) -> int:
    """64-bit hash of a written shingle (or of one term, which is a shingle of one word).

    Raises:
        UnicodeDecodeError: bytes that are not UTF-8.
    """
    text = shingle.decode("utf-8") if isinstance(shingle, bytes) else shingle
    value = 0
    for word in text.split(" "):
        value = (value * _BASE + hash_term(word)) & _MASK
    return _fmix64(value)


def hash32(shingle: str | bytes) -> int:
    """Upper half of `hash64`: the `hashfunc` with which any datasketch user gets our signatures.

    >>> from datasketch import MinHash
    >>> sketch = MinHash(num_perm=128, seed=1, scheme="affine32", hashfunc=hash32)
    >>> sketch.update_batch(shingles("To be, or not to be", 5))
    """
    return hash64(shingle) >> 32


def hash_term(word: str) -> int:
    """64-bit hash of one folded term: FNV-1a over its code points, finished by MurmurHash3's finalizer."""
    value = _FNV_OFFSET
    for character in word:
        value = ((value ^ ord(character)) * _FNV_PRIME) & _MASK
    return _fmix64(value)


def _fmix64(value: int) -> int:
    value ^= value >> 33
    value = (value * 0xFF51AFD7ED558CCD) & _MASK
    value ^= value >> 33
    value = (value * 0xC4CEB9FE1A85EC53) & _MASK
    return value ^ (value >> 33)
