"""Checkpoints that are either whole or not there.

A checkpoint is a directory ``step-XXXXXXXX`` with ``arrays/``, written by orbax, ``leaves.json``,
the shape and dtype of every leaf, and ``SHA256SUMS`` over all its files (``sha256sum -c`` reads
it). It is written under a hidden name and renamed when it is complete, so a process killed at any
moment leaves the earlier checkpoints and nothing that looks like a newer one. What the disk damaged
later is found by the checksums, and the checkpoint before it is used, with a message that says so.
"""

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jaxlab.checks import check_integer, require
from jaxlab.training.parallel import place
from jaxlab.training.state import TrainState

__all__ = [
    "CheckpointError",
    "Restored",
    "checkpoint_path",
    "checkpoint_steps",
    "require_single",
    "require_writable",
    "restore_checkpoint",
    "save_checkpoint",
]

_PREFIX = "step-"
_UNFINISHED, _DISCARDED = ".writing-", ".deleting-"
_SUMS = "SHA256SUMS"
_NONE, _UNREADABLE = -1, -2  # in place of a step


class CheckpointError(RuntimeError):
    """A checkpoint could not be written, or none of those there could be read."""


class Restored(NamedTuple):
    """What :func:`restore_checkpoint` found.

    Attributes:
        state: the restored state, placed on devices as the state it was compared with.
        path: the checkpoint it was read from.
        skipped: one line for each newer checkpoint that could not be read, and why; empty when all
            is well. Whoever restores must show them.
    """

    state: TrainState
    path: Path
    skipped: tuple[str, ...]


def save_checkpoint(directory: str | os.PathLike[str], state: TrainState, *, keep: int = 3) -> Path:
    """Write ``state`` to ``directory/step-XXXXXXXX`` and drop all but the ``keep`` newest.

    Newer checkpoints than this one, left by a run that was resumed from an earlier step because
    they could not be read, are not counted and stay until the run gets there. Each run needs a
    directory of its own. With several processes all must call this; process 0 writes.

    Args:
        directory: where the run keeps its checkpoints; made if missing.
        state: the state, held whole by every process (not sharded).
        keep: how many checkpoints to keep, this one included.

    Returns:
        The checkpoint's path.

    Raises:
        CheckpointError: if it cannot be written (full disk, no permission); earlier checkpoints
            are untouched then.
        ValueError: if ``keep`` is below 1, ``state.step`` is not a scalar, a leaf is sharded over
            processes, or the path has one of the characters ``*?[`` or a backslash.

    Cost: one copy of the state in host memory; time of hashing and of the disk.

    Example:
        >>> import tempfile, optax
        >>> from jaxlab.training import create_train_state
        >>> state = create_train_state(jnp.ones(2), optax.sgd(0.1), key=jax.random.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_checkpoint(folder, state).name
        'step-00000000'
    """
    check_integer("keep", keep, minimum=1)
    require_single(state)
    root = Path(directory).absolute()
    _require_plain("directory", root)
    arrays, leaves = _to_host(state)
    step = int(state.step)
    target = checkpoint_path(root, step)
    failure: Exception | None = None
    if jax.process_index() == 0:
        try:
            root.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(root)
            _write(target, arrays, leaves)
            for old in [known for known in checkpoint_steps(root) if known <= step][:-keep]:
                _discard(checkpoint_path(root, old))
        except Exception as error:  # orbax and its storage layer raise errors of many types
            failure = error
            _remove_leftovers(root)
    if _on_any_process(failure is not None):
        reason = "process 0 failed" if failure is None else _reason(failure)
        kept = ", ".join(map(str, checkpoint_steps(root))) or "none"
        raise CheckpointError(
            f"the checkpoint of step {step} could not be written to {root}: {reason}. "
            f"Steps whose checkpoints are there: {kept}."
        ) from failure
    return target


