"""Split raw files into records, streamed: no whole file in memory, unless it is one record."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from tasks.ingest.decode import BOMS, NotTextError, decode, decode_as, detected
from tasks.ingest.record import HEAD_BYTES, MOST_VALUES, Record, UnreadableError, too_large, whole
from tasks.ingest.walk import RawFile

if TYPE_CHECKING:
    import zstandard

BUFFER_BYTES = 1 << 16
CHARSET_BYTES = 4096  # at the head of a file, in which its charset is looked for
ZSTD_STEP = 1024  # bytes unpacked at a time: 33 MB at the worst
DICTIONARY_FRAME = (0x184D2A5D).to_bytes(4, "little")
MOST_DICTIONARY = 1 << 24  # bytes
MOST_NESTED = 200  # no story needs more levels of JSON; Python's own parser ends near 1,000
MOST_UNPACKED = 1 << 30  # bytes that any file may unpack to
MOST_RATIO = 200  # and beyond that, so many times its own size: text packs 3 to 20 times, logs and repeated pages up to 100
MOST_COLUMNS = 10_000  # of a table; pyarrow holds some KB for each
MOST_CELLS = 1_000_000  # of a row of CSV
BATCH_ROWS, BATCH_BYTES = 256, 1 << 28  # of a Parquet file that are held as Python objects at a time


class Source:
    """A raw file on its way through a reader: unpacked, and hashed as it passes, so that it is read once.

    `sha256`: of the file's own bytes, known when the reader has ended; None when they cannot be read.
    """

    def __init__(self, file: RawFile) -> None:
        self.file = file
        self.sha256: str | None = None

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The unpacked bytes, front to back. What the reader leaves is read at the end, for the hash.

        Raises:
            UnreadableError: the file cannot be opened, or what is read from it turns out to be damaged.
        """
        import zstandard

        try:
            with io.FileIO(self.file.path, opener=_regular) as raw:
                passing = _Hashed(raw)
                try:
                    yield _unpacked(io.BufferedReader(cast(Any, passing), BUFFER_BYTES), self.file.packing, passing)
                finally:
                    self.sha256 = passing.sha256()
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            raise UnreadableError("damaged_archive", f"{self.file.packing[1:]} data cannot be unpacked: {error}") from error
        except OSError as error:
            raise UnreadableError("unreadable", f"the file cannot be read: {error.strerror or error}") from error


def records(source: Source, max_bytes: int) -> Iterator[Record]:
    """The records of a file in order. What cannot be read comes last, as one record of kind `file`."""
    count = 0
    try:
        if source.file.fault:
            raise UnreadableError(*source.file.fault)
        held, most = 0, max(MOST_UNPACKED, MOST_RATIO * source.file.size)
        for record in _READERS[source.file.format](source, max_bytes):
            held += len(record.data)
            if held > most:
                raise UnreadableError("too_large", f"the records hold more than {most:,} bytes: {_BOMB}")
            count += record.kind != "skipped"
            yield record
        if not count:
            raise UnreadableError("empty", "the file holds no record")
    except Exception as error:  # noqa: BLE001 - a file that breaks a reader must not stop the others
        if not isinstance(error, UnreadableError):
            error = UnreadableError("reader_failed", f"{error.__class__.__name__}: {error}"[:300])
        rest = f"rest of the file, after {count} records" if count else "file"
        yield Record(rest, "none", b"", None, "file", error.reason, str(error))


_BOMB = f"more than 1 GB and {MOST_RATIO} times the size of the file is no text but a decompression bomb"


def _regular(path: str, flags: int) -> int:
    """Opens a file that is one: the opening of a FIFO would wait for ever, and a device has no end.

    Raises:
        OSError: it is something else by now, or cannot be opened.
    """
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


