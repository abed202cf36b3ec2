"""What a kernel takes with each implementation: theory, the compiler, the choice."""

import functools
import gc
import itertools
import json
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxlab.ntk import cost
from jaxlab.ntk._problem import prepare
from jaxlab.ntk.cost import (
    ImplementationCost,
    breakdown,
    cheapest,
    compare,
    count_flops,
    format_table,
    kernel_estimate,
)
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.types import StructuredOptions
from tests.ntk.cases import CASES

NAMES = ("structured", "vector_products", "jacobian")


def shape(*sizes: int, dtype=jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, dtype)


def layers(*widths: int) -> list[jax.ShapeDtypeStruct]:
    return [shape(*pair) for pair in itertools.pairwise(widths)]


def mlp(weights, x):
    for weight in weights[:-1]:
        x = jax.nn.relu(x @ weight)
    return x @ weights[-1]


def operations(implementation, apply_fn, n, inputs, params, **settings):
    """Operations of each primitive for two batches of ``n`` examples."""
    kernel = ntk_fn(apply_fn, vmap_axes=0, implementation=implementation, **settings)
    return breakdown(kernel, shape(n, *inputs), shape(n, *inputs), params)


def flops(*args, **settings):
    return sum(operations(*args, **settings).values())


def problem_of(apply_fn, params, x1, x2=None):
    (problem,), _ = prepare(apply_fn, x1, x2, params, trace_axes=(), diagonal_axes=(), vmap_axes=0)
    return problem


def small(n=2, widths=(6, 16, 16, 4)):
    params = [jnp.ones(one.shape) for one in layers(*widths)]
    return problem_of(mlp, params, jnp.ones((n, widths[0])))


# Theory.


@pytest.mark.parametrize(("n", "o"), [(1, 1), (4, 3)])
def test_structured_contraction_of_a_dense_network(n, o):
    widths = (300, 200, 500, o)
    products = operations("structured", mlp, n, (300,), layers(*widths))["dot_general"]
    pairs = list(itertools.pairwise(widths))
    # of both batches: activations up to the last layer, cotangents down to the first; through the
    # last layer they are the same for all examples
    forward = 2 * n * sum(2 * a * b for a, b in pairs[:-1])
    backward = 2 * n * sum(2 * o * a * b for a, b in pairs[1:-1]) + 2 * o * widths[-2] * o
    contraction = sum(2 * (n**2 * a + n**2 * o**2 * b) for a, b in pairs)
    assert products - forward - backward == pytest.approx(contraction, rel=0.01)


def test_jacobian_contraction_of_a_dense_network():
    n, o, widths = 3, 7, (300, 200, 400, 7)
    products = operations("jacobian", mlp, n, (300,), layers(*widths))["dot_general"]
    pairs = list(itertools.pairwise(widths))
    forward = 2 * n * sum(2 * a * b for a, b in pairs[:-1])
    backward = 2 * n * sum(2 * o * a * b for a, b in pairs[1:])
    outer = 2 * n * sum(2 * o * a * b for a, b in pairs)  # of activations and cotangents
    contraction = 2 * n**2 * o**2 * sum(a * b for a, b in pairs)
    assert products == pytest.approx(forward + backward + outer + contraction, rel=0.01)


def test_vector_products_of_a_dense_network():
    n, o, widths = 3, 7, (300, 200, 400, 7)
    products = operations("vector_products", mlp, n, (300,), layers(*widths))["dot_general"]
    pairs = list(itertools.pairwise(widths))
    forward = 2 * n * sum(2 * a * b for a, b in pairs[:-1])
    backward = n * o * (sum(2 * a * b for a, b in pairs) + sum(2 * a * b for a, b in pairs[1:]))
    # n·o columns, each along one tangent of the parameters on n examples
    columns = n * o * n * (sum(2 * a * b for a, b in pairs) + sum(2 * a * b for a, b in pairs[1:]))
    assert products == pytest.approx(forward + backward + columns, rel=0.01)


