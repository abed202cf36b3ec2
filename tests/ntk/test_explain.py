"""What is said about every parameter: strategy, reason, sites, prices, order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk.explain import explain, format_reports
from jaxlab.ntk.types import StructuredOptions
from tests.ntk.nets import NETS

F32 = jnp.float32
SHAPE = jax.ShapeDtypeStruct


def strategies(apply_fn, params, x, **options):
    reports = explain(apply_fn, params, x, vmap_axes=0, **options)
    return {report.path.removeprefix("params"): report.strategy for report in reports}


def reasons(apply_fn, params, x, **options):
    reports = explain(apply_fn, params, x, vmap_axes=0, **options)
    return {report.path.removeprefix("params"): report.reason for report in reports}


WIDE = {"w": SHAPE((16, 64), F32), "b": SHAPE((64,), F32), "v": SHAPE((64, 4), F32)}
X = SHAPE((8, 16), F32)


def dense(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def cast(params, x):
    w = params["w"].astype(jnp.bfloat16)
    return jnp.tanh(x.astype(jnp.bfloat16) @ w + params["b"]).astype(F32) @ params["v"]


def scaled(params, x):
    return jnp.tanh(x @ (-0.5 * params["w"] / jnp.sqrt(16.0)) + params["b"]) @ params["v"]


def reshaped(params, x):
    w = params["w"].reshape(4, 4, 64)[None, ::-1].transpose(0, 3, 1, 2)[0]
    return jnp.tanh(jnp.einsum("nab,wab->nw", x.reshape(-1, 4, 4), w) + params["b"]) @ params["v"]


def sliced(params, x):
    parts = jnp.split(params["w"], 2, axis=1)
    h = jnp.concatenate([x @ parts[0], x @ params["w"][:, 32:]], -1)
    return jnp.tanh(h + params["b"]) @ params["v"]


def wrapped(params, x):
    layer = jax.checkpoint(lambda params, x: jnp.tanh(x @ params["w"] + params["b"]))
    return jax.jit(layer)(params, x) @ params["v"]


@pytest.mark.parametrize("network", [dense, cast, scaled, reshaped, sliced, wrapped])
def test_matrices_are_structured_and_biases_are_not(network):
    assert strategies(network, WIDE, X) == {
        "['w']": "structured",
        "['b']": "materialised",
        "['v']": "structured",
    }


def test_reasons():
    assert reasons(dense, WIDE, X) == {
        "['w']": "contracted at its sites",
        "['b']": "enters add, which is not a site",
        "['v']": "contracted at its sites",
    }
    square = SHAPE((16, 16), F32)
    assert reasons(lambda w, x: x @ w @ w.T, square, X) == {"": "is used in several ways"}
    assert reasons(lambda w, x: x @ w + x[:, :8] @ w[:8], square, X) == {
        "": "is used in overlapping parts"
    }
    assert reasons(lambda p, x: x @ p[0], [square, square], X) == {
        "[0]": "contracted at its sites",
        "[1]": "enters no output",
    }

    def by_length(w, x):
        return x @ w if x.shape[1] == 16 else x[:, :16] @ w.T

    longer = explain(by_length, square, X, SHAPE((8, 20), F32), vmap_axes=0)
    assert [one.reason for one in longer] == ["is used differently by the two batches"]
    image, kernel = SHAPE((4, 16, 16, 1), F32), SHAPE((3, 3, 1, 4), F32)

    def convolution(kernel, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)
        return jnp.tanh(y).mean((1, 2))

    assert reasons(convolution, kernel, image) == {"": "cheaper in weight space"}

    # of every token a classification: fewer operations at the sites, in larger arrays
    tokens, matrix = SHAPE((16, 8, 32), F32), SHAPE((32, 50), F32)
    (report,) = explain(lambda w, x: x @ w, matrix, tokens, vmap_axes=0, trace_axes=(-1,))
    assert report.structured_flops < report.weight_flops
    assert (report.strategy, report.reason) == ("materialised", "writes less in weight space")

    def added(params, x):
        return x @ params["w"] + params["shift"]

    params = {"shift": SHAPE((4,), F32), "w": SHAPE((16, 4), F32)}
    assert reasons(added, params, X)["['shift']"] == "enters add, which is not a site"
    assert explain(lambda w, x: w, SHAPE((8,), F32), X)[0].reason == "is an output"


def test_tied_embedding_is_materialised_and_an_untied_one_is_not():
    tokens = SHAPE((2, 32), jnp.int32)

    def tied(table, tokens):
        return jnp.tanh(table[tokens]).mean(1) @ table.T

    def untied(params, tokens):
        return jnp.tanh(params["table"][tokens]).mean(1) @ params["head"]

    table = SHAPE((5000, 16), F32)
    assert strategies(tied, table, tokens) == {"": "materialised"}
    params = {"table": table, "head": SHAPE((16, 4), F32)}
    assert strategies(untied, params, tokens) == {
        "['head']": "structured",
        "['table']": "structured",
    }


def test_uses_of_a_recurrent_network_are_counted():
    steps, width = 6, 32
    params = {"wh": SHAPE((width, width), F32), "wx": SHAPE((4, width), F32)}
    x = SHAPE((3, steps, 4), F32)

    def network(params, x):
        def step(h, x):
            return jnp.tanh(h @ params["wh"] + x @ params["wx"]), None

        return jax.lax.scan(step, jnp.zeros((x.shape[0], width)), x.swapaxes(0, 1))[0]

    reports = {report.path: report for report in explain(network, params, x, vmap_axes=0)}
    assert reports["params['wh']"].sites == steps
    assert reports["params['wh']"].strategy == "structured"
    short = StructuredOptions(max_unroll=steps - 1)
    assert set(reasons(network, params, x, options=short).values()) == {
        "enters scan, which is not a site"
    }


@pytest.mark.parametrize(("name", "sites"), [("layers_scan", 3), ("layers_indexed", 4)])
def test_stacked_layers_are_parts_of_one_leaf(name, sites):
    net = NETS[name]
    reports = explain(net.apply_fn, net.params, net.x1, net.x2, vmap_axes=0)
    stacked = next(report for report in reports if len(report.shape) == 3)
    assert len(stacked.order) == stacked.shape[0] == 3
    assert stacked.sites == sites


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_unstacked_layers_are_parts_of_one_leaf(axis):
    def network(params, x):
        for w in jnp.unstack(params["w"], axis=axis):
            x = jnp.tanh(x @ w)
        return x @ params["v"]

    shape = np.insert([16, 16], axis % 3, 3)
    params = {"w": SHAPE(shape, F32), "v": SHAPE((16, 4), F32)}
    reports = {report.path: report for report in explain(network, params, X, vmap_axes=0)}
    stacked = reports["params['w']"]
    assert stacked.strategy == "structured"
    assert stacked.sites == len(stacked.order) == 3


def test_an_axis_of_one_entry_is_dropped_one_way_or_another():
    def network(w, x):
        return jnp.tanh(x @ jax.lax.squeeze(w, (1,))) + jnp.sin(x @ w.reshape(30, 80))

    found = strategies(network, SHAPE((30, 1, 80), F32), SHAPE((8, 30), F32))
    assert found == {"": "structured"}


def test_prices_of_one_layer():
    """``f = x w``: Gram N²I + N²O²; weight space 2NOIJ + N²O²IJ, each multiply-add two."""
    n, inputs, outputs = 8, 16, 4
    (report,) = explain(lambda w, x: x @ w, SHAPE((16, 4), F32), SHAPE((8, 16), F32), vmap_axes=0)
    assert report.weight_flops == 2 * n * outputs * inputs * outputs + 2 * (n * outputs) ** 2 * (
        inputs * outputs
    )
    gram = 2 * n**2 * inputs
    assert gram <= report.structured_flops <= gram + 2 * (n * outputs) ** 2 * (outputs + 2)


def test_fewer_operations_do_not_buy_arrays_that_take_longer_to_write():
    """Ten uses side by side: half the operations, and an intermediate of N²OXJ entries."""

    def network(params, x):
        h = jnp.zeros((len(x), 64))
        for step in range(10):
            h = jnp.tanh(x[:, step] @ params["in"] + h @ params["kept"])
        return h @ params["out"]

    params = {"in": SHAPE((32, 64), F32), "kept": SHAPE((64, 64), F32), "out": SHAPE((64, 5), F32)}
    reports = explain(network, params, SHAPE((128, 10, 32), F32), vmap_axes=0)
    found = {report.path: report.strategy for report in reports}
    assert found == {
        "params['in']": "materialised",
        "params['kept']": "materialised",
        "params['out']": "structured",
    }


def test_axes_and_second_batch_change_the_price():
    shapes = SHAPE((64, 4), F32), SHAPE((8, 64), F32)
    (full,) = explain(lambda w, x: x @ w, *shapes, vmap_axes=0)
    (traced,) = explain(lambda w, x: x @ w, *shapes, vmap_axes=0, trace_axes=(-1,))
    (wider,) = explain(lambda w, x: x @ w, *shapes, SHAPE((80, 64), F32), vmap_axes=0)
    assert traced.structured_flops < full.structured_flops < wider.structured_flops


def test_outputs_have_reports_of_their_own():
    net = NETS["output_dict"]
    reports = explain(net.apply_fn, net.params, net.x1, vmap_axes=0)
    outputs = {report.output for report in reports}
    assert len(outputs) == 2
    assert len(reports) == 2 * len({report.path for report in reports})


def test_table():
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), WIDE)
    lines = format_reports(explain(dense, params, jnp.zeros((8, 16)), vmap_axes=0)).splitlines()
    assert lines[0].split()[:4] == ["leaf", "shape", "sites", "strategy"]
    assert lines[1].split()[:2] == ["params['b']", "64"]
    assert lines[1].split()[-2:] == ["–", "–"]
    assert len(lines) == 4


def test_leaves_that_are_no_parameters_keep_their_values():
    def repeated(params, x):
        for _ in range(params["steps"]):
            x = jnp.tanh(x @ params["w"])
        return x

    (report,) = explain(repeated, {"w": SHAPE((4, 4), F32), "steps": 2}, SHAPE((3, 4), F32))
    assert report.sites == 2


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="trace_axes: expected an axis"):
        explain(dense, WIDE, X, trace_axes=(5,))
    with pytest.raises(ValueError, match=r"options\.max_unroll: expected an integer >= 0"):
        explain(dense, WIDE, X, options=StructuredOptions(max_unroll="few"))
