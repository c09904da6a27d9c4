"""The task librispeech: what its model sees, what is measured, and what it says."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import soundfile
import speech_made
from waves_made import tone

from rmsprop_jax.train.data import librispeech, utterances
from rmsprop_jax.train.streamed import prepared
from rmsprop_jax.train.tasks import TASKS, heard
from rmsprop_jax.train.tasks import librispeech as task_module
from rmsprop_jax.train.tasks.task import Reading
from rmsprop_jax.train.training_command import parse

TASK = TASKS["librispeech"]
inputs, measures_of = jax.jit(TASK.inputs), jax.jit(TASK.measures)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("made") / "part"
    return speech_made.part(made, (3, 14, 15), chapters=1, count=3)


def outputs_of(texts, steps=40):
    """Outputs that say each text for certain, every letter in two steps."""
    path = np.zeros((len(texts), steps), int)
    for row, text in zip(path, texts, strict=True):
        for k, letter in enumerate(text):
            row[3 * k : 3 * k + 2] = librispeech.SYMBOLS.index(letter) + 1
    return 50 * jax.nn.one_hot(path, TASK.outputs)


def test_measured_are_mistakes_for_each_letter_and_each_word():
    said = ["THE CAT", "THE CAT", "A", "IT'S"]
    found = ["THE CAT", "TH CAT", "", "ITS A"]
    letters = np.stack([utterances.letters_of(text, 8) for text in said])
    measures = measures_of(outputs_of(found), {"letters": jnp.asarray(letters)})
    assert measures["error"][0].tolist() == [0, 1, 1, 3]
    assert measures["error"][1].tolist() == [7, 7, 1, 4]
    assert measures["word_error"][0].tolist() == [0, 1, 1, 2]
    assert measures["word_error"][1].tolist() == [2, 2, 1, 1]
    assert set(measures) == set(TASK.reported)
    assert float(measures["loss"][0][0]) < 0.01 < float(measures["loss"][0][1])


def test_what_is_said_has_letters_and_spaces_with_and_without_a_beam():
    outputs = np.asarray(outputs_of(["IT'S ME"])[0])
    for beam in (None, 4):
        assert TASK.said(outputs, beam=beam)["answer"] == "IT'S ME"


def test_in_memory_is_what_is_streamed(folder):
    streams, loaded = TASK.stream(folder), TASK.load(folder)
    for source, arrays in zip(streams[:2], loaded.parts, strict=True):
        assert len(source.bucket) == len(arrays["length"])
        for i, bucket in enumerate(source.bucket):
            read = source.read(i, int(bucket))
            seen = inputs({name: x[None] for name, x in read.items()})
            count = int(seen.length[0])
            assert arrays["length"][i] == count
            found = arrays["frames"][i]
            np.testing.assert_allclose(found[:count], seen.frames[0, :count], atol=4e-3)
            assert not found[count:].any()
            said = arrays["letters"][i]
            assert (said[said >= 0] == read["letters"][read["letters"] >= 0]).all()
    again = inputs({k: jnp.asarray(x) for k, x in loaded.test.items()})
    assert again.frames.dtype == jnp.float32


def test_what_does_not_fit_in_memory_is_refused_before_it_is_read(folder, monkeypatch):
    monkeypatch.setattr(task_module, "_MOST_BYTES", 10_000)
    monkeypatch.setattr(utterances.Utterances, "read", None)
    with pytest.raises(
        ValueError, match=r"9 utterances of . seconds .* --data-dir with"
    ):
        TASK.load(folder)


def test_utterances_with_more_letters_than_steps_are_left_out_and_counted(
    folder, tmp_path
):
    shutil.copytree(folder, tmp_path / "part")
    path = tmp_path / "part/3/1000/3-1000.trans.txt"
    lines = path.read_text().splitlines()
    samples = soundfile.info(path.parent / "3-1000-0000.flac").frames
    steps = -(-(1 + (samples - 400) // 160) // 4)
    assert steps == 25
    # Two of the same want a step between them.
    fits, not_quite = "AB" * 12 + "A", "AB" * 11 + "CDD"
    for text, left in ((fits, 9), (not_quite, 8)):
        path.write_text("\n".join([f"3-1000-0000 {text}", *lines[1:]]))
        train, test, said, _ = TASK.stream(tmp_path / "part")
        assert len(train.bucket) + len(test.bucket) == left
        assert ("1 utterance left out" in " ".join(said)) == (left == 8)


def test_a_corpus_that_changed_is_known_before_anything_compiles(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "part")
    before = TASK.stream(tmp_path / "part").about
    assert TASK.stream(tmp_path / "part").about == before
    path = tmp_path / "part/3/1000/3-1000.trans.txt"
    path.write_text(path.read_text().replace("3-1000-0000 ", "3-1000-0000 A "))
    after = TASK.stream(tmp_path / "part").about
    assert after.keys() == before.keys()
    assert after != before

    def refused(about):
        assert about == after
        raise ValueError("other data")

    config = parse(["--task", "librispeech", "--data-dir", str(tmp_path / "part")])
    with pytest.raises(ValueError, match="other data"), prepared(config, TASK, refused):
        pass


def test_silence_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(16_000), 16_000)
    with pytest.raises(ValueError, match=r"a\.flac: expected speech, something above"):
        TASK.examples(tmp_path / "a.flac", Reading())


@pytest.mark.parametrize("rate", [16_000, 44_100, 8000])
def test_a_file_is_heard_as_the_data_are_whatever_its_rate_and_channels(tmp_path, rate):
    path = tmp_path / "a.wav"
    sound = tone(1.5, 440, rate=rate)
    soundfile.write(path, np.stack([sound, sound], axis=1), rate, subtype="FLOAT")
    found, names = TASK.examples(path, Reading())
    assert names == [str(path)]
    assert (found["wave"].dtype, found["wave"].shape) == (np.int16, (1, 64_000))
    assert found["samples"].tolist() == [24_000]
    expected = 2**15 * tone(1.5, 440, rate=16_000)
    # Before and after it, there is nothing to resample from.
    inner = slice(200, 23_800)
    assert abs(found["wave"][0, inner] - expected[inner]).max() < 100
    assert not found["wave"][0, 24_000:].any()


def test_sound_that_is_none_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    with pytest.raises(ValueError, match=r"a\.wav: expected sound, it has no samples"):
        TASK.examples(path, Reading())
    path.write_text("no")
    with pytest.raises(ValueError, match=r"a\.wav: expected sound, as WAV or FLAC: "):
        TASK.examples(path, Reading())
    with pytest.raises(FileNotFoundError, match=r"b\.wav: there is no such file"):
        TASK.examples(tmp_path / "b.wav", Reading())


def test_the_picture_is_of_the_shortest_and_has_letters_where_they_were_heard(
    folder, tmp_path, monkeypatch
):
    shown = []
    monkeypatch.setattr(
        heard.alignment_picture, "alignments", lambda *a, **k: shown.append((a, k))
    )
    source = TASK.stream(folder).train
    answers = np.full((len(source.spoken), 60), -1)
    letters = utterances.letters_of(source.spoken[0].text, 30)
    count = int((letters >= 0).sum())
    answers[0, 3 : 3 + 2 * count : 2] = letters[:count]
    TASK.draw(tmp_path, source, answers, np.ones(len(answers)))
    ((examples, seconds, path), options) = shown[0]
    assert (seconds, path.name) == (0.01, "alignments.png")
    assert options == {"called": "short recordings"}
    lengths = [len(one.features) for one in examples]
    assert lengths == sorted(lengths)
    right = [one for one in examples if one.heard]
    assert ["".join(one.heard) for one in right] == [source.spoken[0].text]
    np.testing.assert_allclose(right[0].heard_at[:2], [0.12, 0.20])
    blocks = (tmp_path / "transcripts.txt").read_text().split("\n\n")
    assert blocks[-1].startswith(f"{source.spoken[0].name}: 0 mistakes")
