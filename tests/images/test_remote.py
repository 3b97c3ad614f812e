"""Downloads, against a real server on this machine that behaves as servers do, and worse."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kvmnb.errors import HostError, ImageError
from kvmnb.images import remote, transfer
from kvmnb.images.entries import Entry

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the test's server says; keeps what it was asked."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.close_connection = True
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


class Server(ThreadingHTTPServer):
    """What it holds, how it answers (the last one stays), and what it was asked."""

    daemon_threads = True
    body: bytes
    etag = '"v1"'
    answers: list[Answer]
    asked: list[dict[str, str]]

    def handle_error(self, *_: object) -> None:
        pass  # the client hung up: that is the point of some tests

    def url(self, name: str = "disk.img") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


def whole(handler: Handler) -> None:
    """As a good server does: with ranges, guarded by If-Range."""
    body, etag = handler.server.body, handler.server.etag
    span = handler.headers.get("Range", "")
    if span and handler.headers.get("If-Range") == etag:
        start = int(span.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            handler.head(416, 0, Content_Range=f"bytes */{len(body)}")
            return
        where = f"bytes {start}-{len(body) - 1}/{len(body)}"
        handler.head(206, len(body) - start, ETag=etag, Content_Range=where)
        handler.wfile.write(body[start:])
    else:
        handler.head(200, len(body), ETag=etag)
        handler.wfile.write(body)


def cut(share: float) -> Answer:
    """Hang up after so much of what was asked for."""

    def answer(handler: Handler) -> None:
        body = handler.server.body
        handler.head(200, len(body), ETag=handler.server.etag)
        handler.wfile.write(body[: int(len(body) * share)])
        handler.close_connection = True

    return answer


def no_ranges(handler: Handler) -> None:
    handler.head(200, len(handler.server.body))
    handler.wfile.write(handler.server.body)


def to(url: str) -> Answer:
    return lambda handler: handler.head(302, 0, Location=url)


def status(code: int) -> Answer:
    return lambda handler: handler.head(code, 0)


def unsized(extra: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, None, ETag=handler.server.etag)
        handler.wfile.write(handler.server.body + extra)

    return answer


@pytest.fixture(scope="module")
def body(tmp_path_factory) -> bytes:
    """A qcow2 of some size, with noise in it."""
    folder = tmp_path_factory.mktemp("body")
    (folder / "raw").write_bytes(os.urandom(3 << 20))
    argv = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", folder / "raw", folder / "disk"]
    subprocess.run(argv, check=True)
    return (folder / "disk").read_bytes()


@pytest.fixture
def server(body: bytes, monkeypatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(remote, "PAUSE_S", 0.0)
    with Server(("127.0.0.1", 0), Handler) as made:
        made.body, made.answers, made.asked = body, [whole], []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def entry(server: Server, body: bytes) -> Entry:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    return Entry(name="net", os="a test", url=server.url(), size=len(body), digest=digest)


def other(entry: Entry, **fields) -> Entry:
    return Entry(**{n: getattr(entry, n) for n in Entry.__dataclass_fields__} | fields)


def silent(what: str, done: float, total: float | None, detail: str) -> None:
    pass


def left(folder: Path) -> set[str]:
    place = folder / "net"
    return set(os.listdir(place)) if place.exists() else set()


def downloading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kvmnb-download"]


def test_a_download_is_an_image_with_progress_and_is_not_made_twice(tmp_path, server, entry, body):
    told = []
    image = remote.fetch(tmp_path, entry, lambda *what: told.append(what))
    assert image.disk.read_bytes() == body
    assert image.sha256 == hashlib.sha256(body).hexdigest()
    assert (image.format, image.size_bytes, image.source) == ("qcow2", 3 << 20, entry.url)
    assert ("downloading net", len(body), len(body)) in [what[:3] for what in told]
    assert remote.fetch(tmp_path, entry, silent) == image
    assert remote.ready(tmp_path, entry) == image
    assert len(server.asked) == 1
    assert left(tmp_path) == {image.disk.name, "manifest.json"}
    assert downloading_threads() == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_a_wrong_digest_never_becomes_an_image(tmp_path, server, entry, algorithm):
    wrong = f"{algorithm}:{hashlib.new(algorithm, b'other').hexdigest()}"
    with pytest.raises(ImageError, match="another digest"):
        remote.fetch(tmp_path, other(entry, digest=wrong), silent)
    assert left(tmp_path) == set()
    assert remote.ready(tmp_path, entry) is None


def test_a_damaged_file_is_fetched_anew(tmp_path, server, entry, body):
    image = remote.fetch(tmp_path, entry, silent)
    image.disk.unlink()
    image.disk.write_bytes(body[:-1] + b"x")
    assert remote.ready(tmp_path, entry) is None
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


def test_another_digest_in_the_catalogue_makes_a_new_download(tmp_path, server, entry, body):
    old = remote.fetch(tmp_path, entry, silent)
    server.body = body + bytes(512)
    digest = f"sha512:{hashlib.sha512(server.body).hexdigest()}"
    new = remote.fetch(tmp_path, other(entry, size=len(server.body), digest=digest), silent)
    assert new.disk.read_bytes() == server.body
    assert not old.disk.exists()


def test_what_broke_off_goes_on_where_it_was(tmp_path, server, entry, body):
    server.answers = [cut(0.4), whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body
    first, second = server.asked
    assert "Range" not in first
    assert second["If-Range"] == '"v1"'
    assert 0 < int(second["Range"].removeprefix("bytes=").rstrip("-")) < len(body)


def test_a_file_that_changed_meanwhile_starts_from_its_first_byte(tmp_path, server, entry, body):
    def changed(handler: Handler) -> None:
        handler.server.etag = '"v2"'
        whole(handler)

    server.body, good = bytes(len(body)), server.body

    def renewed(handler: Handler) -> None:
        handler.server.body = good
        changed(handler)

    server.answers = [cut(0.4), renewed, whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


def test_a_server_without_ranges_starts_from_the_first_byte(tmp_path, server, entry, body):
    server.answers = [cut(0.4), no_ranges]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


def test_a_server_that_sends_another_part_is_refused(tmp_path, server, entry):
    def shifted(handler: Handler) -> None:
        handler.head(206, 4, ETag='"v1"', Content_Range=f"bytes 7-10/{len(handler.server.body)}")
        handler.wfile.write(b"abcd")

    server.answers = [cut(0.4), shifted]
    with pytest.raises(ImageError, match="another part"):
        remote.fetch(tmp_path, entry, silent)
    assert remote.ready(tmp_path, entry) is None


def test_a_server_that_always_hangs_up_is_given_up_and_its_part_is_kept(
    tmp_path, server, entry, body
):
    def gone(handler: Handler) -> None:
        handler.close_connection = True

    server.answers = [cut(0.4), gone]
    with pytest.raises(ImageError, match="goes on where it was"):
        remote.fetch(tmp_path, entry, silent)
    assert left(tmp_path) == {"download.part", "download.json"}
    assert len(server.asked) == 1 + remote.BARREN_TRIES
    server.answers = [whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body
    assert "Range" in server.asked[-1]


def test_a_server_that_falls_silent_is_left(tmp_path, server, entry, monkeypatch):
    monkeypatch.setattr(transfer, "STALL_S", 0.3)
    release = threading.Event()

    def silent_server(handler: Handler) -> None:
        handler.head(200, len(handler.server.body), ETag='"v1"')
        handler.wfile.write(handler.server.body[:1000])
        handler.wfile.flush()
        release.wait(60)

    server.answers = [silent_server]
    ticks = []
    with pytest.raises(ImageError, match="timed out"):
        remote.fetch(tmp_path, entry, lambda *what: ticks.append(what))
    release.set()
    assert len(ticks) > 1
    assert downloading_threads() == []


def test_an_interrupt_ends_a_silent_transfer_at_once(tmp_path, server, entry):
    release = threading.Event()

    def silent_server(handler: Handler) -> None:
        handler.head(200, len(handler.server.body), ETag='"v1"')
        handler.wfile.write(handler.server.body[:1000])
        handler.wfile.flush()
        release.wait(60)

    server.answers = [silent_server]

    def interrupt(what: str, done: float, total: float | None, detail: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.fetch(tmp_path, entry, interrupt)
    release.set()
    assert downloading_threads() == []


@pytest.mark.parametrize("pinned", [True, False])
def test_more_bytes_than_the_file_has_are_refused(tmp_path, server, entry, pinned):
    server.answers = [unsized(bytes(1000))]
    wanted = entry if pinned else other(entry, size=None)
    with pytest.raises(ImageError, match=r"more bytes|another digest"):
        remote.fetch(tmp_path, wanted, silent)
    assert left(tmp_path) == set()


def test_a_size_that_is_not_the_catalogues_is_refused_before_it_is_fetched(tmp_path, server, entry):
    with pytest.raises(ImageError, match="not 5"):
        remote.fetch(tmp_path, other(entry, size=5), silent)
    assert remote.ready(tmp_path, entry) is None


def test_a_server_that_does_not_say_how_much_is_still_checked(tmp_path, server, entry, body):
    server.answers = [unsized(b"")]
    image = remote.fetch(tmp_path, other(entry, size=None), silent)
    assert image.disk.read_bytes() == body


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://192.0.2.1/x", "data:,x"]
)
def test_a_redirect_goes_nowhere_that_a_url_could_not(tmp_path, server, entry, target):
    server.answers = [to(target)]
    with pytest.raises(ImageError, match="only https"):
        remote.fetch(tmp_path, entry, silent)
    assert remote.ready(tmp_path, entry) is None


def test_a_redirect_to_a_trusted_place_is_followed(tmp_path, server, entry, body):
    server.answers = [to(server.url("elsewhere")), whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "file:///etc/passwd", "ftp://x/y", "x", ""]
)
def test_only_https_is_trusted_beyond_this_machine(tmp_path, entry, url):
    with pytest.raises(ImageError, match="only https"):
        remote.fetch(tmp_path, other(entry, url=url), silent)


def test_what_the_server_refuses_is_told_at_once(tmp_path, server, entry):
    server.answers = [status(404)]
    with pytest.raises(ImageError, match="404"):
        remote.fetch(tmp_path, entry, silent)
    assert len(server.asked) == 1


def test_a_passing_trouble_is_waited_out(tmp_path, server, entry, body):
    server.answers = [status(503), status(429), whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


def test_a_part_that_is_too_long_is_thrown_away(tmp_path, server, entry, body):
    server.answers = [cut(0.4), status(404)]
    with pytest.raises(ImageError):
        remote.fetch(tmp_path, entry, silent)
    with open(tmp_path / "net/download.part", "ab") as part:
        part.write(bytes(len(body)))
    server.answers = [whole]
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body


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
    image = remote.fetch(tmp_path, unpinned, silent)
    assert image.disk.read_bytes() == body
    assert remote.ready(tmp_path, unpinned) == image
    sums = b"<html>no such page</html>"
    with pytest.raises(ImageError, match="names no digest"):
        remote.fetch(tmp_path / "other", unpinned, silent)


def test_a_right_digest_on_what_is_no_image_is_refused(tmp_path, server, entry):
    server.body = b"text" * 1000
    digest = f"sha256:{hashlib.sha256(server.body).hexdigest()}"
    with pytest.raises(ImageError, match="not a qcow2"):
        remote.fetch(tmp_path, other(entry, size=None, digest=digest), silent)
    assert left(tmp_path) == set()


def test_a_disk_without_room_is_told_before_the_download(tmp_path, server, entry, monkeypatch):
    monkeypatch.setattr(remote, "ROOM", 1 << 62)
    with pytest.raises(HostError, match="no room"):
        remote.fetch(tmp_path, entry, silent)
    assert remote.ready(tmp_path, entry) is None


def test_a_proxy_of_the_environments_is_used(tmp_path, server, entry, body, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url("").rstrip("/"))
    elsewhere = other(entry, url="http://localhost:9/disk.img")  # nobody serves there
    assert remote.fetch(tmp_path, elsewhere, silent).disk.read_bytes() == body


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


class Gate:
    """Answers that send a first part, and the rest when told so."""

    def __init__(self) -> None:
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, handler: Handler) -> None:
        body = handler.server.body
        handler.head(200, len(body), ETag=handler.server.etag)
        handler.wfile.write(body[: 1 << 20])
        handler.wfile.flush()
        self.begun.set()
        self.open.wait(60)
        with contextlib.suppress(OSError):
            handler.wfile.write(body[1 << 20 :])


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
    assert remote.fetch(tmp_path, entry, silent).disk.read_bytes() == body
    if kept:
        assert server.asked[-1]["Range"] == f"bytes={kept}-"


def test_nobody_listening_is_told(tmp_path, entry):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/disk.img"
        with pytest.raises(ImageError, match="refused"):
            remote.fetch(tmp_path, other(entry, url=url), silent)
