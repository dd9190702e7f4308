"""What a run tells a Prefect server, without one: escaped, short, and never a reason to fail."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest

from flows import deployment, watch
from flows.watch import NotPublishedError, Outcome
from tasks import stages


def outcome(end: str = "published", message: str = "kept: 2 is below 3.", status: str = "failed") -> Outcome:
    counts = {"records": 1204, "files": 3, "kept": 1000, "quarantined": {"ingest": {"no_text": 4}}, "duplicates": {"near": 200}}
    results = [
        {"name": "conservation", "status": "passed", "observed": 0.0, "limit": "exactly 0", "message": "well"},
        {"name": "some_story", "status": status, "observed": 0.25, "limit": "at least 1", "message": message},
    ]
    held = {"snapshots": ["old"], "repeats": ["raw file <b>x</b>|y.txt"]}
    return Outcome(end, Path("/c/snapshots/S"), {"counts": counts, "gate": {"results": results}, "held": held})


def test_the_end_of_a_run_is_one_sentence_that_begins_with_what_matters() -> None:
    assert outcome().reason == "published 1,000 stories of 1,204 records as S"
    assert outcome("nothing new").reason == "nothing new: S is up to date"
    refused = str(NotPublishedError(outcome("refused")))
    assert refused == "refused: kept: 2 is below 3. The published snapshot stays; what was refused lies in /c/snapshots/S"
    assert "`copydesk rollback --release`" in outcome("held").reason


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a | b", "[x](http://outlet.example)", "*b* _i_ `c`", "# one\n\n| two |"])
def test_what_came_with_the_data_commands_neither_markdown_nor_html(hostile: str) -> None:
    shown = watch.summary(outcome("refused", hostile))
    assert "<script" not in shown
    row = next(line for line in shown.splitlines() if line.startswith("| some"))
    assert row.replace("\\|", "").count("|") == 5
    assert "](http" not in shown
    assert "`c`" not in shown.replace("\\`", "")
    assert shown.count("\n## ") + shown.count("\n# ") == 0  # the title is the first line


def test_the_summary_says_what_was_refused_and_where_to_look() -> None:
    shown = watch.summary(outcome("refused"))
    assert shown.startswith("## Refused: 1,000 stories kept of 1,204 records\n\nRefused: kept: 2 is below 3. The published")
    assert "| report | /c/snapshots/S/report/index.html |" in shown
    assert shown.index("| some\\_story | **failed** | 0.25 | at least 1 |") < shown.index("| conservation | passed | 0 | exactly 0 |")
    assert "- **warned** look" in watch.summary(outcome("published", "look", "warned"))
    assert [row["records"] for row in watch.funnel(outcome().manifest["counts"])] == [1204, -4, -200, 1000]


def test_keys_of_assets_are_those_that_prefect_takes() -> None:
    from prefect.assets import Asset

    for folder in ("/srv/news desk/[1]/curated", "relative", "s3://key:secret@news/cu rated?x=1"):
        key = watch.asset_key(folder, "latest", "stories")
        assert Asset(key=key).key == key
        assert "secret" not in key


class Told:
    """Stands for the server's artifacts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: bool = False) -> None:
        from prefect import artifacts

        self.calls: list[tuple[float, str | None]] = []

        def create(progress: float, description: str | None = None, **_: Any) -> Any:
            from uuid import uuid4

            if fails:
                raise ConnectionError("gone")
            self.calls.append((progress, description))
            return uuid4()

        monkeypatch.setattr(artifacts, "create_progress_artifact", create)
        monkeypatch.setattr(artifacts, "update_progress_artifact", lambda _id, share, words: self.calls.append((share, words)))
        monkeypatch.setattr(stages, "watched", lambda: True)


def test_a_long_stage_tells_how_far_it_is_and_a_short_one_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told, clock = Told(monkeypatch), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = stages._Progress("work", 100)
    for done in range(1, 101):
        clock[0] += 0.3
        progress.note(done)
    assert told.calls[0] == (34.0, "work: 34 of 100")
    assert [share for share, _ in told.calls] == [34.0, 51.0, 68.0, 85.0, 100.0]
    short = stages._Progress("read", 3)
    for done in (1, 2, 3):
        short.note(done)
    assert len(told.calls) == 5


def test_a_server_that_is_gone_is_told_of_once_and_fails_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    Told(monkeypatch, fails=True)
    monkeypatch.setattr(stages, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(stages, "EVERY_SECONDS", 0.0)
    progress = stages._Progress("work", 3)
    with caplog.at_level(logging.WARNING, "copydesk"):
        for done in (1, 2, 3):
            progress.note(done)
    assert [record.getMessage() for record in caplog.records] == ["progress of work is told no more: gone"]


def test_nobody_watches_a_run_without_a_flow() -> None:
    assert not stages.watched()
    assert watch.ended("raw", "curated", outcome) == outcome()


def test_the_automation_in_the_examples_is_the_one_that_serve_makes() -> None:
    import yaml
    from conftest import ROOT
    from prefect.events.schemas.automations import AutomationCore

    (shown,) = yaml.safe_load((ROOT / "examples" / "automations.yaml").read_text(encoding="utf-8"))["automations"]
    made = AutomationCore.model_validate(shown).model_dump(mode="json", exclude={"id"})
    wanted = deployment.dead_runs().model_dump(mode="json", exclude={"id"})
    for one in (made, wanted):
        for several in ("after", "expect", "for_each"):
            one["trigger"][several] = sorted(one["trigger"][several])
    assert {name: made[name] for name in ("name", "description", "trigger", "actions")} == {
        name: wanted[name] for name in ("name", "description", "trigger", "actions")
    }


def test_heartbeats_are_as_frequent_as_the_automation_expects() -> None:
    from prefect.settings.models.flows import FlowsSettings

    assert FlowsSettings.model_fields["heartbeat_frequency"].default == deployment.HEARTBEAT_SECONDS


def test_the_environment_in_the_examples_is_the_one_that_serve_sets() -> None:
    import yaml
    from conftest import ROOT

    (shown,) = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert shown["work_pool"]["job_variables"]["env"] == deployment.ENVIRONMENT
    assert shown["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
