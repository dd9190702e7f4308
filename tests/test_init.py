"""`copydesk init`: a folder that works as it is, with every setting explained, and that never overwrites."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT
from inline import inline

from flows import workspace
from flows.command_line import main
from tasks import settings, validate


def test_the_settings_of_a_new_folder_are_the_built_in_ones_each_explained(tmp_path: Path) -> None:
    text = workspace.settings_toml()
    assert tomllib.loads(text)["check"] == {"expectations": "expectations"}
    switched_on = re.sub(r'^#(?!workers)([a-z_]+ = (?!"\.\.\."))', r"\1", text, flags=re.MULTILINE)
    (tmp_path / "all.toml").write_text(switched_on.replace('expectations = "expectations"\n', ""))
    assert settings.load(tmp_path / "all.toml") == settings.load()
    for section, field in settings.Settings.model_fields.items():
        for knob, about in field.annotation.model_fields.items():  # type: ignore[union-attr]  # sections are models
            assert f"\n#{knob} = " in text or f"\n{knob} = " in text or f"[{section}.{knob}]" in text
            assert " ".join((about.description or "").split())[:40] in " ".join(text.replace("\n#", " ").split()) or about.default_factory


def test_a_new_folder_runs_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.curate import curate

    made = workspace.create(tmp_path)
    assert sorted(map(str, made)) == sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    monkeypatch.chdir(tmp_path)
    for suite in ("stories", "run"):
        assert validate.rule_names(suite, tmp_path / "expectations") == validate.rule_names(suite)
    with inline():
        outcome = curate.fn("raw", "curated", "copydesk.toml", ("run.workers=1",))
    assert outcome.end == "published"
    counts = outcome.manifest["counts"]
    assert (counts["records"], counts["kept"], counts["duplicates"], counts["quarantined"]) == (
        4,
        2,
        {"near": 1},
        {"ingest": {"no_text": 1}},
    )


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "copydesk.toml").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert "has copydesk.toml already, and nothing is overwritten" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["copydesk.toml"]
    assert main(["init", str(tmp_path / "new"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["folder"], "prefect.yaml" in told["files"]) == (str(tmp_path / "new"), True)
    assert main(["init", str(tmp_path / "new")]) == 2


def test_the_deployment_of_the_repository_is_that_of_a_new_folder() -> None:
    assert (ROOT / "prefect.yaml").resolve() == ROOT / "flows" / "new" / "prefect.yaml"
