"""Parity with the frameworks: what they recorded, and what they compute here."""

import dataclasses
import functools
import itertools
from functools import partial

import numpy as np
import pytest
from golden import frameworks, live, parity
from golden.cases import CASES, RMSPROP
from golden.transcribed import TRANSCRIBED
from helpers import astray, fine_probe, tolerances_apart, trajectories

from rmsprop_jax import DIALECTS, rmsprop

DTYPES = ["float32", "float64"]
RUNS = [(process, name) for process, names in live.PROCESSES.items() for name in names]

# Nothing that can be installed computes these: their paths are transcriptions.
NOT_RUN = {
    "caffe": "a C++ program, in no Python package; its solver was read",
    "dqn": "Lua for Torch7, in no Python package; its learner was read",
    "hinton": "a lecture: there is no program",
}

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_record = pytest.mark.parametrize("name", parity.RECORDED)
each_run = pytest.mark.parametrize(("process", "name"), RUNS)


def in_dtype(cases, dtype):
    return {case: x for case, x in cases.items() if dtype in x[2]}


def with_dtypes(runs, cases):
    """Each run with each dtype in which it has cases."""
    return [
        (*run, dtype)
        for run in runs
        for dtype in DTYPES
        if in_dtype(cases[run[-1]], dtype)
    ]


def test_every_dialect_was_recorded_or_says_why_not():
    recorded = {
        parity.ROWS[name]
        for name, meta in parity.META.items()
        if meta.get("how") != "transcribed, not run"
    }
    assert recorded == DIALECTS.keys() - NOT_RUN.keys()
    assert parity.META.keys() - set(CASES) == NOT_RUN.keys()


@each_record
def test_record_says_which_version_made_it(name):
    meta = parity.META[name]
    assert meta["source"] if name in NOT_RUN else meta["version"]


@each_record
def test_recorder_still_says_what_was_recorded(name):
    if name in NOT_RUN:
        row = TRANSCRIBED[name]
        rows = {case: (row["class"], args) for case, args in row["cases"].items()}
    else:
        rows = CASES[name]
    assert rows == {case: x[:2] for case, x in parity.RECORDED[name].items()}


@pytest.mark.parametrize("name", NOT_RUN)
@each_dtype
def test_transcription_is_still_that_of_the_record(name, dtype):
    problem = (x.astype(dtype) for x in parity.PROBLEM)
    start, grads, rates = problem
    for case, args in TRANSCRIBED[name]["cases"].items():
        path = np.stack([*TRANSCRIBED[name]["function"](start, grads, rates, **args)])
        recorded = parity.GOLDEN[name][f"{case}/{dtype}/params"]
        assert tolerances_apart(path, recorded, start, dtype) <= 1


def defaults(name):
    """The framework's argument → the default that our row has for it."""
    row = DIALECTS[parity.ROWS[name]]
    values = dataclasses.asdict(row.rule) | dataclasses.asdict(row)
    return {theirs: values[ours] or 0 for ours, theirs in row.names.items()}


@each_record
def test_defaults_are_the_recorded_ones(name):
    # The first case is that of the class's own defaults, but for timm's caution.
    _, args, _ = next(iter(parity.RECORDED[parity.ROWS[name]].values()))
    row = defaults(name)
    assert {x: row[x] for x in args if x in row} == {
        x: value or 0 for x, value in args.items() if x in row
    }


@pytest.mark.parametrize(
    ("name", "dtype"),
    with_dtypes([(name,) for name in parity.RECORDED], parity.RECORDED),
)
def test_dialect_follows_its_record(name, dtype):
    cases = in_dtype(parity.RECORDED[name], dtype)
    paths = [parity.GOLDEN[name][f"{case}/{dtype}/params"] for case in cases]
    # What tf_keras computes with is no choice of its user.
    backend = {"tf_keras": "tensorflow"}.get(name, parity.META[name].get("backend"))
    known = {"backend": backend}
    assert not astray(parity.gaps(name, cases, paths, parity.PROBLEM, dtype, **known))


