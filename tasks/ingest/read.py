"""Split raw files into records, streamed: no whole file in memory, unless it is one record."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from tasks.ingest.decode import BOMS, NotTextError, decode
from tasks.ingest.walk import RawFile

HEAD_BYTES = 10_000  # what the quarantine shows of a record that is too large
MOST_NESTED = 200  # no story needs more levels of JSON; Python's own parser ends near 1,000


@dataclass(frozen=True)
class Record:
    """The bytes of one record, or why there are none (`reason`, `detail`; then `data` is what can be shown)."""

    place: str
    form: str
    data: bytes
    sha256: str | None
    kind: str = "record"
    reason: str | None = None
    detail: str | None = None


class UnreadableError(Exception):
    """The rest of a file that cannot be read; `reason` is the term for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def records(file: RawFile, max_bytes: int) -> Iterator[Record]:
    """The records of a file in order. What cannot be read comes last, as one record of kind `file`."""
    count = 0
    try:
        if file.fault:
            raise UnreadableError(*file.fault)
        for record in _READERS[file.format](file, max_bytes):
            count += 1
            yield record
        if not count:
            raise UnreadableError("empty", "the file holds no record")
    except Exception as error:  # noqa: BLE001 - a file that breaks a reader must not stop the others
        if not isinstance(error, UnreadableError):
            error = UnreadableError("reader_failed", f"{error.__class__.__name__}: {error}"[:300])
        rest = f"rest of the file, after {count} records" if count else "file"
        yield Record(rest, "none", b"", None, "file", error.reason, str(error))


def file_sha256(path: str) -> str | None:
    """SHA-256 of a file, None when it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def _record(place: str, form: str, data: bytes) -> Record:
    return Record(place, form, data, hashlib.sha256(data).hexdigest())


@contextmanager
def _opened(file: RawFile) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file.

    Raises:
        UnreadableError: the file cannot be opened, or what is read from it turns out to be damaged.
    """
    import zstandard

    try:
        with Path(file.path).open("rb") as raw:
            if file.packing == ".gz":
                yield cast(BinaryIO, gzip.GzipFile(fileobj=raw))  # buffers by itself: one more buffer loses the last good lines
            elif file.packing == ".zst":
                yield cast(BinaryIO, io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)))
            else:
                yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        raise UnreadableError("damaged_archive", f"{file.packing[1:]} data cannot be unpacked: {error}") from error
    except OSError as error:
        raise UnreadableError("unreadable", f"the file cannot be read: {error.strerror or error}") from error


def _whole(file: RawFile, max_bytes: int) -> Iterator[Record]:
    with _opened(file) as stream:
        data = stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            yield _too_large("file", data, stream, max_bytes, to_line_end=False)
        elif data:
            yield _record("file", file.format, data)


def _too_large(place: str, head: bytes, stream: IO[bytes], max_bytes: int, to_line_end: bool) -> Record:
    """Reads on to the end of the line or file, keeping only the hash."""
    digest, size = hashlib.sha256(head), len(head)
    step = 1 << 20
    while chunk := (stream.readline(step) if to_line_end else stream.read(step)):
        digest.update(chunk)
        size += len(chunk)
        if to_line_end and chunk.endswith(b"\n"):
            break
    detail = f"{size:,} bytes; at most {max_bytes:,} are read (ingest.max_record_bytes)"
    return Record(place, "text", head[:HEAD_BYTES], digest.hexdigest(), "record", "too_large", detail)


def _jsonl(file: RawFile, max_bytes: int) -> Iterator[Record]:
    with _opened(file) as stream:
        lines = _utf8_lines(stream)
        number = 0
        while line := lines.readline(max_bytes + 1):
            number += 1
            place = f"line {number}"
            if len(line) > max_bytes and not line.endswith(b"\n"):
                yield _too_large(place, line, lines, max_bytes, to_line_end=True)
            elif data := line.strip():
                yield _record(place, "json", data)


def _utf8_lines(stream: BinaryIO) -> IO[bytes]:
    """The stream itself or, when it starts with the byte order mark of UTF-16 or UTF-32, the same recoded to UTF-8."""
    charset = _marked(stream)
    if charset in ("utf-16", "utf-32"):
        import codecs

        return cast(IO[bytes], io.BufferedReader(cast(Any, _Recoded(codecs.getreader(charset)(stream, "replace")))))
    return stream


class _Recoded(io.RawIOBase):
    """A stream of UTF-8 bytes over a stream of text."""

    def __init__(self, text: Any) -> None:
        self._text, self._rest = text, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = self._text.read(1 << 16).encode("utf-8", "replace")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _marked(stream: BinaryIO) -> str | None:
    """The charset of the stream's byte order mark; a UTF-8 mark is skipped."""
    head = cast(io.BufferedReader, stream).peek(4)[:4]
    for mark, charset in BOMS:
        if head.startswith(mark):
            if charset == "utf-8-sig":
                stream.read(len(mark))
            return charset
    return None


