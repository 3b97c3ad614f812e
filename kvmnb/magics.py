"""Guests in a notebook's cells: ``%load_ext kvmnb``, then ``%%guest test``, ``%hmp test info``.

Where a magic wants a guest, it takes a variable that holds one, or else the name of one that
runs on this machine, whichever process started it. If both exist, the variable it is.
"""

from __future__ import annotations

import functools
import hashlib
import shlex
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from kvmnb import cells
from kvmnb.errors import CommandError, KvmnbError
from kvmnb.guest import Guest
from kvmnb.host import Host
from kvmnb.magic_lines import (
    GUEST,
    HMP_HELP,
    KVMNB_HELP,
    QMP_HELP,
    arguments,
    leading,
    near,
    refuse,
    words,
)
from kvmnb.magic_words import Completers, guest_names, hmp_commands, qmp_commands
from kvmnb.markup import printable

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

    from kvmnb.host import Guests

__all__ = ["Magics", "load", "unload"]

P = ParamSpec("P")
R = TypeVar("R")

SHOWN_LIMIT = 4 << 20
"""Characters of a command's output that one cell shows; a notebook that holds many more of them
does not open again."""

TOLD_LIMIT = 500
"""Characters of stderr that an error repeats."""

LABEL_LIMIT = 60


def load(shell: InteractiveShell) -> None:
    """Add the magics to `shell`."""
    Magics(shell).register()


def unload(shell: InteractiveShell) -> None:
    """Take back what goes on by itself: cells' checkpoints."""
    magics = shell.magics_manager.magics["line"].get("kvmnb")
    owner = getattr(magics, "__self__", None)
    if isinstance(owner, Magics):
        owner.checkpoint_cells(False)


