"""The kernel's modules: which are there, which could be, and how to load one."""

from __future__ import annotations

from kvmnb.doctor.root import Root

__all__ = ["how", "listed", "load"]


def how(root: Root, module: str) -> str | None:
    """Return ``loaded`` or ``built in``; ``None`` where the kernel does not have it now."""
    for line in (root.read("/proc/modules") or "").splitlines():
        if line.split(" ", 1)[0] == module:
            return "loaded"
    # a built-in one without parameters is not in /sys/module
    built_in = (listed(root, module) or "").endswith(".builtin")
    return "built in" if built_in or root.exists(f"/sys/module/{module}") else None


def listed(root: Root, module: str) -> str | None:
    """Return the file that lists a module as built into this kernel, or as one to be loaded."""
    release = root.value("/proc/sys/kernel/osrelease") or ""
    for name in ("modules.builtin", "modules.dep"):
        file = f"/lib/modules/{release}/{name}"
        for line in (root.read(file) or "").splitlines():
            path = line.partition(":")[0]
            # kernel/net/sched/sch_netem.ko.xz; files have - where the module's name has _
            stem = path.rsplit("/", 1)[-1].partition(".")[0].replace("-", "_")
            if stem == module:
                return file
    return None


def load(root: Root, module: str) -> str:
    """Return what loads a module, or what to do where this kernel has none to load."""
    if listed(root, module) is not None:
        return f"{root.sudo}modprobe {module}"
    release = root.value("/proc/sys/kernel/osrelease") or "of unknown release"
    return f"a kernel with module {module}: this one ({release}) has none here"
