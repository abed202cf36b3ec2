"""Data, training, tuning and verdicts of two spherical experiments, and a small run of each."""

import dataclasses
import signal
import sys
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import (
    classification_report,
    fitting,
    multi_item,
    segmentation,
    segmentation_report,
    watch,
)
from jaxlab.experiments.spherical.comparison import Arm, Study
from jaxlab.experiments.spherical.fitting import Training, train
from jaxlab.experiments.spherical.inputs import Planar, SphereData, Splits, load_splits
from jaxlab.experiments.spherical.networks import (
    apply_network,
    init_network,
    make_network_tables,
    named_network,
    param_count,
)
from jaxlab.experiments.spherical.power_spectrum import power_features
from jaxlab.experiments.spherical.scoring import Model, confusion, predict, score
from jaxlab.experiments.spherical.spheres import Scaling, project, scaling_of, spheres
from jaxlab.experiments.spherical.tuning import Tuning, count_cells, draw_networks, tune
from jaxlab.experiments.spherical.updates import update
from jaxlab.experiments.spherical.watch import Watch
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from jaxlab.spherical.cnn_config import CNNConfig
from jaxlab.spherical.grids import quadrature_weights, sphere_points
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.spherical_images import make_spherical_batch
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.training import TrainingInterrupted, TrainState, save_checkpoint
from tests.helpers import finished

DATA = SphereData(
    name="digits",
    train=20,
    validation=10,
    test=12,
    bandwidth=4,
    grid="soft",
    official_mismatch=False,
    interpolation="bilinear",
    threshold=150.0,
    images_per_rotation=1,
    normalize="standardize",
)
SETTINGS = Training(
    batch_size=8,
    schedule="cosine",
    weight_decay=0.0,
    online_augmentation=False,
    evaluate_every=2,
    patience=2,
    early_stopping=False,
    checkpoint_every=2,
    devices=1,
)
CNN = CNNConfig((8, 8), (3,), (3,), (1,), 3, task="classification", batch_norm=True)
SEGMENTS = CNNConfig((8, 8), (3,), (3,), (1,), 4)


def changed(record, **fields):
    return dataclasses.replace(record, **fields)


def test_splits_are_disjoint_and_relabelled():
    whole = load_splits(changed(DATA, train=0, test=0), (7, 0, 4))
    sizes = [len(part.labels) for part in whole]
    assert sizes[1] == 10
    assert sum(sizes) == 538  # of classes 0, 4 and 7 in load_digits
    assert sizes[2] == 180
    images = np.concatenate([part.images.reshape(-1, 64) for part in whole])
    assert len(np.unique(images, axis=0)) == 538
    assert images.min() == 0
    assert images.max() == 255
    parts = load_splits(DATA, (7, 0, 4))
    np.testing.assert_array_equal(parts.train.images, whole.train.images[:20])
    assert set(parts.train.labels) == {0, 1, 2}
    tall = [whole.test.images[whole.test.labels == label].mean(0) for label in range(3)]
    assert tall[1][3, 3] < 60 < tall[2][3, 3]  # a zero is hollow, a four is not
    other = load_splits(DATA, (7, 0, 4), seed=1)
    assert not np.array_equal(other.train.images, parts.train.images)


@pytest.mark.parametrize(
    ("fields", "classes", "message"),
    [
        ({"train": 10_000}, (), "data.train: expected at most"),
        ({"test": 10_000}, (), "data.test: expected at most"),
        ({}, (10,), "classes: expected a label of digits"),
    ],
)
def test_splits_refuse_what_is_not_there(fields, classes, message):
    with pytest.raises(ValueError, match=message):
        load_splits(changed(DATA, **fields), classes)


