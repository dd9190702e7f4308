"""Every fenced block of the docs runs, or is what it says it is. The language of the fence says how: see HOW."""

from __future__ import annotations

import configparser
import contextlib
import io
import json
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from inline import inline, run
from snippets import Snippet, calls, commands, console, fits, snippets

from flows.command_line import main, parser
from tasks import validate
from tasks.boilerplate.rules import read_rules
from tasks.settings import Settings

ELSEWHERE = {"tutorial.md", "consumers.md"}  # with tests of their own, which run them in order
PAGES = sorted(page for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")] if page.name not in ELSEWHERE)
FOUND = [snippet for page in PAGES for snippet in snippets(page)]
READS = {"clean", "compare", "explain", "path", "rules", "snapshots", "verify"}  # verbs that write nothing, and are quick


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder as after `make curate`."""
    home = tmp_path_factory.mktemp("snippets")
    shutil.copytree(ROOT / "raw", home / "raw")
    with contextlib.chdir(home), inline():
        assert run(Path("raw"), Path("curated")).end == "published"
    return home


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def parses(snippet: Snippet) -> None:
    """Shell: every call of copydesk in it is one that the command line takes."""
    for command in commands(snippet.body):
        understood(command)


def understood(command: str) -> None:
    for arguments in calls(command):
        with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()) as complaint:  # --help ends so, in peace
            parser().parse_args(arguments)
        assert complaint.getvalue() == "", command


def loads(snippet: Snippet) -> None:
    """TOML: settings, rules, or overrides."""
    values = tomllib.loads(snippet.body)
    path = Path("snippet.toml")
    path.write_text(snippet.body, encoding="utf-8")
    if values.keys() & {"rule", "disable"}:
        read_rules(path)
    elif "override" in values:
        pytest.importorskip("tasks.overrides").read(path)
    else:
        Settings.model_validate(values)


def reads(snippet: Snippet) -> None:
    """JSON: one value, or one a line; an expectation is one that a suite can have."""
    try:
        value = json.loads(snippet.body)
    except ValueError:
        assert [json.loads(line) for line in snippet.body.splitlines()]
        return
    if isinstance(value, dict) and "kwargs" in value:
        Path("stories.json").write_text(json.dumps({"name": "stories", "expectations": [value]}), encoding="utf-8")
        assert validate.load_suite("stories", Path()).names == (value["meta"]["name"],)


def is_yaml(snippet: Snippet) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(snippet.body)


def queries(snippet: Snippet) -> None:
    """SQL: DuckDB knows the tables and columns."""
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        connection.execute(snippet.body).fetchall()


def shown(snippet: Snippet) -> None:  # what `console` runs, test_what_a_console_shows_is_so does
    parses(Snippet(*snippet[:4], "\n".join(one.command for one in console(snippet.body))))


def is_what_it_says(snippet: Snippet) -> None:
    """Text and diffs: for the eye; those that show figures have tests of their own (tests/test_docs.py)."""
    assert snippet.body.strip()


def is_ini(snippet: Snippet) -> None:
    """Units of systemd are written so; they may name a key twice."""
    found = configparser.RawConfigParser(strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # keys stay as they are written
    found.read_string(snippet.body)
    assert found.sections()


HOW: dict[str, Callable[[Snippet], None]] = {
    "": is_what_it_says,
    "console": shown,
    "diff": is_what_it_says,
    "ini": is_ini,
    "json": reads,
    "sh": parses,
    "sql": queries,
    "text": is_what_it_says,
    "toml": loads,
    "yaml": is_yaml,
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("snippet", [one for one in FOUND if one.language != "python"], ids=str)
def test_a_block_is_what_its_fence_says(snippet: Snippet) -> None:
    assert snippet.language in HOW, f"```{snippet.language}: one of {', '.join(HOW)} or python, so that it can be tested"
    HOW[snippet.language](snippet)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(one.language == "python" for one in snippets(page))], ids=lambda page: page.stem
)
def test_the_python_of_a_page_runs(page: Path) -> None:
    """From top to bottom, in one session; what is marked `{.server}` is only compiled."""
    names: dict[str, object] = {}
    for snippet in snippets(page):
        if snippet.language == "python":
            code = compile(snippet.body, str(snippet), "exec")
            if ".server" not in snippet.marks:
                exec(code, names)  # noqa: S102 - our own pages


def shows() -> Iterator[tuple[Snippet, str, str]]:
    for snippet in FOUND:
        if snippet.language == "console":
            for one in console(snippet.body):
                first = next(calls(one.command), [""])
                if first[0] in READS and one.output.strip():
                    yield snippet, one.command, one.output


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("snippet", "command", "output"), list(shows()), ids=lambda value: str(value)[:60])
def test_what_a_console_shows_is_so(snippet: Snippet, command: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in calls(command):
        main(arguments)
    said = capsys.readouterr().out
    assert fits(output, said), f"{snippet}: {command} says\n{said}"


def test_the_blocks_are_found() -> None:
    """A page whose fences are written otherwise would be passed over."""
    for page in PAGES:
        fences = sum(line.lstrip().startswith("```") for line in page.read_text(encoding="utf-8").splitlines())
        assert fences == 2 * len(snippets(page)), page
    assert {one.language for one in FOUND} >= {"console", "json", "python", "sh", "sql", "toml"}


def test_what_is_shown_is_compared() -> None:
    assert fits("a\n…\nd\n", "a\nb\nc\nd\n")
    assert fits("a … d", "a b c d\n")
    assert not fits("a\n…\nd\n", "a\nb\nc\ne\n")
    assert not fits("a\n", "a\nb\n")
    assert list(calls('cd "$(copydesk path)" && copydesk run --set near.jaccard=0.6 || echo no  # copydesk not')) == [
        ["path"],
        ["run", "--set", "near.jaccard=0.6"],
    ]
    assert list(calls("A=b .venv/bin/copydesk completion bash > copydesk; pip install copydesk")) == [["completion", "bash"]]
