"""Trials, and the groups of them that one program can run."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.sweeping.numbers import is_whole
from rmsprop_jax.sweeping.space import Space, draw, is_traced

# Where an object lies in the memory of this process.
_ADDRESS = re.compile(r"<.* at 0x[0-9a-f]+")
RESERVED = ("trial", "point", "seed", "bracket", "steps", "diverged")


@dataclass(frozen=True)
class Trial:
    """One run: a point of the space and a seed."""

    index: int
    point: int
    hyperparameters: Mapping[str, Any]
    seed: int


@dataclass(frozen=True)
class Group:
    """Trials that differ in numbers and seeds only, so that one program runs them.

    Attributes:
        names: All hyperparameters, in the space's order.
        fixed: Those that are compiled in, and their values.
        trials: Who they are.
    """

    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    trials: Sequence[Trial]

    def assemble(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """The hyperparameters of a run, from the numbers that are traced."""
        everything = {**self.fixed, **numbers}
        return {name: everything[name] for name in self.names}

    def numbers(self, trials: Sequence[Trial]) -> dict[str, np.ndarray]:
        """The traced numbers of some trials, an array for each name."""
        return {
            name: np.asarray(
                [t.hyperparameters[name] for t in trials], jnp.result_type(float)
            )
            for name in self.names
            if name not in self.fixed
        }

    def example(self) -> dict[str, jax.ShapeDtypeStruct]:
        """What `numbers` has for one trial."""
        return {
            name: jax.ShapeDtypeStruct((), column.dtype)
            for name, column in self.numbers(self.trials[:1]).items()
        }


SEED = jax.ShapeDtypeStruct((), jnp.uint32)


def seed_array(trials: Sequence[Trial]) -> np.ndarray:
    """The seeds of some trials, as a program takes them."""
    return np.asarray([t.seed for t in trials], np.uint32)


def plan(
    run: Any,
    space: Space,
    *,
    points: int | None,
    seeds: int | Sequence[int],
    static: Collection[str],
    seed: int,
) -> tuple[list[Trial], list[Group]]:
    """Every trial of a sweep, and their groups.

    Raises:
        TypeError: If something is of the wrong kind.
        ValueError: If the space, `points` or `seeds` hold nothing to try, or a name
            is no hyperparameter of the run.
    """
    if isinstance(static, str):
        raise TypeError(f"static={static!r}: expected names, such as ({static!r},).")
    if not isinstance(static, Collection):
        raise TypeError(f"static={static!r}: expected names, such as ('width',).")
    chosen = draw(space, points, seed=seed, static=static)
    check_names(run, tuple(space))
    pairs = [(i, point, s) for i, point in enumerate(chosen) for s in _seeds(seeds)]
    trials = [Trial(n, i, point, s) for n, (i, point, s) in enumerate(pairs)]
    groups: dict[Any, list[Trial]] = {}
    for trial in trials:
        fixed = tuple(
            (name, type(value).__name__, value)
            for name, value in trial.hyperparameters.items()
            if not is_traced(name, value, static)
        )
        groups.setdefault(fixed, []).append(trial)
    return trials, [
        Group(tuple(space), {name: value for name, _, value in fixed}, members)
        for fixed, members in groups.items()
    ]


def described(
    space: Space, trials: Sequence[Trial], *, seed: int, static: Collection[str]
) -> dict[str, Any]:
    """What tells the trials of one search from those of another, for JSON.

    Raises:
        ValueError: If a value cannot be known again in another process.
    """
    for name, value in space.items():
        if _ADDRESS.search(_text(value)):
            raise ValueError(
                f"{name}={value!r:.80}: with folder=, expected what another process "
                "can tell to be the same: words, numbers, functions that a module "
                "defines (no lambda, none made in a function), objects whose repr "
                "says it all."
            )
    digest = sha256()
    for trial in trials:
        point = [[name, _text(x)] for name, x in trial.hyperparameters.items()]
        digest.update(json.dumps([point, trial.seed]).encode())
    return {
        "space": [[name, _text(value)] for name, value in space.items()],
        "seeds": list(dict.fromkeys(trial.seed for trial in trials)),
        "trials": len(trials),
        "seed": seed,
        "static": sorted(static),
        # Results are kept by the trial's number: each has to be the same.
        "digest": digest.hexdigest(),
    }


def _text(value: Any) -> str:
    """The same in another process, and another for another value."""
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        value = np.asarray(value).tolist()
    if isinstance(value, (list, tuple, range)):
        return f"[{', '.join(map(_text, value))}]"
    name = getattr(value, "__qualname__", None)
    if name is not None and "<" not in name:  # Not a lambda, nor made in a function.
        return f"{value.__module__}.{name}"
    return repr(value)


def check_names(run: Any, names: Collection[str]) -> None:
    """Refuse names that the run, if it knows its own, does not take, or lacks."""
    for name in names:
        if name in RESERVED:
            raise ValueError(
                f"{name}: expected another name; the table has a column {name!r}."
            )
    known = getattr(run, "hyperparameters", None)
    if known is None:
        return
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"{unknown[0]}: no hyperparameter of this run; expected some of "
            f"{', '.join(known)}."
        )
    missing = [name for name, needed in known.items() if needed and name not in names]
    if missing:
        raise ValueError(
            f"{missing[0]}: this run needs it; put a value, a list or a range in the "
            "space."
        )


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if is_whole(seeds):
        listed = list(range(int(np.asarray(seeds))))
    else:
        listed = list(seeds) if isinstance(seeds, (Sequence, np.ndarray)) else []
    fits = all(is_whole(s) and 0 <= s < 2**32 for s in listed)
    if not listed or not fits or len(set(listed)) < len(listed):
        raise ValueError(
            f"seeds={seeds!r}: expected how many (at least 1), or different whole "
            "numbers in [0, 2**32)."
        )
    return [int(s) for s in listed]
