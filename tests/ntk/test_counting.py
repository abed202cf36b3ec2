"""Operations and memory of a function, against formulas by hand and against the compiler."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.experimental import pallas
from jax.extend import core

from jaxlab.ntk.counting import breakdown, count_flops, peak_bytes

SQUARE = jax.ShapeDtypeStruct((64, 64), jnp.float32)
WIDE = jax.ShapeDtypeStruct((6, 40), jnp.float32)
BYTES = 64 * 64 * 4


def shape(*sizes: int, dtype=jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, dtype)


def conv(image, kernel, **options):
    settings = {"window_strides": (1, 1), "padding": "VALID"} | options
    return lax.conv_general_dilated(
        image, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **settings
    )


# Operations: formulas by hand.


@pytest.mark.parametrize(
    ("subscripts", "left", "right", "expected"),
    [
        ("ij,jk->ik", (3, 4), (4, 5), 2 * 3 * 4 * 5),
        ("bij,bjk->bik", (7, 3, 4), (7, 4, 5), 2 * 7 * 3 * 4 * 5),
        ("ijk,kj->i", (3, 4, 5), (5, 4), 2 * 3 * 4 * 5),
        ("i,j->ij", (3,), (4,), 2 * 3 * 4),
        ("ij,ij->", (3, 4), (3, 4), 2 * 3 * 4),
    ],
)
def test_a_product_costs_twice_outputs_times_contracted(subscripts, left, right, expected):
    counts = breakdown(lambda a, b: jnp.einsum(subscripts, a, b), shape(*left), shape(*right))
    assert counts == {"dot_general": expected}


def test_rows_of_a_ragged_product_meet_one_group():
    sizes = jax.ShapeDtypeStruct((4,), jnp.int32)
    counts = breakdown(lax.ragged_dot, shape(64, 32), shape(4, 32, 16), sizes)
    assert counts == {"ragged_dot_general": 2 * 64 * 32 * 16}


def test_a_kernel_of_pallas_runs_at_every_point_of_its_grid():
    def square(x, out):
        out[...] = x[...] @ x[...]

    rows = pallas.BlockSpec((8, 8), lambda i: (i, 0))
    like = jax.ShapeDtypeStruct((32, 8), jnp.float32)
    call = pallas.pallas_call(square, grid=(4,), in_specs=[rows], out_specs=rows, out_shape=like)
    assert breakdown(call, like)["dot_general"] == 4 * 2 * 8**3


@pytest.mark.parametrize(
    ("image", "kernel", "options", "expected"),
    [
        # outputs N·H·W·C_out, then taps · C_in of one output channel
        ((2, 9, 8, 3), (3, 3, 3, 5), {}, 2 * (2 * 7 * 6 * 5) * 27),
        ((2, 9, 9, 3), (3, 3, 3, 5), {"window_strides": (2, 2)}, 2 * (2 * 4 * 4 * 5) * 27),
        ((2, 9, 9, 3), (3, 3, 3, 5), {"rhs_dilation": (2, 2)}, 2 * (2 * 5 * 5 * 5) * 27),
        ((2, 9, 9, 4), (3, 3, 2, 6), {"feature_group_count": 2}, 2 * (2 * 7 * 7 * 6) * 18),
        ((2, 9, 9, 4), (3, 3, 1, 8), {"feature_group_count": 4}, 2 * (2 * 7 * 7 * 8) * 9),
        ((4, 9, 9, 3), (3, 3, 3, 6), {"batch_group_count": 2}, 2 * (2 * 7 * 7 * 6) * 27),
        (
            (2, 4, 4, 3),
            (3, 3, 3, 5),
            {"lhs_dilation": (2, 2), "padding": ((0, 0), (0, 0))},
            2 * (2 * 5 * 5 * 5) * 27,
        ),
        ((2, 8, 8, 3), (3, 3, 3, 5), {"padding": "SAME"}, 2 * (2 * 8 * 8 * 5) * 27),
    ],
    ids=["plain", "strided", "dilated", "groups", "depthwise", "batch groups", "holes", "padded"],
)
def test_a_convolution_costs_twice_outputs_times_taps(image, kernel, options, expected):
    counts = breakdown(functools.partial(conv, **options), shape(*image), shape(*kernel))
    assert counts == {"conv_general_dilated": expected}


def test_a_scan_costs_its_length_times_its_body():
    def powers(x):
        def body(carry, shift):
            carry = carry @ x
            return carry, jnp.sum(carry) + shift

        return lax.scan(body, x, jnp.arange(10.0))

    counts = breakdown(powers, SQUARE)
    assert counts.pop("dot_general") == 5_242_880
    assert counts.pop("reduce_sum") == 10 * 64 * 64
    # one addition in each step; arange costs what this version of jax makes of it
    assert 10 <= sum(counts.values()) <= 10 + 2 * 10


def test_nested_scans_multiply():
    def inner(carry, _):
        return lax.scan(lambda c, _: (c @ c, None), carry, None, 3)[0], None

    assert count_flops(lambda x: lax.scan(inner, x, None, 5)[0], SQUARE) == 15 * 2 * 64**3


def test_a_scan_does_not_pay_for_results_nobody_reads():
    def both(x):
        return lax.scan(lambda c, _: (c + 1, c @ c), x, None, 4)

    assert count_flops(both, SQUARE) == 4 * (64**2 + 2 * 64**3)
    assert count_flops(lambda x: both(x)[0], SQUARE) == 4 * 64**2


def test_a_cond_costs_its_costliest_branch():
    def branch(x):
        return lax.cond(jnp.sum(x) > 0, lambda x: x @ x, jnp.sin, x)

    counts = breakdown(branch, SQUARE)
    assert counts["dot_general"] == 2 * 64**3
    assert "sin" not in counts
    assert counts["reduce_sum"] == 64**2


def test_a_while_loop_needs_its_number_of_trips(bad_input):
    def loop(x):
        return lax.while_loop(lambda c: jnp.sum(c) < 3, lambda c: c @ c, x)

    with pytest.raises(ValueError, match="while_trips: expected the number of iterations"):
        count_flops(loop, SQUARE)
    with pytest.raises(ValueError, match="while_trips: expected an integer >= 0"):
        count_flops(loop, SQUARE, while_trips=-1)
    # the condition is looked at once more than the body runs
    assert count_flops(loop, SQUARE, while_trips=7) == 7 * 2 * 64**3 + 8 * (64**2 + 1)
    assert count_flops(loop, SQUARE, while_trips=0) == 64**2 + 1


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: jnp.sum(x, axis=0), 240),
        (lambda x: jnp.max(x), 240),
        (lambda x: jnp.argmax(x, axis=1), 240),
        (lambda x: lax.reduce(x, 0.0, lambda a, b: a * b + 1, (0,)), 240),
        (lambda x: lax.reduce_precision(x, 8, 7), 240),
        (lambda x: jnp.cumsum(x, axis=1), 240),
        (lambda x: lax.sort(x), 240 * 6),
        (lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 3), (1, 1), "VALID"), 5 * 38 * 6),
        (lambda x: x * 2.0 + 1.0, 480),
        (lambda x: x + x[:, :1], 240),
        (lambda x: jnp.tanh(x), 240),
        (lambda x: x.at[jnp.array([[1, 2, 4]]), 0].add(1.0, mode="drop"), 3),
        (lambda x: jnp.transpose(x).reshape(-1)[::2], 0),
        (lambda x: jnp.concatenate([x, x])[:, ::-1], 0),
        (lambda x: jnp.stack([x, x]), 0),
        (lambda x: jnp.tile(x, 3), 0),
        (lambda x: lax.pad(x, 0.0, ((1, 1, 0), (2, 2, 1))).astype(jnp.bfloat16), 0),
        (lambda x: lax.dynamic_slice(x, (2, 0), (2, 40)), 0),
        (lambda x: jnp.broadcast_to(x, (9, 6, 40)), 0),
    ],
)
def test_costs_of_single_operations(function, expected):
    free = {"lt", "add", "select_n"} if expected in (0, 3) else set()  # of indices, few
    counts = {name: n for name, n in breakdown(function, WIDE).items() if name not in free}
    assert sum(counts.values()) == expected


def test_factorisations_cost_their_leading_term():
    x = shape(30, 30)
    assert breakdown(lax.linalg.cholesky, x)["cholesky"] == 30**3 // 3
    assert breakdown(lax.linalg.lu, x)["lu"] == 2 * 30**3 // 3
    solve = functools.partial(lax.linalg.triangular_solve, left_side=True)
    assert breakdown(solve, x, shape(30, 4)) == {"triangular_solve": 30**2 * 4}


def test_mapped_functions_cost_as_many_times_as_they_are_mapped():
    def one(x, w):
        return jnp.sum(jnp.tanh(x @ w) @ w)

    single = count_flops(one, shape(8), shape(8, 8))
    mapped = count_flops(jax.vmap(one, (0, None)), shape(5, 8), shape(8, 8))
    assert mapped == 5 * single
    by_map = count_flops(lambda x, w: lax.map(lambda x: one(x, w), x), shape(5, 8), shape(8, 8))
    assert by_map == mapped


@jax.custom_vjp
def squared(x):
    return x @ x


squared.defvjp(lambda x: (x @ x, x), lambda x, g: (g @ x.T + x.T @ g,))


@jax.custom_jvp
def cubed(x):
    return x @ x @ x


cubed.defjvp(lambda xs, ts: (cubed(*xs), ts[0]))


@pytest.mark.parametrize("wrap", [jax.jit, jax.checkpoint, lambda f: jax.jit(jax.checkpoint(f))])
def test_calls_cost_what_they_call(wrap):
    assert count_flops(wrap(lambda x: jnp.sin(x @ x)), SQUARE) == 2 * 64**3 + 64**2


def test_custom_derivatives_cost_what_they_call():
    assert count_flops(squared, SQUARE) == 2 * 64**3
    assert count_flops(cubed, SQUARE) == 4 * 64**3
    gradient = jax.grad(lambda x: jnp.sum(squared(x)))
    assert breakdown(gradient, SQUARE)["dot_general"] == 2 * 2 * 64**3  # the value is not needed


def test_a_linear_solve_costs_its_solver():
    def solve(b):
        return lax.custom_linear_solve(
            lambda v: 2 * v, b, lambda matvec, b: b @ jnp.ones((64, 64)), symmetric=True
        )

    assert breakdown(solve, SQUARE)["dot_general"] == 2 * 64**3


def test_work_on_several_devices_adds_up(devices):
    types = (jax.sharding.AxisType.Auto,)
    mesh = jax.make_mesh((8,), ("data",), axis_types=types, devices=devices)
    rows = jax.sharding.PartitionSpec("data")
    mapped = jax.shard_map(lambda x: x @ x.T, mesh=mesh, in_specs=rows, out_specs=rows)
    assert count_flops(mapped, SQUARE) == 8 * (2 * 8 * 64 * 8)
    assert count_flops(jax.pmap(lambda x: x @ x.T), shape(8, 8, 64)) == 8 * (2 * 8 * 64 * 8)
    assert peak_bytes(mapped, SQUARE) == 8 * 4 * (64 * 8 + 8 * 8)  # transpose and product


def test_an_unknown_primitive_costs_its_outputs():
    unheard = core.Primitive("unheard_of")
    unheard.def_abstract_eval(lambda x: jax.core.ShapedArray((*x.shape, 2), x.dtype))
    assert breakdown(unheard.bind, shape(3, 4)) == {"unheard_of": 24}


def test_what_no_result_needs_is_free():
    def wasteful(x):
        jax.jit(jnp.matmul)(x, x)
        return jnp.sin(x)

    assert breakdown(wasteful, SQUARE) == {"sin": 64**2}


def test_counting_runs_nothing_and_nests_in_transformations():
    huge = shape(10**6, 10**6)
    assert count_flops(jnp.matmul, huge, huge) == 2 * 10**18
    assert peak_bytes(jnp.matmul, huge, huge) == 4 * 10**12

    def counted(x):
        return x * count_flops(jnp.matmul, x, x)

    assert float(jax.jit(counted)(jnp.ones((2, 2)))[0, 0]) == 16.0


def mlp(weights, x):
    for weight in weights[:-1]:
        x = jax.nn.relu(x @ weight)
    return x @ weights[-1]


WEIGHTS = [shape(24, 32), shape(32, 32), shape(32, 5)]
BATCH = shape(16, 24)


def gradient(weights, x):
    return jax.grad(lambda weights: jnp.sum(mlp(weights, x)))(weights)


def chain(x, y):
    return x @ y @ y @ y @ y @ y


PROGRAMS = {
    "chain": (chain, (SQUARE, SQUARE)),
    "mlp": (mlp, (WEIGHTS, BATCH)),
    "gradient of mlp": (gradient, (WEIGHTS, BATCH)),
    "conv": (conv, (shape(2, 9, 9, 3), shape(3, 3, 3, 5))),
    "grouped conv": (
        functools.partial(conv, feature_group_count=2),
        (shape(2, 9, 9, 4), shape(3, 3, 2, 6)),
    ),
    "scan": (lambda x: lax.scan(lambda c, _: (c @ c, jnp.sum(c)), x, None, 10), (SQUARE,)),
    "stacking scan": (lambda x: lax.scan(lambda c, _: (c @ x, c), x, None, 10)[1], (SQUARE,)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_agrees_with_the_compiler(name):
    function, args = PROGRAMS[name]
    with jax.default_device(jax.devices("cpu")[0]):  # of convolutions on GPUs it counts nothing
        compiled = jax.jit(function).lower(*args).compile()
    if "scan" not in name:  # the compiler counts the body of a loop once
        analysis = compiled.cost_analysis()
        analysis = analysis[0] if isinstance(analysis, list) else analysis
        assert count_flops(function, *args) == analysis["flops"]
    memory = compiled.memory_analysis()
    true = memory.temp_size_in_bytes + memory.output_size_in_bytes
    assert 0.5 * true <= peak_bytes(function, *args) <= 1.5 * true


# Memory: chains by hand.


@pytest.mark.parametrize("length", [2, 3, 9])
def test_a_chain_of_products_needs_two_at_once(length):
    def product(x):
        y = x
        for _ in range(length):
            y = y @ x
        return y

    assert peak_bytes(product, SQUARE) == 2 * BYTES


@pytest.mark.parametrize(
    ("function", "matrices"),
    [
        (lambda x: x @ x, 1),
        (lambda x: jnp.sin(jnp.cos(jnp.tanh(x))), 1),  # each takes over its operand
        (lambda x: (x @ x, jnp.sin(x)), 2),
        (lambda x: jnp.sin(y := x @ x) + y, 2),
        (lambda x: jnp.sin(y := x @ x) + y @ x, 3),
        (lambda x: jnp.concatenate([x @ x, x]), 3),
        (lambda x: x, 1),  # a result is not its argument
        (lambda x: (y := x @ x, y), 2),
        (lambda x: x.reshape(-1)[None], 1),
        (lambda x: (x @ x).reshape(-1)[None], 1),
        (lambda x: jnp.broadcast_to(x[0, 0], (64, 64)), 1),
        (lambda x: x + jnp.broadcast_to(x[0], (64, 64)), 1),
        (lambda x: jax.jit(jnp.matmul)(jnp.sin(x), x), 2),
        (lambda x: jax.checkpoint(lambda x: jnp.sin(x) @ x @ x)(x), 2),
        (lambda x: lax.scan(lambda c, _: (c @ c, None), x, None, 10)[0], 2),
        (lambda x: lax.scan(lambda c, _: (c @ c @ c, None), x, None, 10)[0], 3),
        (lambda x: lax.scan(lambda c, _: (c @ c, c), x, None, 10)[1], 12),
        (lambda x: lax.fori_loop(0, 10, lambda _, c: c @ c, x), 2),
        (lambda x: lax.while_loop(lambda c: c[0, 0] > 0, lambda c: c @ c, x), 2),
        (lambda x: lax.cond(x[0, 0] > 0, lambda x: x @ x @ x, jnp.sin, x), 2),
        (lambda x: (x @ x).at[0].set(1.0), 1),
    ],
)
def test_peaks_by_hand(function, matrices):
    small = 1024  # counters, conditions, rows
    assert matrices * BYTES <= peak_bytes(function, SQUARE) <= matrices * BYTES + small


def test_peak_grows_with_every_size():
    sizes = [8, 16, 24, 40]
    peaks = [peak_bytes(gradient, WEIGHTS, shape(n, 24)) for n in sizes]
    assert peaks == sorted(set(peaks))
    lengths = [peak_bytes(PROGRAMS["stacking scan"][0], shape(n, n)) for n in sizes]
    assert lengths == sorted(set(lengths))


def test_mapping_in_batches_bounds_the_peak():
    def tile(batch_size):
        def run(x):
            return lax.map(lambda row: jnp.sum(row[:, None] @ row[None]), x, batch_size=batch_size)

        return peak_bytes(run, SQUARE)

    assert tile(1) < tile(8) / 4
    assert tile(8) < tile(64) / 4


def test_dtypes_count(x64):
    assert peak_bytes(jnp.matmul, shape(8, 8), shape(8, 8)) == 256
    double = shape(8, 8, dtype=jnp.float64)
    assert peak_bytes(jnp.matmul, double, double) == 512
    assert peak_bytes(lambda x: x > 0, double) == 64
