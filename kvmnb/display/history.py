"""What changed a guest, each time in the words of QMP, HMP and virsh."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kvmnb.display.code import STYLE
from kvmnb.markup import element, printable

if TYPE_CHECKING:
    import pandas

__all__ = ["History"]

WORDS = ("qmp", "hmp", "virsh")
_LINE = "var(--jp-border-color2,rgba(128,128,128,.4))"
_CELL = f"text-align:left;vertical-align:top;padding:4px 10px;border-top:1px solid {_LINE}"
_HEAD = "text-align:left;padding:4px 10px;font-weight:normal;opacity:.65"
_TABLE = (
    f"border-collapse:collapse;border:1px solid {_LINE};font-size:13px;margin:0;"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif)"
)


class History(tuple[Mapping[str, str], ...]):
    """What changed a guest, oldest first.

    Each entry has ``verb`` and ``time_s``, and the same deed as ``qmp`` (JSON for QEMU's
    monitor), ``hmp`` (a line for people in that monitor) and ``virsh`` (a line for a shell);
    ``""`` where that language has no word for it.
    """

    __slots__ = ()

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row a deed: time, verb, qmp, hmp, virsh."""
        import pandas

        rows = [[entry.get(key, "") for key in ("verb", *WORDS)] for entry in self]
        table = pandas.DataFrame(rows, columns=["verb", *WORDS])
        seconds = pandas.Series([float(entry.get("time_s", "nan")) for entry in self], dtype=float)
        table.insert(0, "time", pandas.to_datetime(seconds, unit="s", utc=True))
        return table

    def __repr__(self) -> str:
        if not self:
            return "nothing has changed it yet"
        blocks = []
        for entry in self:
            lines = [f"{_clock(entry)}  {entry.get('verb', '')}".strip()]
            lines += [f"  {word:<6}{entry.get(word, '') or '-'}" for word in WORDS]
            blocks.append("\n".join(map(printable, lines)))
        return "\n".join(blocks)

    def _repr_html_(self) -> str:
        if not self:
            return str(element("div", "nothing has changed it yet", style="opacity:.65"))
        headings = ("time", "verb", "QMP", "HMP", "virsh")
        head = element("tr", *(element("th", each, scope="col", style=_HEAD) for each in headings))
        rows = [
            element(
                "tr",
                element("td", _clock(entry), style=f"{_CELL};opacity:.65"),
                element("td", element("b", entry.get("verb", "")), style=_CELL),
                *(
                    element("td", entry.get(word, "") or "—", style=f"{_CELL};{STYLE}")
                    for word in WORDS
                ),
            )
            for entry in self
        ]
        table = element("table", element("thead", head), element("tbody", *rows), style=_TABLE)
        return str(element("div", table, class_="kvmnb-history"))


def _clock(entry: Mapping[str, str]) -> str:
    if "time_s" not in entry:
        return ""
    return time.strftime("%H:%M:%S", time.localtime(float(entry["time_s"])))
