"""Published settings of reinforcement learning. Data only."""

from rmsprop_jax.published.schedules import Constant, Linear
from rmsprop_jax.published.setting import Clip, Recipe

_TORCH_CLIP = 1e-6  # clip_grad_norm_ adds it to the norm
_FRAMES = (
    "total_steps counts updates: environment steps / (batch x unroll x action repeat)"
)
_DQN = (
    "TD error clipped to [-1, 1]",
    "target network copied every 10 000 steps",
    "update every 4 steps, batch 32",
)
_A3C = (
    "loss summed over the 5 steps of a rollout, value loss x 0.5, entropy 0.01",
    "asynchronous workers that share one second moment",
    "the rate falls with the environment's steps, and here with updates",
)
_A2C = "loss averaged over 5 steps of all environments, value loss x 0.5"
_IMPALA = "loss summed over time and batch (a mean over N: loss_scale=1/N)"
_SCALABLE_AGENT = (
    f"{_IMPALA}: unroll 100, batch 32",
    "no clipping in this code",
    _FRAMES,
)
_TORCHBEAST = "facebookresearch/torchbeast@0af07b0: torchbeast/monobeast.py"

GAMES: dict[str, Recipe] = {
    "dqn-nature": Recipe(
        dialect="dqn",
        values={"decay": 0.95, "eps": 0.01},
        rate=Constant(2.5e-4),
        outside=("gradient summed over the batch (a mean: loss_scale=1/32)", *_DQN),
        source="google-deepmind/dqn@9d9b1d1: dqn/NeuralQLearner.lua:266-277; run_gpu",
    ),
    "dqn-zoo": Recipe(
        dialect="optax",
        values={"decay": 0.95, "eps": 0.01 / 32**2, "centered": True},
        rate=Constant(2.5e-4),
        outside=("loss averaged over the batch", *_DQN),
        source="google-deepmind/dqn_zoo@45061f4: dqn_zoo/dqn/run_atari.py:79-81, "
        "205-210; double_q/run_atari.py:89, 216",
    ),
    "dqn-zoo-prioritized": Recipe(
        dialect="optax",
        values={"decay": 0.95, "eps": 0.01 / 32**2 / 4**2, "centered": True},
        rate=Constant(2.5e-4 / 4),
        outside=("loss averaged over the batch with importance weights", *_DQN),
        source="google-deepmind/dqn_zoo@45061f4: "
        "dqn_zoo/prioritized/run_atari.py:85-87, 246",
    ),
    "dopamine-dqn": Recipe(
        dialect="tf1",
        values={"decay": 0.95, "eps": 1e-5, "momentum": 0.0, "centered": True},
        rate=Constant(2.5e-4),
        outside=("Huber loss averaged over the batch of 32", "target network copied"),
        source="google/dopamine@5873f54: dopamine/tf/agents/dqn/configs/dqn.gin:19-25, "
        "dqn_agent.py:93, 336-342",
    ),
    "minatar-dqn": Recipe(
        dialect="torch",
        values={"decay": 0.95, "eps": 0.01, "centered": True},
        rate=Constant(2.5e-4),
        outside=("smooth L1 loss averaged over the batch of 32", "target network"),
        source="kenjyoung/MinAtar@4241f24: examples/dqn.py:36-46, 282",
    ),
    "a3c": Recipe(
        dialect="chainer",
        values={"decay": 0.99, "eps": 0.1, "eps_placement": "inside"},
        rate=Linear(None),
        outside=(
            *_A3C,
            "the paper draws its rate log-uniformly from 1e-4 to 1e-2, an e-mail of "
            "Mnih's says 7e-4",
            "neither paper nor e-mail say how the second moment begins (here at 0), "
            "or clip (a3c-pfrl does)",
        ),
        source="arXiv:1602.01783; eps from an e-mail quoted at "
        "github.com/muupan/async-rl/wiki",
        confidence="B",
    ),
    "a3c-pfrl": Recipe(
        dialect="chainer",
        values={"decay": 0.99, "eps": 0.1, "eps_placement": "inside"},
        rate=Linear(7e-4),
        clip=Clip("global norm", 40.0, added=_TORCH_CLIP),
        outside=_A3C,
        source="pfnet/pfrl@c8cb332: examples/atari/reproduction/a3c/train_a3c.py:132; "
        "the same in muupan/async-rl@5c5844f: a3c_ale.py:224-226",
        confidence="B",
    ),
    "a3c-miyosuda": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 0.1, "momentum": 0.0},
        rate=Linear(1e-4 * 100**0.4226),
        clip=Clip("each array", 40.0),
        outside=_A3C,
        source="miyosuda/async_deep_reinforce@169f52f: constants.py, "
        "rmsprop_applier.py",
        confidence="B",
    ),
    "a2c-baselines": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 1e-5, "momentum": 0.0},
        rate=Linear(7e-4, at_batch_end=True),
        clip=Clip("global norm", 0.5),
        outside=(
            f"{_A2C}, entropy 0.01",
            "batch_size is 5 x environments, as many as CPUs by default",
            "total_steps counts updates: environment steps / batch_size",
        ),
        source="openai/baselines@ea25b9e: baselines/a2c/a2c.py:34, 84, 121-131, "
        "utils.py Scheduler",
    ),
    "a2c-stable-baselines": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 1e-5, "momentum": 0.0},
        rate=Constant(7e-4),
        clip=Clip("global norm", 0.5),
        outside=(f"{_A2C.replace('0.5', '0.25')}, entropy 0.01",),
        source="hill-a/stable-baselines@259f278: stable_baselines/a2c/a2c.py:67, 184",
    ),
    "a2c-sb3": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 1e-5},
        rate=Constant(7e-4),
        clip=Clip("global norm", 0.5, added=_TORCH_CLIP),
        outside=(f"{_A2C}, entropy 0",),
        source="DLR-RM/stable-baselines3@e05d2db: "
        "stable_baselines3/a2c/a2c.py:77, 126-127",
    ),
    "a2c-sb3-tflike": Recipe(
        dialect="sb3",
        values={"decay": 0.99, "eps": 1e-5},
        rate=Constant(7e-4),
        clip=Clip("global norm", 0.5, added=_TORCH_CLIP),
        outside=(
            f"{_A2C.replace('0.5', '0.25')}, entropy 0.01, 16 environments on Atari",
        ),
        source="DLR-RM/stable-baselines3@e05d2db: docs/guide/migration.md:96; "
        "DLR-RM/rl-baselines3-zoo@22e3ff2: hyperparams/a2c.yml:19",
    ),
    "a2c-ikostrikov": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 1e-5},
        rate=Constant(7e-4),
        clip=Clip("global norm", 0.5, added=_TORCH_CLIP),
        outside=(f"{_A2C}, entropy 0.01", "a linear decay is a flag there, and off"),
        source="ikostrikov/pytorch-a2c-ppo-acktr-gail@41332b7: "
        "a2c_ppo_acktr/algo/a2c_acktr.py:30, arguments.py",
    ),
    "acer-baselines": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 1e-5, "momentum": 0.0},
        rate=Constant(7e-4),
        clip=Clip("global norm", 10.0),
        outside=(
            "policy averaged, 0.99, and a trust region around it",
            "20 steps an update, replay ratio 4",
            "constant is its choice for Atari; elsewhere the rate falls to 0 with the "
            "environment's steps: set_hyperparams(state, learning_rate=...)",
        ),
        source="openai/baselines@ea25b9e: baselines/acer/acer.py:183, 276, defaults.py",
    ),
    "acer-pfrl": Recipe(
        dialect="chainer",
        values={"decay": 0.99, "eps": 4e-3, "eps_placement": "inside"},
        rate=Linear(7e-4),
        clip=Clip("global norm", 40.0, added=_TORCH_CLIP),
        outside=(
            "asynchronous workers that share one second moment",
            "the rate falls with the environment's steps, and here with updates",
            "its own values, not the paper's",
        ),
        source="pfnet/pfrl@c8cb332: examples/atari/train_acer_ale.py",
    ),
    "impala-paper": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 0.01, "momentum": 0.0},
        rate=Linear(6e-4),
        clip=Clip("global norm", 40.0),
        outside=(
            f"{_IMPALA}: unroll 20, batch 32",
            "baseline 0.5, entropy 0.01",
            "decay and dialect are not in the table, but in the authors' code",
            _FRAMES,
        ),
        source="arXiv:1802.01561, table G.1",
        confidence="A-",
    ),
    "impala-dmlab": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 0.1, "momentum": 0.0},
        rate=Linear(4.8e-4),
        outside=_SCALABLE_AGENT,
        source="google-deepmind/scalable_agent@6c0c8a7: experiment.py:87-90, 399-403",
    ),
    "impala-dmlab30": Recipe(
        dialect="tf1",
        values={"decay": 0.99, "eps": 0.1, "momentum": 0.0},
        rate=Linear(3.1866995608948655e-4),
        outside=(
            *_SCALABLE_AGENT,
            "entropy 3.3391318945337044e-3, 1e10 frames of the environment",
        ),
        source="google-deepmind/scalable_agent@6c0c8a7: README.md",
    ),
    "impala-torchbeast": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 0.01},
        rate=Linear(4.8e-4),
        clip=Clip("global norm", 40.0, added=_TORCH_CLIP),
        outside=(f"{_IMPALA}: unroll 80, batch 8", "entropy 0.0006", _FRAMES),
        source=f"{_TORCHBEAST}:84-92, 387-398",
    ),
    "impala-torchbeast-pong": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 0.01},
        rate=Linear(4e-4),
        clip=Clip("global norm", 40.0, added=_TORCH_CLIP),
        outside=(f"{_IMPALA}: unroll 80, batch 4", "entropy 0.01, 3e7 steps", _FRAMES),
        source="facebookresearch/torchbeast@0af07b0: README.md",
    ),
    "impala-cleanba": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 0.01},
        rate=Linear(6e-4, held=4),
        clip=Clip("global norm", 40.0),
        outside=(
            f"{_IMPALA}: 20 steps, 32 environments a device",
            "gradients averaged over devices, before clipping",
            "total_steps counts updates: 4 minibatches for each iteration",
        ),
        source="vwxyzjn/cleanba@d1f8979: cleanba/cleanba_impala.py:62-82, 141-190, "
        "515-541",
    ),
    "impala-catch": Recipe(
        dialect="optax",
        values={"decay": 0.99, "eps": 1e-7},
        rate=Constant(5e-3),
        outside=(f"{_IMPALA}: unroll 20, batch 2",),
        source="google-deepmind/dm-haiku@f4d858a: examples/impala/run_catch.py:59, "
        "impala_lite.py:219",
    ),
    "pymarl": Recipe(
        dialect="torch",
        values={"decay": 0.99, "eps": 1e-5},
        rate=Constant(5e-4),
        clip=Clip("global norm", 10.0, added=_TORCH_CLIP),
        outside=(
            "squared error averaged over the mask, 32 episodes",
            "target network copied every 200 episodes",
            "QMIX, VDN, IQL, QTRAN; COMA: 8 episodes, one of these for the actor and "
            "one for the critic",
        ),
        source="oxwhirl/pymarl@c971afd: src/config/default.yaml:31-37, "
        "src/learners/q_learner.py:30, 97-103",
    ),
}
