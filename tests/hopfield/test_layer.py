"""The flax layers against stored outputs of hflayers, and trained on bags of digits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn

from jaxlab.hopfield import retrieve, similarity
from jaxlab.hopfield.layer import Hopfield, HopfieldLookup, HopfieldPooling
from jaxlab.hopfield.separation import entmax15, softmax, sparsemax
from tests.helpers import to_device


@pytest.fixture(scope="module")
def stored(request):
    root = request.config.rootpath
    with np.load(root / "tests" / "golden" / "hopfield" / "hflayers.npz") as arrays:
        return dict(arrays)


def case(stored, name):
    """Inputs, parameters and settings of one stored case."""
    start = f"{name}/"
    return {key.removeprefix(start): x for key, x in stored.items() if key.startswith(start)}


def association_parameters(case, prefix=""):
    """hflayers' parameters under the names and in the shapes of :class:`Hopfield`."""
    start = f"param/{prefix}"
    heads = int(case["heads"])
    weight = case[f"{start}association_core.in_proj_weight"]
    bias = case[f"{start}association_core.in_proj_bias"]
    size = weight.shape[0] // (3 * heads)
    parameters = {}
    for name, kernel, offset in zip(
        ("query", "memory", "value"), np.split(weight, 3), np.split(bias, 3), strict=True
    ):
        kernel = kernel.T.reshape(-1, heads, size)
        parameters[name] = {"kernel": kernel, "bias": offset.reshape(heads, size)}
    out = case[f"{start}association_core.out_proj.weight"]
    parameters["output"] = {
        "kernel": out.T.reshape(heads, size, -1),
        "bias": case[f"{start}association_core.out_proj.bias"],
    }
    for ours, theirs in (
        ("query", "state_pattern"),
        ("memory", "stored_pattern"),
        ("value", "pattern_projection"),
    ):
        if f"{start}norm_{theirs}.weight" in case:
            scale, bias = (case[f"{start}norm_{theirs}.{part}"] for part in ("weight", "bias"))
            parameters[f"{ours}_norm"] = {"scale": scale, "bias": bias}
    return parameters


def hopfield_of(case, **options):
    return Hopfield(
        num_heads=int(case["heads"]),
        head_dim=4,
        beta=float(case["beta"]),
        update_steps=int(case["steps"]),
        **options,
    )


def inputs_of(case):
    names = ("state", "stored", "projection")
    arrays = [case[f"input/{name}"] for name in names]
    padding = case.get("input/padding")
    return (*arrays, None if padding is None else ~padding)


def apply(layer, *arrays, **options):
    """``layer.apply`` in one program; keyword arguments are traced."""
    return jax.jit(layer.apply)(*arrays, **options)


