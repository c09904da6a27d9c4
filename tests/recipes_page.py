"""Published settings, typed a second time and by hand from where they were published.

Nothing here is computed from the rows. Rates are worked out on paper for the steps and
the arguments that stand beside them; `spared` says which of a conv's bias (b), a batch
norm's scale and bias (n) and a depthwise kernel (d) do not decay.
"""

from typing import NamedTuple


class Page(NamedTuple):
    dialect: str
    decay: float
    eps: float
    place: str
    rates: dict  # 0-based step -> learning rate
    beta: float | None = None
    centered: bool = False
    nu0: float = 0.0
    clip: tuple | None = None
    decays: float | None = None
    spared: str = ""
    given: dict | None = None


def tf1(decay, eps, rates, beta=0.0, **rest):
    return Page("tf1", decay, eps, "inside", rates, beta=beta, nu0=1.0, **rest)


def torch(decay, eps, rates, **rest):
    return Page("torch", decay, eps, "outside", rates, **rest)


def tpu(rates, spared, decays=4e-5, **given):
    return tf1(0.9, 1.0, rates, 0.9, decays=decays, spared=spared, given=given)


def timm(rates):
    given = {"steps_per_epoch": 10}
    return Page(
        "timm", 0.9, 0.001, "inside", rates, 0.9, False, 1.0, None, 1e-5, "bn", given
    )


def efficientnet(rates, spared, **given):
    return tf1(0.9, 0.001, rates, 0.9, decays=1e-5, spared=spared, given=given)


def line(rate):
    return {0: rate, 1: 0.75 * rate, 2: 0.5 * rate, 3: 0.25 * rate, 4: 0, 9: 0}


# Stairs of 2400 steps; the warm-up of 5000 ends on the third of them.
B4096 = {0: 0, 2500: 0.128, 4999: 0.2559488, 5000: 0.2408704, 7199: 0.2408704} | {
    7200: 0.233644288,
    349999: 0.003091301993,
}
# 625.57 steps an epoch: warm-up of 3127 steps, stairs of 1501.37.
B2048 = {3126: 0.1279590662, 3127: 0.1204352, 4504: 0.1204352, 4505: 0.116822144} | {
    218948: 0.00154565099662
}
E4096 = {"batch_size": 4096, "steps_per_epoch": 1000}
INCEPTION = {0: 0.66, 3752: 0.66, 3753: 0.6204, 37530: 0.3554859753, 562950: 6.6e-5}
FOUR = {"total_steps": 4}

