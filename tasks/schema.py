"""Every column once: name, type, null rule, description, unit.

A *shard* is a Parquet file of some thousand records. The local stages only add columns to it; the schemas below grow in
the order of the stages (STORE, INGESTED, REPAIRED, STRIPPED, CHECKED, FINGERPRINTED). What readers see are the tables
of a snapshot (STORIES, DUPLICATES, QUARANTINE, DECISIONS, INPUTS, CHANGES). Descriptions travel in the Parquet field metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

NEVER = "never null"
TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, when it is null (NEVER, or the condition in words), what it means and its unit."""

    name: str
    type: pa.DataType
    null: str
    description: str
    unit: str = ""

    def field(self) -> pa.Field[Any]:
        metadata = {"description": self.description, "null": self.null}
        if self.unit:
            metadata["unit"] = self.unit
        return pa.field(self.name, self.type, nullable=self.null != NEVER, metadata=metadata)


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind, nullable=False) for name, kind in fields.items()])


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))  # as Parquet names it: what is read equals what was written


REPAIR_EDIT = pa.struct(
    [
        pa.field("step", pa.int32(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("before", pa.string(), nullable=False),
        pa.field("after", pa.string(), nullable=False),
        pa.field("fix", pa.string(), nullable=False),
    ]
)
REMOVED_LINE = _struct(rule=pa.string(), zone=pa.string(), line=pa.int32(), text=pa.string())
PASSAGE = _struct(text=pa.string(), other_text=pa.string())

_COLUMNS = (
    # -- identity: what a record is and where it was read
    Column(
        "story_id",
        pa.string(),
        NEVER,
        "hash of raw_uri, the record's bytes and the count of equal records before it in its file",
        "32 hex digits",
    ),
    Column(
        "raw_id",
        pa.string(),
        NEVER,
        "the record's own id, else the file's stem, with #n (from 0) in files of many records; need not be unique",
    ),
    Column("raw_uri", pa.string(), NEVER, "path of the raw file below the raw root, '/'-separated, percent-encoded"),
    Column("raw_sha256", pa.string(), "when the file could not be read", "SHA-256 of the record's own bytes as read", "64 hex digits"),
    Column("raw_state", pa.string(), NEVER, "present, or vanished when the raw file is gone and its records are kept"),
    Column("place", pa.string(), NEVER, "where in its file the record stands: 'file', 'line 3', 'record 0', 'row 17'"),
    Column("kind", pa.string(), NEVER, "record, or file for an unreadable file or the unreadable rest of one"),
    # -- the store
    Column("form", pa.string(), NEVER, "how to parse the bytes: text, html, json, or none when nothing could be read"),
    Column("stem", pa.string(), NEVER, "the raw_id to use when the record has no id of its own"),
    Column("record", pa.large_binary(), NEVER, "the record's own bytes as read (JSON for rows of CSV, JSON lists and Parquet)"),
    Column(
        "charset", pa.string(), "when none is known", "charset stated beside the bytes (HTTP header), or seen at the head of their file"
    ),
    # -- the story
    Column("source", pa.string(), "when neither the record nor its url tells", "the outlet: the record's, else the host of the url"),
    Column("url", pa.string(), "when the record has none", "address of the story as the record gives it"),
    Column("title", pa.string(), "when there is none", "headline; lifted out of the text when the record has no title"),
    Column("byline", pa.string(), "when there is none", "who wrote it, as the story says, without 'By'"),
    Column("agency", pa.string(), "when none is credited", "news agency credited by the story"),
    Column("published_at", TIMESTAMP, "when unknown", "time of publication; a bare date is that day's 00:00", "UTC"),
    Column("published_precision", pa.string(), "when published_at is null", "second, or day when only the date is known"),
    Column("language", pa.string(), "when unknown", "language of the text", "BCP 47"),
    Column("text", pa.string(), NEVER, "the story's cleaned text, paragraphs split by a blank line"),
    Column("word_count", pa.int32(), NEVER, "words of text (a character counts as a word in scripts without spaces)", "words"),
    Column(
        "repairs",
        _list(REPAIR_EDIT),
        NEVER,
        "every repair: at step (from 0), code points start to end of the field as that step found it, before -> after, and "
        "the fix in words; step 0 finds what ingest wrote",
    ),
    Column(
        "removed",
        _list(REMOVED_LINE),
        NEVER,
        "every line of the repaired text that is not in text: the rule that took it, its zone (head, body, tail), 0-based line "
        "number and text; lifted headlines, bylines and dates included. The lines of text fill the other numbers.",
    ),
    # -- why a record cannot be curated: set by the stage that found out, null for healthy records
    Column("stage", pa.string(), "in a healthy record", "stage that decided: ingest, repair, strip, check, match"),
    Column("reason", pa.string(), "in a healthy record", "why, as a short term (an expectation's name for stage check)"),
    Column("detail", pa.string(), "when there is no more to say", "the reason in words, for people"),
    # -- the decision
    Column("outcome", pa.string(), NEVER, "kept, duplicate or quarantined"),
    Column("relation", pa.string(), "in kept and quarantined rows", "exact, near or derivative: what the row is to the kept story"),
    Column("duplicate_of", pa.string(), "in kept and quarantined rows", "story_id of the kept story this row repeats"),
    Column("cluster_id", pa.string(), "in quarantined rows", "story_id of the kept story of the cluster, also when it is alone"),
    Column(
        "same_story",
        pa.string(),
        "but for stories kept beside another one, with cluster.keep = one-per-source",
        "story_id of the kept story of another source that this one is judged to be one story with",
    ),
    Column(
        "probability", pa.float64(), "in kept and quarantined rows", "estimated probability that row and kept story are one story", "0-1"
    ),
    Column("jaccard", pa.float64(), "in kept and quarantined rows", "Jaccard similarity of the two texts' sets of shingles", "0-1"),
    Column("containment", pa.float64(), "in kept and quarantined rows", "share of the row's shingles found in the kept story", "0-1"),
    Column(
        "weighted_jaccard",
        pa.float64(),
        "in kept and quarantined rows",
        "Jaccard similarity of the two texts' sets of terms, weighted by rarity",
        "0-1",
    ),
    Column(
        "coverage",
        pa.float64(),
        "in kept and quarantined rows",
        "share of the row's sentences whose rare terms mostly stand in the kept story",
        "0-1",
    ),
    Column(
        "evidence",
        _list(PASSAGE),
        "in kept and quarantined rows",
        "shared passages, longest first, at most 5: as the row has it and as the kept story has it",
    ),
    Column(
        "override",
        pa.string(),
        "where no editor's word decided",
        "id of the entry of the overrides that decided on this row; the manifest spells it out",
    ),
    Column("recipe", pa.string(), NEVER, "hash of everything that can change a row; the manifest spells it out", "16 hex digits"),
    Column("copies", pa.int32(), "in duplicates", "records this story stands for, itself included", "records"),
    Column("copy_sources", _list(pa.string()), "in duplicates", "sources of those records, itself included; sorted, distinct"),
    # -- fingerprint: what matching needs of a story
    Column("text_hash", pa.binary(16), "in a faulty record", "hash of the cleaned text: equal texts, equal hash", "128 bits"),
    Column("shingles", _list(pa.uint64()), NEVER, "sorted distinct hashes of the word shingles", "64 bits each"),
    Column(
        "signature", _list(pa.uint32()), NEVER, "tier 1: MinHash signature, as datasketch.MinHash(scheme='affine32') has it", "32 bits each"
    ),
    Column("terms", _list(pa.uint64()), NEVER, "sorted distinct hashes of the rare terms", "64 bits each"),
    Column("weights", _list(pa.float32()), NEVER, "weight of each of terms"),
    Column(
        "sketch", _list(pa.uint32()), NEVER, "tier 2: weighted MinHash of the rare terms, the smallest value of each sample", "32 bits each"
    ),
    Column("winnowed", _list(pa.uint64()), NEVER, "sorted distinct hashes of runs of words chosen by winnowing", "64 bits each"),
    # -- the ledger
    Column("size", pa.int64(), NEVER, "size of the raw file", "bytes"),
    Column(
        "modified_ns",
        pa.int64(),
        NEVER,
        "modification time of the raw file, or a number made of the ETag of an object",
        "ns since 1970, UTC",
    ),
    Column("file_sha256", pa.string(), "when the file could not be read", "SHA-256 of the raw file's bytes", "64 hex digits"),
    Column("records", pa.int64(), NEVER, "raw records the file gave, faulty ones included", "records"),
    Column(
        "skipped",
        _list(_struct(why=pa.string(), records=pa.int64())),
        "when nothing was",
        "records of a web archive that are no stories by their nature (requests, pictures, redirects), counted by why",
    ),
    Column("shards", _list(pa.string()), NEVER, "names of the store files that hold its records"),
    # -- what is new in stories since the parent snapshot
    Column(
        "change",
        pa.string(),
        NEVER,
        "added, changed, removed, or rekeyed: the row is gone, and its story is kept under another story_id now",
    ),
    Column("replaced_by", pa.string(), "but for rekeyed rows", "story_id under which the story is kept now"),
    Column(
        "was",
        pa.string(),
        "but for added rows of a story that the parent had under another story_id",
        "story_id under which the parent kept the story, or told of this record; of several the first",
    ),
    Column(
        "changed_columns",
        _list(pa.string()),
        "but for changed rows, and where published_at moved to another month: all may have changed then",
        "columns of stories whose value is another, in their order",
    ),
    Column("file", pa.string(), "in removed and rekeyed rows", "file of the snapshot in which the row of stories stands now"),
)
COLUMNS = {column.name: column for column in _COLUMNS}


def schema(*names: str) -> pa.Schema:
    """Arrow schema of the named columns, in the given order, descriptions in the field metadata."""
    return pa.schema([COLUMNS[name].field() for name in names])


_FAULT = ("stage", "reason", "detail")
_IDENTITY = ("story_id", "raw_id", "raw_uri", "raw_sha256", "raw_state", "place", "kind")
_STORY = ("source", "url", "title", "byline", "agency", "published_at", "published_precision", "language", "text")
_SCORES = (
    *("relation", "duplicate_of", "cluster_id", "same_story", "probability", "jaccard", "containment", "weighted_jaccard", "coverage"),
    *("evidence", "override"),
)

STORE = schema("story_id", "raw_uri", "raw_sha256", "place", "kind", "form", "stem", "record", "url", "charset", *_FAULT)
INGESTED = schema(*_IDENTITY, *_STORY, *_FAULT)
REPAIRED = schema(*INGESTED.names, "repairs")
STRIPPED = schema(*REPAIRED.names, "word_count", "removed")
CHECKED = STRIPPED
FINGERPRINTED = schema(*CHECKED.names, "text_hash", "shingles", "signature", "terms", "weights", "sketch", "winnowed")

STORIES = schema(
    *("story_id", "raw_id", "raw_uri"),
    *_STORY,
    *("word_count", "cluster_id", "same_story", "copies", "copy_sources", "repairs", "removed"),
)
DUPLICATES = STORIES
QUARANTINE = schema("story_id", "raw_id", "raw_uri", "place", "kind", *_FAULT, "text")
DECISIONS = schema(*("raw_id", "raw_uri", "raw_sha256", "raw_state", "story_id", "outcome", "stage", "reason"), *_SCORES, "recipe")
# of every duplicate, and of stories kept beside another or by an editor's word; month: see tasks.index
STANDING = schema("story_id", "source", "reason", *_SCORES).append(pa.field("month", pa.int32(), nullable=False))
INPUTS = schema("raw_uri", "size", "modified_ns", "file_sha256", "raw_state", "records", "skipped", "shards")
CHANGES = schema("story_id", "change", "replaced_by", "was", "changed_columns", "file")
CHANGE_KINDS = ("added", "changed", "removed", "rekeyed")
OF_THE_CLUSTER = ("cluster_id", "same_story", "copies", "copy_sources")
"""All columns of stories that can be others although recipe and raw file are the same."""
TABLES = {
    "stories": STORIES,
    "duplicates": DUPLICATES,
    "quarantine": QUARANTINE,
    "decisions": DECISIONS,
    "inputs": INPUTS,
    "changes": CHANGES,
}


def conform(table: pa.Table, wanted: pa.Schema) -> pa.Table:
    """The table with exactly the wanted columns, types, null rules and metadata.

    Every table leaves a room through here. Only a cast enforces null rules in Arrow, so it is always made.

    Raises:
        ValueError: a column is missing, does not cast, or has nulls where it must not.
    """
    missing = [name for name in wanted.names if name not in table.column_names]
    if missing:
        raise ValueError(f"columns missing: {', '.join(missing)}")
    try:
        return table.select(wanted.names).cast(wanted)
    except ValueError as error:
        raise ValueError(f"table does not fit its schema: {error}") from error


def healthy(table: pa.Table) -> pa.ChunkedArray[Any]:
    """Boolean mask of the rows that no stage has found at fault so far."""
    return table["reason"].is_null()
