"""What qemu-img answers, as values: to read, to print, to show in a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kvmnb.images.qemu_img.line import Line
from kvmnb.markup import columns, table
from kvmnb.units import human

if TYPE_CHECKING:
    import pandas

__all__ = ["Answer", "Bench", "Check", "Info", "Measure", "Snapshot", "SnapshotList"]

Row = tuple[str, str]
STATES = ("dirty", "corrupt", "encrypted", "compressed")
Detail = str | int | bool


class Answer:
    """The base of what a call returns: a list of facts, as text and as a table."""

    __slots__ = ()

    def rows(self) -> list[Row]:
        """Return the facts as ``(what, value)``."""
        raise NotImplementedError

    def to_text(self) -> str:
        """Return the facts in two columns."""
        return columns(self.rows())

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return str(table(("", ""), self.rows()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One internal snapshot of a qcow2.

    Parameters
    ----------
    id, name : either of them names it; qemu-img looks for the id first when it applies one
    created : when, in UTC
    vm_state_bytes : of a running guest's state within it; 0 for a snapshot of the disk alone
    vm_clock_s : how long that guest had run, in seconds
    """

    id: str
    name: str
    created: datetime
    vm_state_bytes: int = 0
    vm_clock_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Info(Answer):
    """What an image's header says (``qemu-img info``).

    Parameters
    ----------
    path : the file
    format : it was read as
    size_bytes : of the disk that a guest sees
    on_disk_bytes : that the file takes on the host
    backing : the file it stands on, as its header names it; ``None`` without one
    backing_format : of that file; ``None`` where the header does not say
    backing_path : that file, from the root on; ``None`` without one
    cluster_bytes : what is allocated at a time; ``None`` for a format without clusters
    dirty : it was not closed properly
    corrupt : QEMU found it damaged and marked it so
    encrypted, compressed : whether it is, where the format knows
    snapshots : the internal ones
    children : other files of which it consists, as QEMU 8.0 and later tell
    details : what else the format has to say, as ``(name, value)``
    command : the qemu-img line of the call that returned this
    """

    path: str
    format: str
    size_bytes: int
    on_disk_bytes: int
    backing: str | None = None
    backing_format: str | None = None
    backing_path: str | None = None
    cluster_bytes: int | None = None
    dirty: bool = False
    corrupt: bool = False
    encrypted: bool = False
    compressed: bool = False
    snapshots: tuple[Snapshot, ...] = ()
    children: tuple[str, ...] = ()
    details: tuple[tuple[str, Detail], ...] = ()
    command: Line = field(default=Line(()), compare=False)

    def rows(self) -> list[Row]:
        """Return the facts as ``(what, value)``."""
        rows = [
            ("file", self.path),
            ("format", self.format),
            ("size", f"{human(self.size_bytes)} ({self.size_bytes} bytes)"),
            ("on disk", human(self.on_disk_bytes)),
        ]
        if self.cluster_bytes is not None:
            rows.append(("cluster", human(self.cluster_bytes)))
        if self.backing is not None:
            how = self.backing_format or "format unknown"
            rows.append(("stands on", f"{self.backing} ({how})"))
        if states := [name for name in STATES if getattr(self, name)]:
            rows.append(("state", ", ".join(states)))
        if self.snapshots:
            rows.append(("snapshots", ", ".join(each.name for each in self.snapshots)))
        rows += [(name, _said(value)) for name, value in self.details if name != "corrupt"]
        return rows


