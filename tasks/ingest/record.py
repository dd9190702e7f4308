"""What a reader gives: records, and why the rest of a file cannot be read."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, Protocol

HEAD_BYTES = 10_000  # what the quarantine shows of a record that is too large
MOST_VALUES = 2_000_000  # of a record of JSON: each is an object of some 60 bytes


class Record(NamedTuple):
    """The bytes of one record, or why there are none (`reason`, `detail`; then `data` is what can be shown).

    `kind`: record; file for what cannot be read of a file; skipped for what is no story by its nature (a picture in a web
    archive) and is only counted, by `reason`. `charset`: the one declared beside the bytes, or seen in the file before them.
    """

    place: str
    form: str
    data: bytes
    sha256: str | None
    kind: str = "record"
    reason: str | None = None
    detail: str | None = None
    url: str | None = None
    charset: str | None = None


class UnreadableError(Exception):
    """The rest of a file that cannot be read; `reason` is the term for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


def whole(place: str, form: str, data: bytes, url: str | None = None, charset: str | None = None) -> Record:
    """A record that was read to its end."""
    return Record(place, form, data, hashlib.sha256(data).hexdigest(), url=url, charset=charset)


def too_large(place: str, head: bytes, stream: _Stream, max_bytes: int, to_line_end: bool) -> Record:
    """Reads on to the end of the line or stream, keeping only the hash."""
    digest, size = hashlib.sha256(head), len(head)
    step = 1 << 20
    while chunk := (stream.readline(step) if to_line_end else stream.read(step)):
        digest.update(chunk)
        size += len(chunk)
        if to_line_end and chunk.endswith(b"\n"):
            break
    detail = f"{size:,} bytes; at most {max_bytes:,} are read (ingest.max_record_bytes)"
    return Record(place, "text", head[:HEAD_BYTES], digest.hexdigest(), "record", "too_large", detail)
