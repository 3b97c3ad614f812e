"""One sample of one guest, from every source that has something to say."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.engines.base import Reading, Sample
from kvmnb.engines.qemu.agent import AgentClosed
from kvmnb.errors import CommandError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["Sampling"]

AGENT_S = 0.5
"""The least time between two questions to the guest's agent: each costs the guest a wake-up
and, under TCG, about 5 ms."""

AGENT_PATIENCE_S = 1.0

PATIENCE_S = 1.0
"""How long a sample waits for QEMU, which answers in a millisecond unless it hangs."""

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")

# guest-stats of the balloon (QEMU, docs/interop/virtio-balloon-stats) → our metric and unit
_MEMORY = {
    "stat-total-memory": ("memory.total", "B"),
    "stat-free-memory": ("memory.free", "B"),
    "stat-available-memory": ("memory.available", "B"),
    "stat-disk-caches": ("memory.disk_caches", "B"),
    "stat-swap-in": ("memory.swap_in", "B"),
    "stat-swap-out": ("memory.swap_out", "B"),
    "stat-major-faults": ("memory.major_faults", "count"),
    "stat-minor-faults": ("memory.minor_faults", "count"),
}
_UNKNOWN = (1 << 64) - 1
"""What the balloon device has for a statistic that the guest does not give (all bits set)."""

_BLOCK = {
    "rd_bytes": ("disk.read_bytes", "B"),
    "wr_bytes": ("disk.write_bytes", "B"),
    "rd_operations": ("disk.read_ops", "count"),
    "wr_operations": ("disk.write_ops", "count"),
}
_NIC = {
    "rx-bytes": ("net.rx_bytes", "B"),
    "tx-bytes": ("net.tx_bytes", "B"),
    "rx-packets": ("net.rx_packets", "count"),
    "tx-packets": ("net.tx_packets", "count"),
}

Question = Coroutine[Any, Any, list[Reading]]


class Sampling:
    """Takes samples of one guest; what a source cannot give is left out."""

    def __init__(self, control: QemuControl) -> None:
        self._control = control
        self._roles: dict[str, str] = {}
        self._agent_next = 0.0
        self._first_answer: asyncio.Future[None] | None = None
        self._late: set[asyncio.Future[list[Reading]]] = set()
        pid = control.info.pid
        self._proc = f"/proc/{pid}"

    async def take(self) -> Sample:
        """Return a sample now.

        Raises
        ------
        GuestLost   QEMU is gone
        """
        control = self._control
        if control.process.exited.is_set():
            raise await control.fail()
        began = time.time()
        readings = self._process()
        if not self._late:
            questions: list[Question] = []
            if control.info.spec.balloon:
                if control.balloon_settled and control.balloon_bytes is not None:
                    readings.append(_balloon_reading(control.balloon_bytes))
                else:
                    questions.append(self._balloon())
                if control.state == "running":
                    questions.append(self._memory())
            if control.info.spec.disks or control.info.spec.cdroms:
                questions.append(self._blocks())
            if control.info.macs and control.state == "running":
                questions.append(self._nics())
            readings += await self._answers(questions)
        middle = began + (time.time() - began) / 2
        return Sample(control.info.name, middle, control.state, tuple(readings))

    async def _answers(self, questions: list[Question]) -> list[Reading]:
        """Ask all at once; what a QEMU that hangs does not answer in time is left out."""
        if not questions:
            return []
        tasks = [asyncio.ensure_future(question) for question in questions]
        for task in tasks:
            task.add_done_callback(_heard)
        _, late = await asyncio.wait(tasks, timeout=PATIENCE_S)
        for task in late:
            # no more is asked until these are answered: questions would pile up otherwise
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        errors = [error for task in tasks if task.done() and (error := task.exception())]
        if errors:
            raise errors[0]
        return [reading for task in tasks if task.done() for reading in task.result()]

    # -- from the host's /proc -----------------------------------------------------------

    def _process(self) -> list[Reading]:
        readings: list[Reading] = []
        try:
            status = _content(f"{self._proc}/status")
            threads = os.listdir(f"{self._proc}/task")
        except OSError:
            return readings
        for key, metric in ((b"\nVmRSS:", "process.rss"), (b"\nVmSwap:", "process.swap")):
            start = status.find(key)
            if start >= 0:
                kib = int(status[start + len(key) :].split(None, 1)[0])
                readings.append(Reading(metric, "", kib << 10, "B"))
        for thread in threads:
            with contextlib.suppress(OSError, ValueError, IndexError):
                role = self._roles.get(thread) or self._role(thread)
                ran_s, waited_s = self._thread_times(thread)
                readings.append(Reading("thread.time", f"{role}/{thread}", ran_s, "s"))
                if role.startswith("vcpu"):
                    readings.append(Reading("vcpu.time", role, ran_s, "s"))
                    if waited_s is not None:
                        readings.append(Reading("vcpu.wait", role, waited_s, "s"))
        return readings

    def _role(self, thread: str) -> str:
        if int(thread) == self._control.info.pid:
            self._roles[thread] = "main"
            return "main"
        name = _content(f"{self._proc}/task/{thread}/comm").decode("utf-8", "replace").strip()
        # QEMU's thread names with debug-threads=on: "CPU 0/KVM", "IO iothread0", "worker", …
        if name.startswith("CPU "):
            role = "vcpu" + name[4:].partition("/")[0]
        elif name.startswith("qemu") or name == "call_rcu":
            # the one thread that QEMU starts before it can name its threads; and every fresh
            # thread for an instant, since it bears its parent's name until it has its own
            return "rcu"
        else:
            role = name.replace("/", "_")
        self._roles[thread] = role
        return role

    def _thread_times(self, thread: str) -> tuple[float, float | None]:
        """Return seconds on a CPU, and seconds ready but waiting for one."""
        try:
            ran, waited, _ = _content(f"{self._proc}/task/{thread}/schedstat").split()
            return int(ran) / 1e9, int(waited) / 1e9
        except (FileNotFoundError, ValueError):
            fields = _content(f"{self._proc}/task/{thread}/stat").rpartition(b")")[2].split()
            return (int(fields[11]) + int(fields[12])) * _TICK_S, None

    # -- from QEMU -----------------------------------------------------------------------

    async def _balloon(self) -> list[Reading]:
        control = self._control
        with contextlib.suppress(CommandError):
            found = await control.qmp("query-balloon")
            control.balloon_bytes = int(found["actual"])
        if control.balloon_bytes is None:
            return []
        return [_balloon_reading(control.balloon_bytes)]

    async def _memory(self) -> list[Reading]:
        control = self._control
        where = {"path": "/machine/peripheral/balloon0", "property": "guest-stats"}
        try:
            found = await control.qmp("qom-get", where)
        except CommandError:
            return []
        if not found.get("last-update"):
            return []
        stats = found["stats"]
        return [
            Reading(metric, "", stats[key], unit)
            for key, (metric, unit) in _MEMORY.items()
            if stats.get(key, _UNKNOWN) not in (-1, _UNKNOWN)
        ]

    async def _blocks(self) -> list[Reading]:
        found = await self._control.qmp("query-blockstats")
        readings = []
        for block in found:
            device = _device_id(block)
            if device:
                stats = block["stats"]
                for key, (metric, unit) in _BLOCK.items():
                    readings.append(Reading(metric, device, stats[key], unit))
        return readings

    # -- from the guest ------------------------------------------------------------------

    async def _nics(self) -> list[Reading]:
        """Read the counters of user-mode NICs inside the guest: QEMU keeps none of them."""
        control = self._control
        now = time.monotonic()
        if control.agent.busy or now < self._agent_next:
            return []
        if not control.agent.answered:
            # a guest that boots, or has no agent, must not hold up the other readings
            self._first_answer = asyncio.ensure_future(self._ping())
            self._agent_next = now + 10 * AGENT_S
            return []
        self._agent_next = now + AGENT_S
        try:
            async with asyncio.timeout(AGENT_PATIENCE_S):
                found = await control.agent.execute("guest-network-get-interfaces")
        except (TimeoutError, CommandError, AgentClosed, OSError):
            self._agent_next = now + 10 * AGENT_S
            return []
        by_mac = {str(each.get("hardware-address", "")).lower(): each for each in found or ()}
        readings = []
        for index, mac in enumerate(control.info.macs):
            stats = by_mac.get(mac, {}).get("statistics") or {}
            for key, (metric, unit) in _NIC.items():
                if isinstance(stats.get(key), int):
                    readings.append(Reading(metric, f"net{index}", stats[key], unit))
        return readings

    async def _ping(self) -> None:
        with contextlib.suppress(CommandError, AgentClosed, OSError):
            await self._control.agent.execute("guest-ping")


def _device_id(block: Mapping[str, Any]) -> str:
    """Return ``disk0`` out of ``/machine/peripheral/disk0/virtio-backend``."""
    parts = str(block.get("qdev", "")).split("/")
    return parts[3] if len(parts) > 3 and parts[2] == "peripheral" else ""


def _balloon_reading(bytes_: int) -> Reading:
    return Reading("balloon.actual", "", bytes_, "B")


def _heard(task: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody may wait for any more."""
    if not task.cancelled():
        task.exception()


def _content(path: str) -> bytes:
    """Return a file of /proc, which comes whole in one read; `open` takes three times as long."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 8192)
    finally:
        os.close(file)
