"""Web archives: which records are stories, what the server packed, broken and hostile files. All pages are invented."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import brotli
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ingest import ingested

from tasks import ingest
from tasks.ingest.read import Source, records
from tasks.ingest.record import Record
from tasks.ingest.warc import unchunked

PAGE = """<html lang="pl"><head><title>Wagon w Lipnicy</title></head><body><nav><a href="/">Start</a></nav><article><h1>Wagon w Lipnicy</h1>
<p>W\u0119drowny wagon wr\u00f3ci\u0142 w poniedzia\u0142ek do Lipnicy, gdzie mieszka\u0144cy czekali na niego od wczesnego rana, mimo deszczu.</p>
<p>Biblioteka na torach b\u0119dzie czynna trzy dni, a potem ruszy dalej na po\u0142udnie, do nast\u0119pnego miasteczka na trasie.</p></article></body></html>"""
STORY = "W\u0119drowny wagon wr\u00f3ci\u0142"
BODY = PAGE.encode()


def warc(
    kind: str,
    block: bytes,
    media: str = "application/http; msgtype=response",
    url: str | None = "https://www.lipnica.example/wagon",
    **more: str,
) -> bytes:
    """One WARC record."""
    head = {"WARC-Type": kind, "WARC-Date": "2026-01-02T03:04:05Z", "WARC-Record-ID": "<urn:uuid:00000000-0000-4000-8000-000000000000>"}
    head |= ({"WARC-Target-URI": url} if url else {}) | {"Content-Type": media, "Content-Length": str(len(block))} | more
    return b"WARC/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n" + block + b"\r\n\r\n"


def http(body: bytes = BODY, media: str = "text/html; charset=utf-8", status: str = "200 OK", **more: str) -> bytes:
    """A response of a server."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in {"Content-Type": media, **more}.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def chunked(body: bytes) -> bytes:
    return (
        b"".join(b"%x;note=1\r\n%s\r\n" % (len(body[at : at + 100]), body[at : at + 100]) for at in range(0, len(body), 100)) + b"0\r\n\r\n"
    )


def page(**more: str) -> bytes:
    return warc("response", http(**more))  # type: ignore[arg-type]


GOOD = page()
PACKINGS: dict[str, Callable[[Iterable[bytes]], bytes]] = {
    "a.warc": b"".join,
    "a.warc.gz": lambda parts: b"".join(gzip.compress(part) for part in parts),
    "b.warc.gz": lambda parts: gzip.compress(b"".join(parts)),
    "a.warc.zst": lambda parts: b"".join(zstandard.compress(part) for part in parts),
    "b.warc.zst": lambda parts: zstandard.compress(b"".join(parts)),
}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def read(raw: Path, data: bytes, name: str = "a.warc", most: int = 1_000_000) -> list[Record]:
    (raw / name).write_bytes(data)
    found = ingest.raw_file(raw / name, raw)
    assert found
    return list(records(Source(found), most))


def outcomes(found: Iterable[Record]) -> list[str]:
    return [f"{record.kind} {record.reason or record.form}" for record in found]


@pytest.mark.parametrize("name", PACKINGS)
def test_a_page_is_a_record_and_the_rest_is_counted(raw: Path, name: str) -> None:
    parts = [
        warc("warcinfo", b"software: none\r\n", "application/warc-fields", None),
        warc("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request"),
        GOOD,
        warc("metadata", b"via: nowhere\r\n", "application/warc-fields"),
        warc("response", http(b"\xff\xd8 no story", "image/jpeg")),
        warc("response", http(status="301 Moved")),
        warc("response", http(), url="https://www.lipnica.example/robots.txt"),
        warc("revisit", http()),
        GOOD,
    ]
    (raw / name).write_bytes(PACKINGS[name](parts))
    rows = ingested(raw)
    assert [(row["raw_id"], row["place"], row["url"], row["source"], row["language"], row["title"]) for row in rows] == [
        (f"{name[0]}#{number}", place, "https://www.lipnica.example/wagon", "lipnica.example", "pl", "Wagon w Lipnicy")
        for number, place in enumerate(["record 2", "record 8"])
    ]
    assert all(STORY in row["text"] and row["published_at"] is None for row in rows)  # the time of the capture is not the story's
    ledger = pq.read_table(raw.parent / "store-raw" / "ledger").to_pylist()[0]
    assert {skipped["why"]: skipped["records"] for skipped in ledger["skipped"]} == dict.fromkeys(
        ["warcinfo", "request", "metadata", "image media", "status 301", "robots.txt", "revisit"], 1
    )


