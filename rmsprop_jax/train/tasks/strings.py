"""Tasks of speech in which several things are said: what, in their order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.train.audio import features, waves
from rmsprop_jax.train.audio.decoding import beam_search, best_path
from rmsprop_jax.train.audio.edit_distance import edit_distance
from rmsprop_jax.train.data import digit_strings
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.recurrent import Sequence
from rmsprop_jax.train.tasks.task import Answers, Batch, Measures, Reading, Task

# So many frames are put side by side before the model stacks them again: at 12.5 steps
# a second a digit has about five.
_BESIDE = 2
_SHOWN = 5  # of the transcripts that a beam search finds


def _sequences(batch: Batch) -> Sequence:
    frames = batch["frames"].astype(jnp.float32)
    n, count, bands = frames.shape
    beside = frames.reshape(n, count // _BESIDE, _BESIDE * bands)
    return Sequence(beside, -(-batch["length"] // _BESIDE))


def _losses(outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
    """−log of the transcript's share, by CTC, for each digit of it."""
    del smoothing
    digits = batch["digits"]
    # Frames past the end are blank for certain, and cost nothing.
    losses = optax.ctc_loss(
        outputs,
        jnp.zeros(outputs.shape[:2]),
        digits + 1,
        (digits < 0).astype(jnp.float32),
    )
    return losses / jnp.maximum(_counts(batch), 1)


def _counts(batch: Batch) -> jax.Array:
    return (batch["digits"] >= 0).sum(axis=1, dtype=jnp.int32).astype(jnp.float32)


def _measured(outputs: jax.Array, batch: Batch) -> Measures:
    """Loss; mistakes for each digit; the share of strings without a mistake."""
    losses = _losses(outputs, batch, 0.0)
    mistakes = edit_distance(best_path(outputs)[0], batch["digits"])
    whole = (mistakes == 0).astype(jnp.float32)
    return {
        "loss": (losses, jnp.ones_like(losses)),
        "error": (mistakes.astype(jnp.float32), _counts(batch)),
        "accuracy": (whole, jnp.ones_like(whole)),
    }


def _answers(outputs: jax.Array) -> Answers:
    return Answers(*best_path(outputs))


def _text(symbols: Any) -> str:
    return "".join(str(symbol) for symbol in symbols if symbol >= 0)


def _said(outputs: np.ndarray, beam: int | None = None) -> dict[str, Any]:
    """The transcript and its share; with a beam, those of others too."""
    if beam is None:
        symbols, shares = best_path(jnp.asarray(outputs)[None])
        return {"answer": _text(symbols[0].tolist()), "confidence": float(shares[0])}
    found = beam_search(outputs, beam)[:_SHOWN]
    named = {_text(x.symbols): float(np.exp(x.log_probability)) for x in found}
    first = next(iter(named))
    return {"answer": first, "confidence": named[first], "shares": named}


def _examples(path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    del reading
    # As much silence at the ends as the data have, and frames as many or a multiple.
    wave = waves.speech(path, "spoken digits", margin=features.RATE // 5)
    most = digit_strings.FRAMES
    count = most * -(-features.frames_of(len(wave)) // most)
    frames, length = digit_strings.features_of([wave], count)
    # The loss, which nobody asks for here, is of these digits.
    nothing = np.full((1, digit_strings.MOST), -1)
    return {
        "frames": frames,
        "length": length,
        "digits": nothing.astype(np.int32),
        "begins": nothing.astype(np.float32),
    }, [str(path)]


def _draw(
    folder: Path,
    test: Mapping[str, np.ndarray],
    answers: np.ndarray,
    confidence: np.ndarray,
) -> None:
    from rmsprop_jax.train.audio import alignment_picture

    seconds = features.HOP / features.RATE
    # Of a frame of the answers, which are fewer.
    step = seconds * test["frames"].shape[1] / answers.shape[1]

    def aligned(i):
        said, heard = test["digits"][i], answers[i]
        return alignment_picture.Aligned(
            features=test["frames"][i, : test["length"][i]].astype(np.float32),
            said=list(_text(said)),
            said_at=test["begins"][i, said >= 0],
            heard=list(_text(heard)),
            heard_at=step * np.flatnonzero(heard >= 0),
            confidence=float(confidence[i]),
        )

    alignment_picture.alignments(
        [aligned(i) for i in range(len(answers))], seconds, folder / "alignments.png"
    )


TASKS = (
    Task(
        name="digit-strings",
        input_shape=(digit_strings.FRAMES // _BESIDE, _BESIDE * features.BANDS),
        outputs=11,
        models=("lstm", "gru"),
        small_model="lstm",
        headline="accuracy",
        load=digit_strings.load,
        inputs=_sequences,
        losses=_losses,
        measures=_measured,
        reported=("loss", "error", "accuracy"),
        answers=_answers,
        examples=_examples,
        said=_said,
        draw=_draw,
        idle=("label_smoothing", "shift", "rotate", "masks"),
        unit="strings",
        each_frame=True,
    ),
)
