"""The command line as a user has it: exit codes, what is printed, no stack trace."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ROOT, copydesk

from flows.command_line import parser

pytestmark = [pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    done = copydesk("--help")
    assert done.returncode == 0
    for verb in verbs():
        assert f"\n    {verb}" in done.stdout
    assert "what to do first:\n  copydesk init news" in done.stdout
    assert "exit codes:\n  0  done" in done.stdout
    heavy = "import sys, flows.command_line; print([m for m in ('prefect', 'pyarrow', 'pydantic', 'rich', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", heavy], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def verbs() -> dict[str, argparse.ArgumentParser]:
    (added,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(added.choices)


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_s_help_begins_with_what_it_does_and_has_examples_that_can_be_read(verb: str) -> None:
    """An example is a command that its verb's own parser takes."""
    shown = verbs()[verb].format_help()
    examples = [line.strip() for line in shown.partition("examples:\n")[2].splitlines()]
    of_this = [line for line in examples[: examples.index("") if "" in examples else None] if line.startswith(f"copydesk {verb}")]
    assert of_this or verb in ("path", "serve"), shown
    for line in of_this:
        command = re.split(r" {2,}| [|&>]|$", line)[0]
        parser().parse_args(shlex.split(command)[1:])


ANSWERS = {
    "init": "folder",
    "run": "end",
    "explain": "a record",
    "clean": "a record",
    "compare": "verdict",
    "rules": "a rule",
    "snapshots": "a snapshot",
    "verify": "a snapshot",
    "rollback": "published",
    "path": "path",
    "report": "path",
    "fit": "model",
    "doctor": "a check",
}


def test_every_verb_that_answers_has_json() -> None:
    assert {verb for verb, its in verbs().items() if any(action.dest == "json" for action in its._actions)} >= set(ANSWERS)


