"""Domain XML of two origins, made comparable: only what may differ by right is taken away."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from kvmnb.spec.diskbacks import PORTS

__all__ = ["normal"]

Element = ElementTree.Element

UNSAID = ("uuid", "metadata", "emulator", "genid")
"""Made anew each time, libosinfo's, the host's; and an empty ``genid`` is libvirt's to fill."""


def normal(text: str, line: str) -> list[str]:
    """Return a domain's XML as sorted lines, one for each element with its attributes and text.

    What is dropped, and why it may be:

    - ``uuid``, ``emulator``, libosinfo's metadata; a MAC address that `line` does not give;
    - ``alias``, and ``address`` unless `line` gives one: places are libvirt's choice;
    - controllers other than SCSI's: libvirt adds them where they are needed;
    - ``apic``, which every x86 guest has; ``hyperv`` and its clock, hints for Windows that no
      field stands for; the address of a vsock that ``cid.auto`` leaves to libvirt;
    - two USB redirectors and the image compression that come with SPICE unasked;
    - attributes that only repeat libvirt's default: a first ``<boot dev="hd">`` alone, the port of
      a serial device, ``bind`` without a path, ``port="-1"``, ``listen`` on 127.0.0.1, one die,
      a protocol's own port, KiB of a page, raw of a floppy or a CD-ROM.

    What is said in two ways is said in one: memory in MiB, versions of a board by the board's
    name, a policy ``force`` as ``require``, the default console as the serial port that it is, and
    the player of a sound card as libvirt chooses it.
    """
    root = ElementTree.fromstring(text)
    for tag in UNSAID:
        for found in root.findall(tag):
            if tag != "genid" or not (found.text or "").strip():
                root.remove(found)
    _top(root)
    _cpu(root)
    for source in root.iter("source"):
        for host in source.findall("host"):
            if host.get("port") == str(PORTS.get(source.get("protocol", ""))):
                del host.attrib["port"]
    devices = root.find("devices")
    assert devices is not None
    for device in list(devices):
        if (device.tag == "emulator") or (
            device.tag == "controller" and device.get("type") != "scsi"
        ):
            devices.remove(device)
            continue
        _device(device, line)
    _consoles(devices)
    _sounds(devices)
    if "--redirdev" not in line:
        for device in devices.findall("redirdev"):
            devices.remove(device)
    if devices.find("memballoon") is None:
        ElementTree.SubElement(devices, "memballoon", model="virtio")
    return sorted(_lines(root, ""))


def _lines(element: Element, path: str) -> list[str]:
    children = [line for child in element for line in _lines(child, "")]
    if element.tag in {"domain", "devices", "features", "os", "cpu", "clock", "pm"}:
        own = _shown(element, [])
        inner = [line for child in element for line in _lines(child, f"{path}{element.tag}/")]
        return [path + own, *inner] if element.attrib else inner
    return [path + _shown(element, sorted(children))]


def _shown(element: Element, children: list[str]) -> str:
    attributes = "".join(f" {key}={value!r}" for key, value in sorted(element.attrib.items()))
    text = (element.text or "").strip()
    return f"{element.tag}{attributes} {text}".rstrip() + "".join(
        f" <{child}>" for child in children
    )


_SCALE = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20}


def _top(root: Element) -> None:
    for tag in ("memory", "currentMemory", "maxMemory"):
        for found in root.findall(tag):
            kib = int(found.text or "0") * _SCALE[found.attrib.pop("unit", "KiB")]
            found.text = str(kib >> 10)
    memory, current = root.find("memory"), root.find("currentMemory")
    if memory is not None and current is not None and memory.text == current.text:
        root.remove(current)
    for board in root.findall("os/type"):
        machine = board.get("machine", "")
        machine = re.sub(r"^pc-i440fx-.*", "pc", machine)
        board.set("machine", re.sub(r"^pc-q35-.*", "q35", machine))
    start = root.find("os")
    assert start is not None
    order = start.findall("boot")
    if [each.get("dev") for each in order] == ["hd"]:
        start.remove(order[0])
    for page in root.findall("memoryBacking/hugepages/page"):
        page.attrib.setdefault("unit", "KiB")
    for clock in root.findall("clock"):
        for timer in clock.findall("timer"):
            if timer.get("name") == "hypervclock":
                clock.remove(timer)
    for features in root.findall("features"):
        for tag in ("apic", "hyperv"):
            for found in features.findall(tag):
                features.remove(found)


