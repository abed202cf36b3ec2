"""jaxlab on a GPU or TPU against itself on the same machine's CPU, and peers; skipped without one.

The other files compare jaxlab with libraries for CPUs. What matters on an accelerator is that the
same functions give the same answers there, faster: each case is compiled for both, and compared.
Peers on the accelerator itself are PyTorch, and other ways of jaxlab's. On a machine with a GPU:

    JAX_PLATFORMS=cuda,cpu python -m tests.benchmarks -k accelerator \\
        --save tests/benchmarks/accelerator.md
"""

import functools

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment as scipy_assignment

from jaxlab import kcenter, leverage, ntk
from jaxlab.experiments.kcenter.problems import blobs
from jaxlab.experiments.leverage.scaling import decaying
from jaxlab.graph_algorithms import linear_sum_assignment_batch
from jaxlab.hopfield import similarity, top_k_memories
from jaxlab.hopfield.manhattan_kernel import manhattan_scores
from tests.benchmarks import bench_hopfield as hopfield
from tests.benchmarks.bench_graph_algorithms import problems
from tests.benchmarks.bench_spherical import BATCH, training
from tests.benchmarks.timing import time_jaxlab, time_peer
from tests.ntk.cases import fully_connected

pytestmark = pytest.mark.skipif(
    jax.default_backend() == "cpu", reason="jax finds no GPU and no TPU"
)

POINTS, CENTERS = 1_000_000, 32
ASSIGNMENTS, ROWS = 64, 500


def order(points):
    return kcenter.gonzalez(points, CENTERS).indices


def order_by_kernel(points):
    return kcenter.gonzalez(points, CENTERS, use_pallas=True).indices


def scores(a):
    return leverage.leverage_scores(leverage.svd(a, method="gram"), 20)


def nearest(query, memories):
    return top_k_memories(query, memories, k=hopfield.K, similarity=similarity.manhattan).scores


def nearest_by_kernel(query, memories):
    return jax.lax.top_k(manhattan_scores(query, memories), hopfield.K)[0]


def assign(costs):
    return linear_sum_assignment_batch(costs).cost


def kernel(x1, x2, params, method="structured"):
    return ntk.ntk_fn(network().apply_fn, vmap_axes=0, implementation=method)(x1, x2, params)


@functools.cache
def cloud(n=POINTS):
    """Points in four dimensions, and four groups."""
    return blobs(jax.random.key(0), n, groups=4)


@functools.cache
def bank():
    return hopfield.random_bank(hopfield.N)


@functools.cache
def network():
    return fully_connected(2048)


def images():
    return network().x1, network().x2, network().params


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
    "hopfield/soft-retrieval": (hopfield.blocked, bank, hopfield.WORKLOAD, 1e-3),
    "hopfield/top-k-manhattan": (nearest, bank, f"{hopfield.WORKLOAD}, k={hopfield.K}", 1e-5),
    "graph_algorithms/assignment batch": (
        assign,
        lambda: (problems(ROWS, ASSIGNMENTS),),
        "64 problems of 500², int32",
        0,
    ),
    "ntk/structured derivatives": (
        kernel,
        images,
        "784-2048-2048-2048-10, O=10, N=8+8",
        1e-4,
    ),
}
#: a case, what it is called when it is done otherwise, and how
OTHER_WAYS = {
    "order by the kernel": (
        "kcenter/farthest-first order",
        "itself by the Pallas kernel",
        order_by_kernel,
    ),
    "Manhattan by the kernel": (
        "hopfield/top-k-manhattan",
        "itself by the Pallas kernel",
        nearest_by_kernel,
    ),
    "vector products": (
        "ntk/structured derivatives",
        "its vector products",
        functools.partial(kernel, method="vector_products"),
    ),
    "jacobian": (
        "ntk/structured derivatives",
        "its jacobian",
        functools.partial(kernel, method="jacobian"),
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


def bank_for_torch():
    """PyTorch, where it finds a GPU too, and the queries and memories on it."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    return torch, *(x.cuda() for x in bank().for_torch())


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
    @pytest.mark.parametrize("way", OTHER_WAYS)
    def test_in_another_way(self, benchmark, way):
        case, name, function = OTHER_WAYS[way]
        _, arguments, about = tell(case)
        given = jax.device_put(arguments)
        found = time_jaxlab(benchmark, function, *given, implementation=name, **about)
        agrees(case, found, on_accelerator(case))

    def test_manhattan_by_torch(self, benchmark):
        torch, query, memories = bank_for_torch()
        case = "hopfield/top-k-manhattan"
        *_, about = tell(case)

        def search():
            scores = torch.cdist(query, memories, p=1)
            found = torch.topk(scores, hopfield.K, largest=False).values
            torch.cuda.synchronize()
            return found

        name = "torch cdist + topk"
        found = time_peer(benchmark, search, implementation=name, package="torch", **about)
        agrees(case, -found.cpu().numpy(), on_accelerator(case))

    def test_retrieval_by_torch(self, benchmark):
        torch, query, memories = bank_for_torch()
        case = "hopfield/soft-retrieval"
        *_, about = tell(case)

        def attention():
            output = torch.softmax(hopfield.BETA * (query @ memories.T), dim=-1) @ memories
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


def test_ten_million_points(benchmark):
    """The whole method; a minute on 80 GB is what the room aims at."""
    points, groups = cloud(10_000_000)
    n, quota = len(points), (8, 8, 8, 8)
    assert int(groups.max()) + 1 == len(quota)  # what is traced is not refused
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
    given = training("s2cnn_204k", remat=True)
    _, metrics = time_jaxlab(
        benchmark,
        given.step,
        given.state,
        given.batch,
        given.tables,
        group="spherical/training step on an accelerator",
        workload=f"s2cnn_204k, b={given.cfg.bandwidth}, {BATCH} images, remat",
        rounds=5,
    )
    assert np.isfinite(metrics["loss"])
