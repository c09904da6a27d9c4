"""A whole step, compiled for an H200 and a TPU v5e on a machine with neither.

`pytest -m deviceless`, with the extra `deviceless`. Bytes are counted as
`benchmarks.deviceless` says; its command writes the receipts.
"""

import json

import pytest

from benchmarks import deviceless

pytestmark = pytest.mark.deviceless

# Program → kernels an array, and bytes a parameter: each input read once and each
# output written once, as few as there can be.
FLOOR = {
    "optax.rmsprop": (1, 20),
    "float32": (1, 20),
    "weight decay": (1, 20),
    "momentum": (1, 28),
    "nesterov": (1, 28),
    "centered": (1, 28),
    "centered, momentum": (1, 36),
    # The norm, and the finiteness, are one more read of the gradient.
    "clipping": (2, 24),
    "skip_nonfinite": (2, 24),
    "bfloat16": (1, 16),
    "bfloat16, momentum": (1, 20),
    "int8": (1, 14),
    "int8 and bfloat16 momentum": (1, 18),
    "int8, skip_nonfinite": (2, 18),
    "int8, rows over 4 devices": (1, 14),
    "int8, columns over 4 devices": (1, 14),
}
# Two 8-bit moments and the step are more than XLA takes for one kernel, but that of the
# centered form on an H200: bytes at most, as they were counted.
ABOVE = {
    "int8, momentum": {"h200": 30, "v5e": 22},
    "int8, centered": {"h200": 16, "v5e": 22},
    "int8, centered, momentum": {"h200": 33, "v5e": 25},
}
# Scales of rows, scalars, and what one reduction hands the next.
SMALL = 0.1

each_target = pytest.mark.parametrize("target", deviceless.TARGETS)
each_program = pytest.mark.parametrize("program", FLOOR)


@pytest.fixture(scope="module")
def rows():
    """Target → program → what was counted, compiled when it is first asked for."""
    found = {}

    def of(target):
        if absent := deviceless.missing(target):
            pytest.skip(f"not installed: {', '.join(absent)}")
        if target not in found:
            its_rows = deviceless.measured(target, [])
            found[target] = {row["program"]: row for row in its_rows}
        return found[target]

    return of


@each_target
def test_every_program_is_compiled(rows, target):
    assert set(rows(target)) == {*FLOOR, *ABOVE, "float32, 4 leaves"}


@each_target
@each_program
def test_an_array_is_one_kernel(rows, target, program):
    assert rows(target)[program]["kernels_a_leaf"] == FLOOR[program][0]


@each_target
@each_program
def test_the_bytes_are_the_floor(rows, target, program):
    _, floor = FLOOR[program]
    assert floor <= rows(target)[program]["bytes_a_parameter"] < floor + SMALL


@each_target
@each_program
def test_no_temporary_is_near_an_array(rows, target, program):
    assert rows(target)[program]["temp_bytes"] < 4096 * 4096 / 50


@each_target
def test_many_arrays_move_no_more_bytes_each(rows, target):
    moved = rows(target)["float32, 4 leaves"]["bytes_a_parameter"]
    assert 20 <= moved < 20 + SMALL


def test_arrays_alike_are_a_kernel_each_on_a_gpu(rows):
    """A TPU may split one of them, to begin before all of it is there."""
    assert rows("h200")["float32, 4 leaves"]["kernels_a_leaf"] == 1


@each_target
def test_rows_on_different_devices_do_not_talk(rows, target):
    assert rows(target)["int8, rows over 4 devices"]["collectives"] == []


@each_target
def test_split_rows_exchange_their_maxima_only(rows, target):
    (talk,) = rows(target)["int8, columns over 4 devices"]["collectives"]
    assert talk.startswith("all-reduce")
    assert talk.endswith(", 4096 elements")


@each_target
@pytest.mark.parametrize("program", ABOVE)
def test_two_moments_in_8_bits_move_no_more_bytes_than_they_did(rows, target, program):
    most = ABOVE[program][target]
    assert rows(target)[program]["bytes_a_parameter"] < most + SMALL


def test_the_centered_form_in_8_bits_is_one_kernel_on_a_gpu(rows):
    row = rows("h200")["int8, centered"]
    assert (row["kernels_a_leaf"], row["copies_a_leaf"]) == (1, 0)
    assert row["temp_bytes"] < 4096 * 4096 / 50


@each_target
def test_a_moment_of_its_own_kernel_is_seen(rows, target):
    """Power: the programs that are above the floor are counted so."""
    assert rows(target)["int8, momentum"]["bytes_a_parameter"] > 16 + SMALL


def test_the_receipts_are_of_these_programs():
    lines = deviceless.RESULTS.read_text().splitlines()
    latest = {(x["target"], x["program"]): x for x in map(json.loads, lines)}
    programs = {*FLOOR, *ABOVE, "float32, 4 leaves"}
    targets = deviceless.TARGETS.values()
    assert set(latest) == {(x, y) for x in targets for y in programs}
