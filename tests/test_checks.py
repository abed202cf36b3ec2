"""What the shared checks let pass and refuse: values on the host, in jax arrays, and traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_dtype,
    check_finite,
    check_integer,
    check_key,
    check_number,
    check_scalar,
    check_shape,
    concrete,
    extremes,
)

KEY = jax.random.key(0)
RAGGED = [[1], [1, 2]]
HALF = jnp.bfloat16(0.5)


class Traced:
    """Stands for a traced value of a shape and dtype."""

    def __init__(self, dtype, shape=()):
        self.like = jax.ShapeDtypeStruct(shape, dtype)

    def __repr__(self):
        return f"Traced({self.like.dtype}{list(self.like.shape)})"


def checked(check, value, *args, **kwargs):
    """``check`` of the value, or of a tracer where the value stands for one."""
    if isinstance(value, Traced):
        jax.eval_shape(lambda traced: check("a", traced, *args, **kwargs), value.like)
    else:
        check("a", value, *args, **kwargs)


FLOAT, INT, BOOL, COMPLEX, TRACED_KEY = (
    Traced(dtype) for dtype in (jnp.float32, jnp.int32, jnp.bool_, jnp.complex64, KEY.dtype)
)
MATRIX = Traced(jnp.float32, (3, 4))
# a check, what it is told beside the value, what it lets pass, and what it refuses
TABLE = [
    (check_shape, (((),), {}), (1.0, True, "text", KEY, FLOAT), ([1.0], np.ones(1), MATRIX)),
    (
        check_shape,
        (((3, "d"),), {}),
        (np.ones((3, 4)), np.ones((3, 0)), MATRIX),
        (1.0, np.ones(3), np.ones((4, 3)), np.ones((1, 3, 4)), RAGGED),
    ),
    (check_shape, (((np.int64(3), 4),), {}), (np.ones((3, 4)),), (np.ones((2, 4)),)),
    (
        check_shape,
        ((("...", None, 4),), {}),
        (np.ones((3, 4)), np.ones((2, 3, 4)), MATRIX),
        (np.ones(4), np.ones((4, 3)), 1.0, FLOAT),
    ),
    (
        check_dtype,
        (("floating",), {}),
        (1.5, [0.5], np.float16(1), HALF, np.asarray(HALF), FLOAT),
        (1, True, 1j, "text", None, RAGGED, KEY, INT, COMPLEX, TRACED_KEY),
    ),
    (
        check_dtype,
        (("integer",), {}),
        (1, np.uint8(1), jnp.arange(3), jnp.arange(3, dtype=jnp.int4), INT),
        (1.0, True, HALF, np.timedelta64(1, "s"), "1", None, KEY, BOOL, FLOAT, TRACED_KEY),
    ),
    (
        check_dtype,
        (("bool",), {}),
        (True, np.ones(2, bool), BOOL),
        (1, 1.0, "True", None, KEY, INT, TRACED_KEY),
    ),
    (
        check_dtype,
        (("real",), {}),
        (1, 1.5, True, HALF, INT, BOOL, FLOAT),
        (1j, "1", None, {}, RAGGED, KEY, COMPLEX, TRACED_KEY),
    ),
    (check_bool, ((), {}), (True, np.False_), (0, 1, None, "True", jnp.array(True), BOOL)),
    (
        check_integer,
        ((), {}),
        (0, -3, 2**2000, np.int8(1), np.array(1), jnp.int32(1)),
        (True, np.True_, 1.0, "1", None, HALF, KEY, np.arange(2), RAGGED, INT),
    ),
    (check_integer, ((), {"minimum": 1}), (1, np.uint8(200)), (0, -1, True, np.int8(0))),
    (
        check_number,
        ((), {}),
        (0, -1.5, True, HALF, [1, 2.5], np.ones((2, 2)), jnp.ones(2), INT, BOOL, FLOAT, MATRIX),
        (
            *(np.nan, -np.inf, [0.0, np.inf], jnp.float16(np.nan), 2**2000, 1j, COMPLEX),
            *("0.5", b"1", np.array(["1"]), np.ones(2, complex), None, RAGGED, KEY, TRACED_KEY),
        ),
    ),
    (
        check_number,
        ((), {"minimum": 0, "maximum": 1}),
        (0, 1, HALF, [0.0, 1.0], FLOAT),
        (-0.1, 1.1, [0.5, 2], -HALF, np.array([0, -1])),
    ),
    (check_number, ((), {"above": 0}), (0.1, [1, 2], FLOAT), (0, -1, [1, 0], -HALF)),
    (
        check_scalar,
        ((), {"minimum": 0}),
        (0, 1.5, HALF, np.array(2), INT, FLOAT),
        (-1, np.nan, [1.0], np.ones(1), "1", 1j, None, RAGGED, KEY, MATRIX, COMPLEX, TRACED_KEY),
    ),
    (
        check_finite,
        ((), {}),
        (1, [1.5], HALF, np.zeros((0, 3)), np.ones(2, bool), INT, MATRIX),
        (
            *(np.nan, [0.0, np.inf], 1j, np.array([complex(0, np.nan)]), COMPLEX),
            *("1", None, RAGGED, KEY, TRACED_KEY),
        ),
    ),
]


def cases(column):
    return [
        pytest.param(check, told, value, id=f"{check.__name__} {told} {value!r:.40}")
        for check, told, *values in TABLE
        for value in values[column]
    ]


@pytest.mark.parametrize(("check", "told", "value"), cases(0))
def test_what_fits_passes(check, told, value):
    checked(check, value, *told[0], **told[1])


@pytest.mark.parametrize(("check", "told", "value"), cases(1))
def test_what_does_not_fit_is_refused_by_name(check, told, value):
    with pytest.raises(ValueError, match=r"^a: expected "):
        checked(check, value, *told[0], **told[1])


@pytest.mark.parametrize(("check", "told"), [row[:2] for row in TABLE if row[0] is not check_shape])
def test_a_type_is_refused_by_its_name(check, told):
    """NumPy's have attributes of the names that arrays have; of shape they are a scalar."""
    with pytest.raises(ValueError, match=r"^a: expected .* got .*<class 'numpy.float32'>"):
        checked(check, np.float32, *told[0], **told[1])


