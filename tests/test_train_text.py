"""The tasks of texts, on sentences that follow a rule: their data and their model."""

import jax
import numpy as np
import pytest
from flax import nnx
from sentences_made import best_of_bags, sentences, write
from train_runs import far, same

from rmsprop_jax.train.checks import check
from rmsprop_jax.train.data import texts
from rmsprop_jax.train.embedding import Symbols
from rmsprop_jax.train.models import build
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.text import mistakes
from rmsprop_jax.train.text.symbols import UNKNOWN, Words, words_of
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.train.training_command import parse

ROWS = sentences(1400)
FAST = ["--hidden", "16", "--batch-size", "32", "--learning-rate", "0.01"]
FAST += ["--devices", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "train.csv", ROWS[:1000])
    write(folder / "test.jsonl", ROWS[1000:])
    return folder


def training(task, data, *arguments):
    config = parse(["--task", task, "--data-dir", str(data), *FAST, *arguments])
    check(config)
    model = config.learning.model or "lstm"
    return Training(resolve(config, task, model), TASKS[task])


def trained(one, stops=()):
    """The state at the end, having stopped at the epochs and in between."""
    state, step, pace = one.start(), 0, one.pace
    ends = {epoch * pace.steps_per_epoch for epoch in range(1, pace.epochs + 1)}
    for stop in sorted(ends | {*stops}):
        state = one.advance(state, step, stop)
        step = stop
    return state


def test_no_answer_to_the_words_alone_is_right_where_their_order_counts():
    # Of the corpus whose unseen sentences are to be 99 % right.
    assert best_of_bags(ROWS, words_of) < 0.65
    both = [(" ".join(words_of(text)), label) for text, label in ROWS]
    assert best_of_bags(both, lambda text: [text]) == 1


def test_stopping_changes_no_bit(tmp_path):
    write(tmp_path / "train.tsv", ROWS[:100])
    write(tmp_path / "test.tsv", ROWS[100:110])
    one = training("text-sentiment", tmp_path, "--epochs", "2")
    assert one.pace.steps_per_epoch == 3
    assert same(trained(one), trained(one, stops=[1, 4, 5]))


@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_two_devices_read_texts_as_one_does(model, tmp_path):
    write(tmp_path / "train.tsv", ROWS[:100])
    write(tmp_path / "test.tsv", ROWS[100:110])
    few = ["--epochs", "2", "--model", model, "--devices"]
    one, two = (training("text-sentiment", tmp_path, *few, n) for n in "12")
    assert (one.mesh.size, two.mesh.size) == (1, 2)
    assert far(trained(one).params, trained(two).params) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_bytes_learn_the_rule_too(model, data):
    told = ["--hidden", "128", "--learning-rate", "0.002", "--epochs", "10"]
    one = training("text-sentiment-bytes", data, *told, "--model", model)
    reached = means(one.evaluate(trained(one), "test").totals)
    assert reached["accuracy"] >= 0.99


def test_every_fifth_text_of_each_label_is_to_test_by_and_the_rest_is_mixed(tmp_path):
    rows = [(f"a{i}", "rare") for i in range(6)] + [
        (f"b{i}", "usual") for i in range(9)
    ]
    found = texts.load("words", write(tmp_path / "a.tsv", rows))
    assert found.test["line"].tolist() == [6, 12]
    assert sorted(found.train["line"].tolist()) == [
        line for line in range(2, 17) if line not in (6, 12)
    ]
    # The last ones, which may be held out, would otherwise be of one label.
    assert found.train["label"].tolist() != sorted(found.train["label"].tolist())
    assert "every fifth text of each label in" in found.said[0]
    assert found.said[0].endswith("is to test by, 2 of 15.")
    again = texts.load("words", tmp_path / "a.tsv")
    assert same(found.train, again.train)


def test_too_few_texts_to_test_by_are_refused(tmp_path):
    rows = [("a", "x"), ("b", "y"), ("c", "x"), ("d", "y")]
    with pytest.raises(ValueError, match="expected 5 texts of a label or more"):
        texts.load("words", write(tmp_path / "a.tsv", rows))


def test_words_of_the_test_texts_are_not_learned(tmp_path):
    write(tmp_path / "train.tsv", [("so good", "yes"), ("bad", "no")])
    write(tmp_path / "test.tsv", [("so NEW good", "yes")])
    found = texts.load("words", tmp_path)
    assert found.about["vocabulary"] == ["bad", "good", "so"]
    assert found.test["symbols"].tolist() == [[4, UNKNOWN, 3]]
    assert found.said == (
        "text-sentiment: labels no, yes; 3 words are known, 33.3 % of those in the "
        "test texts are not.",
    )


