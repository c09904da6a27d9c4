"""From a share for each symbol in each frame to what was said.

CTC: Graves, Fernández, Gomez and Schmidhuber (2006), "Connectionist Temporal
Classification". A path has one class for each frame; of it one reads what is left when
repetitions are merged and then blanks, class 0, taken out. Class k + 1 is symbol k.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BLANK = 0


class Transcript(NamedTuple):
    """Symbols in their order, and the logarithm of how likely they are."""

    symbols: tuple[int, ...]
    log_probability: float


def best_path(outputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What the likeliest class of each frame reads as, and how likely that path is.

    For use inside `jit`.

    Args:
        outputs: (batch, frames, classes), before the softmax.

    Returns:
        int32 of (batch, frames), a symbol at the frame where it begins and −1
        elsewhere; float32 of (batch,).

    Example:
        >>> path = jnp.array([[0, 3, 3, 0, 3, 1]])
        >>> best_path(50 * jax.nn.one_hot(path, 4))[0].tolist()
        [[-1, 2, -1, -1, 2, 0]]
    """
    path = outputs.argmax(axis=-1).astype(jnp.int32)
    before = jnp.pad(path[:, :-1], ((0, 0), (1, 0)), constant_values=BLANK)
    begins = (path != BLANK) & (path != before)
    shares = jax.nn.log_softmax(outputs.astype(jnp.float32)).max(axis=-1)
    return jnp.where(begins, path - 1, -1), jnp.exp(shares.sum(axis=-1))


def beam_search(outputs: np.ndarray, beam: int) -> list[Transcript]:
    """The likeliest transcripts, the first one first, by the sum over their paths.

    A prefix beam search: after each frame the `beam` likeliest beginnings are kept,
    each with the share of its paths that end in a blank and of those that do not. With
    a beam that holds every beginning, it is exact.

    Args:
        outputs: (frames, classes), before the softmax.
        beam: How many beginnings.

    Raises:
        ValueError: If there are no beginnings, or the outputs have another shape.

    Example:
        >>> half = np.log([[0.6, 0.4], [0.6, 0.4]])  # one symbol, blank the likelier
        >>> [(x.symbols, round(float(np.exp(x.log_probability)), 2))
        ...  for x in beam_search(half, 2)]
        [((0,), 0.64), ((), 0.36)]
    """
    if beam < 1:
        raise ValueError(f"beam={beam}: expected 1 or more.")
    if outputs.ndim != 2:
        raise ValueError(
            f"outputs of shape {outputs.shape}: expected (frames, classes) of one "
            "recording."
        )
    # By beginning: log shares of its paths that end in a blank, and in its last symbol.
    beams: dict[tuple[int, ...], list[float]] = {(): [0.0, -math.inf]}
    for frame in _log_softmax(outputs):
        grown = _grown(beams, frame.tolist())
        likeliest = sorted(grown, key=lambda x: -_sum(*grown[x]))[:beam]
        beams = {symbols: grown[symbols] for symbols in likeliest}
    return [Transcript(symbols, _sum(*shares)) for symbols, shares in beams.items()]


def _grown(beams, frame):
    """The beginnings after one more frame, whose log shares these are."""
    grown: dict[tuple[int, ...], list[float]] = {}

    def add(symbols, which, share):
        shares = grown.setdefault(symbols, [-math.inf, -math.inf])
        shares[which] = _sum(shares[which], share)

    for symbols, (blank, symbol) in beams.items():
        either = _sum(blank, symbol)
        add(symbols, 0, either + frame[BLANK])
        for k, share in enumerate(frame[1:]):
            if symbols and symbols[-1] == k:
                add(symbols, 1, symbol + share)  # goes on
                add((*symbols, k), 1, blank + share)  # comes again, after a blank
            else:
                add((*symbols, k), 1, either + share)
    return grown


def _sum(a, b):
    """log(eᵃ + eᵇ)."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _log_softmax(outputs):
    x = outputs.astype(np.float64)
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
