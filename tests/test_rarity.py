"""A rarity model of one's own corpus: what it raises, what it leaves, and that it is frozen, checked and in the recipe."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import copydesk
from matching import DERIVATIVE, NEAR, story

from tasks import fingerprint, rarity, recipe, schema, settings, terms
from tasks.kernels import terms as kernel
from tasks.verdict import measures, stories

# function words of an invented language, which wordfreq lacks; and English ones
FUNCTION = [f"{a}{b}qz" for a in ("ka", "mo", "ti", "su") for b in ("ra", "lo")]
COMMON = ["the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "with", "as", "at", "by", "from", "they", "were"]


def corpus(count: int, words: int = 220, seed: int = 1) -> list[str]:
    """Stories about one topic: `zandorix` in two of three, a name of its own in each, one name in three stories."""
    chance = random.Random(seed)  # noqa: S311 - the same stories at every run
    out = []
    for number in range(count):
        text = [chance.choice(COMMON + FUNCTION) for _ in range(words)]
        text += ["Zandorix"] * 5 if number % 3 else []
        text += [f"Ownname{number}x"] * 4 + (["Eventname"] if number < 3 else [])
        out.append(" ".join(text) + f" In {1900 + number % 100} they counted {number * 7} and 漢字東京.")
    return out


def written(texts: list[str], folder: Path, *cuts: int) -> list[Path]:
    """The texts as Parquet files, cut at the given places."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for begin, end in zip([0, *cuts], [*cuts, len(texts)], strict=True):
        paths.append(folder / f"{begin:04d}.parquet")
        pq.write_table(pa.table({"text": pa.array(texts[begin:end], pa.string())}), paths[-1])
    return paths


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tables of test models do not belong into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPYDESK_CACHE", str(tmp_path_factory.mktemp("cache")))
        rarity.load.cache_clear()
        yield
    rarity.load.cache_clear()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[rarity.Model, Path]:
    """A model of 600 stories, and its file."""
    home = tmp_path_factory.mktemp("fitted")
    model = rarity.fit(written(corpus(600), home / "stories"))
    rarity.write(model, home / "rarity.parquet")
    return model, home / "rarity.parquet"


def zipf(found: rarity.Rarity, *asked: str) -> list[float]:
    return [float(one) for one in found.frequencies(np.array([terms.hash_term(word) for word in asked], np.uint64))]


# ---- what a model says -------------------------------------------------------------------------------------------------


def test_words_of_the_topic_get_common_and_names_stay_rare(fitted: tuple[rarity.Model, Path]) -> None:
    before, after = rarity.load(), rarity.load(str(fitted[1]))
    cut = settings.Derivative().zipf_cut
    assert zipf(before, "zandorix", *FUNCTION) == [rarity.UNSEEN] * (1 + len(FUNCTION))
    assert min(zipf(after, "zandorix", *FUNCTION)) > cut
    assert zipf(after, "ownname7x") == [rarity.UNSEEN]
    assert rarity.UNSEEN < zipf(after, "eventname")[0] < cut - 0.5
    assert zipf(after, "the", "parliament", "ministre") == zipf(before, "the", "parliament", "ministre")


def test_nothing_is_rarer_than_the_prior_says_or_than_the_model_says(fitted: tuple[rarity.Model, Path]) -> None:
    before, after = rarity.load(), rarity.load(str(fitted[1]))
    filled = before.table[before.table != 0] & ~np.uint64(255)
    assert len(filled) > 1_000_000
    assert (after.frequencies(filled) >= before.frequencies(filled)).all()
    assert (after.frequencies(fitted[0].hashes) >= fitted[0].zipf - 0.021).all()  # a slot holds steps of 1/25
    assert (after.table != 0).sum() == len(np.union1d(filled, fitted[0].hashes))


def test_a_term_counts_once_a_story_and_less_what_chance_may_have_added(tmp_path: Path) -> None:
    texts = [f"Marsk marsk MARSK and {' '.join(['filler'] * 95)}" if number < 16 else "filler " * 99 for number in range(40)]
    model = rarity.fit(written(texts, tmp_path), 1, 1)
    assert (model.stories, model.words) == (40, 40 * 99)
    place = int(np.searchsorted(model.hashes, np.uint64(terms.hash_term("marsk") & ~255)))
    assert model.hashes[place] == terms.hash_term("marsk") & ~255
    assert model.zipf[place] == pytest.approx(9 + math.log10((math.sqrt(16) - 1) ** 2 / (40 * 99)))


def test_terms_of_fixed_weight_are_not_counted(tmp_path: Path) -> None:
    model = rarity.fit(written(["1914 77,000 漢字東京 word"] * 50, tmp_path), 1, 1)
    assert model.hashes.tolist() == [terms.hash_term("word") & ~255]
    assert model.words == 50


