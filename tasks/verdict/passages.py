"""Shared passages: the words two texts have in common, longest first, as each of them writes it."""

from __future__ import annotations

import numpy as np

from tasks.verdict.stories import Words

MOST = 5


def passages(texts: tuple[str, str], words: Words, left: int, right: int, most: int = MOST) -> list[tuple[str, str]]:
    """At most `most` passages of four terms or more (text of left, text of right), longest first; they overlap in neither text.

    Greedy: the longest stretch of equal terms, then the longest of what is left; of equally long ones the first in left.

    Args:
        texts: the two texts; words: theirs among others; left, right: their places there.
    """
    from tasks.kernels import passages as kernel

    spans = [slice(words.rows[text], words.rows[text + 1]) for text in (left, right)]
    one, other = (words.hashes[span] for span in spans)
    found = kernel.shared(one, other, *(words.runs[span] for span in spans))
    data = [text.encode("utf-8", "surrogatepass") for text in texts]
    out: list[tuple[str, str]] = []
    while len(out) < most and len(found):
        begin, start, length = found[np.lexsort((found[:, 1], found[:, 0], -found[:, 2]))[0]].tolist()
        written = []
        for side, (span, first) in enumerate(zip(spans, (begin, start), strict=True)):
            begins, ends = words.begins[span], words.ends[span]
            written.append(data[side][begins[first] : ends[first + length - 1]].decode("utf-8", "surrogatepass"))
        out.append((written[0], written[1]))
        found = kernel.left_free(found, np.array([begin, start, length], np.int64))
    return out
