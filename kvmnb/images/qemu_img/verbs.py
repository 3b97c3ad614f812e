"""The verbs as they are called, and the two ways to go between them and a line of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvmnb.images.qemu_img import chains, changing, looking, making, snapshots
from kvmnb.images.qemu_img.call import Call
from kvmnb.images.qemu_img.line import Line
from kvmnb.images.qemu_img.snapshots import snapshot
from kvmnb.spec import validate

if TYPE_CHECKING:
    from kvmnb.parse.qemu_img import ImageCommand

__all__ = [
    "bench",
    "chain",
    "check",
    "command",
    "commit",
    "convert",
    "create",
    "info",
    "map",
    "measure",
    "rebase",
    "resize",
    "run",
    "snapshot",
]

info = Call(looking.info)
check = Call(looking.check)
map = Call(looking.map)
measure = Call(looking.measure)
bench = Call(looking.bench)
chain = Call(chains.chain)
create = Call(making.create)
convert = Call(making.convert)
resize = Call(changing.resize)
rebase = Call(changing.rebase)
commit = Call(changing.commit)

_CALLS: dict[str, Call[..., Any]] = {
    "info": info,
    "create": create,
    "convert": convert,
    "chain": chain,
    "resize": resize,
    "snapshot.list": Call(snapshots.list),
    "snapshot.create": Call(snapshots.create),
    "snapshot.apply": Call(snapshots.apply),
    "snapshot.delete": Call(snapshots.delete),
    "rebase": rebase,
    "commit": commit,
    "check": check,
    "map": map,
    "measure": measure,
    "bench": bench,
}


def command(verb: str, *args: object, **kwargs: object) -> Line:
    """Return the line that a call would run, without running it.

    ``command("create", "a.img", size="1G")`` is ``create.command("a.img", size="1G")``. Headers
    are read for formats that are not named.

    Parameters
    ----------
    verb : ``"info"`` and so on; of snapshots ``"snapshot.create"`` and so on
    args, kwargs : as the verb takes them

    Raises
    ------
    SpecError    no such verb, or what the verb raises
    ImageError   what the verb raises
    """
    return _CALLS[validate.choice("verb", verb, tuple(_CALLS))].command(*args, **kwargs)


def run(line: str | ImageCommand) -> Any:
    """Run a qemu-img line that somebody typed, as the typed call it stands for.

    ``run("qemu-img info disk.qcow2")`` returns what ``info("disk.qcow2")`` does. No shell is
    involved, and what the calls refuse is refused here.

    Parameters
    ----------
    line : the text, or what `kvmnb.parse.qemu_img.parse_qemu_img` made of it

    Raises
    ------
    ParseError   it cannot be read, or there is no typed call for it
    KvmnbError   what the call raises
    """
    from kvmnb.parse.qemu_img import parse_qemu_img

    parsed = parse_qemu_img(line) if isinstance(line, str) else line
    return _CALLS[parsed.verb](**parsed.keywords)
