"""The task of transcribing speech: LibriSpeech, letter by letter, read from disk."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.audio import features, sound_files, waves
from rmsprop_jax.train.audio.augmentation import augment
from rmsprop_jax.train.audio.features import WIDE
from rmsprop_jax.train.config import Learning
from rmsprop_jax.train.data import buckets, librispeech, utterances
from rmsprop_jax.train.data.dataset import LEARNED, Arrays, Dataset
from rmsprop_jax.train.data.librispeech import Utterance
from rmsprop_jax.train.data.streaming import Streams
from rmsprop_jax.train.data.utterances import Utterances
from rmsprop_jax.train.recurrent import STACKED, Sequence
from rmsprop_jax.train.tasks import heard, transcribing
from rmsprop_jax.train.tasks.task import Augment, Batch, Reading, Task
from rmsprop_jax.train.tasks.transcribing import Transcribing
from rmsprop_jax.wording import counted

_TEXT = Transcribing("letters", librispeech.SYMBOLS, librispeech.SYMBOLS.index(" "))
_LOUDEST = 2**15
# Most utterances are no longer: 16 seconds.
_FRAMES = 1600
# What sweeps and comparisons hold on the device, and how many become features at once.
_MOST_BYTES, _TOGETHER = 2 * 10**9, 16
# Files for `predict` are padded to multiples of it, for few compilations.
_ROUND = 4 * WIDE.rate


def _spoken(
    data_dir: Path | None,
) -> tuple[Utterances, Utterances, list[str], dict[str, str]]:
    """The corpus as `Streams` has it."""
    corpus = librispeech.load(data_dir)
    train, test = (_fitting(part) for part in (corpus.train, corpus.test))
    left_out = len(corpus.train) + len(corpus.test) - len(train) - len(test)
    said = [corpus.said]
    if left_out:
        said.append(
            f"{counted(left_out, 'utterance')} left out: more letters than CTC has "
            "steps."
        )
    if not train or not test:
        raise ValueError(f"{' '.join(said)} None are left to learn or to test.")
    about = {
        LEARNED: librispeech.digest(train),
        "sha256 of test": librispeech.digest(test),
    }
    return *utterances.bucketed(train, test), said, about


def _fitting(spoken: list[Utterance]) -> list[Utterance]:
    """Those with a step for each letter, and one between two of the same."""

    def fits(one: Utterance) -> bool:
        steps = -(-features.frames_of(one.samples, WIDE) // STACKED)
        pairs = zip(one.text, one.text[1:], strict=False)
        return steps >= len(one.text) + sum(a == b for a, b in pairs)

    return [one for one in spoken if fits(one)]


def _load(data_dir: Path | None) -> Dataset:
    """All of it as features, padded to the longest: for what stays on the device."""
    train, test, said, about = _spoken(data_dir)
    longest = features.frames_of(int(train.samples[-1]), WIDE)
    count = len(train.spoken) + len(test.spoken)
    size = 2 * count * longest * WIDE.bands
    if size > _MOST_BYTES:
        raise ValueError(
            f"{said[0]} Sweeps and comparisons hold all of it on the device: "
            f"{count:,} utterances of {longest / 100:.0f} seconds are {size / 1e9:.1f} "
            f"GB, expected at most {_MOST_BYTES / 1e9:.0f}. Pass --data-dir with fewer "
            "or shorter ones; `train` reads any number from disk."
        )
    parts = _in_memory(train, longest), _in_memory(test, longest)
    return Dataset(*parts, about, tuple(said))


def _in_memory(source: Utterances, longest: int) -> Arrays:
    count, inputs = len(source.bucket), jax.jit(_heard)
    letters = int(source.letters[-1])
    found = {
        "frames": np.zeros((count, longest, WIDE.bands), np.float16),
        "length": np.zeros(count, np.int32),
        "letters": np.stack(
            [utterances.letters_of(x.text, letters) for x in source.spoken]
        ),
    }
    plan = buckets.of_all(source.bucket, _TOGETHER)
    for numbers, bucket in zip(plan.examples, plan.buckets, strict=True):
        read = [source.read(max(0, int(i)), int(bucket)) for i in numbers]
        seen = inputs({k: np.stack([one[k] for one in read]) for k in read[0]})
        true = numbers >= 0
        shape = seen.frames.shape[1]
        found["frames"][numbers[true], :shape] = np.asarray(seen.frames)[true]
        found["length"][numbers[true]] = np.asarray(seen.length)[true]
    return found


def _heard(batch: Batch) -> Sequence:
    if "frames" in batch:
        return Sequence(batch["frames"].astype(jnp.float32), batch["length"])
    wave = batch["wave"].astype(jnp.float32) / _LOUDEST
    return Sequence(*features.log_mel(wave, batch["samples"], WIDE))


def _augmented(learning: Learning) -> Augment | None:
    masks = learning.masks or 0
    if not masks:
        return None
    return lambda key, x: augment(key, x, shift=0, masks=masks)


def _examples(path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    del reading
    sound = sound_files.read(path, WIDE.rate)
    waves.refuse_silence(sound, path, "speech")
    wave = np.zeros((1, -(-len(sound) // _ROUND) * _ROUND), np.int16)
    wave[0, : len(sound)] = np.clip(np.rint(_LOUDEST * sound), -_LOUDEST, _LOUDEST - 1)
    return {
        "wave": wave,
        "samples": np.array([len(sound)], np.int32),
        # The loss, which nobody asks for here, is of this letter.
        "letters": np.zeros((1, 1), np.int32),
    }, [str(path)]


def _draw(
    folder: Path, test: Utterances, answers: np.ndarray, sure: np.ndarray
) -> None:
    heard.transcripts(folder / "transcripts.txt", test, answers, _TEXT)
    heard.alignments(folder / "alignments.png", test, answers, sure, _TEXT, _heard)


TASKS = (
    Task(
        name="librispeech",
        input_shape=(_FRAMES, WIDE.bands),
        outputs=1 + len(librispeech.SYMBOLS),
        models=("lstm", "gru"),
        small_model="lstm",
        headline="loss",
        load=_load,
        inputs=_heard,
        losses=_TEXT.losses,
        measures=_TEXT.measured,
        reported=_TEXT.reported,
        answers=transcribing.answers,
        examples=_examples,
        said=_TEXT.said,
        draw=_draw,
        augmented=_augmented,
        idle=("label_smoothing", "shift", "rotate", "target_accuracy"),
        unit="utterances",
        each_frame=True,
        stream=lambda data_dir: Streams(*_spoken(data_dir)),
    ),
)
