"""``kvmnb lab``: JupyterLab on the quickstart notebook, from a checkout or from the package."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from kvmnb.errors import HostError
from kvmnb.host import Host

__all__ = ["serve"]

QUICKSTART = "00_quickstart.ipynb"
COPIES = "kvmnb-notebooks"


def serve(*, browser: bool, port: int) -> int:
    """Prepare what a notebook needs and run JupyterLab until it is stopped.

    Installs JupyterLab where it is missing and Python runs in a virtual environment.

    Raises
    ------
    HostError   JupyterLab is missing and may not be installed here
    """
    _need_jupyterlab()
    folder = _notebooks()
    print("preparing the tiny guest …", flush=True)
    Host().images.get("tiny")
    argv = [sys.executable, "-m", "jupyterlab", f"--port={port}"]
    argv += [f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    argv.append(f"--LabApp.default_url=/lab/tree/{QUICKSTART}")
    argv += ["--no-browser"] if not browser else []
    if os.geteuid() == 0:
        argv.append("--allow-root")
    os.execv(sys.executable, argv)


def _need_jupyterlab() -> None:
    if importlib.util.find_spec("jupyterlab") is not None:
        return
    argv = [sys.executable, "-m", "pip", "install", "jupyterlab>=4.4"]
    if sys.prefix == sys.base_prefix:
        raise HostError("JupyterLab is not installed", "python3 -m pip install 'kvmnb[lab]'")
    print("installing JupyterLab into this virtual environment …", flush=True)
    if subprocess.run(argv, check=False).returncode:
        raise HostError("JupyterLab could not be installed", "python3 -m pip install 'kvmnb[lab]'")
    importlib.invalidate_caches()


def _notebooks() -> Path:
    """Return a folder of notebooks that can be written to.

    A checkout's own; from an installed package, copies in the current folder, made once.
    """
    checkout = Path(__file__).resolve().parents[1] / "notebooks"
    if (checkout / QUICKSTART).exists() and (checkout.parent / "pyproject.toml").exists():
        return checkout
    shipped = Path(__file__).resolve().parent / "notebooks"
    target = Path.cwd() / COPIES
    target.mkdir(exist_ok=True)
    for notebook in sorted(shipped.glob("*.ipynb")):
        if not (target / notebook.name).exists():
            shutil.copy(notebook, target / notebook.name)
    return target
