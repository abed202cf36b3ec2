"""Hopfield: verdicts on made-up measurements, both ways."""

import math
import types
from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.hopfield import (
    capacity_law,
    classical_asynchronous,
    energy,
    error_threshold,
    feature_space,
    heteroassociation,
    mask_robustness,
    natural_images,
    noise_robustness,
    scale,
    separation_capacity,
    similarity_capacity,
)
from jaxlab.experiments.hopfield.comparison import Comparison, judge
from jaxlab.experiments.hopfield.energy_networks import Network
from jaxlab.experiments.hopfield.recall_law import Law, Rule, count_grid
from jaxlab.experiments.hopfield.scale_measures import Call
from jaxlab.experiments.hopfield.study import Corruption, Measured, Panel
from jaxlab.experiments.interface import Reporter
from jaxlab.runner.request import resolve
from tests.helpers import verdicts_of

pytestmark = pytest.mark.usefixtures("bad_input")  # stand-ins take the place of studies


def held(module, values):
    """One value for all claims, or one for each."""
    claims = [claim.id for claim in module.CLAIMS]
    values = values if isinstance(values, tuple) else (values,) * len(claims)
    return dict(zip(claims, values, strict=True))


def study_of(config):
    counts = getattr(config, "counts", None) or (config.count,)
    return types.SimpleNamespace(counts=tuple(sorted(counts)), title="digits")


def shares(config, values, *shape):
    """``values`` by similarity, the others at 0.3, the same at every place of two repetitions."""
    column = np.array([values.get(name, 0.3) for name in config.similarities])
    return np.broadcast_to(column.reshape(-1, *[1] * len(shape)), (len(column), *shape)).copy()


@pytest.mark.parametrize(
    ("sets", "others", "holds"),
    [
        ([], {}, True),
        ([], {"dot_product": 0.6, "kl_divergence": 0.5}, False),
        (["sigma=[0.2]"], {}, None),
        (["counts=[10,100]"], {}, None),
        (["similarities=[manhattan,dot_product]"], {}, None),
    ],
)
def test_similarity_capacity(sets, others, holds):
    config = resolve("hopfield-similarity-capacity", sets=sets).config
    values = {"manhattan": 0.8, "dot_product": 0.5} | others
    shape = (len(config.sigma), 2, len(config.counts))
    measured = Measured(shares(config, values, *shape, 1), shares(config, values, *shape))
    reporter = mock.Mock(spec=Reporter)
    similarity_capacity._verdicts(reporter, study_of(config), config, measured)
    assert verdicts_of(reporter) == held(similarity_capacity, holds)


@pytest.mark.parametrize(
    ("sets", "moderate", "strong", "holds"),
    [
        ([], 0.2, 0.6, True),
        ([], 0.35, 0.45, False),
        (["sigma=[0.3]"], 0.2, 0.6, (True, None)),
        (["count=50"], 0.2, 0.6, None),
    ],
)
def test_noise_robustness(sets, moderate, strong, holds):
    """Euclidean and Manhattan recall 0.4 under moderate noise, 0.3 under strong noise."""
    config = resolve("hopfield-noise-robustness", sets=sets).config
    correct = shares(config, {}, 2, len(config.sigma))
    dot = config.similarities.index("dot_product")
    correct[:, :, config.sigma.index(0.3)] = 0.4
    correct[dot] = strong
    correct[dot, :, config.sigma.index(0.3)] = moderate
    reporter = mock.Mock(spec=Reporter)
    noise_robustness._verdicts(reporter, study_of(config), config, Panel(correct, correct))
    assert verdicts_of(reporter) == held(noise_robustness, holds)


@pytest.mark.parametrize(
    ("sets", "dot", "holds"),
    [
        ([], 0.4, True),
        ([], 0.6, False),
        (["fractions=[0.1]"], 0.4, None),
        (["kinds=[pixels]"], 0.4, None),
        (["counts=[50]"], 0.4, None),
    ],
)
def test_mask_robustness(sets, dot, holds):
    config = resolve("hopfield-mask-robustness", sets=sets).config
    shape = (len(config.kinds) * len(config.fractions), 2, len(config.counts))
    correct = shares(config, {"manhattan": 0.8, "dot_product": dot}, *shape)
    reporter = mock.Mock(spec=Reporter)
    measured = Measured(correct[..., None], correct)
    mask_robustness._verdict(reporter, study_of(config), config, measured)
    assert verdicts_of(reporter) == held(mask_robustness, holds)


