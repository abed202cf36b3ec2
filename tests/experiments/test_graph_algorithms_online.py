"""The experiment on a stream of problems: verdicts on made-up numbers, and a small run."""

import pytest

from jaxlab.experiments.graph_algorithms.online import CLAIMS, Config, judge, ratio
from jaxlab.runner.execute import run
from tests.helpers import finished

NAME = "graph-algorithms-online"


def trial(learned, regret=10.0, largest=5.0, exact=True, stream=12):
    """A stream in which learners are poor before round 10 and take ``learned`` steps after it."""
    steps = {"cold": [100] * stream, "batch": [10] * stream}
    for name in ("median", "descent"):
        steps[name] = ([100] * 9 + [learned] * stream)[:stream]
    return {
        "steps": steps,
        "exact": exact,
        "largest": largest,
        "regret": {"median": 0.0, "descent": regret},
    }


def verdicts(*trials, stream=12):
    config = Config(
        seed=0,
        trials=len(trials),
        stream=stream,
        training=1,
        n=4,
        groups=1,
        mean=1.0,
        variance=1,
        radius=5.0,
        step_factors=(1.0,),
    )
    return {claim: holds for claim, (_, holds) in judge(config, trials).items()}


def test_both_verdicts_of_every_claim():
    limit = 2 * 5.0 * 8 * 12**0.5
    claims = {claim.id for claim in CLAIMS}
    assert verdicts(trial(12), trial(12, limit)) == dict.fromkeys(claims, True)
    bad = verdicts(trial(13, exact=False), trial(13, limit + 1))
    assert bad == dict.fromkeys(claims, False)


def test_what_cannot_be_judged():
    assert verdicts(trial(12, largest=5.5))["regret"] is None
    short = verdicts(trial(12, stream=9), stream=9)
    assert short["median-as-good-as-batch"] is short["descent-as-good-as-batch"] is None


def test_to_save_nothing_is_not_as_good_as_a_batch_that_saves_nothing():
    useless = trial(100)
    useless["steps"]["batch"] = [100] * 12
    idle = trial(0)
    idle["steps"] = {name: [0] * 12 for name in idle["steps"]}
    for given in (useless, idle):
        held = verdicts(given)
        assert held["median-as-good-as-batch"] is held["descent-as-good-as-batch"] is False


def test_ratios_are_of_totals():
    assert ratio([trial(0)], "median", since=9) == 300
    assert ratio([trial(10)], "median") == 1200 / 930


def test_a_small_run_repeats_and_is_exact(tmp_path):
    tiny = ["trials=1 stream=3 training=3 n=12 groups=3 step_factors=[1.0]"]
    results = [
        finished(run(NAME, preset="smoke", sets=tiny, runs=tmp_path / name)) for name in "ab"
    ]
    assert results[0] == results[1]
    held = {claim["id"]: claim["holds"] for claim in results[0]["claims"]}
    assert held["exact"] is held["regret"] is True


@pytest.mark.slow
def test_the_smoke_preset_runs(tmp_path):
    held = {
        c["id"]: c["holds"] for c in finished(run(NAME, preset="smoke", runs=tmp_path))["claims"]
    }
    assert held["exact"] is held["regret"] is True
