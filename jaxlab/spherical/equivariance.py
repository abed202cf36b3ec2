"""How far a function of spherical signals is from commuting with rotations.

Source: the measure of Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018, section 5.1,
here relative to the part of the output that varies.
"""

from collections.abc import Callable
from typing import Any, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, check_shape, require
from jaxlab.spherical.rotation import Rotation
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2, rotate_so3
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis, so3_analysis, so3_synthesis
from jaxlab.spherical.types import OutputKind

__all__ = ["equivariance_error"]

ROUNDING = 8  # what varies by so many units of the last place does not


def equivariance_error(
    fn: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    x: Float[Array, "*batch k j"],
    rotation: Rotation,
    *,
    tables: S2Tables,
    kind: OutputKind = "s2",
    out_tables: S2Tables | SO3Tables | None = None,
) -> Float[Array, ""]:
    """Relative error of equivariance, ``‖f(Qx) − Qf(x)‖ / ‖f(x) − mean f(x)‖``.

    Input and output are rotated in the spectrum, so that nothing is interpolated: a linear
    equivariant layer has an error of rounding size. The norms are those of L², by quadrature, over
    all batch axes and channels together.

    Args:
        fn: from signals ``[..., β, α]``, of the shape of ``x``, to what ``kind`` says.
        x: signals on the grid of ``tables``; their part of fewer than ``tables.L`` degrees is used.
        rotation: ``Q``, one or many; its axes are matched with the batch axes of ``x`` from the
            first, as in :func:`~jaxlab.spherical.rotate_s2`.
        tables: of the input's grid.
        kind: ``"s2"``: ``fn`` returns signals on the sphere, ``[..., β, α]``; ``"so3"``: on the
            rotation group, ``[..., β, γ, α]``; ``"invariant"``: ``[batch, ...]``, which no rotation
            should change, such as the scores of classes.
        out_tables: of the output's grid; None takes ``tables`` for ``"s2"``. What the output holds
            beyond its degrees cannot be rotated and counts as error.

    Returns:
        The error. The mean that is taken off is each signal's over its domain, and for
        ``"invariant"`` the one over the first axis. NaN where no signal of ``f(x)`` varies by more
        than rounding.

    Raises:
        ValueError: for an unknown kind, no signals, an output of another shape than ``out_tables``
            says, or tables that do not fit the kind.

    Cost:
        Two evaluations of ``fn``, two transforms of the input and of the output, two rotations.

    Example:
        >>> import jax
        >>> from jaxlab.spherical import make_s2_tables
        >>> tables = make_s2_tables(4, 4)
        >>> x = jax.random.normal(jax.random.key(0), tables.shape)
        >>> Q = (0.3, 1.2, -0.5)
        >>> bool(equivariance_error(lambda x: 2 * x, x, Q, tables=tables) < 1e-5)
        True
        >>> bool(equivariance_error(jax.nn.relu, x, Q, tables=tables) > 1e-2)
        True
    """
    check_choice("kind", kind, get_args(OutputKind))
    out_tables = _output_tables(kind, tables, out_tables)
    X = s2_analysis(x, tables)
    require(x.size > 0, "x", x, "a signal or more")
    turned = rotate_s2(X, rotation)
    X = S2Spectrum(jnp.broadcast_to(_leading(X.coeffs, turned.coeffs.ndim), turned.coeffs.shape))
    before, after = fn(s2_synthesis(X, tables)), fn(s2_synthesis(turned, tables))
    if out_tables is None:
        require(
            before.ndim > 0 and before.shape[0] > 1, "fn", before, "outputs of 2 signals or more"
        )
        weights = jnp.full((), 1 / before.shape[0], before.dtype)
        before, after = _centred(before, after, weights, (0,))
        return _ratio(after - before, before, weights)
    check_shape("fn", before, ("...", *out_tables.shape))
    weights = out_tables.weights.reshape(-1, *(1,) * (len(out_tables.shape) - 1))
    before, after = _centred(before, after, weights, tuple(range(-len(out_tables.shape), 0)))
    if isinstance(out_tables, SO3Tables):
        turned_output = rotate_so3(so3_analysis(before, out_tables), rotation)
        expected = so3_synthesis(turned_output, out_tables)
    else:
        turned_signal = rotate_s2(s2_analysis(before, out_tables), rotation)
        expected = s2_synthesis(turned_signal, out_tables)
    return _ratio(after - expected, before, weights)


def _output_tables(
    kind: OutputKind, tables: S2Tables, out_tables: S2Tables | SO3Tables | None
) -> S2Tables | SO3Tables | None:
    if kind == "invariant":
        require(out_tables is None, "out_tables", out_tables, "None for kind 'invariant'")
        return None
    if kind == "so3":
        fits = isinstance(out_tables, SO3Tables)
        require(fits, "out_tables", type(out_tables), "SO3Tables for kind 'so3'")
        return out_tables
    out_tables = tables if out_tables is None else out_tables
    fits = isinstance(out_tables, S2Tables)
    require(fits, "out_tables", type(out_tables), "S2Tables for kind 's2'")
    return out_tables


def _leading(coeffs: Any, ndim: int) -> Any:
    """Axes of size 1 after the batch axes of S² coefficients, up to ``ndim``."""
    missing = (1,) * (ndim - coeffs.ndim)
    return coeffs.reshape(coeffs.shape[:-2] + missing + coeffs.shape[-2:])


def _centred(
    before: Float[Array, "..."],
    after: Float[Array, "..."],
    weights: Float[Array, "..."],
    axes: tuple[int, ...],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Both without the means of ``before``, which is 0 where it varies by rounding alone."""
    size = jnp.abs(before).max(axis=axes, keepdims=True)
    for _ in range(2):  # the second time for what rounding left of a large mean
        mean = (before * weights).sum(axis=axes, keepdims=True)
        before, after = before - mean, after - mean
    varies = jnp.abs(before).max(axis=axes, keepdims=True) > (
        ROUNDING * jnp.finfo(before.dtype).eps * size
    )
    return jnp.where(varies, before, 0), after


def _ratio(
    difference: Float[Array, "..."], signals: Float[Array, "..."], weights: Float[Array, "..."]
) -> Float[Array, ""]:
    """Norm of the difference over that of the signals; NaN where these are 0."""
    largest = jnp.abs(signals).max()
    unit = jnp.where(largest > 0, largest, 1)  # squares would leave float32 long before the signal
    difference, signals = difference / unit, signals / unit
    ratio = jnp.sqrt((weights * difference**2).sum() / (weights * signals**2).sum())
    return jnp.where(largest > 0, ratio, jnp.nan)
