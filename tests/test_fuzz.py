"""A few thousand inputs of bench.fuzz, and those that once failed: tests/data/fuzz, small and invented. The full run is `python -m bench fuzz`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import fuzz

SEED = 20_261_122
KEPT = Path(__file__).parent / "data" / "fuzz"
TEXTS: list[dict[str, Any]] = json.loads((KEPT / "texts.json").read_text(encoding="utf-8"))
FILES = sorted(path for path in KEPT.iterdir() if path.name not in ("texts.json", "README.md"))


@pytest.mark.parametrize("batch", range(6))
def test_every_text_keeps_what_must_hold(batch: int) -> None:
    with fuzz.limited(fuzz.SECONDS):
        assert fuzz.texts_hold(fuzz.texts(SEED, batch, 250))["inputs"] == fuzz.ROOMS * 250


@pytest.mark.parametrize("batch", range(6))
def test_kernels_are_what_numpy_is(batch: int) -> None:
    fuzz.arrays_hold(SEED, batch)


@pytest.mark.parametrize("batch", range(6))
def test_every_file_becomes_rows(batch: int) -> None:
    with fuzz.limited(fuzz.SECONDS):
        assert fuzz.files_hold(fuzz.files(SEED, batch))["inputs"] == fuzz.FILES


@pytest.mark.parametrize("case", TEXTS, ids=[case["label"] for case in TEXTS])
def test_texts_that_once_failed(case: dict[str, Any]) -> None:
    text = case["text"] * case.get("times", 1)
    with fuzz.limited(20):
        fuzz.texts_hold([text, text[: len(text) // 2], "An ordinary line."])


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_files_that_once_failed(path: Path) -> None:
    with fuzz.limited(20):
        fuzz.files_hold([(path.name, path.read_bytes())])


def test_the_same_seed_makes_the_same_inputs() -> None:
    assert fuzz.texts(1, 2, 50) == fuzz.texts(1, 2, 50)
    assert fuzz.files(1, 2, 20) == fuzz.files(1, 2, 20)
