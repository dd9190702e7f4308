"""What the stages of one run share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from flows import runner as runners
from flows.folder import Lock
from tasks import files, recipe, settings, stages
from tasks import overrides as editors

Result = TypeVar("Result")


@dataclass(frozen=True)
class Before:
    """What the published snapshot says: nothing, on a first run."""

    snapshot: Path | None
    manifest: dict[str, Any]
    inputs: pa.Table


@dataclass(frozen=True)
class Job:
    """One run. spelled: its recipe; started: UTC; seconds: that each stage took."""

    knobs: settings.Settings
    curated: Path
    work: Path
    spelled: dict[str, Any]
    runner: runners.Runner
    lock: Lock
    word: editors.Word
    run_id: str
    started: datetime
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """The hash that names what is made by it."""
        return recipe.recipe_hash(self.spelled)

    @property
    def index(self) -> Path:
        return self.curated / "index" / self.recipe

    @property
    def roster(self) -> Path:
        return self.work / "roster.arrow"

    def folder(self, name: str) -> Path:
        """A folder for the files of one stage."""
        return files.folder(self.work / name)

    def each(self, stage: str, function: Callable[..., Result], calls: Iterable[tuple[Any, ...]], storage: bool = False) -> list[Result]:
        """One task for each call, see stages.each; notes how long the stage took. A run that has lost the folder begins no other."""
        self.lock.check()
        began = time.perf_counter()
        try:
            return stages.each(stage, self.runner.tasks, self.runner.pool, function, calls, storage)
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - began, 2)

    def one(self, stage: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """A stage that is one task."""
        return self.each(stage, function, [arguments])[0]
