"""Copies and steps back as they are used in earnest: long, under load, and with things that break.

``KVMNB_SOAK=0.1 pytest -m soak tests/engines/qemu/test_time_soak.py`` is the quick version.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kvmnb import KvmnbError, portal
from kvmnb.engines.qemu.folders import Roots
from tests.engines.qemu.kernels import until
from tests.engines.qemu.test_networks import free_port

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

SCALE = float(os.environ.get("KVMNB_SOAK", "1"))
CHANCE = random.Random(int(os.environ.get("KVMNB_SEED", "7")))


def rounds(full: int) -> range:
    return range(max(2, round(full * SCALE)))


# -- what a guest says -------------------------------------------------------------------------


def late_s(guest) -> float:
    """Return by how much the guest's clock is late, as the quickest of a few answers tells."""
    found = []
    for _ in range(5):
        before = time.time()
        told = portal.run(guest._control.inside.ask("guest-get-time", {})) / 1e9
        after = time.time()
        found.append((after - before, (before + after) / 2 - told))
    return min(found)[1]


def count(guest, number):
    guest.run(f"echo {number} >/tmp/count; echo {number} >/root/count; sync", check=True)


def counted(guest) -> int:
    """Return the number in its memory and on its disk, which must be the same."""
    first, second = guest.run(
        "cat /tmp/count /root/count", check=True, timeout_s=120
    ).stdout.split()
    assert first == second
    return int(first)


def clean(guest, tmp_path: Path) -> None:
    """Check the file system of a guest: after a sync, and its disk taken while it stands still."""
    guest.run("sync", check=True)
    guest.suspend()
    state = Path(Roots.from_environment().guest(guest.name).state_dir)
    top = max(state.glob("disk0*.qcow2"), key=lambda path: path.stat().st_mtime_ns)
    image = tmp_path / "disk.raw"
    subprocess.run(
        ["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", top, image], check=True
    )
    guest.resume()
    with image.open("rb") as file:
        file.seek(446 + 16 + 8)  # where the second partition of an MBR begins, in sectors
        device = f"{image}?offset={int.from_bytes(file.read(4), 'little') * 512}"
    subprocess.run(["e2fsck", "-y", "-E", "journal_only", device], capture_output=True)
    found = subprocess.run(["e2fsck", "-f", "-n", device], capture_output=True, text=True)
    image.unlink()
    assert found.returncode == 0, found.stdout


# -- connections -------------------------------------------------------------------------------


class Reading(threading.Thread):
    """Reads numbered lines from a connection, and notes whether one was lost or came twice."""

    def __init__(self, line: socket.socket) -> None:
        super().__init__(daemon=True)
        self.line, self.last, self.wrong = line, 0, ""
        self.start()

    def run(self) -> None:
        try:
            with self.line.makefile("rb") as stream:
                for text in stream:
                    if int(text) != self.last + 1:
                        self.wrong = f"{text!r} after {self.last}"
                        return
                    self.last += 1
            self.wrong = self.wrong or "the connection ended"
        except (OSError, ValueError) as error:
            self.wrong = str(error)


class Writing(threading.Thread):
    """Writes numbered lines into a connection."""

    def __init__(self, line: socket.socket) -> None:
        super().__init__(daemon=True)
        self.line, self.done = line, threading.Event()
        self.start()

    def run(self) -> None:
        number = 0
        while not self.done.wait(0.02):
            number += 1
            try:
                self.line.sendall(b"%d\n" % number)
            except OSError:
                return


WRITER = """
i=0; while :; do i=$((i+1)); echo $i >>/root/log; sync; sleep 0.1; done >/dev/null 2>&1 &
{ i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done; } | nc 10.0.2.2 PORT >/dev/null &
nc -l -p 7000 -e /bin/cat >/dev/null 2>&1 &
"""


