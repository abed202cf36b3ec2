import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxlab.training import check_batch, epoch_batches, split_batch


@given(
    size=st.integers(1, 30),
    batch_size=st.integers(1, 30),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 3),
)
def test_an_epoch_visits_every_example_at_most_once_and_keeps_rows_together(
    size, batch_size, seed, epoch
):
    batch_size = min(batch_size, size)
    arrays = {"x": np.arange(size), "y": 10 * np.arange(size)}
    batches = epoch_batches(arrays, batch_size, seed=seed)
    steps = size // batch_size
    seen = [batches(epoch * steps + position) for position in range(steps)]
    visited = np.concatenate([batch["x"] for batch in seen])
    assert all(len(batch["x"]) == batch_size for batch in seen)
    assert len(set(visited.tolist())) == len(visited) == steps * batch_size
    np.testing.assert_array_equal(np.concatenate([batch["y"] for batch in seen]), 10 * visited)


def test_a_batch_depends_on_its_step_alone():
    arrays = {"x": np.arange(11)}
    batches = epoch_batches(arrays, 2, seed=4)
    forward = [batches(step)["x"].tolist() for step in range(15)]
    again = epoch_batches(arrays, 2, seed=4)
    backward = [again(step)["x"].tolist() for step in reversed(range(15))]
    assert forward == backward[::-1]


def test_epochs_and_seeds_have_different_orders():
    arrays = {"x": np.arange(64)}
    orders = [
        epoch_batches(arrays, 64, seed=seed)(epoch)["x"].tolist()
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 4


def test_over_the_epochs_no_example_is_left_out():
    batches = epoch_batches({"x": np.arange(7)}, 4, seed=0)
    assert {int(i) for step in range(12) for i in batches(step)["x"]} == set(range(7))


def test_split_batch_cuts_consecutive_parts():
    batch = {"x": np.arange(12).reshape(6, 2), "y": np.arange(6)}
    parts = split_batch(batch, 3)
    np.testing.assert_array_equal(parts["y"], [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(parts["x"].reshape(6, 2), batch["x"])


@pytest.mark.parametrize(
    ("size", "spec", "expected"),
    [
        (16, P("one"), P(None, "one", None)),
        (16, P(("one", "two")), P(None, ("one", "two"), None)),
        (16, P("two", "one"), P(None, "two", "one")),
        (16, P(None, "two"), P(None, None, "two")),
        (12, P(("one", "two")), P(None, None, None)),  # 6 examples for 4 devices
    ],
)
def test_parts_are_split_along_explicit_axes_as_the_batch_is(devices, size, spec, expected):
    kinds = (AxisType.Explicit, AxisType.Explicit)
    mesh = jax.make_mesh((2, 2), ("one", "two"), axis_types=kinds, devices=devices[:4])
    batch = np.arange(4 * size).reshape(size, 4)
    placed = jax.device_put(batch, NamedSharding(mesh, spec))
    for call in (split_batch, jax.jit(split_batch, static_argnums=1)):
        parts = call(placed, 2)
        np.testing.assert_array_equal(parts, split_batch(batch, 2))
        assert jax.typeof(parts).sharding.spec == expected


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_batch({"x": np.zeros((6, 2))}, 4), r"batch\['x'\]: .* into 4 equal parts"),
        (lambda: check_batch({"x": np.zeros(6)}, 0), "parts: expected an integer >= 1"),
        (lambda: split_batch({"x": np.zeros(6)}, -2), "parts: expected an integer >= 1"),
        (lambda: check_batch({"x": np.zeros(0)}, 1), "into 1 equal parts"),
        (lambda: check_batch({"x": np.zeros(3), "y": np.zeros(2)}, 1), r"\['y'\].*leading axis 3"),
        (lambda: check_batch({"x": np.float32(1)}, 1), "a leading axis"),
        (lambda: check_batch({}, 1), "at least one array"),
        (lambda: epoch_batches({"x": np.zeros(3)}, 4, seed=0), "at most the 3 examples"),
        (lambda: epoch_batches({"x": np.zeros(3)}, 0, seed=0), "batch_size"),
        (lambda: epoch_batches({"x": np.zeros(3)}, 1, seed=-1), "seed"),
        (lambda: epoch_batches({"x": np.zeros(3), "y": np.zeros(2)}, 1, seed=0), r"arrays\['y'\]"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
