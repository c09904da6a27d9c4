"""What Keras does, written to a folder: `python -m record_keras FOLDER`.

A process of its own, because Keras chooses its backend when it is imported. Shares
its tables with `test_interop_keras`, which reads the folder.
"""

import os
import sys
from functools import partial
from pathlib import Path

import conv_problem as problem
import numpy as np
import optax

from rmsprop_jax.interop import keras as interop

BEFORE, STEPS, RATE, EPS = 4, 12, 0.05, 1e-3
SCHEDULE = {"initial_learning_rate": RATE, "decay_steps": 2, "decay_rate": 0.75}
THREE, TWO, LEGACY = GENERATIONS = "keras", "tf_keras", "tf_keras_legacy"
# Constructor arguments of an RMSprop, and the generations of Keras that have them.
VARIANTS = {
    "plain": ({}, GENERATIONS),
    "momentum": ({"momentum": 0.9}, GENERATIONS),
    "centered": ({"centered": True, "rho": 0.8}, GENERATIONS),
    "both": ({"momentum": 0.9, "centered": True}, GENERATIONS),
    "schedule": ({"learning_rate": SCHEDULE}, GENERATIONS),
    "decay": ({"weight_decay": 0.1}, (THREE, TWO)),
    "averages": ({"use_ema": True, "momentum": 0.9}, (THREE, TWO)),
    "accumulated": ({"gradient_accumulation_steps": 2, "momentum": 0.5}, (THREE,)),
}
ENDINGS = {
    THREE: ("keras", "weights.h5", "h5", "ckpt"),
    TWO: ("keras", "weights.h5", "h5", "ckpt"),
    LEGACY: ("h5",),
}
CONV = {name: problem.HYPERPARAMS[name] for name in ("learning_rate", "momentum")}
CONV |= {"rho": 0.9, "epsilon": problem.HYPERPARAMS["eps"], "centered": True}


def gradients():
    """Of alternating signs, so that no variance is small beside its E[g²]."""
    rng = np.random.default_rng(1)
    shapes = [(2, 3), (3,), (3, 2), (2,)]
    return [
        [(-1) ** i * rng.uniform(0.2, 1, s).astype(np.float32) for s in shapes]
        for i in range(BEFORE + STEPS)
    ]


def small_model(keras):
    layers = [keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2, name="out")]
    return keras.Sequential([keras.Input((2,)), *layers], name="net")


def optimizer_of(keras, generation, settings):
    settings = {"learning_rate": RATE, "epsilon": EPS, **settings}
    if isinstance(settings["learning_rate"], dict):
        schedule = keras.optimizers.schedules.ExponentialDecay(**SCHEDULE)
        settings["learning_rate"] = schedule
    space = keras.optimizers.legacy if generation == LEGACY else keras.optimizers
    return space.RMSprop(**settings)


def values(model):
    return [np.asarray(variable) for variable in model.trainable_variables]


def apply(optimizer, model, grads):
    import tensorflow as tf

    pairs = zip(map(tf.constant, grads), model.trainable_variables, strict=True)
    optimizer.apply_gradients(pairs)


def check_in(optimizer, prefix):
    import tensorflow as tf

    tf.train.Checkpoint(optimizer=optimizer).write(str(prefix))


def record_variant(folder, keras, generation, variant):
    """Files after some steps; the path from there; what dump makes of a new one."""
    settings = VARIANTS[variant][0]
    model = small_model(keras)
    optimizer = optimizer_of(keras, generation, settings)
    model.compile(optimizer, "mse")
    grads, path = gradients(), []
    for g in grads[:BEFORE]:
        apply(optimizer, model, g)
    stem = f"{generation}-{variant}"
    for ending in ENDINGS[generation]:
        save = {"weights.h5": model.save_weights, "ckpt": partial(check_in, optimizer)}
        save.get(ending, model.save)(folder / f"{stem}.{ending}")
    start = values(model)
    dumped = twin_of(keras, generation, settings, model, optimizer)
    for g in grads[BEFORE:]:
        apply(optimizer, model, g)
        apply(*reversed(dumped), g)
        path.append([*values(model), *values(dumped[0])])
    path = {f"path{i}": np.stack(x) for i, x in enumerate(zip(*path, strict=True))}
    start = {f"start{i}": x for i, x in enumerate(start)}
    np.savez(folder / f"{stem}.npz", **path, **start)


