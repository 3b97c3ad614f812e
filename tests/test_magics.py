"""The magics, in an IPython shell, with a real guest."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from kvmnb import CommandError, GuestTimeout, Host

pytestmark = pytest.mark.guest


class Shell:
    """An IPython shell whose cells are run one by one."""

    def __init__(self, capture):
        self.ipython = InteractiveShell()
        self.ipython.colors = "nocolor"
        self._capture = capture
        self.number = 0

    def __call__(self, source, cell_id=None):
        """Run a cell; return its result, and what it wrote."""
        self.number += 1
        self._capture.readouterr()
        done = self.ipython.run_cell(
            source, store_history=True, cell_id=cell_id or f"cell-{self.number}"
        )
        wrote = self._capture.readouterr()
        error = done.error_before_exec or done.error_in_exec
        return SimpleNamespace(value=done.result, error=error, out=wrote.out, err=wrote.err)

    def tab(self, line):
        with provisionalcompleter():
            return {each.text for each in self.ipython.Completer.completions(line, len(line))}


@pytest.fixture
def shell(capsys) -> Iterator[Shell]:
    made = Shell(capsys)
    assert made("%load_ext kvmnb").error is None
    yield made
    made("%unload_ext kvmnb")
    history = made.ipython.history_manager
    assert history is not None
    history.end_session()
    history.save_thread.stop()
    InteractiveShell.clear_instance()


@pytest.fixture
def guest(booted, shell):
    """The guest under a variable's name that is not its own."""
    shell.ipython.user_ns["box"] = booted
    return booted


# -- %%guest --------------------------------------------------------------------------------------


def test_a_cell_runs_in_the_guest_and_its_output_is_the_cell_s(shell, guest):
    done = shell("%%guest booted\nX=3\necho $((X + 4))\necho oh >&2")
    assert (done.out, done.err, done.error) == ("7\n", "oh\n", None)
    assert shell.ipython.user_ns["_exit_code"] == 0


def test_a_variable_that_holds_a_guest_names_it_too(shell, guest):
    assert shell("%%guest box\necho here").out == "here\n"


def test_a_variable_wins_over_a_guest_of_that_name(shell, guest, launch):
    with Host().vm("box").mem(32).start(wait="running"):
        assert shell("%%guest box\necho booted").out == "booted\n"


def test_a_variable_that_holds_something_else_does_not_hide_a_guest(shell, guest):
    shell.ipython.user_ns["booted"] = 3
    assert shell("%%guest booted\necho here").out == "here\n"


def test_a_line_runs_too(shell, guest):
    done = shell('%guest box echo "a  b"; exit 0')
    assert (done.out, done.error) == ("a  b\n", None)


def test_a_failing_cell_raises_with_what_it_said_so_that_the_next_one_does_not_run(shell, guest):
    done = shell("%%guest booted\nls /nowhere")
    assert isinstance(done.error, CommandError)
    assert "exit status 1: ls: /nowhere" in str(done.error)
    assert shell.ipython.user_ns["_exit_code"] == 1


def test_the_last_command_decides_unless_the_cell_says_set_e(shell, guest):
    assert shell("%%guest booted\nfalse\ntrue").error is None
    assert shell("%%guest booted\nset -e\nfalse\ntrue").error is not None


def test_a_signal_is_named(shell, guest):
    assert "ended by SIGKILL" in str(shell("%%guest booted\nkill -9 $$").error)


def test_no_check_lets_a_failure_pass(shell, guest):
    assert shell("%%guest booted --no-check\nexit 3").error is None
    assert shell.ipython.user_ns["_exit_code"] == 3


def test_quiet_shows_nothing_but_an_error(shell, guest):
    done = shell("%%guest booted --quiet\necho out; echo why >&2; exit 1")
    assert done.out.startswith("-----")  # the traceback
    assert "exit status 1: why" in str(done.error)


def test_an_error_shows_the_cell_and_none_of_our_own_machinery(shell, guest):
    done = shell("%%guest booted --timeout 0.5\nsleep 4321")
    assert isinstance(done.error, GuestTimeout)
    assert "portal.py" not in done.out
    assert "streaming.py" not in done.out


def test_output_shows_while_the_command_runs(shell, guest, capsys):
    guest.run("rm -f /run/go")
    seen: list[str] = []

    def watch():
        until = time.monotonic() + 60
        while "first" not in "".join(seen) and time.monotonic() < until:
            seen.append(capsys.readouterr().out)
            time.sleep(0.05)
        guest.run("touch /run/go")

    watcher = threading.Thread(target=watch)
    watcher.start()
    cell = "%%guest booted\necho first; until [ -e /run/go ]; do sleep 0.1; done; echo last"
    done = shell(cell)
    watcher.join()
    assert (done.error, done.out) == (None, "last\n")


