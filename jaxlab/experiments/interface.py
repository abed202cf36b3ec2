"""What an experiment is, and what it may ask of whoever runs it.

An experiment module defines three names:

* ``Config``: a frozen, typed dataclass made by :func:`config`; ``configs/NAME.toml`` holds its
  values, one table per preset;
* ``CLAIMS``: the paper's claims as data, a tuple of :class:`Claim`;
* ``run(config, run_dir, reporter)``: does the work. It never prints; numbers, tables, figures and
  verdicts go out through the :class:`Reporter`.

``Config`` and ``run`` stand in ``<claim>.py``. ``CLAIMS`` stand beside the function that judges
them, there too, or in ``<claim>_claims.py`` or ``<claim>_report.py`` once the file would much
exceed 300 lines.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Protocol,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

import pydantic
import pydantic.dataclasses
from pydantic import Field

from jaxlab.checks import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "IN_ORDER",
    "Claim",
    "Count",
    "Counts",
    "Experiment",
    "Positive",
    "Reporter",
    "Share",
    "config",
]

IN_ORDER = "what comes at which place counts, and may come twice"

Count = Annotated[int, Field(ge=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]

T = TypeVar("T")
Json = Any  # numbers, strings, booleans, None, and lists and dicts of them


@dataclass_transform(frozen_default=True, kw_only_default=True)
def config(cls: type[T]) -> type[T]:
    """Class decorator: a frozen, keyword-only, typed dataclass that refuses unknown keys.

    Ranges are stated with ``Annotated[int, pydantic.Field(ge=0)]``, those that come often by the
    names of this module, and choices with ``Literal``; what holds between fields is required in
    ``__post_init__``. Tables nest as further ``@config`` classes. Values come from the TOML file
    alone: a field with a default here would be a second place to look.

    What is measured of each entry of a list goes by the entry's name, so that none may come twice.
    Where places count instead, such as those of layers, ``Annotated`` also says ``IN_ORDER``.
    """

    def once(self: Any) -> Any:
        for name in lists:
            entries = getattr(self, name)
            require(len(set(entries)) == len(entries), name, entries, "each entry once")
        return self

    hints = get_type_hints(cls, include_extras=True)
    lists = [name for name, hint in hints.items() if _lists_names(hint)]
    cls._once = pydantic.model_validator(mode="after")(once)  # type: ignore[attr-defined]
    settings = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False)
    decorate = pydantic.dataclasses.dataclass(frozen=True, kw_only=True, config=settings)
    return decorate(cls)  # type: ignore[return-value]


def _lists_names(hint: Any) -> bool:
    """Whether a field is a list of any length that no metadata says to be in order."""
    metadata = getattr(hint, "__metadata__", ())
    plain = hint.__origin__ if metadata else hint
    return get_origin(plain) is tuple and ... in get_args(plain) and IN_ORDER not in metadata


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """One statement of the paper that an experiment checks.

    Attributes:
        id: short slug, unique within the experiment.
        statement: the claim in one sentence.
        source: where the paper makes it, such as ``"Figure 2"`` or ``"Section 4.1"``.
        paper: the paper's number, or its qualitative statement where it gives no number.
        criterion: what has to be measured for the claim to hold, in words.
    """

    id: str
    statement: str
    source: str
    paper: str
    criterion: str


@runtime_checkable
class Reporter(Protocol):
    """Where an experiment's results go. The runner implements it; tests may too."""

    @property
    def preset(self) -> str:
        """The preset that is running, ``"smoke"``, ``"default"`` or ``"paper"``."""

    def plan(self, total: int) -> None:
        """Announce how many cells of work there are, for the progress bar."""

    def cell(self, key: str, compute: Callable[[], Json]) -> Json:
        """One resumable unit of work: the JSON value that ``compute()`` returns.

        The value is written to ``metrics.jsonl`` under ``key`` as soon as it is there. When an
        interrupted run is resumed, finished cells are read back and not computed again, so a cell
        must depend on nothing but the config. Advances the progress bar by one.
        """

    def scalar(self, name: str, value: float) -> None:
        """A number of the result; goes to ``results.json``, where it must be reproducible."""

    def timing(self, name: str, value: float) -> None:
        """A number that differs from run to run (seconds, bytes, ratios of times), kept apart."""

    def table(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Json]],
        caption: str,
        *,
        timed: bool = False,
    ) -> None:
        """A table of the report; every row has one entry per column.

        ``timed`` says that it holds numbers that differ from run to run (see :meth:`timing`).
        """

    def figure(self, name: str, figure: "Figure", caption: str) -> None:
        """Save ``figures/NAME.png``, put it in the report under ``caption``, close the figure."""

    def note(self, text: str) -> None:
        """A paragraph of the report: what a reader must know to read the numbers rightly."""

    def verdict(self, claim_id: str, *, ours: str, holds: bool | None) -> None:
        """The measured counterpart of a claim. ``holds`` is None when this run cannot decide it."""


@runtime_checkable
class Experiment(Protocol):
    """The shape of an experiment module."""

    Config: type[Any]
    CLAIMS: tuple[Claim, ...]

    def run(self, config: Any, run_dir: Path, reporter: Reporter) -> None:
        """Do the work and report it."""
