"""What people see in a terminal: progress, tables, a story's lines. Plain lines where there is no terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress() -> Iterator[None]:
    """Show the log `copydesk` on standard error: one bar a stage on a terminal, else a line as a stage ends."""
    log = logging.getLogger("copydesk")
    shown = Progress(
        TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err, transient=True
    )
    handler = _Bars(shown) if err.is_terminal else _Lines()
    level, log.level = log.level, logging.INFO
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        with shown if err.is_terminal else nullcontext():
            yield
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = level, propagate


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        done, total = getattr(record, "done", 0), getattr(record, "total", 0)
        if done == total:
            err.print(escape(record.getMessage()))


class _Bars(logging.Handler):
    def __init__(self, shown: Progress) -> None:
        super().__init__()
        self._shown = shown
        self._bars: dict[str, Any] = {}

    def emit(self, record: logging.LogRecord) -> None:
        stage = getattr(record, "stage", None)
        if stage is None:
            self._shown.console.print(escape(record.getMessage()))
            return
        if stage not in self._bars:
            self._bars[stage] = self._shown.add_task(stage)
        self._shown.update(self._bars[stage], completed=getattr(record, "done", 0), total=getattr(record, "total", None))


def funnel(counts: Mapping[str, Any]) -> None:
    """The counts of a manifest as a table: how many records went which way."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="left", style="dim")
    table.add_row("raw records", f"{counts['records']:,}", f"in {counts['files']:,} files")
    for stage, reasons in counts["quarantined"].items():
        spelled = ", ".join(f"{number:,} {reason}" for reason, number in reasons.items())
        table.add_row(f"- quarantined by {stage}", f"{sum(reasons.values()):,}", spelled)
    relations = ", ".join(f"{number:,} {relation}" for relation, number in counts["duplicates"].items())
    table.add_row("- duplicates", f"{sum(counts['duplicates'].values()):,}", relations)
    table.add_row("[bold]= stories kept[/bold]", f"[bold]{counts['kept']:,}[/bold]")
    out.print(table)


def gates(results: Sequence[Mapping[str, Any]]) -> None:
    """What the run expectations have to say, in their order; those that were met are silent."""
    styles = {"failed": "bold red", "accepted": "red", "warned": "yellow"}
    for result in results:
        if style := styles.get(result["status"]):
            err.print(f"[{style}]{result['status']}[/{style}] {escape(result['message'])}")


def story_lines(text: str, removed: Sequence[Mapping[str, Any]], repairs: Sequence[Mapping[str, Any]]) -> None:
    """A story's lines in order, the removed ones marked with the rule that took them."""
    gone = {line["line"]: line for line in removed}
    kept = iter(text.split("\n\n") if text else [])
    for number in range(len(gone) + (text.count("\n\n") + 1 if text else 0)):
        if number in gone:
            out.print(f"[red]- {escape(gone[number]['text'])}[/red]  [dim]{escape(gone[number]['rule'])}[/dim]")
        else:
            out.print(f"  {escape(next(kept))}")
    for edit in repairs:
        out.print(
            f"[yellow]~[/yellow] {edit['field']}: {escape(edit['before'])} -> {escape(edit['after'])}  [dim]{escape(edit['fix'])}[/dim]"
        )


def fields(values: Mapping[str, Any]) -> None:
    """Name and value on a line each; what is null is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in values.items():
        if value is not None and value != []:
            table.add_row(name, escape(f"{value:.3f}" if isinstance(value, float) else str(value)))
    out.print(table)


def rules(listed: Sequence[Mapping[str, Any]]) -> None:
    """The boilerplate rules with their hits."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule")
    table.add_column("lines", justify="right")
    table.add_column("why", overflow="fold")
    for rule in listed:
        table.add_row(escape(rule["rule"]), f"{rule['hits']:,}", escape(rule["why"]))
    out.print(table)
