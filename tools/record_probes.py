#!/usr/bin/env python3
"""Record what one QEMU is and can, as test data of the compilers.

    tools/record_probes.py FILE.replies SOURCE    from a recorded QMP conversation
    tools/record_probes.py QEMU-BINARY            from a QEMU that is installed here

Either writes ``tests/compile/probes/qemu-<major>.<minor>.json``. A recorded conversation is one
of libvirt's ``tests/qemucapabilitiesdata/caps_<version>_x86_64.replies``; SOURCE says where it is
from: repository, path and commit. Only names and versions are taken from it.

What a file says: ``devices`` are all QOM types that are devices, without CPUs; ``machines`` have
their aliases; ``chardevs`` are the kinds that were built in; ``netdevs``, ``displays`` and
``audiodevs`` are what the QMP schema names (a few more than were built in), ``null`` where it does
not; ``properties`` are those of the devices that kvmnb emits, as far as they were asked for.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROBES = Path(__file__).resolve().parents[1] / "tests/compile/probes"

DESCRIBED = (
    *("virtio-blk-pci", "virtio-scsi-pci", "virtio-net-pci", "virtio-serial-pci", "virtio-rng-pci"),
    *("virtio-balloon-pci", "virtio-9p-pci", "virtio-vga", "virtio-gpu-pci", "virtio-tablet-pci"),
    *("vhost-user-fs-pci", "vhost-vsock-pci", "virtserialport", "scsi-hd", "scsi-cd", "ide-hd"),
    *("ide-cd", "nvme", "floppy", "isa-fdc", "ich9-ahci", "e1000", "e1000e", "rtl8139", "VGA"),
    *("qxl-vga", "qemu-xhci", "usb-ehci", "usb-tablet", "usb-kbd", "usb-storage", "usb-host"),
    *("usb-redir", "intel-hda", "ich9-intel-hda", "hda-duplex", "hda-output", "AC97", "tpm-crb"),
    *("tpm-tis", "i6300esb", "ib700", "vmgenid", "pvpanic", "pvpanic-pci", "vmcoreinfo"),
    *("vfio-pci", "pcie-root-port", "isa-serial", "isa-parallel"),
)
"""Devices whose properties are recorded."""

NO_DEVICES = {
    *("accel", "authz", "bus", "can-host", "chardev", "chardev-fd", "chardev-spice", "machine"),
    *("confidential-guest-support", "event-loop-base", "generic-pc-machine", "host-iommu-device"),
    *("host-iommu-device-iommufd", "iommu-memory-region", "memory-backend", "netfilter", "object"),
    *("pr-manager", "qemu-console", "qio-channel", "rng-backend", "secret_common", "sev-common"),
    *("tls-creds", "tpm-backend", "vfio-iommu", "virtio-bus", "x86-machine"),
}
"""Abstract QOM types below which nothing is a device; QMP lists the concrete ones alone."""

LEGACY_NETDEVS = {"none", "nic"}  # in the schema for -net; -netdev refuses them
DEBUGGERS_CHARDEV = "gdb"  # QEMU's own; -chardev refuses it

Conversation = list[tuple[dict[str, Any], Any]]
"""Questions with what was returned."""


def main(arguments: list[str]) -> int:
    """Write the file for what the arguments name."""
    match arguments:
        case [path, source] if path.endswith(".replies"):
            conversation = recorded(Path(path).read_text(encoding="utf-8"))
            found = facts(conversation, source)
        case [binary]:
            conversation = asked(binary)
            found = facts(conversation, "the package of a distribution, asked over QMP")
            if found["audiodevs"] is None:
                found["audiodevs"] = audiodevs_of_help(binary)
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    major, minor, _ = found["version"]
    target = PROBES / f"qemu-{major}.{minor}.json"
    target.write_text(written(found), encoding="utf-8")
    print(f"{target.name}: {len(found['devices'])} devices, {len(found['machines'])} machines")
    return 0


def recorded(text: str) -> Conversation:
    """Return the conversation in a ``.replies`` file: JSON objects, questions before answers."""
    decoder, place, questions = json.JSONDecoder(), 0, {}
    conversation: Conversation = []
    while rest := text[place:].lstrip():
        place = len(text) - len(rest)
        message, length = decoder.raw_decode(rest)
        place += length
        if "execute" in message:
            questions[message["id"]] = message
        elif "return" in message:
            conversation.append((questions[message["id"]], message["return"]))
    return conversation


def asked(binary: str) -> Conversation:
    """Return the conversation with a QEMU that is started for it, and ends after it."""
    questions: list[dict[str, Any]] = [
        {"execute": name}
        for name in (
            *("qmp_capabilities", "query-version", "query-qmp-schema", "qom-list-types"),
            *("query-machines", "query-tpm-types", "query-command-line-options"),
        )
    ]
    questions += [
        {"execute": "device-list-properties", "arguments": {"typename": name}} for name in DESCRIBED
    ]
    for number, question in enumerate(questions):
        question["id"] = number
    argv = [binary, "-no-user-config", "-nodefaults", "-display", "none", "-machine", "none"]
    lines = [json.dumps(question) for question in (*questions, {"execute": "quit"})]
    done = subprocess.run(
        [*argv, "-qmp", "stdio"],
        input="\n".join(lines),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        (questions[answer["id"]], answer["return"])
        for answer in answers
        if "id" in answer and "return" in answer
    ]


def audiodevs_of_help(binary: str) -> list[str]:
    """Return what ``-audiodev help`` lists: before QEMU 8.0 the schema does not name them."""
    argv = [binary, "-audiodev", "help"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
    return sorted(re.findall(r"^([a-z]+)$", done.stdout, re.MULTILINE))


def facts(conversation: Conversation, source: str) -> dict[str, Any]:
    """Return what a conversation tells, as it goes into the file."""
    answers: dict[str, Any] = {}
    properties: dict[str, list[str]] = {}
    for question, answer in conversation:
        name = question["execute"]
        if name == "device-list-properties":
            device = question["arguments"]["typename"]
            if device in DESCRIBED:
                properties[device] = sorted({entry["name"] for entry in answer})
        else:
            # libvirt asks some again, of the same QEMU without KVM
            answers.setdefault(name, answer)
    version = answers["query-version"]["qemu"]
    parents = {kind["name"]: kind.get("parent") for kind in answers["qom-list-types"]}
    schema = {entry["name"]: entry for entry in answers["query-qmp-schema"]}
    options = {option["option"] for option in answers["query-command-line-options"]}
    netdevs = kinds(schema, "netdev_add", "arg-type")
    return {
        "source": source,
        "version": [version["major"], version["minor"], version["micro"]],
        "devices": sorted(name for name in parents if is_device(name, parents)),
        "machines": sorted(
            {
                name
                for machine in answers["query-machines"]
                for name in (machine["name"], machine.get("alias"))
                if name
            }
        ),
        "netdevs": None if netdevs is None else sorted(set(netdevs) - LEGACY_NETDEVS),
        "chardevs": sorted(
            {name.removeprefix("chardev-") for name in parents if name.startswith("chardev-")}
            - {DEBUGGERS_CHARDEV}
        ),
        "audiodevs": kinds(schema, "query-audiodevs", "ret-type"),
        "displays": kinds(schema, "query-display-options", "ret-type"),
        "tpms": sorted(answers["query-tpm-types"]),
        "options": sorted(options - {""}),
        "properties": properties,
    }


def is_device(name: str, parents: dict[str, str | None]) -> bool:
    """Return whether a concrete QOM type is a device, and not a CPU."""
    if name.endswith("-cpu"):
        return False
    kind: str | None = name
    while kind in parents:
        kind = parents[kind]
    return kind is not None and kind not in NO_DEVICES


def kinds(schema: dict[str, dict[str, Any]], command: str, role: str) -> list[str] | None:
    """Return the values of the enum that tells a command's union what it is."""
    if command not in schema:
        return None
    union = schema[schema[command][role]]
    if union["meta-type"] == "array":
        union = schema[union["element-type"]]
    tags = {member["name"]: member["type"] for member in union["members"]}
    return sorted(member["name"] for member in schema[tags[union["tag"]]]["members"])


def written(found: dict[str, Any]) -> str:
    """Return the file's text: a key a line, so that a diff says which changed."""
    lines = [
        f"{json.dumps(key)}: {json.dumps(found[key], sort_keys=True)}" for key in sorted(found)
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
