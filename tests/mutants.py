"""Source edits that some test must catch, with no framework there to compare with.

`python tests/mutants.py [WORD ...]` makes each edit (whose name holds one of the
words, if any are given) in a copy of the package, and runs against that copy the tests
named beside it until one fails. At the end those tests run without any edit, and pass.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from forked_tests import ROOT, copy_to, prepare, said, start, write

RULE, DIALECTS = "test_rule.py", "test_dialects.py"
RECORD = f"{DIALECTS}::test_dialect_follows_its_record[torch-float32]"
DEFAULTS = f"{DIALECTS}::test_defaults_are_the_recorded_ones"
TEXTBOOK = f"{RULE}::test_rule_is_the_textbooks"
CORNERS = f"{RULE}::test_rule_is_the_textbooks_in_the_corners"
COMPLEMENT = "test_hyperparams.py::test_one_minus_decay_is_formed_in_double_precision"
SKIP, GRADIENTS = "test_nonfinite.py", "test_gradients.py"
COUNTER = f"{SKIP}::test_a_bad_step_changes_nothing_but_the_counter"


class Mutant(NamedTuple):
    """A small edit, and the tests that are to notice it."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = [
    Mutant("ε on the other side of the root", "rule.py",
           'return rule.eps_placement == "inside"',
           'return rule.eps_placement != "inside"', TEXTBOOK),
    Mutant("legacy ε inside without a trace too", "rule.py",
           "return slots.trace is not None", "return True", CORNERS),
    Mutant("torch's ε inside the root", "dialects.py",
           'eps_placement="outside", lr', 'eps_placement="inside", lr', RECORD),
    Mutant("torch's learning rate in the trace", "dialects.py",
           'lr_placement="after_trace", w', 'lr_placement="in_trace", w', RECORD),
    Mutant("torch's weight decay decoupled", "dialects.py",
           '"after_trace", weight_decay_form="coupled"',
           '"after_trace", weight_decay_form="decoupled"', RECORD),
    Mutant("torch's default ρ is that of the others", "dialects.py",
           '"split"),\n        learning_rate=1e-2,\n        decay=0.99',
           '"split"),\n        learning_rate=1e-2,\n        decay=0.9', DEFAULTS),
    Mutant("Keras' default ε is that of the others", "dialects.py",
           "eps=1e-7,\n        names=_KERAS_NAMES |",
           "eps=1e-8,\n        names=_KERAS_NAMES |", DEFAULTS),
    Mutant("ν₀ = 1 unless told", "rule.py",
           "nu_init: float = 0.0", "nu_init: float = 1.0", CORNERS),
    Mutant("ν₀ = 0 whatever is told", "tree.py",
           "start(\"nu\", rule.nu_init, ", "start(\"nu\", 0, ", TEXTBOOK),
    Mutant("no (1 − ρ) before g²", "moments.py",
           "nu + weight * jnp.minimum(", "nu + jnp.minimum(", TEXTBOOK),
    Mutant("no ρ before ν", "moments.py",
           "return (1 - weight) * nu + weight", "return nu + weight", TEXTBOOK),
    Mutant("deviation from the old mean", "moments.py",
           "squared(g - mu, ", "squared((g - mu) / kept, ", TEXTBOOK),
    Mutant("an overflowing g² is infinite", "moments.py",
           "jnp.minimum(squared(g, moment), _huge(nu))", "squared(g, moment)",
           "test_stability.py::test_a_gradient_whose_square_overflows_is_forgotten"),
    Mutant("no bias correction", "rule.py",
           "newest_weight(h, count) if rule.bias_correction else h.one_minus_decay",
           "h.one_minus_decay", TEXTBOOK),
    Mutant("bias correction one step late", "rule.py",
           "count.astype(a.dtype) * log_decay",
           "(count.astype(a.dtype) + 1) * log_decay", TEXTBOOK),
    Mutant("no bias correction of ν₀", "rule.py",
           "v = v + rule.nu_init * ", "v = v + 0 * ", TEXTBOOK),
    Mutant("the first corrected variance is 0", "rule.py",
           "jnp.where(count == 1, ", "jnp.where(count == 0, ", TEXTBOOK),
    Mutant("weight of the newest gradient above 1", "rule.py",
           "return jnp.minimum(a, 1)", "return a",
           "test_bias_correction.py::"
           "test_the_first_corrected_average_is_the_first_gradient_alone"),
    Mutant("no variance floor", "rule.py",
           "jnp.maximum(v, h.variance_floor", "jnp.maximum(v, 0", CORNERS),
    Mutant("variance floor relative to the variance", "rule.py",
           "h.variance_floor * (v + ", "h.variance_floor * (v + 0 * ", CORNERS),
    Mutant("0/0 is NaN", "rule.py",
           "return jnp.sqrt(jnp.where(v == 0, jnp.inf, v))", "return jnp.sqrt(v)",
           f"{RULE}::test_nothing_moves_without_a_gradient_or_eps"),
    Mutant("√ without a derivative at 0", "rule.py",
           "root = jnp.where(v == 0, 0.0, jnp.sqrt(jnp.where(v == 0, 1.0, v)))",
           "root = jnp.sqrt(v)",
           f"{GRADIENTS}::test_the_gradient_is_finite_where_nothing_was_ever_seen"),
    Mutant("log ρ without a derivative at 0", "rule.py",
           "jnp.minimum(a, 1 - jnp.finfo(a.dtype).epsneg)", "a",
           f"{GRADIENTS}::test_the_gradient_is_finite_at_no_decay"),
    Mutant("the trace is an average", "rule.py",
           "trace = beta * trace + move", "trace = beta * trace + (1 - beta) * move",
           TEXTBOOK),
    Mutant("Nesterov does not look ahead", "rule.py",
           "move = move + beta * trace if rule.nesterov else trace", "move = trace",
           TEXTBOOK),
    Mutant("decoupled weight decay pushes away from 0", "rule.py",
           "delta = delta - ", "delta = delta + ", TEXTBOOK),
    Mutant("coupled weight decay pushes away from 0", "rule.py",
           "g = g + lam * theta", "g = g - lam * theta", TEXTBOOK),
    Mutant("decoupled weight decay without the learning rate", "rule.py",
           " * alpha * lam * theta", " * lam * theta", TEXTBOOK),
    Mutant("ρ not rounded to float32 where it should be", "rule.py",
           "1 - _float32(h.decay)", "1 - h.decay", CORNERS),
    Mutant("the others not rounded to float32 where they should be", "rule.py",
           "name: _float32(getattr(h, name))", "name: getattr(h, name)", CORNERS),
    Mutant("a complex number is not two reals to torch", "rule.py",
           'if jnp.iscomplexobj(g) and rule.complex_form == "split":', "if False:",
           "test_leaves.py::"
           "test_complex_numbers_go_as_in_the_framework_of_the_dialect"),
    Mutant("schedules run a step ahead", "tree.py",
           "hp.current(given, state.hyperparams, state.count)",
           "hp.current(given, state.hyperparams, count)",
           "test_hyperparams.py::test_any_hyperparameter_may_be_a_schedule"),
    Mutant("updates keep the dtype of the arithmetic", "tree.py",
           "return moved.astype(g.dtype), [", "return moved, [",
           "test_leaf_dtypes.py::test_a_step_keeps_the_types_of_the_state_"
           "and_gives_updates_those_of_gradients"),
    Mutant("1 − ρ in float32", "hyperparams.py",
           "jnp.asarray(1 - np.float64(decay), dtype)", "1 - jnp.asarray(decay, dtype)",
           COMPLEMENT),
    Mutant("the call wins over the state", "hyperparams.py",
           "if source(value) is OWN", 'if source(value) == "nobody"',
           "test_state.py::test_a_number_of_the_states_wins_over_an_edited_call"),
    Mutant("16 bits are enough", "hyperparams.py",
           "dtype.itemsize < 4", "dtype.itemsize < 2",
           "test_injection.py::test_sixteen_bits_are_refused_by_dtype"),
    Mutant("ρ is set where 1 − ρ belongs", "state.py",
           "value = hp.complement(value, dtype)", "value = jnp.asarray(value, dtype)",
           COMPLEMENT),
    Mutant("E[g²] is the variance once the mean is dropped", "conversion.py",
           "variance + squared(mu, moment)", "variance",
           "test_state.py::test_a_state_is_converted_when_an_option_changes"),
    Mutant("a skipped step counts", "skip.py",
           "skipped=choose(state.skipped, more))",
           "skipped=choose(state.skipped, more), count=state.count + choose(0, 1))",
           COUNTER),
    Mutant("a skipped step stays in the moments", "skip.py",
           "jax.tree.map(choose, new_state, old_state)", "new_state", COUNTER),
    Mutant("a skipped update is +0.0", "skip.py",
           "choose(u, -jnp.zeros_like(u))", "choose(u, jnp.zeros_like(u))",
           f"{SKIP}::test_a_skipped_update_is_minus_zero"),
    Mutant("g·g may overflow", "skip.py",
           "[squared(g.astype(working_dtype(g.dtype))) for g in _arrays(grads)]",
           "[jnp.abs(g) for g in _arrays(grads)]", COUNTER),
    Mutant("each device skips for itself", "skip.py",
           "if axis_name is not None:", "if False:",
           "test_groups_nonfinite.py::test_decision_is_joint_over_an_axis"),
    Mutant("bfloat16 is rounded to nearest", "rounding.py",
           "pattern + (bits >> 16)", "pattern + jnp.uint32(0x8000)",
           "test_rounding.py::"
           "test_bfloat16_is_one_of_its_neighbours_and_right_in_the_mean"),
    Mutant("all slots draw the same bits", "rounding.py",
           '"mu": 1, "trace": 2,', '"mu": 0, "trace": 0,',
           "test_state_dtype_wrapped.py::"
           "test_each_slot_is_rounded_by_bits_of_its_own"),
    Mutant("a small array rests in few bits", "state_dtype.py",
           "if size >= max(self.min_size, 1)", "if size",
           "test_state_dtype.py::test_small_arrays_rest_in_float32"),
    Mutant("ν may be rounded to 0", "eight_bits.py",
           "jnp.clip(code, 1, layout.last)", "jnp.clip(code, 0, layout.last)",
           "test_eight_bits.py::test_what_is_positive_stays_positive"),
    Mutant("a row outgrows its window", "eight_bits.py",
           "_pack(anchor, exponent)", "_pack(anchor, anchor)",
           "test_eight_bits.py::test_the_largest_numbers_stay_finite"),
    Mutant("moments are reduced one by one", "eight_bits.py",
           "if x.shape == shape]", "if x is sizes[len(found)]]", "test_eight_bits.py"),
]  # fmt: skip


