"""Structured derivatives, at every site and as chosen, against brute force."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxlab.ntk import _choice, _sites
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.structured import Site, contract, factors, register_site_rule
from jaxlab.ntk.types import StructuredOptions, VmapAxes
from tests.ntk.checks import SPLIT, WHOLE, assert_precision_reaches_every_product, jit, sharded
from tests.ntk.nets import NETS
from tests.ntk.oracle import brute_force, net_kernel

# networks whose leaves would be cheaper in weight space at these sizes
QUICK = (
    "conv_strided",
    "conv_dilated_average_pool",
    "conv_grouped",
    "conv_depthwise",
    "conv_channels_first",
    "embedding_clipped",
    "embedding_filled",
    "fused_projections",
    "rnn_loop",
    "rnn_scan_reversed",
    "layers_indexed",
)


@pytest.fixture
def at_sites(monkeypatch):
    """Contract every leaf at its sites where that is possible, whatever it costs."""
    monkeypatch.setattr(_choice, "_formed", lambda uses: 10**15)


def assert_close(got, expected, tolerance=1e-10):
    scale = max(np.abs(expected).max(initial=0), 1e-30)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NETS]
)
def test_contracted_at_every_site(x64, at_sites, name):
    net = NETS[name]
    kernel = ntk_fn(net.apply_fn, vmap_axes=0 if net.independent else None)
    got = jit(kernel)(net.x1, net.x2, net.params)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(net_kernel(name)), strict=True):
        assert_close(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, net in NETS.items() if net.independent])
def test_contracted_at_every_site_of_a_whole_batch(x64, at_sites, name):
    net = NETS[name]
    got = jit(ntk_fn(net.apply_fn))(net.x1, net.x2, net.params)
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(net_kernel(name)), strict=True):
        assert_close(one, other)


def test_examples_of_different_shapes(x64):
    """Sequences of 5 and of 3: two programs, planned together."""
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(4, 6)), "b": rng.normal(size=6), "v": rng.normal(size=(6, 2))}

    def apply_fn(params, x):
        return jnp.tanh(x @ params["w"] + params["b"]).mean(1) @ params["v"]

    x1, x2 = rng.normal(size=(3, 5, 4)), rng.normal(size=(2, 3, 4))
    got = jit(ntk_fn(apply_fn, vmap_axes=0))(x1, x2, params)
    assert_close(got, brute_force(apply_fn, x1, x2, params))


@pytest.mark.parametrize("mode", [None, "clip", "row"])
@pytest.mark.parametrize(("dtype", "rows"), [("uint8", 256), ("uint8", 300), ("int8", 128)])
def test_a_table_with_more_rows_than_the_tokens_can_count(x64, at_sites, dtype, rows, mode):
    rng = np.random.default_rng(7)
    table, last = rng.normal(size=(rows, 2)), np.iinfo(dtype).max
    x1, x2 = (np.asarray(x, dtype) for x in ([[last, 5], [5, 9]], [[9, last]]))

    def apply_fn(table, x):
        if mode == "row":
            found = jax.lax.dynamic_slice_in_dim(table, x[0, 0], 1) * x[:, :1]
        else:
            found = jnp.take(table, x, axis=0, mode=mode).sum(1)
        return jnp.tanh(found)

    got = jit(ntk_fn(apply_fn))(x1, x2, table)
    assert_close(got, brute_force(apply_fn, x1.astype(int), x2.astype(int), table))


def test_a_reshape_that_transposes(x64, at_sites):
    rng = np.random.default_rng(8)
    w, x = rng.normal(size=(2, 3, 2)), rng.normal(size=(3, 4))

    def apply_fn(w, x):
        turned = jax.lax.reshape(w, (4, 3), dimensions=(2, 0, 1))
        return jnp.tanh(x @ w.reshape(4, 3)) + jnp.sin(x @ turned)

    assert_close(jit(ntk_fn(apply_fn))(x, None, w), brute_force(apply_fn, x, None, w))


def test_an_unstacked_leaf(x64, at_sites):
    """Matrices along the middle axis; one of them is used again as a slice."""
    rng = np.random.default_rng(14)
    w, x = rng.normal(size=(4, 3, 4)), rng.normal(size=(2, 4))

    def apply_fn(w, x):
        for matrix in (*jnp.unstack(w, axis=1), w[:, 1]):
            x = jnp.tanh(x @ matrix)
        return x

    assert_close(jit(ntk_fn(apply_fn))(x, None, w), brute_force(apply_fn, x, None, w))


def test_a_scan_of_no_steps(x64):
    def apply_fn(w, x):
        h, stacked = jax.lax.scan(lambda h, _: (h @ w, h @ w), x @ w, None, length=0)
        return jnp.tanh(h) + stacked.sum(0)

    w, x = np.random.default_rng(9).normal(size=(2, 3, 3))
    assert_close(jit(ntk_fn(apply_fn))(x, None, w), brute_force(apply_fn, x, None, w))


def test_a_row_that_the_batch_picks_without_jit(x64):
    """Its number is known then, but not while the two batches are planned together."""
    table = np.random.default_rng(10).normal(size=(4, 2))

    def apply_fn(table, x):
        return jnp.tanh(table[x[0, 0]]) * jnp.ones((len(x), 1))

    x1, x2 = jnp.array([[3], [1]]), jnp.array([[3]])
    assert_close(ntk_fn(apply_fn)(x1, x2, table), brute_force(apply_fn, x1, x2, table))
    like = factors(apply_fn, table, x1)
    other = factors(apply_fn, table, x2, like=like)
    assert_close(contract(like, other), brute_force(apply_fn, x1, x2, table))


def of_a_task(params, x):
    return jnp.tanh(x @ params["w"][params["task"]])


def of_a_task_among_the_inputs(stack, x):
    return jnp.tanh(x["x"] @ stack[x["task"]])


STACK = np.random.default_rng(11).normal(size=(3, 40, 6))  # a matrix for each task
FIRST, SECOND = np.random.default_rng(12).normal(size=(2, 4, 40))


@pytest.mark.parametrize("vmap_axes", [0, None])
@pytest.mark.parametrize("x2", [None, SECOND[:3]])
def test_a_part_that_a_parameter_picks_without_jit(x64, vmap_axes, x2):
    """Its number is known then, but not where the outputs are pulled back piece by piece."""
    params = {"w": STACK, "task": jnp.int32(1)}
    expected = brute_force(of_a_task, FIRST, x2, params)
    for output_batch in (None, 2, 5):
        options = StructuredOptions(output_batch=output_batch)
        kernel = ntk_fn(of_a_task, vmap_axes=vmap_axes, options=options)
        assert_close(kernel(FIRST, x2, params), expected)


@pytest.mark.parametrize("x2", [None, SECOND[:3]])
def test_a_part_that_the_inputs_pick_without_jit(x64, x2):
    task = jnp.int32(2)
    x1, x2 = ({"x": x, "task": task} if x is not None else None for x in (FIRST, x2))
    options, axes = StructuredOptions(output_batch=2), VmapAxes({"x": 0, "task": None}, 0)
    got = ntk_fn(of_a_task_among_the_inputs, vmap_axes=axes, options=options)(x1, x2, STACK)
    assert_close(got, brute_force(of_a_task_among_the_inputs, x1, x2, STACK))


@pytest.mark.parametrize("vmap_axes", [0, None])
def test_factors_of_a_part_that_a_parameter_picks_without_jit(x64, vmap_axes):
    params = {"w": STACK, "task": jnp.int32(1)}
    like = factors(of_a_task, params, FIRST, vmap_axes=vmap_axes)
    other = factors(of_a_task, params, SECOND[:3], vmap_axes=vmap_axes, like=like)
    assert_close(contract(like, other), brute_force(of_a_task, FIRST, SECOND[:3], params))


@pytest.mark.parametrize("lengths", [(2, 1), (1, 1), (1, 2)])
def test_scans_within_scans_over_one_leaf(x64, lengths):
    """Their slices drop axes of one entry, and are sliced again."""

    def apply_fn(scales, x):
        def outer(h, row):
            return jax.lax.scan(lambda h, scale: (jnp.tanh(h * scale), None), h, row)

        return jax.lax.scan(outer, x, scales)[0]

    scales = np.random.default_rng(13).normal(size=lengths)
    got = ntk_fn(apply_fn, vmap_axes=0)(BATCH, None, scales)
    assert_close(got, brute_force(apply_fn, BATCH, None, scales))


def two_layers(params, x):
    return jnp.tanh(x @ params["w"]).reshape(*x.shape[:-1], 5, 2) @ params["v"]


TWO_LAYERS = {
    "w": np.random.default_rng(1).normal(size=(4, 10)),
    "v": np.random.default_rng(2).normal(size=(2, 3)),
}
BATCH = np.random.default_rng(3).normal(size=(3, 4))


@pytest.mark.parametrize(
    ("axes", "output_batch", "vmap_axes"),
    [
        ({}, 4, 0),
        ({"trace_axes": (1,)}, 6, 0),
        ({"diagonal_axes": (1,), "trace_axes": (2,)}, 2, 0),
        ({"trace_axes": (-1,)}, 7, None),
    ],
)
def test_outputs_pulled_back_a_few_at_a_time(x64, axes, output_batch, vmap_axes):
    options = StructuredOptions(output_batch=output_batch)
    kernel = ntk_fn(two_layers, vmap_axes=vmap_axes, options=options, **axes)
    other = BATCH[:2] if vmap_axes == 0 else None
    got = jit(kernel)(BATCH, other, TWO_LAYERS)
    assert_close(got, brute_force(two_layers, BATCH, other, TWO_LAYERS, **axes))


def test_output_batch_is_checked(bad_input):
    kernel = ntk_fn(two_layers, vmap_axes=0, options=StructuredOptions(output_batch=0))
    with pytest.raises(ValueError, match=r"options\.output_batch: expected an integer >= 1"):
        kernel(BATCH, None, TWO_LAYERS)


def test_factors_are_kept_and_contracted(x64):
    one = jit(lambda x: factors(two_layers, TWO_LAYERS, x, vmap_axes=0))(BATCH)
    two = factors(two_layers, TWO_LAYERS, BATCH[:1], vmap_axes=0, like=one)
    for axes in ({}, {"trace_axes": (1,), "diagonal_axes": (2,)}):
        got = jit(functools.partial(contract, **axes))(one, two)
        assert_close(got, brute_force(two_layers, BATCH, BATCH[:1], TWO_LAYERS, **axes))
    with pytest.raises(ValueError, match="right: expected outputs of size 3 along axis 0"):
        contract(one, two, diagonal_axes=(0,))


@pytest.mark.parametrize("vmap_axes", [0, None])
def test_factors_of_outputs_without_entries(vmap_axes):
    def apply_fn(params, x):
        return jnp.tanh(x @ params[0]) @ params[1]

    one = factors(apply_fn, [jnp.ones((4, 5)), jnp.ones((5, 0))], BATCH, vmap_axes=vmap_axes)
    assert contract(one, one).shape == (3, 3, 0, 0)
    np.testing.assert_array_equal(contract(one, one, trace_axes=(1,)), np.zeros((3, 3)))


@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_without_a_pixel_left(x64, stride):
    def apply_fn(params, x):
        seen = jax.lax.conv_general_dilated(
            x, params[0], (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return seen.sum((1, 2)) + x.sum((1, 2)) @ params[1]

    params, x = [jnp.ones((5, 5, 2, 4)), jnp.ones((2, 4))], jnp.arange(24.0).reshape(3, 2, 2, 2)
    kernel = ntk_fn(apply_fn, vmap_axes=0)(x, None, params)
    assert_close(kernel, brute_force(apply_fn, x, None, params))


def test_precision_reaches_every_product(bad_input):
    params, x = jax.tree.map(jnp.float32, (TWO_LAYERS, BATCH))

    def make(precision):
        def kernel(params, x):
            one = factors(two_layers, params, x, vmap_axes=0, precision=precision)
            return contract(one, one, precision=precision)

        return kernel

    assert_precision_reaches_every_product(make, params, x)
    one = factors(two_layers, params, x)
    with pytest.raises(ValueError, match="precision"):
        factors(two_layers, params, x, precision="exact")
    with pytest.raises(ValueError, match=r"options\.max_unroll"):
        factors(two_layers, params, x, options=StructuredOptions(max_unroll=None))
    with pytest.raises(ValueError, match="precision"):
        contract(one, one, precision="exact")


def test_axes_of_a_contraction_are_traced_or_kept(bad_input):
    one = factors(two_layers, TWO_LAYERS, BATCH)
    with pytest.raises(ValueError, match="diagonal_axes: expected no axis that is in trace_axes"):
        contract(one, one, trace_axes=(1,), diagonal_axes=(-2, -1))


def test_factors_refuse_each_other(bad_input):
    one = factors(two_layers, TWO_LAYERS, BATCH, vmap_axes=0)
    other = factors(two_layers, TWO_LAYERS, BATCH)
    with pytest.raises(ValueError, match="right: expected factors of the same network"):
        contract(one, other)

    def unlike(params, x):
        return jnp.tanh(x * params["w"][:, 0]) @ params["w"] + params["v"].sum()

    with pytest.raises(ValueError, match="like: expected factors of a network that uses"):
        factors(unlike, TWO_LAYERS, BATCH, vmap_axes=0, like=one)
    with pytest.raises(ValueError, match="apply_fn: expected a function that returns one array"):
        factors(lambda params, x: (x @ params["w"],) * 2, TWO_LAYERS, BATCH)


# --- memory -------------------------------------------------------------------------------------


def temporary_bytes(kernel, *arguments):
    compiled = jax.jit(kernel).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_of_a_row_lookup_does_not_know_the_vocabulary():
    def apply_fn(params, tokens):
        return jnp.tanh(params["table"][tokens]).mean(1) @ params["head"]

    f32 = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    params = {"table": f32((50_000, 64)), "head": f32((64, 8))}
    tokens = jax.ShapeDtypeStruct((4, 32), jnp.int32)
    used = {
        name: temporary_bytes(
            ntk_fn(apply_fn, vmap_axes=0, implementation=name), tokens, tokens, params
        )
        for name in ("structured", "jacobian")
    }
    assert used["structured"] < 0.01 * used["jacobian"]
    small = {"table": f32((500, 64)), "head": f32((64, 8))}
    kernel = ntk_fn(apply_fn, vmap_axes=0)
    assert used["structured"] <= 1.1 * temporary_bytes(kernel, tokens, tokens, small)


def test_memory_of_a_fully_connected_network():
    """Cotangents of one layer at a time, whatever the depth, and no Jacobian."""
    n, outputs, width = 8, 10, 512

    def apply_fn(params, x):
        for w in params[:-1]:
            x = jax.nn.relu(x @ w)
        return x @ params[-1]

    f32 = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    x = f32((n, 784))

    def used(depth):
        sizes = [784] + [width] * depth + [outputs]
        params = [f32(shape) for shape in itertools.pairwise(sizes)]
        return temporary_bytes(ntk_fn(apply_fn, vmap_axes=0), x, x, params)

    cotangents, kernel = 2 * n * outputs * width, (n * outputs) ** 2
    activations = 2 * n * (784 + 3 * width)
    assert used(3) <= 4 * (3 * cotangents + 2 * kernel + 2 * activations)
    assert used(9) - used(3) <= 4 * 6 * (2 * n * width) * 1.1  # activations alone


def test_memory_of_a_recurrent_network():
    """No more than the Jacobians, although an order with fewer operations would take more."""

    def apply_fn(params, x):
        h = jnp.zeros((len(x), 64))
        for step in range(10):
            h = jnp.tanh(x[:, step] + h @ params["kept"])
        return h @ params["out"]

    f32 = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    params, x = {"kept": f32((64, 64)), "out": f32((64, 5))}, f32((64, 10, 64))
    structured, jacobian = (
        temporary_bytes(ntk_fn(apply_fn, vmap_axes=0, implementation=name), x, None, params)
        for name in ("structured", "jacobian")
    )
    assert structured < 1.5 * jacobian


@pytest.mark.parametrize("implementation", ["structured", "jacobian"])
@pytest.mark.parametrize(
    ("shape", "taps", "options"),
    [
        ((1000, 4), (600, 4, 8), {"padding": "VALID"}),
        ((6, 6, 64), (7, 7, 1, 64), {"padding": "SAME", "feature_group_count": 64}),
        ((16, 16, 16), (7, 7, 1, 16), {"padding": "SAME", "feature_group_count": 16}),
    ],
    ids=["few places", "more taps than pixels", "depthwise"],
)
def test_memory_of_convolutions_does_not_know_the_taps(implementation, shape, taps, options):
    """Not what each tap sees, which would be ten times the Jacobians here, and more."""
    letters = "HW"[: len(shape) - 1]
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")

    def apply_fn(params, x):
        h = jnp.tanh(
            jax.lax.conv_general_dilated(
                x, params["kernel"], (1,) * len(letters), dimension_numbers=numbers, **options
            )
        )
        return h.mean(tuple(range(1, len(shape)))) @ params["head"]

    n, outputs = 4, 2
    f32 = functools.partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
    params = {"kernel": f32(taps), "head": f32((taps[-1], outputs))}
    x = f32((n, *shape))
    kernel = ntk_fn(apply_fn, vmap_axes=0, trace_axes=(-1,), implementation=implementation)
    jacobians = n * outputs * math.prod(taps)
    values = n * outputs * math.prod(shape[:-1]) * taps[-1] + math.prod(x.shape)
    assert temporary_bytes(kernel, x, None, params) < 4 * 4 * (jacobians + values)


# --- extension ----------------------------------------------------------------------------------


@pytest.fixture
def outer_primitive():
    """``y[i, j] = x[i] θ[j]``: linear in both, known to nobody."""
    outer = Primitive("outer_of_the_test")
    outer.def_impl(lambda x, w: x[:, None] * w[None, :])
    outer.def_abstract_eval(lambda x, w: jax.core.ShapedArray((x.shape[0], w.shape[0]), x.dtype))
    mlir.register_lowering(
        outer, mlir.lower_fun(lambda x, w: x[:, None] * w[None, :], multiple_results=False)
    )
    ad.defbilinear(
        outer, lambda c, x, w: (c * w[None, :]).sum(1), lambda c, x, w: (c * x[:, None]).sum(0)
    )

    def batch(arguments, axes):
        x, w = (
            a if axis is not None else jnp.broadcast_to(a, (1, *a.shape))
            for a, axis in zip(arguments, axes, strict=True)
        )
        return x[:, :, None] * w[:, None, :], 0

    batching.primitive_batchers[outer] = batch
    yield outer
    _sites._RULES.pop(outer.name, None)


def test_a_primitive_of_the_users_own(x64, outer_primitive):
    seen = []

    def rule(call):
        if call.position != 1:
            return None
        (x,), (w,) = call.inputs[0].shape, call.parameter.shape
        seen.append((x, w))
        return Site(
            kind="dense",
            blocks=1,
            shared=x,
            contracted=1,
            kept=w,
            signature="outer",
            operand=lambda known: known[0].reshape(1, x, 1),
            cotangent=lambda c: c.reshape(c.shape[0], 1, x, w),
        )

    register_site_rule(outer_primitive, rule)
    w, x1, x2 = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate([4, 3, 3]))

    def network(w, x):
        return jnp.tanh(outer_primitive.bind(x, w)).sum(0) * 2.0

    got = jit(ntk_fn(network))(x1, x2, w)
    assert set(seen) == {(3, 4)}
    expected = ntk_fn(lambda w, x: jnp.tanh(x[:, None] * w).sum(0) * 2.0)(x1, x2, w)
    assert_close(got, np.asarray(expected))


def test_registration_is_checked(bad_input, outer_primitive):
    with pytest.raises(ValueError, match="primitive: expected a jax primitive"):
        register_site_rule("dot_general", lambda call: None)
    with pytest.raises(ValueError, match="rule: expected a function"):
        register_site_rule(outer_primitive, None)


# --- devices ------------------------------------------------------------------------------------


def network(params, x):
    h = jax.nn.relu(x @ params["w"] + params["b"])
    return h @ params["v"]


PARAMS = {
    "w": np.random.default_rng(4).normal(size=(5, 16)).astype(np.float32),
    "b": np.ones(16, np.float32),
    "v": np.random.default_rng(5).normal(size=(16, 2)).astype(np.float32),
}
ROWS = np.random.default_rng(6).normal(size=(16, 5)).astype(np.float32)


@pytest.mark.parametrize("implementation", ["structured", "jacobian", "vector_products"])
@pytest.mark.parametrize("check_vma", [True, False])
def test_rows_over_devices(devices, implementation, check_vma):
    kernel = ntk_fn(network, vmap_axes=0, implementation=implementation)
    got = sharded(kernel, SPLIT, WHOLE, WHOLE, check_vma=check_vma)(ROWS, ROWS[:3], PARAMS)
    single = jax.jit(kernel)(ROWS, ROWS[:3], PARAMS)
    assert_close(got, np.asarray(single), 1e-5)


@pytest.mark.parametrize("implementation", ["structured", "jacobian", "vector_products"])
def test_rows_along_an_explicit_axis(devices, implementation):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,), devices=devices)
    kernel = ntk_fn(network, vmap_axes=0, implementation=implementation)
    with jax.set_mesh(mesh):
        x1 = jax.device_put(ROWS, NamedSharding(mesh, PartitionSpec("data")))
        x2, params = jax.device_put((ROWS[:3], PARAMS), NamedSharding(mesh, PartitionSpec()))
        got = kernel(x1, x2, params)
    assert jax.typeof(got).sharding.spec[0] == "data"
    assert_close(got, np.asarray(jax.jit(kernel)(ROWS, ROWS[:3], PARAMS)), 1e-5)


def test_pmap(devices):
    kernel = ntk_fn(network, vmap_axes=0)
    mapped = jax.pmap(kernel, in_axes=(0, None, None))
    got = mapped(ROWS.reshape(8, 2, 5), ROWS[:3], PARAMS)
    single = jax.jit(kernel)(ROWS, ROWS[:3], PARAMS)
    assert_close(got.reshape(single.shape), np.asarray(single), 1e-5)


# --- cost ---------------------------------------------------------------------------------------


def test_long_scans_are_left_alone_and_exact(x64):
    net = NETS["rnn_scan"]
    options = StructuredOptions(max_unroll=2)
    got = jit(ntk_fn(net.apply_fn, vmap_axes=0, options=options))(net.x1, net.x2, net.params)
    assert_close(got, net_kernel("rnn_scan"))


def test_a_repeated_use_is_one_contraction():
    """Ten uses of one matrix: one einsum, not a hundred."""

    def apply_fn(w, x):
        for _ in range(10):
            x = jnp.tanh(x @ w)
        return x

    w, x = jnp.ones((8, 8)), jnp.ones((2, 8))
    program = jax.make_jaxpr(ntk_fn(apply_fn, vmap_axes=0))(x, None, w)
    contractions = str(program).count("dot_general")
    once = str(jax.make_jaxpr(ntk_fn(lambda w, x: x @ w, vmap_axes=0))(x, None, w))
    forward_and_back = 2 * 10
    assert contractions <= 10 + forward_and_back + once.count("dot_general")
