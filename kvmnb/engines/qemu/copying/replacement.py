"""A QEMU that is to take another one's place, until it has: its process and its monitor."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kvmnb.engines.qemu import process as processes
from kvmnb.engines.qemu.events import EventHub, translate
from kvmnb.engines.qemu.monitor import Monitor, MonitorClosed
from kvmnb.errors import GuestTimeout, StartError

if TYPE_CHECKING:
    from kvmnb.engines.qemu.children import Outliving
    from kvmnb.engines.qemu.folders import GuestFolder
    from kvmnb.engines.qemu.proc import Process

__all__ = ["Replacement"]


class Replacement:
    """Looks to `copies.load` like the guest that it will be.

    Parameters
    ----------
    name : the guest's
    folder : its run folder is the replacement's own for now
    process, popen : of its QEMU
    """

    def __init__(self, name: str, folder: GuestFolder, process: Process, popen: Outliving) -> None:
        self.name, self.folder, self._process, self.popen = name, folder, process, popen
        self.hub = EventHub()
        self.monitor = Monitor(folder.run, self._on_event)

    def _on_event(self, message: Mapping[str, Any]) -> None:
        self.hub.publish(translate(self.name, message))

    @property
    def ended(self) -> bool:
        """Whether its QEMU has ended."""
        return self.popen.poll() is not None

    async def listening(self) -> None:
        """Wait until it answers; `StartError` if it has ended instead."""
        from kvmnb.compile.qemu import MONITORS

        socket = self.folder.run / f"{MONITORS[0]}.sock"
        try:
            if await processes.wait_for_socket(socket, self.popen):
                await self.monitor.connect()
                return
        except MonitorClosed:
            pass
        raise self._error()

    def _error(self) -> StartError:
        log = processes.tail(self.folder.run / processes.LOG)
        return StartError(
            self.name,
            command=tuple(map(str, self.popen.args)),  # type: ignore[arg-type]
            exit_code=self.popen.poll(),
            log_tail=log,
            cause=log.splitlines()[-1] if log else "QEMU ended",
            remedy="the guest goes on as it was",
        )

    async def qmp(self, command: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Send one command and return what it returns."""
        try:
            return await self.monitor.execute(command, arguments)
        except MonitorClosed as error:
            raise self._error() from error
        except TimeoutError as error:
            raise GuestTimeout(self.name, 30.0, f"QEMU to answer {command}") from error

    async def close(self) -> None:
        """Let go of its monitor."""
        await self.monitor.close()
        self.hub.close()

    async def end(self) -> None:
        """End its QEMU."""
        await self.close()
        self._process.signal(signal.SIGKILL)
        await asyncio.to_thread(self.popen.wait)
