"""Looks at memory: how much guests may have, and what can be shared between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.root import Root
from kvmnb.units import GIB, KIB, MIB, human

__all__ = ["LOOKS"]

MEMINFO = "/proc/meminfo"
KSM_RUN = "/sys/kernel/mm/ksm/run"
USERFAULTFD = "/proc/sys/vm/unprivileged_userfaultfd"


def _meminfo(root: Root) -> dict[str, int]:
    """Return the fields of /proc/meminfo: bytes, and bare numbers where it counts pages."""
    fields = {}
    for line in (root.read(MEMINFO) or "").splitlines():
        name, _, rest = line.partition(":")
        number, *unit = rest.split() or ["0"]
        if number.isdigit():
            fields[name] = int(number) * (KIB if unit == ["kB"] else 1)
    return fields


def available(root: Root) -> Finding:
    """Look how much memory new guests can have without pushing others out."""
    fields = root.once(_meminfo)
    if "MemAvailable" not in fields:
        return Finding("limited", f"{MEMINFO}: no MemAvailable")
    free_bytes = fields["MemAvailable"]
    evidence = f"{MEMINFO}: MemAvailable {human(free_bytes)} of {human(fields['MemTotal'])}"
    if free_bytes >= GIB:
        return Finding("ok", evidence)
    return Finding("limited", evidence, "end what needs much memory; ps -eo rss,comm --sort=-rss")


def overcommit(root: Root) -> Finding:
    """Look whether a guest's memory counts when it is promised, or when it is touched."""
    file = "/proc/sys/vm/overcommit_memory"
    mode = root.value(file)
    if mode is None:
        return Finding("limited", f"{file} cannot be read")
    if mode != "2":
        return Finding("ok", f"{file}: {mode}")
    fields = root.once(_meminfo)
    left = human(max(0, fields.get("CommitLimit", 0) - fields.get("Committed_AS", 0)))
    return Finding(
        "limited",
        f"{file}: 2, so every guest's memory counts in full; {left} left by {MEMINFO}",
        f"{root.sudo}sysctl -w vm.overcommit_memory=0",
    )


def _limits(root: Root) -> Iterator[tuple[str, int]]:
    """Yield the files that limit this process's memory, and each one's bytes (both versions)."""
    for line in (root.read("/proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "":
            top, name = ("/sys/fs/cgroup", "memory.max")
        elif "memory" in controllers.split(","):
            top, name = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        else:
            continue
        # a container sees its own group as the top, under a path that only its host knows
        below = PurePosixPath(group.lstrip("/"))
        for folder in (below, *below.parents):
            file = str(PurePosixPath(top, folder, name))
            value = root.value(file)
            if value is not None and value.isdigit():
                yield file, int(value)


def cgroup(root: Root) -> Finding:
    """Look whether a control group gives this process less memory than the machine has."""
    total_bytes = root.once(_meminfo).get("MemTotal", 1 << 63)
    limits = [(file, bytes_) for file, bytes_ in _limits(root) if bytes_ < total_bytes]
    if not limits:
        return Finding("ok", "/proc/self/cgroup: no limit below the machine's memory")
    file, bytes_ = min(limits, key=lambda limit: limit[1])
    return Finding(
        "ok" if bytes_ >= 2 * GIB else "limited",
        f"{file}: {human(bytes_)}",
        "" if bytes_ >= 2 * GIB else "give this container, session or service more memory",
    )


def ksm(root: Root) -> Finding:
    """Look whether the kernel merges alike pages."""
    value = root.value(KSM_RUN)
    if value is None:
        return Finding("missing", f"no {KSM_RUN}", "a kernel with CONFIG_KSM")
    if value == "1":
        shared = root.value("/sys/kernel/mm/ksm/pages_sharing") or "?"
        return Finding("ok", f"{KSM_RUN}: 1; pages_sharing {shared}")
    return Finding("limited", f"{KSM_RUN}: {value} (off)", f"echo 1 | {root.sudo}tee {KSM_RUN}")


def huge_pages(root: Root) -> Finding:
    """Look for reserved huge pages."""
    fields = root.once(_meminfo)
    if "Hugepagesize" not in fields:
        return Finding("missing", f"{MEMINFO}: no Hugepagesize", "a kernel with CONFIG_HUGETLBFS")
    size_bytes, total = fields["Hugepagesize"], fields.get("HugePages_Total", 0)
    transparent = root.value("/sys/kernel/mm/transparent_hugepage/enabled") or "absent"
    evidence = f"{MEMINFO}: HugePages_Total {total} of {human(size_bytes)}"
    evidence += f", free {fields.get('HugePages_Free', 0)}; transparent ones: {transparent}"
    if total:
        return Finding("ok", evidence)
    count = 128 * MIB // size_bytes or 1
    return Finding("limited", evidence, f"{root.sudo}sysctl -w vm.nr_hugepages={count}")


def userfaultfd(root: Root) -> Finding:
    """Look whether QEMU may handle a guest's page faults, as post-copy migration needs."""
    value = root.value(USERFAULTFD)
    if value is None:
        return Finding("missing", f"no {USERFAULTFD}", "a kernel with CONFIG_USERFAULTFD")
    if value == "1" or root.uid == 0:
        who = "" if value == "1" else "; root may all the same"
        return Finding("ok", f"{USERFAULTFD}: {value}{who}")
    return Finding(
        "limited",
        f"{USERFAULTFD}: {value}",
        f"{root.sudo}sysctl -w vm.unprivileged_userfaultfd=1",
    )


LOOKS = (
    Look("available memory", available),
    Look("overcommit", overcommit, "more guests than their full sizes would allow"),
    Look("cgroup limit", cgroup),
    Look("KSM", ksm, "guests that are alike share their pages"),
    Look("huge pages", huge_pages, "backing a guest with large pages"),
    Look("userfaultfd", userfaultfd, "post-copy migration"),
)
