"""What counts operations and memory: nothing of it can be lowered."""

from tests.helpers import Example

EXAMPLES: dict[str, Example] = {}

HOST_SIDE = {
    "jaxlab.ntk.counting.count_flops": "reads a jaxpr",
    "jaxlab.ntk.counting.breakdown": "reads a jaxpr",
    "jaxlab.ntk.counting.peak_bytes": "reads a jaxpr",
    "jaxlab.ntk.cost.compare": "reads jaxprs",
    "jaxlab.ntk.cost.format_table": "makes text",
}
