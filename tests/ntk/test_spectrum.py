"""Numbers of a kernel against numpy's decompositions and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.ntk import spectrum

RNG = np.random.default_rng(5)
N, OUTPUTS = 5, 2
FACTORS = RNG.standard_normal((N * OUTPUTS, 14))
MATRIX = FACTORS @ FACTORS.T
FULL = MATRIX.reshape(N, OUTPUTS, N, OUTPUTS).transpose(0, 2, 1, 3)  # [N, N, O, O]


@pytest.mark.usefixtures("x64")
def test_eigenvalues_and_what_follows_from_them():
    kernel = jnp.asarray(FULL)
    expected = np.linalg.eigvalsh(MATRIX)[::-1]
    np.testing.assert_allclose(spectrum.eigenvalues(kernel), expected, rtol=1e-12)
    condition = spectrum.condition_number(kernel)
    np.testing.assert_allclose(condition.value, expected[0] / expected[-1], rtol=1e-10)
    assert condition.reliable
    np.testing.assert_allclose(condition.smallest, expected[-1], rtol=1e-10)
    rank = expected.sum() ** 2 / (expected**2).sum()
    np.testing.assert_allclose(spectrum.effective_rank(kernel), rank, rtol=1e-12)
    share = expected / expected.sum()
    entropy = np.exp(-(share * np.log(share)).sum())
    np.testing.assert_allclose(spectrum.entropy_rank(kernel), entropy, rtol=1e-12)


def test_condition_number_is_unreliable_where_rounding_decides():
    # Hilbert's matrix of order 10 has condition number 1.6e13: more than float32 can tell
    hilbert = jnp.asarray(1 / (np.arange(10)[:, None] + np.arange(10) + 1), jnp.float32)
    assert not spectrum.condition_number(hilbert).reliable
    duplicate = jnp.ones((3, 3)).at[2, 2].set(4.0)
    found = spectrum.condition_number(duplicate)
    assert not found.reliable
    assert found.value > 1e5
    assert spectrum.condition_number(jnp.diag(jnp.array([4.0, 2.0]))).reliable
    zero = spectrum.condition_number(jnp.zeros((2, 2)))
    assert jnp.isinf(zero.value)
    assert not zero.reliable


def test_condition_number_of_a_kernel_with_nan_is_nan():
    for broken in (jnp.eye(3).at[1, 1].set(jnp.nan), jnp.full((3, 3), jnp.nan)):
        found = spectrum.condition_number(broken)
        assert jnp.isnan(found.value)
        assert not found.reliable


def test_ranks_of_projections():
    for rank in (1, 3):
        basis = np.linalg.qr(RNG.standard_normal((6, rank)))[0]
        kernel = jnp.asarray(1e25 * basis @ basis.T, jnp.float32)  # whose squares overflow
        np.testing.assert_allclose(spectrum.effective_rank(kernel), rank, rtol=1e-5)
        np.testing.assert_allclose(spectrum.entropy_rank(kernel), rank, rtol=1e-4)


@pytest.mark.usefixtures("x64")
def test_alignment_by_its_definition():
    y = RNG.standard_normal((N, OUTPUTS))
    flat = y.reshape(-1)
    traced = np.einsum("nmoo->nm", FULL) / OUTPUTS
    cases = [
        (FULL, (), MATRIX, np.outer(flat, flat)),
        (traced, (-1,), traced, y @ y.T),
    ]
    for kernel, trace_axes, matrix, gram in cases:
        for centered in (False, True):
            if centered:
                middle = np.eye(len(gram)) - 1 / len(gram)
                matrix, gram = middle @ matrix @ middle, middle @ gram @ middle
            expected = (matrix * gram).sum() / np.linalg.norm(matrix) / np.linalg.norm(gram)
            found = spectrum.target_alignment(
                jnp.asarray(kernel), jnp.asarray(y), trace_axes=trace_axes, centered=centered
            )
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_alignment_of_many_columns_takes_no_square_of_them():
    y = jnp.asarray(RNG.standard_normal((4, 3000)), jnp.float32)
    align = jax.jit(spectrum.target_alignment)
    needed = align.lower(y @ y.T, y).compile().memory_analysis().temp_size_in_bytes
    assert needed < 4 * y.size * 4
    np.testing.assert_allclose(align(y @ y.T, y), 1, rtol=1e-5)


def test_alignment_of_labels_and_its_invariances():
    labels = jnp.array([[1], [1], [-1], [-1]])  # integers are welcome
    ideal = (labels @ labels.T).astype(jnp.float32)
    np.testing.assert_allclose(spectrum.target_alignment(ideal, labels), 1, rtol=1e-6)
    with_constant = ideal + 5
    assert spectrum.target_alignment(with_constant, labels) < 0.5
    centered = spectrum.target_alignment(with_constant, labels, centered=True)
    np.testing.assert_allclose(centered, 1, rtol=1e-5)
    np.testing.assert_allclose(spectrum.target_alignment(jnp.eye(4), labels), 0.5, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_distance_by_its_definition_and_between_near_kernels():
    other = np.eye(N * OUTPUTS).reshape(N, OUTPUTS, N, OUTPUTS).transpose(0, 2, 1, 3)
    cosine = np.trace(MATRIX) / np.linalg.norm(MATRIX) / np.sqrt(N * OUTPUTS)
    found = spectrum.kernel_distance(jnp.asarray(FULL), jnp.asarray(other))
    np.testing.assert_allclose(found, 1 - cosine, rtol=1e-12)
    # 1 − cos δ = δ²/2 where the definition, evaluated as it stands, gives rounding errors
    tilt = 1e-7
    first, second = np.diag([1.0, 0.0]), np.diag([np.cos(tilt), np.sin(tilt)])
    near = spectrum.kernel_distance(jnp.asarray(first), jnp.asarray(second))
    np.testing.assert_allclose(near, tilt**2 / 2, rtol=1e-6)


def test_zero_kernels_have_no_direction():
    zero = jnp.zeros((2, 2))
    assert jnp.isnan(spectrum.kernel_distance(zero, jnp.eye(2)))
    assert jnp.isnan(spectrum.target_alignment(zero, jnp.ones((2, 1))))
    assert jnp.isnan(spectrum.effective_rank(zero))
    assert jnp.isnan(spectrum.entropy_rank(zero))


def test_jit_vmap_and_gradient():
    kernels = jnp.asarray(np.stack([MATRIX, np.eye(N * OUTPUTS)]), jnp.float32)
    y = jnp.asarray(RNG.standard_normal((N * OUTPUTS, 1)), jnp.float32)

    def measure(kernel):
        return jnp.stack(
            [
                spectrum.condition_number(kernel).value,
                spectrum.target_alignment(kernel, y),
                spectrum.kernel_distance(kernel, jnp.ones_like(kernel)),
            ]
        )

    mapped = jax.jit(jax.vmap(measure))(kernels)
    np.testing.assert_allclose(mapped, jnp.stack([measure(k) for k in kernels]), rtol=1e-3)
    # the alignment's gradient vanishes at the ideal kernel, where it is largest
    slope = jax.grad(spectrum.target_alignment)(y @ y.T, y)
    np.testing.assert_allclose(slope, jnp.zeros_like(slope), atol=1e-6)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match=r"kernel: expected a kernel with axes in pairs"):
        spectrum.eigenvalues(jnp.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="kernel: expected a kernel of one batch with itself"):
        spectrum.effective_rank(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="kernel: expected at least one example"):
        spectrum.condition_number(jnp.ones((0, 0)))
    with pytest.raises(ValueError, match="kernel: expected dtype floating"):
        spectrum.entropy_rank(jnp.ones((2, 2), int))
    with pytest.raises(ValueError, match="kernel2: expected shape"):
        spectrum.kernel_distance(jnp.ones((2, 2)), jnp.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^y: expected 2 entries"):
        spectrum.target_alignment(jnp.eye(2), jnp.ones((3, 1)))
    with pytest.raises(ValueError, match="trace_axes: expected a tuple of axes, got -1"):
        spectrum.target_alignment(jnp.eye(2), jnp.ones((2, 1)), trace_axes=-1)
