"""Counted operations against formulas; images and small runs of the experiments."""

import numpy as np
import pytest

from jaxlab.experiments.ntk.architectures import image_network
from jaxlab.experiments.ntk.inputs import load_images
from jaxlab.experiments.ntk.methods import METHODS, jacobian_flops, kernel_flops
from jaxlab.experiments.ntk.networks import cnn, mlp
from jaxlab.runner.execute import run
from tests.helpers import finished


@pytest.mark.parametrize(("batch", "outputs"), [(1, 1), (1, 128), (8, 16)])
def test_operations_of_a_wide_network_follow_the_formulas(batch, outputs):
    width, depth = 4096, 10
    network = mlp((*[width] * depth, outputs))
    n, o, weights = batch, outputs, (depth - 1) * width**2 + width * outputs
    # cotangents pass all layers but the first
    passed = weights - width**2
    jacobians = 2 * n * (2 * weights + o * (2 * passed + 2 * weights))
    expected = {
        "jacobian": jacobians + 2 * (n * o) ** 2 * weights,
        # per column: one backward pass and one forward pass of the batch with tangents
        "vector_products": 2 * n * (2 * weights)
        + n * o * (2 * passed + 2 * weights + n * (2 * weights + 2 * passed)),
        "structured": 2 * n * (2 * weights + o * 2 * passed)
        + 2 * depth * (n**2 * width + (n * o) ** 2 * width),
    }
    for method in METHODS:
        counted = kernel_flops(network, method, (batch, width))
        assert counted == pytest.approx(expected[method], rel=0.1), method
    assert jacobian_flops(network, (batch, width)) == pytest.approx(jacobians, rel=0.1)


def test_structured_derivatives_gain_with_channels():
    gains, products = [], []
    for channels in (16, 64, 1024):
        network = cnn((8, 8, 3), [channels] * 4, 10)
        flops = {method: kernel_flops(network, method, (4, 8, 8, 3)) for method in METHODS}
        gains.append(flops["jacobian"] / flops["structured"])
        products.append(flops["vector_products"] / flops["jacobian"])
    assert 1 <= gains[0] < 1.1
    assert 1.5 < gains[1] < gains[2]
    assert min(products) > 2


@pytest.mark.slow
def test_operations_of_resnet18_are_ordered_as_the_official_times():
    milliseconds = {
        (8, 8): {"jacobian": 222.0, "vector_products": 311.0, "structured": 90.6},
        (1, 128): {"jacobian": 454.0, "vector_products": 150.0, "structured": 113.0},
    }
    for (batch, outputs), times in milliseconds.items():
        network = image_network("resnet18", outputs=outputs)
        shape = (batch, 224, 224, 3)
        flops = {method: kernel_flops(network, method, shape) for method in METHODS}
        assert sorted(flops, key=flops.get) == sorted(times, key=times.get)


def test_images_are_standardised_and_disjoint():
    images = load_images("digits", 1000, 500, seed=1)
    assert images.x.shape == (1000, 8, 8, 1)
    assert images.x.dtype == np.float32
    assert abs(images.x.mean()) < 1e-5
    assert images.x.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(images.targets_test.sum(axis=1), 0, atol=1e-6)
    assert (images.targets.argmax(axis=1) == images.labels).all()
    seen = {image.tobytes() for image in images.x}
    assert not any(image.tobytes() in seen for image in images.x_test)
    again, other = load_images("digits", 10, seed=1), load_images("digits", 10, seed=2)
    np.testing.assert_array_equal(again.labels, images.labels[:10])
    assert not np.array_equal(other.x, again.x)
    with pytest.raises(ValueError, match="train: expected at most 1797 images of digits"):
        load_images("digits", 1798)
    with pytest.raises(ValueError, match="test: expected at most 797 images of digits"):
        load_images("digits", 1000, 798)


def sound(outcome):
    """Results of a finished run that counted operations and whose methods agree."""
    results = finished(outcome)
    assert "operations" in results["tables"]
    held = {claim["id"]: claim["holds"] for claim in results["claims"]}
    assert held["methods-agree"] is True
    return results


TINY = {
    "ntk-fcn-cost": ["batch=[2] widths_time=[8]"],
    "ntk-conv-cost": ["layers=1 channels_time=[4]"],
    "ntk-imagenet-models": ["timing.blocks=[]"],
}


QUICK = ("ntk-fcn-cost", "ntk-conv-cost")  # the others take up to a minute each


@pytest.mark.parametrize(
    "name",
    [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in TINY],
)
def test_a_small_run_reports(name, tmp_path):
    sound(run(name, preset="smoke", sets=TINY[name], runs=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("name", TINY)
def test_the_smoke_preset_runs_and_repeats(name, tmp_path):
    first = sound(run(name, preset="smoke", runs=tmp_path / "a"))
    assert first == sound(run(name, preset="smoke", runs=tmp_path / "b"))
