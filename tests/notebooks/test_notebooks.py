"""Every notebook runs top to bottom unattended, and what is committed can be read anywhere."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from kvmnb import Host

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted(NOTEBOOKS.glob("*.md"))
each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)

LIMIT_S = 240
SHOWN_LIMIT = 400_000
"""Bytes of one notebook's file: a page that loads at once."""


def committed(source: Path) -> nbformat.NotebookNode:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def test_there_are_notebooks():
    assert SOURCES


@each
def test_a_notebook_and_its_text_are_the_same_cells(source):
    def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str, list[str]]]:
        return [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]

    assert cells(committed(source)) == cells(jupytext.read(source)), "run `make notebooks`"


@each
def test_each_code_cell_names_the_features_that_it_shows(source):
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "code":
            tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("feature:")]
            assert tags, cell.source
            assert all(re.fullmatch(r"feature:[KQNVGLX]\d+[a-d]?", tag) for tag in tags)


@each
def test_committed_outputs_are_static_and_say_nothing_of_the_machine(source):
    file = source.with_suffix(".ipynb")
    text = file.read_text()
    assert file.stat().st_size < SHOWN_LIMIT
    assert "widget-view+json" not in text
    assert "widgets" not in committed(source).metadata
    assert re.search(r"/root/|/home/|/work/|/tmp/|token=", text) is None
    assert not re.search(r"<script|src=.?.?https?:", text)
    ran = [cell for cell in committed(source).cells if cell.cell_type == "code"]
    assert all(cell.execution_count == index for index, cell in enumerate(ran, 1))


@pytest.mark.notebook
@pytest.mark.guest
@each
def test_a_notebook_runs_top_to_bottom_and_leaves_nothing(source, tmp_path, monkeypatch):
    # in folders of its own, since its guests bear the names of its text
    run = Path("/tmp") / f"kvmnb-nb-{os.getpid()}"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    try:
        notebook = jupytext.read(source)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(
            notebook, timeout=LIMIT_S, kernel_name="python3", resources=resources
        ).execute()
        assert len(Host().guests) == 0
    finally:
        for name in Host().guests:
            Host().guests.end(name)
        shutil.rmtree(run, ignore_errors=True)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            kinds = {output.output_type for output in cell.outputs}
            assert "error" not in kinds, cell.source
