"""Network cards: the front that the guest sees, the back that carries its frames."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["NIC", "NetBack", "User"]


@dataclass(frozen=True, slots=True, repr=False)
class User(Value):
    """QEMU's built-in user-mode network (SLIRP): needs no rights, hides the guest behind NAT."""


NetBack = User


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NIC(Value):
    """A network card as the guest sees it, and the back end that carries its frames.

    Parameters
    ----------
    model : ``"virtio"`` or another word of `kvmnb.compile.qemu.NIC_MODELS`
    back : where the frames go
    mac : six octets; ``None`` lets the host derive one under 52:54:00 that no guest of its
        own bears
    """

    model: str = "virtio"
    back: NetBack = User()
    mac: str | None = None

    def __post_init__(self) -> None:
        validate.text("nic.model", self.model)
        validate.kind("nic.back", self.back, User)
        if self.mac is not None:
            object.__setattr__(self, "mac", validate.mac("nic.mac", self.mac))
