"""What a guest writes for a terminal, made fit for a notebook's cell while it comes in."""

from __future__ import annotations

import codecs
import re

from kvmnb.markup import printable

__all__ = ["Tamed"]

HELD_LIMIT = 4096
"""Characters that are kept back for the rest of an escape sequence."""

# ECMA-48: control sequences; strings (device control, system command, …), which end with ST or,
# as xterm has it, with BEL; and escapes of two or three characters. No string goes over a line's
# end here, so that one without an end swallows no more than that.
_SEQUENCE = re.compile(
    "\x1b\\[(?P<parameters>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    "|\x1b[P\\]X^_][^\x07\x1b\n]*(?:\x07|\x1b\\\\|(?=[\x1b\n]))"
    "|\x1b(?![\\[P\\]X^_])[ -/]*[0-~]"
    # and what is left of control characters: all at one go, so that no two rests make a sequence
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_BEGUN = re.compile("(?:\x1b\\[[0-?]*[ -/]*|\x1b[P\\]X^_][^\x07\x1b\n]*\x1b?|\x1b[ -/]*)\\Z")
_COLOURS = re.compile(r"[0-9;:]*\Z")


class Tamed:
    r"""Turns pieces of a guest's output into text that is safe to show.

    Colours (SGR), line ends, tabs and ``\r`` stay. All other escape sequences and control
    characters are left out: they would move the cursor, set titles, write to the clipboard.
    What turns the direction of writing is spelled out.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._coloured = False

    def feed(self, data: bytes) -> str:
        """Return what of `data`, and of what was held back, can be shown by now."""
        text = self._held + self._decoder.decode(data)
        begun = _BEGUN.search(text, max(0, len(text) - HELD_LIMIT))
        at = len(text) if begun is None else begun.start()
        text, self._held = text[:at], text[at:]
        return self._tame(text)

    def end(self) -> str:
        """Return what is left, and end all colours."""
        text = self._tame(self._held + self._decoder.decode(b"", final=True))
        self._held = ""
        return f"{text}\x1b[0m" if self._coloured else text

    def _tame(self, text: str) -> str:
        text = _SEQUENCE.sub(self._kept, text)
        # by the line: most are plain, and those cost next to nothing
        return "\n".join(printable(line, keep="\t\r\x1b") for line in text.split("\n"))

    def _kept(self, found: re.Match[str]) -> str:
        parameters = found["parameters"] or ""
        if found["final"] != "m" or found["between"] or not _COLOURS.match(parameters):
            return ""
        self._coloured = parameters.strip("0;") != ""
        return f"\x1b[{parameters}m"
