"""The trainer's command line, with tones in place of the spoken digits.

What `$RMSPROP_JAX_DATA` names is filled with them first, if it is empty.
"""

import os
import sys
from functools import partial
from pathlib import Path

from test_train_data_fsdd import corpus
from waves_made import recordings

from rmsprop_jax.train.cli import main
from rmsprop_jax.train.data import fsdd

if __name__ == "__main__":
    files = recordings(count=9)
    for name, data in files.items():
        Path(os.environ["RMSPROP_JAX_DATA"], name).write_bytes(data)
    fsdd.load = partial(fsdd.load, corpus=corpus(files=files))
    sys.exit(main(sys.argv[1:]))
