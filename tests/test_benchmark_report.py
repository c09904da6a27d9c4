"""The page's numbers: each is what a receipt says, and none is without."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.receipts import full, read
from benchmarks.reporting import numerals
from benchmarks.reporting.markers import fill
from benchmarks.reporting.not_measured import NOT_MEASURED

PAGE = report.README.read_text()


@pytest.fixture(scope="module")
def texts():
    """What the receipts say now."""
    return report.texts()


@pytest.fixture
def checked(texts, monkeypatch, tmp_path):
    """What `--check` says of a page, and of receipts, by place."""

    def check(page, changed=None):
        readme = tmp_path / "README.md"
        readme.write_text(page)
        monkeypatch.setattr(report, "README", readme)
        monkeypatch.setattr(report, "texts", lambda: texts | (changed or {}))
        status = report.main(["--check"])
        assert readme.read_text() == page
        return status

    return check


def test_the_page_says_what_the_receipts_say_and_no_other_number(checked):
    assert checked(PAGE) == 0


@pytest.mark.parametrize("place", report.TEXTS)
def test_a_digit_that_is_changed_is_found(checked, place, capsys):
    begin = PAGE.index(f"<!-- begin {place} -->")
    end = PAGE.index(f"<!-- end {place} -->")
    *_, last = re.finditer(r"\d", PAGE[begin:end])
    at = begin + last.start()
    other = str(9 - int(PAGE[at]))
    assert checked(PAGE[:at] + other + PAGE[at + 1 :]) == 1
    assert "+++ the receipts" in capsys.readouterr().out


# A value in a receipt of each place.
VALUES = {
    "dialects": "tolerances",
    "accuracy": "test/accuracy",
    "mnist": "epoch_seconds",
    "mnist-products": "epoch_seconds",
    "kills": "different",
    "tuned-rate": "test",
    "sensitivity": "test",
    "good-region": "test",
    "larger-eps": "test",
    "misled-search": "test",
    "sweep": "seconds",
    "optimizers": "value",
    "heard-digits": "test/accuracy",
    "left-out-voices": "test/accuracy",
    "speech-optimizers": "test/accuracy",
    "lstm-steps": "steps_per_second",
    "deviceless": "bytes_a_parameter",
    "eight-bits": "relative_difference",
    "state-precision": "loss",
    "settings-apart": "loss",
    "update-time": "times_peer",
}


def enlarged(value, by):
    if isinstance(value, list):
        return [x and x * (1 + by) for x in value]
    return value and value * (1 + by)


@pytest.mark.parametrize("place", VALUES)
def test_a_receipt_that_changes_is_found(checked, place):
    name, said = report.TEXTS[place]
    rows, value = full(read(report.receipts.FOLDER / f"{name}.jsonl")), VALUES[place]
    changed = [
        # Not all alike, lest ratios stay; and a count of 0 becomes another.
        row | {value: enlarged(row[value], index % 7) if row[value] else 1}
        # By validation values are chosen, and other ones have not been judged.
        if value in row and row.get("part") != "validation"
        else row
        for index, row in enumerate(rows)
    ]
    assert checked(PAGE, {place: said(changed)}) == 1


def test_the_number_of_processes_is_that_of_the_receipts(texts):
    _, said = report.TEXTS["mnist-processes"]
    rows = read(report.receipts.file_of("mnist"))
    assert said(rows + rows) != texts["mnist-processes"]
    assert set(VALUES) | {"mnist-processes"} == set(report.TEXTS)


HEADINGS = [found.end() for found in re.finditer(r"^##+ .*$", PAGE, re.MULTILINE)]


@pytest.mark.parametrize(
    "sentence",
    [
        "It is 3x faster.",
        "An epoch takes 0.05 s.",
        "Errors fall by 12 %.",
        "It needs twice as much.",
        "Everything else is slower.",
        "The loss is −4e-3.",
    ],
)
def test_a_sentence_without_a_receipt_is_found_in_every_section(sentence):
    for at in HEADINGS:
        page = f"{PAGE[:at]}\n\n{sentence}\n{PAGE[at:]}"
        found = numerals.unanswered(page, NOT_MEASURED)
        assert found
        assert all(sentence.partition(" ")[0] in excerpt for excerpt in found)


def test_a_new_sentence_fails_the_check_and_is_quoted(checked, capsys):
    assert checked(PAGE + "\nIt is 3x faster.\n") == 1
    said = capsys.readouterr().out
    assert "a number without a receipt:" in said
    assert "It is 3x faster." in said
    assert "benchmarks/reporting/not_measured.py" in said


def test_a_sentence_beside_generated_ones_is_found():
    end = PAGE.index("<!-- end mnist-products -->") + len("<!-- end mnist-products -->")
    page = f"{PAGE[:end]}, 2.5 times as much as the rest,{PAGE[end:]}"
    assert len(numerals.unanswered(page, NOT_MEASURED)) == 2


def test_code_formulas_names_and_links_are_no_numbers():
    page = "`x = 3` $g^2$ float32, H200, [GPT](#gpt-2)\n```sh\nsleep 5\n```\n1. One\n"
    assert numerals.unanswered(page, []) == []
    assert len(numerals.unanswered("3 $g^2$ 4", [])) == 2


@pytest.mark.parametrize("phrase", NOT_MEASURED)
def test_what_is_listed_as_no_measurement_stands_on_the_page(phrase):
    others = [x for x in NOT_MEASURED if x != phrase]
    assert numerals.unanswered(PAGE, others)


# Numbers in the templates: names and definitions.
IN_TEMPLATES = {"Keras 3 on", "784-100-10", "GPT-2", "10 000 images", "ResNet-50's"}
IN_TEMPLATES |= {"8 bits in equal steps", "leaves out 0", "against 0/0 and"}


def written(tree):
    """The strings of a module, without docstrings and formats."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue):
            node.format_spec = None
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node):
            del node.body[0]
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_template_has_a_measured_number_of_its_own():
    modules = {sys.modules[said.__module__] for _, said in report.TEXTS.values()}
    trees = [ast.parse(Path(module.__file__).read_text()) for module in modules]
    prose = "\n".join(string for tree in trees for string in written(tree))
    assert numerals.unanswered(prose, IN_TEMPLATES) == []
    for phrase in IN_TEMPLATES:
        assert numerals.unanswered(prose, IN_TEMPLATES - {phrase})


