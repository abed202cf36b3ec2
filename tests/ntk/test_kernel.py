"""Kernels of every implementation against brute force, theorems, and what they refuse."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding

from jaxlab.ntk._implementations import IMPLEMENTATIONS
from jaxlab.ntk.flattening import flatten_kernel, unflatten_kernel
from jaxlab.ntk.kernel import kernel_fn, nngp_fn, ntk_fn
from jaxlab.ntk.types import Kernels, StructuredOptions, VmapAxes
from tests.ntk.checks import SPLIT, WHOLE, assert_precision_reaches_every_product, jit, sharded
from tests.ntk.nets import NETS, conv
from tests.ntk.oracle import EXACT, brute_force, from_jacobians, jacobians, to_matrix

every = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)

QUICK = (
    "fc_standard",
    "embedding",
    "custom_vjp",
    "batch_norm_training",
    "input_tree",
    "scalar_output",
)


def assert_kernels(got, expected, tolerance=1e-10):
    got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        scale = max(1e-3, np.abs(other).max(initial=0))
        np.testing.assert_allclose(np.asarray(one), other, rtol=0, atol=tolerance * scale)


# --- Against the definition --------------------------------------------------------------------


@every
@pytest.mark.parametrize("name", EXACT)
def test_exact_small_cases(x64, name, implementation):
    case = EXACT[name]
    arguments = case.x1, case.x2, case.params
    kernel = ntk_fn(case.apply_fn, implementation=implementation, vmap_axes=0)
    traced = ntk_fn(case.apply_fn, implementation=implementation, trace_axes=(-1,), vmap_axes=0)
    got = jit(lambda *arguments: (kernel(*arguments), traced(*arguments)))(*arguments)
    np.testing.assert_allclose(got[0], case.kernel, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(got[1], case.traced, rtol=1e-13, atol=1e-13)


@functools.cache
def expected_kernel(name):
    net = NETS[name]
    return brute_force(net.apply_fn, net.x1, net.x2, net.params)


@every
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETS]
)
def test_equals_brute_force(x64, name, implementation):
    net = NETS[name]
    kernel = ntk_fn(
        net.apply_fn, implementation=implementation, vmap_axes=0 if net.independent else None
    )
    assert_kernels(jit(kernel)(net.x1, net.x2, net.params), expected_kernel(name))


@every
@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_equals_brute_force_on_the_whole_batch(x64, name, implementation):
    net = NETS[name]
    kernel = ntk_fn(net.apply_fn, implementation=implementation, trace_axes=(-1,))
    x1 = jax.tree.map(lambda x: x[:2], net.x1)
    expected = brute_force(net.apply_fn, x1, net.x2, net.params, (-1,))
    assert_kernels(jit(kernel)(x1, net.x2, net.params), expected)


AXES = (
    {"trace_axes": (-1,)},
    {"trace_axes": (0,)},
    {"diagonal_axes": (0, -1)},
    {"diagonal_axes": (0,), "trace_axes": (-1,)},
    {"diagonal_axes": (2,), "trace_axes": (1,)},
    {"trace_axes": (0, 1, 2)},
)


@pytest.fixture(scope="module")
def several_axes():
    """Network of outputs (examples, 2, 2), two batches of equal size, kernels for all AXES."""
    draw = np.random.default_rng(0)
    params = [draw.standard_normal((3, 4)), draw.standard_normal((4, 2))]
    x1, x2 = draw.standard_normal((2, 3, 2, 3))

    def apply_fn(params, x):
        return jnp.tanh(x @ params[0]).cumsum(1) @ params[1]

    with jax.enable_x64(True):
        both = [jacobians(apply_fn, x, params) for x in (x1, x2)]
    expected = [from_jacobians(*both, **axes) for axes in AXES]
    return apply_fn, x1, x2, params, expected


@every
@pytest.mark.parametrize("vmap_axes", [0, None])
def test_trace_and_diagonal_axes(x64, several_axes, implementation, vmap_axes):
    apply_fn, x1, x2, params, expected = several_axes
    kernels = [
        ntk_fn(apply_fn, implementation=implementation, vmap_axes=vmap_axes, **axes)
        for axes in AXES
    ]
    got = jit(lambda *arguments: [kernel(*arguments) for kernel in kernels])(x1, x2, params)
    assert_kernels(got, expected)


@every
def test_examples_on_another_axis(x64, several_axes, implementation):
    apply_fn, x1, x2, params, _ = several_axes

    def moved(params, x):
        return jnp.moveaxis(apply_fn(params, jnp.moveaxis(x["x"], 1, 0) + x["shift"]), 0, 2)

    x1, x2 = (
        {"x": np.moveaxis(x, 0, 1), "shift": np.full((2, 3), shift)}
        for x, shift in ((x1, 0.1), (x2, 0.2))
    )
    kernel = ntk_fn(
        moved,
        implementation=implementation,
        diagonal_axes=(0,),
        vmap_axes=VmapAxes({"x": 1, "shift": None}, -1),
    )
    expected = brute_force(moved, x1, x2, params, diagonal_axes=(0,))
    assert_kernels(jit(kernel)(x1, x2, params), expected)


# --- Theorems ----------------------------------------------------------------------------------


def network(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


@pytest.fixture(scope="module")
def data():
    draw = np.random.default_rng(1)
    params = {
        "w": draw.standard_normal((3, 4)),
        "b": draw.standard_normal(4),
        "v": draw.standard_normal((4, 2)),
        "unused": draw.standard_normal(5),
    }
    return draw.standard_normal((3, 3)), draw.standard_normal((3, 3)), params


@every
def test_theorems(x64, data, implementation):
    """Of one compiled function: the batches have the same shape."""
    x1, x2, params = data
    kernel = ntk_fn(network, implementation=implementation, vmap_axes=0)
    compiled = jit(kernel)
    between = compiled(x1, x2, params)
    swapped = compiled(x2, x1, params)
    np.testing.assert_allclose(between, np.transpose(swapped, (1, 0, 3, 2)), atol=1e-12)
    order = np.array([2, 0, 1])
    np.testing.assert_allclose(compiled(x1[order], x2, params), between[order], atol=1e-12)

    own = jit(lambda x, params: kernel(x, None, params))(x1, params)
    assert np.array_equal(own, np.transpose(own, (1, 0, 3, 2)))
    np.testing.assert_allclose(own, compiled(x1, x1, params), atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(flatten_kernel(own))
    assert eigenvalues[0] >= -1e-10 * eigenvalues[-1]


@every
def test_groups_of_parameters_add_up(x64, data, implementation):
    """Also: the kernel of ``c f`` is ``c²`` times that of ``f``; an unused leaf adds zero."""
    x1, x2, params = data

    def kernel_of(*names, factor=1.0):
        """Kernel by some leaves, with the others held."""

        def restricted(chosen, x):
            return factor * network(params | chosen, x)

        kernel = ntk_fn(restricted, implementation=implementation, vmap_axes=0)
        return kernel(x1, x2, {name: params[name] for name in names})

    whole, first, second, scaled, unused = jit(
        lambda: (
            kernel_of("w", "b", "v"),
            kernel_of("w"),
            kernel_of("b", "v"),
            kernel_of("w", "b", "v", factor=3.0),
            kernel_of("unused"),
        )
    )()
    np.testing.assert_allclose(first + second, whole, atol=1e-12)
    np.testing.assert_allclose(scaled, 9 * whole, atol=1e-11)
    assert unused.shape == whole.shape
    assert not unused.any()


@every
def test_linear_model(x64, implementation):
    x1, x2 = np.arange(6.0).reshape(2, 3), np.arange(9.0).reshape(3, 3) - 4
    kernel = ntk_fn(lambda w, x: x @ w, implementation=implementation, vmap_axes=0)
    got = jit(kernel)(x1, x2, np.zeros((3, 4)))
    np.testing.assert_array_equal(got, (x1 @ x2.T)[:, :, None, None] * np.eye(4))


# --- Transformations ---------------------------------------------------------------------------


@every
def test_vmap_over_parameters(x64, data, implementation):
    x1, x2, params = data
    ensemble = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf, leaf - 1]), params)
    kernel = ntk_fn(network, implementation=implementation, trace_axes=(-1,), vmap_axes=0)
    together = jit(jax.vmap(kernel, (None, None, 0)))(x1, x2, ensemble)
    single = jit(kernel)
    members = [params, *(jax.tree.map(lambda leaf, i=i: leaf[i], ensemble) for i in (1, 2))]
    one_by_one = [single(x1, x2, member) for member in members]
    np.testing.assert_allclose(together, np.stack(one_by_one), atol=1e-12)


@every
def test_gradients(x64, data, implementation):
    x1, x2, params = data
    kernel = ntk_fn(network, implementation=implementation, vmap_axes=0)

    def total(x1, x2, params):
        return jnp.sum(kernel(x1, x2, params) ** 2)

    def brute_total(x1, x2, params):
        j1, j2 = (jax.jacrev(network)(params, x) for x in (x1, x2))
        products = jax.tree.map(lambda a, b: a.reshape(6, -1) @ b.reshape(6, -1).T, j1, j2)
        return jnp.sum(sum(jax.tree.leaves(products)) ** 2)

    got = jit(jax.grad(total, (0, 1, 2)))(x1, x2, params)
    expected = jit(jax.grad(brute_total, (0, 1, 2)))(x1, x2, params)
    chex.assert_trees_all_close(got, expected, rtol=1e-7, atol=1e-9)


@every
def test_eager_is_jitted(x64, implementation):
    kernel = ntk_fn(
        lambda w, x: jnp.tanh(x @ w), implementation=implementation, vmap_axes=0, trace_axes=(-1,)
    )
    x, w = np.arange(6.0).reshape(2, 3) / 6, np.arange(6.0).reshape(3, 2) / 6
    np.testing.assert_allclose(kernel(x, None, w), jit(kernel)(x, None, w), atol=1e-14)


@every
@pytest.mark.parametrize("check_vma", [True, False])
def test_parameters_that_the_network_branches_on(devices, implementation, check_vma):
    """A number among them is differentiated on each device alone, a bool stays one."""
    params = {"w": np.float32([[1, -2], [0.5, 1], [1, 3]]), "rate": 0.5, "train": True}
    x1, x2 = np.random.default_rng(0).normal(size=(2, 8, 3)).astype(np.float32)

    def switched(params, x):
        return jnp.tanh(x @ params["w"]) * params["rate"] if params["train"] else 0 * x

    def kernel(x1):
        return ntk_fn(switched, implementation=implementation, vmap_axes=0)(x1, x2[:2], params)

    got = sharded(kernel, SPLIT, check_vma=check_vma)(x1)
    assert_kernels(got, brute_force(switched, x1, x2[:2], params), 1e-5)


@every
def test_examples_sharded_over_devices(devices, implementation):
    """A site, a kernel with a gain, and a loop that stays one: each example on its own device."""
    draw = np.random.default_rng(6)
    params = {
        "stem": draw.normal(size=(3, 3, 2, 4)),
        "strided": draw.normal(size=(3, 3, 4, 4)),
        "gain": draw.normal(size=4),
        "loop": draw.normal(size=(3, 3, 4, 4)) / 6,
    }
    params = jax.tree.map(np.float32, params)
    x = draw.normal(size=(8, 5, 5, 2)).astype(np.float32)

    def apply_fn(params, x):
        h = jnp.tanh(conv(x, params["stem"]))
        h = jnp.tanh(conv(h, params["strided"] * params["gain"], stride=2))
        kernel = params["loop"]
        return jax.lax.scan(lambda h, _: (jnp.tanh(conv(h, kernel)), None), h, length=3)[0].mean(
            (1, 2)
        )

    options = StructuredOptions(max_unroll=2)
    kernel = jit(
        ntk_fn(apply_fn, vmap_axes=0, implementation=implementation, options=options),
        static_argnums=1,
    )
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,), devices=devices[:4])
    split, whole = NamedSharding(mesh, SPLIT), NamedSharding(mesh, WHOLE)
    got = kernel(jax.device_put(x, split), None, jax.device_put(params, whole))
    assert_kernels(got, np.asarray(kernel(x, None, params)), 1e-5)


@every
@pytest.mark.parametrize("axes", [{}, {"diagonal_axes": (0,)}])
def test_nan_stays_with_its_example(data, implementation, axes):
    x1, x2, params = (jax.tree.map(jnp.float32, part) for part in data)
    bad = x1.at[1].set(jnp.nan)
    compiled = jit(ntk_fn(network, implementation=implementation, vmap_axes=0, **axes))
    for arguments, spoilt in (((bad, x2), (1,)), ((x2, bad), (slice(None), 1))):
        clean = compiled(*(x1 if each is bad else each for each in arguments), params)
        got = compiled(*arguments, params)
        spoilt = (1,) if axes else spoilt
        expected = np.asarray(clean).copy()
        expected[spoilt] = np.nan
        np.testing.assert_allclose(got, expected, rtol=1e-5)


# --- Numbers -----------------------------------------------------------------------------------


@every
def test_bfloat16_parameters(data, implementation):
    """bfloat16 keeps eight bits; sums are taken in float32."""
    x1, x2, params = (jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.bfloat16), p) for p in data)
    got = jit(ntk_fn(network, implementation=implementation, vmap_axes=0))(x1, x2, params)
    assert got.dtype == jnp.float32
    wide = (jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), part) for part in (x1, x2))
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
        assert_kernels(got, brute_force(network, *wide, exact), 0.05)


@every
def test_float32(data, implementation):
    x1, x2, params = (jax.tree.map(np.float32, part) for part in data)
    got = jit(ntk_fn(network, implementation=implementation, vmap_axes=0))(x1, x2, params)
    assert got.dtype == jnp.float32
    assert_kernels(got, brute_force(network, x1, x2, params), 2e-6)


@every
def test_precision_reaches_every_product(data, implementation):
    x1, x2, params = (jax.tree.map(jnp.float32, part) for part in data)

    def make(precision):
        return ntk_fn(network, implementation=implementation, precision=precision, vmap_axes=0)

    assert_precision_reaches_every_product(make, x1, x2, params)


# --- Empty batches and outputs -----------------------------------------------------------------


@every
@pytest.mark.parametrize(("one", "two"), [(0, 2), (2, 0), (0, 0), (0, None)])
def test_no_examples(implementation, one, two):
    kernel = ntk_fn(network, implementation=implementation, trace_axes=(-1,), vmap_axes=0)
    params = {"w": jnp.ones((3, 4)), "b": jnp.ones(4), "v": jnp.ones((4, 2))}
    x2 = None if two is None else jnp.ones((two, 3))
    assert kernel(jnp.ones((one, 3)), x2, params).shape == (one, two or 0)


@every
def test_no_outputs_and_leaves_without_entries(implementation):
    kernel = ntk_fn(
        lambda params, x: (x @ params[0], (x @ params[1]).sum(1)),
        implementation=implementation,
        trace_axes=(-1,),
    )
    params = [jnp.ones((3, 0)), jnp.ones((3, 2))]
    nothing, kernel_of_sum = jit(kernel)(jnp.ones((2, 3)), jnp.ones((2, 3)), params)
    np.testing.assert_array_equal(nothing, np.zeros((2, 2)))
    np.testing.assert_allclose(kernel_of_sum, 6.0)


@every
@pytest.mark.parametrize("vmap_axes", [0, None])
def test_outputs_that_depend_on_nothing(implementation, vmap_axes):
    kernel = ntk_fn(
        lambda params, x: {"constant": 2 * x, "linear": x @ params},
        implementation=implementation,
        vmap_axes=vmap_axes,
    )
    got = jit(kernel)(jnp.ones((2, 3)), jnp.ones((1, 3)), jnp.ones((3, 1)))
    np.testing.assert_array_equal(got["constant"], np.zeros((2, 1, 3, 3)))
    np.testing.assert_array_equal(got["linear"], np.full((2, 1, 1, 1), 3.0))


# --- NNGP and both -----------------------------------------------------------------------------


def test_nngp(x64, several_axes):
    apply_fn, x1, x2, params, _ = several_axes
    out1, out2 = apply_fn(params, x1), apply_fn(params, x2)
    whole = np.einsum("nab,mcd->nmacbd", out1, out2)
    np.testing.assert_allclose(nngp_fn(apply_fn)(x1, x2, params), whole, atol=1e-12)
    shared = nngp_fn(apply_fn, trace_axes=(1,), diagonal_axes=(-1,))(x1, x2, params)
    expected = np.einsum("nab,mab->nmb", out1, out2) / 2
    np.testing.assert_allclose(shared, expected, atol=1e-12)
    own = nngp_fn(apply_fn)(x1, None, params)
    assert np.array_equal(own, np.transpose(own, (1, 0, 3, 2, 5, 4)))


def test_both_kernels(data):
    x1, x2, params = (jax.tree.map(jnp.float32, part) for part in data)
    options = {"trace_axes": (-1,), "implementation": "jacobian"}
    both, ntk, nngp, only = jit(
        lambda: (
            kernel_fn(network, **options)(x1, x2, params),
            ntk_fn(network, **options)(x1, x2, params),
            nngp_fn(network, trace_axes=(-1,))(x1, x2, params),
            kernel_fn(network, get=("nngp",), **options)(x1, None, params),
        )
    )()
    assert_kernels(both, Kernels(np.asarray(nngp), np.asarray(ntk)), 1e-6)
    assert only.ntk is None
    assert only.nngp.shape == (3, 3)


def test_matrix_of_a_kernel():
    kernel = np.random.default_rng(0).standard_normal((3, 2, 4, 4, 5, 6))
    matrix = flatten_kernel(jnp.asarray(kernel))
    np.testing.assert_array_equal(matrix, to_matrix(np.float32(kernel)))
    np.testing.assert_array_equal(
        unflatten_kernel(matrix, (3, 4, 5), (2, 4, 6)), np.float32(kernel)
    )
    square = jnp.arange(36.0).reshape(6, 6)
    np.testing.assert_array_equal(flatten_kernel(unflatten_kernel(square, (3, 2))), square)
    assert flatten_kernel(jnp.zeros((0, 2, 3, 3))).shape == (0, 6)
    by_entry = jax.vmap(flatten_kernel, in_axes=2)(jnp.zeros((3, 2, 7, 4, 4)))
    assert by_entry.shape == (7, 12, 8)


# --- Limits and refusals -----------------------------------------------------------------------


def linear(w, x):
    return x @ w


X, W = jnp.ones((2, 3)), jnp.ones((3, 4))


@every
def test_memory_limit(bad_input, implementation):
    def kernel(limit):
        options = StructuredOptions(memory_limit=limit)
        return ntk_fn(linear, implementation=implementation, options=options)(X, None, W)

    with pytest.raises(ValueError, match=r"memory_limit.*bytes.*shape \(2, 2, 4, 4\).*got 100"):
        kernel(100)
    np.testing.assert_allclose(kernel(10**6), 3.0 * np.ones((2, 2, 1, 1)) * np.eye(4))


@every
def test_memory_of_a_loop_without_parameters(implementation):
    """How often it runs is not known; how much memory it takes is."""

    def halved(w, x):
        return jax.lax.while_loop(lambda x: jnp.any(x > 1), lambda x: x / 2, 4 * x) @ w

    options = StructuredOptions(memory_limit=10**6)
    kernel = ntk_fn(halved, implementation=implementation, options=options)
    np.testing.assert_allclose(kernel(X, None, W), 3.0 * np.ones((2, 2, 1, 1)) * np.eye(4))


@every
@pytest.mark.parametrize("name", StructuredOptions._fields)
def test_options_are_integers(bad_input, implementation, name):
    for wrong in ("many", -1, 1.5):
        options = StructuredOptions(**{name: wrong})
        kernel = ntk_fn(linear, implementation=implementation, options=options)
        with pytest.raises(ValueError, match=rf"options\.{name}: expected an integer >= [01]"):
            kernel(X, None, W)


def test_automatic_choice():
    auto = ntk_fn(linear, implementation="auto", vmap_axes=0)
    np.testing.assert_allclose(auto(X, None, W), 3.0 * np.ones((2, 2, 1, 1)) * np.eye(4))


@every
def test_while_loops_are_refused_by_name(bad_input, implementation):
    def doubling(w, x):
        return jax.lax.while_loop(lambda h: jnp.any(h < 100), lambda h: 2 * h + w.sum(), x @ w)

    kernel = ntk_fn(doubling, implementation=implementation)
    with pytest.raises(ValueError, match=r"apply_fn.*while_loop.*scan.*fori_loop") as caught:
        jax.jit(kernel)(X, None, W)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ntk_fn(linear, implementation="jacobean"), "implementation.*did you mean 'jacob"),
        (lambda: ntk_fn(linear, precision="exact"), "precision"),
        (lambda: nngp_fn(linear, precision="exact"), "precision"),
        (lambda: kernel_fn(linear, get=()), "get"),
        (lambda: kernel_fn(linear, get=None), "get: expected a tuple"),
        (lambda: kernel_fn(linear, get=("ntk", "cov")), "get.*'nngp', 'ntk'"),
        (lambda: kernel_fn(linear, get="ntk"), "get: expected a tuple"),
        (lambda: ntk_fn(linear, options=None)(X, None, W), "options: expected a StructuredOptions"),
        (lambda: flatten_kernel(jnp.zeros((2, 2, 3))), "kernel.*even number of axes"),
        (lambda: unflatten_kernel(jnp.zeros((4, 6)), (2, 2), (6,)), "shape2.*2 sizes"),
        (lambda: unflatten_kernel(jnp.zeros((4, 6)), (2, 2), (3, 3)), "matrix"),
        (lambda: unflatten_kernel(jnp.zeros((4, 4)), (-2, -2)), "shape1 and shape2"),
    ],
)
def test_refused_when_made(bad_input, make, message):
    with pytest.raises(ValueError, match=message):
        make()