def edited(mutant):
    """The file as the mutant has it.

    Raises:
        ValueError: If what it replaces is not there exactly once.
    """
    source = (ROOT / "rmsprop_jax" / mutant.file).read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(
            f"{mutant.name}: {mutant.old!r} is {source.count(mutant.old)} times in "
            f"{mutant.file}, expected once."
        )
    return source.replace(mutant.old, mutant.new)


def attacks(mutants, folders):
    """For each mutant as it ends: itself, seconds, exit status, failures, output."""
    waiting, free, running = list(mutants), list(folders), {}
    while waiting or running:
        while waiting and free:
            mutant, folder = waiting.pop(0), free.pop()
            write(folder / "rmsprop_jax" / mutant.file, edited(mutant))
            process = start(folder, mutant.tests.split(), "-x")
            running[process] = mutant, folder, time.monotonic()
        process, status = os.wait()
        mutant, folder, started = running.pop(process)
        source = (ROOT / "rmsprop_jax" / mutant.file).read_text()
        write(folder / "rmsprop_jax" / mutant.file, source)
        free.append(folder)
        seconds = time.monotonic() - started
        yield mutant, seconds, os.waitstatus_to_exitcode(status), *said(folder)


def killers_of(mutants, folders):
    """The tests that killed a mutant, one for each; prints a line per mutant."""
    killers = []
    for mutant, seconds, status, failed, output in attacks(mutants, folders):
        killer = failed[0] if status == 1 and failed else None
        end = {0: "SURVIVED", 1: f"killed by {killer}"}
        if status not in end or (status == 1 and killer is None):
            end[status] = f"BROKEN\n{output}"
        print(f"{seconds:4.0f} s  {mutant.name}: {end[status]}", flush=True)
        killers.append(killer)
    return [killer for killer in killers if killer]


def main(words):
    """Print a line per mutant and how many were killed; whether that was all."""
    chosen = [m for m in MUTANTS if not words or any(w in m.name for w in words)]
    for mutant in chosen:
        edited(mutant)
    prepare()
    with tempfile.TemporaryDirectory() as root:
        workers = min(os.cpu_count() or 1, 4)
        folders = [copy_to(Path(root, str(i))) for i in range(workers)]
        killers = killers_of(chosen, folders)
        status, failed, output = 0, [], ""
        if killers:
            _, ended = os.waitpid(start(folders[0], dict.fromkeys(killers)), 0)
            status = os.waitstatus_to_exitcode(ended)
            failed, output = said(folders[0])
    if status:
        print(f"without any edit: {output}")
    killed = sum(killer not in failed for killer in killers)
    print(f"{killed} of {len(chosen)} mutants killed")
    return status == 0 and 0 < killed == len(chosen)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
