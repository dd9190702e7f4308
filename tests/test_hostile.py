"""Hostile input: no regex, text, page or file takes long, crashes or is lost; nothing that a story holds is executed or believed."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import socket
import subprocess
import time
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow.parquet as pq
import pytest
from lxml import html

import tasks
from bench import fuzz
from bench.hostile_input import SENTENCE, bomb_gz, bomb_zst
from bench.pumped import growth, is_linear
from tasks import boilerplate, fingerprint, ingest, repair, report, settings, terms, validate, verdict
from tasks.ingest import read
from tasks.ingest.html import read_page
from tasks.ingest.read import Source, records
from tasks.repair.charsets import charsets, controls, suspect
from tasks.verdict import stories as reading

KNOBS = settings.load()

# ---- regexes ----------------------------------------------------------------------------------------------------------

BOUNDED = {
    "tasks.boilerplate.lift._CLOSED": 60,
    "tasks.boilerplate.names._CHINESE": 400,
    "tasks.boilerplate.names._CUT": 400,
    "tasks.boilerplate.names._KOREAN": 400,
    "tasks.boilerplate.rules._NEEDS": 400,
    "tasks.dates._FORMS": 400,
    "tasks.files._URL": 400,
    "tasks.furniture.evidence._SIGNS": 400,
    "tasks.ingest.decode.NO_CHARSET": 40,
    "tasks.ingest.warc._CHUNK": 400,
}
"""Regexes that take time that grows faster than the text, and the most characters of a text that they see: lines of rules.LONGEST, names of
charsets; of those that are matched at one place, what they may match."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Every regex of tasks, by module and name; those in tuples and mappings too, and those made of data."""
    for module in pkgutil.walk_packages(tasks.__path__, "tasks."):
        if ".kernels" in module.name:
            continue
        for name, value in sorted(vars(importlib.import_module(module.name)).items()):
            held = value if isinstance(value, tuple | list) else value.values() if isinstance(value, dict) else [value]
            yield from ((f"{module.name}.{name}", one) for one in held if isinstance(one, re.Pattern))
    for charset in charsets():
        yield f"charset {charset.name}", charset.sequences
        if charset.lost:
            yield f"charset {charset.name} lost", charset.lost
    for control in controls():
        yield f"controls {control.name}", control.sequences
    yield "suspect", suspect()


def texts_of(pattern: re.Pattern[Any]) -> re.Pattern[str]:
    """The same of text."""
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags & ~re.UNICODE) if isinstance(pattern.pattern, bytes) else pattern


PATTERNS = {f"{name} {pattern.pattern[:40]!r}": (name, texts_of(pattern)) for name, pattern in patterns()}


@pytest.mark.parametrize("shown", PATTERNS)
def test_no_regex_takes_longer_than_its_text_warrants(shown: str) -> None:
    name, pattern = PATTERNS[shown]
    if name in BOUNDED:
        spent, attack = growth(pattern, BOUNDED[name])
        assert spent < 0.05, attack[:60]
    else:
        linear, attack = is_linear(pattern)
        assert linear, attack


def test_no_rule_takes_long() -> None:
    """Rules see lines of LONGEST code points at most; each rule of a language file too."""
    for needle in boilerplate.built_in().regexes:
        spent, attack = growth(needle.regex, 400)
        assert spent < 0.05, (needle.regex.pattern, attack[:60])


# ---- evasion of the duplicate check -----------------------------------------------------------------------------------

