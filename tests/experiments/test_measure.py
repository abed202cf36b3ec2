"""Calls are timed in turn, after a warm-up; differences are relative."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.experiments.measure import (
    at_least,
    compile_call,
    interleaved_seconds,
    max_relative_difference,
    median_seconds,
)


def test_a_compiled_call_is_measured():
    compiled = compile_call(lambda x: jnp.sin(x @ x) @ x, jax.ShapeDtypeStruct((64, 64), "float32"))
    x = jnp.eye(64)
    np.testing.assert_allclose(compiled.call(x), math.sin(1) * np.eye(64), rtol=1e-6)
    assert compiled.seconds > 0
    assert compiled.temporary_bytes >= 64 * 64 * 4
    calls = []
    seconds = median_seconds(lambda: calls.append(0), repeats=3)
    assert len(calls) == 4
    assert 0 <= seconds < 1


def test_calls_take_turns_when_they_are_timed():
    calls = []
    both = {name: lambda x, name=name: calls.append((name, x)) for name in "ab"}
    seconds = interleaved_seconds(both, 7, repeats=2)
    assert calls == [("a", 7), ("b", 7)] * 3
    assert set(seconds) == {"a", "b"}


def test_differences_are_relative_to_the_largest_entry():
    kernels = {
        "a": jnp.array([[4.0, 1.0]]),
        "b": jnp.array([[4.0, 1.5]]),
        "c": jnp.array([[jnp.nan, 1.0]]),
    }
    assert max_relative_difference(kernels, "a") == {"b": 0.125, "c": math.inf}
    zeros = {"a": jnp.zeros(2), "b": jnp.zeros(2), "c": jnp.ones(2)}
    assert max_relative_difference(zeros, "a") == {"b": 0.0, "c": math.inf}


def test_ratios_of_times_are_rounded_down():
    floors = [at_least(ratio) for ratio in (0.99, 1, 1.99, 2, 4.9, 5, 9.9, 10, 4999)]
    words = ["less than 1×", *[f"at least {n}×" for n in (1, 1, 2, 2, 5, 5, 10, 2000)]]
    assert floors == words
    for ratio in (math.nan, math.inf):
        assert at_least(ratio) == "not measurable"
