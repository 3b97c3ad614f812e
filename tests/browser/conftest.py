"""A real JupyterLab and a real Chromium, with nothing between the two but this machine."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import (
    Browser,
    Locator,
    Page,
    Route,
    WebSocket,
    expect,
    sync_playwright,
)

from kvmnb import Host

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE_MS = 60_000
"""For a page that is busy on a busy machine; what is awaited mostly takes a second."""

SETTINGS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
}
"""Where JupyterLab keeps what, so that it meets nothing of the user's."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="chromium is not installed"))


@dataclass
class Lab:
    """A JupyterLab server: where it is, and the folder that it shows."""

    url: str
    token: str
    folder: Path
    outside: list[str] = field(default_factory=list)
    """Addresses of other hosts that a page asked for; they got no answer."""

    def notebook(self, name: str, *cells: str) -> Path:
        """Write a notebook with these cells of code."""
        book = nbformat.v4.new_notebook()
        book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        book.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        path = self.folder / name
        nbformat.write(book, path)
        return path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server of its own on the loopback, with a folder and settings of its own."""
    root = tmp_path_factory.mktemp("lab")
    folder, log = root / "books", root / "server.log"
    folder.mkdir()
    # JupyterLab asks its makers for news unless told not to
    quiet = root / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    token = secrets.token_hex(16)
    environment = os.environ | {name: str(root / part) for name, part in SETTINGS.items()}
    environment["JUPYTER_TOKEN"] = token
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    command += [f"--ServerApp.root_dir={folder}", "--expose-app-in-browser", "--allow-root"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Lab(_address(server, root / "runtime", log), token, folder)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        if server.poll() is None:
            server.kill()
            server.wait()
        guests = Host().guests
        for name in list(guests):
            guests.end(name)


def _address(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """Return where the server answers, once it does; it says its port in a file of its own."""
    until = time.monotonic() + 60
    found = runtime / f"jpserver-{server.pid}.json"
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
            url = str(json.loads(found.read_text())["url"])
            with urllib.request.urlopen(f"{url}api", timeout=5):
                return url
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=list(ARGUMENTS)
        )
        yield chromium
        chromium.close()


_CELLS = "window.jupyterapp?.shell?.currentWidget?.content?.widgets?.length"


@dataclass
class Visit:
    """A notebook that is open in a page."""

    page: Page
    frames: list[bytes] = field(default_factory=list)
    """What came over the page's web sockets, as it came."""

    def do(self, command: str, **arguments: Any) -> None:
        """Begin one of JupyterLab's commands, as a menu does."""
        script = "([name, given]) => { jupyterapp.commands.execute(name, given); }"
        self.page.evaluate(script, [command, arguments])

    def run_all(self) -> None:
        """Begin to run all cells."""
        self.do("notebook:run-all-cells")

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => null)")

    def wait(self, condition: str, argument: object = None) -> None:
        """Wait until a piece of JavaScript is true."""
        self.page.wait_for_function(condition, arg=argument)

    def points(self, selector: str = ".kvmnb-guest", count: int = 4) -> Locator:
        """Wait until what the selector finds has so many points, and return it."""
        found = self.page.locator(selector).last
        found.wait_for()
        script = "([e, n]) => Number(e.dataset.points) >= n"
        self.page.wait_for_function(script, arg=[found.element_handle(), count])
        return found

    def settle(self) -> None:
        """Wait until the notebook is loaded and its kernel is there."""
        self.wait(_CELLS)
        self.wait(
            "jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status == 'idle'"
        )


@pytest.fixture(scope="module")
def visit(lab: Lab, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a notebook in a page of its own, from which no other host is ever reached."""
    numbers = itertools.count()
    with contextlib.ExitStack() as stack:

        def open_(book: Path, *, kernel: bool = True, **options: Any) -> Visit:
            options.setdefault("viewport", {"width": 1280, "height": 1000})
            context = browser.new_context(**options)
            stack.callback(context.close)
            context.route("**/*", lambda route: _within(route, lab))
            context.set_default_timeout(PATIENCE_MS)
            visit = Visit(context.new_page())
            # a page that is loaded anew brings back the notebooks of its workspace, so one each
            place = f"{lab.url}lab/workspaces/{book.stem}-{next(numbers)}"
            visit.page.on("websocket", lambda socket: _keep(socket, visit.frames))
            if kernel:
                visit.page.goto(f"{place}/tree/{book.name}?token={lab.token}")
                visit.settle()
            else:
                visit.page.goto(f"{place}?reset&token={lab.token}")
                visit.wait("window.jupyterapp")
                # before that the command is there, but not all that knows how to open a notebook
                visit.page.evaluate("jupyterapp.restored.then(() => null)")
                visit.do(
                    "docmanager:open",
                    path=book.name,
                    kernelPreference={"shouldStart": False, "autoStartDefault": False},
                )
                visit.wait(_CELLS)
            return visit

        yield open_
    assert lab.outside == [], "a page asked other hosts"


def _keep(socket: WebSocket, frames: list[bytes]) -> None:
    socket.on("framereceived", lambda frame: frames.append(_bytes(frame)))


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def _within(route: Route, lab: Lab) -> None:
    address = route.request.url
    if address.startswith((lab.url, "data:", "blob:")):
        route.continue_()
    else:
        lab.outside.append(address)
        route.abort()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the views go: docs/images if KVMNB_SCREENSHOTS is set."""
    if os.environ.get("KVMNB_SCREENSHOTS"):
        return Path(__file__).resolve().parents[2] / "docs/images"
    return tmp_path_factory.mktemp("pictures")
