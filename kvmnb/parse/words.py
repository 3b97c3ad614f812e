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

from kvmnb.errors import ParseError
from kvmnb.parse.result import Kind, Note
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


SPACES = "\u00a0\u2007\u202f\u3000\u2002\u2003\u2009"
NOTHINGS = "\u200b\u2060\ufeff"
DOUBLE_QUOTES = "“”„‟«»"
SINGLE_QUOTES = "‘’‚‛"
DASHES = "–—‒―−‐‑"

_MARKS = NOTHINGS + DOUBLE_QUOTES + SINGLE_QUOTES
_PLAIN = re.compile(rf"[^\s\"'\\$`|&;<>()#*~{_MARKS}]+")
_BLANK = " \t\r\f\v\n"
_BLANKS = re.compile(r"[ \t\r\f\v]+")
_CONTINUATION = re.compile(r"\\\r?\n")
_BROKEN_CONTINUATION = re.compile(rf"\\[ \t\r{SPACES}]+(?:\n|\Z)")
_SECOND_PROMPT = re.compile(r"[ \t]*>[ \t]+")
_EXPANSION = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-]|\{[^}\n]{0,80}\}?|\()")
_ANSI_C = re.compile(
    r"\\(?:[abeEfnrtv\\'\"?]|[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|c.)"
)
_ANSI_C_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
_PROMPT = re.compile(
    r"(?:\[[^\]\n]{1,80}\][ \t]*|[\w.-]{1,40}@[\w.-]{1,80}:[^\s#$]{0,80}[ \t]?)?[$#%][ \t]+(?=\S)"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)

_OPERATORS = {
    "|": "a pipe starts a second command",
    "||": "this starts a second command",
    "&&": "this starts a second command",
    "&": "this starts a second command; in a URL, quote it: 'http://…?a=1&b=2'",
    ";": "this starts a second command",
    "<": "a redirection, or a name to be filled in",
    ">": "a redirection, or a name to be filled in",
    "(": "this starts a second shell",
    ")": "this ends a second shell that was never begun",
}