@each_dtype
def test_optax_dialect_follows_optax(dtype):
    cases, problem = parity.LIVE["optax"], fine_probe()
    paths = parity.optax_paths(cases, problem, dtype)
    assert not astray(parity.gaps("optax", cases, paths, problem, dtype))


@functools.cache
def followed(process):
    """What the installed frameworks of a process compute, all in one go."""
    runs = {
        name: parity.LIVE[name]
        for name in live.PROCESSES[process]
        if not live.missing(process, name)
    }
    return live.follow(process, runs, *fine_probe())


def computed(process, name):
    if lacking := live.missing(process, name):
        pytest.skip(lacking)
    return followed(process)


@pytest.mark.parity
@pytest.mark.parametrize(("process", "name", "dtype"), with_dtypes(RUNS, parity.LIVE))
def test_dialect_follows_the_installed_framework(process, name, dtype):
    _, paths = computed(process, name)
    cases = in_dtype(parity.LIVE[name], dtype)
    paths = [paths[f"{name}/{dtype}/{case}"] for case in cases]
    problem = fine_probe()
    assert not astray(parity.gaps(name, cases, paths, problem, dtype, backend=process))


def differing(name, signature):
    """Arguments whose default is not that of our row, or that do not exist."""
    given = signature["defaults"] | dict.fromkeys(signature["required"])
    return {
        x: (given.get(x, "nothing of that name"), ours)
        for x, ours in defaults(name).items()
        if (given.get(x, x) or 0) != ours
    }


@pytest.mark.parametrize("name", [name for name in CASES if name in DIALECTS])
def test_defaults_are_those_of_the_noted_signature(name):
    noted = parity.SIGNATURES[CASES[name][next(iter(CASES[name]))][0]]
    assert not differing(name, noted)


def test_defaults_are_those_of_optax():
    assert not differing("optax", frameworks.signature(RMSPROP))


@pytest.mark.parity
@each_run
def test_defaults_are_those_of_the_installed_framework(process, name):
    noted, _ = computed(process, name)
    assert not differing(name, noted[name])


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        *(
            pytest.param(name, cases, id=f"{name}-recorded")
            for name, cases in parity.RECORDED.items()
            if name not in parity.WITHOUT_POWER
        ),
        *(pytest.param(*run, id=f"{run[0]}-live") for run in parity.LIVE.items()),
    ],
)
def test_no_wrong_rule_follows(name, cases):
    """Parity has power: each choice made wrong misses by ten tolerances."""
    problem, near = fine_probe(), {}
    for label, (kind, args, dtypes) in cases.items():
        right = parity.textbook(**parity.ours(name, kind, args, peak=problem[2][0]))
        drowned = [
            wrong
            for wrong in parity.wrong_rules(right, problem[2][0])
            if parity.drowned(right, wrong)
        ]
        assert "float64" in dtypes or not drowned
        for dtype in ("float32", "float64") if drowned else ("float32",):
            gap, wrong = parity.nearest_wrong(right, dtype, problem)
            if not gap >= 10:
                near[label, dtype, wrong] = gap
    assert not near


def test_dialects_differ_on_the_probe_exactly_when_their_rules_do():
    """At equal hyperparameters; the probe is real, so complex forms do not count."""
    start, grads, rates = fine_probe()
    rows = {
        name: dataclasses.replace(row, refuses={}, momentum_needs_centered=False)
        for name, row in DIALECTS.items()
    }
    equal = {"decay": 0.9, "eps": 1e-2, "weight_decay": 0.01}
    factories = [
        partial(rmsprop, dialect=row, momentum=momentum, **equal)
        for momentum in (0.9, False)
        for row in rows.values()
    ]
    paths = trajectories(factories, start, grads, rates, np.float64)
    with_trace, without = paths[: len(rows)], paths[len(rows) :]
    for one, other in itertools.combinations(range(len(rows)), 2):
        names = [*rows][one], [*rows][other]
        rules = {
            dataclasses.replace(rows[name].rule, complex_form="refused")
            for name in names
        }
        gap = max(
            tolerances_apart(path[one], path[other], start, np.float64)
            for path in (with_trace, without)
        )
        assert gap >= 10 if len(rules) == 2 else gap <= 1, (names, gap)
