"""The store of warm-start templates: whole or not at all, whoever is killed meanwhile."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvmnb import HostError, SpecError
from kvmnb.engines.qemu.templates.files import BATCH
from kvmnb.engines.qemu.templates.folders import MANIFEST
from kvmnb.engines.qemu.templates.store import DamagedError, Template, Templates, key

KEY = key({"guest": "test"})
RAM = 4 << 20
PARTS = ((8192, 4096), (65536, BATCH + 12288), (3 << 20, 200_000))
"""Where the RAM of these templates has data: offsets and lengths."""

HEADER = """
import os, sys, time
from kvmnb.engines.qemu.templates.store import Templates, key
store = Templates(sys.argv[1])
KEY = key({"guest": "test"})
"""


@pytest.fixture
def store(tmp_path) -> Templates:
    return Templates(tmp_path / "templates")


def fill(folder: Path, seed: int = 0) -> None:
    """Write a sparse RAM, device states and an empty file."""
    some = random.Random(seed)
    with open(folder / "ram", "wb") as file:
        file.truncate(RAM)
        for start, length in PARTS:
            file.seek(start)
            file.write(some.randbytes(length))
    (folder / "devices").write_bytes(some.randbytes(5000))
    (folder / "empty").touch()


def put(store: Templates, key: str = KEY, name: str = "test", seed: int = 0) -> None:
    with store.put(key) as draft:
        fill(draft.folder, seed)
        draft.commit({"name": name, "layers": ["a", "b"]})


def copied(template: Template, name: str = "ram") -> tuple[bytes, int]:
    """Return what `copy_into` makes of a file, and how many bytes of memory that takes."""
    fd = os.memfd_create("copy")
    try:
        os.ftruncate(fd, template.files[name].size_bytes)
        template.copy_into(name, fd)
        return os.pread(fd, RAM, 0), os.fstat(fd).st_blocks * 512
    finally:
        os.close(fd)


def is_whole(store: Templates, key: str = KEY) -> bool:
    """Whether there is a template; if so, it must be whole."""
    template = store.get(key)
    if template is None:
        return False
    with template:
        template.verify_all()
    return True


def got(store: Templates) -> Template:
    """The template that is known to be there."""
    template = store.get(KEY)
    assert template is not None
    return template


def left(store: Templates) -> list[str]:
    return os.listdir(store.root) if store.root.exists() else []


@pytest.fixture
def script() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run some Python with a store of that folder in another process."""
    with ExitStack() as stack:

        def run(code: str, store: Templates, *words: str) -> subprocess.Popen[str]:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", HEADER + code, str(store.root), *words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            return process

        yield run


# -- what is put is got ----------------------------------------------------------------------


def test_what_was_put_is_got_with_its_payload(store):
    put(store)
    with store.get(KEY) as template:
        template.verify_all()
        assert template.manifest == {"name": "test", "layers": ["a", "b"]}
        assert set(template.files) == {"ram", "devices", "empty"}
        assert template.files["ram"].size_bytes == RAM
        assert (template.folder / "devices").stat().st_size == 5000
    assert store.get(key({"guest": "other"})) is None


def test_making_a_store_and_asking_it_makes_nothing(store):
    assert store.get(KEY) is None
    assert store.entries() == []
    assert store.evict() == store.clear() == []
    store.discard(KEY, "no reason")
    assert not store.root.exists()


def test_the_store_lies_in_the_users_cache():
    assert Templates().root == Path(os.environ["XDG_CACHE_HOME"]) / "kvmnb/templates"


