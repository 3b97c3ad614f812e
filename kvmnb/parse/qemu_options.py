"""How QEMU itself reads an option's value: keys and values between commas, or JSON.

After the QEMU manual, "Invocation": a comma within a value is doubled, the first value of many
options needs no key, a key alone means ``on``, and ``{…}`` is JSON, whose nested keys are joined
by dots.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from kvmnb.errors import ParseError
from kvmnb.parse.words import Word

__all__ = ["Given", "Options", "doubled", "flat"]

DEPTH_LIMIT = 32
"""Objects within objects that JSON may have here; QEMU's own chains of images are far shorter."""


class Given(NamedTuple):
    """One key and its value, and where in the line both stand."""

    key: str
    value: str
    key_at: int
    value_at: int


class Options:
    """The keys and values of one option, taken out one after the other.

    Parameters
    ----------
    text : the whole line, for errors
    word : the option's value
    implied : the key that the first value may leave out
    """

    __slots__ = ("items", "json", "text", "word")

    def __init__(self, text: str, word: Word, implied: str | None = None) -> None:
        self.text, self.word = text, word
        self.json = word.text.startswith("{")
        if self.json:
            self.items = [Given(*pair, word.position, word.position) for pair in self._json()]
        else:
            self.items = list(_split(word, implied))
            for given in self.items:
                if not given.key:
                    raise ParseError(text, given.key_at, "a key is missing before this")

    def _json(self) -> list[tuple[str, str]]:
        try:
            value = json.loads(self.word.text)
        except json.JSONDecodeError as error:
            raise ParseError(self.text, self.word.at(error.pos), f"not JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise ParseError(self.text, self.word.position, "JSON that no QEMU reads") from None
        try:
            return list(flat(value))
        except ValueError as error:
            raise ParseError(self.text, self.word.position, str(error)) from None

    def take(self, *keys: str) -> Given | None:
        """Remove what has one of `keys`, and return the last of it, which is what counts."""
        found = [given for given in self.items if given.key in keys]
        if found:
            self.items = [given for given in self.items if given.key not in keys]
            return found[-1]
        return None

    def all(self, key: str) -> list[Given]:
        """Remove and return everything that has this key."""
        found = [given for given in self.items if given.key == key]
        if found:
            self.items = [given for given in self.items if given.key != key]
        return found

    def get(self, key: str) -> str | None:
        """Return the value of a key, which stays."""
        return next((given.value for given in reversed(self.items) if given.key == key), None)

    def copy(self) -> Options:
        """Return the same again, to be taken from."""
        other = Options.__new__(Options)
        other.text, other.word, other.json = self.text, self.word, self.json
        other.items = list(self.items)
        return other


def _split(word: Word, implied: str | None) -> Iterator[Given]:
    text, place, first = word.text, 0, True
    end = len(text)
    while place < end:
        begun = place
        while place < end and text[place] not in "=,":
            place += 1
        if place < end and text[place] == "=":
            key, value_at = text[begun:place], place + 1
            value, place = _value(text, value_at)
        elif first and implied is not None:
            key, value_at = implied, begun
            value, place = _value(text, begun)
        else:
            key, value_at, value = text[begun:place], begun, "on"
            place += 1
            if key.startswith("no") and len(key) > 2 and key[2:] in _SWITCHES:
                key, value = key[2:], "off"
        yield Given(key, value, word.at(begun), word.at(value_at))
        first = False


_SWITCHES = {"wait", "server", "delay", "telnet", "mux", "signal"}
"""Keys whose ``no…`` form people wrote, in ``server,nowait`` above all."""


def _value(text: str, place: int) -> tuple[str, int]:
    """Return the value that begins here, and where the next key begins."""
    parts = []
    while True:
        comma = text.find(",", place)
        if comma < 0:
            parts.append(text[place:])
            return "".join(parts), len(text)
        parts.append(text[place:comma])
        if text[comma + 1 : comma + 2] != ",":
            return "".join(parts), comma + 1
        parts.append(",")
        place = comma + 2


def flat(value: Any) -> Iterator[tuple[str, str]]:
    """Yield an object's leaves, as ``("file.server.0.host", "1.2.3.4")``.

    Raises
    ------
    ValueError   it is no object, or nested beyond all use
    """
    if not isinstance(value, dict):
        raise ValueError("an object is wanted: {…}")
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        prefix, item, depth = waiting.pop()
        if depth > DEPTH_LIMIT:
            raise ValueError("nested deeper than any image is")
        pairs: list[tuple[str, Any]]
        if isinstance(item, dict):
            pairs = list(item.items())
        elif isinstance(item, list):
            pairs = [(str(index), each) for index, each in enumerate(item)]
        else:
            yield prefix, _leaf(item)
            continue
        waiting.extend(
            (f"{prefix}.{key}" if prefix else key, each, depth + 1) for key, each in reversed(pairs)
        )


def _leaf(item: Any) -> str:
    if isinstance(item, bool):
        return "on" if item else "off"
    return "" if item is None else str(item)


def doubled(value: str) -> str:
    """Return a value as it stands between commas."""
    return value.replace(",", ",,")