def test_an_interrupt_ends_the_command_in_the_guest(shell, guest):
    def interrupt():
        until = time.monotonic() + 60
        while not guest.run("pgrep sleep").stdout and time.monotonic() < until:
            time.sleep(0.05)
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    watcher = threading.Thread(target=interrupt)
    watcher.start()
    done = shell("%%guest booted\nsleep 4321 & sleep 4321")
    watcher.join()
    assert isinstance(done.error, KeyboardInterrupt)
    until = time.monotonic() + 20
    while guest.run("pgrep sleep").stdout:
        assert time.monotonic() < until


def test_colours_stay_and_what_else_a_terminal_would_obey_does_not(shell, guest):
    cell = r"%%guest booted" + "\n" + r"printf '\033[31mred\033[0m\033[2J\033]0;title\007\a.\n'"
    assert shell(cell).out == "\x1b[31mred\x1b[0m.\n"


def test_a_flood_is_not_shown_to_its_end(shell, guest, monkeypatch):
    monkeypatch.setattr("kvmnb.magics.SHOWN_LIMIT", 1000)
    done = shell("%%guest booted\nhead -c 3000 /dev/zero | tr '\\0' x")
    assert done.out == "x" * 1000
    assert "too much to show" in done.err
    assert done.error is None


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%guest bootd\ntrue", "did you mean booted"),
        ("%%guest booted --form x\ntrue", "unrecognized arguments: --form"),
        ("%%guest booted --timeout soon\ntrue", "invalid float value: 'soon'"),
        ("%%guest booted\n\n", "nothing to run"),
        ("%%guest 'booted\ntrue", "No closing quotation"),
        ("%guest booted", "something is missing"),
        ("%hmp booted inof", "did you mean info"),
        ("%hmp booted info statsu", "or status"),
        ("%hmp booted device_del nothing", "Device 'nothing' not found"),
        ("%hmp booted", "something is missing"),
        ("%qmp booted query-statsu", "query-status"),
        ("%qmp booted balloon value", "neither key=value nor a JSON object"),
        ('%qmp booted balloon {"value": }', "not JSON"),
        ("%qmp booted balloon value=many", "value"),
        ("%qmp booted x a=1 a.b=2", "'a' already has a value"),
        ("%kvmnb gests", "no such word"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(shell, guest, cell, said):
    done = shell(cell)
    assert said in str(done.error)
    assert done.err.count("Traceback") == 0


@pytest.mark.parametrize("magic", ["%guest", "%hmp", "%qmp", "%kvmnb"])
def test_every_magic_has_help(shell, magic):
    done = shell(f"{magic} --help")
    assert done.error is None
    assert magic in done.out


# -- %hmp, %qmp, %kvmnb ---------------------------------------------------------------------------


def test_hmp_shows_the_monitor_s_text_and_gives_it(shell, guest):
    done = shell("said = %hmp booted info status\nsaid")
    assert done.value.strip() == "VM status: running"
    assert "VM status: running" in done.out


def test_qmp_gives_a_dictionary(shell, guest):
    assert shell("%qmp booted query-status").value["status"] == "running"


def test_qmp_takes_words_and_json(shell, guest):
    cells = (
        "%qmp booted qom-get path=/machine property=type",
        '%qmp booted qom-get {"path":"/machine","property":"type"}',
    )
    first, second = (shell(cell).value for cell in cells)
    assert first == second
    assert first.startswith("pc-")


def test_a_value_in_json_s_spelling_is_more_than_text(shell, guest):
    done = shell("%qmp booted balloon value=134217728")
    assert (done.value, done.error) == ({}, None)


def test_kvmnb_shows_the_guests_that_run_here(shell, guest):
    assert "booted" in list(shell("%kvmnb guests").value)


# -- Tab ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%guest bo", {"booted", "box"}),
        ("%guest bo", {"booted", "box"}),
        ("%%guest booted --t", {"--timeout"}),
        ("%hmp boo", {"booted"}),
        ("%hmp booted inf", {"info"}),
        ("%hmp booted info ball", {"balloon"}),
        ("%qmp booted query-sta", {"query-status", "query-stats"}),
        ("%kvmnb che", {"checkpoint"}),
        ("%kvmnb checkpoint cells o", {"on", "off"}),
    ],
)
def test_tab_offers_what_can_stand_there(shell, guest, line, offered):
    assert offered <= shell.tab(line)


