"""Small networks on which every implementation of the kernel is tested.

Plain ``jax.numpy``, so that the functions run unchanged on the old JAX of the reference library;
parameters and inputs are drawn by numpy, so that both see the same numbers.
"""

import dataclasses
import itertools
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["NETS", "Net", "conv"]


class Net(NamedTuple):
    """A network with parameters and two batches.

    Attributes:
        name: key in ``NETS``.
        apply_fn: ``(params, x) -> outputs``, whose first axis enumerates the examples.
        params: PyTree of float64 numpy arrays.
        x1: batch of 3 examples.
        x2: batch of 2 examples.
        independent: whether no example influences the output of another (``vmap_axes=0`` holds).
    """

    name: str
    apply_fn: Callable[..., Any]
    params: Any
    x1: Any
    x2: Any
    independent: bool = True


NETS: dict[str, Net] = {}


class Draw:
    """Numbers of one network, from a stream that belongs to its name."""

    def __init__(self, name: str):
        self._rng = np.random.default_rng(zlib.crc32(name.encode()))

    def normal(self, *shape: int, scale: float | None = None) -> np.ndarray:
        """Normal entries; their deviation is ``shape[-2]^-1/2`` unless ``scale`` is given."""
        if scale is None:
            scale = shape[-2] ** -0.5
        return scale * self._rng.standard_normal(shape)

    def kernel(self, *shape: int) -> np.ndarray:
        """A convolution kernel (height, width, inputs, outputs) that keeps the variance."""
        return self.normal(*shape, scale=float(np.prod(shape[:-1])) ** -0.5)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Integers from ``low`` to ``high``, both included, as int32."""
        return self._rng.integers(low, high + 1, shape).astype(np.int32)


def net(
    name: str, *shape: int, independent: bool = True
) -> Callable[[Callable[[Draw], tuple]], Callable[[Draw], tuple]]:
    """Register a network: the decorated function returns ``(apply_fn, params)``.

    ``shape`` is that of one normal input; a function that draws its own returns
    ``(apply_fn, params, x1, x2)``.
    """

    def register(make: Callable[[Draw], tuple]) -> Callable[[Draw], tuple]:
        draw = Draw(name)
        made = make(draw)
        if len(made) == 2:
            made += (draw.normal(3, *shape, scale=1.0), draw.normal(2, *shape, scale=1.0))
        assert name not in NETS
        NETS[name] = Net(name, *made, independent)
        return make

    return register


def conv(
    x: Any, w: Any, stride: int = 1, dilation: int = 1, groups: int = 1, padding: str = "SAME"
) -> Any:
    """Convolution of images (examples, height, width, channels)."""
    return lax.conv_general_dilated(
        x,
        w,
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def pool(x: Any, kind: str) -> Any:
    """2×2 windows without overlap: their mean or their maximum."""
    window = (1, 2, 2, 1)
    if kind == "max":
        lowest = np.asarray(-np.inf, x.dtype)
        return lax.reduce_window(x, lowest, lax.max, window, window, "VALID")
    return lax.reduce_window(x, np.zeros((), x.dtype), lax.add, window, window, "VALID") / 4


def layer_norm(x: Any, scale: Any, shift: Any) -> Any:
    """Normalisation over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    deviation = jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scale * centred / deviation + shift


# --- Fully connected ---------------------------------------------------------------------------


@net("linear", 4)
def _(draw):
    return lambda params, x: x @ params, draw.normal(4, 3)


@net("fc_standard", 4)
def _(draw):
    params = {
        "w1": draw.normal(4, 7),
        "b1": draw.normal(7, scale=0.1),
        "w2": draw.normal(7, 5),
        "b2": draw.normal(5, scale=0.1),
        "w3": draw.normal(5, 3),
        "b3": draw.normal(3, scale=0.1),
    }

    def apply_fn(params, x):
        h = jax.nn.relu(x @ params["w1"] + params["b1"])
        h = jnp.tanh(h @ params["w2"] + params["b2"])
        return h @ params["w3"] + params["b3"]

    return apply_fn, params