def _said(value: Detail) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SnapshotList(Answer):
    """The internal snapshots of an image, oldest first (``qemu-img snapshot -l``).

    Parameters
    ----------
    path : the image
    snapshots : in it
    command : the qemu-img line of the call that returned this
    """

    path: str
    snapshots: tuple[Snapshot, ...]
    command: Line = field(default=Line(()), compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The snapshots' names."""
        return tuple(each.name for each in self.snapshots)

    def rows(self) -> list[Row]:
        """Return each one's name, and what there is to say of it."""
        return [(each.name, _of_snapshot(each)) for each in self.snapshots] or [("none", "")]

    def to_pandas(self) -> pandas.DataFrame:
        """Return id, name, creation time, state in bytes and the guest's clock in seconds."""
        import pandas

        names = ("id", "name", "created", "vm_state_bytes", "vm_clock_s")
        rows = [[getattr(each, name) for name in names] for each in self.snapshots]
        return pandas.DataFrame(rows, columns=list(names)).set_index("id")

    def _repr_html_(self) -> str:
        return str(table(("snapshot", ""), self.rows()))


def _of_snapshot(each: Snapshot) -> str:
    made = f"{each.created:%Y-%m-%d %H:%M:%S} UTC"
    return f"{made}, with {human(each.vm_state_bytes)} of state" if each.vm_state_bytes else made


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Check(Answer):
    """Whether an image's own books are right (``qemu-img check``).

    Parameters
    ----------
    path, format : the image
    errors : what the check could not look at
    corruptions : data that is damaged or in danger; the image should not be used
    leaks : clusters that nobody uses and nobody can use: lost room, no danger
    corruptions_fixed, leaks_fixed : what a repair mended
    allocated_clusters, total_clusters, compressed_clusters, fragmented_clusters : of the
        guest's disk; ``None`` where the format does not say
    end_bytes : where the image's data ends in the file; ``None`` where the format does not say
    command : the qemu-img line of the call that returned this
    """

    path: str
    format: str
    errors: int = 0
    corruptions: int = 0
    leaks: int = 0
    corruptions_fixed: int = 0
    leaks_fixed: int = 0
    allocated_clusters: int | None = None
    total_clusters: int | None = None
    compressed_clusters: int | None = None
    fragmented_clusters: int | None = None
    end_bytes: int | None = None
    command: Line = field(default=Line(()), compare=False)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, or nothing is any more."""
        return not (self.errors or self.corruptions or self.leaks)

    def rows(self) -> list[Row]:
        """Return the facts as ``(what, value)``."""
        rows = [("file", self.path), ("verdict", "no errors" if self.ok else "not in order")]
        for name in ("errors", "corruptions", "leaks", "corruptions_fixed", "leaks_fixed"):
            if value := getattr(self, name):
                rows.append((name.replace("_", " "), str(value)))
        if self.total_clusters:
            part = (self.allocated_clusters or 0) / self.total_clusters
            told = f"{self.allocated_clusters or 0} of {self.total_clusters} clusters ({part:.1%})"
            rows.append(("allocated", told))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Measure(Answer):
    """How large a file would become (``qemu-img measure``).

    Parameters
    ----------
    target_format : of the file to be
    required_bytes : for the data that is there
    full_bytes : if all of it were allocated
    bitmaps_bytes : more for persistent dirty bitmaps; ``None`` where there can be none
    command : the qemu-img line of the call that returned this
    """

    target_format: str
    required_bytes: int
    full_bytes: int
    bitmaps_bytes: int | None = None
    command: Line = field(default=Line(()), compare=False)

    def rows(self) -> list[Row]:
        """Return the facts as ``(what, value)``."""
        rows = [
            ("as", self.target_format),
            ("required", human(self.required_bytes)),
            ("fully allocated", human(self.full_bytes)),
        ]
        if self.bitmaps_bytes is not None:
            rows.append(("bitmaps", human(self.bitmaps_bytes)))
        return rows


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bench(Answer):
    """How fast an image is read or written (``qemu-img bench``).

    Parameters
    ----------
    path : the image
    write : whether it was written; else it was read
    requests : how many, of `buffer_bytes` each, `depth` of them at a time
    seconds : how long all of them took
    command : the qemu-img line of the call that returned this
    """

    path: str
    write: bool
    requests: int
    buffer_bytes: int
    depth: int
    seconds: float
    command: Line = field(default=Line(()), compare=False)

    @property
    def iops(self) -> float:
        """Requests a second."""
        return self.requests / max(self.seconds, 0.001)  # qemu-img tells milliseconds

    @property
    def bytes_per_s(self) -> float:
        """Bytes a second."""
        return self.iops * self.buffer_bytes

    def rows(self) -> list[Row]:
        """Return the facts as ``(what, value)``."""
        did = "writes" if self.write else "reads"
        return [
            ("file", self.path),
            (did, f"{self.requests} of {human(self.buffer_bytes)}, {self.depth} at a time"),
            ("took", f"{self.seconds:.3f} s"),
            ("rate", f"{self.iops:,.0f} a second, {human(self.bytes_per_s)}/s"),
        ]


def created(seconds: int, nanoseconds: int) -> datetime:
    """Return a snapshot's time; the beginning of 1970 for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds + nanoseconds / 1e9, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)
