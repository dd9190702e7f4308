"""What a term is, in every script: the tables behind the tokenising kernel, and the same thing once more in plain Python.

Words are runs of letters, marks and digits. They are compared case-folded and without the diacritics of Latin, Greek
and Cyrillic, so that composed and decomposed spellings, full-width letters and stripped accents agree. Han, Kana,
Thai, Lao, Khmer and Myanmar write no spaces: each of their characters is a term of its own, and shingles are runs of
characters. The written form of a shingle is its terms joined by one space; `hash32` hashes that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

HASH = "copydesk-terms-1"
"""Name of the hash of terms and shingles; another way to cut or fold terms must have another name."""

_FNV_OFFSET, _FNV_PRIME, _BASE = 0xCBF29CE484222325, 0x100000001B3, 0x9E3779B97F4A7C15
_MASK = 2**64 - 1
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
    *((0x17000, 0x18CFF, _LETTER), (0x20000, 0x3FFFF, _CHARACTER), (0x40000, 0xE00FF, _BREAK), (0xE0100, 0xE01EF, _SKIPPED)),
    (0xE01F0, 0x10FFFF, _BREAK),
)
# inside words, and no part of them: diacritics, soft hyphen, zero-width space and joiners, variation selectors
_SKIP = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff") | {chr(code) for code in (*range(0x300, 0x370), *range(0xFE00, 0xFE10))}


@dataclass(frozen=True)
class Terms:
    """The terms of n texts, flat; those of text i are [rows[i], rows[i + 1]).

    hashes uint64[m]; kinds uint8[m] (kernels.terms: WORD, NUMBER, NUMERAL, SINGLE); begins and ends int64[m], bytes of
    the text; rows int64[n + 1].
    """

    hashes: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]


def tokenise(texts: pa.Array[Any] | pa.ChunkedArray[Any] | Sequence[str]) -> Terms:
    """The terms of every text; nulls are empty texts. Reads the Arrow buffers in place."""
    from tasks.kernels import terms as kernel

    return Terms(*kernel.tokenise(*buffers(texts), *tables()))


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


def words(text: str) -> list[str]:
    """The folded terms of one text, in plain Python: the definition the kernel is tested against.

    >>> words("NATO’s 2% goal: “L'été” — 北約")
    ['nato', 's', '2', 'goal', 'l', 'ete', '北', '約']
    """
    out: list[str] = []
    running = ""
    for character in text:
        what, folded = point(character)
        if what == _SKIPPED:
            continue
        if what in (_LETTER, _DIGIT):
            running += folded
            continue
        if running:
            out.append(running)
            running = ""
        if what == _CHARACTER:
            out.append(folded)
    return [*out, running] if running else out


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
