"""jaxlab against its peers, for the scoreboard: the benchmark table that the source tree keeps."""

from pathlib import Path
from typing import NamedTuple

from jaxlab.runner.registry import UsageError

__all__ = ["COLUMNS", "Peers", "peers_of"]

#: what is shown of a table; its rows have more
COLUMNS = ("case", "workload", "peer", "ratio jaxlab / peer", "target")


class Peers(NamedTuple):
    """Times of one room relative to other implementations.

    Attributes:
        rows: a cell for each of :data:`COLUMNS`; below a ratio of 1 jaxlab is faster.
        measured: device and versions, in one line.
    """

    rows: list[tuple[str, ...]]
    measured: str


def peers_of(room: str, configs: Path) -> Peers | None:
    """The comparisons of ``room`` in ``tests/benchmarks``, beside the folder of configs.

    None where there is no such file: an installed wheel brings none, and a room may have none yet.
    """
    table = configs.parent / "tests" / "benchmarks" / f"{room}.md"
    if not table.is_file():
        return None
    lines = table.read_text(encoding="utf-8").splitlines()
    cells = [_cells(line) for line in lines if line.startswith("|")]
    try:
        places = [cells[0].index(column) for column in COLUMNS]
        rows = [tuple(row[place].removeprefix(f"{room}/") for place in places) for row in cells[2:]]
    except (ValueError, IndexError) as error:
        raise UsageError(f"{table}: no table with the columns {', '.join(COLUMNS)}") from error
    ratio = COLUMNS.index("ratio jaxlab / peer")
    measured = next((line for line in lines if line.startswith("Measured on:")), "")
    return Peers([row for row in rows if row[ratio] != "–"], measured)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
