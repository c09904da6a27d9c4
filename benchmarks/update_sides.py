"""The optimizers whose step `benchmarks.update_time` times, on JAX and on PyTorch.

Those of one framework share parameters and gradients, so that all of them fit into
memory and can take turns; each has a state of its own. One step is the update and its
application; calls return as early as the framework lets them, and `wait` ends them.
"""

from collections.abc import Callable, Iterable
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.trees import Shapes
from rmsprop_jax import rmsprop
from rmsprop_jax.state_dtype import MIN_SIZE

LEARNING_RATE = 1e-3


class Side(NamedTuple):
    """One of those that are compared.

    Attributes:
        label: In the table.
        framework: `"jax"` or `"torch"`.
        make: The transformation; or, of a list of parameters, the optimizer.
        peer: What its seconds are divided by.
        needs: What has to be installed.
        compiled: Whether `torch.compile` is to compile its step.
        narrow: Whether it stores large arrays in fewer bytes, but no small ones.
    """

    label: str
    framework: str
    make: Callable[..., Any]
    peer: str = "optax"
    needs: tuple[str, ...] = ()
    compiled: bool = False
    narrow: bool = False


def _ours(label, **options):
    return Side(
        label,
        "jax",
        lambda: rmsprop(LEARNING_RATE, **options),
        peer="optax-momentum" if "momentum" in options else "optax",
        narrow="state_dtype" in options,
    )


def _optax(label, **options):
    return Side(
        label,
        "jax",
        lambda: optax.rmsprop(LEARNING_RATE, **options),
        peer="optax-momentum" if options else "optax",
    )


def _torch(label, compiled=False, **options):
    def make(parameters):
        import torch

        return torch.optim.RMSprop(parameters, lr=LEARNING_RATE, **options)

    return Side(label, "torch", make, needs=("torch",), compiled=compiled)


def _bitsandbytes(label, name, narrow=False):
    def make(parameters):
        import bitsandbytes

        return getattr(bitsandbytes.optim, name)(parameters, lr=LEARNING_RATE)

    needs = ("torch", "bitsandbytes")
    return Side(label, "torch", make, needs=needs, narrow=narrow)


SIDES = {
    "optax": _optax("optax.rmsprop"),
    "float32": _ours("rmsprop"),
    "bfloat16": _ours("rmsprop, bfloat16 state", state_dtype="bfloat16"),
    "int8": _ours("rmsprop, int8 state", state_dtype="int8"),
    "optax-momentum": _optax("optax.rmsprop, momentum", momentum=0.9),
    "float32-momentum": _ours("rmsprop, momentum", momentum=0.9),
    "bfloat16-momentum": _ours(
        "rmsprop, momentum, bfloat16 state", momentum=0.9, state_dtype="bfloat16"
    ),
    "int8-momentum": _ours(
        "rmsprop, momentum, int8 state", momentum=0.9, state_dtype="int8"
    ),
    "torch-loop": _torch("torch.optim.RMSprop, a loop", foreach=False),
    "torch-foreach": _torch("torch.optim.RMSprop, foreach", foreach=True),
    "torch-compile": _torch("torch.optim.RMSprop, torch.compile", compiled=True),
    "bitsandbytes": _bitsandbytes("bitsandbytes RMSprop", "RMSprop"),
    "bitsandbytes-8": _bitsandbytes(
        "bitsandbytes RMSprop8bit", "RMSprop8bit", narrow=True
    ),
}