@pytest.mark.parametrize(("kind", "most"), [("words", 256), ("bytes", 1024)])
def test_a_text_that_is_too_long_is_cut_at_its_end_and_that_is_said(
    kind, most, tmp_path
):
    long = "ab " * (most if kind == "words" else most // 3 + 1)
    rows = [(f"{long}c", "yes"), ("bad", "no")]
    write(tmp_path / "train.tsv", rows)
    write(tmp_path / "test.tsv", rows[1:])
    found = texts.load(kind, tmp_path)
    assert found.train["symbols"].shape == (2, most)
    assert found.test["symbols"].shape == (1, 1 if kind == "words" else 3)
    assert sorted(found.train["length"].tolist()) == [1 if kind == "words" else 3, most]
    assert (
        f"text-sentiment: 1 of 3 texts have more than {most:,} {kind}, and are cut "
        "there."
    ) in found.said


@pytest.mark.parametrize("model", ["lstm", "gru"])
def test_an_answer_is_of_true_symbols_in_their_order_and_of_nothing_else(model):
    made = build(model, (9,), 3, hidden=8, symbols=20, rngs=nnx.Rngs(0))
    made.eval()
    compute = jax.jit(lambda found, length: made(Symbols(found, length)))
    found = np.random.default_rng(0).integers(1, 20, (4, 9)).astype(np.int32)
    length = np.array([9, 4, 1, 6], np.int32)
    past = np.arange(9)[None, :] >= length[:, None]
    answers = compute(found, length)
    np.testing.assert_allclose(answers, compute(np.where(past, 0, found), length))
    alone = compute(found[1:2, :4], length[1:2])
    np.testing.assert_allclose(alone[0], answers[1], atol=1e-5)
    whole = np.full(4, 9, np.int32)
    for changed in (found[:, ::-1], np.where(np.arange(9) == 8, found % 19 + 1, found)):
        assert np.abs(compute(found, whole) - compute(changed, whole)).min() > 1e-5


def test_what_is_not_known_says_nothing_before_it_is_learned():
    made = build("lstm", (9,), 3, hidden=8, symbols=20, rngs=nnx.Rngs(0))
    vectors = np.asarray(made.vectors[...])
    assert (vectors[:2] == 0).all()
    assert (np.linalg.norm(vectors[2:], axis=1) > 1).all()


@pytest.mark.parametrize(
    "arguments",
    [{"symbols": 5}, {"each_frame": True}],
)
def test_a_model_that_reads_no_sequences_is_refused(arguments):
    with pytest.raises(ValueError, match=r"model='mlp': expected one of lstm, gru"):
        build("mlp", (9,), 3, rngs=nnx.Rngs(0), **arguments)


def test_a_task_knows_its_classes_and_symbols_from_its_data_alone(data):
    told = TASKS["text-sentiment"].told(TASKS["text-sentiment"].load(data).about)
    assert told.classes == ("negative", "positive")
    assert (told.outputs, told.unit) == (2, "sentences")
    assert told.symbols == 2 + len(told.load(data).about["vocabulary"])
    assert TASKS["text-sentiment"].classes is None
    with pytest.raises(ValueError, match=r"the vocabulary .* in the task\.json"):
        TASKS["text-sentiment"].told({})
    assert TASKS["digits"].told({"symbols": "words"}) is TASKS["digits"]


def test_sentences_are_as_wide_as_the_longest_text_so_that_one_program_serves(data):
    task = TASKS["text-sentiment"]
    about = task.load(data).about
    told, longest = task.told(about), about["longest"]
    for count, width in ((1, longest), (longest, longest), (longest + 1, 2 * longest)):
        found, _ = told.typed("so " * count)
        assert found["symbols"].shape == (1, width)
        assert found["length"].tolist() == [count]
    assert told.typed("so " * 300)[0]["symbols"].shape == (1, 256)


def test_mistakes_are_a_table_of_what_the_model_saw_the_surest_first(tmp_path):
    made = Words(("good", "so"))
    test = {
        "symbols": np.array([[3, 2], [2, UNKNOWN], [2, 0], [3, 0]], np.uint16),
        "label": np.array([0, 1, 1, 0]),
        "line": np.array([2, 3, 4, 5]),
    }
    sure = np.array([0.9, 0.6, 0.75, 0.99], np.float32)
    answers = np.array([0, 0, 0, 1])
    mistakes.write(made, ("no", "a\tb"), test, answers, sure, tmp_path / "x" / "m.tsv")
    assert (tmp_path / "x" / "m.tsv").read_text().splitlines() == [
        "confidence\tlabel\tsaid\tline\ttext",
        "0.9900\tno\ta b\t5\tso",
        "0.7500\ta b\tno\t4\tgood",
        "0.6000\ta b\tno\t3\tgood □",
    ]
