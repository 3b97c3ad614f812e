"""VM: a guest as it is asked for, verb by verb."""

from __future__ import annotations

import dataclasses
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from kvmnb.builder.board import BoardVerbs
from kvmnb.builder.network import NetworkVerbs
from kvmnb.builder.peripherals import PeripheralVerbs
from kvmnb.builder.ports import PortVerbs
from kvmnb.builder.screens import ScreenVerbs
from kvmnb.builder.storage import StorageVerbs
from kvmnb.portal import verb
from kvmnb.spec import validate
from kvmnb.spec.domain import DomainSpec
from kvmnb.units import FOREVER, Duration, duration_s

if TYPE_CHECKING:
    from kvmnb.builder.base import HostLike
    from kvmnb.display.code import Code
    from kvmnb.display.command import Command, VirtInstall
    from kvmnb.display.diff import VMDiff
    from kvmnb.display.layers import LayersView
    from kvmnb.display.xml import XML
    from kvmnb.engines.base import Wait
    from kvmnb.explain.layers import Layers
    from kvmnb.guest import Guest
    from kvmnb.parse.result import Note

__all__ = ["VM"]


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class VM(BoardVerbs, StorageVerbs, NetworkVerbs, PortVerbs, ScreenVerbs, PeripheralVerbs):
    """A guest as it is asked for.

    Every verb returns a new VM and leaves this one as it was, so that one VM can be the
    template of many. Wrong values are refused by the verb that got them.

    Examples
    --------
    >>> vm = Host().vm("test").mem(128).smp(2).disk("tiny").nic("virtio")
    >>> guest = vm.start()

    Parameters
    ----------
    spec : what is asked
    host : where
    notes : what a reader should know of the text that it was read from; ``()`` where there was
        none
    """

    spec: DomainSpec
    host: HostLike
    notes: tuple[Note, ...] = dataclasses.field(default=(), compare=False)

    @property
    def name(self) -> str:
        """The guest's name."""
        return self.spec.name

    # -- what it means ------------------------------------------------------------------

    def command(self) -> Command:
        """The exact QEMU command that `start` executes."""
        from kvmnb.compile.targets import expressible
        from kvmnb.display.command import Command

        left_out = expressible(self.spec, "qemu")[1]
        return Command(self.host.engine.command(self.spec), left_out, self._layers)

    def xml(self) -> XML:
        """The libvirt domain XML of this guest, as ``virsh define`` takes it.

        Raises
        ------
        Unsupported   libvirt has no element for a field
        """
        from kvmnb.compile.libvirt import compile_libvirt
        from kvmnb.compile.targets import expressible
        from kvmnb.display.xml import XML

        told, left_out = expressible(self.spec, "libvirt")
        runtime = self.host.engine.runtime(self.spec)
        return XML(compile_libvirt(told, runtime), left_out, self._layers)

    def virt_install(self) -> VirtInstall:
        """The virt-install line that makes this guest with libvirt.

        Raises
        ------
        Unsupported   virt-install has no option for a field
        """
        from kvmnb.compile.targets import expressible
        from kvmnb.compile.virt_install import compile_virt_install
        from kvmnb.display.command import VirtInstall

        told, left_out = expressible(self.spec, "virt-install")
        runtime = self.host.engine.runtime(self.spec)
        return VirtInstall(compile_virt_install(told, runtime), left_out, self._layers)

    def layers(self) -> LayersView:
        """The QEMU command, the domain XML and the virt-install line side by side, part by part.

        What one of the three has no words for stands in its place, by name and with a hint.
        """
        from kvmnb.display.layers import LayersView

        return LayersView(self._layers())

    def diff(self, other: VM) -> VMDiff:
        """Which fields `other` has otherwise, and what that means in each of the three languages.

        Parameters
        ----------
        other : a guest as it is asked for, of this host or another
        """
        from kvmnb.display.diff import VMDiff

        validate.kind("diff.other", other, VM)
        return VMDiff(self._layers(), other._layers())

    def _layers(self) -> Layers:
        from kvmnb.explain.layers import layers

        return layers(self.spec, self.host.engine.runtime(self.spec))

    def python(self) -> Code:
        """The fluent Python that describes this guest again, defaults left out."""
        from kvmnb.builder.python import python
        from kvmnb.builder.refused import refused
        from kvmnb.display.code import Code

        return Code(python(self.spec, refused(self.spec, self.host)))

    # -- run it -------------------------------------------------------------------------

    @verb
    def start(
        self,
        *,
        wait: Wait = "agent",
        timeout_s: float | None = None,
        keep: Duration | None = None,
        replace: bool = False,
        warm: bool | None = None,
    ) -> Coroutine[Any, Any, Guest]:
        """Start the guest and return it once it answers commands.

        A guest of this name that runs already with the same spec is returned as it is.

        Parameters
        ----------
        wait : ``"agent"`` until it answers commands, ``"running"`` until its CPUs run
        timeout_s : for the wait; by default 60 s under KVM and six times that under TCG
        keep : how long it outlives its last owner: ``900``, ``"15 min"``, ``0``, ``"forever"``
        replace : end a running guest of this name that has another spec
        warm : restore it from a template, in a fraction of a second; the first time it boots,
            and is kept as one. ``None`` as its `Host` has it. A guest that cannot be kept boots.

        Raises
        ------
        SpecError    one of the values above is wrong
        StartError   it did not start; the error has the command, the logs and a likely cause
        StateError   a guest of this name runs with another spec
        HostError    the host lacks something
        """
        from kvmnb.display.progress import progress

        validate.choice("start.wait", wait, ("agent", "running"))
        validate.switch("start.replace", replace)
        warm = validate.switch("start.warm", self.host.warm if warm is None else warm)
        if timeout_s is not None:
            timeout_s = duration_s(timeout_s, "start.timeout_s")
        keep = self.host.keep if keep is None else keep
        keep_s = None if keep == FOREVER else duration_s(keep, "start.keep")
        # made here, in the caller's thread, so that it shows in the caller's cell
        shown = progress(f"start {self.name}")
        return self._start(wait, timeout_s, keep_s, replace, warm, shown)

    async def _start(
        self,
        wait: Wait,
        timeout_s: float | None,
        keep_s: float | None,
        replace: bool,
        warm: bool,
        shown: Any,
    ) -> Guest:
        from kvmnb.guest import Guest

        with shown as report:
            control = await self.host.engine.start(
                self.spec,
                wait=wait,
                timeout_s=timeout_s,
                keep_s=keep_s,
                replace=replace,
                progress=report,
                warm=warm,
            )
        return Guest(control)

    # -- looks --------------------------------------------------------------------------

    def __repr__(self) -> str:
        from kvmnb.display.cards import vm_card

        return vm_card(self.spec).text

    def _repr_html_(self) -> str:
        from kvmnb.display.cards import vm_card

        return vm_card(self.spec).html
