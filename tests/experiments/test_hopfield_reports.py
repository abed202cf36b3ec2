"""Hopfield: figures and captions of made-up measurements, where a config leaves something out."""

import math
import types
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield import (
    capacity_law,
    classical_one_step,
    energy,
    energy_networks,
    mask_robustness,
    natural_images,
    scale,
    separation_capacity,
)
from jaxlab.experiments.hopfield.comparison import compare
from jaxlab.experiments.hopfield.figures import recall_picture
from jaxlab.experiments.hopfield.memories import published_memories
from jaxlab.experiments.hopfield.recall_law import Law, Rule
from jaxlab.experiments.hopfield.scale_measures import Call
from jaxlab.experiments.hopfield.study import Common, Corruption, Study
from jaxlab.experiments.interface import Reporter
from jaxlab.hopfield.capacity_theory import one_step_error_rate
from jaxlab.hopfield.dynamics import DIVERGED, OK
from jaxlab.hopfield.energy import energy as network_energy
from jaxlab.runner.request import resolve
from tests.helpers import verdicts_of


@pytest.fixture
def drawn(monkeypatch):
    """Rows of images by label, and the titles of their columns, instead of a figure of them."""
    seen = types.SimpleNamespace()

    def image_rows(rows, titles, **_):
        seen.rows, seen.titles = rows, titles
        return plotting.new_figure()[0]

    monkeypatch.setattr(plotting, "image_rows", image_rows)
    return seen


def captions(reporter):
    return {call.args[0]: call.args[2] for call in reporter.figure.call_args_list}


def notes(reporter):
    return [call.args[0] for call in reporter.note.call_args_list]


def energy_frames(sets):
    """Draw the frames of ``sets``, every image of a network filled with its place in the list."""
    config = resolve("hopfield-energy", sets=["save_every=5 steps=50", *sets]).config
    chosen = energy_networks.networks(config)
    steps = energy_networks.frame_steps(config)
    measured = {
        network: {"frames": np.full((len(steps), 4), place).tolist()}
        for place, network in enumerate(chosen)
    }
    reporter = mock.Mock(spec=Reporter)
    images = np.arange(8.0).reshape(2, 4)
    energy._draw_frames(config, measured, images, (2, 2), reporter, "data")
    return chosen, captions(reporter)["frames"]


@pytest.mark.parametrize(
    ("visible", "softmax", "power"),
    [
        ("quadratic,log_cosh,layer_norm", "quadratic", "layer_norm"),
        ("log_cosh", "log_cosh", "log_cosh"),
        ("layer_norm", "layer_norm", "layer_norm"),
        ("log_cosh,quadratic", "quadratic", "log_cosh"),
    ],
)
def test_frames_are_of_the_visible_neurons_that_are_there(visible, softmax, power, drawn):
    chosen, caption = energy_frames([f"visible=[{visible}]"])
    names = energy_networks.NAMES
    assert f"{names[softmax]} for softmax, {names[power]} for the rectified power" in caption
    shown = [chosen[int(pictures[0, 0, 0])] for pictures in drawn.rows.values()]
    wanted = [n for n in chosen if n.visible == (power if n.beta is None else softmax)]
    assert shown == wanted


def test_the_rectified_power_is_named_where_it_was_measured(drawn):
    _, caption = energy_frames(["similarities=[squared_euclidean]"])
    assert "visible neurons: quadratic for softmax; data." in caption
    assert not any("power" in label for label in drawn.rows)


@pytest.mark.parametrize(("count", "own"), [(1, 0), (4, 1)])
def test_a_picture_of_several_corruptions_is_of_one_stored_image(count, own, drawn):
    data = {"name": "digits"}
    common = Common(seed=0, seeds=1, data=data, threshold=50.0, threshold_mode="scaled")
    study, masks = Study(common, [count]), [Corruption("rows", share) for share in (0.2, 0.4)]
    figure = recall_picture(study, masks, published_memories(["manhattan"]))
    stored, asked, answers = drawn.rows.values()
    image = np.asarray(study.patterns(0))[own].reshape(8, 8)
    np.testing.assert_array_equal(stored, [image] * 2)
    np.testing.assert_array_equal(asked[1, :4], image[:4])  # the lower rows are lost
    np.testing.assert_allclose(answers, [image] * 2, atol=1e-6)
    assert not figure.axes[0].patches  # no answer is framed as that of another memory


