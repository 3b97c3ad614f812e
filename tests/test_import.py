"""`import kvmnb` is free, and its public face is whole."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

import kvmnb
import kvmnb.errors

HEAVY = ("IPython", "ipywidgets", "anywidget", "plotly", "pandas", "numpy", "asyncio")


def modules_after(code: str) -> set[str]:
    """Return the modules that a fresh Python has loaded after running `code`."""
    report = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_the_heavy_modules_are_installed_so_that_their_absence_means_something(module):
    assert importlib.util.find_spec(module) is not None


def test_import_loads_nothing_heavy():
    assert modules_after("import kvmnb") & {*HEAVY, "libvirt", "subprocess"} == set()


def test_import_adds_nothing_but_itself_to_a_bare_python():
    added = modules_after("import kvmnb") - modules_after("")
    assert {name for name in added if name.startswith("kvmnb")} == {"kvmnb"}


def test_every_exported_name_resolves_to_a_thing_of_that_name():
    for name in kvmnb.__all__:
        value = getattr(kvmnb, name)
        assert name == "__version__" or value.__name__ == name


def test_the_whole_error_tree_is_exported():
    assert set(kvmnb.errors.__all__) <= set(kvmnb.__all__)


def test_dir_shows_what_can_be_had():
    assert set(kvmnb.__all__) <= set(dir(kvmnb))


def test_a_name_that_is_not_there_is_refused_by_name():
    with pytest.raises(AttributeError, match="'kvmnb' has no attribute 'Hots'"):
        _ = kvmnb.Hots  # type: ignore[attr-defined]


def test_describing_a_guest_loads_nothing_heavy():
    line = "from kvmnb import Host; Host().vm('test').mem(128).smp(2).nic('virtio')"
    modules_after(line)  # asks QEMU what it offers, once for all later processes
    assert modules_after(line) & {*HEAVY, "libvirt", "subprocess"} == set()


def test_making_a_host_starts_no_process(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # where nothing is known about QEMU yet
    assert "subprocess" not in modules_after("from kvmnb import Host; Host().vm('test').mem(128)")
    assert list(tmp_path.iterdir()) == []
