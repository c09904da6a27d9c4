"""The programs that `benchmarks.deviceless` compiles, and what is read from each.

`python -m benchmarks.device_programs h200|v5e [PROGRAM ...]` prints a line of JSON per
program. It is a process of its own, since the compiler of a target needs variables that
JAX reads when it starts; `benchmarks.deviceless` sets them.
"""

import json
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.experimental import topologies
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.kernels import donated, kernels
from rmsprop_jax import rmsprop, state_sharding

# What XLA asks of a GPU when there is one; the numbers of NVIDIA's data sheet.
H200 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  cuda_compute_capability { major: 9 minor: 0 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  l2_cache_size: 52428800
  memory_bandwidth: 4800000000000
  device_memory_size: 151397597184
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
}
platform_name: "CUDA"
runtime_version { major: 13 minor: 0 }
dnn_version_info { major: 9 minor: 12 }
device_description_str: "NVIDIA H200"
"""
SHAPE = 4096, 4096
DEVICES = 4
ROWS, COLUMNS = PartitionSpec("x", None), PartitionSpec(None, "x")


class Program(NamedTuple):
    """A step to compile.

    Attributes:
        transformation: What makes the transformation.
        leaves: How many parameter arrays of `SHAPE`.
        sharding: How each is split over four devices; `None` is one device.
    """

    transformation: Callable[[], optax.GradientTransformation]
    leaves: int = 1
    sharding: PartitionSpec | None = None


def _ours(**options: Any) -> Program:
    return Program(lambda: rmsprop(1e-3, **options))


_INT8 = _ours(state_dtype="int8")
PROGRAMS = {
    "optax.rmsprop": Program(lambda: optax.rmsprop(1e-3)),
    "float32": _ours(),
    "float32, 4 leaves": _ours()._replace(leaves=4),
    "momentum": _ours(momentum=0.9),
    "nesterov": _ours(momentum=0.9, nesterov=True),
    "centered": _ours(centered=True),
    "centered, momentum": _ours(centered=True, momentum=0.9),
    "weight decay": _ours(weight_decay=1e-4),
    "clipping": Program(
        lambda: optax.chain(optax.clip_by_global_norm(1.0), rmsprop(1e-3))
    ),
    "skip_nonfinite": _ours(skip_nonfinite=True),
    "bfloat16": _ours(state_dtype="bfloat16"),
    "bfloat16, momentum": _ours(state_dtype="bfloat16", momentum=0.9),
    "int8": _INT8,
    "int8, momentum": _ours(state_dtype="int8", momentum=0.9),
    "int8 and bfloat16 momentum": _ours(
        state_dtype={"nu": "int8", "trace": "bfloat16"}, momentum=0.9
    ),
    "int8, centered": _ours(state_dtype="int8", centered=True),
    "int8, centered, momentum": _ours(state_dtype="int8", centered=True, momentum=0.9),
    "int8, skip_nonfinite": _ours(state_dtype="int8", skip_nonfinite=True),
    "int8, rows over 4 devices": _INT8._replace(sharding=ROWS),
    "int8, columns over 4 devices": _INT8._replace(sharding=COLUMNS),
}


def topology(target: str) -> Any:
    """The devices of a target that is not there."""
    if target == "h200":
        return topologies.get_topology_desc(
            platform="cuda", target_config=H200, topology=f"1x1x{DEVICES}"
        )
    return topologies.get_topology_desc("v5e:2x2", platform="tpu")


def step(tx: optax.GradientTransformation) -> Callable[..., Any]:
    """One whole step of training, the gradients given."""

    def rmsprop_step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return rmsprop_step


def compiled(program: Program, devices: list[Any]) -> jax.stages.Compiled:
    """The step, parameters and state donated, for those of the devices it needs."""
    tx = program.transformation()
    mesh = Mesh(devices[: _devices(program)], ("x",))
    split = NamedSharding(mesh, program.sharding or PartitionSpec())
    leaf = jax.ShapeDtypeStruct(SHAPE, jnp.float32, sharding=split)
    params = {str(i): leaf for i in range(program.leaves)}
    state = jax.eval_shape(tx.init, params)
    shardings = state_sharding(split, state)
    state = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
        state,
        shardings,
    )
    jitted = jax.jit(step(tx), donate_argnums=(0, 1), out_shardings=(split, shardings))
    return jitted.lower(params, state, params).compile()


def _devices(program: Program) -> int:
    return 1 if program.sharding is None else DEVICES


def counted(program: Program, built: jax.stages.Compiled) -> dict[str, Any]:
    """What there is to count in a compiled program, each device by itself."""
    a_leaf = math.prod(SHAPE) // _devices(program)
    launched = kernels(built.as_text())
    large = [x for x in launched if x.elements > a_leaf / 100]
    talk = [x for x in launched if x.is_collective]
    memory = built.memory_analysis()
    return {
        "kernels_a_leaf": sum(not x.is_copy for x in large) / program.leaves,
        "copies_a_leaf": sum(x.is_copy for x in large) / program.leaves,
        "bytes_a_parameter": sum(x.bytes for x in launched) / a_leaf / program.leaves,
        "temp_bytes": memory.temp_size_in_bytes,
        "outputs_in_place": len(donated(built.as_text())),
        "collectives": [f"{x.opcode}, {x.elements} elements" for x in talk],
    }


def main() -> None:
    """Compile and print."""
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    target, *names = sys.argv[1:]
    devices = list(topology(target).devices)
    for name in names or PROGRAMS:
        said = counted(PROGRAMS[name], compiled(PROGRAMS[name], devices))
        print(json.dumps({"program": name} | said), flush=True)


if __name__ == "__main__":
    main()
