"""The benchmark of speech: its table, and its smallest size where the data are."""

import numpy as np
import pytest

from benchmarks import lstm, receipts, speech, speech_optimizers
from benchmarks.peers import lstm_table
from benchmarks.reporting import hearing_digits
from rmsprop_jax.train.data import fsdd, places


def row(seed, accuracy, task="spoken-digits", left_out="none", **more):
    return {
        "task": task,
        "model": "lstm",
        "left_out": left_out,
        "seed": seed,
        "tested": 300,
        "test/accuracy": accuracy,
        "smoke": False,
        **more,
    }


ROWS = [
    row(0, 0.5),
    row(0, 0.98),  # The same seed again: the last one counts.
    row(1, 1.0),
    *(row(0, 0.6 + i / 100, left_out=x) for i, x in enumerate(speech.SPEAKERS)),
    row(0, 0.9, "digit-strings", **{"test/error": 0.02}),
]


def test_the_table_has_means_with_their_standard_error():
    lines = speech.table(ROWS).splitlines()
    assert "| spoken-digits | lstm | none | 2 | 300 | 99.00 ± 1.00 | — |" in lines
    assert "| digit-strings | lstm | none | 1 | 300 | 90.0 | 2.0 |" in lines
    assert len(lines) == 2 + 2 + len(speech.SPEAKERS)


def test_the_page_says_what_the_table_has():
    gru = row(0, 0.9) | {"model": "gru"}
    lines = hearing_digits.heard([*ROWS, gru]).splitlines()
    assert "| `spoken-digits` | 300 | 99.00 ± 1.00 | — | 2 |" in lines
    assert "| `digit-strings` | 300 | 90.0 | 2.0 | 1 |" in lines
    assert hearing_digits.voices(ROWS) == "62 % (60 to 65)"


@pytest.mark.slow
def test_the_smallest_size_runs(tmp_path):
    given = places.from_environment()
    if given is None or fsdd.find(given) is None:
        pytest.skip("the recordings of FSDD are not in $RMSPROP_JAX_DATA")
    out = tmp_path / "speech.jsonl"
    speech.main(["--smoke", "--out", str(out)])
    (only,) = receipts.read(out)
    assert only["smoke"]
    assert 0 <= only["test/accuracy"] <= 1


def rival(optimizer, accuracy, date="2026-01-02"):
    return {
        "date": date,
        "optimizer": optimizer,
        "learning_rate": 1e-3,
        "edge": "highest" if optimizer == "sgd" else None,
        "seeds": [1, 2],
        "test/accuracy": accuracy,
        "test/accuracy/standard_error": 0.0012,
        "test/loss": 0.05,
        "test/loss/standard_error": 0.001,
    }


def test_the_table_of_optimizers_is_that_of_the_latest_comparison():
    rows = [rival("old", 0.5, "2026-01-01"), rival("torch", 0.991), rival("sgd", 0.9)]
    assert speech_optimizers.table(rows).splitlines()[2:] == [
        "| torch | 0.001 | 99.10 ± 0.12 | 0.0500 ± 0.0010 | 2 |",
        "| sgd | 0.001 | 90.00 ± 0.12 | 0.0500 ± 0.0010 | 2 |",
    ]


def test_the_smallest_comparison_of_optimizers_is_recorded(tmp_path, capsys):
    out = tmp_path / "optimizers.jsonl"
    speech_optimizers.main(["--smoke", "--out", str(out)])
    rows = receipts.read(out)
    assert {row["optimizer"] for row in rows} == {"torch", "momentum"}
    assert all(row["smoke"] and row["test/loss"] > 0 for row in rows)
    assert "| torch |" in capsys.readouterr().out


def test_the_page_has_the_optimizers_by_their_names():
    lines = hearing_digits.rivals([rival("torch", 0.991), rival("sgd", 0.9)])
    assert lines.splitlines()[2:] == [
        "| RMSProp, `torch` | 0.001 | 99.10 ± 0.12 | 0.050 ± 0.001 |",
        "| SGD | 0.001, the highest tried | 90.00 ± 0.12 | 0.050 ± 0.001 |",
    ]
    assert set(speech_optimizers.OPTIMIZERS) == set(hearing_digits.RIVALS)


