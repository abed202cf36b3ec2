"""Linear algebra with the kernel of a data set that is never formed.

The kernel of n images and O outputs has ``(nO)²`` entries. Here it is known by its products alone,
two passes over micro-batches of images each: conjugate gradients solve the regression, Lanczos
finds the largest eigenvalues, and a small set is checked against the kernel in memory.
"""

import functools
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Positive, Reporter, config
from jaxlab.experiments.measure import Compiled, compile_call
from jaxlab.experiments.ntk.inputs import DataName, Images, load_images, title_of
from jaxlab.experiments.ntk.networks import Network, mlp
from jaxlab.experiments.ntk.vector_products_report import (
    CLAIMS,
    Case,
    Results,
    draw_cost,
    draw_results,
    judge,
    report,
)
from jaxlab.ntk.conjugate_gradient import solve
from jaxlab.ntk.cost import count_flops
from jaxlab.ntk.flattening import flatten_kernel
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.lanczos import top_eigenpairs
from jaxlab.ntk.operators import DatasetOperator, dataset_operator

__all__ = ["CLAIMS", "Config", "run"]


@config
class Dense:
    """The check against a kernel in memory: its images, and how regression is solved.

    ``ridge`` is in units of the kernel's mean diagonal, ``tol`` that of the residual relative to
    the targets.
    """

    n: Annotated[int, Field(ge=2)]
    test: Count
    ridge: Positive
    tol: Positive


@config
class Config:
    """Sizes.

    ReLU network of ``hidden`` layers of ``width`` units, NTK parametrisation with σ_w² = 2 and
    σ_b = 0.1. One output is trained on the sign of "class below 5"; ten on the classes. ``ridge``
    is in units of the mean diagonal, ``tol`` relative to the targets. ``eigenvalues`` are asked for
    by Lanczos, for the fewest of ``outputs``. ``micro_batch`` is at most the smallest ``n``: memory
    grows with what a micro-batch holds.
    """

    seed: Annotated[int, Field(ge=0)]
    data: DataName
    n: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=2)]
    test: Count
    outputs: Annotated[tuple[Literal[1, 10], ...], Field(min_length=1)]
    hidden: Count
    width: Count
    micro_batch: Count
    ridge: Positive
    tol: Positive
    max_steps: Count
    eigenvalues: Count
    repeats: Count
    dense: Dense

    def __post_init__(self) -> None:
        """Every kernel has the eigenvalues, and micro-batches are of one size."""
        rows = min(self.outputs) * min(*self.n, self.dense.n)
        expected = f"at most the {rows} rows of the smallest kernel"
        require(self.eigenvalues <= rows, "eigenvalues", self.eigenvalues, expected)
        expected = f"at most the smallest n, {min(self.n)}"
        require(self.micro_batch <= min(self.n), "micro_batch", self.micro_batch, expected)


class _Problem(NamedTuple):
    """A network with one or ten outputs, and the images with its targets."""

    network: Network
    params: Any
    x: Array
    y: Array
    x_test: Array
    y_test: Array
    micro_batch: int

    def operator(self, n: int) -> DatasetOperator:
        """The kernel of the first ``n`` images."""
        return self.over(self.x[:n])

    def arguments(self, n: int) -> tuple[DatasetOperator, Array]:
        """That kernel, and the targets of its images as a vector."""
        return self.operator(n), self.y[:n]

    def over(self, x: Array) -> DatasetOperator:
        return dataset_operator(self.network.apply, self.params, x, micro_batch=self.micro_batch)

    def predict(self, x_test: Array, alpha: Array) -> Array:
        """``k_* α`` from one product: test images behind the others, where the vector is 0."""
        operator = self.over(jnp.concatenate([self.x[: len(alpha)], x_test]))
        padding = jnp.zeros((len(x_test), *alpha.shape[1:]), alpha.dtype)
        product = jax.jit(_product)(operator, jnp.concatenate([alpha, padding]))
        return product[len(alpha) :]


