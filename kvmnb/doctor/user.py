"""Looks at who asks: the groups that open doors."""

from __future__ import annotations

from functools import partial

from kvmnb.doctor.check import Finding, Look
from kvmnb.doctor.root import Root

__all__ = ["LOOKS"]


def member(root: Root, group: str) -> Finding:
    """Look whether the user is of a group, now and in the group's list."""
    for line in (root.read("/etc/group") or "").splitlines():
        name, *rest = line.split(":")
        if name != group or len(rest) < 3:
            continue
        id, members = rest[1], rest[2].split(",")
        if id.isdigit() and int(id) in root.groups:
            return Finding("ok", f"user {root.user} is of group {group} ({id})")
        if root.uid == 0:
            return Finding("ok", f"group {group} ({id}) exists; root needs no group")
        if root.user in members:
            return Finding(
                "limited",
                f"/etc/group: {root.user} is of group {group}; this session began before",
                "log out and in again",
            )
        return Finding(
            "missing",
            f"/etc/group: {root.user} is not of group {group}",
            f"{root.sudo}usermod -aG {group} {root.user}, then log in again",
        )
    if root.uid == 0:
        return Finding("ok", f"/etc/group: no group {group}; root needs none")
    return Finding("missing", f"/etc/group: no group {group}", _MAKERS[group])


_MAKERS = {
    "kvm": "installing QEMU makes the group; then be of it",
    "libvirt": "installing libvirt makes the group; then be of it",
}

LOOKS = (
    Look("group kvm", partial(member, group="kvm"), "opening /dev/kvm"),
    Look("group libvirt", partial(member, group="libvirt"), "qemu:///system without a password"),
)
