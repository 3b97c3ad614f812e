"""Verbs for character devices: serial ports, consoles, channels, monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kvmnb.builder.base import Builder
from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.chardev import Private, Serial

if TYPE_CHECKING:
    from typing import Self

    from kvmnb.spec.chardev import CharBack

__all__ = ["PortVerbs"]

PRIVATE = Private()


class PortVerbs(Builder):
    """Lines between the guest and the host that carry bytes."""

    __slots__ = ()

    def serial(self, *ports: bool | CharBack | Serial) -> Self:
        """Give it these serial ports, the first of which is the console (one unless switched off).

        Parameters
        ----------
        ports : for each its back end: ``True`` or `Private` for the console, ``File(path)``,
            ``TCP(port=…)`` and so on, or a `Serial`; ``False`` alone for none
        """
        if ports == (False,):
            return self._with(serials=())
        made = []
        for port in ports or (True,):
            if port is False:
                raise SpecError("serial", port, "stands alone: no ports")
            back = Private() if port is True else port
            made.append(back if isinstance(back, Serial) else Serial(back))
        return self._with(serials=tuple(made))

    def agent(self, on: bool = True) -> Self:
        """Give it a port for the guest agent (on unless switched off)."""
        return self._with(agent=validate.switch("agent", on))

    def parallel(self, back: CharBack = PRIVATE) -> Self:
        """Add a parallel port."""
        from kvmnb.spec.ports import Parallel

        return self._with(parallels=(*self.spec.parallels, Parallel(back)))

    def console(self, back: CharBack = PRIVATE) -> Self:
        """Add a virtio console, ``hvc0`` in the guest."""
        from kvmnb.spec.ports import Console

        return self._with(consoles=(*self.spec.consoles, Console(back)))

    def channel(self, name: str, back: CharBack = PRIVATE) -> Self:
        """Add a virtio-serial port, ``/dev/virtio-ports/NAME`` in the guest."""
        from kvmnb.spec.ports import Channel

        return self._with(channels=(*self.spec.channels, Channel(name, back)))

    def monitor(self, back: CharBack = PRIVATE, *, mode: Literal["hmp", "qmp"] = "hmp") -> Self:
        """Add a monitor, besides the engine's own."""
        from kvmnb.spec.ports import Monitor

        return self._with(monitors=(*self.spec.monitors, Monitor(back, mode)))
