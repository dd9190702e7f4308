"""Records of the store to stories: decode, find the fields, put one paragraph on a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pyarrow as pa

from tasks import dates, language, settings
from tasks.ingest.decode import NotTextError, declared_charset, decode
from tasks.ingest.html import MOST_CHARACTERS, HugeError, lean, page_text, read_page
from tasks.ingest.record import MOST_VALUES
from tasks.schema import INGESTED, conform

_RARE_ENDS = "\r\v\f\u2028\u2029"  # of lines, beside \n
_LINE_END = re.compile(f"[\n{_RARE_ENDS}]")
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:[-_.@].*)?$")
_EDGES = " \t\x1c\x1d\x1e\x1f\u3000\u200b\ufeff"
_WRAP_WIDTHS = range(50, 101)
_ROWS = 256  # whose texts are held as Python objects at a time
MOST_LINES = 10_000  # of a story; a book of half a million characters has fewer
SHOWN = 200_000  # code points of an unusable record that go to the quarantine; the store has all of it


_COPIED = ("story_id", "raw_uri", "raw_sha256", "place", "kind")  # from the store, as they are
_GIVEN = ("stem", "form", "record", "url", "charset", "reason", "detail")
_FOUND = tuple(name for name in INGESTED.names if name not in (*_COPIED, "raw_state"))
_Keys: TypeAlias = Sequence[tuple[str, tuple[str, ...]]]  # of a record, by column


class UnusableError(ValueError):
    """A record without a story; `reason` is the term for the quarantine, `text` what can be shown."""

    def __init__(self, reason: str, detail: str, text: str = "") -> None:
        super().__init__(detail)
        self.reason, self.text = reason, text


def parse(table: pa.Table, ingest: settings.Ingest, states: Mapping[str, str]) -> pa.Table:
    """STORE rows to INGESTED ones. `states`: raw_state by raw_uri."""
    given = [name for name in _GIVEN if name in table.column_names]
    keys = [(name, getattr(ingest.columns, name)) for name in type(ingest.columns).model_fields]
    parts: dict[str, list[pa.Array[Any]]] = {name: [] for name in _FOUND}
    for batch in table.select(given).to_batches(max_chunksize=_ROWS):
        records = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        rows = [_row(dict(zip(given, record, strict=True)), keys, ingest) for record in records]
        for name, arrays in parts.items():
            arrays.append(_array([row.get(name) for row in rows], INGESTED.field(name).type))
    columns = {name: table[name] for name in _COPIED}
    columns |= {name: pa.chunked_array(arrays, INGESTED.field(name).type).combine_chunks() for name, arrays in parts.items()}
    columns["raw_state"] = pa.array([states[uri] for uri in table["raw_uri"].to_pylist()], pa.string())
    return conform(pa.table(columns), INGESTED)


def _row(record: Mapping[str, Any], keys: _Keys, ingest: settings.Ingest) -> dict[str, Any]:
    """The columns of a story that are not null, or those that say why there is none."""
    try:
        if record["reason"]:
            raise UnusableError(record["reason"], record["detail"], record["record"].decode("utf-8", "replace"))
        return {"raw_id": record["stem"]} | _bounded(_story(record, keys, ingest.html_focus), ingest.max_text_characters)
    except (UnusableError, NotTextError) as error:
        text = paragraphs(getattr(error, "text", "")[:SHOWN]).replace("\0", "\ufffd")
        row = {"raw_id": record["stem"], "stage": "ingest", "reason": error.reason, "detail": str(error), "text": text}
        return row | _own_id(record, dict(keys)["id"]) if record["form"] == "json" else row


def _bounded(row: dict[str, Any], most: int) -> dict[str, Any]:
    """The row of a story that is no longer than a story can be.

    Raises:
        UnusableError: it is; the time that every later stage takes for one story is bounded by this.
    """
    text = row["text"]
    if len(text) > most:
        raise UnusableError("too_large", f"{len(text):,} characters of text; at most {most:,} are read (ingest.max_text_characters)", text)
    if (lines := text.count("\n")) >= MOST_LINES:
        raise UnusableError("too_large", f"{lines + 1:,} lines of text; no story has more than {MOST_LINES:,}", text)
    return row


def _array(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    """The values as an array, strings as valid Unicode: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([value and value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace") for value in values], kind)


def paragraphs(text: str) -> str:
    """The text with one paragraph a line and no blank lines; hard-wrapped lines are joined again.

    Later stages count lines of this form. Text counts as hard-wrapped when its longest line has 50 to 100 characters and
    nearly every line is as full as its next word allowed. A no-break space at the end of a line stays: it may be the
    second half of a broken character.
    """
    lines = [line if line and not line.isspace() else "" for line in [line.strip(_EDGES) for line in _lines(text)]]
    width = max(map(len, lines))
    if width in _WRAP_WIDTHS:
        pairs = [_wrapped(a, b, width) for a, b in pairwise(lines) if a and b]
        if sum(pairs) >= 4 and sum(pairs) >= 0.8 * len(pairs):
            return "\n".join(_unwrap(lines, width))
    return "\n".join([line for line in lines if line])


def _lines(text: str) -> list[str]:
    """The lines of a text, whatever ends them. (One sign is found 30 times as fast as one of several.)"""
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    for end in _RARE_ENDS:
        if end in text:
            return _LINE_END.split(text)
    return text.split("\n")


def _wrapped(line: str, following: str, width: int) -> bool:
    """The first word of the following line had no room at the end of this one."""
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) > width


def _unwrap(lines: list[str], width: int) -> list[str]:
    joined: list[list[str]] = []
    before = ""
    for line in lines:
        if line and before and _wrapped(before, line, width):
            joined[-1].append(line)
        elif line:
            joined.append([line])
        before = line
    return [" ".join(parts) for parts in joined]


def _story(record: Mapping[str, Any], keys: _Keys, focus: str) -> dict[str, Any]:
    """The story's columns of one record of the store.

    Raises:
        UnusableError, NotTextError: there is no story in it.
    """
    data, url, charset = record["record"], record.get("url"), record.get("charset")  # older store files have neither
    if record["form"] == "html":
        declared = declared_charset(data)
        # byte for byte, so that what is no text of a long page is gone before its charset is looked for
        data = lean(data.decode("latin-1")).encode("latin-1") if len(data) > MOST_CHARACTERS else data
        return _from_page(decode(data, charset, declared), focus, {"url": url})
    if record["form"] == "text":
        text = paragraphs(decode(data, charset))
        if not text:
            raise UnusableError("empty", "the file holds no text")
        return {"text": text, "url": url, "source": _host(url)}
    return _from_object(_json_object(data, charset), keys, focus)


def _json_object(data: bytes, charset: str | None) -> dict[str, Any]:
    if len(data) > MOST_VALUES and data.count(b"[") + data.count(b"{") + (data.count(b'"') - data.count(b'\\"')) // 2 > MOST_VALUES:
        raise UnusableError("too_large", f"a record of more than {MOST_VALUES:,} values", data[:SHOWN].decode("utf-8", "replace"))
    text = decode(data, charset)
    try:
        value = json.loads(text)
        shown = "" if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError) as error:  # Python reads no number of more than 4,300 digits
        raise UnusableError("malformed_json", f"not JSON: {error}"[:300], data[:SHOWN].decode("utf-8", "replace")) from error
    if not isinstance(value, dict):
        raise UnusableError("wrong_type", f"a record must be a JSON object, this is {_kind(value)}", shown)
    return value


