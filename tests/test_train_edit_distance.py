from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rmsprop_jax.train.audio.edit_distance import (
    edit_distance,
    word_count,
    word_distance,
)

distances = jax.jit(edit_distance)
word_distances = jax.jit(word_distance, static_argnums=2)


def levenshtein(said, spoken):
    """The textbook's table, one cell after the other."""
    said, spoken = ([x for x in row if x >= 0] for row in (said, spoken))
    above = list(range(len(spoken) + 1))
    for i, a in enumerate(said, start=1):
        row = [i]
        for j, b in enumerate(spoken, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
        above = row
    return above[-1]


def rows(rng, count, length, symbols, gaps):
    """Random symbols, some of them replaced by -1, wherever they stand."""
    drawn = rng.integers(symbols, size=(count, length))
    return np.where(rng.random((count, length)) < gaps, -1, drawn).astype(np.int32)


@pytest.mark.parametrize("gaps", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("n", "m"), [(7, 7), (30, 7), (5, 12), (1, 1)])
def test_the_distance_is_that_of_the_textbook_from_either_side(n, m, gaps):
    rng = np.random.default_rng([n, m])
    said, spoken = (rows(rng, 200, length, 4, gaps) for length in (n, m))
    expected = [levenshtein(a, b) for a, b in zip(said, spoken, strict=True)]
    np.testing.assert_array_equal(distances(said, spoken), expected)
    np.testing.assert_array_equal(distances(spoken, said), expected)


def test_every_pair_of_short_strings_is_exact():
    strings = [
        (*text, *[-1] * (4 - length))
        for length in range(5)
        for text in product(range(2), repeat=length)
    ]
    pairs = np.array(list(product(strings, strings)), np.int32)
    expected = [levenshtein(a, b) for a, b in pairs]
    np.testing.assert_array_equal(distances(pairs[:, 0], pairs[:, 1]), expected)


@pytest.mark.parametrize(
    ("said", "spoken", "distance"),
    [
        ([-1, -1], [3, -1], 1),
        ([-1, -1], [-1, -1], 0),
        ([1, 2, 3], [2, 3, 1], 2),
        ([5, 5, 5, 5], [5, 5], 2),
        ([], [1, 2], 2),
        ([1, 2], [], 2),
    ],
    ids=str,
)
def test_nothing_costs_what_is_missing(said, spoken, distance):
    said, spoken = (jnp.array([x], jnp.int32) for x in (said, spoken))
    assert distances(said, spoken).tolist() == [distance]


def test_it_holds_for_arrays_of_any_leading_shape_and_for_one_pair():
    rng = np.random.default_rng(0)
    said, spoken = rows(rng, 6, 9, 3, 0.2), rows(rng, 6, 5, 3, 0.2)
    flat = distances(said, spoken)
    folded = distances(said.reshape(2, 3, 9), spoken.reshape(2, 3, 5))
    np.testing.assert_array_equal(folded, flat.reshape(2, 3))
    assert distances(said[0], spoken[0]).shape == ()


@pytest.mark.parametrize("other", [(3, 4), (4,), ()], ids=str)
def test_strings_that_do_not_pair_are_refused(other):
    for rows in ((2, 4), (4,))[: 1 + (other == ())]:
        with pytest.raises(ValueError, match=r"a row for each row"):
            edit_distance(jnp.zeros(rows, jnp.int32), jnp.zeros(other, jnp.int32))


SPACE = 1


def words(row):
    """As tuples of letters."""
    text = "".join("abcdefg"[symbol] for symbol in row if symbol >= 0)
    return text.split("abcdefg"[SPACE])


def numbered(texts):
    """Words as numbers, for the textbook's table; no word is none."""
    names = sorted({word for text in texts for word in text} - {""})
    return [[names.index(word) for word in text if word] for text in texts]


@pytest.mark.parametrize("gaps", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("n", "m"), [(25, 25), (60, 25), (9, 40), (1, 1)])
def test_the_distance_in_words_is_that_of_the_textbook(n, m, gaps):
    rng = np.random.default_rng([n, m])
    # Of few letters, so that many words are alike or begin and end alike.
    said, spoken = (rows(rng, 200, length, 3, gaps) for length in (n, m))
    pairs = zip(said, spoken, strict=True)
    expected = [levenshtein(*numbered([words(a), words(b)])) for a, b in pairs]
    np.testing.assert_array_equal(word_distances(said, spoken, SPACE), expected)
    counts = [len([word for word in words(row) if word]) for row in spoken]
    np.testing.assert_array_equal(word_count(spoken, SPACE), counts)
