"""What a comparison makes of options and rows, without a single run."""

import math

import pytest

from rmsprop_jax.train.comparison_picture import draw
from rmsprop_jax.train.comparison_table import (
    Outcome,
    choose,
    note,
    ranked,
    result,
    table,
    verdict,
)
from rmsprop_jax.train.contenders import contenders, rates
from rmsprop_jax.train.ledger import Ledger


def trial(rate, loss=None, accuracy=0.5):
    """A row of a learning rate; without a loss it diverged."""
    row = {"learning_rate": rate, "diverged": loss is None}
    if loss is None:
        return row
    return row | {"validation/loss": loss, "validation/accuracy": accuracy}


def outcome(label, losses, trials=None, chosen=0.1):
    """One whose seeds ended with these test losses; `None` for one that diverged."""
    tests, courses = [], []
    for seed, loss in enumerate(losses):
        row = {"seed": seed, "diverged": loss is None}
        if loss is not None:
            row |= {"test/loss": loss, "test/accuracy": 1 - loss}
        tests.append(row)
        courses.append([row | {"epoch": 1}, row | {"epoch": 2}])
    trials = trials or [trial(0.01, 2.0), trial(0.1, 1.0), trial(1.0)]
    return Outcome(label, trials, chosen, tests, courses)


GONE = Outcome("gone", [trial(0.1), trial(1.0)], None, [], [])


def test_rates_are_a_factor_of_root_10_apart_round_the_centre():
    assert rates(0.1, 7) == [0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16]
    assert rates(0.001, 1) == [0.001]
    assert rates(0.001, 2) == [0.000316, 0.001]


def test_more_trials_hold_those_of_fewer():
    for centre in (0.1, 0.001, 10**-1.5):
        assert set(rates(centre, 5)) < set(rates(centre, 7)) < set(rates(centre, 9))


def test_a_dialect_is_an_rmsprop_with_options():
    plain, own, torch = contenders(
        ["rmsprop", "adam", "torch:momentum=0.9,centered=True"]
    )
    assert plain.options == {"optimizer": "rmsprop", "dialect": "optax"}
    assert own.options == {"optimizer": "adam"}
    assert torch.options == {
        "optimizer": "rmsprop",
        "dialect": "torch",
        "momentum": 0.9,
        "centered": True,
    }
    assert torch.label == "torch:momentum=0.9,centered=True"
    assert torch.centre == pytest.approx(plain.centre / 10)


def test_a_learning_rate_moves_the_grid():
    (one,) = contenders(["keras:learning-rate=0.02"])
    assert one.centre == 0.02


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adamm", "Did you mean 'adam'?"),
        ("pytorch", "Did you mean 'torch'?"),
        ("torch:momentun=0.9", "Did you mean 'momentum'?"),
        ("torch:momentum", "expected NAME:option=value"),
        ("torch:", "expected NAME:option=value"),
        ("torch:momentum=high", "momentum=high: expected a number"),
        ("torch:centered=1", "centered=1: expected true or false"),
        ("torch:accumulate=1.5", "expected a whole number"),
        ("torch:moment=row", "expected one of elementwise, tensor"),
        ("torch:momentum=0.9,momentum=0.8", "momentum is given twice"),
        ("torch:recipe=dqn", "cannot be tuned"),
        ("torch:dialect=keras", "name it in place of rmsprop"),
        ("torch:weight_decay_form=corrected", "use coupled or decoupled"),
    ],
)
def test_what_is_no_optimizer_is_refused(text, message):
    with pytest.raises(ValueError, match=r"^--optimizers ") as caught:
        contenders([text])
    assert message in str(caught.value)


def test_none_and_twice_the_same_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        contenders([])
    with pytest.raises(ValueError, match="occurs twice"):
        contenders(["adam", "sgd", "adam"])


def test_the_lowest_loss_or_the_highest_accuracy_is_chosen_and_nothing_diverged():
    trials = [
        trial(0.1, 3.0, 0.9),
        trial(0.2, 1.0, 0.8),
        trial(0.3),
        trial(0.4, 2.0, 0.9),
    ]
    assert choose(trials, "loss") == 0.2
    assert choose(trials, "accuracy") == 0.4
    assert choose([trial(0.1), trial(0.2)], "loss") is None


def test_the_mean_has_the_standard_error_of_a_mean():
    mean, error = outcome("a", [0.1, 0.2, 0.6]).mean("test/loss")
    assert mean == pytest.approx(0.3)
    # √((0.04 + 0.01 + 0.09) / 2 / 3)
    assert error == pytest.approx(math.sqrt(0.14 / 6))
    mean, error = outcome("a", [0.1, None, 0.3]).mean("test/loss")
    assert (mean, error) == (pytest.approx(0.2), pytest.approx(0.1))
    assert math.isnan(outcome("a", [0.1]).mean("test/loss")[1])


