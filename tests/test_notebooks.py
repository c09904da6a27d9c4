"""The notebooks: each is its source's, short, and clean. `.ci/run` executes them."""

import re

import pytest

pytest.importorskip("jupytext", reason="needs the extra `notebooks`")
pytest.importorskip("nbclient", reason="needs the extra `notebooks`")

import nbformat

from notebooks import build

SOURCES = build.sources()
each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
# What no reader should meet in an output: warnings, tracebacks, folders of a machine.
UNWANTED = re.compile(
    r"Warning|WARNING|Traceback|Error\b|(?<![\w.:/])/(?:\w+/)+|0x[0-9a-f]{6,}"
)


def notebook(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def lines(cell):
    """The lines of code, blank ones and comments aside."""
    return [
        line
        for line in cell.source.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


def printed(output):
    """What a person reads of an output, pictures and sounds aside."""
    data = output.get("data", {})
    text = (
        output.get("text", "")
        + "".join(output.get("traceback", []))
        + "".join(text for kind, text in data.items() if kind.startswith("text/"))
    )
    return re.sub(r'src="data:[\w/;]+,[\w+/=]+"', "", text)


def test_every_notebook_has_a_source():
    assert SOURCES
    books = {file.stem for file in build.HERE.glob("*.ipynb")}
    assert books == {source.stem for source in SOURCES}


@each
def test_source_and_notebook_agree(source):
    assert build.up_to_date(source), f"python -m notebooks.build {source.stem[:2]}"


@each
def test_a_notebook_is_short_and_ends_with_its_claim(source):
    cells = notebook(source).cells
    assert len(cells) <= 15
    last = next(cell for cell in reversed(cells) if cell.cell_type == "code")
    assert "assert " in last.source
    code = [cell for cell in cells[2:] if cell.cell_type == "code"]
    assert [cell.source for cell in code if len(lines(cell)) > 10] == []


@each
def test_every_cell_was_run_in_order_and_none_failed(source):
    code = [cell for cell in notebook(source).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    outputs = [output for cell in code for output in cell.outputs]
    assert not [
        x for x in outputs if x.output_type == "error" or x.get("name") == "stderr"
    ]


@each
def test_nothing_of_other_frameworks_or_of_an_old_colab_is_needed(source):
    assert not re.search(r"import (tensorflow|torch)|colab_tpu", source.read_text())


@each
def test_every_notebook_shows_pictures(source):
    outputs = [x for cell in notebook(source).cells for x in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@each
def test_no_output_holds_a_warning_a_path_or_a_traceback(source):
    for cell in notebook(source).cells:
        for output in cell.get("outputs", []):
            assert not UNWANTED.search(printed(output)), printed(output)


@pytest.mark.parametrize(
    "text",
    [
        "x.py:3: UserWarning: no",
        "Traceback (most recent call last)",
        "saved in /home/someone/run",
        "saved in /tmp/x/y",
        "<f at 0x7f0123456789>",
        "ValueError: no",
    ],
)
def test_what_is_unwanted_is_found(text):
    assert UNWANTED.search(text)


def test_a_sound_is_not_read_but_what_stands_beside_it_is():
    sound = '<source src="data:audio/wav;base64,ab+/cd/e=" type="audio/wav">'
    assert UNWANTED.search(sound)
    assert not UNWANTED.search(printed({"data": {"text/html": sound}}))
    assert UNWANTED.search(printed({"data": {"text/html": sound + " in /tmp/x/y"}}))


@pytest.mark.parametrize(
    "text", ["images/s", "a/b", "runs/mnist/3", "1e-3 / 2", "http://x/y/z"]
)
def test_what_is_wanted_is_left(text):
    assert not UNWANTED.search(text)