def test_times_are_in_units_of_the_visible_time_constant(drawn):
    energy_frames([])
    times = drawn.titles
    assert times[-2:] == ["t = 0.5", "original"]
    energy_frames(["dt=0.02 tau_v=2.0 tau_h=0.2"])
    assert drawn.titles == times


def test_theory_is_drawn_between_the_numbers_of_patterns_that_are_measured():
    """A load of less than one pattern is measured, and drawn, at two."""
    one = classical_one_step.OneStep(dims=(50,), loads=(0.01, 0.2), seeds=2)
    networks = {
        (50, zero_diagonal): [
            compare(
                "",
                count / 50,
                [0.01, 0.02],
                count * 50,
                one_step_error_rate(count, 50, zero_diagonal=zero_diagonal),
            )
            for count in (2, 10)
        ]
        for zero_diagonal in (False, True)
    }
    reporter = mock.Mock(spec=Reporter)
    classical_one_step.report(one, 0, networks, reporter)
    assert set(verdicts_of(reporter)) == {"hopfield-error-rate"}
    figure = reporter.figure.call_args.args[1]
    loads = figure.axes[0].lines[0].get_xdata()
    assert loads[[0, -1]].tolist() == [2 / 50, 10 / 50]


def diverged(power, lost):
    """Notes on diverged networks, where those of ``lost`` have diverged."""
    config = resolve("hopfield-energy", sets=[f"power={power}"]).config
    fine = dict.fromkeys(("rise", "identity", "correlation", "recalled"), 0.0)
    measured = {
        network: fine | {"energies": [[0.0, -1.0]], "status": [DIVERGED if lost(network) else OK]}
        for network in energy_networks.networks(config)
    }
    reporter = mock.Mock(spec=Reporter)
    energy._report_table(config, measured, reporter, "data")
    return [note for note in notes(reporter) if note.startswith("Diverged")]


def test_only_energies_without_a_lower_bound_diverge_as_the_theory_allows():
    assert not diverged(3.0, lambda network: False)
    allowed, long_step = diverged(3.0, lambda network: network.visible == "quadratic")
    assert "theory allows: dot product / rectified power 3 / quadratic. " in allowed
    assert "theory" not in long_step
    assert "dt" in long_step
    assert "dot product / softmax β=10 / quadratic; " in long_step
    assert "rectified power" not in long_step
    allowed, long_step = diverged(1.5, lambda network: network.beta is None)
    assert "theory allows: dot product / rectified power 1.5 / quadratic. " in allowed
    for visible in ("log cosh", "layer norm"):
        assert f"dot product / rectified power 1.5 / {visible}" in long_step


@pytest.mark.parametrize("visible", ["quadratic", "log_cosh", "layer_norm"])
def test_a_rectified_power_outweighs_quadratic_neurons_alone(visible):
    """The energy of a large state along a memory, with memory neurons at its scores."""
    config = resolve("hopfield-energy", sets=["power=1.2"]).config
    network = energy_networks.Network("dot_product", None, visible)
    similarity, hidden, neurons = energy_networks._parts(config, network)
    memories = jnp.array([[0.6, -0.6, 0.4, -0.4]])

    state = 1e6 * memories[0]
    scores = similarity(neurons.output(state), memories)
    parts = {"similarity": similarity, "hidden": hidden, "visible": neurons}
    deep = network_energy(state, scores, memories, **parts) < -1e9
    assert bool(deep) is energy._unbounded(network)


@pytest.mark.parametrize(
    ("blocked", "dense", "grows"),
    [
        ((1e-7, 4e-7), (1e-7, 4e-7), True),
        ((1e-7, 4e-7), (1.1e-6, 6.2e-7), False),
        ((3.2e-7, 3.9e-7), (3.2e-7, 3.0e-7), False),
    ],
)
def test_errors_are_said_to_grow_where_they_do(blocked, dense, grows):
    config = resolve("hopfield-scale", "smoke").config
    exact = {
        n: {"blocked_error": ours, "dense_error": theirs}
        | dict.fromkeys(("exact", "approximate", "int8", "own_first"), 1.0)
        for n, ours, theirs in zip(config.n, blocked, dense, strict=True)
    }
    call = Call("softmax", None)
    seconds = {(call, n): 1.0 for n in config.n}
    reporter = mock.Mock(spec=Reporter)
    sizes = list(config.n)
    memory = dict.fromkeys(seconds, 1)
    scale._report_tables(config, [call], sizes, memory, seconds, exact, reporter, "a bank")
    assert any("err more with more memories" in note for note in notes(reporter)) is grows