def test_what_was_not_measured_is_named_with_the_similarities():
    sets = ["similarities=[manhattan,dot_product]"]
    reporter = mock.Mock(spec=Reporter)
    config = resolve("hopfield-noise-robustness", sets=sets).config
    noise_robustness._verdicts(reporter, study_of(config), config, None)
    config = resolve("hopfield-mask-robustness", sets=sets).config
    correct = shares(config, {}, len(config.kinds) * len(config.fractions), 2, len(config.counts))
    measured = Measured(correct[..., None], correct)
    mask_robustness._verdict(reporter, study_of(config), config, measured)
    assert set(verdicts_of(reporter).values()) == {None}
    for call in reporter.verdict.call_args_list:
        assert call.kwargs["ours"].endswith("and the similarities it compares")


@pytest.mark.parametrize(
    ("sets", "dot", "last", "holds"),
    [
        ([], 0.7, 0.9, True),
        ([], 0.81, 0.9, (False, True)),
        ([], 0.7, 0.1, (True, False)),
        ([], 0.8, 0.8, (False, True)),  # Manhattan and the dot product alike
        ([], 0.3, 0.3, False),  # no curve rises
        (["similarities=[manhattan]"], 0.7, 0.9, (None, True)),
    ],
)
def test_error_threshold(sets, dot, last, holds):
    config = resolve("hopfield-error-threshold", sets=sets).config
    corruptions = [Corruption("noise", 0.3), Corruption("rows", 0.5)]
    correct = shares(config, {"manhattan": 0.8, "dot_product": dot}, 2, 2, 3)
    correct[..., -1] = last
    correct = np.minimum(correct, last) if last == dot else correct
    reporter = mock.Mock(spec=Reporter)
    limits = [1.0, 10.0, 25.0]
    error_threshold._verdicts(reporter, study_of(config), config, corruptions, limits, correct)
    assert verdicts_of(reporter) == held(error_threshold, holds)


def of_law(exponents, powers=(1, 5), rate=0.3, five=(0.99, 0.2), sets=(), growing=True):
    """Recall at d = 64 by power, and N½ of the exponential, ``exp(rate · d)`` or ``d ** -rate``."""
    listed = f"powers=[{','.join(map(str, powers))}]"
    sets = ["dims=[32,64]", listed, *sets]
    config = resolve("hopfield-capacity-law", sets=sets).config
    grid = np.array(count_grid(config.max_count))
    recalls = {
        Rule("signed", 1): np.where(grid < 32, 1.0, 0.1),
        Rule("signed", 5): np.where(grid < 8192, *five),
        Rule("exponential"): np.ones(len(grid)),
    }
    dims = (10, 20, 30)
    growth = {d: float(np.exp(rate * d) if rate > 0 else d**-rate) for d in dims}
    if not growing:
        growth = {d: 1e6 / value for d, value in growth.items()}
    laws = {
        Rule("signed", power): Law({}, [exponent, exponent])
        for power, exponent in zip(powers, exponents, strict=True)
    }
    laws[Rule("exponential")] = Law({d: [value] * 2 for d, value in growth.items()}, None)
    results = capacity_law._Results(
        config, {(rule, 64): [recall.tolist()] * 2 for rule, recall in recalls.items()}, laws
    )
    reporter = mock.Mock(spec=Reporter)
    capacity_law._judge(config, results, reporter)
    return verdicts_of(reporter)


def test_capacity_law():
    assert of_law([0.9, 2.5]) == held(capacity_law, True)
    bad = of_law([0.9, 0.8], five=(0.9, 0.2), rate=-3.0)
    assert bad == held(capacity_law, False)
    assert of_law([-0.9, 0.5])["exponents-rise"] is False
    assert of_law([0.9, 2.5], rate=1e-300)["exponential-law"] is False  # all alike
    assert of_law([0.9, 2.5], growing=False)["exponential-law"] is False
    assert of_law([0.9, 2.5], five=(0.99, 0.6))["order-at-64"] is False
    assert of_law([0.9, 2.5], sets=["max_count=4096"])["order-at-64"] is None
    shorter = ["exponential_dims=[10,20,64]", "exponential_max_count=4096"]
    assert of_law([0.9, 2.5], sets=shorter)["order-at-64"] is None
    # the order of the config is not that of the powers
    assert of_law([2.5, 0.9], powers=(5, 1))["exponents-rise"] is True
    assert of_law([0.8, 0.9], powers=(5, 1))["exponents-rise"] is False


