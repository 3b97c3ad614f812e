"""qemu-img's verbs on the images of one host: names of the catalogue stand for their files."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from kvmnb.errors import ImageError
from kvmnb.images.qemu_img import chains, changing, looking, making
from kvmnb.images.qemu_img.call import Call, Plan
from kvmnb.images.qemu_img.snapshots import Snapshots

if TYPE_CHECKING:
    from kvmnb.images.catalogue import Images, Progress

__all__ = ["ImageTools", "Show"]

P = ParamSpec("P")
R = TypeVar("R")

Show = Callable[[str], AbstractContextManager["Progress"]]
"""Called in the user's thread with a title; gives, when it is entered, where progress is shown."""

READ = {"path": "format", "source": "source_format", "backing": "backing_format"}
"""Arguments that may be a name of the catalogue, and the argument that names the format."""


class ImageTools:
    """The verbs of `kvmnb.images.qemu_img`, with the host's images by name and progress shown.

    Parameters
    ----------
    images : the host's images. Where a file is only read, ``"tiny"`` means that image, and
        ``"./tiny"`` a file of this name; an image of the catalogue is never written
    show : shows the progress of long work; ``None`` shows none
    """

    def __init__(self, images: Images, show: Show | None = None) -> None:
        self._images, self._show = images, show
        self.info = self._call(looking.info, "path")
        self.chain = self._call(chains.chain, "path")
        self.map = self._call(looking.map, "path")
        self.check = self._call(looking.check, "path", unless="repair")
        self.measure = self._call(looking.measure, "path")
        self.bench = self._call(looking.bench, "path", unless="write")
        self.create = self._call(making.create, "backing")
        self.convert = self._call(making.convert, "source", "backing")
        self.resize = self._call(changing.resize)
        self.rebase = self._call(changing.rebase, "backing")
        self.commit = self._call(changing.commit)

    def snapshot(
        self, path: str, *, format: str | None = None, force_share: bool = False
    ) -> Snapshots:
        """Return the handle on an image's internal snapshots; see `qemu_img.snapshot`."""
        self._refuse_name(path)
        return Snapshots(path, format, force_share)

    def _call(
        self, plan: Callable[P, Plan[R]], *reads: str, unless: str | None = None
    ) -> Call[P, R]:
        """Return the call of `plan` with names resolved, in `reads` `unless` it writes."""
        signature = inspect.signature(plan)

        @functools.wraps(plan)
        def planned(*args: P.args, **kwargs: P.kwargs) -> Plan[R]:
            bound = signature.bind(*args, **kwargs)
            given = bound.arguments
            writes = unless is not None and bool(given.get(unless))
            for argument in ("path", "source", "target", "backing", "base"):
                if argument in given:
                    if argument in reads and not writes:
                        self._resolve(given, argument, READ[argument])
                    else:
                        self._refuse_name(given[argument])
            if self._show is None or "progress" not in signature.parameters or "progress" in given:
                return plan(*bound.args, **bound.kwargs)
            relay = _Relay()
            given["progress"] = relay
            made = plan(*bound.args, **bound.kwargs)
            return _shown(made, relay, self._show(f"qemu-img {plan.__name__}"))

        return Call(planned)

    def _resolve(self, given: dict[str, object], argument: str, format: str) -> None:
        name = given[argument]
        if isinstance(name, str) and name in self._images:
            image = self._images[name]
            given[argument] = image.disk_path
            if given.get(format) is None:
                given[format] = image.format

    def _refuse_name(self, name: object) -> None:
        if isinstance(name, str) and name in self._images:
            raise ImageError(
                name,
                "an image of the catalogue is never written; make an overlay on it, "
                f"create('my.qcow2', backing={name!r}), or write ./{name} for a file of this name",
            )


class _Relay:
    """Hands progress on to where it is shown, once that is there."""

    def __init__(self) -> None:
        self.target: Progress | None = None

    def __call__(self, what: str, done: float, total: float | None, detail: str) -> None:
        if self.target is not None:
            self.target(what, done, total, detail)


def _shown(
    plan: Plan[R], relay: _Relay, showing: contextlib.AbstractContextManager[Progress]
) -> Plan[R]:
    async def work() -> R:
        with showing as relay.target:
            return await plan.work()

    return Plan(plan.line, work)
