"""What tests share: the benchmark folder, small tables, a run of the real job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = Path(os.environ.get("COPYDESK_BENCHMARKS") or ROOT.parent / "shared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `benchmark` skip, saying so, where the benchmark folder is missing."""
    if (BENCHMARKS / "data").is_dir():
        return
    skip = pytest.mark.skip(reason=f"no benchmarks at {BENCHMARKS} (set COPYDESK_BENCHMARKS)")
    for item in items:
        if "benchmark" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def benchmarks() -> Path:
    return BENCHMARKS
