"""What tasks share in which the answer is a transcript: CTC, mistakes, and words.

An example has its transcript as the places of its symbols, −1 after the last.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.train.audio.decoding import beam_search, best_path
from rmsprop_jax.train.audio.edit_distance import (
    edit_distance,
    word_count,
    word_distance,
)
from rmsprop_jax.train.tasks.task import Answers, Batch, Measures

_SHOWN = 5  # of the transcripts that a beam search finds


@dataclass(frozen=True)
class Transcribing:
    """Transcripts of some symbols.

    Attributes:
        name: Of the transcripts among the arrays of a batch.
        symbols: As text, in their order; the model gives a blank before them.
        space: Which of them is between words, if there are words.
    """

    name: str
    symbols: str
    space: int | None = None

    @property
    def reported(self) -> tuple[str, ...]:
        """The measures; few transcripts of words are without a mistake."""
        return ("loss", "error", "accuracy" if self.space is None else "word_error")

    def losses(self, outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
        """−log of the transcript's share, by CTC, for each symbol of it."""
        del smoothing
        spoken = batch[self.name]
        # Frames past the end are blank for certain, and cost nothing.
        losses = optax.ctc_loss(
            outputs,
            jnp.zeros(outputs.shape[:2], outputs.dtype),
            spoken + 1,
            (spoken < 0).astype(jnp.float32),
        )
        # Of zeros of its own, Optax makes float64 where JAX's default is.
        return losses.astype(jnp.float32) / jnp.maximum(self._counts(batch), 1)

    def measured(self, outputs: jax.Array, batch: Batch) -> Measures:
        """Loss; mistakes for each symbol; and for each word, or whole transcripts."""
        losses = self.losses(outputs, batch, 0.0)
        heard, spoken = best_path(outputs)[0], batch[self.name]
        mistakes = edit_distance(heard, spoken)
        measures = {
            "loss": (losses, jnp.ones_like(losses)),
            "error": (mistakes.astype(jnp.float32), self._counts(batch)),
        }
        if self.space is None:
            whole = (mistakes == 0).astype(jnp.float32)
            return measures | {"accuracy": (whole, jnp.ones_like(whole))}
        wrong = word_distance(heard, spoken, self.space).astype(jnp.float32)
        words = word_count(spoken, self.space).astype(jnp.float32)
        return measures | {"word_error": (wrong, words)}

    def _counts(self, batch: Batch) -> jax.Array:
        spoken = batch[self.name]
        return (spoken >= 0).sum(axis=1, dtype=jnp.int32).astype(jnp.float32)

    def text(self, places: Any) -> str:
        """What is written, of places; negative ones are none."""
        return "".join(self.symbols[place] for place in places if place >= 0)

    def said(self, outputs: np.ndarray, beam: int | None = None) -> dict[str, Any]:
        """The transcript and its share; with a beam, those of others too."""
        if beam is None:
            places, shares = best_path(jnp.asarray(outputs)[None])
            text = self.text(places[0].tolist())
            return {"answer": text, "confidence": float(shares[0])}
        found = beam_search(outputs, beam)[:_SHOWN]
        named = {self.text(x.symbols): float(np.exp(x.log_probability)) for x in found}
        first = next(iter(named))
        return {"answer": first, "confidence": named[first], "shares": named}


def answers(outputs: jax.Array) -> Answers:
    """The best path, and how likely it is."""
    return Answers(*best_path(outputs))
