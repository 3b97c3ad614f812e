"""Guest: the handle on a running guest."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kvmnb import portal
from kvmnb.cells import before_change
from kvmnb.engines.base import Completed, Event, GuestInfo, Output, State
from kvmnb.errors import CommandError, SpecError
from kvmnb.guest_saved import GuestSaved
from kvmnb.guest_state import GuestState
from kvmnb.portal import verb
from kvmnb.units import Size, size_mib

if TYPE_CHECKING:
    from kvmnb.display.cards import Card
    from kvmnb.display.history import History
    from kvmnb.display.recording import Recording
    from kvmnb.display.screenshot import Screenshot
    from kvmnb.display.streamed import Streamed
    from kvmnb.engines.base import GuestControl
    from kvmnb.observe.rates import Rates
    from kvmnb.observe.stats import Stats
    from kvmnb.spec.domain import DomainSpec
    from kvmnb.widgets.view import GuestView

__all__ = ["Guest"]

BALLOON_LEAST_MIB = 16
"""Below this a Linux guest has nothing left to give and kills its own processes."""

CHUNK = 1 << 20


class Guest(GuestState, GuestSaved):
    """A running guest.

    Every verb blocks until it is done; ``await guest.verb.aio(…)`` is the same, awaited.
    As a context manager it ends the guest at the end of the block.
    """

    def __init__(self, control: GuestControl) -> None:
        super().__init__(control)
        self._rates: Rates | None = None

    # -- what is known ------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Its name."""
        return self._control.info.name

    @property
    def spec(self) -> DomainSpec:
        """What was asked."""
        return self._control.info.spec

    @property
    def info(self) -> GuestInfo:
        """Its record: process, accelerator and why, command, folder, MAC addresses."""
        return self._control.info

    @property
    def state(self) -> State:
        """The last known state: ``running paused shutdown crashed lost``; asks nobody."""
        return self._control.state

    @property
    def history(self) -> History:
        """What changed it, oldest first, each as QMP, HMP and virsh would say it."""
        from kvmnb.display.history import History

        return History(self._control.history)

    # -- in the guest -------------------------------------------------------------------

    @verb
    async def run(
        self,
        command: str | tuple[str, ...] | list[str],
        *,
        stdin: str | bytes | None = None,
        timeout_s: float | None = 60.0,
        check: bool = False,
    ) -> Completed:
        """Run a command in the guest and return its exit status and output.

        Parameters
        ----------
        command : text for the guest's ``/bin/sh``, or a program and its arguments
        stdin : what it reads
        timeout_s : after which it is ended; ``None`` waits for ever
        check : raise if its exit status is not 0

        Raises
        ------
        CommandError   the agent refused it, or it failed and `check` is set
        GuestTimeout   it took longer than `timeout_s`
        GuestLost      QEMU is gone; `StateError` if the guest is paused or was shut down
        """
        wanted = _command("run", command)
        data = stdin.encode() if isinstance(stdin, str) else stdin
        await before_change(self._control)
        done = await self._control.run(wanted, stdin=data, timeout_s=timeout_s)
        if check and done.returncode != 0:
            said = (done.stderr or done.stdout).strip()[-500:]
            raise CommandError(f"{command!r}", "ExitStatus", f"{done.returncode}: {said}")
        return done

    def stream(
        self,
        command: str | tuple[str, ...] | list[str],
        *,
        timeout_s: float | None = None,
    ) -> Streamed:
        """Run a command in the guest and return an iterator of what it writes, as it comes.

        ::

            with guest.stream("apt-get update") as output:
                for piece in output:
                    print(piece.stream, piece.data)
            output.returncode

        It goes on until nobody holds the command's output open any more: what is to live on in
        the guest needs another place to write to, ``server >/tmp/log 2>&1 &``. Within ``stdout``
        and within ``stderr`` the order is exact; between the two only roughly, unless the
        command joins them by ``exec 2>&1``. What was written lies in the guest's ``/tmp``, in
        nameless files, until the command has ended.

        Parameters
        ----------
        command, timeout_s : as for `run`

        Raises
        ------
        As `run` does, while the output is iterated.
        """
        from kvmnb.display.streamed import Streamed

        wanted = _command("stream", command)

        async def items() -> AsyncGenerator[Output | Completed, None]:
            await before_change(self._control)
            async with aclosing(self._control.stream(wanted, timeout_s=timeout_s)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece

        return Streamed(items())

    @verb
    async def put(self, source: bytes | str | os.PathLike[str], path: str) -> int:
        """Write a file in the guest and return its size in bytes.

        Parameters
        ----------
        source : the content as bytes, or the path of a file of this machine
        path : where in the guest
        """
        await before_change(self._control)
        return await self._control.put(_pieces(source), path)

    @verb
    async def get(self, path: str, target: str | os.PathLike[str] | None = None) -> bytes:
        """Read a file of the guest.

        Parameters
        ----------
        path : where in the guest
        target : a file of this machine to write to, all at once; nothing is returned then
        """
        if target is None:
            async with aclosing(self._control.get(path)) as pieces:  # type: ignore[type-var]
                return b"".join([piece async for piece in pieces])
        where = Path(target)
        part = where.with_name(f".{where.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("wb") as file:
                async with aclosing(self._control.get(path)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        await asyncio.to_thread(file.write, piece)
            os.replace(part, where)
        finally:
            part.unlink(missing_ok=True)
        return b""

    # -- its life -----------------------------------------------------------------------

    @verb
    async def shutdown(self, timeout_s: float | None = None) -> None:
        """Press the power button and wait until the guest has shut down.

        Parameters
        ----------
        timeout_s : how long; by default 20 s under KVM and six times that under TCG

        Raises
        ------
        GuestTimeout   the guest ignores it; `destroy` ends it all the same
        """
        await self._control.shutdown(timeout_s)

    @verb
    async def destroy(self) -> None:
        """End the guest at once, as if its plug was pulled, and remove what was made for it."""
        await self._control.destroy()

    @verb
    async def reboot(self, timeout_s: float | None = None) -> None:
        """Let the guest restart itself, and wait until it answers again."""
        await before_change(self._control)
        await self._control.reboot(timeout_s)

    @verb
    async def reset(self) -> None:
        """Press the reset button; returns at once."""
        await before_change(self._control)
        await self._control.reset()

    @verb
    async def suspend(self) -> None:
        """Stop its CPUs; memory stays as it is."""
        await before_change(self._control)
        await self._control.suspend()

    @verb
    async def resume(self) -> None:
        """Let its CPUs go on."""
        await before_change(self._control)
        await self._control.resume()

    @verb
    async def wait(self, state: State = "shutdown", timeout_s: float | None = None) -> None:
        """Wait until it is in `state`.

        Raises
        ------
        GuestTimeout   it was not within `timeout_s`
        GuestLost      it ended in another way
        """
        await self._control.wait(state, timeout_s)

    @verb
    async def refresh(self) -> State:
        """Ask for the state and return it."""
        return await self._control.refresh()

    # -- its devices --------------------------------------------------------------------

    @verb
    async def balloon(self, size: Size) -> None:
        """Ask the guest to give memory back until it holds `size`.

        Returns when the request is accepted; the guest may take seconds, or refuse. Watch
        ``stats().balloon``.

        Raises
        ------
        SpecError     `size` is below 16 MiB or above the guest's RAM
        Unsupported   the guest has no balloon device
        GuestLost     QEMU is gone
        """
        memory_mib = size_mib(size, "balloon")
        if memory_mib < BALLOON_LEAST_MIB:
            raise SpecError("balloon", size, f"below {BALLOON_LEAST_MIB} MiB no guest goes on")
        await before_change(self._control)
        await self._control.balloon(memory_mib)

    @verb
    async def hmp(self, text: str) -> str:
        """Send a line to QEMU's human monitor, such as ``info balloon``, and return its answer."""
        if not _asks(text):
            await before_change(self._control)
        return await self._control.hmp(text)

    @verb
    async def qmp(
        self, command: str, given: Mapping[str, Any] | None = None, /, **arguments: Any
    ) -> Any:
        """Send a QMP command and return what it returns.

        Parameters
        ----------
        command : as QEMU spells it: ``"query-status"``, ``"device_add"``
        given, arguments : its arguments; in keywords, ``_`` stands for ``-``

        Raises
        ------
        CommandError   QEMU refused it
        """
        keywords = {key.replace("_", "-"): value for key, value in arguments.items()}
        if not _asks(command):
            await before_change(self._control)
        return await self._control.tell(command, {**(given or {}), **keywords})

    @verb
    async def vnc_password(self, text: str, *, expires_s: int | None = None) -> None:
        """Set the password that a VNC client has to know (``change vnc password``).

        Who is connected stays so.

        Parameters
        ----------
        text : the password; VNC heeds 8 characters
        expires_s : after so many seconds it admits nobody any more; ``None`` for never

        Raises
        ------
        SpecError     it is empty, or the time is no whole number of seconds
        Unsupported   no VNC of the guest asks for a password
        """
        from kvmnb.spec import validate

        if not validate.text("vnc_password", text):
            raise SpecError("vnc_password", "", "is empty")
        if expires_s is not None:
            validate.positive("vnc_password.expires_s", expires_s, 1 << 31)
        await self._control.vnc_password(text, expires_s)

    @verb
    async def screenshot(self) -> Screenshot:
        """Take a picture of its screen, as PNG."""
        from kvmnb.display.screenshot import Screenshot

        return Screenshot(await self._control.screenshot())

    @verb
    async def sendkey(self, keys: str, *, hold_ms: int = 100) -> None:
        """Press keys together: ``"ctrl-alt-delete"``, ``"a"``, ``"f2"``; QEMU's key names."""
        names = tuple(keys.split("-")) if keys != "-" else ("minus",)
        if not all(names):
            raise SpecError("sendkey", keys, 'must be key names joined by "-": "ctrl-alt-f1"')
        await before_change(self._control)
        await self._control.sendkey(names, hold_ms)

    @verb
    async def console_text(self, lines: int = 100) -> str:
        """Return the last lines that it wrote to its serial console; quote before showing."""
        return await self._control.console_text(lines)

    # -- what happens -------------------------------------------------------------------

    @verb
    async def stats(self) -> Stats:
        """Measure it now: balloon and guest memory, vCPUs, NICs, disks, QEMU's own memory.

        From the second time on it also holds what happened per second since the time before:
        the share of a core that each vCPU used, bytes a second.
        """
        from kvmnb.observe.rates import Rates
        from kvmnb.observe.stats import Stats

        sample = await self._control.sample()
        if self._rates is None:
            self._rates = Rates()
        return Stats(sample, self._rates.update(sample))

    def record(self, hz: float = 2.0) -> Recording:
        """Return a recording, to be used as ``with guest.record(hz=2) as rec: …``."""
        from kvmnb.display.recording import Recording

        return Recording(self._control, hz=hz)

    def events(self) -> portal.Stream[Event]:
        """Return its events from now on, to be iterated in async code; ends when the guest does."""
        return portal.Stream(self._control.events)

    @contextmanager
    def listen(self) -> Iterator[Any]:
        """Give a queue of its events for as long as the block lasts, in blocking code.

        The queue (`queue.SimpleQueue`) ends with ``None`` when the guest ends.
        """
        with portal.queue(self._control.events) as events:
            yield events

    def view(self) -> GuestView:
        """Return a live view: balloon, vCPUs, network and disks, with buttons that act."""
        from kvmnb.widgets.view import GuestView

        return GuestView(self._control)

    # -- as a block, and as looked at ---------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.destroy.aio()

    def _end(self) -> None:
        self.destroy()

    def __repr__(self) -> str:
        return self._card().text

    def _repr_html_(self) -> str:
        return self._card().html

    def _card(self) -> Card:
        from kvmnb.display.cards import guest_card

        return guest_card(self._control.info, self._control.state, self._control.state_age_s)


def _command(verb: str, command: str | tuple[str, ...] | list[str]) -> str | tuple[str, ...]:
    if not command or not isinstance(command, (str, tuple, list)):
        raise SpecError(f"{verb}.command", command, "must be text, or a program and arguments")
    return command if isinstance(command, str) else tuple(map(str, command))


def _asks(text: str) -> bool:
    """Return whether a monitor's command only asks, going by the first word alone."""
    return text.lstrip().startswith(("query-", "info", "help", "?"))


async def _pieces(source: bytes | str | os.PathLike[str]) -> AsyncIterator[bytes]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        yield bytes(source)
        return
    try:
        with open(source, "rb") as file:
            while piece := await asyncio.to_thread(file.read, CHUNK):
                yield piece
    except FileNotFoundError as error:
        raise SpecError("put.source", os.fspath(source), "there is no such file") from error