@net("fc_ntk", 4)
def _(draw):
    shapes = [(4, 7), (7, 5), (5, 3)]
    params = [
        (draw.normal(*shape, scale=1.0), draw.normal(shape[1], scale=1.0)) for shape in shapes
    ]

    def apply_fn(params, x):
        for i, (w, b) in enumerate(params):
            x = jax.nn.relu(x) if i else x
            x = x @ (w * (1.5 / w.shape[0] ** 0.5)) + 0.1 * b
        return x

    return apply_fn, params


@net("fc_deep", 3)
def _(draw):
    widths = [3, 5, 6, 4, 5, 6, 5, 4, 2]
    params = [2**0.5 * draw.normal(n, m) for n, m in itertools.pairwise(widths)]

    def apply_fn(params, x):
        for w in params[:-1]:
            x = jax.nn.leaky_relu(x @ w, 0.2)
        return x @ params[-1]

    return apply_fn, params


@net("residual", 4)
def _(draw):
    params = {"blocks": [(draw.normal(4, 6), draw.normal(6, 4)) for _ in range(3)]}
    params["head"] = draw.normal(4, 3)

    def apply_fn(params, x):
        for w, v in params["blocks"]:
            x = x + jax.nn.gelu(x @ w) @ v
        return x @ params["head"]

    return apply_fn, params


@net("weight_normalised", 4)
def _(draw):
    params = {
        "direction": draw.normal(4, 6),
        "length": 1 + draw.normal(6, scale=0.3),
        "head": draw.normal(6, 2),
    }

    def apply_fn(params, x):
        direction = params["direction"]
        w = params["length"] * direction / jnp.sqrt((direction**2).sum(0))
        return jnp.tanh(x @ w) @ params["head"]

    return apply_fn, params


@net("batch_norm_training", 4, independent=False)
def _(draw):
    params = {
        "w": draw.normal(4, 5),
        "scale": 1 + draw.normal(5, scale=0.3),
        "shift": draw.normal(5, scale=0.3),
        "head": draw.normal(5, 2),
    }

    def apply_fn(params, x):
        h = x @ params["w"]
        h = (h - h.mean(0)) / jnp.sqrt(h.var(0) + 1e-3)
        return jnp.tanh(params["scale"] * h + params["shift"]) @ params["head"]

    return apply_fn, params


# --- Convolutions ------------------------------------------------------------------------------


@net("conv_strided", 6, 6, 2)
def _(draw):
    params = {
        "w1": draw.kernel(3, 3, 2, 4),
        "b1": draw.normal(4, scale=0.1),
        "w2": draw.kernel(2, 3, 4, 3),
        "head": draw.normal(12, 3),
    }

    def apply_fn(params, x):
        h = jax.nn.relu(conv(x, params["w1"], stride=2) + params["b1"])
        h = jnp.tanh(conv(h, params["w2"], padding="VALID"))
        h = jnp.concatenate([h, -h], 1)
        return h.reshape(h.shape[0], -1) @ params["head"]

    return apply_fn, params


@net("conv_dilated_average_pool", 6, 6, 2)
def _(draw):
    params = {
        "w1": draw.kernel(3, 3, 2, 4),
        "w2": draw.kernel(2, 2, 4, 3),
        "head": draw.normal(3, 2),
    }

    def apply_fn(params, x):
        h = jnp.tanh(conv(x, params["w1"], dilation=2))
        h = pool(h, "average")
        h = jax.nn.relu(conv(h, params["w2"]))
        return h.mean((1, 2)) @ params["head"]

    return apply_fn, params


