"""jaxlab.ntk against neural-tangents, torch.func and naive Jacobians; checked as well as timed.

neural-tangents runs on no current JAX: ``make reference`` times it, on the same networks and
numbers, in a process of its own and leaves the seconds in ``ntk_reference.json``. Ratios to it mean
something when both were measured on one machine, one after the other.
"""

import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.ntk.architectures import image_network
from jaxlab.ntk import ntk_fn, products
from tests.benchmarks.timing import time_jaxlab, time_peer
from tests.ntk.cases import CASES, fully_connected

REFERENCE = Path(__file__).with_name("ntk_reference.json")
METHODS = {"structured": 1.0, "vector_products": 1.0, "jacobian": 1.25}  # largest ratios aimed at
WORKLOADS = {
    "fc": "784-W-W-W-10, O=10, N=8+8",
    "cnn": "28×28, 3 convolutions, O=10, N=4+4",
    "transformer": "2 blocks of 64, 16 tokens, O=8, N=4+4",
}
SLOW = {("fc_1024", "jacobian"), ("fc_1024", "vector_products")}
PAIRS = [(case, method) for case in CASES for method in METHODS if (case, method) not in SLOW]


def reference(case, method):
    """neural-tangents' seconds, as ``make reference`` left them."""
    if not REFERENCE.exists():
        return {}
    seconds = json.loads(REFERENCE.read_text())["cases"][case][method]["seconds"]
    return {"neural-tangents": {"seconds": seconds, "target": METHODS[method]}}


def naive(apply_fn, x1, x2, params):
    """The textbook: Jacobians of the whole batch, multiplied."""
    j1, j2 = (jax.tree.leaves(jax.jacrev(apply_fn)(params, x)) for x in (x1, x2))
    n, m, outputs = len(x1), len(x2), j1[0].shape[1]
    flat1, flat2 = ([j.reshape(rows, outputs, -1) for j in js] for rows, js in ((n, j1), (m, j2)))
    return sum(jnp.einsum("nop,mqp->nmoq", a, b) for a, b in zip(flat1, flat2, strict=True))


