"""Kernels of networks: verdicts on made-up measurements, both ways."""

import itertools
import math
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk import (
    conv_cost,
    evolution,
    evolution_report,
    fcn_cost_claims,
    imagenet_models,
    kernel_regression,
    kernel_regression_report,
    linearized_training,
    linearized_training_report,
    vector_products_report,
)
from jaxlab.experiments.ntk.architectures import ARCHITECTURES
from jaxlab.experiments.ntk.methods import METHODS, compare, compile_methods, judge_agreement
from jaxlab.experiments.ntk.networks import mlp, parameter_shapes
from jaxlab.ntk.status import NOT_CONVERGED, OK
from jaxlab.runner.request import resolve
from tests.helpers import verdicts_of


def judged(function, *arguments):
    reporter = mock.Mock(spec=Reporter)
    function(*arguments, reporter)
    return verdicts_of(reporter)


def held(module, value, **others):
    return dict.fromkeys((claim.id for claim in module.CLAIMS), value) | {
        name.replace("_", "-"): holds for name, holds in others.items()
    }


def of_fcn(gain=2.6, power=1, products=0.5, batches=(1, 8), depth=10, **scaled):
    """Operations whose ratio JC / SD is ``gain · (N · O) ** power``, and of the others."""
    flops = {}
    for n, o, w in itertools.product(batches, (1, 128), (64, 4096)):
        jacobian = 1e9 * n * o
        structured = jacobian / (gain * (n * o) ** power)
        if n * o == 1:
            structured = jacobian
        vector = jacobian / (products * o)
        if not o > w:
            vector = max(vector, 1.1 * structured)
        flops[n, o, w] = {
            "jacobian": round(jacobian),
            "structured": round(structured),
            "vector_products": round(vector * scaled.get("vector", 1)),
            "jacobians alone": round(structured * scaled.get("alone", 1.1)),
        }
    return judged(fcn_cost_claims.judge_operations, flops, depth)


OPERATIONS = [claim.id for claim in fcn_cost_claims.CLAIMS[:4]]


def test_operations_of_fully_connected_networks():
    assert of_fcn() == dict.fromkeys(OPERATIONS, True)
    fewest, products, win, below = OPERATIONS
    assert of_fcn(gain=0.25)[fewest] is False  # 256 at the named size
    assert of_fcn(products=0.1)[products] is False
    assert of_fcn(vector=0.3)[win] is False
    assert of_fcn(alone=0.9)[below] is False
    # what the criterion names was not measured: nothing but a refutation
    assert of_fcn(depth=9)[fewest] is None
    assert of_fcn(batches=(8,))[fewest] is None
    assert of_fcn(batches=(8,))[products] is None
    assert of_fcn(depth=9, power=-0.1)[fewest] is False  # does not rise


def of_fcn_time(structured=0.02, products=0.4, used=1, wide=0, difference=1e-6, at=(64, 512)):
    seconds = {
        w: {"jacobian": 1.0, "structured": structured, "vector_products": products} for w in at
    }
    narrow, wider = at
    megabytes = {narrow: (60, 1), wider: (60, used)}
    compared = {
        w: {
            "bytes": {"jacobian": 2**20 * j, "structured": 2**20 * s},
            "largest": 1.0,
            "differences": {"structured": difference},
        }
        for w, (j, s) in megabytes.items()
    }
    parameters = {narrow: 2**18, wider: 2**18 * (1 + wide)}
    return judged(fcn_cost_claims.judge_cost, seconds, compared, parameters)


def test_cost_of_fully_connected_networks():
    claims = [claim.id for claim in fcn_cost_claims.CLAIMS[4:]]
    assert of_fcn_time() == dict.fromkeys(claims, True)
    bad = of_fcn_time(structured=0.04, used=2, wide=64, difference=1e-3)
    assert bad == dict.fromkeys(claims, False)
    assert of_fcn_time(products=0.6)["wall-clock"] is False
    narrow = of_fcn_time(at=(32, 256))
    assert narrow == dict.fromkeys(claims, None) | {"methods-agree": True}
    unknown = of_fcn_time(used=0)  # as where nothing is accounted for
    assert unknown == dict.fromkeys(claims, True) | {"memory": None, "eight-times-wider": None}


