"""Kernels in tiles: equal to those without, on any number of devices, after any kill."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxlab.ntk.batching import batched
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.types import Kernels

ROOT = Path(__file__).resolve().parents[2]
INPUTS, WIDTH, OUTPUTS = 4, 6, 3


def draw(n, m):
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(INPUTS, WIDTH)), "v": rng.normal(size=(WIDTH, OUTPUTS))}
    return rng.normal(size=(n, INPUTS)), rng.normal(size=(m, INPUTS)), params


def dense(x1, x2, params):
    """A kernel ``[n, m, 3, 3]`` of its own: features ``[n, 3, 2]`` and their products."""
    h1, h2 = (jnp.tanh(x @ params["w"]).reshape(-1, 3, 2) for x in (x1, x2))
    return jnp.einsum("noh,mph->nmop", h1, h2)


def dense_expected(x1, x2, params):
    h1, h2 = (np.tanh(x @ params["w"]).reshape(-1, 3, 2) for x in (x1, x2))
    return np.einsum("noh,mph->nmop", h1, h2)


def network(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


def network_expected(x1, x2, params):
    """NTK of ``network``, by hand."""

    def by_parameters(x):
        h = np.tanh(x @ params["w"])
        inner = np.einsum("ni,nh,ho->noih", x, 1 - h**2, params["v"])
        outer = np.einsum("nh,op->nohp", h, np.eye(OUTPUTS))
        flat = (len(x), OUTPUTS, -1)
        return np.concatenate([inner.reshape(flat), outer.reshape(flat)], axis=-1)

    return np.einsum("noz,mpz->nmop", by_parameters(x1), by_parameters(x2))


def assert_equal(actual, expected, rtol=1e-12):
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    atol = rtol * np.max(np.abs(expected), initial=0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def mirrored(kernel):
    return np.transpose(kernel, (1, 0, 3, 2))


def mesh_of(devices, axis="data"):
    return jax.make_mesh((len(devices),), (axis,), axis_types=(AxisType.Auto,), devices=devices)


# --- Equal to the kernel without tiles -----------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m", "size", "store"),
    [
        (7, 5, 3, "device"),
        (2, 9, 4, "device"),
        (5, 0, 2, "device"),
        (6, 4, 2, "host"),
        (3, 2, 8, "host"),
        (0, 3, 2, "host"),
    ],
)
def test_two_batches(x64, n, m, size, store):
    x1, x2, params = draw(n, m)
    actual = batched(dense, size, store=store)(x1, x2, params)
    assert_equal(actual, dense_expected(x1, x2, params))


@pytest.mark.parametrize(
    ("n", "size", "store"),
    [
        (7, 2, "device"),
        (6, 2, "device"),
        (1, 2, "device"),
        (0, 2, "device"),
        (7, 2, "host"),
        (3, 8, "host"),
        (0, 2, "host"),
    ],
)
def test_one_batch(x64, n, size, store):
    x, _, params = draw(n, 0)
    actual = batched(dense, size, store=store)(x, None, params)
    assert_equal(actual, dense_expected(x, x, params))
    np.testing.assert_array_equal(actual, mirrored(actual))


@pytest.mark.parametrize("implementation", ["jacobian", "vector_products", "structured"])
def test_neural_tangent_kernel(x64, devices, implementation):
    x, x2, params = draw(5, 3)
    kernel = ntk_fn(network, vmap_axes=0, implementation=implementation)
    actual = batched(kernel, 2, mesh=mesh_of(devices[:2]))(x, None, params)
    assert_equal(actual, network_expected(x, x, params))
    actual = batched(kernel, 2, store="host")(x, x2, params)
    assert_equal(actual, np.asarray(jax.jit(kernel)(x, x2, params)))


AXES = {  # trace_axes, diagonal_axes: from outputs [n, 2, 3]
    "nmaAbB->nmabB": ((), (1,)),
    "nmaAbB->nmaAb": ((), (-1,)),
    "nmaAbB->nmab": ((), (1, 2)),
    "nmaabB->nmb": ((1,), (2,)),
    "nmaAbb->nma": ((-1,), (1,)),
    "nmaabB->nmbB": ((1,), ()),
}


def zipped(subscripts):
    """Kernel of outputs ``[n, 2, 3]``, with the shared axes that ``subscripts`` give it."""
    left, right = subscripts.split("->")
    a, b = left[2::2]
    big_a = "a" if "A" not in right else "A"
    big_b = "b" if "B" not in right else "B"

    def kernel(x1, x2, params, numpy=jnp):
        h1, h2 = (numpy.tanh(x @ params["w"]).reshape(-1, 2, 3) for x in (x1, x2))
        return numpy.einsum(f"n{a}{b},m{big_a}{big_b}->{right}", h1, h2)

    return kernel


@pytest.mark.parametrize("subscripts", AXES)
def test_mirror_image_with_any_axes(x64, subscripts):
    x, _, params = draw(5, 0)
    trace, diagonal = AXES[subscripts]
    kernel = zipped(subscripts)
    expected = kernel(x, x, params, np)
    for store in ("device", "host"):
        tiled = batched(kernel, 3, trace_axes=trace, diagonal_axes=diagonal, store=store)
        assert_equal(tiled(x, None, params), expected)


@pytest.mark.parametrize("store", ["device", "host"])
def test_trees_of_inputs_and_kernels(x64, store):
    """Inputs with a key for each example; both kernels of two outputs."""
    x, x2, params = draw(5, 3)
    shift = lambda key: (jax.random.key_data(key) % 7).astype(x.dtype) @ np.ones((2, INPUTS))  # noqa: E731
    keys = jax.random.split(jax.random.key(0), 8)
    noisy = [x + shift(keys[:5]), x2 + shift(keys[5:])]

    def kernels(x1, x2, params):
        x1, x2 = (x["x"] + shift(x["key"]) for x in (x1, x2))
        full = dense(x1, x2, params)
        return Kernels(nngp={"all": full, "first": full[:, :, 0, 0]}, ntk=None)

    tiled = batched(kernels, 2, store=store)
    one, two = {"x": x, "key": keys[:5]}, {"x": x2, "key": keys[5:]}
    for second, other in ((None, noisy[0]), (two, noisy[1])):
        actual = tiled(one, second, params)
        assert isinstance(actual, Kernels)
        assert actual.ntk is None
        expected = dense_expected(noisy[0], other, params)
        assert_equal(actual.nngp["all"], expected)
        assert_equal(actual.nngp["first"], expected[:, :, 0, 0])


@pytest.mark.parametrize("store", ["device", "host"])
def test_one_nan_stays_in_its_row_and_column(x64, store):
    x, x2, params = draw(7, 5)
    clean = dense_expected(x, x, params)
    x[6] = np.nan  # the example that padding repeats
    actual = np.asarray(batched(dense, 3, store=store)(x, None, params))
    assert np.isnan(actual[6]).all()
    assert np.isnan(actual[:, 6]).all()
    assert_equal(actual[:6, :6], clean[:6, :6])
    actual = np.asarray(batched(dense, 3, store=store)(x, x2, params))
    assert_equal(actual[:6], dense_expected(x, x2, params)[:6])
    assert np.isnan(actual[6]).all()


def test_bfloat16_kernel_keeps_its_dtype(tmp_path):
    x, _, _ = draw(5, 0)

    def half(x1, x2, params):
        return (x1 @ x2.T).astype(jnp.bfloat16)

    expected = batched(half, 2)(x, None, 0.0)
    for _ in range(2):  # computed, then read
        actual = batched(half, 2, store="host", resume_path=tmp_path)(x, None, 0.0)
        assert actual.dtype == jnp.bfloat16
        np.testing.assert_array_equal(actual, expected)


# --- Work and memory -----------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "tiles"), [(3, 1), (12, 3), (16, 4)])
def test_one_tile_of_each_mirrored_pair(n, tiles):
    x, _, params = draw(n, 0)
    calls = []
    kernel = batched(dense, 4, store="host", progress=lambda *call: calls.append(call))
    kernel(x, None, params)
    total = tiles * (tiles + 1) // 2
    assert calls == [(done, total) for done in range(1, total + 1)]
    calls.clear()
    kernel(x, x, params)
    assert calls == [(done, tiles**2) for done in range(1, tiles**2 + 1)]


@pytest.mark.parametrize("store", ["device", "host"])
def test_one_function_for_all_tiles(store):
    traces = []

    def kernel(x1, x2, params):
        traces.append(x1.shape)
        return x1 @ x2.T

    x, _, _ = draw(9, 0)
    tiled = batched(kernel, 2, store=store)
    for _ in range(2):
        tiled(x, None, 0.0)
    # the kernel's shape is read off one example and two; then the tile is traced
    assert traces == [(1, INPUTS), (2, INPUTS)]


def test_derivatives_do_not_keep_what_tiles_need():
    size, width = 4, 256

    def kernel(x1, x2, w):
        return jnp.sum(jnp.exp(jnp.tanh(x1 @ w)[:, None] * jnp.sin(x2 @ w)), -1)

    def temporary(n):
        x = jnp.ones((n, INPUTS))
        loss = jax.jit(jax.grad(lambda w: batched(kernel, size)(x, x, w).sum()))
        compiled = loss.lower(jnp.ones((INPUTS, width))).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    more = temporary(64) - temporary(16)
    assert more < 0.1 * 4 * (64**2 - 16**2) * width


# --- Transformations -----------------------------------------------------------------------------


def weighted_gradient(kernel, x1, x2, params):
    """Derivatives, in inputs and parameters, of a weighted sum of the kernel's entries."""

    def loss(x, params):
        values = kernel(x, x2, params)
        return jnp.sum(jnp.cos(jnp.arange(values.size)).reshape(values.shape) * values)

    return jax.tree.leaves(jax.jit(jax.grad(loss, argnums=(0, 1)))(x1, params))