def twin_of(keras, generation, settings, model, optimizer):
    """A second model and optimizer, filled by way of ours."""
    other = small_model(keras)
    new = optimizer_of(keras, generation, settings)
    apply(new, other, gradients()[0])  # the way to build a legacy one
    like = {"hidden": {"kernel": 0, "bias": 0}, "out": {"kernel": 0, "bias": 0}}
    names = [f"{layer}/{kind}" for layer in like for kind in ("kernel", "bias")]
    for name, x in zip(names, values(model), strict=True):
        layer, kind = name.split("/")
        like[layer][kind] = x
    params = interop.params(model.trainable_variables, like)
    rate = RATE * SCHEDULE["decay_rate"] ** 2 if "learning_rate" in settings else None
    ignore = ["use_ema", "gradient_accumulation_steps"]
    tx, state = interop.load(optimizer, params, learning_rate=rate, ignore=ignore)
    interop.assign(params, other.trainable_variables)
    interop.dump(tx, state, params, new)
    return other, new


def record_excluded(folder, keras):
    """Weight decay that leaves out the biases: only the live optimizer knows."""
    model = small_model(keras)
    optimizer = optimizer_of(keras, THREE, {"weight_decay": 1.0})
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    grads = gradients()
    for g in grads[:BEFORE]:
        apply(optimizer, model, g)
    arrays = values(model)
    names = [variable.path for variable in model.trainable_variables]
    params = dict(zip(names, arrays, strict=True))
    tx, state = interop.load(optimizer, params)
    ours, theirs = [], []
    for g in grads[BEFORE:]:
        apply(optimizer, model, g)
        updates, state = tx.update(dict(zip(names, g, strict=True)), state, params)
        params = optax.apply_updates(params, updates)
        ours.append(problem.row(params))
        theirs.append(problem.row(dict(zip(names, values(model), strict=True))))
    start = problem.row(dict(zip(names, arrays, strict=True)))
    np.savez(folder / "excluded.npz", ours=ours, theirs=theirs, start=start)


def record_conv(folder, keras):
    """The conv net: Keras alone, Keras beside ours, Keras going on from ours."""
    import tensorflow as tf

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, activation="tanh", name="conv"),
            layers.DepthwiseConv2D(
                3, depth_multiplier=2, activation="tanh", name="depthwise"
            ),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="tanh", name="hidden"),
            layers.Dense(4, name="out"),
        ],
        name="net",
    )
    variables = model.trainable_variables

    def trained(optimizer, batches):
        @tf.function
        def step(x, y):
            with tf.GradientTape() as tape:
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
                loss = tf.reduce_mean(losses)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
            return loss

        path = []
        for batch in batches:
            loss = np.asarray(step(problem.X[batch], problem.Y[batch]))
            path.append(problem.row({v.path: np.asarray(v) for v in variables}, loss))
        return np.stack(path)

    like = problem.like()
    optimizer = keras.optimizers.RMSprop(**CONV)
    optimizer.build(variables)
    trained(optimizer, problem.BATCHES[: problem.BEFORE])
    params = interop.params(variables, like)
    tx, state = interop.load(optimizer, params)
    split = problem.BEFORE + problem.BESIDE
    theirs = trained(optimizer, problem.BATCHES[problem.BEFORE : split])

    exact, noise, params, state, wrong = problem.continue_beside(tx, state, params)
    optimizer = keras.optimizers.RMSprop(**CONV)
    optimizer.build(variables)
    interop.assign(params, variables)
    interop.dump(tx, state, params, optimizer)
    after = trained(optimizer, problem.BATCHES[split:])
    np.savez(
        folder / "conv.npz",
        exact=exact,
        noise=noise,
        theirs=np.concatenate([theirs, after]),
        **wrong,
    )


def main(folder):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tf_keras

    for generation in GENERATIONS:
        module = keras if generation == THREE else tf_keras
        for variant, (_, generations) in VARIANTS.items():
            if generation in generations:
                module.utils.set_random_seed(0)
                record_variant(folder, module, generation, variant)
    keras.utils.set_random_seed(0)
    record_excluded(folder, keras)
    record_conv(folder, keras)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
