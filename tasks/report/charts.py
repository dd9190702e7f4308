"""The pictures of the report, by Vega-Altair: drawn once, when the report is written, as SVG whose colours are the page's own."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import chain
from typing import Any

from tasks.report.scan import RELATIONS

WIDTH = 430
_COLOURS = ("read", "quarantined", *RELATIONS, "kept")
"""Each has a variable in report.css, which a dark page sets otherwise."""
_ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')  # of every group: to who cannot see it, a picture is one thing, with one description
_WHOLE = "datum.value % 1 ? '' : datum.label"  # of few stories, half a one would be on the axis
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


def doubt(found: Mapping[str, Sequence[int]]) -> str:
    """How many duplicates there are at each probability but the highest step, where nearly all are."""
    rows = [
        {"from": place / len(steps), "to": (place + 1) / len(steps), "number": number, "kind": relation}
        for relation, steps in found.items()
        for place, number in enumerate(steps[:-1])
        if number
    ]
    return _drawn(_doubt, rows) if rows else ""


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
    """The picture; where the library fails, what it says, since a dataset need not wait for a picture."""
    try:
        return _svg(chart, rows)
    except Exception as fault:  # noqa: BLE001 - of a library of another language
        return f'<figcaption class="note">This picture could not be drawn: {escape(str(fault)[:200])}</figcaption>'


def _svg(chart: Any, rows: list[dict[str, Any]]) -> str:
    import altair as alt

    drawn = chart(alt, alt.Data(values=rows), rows)  # type: ignore[no-untyped-call]  # altair's own signature has none
    drawn = drawn.configure(background="transparent", padding=2, aria=False).configure_view(stroke=None)
    drawn = drawn.configure_axis(
        labelColor="var(--soft)", labelFontSize=12, labelLimit=200, domain=False, ticks=False, gridColor="var(--line)", title=None
    )
    stream = io.StringIO()
    drawn.save(stream, format="svg")
    return _ROLES.sub("", stream.getvalue())


def _colour(alt: Any) -> Any:
    return alt.Color("kind:N", scale=alt.Scale(domain=list(_COLOURS), range=[f"var(--{name})" for name in _COLOURS]), legend=None)


def _funnel(alt: Any, data: Any, rows: list[dict[str, Any]]) -> Any:
    most = max(row["end"] for row in rows) or 1
    place = alt.Y(
        "name:N", sort=None, axis=alt.Axis(labelFontSize=13, labelColor="var(--ink)", labelPadding=8, minExtent=158, maxExtent=158)
    )
    along = alt.X("begin:Q", scale=alt.Scale(domain=[0, most * 1.32], nice=False), axis=None)
    chart = alt.Chart(data)
    bars = chart.mark_bar(height=20, cornerRadius=2).encode(x=along, x2="end:Q", y=place, color=_colour(alt))
    labels = chart.mark_text(align="left", dx=6, fontSize=13, fill="var(--ink)").encode(x=alt.X("end:Q"), y=place, text="label:N")
    return (bars + labels).properties(width=WIDTH - 160, height=30 * len(rows))


def _doubt(alt: Any, data: Any, rows: list[dict[str, Any]]) -> Any:
    from_to = [min(0.5, *(row["from"] for row in rows)), max(row["to"] for row in rows)]
    axis = alt.Axis(format="%", tickCount=5, grid=False, labelPadding=6, labelFlush=True)
    along = alt.X("from:Q", bin="binned", scale=alt.Scale(domain=from_to), axis=axis)
    up = alt.Y("number:Q", stack=True, axis=alt.Axis(tickCount=3, format=",d", labelExpr=_WHOLE, minExtent=50))
    bars = alt.Chart(data).mark_bar(stroke="var(--paper)", strokeWidth=1)
    return bars.encode(x=along, x2="to:Q", y=up, color=_colour(alt)).properties(width=WIDTH - 60, height=120)


def _trend(alt: Any, data: Any, _: list[dict[str, Any]]) -> Any:
    along = alt.X("at:T", axis=alt.Axis(grid=False, tickCount=4, labelFlush=True, labelPadding=6))
    up = alt.Y(
        "number:Q",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=2, format=",d", labelExpr=_WHOLE, minExtent=50, labelPadding=8),
    )
    chart = alt.Chart(data).encode(x=along, y=up, color=_colour(alt))
    lines = chart.mark_line(strokeWidth=2) + chart.mark_point(filled=True, size=28, opacity=1)
    order = ["kept", "duplicates", "quarantined"]
    header = alt.Header(title=None, labelAnchor="start", labelColor="var(--ink)", labelFontSize=13, labelOrient="top", labelPadding=2)
    rows = lines.properties(width=WIDTH - 60, height=44).facet(row=alt.Row("name:N", sort=order, header=header), spacing=6)
    return rows.resolve_scale(y="independent")
