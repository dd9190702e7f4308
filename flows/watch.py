"""What people see of a run on a Prefect server: its name, its end in one line, its log, a summary, and the tables as assets.

None of it can fail a run, and a one-off run, whose server nobody looks at, does without the parts that take time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows import faults
from tasks import files, schema
from tasks.stages import log, watched

NAME_CHARACTERS = 40  # of a folder in the name of a run
MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")
NOT_IN_ASSETS = re.compile(r"""[\s#?&%"'<>\[\]{}|\\^`]""")  # what Prefect refuses in the key of an asset


@dataclass(frozen=True)
class Outcome:
    """How a run ended (`published`, `nothing new`, `refused` or `held`), the snapshot it speaks of, and its manifest."""

    end: str
    snapshot: Path
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The end in one sentence that says what to do, if there is something to do."""
        if self.end == "nothing new":
            return f"nothing new: {self.snapshot.name} is up to date"
        counts = self.manifest["counts"]
        if self.end == "published":
            return f"published {_counted(counts['kept'], 'story', 'stories')} of {_counted(counts['records'], 'record', 'records')} as {self.snapshot.name}"
        if self.end == "held":
            held = self.manifest["held"]
            return (
                f"held: nothing published. {', '.join(held['snapshots'])} was rolled back, and this run repeats of it: "
                f"{'; '.join(held['repeats'])}. What it made lies in {self.snapshot}. `copydesk rollback --release` lets the next run publish it"
            )
        return f"refused; the published snapshot stays. What was refused lies in {self.snapshot}"

    @property
    def reason(self) -> str:
        """The same with what the gates say that refused it; first of all, since lists show the beginning alone."""
        if self.end != "refused":
            return self.words
        failed = [result["message"] for result in self.manifest["gate"]["results"] if result["status"] == "failed"]
        return f"refused: {' '.join(failed)} The published snapshot stays; what was refused lies in {self.snapshot}"


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


class NotPublishedError(RuntimeError):
    """The run ended, and its data was refused or held: for Prefect a failure, so that whoever is to be told of failures is told."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome

    def __reduce__(self) -> tuple[Any, ...]:
        return NotPublishedError, (self.outcome,)


def run_name() -> str:
    """`raw -> curated, 2031-01-02 05:00 UTC`: the folders, and when the run was due."""
    given = {"raw": "raw", "curated": "curated"} | flow_run.parameters
    due = flow_run.scheduled_start_time.astimezone(UTC)
    return f"{_short(given['raw'])} -> {_short(given['curated'])}, {due:%Y-%m-%d %H:%M} UTC"


def _short(folder: str) -> str:
    """A folder's name, a URL's bucket and path: without what may be secret, and the end of it if it is long.

    >>> _short("/srv/news/raw/"), _short("s3://key:secret@news/raw?x=1")
    ('raw', 's3://news/raw')
    """
    plain = _public(folder) if "://" in folder else Path(folder).absolute().name or folder
    return plain if len(plain) <= NAME_CHARACTERS else f"…{plain[1 - NAME_CHARACTERS :]}"


def _public(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}".rstrip("/")


def ended(raw: str, curated: str, run: Callable[[], Outcome]) -> Any:
    """Do the run; gives its outcome or, in a run that Prefect records, the state that tells it in one line.

    That state has the outcome or, failed, the exception to raise. An error that is no fault of the program's is told without a trace.
    """
    if FlowRunContext.get() is None:
        return run()
    seen = watched()
    with _logged() if seen else nullcontext():
        try:
            outcome = run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes the state, and is raised from there
            if seen and not _expected(error):
                log.exception("the run failed; where:")
            return Failed(message=_sentence(_failure(error, curated)), data=error)
        if seen and outcome.end != "nothing new":
            _show(outcome, raw, curated)
        if outcome.end not in ("refused", "held"):
            return Completed(message=_sentence(outcome.words), data=outcome)
        stopped = NotPublishedError(outcome)
        return Failed(message=_sentence(str(stopped)), data=stopped)


def _expected(error: Exception) -> bool:
    """Whether its text alone tells the operator what to do: ours are told apart by where they are defined, so that none must be listed."""
    return isinstance(error, (OSError, ModuleNotFoundError)) or error.__class__.__module__.partition(".")[0] in ("flows", "tasks")


def _failure(error: Exception, curated: str) -> str:
    if _expected(error):
        return faults.words(error, curated)
    return f"{faults.unforeseen(error)}; the log of this run tells where"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


# ---- the log ----------------------------------------------------------------------------------------------------------


class _OfRun(logging.Filter):
    """Lets through a stage's end, not each of its tasks, and says which run a record is of: threads of ours do not know it."""

    def __init__(self, run: str | None) -> None:
        super().__init__()
        self._run = run

    def filter(self, record: logging.LogRecord) -> bool:
        record.flow_run_id = self._run
        return getattr(record, "done", 0) == getattr(record, "total", 0)


@contextmanager
def _logged() -> Iterator[None]:
    """The log `copydesk` goes to the server too and, where no command line shows it, to the output of the process that Prefect began.

    What Prefect says of each task that ends well is left out: it is seen in the picture, and a run may have thousands.
    """
    from prefect.logging.handlers import APILogHandler

    logger, handler, only = logging.getLogger("copydesk"), APILogHandler(), _OfRun(flow_run.id)
    handler.addFilter(only)
    shown, level = logger.handlers != [], logger.level
    of_tasks = logging.getLogger("prefect.task_runs")
    level_of_tasks = of_tasks.level
    of_tasks.setLevel(max(logging.WARNING, level_of_tasks))
    if not shown:
        logger.addFilter(only)
        logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(only)
        logger.setLevel(level)
        of_tasks.setLevel(level_of_tasks)


# ---- what stays -------------------------------------------------------------------------------------------------------


def _show(outcome: Outcome, raw: str, curated: str) -> None:
    """The summary and the funnel, a mark on what was not published, and the tables of what was: in Prefect's terms artifacts, a tag, assets."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    try:
        key = re.sub("[^a-z0-9]+", "-", "-".join(_public(str(files.located(curated))).lower().split("/")[-2:])).strip("-") or "curated"
        create_markdown_artifact(summary(outcome), key=f"{key}-summary", description=_plain(_sentence(outcome.words)))
        create_table_artifact(funnel(outcome.manifest["counts"]), key=f"{key}-funnel", description="How many records went which way")
        if outcome.end == "published":
            _announce(outcome, raw, curated)
        else:
            _mark(outcome.end)
    except Exception as error:  # noqa: BLE001 - the run has ended, and ended well, whatever the server says
        log.warning("the summary did not reach the Prefect server: %s", error)


def _mark(tag: str) -> None:
    run = FlowRunContext.get()
    if run and run.flow_run:
        with get_client(sync_client=True) as client:
            client.update_flow_run(run.flow_run.id, tags=sorted({*run.flow_run.tags, tag}))


def summary(outcome: Outcome) -> str:
    """What became of a run, in Markdown: the end, where to look, what the gates say. Anything that came with the data is escaped."""
    counts, snapshot = outcome.manifest["counts"], outcome.snapshot
    results = outcome.manifest["gate"]["results"]
    lines = [
        f"## {_sentence(outcome.end)}: {_counted(counts['kept'], 'story', 'stories')} kept of {_counted(counts['records'], 'record', 'records')}",
        *([] if outcome.end == "published" else ["", _plain(_sentence(outcome.reason))]),
        "",
        *(f"- {_mark_of(one['status'])} {_plain(one['message'])}" for one in results if one["status"] in ("accepted", "warned")),
        "",
        "| where | path |",
        "|---|---|",
        *(
            f"| {name} | {_plain(str(snapshot / path) if path else str(snapshot))} |"
            for name, path in (
                ("snapshot", ""),
                ("report", "report/index.html"),
                ("Data Docs", "data_docs/index.html"),
                ("manifest", "manifest.json"),
            )
        ),
        "",
        "### Gates",
        "",
        "| gate | result | found | allowed |",
        "|---|---|---|---|",
        *(
            f"| {_plain(one['name'])} | {_mark_of(one['status'])} | {_number(one['observed'])} | {_plain(one['limit'])} |"
            for one in sorted(results, key=lambda one: _ORDER.index(one["status"]) if one["status"] in _ORDER else len(_ORDER))
        ),
    ]
    return "\n".join(lines) + "\n"


_ORDER = ("failed", "accepted", "warned", "passed", "not compared")


def _mark_of(status: str) -> str:
    return f"**{_plain(status)}**" if status in ("failed", "accepted", "warned") else _plain(status)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def funnel(counts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The counts of a manifest as rows: the records, what each stage took of them, the stories that are left."""
    rows = [_row("raw records", counts["records"], f"in {_counted(counts['files'], 'file', 'files')}")]
    for stage, reasons in counts["quarantined"].items():
        rows.append(_row(f"quarantined by {stage}", -sum(reasons.values()), _spelled(reasons)))
    rows.append(_row("duplicates", -sum(counts["duplicates"].values()), _spelled(counts["duplicates"])))
    return [*rows, _row("stories kept", counts["kept"], "")]


def _row(step: str, records: int, of_which: str) -> dict[str, Any]:
    return {"step": step, "records": records, "of which": of_which}


def _spelled(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {escape(name)}" for name, number in numbers.items())


def _plain(text: str) -> str:
    """The text for Markdown, in which it commands neither that nor HTML.

    >>> _plain("<b>a_b</b>|c")
    '&lt;b&gt;a\\\\_b&lt;/b&gt;\\\\|c'
    """
    return MARKDOWN.sub(r"\\\1", escape(" ".join(text.split()), quote=False))


# ---- assets -----------------------------------------------------------------------------------------------------------


def asset_key(folder: str, *below: str) -> str:
    """A folder's name among Prefect's assets: its URL, without secrets, and with `_` for the characters that Prefect refuses.

    >>> asset_key("/srv/news desk/curated", "latest", "stories")
    'file:///srv/news_desk/curated/latest/stories'
    """
    where = files.located(folder)
    url = f"file://{where.as_posix()}" if files.is_local(where) else _public(folder)
    return NOT_IN_ASSETS.sub("_", "/".join([url, *below]))


def _announce(outcome: Outcome, raw: str, curated: str) -> None:
    """Say that the published tables were made anew, from the raw folder: an event each, on which other flows can be triggered."""
    from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize
    from prefect.cache_policies import NO_CACHE

    entries: Sequence[Mapping[str, Any]] = outcome.manifest["files"]
    assets = {
        name: Asset(
            key=asset_key(curated, "latest", name),
            properties=AssetProperties(name=f"{name} in {_short(curated)}", description=f"Parquet, {len(table.names)} columns"),
        )
        for name, table in schema.TABLES.items()
    }

    def announce() -> None:
        for name, asset in assets.items():
            of_table = [entry for entry in entries if entry["path"].startswith(f"{name}/")]
            told = {"snapshot": outcome.snapshot.name, "path": str(outcome.snapshot / name), "files": len(of_table)}
            add_asset_metadata(asset, told | {"rows": sum(entry["rows"] for entry in of_table)})

    materialize(
        *assets.values(),
        by="copydesk",
        name="announce",
        task_run_name="announce the published tables",
        asset_deps=[Asset(key=asset_key(raw))],
        persist_result=False,
        cache_policy=NO_CACHE,
    )(announce)()
