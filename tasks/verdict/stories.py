"""Stories as the verdict reads them: columns of fingerprinted shards, and what is read of each text, as flat arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tasks import rarity, terms

DAY_US = 86_400_000_000
UNKNOWN = int(np.iinfo(np.int64).max)
COLUMNS = (
    *("story_id", "source", "byline", "agency", "published_at", "published_precision", "text"),
    *("text_hash", "shingles", "terms", "weights"),
)
STEM = 5
"""Characters of a word that stand for all its forms ("defen" of defence, defense, defending): crude, but in any language."""
RARE_FROM = 7.0
"""Zipf frequency below which a term counts for the measures of words, names and sentences."""
COMMON_WORD = 5.5
"""Zipf frequency from which a word is one of the few hundred that make up half of any text in a language."""
MENTION = 4
"""Words of the longest name of an outlet that is looked for."""
COMMON_NAME = 4.5
"""Zipf frequency from which a name of one word is also an ordinary one: Time, The Hill."""


@dataclass(frozen=True, eq=False)
class Stories:
    """n stories: the table with COLUMNS, and flat arrays of its lists.

    numbers uint64[n]; published int64[n], UTC µs, a bare date its end, UNKNOWN; shingles, terms: uint64, ascending and distinct in
    every story, those of story i are [starts[i], starts[i + 1]); weights float32, of terms.
    """

    table: pa.Table
    numbers: npt.NDArray[np.uint64]
    published: npt.NDArray[np.int64]
    shingles: npt.NDArray[np.uint64]
    shingle_starts: npt.NDArray[np.int64]
    terms: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float32]
    term_starts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Words:
    """The terms of n texts, those of text i are [rows[i], rows[i + 1]): hashes uint64[m], begins and ends int64[m] (bytes).

    runs uint32[m]: of each term the hash of the run of evidence.RUN terms that begins there.
    """

    rows: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    runs: npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Readings:
    """What is read of n texts.

    texts: kernels.evidence.Texts; hashes uint64[m], begins and ends int64[m] (bytes) of their terms; mentions uint64 as
    kernels.reading.capitalised gives them, those of text i are [mention_starts[i], mention_starts[i + 1]).
    """

    texts: Any
    hashes: npt.NDArray[np.uint64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    mentions: npt.NDArray[np.uint64]
    mention_starts: npt.NDArray[np.int64]


def number(story_id: str) -> int:
    """The 64-bit number under which keys and pairs know a story: the first 16 of its hex digits.

    Raises:
        ValueError: the id does not begin with 16 hex digits.
    """
    return int(story_id[:16], 16)


def halves(ids: pa.Array[Any] | pa.ChunkedArray[Any]) -> npt.NDArray[np.uint64]:
    """The two halves of some story_ids of 32 hex digits: uint64[n, 2].

    Raises:
        ValueError: an id has another length.
    """
    from tasks.kernels import digests

    column = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if not len(column):
        return np.zeros((0, 2), np.uint64)
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset :]
    digits = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[len(column)]]
    if len(digits) != 32 * len(column):
        raise ValueError("story_id must have 32 hex digits")
    return np.asarray(digests.from_hex(digits).reshape(-1, 2))


def published_us(at: npt.NDArray[np.int64], day_only: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Times for comparing: UTC µs, a bare date as the last µs of its day, UNKNOWN."""
    return np.where(known, at + day_only * (DAY_US - 1), UNKNOWN)


def times(table: pa.Table) -> npt.NDArray[np.int64]:
    """`published_us` of a table with published_at and published_precision: int64[n]."""
    at = table["published_at"]
    known = np.asarray(at.is_valid().to_numpy())
    values = np.asarray(at.cast(pa.int64()).fill_null(0).to_numpy())
    day = np.asarray(pc.equal(table["published_precision"], "day").fill_null(False).to_numpy())
    return published_us(values, day, known)


def of(table: pa.Table) -> Stories:
    """The stories of a table with COLUMNS, in its order."""
    table = table.select(list(COLUMNS)).combine_chunks()
    shingles, shingle_starts = _flat(table["shingles"])
    rare, term_starts = _flat(table["terms"])
    weights, _ = _flat(table["weights"])
    return Stories(table, halves(table["story_id"])[:, 0], times(table), shingles, shingle_starts, rare, weights, term_starts)


def take(found: Stories, places: npt.NDArray[np.int64]) -> Stories:
    """The stories at some places."""
    return of(found.table.take(pa.array(places)))


