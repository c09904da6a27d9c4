"""What is random in a training depends on seed and step, and on nothing else."""

import jax
import numpy as np
import pytest
from train_runs import same, trained

from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.train.training_command import parse


@pytest.fixture(scope="module")
def strong():
    """Dropout, augmentation, batch normalization, an average of the weights."""
    text = "--task digits --model strong --epochs 2 --devices 1"
    config = resolve(parse(text.split()), "digits", "strong")
    with jax.numpy_rank_promotion("allow"):
        return Training(config, TASKS["digits"])


def first_loss(one, step):
    """The loss of the first batch of the first epoch, as if at `step`."""
    state = one.start()
    moved = jax.device_put(np.int32(step), state.step.sharding)
    return means(one.advance(state._replace(step=moved), 0, step + 1).row)["loss"]


def test_the_length_of_the_chunks_changes_no_bit_of_a_random_training(strong):
    once = trained(strong, [6])
    assert once.average is not None
    assert jax.tree.leaves(once.stats)
    assert same(once, trained(strong, [1, 4, 6]))
    assert not same(once.stats, trained(strong, [5]).stats)


def test_each_step_draws_anew(strong):
    later = strong.pace.steps_per_epoch
    assert first_loss(strong, 0) == first_loss(strong, 0)
    assert first_loss(strong, 0) != first_loss(strong, later)