def test_a_deleted_array_is_refused_by_its_shape():
    gone = jnp.ones(())
    gone.delete()
    with pytest.raises(ValueError, match=r"a: expected shape \[3\], got float32\[\]"):
        check_shape("a", gone, (3,))


def test_concrete_is_none_for_what_is_traced_alone():
    assert concrete([1, 2]).tolist() == [1, 2]
    assert concrete(jnp.ones(2)).tolist() == [1, 1]

    @jax.jit
    def traced(x):
        assert concrete(x) is None
        assert concrete([x, 1.0]) is None
        check_number("a", [x, 1.0])
        return x

    traced(1.0)
    for value, error in ((RAGGED, ValueError), (KEY, TypeError)):
        with pytest.raises(error):
            concrete(value)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_one_bad_entry_is_refused(kind, bad):
    entries = np.ones((3, 4), np.float32)
    check_finite("a", kind(entries))
    entries[1, 2] = bad
    with pytest.raises(ValueError, match=r"a: expected finite entries, got float32\[3, 4\]"):
        check_finite("a", kind(entries))


def test_what_has_no_values_passes():
    check_finite("a", np.zeros((0, 3)))

    @jax.jit
    def traced(a):
        check_finite("a", a)
        return a

    assert np.isnan(traced(jnp.array([jnp.nan]))[0])


def test_entries_of_which_others_hold_a_part_pass(monkeypatch):
    a = jnp.array([jnp.nan])
    monkeypatch.setattr(type(a), "is_fully_addressable", False)
    check_finite("a", a)


