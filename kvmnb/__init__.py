"""The notebook SDK for KVM: describe a guest in one line, run it, watch it live.

::

    from kvmnb import Host

    guest = Host().vm("test").mem(128).smp(2).disk("tiny").nic("virtio").start()
    guest.run("uname -r").stdout
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing it from typing costs 10 ms
if TYPE_CHECKING:
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
    "__version__",
]

# Where the names that are not in kvmnb.errors live. They are imported at their first use, so that
# `import kvmnb` costs a notebook nothing that it does not go on to use.
_homes = {"Host": "kvmnb.host", "VM": "kvmnb.vm", "Guest": "kvmnb.guest"}


if not TYPE_CHECKING:  # a type checker is to see the names above, and no others

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value: object = getattr(import_module(_homes.get(name, "kvmnb.errors")), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
