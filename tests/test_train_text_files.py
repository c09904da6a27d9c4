"""Files of labelled texts: how they are read, and what is refused by line number."""

import json
import re
from functools import partial

import numpy as np
import pytest
from sentences_made import write

from rmsprop_jax.train.data import labelled, texts
from rmsprop_jax.train.data.dataset import LEARNED
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.text import symbols
from rmsprop_jax.train.text.symbols import UNKNOWN
from rmsprop_jax.train.training import split

ROWS = [("so good", "yes"), ("so bad", "no"), ('he said "so", twice', "no")]


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path):
    return [(row.text, row.label) for row in labelled.read(path)]


@pytest.mark.parametrize("ending", labelled.ENDINGS)
@pytest.mark.parametrize("new_line", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_same_rows_come_out_of_every_kind_of_file(ending, new_line, mark, tmp_path):
    rows = [(t.replace('"', '""') if ending == ".csv" else t, a) for t, a in ROWS]
    path = write(tmp_path / f"a{ending}", rows)
    put(path, mark + path.read_text().replace("\n", new_line) + 2 * new_line)
    assert read(path) == ROWS
    lines = [row.line for row in labelled.read(path)]
    first = 1 if ending == ".jsonl" else 2
    assert lines == [first, first + 1, first + 2]


def test_a_quoted_field_of_csv_may_be_of_several_lines(tmp_path):
    text = 'text,label\n"one\ntwo, ""three""",yes\nshort,no\n'
    rows = labelled.read(put(tmp_path / "a.csv", text))
    assert [(row.line, row.text) for row in rows] == [
        (2, 'one\ntwo, "three"'),
        (4, "short"),
    ]


def test_no_quote_means_anything_in_tsv(tmp_path):
    text = 'label\tother\ttext\nno\t"\t"twas dull\n'
    assert read(put(tmp_path / "a.tsv", text)) == [('"twas dull', "no")]


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    text = "one\u2028two\x0bthree\x85four\rfive"
    path = put(tmp_path / "a.tsv", f"text\tlabel\n{text}\tyes\n")
    assert read(path) == [(text, "yes")]


def test_labels_may_be_integers_and_then_stand_in_their_order(tmp_path):
    labels = [10, -1, 2, 10, -1, 2] * 5
    lines = [json.dumps({"text": f"t{i}", "label": x}) for i, x in enumerate(labels)]
    path = put(tmp_path / "a.jsonl", "\n".join(lines))
    about = texts.load("words", path).about
    assert about["labels"] == ["-1", "2", "10"]


BAD = {
    "missing column": ("a.tsv", "text\tscore\nx\t1\n", 1, "text and label once each"),
    "column twice": ("a.csv", "text,label,text\nx,1,y\n", 1, "found .*'text', 'label'"),
    "no lines": ("a.tsv", "", 1, "expected the names of the columns"),
    "too few fields": ("a.tsv", "text\tlabel\nx\n", 2, "2 fields as in line 1, got 1"),
    "too many fields": ("a.csv", "text,label\nx,y,z\n", 2, "2 fields .*, got 3"),
    "empty line": ("a.tsv", "text\tlabel\n\nx\ty\n", 2, "the line is empty"),
    "empty line, CRLF": ("a.tsv", "text\tlabel\r\n\r\nx\ty\r\n", 2, "line is empty"),
    "empty line of csv": ("a.csv", "text,label\n\nx,y\n", 2, "the line is empty"),
    "empty text": ("a.tsv", "text\tlabel\n \ty\n", 2, "expected a text, it is empty"),
    "empty label": ("a.csv", "text,label\nx,\n", 2, "expected a label, it is empty"),
    "open quote": ("a.csv", 'text,label\nx,y\n"x,y\nz,y\n', 3, "unexpected end"),
    "after a quote": ("a.csv", 'text,label\n"x"x,y\n', 2, "expected after"),
    "no json": ("a.jsonl", '{"text": "x", "label": 1}\n{"text"\n', 2, "a JSON object;"),
    "no object": ("a.jsonl", "[1]\n", 1, r"a JSON object, got \[1\]"),
    "deep": ("a.jsonl", "[" * 100_000 + "\n", 1, "expected a JSON object"),
    "missing key": ("a.jsonl", '{"text": "x"}\n', 1, "expected 'label' too, got"),
    "number as text": ("a.jsonl", '{"text": 3, "label": 1}\n', 1, "a string as text"),
    "fraction": ("a.jsonl", '{"text": "x", "label": 0.5}\n', 1, "integer as label"),
    "truth": ("a.jsonl", '{"text": "x", "label": true}\n', 1, "label, got true"),
    "surrogate": ("a.jsonl", '{"text": "\\ud800", "label": 1}\n', 1, "surrogate pair"),
    "broken": ("a.tsv", b"text\tlabel\nx\ty\na\xff\ty\n", 3, "byte 16 .* is 0xff"),
    "broken, mark": ("a.tsv", b"\xef\xbb\xbfx\n\xff", 2, "byte 5 of the file is 0xff"),
    "byte 0": ("a.csv", b"text,label\nx\0,y\n", 2, "byte 12 of the file is 0"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_is_refused_with_its_line(kind, tmp_path):
    name, content, line, words = BAD[kind]
    path = put(tmp_path / name, content)
    with pytest.raises(ValueError, match=words) as refusal:
        labelled.read(path)
    said = str(refusal.value)
    assert said.startswith(f"{path}, line {line}: expected")
    assert re.search(r"(Correct or delete the line|Put them there, or rename)", said)


def test_several_wrong_lines_are_named_at_once_and_no_more_than_five(tmp_path):
    bad = "".join(f"only one field {i}\n" for i in range(8))
    path = put(tmp_path / "a.tsv", f"text\tlabel\nx\ty\n{bad}")
    with pytest.raises(ValueError, match="8 lines are not as expected") as refusal:
        labelled.read(path)
    lines = str(refusal.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:6]] == [
        f"line {i}" for i in range(3, 8)
    ]
    assert lines[6:] == ["  and 3 more", "Correct or delete them."]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "x", "expected a .tsv, .csv or .jsonl file"),
        ("a.tsv", "text\tlabel\n", "a row for each text, there is none"),
        ("a.jsonl", "\n\n", "a row for each text, there is none"),
        ("a.csv", "text,label\n".encode("utf-16"), "UTF-8, it is UTF-16"),
    ],
)
def test_a_file_that_is_none_of_texts_is_refused(name, content, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        labelled.read(put(tmp_path / name, content))


def test_a_label_of_the_test_that_was_not_learned_is_refused(tmp_path):
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "test.csv", [("so good", "yes"), ("hm", "maybe")])
    words = r"test\.csv, line 3: .* learned \(no, yes\), got 'maybe'"
    with pytest.raises(ValueError, match=words):
        texts.load("words", tmp_path)