@net("conv_grouped", 4, 4, 4)
def _(draw):
    params = {
        "w1": draw.kernel(3, 3, 2, 6),
        "w2": draw.kernel(1, 1, 2, 3),
        "head": draw.normal(3, 2),
    }

    def apply_fn(params, x):
        h = jax.nn.relu(conv(x, params["w1"], groups=2))
        h = conv(h, params["w2"], groups=3)
        return jnp.tanh(h).mean((1, 2)) @ params["head"]

    return apply_fn, params


@net("conv_depthwise", 4, 4, 3)
def _(draw):
    params = {
        "w1": draw.kernel(3, 3, 1, 6),
        "w2": draw.kernel(1, 1, 6, 4),
        "head": draw.normal(4, 2),
    }

    def apply_fn(params, x):
        h = jnp.tanh(conv(x, params["w1"], groups=3))
        h = jax.nn.relu(conv(h, params["w2"]))
        return h.mean((1, 2)) @ params["head"]

    return apply_fn, params


@net("conv_max_pool", 4, 4, 1)
def _(draw):
    params = {"w1": draw.kernel(3, 3, 1, 3), "w2": draw.kernel(2, 2, 3, 4)}

    def apply_fn(params, x):
        h = pool(conv(x, params["w1"]), "max")
        return conv(jnp.tanh(h), params["w2"], padding="VALID")[:, 0, 0]

    return apply_fn, params


@net("conv_channels_first", 2, 5)
def _(draw):
    """One spatial axis, channels before it, kernel (outputs, inputs, width), both dilations."""
    params = {"w1": draw.normal(4, 2, 3, scale=0.4), "w2": draw.normal(3, 4, 2, scale=0.4)}

    def apply_fn(params, x):
        numbers = ("NCH", "OIH", "NCH")
        h = lax.conv_general_dilated(
            x, params["w1"], (1,), ((2, 1),), lhs_dilation=(2,), dimension_numbers=numbers
        )
        h = lax.conv_general_dilated(
            jnp.tanh(h), params["w2"], (3,), "VALID", rhs_dilation=(2,), dimension_numbers=numbers
        )
        return h.sum(2)

    return apply_fn, params


# --- Embeddings and attention ------------------------------------------------------------------


@net("embedding")
def _(draw):
    params = {"table": draw.normal(7, 3, scale=1.0), "head": draw.normal(3, 2)}

    def apply_fn(params, x):
        return jnp.tanh(params["table"][x].sum(1)) @ params["head"]

    return apply_fn, params, draw.integers(0, 6, 3, 5), draw.integers(0, 6, 2, 5)


@net("embedding_clipped")
def _(draw):
    params = {"table": draw.normal(4, 3, scale=1.0)}

    def apply_fn(params, x):
        rows = jnp.take(params["table"], x, axis=0, mode="clip")
        return jnp.tanh(rows).sum(1) ** 2

    return apply_fn, params, draw.integers(0, 6, 3, 5), draw.integers(0, 6, 2, 5)


@net("embedding_filled")
def _(draw):
    params = {"table": draw.normal(4, 3, scale=1.0)}

    def apply_fn(params, x):
        rows = params["table"].at[x].get(mode="fill", fill_value=0.5)
        return jnp.tanh(rows).sum(1) ** 2

    return apply_fn, params, draw.integers(0, 6, 3, 5), draw.integers(0, 6, 2, 5)


def attention(x: Any, query: Any, key: Any, value: Any, out: Any) -> Any:
    """Self-attention; projections (width, heads, head size), ``out`` (heads, head size, width)."""
    q, k, v = (jnp.einsum("ntd,dhe->nthe", x, w) for w in (query, key, value))
    scores = jnp.einsum("nthe,nshe->nhts", q, k) / q.shape[-1] ** 0.5
    mixed = jnp.einsum("nhts,nshe->nthe", jax.nn.softmax(scores), v)
    return jnp.einsum("nthe,hed->ntd", mixed, out)


