"""The beginning of a VNC client: it says whether a server admits it."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

NONE, PASSWORD = 1, 2
"""Security types of RFC 6143, 7.1.2."""


def _encrypted(challenge: bytes, password: str) -> bytes:
    # the key is the password's first 8 bytes, the bits of each in reverse order (RFC 6143, 7.2.2)
    padded = password.encode()[:8].ljust(8, b"\0")
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in padded)
    if shutil.which("openssl") is None:
        pytest.skip("the answer to VNC's challenge needs openssl")
    line = ["openssl", "enc", "-des-ecb", "-nopad", "-K", key.hex()]
    for more in (["-provider", "legacy", "-provider", "default"], []):
        done = subprocess.run([*line, *more], input=challenge, capture_output=True, check=False)
        if done.returncode == 0 and len(done.stdout) == len(challenge):
            return done.stdout
    pytest.skip("openssl has no DES here")


class VNCClient:
    """One attempt to get in.

    Parameters
    ----------
    address : a Unix socket's path, or ``(host, port)``
    """

    def __init__(self, address: str | tuple[str, int]) -> None:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.settimeout(20)
        self._socket.connect(address)
        assert self._read(4) == b"RFB "
        self._read(8)
        self._socket.sendall(b"RFB 003.008\n")
        count = self._read(1)[0]
        self.offered = set(self._read(count))

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            assert piece, "the server hung up"
            data += piece
        return data

    def admitted(self, password: str | None = None) -> bool:
        """Answer the server's challenge, or ask to be let in without one."""
        with self._socket:
            try:
                if password is None:
                    self._socket.sendall(bytes([NONE]))
                else:
                    self._socket.sendall(bytes([PASSWORD]))
                    self._socket.sendall(_encrypted(self._read(16), password))
                result = self._read(4)
            except (AssertionError, ConnectionError):
                return False
            return result == bytes(4)
