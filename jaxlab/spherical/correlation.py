"""Rotational matching: which rotation takes one signal on the sphere to another.

The correlation of ``F`` with every rotated copy of ``G`` is a signal on the rotation group,

    c(R) = ∫ F(x) G(R⁻¹x) dx,      C^l_{mn} = F^l_m conj(G^l_n),

so that one synthesis evaluates it on a whole grid of rotations. Its maximum is the rotation that
takes ``G`` nearest to ``F`` in the mean square.

Source: Kovacs and Wriggers, *Fast rotational matching*, 2002; Makadia and Daniilidis, *Rotation
recovery from spherical images without correspondences*, 2006.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from jaxlab.checks import check_dtype, check_integer, check_shape, require
from jaxlab.spherical.grids import colatitudes
from jaxlab.spherical.rotation import (
    EulerAngles,
    Rotation,
    as_angles,
    euler_angles,
    from_quaternion,
    rotation_matrix,
)
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, check_spectrum
from jaxlab.spherical.spectral_rotation import all_orders, rotate_s2
from jaxlab.spherical.tables import SO3Tables
from jaxlab.spherical.transforms import EXACT, so3_synthesis
from jaxlab.spherical.types import Grid
from jaxlab.varying import vary_like

__all__ = ["Alignment", "Refinement", "best_rotation", "correlate_s2", "refine_rotation"]


class Alignment(NamedTuple):
    """What :func:`best_rotation` returns.

    Attributes:
        angles: Euler angles of the best rotation of the grid, radians.
        matrix: the same rotation.
        value: correlation there.
    """

    angles: EulerAngles
    matrix: Float[Array, "*batch 3 3"]
    value: Float[Array, "*batch"]


class Refinement(NamedTuple):
    """What :func:`refine_rotation` returns.

    Attributes:
        angles: Euler angles of the rotation, radians.
        matrix: the same rotation.
        value: correlation there.
        step: length of the last step that was proposed, radians: an estimate of what is left.
        converged: whether that step is rounding, below ``√ε`` of the precision.
    """

    angles: EulerAngles
    matrix: Float[Array, "*batch 3 3"]
    value: Float[Array, "*batch"]
    step: Float[Array, "*batch"]
    converged: Bool[Array, "*batch"]


def correlate_s2(F: S2Spectrum, G: S2Spectrum, tables: SO3Tables) -> Float[Array, "*batch k i j"]:
    """Correlation of ``F`` with every rotation of ``G``, ``c(R) = ∫ F(x) G(R⁻¹x) dx``.

    Args:
        F: spectra of the signals to be matched.
        G: spectra of the signals to be rotated; the batch axes broadcast.
        tables: of the grid of rotations, with the degrees of both; a ``tables.n_max`` below ``L``
            leaves orders ``|n| ≥ n_max`` of ``G`` out.

    Returns:
        Samples ``[..., β, γ, α]`` in squared units of the signals. Signals of several channels are
        matched by the sum of the correlations of each.

    Raises:
        ValueError: if ``F`` or ``G`` is no spectrum of the sphere with ``tables.L`` degrees, or
            their batch axes do not broadcast.

    Cost:
        O(L² n_max) and one :func:`~jaxlab.spherical.so3_synthesis` a pair.

    Example:
        >>> from jaxlab.spherical import make_so3_tables
        >>> F = S2Spectrum(jnp.array([[0, 0], [1, 0]], complex))  # 3 cos β
        >>> c = correlate_s2(F, F, make_so3_tables(2, 2))  # 3 cos β again
        >>> [round(float(value), 3) for value in c[:, 0, 0]]
        [2.772, 1.148, -1.148, -2.772]
    """
    require(isinstance(tables, SO3Tables), "tables", type(tables), "SO3Tables")
    for name, spectrum in (("F", F), ("G", G)):
        check_spectrum(name, spectrum, S2Spectrum)
        fits = spectrum.L == tables.L
        require(fits, name, spectrum.coeffs, f"L = {tables.L} degrees, as in tables")
    _check_batches(F, G)
    middle, reach = tables.L - 1, tables.n_max - 1
    right = all_orders(G)[..., middle - reach : middle + reach + 1].conj()
    product = F.coeffs[..., :, None] * right[..., None, :]
    return so3_synthesis(SO3Spectrum(product), tables)


def best_rotation(f: Float[Array, "*batch k i j"], grid: Grid = "soft") -> Alignment:
    """The rotation of the grid at which a signal on the rotation group is largest.

    Args:
        f: samples ``[..., β, γ, α]``, such as the correlations of :func:`correlate_s2`.
        grid: kind of grid.

    Returns:
        The rotation and the value: of the first maximum, if there are several. It is as near as the
        grid is fine: ``π/b`` in α, about half of that in β (on ``"gauss_legendre"`` as much),
        ``π/n_max`` in γ; :func:`refine_rotation` goes on from there.

    Raises:
        ValueError: if the three last axes are no grid of that kind.

    Cost:
        One pass over ``f``.

    Example:
        >>> f = jnp.zeros((4, 4, 4)).at[1, 0, 3].set(1.0)
        >>> [round(float(angle), 3) for angle in best_rotation(f).angles]
        [4.712, 1.178, 0.0]
    """
    check_shape("f", f, ("...", "β", "γ", "α"))
    check_dtype("f", f, "floating")
    rows, columns, size = f.shape[-3:]
    beta = colatitudes(max(size // 2, 1), grid)
    fits = size > 0 and size % 2 == 0 and columns > 0 and rows == beta.size
    require(fits, "f", f, f"axes [..., β, γ, α] of a {grid} grid: 2b longitudes")
    flat = f.reshape(*f.shape[:-3], rows * columns * size)  # −1 would not do for an empty batch
    k, i, j = jnp.unravel_index(flat.argmax(axis=-1), (rows, columns, size))
    dtype = jnp.promote_types(f.dtype, jnp.float32)
    angles = EulerAngles(
        alpha=j * jnp.asarray(2 * np.pi / size, dtype),
        beta=jnp.asarray(beta, dtype)[k],
        gamma=i * jnp.asarray(2 * np.pi / columns, dtype),
    )
    return Alignment(angles, rotation_matrix(*angles), flat.max(axis=-1))


def refine_rotation(
    F: S2Spectrum, G: S2Spectrum, rotation: Rotation, *, steps: int = 10
) -> Refinement:
    """A local maximum of ``c(R) = ∫ F(x) G(R⁻¹x) dx``, by Newton's method from a rotation nearby.

    With the generators ``J`` of rotations, which act on the spectrum as angular momentum does,
    ``∂c/∂ω_a = Re⟨F, −iJ_a RG⟩`` and ``∂²c/∂ω_a∂ω_b = −Re⟨J_a F, J_b RG⟩``, symmetrised: no
    parametrisation of rotations enters, and there is no gimbal lock. A step goes uphill whatever
    the curvature, is at most ``1/L`` long, and is taken only if the correlation does not fall.

    Args:
        F: spectra of the signals to be matched.
        G: spectra of the signals to be rotated, with the batch axes of ``F``.
        rotation: where to start, such as :class:`Alignment`'s ``matrix``: one for all signals, or
            with batch axes that are matched with those of ``F`` from the first, as in
            :func:`~jaxlab.spherical.rotate_s2`.
        steps: number of steps.

    Returns:
        The rotation, with the last step as a measure of convergence.

    Raises:
        ValueError: if ``F`` or ``G`` is no spectrum of the sphere, their shapes differ, ``steps``
            is no integer >= 1, or ``rotation`` is refused by :func:`~jaxlab.spherical.rotate_s2`
            or has more batch axes than ``F``, or larger ones.

    Cost:
        O(L³) a step and signal.

    Example:
        >>> G = S2Spectrum(jnp.array([[0, 0], [1, 0.5 + 0.25j]], complex))
        >>> F = rotate_s2(G, (0.3, 0.2, 0.0))
        >>> found = refine_rotation(F, G, (0.1, 0.1, 0.0))
        >>> bool(found.converged)
        True
    """
    check_integer("steps", steps, minimum=1)
    check_spectrum("F", F, S2Spectrum)
    check_spectrum("G", G, S2Spectrum)
    check_shape("G", G.coeffs, F.coeffs.shape)
    angles = as_angles("rotation", rotation, F.coeffs.real.dtype)
    batch, given = F.coeffs.shape[:-2], angles[0].shape
    shape = given + (1,) * (len(batch) - len(given))
    fits = len(shape) == len(batch)
    fits = fits and all(one in (1, other) for one, other in zip(shape, batch, strict=True))
    expected = f"batch axes that broadcast, from the first, to F's {list(batch)}"
    require(fits, "rotation", list(given), expected)
    alpha, beta, gamma = (x.reshape(shape) for x in angles)
    return _refine(F, G, (alpha, beta, gamma), steps)


@functools.partial(jax.jit, static_argnames="steps")
def _refine(
    F: S2Spectrum, G: S2Spectrum, angles: tuple[Array, Array, Array], steps: int
) -> Refinement:
    dtype, batch = F.coeffs.real.dtype, F.coeffs.shape[:-2]
    (F, size), (G, other_size) = _unit(F), _unit(G)
    epsilon = jnp.finfo(dtype).eps
    start = jnp.broadcast_to(rotation_matrix(*angles), (*batch, 3, 3))
    generated = _generated(F)
    rounding = 4 * epsilon * jnp.sqrt(_inner(F.coeffs, F.coeffs) * _inner(G.coeffs, G.coeffs))

    def advance(_: Array, state: tuple[Array, Array, Array, Array]) -> tuple[Array, ...]:
        matrix, turned, value, _ = state
        step = _newton_step(F, generated, S2Spectrum(turned))
        quaternion = jnp.concatenate([jnp.ones((*batch, 1), dtype), step / 2], axis=-1)
        proposed = jnp.matmul(from_quaternion(quaternion), matrix, precision=EXACT)
        image = rotate_s2(G, proposed).coeffs
        reached = _inner(F.coeffs, image)
        better = reached >= value - rounding
        matrix = jnp.where(better[..., None, None], proposed, matrix)
        turned = jnp.where(better[..., None, None], image, turned)
        length = jnp.sqrt((step**2).sum(axis=-1))
        return matrix, turned, jnp.where(better, reached, value), length

    turned = rotate_s2(G, start).coeffs
    state = (start, turned, _inner(F.coeffs, turned), jnp.zeros(batch, dtype))
    matrix, _, value, length = jax.lax.fori_loop(0, steps, advance, vary_like(state))
    value = value * size * other_size
    converged = (length <= epsilon**0.5) & jnp.isfinite(value)
    return Refinement(euler_angles(matrix), matrix, value, length, converged)


def _unit(F: S2Spectrum) -> tuple[S2Spectrum, Float[Array, "*batch"]]:
    """A spectrum of order 1 and what it was divided by, so that no product leaves its range."""
    size = jnp.maximum(jnp.abs(F.coeffs.real), jnp.abs(F.coeffs.imag)).max(axis=(-2, -1))
    size = jnp.where(size > 0, size, 1)
    return S2Spectrum(F.coeffs / size[..., None, None]), size


def _newton_step(
    F: S2Spectrum, generated: Complex[Array, "*batch xyz l m"], turned: S2Spectrum
) -> Float[Array, "*batch xyz"]:
    """The rotation vector towards the maximum, from the derivatives at ``turned = RG``."""
    image = _generated(turned)
    slope = _inner(F.coeffs[..., None, :, :], -1j * image)
    curvature = -_inner(generated[..., :, None, :, :], image[..., None, :, :, :])
    values, vectors = jnp.linalg.eigh((curvature + curvature.mT) / 2)
    size = jnp.abs(values)
    # a signal symmetric about an axis has no curvature along it, and no slope either
    floor = jnp.finfo(size.dtype).eps ** 0.5 * size.max(axis=-1, keepdims=True)
    size = jnp.maximum(size, jnp.maximum(floor, jnp.finfo(size.dtype).tiny))
    along = jnp.einsum("...ij,...i->...j", vectors, slope, precision=EXACT) / size
    step = jnp.einsum("...ij,...j->...i", vectors, along, precision=EXACT)
    length = jnp.sqrt((step**2).sum(axis=-1, keepdims=True))
    return step / jnp.maximum(1, F.L * length)


def _generated(F: S2Spectrum) -> Complex[Array, "*batch xyz l m"]:
    """``(J_x, J_y, J_z) F`` for orders ``m ≥ 0``: an infinitesimal turn adds ``−iω·J F``."""
    full = all_orders(F)
    m, L = np.arange(F.L), F.L
    degree = np.arange(L)[:, None]
    up = np.sqrt(np.maximum(degree * (degree + 1) - m * (m - 1), 0))  # takes m − 1 to m
    down = np.sqrt(np.maximum(degree * (degree + 1) - m * (m + 1), 0))  # takes m + 1 to m
    padded = jnp.pad(full, [(0, 0)] * (full.ndim - 1) + [(1, 1)])
    raised = jnp.asarray(up, full.real.dtype) * padded[..., L - 1 : 2 * L - 1]
    lowered = jnp.asarray(down, full.real.dtype) * padded[..., L + 1 :]
    about_x, about_y = (raised + lowered) / 2, (raised - lowered) / 2j
    return jnp.stack([about_x, about_y, F.coeffs * m], axis=-3)


def _inner(F: Complex[Array, "*#batch l m"], G: Complex[Array, "*#batch l m"]) -> Array:
    """``∫ fg`` of the real signals with these coefficients."""
    products = F.real * G.real + F.imag * G.imag
    total = products[..., 0] + 2 * products[..., 1:].sum(axis=-1)
    dimensions = jnp.asarray(2 * np.arange(F.shape[-2]) + 1, total.dtype)
    return (total * dimensions).sum(axis=-1)


def _check_batches(F: S2Spectrum, G: S2Spectrum) -> None:
    try:
        jnp.broadcast_shapes(F.coeffs.shape, G.coeffs.shape)
    except ValueError:
        require(False, "G", G.coeffs, f"batch axes that broadcast with F, {F.coeffs.shape[:-2]}")
