"""What all verbs of a VM have in common: a spec, a host, and a copy with a change."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from kvmnb.errors import SpecError
from kvmnb.spec import validate
from kvmnb.spec.domain import DomainSpec

if TYPE_CHECKING:
    from typing import Protocol, Self

    from kvmnb.engines.qemu.engine import QemuEngine
    from kvmnb.engines.qemu.facts import QemuFacts
    from kvmnb.images.catalogue import Images
    from kvmnb.units import Duration

    class HostLike(Protocol):
        """What a VM needs of the host it is described on."""

        @property
        def images(self) -> Images: ...
        @property
        def engine(self) -> QemuEngine: ...
        @property
        def keep(self) -> Duration: ...
        @property
        def warm(self) -> bool: ...


__all__ = ["Builder", "existing_file", "listed"]

T = TypeVar("T")


class Builder:
    """A spec on a host; each verb returns a copy with one change."""

    __slots__ = ()

    spec: DomainSpec
    host: HostLike

    def _with(self, **changes: Any) -> Self:
        spec = dataclasses.replace(self.spec, **changes)
        return dataclasses.replace(self, spec=spec)  # type: ignore[type-var]

    def replace(self, **fields: Any) -> Self:
        """The same guest with these fields of its spec: ``vm.replace(clock=Clock(base="utc"))``.

        There is a verb for each field, which is shorter; this one takes the parts themselves.

        Raises
        ------
        SpecError   no such field, or a value that cannot be
        """
        for field in fields:
            validate.choice("field", field, tuple(f.name for f in dataclasses.fields(DomainSpec)))
        return self._with(**fields)

    @property
    def _facts(self) -> QemuFacts:
        return self.host.engine.facts


def listed(field: str, value: T | Iterable[T] | None, kind: type[T]) -> tuple[T, ...]:
    """Return one value, several, or none as a tuple.

    Raises
    ------
    SpecError   it is neither a `kind` nor a list or tuple of them
    """
    if value is None:
        return ()
    if isinstance(value, kind):
        return (value,)
    if isinstance(value, (list, tuple)) and all(isinstance(each, kind) for each in value):
        return tuple(value)
    raise SpecError(field, value, f"must be a {kind.__name__} or a list of them")


def existing_file(
    field: str, source: str | os.PathLike[str], names: Iterable[str] = (), *, folder: bool = False
) -> str:
    """Return the absolute path of an existing file, so that a later chdir changes nothing.

    Parameters
    ----------
    names : what `source` may have been meant for, if there is no such file
    folder : it must be a folder in place of a file
    """
    if not isinstance(source, (str, os.PathLike)):
        raise SpecError(field, source, "must be a path")
    given = validate.path(field, os.fsdecode(source))
    path = os.path.abspath(os.path.expanduser(given))
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        what = "folder" if folder else "file"
        raise SpecError(field, given, f"there is no such {what}{_meant(given, names)}") from None
    except OSError as error:
        raise SpecError(field, given, f"cannot be looked at: {error.strerror}") from error
    if folder:
        if not stat.S_ISDIR(mode):
            raise SpecError(field, given, "is no folder")
    elif not stat.S_ISREG(mode):
        raise SpecError(field, given, f"is a {_KINDS.get(stat.S_IFMT(mode), 'device')}, no file")
    return path


_KINDS = {stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}


def _meant(given: str, names: Iterable[str]) -> str:
    import difflib

    known = tuple(names)
    if not known:
        return ""
    near = difflib.get_close_matches(given, known, n=1)
    hint = f"did you mean the image {near[0]!r}? " if near else ""
    return f", and no image of that name; {hint}host.images has: {', '.join(known)}"
