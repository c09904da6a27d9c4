"""Tasks of speech in which several things are said: what, in their order."""

from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.audio import features, waves
from rmsprop_jax.train.data import digit_strings
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.recurrent import Sequence
from rmsprop_jax.train.tasks import transcribing
from rmsprop_jax.train.tasks.task import Batch, Reading, Task
from rmsprop_jax.train.tasks.transcribing import Transcribing

# So many frames are put side by side before the model stacks them again: at 12.5 steps
# a second a digit has about five.
_BESIDE = 2
_DIGITS = Transcribing("digits", "0123456789")


def _sequences(batch: Batch) -> Sequence:
    frames = batch["frames"].astype(jnp.float32)
    n, count, bands = frames.shape
    beside = frames.reshape(n, count // _BESIDE, _BESIDE * bands)
    return Sequence(beside, -(-batch["length"] // _BESIDE))


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
            said=list(_DIGITS.text(said)),
            said_at=test["begins"][i, said >= 0],
            heard=list(_DIGITS.text(heard)),
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
        losses=_DIGITS.losses,
        measures=_DIGITS.measured,
        reported=_DIGITS.reported,
        answers=transcribing.answers,
        examples=_examples,
        said=_DIGITS.said,
        draw=_draw,
        idle=("label_smoothing", "shift", "rotate", "masks"),
        unit="strings",
        each_frame=True,
    ),
)
