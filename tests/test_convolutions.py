"""Convolutions in canonical form: the same values, and none left in another form."""

import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.extend import core

from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk import StructuredOptions, batched, ntk_fn
from jaxlab.ntk.approximate import sketched_ntk
from jaxlab.ntk.independence import check_independence
from jaxlab.ntk.operators import dataset_operator
from jaxlab.ntk.vector_products import ntk_vp
from jaxlab.spherical import average_over_rotations
from jaxlab.training import create_train_state, make_train_step

LAYOUTS = [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("HNCW", "IHOW", "CNHW")]
OPTIONS = {
    "plain": {},
    "strides": {"window_strides": (2, 1)},
    "dilations": {"lhs_dilation": (2, 1), "rhs_dilation": (1, 2)},
    "padding": {"padding": [(0, 3), (2, -1)]},
    "groups": {"feature_group_count": 2},
    "groups of the batch": {"batch_group_count": 2},
    "wider": {"preferred_element_type": jnp.float64},
}


def draw(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


def convolve(images, kernel, layout=LAYOUTS[0], **options):
    options = {"window_strides": (1, 1), "padding": [(1, 1), (1, 1)]} | options
    return jax.lax.conv_general_dilated(images, kernel, dimension_numbers=layout, **options)


def network(kernel, images):
    """One value for each image."""
    return jnp.tanh(convolve(images, kernel, LAYOUTS[0])).sum((1, 2, 3))


def gradient(images):
    return jax.grad(lambda kernel: network(kernel, images).sum())(KERNEL)


KERNEL = draw(0, 3, 3, 6, 4)
BATCHES = draw(1, 3, 5, 6, 6, 6)


def forms(jaxpr, inside=True):
    """Whether each convolution of ``jaxpr`` is canonical, or each ``inside`` of its loops alone."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated" and inside:
            images, kernel, outputs = equation.params["dimension_numbers"]
            yield (images, kernel, outputs) == ((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
        deeper = inside or equation.primitive.name in ("scan", "while")
        bodies = jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr)
        for body in filter(is_jaxpr, bodies):
            yield from forms(body, deeper)


def is_jaxpr(value):
    return isinstance(value, core.ClosedJaxpr | core.Jaxpr)


def check(function, *args):
    """What was not canonical is, and has the same values."""
    canonical = canonical_convolutions(function)
    for found, expected in zip(
        jax.tree.leaves(jax.jit(canonical)(*args)), jax.tree.leaves(function(*args)), strict=True
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * abs(expected).max())
    before, after = (list(forms(jax.make_jaxpr(f)(*args))) for f in (function, canonical))
    assert not all(before)
    assert all(after)


@pytest.mark.parametrize("layout", LAYOUTS, ids="-".join)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_form_and_its_derivatives(name, layout):
    options = OPTIONS[name]
    sizes = {"N": 4, "H": 7, "W": 6, "C": 16}
    taps = {"H": 3, "W": 3, "I": 16 // options.get("feature_group_count", 1), "O": 16}
    images = draw(0, *(sizes[axis] for axis in layout[0]))
    kernel = draw(1, *(taps[axis] for axis in layout[1]))

    def both(images, kernel):
        found = convolve(images, kernel, layout, **options)

        def loss(*args):
            return jnp.sum(jnp.square(convolve(*args, layout, **options)))

        return found, jax.grad(loss, (0, 1))(images, kernel)

    with jax.enable_x64(name == "wider"):
        check(both, images, kernel)


@pytest.mark.parametrize("taps", [1, 3])
def test_one_and_three_axes_of_pixels(taps):
    images, kernel = draw(0, 2, 3, 9), draw(1, 5, 3, taps)

    def line(*args):
        return jax.lax.conv(*args, (1,), "SAME")

    found = canonical_convolutions(line)(images, kernel)
    np.testing.assert_allclose(found, line(images, kernel), rtol=1e-5, atol=1e-5)
    images, kernel = draw(0, 2, 3, 5, 4, 6), draw(1, 5, 3, taps, taps, taps)

    def solid(*args):
        return jax.lax.conv(*args, (1, 2, 1), "SAME")

    found = canonical_convolutions(solid)(images, kernel)
    np.testing.assert_allclose(found, solid(images, kernel), rtol=1e-5, atol=1e-5)


@jax.custom_jvp
def of_own_rule(x):
    return gradient(x).sum()


@of_own_rule.defjvp
def _(primals, tangents):
    return of_own_rule(*primals), 7 * tangents[0].sum()


def carried(batches):
    def loss(kernel, images):
        return network(kernel, images).sum()

    def descend(kernel, images):
        return (kernel - 0.1 * jax.grad(loss)(kernel, images), None)

    return jax.lax.scan(descend, KERNEL, batches)[0]


def until(batches):
    def add(state):
        turn, total = state
        return turn + 1, total + gradient(batches[turn])

    return jax.lax.while_loop(lambda state: state[0] < 3, add, (0, jnp.zeros_like(KERNEL)))


def branches(batches):
    def choose(images):
        return jax.lax.cond(images.sum() > 0, gradient, lambda _: KERNEL, images)

    return jax.lax.map(choose, batches)


def recomputed(batches):
    again = jax.checkpoint(network)

    def loss(kernel, images):
        return jnp.square(again(kernel, images)).sum()

    return jax.lax.map(lambda images: jax.grad(loss)(KERNEL, images), batches)


def solved(batches):
    square = jnp.concatenate([KERNEL.T, KERNEL.T[:2]])

    def forward(images):
        def matvec(z):
            return 99 * z + jax.lax.conv(z, square, (1, 1), "SAME")

        return jax.scipy.sparse.linalg.cg(matvec, jnp.moveaxis(images, -1, 1), maxiter=3)[0]

    return jax.lax.map(forward, batches)


LOOPS = {
    "map": lambda batches: jax.lax.map(gradient, batches),
    "map of batches": lambda batches: jax.lax.map(gradient, batches, batch_size=2),
    "scan": carried,
    "while_loop": until,
    "cond": branches,
    "checkpoint": recomputed,
    "cg": solved,
    "jit": lambda batches: jax.lax.map(jax.jit(gradient), batches),
    "custom_jvp": lambda batches: jax.lax.map(of_own_rule, batches),
    "trees": lambda batches: jax.lax.map(lambda x: {"g": gradient(x), "n": x.size}, batches),
}


@pytest.mark.parametrize("name", LOOPS)
def test_inside_of(name):
    check(LOOPS[name], BATCHES)


def test_rules_of_the_caller_stay():
    loop = canonical_convolutions(LOOPS["custom_jvp"])
    assert jax.grad(lambda batches: loop(batches).sum())(BATCHES).tolist() == (
        jnp.full(BATCHES.shape, 7).tolist()
    )


def test_under_transformations():
    def total(scale):  # a tracer that the loop closes over
        loop = canonical_convolutions(lambda x: jax.lax.map(lambda x: gradient(scale * x), x))
        return loop(BATCHES).sum()

    def plain(scale):
        return sum(gradient(scale * images).sum() for images in BATCHES)

    scales = jnp.array([0.5, 1.0])
    np.testing.assert_allclose(jax.vmap(total)(scales), jax.vmap(plain)(scales), rtol=1e-4)
    np.testing.assert_allclose(
        jax.vmap(jax.grad(total))(scales), jax.vmap(jax.grad(plain))(scales), rtol=1e-4
    )


def test_inside_of_shard_map():
    mesh = jax.make_mesh((3,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))

    def spread(function):
        return jax.shard_map(function, mesh=mesh, in_specs=jax.P("d"), out_specs=jax.P("d"))

    loop = LOOPS["map"]  # derivatives in what all devices share are summed over them
    found, expected = (jax.jit(spread(f))(BATCHES) for f in (canonical_convolutions(loop), loop))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_around_shard_map():
    mesh = jax.make_mesh((5,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))

    def total(images):  # what differs between devices
        return jax.lax.psum(gradient(images), "d")

    spread = jax.shard_map(total, mesh=mesh, in_specs=jax.P("d"), out_specs=jax.P())

    def loop(batches):
        return jax.lax.map(spread, batches)

    found, expected = canonical_convolutions(loop)(BATCHES), loop(BATCHES)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "outputs", "left"), [(1, 16, True), (4, 4, True), (1, 17, False), (3, 8, False)]
)
def test_convolutions_of_few_channels_are_left(inputs, outputs, left):
    images, kernel = draw(0, 2, inputs, 6, 6), draw(1, outputs, inputs, 3, 3)

    def slopes(images, kernel):
        def loss(*args):
            return jax.lax.conv(*args, (1, 1), "SAME").sum()

        return jax.grad(loss, (0, 1))(images, kernel)

    before, after = (
        str(jax.make_jaxpr(f)(images, kernel)) for f in (slopes, canonical_convolutions(slopes))
    )
    assert (after == before) == left


@pytest.mark.parametrize("inner", [6, 8])
def test_a_sharding_of_their_own_is_kept(inner):
    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Explicit,))
    kernel = draw(0, inner, 8, 3, 3)

    def spread(images):
        return jax.lax.conv_general_dilated(
            images, kernel, (1, 1), "SAME", out_sharding=jax.P(None, "d", None, None)
        )

    with jax.set_mesh(mesh):
        images = draw(1, 2, 8, 5, 5)
        found, expected = canonical_convolutions(spread)(images), spread(images)
        assert found.sharding == expected.sharding
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("channels", "left"), [(1, True), (7, True), (8, False)])
def test_convolutions_in_narrow_groups_are_left(channels, left):
    images, kernel = draw(0, 2, 4 * channels, 6, 6), draw(1, 4, channels, 3, 3)
    grouped = functools.partial(convolve, layout=("NCHW", "OIHW", "NCHW"), feature_group_count=4)
    before, after = (
        str(jax.make_jaxpr(f)(images, kernel)) for f in (grouped, canonical_convolutions(grouped))
    )
    assert (after == before) == left


def test_what_stands_in_several_places_stays_one():
    def block(images):
        return jax.lax.conv(images, kernel, (1, 1), "SAME")

    kernel = draw(0, 8, 8, 3, 3)
    for _ in range(12):
        block = jax.jit(lambda x, inner=block: inner(inner(x)))
    traced = (
        jax.make_jaxpr(f)(draw(1, 1, 8, 4, 4)) for f in (block, canonical_convolutions(block))
    )
    before, after = (str(jaxpr).count("conv_general_dilated") for jaxpr in traced)
    assert after == before


def test_without_jit():
    expected = LOOPS["map"](BATCHES)
    with jax.disable_jit():
        found = canonical_convolutions(LOOPS["map"])(BATCHES)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_second_call_outside_jit_compiles_nothing(caplog):
    matvec = ntk_vp(channels_first, draw(1, 4, 8, 4, 4), None, draw(0, 4, 8, 3, 3))
    matvec(jnp.ones((4, 4)))
    with jax.log_compiles():
        matvec(jnp.zeros((4, 4)))
    assert not [r for r in caplog.records if "Compiling" in r.getMessage()]


def forward(batches):
    return jax.lax.map(lambda images: network(KERNEL, images), batches)


@pytest.mark.parametrize("loop", [forward, canonical_convolutions(LOOPS["map"])])
def test_what_is_canonical_is_not_touched(loop):
    before, after = (str(jax.make_jaxpr(f)(BATCHES)) for f in (loop, canonical_convolutions(loop)))
    assert after == before


def test_accelerators_choose_layouts_themselves():
    loop = LOOPS["map"]
    before = str(jax.make_jaxpr(loop)(BATCHES))
    with mock.patch.object(jax, "default_backend", return_value="gpu"):
        assert str(jax.make_jaxpr(canonical_convolutions(loop))(BATCHES)) == before
    assert str(jax.make_jaxpr(canonical_convolutions(loop))(BATCHES)) != before


def channels_first(kernel, images):
    """Outputs ``[n, 4]`` of a network whose every convolution is in another form."""
    return jnp.tanh(jax.lax.conv(images, kernel, (1, 1), "SAME")).mean((2, 3))


def trained(kernel, images):
    def loss_fn(kernel, model_state, batch, key):
        return jnp.mean(channels_first(kernel, batch)), (model_state, {})

    optimizer = optax.sgd(0.1)
    state = create_train_state(kernel, optimizer, key=jax.random.key(0))
    return make_train_step(loss_fn, optimizer, accumulate=2)(state, images)


def data_set(kernel, images):
    return dataset_operator(channels_first, kernel, images, micro_batch=2)


def in_batches(kernel, images):
    return batched(ntk_fn(channels_first, implementation="jacobian"), 2)(images, None, kernel)


def by_products(kernel, images, vmap_axes=0):
    products = ntk_fn(channels_first, implementation="vector_products", vmap_axes=vmap_axes)
    return products(images, None, kernel)


def pulled_back_in_batches(kernel, images):
    options = StructuredOptions(output_batch=1)
    kernel_fn = ntk_fn(channels_first, implementation="structured", vmap_axes=0, options=options)
    return kernel_fn(images, None, kernel)


def iterated(kernel, images):
    matvec = ntk_vp(channels_first, images, None, kernel)
    return jax.lax.fori_loop(0, 3, lambda _, v: matvec(v), jnp.ones((4, 4)))


def average(kernel, images):
    return average_over_rotations(
        lambda images: channels_first(kernel, images), images, jnp.stack(2 * [jnp.eye(3)])
    )


USES = {
    "make_train_step": trained,
    "matvec": lambda kernel, images: data_set(kernel, images).matvec(jnp.ones((4, 4))),
    "diagonal": lambda kernel, images: data_set(kernel, images).diagonal(),
    "batched": in_batches,
    "vector_products": by_products,
    "vector_products of a batch": functools.partial(by_products, vmap_axes=None),
    "structured": pulled_back_in_batches,
    "ntk_vp": iterated,
    "sketched_ntk": lambda kernel, images: sketched_ntk(
        jax.random.key(0), channels_first, images, None, kernel, dim=2
    ),
    "check_independence": lambda kernel, images: check_independence(channels_first, kernel, images),
    "average_over_rotations": average,
}


@pytest.mark.parametrize("name", USES)
def test_loops_over_networks_are_canonical(name):
    kernel, images = draw(0, 4, 8, 3, 3), draw(1, 4, 8, 4, 4)
    found = list(forms(jax.make_jaxpr(USES[name])(kernel, images), inside=False))
    assert found
    assert all(found)
