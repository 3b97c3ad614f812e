"""What happens to a guest within a block."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pandas
import plotly.graph_objects as go
import pytest

from kvmnb.display.panels import LAYOUT, chart_panels, event_marks
from kvmnb.display.plots import figure
from kvmnb.display.recording import Recording
from kvmnb.display.svg import Mark
from kvmnb.engines.base import Event, Reading, Sample
from kvmnb.observe.frame import frame
from kvmnb.observe.rates import RATES
from kvmnb.observe.sampler import sampler

START_S = 1_795_547_935.0


def synthetic(guest="g", devices=("disk0",)):
    return [
        Sample(
            guest,
            START_S + second,
            "running",
            (
                Reading("balloon.actual", "", 128 << 20, "B"),
                Reading("vcpu.time", "vcpu0", 0.25 * second, "s"),
                *(Reading("disk.read_bytes", d, 2.0**20 * second, "B") for d in devices),
                Reading("process.rss", "", 200 << 20, "B"),
                Reading("process.swap", "", 0, "B"),
            ),
        )
        for second in range(5)
    ]


@pytest.fixture
def guest(host, launch):
    return launch(host.vm("taped").mem(64).smp(2))


def test_a_block_records_what_happens_in_it(guest):
    with guest.record(hz=20) as recording:
        guest.suspend()
        guest.resume()
    table = recording.to_pandas()
    assert set(table["guest"]) == {"taped"}
    assert {"process.rss", "vcpu.time", "balloon.actual"} <= set(table["metric"])
    assert list(recording.events["event"]) == ["paused", "resumed"]
    shown = recording.plot()
    assert isinstance(shown, go.Figure)
    assert {"paused", "resumed"} <= {note.text for note in shown.layout.annotations}
    portal_is_idle()


def portal_is_idle():
    from kvmnb import portal

    portal.run(asyncio.sleep(0))
    assert sampler().guests == 0


def test_async_code_records_too(guest):
    async def work():
        async with Recording(guest._control, hz=20) as recording:
            await guest.suspend.aio()
        return recording

    assert list(asyncio.run(work()).events["event"]) == ["paused"]


def test_an_error_in_the_block_ends_the_recording_and_goes_on(guest):
    with pytest.raises(ZeroDivisionError), guest.record() as recording:
        _ = 1 / 0
    assert len(recording.samples) >= 2
    portal_is_idle()


def test_it_can_be_looked_at_at_any_time(guest, read_html):
    recording = guest.record(hz=20)
    assert "0 samples" in repr(recording)
    read_html(recording._repr_html_())
    with recording:
        assert "goes on" in repr(recording)
        read_html(recording._repr_html_())
    assert "goes on" not in repr(recording)
    assert "balloon" in repr(recording)


def test_what_had_to_go_is_said():
    class Info:
        name = "g\x1b[2J<script>"

    class Control:
        info = Info

    control: Any = Control()
    recording = Recording(control, most=2)
    for sample in synthetic():
        recording._recorder._on_sample(sample)
    assert recording.dropped == 3
    assert "3 oldest samples were dropped" in repr(recording)
    assert "\x1b" not in repr(recording)
    assert "<script>" not in recording._repr_html_()


# -- charts ---------------------------------------------------------------------------------


def test_charts_hold_what_was_measured():
    panels = {panel.title: panel for panel in chart_panels(synthetic())}
    assert "Network" not in panels
    (cpu,) = panels["vCPU, share of a core"].series
    assert cpu.label == "vcpu0"
    assert list(cpu.values) == [25.0] * 4
    assert list(cpu.times) == [START_S + second for second in range(1, 5)]
    assert [series.label for series in panels["Memory of QEMU"].series] == ["resident"]


def memory_read_at(*seconds, until=12):
    reading = Reading("memory.free", "", 5.0, "B")
    return [
        Sample("g", START_S + second, "running", (reading,) if second in seconds else ())
        for second in range(until)
    ]


def test_a_source_that_is_asked_seldom_still_makes_a_line():
    ((free,),) = [panel.series for panel in chart_panels(memory_read_at(0, 2, 4, 6))]
    assert list(free.values) == [5.0] * 4


def test_a_long_time_without_readings_is_a_gap_in_the_line():
    ((free,),) = [panel.series for panel in chart_panels(memory_read_at(0, 1, 9, 10))]
    assert list(free.values) == [5.0, 5.0, None, 5.0, 5.0]
    assert list(free.times) == sorted(free.times)


def test_devices_come_in_their_natural_order():
    devices = ("disk10", "disk9", "disk0")
    panels = {panel.title: panel for panel in chart_panels(synthetic(devices=devices))}
    labels = [series.label for series in panels["Disk"].series]
    assert labels == ["disk0 read", "disk9 read", "disk10 read"]


def test_a_balloon_on_its_way_is_one_mark():
    moving = [
        Event("g", START_S + n / 10, "balloon", {"actual": (128 - n) << 20}) for n in range(9)
    ]
    events = [Event("g", START_S - 1, "resumed"), *moving, Event("g", START_S + 9, "reset")]
    assert [mark.label for mark in event_marks(events)] == ["resumed", "balloon 120 MiB", "reset"]


def test_checkpoints_and_rewinds_are_strong_marks_with_their_label():
    events = [
        Event("g", START_S, "checkpoint", {"label": "before rm", "id": "0" * 16}),
        Event("g", START_S + 1, "paused"),
        Event("g", START_S + 2, "rewind", {"label": "before rm"}),
        Event("g", START_S + 3, "rewind", {}),
    ]
    marks = event_marks(events)
    assert [mark.label for mark in marks] == [*("⚑ before rm", "paused", "↶ before rm", "↶ rewind")]
    assert [mark.strong for mark in marks] == [True, False, True, True]
    shapes = figure(frame(synthetic()), marks).layout.shapes
    assert {shape.line.dash for shape in shapes} == {"solid", "dot"}


def test_events_that_only_concern_qemu_are_no_marks():
    events = [Event("g", START_S, "nic_rx_filter_changed"), Event("g", START_S + 1, "paused")]
    assert [mark.label for mark in event_marks(events)] == ["paused"]


def test_labels_that_would_lie_upon_each_other_are_left_out_but_their_lines_stay():
    marks = [Mark(START_S + n / 100, f"event {n}") for n in range(20)]
    shown = figure(frame(synthetic()), marks)
    labels = [note.text for note in shown.layout.annotations if note.text.startswith("event")]
    assert labels == ["event 0", "event 1", "event 2"]
    assert len(shown.layout.shapes) == 20 * 4


def test_a_figure_has_a_chart_for_what_was_measured_with_its_unit():
    shown = figure(frame(synthetic()), (Mark(START_S + 1, "paused"),))
    titles = [note.text for note in shown.layout.annotations]
    assert "<b>Disk</b>" in titles
    assert "<b>Network</b>" not in titles
    units = [shown.layout[f"yaxis{n}"].title.text for n in ("", "2", "3", "4")]
    assert units == ["MiB", "%", "MiB/s", "MiB"]
    assert len(shown.layout.shapes) == 4, "an event is a line in each chart"


def test_several_guests_in_one_figure_have_their_names():
    table = pandas.concat([frame(synthetic("a")), frame(synthetic("b"))])
    names = {trace.name for trace in figure(table).data}
    assert {"a: vcpu0", "b: vcpu0"} <= names


def test_a_figure_of_nothing_says_so():
    shown = figure(frame([]))
    assert shown.layout.annotations[0].text == "nothing was recorded"


def test_a_figure_quotes_what_a_guest_calls_things():
    hostile = '<a href="https://example.org/">x</a>'
    shown = figure(frame(synthetic(hostile, (hostile,))), (Mark(START_S, hostile),))
    for text in (
        *(trace.name for trace in shown.data),
        *(note.text for note in shown.layout.annotations),
    ):
        assert "<a" not in text


def test_a_figure_loads_nothing_from_elsewhere():
    whole = json.loads(figure(frame(synthetic())).to_json())
    assert "http" not in json.dumps(whole)


def test_every_chart_shows_metrics_of_its_own_unit():
    units = {rate.metric: rate.unit for rate in RATES.values()}
    for chart in LAYOUT:
        for metric, _ in chart.metrics:
            assert chart.unit == units.get(metric, "B")
