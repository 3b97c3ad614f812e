"""What follows one option of virt-install: ``key=value,…``, quoted as Python's shlex has it."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from kvmnb.parse.virt_install_draft import Draft
from kvmnb.parse.virt_install_keys import known, names
from kvmnb.parse.virt_install_options import Given

__all__ = ["OFF", "ON", "Sub", "Subs"]

ON = ("y", "yes", "1", "true", "t", "on")
OFF = ("n", "no", "0", "false", "f", "off")

_WHOLE = re.compile(r"-?(?:\d{1,18}|0[xX][0-9A-Fa-f]{1,15})", re.ASCII)
"""A number of 63 bits at most; Python reads no thousands of digits."""


class Sub(NamedTuple):
    """One sub-option: where it stands, its key, and its value if it has one."""

    position: int
    key: str
    value: str | None
    written: str


class Subs:
    """The sub-options of one option, which are taken one by one.

    Parameters
    ----------
    draft : what is read so far
    given : the option
    first : names of the values that come first without a key
    commas : keys whose value goes on behind a comma
    option : by whose list the keys are checked; the option's own name by default
    """

    def __init__(
        self,
        draft: Draft,
        given: Given,
        *first: str,
        commas: tuple[str, ...] = (),
        option: str = "",
    ) -> None:
        self.draft, self.given = draft, given
        self._option = option or given.name[2:]
        self._left = self._read(first, commas)

    def _read(self, first: tuple[str, ...], commas: tuple[str, ...]) -> list[Sub]:
        subs: list[Sub] = []
        heads = list(first)
        for position, token, written in _tokens(self.draft, self.given):
            key, sign, value = token.partition("=")
            if not sign and heads:
                subs.append(Sub(position, heads.pop(0), token, written))
                continue
            heads = []
            if (
                subs
                and subs[-1].key in commas
                and key not in commas
                and not known(self._option, key)
            ):
                last = subs.pop()
                more = f"{last.value or ''},{token}"
                subs.append(last._replace(value=more, written=f"{last.written},{written}"))
                continue
            subs.append(Sub(position, key, value if sign else None, written))
        return subs

    @property
    def position(self) -> int:
        """Where the option stands."""
        return self.given.position

    def has(self, *keys: str) -> bool:
        """Return whether one of `keys` is there still."""
        return any(sub.key in keys for sub in self._left)

    def bare(self, key: str) -> bool:
        """Return whether `key` is there still, without a value."""
        return any(sub.key == key and sub.value is None for sub in self._left)

    def sub(self, *keys: str) -> Sub | None:
        """Take the last of `keys`; what comes before it has no effect, and is noted."""
        found = [sub for sub in self._left if sub.key in keys]
        if not found:
            return None
        self._left = [sub for sub in self._left if sub.key not in keys]
        for earlier in found[:-1]:
            message = f"{found[-1].key} is said again later, which counts"
            self.draft.note(earlier.position, earlier.written, "ignored", message)
        return found[-1]

    def all(self, *keys: str) -> list[Sub]:
        """Take all of `keys`, in their order."""
        found = [sub for sub in self._left if sub.key in keys]
        self._left = [sub for sub in self._left if sub.key not in keys]
        return found

    def starting(self, prefix: str) -> list[Sub]:
        """Take all whose key starts with `prefix`, in their order."""
        found = [sub for sub in self._left if sub.key.startswith(prefix)]
        self._left = [sub for sub in self._left if not sub.key.startswith(prefix)]
        return found

    def text(self, *keys: str) -> str | None:
        """Take a value; ``None`` where it is not said."""
        sub = self.sub(*keys)
        if sub is not None and sub.value is None:
            self.draft.fail(sub.position, f"{sub.key} needs a value: {sub.key}=…")
        return None if sub is None else sub.value

    def filled(self, *keys: str) -> str | None:
        """Take a value; ``None`` where it is not said, or empty."""
        return self.text(*keys) or None

    def number(self, *keys: str) -> int | None:
        """Take a whole number."""
        sub = self.sub(*keys)
        return None if sub is None else self.whole(sub)

    def whole(self, sub: Sub) -> int:
        """Return the whole number that a sub-option's value is."""
        text = (sub.value or "").strip()
        if _WHOLE.fullmatch(text) is None:
            self.draft.fail(sub.position, f"{sub.key} must be a whole number")
        return int(text, 16 if "x" in text.lower() else 10)

    def switch(self, *keys: str) -> bool | None:
        """Take a switch: ``on off yes no …``; a key without a value is on."""
        sub = self.sub(*keys)
        if sub is None:
            return None
        word = "on" if sub.value is None else sub.value.lower()
        if word not in {*ON, *OFF}:
            self.draft.fail(sub.position, f"{sub.key} must be on or off")
        return word in ON

    def where(self, *keys: str) -> int:
        """Return where one of `keys` stands, without taking it; else where the option does."""
        for sub in self._left:
            if sub.key in keys:
                return sub.position
        return self.position

    def unread(self) -> list[Sub]:
        """Take all that is left, whatever it is called."""
        left, self._left = self._left, []
        return left

    def rest(self) -> list[Sub]:
        """Take all that is left, which must be sub-options that virt-install has.

        Raises
        ------
        ParseError   it has none of that name; a near miss is named
        """
        left = self.unread()
        for sub in left:
            if not known(self._option, sub.key):
                near = difflib.get_close_matches(sub.key[:40], names(self._option), n=1)
                hint = f"; did you mean {near[0]}?" if near else f"; see --{self._option}=?"
                self.draft.fail(sub.position, f"--{self._option} has no {sub.key[:40]!r}{hint}")
        return left

    def rest_has_timers(self) -> bool:
        """Return whether a clock's timers are among what is left."""
        return any("timer" in sub.key or "_" in sub.key for sub in self._left)

    def keep(self, field: str) -> None:
        """Keep what is left as further sub-options of a device."""
        for sub in self.rest():
            if not self.draft.grow(field, sub.key, sub.value):
                self.draft.keep_sub(field, sub.written)
            message = f"no field of the description stands for {sub.key}; it stays as it is"
            self.draft.note(sub.position, sub.written, "kept", message)

    def keep_option(self) -> None:
        """Keep what is left as an option of its own."""
        left = self.rest()
        place = self.given.name[2:]
        words = [sub.written for sub in left if not self.draft.grow(place, sub.key, sub.value)]
        if words:
            self.draft.keep_words(self.given.name, ",".join(words))
        for sub in left:
            message = f"no field of the description stands for {sub.key}; it stays as it is"
            self.draft.note(sub.position, sub.written, "kept", message)


