"""What a terminal shows: a live line, and every text as it is; what a log shows."""

import io
import re
import time

import pytest

from jaxlab.progress import Progress

NAMES = ("toy [train]", "err[/val]", "[b]", "a\\[b")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_shows_every_text_as_it_is(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    with Progress(f"title {name}", total=2, stream=stream) as progress:
        progress.message(f"message {name} " + 300 * "x")
        progress.advance(2, latest={f"metric {name}": 0.25})
    shown = stream.getvalue()
    for text in (f"title {name}", f"message {name} {300 * 'x'}", f"metric {name}=0.25", "2/2"):
        assert text in shown


def live_line(monkeypatch, columns, title, total, done, latest):
    """The last live line on a terminal of so many columns."""
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    with Progress(title, total=total, stream=stream) as progress:
        progress.advance(done, latest=latest)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    return [line.rstrip() for line in re.split(r"[\r\n]", plain) if line.strip()][-1]


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
@pytest.mark.parametrize("title", ["fit", "spherical-convolution-rotation-equivariance"])
@pytest.mark.parametrize("latest", [{}, {"accuracy": 0.93}, {"accuracy": 0.93, "l" * 60: 0.51234}])
def test_text_gives_way_to_count_rate_and_times(monkeypatch, columns, title, latest):
    line = live_line(monkeypatch, columns, title, 10000, 3000, latest)
    assert len(line) <= columns
    shape = r"(\S+) ━.* 3000/10000 \S+/s \d:\d\d:\d\d left (\d|-):(\d|-)+:(\d|-)+(?: (.+))?"
    found = re.fullmatch(shape, line.replace("╺", "━"))
    assert found, line
    assert found[1] == title or (found[1].endswith("…") and title.startswith(found[1][:-1]))
    if latest and columns >= 100:
        assert found[5].startswith("accuracy=0.93")


def test_no_text_is_cut_where_there_is_room(monkeypatch):
    latest = {"accuracy": 0.93, "grad_norm": 0.00123, "loss": 0.4514}
    line = live_line(monkeypatch, 140, "hopfield-similarity-capacity", 10000, 3000, latest)
    assert line.startswith("hopfield-similarity-capacity ━")
    assert line.endswith(" accuracy=0.93, grad_norm=0.00123, loss=0.4514")


@pytest.mark.parametrize("watched", [True, False])
def test_what_is_printed_beside_a_bar_arrives_where_it_belongs(monkeypatch, watched):
    bar, printed = Terminal(), Terminal() if watched else io.StringIO()
    monkeypatch.setattr("sys.stdout", printed)
    with Progress("work", total=1, stream=bar) as progress:
        print("printed meanwhile")
        progress.advance()
    assert ("printed meanwhile" in bar.getvalue()) == watched  # above the bar
    assert ("printed meanwhile" in printed.getvalue()) != watched


class Writer:
    """The least that ``print`` needs."""

    def __init__(self):
        self.written = ""

    def write(self, text):
        self.written += text


def test_what_is_printed_to_a_stream_of_ones_own_arrives(monkeypatch):
    closed, writer = io.StringIO(), Writer()
    closed.close()
    for printed in (None, closed, writer):
        monkeypatch.setattr("sys.stdout", printed)
        with Progress("work", total=1, stream=Terminal()) as progress:
            if printed is writer:
                print("printed meanwhile")
            progress.advance()
    assert writer.written == "printed meanwhile\n"


def test_the_closing_line_is_not_written_twice():
    stream = io.StringIO()
    with Progress("work", total=2, stream=stream, interval=0.0) as progress:
        progress.advance()
        progress.advance()
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["1/2", "2/2"]


def test_a_closing_line_says_what_came_after_the_last():
    stream = io.StringIO()
    with Progress("work", total=3, stream=stream, interval=0.05) as progress:
        time.sleep(0.06)
        progress.advance()
        progress.advance(2)
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["1/3", "3/3"]
