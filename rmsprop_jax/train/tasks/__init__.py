"""The tasks, by name. A module for each kind of data; what they share is in `task`."""

from rmsprop_jax.train.tasks import images, rows

TASKS = {task.name: task for task in (*images.TASKS, *rows.TASKS)}
