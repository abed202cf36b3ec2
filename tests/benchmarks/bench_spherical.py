"""jaxlab.spherical against s2fft, e3nn-jax and PyTorch; checked as well as timed.

Transforms are of real signals in float32. Peers sample grids of their own, with ``2L - 1``
azimuths where jaxlab has ``2L``; s2fft takes one signal at a time and is vectorised with
``jax.vmap``, on its precomputed tables. What each synthesises is analysed again and must give the
coefficients back; jaxlab's error of that round trip stands in the workload.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.spherical import (
    SO3Spectrum,
    bandlimited_field,
    make_s2_tables,
    make_so3_tables,
    s2_analysis,
    s2_synthesis,
    so3_analysis,
    so3_synthesis,
)
from jaxlab.spherical import tables as table_module
from jaxlab.spherical.metrics import pixel_cross_entropy
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.training import create_train_state, make_train_step
from tests.benchmarks.timing import time_jaxlab, time_peer

GROUP_MAPS, SPHERE_MAPS = 16, 32
DIRECTIONS = ("analysis", "synthesis")
BATCH = 32


def random_so3(L, maps):
    """Coefficients of real signals on the rotation group."""
    rng = np.random.default_rng(0)
    coeffs = rng.standard_normal((2, maps, L, L, 2 * L - 1))
    degree, m, n = np.arange(L)[:, None, None], np.arange(L)[:, None], np.arange(-L + 1, L)
    known = (m <= degree) & (abs(n) <= degree)
    coeffs = (coeffs[0] + 1j * coeffs[1]) * known / (1 + degree)
    first = coeffs[..., 0, :]
    coeffs[..., 0, :] = (first + (-1.0) ** n * first[..., ::-1].conj()) / 2
    return SO3Spectrum(jnp.asarray(coeffs, jnp.complex64))


def random_s2(L, maps):
    """Coefficients of real signals on the sphere."""
    keys = jax.random.split(jax.random.key(0), maps)
    return jax.vmap(lambda key: bandlimited_field(key, L))(keys)


def with_negative_orders(coeffs, n=0):
    """Coefficients of real signals for all orders m, from those of ``m >= 0``."""
    signs = (-1.0) ** (np.arange(1, coeffs.shape[-1]) - n)
    mirrored = coeffs[..., ::-1, :, 1:] if np.ndim(n) else coeffs[..., 1:]
    return np.concatenate([(signs * mirrored.conj())[..., ::-1], coeffs], axis=-1)


def check(found, expected, atol=2e-6):
    np.testing.assert_allclose(found, expected, atol=atol * float(np.abs(expected).max()))


def round_trip(analysed, F):
    """Largest error of coefficients, over the largest of them, as text."""
    error = jnp.abs(analysed.coeffs - F.coeffs).max() / jnp.abs(F.coeffs).max()
    return f"round trip {float(error):.0e}"


@pytest.mark.parametrize("L", [10, 16, 30])
@pytest.mark.parametrize("direction", DIRECTIONS)
class TestRotationGroup:
    """Transforms of signals with L degrees on the rotation group."""

    def test_jaxlab(self, benchmark, direction, L):
        F, made = random_so3(L, GROUP_MAPS), make_so3_tables(L, L)
        f = so3_synthesis(F, made)
        there, back = (so3_analysis, f), (so3_synthesis, F)
        function, argument = there if direction == "analysis" else back
        workload = f"{GROUP_MAPS} maps, {round_trip(so3_analysis(f, made), F)}"
        group = f"spherical/SO(3) {direction} L={L}"
        ours = time_jaxlab(benchmark, function, argument, made, group=group, workload=workload)
        if direction == "analysis":
            check(ours.coeffs, F.coeffs)

    @pytest.mark.filterwarnings("ignore")
    def test_s2fft(self, benchmark, direction, L):
        pytest.importorskip("s2fft")
        from s2fft.precompute_transforms import wigner
        from s2fft.precompute_transforms.construct import wigner_kernel

        options = {"L": L, "N": L, "sampling": "dh", "reality": True}
        kernels = [
            jnp.asarray(wigner_kernel(**options, forward=forward), jnp.float32)
            for forward in (False, True)
        ]
        synthesis, analysis = (
            jax.jit(jax.vmap(functools.partial(function, **options, nside=None), (0, None)))
            for function in (wigner.inverse_transform_jax, wigner.forward_transform_jax)
        )
        coeffs = np.asarray(random_so3(L, GROUP_MAPS).coeffs).transpose(0, 3, 1, 2)
        full = with_negative_orders(coeffs, np.arange(-L + 1, L)[:, None, None])
        f = synthesis(jnp.asarray(full, jnp.complex64), kernels[0])
        there, back = (analysis, f, kernels[1]), (synthesis, jnp.asarray(full), kernels[0])
        function, *arguments = there if direction == "analysis" else back
        check(analysis(f, kernels[1]), full, 2e-5)
        time_jaxlab(
            benchmark,
            function,
            *arguments,
            group=f"spherical/SO(3) {direction} L={L}",
            implementation="s2fft, precomputed",
            package="s2fft",
            **({"target": 0.5} if L >= 16 else {}),
        )


@pytest.mark.parametrize("L", [10, 16, 30, 64])
@pytest.mark.parametrize("direction", DIRECTIONS)
class TestSphere:
    """Transforms of signals with L degrees on the sphere."""

    def test_jaxlab(self, benchmark, direction, L):
        F, made = random_s2(L, SPHERE_MAPS), make_s2_tables(L, L)
        f = s2_synthesis(F, made)
        there, back = (s2_analysis, f), (s2_synthesis, F)
        function, argument = there if direction == "analysis" else back
        workload = f"{SPHERE_MAPS} maps, {round_trip(s2_analysis(f, made), F)}"
        group = f"spherical/S² {direction} L={L}"
        ours = time_jaxlab(benchmark, function, argument, made, group=group, workload=workload)
        if direction == "analysis":
            check(ours.coeffs, F.coeffs)

    def options(self, direction, L):
        target = {"target": 1.2} if L >= 16 else {}
        return {"group": f"spherical/S² {direction} L={L}", **target}

    @pytest.mark.filterwarnings("ignore")
    def test_s2fft(self, benchmark, direction, L):
        pytest.importorskip("s2fft")
        from s2fft.precompute_transforms import spherical
        from s2fft.precompute_transforms.construct import spin_spherical_kernel

        options = {"L": L, "sampling": "dh", "reality": True}
        kernels = [
            jnp.asarray(spin_spherical_kernel(**options, forward=forward), jnp.float32)
            for forward in (False, True)
        ]
        synthesis, analysis = (
            jax.jit(jax.vmap(functools.partial(function, **options, spin=0, nside=None), (0, None)))
            for function in (spherical.inverse_transform_jax, spherical.forward_transform_jax)
        )
        full = with_negative_orders(np.asarray(random_s2(L, SPHERE_MAPS).coeffs))
        f = synthesis(jnp.asarray(full), kernels[0])
        there, back = (analysis, f, kernels[1]), (synthesis, jnp.asarray(full), kernels[0])
        function, *arguments = there if direction == "analysis" else back
        check(analysis(f, kernels[1]), full, 2e-5)
        name = {"implementation": "s2fft, precomputed", "package": "s2fft"}
        time_jaxlab(benchmark, function, *arguments, **name, **self.options(direction, L))

    def test_e3nn(self, benchmark, direction, L):
        e3nn = pytest.importorskip("e3nn_jax")
        irreps = e3nn.s2_irreps(L - 1)

        def synthesis(coeffs):
            array = e3nn.IrrepsArray(irreps, coeffs)
            return e3nn.to_s2grid(array, 2 * L, 2 * L - 1, quadrature="soft").grid_values

        def analysis(values):
            signal = e3nn.SphericalSignal(values, "soft", p_val=1, p_arg=-1)
            return e3nn.from_s2grid(signal, irreps).array

        rng = np.random.default_rng(0)
        coeffs = jnp.asarray(rng.standard_normal((SPHERE_MAPS, L * L)), jnp.float32)
        f = jax.jit(synthesis)(coeffs)
        check(jax.jit(analysis)(f), coeffs, 2e-5)
        there, back = (analysis, f), (synthesis, coeffs)
        name = {"implementation": "e3nn-jax", "package": "e3nn-jax"}
        function, argument = there if direction == "analysis" else back
        time_jaxlab(benchmark, function, argument, **name, **self.options(direction, L))


class TestTables:
    """Setting up what the transforms of the rotation group need, in float64 on the host."""

    @pytest.mark.parametrize("L", [16, 30, 64])
    def test_jaxlab(self, benchmark, L):
        def make():
            table_module._so3_table.cache_clear()
            return jax.block_until_ready(make_so3_tables(L, L).d)

        group, workload = f"spherical/SO(3) tables L={L}", "analysis and synthesis share them"
        options = {"group": group, "workload": workload, "rounds": 5}
        time_peer(benchmark, make, implementation="jaxlab", **options)

    @pytest.mark.parametrize("L", [16, 30])
    def test_s2fft(self, benchmark, L):
        pytest.importorskip("s2fft")
        from s2fft.precompute_transforms.construct import wigner_kernel

        def make():
            return [wigner_kernel(L, L, True, "dh", forward=forward) for forward in (False, True)]

        name = {"implementation": "s2fft, NumPy", "package": "s2fft", "rounds": 5}
        time_peer(benchmark, make, group=f"spherical/SO(3) tables L={L}", **name)


class TestTwiceTheBandwidth:
    """Transforms of as many maps with twice as many degrees: at most 20 times the time."""

    @pytest.mark.parametrize("L", [32, 16])
    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_jaxlab(self, benchmark, direction, L):
        made = make_so3_tables(L, L)
        F = random_so3(L, GROUP_MAPS)
        there, back = (so3_analysis, so3_synthesis(F, made)), (so3_synthesis, F)
        function, argument = there if direction == "analysis" else back
        smaller = {"implementation": "itself at L=16", "target": 20.0}
        time_jaxlab(
            benchmark,
            function,
            argument,
            made,
            group=f"spherical/SO(3) {direction} at twice the bandwidth",
            workload=f"{GROUP_MAPS} maps, L=32",
            **(smaller if L == 16 else {}),
        )


@dataclasses.dataclass
class Training:
    """A network for the segmentation of digits, and a batch."""

    cfg: object
    state: object
    batch: dict
    tables: object

    def step(self, state, batch, tables):
        def loss_fn(params, model_state, batch, key):
            logits, _ = apply_s2cnn(params, (), batch["x"], tables, self.cfg, train=True)
            return pixel_cross_entropy(logits, batch["labels"]), (model_state, {})

        return make_train_step(loss_fn, optax.adam(1e-3))(state, batch)


def training(name="s2cnn_39k", batch=BATCH, scale=1, **options):
    """A preset, with its bandwidths scaled and ``options`` of its own, at the start."""
    preset = S2CNN_PRESETS[name]
    cfg = dataclasses.replace(
        preset,
        bandwidth=scale * preset.bandwidth,
        bandlimits=tuple(scale * L for L in preset.bandlimits),
        **options,
    )
    rng, size = np.random.default_rng(0), 2 * cfg.bandwidth
    x = rng.standard_normal((batch, 1, size, size)).astype(np.float32)
    labels = rng.integers(0, cfg.num_classes, (batch, size, size)).astype(np.int32)
    params, _ = init_s2cnn(jax.random.key(0), cfg)
    state = create_train_state(params, optax.adam(1e-3), key=jax.random.key(1))
    data = {"x": jnp.asarray(x), "labels": jnp.asarray(labels)}
    return Training(cfg, state, data, make_s2cnn_tables(cfg))


class TestTrainingStep:
    """s2cnn_39k at bandwidth 10, 32 images: forward, backward, Adam."""

    group = "spherical/training step"

    def test_jaxlab(self, benchmark):
        given = training()
        arguments = (given.state, given.batch, given.tables)
        workload = f"s2cnn_39k, b=10, {BATCH} images"
        time_jaxlab(benchmark, given.step, *arguments, group=self.group, workload=workload)

    def test_torch(self, benchmark):
        torch = pytest.importorskip("torch")
        from tests.benchmarks.spherical_torch import Segmentation

        given = training()
        network = Segmentation(given.cfg, given.state.params)
        x = torch.from_numpy(np.array(given.batch["x"]))
        labels = torch.from_numpy(np.array(given.batch["labels"], np.int64))
        logits, _ = apply_s2cnn(
            given.state.params, (), given.batch["x"], given.tables, given.cfg, train=False
        )
        check(network(x).detach().numpy(), np.moveaxis(np.asarray(logits), -1, 1), 1e-5)
        time_peer(
            benchmark,
            lambda: network.step(x, labels),
            group=self.group,
            implementation="PyTorch, degree by degree as published",
            package="torch",
            target=1 / 30,
            rounds=5,
        )

    @pytest.mark.parametrize("larger", [True, False], ids=["twice", "once"])
    @pytest.mark.parametrize("size", ["batch", "bandwidth"])
    def test_doubled(self, benchmark, size, larger):
        given = training(
            **({} if not larger else {"batch": 64} if size == "batch" else {"scale": 2})
        )
        most = 2.2 if size == "batch" else 20.0
        once = {"implementation": f"itself at half the {size}", "target": most}
        time_jaxlab(
            benchmark,
            given.step,
            given.state,
            given.batch,
            given.tables,
            group=f"spherical/training step at twice the {size}",
            workload="s2cnn_39k, " + ("b=10, 64 images" if size == "batch" else "b=20, 32 images"),
            rounds=5,
            **({} if larger else once),
        )
