"""A torch run that goes on in JAX beside itself, and comes back."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from conv_problem import (
    AFTER,
    BATCHES,
    BEFORE,
    BESIDE,
    HYPERPARAMS,
    X,
    Y,
    continue_beside,
    flat,
    follower,
    gaps,
    like,
    loss_gaps,
)
from flax import nnx

from rmsprop_jax import rmsprop
from rmsprop_jax.interop import layout
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

SETTINGS = {
    "lr": HYPERPARAMS["learning_rate"],
    "alpha": HYPERPARAMS["decay"],
    "momentum": HYPERPARAMS["momentum"],
    "eps": HYPERPARAMS["eps"],
    "centered": True,
    "weight_decay": 1e-2,
}
FLATTENED = {"hidden.weight": layout.linear_after_flatten((12, 2, 2))}
IMAGES, LABELS = torch.tensor(X.transpose(0, 3, 1, 2)), torch.tensor(Y).long()


class Run(NamedTuple):
    """Torch's paths, beside ours and after it; the twin of ours, and how far it is."""

    beside: np.ndarray
    after: np.ndarray
    exact: np.ndarray
    noise: np.ndarray
    wrong: dict[str, float]


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 6, 3)
        self.depthwise = torch.nn.Conv2d(6, 12, 3, groups=6)
        self.hidden = torch.nn.Linear(48, 10)
        self.out = torch.nn.Linear(10, 4)

    def forward(self, x):
        x = torch.tanh(self.depthwise(torch.tanh(self.conv(x))))
        x = torch.nn.functional.avg_pool2d(x, 2).flatten(1)
        return self.out(torch.tanh(self.hidden(x)))


class FlaxNet(nnx.Module):
    def __init__(self, rngs):
        three = {"kernel_size": (3, 3), "padding": "VALID", "rngs": rngs}
        self.conv = nnx.Conv(2, 6, **three)
        self.depthwise = nnx.Conv(6, 12, feature_group_count=6, **three)
        self.hidden = nnx.Linear(48, 10, rngs=rngs)
        self.out = nnx.Linear(10, 4, rngs=rngs)

    def __call__(self, x):
        x = jnp.tanh(self.depthwise(jnp.tanh(self.conv(x))))
        x = x.reshape(-1, 2, 2, 2, 2, 12).mean((2, 4))
        return self.out(jnp.tanh(self.hidden(x.reshape(-1, 48))))


def fresh(seed):
    torch.manual_seed(seed)
    net = TorchNet()
    return net, torch.optim.RMSprop(net.parameters(), **SETTINGS)


def train(net, optimizer, batches, clip=np.inf):
    """The parameters after every step, in our order, and the loss before."""
    path, losses = [], []
    for batch in batches:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(IMAGES[batch]), LABELS[batch])
        loss.backward()
        torch.nn.utils.clip_grad_value_(net.parameters(), clip)
        optimizer.step()
        path.append(torch.nn.utils.parameters_to_vector(net.parameters()).detach())
        losses.append(loss.item())
    path = torch.stack(path).double().numpy()[:, order(net)]
    return np.column_stack([path, losses])


def order(net):
    """Where our elements, leaf by leaf, are among torch's."""
    named = list(net.named_parameters())
    sizes = [p.numel() for _, p in named]
    numbers = torch.arange(sum(sizes), dtype=torch.float64).split(sizes)
    numbered = {
        name: x.reshape(p.shape) for (name, p), x in zip(named, numbers, strict=True)
    }
    params = interop.params(numbered, like(), layouts=FLATTENED)
    leaves = jax.tree.leaves(params)
    return np.concatenate([np.ravel(x) for x in leaves]).astype(int)


def ours(net):
    return interop.params(net.state_dict(), like(), layouts=FLATTENED)


def names(net):
    return [name for name, _ in net.named_parameters()]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small tensors; and several threads wait for one another on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run():
    """Torch alone, torch and ours side by side, and torch alone again, from ours."""
    net, optimizer = fresh(0)
    train(net, optimizer, BATCHES[:BEFORE])
    params = ours(net)
    tx, state = interop.load(
        optimizer.state_dict(), params, names=names(net), layouts=FLATTENED
    )
    exact, noise, there, kept, wrong = continue_beside(tx, state, params)
    beside = train(net, optimizer, BATCHES[BEFORE : BEFORE + BESIDE])

    other, its_optimizer = fresh(1)
    its_optimizer.load_state_dict(
        interop.dump(tx, kept, there, names=names(net), layouts=FLATTENED)
    )
    other.load_state_dict(
        interop.state_dict(there, names=names(net), layouts=FLATTENED)
    )
    after = train(other, its_optimizer, BATCHES[BEFORE + BESIDE :])
    return Run(beside, after, exact, noise, wrong)


