"""jaxlab: ICML 2022 methods as pure, jitted JAX functions.

Every method is a sub-package, loaded on first use: ``jaxlab.hopfield`` and its siblings. Below
them lies what several share: :mod:`jaxlab.graphs`. Around them stand :mod:`jaxlab.training` (train
steps, data parallelism, checkpoints), :mod:`jaxlab.data` (named data sets),
:mod:`jaxlab.experiments` (one module per reproduced claim) and :mod:`jaxlab.runner` (the command
line).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxlab import (
        correlation_clustering,
        data,
        experiments,
        graph_algorithms,
        graphs,
        hopfield,
        kcenter,
        leverage,
        ntk,
        runner,
        spherical,
        training,
    )

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "correlation_clustering",
    "data",
    "experiments",
    "graph_algorithms",
    "graphs",
    "hopfield",
    "kcenter",
    "leverage",
    "ntk",
    "runner",
    "spherical",
    "training",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"jaxlab.{name}")
    raise AttributeError(f"module 'jaxlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