def side(name, rate, **more):
    return {
        "date": "2026-01-02",
        "commit": "abc",
        "cores": 2,
        "cpu": "some",
        "others_cores": 0.0,
        "side": name,
        "label": name.title(),
        "steps_per_second": rate,
        "epochs": [{"accuracy": 0.9}, {"accuracy": 0.98}],
        "at_first": [0.1, 2.3],
        **more,
    }


def test_steps_are_compared_with_the_fastest_of_the_others():
    rows = [side("trainer", 40.0), side("trainer", 60.0), side("trainer", 50.0)]
    rows += [side("torch", 25.0), side("keras-jax", 20.0)]
    assert lstm_table.ratio_to_fastest(rows) == ("Torch", 2.0)
    lines = [*lstm_table.table(rows)]
    assert "| Trainer | 3 | 50.0 (40.0 to 60.0) | 98.0 |" in lines
    assert "NOT A QUIET" not in "\n".join(lines)
    busy = [*rows, side("torch", 25.0, others_cores=0.5)]
    assert "NOT A QUIET" in "\n".join(lstm_table.table(busy))


def test_the_page_has_the_steps_of_the_latest_quiet_run():
    peers = {"torch": 25.0, "keras-jax": 20.0, "keras-tensorflow": 10.0}
    run = [side(name, rate) for name, rate in {"trainer": 50.0, **peers}.items()]
    run = [row | {"question": "?"} for row in run]
    later = [row | {"date": "2026-02-02", "others_cores": 0.5} for row in run]
    assert hearing_digits.steps([*run, *later]) == (
        "makes 50 steps a second here, 25 in PyTorch, 20 in Keras 3 on JAX, 10 in "
        "Keras 3 on TensorFlow: 2.00 times those of Torch, the fastest of the others"
    )
    run.append(side("torch-trim", 40.0) | {"question": "?"})
    said = hearing_digits.steps([*run, *later])
    assert "25 in PyTorch, 40 in PyTorch with batches trimmed to their longest" in said
    assert "1.25 times those of Torch-Trim" in said


def test_models_that_differ_are_noticed():
    assert lstm.apart([side("trainer", 1.0), side("torch", 1.0)]) == 0
    assert lstm.apart([side("a", 1.0), side("b", 1.0, at_first=[0.1, 2.4])]) > 0.04


def test_a_trimmed_or_packed_batch_has_the_outputs_of_the_whole():
    torch = pytest.importorskip("torch")
    from benchmarks.peers import lstm_by_torch, spoken

    assert {"torch", "torch-trim"} < lstm.SIDES.keys()
    drawn = spoken.drawn(np.random.default_rng(0), 6, 4)
    frames = torch.randn(3, 9, 6, generator=torch.manual_seed(0))
    true = (torch.arange(9)[None, :] < torch.tensor([[5], [2], [7]])).float()
    whole, packed = (lstm_by_torch.Model(drawn, "batch", pack) for pack in (0, 1))
    whole.eval(), packed.eval()
    cut = lstm_by_torch.trimmed(frames, true)
    assert cut[0].shape == (3, 7, 6)
    with torch.inference_mode():
        expected = whole(frames, true)
        for other in (whole(*cut), packed(frames, true)):
            np.testing.assert_allclose(other, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("peer", ["torch", "torch-trim", "torch-packed", "keras-jax"])
def test_the_sides_have_one_model(peer, tmp_path, capsys):
    if (lstm.SIDES | lstm.TRIED)[peer].missing():
        pytest.skip(f"{peer} is not installed")
    out = tmp_path / "lstm.jsonl"
    assert lstm.main(["--smoke", "--sides", "trainer", peer, "--out", str(out)]) == 0
    rows = receipts.read(out)
    assert [row["side"] for row in rows] == ["trainer", peer]
    assert lstm.apart(rows) < lstm.AGREEMENT
    assert "times the steps of" in capsys.readouterr().out
