"""Fuzzing: `python -m bench fuzz [--inputs N] [--files N] [--seed N] [--checked]`: no crash, no hang, no growth of memory, nothing lost.

Texts are put together of pieces that rooms look for (rules' examples, dates, bylines, mojibake, signs of all kinds), cut, doubled and
damaged; a batch of them goes through parse, repair, strip, fingerprint and, in pairs, the verdict, and after each room what must hold is
checked. Files are valid ones of every format with bytes changed, cut and doubled. Every input is made from the seed and its batch's
number, so that a failure can be made again: `--seed S --batch B`. `--checked` is for a process with NUMBA_BOUNDSCHECK=1, in which every
index of a kernel is checked; the full run starts one.
"""

from __future__ import annotations

# ruff: noqa: S101 - it is made of laws that must hold, as a test is
import argparse
import csv
import gzip
import io
import json
import multiprocessing
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from bench.hostile_input import MOJIBAKE, PAGES, SENTENCE, TEXTS
from bench.machine import RESULTS, machine
from tasks import boilerplate, fingerprint, ingest, repair, schema, settings, terms, verdict
from tasks.ingest.decode import NotTextError, decode
from tasks.verdict import stories as reading

KNOBS = settings.load()
BATCH = 500
ROOMS = 5
"""That a text goes through: parse, repair, strip, fingerprint, verdict. It counts as an input of each."""
FILES = 100
"""Files of a batch."""
SECONDS = 60
"""For a batch; it takes one or two."""
GROWTH = 80.0
"""MB that the process may have more at the end than after a fifth of the batches."""
CHARSETS = (
    "utf-8",
    "utf-8",
    "utf-8",
    "cp1252",
    "cp1251",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "shift_jis",
    "gb18030",
    "koi8-r",
    "iso8859-2",
    "latin-1",
)
FORMATS = ("txt", "html", "jsonl", "json", "csv", "parquet", "warc")
PACKINGS = ("", "", "", ".gz", ".zst")