def test_a_file_without_stories_is_one_record(raw: Path) -> None:
    (raw / "a.warc").write_bytes(warc("request", b"GET / HTTP/1.1\r\n\r\n", "application/http; msgtype=request") * 3)
    assert [(row["kind"], row["reason"]) for row in ingested(raw)] == [("file", "empty")]


def test_resources_and_conversions(raw: Path) -> None:
    found = read(
        raw,
        warc("resource", BODY, "text/html")
        + warc("conversion", STORY.encode(), "text/plain; charset=utf-8")
        + warc("resource", b"x", "image/png"),
    )
    assert outcomes(found) == ["record html", "record text", "skipped image media"]
    assert (found[1].charset, found[1].url) == ("utf-8", "https://www.lipnica.example/wagon")
    rows = ingested(raw)
    assert (rows[1]["text"], rows[1]["url"], rows[1]["source"]) == (STORY, "https://www.lipnica.example/wagon", "lipnica.example")


CODINGS: dict[str, tuple[bytes, dict[str, str]]] = {
    "none": (BODY, {}),
    "gzip": (gzip.compress(BODY), {"Content_Encoding": "gzip"}),
    "x-gzip": (gzip.compress(BODY), {"Content_Encoding": "X-GZIP"}),
    "deflate": (zlib.compress(BODY), {"Content_Encoding": "deflate"}),
    "deflate without a head": (zlib.compress(BODY, wbits=-15), {"Content_Encoding": "deflate"}),
    "brotli": (brotli.compress(BODY), {"Content_Encoding": "br"}),
    "zstd": (zstandard.compress(BODY), {"Content_Encoding": "zstd"}),
    "two, one on the other": (brotli.compress(gzip.compress(BODY)), {"Content_Encoding": "gzip, br"}),
    "chunks": (chunked(BODY), {"Transfer_Encoding": "chunked"}),
    "chunks of gzip": (chunked(gzip.compress(BODY)), {"Transfer_Encoding": "chunked", "Content_Encoding": "gzip"}),
    "gzip, but the crawler unpacked it": (BODY, {"Content_Encoding": "gzip"}),
    "brotli, but the crawler unpacked it": (BODY, {"Content_Encoding": "br"}),
    "chunks, but the crawler joined them": (BODY, {"Transfer_Encoding": "chunked"}),
    "a charset for a coding": (BODY, {"Content_Encoding": "UTF-8"}),
}


@pytest.mark.parametrize("name", CODINGS)
def test_what_the_server_packed(raw: Path, name: str) -> None:
    body, head = CODINGS[name]
    found = read(raw, warc("response", http(body, **head)) + GOOD)
    assert [record.data for record in found] == [BODY, BODY]
    assert found[0].sha256 == found[1].sha256


@pytest.mark.parametrize("charset", ["iso-8859-2", "windows-1250", "utf-8"])
@pytest.mark.parametrize("declared", ["iso-8859-2", "windows-1250", "utf-8", "iso-8859-1", None])
def test_the_charset_of_the_header_and_of_the_page_at_odds(raw: Path, charset: str, declared: str | None) -> None:
    text = PAGE.replace("<head>", f'<head><meta charset="{charset}">').replace(
        "</article>", "<p>\u015aroda: wagon ko\u0144czy postoje i jedzie do \u0179r\u00f3de\u0142.</p></article>"
    )
    (raw / "a.warc").write_bytes(
        warc("response", http(text.encode(charset), f"text/html; charset={declared}" if declared else "text/html"))
    )
    assert STORY in ingested(raw)[0]["text"]


