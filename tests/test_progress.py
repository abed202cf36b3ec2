"""What a terminal shows: a live line, and every text as it is; what a log shows."""

import io
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
