"""Still pictures of live views, for notebooks that are opened without a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kvmnb.display import svg
from kvmnb.display.cards import STATES
from kvmnb.markup import Html, columns, element, printable, table
from kvmnb.units import human

if TYPE_CHECKING:
    from kvmnb.engines.base import GuestInfo, State
    from kvmnb.widgets.ring import Column
    from kvmnb.widgets.series import Panel

__all__ = ["Snapshot", "guest_snapshot", "host_snapshot"]

_LINE = "var(--jp-border-color2,rgba(128,128,128,.45))"
_BOX = (
    f"border:1px solid {_LINE};border-radius:6px;padding:8px 12px;overflow-x:auto;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px"
)


@dataclass(frozen=True, slots=True, repr=False)
class Snapshot:
    """What a view showed last, as text and as HTML; it stays as it is."""

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def guest_snapshot(
    info: GuestInfo,
    state: State,
    shown: Sequence[Panel],
    times: Sequence[float],
    series: Mapping[Column, Sequence[float | None]],
    marks: Iterable[svg.Mark],
) -> Snapshot:
    """Return a guest's view as a still picture.

    Nothing of it names a place of this machine: a notebook is given to others.
    """
    facts = f"{info.accel.upper()} · {_vcpus(info)} · {info.spec.memory.size_mib} MiB"
    pictures, lines = [], []
    for panel in shown:
        of_panel = {c.label: values for c, values in series.items() if c.panel == panel.id}
        if not of_panel:
            continue
        drawn = tuple(svg.Series(label, times, values) for label, values in of_panel.items())
        pictures.append(svg.Panel(panel.title, panel.unit, drawn))
        for label, values in of_panel.items():
            lines.append((f" {panel.title}", label, _amount(_newest(values), panel.unit)))
    when = f"as of {_clock(times[-1])}" if times else "no figures had come yet"
    body = svg.charts(pictures, tuple(marks)) if pictures else Html()
    html = element(
        "div",
        element(
            "div",
            element("b", printable(info.name)),
            _state(state),
            element("span", f"{facts} · {when}", style="opacity:.7"),
            style="display:flex;flex-wrap:wrap;gap:2px 14px;margin-bottom:6px",
        ),
        body,
        class_="kvmnb-still",
        style=_BOX,
    )
    heading = f"Guest {printable(info.name)} · {_words(state)} · {facts} · {when}"
    return Snapshot(f"{heading}\n{columns(lines)}".rstrip(), str(html))


def host_snapshot(
    rows: Sequence[tuple[GuestInfo, State, float | None, float | None, float | None]],
) -> Snapshot:
    """Return a host's table of guests as it was last seen.

    Parameters
    ----------
    rows : a guest, its state, CPU in %, what the balloon leaves it and QEMU's memory in bytes
    """
    heading = ("guest", "state", "runs on", "CPU", "memory", "QEMU's memory")
    cells = [
        (
            printable(info.name),
            _words(state),
            f"{info.accel.upper()}, {_vcpus(info)}",
            _amount(cpu, "%"),
            f"{_amount(balloon, 'B')} of {info.spec.memory.size_mib} MiB",
            _amount(rss, "B"),
        )
        for info, state, cpu, balloon, rss in rows
    ]
    count = element("b", f"{len(cells)} guest{'' if len(cells) == 1 else 's'}")
    body = table(heading, cells) if cells else Html()
    html = element("div", count, body, class_="kvmnb-still", style=_BOX)
    text = columns([heading, *cells]) if cells else "no guest runs here"
    return Snapshot(text, str(html))


def _vcpus(info: GuestInfo) -> str:
    count = info.spec.cpu.count
    return f"{count} vCPU{'' if count == 1 else 's'}"


def _words(state: State) -> str:
    return f"{STATES[state][0]} {'shut down' if state == 'shutdown' else state}"


def _state(state: State) -> Html:
    return element("span", _words(state), style=f"color:{STATES[state][1]}")


def _newest(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    return f"{value:.3g} %" if unit == "%" else human(value) + unit.removeprefix("B")


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
