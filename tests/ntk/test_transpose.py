"""Derivatives with respect to kernels of convolutions, as products: the values that jax has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from jaxlab.ntk._transpose import with_products_for_kernels
from tests.test_convolutions import LAYOUTS, OPTIONS, convolve, draw

OPTIONS = {**OPTIONS, "no padding": {"padding": [(0, 0), (-1, 0)]}}  # more taps than pixels


def check(function, *args, left):
    """The transpose at random cotangents, with ``left`` convolutions in its program."""
    outputs, pull = jax.vjp(function, *args)
    cotangents = draw(9, *outputs.shape).astype(outputs.dtype)
    with_products = with_products_for_kernels(pull)
    for found, expected in zip(with_products(cotangents), pull(cotangents), strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())
    before, after = (
        str(jax.make_jaxpr(f)(cotangents)).count("conv_general_dilated")
        for f in (pull, with_products)
    )
    assert left == after < before


@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_form(name, layout):
    options = OPTIONS[name]
    sizes = {"N": 4, "H": 4, "W": 5, "C": 6}
    taps = {"H": 3, "W": 3, "I": 6 // options.get("feature_group_count", 1), "O": 8}
    images = draw(0, *(sizes[axis] for axis in layout[0]))
    kernel = draw(1, *(taps[axis] for axis in layout[1]))
    with jax.enable_x64(name == "wider"):
        check(lambda *args: convolve(*args, layout, **options), images, kernel, left=1)


@pytest.mark.parametrize("name", ["plain", "strides", "dilations", "groups", "groups of the batch"])
def test_a_program_does_not_grow_with_the_kernel(name):
    options = {"padding": [(3, 3), (3, 3)]} | OPTIONS[name]
    inputs = 4 // options.get("feature_group_count", 1)
    sizes = {}
    for taps in (5, 7):
        images, kernel = draw(0, 4, 12, 12, 4), draw(1, taps, taps, inputs, 6)
        check(lambda *args: convolve(*args, **options), images, kernel, left=1)
        _, pull = jax.vjp(lambda kernel, x=images: convolve(x, kernel, **options), kernel)
        shape = jax.eval_shape(lambda *args: convolve(*args, **options), images, kernel).shape
        cotangents = jnp.ones(shape)
        sizes[taps] = len(str(jax.make_jaxpr(with_products_for_kernels(pull))(cotangents)))
    assert sizes[7] < 1.1 * sizes[5]


IMAGES, KERNEL = draw(0, 3, 2, 4, 4, 2), draw(1, 3, 3, 2, 2)


@jax.custom_vjp
def of_own_rule(images, kernel):
    return convolve(images, kernel)


of_own_rule.defvjp(
    lambda *args: (convolve(*args), args), lambda args, ct: jax.vjp(convolve, *args)[1](ct)
)


def scanned(kernel):
    """One convolution's output is the next one's input."""
    return jax.lax.scan(lambda h, x: (jnp.tanh(convolve(h + x, kernel)), None), IMAGES[0], IMAGES)[
        0
    ]


NETWORKS = {
    "jit": (jax.jit(lambda kernel: convolve(IMAGES[0], kernel)), 0),
    "checkpoint": (jax.checkpoint(lambda kernel: jnp.tanh(convolve(IMAGES[0], kernel))), 1),
    "custom_vjp": (lambda kernel: of_own_rule(IMAGES[0], kernel), 2),
    "cond": (
        lambda kernel: jax.lax.cond(
            kernel.sum() > 0, lambda k: convolve(IMAGES[0], k), lambda k: -2 * IMAGES[1], kernel
        ),
        0,
    ),
    "scan": (scanned, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_inside_of(name):
    """What is left: derivatives with respect to images, and what is computed once more."""
    network, left = NETWORKS[name]
    check(network, KERNEL, left=left)


def test_what_stands_in_several_places_stays_one():
    def block(kernel):
        return convolve(IMAGES[0], kernel)

    for _ in range(3):
        block = jax.jit(lambda kernel, inner=block: inner(inner(kernel).mean() * kernel))
    outputs, pull = jax.vjp(block, KERNEL)
    before, after = (
        str(jax.make_jaxpr(f)(outputs)).count("pjit")
        for f in (pull, with_products_for_kernels(pull))
    )
    assert after == before


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_a_sharding_of_their_own_is_kept(devices, kind):
    mesh = jax.make_mesh((2,), ("d",), axis_types=(kind,), devices=devices[:2])
    whole = jax.sharding.NamedSharding(mesh, jax.P())
    with jax.set_mesh(mesh):
        images, kernel = jax.device_put((IMAGES[0], KERNEL), whole)
        _, pull = jax.vjp(lambda kernel: convolve(images, kernel), kernel)
        program = jax.make_jaxpr(with_products_for_kernels(pull))(images)
    assert ("conv_general_dilated" in str(program)) == (kind == AxisType.Explicit)
