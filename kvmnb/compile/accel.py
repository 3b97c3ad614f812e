"""Which properties of an accelerator are whose."""

from __future__ import annotations

__all__ = ["of_accelerator"]

_OWN = {
    "kvm": {
        *("kernel-irqchip", "kvm-shadow-mem", "dirty-ring-size", "eager-split-size"),
        *("notify-vmexit", "notify-window", "honor-guest-pat", "device", "xen-version"),
        *("xen-gnttab-max-frames", "xen-evtchn-max-pirq"),
    },
    "tcg": {"tb-size", "thread", "split-wx", "one-insn-per-tb"},
}
"""QEMU manual, "Invocation", -accel."""


def of_accelerator(options: tuple[tuple[str, str], ...], accel: str) -> tuple[tuple[str, str], ...]:
    """Return what `accel` knows of `options`; what only the other one knows has no effect on it.

    ``-accel kvm,dirty-ring-size=4096 -accel tcg`` runs without KVM, too, and then without a ring.
    """
    others = {name for other, names in _OWN.items() if other != accel for name in names}
    return tuple(pair for pair in options if pair[0] not in others)
