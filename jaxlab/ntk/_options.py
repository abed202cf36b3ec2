"""What options may be: checked once for every function that takes them."""

from jaxlab.checks import check_integer
from jaxlab.ntk.types import StructuredOptions

__all__ = ["check_options"]


def check_options(options: StructuredOptions) -> None:
    """Refuse options that are not integers, or too small ones."""
    check_integer("options.max_unroll", options.max_unroll, minimum=0)
    if options.memory_limit is not None:
        check_integer("options.memory_limit", options.memory_limit, minimum=0)
    if options.column_batch is not None:
        check_integer("options.column_batch", options.column_batch, minimum=1)
    if options.output_batch is not None:
        check_integer("options.output_batch", options.output_batch, minimum=1)
