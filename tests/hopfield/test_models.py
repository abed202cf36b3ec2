"""Continuous memories against their textbook forms; every model is found in one place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import energy, models
from jaxlab.hopfield.retrieval import recall
from jaxlab.hopfield.separation import softmax
from jaxlab.hopfield.similarity import dot_product
from tests.helpers import to_device


def bank(n=7, d=5, p=3, queries=4):
    rng = np.random.default_rng(6)
    dtype = jax.dtypes.canonicalize_dtype(float)
    shapes = ((queries, d), (n, d), (n, p))
    return tuple(to_device(rng.normal(size=shape), dtype) for shape in shapes)


@pytest.mark.parametrize("scale", [None, 0.0, 0.7])
def test_attention_is_jax_attention(scale):
    query, keys, values = bank(p=5)
    expected = jax.nn.dot_product_attention(
        query[None, :, None], keys[None, :, None], values[None, :, None], scale=scale
    )
    got = models.attention(query, keys, values, scale=scale)
    np.testing.assert_allclose(got.output, expected[0, :, 0], rtol=1e-5, atol=1e-6)


def test_masked_attention_is_jax_attention():
    query, keys, values = bank(p=5)
    mask = jnp.array([True, False, True, True, False, False, True])
    expected = jax.nn.dot_product_attention(
        query[None, :, None],
        keys[None, :, None],
        values[None, :, None],
        mask=jnp.broadcast_to(mask, (1, 1, 4, 7)),
    )
    got = models.attention(query, keys, values, mask=mask)
    np.testing.assert_allclose(got.output, expected[0, :, 0], rtol=1e-5, atol=1e-6)


def test_modern_hopfield_steps_equal_a_loop():
    query, memories, values = bank()
    state = np.asarray(query)
    for _ in range(2):
        scores = 2.0 * state @ np.asarray(memories).T
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        previous, state = state, weights @ np.asarray(memories)
    got = models.modern_hopfield(query, memories, beta=2.0, steps=2)
    np.testing.assert_allclose(got.output, state, rtol=1e-4, atol=1e-5)
    paired = models.modern_hopfield(query, memories, values, beta=2.0, steps=2)
    np.testing.assert_allclose(paired.output, weights @ np.asarray(values), rtol=1e-4, atol=1e-5)
    expected = previous @ np.asarray(memories).T
    np.testing.assert_allclose(paired.scores, expected, rtol=1e-4, atol=1e-5)
    iterated = recall(
        query, memories, similarity=dot_product, separation=softmax(2.0), max_steps=2, tol=0.0
    )
    np.testing.assert_allclose(iterated.output, state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("low", [0, 1])
def test_modern_hopfield_steps_take_mixed_dtypes(low):
    arrays = [x.astype(jnp.bfloat16) for x in bank()[:2]]
    expected = models.modern_hopfield(*(x.astype(jnp.float32) for x in arrays), beta=2.0, steps=3)
    mixed = [x if place == low else x.astype(jnp.float32) for place, x in enumerate(arrays)]
    got = models.modern_hopfield(*mixed, beta=2.0, steps=3)
    assert got.output.dtype == jnp.float32
    np.testing.assert_allclose(got.output, expected.output, rtol=1e-5, atol=1e-6)


def test_modern_hopfield_descends_its_energy(x64):
    query, memories, _ = bank()
    energies, state = [energy.modern_hopfield_energy(query, memories, beta=4.0)], query
    for _ in range(7):  # that steps are a loop is tested above
        state = models.modern_hopfield(state, memories, beta=4.0).output
        energies.append(energy.modern_hopfield_energy(state, memories, beta=4.0))
    assert np.all(np.diff(np.stack(energies), axis=0) <= 1e-12)


def test_predictive_coding_memory_equals_the_official_rule():
    query, memories, _ = map(np.asarray, bank())
    arrays = to_device(query), to_device(memories)
    got = jax.tree.map(np.asarray, models.predictive_coding_memory(*arrays, beta=0.8))
    for b in range(4):
        logits = np.array([-0.8 * np.sum((query[b] - m) ** 2) for m in memories])
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        np.testing.assert_allclose(got.weights[b], weights, rtol=1e-4)
        np.testing.assert_allclose(got.output[b], weights @ memories, rtol=1e-4, atol=1e-5)


def test_predictive_coding_and_attention_agree_on_equal_norms():
    query, memories, _ = bank()
    memories = np.asarray(memories)
    unit = to_device(memories / np.linalg.norm(memories, axis=-1, keepdims=True))
    pc = models.predictive_coding_memory(query, unit, beta=1.5)
    hopfield = models.modern_hopfield(query, unit, beta=3.0)
    np.testing.assert_allclose(pc.output, hopfield.output, rtol=1e-4, atol=1e-5)


MODELS = {
    "modern": lambda q, m, p: models.modern_hopfield(q, m, p, beta=2.0, steps=3),
    "predictive_coding": lambda q, m, p: models.predictive_coding_memory(q, m, p, beta=2.0),
    "attention": models.attention,
}


@pytest.mark.parametrize("name", MODELS)
def test_transformations_agree(name, x64):
    arrays = bank()
    model = MODELS[name]
    together = model(*arrays).output
    assert together.dtype == jnp.float64
    mapped = jax.jit(jax.vmap(model, (0, None, None)))(*arrays).output
    np.testing.assert_allclose(mapped, together, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(model)(*arrays).output, together, rtol=1e-10)
    with jax.disable_jit():
        np.testing.assert_allclose(model(*arrays).output, together, rtol=1e-10)
    query, memories, values = arrays
    total = jax.jit(lambda m: model(query, m, values).output.sum())
    slope = np.asarray(jax.jit(jax.grad(total))(memories))
    memories, bump = np.asarray(memories), np.zeros(memories.shape)
    bump[2, 1] = 1e-6
    difference = (total(memories + bump) - total(memories - bump)) / 2e-6
    assert float(slope[2, 1]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)


def test_beta_may_be_traced():
    query, memories, _ = bank()
    betas = np.float32([0.0, 1.0, 1e6])
    curve = jax.vmap(lambda b: models.modern_hopfield(query, memories, beta=b, steps=2).output)
    outputs = np.asarray(jax.jit(curve)(betas))
    assert np.isfinite(outputs).all()
    mean = np.asarray(memories).mean(0)
    np.testing.assert_allclose(outputs[0], np.broadcast_to(mean, (4, 5)), atol=1e-6)
    single = models.modern_hopfield(query, memories, beta=1.0, steps=2).output
    np.testing.assert_allclose(outputs[1], single, rtol=1e-5, atol=1e-6)


def test_one_memory_and_empty_batches():
    query, memories, values = bank()
    for model in MODELS.values():
        alone = jax.jit(model)(query, memories[:1], values[:1]).output
        np.testing.assert_allclose(alone, np.broadcast_to(values[:1], (4, 3)), rtol=1e-6)
        assert jax.eval_shape(model, query[:0], memories, values).output.shape == (0, 3)


def test_every_public_name_is_there():
    for name in models.__all__:
        assert hasattr(models, name)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    query, memories, values = bank()
    for model in MODELS.values():
        with pytest.raises(ValueError, match=r"query: expected shape \[..., 5\]"):
            model(query[:, :4], memories, values)
        with pytest.raises(ValueError, match=r"projection: expected shape \[7, p\]"):
            model(query, memories, values[:6])
        with pytest.raises(ValueError, match="query: expected dtype floating"):
            model(query.astype(int), memories, values)
    for call in (models.modern_hopfield, models.predictive_coding_memory):
        with pytest.raises(ValueError, match="beta: expected a finite number >= 0"):
            call(query, memories, beta=-1.0)
    with pytest.raises(ValueError, match="steps: expected an integer >= 1"):
        models.modern_hopfield(query, memories, beta=1.0, steps=0)
