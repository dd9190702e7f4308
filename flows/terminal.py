"""What people see in a terminal: progress, tables, a story's lines. Plain lines where there is no terminal."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


class _Piped(Console):
    """A console whose reader may leave early: `copydesk compare A B | head` is no failure, and the command line ends it."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


SOURCES, LINES = 20, 8  # what is shown of a model of furniture
REPAIRS = 8  # of the edits of one kind
LONG = 400  # characters of a line that goes
LIFTED = ("headline", "byline", "agency", "date")
_SPACE = re.compile(r"[^\S\n\r\v\f\x1c-\x1f\x85]")  # white space within a line
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji need them


def escape(text: str) -> str:
    """The text for a line of markup, in which it commands neither rich nor the terminal."""
    return escape_markup(_harmless(text))


def _harmless(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign in _JOINERS or sign == "\n" else "\ufffd" for sign in text)


out = _Piped(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress(as_json: bool = False) -> Iterator[None]:
    """Show the log `copydesk` on standard error: one bar a stage on a terminal, else a line as a stage ends, or one JSON object a record."""
    log = logging.getLogger("copydesk")
    shown = Progress(
        TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err, transient=True
    )
    handler = _Json() if as_json else _Bars(shown) if err.is_terminal else _Lines()
    level = log.level
    log.setLevel(logging.INFO)  # not the attribute: loggers remember which levels they let through
    propagate, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        with shown if err.is_terminal and not as_json else nullcontext():
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        done, total = getattr(record, "done", 0), getattr(record, "total", 0)
        if done == total:
            err.print(escape(record.getMessage()))


class _Json(logging.Handler):
    """time (UTC), level, run, message; of a task that is done: stage, number, total, seconds, and the shard it was about. No story's text."""

    def __init__(self) -> None:
        super().__init__()
        self._run = ""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "done", None) == 0:  # that a stage begins, which the bars show
            return
        self._run = getattr(record, "run", self._run)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"time": at, "level": record.levelname.lower(), "run": self._run, "message": record.getMessage()}
        told |= {name: getattr(record, name) for name in ("stage", "number", "total", "seconds", "shard") if hasattr(record, name)}
        if record.exc_info:
            told["trace"] = "".join(traceback.format_exception(*record.exc_info))
        print(json.dumps(told, ensure_ascii=False), file=sys.stderr, flush=True)  # noqa: T201 - a line a record is what it is for


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
        done, total = getattr(record, "done", 0), getattr(record, "total", None)
        if stage not in self._bars:
            self._bars[stage] = self._shown.add_task(stage, completed=done, total=total)
        self._shown.update(self._bars[stage], completed=done, total=total)


def check(name: str, state: str, says: str, do: str) -> None:
    """One line of `copydesk doctor`, and what to do below it."""
    style = {"ok": "green", "warn": "yellow", "fail": "bold red"}[state]
    out.print(Text.assemble((f"{state:<5}", style), f"{name:<10}{_plain(says)}"))
    if do:
        out.print(Text(f"{'':<15}{_plain(do)}", style if state == "fail" else ""))


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