@pytest.mark.parametrize(("case", "method"), PAIRS)
class TestMethods:
    def test_jaxlab(self, benchmark, case, method):
        net = CASES[case]()
        kernel = ntk_fn(net.apply_fn, vmap_axes=0, implementation=method)
        ours = time_jaxlab(
            benchmark,
            kernel,
            net.x1,
            net.x2,
            net.params,
            group=f"ntk/{case} {method}",
            workload=WORKLOADS[case.split("_")[0]],
            apart=reference(case, method),
            rounds=5,
        )
        expected = jax.jit(functools.partial(naive, net.apply_fn))(net.x1, net.x2, net.params)
        np.testing.assert_allclose(ours, expected, atol=1e-4 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize(
    ("case", "method"),
    [pair for pair in PAIRS if pair[0] != "fc_1024" and pair[1] != "vector_products"],
)
class TestNaiveJacobians:
    def test_jax(self, benchmark, case, method):
        net = CASES[case]()
        time_jaxlab(
            benchmark,
            functools.partial(naive, net.apply_fn),
            net.x1,
            net.x2,
            net.params,
            group=f"ntk/{case} {method}",
            implementation="naive jacrev",
            package="jax",
            target=1.0 if method == "structured" else None,
            rounds=5,
        )


@pytest.mark.parametrize("case", ["fc_256", "fc_512"])
class TestTorch:
    """The recipes of PyTorch's tutorial on neural tangent kernels."""

    @pytest.fixture
    def network(self, case):
        torch = pytest.importorskip("torch")
        net = CASES[case]()
        params = tuple(torch.from_numpy(w) for w in net.params)

        def apply(params, x):
            for w in params[:-1]:
                x = torch.relu(x @ w)
            return x @ params[-1]

        return torch, apply, params, torch.from_numpy(net.x1), torch.from_numpy(net.x2)

    def check(self, kernel, case):
        net = CASES[case]()
        expected = ntk_fn(net.apply_fn, vmap_axes=0)(net.x1, net.x2, net.params)
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(kernel.numpy(), expected, atol=1e-4 * scale)

    def test_jacobian_contraction(self, benchmark, case, network):
        torch, apply, params, x1, x2 = network

        def kernel():
            jacobian = torch.func.vmap(torch.func.jacrev(apply), (None, 0))
            pairs = zip(jacobian(params, x1), jacobian(params, x2), strict=True)
            return sum(torch.einsum("nop,mqp->nmoq", a.flatten(2), b.flatten(2)) for a, b in pairs)

        group, name = f"ntk/{case} jacobian", "torch.func jacrev"
        options = {"package": "torch", "target": 1.0, "rounds": 5}
        self.check(time_peer(benchmark, kernel, group=group, implementation=name, **options), case)

    def test_vector_products(self, benchmark, case, network):
        torch, apply, params, x1, x2 = network

        def entry(one, two):
            _, pull = torch.func.vjp(lambda params: apply(params, two), params)

            def column(unit):
                tangent = pull(unit)
                return torch.func.jvp(lambda params: apply(params, one), (params,), tangent)[1]

            # columns of the unit vectors are the second output axis
            return torch.func.vmap(column)(torch.eye(10)).T

        def kernel():
            rows = torch.func.vmap(entry, (None, 0))
            return torch.func.vmap(rows, (0, None))(x1, x2)

        group, name = f"ntk/{case} vector_products", "torch.func jvp∘vjp"
        options = {"package": "torch", "target": 1.0, "rounds": 5}
        self.check(time_peer(benchmark, kernel, group=group, implementation=name, **options), case)


class TestGrowth:
    """Structured derivatives when one size doubles; ratios are the larger over the smaller."""

    @pytest.mark.parametrize("larger", [True, False], ids=["twice", "once"])
    @pytest.mark.parametrize("size", ["examples", "width", "outputs"])
    def test_doubled(self, benchmark, size, larger):
        width = 1024 if size == "width" and larger else 512
        case = fully_connected(width)
        rng = np.random.default_rng(0)
        count = 16 if size == "examples" and larger else 8
        outputs = 20 if size == "outputs" and larger else 10
        x = rng.standard_normal((2, count, 784)).astype(np.float32)
        head = rng.standard_normal((width, outputs)).astype(np.float32)
        time_jaxlab(
            benchmark,
            ntk_fn(case.apply_fn, vmap_axes=0),
            x[0],
            x[1],
            [*case.params[:-1], head],
            group=f"ntk/twice the {size}",
            implementation="jaxlab" if larger else "itself at half the size",
            workload=WORKLOADS["fc"] + ", W=512, one size doubled",
            **({} if larger else {"target": 4.4}),
        )

    @pytest.mark.parametrize("larger", [True, False], ids=["twice", "once"])
    def test_dataset_operator(self, benchmark, larger):
        case = fully_connected(256)
        n = 4096 if larger else 2048
        x = np.random.default_rng(0).standard_normal((n, 784)).astype(np.float32)

        def product(params, x, v):
            return products.dataset_operator(case.apply_fn, params, x, micro_batch=256).matvec(v)

        time_jaxlab(
            benchmark,
            product,
            case.params,
            x,
            np.ones((n, 10), np.float32),
            group="ntk/twice the examples of a dataset operator",
            implementation="jaxlab" if larger else "itself at half the size",
            workload="784-256-256-256-10, n=4096, micro-batch 256",
            rounds=5,
            **({} if larger else {"target": 2.2}),
        )


class TestResNet18:
    """64×64 images, 8 outputs, one example a side: also how long tracing and compiling takes."""

    @pytest.mark.parametrize("method", ["structured", "jacobian"])
    def test_methods(self, benchmark, method):
        network = image_network("resnet18", image=64, outputs=8)
        params = network.init(jax.random.key(0))
        x = np.random.default_rng(0).standard_normal((2, 1, 64, 64, 3)).astype(np.float32)
        time_jaxlab(
            benchmark,
            ntk_fn(network.apply, vmap_axes=0, implementation=method),
            x[0],
            x[1],
            params,
            group="ntk/resnet18",
            implementation="jaxlab" if method == "structured" else "jaxlab's Jacobian contraction",
            workload="ResNet-18, 64×64, O=8, N=1+1",
            rounds=5,
        )