def restore_checkpoint(directory: str | os.PathLike[str], like: TrainState) -> Restored | None:
    """The newest readable checkpoint in ``directory``; ``None`` if there is none at all.

    With several processes all must call this.

    Args:
        directory: where :func:`save_checkpoint` wrote.
        like: a state of the same structure, shapes and dtypes, whose values do not matter: the
            initial state of the run. The result is placed on devices as it is.

    Returns:
        A :class:`Restored`, bit for bit the state that was saved, or ``None``.

    Raises:
        CheckpointError: if there are checkpoints and not one is readable; on every process, if they
            did not all choose the same one.
        ValueError: if the newest readable one belongs to another model or optimizer, naming the
            leaves that differ; or if ``like`` has 64-bit leaves and jax makes none now.

    Cost: time of the disk and of hashing.

    Example:
        >>> import tempfile, optax
        >>> from jaxlab.training import create_train_state
        >>> state = create_train_state(jnp.ones(2), optax.sgd(0.1), key=jax.random.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(restore_checkpoint(folder, state))
        ...     _ = save_checkpoint(folder, state.replace(params=jnp.array([2.0, 3.0])))
        ...     restore_checkpoint(folder, state).state.params.tolist()
        None
        [2.0, 3.0]
    """
    root = Path(directory).absolute()
    skipped: list[str] = []
    found: tuple[int, dict[str, Any], dict[str, Any]] | None = None
    for step in reversed(checkpoint_steps(root)):
        path = checkpoint_path(root, step)
        try:
            found = (step, *_read(path))
            break
        except Exception as error:  # whatever damage does to the reader, the next one may be whole
            skipped.append(f"checkpoint {path} is unreadable: {_reason(error)}")
    # before anything is raised, so that no process waits for another
    _require_same_on_all(found[0] if found is not None else _UNREADABLE if skipped else _NONE)
    if found is not None:
        step, arrays, leaves = found
        path = checkpoint_path(root, step)
        return Restored(_from_host(arrays, leaves, like, path), path, tuple(skipped))
    if skipped:
        raise CheckpointError(
            "no readable checkpoint: " + "; ".join(skipped) + f". Move {root} away to start anew."
        )
    return None


def checkpoint_steps(directory: str | os.PathLike[str]) -> list[int]:
    """The steps of the complete checkpoints in ``directory``, ascending.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for step in (20, 10):
        ...         checkpoint_path(folder, step).mkdir()
        ...     checkpoint_steps(folder)
        [10, 20]
    """
    root = Path(directory)
    names = [entry.name.removeprefix(_PREFIX) for entry in root.glob(f"{_PREFIX}*")]
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint_path(directory: str | os.PathLike[str], step: int) -> Path:
    """Where the checkpoint of ``step`` is, or would be.

    Example:
        >>> checkpoint_path("checkpoints", 500).name
        'step-00000500'
    """
    return Path(directory).absolute() / f"{_PREFIX}{step:08d}"


def require_single(state: TrainState) -> None:
    """Refuse a state with a leading axis of replicas."""
    expected = "a scalar step; undo pmap_replicate first"
    require(np.shape(state.step) == (), "state", state.step, expected)


def require_writable(directory: str | os.PathLike[str]) -> None:
    """Make the run's ``checkpoint_dir`` if needed and try to write in it.

    Raises:
        CheckpointError: if that fails, with the system's reason.
        ValueError: as :func:`save_checkpoint`, for the characters of the path.
    """
    _require_plain("checkpoint_dir", Path(directory).absolute())
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise CheckpointError(
            f"checkpoints cannot be written to {directory}: {_reason(error)}"
        ) from error


def _require_plain(argument: str, directory: Path) -> None:
    """Refuse a path that orbax takes for a pattern: it writes what it cannot find again."""
    path = directory.as_posix()
    plain = glob.escape(path) == path and "\\" not in path
    require(plain, argument, path, "a path without the characters * ? [ and \\")


