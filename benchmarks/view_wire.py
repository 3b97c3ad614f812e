"""What one update of a live view puts on the wire, counted where it leaves a real kernel."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

from jupyter_client.manager import start_new_kernel

from benchmarks._ratio import Figures

UPDATES = 30
LIMIT_S = 120.0
SERIES = 10

CODE = """
from kvmnb import Host
vm = Host().vm("view-wire").mem(128).smp(2).disk("tiny").nic("virtio")
guest = vm.start()
view = guest.view()
print(view.model_id)
"""


def sizes(client: Any, model_id: str) -> list[int]:
    """Return the bytes of each update: all parts of its message, signature and headers too."""
    hello = {"comm_id": model_id, "data": {"method": "custom"}}
    hello["data"]["content"] = {"kind": "hello", "from": "bench"}  # type: ignore[index]
    client.shell_channel.send(client.session.msg("comm_msg", hello))
    found: list[int] = []
    until = time.monotonic() + LIMIT_S
    while len(found) < UPDATES:
        assert time.monotonic() < until, "the view told too little"
        parts = client.iopub_channel.socket.recv_multipart()
        kind, rows = _kind(parts)
        # float64 time and float32 values or wider: at least that many series are in it
        if kind == "row" and len(rows) >= 4 * (SERIES + 1):
            found.append(sum(map(len, parts)))
    return found


def _kind(parts: list[bytes]) -> tuple[str, bytes]:
    """Return what the view says a message is, and its buffer."""
    at = parts.index(b"<IDS|MSG>") + 2
    if json.loads(parts[at])["msg_type"] != "comm_msg":
        return "", b""
    content = json.loads(parts[at + 3])["data"].get("content") or {}
    return content.get("kind", ""), b"".join(parts[at + 4 :])


def main() -> None:
    """Take the figure."""
    figures = Figures()
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        said: list[str] = []
        client.execute_interactive(
            CODE,
            timeout=LIMIT_S,
            output_hook=lambda m: said.append(m["content"].get("text", "")),
        )
        model_id = "".join(said).split()[-1]
        typical = statistics.median(sizes(client, model_id))
        what = f"one update of a live view with {SERIES} series or more, of 1 kB"
        figures.share(what, typical, 1000.0, 1.0, "B")
        client.execute_interactive("guest.destroy()", timeout=LIMIT_S)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    figures.end()


if __name__ == "__main__":
    main()