def test_parameters_agree_with_torch_at_every_step_and_after_the_way_back(run):
    theirs = np.concatenate([run.beside, run.after])
    assert len(theirs) == BESIDE + AFTER
    assert gaps(theirs, run.exact, run.noise).max() <= 1


def test_the_loss_agrees_with_torchs_at_every_step(run):
    theirs = np.concatenate([run.beside, run.after])
    assert loss_gaps(theirs, run.exact, run.noise).max() <= 1


def test_what_a_careless_import_makes_misses_by_ten_tolerances(run):
    assert min(run.wrong.values()) > 10, run.wrong


@pytest.fixture(scope="module")
def clipped_run():
    """Gradients clipped from here on, and the rate halved on the way, in nnx."""
    net, optimizer = fresh(0)
    train(net, optimizer, BATCHES[:BEFORE])
    rate, clip, batches = SETTINGS["lr"], 0.05, BATCHES[BEFORE : BEFORE + 40]
    ours_alone = rmsprop(
        lambda count: jnp.where(count < BEFORE + 20, rate, rate / 2),
        dialect="torch",
        centered=True,
        weight_decay=SETTINGS["weight_decay"],
        **{k: v for k, v in HYPERPARAMS.items() if k != "learning_rate"},
    )
    tx = optax.chain(optax.clip(clip), ours_alone)

    model = FlaxNet(nnx.Rngs(0))
    shapes = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    params = interop.params(net.state_dict(), shapes, layouts=FLATTENED)
    nnx.update(model, params)
    ours = nnx.Optimizer(model, tx, wrt=nnx.Param)
    matching = {"names": names(net), "layouts": FLATTENED, "rule": ours_alone.rule}
    source = optimizer.state_dict()
    into = tx, ours.opt_state
    _, ours.opt_state = interop.load(source, params, into=into, **matching)
    _, state = interop.load(source, params, into=(tx, tx.init(params)), **matching)
    exact, *_ = follower(tx, np.float64)(params, state, batches)

    first = train(net, optimizer, batches[:20], clip)
    optimizer.param_groups[0]["lr"] = rate / 2
    second = train(net, optimizer, batches[20:], clip)
    path = train_nnx(model, ours, batches)
    dumped = interop.dump(tx, ours.opt_state, params, like=optimizer, **matching)
    return np.concatenate([first, second]), exact, path, dumped, optimizer.state_dict()


def train_nnx(model, optimizer, batches):
    @nnx.jit
    def step(model, optimizer, batch):
        def loss(model):
            logits = model(jnp.asarray(X)[batch])
            labels = jnp.asarray(Y)[batch]
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.mean()

        value, grads = nnx.value_and_grad(loss)(model)
        optimizer.update(model, grads)
        return value

    path, losses = [], []
    for batch in jnp.asarray(batches):
        losses.append(step(model, optimizer, batch))
        path.append(nnx.to_pure_dict(nnx.state(model, nnx.Param)))
    return flat(jax.tree.map(lambda *x: np.stack(x), *path), np.stack(losses))


def test_an_nnx_optimizer_with_clipping_and_a_schedule_goes_on_from_torch(clipped_run):
    theirs, exact, path, *_ = clipped_run
    assert gaps(theirs, exact, path - exact).max() <= 1
    assert loss_gaps(theirs, exact, path - exact).max() <= 1


def test_the_clipping_and_the_schedule_are_felt(clipped_run, run):
    _, exact, path, *_ = clipped_run
    assert gaps(run.beside[:40], exact, path - exact).max() > 10


def test_what_the_nnx_optimizer_remembers_is_what_torch_does(clipped_run):
    *_, ours, theirs = clipped_run
    assert ours["param_groups"] == theirs["param_groups"]
    for i, entry in theirs["state"].items():
        assert set(ours["state"][i]) == set(entry)
        assert float(ours["state"][i]["step"]) == float(entry["step"])
