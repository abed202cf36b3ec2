"""Duals: value, violation and tightening, against the definitions in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import graph_algorithms as ga
from jaxlab.graph_algorithms import duals as du
from jaxlab.graph_algorithms.predictor import predict_duals
from jaxlab.graph_algorithms.rounding import round_duals
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device

RNG = np.random.default_rng(3)


def random_problem(n, m):
    cost = RNG.integers(-20, 20, (n, m))
    duals = Duals(*(to_device(RNG.integers(-15, 15, size), np.int32) for size in (n, m)))
    return to_device(cost, np.int32), duals, to_device(RNG.random((n, m)) < 0.6)


@pytest.mark.parametrize("masked", [False, True])
def test_violation_and_tightening(masked):
    for _ in range(20):
        cost, duals, mask = random_problem(5, 7)
        there = np.asarray(mask) if masked else np.ones((5, 7), bool)
        mask = mask if masked else None
        reduced = np.asarray(cost) - np.asarray(duals.row)[:, None] - np.asarray(duals.col)
        expected = max(0, -reduced[there].min())
        assert du.feasibility_violation(cost, duals, mask=mask) == expected
        tight = du.tighten_duals(cost, duals, mask=mask)
        assert du.feasibility_violation(cost, tight, mask=mask) == 0
        slack = np.asarray(du.reduced_costs(cost, tight))
        slack = np.where(there, slack, 99)
        assert (slack.min(axis=1)[there.any(axis=1)] == 0).all()
        assert (slack.min(axis=0)[there.any(axis=0)] == 0).all()
        again = du.tighten_duals(cost, tight, mask=mask)
        assert du.dual_objective(again) == du.dual_objective(tight)  # nothing is left to raise
        feasible = Duals(duals.row - expected, duals.col)
        raised = du.tighten_duals(cost, feasible, mask=mask)
        assert (raised.row >= feasible.row).all()
        assert (raised.col >= feasible.col).all()


def test_rows_and_columns_without_edges_keep_their_duals():
    cost, duals, _ = random_problem(2, 2)
    tight = du.tighten_duals(cost, duals, mask=jnp.array([[True, False], [False, False]]))
    assert tight.row[1] == duals.row[1]
    assert tight.col[1] == duals.col[1]
    assert tight.row[0] + tight.col[0] == cost[0, 0]


def test_stacks_have_one_value_each():
    stack = Duals(jnp.arange(6).reshape(2, 3), jnp.ones((2, 4), jnp.int32))
    assert du.dual_objective(stack).tolist() == [7, 16]


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    cost, duals, mask = random_problem(2, 3)
    with pytest.raises(ValueError, match="cost: expected a matrix, got int32"):
        du.tighten_duals(cost[0], duals)
    with pytest.raises(ValueError, match=r"duals.row: expected shape \[2\]"):
        du.tighten_duals(cost, Duals(duals.col, duals.col))
    with pytest.raises(ValueError, match=r"duals.col: expected shape \[3\]"):
        du.feasibility_violation(cost, Duals(duals.row, duals.row))
    with pytest.raises(ValueError, match=r"mask: expected shape \[2, 3\]"):
        du.tighten_duals(cost, duals, mask=mask.T)
    with pytest.raises(ValueError, match="mask: expected dtype bool"):
        du.tighten_duals(cost, duals, mask=cost)
    with pytest.raises(ValueError, match="cost: expected numbers"):
        du.tighten_duals(mask, duals)
    with pytest.raises(ValueError, match="cost: expected signed integers, or narrower ones"):
        du.tighten_duals(jnp.full((2, 3), 2**31, jnp.uint32), duals)


@pytest.mark.usefixtures("bad_input")
def test_narrow_integers_do_not_wrap():
    cost, none = jnp.array([[3, 5], [10, 1]], jnp.uint8), jnp.zeros(2, jnp.uint8)
    assert du.feasibility_violation(cost, Duals(none, none)) == 0
    cost = jnp.array([[100, -100], [-100, 100]], jnp.int8)
    guess = Duals(jnp.array([100, -100], jnp.int8), jnp.array([-100, 100], jnp.int8))
    for duals in (du.tighten_duals(cost, guess), round_duals(cost, guess, method="greedy")):
        assert du.feasibility_violation(cost, duals) == 0
    duals = predict_duals(cost, jnp.array([1e12, -1e12]))
    assert du.feasibility_violation(cost, duals) == 0


ONES = np.array([1, 1])
WIDE = np.array([[2**40, 5], [4, 3]])  # NumPy's integers have 64 bits, those of jax 32
ZEROS = Duals(0 * ONES, 0 * ONES)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("cost", lambda: ga.linear_sum_assignment(WIDE)),
        ("cost", lambda: ga.linear_sum_assignment(WIDE * 1e200)),
        ("cost", lambda: jax.jit(lambda: ga.linear_sum_assignment(WIDE))()),
        ("cost", lambda: ga.linear_sum_assignment_batch(WIDE[None])),
        ("cost", lambda: ga.primal_dual_matching(WIDE)),
        ("cost", lambda: ga.bottleneck_assignment(WIDE)),
        ("cost", lambda: ga.assignment_cost(WIDE * 1e200)),
        ("cost", lambda: ga.is_optimal_certificate(WIDE, ga.linear_sum_assignment(jnp.eye(2)))),
        ("cost", lambda: ga.tighten_duals(WIDE, ZEROS)),
        ("cost", lambda: ga.round_duals(WIDE, ZEROS, method="cover")),
        ("cost", lambda: ga.feasibility_violation(WIDE, ZEROS)),
        ("cost", lambda: ga.predict_duals(WIDE, ONES)),
        ("cost", lambda: ga.predict_or_fallback(WIDE, ZEROS)),
        ("cost", lambda: ga.b_matching_reduction(WIDE, ONES, ONES)),
        ("cost", lambda: ga.dcs_reduction(0 * ONES, 0 * ONES, WIDE[0], ONES[:1], ONES[:1])),
        ("bounds", lambda: ga.difference_constraints(0 * ONES, ONES, WIDE[0], 2)),
        ("duals.row", lambda: ga.linear_sum_assignment(np.eye(2), Duals(WIDE[0], ONES))),
        ("duals.col", lambda: ga.feasibility_violation(np.eye(2), Duals(ONES, WIDE[0]))),
        (
            "duals.col",
            lambda: ga.linear_sum_assignment_batch(np.eye(2)[None], Duals(ONES, WIDE[0])),
        ),
        ("duals.row", lambda: ga.dual_objective(Duals(WIDE[0], ONES))),
        ("duals.col", lambda: ga.dual_objective(Duals(ONES, WIDE[0]))),
        ("duals.row", lambda: ga.canonicalize(Duals(WIDE[0], ONES), "none")),
        ("duals.col", lambda: ga.canonicalize(Duals(ONES, WIDE[0]))),
        ("samples.row", lambda: ga.fit_duals(Duals(WIDE, 0 * WIDE))),
        ("samples.col", lambda: ga.fit_duals(Duals(0 * WIDE, WIDE), gauge="none")),
    ],
)
def test_numbers_that_jax_would_cut_are_refused(argument, call):
    with pytest.raises(ValueError, match=f"{argument}: expected numbers that fit (int|float)32"):
        call()


@pytest.mark.usefixtures("bad_input")
def test_numbers_that_jax_would_cut_may_stand_where_there_is_no_edge():
    there = WIDE < 2**31
    result = ga.linear_sum_assignment(WIDE, mask=there)
    assert (result.status, result.cost) == (0, 9)
    assert ga.bottleneck_assignment(WIDE, mask=there).cost == 5
    assert ga.is_optimal_certificate(WIDE, result, mask=there)
    instance = ga.b_matching_reduction(WIDE, ONES, ONES, mask=there).instance
    assert ga.linear_sum_assignment(*instance[:1], mask=instance.mask).cost == 9
