"""Warm starts: a guest that was booted once is restored from a template from then on.

The first start boots the guest, lets it come to rest, takes back the memory that it does not
use, and keeps its state in the user's cache. A template is found by all that shapes the guest;
one that is damaged, or that QEMU refuses, is thrown away, and the guest boots again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Step
from kvmnb.engines.qemu.copying import copies, identity, ram, rest, stills
from kvmnb.engines.qemu.copying.capture import Captured, capture, room_again
from kvmnb.engines.qemu.copying.copyable import reason
from kvmnb.engines.qemu.templates.store import Template, key
from kvmnb.errors import HostError, KvmnbError
from kvmnb.spec.codec import encode
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import ExistingFile

if TYPE_CHECKING:
    from kvmnb.engines.base import Progress
    from kvmnb.engines.qemu.control import QemuControl
    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.plan import Plan

__all__ = ["Warm", "keep", "memory_in_a_file", "refusal", "template_key"]


def refusal(spec: DomainSpec) -> str:
    """Return why a guest described so has to be booted at each start, or ``""``."""
    if not spec.agent:
        return "only its agent can say that it is ready to be kept: agent(False)"
    if spec.paused:
        return "it starts paused"
    if spec.boot.once or spec.boot.location is not None:
        return "it starts from something else the first time: boot()"
    if spec.numa:
        return "its memory is in several parts: numa()"
    return reason(spec)


def memory_in_a_file(plan: Plan) -> Plan:
    """Return the plan with memory that can be copied while the guest runs."""
    memory = dataclasses.replace(plan.told.memory, source="memfd", shared=True)
    return dataclasses.replace(plan, told=dataclasses.replace(plan.told, memory=memory))


# -- which template ------------------------------------------------------------------------


def template_key(plan: Plan) -> str:
    """Return the key of the template for a plan: all that shapes the guest but its name."""
    spec, runtime = plan.spec, plan.runtime
    same = dataclasses.replace(
        spec, name="template", uuid=None, title=None, description=None, autostart=False
    )
    parts: dict[str, Any] = {
        "spec": encode(same),
        "qemu": [runtime.qemu, *_stamp(runtime.qemu)],
        "accel": runtime.accel,
        "files": {path: _stamp(path) for path in sorted(set(_files(plan)))},
    }
    if runtime.accel == "kvm":
        parts["cpu"] = _host_cpu()
    return key(parts)


def _files(plan: Plan) -> Iterable[str]:
    """Yield the files that the guest is made of, besides QEMU."""
    yield from (disk.base for disk in plan.new_disks if disk.base is not None)
    yield from plan.runtime.catalogue.values()
    if plan.runtime.direct_boot is not None:
        yield plan.runtime.direct_boot.kernel
        if plan.runtime.direct_boot.initrd is not None:
            yield plan.runtime.direct_boot.initrd
    if plan.runtime.firmware is not None:
        yield plan.runtime.firmware.code
    for back in plan.spec.backs:
        if isinstance(back, ExistingFile):
            yield back.path
    boot = plan.spec.boot
    yield from (path for path in (boot.kernel, boot.initrd, boot.dtb) if path is not None)


def _stamp(path: str) -> list[int]:
    """Return what changes with a file's content. Images of the catalogue are never written."""
    try:
        found = os.stat(path)
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns, found.st_ino]


def _host_cpu() -> list[str]:
    """Return the host's processor, on which a guest under KVM depends."""
    wanted = ("vendor_id", "cpu family", "model", "stepping", "microcode", "flags")
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        first = file.read().partition("\n\n")[0]
    return sorted(line for line in first.splitlines() if line.startswith(wanted))


# -- the first time ------------------------------------------------------------------------


async def keep(
    engine: QemuEngine, control: QemuControl, name: str, progress: Progress | None
) -> None:
    """Keep a guest that has just booted as a template; it goes on, whatever becomes of that.

    Parameters
    ----------
    name : the template's key
    """
    try:
        if progress is not None:
            progress(Step("comes to rest"))
        await rest.settled(control)
        if progress is not None:
            progress(Step("is kept for later starts"))
        state = await capture(control)
    except KvmnbError:
        return  # it has booted, which is what was asked
    try:
        await asyncio.to_thread(_write, engine, control, name, state)
    except (OSError, HostError):
        await room_again(control, ran=state.running)
        return  # no room for a template: it will boot again the next time
    finally:
        state.close()


