"""The side of a loop over `optax.rmsprop(...)`: a step compiled for each, as usual."""

import jax
import numpy as np
import optax

from benchmarks.peers import jax_mlp, protocol


def trained(configuration, weights, train, batches):
    """The weights after all batches, and the mean loss on the way."""
    tx = optax.rmsprop(
        configuration["learning_rate"],
        decay=configuration["decay"],
        eps=configuration["eps"],
        eps_in_sqrt=False,
        momentum=configuration["momentum"],
    )

    @jax.jit
    def step(weights, state, images, labels):
        value, gradients = jax.value_and_grad(jax_mlp.loss)(weights, (images, labels))
        updates, state = tx.update(gradients, state)
        return optax.apply_updates(weights, updates), state, value

    images, labels = train
    state, values = tx.init(weights), []
    for chosen in batches:
        weights, state, value = step(weights, state, images[chosen], labels[chosen])
        values.append(value)
    return weights, np.mean(jax.device_get(values))


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    train, test = jax_mlp.arrays(assignment)
    diary.mark("data")
    start = protocol.start(assignment)
    batches = start.orders[0].reshape(assignment.steps, assignment.batch_size)
    weights = [jax.numpy.asarray(x) for x in start.weights]
    judge = jax.jit(jax_mlp.loss)
    diary.mark("ready")
    losses = [
        float(judge(trained(configuration, weights, train, batches)[0], test))
        for configuration in assignment.options["configurations"]
    ]
    diary.mark("ended")
    diary.print(losses=losses, ran=len(losses))


if __name__ == "__main__":
    main()
