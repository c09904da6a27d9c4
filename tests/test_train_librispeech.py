"""LibriSpeech's layout: what is found in it, and what is refused."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import speech_made

from rmsprop_jax.train.data import flac, librispeech, utterances


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return speech_made.corpus(tmp_path_factory.mktemp("made"), count=2)


@pytest.fixture
def part(tmp_path):
    """A folder of speakers, to be spoilt."""
    return speech_made.part(tmp_path / "mine", (3, 14, 159), chapters=1, count=2)


def names(spoken):
    return [one.name for one in spoken]


def test_parts_below_the_folder_or_its_librispeech_are_learned_from_and_tested(made):
    corpus = librispeech.load(made)
    assert corpus == librispeech.load(made / "LibriSpeech")
    assert names(corpus.train)[:3] == [
        "121-1000-0000",
        "121-1000-0001",
        "121-1001-0000",
    ]
    assert {name.split("-")[0] for name in names(corpus.train)} == {
        "84", "121", "61", "908",
    }  # fmt: skip
    assert len(corpus.train) == 16
    assert {name.split("-")[0] for name in names(corpus.test)} == {"237"}
    for words in ("train-clean-100 and train-other-500", "tested on test-clean"):
        assert words in corpus.said


def test_the_environment_names_the_folder_where_nothing_else_does(made, monkeypatch):
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(made))
    assert librispeech.load() == librispeech.load(made)


def test_what_is_learned_from_is_not_tested(made, tmp_path):
    shutil.copytree(made / "LibriSpeech", tmp_path / "a")
    shutil.copytree(tmp_path / "a/test-clean/237", tmp_path / "a/train-clean-100/237")
    with pytest.raises(
        ValueError, match=r"utterances are in train.* and in test-clean"
    ):
        librispeech.load(tmp_path / "a")


def test_a_folder_without_speech_is_no_speaker(part):
    before = librispeech.load(part)
    for name in ("0", "500", "notes"):
        (part / name).mkdir()
    assert librispeech.load(part) == before


def test_a_byte_order_mark_is_no_part_of_a_name(part):
    before = librispeech.load(part)
    path = part / "14/1000/14-1000.trans.txt"
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert librispeech.load(part) == before


def test_another_sound_is_another_corpus(part):
    train = librispeech.load(part).train
    before = librispeech.digest(train)
    sound, rate = soundfile.read(train[0].path)
    soundfile.write(train[0].path, sound[::-1], rate)
    after = librispeech.load(part).train
    assert [one.samples for one in after] == [one.samples for one in train]
    assert librispeech.digest(after) != before


def test_without_test_clean_another_part_is_for_testing(made, tmp_path):
    shutil.copytree(made / "LibriSpeech", tmp_path / "a")
    shutil.rmtree(tmp_path / "a/test-clean")
    corpus = librispeech.load(tmp_path / "a")
    assert "tested on dev-clean" in corpus.said
    assert {name.split("-")[0] for name in names(corpus.test)} == {"251"}
    shutil.rmtree(tmp_path / "a/dev-clean")
    with pytest.raises(ValueError, match="expected test-clean or dev-clean beside tr"):
        librispeech.load(tmp_path / "a")


def test_of_one_part_alone_some_speakers_are_for_testing_the_same_each_time(part):
    corpus = librispeech.load(part)
    tested = {name.split("-")[0] for name in names(corpus.test)}
    learned = {name.split("-")[0] for name in names(corpus.train)}
    assert len(tested) == 1
    assert tested | learned == {"3", "14", "159"}
    assert not tested & learned
    assert f"1 of 3 speakers for testing: {tested.pop()}" in corpus.said
    assert librispeech.load(part) == corpus


def test_what_was_said_is_in_capitals_with_single_spaces(part):
    path = part / "3/1000/3-1000.trans.txt"
    path.write_text("3-1000-0000   it's  Me \n\n3-1000-0001 A\n")
    spoken = librispeech.load(part)
    texts = {one.name: one.text for one in [*spoken.train, *spoken.test]}
    assert texts["3-1000-0000"] == "IT'S ME"


def spoil(part, how):
    """One file made unusable; what is said of it."""
    folder = part / "14/1000"
    path, lines = folder / "14-1000-0001.flac", folder / "14-1000.trans.txt"
    first = lines.read_text().splitlines()[0]
    sound = soundfile.read(path)[0]
    if how == "missing transcript":
        lines.write_text(first + "\n")
        return path, "it has no transcript"
    if how == "no transcripts at all":
        lines.unlink()
        return path, "it has no transcript"
    if how == "empty transcript":
        lines.write_text(f"{first}\n14-1000-0001  \n")
        return path, "its transcript is empty"
    if how == "other letters":
        lines.write_text(f"{first}\n14-1000-0001 CAFÉ\n")
        return path, "its transcript has 'É'"
    if how == "broken text":
        lines.write_bytes(f"{first}\n14-1000-0001 A".encode() + b"\xff\n")
        return path, "its transcript has '\ufffd'"
    if how == "two transcripts":
        lines.write_text(f"{lines.read_text()}\n14-1000-0001 ANOTHER\n")
        return path, "it has 2 transcripts"
    if how == "transcript without sound":
        path.unlink()
        return path, "there is a transcript and no such file"
    if how == "odd rate":
        soundfile.write(path, sound, 22050)
        return path, "22050 samples a second"
    if how == "stereo":
        soundfile.write(path, np.stack([sound, sound], axis=1), 16_000)
        return path, "2 channels"
    if how == "no sound":
        header = bytearray(path.read_bytes())
        header[21:26] = bytes([header[21] & 0xF0, 0, 0, 0, 0])
        path.write_bytes(header)
        return path, "its header does not say how many samples"
    path.write_bytes(b"" if how == "empty file" else b"RIFF" + bytes(80))
    return path, "no FLAC file, it begins with"


SPOILT = [
    "missing transcript",
    "no transcripts at all",
    "empty transcript",
    "other letters",
    "broken text",
    "two transcripts",
    "transcript without sound",
    "odd rate",
    "stereo",
    "no sound",
    "empty file",
    "another format",
]


@pytest.mark.parametrize("how", SPOILT)
def test_a_file_that_cannot_be_used_is_named_with_what_is_expected(part, how):
    path, words = spoil(part, how)
    with pytest.raises(ValueError, match="cannot be used") as error:
        librispeech.load(part)
    assert f"\n  {path}: {words}" in str(error.value)
    for words in ("one channel of 16000 samples", "letters A to Z", "leave them out"):
        assert words in str(error.value)


def test_of_many_such_files_a_few_are_named_and_all_counted(part):
    for path in part.rglob("*.trans.txt"):
        path.write_text("")
    for name in "abc":
        shutil.copytree(part / "3", part / name)
    with pytest.raises(ValueError, match="12 of 12 cannot be used") as error:
        librispeech.load(part)
    assert str(error.value).count("it has no transcript") == 5
    assert "and 7 more" in str(error.value)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (None, "there is no such folder; expected one with LibriSpeech's parts"),
        ("", r"expected a folder with LibriSpeech's parts .* openslr.org/12 has them"),
        ("LibriSpeech/README", "expected a folder with LibriSpeech's parts"),
    ],
)
def test_a_folder_without_a_corpus_is_refused(tmp_path, there, message):
    folder = tmp_path / "data"
    if there is not None:
        (folder / there).mkdir(parents=True)
    with pytest.raises(ValueError, match=f"data_dir='{folder}': {message}"):
        librispeech.load(folder)


def test_nobody_is_asked_for_it_where_no_folder_is_named(monkeypatch):
    monkeypatch.delenv("RMSPROP_JAX_DATA", raising=False)
    with pytest.raises(ValueError, match=r"data_dir=None: expected it, or \$RMSPROP"):
        librispeech.load()


def test_one_speaker_alone_is_refused(tmp_path):
    folder = speech_made.part(tmp_path / "a", (3,), chapters=1, count=1)
    with pytest.raises(ValueError, match="expected two speakers or more"):
        librispeech.load(folder)


def test_the_header_says_what_a_decoder_finds(part):
    path = next(part.rglob("*.flac"))
    sound, rate = soundfile.read(path)
    md5 = hashlib.md5((sound * 2**15).astype("<i2").tobytes()).hexdigest()
    assert flac.header(path) == (rate, 1, len(sound), md5)
    soundfile.write(path, np.zeros((4097, 2)), 192_000, subtype="PCM_24")
    assert flac.header(path)[:3] == (192_000, 2, 4097)


def test_names_in_capitals_and_24_bits_are_no_other_corpus(part):
    before = librispeech.load(part)
    spoken = [*before.train, *before.test]
    capital, deep = spoken[0].path, spoken[1].path
    sound, rate = soundfile.read(deep)
    soundfile.write(deep, sound, rate, subtype="PCM_24")
    Path(capital).rename(Path(capital).with_suffix(".FLAC"))
    after = librispeech.load(part)
    assert {one.name for one in [*after.train, *after.test]} == {*names(spoken)}
    np.testing.assert_array_equal(
        flac.read(deep, spoken[1].samples), (sound * 2**15).astype(np.int16)
    )


@pytest.mark.parametrize("left", [0.5, 0.95])
def test_a_file_that_is_cut_off_is_named_when_it_is_read(part, left):
    path = next(part.rglob("*.flac"))
    samples = flac.header(path).samples
    assert flac.read(path, samples).dtype == np.int16
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data))])
    assert flac.header(path).samples == samples
    with pytest.raises(ValueError, match=rf"{path}: expected {samples:,} samples, as"):
        flac.read(path, samples)


def test_fewer_or_more_samples_than_expected_are_not_taken(part):
    path = next(part.rglob("*.flac"))
    samples = flac.header(path).samples
    for other in (samples - 1, samples + 1):
        with pytest.raises(ValueError, match=f"expected {other:,} samples"):
            flac.read(path, other)


def test_utterances_are_padded_with_silence_and_no_letters(made):
    corpus = librispeech.load(made)
    train, test = utterances.bucketed(corpus.train, corpus.test)
    assert (train.samples == test.samples).all()
    assert len(train.samples) <= 6
    for i, one in enumerate(corpus.train):
        last = len(train.samples) - 1
        for bucket in {int(train.bucket[i]), last}:
            found = train.read(i, bucket)
            assert found["wave"].shape == (train.samples[bucket],)
            assert found["samples"] == one.samples
            sound = soundfile.read(one.path, dtype="int16")[0]
            np.testing.assert_array_equal(found["wave"][: len(sound)], sound)
            assert not found["wave"][len(sound) :].any()
            letters = found["letters"]
            assert letters.shape == (train.letters[bucket],)
            said = [librispeech.SYMBOLS[k] for k in letters if k >= 0]
            assert "".join(said) == one.text
            assert (letters[len(one.text) :] == -1).all()


def test_a_bucket_has_room_for_the_letters_of_shorter_ones():
    def one(samples, text):
        return librispeech.Utterance("", "", samples, text, "")

    spoken = [one(1000, "LONG AND FAST"), one(2000, "SLOW"), one(3000, "S")]
    found, _ = utterances.bucketed(spoken, spoken[:1])
    assert found.samples.tolist() == [1000, 2000, 3000]
    assert found.letters.tolist() == [13, 13, 13]
    assert found.part(1, 3).bucket.tolist() == [1, 2]
