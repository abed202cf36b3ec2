"""A checkpoint gives back every bit, or says that it cannot."""

import resource
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxlab.training import (
    CheckpointError,
    checkpoint_path,
    checkpoint_steps,
    create_train_state,
    replicate,
    restore_checkpoint,
    save_checkpoint,
)
from tests.training.problem import assert_same, initial_state


def state_at(step, seed=0):
    state = initial_state()
    noise = jax.random.normal(jax.random.key(seed + step), state.params["out"].shape)
    params = {**state.params, "out": noise}
    return state.replace(step=jnp.int32(step), params=params)


def data_files(path):
    """The files that hold the arrays, largest first."""
    files = [file for file in path.rglob("*") if file.is_file() and "d" in file.parts[-2:-1]]
    return sorted(files, key=lambda file: -file.stat().st_size)


def damage(path, how):
    assert data_files(path)
    for file in data_files(path):
        content = bytearray(file.read_bytes())
        if how == "truncated":
            del content[len(content) // 2 :]
        elif how == "emptied":
            content.clear()
        else:
            content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))


def test_every_bit_comes_back(tmp_path):
    params = {
        "float": jnp.array([1.5, -0.0, jnp.inf, jnp.nan]),
        "half": jnp.arange(5, dtype=jnp.bfloat16) / 3,
        "nested": [jnp.zeros((0, 3)), (jnp.float32(2.5),), {}],
    }
    model_state = {
        "count": jnp.int32(3),
        "mask": jnp.array([True, False]),
        "spectrum": jnp.array([1 + 2j], jnp.complex64),
        "none": None,
        "a/b": jnp.ones(2, jnp.uint8),
    }
    key = jax.random.key(3, impl="rbg")
    state = create_train_state(params, optax.adam(0.1), key=key, model_state=model_state)
    path = save_checkpoint(tmp_path, state)
    like = create_train_state(
        jax.tree.map(jnp.zeros_like, params),
        optax.adam(0.1),
        key=jax.random.key(0, impl="rbg"),
        model_state=jax.tree.map(jnp.zeros_like, model_state),
    )
    restored = restore_checkpoint(tmp_path, like)
    assert_same(restored.state, state)
    assert restored.path == path
    assert restored.skipped == ()
    np.testing.assert_array_equal(
        jax.random.normal(restored.state.key, (3,)), jax.random.normal(key, (3,))
    )


def test_other_tools_can_read_it(tmp_path):
    path = save_checkpoint(tmp_path, state_at(3))
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    arrays = ocp.PyTreeCheckpointer().restore(path / "arrays")
    np.testing.assert_array_equal(arrays["params/out"], state_at(3).params["out"])


def test_arrays_come_back_where_they_were(tmp_path, devices):
    mesh = jax.make_mesh((8,), ("data",), devices=devices)
    spread = replicate(state_at(1), mesh)
    rows = jax.device_put(
        np.arange(16.0, dtype=np.float32), NamedSharding(mesh, PartitionSpec("data"))
    )
    spread = spread.replace(model_state={"rows": rows, "host": np.arange(3)})
    save_checkpoint(tmp_path, spread)
    found = restore_checkpoint(tmp_path, spread).state
    assert_same(found, spread)
    assert isinstance(found.model_state["host"], np.ndarray)
    for actual, expected in zip(jax.tree.leaves(found), jax.tree.leaves(spread), strict=True):
        if isinstance(expected, jax.Array):
            assert actual.sharding.is_equivalent_to(expected.sharding, expected.ndim)
    plain = state_at(2)
    save_checkpoint(tmp_path / "plain", plain)
    assert not restore_checkpoint(tmp_path / "plain", plain).state.params["out"].committed


def test_nothing_there_is_none(tmp_path):
    assert restore_checkpoint(tmp_path / "missing", state_at(0)) is None
    assert restore_checkpoint(tmp_path, state_at(0)) is None


def test_the_newest_are_kept(tmp_path):
    for step in (1, 3, 7, 20):
        save_checkpoint(tmp_path, state_at(step), keep=2)
    assert checkpoint_steps(tmp_path) == [7, 20]
    assert_same(restore_checkpoint(tmp_path, state_at(0)).state, state_at(20))


@pytest.mark.parametrize("how", ["truncated", "emptied", "flipped"])
def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, how):
    save_checkpoint(tmp_path, state_at(1))
    damage(save_checkpoint(tmp_path, state_at(2)), how)
    restored = restore_checkpoint(tmp_path, state_at(0))
    assert_same(restored.state, state_at(1))
    assert len(restored.skipped) == 1
    assert f"checkpoint {checkpoint_path(tmp_path, 2)} is unreadable" in restored.skipped[0]


