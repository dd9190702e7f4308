"""Hostile input, invented here: texts, pages and files that are made to be slow, large or dangerous; for the bench and for the tests.

Each is made by size, so that a test takes a small one and the bench the largest that ingest lets through.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SENTENCE = "Dock workers in the port of Lowmoor voted on Monday to end their strike after ten days, and the ferries sail again. "
MOJIBAKE = "Die BrÃ¼cke Ã¼ber die MÃ¼hle gehÃ¶rt den FuÃŸgÃ¤ngern â€“ sagt der BÃ¼rgermeister. "
"""UTF-8 read as Windows-1252."""


def repeated(piece: str) -> Callable[[int], str]:
    return lambda size: (piece * (size // len(piece) + 1))[:size]


def _random(alphabet: str, seed: int = 1) -> Callable[[int], str]:
    return lambda size: "".join(random.Random(seed).choices(alphabet, k=size))  # noqa: S311  # must be repeatable, not secret


def _lines(width: int, words: str = SENTENCE) -> Callable[[int], str]:
    def made(size: int) -> str:
        text = repeated(words.replace("\n", " "))(size)
        return "\n".join(text[at : at + width] for at in range(0, size, width + 1))

    return made


ANY_SIGN = "".join(
    map(
        chr,
        [*range(9, 14), *range(32, 0x530), *range(0x900, 0x980), *range(0x2000, 0x2070), *range(0x4E00, 0x4E40), 0xFB01, 0xFEFF, 0x1F600],
    )
)
TEXTS: dict[str, Callable[[int], str]] = {
    "sentences, one line": repeated(SENTENCE),
    "sentences, a line each": repeated(SENTENCE + "\n"),
    "hard-wrapped lines": _lines(90),
    "one word": repeated("ferry "),
    "one letter": repeated("a"),
    "one letter a line": repeated("a\n"),
    "two letters a line": repeated("ab\n"),
    "digits": repeated("1234567890"),
    "numbers": repeated("12 345 "),
    "grouped numbers": repeated("1,234,567.89 "),
    "full stops": repeated("."),
    "sentences of a letter": repeated("A. "),
    "spaces inside": lambda size: "a" + " " * (size - 2) + "b",
    "tabs and no-break spaces": repeated("a\t\xa0\u3000 "),
    "quotation marks": repeated("\"“”«»„‘’'"),
    "opened quotations": repeated("“Yes "),
    "brackets": repeated("("),
    "brackets in words": repeated("a (b "),
    "hyphens": repeated("a-"),
    "dashes": repeated(" – "),
    "commas": repeated("a, "),
    "ampersands": repeated("&"),
    "entities": repeated("&eacute;&amp;amp;&#x41;"),
    "half entities": repeated("&aaaaaaaaaaaaaaaaaaaaaaaa"),
    "at signs": repeated("a@"),
    "addresses": repeated("https://lowmoor.example/a?b=c&d "),
    "dates": repeated("1 May 2024, 10:30 "),
    "dates, a line each": repeated("1 May 2024, 10:30\n"),
    "numeric dates, a line each": repeated("01/02/2024 10:30\n"),
    "dates behind prose": lambda size: SENTENCE * 20 + "\n" + repeated("1 May 2024, 10:30\n")(size - 20 * len(SENTENCE) - 1),
    "dates beside prose": repeated(SENTENCE + "\n1 May 2024, 10:30\n"),
    "bylines": repeated("By Ana Example\n"),
    "bylines beside prose": repeated(SENTENCE + "\nBy Ana Example and Bo Sample, Harbour Correspondent\n"),
    "datelines": repeated("LOWMOOR, May 1 (Baltic Wire) - "),
    "closing agencies": repeated("(dpa)\n"),
    "related": repeated("Related stories\nFerry strike ends\n"),
    "related beside prose": repeated(SENTENCE + "\nRelated stories\n"),
    "related and prose without a stop": repeated(SENTENCE + "\nRelated stories\nFerry strike\n"),
    "comments beside prose": repeated(SENTENCE + "\nComments\n"),
    "menu": repeated("Home\nNews\nSport\nWeather\n"),
    "menu and prose": repeated("Home\nNews\n" + SENTENCE + "\nShare this article\n"),
    "mojibake, one line": repeated(MOJIBAKE),
    "mojibake, a line each": repeated(MOJIBAKE + "\n"),
    "mojibake, short lines": repeated("MÃ¼hle\n"),
    "mojibake twice": repeated(MOJIBAKE.encode().decode("cp1252", "replace")),
    "mojibake without spaces": repeated("Ã¼"),
    "leads without continuation": repeated("Ã"),
    "leads and spaces": repeated("Ã "),
    "leads, a line each": repeated("Ã ├ Г\n"),
    "chains": repeated("ÃƒÂ"),
    "boxes": repeated("├┬ "),
    "Cyrillic leads": repeated("Гј "),
    "Cyrillic leads, lines of windows": repeated("Гј Ñ‚ Р° ├¼ " * 45 + "\n"),
    "C1 controls": repeated("a\x92"),
    "C1 controls alone": repeated("\x81\x8d\x8f"),
    "replacement characters": repeated("\ufffd a"),
    "zero width alone": repeated("\u200b"),
    "zero width between letters": repeated("a\u200b"),
    "zero width beside spaces": repeated("\u200b \u200d "),
    "soft hyphens": repeated("fer\xadry "),
    "bidi overrides": repeated("\u202eabc\u202c \u2067def\u2069"),
    "Zalgo": repeated("e" + "\u0301\u0316\u0489" * 20),
    "one deep character": lambda size: "e" + "\u0301" * (size - 1),
    "decomposed": repeated("e\u0301a\u0308 "),
    "ligatures": repeated("ﬁﬂﬀ ĳ "),
    "full width": repeated("Ｆｅｒｒｙ　１２ "),
    "homoglyphs": repeated("f\u0435rry \u0430nd sh\u0456p "),
    "Han": repeated("記者小林報道"),
    "Han sentences": repeated("渡船又晚点了。\n"),
    "Kana": repeated("フェリーはまた遅れた。"),
    "Thai": repeated("เรือข้ามฟากมาสาย"),
    "Hangul": repeated("홍길동 기자 "),
    "Arabic": repeated("العبارة تأخرت مرة أخرى. "),
    "emoji": repeated("👩‍👩‍👧‍👦🏽"),
    "line separators": repeated("ab\u2028cd\u0085"),
    "carriage returns": repeated("Ferry strike ends\r"),
    "any signs": _random(ANY_SIGN),
    "any ASCII": _random("".join(map(chr, range(32, 127))) + "\n"),
    "any letters": _random("abcdefghij \n"),
    "long words": repeated("a" * 9_999 + " "),
    "capitals": repeated("FERRY "),
    "names": repeated("Ana Example Bo Sample "),
    "half a tag": repeated("<a "),
    "tags in text": repeated("<b>ferry</b> "),
}
"""Texts of so many code points."""


PARAGRAPH = f"<p>{SENTENCE}</p>"
PAGES: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda size: f"<html><body><article>{repeated(PARAGRAPH)(size)}</article></body></html>",
    "empty elements": repeated("<p>x"),
    "small boxes": lambda size: "<html><body>" + repeated('<div class="a b c">x</div>')(size),
    "nested boxes": lambda size: "<html><body>" + "<div>" * (size // 11) + SENTENCE + "</div>" * (size // 11),
    "100,000 nested boxes": lambda size: "<div>" * min(100_000, size // 6) + PARAGRAPH * 5,
    "nested inline": lambda size: "<html><body><p>" + "<b>" * (size // 3) + SENTENCE,
    "25,000 nested inline": lambda size: "<html><body><p>" + "<b>" * min(25_000, size // 3) + SENTENCE + "</b>" * 10,
    "25,000 nested spans": lambda size: PARAGRAPH * 5 + "<span>" * min(25_000, size // 6) + SENTENCE,
    "400 nested lists": lambda size: PARAGRAPH * 5 + "<ul><li>" * 240 + repeated("<li>" + SENTENCE)(size // 2),
    "nested tables": lambda size: "<html><body>" + repeated("<table><tr><td>")(size),
    "nested links": lambda size: "<html><body>" + repeated("<a href=x>y")(size),
    "nested fonts": lambda size: "<html><body>" + repeated("<font><i><font>")(size // 8) + PARAGRAPH * 5,
    "misnested": lambda size: "<html><body>" + repeated("<b><p><i></b></p>x")(size),
    "gigantic attribute": lambda size: f'<html><body><p class="{repeated("related ")(size)}">{SENTENCE}</p>{PARAGRAPH * 5}',
    "many attributes": lambda size: "<html><body><p " + " ".join(f"a{n}=b" for n in range(size // 10)) + f">{SENTENCE}</p>{PARAGRAPH * 5}",
    "unclosed attribute": lambda size: '<html><body><p class="' + repeated("a <p> b ")(size),
    "unclosed scripts": repeated("<script>"),
    "half scripts": repeated("<script "),
    "half scripts in XHTML": lambda size: "<!-- xhtml -->" + repeated("<script ")(size),
    "unclosed comment": lambda size: PARAGRAPH * 5 + "<!--" + repeated("a - ")(size),
    "comments": lambda size: PARAGRAPH * 5 + repeated("<!-- a -->")(size),
    "half comments": repeated("<!-"),
    "less than": repeated("<"),
    "less than, letter": repeated("<a"),
    "half closing": repeated("</"),
    "half instructions": repeated("<?"),
    "declarations": repeated("<!DOCTYPE "),
    "entities": lambda size: "<p>" + repeated("&eacute;&amp;&#x41;")(size),
    "half entities": lambda size: "<p>" + repeated("&aaaa")(size),
    "breaks": lambda size: "<html><body><div>" + repeated("ab<br>")(size),
    "images": lambda size: PARAGRAPH * 5 + repeated('<img src="a.png">')(size),
    "embedded picture": lambda size: PARAGRAPH * 5 + f'<img src="data:image/png;base64,{repeated("iVBORw0KGgo")(size)}">',
    "links": lambda size: PARAGRAPH * 5 + repeated("<a href=x>Ferry strike ends</a> ")(size),
    "list": lambda size: PARAGRAPH * 5 + "<ul>" + repeated("<li>Ferry")(size),
    "headings": lambda size: PARAGRAPH * 5 + repeated("<h2>Ferry</h2>")(size),
    "times": lambda size: PARAGRAPH * 5 + repeated("<time datetime=x>1 May 2024</time>")(size),
    "metas": lambda size: repeated('<meta name=author content="Ana Example">')(size) + PARAGRAPH * 5,
    "titles": lambda size: f"<title>{repeated('Ferry - ')(size)}</title>{PARAGRAPH * 5}",
    "dashes in the title": lambda size: f"<title>{repeated(' -')(size)}</title>{PARAGRAPH * 5}",
    "author": lambda size: f'<meta name=author content="{repeated("Ana and ")(size)}">{PARAGRAPH * 5}',
    "address": lambda size: f'<link rel=canonical href="https://lowmoor.example/{repeated("2024/")(size)}">{PARAGRAPH * 5}',
    "JSON-LD deep": lambda size: f'<script type="application/ld+json">{"[" * (size // 2)}</script>{PARAGRAPH * 5}',
    "JSON-LD of quotes": lambda size: f'<script type="application/ld+json">{repeated(chr(34))(size)}</script>{PARAGRAPH * 5}',
    "JSON-LD of comments": lambda size: f'<script type="application/ld+json">{repeated("/*")(size)}</script>{PARAGRAPH * 5}',
    "JSON-LD of commas": lambda size: f'<script type="application/ld+json">[1{repeated(", ")(size)}]</script>{PARAGRAPH * 5}',
    "JSON-LD of dates": lambda size: (
        f'<script type="application/ld+json">{repeated(chr(34) + "datePublished" + chr(34) + " ")(size)}</script>{PARAGRAPH * 5}'
    ),
    "JSON-LD body of tags": lambda size: (
        '<script type="application/ld+json">' + json.dumps({"@type": "Article", "articleBody": "<" * size}) + f"</script>{PARAGRAPH * 5}"
    ),
    "JSON-LD body of entities": lambda size: (
        '<script type="application/ld+json">'
        + json.dumps({"@type": "Article", "articleBody": repeated("&a")(size)})
        + f"</script>{PARAGRAPH * 5}"
    ),
    "JSON-LD objects": lambda size: (
        '<script type="application/ld+json">'
        + json.dumps([{"@type": "Article", "author": {"name": "Ana Example"}}] * (size // 60))
        + f"</script>{PARAGRAPH * 5}"
    ),
    "JSON-LD authors": lambda size: (
        '<script type="application/ld+json">'
        + json.dumps({"@type": "NewsArticle", "headline": "Ferry", "author": [{"name": f"Ana Example{n}"} for n in range(size // 25)]})
        + f"</script>{PARAGRAPH * 5}"
    ),
    "JSON-LD large number": lambda size: f'<script type="application/ld+json">{{"a": {"1" * size}}}</script>{PARAGRAPH * 5}',
    "data of many strings": lambda size: (
        '<script type="application/json">' + json.dumps([f"{n} {SENTENCE}" for n in range(size // 130)]) + "</script>"
    ),
    "data deep": lambda size: f'<script type="application/json">{"[" * size}</script>',
    "assigned data": lambda size: f"<script>{'a' * size}</script>" + PARAGRAPH * 5,
    "noscripts": repeated(f"<noscript><p>{SENTENCE}</p></noscript>"),
    "svg": repeated("<svg><path d=x>"),
    "selects": repeated("<select><option>a"),
    "forms": repeated("<form><input>"),
    "frames": repeated("<frameset><frame>"),
    "math": repeated("<math><mi>"),
    "plaintext": lambda size: PARAGRAPH * 5 + "<plaintext>" + repeated("<p>a")(size),
    "classes": lambda size: "<html><body>" + "".join(f"<p class='n{n} related{n}'>x" for n in range(size // 28)),
    "ids": lambda size: "<html><body>" + "".join(f"<p id=i{n}>x" for n in range(size // 14)),
    "dates in prose": lambda size: "<html><body>" + repeated("<p>On 1 May 2024 and 02/03/2024 the ferry sailed.</p>")(size),
    "digits": lambda size: "<html><body><p>" + repeated("20240501")(size),
    "one word": lambda size: "<html><body><p>" + repeated("a")(size),
    "feed, nearly": lambda size: "<?xml version='1'?>" + repeated("<!-- -->")(size) + PARAGRAPH * 5,
    "white space": lambda size: " " * size + PARAGRAPH * 5,
    "xml bomb": lambda size: (
        '<!DOCTYPE a [<!ENTITY a "'
        + "ha" * 50
        + '"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        + "".join(f'<!ENTITY c{n} "{"&c" + str(n - 1) + ";" if n else "&b;"}{"&b;" * 9}">' for n in range(9))
        + f"]><html><body><p>&c8;&a;</p>{PARAGRAPH * 5}"[:size]
    ),
    "external entity": lambda size: (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><html><body><p>&x;</p>' + repeated(PARAGRAPH)(min(size, 2000))
    ),
}
"""Pages of about so many characters."""


def _jsonl(line: bytes) -> Callable[[Path, int], None]:
    """A good record, the line, a good record."""
    return lambda path, _: _write(path, b"\n".join([GOOD, line, GOOD]) + b"\n")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def bomb_gz(path: Path, size: int) -> None:
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(size >> 20):
            stream.write(b"a" * (1 << 20))


def bomb_zst(path: Path, size: int) -> None:
    """RLE blocks, as the format has them: 4 bytes of file for 128 KB."""
    block = struct.pack("<I", (1 << 17) << 3 | 1 << 1)[:3] + b"a"
    with path.open("wb") as stream:
        stream.write(b"\x28\xb5\x2f\xfd\x00\x38" + block * (size >> 17))


def _warc_member(size: int) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://lowmoor.example/\r\nContent-Type: application/http; msgtype=response\r\nContent-Length: {size}\r\n\r\n"
    return head.encode()


def _warc_large(path: Path, size: int) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
    with path.open("wb") as stream:
        stream.write(_warc_member(size) + body)
        stream.seek(size - len(body), 1)
        stream.write(b"\r\n\r\n")


def _parquet_dictionary(path: Path, size: int) -> None:
    """One value of a twentieth of the size, a thousand times: once in the file."""
    value = pa.array(["a" * (size // 20)], pa.string())
    pq.write_table(pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), value)}), path, compression="zstd")


def _parquet_columns(path: Path, size: int) -> None:
    pq.write_table(pa.table({f"c{n}": [1] for n in range(size)}), path)


def _parquet_lying(path: Path, size: int) -> None:
    """A footer that says the text is elsewhere and longer."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [SENTENCE * 20] * 50}), sink, compression="none", use_dictionary=False)
    data = bytearray(sink.getvalue())
    footer = int.from_bytes(data[-8:-4], "little")
    chance = random.Random(size)  # noqa: S311  # must be repeatable, not secret
    for _ in range(12):
        data[len(data) - 8 - chance.randrange(footer)] = chance.randrange(256)
    path.write_bytes(data)


