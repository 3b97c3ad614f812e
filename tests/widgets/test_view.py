"""`guest.view()` against real guests; pages are in tests/browser."""

from __future__ import annotations

import gc
import os
import re
import signal
import threading
import time
import weakref

import ipywidgets
import pytest
from ipywidgets.widgets.widget import _instances as instances

from kvmnb import portal
from kvmnb.engines.base import Event
from kvmnb.observe.sampler import sampler
from kvmnb.widgets import live
from kvmnb.widgets import view as views
from kvmnb.widgets.view import GuestView

from .conftest import Page, numbers, until


@pytest.fixture
def guest(host, launch):
    """A guest without a disk: it runs its firmware."""
    return launch(host.vm("view").mem(64).smp(2))


def show_and_close(guest, shown):
    """Show a view and close it; return a weak reference to it."""
    view = guest.view()
    shown(view).wait("row")
    view.close()
    return weakref.ref(view)


def press_at_once(page, verbs, times):
    """Press each verb so many times, each on a thread of its own, all beginning together."""
    start = threading.Barrier(len(verbs))

    def press(verb):
        start.wait()
        for _ in range(times):
            page.say("press", verb=verb, mib=64)

    threads = [threading.Thread(target=press, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def answer(page, times):
    """Answer so many heartbeats, each once it has come."""
    for count in range(1, times + 1):
        page.wait("ping", count)
        page.say("here")


def assert_names_none(texts, places):
    """Fail if a text names one of the places."""
    for text in texts:
        for place in places:
            assert place not in text


def test_making_a_view_does_nothing(guest):
    threads, known = threading.active_count(), len(instances)
    view = guest.view()
    assert view.comm is None
    assert (threading.active_count(), len(instances)) == (threads, known)
    assert not view._working
    assert sampler().guests == 0


def test_a_view_that_was_never_shown_is_collected_unclosed(guest):
    views = [weakref.ref(guest.view()) for _ in range(20)]
    gc.collect()
    assert [view() for view in views] == [None] * 20


def test_nothing_is_left_of_views_that_are_closed(guest, shown):
    known, threads = len(instances), threading.active_count()
    gone = [show_and_close(guest, shown) for _ in range(20)]
    shown.views.clear()
    until(lambda: sampler().guests == 0)
    gc.collect()
    assert [view() for view in gone] == [None] * 20
    assert (len(instances), threading.active_count()) == (known, threads)
    until(lambda: not guest._control.hub.listened)


def test_a_page_gets_the_past_once_and_then_each_new_point(guest, shown):
    view = guest.view()
    page = shown(view)
    (first, rows), *_ = page.wait("history")
    assert first["about"]["name"] == "view"
    assert (first["state"], numbers(rows)) == ("running", [])
    page.wait("row", 3)
    later = Page(view, "another")
    later.say("hello")
    histories = page.wait("history", 2)
    facts, rows = histories[-1]
    width = 1 + len(facts["columns"])
    times = numbers(rows)[::width]
    assert facts["to"] == "another"
    assert len(times) >= 3
    assert times == sorted(set(times))
    told = [numbers(buffers)[0] for _, buffers in page.line.all("row")]
    assert told[: len(times)] == times


def test_what_a_row_holds_is_said_once(guest, shown):
    page = shown(guest.view())
    page.wait("row", 4)
    columns = [message["columns"] for message, _ in page.line.all("columns")]
    labels = [column["label"] for column in columns[-1]]
    assert {"balloon", "QEMU on host", "vcpu0", "vcpu1"} <= set(labels)
    rows = [(message, numbers(buffers)) for message, buffers in page.line.all("row")]
    assert [message for message, _ in rows] == [{"kind": "row"}] * len(rows)
    assert len(rows[-1][1]) == 1 + len(labels)
    balloon = rows[-1][1][1 + labels.index("balloon")]
    assert balloon == 64 << 20


def test_hours_of_running_do_not_grow_it(guest, shown, monkeypatch):
    monkeypatch.setattr(views, "ROWS", 3)
    monkeypatch.setattr(views, "HZ", 20.0)
    view = guest.view()
    page = shown(view)
    page.wait("row", 12)
    assert len(view._ring) == 3
    Page(view, "late").say("hello")
    facts, rows = page.wait("history", 2)[-1]
    assert len(numbers(rows)) == 3 * (1 + len(facts["columns"]))
    assert view._marks.maxlen == views.MARKS


def test_buttons_act_and_what_they_did_is_said_in_qmp_and_virsh(guest, shown):
    page = shown(guest.view())
    page.say("press", verb="suspend")
    until(lambda: page.state() == "paused")
    assert guest.refresh() == "paused"
    said = until(lambda: [m["said"] for m, _ in page.line.all("said") if m["said"]])[-1]
    assert (said["verb"], said["virsh"]) == ("suspend", "virsh suspend view")
    assert '"stop"' in said["qmp"]
    page.say("press", verb="resume")
    until(lambda: page.state() == "running")
    marks = [message["mark"]["label"] for message, _ in page.wait("mark", 2)]
    assert marks == ["paused", "resumed"]


def published(guest, kind, **detail):
    """Let the guest's control tell of an event."""
    event = Event(guest.info.name, time.time(), kind, detail)
    portal.loop().call_soon_threadsafe(guest._control.hub.publish, event)


def test_checkpoints_and_rewinds_are_strong_marks_each_time(guest, shown):
    view = guest.view()
    page = shown(view)
    page.wait("row", 2)
    for kind in ("checkpoint", "rewind", "rewind"):
        published(guest, kind, label="<b>before</b> rm\x1b", id="0" * 16)
    published(guest, "checkpoint", label="x" * 999)
    marks = [message["mark"] for message, _ in page.wait("mark", 4)]
    hostile = "<b>before</b> rm\\x1b"
    assert [mark["label"] for mark in marks] == [
        f"⚑ {hostile}",
        f"↶ {hostile}",
        f"↶ {hostile}",
        f"⚑ {'x' * 23}…",
    ]
    assert all(mark["strong"] for mark in marks)
    page.wait("row", len(page.line.all("row")) + 1)
    Page(view, "late").say("hello")
    facts, _ = page.wait("history", 2)[-1]
    assert facts["marks"] == marks
    still = view.snapshot()._repr_html_()
    assert "⚑ &lt;b&gt;before&lt;/b&gt; rm" in still


def test_what_is_done_elsewhere_shows_too(guest, shown):
    page = shown(guest.view())
    page.wait("row")
    guest.suspend()
    until(lambda: page.state() == "paused")
    until(lambda: any(m["said"]["verb"] == "suspend" for m, _ in page.line.all("said")))


def test_the_balloon_follows_the_slider(guest, shown):
    page = shown(guest.view())
    page.say("press", verb="balloon", mib=48)
    said = page.wait("said")[-1][0]["said"]
    assert said["virsh"] == "virsh setmem view 49152"


@pytest.mark.parametrize(
    ("mib", "reason"),
    [(8, "below 16 MiB"), (65, "above its 64 MiB"), ("48", "whole number"), (True, "whole number")],
)
def test_a_wrong_balloon_is_refused_with_the_reason(guest, shown, mib, reason):
    page = shown(guest.view())
    page.say("press", verb="balloon", mib=mib)
    said = page.wait("said")[-1][0]["said"]
    assert reason in said["error"]
    assert guest.stats().balloon == 64


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"kind": "hello"},
        {"kind": "hello", "from": 7},
        {"kind": "hello", "from": "x" * 65},
        {"kind": ["press"], "from": "page"},
        {"kind": "press", "from": "page"},
        {"kind": "press", "from": "page", "verb": "destroy"},
        {"kind": "press", "from": "page", "verb": ["suspend"]},
        {"kind": "press", "from": "page", "verb": "qmp", "mib": {"execute": "quit"}},
    ],
)
def test_what_no_button_sends_does_nothing(guest, shown, content):
    view = guest.view()
    page = shown(view)
    page.raw(content)
    page.say("press", verb="suspend")
    until(lambda: page.state() == "paused")
    assert set(view._pages) == {"page"}
    assert [entry["verb"] for entry in guest.history] == ["suspend"]


