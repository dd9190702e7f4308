"""The line model: which lines read like prose, and where the body of the story is.

Prose has long lines that end like sentences; furniture has short ones that do not (Kohlschütter et al. 2010, "Boilerplate detection using
shallow text features"; Pomikálek 2011, jusText). The body is the stretch of lines in which prose outweighs furniture the most (Finn et al.
2001, BTE; Pasternack and Roth 2009, maximum subsequence segmentation). The figures below are plain round ones; GAP lies between what
pages set apart for training like best (blogs 4, news of 2008 7).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain, zip_longest
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tasks import terms

# Scripts that write no spaces between words: Thai, Lao; Myanmar; Khmer; kana; Han. Hangul has spaces.
_UNSPACED = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))
UNSPACED = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _UNSPACED) + "]")
# a text of nothing but other signs; twice as fast to match as UNSPACED is to search
_BETWEEN = zip([0, *(last + 1 for _, last in _UNSPACED)], [*(first - 1 for first, _ in _UNSPACED), 0x10FFFF], strict=True)
_SPACED = re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in _BETWEEN) + "]*")
# what str.split splits at
_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_ENDS = frozenset(".!?。！？।؟۔｡")
_LETTERS = re.compile(r"[^\W\d_a-zа-яё]+")
_DIGITS = re.compile(r"[\d年년]+")
# all code points with an upper case are in these
_CASED = ((0, 0x33FF), (0xA000, 0xABFF), (0xF900, 0xFFFF), (0x10000, 0x1FFFF))
_CLOSERS = " \t\u00a0\u3000\"'”’»›“„)]）」』】"
INNER_END = re.compile(r"[.!?؟।][\"”’»')\]]{0,2} +[^\W\d_a-zа-яё]|[。！？][^\s」』）]")

SENTENCE_WORDS = 8  # fewer words that end like a sentence may be a button ("Sign in here.") as well as a quote
PARAGRAPH_WORDS = 20  # from here on a line is prose if sentences end inside it, whatever its last character
MOST_WORDS = 50  # one very long line does not make a body
GAP = -5.0  # a line that is no prose weighs as much as five words of prose
LONE = 0.4  # share of its weight that a sentence without a sentence beside it keeps: a teaser, a caption, a standfirst


class Line(NamedTuple):
    """What the model sees of a line: words (a character of an unspaced script is half a word), prose or not, and its weight."""

    words: int
    prose: bool
    weight: float


_SENTENCES = [Line(words, True, float(words)) for words in range(MOST_WORDS + 1)]


def count_words(text: str) -> int:
    """Words of a text; a character of a script without spaces is a word.

    >>> count_words("Two words"), count_words("日本 news")
    (2, 3)
    """
    if text.isascii() or not UNSPACED.search(text):
        return len(text.split())
    return len(UNSPACED.findall(text)) + len(UNSPACED.sub(" ", text).split())


@cache
def line_of(code: int) -> Line:
    """What `kernels.looks.look` saw of a line."""
    from tasks.kernels import looks as kernel

    words, kind = divmod(code, kernel.KINDS)
    if kind == kernel.SENTENCE:
        return Line(words, True, float(min(words, MOST_WORDS)))
    if kind in (kernel.PARAGRAPH, kernel.WRITTEN):
        return Line(words, True, (0.7 if kind == kernel.PARAGRAPH else 0.4) * min(words, MOST_WORDS))
    return Line(words, False, {kernel.REMARK: 1.0, kernel.BUTTON: -2.0, kernel.LEAD: 0.0}.get(kind, GAP))


@cache
def classes() -> npt.NDArray[np.uint16]:
    """For `kernels.looks.look`, what each code point is: uint16[0x110000]."""
    from tasks.kernels import looks as kernel

    found = np.zeros(0x110000, np.uint16)
    signs = (
        *((kernel.SPACE, _SPACES), (kernel.ENDS, _ENDS), (kernel.CLOSES, _CLOSERS), (kernel.INNER_CLOSES, "\"”’»')]")),
        *((kernel.INNER_ENDS, ".!?؟।"), (kernel.WIDE_ENDS, "。！？"), (kernel.WIDE_CLOSES, "」』）")),
        (kernel.UPPER, (chr(code) for code in chain(*(range(first, last + 1) for first, last in _CASED)) if chr(code).isupper())),
    )
    for bit, which in signs:
        found[[ord(sign) for sign in which]] |= bit
    every = np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for bit, pattern in ((kernel.BEGINS, _LETTERS), (kernel.NUMERIC, _DIGITS)):
        for run in pattern.finditer(every):
            found[run.start() : run.end()] |= bit
    for first, last in _UNSPACED:
        found[first : last + 1] |= kernel.UNSPACED
    return found


def count_all_words(texts: pa.ChunkedArray[Any]) -> npt.NDArray[np.int64]:
    """`count_words` of every text, int64[n]; no text is null."""
    from tasks.kernels import words as kernel

    return kernel.count(*terms.buffers(texts), _kinds())


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """For the kernel, uint8[0x110000]: is a code point a space, another sign, or a character of a script without spaces."""
    from tasks.kernels.words import CHARACTER, SIGN, SPACE

    kinds = np.full(0x110000, SIGN, np.uint8)
    kinds[[ord(sign) for sign in _SPACES]] = SPACE
    for first, last in _UNSPACED:
        kinds[first : last + 1] = CHARACTER
    return kinds


def ends_sentence(line: str) -> bool:
    """True when the line's last sign, closing quotes and brackets aside, ends a sentence in any script; an ellipsis does not.

    >>> ends_sentence('He said: "No."'), ends_sentence("今日は晴れです。"), ends_sentence("Read on...")
    (True, True, False)
    """
    bare = line.rstrip(_CLOSERS) if line[-1:] in _CLOSERS else line
    return bare[-1:] in _ENDS and not bare.endswith("..")


def look_at(text: str, lines: Sequence[str]) -> list[Line]:
    """The lines of a text, each by itself. Words are counted by the single spaces between them."""
    unspaced = not text.isascii() and _SPACED.fullmatch(text) is None
    return [_look(line, unspaced) for line in lines]


def _look(line: str, unspaced: bool) -> Line:
    words = line.count(" ") + 1 if line else 0
    if unspaced:
        words += len(UNSPACED.findall(line)) // 2
    if ends_sentence(line):
        if words >= SENTENCE_WORDS:
            return _SENTENCES[words] if words <= MOST_WORDS else Line(words, True, float(MOST_WORDS))
        return Line(words, False, 1.0 if words >= 3 else -2.0)
    if words >= PARAGRAPH_WORDS and INNER_END.search(line):
        return Line(words, True, 0.7 * min(words, MOST_WORDS))
    if words >= SENTENCE_WORDS and line.rstrip().endswith((":", "：")):
        return Line(words, False, 0.0)
    if words >= 2 * PARAGRAPH_WORDS and _looks_written(line):
        return Line(words, True, 0.4 * min(words, MOST_WORDS))
    return Line(words, False, GAP)


def _looks_written(line: str) -> bool:
    """Most words begin with a small letter, as in prose and unlike a row of links; True for scripts without case."""
    words = line.split()
    upper = sum(word[0].isupper() for word in words)
    return 2 * upper < len(words)


def find_body(weights: Sequence[float]) -> tuple[int, int]:
    """First line and one past the last line of the stretch with the greatest sum of weights; (0, 0) when none is positive.

    >>> find_body([-7, 30, -7, 20, -7, -7])
    (1, 4)
    """
    best, found = 0.0, (0, 0)
    total, start = 0.0, 0
    for number, weight in enumerate(weights):
        if total <= 0:
            total, start = 0.0, number
        total += weight
        if total > best:
            best, found = total, (start, number + 1)
    return found


def weigh(lines: Sequence[Line], cues: Sequence[bool] = ()) -> list[float]:
    """Weights of a story's lines in context: lines that a rule knows weigh as furniture, sentences on their own weigh less.

    Args:
        lines: the lines that are not blank.
        cues: which of them a rule knows; none if empty.
    """
    weights = [line.weight for line in lines]
    prose = [line.prose for line in lines]
    for number, cue in enumerate(cues):
        if cue:
            weights[number], prose[number] = GAP, False
    above = False
    for number, (here, below) in enumerate(zip_longest(prose, prose[1:], fillvalue=False)):
        if here and not above and not below and lines[number].words < 2 * PARAGRAPH_WORDS:
            weights[number] = LONE * lines[number].weight
        above = here
    return weights
