"""Pieces of any of the three texts, explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kvmnb.compile.piece import Piece
from kvmnb.compile.targets import Target
from kvmnb.explain.entry import Explained

__all__ = ["explained"]


def explained(target: Target, pieces: Iterable[Piece]) -> tuple[Explained, ...]:
    """Return the words of `pieces`, each with its meaning, default and section of the manual."""
    explain = _explainer(target)
    return tuple(each for piece in pieces for each in explain(piece))


def _explainer(target: Target) -> Callable[[Piece], Iterator[Explained]]:
    match target:
        case "qemu":
            from kvmnb.explain.qemu import explain_qemu

            return explain_qemu
        case "libvirt":
            from kvmnb.explain.libvirt import explain_libvirt

            return explain_libvirt
        case "virt-install":
            from kvmnb.explain.virt_install import explain_virt_install

            return explain_virt_install