def test_a_smaller_set_of_spheres_begins_a_larger_one():
    planar = load_splits(DATA).train
    pairs = changed(DATA, images_per_rotation=2)
    large = spheres(pairs, planar, "train", rotate=True, seed=3, n=50)
    small = spheres(pairs, planar, "train", rotate=True, seed=3, n=30)
    np.testing.assert_array_equal(small.source, large.source[:30])
    np.testing.assert_array_equal(large.source[:20], np.arange(20))
    np.testing.assert_array_equal(large.turn, np.arange(50) // 2)
    np.testing.assert_array_equal(large.labels, planar.labels[large.source])
    x = np.asarray(project(pairs, large, 4).x)
    np.testing.assert_array_equal(x, np.asarray(project(pairs, small).x)[:4])
    of_test = spheres(pairs, planar, "test", rotate=True, seed=3, n=4)
    assert np.abs(x - np.asarray(project(pairs, of_test).x)).max() > 50

    upright = spheres(pairs, planar, "train", rotate=False, seed=3)
    expected = make_spherical_batch(
        planar.images,
        planar.labels,
        np.broadcast_to(np.eye(3, dtype=np.float32), (20, 3, 3)),
        sphere_points(4).astype(np.float32),
    )
    found = project(pairs, upright)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.mask, expected.mask)
    scaling = scaling_of(DATA, upright)
    np.testing.assert_allclose(scaling, (expected.x.mean(), expected.x.std()), rtol=1e-5)
    assert scaling_of(changed(DATA, normalize="none"), upright) == Scaling(0.0, 1.0)
    mismatched = project(changed(DATA, official_mismatch=True), upright)
    assert np.abs(np.asarray(mismatched.x) - expected.x).max() > 20


def test_named_networks_have_outputs_and_grid_of_the_task():
    cnn = named_network("cnn_29k", "classification", 12, 4, batch_norm=True)
    assert (cnn.size, cnn.num_classes, cnn.batch_norm) == ((24, 24), 10, True)
    s2cnn = named_network("s2cnn_39k", "segmentation", 10, 11, grid="driscoll_healy")
    assert (s2cnn.num_classes, s2cnn.grid) == (11, "driscoll_healy")
    assert param_count(named_network("s2cnn_39k", "segmentation", 10, 5)) == 38623
    with pytest.raises(ValueError, match="network: expected one of"):
        named_network("cnn_29k", "segmentation", 10, 5)


@pytest.fixture(scope="module")
def sets():
    splits = load_splits(DATA, (0, 1, 4))
    return (
        spheres(DATA, splits.train, "train", rotate=True, seed=0, n=40),
        spheres(DATA, splits.validation, "validation", rotate=True, seed=0),
    )


def fitted(sets, folder, network=CNN, settings=SETTINGS, steps=8, rate=0.02):
    return train(
        network,
        DATA,
        settings,
        *sets,
        Scaling(80.0, 90.0),
        learning_rate=rate,
        steps=steps,
        seed=0,
        checkpoint_dir=folder,
    )


def same(first, second):
    assert first._replace(model=None, seconds=0.0) == second._replace(model=None, seconds=0.0)
    leaves = zip(jax.tree.leaves(first.model[3:]), jax.tree.leaves(second.model[3:]), strict=True)
    for a, b in leaves:
        np.testing.assert_array_equal(a, b)


def test_a_killed_training_ends_as_if_it_had_not_been(sets, tmp_path, monkeypatch):
    whole = fitted(sets, tmp_path / "whole")
    assert [step for step, _ in whole.scores] == [2, 4, 6, 8]
    best = [score for _, score in whole.scores].index(whole.validation)
    assert whole.best_step == 2 * best + 2
    assert np.isfinite(whole.loss)

    look = Watch.look
    seen = []

    def killed(self, state: TrainState):
        seen.append(int(state.step))
        if int(state.step) == 6:
            raise KeyboardInterrupt
        return look(self, state)

    monkeypatch.setattr(Watch, "look", killed)
    with pytest.raises(KeyboardInterrupt):
        fitted(sets, tmp_path / "killed")
    assert seen == [2, 4, 6]
    monkeypatch.setattr(Watch, "look", look)
    again = []
    monkeypatch.setattr(Watch, "save", lambda self: again.append(self.scores[-1][0]))
    same(fitted(sets, tmp_path / "killed"), whole)
    assert again == [8, 8]  # from step 4, where the newest checkpoint is, and at the end
    monkeypatch.undo()
    done = fitted(sets, tmp_path / "whole")  # nothing left to do
    same(done, whole)
    assert done.seconds == whole.seconds


