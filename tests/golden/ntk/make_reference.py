"""Regenerate what jaxlab is compared with: kernels, predictions and times of neural-tangents.

Run by ``make reference`` in an environment of its own; it imports the networks of ``tests/ntk``
and nothing of jaxlab. ``tests/golden/README.md`` describes every array.

    python make_reference.py empirical predict analytic     # the arrays beside this file
    python make_reference.py timings                        # tests/benchmarks/ntk_reference.json
"""

import json
import os
import platform
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path

if "timings" in sys.argv:
    # The old CPU compiler reports its temporary memory in a file only.
    DUMP = Path(tempfile.mkdtemp(prefix="xla-"))
    os.environ["XLA_FLAGS"] = (
        f"--xla_dump_to={DUMP} --xla_dump_hlo_as_text --xla_dump_hlo_module_re=.*timed_kernel.*"
    )
else:
    # Programs here run once: optimising them costs more than it saves.
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"

import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

HERE = Path(__file__).resolve().parent
TESTS = HERE.parents[1]
sys.path.insert(0, str(TESTS / "ntk"))

from cases import CASES  # noqa: E402
from nets import NETS  # noqa: E402

IMPLEMENTATIONS = {
    "jacobian": nt.NtkImplementation.JACOBIAN_CONTRACTION,
    "vector_products": nt.NtkImplementation.NTK_VECTOR_PRODUCTS,
    "structured": nt.NtkImplementation.STRUCTURED_DERIVATIVES,
}

# Networks that the library refuses, and why.
UNSUPPORTED = {"integer_and_none": "its Jacobians are taken by every leaf, integers included"}

# (trace_axes, diagonal_axes, second batch) beyond the plain kernel between x1 and x2.
VARIANTS = {
    "fc_standard": [((-1,), (), "x2"), ((), (-1,), "x2"), ((), (), "x1"), ((), (0,), "x1")],
    "conv_strided": [((-1,), (), "x2"), ((), (-1,), "x1")],
    "transformer_tied": [((-1,), (), "x2"), ((), (0, -1), "x1")],
    "batch_norm_training": [((-1,), (), "x2"), ((0,), (1,), "x1")],
    "scalar_output": [((), (), "x1"), ((), (0,), "x1")],
    "extra_output_axes": [
        ((-1,), (), "x2"),
        ((1, 2), (), "x2"),
        ((), (1,), "x2"),
        ((1,), (2,), "x2"),
        ((2,), (1,), "x2"),
        ((0,), (), "x1"),
        ((-1,), (0, 1), "x1"),
    ],
}


def main() -> None:
    parts = {
        "empirical": empirical,
        "predict": predict,
        "analytic": analytic,
        "timings": timings,
    }
    for name in sys.argv[1:]:
        # float64 for the arrays, float32 for the times.
        jax.config.update("jax_enable_x64", name != "timings")
        parts[name]()


def save(name: str, arrays: dict) -> None:
    """One compressed file beside this script."""
    path = HERE / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: {len(arrays)} arrays, {path.stat().st_size} bytes")


def relative_difference(one, two) -> float:
    scale = max(float(np.abs(two).max()), 1e-300)
    return float(np.abs(one - two).max()) / scale


# --- Kernels of finite networks ----------------------------------------------------------------


def empirical() -> None:
    arrays = {}
    worst = 0.0
    for name, net in NETS.items():
        if name in UNSUPPORTED:
            continue
        for key, value in (("params", net.params), ("x1", net.x1), ("x2", net.x2)):
            leaves = [np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(value)]
            arrays[f"{name}/{key}"] = np.concatenate(leaves)
        for variant in [((), (), "x2"), *VARIANTS.get(name, [])]:
            trace, diagonal, second = variant
            found = {
                key: kernel_leaves(net, trace, diagonal, second, implementation)
                for key, implementation in IMPLEMENTATIONS.items()
            }
            for key, leaves in found.items():
                for one, two in zip(leaves, found["jacobian"], strict=True):
                    difference = relative_difference(one, two)
                    assert difference < 1e-10, (name, variant, key, difference)
                    worst = max(worst, difference)
            label = "/".join(",".join(map(str, axes)) or "none" for axes in (trace, diagonal))
            for i, leaf in enumerate(found["structured"]):
                arrays[f"{name}/kernel/{label}/{second}/{i}"] = leaf
        print(name, flush=True)
    print(f"implementations differ by at most {worst:.1e}")
    save("empirical", arrays)


