import io
import json
import re

import pytest
from matplotlib.figure import Figure

from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.runner.reporter import Results, RunReporter
from jaxlab.runner.store import Metrics

CLAIM = Claim(id="more", statement="More", source="Fig. 1", paper="2", criterion="> 1")


@pytest.fixture
def make(tmp_path):
    """Reporters on one run directory, each with what the ones before it have finished."""
    opened = []

    def reporter(**options):
        for metrics in opened:
            metrics.__exit__(None, None, None)
        metrics = Metrics(tmp_path / "metrics.jsonl")
        opened.append(metrics)
        results = Results(
            experiment="toy",
            module="a.b",
            summary="s",
            preset="smoke",
            overrides=[],
            claims=(CLAIM,),
        )
        return RunReporter(results, tmp_path, metrics, **options)

    yield reporter
    for metrics in opened:
        metrics.__exit__(None, None, None)


def test_it_is_a_reporter(make):
    reporter = make()
    assert isinstance(reporter, Reporter)
    assert reporter.preset == "smoke"


def test_progress_counts_cells_finished_before(make):
    first = make()
    for index in range(3):
        first.cell(f"i={index}", lambda index=index: index)
    stream = io.StringIO()
    second = make(stream=stream, interval=0.0)
    second.plan(4)
    for index in range(4):
        assert second.cell(f"i={index}", lambda index=index: index) == index
    second.close()
    lines = stream.getvalue().splitlines()
    assert re.fullmatch(r"toy 4/4 \(100%\), .*/s, 0:00 left, i=3=3", lines[0])


def test_the_latest_numbers_are_shown(make):
    stream = io.StringIO()
    reporter = make(stream=stream, interval=0.0)
    reporter.plan(1)
    reporter.cell("N=2", lambda: {"recall": 0.5, "name": "dot", "flags": [1, 2]})
    reporter.close()
    assert "recall=0.5" in stream.getvalue()
    assert "name" not in stream.getvalue()


def test_nothing_is_reported_twice(make):
    reporter = make()
    reporter.cell("a", lambda: 1)
    with pytest.raises(ValueError, match="two cells of toy have the key 'a'"):
        reporter.cell("a", lambda: 1)
    reporter.scalar("x", 1.0)
    with pytest.raises(ValueError, match="reports scalar 'x' twice"):
        reporter.scalar("x", 1.0)
    reporter.table("t", ("a",), [(1,)], "c")
    with pytest.raises(ValueError, match="reports table 't' twice"):
        reporter.table("t", ("a",), [(1,)], "c")
    reporter.verdict("more", ours="2", holds=True)
    with pytest.raises(ValueError, match="reports verdict on 'more' twice"):
        reporter.verdict("more", ours="2", holds=True)


def test_misuse_is_named(make):
    reporter = make()
    with pytest.raises(ValueError, match="verdict on unknown claim 'mroe'; did you mean 'more'"):
        reporter.verdict("mroe", ours="", holds=None)
    with pytest.raises(ValueError, match="table 't': 2 columns, but a row of 1 entries"):
        reporter.table("t", ("a", "b"), [(1,)], "c")
    with pytest.raises(ValueError, match=r"figure '\.\./x': a name is made of"):
        reporter.figure("../x", Figure(), "c")
    with pytest.raises(TypeError, match="cell: a object cannot be written as JSON"):
        reporter.cell("cell", object)


def test_equal_figures_are_equal_files_and_are_closed(make, tmp_path):
    from matplotlib import pyplot

    reporter = make()
    for name in ("one", "two"):
        figure = pyplot.figure()
        figure.add_subplot().plot([1, 2])
        reporter.figure(name, figure, "caption")
    folder = tmp_path / "figures"
    assert (folder / "one.png").read_bytes() == (folder / "two.png").read_bytes()
    assert pyplot.get_fignums() == []


def test_claims_without_a_verdict_are_not_decided(make):
    (claim,) = make().results.to_json()["claims"]
    assert (claim["ours"], claim["holds"]) == (None, None)


def test_results_are_json(make):
    reporter = make()
    reporter.scalar("x", float("nan"))
    assert "NaN" in json.dumps(reporter.results.to_json())
