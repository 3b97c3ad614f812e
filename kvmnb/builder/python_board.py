"""The board as fluent Python: memory, processors, firmware, clock, power."""

from __future__ import annotations

import keyword
from collections.abc import Iterator

from kvmnb.builder.python_words import Call, Job, Writer, call, changed, mib, same, size
from kvmnb.spec.boot import Boot
from kvmnb.spec.cpu import CPU
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.memory import Memory

# -- the board ------------------------------------------------------------------------------


def memory(job: Job) -> Iterator[Call]:
    memory = job.spec.memory
    keys = changed(memory, Memory(), **same("slots", "path", "shared", "locked"))
    keys |= changed(memory, Memory(), prealloc="preallocated", merge="merged")
    if memory.maximum_mib is not None:
        keys["maxmem"] = mib(memory.maximum_mib)
    if memory.current_mib is not None:
        keys["current"] = mib(memory.current_mib)
    if memory.hugepages:
        kib = memory.hugepage_kib
        keys["hugepages"] = True if kib is None else size(kib << 10)
    elif memory.source == "memfd":
        keys["memfd"] = True
    yield call("mem", mib(memory.size_mib), **keys)


def cpu(job: Job) -> Iterator[Call]:
    cpu = job.spec.cpu
    layout = changed(cpu, CPU(), **same("sockets", "dies", "cores", "threads"), maxcpus="maximum")
    if cpu.count != 1 or layout:
        yield call("smp", cpu.count, **layout)
    if (cpu.model is None and cpu.features) or cpu.model in job.refused:
        yield call("replace", cpu=cpu)
    elif cpu.model is not None:
        yield call("cpu", cpu.model, *cpu.features)


def numa(job: Job) -> Iterator[Call]:
    plain = not any(node.distances for node in job.spec.numa)
    nodes = [(mib(node.memory_mib), list(node.cpus)) for node in job.spec.numa]
    yield call("numa", *(nodes if plain else job.spec.numa))


def options(field: str) -> Writer:
    """Return the writer of the board or the accelerator, with its options."""

    def write(job: Job) -> Iterator[Call]:
        word, given = getattr(job.spec, field), getattr(job.spec, f"{field}_options")
        keys = {key.replace("-", "_"): value for key, value in given}
        plain = all(key.isidentifier() and not keyword.iskeyword(key) for key in keys)
        # a keyword's underscore means a hyphen
        if word in job.refused or not plain or any("_" in key for key, _ in given):
            yield call("replace", **{field: word, f"{field}_options": given})
        else:
            yield call(field, word, **keys)

    return write


def boot(job: Job) -> Iterator[Call]:
    boot = job.spec.boot
    if job.refused.intersection(filter(None, (boot.kernel, boot.initrd, boot.splash, boot.dtb))):
        yield call("replace", boot=boot)
        return
    keys = changed(
        boot,
        Boot(),
        **same("once", "menu", "menu_timeout_ms", "strict", "splash", "kernel", "initrd"),
        **same("append", "dtb", "location"),
    )
    yield call("boot", *((boot.order,) if boot.order else ()), **keys)


def firmware(job: Job) -> Iterator[Call]:
    firmware = job.spec.firmware
    if firmware is None or job.refused.intersection(
        filter(None, (firmware.code, firmware.variables))
    ):
        yield call("replace", firmware=firmware)
        return
    keys = changed(firmware, type(firmware)(kind=firmware.kind), **same("code", "variables"))
    keys |= changed(firmware, type(firmware)(kind=firmware.kind), **same("secure"))
    yield call("firmware", firmware.kind, **keys)


def clock(job: Job) -> Iterator[Call]:
    if job.spec.clock is None:
        yield call("clock")
        return
    plain = type(job.spec.clock)()
    keys = changed(job.spec.clock, plain, **same("source", "driftfix", "pit", "hpet"))
    yield call("clock", *((job.spec.clock.base,) if job.spec.clock.base != "utc" else ()), **keys)


def power(job: Job) -> Iterator[Call]:
    base = DomainSpec(name="x")
    words = {"poweroff": "on_poweroff", "reboot": "on_reboot", "crash": "on_crash"}
    yield call(
        "power",
        **changed(job.spec, base, **words, **same("suspend_to_mem", "suspend_to_disk", "acpi")),
    )


def about(job: Job) -> Iterator[Call]:
    words = changed(job.spec, DomainSpec(name="x"), **same("title", "description"))
    yield call("about", **words)
