"""The sides of the benchmark of the update: what they compute and what they move."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import update_sides
from benchmarks.update_sides import SIDES, JaxArrays, OnJax
from rmsprop_jax.state_dtype import MIN_SIZE

ON_JAX = {name: side for name, side in SIDES.items() if side.framework == "jax"}
SMALL = {"w": (64, 64)}


def gradients(shapes=SMALL):
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(x, np.float32) for name, x in shapes.items()}


@pytest.mark.parametrize(
    ("name", "a_parameter"),
    [
        ("optax", 20),
        ("float32", 20),
        ("bfloat16", 16),
        ("int8", 14),
        ("optax-momentum", 28),
        ("float32-momentum", 28),
        ("bfloat16-momentum", 20),
        ("int8-momentum", 16),
    ],
)
def test_bytes_are_what_must_be_read_and_written(name, a_parameter):
    side = OnJax(SIDES[name], JaxArrays(gradients()))
    extra = side.bytes - a_parameter * 64**2
    # Beside the moments: the count, at most four numbers, and scales of 64 rows.
    scales = name.count("int8") * (2 if "momentum" in name else 1) * 64
    assert 0 <= extra <= 2 * 4 * (5 + scales)
    assert (extra == 0) == name.startswith("optax")


def test_sides_share_parameters_and_keep_states_of_their_own():
    arrays = JaxArrays(gradients())
    tx = optax.rmsprop(update_sides.LEARNING_RATE)
    params = {"w": jnp.zeros((64, 64))}
    updates, _ = tx.update(arrays.grads, tx.init(params))
    for steps, name in enumerate(("optax", "float32"), start=1):
        OnJax(SIDES[name], arrays)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(
            arrays.params["w"], params["w"], rtol=1e-6, err_msg=f"after {steps}"
        )


@pytest.mark.parametrize("name", ["optax", "float32", "int8-momentum"])
def test_a_step_works_in_place(name):
    arrays = JaxArrays(gradients())
    side = OnJax(SIDES[name], arrays)
    lowered = side.step.lower(arrays.params, side.state, arrays.grads)
    aliased = lowered.compile().memory_analysis().alias_size_in_bytes
    kept = sum(x.nbytes for x in jax.tree.leaves((arrays.params, side.state)))
    assert aliased == kept


def test_compiling_remembers_nothing(monkeypatch):
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(True))
    for times in (1, 2):
        seconds = update_sides.compiling(SIDES["optax"], SMALL)
        assert len(cleared) == times
        assert min(seconds) > 0


def test_a_tree_of_small_arrays_has_no_narrow_sides():
    small = {"a": (32,), "b": (MIN_SIZE - 1,)}
    large = small | {"c": (MIN_SIZE,)}
    for name, side in ON_JAX.items():
        narrow = "bfloat16" in name or "int8" in name
        assert (update_sides.why_not(side, small) is not None) == narrow
        assert update_sides.why_not(side, large) is None


def test_what_is_not_installed_is_named():
    nobody = SIDES["torch-loop"]._replace(needs=("no_such_framework",))
    assert update_sides.why_not(nobody, SMALL) == "no_such_framework not installed"


@pytest.mark.parity
def test_steps_of_pytorch_are_those_of_its_rule():
    torch = pytest.importorskip("torch")
    arrays = update_sides.TorchArrays(gradients())
    side = update_sides.OnTorch(SIDES["torch-foreach"], arrays)
    expected = torch.from_numpy(gradients()["w"]).sign() * -1e-3 / 0.01**0.5
    # ε = 1e-8 beside √(.01 g²).
    torch.testing.assert_close(
        arrays.parameters[0].data, expected, rtol=1e-3, atol=1e-6
    )
    # PyTorch's step counter is an array as well.
    assert side.bytes - 20 * 64**2 == 2 * 4
