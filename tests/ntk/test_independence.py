"""Influence between examples is found where it is, and nowhere else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk import status
from jaxlab.ntk.independence import DEPENDENT, INDEPENDENT, UNTESTED, check_independence
from jaxlab.ntk.types import VmapAxes
from tests.ntk.nets import NETS

CASES = ("fc_standard", "conv_max_pool", "embedding", "batch_norm_training", "output_dict")


@pytest.mark.parametrize("name", CASES)
def test_networks(name):
    net = NETS[name]
    params, x = jax.tree.map(jnp.asarray, (net.params, net.x1))
    found = jax.jit(lambda params, x: check_independence(net.apply_fn, params, x))(params, x)
    assert found.status == (INDEPENDENT if net.independent else DEPENDENT)
    assert (found.influence < 1e-6) == net.independent


def test_a_status_has_one_meaning_in_the_room():
    assert status.OK == INDEPENDENT
    assert (status.DEPENDENT, status.UNTESTED) == (DEPENDENT, UNTESTED)
    codes = [getattr(status, name) for name in status.__all__]
    assert sorted(codes) == list(range(len(codes)))


def test_the_status_is_32_bits_wide(x64):
    found = check_independence(lambda w, x: x * w, jnp.ones(1), jnp.arange(3.0)[:, None])
    assert found.status.dtype == jnp.int32


def test_the_strongest_pair():
    """Example 3 sees a hundredth of example 1, and example 0 a tenth of example 2."""
    mixing = jnp.eye(4).at[3, 1].set(0.01).at[0, 2].set(0.1)
    x = jnp.arange(1.0, 5.0)[:, None]
    found = check_independence(lambda w, x: mixing @ x * w, jnp.ones(1), x)
    assert (int(found.source), int(found.target)) == (2, 0)
    largest = (mixing @ x).max()
    np.testing.assert_allclose(found.influence, 0.1 / largest, rtol=1e-5)  # 3 becomes 4
    assert found.status == DEPENDENT
    tolerant = check_independence(lambda w, x: mixing @ x * w, jnp.ones(1), x, tolerance=0.1)
    assert tolerant.status == INDEPENDENT


def test_each_output_has_its_own_rounding():
    """Few bits excuse no statistics of the batch, and none at all in another output."""
    x = jnp.arange(1.0, 9.0)[:, None]

    def few_bits(w, x):
        h = (x * w).astype(jnp.bfloat16)
        return (h - h.mean(0)) / h.std(0)

    found = check_independence(few_bits, jnp.ones(1), x)
    assert found.status == DEPENDENT
    assert 0.05 < found.influence < 0.78

    def outputs(w, x):
        return (x * w).astype(jnp.bfloat16), x * w + 0.001 * x.mean(0)

    assert check_independence(outputs, jnp.ones(1), x).status == DEPENDENT


def test_other_axes_and_keys():
    def apply_fn(w, x):
        noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(x["key"]).T
        return w * (x["x"] + noise)

    x = {"x": jnp.arange(6.0).reshape(3, 2), "key": jax.random.split(jax.random.key(0), 2)}
    axes = VmapAxes({"x": 1, "key": 0}, 1)
    found = check_independence(apply_fn, jnp.ones(()), x, vmap_axes=axes)
    assert found.status == INDEPENDENT

    def centred(w, x):
        values = apply_fn(w, x)
        return values - values.mean(1, keepdims=True)

    assert check_independence(centred, jnp.ones(()), x, vmap_axes=axes).status == DEPENDENT


@pytest.mark.parametrize("x", [jnp.ones((1, 2)), jnp.ones((3, 2))])
def test_nothing_to_compare(x):
    found = check_independence(lambda w, x: (x - x.mean(0)) * w, jnp.ones(()), x)
    assert found.status == UNTESTED


def test_numbers_that_are_not_finite():
    """A NaN that stays with its example is no influence; one that spreads is."""
    x = jnp.array([[1.0], [jnp.nan], [2.0]])
    alone = check_independence(lambda w, x: x * w, jnp.ones(()), x)
    assert (alone.status, alone.influence) == (INDEPENDENT, 0)
    spread = check_independence(lambda w, x: x.sum(0) + x * w, jnp.ones(()), x)
    assert (spread.status, spread.influence) == (DEPENDENT, jnp.inf)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vmap_axes": None}, "vmap_axes"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"vmap_axes": 1}, "vmap_axes"),
        ({"x": jnp.ones((0, 3))}, "x: expected at least one example"),
    ],
)
def test_refused(bad_input, arguments, message):
    arguments = {"x": jnp.ones((2, 3))} | arguments
    with pytest.raises(ValueError, match=message):
        check_independence(lambda w, x: x @ w, jnp.ones((3, 4)), arguments.pop("x"), **arguments)
