"""Rotated sets against their definition; test-time averages of networks that need none."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxlab.spherical import augmentation
from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.rotation import random_rotations, rotation_matrix
from jaxlab.spherical.spherical_images import make_spherical_batch

RNG = np.random.default_rng(3)
KEY = jax.random.key(0)
POINTS = sphere_points(3)
IMAGES = jnp.asarray(RNG.uniform(size=(5, 4, 4)), jnp.float32)
LABELS = jnp.array([3, 1, 4, -1, 5])
dataset = functools.partial(augmentation.rotated_dataset, KEY, IMAGES, LABELS, POINTS)


def test_samples_are_projected_images_under_shared_rotations():
    data = dataset(n=12, images_per_rotation=5, chunk_size=5)
    np.testing.assert_array_equal(data.source[:5], np.arange(5))
    assert ((data.source >= 0) & (data.source < 5)).all()
    assert len(np.unique(data.rotations, axis=0)) == 3
    for first in (0, 5, 10):
        shared = data.rotations[first : first + 5]
        np.testing.assert_array_equal(shared, np.broadcast_to(shared[0], shared.shape))
    batch = make_spherical_batch(IMAGES[data.source], LABELS[data.source], data.rotations, POINTS)
    np.testing.assert_array_equal(data.x, batch.x)
    np.testing.assert_array_equal(data.mask, batch.mask)


def test_smaller_sets_begin_larger_ones_and_draws_are_uniform():
    small, large = dataset(n=7), dataset(n=605, chunk_size=200)
    for one, other in zip(small, large, strict=True):
        np.testing.assert_array_equal(one, other[:7])
    assert len(np.unique(large.rotations, axis=0)) == 605
    counts = np.bincount(large.source[5:], minlength=5)
    np.testing.assert_allclose(counts, 120, atol=4 * np.sqrt(120))
    np.testing.assert_allclose(large.rotations.mean(axis=0), 0, atol=5 / np.sqrt(3 * 605))
    np.testing.assert_allclose((large.rotations**2).mean(axis=0), 1 / 3, atol=0.06)
    # the angle ω of a uniform rotation has the distribution function (ω − sin ω)/π
    angle = np.arccos(np.clip((np.trace(large.rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angle, lambda w: (w - np.sin(w)) / np.pi).pvalue > 0.01


def test_sets_without_rotation_and_without_samples():
    still = dataset(rotate=False)
    np.testing.assert_array_equal(still.rotations, np.broadcast_to(np.eye(3), (5, 3, 3)))
    batch = make_spherical_batch(IMAGES, LABELS, still.rotations, POINTS)
    np.testing.assert_array_equal(still.x, batch.x)
    none = dataset(n=0)
    assert none.x.shape == none.mask.shape == (0, 6, 6)
    for n in (None, 0):
        of_nothing = augmentation.rotated_dataset(KEY, IMAGES[:0], LABELS[:0], POINTS, n=n)
        for leaf, expected in zip(of_nothing, none, strict=True):
            assert (leaf.shape, leaf.dtype) == (expected.shape, expected.dtype)
    maps = (IMAGES > 0.5).astype(jnp.int32)
    colours = IMAGES[..., None] * jnp.ones(2)
    data = augmentation.rotated_dataset(KEY, colours, maps, POINTS, n=6, threshold=80)
    assert data.x.shape == (6, 6, 6, 2)
    assert set(np.unique(data.mask)) == {0, 1}


def test_online_rotations_depend_on_step_and_sample_alone(devices):
    points, index = jnp.asarray(POINTS, jnp.float32), jnp.arange(40, 48)
    images, labels = IMAGES[index % 5], LABELS[index % 5]

    @jax.jit
    def steps(images, labels, index):
        def step(_, t):
            return None, augmentation.augment_batch(KEY, t, images, labels, index, points)

        return jax.lax.scan(step, None, jnp.arange(2))[1]

    whole = steps(images, labels, index)
    assert not np.array_equal(whole.x[0], whole.x[1])
    key = jax.random.fold_in(jax.random.fold_in(KEY, 1), 43)
    alone = make_spherical_batch(images[3:4], labels[3:4], random_rotations(key, 1), POINTS)
    np.testing.assert_array_equal(whole.x[1, 3], alone.x[0])

    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    split = jax.sharding.PartitionSpec("data")
    step = functools.partial(augmentation.augment_batch, KEY, 1, points=points)
    shared = jax.shard_map(step, mesh=mesh, in_specs=split, out_specs=split)(images, labels, index)
    np.testing.assert_array_equal(shared.x, whole.x[1])
    np.testing.assert_array_equal(shared.mask, whole.mask[1])


def test_average_over_rotations_leaves_equivariant_networks_alone():
    x = jnp.asarray(RNG.normal(size=(2, 2, 6, 6)), jnp.float32)
    # steps of the grid about z and the half turn about x: rotations without interpolation
    rotations = jnp.stack(
        [
            rotation_matrix(np.pi / 3, 0.0, 0.0),
            rotation_matrix(-np.pi, 0.0, 0.0),
            jnp.diag(jnp.array([1.0, -1.0, -1.0])),
        ]
    )
    average = augmentation.average_over_rotations
    pointwise = jax.nn.softmax(3 * x, axis=1)
    found = average(lambda x: 3 * x, x, rotations, task="segmentation")
    np.testing.assert_allclose(found, pointwise, atol=1e-5)
    last = jnp.moveaxis(x, 1, -1)
    found = average(lambda x: 3 * x, last, rotations, task="segmentation", channels_last=True)
    np.testing.assert_allclose(found, jnp.moveaxis(pointwise, 1, -1), atol=1e-5)
    found = average(lambda x: x.mean((2, 3)), x, rotations)
    np.testing.assert_allclose(found, jax.nn.softmax(x.mean((2, 3)), axis=-1), atol=1e-5)
    # one that looks at a single point sees each copy's
    found = average(lambda x: x[:, :, 1, 0], x, rotations)
    seen = jnp.stack([x[:, :, 1, 5], x[:, :, 1, 3], x[:, :, 4, 0]])
    np.testing.assert_allclose(found, jax.nn.softmax(seen, axis=-1).mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_second_average_outside_jit_compiles_nothing(task, caplog):
    x = jnp.asarray(RNG.normal(size=(2, 6, 6, 2)), jnp.float32)

    def average(weight, x):
        def network(x):
            logits = jnp.tanh(x * weight)
            return logits if task == "segmentation" else logits.mean((1, 2))

        rotations = random_rotations(KEY, 3)
        return augmentation.average_over_rotations(
            network, x, rotations, task=task, channels_last=True
        )

    weights = jnp.ones(2), jnp.array([3.0, 1.0])
    first = average(weights[0], x)
    with jax.log_compiles():
        found = average(weights[1], x)
    assert not [r for r in caplog.records if "Compiling" in r.getMessage()]
    assert not np.allclose(found, first)
    np.testing.assert_allclose(jax.jit(average)(weights[1], x), found, atol=1e-6)


def test_an_average_inside_jit_has_the_network_once():
    x = jnp.asarray(RNG.normal(size=(2, 2, 6, 6)), jnp.float32)

    def traced(count):
        """The program where nothing is traced but the network's parameters."""
        rotations = random_rotations(KEY, count)

        @jax.jit
        def average(weight):
            def network(x):
                return jnp.sin(x * weight).mean((2, 3))

            return augmentation.average_over_rotations(network, x, rotations)

        return average.lower(jnp.ones(())).as_text()

    few, many = traced(4), traced(16)
    assert few.count("stablehlo.sine") == many.count("stablehlo.sine") == 1
    assert few.count("\n") == many.count("\n")


