"""A run of `torch.optim.RMSprop`; where PyTorch is not installed, of its formula."""

import copy
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

Gradient = Callable[[np.ndarray, int], Any]


class Run(NamedTuple):
    """What a run leaves.

    Attributes:
        by: Who made it, in words.
        path: θ after 0, 1, 2, … steps: (steps + 1, *shape of θ).
        saved: `optimizer.state_dict()` as it was under way.
    """

    by: str
    path: np.ndarray
    saved: dict[str, Any]


def run(
    gradient: Gradient, theta: np.ndarray, steps: int, saved_after: int, **options: Any
) -> Run:
    """Steps of PyTorch's RMSprop, or of `by_formula`.

    Args:
        gradient: (θ, number of the step) → g.
        theta: Where to start.
        steps: How many.
        saved_after: After how many of them the optimizer is saved.
        **options: `lr`, `alpha`, `eps`, `momentum`, as PyTorch calls them.
    """
    make = by_torch if find_spec("torch") else by_formula
    return make(gradient, theta, steps, saved_after, **options)


def by_torch(
    gradient: Gradient, theta: np.ndarray, steps: int, saved_after: int, **options: Any
) -> Run:
    """`torch.optim.RMSprop` itself; for the arguments see `run`."""
    torch = import_module("torch")
    parameter = torch.nn.Parameter(torch.tensor(theta))
    optimizer = torch.optim.RMSprop([parameter], **options)
    path, saved = [np.array(theta)], optimizer.state_dict()
    for t in range(steps):
        parameter.grad = torch.tensor(np.asarray(gradient(path[-1], t)))
        optimizer.step()
        path.append(parameter.detach().numpy().copy())
        if t + 1 == saved_after:
            saved = copy.deepcopy(optimizer.state_dict())
    return Run(f"PyTorch {torch.__version__.partition('+')[0]}", np.stack(path), saved)


def by_formula(
    gradient: Gradient,
    theta: np.ndarray,
    steps: int,
    saved_after: int,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
) -> Run:
    """What PyTorch 2.13.0 computes, and what it would have saved.

        ν ← α ν + (1 − α) g²      m ← β m + g / (√ν + ε)      θ ← θ − lr m

    Its α is the decay. For the arguments see `run`.

    Example:
        >>> made = by_formula(lambda theta, t: theta, np.ones(1, np.float32), 2, 1)
        >>> [f"{theta:.3f}" for theta in made.path.ravel()]     # lr / √(1 − α) = 0.1
        ['1.000', '0.900', '0.833']
        >>> sorted(made.saved["state"][0])
        ['momentum_buffer', 'square_avg', 'step']
    """
    f = np.float32
    nu = m = np.zeros_like(theta)
    path, saved = [np.array(theta)], {}
    for t in range(steps):
        g = np.asarray(gradient(path[-1], t))
        nu = f(alpha) * nu + f(1 - alpha) * g**2
        m = f(momentum) * m + g / (np.sqrt(nu) + f(eps))
        path.append(path[-1] - f(lr) * m)
        if t + 1 == saved_after:
            saved = {"step": f(t + 1), "square_avg": nu, "momentum_buffer": m}
    group = {"lr": lr, "alpha": alpha, "eps": eps, "momentum": momentum}
    group |= {"weight_decay": 0, "centered": False, "maximize": False}
    group |= {"foreach": None, "capturable": False, "differentiable": False}
    state = {"state": {0: saved}, "param_groups": [group | {"params": [0]}]}
    return Run("PyTorch's formula in NumPy", np.stack(path), state)
