"""From signals on the rotation group to signals on the sphere: the last layer of a segmentation.

A correlation ``Z^l_{mn}`` on the rotation group becomes a signal on the sphere by a weighted sum
over n, ``Z^l_m = Σ_n conj(w_{ln}) Z^l_{mn}``, which no rotation touches:

===============  ========================================  =============================
``"sum"``        ``w_{ln} = 1`` for even n                 the paper's layer
``"integrate"``  ``w_{ln} = 1`` for n = 0                  the mean over γ
``"learned"``    free, ``w_{l,−n} = (−1)^n conj(w_{ln})``  any real layer of this kind
===============  ========================================  =============================

The paper sums over all n and keeps the real part of the signal: the odd n are what it drops, since
``Z^l_{−m,−n} = (−1)^{m−n} conj(Z^l_{mn})``. With the kernel summed before the product,
``y^l_k = Σ_n w_{ln} Y^l_{nk}``, the layer costs O(L³) instead of O(L⁴) and is real by construction.

Source: Gerken et al., *Equivariance versus Augmentation for Spherical Images*, ICML 2022.
"""

import functools
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_choice, check_integer, check_key, check_shape, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical._layers import (
    add_bias,
    batch_first,
    channels_last,
    check_layer,
    conv_init,
    layer_scale,
)
from jaxlab.spherical._products import so3_to_s2_product
from jaxlab.spherical._real_transforms import s2_inverse, so3_forward
from jaxlab.spherical.kernel_grids import KernelGrid
from jaxlab.spherical.kernels import KernelTables, kernel_parts
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.types import Dft, SO3ToS2Mode

__all__ = ["SO3ToS2Params", "so3_to_s2_apply", "so3_to_s2_init"]


class SO3ToS2Params(NamedTuple):
    """Parameters of the layer.

    Attributes:
        kernel: values ``κ`` at the kernel's points, ``[C_in, C_out, n_points]``, of order 1.
        bias: added to each output channel, in the units of the signal.
        weights: real and imaginary part of ``w_{ln}``, ``n ≥ 0``, at ``[l, n]``; None unless the
            mode is ``"learned"``. Entries with ``n > l`` and imaginary parts at ``n = 0`` have no
            effect.
    """

    kernel: Float[Array, "i o p"]
    bias: Float[Array, " o"]
    weights: Float[Array, "l n 2"] | None = None


def so3_to_s2_init(
    key: Key[Array, ""],
    channels_in: int,
    channels_out: int,
    kgrid: KernelGrid,
    dtype: Any = jnp.float32,
    *,
    mode: SO3ToS2Mode = "sum",
    L: int | None = None,
) -> SO3ToS2Params:
    """Start values: ``κ ~ U(−1, 1)``, no bias, and the weights of ``"sum"`` where they are learned.

    Args:
        key: PRNG key.
        channels_in: number of channels of the input.
        channels_out: number of channels of the output.
        kgrid: points of the kernel, on the rotation group.
        dtype: of the parameters.
        mode: how the sum over n is weighted.
        L: number of degrees of the layer's tables, for ``"learned"`` only.

    Returns:
        The parameters.

    Raises:
        ValueError: if a number is below 1, ``kgrid`` is of the sphere, the mode is unknown, or
            ``L`` is missing or not needed.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> so3_to_s2_init(jax.random.key(0), 3, 11, near_identity_so3()).kernel.shape
        (3, 11, 192)
    """
    check_key("key", key)
    require(bool(kgrid.gamma), "kgrid", kgrid, "points on the rotation group")
    check_choice("mode", mode, get_args(SO3ToS2Mode))
    weights = None
    if mode == "learned":
        check_integer("L", L, minimum=1)
        even = (jnp.arange(L) % 2 == 0).astype(dtype)
        weights = jnp.zeros((L, L, 2), dtype).at[..., 0].set(even)
    else:
        require(L is None, "L", L, f"None in mode {mode!r}")
    return SO3ToS2Params(*conv_init(key, channels_in, channels_out, kgrid.n_points, dtype), weights)