def _json(file: RawFile, max_bytes: int) -> Iterator[Record]:
    """Objects of a list, or objects one after the other."""
    import ijson

    with _opened(file) as stream:
        source = _Metered(_utf8_lines(stream), max_bytes)
        try:
            for number, (listed, value) in enumerate(_values(source)):
                source.spent = 0
                place = f"record {number}" if listed or number else "file"
                yield _record(place, "json", json.dumps(value).encode())
        except (ijson.JSONError, UnicodeDecodeError) as error:
            raise UnreadableError("malformed_json", f"not JSON from here on: {error}"[:300]) from error


def _values(source: _Metered) -> Iterator[tuple[bool, Any]]:
    """Each value of the stream, or each item of its lists: (is it of a list, value).

    ijson.items does the same, but takes time that grows with the square of the depth, and has no bound on it.
    """
    import ijson

    depth = base = 0
    builder = None
    for event, value in ijson.basic_parse(source, use_float=True, multiple_values=True):
        if builder is None and depth == 0:
            base = int(event == "start_array")
        if builder is None and event in ("start_array", "end_array") and (depth == 0 or event == "end_array"):
            depth = int(event == "start_array")  # the list itself begins or ends
            continue
        builder = builder or ijson.ObjectBuilder()
        builder.event(event, value)
        depth += (event in ("start_map", "start_array")) - (event in ("end_map", "end_array"))
        if depth > MOST_NESTED:
            raise UnreadableError("malformed_json", f"nested more than {MOST_NESTED} deep")
        if depth == base:
            yield bool(base), builder.value
            builder = None


class _Metered:
    """A stream that refuses to go on when a record takes more than its bytes."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._most, self.spent = stream, most, 0

    def read(self, size: int = -1) -> bytes:
        if size == 0:  # how ijson asks whether the stream gives bytes
            return b""
        data = self._stream.read(size)
        self.spent += len(data)
        if self.spent > self._most + (1 << 16):
            raise UnreadableError("too_large", f"a record of more than {self._most:,} bytes (ingest.max_record_bytes)")
        return data


def _csv(file: RawFile, max_bytes: int) -> Iterator[Record]:
    """Rows as JSON objects by the header's names.

    Bytes are read as Latin-1, which loses nothing, so that each row is decoded by itself.
    """
    csv.field_size_limit(max_bytes)
    with _opened(file) as stream:
        charset = _marked(stream)
        wide = charset in ("utf-16", "utf-32")
        text = io.TextIOWrapper(stream, encoding=charset if wide else "latin-1", errors="replace", newline="")

        def cells(row: list[str]) -> list[str]:
            return row if wide else [decode(cell.encode("latin-1")) for cell in row]

        first = text.readline(max_bytes)
        if not first.strip():
            return
        delimiter = max(",;\t|", key=first.count)
        header = cells(next(csv.reader([first], delimiter=delimiter)))
        rows = csv.reader(text, delimiter=delimiter)
        number = 0
        while True:
            number += 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Record(f"row {number}", "none", b"", None, "record", "malformed_row", str(error))
                continue
            if not row:
                continue
            try:
                if len(row) != len(header):
                    raise UnreadableError("malformed_row", f"{len(row)} cells, the header has {len(header)}")
                yield _record(f"row {number}", "json", json.dumps(dict(zip(header, cells(row), strict=True))).encode())
            except (UnreadableError, NotTextError) as error:
                data = delimiter.join(row).encode("utf-8" if wide else "latin-1", "replace")
                digest = hashlib.sha256(data).hexdigest()
                yield Record(f"row {number}", "text", data[:HEAD_BYTES], digest, "record", error.reason, str(error))


def _parquet(file: RawFile, max_bytes: int) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(file) as stream, tempfile.TemporaryFile() as unpacked:
        if file.packing:
            shutil.copyfileobj(stream, unpacked)
        try:
            number = 0
            for batch in pq.ParquetFile(cast(Any, unpacked if file.packing else stream)).iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    data = json.dumps(row, default=_plain).encode()
                    if len(data) > max_bytes:
                        yield _too_large(f"row {number}", data, io.BytesIO(), max_bytes, to_line_end=False)
                    else:
                        yield _record(f"row {number}", "json", data)
                    number += 1
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError("damaged_parquet", f"not readable as Parquet: {error}"[:300]) from error


def _plain(value: Any) -> Any:
    """Values that JSON does not have, as text: times in ISO 8601, bytes decoded (binary ones as Latin-1, which loses nothing)."""
    if isinstance(value, bytes):
        try:
            return decode(value) if value else ""
        except NotTextError:
            return value.decode("latin-1")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_READERS: dict[str, Callable[[RawFile, int], Iterator[Record]]] = {
    "text": _whole,
    "html": _whole,
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
}
