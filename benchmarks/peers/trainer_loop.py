"""How this trainer's programs go through an epoch, as `rmsprop-jax train` does."""

from rmsprop_jax.train.training import means


def following(training, state, steps):
    """What trains so many steps of an epoch, and what judges: accuracy, loss.

    Steps go on to each row of the metrics, which is fetched.
    """
    log_every = training.config.running.log_every

    def train_epoch(epoch):
        nonlocal state
        step = epoch * training.pace.steps_per_epoch
        end = step + steps
        while step < end:
            stop = min(end, step - step % log_every + log_every)
            state = training.advance(state, step, stop)
            step = stop
            means(state.row)

    def judge():
        said = means(training.evaluate(state, "test").totals)
        return said["accuracy"], said["loss"]

    return train_epoch, judge
