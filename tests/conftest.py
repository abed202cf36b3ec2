"""Set-up of the whole suite: virtual devices, compilation cache, typed failures.

The environment variables must be set before jax is imported, and they are inherited by the
processes that some tests start.
"""

import collections
import gc
import importlib.metadata
import os
import signal
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAPS, MOST_MAPS = Path("/proc/self/maps"), 30_000

# JAX_PLATFORMS=cuda,cpu runs the suite on a GPU, and what needs several devices on eight virtual
# ones of the CPU. Oracles are float32 products: GPUs and TPUs keep fewer digits unless told to.
if os.environ.setdefault("JAX_PLATFORMS", "cpu") != "cpu":
    os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # processes share its memory
# The suite compiles thousands of small programs and runs each once or twice: XLA is told to compile
# fast rather than well, which takes a quarter of the time. Experiments, notebooks and benchmarks,
# which other steps of .ci/run start, compile as users do; so does a suite started with
# JAX_DISABLE_MOST_OPTIMIZATIONS=0.
_flags = {"xla_force_host_platform_device_count": "8"}
if os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1") == "1":
    _flags["xla_cpu_parallel_codegen_split_count"] = "1"
    if importlib.metadata.version("jaxlib").startswith("0.10."):  # a later one refuses the flag
        _flags["xla_cpu_use_fusion_emitters"] = "false"
_given = os.environ.get("XLA_FLAGS", "")
_added = [f"--{flag}={value}" for flag, value in _flags.items() if flag not in _given]
os.environ["XLA_FLAGS"] = " ".join([_given, *_added]).strip()
os.environ.setdefault("MPLBACKEND", "agg")
# Matrices here are small, and BLAS threads of several test processes that share a few cores spin:
# a factorization of milliseconds then takes seconds. NumPy is loaded already, by a pytest plugin.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

# A shell that starts the suite in the background has it ignore Ctrl-C, and so its processes; the
# tests of what Ctrl-C does need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis  # noqa: E402
import jax  # noqa: E402
import jaxtyping  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import threadpoolctl  # noqa: E402

threadpoolctl.threadpool_limits(int(os.environ["OPENBLAS_NUM_THREADS"]), user_api="blas")

hypothesis.settings.register_profile(
    "jaxlab",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jaxlab")


def pytest_addoption(parser):
    parser.addoption(
        "--thin", type=int, default=1, metavar="N", help="of each file only every N-th case"
    )


def pytest_collection_modifyitems(config, items):
    """Keep the first case of every file, and every N-th after it."""
    cases, kept, left = collections.Counter(), [], []
    for item in items:
        file = item.nodeid.split("::")[0]
        (left if cases[file] % config.getoption("--thin") else kept).append(item)
        cases[file] += 1
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def pytest_runtest_setup(item):
    """A module's ``RNG`` gives a test the same numbers whichever tests ran before it."""
    generator = getattr(getattr(item, "module", None), "RNG", None)
    if generator is not None:
        fresh = np.random.default_rng(zlib.crc32(item.nodeid.encode()))
        generator.bit_generator.state = fresh.bit_generator.state


def pytest_runtest_teardown(item, nextitem):
    """Between files, drop the programs of earlier ones before there is no room for more.

    Linux allows a process some 65,530 pieces of memory; every compiled program takes several, and
    a compiler that gets none crashes.
    """
    if nextitem is None or nextitem.path == item.path or not MAPS.exists():
        return
    if MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def x64():
    """Run the test in float64 and put the global switch back."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def bad_input():
    """Switch the runtime shape checks off, so that jaxlab's own errors are what is tested.

    Users run without those checks; a test of a ``ValueError`` must too.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def golden():
    """The folder of reference outputs; tests/golden/README.md says how each was made."""
    return ROOT / "tests" / "golden"


@pytest.fixture
def devices():
    """The eight virtual CPU devices."""
    found = jax.devices("cpu")
    assert len(found) >= 8, "the suite needs 8 virtual devices"
    return found[:8]