def test_a_key_is_the_same_in_every_process_and_for_every_order():
    code = (
        "from kvmnb.engines.qemu.templates.store import key; print(key({'b': [1, None], 'a': 'ä'}))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == key({"a": "ä", "b": [1, None]})
    assert key({"a": "ä", "b": [1, 0]}) != key({"a": "ä", "b": [1, None]})


@pytest.mark.parametrize("wrong", ["", "..", "a/b", "a.b", "a\n", "x" * 65])
def test_a_key_that_is_no_folders_name_is_refused(store, wrong):
    for verb in (store.get, store.put(wrong).__enter__, lambda each: store.discard(each, "")):
        with pytest.raises(ValueError, match="key"):
            verb(*([wrong] if verb.__name__ != "__enter__" else []))
    assert left(store) == []


def test_a_copy_is_equal_and_as_sparse_as_the_file(store):
    put(store)
    with store.get(KEY) as template:
        content, memory = copied(template)
        assert content == (template.folder / "ram").read_bytes()
        assert memory < RAM / 2


def test_a_copy_into_something_of_another_size_is_refused(store, tmp_path):
    put(store)
    with store.get(KEY) as template, open(tmp_path / "small", "wb") as target:
        with pytest.raises(ValueError, match=str(RAM)):
            template.copy_into("ram", target.fileno())
        with pytest.raises(KeyError):
            template.verify("other")
    assert is_whole(store)


def test_a_closed_template_says_so_and_stays(store):
    put(store)
    template = store.get(KEY)
    template.close()
    template.close()
    with pytest.raises(ValueError, match="closed"):
        template.verify_all()
    assert is_whole(store)


def test_a_hole_that_became_zeros_and_zeros_that_became_a_hole_are_no_damage(store):
    with store.put(KEY) as draft:
        with open(draft.folder / "ram", "wb") as file:
            file.truncate(RAM)
            file.seek(1 << 20)
            file.write(bytes(1 << 20) + b"data")
        draft.commit({})
    (folder,) = store.root.iterdir()
    (folder / "ram").rename(folder / "old")
    with open(folder / "ram", "wb") as file:
        file.write(bytes(1 << 20))
        file.seek(2 << 20)
        file.write(b"data")
        file.truncate(RAM)
    with store.get(KEY) as template:
        template.verify_all()
        assert copied(template)[0] == (folder / "ram").read_bytes()


def test_a_new_template_takes_the_place_of_the_old_one(store):
    put(store, name="old")
    with store.get(KEY) as old:
        put(store, name="new", seed=1)
        old.verify_all()
        with store.get(KEY) as new:
            assert new.manifest["name"] == "new"
            assert copied(new)[0] != copied(old)[0]
    assert [entry.name for entry in store.entries()] == ["new"]
    assert len(left(store)) == 1


def test_a_linked_file_outlives_its_template(store, tmp_path):
    put(store)
    with store.get(KEY) as template:
        os.link(template.folder / "devices", tmp_path / "layer")
        content = (template.folder / "devices").read_bytes()
    store.discard(KEY, "tested")
    assert left(store) == []
    assert (tmp_path / "layer").read_bytes() == content


# -- a draft that is not committed -----------------------------------------------------------


def test_without_a_commit_nothing_is_left(store):
    with store.put(KEY) as draft:
        assert draft.folder.name.startswith(".")
        assert draft.folder.stat().st_mode & 0o777 == 0o700
        fill(draft.folder)
        assert store.get(KEY) is None
    assert left(store) == []


def test_an_error_leaves_nothing_and_is_the_users_own(store):

    def fail() -> None:
        with store.put(KEY) as draft:
            fill(draft.folder)
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    assert left(store) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: (folder / "sub").mkdir(),
        lambda folder: (folder / "link").symlink_to("devices"),
        lambda folder: (folder / MANIFEST).touch(),
    ],
)
def test_what_is_no_plain_file_is_refused(store, make):
    with store.put(KEY) as draft:
        fill(draft.folder)
        make(draft.folder)
        with pytest.raises(ValueError, match="not a file"):
            draft.commit({})
    assert left(store) == []


def test_a_payload_that_json_cannot_say_is_refused(store):
    with store.put(KEY) as draft, pytest.raises(TypeError):
        draft.commit({"name": object()})
    assert left(store) == []


def test_a_second_commit_is_refused_and_the_first_stays(store):
    with store.put(KEY) as draft:
        draft.commit({})
        with pytest.raises(ValueError, match="already"):
            draft.commit({})
    assert is_whole(store)


# -- damage ----------------------------------------------------------------------------------


def _flip(path: Path, where: float) -> None:
    content = bytearray(path.read_bytes())
    at = min(int(where * len(content)), len(content) - 1)
    content[at] ^= 1 << int(where * 1e6) % 8
    with open(path, "r+b") as file:  # only that byte: the holes stay
        file.seek(at)
        file.write(content[at : at + 1])


def _truncate(path: Path, where: float) -> None:
    os.truncate(path, int(where * (path.stat().st_size - 1)))


def _extend(path: Path, where: float) -> None:
    with open(path, "ab") as file:
        file.write(bytes(1 + int(where * 5000)))


def _link(path: Path, _: float) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _fifo(path: Path, _: float) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path, _: float) -> None:
    path.unlink()
    path.mkdir()


def _delete(path: Path, _: float) -> None:
    path.unlink()


def _swap(path: Path, where: float) -> None:
    """Exchange two pages of the data."""
    start, length = PARTS[1]
    pages = length // 4096
    one = int(where * (pages - 2))
    content = path.read_bytes()
    with open(path, "r+b") as file:
        for here, there in ((one, pages - 1), (pages - 1, one)):
            file.seek(start + here * 4096)
            file.write(content[start + there * 4096 :][:4096])