def main(arguments: list[str]) -> int:
    """The full run: a million inputs of rooms, 25,000 files; figures go to bench/results. Exit code 1 when anything failed."""
    options = argparse.ArgumentParser(prog="bench fuzz")
    options.add_argument("--inputs", type=int, default=1_000_000)
    options.add_argument("--files", type=int, default=25_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--batch", type=int)
    options.add_argument("--checked", action="store_true")
    chosen = options.parse_args(arguments)
    if chosen.batch is not None:
        texts_hold(texts(chosen.seed, chosen.batch))
        return 0
    texts_hold(texts(0, 0))  # loads and compiles what is loaded once, before processes are forked
    report: dict[str, Any] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "seed": chosen.seed, "machine": machine(), "parts": []}
    for name, room, number in (
        ("texts", lambda batch: texts_hold(texts(chosen.seed, batch)), -(-chosen.inputs // ROOMS // BATCH)),
        ("arrays", lambda batch: arrays_hold(chosen.seed, batch), -(-chosen.inputs // BATCH // 20)),
        ("files", lambda batch: files_hold(files(chosen.seed, batch)), -(-chosen.files // FILES)),
    ):
        report["parts"].append({"name": name} | in_child(room, number))
        print(json.dumps(report["parts"][-1]), flush=True)
    if not chosen.checked and chosen.inputs >= 100_000:
        report["parts"].append({"name": "texts, indices checked"} | _checked(chosen.seed))
        print(json.dumps(report["parts"][-1]), flush=True)
    failed = [part["name"] for part in report["parts"] if part.get("failures") or part.get("grown_mb", 0) > GROWTH]
    if not chosen.checked:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"fuzz-{report['date']}.json"
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"written to {path}")
    print(f"failed: {', '.join(failed) or 'nothing'}")
    return int(bool(failed))


def _checked(seed: int) -> dict[str, Any]:
    """The same on fewer texts in a process in which every index of a kernel is checked."""
    with TemporaryDirectory(prefix="copydesk-fuzz-") as home:
        variables = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": home}
        command = [sys.executable, "-m", "bench", "fuzz", "--checked", "--inputs", "50000", "--files", "0", "--seed", str(seed + 1)]
        ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    failures = [] if ran.returncode == 0 else [ran.stdout[-1000:] + ran.stderr[-2000:]]
    return {"inputs": 50_000, "failures": failures}


# ---- running ----------------------------------------------------------------------------------------------------------------------


def in_child(room: Callable[[int], Counter[str]], batches: int) -> dict[str, Any]:
    """Runs batches 0 to n - 1 in forked processes, so that a crash of the interpreter is a failure too and not the end of the run."""
    total: Counter[str] = Counter()
    failures: list[str] = []
    began, start, memory = time.monotonic(), 0, list[float]()
    while start < batches and len(failures) < 20:
        ours, theirs = multiprocessing.get_context("fork").Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(target=_run, args=(room, start, batches, theirs))
        child.start()
        theirs.close()
        try:
            while True:
                batch, counted, failure, held = ours.recv()
                total.update(counted)
                memory.append(held)
                failures += [failure] if failure else []
                start = batch + 1
        except EOFError:
            child.join()
        if start < batches:
            failures.append(f"batch {start}: the process ended with {child.exitcode}")
            start += 1
    settled = memory[len(memory) // 5 :] or [0.0]
    grown = max(settled[-max(1, len(settled) // 10) :]) - max(settled[: max(1, len(settled) // 10)])
    return {
        "inputs": total["inputs"],
        "seconds": round(time.monotonic() - began, 1),
        "grown_mb": round(grown, 1),
        "outcomes": dict(sorted(total.items())),
        "failures": failures,
    }


def _run(room: Callable[[int], Counter[str]], start: int, batches: int, out: Any) -> None:
    for batch in range(start, batches):
        counted: Counter[str] = Counter()
        failure = ""
        try:
            with limited(SECONDS):
                counted = room(batch)
        except Exception as error:  # noqa: BLE001 - every failure is a finding, and the next batch may have others
            failure = f"batch {batch}: {error.__class__.__name__}: {error}"[:2000]
        out.send((batch, counted, failure, _resident()))
    out.close()


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raises TimeoutError in what takes longer."""

    def ring(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _resident() -> float:
    """MB that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# ---- texts ------------------------------------------------------------------------------------------------------------------------


@cache
def pieces() -> tuple[str, ...]:
    """What texts are put together of."""
    found = [make(40) for make in TEXTS.values()]
    found += [line for rule in boilerplate.load_rules() for line in (*rule.strips[:3], *rule.keeps[:2])]
    found += [
        SENTENCE,
        SENTENCE[:60],
        MOJIBAKE,
        *MOJIBAKE.split(),
        "\n",
        "\n",
        "\n",
        " ",
        "\n\n",
        "\r\n",
        "\x85",
        "\0",
        "\ufeff",
        "\u202e",
        "\x1b[31m",
    ]
    found += [
        "1 May 2024",
        "2024-05-01T10:30:00Z",
        "01/02/2024",
        "By Ana Example",
        "(dpa)",
        "LOWMOOR, May 1 (Reuters) - ",
        "By",
        "Von Jan Muster, dpa",
    ]
    found += [
        "“",
        "”",
        "'",
        '"',
        "«",
        "„",
        ".",
        "?",
        "…",
        "1,234.5",
        "20,000",
        "3.5%",
        "A320",
        "NATO",
        "’s",
        "https://lowmoor.example/a",
        "a@b.example",
    ]
    found += [
        "记者",
        "記者 山田太郎",
        "홍길동 기자",
        "เรือ",
        "सड़क",
        "العبارة",
        "ſ",
        "İ",
        "ß",
        "ǆ",
        "Ⅻ",
        "①",
        "½",
        "\u0345",
        "\U0001f468\u200d\U0001f469",
        "\U000e0041",
    ]
    return tuple(found)


def texts(seed: int, batch: int, count: int = BATCH) -> list[str]:
    """Texts of a batch: most short, some of some KB; valid Unicode."""
    chance = random.Random(f"texts {seed} {batch}")  # noqa: S311  # must be repeatable, not secret
    return [_text(chance) for _ in range(count)]


def _text(chance: random.Random) -> str:
    draw = chance.random()
    if draw < 0.08:
        made = "".join(
            chr(chance.choice((chance.randrange(128), chance.randrange(0x800), chance.randrange(0x11_0000))))
            for _ in range(chance.randrange(60))
        )
    else:
        several = chance.choices(pieces(), k=chance.randrange(1, 4 if draw < 0.85 else 12 if draw < 0.995 else 150))
        made = chance.choice(("", " ", " ", "\n")).join(several)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        made = _changed(made, chance)
    return made.encode("utf-8", "ignore").decode()


def _changed(text: str, chance: random.Random) -> str:  # noqa: PLR0911 - a return a change
    at, to = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
    change = chance.randrange(8)
    if change == 0:
        return text[:at] + text[to:]
    if change == 1:
        return text[:to] + text[at:to] * chance.randrange(1, 4) + text[to:]
    if change == 2:
        return (
            text[:at]
            + chr(chance.choice((0x200B, 0xAD, 0x301, 0x202E, 0xFEFF, 0x2028, 0x85, 0x1B, 0xFFFD, chance.randrange(0xD800))))
            + text[at:]
        )
    if change == 3:
        return text[:at] + text[at:to].upper() + text[to:]
    if change == 4:
        return (
            text[:at]
            + text[at:to].encode("utf-8", "ignore").decode(chance.choice(("cp1252", "cp1251", "latin-1", "cp437", "koi8-r")), "replace")
            + text[to:]
        )
    if change == 5:
        return text[:at] + text[at:to][::-1] + text[to:]
    if change == 6:
        return text[:at] + text[at:to].replace("e", "\u0435").replace("a", "\u0430") + text[to:]
    return text[:at] + chance.choice(pieces()) + text[at:]


def texts_hold(batch: Sequence[str]) -> Counter[str]:
    """Everything that must hold of a batch of texts, room by room; counts of what became of them.

    Raises:
        AssertionError: it does not.
    """
    chance = random.Random(len("".join(batch)))  # noqa: S311  # must be repeatable, not secret
    data = [_encoded(text, chance) for text in batch]
    for one in data[:25]:
        try:
            decoded = decode(one, chance.choice((None, *CHARSETS, "x-unknown")))
            decoded.encode("utf-8")
        except NotTextError as error:
            if error.reason not in ("binary", "nul_bytes", "too_large"):
                raise
    store = _store(batch, data)
    table = ingest.parse(store, KNOBS.ingest, {"fuzz": "present"})
    assert table["story_id"].to_pylist() == store["story_id"].to_pylist(), "parse loses a record"
    mended = repair.repair(table, KNOBS.repair)
    for before, after, edits, reason in _columns(table, mended, "text", "repairs", "reason"):
        assert reason or repair.apply(before, edits) == after, f"repairs do not lead to the text: {before!r}"
        assert reason or before.count("\n") == after.count("\n"), f"repair changes lines: {before!r}"
    stripped = boilerplate.strip(mended, KNOBS.strip)
    for before, after, removed, reason in _columns(mended, stripped, "text", "removed", "reason"):
        assert reason or boilerplate.rebuild(after, removed) == before, f"removed lines do not rebuild the text: {before!r}"
        assert reason or after.strip(), f"an empty text is kept: {before!r}"
    made = fingerprint.fingerprint(stripped, KNOBS.near, KNOBS.derivative)
    assert made["story_id"].to_pylist() == store["story_id"].to_pylist(), "a room loses a record"
    _terms_hold(batch, chance)
    judged = _pairs_hold(made, chance)
    found: Counter[str] = Counter(reason or "story" for reason in made["reason"].to_pylist())
    found["inputs"] = ROOMS * len(batch)
    found["pairs judged"] = judged
    return found


def _encoded(text: str, chance: random.Random) -> bytes:
    data = bytearray(text.encode(chance.choice(CHARSETS), "ignore"))
    if data and chance.random() < 0.3:
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def _store(batch: Sequence[str], data: Sequence[bytes]) -> pa.Table:
    """Rows of the store: half of the texts as JSON, half as bytes of some charset."""
    written, forms = list[bytes](), list[str]()
    for number, (text, raw) in enumerate(zip(batch, data, strict=True)):
        title, source = text[:40] if number % 3 else None, f"Outlet {number % 7}"
        record = {"text": text, "title": title, "source": source, "published_at": text[-30:]}
        written.append(json.dumps(record).encode() if number % 2 == 0 else raw)
        forms.append("json" if number % 2 == 0 else "text")
    return store_rows(written, forms)


def store_rows(written: Sequence[bytes], forms: Sequence[str]) -> pa.Table:
    """Rows of the store (STORE), as if each record were a line of the file `fuzz`."""
    rows = [
        {"story_id": f"{number:032x}", "raw_uri": "fuzz", "raw_sha256": "0" * 64, "place": f"line {number}", "kind": "record"}
        | {"form": form, "stem": f"a#{number}", "record": record}
        for number, (record, form) in enumerate(zip(written, forms, strict=True))
    ]
    return schema.conform(
        pa.Table.from_pylist(rows, schema=pa.schema([field.with_nullable(nullable=True) for field in schema.STORE])), schema.STORE
    )


def _columns(before: pa.Table, after: pa.Table, text: str, listed: str, fault: str) -> Iterator[tuple[str, str, Any, Any]]:
    columns = (before[text], after[text], after[listed], after[fault])
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _terms_hold(batch: Sequence[str], chance: random.Random) -> None:
    """The kernel's terms and shingles of some texts against plain Python."""
    some = [batch[chance.randrange(len(batch))][:400] for _ in range(25)]
    found = terms.tokenise(some)
    from tasks.kernels import terms as kernel

    values, starts = kernel.shingle(found.hashes, found.rows, 5)
    for n, text in enumerate(some):
        words = terms.words(text)
        assert found.hashes[found.rows[n] : found.rows[n + 1]].tolist() == [terms.hash_term(word) for word in words], f"terms of {text!r}"
        written = {" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()
        assert values[starts[n] : starts[n + 1]].tolist() == sorted({terms.hash64(one) for one in written}), f"shingles of {text!r}"


def _pairs_hold(made: pa.Table, chance: random.Random) -> int:
    sound = [number for number, reason in enumerate(made["reason"].to_pylist()) if reason is None]
    left = np.array(sound, np.int64)
    right = np.array([sound[min(len(sound) - 1, place + chance.randrange(3))] for place in range(len(sound))], np.int64)
    left, right = left[left != right], right[left != right]
    if not len(left):
        return 0
    judged = verdict.judge(reading.of(made), left, right, KNOBS.near, KNOBS.derivative)
    assert len(judged) == len(left), "a pair is lost"
    for name in judged.column_names:
        if pa.types.is_floating(judged[name].type):
            values = judged[name].drop_null().to_numpy()
            assert ((values >= -1e-9) & (values <= 1 + 1e-9)).all(), f"{name} is no share"
    assert set(judged["relation"].to_pylist()) <= {None, "exact", "near", "derivative"}
    texts_ = made["text"].to_pylist()
    for (one, other), passages in zip(
        zip(left.tolist(), right.tolist(), strict=True), verdict.evidence(made["text"], left, right).to_pylist(), strict=True
    ):
        for passage in passages:
            assert passage["text"] in texts_[one], "a passage is not of its text"
            assert passage["other_text"] in texts_[other], "a passage is not of its text"
    return len(left)


# ---- arrays -----------------------------------------------------------------------------------------------------------------------


def arrays_hold(seed: int, batch: int) -> Counter[str]:
    """Kernels on arrays of few and of many values, against numpy.

    Raises:
        AssertionError: they differ.
    """
    from tasks.kernels import digests, evidence, pairs, passages, sketches
    from tasks.kernels import reading as kernel_reading
    from tasks.kernels import terms as kernel

    chance = np.random.default_rng([seed, batch])
    most = [3, 200, 2**64 - 1][batch % 3]
    heads = np.empty(1 << kernel.BUCKET_BITS, np.int32)
    for _ in range(BATCH // 10):
        size = int(chance.integers(0, 90))
        values = chance.integers(0, most, size, np.uint64, endpoint=True)
        other = chance.integers(0, most, int(chance.integers(0, 90)), np.uint64, endpoint=True)
        out = np.empty(size, np.uint64)
        count = kernel.sort_distinct(values, heads, out)
        distinct = np.unique(values)
        assert out[:count].tolist() == distinct.tolist(), "sort_distinct"
        sets = np.concatenate([distinct, np.unique(other)])
        starts = np.array([0, len(distinct), len(sets)])
        zero, one = np.zeros(1, np.int64), np.ones(1, np.int64)
        assert pairs.intersections(sets, starts, zero, one)[0] == len(np.intersect1d(values, other)), "intersections"
        jaccard = pairs.weighted_jaccards(sets, np.ones(len(sets), np.float32), starts, zero, one)[0]
        union = len(np.union1d(values, other))
        assert abs(jaccard - (len(np.intersect1d(values, other)) / union if union else 0)) < 1e-6, "weighted_jaccards"
        again = pairs.may_repeat(values)
        found, times = np.unique(values, return_counts=True)
        assert again[np.isin(values, found[times > 1])].all(), "may_repeat"
        assert len(pairs.may_hold(pairs.filled(values, 8), values)) == len(values), "may_hold"
        keys, counted = digests.distinct(values)
        assert dict(zip(keys.tolist(), counted.tolist(), strict=True)) == dict(zip(found.tolist(), times.tolist(), strict=True)), "distinct"
        small, less = values[:40], other[:40]
        runs = [kernel_reading.run_hashes(array, np.array([0, len(array)]), evidence.RUN) for array in (small, less)]
        for a, b, length in passages.shared(small, less, *runs).tolist():
            assert small[a : a + length].tolist() == less[b : b + length].tolist(), "shared"
        rows = np.array([0, len(small), len(small) + len(less)])
        flat = np.concatenate([small, less])
        chosen, places = sketches.winnow(flat, rows, 3, 4)
        assert places[-1] == len(chosen), "winnow"
        order = np.sort(values)
        ranks = np.arange(size, dtype=np.uint32)
        packed, _, _ = pairs.propose(order, ranks, np.zeros(size, np.uint32), 5)
        assert all(order[int(pair) >> 32] == order[int(pair) & 0xFFFFFFFF] for pair in packed), "propose"
    return Counter(inputs=BATCH // 10)


# ---- files ------------------------------------------------------------------------------------------------------------------------


def files(seed: int, batch: int, count: int = FILES) -> list[tuple[str, bytes]]:
    """(name, bytes) of the files of a batch."""
    chance = random.Random(f"files {seed} {batch}")  # noqa: S311  # must be repeatable, not secret
    found = []
    for number in range(count):
        form, packing = chance.choice(FORMATS), chance.choice(PACKINGS)
        data = _valid(form, chance)
        if chance.random() < 0.7:
            data = _damaged(data, chance)
        data = gzip.compress(data, mtime=0) if packing == ".gz" else zstandard.compress(data) if packing == ".zst" else data
        if packing and chance.random() < 0.5:
            data = _damaged(data, chance)
        found.append((f"{number}.{form}{packing}", data))
    return found


def _valid(form: str, chance: random.Random) -> bytes:  # noqa: PLR0911 - a return a format
    if form == "txt":
        return _encoded(_text(chance), chance)
    if form == "html":
        return _page(chance)
    if form == "warc":
        return b"".join(_warc_record(chance) for _ in range(chance.randrange(1, 4)))
    records = [
        {"id": f"r{n}", "text": _text(chance), "title": _text(chance)[:30], "published_at": "2024-05-01"}
        for n in range(chance.randrange(1, 6))
    ]
    if form == "jsonl":
        text = "\n".join(json.dumps(record, ensure_ascii=chance.random() < 0.5) for record in records)
        return text.encode(chance.choice(("utf-8", "utf-8", "utf-16", "utf-32", "utf-8-sig")))
    if form == "json":
        return json.dumps(records if chance.random() < 0.8 else records[0]).encode()
    if form == "csv":
        out = io.StringIO()
        writer = csv.DictWriter(out, list(records[0]), delimiter=chance.choice(",;\t|"))
        writer.writeheader()
        writer.writerows(records)
        return out.getvalue().encode(chance.choice(("utf-8", "cp1252", "utf-16")), "replace")
    sink = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist(records),
        sink,
        compression=chance.choice(("none", "zstd", "snappy", "gzip")),
        use_dictionary=chance.random() < 0.5,
    )
    return sink.getvalue()


def _page(chance: random.Random) -> bytes:
    parts = [chance.choice(list(PAGES.values()))(chance.randrange(40, 400)) for _ in range(chance.randrange(1, 4))]
    parts += ["<p>" + _text(chance) + "</p>" for _ in range(chance.randrange(4))]
    chance.shuffle(parts)
    return "".join(parts).encode(chance.choice(CHARSETS), "ignore")


def _warc_record(chance: random.Random) -> bytes:
    body = _page(chance)
    coding = chance.choice(("", "", "gzip", "deflate", "zstd"))
    packed = gzip.compress(body, mtime=0) if coding == "gzip" else zstandard.compress(body) if coding == "zstd" else body
    head = f"HTTP/1.1 {chance.choice((200, 200, 404))} OK\r\nContent-Type: text/html\r\n" + (
        f"Content-Encoding: {coding}\r\n" if coding else ""
    )
    http = head.encode() + b"\r\n" + packed
    kind = chance.choice(("response", "response", "request", "metadata", "resource"))
    return (
        (
            f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://lowmoor.example/{chance.randrange(99)}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        ).encode()
        + http
        + b"\r\n\r\n"
    )


def _damaged(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at, to = sorted((chance.randrange(len(out) + 1), chance.randrange(len(out) + 1)))
        change = chance.randrange(6)
        if change == 0 and at < len(out):
            out[at] = chance.randrange(256)
        elif change == 1:
            del out[at : min(to, at + 200)]
        elif change == 2:
            out[at:at] = out[at : min(to, at + 200)] * chance.randrange(1, 3)
        elif change == 3:
            out[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, chance.randrange(2**32))))
        elif change == 4:
            out[at:at] = chance.choice(
                (b"\n", b'"', b"\0", b"\xff\xfe", b"<", b"[" * 300, b"{", b"\r\n\r\n", b"9" * 5_000, b"WARC/1.0\r\n", b"PAR1", b"\x1f\x8b")
            )
        else:
            del out[to:]
    return bytes(out)


def files_hold(batch: Sequence[tuple[str, bytes]]) -> Counter[str]:
    """Every file becomes rows or one row with a reason, and so does every record.

    Raises:
        AssertionError: it does not.
    """
    with TemporaryDirectory(prefix="copydesk-fuzz-") as home:
        raw, store = Path(home, "raw"), Path(home, "store")
        raw.mkdir()
        store.mkdir()
        for name, data in batch:
            (raw / name).write_bytes(data)
        found = ingest.walk(raw).files
        assert len(found) == len(batch), "a file is not found"
        ledger = pq.read_table(ingest.read_batch(found, store, Path(home, "ledger"), 1_000_000, 2_000, 32_000_000))
        states = dict.fromkeys(ledger["raw_uri"].to_pylist(), "present")
        counted: Counter[str] = Counter(inputs=len(batch))
        rows: Counter[str] = Counter()
        for shard in sorted({name for names in ledger["shards"].to_pylist() for name in names}):
            table = ingest.parse(pq.read_table(store / shard), KNOBS.ingest, states)
            rows.update(table["raw_uri"].to_pylist())
            counted.update(reason or "story" for reason in table["reason"].to_pylist())
            broken = [
                row
                for row in table.select(["raw_uri", "reason", "detail"]).to_pylist()
                if row["reason"] in ("reader_failed", "page_failed")
            ]
            assert not broken, f"a reader failed: {broken[0]}"
        for row in ledger.to_pylist():
            skipped = sum(one["records"] for one in row["skipped"] or ())
            assert row["records"] == rows[row["raw_uri"]], f"records of {row['raw_uri']} are lost"
            assert row["records"] + skipped >= 1, f"{row['raw_uri']} is silent"
    return counted
