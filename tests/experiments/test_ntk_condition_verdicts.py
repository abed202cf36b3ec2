"""Condition numbers of kernels: verdicts on made-up measurements, both ways."""

from unittest import mock

import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk.condition_number_claims import CLAIMS, CLOSED, Results, judge
from jaxlab.experiments.ntk.condition_number_report import report
from jaxlab.runner.request import resolve
from tests.helpers import verdicts_of

ORDERED, CHAOTIC, FINITE, WIDTH = (claim.id for claim in CLAIMS)


def condition_results(
    growth=1.0, chaotic=(3.0, 1.5, 1.2), factor=1.3, power=0.5, *, depths=(8, 16), **changes
):
    """Closed forms of one network in each phase, finite ones, and their distances by width.

    κ in the ordered phase grows by ``growth`` times the law's factor, in the chaotic one it is
    ``chaotic`` at both ``depths`` and at 32, the deepest; ``factor`` lies between finite networks
    and closed forms, and distances fall with the width by ``power``.
    """
    given = {"slopes": (0.5, 1.5), "closed": ("erf", "relu"), "reliable": True, "deepest": 32}
    given |= changes
    ordered = {
        "erf": lambda depth: 0.5**-depth / depth,
        "relu": lambda depth: 0.5 ** (-depth / 2),
    }
    infinite, finite = {}, {}
    for name in given["closed"]:
        infinite[name] = {"grid": []}
        for place, depth in enumerate((*depths, given["deepest"])):
            more = growth if place else 1.0
            kappa = [more * ordered[name](depth), chaotic[place]]
            infinite[name][str(depth)] = {"kappa": kappa, "reliable": [given["reliable"]] * 2}
            finite[name, depth] = {
                "kappa": [[factor * value] * 2 for value in kappa],
                "reliable": [[True] * 2] * 2,
            }
    return Results(
        variances=(0.3, 3.0),
        depths=depths,
        widths=(16, 64),
        slopes=dict.fromkeys((*given["closed"], "tanh"), given["slopes"]),
        infinite=infinite,
        finite=finite,
        errors={
            (name, width): {"kernel": [width**-power]} for name in infinite for width in (16, 64)
        },
    )


def of_condition(*arguments, width=512, **changes):
    reporter = mock.Mock(spec=Reporter)
    judge(mock.Mock(width=width), condition_results(*arguments, **changes), reporter)
    return verdicts_of(reporter)


def test_condition_numbers():
    every = (ORDERED, CHAOTIC, FINITE, WIDTH)
    assert of_condition() == dict.fromkeys(every, True)
    bad = of_condition(growth=2.1, chaotic=(3.0, 2.5, 2.1), factor=1.6, power=0.2)
    assert bad == dict.fromkeys(every, False)
    bad = of_condition(growth=0.4, chaotic=(1.5, 1.2, 1.3), factor=0.6, power=0.8)
    assert bad == dict.fromkeys(every, False)
    # what float64 cannot tell does not hold
    lost = of_condition(reliable=False)
    assert lost == dict.fromkeys(every, False) | {WIDTH: True}


def test_what_was_not_measured_is_not_judged():
    assert of_condition(depths=(4, 8))[ORDERED] is None
    assert of_condition(depths=(1, 24))[ORDERED] is None
    assert of_condition(slopes=(0.95, 1.5))[ORDERED] is None
    assert of_condition(slopes=(0.5, 1.05))[CHAOTIC] is None
    assert of_condition(deepest=31)[CHAOTIC] is None
    assert of_condition(width=511)[FINITE] is None
    assert set(of_condition(closed=()).values()) == {None}


@pytest.mark.parametrize(
    ("activations", "said"),
    [(("erf", "relu", "tanh"), True), (("erf", "relu"), False), (("relu", "tanh"), False)],
)
def test_tanh_is_set_beside_the_error_function_where_both_are(activations, said):
    closed = tuple(name for name in activations if name in CLOSED)
    results = condition_results(closed=closed)
    finite = {
        (name, depth): {"kappa": [[1.0]] * 2, "reliable": [[True]] * 2}
        for name in activations
        for depth in results.depths
    }
    slopes = dict.fromkeys(activations, (0.5, 1.5))
    reporter = mock.Mock(spec=Reporter)
    config = resolve("ntk-condition-number").config
    report(config, results._replace(finite=finite, slopes=slopes), "data", reporter)
    notes = [call.args[0] for call in reporter.note.call_args_list]
    assert any("tanh" in note for note in notes) is said


@pytest.mark.parametrize(
    ("changes", "ordered", "chaotic"),
    [
        ({"depths": (1, 24)}, "depth 12, half of 24, is not in the config", "1 of 1 fall"),
        (
            {"slopes": (0.95, 1.5)},
            "no closed form of the config has χ₁ ≤ 0.9",
            "1 of 1 fall",
        ),
        (
            {"slopes": (0.5, 1.05)},
            "from depth 8",
            "no network with the error function has χ₁ ≥ 1.1",
        ),
        (
            {"closed": ()},
            "no closed form in the config",
            "no closed form of the error function in the config",
        ),
        ({"closed": ("relu",)}, "from depth 8", "no closed form of the error function"),
    ],
)
def test_what_a_verdict_on_a_phase_lacks_is_said(changes, ordered, chaotic):
    results = condition_results(**changes)
    reporter = mock.Mock(spec=Reporter)
    judge(mock.Mock(width=512), results, reporter)
    found = {call.args[0]: call.kwargs["ours"] for call in reporter.verdict.call_args_list}
    assert found["ordered-blows-up"].startswith(ordered)
    assert found["chaotic-falls-to-one"].startswith(chaotic)