class _Splitter:
    """Reads one text from left to right, once."""

    def __init__(self, text: str) -> None:
        self.text, self.notes = text, list[Note]()
        self._place, self._end = 0, len(text)
        self._value: list[str] = []
        self._runs: list[tuple[int, int]] = []
        self._length, self._quoted = 0, False

    def note(self, position: int, text: str, message: str, kind: Kind = "mended") -> None:
        self.notes.append(Note(position=position, text=text, kind=kind, message=message))

    def refused(self, position: int, reason: str) -> ParseError:
        return ParseError(self.text, position, reason)

    def words(self) -> list[Word]:
        if (nul := self.text.find("\0")) >= 0:
            raise self.refused(nul, "a NUL character cannot stand in a command")
        self._skip_prompt()
        found: list[Word] = []
        while self._to_word(started=bool(found)):
            found.append(self._word())
        return found

    # ---- between the words

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
                self._skip_second_prompt()
            elif character == "#":
                self._place = (text.find("\n", here) + 1 or self._end + 1) - 1
            elif character in SPACES:
                self._place += 1
                self.note(here, character, "a no-break space stands for a space")
            elif character in NOTHINGS:
                self._place += 1
                self.note(here, character, "an invisible character is left out")
            elif found := _CONTINUATION.match(text, here):
                self._place, continued = found.end(), True
                self._skip_second_prompt()
            elif found := _BROKEN_CONTINUATION.match(text, here):
                self._mend_continuation(found)
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

    def _mend_continuation(self, found: re.Match[str]) -> None:
        self._place = found.end()
        self.note(
            found.start(), "\\", "a backslash continues a line only where no space follows it"
        )
        self._skip_second_prompt()

    def _skip_second_prompt(self) -> None:
        if found := _SECOND_PROMPT.match(self.text, self._place):
            self.note(self._place, ">", "a shell's prompt is no part of the command")
            self._place = found.end()

    def _same_command(self, here: int) -> None:
        if self.text[here] not in "-" + DASHES:
            raise self.refused(here, "a second command begins here; give one at a time")
        self.note(
            here,
            self.text[here : here + 24].split(None, 1)[0],
            "the line before lacks a backslash at its end",
        )

    # ---- within a word

    def _word(self) -> Word:
        begun = self._place
        self._value, self._runs, self._length, self._quoted = [], [], 0, False
        if self.text[begun] in DASHES:
            self._dash(begun)
        while self._place < self._end and self._step():
            pass
        runs = tuple(self._runs)
        if runs == ((0, begun),):
            runs = ()
        return Word("".join(self._value), begun, self._place, runs, self._quoted)

    def _take(self, value: str, place: int) -> None:
        self._runs.append((self._length, place))
        self._value.append(value)
        self._length += len(value)

    def _dash(self, here: int) -> None:
        """Mend an option's dash; which one it was, its name's length tells."""
        rest = here + 1
        while rest < self._end and self.text[rest] in DASHES + "-":
            rest += 1
        name = re.compile(r"[A-Za-z0-9_]*").match(self.text, rest)
        if name is None or not name.group():
            return
        dashes = "-" if len(name.group()) == 1 else "--"
        self._take(dashes, here)
        self._place = rest
        self.note(here, self.text[here:rest], f"a typographic dash stands for {dashes}")

    def _step(self) -> bool:
        """Take what comes next in the word; whether the word goes on."""
        text, here = self.text, self._place
        if plain := _PLAIN.match(text, here):
            self._take(self._hyphens(plain.group(), here), here)
            self._place = plain.end()
            return True
        character = text[here]
        if character in _BLANK or character in SPACES:
            return False
        if character in _SPECIAL:
            return bool(_SPECIAL[character](self, here))
        self._take(character, here)
        self._place += 1
        return True

    def _hyphens(self, plain: str, here: int) -> str:
        if self._runs and not self._value[0].startswith("-"):
            return plain
        if (self._runs or plain.startswith("-")) and ("‐" in plain or "‑" in plain):
            self.note(here, plain, "a typographic hyphen stands for -")
            return plain.replace("‐", "-").replace("‑", "-")
        return plain

    def _nothing(self, here: int) -> bool:
        self._place += 1
        self.note(here, self.text[here], "an invisible character is left out")
        return True

    def _hash(self, here: int) -> bool:
        self._take("#", here)  # a comment begins only where a word could
        self._place += 1
        return True

    def _backslash(self, here: int) -> bool:
        if found := _CONTINUATION.match(self.text, here):
            self._place = found.end()
            self._skip_second_prompt()
            return True
        if found := _BROKEN_CONTINUATION.match(self.text, here):
            self._mend_continuation(found)
            return False
        self._place += 2
        if here + 1 == self._end:
            self._place = self._end
            self.note(here, "\\", "nothing follows this backslash, which is left out")
            return False
        self._take(self.text[here + 1], here + 1)
        self._quoted = True
        return True

    def _single(self, here: int) -> bool:
        close = self.text.find("'", here + 1)
        if close < 0:
            close = self._typographic_close(here, SINGLE_QUOTES)
        self._quoted = True
        self._take(self.text[here + 1 : close], here + 1)
        self._place = close + 1
        return True

    def _typographic_close(self, here: int, quotes: str) -> int:
        found = re.compile(f"[{quotes}]").search(self.text, here + 1)
        if found is None:
            raise self.refused(here, "this quote is never closed")
        self.note(found.start(), found.group(), f"a typographic quote closes {self.text[here]}")
        return found.start()

    def _typographic_single(self, here: int) -> bool:
        before = self.text[here - 1] if self._runs else ""
        close = re.compile(f"[{SINGLE_QUOTES}']").search(self.text, here + 1)
        if close is None or (before and before not in "=,:"):
            self._take(self.text[here], here)  # an apostrophe
            self._place += 1
            return True
        self._quoted = True
        self.note(here, self.text[here], "a typographic quote stands for '")
        self._take(self.text[here + 1 : close.start()], here + 1)
        self._place = close.end()
        return True

    def _double(self, here: int) -> bool:
        if self.text.find('"', here + 1) < 0:
            close = DOUBLE_QUOTES
            self._typographic_close(here, close)
        else:
            close = '"'
        self._within_double(here, close)
        return True

    def _typographic_double(self, here: int) -> bool:
        self.note(here, self.text[here], 'a typographic quote stands for "')
        self._within_double(here, DOUBLE_QUOTES + '"')
        return True

    def _within_double(self, here: int, close: str) -> None:
        text = self.text
        stretch = re.compile(rf"[^\\$`{close}]+")
        self._quoted = True
        self._take("", here + 1)
        self._place = here + 1
        while self._place < self._end:
            place = self._place
            if found := stretch.match(text, place):
                self._take(found.group(), place)
                self._place = found.end()
            elif text[place] in close:
                self._place += 1
                return
            elif text[place] == "\\":
                self._escape_in_double(place)
            elif text[place] == "$" and not _EXPANSION.match(text, place):
                self._take("$", place)
                self._place += 1
            else:
                self._dollar(place)
        raise self.refused(here, "this quote is never closed")

    def _escape_in_double(self, place: int) -> None:
        following = self.text[place + 1 : place + 2]
        if found := _CONTINUATION.match(self.text, place):
            self._place = found.end()
        elif following and following in '$`"\\':
            self._take(following, place + 1)
            self._place += 2
        else:
            self._take("\\", place)
            self._place += 1

    def _dollar(self, here: int) -> bool:
        text = self.text
        if text[here] == "`":
            raise self.refused(
                here, "commands in a command (`…`) are never run; write what it prints"
            )
        if text.startswith("$'", here):
            return self._ansi_c(here)
        if text.startswith('$"', here):
            self._place += 1
            return self._double(here + 1)
        found = _EXPANSION.match(text, here)
        if found is None:
            self._take("$", here)
            self._place += 1
            return True
        if found.group() == "$(":
            raise self.refused(
                here, "commands in a command, $(…), are never run; write what it prints"
            )
        raise self.refused(here, f"{found.group()} is a variable of your shell; write its value")

    def _ansi_c(self, here: int) -> bool:
        text, stretch = self.text, re.compile(r"[^\\']+")
        self._quoted = True
        self._place = here + 2
        self._take("", self._place)
        while self._place < self._end:
            place = self._place
            if found := stretch.match(text, place):
                self._take(found.group(), place)
                self._place = found.end()
            elif text[place] == "'":
                self._place += 1
                return True
            elif found := _ANSI_C.match(text, place):
                self._take(self._ansi_c_value(found.group(), place), place)
                self._place = found.end()
            else:
                self._take("\\", place)
                self._place += 1
        raise self.refused(here, "this quote is never closed")

    def _ansi_c_value(self, escape: str, place: int) -> str:
        letter, digits = escape[1], escape[2:]
        if letter in _ANSI_C_LETTERS:
            return _ANSI_C_LETTERS[letter]
        if letter == "c":
            code = ord(digits.upper()) & 0x1F
        else:
            code = int(escape[1:], 8) & 0xFF if letter.isdigit() else int(digits, 16)
        if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise self.refused(place, f"{escape} is no character that a command can hold")
        if letter in "uU" or code < 0x80:
            return chr(code)
        return bytes([code]).decode("utf-8", "surrogateescape")

    def _operator(self, here: int) -> bool:
        character = self.text[here]
        double = self.text[here : here + 2]
        if character in "&;" and not self.text[here + 1 :].strip("; \t\r\n"):
            return False  # the last thing of the command, and said there
        operator = double if double in _OPERATORS else character
        raise self.refused(here, f"{operator} is not evaluated here: {_OPERATORS[operator]}")

    def _star(self, here: int) -> bool:
        self._take("*", here)
        self._place += 1
        told = "is kept as it is; bash would put names of files in its place"
        self.note(here, "*", told, "changed")
        return True

    def _tilde(self, here: int) -> bool:
        before = "".join(self._value) if len(self._value) <= 2 else "-"
        if before == "" or _ASSIGNMENT.fullmatch(before):
            raise self.refused(
                here, "~ is your home folder, which only your shell knows; write its path"
            )
        self._take("~", here)
        self._place += 1
        return True


_SPECIAL = {
    "'": _Splitter._single,
    '"': _Splitter._double,
    "\\": _Splitter._backslash,
    "$": _Splitter._dollar,
    "`": _Splitter._dollar,
    "#": _Splitter._hash,
    "~": _Splitter._tilde,
    "*": _Splitter._star,
    **dict.fromkeys("|&;<>()", _Splitter._operator),
    **dict.fromkeys(DOUBLE_QUOTES, _Splitter._typographic_double),
    **dict.fromkeys(SINGLE_QUOTES, _Splitter._typographic_single),
    **dict.fromkeys(NOTHINGS, _Splitter._nothing),
}


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
}
_PREFIX_VALUES = {
    "sudo": ("-u", "-g", "-h", "-p"),
    "doas": ("-u",),
    "env": ("-u", "-C"),
    "nice": ("-n",),
}
"""Their options that take a value."""


def _without_prefixes(words: list[Word], splitter: _Splitter) -> list[Word]:
    index = 0
    while index < len(words):
        word = words[index]
        name = word.text.rpartition("/")[2]
        if _ASSIGNMENT.match(word.text) and index + 1 < len(words):
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
