"""Other libraries' solvers of the assignment problem, on the same costs, for comparison."""

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.optimize

from jaxlab import graph_algorithms as ga

__all__ = ["FUNCTIONS", "TITLES", "Peer", "batch_peers", "exact", "optimum", "peers", "total"]

TITLES = {"scipy": "SciPy", "lap": "lap", "optax": "optax"}
FUNCTIONS = (
    "SciPy is scipy.optimize.linear_sum_assignment, lap is lap.lapjv, optax is "
    "optax.assignment.hungarian_algorithm."
)


_hungarian = jax.jit(optax.assignment.hungarian_algorithm)
_hungarian_batch = jax.jit(jax.vmap(optax.assignment.hungarian_algorithm))


class Peer(NamedTuple):
    """A solver.

    Attributes:
        prepare: integer costs in the form that it takes them; not part of its time.
        solve: matched rows and columns, of what was prepared.
    """

    prepare: Callable[[Any], Any]
    solve: Callable[[Any], Any]


def peers() -> dict[str, Peer]:
    """Those that are installed; lap is no dependency."""
    found = {
        "scipy": Peer(np.asarray, scipy.optimize.linear_sum_assignment),
        "optax": Peer(jnp.float32, _hungarian),
    }
    if importlib.util.find_spec("lap") is not None:
        found["lap"] = Peer(np.float64, _lapjv)
    return found


def batch_peers() -> dict[str, Peer]:
    """The same for a stack of problems: optax all together, the others one after the other."""

    def in_turn(solve: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda stack: [np.stack(part) for part in zip(*map(solve, stack), strict=True)]

    return {
        name: Peer(peer.prepare, _hungarian_batch if name == "optax" else in_turn(peer.solve))
        for name, peer in peers().items()
    }


def total(cost: Any, matched: Any) -> Any:
    """Sum of the matched entries, for each problem of a stack."""
    rows, columns = (np.asarray(part) for part in matched)
    of_rows = np.take_along_axis(np.asarray(cost), rows[..., None], axis=-2)
    return np.take_along_axis(of_rows, columns[..., None], axis=-1).sum(axis=(-2, -1))


def optimum(cost: Any) -> int:
    """Least cost by SciPy."""
    return int(total(cost, scipy.optimize.linear_sum_assignment(np.asarray(cost))))


def exact(cost: Any, best: int, result: ga.AssignmentResult) -> bool:
    """Whether a result costs what SciPy's does, with a certificate."""
    fine = int(result.status) == 0 and int(result.cost) == best
    return fine and bool(ga.is_optimal_certificate(cost, result))


def _lapjv(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import lap

    _, columns, _ = lap.lapjv(matrix)
    return np.arange(len(columns)), columns
