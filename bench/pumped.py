"""Inputs on which a regex may take time that grows faster than their length, made from the regex itself.

For every part that may repeat, what comes before it once, then what it takes many times, then a sign at which the whole fails; and
the beginning of a match over and over, each of which is tried to the end (Weideman et al. 2016, Davis et al. 2018: infinite and
polynomial degree of ambiguity; here it is measured, not proven).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from re import _constants as sre  # type: ignore[attr-defined]  # the parser that re itself uses; there is no public one
from re import _parser  # type: ignore[attr-defined]  # the same
from typing import Any

_POOL = " aA1.,-|:/(<>\"'&#@=;\n\té\u0436\u5e74\u0301[]{}_*%"
_FEW = 10
"""A part that repeats at most so often takes no time."""


def growth(pattern: re.Pattern[str], size: int) -> tuple[float, str]:
    """The most CPU seconds that a search takes on any pumped text of about `size` characters, the least of three times, and that text's beginning."""
    worst, found = 0.0, ""
    for attack in attacks(pattern, size):
        if _spent(pattern, attack) > worst and (spent := min(_spent(pattern, attack) for _ in range(3))) > worst:
            worst, found = spent, attack
    return worst, found


def is_linear(pattern: re.Pattern[str], size: int = 4_000, most: float = 0.004) -> tuple[bool, str]:
    """Whether no pumped text takes a time that grows faster than its length to the power of 1.4, and the worst text's beginning."""
    for attack in attacks(pattern, size):
        if _spent(pattern, attack) < most:
            continue
        half, whole = (min(_spent(pattern, one) for _ in range(3)) for one in (_shorter(attack, 2), attack))
        if whole >= most and whole / max(half, 1e-7) > 2**1.4:
            return False, attack[:60]
    return True, ""


def _shorter(attack: str, times: int) -> str:
    """The same with its middle cut: what is pumped is there, so that the rest is the same with fewer repetitions."""
    size = len(attack)
    keep = size // times
    return attack[: keep // 2] + attack[size - keep // 2 :]


def _spent(pattern: re.Pattern[str], text: str) -> float:
    began = time.thread_time()  # of this thread alone: other processes and threads are at work beside it
    pattern.search(text)
    return time.thread_time() - began


def attacks(pattern: re.Pattern[str], size: int) -> Iterator[str]:
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    seen: set[str] = set()
    for before, body in _repeats(list(tree), ""):
        for pump in {*_members(body)}:
            for one in (before + pump * max(1, size // max(1, len(pump))), (before + pump) * (size // len(before + pump))):
                if one not in seen:
                    seen.add(one)
                    yield one + "\0"
                    yield one
    whole = _sample(list(tree))
    if len(whole) > 1:
        yield whole[:-1] * (size // len(whole[:-1]))


def _repeats(nodes: list[Any], before: str) -> Iterator[tuple[str, list[Any]]]:
    """(what must come before, body) of every part that may repeat."""
    for number, (kind, value) in enumerate(nodes):
        prefix = before + _sample(nodes[:number])
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            _, most, body = value
            if most is sre.MAXREPEAT or most > _FEW:
                yield prefix, list(body)
            yield from _repeats(list(body), prefix)
        elif kind is sre.SUBPATTERN:
            yield from _repeats(list(value[3]), prefix)
        elif kind is sre.ATOMIC_GROUP:
            yield from _repeats(list(value), prefix)
        elif kind is sre.BRANCH:
            for branch in value[1]:
                yield from _repeats(list(branch), prefix)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _repeats(list(value[1]), prefix)


def _members(body: list[Any]) -> Iterator[str]:
    """Some texts that the body takes: several signs of a class, each branch, else a sample."""
    if len(body) == 1 and body[0][0] in (sre.IN, sre.ANY, sre.CATEGORY, sre.NOT_LITERAL):
        taken = [sign for sign in _POOL if _takes(body[0], sign)]
        yield from taken[:8] or [_sample(body)]
    elif len(body) == 1 and body[0][0] is sre.BRANCH:
        for branch in body[0][1][1][:8]:
            yield _sample(list(branch)) or "a"
    elif len(body) == 1 and body[0][0] is sre.SUBPATTERN:
        yield from _members(list(body[0][1][3]))
    yield _sample(body) or "a"


def _takes(node: Any, sign: str) -> bool:  # noqa: PLR0911 - a return a kind of node
    kind, value = node
    if kind is sre.ANY:
        return sign != "\n"
    if kind is sre.NOT_LITERAL:
        return bool(ord(sign) != value)
    if kind is sre.LITERAL:
        return bool(ord(sign) == value)
    if kind is sre.RANGE:
        return bool(value[0] <= ord(sign) <= value[1])
    if kind is sre.CATEGORY:
        word, digit, space = sign.isalnum() or sign == "_", sign.isdigit(), sign.isspace()
        return {
            sre.CATEGORY_WORD: word,
            sre.CATEGORY_NOT_WORD: not word,
            sre.CATEGORY_DIGIT: digit,
            sre.CATEGORY_NOT_DIGIT: not digit,
            sre.CATEGORY_SPACE: space,
            sre.CATEGORY_NOT_SPACE: not space,
        }[value]
    if kind is sre.IN:
        negated = value[0][0] is sre.NEGATE
        return negated != any(_takes(one, sign) for one in value[negated:])
    return False


def _sample(nodes: list[Any]) -> str:
    """A text that the nodes take, as far as this is easily told."""
    out = ""
    for kind, value in nodes:
        if kind is sre.LITERAL:
            out += chr(value)
        elif kind in (sre.IN, sre.NOT_LITERAL, sre.ANY, sre.CATEGORY):
            ranges = [one[1][0] for one in value if one[0] is sre.RANGE] if kind is sre.IN and value[0][0] is not sre.NEGATE else []
            literals = [one[1] for one in value if one[0] is sre.LITERAL] if kind is sre.IN and value[0][0] is not sre.NEGATE else []
            out += next((sign for sign in "a1 " + _POOL if _takes((kind, value), sign)), chr([*literals, *ranges, 97][0]))
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            out += _sample(list(value[2])) * value[0]
        elif kind is sre.SUBPATTERN:
            out += _sample(list(value[3]))
        elif kind is sre.ATOMIC_GROUP:
            out += _sample(list(value))
        elif kind is sre.BRANCH:
            out += _sample(list(value[1][0]))
    return out
