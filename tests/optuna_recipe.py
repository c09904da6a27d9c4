"""The README's recipe: Optuna chooses, `set_hyperparams` sets, one compilation."""

import jax
import jax.numpy as jnp
import optax
import optuna

from rmsprop_jax import rmsprop, set_hyperparams

xs = jax.random.normal(jax.random.key(0), (50, 32, 4))
tx = rmsprop(1e-3, momentum=0.9)  # built once: its numbers live in the state
start = jnp.zeros(4)


@jax.jit
def train(state):
    def step(carry, x):
        w, state = carry
        loss = lambda w: jnp.mean((x @ w - jnp.sin(x.sum(1))) ** 2)  # noqa: E731
        value, grads = jax.value_and_grad(loss)(w)
        updates, state = tx.update(grads, state, w)
        return (optax.apply_updates(w, updates), state), value

    return jax.lax.scan(step, (start, state), xs)[1][-1]


def objective(trial):
    numbers = {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
        "decay": trial.suggest_float("decay", 0.8, 0.999),
        "momentum": trial.suggest_float("momentum", 0.0, 0.95),
    }
    return float(train(set_hyperparams(tx.init(start), **numbers)))


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=20)