GOOD = json.dumps({"id": "good", "text": SENTENCE * 3}).encode()
FILES: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "a line of 10 MB": ("a.jsonl", lambda path, _: _write(path, b"\n".join([GOOD, b"x" * 10_000_000, GOOD]))),
    "a line over the limit": ("a.jsonl", lambda path, size: _write(path, b"\n".join([GOOD, b"x" * (size + 1), GOOD]))),
    "a record at the limit, text": (
        "a.jsonl",
        lambda path, size: _write(path, json.dumps({"text": repeated(SENTENCE)(size - 20)}).encode()),
    ),
    "a record at the limit, page": ("a.html", lambda path, size: _write(path, PAGES["small boxes"](size - 50).encode())),
    "a record at the limit, paragraphs": ("a.html", lambda path, size: _write(path, PAGES["paragraphs"](size - 100).encode())),
    "a record at the limit, empty lists": (
        "a.jsonl",
        lambda path, size: _write(path, b'{"text": "a", "b": [' + b"[]," * (size // 3 - 20) + b"1]}"),
    ),
    "a record at the limit, numbers": (
        "a.jsonl",
        lambda path, size: _write(path, b'{"text": "a", "b": [' + b"9," * (size // 2 - 20) + b"1]}"),
    ),
    "a record at the limit, keys": (
        "a.jsonl",
        lambda path, size: _write(path, b'{"text": "a"' + b"".join(b',"%d":1' % n for n in range(size // 12)) + b"}"),
    ),
    "a list at the limit, empty lists": (
        "a.json",
        lambda path, size: _write(path, b'[{"text": "a", "b": [' + b"[]," * (size // 3 - 20) + b"1]}]"),
    ),
    "random bytes at the limit": ("a.txt", lambda path, size: _write(path, random.Random(1).randbytes(size - 1))),  # noqa: S311
    "high bytes at the limit": ("a.txt", lambda path, size: _write(path, bytes(range(0x80, 0x100)) * (size // 128))),
    "high bytes and line ends at the limit": ("a.txt", lambda path, size: _write(path, b"\xe9\xc3\n\xe4\xbc a>" * (size // 8))),
    "a C1 page at the limit": ("a.html", lambda path, size: _write(path, b"<p>\x81\x9d<p>" * (size // 8))),
    "UTF-16 without a mark at the limit": ("a.txt", lambda path, size: _write(path, repeated(SENTENCE)(size // 2 - 1).encode("utf-16-le"))),
    "UTF-32 at the limit": ("a.txt", lambda path, size: _write(path, repeated(SENTENCE)(size // 4 - 4).encode("utf-32"))),
    "tildes": ("a.txt", lambda path, size: _write(path, b"~{" * (size // 2 - 1))),
    "escapes": ("a.txt", lambda path, size: _write(path, b"\x1b$B" * (size // 3 - 1))),
    "blank lines": ("a.jsonl", lambda path, size: _write(path, b"\n" * size)),
    "10 million lines": ("a.jsonl", lambda path, size: _write(path, b"".join(b"%d\n" % n for n in range(size // 5)))),
    "huge integer": ("a.jsonl", _jsonl(b'{"text": "a", "id": ' + b"9" * 100_000 + b"}")),
    "huge integer in a list": (
        "a.json",
        lambda path, _: _write(path, b"[" + GOOD + b',{"text": "a", "n": ' + b"9" * 100_000 + b"}," + GOOD + b"]"),
    ),
    "huge exponent": ("a.jsonl", _jsonl(b'{"text": "a", "published_at": 1e999999999}')),
    "huge date": ("a.jsonl", _jsonl(b'{"text": "a", "published_at": ' + b"9" * 4_000 + b"}")),
    "NaN": ("a.jsonl", _jsonl(b'{"text": NaN, "published_at": NaN, "id": NaN, "title": Infinity}')),
    "lone surrogates": (
        "a.jsonl",
        _jsonl(
            b'{"id": "\\ud800", "text": "Ferry \\udfff ends \\ud800\\udc00", "title": "\\ud800", "url": "http://\\udc00/", "\\ud800": 1}'
        ),
    ),
    "duplicate keys": ("a.jsonl", _jsonl(b'{"text": "a", "text": "Ferry.", "text": 1, "text": "Last."}')),
    "deep lists": ("a.jsonl", _jsonl(b"[" * 100_000 + b"]" * 100_000)),
    "lists as deep as Python goes": ("a.jsonl", lambda path, _: _write(path, b"\n".join(b"[" * n + b"]" * n for n in range(900, 1_100)))),
    "deep objects": ("a.json", lambda path, _: _write(path, b'{"a":' * 100_000)),
    "no value": ("a.json", lambda path, _: _write(path, b"[" + b"," * 1000)),
    "UTF-16 lines": ("a.jsonl", lambda path, _: _write(path, "\n".join([GOOD.decode()] * 3).encode("utf-16"))),
    "UTF-32 lines": ("a.jsonl", lambda path, _: _write(path, "\n".join([GOOD.decode()] * 3).encode("utf-32"))),
    "UTF-16 cut": ("a.jsonl", lambda path, _: _write(path, "\n".join([GOOD.decode()] * 3).encode("utf-16")[:-1])),
    "marks of order only": ("a.jsonl", lambda path, _: _write(path, b"\xff\xfe")),
    "mark of order in the middle": ("a.jsonl", lambda path, _: _write(path, GOOD + b"\n\xef\xbb\xbf" + GOOD + b"\n")),
    "CSV, unterminated quote": ("a.csv", lambda path, size: _write(path, b'id,text\n1,"' + (b"x" * 1_999 + b"\n") * (size // 1_000))),
    "CSV, one line": ("a.csv", lambda path, size: _write(path, b"id,text\n" + b"x" * (2 * size) + b"\n1,Ferry.\n")),
    "CSV, many cells": ("a.csv", lambda path, size: _write(path, b"id,text\n" + b"," * (size - 1) + b"\n1,Ferry.\n")),
    "CSV, many columns": ("a.csv", lambda path, size: _write(path, b",".join(b"c%d" % n for n in range(size // 100)) + b"\n1,Ferry.\n")),
    "CSV, header without end": ("a.csv", lambda path, size: _write(path, b"a," * size)),
    "CSV, NUL": ("a.csv", lambda path, _: _write(path, b"id,text\n1,Fer\0ry\n2,Ferry.\n")),
    "CSV, one column twice": ("a.csv", lambda path, _: _write(path, b"text,text\nFerry.,Strike.\n")),
    "gz bomb, text": ("a.txt.gz", lambda path, size: bomb_gz(path, 80 * size)),
    "gz bomb, lines": ("a.jsonl.gz", lambda path, size: bomb_gz(path, 80 * size)),
    "gz bomb, CSV": ("a.csv.gz", lambda path, size: bomb_gz(path, 80 * size)),
    "gz bomb, JSON": ("a.json.gz", lambda path, size: bomb_gz(path, 80 * size)),
    "gz bomb, Parquet": ("a.parquet.gz", lambda path, size: bomb_gz(path, 80 * size)),
    "zst bomb, text": ("a.txt.zst", lambda path, size: bomb_zst(path, 2_000 * size)),
    "zst bomb, lines": ("a.jsonl.zst", lambda path, size: bomb_zst(path, 2_000 * size)),
    "zst bomb, WARC": ("a.warc.zst", lambda path, size: bomb_zst(path, 2_000 * size)),
    "zst bomb, Parquet": ("a.parquet.zst", lambda path, size: bomb_zst(path, 2_000 * size)),
    "gz in gz": ("a.txt.gz", lambda path, _: _write(path, gzip.compress(gzip.compress(b"a" * 100_000_000)))),
    "gz with rubbish behind": ("a.jsonl.gz", lambda path, _: _write(path, gzip.compress(GOOD + b"\n") + b"rubbish")),
    "gz of empty members": ("a.jsonl.gz", lambda path, size: _write(path, gzip.compress(b"") * (size // 25))),
    "zst of empty frames": ("a.jsonl.zst", lambda path, size: _write(path, zstandard.compress(b"") * (size // 25))),
    "WARC, a member of 2 GB": ("a.warc", lambda path, size: _warc_large(path, 40 * size)),
    "WARC, endless header": ("a.warc", lambda path, size: _write(path, b"WARC/1.0\r\n" + b"A: " + b"x" * size)),
    "WARC, many headers": ("a.warc", lambda path, size: _write(path, b"WARC/1.0\r\n" + b"A: b\r\n" * (size // 6))),
    "WARC, many empty records": ("a.warc", lambda path, size: _write(path, (_warc_member(0) + b"\r\n\r\n") * (size // 500))),
    "WARC, chunks of one byte": (
        "a.warc",
        lambda path, size: _write(
            path,
            _warc_member(64 + size // 6 * 6)
            + b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"[:64].ljust(64)
            + b"1\r\na\r\n" * (size // 6)
            + b"\r\n\r\n",
        ),
    ),
    "Parquet, one long value a thousand times": ("a.parquet", _parquet_dictionary),
    "Parquet, many columns": ("a.parquet", lambda path, size: _parquet_columns(path, size // 500)),
    "Parquet, lying footer": ("a.parquet", _parquet_lying),
    "Parquet, half": ("a.parquet", lambda path, _: _write(path, b"PAR1" + b"x" * 1000 + b"\xff\xff\xff\x7fPAR1")),
    "a name with signs": ("a#1%\n\x1b[31m\u202e.txt", lambda path, _: _write(path, SENTENCE.encode())),
}
"""Files as (name, what writes one); the size is the limit of a record."""
