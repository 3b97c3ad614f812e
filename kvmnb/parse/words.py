"""A command line as its words, each with its place in the text; no shell takes part.

What bash would do by itself (quotes, escapes, continuations, comments) is done. What bash would
look up or run (variables, commands in a command, pipes, redirections) is refused by name: a text
from anywhere must not choose what happens here. What editors and web pages break on the way
(typographic quotes and dashes, no-break spaces, lost backslashes) is mended, with a note.
"""

from __future__ import annotations

import re
import shlex
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from kvmnb.parse.result import Note
from kvmnb.parse.word_quotes import (
    ASSIGNMENT,
    BROKEN_CONTINUATION,
    CONTINUATION,
    DASHES,
    NOTHINGS,
    SPACES,
    Quotes,
)
from kvmnb.spec.value import Value

__all__ = ["Word", "joined", "split"]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Word(Value):
    """One word as the program would get it, which knows where it stands.

    Parameters
    ----------
    text : without quotes and escapes
    position : index into the text that was split, in characters, of its first character
    end : index behind its last character, quotes included
    runs : ``(index into text, index into what was split)`` of each stretch that is verbatim
    quoted : whether any of it was quoted, so that bash would leave it alone
    """

    text: str
    position: int
    end: int
    runs: tuple[tuple[int, int], ...] = ()
    quoted: bool = False

    def at(self, index: int) -> int:
        """Return where the character `index` of the word stands in the text that was split."""
        if not self.runs:
            return self.position + index
        which = bisect_right(self.runs, (index, 1 << 62)) - 1
        if which < 0:
            return self.position
        begun, place = self.runs[which]
        return min(place + index - begun, max(self.end - 1, self.position))


def joined(argv: Sequence[str]) -> str:
    """Return words as a line that `split` gives back as the same words."""
    return shlex.join(argv)


def split(text: str) -> tuple[tuple[Word, ...], tuple[Note, ...]]:
    """Return the words of one command, its program first, and what was mended or left out.

    Several lines are one command where each but the last ends with a backslash, or where the
    next one begins with a dash. A prompt before it, and ``sudo``, ``env``, ``exec``, ``nohup``,
    ``time`` and assignments in front of the program are left out, each with a note.

    Raises
    ------
    ParseError   a quote is not closed; a variable, a command substitution, a pipe, a redirection
        or a second command, none of which is ever evaluated here
    """
    splitter = _Splitter(text)
    words = splitter.words()
    words = _without_prefixes(words, splitter)
    return tuple(words), tuple(sorted(splitter.notes, key=lambda note: note.position))


_BLANKS = re.compile(r"[ \t\r\f\v]+")
_PROMPT = re.compile(
    r"(?:(?:\[[^\]\n]{1,80}\][ \t]*|[\w.-]{1,40}@[\w.-]{1,80}:[^\s#$]{0,80}[ \t]?)?[$#%]|\(qemu\))"
    r"[ \t]+(?=\S)"
)