def _brief(work: Callable[P, R]) -> Callable[P, R]:
    """Let an error of ours show the cell's line and what it says, but none of our own lines."""

    @functools.wraps(work)
    def magic(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True  # read by IPython
        try:
            return work(*args, **kwargs)
        except KvmnbError as error:
            raise error.with_traceback(None) from None

    return magic


class Magics:
    """The magics of one IPython shell.

    Parameters
    ----------
    shell : whose variables are looked at, and whose cells get checkpoints
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._cells: cells.Cells | None = None

    def register(self) -> None:
        from IPython.core.magic import no_var_expand

        # IPython would take {"value":1} for a format of its own
        no_var_expand(Magics.qmp)
        add = self._shell.magics_manager.register_function
        add(self.guest, "line_cell", "guest")
        for each in (self.hmp, self.qmp, self.kvmnb):
            add(each, "line", each.__name__)
        completers = Completers(self._shell)
        for word in ("%%guest", "%guest", "%hmp", "%qmp", "%kvmnb"):
            self._shell.set_hook(  # type: ignore[no-untyped-call]
                "complete_command", completers.complete, str_key=word
            )

    # -- %%guest ------------------------------------------------------------------------

    @_brief
    def guest(self, line: str, cell: str | None = None) -> None:
        """Run the cell's body, or the rest of the line, in a guest; ``%guest --help`` says more."""
        if cell is None:
            said = leading(line, GUEST.format_help())
            if said is None:
                return
            line, cell = shlex.quote(said[0]), said[1]
        asked = GUEST.read(line)
        if asked is None:
            return
        guest = self._named(asked.name)
        if not cell.strip():
            refuse(f"%%guest {asked.name}: the cell has nothing to run below its first line")
        if asked.label is not None:
            guest.rewind(asked.label)
        shown = _Shown(quiet=asked.quiet)
        with guest.stream(cell, timeout_s=asked.timeout) as output:
            try:
                for piece in output:
                    shown.write(piece.stream, piece.data)
            finally:
                shown.end()
        code = output.returncode or 0
        self._shell.user_ns["_exit_code"] = code
        if code != 0 and not asked.no_check:
            description = ": ".join(filter(None, (_ending(code), shown.told)))
            raise CommandError(f"%%guest {asked.name}", "ExitStatus", description)

    # -- %hmp and %qmp ------------------------------------------------------------------

    @_brief
    def hmp(self, line: str) -> _Answer | None:
        """Send a line to a guest's human monitor: ``%hmp test info balloon``."""
        said = leading(line, HMP_HELP)
        if said is None:
            return None
        name, text = said
        guest = self._named(name)
        answer = guest.hmp(text).replace("\r\n", "\n")
        if answer.startswith("unknown command:"):
            *of, word = text.split()[:2] if text.startswith("info ") else text.split()[:1]
            meant = near(word, hmp_commands(guest, *of))
            raise CommandError(f"%hmp {text}", "CommandNotFound", answer.strip() + meant)
        if answer.startswith("Error: "):
            raise CommandError(f"%hmp {text}", "GenericError", answer.strip())
        return _Answer(answer) if answer else None

    @_brief
    def qmp(self, line: str) -> Any:
        """Send a QMP command to a guest: ``%qmp test query-status``."""
        said = leading(line, QMP_HELP)
        if said is None:
            return None
        name, (command, _, rest) = said[0], said[1].partition(" ")
        guest = self._named(name)
        try:
            return guest.qmp(command, arguments(rest.strip()))
        except CommandError as error:
            if error.error_class != "CommandNotFound":
                raise
            meant = near(command, qmp_commands(guest))
            raise CommandError(
                error.command, error.error_class, error.description + meant
            ) from None

    # -- %kvmnb -------------------------------------------------------------------------

    def kvmnb(self, line: str) -> Guests | None:
        """Look at the guests that run here, or give cells checkpoints; see ``%kvmnb --help``."""
        match words(line):
            case [] | ["--help" | "-h"]:
                print(KVMNB_HELP)
            case ["guests"]:
                return Host().guests
            case ["checkpoint", "cells"]:
                print(f"cells have checkpoints: {'no' if self._cells is None else 'yes'}")
            case ["checkpoint", "cells", "on" | "off" as wanted]:
                self.checkpoint_cells(wanted == "on")
            case _:
                refuse(f"%kvmnb {line}: no such word\n{KVMNB_HELP}")
        return None

    def checkpoint_cells(self, on: bool) -> None:
        """Give cells checkpoints from the next one on, or no more; see `kvmnb.cells`."""
        if on == (self._cells is not None):
            return
        events = self._shell.events
        if on:
            self._cells = cells.turn_on()
            events.register("pre_run_cell", self._before_cell)
            events.register("post_run_cell", self._after_cell)
        else:
            self._cells = None
            cells.turn_off()
            events.unregister("pre_run_cell", self._before_cell)
            events.unregister("post_run_cell", self._after_cell)

    def _before_cell(self, info: ExecutionInfo) -> None:
        if self._cells is not None:
            source = str(info.raw_cell or "")
            first = next(iter(source.strip().splitlines()), "")
            label = printable(f"cell {self._shell.displayhook.prompt_count}: {first}")[:LABEL_LIMIT]
            self._cells.begin(_cell_id(info, source), label)

    def _after_cell(self, result: ExecutionResult) -> None:
        if self._cells is not None:
            for note in self._cells.end():
                print(f"kvmnb: {note}", file=sys.stderr)

    # -- whom it concerns ---------------------------------------------------------------

    def _named(self, name: str) -> Guest:
        held = self._shell.user_ns.get(name)
        if isinstance(held, Guest):
            return held
        guest = Host().guests.get(name)
        if guest is None:
            known = guest_names(self._shell)
            there = ", ".join(known) or "none"
            refuse(
                f"no guest {name!r}: no variable of that name holds one, and none of that name "
                f"runs here{near(name, known)}; guests that are there: {there}"
            )
        return guest


def _cell_id(info: ExecutionInfo, source: str) -> str:
    """Return the cell's id as the front end gave it; a terminal's cell is what it says."""
    given = getattr(info, "cell_id", None)
    return str(given) if given else "source-" + hashlib.sha256(source.encode()).hexdigest()[:16]


# -- what a cell shows ----------------------------------------------------------------------------


class _Answer(str):
    """What the human monitor answered: text, shown as it is laid out."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(printable(self.rstrip("\n"), keep="\n\t"))


class _Shown:
    """Shows a command's output below the cell, as it comes."""

    def __init__(self, *, quiet: bool) -> None:
        from kvmnb.display.escapes import Tamed

        self._tamed = {"stdout": Tamed(), "stderr": Tamed()}
        self._left = 0 if quiet else SHOWN_LIMIT
        self._quiet = quiet
        self._told = ""

    @property
    def told(self) -> str:
        """The end of what it wrote to stderr."""
        return self._told.strip()

    def write(self, stream: str, data: bytes) -> None:
        self._show(stream, self._tamed[stream].feed(data))

    def end(self) -> None:
        for stream, tamed in self._tamed.items():
            self._show(stream, tamed.end())

    def _show(self, stream: str, text: str) -> None:
        if stream == "stderr":
            self._told = (self._told + text)[-TOLD_LIMIT:]
        if not text or not self._left:
            return
        place = sys.stderr if stream == "stderr" else sys.stdout
        print(text[: self._left], end="", file=place, flush=True)
        self._left = max(0, self._left - len(text))
        if not self._left:
            print("\n… kvmnb: too much to show; the command goes on", file=sys.stderr, flush=True)


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"
