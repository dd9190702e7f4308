"""Shared passages: the words two texts have in common, longest first, as each of them writes it."""

from __future__ import annotations

import numpy as np

from tasks.verdict.stories import Reading

MOST = 5
SHORTEST = 4
"""Terms a passage must have: fewer in a row are shared by chance."""
SEARCHED = 20_000
"""Terms of each text that are searched (the time grows with their product: 1 s for two such texts)."""


def passages(one: Reading, other: Reading, most: int = MOST) -> list[tuple[str, str]]:
    """At most `most` passages (text of one, text of other), longest first; they overlap in neither text.

    Greedy: the longest run of equal terms, then the longest in what is left; of equally long ones the first in `one`.
    """
    from tasks.kernels import pairs

    left, right = one.hashes[:SEARCHED], other.hashes[:SEARCHED]
    free_one, free_other = np.ones(len(left), np.bool_), np.ones(len(right), np.bool_)
    out = []
    for _ in range(most):
        begin, start, length = pairs.longest_run(left, right, free_one, free_other)
        if length < SHORTEST:
            break
        free_one[begin : begin + length] = False
        free_other[start : start + length] = False
        out.append((_slice(one, begin, length), _slice(other, start, length)))
    return out


def _slice(text: Reading, begin: int, length: int) -> str:
    return text.data[text.begins[begin] : text.ends[begin + length - 1]].decode("utf-8", "surrogatepass")