def test_a_training_that_is_done_is_not_done_again(sets, tmp_path, monkeypatch):
    """Also where the last step is none at which a checkpoint is due."""
    made = []

    def counted(given, state, batch, *, plan):
        made.append(int(state.step))
        return update(given, state, batch, plan=plan)

    monkeypatch.setattr(fitting, "update", counted)
    settings = changed(SETTINGS, checkpoint_every=100)
    whole = fitted(sets, tmp_path, settings=settings)
    assert len(made) == 9  # one more compiles
    same(fitted(sets, tmp_path, settings=settings), whole)
    assert len(made) == 10


def test_a_training_on_a_plateau_goes_on_from_its_checkpoint(sets, tmp_path, monkeypatch):
    """Where the best look is later than that, and the last one is where a checkpoint is due."""
    made = []

    def counted(given, state, batch, *, plan):
        made.append(int(state.step))
        return update(given, state, batch, plan=plan)

    looks = iter([0.1, 0.2, 0.3, 0.4, 0.1, 0.1, 0.4, 0.1, 0.1])
    monkeypatch.setattr(fitting, "update", counted)
    monkeypatch.setattr(fitting, "score", lambda counts, task: next(looks))
    settings = changed(SETTINGS, early_stopping=True, checkpoint_every=3)
    whole = fitted(sets, tmp_path, settings=settings, steps=20)
    assert (whole.steps, whole.best_step) == (12, 8)
    assert len(made) == 13  # one more compiles
    same(fitted(sets, tmp_path, settings=settings, steps=20), whole)
    assert made[13:] == [0, *range(6, 12)]


def test_the_time_of_a_killed_training_is_that_of_its_steps(sets, tmp_path, monkeypatch):
    now = [0.0]  # a clock that steps, looks, checkpoints and compilation move on
    monkeypatch.setattr(watch, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))

    def slow_step(given, state, batch, *, plan):
        now[0] += 2.0
        return update(given, state, batch, plan=plan)

    def slow_score(counts, task):
        now[0] += 100.0
        return score(counts, task)

    def slow_save(*args, **options):
        now[0] += 1000.0
        return save_checkpoint(*args, **options)

    monkeypatch.setattr(fitting, "update", slow_step)
    monkeypatch.setattr(fitting, "score", slow_score)
    for writer in (watch, sys.modules["jaxlab.training.fit"]):
        monkeypatch.setattr(writer, "save_checkpoint", slow_save)
    assert fitted(sets, tmp_path / "whole").seconds == 16
    assert fitted(sets, tmp_path / "whole").seconds == 16
    for at in (5, 7):  # between two looks

        def stopped(given, state, batch, *, plan, at=at):
            if int(state.step) == at - 1:
                signal.raise_signal(signal.SIGTERM)
            return slow_step(given, state, batch, plan=plan)

        monkeypatch.setattr(fitting, "update", stopped)
        with pytest.raises(TrainingInterrupted):
            fitted(sets, tmp_path / "stopped")
        monkeypatch.setattr(fitting, "update", slow_step)
    assert fitted(sets, tmp_path / "stopped").seconds == 16


