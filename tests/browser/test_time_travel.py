"""A guest's checkpoints in JupyterLab: the tree, cells that run in the guest, marks in its view.

The tests share a page and run in order, since that is what a page goes through.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from kvmnb import Host

NAME = "wanderer"
START = f"""\
%load_ext kvmnb
from kvmnb import Host

host = Host(warm=True)
guest = host.vm("{NAME}").mem(128).smp(2).disk("tiny").nic("virtio").start()
"""
VIEW = "guest.view()"
MARK = """\
import time

while not guest._control.hub.listened:
    time.sleep(0.05)
time.sleep(1)
fresh = guest.checkpoint("before rm")
"""
BREAK = f"""\
%%guest {NAME} --no-check
rm -rf /etc
ls /etc
echo gone
"""
BACK = f"""\
%%guest {NAME} --from "before rm"
ls /etc | wc -l
echo and back
"""
BRANCHES = """\
for end in ("happy end", "sad end"):
    guest.rewind(fresh)
    guest.run(f"echo {end!r} >/root/story", check=True)
    guest.checkpoint(end)
guest.checkpoints
"""
FAILS = f"%%guest {NAME}\nls /nowhere"
CELLS_ON = "%kvmnb checkpoint cells on"
COUNTS = f"%%guest {NAME}\necho line >>/root/log\nwc -l </root/log"
TREE = "guest.checkpoints"

FOUND_BELOW_CURSOR = """\
([over, label]) => {
  const { left, top, width } = over.getBoundingClientRect();
  over.dispatchEvent(new MouseEvent("mouseenter"));
  for (let x = 0; x < width; x += 2) {
    const at = { clientX: left + x, clientY: top + 20, bubbles: true };
    over.dispatchEvent(new MouseEvent("mousemove", at));
    if (over.title.split("\\n").includes(label)) return true;
  }
  return false;
}
"""
"""Whether somewhere along a chart the cursor is told a label."""

WIDER = "e => e.scrollWidth > e.clientWidth + 1"


@pytest.fixture(scope="module")
def travelled(lab, visit):
    """The notebook, run once up to the guest's branches."""
    book = lab.notebook("travel.ipynb", START, VIEW, MARK, BREAK, BACK, BRANCHES)
    visit = visit(book, viewport={"width": 1100, "height": 1600})
    visit.run_all()
    failed = visit.page.locator("[data-mime-type='application/vnd.jupyter.error']")
    done = visit.page.locator(".kvmnb-checkpoints").or_(failed)
    expect(done.first).to_be_visible(timeout=120_000)
    assert failed.all_inner_texts() == []
    yield visit
    Host().guests.end(NAME)


def add_cell(visit, source):
    """Put a cell below all others and run it."""
    visit.page.evaluate(
        """async source => {
          const book = jupyterapp.shell.currentWidget;
          const run = name => jupyterapp.commands.execute(name);
          book.content.activeCellIndex = book.content.widgets.length - 1;
          await run("notebook:insert-cell-below");
          book.content.activeCell.model.sharedModel.setSource(source);
          await run("notebook:run-cell");
        }""",
        source,
    )


def test_a_cell_runs_in_the_guest_and_the_next_one_from_a_checkpoint(travelled):
    broken = travelled.page.locator(".jp-CodeCell").nth(3)
    expect(broken).to_contain_text("ls: /etc: No such file or directory")
    expect(broken).to_contain_text("gone")
    back = travelled.page.locator(".jp-CodeCell").nth(4).locator(".jp-OutputArea")
    expect(back).to_contain_text("and back")
    expect(back).to_contain_text(re.compile(r"^\s*\d+\s"))


def test_the_tree_has_a_branch_and_says_where_the_guest_is(travelled):
    tree = travelled.page.locator(".kvmnb-checkpoints")
    for label in ("before rm", "happy end", "sad end"):
        expect(tree.locator("tspan").get_by_text(label)).to_be_visible()
    expect(tree.locator("text").filter(has_text="◀ now")).to_contain_text("sad end")
    assert not tree.evaluate(WIDER)


def test_the_view_marks_the_checkpoint_and_the_way_back_where_they_were(travelled):
    view = travelled.points(count=8)
    expect(view.locator(".kvmnb-state")).to_have_text(re.compile("running"))
    over = view.locator("[data-panel=memory] .u-over")
    for label in ("⚑ before rm", "↶ before rm", "⚑ sad end"):
        travelled.wait(FOUND_BELOW_CURSOR, [over.element_handle(), label])


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_beautiful_in_light_and_dark(travelled, theme, pictures):
    travelled.page.evaluate(
        "name => jupyterapp.commands.execute('apputils:change-theme', "
        "{theme: name}).then(() => null)",
        theme,
    )
    light = "true" if "Light" in theme else "false"
    travelled.wait(f"document.body.dataset.jpThemeLight === '{light}'")
    word = theme.rpartition(" ")[2].lower()
    view = travelled.page.locator(".kvmnb-guest").last
    travelled.points(count=int(view.get_attribute("data-points")) + 4)
    view.screenshot(path=pictures / f"marks-{word}.png")
    travelled.page.locator(".kvmnb-checkpoints").screenshot(
        path=pictures / f"checkpoints-{word}.png"
    )
    travelled.page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").screenshot(
        path=pictures / f"time-travel-{word}.png"
    )


def test_a_failing_cell_says_why_and_shows_none_of_our_machinery(travelled):
    add_cell(travelled, FAILS)
    cell = travelled.page.locator(".jp-CodeCell").last
    expect(cell).to_contain_text("exit status 1: ls: /nowhere")
    expect(cell).not_to_contain_text("portal.py")


def test_a_cell_run_again_sees_the_guest_as_it_first_did(travelled):
    add_cell(travelled, CELLS_ON)
    add_cell(travelled, COUNTS)
    cell = travelled.page.locator(".jp-CodeCell").last
    expect(cell.locator(".jp-OutputArea-output").first).to_have_text(re.compile(r"^1\s*$"))
    travelled.do("notebook:run-cell")
    expect(cell).to_contain_text(f"guest '{NAME}' was rewound to its state before this cell")
    expect(cell.locator(".jp-OutputArea-output").first).to_have_text(re.compile(r"^1\s*$"))


def test_the_tree_names_the_cell_that_took_a_checkpoint(travelled):
    add_cell(travelled, TREE)
    tree = travelled.page.locator(".kvmnb-checkpoints").last
    expect(tree).to_contain_text(re.compile(rf"cell \d+: %%guest {NAME}"))
