"""Trials that are run in stretches: begun, stopped, continued."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.sweeping.metrics import (
    check_metrics,
    check_read,
    named,
    signature,
    traced,
)
from rmsprop_jax.sweeping.programs import Program, choose_devices, faster_width
from rmsprop_jax.sweeping.training import Stretchable, strong
from rmsprop_jax.sweeping.trials import SEED, Group, Trial, seed_array

# What a trial goes on from: the leaves of its carry, on the host.
Carry = list[np.ndarray]
Metrics = Mapping[str, np.ndarray]


class Stretches:
    """The trials of a group, in stretches of `unit` steps: two programs, compiled once.

    A longer stretch is several of them, so that a trial that was stopped and continued
    has gone through the very calls of one that never was.
    """

    def __init__(self, run: Stretchable, group: Group, unit: int):
        """Traces `run`; compiles nothing yet.

        Raises:
            TypeError: If the carry changes its shape, or the metrics are of no use.
            ValueError: If the run does not read a hyperparameter.
        """
        keys = _Keys()

        def begin(numbers, seed):
            carry = run.init(group.assemble(numbers), jax.random.key(seed))
            return keys.opened(carry)

        def go_on(start, numbers, leaves):
            before = keys.closed(leaves)
            h = group.assemble(numbers)
            after, metrics = run.advance(h, before, start, unit)
            _check_carry(before, after)
            return keys.opened(after), metrics

        self.group, self.unit = group, unit
        numbers, start = group.example(), jax.ShapeDtypeStruct((), jnp.int32)
        self._begin = traced(lambda: Program(begin, (numbers, SEED)), group.names)
        example = (numbers, self._begin.shape)
        self._go_on = traced(
            lambda: Program(go_on, example, shared=(start,)), group.names
        )
        self.metrics = self._go_on.shape[1]
        check_metrics(self.metrics, group.names)
        check_read(numbers, (self._begin.jaxpr, 0), (self._go_on.jaxpr, 1))

    @property
    def signature(self) -> list[str]:
        """What tells one run from another: the shapes of what it carries."""
        return signature((self._begin.shape, self.metrics))

    def faster_width(self, devices: Sequence[Any] | None) -> int:
        """Trials side by side, or one after another: which is faster, measured."""
        trials = self.group.trials
        self._begin.resize(1, choose_devices(devices, 1, 1))
        one = self._begin_all(trials[:1])[0]
        carries = [np.broadcast_to(x, (len(trials), *x.shape)) for x in one]
        arguments = (self.group.numbers(trials), carries)
        return faster_width(self._go_on, arguments, (np.int32(0),), devices)[0]

    def resize(self, width: int, devices: Sequence[Any] | None) -> None:
        """Compute so many trials side by side, on each device."""
        chosen = choose_devices(devices, width, len(self.group.trials))
        self._begin.resize(width, chosen)
        self._go_on.resize(width, chosen)

    def advance(
        self, trials: Sequence[Trial], carries: Sequence[Carry], start: int, steps: int
    ) -> list[tuple[Carry, Metrics]]:
        """Each trial's carry and metrics after steps `start` to `steps`.

        Args:
            trials: Who goes on.
            carries: From what; nothing if they begin.
            start: How many steps were made.
            steps: How many will have been.
        """
        now = list(carries) if start else self._begin_all(trials)
        numbers = self.group.numbers(trials)
        parts: list[list[Metrics]] = [[] for _ in trials]
        for at in range(start, steps, self.unit):
            stacked = [np.stack(leaf) for leaf in zip(*now, strict=True)]
            calls = self._go_on(numbers, stacked, shared=(np.int32(at),))
            ended = [each for some in calls for each in some]
            now = [carry for carry, _ in ended]
            for part, (_, metrics) in zip(parts, ended, strict=True):
                part.append(named(metrics))
        metrics = [_joined(part) for part in parts]
        return list(zip(now, metrics, strict=True))

    def _begin_all(self, trials: Sequence[Trial]) -> list[Carry]:
        calls = self._begin(self.group.numbers(trials), seed_array(trials))
        return [carry for some in calls for carry in some]


class _Keys:
    """A carry as arrays that a file can hold: of a typed key, its bits."""

    def opened(self, carry: Any) -> list[jax.Array]:
        leaves, self._structure = jax.tree.flatten(carry)
        self._kinds = [
            jax.random.key_impl(x)
            if jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key)
            else None
            for x in leaves
        ]
        return [
            strong(x) if kind is None else jax.random.key_data(x)
            for x, kind in zip(leaves, self._kinds, strict=True)
        ]

    def closed(self, leaves: Sequence[jax.Array]) -> Any:
        wrapped = [
            x if kind is None else jax.random.wrap_key_data(x, impl=kind)
            for x, kind in zip(leaves, self._kinds, strict=True)
        ]
        return jax.tree.unflatten(self._structure, wrapped)


def _check_carry(before: Any, after: Any) -> None:
    was, now = (
        [
            (jax.tree_util.keystr(path), jnp.result_type(x).name, jnp.shape(x))
            for path, x in jax.tree.leaves_with_path(carry)
        ]
        for carry in (before, after)
    )
    if was != now:
        new = [leaf for leaf in now if leaf not in was]
        gone = [leaf for leaf in was if leaf not in now]
        raise TypeError(
            f"advance returned a carry with {new}: expected that of init, with {gone}."
        )


def _joined(parts: Sequence[Metrics]) -> Metrics:
    """The metrics of stretches in a row: the last numbers, the whole curves."""
    return {
        name: np.concatenate([part[name] for part in parts]) if np.ndim(last) else last
        for name, last in parts[-1].items()
    }
