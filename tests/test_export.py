"""Every option is one artefact for four platforms, made on a machine with one."""

import inspect

import jax
import jax.numpy as jnp
import pytest
from every_option import OPTIONS, TRANSFORMATIONS, step
from jax import export

from rmsprop_jax import rmsprop

PLATFORMS = "cpu", "cuda", "rocm", "tpu"
PARAMS = {"kernel": jnp.ones((4, 128)), "bias": jnp.ones(3)}

each_option = pytest.mark.parametrize("name", TRANSFORMATIONS)


def exported(f, *args):
    return export.export(jax.jit(f), platforms=PLATFORMS)(*args)


def exported_step(tx, params):
    state = jax.eval_shape(tx.init, params)
    return exported(step(tx), params, state, params)


def foreign(artefact):
    """The lines that a platform would have to bring code of its own for."""
    lines = artefact.mlir_module().splitlines()
    return [line for line in lines if "custom_call" in line]


@each_option
def test_a_step_is_one_artefact_for_all_platforms(name):
    artefact = exported_step(TRANSFORMATIONS[name](), PARAMS)
    assert artefact.platforms == PLATFORMS
    assert foreign(artefact) == []


@each_option
def test_init_is_one_artefact_for_all_platforms(name):
    artefact = exported(TRANSFORMATIONS[name]().init, PARAMS)
    assert artefact.platforms == PLATFORMS
    assert foreign(artefact) == []


def test_every_argument_has_a_row():
    given = {argument for options in OPTIONS.values() for argument in options}
    assert set(inspect.signature(rmsprop).parameters) - given == {"axis_name"}


def test_a_joint_decision_exports():
    tx = rmsprop(0.1, skip_nonfinite=True, axis_name="data")
    twice = jax.tree.map(lambda x: jnp.stack([x, x]), PARAMS)
    state = jax.eval_shape(jax.vmap(tx.init), twice)
    together = jax.vmap(step(tx), axis_name="data")
    assert foreign(exported(together, twice, state, twice)) == []


@pytest.mark.parametrize("dialect", ["optax", "torch"])
def test_complex_parameters_export(dialect):
    tx = rmsprop(0.1, dialect=dialect, momentum=0.9, centered=True)
    params = jax.tree.map(lambda x: x.astype(jnp.complex64), PARAMS)
    assert foreign(exported_step(tx, params)) == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_narrow_parameters_export(dtype):
    params = jax.tree.map(lambda x: x.astype(dtype), PARAMS)
    assert foreign(exported_step(rmsprop(0.1, momentum=0.9), params)) == []


@pytest.mark.parametrize("name", ["optax", "bfloat16"])
def test_the_artefact_makes_the_same_step(name):
    tx = TRANSFORMATIONS[name]()
    state = tx.init(PARAMS)
    theirs = exported_step(tx, PARAMS).call(PARAMS, state, PARAMS)
    ours = jax.jit(step(tx))(PARAMS, state, PARAMS)
    equal = jax.tree.map(lambda x, y: bool((x == y).all()), theirs, ours)
    assert all(jax.tree.leaves(equal))


def test_what_one_platform_lacks_does_not_export():
    """Power: were a kernel written for one of them, this is what would be said."""

    def only_here(x):
        return jax.lax.platform_dependent(x, cpu=jnp.sin)

    with pytest.raises(NotImplementedError, match="platform"):
        exported(only_here, PARAMS["bias"])


def test_a_library_call_is_seen():
    """Power: what looks portable may be a call of LAPACK or cuSOLVER."""
    assert foreign(exported(jnp.linalg.cholesky, jnp.eye(3))) != []