def test_advantage_of_structure_on_wide_networks():
    network = (mlp, 8, (4096,), layers(*[4096] * 10, 128))
    ratio = flops("jacobian", *network) / flops("structured", *network)
    assert ratio == pytest.approx(504, rel=0.05)


def test_advantage_of_vector_products_over_jacobians_grows_with_outputs():
    ratios = []
    for o in (1, 64):
        network = (mlp, 1, (512,), layers(512, 512, o))
        ratios.append(flops("jacobian", *network) / flops("vector_products", *network))
    assert 0.7 < ratios[0] < 2
    assert ratios[1] > 10 * ratios[0]


def convolutions(params, x):
    kernels, head = params
    for kernel in kernels:
        x = lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x)
    return jnp.mean(x, (1, 2)) @ head


def perceptron(params, x):
    for weight, bias in params:
        x = jnp.tanh(x @ weight + bias)
    return x


def recurrent(params, x):
    state, into, head = params

    def step(h, x):
        return jnp.tanh(h @ state + x @ into), None

    h = lax.scan(step, jnp.zeros((x.shape[0], state.shape[0])), jnp.swapaxes(x, 0, 1))[0]
    return h @ head


SIZES = st.integers(1, 12)


@st.composite
def networks(draw):
    n, o, width, inputs = draw(st.integers(1, 4)), draw(SIZES), draw(SIZES), draw(SIZES)
    kind = draw(st.sampled_from(["perceptron", "convolutions", "recurrent"]))
    depth = draw(st.integers(1, 2))
    if kind == "perceptron":
        weights = layers(inputs, *[width] * (depth - 1), o)
        return perceptron, n, (inputs,), [(w, shape(w.shape[1])) for w in weights]
    if kind == "convolutions":
        channels = [inputs, *[width] * depth]
        kernels = [shape(3, 3, *pair) for pair in itertools.pairwise(channels)]
        return convolutions, n, (draw(st.integers(1, 6)), 5, inputs), (kernels, shape(width, o))
    params = (shape(width, width), shape(inputs, width), shape(width, o))
    return recurrent, n, (depth, inputs), params


@hypothesis.given(networks())
@hypothesis.settings(max_examples=5)
def test_structure_never_costs_more_than_the_jacobian(network):
    assert flops("structured", *network) <= 1.02 * flops("jacobian", *network)


# The compiler.


@pytest.mark.parametrize("implementation", NAMES)
def test_peak_agrees_with_the_compiler(implementation):
    params = [jnp.ones(one.shape) for one in layers(48, 64, 64, 5)]
    x1, x2 = jnp.ones((4, 48)), jnp.ones((3, 48))
    kernel = ntk_fn(mlp, vmap_axes=0, implementation=implementation)
    memory = jax.jit(kernel).lower(x1, x2, params).compile().memory_analysis()
    true = memory.temp_size_in_bytes + memory.output_size_in_bytes
    found = kernel_estimate(problem_of(mlp, params, x1, x2), implementation, StructuredOptions())
    assert true / 2 <= found.peak_bytes <= 2 * true


# The choice.


@pytest.mark.parametrize(
    ("n", "widths", "expected"),
    [
        (1, (16, 16, 16, 96), "vector_products"),  # more outputs than width
        (1, (64, 64, 64, 8), "structured"),
        (4, (16, 16, 8), "structured"),
    ],
)
def test_choice_follows_the_theory(n, widths, expected):
    problem = small(n, widths)
    assert cheapest(problem, StructuredOptions()) == expected


def test_memory_limit_discards_and_refuses(bad_input, monkeypatch):
    problem = small(4, (64, 64, 64, 4))
    found = {name: kernel_estimate(problem, name, StructuredOptions()) for name in NAMES}
    peaks = {name: one.peak_bytes for name, one in found.items()}
    monkeypatch.setattr(cost, "kernel_estimate", lambda problem, name, options: found[name])
    fewest = min(found, key=lambda name: found[name].flops)
    assert cheapest(problem, StructuredOptions()) == fewest
    assert peaks["structured"] < peaks["jacobian"]
    least = min(peaks, key=lambda name: peaks[name])
    assert cheapest(problem, StructuredOptions(memory_limit=peaks[least])) == least
    with pytest.raises(
        ValueError, match=r"options.memory_limit: expected room .* got 100"
    ) as error:
        cheapest(problem, StructuredOptions(memory_limit=100))
    for name in NAMES:
        assert name in str(error.value)
    with pytest.raises(ValueError, match="implementation: expected one of"):
        kernel_estimate(problem, "jacobians", StructuredOptions())