def kernel_leaves(net, trace, diagonal, second, implementation) -> list[np.ndarray]:
    kernel_fn = nt.empirical_ntk_fn(
        net.apply_fn,
        trace_axes=trace,
        diagonal_axes=diagonal,
        vmap_axes=0 if net.independent else None,
        implementation=implementation,
    )
    params = jax.tree_util.tree_map(jnp.asarray, net.params)
    x2 = net.x2 if second == "x2" else None
    kernel = jax.jit(lambda x1, x2, params: kernel_fn(x1, x2, params))(net.x1, x2, params)
    return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(kernel)]


# --- Predictions -------------------------------------------------------------------------------


def predict() -> None:
    rng = np.random.default_rng(20220617)
    arrays = {}
    train, test, outputs, inputs, width = 5, 3, 3, 4, 16

    # Kernels of a one-hidden-layer network, so that they are positive definite but not diagonal.
    params = (rng.standard_normal((inputs, width)), rng.standard_normal((width, outputs)))

    def apply_fn(params, x):
        return jnp.tanh(x @ params[0] / inputs**0.5) @ params[1] / width**0.5

    x = {"train": rng.standard_normal((train, inputs)), "test": rng.standard_normal((test, inputs))}
    for trace_axes, label in (((), "full"), ((-1,), "traced")):
        kernel_fn = nt.empirical_kernel_fn(apply_fn, trace_axes=trace_axes)
        for one, two in (("train", "train"), ("test", "train"), ("test", "test")):
            kernels = kernel_fn(x[one], x[two], ("nngp", "ntk"), params)
            # The outer product of few outputs is singular: a multiple of the identity is added.
            nngp = np.asarray(kernels.nngp)
            if one == two:
                nngp = nngp + 0.3 * unit(len(x[one]), outputs, label)
            arrays[f"{label}/nngp_{one}_{two}"] = nngp
            arrays[f"{label}/ntk_{one}_{two}"] = np.asarray(kernels.ntk)
    y = rng.standard_normal((train, outputs))
    one_hot = np.eye(outputs)[rng.integers(0, outputs, train)]
    arrays |= {
        "y": y,
        "one_hot": one_hot,
        "f_train": np.asarray(apply_fn(params, x["train"])),
        "f_test": np.asarray(apply_fn(params, x["test"])),
        "t": np.array([0.0, 0.5, 3.0, 20.0, 500.0]),
        "t_ode": np.array([0.0, 0.5, 3.0, 20.0]),
        "learning_rate": np.array(0.7),
        "diag_reg": np.array(0.05),
        "momentum": np.array(0.9),
    }
    for label, trace_axes in (("full", ()), ("traced", (-1,))):
        gradient_descent_mse(arrays, label, trace_axes)
        gradient_descent(arrays, label, trace_axes)
        gp_inference(arrays, label, trace_axes)
        k = arrays[f"{label}/ntk_train_train"]
        for momentum in (0.0, 0.9):
            rate = nt.predict.max_learning_rate(
                jnp.asarray(k), y_train_size=y.size, momentum=momentum
            )
            arrays[f"{label}/max_learning_rate/{momentum}"] = np.asarray(rate)
    ensemble(arrays, rng)
    save("predict", {key: np.asarray(value) for key, value in arrays.items()})


def unit(examples: int, outputs: int, label: str) -> np.ndarray:
    """The identity in the shape of a kernel."""
    if label == "traced":
        return np.eye(examples)
    return np.einsum("nm,op->nmop", np.eye(examples), np.eye(outputs))


