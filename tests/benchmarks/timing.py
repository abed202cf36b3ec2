"""How a benchmark case is timed: compile apart, warm up, then at least five rounds.

A case of ``bench_<room>.py`` is a test that takes pytest-benchmark's fixture ``benchmark`` and
hands it to :func:`time_jaxlab` or :func:`time_peer` once. These set what the ratio table reads:

* ``benchmark.group = "<room>/<case>"``: rows of one group did the same work on the same data;
* ``benchmark.extra_info["implementation"]``: ``"jaxlab"``, or the peer's name, once per group;
* optional in ``extra_info`` of jaxlab's case: ``apart``, ``{peer: {"seconds", "target"}}``, for
  peers that cannot run in this process;
* optional in ``extra_info``: ``workload`` (sizes, dtype), ``package`` (the peer's distribution, so
  that its version is printed), ``target`` (largest ratio jaxlab / peer that the room aims at),
  ``compile_seconds`` and ``temp_bytes`` (jaxlab's; measured here).

A peer that is not installed is skipped with ``pytest.importorskip`` inside its case.
"""

import time
from collections.abc import Callable
from typing import Any

import jax

__all__ = ["ROUNDS", "time_jaxlab", "time_peer"]

ROUNDS = 7


def time_jaxlab(
    benchmark: Any,
    function: Callable,
    *args: Any,
    group: str,
    implementation: str = "jaxlab",
    rounds: int = ROUNDS,
    **extra_info: Any,
) -> Any:
    """Compile ``function`` for ``args``, time the compiled call alone, return its result.

    ``function`` must be traceable with arrays as its only arguments; close over static ones.
    """
    jax.clear_caches()  # or what an earlier case compiled would be found there
    started = time.perf_counter()
    compiled = jax.jit(function).lower(*args).compile()
    compile_seconds = time.perf_counter() - started
    memory = compiled.memory_analysis()
    if memory is not None:
        extra_info["temp_bytes"] = int(memory.temp_size_in_bytes)
    return time_peer(
        benchmark,
        lambda: jax.block_until_ready(compiled(*args)),
        group=group,
        implementation=implementation,
        rounds=rounds,
        compile_seconds=compile_seconds,
        **extra_info,
    )


def time_peer(
    benchmark: Any,
    function: Callable[[], Any],
    *,
    group: str,
    implementation: str,
    rounds: int = ROUNDS,
    **extra_info: Any,
) -> Any:
    """Time ``function()``, which must return only when its result is there; return the result.

    The first call is a warm-up and is not counted. pytest-benchmark runs one case after the other,
    so implementations cannot be interleaved: the median over the rounds is what is compared.
    """
    if rounds < 5:
        raise ValueError(f"rounds: expected at least 5, got {rounds}")
    benchmark.group = group
    benchmark.extra_info.update(implementation=implementation, **extra_info)
    return benchmark.pedantic(function, rounds=rounds, warmup_rounds=1, iterations=1)
