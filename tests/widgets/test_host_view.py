"""`host.view()` against real guests; pages are in tests/browser."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref

from ipywidgets.widgets.widget import _instances as instances

from kvmnb.observe.sampler import sampler
from kvmnb.widgets import host_view

from .conftest import Page, numbers, until


def names(page):
    """Return name and state of the guests that were told last."""
    told = [m["guests"] for m, _ in tuple(page.line.told) if m["kind"] in {"guests", "history"}]
    return {each["name"]: each["state"] for each in told[-1]} if told else {}


def told_points(rows, ids):
    """Return whose points the updates hold, after a look at each: new points, and nothing else."""
    seen = []
    for message, buffers in rows:
        flat = numbers(buffers)
        assert message == {"kind": "rows"}
        assert len(flat) % 4 == 0
        assert len(flat) // 4 <= 2 * len(ids)
        assert set(flat[::4]) <= ids
        seen += flat[::4]
    return seen


def launch_all(host, launch, *names):
    """Start guests of these names; return them in this order."""
    return [launch(host.vm(name).mem(64)) for name in names]


def show_and_close(host, shown):
    """Show a view and close it; return a weak reference to it."""
    view = host.view()
    page = shown(view)
    until(lambda: "one" in names(page))
    view.close()
    return weakref.ref(view)


def test_making_a_view_does_nothing(host):
    threads, known = threading.active_count(), len(instances)
    view = host.view()
    assert view.comm is None
    assert (threading.active_count(), len(instances)) == (threads, known)


def test_guests_appear_and_go(host, launch, shown, monkeypatch):
    monkeypatch.setattr(host_view, "ENDED_S", 0.0)
    monkeypatch.setattr(host_view, "LOOK_S", 0.1)
    launch(host.vm("one").mem(64))
    page = shown(host.view())
    until(lambda: names(page).get("one") == "running")
    two = launch(host.vm("two").mem(64))
    until(lambda: names(page).get("two") == "running")
    two.destroy()
    until(lambda: "two" not in names(page))
    assert names(page)["one"] == "running"


def test_a_guest_that_ended_is_seen_to_have_ended(host, launch, shown):
    guest = launch(host.vm("one").mem(64))
    page = shown(host.view())
    until(lambda: names(page).get("one") == "running")
    os.kill(guest.info.pid, signal.SIGKILL)
    until(lambda: names(page).get("one") == "lost")


def test_each_update_has_new_points_alone(host, launch, shown):
    launch_all(host, launch, "one", "two")
    view = host.view()
    page = shown(view)
    until(lambda: {"one", "two"} <= set(names(page)))
    rows = page.wait("rows", 6)
    ids = {each["id"] for each in view._told}
    seen = told_points(rows, ids)
    ours = {each["id"] for each in view._told if each["name"] in {"one", "two"}}
    assert ours <= set(seen) <= ids
    late = Page(view, "late")
    late.say("hello")
    facts, buffers = page.wait("history", 2)[-1]
    assert {"one", "two"} <= {each["name"] for each in facts["guests"]}
    assert len(numbers(buffers)) // 4 >= len(seen)


def test_buttons_act_on_the_guest_of_their_row(host, launch, shown):
    one, two = launch_all(host, launch, "one", "two")
    page = shown(host.view())
    until(lambda: {"one", "two"} <= set(names(page)))
    page.say("press", verb="suspend", guest="two")
    until(lambda: names(page)["two"] == "paused")
    assert (one.refresh(), two.refresh()) == ("running", "paused")
    said = page.wait("said")[-1][0]["said"]
    assert (said["guest"], said["virsh"]) == ("two", "virsh suspend two")
    page.say("press", verb="suspend", guest="three")
    page.say("press", verb="destroy", guest="one")
    until(lambda: "error" in page.line.all("said")[-1][0]["said"])
    assert one.refresh() == "running"


def test_nothing_is_left_of_views_that_are_closed(host, launch, shown):
    guest = launch(host.vm("one").mem(64))
    known, threads = len(instances), threading.active_count()
    gone = [show_and_close(host, shown) for _ in range(20)]
    shown.views.clear()
    until(lambda: sampler().guests == 0)
    gc.collect()
    assert [view() for view in gone] == [None] * 20
    assert (len(instances), threading.active_count()) == (known, threads)
    assert guest.refresh() == "running"


def test_its_picture_is_a_table_of_what_it_showed(host, launch, shown):
    launch(host.vm("<b>one").mem(64))
    view = host.view()
    page = shown(view)
    page.wait("rows", 3)
    view.close()
    data, _ = view._repr_mimebundle_()
    assert "&lt;b&gt;one" in data["text/html"]
    assert "of 64 MiB" in data["text/plain"]
