"""Published settings of sequence models. Data only."""

from rmsprop_jax.published.schedules import Constant, EpochStaircase
from rmsprop_jax.published.setting import Clip, Recipe

SEQUENCES: dict[str, Recipe] = {
    "graves-2013": Recipe(
        dialect="graves",
        values={"decay": 0.95, "eps": 1e-4, "momentum": 0.9},
        rate=Constant(1e-4),
        outside=(
            "derivatives clipped inside the backward pass, before they reach a "
            "weight: at the outputs to [-100, 100], at the LSTM's to [-10, 10]",
        ),
        source="arXiv:1308.0850, eq. 38-45; chainer/chainer@a8e15cb: "
        "chainer/optimizers/rmsprop_graves.py",
        confidence="A-",
    ),
    "ntm": Recipe(
        dialect="graves",
        values={"decay": 0.95, "eps": 1e-4, "momentum": 0.9},
        rate=Constant(None),
        clip=Clip("elements", 10.0),
        outside=(
            "the rate is another for each task (tables 1-3)",
            "of the RMSProp the paper says: the form of Graves (2013), momentum 0.9",
        ),
        source="arXiv:1410.5401, section 4.6",
        confidence="A-",
    ),
    "dnc": Recipe(
        dialect="tf1",
        values={"decay": 0.9, "eps": 1e-10, "momentum": 0.0},
        rate=Constant(1e-4),
        clip=Clip("global norm", 50.0),
        outside=(
            "the task of repeated copying, batch 16; not the settings of the paper",
            "outputs of controller and DNC clipped to [-20, 20]",
        ),
        source="google-deepmind/dnc@f5981c6: train.py:39-45, 112-124",
    ),
    "char-rnn": Recipe(
        dialect="torch",
        values={"decay": 0.95, "eps": 1e-8},
        rate=EpochStaircase(2e-3, 0.97, epochs=1, first=9),
        clip=Clip("elements", 5.0),
        outside=(
            "loss averaged over 50 sequences and summed over 50 steps (a mean over "
            "both: loss_scale=1/50)",
        ),
        source="karpathy/char-rnn@6f9487a: train.lua:42-50, 297-335; "
        "torch/optim@a5ceed7: rmsprop.lua",
    ),
}
