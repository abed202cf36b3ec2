"""The same step on many devices: batch sharded, state replicated.

:func:`data_parallel` is the way to train, on one host or several, through ``jax.shard_map``. The
``pmap_*`` helpers are for those who drive ``jax.pmap``, where replicas are a leading axis.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding
from jaxtyping import PyTree

from jaxlab.checks import check_choice, check_integer, check_number, require
from jaxlab.training.batches import check_batch, split_batch
from jaxlab.training.state import TrainState

__all__ = [
    "data_parallel",
    "initialize_distributed",
    "place",
    "pmap_replicate",
    "pmap_shard",
    "pmap_unreplicate",
    "replicate",
    "shard",
]


def data_parallel(
    step: Callable[[TrainState, PyTree], Any],
    mesh: Mesh,
    *,
    axis_name: str = "data",
    donate_state: bool = True,
    check_vma: bool = True,
) -> Callable[[TrainState, PyTree], Any]:
    """``step`` on every device of ``mesh``, each with its share of the batch.

    Args:
        step: a train or eval step made with the same ``axis_name``; whatever it returns must be
            equal on all devices.
        mesh: devices, among whose axes is ``axis_name``, such as
            ``jax.make_mesh((jax.device_count(),), ("data",))``; within ``jax.set_mesh``, the same.
        axis_name: the mesh axis over which the batch's leading axis is sharded.
        donate_state: give the state's memory to the result. The state passed in is then used up;
            set False for an eval step.
        check_vma: let jax prove, when tracing, that the results are equal on all devices: a step
            made without ``axis_name`` is refused. It also refuses loops in ``loss_fn`` whose
            carry starts from a constant; set False for these.

    Returns:
        The jitted function ``(state, batch) -> step(state, batch)``, taking the whole (global)
        batch. Place the state with :func:`replicate` once and the batches with :func:`shard`;
        with one process this merely saves a second compilation, with several it is needed. A loop
        of one's own over several CPU devices has to wait every few steps, as
        :func:`jaxlab.training.fit` does (``jax.block_until_ready(metrics)``): they can lock up.

    Raises:
        ValueError: if the mesh has no axis ``axis_name``; when called, if the batch does not divide
            into one equal part per device.

    Cost: that of ``step`` on ``1 / devices`` of the batch, and one all-reduce of the gradient.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jaxlab.training import create_train_state, make_eval_step
        >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
        >>> state = create_train_state(jnp.ones(2), optax.sgd(0.1), key=jax.random.key(0))
        >>> eval_step = make_eval_step(lambda w, _, x: {"mean": jnp.mean(x @ w)}, axis_name="data")
        >>> evaluate = data_parallel(eval_step, mesh, donate_state=False)
        >>> float(evaluate(state, jnp.ones((2 * jax.device_count(), 2)))["mean"])
        2.0
    """
    check_choice("axis_name", axis_name, mesh.axis_names)
    mesh = _auto(mesh)
    sharded = jax.shard_map(
        step,
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(axis_name)),
        out_specs=PartitionSpec(),
        check_vma=check_vma,
    )
    # the mesh of jax.set_mesh may have explicit axes: inside they are automatic too
    sharded = jax.sharding.auto_axes(sharded, out_sharding=PartitionSpec())

    def parallel_step(state: TrainState, batch: PyTree) -> Any:
        check_batch(batch, mesh.shape[axis_name])
        return sharded(state, batch)

    return jax.jit(
        parallel_step,
        # the batch stays where it is: jax would refuse an uneven one before it is checked here
        in_shardings=(NamedSharding(mesh, PartitionSpec()), None),
        donate_argnums=(0,) if donate_state else (),
    )


def replicate(tree: PyTree, mesh: Mesh) -> PyTree:
    """A copy of ``tree`` on every device of ``mesh``; every process must hold the same values.

    Example:
        >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
        >>> replicate({"w": np.ones(3)}, mesh)["w"].is_fully_replicated
        True
    """
    sharding = NamedSharding(_auto(mesh), PartitionSpec())
    return jax.tree.map(lambda leaf: place(leaf, sharding), tree)


def shard(batch: PyTree, mesh: Mesh, *, axis_name: str = "data") -> PyTree:
    """The global ``batch``, of which every process holds all, cut over a mesh axis.

    Each process places the parts of its own devices only. When a process holds nothing but its own
    part, ``jax.make_array_from_process_local_data`` does this instead.

    Raises:
        ValueError: if the leading axis does not divide into one equal part per device.

    Example:
        >>> mesh = jax.make_mesh((jax.device_count(),), ("data",))
        >>> shard({"x": np.zeros((16, 2))}, mesh)["x"].shape
        (16, 2)
    """
    check_choice("axis_name", axis_name, mesh.axis_names)
    check_batch(batch, mesh.shape[axis_name])
    sharding = NamedSharding(_auto(mesh), PartitionSpec(axis_name))

    return jax.tree.map(lambda leaf: place(leaf, sharding), batch)


def place(leaf: Any, sharding: Sharding) -> jax.Array:
    """A copy of one array or key, which this process holds whole, with the given sharding.

    Unlike ``jax.device_put``, it shares no memory with ``leaf``, which a step that donates the copy
    would take along, and whose owner may fill it again; and the sharding may span several
    processes.
    """
    if isinstance(leaf, np.ndarray):
        leaf = leaf.copy()
    if sharding.is_fully_addressable:
        return jax.device_put(jnp.copy(leaf) if isinstance(leaf, jax.Array) else leaf, sharding)
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        impl = str(jax.random.key_impl(leaf))
        return jax.random.wrap_key_data(place(jax.random.key_data(leaf), sharding), impl=impl)
    values = np.asarray(leaf)
    return jax.make_array_from_callback(values.shape, sharding, lambda index: values[index])


def pmap_replicate(tree: PyTree, devices: Iterable[jax.Device] | None = None) -> PyTree:
    """``tree`` with a leading axis of equal copies, one on each of ``devices``.

    Args:
        tree: PyTree of arrays; typed PRNG keys are welcome.
        devices: the devices ``jax.pmap`` runs on; default, this process's.

    Raises:
        ValueError: if ``devices`` is not a sequence of one device or more.

    Example:
        >>> pmap_replicate(np.ones(3), jax.local_devices()[:1]).shape
        (1, 3)
    """
    devices = _devices(devices)
    mesh = Mesh(np.array(devices), ("replica",))
    sharding = NamedSharding(mesh, PartitionSpec("replica"))

    def stack(leaf: Any) -> jax.Array:
        leaf = jnp.asarray(leaf)
        return jax.device_put(jnp.broadcast_to(leaf, (len(devices), *leaf.shape)), sharding)

    return jax.tree.map(stack, tree)


def pmap_unreplicate(tree: PyTree) -> PyTree:
    """The first of the equal copies that :func:`pmap_replicate` made.

    Example:
        >>> pmap_unreplicate(np.ones((4, 3))).shape
        (3,)
    """
    return jax.tree.map(lambda leaf: leaf[0], tree)


def pmap_shard(batch: PyTree, devices: Iterable[jax.Device] | None = None) -> PyTree:
    """Consecutive parts of ``batch`` along a new leading axis, one for each of ``devices``.

    Args:
        batch: PyTree of arrays with one length of leading axis.
        devices: the devices ``jax.pmap`` runs on, which places the parts; default, this process's.

    Raises:
        ValueError: if the leading axis does not divide into one equal part per device, or
            ``devices`` is not a sequence of one device or more.

    Example:
        >>> pmap_shard(np.zeros((6, 2)), jax.local_devices()[:1]).shape
        (1, 6, 2)
    """
    return split_batch(batch, len(_devices(devices)))


def initialize_distributed(
    coordinator_address: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    *,
    timeout: float = 300.0,
) -> None:
    """Join the processes of one training run, before anything else is done with jax.

    Afterwards ``jax.devices()`` are the devices of all processes, every process runs the same
    program, and a mesh over all devices makes :func:`data_parallel` work across hosts. On CPU the
    collectives go over gloo, which is jax's default there.

    Args:
        coordinator_address: ``"host:port"`` of the process 0; ``None`` for all three where
            jax finds them itself (SLURM, Open MPI, Cloud TPU and others).
        num_processes: how many processes there are.
        process_id: which one this is, from 0.
        timeout: seconds to wait for the others.

    Raises:
        ValueError: if some but not all of the three are given, or they do not fit together.
        RuntimeError: from jax, if a computation ran before or the processes do not all arrive.

    Example:
        >>> initialize_distributed("10.0.0.1:1234", 2, process_id=2)
        Traceback (most recent call last):
        ...
        ValueError: process_id: expected below 2, got 2
    """
    given = (coordinator_address, num_processes, process_id)
    if any(value is not None for value in given):
        expected = "coordinator_address, num_processes and process_id, or none of them"
        require(None not in given, "initialize_distributed", given, expected)
        port = str(coordinator_address).rpartition(":")[2]
        fits = ":" in str(coordinator_address) and port.isdigit()
        require(fits, "coordinator_address", coordinator_address, "'host:port'")
        check_integer("num_processes", num_processes, minimum=1)
        check_integer("process_id", process_id, minimum=0)
        require(process_id < num_processes, "process_id", process_id, f"below {num_processes}")  # type: ignore[operator]
    check_number("timeout", timeout, above=0)
    jax.distributed.initialize(
        coordinator_address, num_processes, process_id, initialization_timeout=max(1, int(timeout))
    )


def _devices(devices: Iterable[jax.Device] | None) -> list[jax.Device]:
    given = jax.local_devices() if devices is None else devices
    found = list(given) if isinstance(given, Iterable) else []
    fits = len(found) > 0 and all(isinstance(device, jax.Device) for device in found)
    require(fits, "devices", devices, "a sequence of one device or more")
    return found


def _auto(mesh: Mesh) -> Mesh:
    """The mesh with automatic axes, so that arrays of any placement can be given to the step."""
    return Mesh(mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names))
