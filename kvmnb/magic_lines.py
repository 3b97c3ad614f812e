"""What the magics' lines say: options, monitor commands, and what is wrong with them."""

from __future__ import annotations

import argparse
import difflib
import json
import shlex
from typing import Any, NoReturn

from kvmnb.markup import printable

__all__ = [
    "GUEST",
    "HMP_HELP",
    "KVMNB_HELP",
    "QMP_HELP",
    "arguments",
    "leading",
    "near",
    "refuse",
    "words",
]


class Parser(argparse.ArgumentParser):
    """Reads a magic's line; what is wrong with it is told as IPython's `UsageError`."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("--help", "-h", action="store_true", help="print this")

    def read(self, line: str) -> argparse.Namespace | None:
        """Return what the line says; ``None`` if it asked for help, and got it."""
        said = words(line)
        if not said or said[0] in {"--help", "-h"}:
            print(self.format_help())
            return None
        return self.parse_args(said)

    def error(self, message: str) -> NoReturn:
        refuse(f"{self.prog}: {message}\n{self.format_usage().strip()}")


def words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        refuse(f"{line.strip()}: {error}")


def leading(line: str, help: str) -> list[str] | None:
    """Return the first word, and the rest as it was typed: QEMU has its own way with quotes.

    ``None`` if the line asked for help, and got it.
    """
    said = line.strip().split(maxsplit=1)
    if not said or said[0] in {"--help", "-h"}:
        print(help)
        return None
    if len(said) < 2:
        refuse(f"something is missing\n{help}")
    return said


def arguments(text: str) -> dict[str, Any]:
    """Return a QMP command's arguments, from JSON or from ``key=value`` words."""
    if text.startswith("{"):
        try:
            given = json.loads(text)
        except ValueError as error:
            refuse(f"%qmp: the arguments are not JSON: {error}")
        assert isinstance(given, dict)
        return given
    named: dict[str, Any] = {}
    for word in words(text):
        key, equals, value = word.partition("=")
        if not key or not equals:
            refuse(f"%qmp: {word!r} is neither key=value nor a JSON object")
        *outer, last = key.split(".")
        place = named
        for each in outer:
            place = place.setdefault(each, {})
            if not isinstance(place, dict):
                refuse(f"%qmp: {key}: {each!r} already has a value")
        place[last] = _value(value)
    return named


def _value(text: str) -> Any:
    # numbers, true, false, null, lists and objects; all else is text
    try:
        return json.loads(text)
    except ValueError:
        return text


def near(word: str, known: list[str]) -> str:
    """Return a question that names what was likely meant, or nothing."""
    alike = difflib.get_close_matches(word, known, n=3)
    return f"; did you mean {' or '.join(alike)}?" if alike else ""


def refuse(message: str) -> NoReturn:
    from IPython.core.error import UsageError

    raise UsageError(printable(message, keep="\n"))


_NAME = "a variable that holds a guest, or else the name of one that runs here"

GUEST = Parser(
    "%%guest",
    "Run the cell's body in a guest, by its /bin/sh; or one line of it, by %guest NAME COMMAND.\n"
    "Output shows as it comes.",
    "The cell fails if the last command does; begin it with `set -e` to stop at the first one\n"
    "that does. `_exit_code` has the exit status. Interrupting the cell ends what it runs. It\n"
    "waits for all that hold its output open: start a server by `server >/tmp/log 2>&1 &`.",
)
GUEST.add_argument("name", metavar="NAME", help=_NAME)
GUEST.add_argument(
    "--from", dest="label", metavar="CHECKPOINT", help="first rewind the guest to this checkpoint"
)
GUEST.add_argument(
    "--timeout", type=float, metavar="S", help="end it after so many seconds (default: never)"
)
GUEST.add_argument("--quiet", action="store_true", help="show no output")
GUEST.add_argument(
    "--no-check", action="store_true", help="a non-zero exit status is no error of the cell"
)

HMP_HELP = f"""\
%hmp NAME TEXT    send TEXT to a guest's human monitor: %hmp test info balloon
NAME is {_NAME}"""

QMP_HELP = f"""\
%qmp NAME COMMAND [JSON | KEY=VALUE …]    send a QMP command to a guest; the result is its answer
  %qmp test query-status
  %qmp test balloon value=100663296
  %qmp test device_add {{"driver": "virtio-rng-pci", "id": "rng1"}}
NAME is {_NAME}.
A VALUE that is JSON is taken as such; a dot in a KEY opens an object within."""

KVMNB_HELP = """\
%kvmnb guests                    the guests that run here
%kvmnb checkpoint cells on|off   keep the state before each cell that changes a guest; a cell
                                 that is run again is given the state which it saw first
%kvmnb checkpoint cells          whether that is on
%guest --help                    run a cell, or a line, in a guest
%hmp --help, %qmp --help         talk to QEMU's monitors"""
