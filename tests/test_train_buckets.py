"""Lengths to pad to, and batches of one length."""

from itertools import combinations

import numpy as np
import pytest

from rmsprop_jax.train.data import buckets


def padded(lengths, bounds):
    return sum(min(b for b in bounds if b >= length) for length in lengths)


@pytest.mark.parametrize("seed", range(8))
def test_the_lengths_are_those_that_pad_least(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 40, rng.integers(1, 14))
    most = int(rng.integers(1, 5))
    found = buckets.bounds(lengths, most)
    longest, others = max(lengths), sorted(set(lengths.tolist()))
    least = min(
        padded(lengths, chosen)
        for count in range(1, most + 1)
        for chosen in combinations(others, min(count, len(others)))
        if longest in chosen
    )
    assert padded(lengths, found) == least
    assert len(found) <= most
    assert (np.diff(found) > 0).all()


def test_of_many_lengths_six_are_chosen_and_hold_all():
    lengths = np.random.default_rng(0).integers(20_000, 500_000, 30_000)
    bounds = buckets.bounds(lengths)
    assert len(bounds) == buckets.MOST == 6
    assert bounds[-1] == lengths.max()
    # Evenly spread, six pad a twelfth of the range.
    waste = bounds[np.searchsorted(bounds, lengths)].sum() / lengths.sum() - 1
    assert waste < 0.2


@pytest.fixture
def bucket():
    return np.random.default_rng(5).choice([0, 1, 3], 103, p=[0.2, 0.5, 0.3])


def plan(bucket, epoch=0, seed=0):
    return buckets.of_epoch(bucket, 8, np.random.default_rng([seed, epoch]))


def test_an_epoch_has_as_many_batches_as_can_be_and_no_example_twice(bucket):
    examples = plan(bucket).examples
    assert examples.shape == (103 // 8, 8)
    assert len(np.unique(examples)) == examples.size


def test_no_example_is_in_a_bucket_too_short_and_few_in_one_too_long(bucket):
    examples, at = plan(bucket)
    own = bucket[examples]
    assert (own <= at[:, None]).all()
    # What is left of a bucket, less than a batch, goes with the next longer one.
    assert (own < at[:, None]).sum() < 8 * 2
    assert (own == at[:, None]).all(axis=1).sum() >= len(at) - 2


def test_an_epoch_is_the_same_each_time_and_another_epoch_or_seed_is_another(bucket):
    assert (plan(bucket).examples == plan(bucket).examples).all()
    for other in (plan(bucket, epoch=1), plan(bucket, seed=1)):
        assert (plan(bucket).examples != other.examples).any()


def test_batches_are_not_in_the_order_of_their_lengths(bucket):
    assert (np.diff(plan(bucket).buckets) < 0).any()


def test_who_goes_with_whom_is_drawn(bucket):
    assert (np.diff(plan(bucket).examples, axis=1) < 0).any(axis=1).all()


def test_those_left_out_of_an_epoch_are_any(bucket):
    out = {
        int(bucket[i])
        for epoch in range(10)
        for i in set(range(103)) - set(plan(bucket, epoch).examples.ravel().tolist())
    }
    assert out == {0, 1, 3}


@pytest.mark.parametrize("count", [1, 7, 8, 103])
def test_all_are_each_example_once_and_the_last_batch_is_filled_up(bucket, count):
    examples, at = buckets.of_all(bucket[:count], 8)
    found = examples[examples >= 0]
    assert sorted(found.tolist()) == list(range(count))
    assert (examples[:-1] >= 0).all()
    assert examples[-1][0] >= 0
    assert (bucket[:count][found] <= np.repeat(at, 8)[: len(found)]).all()
