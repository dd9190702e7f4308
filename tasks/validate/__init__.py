"""The room of Great Expectations: row rules that quarantine (check), run rules that may refuse a snapshot (gate).

One face; no object of Great Expectations leaves the room but the inside of a Suite, which is opaque. Everything else that
goes in and out is Arrow tables and plain frozen values, so the flow and the report need not know the library.
"""

from tasks.validate.docs import data_docs
from tasks.validate.engine import ExpectationRaisedError
from tasks.validate.measures import AGGREGATE_COLUMNS, MEASURES
from tasks.validate.rows import Count, Counts, add_counts, check
from tasks.validate.run import Aggregates, Result, Verdict, aggregates, gate
from tasks.validate.suites import Rule, Suite, SuiteError, load_suite, rule_names

__all__ = [
    "AGGREGATE_COLUMNS",
    "MEASURES",
    "Aggregates",
    "Count",
    "Counts",
    "ExpectationRaisedError",
    "Result",
    "Rule",
    "Suite",
    "SuiteError",
    "Verdict",
    "add_counts",
    "aggregates",
    "check",
    "data_docs",
    "gate",
    "load_suite",
    "rule_names",
]
