"""Example arguments: phases 3 to 5, the solver, refinement and baselines."""

import jax
import jax.numpy as jnp

from jaxlab import kcenter
from tests.helpers import Example

N, D, K, M = 40, 2, 3, 2
POINTS = jax.ShapeDtypeStruct((N, D), jnp.float32)
GROUPS = jax.ShapeDtypeStruct((N,), jnp.int32)
DIST = jax.ShapeDtypeStruct((N, K), jnp.float32)
SQUARE = jax.ShapeDtypeStruct((K, K), jnp.float32)
COUNTS = jax.ShapeDtypeStruct((K, K), jnp.int32)
BOUNDS = jax.ShapeDtypeStruct((M,), jnp.int32)
ETA = jax.ShapeDtypeStruct((K,), jnp.int32)
ACTIVE = jax.ShapeDtypeStruct((K,), bool)
FOREST = kcenter.Forest(COUNTS, SQUARE, COUNTS)
CANDIDATES = kcenter.Candidates(COUNTS, SQUARE, jax.ShapeDtypeStruct((K, K), bool))
SCALAR = jax.ShapeDtypeStruct((), jnp.float32)
REAL = jax.ShapeDtypeStruct((K,), jnp.float32)
SOLUTION = kcenter.Solution(
    ETA,
    ACTIVE,
    GROUPS,
    ETA,
    BOUNDS,
    SCALAR,
    SCALAR,
    jax.ShapeDtypeStruct((), jnp.int32),
    REAL,
    REAL,
    REAL,
    jax.ShapeDtypeStruct((), bool),
)
INTERVALS = {"k": K, "lower": [1, 1], "upper": [2, 2]}
QUOTA = {"k": K, "quota": [2, 1]}

EXAMPLES = {
    "jaxlab.kcenter.forests.prefix_spanning_trees": Example((SQUARE,)),
    "jaxlab.kcenter.budgets.opening_budgets": Example((COUNTS, FOREST), {"min_size": 3}),
    "jaxlab.kcenter.candidates.candidate_lists": Example((DIST, GROUPS, BOUNDS, BOUNDS), {"k": K}),
    "jaxlab.kcenter.color_flow.open_representatives": Example(
        (CANDIDATES, GROUPS, ETA, ACTIVE, BOUNDS, BOUNDS), {"k": K}
    ),
    "jaxlab.kcenter.solver.fair_private_kcenter": Example(
        (POINTS, GROUPS), INTERVALS | {"min_size": 5}
    ),
    "jaxlab.kcenter.solver.assignment_points": Example((SOLUTION,)),
    "jaxlab.kcenter.refine.refine_minimax": Example((POINTS, GROUPS, SOLUTION), {"min_size": 5}),
    "jaxlab.kcenter.fair.fair_kcenter": Example((POINTS, GROUPS), QUOTA),
    "jaxlab.kcenter.fair.fair_range_kcenter": Example((POINTS, GROUPS), INTERVALS),
    "jaxlab.kcenter.heuristics.greedy_per_group": Example((POINTS, GROUPS), QUOTA),
    "jaxlab.kcenter.heuristics.greedy_capped": Example((POINTS, GROUPS), QUOTA),
    "jaxlab.kcenter.sequential.sequential_fair_private": Example(
        (POINTS, GROUPS), {"k": K, "lower": [2, 1], "upper": [2, 1], "min_size": 5}
    ),
}
HOST_SIDE = {
    "jaxlab.kcenter.check.check_solution": "counts a solution anew in numpy",
    "jaxlab.kcenter.oracles.brute_force_optimum": "tries all sets of centers with scipy",
    "jaxlab.kcenter.oracles.milp_optimum": "integer programs of scipy",
    "jaxlab.kcenter.swap.fair_kcenter_swap": "swaps centers along paths of groups in numpy",
}
