"""The three texts of a guest in JupyterLab: as tables, and side by side."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

CELLS = (
    """\
from kvmnb import Host

vm = Host().vm("web").mem(512).smp(2).disk("tiny").nic("virtio").accel("tcg")
vm.layers()
""",
    "vm.command()",
    "vm.xml()",
    'vm.diff(vm.mem("1G").nic("e1000"))',
)

WIDER = "e => e.scrollWidth > e.clientWidth + 1"
THEMES = ("JupyterLab Light", "JupyterLab Dark")


@pytest.fixture(scope="module")
def book(lab, visit):
    """A notebook with all of them, run once."""
    visit = visit(lab.notebook("layers.ipynb", *CELLS), viewport={"width": 1200, "height": 2800})
    visit.run_all()
    expect(visit.page.locator(".kvmnb-diff")).to_be_attached()
    return visit


@pytest.mark.parametrize("theme", THEMES)
def test_nothing_has_to_be_scrolled_sideways_at_1200_pixels(book, theme, pictures):
    book.page.evaluate(
        "name => jupyterapp.commands.execute('apputils:change-theme', "
        "{theme: name}).then(() => null)",
        theme,
    )
    views = book.page.locator(".kvmnb-words")
    expect(views).to_have_count(len(CELLS))
    for view in views.all():
        view.scroll_into_view_if_needed()
        output = view.locator("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')]").first
        assert not output.evaluate(WIDER)
        assert not view.evaluate(WIDER)
    name = "layers-dark.png" if "Dark" in theme else "layers-light.png"
    book.page.locator(".kvmnb-layers").screenshot(path=pictures / name)


def test_a_row_under_the_mouse_shows_the_other_two_languages(book, pictures):
    row = book.page.locator(".kvmnb-row").filter(has_text="-m size=512M").first
    other = row.locator(".kvmnb-else")
    expect(other).to_be_hidden()
    row.locator("td").first.hover()
    expect(other).to_be_visible()
    expect(other).to_contain_text("<memory unit='MiB'>512</memory>")
    expect(other).to_contain_text("--memory 512")
    command = book.page.locator(".kvmnb-words").nth(1)
    command.screenshot(path=pictures / "command.png")


def test_what_the_programs_add_for_themselves_unfolds_without_scripts(book):
    fold = book.page.locator(".kvmnb-layers details").last
    inside = fold.get_by_text("-no-user-config")
    expect(inside).to_be_hidden()
    fold.locator("summary").click()
    expect(inside).to_be_visible()
