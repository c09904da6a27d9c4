"""The side of Keras 3: `keras.layers.LSTM` twice, `keras.optimizers.RMSprop`.

The backend is that of $KERAS_BACKEND. Features stay in memory, scaled and stacked, an
epoch is `model.fit` of the arrays put in its order. Options: `steps_per_execution` and
`jit_compile` as in Keras, `unroll` and `use_cudnn` as its layer has them.
"""

import keras
import numpy as np

from benchmarks.peers import protocol, spoken


@keras.saving.register_keras_serializable("spoken")
class MeanOfTrue(keras.layers.Layer):
    """Of h over the true frames."""

    def call(self, h, true):
        """(batch, frames, width) → (batch, width)."""
        true = keras.ops.expand_dims(true, -1)
        return keras.ops.sum(h * true, 1) / keras.ops.sum(true, 1)


def model_of(drawn, shape, **options):
    """As `spoken` has it, with these weights."""
    weights = spoken.weights(drawn)
    frames, true = keras.Input(shape), keras.Input(shape[:1])
    h = frames
    for again in weights.again:
        layer = keras.layers.LSTM(again.shape[0], return_sequences=True, **options)
        h = keras.layers.Dropout(spoken.DROPOUT)(layer(h))
    outputs = keras.layers.Dense(spoken.OUTPUTS)(MeanOfTrue()(h, true))
    model = keras.Model([frames, true], outputs)
    model.set_weights([*drawn, np.zeros(spoken.OUTPUTS, np.float32)])
    return model


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    keras.utils.set_random_seed(assignment.seed)
    train, test = spoken.data(assignment.data)
    (frames, true), judged = spoken.stacked(train), spoken.stacked(test)
    diary.mark("data")
    start = protocol.start(assignment)
    options = dict(assignment.options)
    layer = {k: options.pop(k) for k in ("unroll", "use_cudnn") if k in options}
    model = model_of(start.weights, frames.shape[1:], **layer)
    model.compile(
        keras.optimizers.RMSprop(
            assignment.learning_rate,
            rho=assignment.decay,
            epsilon=assignment.eps**2,
            global_clipnorm=spoken.CLIP_NORM,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **options,
    )
    diary.mark("ready")

    def train_epoch(epoch):
        order = start.orders[epoch]
        model.fit(
            [frames[order], true[order]],
            train.label[order],
            batch_size=assignment.batch_size,
            shuffle=False,
            verbose=0,
        )

    def judge():
        logits = model.predict([*judged], batch_size=500, verbose=0)
        return protocol.judged(logits, test.label)

    at_first = judge()
    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print(at_first=at_first, backend=keras.backend.backend())


if __name__ == "__main__":
    main()