@net("transformer_tied")
def _(draw):
    params = {
        "table": draw.normal(4, 4, scale=1.0),
        "positions": draw.normal(5, 4, scale=0.3),
        "norm1": (1 + draw.normal(4, scale=0.3), draw.normal(4, scale=0.3)),
        "attention": [draw.normal(4, 2, 2, scale=0.5) for _ in range(3)]
        + [draw.normal(2, 2, 4, scale=0.5)],
        "norm2": (1 + draw.normal(4, scale=0.3), draw.normal(4, scale=0.3)),
        "w1": draw.normal(4, 8),
        "w2": draw.normal(8, 4),
    }

    def apply_fn(params, x):
        h = params["table"][x] + params["positions"]
        h = h + attention(layer_norm(h, *params["norm1"]), *params["attention"])
        h = h + jax.nn.gelu(layer_norm(h, *params["norm2"]) @ params["w1"]) @ params["w2"]
        return h.mean(1) @ params["table"].T

    return apply_fn, params, draw.integers(0, 3, 3, 5), draw.integers(0, 3, 2, 5)


@net("fused_projections", 3, 4)
def _(draw):
    """One matrix holds queries, keys and values; three matmuls use a slice each."""
    params = {"fused": draw.normal(4, 12), "head": draw.normal(4, 2)}

    def apply_fn(params, x):
        q, k, v = (x @ params["fused"][:, i : i + 4] for i in (0, 4, 8))
        mixed = jax.nn.softmax(jnp.einsum("ntd,nsd->nts", q, k) / 2) @ v
        return mixed.mean(1) @ params["head"]

    return apply_fn, params


@net("split_projections", 3, 4)
def _(draw):
    """The same, with one matmul for all three and its result split."""
    params = {"fused": draw.normal(4, 12), "head": draw.normal(4, 2)}

    def apply_fn(params, x):
        q, k, v = jnp.split(x @ params["fused"], 3, axis=-1)
        mixed = jax.nn.softmax(jnp.einsum("ntd,nsd->nts", q, k) / 2) @ v
        return mixed.mean(1) @ params["head"]

    return apply_fn, params


@net("weights_per_head", 6)
def _(draw):
    params = {"w": draw.normal(2, 3, 4), "v": draw.normal(4, 2, 3, scale=0.4)}

    def apply_fn(params, x):
        h = jnp.tanh(jnp.einsum("nhi,hij->njh", x.reshape(-1, 2, 3), params["w"]))
        return jnp.einsum("jho,njh->no", params["v"], h)

    return apply_fn, params


# --- Shared weights ----------------------------------------------------------------------------


@net("tied_autoencoder", 3)
def _(draw):
    return lambda params, x: jnp.tanh(x @ params) @ params.T, draw.normal(3, 2)


@net("shared_weights", 3)
def _(draw):
    params = {
        "w": draw.normal(3, 3),
        "unused": draw.normal(2, 2),
        "v": draw.normal(3, 2),
        "b": draw.normal(2, scale=1.0),
    }

    def apply_fn(params, x):
        w = params["w"]
        h = jnp.tanh(x @ w)
        h = jnp.tanh(h @ w.T) + jnp.tanh(h @ w**2)
        pairs = (h[:, :, None] * x[:, None, :]).reshape(-1, 9)
        h = h + pairs @ w.reshape(9, 1)
        for _ in range(3):
            h = jnp.tanh(h @ w + x)
        return h @ params["v"] + params["b"]

    return apply_fn, params


@net("rnn_loop", 4, 2)
def _(draw):
    params = {"wx": draw.normal(2, 4), "wh": draw.normal(4, 4), "head": draw.normal(4, 2)}

    def apply_fn(params, x):
        h = jnp.zeros((x.shape[0], 4), x.dtype)
        for t in range(x.shape[1]):
            h = jnp.tanh(x[:, t] @ params["wx"] + h @ params["wh"])
        return h @ params["head"]

    return apply_fn, params