def of_scale(used=100, blocked=1e-7, exact=1.0, output=1e-6, same=1.0, sizes=(100, 1000)):
    calls = [Call(method, block) for method in ("softmax", "top-k") for block in (64, None)]
    small, large = sizes
    temporary = {(call, small): 100 for call in calls}
    temporary |= {(call, large): 9999 if call.block is None else used for call in calls}
    found = {"dense_error": 1e-8, "exact": exact, "int8": 0.9}
    errors = blocked if isinstance(blocked, dict) else dict.fromkeys(sizes, blocked)
    sharded = {"devices": 8, "output_error": output, "same_indices": same}
    reporter = mock.Mock(spec=Reporter)
    every = {n: found | {"blocked_error": errors[n]} for n in sizes}
    scale._judge(None, calls, list(sizes), temporary, every, sharded, reporter)
    return verdicts_of(reporter)


def test_scale():
    assert of_scale() == held(scale, True)
    assert of_scale(used=120, blocked=2e-6, output=1e-4) == held(scale, False)
    assert of_scale(used=80, exact=0.99, same=0.99) == held(scale, False)
    assert of_scale(blocked={100: 1e-7, 1000: math.nan})["blocked-is-exact"] is False
    assert of_scale(sizes=(100, 900)) == held(scale, (None, True, True))
    assert of_scale(used=None) == held(scale, (None, True, True))


@pytest.mark.parametrize(
    ("corruption", "code", "holds"),
    [
        (Corruption("rows", 0.5), 0.6, True),
        (Corruption("rows", 0.5), 0.55, False),
        (Corruption("rows", 0.3), 0.6, None),
    ],
)
def test_feature_space(corruption, code, holds):
    values = {"autoencoder": code, "denoising": code}
    recalled = np.array([[[values.get(name, 0.48)] * 2] for name in feature_space._LABELS])
    reporter = mock.Mock(spec=Reporter)
    feature_space._judge([corruption], recalled, recalled, reporter)
    assert verdicts_of(reporter) == held(feature_space, holds)


@pytest.mark.parametrize(
    ("rise", "identity", "end", "holds"),
    [
        (1e-6, 1e-5, -1.0, True),
        (2e-5, 2e-4, -1.0, False),
        (1e-6, 2e-4, -1.0, (True, False)),
        (0.0, 0.0, 0.0, None),  # frozen, or at rest from the start
        (2.0, 1e-5, 1.0, (False, None)),
        (math.nan, math.nan, -1.0, False),
    ],
)
def test_energy(rise, identity, end, holds):
    """One network decides, and one of its two trajectories."""
    config = resolve("hopfield-energy").config
    curve = [0.0, -1.0]
    measured = {
        Network("dot_product", 10.0, "quadratic"): {
            "rise": 0.0,
            "identity": 0.0,
            "energies": [curve, curve],
        },
        Network("dot_product", None, "quadratic"): {
            "rise": rise,
            "identity": identity,
            "energies": [curve, [0.0, end]],
        },
    }
    reporter = mock.Mock(spec=Reporter)
    energy._judge(config, measured, reporter)
    assert verdicts_of(reporter) == held(energy, holds)


@pytest.mark.parametrize(
    ("sets", "leads", "rows", "holds"),
    [
        ([], (-0.1, 0.1), 0.35, True),
        ([], (0.2, 0.1), 0.25, False),  # ahead, and less so
        ([], (-0.2, -0.1), 0.35, (False, True)),
        (["sigma=0.3"], (-0.1, 0.1), 0.35, None),
    ],
)
def test_natural_images(sets, leads, rows, holds):
    """Leads of Manhattan over the dot product, under noise for few and many, and under rows."""
    config = resolve("hopfield-natural-images", sets=sets).config
    study = study_of(config)
    correct = shares(config, {"dot_product": 0.5}, 2, 2, len(study.counts), 3)
    manhattan = correct[config.similarities.index("manhattan")]
    for count, lead in zip((100, 500), leads, strict=True):
        manhattan[0, :, study.counts.index(count)] = 0.5 + lead
    manhattan[1] = 0.5 + rows
    reporter = mock.Mock(spec=Reporter)
    natural_images._verdicts(reporter, study, config, Measured(correct, correct[..., 0]), "gaps")
    assert verdicts_of(reporter) == held(natural_images, holds)


