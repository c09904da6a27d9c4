"""What the page says of state in fewer bytes: what it takes, and what it costs."""

from functools import cache

import jax
import jax.numpy as jnp

from benchmarks import receipts, trees
from benchmarks.device_programs import PROGRAMS
from benchmarks.deviceless import TARGETS, by_target
from benchmarks.precision.table import (
    BASELINE,
    Interval,
    cells_of,
    differences,
    in_percent,
    interval,
)
from benchmarks.receipts import Row
from benchmarks.reporting import markers

STATES = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "int8": "int8",
    "momentum": "float32, momentum",
    "bfloat16, momentum": "bfloat16, momentum",
    "int8 and bfloat16 momentum": "int8, momentum in bfloat16",
    "int8, momentum": "int8, momentum",
}
TASKS = {
    "mlp": "MNIST, mlp",
    "cnn": "MNIST, cnn on 10 000 images",
    "characters": "characters, transformer",
}
OURS = ("bfloat16", "int8")
SIDES = {
    "bfloat16": "bfloat16",
    "int8": "int8",
    "bfloat16 to nearest": "for comparison: bfloat16 rounded to nearest",
    "int8, linear": "8 bits in equal steps",
    "float32, nudged": "float32, parameters one rounding apart",
}
# Of intervals that leave out 0 although there is no difference.
BY_CHANCE = 0.05


def bytes_and_kernels(rows: list[Row]) -> str:
    """A line for each state."""
    found = by_target(rows)
    targets = [found[name] for name in TARGETS.values()]
    lines = [
        [
            "state",
            "bytes a parameter, GPT-2",
            "moved in a step, H200 / TPU v5e",
            "kernels an array",
        ]
    ]
    for program, words in STATES.items():
        compiled = [target[program] for target in targets]
        lines.append(
            [
                words,
                f"{state_bytes(program):.2f}",
                " / ".join(f"{row['bytes_a_parameter']:.1f}" for row in compiled),
                " / ".join(f"{row['kernels_a_leaf']:g}" for row in compiled),
            ]
        )
    return markers.table(*lines, right=True)


@cache
def state_bytes(program: str) -> float:
    """Of its state on GPT-2, a parameter."""
    shapes = trees.gpt2()
    params = {x: jax.ShapeDtypeStruct(y, jnp.float32) for x, y in shapes.items()}
    state = jax.eval_shape(PROGRAMS[program].transformation().init, params)
    every = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    return every / trees.count(shapes)


def eight_bit_updates(rows: list[Row]) -> str:
    """How far updates are from float32's, decay by decay."""
    last = receipts.last_of_each(rows, "decay")
    percent = [f"{100 * row['relative_difference']:.1f}" for row in last]
    decays = _enumerated(row["decay"] for row in last)
    return f"{_enumerated(percent)} % at ρ = {decays}, with σ = {last[0]['sigma']:g}"


def losses(rows: list[Row]) -> str:
    """Differences from float32 in per cent, a line for each side."""
    cells = cells_of(rows)
    lines = [["state", *TASKS.values()]]
    for side, words in SIDES.items():
        lines.append([words])
        for task in TASKS:
            own = [sides for (of, *_), sides in cells.items() if of == task]
            lines[-1].append(_percent(interval(in_percent(own, side))))
    return markers.table(*lines, right=True)


def settings_apart(rows: list[Row]) -> str:
    """How many settings by themselves differ from float32, and which."""
    every = [
        (side, cell, _relative(sides[side], sides[BASELINE]))
        for cell, sides in cells_of(rows).items()
        for side in OURS
    ]
    apart = [
        f"{side} on {task} at ρ = {decay:g}"
        + f", β = {momentum:g}" * (momentum is not False)
        + ", centered" * centered
        + f", {_signed(found.mean, 1)} %"
        for side, (task, decay, momentum, centered), found in every
        if not found.holds_zero
    ]
    has = "has" if len(apart) == 1 else "have"
    return markers.paragraph(f"""
        Of the {len(every)} settings by themselves {len(apart)} {has} an interval that
        leaves out 0, by chance it would be {BY_CHANCE * len(every):.1f}:
        {"; ".join(apart) or "none"}.
    """)


def _enumerated(values) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}"


def _relative(losses, baseline) -> Interval:
    """The interval of the differences, in per cent of the mean of the baseline."""
    scale = 100 / (sum(baseline.values()) / len(baseline))
    return interval([scale * x for x in differences(losses, baseline).values()])


def _percent(found: Interval) -> str:
    """With one decimal, or with two where that says no more than 0."""
    decimals = 1 if found.reach >= 1 else 2
    return f"{_signed(found.mean, decimals)} ± {found.reach:.{decimals}f}"


def _signed(value: float, decimals: int) -> str:
    return f"{value:+.{decimals}f}".replace("-", "−")
