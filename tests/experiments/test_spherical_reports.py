"""What the three comparisons on the sphere report of measurements that are given, not made."""

from unittest import mock

import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import classification, multi_item, segmentation
from jaxlab.runner.request import resolve

SCORES = dict.fromkeys(("1", "2"), 0.5)
TRAINED = {
    "stopped": "budget",
    "steps": 4,
    "best_step": 2,
    "loss": 0.5,
    "validation": 0.5,
    "seconds": 1.0,
    "shown": np.zeros((2, 20, 20), int).tolist(),
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
    columns, rows = next(
        call.args[1:3] for call in reporter.table.call_args_list if call.args[0] == "training"
    )
    assert {row[columns.index("network")] for row in rows} == titles
