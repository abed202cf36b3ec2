"""Predictions against matrix exponentials, trained linear models, scikit-learn and the goldens."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, linalg
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from jaxlab.ntk import predict, status
from tests.ntk.checks import SPLIT, WHOLE, sharded

RNG = np.random.default_rng(17)
TRAIN, TEST, OUTPUTS = 5, 3, 2
FEATURES = RNG.standard_normal((TRAIN + TEST, OUTPUTS, 30)) / 4  # Jacobian of a linear model
FULL = np.einsum("nap,mbp->nmab", FEATURES, FEATURES)
K_TRAIN, K_TEST = FULL[:TRAIN, :TRAIN], FULL[TRAIN:, :TRAIN]
MATRIX = K_TRAIN.transpose(0, 2, 1, 3).reshape(TRAIN * OUTPUTS, -1)
Y = RNG.standard_normal((TRAIN, OUTPUTS))
ONE_HOT = np.eye(OUTPUTS)[[0, 1, 1, 0, 1]]
F_TRAIN, F_TEST = RNG.standard_normal((TRAIN, OUTPUTS)), RNG.standard_normal((TEST, OUTPUTS))
START = {"f_train_0": F_TRAIN, "f_test_0": F_TEST, "k_test_train": K_TEST, "trace_axes": ()}
TIMES = np.array([0.0, 2.0, 40.0])
DUPLICATE = np.array([[2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [1.0, 1.0, 3.0]])  # two equal examples
DUPLICATE_Y = np.array([[1.0], [3.0], [2.0]])


def arrays(tree):
    """As jax's arrays, in float64 where that is enabled."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, tree
    )


def cross_entropy(f, y):
    return -jnp.mean(jax.nn.log_softmax(f) * y)


def squared(f, y):
    return jnp.mean((f - y) ** 2) / 2


@pytest.fixture
def reference(golden):
    with np.load(golden / "ntk" / "predict.npz") as stored:
        return {name: stored[name] for name in stored.files}


