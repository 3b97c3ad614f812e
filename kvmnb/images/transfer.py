"""One download: pieces of bytes, from a thread of its own so that the caller can watch.

The caller is woken several times a second whatever the server does, and can end the transfer at
once. Only https is spoken, and http with this machine; http and ftp with others where the caller
says so.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import queue
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

__all__ = ["Answer", "Missing", "Refused", "Transfer", "check_url"]

PIECE_BYTES = 256 << 10
STALL_S = 30.0
"""Without a byte for so long the connection counts as lost."""

WAKE_S = 0.25
AHEAD = 16
"""Pieces that may wait for a slow disk."""


class Refused(Exception):
    """The server, or a rule of ours, says no: trying again will not help."""


class Missing(Refused):
    """The server has no such file, or shows it to nobody."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of what the server sent.

    Parameters
    ----------
    status : 200 for the whole file, 206 for the rest of it, 416 where there is no rest
    start : index of the first byte that follows, in the whole file
    total : the whole file's size in bytes, or ``None`` where the server does not say
    validator : names this version of the file (a strong ETag, else Last-Modified); ``""`` if none
    """

    status: int
    start: int
    total: int | None
    validator: str


def check_url(url: str, *, plain: bool = False) -> None:
    """Refuse what is neither https nor http with this machine; `plain` lets http and ftp pass.

    Raises
    ------
    Refused   another scheme, or no host
    """
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if host and (parts.scheme == "https" or (plain and parts.scheme in {"http", "ftp"})):
        return
    if parts.scheme == "http" and _is_loopback(host):
        return
    raise Refused(f"only https is trusted, and http on this machine alone; not {url!r}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Transfer:
    """A GET request under way: first its `answer`, then its `pieces`.

    Parameters
    ----------
    offset, validator : ask for the rest from this byte on, if the file still is that version
    plain : trust http and ftp too, where nobody vouches for what comes

    Use it as a context manager; leaving it ends the transfer and its thread.
    """

    def __init__(
        self, url: str, *, offset: int = 0, validator: str = "", plain: bool = False
    ) -> None:
        check_url(url, plain=plain)
        self._plain = plain
        headers = {"Accept-Encoding": "identity", "User-Agent": "kvmnb"}
        if offset:
            headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
        self._request = urllib.request.Request(url, headers=headers)
        self._offset = offset
        self._items: queue.Queue[Answer | bytes | BaseException | None] = queue.Queue(AHEAD)
        self._stopped = threading.Event()
        self._sockets: list[socket.socket] = []
        self._thread = threading.Thread(target=self._work, name="kvmnb-download", daemon=True)

    def __enter__(self) -> Transfer:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stopped.set()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._items.get_nowait()  # room for what it wants to hand over
            self._thread.join(0.01)

    def __iter__(self) -> Iterator[Answer | bytes | None]:
        """Yield the answer, then pieces; ``None`` each time that nothing came for a while.

        Raises
        ------
        Refused   see there
        OSError   the connection failed, was cut or stalled; another try may do
        """
        while True:
            try:
                item = self._items.get(timeout=WAKE_S)
            except queue.Empty:
                yield None
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _work(self) -> None:
        end: BaseException | None = None
        try:
            if self._request.type == "ftp":
                self._get_ftp()
            else:
                self._get()
        except urllib.error.HTTPError as error:
            error.close()
            # 408, 429 and 5xx are the server's bad moments
            passing = error.code in {408, 429} or error.code >= 500
            text = f"the server says {error.code} {error.reason}"
            gone = error.code in {403, 404, 410}
            end = OSError(text) if passing else Missing(text) if gone else Refused(text)
        except Refused as error:
            end = error
        except urllib.error.URLError as error:
            refused = error.reason if isinstance(error.reason, Refused) else None
            end = refused or OSError(str(error.reason))
        except (OSError, http.client.HTTPException) as error:
            end = OSError(str(error) or type(error).__name__)
        except Exception as error:
            end = error
        self._hand_over(end)

    def _get(self) -> None:
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Plain(self._sockets),
            _Secure(self._sockets),
            _Redirects(self._plain),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.UnknownHandler(),
        ):
            opener.add_handler(handler)
        try:
            response = opener.open(self._request, timeout=STALL_S)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            error.close()
            self._hand_over(Answer(416, 0, None, ""))
            return
        with response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise Refused("the server sends it compressed, which was not asked for")
            answer, length = _answer(response, self._offset)
            self._hand_over(answer)
            came = 0
            while not self._stopped.is_set():
                piece = response.read1(PIECE_BYTES)
                if not piece:
                    break
                came += len(piece)
                self._hand_over(piece)
            if length is not None and came < length:
                raise OSError(f"the connection ended {length - came} bytes early")

    def _get_ftp(self) -> None:
        import ftplib

        parts = urllib.parse.urlsplit(self._request.full_url)
        path = urllib.parse.unquote(parts.path)
        if not path.isprintable():
            raise Refused("a path that FTP cannot ask for")
        try:
            with ftplib.FTP() as ftp:
                ftp.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT, STALL_S)
                assert ftp.sock is not None
                self._sockets.append(ftp.sock)
                ftp.login(parts.username or "", parts.password or "")
                ftp.voidcmd("TYPE I")
                data, total = ftp.ntransfercmd(f"RETR {path}")
                with data:
                    self._sockets.append(data)
                    self._hand_over(Answer(200, 0, total, ""))
                    while not self._stopped.is_set() and (piece := data.recv(PIECE_BYTES)):
                        self._hand_over(piece)
                if not self._stopped.is_set():
                    ftp.voidresp()  # 226, if that was all
        except ftplib.error_perm as error:
            # 550: no such file, or not for you (RFC 959, 4.2)
            kind = Missing if str(error).startswith("550") else Refused
            raise kind(f"the server says {error}") from None
        except (ftplib.Error, EOFError) as error:
            raise OSError(f"the server says {error}") from error

    def _hand_over(self, item: Answer | bytes | BaseException | None) -> None:
        while not self._stopped.is_set():
            try:
                self._items.put(item, timeout=WAKE_S)
                return
            except queue.Full:
                continue


def _answer(response: http.client.HTTPResponse, offset: int) -> tuple[Answer, int | None]:
    """Return the answer's facts, and how many bytes follow."""
    text = response.headers.get("Content-Length", "")
    length = int(text) if text.isdecimal() else None
    etag = response.headers.get("ETag", "")
    # a weak one promises the same meaning, not the same bytes (RFC 9110, 8.8.1)
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    if response.status != 206:
        return Answer(200, 0, length, validator), length
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, whole = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdecimal() or int(first) != offset:
        raise Refused("the server sends another part than was asked for")
    total = int(whole) if whole.isdecimal() else None
    return Answer(206, offset, total, validator), length


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect only to where we would have gone ourselves."""

    def __init__(self, plain: bool) -> None:
        self._plain = plain

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> object:
        where = headers.get("Location") or headers.get("URI") or ""
        try:
            check_url(urllib.parse.urljoin(req.full_url, where), plain=self._plain)
        except Refused:
            fp.close()
            raise
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        sockets = self._sockets

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return self.do_open(Connection, req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()
        self._sockets = sockets

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        sockets = self._sockets

        class Connection(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return self.do_open(Connection, req)
