"""What the guest starts from."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["Boot"]

LETTERS = "abcdn"
"""QEMU's boot letters: floppies a and b, disk c, CD-ROM d, network n (QEMU manual, -boot)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Boot(Value):
    """What the guest starts from, as QEMU's ``-boot`` and ``-kernel`` have it.

    With nothing given, a catalogue image that brings a kernel starts it directly, and any
    other guest starts from firmware in the firmware's own order.

    Parameters
    ----------
    order, once : letters out of ``abcdn``: always, or for the first start only
    menu : the firmware shows its boot menu
    kernel, initrd, append : a kernel that QEMU itself loads, and its command line
    """

    order: str = ""
    once: str = ""
    menu: bool = False
    kernel: str | None = None
    initrd: str | None = None
    append: str = ""

    def __post_init__(self) -> None:
        for field in ("order", "once"):
            letters = validate.text(f"boot.{field}", getattr(self, field))
            wrong = [letter for letter in letters if letter not in LETTERS]
            if wrong:
                raise SpecError(
                    f"boot.{field}", letters, f"{wrong[0]!r} is no boot letter; they are a b c d n"
                )
            if len(set(letters)) != len(letters):
                raise SpecError(f"boot.{field}", letters, "names a device twice")
        validate.switch("boot.menu", self.menu)
        for field in ("kernel", "initrd"):
            if getattr(self, field) is not None:
                validate.path(f"boot.{field}", getattr(self, field))
        validate.text("boot.append", self.append)
        if self.kernel is None and (self.initrd is not None or self.append):
            raise SpecError("boot.kernel", None, "initrd and append need a kernel")

    @property
    def from_firmware(self) -> bool:
        """Whether the spec asks for a start through the firmware."""
        return bool(self.order or self.once or self.menu)