def test_connections_and_writers_of_a_guest_go_on_while_it_is_forked(host, tmp_path):
    port = free_port()
    vm = host.vm("busy").mem(128).smp(2).disk("tiny").nic("virtio", hostfwd=f"{port}:7000")
    seen, clocks, parents = [], [], []
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        vm.start(warm=True) as guest,
        contextlib.ExitStack() as stack,
    ):
        server.settimeout(60)
        guest.put(WRITER.replace("PORT", str(server.getsockname()[1])).encode(), "/tmp/writer")
        guest.run("setsid sh /tmp/writer >/dev/null 2>&1 </dev/null &", check=True)
        outgoing, _ = server.accept()
        stack.callback(outgoing.close)
        until(lambda: guest.run("netstat -ltn | grep :7000").returncode == 0)
        incoming = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        out, back, writing = Reading(outgoing), Reading(incoming), Writing(incoming)
        until(lambda: out.last > 5 and back.last > 5)
        for _ in rounds(20):
            (copy,) = guest.fork()
            with copy:
                assert copy.qmp("query-uuid") != guest.qmp("query-uuid")
                clocks.append(late_s(copy))
                lines = int(copy.run("wc -l </root/log", check=True).stdout)
                seen.append(
                    (
                        copy.qmp("query-uuid")["UUID"],
                        copy.run("cat /sys/class/net/eth0/address").stdout,
                        copy.run("head -c 16 /dev/urandom | od -An -tx1").stdout,
                    )
                )
                until(lambda: int(copy.run("wc -l </root/log").stdout) > lines)  # noqa: B023
                numbers = copy.run("cat /root/log", check=True).stdout.split()
                assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
                clean(copy, tmp_path)
            parents.append(late_s(guest))
            assert (out.wrong, back.wrong) == ("", "")
        now = out.last, back.last
        until(lambda: out.last > now[0] and back.last > now[1])
        writing.done.set()
        clean(guest, tmp_path)
    print("clocks", [f"{each:.3f}" for each in clocks], [f"{each:.3f}" for each in parents])
    assert len({random for *_, random in seen}) == len(seen)
    assert max(map(abs, clocks)) < 0.1
    assert max(map(abs, parents)) < 0.1


def test_twenty_copies_share_their_memory(warm_vm):
    warm_vm.start(warm=True).destroy()  # a parent that did not boot itself, as most are
    original = warm_vm.start(warm=True)
    copies = original.fork(20)
    try:
        guests = [original, *copies]
        pss = [_pss(guest.info.pid) for guest in guests]
        print("PSS MiB", round(sum(pss) / 2**20), [round(each / 2**20) for each in pss])
        late = [late_s(guest) for guest in guests]
        print("late", [f"{each:.3f}" for each in late])
        assert sum(pss) < 1.2 * 2**30
        assert max(map(abs, late)) < 0.1
        assert len({guest.run("cat /sys/class/net/eth0/address").stdout for guest in guests}) == 21
    finally:
        for guest in (original, *copies):
            guest.destroy()


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no PSS")


# -- walks -------------------------------------------------------------------------------------


def test_a_guest_whose_files_are_all_gone_is_put_back_again_and_again(original):
    count(original, 1)
    original.checkpoint("whole")
    for _ in rounds(10):
        with pytest.raises(KvmnbError):
            original.run("rm -rf / --no-preserve-root; rm -rf /* ", check=True)
        original.rewind("whole")
        assert counted(original) == 1
        assert original.run("ls /bin/sh /etc/passwd").returncode == 0


def test_two_hundred_steps_through_a_tree_of_checkpoints_agree(original, tmp_path):
    count(original, 0)
    taken, number = {original.checkpoint("0").id: 0}, 0
    state = Path(Roots.from_environment().guest("original").state_dir)
    for _ in rounds(200):
        step = CHANCE.random()
        if step < 0.45:
            id = CHANCE.choice(list(taken))
            original.rewind(id)
            assert counted(original) == taken[id]
        elif step < 0.6 and len(taken) > 4:
            id = CHANCE.choice(list(taken))
            original.drop(id)
            del taken[id]
        else:
            number += 1
            count(original, number)
            taken[original.checkpoint(str(number)).id] = number
        assert [each.id for each in original.checkpoints] == list(taken)
        for each in original.checkpoints:
            assert each.parent is None or each.parent in taken
    print("layers", len(list(state.glob("disk0*.qcow2"))), "checkpoints", len(taken))
    clean(original, tmp_path)
    for id, number in taken.items():
        original.rewind(id)
        assert counted(original) == number
    clean(original, tmp_path)