def snapshots(listed: Sequence[Mapping[str, Any]]) -> None:
    """The snapshots of a folder, as tasks.snapshots.listed gives them; nothing is cut, so that names can be copied."""
    styles = {"published": "bold", "held": "red", "refused": "yellow", "unreadable": "bold red"}
    rows = [("snapshot", "state", "stories", "own MB", "parent", "why")]
    for row in listed:
        stories = "" if row["stories"] is None else f"{row['stories']:,}"
        rows.append((row["snapshot"], row["state"], stories, f"{row['own_bytes'] / 1e6:,.1f}", row["parent"] or "", row["why"] or ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row_cells in rows:
        cells = [
            cell.rjust(width) if i in (2, 3) else cell.ljust(width) for i, (cell, width) in enumerate(zip(row_cells, widths, strict=True))
        ]
        out.print(Text("  ".join(cells).rstrip(), styles.get(row_cells[1], "")))


def override(name: str, says: str, file: str, after: str) -> None:
    """An entry that was written or taken back, where, and what the next run does."""
    for what, said in (("override", f"{name}: {says}"), ("file", file), ("next run", after)):
        out.print(Text.assemble((f"{what:<10}", "dim"), _plain(said)))


def overrides(listed: Sequence[Mapping[str, Any]]) -> None:
    """The editors' entries, as flows.word.listed gives them: what each says, what the last run made of it, who said it and why."""
    styles = {"matches nothing": "yellow", "not yet run": "cyan", "taken back": "dim"}
    for row in listed:
        style = styles.get(row["state"], "green")
        number = f"{row['number']}" if row["number"] else "-"
        out.print(Text.assemble((f"{number:>3}  {row['id']}  ", "bold"), (_decided(row), style)))
        out.print(Text(f"     {_plain(row['says'])}"))
        if said := ", ".join(_plain(row[name]) for name in ("who", "when", "why") if row.get(name)):
            out.print(Text(f"     {said}", "dim"))
        if row["hint"]:
            out.print(Text(f"     {_plain(row['hint'])}", "yellow"))


def _decided(row: Mapping[str, Any]) -> str:
    if row["state"] != "obeyed":
        return str(row["state"])
    what, number = "story" if row["kind"] == "line" else "row", row["rows"]
    plural = {"story": "stories", "row": "rows"}[what]
    if not number:
        return "obeyed, and changes nothing: the verdict agrees"
    return f"obeyed: {number:,} {what if number == 1 else plural}"


def obeyed(told: Mapping[str, Any]) -> None:
    """What a run made of the editors' entries, in a line; nothing without any."""
    if not (entries := told["entries"]):
        return
    unmatched = told["unmatched"]
    lost = f"; {len(unmatched):,} {'match' if len(unmatched) > 1 else 'matches'} nothing (`copydesk override list`)" if unmatched else ""
    out.print(f"overrides {len(entries) - len(unmatched):,} obeyed{lost}")


def gates(results: Sequence[Mapping[str, Any]]) -> None:
    """What the run expectations have to say, in their order; those that were met are silent."""
    styles = {"failed": "bold red", "accepted": "red", "warned": "yellow"}
    for result in results:
        if style := styles.get(result["status"]):
            err.print(f"[{style}]{result['status']}[/{style}] {escape(result['message'])}")


def story(record: Mapping[str, Any], why: Mapping[str, str]) -> None:
    """A story's lines in order, the removed ones marked with the rule that took them and their zone; then what each rule is for,
    and the repairs. On a terminal long lines are folded, very long ones that go are cut; elsewhere a line is a line.

    Args:
        record: with text, reason, removed, repairs and, of a page, left_out.
        why: what each rule is for.
    """
    gone = {line["line"]: line for line in record.get("removed") or ()}
    kept = record["text"].split("\n" if record.get("reason") else "\n\n") if record["text"] else []
    left = iter(kept)
    out.print()
    for number in range(len(gone) + len(kept)):
        if (line := gone.get(number)) is None:
            _line("  ", next(left))
        else:
            style = "cyan" if line["rule"] in LIFTED else "red"
            _line("- ", line["text"], style, f"{line['rule']}, {line['zone']}" if line["text"].strip() else line["rule"])
    if aside := record.get("left_out"):
        out.print()
        out.print(f"[bold]left on the page[/bold]  [dim]{len(aside):,} lines that ingest takes for no part of its story[/dim]")
        for text in aside:
            _line("- ", text, "red")
    _rules_at_work(list(gone.values()), why)
    _repairs(record.get("repairs") or ())


def _line(mark: str, text: str, style: str = "", hint: str = "") -> None:
    shown = _visible(" ".join(_SPACE.split(text)))
    if not out.is_terminal:
        out.print(Text(f"{mark}{shown}{f'  {hint}' if hint else ''}"))
        return
    if mark.strip() and len(shown) > LONG:
        shown = f"{shown[: LONG - 60]} … ({len(shown) - LONG:,} more characters) … {shown[-60:]}"
    table = Table(box=None, pad_edge=False, show_header=False, padding=0)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style), Text.assemble((shown, style), (f"  {hint}" if hint else "", "dim")))
    out.print(table, width=min(out.width, WIDEST), soft_wrap=False)


