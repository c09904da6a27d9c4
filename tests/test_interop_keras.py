"""Beside Keras itself, and from the files that it writes."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conv_problem import gaps, loss_gaps
from helpers import tolerances_apart
from record_keras import (
    BEFORE,
    ENDINGS,
    EPS,
    RATE,
    SCHEDULE,
    STEPS,
    VARIANTS,
    gradients,
)

from rmsprop_jax.interop import keras as interop

ROOT = Path(__file__).parents[1]
RUNS = [
    (generation, variant)
    for variant, (_, generations) in VARIANTS.items()
    for generation in generations
]

each_run = pytest.mark.parametrize(("generation", "variant"), RUNS)
pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `record_keras` wrote."""
    for name in ("tensorflow", "keras", "tf_keras", "h5py"):
        if find_spec(name) is None:
            pytest.skip(f"needs {name}, of the extra parity")
    folder = tmp_path_factory.mktemp("keras")
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        [sys.executable, "-m", "record_keras", folder],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def recorded(folder, generation, variant):
    """Parameters at the time of the files, Keras' path, and its path by way of ours."""
    with np.load(folder / f"{generation}-{variant}.npz") as file:
        start = [file[f"start{i}"] for i in range(4)]
        paths = [file[f"path{i}"].reshape(STEPS, -1) for i in range(8)]
    return start, np.concatenate(paths[:4], 1), np.concatenate(paths[4:], 1)


def tree(leaves):
    """Parameters like those of the small model, out of Keras' list."""
    kinds = "kernel", "bias"
    layers = zip(("hidden", "out"), (leaves[:2], leaves[2:]), strict=True)
    return {
        layer: {k: jnp.asarray(x) for k, x in zip(kinds, pair, strict=True)}
        for layer, pair in layers
    }


def flat(leaves):
    return np.concatenate([np.ravel(x) for x in leaves])


def load(folder, generation, variant, ending, params):
    settings, arguments = VARIANTS[variant][0], {}
    if ending in ("weights.h5", "ckpt"):
        arguments["config"] = {"learning_rate": RATE, "epsilon": EPS, **settings}
    if "learning_rate" in settings:
        arguments["learning_rate"] = optax.exponential_decay(
            SCHEDULE["initial_learning_rate"],
            SCHEDULE["decay_steps"],
            SCHEDULE["decay_rate"],
        )
    file = folder / f"{generation}-{variant}.{ending}"
    ignore = ["use_ema", "gradient_accumulation_steps"]
    return interop.load(file, params, ignore=ignore, **arguments)


def continued(tx, state, params, every):
    """Our path over the steps that Keras made after the file."""
    path, update, grads = [], jax.jit(tx.update), gradients()[BEFORE:]
    for i in range(0, STEPS, every):
        mean = [np.mean(g, axis=0) for g in zip(*grads[i : i + every], strict=True)]
        updates, state = update(tree(mean), state, params)
        params = optax.apply_updates(params, updates)
        layers = params["hidden"], params["out"]
        path.append(flat([x for p in layers for x in (p["kernel"], p["bias"])]))
    return np.stack(path)


def every(variant):
    return VARIANTS[variant][0].get("gradient_accumulation_steps", 1)


@each_run
def test_we_go_on_from_a_file_as_keras_does(folder, generation, variant):
    start, theirs, _ = recorded(folder, generation, variant)
    tx, state = load(folder, generation, variant, ENDINGS[generation][0], tree(start))
    assert int(state.count) == BEFORE // every(variant)
    ours = continued(tx, state, tree(start), every(variant))
    theirs = theirs[every(variant) - 1 :: every(variant)]
    assert tolerances_apart(ours, theirs, flat(start), np.float32) < 1


@each_run
def test_files_of_every_kind_hold_the_same_state(folder, generation, variant):
    params = tree(recorded(folder, generation, variant)[0])
    first, *others = (
        load(folder, generation, variant, ending, params)[1]
        for ending in ENDINGS[generation]
    )
    for other in others:
        chex.assert_trees_all_equal(other, first)
        chex.assert_trees_all_equal_shapes_and_dtypes(other, first)


@each_run
def test_keras_goes_on_as_before_after_a_live_load_and_dump(
    folder, generation, variant
):
    start, theirs, by_way_of_ours = recorded(folder, generation, variant)
    if VARIANTS[variant][0].get("centered"):  # var + mu² is E[g²] but for rounding
        gap = tolerances_apart(by_way_of_ours, theirs, flat(start), np.float32)
        assert gap < 1
    else:
        np.testing.assert_array_equal(by_way_of_ours, theirs)


def test_weight_decay_leaves_out_what_keras_excludes(folder):
    with np.load(folder / "excluded.npz") as file:
        ours, theirs, start = (file[name] for name in ("ours", "theirs", "start"))
    assert tolerances_apart(ours, theirs, start, np.float32) < 1


def test_a_conv_net_goes_on_beside_keras_and_then_in_keras(folder):
    """200 steps in Keras, 200 in both, and 50 more in Keras from our state."""
    with np.load(folder / "conv.npz") as file:
        paths = [file[name] for name in ("theirs", "exact", "noise")]
        wrong = {name: file[name] for name in file.files if file[name].ndim == 0}
    assert [len(path) for path in paths] == [250] * 3
    assert gaps(*paths).max() < 1
    assert loss_gaps(*paths).max() < 1
    assert len(wrong) == 4
    assert min(wrong.values()) > 10, wrong
