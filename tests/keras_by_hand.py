"""Files and optimizers as Keras makes them, made by hand: Keras is not needed."""

import io
import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np

PARAMS = {
    "fc": {"bias": jnp.zeros(3), "kernel": jnp.zeros((2, 3))},
    "out": {"bias": jnp.zeros(4), "kernel": jnp.zeros((3, 4))},
}
# In Keras' order: layer by layer, the kernel first.
ORDER = ["fc/kernel", "fc/bias", "out/kernel", "out/bias"]
SHAPES = [(2, 3), (3,), (3, 4), (4,)]
CONFIG = {
    "name": "rmsprop",
    "learning_rate": 0.125,
    "weight_decay": None,
    "use_ema": False,
    "rho": 0.75,
    "momentum": 0.5,
    "epsilon": 1e-3,
    "centered": True,
}


def slot(value, shapes=SHAPES):
    return [np.full(shape, value + i, np.float32) for i, shape in enumerate(shapes)]


def variables(*blocks, steps=7, rate=0.25):
    head = [np.asarray(steps), np.asarray(rate, np.float32)]
    return [*head, *(x for block in blocks for x in block)]


NU, TRACE, MU = slot(20.0), slot(-3.0), slot(0.5)
FULL = variables(NU, TRACE, MU)


def weights(file, arrays):
    import h5py

    with h5py.File(file, "w") as root:
        for i, x in enumerate(arrays):
            root[f"optimizer/vars/{i}"] = x
    return file


def archive(file, arrays, config=CONFIG, kind="RMSprop", module="keras.optimizers"):
    optimizer = {"module": module, "class_name": kind, "config": config}
    buffer = io.BytesIO()
    weights(buffer, arrays)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(
            "config.json", json.dumps({"compile_config": {"optimizer": optimizer}})
        )
        z.writestr("model.weights.h5", buffer.getvalue())
    return file


def legacy(file, arrays, names, config=CONFIG, kind="RMSprop", chunks=1):
    import h5py

    with h5py.File(file, "w") as root:
        group = root.create_group("optimizer_weights")
        for name, x in zip(names, arrays, strict=True):
            group[name] = x
        for i, part in enumerate(np.array_split(np.array(names, "S"), chunks)):
            group.attrs["weight_names" if chunks == 1 else f"weight_names{i}"] = part
        settings = {"optimizer_config": {"class_name": kind, "config": config}}
        root.attrs["training_config"] = json.dumps(settings)
    return file


class Variable:
    """As Keras' variables are, as far as it matters."""

    def __init__(self, value, path):
        self.value, self.path = np.array(value), path
        self.shape, self.dtype = self.value.shape, self.value.dtype

    def numpy(self):
        return self.value

    def assign(self, value):
        assert (value.shape, value.dtype) == (self.shape, self.dtype)
        self.value = value


class RMSprop:
    """As Keras 3's optimizer is, with 7 steps behind it."""

    def __init__(self, shapes=SHAPES, order=ORDER, excluded=(), **settings):
        self.config = {**CONFIG, **settings}
        made = {
            "average": self.config["use_ema"],
            "gradient_accumulator": self.config.get("gradient_accumulation_steps"),
            "velocity": True,
            "momentum": self.config["momentum"],
            "average_gradient": self.config["centered"],
        }
        values = dict(zip(made, (99.0, 55.0, 20.0, -3.0, 0.5), strict=True))
        names = ["iteration", "learning_rate"]
        paths = [path.replace("/", "_") for path in order]
        kinds = [kind for kind, there in made.items() if there]
        names += [f"rmsprop/net_{path}_{kind}" for kind in kinds for path in paths]
        arrays = variables(*(slot(values[kind], shapes) for kind in kinds))
        self.variables = list(map(Variable, arrays, names))
        trained = [f"net/{path}" for path in order]
        self._trainable_variables = list(map(Variable, slot(0.0, shapes), trained))
        self.excluded = excluded

    def get_config(self):
        return self.config

    def _use_weight_decay(self, variable):
        return not variable.path.endswith(tuple(self.excluded))

    @property
    def learning_rate(self):
        return self.variables[1].value

    @learning_rate.setter
    def learning_rate(self, value):
        self.variables[1].value = np.asarray(value, np.float32)

    def held(self):
        return {v.path: v.value.copy() for v in self.variables}

    def emptied(self):
        """Itself, built and without a step."""
        for variable in self.variables:
            variable.value = np.zeros_like(variable.value)
        return self


def by_path(tree):
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(p, simple=True, separator="/"): x for p, x in leaves}


def assert_slot(tree, expected):
    got = by_path(tree)
    assert list(got) == sorted(ORDER)
    for path, x in zip(ORDER, expected, strict=True):
        np.testing.assert_array_equal(got[path], x)


def assert_full(state, count=7):
    """The state holds what FULL holds."""
    assert int(state.count) == count
    assert_slot(state.nu, [v - m**2 for v, m in zip(NU, MU, strict=True)])
    assert_slot(state.mu, MU)
    assert_slot(state.trace, TRACE)
