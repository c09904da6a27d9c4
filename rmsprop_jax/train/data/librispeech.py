"""LibriSpeech's layout: SPEAKER/CHAPTER/*.flac, and *.trans.txt with what was said.

Panayotov, Chen, Povey and Khudanpur (2015), openslr.org/12, CC BY 4.0: read aloud, cut
into utterances, 16 kHz. Any corpus in the same layout will do.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.data import flac, places
from rmsprop_jax.wording import first_few

NAME = "LibriSpeech"
RATE = 16_000
SYMBOLS = " 'ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET = frozenset(SYMBOLS)
# Which part of the corpus is for testing: the first of them that is there.
_TESTED = ("test-clean", "test-other", "dev-clean", "dev-other")
_FLAC = "*.[fF][lL][aA][cC]"
_LAYOUT = "SPEAKER/CHAPTER/*.flac and *.trans.txt"


class Utterance(NamedTuple):
    """What somebody said, once.

    Attributes:
        name: Such as 84-121123-0000.
        path: Of the FLAC file.
        samples: How many it has.
        text: What was said, of `SYMBOLS`.
        md5: Of its sound.
    """

    name: str
    path: str
    samples: int
    text: str
    md5: str


class Corpus(NamedTuple):
    """What there is to learn from and to test, and a line that says which is which."""

    train: list[Utterance]
    test: list[Utterance]
    said: str


def load(data_dir: str | Path | None = None) -> Corpus:
    """All utterances, by the headers of their files; no sound is read.

    Looked for in `data_dir`, and without it in $RMSPROP_JAX_DATA. Of a folder with
    LibriSpeech's parts, all of `train-*` is learned from. Of one that is itself such a
    part, a tenth of the speakers are for testing, the same ones each time.

    Raises:
        ValueError: If there are no utterances, or some that cannot be used; names the
            first few files and says what is expected.
    """
    folder = _folder(data_dir)
    parts = {path.name: path for path in _folders(folder)}
    train = [parts[name] for name in parts if name.startswith("train-")]
    tested = next((name for name in _TESTED if name in parts), None)
    if train and tested:
        learned = " and ".join(path.name for path in train)
        said = f"{folder}: learns from {learned}; tested on {tested}."
        spoken = _utterances(train), _utterances([parts[tested]])
        names = [{one.name for one in part} for part in spoken]
        if both := sorted(names[0] & names[1]):
            raise ValueError(
                f"data_dir='{folder}': {len(both):,} utterances are in {learned} and "
                f"in {tested}, such as {both[0]}; what was learned tests nothing. Take "
                "them out of one."
            )
        return Corpus(*spoken, said)
    if train or tested:
        absent = "test-clean or dev-clean" if train else "train-clean-100"
        raise ValueError(
            f"data_dir='{folder}': expected {absent} beside {', '.join(parts)}. Or "
            f"name one part alone, such as {next(iter(parts.values()))}: some of its "
            "speakers are for testing then."
        )
    return _by_speakers(folder, list(parts))


def digest(spoken: Sequence[Utterance]) -> str:
    """The sha256 of what was said, how it sounded, and in which order."""
    lines = (f"{one.name} {one.md5} {one.text}\n" for one in spoken)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _by_speakers(folder: Path, speakers: list[str]) -> Corpus:
    spoken = _utterances([folder])
    of = [Path(one.path).parts[-3] for one in spoken]
    speakers = [who for who in speakers if who in set(of)]
    if len(speakers) < 2:
        raise ValueError(
            f"data_dir='{folder}': expected two speakers or more, one of them for "
            f"testing; found {len(speakers)}."
        )
    order = np.random.default_rng(0).permutation(len(speakers))
    tested = {speakers[i] for i in order[: max(1, len(speakers) // 10)]}
    train = [one for one, who in zip(spoken, of, strict=True) if who not in tested]
    test = [one for one, who in zip(spoken, of, strict=True) if who in tested]
    named = ", ".join(first_few(sorted(tested)))
    said = f"{folder}: {len(tested)} of {len(speakers)} speakers for testing: {named}."
    return Corpus(train, test, said)


def _folder(data_dir: str | Path | None) -> Path:
    """Where the corpus is."""
    if data_dir is None and places.from_environment() is None:
        where = f"data_dir=None: expected it, or ${places.VARIABLE},"
    else:
        given = Path(data_dir or places.from_environment() or "").expanduser()
        for folder in (given, given / NAME):
            if _is_corpus(folder):
                return folder
        where = f"data_dir='{given}': expected a folder"
        if not given.is_dir():
            where = f"data_dir='{given}': there is no such folder; expected one"
    raise ValueError(
        f"{where} with {NAME}'s parts (train-clean-100, test-clean, ...), or such a "
        f"part, {_LAYOUT}. openslr.org/12 has them, up to 60 GB: download what you "
        "want and unpack it there; nothing is downloaded here."
    )


def _is_corpus(folder: Path) -> bool:
    parts = (f"{part}-*/*/*/*.trans.txt" for part in ("train", "dev", "test"))
    for below in (f"*/*/{_FLAC}", "*/*/*.trans.txt", *parts):
        if next(folder.glob(below), None) is not None:
            return True
    return False


def _utterances(parts: Sequence[Path]) -> list[Utterance]:
    """Those of all chapters, in the order of their names."""
    chapters = [
        chapter
        for part in parts
        for speaker in _folders(part)
        for chapter in _folders(speaker)
    ]
    # Most of the time is waiting for the disk.
    with ThreadPoolExecutor(8) as pool:
        found = [one for each in pool.map(_chapter, chapters) for one in each]
    wrong = [one for one in found if isinstance(one, str)]
    if wrong or not found:
        files = "".join(f"\n  {line}" for line in first_few(wrong))
        raise ValueError(
            f"{', '.join(map(str, parts))}: {len(wrong):,} of {len(found):,} cannot "
            f"be used:{files}\nExpected for each file one channel of {RATE} "
            "samples a second, as `ffmpeg -i FILE -ac 1 -ar 16000 OUT.flac` makes it, "
            "and a line in its chapter's *.trans.txt: its name and what was said, in "
            "letters A to Z, apostrophes and spaces. Repair these, or leave them out."
        )
    return [one for one in found if isinstance(one, Utterance)]


def _chapter(folder: Path) -> list[Utterance | str]:
    """Its utterances; in place of one that cannot be used, what is wrong with it."""
    files = {path.stem: path for path in sorted(folder.glob(_FLAC))}
    lines = list(_lines(folder))
    texts = dict(lines)
    said = Counter(name for name, _ in lines)
    found: list[Utterance | str] = [
        f"{folder / name}.flac: it has {count} transcripts"
        for name, count in said.items()
        if count > 1
    ]
    found += [
        f"{folder / name}.flac: there is a transcript and no such file"
        for name in sorted(texts.keys() - files.keys())
    ]
    for name, path in files.items():
        wrong = _wrong_text(texts.get(name))
        try:
            header = flac.header(path)
        except (ValueError, OSError) as error:
            found.append(f"{path}: {error}")
            continue
        wrong = wrong or _wrong_sound(header)
        found.append(
            f"{path}: {wrong}"
            if wrong
            else Utterance(name, str(path), header.samples, texts[name], header.md5)
        )
    return found


def _lines(chapter: Path) -> Iterator[tuple[str, str]]:
    """Names and transcripts, in capitals and with single spaces."""
    for path in sorted(chapter.glob("*.trans.txt")):
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            words = line.split()
            if words:
                yield words[0], " ".join(words[1:]).upper()


def _wrong_text(text: str | None) -> str | None:
    if text is None:
        return "it has no transcript"
    if not text:
        return "its transcript is empty"
    others = sorted(set(text) - _ALPHABET)
    return f"its transcript has {others[0]!r}" if others else None


def _wrong_sound(header: flac.Header) -> str | None:
    if header.rate != RATE:
        return f"{header.rate} samples a second"
    if header.channels != 1:
        return f"{header.channels} channels"
    return None if header.samples else "its header does not say how many samples"


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = sorted(one.name for one in entries if one.is_dir())
    return [folder / name for name in names if not name.startswith(".")]
