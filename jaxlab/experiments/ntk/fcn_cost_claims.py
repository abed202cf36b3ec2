"""The claims about fully connected networks, and their judges."""

import itertools
from collections.abc import Mapping
from typing import Any

from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import at_least
from jaxlab.experiments.ntk.methods import Method, judge_agreement

__all__ = ["CLAIMS", "Setting", "judge_cost", "judge_operations"]

Setting = tuple[int, int, int]  # examples, outputs, width


CLAIMS = (
    Claim(
        id="structured-fewest-operations",
        statement="Structured derivatives take fewer operations than Jacobian contraction, and the "
        "more so the more outputs and examples.",
        source="Section 3, the table of costs for fully connected networks",
        paper="N²LO²W + NLOW² against N²LO²W²",
        criterion="the ratio of counted operations is at least 1 everywhere, at the largest width "
        "it rises with the outputs and with the examples, two numbers of each or more, and at 4096 "
        "units, 10 layers, N = 8 and O = 128 it is at least 300",
    ),
    Claim(
        id="products-gain-with-outputs",
        statement="NTK-vector products gain a factor of the order of the number of outputs over "
        "Jacobian contraction, and nothing at one output.",
        source="Section 3, the table of costs",
        paper="N²O[FP] against N²O²P: a factor O at N = 1, none at O = 1",
        criterion="one example, largest width: the ratio of counted operations is at most 1.5 at "
        "O = 1, and at least O/5 at the largest O",
    ),
    Claim(
        id="products-win-when-outputs-exceed-width",
        statement="NTK-vector products are cheaper than structured derivatives only where the "
        "outputs outnumber the units of a layer.",
        source="Section 3, the discussion of the costs",
        paper="if and only if O > W, or N = 1 and O about W",
        criterion="counted operations of NTK-vector products are below 1.05 of structured ones "
        "only at combinations with O > W, of which the config has some",
    ),
    Claim(
        id="structured-below-the-jacobian",
        statement="In wide networks structured derivatives cost no more than the Jacobians alone.",
        source="Figure 1 and Section 3",
        paper="at large widths below the cost of computing the Jacobian",
        criterion="at the largest width, for every N and O, counted operations of structured "
        "derivatives are at most those of the two Jacobians",
    ),
    Claim(
        id="wall-clock",
        statement="Both methods are faster than Jacobian contraction on a real device.",
        source="official notebook empirical_ntk_fcn (3072 inputs, 3 hidden layers of 2048, O = 8, "
        "N = 16, Tesla T4)",
        paper="Jacobian contraction 243 ms, NTK-vector products 81.4 ms (3×), structured "
        "derivatives 3.46 ms (70×)",
        criterion="at 512 units: structured derivatives at least 30× faster than Jacobian "
        "contraction, NTK-vector products at least 2×",
    ),
    Claim(
        id="memory",
        statement="Structured derivatives need a small part of the memory of Jacobian contraction.",
        source="Section 3, the table of costs",
        paper="NOW + N²O² against NOW² + N²O²",
        criterion="at 512 units: temporary memory at most 1/50",
    ),
    Claim(
        id="eight-times-wider",
        statement="In the memory of Jacobian contraction, structured derivatives fit networks 8 "
        "times wider, of about 64 times the parameters.",
        source="Figure 1 and Section 1",
        paper="up to 8× wider",
        criterion="temporary memory and parameters of structured derivatives at 8 times the "
        "smallest width (64 units or more) are at most those of Jacobian contraction there",
    ),
    Claim(
        id="methods-agree",
        statement="The three methods compute one kernel.",
        source="Section 3",
        paper="equal in exact arithmetic",
        criterion="largest difference below 1e-4 of the kernel's largest entry, float32",
    ),
)


