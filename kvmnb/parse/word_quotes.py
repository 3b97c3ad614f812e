"""The inside of one word: quotes, escapes, and what bash would put in its place.

What bash would look up or run is refused by name; see `kvmnb.parse.words`.
"""

from __future__ import annotations

import re

from kvmnb.errors import ParseError
from kvmnb.parse.result import Kind, Note

__all__ = [
    *("Quotes", "ASSIGNMENT", "BROKEN_CONTINUATION", "CONTINUATION"),
    *("DASHES", "NOTHINGS", "SPACES"),
]

SPACES = "\u00a0\u2007\u202f\u3000\u2002\u2003\u2009"
NOTHINGS = "\u200b\u2060\ufeff"
DOUBLE_QUOTES = "“”„‟«»"
SINGLE_QUOTES = "‘’‚‛"
DASHES = "–—‒―−‐‑"

_MARKS = NOTHINGS + DOUBLE_QUOTES + SINGLE_QUOTES
_PLAIN = re.compile(rf"[^\s\"'\\$`|&;<>()#*~{_MARKS}]+")
_BLANK = " \t\r\f\v\n"
CONTINUATION = re.compile(r"\\\r?\n")
BROKEN_CONTINUATION = re.compile(rf"\\[ \t\r{SPACES}]+(?:\n|\Z)")
_SECOND_PROMPT = re.compile(r"[ \t]*>[ \t]+")
_EXPANSION = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-]|\{[^}\n]{0,80}\}?|\()")
_ANSI_C = re.compile(
    r"\\(?:[abeEfnrtv\\'\"?]|[0-7]{1,3}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{1,4}|U[0-9A-Fa-f]{1,8}|c.)"
)
_ANSI_C_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
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


ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)


class Quotes:
    """One text, read from left to right, once; `step` takes what comes next in a word."""

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

    def mend_continuation(self, found: re.Match[str]) -> None:
        self._place = found.end()
        self.note(
            found.start(), "\\", "a backslash continues a line only where no space follows it"
        )
        self.skip_second_prompt()

    def skip_second_prompt(self) -> None:
        if found := _SECOND_PROMPT.match(self.text, self._place):
            self.note(self._place, ">", "a shell's prompt is no part of the command")
            self._place = found.end()

    def take(self, value: str, place: int) -> None:
        self._runs.append((self._length, place))
        self._value.append(value)
        self._length += len(value)

    def step(self) -> bool:
        """Take what comes next in the word; whether the word goes on."""
        text, here = self.text, self._place
        if plain := _PLAIN.match(text, here):
            self.take(self._hyphens(plain.group(), here), here)
            self._place = plain.end()
            return True
        character = text[here]
        if character in _BLANK or character in SPACES:
            return False
        if character in _SPECIAL:
            return bool(_SPECIAL[character](self, here))
        self.take(character, here)
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
        self.take("#", here)  # a comment begins only where a word could
        self._place += 1
        return True

    def _backslash(self, here: int) -> bool:
        if found := CONTINUATION.match(self.text, here):
            self._place = found.end()
            self.skip_second_prompt()
            return True
        if found := BROKEN_CONTINUATION.match(self.text, here):
            self.mend_continuation(found)
            return False
        self._place += 2
        if here + 1 == self._end:
            self._place = self._end
            self.note(here, "\\", "nothing follows this backslash, which is left out")
            return False
        self.take(self.text[here + 1], here + 1)
        self._quoted = True
        return True

    def _single(self, here: int) -> bool:
        close = self.text.find("'", here + 1)
        if close < 0:
            close = self._typographic_close(here, SINGLE_QUOTES)
        self._quoted = True
        self.take(self.text[here + 1 : close], here + 1)
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
            self.take(self.text[here], here)  # an apostrophe
            self._place += 1
            return True
        self._quoted = True
        self.note(here, self.text[here], "a typographic quote stands for '")
        self.take(self.text[here + 1 : close.start()], here + 1)
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
        self.take("", here + 1)
        self._place = here + 1
        while self._place < self._end:
            place = self._place
            if found := stretch.match(text, place):
                self.take(found.group(), place)
                self._place = found.end()
            elif text[place] in close:
                self._place += 1
                return
            elif text[place] == "\\":
                self._escape_in_double(place)
            elif text[place] == "$" and not _EXPANSION.match(text, place):
                self.take("$", place)
                self._place += 1
            else:
                self._dollar(place)
        raise self.refused(here, "this quote is never closed")

    def _escape_in_double(self, place: int) -> None:
        following = self.text[place + 1 : place + 2]
        if found := CONTINUATION.match(self.text, place):
            self._place = found.end()
        elif following and following in '$`"\\':
            self.take(following, place + 1)
            self._place += 2
        else:
            self.take("\\", place)
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
            self.take("$", here)
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
        self.take("", self._place)
        while self._place < self._end:
            place = self._place
            if found := stretch.match(text, place):
                self.take(found.group(), place)
                self._place = found.end()
            elif text[place] == "'":
                self._place += 1
                return True
            elif found := _ANSI_C.match(text, place):
                self.take(self._ansi_c_value(found.group(), place), place)
                self._place = found.end()
            else:
                self.take("\\", place)
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
        self.take("*", here)
        self._place += 1
        told = "is kept as it is; bash would put names of files in its place"
        self.note(here, "*", told, "changed")
        return True

    def _tilde(self, here: int) -> bool:
        before = "".join(self._value) if len(self._value) <= 2 else "-"
        if before == "" or ASSIGNMENT.fullmatch(before):
            raise self.refused(
                here, "~ is your home folder, which only your shell knows; write its path"
            )
        self.take("~", here)
        self._place += 1
        return True


_SPECIAL = {
    "'": Quotes._single,
    '"': Quotes._double,
    "\\": Quotes._backslash,
    "$": Quotes._dollar,
    "`": Quotes._dollar,
    "#": Quotes._hash,
    "~": Quotes._tilde,
    "*": Quotes._star,
    **dict.fromkeys("|&;<>()", Quotes._operator),
    **dict.fromkeys(DOUBLE_QUOTES, Quotes._typographic_double),
    **dict.fromkeys(SINGLE_QUOTES, Quotes._typographic_single),
    **dict.fromkeys(NOTHINGS, Quotes._nothing),
}
