"""Folding: how a line is written for the rules to match it; and a sieve that tells of many lines which of them any rule may match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks import terms

Bytes = npt.NDArray[np.uint8]
Starts = npt.NDArray[np.int64]

KEYS = (12, 8, 5, 3, 2, 1)  # code points of a line's beginning that find phrases and regexes
BITS = 64
ALL = (1 << BITS) - 1

_NUMBER = re.compile(r"\d+(?:[.,:'’]\d+)*")
_DIGIT = re.compile(r"\d")
_PLAIN = (
    *(("‘", "'"), ("’", "'"), ("‚", "'"), ("ʼ", "'"), ("“", '"'), ("”", '"'), ("„", '"'), ("–", "-"), ("—", "-")),
    *(("…", "..."), ("＋", "+"), ("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u3000", " ")),
    ("i\u0307", "i"),  # the casefold of Turkish İ
)
_ANY_PLAIN = re.compile("[" + "".join(sign[-1] for sign, _ in _PLAIN) + "]")
ENDS = " .!?。！？\"')]）】」"
_EDGES = " \t,:;¿¡·•|*>»›→▶►↓+-_~=/\\([<«‹←▼▲✓×\"'\u200b\ufeff：、「【（"
# all code points that folding changes are in these
_CHANGING = ((0, 0x33FF), (0xA000, 0xABFF), (0xF900, 0xFFFF), (0x10000, 0x1FFFF))


def fold(line: str) -> str:
    """The line as regexes see it: lower case, one space, plain quotes and dashes, '#' for numbers, bare of edge signs but sentence ends.

    >>> fold("  » 1,204 Comments: ")
    '# comments'
    """
    folded = line.casefold()
    if not folded.isascii() and _ANY_PLAIN.search(folded):
        for sign, plain in _PLAIN:  # five times as fast as str.translate
            if sign in folded:
                folded = folded.replace(sign, plain)
    if _DIGIT.search(folded):
        folded = _NUMBER.sub("#", folded)
    if "  " in folded or "\t" in folded:
        folded = " ".join(folded.split())
    return folded.strip(_EDGES).lstrip(ENDS)


class Automaton(NamedTuple):
    """Strings to find, ready for `kernels.signs.find`: its classes uint16[0x110000], following uint32[states * classes], found uint64[states]."""

    classes: npt.NDArray[np.uint16]
    following: npt.NDArray[np.uint32]
    found: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Sieve:
    """What to look for in many lines at once; no line that a rule matches is missed.

    Attributes:
        heads: what lines begin with, folded.
        whole: whole lines, folded.
        signs: (bit, folded string): the bit is given to lines in which the string stands; a line feed at its end is the line's end.
        stops: bits that are not given to lines that end a sentence.
    """

    heads: frozenset[str]
    whole: frozenset[str]
    signs: tuple[tuple[int, str], ...]
    stops: int

    def look(self, data: Bytes, begins: Starts, ends: Starts) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint64]]:
        """For each line data[begins[i]:ends[i]] of UTF-8, if it may be one of `whole` or begin with one of `heads`; and the bits of `signs`."""
        from tasks.kernels import heads, signs

        folds, edges = _tables()
        ends = ends.copy()
        begun = heads.ask(data, begins, ends, folds, edges, self._filter)
        return begun != 0, signs.find(data, begins, ends, folds, *self._automaton, np.uint64(self.stops))

    @cached_property
    def _filter(self) -> npt.NDArray[np.uint8]:
        from tasks.kernels import heads

        filtered = np.zeros(heads.PLACES, np.uint8)
        for keys, bit in ((self.heads, heads.BEGINS), (self.whole, heads.WHOLE)):
            heads.mark(*terms.buffers(sorted(keys)), bit, filtered)
        return filtered

    @cached_property
    def _automaton(self) -> Automaton:
        # an ellipsis folds to three full stops, so that no string with one can be told by its signs: its longest part is
        return _build([(bit, max(sign.split("."), key=len)) for bit, sign in self.signs])


@cache
def _tables() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """For the kernel, what `fold` does to each code point, uint32[0x110000], and whether it takes it off a line's ends, uint8[0x110000]."""
    from tasks.kernels.heads import INNER, NUMBER, ODD, OUTER

    plain = dict(_PLAIN)
    folds, edges = np.arange(0x110000, dtype=np.uint32), np.zeros(0x110000, np.uint8)
    for first, last in _CHANGING:
        for code in range(first, last + 1):
            folded = chr(code).casefold()
            folded = " " if folded == "\t" else plain.get(folded, folded)
            odd = len(folded) > 1 or folded == "\u0307" or (folded.isspace() and folded != " ")
            folds[code] = ODD if odd else NUMBER if folded.isdecimal() else ord(folded)
            edges[code] = OUTER * set(folded).issubset(_EDGES) | INNER * set(folded).issubset(ENDS)
    return folds, edges


def _build(strings: list[tuple[int, str]]) -> Automaton:
    """The automaton of Aho and Corasick (1975): a tree of the strings, in which each state also knows the longest other beginning."""
    from tasks.kernels.signs import LINE_FEED, NUMBER, ODD, SPACE

    alphabet = {" ": SPACE, "#": NUMBER, "\n": NUMBER + 1}
    tree: list[dict[int, int]] = [{}]
    found = [0]
    for bit, string in strings:
        state = 0
        for sign in string:
            kind = alphabet.setdefault(sign, len(alphabet) + 2)
            if kind not in tree[state]:
                tree[state][kind] = len(tree)
                tree.append({})
                found.append(0)
            state = tree[state][kind]
        found[state] |= bit
    following = np.zeros((len(tree), len(alphabet) + 2), np.uint32)
    shorter = [0] * len(tree)
    order = [0]
    for state in order:
        if state:
            following[state] = following[shorter[state]]
            found[state] |= found[shorter[state]]
        for kind, child in tree[state].items():
            shorter[child] = int(following[state, kind])
            following[state, kind] = child
            order.append(child)
    folds, _ = _tables()
    kinds = np.zeros(0x110000, np.uint16)
    kinds[[ord(sign) for sign in alphabet]] = list(alphabet.values())
    classes = kinds[folds]
    classes[folds == 0] = ODD
    classes[LINE_FEED] = alphabet["\n"]
    classes[ord("…")] = 0  # full stops, which stand in no string
    return Automaton(classes, following.ravel(), np.array(found, np.uint64))