def test_two_stories_of_the_topic_no_longer_resemble_each_other(fitted: tuple[rarity.Model, Path]) -> None:
    """What a model is for: chance likeness of the topic's words goes, that of a rewrite's own words stays."""
    one, other = (corpus(400, seed=seed)[390 + seed].split(" In ")[0] for seed in (5, 7))
    unknown = "Ownname9901x met Ownname9902x at Ownname9903x"
    rows = [story("a", f"{one} {unknown}"), story("b", other), story("c", f"{other} {unknown}")]
    table = pa.Table.from_pylist(rows, schema=schema.CHECKED)
    likeness = {}
    for name, model in (("prior", None), ("model", str(fitted[1]))):
        found = stories.of(fingerprint.fingerprint(table, NEAR, DERIVATIVE.model_copy(update={"rarity": model})))
        likeness[name] = measures.overlaps(found, np.array([0, 0]), np.array([1, 2])).weighted_jaccard.tolist()
    assert likeness["prior"][0] > 0.5
    assert likeness["model"][0] < 0.05
    assert likeness["model"][1] > 0.3


def test_a_table_of_prior_and_model_is_looked_up_like_a_dictionary() -> None:
    chance = np.random.default_rng(3)
    known = np.unique(chance.integers(256, 2**63, 900, dtype=np.uint64) & ~np.uint64(255))
    prior = kernel.slots(known[:600], np.full(600, 3.0), 1024)
    model = rarity.Model(known[300:], np.linspace(2.04, 6, len(known) - 300).astype(np.float32), 1, 1)
    table = rarity.overlay(prior, model)
    expected = [max(3.0 if i < 600 else 0.0, float(model.zipf[i - 300]) if i >= 300 else 0.0) for i in range(len(known))]
    assert kernel.frequencies(known, table) == pytest.approx(expected, abs=0.021)


# ---- frozen ------------------------------------------------------------------------------------------------------------


def test_same_stories_same_bytes_however_they_are_cut_and_ordered(tmp_path: Path, fitted: tuple[rarity.Model, Path]) -> None:
    shuffled = corpus(600)
    random.Random(2).shuffle(shuffled)  # noqa: S311 - the same order at every run
    model = rarity.fit(written(shuffled, tmp_path / "other", 7, 300)[::-1])
    rarity.write(model, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == fitted[1].read_bytes()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_model_comes_back_as_it_was_written_with_its_training_record(fitted: tuple[rarity.Model, Path]) -> None:
    model, path = fitted
    back = rarity.read(path)
    assert (back.name, back.stories, back.words) == (model.name, 600, model.words)
    assert back.hashes.tolist() == model.hashes.tolist()
    made = {key.decode(): value.decode() for key, value in pq.read_schema(path).metadata.items()}
    assert made["stories"] == "600"
    assert made["terms"] == str(len(model.hashes))
    assert made["hash"] == terms.HASH
    assert "Zandorix" not in path.read_bytes().decode("latin-1")


def test_a_corpus_too_small_is_refused_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(rarity.ModelError, match=r"499 stories of .* words are too small a corpus .* 500 stories"):
        rarity.fit(written(corpus(499), tmp_path / "few"))
    with pytest.raises(rarity.ModelError, match="100,000 words"):
        rarity.fit(written(["A headline and no more."] * 600, tmp_path / "short"))
    with pytest.raises(rarity.ModelError, match="0 stories of 0 words"):
        rarity.fit([])


def _changed(path: Path, out: Path, **made: str) -> Path:
    table = pq.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()} | made
    pq.write_table(table.replace_schema_metadata(metadata), out)
    return out


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"hash": "copydesk-terms-0"}, "was made with hash copydesk-terms-0, here it is copydesk-terms-2; fit it again"),
        ({"unicode": "9.0.0"}, "was made with unicode 9.0.0, here it is "),
        ({"format": "copydesk-rarity-9"}, r"no model of this version of `copydesk fit` \(copydesk-rarity-9"),
        ({"stories": "601"}, "is damaged: its content is not what corpus-"),
        ({"stories": "many"}, "is damaged"),
        ({"name": "corpus-0"}, "is damaged"),
    ],
)
def test_models_of_other_makers_are_refused(fitted: tuple[rarity.Model, Path], tmp_path: Path, made: dict[str, str], message: str) -> None:
    with pytest.raises(settings.SettingsError, match=message):
        rarity.read(_changed(fitted[1], tmp_path / "model.parquet", **made))


def test_what_is_no_model_is_refused(fitted: tuple[rarity.Model, Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / "cut.parquet").write_bytes(fitted[1].read_bytes()[:-20])
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "stories.parquet")
    for name, message in (
        ("none.parquet", "cannot be read: No such file"),
        ("notes.txt", "not readable as Parquet"),
        ("cut.parquet", "not readable as Parquet"),
        ("stories.parquet", "it names no format"),
        (".", "cannot be read"),
    ):
        with pytest.raises(settings.SettingsError, match=f"derivative.rarity: .*{message}"):
            rarity.name(str(tmp_path / name))
    table = pq.read_table(fitted[1])
    changed = table.set_column(1, table.schema.field("zipf"), pa.array(table["zipf"].to_numpy() + 1))
    pq.write_table(changed.replace_schema_metadata(table.schema.metadata), tmp_path / "changed.parquet")
    with pytest.raises(settings.SettingsError, match="damaged"):
        rarity.read(tmp_path / "changed.parquet")


