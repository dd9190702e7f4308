"""The pages of a web archive (WARC, ISO 28500), by fastwarc.

fastwarc finds the records and reads their headers. What the server had packed is unpacked here: with its own `auto_decode`
fastwarc 2.0.1 ends in silence after the first gzip-encoded page, fails on chunks with extensions, and has no bound on what
comes out. A record that is cut off it gives as if it were whole; so every length is compared.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from tasks.ingest.record import Record, UnreadableError, too_large, whole

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

_PAGES = {"text/html": "html", "application/xhtml+xml": "html"}
_DOCUMENTS = _PAGES | {"text/plain": "text"}  # of resource and conversion records: what an archivist put in, or took out of pages
_MEDIA = frozenset({"application", "audio", "font", "image", "text", "video"})
_CONTENT_TYPE = re.compile(r"""\s*([\w.+-]+/[\w.+-]+)?(?:.{0,200}?\bcharset\s*=\s*["']?([\w.:-]{1,40}))?""", re.IGNORECASE | re.DOTALL)
MOST_CHUNKS = 1_000_000  # of a page; servers send some KB in each
_CHUNK = re.compile(rb"\s{0,4}([0-9A-Fa-f]{1,8})[ \t]{0,9}(?:;[^\n]{0,1000})?\r?\n")


class _PackedError(ValueError):
    """A payload that cannot be unpacked; `reason` is the term for the quarantine."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def pages(stream: BinaryIO, max_bytes: int) -> Iterator[Record]:
    """A record for each page that was answered with status 200, as the server meant it: chunks joined, codings undone.

    Everything else is skipped by its nature: requests, metadata, revisits, redirects, errors, robots.txt, other media types.

    Raises:
        UnreadableError: after the last good record, when what follows is no WARC or is cut off.
    """
    from fastwarc.warc import ArchiveIterator

    source = _Source(stream)
    try:
        for number, found in enumerate(ArchiveIterator(source, parse_http=False, stream_detect=False)):
            place = f"record {number}"
            if not (found.headers.get("Content-Length") or "").strip().isdecimal():
                raise UnreadableError("malformed_warc", f"{place} does not say how long it is")
            record = _record(found, place, max_bytes)
            found.reader.consume()
            if found.reader.tell() < found.content_length:
                raise source.failure or UnreadableError("damaged_archive", f"the file ends inside {place}")
            yield record
    except OSError as error:
        raise source.failure or UnreadableError("malformed_warc", f"not WARC from here on: {error}"[:300]) from error
    if source.failure:
        raise source.failure


def _record(found: WarcRecord, place: str, max_bytes: int) -> Record:
    kind, documents, content = str(found.record_type), _DOCUMENTS, found.headers.get("Content-Type")
    status: int | None = 200
    if kind == "response" and found.is_http:
        try:
            found.parse_http(quirks_mode=True, strict_mode=False)
        except OSError:
            return _skipped(place, "HTTP headers that cannot be read")
        status, documents = found.http_headers.status_code, _PAGES
        content = found.http_headers.get("Content-Type") or found.headers.get("WARC-Identified-Payload-Type")
    matched = _CONTENT_TYPE.match(content or "")
    media, charset = ((matched[1] or "").lower(), matched[2]) if matched else ("", None)
    url = " ".join((found.headers.get("WARC-Target-URI") or "").replace("\0", "").strip("<> ").split()) or None
    if kind not in ("response", "resource", "conversion"):
        return _skipped(place, kind)
    if status != 200:
        return _skipped(place, f"status {status}")
    if _is_robots(url):
        return _skipped(place, "robots.txt")
    if media not in documents:
        group = media.split("/")[0]
        return _skipped(place, f"{group if group in _MEDIA else 'other'} media")
    return _payload(found, place, documents[media], url, charset, max_bytes)


def _payload(found: WarcRecord, place: str, form: str, url: str | None, charset: str | None, max_bytes: int) -> Record:
    data = found.reader.read(max_bytes + 1)
    if len(data) > max_bytes:
        return too_large(place, data, found.reader, max_bytes, to_line_end=False)
    if not found.is_http_parsed:
        return whole(place, form, data, url, charset)
    transfer, content = (found.http_headers.get(name) or "" for name in ("Transfer-Encoding", "Content-Encoding"))
    packed = data
    try:
        if "chunked" in transfer.lower():
            data = unchunked(data)
        for coding in reversed(content.lower().split(",")):
            data = unpacked(data, coding.strip(), max_bytes)
    except _PackedError as error:
        return Record(place, "none", b"", hashlib.sha256(packed).hexdigest(), "record", error.reason, str(error))
    return whole(place, form, data, url, charset)


def unchunked(data: bytes) -> bytes:
    """The chunks of a body joined (RFC 9112, 7.1); a body that is in no chunks, as many crawlers store it, is left as it is.

    Raises:
        _PackedError: it has more than MOST_CHUNKS.
    """
    parts, at = list[bytes](), 0
    while (head := _CHUNK.match(data, at)) and (size := int(head[1], 16)):
        if len(parts) == MOST_CHUNKS:
            raise _PackedError("damaged_payload", f"more than {MOST_CHUNKS:,} chunks")
        parts.append(data[head.end() : head.end() + size])
        at = head.end() + size
    return b"".join(parts) + (b"" if head else data[at:])


def unpacked(data: bytes, coding: str, most: int) -> bytes:
    """A body without its content coding (RFC 9110, 8.4.1); one that is not coded at all, whatever the header says, is left as it is.

    Raises:
        _PackedError: it breaks off, is damaged, or is larger than `most` bytes.
    """
    import brotli
    import zstandard

    try:
        if coding in ("gzip", "x-gzip") and data.startswith(b"\x1f\x8b"):
            text, ended = _inflated(data, 31, most)
        elif coding == "deflate":
            text, ended = _inflated(data, 15 if _has_zlib_head(data) else -15, most)
        elif coding == "br":
            text, ended = _from_brotli(data, most)
        elif coding == "zstd" and data.startswith(zstandard.FRAME_HEADER):
            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data, read_across_frames=True) as stream:
                text, ended = stream.read(most + 1), True
        else:
            return data
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        if coding in ("br", "deflate") and b"<" in data[:200]:
            return data
        raise _PackedError("damaged_payload", f"{coding} content cannot be unpacked: {error}"[:300]) from error
    if len(text) > most:
        raise _PackedError("too_large", f"more than {most:,} bytes of {coding} content (ingest.max_record_bytes)")
    if not ended:
        raise _PackedError("damaged_payload", f"{coding} content breaks off after {len(text):,} bytes")
    return text


def _inflated(data: bytes, window: int, most: int) -> tuple[bytes, bool]:
    inflater = zlib.decompressobj(window)
    return inflater.decompress(data, most + 1), inflater.eof


def _has_zlib_head(data: bytes) -> bool:
    """RFC 1950; many servers send deflate without it."""
    return len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0


def _from_brotli(data: bytes, most: int) -> tuple[bytes, bool]:
    import brotli

    unpacker = brotli.Decompressor()
    text = unpacker.process(data, output_buffer_limit=most + 1)
    while len(text) <= most and not unpacker.can_accept_more_data():
        text += unpacker.process(b"", output_buffer_limit=most + 1 - len(text))
    return text, unpacker.is_finished()


def _skipped(place: str, why: str) -> Record:
    return Record(place, "none", b"", None, "skipped", why)


def _is_robots(url: str | None) -> bool:
    try:
        return urlsplit(url or "").path == "/robots.txt"
    except ValueError:
        return False


class _Source:
    """A stream as fastwarc asks for it, front to back. An error of the stream ends it, and is kept in `failure`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read = cast(BufferedReader, stream).read1  # read() would lose the last good bytes
        self._at = 0
        self.failure: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            data = b"" if self.failure else self._read(size)
        except Exception as error:  # noqa: BLE001 - whatever the unpacking raises, for fastwarc would hide it
            self.failure, data = error, b""
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, *_: int) -> int:
        return self._at

    def close(self) -> None:
        """The stream belongs to the caller."""
