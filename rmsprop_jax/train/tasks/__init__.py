"""The tasks, by name. A module for each kind of data; what they share is in `task`."""

from rmsprop_jax.train.tasks import images, librispeech, rows, spoken, strings, text

_KINDS = (images, rows, spoken, strings, librispeech, text)
TASKS = {task.name: task for kind in _KINDS for task in kind.TASKS}