def _from_object(record: dict[str, Any], keys: _Keys, focus: str) -> dict[str, Any]:
    values = {name: _first(record, names) for name, names in keys}
    row: dict[str, Any] = {}
    if values["id"] is not None:
        row["raw_id"] = _line(str(values["id"])) if isinstance(values["id"], str | int | float) else None
        if not row["raw_id"]:
            raise UnusableError("wrong_type", f"id must be text or a number, this is {_kind(values['id'])}", _shown(values))
    for name in ("text", "html", "title", "byline", "source", "url", "language"):
        value = values[name]
        if name == "byline" and isinstance(value, list) and all(isinstance(item, str) for item in value):
            values[name] = ", ".join(value)
        elif value is not None and not isinstance(value, str):
            raise UnusableError("wrong_type", f"{name} must be text, this is {_kind(value)}", _shown(values))
    for value in values.values():
        if isinstance(value, str) and "\0" in value:
            raise UnusableError("nul_bytes", "the record holds NUL characters", _shown(values))
    row |= {name: _line(values[name]) for name in ("title", "byline", "source", "url")}
    row["language"] = _language(values["language"])
    row |= _date(values["published_at"])
    if values["text"] is None and values["html"] is not None:
        return _from_page(values["html"], focus, row)
    text = paragraphs(values["text"] or "")
    if not text:
        known = ", ".join(sorted(str(name) for name in record)[:12])
        raise UnusableError("no_text", f"no text and no html; the record has: {known}"[:300], _shown(values))
    row["text"] = text
    row["source"] = row["source"] or _host(row["url"])
    return row