class _Hashed(io.RawIOBase):
    """The bytes of a file, hashed as they are read. `size`: how many so far."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw, self._digest, self.size = raw, hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = self._raw.readinto(buffer)
        self._digest.update(memoryview(buffer)[:size])
        self.size += size
        return size

    def sha256(self) -> str | None:
        """SHA-256 of the file, what was not read so far included; None when it cannot be read."""
        try:
            while data := self._raw.read(1 << 20):
                self._digest.update(data)
        except OSError:
            return None
        return self._digest.hexdigest()


def _unpacked(packed: io.BufferedReader, packing: str, passing: _Hashed) -> BinaryIO:
    if packing == ".gz":
        # buffers by itself: one more buffer loses the last good lines
        return cast(BinaryIO, _Unzip(fileobj=packed, passing=passing))
    if packing == ".zst":
        return cast(BinaryIO, io.BufferedReader(cast(Any, _Unzstd(packed, passing))))
    return packed


class _Unzip(gzip.GzipFile):
    """The unpacked bytes of gzip members, as long as they are no bomb."""

    def __init__(self, fileobj: io.BufferedReader, passing: _Hashed) -> None:
        super().__init__(fileobj=fileobj)
        self._passing, self._given = passing, 0

    def read(self, size: int | None = -1) -> bytes:
        return self._weighed(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._weighed(super().read1(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._weighed(super().readline(-1 if size is None else size))

    def _weighed(self, data: bytes) -> bytes:
        self._given += len(data)
        _refuse_bomb(self._given, self._passing.size)
        return data


def _refuse_bomb(unpacked: int, packed: int) -> None:
    if unpacked > MOST_UNPACKED and unpacked > MOST_RATIO * packed:
        raise UnreadableError("too_large", f"{packed:,} bytes unpack to more than {unpacked:,}: {_BOMB}")


class _Unzstd(io.RawIOBase):
    """The unpacked bytes of zstd frames. (zstandard's own stream_reader does not notice when the last frame is cut off.)"""

    def __init__(self, raw: io.BufferedReader, passing: _Hashed) -> None:
        import zstandard

        self._raw = raw
        self._unpackers = zstandard.ZstdDecompressor(dict_data=_dictionary(raw))
        self._passing, self._given = passing, 0
        self._frame, self._packed, self._rest = self._unpacker(), b"", memoryview(b"")
        self._within = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            self._packed = self._packed or self._raw.read(ZSTD_STEP)
            if not self._packed:
                if self._within:
                    raise EOFError("the file ends inside a frame")
                return 0
            self._rest = memoryview(self._frame.decompress(self._packed))
            self._given += len(self._rest)
            _refuse_bomb(self._given, self._passing.size)
            self._within, self._packed = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = self._unpacker()
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _unpacker(self) -> zstandard.ZstdDecompressionObj:
        return self._unpackers.decompressobj()


def _dictionary(raw: io.BufferedReader) -> zstandard.ZstdCompressionDict | None:
    """The dictionary of a .warc.zst: a first frame to skip, with the dictionary packed or not (https://iipc.github.io/warc-specifications/)."""
    import zstandard

    if raw.peek(4)[:4] != DICTIONARY_FRAME:
        return None
    head = raw.read(8)
    data = raw.read(min(int.from_bytes(head[4:], "little"), MOST_DICTIONARY))
    if data.startswith(zstandard.FRAME_HEADER):
        data = zstandard.ZstdDecompressor().stream_reader(data).read(MOST_DICTIONARY)
    return zstandard.ZstdCompressionDict(data)


def _whole(source: Source, max_bytes: int) -> Iterator[Record]:
    with source.opened() as stream:
        data = stream.read(min(BUFFER_BYTES, max_bytes + 1))  # room for a large record costs more than reading a small one
        if len(data) == BUFFER_BYTES:
            data += stream.read(max_bytes + 1 - len(data))
        if len(data) > max_bytes:
            yield too_large("file", data, stream, max_bytes, to_line_end=False)
        elif data:
            yield whole("file", source.file.format, data)


def _jsonl(source: Source, max_bytes: int) -> Iterator[Record]:
    with source.opened() as stream:
        lines = _utf8_lines(stream)
        charset = detected(_head(lines))
        number = 0
        while line := lines.readline(max_bytes + 1):
            number += 1
            if len(line) > max_bytes and not line.endswith(b"\n"):
                yield too_large(f"line {number}", line, lines, max_bytes, to_line_end=True)
            elif data := line.strip():
                yield whole(f"line {number}", "json", data, charset=charset)


def _head(stream: IO[bytes]) -> bytes:
    """What the stream holds ready, up to 4 KB: enough to see a charset that the single lines may be too short for."""
    return cast(io.BufferedReader, stream).peek(CHARSET_BYTES)[:CHARSET_BYTES]


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


def _json(source: Source, max_bytes: int) -> Iterator[Record]:
    """Objects of a list, or objects one after the other."""
    import ijson

    with source.opened() as stream:
        metered = _Metered(_utf8_lines(stream), max_bytes)
        try:
            for number, (listed, value) in enumerate(_values(metered)):
                metered.spent = 0
                place = f"record {number}" if listed or number else "file"
                yield whole(place, "json", json.dumps(value).encode())
        except (ijson.JSONError, ValueError, OverflowError) as error:  # Python reads no number of more than 4,300 digits
            raise UnreadableError("malformed_json", f"not JSON from here on: {error}"[:300]) from error


def _values(source: _Metered) -> Iterator[tuple[bool, Any]]:
    """Each value of the stream, or each item of its lists: (is it of a list, value).

    ijson.items does the same, but takes time that grows with the square of the depth, and has no bound on it.
    """
    import ijson

    depth = base = values = 0
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
        values += 1
        if depth > MOST_NESTED:
            raise UnreadableError("malformed_json", f"nested more than {MOST_NESTED} deep")
        if values > MOST_VALUES:
            raise UnreadableError("too_large", f"a record of more than {MOST_VALUES:,} values")
        if depth == base:
            yield bool(base), builder.value
            builder, values = None, 0


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


def _csv(source: Source, max_bytes: int) -> Iterator[Record]:
    """Rows as JSON objects by the header's names.

    Bytes are read as Latin-1, which loses nothing, so that each row is decoded by itself.
    """
    csv.field_size_limit(max_bytes)
    with source.opened() as stream:
        charset = _marked(stream)
        wide = charset in ("utf-16", "utf-32")
        legacy = None if wide else detected(_head(stream))
        text = io.TextIOWrapper(stream, encoding=charset if wide else "latin-1", errors="replace", newline="")

        def cells(row: list[str]) -> list[str]:
            return row if wide else [decode_as(cell.encode("latin-1"), legacy) for cell in row]

        first = text.readline(max_bytes)
        if not first.strip():
            return
        delimiter = max(",;\t|", key=first.count)
        header = _header(first, delimiter, cells)
        lines = _CsvLines(text, max_bytes, delimiter)
        rows = csv.reader(lines, delimiter=delimiter)
        number = 0
        while True:
            number += 1
            lines.spent, lines.head, lines.fault = 0, "", None
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                why = lines.fault or ("malformed_row", str(error))
                data = lines.head.encode("utf-8" if wide else "latin-1", "replace")
                yield Record(f"row {number}", "text", data, hashlib.sha256(data).hexdigest(), "record", *why)
                continue
            if not row:
                continue
            try:
                if len(row) != len(header):
                    raise UnreadableError("malformed_row", f"{len(row)} cells, the header has {len(header)}")
                yield whole(f"row {number}", "json", json.dumps(dict(zip(header, cells(row), strict=True))).encode())
            except (UnreadableError, NotTextError) as error:
                data = delimiter.join(row).encode("utf-8" if wide else "latin-1", "replace")
                digest = hashlib.sha256(data).hexdigest()
                yield Record(f"row {number}", "text", data[:HEAD_BYTES], digest, "record", error.reason, str(error))


def _header(line: str, delimiter: str, cells: Callable[[list[str]], list[str]]) -> list[str]:
    """The names of the columns.

    Raises:
        UnreadableError: there are none that can be read, so that no row can be.
    """
    if line.count(delimiter) >= MOST_COLUMNS:
        raise UnreadableError("too_large", f"a header of more than {MOST_COLUMNS:,} columns")
    try:
        return cells(next(csv.reader([line], delimiter=delimiter)))
    except NotTextError as error:
        raise UnreadableError(error.reason, f"the header: {error}") from error
    except csv.Error as error:
        raise UnreadableError("malformed_row", f"the header: {error}") from error


class _CsvLines:
    """Lines of a CSV file for its reader, none longer than a record may be; a row that would be is an error and its lines are passed over.

    `spent`: characters since this was set to 0; `head`: how they begin; `fault`: reason and detail of a row that is refused.
    """

    def __init__(self, text: io.TextIOWrapper, most: int, delimiter: str) -> None:
        self._text, self._most, self._delimiter = text, most, delimiter
        self.spent, self.head = 0, ""
        self.fault: tuple[str, str] | None = None

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._most + 1)
        if not line:
            raise StopIteration
        self.spent += len(line)
        self.head = self.head or line[:HEAD_BYTES]
        if self.spent > self._most or line.count(self._delimiter) > MOST_CELLS:
            while len(line) > self._most and not line.endswith("\n"):  # the rest of this line
                rest = self._text.readline(1 << 20)
                self.spent += len(rest)
                line = "" if rest.endswith("\n") or not rest else line
            self.fault = ("too_large", f"{self.spent:,} bytes; at most {self._most:,} are read (ingest.max_record_bytes)")
            if self.spent <= self._most:
                self.fault = ("malformed_row", f"more than {MOST_CELLS:,} cells")
            raise csv.Error(self.fault[1])
        return line


