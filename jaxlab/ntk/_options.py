"""What options may be: checked once for every function that takes them."""

from collections.abc import Sequence

from jaxlab.checks import check_choice, check_integer, require
from jaxlab.ntk.types import StructuredOptions

__all__ = ["check_get", "check_options"]


def check_options(options: StructuredOptions) -> None:
    """Refuse options that are not integers, or too small ones."""
    require(isinstance(options, StructuredOptions), "options", options, "a StructuredOptions")
    check_integer("options.max_unroll", options.max_unroll, minimum=0)
    if options.memory_limit is not None:
        check_integer("options.memory_limit", options.memory_limit, minimum=0)
    if options.column_batch is not None:
        check_integer("options.column_batch", options.column_batch, minimum=1)
    if options.output_batch is not None:
        check_integer("options.output_batch", options.output_batch, minimum=1)


def check_get(get: Sequence[str]) -> None:
    """Refuse what names no kernel, or others than the two."""
    several = isinstance(get, Sequence) and not isinstance(get, str) and len(get) > 0
    require(several, "get", get, "a tuple of at least one of 'nngp', 'ntk'")
    for kernel in get:
        check_choice("get", kernel, ("nngp", "ntk"))
