"""What the doctor found, and how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from kvmnb.doctor.check import Check, Verdict
from kvmnb.markup import Html, element, join, printable

if TYPE_CHECKING:
    import pandas

__all__ = ["Report"]

SIGNS: dict[Verdict, str] = {"ok": "✓", "limited": "◐", "missing": "✗"}
"""A sign and the word beside it: neither needs its colour."""

WIDTH = 100


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """All checks, grouped: processor, KVM, QEMU, memory, storage, network, libvirt, user.

    Parameters
    ----------
    checks : in the order in which they are shown
    """

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether guests can run here at all: QEMU is there, and room for files."""
        return not self.blockers

    @property
    def blockers(self) -> tuple[Check, ...]:
        """What must be mended before any guest runs."""
        return tuple(each for each in self.checks if each.needed and each.verdict == "missing")

    def __getitem__(self, name: str) -> Check:
        """Return the check of that name: ``report["KSM"]``."""
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    @property
    def headline(self) -> str:
        """The result in one sentence."""
        if not self.ok:
            return f"no guest can run here yet: {', '.join(each.name for each in self.blockers)}"
        kvm = any(each.name == "KVM really usable" and each.verdict == "ok" for each in self.checks)
        by = "KVM" if kvm else "TCG (emulation); KVM does not work"
        count = Counter(each.verdict for each in self.checks)
        told = ", ".join(f"{count[verdict]} {verdict}" for verdict in SIGNS)
        return f"guests run here under {by}. {told}"

    def to_text(self) -> str:
        """Return the report as aligned plain text, remedies included."""
        from textwrap import wrap

        lines = [f"kvmnb doctor: {self.headline}"]
        width = max((len(each.name) for each in self.checks), default=0) + 2
        indent = " " * (13 + width)
        for group, checks in groupby(self.checks, attrgetter("group")):
            lines += ["", group]
            for check in checks:
                first, *rest = wrap(printable(check.evidence), WIDTH - len(indent)) or [""]
                sign = f"{SIGNS[check.verdict]} {check.verdict:<7}"
                lines.append(f"  {sign}  {check.name:<{width}}{first}".rstrip())
                lines += [f"{indent}{line}" for line in rest]
                # a command stays in one piece, so that it can be copied
                lines += [f"{indent}{label} {text}" for label, text in _advice(check)]
        return "\n".join(lines)

    def to_pandas(self) -> pandas.DataFrame:
        """Return one row a check."""
        import pandas

        names = [each.name for each in fields(Check)]
        return pandas.DataFrame([astuple(each) for each in self.checks], columns=names)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        rows: list[Html] = []
        for group, checks in groupby(self.checks, attrgetter("group")):
            rows.append(
                element("tr", element("th", group, colspan="3", scope="rowgroup", style=_GROUP))
            )
            rows += [_row(check) for check in checks]
        return element(
            "div",
            element("div", element("b", "kvmnb doctor"), f": {self.headline}", style=_HEADLINE),
            element("table", element("tbody", *rows), style=_TABLE),
            class_="kvmnb-doctor",
            style=_BOX,
        )


def _advice(check: Check) -> Iterator[tuple[str, str]]:
    if check.verdict != "ok":
        if check.remedy:
            yield "mend:", printable(check.remedy)
        if check.purpose:
            yield "for: ", printable(check.purpose)


def _row(check: Check) -> Html:
    word = f"{SIGNS[check.verdict]}\N{NO-BREAK SPACE}{check.verdict}"
    told: list[object] = [element("div", check.evidence)]
    if check.verdict != "ok" and check.remedy:
        command = element("code", check.remedy, style=_CODE)
        told.append(element("div", element("span", "mend ", style=_DIM), command))
    if check.verdict != "ok" and check.purpose:
        told.append(element("div", f"for {check.purpose}", style=_DIM))
    return element(
        "tr",
        element("td", element("span", word, style=_BADGE + _TINTS[check.verdict]), style=_CELL),
        element("th", check.name, scope="row", style=_NAME),
        element("td", join(told), style=_CELL + "overflow-wrap:anywhere"),
    )


# Half-transparent tints on whatever the page has behind them: light and dark themes alike.
_LINE = "1px solid rgba(128,128,128,.35)"
_BOX = "color:inherit;font-family:system-ui,sans-serif;font-size:13px;max-width:72em"
_HEADLINE = "margin:0 0 .4em;font-size:14px"
_TABLE = (
    "table-layout:auto;border-collapse:collapse;width:100%;color:inherit;background:transparent"
)
_CELL = f"text-align:left;vertical-align:top;padding:4px 10px 4px 0;border-bottom:{_LINE};"
_NAME = _CELL + "font-weight:normal;white-space:nowrap"
_GROUP = f"text-align:left;padding:12px 0 3px;border-bottom:{_LINE};text-transform:uppercase;"
_GROUP += "font-size:11px;letter-spacing:.06em;opacity:.7"
_BADGE = "white-space:nowrap;padding:1px 7px;border-radius:9px;border:1px solid currentColor;"
_TINTS: dict[Verdict, str] = {
    "ok": "background:rgba(46,160,67,.18)",
    "limited": "background:rgba(210,153,34,.22)",
    "missing": "background:rgba(218,54,51,.2)",
}
_DIM = "opacity:.7"
_CODE = "color:inherit;background:rgba(128,128,128,.16);padding:1px 4px;border-radius:3px"
