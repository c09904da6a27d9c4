"""Beside TensorFlow 1's RMSProp, with the checkpoints that TensorFlow writes."""

import conv_problem as problem
import jax.numpy as jnp
import numpy as np
import pytest

from rmsprop_jax.interop import tf1

tf = pytest.importorskip("tensorflow", reason="needs TensorFlow, extra parity")
pytestmark = pytest.mark.parity
v1 = tf.compat.v1


class Graph:
    """The conv net of `conv_problem` in a graph of TensorFlow 1, with its training."""

    def __init__(self):
        h = problem.HYPERPARAMS
        self.graph = tf.Graph()
        with self.graph.as_default(), v1.variable_scope("net"):
            v1.set_random_seed(0)
            self.x = v1.placeholder(tf.float32, (None, 8, 8, 2))
            self.y = v1.placeholder(tf.int32, (None,))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                self.y, self.logits(self.x)
            )
            optimizer = v1.train.RMSPropOptimizer(
                h["learning_rate"], h["decay"], h["momentum"], h["eps"], centered=True
            )
            step = v1.train.get_or_create_global_step()
            self.loss = tf.reduce_mean(losses)
            self.train = optimizer.minimize(self.loss, global_step=step)
            self.saver = v1.train.Saver()
            self.variables = {v.op.name: v for v in v1.global_variables()}
            self.session = v1.Session()
            self.session.run(v1.global_variables_initializer())

    @staticmethod
    def logits(x):
        def layer(name, x, shape, function, *args):
            width = shape[-1] * (shape[-2] if name == "depthwise" else 1)
            with v1.variable_scope(name):
                w = v1.get_variable("w", shape)
                b = v1.get_variable("b", (width,), initializer=tf.zeros_initializer())
            return function(x, w, *args) + b

        x = tf.tanh(layer("conv", x, (3, 3, 2, 6), tf.nn.conv2d, 1, "VALID"))
        strides = (1, 1, 1, 1), "VALID"
        x = layer("depthwise", x, (3, 3, 6, 2), tf.nn.depthwise_conv2d, *strides)
        x = tf.reshape(tf.nn.avg_pool2d(tf.tanh(x), 2, 2, "VALID"), (-1, 48))
        x = tf.tanh(layer("hidden", x, (48, 10), tf.matmul))
        return layer("out", x, (10, 4), tf.matmul)

    def trained(self, batches):
        """The parameters after every step, and the loss before."""
        path, fetched = [], {k: v for k, v in self.variables.items() if v.trainable}
        for batch in batches:
            feed = {self.x: problem.X[batch], self.y: problem.Y[batch]}
            loss, _ = self.session.run((self.loss, self.train), feed)
            path.append(problem.row(self.session.run(fetched), loss))
        return np.stack(path)

    def saved(self, prefix):
        with self.graph.as_default():
            return self.saver.save(self.session, str(prefix), 200)

    def assign(self, values):
        with self.graph.as_default():
            for name, variable in self.variables.items():
                variable.load(values[name], self.session)


def test_a_conv_net_goes_on_beside_tensorflow_and_then_in_it(tmp_path):
    """200 steps there, 200 in both, and 50 more there from our state."""
    split = problem.BEFORE + problem.BESIDE
    one, like = Graph(), problem.like()
    one.trained(problem.BATCHES[: problem.BEFORE])
    checkpoint = one.saved(tmp_path / "model.ckpt")
    theirs = one.trained(problem.BATCHES[problem.BEFORE : split])

    params = tf1.params(checkpoint, like)
    tx, state = tf1.load(checkpoint, like, **problem.HYPERPARAMS)
    exact, noise, params, state, wrong = problem.continue_beside(tx, state, params)

    two = Graph()
    values = tf1.dump(tx, state, params, checkpoint)
    assert set(values) == set(two.variables)
    two.assign(values)
    after = two.trained(problem.BATCHES[split:])
    assert two.session.run(two.variables["net/global_step"]) == len(problem.BATCHES)

    theirs = np.concatenate([theirs, after])
    assert len(theirs) == 250
    assert problem.gaps(theirs, exact, noise).max() < 1
    assert problem.loss_gaps(theirs, exact, noise).max() < 1
    assert min(wrong.values()) > 10, wrong


def stepped(optimizer, apply):
    """A module whose two variables made three steps."""
    module = tf.Module()
    module.w = tf.Variable(np.ones((2, 3), np.float32), name="w")
    module.b = tf.Variable(np.ones(3, np.float32), name="b")
    for _ in range(3):
        apply(optimizer, [(module.w * 2, module.w), (module.b * 3, module.b)])
    return module


PARAMS = {"model": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}}


def assert_slots(state, optimizer, module):
    for leaf, variable in (("kernel", module.w), ("bias", module.b)):
        rms, momentum, mg = (
            optimizer.get_slot(variable, name).numpy()
            for name in ("rms", "momentum", "mg")
        )
        at = lambda slot, leaf=leaf: np.asarray(slot["model"][leaf])  # noqa: E731
        np.testing.assert_array_equal(at(state.trace), momentum)
        np.testing.assert_array_equal(at(state.mu), mg)
        exact = rms.astype(np.float64) - mg.astype(np.float64) ** 2
        np.testing.assert_array_equal(at(state.nu), exact.astype(np.float32))


def test_an_object_based_checkpoint_holds_the_slots_of_the_live_optimizer(tmp_path):
    optimizer = v1.train.RMSPropOptimizer(0.1, momentum=0.5, centered=True)
    module = stepped(optimizer, lambda o, pairs: o.apply_gradients(pairs))
    saved = tf.train.Checkpoint(model=module, optimizer=optimizer)
    prefix = saved.save(str(tmp_path / "object"))
    for source in (prefix, tmp_path, tf.train.load_checkpoint(prefix)):
        state = tf1.load(source, PARAMS, learning_rate=0.1, momentum=0.5)[1]
        assert_slots(state, optimizer, module)


def test_a_checkpoint_of_legacy_keras_holds_its_numbers_too(tmp_path):
    tf_keras = pytest.importorskip("tf_keras", reason="extra parity")
    optimizer = tf_keras.optimizers.legacy.RMSprop(
        0.125, rho=0.75, momentum=0.5, centered=True
    )
    module = stepped(optimizer, lambda o, pairs: o.apply_gradients(pairs))
    saved = tf.train.Checkpoint(model=module, optimizer=optimizer)
    state = tf1.load(saved.save(str(tmp_path / "keras")), PARAMS)[1]
    assert_slots(state, optimizer, module)
    assert int(state.count) == 3
    assert [float(x) for x in state.hyperparams[:4]] == [
        0.125,
        0.25,
        np.float32(1e-7),
        0.5,
    ]


def test_a_checkpoint_that_is_not_whole_is_refused(tmp_path):
    optimizer = v1.train.RMSPropOptimizer(0.1)
    module = stepped(optimizer, lambda o, pairs: o.apply_gradients(pairs))
    saved = tf.train.Checkpoint(model=module, optimizer=optimizer)
    prefix = saved.save(str(tmp_path / "object"))
    data = tmp_path / "object-1.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:40])
    for source in (prefix, tmp_path / "nothing-1"):
        with pytest.raises(ValueError, match="cannot be read, is it whole"):
            tf1.load(source, PARAMS, learning_rate=0.1)
