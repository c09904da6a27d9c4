"""Batches of few shapes: which lengths examples are padded to, and who goes with whom.

Each length is a compilation, and what is padded is computed in vain: a few lengths are
chosen so that the padding is least.
"""

from typing import NamedTuple

import numpy as np

MOST = 6
# So many lengths, evenly spread over the examples, are considered.
_CANDIDATES = 256


class Plan(NamedTuple):
    """The batches of an epoch, in their order.

    Attributes:
        examples: (batches, batch size), the number of each.
        buckets: (batches,), the bucket of each batch.
    """

    examples: np.ndarray
    buckets: np.ndarray


def bounds(lengths: np.ndarray, most: int = MOST) -> np.ndarray:
    """At most so many lengths to pad to, those that pad least, ascending.

        Σᵢ (least bound ≥ lengthᵢ) is least, of all choices among 256 lengths

    Args:
        lengths: Of all examples; the longest is the last bound.
        most: How many bounds.

    Example:
        >>> bounds(np.array([3, 3, 4, 9, 10, 10, 30]), 3).tolist()
        [4, 10, 30]
    """
    places = np.linspace(0, len(lengths) - 1, min(_CANDIDATES, len(lengths)))
    ends = np.unique(np.sort(lengths)[np.ceil(places).astype(np.int64)])
    # How many examples are at most so long; before the first end there are none.
    counts = np.searchsorted(np.sort(lengths), np.r_[-1, ends], side="right")
    # cost[i, j]: examples beyond end i − 1, up to end j, all padded to end j.
    cost = (counts[None, 1:] - counts[:-1, None]) * ends[None, :].astype(np.float64)
    cost[np.tril_indices(len(ends), -1)] = np.inf
    best, chosen = cost[0], [[j] for j in range(len(ends))]
    for _ in range(min(most, len(ends)) - 1):
        total = best[:-1, None] + cost[1:]
        before = total.argmin(axis=0)
        better = total.min(axis=0) < best
        best = np.where(better, total.min(axis=0), best)
        chosen = [
            [*chosen[before[j]], j] if better[j] else chosen[j]
            for j in range(len(ends))
        ]
    return ends[chosen[-1]]


def of_epoch(bucket: np.ndarray, batch_size: int, rng: np.random.Generator) -> Plan:
    """A random order of full batches, each of examples of one bucket.

    Examples are drawn first, so that those left out, fewer than a batch, are any. What
    is left of a bucket goes with the next longer one: as many batches as there can be.

    Args:
        bucket: Of each example, its bucket.
        batch_size: Examples a batch.
        rng: All that is drawn comes from it.
    """
    count = len(bucket) // batch_size * batch_size
    plan = _cut(rng.permutation(len(bucket))[:count], bucket, batch_size)
    turns = rng.permutation(len(plan.buckets))
    return Plan(plan.examples[turns], plan.buckets[turns])


def of_all(bucket: np.ndarray, batch_size: int) -> Plan:
    """Every example once, the shorter ones first; in the last batch −1 is none."""
    spare = np.full(-len(bucket) % batch_size, -1)
    longest = np.full(len(spare), bucket.max())
    order = np.r_[np.arange(len(bucket)), spare]
    return _cut(order, np.r_[bucket, longest], batch_size)


def _cut(order: np.ndarray, bucket: np.ndarray, batch_size: int) -> Plan:
    """The examples of `order`, whole batches of them, bucket by bucket."""
    rows, buckets, left = [], [], order[:0]
    for now in range(int(bucket.max()) + 1):
        some = np.r_[left, order[bucket[order] == now]]
        full = len(some) // batch_size
        rows.append(some[: full * batch_size].reshape(full, batch_size))
        buckets.append(np.full(full, now))
        left = some[full * batch_size :]
    return Plan(np.concatenate(rows), np.concatenate(buckets))