def test_memories_are_counted_on_the_axis_of_costs():
    config = resolve("hopfield-scale", "smoke").config
    sizes = list(config.n)
    calls = [Call(method, block) for method in ("softmax", "top-k") for block in config.block]
    memory = {(call, n): n for call in calls for n in sizes}
    seconds = {key: float(n) for key, n in memory.items()}
    reporter = mock.Mock(spec=Reporter)
    scale._draw(calls, sizes, memory, seconds, config, reporter, "a bank")
    for ax in reporter.figure.call_args.args[1].axes[2:]:
        labels = [*ax.get_xticklabels(), *ax.get_xticklabels(minor=True)]
        assert sorted(label.get_text() for label in labels) == ["2048", "20480"]


def small_run(experiment, name, tmp_path, sets):
    """Reporter that saw a smoke run of ``name``."""
    config = resolve(name, "smoke", sets=["seeds=1", *sets]).config
    reporter = mock.Mock(spec=Reporter)
    reporter.cell.side_effect = lambda key, compute: compute()
    experiment.run(config, tmp_path, reporter)
    return reporter


@pytest.mark.parametrize("separations", ["log,max", "max"])
def test_the_logarithm_is_explained_where_it_is_measured(separations, tmp_path):
    sets = ["counts=[2] negated.count=2 similarities=[manhattan]", f"separations=[{separations}]"]
    reporter = small_run(separation_capacity, "hopfield-separation-capacity", tmp_path, sets)
    told = [note for note in notes(reporter) if "logarithm" in note]
    assert bool(told) == ("log" in separations)
    # of two memories the right one may be the less similar
    assert all("only where the right memory scores least" in note for note in told)


def test_the_papers_sharpness_is_not_that_of_the_config(tmp_path):
    sets = ["counts=[2] negated.count=2 similarities=[manhattan] separations=[softmax]"]
    sets += ["separation_parameter=10"]
    reporter = small_run(separation_capacity, "hopfield-separation-capacity", tmp_path, sets)
    assert any("second parameter, here 10 (there 1000)" in note for note in notes(reporter))


def test_the_papers_threshold_is_not_that_of_the_config(tmp_path):
    """Patches of 3072 numbers: 60·784/3072 is 15.3, and 120·784/3072 is 30.6."""
    sets = ["counts=[2] similarities=[manhattan] separations=[max] published_threshold=120"]
    reporter = small_run(natural_images, "hopfield-natural-images", tmp_path, sets)
    text = captions(reporter)["similarity-noise"]
    assert "thresholds 30.6 (120·784/d), 50 and 196" in text
    assert "paper" not in text
    (told,) = [note for note in notes(reporter) if "The paper's code divides" in note]
    assert "its threshold, 60, by" in told
    assert "15.3 here" in told


def test_a_query_that_is_masked_altogether_scores_alike_by_the_dot_product(tmp_path):
    """It then picks the first memory; distances still tell the memories apart."""
    data = {"name": "digits"}
    common = Common(seed=0, seeds=1, data=data, threshold=50.0, threshold_mode="scaled")
    study, all_rows = Study(common, [8]), Corruption("rows", 1.0)
    patterns, query = study.patterns(0), study.queries(0, all_rows)[:1]
    memories = published_memories(["dot_product", "manhattan"])
    of_dot, of_manhattan = (one.similarity(query, patterns)[0] for one in memories.values())
    assert len(set(of_dot.tolist())) == 1
    assert of_manhattan.argmax() == patterns.sum(axis=1).argmin() != 0
    sets = ["counts=[2] kinds=[rows] fractions=[1.0] similarities=[manhattan]"]
    reporter = small_run(mask_robustness, "hopfield-mask-robustness", tmp_path, sets)
    (told,) = [note for note in notes(reporter) if "Equal scores" in note]
    assert "Equal scores, such as the dot product's for a query that is masked altogether" in told


def test_notes_on_laws_leave_it_to_the_table_what_holds_more():
    """The unsigned square may hold less than the signed one; without flips none may be full."""
    config = resolve("hopfield-capacity-law", sets=["flip=0"]).config
    laws = {Rule("signed", 2): Law({32: [math.inf], 64: [math.inf]}, None)}
    laws[Rule("unsigned", 2)] = Law({32: [40.0], 64: [math.inf]}, None)
    reporter = mock.Mock(spec=Reporter)
    capacity_law._report_laws(config, capacity_law._Results(config, {}, laws), reporter, "data")
    for outcome in ("holds no less", "stay below", "flipped bit is kept"):
        assert not any(outcome in note for note in notes(reporter))
