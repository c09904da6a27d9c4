"""Sound: reading it, and what a model sees of it."""