def _rules_at_work(removed: Sequence[Mapping[str, Any]], why: Mapping[str, str]) -> None:
    """What took the lines, in the order of the text, and why."""
    taken = Counter(line["rule"] for line in removed if line["rule"] != "blank")
    if not taken:
        return
    out.print()
    out.print(f"[bold]{'1 line goes' if taken.total() == 1 else f'{taken.total():,} lines go'}[/bold]")
    for rule, lines in taken.items():
        _line(f"{lines:>4}  ", f"{rule}: {why[rule]}" if rule in why else rule)


def _repairs(repairs: Sequence[Mapping[str, Any]]) -> None:
    """What was mended, by what was done; on a terminal the first few edits of each kind."""
    if not repairs:
        return
    out.print()
    out.print(f"[bold]{'1 repair' if len(repairs) == 1 else f'{len(repairs):,} repairs'}[/bold]")
    kinds: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for edit in repairs:
        kinds.setdefault((edit["field"], edit["fix"]), Counter())[edit["before"], edit["after"]] += 1
    for (field, fix), edits in kinds.items():
        out.print(Text(f"~ {field}: {fix}", "yellow"))
        most = REPAIRS if out.is_terminal else len(edits)
        for (before, after), times in list(edits.items())[:most]:
            _line("    ", f"{_visible(before)} -> {_visible(after)}", "", f"× {times:,}" if times > 1 else "")
        if len(edits) > most:
            out.print(f"    [dim]and {len(edits) - most:,} more (--json has them)[/dim]")


def fields(values: Mapping[str, Any]) -> None:
    """Name and value on a line each; what is null is left out."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in values.items():
        if value is not None and value != []:
            table.add_row(name, Text(f"{value:.3f}" if isinstance(value, float) else _visible(str(value))))
    if out.is_terminal:
        out.print(table)
        return
    with out.capture() as captured:
        out.print(table)
    out.print(Text("\n".join(line.rstrip() for line in captured.get().splitlines())))


def rules(listed: Sequence[Mapping[str, Any]]) -> None:
    """The boilerplate rules with their hits in the last run and one line that each took."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    table.add_column("lines", justify="right", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("languages", no_wrap=True)
    table.add_column("why, and one line", overflow="fold")
    for rule in listed:
        kind = f"{rule['kind'] or ''}{', margin' if rule['zone'] == 'margin' else ''}"
        words = Text(rule["why"])
        if rule["example"]:
            words.append(f"{' ' if rule['why'] else ''}[{_short(rule['example'])}]", style="dim")
        table.add_row(escape(rule["rule"]), f"{rule['hits']:,}", kind, _languages(rule["languages"]), words)
    out.print(table)


def rule_trial(found: Mapping[str, Any]) -> None:
    """What a file of rules would change, by rule and by source, and the stories that would lose most."""
    out.print(
        f"{escape(found['file'])}: {found['changed']:,} of {found['stories']:,} stories would change; "
        f"{found['removed']:,} lines would newly go, {found['returned']:,} would stay that go now"
    )
    for one in found["examples"]:
        fault = "does not take its own example" if one["should"] == "strip" else "takes what it must leave"
        out.print(Text.assemble(("wrong", "red"), f" {_plain(one['rule'])} {fault}: {_short(one['line'])}"))
    if found["disabled"]:
        out.print(f"built-in rules switched off: {escape(', '.join(found['disabled']))}")
    for name, rows in (("rule", found["rules"]), ("source", found["sources"])):
        if rows:
            table = Table(box=None, pad_edge=False)
            table.add_column(name, no_wrap=True)
            table.add_column("lines", justify="right")
            table.add_column("stories", justify="right")
            table.add_column("examples", overflow="fold")
            for row in rows:
                examples = "\n".join(_times(one["text"], one["times"]) for one in row["examples"])
                stories = f"{row['stories']:,}" + (f" of {row['read']:,}" if "read" in row else "")
                table.add_row(escape(row[name]), f"{row['lines']:,}", stories, Text(_harmless(examples)))
            out.print()
            out.print(table)
    for one in found["losers"][:PASSAGES]:
        share = f"loses {_percent(one['lost'])} of its words"
        out.print(f"[yellow]look[/yellow] {escape(one['raw_id'])} {share}: {escape(_short(' / '.join(one['lines'])))}")
    if len(found["losers"]) > PASSAGES:
        out.print(f"[yellow]look[/yellow] {len(found['losers']) - PASSAGES:,} more stories lose more than 2 % of their words")
    if found["empty"]:
        out.print(f"[red]nothing would be left of {len(found['empty']):,} stories[/red]: {escape(', '.join(found['empty'][:PASSAGES]))}")