def of_conv(gain=2.0, one=2.0, four=0.4, settings=((4, 10), (1, 128)), channels=(16, 64)):
    flops = {}
    for image, (n, o), c in itertools.product((8, 16), settings, channels):
        flops[image, n, o, c] = {
            "jacobian": 1000,
            "structured": round(1000 / (gain if c >= 64 else 1.0)),
            "vector_products": round(1000 / {1: one, 4: four}.get(n, 1.0)),
        }
    lists = ",".join(f"[{n},{o}]" for n, o in settings)
    counts = ",".join(map(str, channels))
    config = resolve("ntk-conv-cost", sets=[f"settings=[{lists}] channels=[{counts}]"]).config
    return judged(conv_cost._judge_flops, config, flops)


def of_conv_time(ratio=1.5, difference=1e-6, channels=16):
    ratios = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    seconds = {
        c: {"jacobian": r, "structured": 1.0} for c, r in zip((channels, 64), ratios, strict=True)
    }
    compared = {channels: {"largest": 1.0, "differences": {"structured": difference}}}
    return judged(conv_cost._judge_cost, seconds, compared)


def test_cost_of_convolutional_networks():
    assert of_conv() | of_conv_time() == held(conv_cost, True)
    bad = of_conv(gain=0.9, one=0.9) | of_conv_time(ratio=0.9, difference=1e-3)
    assert bad == held(conv_cost, False)
    assert of_conv(four=0.6)["products-for-one-example"] is False
    assert of_conv(settings=((2, 2),))["products-for-one-example"] is None
    assert of_conv(channels=(16, 32))["structured-gains-with-channels"] is None
    for settings in (((4, 10),), ((1, 128),)):  # one of the two settings: nothing but a refutation
        assert of_conv(settings=settings)["structured-gains-with-channels"] is None
        assert of_conv(gain=0.9, settings=settings)["structured-gains-with-channels"] is False
    assert of_conv_time(channels=4)["wall-clock"] is None
    assert of_conv_time(ratio=(1.5, math.nan))["wall-clock"] is False
    assert of_conv_time(ratio=(1.5, 0.9))["wall-clock"] is False


def test_what_is_said_of_times_of_convolutional_networks_is_no_outcome():
    # NTK-vector products and structured derivatives that are faster than all else
    seconds = {64: {"jacobian": 3.6, "structured": 1.0, "vector_products": 0.1}}
    compared = {64: {"largest": 1.0, "differences": {"structured": 1e-6}}}
    reporter = mock.Mock(spec=Reporter)
    conv_cost._judge_cost(seconds, compared, reporter)
    for call in reporter.note.call_args_list:
        assert "near 1" not in call.args[0]
        assert "slower" not in call.args[0]


def test_kernels_of_zeros_do_not_agree():
    network, x = mlp((4, 8, 2)), jnp.ones((3, 4))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), parameter_shapes(network))
    compared = compare(compile_methods(network, params, x, x), params, x, x)
    assert judged(judge_agreement, [compared]) == {"methods-agree": None}
    apart = {"largest": 1.0, "differences": {"structured": 0.1}}
    assert judged(judge_agreement, [compared, apart]) == {"methods-agree": False}


def test_a_method_that_gives_no_number_does_not_agree():
    compared = {"largest": 1.0, "differences": {"structured": 1e-6, "vector_products": math.nan}}
    assert judged(judge_agreement, [compared]) == {"methods-agree": False}


