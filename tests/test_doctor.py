"""`copydesk doctor`: what it finds wrong, and that it finds nothing wrong where nothing is."""

from __future__ import annotations

import errno
import json
import os
import shutil
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from flows import doctor
from flows.command_line import main
from flows.doctor import Check

pytestmark = pytest.mark.prefect


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a story, without a server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("A story of one paragraph with enough words to stay.")
    return tmp_path


def examine(**given: Any) -> dict[str, Check]:
    """The checks by name, of several the worst."""
    known = {"raw": "raw", "curated": "curated", "settings_file": None, "overrides": ()}
    found: dict[str, Check] = {}
    for check in doctor.examine(**(known | given)):
        if check.name not in found or check.state != "ok":
            found[check.name] = check
    return found


def test_all_is_well_on_the_machine_that_runs_the_tests(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["name"] for one in told} >= {
        "python",
        "packages",
        "settings",
        "offline",
        "cache",
        "raw",
        "disk",
        "links",
        "lock",
        "clock",
        "prefect",
    }
    assert [one for one in told if one["state"] == "fail"] == []
    assert sorted(path.name for path in place.iterdir()) == ["raw"]  # nothing is left behind


def test_each_line_says_what_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "copydesk.toml").write_text("[near]\njaccard = 7\n")
    assert main(["doctor", "--raw", "none"]) == 3
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail settings"))
    assert "near.jaccard = 7 is not allowed" in lines[at]
    assert "copydesk init" in lines[at + 1]
    assert any(line.startswith("warn raw       none is no folder") for line in lines)
    assert "\x1b" not in "".join(lines)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("package", "here", "words"),
    [
        ("sqlalchemy", "2.1.0", "silently never creates scheduled runs"),
        ("fastapi", "0.151.0", "`prefect deploy` fails"),
        ("datasketch", "1.6.5", "do not mix"),
    ],
)
def test_the_traps_of_the_packages_are_told(monkeypatch: pytest.MonkeyPatch, package: str, here: str, words: str) -> None:
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: here if name == package else real(name))
    found = examine()["packages"]
    assert found.state == "fail"
    assert found.says.startswith(f"{package} {here}, but copydesk wants ")
    assert words in found.says
    assert found.do.startswith(f"pip install '{package}")


@pytest.mark.usefixtures("place")
def test_a_package_of_an_extra_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name in ("distributed", "polars", "rich"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    told = [check for check in doctor.examine("raw", "curated", None, ()) if check.name == "packages"]
    assert [(check.state, check.says) for check in told] == [("fail", "rich is missing")]


def test_a_held_folder_and_one_whose_holder_is_gone(place: Path) -> None:
    from flows import lease
    from flows.folder import held

    (place / "curated").mkdir()
    with held(place / "curated"):
        found = examine()["lock"]
        assert found.state == "warn"
        assert f"process {os.getpid()}" in found.says
    record = lease.owner_record(None) | {"process_started": 1}
    (place / "curated" / ".lock").write_text(json.dumps(record))
    assert examine()["lock"].state == "ok"


@pytest.mark.usefixtures("place")
def test_little_disk_no_links_and_a_folder_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise OSError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**8))
        assert examine()["disk"].state == "fail"
        patch.setattr(os, "link", refuse)
        assert examine()["links"].state == "warn"
        patch.setattr(Path, "symlink_to", refuse)
        assert examine()["links"].state == "fail"
        patch.setattr(os, "access", lambda *_: False)
        assert {name: examine()[name].state for name in ("curated", "cache", "kernels")} == {
            "curated": "fail",
            "cache": "warn",
            "kernels": "warn",
        }


def test_a_server_that_does_not_answer_and_a_check_that_breaks(place: Path) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        found = examine()["prefect"]
    assert (found.state, "does not answer" in found.says, "unset PREFECT_API_URL" in found.do) == ("fail", True, True)
    (place / "curated" / "snapshots" / "x").mkdir(parents=True)
    (place / "curated" / "latest").symlink_to("snapshots/gone")
    broken = examine()
    assert broken["lock"].state == "fail" or broken["published"].state == "fail"
    assert broken["clock"].state == "ok"
