"""Published settings of image models. Data only."""

from dataclasses import replace

from rmsprop_jax.published.schedules import Constant, Cosine, EpochStaircase, Staircase
from rmsprop_jax.published.setting import (
    NORMALIZATION,
    VECTORS,
    VECTORS_AND_DEPTHWISE,
    Clip,
    Recipe,
)

_L2 = "the L2 term that stood in the loss is here: leave it out of yours"
_EMA = "weights and batch-norm statistics averaged for evaluation"
_WARM_EMA = "averaging decay min({}, (1 + t) / (10 + t))"
_SMOOTHED = "label smoothing 0.1"
_STEPS = "steps_per_epoch is images / batch_size, unrounded"
_TPU = "tensorflow/tpu@7dc921f: models/"
_GOOGLE = {"decay": 0.9, "eps": 1e-3, "momentum": 0.9}
_INCEPTION = {"decay": 0.9, "eps": 1.0, "momentum": 0.9}

_EFFICIENTNET = Recipe(
    dialect="tf1",
    values=_GOOGLE,
    rate=Staircase(0.016, 0.97, epochs=2.4, per_batch=256, warmup_epochs=5),
    weight_decay=1e-5,
    spared=NORMALIZATION,
    outside=(
        f"{_EMA}: {_WARM_EMA.format(0.9999)}",
        _SMOOTHED,
        "batch norm momentum 0.99, eps 1e-3",
        "batch 2048 or 4096, 350 epochs",
        _L2,
        _STEPS,
    ),
    source=f"{_TPU}official/efficientnet/utils.py:36-70, 83-101, "
    "main.py:128, 235-250, 292-295, 420-449; arXiv:1905.11946",
)
_EFFICIENTNETV2 = replace(
    _EFFICIENTNET,
    spared=VECTORS,
    outside=(
        f"{_EMA}: {_WARM_EMA.format(0.9999)}",
        _SMOOTHED,
        "batch 4096, 350 epochs",
        _L2,
        _STEPS,
    ),
    source="google/automl@6a54c87: efficientnetv2/utils.py:146-163, "
    "hparams.py:245-262, main.py:129-207; arXiv:2104.00298",
)
_MNASNET = replace(
    _EFFICIENTNET,
    outside=(
        f"{_EMA}: {_WARM_EMA.format(0.9999)}",
        _SMOOTHED,
        "batch norm momentum 0.99, dropout 0.2",
        "batch 1024 or 4096, 350 epochs",
        _L2,
        _STEPS,
    ),
    source=f"{_TPU}official/mnasnet/mnasnet_main.py:417-439, mnas_utils.py, "
    "configs/mnasnet_config.py; arXiv:1807.11626",
)
_TIMM_SOURCE = (
    "huggingface/pytorch-image-models@aa4b585: hfdocs/source/training_script.mdx:{}; "
    "train.py:197, 255; timm/optim/_optim_factory.py:1206"
)
_TIMM_EMA = "weights averaged, decay 0.9999"


def _timm(rate: float, factor: float, line: int, *outside: str) -> Recipe:
    return Recipe(
        dialect="timm",
        values=_GOOGLE,
        rate=EpochStaircase(
            rate, factor, epochs=2.4, warmup_epochs=5, warmup_from=1e-6
        ),
        weight_decay=1e-5,
        spared=VECTORS,
        outside=(*outside, "RandAugment, random erasing"),
        source=_TIMM_SOURCE.format(line),
    )


