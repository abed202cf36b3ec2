"""From pytest-benchmark's records to one table of ratios, jaxlab's time over each peer's."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Row", "environment", "markdown", "rows_of"]


class Row(NamedTuple):
    """jaxlab against one peer (or alone, with ``peer`` None) on one case.

    Attributes:
        case: ``"<room>/<name>"``.
        workload: sizes and dtype of the case.
        peer: name of the other implementation.
        package: distribution that the peer comes from.
        jaxlab_seconds: median wall time of one call.
        peer_seconds: the same for the peer.
        ratio: ``jaxlab_seconds / peer_seconds``; below 1 jaxlab is faster.
        target: largest ratio the room aims at.
        compile_seconds: jaxlab's tracing, lowering and compilation, not part of the ratio.
        temp_bytes: peak temporary memory of jaxlab's compiled call.
    """

    case: str
    workload: str | None
    peer: str | None
    package: str | None
    jaxlab_seconds: float | None
    peer_seconds: float | None
    ratio: float | None
    target: float | None
    compile_seconds: float | None
    temp_bytes: int | None

    @property
    def met(self) -> bool | None:
        """Whether the ratio reaches its target; None without either."""
        if self.ratio is None or self.target is None:
            return None
        return self.ratio <= self.target


def rows_of(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row per peer of each group, in the order in which the cases ran.

    Args:
        records: the list ``"benchmarks"`` of pytest-benchmark's JSON.

    Raises:
        ValueError: a record without group or implementation, or one implementation twice in a
            group.
    """
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for record in records:
        case, extra = record["group"], record["extra_info"]
        name = extra.get("implementation")
        if not case or "/" not in case or not name:
            raise ValueError(
                f"{record['name']}: expected a group '<room>/<case>' and an implementation in "
                f"extra_info, got group {case!r}, implementation {name!r}"
            )
        group = groups.setdefault(case, {})
        if name in group:
            raise ValueError(f"{record['name']}: {name!r} is already timed in group {case!r}")
        group[name] = record
    rows = []
    for case, group in groups.items():
        ours = group.pop("jaxlab", None)
        group |= _measured_apart(ours)
        peers = list(group.items()) or [(None, None)]
        rows += [_row(case, ours, name, peer) for name, peer in peers]
    return rows


def _measured_apart(ours: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Records of the peers that jaxlab's case says were timed in a process of their own."""
    apart = ours["extra_info"].get("apart", {}) if ours else {}
    return {
        f"{name} (own process)": {
            "extra_info": {"target": peer.get("target")},
            "stats": {"median": peer["seconds"]},
        }
        for name, peer in apart.items()
    }


def _row(
    case: str,
    ours: Mapping[str, Any] | None,
    name: str | None,
    peer: Mapping[str, Any] | None,
) -> Row:
    our_extra = ours["extra_info"] if ours else {}
    peer_extra = peer["extra_info"] if peer else {}
    our_seconds = ours["stats"]["median"] if ours else None
    peer_seconds = peer["stats"]["median"] if peer else None
    both = our_seconds is not None and peer_seconds is not None
    return Row(
        case=case,
        workload=our_extra.get("workload") or peer_extra.get("workload"),
        peer=name,
        package=peer_extra.get("package"),
        jaxlab_seconds=our_seconds,
        peer_seconds=peer_seconds,
        ratio=our_seconds / peer_seconds if both else None,
        target=peer_extra.get("target"),
        compile_seconds=our_extra.get("compile_seconds"),
        temp_bytes=our_extra.get("temp_bytes"),
    )


def markdown(rows: Sequence[Row], machine: Mapping[str, str], skipped: Sequence[str] = ()) -> str:
    """The table as Markdown, followed by where it was measured and what was skipped."""
    header = (
        "| case | workload | jaxlab | peer | peer's time | ratio jaxlab / peer | target "
        "| compile | temp memory |\n|---|---|---:|---|---:|---:|---:|---:|---:|\n"
    )
    lines = [header]
    for row in rows:
        mark = {None: "", True: " ✓", False: " ✗"}[row.met]
        cells = (
            row.case,
            row.workload or "–",
            _seconds(row.jaxlab_seconds),
            row.peer or "–",
            _seconds(row.peer_seconds),
            "–"
            if row.ratio is None
            else f"{row.ratio:.2f}"
            if row.ratio >= 0.1
            else f"{row.ratio:.2g}",
            "–" if row.target is None else f"≤ {row.target:g}{mark}",
            _seconds(row.compile_seconds),
            _bytes(row.temp_bytes),
        )
        lines.append("| " + " | ".join(cells) + " |\n")
    measured = ", ".join(f"{key} {value}" for key, value in machine.items())
    lines.append(
        "\nMedian wall time of one call after warm-up, all implementations in one process on the "
        "same data unless a peer is marked; below 1 jaxlab is faster. Compilation is apart; "
        "temporary memory is what XLA reports for jaxlab's compiled call.\n"
        f"Measured on: {measured}.\n"
    )
    lines += [f"\nNot measured: {line}\n" for line in skipped]
    return "".join(lines)


def environment(packages: Iterable[str]) -> dict[str, str]:
    """Device, cores and versions; nothing that names this machine or its paths."""
    import jax

    devices = jax.devices()
    found = {
        "device": f"{len(devices)} × {devices[0].device_kind}",
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"),
        "python": platform.python_version(),
    }
    for package in dict.fromkeys(("jax", "jaxlib", "numpy", *packages)):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "of unknown version"
    return found


def _processor() -> str:
    """The processor's model name where Linux tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} µs"


def _bytes(value: int | None) -> str:
    if value is None:
        return "–"
    for scale, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value} B"