def test_many_threads_may_press_at_once(guest, shown):
    page = shown(guest.view())
    verbs = ["suspend", "resume", "balloon"] * 8
    press_at_once(page, verbs, times=4)
    until(lambda: len(guest.history) == len(verbs) * 4)
    assert not [m for m, _ in page.line.all("said") if "error" in (m["said"] or {})]
    until(lambda: page.state() == guest.refresh())


def test_a_lost_guest_shows_at_once_and_its_figures_stay(guest, shown):
    view = guest.view()
    page = shown(view)
    page.wait("row", 3)
    os.kill(guest.info.pid, signal.SIGKILL)
    until(lambda: page.state() == "lost")
    assert "ended by signal 9" in page.wait("said")[-1][0]["said"]["error"]
    until(lambda: not view._working)
    assert view._subscription is None
    assert page.line.all("asleep") == []
    again = Page(view, "again")
    again.say("hello")
    facts, rows = page.wait("history", 2)[-1]
    assert facts["state"] == "lost"
    assert len(numbers(rows)) >= 3 * (1 + len(facts["columns"]))
    page.say("press", verb="resume")
    until(lambda: "resume" in [m["said"]["verb"] for m, _ in page.line.all("said")])


def test_a_guest_that_is_destroyed_is_shut_down_and_not_lost(guest, shown):
    page = shown(guest.view())
    page.wait("row")
    guest.destroy()
    until(lambda: page.state() == "shutdown")


