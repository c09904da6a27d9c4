"""The edit distance, exactly: how many mistakes a transcript has."""

from functools import partial

import jax
import jax.numpy as jnp


def edit_distance(said: jax.Array, spoken: jax.Array) -> jax.Array:
    """The fewest insertions, deletions and replacements that make one of the other.

    By rows of Levenshtein's table, each of which is one vector operation:

        c[j] = min(d[j] + 1, d[j − 1] + [sᵢ ≠ tⱼ]),     d[j] ← j + minₖ≤ⱼ (c[k] − k)

    What is negative is no symbol, wherever it stands: transcripts can be padded, or
    have their symbols at the frames where they begin. For use inside `jit`.

    Args:
        said: (..., n), integers.
        spoken: (..., m), integers.

    Returns:
        (...), int32.

    Raises:
        ValueError: If they do not pair.

    Example:
        >>> said, spoken = jnp.array([[1, -1, 2, 3, 3]]), jnp.array([[2, 3, 4]])
        >>> edit_distance(said, spoken).tolist()
        [2]
    """
    if said.shape[:-1] != spoken.shape[:-1] or not said.ndim * spoken.ndim:
        raise ValueError(
            f"said and spoken of shape {said.shape} and {spoken.shape}: expected a "
            "row for each row of the other, (..., n) and (..., m)."
        )
    # It is the same from either side; the rows are worked off one after the other.
    shorter, longer = sorted((said, spoken), key=lambda rows: rows.shape[-1])
    return jnp.vectorize(_distance, signature="(n),(m)->()")(shorter, longer)


def _distance(rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Of one pair, by a scan over the first."""
    # j, which stands still where there is no symbol; so d does, and c = d + 1.
    j = jnp.cumsum(jnp.pad(columns >= 0, (1, 0)), dtype=jnp.int32)

    def row(d, symbol):
        replaced = d[:-1] + (columns != symbol).astype(jnp.int32)
        c = jnp.minimum(d + 1, jnp.concatenate([d[:1] + 1, replaced]))
        return jnp.where(symbol >= 0, j + jax.lax.cummin(c - j), d), None

    return jax.lax.scan(row, j, rows)[0][-1]


def word_distance(said: jax.Array, spoken: jax.Array, space: int) -> jax.Array:
    """The same in words, which are what is between spaces.

    Words are compared by their letters, in the same scan: two are equal up to letters
    i and j if these are equal, and both words begin here or were equal before.

        e[i, j] = [sᵢ = tⱼ] · (e[i − 1, j − 1] or both begin a word)

    Where both end, the words are equal, and there a row or column of Levenshtein's
    table is; at other letters it stands still. For use inside `jit`.

    Args:
        said: (..., n), integers; what is negative is no letter, wherever it stands.
        spoken: (..., m), likewise.
        space: What is between words.

    Returns:
        (...), int32.

    Example:
        >>> said, spoken = jnp.array([[5, 0, 5, 6]]), jnp.array([[5, 0, 6, 5, 0, 7]])
        >>> word_distance(said, spoken, space=0).tolist()
        [2]
    """
    distance = partial(_word_distance, space)
    return jnp.vectorize(distance, signature="(n),(m)->()")(spoken, said)


def word_count(spoken: jax.Array, space: int) -> jax.Array:
    """How many words a row has, int32: (..., n) → (...)."""
    ends = jnp.vectorize(lambda row: _words(row, space)[2], signature="(n)->(n)")
    return ends(spoken).sum(axis=-1, dtype=jnp.int32)


def _words(row: jax.Array, space: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Letters without gaps, and of each whether it begins and ends a word."""
    row = row[jnp.argsort(row < 0, stable=True)]
    letter = (row >= 0) & (row != space)
    begins = letter & ~jnp.pad(letter[:-1], (1, 0))
    ends = letter & ~jnp.pad(letter[1:], (0, 1))
    return row, begins, ends


def _word_distance(space: int, rows: jax.Array, columns: jax.Array) -> jax.Array:
    columns, begins, ends = _words(columns, space)
    j = jnp.cumsum(jnp.pad(ends, (1, 0)), dtype=jnp.int32)

    def row(carry, now):
        d, equal = carry
        symbol, begin, end = now
        before = jnp.pad(equal[:-1], (1, 0))
        equal = (columns == symbol) & jnp.where(begin, begins, before)
        replaced = d[:-1] + (~(equal & ends)).astype(jnp.int32)
        c = jnp.minimum(d + 1, jnp.concatenate([d[:1] + 1, replaced]))
        return (jnp.where(end, j + jax.lax.cummin(c - j), d), equal), None

    start = j, jnp.zeros_like(ends)
    return jax.lax.scan(row, start, _words(rows, space))[0][0][-1]