def why_not(side: Side, shapes: Shapes) -> str | None:
    """Why `side` has nothing to say about such a tree here; `None` where it has."""
    missing = [name for name in side.needs if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    if side.narrow and all(np.prod(shape) < MIN_SIZE for shape in shapes.values()):
        return f"no array of {MIN_SIZE} numbers, so that all rest in float32"
    if side.framework == "torch" and jax.default_backend() != "cpu":
        import torch

        if not torch.cuda.is_available():
            return "PyTorch sees no accelerator"
    return None


class InPlace:
    """What a byte takes: x + 1 over one large array, read and written once, in place.

    The same compiler makes it on every device, it uses all cores, and it writes where
    it has read, as an update does. (A copy into other memory also reads on a CPU what
    it is about to write: per byte that counts, it is slower.)
    """

    asynchronous = True

    def __init__(self, shape: tuple[int, ...]):
        self.x = jnp.zeros(shape, jnp.float32)
        self.step = jax.jit(lambda x: x + 1, donate_argnums=0)
        self.bytes = 2 * self.x.nbytes

    def advance(self):
        self.x = self.step(self.x)

    def wait(self):
        self.x.block_until_ready()


class JaxArrays:
    """Parameters and gradients of all sides on JAX."""

    def __init__(self, gradients: dict[str, np.ndarray]):
        self.grads = jax.tree.map(jnp.asarray, gradients)
        self.params = jax.tree.map(jnp.zeros_like, self.grads)


class OnJax:
    """One Optax transformation at work; its first step is made."""

    asynchronous = True

    def __init__(self, side: Side, arrays: JaxArrays):
        tx = side.make()
        self.arrays = arrays
        self.state = jax.block_until_ready(tx.init(arrays.params))
        self.step = whole_step(tx)
        self.bytes = _moved(jax.tree.leaves(arrays.params), jax.tree.leaves(self.state))
        self.advance()
        self.wait()

    def advance(self):
        arrays = self.arrays
        arrays.params, self.state = self.step(arrays.params, self.state, arrays.grads)

    def wait(self):
        jax.block_until_ready(self.arrays.params)


def whole_step(tx: optax.GradientTransformation):
    """Update and application in one compiled function that works in place."""

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(step, donate_argnums=(0, 1))


def compiling(side: Side, shapes: Shapes) -> tuple[float, float]:
    """Seconds until the step is traced and lowered, and until it is compiled then.

    Nothing is remembered from before.
    """
    tx = side.make()
    params = {k: jax.ShapeDtypeStruct(v, jnp.float32) for k, v in shapes.items()}
    state = jax.eval_shape(tx.init, params)
    step = whole_step(tx)
    jax.clear_caches()
    began = perf_counter()
    lowered = step.lower(params, state, params)
    traced = perf_counter()
    lowered.compile()
    return traced - began, perf_counter() - traced


class TorchArrays:
    """Parameters, which hold the gradients, of all sides on PyTorch."""

    def __init__(self, gradients: dict[str, np.ndarray]):
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.parameters = []
        for gradient in gradients.values():
            on_device = torch.from_numpy(gradient).to(device)
            parameter = torch.nn.Parameter(torch.zeros_like(on_device))
            parameter.grad = on_device
            self.parameters.append(parameter)


class OnTorch:
    """One optimizer of PyTorch's kind at work; its first step is made."""

    def __init__(self, side: Side, arrays: TorchArrays):
        import torch

        optimizer = side.make(arrays.parameters)
        self.asynchronous = torch.cuda.is_available()
        self.wait = torch.cuda.synchronize if self.asynchronous else lambda: None
        self.advance = optimizer.step
        if side.compiled:
            torch._dynamo.reset()
            self.advance = torch.compile(optimizer.step)
        began = perf_counter()
        self.advance()
        self.wait()
        self.first_seconds = perf_counter() - began
        kept = {
            x.data_ptr(): x
            for state in optimizer.state.values()
            for x in state.values()
            if isinstance(x, torch.Tensor)
        }
        self.bytes = _moved(arrays.parameters, kept.values())


def _moved(params: Iterable[Any], state: Iterable[Any]) -> int:
    """Bytes a step has to move: the gradient read, all else read and written."""
    return 3 * sum(x.nbytes for x in params) + 2 * sum(x.nbytes for x in state)