def _parquet(source: Source, max_bytes: int) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    encode = json.JSONEncoder(default=_plain).encode
    with source.opened() as stream, _seekable(source, stream) as file:
        try:
            number = 0
            table = pq.ParquetFile(file, buffer_size=BUFFER_BYTES)
            for batch in table.iter_batches(batch_size=_batch_rows(table.metadata, source.file.size)):
                names = batch.schema.names
                for row in zip(*map(_cells, batch.columns), strict=True):
                    data = encode(dict(zip(names, row, strict=True))).encode()
                    if len(data) > max_bytes:
                        yield too_large(f"row {number}", data, io.BytesIO(), max_bytes, to_line_end=False)
                    else:
                        yield whole(f"row {number}", "json", data)
                    number += 1
        except (
            pa.ArrowException,
            OSError,
            ValueError,
            OverflowError,
        ) as error:  # ValueError: names and values that are not UTF-8, or no dates
            raise UnreadableError("damaged_parquet", f"not readable as Parquet: {error}"[:300]) from error


def _cells(column: Any) -> list[Any]:
    """The values of a column; of a column of texts that are not all UTF-8 their bytes."""
    import pyarrow as pa

    try:
        return cast(list[Any], column.to_pylist())
    except UnicodeDecodeError:
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            raise
        return cast(list[Any], column.cast(pa.large_binary()).to_pylist())