def _languages(codes: Sequence[str]) -> str:
    return " ".join(codes) if len(codes) <= 4 else f"{codes[0]} and {len(codes) - 1} more"


def _times(line: str, times: int) -> str:
    return f"[{_short(line)}]" + (f" × {times:,}" if times > 1 else "")


def _short(line: str) -> str:
    plain = _plain(line)
    return plain if len(plain) <= 80 else f"{plain[:79]}…"


def raised(words: Sequence[tuple[str, float, float]]) -> None:
    """The words that a rarity model made most common, with their Zipf frequencies before and after."""
    table = Table(box=None, pad_edge=False)
    table.add_column("more common here")
    table.add_column("elsewhere", justify="right")
    table.add_column("here", justify="right")
    for word, before, after in words:
        table.add_row(escape(word), f"{before:.1f}", f"{after:.1f}")
    if words:
        out.print(table)


def furniture(taken: Sequence[Any], newly: Mapping[tuple[str, str], int]) -> None:
    """The lines of a furniture model that are to be taken, by source: the stories that have them, and those in which they are kept now."""
    table = Table(box=None, pad_edge=False)
    table.add_column("stories", justify="right")
    table.add_column("kept now", justify="right")
    table.add_column("line")
    width = max(40, out.width - 28)
    sources: dict[str, list[tuple[int, int, int, str]]] = {}
    for (source, in_block), found in groupby(sorted(taken, key=_of_block), key=_of_block):
        rows = [(newly.get((source, line.folded), 0), line.stories, line.of, _plain(line.line)) for line in found]
        if in_block:
            kept, stories, of, _ = max(rows)
            rows = [(kept, stories, of, f"a menu of {len(rows)} lines: {', '.join(line for *_, line in rows)}")]
        sources.setdefault(source, []).extend(rows)
    most = sorted(sources, key=lambda source: (-sum(kept for kept, *_ in sources[source]), source))
    for source in most[:SOURCES]:
        table.add_row("", "", f"[bold]{escape(_plain(source))}[/bold]")
        listed = sorted(sources[source], key=lambda row: (-row[0], -row[1], row[3]))
        for kept, stories, of, line in listed[:LINES]:
            table.add_row(
                f"{stories:,} of {of:,}", f"{kept:,}" if kept else "", escape(line if len(line) <= width else f"{line[: width - 1]}…")
            )
        if len(listed) > LINES:
            table.add_row("", "", f"[dim]and {len(listed) - LINES:,} more[/dim]")
    if len(most) > SOURCES:
        table.add_row("", "", f"[dim]and {len(most) - SOURCES:,} more sources[/dim]")
    if taken:
        out.print(table)


def _of_block(line: Any) -> tuple[str, bool]:
    return line.source, line.place == "block"


# ---- two stories side by side ------------------------------------------------------------------------------------------

WIDE = 80  # columns of a terminal from which two texts stand side by side
WIDEST = 160  # longer lines are hard to read
CONTEXT = 8  # words before and after a shared passage
HEAD, TAIL = 50, 10  # words that are shown of a long passage
PASSAGES = 8  # the longest ones tell enough

_COLOURS = {"exact": "green", "near": "green", "derivative": "yellow", None: "cyan"}
_POLICY = {
    "source_of_derivative": "it is the source",
    "more_complete": "it is more complete",
    "latest_version": "it is the latest version of its source",
    "earlier": "it was published first",
    "tie": "a tie, settled by the hash of the text",
    "override": "an editor keeps it",
}


