import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.training import TrainState, create_train_state
from tests.training.problem import initial_state


def test_starts_at_step_zero_with_the_optimizers_state():
    optimizer = optax.adam(0.1)
    params = {"w": np.ones(3, np.float32)}
    state = create_train_state(params, optimizer, key=jax.random.key(2))
    assert state.step.dtype == jnp.int32
    assert int(state.step) == 0
    assert state.model_state is None
    assert jax.tree.structure(state.opt_state) == jax.tree.structure(optimizer.init(params))
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(state))


def test_is_a_pytree_that_can_be_mapped_and_replaced():
    state = initial_state()
    assert isinstance(jax.tree.map(lambda leaf: None, state), TrainState)
    assert isinstance(jax.eval_shape(lambda s: s, state), TrainState)
    assert int(state.replace(step=jnp.int32(4)).step) == 4
    assert int(state.step) == 0


def test_leaves_are_copies_and_strongly_typed():
    weak = jnp.asarray(1.0)
    strong = jnp.ones(3)
    state = create_train_state((weak, strong), optax.sgd(0.1), key=jax.random.key(0))
    assert weak.weak_type
    assert not state.params[0].weak_type
    jax.jit(lambda s: jax.tree.map(jnp.copy, s), donate_argnums=0)(state)
    assert state.params[1].is_deleted()
    assert not strong.is_deleted()


@pytest.mark.usefixtures("bad_input")
def test_refuses_what_is_not_a_key():
    for key in (jax.random.PRNGKey(0), jax.random.split(jax.random.key(0)), 0):
        with pytest.raises(ValueError, match="key: expected one typed PRNG key"):
            create_train_state(jnp.ones(2), optax.sgd(0.1), key=key)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("leaf", [jnp.arange(3), jnp.array(True), jax.random.key(0), jnp.array(1j)])
def test_refuses_params_that_are_no_floats(leaf):
    with pytest.raises(ValueError, match=r"params\['a'\]: expected an array of floats"):
        create_train_state({"a": leaf}, optax.sgd(0.1), key=jax.random.key(0))


@pytest.mark.usefixtures("bad_input")
def test_refuses_a_model_state_that_cannot_be_combined():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"model_state\['rng'\]: expected an array of numbers"):
        create_train_state(jnp.ones(2), optax.sgd(0.1), key=key, model_state={"rng": key})
