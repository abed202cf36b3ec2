"""Points with demographic groups, as the study of fair and fast k-center clustering has them.

The files are those of the study's repository: features that are already scaled to [0, 1] and are
compared by Euclidean distance as they are, and the group of every point. A fourth file of it,
``subElectric.npz``, has no published checksum; :func:`read_points` reads one that you have.
"""

import io

import numpy as np

from jaxlab.checks import check_shape, require
from jaxlab.data.entry import Entry, ReadFile
from jaxlab.data.files import FileSpec

__all__ = ["ENTRIES", "read_points"]

REPOSITORY = "LeonSering/fair_and_fast_k_center_clustering"
COMMIT = "09eab62071fadc1ea9459581e7ff526e7d0086a2"
STUDY = (
    "H. Angelidakis, A. Kurpisz, L. Sering, R. Zenklusen, Fair and fast k-center clustering for "
    "data summarization, ICML 2022, PMLR 162:669-702."
)


def read_points(content: bytes) -> dict[str, np.ndarray]:
    """Points and their groups from a file of the study.

    Args:
        content: an ``.npz`` with ``x`` [n, d], features, and ``y`` [n], integers from 0.

    Returns:
        ``features`` [n, d] float64, as they are in the file; ``labels`` [n] int32.

    Raises:
        ValueError: the content is no such file.
    """
    try:
        with np.load(io.BytesIO(content)) as arrays:
            features, labels = arrays["x"], arrays["y"]
    except Exception as error:  # whatever damage does to the reader
        raise ValueError(f"content: expected points and groups, got {error!r}") from None
    check_shape("x", features, ("n", "d"))
    check_shape("y", labels, (len(features),))
    require(labels.dtype.kind in "iu", "y", labels.dtype, "integers")
    least = int(labels.min(initial=0))
    require(least >= 0, "y", least, "groups counted from 0")
    return {"features": features.astype(np.float64), "labels": labels.astype(np.int32)}


def _entry(name: str, stem: str, digest: str, *, description: str, citation: str) -> Entry:
    file = f"{stem}.npz"

    def read(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
        return read_points(read_file(file))

    spec = FileSpec(
        folder=name,
        name=file,
        urls=(f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/experiments/data/{file}",),
        content_sha256=digest,
        copies=(f"kcenter/{file}",),
    )
    return Entry(
        name=name,
        description=description,
        source=f"https://github.com/{REPOSITORY}",
        licence="MIT (the study's repository, © 2024 LeonSering); from UCI data under CC BY 4.0",
        citation=f"{STUDY} {citation}",
        splits=("all",),
        read=read,
        files=(spec,),
    )


ENTRIES = (
    _entry(
        "count_query",
        "countQuery",
        "85b424ce599e8e7d35218b076f451dd946c8aca0afa007d7974ed1ff5e73e83e",
        description="Range queries, grouped by their answer: features [10000, 2], 7 groups.",
        citation="F. Savva, C. Anagnostopoulos, P. Triantafillou, Query analytics workloads, UCI "
        "Machine Learning Repository, 2019 (by the file's name).",
    ),
    _entry(
        "gender_diabetes",
        "genderDiabetes",
        "b580bfe24773db57f01dcbdbad75f0995addf12ff72c9aaa0ea7b826fc500434",
        description="Stays in hospital with diabetes, by gender: features [101763, 2], 2 groups.",
        citation="B. Strack et al., Diabetes 130-US hospitals for years 1999-2008, UCI Machine "
        "Learning Repository, 2014, doi:10.24432/C5230J.",
    ),
    _entry(
        "race_adult",
        "raceAdult",
        "dd32c0850748a9af7f9f1022ee2966170deff0552f8ebf6d3c9f01775930b646",
        description="Adults of the census of 1994, by race: features [32561, 6], 5 groups.",
        citation="B. Becker, R. Kohavi, Adult, UCI Machine Learning Repository, 1996, "
        "doi:10.24432/C5XW20.",
    ),
)
