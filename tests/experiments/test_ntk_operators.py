"""Kernels that are never formed and condition numbers: brute force, limits, and a run of each."""

import math
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk import condition_number, condition_number_claims, vector_products
from jaxlab.experiments.ntk.inputs import load_images
from jaxlab.ntk.analytic import fully_connected
from jaxlab.runner.execute import run
from tests.helpers import finished, verdicts_of

NAMES = ["ntk-vector-products", "ntk-condition-number"]


@pytest.mark.slow
def test_predictions_of_one_product_are_those_of_the_kernel():
    images = load_images("digits", 20, 7)
    network = condition_number.mlp((64, 8, 10), parametrisation="ntk", bias_std=0.1)
    params = jax.jit(network.init)(jax.random.key(0))
    x, x_test = jnp.asarray(images.x), jnp.asarray(images.x_test)
    problem = vector_products._Problem(
        network, params, x, jnp.asarray(images.targets), x_test, jnp.asarray(images.targets_test), 6
    )
    alpha = jax.random.normal(jax.random.key(1), (15, 10))

    both = jnp.concatenate([x[:15], x_test])
    leaves = jax.tree.leaves(jax.jit(jax.jacrev(network.apply))(params, both))
    jacobian = np.concatenate([np.asarray(leaf).reshape(220, -1) for leaf in leaves], axis=1)
    jacobian = jacobian.astype(np.float64)
    expected = jacobian[150:] @ jacobian[:150].T @ np.asarray(alpha, np.float64).ravel()
    ours = problem.predict(x_test, alpha)
    np.testing.assert_allclose(ours.ravel(), expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def test_mean_field_slope_is_the_derivative_of_the_correlation_map():
    # infinitely wide: covariances of two inputs of the resting variance, by the closed-form kernel
    for weight, bias in ((0.5, 0.05), (2.0, 0.05)):
        chi = condition_number.mean_field_slope("erf", weight, bias)
        with jax.enable_x64(True):
            rest = weight
            for _ in range(500):
                rest = weight * 2 / math.pi * math.asin(2 * rest / (1 + 2 * rest)) + bias
            # inputs whose first layer has that variance, and a correlation just below 1
            length, angle = math.sqrt(2 * (rest - bias) / weight), 1e-3
            x = length * jnp.array([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
            kernels = [
                fully_connected(
                    x,
                    depth=depth,
                    activation="erf",
                    sigma_w=math.sqrt(weight),
                    sigma_b=math.sqrt(bias),
                    get=("nngp",),
                ).nngp
                for depth in (0, 1)
            ]
            before, after = (float(k[0, 0] - k[0, 1]) for k in kernels)
        assert after / before == pytest.approx(chi, rel=1e-4)
    assert condition_number.mean_field_slope("relu", 3.0, 0.05) == 1.5
    # without biases tanh is critical where its slope at 0 makes it
    assert condition_number.mean_field_slope("tanh", 0.8, 0.0) == pytest.approx(0.8, rel=1e-4)


def test_the_critical_variance_is_where_the_slope_is_one():
    grid = np.geomspace(0.5, 2.0, 65).tolist()
    critical = condition_number._critical("erf", grid, 0.05)
    assert condition_number.mean_field_slope("erf", critical, 0.05) == pytest.approx(1, abs=1e-3)
    assert condition_number._critical("relu", [1.0, 1.5, 3.0], 0.05) == 2
    assert condition_number._critical("relu", [0.5, 1.9], 0.05) is None
    assert condition_number._critical("relu", [2.1, 3.0], 0.05) is None


@pytest.mark.slow
def test_finite_kernels_are_the_products_of_their_jacobians():
    x = condition_number.normalised(load_images("digits", 4).x)
    np.testing.assert_allclose(x.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.square(x).mean(axis=1), 1)
    sizes = {"activation": "tanh", "depth": 2, "width": 5, "sigma_b2": 0.3, "seed": 4, "seeds": 2}
    with jax.enable_x64(True):
        ours = condition_number.finite_kernels(x, sigma_w2=(0.7, 2.0), **sizes)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(4), 200_005), 2)
        network = condition_number.mlp(
            (64, 5, 5, 1),
            activation=jnp.tanh,
            parametrisation="ntk",
            weight_std=math.sqrt(2.0),
            bias_std=math.sqrt(0.3),
        )
        jacobian = jax.jit(lambda key: jax.jacrev(network.apply)(network.init(key), jnp.asarray(x)))
        for key, kernel in zip(keys, ours[1], strict=True):
            leaves = [leaf.reshape(4, -1) for leaf in jax.tree.leaves(jacobian(key))]
            np.testing.assert_allclose(kernel, sum(leaf @ leaf.T for leaf in leaves), rtol=1e-10)


@pytest.mark.slow
def test_closed_forms_blow_up_in_order_and_fall_to_one_in_chaos():
    x = condition_number.normalised(load_images("digits", 8).x)
    with jax.enable_x64(True):
        kappa = {
            depth: condition_number._conditions(
                condition_number._closed_form(x, "erf", depth, [0.5, 4.0], 0.05)
            )["kappa"]
            for depth in (8, 16, 32)
        }
    chi = condition_number.mean_field_slope("erf", 0.5, 0.05)
    assert kappa[32][0] / kappa[16][0] == pytest.approx(chi**-16 / 2, rel=0.2)
    assert kappa[8][1] > kappa[16][1] > kappa[32][1]
    assert kappa[32][1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("reliable", "holds"), [(True, True), (False, False)])
def test_a_condition_number_that_float64_cannot_tell_speaks_for_no_law(reliable, holds):
    slope, variances = 0.5, (0.3, 0.5)
    kappa = {depth: slope**-depth / depth for depth in (8, 16)}
    closed = {
        str(depth): {"kappa": [value] * 2, "reliable": [True, reliable or depth == 8]}
        for depth, value in kappa.items()
    }
    results = condition_number_claims.Results(
        variances=variances,
        depths=(8, 16),
        widths=(16, 64),
        slopes={"erf": [slope] * 2},
        infinite={"erf": closed},
        finite={
            ("erf", depth): {"kappa": [[value]] * 2, "reliable": [[True]] * 2}
            for depth, value in kappa.items()
        },
        errors={("erf", width): {"kernel": [width**-0.5]} for width in (16, 64)},
    )
    reporter = mock.Mock(spec=Reporter)
    condition_number_claims.judge(mock.Mock(width=512), results, reporter)
    found = verdicts_of(reporter)
    assert found["ordered-blows-up"] is holds
    assert found["square-root-of-width"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_preset_reports(name, tmp_path):
    results = finished(run(name, preset="smoke", runs=tmp_path))
    decided = {claim["id"]: claim["holds"] for claim in results["claims"]}
    if name == "ntk-vector-products":
        assert decided.pop("time-linear") is None  # of so few images
        assert set(decided.values()) == {True}
    else:
        assert decided["square-root-of-width"] is True
        assert not any(holds is False for holds in decided.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_preset_repeats(name, tmp_path):
    first = finished(run(name, preset="smoke", runs=tmp_path / "a"))
    again = finished(run(name, preset="smoke", runs=tmp_path / "b"))
    assert first == again
