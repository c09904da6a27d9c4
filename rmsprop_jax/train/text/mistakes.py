"""A table of the texts about which a model was wrong, the surest first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rmsprop_jax.files import write_text
from rmsprop_jax.train.text.symbols import Symbols

_COLUMNS = ("confidence", "label", "said", "line", "text")


def write(
    symbols: Symbols,
    labels: Sequence[str],
    test: Mapping[str, np.ndarray],
    answers: np.ndarray,
    sure: np.ndarray,
    path: Path,
) -> None:
    """Write a TSV file: of each mistake the line it is in, and what the model saw.

    Args:
        symbols: What texts are made of.
        labels: What the classes are called.
        test: The texts, their labels and lines.
        answers: The classes that the model says.
        sure: How sure it is.
        path: Where to.
    """
    wrong = np.flatnonzero(test["label"] != answers)
    surest = wrong[np.argsort(-sure[wrong], kind="stable")]
    chosen = {name: values[surest].tolist() for name, values in test.items()}
    rows = zip(
        [f"{share:.4f}" for share in sure[surest]],
        [labels[int(label)] for label in chosen["label"]],
        [labels[int(answer)] for answer in answers[surest]],
        map(str, chosen["line"]),
        map(symbols.text, chosen["symbols"]),
        strict=True,
    )
    # Nothing in a field may end it, or the row.
    lines = (
        "\t".join(" ".join(field.split()) for field in row) for row in (_COLUMNS, *rows)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))
