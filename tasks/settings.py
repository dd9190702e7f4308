"""Every knob once: frozen, described, bounded; unknown keys are refused.

`copydesk.toml` has one table a section, e.g. `[near]`; `--set near.jaccard=0.8` overrides one knob. A function takes the
section it uses. What can change a row is part of the recipe (tasks/recipe.py).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
OVERRIDES_FILE = "overrides.toml"


class SettingsError(ValueError):
    """Settings that cannot be used; the text names the key, the value and what is allowed."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(Section):
    """Names under which records carry our columns, the first one present wins."""

    id: tuple[str, ...] = Field(("id",), description="names of the record's own id")
    text: tuple[str, ...] = Field(("text",), description="names of the plain text")
    html: tuple[str, ...] = Field(("html",), description="names of the page, used when there is no text")
    title: tuple[str, ...] = Field(("title",), description="names of the headline")
    byline: tuple[str, ...] = Field(("byline",), description="names of the author line")
    source: tuple[str, ...] = Field(("source",), description="names of the outlet")
    url: tuple[str, ...] = Field(("url",), description="names of the address")
    published_at: tuple[str, ...] = Field(("published_at",), description="names of the time of publication")
    language: tuple[str, ...] = Field(("language",), description="names of the language code")


class Ingest(Section):
    """How raw bytes become records."""

    columns: Columns = Field(default_factory=Columns, description="names of other schemas' columns")
    max_record_bytes: int = Field(50_000_000, ge=1_000, description="a larger record is quarantined, unread (bytes)")
    max_text_characters: int = Field(
        500_000, ge=1_000, description="a story of more text is quarantined (code points): no news is as long, and its time is bounded so"
    )
    html_focus: Literal["balanced", "precision", "recall"] = Field(
        "balanced", description="what to favour when it is unclear whether a part of a page belongs to its story"
    )


class Repair(Section):
    """How broken text is mended (ftfy's terms)."""

    chains: bool = Field(True, description="also mend mojibake that ftfy misses, where a language check finds the result more plausible")
    invisible: Literal["keep", "stray", "all"] = Field(
        "stray",
        description="invisible characters: keep them; drop stray ones, which have no effect (zero-width beside a space, marks of direction in "
        "left-to-right lines); or drop all zero-width ones and soft hyphens, but for joiners that a script needs",
    )
    unescape_html: bool = Field(True, description="decode HTML entities in text that has no tags")
    fix_latin_ligatures: bool = Field(True, description="write the ligatures of print (\ufb01) as letters")
    fix_character_width: bool = Field(False, description="write full-width letters as ordinary ones; not in Japanese or Chinese")
    uncurl_quotes: bool = Field(False, description="write typographic quotation marks as plain ones")


class Strip(Section):
    """What counts as boilerplate."""

    lift: bool = Field(True, description="move headline, byline, agency and date lines from the text into their columns")
    rules: str | None = Field(
        None, description="path of a rules file to use beside the built-in rules; its `disable` switches some of those off"
    )
    furniture: str | None = Field(None, description="path of a model of each source's recurring lines made by `copydesk fit furniture`")


class Check(Section):
    """Which expectations a row and a run must meet."""

    expectations: str | None = Field(None, description="folder with stories.json and run.json to use instead of the built-in suites")


class Near(Section):
    """Tier 1: the same copy, edited."""

    permutations: int = Field(128, ge=16, le=1024, description="MinHash permutations")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="seed of the permutations, as in datasketch")
    shingle_words: int = Field(5, ge=1, le=20, description="words in a shingle")
    bands: Count = Field(32, description="LSH bands; bands x rows may not exceed the permutations")
    rows: Count = Field(4, description="rows of a band")
    run_words: int = Field(8, ge=2, le=50, description="words in a run that two stories may share as a candidate key")
    run_window: int = Field(
        16, ge=1, le=1000, description="of so many runs that begin one after the other one at least is a key (winnowing)"
    )
    jaccard: Share = Field(0.5, description="shingle similarity from which two texts are one copy")
    containment: Share = Field(0.8, description="share of the shorter text's shingles found in the longer from which it is a cut of it")
    cut_shingles: Count = Field(40, description="shingles a text must have to count as a cut of another; a shorter one is a quotation")
    details: Share = Field(
        0.6, description="share of the shorter text's figures and names that a near copy must have too: a template has others"
    )
    later_details: Share = Field(0.85, description="the same where the two were published more than a day apart")


class Derivative(Section):
    """Tier 2: another outlet's rewrite."""

    enabled: bool = Field(True, description="look for rewrites at all")
    rarity: str | None = Field(
        None, description="path of a model of one's own corpus made by `copydesk fit`, laid over wordfreq's frequencies"
    )
    zipf_cut: float = Field(4.5, ge=1, le=8, description="terms of this Zipf frequency or above weigh nothing")
    samples: int = Field(384, ge=64, le=4096, description="weighted MinHash samples a story; each begins a band")
    rows: int = Field(3, ge=1, le=8, description="samples that must collide to propose a pair published within `days`, or one undated")
    far_rows: int = Field(4, ge=1, le=8, description="samples that must collide to propose any other pair; rows or more")
    days: int = Field(
        7,
        ge=0,
        le=36_500,
        description="days between two stories within which fewer samples need to collide, and less resemblance is asked for",
    )
    weighted_jaccard: Share = Field(0.11, description="weighted Jaccard of the rare terms below which a pair is no rewrite")
    far_weighted_jaccard: Share = Field(0.2, description="the same where the two were published more than `days` apart, if it is more")
    min_terms: Count = Field(20, description="rare terms below which a text is too short to be judged a rewrite or its source")
    same_source: bool = Field(False, description="look for rewrites within one source too, e.g. when it names the aggregator")
    later_details: Share = Field(
        0.6, description="share of the shorter text's figures and names that a rewrite published more than a day apart must have too"
    )
    probability: Share = Field(0.5, description="probability from which a pair is judged a rewrite")


