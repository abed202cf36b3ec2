"""Values that do not go together are refused with the config, before anything is run."""

import re

import pytest

from jaxlab.runner.registry import UsageError
from jaxlab.runner.request import resolve

REFUSED = [
    ("correlation-clustering-lower-bound", "phases=[2,2]", "phases: expected 1 entries, as bases"),
    ("correlation-clustering-refined", "arrivals=10 checkpoints=25", "at most the arrivals, 10"),
    ("graph-algorithms-learned-potentials", "seed=-1", "seed = -1: expected a number >= 0"),
    ("graph-algorithms-learned-potentials", "shortest=2000", "at most longest, 1000"),
    ("graph-algorithms-prediction-error", "shortest=2000", "at most longest, 1000"),
    ("graph-algorithms-learned-reductions", "edges=65", "edges: expected at most all pairs, 64"),
    ("graph-algorithms-learned-reductions", "cheapest=2000", "at most dearest, 1000"),
    ("kcenter-approximation", "shapes=[[4,8]]", "no more centers than points"),
    ("kcenter-scaling", "entries=1", "at least those of the smallest problem, 16384"),
    ("kcenter-privacy-sweep", "problems.count_query.quota=[0,0]", "a center of some group"),
    ("spherical-panorama", "channels=[3]", "bandlimits: expected 1 entries, as channels"),
    ("spherical-panorama", "degrees=17", "at most 16 of a panorama"),
    ("spherical-panorama", "nside=7", "at most 14 of a HEALPix map"),
    ("spherical-panorama", "degrees=161 height=400 nside=90", "at most 160 of a photograph"),
    ("spherical-panorama", "bandwidth=17", "at most 16, half of height"),
    ("spherical-panorama", "heights=[25]", "multiple of 2"),
    ("spherical-multi-item", "networks=[nonsense]", "networks: expected one of"),
    ("spherical-multi-item", "networks=[s2cnn_56k]", "networks: expected one of"),
    ("spherical-multi-item", "networks=[cnn:many]", "a number of parameters"),
    ("spherical-classification", "cnns=[s2cnn_56k]", "cnns: expected one of"),
    ("spherical-classification", "s2cnns=[cnn:900]", "s2cnns: expected s2cnn and a number"),
    ("spherical-segmentation", "cnns=[cnn_139k]", "cnns: expected one of"),
]


@pytest.mark.parametrize(("name", "sets", "message"), REFUSED)
def test_what_does_not_go_together_is_refused(name, sets, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        resolve(name, "smoke", [sets])
