"""NUMA nodes: which vCPUs are near which memory."""

from __future__ import annotations

from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.memory import MEMORY_LIMIT_MIB
from kvmnb.spec.value import Value

__all__ = ["NUMANode"]

LOCAL_DISTANCE = 10
"""How far a node is from itself (ACPI specification, SLIT)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class NUMANode(Value):
    """One node of the guest, as QEMU's ``-numa node`` has it.

    Parameters
    ----------
    memory_mib : of the guest's memory that lies here
    cpus : numbers of the vCPUs that lie here, in rising order
    distances : to each node in turn, 10 to 254; empty for the firmware's usual 10 and 20
    """

    memory_mib: int
    cpus: tuple[int, ...] = ()
    distances: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        validate.positive("numa.mem", self.memory_mib, MEMORY_LIMIT_MIB)
        for cpu in validate.numbers("numa.cpus", self.cpus, 0, 254):
            if self.cpus.count(cpu) > 1:
                raise SpecError("numa.cpus", self.cpus, f"names vCPU {cpu} twice")
        object.__setattr__(self, "cpus", tuple(sorted(self.cpus)))
        validate.numbers("numa.distances", self.distances, LOCAL_DISTANCE, 254)
