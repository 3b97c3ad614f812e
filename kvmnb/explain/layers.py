"""One guest in three languages, side by side: what each says of each part of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from kvmnb.compile.piece import Piece
from kvmnb.compile.runtime import Runtime
from kvmnb.compile.targets import Target, expressible
from kvmnb.errors import SpecError, Unsupported
from kvmnb.spec.domain import DomainSpec

__all__ = ["TARGETS", "Layers", "Part", "Said", "layers", "part_of", "said"]

TARGETS: tuple[Target, ...] = ("qemu", "libvirt", "virt-install")

RETRIES = 100
"""Fields that one text may lack, before all of it is given up."""

_PATH = re.compile(r"([a-z_]+)(?:\[(\d+)\])?(?:\.(.+))?")
_BASE = re.compile(r"[a-z_]+(\[\d+\])?")


class Said(NamedTuple):
    """What one target says of a guest.

    Parameters
    ----------
    pieces : the words that it has
    unsaid : what it has no words for, each by its field and with a hint
    """

    pieces: tuple[Piece, ...]
    unsaid: tuple[Unsupported, ...] = ()


class Part(NamedTuple):
    """One part of a guest, as the three targets say it; in the order of `TARGETS`."""

    field: str
    said: tuple[tuple[Piece, ...], ...]
    unsaid: tuple[tuple[Unsupported, ...], ...]


class Layers(NamedTuple):
    """One guest in three languages.

    Parameters
    ----------
    spec : the guest
    said : by target, in the order of `TARGETS`
    """

    spec: DomainSpec
    said: tuple[Said, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """The guest part by part, in the order of its description; the engine's own last."""
        fields: dict[str, None] = {}
        for target in self.said:
            fields |= dict.fromkeys(part_of(piece.field) for piece in target.pieces)
            fields |= dict.fromkeys(part_of(error.field) for error in target.unsaid)
        return tuple(self.part(field) for field in sorted(fields, key=_turn))

    def part(self, field: str) -> Part:
        """Return what each target says of one part, such as ``"disks[0]"``."""
        return Part(
            field,
            tuple(
                tuple(piece for piece in each.pieces if part_of(piece.field) == field)
                for each in self.said
            ),
            tuple(
                tuple(error for error in each.unsaid if part_of(error.field) == field)
                for each in self.said
            ),
        )


_ORDER = {field.name: turn for turn, field in enumerate(dataclasses.fields(DomainSpec))}


def _turn(field: str) -> tuple[int, int, str]:
    name, _, index = field.partition("[")
    number = int(index.rstrip("]")) if index else -1
    return _ORDER.get(name, len(_ORDER)), number, name


def part_of(field: str) -> str:
    """Return the part that a field belongs to: ``disks[0].back.user`` is of ``disks[0]``.

    What is no part of a guest's, such as what a program adds for itself, is ``"runtime"``.
    """
    found = _BASE.match(field)
    name = found[0] if found else ""
    base = name.partition("[")[0]
    if base in {"extra_args", "extra_xml"}:
        return base
    return name if base in _ORDER else "runtime"


def layers(spec: DomainSpec, runtime: Runtime) -> Layers:
    """Return `spec` in the three languages; what one of them cannot say is told by name."""
    return Layers(spec, tuple(said(spec, runtime, target) for target in TARGETS))


Compiler = Callable[[DomainSpec, Runtime], Iterable[Piece]]


def _compiler(target: Target) -> Compiler:
    match target:
        case "qemu":
            from kvmnb.compile.qemu import qemu_pieces

            return qemu_pieces
        case "libvirt":
            from kvmnb.compile.libvirt import libvirt_pieces

            return libvirt_pieces
        case "virt-install":
            from kvmnb.compile.virt_install import virt_install_pieces

            return virt_install_pieces


def said(
    spec: DomainSpec, runtime: Runtime, target: Target, compiler: Compiler | None = None
) -> Said:
    """Return what `target` says of `spec`, left without each field that it has no words for.

    Parameters
    ----------
    compiler : yields the pieces, and raises `Unsupported` by the name of a field; ``None`` for
        the target's own
    """
    told, left_out = expressible(spec, target)
    unsaid = list(left_out)
    told = _plain_cpu(told, target)
    draft = _Draft(told, runtime)
    compiler = compiler or _compiler(target)
    for _ in range(RETRIES):
        made = _tried(compiler, draft)
        if isinstance(made, tuple):
            renamed = (piece._replace(field=draft.original(piece.field)) for piece in made)
            return Said(tuple(renamed), tuple(unsaid))
        field = draft.original(made.field)
        hint = made.hint if isinstance(made, Unsupported) else made.reason
        if not draft.drop(made.field):
            culprit = _culprit(compiler, draft, made)
            if culprit is None:
                unsaid.append(Unsupported(target, field, hint))
                break
            field, hint = draft.original(culprit), f"{made.field}: {hint}"
            draft.drop(culprit)
        unsaid.append(Unsupported(target, field, hint))
    return Said((), tuple(unsaid))