def test_tab_offers_checkpoints_by_label(shell, guest):
    kept = [guest.checkpoint("plain"), guest.checkpoint("before rm")]
    try:
        assert {"plain", '"before rm"'} <= shell.tab("%%guest booted --from ")
        assert "plain" in shell.tab("%%guest booted --from pl")
        assert "rm" in shell.tab('%%guest booted --from "before r')
    finally:
        for each in kept:
            guest.drop(each)


def test_tab_in_a_line_of_nonsense_offers_nothing_and_raises_nothing(shell, guest):
    assert "query-status" not in shell.tab("%qmp nobody query-sta")


# -- checkpoints ----------------------------------------------------------------------------------


@pytest.fixture
def own(shell):
    """A guest of the test's own, with cells' checkpoints."""
    with Host().vm("own").mem(128).disk("tiny").start() as guest:
        assert shell("%kvmnb checkpoint cells on").error is None
        yield guest


def cell(shell, letter, word=None):
    """Run the cell that adds a word to a file in memory and to one on the disk."""
    word = word or letter
    done = shell(
        f"%%guest own\necho -n {word} >>/run/words; echo -n {word} >>/etc/words; sync",
        cell_id=letter,
    )
    assert done.error is None
    return done


def words(guest):
    return guest.run("cat /run/words; echo; cat /etc/words").stdout.split()


def test_from_rewinds_so_that_a_cell_has_the_same_outcome_again(shell, guest):
    guest.run("echo -n a >/run/words")
    kept = guest.checkpoint("before b")
    try:
        for _ in range(2):
            done = shell('%%guest box --from "before b"\necho -n b >>/run/words; cat /run/words')
            assert (done.out, done.error) == ("ab", None)
        assert "no checkpoint" in str(shell("%%guest box --from nothing\ntrue").error).lower()
    finally:
        guest.drop(kept)


def test_cells_that_are_run_again_see_what_they_first_saw(shell, own):
    for letter in "abc":
        cell(shell, letter)
    assert words(own) == ["abc", "abc"]
    again = cell(shell, "b", "B")
    assert "rewound to its state before this cell" in again.err
    assert words(own) == ["aB", "aB"]
    assert "rewound" not in cell(shell, "c").err
    assert words(own) == ["aBc", "aBc"]
    assert [each.cell for each in own.checkpoints] == ["a", "b", "c"]


def test_a_cell_that_only_looks_leaves_no_checkpoint(shell, own):
    shell.ipython.user_ns["own"] = own
    for source in (
        "%hmp own info status",
        "%qmp own query-status",
        "own.stats(); own.get('/etc/hostname'); own.console_text(); own",
    ):
        assert shell(source).error is None
    assert len(own.checkpoints) == 0


@pytest.mark.parametrize(
    "source",
    [
        "own.run('true')",
        "own.put(b'', '/run/f')",
        "list(own.stream('true'))",
        "own.hmp('balloon 128')",
        "own.qmp('balloon', value=128 << 20)",
        "own.balloon(128)",
        "own.sendkey('a')",
        "own.suspend(); own.resume()",
        "await own.run.aio('true')",
    ],
)
def test_every_verb_that_changes_is_preceded_by_a_checkpoint(shell, own, source):
    shell.ipython.user_ns["own"] = own
    assert shell(source, cell_id="it").error is None
    (kept,) = own.checkpoints
    assert (kept.cell, kept.label) == ("it", f"cell {shell.number}: {source}")


def test_a_terminal_s_cell_is_known_by_what_it_says(shell, own):
    shell.ipython.user_ns["own"] = own
    for source in ("own.run('echo -n a >>/run/words')", "own.run('echo -n b >>/run/words')") * 2:
        shell.ipython.run_cell(source, store_history=True)
    assert own.run("cat /run/words").stdout == "ab"


def test_off_takes_no_more_and_rewinds_no_more(shell, own):
    cell(shell, "a")
    assert shell("%kvmnb checkpoint cells").out == "cells have checkpoints: yes\n"
    shell("%kvmnb checkpoint cells off")
    assert shell("%kvmnb checkpoint cells").out == "cells have checkpoints: no\n"
    cell(shell, "a")
    assert words(own) == ["aa", "aa"]
    assert len(own.checkpoints) == 1


def test_import_and_load_need_ipython_only_when_they_are_used():
    code = "import sys, kvmnb; kvmnb.load_ipython_extension; print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n"