def _to_host(state: TrainState) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The leaves as numpy arrays by name, and what is needed to check and rebuild them."""
    arrays: dict[str, np.ndarray] = {}
    leaves: dict[str, Any] = {}
    for name, leaf in _named_leaves(state).items():
        whole = not isinstance(leaf, jax.Array) or leaf.is_fully_addressable
        whole = whole or leaf.is_fully_replicated
        require(whole, name, leaf, "an array that every process holds whole")
        described = _describe(leaf)
        array = np.asarray(jax.random.key_data(leaf) if described["key"] else leaf)
        leaves[name] = described
        if array.size:  # orbax refuses empty arrays; their description is all there is to know
            arrays[name] = array
    return arrays, leaves


def _from_host(
    arrays: Mapping[str, Any], leaves: Mapping[str, Any], like: TrainState, path: Path
) -> TrainState:
    """The leaves put back into the structure and onto the devices of ``like``."""
    wanted = _named_leaves(like)
    here = {name: _describe(leaf) for name, leaf in wanted.items()}
    differences = [
        f"{name} is {_spell(leaves.get(name))} there and {_spell(here.get(name))} here"
        for name in sorted(here.keys() | leaves.keys())
        if here.get(name) != leaves.get(name)
    ]
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        listed = "; ".join(differences[:3]) + more
        raise ValueError(f"checkpoint {path} is of another model or optimizer: {listed}")
    found = []
    for name, leaf in wanted.items():
        shape, dtype = here[name]["shape"], here[name]["dtype"]
        array = np.asarray(arrays[name]) if name in arrays else np.zeros(shape, dtype)
        found.append(_place(name, array, leaf))
    return jax.tree.unflatten(jax.tree.structure(like), found)


def _place(name: str, array: np.ndarray, like: Any) -> Any:
    if not isinstance(like, jax.Array):
        return array
    value = jnp.array(array, copy=True)
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        value = jax.random.wrap_key_data(value, impl=str(jax.random.key_impl(like)))
    expected = f"{like.dtype} to be enabled (jax_enable_x64), as when it was made"
    require(value.dtype == like.dtype, name, value, expected)
    return place(value, like.sharding) if like.committed else value


def _write(target: Path, arrays: dict[str, np.ndarray], leaves: dict[str, Any]) -> None:
    unfinished = target.with_name(f"{_UNFINISHED}{target.name}")
    unfinished.mkdir()
    with _checkpointer() as checkpointer:
        checkpointer.save(unfinished / "arrays", args=ocp.args.PyTreeSave(arrays))
    (unfinished / "leaves.json").write_text(json.dumps(leaves, indent=1), encoding="utf-8")
    sums = [f"{_digest(unfinished / name)}  {name}\n" for name in _files(unfinished)]
    (unfinished / _SUMS).write_text("".join(sums), encoding="utf-8")
    if target.exists():
        _discard(target)
    unfinished.rename(target)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    lines = (path / _SUMS).read_text(encoding="utf-8").splitlines()
    sums = {line[66:]: line[:64] for line in lines}
    if sorted(sums) != _files(path):
        raise ValueError(f"{_SUMS} does not list the files that are there")
    for name, digest in sums.items():
        if _digest(path / name) != digest:
            raise ValueError(f"the checksum of {name} is not the one in {_SUMS}")
    leaves = json.loads((path / "leaves.json").read_text(encoding="utf-8"))
    with _checkpointer() as checkpointer:
        arrays = checkpointer.restore(path / "arrays", args=ocp.args.PyTreeRestore())
    return arrays, leaves


def _files(path: Path) -> list[str]:
    files = (file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    return sorted(name for name in files if name != _SUMS)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _checkpointer() -> ocp.Checkpointer:
    """Orbax for this process alone: state is the same on all, and process 0 writes it."""
    own = jax.process_index()
    options = ocp.options.MultiprocessingOptions(
        primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"process{own}"
    )
    return ocp.Checkpointer(ocp.PyTreeCheckpointHandler(), multiprocessing_options=options)


def _on_any_process(flag: bool) -> bool:
    """Whether ``flag`` holds on any process; all wait for each other here."""
    if jax.process_count() == 1:
        return flag
    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def _require_same_on_all(step: int) -> None:
    """Refuse, on every process, that they go on from different steps."""
    if jax.process_count() == 1:
        return
    chosen = multihost_utils.process_allgather(np.array(step, np.int32)).tolist()
    if len(set(chosen)) > 1:
        words = {_NONE: "no checkpoint", _UNREADABLE: "no readable one"}
        listed = ", ".join(
            f"process {process}: {words.get(at, f'step {at}')}" for process, at in enumerate(chosen)
        )
        raise CheckpointError(f"the processes found different newest checkpoints: {listed}")


def _discard(path: Path) -> None:
    """Delete a checkpoint by renaming it first: killed half-way, it no longer looks like one."""
    doomed = path.with_name(f"{_DISCARDED}{path.name}")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _remove_leftovers(root: Path) -> None:
    for pattern in (f"{_UNFINISHED}*", f"{_DISCARDED}*"):
        for leftover in root.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _named_leaves(state: TrainState) -> dict[str, Any]:
    paths = jax.tree_util.tree_leaves_with_path(state)
    named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in paths}
    require(len(named) == len(paths), "state", sorted(named), "leaves with different names")
    return named


def _describe(leaf: Any) -> dict[str, Any]:
    """Shape and dtype of the array stored for ``leaf``, and the implementation if it is a key."""
    leaf = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    key = None
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        key, leaf = str(jax.random.key_impl(leaf)), jax.eval_shape(jax.random.key_data, leaf)
    return {"shape": list(leaf.shape), "dtype": str(leaf.dtype), "key": key}


def _spell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "missing"
    kind = f"key<{entry['key']}> " if entry["key"] else ""
    return f"{kind}{entry['dtype']}{entry['shape']}"


def _reason(error: BaseException) -> str:
    """The first line of an error: storage layers append pages."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
