"""How a line is split into words, and what is mended on the way."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.errors import ParseError
from kvmnb.parse.words import joined, split


def texts(line: str) -> list[str]:
    return [word.text for word in split(line)[0]]


def kinds(line: str) -> list[tuple[str, str]]:
    return [(note.kind, note.text) for note in split(line)[1]]


@pytest.mark.parametrize(
    "line",
    [
        "qemu-kvm -m 128",
        "qemu-kvm  -name 'a b'\t-m 128 ",
        'qemu-kvm -append "root=/dev/vda \\"quoted\\" a\\b"',
        "qemu-kvm -name a\\ b\\\\c",
        "qemu-kvm -append ''",
        """qemu-kvm -name 'it'"'"'s'""",
        "qemu-kvm \\\n  -m 128 \\\n  -smp 2",
        "qemu-kvm -na\\\nme test",
        "qemu-kvm -m 128 # and a comment",
        "qemu-kvm -name a#b",
        'qemu-kvm -append "console=ttyS0 \\\nquiet"',
    ],
)
def test_a_line_is_split_as_a_posix_shell_does(line: str) -> None:
    assert texts(line) == shlex.split(line.replace("\\\n", ""), comments="# " in line)
    assert kinds(line) == []


def test_ansi_c_quotes_are_read() -> None:
    assert texts(r"qemu -append $'a\tb\'c\x41\101é\n'") == ["qemu", "-append", "a\tb'cAAé\n"]


def test_a_place_in_a_word_is_a_place_in_the_line() -> None:
    line = r"""qemu -append 'a b'"c\"d"e\ f"""
    word = split(line)[0][2]
    assert word.text == 'a bc"de f'
    for index, character in enumerate(word.text):
        assert line[word.at(index)] == character
    assert line[word.position : word.end] == r"""'a b'"c\"d"e\ f"""


def test_typographic_quotes_are_mended() -> None:
    line = "virt-install --extra_args “ks=http://172.16.0.1/rhel6.cfg” --name ‘a b’ -n „x y“"
    assert texts(line)[1:] == [
        *("--extra_args", "ks=http://172.16.0.1/rhel6.cfg", "--name", "a b", "-n", "x y")
    ]
    assert kinds(line) == [("mended", "“"), ("mended", "‘"), ("mended", "„")]


def test_an_apostrophe_is_no_quote() -> None:
    assert texts("qemu -name Bob’s -title it’s") == ["qemu", "-name", "Bob’s", "-title", "it’s"]


def test_a_quote_may_be_closed_by_a_typographic_one() -> None:
    assert texts('qemu -name "a b” -m 1') == ["qemu", "-name", "a b", "-m", "1"]


def test_typographic_dashes_before_options_are_mended() -> None:
    line = "virt-install –n a —ram 512 –-vcpus 2 --os‑variant x"
    assert texts(line) == [
        *("virt-install", "-n", "a", "--ram", "512", "--vcpus", "2", "--os-variant", "x")
    ]
    assert {kind for kind, _ in kinds(line)} == {"mended"}
    assert len(kinds(line)) == 4


def test_a_dash_in_a_value_stays() -> None:
    assert texts("qemu -name a–b") == ["qemu", "-name", "a–b"]


def test_no_break_and_invisible_spaces_are_mended() -> None:
    line = "qemu\u00a0-m\u200b 128"
    assert texts(line) == ["qemu", "-m", "128"]
    assert [kind for kind, _ in kinds(line)] == ["mended", "mended"]


def test_a_backslash_and_a_space_continue_the_line() -> None:
    line = "virt-install --name a \\ \n--vcpus 2 --force  \\\t\n --ram 5"
    assert texts(line) == ["virt-install", "--name", "a", "--vcpus", "2", "--force", "--ram", "5"]
    assert kinds(line) == [("mended", "\\")] * 2


def test_a_lost_backslash_is_mended_before_a_dash() -> None:
    line = "virt-install \\\n  --name a\n  --ram 512\n\n  –-import"
    assert texts(line) == ["virt-install", "--name", "a", "--ram", "512", "--import"]
    assert [kind for kind, _ in kinds(line)] == ["mended"] * 3


def test_a_second_command_is_refused() -> None:
    with pytest.raises(ParseError, match="second command") as caught:
        split("qemu-kvm -m 1\nqemu-kvm -m 2")
    assert caught.value.position == 14


def test_a_backslash_at_the_end_is_mended() -> None:
    assert texts("qemu -m 1 \\") == ["qemu", "-m", "1"]
    assert texts("qemu -m 1\\") == ["qemu", "-m", "1"]
    assert texts("qemu -m 1 \\\n") == ["qemu", "-m", "1"]


@pytest.mark.parametrize(
    "line",
    [
        "$ qemu-kvm -m 128",
        "# qemu-kvm -m 128",
        "[root@host ~]# qemu-kvm -m 128",
        "root@host:~# qemu-kvm -m 128",
        "(qemu) qemu-kvm -m 128",
        "anna@host:/srv$ qemu-kvm \\\n> -m 128",
        "# one guest\n# qemu-kvm \\\n  -m 128",
    ],
)
def test_a_prompt_is_left_out(line: str) -> None:
    assert texts(line) == ["qemu-kvm", "-m", "128"]
    assert {kind for kind, _ in kinds(line)} == {"mended"}


def test_comments_before_a_command_are_no_prompt() -> None:
    line = "# qemu-kvm with little memory\nqemu-kvm -m 128\n# done"
    assert texts(line) == ["qemu-kvm", "-m", "128"]
    assert kinds(line) == []


@pytest.mark.parametrize(
    ("line", "ignored"),
    [
        ("sudo qemu-kvm -m 1", ["sudo"]),
        ("sudo -E -u root qemu-kvm -m 1", ["sudo"]),
        ("env X=y qemu-kvm -m 1", ["env", "X=y"]),
        ("QEMU_AUDIO_DRV=none exec qemu-kvm -m 1", ["QEMU_AUDIO_DRV=none", "exec"]),
        ("time nohup qemu-kvm -m 1 &", ["time", "nohup", "&"]),
        ("qemu-kvm -m 1&", ["&"]),
        ("qemu-kvm -m 1;", [";"]),
    ],
)
def test_what_only_a_shell_needs_is_ignored_with_a_note(line: str, ignored: list[str]) -> None:
    assert texts(line) == ["qemu-kvm", "-m", "1"]
    assert kinds(line) == [("ignored", text) for text in ignored]


@pytest.mark.parametrize(
    ("line", "position", "reason"),
    [
        ("qemu -hda $HOME/x", 10, "variable"),
        ('qemu -hda "a${X}"', 12, "variable"),
        ("qemu -smp $(nproc)", 10, "never run"),
        ("qemu -smp `nproc`", 10, "never run"),
        ("qemu -m 1 | tee x", 10, "pipe"),
        ("qemu -m 1 > x", 10, "redirection"),
        ("qemu -m 1 2>x", 11, "redirection"),
        ("qemu -m 1; ls", 9, "second command"),
        ("qemu -m 1 && ls", 10, "second command"),
        ("qemu -m 1 & ls", 10, "second command"),
        ("(qemu -m 1)", 0, "second shell"),
        ("qemu -name 'a", 11, "never closed"),
        ('qemu -name "a', 11, "never closed"),
        ("qemu -name “a", 11, "never closed"),
        ("qemu -name $'a", 11, "never closed"),
        ("qemu -hda ~/x", 10, "home folder"),
        ("qemu -drive file=~/x", 17, "home folder"),
        ("qemu -name \0", 11, "NUL"),
    ],
)
def test_what_only_a_shell_can_do_is_refused_by_name(line: str, position: int, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as caught:
        split(line)
    assert caught.value.position == position


def test_a_dollar_that_names_nothing_is_a_dollar() -> None:
    assert texts("qemu -name a$ -x \"b$\" -y '$HOME' -z \\$X") == [
        *("qemu", "-name", "a$", "-x", "b$", "-y", "$HOME", "-z", "$X")
    ]


def test_a_pattern_is_kept_with_a_note() -> None:
    assert texts("qemu -cpu ? -hda *.img") == ["qemu", "-cpu", "?", "-hda", "*.img"]
    assert kinds("qemu -cpu ? -hda *.img") == [("changed", "*")]


@given(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=1))
def test_any_words_come_back_from_their_line(argv: list[str]) -> None:
    argv = ["qemu", *argv]
    words, notes = split(joined(argv))
    assert [word.text for word in words] == argv
    assert notes == ()


@given(st.text(st.sampled_from("ab -–\"'\\$`“”‘’#&;|\n\r\t\u00a0{}*?[]~=,0n\u200b>\x85\x1f")))
def test_anything_is_split_or_refused(line: str) -> None:
    try:
        words, _ = split(line)
    except ParseError as error:
        words = ()
        line[error.position]
    places = [word.position for word in words]
    assert places == sorted(places)
    assert all(word.position <= word.at(0) <= word.end <= len(line) for word in words)


@pytest.mark.parametrize("part", ["a ", "’", '"', "“", "\\\n", " \\ \n", "\n", "# \n", "{", "‘ "])
def test_a_long_text_is_read_in_one_pass(part: str) -> None:
    # a splitter that looks ahead from each place again would take minutes
    try:
        split("qemu " + part * 100_000)
    except ParseError:
        pass