def test_a_shell_completes_verbs_and_options() -> None:
    import shtab

    from flows.command_line import main

    with pytest.MonkeyPatch.context() as patch, io.StringIO() as out:
        patch.setattr(sys, "stdout", out)
        assert main(["completion", "bash"]) == 0
        script = out.getvalue()
    asked = 'COMP_WORDS=(copydesk ro); COMP_CWORD=1; _shtab_copydesk; echo "${COMPREPLY[@]}"'
    found = subprocess.run(["bash", "-c", f"{script}\n{asked}"], capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["rollback"], found.stderr
    assert set(verbs()["completion"]._actions[1].choices or ()) <= set(shtab.SUPPORTED_SHELLS)


def test_the_sample_comes_out_as_its_page_says(sample_run: Path) -> None:
    """raw/README.md tells what should become of every file; so it is."""
    import pyarrow.parquet as pq

    rows = pq.read_table(sample_run / "latest" / "decisions").to_pylist()
    names = {row["story_id"]: row["raw_id"] for row in rows}
    expected: dict[str, list[str]] = {}
    for line in (ROOT / "raw" / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        for name in _ids(cells[0]):
            expected.setdefault(name, []).append(cells[2])
    found: dict[str, list[str]] = {}
    for row in rows:
        meant = {
            "kept": "kept",
            "quarantined": "quarantined",
            "duplicate": f"duplicate of `{names.get(row['duplicate_of'], '')}`, {row['relation']}",
        }
        found.setdefault(row["raw_id"], []).append(meant[row["outcome"]])
    for name, said in expected.items():
        for outcome in said:
            words = outcome.split(":")[0].split(" (")[0]
            words = words.split(", decoded")[0].split(", encoding")[0].split(". A complete")[0]
            if words.startswith("duplicate of the second version"):
                words = "duplicate of `qo-9913`, near"
            assert any(one == words or one.startswith(words) for one in found[name]), (name, words, found[name])


def _ids(cell: str) -> list[str]:
    """The raw_ids a row of raw/README.md speaks of: the record's, else the file's stem."""
    quoted = cell.split("`")[1::2]
    if "line" in cell:
        return ["newsferry-2025-10-29#3" if "4th" in cell else "newsferry-2025-10-30"]
    return quoted[1:] or [Path(quoted[0]).stem]


def test_a_terminal_has_colours_unless_it_wants_none_and_a_pipe_never() -> None:
    code = "from flows import terminal; terminal.check('disk', 'fail', 'full', 'make room'); terminal.err.print('[red]gone[/red]')"

    def shown(**environment: str) -> str:
        known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")} | {"TERM": "xterm-256color"}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=known | environment, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    assert "\x1b" not in shown()
    assert "\x1b[31m" in shown(FORCE_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown(FORCE_COLOR="1", NO_COLOR="1"))


def test_a_bar_has_its_stage_s_length_from_the_start_and_a_log_one_line_a_stage(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from flows import terminal

    def work() -> str:
        with io.StringIO() as out, pytest.MonkeyPatch.context() as patch:
            patch.setattr(terminal, "err", Console(file=out, force_terminal=tty, width=80, highlight=False, soft_wrap=True))
            with terminal.progress():
                for done in range(8):
                    logging.getLogger("copydesk").info("work %d of 7", done, extra={"stage": "work", "done": done, "total": 7})
            return out.getvalue()

    tty = False
    assert not logging.getLogger("copydesk").isEnabledFor(logging.INFO)  # it is asked before the bars are there, and remembers the answer
    assert work() == "work 7 of 7\n"
    tty = True
    assert "0/7" in work()
    assert "/100" not in work()
    with terminal.progress(as_json=True):
        for done in range(3):
            logging.getLogger("copydesk").info("x", extra={"stage": "work", "done": done, "total": 2})
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_second_run_says_that_nothing_is_new(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    first = copydesk("run", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "= stories kept" in first.stdout
    assert "Traceback" not in first.stderr
    assert "\x1b" not in first.stdout + first.stderr
    second = copydesk("run", cwd=tmp_path)
    assert second.returncode == 0
    assert second.stdout.startswith("nothing new: curated/latest is up to date")
    third = copydesk("run", "--json", cwd=tmp_path)
    told = json.loads(third.stdout)
    assert (told["end"], told["counts"]["kept"], third.returncode) == ("nothing new", 1, 0)
    assert json.loads(copydesk("path", "stories", "--json", cwd=tmp_path).stdout)["path"] == f"{told['path']}/stories"
    assert {"name", "status", "message"} <= set(told["gates"][0])
    assert len(list((tmp_path / "curated" / "snapshots").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--raw", "nowhere"], "raw folder nowhere: No such file or directory"),
        (["run", "--set", "near.jaccard=7"], "near.jaccard = 7 is not allowed"),
        (["run", "--settings", "none.toml"], "none.toml cannot be read"),
        (["run", "--raw", "raw", "--accept", "nonsense"], "there is no such rule"),
        (["run", "--workers", "0"], "run.workers = 0 is not allowed"),
        (["run", "--runner", "dusk:tcp://10.0.0.7:8786"], "there are local, dask (a cluster on this machine) or dask:tcp://HOST:PORT"),
        (["run", "--runner", "dask:"], "there are local, dask (a cluster on this machine) or dask:tcp://HOST:PORT"),
        (["explain", "x", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["verify", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["verify", "none", "--curated", "nowhere"], "no snapshot"),
        (["verify", "--all", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["snapshots", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["rollback", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["run", "--wait", "soon"], "--wait: soon is no number of seconds"),
        (["run", "--set", "publish.keep=0"], "publish.keep"),
        (["run", "--set", "publish.keep=some"], "publish.keep"),
        (["path", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["clean", "nothing.txt"], "no file nothing.txt"),
        (["clean", "raw"], "raw is a folder"),
        (["clean", "Makefile"], "not a format that can be read"),
        (["rules", "--set", "strip.rules=none.toml"], "none.toml cannot be read"),
        (["rules", "--test", "none.toml", "--raw", "raw"], "none.toml cannot be read"),
        (["rules", "--test", "README.md", "--raw", "raw"], "README.md is not TOML"),
        (["rules", "--test", "none.toml", "--raw", "nowhere"], "there is no such folder"),
        (["rules", "--test", "none.toml", "--curated", "nowhere"], "no snapshot under nowhere"),
        (["serve"], "serve needs a Prefect server"),
        (["serve", "--runner", "dusk"], "there are local, dask"),
        (["serve", "--cron", "every hour"], "--cron 'every hour'"),
        (["serve", "--timezone", "Mars/Base"], "--timezone 'Mars/Base'"),
        (["serve", "--every", "soon"], "soon is no time between runs; write e.g. 90s, 15m, 2h or 1d"),
        (["serve", "--set", "near.jaccard=7"], "near.jaccard = 7 is not allowed"),
        (["init", "flows/.."], "nothing is overwritten"),
        (["completion", "csh"], "invalid choice"),
        (["fly"], "invalid choice"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    if arguments[0] == "run" and "--curated" not in arguments:
        arguments = [*arguments, "--curated", str(tmp_path / "curated")]
    with pytest.MonkeyPatch.context() as patch:
        if arguments == ["serve"]:
            patch.delenv("PREFECT_API_URL")
        done = copydesk(*arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a story in raw/, where a run finds no server: it starts one of its own, with its database in cache/."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    return tmp_path


def test_a_run_of_its_own_is_quiet_and_recorded_by_prefect(alone: Path) -> None:
    done = copydesk("run", cwd=alone)
    assert done.returncode == 0, done.stderr
    assert not re.search("prefect|uvicorn|server", done.stdout + done.stderr, re.IGNORECASE)
    with closing(sqlite3.connect(alone / "cache" / "prefect" / "prefect.db")) as database:
        runs = database.execute("select name, state_type from flow_run").fetchall()
        tasks = database.execute("select name, state_type from task_run").fetchall()
    ((name, state),) = runs
    assert re.fullmatch(r"raw -> curated, \d{4}-\d\d-\d\d \d\d:\d\d UTC", name)
    assert state == "COMPLETED"
    assert len(tasks) >= 3
    assert {state for _, state in tasks} == {"COMPLETED"}


def test_a_killed_run_leaves_no_process_behind(alone: Path) -> None:
    command = [sys.executable, "-m", "flows.command_line", "run"]
    with subprocess.Popen(command, cwd=alone, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True) as process:
        _until((alone / "curated" / ".work").exists)
        process.kill()
    _until(lambda: not _session(process.pid))


def _until(true: Callable[[], bool]) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("waited for two minutes")


def _session(leader: int) -> list[int]:
    """The processes of a session, but for those that ended and were not waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # gone in the meantime
            continue
        if int(session) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def test_what_workers_are_forked_with_can_be_imported() -> None:
    """The server of the workers says nothing when a name is wrong; it would only be slow."""
    code = "import flows.preload, sys; sys.exit(not all(name in sys.modules for name in flows.preload.NAMES))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_held_folder_ends_with_4(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    holder = "import sys, time; from pathlib import Path; from flows.folder import held\nwith held(Path(sys.argv[1])): print('held', flush=True); time.sleep(120)"
    (tmp_path / "curated").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "curated")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PREFECT_LOGGING_LEVEL": "CRITICAL"},
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        done = copydesk("run", cwd=tmp_path)
        process.kill()
    assert done.returncode == 4, done.stderr
    assert f"process {process.pid}" in done.stderr


def test_output_that_cannot_be_written_ends_with_3(tmp_path: Path) -> None:
    (tmp_path / "curated").write_text("a file where a folder must be")
    done = copydesk("run", "--curated", tmp_path / "curated")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_explain_tells_the_decision_the_evidence_and_the_lines(sample_run: Path) -> None:
    done = copydesk("explain", "flood-barrier-leaked-report", "--curated", sample_run)
    assert done.returncode == 0, done.stderr
    for words in ("duplicate", "derivative", "probability", "LEAVE A REPLY", "- "):
        assert words in done.stdout
    records = [json.loads(line) for line in copydesk("explain", "qo-9913", "--curated", sample_run, "--json").stdout.splitlines()]
    assert sorted(record["outcome"] for record in records) == ["duplicate", "kept"]
    assert copydesk("explain", "nobody", "--curated", sample_run).returncode == 2


def test_clean_shows_what_goes_and_why() -> None:
    done = copydesk("clean", "raw/calder-daily/flood-barrier-leaked-report.txt")
    assert done.returncode == 0, done.stderr
    assert "- LEAVE A REPLY  comments, tail\n" in done.stdout
    assert "- by editor  byline, head\n" in done.stdout
    assert "   3  share: share bar and links to social networks\n" in done.stdout
    assert "Torrance Vail, an engineering consultancy" in done.stdout
    french = copydesk("clean", "raw/courrier-de-vauclair/boulangerie-cooperative.txt")
    assert "~ text: read cp1252 as utf-8\n" in french.stdout
    assert "PrÃ©s -> Saint-Elme-des-Prés" in french.stdout
    assert "byline        Maëlle Kerouédan\n" in french.stdout
    assert "- Lire aussi :  related-end, tail\n" in french.stdout
    page = copydesk("clean", "raw/tarrant-ledger/rope-by-rope.html").stdout
    assert page.index("It snowed") < page.index("left on the page") < page.index("- Most Read\n")
    assert "- OSSWAY" not in page
    as_json = [json.loads(line) for line in copydesk("clean", "raw/feeds/skerry-mail-export.csv", "--json").stdout.splitlines()]
    assert [record["raw_id"] for record in as_json] == ["skm-3307", "skm-3312"]


def test_clean_in_a_terminal_folds_lines_and_commands_nothing() -> None:
    from flows import terminal

    line = "Dock workers in the port voted on Monday to continue their strike, the union said in a statement to the press."
    removed = [{"rule": "cookies", "zone": "tail", "line": 1, "text": "We use cookies. " * 60 + "\x1b[2J"}]
    repairs = [{"field": "text", "fix": "read cp1252 as utf-8", "before": f"Ã©{n}", "after": f"é{n}"} for n in range(20)]
    with pytest.MonkeyPatch.context() as patch:
        console = terminal._Piped(highlight=False, soft_wrap=True, force_terminal=True, width=60)
        patch.setattr(terminal, "out", console)
        with console.capture() as captured:
            terminal.story({"text": line, "removed": removed, "repairs": repairs}, {"cookies": "consent"})
    shown = captured.get()
    assert max(len(re.sub("\x1b\\[[0-9;]*m", "", row)) for row in shown.splitlines()) <= 60
    assert "\x1b[2J" not in shown
    assert "more characters" in shown
    assert "and 12 more" in shown


def test_rules_lists_every_rule_with_its_hits(sample_run: Path) -> None:
    from tasks import boilerplate

    done = copydesk("rules", "--curated", sample_run)
    assert done.returncode == 0, done.stderr
    assert "[Related Stories]" in done.stdout
    listed = [json.loads(line) for line in copydesk("rules", "--curated", sample_run, "--json").stdout.splitlines()]
    assert [rule.id for rule in boilerplate.load_rules()] == [one["rule"] for one in listed if one["kind"]]
    assert all(one["rule"] in done.stdout for one in listed)
    assert sum(one["hits"] for one in listed) > 50
    assert all((one["example"] is None) == (one["hits"] == 0) for one in listed)


TRIED = """
disable = ["related-end"]

[[rule]]
id = "the-ferry"
why = "a test"
kind = "line"
phrases = ["the ferry..."]
strips = ["The ferry was late"]
keeps = ["A ferry", "The ferry waits"]
"""


def test_rules_are_tried_before_they_are_adopted(sample_run: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(TRIED)
    (tmp_path / "raw").mkdir()
    body = "Dock workers in the port voted on Monday to continue their strike, the union said.\n\nThe ferry stays in port until Friday, it added."
    (tmp_path / "raw" / "a.txt").write_text(body)
    (tmp_path / "raw" / "b.txt").write_text("Nothing of the kind is told in this second story of the port.")
    done = copydesk("rules", "--test", rules, "--raw", tmp_path / "raw", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["stories"], found["changed"], found["removed"], found["disabled"]) == (2, 1, 1, ["related-end"])
    assert found["rules"] == [
        {
            "rule": "the-ferry",
            "lines": 1,
            "stories": 1,
            "examples": [{"text": "The ferry stays in port until Friday, it added.", "times": 1}],
        }
    ]
    assert found["sources"][0]["read"] == 2
    assert found["examples"] == [{"rule": "the-ferry", "line": "The ferry waits", "should": "keep"}]
    assert [one["raw_id"] for one in found["losers"]] == ["a"]
    shown = copydesk("rules", "--test", rules, "--curated", sample_run)
    assert shown.returncode == 0, shown.stderr
    assert "built-in rules switched off: related-end" in shown.stdout
    assert "wrong the-ferry takes what it must leave: The ferry waits" in shown.stdout
    assert "would stay that go now" in shown.stdout


def test_a_model_is_not_written_over_a_folder_nor_without_stories(sample_run: Path, tmp_path: Path) -> None:
    from flows import corpus

    folder = copydesk("fit", "furniture", "--curated", sample_run, "--out", tmp_path)
    assert (folder.returncode, "is a folder" in folder.stderr) == (2, True)
    few = copydesk("fit", "furniture", "--curated", sample_run, "--out", tmp_path / "furniture.jsonl")
    assert (few.returncode, "no source has 20 different stories" in few.stderr) == (2, True)
    assert list(corpus.stories(sample_run / "latest", {})) == []


def test_verify_and_path(sample_run: Path) -> None:
    assert copydesk("verify", "--curated", sample_run).returncode == 0
    path = Path(copydesk("path", "--curated", sample_run).stdout.strip())
    assert path == (sample_run / "latest").resolve()
    assert Path(copydesk("path", "stories", "--curated", sample_run).stdout.strip()) == path / "stories"


def test_verify_of_a_damaged_snapshot_fails(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    assert copydesk("run", cwd=tmp_path).returncode == 0
    next((tmp_path / "curated" / "latest" / "stories").iterdir()).unlink()
    done = copydesk("verify", cwd=tmp_path)
    assert done.returncode == 3
    assert "missing" in done.stdout


def test_ctrl_c_ends_cleanly(tmp_path: Path) -> None:
    import signal

    with subprocess.Popen(
        [sys.executable, "-m", "flows.command_line", "run", "--curated", str(tmp_path / "curated")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for _ in range(600):
            if (tmp_path / "curated" / ".work").exists():
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "nothing was published" in stderr
    assert "Traceback" not in stderr
    assert not (tmp_path / "curated" / "latest").exists()


def test_the_log_for_machines_has_run_stage_and_shard_and_no_story(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    done = copydesk("run", "--log-json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line["run"] for line in told} == {json.loads((tmp_path / "curated/latest/manifest.json").read_text())["run"]["id"]}
    (work,) = (line for line in told if line.get("stage") == "work")
    assert work["shard"].endswith(".parquet")
    assert work["seconds"] > 0
    assert (work["number"], work["total"], work["level"]) == (1, 1, "info")
    assert "enough words" not in done.stderr


def test_a_damaged_index_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("a", "b"):
        (tmp_path / "raw" / f"{name}.txt").write_text(f"Story {name} is of one paragraph with enough words to stay.")
        done = copydesk("run", cwd=tmp_path)
        for features in (tmp_path / "curated" / "index").glob("*/*.arrow"):
            features.write_bytes(b"ARROW1")
    assert done.returncode == 3
    assert "damaged" in done.stderr
    assert "what lies in index/ is derived: delete that folder" in done.stderr
    assert "Traceback" not in done.stderr
    shutil.rmtree(tmp_path / "curated" / "index")
    assert copydesk("run", cwd=tmp_path).returncode == 0
