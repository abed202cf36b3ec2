"""Transforms against their definition, scipy's harmonics, s2fft, and the theorems they obey."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.special
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlab.spherical import grids
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, s2_power_spectrum, so3_power_spectrum
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import (
    s2_analysis,
    s2_integrate,
    s2_synthesis,
    so3_analysis,
    so3_integrate,
    so3_synthesis,
)
from jaxlab.spherical.wigner import wigner_D
from tests.spherical.oracle import evaluate_s2, evaluate_so3, random_s2, random_so3

RNG = np.random.default_rng(3)
S2_CASES = [(1, 1, "soft"), (5, 5, "driscoll_healy"), (6, 4, "gauss_legendre")]
SO3_CASES = [
    (3, 3, None, "driscoll_healy"),
    (4, 3, 2, "gauss_legendre"),
    (4, 4, 1, "soft"),
]


def angles_of(tables):
    """β, γ and α of the samples, each of the signal's shape."""
    alpha = grids.longitudes(tables.b)
    gamma = 2 * np.pi * np.arange(tables.gamma_size) / tables.gamma_size
    return np.meshgrid(grids.colatitudes(tables.b, tables.grid), gamma, alpha, indexing="ij")


@jax.jit
def every_way(noise, F, tables):
    """By either DFT: a signal analysed, a spectrum synthesised, that analysed, its power twice."""
    if isinstance(F, S2Spectrum):
        analysis, synthesis, integrate = s2_analysis, s2_synthesis, s2_integrate
        power = s2_power_spectrum(F).sum()
    else:
        analysis, synthesis, integrate = so3_analysis, so3_synthesis, so3_integrate
        power = so3_power_spectrum(F).sum()
    found = []
    for fft in ("xla", "matmul"):
        signal = synthesis(F, tables, fft=fft)
        analysed, again = [analysis(f, tables, fft=fft).coeffs for f in (noise, signal)]
        found.append((analysed, signal, again, (integrate(signal**2, tables.grid), power)))
    return found


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("b", "L", "grid"), S2_CASES)
def test_sphere_by_definition(b, L, grid):
    tables = make_s2_tables(b, L, grid, jnp.float64)
    beta, alpha = np.meshgrid(grids.colatitudes(b, grid), grids.longitudes(b), indexing="ij")
    D = wigner_D(L, alpha, beta, 0.0)[..., L - 1 :, L - 1]  # [β, α, l, m >= 0]
    coeffs = random_s2(RNG, L)
    samples = evaluate_s2(coeffs, beta, alpha)
    noise = RNG.standard_normal(tables.shape)
    sums = np.einsum("k,kj,kjlm->lm", tables.weights, noise, D)
    degree, m = np.tril_indices(L)
    harmonics = scipy.special.sph_harm_y(degree, m, beta[..., None], alpha[..., None])
    scale = np.sqrt(4 * np.pi * (2 * degree + 1)) * np.where(m == 0, 1, 2)
    by_scipy = (harmonics * scale * coeffs[degree, m]).sum(-1).real
    np.testing.assert_allclose(samples, by_scipy, atol=1e-13)
    found = every_way(jnp.asarray(noise), S2Spectrum(jnp.asarray(coeffs)), tables)
    for analysed, signal, again, power in found:
        np.testing.assert_allclose(analysed, sums, atol=1e-14)
        np.testing.assert_allclose(signal, samples, atol=1e-13)
        np.testing.assert_allclose(again, coeffs, atol=1e-13)
        np.testing.assert_allclose(*power, rtol=1e-12)  # Parseval
    np.testing.assert_allclose(s2_integrate(jnp.asarray(noise), grid), sums[0, 0], atol=1e-14)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("b", "L", "n_max", "grid"), SO3_CASES)
def test_rotation_group_by_definition(b, L, n_max, grid):
    tables = make_so3_tables(b, L, n_max, grid, jnp.float64)
    beta, gamma, alpha = angles_of(tables)
    n_max = tables.n_max
    D = wigner_D(L, alpha, beta, gamma)[..., L - 1 :, L - n_max : L + n_max - 1]
    coeffs = random_so3(RNG, L, n_max)
    samples = evaluate_so3(coeffs, alpha, beta, gamma)
    noise = RNG.standard_normal(tables.shape)
    sums = np.einsum("k,kij,kijlmn->lmn", tables.weights, noise, D)
    found = every_way(jnp.asarray(noise), SO3Spectrum(jnp.asarray(coeffs)), tables)
    for analysed, signal, again, power in found:
        np.testing.assert_allclose(analysed, sums, atol=1e-14)
        np.testing.assert_allclose(signal, samples, atol=1e-12)
        np.testing.assert_allclose(again, coeffs, atol=1e-13)
        np.testing.assert_allclose(*power, rtol=1e-12)
    mean = so3_integrate(jnp.asarray(noise), grid)
    np.testing.assert_allclose(mean, sums[0, 0, n_max - 1], atol=1e-14)