def _tried(compiler: Compiler, draft: _Draft) -> tuple[Piece, ...] | Unsupported | SpecError:
    try:
        return tuple(compiler(draft.spec, draft.runtime))
    except (Unsupported, SpecError) as error:
        return error


def _culprit(compiler: Compiler, draft: _Draft, error: Unsupported | SpecError) -> str | None:
    """Return the part without which an error that names no field is gone."""
    for field in draft.fields():
        without = draft.copy()
        if without.drop(field):
            made = _tried(compiler, without)
            if isinstance(made, tuple) or str(made) != str(error):
                return field
    return None


def _plain_cpu(spec: DomainSpec, target: Target) -> DomainSpec:
    if target == "qemu" and spec.cpu.model == "host-model":
        # libvirt's word for the nearest named model; the host's own is nearer still
        return dataclasses.replace(spec, cpu=dataclasses.replace(spec.cpu, model=None))
    return spec


class _Draft:
    """A spec from which fields are taken, and the facts that go with what is left."""

    def __init__(self, spec: DomainSpec, runtime: Runtime) -> None:
        self.spec, self.runtime = spec, runtime
        self._kept: dict[str, list[int]] = {}

    def copy(self) -> _Draft:
        """Return the same, to try something with."""
        other = _Draft(self.spec, self.runtime)
        other._kept = {name: list(kept) for name, kept in self._kept.items()}
        return other

    def fields(self) -> Iterator[str]:
        """Yield the parts that can be taken out, the last first; then all of one kind at once."""
        many = []
        for name in reversed(_ORDER):
            value = getattr(self.spec, name)
            if isinstance(value, tuple):
                many += [name] if len(value) > 1 else []
                yield from (f"{name}[{index}]" for index in reversed(range(len(value))))
            elif value != _DEFAULTS[name]:
                yield name
        yield from many

    def original(self, field: str) -> str:
        """Return a field's name in the whole spec: parts before it may have been taken out."""
        found = _PATH.match(field)
        if found is None or found[2] is None or found[1] not in self._kept:
            return field
        kept, index = self._kept[found[1]], int(found[2])
        if index >= len(kept):
            return field
        return f"{found[1]}[{kept[index]}]{field[len(f'{found[1]}[{index}]') :]}"

    def drop(self, field: str) -> bool:
        """Take a field out: it, or else what it is in, becomes what it is by default."""
        found = _PATH.match(field)
        if found is None or found[1] not in _ORDER:
            return False
        name, index, inner = found[1], found[2], found[3]
        value = getattr(self.spec, name)
        if index is None:
            return self._reset(name, value, inner)
        if not isinstance(value, tuple) or int(index) >= len(value):
            return False
        number = int(index)
        if inner is not None:
            changed = _without(value[number], inner)
            if changed is not None and changed != value[number]:
                return self._set(name, (*value[:number], changed, *value[number + 1 :]))
        if not self._set(name, (*value[:number], *value[number + 1 :])):
            return False
        kept = self._kept.setdefault(name, list(range(len(value))))
        del kept[number]
        fact = {"disks": "disks", "nics": "macs"}.get(name)
        if fact is not None:
            facts = getattr(self.runtime, fact)
            changes: dict[str, Any] = {fact: (*facts[:number], *facts[number + 1 :])}
            self.runtime = dataclasses.replace(self.runtime, **changes)
        return True

    def _reset(self, name: str, value: Any, inner: str | None) -> bool:
        if inner is not None:
            changed = _without(value, inner)
            if changed is not None and changed != value and self._set(name, changed):
                return True
        default = _DEFAULTS[name]
        if isinstance(value, tuple):
            default = ()
            self._kept.pop(name, None)
            fact = {"disks": "disks", "nics": "macs"}.get(name)
            if fact is not None:
                nothing: dict[str, Any] = {fact: ()}
                self.runtime = dataclasses.replace(self.runtime, **nothing)
        elif value == default and dataclasses.MISSING is not default:
            default = None  # a default that the target has no words for
        if default is dataclasses.MISSING or default == value:
            return False
        return self._set(name, default)

    def _set(self, name: str, value: Any) -> bool:
        changes: dict[str, Any] = {name: value}
        try:
            self.spec = dataclasses.replace(self.spec, **changes)
        except (SpecError, TypeError, AttributeError):
            return False
        return True


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(DomainSpec)}


def _without(part: Any, path: str) -> Any:
    """Return `part` with the field at `path` reset to its default, or ``None`` if it cannot be."""
    name, _, inner = path.partition(".")
    name = name.partition("[")[0]
    fields = {field.name: field for field in dataclasses.fields(part)} if _is_part(part) else {}
    if name not in fields:
        return None
    value, default = getattr(part, name), fields[name].default
    if inner:
        default = _without(value, inner)
    if default is dataclasses.MISSING or (default is None and inner):
        return None
    # some fields go together, as a file of memory and its path
    for other in (None, *fields):
        changes = {name: default}
        if other is not None and fields[other].default is not dataclasses.MISSING:
            changes.setdefault(other, fields[other].default)
        try:
            return dataclasses.replace(part, **changes)
        except SpecError:
            continue
    return None


def _is_part(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
