"""The real virt-install, beside a libvirtd of the tests' own."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

from benchmarks._libvirt import Virsh
from kvmnb.compile.libvirt import compile_libvirt
from kvmnb.compile.runtime import DirectBoot, DiskFile, Runtime
from kvmnb.parse.virt_install_line import parse_virt_install
from kvmnb.spec.domain import DomainSpec
from kvmnb.spec.storage import ExistingFile, NewFile
from tests.compile.made import runtime

__all__ = ["VirtInstall", "filled", "made_files", "ours"]

LIMIT_S = 60.0


class VirtInstall:
    """Asks the real program what a line would make; nothing is made."""

    def __init__(self, client: Virsh) -> None:
        self.client = client
        self._uri = client("uri").strip()

    def xml(self, line: str, step: str) -> str:
        """Return the XML of one step of a line, with the slips mended that our parser mends."""
        line = line.replace("_args", "-args").replace(",sparse ", ",sparse=on ")
        argv = ["virt-install", "--connect", self._uri, *shlex.split(line)]
        done = subprocess.run(
            [*argv, "--dry-run", "--print-xml", step, "--check", "all=off"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, f"{shlex.join(argv)}\n{done.stderr}"
        return done.stdout


def made_files(folder: Path) -> None:
    """Make the files that the cases speak of."""
    (folder / "disk.img").write_bytes(bytes(1 << 20))
    (folder / "cd.iso").write_bytes(bytes(1 << 20))
    qemu_img = shutil.which("qemu-img")
    assert qemu_img is not None
    subprocess.run(
        [qemu_img, "create", "-q", "-f", "qcow2", folder / "disk.qcow2", "1M"], check=True
    )
    pxe = folder / "tree/images/pxeboot"
    pxe.mkdir(parents=True)
    (pxe / "vmlinuz").write_text("a kernel")
    (pxe / "initrd.img").write_text("its initrd")
    tree = "[general]\nfamily = Fedora\nversion = 36\narch = x86_64\nvariant = Server\n"
    images = (
        "[images-x86_64]\nkernel = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n"
    )
    (folder / "tree/.treeinfo").write_text(tree + images)


def filled(case: str, folder: Path) -> str:
    """Return a case with the folder's name in it."""
    return case.replace("FILES", str(folder))


def ours(line: str, *, first_start: bool) -> str:
    """Return our XML of what a line makes, on a host where raw files are raw."""
    spec = parse_virt_install(line).spec
    return compile_libvirt(spec, _host(spec), first_start=first_start)


def _host(spec: DomainSpec) -> Runtime:
    files = []
    for disk in spec.disks:
        path, format = "", disk.format or "raw"
        if isinstance(disk.back, ExistingFile):
            path = disk.back.path
            format = disk.format or ("qcow2" if path.endswith(".qcow2") else "raw")
        elif isinstance(disk.back, NewFile):
            path, format = disk.back.path or "", disk.back.format
        files.append(DiskFile(path=path, format=format))
    tree = DirectBoot(kernel="/KERNEL", initrd="/INITRD") if spec.boot.location else None
    return runtime(spec, disks=tuple(files), direct_boot=tree)
