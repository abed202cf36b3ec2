"""Feature sizes and parameter counts that follow from an architecture."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jaxlab.spherical.cnn import apply_cnn, count_params, init_cnn
from jaxlab.spherical.cnn_config import CNNConfig, cnn_feature_sizes, cnn_param_count

SMALL = CNNConfig((9, 8), (2, 3), (3, 2), (2, 1), num_classes=4)


@st.composite
def fields(draw):
    depth = draw(st.integers(1, 4))

    def each(least, most):
        return tuple(draw(st.integers(least, most)) for _ in range(depth))

    return {
        "size": (draw(st.integers(6, 30)), draw(st.integers(6, 30))),
        "channels": each(1, 4),
        "kernels": each(1, 6),
        "strides": each(1, 3),
        "num_classes": draw(st.integers(1, 3)),
        "task": draw(st.sampled_from(["segmentation", "classification"])),
        "in_channels": draw(st.integers(1, 2)),
        "skips": draw(st.booleans()),
        "batch_norm": draw(st.booleans()),
        "padding": draw(st.sampled_from(["valid", "erp"])),
    }


@settings(max_examples=50)
@given(fields())
def test_any_network_labels_every_pixel_and_has_the_counted_parameters(fields):
    try:
        cfg = CNNConfig(**fields)
    except ValueError as error:
        assume("fits on its features" not in str(error))  # another one then
        raise
    params, state = jax.eval_shape(lambda key: init_cnn(key, cfg), jax.random.key(0))
    assert count_params(params) == cnn_param_count(cfg)
    x = jax.ShapeDtypeStruct((2, *cfg.size, cfg.in_channels), jnp.float32)
    logits, new = jax.eval_shape(lambda *args: apply_cnn(*args, cfg, train=True), params, state, x)
    where = cfg.size if cfg.task == "segmentation" else ()
    assert logits.shape == (2, *where, cfg.num_classes)
    assert jax.tree.structure(new) == jax.tree.structure(state)


def test_sizes_shrink_by_kernels_and_strides():
    assert cnn_feature_sizes(SMALL) == ((9, 8), (4, 3), (3, 2))
    padded = dataclasses.replace(SMALL, padding="erp")
    assert cnn_feature_sizes(padded) == ((9, 8), (5, 4), (5, 4))
    assert hash(padded) != hash(SMALL)


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_8_bits_do_not_wrap():
    fields = {"size": (30, 30), "channels": (100,), "kernels": (3,), "strides": (1,)}
    narrow = {name: tuple(map(np.int8, values)) for name, values in fields.items()}
    cfg = CNNConfig(**narrow, num_classes=np.int8(100))
    assert cfg == CNNConfig(**fields, num_classes=100)
    assert cnn_param_count(cfg) == (9 + 1) * 100 + (9 * 100 + 1) * 100


@pytest.mark.usefixtures("bad_input")
def test_bad_architectures_are_named():
    for field, value in {
        "size": (9,),
        "channels": (),
        "kernels": (3, 0),
        "strides": [2, 1],
        "num_classes": 0,
        "in_channels": 0,
        "task": "segment",
        "padding": "same",
        "skips": 1,
        "batch_norm": None,
    }.items():
        with pytest.raises(ValueError, match=f"^{field}: "):
            dataclasses.replace(SMALL, **{field: value})
    with pytest.raises(ValueError, match=r"layer 2 .* \(4, 3\) pixels, got \(3, 4\)"):
        dataclasses.replace(SMALL, kernels=(3, 4))
    with pytest.raises(ValueError, match="layer 1"):
        dataclasses.replace(SMALL, kernels=(18, 2), padding="erp")