@pytest.mark.usefixtures("bad_input")
def test_what_is_refused():
    for arguments, named in [
        ({"n": -1}, "n"),
        ({"images_per_rotation": 0}, "images_per_rotation"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"interpolation": "linear"}, "interpolation"),
        ({"rotate": 1}, "rotate"),
        ({"threshold": jnp.ones(2)}, "threshold"),
    ]:
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            dataset(**arguments)
    with pytest.raises(ValueError, match=r"^images: expected at least one image"):
        augmentation.rotated_dataset(KEY, IMAGES[:0], LABELS[:0], POINTS, n=1)
    with pytest.raises(ValueError, match="index: expected shape"):
        augmentation.augment_batch(KEY, 0, IMAGES, LABELS, jnp.arange(4), POINTS)
    index = jnp.arange(len(IMAGES))
    with pytest.raises(ValueError, match="index: expected dtype integer"):
        augmentation.augment_batch(KEY, 0, IMAGES, LABELS, 0.1 * index, POINTS)
    for step in (0.5, -1, jnp.zeros(2, int)):
        with pytest.raises(ValueError, match="step: expected"):
            augmentation.augment_batch(KEY, step, IMAGES, LABELS, index, POINTS)

    good = {"apply_fn": lambda x: x, "x": jnp.ones((2, 3, 4, 4)), "rotations": jnp.eye(3)[None]}
    for arguments, named in [
        ({"task": "detection"}, "task"),
        ({"channels_last": 1}, "channels_last"),
        ({"x": jnp.ones((3, 4, 4))}, "x"),
        ({"channels_last": True, "task": "segmentation"}, "f"),
        ({"rotations": jnp.eye(3)}, "rotations"),
        ({"rotations": jnp.zeros((0, 3, 3))}, "rotations"),
        ({"rotations": jnp.ones((1, 3, 3))}, "rotations"),
        ({}, r"apply_fn\(x\)"),
    ]:
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            augmentation.average_over_rotations(**good | arguments)
