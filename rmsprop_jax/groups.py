"""Parameter groups: other options for other parameters, and nothing unaccounted for."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.rule import Rule
from rmsprop_jax.skip import keep_if_finite
from rmsprop_jax.transform import rmsprop
from rmsprop_jax.tree import Decaying, RMSProp

Group = Mapping[str, Any] | optax.GradientTransformation
DEFAULT = "default"


class ParamGroups(optax.GradientTransformationExtraArgs):
    """An Optax transformation that knows each group's rule and can list its leaves.

    What `param_groups` returns.
    """

    @property
    def rules(self) -> dict[str, Rule]:
        """The rule of each group that is an RMSProp."""
        return {name: tx.rule for name, tx in self._members.items()}

    @property
    def decaying(self) -> dict[str, Decaying | None]:
        """Which of a group's parameters decay, if not all, for each such group."""
        return {name: tx.decaying for name, tx in self._members.items()}

    @property
    def _members(self) -> dict[str, RMSProp]:
        return vars(self.update)["members"]

    def table(self, params: Any) -> str:
        """Which leaf of `params` goes to which group, a line each."""
        rows = [("parameter", "shape", "dtype", "group")]
        labels = jax.tree.leaves(vars(self.update)["label"](params))
        leaves = jax.tree.leaves_with_path(params)
        for (path, leaf), label in zip(leaves, labels, strict=True):
            shape, dtype = str(jnp.shape(leaf)), jnp.result_type(leaf).name
            rows.append((_text(path), shape, dtype, label))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows
        )


def param_groups(
    groups: Mapping[str, Group], *, default: Group | None = None
) -> ParamGroups:
    r"""RMSProp with other options for some of the parameters.

    A leaf belongs to the group whose pattern is found in its path, such as
    `"encoder/dense/bias"`. A leaf that no pattern matches belongs to `default`; one
    that two match belongs to neither, which is an error.

    Args:
        groups: Regular expression (as in `re.search`) → the arguments of `rmsprop`
            in which this group differs from `default`, or a transformation of its
            own, such as `optax.set_to_zero()`.
        default: The arguments of `rmsprop`, `learning_rate` among them, for all
            others, or a transformation. `None`: there may be no others, and each
            group states all its arguments.

    Returns:
        A transformation with `rules` (group → `Rule`; the default's key is
        `"default"`) and `table(params)`, which says which leaf went where. With
        `skip_nonfinite`, one decision holds for all groups, frozen ones included.

    Raises:
        ValueError: From `init`, if a leaf is matched twice or not at all, or if a
            pattern matches no leaf; from here, if the groups disagree about
            `skip_nonfinite` or `axis_name`.
        TypeError: If an argument is none of `rmsprop`'s.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"dense": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}}
        >>> tx = param_groups(
        ...     {"bias$": {"weight_decay": False}},
        ...     default={"learning_rate": 1e-2, "weight_decay": 1e-4},
        ... )
        >>> print(tx.table(params))
        parameter     shape   dtype    group
        dense/bias    (2,)    float32  bias$
        dense/kernel  (3, 2)  float32  default
    """
    patterns = {pattern: _pattern(pattern) for pattern in groups}
    specs = dict(groups)
    if default is not None:
        specs[DEFAULT] = default
    built: dict[Any, Any] = {
        name: _build(name, spec, default) for name, spec in specs.items()
    }
    skip_nonfinite, axis_name = _agreed(specs, default)

    def label(params):
        return jax.tree.map_with_path(
            lambda path, _: _group_of(_text(path), patterns, default), params
        )

    inner = optax.partition(built, label)

    def init(params):
        _check_table(params, patterns, default)
        return inner.init(params)

    def update(updates, state, params=None, **extra_args):
        stepped = inner.update(updates, state, params, **extra_args)
        if skip_nonfinite:
            return keep_if_finite(updates, stepped, state, axis_name)
        return stepped

    members = {n: t for n, t in built.items() if isinstance(t, RMSProp)}
    vars(update).update(label=label, members=members)
    return ParamGroups(init, update)


def _build(name: str, spec: Group, default: Group | None) -> Any:
    if isinstance(spec, optax.GradientTransformation):
        return spec
    if not isinstance(spec, Mapping):
        raise TypeError(
            f"group {name!r}: expected a dict of rmsprop's arguments, or a "
            f"transformation, got {spec!r}."
        )
    inherited = default if isinstance(default, Mapping) else {}
    arguments = {**inherited, **spec}
    try:
        return rmsprop(arguments.pop("learning_rate"), **arguments)
    except KeyError:
        raise ValueError(
            f"group {name!r}: expected a learning_rate, in the group or in default."
        ) from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"group {name!r}: {error}") from None


def _agreed(specs: Mapping[str, Group], default: Group | None) -> tuple[bool, Any]:
    """skip_nonfinite and axis_name, if all groups of arguments want the same."""
    inherited = default if isinstance(default, Mapping) else {}
    wanted = {
        name: (
            bool({**inherited, **spec}.get("skip_nonfinite", False)),
            {**inherited, **spec}.get("axis_name"),
        )
        for name, spec in specs.items()
        if isinstance(spec, Mapping)
    }
    if len(set(wanted.values())) > 1:
        raise ValueError(
            "skip_nonfinite and axis_name: expected the same in every group, for a "
            f"step is made or skipped as a whole; got {wanted}. Set them in default."
        )
    return next(iter(wanted.values()), (False, None))


def _pattern(pattern: str) -> re.Pattern[str]:
    if not isinstance(pattern, str):
        raise TypeError(f"group {pattern!r}: expected a regular expression as a str.")
    if pattern == DEFAULT:
        raise ValueError(f"group {pattern!r}: the name is taken; write '{DEFAULT}()'.")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"group {pattern!r}: expected a regular expression, {error}."
        ) from None


def _group_of(
    path: str, patterns: Mapping[str, re.Pattern[str]], default: Group | None
) -> str:
    matching = [name for name, pattern in patterns.items() if pattern.search(path)]
    if not matching and default is not None:
        return DEFAULT
    if len(matching) != 1:
        got = f"{len(matching)}: {matching}" if matching else "none"
        raise ValueError(
            f"{path}: expected one matching group, got {got}. "
            + (
                "Make the patterns disjoint."
                if matching
                else "Pass default={...} for what no pattern names."
            )
        )
    return matching[0]


def _check_table(
    params: Any, patterns: Mapping[str, re.Pattern[str]], default: Group | None
) -> None:
    paths = [_text(path) for path, _ in jax.tree.leaves_with_path(params)]
    problems = []
    for path in paths:
        try:
            _group_of(path, patterns, default)
        except ValueError as error:
            problems.append(str(error))
    for name, pattern in patterns.items():
        if not any(pattern.search(path) for path in paths):
            problems.append(f"group {name!r}: matches none of the leaves {paths}.")
    if problems:
        raise ValueError("\n".join(problems))


def _text(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
