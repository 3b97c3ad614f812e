"""The seed of a guest: a CD-ROM labelled ``cidata`` that cloud-init reads at the first start.

``user-data``, ``meta-data`` and ``network-config`` are as cloud-init's NoCloud has them; YAML
takes JSON as it is, which needs no quoting of its own, and CirrOS reads JSON only. ``kvmnb.sh``
says the same to the tiny guest, whose BusyBox reads neither.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from kvmnb.spec.cloud_init import CloudInit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LABEL", "files", "image", "write"]

_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

LABEL = "cidata"
"""In lower case, since CirrOS looks for no other."""


def files(asked: CloudInit, *, network: str | None = None) -> dict[str, str]:
    """Return the seed's files, by name.

    Parameters
    ----------
    network : a network configuration of version 1 or 2 in YAML; ``None`` leaves it to DHCP
    """
    import hashlib

    texts = {"user-data": _user_data(asked)}
    if network is not None:
        texts["network-config"] = network
    # cloud-init works once for each instance: another wish makes another instance
    whole = json.dumps([texts, asked.hostname], sort_keys=True)
    instance = "kvmnb-" + hashlib.sha256(whole.encode()).hexdigest()[:16]
    texts["meta-data"] = _meta_data(asked, instance)
    texts["kvmnb.sh"] = _script(asked, instance)
    return texts


def image(asked: CloudInit, *, network: str | None = None) -> bytes:
    """Return the seed as a raw CD-ROM image; the same for the same wishes, byte for byte."""
    from kvmnb.images.iso9660 import iso

    texts = files(asked, network=network)
    return iso({name: text.encode() for name, text in texts.items()}, label=LABEL)


def write(path: str | Path, asked: CloudInit, *, network: str | None = None) -> None:
    """Write the seed to a file that only its owner may read: it may hold a password's hash.

    Raises
    ------
    HostError   no room or no right
    """
    from kvmnb.errors import HostError

    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(image(asked, network=network))
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}", "free some room") from error


def _yaml(content: Any) -> str:
    """Return JSON that is YAML too: escapes for what YAML does not print, and no others.

    One character as two escapes, as JSON has it beyond U+FFFF, is two characters in YAML.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _user_data(asked: CloudInit) -> str:
    config: dict[str, Any] = {}
    if asked.user is not None:
        user: dict[str, Any] = {"name": asked.user, "shell": "/bin/bash"}
        user |= {"sudo": "ALL=(ALL) NOPASSWD:ALL", "lock_passwd": asked.password_hash is None}
        if asked.password_hash is not None:
            user["hashed_passwd"] = asked.password_hash
        if asked.ssh_keys:
            user["ssh_authorized_keys"] = list(asked.ssh_keys)
        config["users"] = ["default", user]
    else:
        if asked.ssh_keys:
            config["ssh_authorized_keys"] = list(asked.ssh_keys)
        if asked.password_hash is not None:
            config["password"] = asked.password_hash
            config["chpasswd"] = {"expire": False}
    if asked.packages:
        # a cloud image comes without package lists
        config |= {"package_update": True, "packages": list(asked.packages)}
    if asked.run:
        config["runcmd"] = list(asked.run)
    return "#cloud-config\n" + _yaml(config)


def _meta_data(asked: CloudInit, instance: str) -> str:
    facts: dict[str, Any] = {"instance-id": instance}
    if asked.hostname is not None:
        facts["local-hostname"] = asked.hostname
    if asked.ssh_keys and asked.user is None:
        # CirrOS looks here alone
        facts["public-keys"] = {f"key-{i}": key for i, key in enumerate(asked.ssh_keys)}
    return _yaml(facts)


def _script(asked: CloudInit, instance: str) -> str:
    """Return calls of the functions in the tiny guest's ``/etc/init.d/seed``."""
    calls = [("instance", instance)]
    if asked.hostname is not None:
        calls.append(("set_hostname", asked.hostname))
    if asked.user is not None:
        calls.append(("add_user", asked.user))
    if asked.password_hash is not None:
        calls.append(("set_password", asked.password_hash))
    calls += [("add_key", key) for key in asked.ssh_keys]
    calls += [("install", package) for package in asked.packages]
    calls += [("run", line) for line in asked.run]
    return "".join(f"{verb} {_quoted(value)}\n" for verb, value in calls)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
