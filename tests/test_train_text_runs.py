"""Runs of the task of texts: what they keep, answer, refuse, and go on from."""

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sentences_made import sentences, write
from train_runs import command, result, rows
from train_runs import run as start

from rmsprop_jax.train.cli import main
from rmsprop_jax.train.tasks import TASKS

ROWS = sentences(1400)
FAST = ["--task", "text-sentiment", "--hidden", "32", "--batch-size", "32"]
FAST += ["--learning-rate", "0.01", "--devices", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "train.csv", ROWS[:1000])
    write(folder / "test.jsonl", ROWS[1000:])
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A finished run of a copy of the data, which is gone afterwards."""
    place = tmp_path_factory.mktemp("runs")
    shutil.copytree(data, place / "data")
    told = [*FAST, "--epochs", "10", "--quiet"]
    told += ["--data-dir", str(place / "data"), "--run", str(place / "run")]
    assert main(["train", *told]) == 0
    shutil.rmtree(place / "data")
    return place / "run"


def asked(capsys, *arguments):
    """Status, lines, and what went wrong."""
    capsys.readouterr()
    status = main([*map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err


def test_words_learn_the_rule_and_unseen_sentences_follow_it(run):
    assert not {text for text, _ in ROWS[:1000]} & {text for text, _ in ROWS[1000:]}
    result = json.loads((run / "result.json").read_text())
    assert result["tested"] == 400
    assert result["test/accuracy"] >= 0.99


@pytest.mark.parametrize("option", ["--shift", "--rotate", "--masks"])
def test_options_that_say_nothing_for_texts_are_refused(option, data, capsys):
    told = [*FAST, "--data-dir", data, option, "2"]
    status, _, wrong = asked(capsys, "train", *told)
    assert status == 2
    assert "it says nothing for --task text-sentiment" in wrong


def test_a_run_keeps_its_vocabulary_and_answers_sentences_without_its_data(run, capsys):
    about = json.loads((run / "task.json").read_text())
    assert about["labels"] == ["negative", "positive"]
    assert "tedious" in about["vocabulary"]
    assert {path.name for path in run.glob("*.[pt]*")} == {
        "confusion.png",
        "curves.png",
        "mistakes.tsv",
    }
    said = ["The film was lovely, but not dull", "The film was dull,  but not lovely"]
    status, lines, wrong = asked(capsys, "predict", run, *said, "unheard of")
    assert (status, wrong) == (0, "")
    assert lines[0].startswith(f"{said[0]}: positive (")
    assert lines[1].startswith("The film was dull, but not lovely: negative (")
    assert "unheard of: " in lines[2]
    status, lines, _ = asked(capsys, "predict", run, said[1], "--json")
    answer = json.loads(lines[0])
    assert list(answer) == ["text", "answer", "confidence", "shares"]
    assert answer["answer"] == "negative"


def test_an_answer_is_that_of_the_run_whatever_is_asked_beside_it(run, capsys):
    text = "The plot was never dull, but fresh"
    long = " ".join([text] * 60)
    answers = []
    for beside in ([], ["x", long, "y"]):
        _, lines, _ = asked(capsys, "predict", run, text, *beside, "--json")
        answers.append(json.loads(lines[0])["shares"]["positive"])
        assert len(lines) == 1 + len(beside)
    np.testing.assert_allclose(answers, answers[0], atol=1e-6)


def test_files_of_sentences_are_read_line_by_line(run, tmp_path, capsys):
    rows = [("The film was lovely", "?"), ("The film was dull", "?")]
    plain = tmp_path / "a.txt"
    plain.write_text("\n".join(["The film was dull", "", "The film was lovely", ""]))
    table, bare = write(tmp_path / "a.csv", rows), tmp_path / "b.jsonl"
    bare.write_text('{"text": "The film was not dull"}\n')
    status, lines, _ = asked(capsys, "predict", run, plain, table, bare)
    assert status == 0
    assert [line.split(" (")[0] for line in lines] == [
        f"{plain}, line 1: negative",
        f"{plain}, line 3: positive",
        f"{table}, line 2: positive",
        f"{table}, line 3: negative",
        f"{bare}, line 1: positive",
    ]


def test_what_is_no_sentence_and_no_file_of_them_is_refused(run, tmp_path, capsys):
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "a.txt").write_text("\n \n")
    (tmp_path / "a.csv").write_text("sentence\nx\n")
    given = {
        " ": "expected a text or a file, it is empty",
        "missing.csv": "missing.csv: there is no such file",
        "my texts.TXT": "my texts.TXT: there is no such file",
        tmp_path: "expected a .txt file",
        tmp_path / "a.pdf": "expected a .txt file",
        tmp_path / "a.txt": "expected a text in each line, it is empty",
        tmp_path / "a.csv": "text once each among them; found ['sentence']",
    }
    status, lines, wrong = asked(capsys, "predict", run, "so good", *given)
    assert (status, len(lines)) == (1, 1)
    assert len(wrong.splitlines()) == len(given)
    for line, words in zip(wrong.splitlines(), given.values(), strict=True):
        assert words in line
    _, lines, _ = asked(capsys, "predict", run, " ", tmp_path / "a.txt", "--json")
    assert [next(iter(json.loads(line))) for line in lines] == ["text", "file"]


@pytest.mark.parametrize("option", ["--invert yes", "--seen new", "--beam 3"])
def test_what_says_nothing_of_sentences_is_refused_by_predict(option, run, capsys):
    status, lines, wrong = asked(capsys, "predict", run, "so good", *option.split())
    assert (status, lines) == (2, [])
    assert f"{option}: it says nothing for --task text-sentiment; leave it" in wrong


def test_options_of_predict_are_for_tasks_that_read_them():
    readers = {name: task.reads for name, task in TASKS.items() if task.reads}
    images = dict.fromkeys(("mnist", "fashion-mnist", "digits"), ("invert", "seen"))
    assert readers == {**images, "spoken-digits": ("seen",)}


def test_a_run_is_not_judged_by_what_it_may_have_learned(tmp_path, capsys, monkeypatch):
    rows = [(f"the film was good {i}", "positive") for i in range(9)]
    rows += [(f"the film was bad {i}", "negative") for i in range(9)]
    own = write(tmp_path / "a.tsv", rows)
    few = [*FAST, "--epochs", "1", "--batch-size", "4", "--quiet", "--no-pictures"]
    monkeypatch.chdir(tmp_path)
    assert main(["train", *few, "--data-dir", str(own), "--run", "b"]) == 0
    assert asked(capsys, "evaluate", "b")[0] == 0
    write(tmp_path / "a.tsv", rows[1:-1])
    status, _, wrong = asked(capsys, "evaluate", "b")
    assert status == 2
    assert "they changed since the run learned from them" in wrong
    given = ["--data-dir", write(tmp_path / "c.tsv", rows[:5]), "--json"]
    status, lines, wrong = asked(capsys, "evaluate", "b", *given)
    assert (status, json.loads(lines[0])["tested"]) == (0, 5)
    assert "5 texts of" in wrong


def test_evaluate_reads_other_data_by_the_vocabulary_of_the_run(
    run, data, tmp_path, capsys
):
    result = json.loads((run / "result.json").read_text())
    # What is learned from differs, and with it the vocabulary it would make.
    write(tmp_path / "train.tsv", [("Dull", "negative"), ("Zzz", "positive")])
    shutil.copy(data / "test.jsonl", tmp_path)
    given = ["--data-dir", tmp_path, "--checkpoint", "latest"]
    status, lines, _ = asked(capsys, "evaluate", run, *given, "--json")
    assert status == 0
    judged = json.loads(lines[0])
    assert judged["test/accuracy"] == result["test/accuracy"]
    assert [row["class"] for row in judged["classes"]] == ["negative", "positive"]
    _, lines, _ = asked(capsys, "evaluate", run, *given, "--pictures", tmp_path / "p")
    assert "of 400 test sentences right" in lines[1]
    assert {p.name for p in (tmp_path / "p").iterdir()} == {
        "confusion.png",
        "mistakes.tsv",
    }
    write(tmp_path / "test.jsonl", [("so", "neutral")])
    status, _, wrong = asked(capsys, "evaluate", run, *given)
    assert status == 2
    assert "line 1: expected a label that was learned" in wrong


def test_a_run_does_not_go_on_with_other_data(run, data, tmp_path, capsys):
    folder, other = shutil.copytree(run, tmp_path / "run"), tmp_path / "data"
    shutil.copytree(data, other)
    resumed = ["train", "--run", folder, "--resume", "--quiet", "--data-dir"]
    with (other / "train.csv").open("a") as file:
        file.write("9,neutral,so so\n")
    before = {p: p.read_bytes() for p in folder.rglob("*.json*")}
    status, _, wrong = asked(capsys, *resumed, other)
    assert status == 2
    words = r"its data are not those that it began with. What differs: labels \(2: "
    assert re.search(words + r"\w{8} there, 3: \w{8}\), sha256 of train \(", wrong)
    assert "choose another --run" in wrong
    assert before == {p: p.read_bytes() for p in folder.rglob("*.json*")}


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_run_whose_vocabulary_is_gone_or_damaged_says_so(
    content, run, tmp_path, capsys
):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "task.json").unlink()
    if content is not None:
        (folder / "task.json").write_text(content)
    status, _, wrong = asked(capsys, "predict", folder, "so good")
    assert status == 2
    assert "task.json" in wrong
    assert "expected" in wrong


def test_runs_of_other_tasks_have_no_such_file(tmp_path):
    told = ["--task", "linear", "--epochs", "1", "--quiet", "--no-pictures"]
    assert main(["train", *told, "--run", str(tmp_path / "run")]) == 0
    assert not Path(tmp_path / "run" / "task.json").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(data, tmp_path):
    few = [*FAST, "--data-dir", data, "--epochs", "6", "--no-pictures"]
    few += ["--checkpoint-every", "7"]
    whole = start(*few, "--quiet", "--run", "a", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    line = command(*few, "--run", tmp_path / "b")
    with subprocess.Popen(**line, stdout=subprocess.PIPE) as process:
        for text in process.stdout:
            if text.startswith("epoch"):
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    resumed = start("--run", "b", "--resume", "--quiet", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert result(tmp_path / "a")["sha256"] == result(tmp_path / "b")["sha256"]
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


@pytest.mark.slow
def test_compare_sweep_and_range_test_take_the_task(data, tmp_path, capsys):
    few = [*FAST[:-4], "--data-dir", data]
    epoch = [*few, "--epochs", "1"]
    rates = ["--learning-rate", "1e-3:1e-2:log", "--budget", "2", "--at-once", "2"]
    status, lines, _ = asked(capsys, "sweep", *epoch, *rates, "--run", tmp_path / "s")
    assert status == 0
    assert any("words are known" in line for line in lines)
    assert "sentences" in str(lines)
    (typed,) = (line for line in lines if line.startswith("  rmsprop-jax train"))
    assert f"--task text-sentiment --data-dir {data}" in typed
    _, lines, _ = asked(capsys, "range-test", *few, "--run", tmp_path / "r")
    assert any("text-sentiment" in line for line in lines)
    rivals = ["--optimizers", "rmsprop", "momentum", "--trials", "1", "--seeds", "1"]
    both = [*epoch, *rivals, "--devices", "1", "--run", tmp_path / "c"]
    status, lines, _ = asked(capsys, "compare", *both)
    assert status == 0
    assert any("834 sentences to learn from, 166 held out" in line for line in lines)


@pytest.mark.slow
def test_topics_of_which_some_are_rare_are_found(tmp_path, capsys):
    words = {"weather and climate of the northern islands": 90, "sport": 25, "law": 10}
    said = [
        (f"in the {place} this {topic.split()[0]} of {number} was told", topic)
        for topic, count in words.items()
        for number, place in enumerate(["north", "south", "east", "west"] * count)
    ]
    write(tmp_path / "all.jsonl", said)
    told = [*FAST, "--data-dir", tmp_path / "all.jsonl", "--epochs", "10"]
    status, lines, _ = asked(capsys, "train", *told, "--run", tmp_path / "run")
    assert status == 0
    assert "every fifth text of each label" in lines[0]
    assert "labels law, sport, weather and climate of the northern islands" in lines[1]
    assert "(400 train, 100 test)" in lines[2]
    assert "sentences/s" in lines[3]
    status, lines, _ = asked(capsys, "evaluate", tmp_path / "run")
    assert "100 of 100 test sentences right" in lines[1]
    assert len({len(line.split("%")[0]) for line in lines[4:]}) == 1
    _, lines, _ = asked(capsys, "predict", tmp_path / "run", "this law was told")
    assert lines[0].startswith("this law was told: law (")
