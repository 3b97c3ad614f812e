"""What this machine's QEMU is and can: asked of the binary once, then read from a cache."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import dataclass
from typing import Any

from kvmnb.errors import HostError
from kvmnb.spec.value import Value

__all__ = ["Backends", "QemuFacts", "backends", "cached_facts", "facts", "find_binary"]

BINARIES = ("qemu-system-x86_64", "qemu-kvm", "/usr/libexec/qemu-kvm")
OLDEST = (6, 2, 0)
PROBE_S = 20.0
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class QemuFacts(Value):
    """What one QEMU binary answered.

    Parameters
    ----------
    path, version : the binary
    machines : board types and their aliases, with what QEMU says of each
    cpus : CPU models
    devices : what ``-device`` takes
    options : command-line options, such as ``"sandbox"``
    """

    path: str
    version: tuple[int, int, int]
    machines: dict[str, dict[str, Any]]
    cpus: tuple[str, ...]
    devices: frozenset[str]
    options: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Backends(Value):
    """The kinds of back ends that one QEMU binary was built with, and has the modules of.

    Parameters
    ----------
    netdevs, chardevs, audiodevs, displays : what ``-netdev help`` and the others list; ``None``
        where this QEMU does not know the question
    """

    netdevs: frozenset[str] | None
    chardevs: frozenset[str] | None
    audiodevs: frozenset[str] | None
    displays: frozenset[str] | None


def find_binary() -> str:
    """Return the path of this machine's QEMU.

    Raises
    ------
    HostError   there is none; the remedy names the package
    """
    for name in BINARIES:
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            path = os.path.join(folder, name)  # an absolute name wins over the folder
            if os.access(path, os.X_OK) and os.path.isfile(path):
                return path
    raise HostError("QEMU is not installed", "apt install qemu-system-x86 qemu-utils")


def facts(path: str | None = None, cache: str | os.PathLike[str] | None = None) -> QemuFacts:
    """Return what `path` can do: from the cache while the binary is the same, else by asking it.

    Raises
    ------
    HostError   no QEMU, one that does not answer, or one older than 6.2
    """
    binary = path or find_binary()
    try:
        identity = _identity(binary)
    except OSError as error:
        raise HostError(f"{binary}: {error.strerror}", "Host(qemu=…) names the binary") from error
    where = _cache_file(binary, cache)
    found = _cached(where, identity)
    if found is None:
        found = _probe(binary)
        _store(where, identity, found)
    result = _facts(binary, found)
    if result.version < OLDEST:
        words = ".".join(map(str, result.version))
        raise HostError(f"{binary} is QEMU {words}; 6.2 is the oldest that works", "upgrade QEMU")
    return result


def backends(path: str, cache: str | os.PathLike[str] | None = None) -> Backends:
    """Return the back ends of the binary `path`: from the cache, else by asking it.

    Only guests that have more than the usual ones need to know (`kvmnb.compile.qemu.asks_kinds`),
    so this is not asked together with all else.
    """
    try:
        identity = _identity(path)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", "Host(qemu=…) names the binary") from error
    where = _cache_file(path, cache).replace("qemu-", "qemu-backends-")
    found = _cached(where, identity)
    if found is None:
        found = _ask_kinds(path)
        _store(where, identity, found)
    kinds = {kind: None if found[kind] is None else frozenset(found[kind]) for kind in _KINDS}
    return Backends(**kinds)


_KINDS = {"netdevs": "-netdev", "chardevs": "-chardev", "audiodevs": "-audiodev"}
_KINDS["displays"] = "-display"


def _ask_kinds(binary: str) -> dict[str, Any]:
    import subprocess

    # no machine is built for these; started together they take the time of one
    asked = {
        kind: subprocess.Popen(
            [binary, option, "help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for kind, option in _KINDS.items()
    }
    try:
        told = {kind: each.communicate(timeout=PROBE_S)[0] for kind, each in asked.items()}
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{binary} does not answer: {error}", "reinstall QEMU") from error
    finally:
        for each in asked.values():
            if each.poll() is None:
                each.kill()
                each.wait()
    return {kind: _listed(told[kind]) for kind in _KINDS}


def _listed(told: str) -> list[str] | None:
    """Return the names in a list under a headline, or ``None`` where there is no list."""
    headline, *lines = told.splitlines() or [""]
    if not headline.startswith("Available"):
        return None
    names = (line.strip() for line in lines)
    return [name for name in names if name and " " not in name]  # a sentence is no name


def cached_facts(path: str | None = None) -> QemuFacts | None:
    """Return what is known of `path` from an earlier time, or ``None``; never asks it."""
    try:
        binary = path or find_binary()
        found = _cached(_cache_file(binary, None), _identity(binary))
    except (HostError, OSError):
        return None
    return None if found is None else _facts(binary, found)


def _facts(binary: str, found: dict[str, Any]) -> QemuFacts:
    return QemuFacts(
        path=binary,
        version=tuple(found["version"]),
        machines=found["machines"],
        cpus=tuple(found["cpus"]),
        devices=frozenset(found["devices"]),
        options=frozenset(found["options"]),
    )


def _identity(binary: str) -> list[Any]:
    status = os.stat(binary)
    return [FORMAT, binary, status.st_size, status.st_mtime_ns]


def _cache_file(binary: str, cache: str | os.PathLike[str] | None) -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.path.join(home, "kvmnb") if cache is None else cache
    return os.path.join(folder, f"qemu-{zlib.crc32(os.fsencode(binary)):08x}.json")


def _cached(where: str, identity: list[Any]) -> dict[str, Any] | None:
    try:
        with open(where, encoding="utf-8") as file:
            content: dict[str, Any] = json.load(file)
    except (OSError, ValueError):
        return None
    return content if content.get("identity") == identity else None


def _store(where: str, identity: list[Any], found: dict[str, Any]) -> None:
    part = f"{where}.{os.getpid()}.part"
    try:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            json.dump({"identity": identity, **found}, file)
        os.replace(part, where)
    except OSError:
        return  # a full or read-only cache costs a probe next time, no more


_QUESTIONS: tuple[dict[str, Any], ...] = (
    {"execute": "qmp_capabilities"},
    {"execute": "query-version", "id": "version"},
    {"execute": "query-machines", "id": "machines"},
    {"execute": "query-cpu-definitions", "id": "cpus"},
    {
        "execute": "qom-list-types",
        "arguments": {"implements": "device", "abstract": False},
        "id": "devices",
    },
    {"execute": "query-command-line-options", "id": "options"},
    {"execute": "quit"},
)


def _probe(binary: str) -> dict[str, Any]:
    import subprocess

    # the machine "none" starts at once and answers every question
    argv = [binary, "-no-user-config", "-nodefaults", "-display", "none", "-machine", "none"]
    argv += ["-qmp", "stdio"]
    questions = "".join(json.dumps(question) + "\n" for question in _QUESTIONS)
    try:
        done = subprocess.run(
            argv, input=questions, capture_output=True, text=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"{binary} does not answer: {error}", "reinstall QEMU") from error
    answers: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if "id" in message and "return" in message:
            answers[message["id"]] = message["return"]
    if not {"version", "machines", "devices"} <= answers.keys():
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise HostError(f"{binary} does not answer: {said[0]}", "reinstall QEMU")
    qemu = answers["version"]["qemu"]
    return {
        "version": [qemu["major"], qemu["minor"], qemu["micro"]],
        "machines": {
            name: {
                "alias_of": machine["name"] if name != machine["name"] else None,
                "cpu_max": machine.get("cpu-max"),
                "default": machine.get("is-default", False),
                "deprecated": machine.get("deprecated", False),
            }
            for machine in answers["machines"]
            for name in (machine["name"], machine.get("alias"))
            if name
        },
        "cpus": sorted(cpu["name"] for cpu in answers.get("cpus", ())),
        "devices": sorted(kind["name"] for kind in answers["devices"]),
        "options": sorted(option["option"] for option in answers.get("options", ())),
    }