DAMAGED: dict[str, tuple[bytes, list[str]]] = {
    "cut off in a page": (GOOD + GOOD[:-200], ["record html", "file damaged_archive"]),
    "cut off in the headers of HTTP": (GOOD + GOOD[:310], ["record html", "file damaged_archive"]),
    "cut off in the headers": (GOOD + GOOD[:60], ["record html", "file malformed_warc"]),
    "cut off in a record to skip": (GOOD + warc("metadata", b"x" * 500)[:-100], ["record html", "file damaged_archive"]),
    "without its last line ends": (GOOD + GOOD[:-4], ["record html", "record html"]),
    "rubbish between": (GOOD + b"rubbish\r\n" + GOOD, ["record html", "file malformed_warc"]),
    "rubbish": (b"no archive at all\r\n" * 100, ["file malformed_warc"]),
    "no length": (GOOD + GOOD.replace(b"Content-Length", b"X-Length"), ["record html", "file malformed_warc"]),
    "a length below zero": (GOOD + warc("response", http(), **{"Content-Length": "-5"}), ["record html", "file malformed_warc"]),
    "a length beyond the file": (
        GOOD + warc("metadata", b"", **{"Content-Length": "9" * 15}) + GOOD,
        ["record html", "file damaged_archive"],
    ),
    "headers without an end": (
        GOOD + warc("response", http(X="y" * 100_000)) + GOOD,
        ["record html", "skipped HTTP headers that cannot be read", "record html"],
    ),
    "no HTTP at all": (warc("response", b"hello") + GOOD, ["skipped status None", "record html"]),
    "packed content cut off": (
        warc("response", http(gzip.compress(BODY)[:-30], Content_Encoding="gzip")) + GOOD,
        ["record damaged_payload", "record html"],
    ),
    "packed content damaged": (
        warc("response", http(gzip.compress(BODY)[:30] + b"x" * 90, Content_Encoding="gzip")) + GOOD,
        ["record damaged_payload", "record html"],
    ),
    "brotli cut off": (
        warc("response", http(brotli.compress(BODY)[:-30], Content_Encoding="br")) + GOOD,
        ["record damaged_payload", "record html"],
    ),
    "empty page": (warc("response", http(b"")) + GOOD, ["record html", "record html"]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_archives_keep_what_can_be_read(raw: Path, name: str) -> None:
    data, expected = DAMAGED[name]
    assert outcomes(read(raw, data)) == expected
    assert all(row["detail"] for row in ingested(raw) if row["reason"])


@pytest.mark.parametrize("name", ["a.warc.gz", "b.warc.gz", "a.warc.zst"])
def test_a_packed_archive_that_breaks_off(raw: Path, name: str) -> None:
    many = [warc("response", http(PAGE.replace("Lipnicy", f"Lipnicy {number}").encode())) for number in range(300)]
    found = read(raw, PACKINGS[name](many)[:-100], name)
    assert [record.kind for record in found] == ["record"] * (len(found) - 1) + ["file"]
    assert found[-1].reason == "damaged_archive"
    assert len(found) > 250


BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_a_record_that_is_too_large(raw: Path, coding: str) -> None:
    bomb = warc("response", http(BOMBS[coding](b"x" * 30_000_000), Content_Encoding=coding))
    found = read(raw, bomb + GOOD, most=10_000)
    assert outcomes(found) == ["record too_large", "record html"]
    assert len(found[0].data) <= 10_000


def test_a_page_over_the_limit(raw: Path) -> None:
    found = read(raw, warc("response", http(b"x" * 50_000)) + GOOD, most=10_000)
    assert outcomes(found) == ["record too_large", "record html"]


def test_an_address_is_only_text(raw: Path) -> None:
    (raw / "a.warc").write_bytes(warc("response", http(), url="<../../etc/passwd \x00 x>") + warc("response", http(), url="http://[bad"))
    assert [(row["url"], row["source"]) for row in ingested(raw)] == [("../../etc/passwd x", None), ("http://[bad", None)]


@pytest.mark.parametrize("packed", [False, True])
def test_zstd_with_a_dictionary(raw: Path, packed: bool) -> None:
    many = [warc("response", http(PAGE.replace("Lipnicy", f"Lipnicy {number}").encode())) for number in range(200)]
    learnt = zstandard.train_dictionary(4_000, [*many])
    frame = zstandard.compress(learnt.as_bytes()) if packed else learnt.as_bytes()
    packer = zstandard.ZstdCompressor(dict_data=learnt)
    data = struct.pack("<II", 0x184D2A5D, len(frame)) + frame + b"".join(packer.compress(part) for part in many)
    assert outcomes(read(raw, data, "a.warc.zst")) == ["record html"] * 200


def test_a_zst_file_that_breaks_off_is_noticed(raw: Path) -> None:
    (raw / "a.jsonl.zst").write_bytes(zstandard.compress(b'{"text": "One."}\n') + zstandard.compress(b'{"text": "Two."}\n')[:-5])
    assert [row["reason"] for row in ingested(raw)] == [None, "damaged_archive"]


@given(st.binary(max_size=300))
def test_chunks_of_any_bytes(body: bytes) -> None:
    assert unchunked(chunked(body)) == body
    unchunked(body)


@given(st.data())
@settings(deadline=None)
def test_any_damage_is_an_outcome(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    whole = bytearray(GOOD + warc("request", b"GET / HTTP/1.1\r\n\r\n", "application/http") + page(Content_Encoding="gzip"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 40))] = data.draw(
            st.sampled_from([b"", b"\r\n", b"\0", b"\xff\xff", b"WARC/1.0\r\n", b"9" * 20, b":"])
        )
    found = read(tmp_path_factory.mktemp("raw"), bytes(whole))
    assert found
    assert "reader_failed" not in [record.reason for record in found]