STORY = """The night ferry from Lowmoor to Estwick will sail again from the first week of May, the harbour board said on Tuesday, after
eleven months in which passengers had to change to buses at Carrow Bridge. The crossing takes forty minutes and costs 4.80 a head.

Repairs to the linkspan took longer than planned because divers found that two of its six piles had been eaten away below the waterline. The
board put the bill at 3.2 million, of which the region pays half. "Nobody wanted to find that out in March," said Ana Quill, who runs the port.

Hauliers had threatened to move their trade to Pellworth for good. Jonas Hartig of the carriers' federation called the date a relief, though he
said that his members would believe it when the first lorry rolled off on the other side. Some 1,900 vehicles a week used the ferry before it
stopped, and the board hopes to see most of them back by the end of the summer, when the new timetable with a fifth crossing begins."""
_LIKE_LATIN = str.maketrans("aceopxyABCEHKMOPTXaeo", "асеорхуАВСЕНКМОРТХαео")
EVASIONS: dict[str, Callable[[str], str]] = {
    "zero-width spaces between all letters": "\u200b".join,
    "soft hyphens between letters": lambda text: re.sub(r"(\w)(?=\w)", "\\1\u00ad", text),
    "marks of direction between letters": lambda text: re.sub(r"(\w)(?=\w)", "\\1\u200e", text),
    "invisible signs between letters": lambda text: re.sub(r"(\w)(?=\w)", "\\1\u2063", text),
    "variation selectors": lambda text: re.sub(r"(\w)", "\\1\ufe0f", text),
    "tags": lambda text: re.sub(r"(\w)", "\\1\U000e0041", text),
    "overrides around words": lambda text: re.sub(r"(\w+)", "\u202d\\1\u202c", text),
    "Zalgo": lambda text: re.sub(r"(\w)", "\\1\u0336\u0489\u20dd"[:3], text),
    "Cyrillic and Greek lookalikes": lambda text: text.translate(_LIKE_LATIN),
    "Cyrillic lookalikes in every other word": lambda text: "".join(
        part.translate(_LIKE_LATIN) if number % 4 == 0 else part for number, part in enumerate(re.split(r"(\s+)", text))
    ),
    "lookalikes with zero-width spaces": lambda text: "\u200b".join(text.translate(_LIKE_LATIN)),
    "full-width letters": lambda text: "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text),
    "mathematical letters": lambda text: "".join(chr(0x1D5BA + ord(sign) - 97) if "a" <= sign <= "z" else sign for sign in text),
    "accents on their own": lambda text: unicodedata.normalize("NFD", text.replace("e", "é").replace("a", "ä")),
}


def judged(one: str, other: str) -> str | None:
    """The relation of two texts after all stages of a shard."""
    rows = [{"text": text, "source": source} for text, source in ((one, "Lowmoor Post"), (other, "Estwick Echo"))]
    table = fuzz.store_rows([json.dumps(row).encode() for row in rows], ["json"] * 2)
    table = boilerplate.strip(repair.repair(ingest.parse(table, KNOBS.ingest, {"fuzz": "present"}), KNOBS.repair), KNOBS.strip)
    table = fingerprint.fingerprint(table, KNOBS.near, KNOBS.derivative)
    pair = np.zeros(1, np.int64), np.ones(1, np.int64)
    found = verdict.judge(reading.of(table), *pair, KNOBS.near, KNOBS.derivative)["relation"][0].as_py()
    shared = np.intersect1d(table["winnowed"][0].as_py(), table["winnowed"][1].as_py())
    assert found is None or len(shared), "a pair that is one story is proposed"
    return cast("str | None", found)


@pytest.mark.parametrize("name", EVASIONS)
def test_a_copy_in_disguise_is_found(name: str) -> None:
    disguised = EVASIONS[name](STORY)
    assert disguised != STORY
    assert judged(STORY, disguised) in ("exact", "near")


def test_a_russian_copy_with_latin_letters_is_found() -> None:
    text = " ".join(
        f"Ночной паром из порта номер {n} снова пойдёт в первую неделю мая, сообщила во вторник администрация гавани {n * 7}, после "
        "одиннадцати месяцев, в течение которых пассажирам приходилось пересаживаться на автобусы у моста." for n in range(2, 6)
    )  # fmt: skip
    assert judged(text, text.translate(str.maketrans("аеорсух", "aeopcyx"))) == "near"


