"""The comparison of trainers: what its sides are told, and what is made of it."""

import gzip
import json
import sys

import numpy as np
import pytest

from benchmarks import measure, mnist, receipts
from benchmarks.peers import by_command, protocol, table
from benchmarks.peers.protocol import Images, Start

ASSIGNMENT = protocol.Assignment(
    began=0.0,
    task="mnist",
    model="mlp",
    data="",
    start="",
    steps=2,
    epochs=2,
    batch_size=3,
    seed=0,
    mean=0.1307,
    deviation=0.3081,
)


def told(**changes):
    return protocol.Assignment(**vars(ASSIGNMENT) | changes)


def test_a_start_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((2, i + 1), np.float32) for i in range(11)]
    orders = [rng.permutation(6), rng.permutation(6), rng.permutation(6)]
    protocol.write_start(tmp_path / "start.npz", Start(weights, orders))
    read = protocol.start(told(start=str(tmp_path / "start.npz")))
    assert len(read.weights) == 11
    for written, found in zip(weights, read.weights, strict=True):
        np.testing.assert_array_equal(found, written)
    np.testing.assert_array_equal(read.orders, orders[:2])


def test_an_order_is_cut_to_the_steps(tmp_path):
    protocol.write_start(tmp_path / "start.npz", Start([], [np.arange(9)] * 2))
    read = protocol.start(told(start=str(tmp_path / "start.npz"), steps=1))
    np.testing.assert_array_equal(read.orders, [[0, 1, 2]] * 2)


def some_images(count, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 4, 3, 1), np.uint8)
    return Images(images, rng.integers(0, 10, count, np.uint8))


def test_data_are_the_same_from_idx_and_from_npz(tmp_path):
    parts = some_images(5, 0), some_images(2, 1)
    protocol.write_data(tmp_path / "data.npz", *parts)
    names = [
        f"{part}-{kind}-ubyte.gz"
        for part in ("train", "t10k")
        for kind in ("images-idx3", "labels-idx1")
    ]
    arrays = [x for images, labels in parts for x in (images[..., 0], labels)]
    for name, array in zip(names, arrays, strict=True):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
        with gzip.open(tmp_path / name, "wb") as file:
            file.write(header + array.tobytes())
    from_npz = protocol.data(told(data=str(tmp_path / "data.npz")))
    from_idx = protocol.data(told(data=str(tmp_path)))
    for part, one, other in zip(parts, from_npz, from_idx, strict=True):
        for written, a, b in zip(part, one, other, strict=True):
            np.testing.assert_array_equal(a, written)
            np.testing.assert_array_equal(b, written)


def test_pixels_are_scaled_as_the_trainer_does():
    from rmsprop_jax.train.tasks import TASKS

    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    ours = np.asarray(TASKS["mnist"].inputs({"image": images}))
    theirs = protocol.scaled(images, ASSIGNMENT)
    assert theirs.dtype == np.float32
    # Two roundings of numbers up to 255 / (255 · 0.3081) on each side.
    bound = 4 * np.finfo(np.float32).eps / ASSIGNMENT.deviation
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=bound)


def test_judging_is_accuracy_and_mean_cross_entropy():
    logits = np.log(np.array([[0.5, 0.5], [0.25, 0.75]]))
    accuracy, loss = protocol.judged(logits, np.array([0, 0]))
    assert accuracy == 0.5
    assert loss == pytest.approx((np.log(2) + np.log(4)) / 2, rel=1e-12)


def test_orders_are_those_of_the_trainer():
    images = np.zeros((11, 28, 28, 1), np.uint8)
    start = mnist.start_of("cnn", images, batch_size=4, epochs=2)
    for epoch, order in enumerate(start.orders):
        all_of_them = np.random.default_rng([mnist.SEED["cnn"], epoch]).permutation(11)
        np.testing.assert_array_equal(order, all_of_them[:8])
    assert [x.shape for x in start.weights[::2]] == [
        (3, 3, 1, 32),
        (3, 3, 32, 64),
        (3136, 128),
        (128, 10),
    ]


def test_a_side_that_is_not_installed_is_left_out_and_named(monkeypatch):
    nobody = mnist.SIDES["torch"]._replace(needs=("no_such_framework",))
    monkeypatch.setitem(mnist.SIDES, "torch", nobody)
    sides, lines = mnist.chosen(["torch", "products"], "mlp")
    assert list(sides) == ["products"]
    assert lines == ["PyTorch, slices: skipped, no_such_framework not installed"]


def test_the_cnn_has_no_bare_products():
    assert "products" in mnist.chosen(None, "mlp")[0]
    assert "products" not in mnist.chosen(None, "cnn")[0]


def test_a_side_that_fails_says_why():
    broken = mnist.SIDES["products"]._replace(module="no_such_side")
    with pytest.raises(
        RuntimeError, match=r"alone: exit status 1\n(.|\n)*no_such_side"
    ):
        measure.run(broken, ASSIGNMENT)


def test_sides_that_disagree_are_not_timed(monkeypatch, tmp_path, capsys):
    losses = iter([1.0, 1.0 + 2 * mnist.AGREEMENT])
    monkeypatch.setattr(measure, "run", lambda *_: {"epochs": [{"loss": next(losses)}]})
    monkeypatch.setattr(mnist, "prepared", lambda *_: ASSIGNMENT)
    side = mnist.SIDES["torch"]
    monkeypatch.setattr(mnist, "chosen", lambda *_: ({"a": side, "b": side}, []))
    out = tmp_path / "out.jsonl"
    assert mnist.main(["--smoke", "--out", str(out)]) == 1
    assert "they differ by 2.0e-03" in capsys.readouterr().out
    assert not out.exists()


