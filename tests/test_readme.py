"""The README: its blocks run and print what it shows, and its table is true."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import chex
import jax
import numpy as np
import pytest
from golden import parity

from rmsprop_jax import DIALECTS, like, rmsprop
from rmsprop_jax.signatures import SIGNATURES
from rmsprop_jax.wording import CHOICES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# What a block needs, the block, and what it prints, if that is shown.
FOUND = re.findall(
    r"^(?:<!-- needs (\w+) -->\n)?```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?",
    README,
    re.MULTILINE | re.DOTALL,
)
TABLE = re.findall(r'^\| `"(\w+)"`( °)? \| (.*) \|$', README, re.MULTILINE)
# Their call in a comment, and both of ours beneath.
CALLS = re.findall(
    r'^# [\w.]+\((.+)\)\ntx = like\("(\w+)", (.+)\)\ntx = (rmsprop\(.+\))$',
    README,
    re.MULTILINE,
)


def heading(block):
    """The last heading above `block`."""
    above = README[: README.index(block)]
    return re.findall(r"^#+ (.*)$", above, re.MULTILINE)[-1].replace(" ", "_")


def cases(*, framework):
    """The blocks that need a framework, or the others, as test cases."""
    return [
        pytest.param(
            *found if framework else found[1:],
            id=heading(found[1]),
            marks=[pytest.mark.parity] if framework else [],
        )
        for found in FOUND
        if bool(found[0]) == framework
    ]


@pytest.mark.parametrize(("block", "printed"), cases(framework=False))
def test_block_runs_and_prints_what_is_shown(
    block, printed, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    # As its reader runs it. Strict promotion is too much for Optax's own schedules.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    if printed:
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize(("framework", "block", "printed"), cases(framework=True))
def test_block_of_a_framework_runs(framework, block, printed, tmp_path):
    if importlib.util.find_spec(framework) is None:
        pytest.skip(f"needs {framework}")
    # A process of its own: Keras has one backend, and TensorFlow its own threads.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", block],
        cwd=tmp_path,
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not printed or done.stdout == printed


def cells(name):
    """What the README's table says of a row, but for what it matches."""
    row = DIALECTS[name]
    rule, names = row.rule, row.names
    denominator = {
        "inside": "√(ν + ε)",
        "outside": "√ν + ε",
        "inside_with_trace": "√ν + ε, with momentum √(ν + ε)",
    }[rule.eps_placement]
    rate = "in the trace" if rule.lr_placement == "in_trace" else "after the trace"
    defaults = []
    for argument in ("decay", "eps", "momentum"):
        value = getattr(row, argument)
        if argument == "momentum" and not value:
            continue
        theirs = f"`{names[argument]}` " if argument in names else ""
        defaults.append(theirs + f"{value:g}".replace("e-0", "e-"))
    return [
        denominator + (", centered" if rule.centered else ""),
        f"{rule.nu_init:g}",
        "no trace" if "momentum" in row.refuses else rate,
        rule.weight_decay_form if "weight_decay" in names else "—",
        ", ".join(defaults) + (" if centered" if row.momentum_needs_centered else ""),
    ]


def test_the_table_has_every_dialect_in_order():
    assert [name for name, *_ in TABLE] == list(DIALECTS)


@pytest.mark.parametrize(("name", "mark", "rest"), TABLE, ids=[x[0] for x in TABLE])
def test_a_row_of_the_table_says_what_the_dialect_is(name, mark, rest):
    *said, matches = rest.split(" | ")
    assert said == cells(name)
    assert re.findall(r"\w+", SIGNATURES[name].call)[-1] in matches
    assert bool(mark) == ("how" in parity.META[name])


def test_where_a_framework_has_no_weight_decay_ours_is_decoupled():
    without = [row for row in DIALECTS.values() if "weight_decay" not in row.names]
    assert without
    assert {row.rule.weight_decay_form for row in without} == {"decoupled"}


def test_every_difference_that_explain_names_is_in_its_table():
    head, rows = (
        "| difference in | named | matters |\n",
        r"^\| [^|]+ \| (`.+`) \| .+ \|$",
    )
    table = README[README.index(head) :].split("\n\n")[0]
    cells = re.findall(rows, table, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(CHOICES)


def arguments(call):
    """The keyword arguments of a call's text, positional ones aside."""
    tree = ast.parse(f"f({call})", mode="eval").body
    return {x.arg: ast.literal_eval(x.value) for x in tree.keywords}


@pytest.mark.parametrize(
    ("theirs", "framework", "ours", "call"), CALLS, ids=[x[1] for x in CALLS]
)
def test_their_call_and_both_of_ours_mean_the_same(theirs, framework, ours, call):
    assert arguments(theirs) == arguments(ours)
    one, other = like(framework, **arguments(ours)), eval(call, {"rmsprop": rmsprop})
    assert one.rule == other.rule
    params = np.array([0.5, -2.0], np.float32)
    steps = [tx.update(params, tx.init(params), params) for tx in (one, other)]
    chex.assert_trees_all_equal(*steps)


def test_every_framework_to_come_from_has_its_call():
    assert {name for _, name, *_ in CALLS} == {"torch", "keras", "tf1", "optax"}


@pytest.mark.parametrize("name", ["main", "test"])
def test_a_newcomers_command_is_one_line(name):
    block = rf"^<!-- {name} command -->\n```sh\n(.+)\n```$"
    assert len(re.findall(block, README, re.MULTILINE)) == 1
