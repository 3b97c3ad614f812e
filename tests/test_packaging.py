"""The wheel and the locks: what a user gets who never saw the checkout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
LOCKS = sorted((CHECKOUT / "requirements").glob("*.lock"))


def run(*argv: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of the checkout in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in argv],
        cwd=cwd,
        env={**clean, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of what git would commit, by the locked build tools."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = run("git", "ls-files", "-z", "--cached", cwd=CHECKOUT).stdout
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, source / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", built)
    run(*pip, "wheel", *options, source, cwd=built)
    (found,) = built.glob("kvmnb-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel installed, its dependencies lent by this one's."""
    place = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", place / "env", cwd=place)
    python = place / "env/bin/python"
    (purelib,) = (place / "env/lib").glob("python3*/site-packages")
    # Our own site-packages as a plain path: its .pth files, and so the checkout, stay out.
    (purelib / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", f"--python={python}")
    options = ("--no-deps", "--no-index", "--ignore-installed")
    run(*pip, "install", *options, wheel, cwd=place)
    return place


def test_the_wheel_holds_every_committed_file_of_the_package_and_the_notebooks(wheel):
    listed = run("git", "ls-files", "-z", "kvmnb", "notebooks", cwd=CHECKOUT).stdout
    wanted = {
        re.sub("^notebooks/", "kvmnb/notebooks/", name)
        for name in filter(None, listed.split("\0"))
        if (CHECKOUT / name).is_file()
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == wanted


def test_the_wheel_carries_its_licence_and_asks_for_the_five_core_packages_alone(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    fields = archive.read(metadata).decode().partition("\n\n")[0].splitlines()
    needs = {
        re.split("[<>=!~;[ ]", field.removeprefix("Requires-Dist: "))[0]
        for field in fields
        if field.startswith("Requires-Dist: ") and "extra ==" not in field
    }
    assert needs <= {"qemu-qmp", "qemu.qmp", "ipywidgets", "anywidget", "pandas", "plotly"}
    assert len(needs) == 5
    assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())


def test_an_installed_kvmnb_is_the_wheels_and_imports_from_anywhere(installed, tmp_path):
    code = "import kvmnb, sys; print(kvmnb.__file__); print(kvmnb.__version__)"
    file, version = run(installed / "env/bin/python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert Path(file).is_relative_to(installed / "env")
    assert version == tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]


def test_the_installed_command_tells_its_verbs_from_an_empty_folder(installed, tmp_path):
    told = run(installed / "env/bin/kvmnb", "--help", cwd=tmp_path, HOME=str(tmp_path)).stdout
    assert {"doctor", "lab", "demo", "ls", "rm", "reap", "image"} <= set(told.split())
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def served(*argv: str | Path, cwd: Path) -> Iterator[str]:
    """Run ``kvmnb lab`` until the block ends; give the address that it prints."""
    process = subprocess.Popen(
        [*argv, "lab", "--no-browser", "--port", "0"],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if (found := re.search(r"http://127\.0\.0\.1:\S+token=\w+", line)) is not None:
                yield found[0]
                break
        else:
            raise AssertionError("".join(said))
    finally:
        process.terminate()
        process.communicate(timeout=30)


def quickstart_at(address: str) -> str:
    """Fetch the quickstart notebook from the Jupyter server at `address`."""
    server, _, token = address.partition("/lab/tree/00_quickstart.ipynb?")
    asked = f"{server}/api/contents/00_quickstart.ipynb?{token}"
    until = time.monotonic() + 20
    while True:  # the server tells its address an instant before it listens there
        try:
            with urllib.request.urlopen(asked) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.mark.guest
def test_lab_opens_the_checkouts_quickstart_in_jupyterlab():
    with served(sys.executable, "-m", "kvmnb", cwd=CHECKOUT) as address:
        assert "A real guest in a notebook" in quickstart_at(address)


@pytest.mark.guest
def test_an_installed_lab_opens_a_copy_of_the_quickstart_made_where_it_is_run(installed, tmp_path):
    with served(installed / "env/bin/kvmnb", cwd=tmp_path) as address:
        assert "A real guest in a notebook" in quickstart_at(address)
    assert [path.name for path in tmp_path.iterdir()] == ["kvmnb-notebooks"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_pins_and_hashes_everything_and_names_no_host(lock):
    text = lock.read_text()
    assert re.search(r"https?://|--(extra-)?index-url|--find-links|/home/|/root/", text) is None
    entries = re.split(r"\n(?=\S)", text.partition("\n")[2].strip())
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==[^\s;]+( ; .*)? \\\n    --hash=sha256:[0-9a-f]{64}", entry)


def test_the_test_environment_holds_all_of_labs_in_the_same_versions():
    def pins(name: str) -> set[str]:
        text = (CHECKOUT / "requirements" / name).read_text()
        return set(re.findall(r"^[a-z0-9.-]+==\S+", text, re.MULTILINE))

    assert pins("lab.lock") < pins("test.lock")


def test_the_locks_know_every_package_that_the_project_names():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name, groups in {
        "lab.lock": [project["dependencies"], extras["lab"]],
        "test.lock": [project["dependencies"], extras["lab"], extras["test"], extras["dev"]],
    }.items():
        locked = (CHECKOUT / "requirements" / name).read_text()
        for need in (need for group in groups for need in group):
            package = re.split("[<>=]", need)[0].lower().replace(".", "-")
            assert re.search(rf"^{package}==", locked, re.MULTILINE), f"{need}: run tools/lock.sh"


def test_the_javascript_lock_is_hashed_and_names_no_host():
    text = (CHECKOUT / "js/package-lock.json").read_text()
    assert '"resolved"' not in text
    packages = text.count('"node_modules/')
    assert packages == text.count('"integrity": "sha512-') > 0