class _Splitter(Quotes):
    """The words of one text."""

    def words(self) -> list[Word]:
        if (nul := self.text.find("\0")) >= 0:
            raise self.refused(nul, "a NUL character cannot stand in a command")
        self._skip_prompt()
        found: list[Word] = []
        while self._to_word(started=bool(found)):
            found.append(self._word())
        return found

    def _skip_prompt(self) -> None:
        """Go behind a prompt, which ``#`` is when what follows is the only command there is."""
        lines = [line for line in re.finditer(r"[^\n]+", self.text) if not line.group().isspace()]
        leading = 0
        while leading < len(lines) and lines[leading].group().lstrip().startswith("#"):
            leading += 1
        if leading and _all_continue([line.group() for line in lines[leading - 1 :]]):
            leading -= 1
        if leading == len(lines):
            return
        start = lines[leading].start()
        start += len(lines[leading].group()) - len(lines[leading].group().lstrip())
        if prompt := _PROMPT.match(self.text, start):
            told = "a shell's prompt is no part of the command"
            self.note(start, prompt.group().strip(), told)
            self._place = prompt.end()

    def _to_word(self, started: bool) -> bool:
        """Go to the next word's first character; whether there is one."""
        text, fresh_line, continued = self.text, False, False
        while self._place < self._end:
            here = self._place
            character = text[here]
            if blanks := _BLANKS.match(text, here):
                self._place = blanks.end()
            elif character == "\n":
                fresh_line, self._place = True, here + 1
                self.skip_second_prompt()
            elif character == "#":
                self._place = (text.find("\n", here) + 1 or self._end + 1) - 1
            elif character in SPACES:
                self._place += 1
                self.note(here, character, "a no-break space stands for a space")
            elif character in NOTHINGS:
                self._place += 1
                self.note(here, character, "an invisible character is left out")
            elif found := CONTINUATION.match(text, here):
                self._place, continued = found.end(), True
                self.skip_second_prompt()
            elif found := BROKEN_CONTINUATION.match(text, here):
                self.mend_continuation(found)
                continued = True
            elif character == "\\" and here + 1 == self._end:
                self._place += 1
                self.note(here, "\\", "nothing follows this backslash, which is left out")
            elif character in "&;" and started and not text[here + 1 :].strip("; \t\r\n"):
                self._place = self._end
                told = "the engine starts guests in the background" if character == "&" else ""
                self.note(here, character, told or "nothing follows it", "ignored")
            else:
                if started and fresh_line and not continued:
                    self._same_command(here)
                return True
        return False

    def _same_command(self, here: int) -> None:
        if self.text[here] not in "-" + DASHES:
            raise self.refused(here, "a second command begins here; give one at a time")
        self.note(
            here,
            self.text[here : here + 24].split(None, 1)[0],
            "the line before lacks a backslash at its end",
        )

    def _word(self) -> Word:
        begun = self._place
        self._value, self._runs, self._length, self._quoted = [], [], 0, False
        if self.text[begun] in DASHES:
            self._dash(begun)
        while self._place < self._end and self.step():
            pass
        runs = tuple(self._runs)
        if runs == ((0, begun),):
            runs = ()
        return Word("".join(self._value), begun, self._place, runs, self._quoted)

    def _dash(self, here: int) -> None:
        """Mend an option's dash; which one it was, its name's length tells."""
        rest = here + 1
        while rest < self._end and self.text[rest] in DASHES + "-":
            rest += 1
        name = re.compile(r"[A-Za-z0-9_]*").match(self.text, rest)
        if name is None or not name.group():
            return
        dashes = "-" if len(name.group()) == 1 else "--"
        self.take(dashes, here)
        self._place = rest
        self.note(here, self.text[here:rest], f"a typographic dash stands for {dashes}")


def _all_continue(lines: list[str]) -> bool:
    """Whether every line after the first belongs to it."""
    continued = False
    for number, line in enumerate(lines):
        stripped = line.strip()
        if number and stripped and not continued and stripped[0] not in "-#>" + DASHES:
            return False
        continued = stripped.endswith("\\")
    return True


_PREFIXES = {
    "sudo": "the engine asks for no other user's rights",
    "doas": "the engine asks for no other user's rights",
    "env": "the engine gives the guest's process its environment",
    "exec": "the engine starts the process",
    "nohup": "a guest outlives the notebook anyway",
    "time": "the engine keeps the times",
    "nice": "the guest's process has the usual priority",
    "ionice": "the guest's process has the usual priority",
    "numactl": "the guest's process runs on any of the host's nodes",
    "taskset": "the guest's process runs on any of the host's processors",
    "setsid": "a guest outlives the notebook anyway",
}
_PREFIX_VALUES = {
    "sudo": ("-u", "-g", "-h", "-p"),
    "doas": ("-u",),
    "env": ("-u", "-C"),
    "nice": ("-n",),
    "ionice": ("-c", "-n"),
    "numactl": ("-N", "-m", "-C", "-i", "-p"),
    "taskset": ("-c",),
}
"""Their options that take a value."""


def _without_prefixes(words: list[Word], splitter: _Splitter) -> list[Word]:
    index = 0
    while index < len(words):
        word = words[index]
        name = word.text.rpartition("/")[2]
        if ASSIGNMENT.match(word.text) and index + 1 < len(words):
            told = "the engine gives the guest's process its environment"
            splitter.note(word.position, word.text, told, "ignored")
        elif name in _PREFIXES and index + 1 < len(words):
            splitter.note(word.position, word.text, _PREFIXES[name], "ignored")
            while index + 2 < len(words) and words[index + 1].text.startswith("-"):
                index += 2 if words[index + 1].text in _PREFIX_VALUES.get(name, ()) else 1
        else:
            break
        index += 1
    return words[index:]
