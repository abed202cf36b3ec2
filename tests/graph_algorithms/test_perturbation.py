"""Perturbed road networks: noise of the stated size, and no negative cycle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.perturbation import hiding_potentials, perturbed_potential_graph
from jaxlab.graphs import digraph_from_arcs, pad_graph

RNG = np.random.default_rng(0)
ARCS = RNG.integers(0, 300, (4000, 2))
ARCS = ARCS[ARCS[:, 0] != ARCS[:, 1]]
BASE = digraph_from_arcs(
    ARCS, 300, weights=RNG.integers(1000, 5000, len(ARCS)).astype(np.int32), edge_capacity=4100
)


def test_the_share_of_negative_lengths_is_what_is_asked_for():
    for share in (0.0, 0.1, 0.3):
        hidden = hiding_potentials(jax.random.key(1), BASE, negative=share)
        day = perturbed_potential_graph(jax.random.key(0), BASE, 0.0, potentials=hidden)
        negative = np.asarray(day.weights)[np.asarray(BASE.mask)] < 0
        np.testing.assert_allclose(negative.mean(), share, atol=0.01)
        shift = hidden[BASE.senders] - hidden[BASE.receivers]
        np.testing.assert_array_equal(
            np.where(BASE.mask, day.weights - shift, 0), np.where(BASE.mask, BASE.weights, 0)
        )


def test_half_of_the_lengths_may_be_negative():
    for seed in range(6):
        hidden = hiding_potentials(jax.random.key(seed), BASE, negative=0.5)
        day = perturbed_potential_graph(jax.random.key(0), BASE, 0.0, potentials=hidden)
        lengths = np.asarray(day.weights)[np.asarray(BASE.mask)]
        np.testing.assert_allclose((lengths < 0).mean(), 0.5, atol=0.01)


def test_noise_is_lognormal_and_lengths_stay_positive():
    day = perturbed_potential_graph(jax.random.key(2), BASE, 0.2)
    mask = np.asarray(BASE.mask)
    noise = np.log(np.asarray(day.weights)[mask] / np.asarray(BASE.weights)[mask])
    np.testing.assert_allclose([noise.mean(), noise.std()], [0, 0.2], atol=0.01)
    assert day.weights.dtype == BASE.weights.dtype
    short = perturbed_potential_graph(
        jax.random.key(2), BASE.replace(weights=jnp.ones_like(BASE.weights)), 3.0
    )
    assert np.asarray(short.weights)[mask].min() == 1
    assert (np.asarray(short.weights)[~mask] == 0).all()
    again = jax.jit(perturbed_potential_graph)(jax.random.key(2), BASE, 0.2)
    np.testing.assert_array_equal(again.weights, day.weights)


def test_padding_vertices_have_no_potential():
    padded = pad_graph(BASE, node_capacity=310, edge_capacity=4100)
    hidden = hiding_potentials(jax.random.key(1), padded)
    assert (np.asarray(hidden)[300:] == 0).all()
    assert (np.asarray(hidden)[:300] != 0).any()


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match=r"base_graph.weights: expected one length an arc"):
        perturbed_potential_graph(jax.random.key(0), BASE.replace(weights=None), 0.1)
    with pytest.raises(ValueError, match=r"base_graph.weights: expected one length an arc"):
        hiding_potentials(jax.random.key(0), BASE.replace(weights=None))
    with pytest.raises(ValueError, match=r"sigma: expected a finite number >= 0"):
        perturbed_potential_graph(jax.random.key(0), BASE, -0.1)
    with pytest.raises(ValueError, match=r"negative: expected a finite number >= 0 and <= 0.5"):
        hiding_potentials(jax.random.key(0), BASE, negative=0.7)
    with pytest.raises(ValueError, match=r"potentials: expected shape \[300\]"):
        perturbed_potential_graph(jax.random.key(0), BASE, 0.1, potentials=jnp.zeros(3, jnp.int32))
