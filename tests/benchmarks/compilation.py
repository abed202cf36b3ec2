"""Compile time of every public function: ``python -m tests.benchmarks.compilation [ROOM …]``.

Each function that ``tests/test_portability.py`` lowers is traced, lowered and compiled for this
machine with the same small arguments, as users compile and with no compilation cache. What a
function is compiled for by its users is larger and takes about as long: loops are not unrolled, so
that sizes change the program little. Of all rooms, which takes some minutes of an idle machine, the
table goes to ``tests/benchmarks/compilation.md``; of some, it is only printed.
"""

import argparse
import math
import os
import statistics
import time
from pathlib import Path

TABLE = Path(__file__).with_suffix(".md")
INTRODUCTION = """# Compile time of the public functions

Seconds to trace and lower, and to compile, each public function once, for the small arguments of
its entry in `tests/<room>/examples*.py`. Made by `python -m tests.benchmarks.compilation`.
"""


def measure(room: str) -> dict[str, tuple[float, float]]:
    """Seconds of tracing with lowering, and of compiling, of each function of a room."""
    import jax

    from tests.entry_points import entry_points, registry, traceable

    seconds, functions = {}, entry_points(room)
    for name, example in sorted(registry(room).examples.items()):
        jitted, args, kwargs = traceable(functions[name], example)
        jax.clear_caches()
        started = time.perf_counter()
        lowered = jitted.lower(*args, **kwargs)
        traced = time.perf_counter()
        lowered.compile()
        seconds[name] = (traced - started, time.perf_counter() - traced)
    return seconds


def table(found: dict[str, dict[str, tuple[float, float]]], machine: dict[str, str]) -> str:
    """Markdown: rooms in one table, then the functions of each, the longest first."""
    lines = [INTRODUCTION, "\n| room | functions | median | 90 % below | longest |\n"]
    lines.append("|---|---:|---:|---:|---:|\n")
    for room, functions in found.items():
        totals = sorted(sum(parts) for parts in functions.values())
        middle, most = statistics.median(totals), totals[math.ceil(0.9 * len(totals)) - 1]
        lines.append(
            f"| `{room}` | {len(totals)} | {middle:.2f} s | {most:.2f} s | {totals[-1]:.2f} s |\n"
        )
    for room, functions in found.items():
        lines.append(f"\n## {room}\n\n| function | trace and lower | compile |\n|---|---:|---:|\n")
        for name, parts in sorted(functions.items(), key=lambda item: -sum(item[1])):
            short = name.removeprefix(f"jaxlab.{room}.")
            lines.append(f"| `{short}` | {parts[0]:.2f} s | {parts[1]:.2f} s |\n")
    measured = ", ".join(f"{key} {value}" for key, value in machine.items())
    lines.append(f"\nMeasured on: {measured}.\n")
    return "".join(lines)


def main() -> None:
    os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
    from tests.benchmarks.table import environment
    from tests.entry_points import rooms

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compilation")
    parser.description = "Compile time of every public function."
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="only these; printed, not saved")
    chosen = parser.parse_args().rooms
    if unknown := set(chosen) - set(rooms()):
        parser.error(f"no room {', '.join(sorted(unknown))}; there are {', '.join(rooms())}")
    found = {}
    for room in chosen or rooms():
        found[room] = measure(room)
        print(f"{room}: {len(found[room])} functions", flush=True)
    text = table(found, environment([]))
    if chosen:
        print(text)
    else:
        TABLE.write_text(text)
        print(f"saved {os.path.relpath(TABLE)}")


if __name__ == "__main__":
    main()
