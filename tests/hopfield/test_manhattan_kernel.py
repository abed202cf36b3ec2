"""The Pallas kernel, interpreted, against its jnp reference; lowered for the machines it is for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxlab.hopfield import manhattan_kernel, similarity
from jaxlab.hopfield.scale import manhattan_scores, top_k_memories
from tests.helpers import to_device

SHAPES = [((3, 5), (7, 5)), ((130, 20), (129, 20)), ((2, 3, 9), (1, 9)), ((1,), (4, 1))]


def data(query_shape=(5, 12), bank_shape=(140, 12), dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return tuple(to_device(rng.normal(size=shape), dtype) for shape in (query_shape, bank_shape))


@pytest.mark.parametrize(("query_shape", "bank_shape"), SHAPES)
def test_equals_reference(query_shape, bank_shape):
    query, memories = data(query_shape, bank_shape)
    scores = manhattan_scores(query, memories)
    expected = -np.abs(np.asarray(query)[..., None, :] - np.asarray(memories)).sum(-1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    np.testing.assert_allclose(scores, similarity.manhattan(query, memories), rtol=1e-5)


def test_features_in_several_passes(monkeypatch):
    query, memories = data((3, 21), (4, 21))
    monkeypatch.setattr(manhattan_kernel, "FEATURES", 8)
    # a fresh function: the public one may have been compiled for these shapes before
    scores = jax.jit(lambda q, m: manhattan_kernel._scores(q, m))(query, memories)
    np.testing.assert_allclose(scores, similarity.manhattan(query, memories), rtol=1e-5)


def test_no_query():
    query, memories = data((0, 4), (6, 4))
    assert manhattan_scores(query, memories).shape == (0, 6)


def test_bfloat16_accumulates_in_float32():
    query, memories = data(dtype=jnp.bfloat16)
    scores = manhattan_scores(query, memories)
    assert scores.dtype == jnp.float32
    np.testing.assert_allclose(scores, similarity.manhattan(query, memories), rtol=1e-5)


def test_derivatives_equal_reference():
    query, memories = data()

    def loss(score, query, memories):
        return jnp.sum(jnp.sin(score(query, memories)))

    for ours, expected in zip(
        *(
            jax.jit(jax.grad(functools.partial(loss, score), (0, 1)))(query, memories)
            for score in (manhattan_scores, similarity.manhattan)
        ),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_vmap_equals_loop():
    query, memories = map(np.asarray, data())
    queries, banks = np.stack([query, -query]), np.stack([memories, 2 * memories])
    together = np.asarray(jax.jit(jax.vmap(manhattan_scores))(queries, banks))
    for index in range(2):
        alone = manhattan_scores(to_device(queries[index]), to_device(banks[index]))
        np.testing.assert_allclose(together[index], alone, rtol=1e-6)


def test_top_k_by_the_kernel():
    query, memories = data()
    options = {"k": 5, "similarity": similarity.manhattan, "block_size": 60}
    ours = top_k_memories(query, memories, implementation="pallas", **options)
    expected = top_k_memories(query, memories, **options)
    np.testing.assert_array_equal(ours.indices, expected.indices)
    np.testing.assert_allclose(ours.scores, expected.scores, rtol=1e-5)


def lowered(platform):
    # a serialised Triton kernel carries no promise of compatibility, which matters to no test
    triton = export.DisabledSafetyCheck.custom_call("__gpu$xla.gpu.triton")
    function = jax.jit(lambda q, m: manhattan_kernel._scores(q, m))
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((5, 12), (140, 12))]
    exported = export.export(function, platforms=(platform,), disabled_checks=[triton])(*shapes)
    return exported.mlir_module()


def test_lowers_for_tpu():
    assert "tpu_custom_call" in lowered("tpu")


def test_lowers_for_cuda():
    device = jax.sharding.AbstractDevice(
        device_kind="NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda"
    )
    mesh = jax.sharding.AbstractMesh((1,), ("x",), abstract_device=device)
    with jax.sharding.use_abstract_mesh(mesh):
        assert "xla.gpu.triton" in lowered("cuda")
