"""Named planar networks and their sizes; random ones and what they promise."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxlab.spherical.cnn import count_params, init_cnn
from jaxlab.spherical.cnn_architectures import CNN_PRESETS, sample_cnn_architecture
from jaxlab.spherical.cnn_config import cnn_feature_sizes, cnn_param_count

COUNTS = {  # parameters, those without skips, and the sides of the features
    "cnn_218k": (218_144, 206_698, (100, 96, 94, 86, 80, 39)),
    "cnn_1m": (1_042_013, 992_162, (100, 98, 96, 92, 44, 42, 38)),
    "cnn_5m5": (5_519_335, 5_015_735, (100, 98, 94, 92, 43, 39, 37, 18)),
    "cnn_184k": (183_701, 170_117, (20, 18, 16, 6, 4)),
    "cnn_classic": (68_106, 68_106, (60, 19, 5)),
    "cnn_139k": (138_762, 138_762, (20, 18, 8, 6)),
    "cnn_29k": (29_066, 29_066, (20, 18, 8, 3)),
}


def test_presets_have_the_sizes_of_the_paper():
    assert set(COUNTS) == set(CNN_PRESETS)
    for name, (count, plain, sides) in COUNTS.items():
        cfg = CNN_PRESETS[name]
        params, _ = jax.eval_shape(lambda key, cfg=cfg: init_cnn(key, cfg), jax.random.key(0))
        assert count_params(params) == cnn_param_count(cfg) == count
        assert cnn_param_count(dataclasses.replace(cfg, skips=False)) == plain
        assert cnn_feature_sizes(cfg) == tuple((side, side) for side in sides)


@pytest.mark.parametrize("target", [20_000, 200_000])
def test_random_networks_keep_their_promises(target):
    options = {"task": "classification", "num_classes": 10, "padding": "valid", "skips": False}
    found = set()
    for seed in range(3):
        for more in ({}, options):
            cfg = sample_cnn_architecture(jax.random.key(seed), target, 0.05, 16, **more)
            assert abs(cnn_param_count(cfg) - target) <= 0.05 * target
            sizes = cnn_feature_sizes(cfg)
            assert sizes[0] == (32, 32)
            assert min(map(min, sizes)) >= 3
            assert 3 <= len(cfg.kernels) <= 7
            assert set(cfg.kernels) <= {3, 5, 7, 9}
            assert cfg.strides.count(2) <= 2
            assert 8 <= cfg.channels[0] <= 16
            assert all(
                after <= 8 * before and before <= after
                for before, after in zip(cfg.channels, cfg.channels[1:], strict=False)
            )
            found.add(cfg)
    assert len(found) > 4
    assert cfg == sample_cnn_architecture(jax.random.key(2), target, 0.05, 16, **options)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
@pytest.mark.parametrize("bandwidth", [16, 30, 50])
def test_smallest_size_of_the_paper_can_be_drawn(bandwidth, task):
    cfg = sample_cnn_architecture(
        jax.random.key(0), 5_000, 0.05, bandwidth, task=task, num_classes=10
    )
    assert abs(cnn_param_count(cfg) - 5_000) <= 250
    assert cfg.channels[0] >= 4
    assert cfg.strides.count(2) <= 3


def test_padded_random_networks_fit_small_images():
    cfg = sample_cnn_architecture(jax.random.key(0), 50_000, 0.1, 2, padding="erp", batch_norm=True)
    assert cfg.size == (4, 4)


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_few_bits_do_not_wrap():
    key = jax.random.key(0)
    wide = sample_cnn_architecture(key, 300_000, 0.1, np.uint8(200))
    assert wide == sample_cnn_architecture(key, 300_000, 0.1, 200)
    assert wide.size == (400, 400)
    small = sample_cnn_architecture(key, np.int16(20_000), 0.1, 10, max_tries=np.int16(20_000))
    assert small == sample_cnn_architecture(key, 20_000, 0.1, 10)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    key = jax.random.key(0)
    for argument, call in {
        "target_params: expected a number that": lambda: sample_cnn_architecture(
            key, 100, 0.05, 10, max_tries=50
        ),
        "target_params": lambda: sample_cnn_architecture(key, 0, 0.05, 10),
        "rel_tol": lambda: sample_cnn_architecture(key, 5000, -1, 10),
        "bandwidth": lambda: sample_cnn_architecture(key, 5000, 0.1, 0),
        "task": lambda: sample_cnn_architecture(key, 5000, 0.1, 10, task="detection"),
    }.items():
        with pytest.raises(ValueError, match=f"^{argument}"):
            call()