def test_damaged_descriptions_or_missing_files_are_passed_over_too(tmp_path):
    save_checkpoint(tmp_path, state_at(1))
    leaves = save_checkpoint(tmp_path, state_at(2)) / "leaves.json"
    leaves.write_text(leaves.read_text()[:40])
    data_files(save_checkpoint(tmp_path, state_at(3)))[0].unlink()
    sums = save_checkpoint(tmp_path, state_at(6), keep=9) / "SHA256SUMS"
    sums.write_text("")
    leaves = save_checkpoint(tmp_path, state_at(7), keep=9) / "leaves.json"
    leaves.write_text(leaves.read_text().replace("float32", "float16"))
    checkpoint_path(tmp_path, 4).mkdir()
    checkpoint_path(tmp_path, 5).write_text("not a directory")
    restored = restore_checkpoint(tmp_path, state_at(0))
    assert_same(restored.state, state_at(1))
    assert all(
        f"{n} is unreadable" in line
        for n, line in zip((7, 6, 5, 4, 3, 2), restored.skipped, strict=True)
    )


def test_when_none_is_readable_it_is_an_error(tmp_path):
    for step in (1, 2):
        damage(save_checkpoint(tmp_path, state_at(step)), "truncated")
    with pytest.raises(CheckpointError, match=r"no readable checkpoint: .*00002.*00001.*to start"):
        restore_checkpoint(tmp_path, state_at(0))


def test_unfinished_writes_and_deletions_are_not_checkpoints(tmp_path):
    save_checkpoint(tmp_path, state_at(1))
    for name in (
        ".writing-step-00000002",
        ".writing-step-00000002.orbax-checkpoint-tmp",
        ".deleting-step-00000000",
    ):
        (tmp_path / name / "arrays").mkdir(parents=True)
    assert checkpoint_steps(tmp_path) == [1]
    restored = restore_checkpoint(tmp_path, state_at(0))
    assert (int(restored.state.step), restored.skipped) == (1, ())
    save_checkpoint(tmp_path, state_at(3))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_an_unreadable_newer_checkpoint_does_not_push_out_good_ones(tmp_path):
    save_checkpoint(tmp_path, state_at(1))
    damage(save_checkpoint(tmp_path, state_at(5)), "truncated")
    save_checkpoint(tmp_path, state_at(2), keep=1)
    assert checkpoint_steps(tmp_path) == [2, 5]
    assert_same(restore_checkpoint(tmp_path, state_at(0)).state, state_at(2))
    save_checkpoint(tmp_path, state_at(5, seed=9), keep=1)  # the run got there again
    assert checkpoint_steps(tmp_path) == [5]
    restored = restore_checkpoint(tmp_path, state_at(0))
    assert_same(restored.state, state_at(5, seed=9))
    assert restored.skipped == ()


# orbax's writer threads complain about the error too, after it was raised
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_is_a_clear_error_and_earlier_checkpoints_stay(tmp_path):
    save_checkpoint(tmp_path, state_at(1))
    big = state_at(2).replace(model_state=np.random.default_rng(0).normal(size=100_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(
            CheckpointError, match=r"step 2 could not be written to .*are there: 1\."
        ):
            save_checkpoint(tmp_path, big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint_steps(tmp_path) == [1]
    assert_same(restore_checkpoint(tmp_path, state_at(0)).state, state_at(1))
    # what the writer threads may still have written after the error goes with the next save
    save_checkpoint(tmp_path, state_at(2))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["step-00000001", "step-00000002"]


def test_an_unwritable_directory_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match=r"could not be written to .*file/.*: none"):
        save_checkpoint(tmp_path / "file" / "checkpoints", state_at(1))


@pytest.mark.usefixtures("bad_input")
def test_another_models_checkpoint_is_refused_by_name(tmp_path):
    save_checkpoint(tmp_path, state_at(1))
    state = state_at(0)
    wider = state.replace(params={**state.params, "out": jnp.zeros(9)})
    with pytest.raises(ValueError, match=r"params/out is float32\[8\] there and float32\[9\] here"):
        restore_checkpoint(tmp_path, wider)
    other = create_train_state(state.params, optax.sgd(0.1), key=state.key)
    with pytest.raises(ValueError, match=r"missing here.*\(and \d+ more\)"):
        restore_checkpoint(tmp_path, other)
    with pytest.raises(ValueError, match=r"key is key<threefry2x32> .* there and key<rbg>"):
        restore_checkpoint(tmp_path, state.replace(key=jax.random.key(0, impl="rbg")))


@pytest.mark.usefixtures("x64", "bad_input")
def test_64_bits_are_not_silently_halved(tmp_path):
    state = initial_state(dtype=jnp.float64)
    save_checkpoint(tmp_path, state)
    assert_same(restore_checkpoint(tmp_path, state).state, state)
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r"params/.*: expected float64 to be enabled"),
    ):
        restore_checkpoint(tmp_path, state)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("name", ["lr=[0.1]", "a*b", "a?b", "a\\b"])
def test_a_path_that_is_a_pattern_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"directory: expected a path without the characters"):
        save_checkpoint(tmp_path / name, state_at(0))
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"state: expected a scalar step.*pmap_replicate"):
        save_checkpoint(tmp_path, state_at(0).replace(step=jnp.zeros(8, jnp.int32)))
    with pytest.raises(ValueError, match="keep: expected an integer >= 1"):
        save_checkpoint(tmp_path, state_at(0), keep=0)
    twice = state_at(0).replace(model_state={"a/b": jnp.ones(1), "a": {"b": jnp.ones(1)}})
    with pytest.raises(ValueError, match="leaves with different names"):
        save_checkpoint(tmp_path, twice)
