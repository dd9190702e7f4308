"""How many words a text has: from the UTF-8 bytes of many texts to one number each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled
from tasks.kernels.terms import Bytes, Starts, decode

# what a code point is: classes of the `kind` table
SPACE, SIGN, CHARACTER = 0, 1, 2


@compiled
def count(data: Bytes, offsets: Starts, kind: Bytes) -> npt.NDArray[np.int64]:
    """The words of every text: runs of signs between spaces, and each character of a script without spaces.

    Args:
        data: uint8[bytes], valid UTF-8 of all texts.
        offsets: int64[n + 1], text i is data[offsets[i]:offsets[i + 1]].
        kind: uint8[0x110000], class of each code point (SPACE, SIGN, CHARACTER); ASCII has only the first two.

    Returns:
        int64[n].
    """
    counts = np.empty(len(offsets) - 1, np.int64)
    for text in range(len(counts)):
        at, stop = np.uint64(offsets[text]), np.uint64(offsets[text + 1])
        words, before = np.uint64(0), np.uint64(0)
        while at < stop:
            if data[at] < 0x80:
                sign = np.uint64(kind[data[at]])
                at += np.uint64(1)
            else:
                point, at = decode(data, at)
                sign = np.uint64(kind[point] == SIGN)
                words += np.uint64(kind[point] == CHARACTER)
            words += sign & ~before
            before = sign
        counts[text] = words
    return counts
