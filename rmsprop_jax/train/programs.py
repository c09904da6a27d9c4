"""The three programs of a run, compiled side by side while the data are read."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import rmsprop_jax as rj
from rmsprop_jax.train.loop import Loop, TrainState

_SEED = jax.ShapeDtypeStruct((), jnp.uint32)
_RATE = jax.ShapeDtypeStruct((), jnp.float32)


class Programs(NamedTuple):
    """Compiled, or about to be: `init.result()` waits for it.

    Attributes:
        init: Seed, learning rate → state.
        advance: State (given away), step to stop at, order, data, seed → state.
        evaluate: By the name of the data: state, data → evaluation.
        abstract: Shapes, dtypes and places of a state.
    """

    init: Future
    advance: Future
    evaluate: Mapping[str, Future]
    abstract: TrainState


def programs(loop: Loop, data: Mapping[str, Any], mesh: Mesh, zero: bool) -> Programs:
    """Start to compile what `loop` needs for `data`, `"train"` and others.

    Args:
        loop: The computation.
        data: Arrays, or their shapes.
        mesh: The devices, along one axis `"data"`.
        zero: Whether the optimizer's state is spread over them.
    """
    everywhere = NamedSharding(mesh, PartitionSpec())
    stop = jax.ShapeDtypeStruct((), jnp.int32)
    count = loop.steps_per_epoch * loop.batch_size
    order = _placed(jax.ShapeDtypeStruct((count,), jnp.int32), everywhere)
    state = abstract(loop, mesh, zero)
    shardings = jax.tree.map(lambda x: x.sharding, state)
    data = {
        name: jax.tree.map(partial(_placed, sharding=everywhere), dict(part))
        for name, part in data.items()
    }
    init = jax.jit(loop.init, out_shardings=shardings)
    advance = jax.jit(
        partial(loop.advance, shardings=shardings),
        donate_argnums=0,
        out_shardings=shardings,
    )
    evaluate = jax.jit(
        partial(loop.evaluate, shardings=shardings), out_shardings=everywhere
    )
    pool = ThreadPoolExecutor(4, thread_name_prefix="compile")

    def compiled(program, *arguments, **options):
        # Traced here: settings of JAX can be those of a thread. Compiled apart.
        return pool.submit(program.lower(*arguments).compile, **options)

    # It runs once, and random draws take XLA:CPU long to optimize; the bits are the
    # same, which at level 0 they are not.
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    hurried = {"xla_backend_optimization_level": 1} if on_cpu else None
    out = Programs(
        compiled(init, _SEED, _RATE, compiler_options=hurried),
        compiled(advance, state, stop, order, data["train"], _SEED),
        {
            name: compiled(evaluate, state, part)
            for name, part in data.items()
            if name != "train"
        },
        state,
    )
    pool.shutdown(wait=False)
    return out


def abstract(loop: Loop, mesh: Mesh, zero: bool) -> TrainState:
    """Shapes, dtypes and places of a state: see `programs`."""
    everywhere = NamedSharding(mesh, PartitionSpec())
    shapes = jax.eval_shape(loop.init, _SEED, _RATE)
    shardings = jax.tree.map(lambda _: everywhere, shapes)
    if zero:
        spread = rj.state_sharding(everywhere, shapes.opt_state, zero_axis="data")
        shardings = shardings._replace(opt_state=spread)
    return jax.tree.map(_placed, shapes, shardings)


def _placed(x: Any, sharding: NamedSharding) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)