@pytest.mark.parametrize("second", [False, True])
def test_derivatives(x64, second):
    x1, x2, params = draw(5, 3)
    x2 = x2 if second else None
    untiled = lambda x1, x2, params: dense(x1, x1 if x2 is None else x2, params)  # noqa: E731
    expected = weighted_gradient(untiled, x1, x2, params)
    actual = weighted_gradient(batched(dense, 2), x1, x2, params)
    for one, two in zip(actual, expected, strict=True):
        assert_equal(one, two, rtol=1e-11)


def test_padding_does_not_spoil_derivatives(x64):
    """Of norms, whose derivative at zero is NaN: zeros would be no padding."""

    def kernel(x1, x2, w):
        h1, h2 = (w * x / jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (x1, x2))
        return h1 @ h2.T

    x, _, _ = draw(5, 0)
    actual, _ = weighted_gradient(batched(kernel, 3), x, x[:4], 2.0)
    expected, _ = weighted_gradient(kernel, x, x[:4], 2.0)
    assert_equal(actual, expected, rtol=1e-11)


def test_maps_over_parameters(x64):
    x, _, params = draw(5, 0)
    ensemble = jax.tree.map(lambda leaf: np.stack([leaf, 2 * leaf]), params)
    actual = jax.vmap(batched(dense, 2), in_axes=(None, None, 0))(x, None, ensemble)
    for k in (1, 2):
        assert_equal(actual[k - 1], dense_expected(x, x, {"w": k * params["w"]}))