def _cpu(root: Element) -> None:
    for cpu in root.findall("cpu"):
        for key in ("match", "check", "migratable"):
            cpu.attrib.pop(key, None)
        for model in cpu.findall("model"):
            model.attrib.pop("fallback", None)
        for feature in cpu.findall("feature"):
            if feature.get("policy") == "force":
                feature.set("policy", "require")
        for topology in cpu.findall("topology"):
            if topology.get("dies") == "1":
                del topology.attrib["dies"]
        for cell in cpu.iter("cell"):
            kib = int(cell.get("memory", "0")) * _SCALE[cell.attrib.pop("unit", "KiB")]
            cell.set("memory", str(kib))
            cpus = cell.get("cpus", "")
            cell.set("cpus", re.sub(r"^(\d+),(\d+)$", r"\1-\2", cpus) if cpus == "0,1" else cpus)


def _device(device: Element, line: str) -> None:
    for tag in ("alias", "address"):
        for found in device.findall(tag):
            if tag == "alias" or "address." not in line:
                device.remove(found)
    if "--mac" not in line and "mac=" not in line:
        for found in device.findall("mac"):
            device.remove(found)
    for place in device.findall("address"):
        for key in ("domain", "bus"):
            place.attrib.pop(key, None)
        place.attrib = {
            key: str(int(value, 0)) if value[:1].isdigit() else value
            for key, value in place.attrib.items()
        }
    match device.tag:
        case "disk":
            _disk(device, line)
        case "serial" | "console" | "parallel":
            for target in device.findall("target"):
                target.attrib.pop("port", None)
                if not target.attrib and not len(target):
                    device.remove(target)
        case "channel":
            for source in device.findall("source"):
                if source.attrib == {"mode": "bind"}:
                    device.remove(source)
        case "graphics":
            _graphics(device)
        case "vsock":
            for cid in device.findall("cid"):
                if cid.attrib.pop("auto", "no") == "yes" or "cid.auto" in line:
                    cid.attrib.pop("address", None)
        case "controller":
            device.attrib.pop("index", None)


def _disk(device: Element, line: str) -> None:
    for driver in device.findall("driver"):
        driver.attrib.pop("name", None)
        if device.get("device") in {"cdrom", "floppy"} and driver.get("type") == "raw":
            del driver.attrib["type"]
        if driver.get("cache") == "default":
            del driver.attrib["cache"]
        if not driver.attrib:
            device.remove(driver)
    for target in device.findall("target"):
        if "target.dev" not in line:
            target.attrib.pop("dev", None)


def _graphics(device: Element) -> None:
    for key in ("port", "tlsPort"):
        if device.get(key) == "-1":
            del device.attrib[key]
    for key in ("autoport", "xauth", "display"):
        device.attrib.pop(key, None)
    for found in device.findall("image"):
        device.remove(found)
    listen = device.attrib.pop("listen", None)
    inner = device.find("listen")
    if listen is not None and inner is None:
        inner = ElementTree.SubElement(device, "listen", type="address", address=listen)
    if inner is not None and inner.get("address") == "127.0.0.1":
        device.remove(inner)


def _consoles(devices: Element) -> None:
    for console in devices.findall("console"):
        target = console.find("target")
        if target is None or target.get("type") in {None, "serial"}:
            devices.remove(console)
            if devices.find("serial") is None:
                console.tag = "serial"
                devices.append(console)


def _sounds(devices: Element) -> None:
    kinds = {graphics.get("type") for graphics in devices.findall("graphics")}
    usual = "spice" if "spice" in kinds else "sdl" if "sdl" in kinds else "none"
    players = {audio.get("id"): audio.get("type", "") for audio in devices.findall("audio")}
    for audio in devices.findall("audio"):
        devices.remove(audio)
    only = next(iter(players.values())) if len(players) == 1 else usual
    for sound in devices.findall("sound"):
        chosen = sound.find("audio")
        back = only
        if chosen is not None:
            back = players[chosen.get("id")]
            sound.remove(chosen)
        sound.set("back", back)
