"""Which of some hundred strings stand in each of many lines: one pass over the UTF-8 bytes (Aho and Corasick 1975)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.heads import after_number
from tasks.kernels.terms import Bytes, Starts, decode

Masks = npt.NDArray[np.uint64]

# classes of code points; more of them for the characters of the strings
OTHER, ODD, SPACE, NUMBER = 0, 1, 2, 3
LINE_FEED = 0x0A


@compiled
def find(
    data: Bytes,
    begins: Starts,
    ends: Starts,
    fold: npt.NDArray[np.uint32],
    classes: npt.NDArray[np.uint16],
    following: npt.NDArray[np.uint32],
    found: Masks,
    stops: np.uint64,
) -> Masks:
    """The bits of all strings that stand in each line, once it is folded.

    Args:
        data: uint8[bytes], valid UTF-8 of all lines.
        begins, ends: int64[n], line i is data[begins[i]:ends[i]], without what folding takes off its end.
        fold: uint32[0x110000], what each code point folds to, as for `heads.ask`.
        classes: uint16[0x110000], the class of each code point; in a line with an ODD one everything may stand. Runs of SPACE are one,
            as are the digits and signs of a number. A line feed stands for the end of a line.
        following: uint32[states * classes], the state after each state and class; 0 is the first state.
        found: uint64[states], the bits of the strings that end where a state is reached.
        stops: bits that do not count in a line that ends with a full stop, question or exclamation mark.

    Returns:
        uint64[n].
    """
    masks = np.zeros(len(begins), np.uint64)
    width = np.uint64(len(following) // len(found))
    for line in range(len(masks)):
        at, last = np.uint64(begins[line]), np.uint64(ends[line])
        state, before, mask = np.uint64(0), np.uint64(OTHER), np.uint64(0)
        while at < last:
            point, at = decode(data, at)
            here = np.uint64(classes[point])
            if here <= NUMBER and here != OTHER:
                if here == ODD:
                    mask = ~np.uint64(0)
                    break
                if here == NUMBER:
                    if point != 0x23:
                        at = after_number(data, at, last, fold)
                elif before == SPACE:
                    continue
            before = here
            state = np.uint64(following[state * width + here])
            mask |= found[state]
        state = np.uint64(following[state * width + np.uint64(classes[LINE_FEED])])
        mask |= found[state]
        if last > np.uint64(begins[line]):
            end = data[last - np.uint64(1)]
            if end in (0x2E, 0x3F, 0x21):
                mask &= ~stops
        masks[line] = mask
    return masks
