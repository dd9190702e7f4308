"""The one place that runs Great Expectations: a pandas frame and rules in, plain outcomes out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.validate.suites import Suite

if TYPE_CHECKING:
    import pandas as pd


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

    Great Expectations computes the condition of each expectation, a truth value a row, and nothing else: its validation of
    a suite evaluates each condition 3 times to count the rows and 5 times to name them, and hashes the whole frame before
    (2,000 stories of 6 KB: 0.2 s; so 0.06 s).

    Raises:
        ExpectationRaisedError: a rule raised; by its outcome alone that could not be told from one that failed.
    """
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    conditions = {expectation.meta["name"]: _condition(expectation) for expectation in suite.opaque}
    calculator = MetricsCalculator(PandasExecutionEngine(batch_data_dict={"rows": frame}))
    found, raised = calculator.compute_metrics(list(conditions.values()), runtime_configuration={"catch_exceptions": True})
    outcomes = {}
    for rule in suite.rules:
        condition = conditions[rule.name].id
        if condition not in found:
            info = raised[condition]["exception_info"] if condition in raised else "Great Expectations gave no result"
            raise ExpectationRaisedError(
                f"expectation {rule.name} could not be evaluated on column {rule.column}: {getattr(info, 'exception_message', info)}; "
                f"this says nothing about the data: correct the expectation's type or arguments in the suite"
            )
        outcomes[rule.name] = _outcome(found[condition][0], rule.name in places_of)
    return outcomes


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


def _condition(expectation: Any) -> Any:
    """The metric that says of each value whether it is unexpected."""
    from great_expectations.expectations.registry import get_metric_kwargs
    from great_expectations.validator.metric_configuration import MetricConfiguration

    name = f"{expectation.map_metric}.condition"
    arguments = get_metric_kwargs(metric_name=name, configuration=expectation.configuration)
    return MetricConfiguration(name, arguments["metric_domain_kwargs"], arguments["metric_value_kwargs"])


def _outcome(unexpected: pd.Series[bool], with_places: bool) -> Outcome:
    """`unexpected`: a truth value for each row whose value is evaluated, under the row's position."""
    places = unexpected.index[unexpected.to_numpy(bool)]
    return Outcome(len(unexpected), len(places), tuple(places.tolist()) if with_places else ())