DAMAGES = (_flip, _truncate, _extend, _link, _fifo, _folder, _delete)
LOOKS: tuple[Callable[[Template], object], ...] = (
    Template.verify_all,
    lambda template: [copied(template, name) for name in template.files],
)


@settings(max_examples=120)
@given(
    name=st.sampled_from(("ram", "devices", MANIFEST)),
    damage=st.sampled_from(DAMAGES),
    where=st.floats(0, 1),
    look=st.sampled_from(LOOKS),
    held=st.booleans(),
)
def test_any_damage_is_noticed_and_the_template_discarded(name, damage, where, look, held):
    with tempfile.TemporaryDirectory() as folder:
        store = Templates(folder)
        put(store)
        (place,) = store.root.iterdir()
        if held and name != MANIFEST:  # damaged after it was got
            with got(store) as template:
                damage(place / name, where)
                with pytest.raises(DamagedError, match=name):
                    look(template)
                assert store.get(KEY) is None
        else:
            damage(place / name, where)
            found = store.get(KEY)
            assert found is None or (damage is _flip and name != MANIFEST)
            if found is not None:
                with found, pytest.raises(DamagedError, match=name):
                    look(found)
        assert store.get(KEY) is None
        assert left(store) == []
        put(store)
        assert is_whole(store)


@given(where=st.floats(0, 1))
@settings(max_examples=10)
def test_exchanged_pages_are_noticed(where):
    with tempfile.TemporaryDirectory() as folder:
        store = Templates(folder)
        put(store)
        (place,) = store.root.iterdir()
        _swap(place / "ram", where)
        with got(store) as template, pytest.raises(DamagedError):
            copied(template)


def test_every_byte_of_a_manifest_counts(store):
    with store.put(KEY) as draft:
        draft.commit({"name": "test"})
    (place,) = store.root.iterdir()
    content = (place / MANIFEST).read_bytes()
    assert is_whole(store)
    for at in range(len(content)):
        wrong = bytearray(content)
        wrong[at] ^= 1
        place.mkdir(mode=0o700, exist_ok=True)
        (place / MANIFEST).write_bytes(wrong)
        assert store.get(KEY) is None
        assert left(store) == []


def test_a_template_under_another_key_is_not_got(store):
    put(store)
    (place,) = store.root.iterdir()
    other = key({"guest": "other"})
    place.rename(store.root / f"{other}.00000000")
    assert store.get(other) is None
    assert left(store) == []


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o707, 0o000])
def test_a_template_that_others_could_write_to_is_discarded(store, mode):
    put(store)
    (place,) = store.root.iterdir()
    place.chmod(mode)
    template = store.get(KEY)
    if template is not None:  # root opens a folder of mode 0 all the same
        assert mode == 0
        template.close()
        return
    assert left(store) == []


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/etc"), os.mkfifo])
def test_what_is_no_folder_at_a_templates_place_is_removed_and_not_followed(store, make):
    put(store)
    (place,) = store.root.iterdir()
    shutil.rmtree(place)
    make(place)
    assert store.get(KEY) is None
    assert left(store) == []
    assert Path("/etc/passwd").exists()


def test_what_is_not_the_stores_own_stays(store):
    put(store)
    for name in ("notes.txt", ".draft-", ".gone-mine", "a b.00000000", ".hidden"):
        (store.root / name).mkdir()
    store.clear()
    assert set(left(store)) == {"notes.txt", ".draft-", ".gone-mine", "a b.00000000", ".hidden"}


def test_a_lack_of_descriptors_is_no_damage(store, script):
    put(store)
    code = """
import resource, threading
from kvmnb.errors import HostError
HostError("imported", "what errors need\\n")  # Python's own imports take descriptors too
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
open_now = len(os.listdir("/proc/self/fd")) - 1
for spare in range(6):
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + spare, hard))
    template = store.get(KEY)
    store.evict()
    store.entries()
    if template is not None:
        try:
            template.verify_all()
            print("whole", flush=True)
        except Exception as error:
            print(type(error).__name__, flush=True)
        template.close()
    else:
        print("none", flush=True)
"""
    said = script(code, store).communicate(timeout=60)[0].split()
    assert said[0] == "none"
    assert said[-1] == "whole"
    assert set(said) <= {"none", "HostError", "whole"}
    assert is_whole(store)


# -- the root's rights -----------------------------------------------------------------------


