"""jaxlab on a GPU or TPU against itself on the same machine's CPU, and peers; skipped without one.

The other files compare jaxlab with libraries for CPUs. What matters on an accelerator is that the
same functions give the same answers there, faster: each case is compiled for both, and compared.
Peers on the accelerator itself are PyTorch, and other ways of jaxlab's. On a machine with a GPU:

    JAX_PLATFORMS=cuda,cpu python -m tests.benchmarks -k accelerator \\
        --save tests/benchmarks/accelerator.md
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import linear_sum_assignment as scipy_assignment

from jaxlab import kcenter, leverage, ntk
from jaxlab.experiments.kcenter.problems import blobs
from jaxlab.experiments.leverage.scaling import decaying
from jaxlab.graph_algorithms import geometric_instances, linear_sum_assignment_batch
from jaxlab.hopfield import retrieve_blocked, similarity, top_k_memories
from jaxlab.hopfield.manhattan_kernel import manhattan_scores
from jaxlab.spherical.metrics import pixel_cross_entropy
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.training import create_train_state, make_train_step
from tests.benchmarks.timing import time_jaxlab, time_peer
from tests.ntk.cases import fully_connected

pytestmark = pytest.mark.skipif(
    jax.default_backend() == "cpu", reason="jax finds no GPU and no TPU"
)

POINTS, CENTERS = 1_000_000, 32
ASSIGNMENTS, ROWS = 64, 500
MEMORIES, FEATURES, QUERIES = 50_000, 784, 64
IMAGES = 32


def order(points):
    return kcenter.gonzalez(points, CENTERS).indices


def order_by_kernel(points):
    return kcenter.gonzalez(points, CENTERS, use_pallas=True).indices


def scores(a):
    return leverage.leverage_scores(leverage.svd(a, method="gram"), 20)


def retrieve(query, memories):
    return retrieve_blocked(query, memories, similarity=similarity.dot_product, beta=0.3)


def nearest(query, memories):
    return top_k_memories(query, memories, k=10, similarity=similarity.manhattan).scores


def nearest_by_kernel(query, memories):
    return jax.lax.top_k(manhattan_scores(query, memories), 10)[0]


def assign(costs):
    return linear_sum_assignment_batch(costs).cost


def kernel(method):
    return ntk.ntk_fn(fully_connected(2048).apply_fn, vmap_axes=0, implementation=method)


@functools.cache
def cloud(n=POINTS):
    """Points in four dimensions, and four groups."""
    return blobs(jax.random.key(0), n)


@functools.cache
def bank():
    generator = np.random.default_rng(0)
    memories = generator.random((MEMORIES, FEATURES), np.float32)
    noise = generator.normal(0, 0.3, (QUERIES, FEATURES)).astype(np.float32)
    return memories[:: MEMORIES // QUERIES][:QUERIES] + noise, memories


@functools.cache
def costs():
    """Rounded distances of points of as many clusters."""
    generator = np.random.default_rng(0)
    centers = generator.normal(0, 80, (2 * ROWS, 1, 3))
    points = (centers + generator.normal(0, 4, (2 * ROWS, 20, 3))).reshape(-1, 3)
    labels = np.repeat(np.arange(2 * ROWS), 20)
    draw = jax.vmap(geometric_instances, (0, None, None, None, None))
    left, right = jnp.arange(ROWS), jnp.arange(ROWS, 2 * ROWS)
    keys = jax.random.split(jax.random.key(0), ASSIGNMENTS)
    return (draw(keys, jnp.asarray(points, jnp.float32), jnp.asarray(labels), left, right),)


def images():
    net = fully_connected(2048)
    return net.x1, net.x2, net.params


#: function, arguments, their description, and relative error allowed to the CPU's result
CASES = {
    "kcenter/farthest-first order": (
        order,
        lambda: (cloud()[0],),
        "n=10⁶, d=4, k=32, float32",
        0,
    ),
    "leverage/scores": (
        scores,
        lambda: (decaying(100_000, 784, 0),),
        "100,000 x 784, float32",
        1e-3,
    ),
    "hopfield/soft-retrieval": (retrieve, bank, "n=50000, d=784, 64 queries, float32", 1e-3),
    "hopfield/top-k-manhattan": (nearest, bank, "n=50000, d=784, 64 queries, k=10", 1e-5),
    "graph_algorithms/assignment batch": (assign, costs, "64 problems of 500², int32", 0),
    "ntk/structured derivatives": (
        kernel("structured"),
        images,
        "784-2048-2048-2048-10, O=10, N=8+8",
        1e-4,
    ),
}
# without the room's, by which other tables choose their cases
NAMES = [case.partition("/")[2] for case in CASES]


def tell(case):
    function, make, workload, _ = CASES[case]
    return function, make(), {"group": f"{case} on an accelerator", "workload": workload}


def agrees(case, found, expected):
    """Both to the case's tolerance, of the largest value."""
    atol = CASES[case][3] * float(np.abs(np.asarray(expected)).max())
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=atol)


@functools.cache
def on_accelerator(case):
    function, arguments, _ = tell(case)
    return jax.block_until_ready(jax.jit(function)(*arguments))


