"""The type model's experiment: verdicts on made-up numbers, and a small run."""

from jaxlab.experiments.graph_algorithms.type_model import CLAIMS, judge
from jaxlab.runner.execute import run
from tests.helpers import finished


def row(ratio, exact=1.0):
    numbers = {"rounds_cold": 10.0 * ratio, "rounds_learned": 10.0}
    return {**numbers, "exact_cold": 1.0, "exact_learned": exact}


def test_both_verdicts_of_every_claim():
    good = judge((10, 100, 1000), [row(4), row(2), row(1.6)])
    bad = judge((10, 100, 1000), [row(1.1), row(2), row(1.2, exact=0.9)])
    assert {claim: holds for claim, (_, holds) in good.items()} == {c.id: True for c in CLAIMS}
    assert {claim: holds for claim, (_, holds) in bad.items()} == {c.id: False for c in CLAIMS}
    open_ones = judge((50,), [row(4)])
    assert [holds for _, holds in open_ones.values()] == [None, None, None, True]


def test_a_gain_that_is_not_there_or_stays_does_not_fade():
    for ratios in [(1, 1, 1), (3, 3, 3), (2, 2.1, 2.2), (0.9, 0.8, 0.7)]:
        assert judge((10, 100, 1000), [row(ratio) for ratio in ratios])["gains-fade"][1] is False


def test_a_small_run_repeats_and_is_exact(tmp_path):
    sizes = ["n=20", "groups=4", "training=6", "tests=3"]
    runs = [
        finished(run("graph-algorithms-type-model", preset="smoke", sets=sizes, runs=tmp_path / k))
        for k in "ab"
    ]
    assert runs[0]["scalars"] == runs[1]["scalars"]
    verdicts = {claim["id"]: claim["holds"] for claim in runs[0]["claims"]}
    assert verdicts["always-exact"] is True
    assert runs[0]["scalars"]["round ratio, variance 10"] > 1
