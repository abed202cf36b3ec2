"""The form in which implementations take a kernel, and what is refused before any of them runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk._layout import Layout, normalise_axes
from jaxlab.ntk._problem import axes_of_leaves, differentiable, prepare
from jaxlab.ntk.types import VmapAxes

X, W = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)


def linear(w, x):
    return x @ w


def prepared(apply_fn=linear, x1=X, x2=None, params=W, **axes):
    axes = {"trace_axes": (), "diagonal_axes": (), "vmap_axes": None} | axes
    return prepare(apply_fn, x1, x2, params, **axes)


def test_layout_letters():
    layout = Layout(4, trace=(1,), diagonal=(3,))
    assert (layout.left, layout.right, layout.result) == ("abcd", "AbCd", "aAcCd")
    assert layout.traced_size((7, 5, 3, 2)) == 5
    assert layout.kernel_shape((7, 5, 3, 2), (6, 5, 4, 2)) == (7, 6, 3, 4, 2)


def test_axes_are_normalised(bad_input):
    for axes in ((-1, 0), range(0, 3, 2), {0, 2}, [2, 0]):
        assert normalise_axes("trace_axes", axes, 3) == (0, 2)
    for axes, message in (((3,), "an axis of an output with 3"), ((0, -3), "at most once")):
        with pytest.raises(ValueError, match=f"trace_axes.*{message}"):
            normalise_axes("trace_axes", axes, 3)
    with pytest.raises(ValueError, match=r"trace_axes.*integer"):
        normalise_axes("trace_axes", (1.0,), 3)


def test_differentiable_leaves():
    params = {"w": np.ones(2), "step": 3, "none": None, "rows": np.arange(2), "rate": 0.5}
    leaves, paths, merge = differentiable(params)
    assert paths == ["params['rate']", "params['w']"]
    merged = merge([leaf + 1 for leaf in leaves])
    assert merged["step"] == 3
    assert merged["none"] is None
    assert merged["rows"] is params["rows"]
    assert merged["rate"] == 1.5
    assert merged["w"].tolist() == [2, 2]
    assert differentiable(W)[1] == ["params"]


def test_random_keys_are_inputs_and_parameters():
    keys = jax.random.split(jax.random.key(0), 2)
    params = {"w": W, "key": jax.random.key(1)}

    def dropped(params, x):
        values, keys = x
        kept = jax.vmap(lambda key: jax.random.bernoulli(key, 0.5, (3,)))(keys)
        return (values * kept) @ params["w"]

    (problem,), _ = prepared(dropped, (X, keys), params=params, vmap_axes=0)
    alone = problem.over_examples(problem.one_example)(problem.leaves, problem.x1)
    np.testing.assert_allclose(alone, dropped(params, (X, keys)))
    assert len(problem.leaves) == 1


def test_one_example_and_axes():
    x = {"a": np.arange(12.0).reshape(2, 2, 3), "b": np.arange(2.0)[:, None]}

    def apply_fn(w, x):  # examples on the last axis of "a" and on the second of the output
        return w * (x["a"] + x["b"]).sum(0), x["a"].mean(0)[None] * w

    axes = VmapAxes({"a": -1, "b": None}, -1)
    assert axes_of_leaves(axes.in_axes, x) == [-1, None]
    problems, tree = prepared(apply_fn, x, params=2.0, vmap_axes=axes)
    assert tree.num_leaves == 2
    first = problems[0]
    assert [problem.layout.batch for problem in problems] == [1, 2]
    alone = first.over_examples(first.one_example)(first.leaves, x)
    np.testing.assert_allclose(alone, apply_fn(2.0, x)[0].T)
    assert first.example(x, 1)["a"].tolist() == x["a"][:, :, 1].tolist()
    assert first.example(x, 1)["b"] is x["b"]
    assert first.example(x, jnp.array([2, 2]))["a"].shape == (2, 2, 2)
    assert first.symmetric
    assert first.kernel_shape == (2, 2, 3, 3)
    assert problems[1].kernel_shape == (1, 1, 2, 2, 3, 3)


def test_accumulation_dtype(x64):
    assert prepared()[0][0].dtype == jnp.float32
    assert prepared(params=W.astype(np.float64))[0][0].dtype == jnp.float64
    assert prepared(params=jnp.asarray(W, jnp.bfloat16))[0][0].dtype == jnp.float32


def mixed_structure(w, x):
    return (x @ w,) if x.shape[0] == 2 else (x @ w, x @ w)


def squeezed(w, x):
    return x @ w if x.shape[0] == 2 else x[0] @ w


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trace_axes": (2,)}, "trace_axes.*an output with 2 axes.*got 2"),
        ({"diagonal_axes": (-3,)}, "diagonal_axes.*an output with 2 axes.*got -3"),
        ({"trace_axes": -1}, "trace_axes: expected a tuple of axes, got -1"),
        ({"trace_axes": iter((1,))}, "trace_axes: expected a tuple of axes"),  # one use, no more
        ({"diagonal_axes": (axis for axis in (1,))}, "diagonal_axes: expected a tuple of axes"),
        ({"trace_axes": (1,), "diagonal_axes": (-1,)}, "diagonal_axes.*trace_axes too"),
        ({"trace_axes": (0,), "x2": X[:1]}, "trace_axes.*equal size along axis 0"),
        ({"diagonal_axes": (0,), "x2": X[:1]}, "diagonal_axes.*equal size along axis 0"),
        ({"params": {"step": 3}}, "params.*floating"),
        ({"params": ()}, "params.*floating"),
        ({"params": {"w": W + 1j}}, r"params\['w'\].*complex"),
        ({"params": W + 1j}, "^params: .*complex"),
        ({"apply_fn": lambda w, x: (x @ w).astype(int)}, "apply_fn.*real floating"),
        ({"apply_fn": lambda w, x: x @ w + 1j}, "apply_fn.*real floating"),
        ({"apply_fn": lambda w, x: None}, "apply_fn.*at least one array"),
        ({"apply_fn": lambda w, x: "text"}, "apply_fn.*arrays"),
        ({"apply_fn": mixed_structure, "x2": X[:1]}, "x2.*structure"),
        ({"apply_fn": squeezed, "x2": X[:1]}, "x2.*2 axes"),
        ({"vmap_axes": 0.0}, "vmap_axes.*integer"),
        ({"vmap_axes": True}, "vmap_axes.*integer"),
        ({"vmap_axes": VmapAxes(0, 2)}, "vmap_axes.*examples in an output with 2 axes"),
        ({"vmap_axes": VmapAxes(2, 0)}, "vmap_axes.*examples in a leaf of x1 with 2 axes"),
        ({"vmap_axes": 1}, "vmap_axes.*4 examples in every leaf of x1 along axis 1"),
        ({"vmap_axes": 0, "apply_fn": lambda w, x: (x @ w).sum()}, "vmap_axes.*with 0 axes"),
        ({"vmap_axes": VmapAxes(None, 0)}, "vmap_axes.*at least one leaf of x1"),
        ({"vmap_axes": VmapAxes((0, 0), 0)}, "vmap_axes.*prefix of x1"),
        ({"vmap_axes": VmapAxes("0", 0)}, "vmap_axes.in_axes.*integer"),
    ],
)
def test_refused(bad_input, arguments, message):
    with pytest.raises(ValueError, match=message):
        prepared(**arguments)