@pytest.mark.usefixtures("x64")
def test_aliased_degrees_are_the_quadrature_sums():
    b, L = 2, 4
    tables = make_so3_tables(b, L, dtype=jnp.float64, upsample="aliased")
    beta, gamma, alpha = angles_of(tables)
    D = wigner_D(L, alpha, beta, gamma)[..., L - 1 :, :]
    noise = RNG.standard_normal(tables.shape)
    sums = np.einsum("k,kij,kijlmn->lmn", tables.weights, noise, D)
    known = (np.arange(L) < b)[:, None] & (np.abs(np.arange(-L + 1, L)) < b)
    expected = evaluate_so3(sums * known, alpha, beta, gamma)
    found = every_way(jnp.asarray(noise), SO3Spectrum(jnp.asarray(sums * known)), tables)
    for analysed, signal, *_ in found:
        np.testing.assert_allclose(analysed, sums * known, atol=1e-14)
        np.testing.assert_allclose(signal, expected, atol=1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of s2fft's recurrences
def test_against_s2fft():
    s2fft = pytest.importorskip("s2fft")
    L, n_max = 5, 3
    coeffs = random_so3(RNG, L, n_max)
    sphere = random_s2(RNG, L)
    # s2fft integrates without normalising, orders [n, l, m], and has 2L − 1 by 2N − 1 azimuths
    full = np.zeros((2 * n_max - 1, L, 2 * L - 1), complex)
    full[:, :, L - 1 :] = 8 * np.pi**2 * coeffs.transpose(2, 0, 1)
    signs = (-1.0) ** (np.arange(1, L) - np.arange(-n_max + 1, n_max)[:, None])
    full[:, :, : L - 1] = (full[::-1, :, L:] * signs[:, None]).conj()[:, :, ::-1]
    theirs = s2fft.wigner.inverse(full, L, n_max, sampling="dh", method="numpy")
    theirs = scipy.signal.resample(theirs.real, 2 * n_max, axis=0)
    theirs = scipy.signal.resample(theirs, 2 * L, axis=2).transpose(1, 0, 2)
    tables = make_so3_tables(L, L, n_max, dtype=jnp.float64)
    ours = so3_synthesis(SO3Spectrum(jnp.asarray(coeffs)), tables)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)

    tables = make_s2_tables(L, L, dtype=jnp.float64)
    ours = s2_synthesis(S2Spectrum(jnp.asarray(sphere)), tables)
    resampled = scipy.signal.resample(np.asarray(ours), 2 * L - 1, axis=1)
    theirs = s2fft.forward(resampled, L, sampling="dh", method="numpy")
    scale = np.sqrt(4 * np.pi * (2 * np.arange(L) + 1))[:, None]
    np.testing.assert_allclose(theirs[:, L - 1 :] / scale, sphere, atol=1e-13)


@pytest.mark.usefixtures("x64")
def test_squares_are_free_of_aliasing_from_one_and_a_half_times_the_bandwidth():
    L = 3
    F = SO3Spectrum(jnp.asarray(random_so3(RNG, L)))

    @jax.jit
    def squared(tables):
        return so3_analysis(so3_synthesis(F, tables) ** 2, tables).coeffs

    coarse, enough, exact = [
        np.asarray(squared(make_so3_tables(b, L, dtype=jnp.float64))) for b in (3, 5, 6)
    ]
    np.testing.assert_allclose(enough, exact, atol=1e-12)  # 5 = ⌈1.5 L⌉
    assert np.abs(coarse - exact).max() > 1e-3


@jax.jit
def round_trips(F, tables):
    if isinstance(F, S2Spectrum):
        analysis, synthesis = s2_analysis, s2_synthesis
    else:
        analysis, synthesis = so3_analysis, so3_synthesis
    return [analysis(synthesis(F, tables, fft=fft), tables, fft=fft) for fft in ("xla", "matmul")]


def test_float32_is_exact_to_rounding():
    sphere = S2Spectrum(jnp.asarray(random_s2(RNG, 32), jnp.complex64))
    group = SO3Spectrum(jnp.asarray(random_so3(RNG, 10), jnp.complex64))
    for F, tables in ((sphere, make_s2_tables(32, 32)), (group, make_so3_tables(10, 10))):
        for found in round_trips(F, tables):
            assert found.coeffs.dtype == jnp.complex64
            np.testing.assert_allclose(found.coeffs, F.coeffs, atol=2e-6)