def test_the_best_is_first_and_what_diverged_is_last():
    rows = [GONE, outcome("c", [None, 0.01]), outcome("b", [0.3]), outcome("a", [0.2])]
    for headline in ("loss", "accuracy"):
        assert [row.label for row in ranked(rows, headline)] == ["a", "b", "c", "gone"]


@pytest.mark.parametrize(
    ("chosen", "edge"), [(0.01, "lowest"), (0.1, None), (1.0, "highest")]
)
def test_a_best_rate_at_the_edge_is_called_not_tuned(chosen, edge):
    trials = [trial(0.01, 2.0), trial(0.1, 1.0), trial(1.0, 1.0)]
    one = outcome("a", [0.1], trials, chosen)
    assert one.edge == edge
    assert note(one) == (
        f"not tuned: its best rate is the {edge} tried" if edge else ""
    )
    assert outcome("a", [0.1], [trial(0.1, 1.0)], 0.1).edge is None


def test_the_table_says_means_errors_and_what_went_wrong():
    rows = [outcome("a", [0.1, 0.2, 0.6]), outcome("b", [None, 0.25]), GONE]
    lines = table(rows, ("loss", "accuracy")).splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
    assert cells[0][2:4] == ["test accuracy", "test loss"]
    assert cells[2] == ["a", "0.1", "70.00 ± 15.28 %", "0.3000 ± 0.1528", ""]
    assert cells[3] == ["b", "0.1", "75.00 %", "0.2500", "diverged by 1 of 2 seeds"]
    assert cells[4][1:] == [
        "-",
        "diverged",
        "diverged",
        "diverged at every learning rate",
    ]
    assert len({len(line) for line in lines}) == 1
    for row in result(rows, ("loss", "accuracy")):
        assert row["diverged_trials"] == (2 if row["optimizer"] == "gone" else 1)


def test_the_verdict_counts_whom_the_first_does_not_beat():
    first = outcome("a", [0.10, 0.12])  # 0.11 ± 0.01
    near, far = outcome("b", [0.12, 0.14]), outcome("c", [0.15, 0.17])
    text = verdict([first, near, far, GONE], "accuracy")
    assert text == "a reaches a test accuracy of 89.00 %, level with 1 of 3 others"
    assert verdict([first, far], "loss").endswith("0.1100, no other as much")
    assert (
        verdict([outcome("a", [0.1]), far], "loss") == "a reaches a test loss of 0.1000"
    )
    assert verdict([GONE], "loss") == "No optimizer trained without diverging"


@pytest.mark.parametrize(
    "rows",
    [
        [outcome("a", [0.1, 0.2]), outcome("b", [None, 0.25]), GONE],
        [GONE],
        [outcome(f"number {i}", [0.1 + i / 100]) for i in range(20)],
        [outcome("a", [0.1, 0.2]), outcome("b", [0.2, 0.001])],
    ],
)
@pytest.mark.parametrize("by", ["loss", "accuracy"])
def test_a_picture_can_be_drawn_of_every_outcome(tmp_path, rows, by):
    draw(rows, by, "title", "below; " * 30, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def row(**changes):
    return {
        "kind": "test",
        "optimizer": "a",
        "learning_rate": 0.1,
        "seed": 1,
        "step": 5,
    } | changes


def test_a_ledger_finds_what_it_was_told_before(tmp_path):
    with Ledger(tmp_path / "trials.jsonl") as ledger:
        ledger.append(row(loss=math.inf))
        ledger.append(row(kind="epoch", epoch=2))
        ledger.append(row(kind="epoch", epoch=1))
    with (tmp_path / "trials.jsonl").open("ab") as file:
        file.write(b'{"kind": "te')  # a kill in the middle of a line
    with Ledger(tmp_path / "trials.jsonl") as ledger:
        key = {"kind": "test", "optimizer": "a", "learning_rate": 0.1}
        assert ledger.find(**key, seed=1) == row(loss=math.inf)
        assert ledger.find(**key, seed=2) is None
        assert ledger.find(**key | {"kind": "trial"}, seed=1) is None
        assert [r["epoch"] for r in ledger.course("a", 0.1, 1)] == [1, 2]
        assert ledger.course("a", 0.2, 1) == []


def test_a_ledger_writes_no_row_twice(tmp_path):
    for _ in range(2):
        with Ledger(tmp_path / "trials.jsonl") as ledger:
            ledger.append(row())
            ledger.append(row())
    assert len((tmp_path / "trials.jsonl").read_text().splitlines()) == 1
