"""The side of `rmsprop_jax.sweep`: one call, with its default choices."""

from functools import partial

import jax.numpy as jnp

from benchmarks.peers import jax_mlp, protocol
from rmsprop_jax import rmsprop, sweep, training_run


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    train, test = jax_mlp.arrays(assignment)
    diary.mark("data")
    start = protocol.start(assignment)
    images, labels, order = (jnp.asarray(x) for x in (*train, start.orders[0]))
    batches = order.reshape(assignment.steps, assignment.batch_size)
    diary.mark("ready")

    def batch_of(step, key):
        del key
        return images[batches[step]], labels[batches[step]]

    table = sweep(
        training_run(
            jax_mlp.loss,
            start.weights,
            batch_of,
            make=partial(rmsprop, dialect="torch"),
            steps=assignment.steps,
            validation=lambda weights: {"test": jax_mlp.loss(weights, test)},
        ),
        assignment.options["space"],
        metric="test",
    )
    diary.mark("ended")
    losses = [row["test"] for row in table.rows]
    diary.print(losses=losses, batch_size=table.batch_size, ran=len(losses))


if __name__ == "__main__":
    main()
