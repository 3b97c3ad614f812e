"""The widgets' built JavaScript is what its sources give: nobody needs npm to use kvmnb."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
STATIC = "kvmnb/widgets/static"

pytestmark = pytest.mark.skipif(
    not (CHECKOUT / "js/src").is_dir(), reason="no widget has sources in js/src"
)


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in `folder` by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of js/, built with the locked tools into the folder beside it."""
    place = tmp_path_factory.mktemp("checkout")
    # A real copy: a linked node_modules would show its own paths to the bundler.
    unneeded = shutil.ignore_patterns("typescript", ".bin")
    shutil.copytree(CHECKOUT / "js", place / "js", ignore=unneeded)
    (place / STATIC).mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["npm", "run", "--silent", "build"],
        cwd=place / "js",
        env={**os.environ, "PATH": path, "HOME": str(place)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / STATIC


def test_the_built_files_are_what_their_sources_give(rebuilt):
    fresh, committed = files(rebuilt), files(CHECKOUT / STATIC)
    assert fresh, "the build wrote nothing"
    stale = sorted(name for name in fresh if fresh[name] != committed.get(name))
    assert stale == [], "run `make build` and commit what it writes"
    modules = {name for name in committed if name.endswith((".js", ".css"))}
    assert modules <= set(fresh), "built files without a source: remove them"


def test_the_built_files_ask_no_other_host_for_anything(rebuilt):
    # Addresses in comments and of XML name spaces are fine; something loaded from one is not.
    loads = re.compile(rb"""(import\s*\(?|from\s*|src=|url\(|fetch\()\s*["'`]?(https?:)?//""")
    assert [name for name, text in files(rebuilt).items() if loads.search(text)] == []
