"""A real server on this machine that behaves as servers do, and worse."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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


class Silent:
    """Sends a few bytes, then no more until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, handler: Handler) -> None:
        handler.head(200, len(handler.server.body), ETag='"v1"')
        handler.wfile.write(handler.server.body[:1000])
        handler.wfile.flush()
        self.released.wait(60)


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


@contextlib.contextmanager
def serving(body: bytes) -> Iterator[Server]:
    """Serve `body` at any name, as a good server does until told otherwise."""
    with Server(("127.0.0.1", 0), Handler) as made:
        made.body, made.answers, made.asked = body, [whole], []
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def other(entry: Entry, **fields) -> Entry:
    return Entry(**{n: getattr(entry, n) for n in Entry.__dataclass_fields__} | fields)


def untold(what: str, done: float, total: float | None, detail: str) -> None:
    pass


def left(folder: Path) -> set[str]:
    place = folder / "net"
    return set(os.listdir(place)) if place.exists() else set()


def downloading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "kvmnb-download"]
