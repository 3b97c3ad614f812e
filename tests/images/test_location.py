"""Install trees: a folder, a CD-ROM image and a server, and what is found in them."""

from __future__ import annotations

import functools
import http.server
import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import ImageError
from kvmnb.images.catalogue import Image, Images
from kvmnb.images.iso9660 import iso
from kvmnb.images.location import KNOWN

TREEINFO = "[general]\nfamily = x\n[images-x86_64]\nkernel = a/%s\ninitrd = a/initrd\n"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; keeps what it answered."""

    def log_message(self, *_: object) -> None:
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(code, message)
        self.server.sent.append(f"{code} {self.path}")  # type: ignore[attr-defined]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.fixture
def server(tree: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    handler = functools.partial(Handler, directory=tree)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.sent = []  # type: ignore[attr-defined]
        running.url = f"http://127.0.0.1:{running.server_address[1]}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def put(tree: Path, *paths: str) -> None:
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(f"this is {path}")


@pytest.mark.parametrize("pair", KNOWN, ids=[kernel for kernel, _ in KNOWN])
def test_each_known_place_is_found_in_a_folder(images, tree, pair):
    put(tree, *pair)
    assert images.install_tree(str(tree)) == (tree / pair[0], tree / pair[1])
    assert not images.folder.exists()


def test_what_treeinfo_names_comes_first(images, tree):
    put(tree, "a/vmlinuz", "a/initrd", "images/pxeboot/vmlinuz", "images/pxeboot/initrd.img")
    (tree / ".treeinfo").write_text(TREEINFO % "vmlinuz")
    assert images.install_tree(f"file://{tree}") == (tree / "a/vmlinuz", tree / "a/initrd")


@pytest.mark.parametrize("name", ["../../../etc/passwd", "../vmlinuz", "none", "", "\x07"])
def test_a_treeinfo_that_points_elsewhere_is_passed_over(images, tree, name):
    put(tree, "vmlinuz", "isolinux/vmlinuz", "isolinux/initrd.img")
    (tree / ".treeinfo").write_text(TREEINFO % name)
    assert images.install_tree(str(tree))[0] == tree / "isolinux/vmlinuz"
    for spoilt in ("[", "no section", "[images-x86_64]\nkernel = /etc/passwd\ninitrd = /x\n"):
        (tree / ".treeinfo").write_text(spoilt)
        assert images.install_tree(str(tree))[0] == tree / "isolinux/vmlinuz"


def test_nothing_there_is_an_error_that_says_what_was_looked_for(images, tree, server):
    put(tree, "casper/vmlinuz")  # a kernel alone is no installer
    for location in (str(tree), server.url):
        with pytest.raises(ImageError, match=r"\.treeinfo.*images/pxeboot/vmlinuz") as caught:
            images.install_tree(location)
        assert caught.value.name == location


def test_a_server_is_asked_and_its_files_are_copied_once(images, tree, server):
    put(tree, *KNOWN[1])
    kernel, initrd = images.install_tree(server.url + "/")
    assert kernel.read_text() == "this is install.amd/vmlinuz"
    assert initrd.read_text() == "this is install.amd/initrd.gz"
    assert images.install_tree(server.url + "/") == (kernel, initrd)
    assert server.sent.count(f"404 /{KNOWN[0][0]}") == 2
    (tree / KNOWN[1][0]).write_text("a newer one")
    os.utime(tree / KNOWN[1][0], (2e9, 2e9))
    assert images.install_tree(server.url + "/")[0].read_text() == "a newer one"


def test_a_copy_that_was_spoilt_is_copied_again(images, tree, server):
    put(tree, *KNOWN[0])
    kernel, _ = images.install_tree(server.url)
    kernel.write_text("spoilt")
    assert images.install_tree(server.url)[0].read_text() == f"this is {KNOWN[0][0]}"


def test_a_server_that_fails_is_an_error_with_its_words(images):
    with pytest.raises(ImageError, match="refused"):
        images.install_tree("http://127.0.0.1:1")


def test_a_cd_is_read_without_mounting_it(images, tmp_path):
    files = {".treeinfo": b"[images-x86_64]\nkernel = linux\ninitrd = initrd\n"}
    disc = tmp_path / "my cd.iso"
    disc.write_bytes(iso(files | {"linux": b"K" * 9000, "initrd": b"I"}, label="x"))
    kernel, initrd = images.install_tree(str(disc))
    assert (kernel.read_bytes(), initrd.read_bytes()) == (b"K" * 9000, b"I")
    disc.write_bytes(iso(files | {"linux": b"new", "initrd": b"I"}, label="x"))
    assert images.install_tree(str(disc))[0].read_bytes() == b"new"


def test_what_is_neither_is_refused(images, tmp_path):
    (tmp_path / "file").write_bytes(bytes(1 << 20))
    for location in (tmp_path / "file", tmp_path / "none"):
        with pytest.raises(ImageError):
            images.install_tree(str(location))


def test_the_tiny_installer_is_an_install_tree(tiny: Image):
    images = Images()
    kernel, initrd = images.install_tree("tiny-installer")
    folder = Path(images.netboot().folder)
    assert kernel.read_bytes() == (folder / "vmlinuz").read_bytes()
    assert initrd.read_bytes() == (folder / "initrd.img").read_bytes()


class FTP(socketserver.StreamRequestHandler):
    """As little of RFC 959 as is asked for."""

    def handle(self) -> None:
        self.say("220 hello")
        with socket.create_server(("127.0.0.1", 0)) as waiting:
            port = waiting.getsockname()[1]
            for line in self.rfile:
                verb, _, argument = line.decode().strip().partition(" ")
                path = self.server.root / argument.lstrip("/")  # type: ignore[attr-defined]
                match verb:
                    case "USER" | "TYPE":
                        self.say("230 yes")
                    case "PASV":
                        self.say(f"227 (127,0,0,1,{port >> 8},{port & 255})")
                    case "RETR" if path.is_file():
                        connection, _ = waiting.accept()
                        self.say("150 it comes")
                        with connection:
                            connection.sendall(path.read_bytes())
                        self.say("226 done")
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("550 no such file")

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


def test_an_ftp_server_will_do(images, tree):
    put(tree, "dist/" + KNOWN[1][0], "dist/" + KNOWN[1][1])
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), FTP) as running:
        running.root = tree  # type: ignore[attr-defined]
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            url = f"ftp://127.0.0.1:{running.server_address[1]}/dist"
            kernel, initrd = images.install_tree(url)
        finally:
            running.shutdown()
            thread.join()
    assert kernel.read_text() == f"this is dist/{KNOWN[1][0]}"
    assert initrd.read_text() == f"this is dist/{KNOWN[1][1]}"