def test_a_root_that_others_may_write_to_gives_nothing_until_it_is_mended(store):
    put(store)
    store.root.chmod(0o777)
    assert store.get(KEY) is None
    put(store)
    assert store.root.stat().st_mode & 0o777 == 0o700
    assert is_whole(store)


def test_folders_are_private_whatever_the_umask(store):
    old = os.umask(0)
    try:
        put(store)
    finally:
        os.umask(old)
    (place,) = store.root.iterdir()
    assert [each.stat().st_mode & 0o777 for each in (store.root, place)] == [0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_and_files_are_not_used(store):
    put(store)
    (place,) = store.root.iterdir()
    os.chown(place / "devices", 12345, 12345)
    assert store.get(KEY) is None
    os.chown(store.root, 12345, 12345)
    assert store.get(KEY) is None
    with pytest.raises(HostError, match="not a folder of yours"), store.put(KEY):
        pass


def test_a_root_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    store = Templates(tmp_path / "file" / "templates")
    assert store.get(KEY) is None
    assert store.entries() == []
    with pytest.raises(HostError, match="XDG_CACHE_HOME"), store.put(KEY):
        pass


# -- others, alive and killed ----------------------------------------------------------------

WRITER = """
some = os.urandom(300_000)
print("ready", flush=True)
while True:
    with store.put(KEY) as draft:
        with open(draft.folder / "ram", "wb") as file:
            file.truncate(4 << 20)
            for start in range(0, 4 << 20, 1 << 20):
                file.seek(start)
                file.write(some)
        (draft.folder / "devices").write_bytes(some)
        draft.commit({"name": "test"})
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_template_or_none(store, script):
    some = random.Random(4)
    for _ in range(15):
        writer = script(WRITER, store)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(some.random() * 0.05)  # the moment is the test's subject
        writer.kill()
        writer.wait()
        found = is_whole(store)
        assert [name for name in left(store) if name.startswith(".")] == []
        assert len(left(store)) == found


def test_a_draft_of_a_living_writer_stays(store, script):
    code = 'with store.put(KEY) as draft:\n print("ready", flush=True); input(); draft.commit({})'
    writer = script(code, store)
    assert writer.stdout.readline() == "ready\n"
    assert store.get(KEY) is None
    put(store, key({"guest": "other"}))
    store.clear()
    writer.communicate("\n", timeout=30)
    assert writer.returncode == 0
    assert is_whole(store)


def test_writers_of_one_key_leave_one_whole_template(store, script):
    writers = [script(WRITER, store) for _ in range(3)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    seen = 0
    deadline = time.monotonic() + 60
    while seen < 100 and time.monotonic() < deadline:
        seen += is_whole(store)
    assert seen == 100
    for writer in writers:
        writer.send_signal(signal.SIGINT)
        writer.wait()
    assert is_whole(store)
    assert len(left(store)) == 1


READER = """
with store.get(KEY) as template:
    print("ready", flush=True)
    input()
    template.verify_all()
    print(len((template.folder / "ram").read_bytes()), flush=True)
"""

TAKERS: dict[str, Callable[[Templates], object]] = {
    "evict": lambda store: Templates(store.root, limit_bytes=1).evict(),
    "discard": lambda store: store.discard(KEY, "tested"),
    "clear": lambda store: store.clear(),
    "put": lambda store: put(store, seed=9),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_a_reader_keeps_its_template_whatever_another_process_does(store, script, taker):
    put(store)
    reader = script(READER, store)
    assert reader.stdout.readline() == "ready\n"
    assert [entry.in_use for entry in store.entries()] == [True]
    TAKERS[taker](store)
    store.place.sweep()
    assert is_whole(store) == (taker in ("evict", "put"))
    assert reader.communicate("\n", timeout=30)[0] == f"{RAM}\n"
    assert reader.returncode == 0
    assert len(left(store)) == (taker in ("evict", "put"))


def test_what_a_killed_reader_of_a_discarded_template_leaves_is_swept_away(store, script):
    put(store)
    reader = script(READER, store)
    assert reader.stdout.readline() == "ready\n"
    store.discard(KEY, "tested")
    assert len(left(store)) == 1
    reader.kill()
    reader.wait()
    assert store.get(KEY) is None
    assert left(store) == []


def test_a_removal_that_was_killed_is_finished_by_the_next(store):
    put(store)
    (place,) = store.root.iterdir()
    place.rename(store.root / ".gone-0123abcd")
    assert store.get(KEY) is None
    assert left(store) == []


def test_a_damaged_template_that_others_hold_stays_with_them_alone(store):
    put(store)
    with store.get(KEY) as one, store.get(KEY) as two:
        _flip(one.folder / "devices", 0.5)
        with pytest.raises(DamagedError):
            two.verify("devices")
        assert "checksum" in store.discarded[KEY]
        assert store.get(KEY) is None
        two.close()
        one.verify("ram")
    assert left(store) == []


# -- limit and use ---------------------------------------------------------------------------


def test_the_least_recently_used_goes_first(store):
    keys = [key({"guest": number}) for number in range(4)]
    for each in keys[:3]:
        put(store, each, name=each)
    assert is_whole(store, keys[0])  # which is a use
    assert [entry.key for entry in store.entries()] == [keys[0], keys[2], keys[1]]
    one = store.entries()[0].size_bytes
    small = Templates(store.root, limit_bytes=one * 3)
    put(small, keys[3])
    assert [entry.key for entry in store.entries()] == [keys[3], keys[0], keys[2]]
    with store.get(keys[2]), store.get(keys[3]):
        assert [entry.key for entry in Templates(store.root, 1).evict()] == [keys[0]]


def test_one_template_above_the_limit_is_refused_and_the_others_stay(store):
    put(store)
    size = store.entries()[0].size_bytes
    small = Templates(store.root, limit_bytes=size - 4096)
    with pytest.raises(HostError, match="KVMNB_TEMPLATES_LIMIT=1G"):
        put(small, key({"guest": "large"}))
    assert [entry.key for entry in store.entries()] == [KEY]
    assert len(left(store)) == 1


def test_a_size_is_what_the_disk_has_of_it(store):
    put(store)
    data = sum(length for _, length in PARTS)
    assert data < store.entries()[0].size_bytes < RAM / 2


def test_the_limit_is_read_from_the_environment(store, monkeypatch):
    assert store.limit_bytes == 8 << 30
    monkeypatch.setenv("KVMNB_TEMPLATES_LIMIT", "4G")
    assert store.limit_bytes == 4 << 30
    monkeypatch.setenv("KVMNB_TEMPLATES_LIMIT", "many")
    with pytest.raises(SpecError, match="KVMNB_TEMPLATES_LIMIT"), store.put(KEY):
        pass
    assert left(store) == []


def test_entries_tell_names_times_and_damage(store):
    before = time.time()
    put(store, name="web")
    (entry,) = store.entries()
    assert (entry.key, entry.name, entry.in_use) == (KEY, "web", False)
    assert before <= entry.created_s <= entry.used_s + 0.1
    (place,) = store.root.iterdir()
    (place / MANIFEST).write_bytes(b"damaged")
    (entry,) = store.entries()
    assert (entry.key, entry.name) == (KEY, "")
    assert len(left(store)) == 1


# -- a full disk -----------------------------------------------------------------------------

FULL = """
from kvmnb.errors import HostError
try:
    with store.put(KEY) as draft:
        (draft.folder / "ram").write_bytes(os.urandom(int(sys.argv[2])))
        print("written", flush=True)
        draft.commit({"name": "test", "rest": "x" * int(sys.argv[3])})
except HostError as error:
    print(error)
print(os.listdir(store.root))
"""


@pytest.mark.parametrize(("data", "rest"), [(3 << 20, 0), (1 << 20, 2 << 20)])
def test_a_full_disk_is_told_and_nothing_is_left(store, data, rest):
    rights = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]
    if subprocess.run([*rights, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to make a mount namespace")
    store.root.mkdir()
    mount = 'mount -t tmpfs -o size=2m,mode=0700 none "$3" && exec "$0" "$@"'
    python = [sys.executable, "-c", HEADER + FULL, str(store.root), str(data), str(rest)]
    words = [*rights, "sh", "-c", mount, *python]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no room" in done.stdout
    assert "kvmnb cache clear" in done.stdout
    assert done.stdout.endswith("\n[]\n")
    assert ("written" in done.stdout) == (data < 2 << 20)


def test_a_file_above_the_users_limit_is_told_and_nothing_is_left(store, script):
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))" + FULL
    said = script(code, store, str(3 << 20), "0").communicate(timeout=30)[0]
    assert "no room" in said
    assert said.endswith("\n[]\n")


def test_a_full_target_is_told_and_is_no_damage(store, script):
    put(store)
    code = """
import resource
from kvmnb.errors import HostError
with store.get(KEY) as template:
    fd = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 4 << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        template.copy_into("ram", fd)
    except HostError as error:
        print(error)
"""
    said = script(code, store, str(store.root.parent / "target")).communicate(timeout=30)[0]
    assert "cannot copy ram" in said
    assert is_whole(store)
