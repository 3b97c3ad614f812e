"""A recording as a plotly figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kvmnb.display import axis
from kvmnb.display.panels import LAYOUT, Chart, natural, series_label
from kvmnb.display.svg import Mark
from kvmnb.markup import join

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects as go

__all__ = ["figure"]

# grey that can be read on white and on black, since a figure does not know its page
_TEXT = "#808080"
_STRONG = "#2b7fd4"
_GRID = "rgba(128,128,128,0.25)"
_CLEAR = "rgba(0,0,0,0)"

PANEL_PX = 150

LABEL_ROWS = 3
LETTER_SHARE = 6.5 / 640
"""Of a chart's width, what a letter of a mark's label takes in a notebook of usual width."""


def figure(table: pandas.DataFrame, marks: Sequence[Mark] = ()) -> go.Figure:
    """Return small charts on one time axis: memory, vCPUs, network, disk, QEMU's own memory.

    Parameters
    ----------
    table : what `Recording.to_pandas` gives: time, guest, metric, device, value, unit
    marks : what happened, as upright lines
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    charts = [chart for chart in LAYOUT if table["metric"].isin(dict(chart.metrics)).any()]
    if not charts:
        empty = {"text": "nothing was recorded", "showarrow": False, "font": {"color": _TEXT}}
        return go.Figure(layout={"annotations": [empty], "height": PANEL_PX})
    shown = make_subplots(
        rows=len(charts), cols=1, shared_xaxes=True, vertical_spacing=0.28 / len(charts)
    )
    for row, chart in enumerate(charts, 1):
        unit = _add(shown, go, table, chart, row)
        shown.update_yaxes(title_text=unit, row=row, col=1)
        domain = shown.layout[_name("yaxis", row)].domain
        shown.add_annotation(
            text=f"<b>{_quoted(chart.title)}</b>",
            x=0,
            y=domain[1],
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
        )
        # each chart has a legend of its own, beside it
        shown.update_layout({_name("legend", row): {"y": domain[1], "yanchor": "top", "x": 1.01}})
    span = table["time"].max() - table["time"].min()
    _mark(shown, marks, len(charts), max(span.total_seconds(), 1e-3))
    shown.update_xaxes(gridcolor=_GRID, zeroline=False, linecolor=_GRID)
    shown.update_yaxes(gridcolor=_GRID, zerolinecolor=_GRID, rangemode="tozero", nticks=5)
    shown.update_xaxes(title_text="time (UTC)", row=len(charts), col=1)
    shown.update_layout(
        height=115 + PANEL_PX * len(charts),
        margin={"l": 60, "r": 20, "t": 85, "b": 45},
        font={"color": _TEXT},
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        hovermode="x unified",
        hoverlabel={"namelength": -1, "font": {"color": "#222222"}, "bgcolor": "#f7f7f7"},
        showlegend=True,
    )
    return shown


def _add(shown: Any, go: Any, table: pandas.DataFrame, chart: Chart, row: int) -> str:
    """Add one chart's lines and return the unit of its axis."""
    rows = table[table["metric"].isin(dict(chart.metrics))]
    scale = axis.scale(float(rows["value"].max()), chart.unit)
    several = table["guest"].nunique() > 1
    for index, (label, line) in enumerate(_lines(rows, chart, several)):
        shown.add_trace(
            go.Scatter(
                x=line["time"],
                y=line["value"] / scale.divisor,
                name=_quoted(label),
                mode="lines+markers" if len(line) < 3 else "lines",
                line={
                    "color": axis.PALETTE[index % len(axis.PALETTE)],
                    "width": 1.8,
                    "dash": "solid" if index < len(axis.PALETTE) else "dash",
                },
                legend=_name("legend", row),
                hovertemplate=f"%{{y:.4g}} {scale.unit}",
            ),
            row=row,
            col=1,
        )
    if chart.unit == "%":
        shown.update_yaxes(range=[0, 105], row=row, col=1)
    return scale.unit


def _lines(
    rows: pandas.DataFrame, chart: Chart, several: bool
) -> Iterator[tuple[str, pandas.DataFrame]]:
    order = {metric: index for index, (metric, _) in enumerate(chart.metrics)}
    names = dict(chart.metrics)
    groups: dict[Any, pandas.DataFrame] = dict(iter(rows.groupby(["guest", "device", "metric"])))
    for key in sorted(groups, key=lambda key: (key[0], natural(key[1]), order[key[2]])):
        guest, device, metric = key
        if metric == "process.swap" and not groups[key]["value"].any():
            continue
        label = series_label(device, names[metric])
        yield (f"{guest}: {label}" if several else label), groups[key]


def _mark(shown: Any, marks: Sequence[Mark], charts: int, span_s: float) -> None:
    ends_s = [float("-inf")] * LABEL_ROWS
    for mark in sorted(marks, key=lambda mark: mark.time_s):
        time = datetime.fromtimestamp(mark.time_s, UTC)
        color = _STRONG if mark.strong else _TEXT
        line = {"color": color, "width": 1, "dash": "solid" if mark.strong else "dot"}
        for row in range(1, charts + 1):
            axes = {"xref": _name("x", row), "yref": f"{_name('y', row)} domain"}
            shown.add_shape(type="line", x0=time, x1=time, y0=0, y1=1, line=line, **axes)
        half_s = (len(mark.label) + 2) * LETTER_SHARE * span_s / 2
        free = [row for row, end_s in enumerate(ends_s) if end_s <= mark.time_s - half_s]
        if not free:
            continue  # no room: its line still stands
        ends_s[free[0]] = mark.time_s + half_s
        shown.add_annotation(
            x=time,
            y=1,
            xref="x",
            yref="y domain",
            text=_quoted(mark.label),
            showarrow=False,
            xanchor="center",
            yanchor="bottom",
            yshift=18 + 13 * free[0],
            font={"size": 11, "color": color},
        )


def _name(axis: str, row: int) -> str:
    """Return what plotly calls the axis or legend of a row: ``y``, ``y2``, ``y3``."""
    return axis if row == 1 else f"{axis}{row}"


def _quoted(text: str) -> str:
    # plotly reads a small HTML in its labels
    return str(join((text,)))