def test_a_single_label_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two labels or more, all texts have 'no'"):
        texts.load("words", write(tmp_path / "a.tsv", ROWS[1:]))


def test_a_run_is_judged_by_what_it_has_not_learned(tmp_path):
    rows = [(f"word{i} so", label) for i in range(10) for label in ("no", "yes")]
    own = write(tmp_path / "a.tsv", rows)
    data = texts.load("words", own)
    judge = partial(texts.to_test, symbols.of(data.about), data.about)
    for name, found in judge(own).test.items():
        np.testing.assert_array_equal(found, data.test[name])
    assert len(data.test["label"]) == 4
    # Of another file all, of a folder what is to test by, and nothing else is needed.
    other = judge(write(tmp_path / "b.tsv", rows[:5]))
    assert len(other.test["label"]) == 5
    assert other.about[LEARNED] != data.about[LEARNED]
    (tmp_path / "c").mkdir()
    write(tmp_path / "c/test.tsv", rows[:3])
    assert len(judge(tmp_path / "c").test["label"]) == 3
    with pytest.raises(ValueError, match="expected a folder with train"):
        texts.load("words", tmp_path / "c")


def test_a_file_to_test_by_is_found_beside_the_one_that_is_named(tmp_path):
    train = write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "test.tsv", ROWS[:1])
    assert len(texts.load("words", train).test["label"]) == 1


def test_texts_that_are_learned_and_tested_are_counted(tmp_path):
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "test.tsv", [*ROWS[:2], ("another one", "yes")])
    said = texts.load("words", tmp_path).said
    assert any("2 of the test texts are learned from too" in line for line in said)


def test_held_out_texts_are_read_as_those_of_a_stranger():
    learned = {"symbols": np.array([[2, 3, 0]], np.uint16)}
    held_out = {"symbols": np.array([[3, 4, 0]], np.uint16), "label": np.array([1])}
    found = texts.unseen(learned, held_out)
    assert found["symbols"].tolist() == [[3, UNKNOWN, 0]]
    assert found["label"] is held_out["label"]


def test_what_validation_holds_out_is_unseen_by_words_and_not_by_bytes(tmp_path):
    rows = [(f"word{i} so", label) for i in range(9) for label in ("no", "yes")]
    path = write(tmp_path / "a.tsv", [*rows, ("only here", "no")])
    for name, unknown in (("text-sentiment", True), ("text-sentiment-bytes", False)):
        task = TASKS[name]
        parts = split(task, task.load(path), held_out=15)
        assert (parts["validation"]["symbols"] == UNKNOWN).any() == unknown
        assert not (parts["train"]["symbols"] == UNKNOWN).any()


def test_a_line_that_is_no_json_has_one_number(tmp_path):
    path = put(tmp_path / "a.jsonl", '{"text": "a", "label": "b"}\n{"text": \n')
    with pytest.raises(ValueError, match=r"line 2: expected a JSON object") as error:
        labelled.read(path)
    assert "line 1 column" not in str(error.value)


def test_two_files_of_one_part_are_refused(tmp_path):
    write(tmp_path / "train.tsv", ROWS)
    write(tmp_path / "train.csv", ROWS[:1])
    with pytest.raises(ValueError, match=r"one of train\.tsv and train\.csv; move"):
        texts.load("words", tmp_path)


def test_without_data_it_is_said_where_they_may_lie(tmp_path, monkeypatch):
    monkeypatch.delenv("RMSPROP_JAX_DATA", raising=False)
    with pytest.raises(ValueError, match=r"^expected --data-dir a folder with train"):
        texts.load("words")
    with pytest.raises(ValueError, match=f"{tmp_path}: expected a folder with"):
        texts.load("words", tmp_path)
    below = tmp_path / "text-sentiment"
    below.mkdir()
    write(below / "train.tsv", ROWS)
    write(below / "test.tsv", ROWS[:1])
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(tmp_path))
    assert [len(part["label"]) for part in texts.load("words").parts] == [3, 1]
