"""What a training computes: the same numbers however it is cut, placed or counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from train_runs import far, same, trained, training

from rmsprop_jax.train.training import means

EPS = np.finfo(np.float32).eps


@pytest.fixture(autouse=True)
def as_users_run():
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(scope="module")
def plain():
    return training()


def test_the_length_of_the_chunks_changes_no_bit(plain):
    once = trained(plain, [44])
    assert same(once, trained(plain, [1, 2, 10, 37, 44]))
    assert not same(once.params, trained(plain, [43]).params)


def test_an_epoch_sees_every_example_once_but_the_last_few(plain):
    seen = []
    for epoch in (0, 1):
        plain.advance(plain.start(), 44 * epoch, 44 * epoch)
        seen.append(np.asarray(plain._order[1]))
        assert len(set(seen[-1])) == len(seen[-1]) == 44 * 32
    assert not np.array_equal(*seen)


def test_seeds_differ_in_weights_and_order(plain):
    a, b = trained(plain, [0], seed=0), trained(plain, [0], seed=1)
    assert far(a.params, b.params) > 0.1
    assert same(trained(plain, [5], seed=1), trained(plain, [5], seed=1))


def test_the_learning_rate_is_an_input_of_the_program(plain):
    still = trained(plain, [5], learning_rate=0.0)
    assert same(still.params, plain.start().params)
    assert float(trained(plain, [5], learning_rate=0.5).peak) == 0.5


def test_totals_are_the_means_since_the_row_and_the_epoch_began():
    whole = training("--log-every 10")
    state, losses = whole.start(), []
    for step in range(44):
        before = means(state.epoch)["loss"] * step if step else 0.0
        state = whole.advance(state, step, step + 1)
        losses.append(means(state.epoch)["loss"] * (step + 1) - before)
    assert means(state.epoch)["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert means(state.row)["loss"] == pytest.approx(np.mean(losses[40:]), rel=1e-3)
    assert float(state.epoch["loss"][1]) == 44 * 32
    assert float(state.row["loss"][1]) == 4 * 32
    state = whole.advance(state, 44, 45)
    assert float(state.epoch["loss"][1]) == float(state.row["loss"][1]) == 32


@pytest.mark.parametrize("devices", [1, 7])
def test_every_test_example_counts_once(devices):
    size = 32 - 32 % devices
    one = training(f"--devices {devices} --batch-size {size} --learning-rate 0.01")
    state = trained(one, [44])
    evaluation = one.evaluate(state, "test")
    answers = np.asarray(evaluation.answers.answer)
    labels = one.data["test"]["label"]
    assert answers.shape == labels.shape == (360,)
    assert float(evaluation.totals["accuracy"][1]) == 360
    assert means(evaluation.totals)["accuracy"] == pytest.approx(
        np.mean(answers == labels), abs=1e-6
    )
    assert 0.2 < np.mean(answers == labels) < 1


def test_held_out_examples_are_not_trained_on():
    one = training("--validation 400")
    counts = {name: len(part["label"]) for name, part in one.data.items()}
    assert counts == {"train": 1037, "validation": 400, "test": 360}
    assert one.pace.steps_per_epoch == 1037 // 32
    assert float(one.evaluate(one.start(), "validation").totals["loss"][1]) == 400
    everything = training()
    np.testing.assert_array_equal(
        np.concatenate([one.data["train"]["label"], one.data["validation"]["label"]]),
        everything.data["train"]["label"],
    )


def test_a_batch_in_parts_makes_the_same_step(plain):
    whole, parts = trained(plain, [10]), trained(training("--accumulate 4"), [10])
    assert far(whole.params, parts.params) < 2e-5
    assert means(whole.epoch)["loss"] == pytest.approx(
        means(parts.epoch)["loss"], rel=1e-5
    )
    assert not same(trained(plain, [9]).params, parts.params)


@pytest.mark.parametrize("options", ["", "--zero", "--accumulate 2"])
def test_eight_devices_compute_what_one_does(plain, options):
    spread = training(f"--devices 8 {options}")
    a, b = trained(plain, [44]), trained(spread, [44])
    assert means(a.epoch)["loss"] == pytest.approx(means(b.epoch)["loss"], abs=1e-5)
    one, many = plain.evaluate(a, "test"), spread.evaluate(b, "test")
    assert means(one.totals)["loss"] == pytest.approx(
        means(many.totals)["loss"], abs=1e-4
    )


@pytest.mark.parametrize("dialect", ["optax", "torch --momentum 0.9 --centered True"])
def test_zero_spreads_the_state_and_nothing_else(dialect):
    one = training(f"--devices 8 --zero --dialect {dialect}")
    state = trained(one, [3])
    spread = [x for x in jax.tree.leaves(state.opt_state) if x.ndim == 2]
    assert spread
    for x in spread:
        assert x.addressable_shards[0].data.size * 8 == x.size
    for x in jax.tree.leaves(state.params):
        assert x.sharding.is_fully_replicated


def test_the_average_of_weights_is_what_is_evaluated():
    one = training("--ema 0.99")
    state, average = one.start(), None
    for t in range(1, 4):
        average = jax.tree.map(np.asarray, state.params) if average is None else average
        state = one.advance(state, t - 1, t)
        d = min(0.99, (1 + t) / (10 + t))
        average = jax.tree.map(
            lambda a, p, d=d: d * a + (1 - d) * np.asarray(p), average, state.params
        )
    assert far(state.average[0], average) < 10 * EPS
    judged = one.evaluate(state, "test")
    swapped = state._replace(params=state.average[0], average=state.average)
    assert same(judged, one.evaluate(swapped, "test"))
    assert not same(
        judged.totals, training().evaluate(state._replace(average=None), "test").totals
    )


def test_bfloat16_is_computed_in_and_float32_kept(plain):
    half, whole = (
        trained(training("--compute-dtype bfloat16"), [20]),
        trained(plain, [20]),
    )
    assert {x.dtype for x in jax.tree.leaves(half.params)} == {np.dtype("float32")}
    losses = means(half.epoch)["loss"], means(whole.epoch)["loss"]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_label_smoothing_lowers_the_confidence():
    sure = training("--learning-rate 0.01")
    smooth = training("--learning-rate 0.01 --label-smoothing 0.3")
    confidence = [
        float(jnp.mean(one.evaluate(trained(one, [44]), "test").answers.confidence))
        for one in (sure, smooth)
    ]
    assert confidence[0] > confidence[1] + 0.1


def test_losses_that_are_not_finite_are_counted_and_left_out():
    one = training("--skip-nonfinite --log-every 10")
    state = one.start()
    kernel = jax.tree.leaves(state.params)[1]
    poisoned = jax.tree.map(lambda p: p, state.params)
    poisoned = jax.tree.map(
        lambda p: jnp.full_like(p, jnp.inf) if p is kernel else p, poisoned
    )
    state = one.advance(state._replace(params=poisoned), 0, 3)
    assert int(state.nonfinite) == 3
    assert int(one.evaluate(state, "test").diagnostics["skipped"]) == 3
    assert means(state.epoch)["loss"] != means(state.epoch)["loss"]  # 0 / 0
    assert float(state.epoch["loss"][1]) == 0


@pytest.mark.parametrize("dialect", ["optax", "graves"])
def test_the_effective_learning_rate_is_reported(dialect):
    one = training(f"--dialect {dialect}")
    said = one.evaluate(trained(one, [3]), "test").diagnostics
    assert {f"effective_learning_rate/q{q}" for q in ("05", "50", "95")} <= set(said)


def test_a_regression_learns_the_line():
    one = training("--task linear --model linear --epochs 20 --learning-rate 0.01")
    first = means(one.evaluate(one.start(), "test").totals)["loss"]
    state, step = one.start(), 0
    for epoch in range(20):
        stop = (epoch + 1) * one.pace.steps_per_epoch
        state, step = one.advance(state, step, stop), stop
    last = means(one.evaluate(state, "test").totals)["loss"]
    assert last < 0.02 < 1 < first  # The noise's own share is 0.01.