@pytest.mark.parametrize(
    "text", ["5 μg of β-carotene and TGFβ, αvβ3", "Das Café in Köln", "ВАЗ-2107 и iPhone15Про", "Ελλάδα и Россия", "Ωmega"]
)
def test_words_of_science_and_of_other_scripts_stay_what_they_are(text: str) -> None:
    folded = ["".join(terms.point(sign)[1] for sign in word) for word in re.findall(r"\w+", text)]
    assert [word for word in terms.words(text) if word not in folded] == []


# ---- what is no file, and names ---------------------------------------------------------------------------------------


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("Not yours.")
    os.mkfifo(raw / "fifo.txt")
    endpoint = socket.socket(socket.AF_UNIX)
    endpoint.bind(str(raw / "socket.txt"))
    (raw / "out.txt").symlink_to(tmp_path / "secret.txt")
    (raw / "zero.txt").symlink_to("/dev/zero")
    (raw / "up").symlink_to(tmp_path)
    (raw / "sub" / "round").symlink_to(raw / "sub")
    (raw / "a.txt").write_text("The ferry was late again on Monday.")
    found = ingest.walk(raw)
    endpoint.close()
    assert found.skipped == {"link out of the root": 3, "not a file": 2}
    assert {file.uri: file.fault and file.fault[0] for file in found.files} == {"a.txt": None, "sub/round": "link_loop"}


@pytest.mark.parametrize("name", ["fifo", "device", "folder"])
def test_a_file_that_became_something_else_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """Between the walk and the reading anything may take its place."""
    path = tmp_path / "a.txt"
    path.write_text("Ferry.")
    file = ingest.raw_file(path, tmp_path)
    assert file is not None
    path.unlink()
    become: dict[str, Callable[[], None]] = {
        "fifo": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": path.mkdir,
    }
    become[name]()
    with fuzz.limited(10):
        (record,) = records(Source(file), 1_000)
    assert (record.kind, record.reason) == ("file", "unreadable")


NAMES = [
    b"../../up.txt",
    b"a\nb.txt",
    b"a#1?x=%2e%2e.txt",
    b"\xff\xfe.txt",
    "\u202etxt.exe.txt".encode(),
    b"-rf *.txt",
    b"$(id).txt",
    b"`id`;.txt",
    b"\x1b[2J.txt",
]


