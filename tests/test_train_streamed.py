"""A training whose examples are read batch by batch, on rows of three lengths."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stream_made
from train_runs import far, same, trained

from rmsprop_jax.train import devices
from rmsprop_jax.train.checks import check, check_task
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.run import Run
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.streamed import Streamed, joined, prepared
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Answers
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.train.training_command import parse

SHORT = "--task linear --model linear --epochs 3 --batch-size 8 --learning-rate 0.05"


def made(kind, text="", task=None):
    config = parse([*SHORT.split(), "--devices", "1", *text.split()])
    check(config)
    return kind(resolve(config, "linear", "linear"), task or stream_made.task())


@pytest.fixture(scope="module")
def one():
    return made(Streamed)


def test_the_weights_after_a_step_do_not_depend_on_where_one_stopped(one):
    steps = one.pace.steps_per_epoch
    assert steps == 53 // 8
    whole = trained(one, [steps, 2 * steps])
    assert same(whole, trained(one, [2, steps, steps + 1, steps + 4, 2 * steps]))
    assert far(whole.params, trained(one, [steps]).params) > 1e-3
    assert not same(whole.params, trained(one, [steps, 2 * steps], seed=1).params)


def test_a_run_can_begin_at_any_step_with_the_state_from_there(one):
    before = trained(one, [4])
    kept = jax.device_get(before)
    on = one.advance(before, 4, 6)
    other = made(Streamed)
    state = devices.everywhere(other.mesh, kept)
    assert same(on, other.advance(state, 4, 6))


def test_another_run_can_begin_in_the_middle_of_an_epoch(one):
    one.close()
    expected = trained(one, [3], seed=1)
    trained(one, [2])
    assert same(expected, trained(one, [3], seed=1))


@pytest.fixture
def opened(monkeypatch):
    """The examples that have been read, in whatever order threads do."""
    found, real = [], stream_made.Rows.read
    monkeypatch.setattr(
        stream_made.Rows, "read", lambda *a: found.append(a[1]) or real(*a)
    )
    return found


def test_batches_are_read_once_while_steps_follow_one_another(one, opened):
    steps = one.pace.steps_per_epoch
    trained(one, [1, 2, 3, steps])
    assert len(opened) == len(set(opened)) == 8 * steps


def test_each_epoch_leaves_out_others_in_turn(one, opened):
    left_out = []
    for epoch in range(3):
        opened.clear()
        one.close()
        first = epoch * one.pace.steps_per_epoch
        one.advance(one.start(), first, first + one.pace.steps_per_epoch)
        left_out.append(frozenset(range(53)) - frozenset(opened))
    assert {len(some) for some in left_out} == {53 % 8}
    assert len(set(left_out)) == 3


def test_each_length_is_compiled_once(one):
    trained(one, [2, 6, 9, 12])
    for _ in range(2):
        one.evaluate(one.start(), "test")
    assert one._follow._cache_size() == len(stream_made.LENGTHS)
    assert one._judge._added._cache_size() <= len(stream_made.LENGTHS)


def test_what_is_judged_is_every_example_once_and_answers_are_in_their_order(one):
    state = trained(one, [6, 9])
    told, beside = one.evaluate(state, "test"), made(Training)
    expected = beside.evaluate(jax.device_get(state), "test")
    assert float(told.totals["loss"][1]) == 21
    assert means(told.totals) == pytest.approx(means(expected.totals), rel=1e-5)
    np.testing.assert_allclose(told.answers.answer, expected.answers.answer, rtol=1e-4)
    assert told.diagnostics.keys() == expected.diagnostics.keys()


def test_answers_that_differ_in_length_end_in_minus_1():
    first = Answers(np.array([[5, 6], [7, 8]]), np.array([0.5, 0.1], np.float32))
    second = Answers(np.array([[1, 2, 3], [0, 0, 0]]), np.ones(2, np.float32))
    found = joined(np.array([2, 0, 1, -1]), [first, second])
    assert found.answer.tolist() == [[7, 8, -1], [1, 2, 3], [5, 6, -1]]
    assert found.confidence.tolist() == pytest.approx([0.1, 1, 0.5])


def test_it_learns(one):
    losses = [
        means(one.evaluate(trained(one, stops), "test").totals)["loss"]
        for stops in ([], [6, 12, 18])
    ]
    assert losses[1] < 0.7 * losses[0]


def test_the_last_training_examples_are_held_out():
    one = made(Streamed, "--validation 10")
    assert one.counts == {"train": 43, "validation": 10, "test": 21}
    whole = stream_made.task().stream(None).train
    assert (one.data["validation"].lengths == whole.lengths[43:]).all()
    read = one.data["validation"].read(0, 2)["x"]
    np.testing.assert_array_equal(read, whole.read(43, 2)["x"])


@pytest.mark.parametrize("options", ["", "--zero", "--accumulate 2"])
def test_two_devices_compute_what_one_does(one, options):
    two = made(Streamed, f"--devices 2 {options}")
    assert two._rows.tolist() == list(range(8))
    assert far(trained(one, [6]).params, trained(two, [6]).params) < 1e-5
    first, second = (
        means(x.evaluate(trained(x, [6]), "test").totals) for x in (one, two)
    )
    assert first == pytest.approx(second, rel=1e-4)


def test_the_task_is_as_its_data_tell():
    told = dataclasses.replace(
        stream_made.task(), tell=lambda task, _: dataclasses.replace(task, unit="lines")
    )
    assert made(Streamed, task=told).task.unit == "lines"


def test_what_was_interrupted_goes_on_with_the_same_batches(one, monkeypatch):
    whole = trained(one, [6])
    again, follow = trained(one, [2]), one._follow

    def stops(state, batch, seed):
        if int(state.step) == 3:
            raise KeyboardInterrupt
        return follow(state, batch, seed)

    monkeypatch.setattr(one, "_follow", stops)
    kept = jax.tree.map(jnp.copy, again)
    with pytest.raises(KeyboardInterrupt):
        one.advance(again, 2, 6)
    monkeypatch.setattr(one, "_follow", follow)
    assert far(one.advance(kept, 2, 6).params, whole.params) == 0


def test_what_cannot_be_read_is_named():
    task = stream_made.task(train=stream_made.rows(53, 1, broken=7))
    one = made(Streamed, task=task)
    with (
        pytest.raises(ValueError, match=r"row-7\.txt: it is cut off"),
        prepared(one.config, task) as one,
    ):
        trained(one, [6, 12])


def test_a_run_that_cannot_read_on_is_saved_and_with_the_file_back_ends_as_if(
    tmp_path,
):
    def fitted(name, broken=None):
        train = stream_made.rows(53, 1, broken=broken)
        one = made(Streamed, "--quiet", stream_made.task(train=train))
        (tmp_path / name).mkdir(exist_ok=True)
        return Run(one, Folder(tmp_path / name), 0.0).fit()[0]

    whole, steps = fitted("whole"), []
    for broken in (7, 21):
        with pytest.raises(ValueError, match=rf"row-{broken}\.txt: it is cut") as end:
            fitted("mended", broken)
        saved = r"mended is saved after step (\d+); --resume goes on"
        steps += map(int, re.findall(saved, str(end.value)))
        assert (tmp_path / "mended" / "checkpoints" / str(steps[-1])).is_dir()
    assert len({0, *steps}) == 3
    assert same(whole, fitted("mended"))


def test_nothing_is_left_open_whatever_ends_a_training(monkeypatch):
    closed, close = [], Streamed.close
    monkeypatch.setattr(Streamed, "close", lambda self: (closed.append(1), close(self)))
    whole = made(Streamed)
    reading = prepared(whole.config, whole.task)
    one = reading.__enter__()
    trained(one, [2])
    assert one._next == (0, 2)
    closed.clear()
    stopped = KeyboardInterrupt()
    assert not reading.__exit__(KeyboardInterrupt, stopped, None)
    assert closed
    assert one._next is None
    assert next(one._batches, None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--batch-size 54", "--batch-size 54: expected at most 53"),
        ("--validation 53", "--validation 53: linear has 53 training examples"),
        ("--batch-size 9 --devices 2", "--batch-size 9: expected a multiple of 2"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        made(Streamed, options)


def test_workers_are_for_what_is_read_as_a_run_goes():
    config = parse(["--task", "digits", "--workers", "2"])
    with pytest.raises(ValueError, match="--workers 2: it says nothing for --task dig"):
        check_task(config, TASKS["digits"])
    with pytest.raises(ValueError, match="--workers -1: expected 0 or more"):
        check(parse(["--task", "librispeech", "--workers", "-1"]))
    check_task(parse(["--task", "librispeech", "--workers", "2"]), TASKS["librispeech"])
