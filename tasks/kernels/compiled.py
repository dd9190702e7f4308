"""One typed coat over numba's decorator: every kernel is compiled once, cached on disk, and runs without the GIL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(function: Kernel) -> Kernel:
    """The function, compiled on its first call; its Python source stays readable as `function.py_func`."""
    return cast("Kernel", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def fmix64(value: np.uint64) -> np.uint64:
    """MurmurHash3's 64-bit finalizer: a bijection that spreads every input bit over all output bits (Appleby 2011)."""
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value


@compiled
def fmix32(value: np.uint32) -> np.uint32:
    """MurmurHash3's 32-bit finalizer; numba widens, so each step is cut to 32 bits again."""
    value = np.uint32(value ^ (value >> np.uint32(16)))
    value = np.uint32(value * np.uint32(0x85EBCA6B))
    value = np.uint32(value ^ (value >> np.uint32(13)))
    value = np.uint32(value * np.uint32(0xC2B2AE35))
    return np.uint32(value ^ (value >> np.uint32(16)))
