"""The classical memories against their closed forms: Hopfield network, sparse distributed memory.

Three measurements on random bipolar patterns: the bits that one step of a Hopfield network turns at
a stored pattern; what a sparse distributed memory reads; and asynchronous recall, neuron by neuron,
from corrupted patterns. Repetitions are independent networks; standard errors are those of the mean
over repetitions, and not below what independent bits would give.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from jaxlab.experiments.hopfield import classical_asynchronous, classical_one_step, classical_sparse
from jaxlab.experiments.interface import Claim, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]


@config
class Config:
    """Sizes of the three measurements."""

    seed: Annotated[int, Field(ge=0)]
    one_step: classical_one_step.OneStep
    sparse: classical_sparse.Sparse
    asynchronous: classical_asynchronous.Asynchronous


CLAIMS = (
    Claim(
        id="hopfield-error-rate",
        statement="One step of a Hopfield network turns bits of stored random patterns at the rate "
        "of the signal-to-noise argument, with and without self-connections.",
        source="the Hopfield network as an instance; theory of Hopfield 1982, McEliece et al. 1987",
        paper="Φ(−(d+N−1)/√((N−1)(d−1))) and Φ(−√((d−1)/(N−1)))",
        criterion="measured rate within 3 standard errors at every dimension and load",
    ),
    Claim(
        id="sdm-overlap",
        statement="Two addresses of a sparse distributed memory share hard locations as often as "
        "the sum over the two spheres says.",
        source="sparse distributed memory as an instance; theory of Kanerva 1988",
        paper="2^{−d} Σ C(d−D, i) C(D, j) over i+j ≤ r, i+D−j ≤ r",
        criterion="measured share within 3 standard errors at every distance",
    ),
    Claim(
        id="sdm-error-rate",
        statement="A sparse distributed memory misreads bits of independent values at the rate "
        "that follows from the overlaps.",
        source="sparse distributed memory as an instance; the closed form is derived here",
        paper="–",
        criterion="measured rate within 3 standard errors at every count and distance",
    ),
    Claim(
        id="asynchronous-descends",
        statement="Asynchronous recall never raises the energy and comes to rest.",
        source="the Hopfield network as an instance; Hopfield 1982",
        paper="energy non-increasing, convergence in finitely many sweeps",
        criterion="no sweep of any query raises −½ vᵀWv, and every query converges",
    ),
)


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure, and compare with the closed forms."""
    one, sparse, slow = config.one_step, config.sparse, config.asynchronous
    reporter.plan(2 * len(one.dims) + 2 * sparse.seeds + 2 * len(slow.loads))
    networks = classical_one_step.measure(one, config.seed, reporter)
    memory = classical_sparse.measure(sparse, config.seed, reporter)
    recalls = classical_asynchronous.measure(slow, config.seed, reporter)
    classical_one_step.report(one, config.seed, networks, reporter)
    classical_sparse.report(sparse, config.seed, *memory, reporter)
    classical_asynchronous.report(slow, config.seed, recalls, reporter)