# --- Devices -------------------------------------------------------------------------------------


def variant(name, devices):
    if name == "shard_map":
        return {"mesh": mesh_of(devices)}
    return {"pmap_devices": devices, "axis_name": "replica"}


@pytest.mark.parametrize(
    ("name", "store", "n", "size"),
    [
        ("shard_map", "device", 21, 2),
        ("shard_map", "host", 21, 2),
        ("shard_map", "host", 5, 3),
        ("pmap", "device", 21, 2),
        ("pmap", "host", 21, 2),
    ],
)
def test_many_devices(x64, devices, name, store, n, size):
    x1, x2, params = draw(n, 5)
    tiled = batched(dense, size, store=store, **variant(name, devices))
    assert_equal(tiled(x1, x2, params), dense_expected(x1, x2, params))
    actual = tiled(x1, None, params)
    assert_equal(actual, dense_expected(x1, x1, params))
    np.testing.assert_array_equal(actual, mirrored(actual))


@pytest.mark.parametrize(
    ("name", "second"), [("shard_map", False), ("shard_map", True), ("pmap", True)]
)
def test_derivatives_on_many_devices(x64, devices, name, second):
    x1, x2, params = draw(7, 3)
    x2 = x2 if second else None
    untiled = lambda x1, x2, params: dense(x1, x1 if x2 is None else x2, params)  # noqa: E731
    expected = weighted_gradient(untiled, x1, x2, params)
    tiled = batched(dense, 2, **variant(name, devices[:2]))
    for one, two in zip(weighted_gradient(tiled, x1, x2, params), expected, strict=True):
        assert_equal(one, two, rtol=1e-11)