def gradient_descent_mse(arrays: dict, label: str, trace_axes: tuple) -> None:
    for regularised, settings in (
        ("plain", {}),
        ("relative", {"diag_reg": 0.05}),
        ("absolute", {"diag_reg": 0.05, "diag_reg_absolute_scale": True}),
    ):
        predict_fn = nt.predict.gradient_descent_mse(
            jnp.asarray(arrays[f"{label}/ntk_train_train"]),
            jnp.asarray(arrays["y"]),
            learning_rate=0.7,
            trace_axes=trace_axes,
            **settings,
        )
        for time_label, t in (("finite", arrays["t"]), ("infinite", None)):
            f_train, f_test = predict_fn(
                t, arrays["f_train"], arrays["f_test"], arrays[f"{label}/ntk_test_train"]
            )
            arrays[f"{label}/mse/{regularised}/{time_label}/train"] = f_train
            arrays[f"{label}/mse/{regularised}/{time_label}/test"] = f_test


def gradient_descent(arrays: dict, label: str, trace_axes: tuple) -> None:
    losses = {
        "cross_entropy": (lambda f, y: -jnp.mean(jax.nn.log_softmax(f) * y), "one_hot"),
        "mse": (lambda f, y: 0.5 * jnp.mean((f - y) ** 2), "y"),
    }
    for name, (loss, target) in losses.items():
        for momentum in (None, 0.9):
            predict_fn = nt.predict.gradient_descent(
                loss,
                jnp.asarray(arrays[f"{label}/ntk_train_train"]),
                jnp.asarray(arrays[target]),
                learning_rate=0.7,
                momentum=momentum,
                trace_axes=trace_axes,
            )
            f_train, f_test = predict_fn(
                arrays["t_ode"],
                arrays["f_train"],
                arrays["f_test"],
                jnp.asarray(arrays[f"{label}/ntk_test_train"]),
            )
            key = f"{label}/ode/{name}/{'plain' if momentum is None else 'momentum'}"
            arrays[f"{key}/train"] = f_train
            arrays[f"{key}/test"] = f_test


def gp_inference(arrays: dict, label: str, trace_axes: tuple) -> None:
    def kernels(one, two):
        found = (jnp.asarray(arrays[f"{label}/{kind}_{one}_{two}"]) for kind in ("nngp", "ntk"))
        return namedtuple("Kernels", ["nngp", "ntk"])(*found)

    predict_fn = nt.predict.gp_inference(
        kernels("train", "train"), jnp.asarray(arrays["y"]), diag_reg=0.05, trace_axes=trace_axes
    )
    found = predict_fn(("nngp", "ntk"), kernels("test", "train"), kernels("test", "test"))
    for kind in ("nngp", "ntk"):
        arrays[f"{label}/gp/{kind}/mean"] = getattr(found, kind).mean
        arrays[f"{label}/gp/{kind}/covariance"] = getattr(found, kind).covariance


def ensemble(arrays: dict, rng: np.random.Generator) -> None:
    x_train, x_test = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    y = rng.standard_normal((6, 2))
    kernel_fn = network("erf", 2, 1.5, 0.2)
    arrays |= {"ensemble/x_train": x_train, "ensemble/x_test": x_test, "ensemble/y": y}
    for one, two, label in (
        (x_train, x_train, "train_train"),
        (x_test, x_train, "test_train"),
        (x_test, x_test, "test_test"),
    ):
        kernels = kernel_fn(one, two, ("nngp", "ntk"))
        arrays[f"ensemble/nngp_{label}"] = kernels.nngp
        arrays[f"ensemble/ntk_{label}"] = kernels.ntk
    for regularised, diag_reg in (("plain", 0.0), ("relative", 0.05)):
        predict_fn = nt.predict.gradient_descent_mse_ensemble(
            kernel_fn, x_train, y, learning_rate=0.7, diag_reg=diag_reg
        )
        for time_label, t in (("finite", arrays["t"]), ("infinite", None)):
            for where, x in (("test", x_test), ("train", None)):
                found = predict_fn(t, x, ("nngp", "ntk"), compute_cov=True)
                for kind in ("nngp", "ntk"):
                    key = f"ensemble/{regularised}/{time_label}/{where}/{kind}"
                    arrays[f"{key}/mean"] = getattr(found, kind).mean
                    arrays[f"{key}/covariance"] = getattr(found, kind).covariance


