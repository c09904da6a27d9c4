"""The side of Keras 3: `keras.optimizers.RMSprop`, eps² inside the square root.

The backend is that of $KERAS_BACKEND. Images stay in memory as bytes and are scaled in
the model, an epoch is `model.fit` of the arrays put in its order, and the loss that
`fit` keeps is all that it keeps. Options: `jit_compile` as in Keras, and
`steps_per_execution` too, at most; an epoch is a whole number of executions.
"""

import keras
import numpy as np

from benchmarks.peers import protocol


def model_of(weights, shape, slope, offset):
    """The model with these weights, for images of this shape."""
    layers = [keras.Input(shape, dtype="uint8"), keras.layers.Rescaling(slope, offset)]
    kernels = weights[::2]
    for i, kernel in enumerate(kernels):
        if kernel.ndim == 4:
            layers += [
                keras.layers.Conv2D(
                    kernel.shape[3], 3, padding="same", activation="relu"
                ),
                keras.layers.MaxPooling2D(2),
            ]
            continue
        if i == 0 or kernels[i - 1].ndim == 4:
            layers.append(keras.layers.Flatten())
        last = i == len(kernels) - 1
        layers.append(
            keras.layers.Dense(kernel.shape[1], activation=None if last else "relu")
        )
    model = keras.Sequential(layers)
    model.set_weights(weights)
    return model


def greatest_divisor(number, most):
    """The greatest divisor of `number` up to `most`."""
    return max(n for n in range(1, min(number, most) + 1) if number % n == 0)


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    train, test = protocol.data(assignment)
    diary.mark("data")
    start = protocol.start(assignment)
    model = model_of(
        start.weights,
        train.images.shape[1:],
        1 / (255 * assignment.deviation),
        -assignment.mean / assignment.deviation,
    )
    options = dict(assignment.options)
    most = options.pop("steps_per_execution", 1)
    model.compile(
        keras.optimizers.RMSprop(
            assignment.learning_rate, rho=assignment.decay, epsilon=assignment.eps**2
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=greatest_divisor(assignment.steps, most),
        **options,
    )
    # The same memory each time: fresh memory is slow.
    images = np.empty_like(
        train.images, shape=(len(start.orders[0]), *train.images.shape[1:])
    )
    diary.mark("ready")

    def train_epoch(epoch):
        order = start.orders[epoch]
        np.take(train.images, order, axis=0, out=images, mode="clip")
        model.fit(
            images,
            train.labels[order],
            batch_size=assignment.batch_size,
            shuffle=False,
            verbose=0,
        )

    def judge():
        logits = model.predict(test.images, batch_size=1000, verbose=0)
        return protocol.judged(logits, test.labels)

    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print(backend=keras.backend.backend())


if __name__ == "__main__":
    main()
