"""Assignments against scipy, brute force and the certificate: any problem, any prediction."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.assignment import is_optimal_certificate, linear_sum_assignment
from jaxlab.graph_algorithms.primal_dual import primal_dual_matching
from jaxlab.graph_algorithms.rounding import ROUNDINGS
from jaxlab.graph_algorithms.status import INFEASIBLE, LIMIT, OK, OVERFLOW
from jaxlab.graph_algorithms.types import Duals
from tests.graph_algorithms.oracle import (
    assert_matchings,
    assert_solved,
    brute_force,
    garbage,
    optimal_duals,
    random_cost,
    random_costs,
    scipy_cost,
)
from tests.helpers import to_device

RNG = np.random.default_rng(2)
SIZE, COUNT = 60, 100
SQUARE = (SIZE, SIZE)
METHODS = ["sap", "phase"]


@functools.cache
def program(**options):
    """One compiled program for all problems of a stack, for each set of options."""

    def solve(problem):
        cost, duals, mask = problem
        return linear_sum_assignment(cost, duals, mask=mask, **options)

    return jax.jit(lambda *stacks: jax.lax.map(solve, stacks))


def solve_all(costs, duals=None, masks=None, **options):
    """Results of a stack of problems, as numpy arrays; without a prediction, one of zeros."""
    if duals is None:
        duals = Duals(*(jnp.zeros((len(costs), k), jnp.int32) for k in costs.shape[1:]))
    masks = None if masks is None else to_device(masks)
    results = program(**options)(to_device(costs), duals, masks)
    return jax.tree.map(np.asarray, results)


def embedded(costs):
    """Problems of any size within ones of 60 rows, joined by no edge to a diagonal of zeros."""
    whole = np.zeros((len(costs), *SQUARE), np.int32)
    masks = np.tile(np.eye(SIZE, dtype=bool), (len(costs), 1, 1))
    for k, cost in enumerate(costs):
        n = len(cost)
        whole[k, :n, :n] = cost
        masks[k, :n, :n] = True
    return whole, masks


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("rounding", "key"), [*((name, "packed") for name in ROUNDINGS), ("c_transform", "two_pass")]
)
def test_any_prediction_gives_scipys_optimum(method, rounding, key):
    costs = random_costs(RNG, SQUARE, COUNT)
    guesses = garbage(RNG, SQUARE, COUNT)
    results = solve_all(costs, guesses, method=method, rounding=rounding, key=key)
    assert assert_solved(results, costs) == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("initial", "rounding"), [("greedy", "greedy"), ("maximum", "cover")])
def test_sizes_from_1_to_60_within_one_program_and_missing_edges(method, initial, rounding):
    sizes = RNG.integers(1, SIZE + 1, COUNT)
    costs, masks = embedded([random_cost(RNG, (n, n), k) for k, n in enumerate(sizes)])
    for k, n in enumerate(sizes):
        if k % 2:
            masks[k, :n, :n] &= RNG.random((n, n)) < [0.1, 0.5][k // 2 % 2]
        if k % 4 != 1:
            masks[k] |= np.eye(SIZE, dtype=bool)  # else it may be infeasible
    options = {"method": method, "initial": initial, "rounding": rounding}
    results = solve_all(costs, garbage(RNG, SQUARE, COUNT), masks, **options)
    assert assert_solved(results, costs, masks) > 5
    costs, masks = embedded([random_cost(RNG, (k % 6 + 1,) * 2, k) for k in range(COUNT)])
    results = solve_all(costs, garbage(RNG, SQUARE, COUNT), masks, **options)
    for k in range(COUNT):
        n = k % 6 + 1
        assert results.cost[k] == brute_force(costs[k, :n, :n])


@pytest.mark.parametrize(
    ("method", "shape", "maximize"),
    [
        ("sap", (30, 60), False),
        ("sap", (60, 30), True),
        ("phase", (30, 60), True),
        ("phase", (60, 30), False),
    ],
)
def test_rectangular_problems(method, shape, maximize):
    costs = random_costs(RNG, shape, COUNT) + 1000 * RNG.integers(-1, 2, (COUNT, 1, 1))
    costs = costs.astype(np.int32)
    masks = RNG.random(costs.shape) < np.array([1.1, 0.7, 0.05])[np.arange(COUNT) % 3, None, None]
    options = {"method": method, "maximize": maximize}
    results = solve_all(costs, garbage(RNG, shape, COUNT), masks, **options)
    assert 5 < assert_solved(results, costs, masks, maximize) < COUNT / 2
    proof = functools.partial(is_optimal_certificate, maximize=maximize)
    certify = jax.jit(jax.vmap(lambda cost, result, mask: proof(cost, result, mask=mask)))
    certified = certify(to_device(costs), results, to_device(masks))
    np.testing.assert_array_equal(certified, results.status == OK)
    again = solve_all(costs, jax.tree.map(jnp.asarray, results.duals), masks, **options)
    assert_solved(again, costs, masks, maximize)
    solved = results.status == OK  # their own duals leave less to do
    assert again.stats.augmentations[solved].sum() < results.stats.augmentations[solved].sum() / 2


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((10, 40), {}),
        ((40, 10), {"maximize": True, "key": "two_pass"}),
        ((10, 40), {"initial": "maximum"}),
        ((39, 40), {"row_reduction_rounds": 8}),
        ((1, 40), {"method": "auto"}),
    ],
)
@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_rectangles_without_a_prediction(shape, options, dtype):
    costs = random_costs(RNG, shape, COUNT).astype(dtype)
    masks = RNG.random(costs.shape) < np.array([1.1, 0.7, 0.1])[np.arange(COUNT) % 3, None, None]
    options = {"method": "sap", **options}
    if dtype == np.float32:
        options.pop("key", None)

    def solve(problem):
        cost, mask = problem
        result = linear_sum_assignment(cost, mask=mask, **options)
        maximize = options.get("maximize", False)
        return result, is_optimal_certificate(cost, result, mask=mask, maximize=maximize)

    stacks = to_device(costs), to_device(masks)
    results, certified = jax.tree.map(
        np.asarray, jax.jit(lambda *x: jax.lax.map(solve, x))(*stacks)
    )
    assert_solved(results, costs, masks, options.get("maximize", False))
    np.testing.assert_array_equal(certified, results.status == OK)
    assert (results.status == OK).any()
    assert (results.stats.free_rows <= min(shape)).all()


def test_a_rectangle_without_a_prediction_is_padded_nowhere():
    cost = jax.ShapeDtypeStruct((10, 2000), jnp.int32)
    solve = functools.partial(linear_sum_assignment, method="sap")
    needed = jax.jit(solve).lower(cost).compile().memory_analysis().temp_size_in_bytes
    assert needed < 10 * 4 * cost.size


@pytest.mark.parametrize("method", METHODS)
def test_an_exact_prediction_leaves_nothing_to_do(method):
    costs = random_costs(RNG, SQUARE, COUNT)
    best = [optimal_duals(cost) for cost in costs]
    shift = RNG.integers(-(10**4), 10**4, (COUNT, 1))
    exact = Duals(
        to_device(np.stack([y.row for y in best]) + shift, np.int32),
        to_device(np.stack([y.col for y in best]) - shift, np.int32),
    )
    options = {"method": method, "initial": "maximum", "rounding": "cover"}
    results = solve_all(costs, exact, **options)
    assert_solved(results, costs)
    assert (results.stats.free_rows == 0).all()
    assert (results.stats.augmentations == 0).all()


def test_augmentations_are_at_most_three_for_each_wrong_coordinate():
    highs = np.array([20, 1000])[np.arange(COUNT) % 2, None, None]
    costs = RNG.integers(0, highs, (COUNT, *SQUARE)).astype(np.int32)
    both = np.stack([np.concatenate(optimal_duals(cost)) for cost in costs])
    wrong = RNG.random(both.shape) < RNG.choice([0.02, 0.1, 0.3], (COUNT, 1))
    both = both + wrong * RNG.integers(1, 300, both.shape) * RNG.choice([-1, 1], both.shape)
    guesses = Duals(*(to_device(x, np.int32) for x in (both[:, :SIZE], both[:, SIZE:])))
    results = solve_all(costs, guesses, method="sap", initial="maximum", rounding="cover")
    assert_solved(results, costs)
    assert (results.stats.augmentations <= 3 * wrong.sum(axis=1)).all()
    assert results.stats.augmentations.sum() > COUNT / 2


def test_auctions():
    count = 30
    costs = random_costs(RNG, SQUARE, count)
    guesses = garbage(RNG, SQUARE, count)
    everywhere = np.ones(costs.shape, bool)
    auction = functools.partial(solve_all, method="auction")
    cold = auction(costs, guesses, everywhere)
    assert assert_solved(cold, costs) == 0
    exact = jax.tree.map(jnp.asarray, cold.duals)
    warm = auction(costs, exact, initial="maximum")
    assert_solved(warm, costs)
    assert (warm.stats.rounds == 0).all()
    huge = (costs.astype(np.int64) * 1000 + RNG.integers(0, 1000, costs.shape)).astype(np.int32)
    told = auction(huge, guesses, everywhere).status
    assert set(told) <= {OK, OVERFLOW}
    assert (told == OVERFLOW).any()
    masks = (RNG.random(costs.shape) < 0.2) | np.eye(SIZE, dtype=bool)
    masks[::10, 3] = False
    costs = np.clip(costs, -100, 100)
    results = auction(costs, guesses, masks)
    assert assert_solved(results, costs, masks) == count // 10
    rounds = auction(costs, guesses, max_steps=2)
    assert (rounds.stats.rounds <= 2).all()
    assert ((rounds.status == LIMIT) | (rounds.stats.rounds < 2) | (rounds.status == OK)).all()


def test_an_auction_goes_on_when_a_stage_lets_no_row_go():
    cold = [[112, 105, 139, 32, 151], [102, 78, 137, 132, 166], [237, 249, 114, 9, 162]]
    cold += [[14, 248, 42, 29, 28], [44, 16, 252, 56, 114]]
    result = linear_sum_assignment(jnp.array(cold), method="auction")
    assert (result.status, result.cost) == (OK, 292)
    warm = [[56, 0, 192, 186], [104, 298, 276, 239], [193, 99, 67, 280], [231, 32, 7, 222]]
    duals = Duals(jnp.zeros(4, jnp.int32), jnp.array([257, 179, 278, 245]))
    result = linear_sum_assignment(jnp.array(warm), duals, method="auction")
    assert (result.status, result.cost) == (OK, 389)


@pytest.mark.parametrize(
    ("n", "largest", "far_off"), [(20, 10**7, 10**9), (100, 10**6, 27 * 10**6)]
)
def test_auctions_from_predictions_with_one_column_far_off(n, largest, far_off):
    costs = RNG.integers(0, largest, (n, n)).astype(np.int32)
    duals = Duals(jnp.zeros(n, jnp.int32), jnp.zeros(n, jnp.int32).at[3].set(far_off))
    result = linear_sum_assignment(to_device(costs), duals, method="auction")
    assert (result.status, result.cost) == (OK, scipy_cost(costs))


def between_sites(rows, columns):
    """How many places apart rows and columns are, with so many of each at every place."""
    places = (np.repeat(np.arange(len(counts)), counts) for counts in (rows, columns))
    return np.abs(np.subtract.outer(*places)).astype(np.int32)


@pytest.mark.parametrize("n", [20, 40])
def test_prices_do_not_creep_where_the_prediction_is_off_by_less_than_a_unit_a_row(n):
    half = n // 2
    costs = (n - 1) * between_sites([half + 1, half - 1], [half, half])
    result = linear_sum_assignment(to_device(costs), method="auction")
    assert (result.status, result.cost) == (OK, n - 1)
    assert result.stats.rounds < n * n


@pytest.mark.parametrize("distance", [1000, 10_000])
def test_auctions_look_at_no_number_where_there_is_no_edge(distance):
    away = between_sites([3, 2, 2], [2, 2, 3])
    there = away <= 1
    solve = jax.jit(functools.partial(linear_sum_assignment, method="auction"))
    rounds = set()
    for number in (0, 2000, 10**9, -(10**9)):
        costs = np.where(there, distance * away, number).astype(np.int32)
        result = solve(to_device(costs), mask=to_device(there))
        assert (result.status, result.cost) == (OK, 2 * distance)
        rounds.add(int(result.stats.rounds))
    assert len(rounds) == 1
    assert rounds.pop() < 300


def test_auctions_tell_when_no_assignment_exists():
    cost = jnp.array([[1, 3, 3], [3, 0, 1], [2, 1, 1]])
    mask = jnp.array([[False, True, True], [False, True, True], [False, False, False]])
    assert linear_sum_assignment(cost, mask=mask, method="auction").status == INFEASIBLE
    count = 200
    costs = RNG.integers(-9, 10, (count, 6, 6)).astype(np.int32)
    masks = RNG.random(costs.shape) < RNG.choice([0.2, 0.4, 0.6], (count, 1, 1))
    results = solve_all(costs, garbage(RNG, (6, 6), count), masks, method="auction")
    infeasible = assert_solved(results, costs, masks)
    assert 20 < infeasible < count - 20
    # costs too wide for an auction hide it as little
    told = solve_all(costs << 24, None, masks, method="auction").status
    np.testing.assert_array_equal(told == INFEASIBLE, results.status == INFEASIBLE)


@pytest.mark.parametrize("method", METHODS)
def test_row_reduction_keeps_the_optimum_and_saves_augmentations(method):
    costs = RNG.integers(0, 1000, (COUNT, *SQUARE)).astype(np.int32)
    costs[::3] //= 300
    masks = np.ones(costs.shape, bool)
    masks[::2] = (RNG.random(costs[::2].shape) < 0.1) | np.eye(SIZE, dtype=bool)
    guesses = garbage(RNG, SQUARE, COUNT)
    results = solve_all(costs, guesses, masks, method=method, row_reduction_rounds=9)
    assert_solved(results, costs, masks)
    plain = solve_all(costs, guesses, masks, method=method, initial="greedy", rounding="greedy")
    assert results.stats.free_rows.sum() < 0.6 * plain.stats.free_rows.sum()


@pytest.mark.parametrize("method", METHODS)
def test_invariances(method):
    cost = RNG.integers(0, 10**4, SQUARE) * 60 + RNG.integers(0, 60, SQUARE)  # hardly a tie
    row, col = RNG.integers(-99, 99, (2, SIZE))
    order = RNG.permutation(SIZE)
    variants = [cost, cost + row[:, None] + col, cost[order], cost[:, order]]
    costs = np.stack(variants * (COUNT // 4)).astype(np.int32)
    results = solve_all(costs, method=method, rounding="c_transform", key="two_pass")
    plain, shifted, rows, columns = results.col_for_row[:4]
    np.testing.assert_array_equal(plain, shifted)
    assert results.cost[1] == results.cost[0] + row.sum() + col.sum()
    np.testing.assert_array_equal(rows, plain[order])
    np.testing.assert_array_equal(order[columns], plain)


@pytest.mark.parametrize("method", METHODS)
def test_floats_infinities_and_what_is_not_a_number(method):
    costs = RNG.normal(size=(COUNT, *SQUARE)) * 10.0 ** (np.arange(COUNT) % 5)[:, None, None]
    costs[RNG.random(costs.shape) < 0.2 * (np.arange(COUNT) % 5)[:, None, None]] = np.inf
    costs = costs.astype(np.float32)
    costs[5, 3] = np.inf
    guesses = Duals(*(to_device(RNG.normal(size=(COUNT, SIZE)), np.float32) for _ in range(2)))
    guesses = Duals(guesses.row, guesses.col.at[::4].set(jnp.nan))
    results = solve_all(costs, guesses, method=method)
    infeasible = assert_solved(results, costs)
    assert infeasible >= 1
    broken = np.where(np.isfinite(costs), costs, 1)
    broken[:50, 3, 4], broken[50:, 7, 2] = np.nan, -np.inf
    assert (solve_all(broken, guesses, method=method).status == OVERFLOW).all()


@pytest.mark.parametrize("exponent", [-30, -36])
@pytest.mark.parametrize("method", METHODS)
def test_floats_that_are_all_small(method, exponent):
    ordinary = RNG.random((COUNT, *SQUARE)).astype(np.float32)
    costs = ordinary * np.float32(10) ** exponent
    costs[costs < np.finfo(np.float32).tiny] = 0  # as XLA reads them
    guesses = Duals(*(to_device(RNG.random((COUNT, SIZE)), np.float32) for _ in range(2)))
    results = solve_all(costs, jax.tree.map(lambda x: x * 10.0**exponent, guesses), method=method)
    assert (results.status == OK).all()
    optima = np.array([scipy_cost(cost) for cost in costs.astype(np.float64)])
    np.testing.assert_allclose(results.cost, optima, rtol=1e-4)
    proof = jax.jit(jax.vmap(is_optimal_certificate))
    if exponent == -30:  # below, many duals vanish
        assert proof(to_device(costs), results).all()
    half = jax.tree.map(lambda x: x / 2, results.duals)
    assert not proof(to_device(costs), results._replace(duals=half)).any()


@pytest.mark.parametrize("method", METHODS)
def test_floats_of_very_different_sizes(method):
    costs = RNG.random((COUNT, *SQUARE))
    costs[::4][RNG.random(costs[::4].shape) < 0.1] = 1e6
    costs[1::4, 7, 9] = 1e7
    costs[2::4] = np.exp(4 * RNG.standard_normal(costs[2::4].shape))
    costs[3::4][RNG.random(costs[3::4].shape) < 0.97] = 1e6  # some of them are needed
    costs = costs.astype(np.float32)
    guesses = Duals(*(to_device(RNG.normal(size=(COUNT, SIZE)), np.float32) for _ in range(2)))
    results = solve_all(costs, guesses, method=method)
    assert (results.status == OK).all()
    assert_matchings(results, costs)
    expected = [scipy_cost(cost) for cost in costs]
    np.testing.assert_allclose(results.cost, expected, rtol=1e-4)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_floats_of_rows_that_differ_in_scale(method, dtype):
    n, rng = 20, np.random.default_rng(36)
    costs = rng.random((COUNT, n, n))
    costs[::2, 0] *= 1e4
    costs[1::2] *= np.exp(3 * rng.standard_normal((COUNT // 2, n, 1)))
    costs = costs.astype(dtype)
    optima = [scipy_cost(cost) for cost in costs]
    solve = functools.partial(linear_sum_assignment, method=method)
    reduced = jax.jit(jax.vmap(functools.partial(solve, row_reduction_rounds=8)))
    cold = reduced(to_device(costs))
    noisy = jax.tree.map(lambda x: x + to_device(rng.normal(size=x.shape), dtype), cold.duals)
    warm = jax.jit(jax.vmap(functools.partial(solve, rounding="cover")))
    for results in (cold, warm(to_device(costs), noisy)):
        assert results.cost.dtype == dtype
        assert (results.status == OK).all()
        np.testing.assert_allclose(results.cost, optima, rtol=1e-4)


@pytest.mark.parametrize("method", ["sap", "phase"])
def test_floats_keep_their_digits_from_a_far_prediction(method):
    n, lanes = 30, 12
    rng = np.random.default_rng(6)
    yesterday = rng.random((lanes, n, n)).astype(np.float32)
    yesterday[:, :, 0] = 1e6  # nobody could take this column
    today = rng.random((lanes, n, n)).astype(np.float32)
    today[1::3, 3, 5] = 1e6
    today[2::3][rng.random((lanes // 3, n, n)) < 0.05] = 1e6
    solve = jax.jit(jax.vmap(functools.partial(linear_sum_assignment, method=method)))
    duals = solve(to_device(yesterday)).duals
    garbage = Duals(*(to_device(rng.normal(size=(lanes, n)) * 1e6, np.float32) for _ in range(2)))
    for prediction in (duals, garbage):
        found = solve(to_device(today), prediction)
        assert (np.asarray(found.status) == 0).all()
        best = [scipy_cost(cost.astype(float)) for cost in today]
        np.testing.assert_allclose(found.cost, best, rtol=1e-5)


@pytest.mark.parametrize("shape", [SQUARE, (4, 40), (40, 4)])
@pytest.mark.parametrize("method", METHODS)
def test_floats_far_from_zero(method, shape):
    costs = (10_000 + RNG.random((COUNT, *shape))).astype(np.float32)
    costs[1::4] += 1000 * RNG.random((len(costs[1::4]), shape[0], 1)).astype(np.float32)
    costs[2::4] += 1000 * RNG.random((len(costs[2::4]), 1, shape[1])).astype(np.float32)
    guesses = (RNG.normal(size=(COUNT, size)) for size in shape)
    guesses = Duals(*(to_device(guess, np.float32) for guess in guesses))
    for prediction in (None, guesses):
        results = solve_all(costs, prediction, method=method)
        assert (results.status == OK).all()
        matched = jnp.maximum(results.col_for_row, 0)[..., None]
        paid = np.take_along_axis(costs.astype(float), np.asarray(matched), 2)[..., 0]
        paid = np.sum(paid, axis=1, where=results.col_for_row >= 0)
        np.testing.assert_allclose(paid, [scipy_cost(cost) for cost in costs], atol=0.01)
        assert jax.vmap(is_optimal_certificate)(to_device(costs), results).all()


@pytest.mark.parametrize("shape", [(100, 100), (5, 2000)])
def test_certificate_of_floats_far_from_zero_sees_what_they_differ_by(shape):
    cost = (100 + RNG.random(shape)).astype(np.float32)
    good = linear_sum_assignment(to_device(cost))
    assert is_optimal_certificate(to_device(cost), good)
    column = np.asarray(good.col_for_row).copy()
    column[:2] = column[1::-1]
    assert cost[[0, 1], column[:2]].sum() > cost[[1, 0], column[:2]].sum() + 0.01
    row = np.full(shape[1], -1)
    row[column] = np.arange(shape[0])
    turned = good._replace(col_for_row=to_device(column), row_for_col=to_device(row))
    assert not is_optimal_certificate(to_device(cost), turned)


def test_certificate_of_floats_is_not_blinded_by_one_large_cost():
    cost = np.full((6, 6), 2, np.float32)
    np.fill_diagonal(cost, 1)
    good = linear_sum_assignment(to_device(cost))
    cost[0, 5] = 1e8
    assert is_optimal_certificate(to_device(cost), good)
    turned = good._replace(
        col_for_row=jnp.roll(good.col_for_row, -1), row_for_col=jnp.roll(good.row_for_col, 1)
    )
    assert not is_optimal_certificate(to_device(cost), turned)


def test_a_sum_of_floats_that_overflows_is_no_optimum():
    result = linear_sum_assignment(jnp.full((4, 4), -3e38))
    assert result.status == OVERFLOW


def test_known_optima_and_calls_outside_jit():
    table = [[90, 80, 75, 70], [35, 85, 55, 65], [125, 95, 90, 95], [45, 110, 95, 115]]
    cost = jnp.array([*table, [50, 100, 90, 100]])
    assert linear_sum_assignment(cost).cost == 265
    assert linear_sum_assignment(cost.astype(jnp.int16).T).cost == 265
    one = linear_sum_assignment(jnp.array([[7]]))
    assert (one.cost, one.col_for_row[0], one.status) == (7, 0, OK)
    for shape in [(0, 0), (0, 3), (3, 0)]:
        nothing = linear_sum_assignment(jnp.zeros(shape, jnp.int32))
        assert nothing.cost == nothing.status == OK
        assert [len(part) for part in nothing.duals] == list(shape)
        assert (nothing.row_for_col == -1).all()
        assert is_optimal_certificate(jnp.zeros(shape, jnp.int32), nothing)


@pytest.mark.parametrize("method", METHODS)
def test_keys_that_overflow_are_told_under_jit(method):
    wide = RNG.integers(-(2**27), 2**27, (COUNT, *SQUARE)).astype(np.int32)
    options = {"method": method, "rounding": "c_transform"}
    assert (solve_all(wide, key="packed", **options).status == OVERFLOW).all()
    assert_solved(solve_all(wide // 4, key="two_pass", **options), wide // 4)
    huge = RNG.integers(-(2**31), 2**31, (COUNT, *SQUARE)).astype(np.int32)
    huge[::2] = 2**30  # here the sum is what overflows
    for key in ("packed", "two_pass"):
        assert (solve_all(huge, key=key, **options).status == OVERFLOW).all()


def test_keys_that_overflow_are_mended_outside_jit():
    cost = to_device(RNG.integers(-(2**25), 2**25, SQUARE), np.int32)
    assert jax.jit(linear_sum_assignment)(cost).status == OVERFLOW
    result = linear_sum_assignment(cost)
    assert (result.status, result.cost) == (OK, scipy_cost(cost))


@pytest.mark.usefixtures("x64")
def test_int64():
    cost = to_device(RNG.integers(-(2**45), 2**45, (20, 20)))
    result = linear_sum_assignment(cost, method="sap")
    assert result.cost.dtype == jnp.int64
    assert result.status == OK
    assert result.cost == scipy_cost(cost)  # sums below 2**53 are exact in scipy's floats
    assert is_optimal_certificate(cost, result)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("narrow", "wide"), [(np.int16, np.int32), (np.int32, np.int64)])
def test_duals_narrower_than_the_costs_are_a_warm_start(narrow, wide):
    cost = to_device(RNG.integers(0, 1000, (20, 20)), wide)
    row, col = linear_sum_assignment(cost).duals
    duals = Duals(row.astype(narrow), col.astype(narrow))
    result = linear_sum_assignment(cost, duals=duals, initial="maximum")
    assert result.cost == scipy_cost(cost)
    assert result.stats.augmentations == 0


@pytest.mark.parametrize("method", METHODS)
def test_limits(method):
    costs = RNG.integers(0, 1000, (COUNT, *SQUARE)).astype(np.int32)
    results = solve_all(costs, method=method, max_steps=1)
    assert (results.status == LIMIT).all()
    assert (results.stats.steps + results.stats.phases == 1).all()


def test_certificate_refuses_what_is_not_optimal():
    cost = to_device(RNG.integers(0, 1000, (6, 9)), np.int32)
    good = linear_sum_assignment(cost)
    assert is_optimal_certificate(cost, good)
    swapped = good.col_for_row.at[:2].set(good.col_for_row[:2][::-1])
    assert not is_optimal_certificate(cost, good._replace(col_for_row=swapped))
    raised = good.duals._replace(row=good.duals.row + 1)
    assert not is_optimal_certificate(cost, good._replace(duals=raised))
    lowered = Duals(good.duals.row + 5, good.duals.col - 5)
    assert not is_optimal_certificate(cost, good._replace(duals=lowered))
    partial = good.col_for_row.at[0].set(-1)
    assert not is_optimal_certificate(cost, good._replace(col_for_row=partial))


def test_a_second_call_of_equal_shapes_compiles_nothing(caplog):
    cost = to_device(RNG.integers(0, 99, (6, 9)), np.int32)
    with jax.log_compiles():
        for shift, compiled in [(0, True), (1, False)]:
            caplog.clear()
            linear_sum_assignment(cost.T + shift)
            assert any("solve" in record.getMessage() for record in caplog.records) == compiled


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    cost = jnp.ones((2, 3), jnp.int32)
    for arguments, options, message in [
        ((cost[0],), {}, "cost: expected a matrix"),
        ((cost.astype(jnp.uint32),), {}, "cost: expected signed integers, or narrower ones"),
        ((cost,), {"mask": jnp.ones((3, 2), bool)}, r"mask: expected shape \[2, 3\]"),
        ((cost, Duals(cost[0], cost[0])), {}, r"duals.row: expected shape \[2\]"),
        ((cost,), {"method": "simplex"}, "method: expected one of 'auto', 'sap'"),
        ((cost,), {"rounding": "up"}, "rounding: expected one of 'c_transform'"),
        ((cost,), {"initial": "none"}, "initial: expected one of 'greedy', 'maximum'"),
        ((cost,), {"key": "wide"}, "key: expected one of 'auto', 'packed', 'two_pass'"),
        ((cost,), {"row_reduction_rounds": -1}, "row_reduction_rounds: expected an integer >= 0"),
        ((cost,), {"max_steps": 0.5}, "max_steps: expected an integer"),
        ((cost * 1.0,), {"key": "packed"}, "key: expected 'auto' or 'two_pass' for costs that are"),
        ((cost * 1.0,), {"method": "auction"}, "method: expected another for costs of floats"),
        ((cost.at[0, 0].set(2**29),), {"key": "packed"}, "for costs that range over 536870911"),
        ((np.array([[0, 2**30]] * 2),), {"key": "packed"}, "for costs that range over 1073741824"),
        ((cost * jnp.nan,), {}, "cost: expected no NaN"),
        ((cost * -jnp.inf,), {}, "cost: expected no NaN, and no infinity but"),
        ((cost * jnp.inf,), {"maximize": True}, "cost: expected no NaN, and no infinity but"),
        ((cost, Duals(cost[:, 0] * jnp.nan, cost[0])), {}, "duals: expected numbers, got 'NaN'"),
    ]:
        with pytest.raises(ValueError, match=message):
            linear_sum_assignment(*arguments, **options)
    result = linear_sum_assignment(cost)
    with pytest.raises(ValueError, match=r"result.col_for_row: expected shape \[2\]"):
        is_optimal_certificate(cost, result._replace(col_for_row=result.row_for_col))
    wide = jax.ShapeDtypeStruct((1, 2**29), jnp.int32)
    with pytest.raises(ValueError, match="too many columns for a packed int32 key"):
        jax.eval_shape(lambda c: linear_sum_assignment(c, key="packed"), wide)


@pytest.mark.parametrize(
    ("solve", "n"),
    [
        (lambda cost: linear_sum_assignment(cost, method="auction"), 5_000),
        (lambda cost: linear_sum_assignment(cost, method="sap"), 50_000),
        (primal_dual_matching, 50_000),
    ],
    ids=["auction", "sap", "primal_dual"],
)
def test_limits_of_large_problems_fit_int32(solve, n):
    cost = jax.ShapeDtypeStruct((n, n), jnp.int32)
    found = jax.eval_shape(solve, cost)
    assert found.col_for_row.shape == (n,)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [16, 64, 257])
def test_costs_that_use_all_of_what_packed_keys_leave(size, method):
    room = 2 ** (29 - (size - 1).bit_length())
    costs = RNG.integers(0, room, (24 if size < 100 else 3, size, size))
    costs[1::3] = np.where(costs[1::3] < room / 2, 0, room - 1)
    points, others = RNG.random((2, len(costs[2::3]), size, 2))
    far = np.linalg.norm(points[:, :, None] - others[:, None], axis=-1)
    costs[2::3] = far / far.max() * (room - 1)
    results = solve_all(costs.astype(np.int32), method=method, key="packed")
    assert (results.status == OK).all()
    np.testing.assert_array_equal(results.cost, [scipy_cost(cost) for cost in costs])
