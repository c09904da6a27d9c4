"""One compiled program that runs trials: some at a time, on each of some devices."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# How many are tried side by side to decide whether that is faster, and how many
# trials there must be for that to be worth a second compilation.
_SIDE_BY_SIDE = {"cpu": 8, "elsewhere": 64}
_WORTH_MEASURING = 4
# One after another rounds as the run does by itself: anything else has to be worth it.
_CLEARLY = 0.8


class Program:
    """A function of one trial, compiled once for any number of trials.

    What the function closes over is an argument of the program: as a constant, a data
    set would be compiled into it.

    Attributes:
        shape: What the function returns, as shapes and dtypes.
        jaxpr: What it computes.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        example: tuple,
        *,
        shared: tuple = (),
        width: int = 1,
        devices: Sequence[Any] = (),
    ):
        """Traces `function(*shared, *example)`; compiles nothing yet.

        Args:
            function: What to do for one trial.
            example: Shapes and dtypes of one trial's arguments.
            shared: Those of arguments that are the same for all trials.
            width: How many trials are computed side by side (vmapped); 1 is one
                after another.
            devices: Those that each take as many; none is the default device.
        """
        traced = jax.make_jaxpr(function, return_shape=True)
        closed, self.shape = traced(*shared, *example)
        self.jaxpr = closed.jaxpr
        self._consts = closed.consts
        self._programs: dict[tuple[int, int], Callable[..., Any]] = {}
        self.resize(width, devices)

    def resize(self, width: int, devices: Sequence[Any]) -> None:
        """Compute `width` trials side by side on each of `devices` from now on."""
        self._width, self._devices = width, list(devices)
        self._everywhere: Any = self._devices[0] if devices else None
        self._apart: Any = self._everywhere
        if len(self._devices) > 1:
            mesh = Mesh(np.array(self._devices), ("trials",))
            self._everywhere = NamedSharding(mesh, PartitionSpec())
            self._apart = NamedSharding(mesh, PartitionSpec("trials"))
        self._placed = jax.device_put(self._consts, self._everywhere)

    @property
    def at_once(self) -> int:
        """How many trials one call computes."""
        return self._width * max(1, len(self._devices))

    def __call__(self, *arguments: Any, shared: tuple = ()) -> Iterator[list[Any]]:
        """The results of trials, a list of trees at a time, in order.

        Args:
            *arguments: Trees of NumPy arrays, a row for each trial.
            shared: The arguments that are the same for all.
        """
        count = rows_of(arguments)
        for start in range(0, count, self.at_once):
            inputs = self._inputs(arguments, shared, start)
            out = jax.device_get(self._compiled(inputs)(*inputs))
            kept = min(self.at_once, count - start)
            yield [row_of(out, i) for i in range(kept)]

    def compile(self, *arguments: Any, shared: tuple = ()) -> None:
        """Compile now what the first call would."""
        self._compiled(self._inputs(arguments, shared, 0))

    def _inputs(self, arguments: tuple, shared: tuple, start: int) -> tuple:
        # The last rows are filled up with the last trial: another shape would be
        # compiled anew.
        rows = np.arange(start, start + self.at_once)
        rows = np.minimum(rows, rows_of(arguments) - 1)
        part = row_of(arguments, rows)
        return (
            self._placed,
            jax.device_put(shared, self._everywhere),
            jax.device_put(part, self._apart),
        )

    def _compiled(self, inputs: tuple) -> Callable[..., Any]:
        layout = (self._width, len(self._devices))
        if layout not in self._programs:
            program = self._side_by_side
            if isinstance(self._apart, NamedSharding):
                everywhere, apart = PartitionSpec(), self._apart.spec
                program = jax.shard_map(
                    program,
                    mesh=self._apart.mesh,
                    in_specs=(everywhere, everywhere, apart),
                    out_specs=apart,
                    check_vma=False,
                )
            self._programs[layout] = jax.jit(program).lower(*inputs).compile()
        return self._programs[layout]

    def _side_by_side(self, consts: list, shared: tuple, arguments: tuple) -> Any:
        def one(arguments):
            flat = jax.tree.leaves((*shared, *arguments))
            out = jax.core.eval_jaxpr(self.jaxpr, consts, *flat)
            return jax.tree.unflatten(jax.tree.structure(self.shape), out)

        if self._width > 1:
            return jax.vmap(one)(arguments)
        # Not a vmap of one: that is compiled to other code.
        out = one(jax.tree.map(lambda x: x[0], arguments))
        return jax.tree.map(lambda x: jnp.asarray(x)[None], out)


def choose_devices(devices: Sequence[Any] | None, width: int, trials: int) -> list[Any]:
    """The devices that will have something to do."""
    chosen = jax.local_devices() if devices is None else list(devices)
    return chosen[: max(1, -(-trials // width))]


def check_devices(devices: Any) -> None:
    """Refuse what is not at least one device, each once."""
    if devices is None:
        return
    listed = list(devices) if isinstance(devices, (Sequence, np.ndarray)) else [None]
    if not all(isinstance(device, jax.Device) for device in listed):
        raise TypeError(
            f"devices={devices!r:.60}: expected a list of them, such as "
            "jax.devices()[:1], or None for all."
        )
    if not listed or len(set(listed)) < len(listed):
        raise ValueError(
            f"devices={devices!r:.60}: expected at least one and each once, or None "
            "for all."
        )


def check_batch_size(batch_size: Any, trials: int) -> None:
    """Refuse a batch size that is neither a fitting number nor `"auto"`."""
    if isinstance(batch_size, str) and batch_size == "auto":
        return
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)):
        raise TypeError(
            f"batch_size={batch_size!r}: expected a whole number of trials, or 'auto'."
        )
    if not 1 <= batch_size <= trials:
        raise ValueError(
            f"batch_size={batch_size}: expected 1 to {trials}, the number of trials. 1 "
            f"runs them one after another, {trials} all at once."
        )


def faster_width(
    program: Program, arguments: tuple, shared: tuple, devices: Sequence[Any] | None
) -> tuple[int, list[Any]]:
    """How many trials side by side: one, unless more were clearly faster just now.

    Too few trials for a second compilation to pay are not measured: one after another
    on a CPU, all at once elsewhere.

    Returns:
        How many side by side, and the results of the first trials, run that way.
    """
    count = rows_of(arguments)
    platform = choose_devices(devices, 1, 1)[0].platform
    wide = _SIDE_BY_SIDE["cpu" if platform == "cpu" else "elsewhere"]
    if count < _WORTH_MEASURING * wide:
        return (1 if platform == "cpu" else min(wide, count)), []
    seconds, results = {}, {}
    for width in (1, wide):
        program.resize(width, choose_devices(devices, width, count))
        some = row_of(arguments, slice(0, program.at_once))
        program.compile(*some, shared=shared)
        start = time.perf_counter()
        (results[width],) = program(*some, shared=shared)
        seconds[width] = (time.perf_counter() - start) / len(results[width])
    chosen = wide if seconds[wide] < _CLEARLY * seconds[1] else 1
    return chosen, results[chosen]


def rows_of(arguments: Any) -> int:
    """How many trials there are arguments for."""
    return len(jax.tree.leaves(arguments)[0])


def row_of(tree: Any, at: Any) -> Any:
    """One row of every array of `tree`, or some."""
    return jax.tree.map(lambda x: x[at], tree)