def test_automatic_kernel_is_the_kernel():
    params = [jnp.asarray(np.random.default_rng(0).normal(size=s.shape)) for s in layers(3, 5, 2)]
    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3)))
    found = jax.jit(ntk_fn(mlp, vmap_axes=0, implementation="auto"))(x, None, params)
    expected = jax.jit(ntk_fn(mlp, vmap_axes=0, implementation="jacobian"))(x, None, params)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_choice_is_remembered_while_the_network_lives(monkeypatch):
    made = []

    def counted(problem, options):
        made.append(options)
        return "structured"

    monkeypatch.setattr(cost, "_cheapest", counted)

    def network(weights, x):
        return x @ weights

    def choices(problem, options=StructuredOptions(), **remember):  # noqa: B008
        before = len(made)
        assert cheapest(problem, options, **remember) == "structured"
        return len(made) - before

    params = jnp.ones((3, 2))
    first = problem_of(network, params, jnp.ones((2, 3)))
    again = problem_of(network, params, np.zeros((2, 3), np.float32))
    larger = problem_of(network, params, jnp.ones((5, 3)))
    assert choices(first, apply_fn=network) == 1
    assert choices(again, apply_fn=network) == 0
    assert choices(larger, apply_fn=network) == 1
    assert choices(problem_of(network, params, jnp.ones((2, 3)), first.x1), apply_fn=network) == 1
    assert choices(again, apply_fn=network, output=1) == 1
    assert choices(again, StructuredOptions(memory_limit=10), apply_fn=network) == 1
    assert choices(again, apply_fn=lambda weights, x: x @ weights) == 1
    assert choices(again) == 1  # without a network to remember it by

    gc.collect()
    kept = len(cost._CHOICES)
    passing = functools.partial(network)
    assert choices(first, apply_fn=passing) == 1
    assert len(cost._CHOICES) == kept + 1
    del passing
    gc.collect()
    assert len(cost._CHOICES) == kept


def test_choice_is_made_anew_for_other_constants_of_the_network(bad_input):
    def network(params, x):
        for _ in range(params["steps"]):
            x = jnp.tanh(x @ params["w"])
        return x[:, : len(params["columns"])]

    def parameters(steps, columns):
        return {"w": jnp.eye(16), "steps": steps, "columns": jnp.arange(columns)}

    def peak(*constants):
        rows = compare(network, x, None, parameters(*constants), vmap_axes=0)
        return min(row.peak_bytes for row in rows)

    def choice(*constants):
        options = StructuredOptions(memory_limit=limit)
        return cheapest(problem_of(network, parameters(*constants), x), options, apply_fn=network)

    x = jnp.ones((8, 16))
    for less, more in (((1, 16), (40, 16)), ((40, 1), (40, 16))):
        limit = (peak(*less) + peak(*more)) // 2
        assert choice(*less) in NAMES
        with pytest.raises(ValueError, match=r"options\.memory_limit"):
            choice(*more)


def test_a_network_that_cannot_be_remembered_is_priced_each_time(monkeypatch):
    class Unhashable:
        __hash__ = None

        def __call__(self, weights, x):
            return x @ weights

    monkeypatch.setattr(cost, "_cheapest", lambda problem, options: "jacobian")
    network = Unhashable()
    problem = problem_of(network, jnp.ones((3, 2)), jnp.ones((2, 3)))
    assert cheapest(problem, StructuredOptions(), apply_fn=network) == "jacobian"
    monkeypatch.setattr(cost, "_cheapest", lambda problem, options: "structured")
    assert cheapest(problem, StructuredOptions(), apply_fn=network) == "structured"


