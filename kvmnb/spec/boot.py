"""What the guest starts from."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["Boot"]

LETTERS = "abcdn"
"""QEMU's boot letters: floppies a and b, disk c, CD-ROM d, network n (QEMU manual, -boot)."""

TIMEOUT_LIMIT_MS = 65535
"""The most that the firmware's 16 bits hold (QEMU manual, -boot splash-time)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Boot(Value):
    """What the guest starts from, as QEMU's ``-boot`` and ``-kernel`` have it.

    With nothing given, a catalogue image that brings a kernel starts it directly, and any
    other guest starts from firmware in the firmware's own order.

    Parameters
    ----------
    order, once : letters out of ``abcdn``: always, or for the first start only
    menu : the firmware shows its boot menu
    menu_timeout_ms : how long the menu waits
    strict : try only what is named, nothing after it
    splash : a picture that the firmware shows
    kernel, initrd, append : a kernel that QEMU itself loads, and its command line
    dtb : a device tree for that kernel
    location : an install tree whose kernel is loaded for the first start (virt-install's
        ``--location``): a folder, an ISO, or a URL
    """

    order: str = ""
    once: str = ""
    menu: bool = False
    menu_timeout_ms: int | None = None
    strict: bool = False
    splash: str | None = None
    kernel: str | None = None
    initrd: str | None = None
    append: str = ""
    dtb: str | None = None
    location: str | None = None

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
        validate.switch("boot.strict", self.strict)
        if self.menu_timeout_ms is not None:
            validate.positive("boot.menu_timeout", self.menu_timeout_ms, TIMEOUT_LIMIT_MS)
        for field in ("kernel", "initrd", "splash", "dtb", "location"):
            if getattr(self, field) is not None:
                validate.path(f"boot.{field}", getattr(self, field))
        validate.text("boot.append", self.append)
        if self.kernel is not None and self.location is not None:
            raise SpecError("boot.kernel", self.kernel, "the location brings its own kernel")
        if self.kernel is None and (self.initrd is not None or self.dtb is not None):
            raise SpecError("boot.kernel", None, "initrd and dtb need a kernel")
        if self.kernel is None and self.location is None and self.append:
            raise SpecError("boot.kernel", None, "append needs a kernel")

    @property
    def from_firmware(self) -> bool:
        """Whether the spec asks for a start through the firmware."""
        return bool(self.order or self.once or self.menu or self.strict or self.splash)
