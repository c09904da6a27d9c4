"""Learning rates, against loops that read like the code they were published in."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64, tolerance

import rmsprop_jax as rj

EPS = float(np.finfo(np.float32).eps)


def rates(name, steps, **given):
    """The learning rates of a recipe at `steps`."""
    schedule = rj.recipes()[name].rate(given)
    return np.array([schedule(jnp.int32(step)) for step in steps])


def test_timm_counts_its_stairs_in_whole_epochs_like_python_does():
    epochs = np.arange(600)
    theirs = [
        1e-6 + t * (0.064 - 1e-6) / 5 if t < 5 else 0.064 * 0.973 ** (t // 2.4)
        for t in epochs.tolist()
    ]
    schedule = rj.recipes()["timm-mobilenetv3-large"].rate({"steps_per_epoch": 7})
    for within in (0, 6):
        ours = schedule(jnp.asarray(7 * epochs + within, jnp.int32))
        # 250 stairs of 0.027 in the exponent: 7, and ε of it, and of the power.
        np.testing.assert_allclose(ours, theirs, rtol=(7 + 8) * EPS)


def test_float32_would_lose_a_stair_of_timm_s():
    """Why those are counted in whole numbers: a control."""
    assert np.floor(np.float32(36) / np.float32(2.4)) == 14
    assert 36 // 2.4 == 15
    ours = rates("timm-efficientnet-b0", [36 * 7], steps_per_epoch=7)
    np.testing.assert_allclose(ours, 0.048 * 0.97**15, rtol=16 * EPS)


def test_efficientnet_s_staircase_starts_at_step_0_and_not_after_the_warm_up():
    given = {"batch_size": 256, "steps_per_epoch": 100}
    last, first = rates("efficientnet", [499, 500], **given)
    np.testing.assert_allclose(last, 0.016 * 499 / 500, rtol=4 * EPS)
    np.testing.assert_allclose(first, 0.016 * 0.97**2, rtol=8 * EPS)


@pytest.mark.parametrize("steps_per_epoch", [625, 1281167 / 2048, 1281167 / 4096])
def test_tensorflow_s_stairs_are_counted_in_float32_as_it_does(steps_per_epoch):
    steps = np.arange(20_000)
    size = np.float32(steps_per_epoch * 2.4)
    stairs = np.floor(steps.astype(np.float32) / size)
    theirs = np.float32(0.016) * np.float32(0.97) ** stairs
    given = {"batch_size": 256, "steps_per_epoch": steps_per_epoch}
    ours = rj.recipes()["efficientnet"].rate(given)(jnp.asarray(steps, jnp.int32))
    warm = int(5 * steps_per_epoch)
    np.testing.assert_allclose(ours[warm:], theirs[warm:], rtol=4 * EPS)
    np.testing.assert_allclose(ours[:warm], 0.016 * steps[:warm] / warm, rtol=4 * EPS)


def test_baselines_a2c_reads_its_rate_at_the_last_sample_of_a_batch():
    total, batch, n, theirs = 60, 5, 0.0, []
    for _ in range(total // batch):
        for _ in range(batch):  # Scheduler.value(), once for each sample
            rate, n = 7e-4 * (1 - n / total), n + 1
        theirs.append(rate)
    ours = rates("a2c-baselines", range(12), total_steps=12, batch_size=batch)
    np.testing.assert_allclose(ours, theirs, rtol=64 * EPS)


def test_cleanba_holds_its_rate_for_the_four_minibatches_of_an_iteration():
    iterations = 5
    theirs = [6e-4 * (1 - (count // 4) / iterations) for count in range(20)]
    ours = rates("impala-cleanba", range(20), total_steps=20)
    np.testing.assert_allclose(ours, theirs, rtol=8 * EPS)


def test_amoebanet_s_floor_holds_while_it_warms_up():
    first, second, third = rates("amoebanet-tpu", [0, 15, 45], steps_per_epoch=100.9)
    np.testing.assert_allclose(first, 6.4e-5, rtol=EPS)
    np.testing.assert_allclose(second, 0.64 * 15 / 300, rtol=4 * EPS)
    np.testing.assert_allclose(third, 0.64 * 45 / 300, rtol=4 * EPS)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("impala-paper", {"total_steps": 7}),
        ("a2c-baselines", {"total_steps": 7, "batch_size": 3}),
        (
            "efficientnetv2-imagenet21k",
            {"total_steps": 7, "batch_size": 256, "steps_per_epoch": 1},
        ),
    ],
)
def test_a_rate_that_falls_to_0_stays_there(name, given):
    ours = rates(name, range(12), **given)
    assert (ours[:7] >= 0).all()
    assert ours[6] > 0
    np.testing.assert_array_equal(ours[7:], 0)


def test_char_rnn_decays_after_its_tenth_epoch():
    per_epoch, rate, theirs = 3, 2e-3, []
    for i in range(1, 15 * per_epoch + 1):  # train.lua's loop
        theirs.append(rate)
        if i % per_epoch == 0 and i / per_epoch >= 10:
            rate *= 0.97
    ours = rates("char-rnn", range(45), steps_per_epoch=per_epoch)
    np.testing.assert_allclose(ours, theirs, rtol=8 * EPS)


def test_under_x64_a_pytorch_schedule_is_as_exact_as_pytorch_s():
    with enable_x64(True):
        tx = rj.recipe("torchvision-mobilenetv3", steps_per_epoch=2)
        params = {"w": jnp.ones(2, jnp.float64)}
        state = optax.tree.set(tx.init(params), count=jnp.int32(599 * 2))
        _, state = tx.update(params, state, params)
        ours = optax.tree.get(state, "learning_rate")
        assert ours.dtype == jnp.float64
        rtol = 299 * tolerance(np.float64, 1)
        np.testing.assert_allclose(ours, 0.064 * 0.973**299, rtol=rtol)


@pytest.mark.parity
def test_pytorch_s_own_schedulers_agree():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")

    def theirs(make, steps, every=1):
        opt = torch.optim.RMSprop([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = make(opt)
        rates = []
        for step in range(steps):
            rates.append(opt.param_groups[0]["lr"])
            opt.step()
            if step % every == every - 1:
                scheduler.step()
        return np.array(rates)

    lr = torch.optim.lr_scheduler
    stairs = theirs(lambda opt: lr.StepLR(opt, 2, gamma=0.973), 60, every=3)
    ours = rates("torchvision-mobilenetv3", range(60), steps_per_epoch=3)
    np.testing.assert_allclose(ours, 0.064 * stairs, rtol=16 * EPS)

    def left(epoch):  # monobeast.py
        return 1 - min(epoch * 80 * 8, 12_800) / 12_800

    line = theirs(lambda opt: lr.LambdaLR(opt, left), 22)
    ours = rates("impala-torchbeast", range(22), total_steps=20)
    np.testing.assert_allclose(ours, 4.8e-4 * line, rtol=8 * EPS)
