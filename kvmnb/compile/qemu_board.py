"""What only some guests set of their board: firmware, clocks, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterator

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.compile.runtime import FirmwareFiles, Runtime
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.platform import Clock, Firmware

__all__ = ["board_pieces", "board_properties"]

_BARE = {"microvm", "isapc", "none"}

_OWN_BIOS = "bios-256k.bin"
"""What pc and q35 boards start with; QEMU finds it in its own folder (QEMU, hw/i386/pc_*.c)."""

_OWN_PROPERTIES = frozenset(
    {"acpi", "hpet", "mem-merge", "memory-backend", "smm", "pflash0", "pflash1", "type"}
)


def board_properties(spec: DomainSpec, runtime: Runtime) -> dict[str, Value]:
    """Return the properties of the board that firmware, clocks and sound need, and its own."""
    found: dict[str, Value] = {}
    if spec.clock is not None:
        if spec.clock.hpet is not None and spec.machine in _BARE:
            raise Unsupported("qemu", "clock.hpet", f"the board {spec.machine!r} has no HPET")
        found["hpet"] = spec.clock.hpet
    if spec.firmware is not None and spec.firmware.kind == "uefi":
        files = _uefi(spec, spec.firmware, runtime)
        found["smm"] = spec.firmware.secure or None
        found["pflash0"] = "firmware-code"
        found["pflash1"] = None if files.variables is None else "firmware-variables"
    for index, sound in enumerate(spec.sounds):
        if sound.model == "pcspk":
            if "pcspk-audiodev" in found:
                raise SpecError(f"sounds[{index}].model", "pcspk", "a board has one speaker")
            found["pcspk-audiodev"] = f"sound{index}"
    for key, value in spec.machine_options:
        if key == "smm" and (value == "on") is (found.get("smm") or value == "on"):
            # Secure Boot needs it anyway; libvirt's texts say it besides
            found["smm"] = value
            continue
        if key in _OWN_PROPERTIES or key in found:
            raise SpecError("machine_options", key, "has a field of its own, or is the compiler's")
        found[key] = value
    return found


def board_pieces(spec: DomainSpec, runtime: Runtime) -> Iterator[Piece]:
    """Yield the options for clocks, for the end of the guest, for sleep, and for firmware."""
    if spec.clock is not None:
        yield from _clock(spec.clock)
    yield from _ends(spec)
    yield from _sleeps(spec)
    if spec.firmware is not None:
        yield from _firmware(spec, spec.firmware, runtime)


def _clock(clock: Clock) -> Iterator[Piece]:
    options = Opts(None, base=clock.base, clock=clock.source, driftfix=clock.driftfix)
    yield Piece("clock", "", ("-rtc", str(options)))
    if clock.pit is not None:
        yield Piece("clock", "", ("-global", f"kvm-pit.lost_tick_policy={clock.pit}"))


_ENDS = {
    "on_poweroff": ("shutdown", {"destroy": None, "preserve": "pause"}),
    "on_reboot": ("reboot", {"restart": None, "destroy": "shutdown"}),
    "on_crash": ("panic", {"destroy": None, "preserve": "pause"}),
}
"""The events and deeds of ``-action`` (QEMU manual); what is QEMU's own way is not said."""


def _ends(spec: DomainSpec) -> Iterator[Piece]:
    for field, (event, deeds) in _ENDS.items():
        asked = getattr(spec, field)
        if asked not in deeds:
            hint = "QEMU's -action has no such deed; it has " + " and ".join(deeds)
            raise Unsupported("qemu", f"{field}={asked!r}", hint)
        deed = deeds[asked]
        if deed is not None:
            yield Piece(field, "", ("-action", f"{event}={deed}"))


def _sleeps(spec: DomainSpec) -> Iterator[Piece]:
    for field, property in {
        "suspend_to_mem": "disable_s3",
        "suspend_to_disk": "disable_s4",
    }.items():
        allowed = getattr(spec, field)
        if allowed is None:
            continue
        if spec.machine in _BARE:
            raise Unsupported("qemu", field, f"the board {spec.machine!r} has no such sleep")
        chip = "ICH9-LPC" if "q35" in spec.machine else "PIIX4_PM"
        yield Piece(field, "", ("-global", f"{chip}.{property}={0 if allowed else 1}"))


def _uefi(spec: DomainSpec, firmware: Firmware, runtime: Runtime) -> FirmwareFiles:
    if spec.machine in _BARE:
        raise Unsupported("qemu", "firmware='uefi'", f"the board {spec.machine!r} has no flash")
    if firmware.secure and "q35" not in spec.machine:
        raise Unsupported("qemu", "firmware.secure", "Secure Boot needs machine('q35')")
    own = runtime.firmware
    if firmware.code is None and own is None:
        raise Unsupported("qemu", "firmware='uefi'", "this host has none; apt install ovmf")
    variables = firmware.variables or (None if own is None else own.variables)
    return FirmwareFiles(code=firmware.code or (own.code if own else ""), variables=variables)


def _firmware(spec: DomainSpec, firmware: Firmware, runtime: Runtime) -> Iterator[Piece]:
    if firmware.kind == "bios":
        if firmware.code is None and spec.machine in _BARE:
            hint = f"the board {spec.machine!r} has its own BIOS; leave firmware out"
            raise Unsupported("qemu", "firmware='bios'", hint)
        yield Piece("firmware", "", ("-bios", firmware.code or _OWN_BIOS))
        return
    files = _uefi(spec, firmware, runtime)
    if firmware.secure:
        options = Opts(None, driver="cfi.pflash01", property="secure", value=True)
        yield Piece("firmware", "", ("-global", str(options)))
    yield from _flash("firmware-code", files.code, readonly=True)
    if files.variables is not None:
        yield from _flash("firmware-variables", files.variables, readonly=False)


def _flash(node: str, path: str, readonly: bool) -> Iterator[Piece]:
    more: dict[str, Value] = {"node-name": f"{node}-file", "read-only": readonly}
    file = Opts(None, more, driver="file", filename=path)
    yield Piece("firmware", "", ("-blockdev", str(file)))
    format = "qcow2" if path.endswith(".qcow2") else "raw"
    more = {"node-name": node, "read-only": readonly}
    flash = Opts(None, more, driver=format, file=f"{node}-file")
    yield Piece("firmware", "", ("-blockdev", str(flash)))