def _scanned(params, x, reverse):
    def step(h, x_t):
        h = jnp.tanh(x_t @ params["wx"] + h @ params["wh"])
        return h, h @ params["head"]

    zero = jnp.zeros((x.shape[0], 4), x.dtype)
    return lax.scan(step, zero, jnp.moveaxis(x, 1, 0), reverse=reverse)[1].sum(0)


@net("rnn_scan", 4, 2)
def _(draw):
    params = {"wx": draw.normal(2, 4), "wh": draw.normal(4, 4), "head": draw.normal(4, 2)}
    return lambda params, x: _scanned(params, jnp.asarray(x), False), params


@net("rnn_scan_reversed", 4, 2)
def _(draw):
    params = {"wx": draw.normal(2, 4), "wh": draw.normal(4, 4), "head": draw.normal(4, 2)}
    return lambda params, x: _scanned(params, jnp.asarray(x), True), params


@net("layers_scan", 4)
def _(draw):
    params = {"w": draw.normal(3, 4, 4), "b": draw.normal(3, 4, scale=0.1)}

    def apply_fn(params, x):
        def layer(h, wb):
            return jnp.tanh(h @ wb[0] + wb[1]), None

        return lax.scan(layer, jnp.asarray(x), (params["w"], params["b"]))[0]

    return apply_fn, params


@net("layers_indexed", 4)
def _(draw):
    """Stacked layers, one row of the stack at a time; the first is used twice."""
    params = draw.normal(3, 4, 4)

    def apply_fn(params, x):
        for w in (*params, params[0]):
            x = jnp.tanh(x @ w)
        return x[:, :2]

    return apply_fn, params


@net("overlapping_slices", 4)
def _(draw):
    params = {"w": draw.normal(4, 6)}

    def apply_fn(params, x):
        return jnp.tanh(x @ params["w"][:, :4]) * jnp.tanh(x @ params["w"][:, 2:])

    return apply_fn, params


# --- What surrounds a parameter ----------------------------------------------------------------


def _cast(draw, dtype):
    """Small integers: every number of the kernel is exact in bfloat16."""
    params = {
        "w1": draw.integers(-2, 2, 3, 4).astype(np.float64),
        "w2": draw.integers(-2, 2, 4, 2).astype(np.float64),
    }

    def apply_fn(params, x):
        h = jax.nn.relu(jnp.asarray(x).astype(dtype) @ params["w1"].astype(dtype))
        return (h @ params["w2"].astype(dtype)).astype(params["w2"].dtype)

    x1, x2 = (draw.integers(-1, 1, n, 3).astype(np.float64) for n in (3, 2))
    return apply_fn, params, x1, x2


@net("cast_bfloat16")
def _(draw):
    return _cast(draw, jnp.bfloat16)


@net("cast_float32")
def _(draw):
    return _cast(draw, jnp.float32)


@net("views", 4)
def _(draw):
    """Reshapes, reversals, transpositions, signs and scalar scales before the matmul."""
    params = {"w1": draw.normal(6, 4, scale=0.5), "w2": draw.normal(3, 2, 2, scale=0.5)}

    def apply_fn(params, x):
        w1 = -2.0 * jnp.flip(params["w1"].reshape(2, 3, 4), 1).transpose(2, 1, 0)
        h = jnp.tanh(jnp.einsum("ni,ijk->nkj", x, w1 / 3))
        w2 = params["w2"][None].reshape(6, 2)
        return h.reshape(-1, 6) @ (w2 * 0.7)

    return apply_fn, params


@net("concatenated", 4)
def _(draw):
    params = {"a": draw.normal(2, 5), "b": draw.normal(2, 5), "head": draw.normal(5, 2)}

    def apply_fn(params, x):
        w = jnp.concatenate([params["a"], params["b"]], 0)
        return jnp.tanh(x @ w) @ params["head"]

    return apply_fn, params


@net("jitted_block", 4)
def _(draw):
    params = [draw.normal(4, 4), draw.normal(4, 4), draw.normal(4, 2)]
    block = jax.jit(lambda w, x: jnp.tanh(x @ w))
    return lambda params, x: block(params[1], block(params[0], x)) @ params[2], params


