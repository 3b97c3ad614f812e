"""What every engine offers: the seam between `Guest` and what runs it.

`Guest` holds a `GuestControl` and knows nothing else of the engine. All coroutines here run on
the portal's loop. A verb that an engine cannot do raises `Unsupported` by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from kvmnb.images.qemu_img.answers import Snapshot
    from kvmnb.spec.domain import DomainSpec

__all__ = [
    "GuestControl",
    "Engine",
    "Checkpoint",
    "Completed",
    "Output",
    "Event",
    "GuestInfo",
    "HostInfo",
    "Reading",
    "Sample",
    "State",
    "Step",
    "Progress",
    "Wait",
]

Wait = Literal["agent", "running"]
"""What a start waits for: until the guest answers commands, or only until its CPUs run."""

State = Literal["starting", "running", "paused", "shutdown", "crashed", "lost"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured number, with its unit. What a source cannot give has no reading.

    Parameters
    ----------
    metric : dotted name, such as ``"balloon.actual"``; the list is in docs/metrics.md
    device : which device or thread it belongs to (``"net0"``, ``"vcpu1"``), or ``""``
    value : the number
    unit : ``"B"``, ``"s"``, ``"count"`` (all three may be cumulative), ``"%"``
    """

    metric: str
    device: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Sample:
    """All readings of one guest at one moment.

    Parameters
    ----------
    guest : its name
    time_s : seconds since the epoch, taken in the middle of the readings
    state : the guest's state then
    readings : what could be read
    """

    guest: str
    time_s: float
    state: State
    readings: tuple[Reading, ...]

    def get(self, metric: str, device: str = "") -> float | None:
        """Return one reading's value, or ``None`` where its source gave none."""
        for reading in self.readings:
            if reading.metric == metric and reading.device == device:
                return reading.value
        return None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a guest.

    Parameters
    ----------
    guest : its name
    time_s : seconds since the epoch, as the engine told it
    kind : our word: ``"balloon"``, ``"paused"``, ``"resumed"``, ``"reset"``, ``"shutdown"``,
        ``"powerdown"``, ``"ended"``, ``"lost"``, or the engine's own word in lower case
    detail : what came with it
    """

    guest: str
    time_s: float
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended in the guest.

    Parameters
    ----------
    args : the command, as given
    returncode : its exit status; negative for the signal that ended it
    stdout, stderr : what it wrote, decoded as UTF-8 with replacement
    stdout_bytes, stderr_bytes : the same, as it came
    """

    args: str | tuple[str, ...]
    returncode: int
    stdout_bytes: bytes = b""
    stderr_bytes: bytes = b""

    @property
    def stdout(self) -> str:
        return self.stdout_bytes.decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self.stderr_bytes.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A piece of what a command in the guest writes while it runs.

    Parameters
    ----------
    stream : where it wrote it
    data : as it came: a character of several bytes may be split between two pieces
    """

    stream: Literal["stdout", "stderr"]
    data: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One step of long work, for whoever shows progress.

    Parameters
    ----------
    what : a few words, such as ``"kernel starts"``
    done, total : how far, in any unit; ``total`` is ``None`` while unknown
    detail : the newest line of the guest's console, or a speed
    """

    what: str
    done: float = 0.0
    total: float | None = None
    detail: str = ""


