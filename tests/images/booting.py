"""A guest for these tests: one QEMU, its monitor and its agent over unix sockets, nothing else."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kvmnb.images.catalogue import Image


class Peer:
    """A JSON-lines connection: QEMU's monitor or the guest's agent."""

    def __init__(self, path: Path, limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while True:
            self._socket = socket.socket(socket.AF_UNIX)
            try:
                self._socket.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self._socket.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.005)  # until QEMU has made the socket; it tells nobody
        self._file = self._socket.makefile("rwb")
        self.events: list[dict[str, Any]] = []

    def ask(self, command: str, limit_s: float = 60, **arguments: Any) -> Any:
        self._socket.settimeout(limit_s)
        message = {"execute": command, "arguments": arguments}
        self._file.write(json.dumps(message).encode() + b"\n")
        self._file.flush()
        while True:
            answer = self.read(limit_s)
            if "error" in answer:
                raise RuntimeError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
            self.events.append(answer)

    def read(self, limit_s: float = 60) -> dict[str, Any]:
        self._socket.settimeout(limit_s)
        line = self._file.readline()
        if not line:
            raise EOFError("the other side closed")
        message: dict[str, Any] = json.loads(line)
        return message

    def event(self, name: str, limit_s: float = 60) -> dict[str, Any]:
        for index, event in enumerate(self.events):
            if event["event"] == name:
                return self.events.pop(index)
        while True:
            message = self.read(limit_s)
            if message.get("event") == name:
                return message

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class TinyGuest:
    """A running guest on an overlay of `image`; without one it has the disks of `options`."""

    def __init__(
        self,
        image: Image | None,
        folder: Path,
        *options: str,
        firmware: bool = False,
        bus: str = "virtio-blk-pci",
        mem: int = 128,
        smp: str = "1",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.console = folder, folder / "console"
        self.overlay = folder / "overlay.qcow2"
        drive: list[str] = []
        direct: list[str] = []
        if image is not None:
            base = ["-b", str(image.disk), "-F", image.format]
            create = ["qemu-img", "create", "-q", "-f", "qcow2", *base, str(self.overlay)]
            subprocess.run(create, check=True)
            drive = ["-drive", f"if=none,id=d,format=qcow2,file={self.overlay}", *self._front(bus)]
            if not firmware:
                direct = ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
                direct += ["-append", image.append]
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-accel", "tcg"]
        argv += ["-m", str(mem), "-smp", smp, "-display", "none"]
        argv += ["-qmp", "unix:qmp.sock,server=on,wait=off"]
        argv += ["-chardev", "file,id=s,path=console", "-device", "isa-serial,chardev=s"]
        argv += ["-device", "virtio-serial-pci"]
        argv += ["-chardev", "socket,id=a,path=agent.sock,server=on,wait=off"]
        argv += ["-device", "virtserialport,chardev=a,name=org.qemu.guest_agent.0"]
        argv += ["-device", "virtio-balloon-pci,id=balloon0"]
        argv += [*drive, *direct, *options]
        self.argv = argv
        self.started = time.monotonic()
        self.process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL)
        here = os.getcwd()
        try:
            os.chdir(folder)  # a socket's path may have 107 bytes, pytest's folders have more
            self.qmp = Peer(Path("qmp.sock"), 20)
            self.agent = Peer(Path("agent.sock"), 20)
        finally:
            os.chdir(here)
        self.qmp.read()
        self.qmp.ask("qmp_capabilities")

    @staticmethod
    def _front(bus: str) -> list[str]:
        match bus:
            case "ide":
                return ["-device", "ide-hd,drive=d"]
            case "sata":
                return ["-device", "ahci,id=sata", "-device", "ide-hd,drive=d,bus=sata.0"]
            case "scsi":
                return ["-device", "virtio-scsi-pci", "-device", "scsi-hd,drive=d"]
            case "usb":
                return ["-device", "qemu-xhci", "-device", "usb-storage,drive=d"]
            case "nvme":
                return ["-device", "nvme,drive=d,serial=1"]
            case "lsi":
                return ["-device", "lsi53c895a", "-device", "scsi-hd,drive=d"]
            case _:
                return ["-device", f"{bus},drive=d"]

    def ready(self, limit_s: float = 60) -> float:
        """Wait for the agent; return the seconds since QEMU was started."""
        try:
            self.agent.ask("guest-ping", limit_s)
        except TimeoutError:
            raise AssertionError(self.console.read_text("utf-8", "replace")[-2000:]) from None
        return time.monotonic() - self.started

    def shows(self, text: str, limit_s: float) -> None:
        """Wait until `text` is on the serial console."""
        end = time.monotonic() + limit_s
        while text not in (said := self.console.read_text("utf-8", "replace")):
            assert time.monotonic() < end, said[-2000:]
            time.sleep(0.05)  # a file tells nobody that it grew

    def run(self, *argv: str, stdin: str = "", limit_s: float = 60) -> tuple[int, str]:
        """Run a command in the guest; return its exit code and what it wrote."""
        arguments: dict[str, Any] = {"path": argv[0], "arg": list(argv[1:])}
        if stdin:
            arguments["input-data"] = base64.b64encode(stdin.encode()).decode()
        started = self.agent.ask("guest-exec", **arguments, **{"capture-output": True})
        end = time.monotonic() + limit_s
        while True:
            status = self.agent.ask("guest-exec-status", pid=started["pid"])
            if status["exited"]:
                parts = (status.get("out-data", ""), status.get("err-data", ""))
                text = "".join(base64.b64decode(part).decode() for part in parts)
                return status.get("exitcode", -1), text
            assert time.monotonic() < end, f"{argv} still runs"
            time.sleep(0.01)  # the agent has no event for an exit

    def shell(self, script: str, limit_s: float = 60) -> str:
        code, text = self.run("/bin/sh", "-c", script, limit_s=limit_s)
        assert code == 0, f"{script!r} ended with {code}: {text}"
        return text

    def until(self, script: str, limit_s: float = 30) -> str:
        """Run a script until it succeeds; return what it wrote then."""
        end = time.monotonic() + limit_s
        while True:
            code, text = self.run("/bin/sh", "-c", script)
            if code == 0:
                return text
            assert time.monotonic() < end, f"{script!r} never succeeded: {text}"

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.qmp.close()
        self.agent.close()


def argv_text(words: Sequence[str]) -> str:
    return " ".join(words)
