"""What changed a guest, in three languages."""

from __future__ import annotations

from kvmnb.display.history import History

DEEDS = (
    {
        "verb": "balloon",
        "qmp": '{"execute": "balloon"}',
        "hmp": "balloon 96",
        "virsh": "virsh setmem test 98304",
        "time_s": "1700000000.5",
    },
    {"verb": "<b>", "qmp": "\x1b[2J", "hmp": "", "virsh": "x"},
)


def test_it_is_the_tuple_of_its_entries():
    history = History(DEEDS)
    assert history == DEEDS
    assert history[-1]["virsh"] == "x"
    assert [entry["verb"] for entry in history] == ["balloon", "<b>"]


def test_each_deed_is_shown_in_three_languages(read_html, harmless):
    history = History(DEEDS)
    for word in ('{"execute": "balloon"}', "balloon 96", "virsh setmem test 98304"):
        assert word in repr(history)
        assert word in read_html(history._repr_html_())
    assert harmless(repr(history))


def test_it_is_a_table_with_a_column_for_each_language():
    table = History(DEEDS).to_pandas()
    assert list(table.columns) == ["time", "verb", "qmp", "hmp", "virsh"]
    assert table["time"].iloc[0].year == 2023


def test_a_guest_that_nothing_has_changed_says_so(read_html):
    assert repr(History()) == "nothing has changed it yet"
    assert read_html(History()._repr_html_()) == "nothing has changed it yet"
    assert len(History().to_pandas()) == 0
