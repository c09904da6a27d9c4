"""The tasks, by name. A module for each kind of data; what they share is in `task`."""

from rmsprop_jax.train.tasks import images, librispeech, rows, spoken, strings

_OF_ALL = (images.TASKS, rows.TASKS, spoken.TASKS, strings.TASKS, librispeech.TASKS)
TASKS = {task.name: task for tasks in _OF_ALL for task in tasks}