@pytest.mark.parametrize(
    "name", ["steps0", "steps1", "steps3", "self", "masked", "one_head_beta", "no_norm"]
)
def test_hopfield_equals_hflayers(stored, name):
    expected = case(stored, name)
    layer = hopfield_of(expected, normalize=name != "no_norm")
    parameters = {"params": association_parameters(expected)}
    output = apply(layer, parameters, *inputs_of(expected))
    np.testing.assert_allclose(output, expected["output"], atol=1e-5, rtol=1e-5)
    if name == "self":
        alone = apply(layer, parameters, expected["input/state"])
        np.testing.assert_allclose(alone, expected["output"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["static0", "static3"])
def test_without_parameters_equals_hflayers(stored, name):
    expected = case(stored, name)
    layer = Hopfield(
        beta=float(expected["beta"]),
        update_steps=int(expected["steps"]),
        normalize=False,
        projections=False,
    )
    output, parameters = jax.jit(layer.init_with_output)(jax.random.key(0), *inputs_of(expected))
    assert not jax.tree.leaves(parameters)
    np.testing.assert_allclose(output, expected["output"], atol=1e-5, rtol=1e-5)


def test_pooling_equals_hflayers(stored):
    expected = case(stored, "pooling")
    layer = HopfieldPooling(num_queries=3, hopfield=hopfield_of(expected))
    parameters = {
        "queries": expected["param/pooling_weights"][0],
        "hopfield": association_parameters(expected, "hopfield."),
    }
    mask = ~expected["input/padding"]
    output = apply(layer, {"params": parameters}, expected["input/stored"], mask)
    flat = output.reshape(output.shape[0], -1)
    np.testing.assert_allclose(flat, expected["output"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("separate", [False, True])
def test_lookup_equals_hflayers(stored, separate):
    expected = case(stored, "lookup_separate" if separate else "lookup")
    layer = HopfieldLookup(7, separate_values=separate, hopfield=hopfield_of(expected))
    parameters = {
        "memories": expected["param/lookup_weights"][0],
        "hopfield": association_parameters(expected, "hopfield."),
    }
    if separate:
        parameters["values"] = expected["param/target_weights"][0]
    output = apply(layer, {"params": parameters}, expected["input/state"])
    np.testing.assert_allclose(output, expected["output"], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("separate", [False, True])
def test_lookup_of_a_batch_projects_its_memories_once(separate):
    layer = HopfieldLookup(64, separate_values=separate, hopfield=Hopfield(2, update_steps=1))
    parameters = initial(layer, jnp.ones((1, 2, 8)))

    def flops(*shape):
        def loss(parameters, query):
            return jnp.sum(layer.apply(parameters, query) ** 2)

        gradient = jax.jit(jax.grad(loss, (0, 1)))
        return gradient.lower(parameters, jnp.ones((*shape, 8))).cost_analysis()["flops"]

    np.testing.assert_allclose(flops(32, 1), flops(1, 32), rtol=0.01)
    np.testing.assert_allclose(flops(4, 4, 2), flops(32), rtol=0.01)


def test_lookup_of_no_sample_or_no_query():
    layer = HopfieldLookup(5, hopfield=Hopfield(2, features=4))
    for shape in ((0, 3, 6), (2, 0, 3, 6), (2, 0, 6)):
        output = layer.init_with_output(jax.random.key(0), jnp.ones(shape))[0]
        assert output.shape == (*shape[:-1], 4)


def initial(layer, *arrays):
    return jax.jit(layer.init)(jax.random.key(0), *arrays)


def data():
    rng = np.random.default_rng(0)
    return tuple(to_device(rng.normal(size=shape), np.float32) for shape in ((2, 3, 6), (2, 5, 6)))


@pytest.mark.parametrize("separation", [softmax, sparsemax, entmax15])
def test_plain_layer_is_retrieval(separation):
    query, memories = data()
    layer = Hopfield(
        beta=2.0,
        similarity=similarity.manhattan,
        separation=separation,
        normalize=False,
        projections=False,
    )
    output = np.asarray(layer.apply({}, query, memories))
    for index in range(2):
        alone = retrieve(
            query[index],
            memories[index],
            similarity=similarity.manhattan,
            separation=separation(2.0),
        )
        np.testing.assert_allclose(output[index], alone.output, atol=1e-6)


@pytest.mark.parametrize("low", [0, 1])
def test_updates_take_mixed_dtypes(low):
    arrays = [x.astype(jnp.bfloat16) for x in data()]
    layer = Hopfield(beta=2.0, update_steps=2, normalize=False, projections=False)
    expected = layer.apply({}, *(x.astype(jnp.float32) for x in arrays))
    mixed = [x if place == low else x.astype(jnp.float32) for place, x in enumerate(arrays)]
    np.testing.assert_allclose(layer.apply({}, *mixed), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize(
    "layer",
    [
        Hopfield(num_heads=2),
        Hopfield(projections=False, normalize=False),
        HopfieldPooling(),
        HopfieldLookup(num_memories=4),
    ],
    ids=["heads", "plain", "pooling", "lookup"],
)
def test_low_precision_in_is_low_precision_out(layer, dtype):
    query = data()[0]
    parameters = initial(layer, query)
    low = jax.tree.map(lambda x: x.astype(dtype), (parameters, query))
    output = apply(layer, *low)
    assert output.dtype == dtype
    exact = apply(layer, parameters, query)
    np.testing.assert_allclose(output.astype(jnp.float32), exact, atol=0.05)


@pytest.mark.parametrize("number", [np.float32, jnp.float32])
def test_beta_may_be_any_scalar(number):
    options = {"normalize": False, "projections": False}
    expected = Hopfield(beta=2.0, **options).apply({}, *data())
    got = Hopfield(beta=number(2), **options).apply({}, *data())
    np.testing.assert_array_equal(got, expected)


def test_masked_memories_do_not_matter():
    query, memories = data()
    layer = Hopfield(num_heads=2, update_steps=1)
    parameters = initial(layer, query, memories)
    mask = to_device([[True, True, True, False, False], [False] * 5])
    output = np.asarray(apply(layer, parameters, query, memories, mask=mask))
    shorter = apply(layer, parameters, query[:1], memories[:1, :3])
    np.testing.assert_allclose(output[:1], shorter, atol=1e-5)
    # nothing is there: zeros, then the output's bias
    np.testing.assert_allclose(output[1], np.zeros((3, 6)), atol=1e-6)

    def loss(parameters):
        return jnp.sum(layer.apply(parameters, query, memories, mask=mask) ** 2)

    gradients = jax.tree.leaves(jax.jit(jax.grad(loss))(parameters))
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_learned_beta_may_start_from_a_traced_number():
    @jax.jit
    def start(beta):
        layer = Hopfield(num_heads=2, beta=beta, learn_beta=True)
        return layer.init(jax.random.key(0), *data())["params"]["log_beta"]

    np.testing.assert_allclose(start(0.5), np.log([0.5, 0.5]), rtol=1e-6)


def test_learned_beta_starts_where_it_is_told_and_has_a_gradient():
    query, memories = data()
    fixed, learned = (
        Hopfield(num_heads=2, beta=0.5),
        Hopfield(num_heads=2, beta=0.5, learn_beta=True),
    )
    parameters = initial(learned, query, memories)["params"]
    log_beta = parameters["log_beta"]
    np.testing.assert_allclose(log_beta, np.log([0.5, 0.5]), rtol=1e-6)
    others = {name: value for name, value in parameters.items() if name != "log_beta"}
    np.testing.assert_allclose(
        apply(learned, {"params": parameters}, query, memories),
        apply(fixed, {"params": others}, query, memories),
        atol=1e-5,
    )

    @jax.jit
    def loss(log_beta):
        return jnp.sum(
            learned.apply({"params": others | {"log_beta": log_beta}}, query, memories) ** 2
        )

    slope = np.asarray(jax.jit(jax.grad(loss))(log_beta))
    log_beta, step = np.asarray(log_beta), np.float32([1e-2, 0.0])
    numerical = (loss(log_beta + step) - loss(log_beta - step)) / 2e-2
    np.testing.assert_allclose(slope[0], numerical, rtol=2e-2, atol=1e-3)
    assert (slope != 0).all()


def test_dropout_changes_associations_only_in_training():
    query, memories = data()
    layer = Hopfield(num_heads=2, dropout_rate=0.5)
    parameters = initial(layer, query, memories)
    still = apply(layer, parameters, query, memories)
    plain = apply(Hopfield(num_heads=2), parameters, query, memories)
    np.testing.assert_array_equal(still, plain)
    train = jax.jit(functools.partial(layer.apply, deterministic=False))
    draws = [
        np.asarray(train(parameters, query, memories, rngs={"dropout": jax.random.key(seed)}))
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_pooling_does_not_see_the_order_of_a_bag():
    _, bags = data()
    layer = HopfieldPooling(num_queries=2, hopfield=Hopfield(num_heads=3))
    parameters = initial(layer, bags)
    bags, mask = np.asarray(bags), np.array([[True] * 4 + [False], [True] * 5])
    order = np.array([3, 0, 4, 2, 1])
    run = jax.jit(layer.apply)
    np.testing.assert_allclose(
        run(parameters, bags, mask),
        run(parameters, bags[:, order], mask[:, order]),
        atol=1e-5,
    )


def test_leading_axes():
    query, memories = map(np.asarray, data())
    layer = Hopfield(num_heads=2, features=4)
    parameters = initial(layer, query, memories)
    output = np.asarray(apply(layer, parameters, query, memories))
    assert output.shape == (2, 3, 4)
    alone = apply(layer, parameters, query[1], memories[1])
    np.testing.assert_allclose(alone, output[1], atol=1e-6)
    deeper = np.asarray(apply(layer, parameters, query[:, None], memories[:, None]))
    np.testing.assert_allclose(deeper[:, 0], output, atol=1e-6)


class Lookups(nn.Module):
    """A look-up and a pooling inside of another module."""

    @nn.compact
    def __call__(self, query):
        return HopfieldPooling(name="pooling")(HopfieldLookup(5, name="lookup")(query))


class LookupsOfSetup(nn.Module):
    def setup(self):
        self.lookup, self.pooling = HopfieldLookup(5), HopfieldPooling()

    def __call__(self, query):
        return self.pooling(self.lookup(query))


class LookupTwice(nn.Module):
    @nn.compact
    def __call__(self, query):
        lookup = HopfieldLookup(5, name="lookup")
        return lookup(lookup(query))


@pytest.mark.parametrize("model", [Lookups, LookupsOfSetup])
def test_an_association_of_its_own_is_part_of_its_layer_wherever_that_is_made(model):
    query = data()[0]
    lookup, pooling = HopfieldLookup(5), HopfieldPooling()
    alone = initial(lookup, query)["params"], initial(pooling, query)["params"]
    assert all("hopfield" in parameters for parameters in alone)
    together = {"params": {"lookup": alone[0], "pooling": alone[1]}}
    shapes = jax.eval_shape(model().init, jax.random.key(0), query)
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, together)
    expected = apply(pooling, {"params": alone[1]}, apply(lookup, {"params": alone[0]}, query))
    np.testing.assert_allclose(apply(model(), together, query), expected, atol=1e-6)


def test_a_layer_that_is_applied_twice_has_one_association():
    query, lookup = data()[0], HopfieldLookup(5)
    alone = initial(lookup, query)
    expected = apply(lookup, alone, apply(lookup, alone, query))
    output = apply(LookupTwice(), {"params": {"lookup": alone["params"]}}, query)
    np.testing.assert_allclose(output, expected, atol=1e-6)


def test_layers_may_share_an_association():
    class Shared(nn.Module):
        @nn.compact
        def __call__(self, query):
            hopfield = Hopfield(num_heads=2, name="shared")
            query = HopfieldLookup(5, hopfield=hopfield, name="lookup")(query)
            return HopfieldPooling(hopfield=hopfield, name="pooling")(query)

    parameters = jax.eval_shape(Shared().init, jax.random.key(0), data()[0])["params"]
    assert "query" in parameters["shared"]
    assert list(parameters["lookup"]) == ["memories"]
    assert list(parameters["pooling"]) == ["queries"]


def digit_bags(images, labels, digit, count, generator, size=10):
    """Bags of ``size`` images, the last few padding; half of them with exactly one ``digit``."""
    others, wanted = np.flatnonzero(labels != digit), np.flatnonzero(labels == digit)
    members = generator.choice(others, (count, size))
    positive = np.arange(count) % 2 == 0
    members[positive, 0] = generator.choice(wanted, positive.sum())
    mask = np.arange(size) < generator.integers(size - 4, size + 1, (count, 1))
    order = np.argsort(generator.random((count, size)) + 2 * ~mask, axis=1)
    bags = np.take_along_axis(members, order, axis=1)
    return to_device(images[bags]), to_device(mask), to_device(positive, np.float32)


class BagClassifier(nn.Module):
    """One number per bag: whether the digit is in it."""

    @nn.compact
    def __call__(self, bags, mask):
        codes = nn.relu(nn.Dense(32)(bags))
        pooled = HopfieldPooling(hopfield=Hopfield(num_heads=2, head_dim=8))(codes, mask)
        return nn.Dense(1)(pooled)[..., 0, 0]


def test_pooling_learns_which_bags_hold_a_digit():
    from sklearn.datasets import load_digits

    digits = load_digits()
    images, labels = (digits.data / 16).astype(np.float32), digits.target
    generator = np.random.default_rng(0)
    half = len(labels) // 2
    bags, mask, target = digit_bags(images[:half], labels[:half], 3, 512, generator)
    held_out = digit_bags(images[half:], labels[half:], 3, 400, generator)

    model = BagClassifier()
    parameters = initial(model, bags, mask)
    optimizer = optax.adam(1e-2)

    def loss(parameters):
        logits = model.apply(parameters, bags, mask)
        return optax.sigmoid_binary_cross_entropy(logits, target).mean()

    @jax.jit
    def train(parameters):
        def step(carry, _):
            parameters, state = carry
            value, gradient = jax.value_and_grad(loss)(parameters)
            updates, state = optimizer.update(gradient, state)
            return (optax.apply_updates(parameters, updates), state), value

        return jax.lax.scan(step, (parameters, optimizer.init(parameters)), length=80)

    (trained, _), losses = train(parameters)

    def accuracy(parameters):
        bags, mask, target = held_out
        logits = jax.jit(model.apply)(parameters, bags, mask)
        return float(((np.asarray(logits) > 0) == target).mean())

    assert losses[-1] < 0.25 * losses[0]
    assert accuracy(parameters) < 0.65
    assert accuracy(trained) > 0.85


@pytest.mark.parametrize(
    ("attributes", "argument"),
    [
        ({"num_heads": 0}, "num_heads"),
        ({"num_heads": 4}, "num_heads"),
        ({"head_dim": 0}, "head_dim"),
        ({"features": 0}, "features"),
        ({"beta": -1.0}, "beta"),
        ({"beta": 0.0, "learn_beta": True}, "beta"),
        ({"update_steps": -1}, "update_steps"),
        ({"dropout_rate": 1.5}, "dropout_rate"),
        ({"dropout_rate": [0.1, 0.2]}, "dropout_rate"),
        ({"projections": False, "num_heads": 2}, r"\(num_heads, head_dim, features\)"),
    ],
)
def test_refuses_attributes(bad_input, attributes, argument):
    with pytest.raises(ValueError, match=f"^{argument}: "):
        Hopfield(**attributes).init(jax.random.key(0), *data())


@pytest.mark.parametrize(
    ("shapes", "argument"),
    [
        ([(6,), (5, 6), (5, 6), (5,)], "query"),
        ([(2, 3, 6), (5, 6), (5, 6), (5,)], "memories"),
        ([(2, 3, 6), (2, 5, 6), (2, 4, 6), (2, 5)], "values"),
        ([(2, 3, 6), (2, 5, 6), (2, 5, 6), (2, 4)], "mask"),
    ],
)
def test_refuses_inputs(bad_input, shapes, argument):
    arrays = [jnp.ones(shape) for shape in shapes[:3]]
    with pytest.raises(ValueError, match=f"^{argument}: "):
        Hopfield().init(jax.random.key(0), *arrays, jnp.ones(shapes[3], bool))


@pytest.mark.parametrize(
    ("layer", "argument"),
    [(HopfieldPooling(0), "num_queries"), (HopfieldLookup(0), "num_memories")],
)
def test_refuses_counts(bad_input, layer, argument):
    with pytest.raises(ValueError, match=f"^{argument}: "):
        layer.init(jax.random.key(0), data()[1])


@pytest.mark.parametrize(
    ("layer", "argument"), [(HopfieldPooling(), "memories"), (HopfieldLookup(3), "query")]
)
def test_refuses_a_single_pattern(bad_input, layer, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: expected shape \[\.\.\., "):
        layer.init(jax.random.key(0), jnp.ones(6))


def test_front_door_loads_the_layer_on_demand():
    import subprocess
    import sys

    code = (
        "import sys\nfrom jaxlab import hopfield\nassert 'flax' not in sys.modules\n"
        "hopfield.layer.Hopfield()\nassert 'flax' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
