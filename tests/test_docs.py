"""Documentation against code: the reference is that of the code, figures are measured, examples in docstrings run."""

from __future__ import annotations

import argparse
import doctest
import importlib
import json
import pkgutil
import re
import runpy
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from snippets import snippets

import flows
import tasks
from flows.command_line import parser
from tasks import boilerplate, verdict
from tasks.fingerprint import features
from tasks.schema import DECISIONS, TABLES
from tasks.settings import Settings
from tasks.snapshots import MANIFEST

README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [module.name for package in (flows, tasks) for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]


def test_the_reference_is_that_of_the_code() -> None:
    """`make docs` writes it."""
    made = runpy.run_path(str(ROOT / "docs/reference.py"))["pages"]()
    there = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs/reference").iterdir()}
    assert there.keys() == made.keys()
    stale = [name for name, page in made.items() if there[name] != page]
    assert stale == [], "run `make docs`"


def test_the_reference_says_all_there_is() -> None:
    """Its pages come from the code; this counts what they must name."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs/reference").iterdir()}
    verbs = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert [name for name in verbs.choices if f"## copydesk {name}\n" not in pages["commands"]] == []
    assert [name for table in TABLES.values() for name in table.names if f"| `{name}` |" not in pages["columns"]] == []
    knobs = [f"{section}.{knob}" for section, field in Settings.model_fields.items() for knob in field.annotation.model_fields]  # type: ignore[union-attr]
    assert [knob for knob in knobs if f"`{knob}" not in pages["settings"]] == []
    assert [rule.id for rule in boilerplate.load_rules() if f"## {rule.id}\n" not in pages["rules"]] == []


def test_every_key_of_the_manifest_is_declared(sample_run: Path) -> None:
    manifest = json.loads((sample_run / "latest" / "manifest.json").read_text(encoding="utf-8"))
    declared = {key.split(".")[0] for key in MANIFEST if "." in key}
    keys = {f"{key}.{inner}" for key in declared & manifest.keys() for inner in manifest[key]} | (manifest.keys() - declared)
    assert keys - MANIFEST.keys() == set(), "declare them in tasks/snapshots/manifest.py"
    assert MANIFEST.keys() - keys == {"held"}


def between(page: Path, marker: str) -> str:
    found = re.search(rf"<!-- {re.escape(marker)} -->\n(.*?)<!-- end -->", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"{page.name} has no part {marker}"
    return found[1].strip("\n") + "\n"


def test_every_measure_of_the_verdict_is_explained() -> None:
    told = (ROOT / "docs/matching.md").read_text(encoding="utf-8").split("## Verdict")[1].split("## Clusters")[0]
    listed = [name.strip() for row in re.findall(r"^\| ([a-z_, ]+) \|", told, re.MULTILINE) for name in row.split(",")]
    assert sorted(set(listed) - {"measure"}) == sorted(set(verdict.load_model().rewrite) - {"intercept"})


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "bench/README.md"], ids=lambda page: page.stem
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
    assert f"by rules in {len(languages)} languages" in README


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


def test_the_funnel_in_the_readme_is_that_of_the_sample(sample_run: Path) -> None:
    counts = json.loads((sample_run / "latest" / "manifest.json").read_text(encoding="utf-8"))["counts"]
    for number in (counts["records"], counts["kept"], sum(counts["duplicates"].values())):
        assert re.search(rf"^(raw records|= stories kept|- duplicates) +{number}\b", README, re.MULTILINE)


def test_before_and_after_in_the_readme_are_true(sample_run: Path) -> None:
    """What goes (`-`) stands in the raw file and no more in the story; what comes (`+`) is what the story has. `…` ends what is cut short."""
    [diff] = [snippet.body for snippet in snippets(ROOT / "README.md") if snippet.language == "diff"]
    raw = (ROOT / "raw/courrier-de-vauclair/boulangerie-cooperative.txt").read_text(encoding="utf-8")
    story = read_row(sample_run, "boulangerie-cooperative")
    after = plain(" ".join(str(story[name]) for name in ("title", "byline", "published_at", "language", "text")))
    place = -1
    for line in diff.splitlines():
        sign, written = line[0], plain(line[1:].removesuffix("…"))
        if sign == "-":
            assert (place := plain(raw).find(written, place + 1)) >= 0, f"{written!r} is not in the raw file, or not there"
            assert written not in after
        else:
            column, _, value = written.partition(" ") if line[2] != " " else ("text", "", written)
            assert plain(str(story[column])).startswith(value) if line[2] != " " else value in plain(story["text"])


def plain(text: str) -> str:
    return " ".join(text.split())


def read_row(curated: Path, raw_id: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = pq.read_table(curated / "latest" / "stories", filters=[("raw_id", "=", raw_id)]).to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_the_figures_of_rewrites_are_measured() -> None:
    """Medians of the families, against the source of each: what docs/why.md says of the two tiers."""
    rows = [json.loads(line) for line in (ROOT / "tests/data/families.jsonl").read_text(encoding="utf-8").splitlines()]
    near, derivative = Settings().near, Settings().derivative
    made = features(pa.array([row["text"] for row in rows], pa.large_string()), near, derivative).to_pylist()
    sources = {row["family"]: seen for row, seen in zip(rows, made, strict=True) if row["role"] == "source"}
    told = {}
    for role, words in ROLES.items():
        pairs = [(seen, sources[row["family"]]) for row, seen in zip(rows, made, strict=True) if row["role"] == role]
        told[words] = (median(jaccard(*pair) for pair in pairs), median(weighted_jaccard(*pair) for pair in pairs))
    table = "".join(f"| {words} | {shingles:.2f} | {terms:.2f} |\n" for words, (shingles, terms) in told.items())
    assert between(ROOT / "docs/why.md", "measured: rewrites").split("--:|\n")[1] == table


ROLES = {
    "syndicated": "the same copy, edited",
    "light": "rewritten lightly",
    "heavy": "rewritten thoroughly",
    "followup": "a follow-up, days later",
    "independent": "independent report of the same event",
}


def jaccard(a: dict[str, Any], b: dict[str, Any]) -> float:
    one, other = set(a["shingles"]), set(b["shingles"])
    return len(one & other) / len(one | other)


def weighted_jaccard(a: dict[str, Any], b: dict[str, Any]) -> float:
    one, other = (dict(zip(story["terms"], story["weights"], strict=True)) for story in (a, b))
    return float(sum(one[term] for term in one.keys() & other.keys()) / sum((one | other).values()))
