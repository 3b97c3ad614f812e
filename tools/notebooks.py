#!/usr/bin/env python3
"""Execute the notebooks and write them with static outputs: ``make notebooks``.

The text of a notebook is its ``.md`` file (MyST); its ``.ipynb`` is made from that here. Outputs
are what the cells gave on this machine, with three changes, so that the file can be read anywhere
and says nothing of where it was made: plotly figures become pictures, live widgets leave their
still pictures, and this machine's own folders are named as any user's are.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
CHROMIUM = "/usr/bin/chromium"
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
LIMIT_S = 300


def main(names: list[str]) -> int:
    """Execute the notebooks named, all where none is."""
    for source in sorted(NOTEBOOKS.glob("*.md")):
        if names and source.stem not in names:
            continue
        notebook = jupytext.read(source)
        with tempfile.TemporaryDirectory(prefix="kvmnb-nb-") as place:
            folders = _execute(notebook, Path(place))
            _tidy(notebook, folders)
        target = source.with_suffix(".ipynb")
        nbformat.write(notebook, target)
        print(f"{target.name}: {len(notebook.cells)} cells, {target.stat().st_size >> 10} kB")
    return 0


def _execute(notebook: Any, place: Path) -> dict[str, str]:
    """Run all cells in folders of their own; return how those are to be named."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for name in ("run", "home"):
        (place / name).mkdir(mode=0o700)
    os.environ.update(
        XDG_RUNTIME_DIR=str(place / "run"),
        XDG_CACHE_HOME=str(cache),
        HOME=str(place / "home"),
        IPYTHONDIR=str(place / "home/.ipython"),
        JUPYTER_CONFIG_DIR=str(place / "home/.jupyter"),
    )
    os.environ.pop("XDG_STATE_HOME", None)
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(place / "home")}},
    )
    client.execute()
    checkout = str(NOTEBOOKS.parent)
    return {
        f"{place}/run": "/run/user/1000",
        f"{place}/home": "~",
        str(cache): "~/.cache",
        checkout: "~/kvmnb",
    }


def _tidy(notebook: Any, folders: dict[str, str]) -> None:
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.pop("id", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "data" in output:
                _still(output)
        if cell.cell_type == "code":
            text = json.dumps(cell.outputs)
            for real, shown in folders.items():
                text = text.replace(json.dumps(real)[1:-1], shown)
            cell.outputs = [nbformat.from_dict(output) for output in json.loads(text)]
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index:02d}"


def _still(output: Any) -> None:
    data = output["data"]
    data.pop(WIDGET, None)
    if PLOTLY in data:
        picture = _picture(data[PLOTLY])
        data.clear()
        data["image/png"] = base64.b64encode(picture).decode()
        data["text/plain"] = "A plotly figure, shown here as a picture."
    if "text/html" in data:
        data["text/html"] = re.sub(r"\s+$", "", data["text/html"])


def _picture(figure: dict[str, Any]) -> bytes:
    """Draw a plotly figure in a browser, which asks nobody for anything."""
    import plotly.io
    from playwright.sync_api import sync_playwright

    figure.pop("config", None)
    drawn = plotly.io.from_json(json.dumps(figure), skip_invalid=True)
    page_html = drawn.to_html(include_plotlyjs=True, full_html=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 900, "height": 900})
        page.set_content(page_html)
        shown = page.locator(".plot-container")
        shown.wait_for()
        picture: bytes = page.locator(".js-plotly-plot").screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
