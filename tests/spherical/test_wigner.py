"""Wigner's d and D against exact sums, matrix exponentials, harmonics and group theory."""

import numpy as np
import pytest
import scipy.special
from scipy.spatial.transform import Rotation

from jaxlab.spherical import grids
from jaxlab.spherical.wigner import degrees, wigner_D, wigner_d
from tests.spherical.oracle import angular_momentum_d, exact_d

BETA = np.array([0.0, 0.3, 1.1, np.pi / 2, 2.0, 3.0, np.pi])
L = 9
TABLE = wigner_d(L, BETA)
ORDERS = np.arange(-L + 1, L)
SIGNS = (-1.0) ** (ORDERS[:, None] - ORDERS)[..., None]  # of m − n


def single(degree: int, m: int, n: int, beta: float) -> float:
    return list(degrees(degree + 1, np.array([m]), np.array([n]), np.array([beta])))[-1].item()


def test_values_of_reference():
    for arguments, value in {
        (1, 1, 0, 0.7): -np.sin(0.7) / np.sqrt(2),
        (2, 1, 0, 0.7): -np.sqrt(1.5) * np.sin(0.7) * np.cos(0.7),
        (5, -3, 4, 1.1): 0.10154312544680393,
        (29, 10, -7, 2.0): 0.002502720417480629,
        (63, -30, 22, 0.4): 3.1630389263961809e-13,
        (63, 63, 0, 1.5): -0.22741652154141539,
        (100, 50, -49, 1.3): 0.056250238491932564,
    }.items():
        np.testing.assert_allclose(single(*arguments), value, rtol=1e-12)


def test_up_to_degree_127_against_exact_sums():
    m, n = np.array([-127, -40, 0, 1, 17, 64, 126]), np.array([-100, -3, 0, 17, 64, 127])
    halves = [(1, 2), (7, 1), (1, 30), (40, 41), (1, 300)]  # tan(β/2)
    beta = 2 * np.arctan([p / q for p, q in halves])
    tables = list(degrees(128, m, n, beta))
    for degree in (30, 63, 100, 127):
        for i, j, k in np.ndindex(m.size, n.size, beta.size):
            inside = max(abs(m[i]), abs(n[j])) <= degree
            expected = exact_d(degree, int(m[i]), int(n[j]), *halves[k]) if inside else 0.0
            error = abs(tables[degree][i, j, k] - expected)
            assert error <= (2e-13 if degree < 64 else 1e-12)


def test_degree_127_is_orthogonal():
    rows = list(degrees(128, np.array([-90, -1, 0, 50]), np.arange(-127, 128), BETA))[-1]
    products = np.einsum("mnk,pnk->kmp", rows, rows)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(4), (7, 4, 4)), atol=1e-12)


def test_against_the_exponential_of_angular_momentum():
    table = wigner_d(21, np.array([1.1, 4.0, -0.6]))  # angles outside [0, π] as well
    for degree in (0, 1, 2, 7, 20):
        inside = slice(20 - degree, 21 + degree)
        for k, beta in enumerate((1.1, 4.0, -0.6)):
            expected = angular_momentum_d(degree, beta)
            np.testing.assert_allclose(table[degree, inside, inside, k], expected, atol=1e-13)
        outside = table[degree].copy()
        outside[inside, inside] = 0
        assert not outside.any()


def test_symmetries():
    np.testing.assert_allclose(TABLE, SIGNS * TABLE.swapaxes(1, 2), atol=1e-14)
    np.testing.assert_allclose(TABLE, SIGNS * TABLE[:, ::-1, ::-1], atol=1e-14)
    across = (-1.0) ** (np.arange(L)[:, None] + ORDERS)[:, :, None, None] * TABLE[:, :, ::-1]
    np.testing.assert_allclose(wigner_d(L, np.pi - BETA), across, atol=1e-13)
    np.testing.assert_allclose(wigner_d(L, -BETA), TABLE.swapaxes(1, 2), atol=1e-14)
    np.testing.assert_allclose(wigner_d(L, BETA + 2 * np.pi), TABLE, atol=1e-13)
    inside = np.abs(ORDERS) <= np.arange(L)[:, None]
    np.testing.assert_allclose(TABLE[..., 0], np.eye(2 * L - 1) * inside[:, None], atol=1e-14)


@pytest.mark.parametrize("grid", grids.GRIDS)
def test_orthogonality_in_the_degree(grid):
    b = 8
    d = wigner_d(b, grids.colatitudes(b, grid))
    weights = grids.quadrature_weights(b, grid, "so3") * (2 * b) ** 2
    products = np.einsum("k,lmnk,pmnk->mnlp", weights, d, d)
    degree = np.arange(b)
    m = np.arange(-b + 1, b)
    first = np.maximum(np.abs(m[:, None]), np.abs(m))[..., None]
    norms = (first <= degree) / (2 * degree + 1)
    np.testing.assert_allclose(products, norms[..., None] * np.eye(b), atol=1e-14)


def test_order_zero_is_the_spherical_harmonic():
    degree, m = np.arange(L)[:, None, None], ORDERS[:, None]
    known = np.abs(m) <= degree
    harmonic = scipy.special.sph_harm_y(degree, np.where(known, m, 0), BETA, 0.0).real * known
    expected = harmonic * np.sqrt(4 * np.pi / (2 * degree + 1))
    np.testing.assert_allclose(wigner_d(L, BETA, 1)[:, :, 0], expected, atol=1e-14)
    np.testing.assert_array_equal(wigner_d(L, BETA, 3), TABLE[:, :, L - 3 : L + 2])


def test_D_represents_the_rotation_group():
    rotations = Rotation.random(2, random_state=0)
    first, second, product = [
        wigner_D(6, *rotation.as_euler("ZYZ"))
        for rotation in (rotations[0], rotations[1], rotations[0] * rotations[1])
    ]
    np.testing.assert_allclose(first @ second, product, atol=1e-13)
    inverse = wigner_D(6, *rotations[0].inv().as_euler("ZYZ"))
    np.testing.assert_allclose(inverse, first.conj().swapaxes(-1, -2), atol=1e-13)
    # of degree 1 it is the rotation matrix itself, in the basis of harmonics
    basis = np.array([[1, -1j, 0], [0, 0, np.sqrt(2)], [-1, -1j, 0]]) / np.sqrt(2)
    vectors = basis.conj() @ rotations[0].as_matrix() @ basis.T
    np.testing.assert_allclose(first[1, 4:7, 4:7], vectors, atol=1e-14)
    batch = wigner_D(6, np.zeros((2, 1)), BETA, 0.5)
    assert batch.shape == (2, 7, 6, 11, 11)
    np.testing.assert_allclose(batch[1, 2], wigner_D(6, 0.0, BETA[2], 0.5), atol=1e-15)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="L: expected an integer >= 1, got 0"):
        wigner_d(0, BETA)
    with pytest.raises(ValueError, match="n_max: expected at most L = 2, got 3"):
        wigner_d(2, BETA, 3)
    with pytest.raises(ValueError, match="beta: expected a flat array of angles"):
        wigner_d(2, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="beta: expected a finite number, got nan"):
        wigner_d(2, np.array([np.nan]))
    with pytest.raises(ValueError, match="gamma: expected a finite number, got inf"):
        wigner_D(2, 0.0, 0.0, np.inf)
