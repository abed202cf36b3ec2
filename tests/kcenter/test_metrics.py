"""Tables of distances against numpy and scipy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxlab import kcenter
from jaxlab.kcenter import distance_matrix
from jaxlab.kcenter.metrics import METRICS, paired_distances, safe_sqrt
from tests.kcenter.instances import K, M, N, random_instances

RNG = np.random.default_rng(2)
EXACT = np.array([2, 1, 1], np.int32)  # centers of each group
QUOTA = {"k": K, "quota": EXACT}
BOUNDS = {"k": K, "lower": EXACT, "upper": EXACT}
SLACK = {"k": K, "lower": EXACT - 1, "upper": EXACT + 1}
PAPER = {"selection": "paper", "spread": True, "fill": True, "refine_steps": 3}


def test_scipy():
    x = RNG.normal(size=(20, 37)).astype(np.float32)  # two blocks of coordinates and a rest
    centers = np.array([4, 0, -1], np.int32)
    names = {"euclidean": "euclidean", "manhattan": "cityblock", "sqeuclidean": "sqeuclidean"}

    @jax.jit
    def tables(x, centers, others):
        found = [distance_matrix(x, centers, metric=metric) for metric in names]
        return found, distance_matrix(x, others, metric="cosine-angle")

    found, angle = tables(*jax.device_put((x, centers, x[:3])))
    for table, name in zip(found, names.values(), strict=True):
        table = np.asarray(table)
        np.testing.assert_allclose(table[:, :2], cdist(x, x[[4, 0]], name), rtol=1e-5, atol=1e-6)
        assert np.isinf(table[:, 2]).all()
    expected = np.arccos(np.clip(1 - cdist(x, x[:3], "cosine"), -1, 1))
    np.testing.assert_allclose(angle, expected, atol=2e-4)


def test_blocks_change_nothing():
    x = RNG.normal(size=(20, 3)).astype(np.float32)
    square = np.abs(RNG.normal(size=(20, 20))).astype(np.float32)
    chosen = np.array([3, 1], np.int32)

    @jax.jit
    def tables(x, some, square, chosen):
        whole, blocks = (distance_matrix(x, some, block_size=size) for size in (None, 7))
        given = distance_matrix(square, chosen, metric="precomputed")
        return whole, blocks, given

    whole, blocks, given = tables(*jax.device_put((x, x[:4], square, chosen)))
    np.testing.assert_allclose(whole, cdist(x, x[:4]), rtol=1e-5)
    np.testing.assert_array_equal(blocks, whole)
    np.testing.assert_array_equal(given, square[:, chosen])


def test_gradient_is_zero_at_distance_zero():
    x = RNG.normal(size=(20, 3)).astype(np.float32)

    def total(centers):
        metrics = ("euclidean", "cosine-angle")
        return sum(jnp.sum(distance_matrix(jnp.asarray(x), centers, metric=m)) for m in metrics)

    slope, root = jax.jit(lambda *at: (jax.grad(total)(at[0]), jax.grad(safe_sqrt)(at[1])))(
        *jax.device_put((x[:4], np.float32(0)))
    )
    assert np.isfinite(slope).all()
    assert np.any(slope)
    assert root.tolist() == 0


def test_a_root_hides_no_nan():
    slope = jax.grad(safe_sqrt)
    given = jnp.array([np.nan, 0, 4])
    np.testing.assert_array_equal(safe_sqrt(given), [np.nan, 0, 2])
    np.testing.assert_array_equal(jax.vmap(slope)(given), [np.nan, 0, 0.25])


@pytest.mark.parametrize("d", [3, 20])  # few coordinates, and as many as there are points
def test_distances_of_pairs_are_those_of_the_table(d):
    def cubes(points, center):
        return jnp.sum(jnp.abs(points - center) ** 3, axis=-1)

    @jax.jit
    def pairs_and_tables(x, one, other):
        found = []
        for metric in (*METRICS, cubes) if d == 20 else (*METRICS[:-1], cubes):
            table = distance_matrix(x, jnp.arange(20), metric=metric)
            found += [(paired_distances(x, one, other, metric), table[one, other])]
            found += [(paired_distances(x, None, other, metric), table[jnp.arange(20), other])]
        return found

    x = RNG.normal(size=(20, d)).astype(np.float32)
    for paired, expected in pairs_and_tables(*jax.device_put((x, *RNG.integers(0, 20, (2, 20))))):
        np.testing.assert_allclose(paired, expected, rtol=1e-5, atol=1e-6)


def test_distances_of_pairs_copy_the_points_once():
    points, own = jnp.zeros((1000, 64)), jnp.zeros(1000, jnp.int32)
    paired = jax.jit(lambda points, own: paired_distances(points, None, own, "euclidean"))
    memory = paired.lower(points, own).compile().memory_analysis().temp_size_in_bytes
    assert memory < 1.1 * points.nbytes


def test_near_points_keep_their_digits():
    x = np.array([[1000.0, 1000.0], [1000.0, 1000.001]], np.float32)
    expected = np.float64(x[1, 1]) - np.float64(x[0, 1])
    table = distance_matrix(*jax.device_put((x, x[:1])))
    assert table[1, 0] == np.float32(expected)


def test_small_integers_name_points_beyond_their_range():
    points, centers = np.arange(300, dtype=np.float32)[:, None], np.array([5, 100, -1], np.int8)
    found = np.asarray(distance_matrix(*jax.device_put((points, centers))))
    np.testing.assert_array_equal(found[:, :2], np.abs(points - [5, 100]))
    assert np.isinf(found[:, 2]).all()


@pytest.mark.parametrize("kind", [jnp.bfloat16, jnp.float16])
def test_half_precision_adds_up_in_more_digits(kind):
    """Sums of many coordinates in few digits stop growing before the end."""
    x = jnp.asarray(0.5 * RNG.normal(size=(6, 20_001)), kind)
    digit = float(jnp.finfo(kind).eps)
    names = {"euclidean": "euclidean", "manhattan": "cityblock", "sqeuclidean": "sqeuclidean"}

    @functools.partial(jax.jit, static_argnames="metric")
    def distances(x, metric):
        other = jnp.roll(jnp.arange(6), 1)
        table = distance_matrix(x, jnp.arange(6), metric=metric)
        return table, table[jnp.arange(6), other], paired_distances(x, None, other, metric)

    exact = np.asarray(x, np.float64)
    for metric, name in [*names.items(), ("cosine-angle", "cosine")]:
        table, some, paired = distances(x, metric)
        expected = cdist(exact, exact, name)
        expected = np.arccos(np.clip(1 - expected, -1, 1)) if name == "cosine" else expected
        assert table.dtype == kind
        np.testing.assert_allclose(table.astype(jnp.float32), expected, 2 * digit, atol=1e-6)
        np.testing.assert_allclose(*(part.astype(jnp.float32) for part in (some, paired)), digit)
    solution = kcenter.greedy_capped(x, jnp.zeros(6, jnp.int32), [3], k=3)
    for use_pallas in (False, True):
        radius = float(kcenter.gonzalez(x, 3, use_pallas=use_pallas).radii[-1])
        assert radius == pytest.approx(float(solution.radius), rel=digit)


def test_points_and_centers_of_two_types_are_compared_in_the_finer():
    x = jnp.asarray(RNG.normal(size=(4, 20)), jnp.bfloat16)
    centers = jnp.asarray(RNG.normal(size=(3, 20)), jnp.float32)
    expected = distance_matrix(x.astype(jnp.float32), centers)
    np.testing.assert_array_equal(distance_matrix(x, centers), expected)
    np.testing.assert_array_equal(distance_matrix(centers, x), expected.T)


def moved(points, groups, metric):
    start = kcenter.fair_kcenter(points, groups, metric=metric, **QUOTA)
    return kcenter.refine_minimax(points, groups, start, min_size=1, metric=metric)


METHODS = {
    "solver": lambda *x, metric: kcenter.fair_private_kcenter(
        *x, metric=metric, min_size=3, **BOUNDS
    ),
    "paper": lambda *x, metric: kcenter.fair_private_kcenter(
        *x, metric=metric, min_size=3, **SLACK, **PAPER
    ),
    "fair": lambda *x, metric: kcenter.fair_kcenter(*x, metric=metric, **QUOTA),
    "range": lambda *x, metric: kcenter.fair_range_kcenter(*x, metric=metric, **SLACK),
    "per group": lambda *x, metric: kcenter.greedy_per_group(*x, metric=metric, **QUOTA),
    "capped": lambda *x, metric: kcenter.greedy_capped(*x, metric=metric, **QUOTA),
    "swap": lambda *x, metric: kcenter.fair_kcenter_swap(*x, metric=metric, **QUOTA),
    "sequential": lambda *x, metric: kcenter.sequential_fair_private(
        *x, metric=metric, min_size=3, refine_steps=3, **BOUNDS
    ),
    "refined": moved,
}


@pytest.mark.parametrize(
    ("method", "metric"),
    [*((method, "manhattan") for method in METHODS), ("solver", "cosine-angle")],
)
def test_a_metric_is_its_table_of_distances(method, metric):
    points, groups = random_instances(6)[5].arrays  # of which a matching leaves places
    table = distance_matrix(points, jnp.arange(N), metric=metric)
    found = METHODS[method](points, groups, metric=metric)
    given = METHODS[method](table, groups, metric="precomputed")
    found, given, table = jax.tree.map(np.asarray, (found, given, table))
    assert found.feasible
    np.testing.assert_array_equal(found.centers, given.centers)
    np.testing.assert_array_equal(found.labels, given.labels)
    np.testing.assert_allclose(found.radius, given.radius, rtol=1e-5)
    np.testing.assert_allclose(found.lower_bound, given.lower_bound, rtol=1e-5)
    used = table[np.arange(N), found.centers[found.labels]]
    np.testing.assert_allclose(found.radius, used.max(), rtol=1e-5)


def hamming(points, center):
    return jnp.sum(points != center, axis=-1)


def in_float32(points, center):
    return jnp.linalg.norm((points - center).astype(jnp.float32), axis=-1)


TRACED = {name: call for name, call in METHODS.items() if name != "swap"} | {
    "table": lambda x, groups, metric: distance_matrix(x, jnp.arange(K), metric=metric),
    "order": lambda x, groups, metric: kcenter.gonzalez(x, K, metric=metric),
    "bound": lambda x, groups, metric: kcenter.lower_bound(x, K, 3, metric=metric),
    "coreset": lambda x, groups, metric: kcenter.kcenter_coreset(
        x, groups, K, num_groups=M, metric=metric
    ),
}


@pytest.mark.parametrize("method", TRACED)
def test_a_metric_of_another_type_is_one_of_the_type_of_the_points(method):
    groups = jax.ShapeDtypeStruct((N,), jnp.int32)
    for metric, kind in ((hamming, jnp.float32), (in_float32, jnp.bfloat16)):
        call = functools.partial(TRACED[method], metric=metric)
        found = jax.eval_shape(call, jax.ShapeDtypeStruct((N, 2), kind), groups)
        types = {leaf.dtype for leaf in jax.tree.leaves(found)}
        assert {part for part in types if jnp.issubdtype(part, jnp.floating)} == {jnp.dtype(kind)}


def test_centers_by_a_metric_of_another_type():
    x, groups = jnp.asarray(RNG.integers(0, 3, (N, 6)), jnp.float32), jnp.arange(N) % M
    expected = cdist(*2 * [np.asarray(x)], lambda one, other: np.sum(one != other))
    table = distance_matrix(x, jnp.arange(N), metric=hamming)
    np.testing.assert_array_equal(table, expected)
    order = kcenter.gonzalez(x, K, metric=hamming)
    radii = [expected[:, order.indices[: k + 1]].min(axis=1).max() for k in range(K)]
    np.testing.assert_array_equal(order.radii, radii)
    found = kcenter.fair_kcenter_swap(x, groups, EXACT, k=K, metric=hamming)
    assert found.feasible
    assert found.radius == expected[np.arange(N), found.centers[found.labels]].max()


def test_bad_input(bad_input):
    x = np.zeros((4, 2))
    with pytest.raises(ValueError, match="unknown metric"):
        distance_matrix(x, x, metric="cosine")
    with pytest.raises(ValueError, match="centers: expected shape"):
        distance_matrix(x, np.zeros((3, 1)))
    with pytest.raises(ValueError, match="indices of points"):
        distance_matrix(np.zeros((4, 4)), np.zeros((4, 4)), metric="precomputed")
    with pytest.raises(ValueError, match="points: expected shape"):
        distance_matrix(x, np.array([0]), metric="precomputed")
    with pytest.raises(ValueError, match="block_size"):
        distance_matrix(x, x, block_size=0)
    with pytest.raises(ValueError, match=r"points: expected shape \[n, d\]"):
        distance_matrix(x[:, 0], x)
    with pytest.raises(ValueError, match="centers: expected"):
        distance_matrix(x, np.array([2**32 + 1]))
    with pytest.raises(ValueError, match="points: expected at least one coordinate"):
        distance_matrix(x[:, :0], np.array([0]))
    for kind in (np.uint8, np.int32, bool):  # whose differences would wrap
        with pytest.raises(ValueError, match="points: expected dtype floating"):
            distance_matrix(x.astype(kind), np.array([0]))
    with pytest.raises(ValueError, match="centers: expected dtype floating"):
        distance_matrix(x, x > 0)
