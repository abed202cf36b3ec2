"""jaxlab.kcenter against a numpy loop, fpsample and the authors' Rust program.

Farthest-first order: blobs in four dimensions, and a batch of small clouds; what peers pick is
compared. The whole method: genderDiabetes and raceAdult from their copies in ``$JAXLAB_DATA`` or
the cache, skipped without. The authors' program, ``ff_k_center``, is not on PyPI: it runs where it
is installed, and otherwise its time on two cores of another machine is cited.
"""

import functools
import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlab.data
from jaxlab.experiments.kcenter.problems import blobs
from jaxlab.kcenter import (
    distance_matrix,
    fair_private_kcenter,
    gonzalez,
    private_assignment,
    private_prefixes,
    refine_minimax,
)
from tests.benchmarks.timing import time_jaxlab, time_peer

N, K = 1_000_000, 32
ORDER = {"group": "kcenter/farthest-first order", "workload": "n=10⁶, d=4, k=32, float32"}
CLOUDS = {"group": "kcenter/batch of orders", "workload": "64 clouds, n=4096, d=3, k=512, float32"}
RUST = importlib.util.find_spec("ff_k_center") is not None
# data, quota, privacy bound, and seconds of the authors' program, not on this machine
WHOLE = {
    "genderDiabetes, L=1": ("gender_diabetes", (6, 6), 1, 0.6),
    "genderDiabetes, L=8480": ("gender_diabetes", (6, 6), 8480, 1.3),
    "raceAdult, L=163": ("race_adult", (1, 2, 5, 1, 41), 163, 7.0),
}


@functools.cache
def cloud(n=N):
    return blobs(jax.random.key(0), n)[0]


@functools.cache
def clouds():
    return jax.random.normal(jax.random.key(1), (64, 4096, 3))


@functools.cache
def loaded(name):
    """Points and groups."""
    if not jaxlab.data.available()[name].offline:
        pytest.skip(f"no copy of {name} in $JAXLAB_DATA or the cache")
    data = jaxlab.data.load(name)
    return jnp.asarray(data["features"], jnp.float32), jnp.asarray(data["labels"])


def numpy_order(points, k):
    """Farthest-first picks by a loop."""
    nearest, picks = np.full(len(points), np.inf, points.dtype), [0]
    for _ in range(k - 1):
        np.minimum(nearest, np.square(points - points[picks[-1]]).sum(axis=1), out=nearest)
        picks.append(int(nearest.argmax()))
    return np.array(picks)


class TestOrder:
    def test_jaxlab(self, benchmark):
        time_jaxlab(benchmark, lambda points: gonzalez(points, K).indices, cloud(), **ORDER)

    def test_numpy(self, benchmark):
        points = np.asarray(cloud())
        picks = time_peer(
            benchmark,
            lambda: numpy_order(points, K),
            implementation="numpy loop",
            package="numpy",
            **ORDER,
        )
        np.testing.assert_array_equal(picks, gonzalez(cloud(), K).indices)

    def test_fpsample(self, benchmark):
        fpsample = pytest.importorskip("fpsample")
        points = np.asarray(cloud())
        picks = time_peer(
            benchmark,
            lambda: fpsample.fps_sampling(points, K, start_idx=0),
            implementation="fpsample",
            package="fpsample",
            target=1.5,
            **ORDER,
        )
        np.testing.assert_array_equal(picks, gonzalez(cloud(), K).indices)


class TestClouds:
    def test_jaxlab(self, benchmark):
        time_jaxlab(
            benchmark, jax.vmap(lambda points: gonzalez(points, 512).indices), clouds(), **CLOUDS
        )

    def test_fpsample(self, benchmark):
        fpsample = pytest.importorskip("fpsample")
        stack = np.asarray(clouds())
        time_peer(
            benchmark,
            lambda: [fpsample.fps_sampling(points, 512, start_idx=0) for points in stack],
            implementation="fpsample, one by one",
            package="fpsample",
            **CLOUDS,
        )


@pytest.mark.parametrize("n", [N, N // 2], ids=["twice", "once"])
def test_order_of_twice_the_points(benchmark, n):
    once = {"implementation": "itself on half", "target": 2.2}
    time_jaxlab(
        benchmark,
        lambda points: gonzalez(points, K).indices,
        cloud(n),
        group="kcenter/order of twice the points",
        workload="n=10⁶, d=4, k=32, float32",
        **(once if n < N else {}),
    )


@pytest.mark.parametrize("case", WHOLE)
class TestWhole:
    @staticmethod
    def about(case):
        name, quota, min_size, _ = WHOLE[case]
        workload = f"k={sum(quota)}, float32"
        return (
            {"group": f"kcenter/whole method, {case}", "workload": workload},
            name,
            quota,
            min_size,
        )

    def test_jaxlab(self, benchmark, case):
        about, name, quota, min_size = self.about(case)
        points, groups = loaded(name)
        if not RUST:
            seconds = WHOLE[case][3]
            about["apart"] = {"authors' Rust, cited": {"seconds": seconds, "target": 1.0}}
        found = time_jaxlab(
            benchmark,
            lambda points, groups, min_size: fair_private_kcenter(
                points, groups, k=sum(quota), min_size=min_size, lower=quota, upper=quota
            ),
            points,
            groups,
            jnp.int32(min_size),
            rounds=5,
            **about,
        )
        assert found.feasible

    @pytest.mark.skipif(not RUST, reason="ff_k_center is not installed")
    def test_rust(self, benchmark, case):
        from ff_k_center import FFKCenter

        about, name, quota, min_size = self.about(case)
        points, groups = (np.asarray(part) for part in loaded(name))

        def solve():
            model = FFKCenter(sum(quota), min_size, [(count, count) for count in quota])
            model.insert(points, groups)
            model.compute_clustering(verbose=0)
            return model.radius

        time_peer(benchmark, solve, implementation="authors' Rust", target=1.0, rounds=5, **about)


class TestParts:
    """Parts of the method on genderDiabetes, at the largest privacy bound."""

    QUOTA, MIN_SIZE = (6, 6), 8480

    @functools.cached_property
    def table(self):
        points, _ = loaded("gender_diabetes")
        return distance_matrix(points, gonzalez(points, 12).indices)

    def test_assignment(self, benchmark):
        time_jaxlab(
            benchmark,
            private_assignment,
            self.table,
            jnp.int32(self.MIN_SIZE),
            group="kcenter/private assignment",
            workload="genderDiabetes, k=12, L=8480",
        )

    def test_prefixes(self, benchmark):
        time_jaxlab(
            benchmark,
            private_prefixes,
            self.table,
            jnp.int32(self.MIN_SIZE),
            group="kcenter/private prefixes",
            workload="genderDiabetes, k=12, L=8480",
        )

    def test_refinement(self, benchmark):
        points, groups = loaded("gender_diabetes")
        bounds = {"k": 12, "lower": self.QUOTA, "upper": self.QUOTA}
        solution = fair_private_kcenter(points, groups, min_size=self.MIN_SIZE, **bounds)
        refined = time_jaxlab(
            benchmark,
            lambda points, groups, solution, min_size: refine_minimax(
                points, groups, solution, min_size=min_size
            ),
            points,
            groups,
            solution,
            jnp.int32(self.MIN_SIZE),
            rounds=5,
            group="kcenter/refinement",
            workload="genderDiabetes, k=12, L=8480",
        )
        assert refined.radius <= solution.radius