def _batch_rows(metadata: Any, size: int) -> int:
    """How many rows to hold at a time: fewer where one long value may stand in each of them and in the file only once (a dictionary).

    Raises:
        UnreadableError: the table has columns without end, or its footer says that it unpacks to a bomb.
    """
    if metadata.num_columns > MOST_COLUMNS:
        raise UnreadableError("too_large", f"{metadata.num_columns:,} columns; at most {MOST_COLUMNS:,} are read")
    longest = 1
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for number in range(metadata.num_columns):
            column = row_group.column(number)
            unpacked, packed = column.total_uncompressed_size, max(1, column.total_compressed_size)
            if unpacked > max(MOST_UNPACKED, MOST_RATIO * size):
                raise UnreadableError("too_large", f"a column of {size:,} bytes unpacks to {unpacked:,}: {_BOMB}")
            if column.has_dictionary_page and column.dictionary_page_offset:
                # what the dictionary may unpack to; writers end it at 1 MB, or after the value that goes beyond
                page = max(0, column.data_page_offset - column.dictionary_page_offset)
                longest = max(longest, min(unpacked, 4 * page * max(1, unpacked // packed)))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // longest))


def _seekable(source: Source, stream: BinaryIO) -> IO[bytes]:
    """The file itself or, when it is packed, what is in it."""
    if not source.file.packing:
        return Path(source.file.path).open("rb")
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        shutil.copyfileobj(stream, unpacked, 1 << 20)
    except BaseException:
        unpacked.close()
        raise
    return cast(IO[bytes], unpacked)


def _warc(source: Source, max_bytes: int) -> Iterator[Record]:
    from tasks.ingest.warc import pages

    with source.opened() as stream:
        yield from pages(stream, max_bytes)


def _plain(value: Any) -> Any:
    """Values that JSON does not have, as text: times in ISO 8601, bytes decoded (binary ones as Latin-1, which loses nothing)."""
    if isinstance(value, bytes):
        try:
            return decode(value) if value else ""
        except NotTextError:
            return value.decode("latin-1")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


_READERS: dict[str, Callable[[Source, int], Iterator[Record]]] = {
    "text": _whole,
    "html": _whole,
    "jsonl": _jsonl,
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "warc": _warc,
}
