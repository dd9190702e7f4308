"""Ingest: every format and packing, ids, bad input; nothing is lost."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tasks import files, ingest, settings
from tasks.ingest.decode import NotTextError, decode
from tasks.ingest.parse import paragraphs
from tasks.schema import INGESTED

STORY = {
    "id": "a1",
    "text": "First paragraph.\n\nSecond — paragraph.",
    "title": "A title",
    "byline": "Ada Byrne",
    "source": "The Post",
    "url": "https://www.post.example/a",
    "published_at": "2025-05-01T10:00:00+02:00",
    "language": "EN_us",
}


def ingested(root: Path, **knobs: Any) -> list[dict[str, Any]]:
    """All rows that ingest gives for a folder, in the order of files and records."""
    store = root.parent / f"store-{root.name}"
    store.mkdir(exist_ok=True)
    found = ingest.walk(root)
    chosen = settings.Ingest(**knobs)
    ledger = pq.read_table(ingest.read_batch(found.files, store, store / "ledger", chosen.max_record_bytes, 1000, 10_000_000))
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(name for names in ledger["shards"].to_pylist() for name in names):
        table = ingest.parse(pq.read_table(store / name), chosen, dict.fromkeys(ledger["raw_uri"].to_pylist(), "present"))
        assert table.schema.equals(INGESTED, check_metadata=True)
        rows += table.to_pylist()
    assert sum(ledger["records"].to_pylist()) == len(rows)
    assert len({row["story_id"] for row in rows}) == len(rows)
    return rows


def hashes(root: Path) -> dict[str, str | None]:
    """The hash of each file as the ledger has it."""
    store = root.parent / "store-of-hashes"
    store.mkdir()
    ledger = pq.read_table(ingest.read_batch(ingest.walk(root).files, store, store / "ledger", 1_000_000, 1000, 10_000_000))
    return dict(zip(ledger["raw_uri"].to_pylist(), ledger["file_sha256"].to_pylist(), strict=True))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def as_csv(records: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(records[0]))
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()


def as_parquet(records: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), out)
    return out.getvalue()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "jsonl": lambda records: "\n".join(json.dumps(record) for record in records).encode(),
    "ndjson": lambda records: "\r\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode() + b"\r\n\r\n",
    "json": lambda records: json.dumps(records).encode(),
    "csv": as_csv,
    "parquet": as_parquet,
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_and_packing_gives_the_same_stories(raw: Path, form: str, packing: str) -> None:
    records = [STORY, STORY | {"id": "a2", "text": "Another, with \u4e2d\u6587 and\ntwo lines."}]
    (raw / f"feed.{form}{packing}").write_bytes(PACKINGS[packing](FORMATS[form](records)))
    rows = ingested(raw)
    assert [row["raw_id"] for row in rows] == ["a1", "a2"]
    assert [row["text"] for row in rows] == ["First paragraph.\nSecond — paragraph.", "Another, with \u4e2d\u6587 and\ntwo lines."]
    first = rows[0]
    assert (first["title"], first["byline"], first["source"], first["language"]) == ("A title", "Ada Byrne", "The Post", "en-US")
    assert first["published_at"].isoformat() == "2025-05-01T08:00:00+00:00"
    assert first["published_precision"] == "second"
    assert first["reason"] is None


def test_ids_and_uris(raw: Path) -> None:
    (raw / "desk one").mkdir()
    (raw / "desk one" / "übersicht\n1.txt").write_text("A story of one line.")
    (raw / "feed.jsonl.gz").write_bytes(gzip.compress(b'{"text": "No id."}\n{"text": "No id."}\n{"id": 7, "text": "An id."}'))
    (raw / "one.json").write_text('{"text": "One object."}')
    rows = {(row["raw_uri"], row["raw_id"]): row for row in ingested(raw)}
    assert list(rows) == [
        ("desk%20one/%C3%BCbersicht%0A1.txt", "übersicht\n1"),
        ("feed.jsonl.gz", "feed#0"),
        ("feed.jsonl.gz", "feed#1"),
        ("feed.jsonl.gz", "7"),
        ("one.json", "one"),
    ]
    assert rows["feed.jsonl.gz", "feed#0"]["raw_sha256"] == rows["feed.jsonl.gz", "feed#1"]["raw_sha256"]


def test_a_story_id_depends_on_its_file_alone(raw: Path) -> None:
    (raw / "b.txt").write_text("Story B.")
    alone = ingested(raw)
    (raw / "a.txt").write_text("Story A.")
    assert alone[0]["story_id"] == {row["raw_id"]: row["story_id"] for row in ingested(raw)}["b"]


BAD: dict[str, tuple[str, bytes, list[tuple[str | None, str]]]] = {
    # name: file name, bytes, (reason, kind) of each row that must come out
    "empty file": ("a.txt", b"", [("empty", "file")]),
    "blank file": ("a.txt", b" \n\n\t ", [("empty", "record")]),
    "NUL bytes": ("a.txt", b"A line\0 with NUL.\n", [("nul_bytes", "record")]),
    "binary": ("a.txt", bytes(range(256)) * 40, [("binary", "record")]),
    "NUL in JSON": ("a.jsonl", b'{"id": "x", "text": "A\\u0000b"}', [("nul_bytes", "record")]),
    "broken gzip": ("a.txt.gz", b"not gzip at all", [("damaged_archive", "file")]),
    "truncated gzip": (
        "a.jsonl.gz",
        gzip.compress(b'{"text": "Good."}\n' + b"x" * 90_000 + b"y" * 90_000)[:-40],
        [(None, "record"), ("damaged_archive", "file")],
    ),
    "broken zstd": ("a.jsonl.zst", b"\x28\xb5\x2f\xfdxxxxxxxx", [("damaged_archive", "file")]),
    "broken Parquet": ("a.parquet", b"PAR1 and no more", [("damaged_parquet", "file")]),
    "malformed line": (
        "a.jsonl",
        b'{"text": "One."}\n{"text": "Tw\n{"text": "Three."}',
        [(None, "record"), ("malformed_json", "record"), (None, "record")],
    ),
    "not an object": ("a.jsonl", b'["One."]\n"Two"\n3', [("wrong_type", "record")] * 3),
    "broken list": ("a.json", b'[{"text": "One."}, {"text": "Tw', [(None, "record"), ("malformed_json", "file")]),
    "nested list": ("a.json", b'[{"text": "One."}, ' + b'{"a":' * 5_000 + b"1", [(None, "record"), ("malformed_json", "file")]),
    "values of all kinds": (
        "a.json",
        b'{"text": "One."} [{"text": "Two."}, [1], 3] 4',
        [(None, "record")] * 2 + [("wrong_type", "record")] * 3,
    ),
    "empty list": ("a.json", b"[]", [("empty", "file")]),
    "no text": ("a.jsonl", b'{"id": "x", "body": "Here."}\n{"text": null}\n{"text": "  "}', [("no_text", "record")] * 3),
    "wrong types": (
        "a.jsonl",
        b'{"text": 5}\n{"text": "t", "title": ["x"]}\n{"text": "t", "id": {}}\n{"text": "t", "published_at": true}',
        [("wrong_type", "record")] * 4,
    ),
    "no story in the page": ("a.html", b"<html><script>var x = 1;</script></html>", [("no_story", "record")]),
    "ragged CSV": ("a.csv", b"id,text\n1,One.\n2,Two.,more\n3,Three.\n", [(None, "record"), ("malformed_row", "record"), (None, "record")]),
    "NUL in CSV": ("a.csv", b"id,text\n1,One.\n2,T\0wo.\n3,Three.\n", [(None, "record"), ("nul_bytes", "record"), (None, "record")]),
    "bytes in Parquet": (
        "a.parquet",
        as_parquet([{"text": b"One.", "photo": b"\xff\0"}, {"text": b"T\0wo", "photo": b""}]),
        [(None, "record"), ("nul_bytes", "record")],
    ),
    "CSV without text": ("a.csv", b"id,body\n1,One.\n", [("no_text", "record")]),
    "deep JSON": ("a.jsonl", b"[" * 100_000, [("malformed_json", "record")]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_becomes_rows_with_a_reason(raw: Path, name: str) -> None:
    file, data, expected = BAD[name]
    (raw / file).write_bytes(data)
    (raw / "good.txt").write_text("A good story beside it.")
    rows = ingested(raw)
    assert [(row["reason"], row["kind"]) for row in rows if row["raw_id"] != "good"] == expected
    assert all(row["detail"] and row["stage"] == "ingest" for row in rows if row["reason"])
    assert [row["text"] for row in rows if row["raw_id"] == "good"] == ["A good story beside it."]


def test_the_ledger_has_the_hash_of_every_file_read_or_not(raw: Path) -> None:
    """Taken from what the readers read, whole or not, packed or not."""
    story = json.dumps(STORY).encode() + b"\n"
    given = {file: data for file, data, _ in BAD.values()}
    given |= {f"{number}-{file}": data for number, (file, data, _) in enumerate(BAD.values())}
    given |= {f"feed.{form}{packing}": PACKINGS[packing](FORMATS[form]([STORY] * 3)) for form in FORMATS for packing in PACKINGS}
    given |= {f"long{packing}": PACKINGS[packing[6:]](story * 9_000) for packing in (".jsonl", ".jsonl.gz", ".jsonl.zst")}
    given |= {"large.txt": b"word " * 300_000, "trailing.jsonl.gz": gzip.compress(story) + b"\0" * 100_000 + b"rubbish" * 20_000}
    for name, data in given.items():
        (raw / name).write_bytes(data)
    (raw / "nowhere.txt").symlink_to(raw / "nothing")
    assert hashes(raw) == {name: hashlib.sha256(data).hexdigest() for name, data in given.items()} | {"nowhere.txt": None}


def test_rows_of_one_file_may_fill_many_shards(raw: Path, tmp_path: Path) -> None:
    (raw / "a.jsonl").write_text("\n".join(json.dumps({"text": f"Story {number % 50}."}) for number in range(500)))
    (raw / "b.txt").write_text("Story B.")
    (tmp_path / "store").mkdir()
    ledger = pq.read_table(
        ingest.read_batch(ingest.walk(raw).files, tmp_path / "store", tmp_path / "ledger", 10_000, 100, 2_000)
    ).to_pylist()
    assert [row["records"] for row in ledger] == [500, 1]
    assert len(ledger[0]["shards"]) > 5
    assert {name for row in ledger for name in row["shards"]} == {path.name for path in (tmp_path / "store").iterdir()}
    rows = [row for path in (tmp_path / "store").iterdir() for row in pq.read_table(path).to_pylist()]
    assert len({row["story_id"] for row in rows}) == 501
    assert sorted((int(row["place"].split()[1]), row["stem"]) for row in rows if row["raw_uri"] == "a.jsonl") == [
        (number + 1, f"a#{number}") for number in range(500)
    ]


def test_an_unusable_record_keeps_its_id_and_what_can_be_shown(raw: Path) -> None:
    (raw / "a.jsonl").write_bytes(b'{"id": "x", "text": "Shown.", "title": 5}\n{"id": "y", "text": "cut')
    rows = ingested(raw)
    assert [(row["raw_id"], row["text"]) for row in rows] == [("x", "Shown."), ("a#1", '{"id": "y", "text": "cut')]


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.csv", "a.json"])
def test_a_record_over_the_limit_is_never_held(raw: Path, name: str) -> None:
    long = b"x" * 300_000
    data = {
        "a.jsonl": b'{"text": "Before."}\n' + long + b'\n{"text": "After."}\n',
        "a.txt": long,
        "a.csv": b"text\nBefore.\n" + long + b"\nAfter.\n",
        "a.json": b'[{"text": "Before."}, {"text": "' + long + b'"}]',
    }[name]
    (raw / name).write_bytes(data)
    rows = ingested(raw, max_record_bytes=10_000)
    assert {"too_large", "malformed_row"} & {row["reason"] for row in rows}
    assert all(len(row["text"]) <= 10_000 for row in rows)
    if name in ("a.jsonl", "a.csv"):
        assert [row["text"] for row in rows if not row["reason"]] == ["Before.", "After."]


def test_links_hidden_files_and_loops(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("Outside.")
    (raw / "sub").mkdir()
    (raw / "sub" / "a.txt").write_text("Inside.")
    (raw / ".hidden.txt").write_text("Hidden.")
    (raw / "sub" / "loop").symlink_to(raw)
    (raw / "out.txt").symlink_to(tmp_path / "outside.txt")
    (raw / "gone.txt").symlink_to(raw / "nothing.txt")
    (raw / "notes.md").write_text("Not an input format.")
    found = ingest.walk(raw)
    assert found.skipped == {"hidden": 1, "link out of the root": 1, "other format": 1}
    assert {row["raw_uri"]: row["reason"] for row in ingested(raw)} == {
        "gone.txt": "broken_link",
        "sub/a.txt": None,
        "sub/loop": "link_loop",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(raw: Path) -> None:
    (raw / "a.txt").write_text("Secret.")
    (raw / "a.txt").chmod(0)
    assert [(row["reason"], row["kind"]) for row in ingested(raw)] == [("unreadable", "file")]


def test_columns_of_other_schemas(raw: Path) -> None:
    (raw / "a.jsonl").write_text('{"headline": "H", "body": "The body.", "uid": "u"}')
    rows = ingested(raw, columns={"text": ("text", "body"), "title": ("headline",), "id": ("uid",)})
    assert [(row["raw_id"], row["title"], row["text"]) for row in rows] == [("u", "H", "The body.")]


PAGE = """<html lang="pl"><head><meta charset="{charset}"><title>Tytu\u0142 strony</title>
<script type="application/ld+json">{{"@type": "NewsArticle", "datePublished": "2025-05-12T11:20:00+02:00"}}</script></head><body><nav><a href="/">Start</a></nav><article><h1>Tytu\u0142</h1>
<p>W\u0119drowny wagon wr\u00f3ci\u0142 w poniedzia\u0142ek do Lipnicy, gdzie mieszka\u0144cy czekali na niego od wczesnego rana, mimo deszczu.</p>
<p>Biblioteka na torach b\u0119dzie czynna trzy dni, a potem ruszy dalej na po\u0142udnie, do nast\u0119pnego miasteczka na trasie.</p></article></body></html>"""


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-2", "windows-1250"])
def test_pages_by_declared_charset(raw: Path, charset: str) -> None:
    (raw / "a.html").write_bytes(PAGE.format(charset=charset).encode(charset))
    row = ingested(raw)[0]
    assert "W\u0119drowny wagon wr\u00f3ci\u0142" in row["text"]
    assert "na po\u0142udnie" in row["text"]
    assert row["language"] == "pl"
    assert row["published_at"].isoformat() == "2025-05-12T09:20:00+00:00"


TEXT = (
    "Die B\u00fcrgermeisterin er\u00f6ffnete am Montag die Br\u00fccke \u00fcber den Flu\u00df. \u201eEs hat lange gedauert\u201c, sagte sie den G\u00e4sten. "
    * 5
)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_charsets_of_plain_text(charset: str) -> None:
    assert decode(TEXT.encode(charset)) == TEXT


def test_cyrillic_is_detected() -> None:
    text = (
        "\u0412 \u043f\u043e\u043d\u0435\u0434\u0435\u043b\u044c\u043d\u0438\u043a \u043c\u044d\u0440 \u043e\u0442\u043a\u0440\u044b\u043b\u0430 \u043c\u043e\u0441\u0442 \u0447\u0435\u0440\u0435\u0437 \u0440\u0435\u043a\u0443. "
        * 8
    )
    assert decode(text.encode("cp1251")) == text
    assert decode(text.encode("koi8-r")) == text


@given(st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(data: bytes) -> None:
    try:
        text = decode(data)
    except NotTextError as error:
        text = error.reason
    assert text or not data
    assert isinstance(text, str)


def test_hard_wrapped_text_is_joined() -> None:
    wrapped = (
        "HARBOUR TOWN - The council voted on Monday to close the old swing\n"
        "bridge for two years while engineers replace its bearings, which\n"
        "have not been greased since the last operator retired in 1998.\n\n"
        "Residents said that the detour, some eleven kilometres along the\n"
        "coast road, would cost them an hour a day. The mayor promised a\n"
        "ferry, free of charge, by the end of the month."
    )
    assert [len(line.split()) for line in paragraphs(wrapped).split("\n")] == [34, 33]
    menu = "Home\nNews\nSport\nBusiness\nOpinion\nCulture\nWeather\nJobs"
    assert paragraphs(menu) == menu


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\u2028", "\u2029"])
def test_lines_end_in_many_ways(end: str) -> None:
    assert paragraphs(f"One.{end}{end}Two.{end} \u3000{end}Three\x1c, \x85 and four.") == "One.\nTwo.\nThree\x1c, \x85 and four."


def test_a_line_of_spaces_without_and_with_width_is_blank() -> None:
    lines = [
        "The council voted on Monday to close the old swing bridge",
        "\u200b\xa0",
        "while engineers replace all of its worn bearings at last",
    ]
    assert paragraphs("\n".join(lines)) == f"{lines[0]}\n{lines[2]}"


@given(st.text(max_size=400))
def test_paragraphs_has_no_blank_lines_and_loses_no_word(text: str) -> None:
    found = paragraphs(text)
    assert not found or all(line.strip() for line in found.split("\n"))
    assert found.replace("\u200b", "").replace("\ufeff", "").split() == text.replace("\u200b", "").replace("\ufeff", "").split()


@pytest.mark.parametrize("charset", ["cp1251", "cp1250", "gb18030", "cp932"])
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_feeds_in_a_legacy_charset(raw: Path, form: str, charset: str) -> None:
    """Single cells are too short to tell their charset; the head of the file is not."""
    cases = json.loads((Path(__file__).parent / "cases" / "charsets.json").read_text(encoding="utf-8"))
    text = next(case["text"] for case in cases if charset in case["charsets"])
    words = text.replace("\u3002", " ").replace(". ", " ").split()
    records = [{"id": str(number), "title": word[:6], "text": f"{word} 12"} for number, word in enumerate(words)]
    (raw / f"feed.{form}").write_bytes(FORMATS["ndjson" if form == "jsonl" else form](records).decode().encode(charset))
    assert [(row["title"], row["text"]) for row in ingested(raw)] == [(record["title"], record["text"]) for record in records]


def test_an_object_store_is_walked_and_read_as_a_folder(s3_server: dict[str, str], tmp_path: Path) -> None:  # noqa: ARG001
    there, here = files.located(f"s3://news/{tmp_path.name}"), tmp_path / "raw"
    for root in (there, here):
        for name in ("daily/ferry late.txt", "daily/grå.jsonl.gz", ".drafts/a.txt", ".drafts/b.txt", "notes.md", "page.html"):
            with files.written(root / name) as stream:
                stream.write(f"Nothing sails from {name}.".encode())
    near, far = ingest.walk(here), ingest.walk(there)
    assert far.skipped == near.skipped == {"hidden": 1, "other format": 1}
    assert [(file.uri, file.format, file.stem, file.size) for file in far.files] == [
        (file.uri, file.format, file.stem, file.size) for file in near.files
    ]
    times = {file.uri: file.modified_ns for file in far.files}
    assert times == {file.uri: file.modified_ns for file in ingest.walk(there).files}
    (there / "page.html").write_bytes(b"Nothing sails from page_html.")
    changed = {file.uri: file.modified_ns for file in ingest.walk(there).files}
    assert [uri for uri, at in changed.items() if at != times[uri]] == ["page.html"]
    (there / "page.html").write_bytes(b"Nothing sails from page.html.")
    shards = []
    for root, found in ((here, near), (there, far)):
        ledger = ingest.read_batch(found.files, root / "store", root / "ledger.parquet", 10_000, 100, 10_000)
        shards.append(files.read_table(ledger)["shards"].to_pylist())
    assert shards[0] == shards[1]
    assert ingest.walk(there / "empty").files == ()