@net("checkpoint", 4)
def _(draw):
    params = [draw.normal(4, 4), draw.normal(4, 4), draw.normal(4, 2)]

    def apply_fn(params, x):
        block = jax.checkpoint(lambda w, x: jnp.tanh(x @ w))
        return block(params[1], block(params[0], x)) @ params[2]

    return apply_fn, params


@jax.custom_jvp
def _cube(x):
    return x**3


_cube.defjvp(lambda primals, tangents: (_cube(*primals), 3 * primals[0] ** 2 * tangents[0]))


@net("custom_jvp", 4)
def _(draw):
    params = [draw.normal(4, 4), draw.normal(4, 2)]
    return lambda params, x: _cube(x @ params[0]) @ params[1], params


@jax.custom_vjp
def _double_gradient(x):
    return jnp.tanh(x)


_double_gradient.defvjp(lambda x: (jnp.tanh(x), x), lambda x, g: (2 * g * (1 - jnp.tanh(x) ** 2),))


@net("custom_vjp", 4)
def _(draw):
    """A backward pass that is twice the derivative."""
    params = [draw.normal(4, 4), draw.normal(4, 2)]
    return lambda params, x: _double_gradient(x @ params[0]) @ params[1], params


@net("cond", 4)
def _(draw):
    params = [draw.normal(4, 4), draw.normal(4, 2)]

    def apply_fn(params, x):
        true = jnp.asarray(True)
        h = lax.cond(true, lambda w: jnp.tanh(x @ w), lambda w: 2 * (x @ w), params[0])
        return h @ params[1]

    return apply_fn, params


# --- PyTrees and shapes ------------------------------------------------------------------------


@dataclasses.dataclass
class Layers:
    """Parameters in a class of one's own."""

    first: Any
    second: Any


jax.tree_util.register_pytree_node(
    Layers, lambda p: ((p.first, p.second), None), lambda _, children: Layers(*children)
)


@net("params_dataclass", 4)
def _(draw):
    params = Layers((draw.normal(4, 4),), [draw.normal(4, 2), draw.normal(2, scale=1.0)])

    def apply_fn(params, x):
        return jnp.tanh(x @ params.first[0]) @ params.second[0] + params.second[1]

    return apply_fn, params


@net("integer_and_none", 4)
def _(draw):
    params = {"w": draw.normal(4, 3), "step": np.int32(3), "bias": None}
    return lambda params, x: jnp.tanh(x @ params["w"]) * params["step"], params


@net("input_tree")
def _(draw):
    params = {"w": draw.normal(4, 3), "b": draw.normal(3, scale=1.0)}

    def apply_fn(params, x):
        h = jnp.tanh(x["tokens"] @ params["w"] + params["b"])
        return (h * x["mask"][:, :, None]).sum(1)

    x1, x2 = (
        {"tokens": draw.normal(n, 3, 4, scale=1.0), "mask": draw.integers(0, 1, n, 3)}
        for n in (3, 2)
    )
    return apply_fn, params, x1, x2


@net("extra_output_axes", 3, 4)
def _(draw):
    params = [draw.normal(4, 5), draw.normal(5, 2)]
    return lambda params, x: jnp.tanh(x @ params[0]).cumsum(1) @ params[1], params


@net("scalar_output", 4)
def _(draw):
    params = [draw.normal(4, 5), draw.normal(5, scale=1.0)]
    return lambda params, x: jnp.tanh(x @ params[0]) @ params[1], params


@net("output_dict", 4)
def _(draw):
    params = {"w": draw.normal(4, 5), "mean": draw.normal(5, 3), "scale": draw.normal(5, 1)}

    def apply_fn(params, x):
        h = jnp.tanh(x @ params["w"])
        return {"mean": h @ params["mean"], "scale": (jnp.exp(h @ params["scale"])[:, 0],)}

    return apply_fn, params
