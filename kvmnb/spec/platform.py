"""What only some guests set of their board: firmware, clock, power, and text kept verbatim."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["Clock", "ExtraXML", "Firmware"]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Firmware(Value):
    """What the guest's processors run first.

    Parameters
    ----------
    kind : ``bios`` or ``uefi``
    code : its file; ``None`` for the host's own
    variables : the file that UEFI's variables are kept in; ``None`` for a private one
    secure : UEFI checks signatures (Secure Boot)
    """

    kind: Literal["bios", "uefi"] = "uefi"
    code: str | None = None
    variables: str | None = None
    secure: bool = False

    def __post_init__(self) -> None:
        validate.choice("firmware", self.kind, ("bios", "uefi"))
        validate.optional(validate.path, "firmware.code", self.code)
        validate.optional(validate.path, "firmware.variables", self.variables)
        validate.switch("firmware.secure", self.secure)
        if self.kind == "bios" and (self.variables is not None or self.secure):
            raise SpecError("firmware", "bios", "variables and Secure Boot are UEFI's")
        if self.variables is not None and self.code is None:
            raise SpecError("firmware.variables", self.variables, "goes with the code's file")


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class Clock(Value):
    """The guest's clocks, as QEMU's ``-rtc`` has them.

    Parameters
    ----------
    base : ``utc``, ``localtime``, or a date such as ``2026-01-31T12:00:00``
    source : ``host``, ``rt`` or ``vm``: which clock it follows
    driftfix : ``slew`` gives lost ticks of the RTC again, ``none`` does not
    pit : ``delay`` or ``discard`` lost ticks of the PIT under KVM; ``None`` for the default
    hpet : whether there is an HPET; ``None`` for the board's default
    """

    base: str = "utc"
    source: Literal["host", "rt", "vm"] = "host"
    driftfix: Literal["none", "slew"] = "none"
    pit: Literal["delay", "discard"] | None = None
    hpet: bool | None = None

    def __post_init__(self) -> None:
        if self.base not in {"utc", "localtime"} and not _DATE.fullmatch(
            validate.text("clock.base", self.base)
        ):
            raise SpecError("clock.base", self.base, "utc, localtime, or 2026-01-31T12:00:00")
        if len(self.base) == len("2026-01-31"):
            object.__setattr__(self, "base", f"{self.base}T00:00:00")  # which means the same
        validate.choice("clock.source", self.source, ("host", "rt", "vm"))
        validate.choice("clock.driftfix", self.driftfix, ("none", "slew"))
        if self.pit is not None:
            validate.choice("clock.pit", self.pit, ("delay", "discard"))
        validate.optional(validate.switch, "clock.hpet", self.hpet)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True, eq=False)
class ExtraXML(Value):
    """A part of a domain's XML that no field stands for, kept as it was.

    Parameters
    ----------
    parent : where it belongs: ``"domain"``, ``"devices"``, ``"os"``, ``"features"`` and so on
    xml : one element, well-formed
    """

    parent: str
    xml: str

    def __post_init__(self) -> None:
        validate.word("extra_xml.parent", self.parent.replace("/", "."))
        if not validate.text("extra_xml", self.xml).lstrip().startswith("<"):
            raise SpecError("extra_xml", self.xml, "must be an element of XML")
