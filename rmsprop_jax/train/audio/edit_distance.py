"""The edit distance, exactly: how many mistakes a transcript has."""

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
