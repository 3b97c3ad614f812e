"""Virtual processors: how many, how laid out, which model."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.value import Value

__all__ = ["CPU"]

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_FEATURE = re.compile(r"[+-][A-Za-z0-9][A-Za-z0-9_.-]*|[a-z][A-Za-z0-9_-]*=[^,=]+", re.ASCII)

LIMIT = 255
"""The most vCPUs that the ``pc`` machine takes (QEMU, docs/system/i386)."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class CPU(Value):
    """The guest's processors, as QEMU's ``-smp`` and ``-cpu`` describe them.

    Parameters
    ----------
    count : vCPUs at start
    sockets, dies, cores, threads : the layout; what is ``None`` QEMU works out
    maximum : how many there may be after hot plug; ``None`` means `count`
    model : a name of ``host.cpus``; ``None`` means the host's own under KVM and QEMU's
        default under TCG
    features : what the model gets or loses: ``"+aes"``, ``"-vmx"``, or ``"phys-bits=40"``

    Raises
    ------
    SpecError   the layout does not multiply to `maximum`, or a number or a name is none
    """

    count: int = 1
    sockets: int | None = None
    dies: int | None = None
    cores: int | None = None
    threads: int | None = None
    maximum: int | None = None
    model: str | None = None
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        validate.positive("smp", self.count, LIMIT)
        for field in ("sockets", "dies", "cores", "threads", "maximum"):
            value = getattr(self, field)
            if value is not None:
                word = "maxcpus" if field == "maximum" else field
                validate.positive(f"smp.{word}", value, LIMIT)
        # QEMU's -cpu knows no quoting: what follows a comma would be a feature
        if self.model is not None and not _MODEL.fullmatch(validate.text("cpu", self.model)):
            raise SpecError("cpu", self.model, "a model's name has letters, digits, '-._' only")
        for feature in validate.texts("cpu.features", self.features):
            if not _FEATURE.fullmatch(feature):
                raise SpecError("cpu.features", feature, "write '+name', '-name' or 'name=value'")
        most = self.most
        if most < self.count:
            raise SpecError("smp.maxcpus", most, f"is below the {self.count} vCPUs at start")
        layout = (self.sockets, self.cores, self.threads)
        inner = 1 if self.dies is None else self.dies
        product = inner
        for part in layout:
            product *= part or 1
        given = "sockets x cores x threads = " + " x ".join(str(part or "?") for part in layout)
        if self.dies is not None:
            given = given.replace("= ", f"x dies = {self.dies} x ", 1)
        if None not in layout and product != most:
            raise SpecError("smp", self.count, f"{given} = {product}, but it must be {most}")
        if most % product:
            raise SpecError("smp", self.count, f"{given} does not divide {most}")

    @property
    def most(self) -> int:
        """How many vCPUs there can ever be."""
        return self.count if self.maximum is None else self.maximum
