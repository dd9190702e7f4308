"""Stories as the verdict reads them: columns of a fingerprinted shard, and what is measured of each text alone."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks import rarity, terms

DAY_US = 86_400_000_000
COLUMNS = (
    *("story_id", "source", "title", "byline", "agency", "published_at", "published_precision", "text", "word_count"),
    *("text_hash", "shingles", "terms", "weights"),
)
STEM = 5
"""Characters of a word that stand for all its forms ("defen" of defence, defense, defending): crude, but in any language."""
RUN = 4
"""Terms in a row that must agree for a stretch to count as shared."""
SENTENCES = 500
"""Sentences of a text that are compared one by one: more than any story has, a bound for books and logs."""
RARE_FROM = 7.0
"""Zipf frequency below which a term counts for the measures of sentences and names."""

# a sentence ends at a full stop and what closes it, before white space and no small letter, or with the line
_SENTENCE = re.compile(r"[.!?…؟।።]+[\"'”’»)\]]*\s+(?=[^\s\d(])|[。！？]+[」』”）]*|\n+")
# quotations: up to the closing mark or, as papers do when a quotation runs on, to the end of the paragraph
QUOTED = re.compile(r"“[^”\n]+(?:”|$|(?=\n))|\"[^\"\n]+\"|«[^»\n]+»|„[^“”\n]+[“”]|「[^」\n]+」|『[^』\n]+』", re.MULTILINE)
_FIGURE = re.compile(r"([$€£¥₹]\s?)?(\d+(?:[.,]\d+)*)(\s?%)?")


@dataclass(frozen=True, eq=False)
class Story:
    """One story. shingles and terms: uint64, sorted, distinct; weights: float32, of terms; published: UTC µs, a bare date its end."""

    story_id: str
    source: str
    title: str
    byline: str
    agency: str
    published: int | None
    text: str
    word_count: int
    text_hash: bytes
    shingles: npt.NDArray[np.uint64]
    terms: npt.NDArray[np.uint64]
    weights: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Reading:
    """What is measured of one text: arrays over its n terms, and sets.

    hashes uint64[n]; begins, ends int64[n], bytes of `data`; rarity float64[n], RARE_FROM less the Zipf frequency, at
    least 0; stems uint32[n], hashes of the terms' first STEM characters; sentence int64[n], ascending; quoted bool[n];
    runs uint64[n - RUN + 1], hashes of RUN terms in a row; figures: figure -> weight; names: term hash -> weight; words: stem ->
    rarity of its commonest word; sentences: the same for each of the first SENTENCES of 3 stems or more,
    outside quotations; mentions: what
    could be the name of an outlet, as folded words without spaces.
    """

    data: bytes
    hashes: npt.NDArray[np.uint64]
    begins: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    rarity: npt.NDArray[np.float64]
    stems: npt.NDArray[np.uint32]
    sentence: npt.NDArray[np.int64]
    quoted: npt.NDArray[np.bool_]
    runs: npt.NDArray[np.uint64]
    figures: dict[str, float]
    names: dict[int, float]
    words: dict[int, float]
    sentences: list[dict[int, float]]
    mentions: frozenset[str]


def number(story_id: str) -> int:
    """The 64-bit number under which keys and pairs know a story: the first 16 of its hex digits.

    Raises:
        ValueError: the id does not begin with 16 hex digits.
    """
    return int(story_id[:16], 16)


def numbers(ids: pa.Array[Any] | pa.ChunkedArray[Any]) -> npt.NDArray[np.uint64]:
    """`number` of every id: uint64[n]."""
    return np.array([int(story_id[:16], 16) for story_id in ids.to_pylist()], np.uint64)


def published_us(at: npt.NDArray[np.int64], day_only: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Times for comparing: UTC µs, a bare date as the last µs of its day, unknown as the largest int64."""
    return np.where(known, at + day_only * (DAY_US - 1), np.iinfo(np.int64).max)


def times(table: pa.Table) -> npt.NDArray[np.int64]:
    """`published_us` of a table with published_at and published_precision: int64[n]."""
    at = table["published_at"]
    known = np.asarray(at.is_valid().to_numpy())
    values = np.asarray(at.cast(pa.int64()).fill_null(0).to_numpy())
    day = np.asarray(pc.equal(table["published_precision"], "day").fill_null(False).to_numpy())
    return published_us(values, day, known)


def read(shards: Sequence[Path], wanted: Collection[int]) -> dict[int, Story]:
    """The wanted stories by number, read shard by shard: memory follows the wanted, not the dataset.

    Raises:
        ValueError: a wanted story is in none of the shards.
    """
    asked = np.array(sorted(wanted), np.uint64)
    out: dict[int, Story] = {}
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            for group in range(file.num_row_groups):
                ids = numbers(file.read_row_group(group, columns=["story_id"])["story_id"])
                rows = np.flatnonzero(np.isin(ids, asked))
                if len(rows):
                    table = file.read_row_group(group, columns=list(COLUMNS)).take(pa.array(rows))
                    out.update(zip(ids[rows].tolist(), of(table), strict=True))
    missing = set(asked.tolist()) - set(out)
    if missing:
        raise ValueError(f"match: {len(missing)} proposed stories are in no shard, e.g. {min(missing):016x}; give all shards")
    return out