def test_rows_lie_on_their_devices(devices):
    x1, x2, params = draw(32, 6)
    tiled = batched(dense, 2, mesh=mesh_of(devices))
    compiled = tiled.lower(x1, x2, params).compile()
    shards = compiled(x1, x2, params).addressable_shards
    assert {shard.device: shard.data.shape for shard in shards} == dict.fromkeys(
        devices, (4, 6, 3, 3)
    )
    text = compiled.as_text()
    assert not any(word in text for word in ("all-gather", "all-reduce", "all-to-all"))


def test_work_of_the_devices_is_even(devices):
    x, _, params = draw(32, 0)
    calls = []
    options = {"store": "host", "progress": lambda *call: calls.append(call)}
    batched(dense, 1, mesh=mesh_of(devices), **options)(x, None, params)
    pairs = 32 * 33 // 2
    assert calls[-1] == (pairs, pairs)
    assert len(calls) == pairs / 8


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_within_set_mesh(x64, devices, kind):
    mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,), devices=devices[:4])
    x, _, params = draw(13, 3)
    tiled = batched(dense, 2, mesh=mesh)
    with jax.set_mesh(mesh):
        found = tiled(x, None, params), jax.jit(lambda x: tiled(x, None, params))(x)
    for kernel in found:
        assert_equal(kernel, dense_expected(x, x, params))


@pytest.mark.parametrize("options", [{}, {"mesh": True}, {"store": "host"}])
def test_examples_split_along_an_explicit_axis(x64, devices, options):
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Explicit,), devices=devices[:4])
    options = options | {"mesh": mesh} if "mesh" in options else options
    x1, x2, params = draw(8, 5)
    with jax.set_mesh(mesh):
        split = jax.device_put(x1, NamedSharding(mesh, PartitionSpec("data")))
        tiled = batched(dense, 3, **options)
        found = tiled(split, x2, params), tiled(split, None, params)
    assert_equal(found[0], dense_expected(x1, x2, params))
    assert_equal(found[1], dense_expected(x1, x1, params))


@pytest.mark.parametrize("store", ["device", "host"])
@pytest.mark.parametrize("axes", [(None, "data"), ("data", None)], ids=["columns", "rows"])
def test_parameters_split_along_an_explicit_axis(x64, devices, store, axes):
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Explicit,), devices=devices[:2])
    x1, x2, params = draw(5, 3)

    def split(leaf):
        fits = leaf.ndim == 2 and leaf.shape[axes.index("data")] % 2 == 0
        return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec(*axes if fits else ())))

    with jax.set_mesh(mesh):
        placed = jax.tree.map(lambda leaf: split(jnp.asarray(leaf)), params)
        assert any("data" in jax.typeof(leaf).sharding.spec for leaf in jax.tree.leaves(placed))
        got = batched(dense, 2, mesh=mesh, store=store)(x1, x2, placed)
    assert_equal(got, dense_expected(x1, x2, params))


