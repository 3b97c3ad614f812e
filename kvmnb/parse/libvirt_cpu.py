"""The processors and NUMA nodes of a domain XML."""

from __future__ import annotations

from typing import Any

from kvmnb.compile.libvirt_tree import Node
from kvmnb.parse.libvirt_reading import Keep, Reading
from kvmnb.spec.cpu import CPU
from kvmnb.spec.numa import NUMANode

__all__ = ["cpu"]


def cpu(
    reading: Reading, root: Node, kind: str, arch: str, layout: Node | None
) -> tuple[CPU, tuple[NUMANode, ...]]:
    """Return the guest's processors and its NUMA nodes."""
    given: dict[str, Any] = {}
    count = root.child("vcpu")
    if count is not None:
        most, now = reading.number(count), reading.number(count, "current")
        given = {"count": most} if now is None else {"count": now, "maximum": most}
        if count.peek("placement") == "static":
            count.take("placement")
    node = root.child("cpu")
    nodes: tuple[NUMANode, ...] = ()
    if node is not None:
        given |= _model(reading, node)
        topology = node.child("topology")
        if topology is not None:
            for part in ("sockets", "dies", "cores", "threads"):
                given[part] = reading.number(topology, part)
        given["features"] = tuple(_features(reading, node))
        numa = next(iter(node.all("numa")), None)
        if numa is not None:
            nodes = _numa(reading, numa)
        reading.section("cpu", node)
    if layout is not None:
        for part in ("sockets", "cores", "threads"):
            given[part] = reading.number(layout, part)
    if given.get("model") is None and kind == "kvm":
        given["model"] = {"x86_64": "qemu64", "i386": "qemu32"}.get(arch, "host")
        where = root if node is None else node
        reading.note(where, "default", f"no CPU is named: libvirt's is {given['model']}")
    with reading.checked(root if count is None else count):
        return CPU(**given), nodes


def _model(reading: Reading, node: Node) -> dict[str, Any]:
    mode = node.take("mode")
    named = node.child("model")
    model = None if named is None else named.text.strip() or None
    if named is not None and named.take("fallback") == "forbid" and mode != "host-model":
        reading.once(named, "the CPU that is named is the guest's, and no other one")
    if node.peek("match") == "exact":
        node.take("match")
    if node.take("check") in {"partial", "full"}:
        reading.once(node, "the CPU is not checked again before the start")
    if node.peek("migratable") == "on":
        node.take("migratable")
    match mode:
        case "host-passthrough":
            return {"model": "host"}
        case "maximum":
            return {"model": "max"}
        case "host-model":
            return {"model": "host-model"}
        case "custom" | None:
            return {"model": model}
        case _:
            known = ("custom", "host-model", "host-passthrough", "maximum")
            return reading.unknown(node, "mode", mode, known)


def _features(reading: Reading, node: Node) -> list[str]:
    found = []
    others = frozenset({"force", "optional", "forbid"})
    for feature in node.all("feature"):
        name = feature.peek("name")
        if name is None:
            reading.fail(feature, "<feature> needs name='…'")
        try:
            sign = reading.choice(feature, "policy", {"require": "+", "disable": "-"}, others)
        except Keep:
            feature.taken.clear()
            continue
        feature.take("name")
        feature.visited = True
        found.append(f"{sign or '+'}{name}")
    return found


def _numa(reading: Reading, numa: Node) -> tuple[NUMANode, ...]:
    if any(each.tag != "cell" for each in numa.children):
        return ()
    cells = []
    for number, cell in enumerate(numa.children):
        if set(cell.attributes) - {"id", "cpus", "memory", "unit"}:
            return ()
        if cell.peek("id") not in {None, str(number)}:
            return ()
        if any(each.tag != "distances" for each in cell.children):
            return ()
        cpus = _ranges(reading, cell)
        size = reading.mebibytes(cell, attribute="memory")
        distances: dict[int, int] = {}
        for sibling in (each for group in cell.children for each in group.all("sibling")):
            distances[reading.needed(sibling, "id")] = reading.needed(sibling, "value")
        given = _distances(distances, number, len(numa.children))
        with reading.checked(cell):
            cells.append(NUMANode(memory_mib=size, cpus=cpus, distances=given))
    numa.drop()
    return tuple(cells)


def _distances(said: dict[int, int], own: int, count: int) -> tuple[int, ...]:
    if not said:
        return ()
    last = max(*said, count - 1) if max(said) < 255 else count - 1
    # 10 and 20 are what the firmware says of itself (ACPI specification, SLIT)
    return tuple(said.get(node, 10 if node == own else 20) for node in range(last + 1))


def _ranges(reading: Reading, cell: Node) -> tuple[int, ...]:
    text = cell.take("cpus")
    numbers: set[int] = set()
    for part in (text or "").split(",")[:512]:
        if not part:
            continue
        low, dash, high = part.partition("-")
        if not (low.isascii() and low.isdecimal() and (not dash or high.isdecimal())):
            reading.fail(cell, f"{part[:40]!r} is no vCPU and no range of them", "cpus")
        first, last = int(low[:6]), int((high if dash else low)[:6])
        if last > 254 or first > last:
            reading.fail(cell, f"{part[:40]!r} is no range of vCPUs from 0 to 254", "cpus")
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))
