"""How far is an update from float32's if its ν rests in eight bits?

`python -m benchmarks.eight_bits [--smoke]`, in a checkout, adds a line of JSON for each
decay to `results/eight_bits.jsonl` and prints the table; `--table` prints what was
measured last. Gradients are normal, their scales log-normal (σ = 1.5), ε is 0. Compared
are the updates of the second half of the steps: the norm of the difference over that of
float32's, and how many times as large an update is at most, those below a hundredth of
the learning rate counting as that.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import rmsprop_jax as rj
from benchmarks import receipts
from benchmarks.receipts import Row

RESULTS = receipts.file_of("eight_bits")
DECAYS = (0.9, 0.99, 0.999)
SIGMA = 1.5
STEPS, SHAPE = 2000, (16, 1024)
LEAST = 0.01


def gradients(steps: int, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """One for each step; the scale of an entry stays."""
    rng = np.random.default_rng(seed)
    scale = np.exp(SIGMA * rng.standard_normal(shape))
    return (scale * rng.standard_normal((steps, *shape))).astype(np.float32)


@partial(jax.jit, static_argnums=1)
def updates(grads: jax.Array, state_dtype: str | None, decay: jax.Array) -> jax.Array:
    """Of every step, by a rule whose learning rate is 1."""
    optimizer = rj.rmsprop(1.0, decay=0.9, eps=0.0, state_dtype=state_dtype)
    state = rj.set_hyperparams(optimizer.init(grads[0]), decay=decay)

    def step(state, g):
        update, state = optimizer.update(g, state)
        return state, update

    return jax.lax.scan(step, state, grads)[1]


def measured(steps: int, shape: tuple[int, int]) -> Iterator[Row]:
    """A row for each decay."""
    grads = jnp.asarray(gradients(steps, shape))
    for decay in DECAYS:
        wanted, got = (
            np.abs(updates(grads, dtype, jnp.float32(decay)))[steps // 2 :]
            for dtype in (None, "int8")
        )
        # A ν that is stored is positive: updates have the signs of their gradients.
        apart = np.linalg.norm(got - wanted) / np.linalg.norm(wanted)
        times = np.maximum(got, LEAST) / np.maximum(wanted, LEAST)
        yield {
            "decay": decay,
            "steps": steps,
            "shape": shape,
            "sigma": SIGMA,
            "relative_difference": float(apart),
            "most_times_as_large": float(times.max()),
        }


def table(rows: list[Row]) -> str:
    """A line for each decay, as Markdown."""
    lines = ["| ρ | difference, % | times as large, at most |", "|---|---|---|"]
    for row in receipts.last_of_each(rows, "decay"):
        percent = 100 * row["relative_difference"]
        lines.append(
            f"| {row['decay']:g} | {percent:.2f} | {row['most_times_as_large']:.2f} |"
        )
    return "\n".join(lines)


def arguments(argv: list[str] | None) -> Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "fewer steps")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, append, print."""
    args = arguments(argv)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return
    size = (20, (4, 1024)) if args.smoke else (STEPS, SHAPE)
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    rows = [about | row for row in measured(*size)]
    receipts.append(receipts.kept_in(args, RESULTS), *rows)
    print(table(rows))


if __name__ == "__main__":
    sys.exit(main())
