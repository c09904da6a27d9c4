"""`recipe` and `recipes`: published settings by name."""

import difflib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optax

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.dialects import DIALECTS
from rmsprop_jax.published.games import GAMES
from rmsprop_jax.published.images import IMAGES
from rmsprop_jax.published.sequences import SEQUENCES
from rmsprop_jax.published.setting import Recipe
from rmsprop_jax.transform import Mask, rmsprop
from rmsprop_jax.tree import RMSProp

_OPTIONAL = ("loss_scale", "weight_decay_mask")


class Recipes(Mapping[str, Recipe]):
    """The published settings by name; prints as a listing of all there is to them."""

    def __init__(self, rows: Mapping[str, Recipe]):
        self._rows = dict(rows)

    def __getitem__(self, name: str) -> Recipe:
        """The setting of that name."""
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._rows)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._rows)

    def __repr__(self) -> str:
        """All of them in words."""
        return "\n\n".join(
            f"{name}\n" + "\n".join(f"    {line}" for line in str(row).splitlines())
            for name, row in self.items()
        )


_RECIPES = Recipes({**GAMES, **IMAGES, **SEQUENCES})


def recipes() -> Recipes:
    """Every published setting that `recipe` knows, by name.

    Printed, the mapping says of each what it takes, what it sets, and what it leaves
    outside; the same is a field of its rows, `Recipe`s. A row is a record and no
    transformation: that is `recipe(name, ...)`.

    Example:
        >>> row = recipes()["wgan"]
        >>> row.dialect, row.values["eps"], row.confidence
        ('torch', 1e-08, 'A')
        >>> print(row.outside[0])
        weights of the critic clamped to [-0.01, 0.01] before each of its steps
    """
    return _RECIPES


def recipe(
    name: str,
    *,
    loss_scale: float = 1.0,
    weight_decay_mask: Mask = None,
    **given: Any,
) -> RMSProp:
    """A published setting: its RMSProp, learning rate, clipping and weight decay.

        tx = recipe("impala-torchbeast", total_steps=46_875)

    It is a transformation and nothing else. What a transformation cannot hold, such
    as an average of the weights or how the loss was reduced, is listed under
    "outside" for each setting below, and is yours to add.

    A constant learning rate lives in the state (`set_hyperparams`); a schedule is
    counted in updates from 0. Weight decay is coupled, as it was in all of them: the
    gradient of λ/2 ‖θ‖², added behind the clipping.

    `loss_scale` is for a loss that is c times the published one, a mean in place of a
    sum over N (c = 1/N), say. The trajectory stays the same:

        ε → c² ε  (inside the root)  or  c ε  (outside)
        ν₀ → c² ν₀      λ → c λ      clipping at c times the bound

    Args:
        name: One of those below.
        loss_scale: c > 0.
        weight_decay_mask: Which parameters decay, where the names and shapes of yours
            say something else than the rule assumes: a mask as `rmsprop` takes it.
        **given: What the setting leaves open, required where it "takes" it:
            `total_steps`, the number of updates; `batch_size`, over all devices;
            `steps_per_epoch`; `learning_rate`.

    Returns:
        A transformation that carries the `rule` of its RMSProp, as that of `rmsprop`.

    Raises:
        ValueError: If there is no such setting, or a value is out of range.
        TypeError: If an argument is missing or not the setting's.

    Example:
        >>> tx = recipe("efficientnet", batch_size=4096, steps_per_epoch=312.8)
        >>> tx.rule.nu_init
        1.0
        >>> recipe("efficientnet", batch_size=4096)      # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TypeError: recipe('efficientnet'): missing steps_per_epoch. It takes ...
    """
    row = _row(name)
    _check_names(name, row, given)
    given = {argument: _checked(argument, given[argument]) for argument in row.needs}
    if weight_decay_mask is not None and row.weight_decay is None:
        raise ValueError(
            f"weight_decay_mask: recipe({name!r}) has no weight decay; drop the mask."
        )
    c = _scale(loss_scale)
    arguments = {**row.values, **_scaled(row, c)}
    if row.weight_decay is not None:
        arguments |= {
            "weight_decay": row.weight_decay * c,
            "weight_decay_form": "coupled",
            "weight_decay_mask": row.spared.mask
            if weight_decay_mask is None
            else weight_decay_mask,
        }
    tx = rmsprop(row.rate(given), dialect=row.dialect, **arguments)
    if row.clip is None:
        return tx
    chain = optax.chain(row.clip.transformation(c), tx)
    return RMSProp(chain.init, chain.update, tx.rule, tx.decaying)


def _row(name: str) -> Recipe:
    if name in _RECIPES:
        return _RECIPES[name]
    near = difflib.get_close_matches(str(name), _RECIPES, n=3, cutoff=0.4)
    raise ValueError(
        f"recipe({name!r}): expected one of {', '.join(_RECIPES)}."
        + (f" Did you mean {' or '.join(near)}?" if near else "")
    )


def _check_names(name: str, row: Recipe, given: Mapping[str, Any]) -> None:
    missing = [need for need in row.needs if need not in given]
    unknown = [argument for argument in given if argument not in row.needs]
    if missing or unknown:
        problems = [
            f"{problem} {', '.join(names)}"
            for problem, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise TypeError(
            f"recipe({name!r}): {'; '.join(problems)}. It takes "
            f"{', '.join(row.needs) or 'nothing'}; and may be given "
            f"{', '.join(_OPTIONAL)}."
        )


def _checked(name: str, value: Any) -> Any:
    """`value`, a whole number as an int."""
    if name == "learning_rate":
        hp.check(name, value)
        return value
    kinds = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name}={value!r}: expected a number > 0.")
    if not 0 < value < np.inf:
        raise ValueError(f"{name}={value!r}: expected a number > 0.")
    if value == int(value):
        return int(value)
    if name != "steps_per_epoch":
        raise ValueError(f"{name}={value!r}: expected a whole number.")
    return float(value)


def _scale(loss_scale: Any) -> float:
    try:
        c = float(loss_scale)
    except (TypeError, ValueError):
        c = np.nan
    if not 0 < c < np.inf or isinstance(loss_scale, bool):
        raise ValueError(
            f"loss_scale={loss_scale!r}: expected a number > 0, how many times the "
            "published loss yours is."
        )
    return c


def _scaled(row: Recipe, c: float) -> dict[str, float]:
    """ε and ν₀ for a loss that is c times the published one."""
    rule = DIALECTS[row.dialect].rule
    placement = row.values.get("eps_placement", rule.eps_placement)
    eps = row.values["eps"] * (c**2 if placement == "inside" else c)
    return {"eps": eps, **({"nu_init": rule.nu_init * c**2} if rule.nu_init else {})}


_LISTING = "\n".join(f"    {line}".rstrip() for line in repr(_RECIPES).splitlines())
recipe.__doc__ = f"{inspect.cleandoc(recipe.__doc__ or '')}\n\nSettings:\n\n{_LISTING}"
