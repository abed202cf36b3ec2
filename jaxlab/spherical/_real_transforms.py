"""The transforms in real arithmetic, with the signals on the innermost axes.

Spectra are real and imaginary parts, ``[m, 2, l, ...]`` on the sphere and ``[m, n, 2, l, ...]`` on
the rotation group, where ``...`` are the leading axes of the signals. In this layout every stage of
a transform, and of the products between spectra, is a small matrix times a long one. The public
transforms and the layers both stand on it; the layers never form a complex number.

The long matrix has signals and colatitudes on one axis, which no sharding of the signals alone
describes. Signals that come split along explicit axes of a mesh, as ``jax.make_mesh`` makes them,
are therefore transformed by each device apart, and stay split along the axes of the batch; what
splits a grid is gathered, and ``jax.vmap`` over an axis that is split asks for
``jax.sharding.auto_axes``. Along automatic axes ``jax.jit`` gathers them, and the devices are to be
given their shares by ``jax.shard_map``. With the axes apart it would not gather; but on CPUs the
derivatives of such products are transposed, and take up to twice as long.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from jaxlab.spherical._azimuths import (
    EXACT,
    s2_orders,
    s2_samples,
    so3_orders,
    so3_samples,
)
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, Spectrum
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.types import Dft

__all__ = [
    "from_parts",
    "s2_forward",
    "s2_inverse",
    "so3_forward",
    "so3_inverse",
    "to_parts",
]


def s2_forward(
    f: Float[Array, "*z k j"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "m 2 l *z"]:
    """``F^l_m = Σ_k w_k d^l_{m0}(β_k) Σ_j f_{kj} exp(−imα_j)``."""
    return _forward(functools.partial(s2_orders, fft=fft), f, tables)


def s2_inverse(
    parts: Float[Array, "m 2 l *z"], tables: S2Tables, fft: Dft | None
) -> Float[Array, "*z k j"]:
    """``f_{kj} = Σ_m exp(imα_j) Σ_l (2l+1) d^l_{m0}(β_k) F^l_m``."""
    return _inverse(functools.partial(s2_samples, fft=fft), parts, tables)


def so3_forward(
    f: Float[Array, "*z k i j"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "m n 2 l *z"]:
    """``F^l_{mn} = Σ_k w_k d^l_{mn}(β_k) Σ_{ij} f_{kij} exp(−imα_j − inγ_i)``."""
    return _forward(functools.partial(so3_orders, fft=fft), f, tables)


def so3_inverse(
    parts: Float[Array, "m n 2 l *z"], tables: SO3Tables, fft: Dft | None
) -> Float[Array, "*z k i j"]:
    """``f_{kij} = Σ_{mn} exp(imα_j + inγ_i) Σ_l (2l+1) d^l_{mn}(β_k) F^l_{mn}``."""
    return _inverse(functools.partial(so3_samples, fft=fft), parts, tables)


def to_parts(F: S2Spectrum | SO3Spectrum) -> Float[Array, "..."]:
    """The layout of this module, of a spectrum."""
    parts = jnp.stack([F.coeffs.real, F.coeffs.imag])
    if isinstance(F, S2Spectrum):
        return jnp.moveaxis(parts, (-1, 0, -2), (0, 1, 2))
    return jnp.moveaxis(parts, (-2, -1, 0, -3), (0, 1, 2, 3))


def from_parts(parts: Float[Array, "..."], kind: type[Spectrum]) -> Spectrum:
    """The spectrum of the given kind out of this module's layout."""
    if kind is S2Spectrum:
        parts = jnp.moveaxis(parts, (1, 2, 0), (0, -2, -1))
    else:
        parts = jnp.moveaxis(parts, (2, 3, 0, 1), (0, -3, -2, -1))
    return kind(jax.lax.complex(parts[0], parts[1]))


# --- signals of any batch, on one device or many -------------------------------------------------


def _forward(
    to_orders: Callable[..., Float[Array, "... 2 k z"]],
    f: Float[Array, "..."],
    tables: S2Tables | SO3Tables,
) -> Float[Array, "..."]:
    grid = len(tables.shape)

    def transform(f: Float[Array, "..."], tables: S2Tables | SO3Tables) -> Float[Array, "..."]:
        batch = f.shape[: f.ndim - grid]
        f = f.astype(tables.d.dtype).reshape(math.prod(batch), *tables.shape)
        parts = _to_degrees(tables, to_orders(f, tables))
        return parts.reshape(*parts.shape[:-1], *batch)

    names = jax.typeof(f).sharding.spec[: f.ndim - grid]
    return _of_own_signals(transform, f, tables, names, (*(None,) * (grid + 1), *names))


