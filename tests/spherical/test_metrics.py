"""Scores against scikit-learn and sums written out; the loss against optax and on shards."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads
from sklearn import metrics as sk

from jaxlab.spherical import metrics
from jaxlab.spherical.grids import quadrature_weights

RNG = np.random.default_rng(23)
B, CLASSES = 3, 5
TRUE = RNG.integers(-1, CLASSES - 1, (4, 2 * B, 2 * B))  # the last class occurs nowhere
PRED = np.where(RNG.random(TRUE.shape) < 0.4, TRUE.clip(0), RNG.integers(0, 4, TRUE.shape))
AREA = quadrature_weights(B)[:, None]


def test_scores_are_those_of_scikit_learn():
    score = jax.jit(
        lambda pred, true, weights=None: (
            matrix := metrics.confusion_matrix(pred, true, CLASSES, weights),
            metrics.iou_per_class(matrix),
            metrics.mean_iou(matrix),
            metrics.non_background_miou(matrix),
            metrics.pixel_accuracy(matrix),
            metrics.non_background_accuracy(matrix),
        )
    )
    known = TRUE >= 0
    true, pred = TRUE[known], PRED[known]
    area = np.broadcast_to(AREA, TRUE.shape)[known]
    for weights, sample_weight in ((None, None), (jnp.asarray(AREA, jnp.float32), area)):
        matrix, iou, mean, inner, accuracy, inner_accuracy = score(
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
    np.testing.assert_array_equal(eager, score(jnp.asarray(PRED), jnp.asarray(TRUE))[0])


def test_scores_of_nothing_are_nan():
    only_background = jnp.array([[3, 0], [0, 0]])
    assert np.isnan(metrics.non_background_miou(only_background))
    assert np.isnan(metrics.non_background_accuracy(only_background))
    assert metrics.mean_iou(only_background) == 1
    empty = metrics.confusion_matrix(jnp.zeros(0, int), jnp.zeros(0, int), 2)
    assert empty.tolist() == [[0, 0], [0, 0]]
    assert np.isnan(metrics.pixel_accuracy(empty))


def test_sums_of_many_weights_do_not_stagnate():
    size, weight = 2**20, 0.1  # one running float32 sum loses 1e-3 of it
    zeros = jnp.zeros(size, jnp.int32)
    total = jax.jit(metrics.confusion_matrix, static_argnums=2)(
        zeros, zeros, 1, jnp.full(1, weight, jnp.float32)
    )
    np.testing.assert_allclose(total, size * np.float32(weight), rtol=1e-5)


def test_loss_is_that_of_optax_and_its_gradients_are_right():
    logits = jnp.asarray(RNG.standard_normal((*TRUE.shape, CLASSES)), jnp.float32)
    labels = jnp.asarray(TRUE)
    loss = jax.jit(metrics.pixel_cross_entropy, static_argnames="axis")
    each = np.asarray(
        optax.softmax_cross_entropy_with_integer_labels(logits, labels.clip(0)), np.float64
    )
    for weights in (None, AREA):
        counted = (TRUE >= 0) * (1.0 if weights is None else weights)
        found = loss(logits, labels, None if weights is None else jnp.asarray(weights))
        np.testing.assert_allclose(found, (each * counted).sum() / counted.sum(), rtol=1e-5)
    moved = loss(jnp.moveaxis(logits, -1, 1), labels, axis=1)
    np.testing.assert_allclose(moved, loss(logits, labels), rtol=1e-6)
    check_grads(lambda x: loss(jnp.asarray(x), labels), (logits,), 1, modes=["rev"], rtol=0.02)
    nothing = jnp.full_like(labels, -1)
    value, gradient = jax.value_and_grad(loss)(logits, nothing)
    assert value == 0
    assert not gradient.any()
    assert np.isnan(loss(logits, labels.at[0, 0, 0].set(CLASSES)))
    assert loss(logits.astype(jnp.bfloat16), labels).dtype == jnp.float32


def test_loss_of_shards_averages_to_that_of_all(devices):
    logits = jnp.asarray(RNG.standard_normal((16, 3)), jnp.float32)
    labels = jnp.arange(16) % 5 % 4 - 1  # some devices count two labels, some one
    loss = metrics.pixel_cross_entropy
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    per_device = jax.jit(
        jax.shard_map(
            lambda *args: loss(*args, axis_name="batch")[None],
            mesh=mesh,
            in_specs=P("batch"),
            out_specs=P("batch"),
        )
    )
    np.testing.assert_allclose(per_device(logits, labels).mean(), loss(logits, labels), rtol=1e-5)
    gradient = jax.pmap(jax.grad(functools.partial(loss, axis_name="batch")), "batch")
    parts = gradient(logits.reshape(8, 2, 3), labels.reshape(8, 2))
    np.testing.assert_allclose(parts.reshape(16, 3) / 8, jax.grad(loss)(logits, labels), atol=1e-6)


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
