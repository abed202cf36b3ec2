"""Continuous memories against their textbook forms; every model is found in one place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import energy, models
from jaxlab.hopfield.retrieval import recall
from jaxlab.hopfield.separation import softmax
from jaxlab.hopfield.similarity import dot_product

KEY = jax.random.key(6)


def bank(n=7, d=5, p=3, queries=4):
    keys = jax.random.split(KEY, 3)
    return (
        jax.random.normal(keys[0], (queries, d)),
        jax.random.normal(keys[1], (n, d)),
        jax.random.normal(keys[2], (n, p)),
    )


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
    np.testing.assert_allclose(paired.output, weights @ values, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(paired.scores, previous @ memories.T, rtol=1e-4, atol=1e-5)
    iterated = recall(
        query, memories, similarity=dot_product, separation=softmax(2.0), max_steps=2, tol=0.0
    )
    np.testing.assert_allclose(iterated.output, state, rtol=1e-4, atol=1e-5)


def test_modern_hopfield_descends_its_energy(x64):
    query, memories, _ = bank()
    energies = [energy.modern_hopfield_energy(query, memories, beta=4.0)]
    for steps in range(1, 8):
        state = models.modern_hopfield(query, memories, beta=4.0, steps=steps).output
        energies.append(energy.modern_hopfield_energy(state, memories, beta=4.0))
    assert np.all(np.diff(np.stack(energies), axis=0) <= 1e-12)


def test_predictive_coding_memory_equals_the_official_rule():
    query, memories, _ = bank()
    got = models.predictive_coding_memory(query, memories, beta=0.8)
    for b in range(4):
        logits = np.array([-0.8 * np.sum((np.asarray(query[b]) - m) ** 2) for m in memories])
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        np.testing.assert_allclose(got.weights[b], weights, rtol=1e-4)
        np.testing.assert_allclose(got.output[b], weights @ memories, rtol=1e-4, atol=1e-5)


def test_predictive_coding_and_attention_agree_on_equal_norms():
    query, memories, _ = bank()
    unit = memories / jnp.linalg.norm(memories, axis=-1, keepdims=True)
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
    mapped = jax.vmap(model, (0, None, None))(*arrays).output
    np.testing.assert_allclose(mapped, together, rtol=1e-10)
    np.testing.assert_allclose(jax.jit(model)(*arrays).output, together, rtol=1e-10)
    with jax.disable_jit():
        np.testing.assert_allclose(model(*arrays).output, together, rtol=1e-10)
    query, memories, values = arrays
    slope = jax.grad(lambda m: model(query, m, values).output.sum())(memories)
    bump = jnp.zeros_like(memories).at[2, 1].set(1e-6)
    difference = (
        model(query, memories + bump, values).output.sum()
        - model(query, memories - bump, values).output.sum()
    ) / 2e-6
    assert float(slope[2, 1]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)


def test_beta_may_be_traced():
    query, memories, _ = bank()
    betas = jnp.array([0.0, 1.0, 1e6])
    curve = jax.vmap(lambda b: models.modern_hopfield(query, memories, beta=b, steps=2).output)
    outputs = curve(betas)
    assert np.isfinite(outputs).all()
    np.testing.assert_allclose(outputs[0], jnp.broadcast_to(memories.mean(0), (4, 5)), atol=1e-6)
    single = models.modern_hopfield(query, memories, beta=1.0, steps=2).output
    np.testing.assert_allclose(outputs[1], single, rtol=1e-5, atol=1e-6)


def test_one_memory_and_empty_batches():
    query, memories, values = bank()
    for model in MODELS.values():
        alone = model(query, memories[:1], values[:1]).output
        np.testing.assert_allclose(alone, jnp.broadcast_to(values[:1], (4, 3)), rtol=1e-6)
        assert model(query[:0], memories, values).output.shape == (0, 3)


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
