"""Configs that cannot run are refused in words that name the key, before anything is computed."""

import pytest

from jaxlab.experiments.hopfield import heteroassociation
from jaxlab.experiments.leverage import cur
from jaxlab.runner.registry import UsageError
from jaxlab.runner.request import resolve

# experiment, values, what the refusal says
REFUSED = [
    ("hopfield-classical", "sparse.counts=[]", r"sparse.counts = \[\]: "),
    ("hopfield-classical", "sparse.distances=[]", r"sparse.distances = \[\]: "),
    ("hopfield-classical", "one_step.dims=[]", r"one_step.dims = \[\]: "),
    ("hopfield-energy", "steps=3 save_every=5", "  steps: expected at least save_every = 5, got 3"),
    ("hopfield-feature-space", "sigma=[] rows=[] pixels=[]", "  sigma, rows, pixels: expected a"),
    ("leverage-angles", "data.names=[]", r"  data.names: expected at least one, or a path"),
    ("leverage-cur", "data.names=[]", r"  data.names: expected at least one, or a path"),
    ("leverage-cur", "data.names=[wine,digits]", r"  data.names: expected one name, got \('wine'"),
    ("leverage-gcss", "planted.k=[5]", "  planted.k: expected 2 entries, as names, got"),
    ("leverage-scaling", "rows=[5,6]", "  columns: expected 2 entries, as rows, got"),
    ("leverage-scaling", "routes=[qr]", "  routes: expected 'gram' among them, got"),
    ("leverage-scca", "data.names=[wine_halves]", "  rtol: expected 1 entries, as data.names, got"),
]


@pytest.mark.parametrize(("name", "sets", "message"), REFUSED)
def test_a_config_that_cannot_run_is_refused(name, sets, message):
    with pytest.raises(UsageError, match=f"\n{message}" if message[0] == " " else message):
        resolve(name, sets=[sets])


@pytest.mark.usefixtures("bad_input")  # no reporter is needed
@pytest.mark.parametrize(
    ("module", "name", "sets", "message"),
    [
        (cur, "leverage-cur", "columns=[1000]", "columns: expected one of at most 58, got"),
        (
            heteroassociation,
            "hopfield-heteroassociation",
            "data.name=digits counts=[5000]",
            "^counts: expected one of at most 1797 images, got",
        ),
        (
            heteroassociation,
            "hopfield-heteroassociation",
            "data.name=digits classical.counts=[5000]",
            "^classical.counts: expected one of at most 1797 images, got",
        ),
    ],
)
def test_more_than_the_data_hold_is_refused_when_they_are_there(
    module, name, sets, message, tmp_path
):
    config = resolve(name, preset="smoke", sets=[sets]).config
    with pytest.raises(ValueError, match=message):
        module.run(config, tmp_path, None)
