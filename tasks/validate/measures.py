"""Numbers that the suites may name as columns: about a text, beside the columns of the table; and about a whole run.

An expectation should be a line of JSON that a person can review. What a regular expression says badly (a share, a count, a
judgement of ftfy) is measured here, once a row, and the expectation states the bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from ftfy.badness import BADNESS_RE

Texts: TypeAlias = "pa.ChunkedArray[Any]"

# Tags and comments; lines that open or close a block of code, end with a call or assign; JSON, in one line or in many; scripts.
# A line of prose may end in ";" (a list of prices does, in 1 of 6,000 stories of the background set), so that alone is none.
MARKUP = (
    r"(?i)</?[a-z][^<>]{0,500}>|<!--[^>]*-->"
    r"""|(?m:^[^\n]*(?:\{|\}|\};|[a-z0-9_$]\([^\n]*\);|=[^\n]*["'\]];)[ \t]*$)"""
    r"""|(?m:^[ \t]*[\[{][ \t]*["'{\[][^\n]*[\]}],?[ \t]*$)"""
    r"""|(?m:^[ \t]*"[^"\n]{1,80}"[ \t]*:[^\n]*$)"""
    r"""|(?m:^[^\n]*(?:function ?[a-z_]*\(|=> ?\{|document\.[a-z]+\(|window\.[a-z]+ ?=|var [a-z_$]+ ?=)[^\n]*$)"""
)

# Every alternative of ftfy's BADNESS_RE needs one character that is neither ASCII nor one of these, and no match is longer
# than 7 code points: so only the neighbourhood of such characters need be searched. The answer is that of is_bad, which
# reads 740 stories a second; this reads 8,000 (2,000 background stories, of which 380 have such a character).
HARMLESS = "\xa0\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022"
SUSPECT = f"[^\x00-\x7f{HARMLESS}]"
LONGEST_MATCH = 7


@dataclass(frozen=True)
class Measure:
    """A number a row, computed from one column of text."""

    description: str
    unit: str
    measured: Callable[[Texts], Any]


def replacement_share(texts: Texts) -> Any:
    """Share of U+FFFD among the code points of each text (float64, 0 for an empty text)."""
    return _share(pc.count_substring(texts, "\ufffd"), texts)


def markup_share(texts: Texts) -> Any:
    """Share of each text's code points that stand in tags, or in lines of script or JSON (float64, 0 for an empty text)."""
    prose = pc.utf8_length(pc.replace_substring_regex(texts, MARKUP, ""))
    return _share(pc.subtract(pc.utf8_length(texts), prose), texts)


def mojibake_places(texts: Texts) -> Any:
    """Places in each text that ftfy's heuristic calls mojibake (int64); 0 exactly where `ftfy.badness.is_bad` is false."""
    suspect = pc.match_substring_regex(texts, SUSPECT).combine_chunks()
    counts = pa.array([_places(text) for text in texts.filter(suspect).to_pylist()], pa.int64())
    return pc.replace_with_mask(pa.repeat(pa.scalar(0, pa.int64()), len(texts)), suspect, counts)


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


def _share(part: Any, texts: Texts) -> Any:
    whole = pc.max_element_wise(pc.utf8_length(texts), 1)
    return pc.divide(pc.cast(part, pa.float64()), pc.cast(whole, pa.float64()))


def _places(text: str) -> int:
    spans = (found.span() for found in re.finditer(f"{SUSPECT}+", text))
    return sum(BADNESS_RE.search(text, max(start - LONGEST_MATCH, 0), end + LONGEST_MATCH) is not None for start, end in spans)
