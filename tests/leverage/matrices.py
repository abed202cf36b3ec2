"""Random matrices of two shapes, in stacks: one compiled program serves all that is tested."""

import numpy as np

TALL, WIDE = (9, 6), (6, 9)
STACK = 24


def stack(shape, seed=0, count=STACK):
    """Matrices of rank 3 to 6 whose singular values spread over 1e3 and columns over 1e2."""
    rng = np.random.default_rng(seed)
    m, n = shape
    smaller = min(m, n)
    found = []
    for index in range(count):
        rank = smaller if index % 3 else int(rng.integers(3, smaller + 1))
        left = np.linalg.qr(rng.normal(size=(m, rank)))[0]
        right = np.linalg.qr(rng.normal(size=(n, rank)))[0]
        a = left * 10 ** rng.uniform(-1.5, 1.5, rank) @ right.T
        found.append(a * 10 ** rng.uniform(-2, 0, n) if index % 2 else a)
    return np.stack(found)


def rank_of(a):
    """As jaxlab counts it in float64."""
    s = np.linalg.svd(a, compute_uv=False)
    return int((s > max(a.shape) * np.finfo(float).eps * s[0]).sum())


def choices(ranks, n, seed=0):
    """A mask of singular vectors below each rank and one of columns, neither of them empty."""
    rng = np.random.default_rng(seed)
    subsets, columns = [], []
    for rank in ranks:
        subset = np.zeros(6, bool)
        subset[rng.permutation(rank)[: rng.integers(1, rank + 1)]] = True
        column = np.zeros(n, bool)
        column[rng.permutation(n)[: rng.integers(1, n + 1)]] = True
        subsets.append(subset)
        columns.append(column)
    return np.stack(subsets), np.stack(columns)
