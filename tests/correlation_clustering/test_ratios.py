"""Thresholds: nearest ratios, and no tie decided by rounding."""

import jax
import jax.numpy as jnp
import pytest

from jaxlab.correlation_clustering import Ratio, ratio
from jaxlab.correlation_clustering.ratios import as_ratio, at_most


def test_decimal_numbers_are_what_they_say():
    for value in (0.2, jnp.float32(0.2), jnp.asarray(0.2)):
        numerator, denominator = as_ratio("beta", value, 100)
        assert (int(numerator), int(denominator)) == (1, 5)
    assert ratio([[0.3], [0.0125]]).denominator.tolist() == [[10], [80]]


@pytest.mark.parametrize("tenths", range(1, 10))
def test_ties_are_exact(tenths):
    whole = jnp.arange(1, 2000, dtype=jnp.int32)
    threshold = as_ratio("beta", tenths / 10, 2000)
    tie = tenths * whole // 10
    exact = tenths * whole % 10 == 0
    assert at_most(tie, threshold, whole, strict=False).all()
    assert not at_most(tie + 1, threshold, whole, strict=False).any()
    assert (at_most(tie, threshold, whole, strict=True) == ~exact).all()


def test_traced_numbers_are_floats():
    @jax.jit
    def found(beta):
        return at_most(jnp.int32(3), as_ratio("beta", beta, 9), jnp.int32(7), strict=False)

    assert found(0.5)
    assert not found(0.4)


def test_counts_are_not_rounded_to_half_precision():
    def found(beta):
        return at_most(jnp.int32(257), as_ratio("beta", beta, 999), jnp.int32(513), strict=False)

    assert not jax.jit(found)(jnp.bfloat16(0.5))


def test_a_number_is_the_same_ratio_inside_jit():
    numerator, denominator = jax.jit(lambda: as_ratio("beta", 0.2, 300_000))()
    assert (int(numerator), int(denominator)) == (1, 5)


def test_bad_input(bad_input):
    for value in (0, 1, -0.1, float("nan"), [0.5, 2], "a fifth", None):
        with pytest.raises(ValueError, match=r"values: expected a number in \(0, 1\)"):
            ratio(value)
    with pytest.raises(ValueError, match=r"beta: expected products .* that fit int32"):
        as_ratio("beta", Ratio(jnp.int32(1), jnp.int32(10_000)), 200_000)
    for value in (1e-5, 1 - 1e-5):
        with pytest.raises(ValueError, match=r"beta: expected a number whose nearest ratio"):
            as_ratio("beta", value, 9)
    with pytest.raises(ValueError, match=r"values: expected a number whose nearest ratio"):
        ratio([0.5, 1e-5])
    for value in ([0.2, 0.3], ratio([0.2, 0.3])):
        with pytest.raises(ValueError, match=r"beta: expected shape \[\]"):
            as_ratio("beta", value, 9)
        with pytest.raises(ValueError, match=r"beta: expected shape \[\]"):
            jax.jit(lambda beta: as_ratio("beta", beta, 9))(jax.tree.map(jnp.asarray, value))
    with pytest.raises(ValueError, match="beta: expected dtype integer"):
        as_ratio("beta", Ratio(0.2, 1.0), 9)
    with pytest.raises(ValueError, match="beta: expected dtype floating"):
        jax.jit(lambda beta: as_ratio("beta", beta, 9))(1)
    for numerator, denominator in ((3, 2), (2, 2), (0, 5), (-1, 5)):
        with pytest.raises(ValueError, match=r"beta: expected a ratio in \(0, 1\)"):
            as_ratio("beta", Ratio(jnp.asarray(numerator), jnp.asarray(denominator)), 9)
    with pytest.raises(ValueError, match=r"beta: expected products .* that fit int32"):
        jax.jit(lambda part: as_ratio("beta", part, 200_000))(ratio(0.2))