def test_one_batch_with_itself_costs_less():
    params = [jnp.ones(one.shape) for one in layers(6, 16, 16, 4)]
    x = jnp.ones((4, 6))
    for name in NAMES[:1] + NAMES[2:]:
        alone, both = (
            kernel_estimate(problem_of(mlp, params, x, x2), name, StructuredOptions()).flops
            for x2 in (None, x + 1)
        )
        assert alone < both


# Rows for the reader.


def test_rows_are_those_of_the_problem():
    problem = small()
    rows = compare(mlp, problem.x1, None, problem.leaves, vmap_axes=0)
    assert [row.flops for row in rows] == sorted(row.flops for row in rows)
    assert {row.implementation for row in rows} == set(NAMES)
    for row in rows:
        assert row.flops_per_entry == row.flops / (2 * 2 * 4 * 4)
    found = {row.implementation: (row.flops, row.peak_bytes) for row in rows}
    assert found["jacobian"] == kernel_estimate(problem, "jacobian", StructuredOptions())


def test_rows_of_several_outputs_and_constant_parameters():
    def network(params, x):
        hidden = jnp.tanh(x @ params["w"]) * params["step"]
        return {"sum": jnp.sum(hidden, 1), "hidden": hidden}

    params = {"w": shape(3, 4), "step": 2, "none": None}
    rows = compare(network, shape(5, 3), None, params, vmap_axes=0)
    entries = 5 * 5 * (1 + 4 * 4)
    for row in rows:
        assert row.flops_per_entry == row.flops / entries


@pytest.mark.parametrize("implementation", ["structured", "jacobian"])
def test_axes_lower_the_cost(implementation):
    network = (implementation, mlp, 3, (20,), layers(20, 30, 10))
    assert flops(*network, trace_axes=(-1,)) < flops(*network)


def test_an_empty_batch_costs_nothing():
    for row in compare(mlp, shape(0, 3), shape(2, 3), layers(3, 4, 2), vmap_axes=0):
        assert row[1:] == (0, 0, 0.0)


def test_networks_with_loops_of_unknown_length_are_refused(bad_input):
    def network(weights, x):
        limit = lax.while_loop(lambda i: i < 3, lambda i: i + 1, 0)
        return mlp(weights, x) * limit

    with pytest.raises(ValueError, match="while_trips"):
        compare(network, shape(2, 3), None, layers(3, 4, 2), vmap_axes=0)


def test_options_are_checked(bad_input):
    options = StructuredOptions(memory_limit="much")
    with pytest.raises(ValueError, match=r"options\.memory_limit: expected an integer >= 0"):
        compare(mlp, shape(2, 3), None, layers(3, 4, 2), vmap_axes=0, options=options)


def test_table_is_aligned():
    rows = [
        ImplementationCost("structured", 19_563_720, 638_480, 3_056.83),
        ImplementationCost("jacobian", 503_924_880, 25_313_280, 78_738.3),
    ]
    assert format_table(rows).splitlines() == [
        "implementation        FLOPs  peak bytes  FLOPs per entry",
        "structured       19,563,720     638,480          3,056.8",
        "jacobian        503,924,880  25,313,280         78,738.3",
    ]
    assert format_table([]) == "implementation  FLOPs  peak bytes  FLOPs per entry"


REFERENCE = Path(__file__).parent.parent / "benchmarks" / "ntk_reference.json"


@pytest.mark.parametrize("name", ["fc_256", "fc_512", "fc_1024", "cnn_16", "cnn_64"])
def test_fewer_operations_than_the_reference_library(name):
    """Structured derivatives of the same networks, counted in the programs of both libraries."""
    case = CASES[name]()
    theirs = json.loads(REFERENCE.read_text())["cases"][name]["structured"]["flops"]
    ours = count_flops(ntk_fn(case.apply_fn, vmap_axes=0), case.x1, case.x2, case.params)
    assert ours < theirs
