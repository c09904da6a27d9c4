"""The task librispeech from its files to a transcript, on a corpus of tones."""

import json
import os
import signal
import subprocess
import time

import numpy as np
import pytest
import soundfile
import speech_made
from test_train_processes import free_port
from test_train_streaming import gone
from train_runs import command, result, rows, run

pytestmark = pytest.mark.slow

OPTIONS = ["--task", "librispeech", "--hidden", "32"]
OPTIONS += ["--warmup", "0", "--learning-rate", "5e-3", "--ema", "0.95"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a corpus, and with what is compiled for it."""
    return speech_made.corpus(tmp_path_factory.mktemp("made"), count=40)


def options(made, *others, data=None, batch=8):
    cache = ["--compilation-cache", made / "cache"]
    own = ["--data-dir", data or made, "--batch-size", batch]
    return [*OPTIONS, *own, *cache, *others]


@pytest.fixture(scope="module")
def learned(made):
    folder = made / "run"
    asked = options(made, "--epochs", "12", "--checkpoint-every", "25")
    done = run("train", *asked, "--run", folder, cwd=made)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_it_learns_to_transcribe_speakers_that_it_has_not_heard(learned):
    folder, said = learned
    assert "learns from train-clean-100 and train-other-500; tested on test-cl" in said
    found = result(folder)
    assert found["tested"] == 80
    assert found["test/error"] < 0.1
    assert found["test/word_error"] < 0.5
    epochs = [row for row in rows(folder) if row["kind"] == "epoch"]
    assert epochs[0]["test/error"] > 0.9
    assert (folder / "alignments.png").stat().st_size > 10_000


def test_transcripts_are_written_with_the_worst_first(learned):
    folder, _ = learned
    blocks = (folder / "transcripts.txt").read_text().split("\n\n")
    assert len(blocks) == 80
    counts = [block.split()[1::2][:2] for block in blocks]
    shares = [int(block.split()[1]) / int(block.split()[3]) for block in blocks]
    assert shares == sorted(shares, reverse=True), counts
    right = [block for block in blocks if " 0 mistakes" in block]
    for block in right:
        _, said, heard = block.strip().splitlines()
        assert said.removeprefix("  said:  ") == heard.removeprefix("  heard: ")
    total = sum(int(block.split()[1]) for block in blocks)
    letters = sum(int(block.split()[3]) for block in blocks)
    assert total / letters == pytest.approx(result(folder)["test/error"], abs=1e-6)


def test_a_saved_run_is_judged_as_it_was_at_its_end(learned, made):
    folder, _ = learned
    asked = ["--checkpoint", "latest", "--json", "--pictures", "new/pictures"]
    done = run("evaluate", folder, *asked, cwd=made)
    assert done.returncode == 0, done.stderr
    written = (made / "new/pictures/transcripts.txt").read_text()
    assert written == (folder / "transcripts.txt").read_text()
    judged = json.loads(done.stdout)
    assert judged["test/loss"] == pytest.approx(result(folder)["test/loss"], rel=1e-5)


def test_a_killed_run_goes_on_to_the_same_bits(learned, made):
    folder = made / "killed"
    asked = options(made, "--epochs", "12", "--checkpoint-every", "25")
    line = command("train", *asked, "--run", folder)
    process = subprocess.Popen(**line, cwd=made, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    # Late, for worker processes begin anew in every epoch that is left.
    while not any((folder / "checkpoints").glob("3[0-9][0-9]")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = run("train", "--run", folder, "--resume", "--workers", "2", cwd=made)
    assert done.returncode == 0, done.stderr
    assert "goes on after step" in done.stdout
    assert result(folder)["sha256"] == result(learned[0])["sha256"]
    assert rows(folder) == rows(learned[0])


def test_files_are_transcribed_whatever_their_kind_and_rate(learned, made):
    rng = np.random.default_rng(7)
    files = []
    for name, rate in (("a.wav", 16_000), ("b.flac", 44_100), ("c.wav", 48_000)):
        sound = speech_made.sound("DAB CE", rng, rate)
        soundfile.write(made / name, np.stack([sound, sound], axis=1), rate)
        files.append(made / name)
    (made / "no.wav").write_text("no sound")
    missing = made / "missing.flac"
    asked = [learned[0], *files, made / "no.wav", missing]
    done = run("predict", *asked, cwd=made)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split(": ")[1].split(" (")[0] for line in lines] == ["DAB CE"] * 3
    assert "no.wav: expected sound, as WAV or FLAC" in done.stderr
    assert "missing.flac: there is no such file" in done.stderr
    done = run("predict", learned[0], files[0], "--beam", "4", cwd=made)
    assert f"{files[0]}: DAB CE (" in done.stdout


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_is_cut_off_ends_the_run_with_one_line_that_names_it(
    made, tmp_path, workers
):
    folder = speech_made.part(tmp_path / "cut", (3, 14), chapters=1, count=12)
    train = next(folder.glob("14/*/*-0003.flac")), next(folder.glob("3/*/*-0003.flac"))
    for path in train:
        path.write_bytes(path.read_bytes()[:9000])
    line = options(made, "--epochs", "1", data=folder, batch=4)
    line = command("train", *line, "--run", tmp_path / "run", "--workers", str(workers))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(**line, **pipes, cwd=made, start_new_session=True)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 2
    assert len(errors.strip().splitlines()) == 1, errors
    assert any(f"{path}: expected" in errors for path in train)
    assert gone(process.pid)


def test_ctrl_c_saves_the_run_and_ends_those_that_read(made, tmp_path):
    asked = options(made, "--epochs", "500", "--workers", "2", "--no-pictures")
    line = command("train", *asked, "--run", tmp_path / "run")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(**line, **pipes, cwd=made, start_new_session=True)
    while "epoch" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (130, "")
    assert "--resume goes on" in said
    assert gone(process.pid)


def test_two_processes_read_their_own_rows_and_compute_what_one_does(made, tmp_path):
    asked = options(made, "--epochs", "1", "--no-pictures", "--log-every", "10")
    done = run("train", *asked, "--run", "one", cwd=tmp_path, optimized=False)
    assert done.returncode == 0, done.stderr
    join = ["--coordinator", f"localhost:{free_port()}", "--processes", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    asked += ["--run", "two", *join, "--process-id"]
    both = [
        subprocess.Popen(
            **command("train", *asked, str(i), optimized=False), **pipes, cwd=tmp_path
        )
        for i in range(2)
    ]
    said = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    pairs = zip(rows(tmp_path / "two"), rows(tmp_path / "one"), strict=True)
    for ours, theirs in pairs:
        for name in ("loss", "train/loss", "test/loss", "test/error"):
            assert ours.get(name) == pytest.approx(theirs.get(name), abs=1e-3)


def test_optimizers_are_compared_and_rates_swept_in_memory(tmp_path):
    folder = speech_made.part(tmp_path / "few", (3, 14), chapters=1, count=16)
    few = ["--task", "librispeech", "--data-dir", folder, "--epochs", "1"]
    few += ["--batch-size", "4", "--hidden", "8"]
    rivals = ["--optimizers", "rmsprop", "sgd", "--trials", "1", "--seeds", "1"]
    rivals += ["--no-pictures", "--run", "a"]
    done = run("compare", *few, *rivals, cwd=tmp_path, optimized=False)
    assert done.returncode == 0, done.stderr
    assert "14 utterances to learn from, 2 held out" in done.stdout
    tried = ["--budget", "2", "--run", "b"]
    done = run("sweep", *few, *tried, cwd=tmp_path, optimized=False)
    assert done.returncode == 0, done.stderr
