"""What was heard of utterances beside what was said: as text, and as a picture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rmsprop_jax.files import write_text
from rmsprop_jax.train.audio import alignment_picture
from rmsprop_jax.train.audio.edit_distance import edit_distance
from rmsprop_jax.train.audio.features import WIDE
from rmsprop_jax.train.data import utterances
from rmsprop_jax.train.data.utterances import Utterances
from rmsprop_jax.train.recurrent import STACKED
from rmsprop_jax.train.tasks.transcribing import Transcribing

# Drawn are some of the shortest: a page has no place for the letters of the others.
_DRAWN = 24
_SECONDS = WIDE.hop / WIDE.rate


def transcripts(
    path: Path, source: Utterances, answers: np.ndarray, written: Transcribing
) -> None:
    """Every utterance, said and heard, the one with most mistakes a letter first."""
    most = int(source.letters[-1])
    said = [utterances.letters_of(one.text, most) for one in source.spoken]
    mistakes = np.asarray(jax.jit(edit_distance)(answers, np.stack(said)))
    counts = [len(one.text) for one in source.spoken]
    blocks = []
    for i in np.argsort(-mistakes / counts, kind="stable"):
        one = source.spoken[i]
        blocks.append(
            f"{one.name}: {mistakes[i]} mistakes, {counts[i]} letters\n"
            f"  said:  {one.text}\n  heard: {written.text(answers[i])}\n"
        )
    write_text(path, "\n".join(blocks))


def alignments(
    path: Path,
    source: Utterances,
    answers: np.ndarray,
    confidence: np.ndarray,
    written: Transcribing,
    inputs: Callable[[Any], Any],
) -> None:
    """Some of the shortest utterances, and when each letter was heard."""
    inputs = jax.jit(inputs)
    shortest = np.argsort([one.samples for one in source.spoken], kind="stable")

    def aligned(i: int) -> alignment_picture.Aligned:
        one = source.spoken[i]
        read = source.read(i, int(source.bucket[i]))
        seen = inputs({name: x[None] for name, x in read.items()})
        return alignment_picture.Aligned(
            features=np.asarray(seen.frames)[0, : int(seen.length[0])],
            said=list(one.text),
            said_at=None,
            heard=list(written.text(answers[i])),
            heard_at=STACKED * _SECONDS * np.flatnonzero(answers[i] >= 0),
            confidence=float(confidence[i]),
        )

    shown = [aligned(int(i)) for i in shortest[:_DRAWN]]
    alignment_picture.alignments(shown, _SECONDS, path, called="short recordings")
