"""What the shared checks let pass and refuse: values on the host, in jax arrays, and traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.checks import check_choice, check_finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_one_bad_entry_is_refused(kind, bad):
    entries = np.ones((3, 4), np.float32)
    check_finite("a", kind(entries))
    entries[1, 2] = bad
    with pytest.raises(ValueError, match=r"a: expected finite entries, got float32\[3, 4\]"):
        check_finite("a", kind(entries))


def test_what_has_no_values_passes():
    check_finite("a", np.zeros((0, 3)))

    @jax.jit
    def traced(a):
        check_finite("a", a)
        return a

    assert np.isnan(traced(jnp.array([jnp.nan]))[0])


def test_entries_on_another_device_are_looked_at(monkeypatch):
    class Elsewhere:
        platform = "tpu"

    a = jnp.array([1.0, jnp.inf])
    monkeypatch.setattr(type(a), "devices", lambda self: {Elsewhere()})
    monkeypatch.setattr(type(a), "__array__", None)  # what must not be fetched
    with pytest.raises(ValueError, match="expected finite entries"):
        check_finite("a", a)
    good = a[:1]
    check_finite("a", good)

    @jax.jit
    def traced(x):
        check_finite("a", good)
        return x

    assert traced(1.0) == 1.0


@pytest.mark.parametrize("value", ["topp", None, 3, np.zeros(2), jnp.zeros(2), ["top"]])
def test_a_value_that_is_no_choice_is_refused(value):
    check_choice("keep", "top", ("top", "end"))
    with pytest.raises(ValueError, match=r"keep: expected one of 'top', 'end'.*unknown keep"):
        check_choice("keep", value, ("top", "end"))
