"""The one place that runs Great Expectations: a pandas frame and rules in, plain outcomes out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from tasks.validate.suites import Suite

if TYPE_CHECKING:
    import pandas as pd

COUNTS = {"result_format": "BASIC", "exclude_unexpected_values": True, "partial_unexpected_count": 0}
PLACES = {"result_format": "COMPLETE", "exclude_unexpected_values": True, "partial_unexpected_count": 0}


class ExpectationRaisedError(RuntimeError):
    """An expectation could not be evaluated: nothing is known about the data, the operator must act."""


@dataclass(frozen=True)
class Outcome:
    """What one expectation found: values that were not null, how many of them failed, and in which rows if that was asked."""

    evaluated: int
    failed: int
    rows: tuple[int, ...] = ()


def evaluated(frame: pd.DataFrame, suite: Suite, places_of: Collection[str]) -> dict[str, Outcome]:
    """Outcome of each rule of the suite, by name; for failed ones of `places_of` with the positions of the rows.

    Rows are asked for in a second pass and of few rules only, since Great Expectations evaluates a condition 5 times to
    name them and 3 times to count them.

    Raises:
        ExpectationRaisedError: a rule raised; by its outcome alone that could not be told from one that failed.
    """
    found = _validated(frame, suite, suite.names, COUNTS)
    failed = [name for name in suite.names if name in places_of and found[name].failed]
    return found | _validated(frame, suite, failed, PLACES) if failed else found


def new_context() -> Any:
    """An ephemeral Great Expectations context: nothing on disk, no progress bars, no analytics, no site of its own (15 ms)."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults, ProgressBarsConfig

    quiet = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )
    return gx.get_context(mode="ephemeral", project_config=quiet)


@cache
def _batches() -> Any:
    """Where frames become batches, made once a process; it holds no data."""
    return new_context().data_sources.add_pandas("copydesk").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all")


def _validated(frame: pd.DataFrame, suite: Suite, names: Collection[str], result_format: dict[str, Any]) -> dict[str, Outcome]:
    import great_expectations as gx

    chosen = [expectation for expectation in suite.opaque if expectation.meta["name"] in names]
    batch = _batches().get_batch(batch_parameters={"dataframe": frame})
    validation = batch.validate(gx.ExpectationSuite(suite.name, expectations=chosen), result_format=result_format)
    found = {result.expectation_config.meta["name"]: _outcome(result) for result in validation.results}  # not in suite order
    if missing := [name for name in names if name not in found]:
        raise ExpectationRaisedError(f"Great Expectations gave no result for {', '.join(missing)} of the {suite.name} suite")
    return found


def _outcome(result: Any) -> Outcome:
    if message := _raised(result.exception_info):
        name, column = result.expectation_config.meta["name"], result.expectation_config.kwargs.get("column")
        raise ExpectationRaisedError(
            f"expectation {name} could not be evaluated on column {column}: {message}; this says nothing about the data: "
            f"correct the expectation's type or arguments in the suite"
        )
    counts = result.result
    evaluated_values = counts["element_count"] - (counts.get("missing_count") or 0)
    return Outcome(evaluated_values, counts["unexpected_count"], tuple(counts.get("unexpected_index_list") or ()))


def _raised(info: dict[str, Any]) -> str | None:
    """The exception's text, or None. The library writes one record, or one a metric under the metric's id."""
    records = [info] if "raised_exception" in info else list(info.values())
    return next((str(record["exception_message"]) for record in records if record["raised_exception"]), None)
