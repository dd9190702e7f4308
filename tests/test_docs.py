"""Documentation against code: tables in the README are those of the code, examples in docstrings run."""

from __future__ import annotations

import argparse
import doctest
import importlib
import pkgutil
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import ROOT

import flows
import tasks
from flows.command_line import parser
from tasks import boilerplate, verdict
from tasks.schema import COLUMNS, DECISIONS, TABLES
from tasks.settings import Settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [module.name for package in (flows, tasks) for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def between(marker: str) -> str:
    found = re.search(rf"<!-- {re.escape(marker)} -->\n(.*?)<!-- end -->", README, re.DOTALL)
    assert found, f"README has no part {marker}"
    return found[1]


def columns_table() -> str:
    rows = []
    for name in TABLES["stories"].names:
        column = COLUMNS[name]
        kind = str(column.type).replace(" not null", "").replace("element: ", "")
        rows.append(f"| `{name}` | {kind} | {column.description} | {column.null} |")
    return "\n".join(["| column | type | meaning | null |", "|---|---|---|---|", *rows]) + "\n"


def settings_table() -> str:
    rows = []
    for section, field in Settings.model_fields.items():
        for knob, inner in field.annotation.model_fields.items():  # type: ignore[union-attr]
            if hasattr(inner.annotation, "model_fields"):
                continue
            value = "all cores" if knob == "workers" else inner.get_default(call_default_factory=True)
            rows.append(f"| `{section}.{knob}` | {value} | {inner.description} |")
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n"


def test_the_readme_lists_the_columns_and_settings_of_the_code() -> None:
    assert between("columns: stories") == columns_table()
    assert between("settings") == settings_table()


def test_the_readme_lists_every_verb() -> None:
    verbs = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    listed = dict(re.findall(r"\| `copydesk (\w+)[^`]*` \| (.*?) \|", between("commands")))
    assert listed == {choice.dest: choice.help for choice in verbs._choices_actions}


def test_every_measure_of_the_verdict_is_explained() -> None:
    told = (ROOT / "docs/matching.md").read_text(encoding="utf-8").split("## Verdict")[1].split("## Clusters")[0]
    listed = [name.strip() for row in re.findall(r"^\| ([a-z_, ]+) \|", told, re.MULTILINE) for name in row.split(",")]
    assert sorted(set(listed) - {"measure"}) == sorted(set(verdict.load_model().rewrite) - {"intercept"})


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "bench/README.md"], ids=lambda page: page.stem
)
def test_the_files_that_the_docs_name_are_there(page: Path) -> None:
    told = page.read_text(encoding="utf-8")
    named = {ROOT / path for path in re.findall(r"\b(?:tasks|tests|docs|flows|expectations)/[\w/.-]*\w", told)}
    linked = {page.parent / path for path in re.findall(r"\]\(([\w/.-]+)\)", told)}
    assert [str(path) for path in sorted(named | linked) if not path.exists()] == []


def test_the_docs_count_rules_and_languages_right() -> None:
    rules = boilerplate.load_rules()
    languages = {language for rule in rules for language in rule.languages}
    assert f"{len(rules)} rules, phrases in {len(languages)} languages" in (ROOT / "docs/cleaning.md").read_text(encoding="utf-8")
    assert f"by rules in {len(languages)}\n  languages" in README


def test_the_contract_s_columns_are_all_there() -> None:
    """Names that readers rely on: they are added to, never renamed."""
    decisions = (
        "raw_id raw_uri raw_sha256 raw_state story_id outcome stage reason relation duplicate_of cluster_id probability jaccard containment "
        "weighted_jaccard coverage evidence recipe"
    )
    stories = (
        "story_id raw_id raw_uri source url title byline agency published_at published_precision language text word_count cluster_id copies "
        "copy_sources repairs removed"
    )
    assert set(decisions.split()) <= set(DECISIONS.names)
    assert set(stories.split()) <= set(TABLES["stories"].names)
    assert set(stories.split()) <= set(TABLES["duplicates"].names)
    assert {"story_id", "raw_id", "raw_uri", "place", "kind", "stage", "reason", "detail", "text"} <= set(TABLES["quarantine"].names)


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## {version('copydesk')}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_funnel_in_the_readme_is_that_of_the_sample(sample_run: object) -> None:
    import json

    counts = json.loads((Path(str(sample_run)) / "latest" / "manifest.json").read_text())["counts"]
    for number in (counts["records"], counts["kept"], sum(counts["duplicates"].values())):
        assert re.search(rf"^(raw records|= stories kept|- duplicates) +{number}\b", README, re.MULTILINE)
