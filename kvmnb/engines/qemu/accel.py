"""Which accelerator runs a guest, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from kvmnb.errors import HostError
from kvmnb.spec.domain import Accel

if TYPE_CHECKING:
    from kvmnb.rawkvm.probe import Verdict

__all__ = ["Choice", "choose", "known", "patience"]


class Choice(NamedTuple):
    """An accelerator, and the reason for it.

    Parameters
    ----------
    accel : what QEMU's ``-accel`` gets
    reason : one sentence for people
    """

    accel: Literal["kvm", "tcg"]
    reason: str


def patience(accel: Literal["kvm", "tcg"]) -> float:
    """Return by what to multiply a time limit that suits KVM: TCG boots 5 to 10 times slower."""
    return 1.0 if accel == "kvm" else 6.0


def choose(asked: Accel) -> Choice:
    """Return KVM only where it really runs a guest; a node that opens does not show that.

    Raises
    ------
    HostError   KVM was asked for by name and does not work here
    """
    if asked == "tcg":
        return Choice("tcg", "TCG was asked for")
    from kvmnb.rawkvm import probe

    verdict = probe.cached() or probe.probe()
    if asked == "kvm" and not verdict.usable:
        raise HostError(
            f"KVM does not work here: {verdict.reason}",
            'host.doctor() says what to mend; accel("auto") takes TCG meanwhile',
        )
    return _chosen(verdict)


def asked(accel: Accel) -> Choice:
    """Return what was asked for by name, untried; ``auto`` is KVM where it really works."""
    return Choice(accel, f"{accel.upper()} was asked for") if accel != "auto" else choose(accel)


def known() -> Choice | None:
    """Return what ``auto`` means here if that was found out before; tries nothing."""
    from kvmnb.rawkvm import probe

    verdict = probe.cached()
    return None if verdict is None else _chosen(verdict)


def _chosen(verdict: Verdict) -> Choice:
    if verdict.usable:
        return Choice("kvm", verdict.reason)
    return Choice("tcg", f"KVM does not work here: {verdict.reason}")