@pytest.mark.parametrize("kind", ["sphere", "group"])
def test_few_signals_are_transformed_as_many_are_without_a_copy_of_the_table(kind):
    if kind == "sphere":
        tables, analysis, synthesis = make_s2_tables(24, 20), s2_analysis, s2_synthesis
    else:
        tables, analysis, synthesis = make_so3_tables(12, 11, 7), so3_analysis, so3_synthesis
    f = jnp.asarray(RNG.standard_normal((12, *tables.shape)), jnp.float32)
    F = analysis(f, tables)
    f_again = synthesis(F, tables)
    one, one_again = analysis(f[:2], tables), synthesis(type(F)(F.coeffs[:2]), tables)
    np.testing.assert_allclose(one.coeffs, F.coeffs[:2], atol=1e-6)
    np.testing.assert_allclose(one_again, f_again[:2], atol=2e-5)
    one = type(F)(F.coeffs[:1])
    for lowered in (analysis.lower(f[:1], tables), synthesis.lower(one, tables)):
        needed = lowered.compile().memory_analysis().temp_size_in_bytes
        assert needed < tables.d.nbytes


def round_trip(f, tables):
    return so3_synthesis(so3_analysis(f, tables), tables)


def test_batches_eager_evaluation_and_shards(devices):
    tables = make_so3_tables(2, 2)
    f = jnp.asarray(RNG.standard_normal((8, 2, *tables.shape)), jnp.float32)
    whole = round_trip(f, tables)
    mapped = jax.vmap(jax.vmap(round_trip, (0, None)), (0, None))(f, tables)
    np.testing.assert_allclose(mapped, whole, atol=1e-6)
    with jax.disable_jit():
        np.testing.assert_allclose(round_trip(f[1, 0], tables), whole[1, 0], atol=1e-6)
    mesh = Mesh(np.array(devices), ("batch",))
    spec = PartitionSpec("batch")
    shards = jax.shard_map(round_trip, mesh=mesh, in_specs=(spec, PartitionSpec()), out_specs=spec)
    sharded = jax.jit(shards)(jax.device_put(f, NamedSharding(mesh, spec)), tables)
    np.testing.assert_allclose(sharded, whole, atol=1e-6)