def test_a_training_stopped_before_its_first_look_goes_on(sets, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(watch, "time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    settings = changed(SETTINGS, evaluate_every=6)
    whole = fitted(sets, tmp_path / "whole", settings=settings)
    made, stops = [], [2, 4]

    def stopped(given, state, batch, *, plan):
        made.append(int(state.step))
        if made[-1] in stops:
            stops.remove(made[-1])
            signal.raise_signal(signal.SIGTERM)
        now[0] += 2.0
        return update(given, state, batch, plan=plan)

    monkeypatch.setattr(fitting, "update", stopped)
    for _ in range(2):
        with pytest.raises(TrainingInterrupted):
            fitted(sets, tmp_path / "stopped", settings=settings)
    again = fitted(sets, tmp_path / "stopped", settings=settings)
    assert made == [0, 0, 1, 2, 0, 3, 4, 0, 5, 6, 7]  # each process compiles with the first batch
    same(again, whole)
    assert again.seconds == 16


def test_a_training_that_lost_its_looks_starts_anew(sets, tmp_path):
    whole = fitted(sets, tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    same(fitted(sets, tmp_path), whole)


def test_training_stops_on_a_plateau(sets, tmp_path):
    settings = changed(SETTINGS, early_stopping=True)
    still = fitted(sets, tmp_path / "still", SEGMENTS, settings, steps=50, rate=1e-12)
    assert (still.steps, still.stopped, still.best_step) == (6, "plateau", 2)
    more = fitted(sets, tmp_path / "more", SEGMENTS, SETTINGS, steps=4)
    assert (more.steps, more.stopped) == (4, "budget")
    model = more.model
    rotated = sets[1]
    counts = confusion(model, rotated)
    truth = np.asarray(project(DATA, rotated).mask)
    np.testing.assert_array_equal(
        counts.plain.sum(0), np.bincount(truth.ravel(), minlength=4)
    )  # what fills up the last batch counts nowhere
    area = np.broadcast_to(quadrature_weights(4, "soft", "s2")[:, None], truth.shape)
    np.testing.assert_allclose(
        counts.weighted.sum(0), np.bincount(truth.ravel(), area.ravel(), 4), rtol=1e-5
    )
    x, labels, predicted = predict(model, rotated, 3)
    np.testing.assert_array_equal(labels, truth[:3])
    np.testing.assert_array_equal(x, np.asarray(project(DATA, rotated).x)[:3])
    logits, _ = apply_network(
        model.params, model.model_state, jnp.asarray((x - 80.0) / 90.0), None, SEGMENTS, train=False
    )
    np.testing.assert_array_equal(predicted, np.argmax(logits, -1))


def test_an_equivariant_network_learns_and_does_not_mind_turns_about_the_axis(tmp_path):
    data = changed(DATA, train=160, validation=50, bandwidth=6)
    splits = load_splits(data, (0, 1))
    training, validation = (
        spheres(data, images, name, rotate=False, seed=0)
        for name, images in (("train", splits.train), ("validation", splits.validation))
    )
    network = S2CNNConfig(
        6, (6, 8), (6, 3), 2, task="classification", n_beta=2, n_alpha=4, features_norm=True
    )

    def fit(steps, rate):
        return train(
            network,
            data,
            changed(SETTINGS, batch_size=16, evaluate_every=30),
            training,
            validation,
            scaling_of(data, training),
            learning_rate=rate,
            steps=steps,
            seed=0,
            checkpoint_dir=tmp_path / str(steps),
        )

    trained = fit(60, 0.03)
    assert trained.loss < fit(1, 1e-12).loss / 2
    assert trained.validation > 0.9
    x = (jnp.asarray(project(data, validation).x, jnp.float32) - 80.0) / 90.0
    logits, turned = (
        apply_network(
            trained.model.params,
            trained.model.model_state,
            images,
            make_network_tables(network),
            network,
            train=False,
        )[0]
        for images in (x, jnp.roll(x, 2, axis=-1))  # whole steps of every grid
    )
    np.testing.assert_allclose(logits, turned, atol=1e-4)
    assert float(jnp.ptp(logits)) > 0.5


@pytest.mark.parametrize("online", [False, True])
def test_devices_share_a_batch(sets, tmp_path, online, devices):
    network = changed(CNN, batch_norm=not online)
    settings = changed(SETTINGS, online_augmentation=online, evaluate_every=1)
    one = fitted(sets, tmp_path / "one", network, settings, steps=4)
    two = fitted(sets, tmp_path / "two", network, changed(settings, devices=2), steps=4)
    np.testing.assert_allclose(one.loss, two.loss, rtol=1e-4)
    pairs = zip(*(jax.tree.leaves(fit.model.params) for fit in (one, two)), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_online_rotations_are_new_in_every_step(sets, tmp_path):
    """A rate of 0 and one batch for all steps: the loss changes with the rotations alone."""
    planar = Planar(*(leaf[:8] for leaf in sets[0].planar))
    fixed = spheres(DATA, planar, "train", rotate=True, seed=0), sets[1]
    network = changed(CNN, batch_norm=False)
    losses = [
        fitted(
            fixed,
            tmp_path / f"{online}{steps}",
            network,
            changed(SETTINGS, online_augmentation=online, evaluate_every=1),
            steps=steps,
            rate=1e-12,
        ).loss
        for online in (False, True)
        for steps in (1, 2)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    assert abs(losses[2] - losses[3]) > 1e-3


def test_averaging_over_the_identity_changes_nothing():
    network = S2CNNConfig(4, (2,), (2,), 3, task="classification", features_norm=True)
    params, state = init_network(jax.random.key(0), network)
    model = Model(network, DATA, Scaling(80.0, 90.0), params, state)
    samples = spheres(DATA, load_splits(DATA, (0, 1, 4)).test, "test", rotate=True, seed=0)
    plain = confusion(model, samples)
    assert plain.plain.sum() == 12
    turned = confusion(model, samples, np.eye(3, dtype=np.float32)[None])
    np.testing.assert_array_equal(plain.plain, turned.plain)
    assert make_network_tables(CNN) is None


def test_power_spectra_do_not_change_with_longitude():
    x = np.asarray(jax.random.uniform(jax.random.key(0), (2, 8, 8))) * 255
    features = power_features(x, DATA)
    assert features.shape == (2, 4)
    np.testing.assert_allclose(power_features(np.roll(x, 3, axis=-1), DATA), features, atol=1e-4)
    assert np.abs(features[0] - features[1]).max() > 0.01


def test_power_spectra_are_of_the_grid_of_the_images():
    F = s2_analysis(jax.random.uniform(jax.random.key(1), (2, 8, 8)), make_s2_tables(4, 4))
    soft, published = (
        255 * np.asarray(s2_synthesis(F, make_s2_tables(4, 4, grid)))
        for grid in ("soft", "driscoll_healy")
    )
    mismatch = dataclasses.replace(DATA, official_mismatch=True)
    np.testing.assert_allclose(
        power_features(published, mismatch), power_features(soft, DATA), atol=1e-3
    )


TUNING = Tuning(
    s2cnn_rates=(0.1, 0.2),
    cnn_rates=(0.3, 0.4),
    batch_norm=(False, True),
    s2cnn_steps=1,
    cnn_steps=1,
    draws=3,
)


def reporter_of_cells():
    """A reporter that computes every cell."""
    reporter = mock.Mock(spec=Reporter)
    reporter.cell.side_effect = lambda key, compute: compute()
    return reporter


def verdicts_of(judge, study):
    """What the verdicts on a study say, and whether claims hold, by claim."""
    reporter = mock.Mock(spec=Reporter)
    judge(study, reporter)
    return {
        call.args[0]: (call.kwargs["ours"], call.kwargs["holds"])
        for call in reporter.verdict.call_args_list
    }


def test_tuning_takes_what_validates_best():
    tried = []

    def attempt(key, network, rate):
        tried.append(network)
        score = 0.5 if network.batch_norm else 0.4
        score += 0.1 * (rate == 0.4) + 0.2 * key.endswith("draw=2")
        return types.SimpleNamespace(validation=score)

    reporter = reporter_of_cells()
    shared = {"task": "segmentation", "bandwidth": 8, "num_classes": 4}
    architectures = draw_networks(TUNING, ["cnn:6000", "cnn_184k"], seed=0, **shared)
    assert architectures["cnn_184k"] == []
    tuned = tune(
        reporter, TUNING, "cnn:6000", attempt, architectures["cnn:6000"], grid="soft", **shared
    )
    keys = {call.args[0] for call in reporter.cell.call_args_list}
    assert len(keys) == len(tried) == count_cells(TUNING, ["cnn:6000"]) == 7
    assert tuned.candidate == (0.4, True)
    assert len({network.channels for network in tried[:3]}) == 3
    assert all(abs(param_count(network) - 6000) <= 300 for network in tried[:3])
    assert tuned.network.batch_norm
    # one architecture, also where another fits once batch-norm counts among the parameters
    assert {changed(network, batch_norm=False) for network in tried[3:]} == {tried[2]}
    assert tuned.network == changed(tried[2], batch_norm=True)
    assert [row[:1] + row[2:4] for row in tuned.rows[-2:]] == [
        ["cnn:6000", 0.3, True],
        ["cnn:6000", 0.4, True],
    ]
    assert [row[5] for row in tuned.rows] == ["", "", "architecture", "", "", "", "←"]
    with pytest.raises(ValueError, match="cnn_rates: expected 2, as s2cnn_rates"):
        changed(TUNING, cnn_rates=(0.3,))


@pytest.mark.parametrize("draws", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_random_networks_of_presets_can_be_drawn(draws):
    config = resolve("spherical-classification", "paper").config
    names = [name for name in config.s2cnns + config.cnns if ":" in name]
    assert len(names) >= 4
    assert config.tuning.draws == 20
    drawn = draw_networks(
        changed(config.tuning, draws=draws),
        names,
        task=config.task,
        bandwidth=config.data.bandwidth,
        num_classes=10,
        seed=config.seed,
    )
    for name in names:
        size = int(name.partition(":")[2])
        assert len(drawn[name]) == draws
        assert all(abs(param_count(network) / size - 1) <= 0.05 for network in drawn[name])


@pytest.mark.parametrize(
    ("name", "networks"),
    [
        ("spherical-segmentation", "cnns=[cnn:300]"),
        ("spherical-multi-item", "networks=[s2cnn_39k,cnn:300]"),
    ],
)
def test_architectures_are_drawn_before_anything_is_trained(name, networks, tmp_path):
    """There is no planar network of 300 parameters."""
    reporter = mock.Mock(spec=Reporter)
    config = resolve(name, "smoke", [networks]).config
    module = segmentation if name == "spherical-segmentation" else multi_item
    with pytest.raises(ValueError, match="target_params: expected a number that"):
        module.run(config, tmp_path, reporter)
    reporter.cell.assert_not_called()


def study(scores, seeds=3):
    """A study in which every seed of an arm has the same scores."""
    empty = Planar(np.zeros((2, 8, 8), np.float32), np.array([0, 1]))
    cells = {
        Arm("a", equivariant, False, factor, 1, 100 * max(factor, 1), params): [
            {"rotated": rotated / 100, "plain": 0.97, "stopped": "budget"}
        ]
        * seeds
        for (equivariant, factor, params), rotated in scores.items()
    }
    return Study((0, 1), Splits(empty, empty, empty), cells)


@pytest.mark.parametrize(
    ("s2cnn", "copies", "verdicts"),
    [
        (95.0, (45.0, 70.0, 80.1), (True, True, True)),
        (93.9, (45.0, 44.9, 80.1), (False, False, True)),
        (92.9, (60.0, 70.0, 80.1), (False, False, False)),
        (96.0, (60.0, 70.0, 95.0), (True, True, True)),
    ],
)
def test_verdicts_on_classification(s2cnn, copies, verdicts):
    values = {(True, 0, 50): s2cnn} | {
        (False, factor, 90): value for factor, value in zip((1, 10, 100), copies, strict=True)
    }
    if s2cnn == 96.0:
        values[False, 1, 90] = 61.0 - 0.001  # a gap of 35 points, and a gain of 34
    found = verdicts_of(classification_report.judge, study(values))
    names = ("equivariance-generalises", "augmentation-helps", "gap-shrinks")
    assert tuple(found[name][1] for name in names) == verdicts
    assert "9 of 9 planar trainings without a plateau" in found[names[1]][0]
    assert found["augmentation-reaches-equivariance"][1] is None
    few = verdicts_of(classification_report.judge, study(values, seeds=2))
    assert all(holds is None for _, holds in few.values())


def test_the_dashed_line_is_of_images_as_they_are():
    values = {(True, 0, 50): 95.0, (True, 1, 50): 60.0, (False, 0, 90): 30.0, (False, 1, 90): 40.0}
    reporter = mock.Mock(spec=Reporter)
    classification_report.draw_accuracy([study(values)], [[{"rotated": 0.5}]], reporter, "")
    _, figure, caption = reporter.figure.call_args.args
    (ax,) = figure.axes
    dashed = [line.get_ydata()[0] for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert dashed == [pytest.approx(95)]
    assert "horizontal lines, dashed: equivariant networks trained on images as they" in caption


@pytest.mark.parametrize(("planar", "holds"), [(94.9, False), (95.0, True)])
def test_the_crossing_is_judged_at_the_scale_of_the_paper(planar, holds):
    values = {(True, 0, 50): 95.0, (False, 1, 90): 99.0, (False, 12_000, 90): planar}
    found = verdicts_of(classification_report.judge, study(values))
    assert found["augmentation-reaches-equivariance"][1] is holds
    assert found["gap-shrinks"][1] is None
    nothing = verdicts_of(classification_report.judge, study(dict.fromkeys(values, 0.0)))
    assert nothing["augmentation-reaches-equivariance"][1] is False


@pytest.mark.parametrize(
    ("s2cnn", "params", "copies", "verdicts"),
    [
        (60.0, 400, (30.0, 50.0), (True, True)),
        (59.9, 400, (30.0, 50.0), (False, True)),
        (60.0, 399, (50.0, 49.0), (False, False)),
    ],
)
def test_verdicts_on_segmentation(s2cnn, params, copies, verdicts):
    values = {(True, 0, 100): s2cnn, (False, 1, params): copies[0], (False, 20, params): copies[1]}
    names = ("equivariance-segments-better", "augmentation-helps-segmentation")
    for seeds, expected in ((3, verdicts), (1, (None, None))):
        found = verdicts_of(segmentation_report.judge, study(values, seeds))
        assert tuple(found[name][1] for name in names) == expected


@pytest.mark.parametrize(
    ("second", "holds"),
    [((20.0, 40.0), True), ((20.0, 20.0), False), ((20.0, 10.0), False), ((0.0, 0.0), False)],
)
def test_every_planar_network_has_to_profit_from_rotated_copies(second, holds):
    both = study({(False, 1, 100): 30.0, (False, 20, 100): 50.0})
    other = study({(False, 1, 200): second[0], (False, 20, 200): second[1]})
    cells = both.cells | {arm._replace(name="b"): runs for arm, runs in other.cells.items()}
    found = verdicts_of(segmentation_report.judge, both._replace(cells=cells))
    ours, held = found["augmentation-helps-segmentation"]
    assert held is holds
    assert ours.split("; ")[1] == f"CNN, 0k: ×1: {second[0]:.1f} %, ×20: {second[1]:.1f} %"


TINY = (
    "data.bandwidth=5 data.train=24 data.validation=12 data.test=12 seeds=[1] "
    's2cnns=["s2cnn:12000"] cnns=["cnn:6000"] s2cnn_steps=[4] training.evaluate_every=2 '
    "tuning.s2cnn_steps=2 tuning.cnn_steps=2 tuning.s2cnn_rates=[0.03] tuning.cnn_rates=[1e-3] "
    "cnn_steps=[4,4]"
)


@pytest.mark.slow  # .ci/run runs the first one's smoke preset
@pytest.mark.parametrize("name", ["spherical-classification", "spherical-segmentation"])
def test_a_small_run_reports_and_repeats(name, tmp_path):
    first, second = (
        finished(run(name, preset="smoke", sets=[TINY], runs=tmp_path / folder)) for folder in "ab"
    )
    assert first == second
    assert set(first["tables"]) >= {"tuning", "training"}
    assert all(claim["holds"] is None for claim in first["claims"])  # one seed
    assert all(0 <= value <= 100 for value in first["scalars"].values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spherical-classification", "spherical-segmentation"])
def test_the_smoke_preset_runs(name, tmp_path):
    results = finished(run(name, preset="smoke", runs=tmp_path))
    score = max(value for name, value in results["scalars"].items() if "S2CNN" in name)
    assert score > (90 if "classification" in name else 15)
