"""`guest.view()` in JupyterLab: one guest, one page, from its first point to its end.

The tests share a page and run in order, since that is what a page goes through.
"""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from playwright.sync_api import expect

from kvmnb import Host

START = """\
from kvmnb import Host

host = Host()
guest = host.vm("seen").mem(128).smp(2).disk("tiny").nic("virtio").start()
"""
SHOW = """\
view = guest.view()
view
"""

TRAVEL = """\
import time
from kvmnb import portal
from kvmnb.engines.base import Event

while not guest._control.hub.listened:
    time.sleep(0.05)
for kind, after_s in (("checkpoint", 0.5), ("rewind", 2.0)):
    event = Event("marked", time.time() + after_s, kind, {"label": "before rm", "id": "0" * 16})
    portal.loop().call_soon_threadsafe(guest._control.hub.publish, event)
"""

FOUND_BELOW_CURSOR = """\
([over, label]) => {
  const { left, top, width } = over.getBoundingClientRect();
  over.dispatchEvent(new MouseEvent("mouseenter"));
  for (let x = 0; x < width; x += 3) {
    const at = { clientX: left + x, clientY: top + 20, bubbles: true };
    over.dispatchEvent(new MouseEvent("mousemove", at));
    if (over.title.split("\\n").includes(label)) return true;
  }
  return false;
}
"""
"""Whether somewhere along a chart the cursor is told a label."""

ROW = re.compile(rb'"kind":\s*"row"')


@pytest.fixture(scope="module")
def seen(lab, visit):
    """The guest's view, with points in all its charts."""
    visit = visit(lab.notebook("seen.ipynb", START, SHOW))
    visit.run_all()
    visit.points()
    return visit


@pytest.fixture(scope="module")
def guest(seen):
    """The same guest, as this process finds it."""
    return Host().guests["seen"]


def state(seen):
    return seen.page.locator(".kvmnb-guest .kvmnb-state").last


def button(seen, name):
    return seen.page.locator(".kvmnb-guest").last.get_by_role("button", name=name)


def test_every_chart_gets_points(seen):
    view = seen.page.locator(".kvmnb-guest").last
    for panel in ("memory", "vcpu", "net", "disk"):
        chart = view.locator(f"[data-panel={panel}]")
        chart.locator("canvas").wait_for()
        expect(chart.locator(".kvmnb-value").first).to_have_text(re.compile(r"\d"))
    expect(view.locator(".kvmnb-name")).to_have_text("seen")
    expect(state(seen)).to_have_text(re.compile("running"))
    expect(seen.page.locator(".kvmnb-still")).not_to_be_visible()


def test_an_update_of_ten_series_is_under_a_kilobyte_on_the_wire(seen):
    view = seen.page.locator(".kvmnb-guest").last
    expect(view.locator(".kvmnb-key")).to_have_count(10)
    before = len(seen.frames)
    seen.points(count=int(view.get_attribute("data-points")) + 6)
    rows = [frame for frame in seen.frames[before:] if ROW.search(frame)]
    assert len(rows) >= 6
    assert max(map(len, rows)) < 1000


def test_suspend_and_resume_are_one_button(seen, guest):
    button(seen, "Suspend").click()
    expect(state(seen)).to_have_text(re.compile("paused"))
    assert guest.refresh() == "paused"
    said = seen.page.locator(".kvmnb-said").last
    expect(said).to_contain_text("virsh suspend seen")
    expect(said).to_contain_text('{"execute": "stop"}')
    button(seen, "Resume").press("Enter")
    expect(state(seen)).to_have_text(re.compile("running"))
    assert guest.refresh() == "running"


def test_the_balloon_follows_the_slider(seen, guest):
    slider = seen.page.get_by_role("slider", name="Balloon").last
    slider.fill("96")
    until(lambda: guest.stats().balloon == 96)
    slider.press("ArrowLeft")
    until(lambda: guest.stats().balloon == 95)
    expect(seen.page.locator(".kvmnb-guest output").last).to_have_text("95 MiB")


