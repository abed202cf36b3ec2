"""What the three comparisons on the sphere report of measurements that are given, not made."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import (
    classification,
    comparison,
    equivariance_error_trained,
    multi_item,
    segmentation,
    segmentation_report,
    tuning,
)
from jaxlab.experiments.spherical.inputs import Planar, Splits
from jaxlab.runner.request import resolve

SCORES = dict.fromkeys(("1", "2"), 0.5)
TRAINED = {
    "stopped": "budget",
    "steps": 4,
    "best_step": 2,
    "loss": 0.5,
    "validation": 0.5,
    "seconds": 1.0,
    "shown": np.zeros((8, 20, 20), int).tolist(),
}
COMPARED = {
    **dict.fromkeys(("rotated", "plain", "rotated_area", "plain_area"), 0.5),
    **dict.fromkeys(("rotated_pixels", "plain_pixels"), 0.5),
    "iou": [0.5] * 11,
    "averaged": {"1": 0.5},
}


def reported(module, name, sets, tmp_path, validation=lambda key: 0.5):
    """The reporter of a run whose cells are given; ``validation`` scores those of the tuning."""
    several = module is multi_item
    cell = TRAINED | (dict.fromkeys(("rotated", "plain", "area"), SCORES) if several else COMPARED)
    reporter = mock.Mock(spec=Reporter)

    def value(key, compute):
        if key.startswith("tune/"):
            return validation(key)
        return {"rotated": 0.5, "plain": 0.5} if "power-spectrum" in key else cell

    reporter.cell.side_effect = value
    module.run(resolve(name, "smoke", [sets]).config, tmp_path, reporter)
    return reporter


def table(reporter, name):
    """Columns, rows and caption of a table."""
    return next(call.args[1:4] for call in reporter.table.call_args_list if call.args[0] == name)


def test_a_class_that_is_neither_there_nor_predicted_has_no_share():
    cells = [{"iou": [0.9, None, None]}, {"iou": [0.7, 0.5, None]}]
    arm = comparison.Arm("net", True, False, 0, 4, 2, 29_000)
    none = Planar(np.zeros((0, 8, 8)), np.zeros(0, int))
    study = comparison.Study((0, 1), Splits(none, none, none), {arm: cells})
    reporter = mock.Mock(spec=Reporter)
    segmentation_report.report_classes([study], reporter, "text")
    _, rows, _ = table(reporter, "classes")
    assert rows == [[arm.title, arm.copies, 80.0, 50.0, None]]


@pytest.mark.parametrize(
    ("module", "name", "sets", "titles"),
    [
        (
            classification,
            "spherical-classification",
            'cnns=["cnn_139k","cnn:139000"]',
            {"S2CNN, 56k", "CNN, 139k (cnn_139k)", "CNN, 139k (cnn:139000)"},
        ),
        (
            segmentation,
            "spherical-segmentation",
            's2cnns=["s2cnn:39000","s2cnn:39010"]',
            {"S2CNN, 38k (s2cnn:39000)", "S2CNN, 38k (s2cnn:39010)", "CNN, 184k"},
        ),
        (
            multi_item,
            "spherical-multi-item",
            'networks=["s2cnn_39k","cnn_184k","cnn:184000"]',
            {"S2CNN, 39k", "CNN, 184k (cnn_184k)", "CNN, 184k (cnn:184000)"},
        ),
    ],
)
def test_networks_of_one_size_are_told_apart(module, name, sets, titles, tmp_path):
    reporter = reported(module, name, f"{sets} tuning.batch_norm=[false]", tmp_path)
    names = [call.args[0] for call in reporter.scalar.call_args_list]
    assert len(set(names)) == len(names) > 2
    columns, rows, _ = table(reporter, "training")
    assert {row[columns.index("network")] for row in rows} == titles


@pytest.mark.parametrize(
    ("module", "name"),
    [(classification, "spherical-classification"), (multi_item, "spherical-multi-item")],
)
def test_the_draw_that_is_taken_is_not_marked_as_the_candidate(module, name, tmp_path):
    """A draw is trained as the first candidate, which is the one that is taken in the end."""
    networks = "networks=" if module is multi_item else "cnns="
    sets = f"{networks}['cnn:139000'] tuning.batch_norm=[false] tuning.draws=3"

    def validation(key):
        return 0.9 if key.endswith("draw=1") or "lr=0.001" in key or "lr=0.002" in key else 0.5

    reporter = reported(module, name, sets, tmp_path, validation)
    _, rows, caption = table(reporter, "tuning")
    assert [row[-1] for row in rows if row[0] == "cnn:139000"][:4] == ["", "architecture", "", "←"]
    assert "'architecture'" in caption
    plain = reported(module, name, "", tmp_path)
    assert "architecture" not in table(plain, "tuning")[2]
    assert [row[-1] for row in table(plain, "tuning")[1]].count("←") == 2


def test_the_table_of_the_tuning_says_what_was_trained_on(tmp_path):
    sets = "s2cnn_factors=[2] tuning_factor=0"
    reporter = reported(classification, "spherical-classification", sets, tmp_path)
    _, _, caption = table(reporter, "tuning")
    assert "equivariant ones train on images rotated ×2, planar ones on images as they" in caption


@pytest.mark.parametrize(
    ("module", "name"),
    [(segmentation, "spherical-segmentation"), (multi_item, "spherical-multi-item")],
)
def test_the_table_of_the_training_says_what_a_plateau_is(module, name, tmp_path):
    reporter = reported(module, name, "training.patience=7", tmp_path)
    _, _, caption = table(reporter, "training")
    assert "plateau: the best look at the validation score is not among the last 7" in caption


@pytest.mark.parametrize(
    ("module", "name", "sets"),
    [
        (classification, "spherical-classification", "cnn_factors=[0,1] tuning_factor=1"),
        (segmentation, "spherical-segmentation", "cnn_factors=[0,1] tuning_factor=1"),
        (multi_item, "spherical-multi-item", "copies=1"),
    ],
)
@pytest.mark.parametrize("online", ["false", "true"])
def test_rotations_that_are_new_in_every_step_are_said_to_be(module, name, sets, online, tmp_path):
    sets = f"{sets} training.online_augmentation={online}"
    _, _, caption = table(reported(module, name, sets, tmp_path), "training")
    assert ("rotations drawn anew in every step" in caption) == (online == "true")


@pytest.mark.parametrize(
    ("module", "name", "sets"),
    [
        (segmentation, "spherical-segmentation", "classes=[[]]"),
        (multi_item, "spherical-multi-item", "classes=[]"),
    ],
)
def test_classes_without_a_training_image_count(module, name, sets, tmp_path, monkeypatch):
    tuned = mock.Mock(wraps=tuning.tune)
    monkeypatch.setattr(tuning, "tune", tuned)
    reporter = reported(module, name, f"{sets} data.train=8", tmp_path)
    assert {call.kwargs["num_classes"] for call in tuned.call_args_list} == {11}
    if module is segmentation:
        columns, _, caption = table(reporter, "classes")
        assert columns[3:] == [str(label) for label in range(10)]
        assert "all 10 classes" in caption


def test_trained_networks_have_outputs_for_classes_without_a_training_image(tmp_path, monkeypatch):
    made = mock.Mock(side_effect=InterruptedError)
    monkeypatch.setattr(equivariance_error_trained, "named_network", made)
    sets = "trained.classes=[] trained.data.train=8"
    trainings = resolve("spherical-equivariance-error", "smoke", [sets]).config.trained
    with pytest.raises(InterruptedError):
        equivariance_error_trained.measure_trained(trainings, "relu", 0, tmp_path)
    assert made.call_args.args[3] == 11