@pytest.mark.parametrize("fft", ["xla", "matmul"])
def test_exported_for_any_number_of_signals(fft):
    sphere, group = make_s2_tables(3, 3), make_so3_tables(3, 3)

    def every(f, g):
        F = s2_analysis(f, sphere, fft=fft)
        G = so3_analysis(g, group, fft=fft)
        return s2_synthesis(F, sphere, fft=fft), so3_synthesis(G, group, fft=fft)

    (n,) = jax.export.symbolic_shape("n")
    kinds = [jax.ShapeDtypeStruct((n, *t.shape), jnp.float32) for t in (sphere, group)]
    exported = jax.export.export(jax.jit(every))(*kinds)
    for count in (1, 4):  # fewer than degrees, and more
        signals = [
            RNG.standard_normal((count, *t.shape)).astype(np.float32) for t in (sphere, group)
        ]
        for found, expected in zip(exported.call(*signals), every(*signals), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("fft", ["xla", "matmul"])
def test_gradients(fft):
    tables = make_so3_tables(2, 2, dtype=jnp.float64)
    sphere = make_s2_tables(2, 2, dtype=jnp.float64)
    f, direction, weight = jnp.asarray(RNG.standard_normal((3, *tables.shape)))

    def loss(f):
        F = so3_analysis(f, tables, fft=fft).coeffs
        again = so3_synthesis(SO3Spectrum(F * F), tables, fft=fft)
        X = s2_analysis(f[:, 0], sphere, fft=fft).coeffs
        return (weight * again).sum() + (s2_synthesis(S2Spectrum(X * X), sphere) ** 2).sum()

    @jax.jit
    def slopes(step):
        backward = jnp.vdot(jax.grad(loss)(f), direction)
        forward = jax.jvp(loss, (f,), (direction,))[1]
        ends = jax.lax.map(loss, jnp.stack([f - step * direction, f + step * direction]))
        return backward, forward, (ends[1] - ends[0]) / (2 * step)

    backward, forward, difference = slopes(1e-4)
    np.testing.assert_allclose(forward, backward, rtol=1e-12)
    np.testing.assert_allclose(difference, backward, rtol=1e-6)


def test_edge_cases():
    sphere, group = make_s2_tables(2, 2), make_so3_tables(1, 1)
    assert s2_analysis(jnp.zeros((0, 3, *sphere.shape)), sphere).coeffs.shape == (0, 3, 2, 2)
    assert so3_analysis(jnp.zeros((0, *group.shape)), group).coeffs.shape == (0, 1, 1, 1)
    empty = SO3Spectrum(jnp.zeros((0, 1, 1, 1), complex))
    assert so3_synthesis(empty, group).shape == (0, *group.shape)
    # one degree is the mean
    f = RNG.standard_normal(group.shape).astype(np.float32)
    flat = so3_synthesis(so3_analysis(jnp.asarray(f), group), group)
    np.testing.assert_allclose(flat, np.full(group.shape, so3_integrate(jnp.asarray(f))), atol=1e-6)
    # nothing is clipped or hidden
    assert jnp.isnan(s2_analysis(jnp.full(sphere.shape, jnp.nan), sphere).coeffs[0, 0])
    # a transposed view has the same samples
    x = RNG.standard_normal((4, 4)).astype(np.float32)
    strided = s2_analysis(jnp.asarray(x.T.copy().T), sphere).coeffs
    np.testing.assert_array_equal(strided, s2_analysis(jnp.asarray(x), sphere).coeffs)
    for dtype in (jnp.float16, jnp.bfloat16):
        half = jnp.asarray(x, dtype)
        found = s2_analysis(half, sphere).coeffs
        expected = s2_analysis(half.astype(jnp.float32), sphere).coeffs
        np.testing.assert_array_equal(found, expected)
        assert s2_integrate(half).dtype == dtype
        mean = s2_integrate(half.astype(jnp.float32))
        np.testing.assert_allclose(s2_integrate(half).astype(jnp.float32), mean, atol=1e-2)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    sphere, group = make_s2_tables(3, 2), make_so3_tables(3, 2)
    for shape in ((6, 5), (5, 6), (4, 4), (6,)):
        with pytest.raises(ValueError, match=r"f: expected shape \[..., 6, 6\], got float32"):
            s2_analysis(jnp.zeros(shape), sphere)
    with pytest.raises(ValueError, match=r"f: expected shape \[..., 6, 6, 6\], got float32"):
        so3_analysis(jnp.zeros((6, 6, 4)), group)
    for analysis, tables in ((s2_analysis, sphere), (so3_analysis, group)):
        with pytest.raises(ValueError, match="f: expected a real signal, got complex64"):
            analysis(jnp.zeros(tables.shape, complex), tables)
        with pytest.raises(ValueError, match="f: expected dtype floating, got int32"):
            analysis(jnp.zeros(tables.shape, int), tables)
        with pytest.raises(ValueError, match="fft: expected one of 'xla', 'matmul'"):
            analysis(jnp.zeros(tables.shape), tables, fft="numpy")
    with jax.enable_x64(True), pytest.raises(ValueError, match="at most the precision of tables"):
        s2_analysis(jnp.zeros(sphere.shape, jnp.float64), sphere)
    with pytest.raises(ValueError, match=r"tables: expected S2Tables, got .*SO3Tables"):
        s2_analysis(jnp.zeros(group.shape), group)
    with pytest.raises(ValueError, match=r"tables: expected SO3Tables, got .*S2Tables"):
        so3_synthesis(SO3Spectrum(jnp.zeros((2, 2, 3), complex)), sphere)
    wrong = S2Spectrum(jnp.zeros((3, 3), complex))
    with pytest.raises(ValueError, match="F: expected L = 2 degrees, as in tables"):
        s2_synthesis(wrong, sphere)
    with pytest.raises(ValueError, match="F: expected a spectrum: SO3Spectrum"):
        so3_synthesis(wrong, group)
    with pytest.raises(ValueError, match="F: expected n_max = 2, as in tables"):
        so3_synthesis(SO3Spectrum(jnp.zeros((2, 2, 1), complex)), group)
    for shape, grid in (((6, 6, 5), "soft"), ((6, 6, 4), "soft"), ((4, 4, 4), "gauss_legendre")):
        with pytest.raises(ValueError, match=rf"f: expected axes .* of a {grid} grid"):
            so3_integrate(jnp.zeros(shape), grid)
    with pytest.raises(ValueError, match=r"f: expected axes \[..., β, α\] of a soft grid"):
        s2_integrate(jnp.zeros((3, 6)))
    for integrate, shape in ((s2_integrate, (0, 0)), (so3_integrate, (6, 0, 6))):
        with pytest.raises(ValueError, match=r"f: expected axes .* of a soft grid"):
            integrate(jnp.zeros(shape))
