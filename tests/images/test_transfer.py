"""Downloads on the wire: what breaks off, falls silent, leads astray or says no."""

from __future__ import annotations

import socket

import pytest

from kvmnb.errors import ImageError
from kvmnb.images import remote, transfer
from tests.images.serving import (
    Handler,
    Silent,
    cut,
    downloading_threads,
    left,
    no_ranges,
    other,
    status,
    to,
    unsized,
    untold,
    whole,
)


def test_what_broke_off_goes_on_where_it_was(tmp_path, server, entry, body):
    server.answers = [cut(0.4), whole]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body
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
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


def test_a_server_without_ranges_starts_from_the_first_byte(tmp_path, server, entry, body):
    server.answers = [cut(0.4), no_ranges]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


def test_a_server_that_sends_another_part_is_refused(tmp_path, server, entry):
    def shifted(handler: Handler) -> None:
        handler.head(206, 4, ETag='"v1"', Content_Range=f"bytes 7-10/{len(handler.server.body)}")
        handler.wfile.write(b"abcd")

    server.answers = [cut(0.4), shifted]
    with pytest.raises(ImageError, match="another part"):
        remote.fetch(tmp_path, entry, untold)
    assert remote.ready(tmp_path, entry) is None


def test_a_server_that_always_hangs_up_is_given_up_and_its_part_is_kept(
    tmp_path, server, entry, body
):
    def gone(handler: Handler) -> None:
        handler.close_connection = True

    server.answers = [cut(0.4), gone]
    with pytest.raises(ImageError, match="goes on where it was"):
        remote.fetch(tmp_path, entry, untold)
    assert left(tmp_path) == {"download.part", "download.json"}
    assert len(server.asked) == 1 + remote.BARREN_TRIES
    server.answers = [whole]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body
    assert "Range" in server.asked[-1]


def test_a_server_that_falls_silent_is_left(tmp_path, server, entry, monkeypatch):
    monkeypatch.setattr(transfer, "STALL_S", 0.3)
    server.answers = [quiet := Silent()]
    ticks = []
    with pytest.raises(ImageError, match="timed out"):
        remote.fetch(tmp_path, entry, lambda *what: ticks.append(what))
    quiet.released.set()
    assert len(ticks) > 1
    assert downloading_threads() == []


def test_an_interrupt_ends_a_silent_transfer_at_once(tmp_path, server, entry):
    server.answers = [quiet := Silent()]

    def interrupt(what: str, done: float, total: float | None, detail: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.fetch(tmp_path, entry, interrupt)
    quiet.released.set()
    assert downloading_threads() == []


@pytest.mark.parametrize("pinned", [True, False])
def test_more_bytes_than_the_file_has_are_refused(tmp_path, server, entry, pinned):
    server.answers = [unsized(bytes(1000))]
    wanted = entry if pinned else other(entry, size=None)
    with pytest.raises(ImageError, match=r"more bytes|another digest"):
        remote.fetch(tmp_path, wanted, untold)
    assert left(tmp_path) == set()


def test_a_size_that_is_not_the_catalogues_is_refused_before_it_is_fetched(tmp_path, server, entry):
    with pytest.raises(ImageError, match="not 5"):
        remote.fetch(tmp_path, other(entry, size=5), untold)
    assert remote.ready(tmp_path, entry) is None


def test_a_server_that_does_not_say_how_much_is_still_checked(tmp_path, server, entry, body):
    server.answers = [unsized(b"")]
    image = remote.fetch(tmp_path, other(entry, size=None), untold)
    assert image.disk.read_bytes() == body


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://192.0.2.1/x", "data:,x"]
)
def test_a_redirect_goes_nowhere_that_a_url_could_not(tmp_path, server, entry, target):
    server.answers = [to(target)]
    with pytest.raises(ImageError, match="only https"):
        remote.fetch(tmp_path, entry, untold)
    assert remote.ready(tmp_path, entry) is None


def test_a_redirect_to_a_trusted_place_is_followed(tmp_path, server, entry, body):
    server.answers = [to(server.url("elsewhere")), whole]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "file:///etc/passwd", "ftp://x/y", "x", ""]
)
def test_only_https_is_trusted_beyond_this_machine(tmp_path, entry, url):
    with pytest.raises(ImageError, match="only https"):
        remote.fetch(tmp_path, other(entry, url=url), untold)


def test_what_the_server_refuses_is_told_at_once(tmp_path, server, entry):
    server.answers = [status(404)]
    with pytest.raises(ImageError, match="404"):
        remote.fetch(tmp_path, entry, untold)
    assert len(server.asked) == 1


def test_a_passing_trouble_is_waited_out(tmp_path, server, entry, body):
    server.answers = [status(503), status(429), whole]
    assert remote.fetch(tmp_path, entry, untold).disk.read_bytes() == body


def test_a_proxy_of_the_environments_is_used(tmp_path, server, entry, body, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url("").rstrip("/"))
    elsewhere = other(entry, url="http://localhost:9/disk.img")  # nobody serves there
    assert remote.fetch(tmp_path, elsewhere, untold).disk.read_bytes() == body


def test_nobody_listening_is_told(tmp_path, entry):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/disk.img"
        with pytest.raises(ImageError, match="refused"):
            remote.fetch(tmp_path, other(entry, url=url), untold)