class _Calls(NamedTuple):
    """Calls compiled for one number of images and of outputs."""

    product: Compiled  # operator, vector
    solve: Compiled  # operator, right-hand side, ridge, tolerance
    eigenpairs: Compiled | None  # operator


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Check against the dense kernel, then measure memory, time, regression and spectrum."""
    images = load_images(config.data, max(*config.n, config.dense.n), config.test, seed=config.seed)
    problems: dict[int, _Problem] = {
        outputs: _problem(config, images, outputs) for outputs in sorted(config.outputs)
    }
    cases = [(outputs, n) for outputs in problems for n in sorted(config.n)]
    few = min(problems)
    calls = functools.cache(
        lambda outputs, n: _compile(config, problems[outputs], n, spectrum=outputs == few)
    )
    reporter.plan(len(problems) + len(cases) + len(config.n))
    dense = {
        outputs: reporter.cell(
            f"dense/O={outputs}",
            functools.partial(_dense, config, problem, calls(outputs, config.dense.n)),
        )
        for outputs, problem in problems.items()
    }
    seconds = _time({case: calls(*case).product for case in cases}, problems, config.repeats)
    passes, spectra, fits = {}, {}, {}
    for outputs, n in cases:
        problem, unit = problems[outputs], dense[outputs]["mean diagonal"]
        reporter.timing(f"seconds of a product, O = {outputs}, n = {n}", seconds[outputs, n])
        forward = count_flops(problem.network.apply, problem.params, problem.x[:n])
        passes[outputs, n] = float(count_flops(_product, *problem.arguments(n)) / forward)
        if outputs == few:
            spectra[n] = reporter.cell(
                f"eigenvalues/O={outputs}/n={n}",
                functools.partial(_spectrum, problem, calls(outputs, n), n, unit),
            )
        fits[outputs, n] = reporter.cell(
            f"regression/O={outputs}/n={n}",
            functools.partial(_regression, config, problem, calls(outputs, n), n, unit),
        )
    memory = {
        case: {
            name: None if call is None else call.temporary_bytes
            for name, call in zip(
                ("one product", "conjugate gradients", f"{config.eigenvalues} eigenpairs"),
                calls(*case),
                strict=True,
            )
        }
        for case in cases
    }
    results = Results(memory, passes, seconds, spectra, fits, dense)
    data = (
        f"{config.hidden} hidden layers of {config.width} ReLU units, NTK parametrisation, images "
        f"of {title_of(config.data)}, float32, micro-batches of {config.micro_batch}, seed "
        f"{config.seed}"
    )
    report(config, results, data, reporter)
    draw_cost(results, data, reporter)
    draw_results(config, results, data, reporter)
    judge(results, reporter)


def _problem(config: Config, images: Images, outputs: int) -> _Problem:
    network = mlp(
        (math.prod(images.x.shape[1:]), *[config.width] * config.hidden, outputs),
        parametrisation="ntk",
        bias_std=0.1,
    )

    def targets(labels: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
        return one_hot if outputs == 10 else np.where(labels < 5, 1.0, -1.0)[:, None]

    arrays = (
        images.x,
        targets(images.labels, images.targets),
        images.x_test,
        targets(images.labels_test, images.targets_test),
    )
    params = jax.jit(network.init)(jax.random.fold_in(jax.random.key(config.seed), outputs))
    x, y, x_test, y_test = (jnp.asarray(array, jnp.float32) for array in arrays)
    return _Problem(network, params, x, y, x_test, y_test, config.micro_batch)


def _product(operator: DatasetOperator, vector: Array) -> Array:
    return operator.matvec(vector)


def _time(
    products: Mapping[Case, Compiled], problems: Mapping[int, _Problem], repeats: int
) -> dict[Case, float]:
    """Shortest time of every call, in rounds in which all take turns: other load falls on all."""
    seconds = dict.fromkeys(products, math.inf)
    for turn in range(repeats + 1):
        for (outputs, n), product in products.items():
            arguments = jax.block_until_ready(problems[outputs].arguments(n))
            began = time.perf_counter()
            jax.block_until_ready(product.call(*arguments))
            elapsed = time.perf_counter() - began if turn else math.inf  # the first warms up
            seconds[outputs, n] = min(seconds[outputs, n], elapsed)
    return seconds


def _compile(config: Config, problem: _Problem, n: int, *, spectrum: bool) -> _Calls:
    operator, vector = problem.arguments(n)
    number = jnp.float32(1)
    eigenpairs = functools.partial(top_eigenpairs, jax.random.key(config.seed))
    return _Calls(
        compile_call(_product, operator, vector),
        compile_call(
            lambda operator, b, ridge, tol: solve(
                operator, b, ridge=ridge, tol=tol, max_steps=config.max_steps
            ),
            *(operator, vector, number, number),
        ),
        compile_call(lambda operator: eigenpairs(operator, config.eigenvalues), operator)
        if spectrum
        else None,
    )


def _dense(config: Config, problem: _Problem, calls: _Calls) -> dict[str, Any]:
    """Differences from the kernel in memory, solved and decomposed in float64."""
    sizes = config.dense
    x, y, x_test = problem.x[: sizes.n], problem.y[: sizes.n], problem.x_test[: sizes.test]
    kernel_fn = jax.jit(ntk_fn(problem.network.apply, vmap_axes=0))
    kernel, across = (
        np.asarray(flatten_kernel(kernel_fn(*pair, problem.params)), np.float64)
        for pair in ((x, None), (x_test, x))
    )
    scale = float(np.diag(kernel).mean())
    ridge = sizes.ridge * scale
    values = None if calls.eigenpairs is None else np.linalg.eigvalsh(kernel)[::-1]
    kernel[np.diag_indices_from(kernel)] += ridge
    exact = across @ np.linalg.solve(kernel, np.asarray(y, np.float64).ravel())
    operator = problem.operator(sizes.n)
    solution = calls.solve.call(operator, y, jnp.float32(ridge), jnp.float32(sizes.tol))
    ours = np.asarray(problem.predict(x_test, solution.value), np.float64).ravel()
    found = {
        "mean diagonal": scale,
        "prediction": float(np.abs(ours - exact).max() / np.abs(exact).max()),
        "steps": int(solution.steps),
        "status": int(solution.status),
    }
    if calls.eigenpairs is None or values is None:
        return found
    pairs = calls.eigenpairs.call(operator)
    return found | {
        "eigenvalue": float(abs(pairs.values[0] - values[0]) / values[0]),
        "condition": float((values[0] + ridge) / (max(values[-1], 0) + ridge)),
    }


def _spectrum(problem: _Problem, calls: _Calls, n: int, unit: float) -> dict[str, Any]:
    """Largest eigenvalues over ``n`` mean diagonals, as the kernel's integral operator has them."""
    assert calls.eigenpairs is not None
    found = calls.eigenpairs.call(problem.operator(n))
    return {
        "shares": [float(f"{value:.5g}") for value in np.asarray(found.values) / unit / n],
        "bound": float(found.error_bounds.max() / found.values[0]),
    }


def _regression(
    config: Config, problem: _Problem, calls: _Calls, n: int, unit: float
) -> dict[str, Any]:
    y = problem.y[:n]
    solution = calls.solve.call(
        problem.operator(n), y, jnp.float32(config.ridge * unit), jnp.float32(config.tol)
    )
    outputs = problem.predict(problem.x_test, solution.value)
    if y.shape[1] == 1:
        right = jnp.sign(outputs) == problem.y_test
    else:
        right = outputs.argmax(axis=1) == problem.y_test.argmax(axis=1)
    return {
        "steps": int(solution.steps),
        "status": int(solution.status),
        "residual": float(solution.residual_norm / jnp.linalg.norm(y)),
        "accuracy": float(jnp.mean(right)),
    }