def of_models(structured=4, swapped=False, extra=0, difference=1e-6, sets=()):
    config = resolve("ntk-imagenet-models", sets=["models=[resnet18]", *sets]).config
    jacobian = {(8, 8): (10, 14), (1, 128): (20, 10), (1, 1000): (90, 50)}
    flops = {}
    for setting in config.settings:
        ours, vector = jacobian[setting][:: -1 if swapped else 1]
        counts = (ours, vector, structured)
        flops["resnet18", setting] = dict(zip(METHODS, counts, strict=True))
    parameters = {"resnet18": ARCHITECTURES["resnet18"].parameters + extra}
    compared = {"largest": 1.0, "differences": {"structured": difference}}
    return judged(imagenet_models._judge, config, flops, parameters, compared)


def test_cost_of_imagenet_models():
    assert of_models() == held(imagenet_models, True)
    bad = of_models(structured=100, extra=1, difference=1e-3)
    assert bad == held(imagenet_models, False)
    assert of_models(swapped=True)["order-of-the-v100"] is False
    assert of_models(sets=["image=32"])["order-of-the-v100"] is None
    assert of_models(sets=["settings=[[8,8]]"])["order-of-the-v100"] is None


def of_evolution(distances=(0.3, 0.1), changes=(0.4, 0.1), gains=(0.2, 0.1), widths=(16, 64)):
    cells = {
        width: [{"distance": [0, d], "change": [0, c], "alignment": [0.1, 0.1 + g]}] * 2
        for width, d, c, g in zip(widths, distances, changes, gains, strict=False)
    }
    return judged(evolution_report.judge, cells)


def test_evolution_of_the_kernel():
    assert of_evolution() == held(evolution, True)
    bad = of_evolution(distances=(0.3, 0.3), changes=(0.4, 0.3), gains=(0.1, 0.2))
    assert bad == held(evolution, False)
    assert of_evolution(gains=(0.2, -0.1))["kernel-aligns"] is False
    assert of_evolution(widths=(16,)) == held(evolution, None)


def of_training(train=(0.5, 0.09), test=(0.6, 0.3), gap=1e-4, quadratic=0.05, widths=(64, 1024)):
    cells = {}
    for width, *errors in zip(widths, train, test, strict=True):
        sides = dict(zip(("train", "test"), ([1.0, error] for error in errors), strict=True))
        less = {side: [1.0, quadratic] for side in sides}
        predictions = {"flow": sides, "tangent": sides, "quadratic": less}
        gaps = gap if isinstance(gap, tuple) else (gap, gap)
        cells[width] = [{"errors": predictions, "tangent_gap": of_draw} for of_draw in gaps]
    reporter = mock.Mock(spec=Reporter)
    linearized_training_report.judge(cells, reporter)
    for claim in ("quadratic-follows-closer", "quadratic-follows-smooth-networks"):
        linearized_training_report.judge_quadratic(claim, cells, reporter)
    return verdicts_of(reporter)


def test_linearized_training():
    assert of_training() == held(linearized_training, True)
    bad = of_training(train=(0.5, 0.11), test=(0.3, 0.3), gap=1e-2, quadratic=0.2)
    assert bad == held(linearized_training, False)
    other = of_training(widths=(64, 512))
    assert other == held(linearized_training, True, kernel_predicts_training=None)
    assert of_training(gap=(1e-4, math.nan))["kernel-is-tangent"] is False
    for claim in ("quadratic-follows-closer", "quadratic-follows-smooth-networks"):
        assert judged(linearized_training_report.judge_quadratic, claim, {}) == {claim: None}


def of_regression(sizes=(64, 256), **changes):
    values = {"linear": 0.7, "ntk_mlp": 0.8, "ntk_infinite": 0.81, "mlp": 0.815, "ntk_cnn": 0.85}
    accuracies = {name: np.full((2, 2), value) for name, value in (values | changes).items()}
    return judged(kernel_regression_report.judge, sizes, accuracies)


