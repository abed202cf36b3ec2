"""What the tests of several rooms share."""

import dataclasses
from collections.abc import Callable
from typing import Any

__all__ = ["Example"]


@dataclasses.dataclass(frozen=True)
class Example:
    """Arguments with which a public function can be lowered.

    Attributes:
        args: positional arguments, traced.
        kwargs: keyword arguments, static unless the function is itself jitted.
        made: the function that is lowered, where the public name is a factory that makes it.
        apart: lower for one platform at a time, which a kernel with a form per platform needs.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    made: Callable[..., Any] | None = None
    apart: bool = False