def test_one_axis_of_a_mesh_with_two(x64, devices):
    types = (AxisType.Auto,) * 2
    mesh = jax.make_mesh((2, 4), ("model", "rows"), axis_types=types, devices=devices)
    x1, x2, params = draw(9, 3)
    tiled = batched(dense, 2, mesh=mesh, axis_name="rows")
    assert_equal(tiled(x1, x2, params), dense_expected(x1, x2, params))


def test_inside_a_shard_map_of_the_caller(x64, devices):
    x1, x2, params = draw(16, 5)
    over, whole = PartitionSpec("data"), PartitionSpec()
    sharded = jax.shard_map(
        batched(dense, 3),
        mesh=mesh_of(devices[:4]),
        in_specs=(over, whole, whole),
        out_specs=over,
    )
    assert_equal(jax.jit(sharded)(x1, x2, params), dense_expected(x1, x2, params))


# --- Resume --------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import jax
jax.config.update("jax_enable_x64", True)
from tests.ntk.test_batching import draw, dense
from jaxlab.ntk.batching import batched

def kill(done, total):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)

x, _, params = draw(9, 0)
batched(dense, 2, store="host", progress=kill, resume_path=sys.argv[1])(x, None, params)
"""


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_killed_and_resumed_run_is_bitwise_that_without_interruption(x64, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], env=environment, cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    kept = {name: (tmp_path / name).stat().st_mtime_ns for name in files_in(tmp_path)}
    assert len(kept) == 4

    x, _, params = draw(9, 0)
    calls = []
    resumed = batched(
        dense,
        2,
        store="host",
        resume_path=tmp_path,
        progress=lambda *call: calls.append(call),
    )(x, None, params)
    assert calls == [(done, 15) for done in range(1, 16)]
    for name, time in kept.items():
        assert (tmp_path / name).stat().st_mtime_ns == time, "a finished tile was computed again"
    whole = batched(dense, 2, store="host")(x, None, params)
    np.testing.assert_array_equal(resumed, whole)


class Interrupted(Exception):
    pass


class Resume(NamedTuple):
    """A run that stopped after three tiles of six."""

    folder: Path
    x: np.ndarray
    params: dict
    whole: np.ndarray


@pytest.fixture
def stopped(tmp_path):
    x, _, params = draw(6, 0)
    whole = batched(dense, 2, store="host")(x, None, params)

    def stop(done, total):
        if done == 3:
            raise Interrupted

    kernel = batched(dense, 2, store="host", resume_path=tmp_path, progress=stop)
    with pytest.raises(Interrupted):
        kernel(x, None, params)
    return Resume(tmp_path, x, params, whole)


def resume(run, kernel=None, size=2, **changes):
    arguments = {"x1": run.x, "x2": None, "params": run.params} | changes
    kernel = kernel or dense
    return batched(kernel, size, store="host", resume_path=run.folder)(*arguments.values())


def test_damaged_tiles_are_computed_again(stopped):
    first, second, third = (stopped.folder / name for name in files_in(stopped.folder))
    content = first.read_bytes()
    first.write_bytes(content[: len(content) // 2])  # cut short among the numbers
    second.write_bytes(second.read_bytes()[:20])  # and in the header
    changed = bytearray(third.read_bytes())
    changed[-3] ^= 1
    third.write_bytes(changed)
    (stopped.folder / ".ntk-tiles-00000005.1").write_bytes(content)  # not finished
    (stopped.folder / "notes.txt").write_text("of the user")
    np.testing.assert_array_equal(resume(stopped), stopped.whole)
    assert first.read_bytes() == content


def test_tiles_are_read_and_not_computed(stopped):
    resume(stopped)
    name = files_in(stopped.folder)[0]
    file = stopped.folder / name
    line, _, content = file.read_bytes().partition(b"\n")
    numbers = np.frombuffer(content, np.float32) + 1
    header = json.loads(line) | {"digest": hashlib.sha256(numbers.tobytes()).hexdigest()}
    file.write_bytes(json.dumps(header).encode() + b"\n" + numbers.tobytes())
    np.testing.assert_allclose(resume(stopped)[:2, :2], stopped.whole[:2, :2] + 1, rtol=1e-5)


def test_stale_tiles_are_refused(stopped, devices):
    def scaled(x1, x2, params):
        return 2.0 * dense(x1, x2, params)

    constant = np.ones(3)

    def closing_over(x1, x2, params):
        return constant * dense(x1, x2, params)

    before = {name: (stopped.folder / name).read_bytes() for name in files_in(stopped.folder)}
    moved = stopped.x + np.float32(1e-6)
    for changes, named in [
        ({"x1": moved}, "x1"),
        ({"x2": stopped.x}, "sizes, x2"),
        ({"params": jax.tree.map(lambda w: 1.0001 * w, stopped.params)}, "params"),
        ({"size": 3}, "sizes"),
        ({"kernel": scaled}, "kernel function"),
    ]:
        with pytest.raises(ValueError, match=rf"resume_path: .*different [a-z0-9, ]*{named}"):
            resume(stopped, **changes)
    with pytest.raises(ValueError, match="sizes"):
        batched(dense, 2, mesh=mesh_of(devices), store="host", resume_path=stopped.folder)(
            stopped.x, None, stopped.params
        )
    after = {name: (stopped.folder / name).read_bytes() for name in files_in(stopped.folder)}
    assert after == before
    np.testing.assert_array_equal(resume(stopped), stopped.whole)

    folder = stopped.folder / "constants"
    run = stopped._replace(folder=folder)
    resume(run, closing_over)
    resume(run, closing_over)
    constant = 2 * constant
    with pytest.raises(ValueError, match="different kernel function,"):
        resume(run, closing_over)


@pytest.mark.parametrize("name", ["shard_map", "pmap"])
def test_resume_on_many_devices(devices, tmp_path, name):
    x1, x2, params = draw(21, 5)
    options = {"store": "host", "resume_path": tmp_path, **variant(name, devices)}

    def stop(done, total):
        if done >= 8:
            raise Interrupted

    with pytest.raises(Interrupted):
        batched(dense, 2, progress=stop, **options)(x1, x2, params)
    assert len(files_in(tmp_path)) == 1
    resumed = batched(dense, 2, **options)(x1, x2, params)
    options.pop("resume_path")
    whole = batched(dense, 2, **options)(x1, x2, params)
    np.testing.assert_array_equal(resumed, whole)


# --- Refused -------------------------------------------------------------------------------------


def linear(x1, x2, params):
    return x1 @ x2.T


@pytest.mark.parametrize(
    ("size", "options", "named"),
    [
        (0, {}, "batch_size: expected an integer >= 1"),
        (2.0, {}, "batch_size"),
        (2, {"store": "hots"}, "did you mean 'host'"),
        (2, {"progress": print}, "progress: expected None unless store='host'"),
        (2, {"resume_path": "tiles"}, "resume_path: expected None unless store='host'"),
        (2, {"pmap_devices": []}, "pmap_devices: expected at least one device"),
    ],
)
def test_refused_options(bad_input, size, options, named):
    with pytest.raises(ValueError, match=named):
        batched(linear, size, **options)


def test_refused_devices(bad_input, devices):
    with pytest.raises(ValueError, match="axis_name: expected one of 'rows'"):
        batched(linear, 2, mesh=mesh_of(devices, "rows"))
    with pytest.raises(ValueError, match="pmap_devices: expected None where a mesh"):
        batched(linear, 2, mesh=mesh_of(devices), pmap_devices=devices)
    with pytest.raises(ValueError, match="kernel_fn: expected a function"):
        batched(None, 2)


@pytest.mark.parametrize("store", ["device", "host"])
@pytest.mark.parametrize(
    ("x1", "x2", "named"),
    [
        ((), None, "x1: expected at least one array"),
        (np.float32(1), None, "x1: expected arrays with one leading axis"),
        ({"a": np.ones((3, 2)), "b": np.ones((2, 2))}, None, "x1: expected arrays with one lead"),
        (np.ones((3, 2)), {"a": np.ones((3, 2)), "b": np.float32(1)}, "x2: expected arrays"),
    ],
)
def test_refused_inputs(bad_input, x1, x2, named, store):
    with pytest.raises(ValueError, match=named):
        batched(linear, 2, store=store)(x1, x2, 0.0)


@pytest.mark.parametrize(
    "kernel",
    [
        lambda x1, x2, params: (x1.T @ x1) / len(x1),  # examples traced: [o, o] = [3, 3]
        lambda x1, x2, params: x1[:, :, None] * x1[:, None],  # on the diagonal: [n, o, o]
        lambda x1, x2, params: (x1 @ x2.T).sum(),
        lambda x1, x2, params: (x1 @ x2.T)[0],
    ],
)
def test_refused_kernels_without_rows_and_columns(kernel):
    x = jnp.ones((3, 3))  # even where all sizes agree
    with pytest.raises(ValueError, match="traced or diagonal along the examples"):
        batched(kernel, 3)(x, None, 0.0)


def test_refused_axes(bad_input):
    x, _, params = draw(5, 0)
    kernel = zipped("nmaAbB->nmaAb")
    with pytest.raises(ValueError, match="diagonal_axes: expected the axes that appear once"):
        batched(kernel, 2)(x, None, params)
    assert batched(kernel, 2)(x, x, params).shape == (5, 5, 2, 2, 3), "nothing is mirrored here"
    uneven = lambda x1, x2, params: jnp.zeros((len(x1), len(x2), 2, 3))  # noqa: E731
    with pytest.raises(ValueError, match=r"diagonal_axes: .* shape \(2, 3\)"):
        batched(uneven, 2)(x, None, params)
    assert batched(uneven, 2, diagonal_axes=(1, 2))(x, None, params).shape == (5, 5, 2, 3)
    for axes, named in [
        ({"diagonal_axes": (0,)}, "diagonal_axes: expected axes of one example's output"),
        ({"diagonal_axes": (5,)}, "diagonal_axes: expected an axis of an output with 3 axes"),
        ({"diagonal_axes": (1, 1, 1)}, "diagonal_axes"),
        ({"diagonal_axes": 1}, "diagonal_axes: expected a tuple of axes, got 1"),
        ({"diagonal_axes": (1,), "trace_axes": (0,)}, "trace_axes: expected axes of one example"),
        ({"diagonal_axes": (1,), "trace_axes": (1,)}, "diagonal_axes: expected no axis"),
    ]:
        with pytest.raises(ValueError, match=named):
            batched(kernel, 2, **axes)(x, None, params)


def test_host_store_needs_values():
    x, _, params = draw(5, 0)
    tiled = batched(dense, 2, store="host")
    with pytest.raises(ValueError, match="params: expected values: inside jit, use store='device'"):
        jax.jit(lambda params: tiled(x, None, params))(params)


def test_resume_path_must_be_a_folder(tmp_path):
    file = tmp_path / "tiles"
    file.write_text("")
    x, _, params = draw(5, 0)
    with pytest.raises(ValueError, match="resume_path: expected the path of a folder"):
        batched(dense, 2, store="host", resume_path=file)(x, None, params)