def test_tables_are_kept_by_name_and_an_unwritable_cache_is_no_error(
    fitted: tuple[rarity.Model, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rarity, "build", lambda: kernel.slots(np.array([1 << 20], np.uint64), np.array([3.0]), 2))
    monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "cache"))
    rarity.load.cache_clear()
    try:
        made = rarity.load(str(fitted[1]))
        assert len(list((tmp_path / "cache").glob("corpus-*.npy"))) == 1
        (tmp_path / "file").write_text("no folder")
        rarity.load.cache_clear()
        monkeypatch.setenv("COPYDESK_CACHE", str(tmp_path / "file"))
        assert rarity.load(str(fitted[1])).table.tolist() == made.table.tolist()
    finally:
        rarity.load.cache_clear()


# ---- in a run ----------------------------------------------------------------------------------------------------------


def test_the_recipe_has_the_model_by_content(fitted: tuple[rarity.Model, Path], tmp_path: Path) -> None:
    plain = recipe.recipe(settings.load())
    ours = recipe.recipe(settings.load(None, [f"derivative.rarity={fitted[1]}"]))
    assert recipe.difference(plain, ours) == [f"rarity: built in -> {rarity.name(str(fitted[1]))}"]
    assert fitted[0].name in ours["rarity"]
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(fitted[1].read_bytes())
    assert recipe.recipe(settings.load(None, [f"derivative.rarity={moved}"])) == ours
    rarity.write(rarity.fit(written(corpus(601), tmp_path / "more")), moved)
    assert recipe.recipe(settings.load(None, [f"derivative.rarity={moved}"])) != ours


def test_fingerprints_say_which_model_made_them(fitted: tuple[rarity.Model, Path]) -> None:
    made: Any = fingerprint.recipe(NEAR, DERIVATIVE.model_copy(update={"rarity": str(fitted[1])}))
    assert made["sketch"]["rarity"] == rarity.name(str(fitted[1]))
    assert rarity.name() == fingerprint.recipe(NEAR, DERIVATIVE)["sketch"]["rarity"]


@pytest.mark.prefect
def test_a_run_with_a_model_is_another_recipe_and_says_so(
    prefect_server: None, sample_run: Path, fitted: tuple[rarity.Model, Path], tmp_path: Path
) -> None:
    del prefect_server
    curated = shutil.copytree(sample_run, tmp_path / "curated", symlinks=True)
    done = copydesk("run", "--curated", curated, "--set", f"derivative.rarity={fitted[1]}")
    assert done.returncode == 0, done.stderr
    assert "the recipe changed, all stories are worked again" in done.stderr
    assert f"rarity: built in -> {fitted[0].name}" in done.stderr
    before, after = (json.loads((folder / "latest" / "manifest.json").read_text())["recipe"] for folder in (sample_run, curated))
    assert before["hash"] != after["hash"]
    assert after["spelled"]["rarity"].startswith(fitted[0].name)
    assert str(fitted[1]) not in json.dumps(after)


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A curated folder with as much of a snapshot as `fit` reads: 600 stories in two files."""
    folder = tmp_path / "curated" / "snapshots" / "one"
    written(corpus(600), folder / "stories", 250)
    (tmp_path / "curated" / "latest").symlink_to("snapshots/one")
    return tmp_path


def test_the_command_writes_the_model_and_says_what_it_learnt(snapshot: Path, fitted: tuple[rarity.Model, Path]) -> None:
    done = copydesk("fit", "--out", "models/ours.parquet", cwd=snapshot)
    assert done.returncode == 0, done.stderr
    assert "Zandorix" in done.stdout
    assert f"{fitted[0].name}: " in done.stdout
    assert "derivative.rarity=" in done.stdout
    assert (snapshot / "models" / "ours.parquet").read_bytes() == fitted[1].read_bytes()


def test_wrong_usage_ends_with_2_and_a_sentence(snapshot: Path) -> None:
    nothing = copydesk("fit", "--curated", "nowhere")
    assert (nothing.returncode, "no snapshot under nowhere" in nothing.stderr) == (2, True)
    (snapshot / "curated" / "latest" / "stories" / "0000.parquet").unlink()
    small = copydesk("fit", cwd=snapshot)
    assert small.returncode == 2, small.stderr
    assert "350 stories" in small.stderr
    assert not (snapshot / "rarity.parquet").exists()
    assert "Traceback" not in small.stderr
