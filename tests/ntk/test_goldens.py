"""Kernels of finite networks against those of neural-tangents, and the oracle against them too."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxlab.ntk.kernel import ntk_fn
from tests.ntk import oracle
from tests.ntk.nets import NETS

IMPLEMENTATIONS = ("structured", "jacobian", "vector_products")

with np.load(Path(__file__).parents[1] / "golden" / "ntk" / "empirical.npz") as _file:
    GOLDEN = dict(_file)

PLAIN = "none/none/x2"
# "<net>/<trace>/<diagonal>/<second>" of every stored kernel.
KERNELS = sorted({key.replace("/kernel", "").rsplit("/", 1)[0] for key in GOLDEN if "/k" in key})
VARIANTS = [key for key in KERNELS if not key.endswith(PLAIN)]
NAMES = [key.removesuffix(f"/{PLAIN}") for key in KERNELS if key.endswith(PLAIN)]

# One network for each way in which a parameter is used; the slow tests take the others too.
TYPICAL = (
    "batch_norm_training",
    "cast_bfloat16",
    "conv_grouped",
    "conv_max_pool",
    "conv_strided",
    "embedding",
    "fc_ntk",
    "fc_standard",
    "output_dict",
    "rnn_scan",
    "shared_weights",
    "transformer_tied",
    "views",
    "weights_per_head",
)


def axes(text: str) -> tuple[int, ...]:
    return () if text == "none" else tuple(int(axis) for axis in text.split(","))


def stored(key: str) -> list[np.ndarray]:
    name, rest = key.split("/", 1)
    leaves = len(jax.tree.leaves(oracle_shapes(name)))
    return [GOLDEN[f"{name}/kernel/{rest}/{i}"] for i in range(leaves)]


def oracle_shapes(name: str) -> Any:
    net = NETS[name]
    return jax.eval_shape(net.apply_fn, net.params, net.x1)


def compute(key: str, implementation: str, independent: bool) -> list[np.ndarray]:
    """jaxlab's kernel; compiled without optimisations, for it runs once."""
    name, trace, diagonal, second = key.split("/")
    net = NETS[name]
    kernel = ntk_fn(
        net.apply_fn,
        trace_axes=axes(trace),
        diagonal_axes=axes(diagonal),
        vmap_axes=0 if independent else None,
        implementation=implementation,
    )
    arguments = (net.x1, net.x2 if second == "x2" else None, net.params)
    traced = jax.jit(lambda x1, x2, params: kernel(x1, x2, params)).lower(*arguments)
    compiled = traced.compile({"xla_backend_optimization_level": 0})
    return [np.asarray(leaf) for leaf in jax.tree.leaves(compiled(*arguments))]


def check(key: str, implementation: str, independent: bool) -> None:
    found = compute(key, implementation, independent)
    for one, two in zip(found, stored(key), strict=True):
        assert one.dtype == np.float64
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-10 * np.abs(two).max())


def test_every_network_but_one_has_a_golden():
    assert set(NETS) - set(NAMES) == {"integer_and_none"}


@pytest.mark.parametrize("name", NAMES)
def test_the_golden_was_made_with_these_inputs(name):
    net = NETS[name]
    for field in ("params", "x1", "x2"):
        leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(getattr(net, field))]
        np.testing.assert_array_equal(np.concatenate(leaves), GOLDEN[f"{name}/{field}"])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", TYPICAL)
def test_structured_derivatives(name):
    check(f"{name}/{PLAIN}", "structured", NETS[name].independent)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("implementation", ["jacobian", "vector_products"])
@pytest.mark.parametrize("name", ["conv_strided", "shared_weights"])
def test_other_implementations(name, implementation):
    check(f"{name}/{PLAIN}", implementation, NETS[name].independent)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("key", [key for key in VARIANTS if key.startswith("extra_output_axes")])
def test_axes(key):
    check(key, "structured", independent=True)
    if "/2/1/" in key or "/-1/0,1/" in key:
        check(key, "jacobian", independent=True)
        check(key, "vector_products", independent=True)


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("key", KERNELS)
def test_everything(key, implementation, independent):
    if independent and not NETS[key.split("/")[0]].independent:
        pytest.skip("examples of this network influence each other")
    check(key, implementation, independent)


@pytest.mark.slow
@pytest.mark.parametrize("key", KERNELS)
def test_brute_force_agrees_with_the_library(key):
    name, trace, diagonal, second = key.split("/")
    found = oracle.net_kernel(name, axes(trace), axes(diagonal), symmetric=second == "x1")
    for one, two in zip(jax.tree.leaves(found), stored(key), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12 * np.abs(two).max())


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", oracle.EXACT)
def test_brute_force_on_cases_computed_by_hand(name):
    case = oracle.EXACT[name]
    np.testing.assert_array_equal(case.apply_fn(case.params, case.x1), case.out1)
    np.testing.assert_array_equal(case.apply_fn(case.params, case.x2), case.out2)
    j1 = oracle.jacobians(case.apply_fn, case.x1, case.params)
    j2 = oracle.jacobians(case.apply_fn, case.x2, case.params)
    np.testing.assert_array_equal(oracle.from_jacobians(j1, j2), case.kernel)
    np.testing.assert_allclose(oracle.from_jacobians(j1, j2, (-1,)), case.traced, rtol=1e-14)
