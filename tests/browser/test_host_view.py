"""`host.view()` in JupyterLab: all guests in one table."""

from __future__ import annotations

import os
import re

import pytest
from playwright.sync_api import expect

from kvmnb import Host

CELL = """\
from kvmnb import Host

Host().view()
"""


@pytest.fixture
def guests():
    """Guests of this process, which the page's kernel finds."""
    host = Host()
    names = {"web": 2, "db": 1, "<b>odd": 1}
    started = {
        name: host.vm(name).mem(64).smp(count).start(wait="running")
        for name, count in names.items()
    }
    yield started
    for guest in started.values():
        guest.destroy()


def row(page, name):
    return page.locator(".kvmnb-guests tbody tr").filter(has_text=name)


def test_guests_come_and_go_and_can_be_told_what_to_do(lab, visit, guests, pictures):
    visit = visit(lab.notebook("host.ipynb", CELL), viewport={"width": 1500, "height": 700})
    page = visit.page
    visit.run_all()
    for name in guests:
        expect(row(page, name)).to_contain_text("running")
    row(page, "db").get_by_role("button", name="Suspend db").click()
    expect(row(page, "db")).to_contain_text("paused")
    assert guests["db"].refresh() == "paused"
    expect(page.locator(".kvmnb-said")).to_contain_text("virsh suspend db")
    visit.points(".kvmnb-guests tr[data-points]", 60 if os.environ.get("KVMNB_SCREENSHOTS") else 3)
    page.locator(".kvmnb-host").screenshot(path=pictures / "host-view.png")
    expect(page.locator(".kvmnb-host b")).to_have_count(1)  # of the line at its foot, no name's
    guests["web"].destroy()
    expect(row(page, "web")).to_contain_text("shut down")
    expect(page.locator(".kvmnb-host-head")).to_contain_text(f"{len(Host().guests)} here")
    expect(row(page, "web")).to_have_count(0)
    page.set_viewport_size({"width": 640, "height": 900})
    expect(row(page, re.compile("odd"))).to_be_visible()