def _shown(values: Mapping[str, Any]) -> str:
    """What the quarantine shows of an unusable record."""
    return next((values[name] for name in ("text", "html", "title") if isinstance(values[name], str)), "")


def _from_page(html: str, focus: str, known: dict[str, Any]) -> dict[str, Any]:
    """The story of a page; what the record says itself (`known`) goes before what the page says."""
    try:
        page = read_page(html, focus)
        text = paragraphs(page.text)
        shown = "" if text else page_text(html)
    except HugeError as error:
        raise UnusableError("too_large", str(error), html[:SHOWN]) from error
    except Exception as error:  # a page that breaks the extractor must not stop the others
        raise UnusableError("page_failed", f"{error.__class__.__name__}: {error}"[:300], html) from error
    if not text:
        raise UnusableError("no_story", "no story found in the page", shown)
    row: dict[str, Any] = {"title": _line(page.title), "byline": _line(page.byline), "source": _line(page.source), "url": _line(page.url)}
    row["agency"] = _line(page.agency)
    row |= {"language": language.choose(_language(page.language), language.detect(text)), "text": text} | _date(page.published_at)
    row |= {name: value for name, value in known.items() if value is not None}
    row["source"] = row["source"] or _host(row["url"])
    return row


def _own_id(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The record's id, where one can be read from a record that is otherwise unusable."""
    try:
        own = _first(_json_object(record["record"], record.get("charset")), names)
    except (UnusableError, NotTextError):
        return {}
    return {"raw_id": _line(str(own))} if isinstance(own, str | int) and _line(str(own)) else {}


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first of the named values that is there; NaN is how some tables write a missing text."""
    for name in names:
        value = record.get(name)
        if value is not None and value == value:  # noqa: PLR0124 - NaN is not itself
            return value
    return None


def _date(value: Any) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise UnusableError("wrong_type", f"published_at must be text or a number, this is {_kind(value)}")
    found = dates.parse(value) if isinstance(value, str) else _from_epoch(value) if value is not None else None
    return {"published_at": found[0], "published_precision": found[1]} if found else {}


def _from_epoch(value: float) -> tuple[datetime, str] | None:
    """Seconds since 1970, or milliseconds when seconds would lie beyond the year 5000."""
    try:
        return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC).replace(microsecond=0), "second"
    except (OverflowError, ValueError, OSError):
        return None


def _line(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def _language(tag: str | None) -> str | None:
    """A BCP 47 tag in its usual case, without extensions: 'EN_us.UTF-8' is 'en-US'."""
    found = _LANGUAGE.match(tag.strip()) if tag else None
    if not found:
        return None
    language, script, region = found.groups()
    return "-".join(part for part in (language.lower(), script and script.title(), region and region.upper()) if part)


def _host(url: str | None) -> str | None:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.") or None if url else None
    except ValueError:
        return None


def _kind(value: Any) -> str:
    return {"dict": "an object", "list": "a list", "int": "a number", "float": "a number", "bool": "true or false", "str": "text"}.get(
        type(value).__name__, type(value).__name__
    )
