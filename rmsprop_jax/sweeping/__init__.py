"""Choosing hyperparameters: many runs in one compilation, and gradients of a run.

A run is a function of the caller's, or what `training_run` makes of a loss. What is
tried is in `space`, how in `programs`, what came of it in `table`.
"""
