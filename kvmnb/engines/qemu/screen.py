"""Pictures of the guest's screen, and who may look at it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from kvmnb.engines.qemu import diagnose
from kvmnb.engines.qemu.echo import MASK
from kvmnb.errors import CommandError, KvmnbError, Unsupported
from kvmnb.spec.graphics import VNC

if TYPE_CHECKING:
    from kvmnb.engines.qemu.control import QemuControl

__all__ = ["screenshot", "text", "vnc_password"]

VGA_TEXT, VGA_TEXT_SIZE = 0xB8000, 4000
"""Where a VGA card's text mode keeps 80 by 25 characters of two bytes."""

PIXELS_LIMIT = 64 << 20
"""Pixels of a picture that is taken: far above any screen, far below the memory."""


async def screenshot(control: QemuControl) -> bytes:
    """Return the screen as PNG.

    QEMU writes PNG itself from 7.1 on, where it was built with libpng; else PPM.
    """
    target = control.folder.run / f"screen-{secrets.token_hex(8)}"
    try:
        try:
            await control.qmp("screendump", {"filename": str(target), "format": "png"})
        except CommandError:
            await control.qmp("screendump", {"filename": str(target)})
        picture = await asyncio.to_thread(target.read_bytes)
    finally:
        target.unlink(missing_ok=True)
    return picture if picture.startswith(b"\x89PNG") else await asyncio.to_thread(_png, picture)


def _png(ppm: bytes) -> bytes:
    """Return a PPM (P6, 8 bits a channel) as PNG."""
    kind, size, depth, pixels = ppm.split(b"\n", 3)
    width, height = map(int, size.split())
    if kind != b"P6" or depth != b"255" or not 0 < width * height <= PIXELS_LIMIT:
        raise CommandError("screendump", "Garbled", "not a picture that can be read")
    stride = width * 3
    rows = b"".join(
        b"\0" + pixels[start : start + stride] for start in range(0, stride * height, stride)
    )

    def chunk(tag: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 6))
        + chunk(b"IEND", b"")
    )


async def text(control: QemuControl) -> str:
    """Return the text of the screen in VGA text mode, as firmware uses it; else nothing."""
    target: Path = control.folder.run / f"vga-{secrets.token_hex(8)}"
    try:
        place = {"val": VGA_TEXT, "size": VGA_TEXT_SIZE, "filename": str(target)}
        await control.qmp("pmemsave", place)
        return diagnose.screen_text(target.read_bytes())
    except (KvmnbError, OSError):
        return ""
    finally:
        with contextlib.suppress(OSError):
            target.unlink(missing_ok=True)


async def vnc_password(control: QemuControl, password: str, expires_s: int | None) -> None:
    """Set the password of the first VNC server that asks for one, and until when it holds.

    Raises
    ------
    Unsupported   none asks for one
    """
    servers = [each for each in control.info.spec.displays if isinstance(each, VNC)]
    number = next((i for i, each in enumerate(servers) if each.password), None)
    if number is None:
        hint = "no VNC of it asks for one: vnc(password=True)"
        raise Unsupported("this guest", "vnc_password", hint)
    which = {"display": f"vnc{number}"} if number else {}
    words = f"set_password vnc {MASK} -d vnc{number}" if number else f"change vnc password {MASK}"
    await _tell(control, "set_password", {"password": password, **which}, words)
    until = "never" if expires_s is None else f"+{expires_s}"
    words = f"expire_password vnc {until}" + (f" -d vnc{number}" if number else "")
    await _tell(control, "expire_password", {"time": until, **which}, words)


async def _tell(control: QemuControl, command: str, given: dict[str, str], hmp: str) -> None:
    virsh = control.virsh("qemu-monitor-command", "--hmp", hmp)
    await control.change(
        "vnc_password", command, {"protocol": "vnc", **given}, hmp=hmp, virsh=virsh
    )
