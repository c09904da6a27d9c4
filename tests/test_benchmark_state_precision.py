"""The benchmark of what the state's precision costs: it resumes, trains, controls."""

import json
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rmsprop_jax as rj
from benchmarks import character_model, state_precision
from benchmarks.precision.cells import CORE, FULL, Cell, peak, rates
from benchmarks.precision.sides import SIDES, SMALL, nudged
from benchmarks.precision.workloads import WORKLOADS


@pytest.fixture
def counted(monkeypatch):
    """Trainings instead of which only their number is kept."""
    seen = []

    def compiled(workload, structure, side):
        del workload, structure

        def training(params, cell, order, rates):
            del params, order, rates
            seen.append((side, cell))
            return 1.0, 2.0

        return training

    monkeypatch.setattr(state_precision, "compiled", compiled)
    return seen


def measured(out, *more):
    line = ["--smoke", "--tasks", "mlp", "--sides", "float32", "int8"]
    state_precision.main([*line, "--out", str(out), *more])
    return out.read_text().splitlines()


def test_what_was_measured_is_not_measured_again(counted, tmp_path):
    out = tmp_path / "new" / "results.jsonl"
    first = measured(out)
    assert len(first) == len(counted) == 4
    assert measured(out) == first
    assert len(counted) == 4


def test_an_interrupted_run_goes_on_row_by_row(counted, tmp_path):
    out = tmp_path / "results.jsonl"
    whole = measured(out)
    out.write_text("\n".join(whole[:-1]) + "\n")
    again = measured(out)
    assert len(counted) == 5
    assert again[:-1] == whole[:-1]
    assert counted[-1] == (SIDES["int8"], Cell(0.999))
    assert json.loads(again[-1])["seed"] == json.loads(whole[-1])["seed"]


@pytest.mark.parametrize(
    "changed", [{"commit": "0ther"}, {"learning_rate": 0.5}, {"steps": 7}], ids=str
)
def test_another_commit_or_configuration_is_measured_anew(counted, tmp_path, changed):
    out = tmp_path / "results.jsonl"
    rows = [json.loads(line) | changed for line in measured(out)]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert len(measured(out)) == 8
    assert len(counted) == 8


def test_comparisons_run_in_their_cells_only(counted, tmp_path):
    out = tmp_path / "results.jsonl"
    sides = ["float32", "bfloat16 to nearest"]
    measured(out, "--full", "--seeds", "1", "--sides", *sides)
    of_each = Counter(side for side, _ in counted)
    assert [of_each[SIDES[name]] for name in sides] == [16, 2]