# --- Infinite width ----------------------------------------------------------------------------

ACTIVATIONS = {"relu": stax.Relu, "erf": stax.Erf, "identity": stax.Identity}
SETTINGS = np.array([[1.5, 0.2], [2**0.5, 0.0], [0.8, 1.0]])
DEPTHS = np.arange(1, 5)


def network(activation: str, depth: int, sigma_w: float, sigma_b: float):
    """Kernel function of ``depth`` hidden layers and a linear one after them."""
    dense = stax.Dense(1, W_std=sigma_w, b_std=sigma_b, parameterization="ntk")
    layers = [dense, ACTIVATIONS[activation]()] * depth + [dense]
    return stax.serial(*layers)[2]


def analytic() -> None:
    rng = np.random.default_rng(20200226)
    x1, x2 = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    # Equal, opposite and merely parallel inputs: the angle between them is 0 or π.
    x2[1], x2[2], x2[3] = x1[0], -x1[1], 2 * x1[2]
    arrays = {
        "x1": x1,
        "x2": x2,
        "activations": np.array(list(ACTIVATIONS)),
        "settings": SETTINGS,
        "depths": DEPTHS,
    }
    for batch, second in (("x1_x2", x2), ("x1_x1", None)):
        found = [
            [
                [
                    network(activation, int(depth), *setting)(x1, second, ("nngp", "ntk"))
                    for depth in DEPTHS
                ]
                for setting in SETTINGS
            ]
            for activation in ACTIVATIONS
        ]
        for kind in ("nngp", "ntk"):
            arrays[f"{kind}_{batch}"] = np.array(
                [[[getattr(k, kind) for k in row] for row in rows] for rows in found]
            )
    save("analytic", arrays)


# --- Times -------------------------------------------------------------------------------------


def timings() -> None:
    results = {}
    for name, make in CASES.items():
        case = make()
        params = jax.device_put(case.params)
        x1, x2 = jax.device_put((case.x1, case.x2))
        results[name] = {}
        for key, implementation in IMPLEMENTATIONS.items():
            kernel_fn = nt.empirical_ntk_fn(
                case.apply_fn, trace_axes=(), vmap_axes=0, implementation=implementation
            )

            def timed_kernel(x1, x2, params, kernel_fn=kernel_fn):
                return kernel_fn(x1, x2, params)

            began = time.perf_counter()
            lowered = jax.jit(timed_kernel).lower(x1, x2, params)
            compiled = lowered.compile()
            results[name][key] = {
                # of the program before XLA hands products to libraries that it does not count
                "flops": lowered.cost_analysis()["flops"],
                "compile_seconds": time.perf_counter() - began,
                "temp_bytes": temp_bytes(),
                **measure(compiled, x1, x2, params),
            }
            print(name, key, results[name][key], flush=True)
    report = {
        "library": "neural-tangents",
        "processor": processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[2],
        "python": platform.python_version(),
        "versions": {
            package: version(package)
            for package in ("neural-tangents", "jax", "jaxlib", "numpy", "scipy", "ml_dtypes")
        },
        "dtype": "float32",
        "repeats": 7,
        "cases": results,
    }
    shutil.rmtree(DUMP)
    path = TESTS / "benchmarks" / "ntk_reference.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(path.name)


def measure(compiled, *arguments) -> dict:
    """Wall clock of seven runs after one."""
    jax.block_until_ready(compiled(*arguments))
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        seconds.append(time.perf_counter() - began)
    return {"seconds": statistics.median(seconds), "fastest_seconds": min(seconds)}


def temp_bytes() -> int:
    """Temporary memory of the program compiled last, from the compiler's own report."""
    (report,) = DUMP.glob("*buffer-assignment.txt")
    sizes = re.findall(r"^allocation \d+: size (\d+), preallocated-temp", report.read_text(), re.M)
    for file in DUMP.iterdir():
        file.unlink()
    return sum(map(int, sizes))


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
