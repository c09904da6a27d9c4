"""A sweep's trials are those of the run itself, however they are computed."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import bowl, compiling, data, loss, small_training

from rmsprop_jax import halving, log_uniform, sweep, training_run
from rmsprop_jax.sweeping import finished

SPACE = {
    "learning_rate": log_uniform(1e-4, 3e-2),
    "decay": log_uniform(0.9, 0.999, below=1),
    "momentum": [None, 0.5],
}


def swept(batch_size, devices):
    table = sweep(
        small_training(steps=20),
        SPACE,
        points=10,
        seeds=2,
        batch_size=batch_size,
        devices=jax.devices()[:devices],
    )
    return table, np.array([curves["curve"] for curves in table.curves])


once = functools.cache(swept)


def test_a_trial_is_the_run_itself():
    table, curves = once(1, 1)
    run = jax.jit(small_training(steps=20))
    for i in (0, 1):
        row = table.rows[i]
        h = {name: row[name] for name in SPACE}
        h = {name: x for name, x in h.items() if x is not None}
        alone = run(h, jax.random.key(row["seed"]))
        np.testing.assert_allclose(curves[i], alone["curve"], rtol=1e-6)
        assert row["loss"] == pytest.approx(float(alone["loss"]), rel=1e-6)
    assert len({tuple(curve) for curve in curves}) == 20


def test_results_are_the_same_whatever_the_batch_size():
    """So wide that the sums are made in another order, and so short that it shows."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 64, 200), np.float32)
    params = {"a": rng.standard_normal((200, 50), np.float32) / 14}
    params["b"] = rng.standard_normal((50, 3), np.float32) / 7
    run = training_run(loss, params, (x, np.tanh(x[..., :3])))
    space = {"learning_rate": [1e-4, 3e-4, 1e-3, 3e-3]}
    one, *others = (sweep(run, space, batch_size=size) for size in (1, 3, 4))
    for other in others:
        for ours, theirs in zip(other.curves, one.curves, strict=True):
            np.testing.assert_allclose(ours["curve"], theirs["curve"], rtol=1e-5)


@pytest.mark.parametrize(("batch_size", "devices"), [(1, 1), (1, 5), (3, 2)])
def test_a_repeat_and_other_devices_are_the_same_bit_for_bit(batch_size, devices):
    table, curves = once(batch_size, 1)
    again, its_curves = swept(batch_size, devices)
    np.testing.assert_array_equal(its_curves, curves)
    assert again.rows == table.rows


def test_every_static_choice_is_compiled_once():
    space = {"learning_rate": [0.1, 0.2, 0.3], "dialect": ["optax", "torch"]}
    space |= {"momentum": [None, 0.0, 0.9]}
    with compiling() as compiled:
        table = sweep(small_training(), space, batch_size=2)
    # With and without a trace, in two dialects.
    assert len(compiled) == 4
    assert len(table) == 18
    assert table.batch_size == (2, 2, 2, 2)
    assert [row["trial"] for row in table.rows] == list(range(18))


def test_a_number_can_be_static():
    def run(hyperparameters, key):
        del key
        return jnp.ones(hyperparameters["width"]).sum() * hyperparameters["x"]

    table = sweep(run, {"width": [2, 3], "x": [1.0, 2.0]}, static=["width"])
    assert [row["loss"] for row in table.rows] == [2, 4, 3, 6]


def test_a_data_set_that_a_run_closes_over_is_no_constant_of_the_program():
    big = jnp.asarray(np.random.default_rng(0).random(100_000, np.float32))

    def run(hyperparameters, key):
        del key
        return jnp.sum(big) * hyperparameters["x"]

    sizes = []
    original = jax.stages.Lowered.compile

    def spy(lowered, *args, **kwargs):
        sizes.append(len(lowered.as_text()))
        return original(lowered, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax.stages.Lowered, "compile", spy)
        sweep(run, {"x": [1.0, 2.0]})
    assert len(sizes) == 1
    assert sizes[0] < 10_000


def test_a_diverged_trial_is_a_row_and_never_the_best():
    params, batches = data()
    run = training_run(loss, params, batches, steps=60)
    space = {"learning_rate": [1e-3, 1e30, 1e-2]}
    table = sweep(run, space)
    assert [row["diverged"] for row in table.rows] == [False, True, False]
    assert table.best().hyperparameters == {"learning_rate": 0.01}
    assert table.points()[1].diverged == 1
    assert np.isnan(table.points()[1].value)


def test_a_curve_that_is_not_finite_marks_a_trial_whose_numbers_are():
    def run(hyperparameters, key):
        del key
        x = hyperparameters["x"]
        return {"loss": x, "curve": jnp.stack([1 / x, x])}

    table = sweep(run, {"x": [0.0, 1.0]})
    assert [row["diverged"] for row in table.rows] == [True, False]
    assert table.best().value == 1


def test_if_all_diverged_the_best_is_an_error_that_says_so():
    table = sweep(bowl, {"x": [1e30, 1e35]})
    assert all(row["diverged"] for row in table.rows)
    with pytest.raises(
        ValueError, match=r"of all 2 a trial ended in .*, in loss\. Try"
    ):
        table.best()


