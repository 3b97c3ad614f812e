"""The tree of errors, and what each of them says."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
import re
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kvmnb
from kvmnb import errors
from kvmnb.errors import (
    CommandError,
    ConnectError,
    GuestLost,
    GuestTimeout,
    HostError,
    ImageError,
    KvmnbError,
    ParseError,
    SpecError,
    StartError,
    StateError,
    Unsupported,
)
from kvmnb.markup import printable

EACH = (
    SpecError("disk.cache", "wrteback", "one of: writeback, none"),
    Unsupported("qemu", "nic.back", "needs libvirt"),
    ParseError("-m 12x", 5, "not a size"),
    ImageError("tiny", "digest mismatch"),
    HostError("no QEMU", "apt install qemu-system-x86"),
    ConnectError("qemu:///system", "permission denied"),
    StartError(
        "test",
        command=("qemu", "-m", "1"),
        exit_code=1,
        log_tail="no such file\nlast line",
        console_tail="panic",
        cause="no such disk",
        remedy="give one",
        waited_s=0.03,
    ),
    StateError("test", "paused", "resume() it first"),
    CommandError("balloon", "GenericError", "no balloon"),
    GuestLost("test", -9, "killed"),
    GuestTimeout("test", 60.0, "its agent", "login:"),
)


def _drawn() -> dict[str, str | None]:
    """Return each class that errors.py's docstring draws, with the one it hangs on."""
    parents: dict[str, str | None] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").split("::")[1].split("Every error")[0].splitlines():
        if (found := re.search(r"[A-Z]\w+", line)) is None:
            continue
        while above and above[-1][0] >= found.start():
            above.pop()
        parents[found[0]] = above[-1][1] if above else None
        above.append((found.start(), found[0]))
    return parents


def test_the_tree_that_is_drawn_is_the_real_one():
    real = {
        name: next((b.__name__ for b in kind.__bases__ if issubclass(b, KvmnbError)), None)
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, KvmnbError)
    }
    assert _drawn() == real
    assert set(errors.__all__) == set(real)
    assert set(real) <= set(kvmnb.__all__)


def test_the_builtin_bases_that_are_drawn_are_the_real_ones():
    for name, base in re.findall(r"(\w+)\((\w+)\)", errors.__doc__ or ""):
        assert base in {b.__name__ for b in getattr(errors, name).__bases__}
    assert issubclass(SpecError, ValueError)
    assert issubclass(GuestTimeout, TimeoutError)


def test_an_example_of_every_leaf_is_tried_here():
    leaves = {name for name in errors.__all__ if not getattr(errors, name).__subclasses__()}
    assert {type(error).__name__ for error in EACH} == leaves


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_every_fact_is_an_attribute_that_its_docstring_names(error):
    documented = inspect.getdoc(type(error)) or ""
    parameters = set(inspect.signature(type(error)).parameters)
    assert parameters == set(vars(error))
    for fact in parameters:
        assert re.search(rf"^[\w, ]*\b{fact}\b[\w, ]* : ", documented, re.MULTILINE), fact


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_every_fact_is_in_the_message(error):
    message = str(error)
    for name, fact in vars(error).items():
        if name in {"command", "waited_s"} and isinstance(error, StartError):
            continue
        if name in {"text", "position"}:
            continue
        words = {"exit_code": "9" if isinstance(error, GuestLost) else "code 1"}.get(name, fact)
        for line in str(words).splitlines():
            assert line in message, name
    assert all(line.startswith("  ") for line in message.splitlines()[1:])


@pytest.mark.parametrize("error", EACH, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_and_copying_whole(error):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def _fail(error: KvmnbError) -> None:
    error.add_note("from the pool")
    raise error


def test_a_process_pool_hands_an_error_over():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for error in EACH:
            with pytest.raises(type(error)) as caught:
                pool.submit(_fail, error).result()
            assert str(caught.value) == str(error)
            assert caught.value.__notes__ == ["from the pool"]


@given(st.text())
def test_what_a_guest_wrote_has_no_power_over_the_terminal(said):
    for error in (
        StartError(said, log_tail=said, console_tail=said, cause=said, remedy=said),
        GuestLost("test", 1, said),
        GuestTimeout("test", 1.0, said, said),
        CommandError(said, "ExitStatus", said),
        ConnectError(said, said),
        SpecError("name", said, said),
    ):
        assert printable(str(error), keep="\n\t") == str(error)
    assert GuestLost("test", 1, said).log_tail == said


def test_facts_that_are_not_known_are_left_out():
    assert str(StartError("test")) == "guest 'test' did not start"
    assert str(GuestLost("test")) == "guest 'test' is lost: its QEMU process is gone"


def test_a_signal_is_called_one():
    assert "by signal 9" in str(StartError("test", exit_code=-9))
    assert "ended by signal 9" in str(GuestLost("test", -9))


class _NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value", ["x" * 100_000, 10**5000, _NoRepr()], ids=["long", "huge", "broken"]
)
def test_a_value_that_cannot_be_shown_whole_still_makes_a_message(value):
    error = SpecError("mem", value, "no")
    assert len(str(error)) < 300
    assert error.value is value