def judge_operations(
    flops: Mapping[Setting, Mapping[str, int]], depth: int, reporter: Reporter
) -> None:
    """Verdicts on the claims about counted operations."""
    batches, outputs, widths = (sorted(set(values)) for values in zip(*flops, strict=True))
    widest, most = widths[-1], outputs[-1]

    gains = {case: counted["jacobian"] / counted["structured"] for case, counted in flops.items()}
    at_widest = [[gains[n, o, widest] for o in outputs] for n in batches]
    rises = all(
        low < high
        for line in (*at_widest, *zip(*at_widest, strict=True))
        for low, high in itertools.pairwise(line)
    )
    named = gains.get((8, 128, 4096)) if depth == 10 else None
    refuted = min(gains.values()) < 1 or not rises or (named is not None and named < 300)
    decided = named is not None and len(batches) > 1 and len(outputs) > 1
    for n, o in itertools.product(batches, outputs):
        reporter.scalar(f"JC / SD, N = {n}, O = {o}, W = {widest}", round(gains[n, o, widest], 3))
    rows = [
        f"N = {n}: " + ", ".join(f"{gain:.3g}" for gain in line)
        for n, line in zip(batches, at_widest, strict=True)
    ]
    reporter.verdict(
        "structured-fewest-operations",
        ours=f"JC / SD at W = {widest}, O = {', '.join(map(str, outputs))}: {'; '.join(rows)}; "
        f"smallest of all {min(gains.values()):.3g}",
        holds=not refuted if refuted or decided else None,
    )

    products = {
        o: flops[1, o, widest]["jacobian"] / flops[1, o, widest]["vector_products"]
        for o in outputs
        if 1 in batches
    }
    listed = ", ".join(f"{gain:.3g} at O = {o}" for o, gain in products.items())
    reporter.verdict(
        "products-gain-with-outputs",
        ours=f"JC / NTVP at N = 1, W = {widest}: {listed or 'not measured'}",
        holds=products[1] <= 1.5 and products[most] >= most / 5
        if 1 in products and most > 1
        else None,
    )

    shares = {
        case: counted["vector_products"] / counted["structured"] for case, counted in flops.items()
    }
    cheaper = {case: share for case, share in shares.items() if share < 1.05}
    listed = ", ".join(
        f"{share:.2f} at N = {n}, O = {o}, W = {w}" for (n, o, w), share in cheaper.items()
    )
    reporter.verdict(
        "products-win-when-outputs-exceed-width",
        ours=f"NTVP / SD {listed or f'at least {min(shares.values()):.2f}'}",
        holds=all(o > width for _, o, width in cheaper)
        if any(o > width for _, o, width in flops)
        else None,
    )

    parts = {
        (n, o): flops[n, o, widest]["structured"] / flops[n, o, widest]["jacobians alone"]
        for n, o in itertools.product(batches, outputs)
    }
    worst = max(parts, key=lambda case: parts[case])
    reporter.verdict(
        "structured-below-the-jacobian",
        ours=f"W = {widest}: {min(parts.values()):.2f} to {parts[worst]:.2f} of the Jacobians' "
        f"operations (most at N = {worst[0]}, O = {worst[1]})",
        holds=parts[worst] <= 1,
    )


def judge_cost(
    seconds: Mapping[int, Mapping[Method, float]],
    compared: Mapping[int, Mapping[str, Any]],
    parameters: Mapping[int, int],
    reporter: Reporter,
) -> None:
    """Verdicts on the claims about compiled kernels; every mapping is by width."""
    at = 512 if 512 in seconds else max(seconds)
    times = seconds[at]
    structured, products = (
        times["jacobian"] / times["structured"],
        times["jacobian"] / times["vector_products"],
    )
    reporter.timing(f"× faster, structured derivatives, W = {at}", structured)
    reporter.timing(f"× faster, NTK-vector products, W = {at}", products)
    reporter.verdict(
        "wall-clock",
        ours=f"{at} units: structured derivatives {at_least(structured)} faster, NTK-vector "
        f"products {at_least(products)}",
        holds=structured >= 30 and products >= 2 if at == 512 else None,
    )
    _judge_memory(at, compared, parameters, reporter)
    judge_agreement(compared.values(), reporter)


def _judge_memory(
    at: int,
    compared: Mapping[int, Mapping[str, Any]],
    parameters: Mapping[int, int],
    reporter: Reporter,
) -> None:
    if not all(all(case["bytes"].values()) for case in compared.values()):
        for claim in ("memory", "eight-times-wider"):
            reporter.verdict(claim, ours="this backend does not tell its memory", holds=None)
        return
    used = compared[at]["bytes"]
    share = used["structured"] / used["jacobian"]
    reporter.verdict(
        "memory",
        ours=f"{at} units: {used['structured'] / 2**20:.3g} MiB against "
        f"{used['jacobian'] / 2**20:.3g} MiB, {share:.2g} of it",
        holds=share <= 1 / 50 if at == 512 else None,
    )
    narrow = min(compared)
    wide = 8 * narrow
    if wide not in compared:
        reporter.verdict("eight-times-wider", ours=f"{wide} units are not timed", holds=None)
        return
    ours = compared[wide]["bytes"]["structured"] + 4 * parameters[wide]
    jacobian = compared[narrow]["bytes"]["jacobian"] + 4 * parameters[narrow]
    reporter.verdict(
        "eight-times-wider",
        ours=f"structured derivatives at {wide} units: {ours / 2**20:.3g} MiB; Jacobian "
        f"contraction at {narrow} units: {jacobian / 2**20:.3g} MiB; "
        f"{parameters[wide] / parameters[narrow]:.0f} times the parameters",
        holds=ours <= jacobian if narrow >= 64 else None,
    )
