"""What `interop.torch.load` and `dump` refuse, and what they say."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import param_groups, rmsprop
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

NAMES = ["a.weight", "a.bias"]
LIKE = {"a": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}}
ALL = {"momentum": 0.9, "centered": True, "weight_decay": 0.01}


def stepped(kind, **arguments):
    """The state of an optimizer of torch's, after a step."""
    params = torch.nn.Linear(2, 3).parameters()
    params = [torch.nn.Parameter(torch.ones_like(p)) for p in params]
    optimizer = kind(params, **arguments)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    return optimizer.state_dict()


def saved(change=lambda _: None):
    source = stepped(torch.optim.RMSprop, **ALL)
    change(source)
    return source


def setting(**changed):
    return saved(lambda source: source["param_groups"][0].update(changed))


def entry(slot, value):
    def change(source):
        entry = source["state"][1]
        entry[slot] = value(entry[slot])

    return saved(change)


def without(name, place="state"):
    return saved(lambda source: source[place][0].pop(name))


def doubled(source):
    source["state"][7] = source["state"][0]


SOURCES = {
    "Adam's": (stepped(torch.optim.Adam), "alpha.* missing, expected the settings of"),
    "Adam's entries": (
        saved(lambda s: s["state"].update(stepped(torch.optim.Adam)["state"])),
        "a.weight: expected square_avg.*exp_avg.*: Adam's state",
    ),
    "SGD's": (stepped(torch.optim.SGD, momentum=0.9), "missing, expected the settings"),
    "Adagrad's entries": (
        saved(lambda s: s["state"].update(stepped(torch.optim.Adagrad)["state"])),
        "a.weight: expected square_avg.*another optimizer's state",
    ),
    "a slot too many": (
        saved(lambda s: s["state"][0].update(sum=torch.ones(3, 2))),
        "a.weight: expected square_avg.*'sum'.*another optimizer's state",
    ),
    "a wrong shape": (
        entry("square_avg", lambda x: x[:2]),
        r"a.bias of shape \(2,\): expected what fits a/bias of shape \(3,\)",
    ),
    "a number for a tensor": (
        entry("square_avg", lambda _: 1.0),
        r"a.bias of shape \(",
    ),
    "a nan": (
        entry("grad_avg", lambda x: x * torch.nan),
        "a/bias: mu: expected finite",
    ),
    "an infinity": (
        entry("square_avg", lambda x: x / 0),
        "a/bias: nu: expected finite",
    ),
    "a negative moment": (entry("square_avg", lambda x: -x), "a/bias: nu: .*>= 0"),
    "a missing buffer": (
        without("momentum_buffer"),
        "a/kernel: expected a trace beside its nu, got none; .*momentum=0.9",
    ),
    "a missing mean": (without("grad_avg"), "a/kernel: expected a mu .*got none"),
    "momentum switched off": (
        setting(momentum=0),
        "a/.*: expected no trace beside its nu, got one",
    ),
    "a missing setting": (without("alpha", "param_groups"), r"\['alpha'\] missing"),
    "maximize": (setting(maximize=True), "maximize=True: .*negate it"),
    "an impossible setting": (setting(alpha=1.5), r"decay=1.5: expected a number in"),
    "a stray entry": (saved(doubled), r"state: \[7\] are in no group"),
    "a model's": (dict(torch.nn.Linear(2, 3).state_dict()), r"got keys \['weight', 'b"),
    "one under a key": ({"opt": saved()}, "source: .*Pass key='opt'"),
    "groups that are none": ({"state": {}, "param_groups": []}, "source: expected an"),
    "a list": ([saved()], "source: expected a state_dict, or a file of one, got list"),
    "no file": ("missing.pt", "missing.pt: expected a file"),
}


@pytest.mark.parametrize(("source", "message"), SOURCES.values(), ids=SOURCES)
def test_a_source_is_refused_that_is_or_has(source, message):
    with pytest.raises((ValueError, TypeError), match=message):
        interop.load(source, LIKE, names=NAMES)


