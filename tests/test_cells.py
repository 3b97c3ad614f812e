"""Checkpoints of cells: which state a cell that is run again sees."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from kvmnb import StateError, cells
from kvmnb.cells import Cells
from kvmnb.engines.base import Checkpoint


class Tree:
    """A guest that is a list of words, with checkpoints: the rule alone, without a machine."""

    def __init__(self, name="test"):
        self.info = SimpleNamespace(name=name)
        self.words: list[str] = []
        self.rewinds = 0
        self.refuses = False
        self._kept: dict[str, tuple[Checkpoint, list[str]]] = {}
        self._current: str | None = None

    def checkpoints(self):
        return tuple(checkpoint for checkpoint, _ in self._kept.values()), self._current

    async def checkpoint(self, label, *, cell, keep):
        await asyncio.sleep(0)
        if self.refuses:
            raise StateError(self.info.name, "busy", "wait")
        number = len(self._kept) + 1
        made = Checkpoint(
            id=f"{number}{label}",
            guest=self.info.name,
            label=label,
            created_s=number,
            parent=self._current,
            cell=cell,
            kept=keep,
        )
        self._kept[made.id], self._current = (made, [*self.words]), made.id
        return made

    async def rewind(self, id):
        self.words, self._current = [*self._kept[id][1]], id
        self.rewinds += 1

    async def drop(self, id):
        gone, _ = self._kept.pop(id)
        for other, (checkpoint, words) in self._kept.items():
            if checkpoint.parent == id:
                self._kept[other] = replace(checkpoint, parent=gone.parent), words
        if self._current == id:
            self._current = gone.parent


@dataclass
class Notebook:
    """Runs cells that add a word to guests."""

    cells: Cells

    def run(self, cell, *guests, word=None):
        async def verbs():
            for guest in guests:
                for _ in range(2):  # only the first verb of a cell counts
                    await self.cells.before_change(guest)
                guest.words.append(word or cell)

        self.cells.begin(cell, f"cell {cell}")
        asyncio.run(verbs())
        return self.cells.end()


@pytest.fixture
def notebook():
    return Notebook(Cells())


def test_each_cell_that_changes_a_guest_has_one_checkpoint(notebook):
    guest = Tree()
    notebook.run("a", guest)
    notebook.run("b")
    notebook.run("c", guest)
    found, current = guest.checkpoints()
    assert [(each.cell, each.label) for each in found] == [("a", "cell a"), ("c", "cell c")]
    assert (current, found[1].parent) == (found[1].id, found[0].id)
    assert guest.words == ["a", "c"]


def test_the_last_cell_run_again_sees_what_it_first_saw(notebook):
    guest = Tree()
    notebook.run("a", guest)
    for _ in range(3):
        notebook.run("b", guest)
    assert guest.words == ["a", "b"]
    assert len(guest.checkpoints()[0]) == 2


def test_an_earlier_cell_run_again_undoes_the_later_ones(notebook):
    guest = Tree()
    for cell in "abc":
        notebook.run(cell, guest)
    notebook.run("b", guest, word="B")
    assert guest.words == ["a", "B"]


def test_a_later_cell_goes_on_from_what_an_earlier_one_did_anew(notebook):
    guest = Tree()
    for cell in "abc":
        notebook.run(cell, guest)
    notebook.run("a", guest, word="A")
    notebook.run("c", guest)
    assert guest.words == ["A", "c"]


def test_a_later_cell_s_old_checkpoint_is_replaced(notebook):
    guest = Tree()
    for cell in "abcabc":
        notebook.run(cell, guest)
    found, _ = guest.checkpoints()
    assert sorted(each.cell for each in found) == ["a", "b", "c"]
    notebook.run("c", guest)
    assert guest.words == ["a", "b", "c"]


def test_running_all_cells_again_ends_as_the_first_time(notebook):
    guest = Tree()
    for cell in "abcd" * 3:
        notebook.run(cell, guest)
    assert guest.words == ["a", "b", "c", "d"]


def test_after_a_rewind_by_hand_a_cell_of_the_other_branch_goes_on_from_there(notebook):
    guest = Tree()
    for cell in "abc":
        notebook.run(cell, guest)
    asyncio.run(guest.rewind(guest.checkpoints()[0][1].id))  # to before b
    notebook.run("c", guest)
    assert guest.words == ["a", "c"]


def test_a_checkpoint_by_hand_between_cells_changes_nothing(notebook):
    guest = Tree()
    notebook.run("a", guest)
    asyncio.run(guest.checkpoint("mine", cell=None, keep=True))
    notebook.run("b", guest)
    notebook.run("a", guest)
    assert guest.words == ["a"]


def test_a_checkpoint_that_was_dropped_leaves_the_others_of_use(notebook):
    guest = Tree()
    for cell in "abc":
        notebook.run(cell, guest)
    asyncio.run(guest.drop(guest.checkpoints()[0][1].id))
    notebook.run("a", guest)
    assert guest.words == ["a"]


def test_every_guest_of_a_cell_has_its_own_checkpoint(notebook):
    one, two = Tree("one"), Tree("two")
    notebook.run("a", one, two)
    notebook.run("b", two)
    notebook.run("a", one, two)
    assert (one.words, two.words) == (["a"], ["a"])


def test_a_guest_that_was_started_anew_begins_a_tree_of_its_own(notebook):
    notebook.run("a", Tree())
    again = Tree()
    assert notebook.run("a", again) == ()
    assert again.words == ["a"]


def test_verbs_side_by_side_wait_for_one_checkpoint(notebook):
    guest = Tree()

    async def together():
        await asyncio.gather(*(notebook.cells.before_change(guest) for _ in range(5)))

    for _ in range(2):
        notebook.cells.begin("a", "cell a")
        asyncio.run(together())
        notebook.cells.end()
    assert (len(guest.checkpoints()[0]), guest.rewinds) == (1, 1)


def test_the_reader_is_told_of_a_rewind_and_of_nothing_else(notebook):
    guest = Tree()
    assert notebook.run("a", guest) == ()
    assert notebook.run("a", guest) == ("guest 'test' was rewound to its state before this cell",)


def test_a_checkpoint_that_cannot_be_taken_holds_up_no_cell(notebook):
    guest = Tree()
    guest.refuses = True
    (note,) = notebook.run("a", guest)
    assert "no checkpoint" in note
    assert "busy: wait" in note
    assert guest.words == ["a"]


def test_nothing_is_kept_between_cells_or_while_it_is_off():
    guest: Any = Tree()
    on = cells.turn_on()
    try:
        asyncio.run(cells.before_change(guest))
        assert guest.checkpoints() == ((), None)
        on.begin("a", "cell a")
        asyncio.run(cells.before_change(guest))
        assert len(guest.checkpoints()[0]) == 1
        cells.turn_off()
        on.begin("b", "cell b")
        asyncio.run(cells.before_change(guest))
        assert len(guest.checkpoints()[0]) == 1
    finally:
        cells.turn_off()