def _inverse(
    to_samples: Callable[..., Float[Array, "z ..."]],
    parts: Float[Array, "..."],
    tables: S2Tables | SO3Tables,
) -> Float[Array, "..."]:
    orders = len(tables.shape) + 1

    def transform(parts: Float[Array, "..."], tables: S2Tables | SO3Tables) -> Float[Array, "..."]:
        batch = parts.shape[orders:]
        parts = parts.reshape(*parts.shape[:orders], math.prod(batch))
        return to_samples(_to_colatitudes(tables, parts), tables).reshape(*batch, *tables.shape)

    names = jax.typeof(parts).sharding.spec[orders:]
    return _of_own_signals(transform, parts, tables, (*(None,) * orders, *names), names)


def _of_own_signals(
    transform: Callable[..., Float[Array, "..."]],
    signals: Float[Array, "..."],
    tables: S2Tables | SO3Tables,
    taken: tuple[Any, ...],
    given: tuple[Any, ...],
) -> Float[Array, "..."]:
    """``transform(signals, tables)``, by each device of its own where explicit axes split them.

    ``taken`` and ``given`` name the axes that split the batch before the transform and after it.
    """
    sharding = jax.typeof(signals).sharding
    if all(name is None for name in sharding.spec):
        return transform(signals, tables)
    mesh, own = sharding.mesh, PartitionSpec(*taken)
    signals = jax.sharding.reshard(signals, NamedSharding(mesh, own))
    axes = set(jax.tree.leaves(taken))
    if not axes:
        return transform(signals, tables)
    run = jax.shard_map(
        transform,
        mesh=mesh,
        in_specs=(own, PartitionSpec()),
        out_specs=PartitionSpec(*given),
        axis_names=axes,
    )
    return run(signals, tables)


# --- between colatitudes and degrees ----------------------------------------------------------
#
# Many signals are multiplied by a scaled copy of the table for each part. Few signals are less to
# copy than the table is: they are scaled, and laid out so that it is read as it lies.


def _to_degrees(
    tables: S2Tables | SO3Tables, orders: Float[Array, "... 2 k z"]
) -> Float[Array, "... 2 l z"]:
    """``Σ_k w_k d^l_{mn}(β_k) X_{mn}(β_k)`` of orders ``[m, 2, k, z]``, or ``[m, n, …]``."""
    if _are_few(orders, tables):
        columns = _as_table(orders * tables.weights[:, None]).swapaxes(-3, -2)
        product = jnp.einsum("...lk,...kcz->...lcz", tables.d, columns, precision=EXACT)
        return _as_table(product.swapaxes(-3, -2))
    return jnp.matmul(_for_each_part(tables.d * tables.weights), orders, precision=EXACT)


def _to_colatitudes(
    tables: S2Tables | SO3Tables, parts: Float[Array, "... 2 l z"]
) -> Float[Array, "... 2 k z"]:
    """``Σ_l (2l+1) d^l_{mn}(β_k) F^l_{mn}`` of spectra ``[m, 2, l, z]``, or ``[m, n, …]``."""
    dimensions = (2 * np.arange(tables.L) + 1)[:, None].astype(np.float32)
    if _are_few(parts, tables):
        rows = _as_table(parts * dimensions)
        product = jnp.einsum("...lk,...clz->...czk", tables.d, rows, precision=EXACT)
        return _as_table(product.mT)
    return jnp.matmul(_for_each_part((tables.d * dimensions).mT), parts, precision=EXACT)


def _are_few(signals: Float[Array, "... z"], tables: S2Tables | SO3Tables) -> bool:
    count = signals.shape[-1]
    return isinstance(count, int) and 2 * count < tables.L  # a symbolic size counts as many


def _as_table(signals: Float[Array, "m ... 2 p z"]) -> Float[Array, "... m 2 p z"]:
    """Orders ``m`` and ``n``, where there are both, the other way round."""
    return jnp.moveaxis(signals, 0, -4)


def _for_each_part(d: Float[Array, "... m p q"]) -> Float[Array, "m ... 2 p q"]:
    """The same matrix for real and imaginary part, which makes them axes of a batch."""
    d = jnp.moveaxis(d, -3, 0)[..., None, :, :]
    return jnp.broadcast_to(d, (*d.shape[:-3], 2, *d.shape[-2:]))
