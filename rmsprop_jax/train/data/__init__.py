"""The data of the trainer's tasks, as NumPy arrays. No JAX in here."""
