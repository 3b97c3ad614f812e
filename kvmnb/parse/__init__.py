"""What people bring along, turned into specs: QEMU lines, virt-install lines, domain XML.

Pure functions, the inverse of `kvmnb.compile`: no I/O, no shell, nothing that is read is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvmnb.parse.commands import Command
    from kvmnb.parse.result import Parsed

__all__ = ["command", "libvirt", "qemu", "virt_install"]


def command(line: str) -> Command:
    """Return what any line of the classic texts means, by the program that it calls.

    Returns
    -------
    `Parsed` for QEMU and virt-install, `Query` for a QEMU that is asked for a list, what
    `kvmnb.parse.qemu_img` returns for qemu-img, `MonitorCommand` for words of QEMU's monitor,
    `HostCommand` for checks of the host

    Raises
    ------
    ParseError   it cannot be read, or nobody here knows the program
    """
    from kvmnb.parse.commands import parse_command

    return parse_command(line)


def qemu(line: str | Sequence[str]) -> Parsed:
    """Return the guest that a QEMU line describes: any binary, any age of syntax.

    Parameters
    ----------
    line : as it stands in a shell, or an argument list

    Raises
    ------
    ParseError   QEMU would refuse it, or it asks for a list (``-M ?``): see `command`
    """
    from kvmnb.parse.qemu_line import parse_qemu

    return parse_qemu(line)


def libvirt(xml: str) -> Parsed:
    """Return the guest that libvirt's domain XML describes.

    Raises
    ------
    ParseError   it is no domain XML
    """
    from kvmnb.parse.domain_xml import parse_domain

    return parse_domain(xml)


def virt_install(line: str | Sequence[str]) -> Parsed:
    """Return the guest that a virt-install line describes.

    Parameters
    ----------
    line : as it stands in a shell, or an argument list

    Raises
    ------
    ParseError   virt-install would refuse it
    """
    from kvmnb.parse.virt_install_line import parse_virt_install
    from kvmnb.parse.words import joined

    return parse_virt_install(line if isinstance(line, str) else joined(line))
