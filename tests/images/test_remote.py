"""Images of the catalogue that are downloaded: whole, verified, and fetched once."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvmnb.errors import HostError, ImageError
from kvmnb.images import remote
from kvmnb.images.entries import Entry
from tests.images.serving import (
    Gate,
    Handler,
    cut,
    downloading_threads,
    left,
    other,
    status,
    untold,
    whole,
)


def test_a_download_is_an_image_with_progress_and_is_not_made_twice(tmp_path, server, entry, body):
    told = []
    image = remote.fetch(tmp_path, entry, lambda *what: told.append(what))
    assert image.disk.read_bytes() == body
    assert image.sha256 == hashlib.sha256(body).hexdigest()
    assert (image.format, image.size_bytes, image.source) == ("qcow2", 3 << 20, entry.url)
    assert ("downloading net", len(body), len(body)) in [what[:3] for what in told]
    assert remote.fetch(tmp_path, entry, untold) == image
    assert remote.ready(tmp_path, entry) == image
    assert len(server.asked) == 1
    assert left(tmp_path) == {image.disk.name, "manifest.json"}
    assert downloading_threads() == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_wrong_digest_never_becomes_an_image(tmp_path, server, entry, algorithm):
    wrong = f"{algorithm}:{hashlib.new(algorithm, b'other').hexdigest()}"
    with pytest.raises(ImageError, match="another digest"):
        remote.fetch(tmp_path, other(entry, digest=wrong), untold)
    assert left(tmp_path) == set()
    assert remote.ready(tmp_path, entry) is None


def test_a_damaged_file_is_fetched_anew(tmp_path, server, entry, body):
    image = remote.fetch(tmp_path, entry, untold)
    image.disk.unlink()
    image.disk.write_bytes(body[:-1] + b"x")
    assert remote.ready(tmp_path, entry) is None
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


def test_another_digest_in_the_catalogue_makes_a_new_download(tmp_path, server, entry, body):
    old = remote.fetch(tmp_path, entry, untold)
    server.body = body + bytes(512)
    digest = f"sha512:{hashlib.sha512(server.body).hexdigest()}"
    new = remote.fetch(tmp_path, other(entry, size=len(server.body), digest=digest), untold)
    assert new.disk.read_bytes() == server.body
    assert not old.disk.exists()


def test_a_part_that_is_too_long_is_thrown_away(tmp_path, server, entry, body):
    server.answers = [cut(0.4), status(404)]
    with pytest.raises(ImageError):
        remote.fetch(tmp_path, entry, untold)
    with open(tmp_path / "net/download.part", "ab") as part:
        part.write(bytes(len(body)))
    server.answers = [whole]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


def test_the_publishers_own_digest_is_read_where_none_is_pinned(tmp_path, server, entry, body):
    sums = f"{'0' * 64}  other.img\n{entry.digest.partition(':')[2]} *disk.img\n".encode()

    def both(handler: Handler) -> None:
        if handler.path.endswith("SUMS"):
            handler.head(200, len(sums))
            handler.wfile.write(sums)
        else:
            whole(handler)

    server.answers = [both]
    unpinned = other(entry, digest="", digest_url=server.url("SUMS"))
    image = remote.fetch(tmp_path, unpinned, untold)
    assert image.disk.read_bytes() == body
    assert remote.ready(tmp_path, unpinned) == image
    sums = b"<html>no such page</html>"
    with pytest.raises(ImageError, match="names no digest"):
        remote.fetch(tmp_path / "other", unpinned, untold)


def test_a_right_digest_on_what_is_no_image_is_refused(tmp_path, server, entry):
    server.body = b"text" * 1000
    digest = f"sha256:{hashlib.sha256(server.body).hexdigest()}"
    with pytest.raises(ImageError, match="not a qcow2"):
        remote.fetch(tmp_path, other(entry, size=None, digest=digest), untold)
    assert left(tmp_path) == set()


def test_a_disk_without_room_is_told_before_the_download(tmp_path, server, entry, monkeypatch):
    monkeypatch.setattr(remote, "ROOM", 1 << 62)
    with pytest.raises(HostError, match="no room"):
        remote.fetch(tmp_path, entry, untold)
    assert remote.ready(tmp_path, entry) is None


CHILD = """
import sys
from pathlib import Path
from kvmnb.images import remote
from kvmnb.images.entries import Entry
folder, url, digest, size = sys.argv[1:]
entry = Entry(name="net", os="a test", url=url, digest=digest, size=int(size))
def tell(*what):
    print(*what, flush=True)
print("image", remote.fetch(Path(folder), entry, tell).disk, flush=True)
"""


@contextlib.contextmanager
def another_process(folder: Path, entry: Entry) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", CHILD, str(folder), entry.url, entry.digest, str(entry.size)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def until(child: subprocess.Popen[str], word: str) -> str:
    assert child.stdout is not None
    for line in child.stdout:
        if word in line:
            return line
    raise AssertionError(f"the other process ended without {word!r}")


def test_two_processes_that_want_the_same_image_take_turns(tmp_path, server, entry, body):
    gate = Gate()
    server.answers = [gate, whole]
    with another_process(tmp_path, entry) as first, another_process(tmp_path, entry) as second:
        assert gate.begun.wait(60)
        # whichever came second says that it waits
        lines: list[str] = []
        found = threading.Event()

        def watch(child: subprocess.Popen[str]) -> None:
            assert child.stdout is not None
            for line in child.stdout:
                lines.append(line)
                if "waiting for another process" in line:
                    found.set()

        threads = [threading.Thread(target=watch, args=(child,)) for child in (first, second)]
        for thread in threads:
            thread.start()
        assert found.wait(60)
        gate.open.set()
        for thread in threads:
            thread.join(60)
        images = {line for line in lines if line.startswith("image")}
    assert len(images) == 1
    assert len(server.asked) == 1
    assert remote.ready(tmp_path, entry) is not None


def test_after_kill_9_the_next_goes_on_where_it_was(tmp_path, server, entry, body):
    gate = Gate()
    server.answers = [gate, whole]
    with another_process(tmp_path, entry) as child:
        until(child, f"downloading net {1 << 20} ")
        child.send_signal(signal.SIGKILL)
        child.wait()
    gate.open.set()
    kept = (tmp_path / "net/download.part").stat().st_size
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body
    if kept:
        assert server.asked[-1]["Range"] == f"bytes={kept}-"
