"""A small corpus in LibriSpeech's layout, in which each letter is a tone of its own."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
LETTERS = " 'ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTER = 0.12  # seconds
_ROUND = 1.0  # seconds, of which lengths are multiples: few lengths, few compilations


def sound(text, rng, rate=RATE):
    """float32 in [-1, 1]: tones with a little silence after each."""
    parts = [np.zeros(int(0.1 * rate))]
    for letter in text:
        count = int(_LETTER * rng.uniform(0.9, 1.2) * rate)
        pitch = 250 * 1.13 ** LETTERS.index(letter) * rng.uniform(0.99, 1.01)
        tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(count) / rate)
        loud = 0 if letter == " " else np.hanning(count) ** 0.5
        parts += [loud * tone, np.zeros(int(0.03 * rate))]
    wave = np.concatenate(parts)
    wave = np.pad(wave, (0, -len(wave) % int(_ROUND * rate)))
    return (wave + 0.003 * rng.standard_normal(len(wave))).astype(np.float32)


def sentence(rng, words=(1, 2), letters="ABCDE"):
    """Of so many words, each of one to four letters."""
    made = [
        "".join(rng.choice(list(letters), rng.integers(1, 5)))
        for _ in range(rng.integers(words[0], words[1] + 1))
    ]
    return " ".join(made)


def chapter(folder, speaker, number, texts, rng):
    """One chapter: its FLAC files and its transcripts."""
    folder = Path(folder) / str(speaker) / str(number)
    folder.mkdir(parents=True)
    lines = []
    for i, text in enumerate(texts):
        name = f"{speaker}-{number}-{i:04d}"
        soundfile.write(folder / f"{name}.flac", sound(text, rng), RATE)
        lines.append(f"{name} {text}\n")
    (folder / f"{speaker}-{number}.trans.txt").write_text("".join(lines))
    return folder


def part(folder, speakers, chapters=2, count=4, seed=0, **options):
    """A part such as train-clean-100: speakers, their chapters and utterances."""
    rng = np.random.default_rng(seed)
    for speaker in speakers:
        for number in range(chapters):
            texts = [sentence(rng, **options) for _ in range(count)]
            chapter(folder, speaker, 1000 + number, texts, rng)
    return Path(folder)


def corpus(folder, count=4, chapters=2, **options):
    """Two parts to learn from, one to test, below `LibriSpeech`."""
    root = Path(folder) / "LibriSpeech"
    options = {"chapters": chapters, "count": count, **options}
    part(root / "train-clean-100", (84, 121), seed=1, **options)
    part(root / "train-other-500", (61, 908), seed=2, **options)
    part(root / "test-clean", (237,), seed=3, **options)
    part(root / "dev-clean", (251,), seed=4, **options)
    return Path(folder)