def test_names_and_ids_are_only_text(tmp_path: Path) -> None:
    """A name is percent-encoded in raw_uri; no id, whatever it says, is a path."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(raw), name.replace(b"/", b"\\")))).write_text(SENTENCE)  # noqa: PTH118  # names in bytes
    lines = [
        {"id": one, "text": f"{SENTENCE} {number}"}
        for number, one in enumerate(("../../x", "/etc/passwd", "C:\\x", "a\u0000b", "x" * 5_000, ".."))
    ]
    (raw / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    before = sorted(tmp_path.rglob("*"))
    rows = through(raw, tmp_path / "store")
    assert {*tmp_path.rglob("*")} - {*before} == {tmp_path / "store", *(tmp_path / "store").rglob("*")}
    assert all(re.fullmatch(r"[\w.~%/-]+", row["raw_uri"]) for row in rows)
    assert [row["raw_id"] for row in rows if row["raw_uri"] == "a.jsonl"][:3] == ["../../x", "/etc/passwd", "C:\\x"]
    assert sum(row["reason"] is None for row in rows) == len(rows) - 1


def through(raw: Path, store: Path) -> list[dict[str, Any]]:
    """What ingest makes of a folder."""
    store.mkdir()
    ledger = pq.read_table(ingest.read_batch(ingest.walk(raw).files, store, store / "ledger", 10_000_000, 2_000, 32_000_000))
    states = dict.fromkeys(ledger["raw_uri"].to_pylist(), "present")
    shards = sorted({name for names in ledger["shards"].to_pylist() for name in names})
    return [row for name in shards for row in ingest.parse(pq.read_table(store / name), KNOBS.ingest, states).to_pylist()]


# ---- bounds that are visible ------------------------------------------------------------------------------------------

BOUNDS: dict[str, tuple[str, bytes, str, str]] = {
    "a long text": ("a.txt", SENTENCE.encode() * 6_000, "too_large", "ingest.max_text_characters"),
    "many lines": ("a.txt", b"Ferry.\n" * 10_001, "too_large", "10,001 lines"),
    "a long page": ("a.html", b"<p>" + b"x" * 3_000_000, "too_large", "characters without scripts"),
    "many tags": ("a.html", b"<p>x" * 70_000, "too_large", "70,000 tags"),
    "many attributes": ("a.html", b"<p " + b" ".join(b"a%d" % n for n in range(30_000)) + b">x", "too_large", "attributes"),
    "many values": ("a.jsonl", b'{"text": "a", "b": [' + b"[]," * 2_100_000 + b"1]}", "too_large", "values"),
    "bytes in no charset": ("a.txt", b"\xe9\xc3\n\xe4\xbc a>" * 800_000, "too_large", "not UTF-8 throughout"),
    "a huge number": ("a.jsonl", b'{"text": "a", "n": ' + b"9" * 5_000 + b"}", "malformed_json", "4300 digits"),
    "columns without end": ("a.csv", b"a," * 20_000 + b"\n1", "too_large", "columns"),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_what_is_too_much_is_a_row_that_says_so(tmp_path: Path, name: str) -> None:
    file, data, reason, words = BOUNDS[name]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / file).write_bytes(data)
    began = time.process_time()
    (row,) = through(tmp_path / "raw", tmp_path / "store")
    assert (row["reason"], words in row["detail"]) == (reason, True), row["detail"]
    assert len(row["text"]) <= 200_000
    assert time.process_time() - began < 4


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("form", ["txt", "jsonl", "csv", "parquet"])
def test_a_bomb_is_one_row_that_says_so(tmp_path: Path, form: str, packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MOST_UNPACKED", 1 << 24)
    (tmp_path / "raw").mkdir()
    (bomb_gz if packing == ".gz" else bomb_zst)(tmp_path / "raw" / f"a.{form}{packing}", 1 << 26)
    rows = through(tmp_path / "raw", tmp_path / "store")
    assert [(row["kind"], row["reason"]) for row in rows][-1] == ("file", "too_large")
    assert "decompression bomb" in rows[-1]["detail"]
    assert len(rows) <= 2


def test_repair_that_is_given_up_says_where() -> None:
    line = "Die BrÃ¼cke Ã¼ber die MÃ¼hle gehÃ¶rt den BÃ¼rgern. "
    mended, edits = repair.repair_text("\n".join([line * 10] * 400), "text", KNOBS.repair)
    (note,) = [edit for edit in edits if edit["fix"] == repair.GIVEN_UP]
    assert mended[note["start"] :].startswith("Die BrÃ¼cke") is False or note["start"] > 0
    assert note["before"] == note["after"] == ""
    assert "Brücke" in mended[:1_000]
    assert "BrÃ¼cke" in mended[-1_000:]
    assert repair.apply("\n".join([line * 10] * 400), edits) == mended


# ---- nothing is executed or fetched ------------------------------------------------------------------------------------

SCRIPTS = (
    "<script>ran()</script>",
    "<img src=x onerror=ran()>",
    "\"'><svg onload=ran()>",
    "javascript:ran()",
    "</title><script>ran()</script>",
    "<iframe srcdoc='<script>parent.ran()</script>'>",
    "{{ran()}} ${ran()} {%raw%}",
    "=cmd|' /C calc'!A0",
)


def test_no_entity_of_a_page_is_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of the harbour")
    page = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "{"ha" * 50}">]><html><body><p>{SENTENCE}&x;&y;&y;</p><p>{SENTENCE}</p>'
    text = read_page(page, "balanced").text
    assert "Dock workers" in text
    assert "secret of" not in text
    assert "haha" not in text


def test_the_report_shows_markup_as_text(tmp_path: Path) -> None:
    """The page has its own three files; every text of a story is data in a script, that no text can end."""
    page = report_of(tmp_path)
    tree = html.fromstring(page.read_text(encoding="utf-8"))
    own = ["report.js", "data/000.js"]
    assert [(script.get("src"), script.text) for script in tree.xpath("//script")] == [(name, None) for name in own]
    assert [link.get("href") for link in tree.xpath("//link")] == ["report.css"]
    assert not tree.xpath("//img|//iframe|//object|//embed|//base|//style|//*[@style]")
    assert not [name for element in tree.iter() for name in element.keys() if name.startswith("on")]  # noqa: SIM118  # of lxml
    assert "default-src 'none'; script-src 'self' file:; style-src 'self' file:;" in page.read_text(encoding="utf-8")
    data = "".join(path.read_text(encoding="utf-8") for path in sorted((page.parent / "data").iterdir()))
    assert "<" not in data
    for script in SCRIPTS:
        assert json.dumps(script, ensure_ascii=False)[1:-1].replace("<", "\\u003c") in data
    code = (page.parent / "report.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|srcdoc", code)


@pytest.mark.browser
def test_the_report_runs_nothing_in_a_browser(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    report, docs = report_of(tmp_path), docs_of(tmp_path)
    for page, section in ((report, "#removed"), (report, "#clusters"), (docs, "")):
        assert "ran()" in "".join(path.read_text(encoding="utf-8") for path in [page, *page.parent.rglob("data/*.js")])
        proof = tmp_path / "proof.html"  # the browser does run scripts: else this test would prove nothing
        proof.write_text("<body><script>document.body.id='ran'</script>")
        for address, expected in ((proof.as_uri(), True), (page.as_uri() + section, False)):
            shown = subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", address],
                capture_output=True, text=True, timeout=120, check=False,
            ).stdout  # fmt: skip
            assert ('id="ran"' in shown) == expected, address
            assert expected or "ran()" in html.fromstring(shown).text_content()


def report_of(folder: Path) -> Path:
    """A report in which every text is a script."""
    from test_report import MONTHS, write

    harm = [script.replace("ran()", "document.body.id='ran'") for script in SCRIPTS] + list(SCRIPTS)
    rows: dict[str, list[dict[str, Any]]] = {"decisions": [], "stories": [], "duplicates": [], "quarantine": []}
    for number, script in enumerate(harm):
        kept, copy = f"{2 * number:032x}", f"{2 * number + 1:032x}"
        row = {"raw_id": script, "raw_uri": script, "title": script, "source": script, "url": script, "byline": script, "text": script}
        more = {
            "removed": [{"rule": script, "zone": "tail", "line": 0, "text": script}],
            "repairs": [{"step": 0, "field": "text", "start": 0, "end": 1, "before": script, "after": script, "fix": script}],
        }
        rows["stories"].append(row | more | {"story_id": kept, "cluster_id": kept, "copies": 2})
        rows["duplicates"].append(row | more | {"story_id": copy, "cluster_id": kept})
        scores = dict.fromkeys(("probability", "jaccard", "weighted_jaccard", "coverage"), 0.5)
        found = {
            "outcome": "duplicate",
            "relation": "near",
            "duplicate_of": kept,
            "reason": script,
            "evidence": [{"text": script, "other_text": script}],
        }
        rows["decisions"] += [
            {"story_id": kept, "raw_id": script, "raw_uri": script, "outcome": "kept"},
            {"story_id": copy, "raw_id": script, "raw_uri": script, "override": harm[0]} | scores | found,
        ]
        rows["quarantine"].append(
            {
                "story_id": f"{number:031x}q",
                "place": script,
                "stage": "ingest",
                "reason": script,
                "detail": script,
                "text": script,
                "raw_uri": script,
                "raw_id": script,
            }
        )
    for name, listed in rows.items():
        write(folder / "snapshot", name, listed)
    counts = report.counts(folder / "snapshot", files=1, records=3)
    gate = {"results": [{"status": script, "message": script} for script in harm]}
    where = {row["story_id"]: f"stories/{MONTHS[number % len(MONTHS)]}.parquet" for number, row in enumerate(rows["stories"])}
    write(folder / "snapshot", "changes", [{"story_id": story, "change": "added", "file": file} for story, file in where.items()])
    entries = [
        {"id": harm[0], "kind": "line", "text": harm[0], "boilerplate": True, "who": harm[0], "why": harm[0], "matched": False, "rows": 0}
    ]
    told = {
        "changes": {"parent": "before", "added": len(where), "changed": 0, "removed": 0, "rekeyed": 0},
        "overrides": {"entries": entries},
    }
    return report.write(
        folder / "snapshot",
        {"snapshot": harm[0], "run": {"raw": harm[1]}, "counts": counts, "gate": gate} | told,
        parent=folder / "before",
    )


def docs_of(folder: Path) -> Path:
    """The Data Docs page of a run whose findings are scripts."""
    from tasks.validate.rows import Counts
    from tasks.validate.run import Result, Verdict

    stories, run = validate.load_suite("stories"), validate.load_suite("run")
    words = " ".join(script.replace("ran()", "document.body.id='ran'") for script in SCRIPTS) + " ran()"
    found = Verdict(False, tuple(Result(rule.name, rule.severity, "failed", 1.0, words, words) for rule in run.rules))
    validate.data_docs(stories, Counts(), run, found, folder / "docs", name="hostile", at=datetime(2031, 1, 1, tzinfo=UTC))
    return max((folder / "docs").rglob("*.html"), key=lambda page: page.read_text(encoding="utf-8").count("ran()"))


# ---- what reaches a terminal ------------------------------------------------------------------------------------------

HARM = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b31m\x08\x0e\u202e"
COMMANDS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.prefect
def test_no_verb_lets_a_story_command_the_terminal(tmp_path: Path) -> None:
    from conftest import copydesk

    raw, curated = tmp_path / "raw", tmp_path / "curated"
    raw.mkdir()
    rows = [
        {
            "id": f"{HARM}one",
            "title": f"{HARM}Ferry strike ends",
            "source": f"{HARM}Post",
            "url": f"http://lowmoor.example/{HARM}",
            "text": f"{STORY}\n{HARM}Share this article",
        },
        {"id": f"{HARM}two", "title": f"{HARM}Ferry", "source": f"Echo{HARM}", "text": STORY.replace("Tuesday", f"Tue{HARM}sday")},
        {"id": f"{HARM}three", "text": {HARM: HARM}},
    ]
    (raw / f"a{HARM}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (raw / f"b{HARM}.txt").write_text(f"{STORY[:700]} {HARM}")
    (raw / "c.jsonl").write_text(f'{{"text": "x", "{HARM}": 1')
    own = tmp_path / "own.toml"
    own.write_text(
        "[[rule]]\nid = 'own'\nwhy = 'a test'\nkind = 'line'\nphrases = ['hauliers...']\nstrips = ['hauliers had']\nkeeps = ['the hauliers']\n"
    )
    ran = copydesk("run", "--raw", raw, "--curated", curated)
    assert ran.returncode == 0, ran.stderr
    told = [ran]
    decisions = pq.read_table(curated / "latest" / "decisions").to_pylist()
    for row in decisions:
        told.append(copydesk("explain", row["story_id"], "--curated", curated))
        told.append(copydesk("explain", row["raw_id"], "--curated", curated))
    told.append(copydesk("compare", decisions[0]["story_id"], decisions[1]["story_id"], "--curated", curated))
    told += [copydesk("clean", path) for path in sorted(raw.iterdir())]
    told += [
        copydesk("rules", "--curated", curated),
        copydesk("rules", "--test", own, "--raw", raw, "--curated", curated),
        copydesk("verify", "--curated", curated),
    ]
    assert {one.returncode for one in told} <= {0, 1}, [one.stderr for one in told if one.returncode > 1]
    for one in told:
        found = COMMANDS.search((one.stdout + one.stderr).replace("\r\n", "\n"))
        assert not found, (one.args[3:], one.stdout[max(0, found.start() - 100) : found.start() + 40])
