"""Numbers and comparisons of the README that are no measurements, as they stand there.

A phrase answers for what is in it. Each is as long as it takes to mean one thing, and a
test fails when the page does not say it any more.
"""

VERSIONS = (
    "Python ≥ 3.11",
    "Python 3.11 or later",
    "Python 3.11 with JAX 0.6.2, Optax 0.2.8 and NumPy 2.0.0",
    "JAX 0.10.2, Optax 0.2.8 and NumPy 2.4.6",
    "the trainer needs JAX 0.10.",
    "Version 0.1.0",
    "**0.1.0**",
    "tf.keras before 2.11",
    "Keras 3 runs",
    "From TensorFlow 1,",
    "those of TensorFlow 1,",
)
# What something is, by definition or by choice.
GIVEN = (
    "the decades of 1 − x",
    "the best third three times as long",
    "what 0 and",
    "start ν at 1,",
    "momentum of 0 is",
    "where 0.0 keeps a trace",
    "ν starts at 1 and not at 0",
    "forms 1 − ρ",
    "The trace exists at momentum 0",
    "if ρ is near 1;",
    "here 1/N:",
    "the 0-based number of the step",
    "1 − ρ is formed from that: 1.00017e-4 for 0.9999,",
    "its 1 − ρ formed first, 1e-4,",
    "arrays of fewer than 4 096 elements",
    "the update is −0.0",
    "ZeRO, stage 1",
    "rows are shorter than 128), 29 octaves of ν wide",
    "(those below 0.01 before the learning rate aside)",
    "20 000 times smaller than the largest of their row",
    "an update below 1/512 of themselves",
    "at most 300 lines, a function 60.",
)
# What was measured, not what came of it.
SETTINGS = (
    "the 1,797 digits",
    "the 124 M parameters of GPT-2",
    "10 000 of its images, 80 to 640 steps each; ≤ 64 points, 3 seeds;",
    "the largest ε of the map, 1e-1 beside the root",
    "after 80 steps",
    "its first rung of 10 steps",
    "(ρ from 0.9 to 0.9999,",
    "95 % intervals",
    "24 whole short trainings each, then five fresh seeds",
    "by a 95 % interval",
    "at ρ = 0.999, it follows",
    "nothing is above −60 dB is",
    "openslr.org/12)",
    "rate than 16 kHz",
    "notebook 06 shows",
    "up to 256 words (of 1 000 texts",
    "up to 1 024 bytes",
)
# What came of it, in words; that it is so is tested in `test_benchmark_words.py`.
IN_WORDS = (
    "1e-3 was within an octave of the best in the three dialects with ν₀ = 0",
    "PyTorch's default of 1e-2 is three octaves too high there",
    "where 1e-3 is too small for 640 steps",
    "ν₀ = 1 (",
    "hears two of the 300 recordings more",
)

NOT_MEASURED = VERSIONS + GIVEN + SETTINGS + IN_WORDS