@pytest.mark.parametrize(
    ("sets", "hetero", "gap", "classical", "holds"),
    [
        ([], 0.5, 0.0, (0.9, 0.05), True),
        ([], 0.3, 0.01, (0.9, 0.2), False),
        ([], 0.5, 0.0, (0.7, 0.05), (True, True, False)),
        ([], 0.0, 0.0, (0.9, 0.05), (False, True, True)),
        (["sigma=[0.1]", "classical.counts=[2]"], 0.5, 0.0, (0.9, 0.05), (None, True, None)),
    ],
)
def test_heteroassociation(sets, hetero, gap, classical, holds):
    """Auto-association recalls 0.4 of the images, or none where the other recalls none.

    The network is asked with 2 and 50 of them.
    """
    config = resolve("hopfield-heteroassociation", sets=sets).config
    counts, few = list(config.counts), list(config.classical.counts)
    recalled = shares(config, {}, len(config.sigma), 2, len(counts))
    auto = Measured(np.full((*recalled.shape, 1), 0.4 if hetero else 0.0), recalled)
    other = recalled.copy()
    other[-1, -1, -1, -1] += gap
    paired = Measured(np.full((*recalled.shape, 2), hetero), other)
    network = np.full((1, 2, 2, len(few), 1), classical[1])
    network[:, :, :, few.index(2)] = classical[0]
    measured = auto, paired, Measured(network, network[..., 0])
    reporter = mock.Mock(spec=Reporter)
    heteroassociation._verdicts(reporter, study_of(config), config, counts, few, *measured)
    assert verdicts_of(reporter) == held(heteroassociation, holds)


RISING = {
    "square_root": 0.2,
    "identity": 0.3,
    "square": 0.4,
    "cube": 0.5,
    "quartic": 0.6,
    "power_10": 0.8,
}


@pytest.mark.parametrize(
    ("sets", "changes", "holds"),
    [
        ([], {}, True),
        ([], {"softmax": 0.6, "cube": 0.3}, False),
        ([], {"power_10": 0.5}, False),
        ([], dict.fromkeys(RISING, 0.5), False),  # no power holds more than another
        (["separation_parameter=10.0"], {}, (None, True)),
        (["separations=[max,softmax,power_10,identity]"], {}, (True, None)),
        (["sigma=0.3"], {}, None),
    ],
)
def test_separation_capacity(sets, changes, holds):
    config = resolve("hopfield-separation-capacity", sets=sets).config
    score = RISING | {"softmax": 0.9, "max": 0.9, "log": 0.0} | changes
    column = np.array([score[name] for name in config.separations])
    counts = study_of(config).counts
    correct = np.ones((len(column), 2, 2, len(counts), 1)) * column.reshape(-1, 1, 1, 1, 1)
    reporter = mock.Mock(spec=Reporter)
    measured = {"manhattan": Measured(correct, correct[..., 0])}
    separation_capacity._verdicts(reporter, study_of(config), config, measured)
    assert verdicts_of(reporter) == held(separation_capacity, holds)


@pytest.mark.parametrize(
    ("mean", "holds"), [(0.102, True), (0.098, True), (0.104, False), (0.096, False)]
)
def test_closed_forms(mean, holds):
    """The worst point decides, whichever side of the theory it is on."""
    points = [Comparison("near", 1.0, 0.1, 1e-3, 0.1), Comparison("worst", 2.0, mean, 1e-3, 0.1)]
    reporter = mock.Mock(spec=Reporter)
    claims = ("hopfield-error-rate", "sdm-overlap", "sdm-error-rate")
    for claim in claims:
        judge(reporter, claim, points)
    assert verdicts_of(reporter) == dict.fromkeys(claims, holds)


def test_rates_that_are_all_zero_say_nothing_of_a_closed_form():
    reporter = mock.Mock(spec=Reporter)
    judge(reporter, "sdm-overlap", [Comparison("none", 1.0, 0.0, 1e-3, 1e-70)] * 2)
    assert verdicts_of(reporter) == {"sdm-overlap": None}


def test_rates_that_are_all_zero_refute_a_closed_form_that_is_far_from_it():
    reporter = mock.Mock(spec=Reporter)
    judge(reporter, "sdm-overlap", [Comparison("none", 1.0, 0.0, 1e-3, 0.1)] * 2)
    assert verdicts_of(reporter) == {"sdm-overlap": False}


@pytest.mark.parametrize(
    ("rise", "converged", "holds"), [(0.0, 1.0, True), (1e-6, 1.0, False), (-1e-3, 0.95, False)]
)
def test_asynchronous_recall(rise, converged, holds):
    """One network of one load decides."""
    slow = resolve("hopfield-classical", "smoke").config.asynchronous
    names = ("overlap", "one_step_overlap", "exact", "sweeps", "converged")
    good = {name: [1.0, 1.0] for name in names} | {"rise": [-1e-3, 0.0]}
    recalls = {(rule, load): good for rule in ("Hebb", "Storkey") for load in slow.loads}
    recalls["Storkey", slow.loads[-1]] = good | {"rise": [rise, -1e-3], "converged": [converged, 1]}
    reporter = mock.Mock(spec=Reporter)
    classical_asynchronous.report(slow, 0, recalls, reporter)
    assert verdicts_of(reporter) == {"asynchronous-descends": holds}
