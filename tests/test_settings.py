"""Settings: one frozen model, clear refusals, and a recipe that names every knob that can change a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks import recipe
from tasks.settings import Settings, SettingsError, load


def test_a_file_and_overrides(tmp_path: Path) -> None:
    path = tmp_path / "copydesk.toml"
    path.write_text('[near]\njaccard = 0.6\n[ingest.columns]\ntext = ["body"]\n')
    knobs = load(path, ["near.jaccard=0.7", "ingest.html_focus=recall"])
    assert (knobs.near.jaccard, knobs.ingest.html_focus, knobs.ingest.columns.text) == (0.7, "recall", ("body",))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("near.jaccard=2", "near.jaccard = 2 is not allowed: Input should be less than or equal to 1"),
        ("near.jacard=0.5", "near.jacard is unknown; allowed here: "),
        ("nearly.jaccard=0.5", "nearly is unknown; allowed here: check, "),
        ("near=3", "near = 3 is not allowed"),
        ("near", "not of the form section.key=value"),
        ("ingest.html_focus=all", "'balanced', 'precision' or 'recall'"),
        ("near.jaccard.x=1", "near.jaccard = {'x': 1} is not allowed"),
    ],
)
def test_wrong_settings_name_key_value_and_what_is_allowed(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        load(None, [override])


@pytest.mark.parametrize(("text", "message"), [("near = [", "is not TOML"), (None, "cannot be read")])
def test_an_unusable_file(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "copydesk.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load(path)


def test_settings_are_frozen_and_described() -> None:
    knobs = load()
    with pytest.raises(ValidationError):
        knobs.near.jaccard = 0.1  # type: ignore[misc]
    for section in Settings.model_fields.values():
        fields = section.annotation.model_fields  # type: ignore[union-attr]
        assert all(field.description for field in fields.values())


def test_the_recipe_holds_what_can_change_a_row_and_nothing_else() -> None:
    plain = recipe.recipe_hash(recipe.recipe(load()))
    assert plain == recipe.recipe_hash(
        recipe.recipe(load(None, ["run.workers=7", "run.shard_rows=3", "publish.file_rows=1000", "gate.rates_from=5"]))
    )
    left_out = {section for section, what in recipe.NOT_IN_RECIPE.items() if what is True}
    assert set(recipe.recipe(load())["settings"]) == set(Settings.model_fields) - left_out
    assert plain != recipe.recipe_hash(recipe.recipe(load(None, ["near.jaccard=0.55"])))
    spelled = recipe.recipe(load())
    assert {"boilerplate.toml", "repair/__init__.py", "ingest/html.py"} <= set(spelled["code"])
    assert {"ftfy", "trafilatura", "datasketch"} <= set(spelled["libraries"])


def test_a_rules_file_and_expectations_of_ones_own_are_in_the_recipe_by_content(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("# one\n")
    one = recipe.recipe_hash(recipe.recipe(load(None, [f"strip.rules={rules}"])))
    moved = tmp_path / "moved.toml"
    moved.write_text("# one\n")
    assert one == recipe.recipe_hash(recipe.recipe(load(None, [f"strip.rules={moved}"])))
    rules.write_text("# two\n")
    assert one != recipe.recipe_hash(recipe.recipe(load(None, [f"strip.rules={rules}"])))


def test_files_that_the_settings_name_must_be_there() -> None:
    for override in ("strip.rules=none.toml", "check.expectations=nowhere"):
        with pytest.raises(SettingsError, match="cannot be read"):
            recipe.recipe(load(None, [override]))


def test_the_difference_of_recipes_names_the_key() -> None:
    before, after = recipe.recipe(load()), recipe.recipe(load(None, ["near.jaccard=0.55"]))
    assert recipe.difference(before, after) == ["settings.near.jaccard: 0.5 -> 0.55"]
