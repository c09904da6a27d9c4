"""`python -m rmsprop_jax.train` is `rmsprop-jax train`, or another of its commands."""

import sys

from rmsprop_jax.train.cli import main

if __name__ == "__main__":
    named = len(sys.argv) > 1 and not sys.argv[1].startswith("-")
    sys.exit(main(sys.argv[1:] if named else ["train", *sys.argv[1:]]))