def comparison(found: Mapping[str, Any]) -> None:
    """What flows.compare found, for people: verdict, the two headers, evidence, shared passages. Fits the terminal's width."""
    if out.is_terminal:
        _comparison(found, min(out.width, WIDEST))
        return
    with out.capture() as captured:
        _comparison(found, min(out.width, WIDEST))
    out.print(Text("\n".join(line.rstrip() for line in captured.get().splitlines())))


def _comparison(found: Mapping[str, Any], width: int) -> None:
    a, b, verdict = found["a"], found["b"], found["verdict"]
    _print(Text(verdict["words"], style=f"bold {_COLOURS[verdict['relation']]}"), width)
    for line in _said(verdict):
        _print(Text(line), width)
    for note in found["notes"]:
        _print(Text(f"note: {_plain(note)}", style="yellow"), width)

    _title("the two", width)
    header = [("", Text("A", style="bold"), Text("B", style="bold"))] if width >= WIDE else []
    header += [
        (name, _header(a, name, b, "B"), _header(b, name, a, "A"))
        for name in ("", "source", "title", "byline", "published", "words", "decision")
    ]
    _beside([row for row in header if row[1].plain or row[2].plain], width)

    _title("evidence of one story", width, "what it adds to the odds (natural logarithm), then the sentence")
    total = sum(one["contribution"] for one in found["evidence"])
    odds = f"in all, as a probability of a rewrite: {_percent(verdict['rewrite_probability'])}"
    _contributions(found["evidence"], width, ("", f"{total:+.1f}", odds))
    _print(Text(found["caveat"], style="dim"), width)
    out.print()
    likeness = found["similarity"]
    _grid(
        [
            ("jaccard", f"{likeness['jaccard']:.3f}", "similarity of the sets of shingles"),
            (
                "containment",
                f"{likeness['containment_a']:.3f}  {likeness['containment_b']:.3f}",
                "share of A's shingles found in B, of B's in A",
            ),
            ("weighted jaccard", f"{likeness['weighted_jaccard']:.3f}", "similarity of the sets of rare terms, the rarest counting most"),
            (
                "coverage",
                f"{likeness['coverage_a']:.3f}  {likeness['coverage_b']:.3f}",
                "share of A's sentences that mostly stand in B, of B's in A",
            ),
        ],
        width,
    )
    if found["barriers"]:
        _title("why no near copy" if verdict["relation"] else "why they are two stories", width)
        _grid([(f"no {'near copy' if one['tier'] == 'near' else 'rewrite'}", "", one["words"]) for one in found["barriers"]], width)
    if verdict["relation"]:
        _title("evidence of the source", width, "above 0 for A, below for B")
        _contributions([one for one in found["source_evidence"] if one["value"]], width)
    _passages(found, width)


def _said(verdict: Mapping[str, Any]) -> Iterator[str]:
    yield f"probability that they are one story: {_percent(verdict['probability'])}"
    if verdict["source"]:
        yield f"judged to be the source: {verdict['source'].upper()}, {_percent(verdict['source_probability'])} sure"
    if verdict["kept"]:
        yield f"a run that has only these two keeps {verdict['kept'].upper()}: {_POLICY.get(verdict['kept_reason'], verdict['kept_reason'])}"
    if not verdict["proposed"]:
        yield "a run would not propose the pair: their sketches have too little in common" + (
            ", unless a cluster brings them together" if verdict["relation"] else ""
        )


def _percent(share: float) -> str:
    return f"{min(99.9, 100 * share):.1f} %" if 0 < share < 0.01 or 0.99 < share < 1 else f"{100 * share:.0f} %"


def _header(side: Mapping[str, Any], name: str, other: Mapping[str, Any], letter: str) -> Text:
    if name == "":
        return Text(_plain(side["given"]), style="bold")
    if name == "published":
        return Text((side["published_at"] or "").replace("T", " ").replace("+00:00", " UTC"))
    if name == "words":
        return Text(f"{side['word_count']:,}")
    if name == "decision":
        relation, reason = side["relation"], side["reason"]
        of = f" of {letter if side['duplicate_of'] == other['story_id'] else side['duplicate_of']}" if side["duplicate_of"] else ""
        return Text(
            f"{side['outcome'] or ''}{of}{f', {relation}' if relation else ''}{f' ({reason})' if reason and side['outcome'] else ''}"
        )
    return Text(_plain(side[name] or ""))


