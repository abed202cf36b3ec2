"""A tiny experiment that behaves badly on request."""

import os
import time
from typing import Annotated, Literal

import numpy as np
import pydantic

from jaxlab.experiments.interface import Claim, config
from jaxlab.experiments.plotting import curves, new_figure


@config
class Data:
    name: Literal["digits", "fashion_mnist"]
    fraction: Annotated[float, pydantic.Field(gt=0, le=1)]


@config
class Config:
    seed: int
    cells: Annotated[int, pydantic.Field(ge=1)]
    rates: tuple[float, ...]
    pause: float
    fail_at: int
    data: Data


CLAIMS = (
    Claim(
        id="grows",
        statement="The value grows with the index",
        source="Figure 1",
        paper="a straight line",
        criterion="last > first",
    ),
    Claim(
        id="doubles",
        statement="The value | doubles <everywhere>",
        source="Section 2",
        paper="2.00",
        criterion="every ratio within 1 % of 2",
    ),
    Claim(
        id="stops",
        statement="The value stops at infinity",
        source="Section 3",
        paper="∞",
        criterion="not measurable here",
    ),
)


def run(config, run_dir, reporter):
    noise = np.random.default_rng(config.seed).normal(size=config.cells)

    def compute(index):
        with open(run_dir / "computed.txt", "a") as log:
            log.write(f"{index}\n")
        time.sleep(config.pause)
        if index == config.fail_at:
            raise RuntimeError("the experiment broke\nin two lines")
        return {"value": np.float32(index + 0.1 * noise[index]), "pid": "x", "index": index}

    reporter.plan(config.cells)
    values = [
        reporter.cell(f"index={index}", lambda index=index: compute(index))["value"]
        for index in range(config.cells)
    ]
    figure, ax = new_figure(panel=(2.0, 1.5))
    curves(ax, range(config.cells), values, label="value")
    reporter.figure("curve", figure, "The value & its index.")
    rows = list(enumerate(values))
    reporter.table("values", ("index", "value"), rows, "Every value.")
    reporter.table("speed", ("pid",), [(os.getpid(),)], "Differs from run to run.", timed=True)
    reporter.scalar("last", values[-1])
    reporter.timing("clock", time.perf_counter())
    reporter.note(f"Preset {reporter.preset} of a toy.")
    reporter.verdict("grows", ours=f"{values[-1]:.3f}", holds=np.bool_(values[-1] > values[0]))
    reporter.verdict("doubles", ours="1.3", holds=False)
