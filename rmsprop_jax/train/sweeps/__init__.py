"""`rmsprop-jax sweep` and `rmsprop-jax range-test`: values found by trying many.

How trials are run and chosen is in `rmsprop_jax.sweeping`; here are the trainer's tasks
as runs of that kind, what is asked for, and what is shown.
"""
