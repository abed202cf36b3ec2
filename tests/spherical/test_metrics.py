"""Scores against scikit-learn; the loss and its gradient against sums written out, on shards."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from scipy import special
from sklearn import metrics as sk

from jaxlab.spherical import metrics
from jaxlab.spherical.grids import quadrature_weights
from tests.helpers import to_device

RNG = np.random.default_rng(23)
B, CLASSES = 3, 5
TRUE = RNG.integers(-1, CLASSES - 1, (4, 2 * B, 2 * B))  # the last class occurs nowhere
PRED = np.where(RNG.random(TRUE.shape) < 0.4, TRUE.clip(0), RNG.integers(0, 4, TRUE.shape))
AREA = quadrature_weights(B)[:, None]


@jax.jit
def scores(pred, true, weights=None):
    matrix = metrics.confusion_matrix(pred, true, CLASSES, weights)
    return (
        matrix,
        metrics.iou_per_class(matrix),
        metrics.mean_iou(matrix),
        metrics.non_background_miou(matrix),
        metrics.pixel_accuracy(matrix),
        metrics.non_background_accuracy(matrix),
    )


def test_scores_are_those_of_scikit_learn():
    known = TRUE >= 0
    true, pred = TRUE[known], PRED[known]
    area = np.broadcast_to(AREA, TRUE.shape)[known]
    for weights, sample_weight in ((None, None), (jnp.asarray(AREA, jnp.float32), area)):
        matrix, iou, mean, inner, accuracy, inner_accuracy = scores(
            jnp.asarray(PRED), jnp.asarray(TRUE), weights
        )
        expected = sk.confusion_matrix(
            true, pred, labels=range(CLASSES), sample_weight=sample_weight
        ).T
        np.testing.assert_allclose(matrix, expected, rtol=1e-5)
        assert jnp.issubdtype(matrix.dtype, jnp.integer) == (weights is None)
        options = {"average": None, "sample_weight": sample_weight}
        expected = sk.jaccard_score(true, pred, labels=range(CLASSES - 1), **options)
        np.testing.assert_allclose(iou[:-1], expected, rtol=1e-5)
        assert np.isnan(iou[-1])
        np.testing.assert_allclose(mean, expected.mean(), rtol=1e-5)
        np.testing.assert_allclose(inner, expected[1:].mean(), rtol=1e-5)
        expected = sk.accuracy_score(true, pred, sample_weight=sample_weight)
        np.testing.assert_allclose(accuracy, expected, rtol=1e-5)
        both = (true > 0) & (pred > 0)
        expected = sk.accuracy_score(
            true[both], pred[both], sample_weight=None if weights is None else area[both]
        )
        np.testing.assert_allclose(inner_accuracy, expected, rtol=1e-5)
    eager = metrics.confusion_matrix(jnp.asarray(PRED), jnp.asarray(TRUE), CLASSES)
    np.testing.assert_array_equal(eager, scores(jnp.asarray(PRED), jnp.asarray(TRUE))[0])


def test_scores_of_nothing_are_nan():
    background = jnp.where(jnp.asarray(TRUE) < 0, -1, 0)
    matrix, _, mean, inner, accuracy, inner_accuracy = scores(
        jnp.zeros_like(background), background
    )
    assert matrix[0, 0] == np.sum(TRUE >= 0)
    assert mean == accuracy == 1
    assert np.isnan([inner, inner_accuracy]).all()
    nothing = jnp.full_like(background, -1)
    matrix, iou, mean, *rest = scores(nothing, nothing)
    assert not matrix.any()
    assert np.isnan([*iou, mean, *rest]).all()
    assert metrics.confusion_matrix(nothing[:0], nothing[:0], 2).tolist() == [[0, 0], [0, 0]]


def test_sums_of_many_weights_do_not_stagnate():
    size, weight = 2**20, 0.1  # one running float32 sum loses 1e-3 of it
    zeros = jnp.zeros(size, jnp.int32)
    total = jax.jit(metrics.confusion_matrix, static_argnums=2)(
        zeros, zeros, 1, jnp.full(1, weight, jnp.float32)
    )
    np.testing.assert_allclose(total, size * np.float32(weight), rtol=3e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_memory_is_linear_in_samples_and_cells(weighted):
    size, classes = 2**16, 256
    labels = jax.ShapeDtypeStruct((size,), jnp.int32)
    weights = (jax.ShapeDtypeStruct((size,), jnp.float32),) * weighted
    count = jax.jit(metrics.confusion_matrix, static_argnums=2)
    compiled = count.lower(labels, labels, classes, *weights).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 10 * 4 * (size + classes**2)


def test_loss_and_gradient_are_those_written_out():
    logits, labels = RNG.standard_normal((*TRUE.shape, CLASSES)).astype(np.float32), TRUE
    loss = jax.jit(jax.value_and_grad(metrics.pixel_cross_entropy), static_argnames="axis")
    probabilities = special.softmax(np.float64(logits), axis=-1)
    chosen = np.eye(CLASSES)[labels.clip(0)]
    each = -np.log((probabilities * chosen).sum(-1))
    for weights in (None, AREA):
        counted = (labels >= 0) * (np.ones(()) if weights is None else weights)
        value, gradient = loss(jnp.asarray(logits), jnp.asarray(labels), weights)
        np.testing.assert_allclose(value, (each * counted).sum() / counted.sum(), rtol=1e-5)
        expected = (probabilities - chosen) * counted[..., None] / counted.sum()
        np.testing.assert_allclose(gradient, expected, atol=1e-7)
    moved = jnp.asarray(np.moveaxis(logits, -1, 1), jnp.bfloat16)
    value, _ = loss(moved, jnp.asarray(labels), AREA, axis=1)
    np.testing.assert_allclose(value, (each * counted).sum() / counted.sum(), rtol=1e-2)
    assert value.dtype == jnp.float32
    labels = labels.copy()
    labels[0, 0, 0] = CLASSES  # out of range
    assert np.isnan(loss(jnp.asarray(logits), jnp.asarray(labels), AREA)[0])
    value, gradient = loss(jnp.asarray(logits), jnp.full_like(labels, -1), AREA)
    assert value == 0
    assert not gradient.any()


def test_loss_of_shards_averages_to_that_of_all(devices):
    logits = jnp.asarray(RNG.standard_normal((16, 3)), jnp.float32)
    labels = jnp.asarray(np.arange(16) % 5 % 4 - 1)  # some devices count two labels, some one
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))

    def each(logits, labels):
        loss = functools.partial(metrics.pixel_cross_entropy, axis_name="batch")
        value, gradient = jax.value_and_grad(loss)(logits, labels)
        return value[None], gradient

    values, gradients = jax.jit(
        jax.shard_map(each, mesh=mesh, in_specs=P("batch"), out_specs=P("batch"))
    )(logits, labels)
    value, gradient = jax.jit(jax.value_and_grad(metrics.pixel_cross_entropy))(logits, labels)
    np.testing.assert_allclose(np.mean(values), value, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(gradients) / 8, gradient, atol=1e-6)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    labels, matrix = jnp.array([0, 1]), metrics.confusion_matrix
    for argument, call in {
        "num_classes": lambda: matrix(labels, labels, 0),
        "pred: expected classes 0 ... 1, got 2": lambda: matrix(labels + 1, labels, 2),
        "true: expected classes -1 ... 1, got -2": lambda: matrix(labels, labels - 2, 2),
        "true": lambda: matrix(labels, labels[:1], 2),
        "weights": lambda: matrix(labels, labels, 2, jnp.ones(3)),
        "confusion": lambda: metrics.iou_per_class(jnp.ones((2, 3))),
        "labels": lambda: metrics.pixel_cross_entropy(jnp.ones((2, 3)), labels[:1]),
        "labels: expected classes": lambda: metrics.pixel_cross_entropy(jnp.ones((2, 1)), labels),
        "axis": lambda: metrics.pixel_cross_entropy(jnp.ones((2, 3)), labels, axis=2),
    }.items():
        with pytest.raises(ValueError, match=f"^{argument}"):
            call()


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint32])
def test_labels_in_any_integer_type_count_alike(kind):
    classes = 20  # so that the number of a cell leaves 8 bits
    pred, true = RNG.integers(0, classes, (2, 50))
    logits = jnp.asarray(RNG.standard_normal((50, classes)), jnp.float32)
    narrow = [to_device(labels, kind) for labels in (pred, true)]
    wide = [to_device(labels, np.int32) for labels in (pred, true)]
    np.testing.assert_array_equal(
        metrics.confusion_matrix(*narrow, classes), metrics.confusion_matrix(*wide, classes)
    )
    loss = metrics.pixel_cross_entropy(logits, narrow[1])
    assert loss == metrics.pixel_cross_entropy(logits, wide[1])


def test_a_class_whose_count_is_nan_is_not_left_out():
    matrix = jnp.array([[2, 0, 0], [0, 3, 0], [0, 0, jnp.nan]])
    assert np.isnan(metrics.mean_iou(matrix))
    assert np.isnan(metrics.non_background_miou(matrix))


def test_sums_of_large_counts_stay_in_range():
    counts = jnp.full((3, 3), 2**30)
    assert metrics.pixel_accuracy(counts) == pytest.approx(1 / 3)
    np.testing.assert_allclose(metrics.iou_per_class(counts), 1 / 5, rtol=1e-6)
