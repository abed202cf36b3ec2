"""One device with the full batch is the oracle of every way to use several."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxlab.training import (
    create_train_state,
    data_parallel,
    initialize_distributed,
    make_eval_step,
    make_train_step,
    pmap_replicate,
    pmap_shard,
    pmap_unreplicate,
    replicate,
    shard,
)
from tests.helpers import aligned_zeros
from tests.training.problem import (
    OPTIMIZERS,
    assert_close,
    assert_same,
    data,
    initial_state,
    loss_fn,
)

BATCHES = [data(48, seed=seed) for seed in range(3)]


@pytest.fixture
def mesh(devices):
    return jax.make_mesh((8,), ("data",), devices=devices)


def on_one_device(step, state):
    step = jax.jit(step)
    for batch in BATCHES:
        state, metrics = step(state, batch)
    return state, metrics


def on_a_mesh(step, state, mesh, **options):
    step, state = data_parallel(step, mesh, **options), replicate(state, mesh)
    for batch in BATCHES:
        state, metrics = step(state, shard(batch, mesh))
    return state, metrics


def with_pmap(step, state, devices):
    step = jax.pmap(step, "data", devices=devices, donate_argnums=0)
    state = pmap_replicate(state, devices)
    for batch in BATCHES:
        state, metrics = step(state, pmap_shard(batch, devices))
    for copies in jax.tree.leaves((state.params, state.model_state, metrics)):
        assert all(np.array_equal(copy, copies[0]) for copy in copies)
    return pmap_unreplicate((state, metrics))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_pmap_and_shard_map_are_one_device_with_the_full_batch(name, accumulate, mesh, devices):
    optimizer = OPTIMIZERS[name]
    expected = on_one_device(make_train_step(loss_fn, optimizer), initial_state(optimizer))
    step = make_train_step(loss_fn, optimizer, axis_name="data", accumulate=accumulate)
    assert_close(on_a_mesh(step, initial_state(optimizer), mesh), expected)
    assert_close(with_pmap(step, initial_state(optimizer), devices), expected)


def test_replication_checks_do_not_change_the_result(mesh):
    step = make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data", accumulate=2)
    checked = on_a_mesh(step, initial_state(), mesh)
    assert_close(on_a_mesh(step, initial_state(), mesh, check_vma=False), checked, 1e-6)


def test_other_axes_of_the_mesh_are_left_alone(devices):
    mesh = jax.make_mesh((2, 4), ("model", "data"), devices=devices)
    step = make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data")
    expected = on_one_device(make_train_step(loss_fn, OPTIMIZERS["adam"]), initial_state())
    assert_close(on_a_mesh(step, initial_state(), mesh), expected)


def test_unplaced_states_and_batches_are_placed(mesh):
    step = make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data")
    state, _ = data_parallel(step, mesh)(initial_state(), BATCHES[0])
    expected, _ = jax.jit(make_train_step(loss_fn, OPTIMIZERS["adam"]))(initial_state(), BATCHES[0])
    assert_close(state, expected)
    assert state.params["out"].sharding.is_fully_replicated


def test_within_set_mesh(mesh):
    step = make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data")
    expected = on_one_device(make_train_step(loss_fn, OPTIMIZERS["adam"]), initial_state())
    with jax.set_mesh(mesh):
        assert_close(on_a_mesh(step, initial_state(), mesh), expected)
        parallel = data_parallel(step, mesh)
        within = jax.jit(lambda state, batch: parallel(state, batch))
        state = initial_state()
        for batch in BATCHES:  # not placed, and not called alone
            state, metrics = within(state, batch)
        assert_close((state, metrics), expected)


@pytest.mark.parametrize("accumulate", [2, 4])  # micro-batches that divide among 8, and do not
@pytest.mark.parametrize("split", [False, True])
def test_micro_batches_of_a_batch_on_explicit_axes(split, accumulate, devices):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,), devices=devices)
    whole = NamedSharding(mesh, P())

    def gathered(params, model_state, batch, key):
        params, model_state = jax.sharding.reshard((params, model_state), whole)
        return loss_fn(params, model_state, batch, key)

    def place(leaf):
        spec = P(*[None] * (leaf.ndim - 1), "data") if split and leaf.ndim else P()
        return jax.device_put(leaf, NamedSharding(mesh, spec))

    optimizer, batch = OPTIMIZERS["adam"], BATCHES[0]
    expected = jax.jit(make_train_step(loss_fn, optimizer))(initial_state(), batch)
    state = jax.tree.map(place, initial_state())
    batch = jax.device_put(batch, NamedSharding(mesh, P("data")))
    step = jax.jit(make_train_step(gathered, optimizer, accumulate=accumulate))
    after, metrics = step(state, batch)
    assert_close((after, metrics), expected)
    assert jax.typeof(after.params["out"]) == jax.typeof(state.params["out"])


class Normalized(nn.Module):
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x):
        x = nn.BatchNorm(use_running_average=False, axis_name=self.axis_name)(nn.Dense(5)(x))
        return nn.Dense(1)(nn.relu(x))[:, 0]


def normalized_problem(axis_name=None):
    model = Normalized(axis_name)
    variables = Normalized().init(jax.random.key(0), BATCHES[0]["x"])

    def squared(params, model_state, batch, key):
        variables = {"params": params, "batch_stats": model_state}
        prediction, changed = model.apply(variables, batch["x"], mutable=["batch_stats"])
        return jnp.mean((prediction - batch["y"]) ** 2), (changed["batch_stats"], {})

    optimizer = optax.sgd(0.1)
    state = create_train_state(
        variables["params"],
        optimizer,
        key=jax.random.key(0),
        model_state=variables["batch_stats"],
    )
    return squared, optimizer, state


def test_batch_normalization_over_all_devices_is_that_of_the_full_batch(mesh, devices):
    squared, optimizer, state = normalized_problem()
    expected = on_one_device(make_train_step(squared, optimizer), state)
    synchronized, _, _ = normalized_problem("data")
    step = make_train_step(synchronized, optimizer, axis_name="data")
    assert_close(on_a_mesh(step, state, mesh), expected)
    assert_close(on_a_mesh(step, state, mesh, check_vma=False), expected)
    assert_close(with_pmap(step, state, devices), expected)


def test_devices_and_micro_batches_cut_the_batch_alike(mesh):
    # here the parts matter, each is normalized by itself
    squared, optimizer, state = normalized_problem()
    micro = on_one_device(make_train_step(squared, optimizer, accumulate=8), state)
    across = on_a_mesh(make_train_step(squared, optimizer, axis_name="data"), state, mesh)
    assert_close(across, micro)


def test_each_device_draws_its_own_noise_as_documented(mesh, devices):
    def noise_fn(params, model_state, batch, key):
        noise = jax.random.normal(key, ())
        return jnp.sum(params) * 0 + jnp.mean(batch["y"]) * 0, (model_state, {"noise": noise})

    optimizer = optax.sgd(0.1)
    state = create_train_state(jnp.ones(2), optimizer, key=jax.random.key(5))
    step = make_train_step(noise_fn, optimizer, axis_name="data", accumulate=2)
    base = jax.random.fold_in(jax.random.key(5), 2)  # the third of the three steps
    draws = [
        jax.random.normal(jax.random.fold_in(jax.random.fold_in(base, d), a), ())
        for d in range(8)
        for a in range(2)
    ]
    for _, metrics in (on_a_mesh(step, state, mesh), with_pmap(step, state, devices)):
        np.testing.assert_allclose(metrics["noise"], np.mean(draws), rtol=1e-5)


def test_a_loss_whose_loop_starts_from_a_constant_needs_the_check_off(mesh):
    def looping(params, model_state, batch, key):
        total, _ = jax.lax.scan(lambda t, y: (t + params * y, None), jnp.zeros(()), batch["y"])
        return (total / batch["y"].size - 1) ** 2, (model_state, {})

    def squared(params, model_state, batch, key):
        return (params * jnp.mean(batch["y"]) - 1) ** 2, (model_state, {})

    optimizer = optax.sgd(0.1)
    state = create_train_state(jnp.ones(()), optimizer, key=jax.random.key(0))
    step = make_train_step(looping, optimizer, axis_name="data")
    with pytest.raises(TypeError, match="varying"):
        on_a_mesh(step, state, mesh)
    expected = on_a_mesh(make_train_step(squared, optimizer, axis_name="data"), state, mesh)
    assert_close(on_a_mesh(step, state, mesh, check_vma=False), expected)


def test_eval_step_averages_over_the_devices(mesh, devices):
    def measure(params, model_state, batch):
        return {"error": jnp.mean(jnp.abs(batch["x"] @ params["hidden"]["kernel"]))}

    state, batch = initial_state(), BATCHES[0]
    expected = make_eval_step(measure)(state, batch)
    step = make_eval_step(measure, axis_name="data")
    evaluate = data_parallel(step, mesh, donate_state=False)
    placed = replicate(state, mesh)
    for _ in range(2):  # the state is not used up
        assert_close(evaluate(placed, shard(batch, mesh)), expected)
    mapped = jax.pmap(step, "data", devices=devices)
    actual = mapped(pmap_replicate(state, devices), pmap_shard(batch, devices))
    assert_close(pmap_unreplicate(actual), expected)


def test_low_precision_is_averaged_in_float32(mesh, devices):
    # eight gradients of 20000 add up to more than float16 holds
    def steep(params, model_state, batch, key):
        loss = jnp.sum(params) * jnp.mean(batch)
        return loss, ({"mean": jnp.mean(batch)}, {"batch": jnp.mean(batch)})

    optimizer = optax.sgd(1.0)
    state = create_train_state(
        jnp.ones(2, jnp.float16),
        optimizer,
        key=jax.random.key(0),
        model_state={"mean": jnp.zeros((), jnp.float16)},
    )
    batch = jnp.full(8, 20000, jnp.float16)
    expected = jax.jit(make_train_step(steep, optimizer))(state, batch)
    np.testing.assert_array_equal(expected[0].params, np.float16(-20000))
    step = make_train_step(steep, optimizer, axis_name="data")
    assert_same(data_parallel(step, mesh, donate_state=False)(state, batch), expected)
    mapped = jax.pmap(step, "data", devices=devices)
    copies = mapped(pmap_replicate(state, devices), pmap_shard(batch, devices))
    assert_same(pmap_unreplicate(copies), expected)


def test_the_state_is_donated_and_what_it_was_made_from_is_not(mesh):
    state = initial_state()
    placed = replicate(state, mesh)
    again = replicate(placed, mesh)
    data_parallel(make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data"), mesh)(
        placed, BATCHES[0]
    )
    assert placed.params["out"].is_deleted()
    assert_same(state, initial_state())
    assert_same(again, state)


def test_a_buffer_of_numpy_may_be_filled_again_once_it_is_placed(mesh, devices):
    buffer = aligned_zeros(2**14)
    one = jax.make_mesh((1,), ("data",), devices=devices[:1])
    placed = [place(buffer, on) for on in (one, mesh) for place in (replicate, shard)]
    buffer[:] = 1
    assert not any(np.asarray(array).any() for array in placed)


def test_placement(mesh, devices):
    batch = shard(BATCHES[0], mesh)
    assert len(batch["x"].sharding.device_set) == 8
    assert batch["x"].addressable_shards[0].data.shape == (6, 4)
    np.testing.assert_array_equal(batch["x"], BATCHES[0]["x"])
    copies = pmap_replicate(initial_state(), devices)
    assert copies.key.shape == (8,)
    assert copies.params["out"].addressable_shards[3].data.shape[0] == 1
    assert_same(pmap_unreplicate(copies), initial_state())


@pytest.mark.usefixtures("bad_input")
def test_uneven_batches_are_refused(mesh, devices):
    batch = data(12)
    step = make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data")
    for call in (
        lambda: data_parallel(step, mesh)(initial_state(), batch),
        lambda: shard(batch, mesh),
        lambda: pmap_shard(batch, devices),
    ):
        with pytest.raises(ValueError, match=r"batch\['x'\]: .*into 8 equal parts.*12, 4"):
            call()
    with pytest.raises(ValueError, match="into 4 equal parts"):  # 16 are 2 for each device
        data_parallel(
            make_train_step(loss_fn, OPTIMIZERS["adam"], axis_name="data", accumulate=4), mesh
        )(initial_state(), data(16))


@pytest.mark.usefixtures("bad_input")
def test_a_step_made_for_one_device_is_refused(mesh):
    step = data_parallel(make_train_step(loss_fn, OPTIMIZERS["adam"]), mesh)
    with pytest.raises(ValueError, match="replicat"):
        step(initial_state(), BATCHES[0])


@pytest.mark.usefixtures("bad_input")
def test_bad_axes_are_refused(mesh):
    with pytest.raises(ValueError, match="axis_name: expected one of 'data'"):
        data_parallel(lambda state, batch: state, mesh, axis_name="date")
    with pytest.raises(ValueError, match="axis_name: expected one of 'data'"):
        shard(BATCHES[0], mesh, axis_name="batch")


def test_devices_may_be_an_array_as_those_of_a_mesh_are(mesh):
    assert pmap_replicate(np.ones(3), mesh.devices).shape == (8, 3)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("place", [pmap_replicate, pmap_shard])
@pytest.mark.parametrize("bad", [[], 8, [0, 1], "cpu"])
def test_what_are_no_devices_is_refused(place, bad):
    with pytest.raises(ValueError, match="devices: expected a sequence of one device or more"):
        place(BATCHES[0], bad)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("localhost:1234", 2), "or none of them"),
        (("localhost", 2, 0), "coordinator_address: expected 'host:port'"),
        (("localhost:1234", 0, 0), "num_processes"),
        (("localhost:1234", 2, 2), "process_id: expected below 2"),
        (("localhost:1234", 2, -1), "process_id"),
    ],
)
def test_processes_that_do_not_fit_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        initialize_distributed(*arguments)
    with pytest.raises(ValueError, match="timeout"):
        functools.partial(initialize_distributed, "localhost:1234", 2, 0)(timeout=0)
