"""How rare a term is: one Zipf frequency a term, whatever the text's language.

The frequencies are those of the wordfreq package (Speer 2022), the largest over its languages: "die" is common because
it is in German. Zipf frequency is log10 of occurrences in 10^9 words. wordfreq's tables are CC BY-SA 4.0: they are a
dependency and are never copied into this project. Reading its lists takes seconds, so the hashed table is
kept in the user's cache directory, named by all that it depends on, and mapped into memory; deleting it costs time only.
"""

from __future__ import annotations

import tempfile
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks import terms
from tasks.settings import cache_folder

LISTS = "small"
"""wordfreq's lists down to Zipf 3 (once in a million words) of 42 languages: 1.2 M terms, a table of 17 MB, built in 3 s. With its
large lists (Zipf 1, 21 languages: 134 MB, 7 s) rewrites are no easier to tell from chance: weighted Jaccard at the 3rd
percentile of 96 invented rewrites .294 against .288, of 24 real ones .120 against .125, chance .007 in both."""

UNSEEN = 2.0
"""Zipf frequency that stands for all terms the lists do not have."""


@dataclass(frozen=True)
class Rarity:
    """Zipf frequencies of hashed terms: uint64[2^k] as `kernels.terms.slots` makes it, and what it was made from."""

    name: str
    table: npt.NDArray[np.uint64]

    def frequencies(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
        """Zipf frequency of each term, UNSEEN where the lists do not have it: float64[len(hashes)]."""
        from tasks.kernels import terms as kernel

        found = kernel.frequencies(hashes, self.table)
        return np.where(found < 0, UNSEEN, found)


def name() -> str:
    """What the table is made from; part of the recipe."""
    return f"wordfreq-{version('wordfreq')}-{LISTS}-{terms.HASH}-unicode-{unicodedata.unidata_version}"


@cache
def load() -> Rarity:
    """The table from the cache folder (settings.cache_folder), built if missing (3 s).

    A cache that cannot be written is no error: the table is then built once in each process.
    """
    path = cache_folder() / f"{name()}.npy"
    with suppress(OSError, ValueError):  # missing or unreadable: build it
        return Rarity(name(), np.load(path, mmap_mode="r"))
    table = build()
    with suppress(OSError):
        _keep(table, path)
    return Rarity(name(), table)


def build() -> npt.NDArray[np.uint64]:
    """The table, read from wordfreq: entries of one term only ("don't" is two), the largest frequency over the languages."""
    import wordfreq

    from tasks.kernels import terms as kernel

    hashes: list[npt.NDArray[np.uint64]] = []
    zipf: list[npt.NDArray[np.float64]] = []
    for language in sorted(wordfreq.available_languages(LISTS)):
        bins = wordfreq.get_frequency_list(language, LISTS)  # entry i: the words of frequency 10^(-i / 100)
        found = terms.tokenise([word for words in bins for word in words])
        single = np.flatnonzero(np.diff(found.rows) == 1)
        hashes.append(found.hashes[found.rows[single]])
        zipf.append((9 - np.repeat(np.arange(len(bins)), [len(words) for words in bins]) / 100)[single])
    wordfreq.get_frequency_list.cache_clear()
    flat = np.concatenate(hashes)
    return kernel.slots(flat, np.concatenate(zipf), 1 << (len(flat) - 1).bit_length())


def _keep(table: npt.NDArray[np.uint64], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        np.save(part, table)
    Path(part.name).replace(path)
