"""The pictures of the report, by Vega-Altair: drawn once, when the report is written, as SVG whose colours are the page's own."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from tasks.report.scan import RELATIONS

WIDTH = 430
_COLOURS = ("read", "quarantined", *RELATIONS, "kept")
"""Each has a variable in report.css, which a dark page sets otherwise."""
_ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')  # of every group: to who cannot see it, a picture is one thing, with one description
_NAMES = {"exact": "exact copies", "near": "near copies", "derivative": "rewrites"}


def warm_up() -> None:
    """Start what draws: it takes longer than to draw, and needs no more than a core of its own."""
    import vl_convert

    vl_convert.vega_to_svg({"width": 1, "height": 1})


def funnel(counts: Mapping[str, Any]) -> str:
    """From what was read down to what was kept, a bar for everything that was taken away."""
    left = counts["records"]
    rows = [{"name": "records read", "begin": 0, "end": left, "kind": "read"}]
    losses = [(f"quarantined by {stage}", sum(reasons.values()), "quarantined") for stage, reasons in counts["quarantined"].items()]
    losses += [(_NAMES[relation], counts["duplicates"][relation], relation) for relation in RELATIONS if relation in counts["duplicates"]]
    for name, number, kind in losses:
        rows.append({"name": name, "begin": left - number, "end": left, "kind": kind})
        left -= number
    rows.append({"name": "stories kept", "begin": 0, "end": counts["kept"], "kind": "kept"})
    for row in rows:
        number = row["end"] - row["begin"]
        row["label"] = f"{number:,}" if row["begin"] == 0 else f"\u2212{number:,}"
    return _drawn(_funnel, rows)


def certainty(found: Mapping[str, Sequence[int]]) -> str:
    """How many duplicates there are at each probability."""
    rows = [
        {"from": place / len(steps), "to": (place + 1) / len(steps), "number": number, "kind": relation}
        for relation, steps in found.items()
        for place, number in enumerate(steps)
        if number
    ]
    return _drawn(_certainty, rows) if rows else ""


def trend(points: Sequence[Mapping[str, Any]]) -> str:
    """Kept, duplicates and quarantined in each of the snapshots, one below the other."""
    if len(points) < 2:
        return ""
    names = {"kept": "kept", "duplicates": "near", "quarantined": "quarantined"}
    rows = chain.from_iterable(
        ({"at": point["started"], "name": name, "kind": kind, "number": point[name]} for name, kind in names.items()) for point in points
    )
    return _drawn(_trend, list(rows))


def _drawn(chart: Any, rows: list[dict[str, Any]]) -> str:
    import altair

    drawn = chart(altair, altair.Data(values=rows), rows)
    drawn = drawn.configure(background="transparent", padding=2, aria=False).configure_view(stroke=None)
    drawn = drawn.configure_axis(
        labelColor="var(--soft)", labelFontSize=12, labelLimit=200, domain=False, ticks=False, gridColor="var(--line)", title=None
    )
    stream = io.StringIO()
    drawn.save(stream, format="svg")
    return _ROLES.sub("", stream.getvalue())


def _colour(altair: Any) -> Any:
    return altair.Color("kind:N", scale=altair.Scale(domain=list(_COLOURS), range=[f"var(--{name})" for name in _COLOURS]), legend=None)


def _funnel(altair: Any, data: Any, rows: list[dict[str, Any]]) -> Any:
    most = max(row["end"] for row in rows) or 1
    place = altair.Y(
        "name:N", sort=None, axis=altair.Axis(labelFontSize=13, labelColor="var(--ink)", labelPadding=8, minExtent=158, maxExtent=158)
    )
    along = altair.X("begin:Q", scale=altair.Scale(domain=[0, most * 1.16], nice=False), axis=None)
    chart = altair.Chart(data)
    bars = chart.mark_bar(height=20, cornerRadius=2).encode(x=along, x2="end:Q", y=place, color=_colour(altair))
    labels = chart.mark_text(align="left", dx=6, fontSize=13, fill="var(--ink)").encode(x=altair.X("end:Q"), y=place, text="label:N")
    return (bars + labels).properties(width=WIDTH - 160, height=30 * len(rows))


def _certainty(altair: Any, data: Any, _: list[dict[str, Any]]) -> Any:
    along = altair.X(
        "from:Q",
        bin="binned",
        scale=altair.Scale(domain=[0, 1]),
        axis=altair.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], grid=False, labelPadding=6),
    )
    up = altair.Y("number:Q", stack=True, axis=altair.Axis(tickCount=3, format=",d"))
    return (
        altair.Chart(data)
        .mark_bar(stroke="var(--paper)", strokeWidth=1)
        .encode(x=along, x2="to:Q", y=up, color=_colour(altair))
        .properties(width=WIDTH - 50, height=120)
    )


def _trend(altair: Any, data: Any, _: list[dict[str, Any]]) -> Any:
    along = altair.X("at:T", axis=altair.Axis(grid=False, tickCount=4, labelFlush=True))
    up = altair.Y("number:Q", scale=altair.Scale(zero=False, nice=True), axis=altair.Axis(tickCount=2, format=",d"))
    chart = altair.Chart(data).encode(x=along, y=up, color=_colour(altair))
    lines = chart.mark_line(strokeWidth=2) + chart.mark_point(filled=True, size=28, opacity=1)
    order = ["kept", "duplicates", "quarantined"]
    header = altair.Header(title=None, labelAnchor="start", labelColor="var(--ink)", labelFontSize=13, labelOrient="top")
    return (
        lines.properties(width=WIDTH - 60, height=56)
        .facet(row=altair.Row("name:N", sort=order, header=header))
        .resolve_scale(y="independent")
    )
