"""Small sets that come inside scikit-learn: no network, no files of ours."""

import functools
from typing import Any

import numpy as np

from jaxlab.checks import check_bool
from jaxlab.data.entry import Entry, ReadFile

__all__ = ["ENTRIES"]


def _bunch(loader: str, **options: Any) -> Any:
    import sklearn.datasets

    return getattr(sklearn.datasets, loader)(**options)


def _digits(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
    bunch = _bunch("load_digits")
    return {
        "images": (bunch.images / 16).astype(np.float32),  # the scans count 0 to 16 dots a pixel
        "labels": bunch.target.astype(np.int32),
    }


def _classes(loader: str) -> Any:
    def read(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
        bunch = _bunch(loader)
        return {
            "features": bunch.data.astype(np.float32),
            "labels": bunch.target.astype(np.int32),
            "feature_names": np.array(bunch.feature_names, dtype=np.str_),
            "label_names": np.array(bunch.target_names, dtype=np.str_),
        }

    return read


def _diabetes(read_file: ReadFile, split: str, *, scaled: bool = True) -> dict[str, np.ndarray]:
    """``scaled``: features centred and of unit norm, as scikit-learn has them; else as measured."""
    check_bool("scaled", scaled)
    bunch = _bunch("load_diabetes", scaled=scaled)
    return {
        "features": bunch.data.astype(np.float32),
        "targets": bunch.target.astype(np.float32),
        "feature_names": np.array(bunch.feature_names, dtype=np.str_),
    }


def _linnerud(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
    bunch = _bunch("load_linnerud")
    return {
        "features": bunch.data.astype(np.float32),
        "targets": bunch.target.astype(np.float32),
        "feature_names": np.array(bunch.feature_names, dtype=np.str_),
        "target_names": np.array(bunch.target_names, dtype=np.str_),
    }


_Embedded = functools.partial(Entry, source="scikit-learn", splits=("all",))
_UCI = "CC BY 4.0 (UCI Machine Learning Repository)"

ENTRIES = (
    _Embedded(
        name="digits",
        description="Small handwritten digits: images [1797, 8, 8], labels 0-9.",
        licence=_UCI,
        citation="E. Alpaydin, C. Kaynak, Optical recognition of handwritten digits, UCI Machine "
        "Learning Repository, 1998, doi:10.24432/C50P49.",
        read=_digits,
    ),
    _Embedded(
        name="breast_cancer",
        description="Cell nuclei of breast masses: features [569, 30], labels malignant, benign.",
        licence=_UCI,
        citation="W. Wolberg, O. Mangasarian, N. Street, W. Street, Breast cancer Wisconsin "
        "(diagnostic), UCI Machine Learning Repository, 1993, doi:10.24432/C5DW2B.",
        read=_classes("load_breast_cancer"),
    ),
    _Embedded(
        name="iris",
        description="Iris flowers in centimetres: features [150, 4], labels of 3 species.",
        licence=_UCI,
        citation="R. A. Fisher, Iris, UCI Machine Learning Repository, 1936, doi:10.24432/C56C76.",
        read=_classes("load_iris"),
    ),
    _Embedded(
        name="wine",
        description="Chemical analysis of wines: features [178, 13], labels of 3 cultivars.",
        licence=_UCI,
        citation="S. Aeberhard, M. Forina, Wine, UCI Machine Learning Repository, 1992, "
        "doi:10.24432/C5PC7J.",
        read=_classes("load_wine"),
    ),
    _Embedded(
        name="diabetes",
        description="Diabetes progression in one year: features [442, 10], targets [442].",
        licence="none stated; distributed with scikit-learn (BSD-3-Clause)",
        citation="B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least angle regression, "
        "Annals of Statistics 32(2):407-499, 2004.",
        read=_diabetes,
    ),
    _Embedded(
        name="linnerud",
        description="Exercises and bodies of men: features [20, 3], targets [20, 3].",
        licence="none stated; distributed with scikit-learn (BSD-3-Clause)",
        citation="M. Tenenhaus, La régression PLS: théorie et pratique, Technip, Paris, 1998.",
        read=_linnerud,
    ),
)
