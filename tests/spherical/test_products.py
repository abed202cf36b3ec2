"""Products in the real basis against their definition with complex numbers of all orders."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical._products import lifting_product, so3_product, so3_to_s2_product
from jaxlab.spherical._real_transforms import from_parts, to_parts
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum
from tests.spherical.oracle import full_orders, random_s2, random_so3

L, BATCH, C_IN, C_OUT = 5, 2, 2, 3
RNG = np.random.default_rng(0)


def parts(coeffs, kind):
    """In the layout of the products, from [batch, channel, ...] or [C_in, C_out, ...]."""
    return to_parts(kind(jnp.asarray(coeffs.swapaxes(0, 1))))


def close(found, expected, kind):
    found = from_parts(found, kind).coeffs.swapaxes(0, 1)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("n_in", "n_out"), [(5, 5), (2, 3)])
def test_products_by_definition(n_in, n_out):
    X = random_so3(RNG, L, n_in, (BATCH, C_IN))
    Y = random_so3(RNG, L, n_in, (C_IN, C_OUT))
    x, y = random_s2(RNG, L, (BATCH, C_IN)), random_s2(RNG, L, (C_IN, C_OUT))
    outer = slice(L - n_out, L + n_out - 1)
    inner = slice(L - n_in, L + n_in - 1)
    full_y = full_orders(y).conj()

    kernel = parts(Y, SO3Spectrum)
    expected = np.einsum("bilmk,iolnk->bolmn", X, full_orders(Y, n_in).conj()[..., outer, :])
    for num_buckets in (None, 1, L):
        found = so3_product(parts(X, SO3Spectrum), kernel[:n_out], num_buckets=num_buckets)
        close(found, expected, SO3Spectrum)

    sphere = parts(y, S2Spectrum)
    expected = np.einsum("bilmk,iolk->bolm", X, full_y[..., inner])
    for num_buckets in (1, L):
        found = so3_to_s2_product(parts(X, SO3Spectrum), sphere[:n_in], num_buckets=num_buckets)
        close(found, expected, S2Spectrum)
    expected = np.einsum("bilm,ioln->bolmn", x, full_y[..., outer])
    close(lifting_product(parts(x, S2Spectrum), sphere, n_max=n_out), expected, SO3Spectrum)


@pytest.mark.usefixtures("bad_input")
def test_what_does_not_fit_is_refused():
    X, Y = jnp.ones((3, 5, 2, 3, 2, 4)), jnp.ones((3, 5, 2, 3, 6, 2))
    x, y = jnp.ones((3, 2, 3, 2, 4)), jnp.ones((3, 2, 3, 6, 2))
    channels = "Y: expected 3 degrees and 2 input channels, as X"
    with pytest.raises(ValueError, match=channels):
        so3_product(X, Y[..., :1])
    with pytest.raises(ValueError, match=channels):
        lifting_product(x, y[:, :, :2])
    with pytest.raises(ValueError, match="Y: expected 5 orders k, as X"):
        so3_product(X, Y[:, :3])
    with pytest.raises(ValueError, match="y: expected 3 orders k, as X"):
        so3_to_s2_product(X, y[:2])
    with pytest.raises(ValueError, match="num_buckets: expected an integer >= 1, got 0"):
        so3_product(X, Y, num_buckets=0)
    with pytest.raises(ValueError, match="n_max: expected at most L = 3, got 4"):
        lifting_product(x, y, n_max=4)
    with pytest.raises(ValueError, match=r"X: expected shape \[3, 5"):
        so3_product(X[:2], Y)