def test_kernel_regression():
    assert of_regression() == held(kernel_regression, True)
    bad = of_regression(linear=0.75, ntk_infinite=0.83, mlp=0.83, ntk_cnn=0.79)
    assert bad == held(kernel_regression, False)
    assert of_regression(sizes=(32, 64)) == held(kernel_regression, None)
    guesses = of_regression(**dict.fromkeys(("linear", "ntk_mlp", "ntk_infinite", "mlp"), 0.1))
    assert guesses["finite-as-good-as-infinite"] is False
    assert guesses["kernel-as-good-as-training"] is False


def product_results(growth=1.1, passes=5.0, time=2.1, apart=1e-5, counts=(1024, 4096)):
    cases = [(outputs, n) for outputs in (1, 10) for n in counts]
    doublings = dict(zip(counts, (0, 2), strict=True))
    return vector_products_report.Results(
        memory={
            case: {"one product": growth and int(1000 * growth ** doublings[case[1]])}
            for case in cases
        },
        passes=dict.fromkeys(cases, passes),
        seconds={case: time ** doublings[case[1]] for case in cases},
        spectra={n: {"shares": [0.5, 0.1], "bound": 1e-6} for n in counts},
        fits={
            case: {"steps": 7, "status": NOT_CONVERGED, "residual": 0.3, "accuracy": 0.8}
            for case in cases
        },
        dense={
            outputs: {"steps": 7, "status": OK, "prediction": apart, "eigenvalue": apart}
            for outputs in (1, 10)
        },
    )


def of_products(**changes):
    return judged(vector_products_report.judge, product_results(**changes))


def test_vector_products():
    assert of_products() == held(vector_products_report, True)
    bad = of_products(growth=1.3, passes=6.1, time=2.3, apart=2e-4)
    assert bad == held(vector_products_report, False)
    assert of_products(growth=None) == held(vector_products_report, True, memory_does_not_grow=None)
    assert of_products(counts=(512, 2048)) == held(vector_products_report, True, time_linear=None)


def test_products_without_a_number_do_not_hold():
    results = product_results()
    results.dense[10]["prediction"] = math.nan
    assert judged(vector_products_report.judge, results)["equals-dense"] is False
    results = product_results()
    results.memory[1, 1024]["one product"] = 0  # as where nothing is accounted for
    assert judged(vector_products_report.judge, results)["memory-does-not-grow"] is None


def test_what_is_said_of_conjugate_gradients_is_true_where_the_steps_ran_out():
    sets = ["ridge=1e-4 dense.ridge=1.0 max_steps=7"]  # as other presets do not have it
    config = resolve("ntk-vector-products", sets=sets).config
    reporter = mock.Mock(spec=Reporter)
    vector_products_report.report(config, product_results(), "data", reporter)
    vector_products_report.draw_results(config, product_results(), "data", reporter)
    notes = " ".join(call.args[0] for call in reporter.note.call_args_list)
    assert "larger ridge" not in notes
    assert "at most about 2e+07 with ridge 0.0001" in notes  # half of 4096 mean diagonals
    captions = {call.args[0]: call.args[-1] for call in reporter.table.call_args_list}
    assert "ridge 0.0001 × mean diagonal, tolerance 0.01" in captions["results"]
    drawn = reporter.figure.call_args.args[-1]
    assert "at tolerance 0.01, at most 7" in drawn


def texts(function, *arguments):
    reporter = mock.Mock(spec=Reporter)
    function(*arguments, reporter)
    return {call.args[0]: call.kwargs["ours"] for call in reporter.verdict.call_args_list}


def test_what_a_verdict_on_time_lacks_is_said():
    for counts, words in (
        ((1024, 2048), "from n = 1024 to 2048 is less than fourfold"),
        ((128, 2048), "n = 128 is less than 1024"),
    ):
        results = product_results(counts=counts)
        assert judged(vector_products_report.judge, results)["time-linear"] is None
        assert texts(vector_products_report.judge, results)["time-linear"] == words
