"""A guest's memory and nodes, which ``-m``, ``-object``, ``-machine`` and ``-numa`` describe."""

from __future__ import annotations

import re
from typing import Any

from kvmnb.parse.qemu_devices import objects
from kvmnb.parse.qemu_draft import Draft, Entry, keep_property
from kvmnb.parse.qemu_options import Options

__all__ = ["settle_memory"]

_SOURCES = {
    "memory-backend-ram": "anonymous",
    "memory-backend-memfd": "memfd",
    "memory-backend-file": "file",
}


def _backend(draft: Draft, behind: Entry) -> dict[str, Any] | None:
    """Return the fields of `Memory` that a backend says, and its size; ``None`` for others."""
    options = behind.options.copy()
    kind, _, size = options.take("qom-type"), options.take("id"), options.take("size")
    if kind is None or kind.value not in _SOURCES or size is None:
        return None
    fields: dict[str, Any] = {"source": _SOURCES[kind.value]}
    for key, field in (
        *(("share", "shared"), ("prealloc", "preallocated"), ("hugetlb", "hugepages")),
        ("merge", "merged"),
    ):
        if given := options.take(key):
            fields[field] = draft.switch(given, key)
    if kind.value == "memory-backend-memfd" and "shared" not in fields:
        fields["shared"] = True
    if given := options.take("mem-path"):
        fields["path"] = given.value
    if given := options.take("hugetlbsize"):
        fields["hugepage_kib"] = draft.bytes_(given, "hugetlbsize") >> 10
    if options.items or (fields["source"] == "file") != ("path" in fields):
        return None
    fields["size"] = draft.mib(size, "size", "b")
    return fields


def settle_memory(draft: Draft) -> None:
    """Join ``-m`` with the backend that holds it, and ``-numa`` with the memory of its nodes."""
    _nodes(draft)
    given = draft.parts.get("references", {}).get("memory-backend")
    if given is None:
        return
    behind = objects(draft).get(given.value)
    fields = None if behind is None else _backend(draft, behind)
    size = draft.parts.get("memory", {}).get("size_mib", 128)
    if behind is None or fields is None or fields.pop("size") != size:
        keep_property(draft, given.key_at, "memory-backend", given.value)
        return
    behind.used = True
    draft.part("memory", behind.word.position, **fields)


def _nodes(draft: Draft) -> None:
    entries = [each for each in draft.entries if each.option == "-numa"]
    if not entries:
        return
    nodes: dict[int, dict[str, Any]] = {}
    distances: dict[int, dict[int, int]] = {}
    used, backs = list[Entry](), list[dict[str, Any]]()
    for each in entries:
        options = each.options.copy()
        kind = options.take("type")
        if kind is not None and kind.value == "node":
            fields = _node(draft, options, backs, used)
            number = options.take("nodeid")
            id_ = draft.number(number, "nodeid", 0, 127) if number is not None else len(nodes)
            if fields is None or options.items or id_ in nodes:
                return
            nodes[id_] = fields
        elif kind is not None and kind.value == "dist":
            ends = [options.take(key) for key in ("src", "dst", "val")]
            if options.items or None in ends:
                return
            src, dst, val = (draft.number(end, "dist", 0, 255) for end in ends if end)
            distances.setdefault(src, {})[dst] = val
        else:
            return
    if sorted(nodes) != list(range(len(nodes))) or any(back != backs[0] for back in backs):
        return
    _share_out(draft, nodes)
    if sum(node["memory_mib"] for node in nodes.values()) != _size(draft):
        return
    _set_nodes(draft, nodes, distances, entries[0].at)
    if backs:
        draft.part("memory", entries[0].at, **backs[0])
    for each in (*entries, *used):
        each.used = True


def _node(
    draft: Draft, options: Options, backs: list[dict[str, Any]], used: list[Entry]
) -> dict[str, Any] | None:
    cpus: list[int] = []
    for given in options.all("cpus"):
        found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", given.value, re.ASCII)
        if found is None:
            raise draft.refused(given.value_at, f"cpus={given.value[:40]!r} is no N or N-M")
        first = int(found.group(1))
        last = int(found.group(2) or first)
        if last < first or last > 254:
            raise draft.refused(given.value_at, "cpus are 0 to 254, the smaller one first")
        cpus.extend(range(first, last + 1))
    fields: dict[str, Any] = {"cpus": tuple(cpus)}
    memdev, mem = options.take("memdev"), options.take("mem")
    if memdev is not None:
        behind = objects(draft).get(memdev.value)
        back = None if behind is None else _backend(draft, behind)
        if behind is None or back is None:
            return None
        fields["memory_mib"] = back.pop("size")
        backs.append(back)
        used.append(behind)
    elif mem is not None:
        fields["memory_mib"] = draft.mib(mem, "mem")
        told = "mem= is gone from boards since QEMU 5.1; a node names a memory-backend-ram today"
        draft.note(mem.key_at, f"mem={mem.value}", "removed", told)
    return fields


def _size(draft: Draft) -> int:
    size: int = draft.parts.get("memory", {}).get("size_mib", 128)
    return size


def _share_out(draft: Draft, nodes: dict[int, dict[str, Any]]) -> None:
    """Give nodes without memory their share, as QEMU did until 5.2."""
    if any("memory_mib" in node for node in nodes.values()):
        for node in nodes.values():
            node.setdefault("memory_mib", 0)
        return
    share = _size(draft) // len(nodes)
    for index, node in nodes.items():
        last = index == len(nodes) - 1
        node["memory_mib"] = _size(draft) - share * (len(nodes) - 1) if last else share


def _set_nodes(
    draft: Draft, nodes: dict[int, dict[str, Any]], distances: dict[int, dict[int, int]], at: int
) -> None:
    from kvmnb.spec.numa import NUMANode

    for index in range(len(nodes)):
        to = distances.get(index, {})
        ways = tuple(to.get(other, 10 if other == index else 20) for other in range(len(nodes)))
        draft.add("numa", draft.made(at, NUMANode, **nodes[index], distances=ways if to else ()))