def _flat(column: pa.ChunkedArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    lengths = np.asarray(pc.list_value_length(column).fill_null(0).to_numpy())
    return np.asarray(pc.list_flatten(column).to_numpy()), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


@cache
def _case() -> npt.NDArray[np.uint8]:
    """The `case` table of kernels.reading; no script beyond Adlam has case."""
    from tasks.kernels import reading

    out = np.zeros(0x110000, np.uint8)
    for code in range(0x1E944):
        character = chr(code)
        out[code] = reading.UPPER if character.isupper() else reading.LOWER if character.islower() else reading.NO_CASE
    return out


def words(texts: pa.Array[Any] | pa.ChunkedArray[Any] | Sequence[str]) -> Words:
    """The terms of some texts, all that shared passages need of them; nulls are empty texts."""
    from tasks.kernels import evidence, reading

    found = terms.tokenise(texts)
    return Words(found.rows, found.hashes, found.begins, found.ends, reading.run_hashes(found.hashes, found.rows, evidence.RUN))


def peruse(texts: pa.Array[Any] | pa.ChunkedArray[Any] | Sequence[str]) -> Readings:
    """Read some texts; nulls are empty ones."""
    from tasks.kernels import evidence, figures, reading
    from tasks.kernels import terms as kernel

    data, offsets = terms.buffers(texts)
    kind, fold = terms.tables()
    found = terms.Terms(*kernel.tokenise(data, offsets, kind, fold, terms.alike()))
    if found.disguised.any():
        written = (texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.large_string())).to_pylist()
        data, offsets = terms.buffers(
            [
                terms.undisguised(text or "") if masked else text or ""
                for text, masked in zip(written, found.disguised.tolist(), strict=True)
            ]
        )
        found = terms.Terms(*kernel.tokenise(data, offsets, kind, fold, terms.alike()))
    spans = (data, offsets, found.rows, found.begins, found.ends)
    sentence, flags = reading.marks(*spans, kind, _case())
    stems = reading.stems(*spans, found.hashes, found.kinds, kind, fold, STEM)
    zipf = kernel.frequencies(found.hashes, rarity.load().table)
    runs = reading.run_hashes(found.hashes, found.rows, evidence.RUN)
    figure, weight, place, figure_rows = figures.figures(data, offsets, found.rows, found.begins, kind, fold)
    in_order = np.lexsort((place, figure, np.repeat(np.arange(len(figure_rows) - 1), np.diff(figure_rows))))
    article = np.uint64(terms.hash_term("the"))
    mentions, mention_starts = reading.capitalised(*spans, found.hashes, flags, kind, fold, MENTION, article)
    flat = evidence.Texts(
        rows=found.rows,
        rarity=reading.telling(found.kinds, zipf, flags, RARE_FROM, rarity.UNSEEN, COMMON_WORD),
        stems=stems,
        by_stem=reading.order(stems, found.rows),
        runs=runs,
        by_run=reading.order(runs, found.rows),
        sentence=sentence,
        flags=flags,
        figure_rows=figure_rows,
        figure=figure[in_order],
        figure_weight=weight[in_order],
        figure_place=place[in_order],
    )
    return Readings(flat, found.hashes, found.begins, found.ends, mentions, mention_starts)


@lru_cache(4096)
def outlet(source: str) -> str:
    """How a text would name an outlet, folded and without spaces: "foxnews" for www.foxnews.com, Fox News or Fox News (Online)."""
    name = re.sub(r"\([^)]*\)", " ", source).split(" - ")[0].strip().casefold()
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+", name):
        parts = [part for part in name.split(".") if part not in ("www", "m", "amp", "edition", "news")]
        # the label before the public suffix: post.co.uk, mail.com
        name = next((part for part in reversed(parts[:-1]) if part not in ("co", "com", "org", "net", "ac", "gov")), "".join(parts[:1]))
    return "".join(terms.words(re.sub(r"^the\s+|\s+(online|web)\b", "", name)))


@lru_cache(4096)
def names(source: str) -> tuple[int, ...]:
    """The hashes under which `Readings.mentions` has an outlet: its name, and NPR for NPR News; a common word only where it stands by itself."""
    name = outlet(source)
    short = re.match(r"([A-Z]{2,5})\s+(?:Online\s+|Web\s+)?News\b", source)
    found = []
    for form in {name, short[1].casefold() if short else name}:
        if len(form) >= 2 and (form != name or len(form) >= 3):
            hashed = terms.hash_term(form)
            common = float(rarity.load().frequencies(np.array([hashed], np.uint64))[0]) >= COMMON_NAME
            alone, within = hashed | 1, hashed & ~1
            found += [alone] if common else [alone, within]
    return tuple(sorted(found))
