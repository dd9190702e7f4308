"""The suites and what they found as a site of static pages, for people: Great Expectations' Data Docs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks import files
from tasks.validate import engine
from tasks.validate.rows import Counts
from tasks.validate.run import Verdict
from tasks.validate.suites import Suite

# What one rule found: did it hold, values evaluated, values that failed, and that in words.
Finding = tuple[bool, int, int, str]


# Great Expectations escapes nothing that it shows, and its pages need no script to be read
_POLICY = (
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline' https:; font-src https: data:; "
    'img-src https: data:">'
)


def data_docs(stories: Suite, checks: Counts, run: Suite, verdict: Verdict, out: Path, *, name: str, at: datetime) -> Path:
    """Writes the site into `out` and returns its index.html; nothing is validated again, no network is needed.

    The pages show each rule with what it found over all shards, or in the whole snapshot. They name style sheets and scripts
    on public servers: without a network they can be read, but unstyled. Great Expectations
    writes the clock and random ids into the pages, so two builds of one site differ in bytes.

    Args:
        checks: the sum of all shards' counts.
        name: of the run, e.g. the snapshot's.
        at: time of the run, with its time zone.
    """
    if not files.is_local(out):
        with TemporaryDirectory(prefix="copydesk-") as folder:
            data_docs(stories, checks, run, verdict, Path(folder), name=name, at=at)
            files.put(Path(folder), out)
        return out / "index.html"
    context = engine.new_context()
    context.add_data_docs_site(
        "copydesk",
        {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out.absolute())},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    _store(context, stories, _of_rows(checks), asset="all shards", name=name, at=at)
    _store(context, run, _of_run(verdict), asset="snapshot", name=name, at=at)
    context.build_data_docs()
    for page in out.rglob("*.html"):
        page.write_text(page.read_text(encoding="utf-8").replace("<head>", f"<head>{_POLICY}", 1), encoding="utf-8")
    return out / "index.html"


def _of_rows(checks: Counts) -> dict[str, Finding]:
    return {
        count.name: (not count.failed, count.evaluated, count.failed, f"{count.failed:,} of {count.evaluated:,} failed")
        for count in checks.expectations
    }


def _of_run(verdict: Verdict) -> dict[str, Finding]:
    return {
        result.name: (
            result.status in ("passed", "not compared"),
            int(result.status != "not compared"),
            int(result.status in ("failed", "accepted", "warned")),
            result.message,
        )
        for result in verdict.results
    }


def _store(context: Any, suite: Suite, findings: Mapping[str, Finding], *, asset: str, name: str, at: datetime) -> None:
    """Puts the suite and its results where the site builder looks; results are put together from what was found before."""
    from great_expectations import __version__
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier, ValidationResultIdentifier

    found = [(expectation, findings.get(expectation.meta["name"])) for expectation in suite.opaque]
    results = [_result(expectation, finding) for expectation, finding in found if finding is not None]
    held = sum(result.success for result in results)
    run = RunIdentifier(run_name=name, run_time=at)
    validation = ExpectationSuiteValidationResult(
        success=held == len(results),
        results=results,
        suite_name=suite.name,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": held,
            "unsuccessful_expectations": len(results) - held,
            "success_percent": 100 * held / len(results) if results else None,
        },
        meta={"run_id": run, "batch_spec": {"data_asset_name": asset}, "great_expectations_version": __version__},
    )
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite.name), run, asset.replace(" ", "_"))
    context.validation_results_store.set(key, validation)


def _result(expectation: Any, finding: Finding) -> Any:
    from great_expectations.core import ExpectationValidationResult

    held, evaluated, failed, words = finding
    configuration = expectation.configuration
    configuration.description = f"{configuration.meta['name']} ({configuration.severity.value}): {configuration.description}"
    return ExpectationValidationResult(
        success=held,
        expectation_config=configuration,
        result={
            "observed_value": escape(words),
            "element_count": evaluated,
            "unexpected_count": failed,
            "unexpected_percent": 100 * failed / evaluated if evaluated else 0.0,
        },
        exception_info={"raised_exception": False, "exception_message": None, "exception_traceback": None},
    )
