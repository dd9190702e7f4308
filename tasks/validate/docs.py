"""The suites and what they found as a site of static pages, for people: Great Expectations' Data Docs.

As the library writes them, the pages take styles, scripts and pictures from public servers, and bring 4 MB of fonts and of pictures that explain the
product. Here the library's pages are cut to what they say (`_offline`) and have a style of our own: nothing is fetched, and no script runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from importlib import resources
from os.path import relpath
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
_HEAD = (
    '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'self' file:; base-uri 'none'; form-action 'none'\">"
    '<title>{title}</title><link rel="stylesheet" href="{style}"></head>'
)
_STYLE = "static/docs.css"
# what does nothing without scripts or servers: pictures, buttons, tabs, filters, the advertisement at the foot, head rows without words
_IDLE = (
    "//script|//style|//link|//img|//footer|//button|//ul[@role='tablist']|//a[@data-toggle]|//thead[@hidden]|//label"
    "|//div[contains(@class, 'card')][.//input]|//div[contains(@class, 'show-scrollbars')]/i"
)
_KEPT = frozenset({"id", "class", "href", "lang", "scope", "colspan", "aria-current", "aria-label"})
_SIGNS = {"text-success": "held", "text-danger": "failed", "text-warning": "warned"}


def data_docs(stories: Suite, checks: Counts, run: Suite, verdict: Verdict, out: Path, *, name: str, at: datetime) -> Path:
    """Writes the site into `out` and returns its index.html; nothing is validated again, no network is needed.

    The pages show each rule with what it found over all shards, or in the whole snapshot. Great Expectations
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
    index, pages = out / "index.html", sorted(out.rglob("validations/**/*.html"))
    for page in (index, *pages):
        _offline(page, out)
    _list_pages(
        index, [(suite, page) for suite in (stories, run) for page in pages if page.is_relative_to(out / "validations" / suite.name)]
    )
    files.remove_tree(out / "static")
    files.folder(out / "static")
    (out / _STYLE).write_bytes((resources.files("tasks.validate") / "docs.css").read_bytes())
    return index


def _offline(page: Path, root: Path) -> None:
    """Cut a page to what it says, in our style."""
    from lxml import etree, html
    from lxml.html import builder

    body = html.parse(str(page), html.HTMLParser(encoding="utf-8")).getroot().find("body")
    for sign in body.xpath("//i[contains(@class, 'fa')]"):  # icons of a font that is not there
        word = next((word for name, word in _SIGNS.items() if name in sign.get("class", "")), None)
        if word and not sign.get("aria-hidden"):  # beside which the word stands
            sign.addprevious(builder.SPAN(word, {"class": f"sign {word}"}))
        sign.drop_tree()
    for idle in body.xpath(_IDLE):
        idle.drop_tree()
    for element in body.iter(etree.Element):
        for name in set(element.keys()) - _KEPT:
            del element.attrib[name]
    for link in body.xpath("//a[contains(@href, '/expectations/')]"):  # pages of suites that are not stored: their rules are on this one
        link.drop_tag()
    title = " ".join(body.xpath("string((//li[contains(@class, 'breadcrumb-item')])[last()])").split()) or "Expectations"
    head = _HEAD.format(title=escape(f"{title} \u00b7 copydesk"), style=relpath(root / _STYLE, page.parent))
    page.write_text(f'<!doctype html>\n<html lang="en">{head}{html.tostring(body, encoding="unicode")}</html>\n', encoding="utf-8")


def _list_pages(index: Path, pages: list[tuple[Suite, Path]]) -> None:
    """Put the pages into the index, whose own list a script would fill."""
    rows = []
    for suite, page in pages:
        told = page.read_text(encoding="utf-8")
        failed = told.count('class="sign failed"')
        sign = '<span class="sign held">held</span>' if not failed else f'<span class="sign failed">{failed} failed</span>'
        about = "each story, over all shards" if suite.name == "stories" else "the snapshot as a whole"
        link = f'<a href="{escape(page.relative_to(index.parent).as_posix())}">{escape(suite.name)}</a>'
        rows.append(f"<tr><td>{link}</td><td>{about}</td><td>{len(suite.opaque)} rules</td><td>{sign}</td></tr>")
    table = f'<table class="table"><thead><tr><th scope="col">Suite</th><th scope="col">About</th><th scope="col">Rules</th><th scope="col">Result</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    whole = index.read_text(encoding="utf-8")
    begin = whole.index("<table")
    index.write_text(
        whole[:begin]
        + '<p>What had to hold. <a href="../report/index.html">The report</a> shows what was decided.</p>'
        + table
        + whole[whole.index("</table>", begin) + len("</table>") :],
        encoding="utf-8",
    )


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