def of(table: pa.Table) -> list[Story]:
    """The stories of a table with COLUMNS, in order."""
    plain = {name: table[name].to_pylist() for name in COLUMNS if name not in ("shingles", "terms", "weights")}
    arrays = {name: _split(table[name]) for name in ("shingles", "terms", "weights")}
    at = times(table)
    unknown = np.iinfo(np.int64).max
    return [
        Story(
            story_id=plain["story_id"][i],
            source=plain["source"][i] or "",
            title=plain["title"][i] or "",
            byline=plain["byline"][i] or "",
            agency=plain["agency"][i] or "",
            published=None if at[i] == unknown else int(at[i]),
            text=plain["text"][i],
            word_count=plain["word_count"][i],
            text_hash=plain["text_hash"][i] or b"",
            shingles=arrays["shingles"][i],
            terms=arrays["terms"][i],
            weights=arrays["weights"][i],
        )
        for i in range(len(table))
    ]


def _split(column: pa.ChunkedArray[Any]) -> list[npt.NDArray[Any]]:
    flat = column.combine_chunks()
    if isinstance(flat, pa.ChunkedArray):
        flat = pa.concat_arrays(flat.chunks)
    offsets = flat.offsets.to_numpy()
    values = flat.values.to_numpy()
    return [values[offsets[i] : offsets[i + 1]] for i in range(len(flat))]


def peruse(story: Story) -> Reading:
    """Measure one text."""
    from tasks.kernels import terms as kernel

    text = story.text
    data = text.encode("utf-8", "surrogatepass")
    found = terms.tokenise(pa.array([text], pa.large_string()))
    codes = np.frombuffer(data, np.uint8)
    byte_of = np.append(np.flatnonzero((codes & 0xC0) != 0x80), len(data))  # byte at which each character begins
    at = np.searchsorted(byte_of, found.begins)
    ends = byte_of[[match.end() for match in _SENTENCE.finditer(text)]] if text else np.zeros(0, np.int64)
    sentence = np.searchsorted(ends, found.begins, side="right")
    quoted = np.zeros(len(found.hashes), np.bool_)
    for match in QUOTED.finditer(text):
        first, stop = np.searchsorted(found.begins, byte_of[[match.start(), match.end()]])
        quoted[first:stop] = True
    rare = np.maximum(0.0, RARE_FROM - rarity.load().frequencies(found.hashes))
    rare[found.kinds == kernel.NUMERAL] = 0.5  # wordfreq has no telling frequencies for figures and single characters
    rare[(found.kinds == kernel.NUMBER) | (found.kinds == kernel.SINGLE)] = 2.0
    upper = [text[i].isupper() for i in at.tolist()]
    names: dict[int, float] = {}
    mentions: set[str] = set()
    words = [data[b:e].decode("utf-8", "replace").casefold() for b, e in zip(found.begins.tolist(), found.ends.tolist(), strict=True)]
    opening = np.diff(sentence, prepend=-1) > 0
    hashes = found.hashes.tolist()
    for i, capital in enumerate(upper):
        if capital:
            if not opening[i] and rare[i] > 0:
                names[hashes[i]] = float(rare[i])
            for size in range(1, 5):
                mentions.add("".join(words[i : i + size]))
    stems = [zlib.crc32(word[:STEM].encode("utf-8", "replace")) for word in words]
    commonest: dict[int, float] = {}
    sentences: dict[int, dict[int, float]] = {}
    for stem, weight, place, inside in zip(stems, rare.tolist(), sentence.tolist(), quoted.tolist(), strict=True):
        commonest[stem] = min(weight, commonest.get(stem, weight))
        if weight and not inside:
            sentences.setdefault(place, {})[stem] = weight
    return Reading(
        data=data,
        hashes=found.hashes,
        begins=found.begins,
        ends=found.ends,
        rarity=rare,
        stems=np.array(stems, np.uint32),
        sentence=sentence,
        quoted=quoted,
        runs=kernel.runs(found.hashes, RUN),
        figures=_figures(text),
        names=names,
        words=commonest,
        sentences=[stems for stems in sentences.values() if len(stems) >= 3][:SENTENCES],
        mentions=frozenset(mentions),
    )


def _figures(text: str) -> dict[str, float]:
    """Figures of a text as plain decimal numbers, with a weight for how telling they are: years and small numbers say little."""
    out: dict[str, float] = {}
    for match in _FIGURE.finditer(text):
        figure = match[2]
        if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", figure):
            figure = re.sub(r"[.,]", "", figure)
        figure = figure.replace(",", ".")
        if figure.count(".") == 1:
            figure = figure.rstrip("0").rstrip(".")
        digits = sum(character.isdigit() for character in figure)
        year = len(figure) == 4 and figure.isdigit() and figure[:2] in ("19", "20")
        weight = 0.25 if digits < 2 or year else 0.5 if digits < 3 else 1.0
        if match[1] or match[3]:
            weight = max(weight, 0.75)
        out[figure] = max(weight, out.get(figure, 0.0))
    return out


@lru_cache(4096)
def outlet(source: str) -> str:
    """How a text would name an outlet, folded and without spaces: "foxnews" for www.foxnews.com, Fox News or Fox News (Online)."""
    name = re.sub(r"\([^)]*\)", " ", source).split(" - ")[0].strip().casefold()
    if re.fullmatch(r"[\w-]+(\.[\w-]+)+", name):
        parts = [part for part in name.split(".") if part not in ("www", "m", "amp", "edition", "news")]
        # the label before the public suffix: post.co.uk, mail.com
        name = next((part for part in reversed(parts[:-1]) if part not in ("co", "com", "org", "net", "ac", "gov")), "".join(parts[:1]))
    return "".join(terms.words(re.sub(r"^the\s+|\s+(online|web)\b", "", name)))