class Cluster(Section):
    """Which of several records of a story is kept."""

    keep: Literal["one", "one-per-source"] = Field(
        "one", description="keep one record of a story, or one of each source that has it; same_story then names the first"
    )
    complete: Share = Field(0.9, description="share of the longest member's words that a member needs to count as complete")
    hot_key: int = Field(20, ge=2, description="a key of more stories proposes each only with this many first in keep order")


class Overrides(Section):
    """What editors have decided themselves."""

    file: str | None = Field(
        None,
        description="path of the file with the editors' word, which `copydesk override` writes; without it `overrides.toml` beside the "
        "settings file (without one: in the working folder), if it is there",
    )


class Gate(Section):
    """When the run expectations may refuse a snapshot."""

    rates_from: int = Field(1000, ge=1, description="rates are compared with the parent snapshot only above this many new stories")


class Publish(Section):
    """How the snapshot is written, and how many are kept."""

    file_rows: int = Field(10_000, ge=100, description="most rows of a Parquet file; where one of them changes, all are written again")
    keep: Count | Literal["all"] = Field(
        24, description="snapshots that are kept, the new one included, or `all`; 24: on an hourly schedule a reader has a day to finish"
    )
    keep_days: float | None = Field(
        None, ge=0, description="a snapshot made within so many days before the new one stays too, however many there are"
    )
    title: str | None = Field(
        None, max_length=200, pattern=r"^[^\x00-\x1f`<|\\]+$", description="title of the dataset on its card (README.md of a snapshot)"
    )
    license: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9.+-]*$",
        description="licence of the stories for the card, as Hugging Face spells it, e.g. cc-by-4.0",
    )
    delta: str | None = Field(
        None, description="folder or URL of a Delta Lake table that follows the published stories; needs the extra lakehouse"
    )


class Run(Section):
    """How the work is done; nothing here changes a row."""

    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="processes for the local stages")
    memory_mb: int = Field(
        2_000, ge=200, description="memory that the global stages may fill in all processes together, besides what these need anyway (MB)"
    )
    shard_rows: int = Field(2_000, ge=1, description="most records of a shard")
    shard_bytes: int = Field(32_000_000, ge=1_000, description="bytes of records after which a shard is full")


class Settings(Section):
    """All knobs of a run."""

    ingest: Ingest = Field(default_factory=Ingest)
    repair: Repair = Field(default_factory=Repair)
    strip: Strip = Field(default_factory=Strip)
    check: Check = Field(default_factory=Check)
    near: Near = Field(default_factory=Near)
    derivative: Derivative = Field(default_factory=Derivative)
    cluster: Cluster = Field(default_factory=Cluster)
    overrides: Overrides = Field(default_factory=Overrides)
    gate: Gate = Field(default_factory=Gate)
    publish: Publish = Field(default_factory=Publish)
    run: Run = Field(default_factory=Run)


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Settings from a TOML file and `section.key=value` overrides (values in TOML; bare words are strings).

    Raises:
        SettingsError: the file cannot be read, or a key or value is not allowed.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"settings: {path} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"settings: {path} is not TOML: {error}") from error
    for override in overrides:
        key, equals, written = override.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"settings: --set {override!r} is not of the form section.key=value, e.g. near.jaccard=0.8")
        _put(values, key.strip().split("."), _toml_value(written.strip()), override)
    try:
        knobs = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explained(problem) for problem in error.errors())) from error
    if knobs.overrides.file is None and (beside := beside_settings(path)).is_file():
        return knobs.model_copy(update={"overrides": Overrides(file=str(beside))})
    return knobs


def beside_settings(path: Path | None) -> Path:
    """Where the overrides are, or would be, if the settings in a file do not say."""
    return (path.parent if path else Path()) / OVERRIDES_FILE


def cache_folder() -> Path:
    """Where things are kept that only save time: $COPYDESK_CACHE, else copydesk in $XDG_CACHE_HOME or ~/.cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COPYDESK_CACHE") or home / "copydesk")


def _put(values: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise SettingsError(f"settings: --set {override!r}: {key} is a value, not a section")
    values[keys[-1]] = value


def _toml_value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        return written


def _explained(problem: Any) -> str:
    """One line of pydantic's errors: the key, the value, and what is allowed there."""
    *parents, key = (str(part) for part in problem["loc"] if not str(part).startswith(("constrained-", "literal[")))  # of a choice of types
    where = ".".join([*parents, key])
    if problem["type"] == "extra_forbidden":
        return f"settings: {where} is unknown; allowed here: {', '.join(_known(parents))}"
    return f"settings: {where} = {problem['input']!r} is not allowed: {problem['msg']}"


def _known(parents: list[str]) -> list[str]:
    section: Any = Settings
    for name in parents:
        section = section.model_fields[name].annotation
    return sorted(section.model_fields)