@pytest.fixture
def on_accelerator(monkeypatch):
    """Arrays say that they lie on one, and must not be fetched."""

    class Elsewhere:
        platform = "tpu"

    kind = type(jnp.ones(1))
    monkeypatch.setattr(kind, "devices", lambda self: {Elsewhere()})
    monkeypatch.setattr(kind, "__array__", None)


def over_devices(f):
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    split = jax.sharding.PartitionSpec("data")
    return jax.shard_map(f, mesh=mesh, in_specs=split, out_specs=split)


@pytest.mark.usefixtures("on_accelerator")
def test_extremes_on_an_accelerator_are_those_of_any_array():
    with jax.enable_x64(True):
        doubles = jnp.array([1e300, -1e300])
    assert extremes(doubles) == (-1e300, 1e300)
    assert extremes(jnp.asarray(2.0)) == (2.0, 2.0)
    assert extremes(jnp.array([-8, 7], jnp.int4)) == (-8.0, 7.0)
    assert extremes(jnp.array([3, 2**32 - 1], jnp.uint32)) == (3.0, 2.0**32 - 1)
    assert extremes(jnp.zeros((0, 3))) is None


TRANSFORMATIONS = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "vmap": jax.vmap,
    "grad": lambda f: jax.grad(lambda x: f(x).sum()),
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (x,)),
    "checkpoint": lambda f: jax.grad(jax.checkpoint(lambda x: f(x).sum())),
    "scan": lambda f: lambda x: jax.lax.scan(lambda sum, y: (sum, f(y)), 0.0, x),
    "cond": lambda f: lambda x: jax.lax.cond(x[0] > 0, f, f, x),
    "shard_map": over_devices,  # not inside jit: it traces what is known, too
    "jit of shard_map": lambda f: jax.jit(over_devices(f)),
    "shard_map of vmap": lambda f: over_devices(jax.vmap(f)),
    "shard_map of grad": lambda f: over_devices(jax.grad(lambda x: f(x).sum())),
    "without jit": lambda f: jax.disable_jit()(jax.jit(f)),
}


@pytest.mark.usefixtures("on_accelerator", "devices")
@pytest.mark.parametrize("transform", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32, jnp.bool_])
def test_extremes_on_an_accelerator_are_known_in_every_transformation(transform, dtype):
    entries = jnp.array([[0, 1], [1, 1]], dtype)
    found = []

    def looked_at(x):
        found.append(extremes(entries))
        return x

    transform(looked_at)(jnp.arange(8.0))
    assert found
    assert set(found) == {(0.0, 1.0)}


@pytest.mark.usefixtures("on_accelerator", "devices")
@pytest.mark.parametrize("transform", TRANSFORMATIONS.values(), ids=TRANSFORMATIONS)
def test_bad_entries_on_an_accelerator_are_refused_in_every_transformation(transform):
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    shared = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    for bad in (jnp.nan, jnp.inf):
        one = jnp.ones(8).at[3].set(bad)
        for entries in (one, jax.device_put(one, jax.devices()[-1]), jax.device_put(one, shared)):
            with pytest.raises(ValueError, match="a: expected finite entries"):
                transform(lambda x, a=entries: [check_finite("a", a), x][1])(jnp.arange(8.0))


@pytest.mark.parametrize("value", ["topp", None, 3, np.zeros(2), jnp.zeros(2), ["top"]])
def test_a_value_that_is_no_choice_is_refused(value):
    check_choice("keep", "top", ("top", "end"))
    with pytest.raises(ValueError, match=r"keep: expected one of 'top', 'end'.*unknown keep"):
        check_choice("keep", value, ("top", "end"))


@pytest.mark.parametrize(
    "value", [0, None, jax.random.PRNGKey(0), jax.random.split(jax.random.key(0))]
)
def test_what_is_no_single_typed_key_is_refused(value):
    check_key("key", jax.random.key(0))
    jax.vmap(lambda key: check_key("key", key))(jax.random.split(jax.random.key(0)))
    with pytest.raises(ValueError, match="key: expected one typed PRNG key"):
        check_key("key", value)