def _tokens(draft: Draft, given: Given) -> list[tuple[int, str, str]]:
    """Return ``(position, text, as written)`` of what stands between commas.

    A comma that is doubled, which is QEMU's way to write one and not virt-install's, is mended
    where what follows is no sub-option.
    """
    text = given.value or ""
    if not any(sign in text for sign in "'\"\\"):
        return _plain(draft, given, text)
    tokens: list[tuple[int, str, str]] = []
    value: list[str] = []
    begun, index, quote = 0, 0, ""
    while index < len(text):
        sign = text[index]
        if quote:
            if sign == quote:
                quote = ""
            elif sign == "\\" and quote == '"' and text[index + 1 : index + 2] in {'"', "\\"}:
                index += 1
                value.append(text[index])
            else:
                value.append(sign)
        elif sign in "'\"":
            quote = sign
        elif sign == "\\":
            index += 1
            if index == len(text):
                draft.fail(given.at(index - 1), "a backslash at the end quotes nothing")
            value.append(text[index])
        elif sign == ",":
            if index > begun:
                tokens.append((given.at(begun), "".join(value), text[begun:index]))
            value, begun = [], index + 1
        else:
            value.append(sign)
        index += 1
    if quote:
        draft.fail(given.at(begun), f"the quote {quote} is not closed")
    if index > begun:
        tokens.append((given.at(begun), "".join(value), text[begun:index]))
    return tokens


def _plain(draft: Draft, given: Given, text: str) -> list[tuple[int, str, str]]:
    tokens: list[tuple[int, str, str]] = []
    begun, doubled = 0, False
    for part in text.split(","):
        if not part:
            doubled = begun > 0
        elif doubled and tokens and not known(given.name[2:], part.partition("=")[0]):
            position, before, _ = tokens.pop()
            whole = f"{before},{part}"
            tokens.append((position, whole, whole.replace(",", "\\,")))
            message = "virt-install takes a comma that is quoted: 'a\\,b' or \"'a,b'\""
            draft.note(given.at(begun), ",," + part, "mended", message)
            doubled = False
        else:
            tokens.append((given.at(begun), part, part))
            doubled = False
        begun += len(part) + 1
    return tokens