def test_a_page_that_says_bye_lets_it_sleep_and_another_hello_wakes_it(guest, shown):
    view = guest.view()
    page = shown(view)
    page.wait("row")
    page.say("bye")
    until(lambda: not view._working)
    until(lambda: sampler().guests == 0)
    page.wait("asleep")
    rows = len(page.line.all("row"))
    page.say("hello")
    page.wait("row", rows + 2)
    assert len(view._ring) >= rows + 2


def test_it_works_until_the_last_page_is_gone(guest, shown):
    view = guest.view()
    first = shown(view, "first")
    second = Page(view, "second")
    second.say("hello")
    first.wait("history", 2)
    first.say("bye")
    rows = len(first.line.all("row"))
    first.wait("row", rows + 2)
    second.say("bye")
    until(lambda: not view._working)


def test_a_page_that_does_not_answer_counts_as_gone_until_it_does(guest, shown, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)
    view = guest.view()
    page = shown(view)
    page.wait("asleep")
    assert len(page.line.all("ping")) == live.MOST_UNANSWERED
    page.say("here")
    page.wait("history", 2)


def test_a_page_that_answers_keeps_it_awake(guest, shown, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)
    view = guest.view()
    page = shown(view)
    answer(page, times=11)
    assert page.line.all("asleep") == []


def test_a_display_without_a_page_works_for_a_while_only(guest, shown, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.02)
    view = guest.view()
    page = Page(view)
    portal.loop().call_soon_threadsafe(view._expect_page)
    page.wait("asleep")
    assert len(page.line.all("ping")) == live.MOST_UNSEEN
    view.close()


def test_a_view_fits_into_a_box(guest, shown):
    view = guest.view()
    box = ipywidgets.VBox([view])
    assert box.get_state()["children"] == [f"IPY_MODEL_{view.model_id}"]
    box.close()
    box.layout.close()
    view.close()


def test_its_picture_for_notebooks_without_a_kernel_has_what_it_showed(guest, shown):
    view = guest.view()
    page = shown(view)
    page.wait("row", 4)
    data, _ = view._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert "<svg" in data["text/html"]
    assert "<path" in data["text/html"] or "<polyline" in data["text/html"]
    assert re.search(r"balloon +64 MiB", data["text/plain"])
    view.close()
    after, _ = view._repr_mimebundle_()
    assert set(after) == {"text/plain", "text/html"}
    assert view.snapshot()._repr_html_() == after["text/html"]
    assert view.model_id is None


def test_its_picture_names_no_place_of_this_machine(host, launch, shown, tmp_path):
    disk = tmp_path / "secret place.qcow2"
    disk.write_bytes(b"\0" * 512)
    guest = launch(host.vm("still").mem(64).disk(disk, format="raw").nic())
    view = guest.view()
    page = shown(view)
    page.wait("row", 3)
    data, _ = view._repr_mimebundle_()
    places = str(tmp_path), guest.info.run_dir, guest.info.command[0]
    assert_names_none((data["text/html"], data["text/plain"]), places)


def test_a_hostile_name_is_text(host, launch, shown):
    name = "<img src=x onerror=alert(1)>"
    view = launch(host.vm(name).mem(64)).view()
    data, _ = view._repr_mimebundle_()
    assert "<img" not in data["text/html"]
    assert "&lt;img src=x" in data["text/html"]
    page = shown(view)
    assert page.wait("history")[0][0]["about"]["name"] == name


def test_a_closed_view_stays_closed(guest, shown):
    view = guest.view()
    page = shown(view)
    page.wait("row")
    view.close()
    view.close()
    told = len(page.line.told)
    page.say("hello")
    page.say("press", verb="suspend")
    assert guest.refresh() == "running"
    assert len(page.line.told) == told
    assert isinstance(view, GuestView)
