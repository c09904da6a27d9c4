import jax.numpy as jnp
import numpy as np
import pytest

from rmsprop_jax import rmsprop


@pytest.mark.parametrize("nu_init", [0.0, 1.0])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.75, 0.9, 0.99, 0.9999])
def test_the_first_corrected_average_is_the_first_gradient_alone(decay, nu_init):
    """Its weight is 1, not more: ν₀ would come back with a minus sign."""
    g = jnp.array([0.0, 1e-20, 1.1, -3.3])
    options = {"decay": decay, "nu_init": nu_init, "bias_correction": True}
    tx = rmsprop(0.1, **options)
    _, state = tx.update(g, tx.init(g))
    np.testing.assert_array_equal(state.nu, g * g)

    tx = rmsprop(0.1, centered=True, **options)
    _, state = tx.update(g, tx.init(g))
    np.testing.assert_array_equal(state.mu, g)
    np.testing.assert_array_equal(state.nu, [0, 0, 0, 0])
