"""Numbers that the suites may name as columns: about a text, beside the columns of the table; and about a whole run.

An expectation should be a line of JSON that a person can review. What a regular expression says badly (a share, a count, a
judgement of ftfy) is measured here, once a row, and the expectation states the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import BADNESS_RE

Texts: TypeAlias = "pa.ChunkedArray[Any]"
Strings: TypeAlias = "pa.StringArray"
Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Counts: TypeAlias = "npt.NDArray[np.int64]"
Floats: TypeAlias = "npt.NDArray[np.float64]"

# Tags and comments; lines that open or close a block of code, end with a call or assign; JSON, in one line or in many; scripts.
# A line of prose may end in ";" (a list of prices does, in 1 of 6,000 stories of the background set), so that alone is none.
MARKUP = (
    r"(?i)</?[a-z][^<>]{0,500}>|<!--[^>]*-->"
    r"""|(?m:^[^\n]*(?:\{|\}|\};|[a-z0-9_$]\([^\n]*\);|=[^\n]*["'\]];)[ \t]*$)"""
    r"""|(?m:^[ \t]*[\[{][ \t]*["'{\[][^\n]*[\]}],?[ \t]*$)"""
    r"""|(?m:^[ \t]*"[^"\n]{1,80}"[ \t]*:[^\n]*$)"""
    r"""|(?m:^[^\n]*(?:function ?[a-z_]*\(|=> ?\{|document\.[a-z]+\(|window\.[a-z]+ ?=|var [a-z_$]+ ?=)[^\n]*$)"""
)

# A text in which MARKUP matches has one of these; 1 in 100 of the background stories does, and this is read twice as fast.
MARKUP_SIGNS = (
    r"(?i)<[/a-z!]|[{}]|;[ \t]*(?:\n|\z)|(?:\A|\n)[ \t]*\[[ \t]*[\"'{\[]|\"[ \t]*:"
    r"|function ?[a-z_]*\(|document\.[a-z]|window\.[a-z]+ ?=|var [a-z_$]+ ?="
)

# Every alternative of ftfy's BADNESS_RE needs one character that is neither ASCII nor one of these, and no match is longer
# than 7 code points: so only the neighbourhood of such characters need be searched. The answer is that of is_bad, which
# reads 740 stories a second; this reads 130,000 (2,000 background stories of 6 KB, of which 185 have such a character).
HARMLESS = "\xa0\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022"
LONGEST_MATCH = 7

# The same in UTF-8, where a character beyond ASCII begins with a byte of 0xC2 and more, and has three from 0xE0 on
_REPLACEMENT = "\ufffd".encode()
_LEAD, _LEAD_OF_THREE, _LAST_OF_ASCII = 0xC2, 0xE0, 0x7F
_HARMLESS_KEYS = np.array([int.from_bytes(sign.encode().ljust(3, b"\0"), "big") for sign in HARMLESS], np.int32)
_HARMLESS_CODES = np.array([ord(sign) for sign in HARMLESS], np.uint32)
_ROWS = 256  # measured at a time


@dataclass(frozen=True)
class Measure:
    """A number a row, computed from one column of text."""

    description: str
    unit: str
    measured: Callable[[Texts], Any]


def replacement_share(texts: Texts) -> Any:
    """Share of U+FFFD among the code points of each text (float64, 0 for an empty text)."""
    return _measured(texts, _replacement_share)


def _replacement_share(texts: Strings) -> Floats:
    signs, starts = _bytes(texts)
    first = np.flatnonzero(signs == _REPLACEMENT[0])
    counts = _per_row(first[(signs[first + 1] == _REPLACEMENT[1]) & (signs[first + 2] == _REPLACEMENT[2])], starts)
    shares = np.zeros(len(texts))
    for row in np.flatnonzero(counts):
        shares[row] = counts[row] / len(texts[row].as_py())
    return shares


def markup_share(texts: Texts) -> Any:
    """Share of each text's code points that stand in tags, or in lines of script or JSON (float64, 0 for an empty text)."""
    rows = pc.indices_nonzero(pc.match_substring_regex(texts, MARKUP_SIGNS)).to_numpy()
    marked = texts.take(pa.array(rows))
    lengths = pc.utf8_length(marked).to_numpy()
    shares = np.zeros(len(texts))
    shares[rows] = (lengths - pc.utf8_length(pc.replace_substring_regex(marked, MARKUP, "")).to_numpy()) / lengths
    return pa.array(shares)


def mojibake_places(texts: Texts) -> Any:
    """Places in each text that ftfy's heuristic calls mojibake (int64); 0 exactly where `ftfy.badness.is_bad` is false."""
    return _measured(texts, _mojibake_places)


def _mojibake_places(texts: Strings) -> Counts:
    signs, starts = _bytes(texts)
    first = np.flatnonzero(signs >= _LEAD)
    lead, second, third = (signs.take(first + n, mode="clip").astype(np.int32) for n in range(3))
    keys = lead << 16 | second << 8 | np.where(lead < _LEAD_OF_THREE, 0, third)
    suspects = _per_row(first[~np.isin(keys, _HARMLESS_KEYS)], starts)
    places = np.zeros(len(texts), np.int64)
    for row in np.flatnonzero(suspects):
        places[row] = _places(texts[row].as_py())
    return places


MEASURES = {
    "replacement_share": Measure("share of the text's characters that are U+FFFD, where a decoder gave up", "0-1", replacement_share),
    "markup_share": Measure("share of the text's characters in tags, or in lines of script or JSON", "0-1", markup_share),
    "mojibake_places": Measure("places in the text that ftfy's heuristic calls mojibake", "places", mojibake_places),
}


# What an expectation of the run suite may name as its column.
AGGREGATE_COLUMNS = {
    "conservation_gap": "records that are not exactly once where their decision says",
    "duplicate_ids": "decisions beyond the first on one story_id",
    "dangling_duplicates": "duplicates of a record that is not kept",
    "stray_clusters": "kept rows outside a cluster of their own name, duplicates outside the cluster of their kept story",
    "copies_gap": "records that the kept stories' copies do not count, or count too often",
    "kept": "kept stories",
    "new_stories": "records that the parent has no decision on by this recipe",
    "largest_cluster": "records in the largest cluster",
    "largest_cluster_share": "share of the curated records in the largest cluster",
    "quarantine_rate": "share of the records in quarantine",
    "duplicate_rate": "share of the curated records that are duplicates",
    "removal_rate": "share of the repaired characters that strip removed",
    "boilerplate_residue": "share of the checked texts with a line of boilerplate left",
    "mojibake_residue": "share of the checked texts with mojibake left",
    "kept_change": "kept stories by those of the parent, less 1; null when not compared",
    "largest_cluster_share_change": "largest_cluster_share less the parent's; null when not compared",
    "quarantine_rate_change": "quarantine_rate of the new records less the parent's; null when not compared",
    "duplicate_rate_change": "duplicate_rate of the new records less the parent's; null when not compared",
    "removal_rate_change": "removal_rate of the new records less the parent's; null when not compared",
    "boilerplate_residue_change": "boilerplate_residue of the new records less the parent's; null when not compared",
    "mojibake_residue_change": "mojibake_residue of the new records less the parent's; null when not compared",
}


def _measured(texts: Texts, measure: Callable[[Strings], Any]) -> Any:
    """The measure of all texts, of some at a time: the arrays of it are larger than the texts."""
    table = pa.table({"text": texts.cast(pa.string())})
    parts = [measure(batch.column(0)) for batch in table.to_batches(max_chunksize=_ROWS)]
    return pa.array(np.concatenate(parts) if parts else measure(pa.array([], pa.string())))


def _bytes(texts: Strings) -> tuple[Bytes, Counts]:
    """The texts as bytes, and where each begins, and the last ends."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    signs = np.frombuffer(data or b"", np.uint8)[starts[0] : starts[-1]]
    return signs, starts - starts[0]


def _per_row(places: Counts, starts: Counts) -> Counts:
    """How many of the places (of bytes) lie in each row."""
    return np.diff(np.searchsorted(places, starts))


def _places(text: str) -> int:
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    suspects = np.flatnonzero(codes > _LAST_OF_ASCII)
    suspects = suspects[~np.isin(codes[suspects], _HARMLESS_CODES)]
    breaks = np.flatnonzero(np.diff(suspects) > 1)
    starts, ends = suspects[np.r_[0, breaks + 1]].tolist(), suspects[np.r_[breaks, -1]].tolist()
    return sum(
        BADNESS_RE.search(text, max(start - LONGEST_MATCH, 0), end + 1 + LONGEST_MATCH) is not None
        for start, end in zip(starts, ends, strict=True)
    )
