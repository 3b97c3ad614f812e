"""The notebook SDK for KVM: describe a guest in one line, run it, watch it live.

::

    from kvmnb import Host

    guest = Host().vm("test").mem(128).smp(2).disk("tiny").nic("virtio").start()
    guest.run("uname -r").stdout
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing it from typing costs 10 ms
if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from kvmnb.errors import (
        CommandError,
        ConnectError,
        EngineError,
        GuestLost,
        GuestTimeout,
        HostError,
        ImageError,
        KvmnbError,
        ParseError,
        SpecError,
        StartError,
        StateError,
        Unsupported,
    )
    from kvmnb.guest import Guest
    from kvmnb.host import Host
    from kvmnb.spec.boot import Boot
    from kvmnb.spec.charbacks import TCP, UDP, File, HostPort, Null, Pipe, SpicePort, UnixSocket
    from kvmnb.spec.chardev import Private, Serial
    from kvmnb.spec.cloud_init import CloudInit
    from kvmnb.spec.cpu import CPU
    from kvmnb.spec.devices import RNG, Balloon
    from kvmnb.spec.diskbacks import BlockDevice, FatFolder, Server, Volume
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.spec.forwards import Forward, GuestForward
    from kvmnb.spec.graphics import VNC, Video
    from kvmnb.spec.memory import Memory
    from kvmnb.spec.netbacks import (
        VDE,
        Bridge,
        Dgram,
        Direct,
        HostNIC,
        LibvirtNetwork,
        Passt,
        Socket,
        Stream,
        Tap,
        VhostUser,
    )
    from kvmnb.spec.network import NIC, User
    from kvmnb.spec.numa import NUMANode
    from kvmnb.spec.peripherals import (
        TPM,
        HostPCI,
        HostUSB,
        Input,
        Mediated,
        Share,
        Sound,
        Vsock,
        Watchdog,
    )
    from kvmnb.spec.platform import Clock, ExtraXML, Firmware
    from kvmnb.spec.ports import Channel, Console, Monitor, Parallel
    from kvmnb.spec.screens import Spice, Window
    from kvmnb.spec.storage import CDROM, CatalogueImage, Disk, ExistingFile, Floppy, NewFile
    from kvmnb.vm import VM

__version__ = "0.1.0"

__all__ = [
    "Host",
    "VM",
    "Guest",
    "KvmnbError",
    "SpecError",
    "Unsupported",
    "ParseError",
    "ImageError",
    "HostError",
    "EngineError",
    "ConnectError",
    "StartError",
    "StateError",
    "CommandError",
    "GuestLost",
    "GuestTimeout",
    # the parts of a description, the front and back halves of its devices apart
    "Disk",
    "CDROM",
    "Floppy",
    "CatalogueImage",
    "ExistingFile",
    "NewFile",
    "BlockDevice",
    "Server",
    "Volume",
    "FatFolder",
    "NIC",
    "User",
    "Forward",
    "GuestForward",
    "Tap",
    "Bridge",
    "LibvirtNetwork",
    "Direct",
    "HostNIC",
    "Socket",
    "Stream",
    "Dgram",
    "VDE",
    "Passt",
    "VhostUser",
    "Serial",
    "Parallel",
    "Console",
    "Channel",
    "Monitor",
    "Private",
    "Null",
    "File",
    "Pipe",
    "HostPort",
    "TCP",
    "UDP",
    "UnixSocket",
    "SpicePort",
    "VNC",
    "Spice",
    "Window",
    "Video",
    "Input",
    "Sound",
    "Watchdog",
    "Balloon",
    "RNG",
    "TPM",
    "Share",
    "Vsock",
    "HostPCI",
    "HostUSB",
    "Mediated",
    "Memory",
    "NUMANode",
    "CPU",
    "Boot",
    "Firmware",
    "Clock",
    "CloudInit",
    "ExtraXML",
    "DomainSpec",
    "__version__",
]

# Where the names that are not in kvmnb.errors live. They are imported at their first use, so that
# `import kvmnb` costs a notebook nothing that it does not go on to use.
_homes = {"Host": "kvmnb.host", "VM": "kvmnb.vm", "Guest": "kvmnb.guest"}


def _home(name: str) -> str:
    if name in _homes or name.endswith(("Error", "Lost", "Timeout")) or name == "Unsupported":
        return _homes.get(name, "kvmnb.errors")
    from kvmnb.spec.codec import HOMES

    return f"kvmnb.spec.{HOMES[name]}"


if not TYPE_CHECKING:  # a type checker is to see the names above, and no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(_home(name)), name)
        globals()[name] = value
        return value


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%%guest``, ``%hmp``, ``%qmp`` and ``%kvmnb`` to IPython: ``%load_ext kvmnb``."""
    from kvmnb.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take no more checkpoints for cells: ``%unload_ext kvmnb``."""
    from kvmnb.magics import unload

    unload(shell)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
