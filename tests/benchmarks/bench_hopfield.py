"""jaxlab.hopfield against dense jnp, torch and faiss; what is computed is checked as well as timed.

The targets are those the room sets itself. Timings of banks are on uniform random float32 patterns
of an image's size; nothing here depends on the values.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxlab.experiments.hopfield.capacity import Memory, capacity_curve
from jaxlab.hopfield import separation, similarity
from jaxlab.hopfield.scale import retrieve_blocked, top_k_memories
from tests.benchmarks.timing import time_jaxlab, time_peer

N, D, QUERIES, K, BETA = 50_000, 784, 64, 10, 0.3
WORKLOAD = f"n={N}, d={D}, {QUERIES} queries, float32"


class Bank(NamedTuple):
    query: np.ndarray
    memories: np.ndarray

    def for_jax(self):
        return jnp.asarray(self.query), jnp.asarray(self.memories)

    def for_torch(self):
        torch = pytest.importorskip("torch")
        return torch.from_numpy(self.query), torch.from_numpy(self.memories)


def random_bank(n):
    generator = np.random.default_rng(0)
    memories = generator.random((n, D), dtype=np.float32)
    noise = generator.normal(0, 0.3, (QUERIES, D)).astype(np.float32)
    return Bank(memories[:: n // QUERIES][:QUERIES] + noise, memories)


@pytest.fixture(scope="module")
def bank():
    return random_bank(N)


@pytest.fixture(scope="module")
def retrieved(bank):
    """Softmax retrieval in float64."""
    logits = BETA * bank.query.astype(np.float64) @ bank.memories.T.astype(np.float64)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)) @ bank.memories.astype(np.float64)


def blocked(query, memories):
    return retrieve_blocked(query, memories, similarity=similarity.dot_product, beta=BETA)


def dense(query, memories):
    return jax.nn.softmax(BETA * (query @ memories.T), axis=-1) @ memories


class TestSoftRetrieval:
    group = "hopfield/soft-retrieval"

    def check(self, output, retrieved):
        np.testing.assert_allclose(np.asarray(output), retrieved, atol=1e-3)

    def test_jaxlab(self, benchmark, bank, retrieved):
        options = {"group": self.group, "workload": WORKLOAD}
        self.check(time_jaxlab(benchmark, blocked, *bank.for_jax(), **options), retrieved)

    def test_dense_jnp(self, benchmark, bank, retrieved):
        options = {"group": self.group, "implementation": "dense jnp", "target": 1.25}
        options["package"] = "jax"
        self.check(time_jaxlab(benchmark, dense, *bank.for_jax(), **options), retrieved)

    def test_dot_product_attention(self, benchmark, bank, retrieved):
        def attention(query, memories):
            query, memories = query[:, None], memories[:, None]
            return jax.nn.dot_product_attention(query, memories, memories, scale=BETA)[:, 0]

        name = "jax.nn.dot_product_attention"
        options = {"group": self.group, "implementation": name, "package": "jax"}
        self.check(time_jaxlab(benchmark, attention, *bank.for_jax(), **options), retrieved)

    def test_torch(self, benchmark, bank, retrieved):
        torch = pytest.importorskip("torch")
        query, memories = bank.for_torch()

        def attention():
            return torch.softmax(BETA * (query @ memories.T), dim=-1) @ memories

        options = {"group": self.group, "implementation": "torch", "package": "torch"}
        self.check(time_peer(benchmark, attention, target=1.2, **options), retrieved)


class TestSoftRetrievalGradient:
    """Gradients in queries and memories of the sum of squares of the output."""

    group = "hopfield/soft-retrieval-gradient"

    def test_jaxlab(self, benchmark, bank):
        gradient = jax.grad(lambda *x: jnp.sum(blocked(*x) ** 2), (0, 1))
        ours = time_jaxlab(
            benchmark, gradient, *bank.for_jax(), group=self.group, workload=WORKLOAD, rounds=5
        )
        expected = jax.grad(lambda *x: jnp.sum(dense(*x) ** 2))(*bank.for_jax())
        np.testing.assert_allclose(ours[0], expected, atol=2e-2)

    def test_dense_jnp(self, benchmark, bank):
        gradient = jax.grad(lambda *x: jnp.sum(dense(*x) ** 2), (0, 1))
        options = {"implementation": "dense jnp", "package": "jax", "rounds": 5}
        time_jaxlab(benchmark, gradient, *bank.for_jax(), group=self.group, **options)

    def test_torch(self, benchmark, bank):
        torch = pytest.importorskip("torch")
        query, memories = (x.requires_grad_() for x in bank.for_torch())

        def gradient():
            output = torch.softmax(BETA * (query @ memories.T), dim=-1) @ memories
            return torch.autograd.grad(torch.sum(output**2), (query, memories))

        options = {"implementation": "torch", "package": "torch", "rounds": 5}
        time_peer(benchmark, gradient, group=self.group, **options)


class TestTwiceTheBank:
    """Twice the memories: about twice the time, and the same temporary memory."""

    group = "hopfield/soft-retrieval-twice-the-bank"

    def test_jaxlab(self, benchmark):
        workload = WORKLOAD.replace(str(N), str(2 * N))
        double = random_bank(2 * N).for_jax()
        time_jaxlab(benchmark, blocked, *double, group=self.group, workload=workload)

    def test_half(self, benchmark, bank):
        options = {"group": self.group, "target": 2.2}
        options["implementation"] = f"jaxlab, n={N}"
        time_jaxlab(benchmark, blocked, *bank.for_jax(), **options)


@pytest.fixture(scope="module")
def nearest_euclidean(bank):
    """By the expanded square in float64."""
    query, memories = (x.astype(np.float64) for x in bank)
    norms = np.sum(query**2, axis=1)[:, None] + np.sum(memories**2, axis=1)
    return np.argsort(norms - 2 * query @ memories.T, axis=1)[:, :K]


@pytest.fixture(scope="module")
def nearest_manhattan(bank):
    return np.argsort(cdist(bank.query, bank.memories, "cityblock"), axis=1)[:, :K]


def faiss_search(bank, metric):
    faiss = pytest.importorskip("faiss")
    index = faiss.IndexFlat(D, getattr(faiss, metric))
    index.add(bank.memories)
    return lambda: index.search(bank.query, K)[1]


class TestTopKEuclidean:
    group = "hopfield/top-k-euclidean"

    def test_jaxlab(self, benchmark, bank, nearest_euclidean):
        def search(query, memories):
            return top_k_memories(query, memories, k=K, similarity=similarity.squared_euclidean)

        workload = f"{WORKLOAD}, k={K}"
        options = {"group": self.group, "workload": workload}
        found = time_jaxlab(benchmark, search, *bank.for_jax(), **options)
        np.testing.assert_array_equal(found.indices, nearest_euclidean)

    def test_faiss(self, benchmark, bank, nearest_euclidean):
        options = {"group": self.group, "implementation": "faiss IndexFlat L2", "target": 1.0}
        search = faiss_search(bank, "METRIC_L2")
        found = time_peer(benchmark, search, package="faiss-cpu", **options)
        np.testing.assert_array_equal(found, nearest_euclidean)

    def test_torch(self, benchmark, bank, nearest_euclidean):
        torch = pytest.importorskip("torch")
        query, memories = bank.for_torch()

        def search():
            return torch.topk(torch.cdist(query, memories), K, largest=False).indices

        options = {"group": self.group, "implementation": "torch cdist + topk"}
        found = time_peer(benchmark, search, package="torch", **options)
        assert (
            found.numpy() == nearest_euclidean
        ).mean() > 0.99  # no second look at close distances


class TestTopKManhattan:
    group = "hopfield/top-k-manhattan"

    def test_jaxlab(self, benchmark, bank, nearest_manhattan):
        def search(query, memories):
            return top_k_memories(query, memories, k=K, similarity=similarity.manhattan)

        options = {"group": self.group, "workload": f"{WORKLOAD}, k={K}"}
        found = time_jaxlab(benchmark, search, *bank.for_jax(), **options)
        np.testing.assert_array_equal(found.indices, nearest_manhattan)

    def test_faiss(self, benchmark, bank, nearest_manhattan):
        options = {"group": self.group, "implementation": "faiss IndexFlat L1", "target": 1.5}
        search = faiss_search(bank, "METRIC_L1")
        found = time_peer(benchmark, search, package="faiss-cpu", **options)
        assert (found == nearest_manhattan).mean() > 0.99  # sums in float32

    def test_torch(self, benchmark, bank, nearest_manhattan):
        torch = pytest.importorskip("torch")
        query, memories = bank.for_torch()

        def search():
            return torch.topk(torch.cdist(query, memories, p=1), K, largest=False).indices

        options = {"group": self.group, "implementation": "torch cdist + topk", "rounds": 5}
        found = time_peer(benchmark, search, package="torch", **options)
        assert (found.numpy() == nearest_manhattan).mean() > 0.99


STORED, COUNTS, THRESHOLD = 1000, (10, 100, 1000), 50.0
FEW = 200  # patterns for the loops as published, whose time grows with their square
EPSILON = 1e-4  # of the Kullback-Leibler family


@pytest.fixture(scope="module")
def patterns():
    generator = np.random.default_rng(0)
    memories = generator.random((STORED, D), dtype=np.float32) ** 3
    noise = generator.normal(0, 0.25, memories.shape).astype(np.float32)
    return Bank(np.clip(np.abs(memories + noise), 0, 1), memories)


@pytest.fixture(scope="module")
def few_patterns(patterns):
    return Bank(patterns.query[:FEW], patterns.memories[:FEW])


def capacity_curves(similarities, counts):
    """Shares recalled ``[similarities, counts]`` of queries and memories, maximum separation."""

    def curves(queries, memories):
        arguments = queries, memories, memories, jnp.array(counts), jnp.array([THRESHOLD])
        functions = [Memory(score, separation.maximum(), True, True) for score in similarities]
        shares = [capacity_curve(*arguments, memory=memory).correct[:, 0] for memory in functions]
        return jnp.stack(shares)

    return curves


def loop_over_queries(torch, scores, queries, memories, count):
    """The share recalled, one query after the other."""
    stored, right = memories[:count], 0
    for index in range(count):
        score = scores(stored, queries[index])
        weights = torch.zeros(count)
        weights[torch.argmax(score / score.sum())] = 1.0
        output = stored.T @ (weights / weights.sum())
        right += int(torch.sum((output - memories[index]) ** 2) <= THRESHOLD)
    return right / count


def common_similarities(torch):
    """Similarities of one query with all stored patterns."""
    return (
        lambda stored, query: 1 / torch.sum(torch.abs(stored - query), dim=1),
        lambda stored, query: 1 / torch.sum((stored - query) ** 2, dim=1),
        lambda stored, query: (stored / stored.sum(1, keepdim=True)) @ (query / query.sum()),
    )


def vectorized_divergences(torch):
    def divergence(left, right):
        left, right = (x / x.sum(-1, keepdim=True) for x in (left, right))
        return torch.sum(left * torch.log((left + EPSILON) / (right + EPSILON)), dim=-1)

    def jensen_shannon(stored, query):
        stored, query = (x / x.sum(-1, keepdim=True) for x in (stored, query))
        middle = torch.log((stored + query) / 2 + 1e-12)
        sides = (torch.sum(x * (torch.log(x + 1e-12) - middle), -1) for x in (stored, query))
        return 2 / sum(sides)

    return (
        lambda stored, query: 1 / divergence(stored, query),
        lambda stored, query: 1 / divergence(query, stored),
        jensen_shannon,
    )


def published_divergences(torch):
    """One stored pattern after the other, as the code that accompanies the paper computes them."""

    def terms(left, right):
        left, right = left / left.sum(), right / right.sum()
        return left * (torch.log(left + EPSILON) - torch.log(right + EPSILON))

    def forward(stored, query):
        return 1 / torch.stack([terms(row, query) for row in stored]).sum(1)

    def reverse(stored, query):
        return 1 / torch.stack([terms(query, row) for row in stored]).sum(1)

    def jensen_shannon(stored, query):
        return 2 / (forward(stored, query) + reverse(stored, query))

    return forward, reverse, jensen_shannon


COMMON = (
    similarity.reciprocal(similarity.manhattan),
    similarity.reciprocal(similarity.squared_euclidean),
    similarity.normalized_dot_product,
    similarity.reciprocal(similarity.kl_divergence),
    similarity.reciprocal(similarity.reverse_kl_divergence),
)


class TestCapacityCurve:
    """All queries at once against one query after the other, each with all memories at once."""

    group = "hopfield/capacity-curve"
    curves = staticmethod(
        capacity_curves((*COMMON, similarity.reciprocal(similarity.jensen_shannon)), COUNTS)
    )

    def test_jaxlab(self, benchmark, patterns):
        workload = f"{STORED} patterns, d={D}, counts {COUNTS}, 6 similarities, one run"
        options = {"group": self.group, "workload": workload}
        time_jaxlab(benchmark, self.curves, *patterns.for_jax(), **options)

    def test_loop(self, benchmark, patterns):
        torch = pytest.importorskip("torch")
        queries, memories = patterns.for_torch()
        functions = (*common_similarities(torch), *vectorized_divergences(torch))

        def curves():
            return [
                [loop_over_queries(torch, scores, queries, memories, count) for count in COUNTS]
                for scores in functions
            ]

        options = {"group": self.group, "implementation": "loop over queries, torch"}
        shares = time_peer(benchmark, curves, package="torch", rounds=5, **options)
        expected = jax.jit(self.curves)(*patterns.for_jax())
        np.testing.assert_allclose(shares, expected, atol=0.005)  # near ties may fall differently


class TestPublishedCapacityCurve:
    """All at once against the loops of the code that accompanies the paper."""

    group = "hopfield/capacity-curve-published"
    curves = staticmethod(capacity_curves((*COMMON, similarity.published_jensen_shannon), (FEW,)))

    def test_jaxlab(self, benchmark, few_patterns):
        workload = f"{FEW} patterns, d={D}, 6 similarities, one run"
        options = {"group": self.group, "workload": workload}
        time_jaxlab(benchmark, self.curves, *few_patterns.for_jax(), **options)

    def test_loops(self, benchmark, few_patterns):
        torch = pytest.importorskip("torch")
        queries, memories = few_patterns.for_torch()
        functions = (*common_similarities(torch), *published_divergences(torch))

        def curves():
            return [
                [loop_over_queries(torch, scores, queries, memories, FEW)] for scores in functions
            ]

        name = "loops over queries and memories, torch"
        options = {"group": self.group, "implementation": name, "target": 0.02, "rounds": 5}
        shares = time_peer(benchmark, curves, package="torch", **options)
        expected = jax.jit(self.curves)(*few_patterns.for_jax())
        np.testing.assert_allclose(shares, expected, atol=0.011)