PAGE = {
    "dqn-nature": Page("dqn", 0.95, 0.01, "inside", {0: 0.00025}, centered=True),
    "dqn-zoo": Page("optax", 0.95, 9.765625e-6, "inside", {0: 0.00025}, centered=True),
    "dqn-zoo-prioritized": Page(
        "optax", 0.95, 6.103515625e-7, "inside", {0: 6.25e-5}, centered=True
    ),
    "dopamine-dqn": tf1(0.95, 0.00001, {0: 0.00025}, centered=True),
    "minatar-dqn": torch(0.95, 0.01, {0: 0.00025}, centered=True),
    "a3c": Page(
        "chainer", 0.99, 0.1, "inside", line(4e-4), given=FOUR | {"learning_rate": 4e-4}
    ),
    "a3c-pfrl": Page(
        "chainer",
        0.99,
        0.1,
        "inside",
        line(0.0007),
        clip=("global norm", 40, 1e-6),
        given=FOUR,
    ),
    "a3c-miyosuda": tf1(
        0.99, 0.1, line(0.00070016436), clip=("each array", 40, 0), given=FOUR
    ),
    # 16 environments for 5 steps, 80 000 000 samples; n = 79, 159, ..., 79 999 999.
    "a2c-baselines": tf1(
        0.99,
        0.00001,
        {
            0: 0.00069999930875,
            1: 0.00069999860875,
            499999: 0.00035000000875,
            999999: 8.75e-12,
        },
        clip=("global norm", 0.5, 0),
        given={"total_steps": 1_000_000, "batch_size": 80},
    ),
    "a2c-stable-baselines": tf1(
        0.99, 0.00001, {0: 0.0007}, clip=("global norm", 0.5, 0)
    ),
    "a2c-sb3": torch(0.99, 0.00001, {0: 0.0007}, clip=("global norm", 0.5, 1e-6)),
    "a2c-sb3-tflike": Page(
        "sb3",
        0.99,
        0.00001,
        "inside",
        {0: 0.0007},
        nu0=1.0,
        clip=("global norm", 0.5, 1e-6),
    ),
    "a2c-ikostrikov": torch(
        0.99, 0.00001, {0: 0.0007}, clip=("global norm", 0.5, 1e-6)
    ),
    "acer-baselines": tf1(0.99, 0.00001, {0: 0.0007}, clip=("global norm", 10, 0)),
    "acer-pfrl": Page(
        "chainer",
        0.99,
        0.004,
        "inside",
        line(0.0007),
        clip=("global norm", 40, 1e-6),
        given=FOUR,
    ),
    "impala-paper": tf1(
        0.99, 0.01, line(0.0006), clip=("global norm", 40, 0), given=FOUR
    ),
    "impala-dmlab": tf1(0.99, 0.1, line(0.00048), given=FOUR),
    "impala-dmlab30": tf1(0.99, 0.1, line(0.00031866995608948655), given=FOUR),
    "impala-torchbeast": torch(
        0.99, 0.01, line(0.00048), clip=("global norm", 40, 1e-6), given=FOUR
    ),
    "impala-torchbeast-pong": torch(
        0.99, 0.01, line(0.0004), clip=("global norm", 40, 1e-6), given=FOUR
    ),
    "impala-cleanba": torch(
        0.99,
        0.01,
        {0: 0.0006, 3: 0.0006, 4: 0.0003, 7: 0.0003, 8: 0},
        clip=("global norm", 40, 0),
        given={"total_steps": 8},
    ),
    "impala-catch": Page("optax", 0.99, 1e-7, "inside", {0: 0.005}),
    "pymarl": torch(0.99, 0.00001, {0: 0.0005}, clip=("global norm", 10, 1e-6)),
    "efficientnet": efficientnet(B4096, "n", **E4096),
    "efficientnetv2": efficientnet(
        B2048, "bn", batch_size=2048, steps_per_epoch=1281167 / 2048
    ),
    "efficientnetv2-imagenet21k": efficientnet(
        {0: 0, 500: 0.064, 1000: 0.1279122902, 30000: 0.064, 60000: 0},
        "bn",
        total_steps=60_000,
        **E4096,
    ),
    "efficientnetv2-finetune": efficientnet(
        {0: 0, 50: 0.0005, 100: 0.001, 10_000: 0.001},
        "bn",
        batch_size=512,
        steps_per_epoch=100,
    ),
    "mnasnet": efficientnet(B4096, "n", **E4096),
    "mixnet": efficientnet(B2048, "n", batch_size=2048, steps_per_epoch=1281167 / 2048),
    "timm-efficientnet-b0": timm(
        {0: 1e-6, 10: 0.0096008, 49: 0.0384002, 50: 0.0451632, 369: 0.030396057}
    ),
    "timm-efficientnet-b2": timm(
        {0: 1e-6, 19: 0.0032008, 79: 0.0150544, 80: 0.014602768, 120: 0.0137397444}
        | {4490: 5.3756909177e-5}
    ),
    "timm-efficientnet-es": timm(
        {0: 1e-6, 10: 0.0128008, 40: 0.0512002, 50: 0.0602176, 360: 0.0405280761}
    ),
    "timm-mixnet-xl": timm(
        {0: 1e-6, 10: 0.0032008, 40: 0.0128002, 50: 0.015023376, 360: 0.00997646397}
    ),
    "timm-mobilenetv3-large": timm(
        {0: 1e-6, 10: 0.0128008, 40: 0.0512002, 50: 0.060590656, 360: 0.0424494999}
    ),
    "torchvision-mobilenetv3": torch(
        0.9,
        0.0316,
        {0: 0.064, 19: 0.064, 20: 0.062272, 39: 0.062272, 40: 0.060590656},
        beta=0.9,
        decays=1e-5,
        given={"steps_per_epoch": 10},
    ),
    # 8 GPUs of 96: 1668.19 steps an epoch, stairs of 4170.
    "mobilenetv2-slim": tpu(
        {0: 0.36, 4169: 0.36, 4170: 0.3528, 29190: 0.3125251920},
        "bnd",
        batch_size=768,
        steps_per_epoch=1281167 / 768,
    ),
    # 1251.14 steps an epoch, of which 1251 count: stairs of 3753.
    "mobilenetv1-tpu": tpu(
        INCEPTION, "bnd", batch_size=1024, steps_per_epoch=1281167 / 1024
    ),
    "inception-v3-tpu": tpu(
        INCEPTION, "bn", batch_size=1024, steps_per_epoch=1281167 / 1024
    ),
    # 5004.56 steps an epoch: stairs of 150 136.
    "inception-v3-open": tpu(
        {0: 0.1, 150_135: 0.1, 150_136: 0.016, 300_272: 0.00256},
        "bn",
        steps_per_epoch=1281167 / 256,
    ),
    # The floor holds in the warm-up of 15 012 steps too; 5004.6 are an epoch.
    "amoebanet-tpu": tpu(
        {0: 6.4e-5, 1: 6.4e-5, 7506: 0.32, 15011: 0.6399573674, 15012: 0.46656}
        | {20015: 0.46656, 20016: 0.419904, 440352: 6.4e-5},
        "bn",
        steps_per_epoch=1281167 / 256,
    ),
    "amoebanet-tpu-fast": tpu(
        {0: 0.000256, 218: 1.2770709382, 437: 2.56, 1250: 2.56, 1251: 2.2528},
        "bn",
        steps_per_epoch=1281167 / 1024,
    ),
    "unet-milesial": torch(
        0.99, 1e-8, {0: 0.00001}, beta=0.999, decays=1e-8, clip=("global norm", 1, 1e-6)
    ),
    "wgan": torch(0.99, 1e-8, {0: 0.00005}),
    "graves-2013": Page(
        "graves", 0.95, 0.0001, "inside", {0: 0.0001}, beta=0.9, centered=True
    ),
    "ntm": Page(
        "graves",
        0.95,
        0.0001,
        "inside",
        {0: 0.0003},
        beta=0.9,
        centered=True,
        clip=("elements", 10, 0),
        given={"learning_rate": 0.0003},
    ),
    "dnc": tf1(0.9, 1e-10, {0: 0.0001}, clip=("global norm", 50, 0)),
    "char-rnn": torch(
        0.95,
        1e-8,
        {0: 0.002, 99: 0.002, 100: 0.00194, 110: 0.0018818, 499: 0.00059142457},
        clip=("elements", 5, 0),
        given={"steps_per_epoch": 10},
    ),
}

# What the page marks as incomplete or ambiguous, and why.
NOT_SHIPPED = {
    "mobilenetv3-paper": "decay and eps unstated, the decay of the rate ambiguous",
    "mobilenetv2-paper": "eps unstated",
    "inception-v3-paper": "momentum of the RMSProp unstated",
    "inception-v4-paper": "momentum of the RMSProp unstated",
    "nasnet": "rate, momentum and L2 unstated",
    "amoebanet-paper": "text not found",
    "dnc-paper": "momentum known from a third party only",
    "ape-x": "no source",
    "fbnet": "no source",
    "deepspeech": "no source",
    "relation-networks": "no source",
}