ARGUMENTS = {
    "too few names": ({"names": NAMES[:1]}, "names: expected 2, one for each .*got 1"),
    "unknown names": (
        {"names": ["a.weight", "b.bias"]},
        r"names: \['b.bias'\] mean none of our leaves \['a/bias', 'a/kernel'\]",
    ),
    "a name twice": ({"names": ["a.bias", "a.bias"]}, "names: expected each once"),
    "two names for a leaf": (
        {"names": {"a.weight": None, "b": "a/kernel"}},
        r"a/kernel: expected one name, \['a.weight', 'b'\]",
    ),
    "an unknown dialect": ({"dialect": "keras"}, "dialect='keras': expected one of"),
    "a missing key": ({"key": "optimizer"}, "source: expected the key 'optimizer'"),
    "a rate without into": ({"learning_rate": 0.1}, "expected only beside into="),
    "leaves of nobody's": (
        {"params": {**LIKE, "more": {"bias": jnp.zeros(2)}}},
        r"\['more/bias'\]: in the params only",
    ),
    "leaves missing": (
        {"params": {"a": {"bias": jnp.zeros(3)}}},
        "a.weight.*mean none",
    ),
    "a chain without a rule": (
        {"into": (optax.chain(rmsprop(0.1)), rmsprop(0.1).init(LIKE))},
        "rule=None: expected a Rule",
    ),
    "a rate that is needed": (
        {
            "into": (
                rmsprop(0.1, momentum=0.9, centered=True),
                rmsprop(0.1, momentum=0.9, centered=True).init(LIKE),
            )
        },
        "learning_rate=None: expected the source's current one",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_load_refuses(arguments, message):
    arguments = {"params": LIKE, "names": NAMES, **arguments}
    with pytest.raises((ValueError, TypeError), match=message):
        interop.load(saved(), **arguments)


def test_without_names_the_order_of_one_layer_is_certain():
    named = interop.load(saved(), LIKE, names=NAMES)[1]
    ordered = interop.load(saved(), LIKE)[1]
    np.testing.assert_array_equal(ordered.nu["a"]["kernel"], named.nu["a"]["kernel"])


def torch_like(**more):
    return rmsprop(0.1, dialect="torch", **more)


TWO_RATES = param_groups(
    {"bias": {"learning_rate": 0.2}}, default={"learning_rate": 0.1, "dialect": "torch"}
)
ONE_GROUP = torch.optim.RMSprop(torch.nn.Linear(2, 3).parameters())
DUMPS = {
    "another placement of eps": (rmsprop(0.1), {}, "eps_placement is 'inside' in our"),
    "another trace": (
        torch_like(momentum=0.9, lr_placement="in_trace"),
        {},
        "lr_placement is 'in_trace' in our state and 'after_trace'",
    ),
    "decoupled weight decay": (
        torch_like(weight_decay=0.1, weight_decay_form="decoupled"),
        {},
        "weight_decay_form is 'decoupled'",
    ),
    "nesterov": (torch_like(momentum=0.9, nesterov=True), {}, "nesterov is True"),
    "bias correction": (
        torch_like(bias_correction=True),
        {},
        "bias_correction is True",
    ),
    "a variance floor": (
        torch_like(centered=True, variance_floor=0.1),
        {},
        "variance_floor is 0.1",
    ),
    "no names": (torch_like(), {"names": None}, "names=None: expected torch's names"),
    "a leaf without a name": (
        torch_like(),
        {"names": NAMES[:1]},
        r"names: none of \['a.weight'\] means \['a/bias'\]",
    ),
    "other groups": (TWO_RATES, {"like": ONE_GROUP}, "like: its group 0 has param"),
    "other numbers": (
        torch_like(),
        {"like": ONE_GROUP, "names": [*NAMES, "b"]},
        "names: expected 2, one for each",
    ),
    "bitsandbytes": (
        torch_like(),
        {"dialect": "bitsandbytes"},
        "dialect='bitsandbytes'",
    ),
}


@pytest.mark.parametrize(("tx", "arguments", "message"), DUMPS.values(), ids=DUMPS)
def test_dump_refuses(tx, arguments, message):
    with pytest.raises(ValueError, match=message):
        interop.dump(tx, tx.init(LIKE), LIKE, **{"names": NAMES, **arguments})


def test_what_has_no_effect_is_no_difference():
    tx = rmsprop(0.1, eps_placement="outside", nu_init=0.5, nesterov=False)
    dumped = interop.dump(tx, tx.init(LIKE), LIKE, names=NAMES)
    assert dumped["param_groups"][0]["lr"] == 0.1
    np.testing.assert_array_equal(
        dumped["state"][0]["square_avg"], np.full((3, 2), 0.5)
    )
