"""Kernels on images, and networks trained on few of them."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxlab.convolutions import canonical_convolutions
from jaxlab.experiments.ntk.descent import half_mse
from jaxlab.experiments.ntk.networks import Network, Parametrisation, cnn, mlp
from jaxlab.ntk import batched, ntk_fn
from jaxlab.ntk.analytic import fully_connected

__all__ = ["KERNELS", "NETWORKS", "KernelName", "NetworkName", "Sizes", "kernels", "train_network"]

KernelName = Literal["linear", "rbf", "nngp", "ntk_infinite", "ntk_mlp", "ntk_cnn"]
NetworkName = Literal["mlp", "cnn"]

KERNELS: Mapping[KernelName, str] = {
    "linear": "linear kernel",
    "rbf": "RBF kernel",
    "nngp": "NNGP kernel, infinite MLP",
    "ntk_infinite": "NTK, infinite MLP",
    "ntk_mlp": "NTK, finite MLP",
    "ntk_cnn": "NTK, finite CNN",
}
NETWORKS: Mapping[NetworkName, str] = {"mlp": "trained MLP", "cnn": "trained CNN"}


class Sizes(NamedTuple):
    """Both networks.

    Attributes:
        hidden: units of every hidden layer of the MLP.
        channels: of every convolution of the CNN, 3×3.
        pool: side of the windows averaged before its dense head.
        weight_std: deviation σ_w.
        bias_std: deviation σ_b.
        tile: most examples along a side of a tile of a finite network's kernel.
    """

    hidden: tuple[int, ...]
    channels: tuple[int, ...]
    pool: int
    weight_std: float
    bias_std: float
    tile: int

    def network(
        self, name: NetworkName, image: tuple[int, ...], outputs: int, kind: Parametrisation
    ) -> Network:
        """The MLP or the CNN for images of this shape."""
        options: dict[str, Any] = {
            "parametrisation": kind,
            "weight_std": self.weight_std,
            "bias_std": self.bias_std,
        }
        if name == "mlp":
            height, width, colours = image
            return mlp((height * width * colours, *self.hidden, outputs), **options)
        height, width, colours = image
        return cnn((height, width, colours), self.channels, outputs, pool=self.pool, **options)


@functools.partial(jax.jit, static_argnums=(0, 1, 4))
def kernels(
    name: KernelName, sizes: Sizes, x: Array, x_test: Array, outputs: int, key: Array
) -> tuple[Float[Array, "n n"], Float[Array, "m n"]]:
    """Kernel of the training images, and of test and training images.

    ``"linear"`` is ``σ_w² x·x'/d + σ_b²``; ``"rbf"`` is ``exp(−‖x − x'‖²/s)`` with ``s`` the median
    of the squared distances of different training images; ``"nngp"`` and ``"ntk_infinite"`` are
    closed forms of an MLP as deep as ``sizes.hidden``; the rest are NTKs of one network of random
    parameters, averaged over its outputs.
    """
    rows, rows_test = x.reshape(len(x), -1), x_test.reshape(len(x_test), -1)
    if name == "rbf":
        squares = _squared_distances(rows, rows)
        width = jnp.median(squares[jnp.triu_indices(len(x), 1)])
        return jnp.exp(-squares / width), jnp.exp(-_squared_distances(rows_test, rows) / width)
    if name in ("ntk_mlp", "ntk_cnn"):
        network = sizes.network("mlp" if name == "ntk_mlp" else "cnn", x.shape[1:], outputs, "ntk")
        params = network.init(key)
        kernel = batched(ntk_fn(network.apply, trace_axes=(-1,), vmap_axes=0), sizes.tile)
        return kernel(x, None, params), kernel(x_test, x, params)
    closed: Callable[..., Any] = functools.partial(
        fully_connected,
        depth=0 if name == "linear" else len(sizes.hidden),
        sigma_w=sizes.weight_std,
        sigma_b=sizes.bias_std,
        get=("ntk",) if name == "ntk_infinite" else ("nngp",),
    )
    train, test = closed(rows), closed(rows_test, rows)
    if name == "ntk_infinite":
        return train.ntk, test.ntk
    return train.nngp, test.nngp


def _squared_distances(a: Array, b: Array) -> Array:
    product = jnp.matmul(a, b.T, precision="highest")
    squares = jnp.sum(a * a, 1)[:, None] - 2 * product + jnp.sum(b * b, 1)
    return jnp.maximum(squares, 0)


@functools.partial(jax.jit, static_argnames=("network", "steps", "batch", "learning_rate"))
def train_network(
    network: Network,
    key: Array,
    x: Array,
    y: Array,
    n: int | Array,
    x_test: Array,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
) -> tuple[Array, Array]:
    """Train on the first ``n`` images by Adam on ``½ mean((f − y)²)``.

    The last layer starts at zero: so do the outputs, as those of regression with a kernel, and not
    at random values larger than the targets. Batches are drawn with replacement, so that one
    compiled loop serves every ``n``.

    Returns:
        Outputs on ``x_test`` after training, and the loss of every step.
    """
    of_params, of_batches = jax.random.split(key)
    *lower, head = network.init(of_params)
    params = [*lower, jax.tree.map(jnp.zeros_like, head)]
    optimizer = optax.adam(learning_rate)

    def step(state: tuple[Any, Any], key: Array) -> tuple[tuple[Any, Any], Array]:
        params, moments = state
        chosen = jax.random.randint(key, (batch,), 0, n)
        loss, gradient = jax.value_and_grad(
            lambda params: half_mse(network.apply(params, x[chosen]), y[chosen])
        )(params)
        updates, moments = optimizer.update(gradient, moments)
        return (optax.apply_updates(params, updates), moments), loss

    state = (params, optimizer.init(params))
    loop = canonical_convolutions(functools.partial(jax.lax.scan, step))
    (params, _), losses = loop(state, jax.random.split(of_batches, steps))
    return network.apply(params, x_test), losses
