"""Options on top of those of what is gone on with."""

from collections.abc import Callable
from typing import Any

from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Asked
from rmsprop_jax.train.folder import Folder, Kind


def resumed(typed: Callable[[Asked], Asked], kind: Kind, **anew: Any) -> Asked:
    """What is asked for: what is not given is as it was.

    Args:
        typed: Defaults → the options as they were typed.
        kind: Of the folder.
        **anew: Options that are not as they were, and what they are by default.
    """
    asked = typed(kind.start)
    given = options.values(asked)
    folder = given["run"] and Folder(given["run"], kind)
    if not given["resume"] or not folder or not folder.begun_before:
        return asked
    saved = folder.saved()
    asked = typed(options.replace(saved, resume=True, **anew))
    if options.values(asked)["task"] == "auto":
        return options.replace(asked, task=options.values(saved)["task"])
    return asked
