"""The tree of a guest's checkpoints, looked up and looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvmnb.display.checkpoint_graph import FOLD_FROM, MOST_ROWS, graph
from kvmnb.display.checkpoints import Checkpoints
from kvmnb.engines.base import Checkpoint

START_S = 1_795_547_935.0
HOSTILE = "</text><script>alert(1)</script>\x1b[2J\u202e\"'&"


def taken(number, label="", parent=None, **fields):
    """Return a checkpoint whose id says its number."""
    return Checkpoint(
        id=f"{number:016x}",
        guest="test",
        label=label or f"step {number}",
        created_s=START_S + 20 * number,
        parent=None if parent is None else f"{parent:016x}",
        **{"size_bytes": 34 << 20, "pause_s": 0.18, **fields},
    )


def tree(*parents, now=None, **fields):
    """Return checkpoints of which each has the parent with the number that is given."""
    made = [taken(number, parent=parent, **fields) for number, parent in enumerate(parents)]
    return Checkpoints(made, None if now is None else f"{now:016x}", "test")


def line(count, now=None, **fields):
    """Return so many checkpoints, each of the one before it."""
    return tree(None, *range(count - 1), now=now, **fields)


SHORT = st.text(max_size=12)


@st.composite
def trees(draw, most=60, labels=SHORT):
    """Draw checkpoints that mostly go on from the newest, and where the guest is."""
    made = []
    for number in range(draw(st.integers(0, most))):
        back = draw(st.one_of(st.just(1), st.integers(1, most), st.none()))
        parent = None if back is None else number - back
        cell = draw(st.sampled_from([None, "c", "c"]))
        kept = draw(st.sampled_from([False, False, True]))
        label = draw(labels)
        made.append(
            taken(
                number,
                label,
                # one that has been dropped is still named
                parent if parent is None or parent >= 0 else 1 << 60,
                cell=cell,
                kept=kept,
            )
        )
    now = draw(st.one_of(st.none(), st.integers(0, max(0, len(made) - 1))))
    return made, None if now is None else f"{now:016x}"


# -- looking up -----------------------------------------------------------------------------


def test_it_iterates_from_the_oldest_to_the_newest():
    made = line(4)
    assert [each.label for each in made] == ["step 0", "step 1", "step 2", "step 3"]
    assert len(made) == 4
    assert made[0].label == "step 0"
    assert made[-1].label == "step 3"


def test_a_label_means_the_newest_that_bears_it():
    made = Checkpoints([taken(1, "rm"), taken(2, "rm", 1), taken(3, "x", 2)], None, "test")
    assert made["rm"].id == f"{2:016x}"


def test_an_id_and_the_digits_that_only_one_begins_with_mean_a_checkpoint():
    ids = "abcd000000000000", "abce000000000000", "1234000000000000"
    made = Checkpoints(
        [Checkpoint(id=each, guest="t", label="x", created_s=START_S) for each in ids], None, "t"
    )
    assert made[ids[1]].id == ids[1]
    assert made["1234"].id == made["12340"].id == ids[2]
    assert made["ABCD"].id == ids[0]
    for short in ("123", "1", ""):
        with pytest.raises(KeyError):
            made[short]


def test_a_label_comes_before_an_id_that_reads_the_same():
    made = Checkpoints([taken(0xABCD << 48, "first"), taken(1, "abcd")], None, "test")
    assert made["abcd"].label == "abcd"


def test_digits_that_several_ids_begin_with_are_refused_with_the_ids():
    with pytest.raises(KeyError, match=r"2 checkpoints of test begin with '0000'.*0{15}1"):
        tree(None, 0)["0000"]


def test_a_label_that_is_not_there_is_refused_with_its_near_misses():
    made = Checkpoints([taken(1, "before rm"), taken(2, "nginx")], None, "test")
    with pytest.raises(KeyError, match="did you mean 'before rm'"):
        made["befor rm"]
    with pytest.raises(KeyError, match="the newest are 'nginx', 'before rm'"):
        made["something else altogether"]
    with pytest.raises(KeyError, match="it has none"):
        Checkpoints([], None, "test")["x"]


def test_a_refusal_spells_hostile_labels_out(harmless):
    made = Checkpoints([taken(1, HOSTILE * 9)], None, "g\x1b[2J")
    with pytest.raises(KeyError) as refused:
        made[HOSTILE]
    assert harmless(refused.value.args[0])


def test_a_number_beyond_the_last_is_an_index_error():
    with pytest.raises(IndexError):
        line(2)[2]


def test_it_says_whether_a_label_an_id_or_a_checkpoint_is_there():
    made = line(3)
    assert "step 1" in made
    assert made[1].id in made
    assert made[1] in made
    assert "step 9" not in made
    assert taken(9) not in made
    assert None not in made


def test_find_looks_into_labels_in_any_case_and_at_the_beginning_of_ids():
    made = Checkpoints([taken(1, "Before rm"), taken(2, "after rm"), taken(3, "x")], None, "test")
    assert [each.label for each in made.find("RM")] == ["Before rm", "after rm"]
    assert made.find(f"{3:016x}"[:16]) == (made["x"],)
    assert made.find("nothing") == ()


def test_current_is_the_one_that_the_guest_came_from():
    assert line(3, now=1).current.label == "step 1"
    assert line(3).current is None
    assert Checkpoints([taken(1)], "gone", "test").current is None


def test_it_is_a_table_with_times_and_where_the_guest_is():
    table = line(3, now=1, cell="c").to_frame()
    assert list(table.columns) == [
        *("time", "id", "label", "parent", "size_bytes", "pause_s", "cell", "kept", "now")
    ]
    assert table["time"].iloc[0].timestamp() == START_S
    assert list(table["now"]) == [False, True, False]
    assert len(Checkpoints([], None, "test").to_frame()) == 0


def test_looking_at_it_does_not_need_pandas():
    script = (
        "import sys; from kvmnb.display.checkpoints import Checkpoints as C; "
        "c = C([], None, 'g'); repr(c); c._repr_html_(); print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# -- where everything stands ------------------------------------------------------------------


@given(trees())
def test_every_checkpoint_is_drawn_once_and_below_its_parent(given_):
    made, now = given_
    drawn = graph(made, now)
    shown = [each for row in drawn.rows for each in row.members]
    assert sorted(each.id for each in shown) == [each.id for each in made]
    place = {each.id: index for index, row in enumerate(drawn.rows) for each in row.members}
    for index, row in enumerate(drawn.rows):
        parent = row.members[0].parent
        assert row.parent == place.get(parent or "")
        assert row.cut is (parent is not None and parent not in place)
        assert row.parent is None or row.parent < index


@given(trees())
def test_no_two_lines_lie_upon_each_other(given_):
    drawn = graph(*given_)
    below = drawn.straight()
    taken_up = set()
    for index, row in enumerate(drawn.rows):
        spot = index, row.lane
        assert spot not in taken_up
        taken_up.add(spot)
        for between in range(index + 1, below.get(index, index)):
            assert (between, row.lane) not in taken_up
            taken_up.add((between, row.lane))
    for index, row in enumerate(drawn.rows):
        if row.parent is not None and drawn.rows[row.parent].lane != row.lane:
            # a branch leaves a line that goes on
            assert drawn.rows[row.parent].lane < row.lane
            assert below[row.parent] > index


@given(trees())
def test_the_past_of_the_guest_is_what_leads_to_where_it_is(given_):
    made, now = given_
    by_id = {each.id: each for each in made}
    past = set()
    at = by_id.get(now)
    while at is not None:
        past.add(at.id)
        at = by_id.get(at.parent or "")
    drawn = graph(made, now)
    assert {each.id for row in drawn.rows if row.past for each in row.members} == past
    assert [row.members[0].id for row in drawn.rows if row.now] == [now] * (now in by_id)


def test_a_parent_that_claims_to_be_younger_makes_no_circle():
    made = [taken(0, parent=1), taken(1, parent=0)]
    assert [row.parent for row in graph(made, made[1].id).rows] == [None, 0]


def test_what_was_tried_before_stands_beside_what_was_taken_last():
    drawn = graph(list(tree(None, 0, 1, 1, 3)), None)
    assert [row.lane for row in drawn.rows] == [0, 0, 1, 0, 0]


def test_long_runs_of_cells_are_one_row_and_their_ends_stay_in_sight():
    made = line(100, now=50, cell="c")
    rows = graph(list(made), made[50].id).rows
    assert [len(row.members) for row in rows] == [50, 1, 48, 1]
    assert [row.now for row in rows] == [False, True, False, False]


def test_what_somebody_took_or_kept_is_in_no_run():
    made = [taken(n, parent=n - 1 if n else None, cell="c" if n % 7 else None) for n in range(60)]
    made[31] = taken(31, parent=30, cell="c", kept=True)
    rows = graph(made, None).rows
    for row in rows:
        if len(row.members) > 1:
            assert all(each.cell is not None and not each.kept for each in row.members)


def test_few_checkpoints_are_all_drawn():
    assert len(graph(list(line(FOLD_FROM, cell="c")), None).rows) == FOLD_FROM


def test_of_very_many_the_newest_are_drawn_and_where_the_guest_is(read_html):
    made = line(1000, now=3)
    drawn = graph(list(made), made[3].id)
    assert len(drawn.rows) == MOST_ROWS
    assert drawn.rows[0].now
    assert drawn.rows[-1].members == (made[999],)
    for text in (repr(made), read_html(made._repr_html_())):
        assert "1000 checkpoints" in text
        assert "the 800 oldest are not drawn" in text


# -- as text --------------------------------------------------------------------------------


STORY = Checkpoints(
    [
        taken(1, "booted", kept=True),
        taken(2, "before rm", 1),
        taken(3, "without /etc", 2, cell="3f2a1b77"),
        taken(4, "nginx runs", 2),
        taken(5, "broken", 4),
        taken(6, "mended", 4),
    ],
    f"{4:016x}",
    "test",
)


def test_the_text_is_a_tree_that_says_where_the_guest_is():
    heading, *lines = repr(STORY).splitlines()
    assert heading.startswith("Checkpoints of test: 6 checkpoints · 204 MiB · ")
    assert [re.split(r"  +", each)[0].strip() for each in lines] == [
        "●",
        "●",
        "├─○ without /etc",
        "◉",
        "├─○ broken",
        "○",
    ]
    assert [each.endswith("◀ now") for each in lines] == [False, False, False, True, False, False]
    assert "34 MiB  180 ms" in lines[0]
    assert "kept" in lines[0]
    assert "cell 3f2a1b77" in lines[2]


def test_lines_that_cross_are_drawn_as_crossing():
    lines = repr(tree(None, 0, 1, 0, 2, 0)).splitlines()[1:]
    drawn = [each[1 : each.index("step")].rstrip() for each in lines]
    assert drawn == ["○", "├─○", "│ ○", "├─┼─○", "│ ○", "○"]


@given(trees(labels=st.text(alphabet="a\x1b\u202e\n\u0301漢<&\"'", max_size=90)))
def test_whatever_labels_say_the_text_has_one_line_for_each_row(given_):
    made, now = given_
    lines = repr(Checkpoints(made, now, "test")).splitlines()
    assert len(lines) == 1 + len(graph(made, now).rows)
    assert max(map(len, lines)) < 400


def test_the_text_is_aligned_behind_the_label():
    made = [taken(n, f"{'long ' * (n % 9)}{n}", n - 2 if n > 1 else None) for n in range(12)]
    lines = repr(Checkpoints(made, None, "test")).splitlines()[1:]
    assert len({each.index("34 MiB") for each in lines}) == 1


def test_cjk_labels_take_two_columns():
    made = Checkpoints([taken(1, "漢字"), taken(2, "abcd")], None, "test")
    first, second = repr(made).splitlines()[1:]
    assert second.index("34 MiB") - first.index("34 MiB") == 2


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300, 1e18])
def test_a_time_that_cannot_be_told_is_a_question_mark(moment):
    odd = Checkpoint(id="0" * 16, guest="g", label="x", created_s=moment)
    made = Checkpoints([odd], None, "g")
    assert "?" in repr(made)
    assert "?" in made._repr_html_()


def test_checkpoints_of_several_days_say_theirs():
    made = Checkpoints([taken(0), taken(9000, parent=0)], None, "test")
    for each in repr(made).splitlines()[1:]:
        assert re.search(r"\d\d-\d\d \d\d:\d\d", each)


def test_a_guest_without_checkpoints_says_how_to_take_one(read_html):
    none = Checkpoints([], None, "test")
    for text in (repr(none), read_html(none._repr_html_())):
        assert text == "test: no checkpoints yet: guest.checkpoint(label) takes one"


# -- as a picture -----------------------------------------------------------------------------


def test_the_picture_says_what_the_text_says(read_html):
    text = read_html(STORY._repr_html_())
    for each in STORY:
        assert each.label in text
    for words in ("204 MiB", "180 ms", "kept", "◀ now", "3f2a1b77", "came from nginx runs last"):
        assert words in text


def test_the_current_checkpoint_is_ringed_and_the_past_is_a_strong_line():
    html = STORY._repr_html_()
    assert html.count("◀ now") == 1
    assert html.count("a7 7 0 1 0") == 2
    assert "--jp-brand-color1" in html


def test_colours_are_those_of_the_page(read_html):
    html = STORY._repr_html_()
    without_fallbacks = re.sub(r"var\([^()]*(\([^()]*\))?[^()]*\)", "", html)
    assert not re.search(r"#[0-9a-f]{3,6}\b|rgba?\(", without_fallbacks)


@given(trees(labels=st.text(max_size=60)))
def test_every_picture_is_well_formed(given_):
    made, now = given_
    html = Checkpoints(made, now, HOSTILE)._repr_html_()
    root = ElementTree.fromstring(html)
    if made:
        space = "{http://www.w3.org/2000/svg}"
        (svg,) = root.iter(f"{space}svg")
        assert svg.findtext(f"{space}title")
        rows = [each for each in svg.iter(f"{space}text") if each.get("x") is None]
        assert len(rows) == len(graph(made, now).rows)


def test_hostile_labels_are_text(read_html, harmless):
    made = Checkpoints([taken(1, HOSTILE, cell=HOSTILE), taken(2, "", 1)], f"{1:016x}", HOSTILE)
    html = made._repr_html_()
    assert "<script" not in html
    assert harmless(read_html(html))
    assert harmless(repr(made))


@pytest.mark.parametrize("step", [0, 1, 2, 100], ids=["star", "line", "pairs", "combs"])
@pytest.mark.parametrize("label", ["\"'<&>", "漢字", "a", "\x1b", "e\u0301", "W", "😀"])
def test_200_checkpoints_stay_below_60_kb_whatever_they_are_called(step, label):
    made = [
        taken(
            number * 5000,
            label * 400,
            max(0, number - step if step else 0) * 5000 if number else None,
            cell='"' * 60,
            kept=True,
            size_bytes=1023 << 20,
        )
        for number in range(200)
    ]
    shown = Checkpoints(made, made[-1].id, "test")
    assert len(graph(made, None).rows) == 200
    assert len(shown._repr_html_().encode()) < 60_000
