"""One typed coat over numba's decorator: every kernel is compiled once, cached on disk, and runs without the GIL.

numba looks at a function's own file only to see whether what it has compiled is up to date, but kernels contain those of other files.
So the cache is kept in a folder named by the code of all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def _cache_folder() -> str:
    """Below $NUMBA_CACHE_DIR, else beside the kernels; where neither can be written numba takes the user's cache folder."""
    here = Path(__file__).parent
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))).hexdigest()
    return str(Path(numba.config.CACHE_DIR or here / "__pycache__") / f"kernels-{code[:16]}")  # type: ignore[attr-defined]  # made at import


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]  # made at import


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