Progress = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state of a guest that it can be put back to: its memory, its devices and its disks.

    Parameters
    ----------
    id : 16 hexadecimal digits
    guest : the name of the guest that it was taken of
    label : what somebody called it
    created_s : seconds since the epoch
    parent : the id of the checkpoint that the guest came from then; ``None`` for a root
    size_bytes : what it takes on the host's disk
    pause_s : how long the guest stood still for it, in seconds
    cell : the id of the notebook cell that took it; ``None`` outside of a notebook
    kept : it outlives its guest
    """

    id: str
    guest: str
    label: str
    created_s: float
    parent: str | None = None
    size_bytes: int = 0
    pause_s: float = 0.0
    cell: str | None = None
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestInfo:
    """What is known of a guest without asking it: the content of its record on disk.

    Parameters
    ----------
    name, spec, engine : who it is, what was asked, who runs it
    pid : its process; ``None`` until there is one
    accel, accel_reason : ``"kvm"`` or ``"tcg"``, and why that one
    command : the argv that runs it
    run_dir : its run folder
    created_s : seconds since the epoch
    keep_s : how long it outlives its last owner, in seconds; ``None`` for ever
    macs : of its NICs, in order
    """

    name: str
    spec: DomainSpec
    engine: str
    pid: int | None
    accel: Literal["kvm", "tcg"]
    accel_reason: str
    command: tuple[str, ...]
    run_dir: str
    created_s: float
    keep_s: float | None
    macs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostInfo:
    """What is known of a host's engine without asking anybody; ``None`` where nothing is yet.

    Parameters
    ----------
    engine : who runs the guests
    binary, version : of QEMU
    accel, accel_reason : what ``accel("auto")`` means here, and why
    """

    engine: str
    binary: str | None = None
    version: str | None = None
    accel: Literal["kvm", "tcg"] | None = None
    accel_reason: str = ""


class GuestControl(Protocol):
    """The verbs of one running guest."""

    @property
    def info(self) -> GuestInfo: ...
    @property
    def state(self) -> State:
        """The last known state; never asks."""
        ...

    @property
    def state_age_s(self) -> float | None:
        """How long ago the state was confirmed; ``None`` while every change is heard of."""
        ...

    @property
    def history(self) -> tuple[Mapping[str, str], ...]:
        """What changed the guest, newest last: keys ``verb``, ``qmp``, ``hmp``, ``virsh``."""
        ...

    async def refresh(self) -> State: ...
    async def run(
        self,
        command: str | tuple[str, ...],
        *,
        stdin: bytes | None,
        timeout_s: float | None,
    ) -> Completed: ...
    def stream(
        self, command: str | tuple[str, ...], *, timeout_s: float | None
    ) -> AsyncIterator[Output | Completed]:
        """Run a command; yield what it writes as it comes, and last of all how it ended.

        The command ends with the iterator, if that is closed or cancelled before.
        """
        ...

    async def put(self, data: AsyncIterator[bytes], path: str) -> int: ...
    def get(self, path: str) -> AsyncIterator[bytes]: ...
    async def shutdown(self, timeout_s: float | None) -> None: ...
    async def destroy(self) -> None: ...
    async def reboot(self, timeout_s: float | None) -> None: ...
    async def reset(self) -> None: ...
    async def suspend(self) -> None: ...
    async def resume(self) -> None: ...
    async def wait(self, state: State, timeout_s: float | None) -> None: ...
    async def balloon(self, memory_mib: int) -> None: ...
    async def hmp(self, text: str) -> str: ...
    async def qmp(self, command: str, arguments: Mapping[str, Any]) -> Any: ...
    async def tell(self, command: str, arguments: Mapping[str, Any]) -> Any:
        """Send a command that somebody wrote, and remember it if it does more than ask."""
        ...

    async def vnc_password(self, text: str, expires_s: int | None) -> None: ...
    async def screenshot(self) -> bytes: ...
    async def sendkey(self, keys: tuple[str, ...], hold_ms: int) -> None: ...
    async def console_text(self, lines: int) -> str: ...
    async def sample(self) -> Sample: ...
    def events(self) -> AsyncIterator[Event]:
        """Events from now on; ends when the guest is gone."""
        ...

    async def checkpoint(self, label: str, *, cell: str | None, keep: bool) -> Checkpoint:
        """Keep the state as it is now; the guest stands still for a moment and goes on."""
        ...

    async def rewind(self, checkpoint: str) -> None:
        """Put the guest back to the state with this id."""
        ...

    async def drop(self, checkpoint: str) -> None:
        """Forget the checkpoint with this id; those taken after it stay."""
        ...

    def checkpoints(self) -> tuple[tuple[Checkpoint, ...], str | None]:
        """All of this guest, oldest first, and the id of the one that it came from last."""
        ...

    async def savevm(self, name: str, progress: Progress | None) -> Snapshot:
        """Keep the state, memory and disks, within the guest's disks."""
        ...

    async def loadvm(self, name: str, progress: Progress | None) -> None:
        """Put the guest back to the snapshot of that name."""
        ...

    async def delvm(self, name: str, progress: Progress | None) -> None:
        """Forget the snapshot of that name."""
        ...

    async def snapshots(self) -> tuple[Snapshot, ...]:
        """What `loadvm` can go back to, oldest first; asks."""
        ...

    async def save(self, path: str, progress: Progress | None) -> None:
        """Write the whole state to a file, and end the guest."""
        ...

    async def fork(
        self, names: tuple[str, ...] | int, *, keep_s: float | None
    ) -> tuple[GuestControl, ...]:
        """Start running copies under these names, or so many under the next free ones."""
        ...

    async def close(self) -> None:
        """Let go of the guest without ending it."""
        ...


class Engine(Protocol):
    """What runs guests on one host."""

    name: str

    def command(self, spec: DomainSpec) -> tuple[str, ...]:
        """The exact argv, or the XML as one item, that `start` would use."""
        ...

    async def start(
        self,
        spec: DomainSpec,
        *,
        wait: Wait,
        timeout_s: float | None,
        keep_s: float | None,
        replace: bool,
        progress: Progress | None,
        warm: bool = False,
    ) -> GuestControl: ...
    async def restore(
        self, path: str, *, keep_s: float | None, progress: Progress | None
    ) -> GuestControl:
        """Start a guest again from the file that `GuestControl.save` wrote."""
        ...

    def known(self) -> HostInfo: ...
    def names(self) -> tuple[str, ...]:
        """Names of the guests that run here."""
        ...

    async def find(self, name: str) -> GuestControl | None: ...
