"""The quality gate: every benchmark set through the real command; no figure below its pinned floor."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import quality

pytestmark = [pytest.mark.benchmark, pytest.mark.prefect, pytest.mark.usefixtures("prefect_server")]


@pytest.mark.parametrize("name", quality.floors())
def test_no_figure_falls_below_its_floor(name: str, tmp_path: Path) -> None:
    from flows.curate import curate

    pinned = quality.floors()[name]
    assert pinned, "pin it: python -m bench quality --pin"
    figures = quality.score(name, tmp_path, lambda raw, curated: curate(str(raw), str(curated)))
    assert quality.shortfalls(figures, pinned) == []


def test_the_gate_sees_a_worse_figure() -> None:
    assert quality.shortfalls({"f1": 0.9, "merged_wrongly": 1, "right": False}, {"f1": 0.91, "merged_wrongly": 0, "right": True}) == [
        "f1: 0.9, pinned at 0.91",
        "merged_wrongly: 1, pinned at 0",
        "right: False, pinned at True",
    ]
    assert quality.shortfalls({"f1": 0.92, "merged_wrongly": 0}, {"f1": 0.91, "merged_wrongly": 0}) == []
