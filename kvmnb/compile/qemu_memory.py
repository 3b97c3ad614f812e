"""Memory that -m alone does not give: backends, NUMA nodes, locked memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from kvmnb.compile.opts import Opts, Value
from kvmnb.compile.piece import Piece
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory

__all__ = ["memory_pieces"]

_KINDS = {
    "anonymous": "memory-backend-ram",
    "memfd": "memory-backend-memfd",
    "file": "memory-backend-file",
}


def memory_pieces(spec: DomainSpec) -> Iterator[Piece]:
    """Yield what holds the memory (``mem0``, or ``mem0 mem1 …`` of the nodes), and the nodes."""
    memory = spec.memory
    if memory.locked:
        yield Piece("memory", "", ("-overcommit", str(Opts(None, {"mem-lock": True}))))
    if not spec.numa:
        if not memory.plain:
            yield _backend(memory, "mem0", memory.size_mib)
        return
    if spec.machine in {"microvm", "isapc", "none"}:
        raise Unsupported("qemu", "numa", f"the board {spec.machine!r} has one node")
    for index, node in enumerate(spec.numa):
        yield _backend(memory, f"mem{index}", node.memory_mib)
        cpus: dict[str, Value] = {"cpus": tuple(_ranges(node.cpus))}
        options = Opts("node", {**cpus, "memdev": f"mem{index}"}, nodeid=index)
        yield Piece(f"numa[{index}]", "", ("-numa", str(options)))
    for index, node in enumerate(spec.numa):
        if node.distances and len(node.distances) != len(spec.numa):
            reason = f"names {len(node.distances)} nodes of {len(spec.numa)}"
            raise SpecError("numa.distances", node.distances, reason)
        for other, distance in enumerate(node.distances):
            options = Opts("dist", src=index, dst=other, val=distance)
            yield Piece(f"numa[{index}]", "", ("-numa", str(options)))


def _backend(memory: Memory, id: str, size_mib: int) -> Piece:
    huge = None if memory.hugepage_kib is None else f"{memory.hugepage_kib}K"
    more: dict[str, Value] = {
        "mem-path": memory.path,
        "hugetlb": memory.hugepages or None,
        "hugetlbsize": huge,
        # a memfd would be shared unless told otherwise
        "share": memory.shared,
        "prealloc": memory.preallocated or None,
    }
    backend = Opts(_KINDS[memory.source], more, id=id, size=f"{size_mib}M")
    return Piece("memory", "", ("-object", str(backend)))


def _ranges(numbers: tuple[int, ...]) -> Iterator[str]:
    for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        yield str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}"
