"""How far long work has come: in a terminal, in a log, in a notebook."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient

from kvmnb.display import progress as module
from kvmnb.display.progress import fit, progress
from kvmnb.engines.base import Step


@pytest.fixture
def no_wait(monkeypatch):
    """Let work of no length at all be shown."""
    monkeypatch.setattr(module, "QUIET_S", 0.0)
    monkeypatch.setattr(module, "INTERVAL_S", 0.0)


class Terminal:
    """A real terminal's far end, as stderr."""

    def __init__(self, monkeypatch) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")
        monkeypatch.setattr(sys, "stderr", self.stream)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "60")

    def read(self) -> str:
        self.stream.close()
        seen = b""
        try:
            while piece := os.read(self._ours, 65536):
                seen += piece
        except OSError:
            pass  # the far end is closed: all has been read
        os.close(self._ours)
        return seen.decode()


def test_a_terminal_has_one_line_that_is_written_over(monkeypatch, no_wait):
    terminal = Terminal(monkeypatch)
    with progress("start test") as report:
        for done in range(5):
            report(Step("guest boots", done, 5, f"line {done}"))
    seen = terminal.read()
    assert seen.count("\n") == 1
    assert seen.endswith("\r\n")
    *steps, last = re.findall(r"\r([^\r\n]*)\x1b\[K", seen)
    assert len(steps) == 5
    assert all(len(step) <= 59 for step in steps)
    assert "guest boots" in steps[0]
    assert re.fullmatch(r"✓ start test: \d+\.\d s", last)


def test_a_failure_ends_with_a_clean_line_too(monkeypatch, no_wait):
    terminal = Terminal(monkeypatch)

    def fail() -> None:
        with progress("start test") as report:
            report(Step("guest boots"))
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert "✗ start test: ValueError" in terminal.read().splitlines()[-1]


def test_what_the_guest_says_reaches_no_terminal_as_it_is(monkeypatch, no_wait, harmless):
    terminal = Terminal(monkeypatch)
    with progress("start \x1b[31mred") as report:
        report(Step("boots\x07", detail="\x1b]0;owned\x07\x1b[2J"))
    lines = re.findall(r"\r([^\r\n]*?)\x1b\[K", terminal.read())
    assert len(lines) == 2
    assert all(map(harmless, lines))


def test_work_that_is_soon_done_shows_nothing(monkeypatch):
    monkeypatch.setattr(module, "QUIET_S", 3600.0)
    terminal = Terminal(monkeypatch)
    with progress("quick") as report:
        report(Step("done at once"))
    assert terminal.read() == ""


def test_a_log_gets_one_line_at_the_end(monkeypatch, no_wait):
    log = io.StringIO()
    monkeypatch.setattr(sys, "stderr", log)
    with progress("start test") as report:
        for done in range(9):
            report(Step("guest boots", done, 9))
    assert re.fullmatch(r"✓ start test: \d+\.\d s\n", log.getvalue())


@pytest.mark.parametrize("stream", [None, "closed", "broken"])
def test_nowhere_to_show_it_is_no_reason_to_fail(monkeypatch, no_wait, stream):
    class Broken(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    found = {"closed": closed, "broken": Broken()}.get(stream)
    monkeypatch.setattr(sys, "stderr", found)
    with progress("start test") as report:
        report(Step("guest boots"))


def test_reports_from_many_threads_do_not_mix(monkeypatch, no_wait):
    terminal = Terminal(monkeypatch)
    with progress("build") as report:
        threads = [
            threading.Thread(target=lambda: [report(Step("works", n, 9)) for n in range(5)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = re.findall(r"\r([^\r\n]*)\x1b\[K", terminal.read())
    assert len(lines) == 21
    assert all(line.startswith(("build", "✓ build")) for line in lines)


@given(st.text(max_size=80), st.integers(0, 80))
def test_a_line_never_is_wider_than_its_terminal(text, columns):
    cut = fit(text, columns)
    assert sum(module._columns(character) for character in cut) <= columns
    assert cut == text or columns == 0 or cut.endswith("…")


def test_no_ipython_is_imported_to_find_out():
    code = "import sys; from kvmnb.display.progress import progress; progress('x'); "
    code += "sys.exit('IPython' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


# -- in a real kernel -----------------------------------------------------------------------

SETUP = """
from kvmnb import portal
from kvmnb.display import progress as module
from kvmnb.display.progress import progress
from kvmnb.engines.base import Step
module.QUIET_S, module.INTERVAL_S = 0.0, 3600.0

async def work(shown, fail=False):
    with shown as report:
        for done in range(10):
            report(Step("boots", done, 10, f"<script>alert({done})</script>\\x1b[31m"))
        if fail:
            raise ValueError
"""


@pytest.fixture(scope="module")
def cells():
    """Outputs of cells in a real kernel, and all messages that were sent for them."""
    book = nbformat.v4.new_notebook()
    sources = (
        SETUP,
        "portal.run(work(progress('start <b>test</b>')))",
        "print('one'); portal.run(work(progress('second'))); print('two')",
        "try:\n    portal.run(work(progress('start test'), fail=True))\n"
        "except ValueError:\n    print('failed')",
    )
    book.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    messages = []

    class Client(NotebookClient):
        def process_message(self, msg, cell, cell_index):
            messages.append((cell_index, msg))
            return super().process_message(msg, cell, cell_index)

    Client(book, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in book.cells], messages


@pytest.mark.notebook
def test_a_cell_ends_with_one_static_line(cells):
    outputs, _ = cells
    (shown,) = outputs[1]
    assert shown.output_type == "display_data"
    assert re.fullmatch(r"✓ start <b>test</b>: \d+\.\d s", shown.data["text/plain"])


@pytest.mark.notebook
def test_it_is_shown_in_the_cell_that_began_it(cells):
    outputs, _ = cells
    kinds = [output.output_type for output in outputs[2]]
    assert kinds.count("display_data") == 1
    (shown,) = [output for output in outputs[2] if output.output_type == "display_data"]
    assert "second" in shown.data["text/plain"]


@pytest.mark.notebook
def test_what_is_shown_in_a_cell_is_quoted(cells, read_html, harmless):
    _, messages = cells
    shown = [msg for _, msg in messages if "display_data" in msg["msg_type"]]
    assert shown
    for msg in shown:
        assert harmless(read_html(msg["content"]["data"]["text/html"]))
        assert harmless(msg["content"]["data"]["text/plain"])


@pytest.mark.notebook
def test_a_cell_has_one_output_that_is_updated_and_not_too_often(cells):
    _, messages = cells
    kinds = [msg["msg_type"] for index, msg in messages if index == 1]
    assert kinds.count("display_data") == 1
    assert kinds.count("update_display_data") == 1, "of ten steps at once the first, and the end"


@pytest.mark.notebook
def test_a_failure_is_a_static_line_too(cells):
    outputs, _ = cells
    assert outputs[3][0].data["text/plain"].startswith("✗ start test: ValueError")
