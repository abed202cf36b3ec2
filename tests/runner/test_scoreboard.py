import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from jaxlab.runner import UsageError, run
from jaxlab.runner.gather import gather
from jaxlab.runner.peers import peers_of
from jaxlab.runner.report import markdown_table
from jaxlab.runner.scoreboard import write_scoreboard
from tests.benchmarks.table import Row, markdown

NAME = "toy-room-growth"


@pytest.fixture
def board(toy):
    """The scoreboard of one finished run and a newer one that failed."""
    finished = run(NAME, sets=["data.fraction=0.25"], **toy)
    run(NAME, preset="smoke", sets=["fail_at=0"], **toy)
    return finished, write_scoreboard(toy["runs"], toy["configs"])


class Checker(HTMLParser):
    """Every tag is closed; collects references to anything outside the page."""

    void = frozenset({"meta", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.outside, self.images, self.ids, self.text = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert tag not in ("script", "link", "iframe"), tag
        if tag not in self.void:
            self.open.append(tag)
        self.ids.add(attributes.get("id"))
        for key in ("src", "href"):
            value = attributes.get(key)
            if value and not value.startswith(("data:", "#")):
                self.outside.append(value)
        if tag == "img":
            self.images.append(attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_self_contained_and_complete(board):
    finished, made = board
    html = made.html.read_text()
    page = Checker()
    page.feed(html)
    assert page.open == []
    assert page.outside == []
    assert not re.search(r"url\(|@import|https?://", html)
    (image,) = page.images
    data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
    assert data == (finished.path / "figures" / "curve.png").read_bytes()
    assert (image["width"], image["height"]) == ("240", "180")
    assert image["alt"] == "The value & its index."
    text = " ".join(page.text)
    for claim in json.loads((finished.path / "results.json").read_text())["claims"]:
        for part in ("statement", "source", "paper", "criterion"):
            assert claim[part] in text
    for part in ("holds", "does not hold", "not decided", "not measured", "1.3", "Toy room"):
        assert part in text
    for part in ("preset default", "data.fraction=0.25", finished.path.name.split("-")[1][:4]):
        assert part in text
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert NAME in page.ids


def test_the_newer_failure_is_mentioned_and_not_shown(board):
    finished, made = board
    for path in (made.markdown, made.html):
        text = path.read_text()
        assert "a newer run (smoke, " in text
        assert ") failed." in text
    (shown,), warnings = gather(made.html.parent)
    assert shown.path == finished.path
    assert warnings == []


def test_the_markdown_links_to_reports_and_figures(board):
    _, made = board
    text = made.markdown.read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == 2
    for link in links:
        assert (made.markdown.parent / link).is_file(), link
    assert "**The value \\| doubles <everywhere>** (Section 2)" in text
    assert made.headline == "1 of 3 claims holds, 1 does not, 1 is not decided."


def test_the_newest_finished_run_counts(toy):
    run(NAME, **toy)
    newest = run(NAME, preset="smoke", **toy)
    (shown,), _ = gather(toy["runs"])
    assert shown.path == newest.path
    assert shown.newer is None
    assert shown.room == "toy_room"


@pytest.mark.parametrize("copy", ["a-copy", "zz-copy"])
def test_an_experiment_counts_once_wherever_its_runs_lie(toy, copy):
    first = run(NAME, **toy)
    shutil.copytree(toy["runs"] / NAME, toy["runs"] / copy)
    (shown,), warnings = gather(toy["runs"])
    assert (shown.path, shown.newer, warnings) == (first.path, None, [])
    assert write_scoreboard(toy["runs"], toy["configs"]).html.read_text().count(f'id="{NAME}"') == 1
    newer = run(NAME, preset="smoke", **toy)
    moved = newer.path.replace(toy["runs"] / copy / newer.path.name)
    (shown,), _ = gather(toy["runs"])
    assert shown.path == moved
    run(NAME, preset="smoke", sets=["fail_at=0"], **toy)
    (shown,), _ = gather(toy["runs"])
    assert shown.path == moved
    assert shown.newer.endswith(" failed")


def test_without_runs_the_experiments_are_named(toy):
    made = write_scoreboard(toy["runs"], toy["configs"])
    assert made.headline == "No finished run yet."
    for path in (made.markdown, made.html):
        assert NAME in path.read_text()


def test_times_against_peers_come_from_the_benchmark_table(toy, tmp_path):
    run(NAME, **toy)
    configs = shutil.copytree(toy["configs"], tmp_path / "tree" / "configs")
    rows = [
        Row("toy_room/sum", "n < 8", "numpy", "numpy", 0.3, 0.2, 1.5, 2.0, 1.0, None),
        Row("toy_room/alone", None, None, None, 0.3, None, None, None, None, None),
    ]
    table = configs.parent / "tests" / "benchmarks" / "toy_room.md"
    table.parent.mkdir(parents=True)
    table.write_text(markdown(rows, {"device": "1 × cpu"}))
    made = write_scoreboard(toy["runs"], configs)
    page = Checker()
    page.feed(made.html.read_text())
    assert page.open == []
    for text in (" ".join(page.text), made.markdown.read_text()):
        assert "Against peers" in text
        assert "alone" not in text
        assert all(part in text for part in ("numpy", "1.50", "≤ 2 ✓", "n < 8", "1 × cpu"))
    assert "Against peers" not in write_scoreboard(toy["runs"], toy["configs"]).html.read_text()


@pytest.mark.parametrize("text", ["", "| case | peer |\n| --- | --- |\n", None])
def test_a_benchmark_table_of_another_form_is_refused_by_name(tmp_path, text):
    configs = tmp_path / "configs"
    table = tmp_path / "tests" / "benchmarks" / "toy_room.md"
    table.parent.mkdir(parents=True)
    row = Row("toy_room/sum", "n=8", "numpy", "numpy", 0.3, 0.2, 1.5, 2.0, 1.0, None)
    torn = markdown([row], {"device": "1 × cpu"}).partition("numpy")[0]
    table.write_text(torn if text is None else text)
    with pytest.raises(UsageError, match=r"toy_room\.md: no table with the columns case, "):
        peers_of("toy_room", configs)


def test_what_cannot_be_read_is_left_out_and_said(toy):
    good = run(NAME, **toy)
    bad = run(NAME, preset="smoke", **toy)
    (bad.path / "results.json").write_text("{")
    (toy["runs"] / NAME / "stray").mkdir()
    killed = run(NAME, preset="smoke", **toy)
    (killed.path / "environment.json").unlink()
    dateless = run(NAME, preset="smoke", **toy).path / "environment.json"
    dateless.write_text(json.dumps(json.loads(dateless.read_text()) | {"started": 5}))
    for file, key in (("environment.json", "device"), ("results.json", "figures")):
        path = run(NAME, preset="smoke", **toy).path / file
        content = json.loads(path.read_text())
        del content[key]
        path.write_text(json.dumps(content))
    (shown,), warnings = gather(toy["runs"])
    assert shown.path == good.path
    assert len(warnings) == 5
    assert all("left out" in warning for warning in warnings)


def test_an_experiment_that_never_finished_is_said(toy):
    run(NAME, sets=["fail_at=0"], **toy)
    shown, warnings = gather(toy["runs"])
    assert shown == []
    assert f"{NAME} has no finished run; its newest (default, " in warnings[0]


@pytest.mark.parametrize("left", [None, b"", b"\x89PNG"])
def test_a_missing_figure_does_not_break_the_page(toy, left):
    outcome = run(NAME, preset="smoke", **toy)
    figure = outcome.path / "figures" / "curve.png"
    figure.unlink()
    if left is not None:
        figure.write_bytes(left)
    made = write_scoreboard(toy["runs"], toy["configs"])
    assert "curve.png is missing" in made.html.read_text()


def test_the_report_reads_on_its_own(toy):
    outcome = run(NAME, sets=["data.fraction=0.25"], **toy)
    text = (outcome.path / "report.md").read_text()
    assert text.startswith(f"# {NAME}\n\nA value grows with its index.\n\npreset `default` · ")
    headings = re.findall(r"^## (.*)$", text, flags=re.M)
    assert headings == [
        "The paper's claims",
        "Notes",
        "Figures",
        "Tables",
        "Numbers",
        "Timings (they differ from run to run)",
        "How it was made",
    ]
    assert "| **The value \\| doubles <everywhere>** (Section 2) | 2.00 | 1.3 |" in text
    assert "![curve](figures/curve.png)" in text
    assert f"jaxlab.runner run {NAME} --preset default --set data.fraction=0.25 --configs" in text
    assert "fraction = 0.25" in text


def test_tables_of_markdown_keep_their_shape():
    table = markdown_table(("a|b", "c"), [("x\ny", None), ("z", 1.5)])
    assert table.splitlines() == [
        "| a\\|b | c |",
        "| --- | ---: |",
        "| x y | – |",
        "| z | 1.5 |",
    ]
    assert markdown_table(("a",), []) == "| a |\n| --- |"
