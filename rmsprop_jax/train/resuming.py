"""Options of what is gone on with: the same, but for those that change no number."""

import dataclasses
from collections.abc import Collection
from typing import Any

from rmsprop_jax.train.config import flag


def gone_on(given: Any, saved: Any, may_differ: Collection[str], what: str) -> Any:
    """`given`, where `auto` is the task that it was before.

    Args:
        given: The options, those of `saved` where none is given.
        saved: Those that it began with.
        may_differ: The names of those that are free.
        what: Such as `sweep`, for the message.

    Raises:
        ValueError: If another one differs.
    """
    if given.task == "auto":
        given = dataclasses.replace(given, task=saved.task)
    for field in dataclasses.fields(saved):
        value, was = getattr(given, field.name), getattr(saved, field.name)
        if field.name not in may_differ and value != was:
            raise ValueError(
                f"{flag(field.name)} {value}: the {what} in {given.run} has {was}. "
                "Leave the option out to go on with it, or choose another --run."
            )
    return given
