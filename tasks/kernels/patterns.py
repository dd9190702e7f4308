"""Sums of weights, one for each pattern of values that many rows and their neighbours show: a linear model over one-hot features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.kernels.compiled import compiled

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def total(
    values: Numbers, reach: int, firsts: Numbers, columns: Numbers, offsets: Numbers, strides: Numbers, bases: Numbers, weights: Floats
) -> Floats:
    """The sum of the weights that every row shows, added in the order of the patterns: float64[n].

    Args:
        values: int64[n + 2 * reach, columns], the rows, between `reach` rows that stand for what is beyond the first and the last.
        firsts: int64[patterns + 1], pattern p has the parts firsts[p] to firsts[p + 1].
        columns, offsets: int64[parts], where a part's value stands: in which column, how many rows below (or, negative, above).
        strides: int64[parts], by which the value is multiplied.
        bases: int64[patterns], where in `weights` those of a pattern begin; the sum over its parts is added.
        weights: float64[places].
    """
    sums = np.zeros(len(values) - 2 * reach, np.float64)
    for row in range(len(sums)):
        for pattern in range(len(firsts) - 1):
            place = bases[pattern]
            for part in range(firsts[pattern], firsts[pattern + 1]):
                place += values[row + reach + offsets[part], columns[part]] * strides[part]
            sums[row] += weights[place]
    return sums