IMAGES: dict[str, Recipe] = {
    "efficientnet": _EFFICIENTNET,
    "efficientnetv2": _EFFICIENTNETV2,
    "efficientnetv2-imagenet21k": replace(
        _EFFICIENTNETV2,
        rate=Cosine(0.008, per_batch=256, warmup_epochs=1),
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.9999)}",
            "no label smoothing",
            "60 epochs",
            _L2,
            _STEPS,
        ),
        source="google/automl@6a54c87: efficientnetv2/datasets.py ImageNet21k, "
        "utils.py, main.py:129-207",
    ),
    "efficientnetv2-finetune": replace(
        _EFFICIENTNETV2,
        rate=Constant(5e-4, per_batch=256, warmup_epochs=1),
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.9996)}",
            _SMOOTHED,
            "batch 512, 15 epochs and at least 10 000 steps",
            _L2,
            _STEPS,
        ),
        source="google/automl@6a54c87: efficientnetv2/datasets.py ImagenetFt, "
        "utils.py, main.py:129-207",
    ),
    "mnasnet": _MNASNET,
    "mixnet": replace(
        _MNASNET,
        source="tensorflow/tpu@7dc921f: models/official/mnasnet/mixnet/README.md "
        "('same hyper parameters as MnasNet'); arXiv:1907.09595",
    ),
    "timm-efficientnet-b0": _timm(
        0.048, 0.97, 54, "batch 2 x 384, 450 epochs", "dropout 0.2", _TIMM_EMA
    ),
    "timm-efficientnet-b2": _timm(
        0.016, 0.97, 46, "batch 2 x 128, 450 epochs", "dropout 0.3", _TIMM_EMA
    ),
    "timm-efficientnet-es": _timm(
        0.064,
        0.97,
        87,
        "batch 8 x 128, 450 epochs",
        "dropout 0.2",
        "no running average, but the mean of the 8 best checkpoints",
    ),
    "timm-mixnet-xl": _timm(
        0.016, 0.969, 73, "batch 2 x 128, 450 epochs", "dropout 0.3", _TIMM_EMA
    ),
    "timm-mobilenetv3-large": _timm(
        0.064,
        0.973,
        92,
        "batch 2 x 512, 600 epochs",
        "dropout 0.2",
        _TIMM_EMA,
        "noise on the rate from 42 to 90 % of the epochs (--lr-noise .42 .9)",
    ),
    "torchvision-mobilenetv3": Recipe(
        dialect="torch",
        values={"decay": 0.9, "eps": 0.0316, "momentum": 0.9},
        rate=EpochStaircase(0.064, 0.973, epochs=2),
        weight_decay=1e-5,
        outside=(
            "mean of the last 3 checkpoints that improved",
            "batch 8 x 128, 600 epochs",
            "AutoAugment, random erasing 0.2",
        ),
        source="pytorch/vision@017e9b9: references/classification/train.py, README.md",
    ),
    "mobilenetv2-slim": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(0.045, 0.98, epochs=2.5, per_batch=96, whole="stair"),
        weight_decay=4e-5,
        spared=VECTORS_AND_DEPTHWISE,
        outside=(
            "weights averaged for evaluation, decay 0.9999",
            _SMOOTHED,
            "batch_size is 96 x GPUs, and the README's per-clone epochs are counted as "
            "epochs",
            _L2,
            _STEPS,
        ),
        source="tensorflow/models@07ed366: research/slim/train_image_classifier.py; "
        "@0ba83cf: research/slim/nets/mobilenet/README.md, mobilenet.py training_scope",
    ),
    "mobilenetv1-tpu": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(0.165, 0.94, epochs=3, per_batch=256, floor=1e-4, whole="epoch"),
        weight_decay=4e-5,
        spared=VECTORS_AND_DEPTHWISE,
        outside=(f"{_EMA}: {_WARM_EMA.format(0.995)}", _SMOOTHED, "batch 1024", _L2),
        source=f"{_TPU}official/mobilenet/mobilenet.py:167-172, "
        "configs/mobilenet_config.py:19-34; decay of slim's mobilenet_v1_arg_scope",
    ),
    "inception-v3-tpu": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(0.165, 0.94, epochs=3, per_batch=256, floor=1e-4, whole="epoch"),
        weight_decay=4e-5,
        spared=VECTORS,
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.995)}",
            f"{_SMOOTHED}, auxiliary head x 0.4",
            "batch 1024",
            _L2,
        ),
        source=f"{_TPU}experimental/inception/inception_v3.py:87, 128, 178, 249-260, "
        "567-636",
    ),
    "inception-v3-open": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(0.1, 0.16, epochs=30, whole="stair"),
        weight_decay=4e-5,
        spared=VECTORS,
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.9999)}",
            f"{_SMOOTHED}, auxiliary head x 0.4",
            "batch 256 on 8 GPUs, gradients averaged",
            _L2,
        ),
        source="tensorflow/models@4f77686: "
        "research/inception/inception/inception_train.py, inception_model.py",
    ),
    "amoebanet-tpu": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(0.64, 0.9, epochs=1, warmup_epochs=3, floor=1e-4, whole="epoch"),
        weight_decay=4e-5,
        spared=VECTORS,
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.9999)}",
            f"{_SMOOTHED}, auxiliary head x 0.4",
            "batch 256, 48 epochs",
            _L2,
        ),
        source=f"{_TPU}official/amoeba_net/amoeba_net.py, "
        "amoeba_net_model.py:42-44, 94-145, 312-316 (defaults of the command line)",
    ),
    "amoebanet-tpu-fast": Recipe(
        dialect="tf1",
        values=_INCEPTION,
        rate=Staircase(
            2.56, 0.88, epochs=1, warmup_epochs=0.35, floor=1e-4, whole="epoch"
        ),
        weight_decay=4e-5,
        spared=VECTORS,
        outside=(
            f"{_EMA}: {_WARM_EMA.format(0.9999)}",
            f"{_SMOOTHED}, auxiliary head x 0.4",
            "batch 1024, 35 epochs",
            _L2,
        ),
        source=f"{_TPU}official/amoeba_net/README.md, amoeba_net.py",
    ),
    "unet-milesial": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 1e-8, "momentum": 0.999},
        rate=Constant(1e-5),
        clip=Clip("global norm", 1.0, added=1e-6),
        weight_decay=1e-8,
        outside=(
            "rate x 0.1 when the Dice score has not risen 5 times "
            "(optax.contrib.reduce_on_plateau, or set_hyperparams)",
            "batch 1",
        ),
        source="milesial/Pytorch-UNet@21d7850: train.py:31-39, 77-79, 116",
    ),
    "wgan": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 1e-8},
        rate=Constant(5e-5),
        outside=(
            "weights of the critic clamped to [-0.01, 0.01] before each of its steps",
            "5 steps of the critic to one of the generator; 100 in the first 25 and in "
            "every 500th",
            "one of these for each of the two, batch 64",
        ),
        source="martinarjovsky/WassersteinGAN@f7a01e8: main.py:26-42, 161-186; "
        "arXiv:1701.07875, algorithm 1",
    ),
}