# -- a full disk -------------------------------------------------------------------------------

FULL = """
import contextlib, json, os, pathlib, sys
from kvmnb import Host, HostError, KvmnbError, portal
from kvmnb.engines.qemu.copying import warm
from kvmnb.engines.qemu.folders import Roots
from kvmnb.engines.qemu.templates.store import Templates

host, roots, said = Host(), Roots.from_environment(), []
small = pathlib.Path(os.environ["XDG_STATE_HOME"])
guest = host.vm("original").mem(128).smp(2).disk("tiny").nic("virtio").start(warm=True, keep=0)
guest.run("echo 1 >/tmp/count", check=True)
control, filler = guest._control, small / "filler"
host.engine._templates = Templates(small / "templates")

def files():
    return sorted(str(path) for path in small.rglob("*") if path != filler)

def layers():
    return [name for name in files() if "/disk0" in name]

verbs = {
    "checkpoint": lambda: guest.checkpoint("x"),
    "fork": lambda: guest.fork(2),
    "template": lambda: portal.run(warm.keep(host.engine, control, "ab" * 16, None)),
}
for left in map(int, sys.argv[1:]):
    for verb, work in verbs.items():
        filler.write_bytes(b"")
        found = os.statvfs(small)
        with open(filler, "wb") as file:
            with contextlib.suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_bsize - left))
        before, error = [name for name in files() if "/disk0" not in name], ""
        try:
            made = work()
        except KvmnbError as raised:
            error = f"{type(raised).__name__}: {raised}"
        else:
            for copy in made if isinstance(made, list) else ():
                copy.destroy()
            for each in guest.checkpoints:
                guest.drop(each)
            if verb == "template":
                with host.engine.templates.get("ab" * 16) or contextlib.nullcontext() as kept:
                    error = "" if kept else "none"
                host.engine.templates.discard("ab" * 16, "tried")
        filler.unlink()
        after = [name for name in files() if "/disk0" not in name]
        if guest.qmp("query-status")["status"] == "io-error":  # it wrote while there was no room
            guest.resume()
        runs = guest.refresh() == "running" and guest.run("cat /tmp/count").stdout == "1\\n"
        new = sorted(set(after) - set(before) - {f"{small}/templates"})
        new = [name for name in new if not name.endswith(("/checkpoints", "/current"))]
        folders = [folder.run.name for folder in roots.folders()]
        said.append([verb, left, error, runs, new, folders, len(layers())])
        print(said[-1], file=sys.stderr)
guest.checkpoint("room")
guest.rewind("room")
assert guest.run("cat /tmp/count").stdout == "1\\n"
guest.destroy()
print(json.dumps(said))
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a file system that can be filled needs root")
def test_a_full_disk_costs_the_copy_alone(warm_vm, tmp_path, private_folders):
    warm_vm.start(warm=True).destroy()
    short, code = private_folders / "full", tmp_path / "full.py"
    for name in ("run", "state"):
        (short / name).mkdir(parents=True)
    code.write_text(FULL)
    steps = [0, 1 << 12, 1 << 16, 1 << 18, 1 << 19, 1 << 20, 3 << 20, 10 << 20, 40 << 20, 90 << 20]
    mount = 'mount -t tmpfs -o size=400m full "$0" && exec "$@"'
    words = [sys.executable, str(code), *map(str, steps)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, str(short / "state"), *words],
        env={
            **os.environ,
            "XDG_RUNTIME_DIR": str(short / "run"),
            "XDG_STATE_HOME": str(short / "state"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    for verb, left, error, runs, new, folders, _ in json.loads(done.stdout.splitlines()[-1]):
        assert runs, (verb, left)
        assert (new, folders) == ([], ["original"]), (verb, left)
        if error and verb != "template":
            assert "HostError" in error, (verb, left)
            assert "df -h" in error, (verb, left)