def _write(engine: QemuEngine, control: QemuControl, name: str, state: Captured) -> None:
    with engine.templates.put(name) as draft:
        told = stills.write(state, draft.folder)
        draft.commit(
            {
                "name": control.info.name,
                "macs": list(control.info.macs),
                "reseeds": bool(control.reseeds),
                "state": told,
                "created_s": time.time(),
            }
        )


# -- from then on ---------------------------------------------------------------------------


class Warm:
    """A start from a template: its memory is filled while QEMU starts.

    Parameters
    ----------
    engine : whose templates
    plan : as if the guest were to be booted
    template : held open until `close`

    Attributes
    ----------
    plan : for the QEMU that takes the template's state
    state : of which the memory is filled meanwhile
    filled : done when it is, and all has been found whole
    """

    def __init__(self, engine: QemuEngine, plan: Plan, template: Template) -> None:
        self._engine, self._template = engine, template
        self._name = plan.spec.name
        told = template.manifest["state"]
        firmware = template.folder / stills.FIRMWARE
        self.state = Captured(
            ram=ram.create(plan.spec.memory.size_mib << 20),
            devices=os.memfd_create(stills.DEVICES, os.MFD_CLOEXEC),
            layers={int(index): tuple(names) for index, names in told["layers"].items()},
            blanks={
                int(index): (template.folder / f"{stills.BLANK}{index}").read_bytes()
                for index in told["layers"]
            },
            folder=str(template.folder),
            firmware=firmware.read_bytes() if firmware.exists() else None,
            running=True,
            time_s=float(told["time_s"]),
            pause_s=0.0,
        )
        os.ftruncate(self.state.devices, template.files[stills.DEVICES].size_bytes)
        self.plan = copies.as_copy(plan, self.state, self.state.ram, shared=True)
        self.filled = asyncio.ensure_future(asyncio.to_thread(self._fill))

    @classmethod
    async def find(cls, engine: QemuEngine, plan: Plan, name: str) -> Warm | None:
        """Return a start from the template with this key; ``None`` where there is no whole one."""
        template = await asyncio.to_thread(engine.templates.get, name)
        if template is None:
            return None
        try:
            return cls(engine, plan, template)
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            template.close()
            engine.templates.discard(template.key, str(error))
            return None

    def _fill(self) -> None:
        assert self.state.ram is not None
        self._template.copy_into(stills.DEVICES, self.state.devices)
        for name in self._template.files.keys() - {stills.DEVICES, stills.RAM}:
            self._template.verify(name)
        self._template.copy_into(stills.RAM, self.state.ram)

    @property
    def reseeds(self) -> bool:
        """Whether the guest's kernel hears by itself that it was copied."""
        return bool(self._template.manifest["reseeds"])

    @property
    def origin(self) -> tuple[str | None, tuple[str, ...]]:
        """The name of the guest that was kept, ``None`` if it is this one; its MAC addresses."""
        name, before = self._template.manifest["name"], self._template.manifest["macs"]
        macs = tuple(map(str, before))
        same = name == self._name and macs == self.plan.runtime.macs
        return None if same else str(name), macs

    async def finish(self, control: QemuControl) -> bool:
        """Bring the QEMU that was started by `plan` to where the template was, and let it go on.

        Returns
        -------
        whether it did; if not, the template is discarded, and the QEMU has ended
        """
        try:
            await self._restore(control)
        except (KvmnbError, KeyError, TypeError, ValueError, OSError) as error:
            await asyncio.shield(control.destroy())
            await self.close(discard=str(error).partition("\n")[0])
            return False
        except BaseException:
            await asyncio.shield(control.destroy())
            await self.close()
            raise
        await self.close()
        return True

    async def _restore(self, control: QemuControl) -> None:
        await self._engine.listening(control, self.plan)
        await self.filled
        parent, before = self.origin
        await copies.load(control, self.state, announce=parent is None)
        if parent is not None:
            await identity.plug(control, up=False)
        await identity.attach(control)
        await control.qmp("cont")
        await control.refresh()
        control.reseeds = self.reseeds
        await identity.settle(control, parent=parent, before=before)

    async def close(self, *, discard: str = "") -> None:
        """Let go of the template.

        Parameters
        ----------
        discard : why it is of no use any more
        """
        with contextlib.suppress(KvmnbError, OSError, KeyError):
            await self.filled
        self.state.close()
        self._template.close()
        if discard:
            await asyncio.to_thread(self._engine.templates.discard, self._template.key, discard)