@functools.partial(jax.jit, static_argnames=("mode", "num_buckets", "fft"))
def so3_to_s2_apply(
    params: SO3ToS2Params,
    x: Float[Array, "*batch c k i j"],
    tables_in: SO3Tables,
    tables_out: S2Tables,
    kernel_tables: KernelTables,
    *,
    mode: SO3ToS2Mode = "sum",
    num_buckets: int | None = None,
    fft: Dft | None = None,
) -> Float[Array, "*batch o l m"]:
    """Correlation on the rotation group, summed to a signal on the sphere.

    ``Z^l_{m,o} = s Σ_{i,k} X^l_{mk,i} conj(Σ_n w_{ln} Y^l_{nk,io})``,
    ``s = 1/√(n_points · C_in · b_out³/b_in³)``.

    Args:
        params: from :func:`so3_to_s2_init`, in the same mode.
        x: signals ``[..., C_in, β, γ, α]``.
        tables_in: from :func:`~jaxlab.spherical.make_layer_tables`, as the two following.
        tables_out: of the output's grid.
        kernel_tables: of the kernel.
        mode: how the sum over n is weighted.
        num_buckets: as in :func:`~jaxlab.spherical.so3_conv_apply`.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals ``[..., C_out, β, α]`` in the dtype of ``x``.

    Raises:
        ValueError: if tables are of other degrees, kinds or sizes than each other, ``x`` or
            ``params``, ``x`` is not floating or more precise than ``tables_in``, or the parameters
            are not of ``mode``.

    Cost:
        Of the transforms; and O(C_in C_out L³) an entry of the batch.

    Source:
        Gerken et al. 2022, for mode ``"sum"``.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> from jaxlab.spherical.layer_tables import make_layer_tables
        >>> kgrid = near_identity_so3()
        >>> tables = make_layer_tables("so3_to_s2", 2, 4, kgrid)
        >>> params = so3_to_s2_init(jax.random.key(0), 1, 3, kgrid)
        >>> so3_to_s2_apply(params, jnp.ones((5, 1, 4, 4, 4)), *tables).shape
        (5, 3, 8, 8)
    """
    check_choice("mode", mode, get_args(SO3ToS2Mode))
    check_layer(params, x, tables_in, tables_out, kernel_tables, (SO3Tables, S2Tables))
    fits = (params.weights is not None) == (mode == "learned")
    require(fits, "params.weights", params.weights, f"those of mode {mode!r}")
    X, batch = channels_last(so3_forward, x, tables_in, fft)
    scale = layer_scale(params, (tables_in.b / tables_out.b) ** 3)
    y = _summed(scale * params.kernel.swapaxes(0, 1), params.weights, kernel_tables, mode)
    Z = so3_to_s2_product(X, y, num_buckets=num_buckets)
    y = s2_inverse(add_bias(Z, params.bias), tables_out, fft)
    return batch_first(y, batch, x.dtype)


def _summed(
    kappa: Float[Array, "o i p"],
    weights: Float[Array, "l n 2"] | None,
    kernel_tables: KernelTables,
    mode: SO3ToS2Mode,
) -> Float[Array, "k 2 l o i"]:
    """``y^l_k = Σ_n w_{ln} Y^l_{nk}`` for ``k ≥ 0``."""
    rows = {"sum": slice(0, None, 2), "integrate": slice(0, 1), "learned": slice(None)}[mode]
    Y = kernel_parts(kappa, kernel_tables, rows)
    # the terms of −n are those of n, conjugate, at −k: each n ≥ 0 counts once more, n = 0 half
    if weights is None:
        half = 0.5 * Y[0] + Y[1:].sum(axis=0)
    else:
        check_shape("params.weights", weights, (kernel_tables.L, kernel_tables.L, 2))
        w = weights.astype(Y.dtype) * np.where(np.arange(kernel_tables.L) == 0, 0.5, 1.0)[:, None]
        real, imag = w[..., 0], w[..., 1] * (np.arange(kernel_tables.L) > 0)
        turn = jnp.array([[real, -imag], [imag, real]])  # [part, part, l, n]
        half = jnp.einsum("dcln,nkcloi->kdloi", turn, Y, precision=EXACT)
    middle = kernel_tables.n_max - 1
    sign = np.where(np.arange(kernel_tables.n_max) % 2 == 0, 1, -1)[:, None] * np.array([1, -1])
    mirrored = jnp.flip(half[: middle + 1], axis=0)
    return half[middle:] + mirrored * sign[..., None, None, None].astype(half.dtype)