def test_what_counts_is_the_first_epoch_at_the_target_and_the_later_epochs(monkeypatch):
    epochs = [
        {"train_seconds": 9.0, "at": 10.0, "accuracy": 0.96},
        {"train_seconds": 2.0, "at": 13.0, "accuracy": 0.97},
        {"train_seconds": 4.0, "at": 18.0, "accuracy": 0.98},
    ]
    monkeypatch.setattr(measure, "run", lambda *_: {"epochs": epochs})
    row = mnist.measured("torch", mnist.SIDES["torch"], ASSIGNMENT, 97.0)
    assert (row["target_epoch"], row["target_seconds"]) == (2, 13.0)
    assert row["epoch_seconds"] == 3.0
    row = mnist.measured("torch", mnist.SIDES["torch"], ASSIGNMENT, 99.0)
    assert (row["target_epoch"], row["target_seconds"]) == (None, None)


def test_epochs_of_the_command_are_read_from_its_rows():
    def row(kind, seconds):
        return {"kind": kind, "seconds": seconds, "test/accuracy": 1, "test/loss": 0}

    rows = [row("train", 3), row("train", 5), row("epoch", 6)]
    rows += [row("train", 8), row("train", 9), row("epoch", 9.5)]
    first, second = by_command.epochs_of(rows)
    assert (first["train_seconds"], first["judge_seconds"], first["at"]) == (None, 1, 6)
    assert (second["train_seconds"], second["judge_seconds"]) == (3, 0.5)


def row(side, epoch_seconds, date="2026-01-02", target=None, others=0.0, model="mlp"):
    return {
        "model": model,
        "side": side,
        "label": side.upper(),
        "date": date,
        "cores": 2,
        "cpu": "a cpu",
        "commit": "c0ffee",
        "others_cores": others,
        "target": 97.0,
        "target_epoch": target and 3,
        "target_seconds": target,
        "epoch_seconds": epoch_seconds,
    }


ROWS = [
    row("trainer", 100.0, date="2026-01-01"),
    row("trainer", 0.2, target=2.0),
    row("trainer", 0.4, target=4.0),
    row("torch", 0.6, target=9.0),
    row("keras-jax", 0.9, target=6.0),
    row("products", 0.15),
    row("trainer", 50.0, model="cnn"),
]


def test_the_table_has_medians_of_the_latest_run_and_ratios_to_the_fastest_peer():
    text = "\n".join(table.table(ROWS, "mlp"))
    assert "| TRAINER | 2 | 3 (2 to 4) | 3 | 0.3 (0.2 to 0.4) |" in text
    assert "an epoch: trainer 2.00 times as fast as TORCH, the fastest of 2" in text
    assert "the target: trainer 2.00 times as fast as KERAS-JAX" in text
    assert "an epoch: trainer takes 2.00 times as long as its matrix products" in text
    assert "QUIET" not in text


def test_a_target_that_was_missed_once_has_no_seconds():
    text = "\n".join(
        table.table([row("torch", 1.0, target=5.0), row("torch", 1.0)], "mlp")
    )
    assert "| TORCH | 2 |  | 3, not reached | 1 (1 to 1) |" in text


def test_the_table_says_when_the_machine_was_shared():
    busy = row("torch", 1.0, others=2 * receipts.QUIET)
    assert "NOT A QUIET MACHINE" in "\n".join(table.table([busy], "mlp"))
    quiet = row("torch", 1.0, others=receipts.QUIET)
    assert "NOT A QUIET MACHINE" not in "\n".join(table.table([quiet], "mlp"))


def test_a_model_without_results_has_no_table():
    assert list(table.table(ROWS[:-1], "cnn")) == ["no results of cnn"]


def test_no_side_imports_what_it_does_not_measure():
    code = "import sys, benchmarks.peers.protocol; print(*sys.modules)"
    done = measure.subprocess.run(
        [sys.executable, "-c", code],
        cwd=measure.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert "numpy" in roots
    assert not roots & {"jax", "torch", "keras", "tensorflow", "flax", "rmsprop_jax"}


@pytest.mark.slow
def test_all_sides_that_are_installed_compute_the_same_cnn(tmp_path):
    pytest.importorskip("tyro")
    sides, _ = mnist.chosen(None, "cnn")
    sides = {name: measure.with_one_thread(side) for name, side in sides.items()}
    assignment = mnist.prepared("cnn", tmp_path, smoke=True)
    steps = mnist.AGREEMENT_STEPS_OF_A_SMALL_CNN
    losses, apart = mnist.agreement(sides, assignment, steps)
    assert losses.keys() == sides.keys() >= {"trainer"}
    assert apart <= mnist.AGREEMENT


@pytest.mark.slow
def test_all_sides_that_are_installed_compute_the_same_mlp_and_are_timed(tmp_path):
    pytest.importorskip("tyro")
    out = tmp_path / "new" / "mnist.jsonl"
    assert mnist.main(["--smoke", "--model", "mlp", "--out", str(out)]) == 0
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert [row["side"] for row in rows] == list(mnist.chosen(None, "mlp")[0])
    assert "trainer" in {row["side"] for row in rows}
    said = {"commit", "cpu", "cores", "versions", "date", "others_cores", "load_before"}
    assert all(said <= row.keys() for row in rows)
    assert all(row["losses_agree_to"] <= mnist.AGREEMENT for row in rows)
    trained = [row for row in rows if row["side"] != "products"]
    assert all(row["epochs"][-1]["accuracy"] > 0.5 for row in trained)