def test_what_is_not_finite_though_the_metric_is_has_its_name_said():
    def run(hyperparameters, key):
        del key
        x = hyperparameters["x"]
        return {"loss": x, "accuracy": x / 0, "curve": jnp.stack([x, x / 0])}

    table = sweep(run, {"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"not finite, in accuracy, curve\. Try"):
        table.best()


def test_what_has_ended_is_kept_though_the_sweep_is_stopped(tmp_path):
    call = {"batch_size": 1, "devices": jax.devices()[:1], "folder": tmp_path}
    first, rest = [], []
    with pytest.raises(KeyboardInterrupt):
        sweep(bowl, {"x": [1.0, 2.0, 3.0]}, **call, report=stop_after(2, first))
    sweep(bowl, {"x": [1.0, 2.0, 3.0]}, **call, report=rest.extend)
    assert [row["trial"] for row in first + rest] == [0, 1, 2]


def test_the_best_is_that_of_the_mean_over_seeds():
    def run(hyperparameters, key):
        luck = jax.random.uniform(key) < 0.5
        return jnp.where(luck, -1, 2) * hyperparameters["swing"] + hyperparameters["x"]

    space = {"x": [1.0, 1.1], "swing": [0.0, 1.0]}
    table = sweep(run, space, seeds=[0, 1, 2, 5], mode="min")
    lowest = min(table.rows, key=lambda row: row["loss"])
    assert lowest["swing"] == 1
    best = table.best()
    assert best.hyperparameters == {"x": 1.0, "swing": 0.0}
    assert best.values == pytest.approx([1.0] * 4)
    assert [table.rows[i]["seed"] for i in best.trials] == [0, 1, 2, 5]


def test_the_largest_is_best_if_asked_for():
    assert sweep(bowl, {"x": [0, 3]}, mode="max").best().value == 4


def test_auto_measures_where_that_pays_and_says_what_it_chose():
    with compiling() as compiled:
        few = sweep(bowl, {"x": list(np.linspace(0, 1, 10))})
        assert few.batch_size == (1,)
    assert len(compiled) == 1
    x = list(np.linspace(0, 4, 50))
    with compiling() as compiled:
        many = sweep(bowl, {"x": x}, devices=jax.devices()[:2])
    assert len(compiled) == 2
    assert many.batch_size[0] in (1, 8)
    np.testing.assert_allclose(
        [row["loss"] for row in many.rows], (np.array(x) - 2) ** 2, atol=1e-6
    )


def test_rows_are_reported_as_they_come():
    seen = []
    table = sweep(bowl, {"x": list(range(7))}, batch_size=3, report=seen.append,
                  devices=jax.devices()[:1])  # fmt: skip
    assert [len(rows) for rows in seen] == [3, 3, 1]
    assert [row for rows in seen for row in rows] == table.rows


def test_the_table_is_written_as_it_is(tmp_path):
    run = small_training()
    space = {"learning_rate": [1e-2, 1e30], "dialect": "torch"}
    table = sweep(run, space, seeds=[4])
    text = table.to_csv(tmp_path / "trials.csv")
    assert (tmp_path / "trials.csv").read_text() == text
    header, first, _ = text.splitlines()
    assert header == "trial,point,learning_rate,dialect,seed,loss,diverged"
    assert first.startswith("0,0,0.01,torch,4,0.")
    assert first.endswith(",False")
    lines = table.to_jsonl(tmp_path / "trials.jsonl").splitlines()
    assert (tmp_path / "trials.jsonl").read_text().splitlines() == lines
    sound, lost = (json.loads(line, parse_constant=pytest.fail) for line in lines)
    assert sound["curve"] == [float(x) for x in table.curves[0]["curve"]]
    assert lost["diverged"]
    assert lost["loss"] is None
    assert None in lost["curve"]


def test_without_pandas_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"table\.rows or table\.to_csv"):
        sweep(bowl, {"x": [1.0]}).to_pandas()


def test_with_pandas_it_is_a_frame():
    pytest.importorskip("pandas")
    frame = sweep(bowl, {"x": [1.0, 2.0]}).to_pandas()
    assert frame["loss"].tolist() == [1, 0]


def stop_after(count, rows_seen):
    def report(rows):
        rows_seen.extend(rows)
        if len(rows_seen) >= count:
            raise KeyboardInterrupt

    return report


def test_with_a_folder_no_trial_is_run_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(finished, "_SECONDS_BETWEEN_WRITES", 0)
    space = {"learning_rate": [0.01, 0.02, 0.03], "dialect": ["optax", "torch"]}
    call = {"batch_size": 1, "devices": jax.devices()[:1]}
    whole = sweep(small_training(), space, **call)
    first, rest = [], []
    with pytest.raises(KeyboardInterrupt):
        sweep(small_training(), space, **call, folder=tmp_path,
              report=stop_after(4, first))  # fmt: skip
    table = sweep(small_training(), space, **call, folder=tmp_path, report=rest.extend)
    assert len(first) + len(rest) == 6
    assert table.rows == whole.rows
    for one, other in zip(table.curves, whole.curves, strict=True):
        np.testing.assert_array_equal(one["curve"], other["curve"])
    with compiling() as compiled:
        again = sweep(small_training(), space, folder=tmp_path, report=pytest.fail)
    assert compiled == []
    assert again.rows == whole.rows
    with pytest.raises(ValueError, match="seed=0, this one 1"):
        sweep(small_training(), space, **call, seed=1, folder=tmp_path)
    with pytest.raises(ValueError, match="search='sweep', this one 'halving'"):
        halving(small_training(), space, points=6, min_steps=8, folder=tmp_path)
