"""Opening representatives by integer programming, for comparison."""

import numpy as np
from scipy import optimize


def least_radius(index, distance, colors, eta, active, lower, upper):
    """Least assignment radius, ``inf`` if there is none; entries with index −1 do not exist."""
    k = len(eta)
    entries = [(j, r) for j in range(k) for r in range(k) if active[j] and index[j, r] >= 0]
    values = sorted({float(distance[e]) for e in entries})
    for radius in values:
        usable = [e for e in entries if distance[e] <= radius]
        rows, low, high = [], [], []

        def demand(chosen, least, most, usable=usable, rows=rows, low=low, high=high):
            rows.append([float(chosen(e)) for e in usable])
            low.append(least)
            high.append(most)

        for j in np.flatnonzero(active):
            demand(lambda e, j=j: e[0] == j, 1, eta[j])
        for point in {int(index[e]) for e in usable}:
            demand(lambda e, point=point: index[e] == point, 0, 1)
        for c in range(len(lower)):
            demand(lambda e, c=c: colors[e] == c, lower[c], upper[c])
        demand(lambda e: True, 0, k)
        found = optimize.milp(
            np.zeros(len(usable)),
            constraints=optimize.LinearConstraint(np.array(rows), low, high),
            integrality=np.ones(len(usable)),
            bounds=optimize.Bounds(0, 1),
        )
        if found.status == 0:
            return radius
    return np.inf
