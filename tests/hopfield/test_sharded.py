"""Memories sharded over eight devices against the whole bank on one, by shard_map and by pmap."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as Spec

from jaxlab.hopfield import similarity
from jaxlab.hopfield.scale import logsumexp_blocked, retrieve_blocked, top_k_memories
from tests.helpers import to_device

DEVICES, ROWS, D, P = 8, 6, 4, 3
N = 43  # an uneven bank: five of the 48 rows are padding
BLOCKED = {"similarity": similarity.squared_euclidean, "block_size": 4}
BANK = Spec("bank")


@pytest.fixture
def mesh(devices):
    return jax.make_mesh((DEVICES,), ("bank",), (AxisType.Auto,), devices=devices)


@pytest.fixture
def mesh_2d(devices):
    return jax.make_mesh((2, 4), ("data", "bank"), (AxisType.Auto,) * 2, devices=devices)


def data():
    rng = np.random.default_rng(0)
    shapes = ((6, D), (N, D), (N, P))
    return tuple(to_device(rng.normal(size=shape), np.float32) for shape in shapes)


@jax.jit
def padded(array):
    return jnp.pad(array, ((0, DEVICES * ROWS - N), (0, 0)), constant_values=7.0)


MASK = np.arange(DEVICES * ROWS) < N


def whole_loss(query, memories, projection, beta):
    return jnp.sum(jnp.sin(retrieve_blocked(query, memories, projection, beta=beta, **BLOCKED)))


whole_slopes = jax.jit(jax.grad(whole_loss, (0, 1, 2, 3)))


def local_retrieval(query, memories, projection, mask, beta):
    options = {"beta": beta, "mask": mask, "axis_name": "bank"}
    output = retrieve_blocked(query, memories, projection, **options, **BLOCKED)
    return output, logsumexp_blocked(query, memories, **options, **BLOCKED)


@pytest.mark.parametrize("check_vma", [True, False])
def test_shard_map_equals_whole(mesh, check_vma):
    query, memories, projection = data()
    sharded = jax.jit(
        jax.shard_map(
            local_retrieval,
            mesh=mesh,
            in_specs=(Spec(), BANK, BANK, BANK, Spec()),
            out_specs=(Spec(), Spec()),
            check_vma=check_vma,
        )
    )
    output, logsumexp = sharded(query, padded(memories), padded(projection), MASK, 0.7)
    expected = retrieve_blocked(query, memories, projection, beta=0.7, **BLOCKED)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    expected = logsumexp_blocked(query, memories, beta=0.7, **BLOCKED)
    np.testing.assert_allclose(logsumexp, expected, atol=1e-5)


def check_gradients(got):
    got, expected = jax.tree.map(np.asarray, (got, whole_slopes(*data(), np.float32(0.7))))
    np.testing.assert_allclose(got[0], expected[0], atol=1e-5)
    for index in (1, 2):
        np.testing.assert_allclose(got[index][:N], expected[index], atol=1e-5)
        assert not got[index][N:].any(), "padding has a gradient"
    np.testing.assert_allclose(got[3], expected[3], atol=1e-5)


def test_gradients_inside_shard_map(mesh):
    query, memories, projection = data()

    def gradients(query, memories, projection, mask, beta):
        def loss(query, memories, projection, beta):
            output, _ = local_retrieval(query, memories, projection, mask, beta)
            return jnp.sum(jnp.sin(output))

        return jax.grad(loss, (0, 1, 2, 3))(query, memories, projection, beta)

    sharded = jax.jit(
        jax.shard_map(
            gradients,
            mesh=mesh,
            in_specs=(Spec(), BANK, BANK, BANK, Spec()),
            out_specs=(Spec(), BANK, BANK, Spec()),
        )
    )
    got = sharded(query, padded(memories), padded(projection), MASK, jnp.float32(0.7))
    check_gradients(got)


def test_gradients_outside_shard_map_with_queries_sharded_too(mesh_2d):
    query, memories, projection = data()
    sharded = jax.shard_map(
        lambda *arguments: local_retrieval(*arguments)[0],
        mesh=mesh_2d,
        in_specs=(Spec("data"), BANK, BANK, BANK, Spec()),
        out_specs=Spec("data"),
    )

    def loss(query, memories, projection, beta):
        output = sharded(query, padded(memories), padded(projection), MASK, beta)
        return jnp.sum(jnp.sin(output))

    got = jax.jit(jax.grad(loss, (0, 1, 2, 3)))(query, memories, projection, jnp.float32(0.7))
    expected = whole_slopes(query, memories, projection, np.float32(0.7))
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_gradients_inside_shard_map_with_queries_sharded_too(mesh_2d):
    query, memories, projection = data()

    def gradients(query, memories, projection, mask, beta):
        def loss(query, memories, projection, beta):
            output, _ = local_retrieval(query, memories, projection, mask, beta)
            return jax.lax.psum(jnp.sum(jnp.sin(output)), "data")

        return jax.grad(loss, (0, 1, 2, 3))(query, memories, projection, beta)

    sharded = jax.jit(
        jax.shard_map(
            gradients,
            mesh=mesh_2d,
            in_specs=(Spec("data"), BANK, BANK, BANK, Spec()),
            out_specs=(Spec("data"), BANK, BANK, Spec()),
        )
    )
    got = sharded(query, padded(memories), padded(projection), MASK, jnp.float32(0.7))
    check_gradients(got)


def test_gradient_of_a_replicated_metric(mesh):
    query, memories, projection = data()
    factor = to_device(np.random.default_rng(5).normal(size=(D, 2)), np.float32)

    def retrieval(factor, query, memories, projection, **options):
        metric = similarity.mahalanobis(factor)
        options |= {"similarity": metric, "beta": 0.5, "block_size": 4}
        return jnp.sum(retrieve_blocked(query, memories, projection, **options) ** 2)

    def local(factor, query, memories, projection, mask):
        options = {"mask": mask, "axis_name": "bank"}
        return jax.grad(retrieval)(factor, query, memories, projection, **options)

    sharded = jax.jit(
        jax.shard_map(
            local, mesh=mesh, in_specs=(Spec(), Spec(), BANK, BANK, BANK), out_specs=Spec()
        )
    )
    got = sharded(factor, query, padded(memories), padded(projection), MASK)
    expected = jax.jit(jax.grad(retrieval))(factor, query, memories, projection)
    np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-4)


def over_devices(array):
    array = np.asarray(array)
    return array.reshape(DEVICES, ROWS, *array.shape[1:])


def test_pmap_equals_whole(devices):
    query, memories, projection = data()
    mapped = jax.pmap(
        local_retrieval, axis_name="bank", in_axes=(None, 0, 0, 0, None), devices=devices
    )
    shards = [over_devices(x) for x in (padded(memories), padded(projection), MASK)]
    output, logsumexp = map(np.asarray, mapped(query, *shards, np.float32(0.7)))
    expected = retrieve_blocked(query, memories, projection, beta=0.7, **BLOCKED)
    assert (output == output[0]).all(), "devices differ"
    np.testing.assert_allclose(output[0], expected, atol=1e-5)
    expected = logsumexp_blocked(query, memories, beta=0.7, **BLOCKED)
    np.testing.assert_allclose(logsumexp[-1], expected, atol=1e-5)


def test_gradients_inside_pmap(devices):
    query, memories, projection = data()

    def gradients(query, memories, projection, mask, beta):
        def loss(query, memories, projection, beta):
            output, _ = local_retrieval(query, memories, projection, mask, beta)
            return jnp.sum(jnp.sin(output)) / DEVICES  # sums transpose to sums: see the docstring

        d_query, d_memories, d_projection, d_beta = jax.grad(loss, (0, 1, 2, 3))(
            query, memories, projection, beta
        )
        total = functools.partial(jax.lax.psum, axis_name="bank")
        return total(d_query), d_memories, d_projection, total(d_beta)

    mapped = jax.pmap(gradients, axis_name="bank", in_axes=(None, 0, 0, 0, None), devices=devices)
    shards = [over_devices(x) for x in (padded(memories), padded(projection), MASK)]
    got = jax.tree.map(np.asarray, mapped(query, *shards, np.float32(0.7)))
    joined = [x.reshape(DEVICES * ROWS, -1) for x in got[1:3]]
    check_gradients((got[0][0], *joined, got[3][0]))


@pytest.mark.parametrize("absent", [slice(0, ROWS), slice(None)], ids=["one device", "all"])
def test_devices_without_memories(mesh, absent):
    query, memories, projection = data()
    mask = MASK.copy()
    mask[absent] = False

    def loss(query, memories, projection, mask):
        output, logsumexp = local_retrieval(query, memories, projection, mask, 0.7)
        return jnp.sum(output**2), (output, logsumexp)

    sharded = jax.jit(
        jax.shard_map(
            jax.grad(loss, (0, 1), has_aux=True),
            mesh=mesh,
            in_specs=(Spec(), BANK, BANK, BANK),
            out_specs=((Spec(), BANK), (Spec(), Spec())),
        )
    )
    gradients, (output, logsumexp) = sharded(query, padded(memories), padded(projection), mask)
    options = {"beta": 0.7, "mask": to_device(mask), **BLOCKED}
    expected = retrieve_blocked(query, padded(memories), padded(projection), **options)
    np.testing.assert_allclose(output, expected, atol=1e-5)
    expected = logsumexp_blocked(query, padded(memories), **options)
    np.testing.assert_allclose(logsumexp, expected, atol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


TOP_K = {"similarity": similarity.squared_euclidean, "block_size": 4}


def whole_numbers():
    """Few distinct patterns, so that many scores are equal across devices."""
    generator = np.random.default_rng(0)
    query = generator.integers(-1, 2, (5, D)).astype(np.float32)
    memories = generator.integers(-1, 2, (N, D)).astype(np.float32)
    return query, memories


@pytest.mark.parametrize("k", [1, 5, 20, 48])
def test_top_k_under_shard_map_equals_whole(mesh, k):
    query, memories = whole_numbers()
    call = functools.partial(top_k_memories, k=k, **TOP_K)
    sharded = jax.jit(
        jax.shard_map(
            lambda q, m, mask: call(q, m, mask=mask, axis_name="bank"),
            mesh=mesh,
            in_specs=(Spec(), BANK, BANK),
            out_specs=Spec(),
        )
    )
    found = sharded(query, padded(memories), MASK)
    expected = call(query, padded(memories), mask=MASK)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (np.asarray(found.indices) >= 0).sum() == query.shape[0] * min(k, N)


def test_top_k_with_queries_sharded_too(mesh_2d):
    query, memories = whole_numbers()
    query = np.concatenate([query, query[:1]])
    call = functools.partial(top_k_memories, k=3, **TOP_K)
    sharded = jax.shard_map(
        lambda q, m, mask: call(q, m, mask=mask, axis_name="bank"),
        mesh=mesh_2d,
        in_specs=(Spec("data"), BANK, BANK),
        out_specs=Spec("data"),
    )
    found = jax.jit(sharded)(query, padded(memories), MASK)
    np.testing.assert_array_equal(found.indices, call(query, memories).indices)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_top_k_under_pmap_is_the_same_for_every_number_of_devices(devices, count):
    query, memories = whole_numbers()
    call = functools.partial(top_k_memories, k=7, **TOP_K)
    mapped = jax.pmap(
        lambda q, m, mask: call(q, m, mask=mask, axis_name="bank"),
        axis_name="bank",
        in_axes=(None, 0, 0),
        devices=devices[:count],
    )
    shards = np.asarray(padded(memories)).reshape(count, -1, D), MASK.reshape(count, -1)
    found = jax.tree.map(np.asarray, mapped(query, *shards))
    expected = call(query, memories)
    for device in range(count):
        np.testing.assert_array_equal(found.indices[device], expected.indices)
        np.testing.assert_array_equal(found.scores[device], expected.scores)


def test_more_than_all_devices_hold_is_refused(bad_input):
    query, memories = whole_numbers()
    call = functools.partial(top_k_memories, k=49, axis_name="bank", **TOP_K)
    mapped = jax.vmap(call, axis_name="bank", in_axes=(None, 0))
    with pytest.raises(ValueError, match=r"^k: expected at most the number of memories, 48"):
        mapped(query, over_devices(padded(memories)))
