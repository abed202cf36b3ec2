"""Planar layers against sums written out, PyTorch where it is installed, and the sphere itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.spherical.planar_layers import (
    erp_pad,
    max_pool,
    nearest_upsample,
    planar_conv,
    planar_transposed_conv,
)

RNG = np.random.default_rng(5)
CASES = [(3, 1, (7, 8)), (2, 2, (7, 8)), (3, 3, (7, 9))]  # window, stride, image


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positions(size, window, stride):
    return range((size - window) // stride + 1)


def summed_conv(x, kernel, stride):
    k = kernel.shape[0]
    rows, columns = (positions(size, k, stride) for size in x.shape[1:3])
    y = np.zeros((x.shape[0], len(rows), len(columns), kernel.shape[3]))
    for p in rows:
        for q in columns:
            patch = x[:, stride * p : stride * p + k, stride * q : stride * q + k]
            y[:, p, q] = np.einsum("nabi,abio->no", patch, kernel)
    return y


@pytest.mark.parametrize(("k", "stride", "size"), CASES)
def test_layers_are_their_sums(k, stride, size):
    x, kernel = draw(2, *size, 3), draw(k, k, 3, 4)
    y = planar_conv(jnp.asarray(x), jnp.asarray(kernel), stride)
    expected = summed_conv(x, kernel, stride)
    np.testing.assert_allclose(y, expected, atol=1e-5)

    # the transposed convolution is the transposed matrix: <conv(u), v> = <u, conv^T(v)>
    v = draw(*expected.shape)
    mirrored = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    back = planar_transposed_conv(jnp.asarray(v), jnp.asarray(mirrored), stride, size)
    np.testing.assert_allclose(np.sum(expected * v), np.sum(x * back), rtol=1e-4)

    pooled = max_pool(jnp.asarray(x), k, stride)
    for p in positions(size[0], k, stride):
        for q in positions(size[1], k, stride):
            patch = x[:, stride * p : stride * p + k, stride * q : stride * q + k]
            np.testing.assert_array_equal(pooled[:, p, q], patch.max(axis=(1, 2)))


@pytest.mark.parametrize(("k", "stride", "size"), CASES)
def test_layers_agree_with_pytorch(k, stride, size):
    torch = pytest.importorskip("torch")
    x, kernel = draw(2, *size, 3), draw(k, k, 3, 4)
    x_t, kernel_t = (torch.tensor(array) for array in (x, kernel.transpose(3, 2, 0, 1)))
    y_t = torch.nn.functional.conv2d(x_t.permute(0, 3, 1, 2), kernel_t, stride=stride)
    y = planar_conv(jnp.asarray(x), jnp.asarray(kernel), stride)
    np.testing.assert_allclose(y, y_t.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5)

    weight = draw(4, 3, k, k)  # PyTorch's layout: in, out, height, width; not mirrored
    extra = tuple((have - k) % stride for have in size)
    back_t = torch.nn.functional.conv_transpose2d(
        y_t, torch.tensor(weight), stride=stride, output_padding=extra
    )
    mirrored = jnp.asarray(weight.transpose(2, 3, 0, 1)[::-1, ::-1])
    back = planar_transposed_conv(y, mirrored, stride, size)
    np.testing.assert_allclose(back, back_t.permute(0, 2, 3, 1), rtol=1e-5, atol=1e-5)

    pool_t = torch.nn.functional.max_pool2d(x_t.permute(0, 3, 1, 2), k, stride)
    np.testing.assert_array_equal(max_pool(jnp.asarray(x), k, stride), pool_t.permute(0, 2, 3, 1))
    up_t = torch.nn.functional.interpolate(x_t.permute(0, 3, 1, 2), size=(17, 12), mode="nearest")
    up = nearest_upsample(jnp.asarray(x), (17, 12))
    np.testing.assert_array_equal(up, up_t.permute(0, 2, 3, 1))


def test_padding_continues_functions_on_the_sphere():
    b, before, after = 4, 3, 2
    rows = np.arange(-before, 2 * b + after)
    beta = np.pi * (2 * rows + 1) / (4 * b)  # going on over the poles, where sin β changes sign
    alpha = np.pi * np.arange(-before, 2 * b + after) / b
    beta, alpha = np.meshgrid(beta, alpha, indexing="ij")
    point = np.stack([np.sin(beta) * np.cos(alpha), np.sin(beta) * np.sin(alpha), np.cos(beta)])
    everywhere = np.stack([point[0] * point[2] + point[1], point[0] ** 3], axis=-1)[None]
    inside = everywhere[:, before:-after, before:-after]
    padded = erp_pad(jnp.asarray(inside, jnp.float32), before, after)
    np.testing.assert_allclose(padded, everywhere, atol=1e-6)
    np.testing.assert_array_equal(
        erp_pad(jnp.asarray(inside, jnp.float32), 0, 0), np.float32(inside)
    )


def test_transformations_agree_and_gradients_are_right():
    x, kernel = jnp.asarray(draw(2, 5, 6, 2)), jnp.asarray(draw(3, 3, 2, 2))

    def everything(x, kernel):
        x, kernel = jnp.asarray(x), jnp.asarray(kernel)
        y = max_pool(planar_conv(erp_pad(x, 1, 1), kernel), 2, 2)
        return planar_transposed_conv(y, kernel, 2, (6, 7)) + nearest_upsample(y, (6, 7))

    compiled = jax.jit(everything)
    np.testing.assert_allclose(compiled(x, kernel), everything(x, kernel), atol=1e-5)
    check_grads(compiled, (x, kernel), order=1, modes=["rev"], rtol=0.02)
    half = planar_conv(x.astype(jnp.bfloat16), kernel)
    assert half.dtype == jnp.bfloat16
    empty = compiled(x[:0], kernel)
    assert empty.shape == (0, 6, 7, 2)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    x, kernel = jnp.zeros((1, 4, 4, 2)), jnp.zeros((3, 3, 2, 1))
    for argument, call in {
        "x": lambda: planar_conv(x[0], kernel),
        "kernel": lambda: planar_conv(x, jnp.zeros((5, 3, 2, 1))),
        "kernel: expected shape": lambda: planar_conv(x, kernel[:, :, :1]),
        "stride": lambda: planar_conv(x, kernel, 0),
        "size": lambda: planar_transposed_conv(x, kernel, 2, (9, 11)),
        "size: expected shape": lambda: planar_transposed_conv(x, kernel, 2, (9, 9, 9)),
        "window": lambda: max_pool(x, 5),
        "before": lambda: erp_pad(x, 5, 0),
        "size: expected an integer": lambda: nearest_upsample(x, (0, 2)),
    }.items():
        with pytest.raises(ValueError, match=f"^{argument}"):
            call()