def with_cuda():
    """PyTorch, where it finds a GPU too."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    return torch


class TestItself:
    @pytest.mark.parametrize("case", CASES, ids=NAMES)
    def test_jaxlab(self, benchmark, case):
        function, arguments, about = tell(case)
        time_jaxlab(benchmark, function, *jax.device_put(arguments), **about)

    @pytest.mark.parametrize("case", CASES, ids=NAMES)
    def test_on_cpu(self, benchmark, case):
        function, arguments, about = tell(case)
        given = jax.device_put(arguments, jax.devices("cpu")[0])
        if case == "kcenter/farthest-first order":
            about["target"] = 1 / 20
        name = "itself on the machine's CPU"
        found = time_jaxlab(benchmark, function, *given, implementation=name, rounds=5, **about)
        agrees(case, on_accelerator(case), found)


class TestPeers:
    def test_order_by_the_kernel(self, benchmark):
        case = "kcenter/farthest-first order"
        _, arguments, about = tell(case)
        name = "itself by the Pallas kernel"
        found = time_jaxlab(benchmark, order_by_kernel, *arguments, implementation=name, **about)
        agrees(case, found, on_accelerator(case))

    def test_manhattan_by_the_kernel(self, benchmark):
        case = "hopfield/top-k-manhattan"
        _, arguments, about = tell(case)
        given = jax.device_put(arguments)
        name = "itself by the Pallas kernel"
        found = time_jaxlab(benchmark, nearest_by_kernel, *given, implementation=name, **about)
        agrees(case, found, on_accelerator(case))

    def test_manhattan_by_torch(self, benchmark):
        torch = with_cuda()
        case = "hopfield/top-k-manhattan"
        _, arguments, about = tell(case)
        query, memories = (torch.from_numpy(x).cuda() for x in arguments)

        def search():
            found = torch.topk(torch.cdist(query, memories, p=1), 10, largest=False).values
            torch.cuda.synchronize()
            return found

        name = "torch cdist + topk"
        found = time_peer(benchmark, search, implementation=name, package="torch", **about)
        agrees(case, -found.cpu().numpy(), on_accelerator(case))

    def test_retrieval_by_torch(self, benchmark):
        torch = with_cuda()
        case = "hopfield/soft-retrieval"
        _, arguments, about = tell(case)
        query, memories = (torch.from_numpy(x).cuda() for x in arguments)

        def attention():
            output = torch.softmax(0.3 * (query @ memories.T), dim=-1) @ memories
            torch.cuda.synchronize()
            return output

        found = time_peer(benchmark, attention, implementation="torch", package="torch", **about)
        agrees(case, found.cpu().numpy(), on_accelerator(case))

    def test_assignments_by_scipy(self, benchmark):
        case = "graph_algorithms/assignment batch"
        _, (matrices,), about = tell(case)
        matrices = np.asarray(matrices)
        name = {"implementation": "scipy, one by one on the CPU", "package": "scipy"}
        found = time_peer(
            benchmark,
            lambda: [matrix[scipy_assignment(matrix)].sum() for matrix in matrices],
            **name,
            **about,
        )
        agrees(case, found, on_accelerator(case))

    @pytest.mark.parametrize("method", ["vector_products", "jacobian"])
    def test_kernels_by_other_methods(self, benchmark, method):
        case = "ntk/structured derivatives"
        _, arguments, about = tell(case)
        found = time_jaxlab(
            benchmark,
            kernel(method),
            *jax.device_put(arguments),
            implementation=f"its {method.replace('_', ' ')}",
            **about,
        )
        agrees(case, found, on_accelerator(case))


def test_ten_million_points(benchmark):
    """The whole method; a minute on 80 GB is what the room aims at."""
    points, groups = cloud(10_000_000)
    n, quota = len(points), (8, 8, 8, 8)
    found = time_jaxlab(
        benchmark,
        lambda points, groups: kcenter.fair_private_kcenter(
            points, groups, k=32, min_size=n // 64, lower=quota, upper=quota
        ),
        points,
        groups,
        group="kcenter/whole method on an accelerator",
        workload="n=10⁷, d=4, k=32, L=n/64, float32",
        rounds=5,
    )
    assert found.feasible


def test_training_step(benchmark):
    """Forward, backward with recomputed activations, Adam; 250 ms are what the room aims at."""
    cfg = dataclasses.replace(S2CNN_PRESETS["s2cnn_204k"], remat=True)
    tables, optimizer, size = make_s2cnn_tables(cfg), optax.adam(1e-3), 2 * cfg.bandwidth
    generator = np.random.default_rng(0)
    x = generator.standard_normal((IMAGES, cfg.in_channels, size, size)).astype(np.float32)
    labels = generator.integers(0, cfg.num_classes, (IMAGES, size, size)).astype(np.int32)

    def loss_fn(params, model_state, batch, key):
        logits, _ = apply_s2cnn(params, (), batch["x"], tables, cfg, train=True)
        return pixel_cross_entropy(logits, batch["labels"]), (model_state, {})

    params, _ = init_s2cnn(jax.random.key(0), cfg)
    state = create_train_state(params, optimizer, key=jax.random.key(1))
    _, metrics = time_jaxlab(
        benchmark,
        make_train_step(loss_fn, optimizer),
        state,
        {"x": jnp.asarray(x), "labels": jnp.asarray(labels)},
        group="spherical/training step on an accelerator",
        workload=f"s2cnn_204k, b={cfg.bandwidth}, {IMAGES} images, remat",
        rounds=5,
    )
    assert np.isfinite(metrics["loss"])