PLACES = """<!-- begin a -->
old
<!-- end a -->

- x
  <!-- begin b -->
  <!-- end b -->

in <!-- begin c -->1<!-- end c --> cases"""


def test_texts_are_put_between_their_markers_indented_as_these():
    filled = fill(PLACES, {"a": "new\nlines", "b": "of a list", "c": "2"})
    assert filled == PLACES.replace("old", "new\nlines").replace(
        "  <!-- end b", "  of a list\n  <!-- end b"
    ).replace(">1<", ">2<")
    assert fill(filled, {"a": "new\nlines", "b": "of a list", "c": "2"}) == filled


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<!-- begin a -->\nx\n", "<!-- begin a --> without a partner"),
        ("x <!-- end a -->", "<!-- end a --> without a partner"),
        ("no markers", "between markers are ; expected each of a once"),
        ("x <!-- begin b -->y<!-- end b -->", "between markers are b; expected"),
        ("<!-- begin a -->x<!-- end a -->", "<!-- begin a --> begins a line"),
    ],
)
def test_markers_that_are_wrong_are_named(page, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fill(page, {"a": "text"})


def test_receipts_that_lack_are_named_with_their_benchmark(monkeypatch, tmp_path):
    for place, (name, said) in report.TEXTS.items():
        monkeypatch.setattr(report, "TEXTS", {place: (name, said)})
        wanted = rf"{place}: .* expected a whole run of python -m benchmarks.{name} "
        with pytest.raises(LookupError, match=wanted):
            report.texts(tmp_path)


def test_the_page_is_written_from_the_receipts(texts, monkeypatch, tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text(PAGE.replace(texts["sweep"], "?"))
    monkeypatch.setattr(report, "README", readme)
    monkeypatch.setattr(report, "texts", lambda: texts)
    assert report.main([]) == 0
    assert readme.read_text() == PAGE
    assert json.dumps("?")[1:-1] in capsys.readouterr().out