def test_a_checkpoint_and_a_rewind_are_marked_and_say_their_label_under_the_cursor(lab, visit):
    start = START.replace('vm("seen")', 'vm("marked")').replace('.disk("tiny").nic("virtio")', "")
    start = start.replace("start()", 'start(wait="running")')
    marked = visit(lab.notebook("marked.ipynb", start, SHOW, TRAVEL))
    marked.run_all()
    marked.points(count=8)
    over = marked.page.locator(".kvmnb-guest [data-panel=memory] .u-over").last
    for label in ("⚑ before rm", "↶ before rm"):
        marked.wait(FOUND_BELOW_CURSOR, [over.element_handle(), label])
    Host().guests.end("marked")


def test_it_is_beautiful_in_light_and_dark(seen, guest, pictures):
    work = "dd if=/dev/zero of=/tmp/x bs=64k count=40; cat /dev/vda >/dev/null & ping -c 3 10.0.2.2"
    guest.run(work, timeout_s=120)
    view = seen.page.locator(".kvmnb-guest").last
    seen.points(count=80 if os.environ.get("KVMNB_SCREENSHOTS") else 12)
    view.screenshot(path=pictures / "guest-view-light.png")
    seen.do("apputils:change-theme", theme="JupyterLab Dark")
    seen.wait("document.body.dataset.jpThemeLight === 'false'")
    expect(view).to_have_css("color", re.compile(r"rgba?\(2[0-9]{2}, "))
    view.screenshot(path=pictures / "guest-view-dark.png")
    seen.do("apputils:change-theme", theme="JupyterLab Light")
    seen.wait("document.body.dataset.jpThemeLight === 'true'")


def test_a_guest_that_is_killed_is_lost_at_once_and_its_charts_stay(seen, guest):
    os.kill(guest.info.pid, signal.SIGKILL)
    expect(state(seen)).to_have_text(re.compile("lost"))
    for name in ("Suspend", "Shut down"):
        expect(button(seen, name)).to_be_disabled()
    view = seen.page.locator(".kvmnb-guest").last
    expect(view.locator(".kvmnb-said")).to_contain_text("ended by signal 9")
    expect(view.locator("canvas")).to_have_count(4)


@pytest.mark.parametrize("kernel", [False, True], ids=["no kernel", "another kernel"])
def test_the_saved_notebook_shows_its_picture_where_its_kernel_is_not(seen, lab, visit, kernel):
    seen.save()
    if seen.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session !== null"):
        seen.page.evaluate(
            "jupyterapp.shell.currentWidget.sessionContext.shutdown().then(() => null)"
        )
    bare = visit(lab.folder / "seen.ipynb", kernel=kernel)
    picture = bare.page.locator(".kvmnb-still")
    expect(picture).to_be_visible()
    expect(picture.locator("svg").first).to_be_visible()
    expect(picture).to_contain_text("seen")
    expect(picture).to_contain_text("lost")
    expect(bare.page.get_by_text("model not found")).not_to_be_visible()
    expect(bare.page.get_by_text("Loading widget")).not_to_be_visible()


def test_a_guest_is_seen_again_after_a_kernel_restart_and_a_reload(lab, visit):
    start = START.replace('vm("seen")', 'vm("again")').replace('.disk("tiny").nic("virtio")', "")
    start = start.replace("start()", 'start(wait="running")')
    again = visit(lab.notebook("again.ipynb", start, SHOW))
    again.run_all()
    again.points()
    pid = Host().guests["again"].info.pid
    again.page.evaluate(
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => null)"
    )
    expect(again.page.locator(".kvmnb-guest .kvmnb-state")).to_have_text(
        re.compile("no answer from the kernel")
    )
    again.run_all()
    expect(state(again)).to_have_text(re.compile("running"))
    again.points()
    assert Host().guests["again"].info.pid == pid
    # and a page that is loaded anew has the past
    points = int(again.page.locator(".kvmnb-guest").last.get_attribute("data-points"))
    again.save()
    again.page.reload()
    again.settle()
    again.points(count=points)


def until(condition, limit_s=60.0):
    """Wait for a state outside of the page."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