@pytest.mark.usefixtures("counted")
def test_the_table_is_printed_without_training(tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    measured(out)
    printed = capsys.readouterr().out
    state_precision.main(["--table", "--out", str(out)])
    assert printed.endswith(capsys.readouterr().out)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """Rows of the smallest trainings, by side."""
    out = tmp_path_factory.mktemp("results") / "results.jsonl"
    line = ["--smoke", "--tasks", "mlp", "--seeds", "1", "--out", str(out)]
    state_precision.main(line)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return {row["side"]: row for row in rows}


def test_every_side_learns_and_ends_close_to_float32(smoke):
    assert smoke.keys() == {"float32", "int8"}
    losses = {side: row["loss"] for side, row in smoke.items()}
    assert all(loss < 0.8 for loss in losses.values())
    assert max(losses.values()) < 1.02 * losses["float32"]


def test_int8_is_not_float32_under_another_name(smoke):
    assert smoke["int8"]["loss"] != smoke["float32"]["loss"]


def test_a_row_says_what_was_trained_and_where(smoke):
    said = {"task", "of", "steps", "learning_rate", "commit", "versions", "cpu"}
    assert all(said <= row.keys() for row in smoke.values())


@pytest.mark.slow
def test_the_smallest_size_trains_every_side_and_every_task(tmp_path):
    out = tmp_path / "results.jsonl"
    line = ["--smoke", "--seeds", "1", "--out", str(out)]
    # Each is compiled by itself: not all of the pairs.
    state_precision.main([*line, "--tasks", "mlp", "--sides", *SIDES])
    state_precision.main([*line, "--tasks", "cnn", "characters", "--sides", "int8"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    trained = [(row["task"], row["side"]) for row in rows]
    assert trained[:-2] == [("mlp", side) for side in SIDES]
    assert trained[-2:] == [("cnn", "int8"), ("characters", "int8")]
    assert all(math.isfinite(row["loss"]) for row in rows)


def test_decay_and_momentum_are_live():
    workload = WORKLOADS["mlp"](smoke=True)
    training = state_precision.compiled(workload, (True, False), SIDES["float32"])
    params, order = workload.params(0), workload.order(0)
    path = rates(workload.steps, 1e-3)
    cells = [Cell(0.9, 0.9), Cell(0.999, 0.9), Cell(0.9, 0.5), Cell(0.9, 0.9)]
    one, other_decay, other_momentum, again = (
        float(training(params, cell, order, path)[0]) for cell in cells
    )
    assert one == again
    assert len({one, other_decay, other_momentum}) == 3


def test_the_rate_climbs_for_a_tenth_and_falls_to_nothing():
    path = rates(100, 2.0)
    assert path.argmax() == 9
    assert path.max() == 2.0
    assert path[0] == np.float32(0.2)
    assert 0 < path[-1] < 0.03


@pytest.mark.parametrize("cell", [*CORE, *FULL])
def test_every_cell_has_a_rate(cell):
    assert all(0 < peak(task, cell) < 0.1 for task in WORKLOADS)


def after(steps, rest):
    """ν of a large and a small tensor whose gradients are 1, ρ = .999."""
    optimizer = rj.rmsprop(0.0, decay=0.999)
    gradients = [jnp.ones((64, 64)), jnp.ones(4095)]
    state = optimizer.init(gradients)
    step = jax.jit(lambda state: rest(optimizer.update(gradients, state)[1]))
    for _ in range(steps):
        state = step(state)
    return [float(nu.mean()) for nu in state.nu]


def test_rounded_to_nearest_nu_stops_where_float32_goes_on():
    large, small = after(400, SIDES["bfloat16 to nearest"].rest)
    expected = 1 - 0.999**400
    assert math.isclose(small, expected, rel_tol=1e-4)
    assert large < 0.8 * expected
    assert math.isclose(after(400, SIDES["float32"].rest)[0], small, rel_tol=1e-6)


def test_in_equal_steps_a_small_nu_is_lost():
    params = jnp.zeros((64, 64))
    gradients = jnp.full((64, 64), 0.04).at[0, 0].set(1.0)  # 0.0016 of the largest ν
    optimizer = rj.rmsprop(0.0)
    state = optimizer.update(gradients, optimizer.init(params))[1]
    rested = SIDES["int8, linear"].rest(state)
    assert int((rested.nu != 0).sum()) == 1
    assert math.isclose(float(rested.nu[0, 0]), float(state.nu[0, 0]), rel_tol=1e-6)


def test_a_nudge_is_one_rounding_of_each_parameter():
    params = {"w": jnp.array([1.0, -1.5, 3.7e-5])}
    moved = np.asarray(nudged(params)["w"])
    ulps = moved.view(np.int32) - np.asarray(params["w"]).view(np.int32)
    assert set(ulps.tolist()) <= {1, 2}


@pytest.mark.parametrize("task", ["mlp", "characters"])
def test_a_seed_gives_the_same_start_and_order(task):
    first, again = (WORKLOADS[task](smoke=True) for _ in range(2))
    np.testing.assert_array_equal(first.order(3), again.order(3))
    assert (first.order(3) != first.order(4)).any()
    leaf = {"mlp": lambda x: x["hidden"]["kernel"], "characters": lambda x: x["byte"]}
    starts = [np.asarray(leaf[task](x.params(3))) for x in (first, again)]
    np.testing.assert_array_equal(*starts)
    assert (starts[0] != np.asarray(leaf[task](first.params(4)))).any()


def test_the_character_model_does_not_see_what_comes():
    params = character_model.initial(0, context=6)
    windows = jnp.array([[7, 1, 2, 3, 4, 5, 6]], jnp.uint8)
    changed = windows.at[0, 4].set(200)
    of = jax.jit(character_model.losses)
    losses, others = of(params, windows)[0], of(params, changed)[0]
    np.testing.assert_array_equal(losses[:3], others[:3])
    assert (losses[3:] != others[3:]).all()


def test_the_character_model_has_about_100_000_parameters_mostly_in_large_tensors():
    sizes = [w.size for w in character_model.initial(0, context=32).values()]
    assert 90_000 < sum(sizes) < 110_000
    large = sum(size for size in sizes if size >= SMALL)
    assert large > 0.9 * sum(sizes)


def test_every_tenth_module_is_held_out(tmp_path):
    for i in range(20):
        (tmp_path / f"m{i:02}.py").write_text(f"<{i}>")
    (tmp_path / "other.txt").write_text("no module")
    text = character_model.text(tmp_path)
    assert bytes(text.held_out) == b"<9><19>"
    assert bytes(text.train).startswith(b"<0><1>")
    assert b"<9>" not in bytes(text.train)
    assert text.sha256 == character_model.text(tmp_path).sha256


def test_a_python_without_sources_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"0 modules .* has no sources"):
        character_model.text(tmp_path)
