"""Training loops and kernels behind three ntk experiments against loops, and small runs of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.ntk.descent import half_mse, log_steps, observed_steps, sgd_step
from jaxlab.experiments.ntk.networks import mlp
from jaxlab.experiments.ntk.small_data import Sizes, kernels, train_network
from jaxlab.runner.execute import run
from tests.helpers import finished

SIZES = Sizes(hidden=(7,), channels=(2,), pool=2, weight_std=1.3, bias_std=0.2, tile=3)


def test_observed_steps_is_a_loop():
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(4, n)).astype(np.float32) for n in (3, 2))
    w, seen = np.zeros((3, 2)), {0: np.zeros((3, 2))}
    for count in range(1, 8):
        w = w - 0.3 * x.T @ (x @ w - y) / y.size
        seen[count] = w
    last, found = observed_steps(
        sgd_step(lambda w: half_mse(x @ w, jnp.asarray(y)), 0.3),
        lambda w: w,
        jnp.zeros((3, 2)),
        (0, 1, 4, 7),
    )
    expected = np.stack([seen[count] for count in (0, 1, 4, 7)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, seen[7], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("checkpoints", [(0, 2, 2), (3, 1), (-1, 2)])
def test_checkpoints_must_increase(checkpoints):
    with pytest.raises(ValueError, match="checkpoints: expected increasing numbers >= 0"):
        observed_steps(lambda x: x, lambda x: x, jnp.float32(0), checkpoints)


def test_log_steps_begin_at_zero_and_reach_the_last():
    assert log_steps(1, 5) == (0, 1)
    assert log_steps(1000, 4) == (0, 1, 10, 100, 1000)
    assert log_steps(4, 50) == (0, 1, 2, 3, 4)


def test_kernels_without_networks_against_numpy():
    rng = np.random.default_rng(1)
    x, x_test = (rng.normal(size=(n, 2, 2, 1)).astype(np.float32) for n in (5, 4))
    key, rows, rows_test = jax.random.key(0), x.reshape(5, 4), x_test.reshape(4, 4)
    for side, found in zip(
        (rows, rows_test), kernels("linear", SIZES, x, x_test, 2, key), strict=True
    ):
        np.testing.assert_allclose(found, 1.3**2 * side @ rows.T / 4 + 0.04, rtol=1e-4, atol=1e-5)
    squares = [((side[:, None] - rows) ** 2).sum(-1) for side in (rows, rows_test)]
    width = np.median([squares[0][i, j] for i in range(5) for j in range(i)])
    for square, found in zip(squares, kernels("rbf", SIZES, x, x_test, 2, key), strict=True):
        np.testing.assert_allclose(found, np.exp(-square / width), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_networks_train_on_the_first_images_only():
    network = mlp((3, 8, 2), bias_std=0.1)
    x = jax.random.normal(jax.random.key(0), (6, 3))
    y = jnp.eye(2)[jnp.asarray([0, 1, 0, 1, 0, 1])]
    options = {"steps": 150, "batch": 8, "learning_rate": 0.02}
    outputs, losses = train_network(network, jax.random.key(1), x, y, 4, x[:4], **options)
    assert float(losses[-1]) < 0.02 * float(losses[0])
    np.testing.assert_array_equal(jnp.argmax(outputs, 1), [0, 1, 0, 1])
    hidden = x.at[4:].set(jnp.nan)
    again, _ = train_network(network, jax.random.key(1), hidden, y, 4, x[:4], **options)
    np.testing.assert_array_equal(outputs, again)


# the smoke preset, smaller: two widths, no convolutions
TINY = {
    "ntk-linearized-training": "widths=[8] widths_taylor=[8] steps=20 looks=3",
    "ntk-kernel-regression": "train=[20] seeds_cnn=0",
    "ntk-evolution": "widths=[8,64] steps=20 looks=3",
}
DECIDED = {
    "ntk-linearized-training": {"kernel-is-tangent": True},
    "ntk-kernel-regression": {},
    "ntk-evolution": {"wide-moves-less": True},
}


def sound(outcome):
    """Results of a finished run whose report shows every figure and whose numbers are finite."""
    results = finished(outcome)
    report = (outcome.path / "report.md").read_text()
    assert all(caption in report for caption in results["figures"].values())
    assert all(np.isfinite(value) for value in results["scalars"].values())
    return results


QUICK = ("ntk-evolution",)  # the others take up to a minute each


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TINY],
)
def test_a_small_run_reports(name, tmp_path):
    results = sound(run(name, preset="smoke", sets=[TINY[name]], runs=tmp_path))
    verdicts = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert DECIDED[name].items() <= verdicts.items()
    for label, value in results["scalars"].items():
        if label.startswith("accuracy, NTK"):  # ten classes
            assert value > 0.25


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_the_smoke_preset_runs_and_repeats(name, tmp_path):
    first = sound(run(name, preset="smoke", runs=tmp_path / "a"))
    assert first == sound(run(name, preset="smoke", runs=tmp_path / "b"))
