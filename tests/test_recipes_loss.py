"""A loss that is c times the published one, and clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64, tolerance
from recipes_page import PAGE

import rmsprop_jax as rj

each_recipe = pytest.mark.parametrize("name", PAGE)


def gradients(limit):
    """Four steps, magnitudes over six decades, from far below a bound to above it."""
    rng = np.random.default_rng(0)
    size = np.logspace(-6, 0, 16) * rng.uniform(0.5, 1.5, (4, 16))
    size *= limit * np.array([[1e-5], [1e-3], [1], [100]])
    return (size * rng.choice([-1, 1], (4, 16))).astype(np.float32).reshape(4, 4, 4)


def run(name, grads, **rest):
    """The updates of a kernel along `grads`, from a step at which the rate is not 0."""
    page = PAGE[name]
    tx = rj.recipe(name, **(page.given or {}), **rest)
    theta = {"kernel": jnp.full((4, 4), 0.5)}
    start = next(step for step, rate in page.rates.items() if rate)
    state = optax.tree.set(tx.init(theta), count=jnp.int32(start))
    moves = []
    for g in grads:
        updates, state = tx.update({"kernel": jnp.asarray(g)}, state, theta)
        theta = optax.apply_updates(theta, updates)
        moves.append(updates["kernel"])
    return np.stack(moves)


def grads_of(name):
    clip = PAGE[name].clip
    return gradients(clip[1] if clip else 1.0)


# Powers of two move exponents only. tf1 rounds ε to float32, which is exact as well.
@pytest.mark.parametrize("c", [2.0**-5, 2.0**7])
@each_recipe
def test_a_scaled_loss_takes_the_same_path_to_the_bit(name, c):
    grads = grads_of(name)
    published = run(name, grads)
    assert (published != 0).any()
    ours = run(name, np.float32(c) * grads, loss_scale=c)
    np.testing.assert_array_equal(ours, published)


@each_recipe
def test_a_mean_over_640_takes_the_path_of_the_sum_to_rounding(name):
    grads, c = grads_of(name), 1 / 640
    published = run(name, grads)
    ours = run(name, np.float32(c) * grads, loss_scale=c)
    room = 2 * tolerance(np.float32, 4) * np.abs(published).max(axis=0)
    assert (np.abs(ours - published) <= room).all()


@each_recipe
def test_a_scaled_loss_goes_astray_without_its_argument(name):
    grads = grads_of(name)
    published, ours = run(name, grads), run(name, np.float32(2**-5) * grads)
    apart = np.abs(ours - published) / np.abs(published)
    assert apart.max() > 10 * 2 * tolerance(np.float32, 4)


SCALED = {
    # ε inside, and ν₀, with c²; ε outside, λ and bounds with c.
    "dqn-nature": {"eps": 0.01 / 1024},
    "efficientnet": {
        "eps": 1e-3 / 1024,
        "nu_init": 1 / 1024,
        "weight_decay": 1e-5 / 32,
    },
    "torchvision-mobilenetv3": {"eps": 0.0316 / 32, "weight_decay": 1e-5 / 32},
    "a3c-pfrl": {"eps": 0.1 / 1024},
}


@pytest.mark.parametrize("name", SCALED)
def test_each_number_is_scaled_by_its_own_power(name):
    given = PAGE[name].given or {}
    tx = rj.recipe(name, **given, loss_scale=1 / 32)
    state = tx.init({"kernel": jnp.ones((2, 2))})
    numbers = dict(SCALED[name])
    assert tx.rule.nu_init == numbers.pop("nu_init", 0.0)
    for hyperparam, value in numbers.items():
        ours = optax.tree.get(state, hyperparam)
        assert ours == pytest.approx(value, rel=float(np.finfo(np.float32).eps))


def test_the_mean_loss_form_of_nature_dqn_is_dqn_zoo():
    """As the page has it: ε = 0.01 / 32², all else equal."""
    params, grads = jnp.zeros(8), jnp.asarray(np.logspace(-4, 0, 8), jnp.float32)
    moves = []
    for tx in (rj.recipe("dqn-nature", loss_scale=1 / 32), rj.recipe("dqn-zoo")):
        state = tx.init(params)
        for sign in (1, -1, 1):
            updates, state = tx.update(sign * grads, state)
        moves.append(updates)
    np.testing.assert_array_equal(*moves)


@pytest.fixture
def clip():
    """What a recipe does to gradients before its RMSProp."""
    return lambda name, grads, c=1.0: (
        rj.recipes()[name].clip.transformation(c).update(grads, optax.EmptyState())[0]
    )


def test_gradients_within_the_bound_keep_their_bits(clip):
    grads = {"a": jnp.array([3.0, 0.1]), "b": jnp.array([[-4.0]])}  # norm just over 5
    for name in ("impala-paper", "impala-torchbeast", "a3c-miyosuda", "ntm"):
        kept = clip(name, grads)
        jax.tree.map(np.testing.assert_array_equal, kept, grads)


def test_a_global_norm_is_one_for_all_and_an_array_s_is_its_own(clip):
    grads = {"a": jnp.array([60.0]), "b": jnp.array([80.0, 0.0])}  # norm 100
    together, apart = (clip(name, grads) for name in ("impala-paper", "a3c-miyosuda"))
    np.testing.assert_allclose(together["a"], [24.0], rtol=tolerance(np.float32, 1))
    np.testing.assert_allclose(
        together["b"], [32.0, 0.0], rtol=tolerance(np.float32, 1)
    )
    np.testing.assert_array_equal(apart["a"], [40.0])
    np.testing.assert_array_equal(apart["b"], [40.0, 0.0])


def test_elements_are_clipped_each_by_itself(clip):
    grads = {"a": jnp.array([7.0, -0.5, -30.0])}
    np.testing.assert_array_equal(clip("char-rnn", grads)["a"], [5.0, -0.5, -5.0])
    np.testing.assert_array_equal(clip("char-rnn", grads, 0.5)["a"], [2.5, -0.5, -2.5])


def test_a_half_precision_gradient_keeps_its_dtype_and_a_float32_norm(clip):
    # 256 squares of 300 overflow float16.
    grads = {"a": jnp.full(256, 300.0, jnp.float16), "b": jnp.ones(2, jnp.bfloat16)}
    ours = clip("impala-paper", grads)
    assert {k: v.dtype for k, v in ours.items()} == {
        k: v.dtype for k, v in grads.items()
    }
    np.testing.assert_array_equal(ours["a"], jnp.full(256, 2.5, jnp.float16))


def test_float64_gradients_are_clipped_in_float64():
    with enable_x64(True):
        grads = {"a": jnp.array([60.0, 80.0])}
        tx = rj.recipes()["impala-torchbeast"].clip.transformation()
        ours, _ = tx.update(grads, optax.EmptyState())
        # torch's 1e-6 beside the norm of 100 is plain to see.
        theirs = np.array([60.0, 80.0]) * 40 / (100 + 1e-6)
        np.testing.assert_allclose(ours["a"], theirs, rtol=tolerance(np.float64, 1))


@pytest.mark.parity
def test_pytorch_clips_the_same():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(shape).astype(np.float32) for shape in ((4, 3), (5,))]
    params = [torch.nn.Parameter(torch.zeros(g.shape)) for g in grads]
    for p, g in zip(params, grads, strict=True):
        p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(params, 0.5)
    tx = rj.recipes()["a2c-sb3"].clip.transformation()
    ours, _ = tx.update([jnp.asarray(g) for g in grads], optax.EmptyState())
    for p, g in zip(params, ours, strict=True):
        np.testing.assert_allclose(g, p.grad.numpy(), rtol=tolerance(np.float32, 1))
