"""Worlds, ways to the grid and errors behind spherical-panorama, its verdicts, and a small run."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical import panorama, panorama_report
from jaxlab.experiments.spherical.panorama import output_errors
from jaxlab.experiments.spherical.panorama_worlds import (
    FRONTS,
    Sizes,
    gains,
    load_world,
    panoramas,
    signals,
)
from jaxlab.runner.execute import run
from jaxlab.runner.request import resolve
from jaxlab.spherical import (
    S2Spectrum,
    make_s2_tables,
    random_rotations,
    rotate_s2,
    s2_integrate,
    s2_synthesis,
)
from tests.helpers import finished, verdicts_of
from tests.spherical.oracle import evaluate_s2

SIZES = Sizes(degrees=6, height=12, nside=4, bandwidth=4)


def test_worlds_have_unit_variance_and_three_different_channels():
    for name in ("field", "photograph"):
        F = load_world(name, 6, 2.0, seed=0)
        f = s2_synthesis(F, make_s2_tables(6, 6))
        np.testing.assert_allclose(s2_integrate(f), 0, atol=1e-6)
        np.testing.assert_allclose(s2_integrate(f**2), 1, rtol=1e-5)
        assert np.abs(np.corrcoef(np.asarray(f).reshape(3, -1))).sum() < 9 - 1e-3
    with pytest.raises(ValueError, match="degrees: expected at most 160 of a photograph"):
        load_world("photograph", 200, 2.0, seed=0)


def test_panoramas_are_values_at_the_centres_of_pixels():
    F = load_world("field", 6, 1.0, seed=1)
    beta = np.pi * (np.arange(12) + 0.5) / 12
    alpha = 2 * np.pi * (np.arange(24) + 0.5) / 24
    expected = evaluate_s2(np.asarray(F.coeffs[0]), beta[:, None], alpha[None])
    np.testing.assert_allclose(panoramas(F, 12)[0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def ways():
    """Inputs of a network by every way, under the identity and two rotations."""
    F = load_world("field", SIZES.degrees, 1.0, seed=2)
    rotations = jnp.concatenate([jnp.eye(3)[None], random_rotations(jax.random.key(0), 2)])
    return F, rotations, {front: signals(front, F, rotations, SIZES) for front in FRONTS}


def test_exact_ways_turn_with_the_world(ways):
    F, rotations, found = ways
    grid = make_s2_tables(4, 4)
    expected = s2_synthesis(rotate_s2(S2Spectrum(F.coeffs[None, :, :4, :4]), rotations), grid)
    np.testing.assert_allclose(found["analysis"], expected, atol=2e-5)
    errors = {front: np.asarray(output_errors(x, rotations, grid)) for front, x in found.items()}
    assert errors["analysis"].shape == (2,)
    assert errors["analysis"].max() < 1e-5
    assert errors["healpix_3"].max() < 1e-3 < errors["healpix_0"].min()
    assert errors["resampling"].min() > 1e-2
    assert errors["turned_on_grid"].min() > 1e-2


def test_output_errors_are_relative():
    rotations = jnp.stack([jnp.eye(3), jnp.eye(3)])
    tables = make_s2_tables(6, 6)
    f = s2_synthesis(load_world("field", 6, 1.0, seed=0), tables)
    outputs = jnp.stack([f + 5, 1.25 * f + 5])  # the mean does not count
    np.testing.assert_allclose(output_errors(outputs, rotations, tables), [0.25], rtol=1e-5)


def test_gains_tell_loss_from_addition():
    F, other = (load_world("field", 6, 1.0, seed=seed) for seed in (3, 4))
    tables = make_s2_tables(6, 6)
    fade = jnp.asarray([1.0, 0.9, 0.5, 0.25, 0.1, 0.0])[:, None]
    gain, added = gains(F, s2_synthesis(S2Spectrum(F.coeffs * fade), tables), 6)
    np.testing.assert_allclose(gain[1:], fade[1:, 0], atol=1e-5)
    np.testing.assert_allclose(added[1:], 0, atol=1e-5)

    x = s2_synthesis(S2Spectrum(F.coeffs + other.coeffs), tables)
    gain, added = gains(F, x, 6)
    rest = np.asarray(F.coeffs + other.coeffs) - gain[:, None] * np.asarray(F.coeffs)
    twice = np.where(np.arange(6) == 0, 1, 2)
    overlap = ((rest * np.asarray(F.coeffs).conj()).real * twice).sum(axis=(0, 2))
    np.testing.assert_allclose(overlap[1:], 0, atol=1e-5)
    squares = [(np.abs(part) ** 2 * twice).sum(axis=(0, 2))[1:] for part in (rest, F.coeffs)]
    np.testing.assert_allclose(added[1:] ** 2, squares[0] / squares[1], rtol=1e-4)


def verdicts(measured):
    """Whether claims hold, by claim."""
    reporter = mock.Mock(spec=Reporter)
    panorama_report.judge(measured, reporter)
    return verdicts_of(reporter)


def results(*, recovery=5e-7, healpix=5e-4, linear=1e-6, smooth=5e-5, relu=(0.1, 0.01), pixels=0.1):
    networks = {("none", 1.0): linear, ("softplus", 2.0): smooth, ("silu", 3.0): smooth}
    networks |= {("relu", 1.0 + place): error for place, error in enumerate(relu)}
    path = {
        network: {front: [pixels if front == "resampling" else error] * 2 for front in FRONTS}
        for network, error in networks.items()
    }
    kinds = {kind: {4: [1e-7], 8: [recovery, 1e-7]} for kind in panorama_report.KINDS}
    return panorama_report.Results(
        kinds, {2: [[1.0], [0.1], [0.01], [healpix]]}, {}, {"field": path, "photograph": path}
    )


@pytest.mark.parametrize(
    ("claim", "bad"),
    [
        ("panoramas-are-recovered", {"recovery": 2e-6}),
        ("healpix-is-recovered", {"healpix": 2e-3}),
        ("linear-path-turns", {"linear": 2e-5}),
        ("smooth-path-turns", {"smooth": 2e-4}),
        ("relu-path-turns-better-on-finer-grids", {"relu": (0.1, 0.01, 0.02)}),
        ("pixels-cost-equivariance", {"pixels": 5e-4}),
    ],
)
def test_claims_are_judged(claim, bad):
    assert set(verdicts(results()).values()) == {True}
    assert {name for name, holds in verdicts(results(**bad)).items() if not holds} == {claim}


def test_every_grid_is_judged():
    for kind in panorama_report.KINDS:
        every = results()
        every.recovery[kind] = {4: [2e-6]}
        assert verdicts(every)["panoramas-are-recovered"] is False


@pytest.mark.parametrize("claim", ["panoramas-are-recovered", "healpix-is-recovered"])
def test_an_error_that_is_no_number_bears_nothing_out(claim):
    every = results()
    every.recovery["soft"] = {4: [1e-7, float("nan")]}
    every = every._replace(healpix={2: [[1e-4]] * 4, 4: [[1e-4, float("nan")]] * 4})
    assert verdicts(every)[claim] is False


@pytest.mark.parametrize("photograph", [False, True])
def test_the_note_is_on_worlds_that_are_there(photograph, tmp_path, monkeypatch):
    for name in ("report_tables", "judge", "_pictures", *filter(is_drawing, dir(panorama))):
        monkeypatch.setattr(panorama, name, lambda *args: None)
    worlds = "[field,photograph]" if photograph else "[field]"
    config = resolve("spherical-panorama", "smoke", [f"worlds={worlds}"]).config
    reporter = mock.Mock(spec=Reporter)
    panorama.run(config, tmp_path, reporter)
    note = " ".join(call.args[0] for call in reporter.note.call_args_list)
    assert "bandlimited" in note
    assert ("photograph" in note) == photograph


def is_drawing(name):
    return name.startswith("draw_")


def test_what_was_not_measured_is_not_judged():
    every = results()
    few = every._replace(
        healpix={2: every.healpix[2][:2]},
        path={"field": {("relu", 1.0): every.path["field"][("relu", 1.0)]}},
    )
    held = verdicts(few)
    assert held.pop("panoramas-are-recovered") is True
    assert set(held.values()) == {None}


@pytest.mark.slow
def test_the_smoke_preset_runs_and_repeats(tmp_path):
    first = finished(run("spherical-panorama", preset="smoke", runs=tmp_path / "a"))
    again = finished(run("spherical-panorama", preset="smoke", runs=tmp_path / "b"))
    assert first["scalars"] == again["scalars"]
    assert first["claims"] == again["claims"]
    held = {claim["id"]: claim["holds"] for claim in first["claims"]}
    assert held["panoramas-are-recovered"]
    assert held["healpix-is-recovered"]
    assert held["linear-path-turns"]