REGULARISATION = {
    "plain": {},
    "relative": {"diag_reg": 0.05},
    "absolute": {"diag_reg": 0.05, "absolute": True},
}


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(("form", "trace_axes"), [("full", ()), ("traced", (-1,))])
def test_reference_predictions(reference, form, trace_axes):
    r = arrays(reference)
    settings = {
        "f_train_0": r["f_train"],
        "f_test_0": r["f_test"],
        "k_test_train": r[f"{form}/ntk_test_train"],
        "learning_rate": 0.7,
        "trace_axes": trace_axes,
    }
    kernel = r[f"{form}/ntk_train_train"]

    def check(found, name, tolerance=1e-11):
        for part in ("train", "test"):
            expected = reference[f"{name}/{part}"]
            np.testing.assert_allclose(getattr(found, part), expected, rtol=0, atol=tolerance)
        assert jnp.all(found.status == status.OK)

    for label, regularisation in REGULARISATION.items():
        factor = predict.factorize(kernel, **regularisation)
        finite = predict.gradient_descent_mse(factor, r["y"], r["t"], **settings)
        check(finite, f"{form}/mse/{label}/finite")
        for method in ("eigh", "cholesky") if label == "relative" else ("eigh",):
            factor = predict.factorize(kernel, method=method, **regularisation)
            infinite = predict.gradient_descent_mse(factor, r["y"], **settings)
            check(infinite, f"{form}/mse/{label}/infinite")
    for name, momentum in (("cross_entropy", 0.9), ("mse", None)):
        if form == "traced":  # between the two forms, every pair of loss and rule
            momentum = None if momentum else 0.9
        found = predict.gradient_descent(
            {"cross_entropy": cross_entropy, "mse": squared}[name],
            kernel,
            r[{"cross_entropy": "one_hot", "mse": "y"}[name]],
            r["t_ode"],
            momentum=momentum,
            rtol=1e-9,
            atol=1e-9,
            **settings,
        )
        check(found, f"{form}/ode/{name}/{'momentum' if momentum else 'plain'}", 1e-6)
    for momentum in (0.0, 0.9):
        rate = predict.max_learning_rate(kernel, y_size=r["y"].size, momentum=momentum)
        np.testing.assert_allclose(rate, reference[f"{form}/max_learning_rate/{momentum}"])
    of = {
        kind: predict.factorize(r[f"{form}/{kind}_train_train"], diag_reg=0.05, method=method)
        for kind, method in (("nngp", "eigh"), ("ntk", "cholesky"))
    }
    prior = predict.Prior(
        *(r[f"{form}/nngp_{pair}"] for pair in ("train_train", "test_train", "test_test"))
    )
    found = {
        "nngp": predict.gp_inference(
            of["nngp"], r["y"], prior.test_train, prior.test_test, trace_axes=trace_axes
        ),
        "ntk": predict.gradient_descent_mse_ensemble(
            of["ntk"], r["y"], r[f"{form}/ntk_test_train"], prior, trace_axes=trace_axes
        ),
    }
    for kind, gaussian in found.items():
        for part in ("mean", "covariance"):
            expected = reference[f"{form}/gp/{kind}/{part}"]
            np.testing.assert_allclose(getattr(gaussian, part), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("label", ["plain", "relative"])
def test_reference_ensembles(reference, label):
    r = {
        name.removeprefix("ensemble/"): jnp.asarray(array)
        for name, array in reference.items()
        if name.startswith("ensemble/")
    }
    pairs = {"test": ("train_train", "test_train", "test_test"), "train": ("train_train",) * 3}
    for where in ("test",) if label == "relative" else ("test", "train"):
        nngp, ntk = ([r[f"{k}_{pair}"] for pair in pairs[where]] for k in ("nngp", "ntk"))
        of = [predict.factorize(k[0], **REGULARISATION[label]) for k in (nngp, ntk)]
        for time, t in (("finite", jnp.asarray(reference["t"])), ("infinite", None)):
            if where == "train" and t is None:
                continue  # the targets, without variance
            found = {
                "nngp": predict.gp_inference(of[0], r["y"], *nngp[1:], t, learning_rate=0.7),
                "ntk": predict.gradient_descent_mse_ensemble(
                    of[1], r["y"], ntk[1], predict.Prior(*nngp), t, learning_rate=0.7
                ),
            }
            for kind, gaussian in found.items():
                for part in ("mean", "covariance"):
                    expected = r[f"{label}/{time}/{where}/{kind}/{part}"]
                    np.testing.assert_allclose(getattr(gaussian, part), expected, atol=1e-9)


@pytest.mark.usefixtures("x64")
def test_mean_squared_error_by_matrix_exponential():
    factor = predict.factorize(jnp.asarray(K_TRAIN))
    found = predict.gradient_descent_mse(
        factor, jnp.asarray(Y), jnp.asarray(TIMES).reshape(3, 1), learning_rate=0.5, **arrays(START)
    )
    assert found.train.shape == (3, 1, TRAIN, OUTPUTS)
    test_matrix = K_TEST.transpose(0, 2, 1, 3).reshape(TEST * OUTPUTS, -1)
    for index, t in enumerate(TIMES):
        left = linalg.expm(-MATRIX * 0.5 * t / Y.size) @ (F_TRAIN - Y).ravel()
        np.testing.assert_allclose(found.train[index, 0].ravel(), Y.ravel() + left, atol=1e-12)
        dual = np.linalg.solve(MATRIX, (Y - F_TRAIN).ravel() + left)
        expected = F_TEST.ravel() + test_matrix @ dual
        np.testing.assert_allclose(found.test[index, 0].ravel(), expected, atol=1e-11)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("momentum", [None, 0.95])
def test_linear_model_trained_in_small_steps(momentum):
    train, test = (FEATURES[part].reshape(-1, 30) for part in (slice(TRAIN), slice(TRAIN, None)))

    def trained(rate, steps):
        weights, change = np.zeros(30), np.zeros(30)
        for _ in range(steps):
            slope = train.T @ (train @ weights + F_TRAIN.ravel() - Y.ravel()) / Y.size
            change = (momentum or 0.0) * change - rate * slope
            weights = weights + change
        return train @ weights + F_TRAIN.ravel(), test @ weights + F_TEST.ravel()

    # halving the step brings training closer to the prediction of the flow, and near enough
    errors = []
    for refine in (1, 2, 4):
        if momentum is None:
            rate, steps, mu = 0.8 / refine, 60 * refine, None
            found = predict.gradient_descent_mse(
                predict.factorize(jnp.asarray(K_TRAIN)),
                jnp.asarray(Y),
                steps,
                learning_rate=rate,
                **arrays(START),
            )
        else:  # with the step, 1 − μ and √η shrink alike
            rate, steps, mu = 0.08 / refine**2, 60 * refine, 1 - 0.05 / refine
            momentum = mu
            found = predict.gradient_descent(
                squared,
                jnp.asarray(K_TRAIN),
                jnp.asarray(Y),
                steps,
                learning_rate=rate,
                momentum=mu,
                **arrays(START),
            )
        ours = np.concatenate([found.train.ravel(), found.test.ravel()])
        errors.append(np.abs(ours - np.concatenate(trained(rate, steps))).max())
    assert errors[2] < 0.02
    assert 0.4 < errors[1] / errors[0] < 0.6
    assert 0.4 < errors[2] / errors[1] < 0.6


@pytest.mark.usefixtures("x64")
def test_any_loss_by_another_integrator():
    test_matrix = K_TEST.transpose(0, 2, 1, 3).reshape(TEST * OUTPUTS, -1)
    n = TRAIN * OUTPUTS

    def slope(_, f):
        values = f[:n].reshape(TRAIN, OUTPUTS)
        exp = np.exp(values - values.max(1, keepdims=True))
        push = (exp / exp.sum(1, keepdims=True) - ONE_HOT).ravel() / ONE_HOT.size
        return -np.concatenate([MATRIX @ push, test_matrix @ push])

    times = [30.0, 0.0, 3.0]  # in any order
    found = predict.gradient_descent(
        cross_entropy,
        jnp.asarray(K_TRAIN),
        jnp.asarray(ONE_HOT),
        jnp.asarray(times),
        learning_rate=2.0,
        rtol=1e-10,
        atol=1e-10,
        **arrays(START),
    )
    start = np.concatenate([F_TRAIN.ravel(), F_TEST.ravel()])
    expected = integrate.solve_ivp(
        slope, (0, 60), start, "DOP853", t_eval=[0, 6, 60], rtol=1e-11, atol=1e-11
    ).y.T[[2, 0, 1]]
    ours = np.concatenate([found.train.reshape(3, -1), found.test.reshape(3, -1)], 1)
    np.testing.assert_allclose(ours, expected, atol=1e-7)
    np.testing.assert_array_equal(found.train[1], F_TRAIN)
    assert found.status.tolist() == [status.OK] * 3


@pytest.mark.usefixtures("x64")
def test_traced_axes_are_a_kronecker_product():
    y = jnp.asarray(RNG.standard_normal((TRAIN, 4, OUTPUTS)))  # the kernel lacks the middle axis
    wide = np.einsum("nmab,cd->nmcdab", FULL, np.eye(4))
    results = []
    for kernel, trace_axes in ((FULL, (1,)), (wide, ())):
        factor = predict.factorize(jnp.asarray(kernel[:TRAIN, :TRAIN]))
        test = jnp.asarray(kernel[TRAIN:, :TRAIN])
        settings = {"k_test_train": test, "trace_axes": trace_axes}
        mse = predict.gradient_descent_mse(factor, y, 7.0, **settings)
        ridge = predict.kernel_ridge(factor, y, test, trace_axes=trace_axes)
        results.append((mse.train, mse.test, ridge.coefficients, ridge.test))
        assert mse.test.shape == (TEST, 4, OUTPUTS)
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    settings = {"k_test_train": jnp.asarray(K_TEST), "trace_axes": (1,), "rtol": 1e-9}
    ode = predict.gradient_descent(squared, jnp.asarray(K_TRAIN), y, 7.0, **settings)
    np.testing.assert_allclose(ode.train, results[0][0], atol=1e-6)
    np.testing.assert_allclose(ode.test, results[0][1], atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_regression_and_gaussian_process_against_scikit_learn():
    x, x_test = RNG.standard_normal((TRAIN, 2)), RNG.standard_normal((TEST, 2))
    kernel = RBF(1.3)
    theirs = GaussianProcessRegressor(kernel, alpha=0.2, optimizer=None).fit(x, Y[:, 0])
    mean, covariance = theirs.predict(x_test, return_cov=True)
    y = jnp.asarray(Y[:, :1])
    test = jnp.asarray(kernel(x_test, x))
    for method in ("eigh", "cholesky"):
        # its diagonal is 1, so that relative and absolute regularisation agree
        factor = predict.factorize(jnp.asarray(kernel(x)), diag_reg=0.2, method=method)
        ours = predict.gp_inference(factor, y, test, jnp.asarray(kernel(x_test)))
        np.testing.assert_allclose(ours.mean[:, 0], mean, rtol=1e-10)
        np.testing.assert_allclose(ours.covariance, covariance, rtol=1e-9)
        ridge = predict.kernel_ridge(factor, y, test)
        np.testing.assert_allclose(ridge.test[:, 0], mean, rtol=1e-10)
        np.testing.assert_allclose(ridge.coefficients[:, 0], theirs.alpha_, rtol=1e-10)
        np.testing.assert_allclose(ridge.train[:, 0], theirs.predict(x), rtol=1e-10)


@pytest.mark.usefixtures("x64")
def test_ensemble_is_the_image_of_its_initial_distribution():
    root = RNG.standard_normal((TRAIN + TEST, 12))
    joint = root @ root.T / 12  # of the outputs at initialisation
    theta = np.einsum("nmaa->nm", FULL) / OUTPUTS
    prior = predict.Prior(joint[:TRAIN, :TRAIN], joint[TRAIN:, :TRAIN], joint[TRAIN:, TRAIN:])
    factor = predict.factorize(jnp.asarray(theta[:TRAIN, :TRAIN]))
    found = predict.gradient_descent_mse_ensemble(
        factor, jnp.asarray(Y), jnp.asarray(theta[TRAIN:, :TRAIN]), arrays(prior), 9.0
    )
    decay = linalg.expm(-theta[:TRAIN, :TRAIN] * 9.0 / Y.size)
    pull = theta[TRAIN:, :TRAIN] @ np.linalg.solve(theta[:TRAIN, :TRAIN], np.eye(TRAIN) - decay)
    image = np.concatenate([-pull, np.eye(TEST)], 1)
    np.testing.assert_allclose(found.mean, pull @ Y, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, image @ joint @ image.T, rtol=1e-9)


def test_largest_stable_rate():
    momentum = 0.6
    rate = float(predict.max_learning_rate(jnp.asarray(K_TRAIN, jnp.float32), momentum=momentum))
    largest = np.linalg.eigvalsh(MATRIX)[-1]
    for factor, stable in ((0.99, True), (1.01, False)):
        step = 1 + momentum - factor * rate * largest / Y.size
        growth = np.abs(np.linalg.eigvals([[step, -momentum], [1, 0]])).max()
        assert (growth < 1) == stable
    assert jnp.isinf(predict.max_learning_rate(jnp.zeros((2, 2))))


def test_singular_kernel_at_finite_and_infinite_time():
    kernel, y = jnp.asarray(DUPLICATE, jnp.float32), jnp.asarray(DUPLICATE_Y, jnp.float32)
    factor = predict.factorize(kernel)
    times = jnp.array([0.0, 1.0, 1e4, 1e30, jnp.inf])
    found = predict.gradient_descent_mse(factor, y, times, k_test_train=kernel)
    assert found.status.tolist() == [status.OK] * 3 + [status.SINGULAR] * 2
    # the two equal examples end at the mean of their targets, but for rounding: 1e4/3 δ
    for index, tolerance in ((2, 7e-3), (3, 1e-4), (4, 1e-4)):
        np.testing.assert_allclose(found.train[index], [[2.0], [2.0], [2.0]], atol=tolerance)
    for index in range(5):
        np.testing.assert_allclose(found.test[index], found.train[index], atol=1e-2)
    forever = predict.gradient_descent_mse(factor, y, k_test_train=kernel)
    np.testing.assert_array_equal(forever.test, found.test[4])
    assert forever.status == status.SINGULAR
    # a covariance has gone twice as far
    zero = 2 * np.sqrt(3) * np.finfo(np.float32).eps * np.linalg.eigvalsh(DUPLICATE)[-1]
    times = jnp.float32([3 * 0.4 / zero, 3 * 0.6 / zero])
    for last, codes in ((None, [status.OK] * 2), (kernel, [status.OK, status.SINGULAR])):
        assert predict.gp_inference(factor, y, kernel, last, times).status.tolist() == codes
    ridge = predict.kernel_ridge(factor, y)
    assert ridge.status == status.SINGULAR
    np.testing.assert_allclose(ridge.train, [[2.0], [2.0], [2.0]], atol=1e-4)
    assert predict.factorize(kernel, method="cholesky").status == status.SINGULAR
    for method in ("eigh", "cholesky"):
        regular = predict.factorize(kernel, diag_reg=1e-3, method=method)
        found = predict.gradient_descent_mse(regular, y, k_test_train=kernel)
        assert found.status == status.OK
        np.testing.assert_allclose(found.test, [[2.0], [2.0], [2.0]], atol=1e-2)


def decaying(n):
    """Float32 kernel of ``n`` and of 50 more examples, eigenvalues from ``.6 n`` down to ``1e-4``.

    Most of them are below ``n ε λ_max``, which is more than rounding takes from them.
    """
    rng = np.random.default_rng(3)
    features = rng.standard_normal((n + 50, n)) / np.arange(1, n + 1) ** 0.9
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return np.float32(0.6 + 0.4 * features @ features[:n].T), rng.standard_normal((n, 2))


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("diag_reg", [1e-3, 1e-2])
def test_small_ridges_in_single_precision(diag_reg):
    n = 600
    kernel, y = decaying(n)
    exact = kernel.astype(np.float64)
    weights = np.linalg.solve(exact[:n] + diag_reg * np.eye(n), y)
    for method in ("eigh", "cholesky"):
        factor = predict.factorize(jnp.asarray(kernel[:n]), diag_reg=diag_reg, method=method)
        found = predict.kernel_ridge(factor, jnp.float32(y), jnp.asarray(kernel[n:]))
        assert found.status == status.OK
        assert relative(found.coefficients, weights) < 0.06
        assert relative(found.train, exact[:n] @ weights) < 0.06
        assert relative(found.test, exact[n:] @ weights) < 0.06


def low_rank(n, rank):
    root = np.random.default_rng(n).standard_normal((n, rank))
    return root @ root.T


SINGULAR_KERNELS = {
    "constant": np.ones((200, 200)),
    "duplicates": np.repeat(np.repeat(low_rank(40, 60), 2, 0), 2, 1),
    "low_rank": low_rank(300, 20),
    "one_duplicate": low_rank(60, 80)[np.ix_([*range(60), 0], [*range(60), 0])],
    "outputs": np.kron(low_rank(20, 7), np.eye(5)),
    "small": DUPLICATE,
}


@pytest.mark.parametrize("name", SINGULAR_KERNELS)
def test_which_ridges_stand_out_of_rounding(name):
    kernel = np.float32(SINGULAR_KERNELS[name])
    exact = kernel.astype(np.float64)
    n = len(kernel)
    unit = np.finfo(np.float32).eps * np.linalg.eigvalsh(exact)[-1]
    y = np.random.default_rng(1).standard_normal((n, 1))

    def regress(ridge):
        factor = predict.factorize(jnp.asarray(kernel), diag_reg=ridge, absolute=True)
        return predict.kernel_ridge(factor, jnp.float32(y))

    for below in (0.0, 1e-3, 0.5):
        found = regress(below * unit)
        assert found.status == status.SINGULAR
        # nothing is divided by rounding errors
        assert np.linalg.norm(found.coefficients) <= np.linalg.norm(y) / (2 * np.sqrt(n) * unit)
    for above in (60, 600):
        found = regress(above * unit)
        assert found.status == status.OK
        expected = np.linalg.solve(exact + above * unit * np.eye(n), y)
        assert relative(found.coefficients, expected) < 10 / above


def test_early_times_in_single_precision():
    n = 600
    kernel, y = decaying(n)
    values, vectors = np.linalg.eigh(kernel[:n].astype(np.float64))
    zero = 2 * np.sqrt(n) * np.finfo(np.float32).eps * values[-1]
    assert np.sum(values < zero) > 50
    factor = predict.factorize(jnp.asarray(kernel[:n]))
    tau = np.array([0.01, 0.1, 0.9]) / zero
    assert tau[0] * values[0] < 1 < tau[2] * values[n // 2]
    test = kernel[n:].astype(np.float64)
    found = predict.gradient_descent_mse(
        factor, jnp.float32(y), jnp.float32(tau * y.size), k_test_train=jnp.asarray(kernel[n:])
    )
    ensemble = predict.gradient_descent_mse_ensemble(
        factor, jnp.float32(y), jnp.asarray(kernel[n:]), t=jnp.float32(tau * y.size)
    )
    assert found.status.tolist() == ensemble.status.tolist() == [status.OK] * 3
    for index, time in enumerate(tau):
        modes = vectors.T @ y
        left = vectors @ (np.exp(-values * time)[:, None] * modes)
        assert relative(y - found.train[index], left) < 0.05
        dual = vectors @ ((-np.expm1(-values * time) / values)[:, None] * modes)
        assert relative(found.test[index], test @ dual) < 0.03
        assert relative(ensemble.mean[index], test @ dual) < 0.03


@pytest.mark.parametrize("name", SINGULAR_KERNELS)
def test_late_times_of_singular_kernels(name):
    """Outputs and their slopes stay finite, go on without a jump, and tend to those forever."""
    kernel = np.float32(SINGULAR_KERNELS[name])
    n = len(kernel)
    values, vectors = np.linalg.eigh(kernel.astype(np.float64))
    zero = 2 * np.sqrt(n) * np.finfo(np.float32).eps * values[-1]
    y = np.random.default_rng(1).standard_normal((n, 1))
    factor = predict.factorize(jnp.asarray(kernel))
    late = np.array([1e-3, 0.1, 0.999, 1.001, 10, 1e3, 1e12, np.inf])

    @jax.jit
    def after(t):
        found = predict.gradient_descent_mse(
            factor, jnp.float32(y), t, k_test_train=jnp.asarray(kernel)
        )
        return found.train, found.test, found.status

    t = jnp.float32(late / zero * n)
    train, test, codes = after(t)
    assert codes.tolist() == [status.OK] * 3 + [status.SINGULAR] * 5
    null = values < zero
    stays = vectors[:, null].T @ y
    for index, time in enumerate(late):
        left = np.where(null, 1, np.exp(-np.where(null, 1, values) * time / zero))
        expected = y - vectors @ (left[:, None] * (vectors.T @ y))
        bound = (min(time, 1 / time) + 0.01) * np.linalg.norm(stays)
        assert np.linalg.norm(train[index] - expected) < bound
        assert np.linalg.norm(test[index] - expected) < bound
    np.testing.assert_allclose(train[2], train[3], atol=0.01 * np.linalg.norm(stays))
    for outputs in zip(*after(jnp.float32([1e30, np.inf]))[:2], strict=True):
        np.testing.assert_allclose(*outputs, rtol=0, atol=1e-4)
    t = jnp.concatenate([jnp.zeros(1), t, jnp.float32([1e30])])
    slopes = jax.jvp(lambda t: after(t)[:2], (t,), (jnp.ones_like(t),))[1]
    back = jax.grad(lambda t: sum(jnp.sum(part) for part in after(t)[:2]))(t)
    assert all(jnp.all(jnp.isfinite(slope)) for slope in (*slopes, back))


def test_status_of_bad_kernels_and_of_bad_outputs():
    y = jnp.ones((2, 1))
    indefinite = predict.factorize(jnp.diag(jnp.array([1.0, -0.5])))
    assert indefinite.status == status.INDEFINITE
    assert predict.gradient_descent_mse(indefinite, y, 1.0).status == status.INDEFINITE
    for method in ("eigh", "cholesky"):
        broken = predict.factorize(jnp.array([[1.0, jnp.nan], [jnp.nan, 1.0]]), method=method)
        assert predict.kernel_ridge(broken, y).status == status.NOT_FINITE
    factor = predict.factorize(jnp.eye(2))
    test = jnp.array([[1.0, 0.5], [jnp.nan, 0.5]])
    found = predict.gradient_descent_mse(factor, y, 1.0, k_test_train=test)
    assert found.status == status.NOT_FINITE
    assert jnp.isfinite(found.test[:, 0]).tolist() == [True, False]  # nor does NaN spread


@pytest.mark.usefixtures("x64")
def test_statuses_are_32_bits_wide():
    y, kernel = jnp.asarray(Y), jnp.asarray(K_TRAIN)
    times = jnp.asarray(TIMES)
    for method in ("eigh", "cholesky"):
        factor = predict.factorize(kernel, method=method)
        assert factor.status.dtype == jnp.int32
        assert predict.kernel_ridge(factor, y, trace_axes=()).status.dtype == jnp.int32
    factor = predict.factorize(kernel)
    found = predict.gradient_descent_mse(factor, y, times, **arrays(START))
    assert found.status.dtype == jnp.int32
    wide = factor._replace(status=factor.status.astype(jnp.int64))
    found = predict.gradient_descent_mse(wide, y, times, **arrays(START))
    assert found.status.dtype == jnp.int32
    flow = predict.gradient_descent(squared, kernel, y, 1.0, trace_axes=())
    assert flow.status.dtype == jnp.int32


@pytest.mark.parametrize(
    "name", ["k_train_train", "y_train", "f_train_0", "k_test_train", "f_test_0"]
)
def test_inputs_of_the_integrator_that_are_not_finite(name):
    arguments = {
        "k_train_train": jnp.eye(2),
        "y_train": jnp.ones((2, 1)),
        "f_train_0": jnp.zeros((2, 1)),
        "k_test_train": jnp.ones((1, 2)),
        "f_test_0": jnp.zeros((1, 1)),
    }

    def outcome(value):
        spoilt = arguments | {name: arguments[name].at[0, 0].set(value)}
        return predict.gradient_descent(squared, t=1.0, max_steps=50, **spoilt).status

    found = jax.jit(jax.vmap(outcome))(jnp.array([0.5, jnp.nan, jnp.inf]))
    assert found.tolist() == [status.OK, status.NOT_FINITE, status.NOT_FINITE]


def test_status_of_the_integrator():
    kernel, y = jnp.eye(2), jnp.ones((2, 1))
    short = predict.gradient_descent(squared, kernel, y, jnp.array([0.1, 1e5]), max_steps=40)
    assert short.status.tolist() == [status.OK, status.NOT_CONVERGED]
    assert jnp.all(jnp.isfinite(short.train))
    # df/dt = 4 f³ reaches infinity at t = 1/8
    away = predict.gradient_descent(
        lambda f, y: -jnp.sum(f**4), kernel, y, jnp.array([0.1, 1.0]), f_train_0=1.0, max_steps=200
    )
    np.testing.assert_allclose(away.train[0], (1 - 0.8) ** -0.5, rtol=1e-4)
    assert away.status[0] == status.OK
    assert away.status[1] != status.OK
    still = predict.gradient_descent(
        squared, jnp.zeros((2, 2)), y, jnp.array([1.0, 1e6]), f_train_0=0.5, max_steps=40
    )
    assert still.status.tolist() == [status.OK] * 2
    np.testing.assert_array_equal(still.train, 0.5)


@pytest.mark.usefixtures("x64")
def test_transformations_of_closed_forms():
    y, start = jnp.asarray(Y), arrays(START)

    def outputs(kernel, y, t, method="eigh"):
        factor = predict.factorize(kernel, method=method)
        found = predict.gradient_descent_mse(factor, y, t, **start)
        return found.train, found.test

    kernels = jnp.stack([jnp.asarray(K_TRAIN), 2 * jnp.asarray(K_TRAIN)])
    mapped = jax.jit(jax.vmap(outputs, (0, None, None)))(kernels, y, 3.0)
    for index, kernel in enumerate(kernels):
        for ours, theirs in zip(mapped, outputs(kernel, y, 3.0), strict=True):
            np.testing.assert_allclose(ours[index], theirs, rtol=1e-10)
    # in time: df/dt = −K (f − y) / n
    (train, _), (slope, _) = jax.jvp(lambda t: outputs(kernels[0], y, t), (3.0,), (1.0,))
    expected = -MATRIX @ (train - y).ravel() / y.size
    np.testing.assert_allclose(slope.ravel(), expected, rtol=1e-10)
    # in the kernel, through the Cholesky factor
    direction = jnp.einsum("nm,ab->nmab", jnp.eye(TRAIN), jnp.eye(OUTPUTS))

    @jax.jit
    def total(step):
        return jnp.sum(outputs(kernels[0] + step * direction, y, None, "cholesky")[1] ** 2)

    h = 1e-5
    np.testing.assert_allclose(jax.grad(total)(0.0), (total(h) - total(-h)) / (2 * h), rtol=1e-5)


@pytest.mark.usefixtures("x64")
def test_derivatives_at_infinite_time():
    """Through the eigenvalues as through the Cholesky factor, and nothing changes any more."""
    kernel, y = jnp.asarray(K_TRAIN), jnp.asarray(Y)
    across, last = jnp.asarray(K_TEST), jnp.asarray(FULL[TRAIN:, TRAIN:])
    prior = predict.Prior(kernel, across, last)
    shift = jnp.einsum("nm,ab->nmab", jnp.diag(jnp.arange(1.0, 6.0)), jnp.eye(OUTPUTS))

    @functools.partial(jax.jit, static_argnames="method")
    def total(step, diag_reg, rate, method):
        factor = predict.factorize(kernel + step * shift, diag_reg=diag_reg, method=method)
        options = {"learning_rate": rate, "trace_axes": ()}
        found = (
            predict.kernel_ridge(factor, y, across, trace_axes=()),
            predict.gradient_descent_mse(factor, y, k_test_train=across, **options),
            predict.gp_inference(factor, y, across, last, **options),
            predict.gradient_descent_mse_ensemble(factor, y, across, prior, **options),
        )
        parts = [part for part in jax.tree.leaves(found) if part.dtype == jnp.float64]
        return sum(jnp.sum(jnp.sin(part)) for part in parts)

    found, expected = (
        jax.grad(total, argnums=(0, 1, 2))(0.3, 0.1, 0.7, method) for method in ("eigh", "cholesky")
    )
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert found[2] == 0
    for index, ours in enumerate(found):
        direction = tuple(float(index == other) for other in range(3))
        forward = jax.jvp(lambda *at: total(*at, "eigh"), (0.3, 0.1, 0.7), direction)[1]
        np.testing.assert_allclose(forward, ours, rtol=1e-8)
    # a null eigenvalue stays null
    singular = predict.factorize(jnp.diag(jnp.array([0.0, 1.0, 2.0])))

    def fitted(eigenvalues):
        ones = jnp.ones((3, 1))
        factor = singular._replace(eigenvalues=eigenvalues)
        return jnp.sum(predict.gradient_descent_mse(factor, ones, k_test_train=ones.T).test)

    np.testing.assert_allclose(jax.grad(fitted)(singular.eigenvalues), [0, -1, -1 / 4])


@pytest.mark.usefixtures("x64")
def test_derivatives_in_the_ridge_where_eigenvalues_coincide():
    kernel = jnp.einsum("nm,op->nmop", jnp.array([[2.0, 1.0], [1.0, 3.0]]), jnp.eye(2))
    y, across = jnp.array([[1.0, 2.0], [3.0, 4.0]]), kernel[:1]

    @functools.partial(jax.jit, static_argnames=("absolute", "method"))
    def total(diag_reg, absolute, method):
        factor = predict.factorize(kernel, diag_reg=diag_reg, absolute=absolute, method=method)
        ridge = predict.kernel_ridge(factor, y, across, trace_axes=())
        posterior = predict.gp_inference(factor, y, across, kernel[:1, :1], trace_axes=())
        return jnp.sum(ridge.train + ridge.test) + jnp.sum(posterior.covariance**2)

    for absolute in (False, True):
        ours, expected = (jax.grad(total)(0.3, absolute, method) for method in ("eigh", "cholesky"))
        np.testing.assert_allclose(ours, expected, rtol=1e-10)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("rounding", [0.0, 1e-17, -1e-17])
def test_derivatives_in_eigenvalues_at_zero(rounding):
    """At zero what is left of the targets has the slope ``−τ``, what was learnt ``−τ²/2``."""
    factor = predict.factorize(jnp.diag(jnp.array([0.0, 1e-7, 1e-4, 1.0])))
    values = factor.eigenvalues.at[0].add(rounding)
    ones, tau = jnp.ones((4, 1)), 3.0

    def after(values):
        moved = factor._replace(eigenvalues=values)
        found = predict.gradient_descent_mse(moved, ones, 4 * tau, k_test_train=jnp.eye(4))
        return found.train.ravel(), found.test.ravel()

    left, learnt = (jnp.diag(slope) for slope in jax.jit(jax.jacrev(after))(values))
    x = values * tau
    np.testing.assert_allclose(left, tau * jnp.exp(-x), rtol=1e-12)
    slope = -(tau**2) * (1 / 2 - x / 3 + x**2 / 8)  # of (1 − e^{−λτ})/λ
    np.testing.assert_allclose(learnt[:3], slope[:3], rtol=1e-8)
    at_one = (tau * jnp.exp(-tau) + jnp.expm1(-tau)).item()
    np.testing.assert_allclose(learnt[3], at_one, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_derivatives_in_time_where_it_begins():
    """A covariance falls at the rate ``2 η k_* k_*ᵀ/n``, a mean rises at ``η k_* y/n``."""
    kernel = jnp.diag(jnp.array([1.0, 2.0, 4.0]))
    y = jnp.array([[1.0], [2.0], [3.0]])

    def after(t):
        found = predict.gp_inference(predict.factorize(kernel), y, kernel, kernel, t)
        return found.mean, found.covariance

    mean, covariance = jax.jacrev(after)(0.0)
    np.testing.assert_allclose(mean, kernel @ y / 3, rtol=1e-12)
    np.testing.assert_allclose(covariance, -2 * kernel @ kernel / 3, rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_derivative_of_the_flow_in_forward_mode():
    def after(rate):
        return predict.gradient_descent(
            squared, jnp.asarray(K_TRAIN), jnp.asarray(Y), 5.0, learning_rate=rate, **arrays(START)
        ).train

    train, slope = jax.jvp(after, (0.5,), (1.0,))
    expected = -MATRIX @ (train - Y).ravel() / Y.size * 5.0  # time is η t
    np.testing.assert_allclose(slope.ravel(), expected, rtol=1e-3)


@pytest.mark.parametrize("momentum", [None, 0.5])
def test_derivative_of_the_flow_at_outputs_of_zero(momentum):
    kernel, y = jnp.eye(2), jnp.array([[1.0], [2.0]])

    def after(start):
        return predict.gradient_descent(
            squared, kernel, y, 3.0, f_train_0=start, momentum=momentum
        ).train

    # the outputs are affine in those at the start, and from the targets they do not move
    train, slope = jax.jit(lambda start: jax.jvp(after, (start,), (y,)))(jnp.zeros_like(y))
    np.testing.assert_allclose(slope, y - train, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-20, 1e16, 1e24])
def test_flow_of_kernels_whose_squares_are_no_numbers(scale):
    settings = {"learning_rate": 1 / scale}
    kernel, y = jnp.float32(scale * MATRIX[:3, :3]), jnp.float32(Y[:3, :1])
    times = jnp.array([1.0, 10.0])
    found = predict.gradient_descent(squared, kernel, y, times, **settings)
    expected = predict.gradient_descent_mse(predict.factorize(kernel), y, times, **settings)
    assert found.status.tolist() == [status.OK] * 2
    np.testing.assert_allclose(found.train, expected.train, atol=1e-5)


@pytest.mark.parametrize(("momentum", "check_vma"), [(None, True), (0.5, True), (0.5, False)])
@pytest.mark.parametrize("differs", ["y", "kernel", "scale"])
def test_flows_on_devices_that_differ(devices, differs, momentum, check_vma):
    """Targets, kernel, or a number that the loss closes over: each device follows its own flow."""
    shared = {"y": jnp.ones((1, 2, 1)), "kernel": jnp.eye(2)[None], "scale": jnp.ones(1)}
    factors = jnp.arange(1.0, 9.0)
    split = {differs: shared[differs] * factors.reshape(8, *[1] * (shared[differs].ndim - 1))}

    def after(y, kernel, scale):
        found = predict.gradient_descent(
            lambda f, y: scale[0] * squared(f, y),
            kernel[0],
            y[0],
            jnp.array([0.5, 4.0]),
            k_test_train=jnp.ones((1, 2)),
            momentum=momentum,
        )
        return found.train[None], found.test[None], found.status[None]

    specs = [SPLIT if name == differs else WHOLE for name in shared]
    got = sharded(after, *specs, check_vma=check_vma)(*(shared | split).values())
    assert not got[2].any()
    for device in (0, 3, 7):
        own = shared | {differs: split[differs][device : device + 1]}
        for ours, theirs in zip(got[:2], after(*own.values()), strict=False):
            np.testing.assert_allclose(ours[device], theirs[0], rtol=1e-4, atol=1e-5)


def test_half_precision_kernels_and_integer_targets():
    kernel = jnp.array([[2.0, 1.0], [1.0, 2.0]], jnp.bfloat16)
    found = predict.gradient_descent_mse(predict.factorize(kernel), jnp.array([[1], [0]]))
    assert found.train.dtype == jnp.float32
    np.testing.assert_array_equal(found.train, [[1.0], [0.0]])
    no_test = jnp.zeros((0, 2), jnp.bfloat16)
    assert predict.kernel_ridge(predict.factorize(kernel), found.train, no_test).test.shape == (
        0,
        1,
    )


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    kernel, y = jnp.eye(2), jnp.ones((2, 1))
    factor, cholesky = predict.factorize(kernel), predict.factorize(kernel, method="cholesky")
    mse, gp = predict.gradient_descent_mse, predict.gp_inference
    ode, ensemble = predict.gradient_descent, predict.gradient_descent_mse_ensemble
    one = jnp.ones((1, 2))
    cases = [
        (lambda: predict.factorize(jnp.ones((2, 2, 1))), "k_train_train: expected a kernel with"),
        (lambda: predict.factorize(jnp.ones((2, 3))), "k_train_train: expected a kernel of one"),
        (lambda: predict.factorize(jnp.ones((0, 0))), "at least one training example"),
        (lambda: predict.factorize(jnp.eye(2, dtype=int)), "dtype floating"),
        (lambda: predict.factorize(kernel, diag_reg=-1.0), "diag_reg: expected a finite number >="),
        (lambda: predict.factorize(kernel, method="lu"), "method: expected one of 'eigh'"),
        (lambda: mse(factor, jnp.ones((3, 1))), "y_train: expected 2 entries without"),
        (lambda: mse(factor, jnp.ones((2, 3)), trace_axes=()), "y_train: expected 2 entries"),
        (lambda: mse(factor, y, trace_axes=(2,)), "trace_axes: expected an axis"),
        (lambda: mse(factor, y, trace_axes=(0, 1)), "trace_axes: expected at least one axis"),
        (lambda: mse(factor, y, -1.0), "t: expected a finite number >= 0"),
        (lambda: mse(factor, y, jnp.nan), "t: expected a finite number >= 0"),
        (lambda: mse(factor, y, "late"), "t: expected real numbers"),
        (lambda: mse(factor, y, learning_rate=0.0), "learning_rate"),
        (lambda: mse(cholesky, y, 1.0), "method='eigh' for finite times"),
        (lambda: mse(factor, y, f_test_0=0.0), "k_test_train: expected a kernel, to predict"),
        (lambda: mse(factor, y, f_train_0=jnp.ones((2, 2))), "f_train_0: expected a number or"),
        (lambda: mse(factor, y, k_test_train=jnp.ones((1, 3))), "k_test_train: expected a kernel"),
        (lambda: mse(factor, y, k_test_train=jnp.ones((1, 2, 1))), "with axes in pairs"),
        (lambda: mse(factor, y, f_test_0=y, k_test_train=one), "f_test_0"),
        (lambda: predict.kernel_ridge(factor, y, jnp.ones((1, 3))), "k_test_train"),
        (lambda: gp(factor, y, None), "k_test_train: expected a kernel, to predict"),
        (lambda: gp(factor, y, one, jnp.ones((1, 2))), "k_test_test: expected shape"),
        (lambda: gp(cholesky, y, one, None, 1.0), "method='eigh' for finite times"),
        (
            lambda: ensemble(factor, y, one, predict.Prior(jnp.eye(3), one, jnp.eye(1))),
            "prior.train_train",
        ),
        (
            lambda: ensemble(factor, y, one, predict.Prior(kernel, kernel, jnp.eye(1))),
            "prior.test_train",
        ),
        (lambda: ode(lambda f, y: f - y, kernel, y, 1.0), "loss: expected a function"),
        (lambda: ode(squared, kernel, y, jnp.inf), "t: expected a finite number"),
        (lambda: ode(squared, kernel, y, 1.0, f_test_0=0.0), "k_test_train"),
        (lambda: ode(squared, kernel, y, 1.0, max_steps=0), "max_steps"),
        (lambda: ode(squared, kernel, y, 1.0, rtol=-1.0), "rtol"),
        (lambda: ode(squared, kernel, y, 1.0, atol=0.0), "atol: expected a finite number > 0"),
        (lambda: ode(squared, kernel, y, 1.0, momentum=jnp.ones(2)), "momentum"),
        (lambda: ode(squared, kernel, y, 1.0, momentum=2.0), "momentum: .* <= 1"),
        (lambda: ode(squared, jnp.ones((0, 0)), y[:0], 1.0), "at least one training example"),
        (lambda: ode(squared, jnp.ones((2, 3)), y, 1.0), "k_train_train"),
        (lambda: mse(kernel, y), "factor: expected what factorize"),
        (lambda: gp(kernel, y, one), "factor: expected what factorize"),
        (lambda: predict.kernel_ridge(kernel, y), "factor: expected what factorize"),
        *(
            (functools.partial(predict_, *arguments, trace_axes=-1), "trace_axes: expected a tuple")
            for predict_, *arguments in (
                (mse, factor, y),
                (gp, factor, y, one),
                (ensemble, factor, y, one),
                (ode, squared, kernel, y, 1.0),
                (predict.kernel_ridge, factor, y),
            )
        ),
        (lambda: predict.max_learning_rate(kernel, momentum=2.0), "momentum"),
        (lambda: predict.max_learning_rate(kernel, y_size=0), "y_size"),
        (lambda: predict.max_learning_rate(jnp.ones((2, 3))), "k_train_train"),
    ]
    assert predict.kernel_ridge(factor, y, trace_axes=[-1]).train.shape == (2, 1)
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