def _contributions(evidence: Sequence[Mapping[str, Any]], width: int, *last: tuple[str, str, str]) -> None:
    _grid([(one["name"], f"{one['contribution']:+.1f}", one["words"]) for one in evidence] + list(last), width)


def _passages(found: Mapping[str, Any], width: int) -> None:
    passages, whole = found["passages"], found["verdict"]["relation"] == "exact"
    if whole or not passages:
        _title("shared passages", width)
        _print(Text("the whole text" if whole else "none of four words or more"), width)
        return
    _title("shared passages", width, "longest first" if out.is_terminal else "longest first, in brackets")
    rows = [("", Text("A", style="bold"), Text("B", style="bold"))] if width >= WIDE else []
    for one in passages[:PASSAGES]:
        left = _in_context(found["a"]["text"], one["start"], one["text"])
        rows.append(("", left, _in_context(found["b"]["text"], one["other_start"], one["other_text"])))
    _beside(rows, width, gap=True)
    if len(passages) > PASSAGES:
        _print(Text(f"and {len(passages) - PASSAGES} more (--json has them)", style="dim"), width)


def _in_context(text: str, start: int, passage: str) -> Text:
    """A passage with some words of its surroundings; a long one without its middle."""
    before, after = text[:start], text[start + len(passage) :]
    near, far = before.split()[-CONTEXT:], after.split()[:CONTEXT]
    words = passage.split()
    if len(words) > HEAD + TAIL + 10:
        words = [*words[:HEAD], f"… ({len(words) - HEAD - TAIL} more words) …", *words[-TAIL:]]
    shown = _plain(" ".join(words))
    return Text.assemble(
        ("… " if len(before.split()) > CONTEXT else "", "dim"),
        (_plain(" ".join(near)) + (" " if before[-1:].isspace() else ""), "dim"),
        (shown if out.is_terminal else f"[{shown}]", "bold"),
        ((" " if after[:1].isspace() else "") + _plain(" ".join(far)), "dim"),
        (" …" if len(after.split()) > CONTEXT else "", "dim"),
    )


def _plain(text: str) -> str:
    """On one line, and without characters that would command the terminal."""
    return "".join(sign if sign.isprintable() or sign in _JOINERS else "\ufffd" for sign in " ".join(text.split()))


def _visible(text: str) -> str:
    """The text with what is not to be seen, or would command the terminal, by its number: <U+00A0>."""
    return "".join(sign if sign.isprintable() or sign in _JOINERS else f"<U+{ord(sign):04X}>" for sign in text)


def _title(text: str, width: int, hint: str = "") -> None:
    out.print()
    _print(Text.assemble((text, "bold underline"), (f"  {hint}" if hint else "", "dim")), width)


def _print(text: Text, width: int) -> None:
    out.print(text, width=width, soft_wrap=False)


def _grid(rows: Sequence[tuple[str, str, str]], width: int) -> None:
    """Name, figure and sentence in columns."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    if any(figure for _, figure, _ in rows):
        table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, figure, words in rows:
        cells = (name, figure, words) if len(table.columns) == 3 else (name, words)
        table.add_row(*(Text(cell) for cell in cells))
    out.print(table, width=width, soft_wrap=False)


def _beside(rows: Sequence[tuple[str, Text, Text]], width: int, gap: bool = False) -> None:
    """A and B in two columns, or one below the other where the terminal is narrow; `gap`: with a line between the rows."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), expand=width >= WIDE)
    named = any(name for name, _, _ in rows)
    if named:
        table.add_column(style="dim", no_wrap=True)
    if width >= WIDE:
        table.add_column(ratio=1, overflow="fold")
        table.add_column(ratio=1, overflow="fold")
    else:
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
    for number, (name, left, right) in enumerate(rows):
        if gap and number > (width >= WIDE):  # wide, the first row is the head
            table.add_row()
        if width >= WIDE:
            table.add_row(*([Text(name)] if named else []), left, right)
        else:
            table.add_row(*([Text(name)] if named else []), Text("A"), left)
            table.add_row(*([Text("")] if named else []), Text("B"), right)
    out.print(table, width=width, soft_wrap=False)
