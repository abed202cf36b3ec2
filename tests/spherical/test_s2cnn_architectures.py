"""Published architectures have the published numbers of parameters, and random ones the wanted."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS, sample_s2cnn_architecture
from jaxlab.spherical.s2cnn_config import layer_kernels, s2cnn_param_count

COUNTS = {
    "s2cnn_204k": 204_073,
    "s2cnn_39k": 38_623,
    "s2cnn_original": 154_550,
    "s2cnn_deep": 156_882,
    "s2cnn_56k": 55_918,
}


def test_presets_have_the_published_numbers_of_parameters():
    assert {name: s2cnn_param_count(cfg) for name, cfg in S2CNN_PRESETS.items()} == COUNTS


def test_published_kernels_reach_a_constant_number_of_grid_cells():
    cfg = S2CNN_PRESETS["s2cnn_204k"]
    automatic = layer_kernels(dataclasses.replace(cfg, max_beta="auto"))
    for ours, published in zip(automatic, layer_kernels(cfg), strict=True):
        assert ours.beta == pytest.approx(published.beta, rel=1e-3)


@pytest.mark.parametrize("task", ["segmentation", "classification"])
@pytest.mark.parametrize(("target", "bandwidth"), [(20_000, 8), (200_000, 50), (5_500_000, 50)])
def test_random_architectures(target, bandwidth, task):
    drawn = [
        sample_s2cnn_architecture(jax.random.key(seed), target, 0.1, bandwidth, task=task)
        for seed in range(5)
    ]
    assert len({cfg.channels for cfg in drawn}) > 1
    for cfg in drawn:
        assert abs(s2cnn_param_count(cfg) - target) <= 0.1 * target
        assert max(cfg.bandlimits) <= bandwidth
        if task == "segmentation":
            assert cfg.bandlimits == cfg.bandlimits[::-1]
            assert len(cfg.bandlimits) in (3, 5, 7)


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_few_bits_do_not_wrap():
    for seed in range(3):  # a miss by less is a difference below zero
        key = jax.random.key(seed)
        few = sample_s2cnn_architecture(key, np.uint16(50_000), 0.1, np.int8(100))
        assert few == sample_s2cnn_architecture(key, 50_000, 0.1, 100)


@pytest.mark.usefixtures("bad_input")
def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="target_params: expected a number that a random network"):
        sample_s2cnn_architecture(jax.random.key(0), 10, 0.01, 8, max_tries=20)
    with pytest.raises(ValueError, match="bandwidth: expected an integer >= 4"):
        sample_s2cnn_architecture(jax.random.key(0), 10_000, 0.1, 2)
