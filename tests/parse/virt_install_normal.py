"""Domain XML of two origins, made comparable by libvirt itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from benchmarks._libvirt import Virsh

__all__ = ["as_defined", "normal"]

Element = ElementTree.Element

UUID = "12345678-1234-8234-8234-123456789abc"


def as_defined(client: Virsh, xml: str, folder: Path) -> str:
    """Return how libvirt has a guest once it is defined: all that it fills in is filled in."""
    file = folder / "domain.xml"
    file.write_text(re.sub("<uuid>[^<]*</uuid>", f"<uuid>{UUID}</uuid>", xml))
    try:
        client("define", "--file", file)
    except subprocess.CalledProcessError as error:
        raise AssertionError(f"{error.stderr}\n{xml}") from None
    try:
        return client("dumpxml", "--inactive", "--security-info", UUID)
    finally:
        client("undefine", "--nvram", UUID)


def normal(text: str, line: str) -> list[str]:
    """Return a defined domain's XML as sorted lines, one for each element, those of devices last.

    What is dropped, and why it may be:

    - libosinfo's metadata, which no text but virt-install's has;
    - a MAC address that `line` does not give, and ``xauth``, which is who runs virt-install;
    - places on buses but of a card that `line` gives one, and controllers other than SCSI's with
      the hub behind them: virt-install asks for four USB controllers and fourteen free slots;
    - the name of the player of a sound card, where there is one player only.

    The policy ``force`` is said as ``require``, since QEMU is told the same for both.
    """
    root = ElementTree.fromstring(text)
    for metadata in root.findall("metadata"):
        root.remove(metadata)
    for feature in root.iter("feature"):
        if feature.get("policy") == "force":
            feature.set("policy", "require")
    devices = root.find("devices")
    assert devices is not None
    players = len(devices.findall("audio"))
    for device in list(devices):
        if device.tag == "hub" or (device.tag == "controller" and device.get("type") != "scsi"):
            devices.remove(device)
            continue
        placed = "address." in line and device.tag == "interface"
        for tag in ["address"] * (not placed) + ["audio"] * (players == 1):
            for found in device.findall(tag):
                device.remove(found)
        for mac in device.findall("mac"):
            if mac.get("address", "") not in line:
                device.remove(mac)
        device.attrib.pop("xauth", None)
    inner = [line for each in devices for line in _lines(each, "devices/")]
    outer = [line for each in root if each is not devices for line in _lines(each, "")]
    return sorted(outer) + sorted(inner)


def _lines(element: Element, path: str) -> list[str]:
    if element.tag in {"os", "features", "cpu", "clock", "pm"}:
        inner = [line for child in element for line in _lines(child, f"{element.tag}/")]
        return [path + _shown(element, []), *inner]
    children = [line for child in element for line in _lines(child, "")]
    return [path + _shown(element, sorted(children))]


def _shown(element: Element, children: list[str]) -> str:
    attributes = "".join(f" {key}={value!r}" for key, value in sorted(element.attrib.items()))
    text = (element.text or "").strip()
    return f"{element.tag}{attributes} {text}".rstrip() + "".join(
        f" <{child}>" for child in children
    )
