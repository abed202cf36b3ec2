"""What the tests of several rooms share."""

import dataclasses
from typing import Any

__all__ = ["Example"]


@dataclasses.dataclass(frozen=True)
class Example:
    """Arguments with which a public jitted entry point can be lowered.

    Each room keeps ``EXAMPLES``, a dict from qualified name to Example, in
    ``tests/<room>/examples.py``; ``tests/test_portability.py`` finds them there.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
